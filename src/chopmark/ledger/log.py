"""The one writer: takes what waits, makes it part of the log, publishes.

One batch, in this order; a crash between any two lines loses nothing and writes nothing twice:

 1 journal     the batch, under the name of the head it leads to, durable before anybody may rely on it
 2 swap        compare-and-swap of the head in the book decides; of two writers one wins, the other has changed nothing
 3 tiles       hashes and entries, durable
 4 sign        only now, so that no two contradicting checkpoints ever are
 5 gather      the quorum of the consortium cosigns, where there is one; without it the batch stays here and waits
 6 publish     the checkpoint with all signatures
 7 settle      positions, search index and checkpoint recorded, the entries wait no more: one transaction
 8 tidy        the journal's batch and outgrown partial tiles are removed

`recover` finds where the line was cut and goes on from there. It never overwrites: when files, journal and book
contradict each other it refuses and says what to bring back. `docs/trust.md` has the table, each row a test.

A journal belongs to one writer. A batch that a former writer decided on is finished without its journal where the
book keeps other writers out (`Book.hold`). Reads no clock of its own but to wait; opens no file and no database.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import accumulate
from threading import Event, RLock
from time import monotonic

from chopmark.base import cbor
from chopmark.base.errors import Fact, Invalid, Unavailable
from chopmark.ledger.checkpoint import Checkpoint, open_checkpoint, sign_checkpoint
from chopmark.ledger.consortium import Cosigners
from chopmark.ledger.cose_receipt import sign_root
from chopmark.ledger.keys import ED25519, SigningKey
from chopmark.ledger.stores import (
    CHECKPOINT,
    Book,
    ConsortiumState,
    DurabilityLost,
    Entry,
    Head,
    Journal,
    Objects,
    Published,
    split_keys,
)
from chopmark.ledger.tiles import TILE_WIDTH, Edge, TileReader, bundle_path, integrate, tile_path

MAX_BATCH = 4096
MAX_BATCH_BYTES = 32 << 20
"""Of statements in a batch, which is in memory some times over while it is written; one statement is always taken."""
LONGEST_PAUSE = 30.0
"""Seconds between tries when something does not answer."""
LONGEST_PAUSE_FOR_MEMBERS = 2.0
"""The same while the quorum is missing: receipts are to appear soon after members come back."""
NOTE_EVERY = 5.0
"""Seconds after which the members' state is written down, if nothing but their progress has changed."""
NO_QUORUM = "ledger.quorum_missing"

Report = Callable[[str, Mapping[str, Fact]], None]
"""Told `("written", {entries, size})` and `("waiting", {code, ...})`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """What the journal keeps of a step.

    Attributes:
        old: the head before.
        new: the head after.
        entries: those between, in order.
    """

    old: Head
    new: Head
    entries: tuple[Entry, ...]

    @property
    def name(self) -> str:
        """Its path in the journal."""
        return journal_name(self.old, self.new)

    def encode(self) -> bytes:
        """To CBOR: old size and root, new size and root, the statements, for each its search keys joined."""
        statements = [entry.statement for entry in self.entries]
        keys = [b"".join(entry.search_keys) for entry in self.entries]
        return cbor.encode([self.old.size, self.old.root, self.new.size, self.new.root, statements, keys])

    @classmethod
    def parse(cls, data: bytes) -> Batch:
        """Read what `encode` wrote; leaf hashes are computed anew.

        Raises:
            Invalid: `ledger.journal_wrong`.
        """
        try:
            match cbor.decode(data):
                case [int(old), bytes(old_root), int(new), bytes(new_root), list(statements), list(keys)]:
                    batch = cls(
                        old=Head(size=old, root=old_root),
                        new=Head(size=new, root=new_root),
                        entries=tuple(
                            Entry.of(statement, split_keys(joined))
                            for statement, joined in zip(statements, keys, strict=True)
                        ),
                    )
                    if batch.encode() == data:
                        return batch
        except (Invalid, ValueError, TypeError) as error:
            raise Invalid("ledger.journal_wrong") from error
        raise Invalid("ledger.journal_wrong")


def journal_name(old: Head, new: Head) -> str:
    """Where the journal keeps the batch between two heads."""
    return f"{old.size}-{new.size}-{new.root.hex()}"


class Log:
    """The one writer of a log.

    Args:
        origin: the log's name.
        objects: the public files.
        journal: this writer's own.
        book: the database side.
        keys: all sign each checkpoint; exactly one is a plain Ed25519 key, which seals the roots for receipts too.
        clock: the present moment, aware.
        cosigners: the consortium, under whose quorum alone anything is published; closed with the log.
    """

    def __init__(  # noqa: PLR0917 (from the public end to the private one, as in the architecture)
        self,
        origin: str,
        objects: Objects,
        journal: Journal,
        book: Book,
        keys: Sequence[SigningKey],
        clock: Callable[[], datetime],
        cosigners: Cosigners | None = None,
    ) -> None:
        plain = [key for key in keys if key.type == ED25519 and key.name == origin]
        if len(plain) != 1:
            raise Invalid("ledger.log_key_wrong", origin=origin)
        self.origin = origin
        self._objects = objects
        self._journal = journal
        self._book = book
        self._keys = tuple(keys)
        self._seal = plain[0]
        self._clock = clock
        self._cosigners = cosigners
        self._waiting = ConsortiumState()  # without members: what waits for the quorum, if anything
        self._noted: tuple[ConsortiumState, float] | None = None
        self._edge: Edge | None = None  # known only between steps that went well
        self._newest = False  # whether a quorum has said since then that it knows of no more
        self._dead = False
        self._lock = RLock()

    # ---- one batch -------------------------------------------------------------------------------------------------

    def step(self, limit: int = MAX_BATCH) -> int:
        """Write one batch of what waits; the number of entries written.

        Raises:
            Unavailable: `ledger.log_moved` when another writer was quicker; `ledger.quorum_missing` when the batch is
                decided and must wait for members; what the stores and `recover` raise. The next call recovers and
                goes on.
            Invalid: as `recover`.
            DurabilityLost: the process must end.
        """
        with self._alive():
            if self._edge is None:
                self.recover()
            edge, self._edge = self._edge or Edge(), None
            self._book.hold()
            entries = _that_fit(self._book.pending(min(limit, MAX_BATCH)))
            if entries:
                self._must_be_newest(_head(edge))
            self._edge = self._write(edge, entries) if entries else edge
            return len(entries)

    def _write(self, edge: Edge, entries: Sequence[Entry]) -> Edge:
        grown, files = integrate(edge, [entry.statement for entry in entries])
        batch = Batch(old=_head(edge), new=_head(grown), entries=tuple(entries))
        self._journal.put({batch.name: batch.encode()})  # 1
        try:
            self._book.swap(batch.old, batch.new, batch.entries)  # 2
        except Unavailable as error:
            # Lost for certain. The winner may have taken the very same batch; finishing it is the winner's work alone.
            if error.code == "ledger.log_moved":
                self._journal.delete([batch.name])
            raise
        self._publish(batch, files)
        return grown

    def _publish(self, batch: Batch, files: Mapping[str, bytes]) -> None:
        self._objects.put(files)  # 3
        if not self._finished(batch):
            published = self._sign(batch.new)  # 4
            if self._cosigners is not None:
                published = self._gather(self._cosigners, published)  # 5
            if not self._finished(batch):  # gathering may have taken long
                self._objects.put({CHECKPOINT: published.note})  # 6
                self._book.settle(batch.old.size, batch.entries, published)  # 7
        self._tidy(batch.new.size)  # 8
        self._objects.delete(self._outgrown(batch.old.size, batch.new.size))

    def _must_be_newest(self, head: Head) -> None:
        """After each recovery, before anything new is decided: let a quorum cosign what is published once more.

        A member that was ever shown a larger checkpoint does not, and two quorums have a member in common. So a log
        whose stores were all brought back from a backup waits here, instead of signing a second history.
        """
        if self._cosigners is not None and head.size and not self._newest:
            self._gather(self._cosigners, self._sign(head))
        self._newest = True

    def _finished(self, batch: Batch) -> bool:
        """Whether a successor, which took this writer for dead, has finished the batch; then nothing is put back."""
        latest = self._book.latest()
        return latest is not None and latest.size >= batch.new.size

    def _gather(self, cosigners: Cosigners, published: Published) -> Published:
        checkpoint = Checkpoint(origin=self.origin, size=published.size, root=published.root)
        try:
            gathered = cosigners.gather(published.note, checkpoint)
        except Unavailable as error:
            if error.code == NO_QUORUM:
                known = self._waiting if self._waiting.waiting_size is not None else self._book.consortium()
                self._waiting = ConsortiumState(
                    waiting_size=published.size,
                    waiting_since=known.waiting_since if known.waiting_size == published.size else published.at,
                    missing=str(error.facts["missing"]),
                )
                self._note(cosigners)
            raise
        self._waiting = ConsortiumState()
        self._note(cosigners)
        self._book.hold()
        return replace(published, note=gathered.note, member_seals=gathered.seals)

    def _note(self, cosigners: Cosigners) -> None:
        """Write down how the members are, when there is news or it was long ago."""
        state = replace(self._waiting, members=cosigners.states())
        if self._noted is not None:
            before, when = self._noted
            news = _without_progress(before) != _without_progress(state)
            if before == state or not (news or monotonic() - when >= NOTE_EVERY):
                return
        self._book.note_consortium(state)
        self._noted = state, monotonic()

    def _sign(self, head: Head) -> Published:
        at = self._clock()
        checkpoint = Checkpoint(origin=self.origin, size=head.size, root=head.root)
        return Published(
            size=head.size,
            root=head.root,
            note=sign_checkpoint(checkpoint, self._keys, at),
            sealed_root=sign_root(self.origin, head.root, self._seal, at, size=head.size),
            at=at,
        )

    def _outgrown(self, old: int, new: int) -> Iterator[str]:
        """The partial tiles and bundles that the batch has filled up."""
        level = 0
        while new:
            if old % TILE_WIDTH and new // TILE_WIDTH > old // TILE_WIDTH:
                yield from self._objects.names(f"{tile_path(level, old // TILE_WIDTH)}.p")
                if level == 0:
                    yield from self._objects.names(f"{bundle_path(old // TILE_WIDTH)}.p")
            level, old, new = level + 1, old // TILE_WIDTH, new // TILE_WIDTH

    # ---- after a start, a crash or a lost race -----------------------------------------------------------------------

    def recover(self) -> None:
        """Take the journal, compare files, journal and book, and finish a batch that was cut off.

        Raises:
            Unavailable: `ledger.writer_running`; `ledger.writer_elsewhere`; `ledger.log_moved`;
                `ledger.quorum_missing`; `ledger.journal_missing` when the book has decided on a batch that is neither
                published nor in this journal, and other writers are not kept out or what it was made of waits no
                more; what the stores raise.
            Invalid: `ledger.database_behind`, `ledger.files_behind`, `ledger.heads_differ`, `ledger.files_differ`,
                `ledger.journal_wrong`; `ledger.signature_wrong` and the like for a foreign checkpoint.
            DurabilityLost: the process must end.
        """
        with self._alive():
            self._edge, self._newest = None, False
            self._journal.hold()
            alone = self._book.hold()
            head = self._book.head()
            settled, shown = _head(self._book.latest()), self._shown()
            if self._book.head() != head:  # another writer is at work: what was read belongs to different moments
                raise Unavailable("ledger.log_moved", size=head.size)
            self._must_agree(head, settled, shown)
            if settled != head:
                self._finish(settled, head, alone=alone)
                self._newest = True
            elif self._cosigners is not None and head.size:
                self._show_again(self._cosigners)
            self._edge = self._edge_at(head)
            self._tidy(head.size)

    def _must_agree(self, head: Head, settled: Head, shown: Head) -> None:
        """A log at rest has all three equal; a batch that was cut off has `settled` behind, `shown` on either side."""
        if shown.size > head.size:
            raise Invalid("ledger.database_behind", published=shown.size, head=head.size)
        if shown.size < settled.size:
            raise Invalid("ledger.files_behind", published=shown.size, head=settled.size)
        if settled.size > head.size or shown not in (settled, head):
            raise Invalid("ledger.heads_differ", published=shown.size, head=head.size)

    def _finish(self, settled: Head, head: Head, *, alone: bool) -> None:
        name = journal_name(settled, head)
        kept = self._journal.exists(name)
        if kept:
            batch = Batch.parse(self._journal.get(name))
        else:
            batch = Batch(old=settled, new=head, entries=tuple(self._book.decided() if alone else ()))
        grown, files = integrate(self._edge_at(settled), [entry.statement for entry in batch.entries])
        if (batch.old, batch.new) != (settled, head) or _head(grown) != head:
            if kept:
                raise Invalid("ledger.journal_wrong")
            raise Unavailable("ledger.journal_missing", name=name, head=head.size, published=settled.size)
        self._publish(batch, files)

    def _show_again(self, cosigners: Cosigners) -> None:
        """Let members that are behind catch up to what is published, without waiting for them."""
        checkpoint, _ = open_checkpoint(self._objects.get(CHECKPOINT), [key.verifier for key in self._keys])
        cosigners.follow(sign_checkpoint(checkpoint, self._keys, self._clock()), checkpoint)

    def _shown(self) -> Head:
        """What the public checkpoint says; the empty log when there is none."""
        if not self._objects.exists(CHECKPOINT):
            return Head()
        checkpoint, _ = open_checkpoint(self._objects.get(CHECKPOINT), [key.verifier for key in self._keys])
        if checkpoint.origin != self.origin:
            raise Invalid("ledger.heads_differ", published=checkpoint.size, head=0)
        return Head(size=checkpoint.size, root=checkpoint.root)

    def _edge_at(self, head: Head) -> Edge:
        edge = TileReader(self._objects.get, head.size).edge()
        if _head(edge) != head:
            raise Invalid("ledger.files_differ", size=head.size)
        return edge

    def _tidy(self, settled: int) -> None:
        """Forget batches that can never win a swap again: heads only grow, and all up to `settled` is recorded."""
        self._journal.delete([name for name in self._journal.names() if int(name.partition("-")[0]) < settled])

    # ---- going on ----------------------------------------------------------------------------------------------------

    def run(self, stop: Event, *, report: Report, interval: float = 0.2, count: int = 1024) -> None:
        """Recover, then write until told to stop: when `count` wait, or `interval` after something began to wait.

        After a full batch it looks again at once. What is `Unavailable` is reported and tried again with growing
        pauses, except at the start, where only a missing quorum is; all else is raised.

        Args:
            stop: set it from another thread; a batch in hand is finished.
            report: hears of each batch and of each trouble.
            interval: seconds.
            count: entries.
        """
        pause, since = interval / 4, None
        try:
            self.recover()
        except Unavailable as error:
            if error.code != NO_QUORUM:
                raise
            report("waiting", {"code": error.code, **error.facts})
        while not stop.wait(pause):
            try:
                waiting = self._book.pending_count()
                since = (monotonic() if since is None else since) if waiting else None
                if since is not None and (waiting >= count or monotonic() - since >= interval):
                    written, since = self.step(), None
                    report("written", {"entries": written, "size": self._edge.size if self._edge else 0})
                    pause = 0.0 if written == MAX_BATCH else interval / 4
                else:
                    pause = interval / 4
                if self._cosigners is not None:
                    self._note(self._cosigners)
            except Unavailable as error:
                longest = LONGEST_PAUSE_FOR_MEMBERS if error.code == NO_QUORUM else LONGEST_PAUSE
                pause = min(max(pause * 2, interval), longest)
                report("waiting", {"code": error.code, **error.facts})

    def close(self) -> None:
        """Let another writer start; the members are called no more."""
        with self._lock:
            self._edge = None
            if self._cosigners is not None:
                self._cosigners.close()
            with suppress(Unavailable):  # a database that does not answer has ended the session
                self._book.release()
            self._journal.release()

    @contextmanager
    def _alive(self) -> Iterator[None]:
        """One thread at a time, and none after durability was lost."""
        with self._lock:
            if self._dead:
                raise DurabilityLost("an earlier write was not confirmed")
            try:
                yield
            except DurabilityLost:
                self._dead = True
                raise


def _that_fit(entries: Sequence[Entry]) -> Sequence[Entry]:
    """The first of them, up to the bytes of a batch."""
    sizes = accumulate(len(entry.statement) for entry in entries)
    return entries[: max(1, sum(size <= MAX_BATCH_BYTES for size in sizes))]


def _without_progress(state: ConsortiumState) -> ConsortiumState:
    """What makes a difference to somebody who looks at a page."""
    return replace(state, members=tuple(replace(member, size=0, at=None, next_entry=0) for member in state.members))


def _head(of: Edge | Published | None) -> Head:
    match of:
        case None:
            return Head()
        case Published():
            return Head(size=of.size, root=of.root)
        case Edge():
            return Head(size=of.size, root=of.root())
