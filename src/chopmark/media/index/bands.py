"""Band tables: which of many 256-bit codes lie within some Hamming distance of a query, without looking at all of them.

A code is cut into bands; two codes that differ in few bits have a band in which they differ in one bit at most, so
looking up each band of the query, as it is and with each of its bits turned, meets every near code (multi-index
hashing; Norouzi, Punjani, Fleet, CVPR 2012). With `b` bands every code within 2b - 1 bits is met for certain, and
farther ones nearly always. What is met is then counted bit by bit: nothing is returned that is not near.
Where very many codes are alike, by accident or because somebody floods the index, a query would meet all of them in
every band. So only so many are counted (`MET`), of each crowded key those that came first: whoever comes later crowds
out nobody who was there before. Queries to which that happened are named in the answer.
The tables are plain arrays of numbers, so they can be mapped from a file, and cost 4 bytes a code and band.
Knows nothing of files, rows or what a code stands for.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from chopmark.media.index import BITS, SIZE

WORDS = BITS // 64
FLAT = 2048
"""Up to so many codes all are counted: quicker than tables, and exact at any radius."""
STEP = 1 << 20
"""Codes counted at a time: bounds the memory of a search, however crowded a band is."""
BATCH = 256
"""Queries looked up at a time."""
QUICK = 1 << 15
"""The same where no bit is turned: the codes of some hundred pictures."""
MOST = 1000
"""Codes returned for one query, the nearest: bounds the memory of a search where thousands of codes are alike."""
MET = 8192
"""Codes counted for one query in one band: bounds the time. Codes that are spread evenly meet some hundred."""
EVEN = 4
"""So many times what codes that are spread evenly would meet is counted in any case, however many there are."""

Words = npt.NDArray[np.uint64]
Rows = npt.NDArray[np.int64]
Alive = Callable[[Rows], npt.NDArray[np.bool_]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrangement:
    """So many bands of so many bits, from the first bit on."""

    bands: int
    width: int

    @property
    def certain(self) -> int:
        """The distance up to which nothing is missed."""
        return 2 * self.bands - 1


def arrangement(count: int) -> Arrangement:
    """The one for `count` codes: wider bands for more codes, so that few are met by accident."""
    for limit, bands, width in ((1 << 18, 16, 16), (1 << 20, 13, 19), (1 << 22, 12, 20)):
        if count <= limit:
            return Arrangement(bands=bands, width=width)
    return Arrangement(bands=12, width=21)


def words_of(codes: npt.NDArray[np.uint8]) -> Words:
    """Codes of 32 bytes, first bit first, as four numbers each."""
    return np.ascontiguousarray(codes).view(">u8").astype(np.uint64).reshape(-1, WORDS)


def codes_of(words: Words) -> npt.NDArray[np.uint8]:
    """Back to bytes."""
    return words.astype(">u8").view(np.uint8).reshape(-1, SIZE)


def keys(words: Words, band: int, width: int) -> npt.NDArray[np.uint32]:
    """The bits of one band, as a number."""
    first, offset = divmod(band * width, 64)
    over = offset + width - 64
    if over <= 0:
        cut = words[:, first] >> np.uint64(-over)
    else:
        cut = (words[:, first] << np.uint64(over)) | (words[:, first + 1] >> np.uint64(64 - over))
    return (cut & np.uint64((1 << width) - 1)).astype(np.uint32)


def distances(some: Words, others: Words) -> npt.NDArray[np.uint16]:
    """Hamming distances, pair by pair (the two broadcast)."""
    counts = np.bitwise_count(some ^ others)
    halves = counts[..., 0::2] + counts[..., 1::2]  # at most 128: fits
    apart: npt.NDArray[np.uint16] = np.add(halves[..., 0], halves[..., 1], dtype=np.uint16)
    return apart


@dataclass(frozen=True, slots=True, kw_only=True)
class Near:
    """What a search met, in step: the query's place, the code's place, how many bits differ.

    Attributes:
        crowded: places of the queries that met more than is counted or returned; others near them may be missing.
    """

    query: Rows
    row: Rows
    distance: npt.NDArray[np.uint16]
    crowded: Rows = field(default_factory=lambda: np.empty(0, np.int64))


class Bands:
    """Codes with their tables.

    Attributes:
        words: the codes, in the order of their rows.
        order: for each band, the rows in the order of their keys, and of one key from the first row on.
        starts: for each band and key, where its rows begin in `order`.
    """

    def __init__(
        self,
        words: Words,
        order: npt.NDArray[np.uint32],
        starts: npt.NDArray[np.uint32],
        shape: Arrangement,
    ) -> None:
        self.words = words
        self.order = order
        self.starts = starts
        self.shape = shape

    @classmethod
    def build(cls, words: Words, shape: Arrangement | None = None) -> Bands:
        """Sort the codes into their bands; None of those while they are few."""
        count = len(words)
        if shape is None:
            shape = arrangement(count) if count > FLAT else Arrangement(bands=0, width=1)
        order = np.empty((shape.bands, count), np.uint32)
        starts = np.zeros((shape.bands, (1 << shape.width) + 1), np.uint32)
        for band in range(shape.bands):
            cut = keys(words, band, shape.width)
            both = np.sort((cut.astype(np.uint64) << np.uint64(32)) | np.arange(count, dtype=np.uint64))
            order[band] = (both & np.uint64(0xFFFFFFFF)).astype(np.uint32)
            np.cumsum(np.bincount(cut, minlength=1 << shape.width), out=starts[band, 1:])
        return cls(words, order, starts, shape)

    def search(
        self, queries: Words, radius: int, *, exact: bool = False, quick: bool = False, alive: Alive | None = None
    ) -> Near:
        """The codes within `radius` bits of each query, the nearest `MOST`, each pair once; see the module on misses.

        With tables no more than `most_met` codes a query and band are counted.

        Args:
            exact: count all codes; nothing is missed at any radius.
            quick: look up bands as they are, none of their bits turned: a tenth of the work, certain to half the
                distance.
            alive: which of these rows are still there; none that is gone takes the place of one that is not.
        """
        if exact or not self.shape.bands:
            found = [self._flat(queries, at, radius, alive) for at in range(len(queries))]
        else:
            batch = QUICK if quick else BATCH
            found = [
                self._banded(queries[at : at + batch], at, radius, alive, quick=quick)
                for at in range(0, len(queries), batch)
            ]
        return joined(found)

    @property
    def most_met(self) -> int:
        """Codes that are counted for one query in one band."""
        even = len(self.words) * (self.shape.width + 1) >> self.shape.width
        return max(MET, EVEN * even)

    def _flat(self, queries: Words, at: int, radius: int, alive: Alive | None) -> Near:
        found: list[Near] = []
        for first in range(0, len(self.words), STEP):
            apart = distances(self.words[first : first + STEP], queries[at])
            rows = np.flatnonzero(apart <= radius)
            if alive is not None:
                rows = rows[alive(rows + first)]
            near = Near(query=np.full(len(rows), at, np.int64), row=rows + first, distance=apart[rows])
            found = [_nearest(joined([*found, near]))]
        return joined(found)

    def _banded(self, some: Words, at: int, radius: int, alive: Alive | None, *, quick: bool) -> Near:
        turned = np.concatenate(([0], 1 << np.arange(0 if quick else self.shape.width))).astype(np.uint32)
        found: list[Near] = []
        crowded = np.zeros(len(some), np.bool_)
        for band in range(self.shape.bands):
            probes = (keys(some, band, self.shape.width)[:, None] ^ turned).ravel()
            begin = self.starts[band].take(probes).astype(np.int64)
            met = self.starts[band].take(probes + np.uint32(1)).astype(np.int64) - begin
            many, over = _bounded(met.reshape(len(some), -1), self.most_met)
            crowded |= over
            full = np.flatnonzero(many)
            begin, many = begin[full], many.ravel()[full]
            ends = np.cumsum(many)
            for first in range(0, int(many.sum()), STEP):
                last = min(first + STEP, int(ends[-1]))
                probe, place = _places(begin, many, ends, first, last)
                probe = full.take(probe)
                rows = self.order[band].take(place).astype(np.int64)
                found.append(self._counted(some, probe // len(turned), rows, radius, alive))
                if sum(len(each.row) for each in found) > STEP:
                    found = [_nearest(self._once(joined(found)))]
        near = _nearest(self._once(joined(found)))
        named = np.union1d(near.crowded, np.flatnonzero(crowded)) + at
        return Near(query=near.query + at, row=near.row, distance=near.distance, crowded=named)

    def _once(self, near: Near) -> Near:
        """Each pair once: a near code is met in several bands."""
        _, kept = np.unique(near.query * len(self.words) + near.row, return_index=True)
        return replace(near, query=near.query[kept], row=near.row[kept], distance=near.distance[kept])

    def _counted(self, some: Words, query: Rows, rows: Rows, radius: int, alive: Alive | None) -> Near:
        apart = distances(self.words.take(rows, axis=0), some.take(query, axis=0))
        kept = np.flatnonzero(apart <= radius)
        if alive is not None:
            kept = kept[alive(rows[kept])]
        return Near(query=query[kept], row=rows[kept], distance=apart[kept])


def _places(begin: Rows, many: Rows, ends: Rows, first: int, last: int) -> tuple[Rows, Rows]:
    """Of all that the probes met, laid end to end, the part from `first` to `last`: which probe, which place."""
    counts = many if last - first == ends[-1] else np.diff(np.clip(ends, first, last), prepend=first).astype(np.int64)
    probe = np.repeat(np.arange(len(counts)), counts)
    return probe, np.repeat(begin - ends + many, counts) + np.arange(first, last)


def _bounded(met: Rows, most: int) -> tuple[Rows, npt.NDArray[np.bool_]]:
    """How many are counted of what each probe of each query met, `most` a query at most, and which queries have more.

    What a query may count is shared out from the least on: keys with few codes are counted whole, and the crowded ones
    get equal parts of what is left.
    """
    over = met.sum(axis=1) > most
    if not over.any():
        return met, over
    rising = np.sort(met[over], axis=1)
    before = np.cumsum(rising, axis=1) - rising
    share = (most - before) // np.arange(rising.shape[1], 0, -1)
    first = np.argmax(rising > share, axis=1)
    counted = met.copy()
    counted[over] = np.minimum(met[over], share[np.arange(len(share)), first][:, None])
    return counted, over


def _nearest(near: Near) -> Near:
    """The nearest `MOST` of each query; what is nearest of a part is all that can be nearest of the whole."""
    if len(near.row) <= MOST:
        return near
    order = np.lexsort((near.row, near.distance, near.query))
    query = near.query[order]
    within = np.arange(len(order)) - np.searchsorted(query, query) < MOST
    kept = order[within]
    crowded = np.union1d(near.crowded, query[~within])
    return Near(query=near.query[kept], row=near.row[kept], distance=near.distance[kept], crowded=crowded)


def joined(parts: list[Near]) -> Near:
    """Several answers as one."""
    return Near(
        query=np.concatenate([np.empty(0, np.int64), *(each.query for each in parts)]),
        row=np.concatenate([np.empty(0, np.int64), *(each.row for each in parts)]),
        distance=np.concatenate([np.empty(0, np.uint16), *(each.distance for each in parts)]),
        crowded=np.unique(np.concatenate([np.empty(0, np.int64), *(each.crowded for each in parts)])),
    )
