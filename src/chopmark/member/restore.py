"""Rebuilding a log's files from somebody's copy, and proving on the way that it is the same log.

Of a copy only the checkpoint and the entries are fetched; every hash is computed here, so nothing of the copy is
believed but what leads to the signed root. What was known before (checkpoints in the database, of other copies, of
this home) must be a beginning of it. Broken off, it goes on where it stopped.

Decides nothing about the database and moves no folder: `evidence.actions.restore` and the command line do.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from threading import local

from chopmark.base.errors import Invalid, Unavailable
from chopmark.ledger.checkpoint import Checkpoint, open_checkpoint
from chopmark.ledger.keys import VerifierKey
from chopmark.ledger.note import Note, NoteSignature
from chopmark.ledger.stores import CHECKPOINT, Objects
from chopmark.ledger.tiles import TILE_WIDTH, Edge, bundle_path, decode_bundle, encode_bundle, integrate, tile_path
from chopmark.ledger.tree import HASH_SIZE
from chopmark.ledger.wire import origin_hash
from chopmark.member.fetch import Fetcher

LANES = 8
"""Files fetched at a time."""
AHEAD = 64
"""Bundles fetched before they are needed; of 16 MiB each at most, usually of some 100 KiB."""
TRIES = 4
PUT_AT_ONCE = 64

Fetch = Callable[[str], bytes]
Entries = Callable[[int, Sequence[bytes]], None]
"""Told the position of the first and the entries."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Copy:
    """A copy of the log as its holder shows it.

    Attributes:
        name: its address or folder.
        note: its checkpoint, signed by the log.
        checkpoint: the same taken apart.
        fetch: path to bytes; several threads may call it.
    """

    name: str
    note: bytes = field(repr=False)
    checkpoint: Checkpoint
    fetch: Fetch = field(repr=False)

    @property
    def size(self) -> int:
        """Number of entries it holds."""
        return self.checkpoint.size


def open_copy(place: str, origin: str, keys: Sequence[VerifierKey]) -> Copy:
    """The copy at a member's address, at any address of C2SP tlog-tiles, or in a folder.

    Args:
        place: `https://court.example` or `/mnt/copy`.
        origin: the log's name.
        keys: the log's verifier keys, retired ones too.

    Raises:
        Unavailable: `member.not_there`, `member.log_silent`, `ledger.object_missing`.
        Invalid: `ledger.restore_other_log`; what `open_checkpoint` raises; `member.answer_too_long`.
    """
    if not place.startswith(("http://", "https://")):
        return _opened(place, _folder(Path(place)), origin, keys)
    address = place.rstrip("/")
    with suppress(Unavailable):
        return _opened(address, _Lanes(f"{address}/mirror/{origin_hash(origin)}"), origin, keys)
    return _opened(address, _Lanes(address), origin, keys)


def _opened(name: str, fetch: Fetch, origin: str, keys: Sequence[VerifierKey]) -> Copy:
    note = fetch(CHECKPOINT)
    checkpoint, _ = open_checkpoint(note, keys)
    if checkpoint.origin != origin:
        raise Invalid("ledger.restore_other_log", place=name, origin=checkpoint.origin)
    return Copy(name=name, note=note, checkpoint=checkpoint, fetch=fetch)


def must_agree(checkpoints: Mapping[str, Checkpoint]) -> None:
    """Refuse signed checkpoints of one size with two roots: that is a fork, and choosing would hide it.

    Args:
        checkpoints: where each was found, to what it says.

    Raises:
        Invalid: `ledger.restore_fork`.
    """
    found: dict[int, tuple[str, bytes]] = {}
    for place, checkpoint in checkpoints.items():
        other, root = found.setdefault(checkpoint.size, (place, checkpoint.root))
        if root != checkpoint.root:
            raise Invalid("ledger.restore_fork", size=checkpoint.size, place=place, other=other)


def joined(checkpoint: Checkpoint, notes: Sequence[bytes]) -> bytes:
    """One note with the signatures of all notes on this checkpoint, each line once, in their order."""
    lines: dict[tuple[str, bytes], NoteSignature] = {}
    for each in map(Note.parse, notes):
        if each.text == checkpoint.text():
            for line in each.signatures:
                lines.setdefault((line.name, line.key_id), line)
    return Note(text=checkpoint.text(), signatures=tuple(lines.values())).encode()


def only_of(note: bytes, keys: Sequence[VerifierKey]) -> bytes:
    """The note with the signatures of these keys alone."""
    signed = Note.parse(note)
    wanted = {(key.name, key.key_id) for key in keys}
    kept = tuple(line for line in signed.signatures if (line.name, line.key_id) in wanted)
    return Note(text=signed.text, signatures=kept).encode()


def rebuild(
    copy: Copy,
    size: int,
    target: Objects | None,
    known: Mapping[int, set[bytes]],
    *,
    entries: Entries | None = None,
    progress: Callable[[int], None] | None = None,
) -> Edge:
    """Fetch the entries, compute everything anew, and write every file of the log of `size` but its checkpoint.

    Args:
        copy: where from.
        size: how many entries, not more than the copy has.
        target: where to; what a run before has left there is used. None to compare only.
        known: size to the roots that the tree must have had there; those of `size` and of the copy's own among them.
        entries: told of all entries, some at a time.
        progress: told how many entries more are done.

    Raises:
        Invalid: `ledger.restore_differs` when a known root is not met; `ledger.bundle_malformed`;
            `ledger.object_conflict` when the target has other bytes.
        Unavailable: what the copy raises.
    """
    edge, files = Edge(), dict[str, bytes]()
    cuts = sorted(known)
    for some in _bundles(copy, size, target):
        inside = [cut - edge.size for cut in cuts if edge.size < cut < edge.size + len(some)]
        first = edge.size
        for start, end in pairwise([0, *inside, len(some)]):
            edge, made = integrate(edge, some[start:end])
            files.update((path, data) for path, data in made.items() if ".p/" not in path)
            if any(root != edge.root() for root in known.get(edge.size, ())):
                raise Invalid("ledger.restore_differs", place=copy.name, size=edge.size)
        cuts = [cut for cut in cuts if cut > edge.size]
        if entries is not None:
            entries(first, some)
        if target is not None and len(files) >= PUT_AT_ONCE:
            target.put(files)
            files = {}
        if progress is not None:
            progress(len(some))
    if target is not None:
        target.put(files | _partial(edge))
    return edge


def _bundles(copy: Copy, size: int, target: Objects | None) -> Iterator[list[bytes]]:
    """All bundles up to a size in order, fetched ahead; the last one cut to it."""
    count = -(-size // TILE_WIDTH)
    with ThreadPoolExecutor(LANES) as lanes:
        waiting: deque[Future[list[bytes]]] = deque()
        try:
            for index in range(count):
                if index == 0:
                    waiting.extend(lanes.submit(_bundle, copy, each, target) for each in range(min(AHEAD, count)))
                elif index + AHEAD - 1 < count:
                    waiting.append(lanes.submit(_bundle, copy, index + AHEAD - 1, target))
                yield waiting.popleft().result()[: size - index * TILE_WIDTH]
        finally:
            for each in waiting:
                each.cancel()


def _bundle(copy: Copy, index: int, target: Objects | None) -> list[bytes]:
    """One bundle as wide as the copy has it."""
    width = min(TILE_WIDTH, copy.size - index * TILE_WIDTH)
    if target is not None and width == TILE_WIDTH and target.exists(bundle_path(index)):
        entries = decode_bundle(target.get(bundle_path(index)))
    else:
        entries = decode_bundle(_patiently(copy.fetch, bundle_path(index, width)))
    if len(entries) != width:
        raise Invalid("ledger.bundle_malformed")
    return entries


def _patiently(fetch: Fetch, path: str) -> bytes:
    for pause in range(TRIES - 1):
        try:
            return fetch(path)
        except Unavailable as error:
            if error.code in {"member.not_there", "ledger.object_missing"}:
                raise
            time.sleep(0.2 * 4**pause)
    return fetch(path)


def _partial(edge: Edge) -> dict[str, bytes]:
    """The partial tiles and the partial bundle at the right edge."""
    files = {
        tile_path(level, edge.size // TILE_WIDTH ** (level + 1), len(tile) // HASH_SIZE): tile
        for level, tile in enumerate(edge.tiles)
        if tile
    }
    if edge.size % TILE_WIDTH:
        entries = decode_bundle(edge.bundle)
        files[bundle_path(edge.size // TILE_WIDTH, len(entries))] = encode_bundle(entries)
    return files


def _folder(root: Path) -> Fetch:
    def fetch(path: str) -> bytes:
        try:
            return (root / path).read_bytes()
        except OSError as error:
            raise Unavailable("ledger.object_missing", path=str(root / path)) from error

    return fetch


class _Lanes:
    """A fetcher for each thread that calls."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._mine = local()

    def __call__(self, path: str) -> bytes:
        if not hasattr(self._mine, "fetcher"):
            self._mine.fetcher = Fetcher(self._address)
        return bytes(self._mine.fetcher(path))
