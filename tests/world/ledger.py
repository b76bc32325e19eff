"""A log in memory with everything around it, and an auditor that trusts none of it.

world = LedgerWorld()
world.enqueue(b"one", b"two")
world.log().step()
world.audit(b"one", b"two")
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import sha256

from chopmark.ledger.audit import Audit, audit
from chopmark.ledger.consortium import Cosigners
from chopmark.ledger.keys import ED25519, MLDSA44_COSIGNATURE, SigningKey
from chopmark.ledger.log import Log
from chopmark.ledger.reader import LogReader
from chopmark.ledger.stores import CHECKPOINT, Book, Entry, Journal, Objects
from chopmark.ledger.stores.memory import MemoryBook, MemoryObjects

ORIGIN = "log.test/chopmark"
AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
KEYS = (
    SigningKey(name=ORIGIN, type=ED25519, seed=bytes(range(32))),
    SigningKey(name=ORIGIN, type=MLDSA44_COSIGNATURE, seed=bytes(range(32, 64))),
)
VERIFIERS = [key.verifier for key in KEYS]


class Clock:
    """A clock that goes on by a second each time it is read."""

    def __init__(self, at: datetime = AT) -> None:
        self.at = at

    def __call__(self) -> datetime:
        self.at += timedelta(seconds=1)
        return self.at


def entry_of(statement: bytes) -> Entry:
    """An entry found under the SHA-256 of its bytes."""
    return Entry.of(statement, [sha256(statement).digest()])


@dataclass
class LedgerWorld:
    """Stores and keys of one log; every checkpoint ever shown to the public is kept for the auditor."""

    objects: Objects = field(default_factory=MemoryObjects)
    journal: Journal = field(default_factory=lambda: MemoryObjects(replaceable=()))
    book: Book = field(default_factory=MemoryBook)
    clock: Clock = field(default_factory=Clock)
    shown: list[bytes] = field(default_factory=list)
    cosigners: Cosigners | None = None

    def log(self, *, journal: Journal | None = None) -> Log:
        """A writer, as after a start of the process."""
        objects = Watched(self.objects, self.shown)
        return Log(ORIGIN, objects, journal or self.journal, self.book, KEYS, self.clock, self.cosigners)

    def reader(self) -> LogReader:
        """What web and command line read with."""
        return LogReader(self.objects, self.book)

    def enqueue(self, *statements: bytes) -> None:
        """Let statements wait for the writer."""
        self.book.enqueue([entry_of(statement) for statement in statements], self.clock())

    def publish(self, *statements: bytes) -> None:
        """Let statements wait and write them."""
        self.enqueue(*statements)
        log = self.log()
        try:
            while log.step():
                pass
        finally:
            log.close()

    def audit(self, *expected: bytes) -> Audit:
        """Check everything: files, all checkpoints ever shown, the book; exactly the expected statements, once each."""
        found: list[bytes] = []
        result = audit(
            self.objects.get,
            VERIFIERS,
            statements=False,
            older=self.shown,
            entry=lambda _, statement: found.append(statement),
        )
        assert result.findings == ()
        assert sorted(found) == sorted(expected)
        assert self.book.head().size == len(found)
        assert self.book.positions([entry_of(each).leaf for each in found]) == {
            entry_of(each).leaf: position for position, each in enumerate(found)
        }
        reader = self.reader()
        for position, statement in list(enumerate(found))[:: max(1, len(found) // 50)]:
            assert self.book.find(sha256(statement).digest()) == [position]
            assert reader.entry(position) == statement
            published, _ = reader.inclusion(position)
            assert published.size > position
        return result


class Watched:
    """Objects that remember every checkpoint put."""

    def __init__(self, objects: Objects, shown: list[bytes]) -> None:
        self._objects = objects
        self._shown = shown
        self.get = objects.get
        self.delete = objects.delete
        self.exists = objects.exists
        self.names = objects.names

    def put(self, objects: Mapping[str, bytes]) -> None:
        """Keep the checkpoint before it is public: a crash on the way does not hide it."""
        if CHECKPOINT in objects:
            self._shown.append(objects[CHECKPOINT])
        self._objects.put(objects)


def statements(count: int, start: int = 0) -> Iterable[bytes]:
    """Distinct statements."""
    return [f"statement {number}".encode() for number in range(start, start + count)]
