"""A crash at every line of a step, and real kills at random moments: nothing lost, nothing twice, no history rewritten.

The table in `docs/trust.md` names the tests of this file.
"""

from __future__ import annotations

import os
import random
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from world.ledger import LedgerWorld, statements
from world.patience import HANG

from chopmark.ledger.checkpoint import Checkpoint
from chopmark.ledger.consortium import Gathered, MemberState
from chopmark.ledger.log import Log
from chopmark.ledger.stores import CHECKPOINT
from chopmark.ledger.stores.files import FileJournal, FileObjects
from chopmark.ledger.stores.memory import MemoryBook
from chopmark.ledger.stores.sql import SqlBook, create_tables, postgres_transactions, sqlite_transactions

PUBLISHED, WAITING = list(statements(200)), list(statements(120, 200))
"""Together they fill a tile and a bundle, so that partial ones are outgrown."""


class Killed(BaseException):
    """The process ends here."""


class Fuse:
    """Ends the process at the n-th line that changes something."""

    def __init__(self, line: int) -> None:
        self._left = line
        self.lines: list[str] = []

    def burn(self, line: str) -> None:
        self.lines.append(line)
        if len(self.lines) == self._left:
            raise Killed(line)


class Fused:
    """A store whose every change passes a fuse before and after; a put of several objects, between them too."""

    def __init__(self, name: str, inner: object, fuse: Fuse) -> None:
        self._name, self._inner, self._fuse = name, inner, fuse

    def __getattr__(self, method: str):
        call = getattr(self._inner, method)
        if method == "put":
            return self._put
        if method not in {"swap", "settle", "delete", "gather"}:
            return call

        def fused(*arguments):
            self._fuse.burn(f"before {self._name}.{method}")
            result = call(*arguments)
            self._fuse.burn(f"after {self._name}.{method}")
            return result

        return fused

    def _put(self, objects: Mapping[str, bytes]) -> None:
        for path, data in objects.items():
            what = "checkpoint" if path == CHECKPOINT else self._name
            self._fuse.burn(f"before {what}.put")
            self._inner.put({path: data})
            self._fuse.burn(f"after {what}.put")


class Willing:
    """A consortium that agrees to everything."""

    def gather(self, signed: bytes, checkpoint: Checkpoint) -> Gathered:
        assert checkpoint.size
        return Gathered(note=signed)

    def follow(self, signed: bytes, checkpoint: Checkpoint) -> None:
        """Nobody is behind."""

    def states(self) -> tuple[MemberState, ...]:
        return ()

    def close(self) -> None:
        """Nothing is open."""


@pytest.fixture(params=["memory", "sqlite", "postgresql"])
def worlds(request, tmp_path):
    """Makes worlds with the published entries in them, one after the other."""
    closers = []

    def make() -> LedgerWorld:
        where = tmp_path / str(len(closers))
        book = MemoryBook()
        options = {}
        if request.param != "memory":
            where.mkdir()
            if request.param == "sqlite":
                transactions = sqlite_transactions(where / "book.sqlite")
            else:
                transactions = postgres_transactions(request.getfixturevalue("postgres_dsn"))
                with transactions() as cursor:
                    cursor.execute("DROP SCHEMA public CASCADE", ())
                    cursor.execute("CREATE SCHEMA public", ())
            with transactions() as cursor:
                create_tables(cursor, request.param)
            book = SqlBook(transactions, request.param, reading=transactions.reading)
            options = {"objects": FileObjects(where / "log"), "journal": FileJournal(where / "journal")}
            closers.append(transactions)
        world = LedgerWorld(book=book, cosigners=Willing(), **options)
        world.publish(*PUBLISHED)
        world.enqueue(*WAITING)
        return world

    yield make
    for each in closers:
        each.close()


@contextmanager
def writer(world: LedgerWorld, fuse: Fuse) -> Iterator[Log]:
    """A process with a fuse; what it held is free when it has ended."""
    whole = world.objects, world.journal, world.book, world.cosigners
    world.objects, world.journal, world.book, world.cosigners = (
        Fused(name, store, fuse) for name, store in zip(("tiles", "journal", "book", "members"), whole, strict=True)
    )
    log = world.log()
    world.objects, world.journal, world.book, world.cosigners = whole
    try:
        yield log
    finally:
        log.close()


def lines_of_a_step(world: LedgerWorld) -> list[str]:
    fuse = Fuse(0)
    with writer(world, fuse) as log:
        log.step()
    return fuse.lines


def test_a_crash_at_any_line_loses_nothing_and_writes_nothing_twice(worlds):
    lines = lines_of_a_step(worlds())
    expected = (
        "journal.put",
        "book.swap",
        "tiles.put",
        "members.gather",
        "checkpoint.put",
        "book.settle",
        "journal.delete",
    )
    assert {f"before {line}" for line in expected} | {f"after {line}" for line in expected} <= set(lines)
    for number, line in enumerate(lines, 1):
        world = worlds()
        with pytest.raises(Killed, match=line), writer(world, Fuse(number)) as log:
            log.step()
        world.publish()
        world.audit(*PUBLISHED, *WAITING)


def test_a_crash_at_any_line_of_the_recovery_is_recovered_from(worlds):
    for number in range(1, len(lines_of_a_step(worlds())) + 1):
        world = worlds()
        with pytest.raises(Killed), writer(world, Fuse(number)) as log:
            log.step()
        for again in range(1, 100):
            try:
                with writer(world, Fuse(again)) as log:
                    log.recover()
                break
            except Killed:
                continue
        world.publish()
        world.audit(*PUBLISHED, *WAITING)


def test_another_machine_goes_on_without_the_first_ones_journal(worlds, tmp_path):
    lines = lines_of_a_step(worlds())
    for line in dict.fromkeys(lines):
        number = lines.index(line) + 1
        world = worlds()
        if isinstance(world.book, MemoryBook):
            world.book.hold = lambda: True  # nobody else uses it
        with pytest.raises(Killed, match=line), writer(world, Fuse(number)) as log:
            log.step()
        world.journal = FileJournal(tmp_path / f"other {number}")
        world.publish()
        world.audit(*PUBLISHED, *WAITING)


def crash_at(world: LedgerWorld, line: str, time: int = 1) -> None:
    """End a step when it comes to a line for the first or second time; what comes before the step is not counted."""

    class At(Fuse):
        lit = False
        seen = 0

        def burn(self, here: str) -> None:
            self.seen += self.lit and here == line
            if self.seen == time:
                raise Killed(line)

    fuse = At(0)
    with pytest.raises(Killed), writer(world, fuse) as log:  # noqa: PT012 (two lines of one process)
        log.recover()
        fuse.lit = True
        log.step()


STATES = {
    "a quorum says what is newest: nothing has happened": ("after members.gather", 200, False, 200),
    "before the journal: nothing has happened": ("before journal.put", 200, False, 200),
    "journal written: nothing is decided": ("after journal.put", 200, True, 200),
    "before the swap: nothing is decided": ("before book.swap", 200, True, 200),
    "swapped: decided, nobody sees it": ("after book.swap", 320, True, 200),
    "some tiles written: decided, nobody sees it": ("after tiles.put", 320, True, 200),
    "before the quorum: tiles are there, nobody sees them": ("before members.gather", 320, True, 200, 2),
    "under the quorum: members hold it, nobody sees it": ("after members.gather", 320, True, 200, 2),
    "before the checkpoint: tiles are there, nobody sees them": ("before checkpoint.put", 320, True, 200),
    "checkpoint published: the book does not know": ("after checkpoint.put", 320, True, 320),
    "settled: only tidying is left": ("after book.settle", 320, True, 320),
    "journal removed: only old partial tiles are left": ("after journal.delete", 320, False, 320),
}


@pytest.mark.parametrize("state", STATES)
def test_what_a_crash_leaves_behind(state, worlds):
    line, head, journal, shown, *time = STATES[state]
    world = worlds()
    crash_at(world, line, *time)
    assert world.book.head().size == head
    assert bool(world.journal.names()) is journal
    assert world.log()._shown().size == shown
    world.publish()
    world.audit(*PUBLISHED, *WAITING)
    assert world.journal.names() == []


def test_what_waits_may_grow_between_crash_and_recovery(worlds):
    for line in ("after journal.put", "after book.swap", "after checkpoint.put"):
        world = worlds()
        crash_at(world, line)
        world.enqueue(*statements(20, 310))
        world.publish()
        world.audit(*statements(330))


def test_every_test_that_the_trust_page_names_exists():
    here = Path(__file__).resolve().parent
    page = (here.parent.parent / "docs" / "trust.md").read_text("utf-8")
    source = "".join(path.read_text("utf-8") for path in here.parent.rglob("test_*.py"))
    names = set(re.findall(r"`(test_\w+)", page))
    assert len(names) > 15
    assert [name for name in sorted(names) if f"def {name}(" not in source] == []
    starts = re.findall(r"\[([\w ]+)…\]", page)
    assert [start for start in starts if not any(state.startswith(start) for state in STATES)] == []


# ---- real processes ------------------------------------------------------------------------------------------------

CHILD = """
import sys
sys.path.insert(0, sys.argv[1])
from datetime import UTC, datetime
from threading import Thread
from world.ledger import KEYS, ORIGIN, entry_of
from chopmark.ledger.log import Log
from chopmark.ledger.stores.files import FileJournal, FileObjects
from chopmark.ledger.stores.sql import sqlite_book
home, number = sys.argv[2], sys.argv[3]
book = sqlite_book(home + "/book.sqlite")
now = lambda: datetime.now(UTC)

def deposit():
    for batch in range(100_000):
        names = [f"round {number} batch {batch} entry {entry}" for entry in range(1 + batch * 7 % 90)]
        book.enqueue([entry_of(name.encode()) for name in names], now())
        print(batch, len(names), flush=True)

log = Log(ORIGIN, FileObjects(home + "/log"), FileJournal(home + "/journal"), book, KEYS, now)
log.recover()
Thread(target=deposit, daemon=True).start()
while True:
    log.step(97)
"""


@pytest.mark.crash
def test_thirty_kills_at_random_moments_lose_nothing_and_rewrite_nothing(tmp_path):
    chance = random.Random(20261122)  # noqa: S311 (moments, not secrets)
    acknowledged: set[bytes] = set()
    shown: list[bytes] = []
    objects, journal = FileObjects(tmp_path / "log"), FileJournal(tmp_path / "journal")
    tests = str(Path(__file__).resolve().parent.parent)
    for number in range(30):
        child = subprocess.Popen(
            [sys.executable, "-c", CHILD, tests, str(tmp_path), str(number)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
        )
        with child:
            first = child.stdout.readline()
            assert first, child.stderr.read()
            time.sleep(chance.uniform(0, 0.12))
            child.send_signal(signal.SIGKILL)
            rest, errors = child.communicate(timeout=HANG)
        assert errors == "", "the recovery itself failed"
        for line in [first, *rest.splitlines(keepends=True)]:
            if line.endswith("\n"):
                batch, count = map(int, line.split())
                acknowledged |= {f"round {number} batch {batch} entry {entry}".encode() for entry in range(count)}
        if objects.exists(CHECKPOINT):
            shown.append(objects.get(CHECKPOINT))

    transactions = sqlite_transactions(tmp_path / "book.sqlite")
    with closing(transactions):
        book = SqlBook(transactions, "sqlite", reading=transactions.reading)
        world = LedgerWorld(objects=objects, journal=journal, book=book, shown=shown)
        world.publish()
        world.shown.extend(each.note for each in book.checkpoints(1 << 62, 100_000))
        size = book.head().size
        found = world.reader()
        everything = [statement for first in range(0, size, 1000) for statement in found.entries(first, 1000)]
        assert acknowledged <= set(everything)
        assert len(shown) > 30
        world.audit(*everything)
        assert journal.names() == []
