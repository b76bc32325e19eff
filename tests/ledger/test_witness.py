"""A witness cosigns only what continues all that it has seen, and never forgets what it signed."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from world import naive
from world.watched import (
    AT,
    LOG_KEYS,
    LOG_VERIFIERS,
    MIRROR_VERIFIERS,
    ORIGIN,
    WITNESS_KEYS,
    WITNESS_VERIFIERS,
    GrowingLog,
    Member,
)

from chopmark.base.errors import Invalid, Refused
from chopmark.ledger import alarm as alarms
from chopmark.ledger.alarm import check_fork_proof
from chopmark.ledger.checkpoint import Checkpoint, open_checkpoint, sign_checkpoint, subtree_message
from chopmark.ledger.keys import ED25519, ED25519_COSIGNATURE, MLDSA44_COSIGNATURE, SigningKey
from chopmark.ledger.note import Note, NoteSignature
from chopmark.ledger.stores.files import FileObjects
from chopmark.ledger.stores.memory import MemoryObjects
from chopmark.ledger.tree import EMPTY_ROOT, subtree_proof, subtree_root
from chopmark.ledger.wire import PLAIN_TEXT, TLOG_SIZE
from chopmark.ledger.witness import (
    MOST_FORKS,
    MOST_RECENT,
    MOST_SUSPECTS,
    AddCheckpoint,
    SignSubtree,
    WatchedLog,
    Witness,
)

LOG = GrowingLog(*(b"%d" % number for number in range(40)))
FORK = LOG.fork(10)
FORK.grow(*(b"other %d" % number for number in range(60)))
STRANGER = SigningKey.generate(ORIGIN, ED25519)

hashes = some.binary(min_size=32, max_size=32)
sizes = some.integers(0, 2**63 - 1)


# ---- the forms ------------------------------------------------------------------------------------------------------


@given(sizes, some.lists(hashes, max_size=63), some.binary(max_size=200))
def test_add_checkpoint_is_read_back_as_it_was(old, proof, note):
    request = AddCheckpoint(old=old, proof=tuple(proof), note=note)
    assert AddCheckpoint.parse(request.encode()) == request


@given(
    some.integers(0, 2**40), some.integers(0, 62), hashes, some.lists(hashes, max_size=63), some.binary(max_size=200)
)
def test_sign_subtree_is_read_back_as_it_was(index, level, root, proof, note):
    start, end = index << level, (index + 1) << level
    if end < 2**63:
        request = SignSubtree(start=start, end=end, root=root, proof=tuple(proof), note=note)
        assert SignSubtree.parse(request.encode()) == request


HASH = b"A" * 43 + b"=\n"


@pytest.mark.parametrize(
    "body",
    {
        "nothing": b"",
        "no empty line": b"old 0\n",
        "no word": b"0\n\nnote",
        "no size": b"old \n\nnote",
        "a leading zero": b"old 01\n\nnote",
        "a sign": b"old -1\n\nnote",
        "a size above 2**63 - 1": b"old 9223372036854775808\n\nnote",
        "two spaces": b"old  1\n\nnote",
        "a carriage return": b"old 1\r\n\r\nnote",
        "a hash of 31 bytes": b"old 1\n" + b"A" * 40 + b"AA==\n\nnote",
        "base64 with unused bits": b"old 1\n" + b"A" * 42 + b"B=\n\nnote",
        "64 hashes": b"old 1\n" + HASH * 64 + b"\nnote",
        "something that is not ASCII": "old １\n\nnote".encode(),
        "another request": b"subtree 0 1\n" + HASH + b"\nnote",
    }.values(),
)
def test_another_form_of_add_checkpoint_is_refused(body):
    with pytest.raises(Invalid, match=r"ledger\.request_malformed"):
        AddCheckpoint.parse(body)
    assert Member().witness.add_checkpoint(body).status == 400


@pytest.mark.parametrize(
    "body",
    {
        "nothing": b"",
        "no hash": b"subtree 0 1\n\nnote",
        "one number": b"subtree 1\n" + HASH + b"\nnote",
        "three numbers": b"subtree 0 1 2\n" + HASH + b"\nnote",
        "a leading zero": b"subtree 00 1\n" + HASH + b"\nnote",
        "no subtree": b"subtree 1 3\n" + HASH + b"\nnote",
        "backwards": b"subtree 2 1\n" + HASH + b"\nnote",
        "65 hashes": b"subtree 0 1\n" + HASH * 65 + b"\nnote",
    }.values(),
)
def test_another_form_of_sign_subtree_is_refused(body):
    with pytest.raises(Invalid, match=r"ledger\.request_malformed"):
        SignSubtree.parse(body)
    assert Member().witness.sign_subtree(body).status == 400


# ---- add-checkpoint, each answer ------------------------------------------------------------------------------------


def at(size: int) -> Member:
    """A member that has cosigned this size; 0 is one that has cosigned nothing."""
    member = Member()
    if size:
        assert member.show(LOG, size).status == 200
    return member


def body(
    old: int, size: int, *, log: GrowingLog = LOG, proof: tuple[bytes, ...] | None = None, note: bytes = b""
) -> bytes:
    proof = log.proof(old, size) if proof is None else proof
    return AddCheckpoint(old=old, proof=proof, note=note or log.note(size)).encode()


def signed(text: str, *keys: SigningKey) -> bytes:
    """Any text with plain signatures."""
    lines = [NoteSignature(name=key.name, key_id=key.verifier.key_id, value=key.sign(text.encode())) for key in keys]
    return Note(text=text, signatures=tuple(lines)).encode()


def spoilt(note: bytes, which: int) -> bytes:
    whole = Note.parse(note)
    lines = list(whole.signatures)
    wrong = bytes([*lines[which].value[:-1], lines[which].value[-1] ^ 1])
    lines[which] = NoteSignature(name=lines[which].name, key_id=lines[which].key_id, value=wrong)
    return Note(text=whole.text, signatures=tuple(lines)).encode()


PLAIN, QUANTUM = LOG_KEYS
WRONG_EMPTY = f"{ORIGIN}\n0\n{'A' * 43}=\n"
EMPTY = sign_checkpoint(Checkpoint(origin=ORIGIN, size=0, root=EMPTY_ROOT), LOG_KEYS, AT)
ELSEWHERE = Checkpoint(origin="log.test/unknown", size=7, root=bytes(32))

ANSWERS = {
    "the first checkpoint": (0, body(0, 7), 200),
    "the first checkpoint, empty": (0, body(0, 0, proof=(), note=EMPTY), 200),
    "a larger one with its proof": (7, body(7, 20), 200),
    "the same again": (7, body(7, 7), 200),
    "signed with Ed25519 alone": (7, body(7, 20, note=sign_checkpoint(LOG.checkpoint(20), [PLAIN], AT)), 200),
    "signed with ML-DSA-44 alone": (7, body(7, 20, note=sign_checkpoint(LOG.checkpoint(20), [QUANTUM], AT)), 200),
    "signed by an unknown key too": (
        7,
        body(7, 20, note=sign_checkpoint(LOG.checkpoint(20), [*LOG_KEYS, *WITNESS_KEYS], AT)),
        200,
    ),
    "no request": (7, b"hello", 400),
    "no note": (7, b"old 7\n\nhello", 400),
    "a note that is no checkpoint": (7, body(7, 7, proof=(), note=signed("hello\n", PLAIN)), 400),
    "a checkpoint with a line more": (7, body(7, 7, note=signed(LOG.checkpoint(7).text() + "more\n", PLAIN)), 400),
    "an old size above the new one": (7, body(0, 6, proof=()).replace(b"old 0", b"old 7"), 400),
    "an unknown log": (7, body(7, 7, proof=(), note=sign_checkpoint(ELSEWHERE, LOG_KEYS, AT)), 404),
    "an unknown log, signed by nobody known": (
        7,
        body(7, 7, proof=(), note=sign_checkpoint(ELSEWHERE, [STRANGER], AT)),
        404,
    ),
    "signed by nobody known": (7, body(7, 20, note=sign_checkpoint(LOG.checkpoint(20), [STRANGER], AT)), 403),
    "signed by the witness": (7, body(7, 20, note=sign_checkpoint(LOG.checkpoint(20), WITNESS_KEYS, AT)), 403),
    "one of two signatures is wrong": (7, body(7, 20, note=spoilt(LOG.note(20), 0)), 403),
    "the other of two signatures is wrong": (7, body(7, 20, note=spoilt(LOG.note(20), 1)), 403),
    "a wrong signature comes before a wrong old size": (7, body(8, 20, note=spoilt(LOG.note(20), 1)), 403),
    "an old size that is too small": (7, body(6, 20), 409),
    "an old size that is too great": (7, body(8, 20), 409),
    "zero, to ask for the size": (7, body(0, 20), 409),
    "a wrong old size comes before a wrong proof": (7, body(6, 20, proof=()), 409),
    "an old size above the new one comes before a wrong old size": (
        7,
        body(0, 6, proof=()).replace(b"old 0", b"old 9"),
        400,
    ),
    "size 0 with another root": (0, body(0, 0, proof=(), note=signed(WRONG_EMPTY, PLAIN)), 422),
    "size 0 with another root after others": (7, body(0, 0, proof=(), note=signed(WRONG_EMPTY, PLAIN)), 409),
    "size 0 with another root, signed by nobody known": (
        0,
        body(0, 0, proof=(), note=signed(WRONG_EMPTY, STRANGER)),
        403,
    ),
    "a proof from nothing": (0, body(0, 7, proof=(bytes(32),)), 422),
    "no proof": (7, body(7, 20, proof=()), 422),
    "a proof of something else": (7, body(7, 20, proof=LOG.proof(8, 20)), 422),
    "a proof with a hash too many": (7, body(7, 20, proof=(*LOG.proof(7, 20), bytes(32))), 422),
    "a proof of the same": (7, body(7, 7, proof=(bytes(32),)), 422),
    "the same size with another root": (20, body(20, 20, log=FORK), 422),
    "another history": (20, body(20, 30, log=FORK), 422),
}


@pytest.mark.parametrize(("size", "request_body", "status"), ANSWERS.values(), ids=ANSWERS.keys())
def test_add_checkpoint_is_answered_as_the_specification_says(size, request_body, status):
    member = at(size)
    before = member.witness.checkpoint(ORIGIN)
    answer = member.witness.add_checkpoint(request_body)
    assert answer.status == status
    if status == 200:
        note = AddCheckpoint.parse(request_body).note
        checkpoint, signatures = open_checkpoint(note + answer.body, WITNESS_VERIFIERS)
        assert {each.key.type for each in signatures} == {ED25519_COSIGNATURE, MLDSA44_COSIGNATURE}
        assert all(each.at is not None for each in signatures)
        assert open_checkpoint(member.witness.checkpoint(ORIGIN), LOG_VERIFIERS)[0] == checkpoint
        return
    assert member.witness.checkpoint(ORIGIN) == before
    assert answer.body
    if status == 409:
        assert (answer.body, answer.content_type) == (b"%d\n" % size, TLOG_SIZE)
    else:
        assert answer.content_type == PLAIN_TEXT


def test_wrong_empty_with_a_post_quantum_signature_is_known_for_what_it_is():
    root = bytes(32)
    message = subtree_message(cosigner=ORIGIN, origin=ORIGIN, start=0, end=0, root=root, seconds=5)
    value = (5).to_bytes(8, "big") + QUANTUM.sign(message)
    line = NoteSignature(name=ORIGIN, key_id=QUANTUM.verifier.key_id, value=value)
    note = Note(text=WRONG_EMPTY, signatures=(line,)).encode()
    assert Member().witness.add_checkpoint(body(0, 0, proof=(), note=note)).status == 422
    assert Member().witness.add_checkpoint(body(0, 0, proof=(), note=spoilt(note, 0))).status == 403


def test_the_logs_signatures_are_kept_and_those_of_strangers_are_not():
    member = Member()
    note = sign_checkpoint(LOG.checkpoint(7), [*LOG_KEYS, STRANGER], AT)
    member.witness.add_checkpoint(body(0, 7, note=note))
    names = [(each.name, each.key_id) for each in Note.parse(member.witness.checkpoint(ORIGIN)).signatures]
    assert names == [(key.name, key.verifier.key_id) for key in (*LOG_KEYS, *WITNESS_KEYS)]


def test_a_signature_of_the_log_is_not_lost_when_the_same_comes_again_with_fewer():
    member = at(7)
    member.witness.add_checkpoint(body(7, 7, note=sign_checkpoint(LOG.checkpoint(7), [PLAIN], AT)))
    _, signatures = open_checkpoint(member.witness.checkpoint(ORIGIN), LOG_VERIFIERS)
    assert {each.key for each in signatures} == set(LOG_VERIFIERS)


def test_nothing_is_cosigned_before_the_first():
    assert Member().witness.checkpoint(ORIGIN) is None
    assert Member().witness.checkpoint("log.test/unknown") is None


# ---- what is kept ---------------------------------------------------------------------------------------------------


class Stubborn(MemoryObjects):
    """A disk that is full when told so."""

    full = False

    def put(self, objects):
        if self.full:
            raise OSError(28, "No space left on device")
        super().put(objects)


def test_nothing_is_signed_when_it_cannot_be_kept():
    state = Stubborn(replaceable=("pending",))
    member = Member(state)
    member.show(LOG, 7)
    state.full = True
    answer = member.show(LOG, 20)
    assert (answer.status, answer.body) == (503, b"ledger.member_storage_failed\n")
    assert member.pending == 7
    state.full = False
    assert member.show(LOG, 20).status == 200


def test_what_is_answered_is_what_was_kept_before(tmp_path):
    state = FileObjects(tmp_path, replaceable=("pending",))
    member = Member(state)
    lines = member.show(LOG, 7).body
    assert (tmp_path / "pending").read_bytes().endswith(lines)
    member.start()
    assert member.pending == 7
    assert member.show(LOG, 20).status == 200


def test_of_many_at_once_each_old_size_is_answered_once_and_none_goes_back():
    member = Member()
    bodies = [body(old, size) for old in range(12) for size in (old + 1, old + 2, old + 3)]
    accepted = []

    def send(request: bytes) -> None:
        for _ in range(40):
            answer = member.witness.add_checkpoint(request)
            if answer.status == 200:
                accepted.append(AddCheckpoint.parse(request).old)
                return
            assert answer.status == 409
            if int(answer.body) > AddCheckpoint.parse(request).old:
                return

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(send, bodies))
    assert len(accepted) == len(set(accepted))
    assert member.codes == []


def test_the_last_checkpoints_are_remembered_for_uploads():
    member = Member()
    for size in range(1, MOST_RECENT + 5):
        member.show(LOG, size)
    assert member.witness.recent(ORIGIN, 4) is None
    assert member.witness.recent(ORIGIN, 5).checkpoint == LOG.checkpoint(5)
    assert member.witness.recent("log.test/unknown", 5) is None


# ---- the clock ------------------------------------------------------------------------------------------------------


def times(member: Member) -> set:
    return {each.at for each in open_checkpoint(member.witness.checkpoint(ORIGIN), WITNESS_VERIFIERS)[1]}


def test_a_clock_that_goes_back_a_little_does_not_go_back_in_signatures():
    now = [AT + timedelta(minutes=4)]
    member = Member(clock=lambda: now[0])
    member.show(LOG, 7)
    now[0] = AT
    assert member.show(LOG, 20).status == 200
    assert times(member) == {AT + timedelta(minutes=4)}


def test_a_clock_that_goes_back_far_signs_nothing_until_it_has_caught_up():
    now = [AT + timedelta(days=1)]
    member = Member(clock=lambda: now[0])
    member.show(LOG, 7)
    now[0] = AT
    member.start()
    answer = member.show(LOG, 20)
    assert (answer.status, answer.body, member.pending) == (503, b"ledger.clock_behind\n", 7)
    now[0] = AT + timedelta(days=1, seconds=1)
    assert member.show(LOG, 20).status == 200


# ---- forks and suspects ---------------------------------------------------------------------------------------------


def test_another_root_at_the_same_size_is_a_fork_at_once():
    member = at(20)
    member.witness.add_checkpoint(body(20, 20, log=FORK))
    assert member.codes == ["fork"]
    assert check_fork_proof(member.alarms[0].proof, LOG_VERIFIERS) == (FORK.checkpoint(20), LOG.checkpoint(20))
    member.witness.add_checkpoint(body(20, 20, log=FORK))
    member.start()
    member.witness.add_checkpoint(body(20, 20, log=FORK))
    assert member.codes == ["fork"]


def test_a_fork_is_seen_under_a_wrong_old_size_and_at_a_size_before_the_last():
    member = at(20)
    member.show(LOG, 30)
    assert member.witness.add_checkpoint(body(7, 20, log=FORK)).status == 409
    assert member.codes == ["fork"]


def test_a_fork_at_a_size_mirrored_long_ago_is_seen_with_a_proof_for_strangers():
    member = Member()
    member.follow(LOG, 40)
    member.start()
    assert member.witness.add_checkpoint(body(7, 25, log=FORK)).status == 409
    assert member.codes == ["fork"]
    assert check_fork_proof(member.alarms[0].proof, LOG_VERIFIERS) == (FORK.checkpoint(25), LOG.checkpoint(40))


def test_a_true_checkpoint_of_before_is_no_fork():
    member = Member()
    member.follow(LOG, 40)
    for size in range(1, 40):
        assert member.witness.add_checkpoint(body(0, size, proof=())).status == 409
    assert member.codes == []


def test_an_unproven_history_is_a_suspicion_that_is_kept_and_becomes_a_proof():
    member = at(20)
    member.witness.add_checkpoint(body(20, 30, log=FORK, proof=LOG.proof(20, 30)))
    assert member.codes == ["history_unproven"]
    member.start()
    member.witness.add_checkpoint(body(20, 30, log=FORK))
    assert member.codes == ["history_unproven"]
    member.follow(LOG, 25)
    assert member.codes == ["history_unproven"]
    member.follow(LOG, 40)
    assert member.codes == ["history_unproven", "fork"]
    assert check_fork_proof(member.alarms[1].proof, LOG_VERIFIERS) == (FORK.checkpoint(30), LOG.checkpoint(40))
    assert member.state.names("suspect") == []
    assert len(member.state.names("fork")) == 1


def test_a_true_checkpoint_with_a_wrong_proof_is_a_suspicion_that_is_dropped():
    member = at(20)
    member.witness.add_checkpoint(body(20, 30, proof=()))
    assert member.codes == ["history_unproven"]
    member.follow(LOG, 40)
    assert member.codes == ["history_unproven"]
    assert member.state.names("suspect") == member.state.names("fork") == []


def test_suspects_and_forks_are_kept_in_bounded_number():
    member = at(1)
    for number in range(max(MOST_SUSPECTS, MOST_FORKS) + 5):
        other = GrowingLog(b"another %d" % number, keys=LOG_KEYS[:1])
        member.witness.add_checkpoint(body(1, 1, log=other))
        other.grow(b"x")
        member.witness.add_checkpoint(body(1, 2, log=other))
    assert len(member.state.names("suspect")) == MOST_SUSPECTS
    assert len(member.state.names("fork")) == MOST_FORKS == member.codes.count("fork")
    assert member.codes.count("history_unproven") == MOST_SUSPECTS


# ---- a state that was lost ------------------------------------------------------------------------------------------


def test_a_log_that_was_never_founded_is_refused():
    with pytest.raises(Refused, match=r"ledger\.member_state_missing"):
        Member(found=False)


def test_founding_again_changes_nothing_and_founding_over_something_is_refused():
    member = at(7)
    Witness.found(member.watched)
    assert member.pending == 7
    member.state.delete(["founded"])
    with pytest.raises(Refused, match=r"ledger\.member_state_lost"):
        Witness.found(member.watched)


def test_a_state_founded_anew_beside_a_copy_is_refused():
    member = Member()
    member.follow(LOG, 7)
    with pytest.raises(Refused, match=r"ledger\.member_state_lost"):
        Member(MemoryObjects(replaceable=("pending",)), member.copy)


def test_a_state_of_another_log_is_refused():
    member = at(7)
    other = WatchedLog(origin="log.test/other", keys=LOG_VERIFIERS, state=member.state)
    with pytest.raises(Invalid, match=r"ledger\.member_state_damaged"):
        Witness([other], WITNESS_KEYS, member.clock, member.alarms.append)


def old_state(member: Member) -> MemoryObjects:
    kept = MemoryObjects(replaceable=("pending",))
    kept.put(dict(member.state.kept))
    return kept


@pytest.mark.parametrize("later", [30, 20], ids=["a larger one", "the same, signed later"])
def test_a_witness_with_an_older_state_finds_out_and_signs_no_more(later):
    member = at(20)
    older = old_state(member)
    member.show(LOG, later)
    shown = member.witness.checkpoint(ORIGIN)

    member = Member(older, found=False)
    with pytest.raises(Invalid, match=r"ledger\.member_state_lost"):
        member.witness.must_not_be_newer(shown)
    assert member.codes == ["state_lost"]
    for answer in (member.show(LOG, 40), member.bring(LOG, 0, 20)):
        assert (answer.status, answer.body) == (503, b"ledger.member_state_lost\n")
    with pytest.raises(Invalid):
        member.witness.must_not_be_newer(shown)
    assert member.codes == ["state_lost"]
    with pytest.raises(Refused, match=r"ledger\.member_state_lost"):
        member.start()


def test_a_witness_that_went_on_from_an_older_state_finds_its_other_branch():
    member = at(10)
    older = old_state(member)
    member.show(LOG, 20)
    shown = member.witness.checkpoint(ORIGIN)
    member = Member(older, found=False, clock=lambda: AT + timedelta(days=1))
    member.show(FORK, 20)
    with pytest.raises(Invalid, match=r"ledger\.member_state_lost"):
        member.witness.must_not_be_newer(shown)


def test_a_witness_with_nothing_but_its_keys_finds_out():
    shown = at(7).witness.checkpoint(ORIGIN)
    with pytest.raises(Invalid, match=r"ledger\.member_state_lost"):
        Member().witness.must_not_be_newer(shown)


@pytest.mark.parametrize(
    "note",
    {
        "what it remembers": at(20).witness.checkpoint(ORIGIN),
        "nothing of ours": LOG.note(40),
        "a wrong signature of ours": spoilt(at(30).witness.checkpoint(ORIGIN), 2),
        "no note": b"hello",
        "another log": sign_checkpoint(ELSEWHERE, WITNESS_KEYS, AT),
    }.values(),
)
def test_what_shows_nothing_newer_changes_nothing(note):
    member = at(20)
    member.now = AT
    member.witness.must_not_be_newer(note)
    assert not member.witness.lost
    assert member.codes == []


# ---- sign-subtree ---------------------------------------------------------------------------------------------------


def subtree(start: int, end: int, size: int, note: bytes, **changed) -> bytes:
    nodes = LOG.tiles().nodes
    fields = {"root": subtree_root(start, end, nodes), "proof": tuple(subtree_proof(start, end, size, nodes))}
    return SignSubtree(start=start, end=end, note=note, **{**fields, **changed}).encode()


@pytest.fixture(scope="module")
def both() -> Member:
    member = Member()
    member.follow(LOG, 40)
    return member


def reference(member: Member, role: str) -> bytes:
    if role == "both":
        mirrored = Note.parse(member.mirror.checkpoint(ORIGIN))
        witnessed = Note.parse(member.witness.checkpoint(ORIGIN))
        return Note(text=mirrored.text, signatures=(*witnessed.signatures, *mirrored.signatures[2:])).encode()
    return getattr(member, role).checkpoint(ORIGIN)


@pytest.mark.parametrize(
    ("role", "names"),
    [
        ("witness", ["court.test/witness"]),
        ("mirror", ["court.test/mirror"]),
        ("both", ["court.test/witness", "court.test/mirror"]),
    ],
)
@pytest.mark.parametrize(("start", "end"), [(0, 40), (0, 1), (8, 13), (32, 40), (39, 40), (16, 32)])
def test_a_subtree_is_signed_by_who_signed_the_checkpoint(both, role, names, start, end):
    answer = both.witness.sign_subtree(subtree(start, end, 40, reference(both, role)))
    assert answer.status == 200
    lines = Note.parse(b"x\n\n" + answer.body).signatures
    assert [line.name for line in lines] == names
    keys = {key.name: key for key in (*WITNESS_VERIFIERS, *MIRROR_VERIFIERS) if key.type == MLDSA44_COSIGNATURE}
    for line in lines:
        key = keys[line.name]
        root = subtree_root(start, end, LOG.tiles().nodes)
        message = subtree_message(cosigner=key.name, origin=ORIGIN, start=start, end=end, root=root, seconds=0)
        assert (line.key_id, line.value[:8]) == (key.key_id, bytes(8))
        key.verify(line.value[8:], message)


def test_sign_subtree_is_answered_as_the_specification_says(both):
    note = reference(both, "witness")
    unknown = sign_checkpoint(
        Checkpoint(origin="log.test/unknown", size=40, root=LOG.checkpoint(40).root), WITNESS_KEYS, AT
    )
    answers = {
        "an end behind the checkpoint": (subtree(0, 32, 40, note).replace(b"subtree 0 32", b"subtree 0 64"), 400),
        "a checkpoint in another form": (subtree(0, 8, 40, signed("hello\n", PLAIN)), 400),
        "another root": (subtree(8, 16, 40, note, root=bytes(32)), 422),
        "another proof": (subtree(8, 16, 40, note, proof=()), 422),
        "an unknown log": (subtree(8, 16, 40, unknown), 404),
        "a checkpoint signed by the log alone": (subtree(8, 16, 40, LOG.note()), 403),
        "a wrong signature": (subtree(8, 16, 40, spoilt(note, 2)), 403),
    }
    assert {what: both.witness.sign_subtree(request).status for what, (request, _) in answers.items()} == {
        what: status for what, (_, status) in answers.items()
    }


def test_who_has_no_key_for_subtrees_signs_none():
    state = MemoryObjects(replaceable=("pending",))
    log = WatchedLog(origin=ORIGIN, keys=LOG_VERIFIERS, state=state)
    Witness.found(log)
    witness = Witness([log], WITNESS_KEYS[:1], lambda: AT, lambda _: None)
    witness.add_checkpoint(body(0, 40))
    assert witness.sign_subtree(subtree(8, 16, 40, witness.checkpoint(ORIGIN))).status == 403


# ---- beside a naive witness -----------------------------------------------------------------------------------------


class Naive:
    """A witness that has seen every entry: it compares lists."""

    def __init__(self) -> None:
        self.entries: list[bytes] | None = None

    def status(self, old: int, entries: list[bytes], *, true_proof: bool) -> int:
        known = self.entries or []
        if old > len(entries):
            return 400
        if old != len(known):
            return 409
        if not true_proof or entries[:old] != known:
            return 422
        self.entries = entries
        return 200


class WitnessMachine(RuleBasedStateMachine):
    """Two histories, sent in any order under any claim, with restarts."""

    def __init__(self) -> None:
        super().__init__()
        self.member = Member()
        self.naive = Naive()

    @rule(
        log=some.sampled_from([LOG, FORK]), old=some.integers(0, 40), size=some.integers(1, 40), honest=some.booleans()
    )
    def send(self, log, old, size, honest):
        old = self.member.pending if honest else old
        proof = tuple(naive.proof(old, log.entries[:size])) if 0 < old <= size else ()
        request = AddCheckpoint(old=old, proof=proof, note=log.note(size)).encode()
        expected = self.naive.status(old, log.entries[:size], true_proof=True)
        assert self.member.witness.add_checkpoint(request).status == expected

    @precondition(lambda self: self.member.pending > 1)
    @rule(more=some.integers(1, 5))
    def send_a_wrong_proof(self, more):
        size = self.member.pending + more
        if size <= 40:
            request = AddCheckpoint(old=self.member.pending, proof=(bytes(32),), note=LOG.note(size)).encode()
            expected = self.naive.status(self.member.pending, LOG.entries[:size], true_proof=False)
            assert self.member.witness.add_checkpoint(request).status == expected

    @rule()
    def restart(self):
        self.member.start()

    @invariant()
    def holds_what_the_naive_one_holds(self):
        entries = self.naive.entries
        pending = self.member.witness.pending(ORIGIN)
        assert (pending is None) == (entries is None)
        if pending is not None:
            assert pending.checkpoint.root == naive.mth(entries)

    @invariant()
    def every_fork_is_proven(self):
        for alarm in self.member.alarms:
            if alarm.code == alarms.FORK:
                check_fork_proof(alarm.proof, LOG_VERIFIERS)


WitnessMachine.TestCase.settings = settings(max_examples=30, stateful_step_count=15, deadline=None)
TestWitnessMachine = WitnessMachine.TestCase


def test_answers_say_only_codes():
    answer = at(7).witness.add_checkpoint(b"hello")
    assert re.fullmatch(rb"ledger\.[a-z_]+\n", answer.body)
