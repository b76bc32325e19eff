"""Alarms are read strictly, and their proofs convince a stranger of nothing that is not so."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as some
from world.watched import AT, LOG_VERIFIERS, ORIGIN, WITNESS_KEYS, GrowingLog

from chopmark.base.errors import Invalid
from chopmark.base.wording import catalogue, say
from chopmark.ledger import alarm as alarms
from chopmark.ledger.alarm import Alarm, Prefix, check_entry_proof, check_fork_proof
from chopmark.ledger.checkpoint import sign_checkpoint
from chopmark.ledger.proof import TlogProof

names = some.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,20}", fullmatch=True)
facts = some.dictionaries(names, some.none() | some.booleans() | some.integers() | some.text(), max_size=4)


@given(
    facts,
    some.dictionaries(names, some.binary(max_size=50), max_size=3),
    some.text(min_size=1),
    some.integers(0, 10**9),
)
def test_an_alarm_is_read_back_as_it_was(facts, proof, origin, seconds):
    alarm = Alarm(code=alarms.FORK, origin=origin, at=AT + timedelta(seconds=seconds), facts=facts, proof=proof)
    again = Alarm.parse(alarm.encode())
    assert again == alarm
    assert again.id == alarm.id


def test_the_same_thing_found_later_has_the_same_id_and_another_thing_has_not():
    first = Alarm(code=alarms.FORK, origin=ORIGIN, at=AT, facts={"size": 3}, proof={"first.note": b"x"})
    later = Alarm(code=alarms.FORK, origin=ORIGIN, at=AT + timedelta(days=1), facts={"size": 3}, proof=first.proof)
    other = Alarm(code=alarms.FORK, origin=ORIGIN, at=AT, facts={"size": 3}, proof={"first.note": b"y"})
    assert first.id == later.id != other.id
    assert len(first.id) == 32


GOOD = Alarm(code=alarms.FORK, origin=ORIGIN, at=AT, facts={"size": 3}, proof={"first.note": b"x"}).encode()


@pytest.mark.parametrize(
    "data",
    {
        "nothing": b"",
        "no object": b"[]\n",
        "no JSON": b"{",
        "a field too many": GOOD.replace(b'"facts"', b'"more": 1,\n  "facts"'),
        "a field is missing": GOOD.replace(b'"origin": "log.test/watched",\n  ', b""),
        "another order": GOOD.replace(b'"size": 3', b'"size":  3'),
        "a time that is none": GOOD.replace(b"2026-01-02", b"2026-21-02"),
        "a time without zone": GOOD.replace(b"05Z", b"05"),
        "a code that is none": GOOD.replace(b"ledger.alarm_fork", b"ledger alarm"),
        "a file name that leads elsewhere": GOOD.replace(b"first.note", b"../x"),
        "base64 that does not print back": GOOD.replace(b"eA==", b"eB=="),
        "too large": b" " * (alarms.MAX_ALARM + 1),
    }.values(),
)
def test_what_is_not_in_the_one_form_is_refused(data):
    with pytest.raises(Invalid, match=r"ledger\.alarm_malformed"):
        Alarm.parse(data)


CODES = [
    getattr(alarms, name) for name in dir(alarms) if name.isupper() and str(getattr(alarms, name)).startswith("led")
]


@pytest.mark.parametrize("code", CODES)
def test_every_alarm_is_worded(code):
    everything = dict.fromkeys(["size", "known", "signed", "position", "reason", "path", "origin"], 7)
    assert code in catalogue()
    assert say(code, everything, "en")
    assert say(code, everything, "zh")


@given(
    some.integers(0, 2**63 - 1),
    some.integers(0, 2**63 - 1),
    some.lists(some.binary(min_size=32, max_size=32), max_size=63),
)
def test_a_prefix_is_read_back_as_it_was(old, size, hashes):
    prefix = Prefix(old=old, size=size, root=bytes(32), hashes=tuple(hashes))
    assert Prefix.parse(prefix.encode()) == prefix


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"consistency 1 2\n",
        b"consistency 01 2\n" + b"A" * 43 + b"=\n",
        b"consistency 1 2\nAAAA\n",
        b"consistency 1 2\n" + b"A" * 43 + b"=",
        b"consistency 1 2\n" + (b"A" * 43 + b"=\n") * 65,
        "consistency １ 2\n".encode() + b"A" * 43 + b"=\n",
        b"inconsistency 1 2\n" + b"A" * 43 + b"=\n",
    ],
)
def test_a_prefix_in_another_form_is_refused(data):
    with pytest.raises(Invalid, match=r"ledger\.proof_malformed"):
        Prefix.parse(data)


# ---- proofs ---------------------------------------------------------------------------------------------------------

ONE = GrowingLog(*(b"%d" % number for number in range(20)))
OTHER = ONE.fork(10)
OTHER.grow(*(b"other %d" % number for number in range(30)))


def prefix(log: GrowingLog, old: int, size: int) -> bytes:
    return Prefix(old=old, size=size, root=log.checkpoint(old).root, hashes=log.proof(old, size)).encode()


def test_two_checkpoints_of_one_size_prove_a_fork():
    proof = {alarms.FIRST: ONE.note(12), alarms.SECOND: OTHER.note(12)}
    assert check_fork_proof(proof, LOG_VERIFIERS) == (ONE.checkpoint(12), OTHER.checkpoint(12))


def test_a_checkpoint_beside_the_history_of_a_larger_one_proves_a_fork():
    proof = {
        alarms.FIRST: ONE.note(15),
        alarms.SECOND: OTHER.note(40),
        alarms.CONSISTENCY: prefix(OTHER, 15, 40),
    }
    assert check_fork_proof(proof, LOG_VERIFIERS) == (ONE.checkpoint(15), OTHER.checkpoint(40))


@pytest.mark.parametrize(
    "proof",
    {
        "one checkpoint is missing": {alarms.FIRST: ONE.note(12)},
        "twice the same": {alarms.FIRST: ONE.note(12), alarms.SECOND: ONE.note(12)},
        "two sizes of one history": {
            alarms.FIRST: OTHER.note(15),
            alarms.SECOND: OTHER.note(40),
            alarms.CONSISTENCY: prefix(OTHER, 15, 40),
        },
        "two sizes, and nothing that connects them": {alarms.FIRST: ONE.note(15), alarms.SECOND: OTHER.note(40)},
        "a proof for other sizes": {
            alarms.FIRST: ONE.note(15),
            alarms.SECOND: OTHER.note(40),
            alarms.CONSISTENCY: prefix(OTHER, 14, 40),
        },
        "a proof that is wrong": {
            alarms.FIRST: ONE.note(15),
            alarms.SECOND: ONE.note(20),
            alarms.CONSISTENCY: prefix(OTHER, 15, 20),
        },
        "the larger one first": {
            alarms.FIRST: OTHER.note(40),
            alarms.SECOND: ONE.note(15),
            alarms.CONSISTENCY: prefix(OTHER, 15, 40),
        },
        "one that the log has not signed": {
            alarms.FIRST: ONE.note(12),
            alarms.SECOND: sign_checkpoint(OTHER.checkpoint(12), WITNESS_KEYS, AT),
        },
    }.values(),
)
def test_what_proves_no_fork_is_refused(proof):
    with pytest.raises(Invalid):
        check_fork_proof(proof, LOG_VERIFIERS)


def test_an_entry_of_the_log_is_proven_and_another_is_not():
    inclusion = TlogProof(index=7, hashes=tuple(ONE.tiles().inclusion_proof(7)), checkpoint=ONE.note()).encode()
    good = {alarms.ENTRY: ONE.entries[7], alarms.INCLUSION: inclusion}
    assert check_entry_proof(good, LOG_VERIFIERS) == (7, ONE.entries[7])
    for bad in ({**good, alarms.ENTRY: b"x"}, {alarms.ENTRY: b"x"}, {**good, alarms.INCLUSION: b"x"}):
        with pytest.raises(Invalid):
            check_entry_proof(bad, LOG_VERIFIERS)
    with pytest.raises(Invalid):
        check_entry_proof(good, [key.verifier for key in WITNESS_KEYS])
