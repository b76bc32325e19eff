"""A mirror keeps nothing unproven, loses nothing that it answered for, and never goes back."""

from __future__ import annotations

import gzip
import io
import random
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from world import naive
from world.watched import (
    AT,
    LOG_VERIFIERS,
    MIRROR_KEYS,
    MIRROR_VERIFIERS,
    ORIGIN,
    WITNESS_KEYS,
    GrowingLog,
    Member,
)

from chopmark.base.errors import Invalid, Refused, Unavailable
from chopmark.ledger import tree
from chopmark.ledger.audit import audit
from chopmark.ledger.checkpoint import open_checkpoint
from chopmark.ledger.cose import PublicKey
from chopmark.ledger.cose_receipt import SealedRoot
from chopmark.ledger.keys import ED25519_COSIGNATURE, MLDSA44_COSIGNATURE
from chopmark.ledger.mirror import (
    MAX_TICKET,
    MIRRORED,
    MOST_EXCESS,
    Mirror,
    MirrorInfo,
    cut,
    edge_of_whole_tiles,
    packages,
    upload_header,
)
from chopmark.ledger.note import Note, NoteSignature
from chopmark.ledger.stores import CHECKPOINT
from chopmark.ledger.stores.files import FileObjects
from chopmark.ledger.stores.memory import MemoryObjects
from chopmark.ledger.tiles import TILE_WIDTH, Edge, bundle_path, encode_bundle, integrate, partial_folders, tile_path
from chopmark.ledger.wire import MIRROR_INFO
from chopmark.ledger.witness import MOST_RECENT, WatchedLog, Witness


def entries(count: int, first: int = 0) -> list[bytes]:
    return [b"%d" % number + b"." * (number % 5) for number in range(first, first + count)]


LOG = GrowingLog(*entries(3000))
LARGE = GrowingLog(*entries(90_000))
FORK = LOG.fork(1000)
FORK.grow(*(b"other %d" % number for number in range(1000)))


def must_hold(member: Member, log: GrowingLog, size: int) -> None:
    """The copy is the log at that size, file by file, and says so under its keys."""
    result = audit(member.copy.get, [*LOG_VERIFIERS], statements=False)
    assert result.findings == ()
    assert result.checkpoint == log.checkpoint(size)
    checkpoint, signatures = open_checkpoint(member.mirror.checkpoint(ORIGIN), MIRROR_VERIFIERS)
    assert checkpoint == log.checkpoint(size)
    assert {each.key.type for each in signatures} == {ED25519_COSIGNATURE, MLDSA44_COSIGNATURE}
    assert member.next_entry >= size
    assert member.mirror.tiles(ORIGIN).size == size


# ---- the forms ------------------------------------------------------------------------------------------------------


@given(some.integers(0, 2**63 - 1), some.integers(0, 2**63 - 1), some.binary(max_size=200))
def test_mirror_info_is_read_back_as_it_was(size, next_entry, ticket):
    info = MirrorInfo(size=size, next_entry=next_entry, ticket=ticket)
    assert MirrorInfo.parse(info.encode()) == info


@pytest.mark.parametrize(
    "body",
    {
        "nothing": b"",
        "two lines": b"1\n2\n",
        "no last newline": b"1\n2\n",
        "a line more": b"1\n2\n\n\n",
        "a leading zero": b"01\n2\n\n",
        "base64 that does not print back": b"1\n2\neB==\n",
        "a ticket that is too large": b"1\n2\n" + b"AAAA" * (MAX_TICKET // 3 + 1) + b"\n",
        "not ASCII": "１\n2\n\n".encode(),
    }.values(),
)
def test_mirror_info_in_another_form_is_refused(body):
    with pytest.raises(Invalid, match=r"ledger\.answer_malformed"):
        MirrorInfo.parse(body)


def naive_packages(held: list[bytes], start: int, end: int) -> list[bytes]:
    """The canonical sequence, word for word from the specification, from the entries alone."""
    found = []
    rounded_start, rounded_end = start // 256 * 256, -(-end // 256) * 256
    for i in range((rounded_end - rounded_start) // 256 if start < end else 0):
        here = max(start, rounded_start + i * 256)
        stop = min(end, rounded_start + (i + 1) * 256)
        proof = naive.subproof(rounded_start + i * 256, stop, held[:end], known=True)
        body = b"".join(len(entry).to_bytes(2, "big") + entry for entry in held[here:stop])
        found.append(body + bytes([len(proof)]) + b"".join(proof))
    return found


@pytest.mark.parametrize(
    ("start", "end"),
    [
        (0, 0),
        (5, 5),
        (256, 256),
        (0, 1),
        (0, 256),
        (0, 257),
        (255, 257),
        (256, 512),
        (300, 301),
        (300, 1000),
        (77, 800),
    ],
)
def test_packages_are_the_canonical_sequence(start, end):
    assert list(packages(LOG.tiles(), start, end)) == naive_packages(LOG.entries, start, end)
    assert list(packages(LOG.tiles(), start, end, most=2)) == naive_packages(LOG.entries, start, end)[:2]


# ---- add-entries, each answer ---------------------------------------------------------------------------------------


def at(mirrored: int, pending: int, next_entry: int | None = None) -> Member:
    """A member that mirrors one size, knows of another, and holds entries up to a third."""
    member = Member()
    if mirrored:
        member.follow(LOG, mirrored)
    if pending > mirrored:
        member.show(LOG, pending)
    if next_entry is not None and next_entry > mirrored:
        whole = list(packages(LOG.tiles(), mirrored, pending))
        some_of_them = whole[: -(-next_entry // 256) - mirrored // 256]
        body = upload_header(ORIGIN, mirrored, pending) + b"".join(some_of_them)
        assert member.mirror.add_entries(io.BytesIO(body)).status == 202
        assert member.next_entry == next_entry
    return member


def wrong(body: bytes, where: int) -> bytes:
    return body[:where] + bytes([body[where] ^ 1]) + body[where + 1 :]


HEADER = len(upload_header(ORIGIN, 0, 0))
OLD = LOG.fork(0)

ANSWERS = {
    "all of it": (at(0, 1000), LOG.upload(0, 1000), 200),
    "all that is missing": (at(300, 1000), LOG.upload(300, 1000), 200),
    "more than is missing": (at(300, 1000), LOG.upload(20, 1000), 200),
    "behind what is held but not yet mirrored": (at(300, 1000, 768), LOG.upload(768, 1000), 200),
    "nothing, when all is mirrored": (at(1000, 1000), LOG.upload(1000, 1000), 200),
    "nothing but what is mirrored": (at(1000, 1000), LOG.upload(900, 1000), 200),
    "the mirrored size while another is pending": (at(300, 1000), LOG.upload(300, 300), 200),
    "the last packages are missing": (at(0, 1000), LOG.upload(0, 1000, most=2), 202),
    "cut off inside the third package": (at(0, 1000), LOG.upload(0, 1000)[: HEADER + 2000], 202),
    "nothing": (at(0, 1000), b"", 400),
    "half a header": (at(0, 1000), LOG.upload(0, 1000)[:20], 400),
    "no package": (at(0, 1000), LOG.upload(0, 1000, most=0), 400),
    "cut off inside the first package": (at(0, 1000), LOG.upload(0, 1000)[: HEADER + 100], 400),
    "a start behind the end": (at(0, 1000), upload_header(ORIGIN, 1000, 999), 400),
    "an unknown log": (at(0, 1000), upload_header("log.test/unknown", 0, 1000), 404),
    "an unknown log that is no text": (at(0, 1000), b"\x00\x01\xff" + bytes(18), 404),
    "no checkpoint was shown": (at(0, 0), LOG.upload(0, 1000), 422),
    "an end that was never shown": (at(0, 1000), LOG.upload(0, 999), 409),
    "an end before the mirrored size": (at(1000, 1000), LOG.upload(0, 300), 409),
    "a start behind the next entry": (at(300, 1000), LOG.upload(301, 1000), 409),
    "an end beyond all numbers": (at(300, 1000), upload_header(ORIGIN, 0, 2**64 - 1), 409),
    "an entry was altered": (at(0, 1000), wrong(LOG.upload(0, 1000), HEADER + 2), 422),
    "a hash was altered": (at(0, 1000), wrong(LOG.upload(0, 1000), len(LOG.upload(0, 1000)) - 1), 422),
    "too many hashes": (
        at(0, 1000),
        upload_header(ORIGIN, 0, 1000) + encode_bundle(LOG.entries[:256]) + b"\x40" + bytes(64 * 32),
        422,
    ),
    "entries of another history": (
        at(1000, 2000),
        upload_header(ORIGIN, 1000, 2000) + b"".join(packages(FORK.tiles(), 1000, 2000)),
        422,
    ),
    "a proof to another size": (
        at(0, 1000),
        upload_header(ORIGIN, 0, 1000) + b"".join(packages(LOG.tiles(), 0, 999)),
        422,
    ),
}


@pytest.mark.parametrize(("member", "body", "status"), ANSWERS.values(), ids=ANSWERS.keys())
def test_add_entries_is_answered_as_the_specification_says(member, body, status):
    before, held = member.mirror.checkpoint(ORIGIN), member.next_entry
    answer = member.mirror.add_entries(io.BytesIO(body))
    assert answer.status == status
    if status == 200:
        end = int.from_bytes(body[HEADER - 10 : HEADER - 2], "big")
        must_hold(member, LOG, end)
        assert answer.body.decode() == "".join(
            each.line() for each in Note.parse(member.mirror.checkpoint(ORIGIN)).signatures[2:]
        )
        return
    assert member.mirror.checkpoint(ORIGIN) == before
    assert answer.content_type == (MIRROR_INFO if status in {202, 409} else "text/plain; charset=utf-8")
    if status in {202, 409}:
        info = MirrorInfo.parse(answer.body)
        assert (info.size, info.next_entry) == (member.pending, member.next_entry)
        assert member.next_entry > held if status == 202 else member.next_entry == held
        member.follow(LOG, info.size)
        must_hold(member, LOG, info.size)


def test_a_package_that_is_wrong_does_not_undo_those_before_it():
    member = at(0, 1000)
    body = LOG.upload(0, 1000)
    assert member.mirror.add_entries(io.BytesIO(wrong(body, len(body) - 1))).status == 422
    assert member.next_entry == 768
    assert member.bring(LOG, 768, 1000).status == 200


def test_too_much_that_is_held_already_is_not_taken_again():
    member = Member()
    member.follow(LARGE, MOST_EXCESS + 1)
    answer = member.bring(LARGE, 0, MOST_EXCESS + 1)
    assert (answer.status, MirrorInfo.parse(answer.body).next_entry) == (409, MOST_EXCESS + 1)


def test_a_checkpoint_shown_before_the_last_may_still_be_reached():
    member = at(0, 700)
    member.show(LOG, 1000)
    assert member.bring(LOG, 0, 700).status == 200
    must_hold(member, LOG, 700)
    assert member.bring(LOG, 700, 1000).status == 200


def test_one_that_is_not_remembered_is_reached_with_its_ticket():
    member = at(0, 700)
    ticket = MirrorInfo.parse(member.bring(LOG, 0, 700, most=1).body).ticket
    for size in range(701, 702 + MOST_RECENT):
        member.show(LOG, size)
    assert member.bring(LOG, 256, 700).status == 409
    for where in (0, 40, len(ticket) - 1):
        assert member.bring(LOG, 256, 700, ticket=wrong(ticket, where)).status == 409
    assert member.bring(LOG, 256, 699, ticket=ticket).status == 409
    assert member.bring(LOG, 256, 700, ticket=ticket, most=1).status == 202
    assert member.bring(LOG, 512, 700, ticket=ticket).status == 200
    must_hold(member, LOG, 700)


def test_a_ticket_of_another_process_is_not_accepted_and_the_upload_goes_on_all_the_same():
    member = at(0, 700)
    ticket = MirrorInfo.parse(member.bring(LOG, 0, 700, most=1).body).ticket
    member.show(LOG, 1000)
    member.start()
    answer = member.bring(LOG, 256, 700, ticket=ticket)
    assert (answer.status, MirrorInfo.parse(answer.body).size) == (409, 1000)
    member.follow(LOG, 1000)


def test_an_end_that_another_request_has_passed_is_not_gone_back_to():
    """The body comes slowly; while it does, somebody else brings more."""
    member = at(0, 700)
    body = LOG.upload(0, 700)

    class Slow(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            if self.tell() and member.pending == 700:
                member.follow(LOG, 1000)
            return super().read(min(size or 0, 600))

    answer = member.mirror.add_entries(Slow(body))
    assert (answer.status, MirrorInfo.parse(answer.body).size) == (409, 1000)
    must_hold(member, LOG, 1000)


def test_a_smaller_end_is_reached_when_more_is_held_already():
    """Its partial files are made from the larger ones."""
    for size, more in ((300, 400), (300, 513), (256, 700), (1, 2), (1, 300), (700, 2900)):
        member = at(0, size)
        member.show(LOG, more)
        member.bring(LOG, 0, more, most=-(-more // 256))
        member = at(0, size)
        member.show(LOG, more)
        body = LOG.upload(0, more)
        assert member.mirror.add_entries(io.BytesIO(body[:-1])).status in {202, 400}
        if member.next_entry < size:
            assert member.bring(LOG, member.next_entry, size).status == 200
        assert member.bring(LOG, size, size).status == 200
        must_hold(member, LOG, size)


def test_a_log_without_entries_is_mirrored():
    log, member = GrowingLog(), Member()
    member.follow(log, 0)
    assert open_checkpoint(member.mirror.checkpoint(ORIGIN), MIRROR_VERIFIERS)[0].size == 0
    assert member.bring(log, 0, 0).status == 200


def test_outgrown_partial_files_are_cleared_away():
    member = Member()
    for size in (1, 200, 255, 256, 300, 511, 600, 2000):
        member.follow(LOG, size)
        must_hold(member, LOG, size)
    folders = {path.rpartition("/")[0] for path in member.copy.kept if ".p/" in path}
    assert folders == set(partial_folders(2000))


def test_the_partial_files_of_the_mirrored_size_stay_until_another_is_mirrored():
    member = at(300, 1000, 768)
    must_hold(member, LOG, 300)
    member.follow(LOG, 1000)
    assert {path.rpartition("/")[0] for path in member.copy.kept if ".p/" in path} == set(partial_folders(1000))


def test_entries_may_be_as_large_as_they_can_be():
    log, member = GrowingLog(*(bytes([number]) * 65_535 for number in range(40)), b"", b"x"), Member()
    member.follow(log)
    must_hold(member, log, 42)


def test_a_body_may_come_compressed_and_be_cut_off():
    member = at(0, 1000)
    squeezed = gzip.compress(LOG.upload(0, 1000))
    assert member.mirror.add_entries(gzip.GzipFile(fileobj=io.BytesIO(squeezed[:-40]))).status in {202, 400}
    assert member.mirror.add_entries(gzip.GzipFile(fileobj=io.BytesIO(squeezed))).status == 200


SMALL = GrowingLog(*(b"%d" % number for number in range(600)))


@given(some.integers(0, len(SMALL.upload(0, 600))))
def test_a_body_cut_anywhere_leaves_whole_packages(length):
    member = Member()
    member.show(SMALL)
    body = SMALL.upload(0, 600)
    answer = member.mirror.add_entries(io.BytesIO(body[:length]))
    assert answer.status == (200 if length == len(body) else 202 if member.next_entry else 400)
    assert member.next_entry in {0, 256, 512, 600}
    member.start()
    member.follow(SMALL)
    must_hold(member, SMALL, 600)


# ---- signatures and seals -------------------------------------------------------------------------------------------


def test_the_mirror_signs_nothing_when_it_is_only_shown_a_checkpoint():
    member = Member()
    answer = member.show(LOG, 1000)
    assert b"court.test/mirror" not in answer.body
    assert member.mirror.checkpoint(ORIGIN) is None


def test_the_same_checkpoint_again_gets_the_same_signatures():
    member = Member()
    first = member.follow(LOG, 1000)
    assert member.bring(LOG, 1000, 1000).body == first.body
    member.start()
    assert member.bring(LOG, 1000, 1000).body == first.body


def test_a_root_of_any_mirrored_size_is_sealed_and_no_other():
    member = Member()
    member.follow(LOG, 1000)
    key = PublicKey.ed25519(MIRROR_VERIFIERS[0].public)
    for size in (1, 255, 256, 700, 1000):
        sealed = SealedRoot.parse(member.mirror.sealed_root(ORIGIN, size))
        sealed.verify(LOG.checkpoint(size).root, key)
        assert (sealed.origin, sealed.size) == (ORIGIN, size)
    assert member.mirror.sealed_root(ORIGIN, 0) is member.mirror.sealed_root(ORIGIN, 1001) is None
    assert member.mirror.sealed_root("log.test/unknown", 1) is None


def test_what_is_not_mirrored_is_not_answered_for():
    member = Member()
    assert member.mirror.checkpoint("log.test/unknown") is None
    assert member.mirror.past("log.test/unknown", 1) is None
    for ask in (member.mirror.tiles, member.mirror.next_entry):
        with pytest.raises(Unavailable, match=r"ledger\.log_unknown"):
            ask("log.test/unknown")


def test_entries_are_told_in_order_once_they_are_held():
    member, told = Member(), []
    member.mirror.on_entries = lambda origin, first, some_entries: told.append((origin, first, list(some_entries)))
    for size in (10, 300, 3000):
        member.follow(LOG, size)
    assert all(origin == ORIGIN for origin, _, _ in told)
    assert [first for _, first, _ in told] == [0, 10, 300]
    assert [entry for _, _, some_entries in told for entry in some_entries] == LOG.entries


# ---- side by side ---------------------------------------------------------------------------------------------------


def test_many_uploads_side_by_side_make_one_copy(tmp_path):
    member = Member(FileObjects(tmp_path / "state", replaceable=("pending",)), FileObjects(tmp_path / "copy"))
    choose = random.Random(3)  # noqa: S311 (a fixed choice, nothing secret)
    ends = [500, 777, 1024, 1500, 3000]
    for end in ends:
        member.show(LOG, end)
    jobs = [(choose.choice(ends), choose.randrange(1, 5)) for _ in range(150)]
    told = []
    member.mirror.on_entries = lambda _, first, some_entries: told.append((first, len(some_entries)))

    def send(job: tuple[int, int]) -> int:
        end, most = job
        start = min(end, max(0, member.next_entry - job[1] * 100))
        return member.bring(LOG, start, end, most=most).status

    with ThreadPoolExecutor(8) as pool:
        statuses = set(pool.map(send, jobs))
    assert statuses <= {200, 202, 409}
    member.follow(LOG, 3000)
    must_hold(member, LOG, 3000)
    assert [first for first, _ in told] == [sum(count for _, count in told[:index]) for index in range(len(told))]


# ---- after a crash --------------------------------------------------------------------------------------------------


class Killed(BaseException):
    """The process ends here."""


class Cut(MemoryObjects):
    """Objects whose puts and deletions end the process after so many files, in any order of the files."""

    def __init__(self, *, replaceable: tuple[str, ...] = (CHECKPOINT,), seed: int = 0) -> None:
        super().__init__(replaceable=replaceable)
        self.left: int | None = None
        self.lines = 0
        self._choose = random.Random(seed)  # noqa: S311 (the same)

    def put(self, objects):
        paths = list(objects)
        self._choose.shuffle(paths)
        for path in paths:
            self._burn()
            super().put({path: objects[path]})
        self._burn()

    def delete(self, paths):
        for path in paths:
            self._burn()
            super().delete([path])

    def _burn(self) -> None:
        self.lines += 1
        if self.left is not None:
            if self.left == 0:
                raise Killed
            self.left -= 1


def grown_to(size: int, seed: int) -> tuple[Member, Cut, Cut]:
    state, copy = Cut(replaceable=("pending",), seed=seed), Cut(seed=seed)
    member = Member(state, copy)
    member.follow(LOG, size)
    state.lines = copy.lines = 0
    return member, state, copy


@pytest.mark.parametrize(("old", "new"), [(0, 5), (200, 300), (255, 1100), (700, 701)])
@pytest.mark.parametrize("seed", range(3))
def test_a_crash_at_any_file_loses_nothing_that_was_answered(old, new, seed):
    member, state, copy = grown_to(old, seed)
    member.follow(LOG, new)
    for store, lines in ((0, state.lines), (1, copy.lines)):
        for left in range(lines):
            member, *stores = grown_to(old, seed)
            stores[store].left = left
            with pytest.raises(Killed):
                member.follow(LOG, new)
            for each in stores:
                each.left = None
            assert open_checkpoint(member.copy.get(CHECKPOINT), MIRROR_VERIFIERS)[0].size in {old, new} if old else True
            member.start()
            member.follow(LOG, new)
            must_hold(member, LOG, new)
            assert member.codes == []


def test_a_long_way_without_a_checkpoint_is_found_again_from_the_files(tmp_path):
    member = Member(FileObjects(tmp_path / "state", replaceable=("pending",)), FileObjects(tmp_path / "copy"))
    member.follow(LARGE, 300)
    member.show(LARGE)
    while member.next_entry < 70_000:
        assert member.bring(LARGE, member.next_entry, 90_000).status == 202
    reached = member.next_entry
    last = max((tmp_path / "copy/tile/0").glob("*"))
    for path in [last, tmp_path / "copy" / bundle_path(reached // 256 - 3)]:
        path.unlink()
    member.start()
    assert member.next_entry == reached - 3 * 256
    member.follow(LARGE)
    must_hold(member, LARGE, 90_000)


@pytest.mark.parametrize("size", [256, 512, 256 * 255, 256 * 256, 256 * 257, 256 * 300])
def test_an_edge_is_made_from_whole_tiles(size):
    assert edge_of_whole_tiles(size, LARGE.fetch) == integrate(Edge(), LARGE.entries[:size])[0]


@given(some.integers(0, 3000), some.integers(0, 3000))
def test_an_edge_is_cut_to_any_smaller_size(one, other):
    small, large = sorted((one, other))
    edge, files = integrate(Edge(), LOG.entries[:large])
    assert cut(edge, small, files.__getitem__) == integrate(Edge(), LOG.entries[:small])[0]


# ---- a copy that is not what it was ---------------------------------------------------------------------------------


def test_a_copy_without_its_checkpoint_is_refused():
    member = Member()
    member.follow(LOG, 700)
    member.copy = MemoryObjects()
    with pytest.raises(Refused, match=r"ledger\.member_state_lost"):
        member.start()


class Stopping(MemoryObjects):
    """Stores in which one file is never written: the power fails before it."""

    def __init__(self, missing: str) -> None:
        super().__init__(replaceable=("pending",))
        self.missing = missing

    def put(self, files):
        if self.missing in files:
            raise RuntimeError(self.missing)
        super().put(files)


def test_a_crash_beside_the_first_checkpoint_of_a_copy_loses_nothing():
    state = Stopping(MIRRORED)
    member = Member(state)
    with pytest.raises(RuntimeError):
        member.follow(LOG, 700)
    state.missing = ""
    member.start()
    must_hold(member, LOG, 700)
    assert state.exists(MIRRORED)

    copy = Stopping(CHECKPOINT)
    member = Member(copy=copy)
    with pytest.raises(RuntimeError):
        member.follow(LOG, 700)
    copy.missing = ""
    member.start()
    assert member.mirror.checkpoint(ORIGIN) is None
    member.follow(LOG, 700)
    must_hold(member, LOG, 700)


def test_a_copy_ahead_of_the_state_is_refused():
    member = Member()
    member.follow(LOG, 300)
    older = MemoryObjects(replaceable=("pending",))
    older.put(dict(member.state.kept))
    member.follow(LOG, 700)
    member.state = older
    with pytest.raises(Refused, match=r"ledger\.member_state_lost"):
        member.start()


def test_a_copy_of_another_history_is_refused():
    one, other = Member(), Member()
    one.follow(LOG, 1500)
    other.follow(FORK, 1500)
    one.copy = other.copy
    with pytest.raises(Refused, match=r"ledger\.member_state_lost"):
        one.start()


def test_an_older_copy_finds_its_own_newer_signature_elsewhere():
    member = Member()
    member.follow(LOG, 300)
    older = MemoryObjects()
    older.put(dict(member.copy.kept))
    member.follow(LOG, 700)
    shown = member.mirror.checkpoint(ORIGIN)
    member.mirror.must_not_be_newer(shown)
    member.mirror.must_not_be_newer(LOG.note(1000))
    member.copy = older
    member.start()
    with pytest.raises(Invalid, match=r"ledger\.member_state_lost"):
        member.mirror.must_not_be_newer(shown)
    assert member.codes == ["state_lost"]
    assert member.mirror.sealed_root(ORIGIN, 1) is None
    assert member.bring(LOG, 300, 700).status == 503


def test_a_fork_signed_by_the_mirror_shows_a_lost_copy():
    one, other = Member(), Member()
    one.follow(LOG, 2000)
    other.follow(FORK, 1500)
    other.now = AT
    with pytest.raises(Invalid, match=r"ledger\.member_state_lost"):
        one.mirror.must_not_be_newer(other.mirror.checkpoint(ORIGIN))


def test_an_altered_tile_is_found_at_the_start():
    member = Member()
    member.follow(LOG, 700)
    path = tile_path(0, 2, 700 - 512)
    member.copy.kept[path] = wrong(member.copy.kept[path], 3)
    with pytest.raises(Invalid, match=r"ledger\.mirror_damaged"):
        member.start()


def test_an_altered_entry_that_is_not_mirrored_yet_is_never_signed():
    member = at(0, 1000)
    member.bring(LOG, 0, 1000, most=3)
    member.copy.kept[bundle_path(1)] = wrong(member.copy.kept[bundle_path(1)], 3)
    with pytest.raises(Invalid, match=r"ledger\.mirror_damaged"):
        member.start()
    for path in [path for path in member.copy.kept if not path.startswith("tile/entries")]:
        del member.copy.kept[path]
    member.start()
    answer = member.bring(LOG, 768, 1000)
    assert (answer.status, answer.body) == (503, b"ledger.mirror_damaged\n")
    assert member.mirror.checkpoint(ORIGIN) is None


def test_a_full_disk_changes_nothing_and_is_said():
    class Full(MemoryObjects):
        full = False

        def put(self, objects):
            if self.full:
                raise OSError(28, "No space left on device")
            super().put(objects)

    copy = Full()
    member = Member(copy=copy)
    member.follow(LOG, 300)
    member.show(LOG, 1000)
    copy.full = True
    answer = member.bring(LOG, 300, 1000)
    assert (answer.status, answer.body) == (503, b"ledger.member_storage_failed\n")
    assert member.next_entry == 300
    copy.full = False
    member.follow(LOG, 1000)
    must_hold(member, LOG, 1000)


def test_a_clock_that_goes_back_far_lets_nothing_be_signed():
    now = [AT + timedelta(days=1)]
    member = Member(clock=lambda: now[0])
    member.follow(LOG, 300)
    member.show(LOG, 700)
    now[0] = AT
    answer = member.bring(LOG, 300, 700)
    assert (answer.status, answer.body) == (503, b"ledger.clock_behind\n")
    now[0] += timedelta(days=2)
    member.follow(LOG, 700)


def test_a_member_without_a_mirror_answers_for_none():
    state = MemoryObjects(replaceable=("pending",))
    log = WatchedLog(origin=ORIGIN, keys=LOG_VERIFIERS, state=state)
    Witness.found(log)
    witness = Witness([log], WITNESS_KEYS, lambda: AT, lambda _: None)
    mirror = Mirror(witness, [log], MIRROR_KEYS, lambda: AT)
    assert witness.add_checkpoint(LOG.request(0)).status == 200
    assert mirror.add_entries(io.BytesIO(LOG.upload(0))).status == 404
    mirror.must_not_be_newer(at(300, 300).mirror.checkpoint(ORIGIN))
    assert not witness.lost


# ---- beside a naive mirror ------------------------------------------------------------------------------------------


class NaiveMirror:
    """Keeps a list of entries and builds the whole tree each time."""

    def __init__(self) -> None:
        self.entries: list[bytes] = []
        self.mirrored = -1
        self.pending: set[int] = set()

    def add_entries(self, log: GrowingLog, start: int, end: int, whole: list[bytes], sent: int) -> int:
        if not self.pending:
            return 422
        known = end in self.pending or end == self.mirrored
        if not known or end < self.mirrored or start > len(self.entries):
            return 409
        covered = start
        for index in range(sent):
            first = start // 256 * 256 + index * 256
            stop = min(first + 256, end)
            subtree = naive.mth(log.entries[first:stop])
            assert whole[index] == naive_packages(log.entries, start, end)[index]
            tree.verify_subtree(
                start=first,
                end=stop,
                subtree_root=subtree,
                size=end,
                root=naive.mth(log.entries[:end]),
                proof=naive.subproof(first, stop, log.entries[:end], known=True),
            )
            covered = stop
        self.entries += log.entries[len(self.entries) : covered]
        if sent == 0 and start < end:
            return 400
        if covered < end:
            return 202
        self.mirrored = max(self.mirrored, end)
        return 200


TINY = GrowingLog(*entries(800))
NAIVE_ROOTS = {size: naive.mth(TINY.entries[:size]) for size in range(0, 801, 20)}


class MirrorMachine(RuleBasedStateMachine):
    """Random batches, cuts, retries, uploads of what is held already, restarts."""

    def __init__(self) -> None:
        super().__init__()
        self.member = Member()
        self.naive = NaiveMirror()

    @rule(more=some.integers(1, 10))
    def show(self, more):
        size = min(800, self.member.pending + 20 * more)
        assert self.member.show(TINY, size).status == 200
        self.naive.pending.add(size)

    @rule(back=some.integers(-1, 300), end=some.integers(0, 40), most=some.integers(0, 4), extra=some.integers(0, 100))
    def upload(self, back, end, most, extra):
        end = self.member.pending if end > 30 else end * 20
        start = min(max(self.member.next_entry - back, 0), end)
        whole = list(packages(TINY.tiles(), start, end))
        sent = whole[:most]
        rest = whole[most][: min(extra, len(whole[most]) - 1)] if most < len(whole) else b""
        body = upload_header(ORIGIN, start, end) + b"".join(sent) + rest
        expected = self.naive.add_entries(TINY, start, end, sent, len(sent))
        assert self.member.mirror.add_entries(io.BytesIO(body)).status == expected

    @rule()
    def restart(self):
        self.member.start()
        self.naive.pending &= {self.member.pending}

    @invariant()
    def holds_what_the_naive_one_holds(self):
        assert self.member.next_entry == len(self.naive.entries)
        note = self.member.mirror.checkpoint(ORIGIN)
        assert (note is None) == (self.naive.mirrored < 0)
        if note is not None:
            checkpoint, _ = open_checkpoint(note, MIRROR_VERIFIERS)
            assert (checkpoint.size, checkpoint.root) == (self.naive.mirrored, NAIVE_ROOTS[self.naive.mirrored])

    def teardown(self):
        if self.naive.mirrored > 0:
            must_hold(self.member, TINY, self.naive.mirrored)


MirrorMachine.TestCase.settings = settings(max_examples=15, stateful_step_count=12, deadline=None)
TestMirrorMachine = MirrorMachine.TestCase


def test_signatures_of_strangers_do_not_reach_the_copy():
    member = Member()
    member.follow(LOG, 300)
    names = {(each.name, each.key_id) for each in Note.parse(member.copy.get(CHECKPOINT)).signatures}
    assert names == {(key.name, key.key_id) for key in (*LOG_VERIFIERS, *MIRROR_VERIFIERS)}
    assert isinstance(Note.parse(member.copy.get(CHECKPOINT)).signatures[0], NoteSignature)
    assert TILE_WIDTH == 256
