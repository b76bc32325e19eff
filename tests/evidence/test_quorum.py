"""Since when a quorum has cosigned: the fast rule beside a naive one, and what liars can and cannot do."""

from datetime import UTC, datetime, timedelta

import pytest
from corpus import maker
from hypothesis import given, settings
from hypothesis import strategies as st

from chopmark.evidence import quorum
from chopmark.evidence.verify import CLOCK_SKEW, Verdict, verify
from chopmark.ledger.keys import ED25519_COSIGNATURE, SigningKey
from chopmark.ledger.policy import Policy, PolicyGroup, PolicyWitness

START = datetime(2026, 1, 1, tzinfo=UTC)
FIVE = maker.POLICIES["five-members"]
AT = maker.AT + timedelta(days=1)
KEYS = [
    SigningKey(name=f"w{number}.example", type=ED25519_COSIGNATURE, seed=maker.seed(f"w{number}"))
    for number in range(8)
]
WITNESSES = tuple(PolicyWitness(name=f"w{number}", key=key.verifier) for number, key in enumerate(KEYS))
NAMES = [each.name for each in WITNESSES]


def naive(policy, times):
    """Tries every stated time in turn, and asks the policy itself each time."""
    for moment in sorted(set(times.values())):
        if quorum.suffices(policy, [name for name, at in times.items() if at <= moment]):
            return moment
    return None


@st.composite
def policies(draw):
    """Groups over witnesses and earlier groups, every name in one group at most, as tlog-policy demands."""
    free, groups = list(NAMES), []
    for number in range(draw(st.integers(1, 4))):
        members = draw(st.lists(st.sampled_from(free), min_size=1, max_size=len(free), unique=True))
        free = [name for name in free if name not in members] + [f"g{number}"]
        threshold = draw(st.integers(1, len(members)))
        groups.append(PolicyGroup(name=f"g{number}", threshold=threshold, members=tuple(members)))
    known = [*NAMES, *(group.name for group in groups)]
    return Policy(witnesses=WITNESSES, groups=tuple(groups), quorum=draw(st.sampled_from(known)))


moments = st.integers(0, 20).map(lambda seconds: START + timedelta(seconds=seconds))
stated = st.dictionaries(st.sampled_from(NAMES), moments)


@given(policies(), stated)
def test_the_k_th_smallest_time_is_the_first_at_which_the_quorum_suffices(policy, times):
    assert quorum.reached_at(policy, times) == naive(policy, times)


@given(policies(), stated)
def test_only_witnesses_that_count_can_move_the_time(policy, times):
    counted = quorum.counted(policy)
    assert quorum.reached_at(policy, times) == quorum.reached_at(
        policy, {name: at for name, at in times.items() if name in counted}
    )


@given(policies(), stated, st.sets(st.sampled_from(NAMES)), st.data())
def test_liars_who_are_no_quorum_cannot_make_it_earlier_than_the_first_honest_time(policy, times, liars, data):
    honest = {name: at for name, at in times.items() if name not in liars}
    lies = {name: data.draw(moments) - timedelta(days=1) for name in liars}
    reached = quorum.reached_at(policy, honest | lies)
    if reached is not None and not quorum.suffices(policy, liars):
        assert reached >= min(honest.values())


@given(policies(), stated, st.sets(st.sampled_from(NAMES)), st.data())
def test_liars_cannot_make_it_later_than_the_honest_quorum(policy, times, liars, data):
    honest = {name: at for name, at in times.items() if name not in liars}
    lies = {name: data.draw(moments) + timedelta(days=data.draw(st.sampled_from([-1, 1]))) for name in liars}
    alone = quorum.reached_at(policy, honest)
    if alone is not None:
        assert quorum.reached_at(policy, honest | lies) <= alone


def test_the_keys_of_one_institution_are_one_institution():
    assert quorum.institutions(FIVE) == {
        f"{name}-{kind}": name for name in maker.BY_NAME for kind in ("ed25519", "mldsa44")
    }


def test_several_institutions_of_which_any_one_counts_stay_several():
    group = PolicyGroup(name="others", threshold=1, members=("w0", "w1"))
    policy = Policy(witnesses=WITNESSES, groups=(group,), quorum="others")
    assert quorum.institutions(policy) == {name: name for name in NAMES}
    assert quorum.counted(policy) == {"w0", "w1"}


def test_where_no_quorum_is_asked_for_nobody_counts_and_all_suffice():
    policy = Policy(witnesses=WITNESSES)
    assert quorum.counted(policy) == frozenset()
    assert quorum.suffices(policy, [])


# ---- the same through whole receipts -----------------------------------------------------------------------------


def by_hand(times, at, signed):
    """What step 8 must say of five members' times under "2 of 3 courts and 1 of 2 others", written out plainly."""
    sound = {name: when for name, when in times.items() if signed - CLOCK_SKEW <= when <= at + CLOCK_SKEW}

    def is_quorum(names):
        return len(names & {"hangzhou", "beijing", "guangzhou"}) >= 2 and len(names & {"notary", "customs"}) >= 1

    for moment in sorted(sound.values()):
        there = {name for name, when in sound.items() if when <= moment}
        if is_quorum(there):
            return Verdict.PASSED, moment, ", ".join(sorted(there))
    return Verdict.INDETERMINATE, None, None


offsets = st.one_of(
    st.integers(-300, 300),
    st.sampled_from([-(10**9), -86_400, -601, -600, 86_400, 86_400 + 600, 86_400 + 601, 10**9]),
)


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(st.sampled_from(sorted(maker.BY_NAME)), offsets))
def test_a_receipt_is_dated_by_the_quorum_however_a_minority_lies(chosen):
    times = {name: maker.AT + timedelta(seconds=offset) for name, offset in chosen.items()}
    receipt = maker.register(maker.by_agent(), cosigned=[(maker.BY_NAME[name].ed, at) for name, at in times.items()])
    report = verify(receipt.tlog_proof(), digests=maker.DIGESTS, policy=FIVE, at=AT)
    assert (report.verdict, report.existed_by, report.existed_by_whom) == by_hand(times, AT, maker.AT)
    aside = {finding.facts["whom"] for finding in report.findings if finding.code == "verify.time_set_aside"}
    if report.verdict is Verdict.PASSED:
        assert aside == {name for name, when in times.items() if not maker.AT - CLOCK_SKEW <= when <= AT + CLOCK_SKEW}


@pytest.mark.parametrize("names", [(), ("hangzhou",), ("hangzhou", "beijing"), ("guangzhou", "notary", "customs")])
def test_who_is_missing_is_named(names):
    receipt = maker.register(maker.by_agent(), cosigned=maker.by_members(*names) if names else ())
    report = verify(receipt.tlog_proof(), digests=maker.DIGESTS, policy=FIVE, at=AT)
    (finding,) = [each for each in report.findings if each.code == "verify.quorum_missing"]
    assert finding.facts["witnesses"] == sorted(names)
    assert finding.facts["missing"] == sorted(set(maker.BY_NAME) - set(names))


def naive_in_force(history, size):
    """The rule as docs/receipts.md says it, over a list of (start, asks for a quorum)."""
    fitting = None
    for start, asks in sorted(history.items()):
        if start <= size:
            fitting = (start, asks)
        elif asks and (fitting is None or not fitting[1]):
            return start
    return None if fitting is None else fitting[0]


NONE = maker.POLICIES["platform"]


@given(st.dictionaries(st.integers(0, 12), st.booleans(), max_size=6), st.integers(0, 14))
def test_the_policy_that_judges_is_the_newest_begun_or_the_first_quorum_after_none(asking, size):
    policies = {start: FIVE if asks else NONE for start, asks in asking.items()}
    found = quorum.in_force(policies, size)
    assert found == naive_in_force(asking, size)
    least = quorum.least_size(policies, size)
    assert least >= size
    if any(asks for start, asks in asking.items() if start >= size):
        assert found is not None
        assert policies[found].quorum != "none"
        assert found <= least


def test_what_cannot_be_read_is_judged_by_the_newest_policy():
    assert quorum.in_force({0: NONE, 5: FIVE, 9: NONE}, None) == 9
    assert quorum.in_force({}, None) is None
