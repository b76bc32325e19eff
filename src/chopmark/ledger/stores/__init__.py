"""What the writer keeps and where: objects (the static files), the journal, the book (the database side).

Here stand the values and the three interfaces; `memory`, `files` and `sql` implement them, and one contract suite
(`tests/ledger/test_stores.py`) holds for all. Nothing here computes a hash of a tree or signs anything.

    Objects   the public log as C2SP tlog-tiles; immutable but for `checkpoint`
    Journal   objects of one writer alone, with an exclusive hold on them
    Book      what waits, which size is decided, what is published, where a digest is found
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from chopmark.base.errors import Invalid
from chopmark.ledger.tiles import MAX_ENTRY
from chopmark.ledger.tree import EMPTY_ROOT, HASH_SIZE, leaf_hash

CHECKPOINT = "checkpoint"


class DurabilityLost(BaseException):
    """The operating system did not confirm that bytes are on the disk.

    What is in its cache and what is on the disk may now differ, and asking again proves nothing (a second fsync may
    succeed without having written). The process must end; the next start recovers from what the disk holds.
    It is no `Exception`, so nothing catches it by accident.
    """


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """The size that the book has decided on, and its root.

    Attributes:
        size: number of entries.
        root: 32 bytes.
    """

    size: int = 0
    root: bytes = EMPTY_ROOT


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """Bytes for the ledger on their way.

    Attributes:
        leaf: RFC 6962 leaf hash of the statement, 32 bytes; equal leaves are one entry.
        statement: 1 to 65,535 bytes.
        search_keys: digests under which the public finds it, 32 bytes each; may be empty.
    """

    leaf: bytes
    statement: bytes = field(repr=False)
    search_keys: tuple[bytes, ...] = ()

    @classmethod
    def of(cls, statement: bytes, search_keys: Iterable[bytes] = ()) -> Entry:
        """The entry of a statement, its leaf hash computed."""
        return cls(leaf=leaf_hash(statement), statement=statement, search_keys=tuple(search_keys))

    def must_fit(self) -> None:
        """Check what every later step relies on.

        Raises:
            Invalid: `ledger.entry_unfit` when a length is out of range or the leaf is another entry's.
        """
        sizes = {len(self.leaf), *map(len, self.search_keys)}
        if sizes != {HASH_SIZE} or not 0 < len(self.statement) <= MAX_ENTRY or self.leaf != leaf_hash(self.statement):
            raise Invalid("ledger.entry_unfit", size=len(self.statement), limit=MAX_ENTRY)


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """A checkpoint that the public can see.

    Attributes:
        size: number of entries.
        root: 32 bytes.
        note: the signed note.
        sealed_root: the log's signature for COSE Receipts, from `cose_receipt.sign_root`.
        at: when it was signed.
    """

    size: int
    root: bytes
    note: bytes = field(repr=False)
    sealed_root: bytes = field(repr=False)
    at: datetime


def split_keys(joined: bytes) -> tuple[bytes, ...]:
    """Search keys from their bytes one behind the other."""
    if len(joined) == HASH_SIZE:  # of most entries
        return (joined,)
    return tuple(joined[here : here + HASH_SIZE] for here in range(0, len(joined), HASH_SIZE))


class Objects(Protocol):
    """Bytes under paths like `tile/0/x001/234.p/5`."""

    def get(self, path: str) -> bytes:
        """The bytes at a path.

        Raises:
            Unavailable: `ledger.object_missing`.
            Invalid: `ledger.path_malformed`.
        """

    def put(self, objects: Mapping[str, bytes]) -> None:
        """Keep all of these; they are durable when this returns. Equal bytes may be put again.

        Raises:
            Invalid: `ledger.object_conflict` when other bytes are at a path that is not replaceable.
            DurabilityLost: the disk did not confirm.
        """

    def delete(self, paths: Iterable[str]) -> None:
        """Forget these, where they exist. May come back after a power loss; harmless where this is used."""

    def exists(self, path: str) -> bool:
        """Whether there are bytes at the path."""

    def names(self, folder: str = "") -> list[str]:
        """The paths directly in a folder, sorted; empty when there is no such folder."""


class Journal(Objects, Protocol):
    """Objects that one writer alone uses."""

    def hold(self) -> None:
        """Take the journal for this writer; again is no error.

        Raises:
            Unavailable: `ledger.writer_running` when another writer has it.
        """

    def release(self) -> None:
        """Give it back; the end of the process does the same."""


OnSettled = Callable[[int, Sequence[Entry], datetime], None]
"""`(position of the first, entries, time of the checkpoint)`, called inside the transaction that settles them."""


class Book(Protocol):
    """The database side of the log."""

    def enqueue(self, entries: Sequence[Entry], at: datetime) -> None:
        """Let entries wait for the writer, in this order; those that wait or are published already are left out.

        Joins the caller's transaction, so that a deposit and its entry become durable together.

        Raises:
            Invalid: `ledger.entry_unfit`; then none of them waits.
        """

    def pending(self, limit: int) -> list[Entry]:
        """What waits, oldest first. Only the writer calls this."""

    def pending_count(self) -> int:
        """How many wait."""

    def head(self) -> Head:
        """The size decided on."""

    def swap(self, old: Head, new: Head) -> None:
        """Compare-and-swap of the head: the one place where two writers meet.

        Raises:
            Unavailable: `ledger.log_moved` when the head is not `old`; nothing is changed then.
        """

    def settle(self, first: int, entries: Sequence[Entry], published: Published) -> None:
        """Record a published batch in one transaction: positions, digests, checkpoint; the entries wait no more.

        Again with the same batch is no error and changes nothing.

        Raises:
            Invalid: `ledger.checkpoint_conflict` when another root is recorded for this size.
        """

    def positions(self, leaves: Iterable[bytes]) -> dict[bytes, int]:
        """Where these leaves stand; those not yet published are missing."""

    def find(self, digest: bytes, limit: int = 100) -> list[int]:
        """Positions of the entries with this search key, earliest first."""

    def checkpoint_for(self, position: int) -> Published:
        """The earliest published checkpoint that covers a position.

        Raises:
            Unavailable: `ledger.not_published`.
        """

    def latest(self) -> Published | None:
        """The checkpoint of greatest size."""

    def checkpoints(self, before_size: int, limit: int) -> list[Published]:
        """Checkpoints smaller than a size, greatest first."""


def must_follow(settled: int, first: int, entries: Sequence[Entry], published: Published) -> None:
    """A batch is settled right behind the one before; anything else is a bug of the writer."""
    if first != settled or first + len(entries) != published.size or not entries:
        raise ValueError(f"{len(entries)} entries at {first} do not lead from size {settled} to {published.size}")
