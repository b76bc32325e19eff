"""Two writers on one PostgreSQL database and one log: the one at work is killed, the other goes on where it stood.

CRASH_SEED repeats a run.
"""

from __future__ import annotations

import os
import random
import secrets
import shutil
import subprocess
import sys
import threading
import time
from collections import Counter
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime

import pytest
from world.node import statement
from world.patience import HANG
from world.postgres import postgres_dsn, postgres_server  # noqa: F401 (pytest finds fixtures here)
from world.running import COMMAND, Running

from chopmark.base.errors import Unavailable
from chopmark.ledger.audit import audit
from chopmark.ledger.keys import VerifierKey
from chopmark.ledger.statement import Statement, search_keys
from chopmark.ledger.stores import CHECKPOINT, Entry, Head
from chopmark.ledger.stores.files import FileObjects
from chopmark.ledger.stores.sql import SqlBook, postgres_transactions

pytestmark = pytest.mark.crash

SEED = int(os.environ.get("CRASH_SEED", "0")) or secrets.randbelow(1 << 32)
MOST_ROUNDS = 10
IN_THE_MIDDLE = 2  # kills that left a decided batch behind, after which it is enough


class Home(Running):
    """One machine's home, with a journal of its own."""

    def __init__(self, folder, dsn) -> None:
        super().__init__(folder, 0)
        self.dsn = dsn
        self.writer: subprocess.Popen[bytes] | None = None
        self.lines = folder.with_suffix(".out")

    @property
    def environment(self):
        return super().environment | {"CHOPMARK_DATABASE_URL": self.dsn, "CHOPMARK_INTERVAL": "0.05"}

    def beside(self, folder) -> Home:
        """A second machine: same settings, keys and log, nothing else."""
        other = Home(folder, self.dsn)
        folder.mkdir(mode=0o700)
        shutil.copytree(self.home / "keys", folder / "keys")
        shutil.copy(self.home / "config.toml", folder / "config.toml")
        (folder / "log").symlink_to(self.home / "log")
        return other

    def begin(self, *options) -> None:
        with self.lines.open("ab") as lines:
            self.writer = subprocess.Popen(
                [*COMMAND, "sequencer", *options], env=self.environment, stdout=lines, stderr=lines
            )

    def cut_off(self) -> None:
        self.writer.kill()
        self.writer.wait(HANG)

    def waits(self) -> bool:
        return "ledger.writer_elsewhere" in self.lines.read_text()


class Load(threading.Thread):
    """Lets statements wait for the writer without pause, and keeps what the public sees."""

    def __init__(self, dsn, files, chance) -> None:
        super().__init__(daemon=True)
        self._dsn, self._files, self._chance = dsn, files, chance
        self.ended = threading.Event()
        self.accepted: list[Entry] = []
        self.seen: set[bytes] = set()

    def run(self) -> None:
        with _book(self._dsn) as book:
            while not self.ended.wait(self._chance.uniform(0.01, 0.08)):
                numbers = range(len(self.accepted), len(self.accepted) + self._chance.randint(1, 8))
                raw = [statement(number) for number in numbers]
                entries = [Entry.of(each, search_keys(Statement.parse(each))) for each in raw]
                book.enqueue(entries, datetime.now(UTC))
                self.accepted += entries
                with suppress(Unavailable):
                    self.seen.add(self._files.get(CHECKPOINT))


@contextmanager
def _book(dsn):
    with closing(postgres_transactions(dsn)) as transactions:
        yield SqlBook(transactions, "postgresql", reading=transactions.reading)


def test_a_standby_finishes_what_was_decided_and_goes_on(tmp_path, postgres_dsn, capsys):  # noqa: F811 (the fixture)
    chance = random.Random(SEED)  # noqa: S311 (a repeatable load, no secret)
    active = Home(tmp_path / "first", postgres_dsn)
    active.chopmark("init", "--quiet")
    standby = active.beside(tmp_path / "second")
    files = FileObjects(active.home / "log")
    load = Load(postgres_dsn, files, random.Random(SEED + 1))  # noqa: S311 (the same)
    homes = (active, standby)
    active.begin()
    rounds = halves = 0
    with _book(postgres_dsn) as book:
        try:
            load.start()
            _until(lambda: book.latest().size > 100, homes)
            standby.begin("--standby")
            _until(standby.waits, homes)
            while halves < IN_THE_MIDDLE and rounds < MOST_ROUNDS:
                rounds += 1
                time.sleep(chance.uniform(0.0, 0.5))
                if rounds % 3:  # else at any moment
                    _until(lambda: book.head() != _published(book), homes, pause=0.0)
                    if rounds % 2:  # else at once: a quick machine publishes within milliseconds
                        time.sleep(chance.uniform(0.0, 0.01))
                active.cut_off()
                decided = book.head().size
                halves += _published(book).size < decided
                _until(lambda least=decided: book.latest().size > least, homes)
                active, standby = standby, active
                standby.lines.write_text("")
                standby.begin("--standby")
                _until(standby.waits, homes)
            load.ended.set()
            load.join(HANG)
            _until(lambda: not book.pending_count(), homes)
            for home in homes:
                home.writer.terminate()
                assert home.writer.wait(HANG) == 0
        finally:
            load.ended.set()
            for home in homes:
                if home.writer is not None:
                    home.cut_off()
        with capsys.disabled():
            sys.stdout.write(f"\nseed {SEED}: {len(load.accepted)} entries, {rounds} kills, {halves} in the middle\n")
        assert halves
        recorded = [each.note for each in book.checkpoints(1 << 62, 1 << 30)]
        positions = book.positions([entry.leaf for entry in load.accepted])
    _everything_is_there_once(files, active, load, recorded, positions)


def _everything_is_there_once(files, home, load, recorded, positions):
    keys = [
        VerifierKey.parse((home.home / "keys" / name).read_text().strip())
        for name in ("log.ed25519.pub", "log.mldsa44.pub")
    ]
    found: Counter[bytes] = Counter()
    places: dict[bytes, int] = {}

    def entry(position, raw):
        leaf = Entry.of(raw, ()).leaf
        found[leaf] += 1
        places[leaf] = position

    report = audit(files.get, keys, statements=False, older=[*recorded, *load.seen], entry=entry)
    assert report.findings == ()
    assert max(found.values()) == 1
    assert positions == {each.leaf: places[each.leaf] for each in load.accepted}


def _published(book):
    latest = book.latest()
    return Head(size=latest.size, root=latest.root)


def _until(fits, homes, pause=0.02):
    end = time.monotonic() + HANG
    while not fits():
        assert time.monotonic() < end, [home.lines.read_text()[-2000:] for home in homes if home.lines.exists()]
        time.sleep(pause)
