"""A mirror of logs (C2SP tlog-mirror): it cosigns a checkpoint when it durably holds every entry under it.

Here stand the forms of what goes over the wire and the mirror itself, free of HTTP. Which checkpoints there are, it
learns from the witness beside it; what it keeps are the files of the log itself (`copy` objects), so that they can be
served as they are. One upload, in this order:

 1 header      which log, from where, up to which checkpoint; refused early when that cannot lead anywhere
 2 package     up to 256 entries with a proof that they belong under that checkpoint; nothing unproven is kept
 3 files       bundles and tiles of up to 32 packages, durable; from then on they count as held ("next entry")
 4 checkpoint  when all are held: the root is computed and compared, signed, durable, and only then answered

After a crash the files are the truth: the next entry is the first that no bundle holds. Nothing is ever overwritten
but the checkpoint, which never goes back. Requests run side by side; only 3 and 4 take turns.
"""

from __future__ import annotations

import hashlib
import hmac
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from threading import RLock
from typing import IO

from chopmark.base.errors import Invalid, Refused, Unavailable
from chopmark.ledger import tree
from chopmark.ledger.alarm import Prefix
from chopmark.ledger.checkpoint import Checkpoint, open_checkpoint
from chopmark.ledger.cose_receipt import sign_root
from chopmark.ledger.keys import ED25519_COSIGNATURE, Signer
from chopmark.ledger.note import Note
from chopmark.ledger.stores import CHECKPOINT, Objects
from chopmark.ledger.text import parse_base64, parse_decimal, to_base64
from chopmark.ledger.tiles import (
    TILE_HEIGHT,
    TILE_WIDTH,
    Edge,
    TileReader,
    bundle_path,
    decode_bundle,
    encode_bundle,
    integrate,
    outgrown,
    partial_folders,
    tile_path,
)
from chopmark.ledger.tree import HASH_SIZE
from chopmark.ledger.wire import MIRROR_INFO, Answer
from chopmark.ledger.witness import Past, Rejected, Signed, WatchedLog, Witness, rejecting, sign

MOST_PACKAGES = 32
"""In one request, as the specification advises; also how many are written at once."""
MAX_TICKET = 65_535
MOST_EXCESS = MOST_PACKAGES * TILE_WIDTH
"""Entries that a request may bring again."""

MIRRORED = "mirrored"
"""State object put before the first checkpoint is mirrored: a copy without one is lost from then on."""

OnEntries = Callable[[str, int, Sequence[bytes]], None]
"""`(origin, position of the first, entries)`, in order, once they are durable; may not raise."""

_GROUP = MOST_PACKAGES * TILE_WIDTH
_GROUP_BYTES = 8 << 20
_CHUNK = 1 << 18
_TAG = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class MirrorInfo:
    """The body of a 202 or 409 answer to `add-entries`, type `text/x.tlog.mirror-info`.

    Attributes:
        size: of a valid pending checkpoint, to be used as `upload_end`.
        next_entry: to be used as `upload_start`.
        ticket: to be sent back; may be empty.
    """

    size: int
    next_entry: int
    ticket: bytes = b""

    def encode(self) -> bytes:
        """Three lines."""
        return f"{self.size}\n{self.next_entry}\n{to_base64(self.ticket)}\n".encode()

    @classmethod
    def parse(cls, body: bytes) -> MirrorInfo:
        """Read a body.

        Raises:
            Invalid: `ledger.answer_malformed`.
        """
        try:
            size, next_entry, ticket, _ = body.decode("ascii").split("\n")
            info = cls(size=parse_decimal(size), next_entry=parse_decimal(next_entry), ticket=parse_base64(ticket))
        except ValueError as error:
            raise Invalid("ledger.answer_malformed") from error
        if info.encode() != body or len(info.ticket) > MAX_TICKET:
            raise Invalid("ledger.answer_malformed")
        return info


def upload_header(origin: str, start: int, end: int, ticket: bytes = b"") -> bytes:
    """What an `add-entries` body begins with; `packages` follow."""
    name = origin.encode()
    sizes = start.to_bytes(8, "big") + end.to_bytes(8, "big")
    return len(name).to_bytes(2, "big") + name + sizes + len(ticket).to_bytes(2, "big") + ticket


def packages(tiles: TileReader, start: int, end: int, most: int = MOST_PACKAGES) -> Iterator[bytes]:
    """The first packages of the canonical sequence that uploads `[start, end)`.

    Args:
        tiles: of the log, at a size not less than `end`.
        start: `upload_start`.
        end: `upload_end`, the size of a checkpoint that the mirror knows.
        most: how many packages; the rest is for further requests.

    Raises:
        Unavailable, Invalid: as `TileReader`.
    """
    if start == end:
        return
    first = start - start % TILE_WIDTH
    for here in range(first, end, TILE_WIDTH)[:most]:
        stop = min(here + TILE_WIDTH, end)
        entries = tiles.bundle(here // TILE_WIDTH)[max(start - here, 0) : stop - here]
        proof = tree.subtree_proof(here, stop, end, tiles.nodes)
        yield b"".join([encode_bundle(entries), bytes([len(proof)]), *proof])


# ---- the mirror -----------------------------------------------------------------------------------------------------


class Mirror:
    """The mirror of several logs; threads may share it.

    Args:
        witness: of the same logs; the mirror works with its pending checkpoints.
        logs: those with a `copy` are mirrored.
        keys: all sign each checkpoint; types 0x04 and 0x06, under another name than the witness's.
        clock: the present moment, aware.

    Raises:
        Refused: `ledger.member_state_lost` when copy and state contradict each other.
        Invalid: `ledger.mirror_damaged` when the files do not lead to the mirrored checkpoint.
    """

    def __init__(
        self, witness: Witness, logs: Sequence[WatchedLog], keys: Sequence[Signer], clock: Callable[[], datetime]
    ) -> None:
        self.witness = witness
        self.keys = tuple(keys)
        self.clock = clock
        self.on_entries: OnEntries = _nobody
        self._secret = os.urandom(32)
        self._copies = {
            log.origin: _Copy(log, log.copy, self.keys, witness.pending(log.origin))
            for log in logs
            if log.copy is not None
        }
        witness.attach(self, keys)

    # ---- add-entries ---------------------------------------------------------------------------------------------

    def add_entries(self, body: IO[bytes]) -> Answer:
        """Answer tlog-mirror `add-entries`: 200, 202, 400, 404, 409, 422; 503 when nothing can be written or signed.

        Args:
            body: read as it comes, never as a whole; an `OSError` or `EOFError` from it counts as its end.
        """
        try:
            return self._add_entries(_Source(body))
        except Rejected as rejected:
            return rejected.answer

    def _add_entries(self, source: _Source) -> Answer:
        header = source.header()  # 1
        copy, pending = self._may_begin(header)
        target = self._target(copy, header)
        if target is None or copy.is_past(target) or not copy.may_begin_at(header.start, header.end):
            return self._info(409, copy, pending if target is None or copy.is_past(target) else target)
        reached, refused = self._receive(copy, header, target, source)
        if refused:
            raise Rejected(422, "ledger.proof_wrong")
        if reached == header.start < header.end:
            raise Rejected(400, "ledger.request_malformed")
        if reached < header.end:
            return self._info(202, copy, target)
        return self._finish(copy, target)

    def _may_begin(self, header: _Header) -> tuple[_Copy, Signed]:
        copy = self._copies.get(header.origin)
        if copy is None:
            raise Rejected(404, "ledger.log_unknown")
        if header.start > header.end:
            raise Rejected(400, "ledger.request_malformed")
        if self.witness.lost:
            raise Rejected(503, "ledger.member_state_lost")
        pending = self.witness.pending(header.origin)
        if pending is None:
            raise Rejected(422, "ledger.no_pending_checkpoint")
        return copy, pending

    def _finish(self, copy: _Copy, target: Signed) -> Answer:
        origin = target.checkpoint.origin
        if self.witness.lost:
            raise Rejected(503, "ledger.member_state_lost")
        with rejecting(503):
            mirrored = copy.advance(target, self.keys, self.clock)  # 4
        if mirrored is None:
            return self._info(409, copy, self.witness.pending(origin) or target)
        self.witness.resolve(origin)
        return Answer(status=200, body=mirrored.lines)

    def _receive(self, copy: _Copy, header: _Header, target: Signed, source: _Source) -> tuple[int, bool]:
        """Take packages as long as they come: up to where entries are held now, and whether one was wrong."""
        here, group, refused = header.start, _Group(first=header.start), False
        while here < header.end and not refused:
            base = here - here % TILE_WIDTH
            stop = min(base + TILE_WIDTH, header.end)
            package = source.package(stop - here)
            if package is None:
                break
            leaves = tree.leaf_hashes(package.entries)
            known = copy.leaves(base, here)
            if not package.belongs(base, stop, tree.root_of([*known, *leaves]), target.checkpoint):  # 2
                refused = True
                break
            group.add(package, leaves)
            here = stop
            if group.is_full:
                self._save(copy, group)
                group = _Group(first=here)
        self._save(copy, group)
        return here, refused

    def _save(self, copy: _Copy, group: _Group) -> None:
        with rejecting(503):
            copy.append(group, self.on_entries)  # 3

    def _target(self, copy: _Copy, header: _Header) -> Signed | None:
        """The checkpoint that an upload aims at: one of the last pending ones, the mirrored one, or the ticket's."""
        recent = self.witness.recent(header.origin, header.end)
        if recent is not None:
            return recent
        if copy.mirrored is not None and copy.mirrored.checkpoint.size == header.end:
            return copy.mirrored
        note = self._open(header.ticket)
        if note is None:
            return None
        point = Checkpoint.parse(note.text)
        if (point.origin, point.size) != (header.origin, header.end):
            return None
        return Signed(checkpoint=point, log=note.signatures, own=(), at=None)

    def _info(self, status: int, copy: _Copy, target: Signed) -> Answer:
        ticket = self._seal(target.log_note)
        info = MirrorInfo(size=target.checkpoint.size, next_entry=copy.next_entry, ticket=ticket)
        return Answer(status=status, body=info.encode(), content_type=MIRROR_INFO)

    def _seal(self, note: bytes) -> bytes:
        """A ticket: the checkpoint, authenticated by a secret of this process. After a restart none is accepted."""
        ticket = hmac.digest(self._secret, note, hashlib.sha256) + note
        return ticket if len(ticket) <= MAX_TICKET else b""

    def _open(self, ticket: bytes) -> Note | None:
        tag, note = ticket[:_TAG], ticket[_TAG:]
        if not hmac.compare_digest(tag, hmac.digest(self._secret, note, hashlib.sha256)):
            return None
        return Note.parse(note)

    # ---- what others ask -----------------------------------------------------------------------------------------

    def checkpoint(self, origin: str) -> bytes | None:
        """The checkpoint under which every entry is held, with the log's signatures and the mirror's."""
        mirrored = self._copies[origin].mirrored if origin in self._copies else None
        return None if mirrored is None else mirrored.note

    def next_entry(self, origin: str) -> int:
        """The first entry that is not held; not less than the size of the checkpoint.

        Raises:
            Unavailable: `ledger.log_unknown`.
        """
        return self._copy(origin).next_entry

    def tiles(self, origin: str) -> TileReader:
        """A reader of the files at the size of the checkpoint, 0 before the first.

        Raises:
            Unavailable: `ledger.log_unknown`.
        """
        return self._copy(origin).tiles

    def sealed_root(self, origin: str, size: int) -> bytes | None:
        """The root at a size that is mirrored, sealed now for COSE Receipts; None for any other size.

        Made anew each time: who hands it out keeps it.
        """
        copy = self._copies.get(origin)
        seal = next((key for key in self.keys if key.type == ED25519_COSIGNATURE), None)
        if copy is None or seal is None or self.witness.lost or not 0 < size <= copy.tiles.size:
            return None
        return sign_root(origin, copy.tiles.root(size), seal, self.clock(), size=size)

    def past(self, origin: str, size: int) -> Past | None:
        """See `witness.History`."""
        copy = self._copies.get(origin)
        if copy is None or copy.mirrored is None or not 0 < size <= copy.mirrored.checkpoint.size:
            return None
        mirrored, tiles = copy.mirrored, copy.tiles
        end = mirrored.checkpoint.size
        root = tiles.root(size)
        prefix = Prefix(old=size, size=end, root=root, hashes=tuple(tiles.consistency_proof(size, end)))
        return Past(root=root, note=mirrored.log_note, prefix=prefix)

    def must_not_be_newer(self, note: bytes) -> None:
        """Compare a checkpoint found elsewhere, as `Witness.must_not_be_newer` does for the witness's keys.

        Raises:
            Invalid: `ledger.member_state_lost`.
        """
        try:
            checkpoint, signed = open_checkpoint(note, [key.verifier for key in self.keys])
        except Invalid:  # none of ours on it
            return
        copy = self._copies.get(checkpoint.origin)
        if copy is None:
            return
        newest = max((each.at for each in signed if each.at is not None), default=None)
        if not copy.remembers(checkpoint, newest):
            known = copy.mirrored.checkpoint.size if copy.mirrored else 0
            self.witness.lose(checkpoint.origin, note, known=known, signed=checkpoint.size)

    def _copy(self, origin: str) -> _Copy:
        if origin not in self._copies:
            raise Unavailable("ledger.log_unknown", origin=origin)
        return self._copies[origin]


def _nobody(_origin: str, _first: int, _entries: Sequence[bytes]) -> None:
    """Wants to hear of no entries."""


# ---- reading a body -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class _Header:
    origin: str
    start: int
    end: int
    ticket: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class _Package:
    entries: list[bytes]
    proof: list[bytes]

    def belongs(self, start: int, end: int, root: bytes, checkpoint: Checkpoint) -> bool:
        """Whether the subtree `[start, end)` with this root is part of the checkpoint's tree."""
        try:
            tree.verify_subtree(
                start=start,
                end=end,
                subtree_root=root,
                size=checkpoint.size,
                root=checkpoint.root,
                proof=self.proof,
            )
        except Invalid:
            return False
        return True


class _Source:
    """A body, read in pieces and taken apart as far as it has come."""

    def __init__(self, body: IO[bytes]) -> None:
        self._read = body.read
        self._buffer = bytearray()

    def header(self) -> _Header:
        """What `upload_header` wrote.

        Raises:
            Rejected: with 400.
        """
        name = self._take(self._number(2))
        start, end = self._number(8), self._number(8)
        ticket = self._take(self._number(2))
        try:
            return _Header(origin=name.decode(), start=start, end=end, ticket=ticket)
        except UnicodeDecodeError as error:
            raise Rejected(404, "ledger.log_unknown") from error

    def package(self, count: int) -> _Package | None:
        """The next package, of so many entries; None when the body ends before it does."""
        while (found := _measure(self._buffer, count)) is None:
            if not self._more():
                return None
        entries_end, end = found
        with memoryview(self._buffer) as view:
            data = bytes(view[:end])
        del self._buffer[:end]
        proof = [data[here : here + HASH_SIZE] for here in range(entries_end + 1, end, HASH_SIZE)]
        return _Package(entries=decode_bundle(data[:entries_end]), proof=proof)

    def _number(self, size: int) -> int:
        return int.from_bytes(self._take(size), "big")

    def _take(self, size: int) -> bytes:
        while len(self._buffer) < size:
            if not self._more():
                raise Rejected(400, "ledger.request_malformed")
        data = bytes(self._buffer[:size])
        del self._buffer[:size]
        return data

    def _more(self) -> bool:
        try:
            piece = self._read(_CHUNK)
        except (OSError, EOFError):
            return False
        self._buffer += piece
        return bool(piece)


def _measure(data: bytearray, count: int) -> tuple[int, int] | None:
    """Where the entries of a package end and where the package ends; None when it is not all there."""
    here = 0
    try:
        for _ in range(count):
            here += 2 + (data[here] << 8 | data[here + 1])
        end = here + 1 + data[here] * HASH_SIZE
    except IndexError:
        return None
    return (here, end) if end <= len(data) else None


@dataclass(slots=True, kw_only=True)
class _Group:
    """Entries that are proven and not yet written."""

    first: int
    entries: list[bytes] = field(default_factory=list)
    leaves: list[bytes] = field(default_factory=list)
    size: int = 0

    def add(self, package: _Package, leaves: Sequence[bytes]) -> None:
        self.entries += package.entries
        self.leaves += leaves
        self.size += sum(map(len, package.entries))

    @property
    def is_full(self) -> bool:
        return len(self.entries) > _GROUP - TILE_WIDTH or self.size >= _GROUP_BYTES


# ---- what is held ---------------------------------------------------------------------------------------------------


class _Copy:
    """The copy of one log, and the lock under which it grows."""

    def __init__(self, log: WatchedLog, objects: Objects, keys: Sequence[Signer], pending: Signed | None) -> None:
        self._log = log
        self._objects = objects
        self._lock = RLock()
        self.mirrored: Signed | None = None
        if objects.exists(CHECKPOINT):
            own = [key.verifier for key in keys]
            self.mirrored = Signed.parse(objects.get(CHECKPOINT), log.keys, own)
        self._must_agree_with(pending)
        size = self.mirrored.checkpoint.size if self.mirrored else 0
        self.tiles = TileReader(objects.get, size)
        self._edge = self._recover()

    @property
    def next_entry(self) -> int:
        return self._edge.size

    def is_past(self, target: Signed) -> bool:
        return self.mirrored is not None and target.checkpoint.size < self.mirrored.checkpoint.size

    def may_begin_at(self, start: int, end: int) -> bool:
        """Whether an upload leaves no gap and does not bring too much again."""
        next_entry = self.next_entry
        return start <= next_entry and min(end, next_entry) - start <= MOST_EXCESS

    def remembers(self, checkpoint: Checkpoint, at: datetime | None) -> bool:
        """Whether a cosignature of ours on this checkpoint at this time can be one of those made here."""
        with self._lock:
            own = self.mirrored
            if own is None or checkpoint.size > own.checkpoint.size or (at and own.at and at > own.at):
                return False
            return checkpoint.size == 0 or self.tiles.root(checkpoint.size) == checkpoint.root

    def leaves(self, start: int, end: int) -> list[bytes]:
        """Leaf hashes of entries that are held, all of one tile."""
        if start == end:
            return []
        edge = self._edge
        index = start // TILE_WIDTH
        tile = edge.tiles[0] if index == edge.size // TILE_WIDTH else self._objects.get(tile_path(0, index))
        return [
            tile[here : here + HASH_SIZE]
            for here in range((start % TILE_WIDTH) * HASH_SIZE, (end - index * TILE_WIDTH) * HASH_SIZE, HASH_SIZE)
        ]

    def append(self, group: _Group, on_entries: OnEntries) -> None:
        """Write proven entries; those that another request has brought in the meantime are left out."""
        with self._lock:
            first = self._edge.size
            entries = group.entries[first - group.first :]
            if entries:
                self._grow(entries, group.leaves[first - group.first :])
                on_entries(self._log.origin, first, entries)

    def _grow(self, entries: Sequence[bytes], leaves: Sequence[bytes] | None = None) -> None:
        before = self._edge
        grown, files = integrate(before, entries, leaves)
        self._objects.put(files)
        self._edge = grown
        self._clear(before.size)

    def _clear(self, old: int) -> None:
        """Forget the partial files of an old size that are full now, but for those of the mirrored size."""
        shown = set(partial_folders(self.mirrored.checkpoint.size if self.mirrored else 0))
        for folder in outgrown(old, self._edge.size):
            if folder not in shown:
                self._objects.delete(self._objects.names(folder))

    def advance(self, target: Signed, keys: Sequence[Signer], clock: Callable[[], datetime]) -> Signed | None:
        """Make a checkpoint whose entries are all held the mirrored one; None when that would go back.

        Raises:
            Invalid: `ledger.mirror_damaged` when the files do not lead to its root.
            Unavailable: `ledger.clock_behind`.
        """
        with self._lock:
            if self.is_past(target):
                return None
            if self.mirrored is not None and self.mirrored.checkpoint == target.checkpoint:
                return self.mirrored
            edge = cut(self._edge, target.checkpoint.size, self._objects.get)
            if edge.root() != target.checkpoint.root:
                raise Invalid("ledger.mirror_damaged", origin=self._log.origin, size=edge.size)
            if edge is not self._edge:
                self._objects.put(edge.files())
            before = self.mirrored
            mirrored = sign(target.checkpoint, target.log, keys, now=clock(), last=before.at if before else None)
            self._objects.put({CHECKPOINT: mirrored.note})
            if before is None:
                self._mark()
            self.tiles = self.tiles.at(edge.size)  # first: who sees the checkpoint finds tiles that reach as far
            self.mirrored = mirrored
            self._clear(before.checkpoint.size if before else 0)
            return mirrored

    # ---- after a start -------------------------------------------------------------------------------------------

    def _must_agree_with(self, pending: Signed | None) -> None:
        """The pending checkpoint is written first, so the copy can never be ahead of it."""
        own = self.mirrored
        lost = own is None and self._log.state.exists(MIRRORED)
        if own is not None:
            behind = pending is None or pending.checkpoint.size < own.checkpoint.size
            lost = behind or own.checkpoint.origin != self._log.origin
            if pending is not None and pending.checkpoint.size == own.checkpoint.size:
                lost = lost or pending.checkpoint.root != own.checkpoint.root
        if lost:
            raise Refused("ledger.member_state_lost", origin=self._log.origin)
        if own is not None and not self._log.state.exists(MIRRORED):
            self._mark()

    def _mark(self) -> None:
        """Remember that there is a mirrored checkpoint: before it is shown, and after it is durable.

        The other way round, a crash between the two would look as if the first checkpoint had been lost.
        """
        self._log.state.put({MIRRORED: b""})

    def _recover(self) -> Edge:
        """The right edge of all that is held: from the checkpoint on, through every bundle that follows.

        A put is durable as a whole when it returns, so only the files of the last one can be incomplete. Everything
        from a little before it on is computed again from the bundles and put again.
        """
        try:
            self._edge = self.tiles.edge()
            self._must_lead_to(self.mirrored)
            self._go_on()
        except (Invalid, Unavailable) as error:
            size = self.mirrored.checkpoint.size if self.mirrored else 0
            raise Invalid("ledger.mirror_damaged", origin=self._log.origin, size=size) from error
        return self._edge

    def _must_lead_to(self, mirrored: Signed | None) -> None:
        if mirrored is not None and self._edge.root() != mirrored.checkpoint.root:
            raise Invalid("ledger.mirror_damaged", origin=self._log.origin, size=self._edge.size)

    def _go_on(self) -> None:
        whole = self._whole_bundles(self._edge.size // TILE_WIDTH)
        safe = (whole - 2 * MOST_PACKAGES) * TILE_WIDTH
        if safe > self._edge.size:
            self._edge = edge_of_whole_tiles(safe, self._objects.get)
        while self._edge.size < whole * TILE_WIDTH:
            self._grow_by(self._edge.size // TILE_WIDTH, TILE_WIDTH)
        widths = [int(path.rpartition("/")[2]) for path in self._objects.names(f"{bundle_path(whole)}.p")]
        if whole * TILE_WIDTH + max(widths, default=0) > self._edge.size:
            self._grow_by(whole, max(widths))

    def _grow_by(self, index: int, width: int) -> None:
        entries = decode_bundle(self._objects.get(bundle_path(index, width)))
        if len(entries) != width:
            raise Invalid("ledger.mirror_damaged", origin=self._log.origin, size=index * TILE_WIDTH)
        self._grow(entries[self._edge.size - index * TILE_WIDTH :])

    def _whole_bundles(self, known: int) -> int:
        """How many whole bundles there are one behind the other; `known` of them are there for certain.

        Found by doubling and halving; only the last put can have left gaps, so there it is counted one by one.
        """
        first, step = known, 1
        while self._has_bundle(known + step - 1):
            known, step = known + step, step * 2
        while step := step // 2:
            if self._has_bundle(known + step - 1):
                known += step
        known = max(first, known - 2 * MOST_PACKAGES)
        while self._has_bundle(known):
            known += 1
        return known

    def _has_bundle(self, index: int) -> bool:
        return self._objects.exists(bundle_path(index))


def cut(edge: Edge, size: int, fetch: Callable[[str], bytes]) -> Edge:
    """The edge of the same tree at an earlier size.

    Args:
        edge: of the tree as it is.
        size: not greater.
        fetch: the whole tiles and bundles of the tree.

    Raises:
        Unavailable, Invalid: what `fetch` raises; `ledger.edge_malformed` when a file is damaged.
    """
    if size == edge.size:
        return edge
    tiles, level, rest = [], 0, size
    while rest:
        index, width = divmod(rest, TILE_WIDTH)
        same = index == edge.size >> TILE_HEIGHT * (level + 1)
        tile = edge.tiles[level] if same else fetch(tile_path(level, index)) if width else b""
        tiles.append(tile[: width * HASH_SIZE])
        level, rest = level + 1, index
    index, width = divmod(size, TILE_WIDTH)
    same = index == edge.size // TILE_WIDTH
    bundle = edge.bundle if same else fetch(bundle_path(index)) if width else b""
    return Edge(size=size, tiles=tuple(tiles), bundle=encode_bundle(decode_bundle(bundle)[:width]))


def edge_of_whole_tiles(size: int, fetch: Callable[[str], bytes]) -> Edge:
    """The edge of a tree from its whole tiles alone.

    Args:
        size: a multiple of 256.
        fetch: the whole tiles.

    Raises:
        Unavailable: what `fetch` raises.
    """
    tiles, level, rest = [b""], 0, size // TILE_WIDTH
    while rest:
        index, width = divmod(rest, TILE_WIDTH)
        below = range(index * TILE_WIDTH, index * TILE_WIDTH + width)
        tiles.append(b"".join(tree.root_of(_split(fetch(tile_path(level, each)))) for each in below))
        level, rest = level + 1, index
    return Edge(size=size, tiles=tuple(tiles))


def _split(tile: bytes) -> list[bytes]:
    return [tile[here : here + HASH_SIZE] for here in range(0, len(tile), HASH_SIZE)]
