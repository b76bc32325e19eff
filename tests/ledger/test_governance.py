"""The rule of a consortium, the policy made from it, and what two quorums share."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from hashlib import sha256
from itertools import combinations, pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from world.members import Member

from chopmark.base.errors import Invalid, PlatformError, Refused
from chopmark.ledger.card import MIRROR, WITNESS, Card, CardKey
from chopmark.ledger.checkpoint import VerifiedSignature
from chopmark.ledger.governance import (
    Part,
    Rotation,
    Rule,
    at_size,
    consortium_policy,
    institution_of,
    must_not_split,
    open_rotation,
    retirement,
    rotation_note,
    rule_of,
)
from chopmark.ledger.keys import ED25519, ED25519_COSIGNATURE, MLDSA44_COSIGNATURE, SigningKey, VerifierKey
from chopmark.ledger.policy import Policy, policy_text

ORIGIN = "log.test/chopmark"
NAMES = ("hangzhou", "beijing", "guangzhou", "notary", "customs")
LOG_KEYS = [
    SigningKey(name=ORIGIN, type=ED25519, seed=bytes(32)).verifier,
    SigningKey(name=ORIGIN, type=MLDSA44_COSIGNATURE, seed=bytes(32)).verifier,
]
RULE = Rule(groups=(("courts", 2, ("hangzhou", "beijing", "guangzhou")), ("others", 1, ("notary", "customs"))))


def key(name: str, kind: int, number: int) -> SigningKey:
    return SigningKey(name=name, type=kind, seed=number.to_bytes(32, "big"))


def card(name: str, number: int, *, mirrors: bool = True, more: int = 0) -> Card:
    role = MIRROR if mirrors else WITNESS
    kinds = [ED25519_COSIGNATURE, MLDSA44_COSIGNATURE] * (1 + more)
    keys = [key(f"{name}.test/{role}", kind, number * 100 + count) for count, kind in enumerate(kinds)]
    return Card(
        name=name,
        kind="court",
        zh=name,
        en=name,
        url=f"http://127.0.0.1:{9000 + number}",
        keys=tuple(CardKey(role=role, key=each.verifier) for each in keys),
    )


CARDS = [card(name, number) for number, name in enumerate(NAMES, start=1)]
POLICY = consortium_policy(LOG_KEYS, CARDS, RULE)


def judged(policy: Policy, names, kinds=(ED25519_COSIGNATURE,)) -> bool:
    """What the policy itself says when these institutions have cosigned with these types of key."""
    signatures = [
        VerifiedSignature(key=witness.key, origin=ORIGIN, at=None)
        for witness in policy.witnesses
        if institution_of(policy, witness.name) in names and witness.key.type in kinds
    ]
    return policy.judge(signatures).quorum_reached


def subsets(names):
    return [set(some) for count in range(len(names) + 1) for some in combinations(names, count)]


def least_overlap(rule: Rule) -> int:
    """Through all pairs of quorums."""
    quorums = [some for some in subsets(rule.members) if rule.is_met(tuple(some))]
    return min(len(one & other) for one in quorums for other in quorums)


@st.composite
def rules(draw) -> Rule:
    names = iter(draw(st.permutations([f"m{number}" for number in range(6)])))
    parts = []
    for count in draw(st.lists(st.integers(1, 3), min_size=1, max_size=2)):
        members = tuple(next(names) for _ in range(count))
        parts.append(Part(f"g{len(parts)}", draw(st.integers(1, count)), members))
    return Rule(groups=tuple(parts))


def test_the_policy_has_the_lines_that_every_part_of_the_platform_expects():
    lines = [" ".join(line.split()[:2]) for line in policy_text(POLICY).splitlines()]
    assert lines[:4] == [
        f"log {LOG_KEYS[0]}",
        f"log {LOG_KEYS[1]}",
        "witness hangzhou-ed25519",
        "witness hangzhou-mldsa44",
    ]
    assert policy_text(POLICY).splitlines()[-9:] == [
        "group hangzhou 1 hangzhou-ed25519 hangzhou-mldsa44",
        "group beijing 1 beijing-ed25519 beijing-mldsa44",
        "group guangzhou 1 guangzhou-ed25519 guangzhou-mldsa44",
        "group notary 1 notary-ed25519 notary-mldsa44",
        "group customs 1 customs-ed25519 customs-mldsa44",
        "group courts 2 hangzhou beijing guangzhou",
        "group others 1 notary customs",
        "group consortium 2 courts others",
        "quorum consortium",
    ]
    assert Policy.parse(policy_text(POLICY).encode()) == POLICY


@pytest.mark.parametrize(
    "kinds", [(ED25519_COSIGNATURE,), (MLDSA44_COSIGNATURE,), (ED25519_COSIGNATURE, MLDSA44_COSIGNATURE)]
)
def test_the_policy_is_met_by_the_same_institutions_whichever_of_their_keys_signed(kinds):
    for some in subsets(NAMES):
        assert judged(POLICY, some, kinds) == RULE.is_met(tuple(some))


@given(rules())
def test_policy_and_rule_agree_on_every_set_of_institutions_and_the_rule_reads_back(rule):
    policy = consortium_policy(
        LOG_KEYS, [card(name, number) for number, name in enumerate(rule.members, start=1)], rule
    )
    assert rule_of(policy) == rule
    assert Rule.parse(rule.text()) == rule
    for some in subsets(rule.members):
        assert judged(policy, some) == rule.is_met(tuple(some))


@given(rules())
def test_what_two_quorums_share_is_what_a_search_through_all_of_them_finds(rule):
    assert rule.overlap == least_overlap(rule)
    away = [some for some in subsets(rule.members) if not rule.is_met(tuple(set(rule.members) - some))]
    assert rule.spare == min(map(len, away)) - 1


@pytest.mark.parametrize(
    ("text", "overlap"),
    [
        ("2 of hangzhou beijing guangzhou and 1 of notary customs", 1),
        ("2 of hangzhou beijing guangzhou and 2 of notary customs", 3),
        ("3 of hangzhou beijing guangzhou and 1 of notary customs", 3),
        ("4 of hangzhou beijing guangzhou notary customs", 3),
    ],
)
def test_a_rule_whose_quorums_share_an_institution_is_let_through(text, overlap):
    rule = Rule.parse(text)
    assert rule.overlap == overlap
    must_not_split(rule)


@pytest.mark.parametrize(
    "text",
    [
        "1 of hangzhou beijing",
        "2 of hangzhou beijing guangzhou notary",
        "1 of hangzhou beijing and 1 of notary customs",
    ],
)
def test_a_rule_with_two_quorums_apart_is_refused(text):
    with pytest.raises(Refused, match=r"ledger\.rule_splits"):
        must_not_split(Rule.parse(text))


def test_an_unnamed_part_gets_a_number_and_a_named_one_keeps_its_name():
    unnamed = Rule.parse("2 of hangzhou  beijing guangzhou and\n1 of notary customs")
    assert [part.name for part in unnamed.parts] == ["part-1", "part-2"]
    assert Rule.parse("courts: 2 of hangzhou beijing guangzhou and others: 1 of notary customs") == RULE


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "ledger.rule_malformed"),
        ("hangzhou", "ledger.rule_malformed"),
        ("two of hangzhou beijing", "ledger.rule_malformed"),
        ("01 of hangzhou beijing", "ledger.rule_malformed"),
        ("2 of hangzhou beijing and", "ledger.rule_malformed"),
        ("2 of Hangzhou beijing", "ledger.rule_malformed"),
        ("1 of", "ledger.rule_unsatisfiable"),
        ("0 of hangzhou", "ledger.rule_unsatisfiable"),
        ("3 of hangzhou beijing", "ledger.rule_unsatisfiable"),
        ("2 of hangzhou hangzhou", "ledger.rule_name_twice"),
        ("1 of hangzhou and 1 of hangzhou", "ledger.rule_name_twice"),
        ("hangzhou: 1 of hangzhou", "ledger.rule_name_twice"),
        ("consortium: 1 of hangzhou", "ledger.rule_name_twice"),
        ("a: 1 of hangzhou and a: 1 of beijing", "ledger.rule_name_twice"),
        ("1 of " + "a" * 5000, "ledger.rule_malformed"),
    ],
)
def test_a_rule_that_says_nothing_sensible_is_refused(text, code):
    with pytest.raises(Invalid) as caught:
        Rule.parse(text)
    assert caught.value.code == code


@pytest.mark.parametrize(
    ("cards", "rule", "code"),
    [
        (CARDS[:2], RULE, "ledger.member_unknown"),
        ([*CARDS, CARDS[0]], RULE, "ledger.member_known"),
        ([*CARDS, card("thief", 1)], RULE, "ledger.member_key_taken"),
        (CARDS, Rule(groups=(("notary", 1, ("hangzhou",)),)), "ledger.rule_name_twice"),
        (CARDS, Rule(groups=(("x-ed25519", 1, ("hangzhou",)),)), "ledger.rule_name_twice"),
    ],
)
def test_a_policy_that_would_mislead_is_not_made(cards, rule, code):
    with pytest.raises(PlatformError) as caught:
        consortium_policy(LOG_KEYS, cards, rule)
    assert caught.value.code == code


def test_a_member_with_old_and_new_keys_counts_once_whichever_it_uses():
    rule = Rule.parse("2 of hangzhou beijing")
    policy = consortium_policy(LOG_KEYS, [card("hangzhou", 1, more=1), card("beijing", 2)], rule)
    names = [witness.name for witness in policy.witnesses]
    assert names[:4] == ["hangzhou-ed25519", "hangzhou-mldsa44", "hangzhou-ed25519-2", "hangzhou-mldsa44-2"]
    assert not judged(policy, {"hangzhou"}, (ED25519_COSIGNATURE, MLDSA44_COSIGNATURE))
    assert judged(policy, {"hangzhou", "beijing"})


def test_a_member_that_only_witnesses_counts_by_its_witness_keys():
    rule = Rule.parse("1 of hangzhou")
    policy = consortium_policy(LOG_KEYS, [card("hangzhou", 1, mirrors=False)], rule)
    assert [witness.key.name for witness in policy.witnesses] == ["hangzhou.test/witness"] * 2


def test_without_a_member_as_much_is_asked_of_those_left_and_never_too_much():
    assert RULE.without("hangzhou").text() == "courts: 2 of beijing guangzhou and others: 1 of notary customs"
    with pytest.raises(Invalid, match=r"ledger\.rule_unsatisfiable"):
        RULE.without("hangzhou").without("beijing")


@pytest.mark.parametrize(
    "text",
    [
        b"quorum none\n",
        f"witness w {CARDS[0].cosigning_keys[0]}\nquorum w\n".encode(),
        f"witness w {CARDS[0].cosigning_keys[0]}\ngroup consortium any w\nquorum consortium\n".encode(),
    ],
)
def test_a_policy_of_another_make_has_no_rule_of_ours(text):
    assert rule_of(Policy.parse(text)) is None


# ---- rotations -----------------------------------------------------------------------------------------------------

HANGZHOU, LATER = Member.made("hangzhou", 1), Member.made("hangzhou", 50)
ALL = (*HANGZHOU.signers, *LATER.signers)
NOTE = rotation_note(HANGZHOU.card, LATER.card, ALL)


def test_a_rotation_reads_back_to_the_new_card():
    assert open_rotation(NOTE, HANGZHOU.card) == LATER.card
    assert Rotation.parse(NOTE).encode() == NOTE


@pytest.mark.parametrize("missing", range(len(ALL)))
def test_every_old_key_must_consent_and_every_new_one_be_shown(missing):
    with pytest.raises(Invalid, match=r"ledger\.rotation_unsigned"):
        rotation_note(HANGZHOU.card, LATER.card, [key for number, key in enumerate(ALL) if number != missing])


def test_a_rotation_counts_for_the_card_that_it_starts_from_alone():
    with pytest.raises(Invalid, match=r"ledger\.rotation_of_another"):
        open_rotation(NOTE, LATER.card)
    with pytest.raises(Refused, match=r"ledger\.member_name_changed"):
        open_rotation(NOTE, Member.made("beijing", 2).card)
    with pytest.raises(Refused, match=r"ledger\.member_name_changed"):
        rotation_note(HANGZHOU.card, Member.made("beijing", 2).card, (*ALL, *Member.made("beijing", 2).signers))


@given(st.integers(0, len(NOTE) - 1), st.integers(1, 255))
def test_no_changed_byte_of_a_rotation_goes_unnoticed(place, change):
    spoiled = bytearray(NOTE)
    spoiled[place] ^= change
    with pytest.raises(PlatformError):
        open_rotation(bytes(spoiled), HANGZHOU.card)


@given(st.binary(max_size=300) | st.text(max_size=300).map(str.encode))
def test_whatever_is_no_rotation_is_refused_with_a_code(data):
    with pytest.raises(PlatformError):
        Rotation.parse(data)


def test_a_retirement_says_who_which_card_when_and_why():
    at = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)
    paper = json.loads(retirement(HANGZHOU.card, "state lost", at))
    digest = sha256(HANGZHOU.card.encode()).hexdigest()
    assert paper == {"at": "2026-11-22T09:30:00Z", "card": digest, "member": "hangzhou", "reason": "state lost"}


@given(st.lists(st.integers(0, 50), min_size=1, max_size=6, unique=True), st.integers(0, 60))
def test_the_policy_of_a_size_is_the_newest_that_began_by_then(starts, size):
    history = [(start, str(start).encode()) for start in starts]
    before = [start for start in starts if start <= size]
    assert at_size(history, size) == (str(max(before)).encode() if before else None)


def test_of_two_decisions_in_one_batch_the_later_one_counts():
    assert at_size([(0, b"none"), (5, b"first"), (5, b"second"), (9, b"third")], 5) == b"second"


@pytest.mark.parametrize("of_the_log", ["name", "key"])
def test_the_log_cannot_be_a_member_of_its_own_consortium(of_the_log):
    """Under the log's name a member's COSE Receipt would pass for the log's own and spoil every receipt beside it."""
    log = LOG_KEYS[0]
    key = SigningKey(name=log.name, type=ED25519_COSIGNATURE, seed=bytes([7]) * 32).verifier
    if of_the_log == "key":
        key = VerifierKey(name="own.test/mirror", type=ED25519_COSIGNATURE, public=log.public)
    own = Card(name="own", kind="court", zh="自己", en="Own", url=None, keys=(CardKey(role=MIRROR, key=key),))
    with pytest.raises(Refused, match=r"ledger\.member_key_taken"):
        consortium_policy(LOG_KEYS, [*CARDS, own], RULE)


@given(st.data())
@settings(deadline=None, max_examples=60)
def test_overlap_and_spare_are_what_trying_every_quorum_finds(data):
    names = [f"m{number}" for number in range(data.draw(st.integers(1, 7)))]
    cuts = sorted({0, len(names), *data.draw(st.lists(st.integers(1, len(names)), max_size=2))})
    parts = [tuple(names[start:end]) for start, end in pairwise(cuts)]
    groups = tuple((f"p{n}", data.draw(st.integers(1, len(part))), part) for n, part in enumerate(parts))
    rule = Rule(groups=groups)
    every = [set(each) for size in range(len(names) + 1) for each in combinations(names, size)]
    quorums = [each for each in every if rule.is_met(each)]
    assert rule.overlap == min(len(one & other) for one in quorums for other in quorums)
    stopping = [len(away) for away in every if not rule.is_met(set(names) - away)]
    assert rule.spare == min(stopping) - 1
