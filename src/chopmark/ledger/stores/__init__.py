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
from datetime import UTC, datetime, timedelta
from typing import Protocol

from chopmark.base import cbor
from chopmark.base.errors import Fact, Invalid
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
        member_seals: the same from members of the consortium (`cose_receipt.SealedRoot`), in the policy's order.
    """

    size: int
    root: bytes
    note: bytes = field(repr=False)
    sealed_root: bytes = field(repr=False)
    at: datetime
    member_seals: tuple[bytes, ...] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberState:
    """How the writer finds one member of the consortium.

    Attributes:
        name: as on its card.
        size: of the largest checkpoint that it cosigned for this writer; 0 when none since the writer's start.
        at: when that cosignature came, by the writer's clock.
        next_entry: how many entries it holds, as far as the writer knows.
        trouble: error code of the last failed call; None while all is well.
        since: since when it has been so, well or in this trouble.
        alarms: how many alarms about this log it says it has raised; None when that was not heard.
        alarm: code of the newest.
        alarm_at: its time, by the member's clock.
        alarm_facts: what it says of it.
    """

    name: str
    size: int = 0
    at: datetime | None = None
    next_entry: int = 0
    trouble: str | None = None
    since: datetime
    alarms: int | None = None
    alarm: str | None = None
    alarm_at: datetime | None = None
    alarm_facts: Mapping[str, Fact] = field(default_factory=dict)

    def _encoded(self) -> list[object]:
        seen = [self.name, self.size, _us(self.at), self.next_entry, self.trouble, _us(self.since)]
        return [*seen, self.alarms, self.alarm, _us(self.alarm_at), dict(self.alarm_facts)]


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsortiumState:
    """What the writer last knew of the consortium; for people to look at, nothing is decided by it.

    Attributes:
        waiting_size: size of the checkpoint that waits for the quorum; None while none waits.
        waiting_since: since when.
        missing: names of the members that have not cosigned it, joined by spaces.
        members: each, in the order of the cards.
    """

    waiting_size: int | None = None
    waiting_since: datetime | None = None
    missing: str = ""
    members: tuple[MemberState, ...] = ()

    def encode(self) -> bytes:
        """As CBOR; times in microseconds since 1970."""
        members = [each._encoded() for each in self.members]  # noqa: SLF001 (its other half stands here)
        return cbor.encode([self.waiting_size, _us(self.waiting_since), self.missing, members])

    @classmethod
    def parse(cls, data: bytes) -> ConsortiumState:
        """Read what `encode` wrote; a row that this version does not understand is as good as none."""
        try:
            waiting, since, missing, members = cbor.decode(data)
            return cls(
                waiting_size=waiting,
                waiting_since=_moment(since),
                missing=missing,
                members=tuple(
                    MemberState(
                        name=name,
                        size=size,
                        at=_moment(at),
                        next_entry=next_entry,
                        trouble=trouble,
                        since=_EPOCH + timedelta(microseconds=of),
                        alarms=alarms,
                        alarm=alarm,
                        alarm_at=_moment(alarm_at),
                        alarm_facts=facts,
                    )
                    for name, size, at, next_entry, trouble, of, alarms, alarm, alarm_at, facts in members
                ),
            )
        except (Invalid, ValueError, TypeError):
            return cls()


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def _us(at: datetime | None) -> int | None:
    return None if at is None else (at - _EPOCH) // timedelta(microseconds=1)


def _moment(microseconds: int | None) -> datetime | None:
    return None if microseconds is None else _EPOCH + timedelta(microseconds=microseconds)


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

    def hold(self) -> bool:
        """Take the log for this writer alone, or see that it still has it; again is no error.

        Whether others are kept out: True, then a batch that a former writer left may be finished from here; False
        where the book cannot tell, then only the writer that decided on a batch may finish it.

        Raises:
            Unavailable: `ledger.writer_elsewhere` when another writer has it.
        """

    def release(self) -> None:
        """Give it back; the end of the connection does the same."""

    def swap(self, old: Head, new: Head, entries: Sequence[Entry] = ()) -> None:
        """Compare-and-swap of the head: the one place where two writers meet. What was decided on is recorded with it.

        Raises:
            Unavailable: `ledger.log_moved` when the head is not `old`; nothing is changed then.
        """

    def decided(self) -> list[Entry]:
        """The entries that the last swap decided on, in order, as long as they are not settled.

        One that waits no more is missing, so who uses them compares the root.
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

    def note_consortium(self, state: ConsortiumState) -> None:
        """Keep what the writer knows of the members, in place of what was kept before."""

    def consortium(self) -> ConsortiumState:
        """What was kept last; empty when nothing was."""


def must_follow(settled: int, first: int, entries: Sequence[Entry], published: Published) -> None:
    """A batch is settled right behind the one before; anything else is a bug of the writer."""
    if first != settled or first + len(entries) != published.size or not entries:
        raise ValueError(f"{len(entries)} entries at {first} do not lead from size {settled} to {published.size}")
