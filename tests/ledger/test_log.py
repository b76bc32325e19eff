"""The one writer when all goes well, when two race, and when stores contradict each other."""

import copy
import threading
from collections.abc import Mapping
from contextlib import closing
from hashlib import sha256
from typing import Self

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from world.ledger import AT, KEYS, ORIGIN, VERIFIERS, Clock, LedgerWorld, entry_of, statements
from world.patience import HANG

from chopmark.base.errors import Invalid, Unavailable
from chopmark.base.wording import say
from chopmark.ledger.checkpoint import Checkpoint, open_checkpoint, sign_checkpoint
from chopmark.ledger.cose import PublicKey
from chopmark.ledger.cose_receipt import SealedRoot
from chopmark.ledger.keys import ED25519, SigningKey
from chopmark.ledger.log import Batch, Log, journal_name
from chopmark.ledger.stores import CHECKPOINT, DurabilityLost, Head
from chopmark.ledger.stores.files import FileJournal, FileObjects
from chopmark.ledger.stores.memory import MemoryBook, MemoryObjects
from chopmark.ledger.stores.sql import sqlite_book
from chopmark.ledger.tree import leaf_hashes


@pytest.fixture
def world() -> LedgerWorld:
    return LedgerWorld()


def naive_root(hashes: list[bytes]) -> bytes:
    """RFC 6962 §2.1 as it is written."""
    if len(hashes) < 2:
        return hashes[0] if hashes else sha256(b"").digest()
    split = 1 << ((len(hashes) - 1).bit_length() - 1)
    return sha256(b"\x01" + naive_root(hashes[:split]) + naive_root(hashes[split:])).digest()


def test_a_batch_becomes_part_of_the_log(world):
    world.enqueue(b"one", b"two")
    log = world.log()
    assert log.step() == 2
    assert log.step() == 0
    world.audit(b"one", b"two")
    assert world.journal.names() == []
    assert world.book.pending_count() == 0


def test_the_checkpoint_carries_every_key_and_its_seal_the_same_root(world):
    world.publish(b"one")
    published = world.book.latest()
    checkpoint, signatures = open_checkpoint(world.objects.get(CHECKPOINT), VERIFIERS)
    assert checkpoint == Checkpoint(origin=ORIGIN, size=1, root=published.root)
    assert [signature.key for signature in signatures] == VERIFIERS
    assert published.note == world.objects.get(CHECKPOINT)
    sealed = SealedRoot.parse(published.sealed_root)
    sealed.verify(published.root, PublicKey(algorithm=-8, x=VERIFIERS[0].public))
    assert (sealed.origin, sealed.size) == (ORIGIN, 1)


@settings(deadline=None, max_examples=15)
@given(st.lists(st.integers(1, 300), min_size=1, max_size=6))
def test_the_log_does_not_depend_on_how_it_was_cut_into_batches(batches):
    world = LedgerWorld()
    log, start = world.log(), 0
    for count in batches:
        world.enqueue(*statements(count, start))
        assert log.step() == count
        start += count
    everything = list(statements(start))
    world.audit(*everything)
    assert world.book.head() == Head(size=start, root=naive_root(leaf_hashes(everything)))


def test_outgrown_partial_tiles_are_cleared_away_and_needed_ones_kept(world):
    for count, start in ((100, 0), (100, 100), (100, 200)):
        world.publish(*statements(count, start))
    assert world.objects.names("tile/0/000.p") == []
    assert world.objects.names("tile/entries/000.p") == []
    assert world.objects.names("tile/0/001.p") == ["tile/0/001.p/44"]
    assert world.objects.names("tile/entries/001.p") == ["tile/entries/001.p/44"]
    world.audit(*statements(300))


def test_a_step_takes_no_more_than_its_limit(world):
    world.enqueue(*statements(10))
    log = world.log()
    assert [log.step(4), log.step(4), log.step(4)] == [4, 4, 2]
    world.audit(*statements(10))


def test_a_step_takes_no_more_bytes_than_its_limit_but_always_one_statement(world, monkeypatch):
    monkeypatch.setattr("chopmark.ledger.log.MAX_BATCH_BYTES", 30)
    made = [b"a" * 10, b"b" * 20, b"c" * 31, b"d" * 30, b"e"]
    world.enqueue(*made)
    log = world.log()
    assert [log.step() for _ in range(5)] == [2, 1, 1, 1, 0]
    world.audit(*made)


def test_equal_statements_are_one_entry_whenever_they_come(world):
    world.enqueue(b"same", b"same")
    log = world.log()
    log.step()
    world.enqueue(b"same", b"other")
    log.step()
    world.audit(b"same", b"other")


class Record:
    """Passes every call on and remembers it."""

    def __init__(self, name: str, inner: object, calls: list[str]) -> None:
        self._name, self._inner, self._calls = name, inner, calls

    def __getattr__(self, method: str):
        def call(*arguments):
            what = ""
            if method == "put":
                what = " checkpoint" if CHECKPOINT in arguments[0] else f" {len(arguments[0])}"
            self._calls.append(f"{self._name}.{method}{what}")
            return getattr(self._inner, method)(*arguments)

        return call


def test_the_order_of_a_step_is_the_written_one(world):
    calls: list[str] = []

    def clock():
        calls.append("signs")
        return AT

    objects, journal, book = (Record(name, getattr(world, name), calls) for name in ("objects", "journal", "book"))
    log = Log(ORIGIN, objects, journal, book, KEYS, clock)
    log.recover()
    world.enqueue(b"one")
    calls.clear()
    log.step()
    assert calls == [
        "book.hold",
        "book.pending",
        "journal.put 1",
        "book.swap",
        "objects.put 2",
        "book.latest",
        "signs",
        "book.latest",
        "objects.put checkpoint",
        "book.settle",
        "journal.names",
        "journal.delete",
        "objects.delete",
    ]


def test_a_log_needs_one_plain_key_of_its_own_name(world):
    others = [SigningKey.generate("other.test/log", ED25519), KEYS[1]]
    for keys in ([], others, [KEYS[0], KEYS[0]]):
        with pytest.raises(Invalid, match=r"ledger\.log_key_wrong"):
            Log(ORIGIN, world.objects, world.journal, world.book, keys, world.clock)


# ---- two writers -----------------------------------------------------------------------------------------------------


def test_a_second_writer_on_the_same_journal_does_not_start(tmp_path):
    world = LedgerWorld(journal=FileJournal(tmp_path))
    first, second = world.log(), world.log(journal=FileJournal(tmp_path))
    first.recover()
    with pytest.raises(Unavailable, match=r"ledger\.writer_running"):
        second.recover()
    first.close()
    second.recover()
    second.close()


def test_the_loser_of_a_swap_has_signed_and_written_nothing(world):
    first, second = world.log(), world.log(journal=MemoryObjects())
    first.recover()
    second.recover()
    world.enqueue(b"one")
    first.step()
    world.enqueue(b"two")
    before, shown, time = dict(world.objects.kept), list(world.shown), world.clock.at
    with pytest.raises(Unavailable, match=r"ledger\.log_moved"):
        second.step()
    assert (world.objects.kept, world.shown, world.clock.at) == (before, shown, time)
    assert second.step() == 1, "and goes on from where the other left the log"
    world.audit(b"one", b"two")


class During(MemoryObjects):
    """Lets something happen once, between the swap and the tiles of the writer that uses it."""

    def happens(self, what) -> None:
        self.what = what

    def put(self, objects: Mapping[str, bytes]) -> None:
        what, self.what = getattr(self, "what", None), None
        if what is not None:
            what()
        super().put(objects)


def test_a_loser_with_the_very_same_batch_leaves_it_to_the_winner():
    world = LedgerWorld(objects=During())
    first, second = world.log(), world.log(journal=MemoryObjects())
    first.recover()
    second.recover()
    world.enqueue(b"one")
    codes = []

    def lose() -> None:
        for _ in range(2):
            with pytest.raises(Unavailable) as caught:
                second.step()
            codes.append(caught.value.code)

    world.objects.happens(lose)
    first.step()
    assert codes == ["ledger.log_moved", "ledger.journal_missing"]
    assert second.step() == 0
    world.audit(b"one")


def test_a_writer_that_was_taken_for_dead_does_not_put_an_older_checkpoint_back():
    world = LedgerWorld(objects=During())
    slow = world.log()
    slow.recover()
    world.enqueue(b"one")
    world.objects.happens(lambda: world.publish(b"two"))
    slow.step()
    assert open_checkpoint(world.objects.get(CHECKPOINT), VERIFIERS)[0].size == 2
    world.audit(b"one", b"two")


@pytest.mark.parametrize("kind", ["memory", "files"])
def test_writers_that_race_write_every_entry_exactly_once(kind, tmp_path):
    if kind == "memory":
        world = LedgerWorld()
        journals = [MemoryObjects(), MemoryObjects()]
    else:
        book = sqlite_book(tmp_path / "book.sqlite")
        book.hold = lambda: False  # two homes that share one database file: nobody is kept out
        world = LedgerWorld(objects=FileObjects(tmp_path / "log"), book=book)
        journals = [FileJournal(tmp_path / "first"), FileJournal(tmp_path / "second")]
    everything = list(statements(400))
    lost, crashed = [], []

    def write(journal) -> None:
        log = world.log(journal=journal)
        try:
            while world.book.pending_count() or not done.is_set():
                try:
                    log.step(7)
                except Unavailable as error:
                    lost.append(error.code)
        except BaseException as error:  # noqa: BLE001 (asserted below, in the test's own thread)
            crashed.append(error)
        finally:
            log.close()

    done = threading.Event()
    threads = [threading.Thread(target=write, args=(journal,)) for journal in journals]
    for thread in threads:
        thread.start()
    for start in range(0, 400, 20):
        world.enqueue(*everything[start : start + 20])
        world.enqueue(*everything[max(0, start - 10) : start + 10])
    done.set()
    for thread in threads:
        thread.join(HANG)
    assert crashed == []
    assert set(lost) <= {"ledger.log_moved", "ledger.journal_missing"}
    world.audit(*everything)
    if kind == "files":
        world.book._transaction.close()


# ---- contradictions --------------------------------------------------------------------------------------------------


def rolled_back_book(world: LedgerWorld) -> None:
    old = MemoryBook()
    old.enqueue([entry_of(b"one")], AT)
    world.book = old


def lost_files(world: LedgerWorld) -> None:
    world.objects.kept.clear()


def old_files(world: LedgerWorld) -> None:
    kept = dict(world.objects.kept)
    world.publish(b"three")
    world.objects.kept.clear()
    world.objects.kept.update(kept)


def another_history(world: LedgerWorld) -> None:
    other = LedgerWorld()
    other.publish(b"eins", b"zwei")
    world.objects = other.objects


def altered_tile(world: LedgerWorld) -> None:
    path = "tile/0/000.p/2"
    world.objects.kept[path] = bytes(32) + world.objects.kept[path][32:]


def missing_tile(world: LedgerWorld) -> None:
    del world.objects.kept["tile/0/000.p/2"]


def foreign_checkpoint(world: LedgerWorld) -> None:
    root = world.book.head().root
    key = SigningKey.generate("other.test/log", ED25519)
    point = Checkpoint(origin="other.test/log", size=2, root=root)
    world.objects.kept[CHECKPOINT] = sign_checkpoint(point, [key], AT)


def signed_for_another_log(world: LedgerWorld) -> None:
    point = Checkpoint(origin="other.test/log", size=2, root=world.book.head().root)
    world.objects.kept[CHECKPOINT] = sign_checkpoint(point, KEYS, AT)


def decided_elsewhere(world: LedgerWorld) -> None:
    world.book.swap(world.book.head(), Head(size=3, root=b"?" * 32))


def journal_of_another_batch(world: LedgerWorld) -> None:
    old, new = world.book.head(), Head(size=3, root=b"?" * 32)
    batch = Batch(old=old, new=new, entries=(entry_of(b"another"),))
    world.journal.put({journal_name(old, new): batch.encode()})
    world.book.swap(old, new)


def journal_cut_short(world: LedgerWorld) -> None:
    old, new = world.book.head(), Head(size=3, root=b"?" * 32)
    world.journal.put({journal_name(old, new): b"\x86\x02"})
    world.book.swap(old, new)


CONTRADICTIONS = {
    "a backup of the database was brought back": (rolled_back_book, Invalid, "ledger.database_behind"),
    "the files are gone": (lost_files, Invalid, "ledger.files_behind"),
    "an old copy of the files was brought back": (old_files, Invalid, "ledger.files_behind"),
    "files and database belong to different logs": (another_history, Invalid, "ledger.heads_differ"),
    "a tile was altered": (altered_tile, Invalid, "ledger.files_differ"),
    "a tile is missing": (missing_tile, Unavailable, "ledger.object_missing"),
    "the checkpoint is signed by others": (foreign_checkpoint, Invalid, "ledger.signature_missing"),
    "the checkpoint names another log": (signed_for_another_log, Invalid, "ledger.heads_differ"),
    "the journal of the last writer is missing": (decided_elsewhere, Unavailable, "ledger.journal_missing"),
    "the journal holds another batch": (journal_of_another_batch, Invalid, "ledger.journal_wrong"),
    "the journal is cut short": (journal_cut_short, Invalid, "ledger.journal_wrong"),
}


@pytest.mark.parametrize("case", CONTRADICTIONS)
def test_a_log_that_contradicts_itself_is_not_written_to(case, world):
    spoil, kind, code = CONTRADICTIONS[case]
    world.publish(b"one", b"two")
    spoil(world)
    world.enqueue(b"waiting")
    before = (dict(world.objects.kept), dict(world.journal.kept), copy.copy(world.book.__dict__), list(world.shown))
    log = world.log()
    for _ in range(2):
        with pytest.raises(kind) as caught:
            log.step()
        assert caught.value.code == code
        for language in ("en", "zh"):
            assert "{" not in say(code, caught.value.facts, language)
    assert before == (world.objects.kept, world.journal.kept, world.book.__dict__, world.shown)


def test_a_lost_journal_can_be_brought_back(world):
    world.publish(b"one")
    world.enqueue(b"two")
    log = world.log()
    log.recover()
    world.book.settle = None  # the process ends before it settles
    with pytest.raises(TypeError):
        log.step()
    del world.book.settle
    elsewhere = dict(world.journal.kept)
    world.journal.kept.clear()
    with pytest.raises(Unavailable, match=r"ledger\.journal_missing"):
        world.log().recover()
    world.journal.kept.update(elsewhere)
    world.log().recover()
    world.audit(b"one", b"two")


def test_batches_that_lost_are_forgotten_only_when_they_cannot_win_any_more(world):
    log = world.log()
    world.publish(b"one")
    lost = journal_name(Head(), Head(size=1, root=b"x" * 32))
    may_win = journal_name(world.book.head(), Head(size=2, root=b"y" * 32))
    world.journal.put({lost: b"", may_win: b""})
    log.recover()
    assert world.journal.names() == [may_win]


class Unconfirmed(MemoryObjects):
    """The disk does not confirm."""

    def put(self, objects: Mapping[str, bytes]) -> None:
        raise DurabilityLost(next(iter(objects)))


def test_after_lost_durability_the_log_refuses_to_go_on():
    world = LedgerWorld(objects=Unconfirmed())
    world.enqueue(b"one")
    log = world.log()
    with pytest.raises(DurabilityLost):
        log.step()
    world.objects.__class__ = MemoryObjects
    for use in (log.step, log.recover):
        with pytest.raises(DurabilityLost, match="earlier"):
            use()
    with closing(world.log()) as restarted:
        restarted.recover()
    world.audit(b"one")


# ---- the loop --------------------------------------------------------------------------------------------------------


class Loop:
    """`run` in a thread, with what it reported."""

    def __init__(self, log: Log, **options) -> None:
        self.reports: list[tuple[str, dict]] = []
        self.heard = threading.Condition()
        self.stop = threading.Event()
        self.crashed: BaseException | None = None
        self._thread = threading.Thread(target=self._run, args=(log, options))

    def _run(self, log: Log, options: dict) -> None:
        try:
            log.run(self.stop, report=self._report, **options)
        except BaseException as error:  # noqa: BLE001 (asserted in the test's own thread)
            self.crashed = error

    def _report(self, event: str, facts: Mapping) -> None:
        with self.heard:
            self.reports.append((event, dict(facts)))
            self.heard.notify_all()

    def wait_for(self, event: str) -> dict:
        with self.heard:
            assert self.heard.wait_for(lambda: any(name == event for name, _ in self.reports), HANG)
            return next(facts for name, facts in self.reports if name == event)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_) -> None:
        self.stop.set()
        self._thread.join(HANG)


class Pauses(threading.Event):
    """Remembers how long it was asked to wait."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[float] = []

    def wait(self, timeout: float | None = None) -> bool:
        self.asked.append(timeout)
        return super().wait(timeout)


def test_a_backlog_is_written_without_pauses(world, monkeypatch):
    monkeypatch.setattr("chopmark.ledger.log.MAX_BATCH", 4)
    world.enqueue(*statements(9))
    loop = Loop(world.log(), interval=0.04, count=1)
    loop.stop = Pauses()
    with loop, loop.heard:
        assert loop.heard.wait_for(lambda: len(loop.reports) == 3, HANG)
    assert [facts["entries"] for _, facts in loop.reports] == [4, 4, 1]
    assert loop.stop.asked[:4] == [0.01, 0.0, 0.0, 0.01]


def test_the_loop_writes_when_the_oldest_has_waited_long_enough(world):
    with Loop(world.log(), interval=0.01, count=1000) as loop:
        world.enqueue(b"one")
        assert loop.wait_for("written") == {"entries": 1, "size": 1}
    assert loop.crashed is None
    world.audit(b"one")


def test_the_loop_writes_at_once_when_enough_wait(world):
    world.enqueue(*statements(5))
    with Loop(world.log(), interval=1.0, count=5) as loop:
        assert loop.wait_for("written") == {"entries": 5, "size": 5}


def test_the_loop_reports_what_does_not_answer_and_goes_on(world):
    class Flaky(MemoryBook):
        failures = 2

        def pending(self, limit):
            if self.failures:
                self.failures -= 1
                raise Unavailable("ledger.database_unavailable")
            return super().pending(limit)

    world.book = Flaky()
    world.enqueue(b"one")
    with Loop(world.log(), interval=0.01) as loop:
        loop.wait_for("written")
    assert [facts for event, facts in loop.reports if event == "waiting"] == [
        {"code": "ledger.database_unavailable"}
    ] * 2
    world.audit(b"one")


def test_the_loop_ends_with_what_is_no_passing_trouble(world):
    class Broken(MemoryBook):
        def pending(self, limit):
            raise Invalid("ledger.checkpoint_conflict", size=limit)

    world.book = Broken()
    world.enqueue(b"one")
    with Loop(world.log(), interval=0.01) as loop:
        loop._thread.join(HANG)
    assert isinstance(loop.crashed, Invalid)


def test_the_loop_does_not_start_on_a_log_that_another_writes(world, tmp_path):
    held = FileJournal(tmp_path)
    held.hold()
    with Loop(world.log(journal=FileJournal(tmp_path))) as loop:
        loop._thread.join(HANG)
    held.release()
    assert loop.crashed.code == "ledger.writer_running"


def test_the_clock_is_read_once_a_checkpoint(world):
    world.enqueue(b"one")
    world.clock = Clock()
    world.log().step()
    assert world.book.latest().at == world.clock.at
