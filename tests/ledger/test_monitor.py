"""A monitor finds what a log does wrong, with proof where there is one, and blames nobody for what is right."""

from __future__ import annotations

from datetime import timedelta

import pytest
from world.watched import (
    AT,
    LOG_KEYS,
    LOG_VERIFIERS,
    MIRROR_KEYS,
    MIRROR_VERIFIERS,
    ORIGIN,
    WITNESS_KEYS,
    GrowingLog,
    Member,
)

from chopmark.base.errors import Unavailable
from chopmark.base.wording import say
from chopmark.ledger.alarm import Alarm, check_entry_proof, check_fork_proof
from chopmark.ledger.checkpoint import Checkpoint, cosign, sign_checkpoint
from chopmark.ledger.cose import IssuerKey
from chopmark.ledger.monitor import MOST_ALARMS, Monitor
from chopmark.ledger.note import Note
from chopmark.ledger.policy import Policy, PolicyLog, PolicyWitness
from chopmark.ledger.statement import policy_statement
from chopmark.ledger.stores import CHECKPOINT
from chopmark.ledger.stores.memory import MemoryObjects
from chopmark.ledger.tiles import bundle_path, tile_path
from chopmark.ledger.witness import WatchedLog, Witness

ISSUER = IssuerKey.from_seed(bytes(32))
STRANGER = IssuerKey.from_seed(bytes(31) + b"\x01")
KNOWN = {ISSUER.public.thumbprint: ISSUER.public}


def statement(number: int, key: IssuerKey = ISSUER) -> bytes:
    return policy_statement(b"%d" % number, issuer="https://a.test", subject="urn:x", key=key, at=AT)


STATEMENTS = [statement(number) for number in range(700)]
LOG = GrowingLog(*STATEMENTS)
FORK = LOG.fork(300)
FORK.grow(*(statement(number) for number in range(1000, 1300)))
POLICY = Policy(
    logs=(PolicyLog(key=LOG_VERIFIERS[0]),),
    witnesses=(PolicyWitness(name="court", key=MIRROR_VERIFIERS[0]),),
    quorum="court",
)


class Shown:
    """What a log shows to everybody: its files, and a checkpoint that may be another."""

    def __init__(self, log: GrowingLog, size: int | None = None, note: bytes | None = None) -> None:
        self.log = log
        self.note = note or log.note(size)
        self.changed: dict[str, bytes] = {}
        self.silent: tuple[str, ...] = ()

    def __call__(self, path: str) -> bytes:
        if path.startswith(self.silent or "nothing"):
            raise Unavailable("ledger.object_missing", path=path)
        return self.note if path == CHECKPOINT else self.changed.get(path) or self.log.fetch(path)


def following(log: GrowingLog = LOG, size: int | None = None) -> Member:
    member = Member()
    member.follow(log, size)
    return member


def monitor(member: Member, policy: Policy | None = None, **options) -> Monitor:
    return Monitor(member.watched, member.mirror, policy, KNOWN.get, **options)


def stranger() -> Monitor:
    """A monitor without witness or mirror."""
    watched = WatchedLog(origin=ORIGIN, keys=LOG_VERIFIERS, state=MemoryObjects(replaceable=()))
    return Monitor(watched, None, None, KNOWN.get)


def codes(found: list[Alarm]) -> list[str]:
    for alarm in found:
        assert Alarm.parse(alarm.encode()) == alarm
        for language in ("en", "zh"):
            assert "{" not in say(alarm.code, {"origin": alarm.origin, **alarm.facts}, language)
    return [alarm.code.removeprefix("ledger.alarm_") for alarm in found]


def rounds(watching: Monitor, *shown: Shown) -> list[str]:
    return [code for each in shown for code in codes(watching.round(each, AT))]


def test_a_log_that_does_right_raises_no_alarm():
    member = Member()
    watching = monitor(member, POLICY)
    for size in (1, 255, 256, 300, 700):
        member.follow(LOG, size)
        assert rounds(watching, Shown(LOG, note=member.mirror.checkpoint(ORIGIN))) == []
        assert watching.checked == size
    assert member.codes == []
    assert watching.unknown_signers == 0


def test_a_stranger_without_a_mirror_finds_the_same():
    watching = stranger()
    assert rounds(watching, *(Shown(LOG, size) for size in (1, 255, 256, 300, 700))) == []
    assert watching.checked == 700


def test_an_empty_log_is_no_trouble():
    assert rounds(stranger(), Shown(GrowingLog())) == []


def test_a_round_does_a_bounded_amount_and_the_next_goes_on():
    for watching in (stranger(), monitor(following())):
        reached = []
        while watching.checked < 700:
            watching.round(Shown(LOG), AT, most=250)
            reached.append(watching.checked)
        assert reached[0] < 700
        assert reached == sorted(set(reached))


def test_where_it_was_is_remembered_over_a_restart():
    member = following(size=300)
    monitor(member).round(Shown(LOG, 300), AT)
    member.start()
    assert monitor(member).checked == 300
    assert rounds(monitor(member), Shown(LOG, 200)) == ["rewound"]


# ---- the checkpoint -------------------------------------------------------------------------------------------------

OTHER = Checkpoint(origin="log.test/other", size=1, root=bytes(32))


@pytest.mark.parametrize(
    "note",
    {
        "no note": b"hello",
        "signed by nobody known": sign_checkpoint(LOG.checkpoint(), WITNESS_KEYS, AT),
        "of another log": sign_checkpoint(OTHER, LOG_KEYS, AT),
    }.values(),
)
def test_what_is_no_checkpoint_of_the_log_is_said(note):
    assert rounds(stranger(), Shown(LOG, note=note)) == ["checkpoint_wrong"]
    assert rounds(monitor(following()), Shown(LOG, note=note)) == ["checkpoint_wrong"]


def test_a_log_that_shows_less_than_before_has_rewound():
    watching = stranger()
    assert rounds(watching, Shown(LOG, 600), Shown(LOG, 500), Shown(LOG, 600), Shown(LOG)) == ["rewound"]


def test_another_root_at_the_size_seen_before_is_a_fork():
    watching = stranger()
    watching.round(Shown(LOG, 500), AT)
    (alarm,) = watching.round(Shown(FORK, 500), AT)
    assert codes([alarm]) == ["fork"]
    assert check_fork_proof(alarm.proof, LOG_VERIFIERS) == (LOG.checkpoint(500), FORK.checkpoint(500))


def test_a_history_that_does_not_continue_is_a_suspicion_for_a_stranger():
    assert rounds(stranger(), Shown(LOG, 400), Shown(FORK, 500)) == ["history_unproven"]


def test_a_member_that_was_shown_another_history_proves_the_fork():
    for size in (700, 500):
        member = following(size=size)
        assert rounds(monitor(member), Shown(FORK, 500)) == []
        assert member.codes == ["fork"]
        check_fork_proof(member.alarms[0].proof, LOG_VERIFIERS)
        assert rounds(monitor(member), Shown(FORK, 500)) == []
        assert member.codes == ["fork"]


def test_a_larger_forged_history_is_kept_until_it_is_proven():
    member = following(size=400)
    assert rounds(monitor(member), Shown(FORK, 600)) == []
    assert member.codes == ["history_unproven"]
    member.follow(LOG, 700)
    assert member.codes == ["history_unproven", "fork"]
    check_fork_proof(member.alarms[1].proof, LOG_VERIFIERS)
    assert rounds(monitor(member), Shown(LOG)) == []


def test_a_log_that_is_quicker_than_the_mirror_is_no_trouble():
    member = following(size=300)
    watching = monitor(member)
    assert rounds(watching, Shown(LOG, 700)) == []
    assert watching.checked == 300


def test_a_checkpoint_without_the_quorum_is_said():
    member = following()
    note = member.mirror.checkpoint(ORIGIN)
    assert rounds(monitor(member, POLICY), Shown(LOG)) == ["no_quorum"]
    assert rounds(monitor(member, POLICY), Shown(LOG, note=note)) == []
    lines = list(Note.parse(note).signatures)
    lines[2] = cosign(LOG.checkpoint(600), MIRROR_KEYS[0], AT)
    false = Note(text=LOG.checkpoint().text(), signatures=tuple(lines)).encode()
    assert rounds(monitor(member, POLICY), Shown(LOG, note=false)) == ["no_quorum"]


def test_a_log_that_publishes_less_than_it_shows_members_for_long_is_said():
    member = following()
    watching = monitor(member)
    shown = Shown(LOG, 500)
    assert codes(watching.round(shown, AT)) == []
    assert codes(watching.round(shown, AT + timedelta(minutes=59))) == []
    (alarm,) = watching.round(shown, AT + timedelta(minutes=61))
    assert codes([alarm]) == ["stale"]
    assert alarm.facts["known"] == 700
    assert codes(watching.round(Shown(LOG), AT + timedelta(minutes=62))) == []
    assert codes(watching.round(Shown(LOG), AT + timedelta(days=62))) == []


@pytest.mark.parametrize("what", ["checkpoint", "tile/"])
def test_a_silent_log_is_said_when_patience_ends(what):
    member = following(size=300)
    watching = monitor(member)
    shown = Shown(LOG)
    shown.silent = (what,)
    assert codes(watching.round(shown, AT)) == []
    assert codes(watching.round(shown, AT + timedelta(hours=2))) == ["stale"]
    shown.silent = ()
    assert codes(watching.round(shown, AT + timedelta(hours=3))) == []


def test_a_cosignature_of_ours_that_is_not_remembered_stops_the_member():
    member = following(size=300)
    state = MemoryObjects(replaceable=("pending",))
    state.put(dict(member.state.kept))
    copy = MemoryObjects()
    copy.put(dict(member.copy.kept))
    member.follow(LOG, 700)
    shown = Shown(LOG, note=member.mirror.checkpoint(ORIGIN))
    member = Member(state, copy, found=False)
    watching = monitor(member)
    found = watching.round(shown, AT)
    assert "state_lost" in codes(found)
    assert [alarm.id for alarm in found if alarm.code.endswith("state_lost")] == [alarm.id for alarm in member.alarms]
    assert member.witness.lost
    assert "state_lost" not in codes(watching.round(shown, AT))


# ---- the entries ----------------------------------------------------------------------------------------------------

BAD = {
    "no statement at all": b"hello",
    "a statement with a byte more": statement(9000) + b"x",
    "a signature of another key": statement(9001)[:-1] + bytes([statement(9001)[-1] ^ 1]),
}


@pytest.mark.parametrize("entry", BAD.values(), ids=BAD.keys())
def test_a_bad_entry_is_found_with_a_proof_that_it_is_there(entry):
    log = GrowingLog(*STATEMENTS[:100], entry, *STATEMENTS[100:200])
    with_mirror = monitor(following(log)).round(Shown(log), AT)
    without = stranger().round(Shown(log), AT)
    for found in (with_mirror, without):
        assert codes(found) == ["bad_entry"]
        assert check_entry_proof(found[0].proof, LOG_VERIFIERS) == (100, entry)


def test_an_unknown_signer_is_counted_and_is_no_alarm():
    log = GrowingLog(*STATEMENTS[:10], *(statement(number, STRANGER) for number in range(5)))
    watching = monitor(following(log))
    assert rounds(watching, Shown(log)) == []
    assert watching.unknown_signers == 5


def test_of_many_bad_entries_a_round_raises_some_and_goes_on():
    log = GrowingLog(*(b"%d" % number for number in range(1000)))
    watching = monitor(following(log))
    counts = []
    while watching.checked < 1000:
        counts.append(len(watching.round(Shown(log), AT)))
    assert sum(counts) == 1000
    assert MOST_ALARMS <= max(counts) < MOST_ALARMS + 256


def test_a_log_of_another_kind_is_watched_without_looking_at_entries():
    log = GrowingLog(*(b"%d" % number for number in range(1000)))
    watching = monitor(following(log), statements=False)
    assert rounds(watching, Shown(log)) == []
    assert watching.checked == 0


@pytest.mark.parametrize(
    ("path", "data", "checked"),
    [
        (bundle_path(1), LOG.files[bundle_path(1)][:-1] + b"x", 256),
        (bundle_path(1), LOG.files[bundle_path(0)], 256),
        (bundle_path(1), b"\xff", 256),
        (tile_path(1, 0, 2), bytes(64), 0),
    ],
    ids=["an entry altered", "other entries", "no bundle", "a tile altered"],
)
def test_a_file_that_does_not_fit_the_checkpoint_is_said(path, data, checked):
    shown = Shown(LOG)
    shown.changed[path] = data
    watching = stranger()
    assert rounds(watching, shown) == ["files_wrong"]
    assert watching.checked == checked
    assert rounds(watching, Shown(LOG)) == []
    assert watching.checked == 700


def test_a_witness_alone_watches_too():
    state = MemoryObjects(replaceable=("pending",))
    watched = WatchedLog(origin=ORIGIN, keys=LOG_VERIFIERS, state=state)
    Witness.found(watched)
    told: list[Alarm] = []
    witness = Witness([watched], WITNESS_KEYS, lambda: AT, told.append)
    assert witness.add_checkpoint(LOG.request(0, 500)).status == 200
    watching = Monitor(watched, None, None, KNOWN.get, witness=witness)
    assert rounds(watching, Shown(LOG, 700)) == []
    assert rounds(watching, Shown(FORK, 500)) == []
    assert codes(told) == ["fork"]
