"""The index of codes: find, among millions, those within some bits of a query.

    rows (the truth, elsewhere) -> segments on disk -> segments in memory -> search
                                └─────── tombstones ──────┘

The rows number every change, a code that comes as well as one that goes; the index has read them up to some number and
asks for the rest before each search, so that what was added or taken away a moment ago counts. Segments on disk are
written by `build` alone, one process at a time; a manifest names those that count and is replaced in one step. So
whatever is cut off, by a crash or a full disk, an index is either the one before or the one after. Damaged or lost
files are no loss but of time: the rows are read again from the first.
Searches of several threads run side by side, each on what the index was when it began.
"""

from __future__ import annotations

import fcntl
import os
import secrets
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from threading import Lock
from typing import Protocol

import numpy as np
import numpy.typing as npt

from chopmark.base import cbor
from chopmark.base.errors import Invalid, Unavailable
from chopmark.media.index import RADIUS, SIZE
from chopmark.media.index import segment as files
from chopmark.media.index.bands import FLAT, words_of
from chopmark.media.index.segment import Ids, Segment, merged

MANIFEST = "manifest"
READ = 50_000
"""Rows asked for at a time."""
NEAREST = 20_000
"""Codes that one file's search returns."""
TOGETHER = 64
"""Codes of one file that are looked up at a time."""
OPENED = 5
"""Times that a manifest is read anew because it was replaced meanwhile."""
GROWTH = 4
"""A segment is merged with the next when it is less than so many times as long."""


class Source(Protocol):
    """The rows. Each change has a number of its own, and is seen no later than any with a higher one."""

    def last(self) -> int:
        """The highest number of a change, 0 before the first."""

    def added(self, after: int, last: int, limit: int) -> Sequence[tuple[int, int, bytes]]:
        """Up to `limit` codes that came in (after, last], by number: number, id, 32 bytes. Gone ones may be missing."""

    def gone(self, after: int, last: int) -> Sequence[int]:
        """The ids of the codes taken away in (after, last]."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A code near a query: the query's place, the code's id, how many bits differ."""

    query: int
    id: int
    distance: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Nearest:
    """The codes near any query, nearest first, and how many of the queries met more than is counted (`bands.Near`)."""

    codes: tuple[Found, ...]
    crowded: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """How large the index is; `damaged` when files were given up and the rows read again."""

    codes: int
    gone: int
    segments: int
    on_disk: int
    seen: int
    damaged: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class _State:
    """What a search runs on; replaced as a whole."""

    seen: int = 0
    written: int = 0
    stored: tuple[Segment, ...] = ()
    recent: tuple[Segment, ...] = ()
    gone: Ids = field(default_factory=lambda: np.empty(0, np.int64))
    damaged: bool = False


class CodeIndex:
    """The index in one folder.

    Args:
        name: of the algorithm that made the codes; an index of another is not read.
    """

    def __init__(self, folder: Path, source: Source, name: str) -> None:
        self._folder = folder
        self._source = source
        self._name = name
        self._lock = Lock()
        self._mark: tuple[int, int] | None = None
        self._state = _State()
        self._opened = False

    def search(
        self, codes: npt.NDArray[np.uint8], radius: int = RADIUS, *, exact: bool = False, quick: bool = False
    ) -> tuple[Found, ...]:
        """The codes within `radius` bits of each of the queries (an array of rows of 32 bytes), nearest first.

        Of each segment and query `bands.MOST` at most.

        Args:
            exact: count every code, whatever it takes; else see `bands` on what may be missed beyond its certain
                distance, and where codes crowd.
            quick: see `bands.Bands.search`.
        """
        return self._searched(codes, radius, exact=exact, quick=quick)[0]

    def _searched(
        self, codes: npt.NDArray[np.uint8], radius: int, *, exact: bool = False, quick: bool = False
    ) -> tuple[tuple[Found, ...], set[int]]:
        """What `search` answers, and the places of the queries that met more than is counted."""
        state = self.refresh()
        queries = words_of(codes.reshape(-1, SIZE))
        found: list[Found] = []
        crowded: set[int] = set()
        for part in (*state.stored, *state.recent):
            alive = partial(_alive, part.ids, state.gone) if len(state.gone) else None
            near = part.bands.search(queries, radius, exact=exact, quick=quick, alive=alive)
            crowded.update(near.crowded.tolist())
            found += [
                Found(query=query, id=identity, distance=distance)
                for query, identity, distance in zip(
                    near.query.tolist(), part.ids[near.row].tolist(), near.distance.tolist(), strict=True
                )
            ]
        return tuple(sorted(found, key=lambda each: (each.query, each.distance, each.id))), crowded

    def nearest(self, codes: npt.NDArray[np.uint8], radius: int = RADIUS) -> Nearest:
        """Of each code that is near any query, the nearest query; nearest first, `NEAREST` codes at most.

        However many codes and queries are alike, this holds no more than some times as many in memory.
        """
        best: dict[int, Found] = {}
        crowded = 0
        for first in range(0, len(codes), TOGETHER):
            found, over = self._searched(codes[first : first + TOGETHER], radius)
            crowded += len(over)
            for each in found:
                held = best.get(each.id)
                if held is None or each.distance < held.distance:
                    best[each.id] = replace(each, query=first + each.query)
            if len(best) > 2 * NEAREST:
                best = {each.id: each for each in _ordered(best.values())[:NEAREST]}
        return Nearest(codes=tuple(_ordered(best.values())[:NEAREST]), crowded=crowded)

    def size(self) -> Size:
        """How large it is now."""
        state = self.refresh()
        parts = (*state.stored, *state.recent)
        return Size(
            codes=sum(map(len, parts)),
            gone=len(state.gone),
            segments=len(parts),
            on_disk=sum(map(len, state.stored)),
            seen=state.seen,
            damaged=state.damaged,
        )

    def refresh(self) -> _State:
        """Take in what has changed since: other segments on disk, rows that came, rows that are gone."""
        with self._lock:
            if not self._opened or self._marked() != self._mark:
                self._open()
            last = self._source.last()
            if last < self._state.seen:  # the rows are others: an older copy of the database was put back
                self._state = _State()
            if last > self._state.seen:
                self._state = self._read_up_to(last)
            return self._state

    def build(self, *, whole: bool = False) -> bool:
        """Write what is in memory only to disk, merging segments of like length; whether anything was written.

        Args:
            whole: merge all into one segment.

        Raises:
            Unavailable: `media.index_unwritable`: the disk is full, or the folder went away. Searches go on as before.
        """
        try:
            return self._built(whole=whole)
        except OSError as error:
            raise Unavailable("media.index_unwritable", name=self._folder.name, reason=error.strerror or "") from error

    def _built(self, *, whole: bool) -> bool:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with self._alone():
            state = self.refresh()
            if state.damaged:
                whole = True
            if not whole and state.seen == state.written:
                self._tidy(state.stored)
                return False
            kept, merging = ([], [*state.stored, *state.recent]) if whole else _chosen(state)
            new = self._write(merged(merging, state.gone))
            stored = (*kept, new) if len(new) else tuple(kept)
            here = np.concatenate([np.empty(0, np.int64), *(each.ids for each in kept)])
            gone = state.gone[np.isin(state.gone, here)]
            self._publish(stored, gone, state.seen)
            self._tidy(stored)
            with self._lock:
                self._open()
            return True

    def _read_up_to(self, last: int) -> _State:
        state, recent, at = self._state, list(self._state.recent), self._state.seen
        while rows := self._source.added(at, last, READ):
            at = rows[-1][0]
            ids = np.fromiter((row[1] for row in rows), np.int64, len(rows))
            codes = np.frombuffer(b"".join(row[2] for row in rows), np.uint8).reshape(-1, SIZE)
            recent = _grown(recent, Segment.build(ids, words_of(codes)))
        came = np.array(self._source.gone(state.seen, last), np.int64)
        return _State(
            seen=last,
            written=state.written,
            stored=state.stored,
            recent=tuple(recent),
            gone=np.union1d(state.gone, came) if len(came) else state.gone,
            damaged=state.damaged,
        )

    # ---- files -------------------------------------------------------------------------------------------------------

    def _marked(self) -> tuple[int, int] | None:
        try:
            said = (self._folder / MANIFEST).stat()
        except FileNotFoundError:
            return None
        return said.st_ino, said.st_mtime_ns

    def _open(self) -> None:
        """Map what the manifest names. What is damaged is given up: the rows are read anew."""
        self._opened = True
        for _ in range(OPENED):
            self._mark = self._marked()
            try:
                self._state = self._mapped()
            except FileNotFoundError:
                self._state = _State()
            except (Invalid, KeyError, TypeError, ValueError, OSError):
                self._state = _State(damaged=True)
                if self._marked() != self._mark:  # replaced while it was read, and its segments removed: not damaged
                    continue
            return

    def _mapped(self) -> _State:
        said = cbor.decode((self._folder / MANIFEST).read_bytes())
        if said["name"] != self._name:
            return _State()
        known = {each.name: each for each in self._state.stored}
        stored = tuple(known.get(name) or files.read(self._folder / name) for name in said["segments"])
        gone = np.sort(np.frombuffer(said["gone"], "<i8").astype(np.int64))
        return _State(seen=said["seen"], written=said["seen"], stored=stored, gone=gone)

    def _write(self, new: Segment) -> Segment:
        if not len(new):
            return new
        name = f"{secrets.token_hex(8)}.codes"
        files.write(new, self._folder / name)
        return Segment(ids=new.ids, bands=new.bands, name=name)

    def _publish(self, stored: Sequence[Segment], gone: Ids, seen: int) -> None:
        draft = self._folder / f"{MANIFEST}.new"
        said = {
            "name": self._name,
            "seen": seen,
            "segments": [each.name for each in stored],
            "gone": gone.astype("<i8").tobytes(),
        }
        files.durably(draft, [(0, cbor.encode(said))])
        self._sync()  # the segments' names, before the manifest that tells them
        draft.rename(self._folder / MANIFEST)
        self._sync()

    def _tidy(self, stored: Sequence[Segment]) -> None:
        """Remove files of builds that were cut off, and segments that count no more; who has one mapped keeps it."""
        named = {MANIFEST, "lock", *(each.name for each in stored)}
        for path in self._folder.iterdir():
            if path.name not in named and path.suffix in (".codes", ".new"):
                path.unlink(missing_ok=True)

    def _sync(self) -> None:
        handle = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        with (self._folder / "lock").open("a") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield


def _alive(ids: Ids, gone: Ids, rows: Ids) -> npt.NDArray[np.bool_]:
    """Which of these rows are not gone; what is gone is sorted."""
    asked = ids[rows]
    place = np.searchsorted(gone, asked)
    alive: npt.NDArray[np.bool_] = gone.take(place, mode="clip") != asked
    return alive


def _ordered(found: Iterable[Found]) -> list[Found]:
    return sorted(found, key=lambda each: (each.distance, each.query, each.id))


def _grown(parts: list[Segment], new: Segment) -> list[Segment]:
    """With one more, the last ones merged while they are of like length: so each code is sorted few times."""
    parts = [*parts, new]
    while len(parts) > 1 and len(parts[-2]) <= max(FLAT, GROWTH * len(parts[-1])):
        parts[-2:] = [merged(parts[-2:], np.empty(0, np.int64))]
    return parts


def _chosen(state: _State) -> tuple[list[Segment], list[Segment]]:
    """What stays as it is, and what is merged: the recent ones, and of those on disk the last ones of like length.

    A segment of which a tenth is gone is written anew too.
    """
    kept: list[Segment] = []
    merging = list(state.recent)
    count = sum(map(len, merging))
    for part in reversed(state.stored):
        lost = int(np.isin(part.ids, state.gone).sum()) if len(state.gone) else 0
        if len(part) <= GROWTH * count or lost * 10 > len(part):
            merging.append(part)
            count += len(part)
        else:
            kept.insert(0, part)
    return kept, merging
