"""Local features: a protected picture found inside another that was cropped, framed, turned or put into a collage.

ORB (corners on eight scales, each with a direction and 256 bits) at a fixed working size, spread over a grid so that
every part of the picture has its share. `verify` pairs the features of two pictures, keeps the pairs that agree on
one turn and scale, and fits an affine map (RANSAC): the pictures overlap when enough pairs at distinct places agree
and cover enough of both. What it finds is kept with the match: which part of which, by which map, and the lines that
`drawing` shows. A mirrored copy is found with the features of the mirrored query (`of_query` gives both).

`Pool` proposes which references to verify. It is derived from rows and keeps nothing on disk.
Rules and limits were measured on altered pictures and on pictures that show something else (docs/media.md).
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Any, Final

import cv2
import faiss
import numpy as np
import numpy.typing as npt

from chopmark.base.errors import Invalid
from chopmark.media.decode import Gray, Luma

ALGORITHM: Final = "orb640-v1"
DECODED: Final = 480
"""`luma(data, least=DECODED)` keeps what features need."""
LEAST_INLIERS: Final = 18
"""Agreeing pairs at distinct places; pictures that share nothing reached 15 in one measurement and, three of 1,000, 18
in another; altered copies have 25 and more."""
CANDIDATES: Final = 5
"""References that are verified for one query."""

_WORKING, _MOST = 640, 1000
_QUERY_WORKING, _QUERY_MOST = 800, 900
_HALF_MOST = 600
"""Features of a query at half its working size: a crop shows things larger than its original does."""
_FAST = 4
"""Gray levels of the weakest corner: plain pictures have no others, busy ones are thinned out by the grid."""
_GRID = 8
_SURPLUS = 4
_LEVELS, _STEP = 8, 1.2
_HALF = 4
"""Scales between a working size and its half: 1.2 ** 4 is nearly 2."""
_SCALES = _LEVELS + _HALF
_MOST_DISTANCE = 80
_RATIO = 0.9
_CELL = 6
_TOLERANCE = 3.5
"""Pixels of the reference within which a pair agrees with the map."""
_LEAST_SHARE = 0.36
"""Part of the pairs of one turn and scale that agree on a map: drawn outlines that only look alike reach 0.33."""
_SURE = 30
"""Agreeing pairs that need no such part: pictures that share nothing reached 22."""
_LEAST_HULL = 0.03
"""Part of the reference's own features' hull that the agreeing ones cover."""
_LEAST_QUERY_HULL = 0.003
_LEAST_SCALE, _MOST_SCALE, _MOST_SQUEEZE = 0.1, 6.0, 2.0
_LINES = 60

_HEAD = struct.Struct(">4sHHH")
_MAGIC = b"orb\x01"
_ROW = np.dtype([("place", ">u2", (2,)), ("scale", "u1"), ("direction", "u1"), ("bits", "u1", (32,))])
_PART = 64

_Floats = npt.NDArray[np.float32]
_Indices = npt.NDArray[np.int64]
Point = tuple[float, float]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Features:
    """The local features of one picture, the most telling first.

    Attributes:
        rows: place in 64ths of a pixel at working size, scale 0-11, direction in 256ths of a turn, 256 bits.
        width, height: the working size.
        mirrored: whether they were taken from the mirrored picture.
    """

    rows: npt.NDArray[np.void]
    width: int
    height: int
    mirrored: bool = False

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def places(self) -> _Floats:
        """Pixels at working size, (n, 2)."""
        return np.asarray(self.rows["place"], np.float32) / np.float32(_PART)

    @property
    def bits(self) -> Gray:
        """Descriptors, (n, 32)."""
        return np.ascontiguousarray(self.rows["bits"])

    def encode(self) -> bytes:
        """38 bytes a feature after a head of 10; only of features that are not mirrored."""
        return _HEAD.pack(_MAGIC, self.width, self.height, len(self)) + self.rows.tobytes()

    @classmethod
    def decode(cls, data: bytes) -> Features:
        """What `encode` wrote.

        Raises:
            Invalid: `media.features_malformed`.
        """
        if len(data) < _HEAD.size:
            raise Invalid("media.features_malformed")
        magic, width, height, count = _HEAD.unpack_from(data)
        if magic != _MAGIC or len(data) != _HEAD.size + count * _ROW.itemsize or not (width and height):
            raise Invalid("media.features_malformed")
        rows = np.frombuffer(data, _ROW, count, _HEAD.size)
        if (rows["scale"] >= _SCALES).any() or (rows["place"] >= np.array([width, height]) * _PART).any():
            raise Invalid("media.features_malformed")
        return cls(rows=rows, width=width, height=height)


@dataclass(frozen=True, slots=True, kw_only=True)
class Overlap:
    """Where and how two pictures show the same. Places are parts (0 to 1) of the width and height of each picture.

    Attributes:
        inliers: agreeing pairs at distinct places.
        pairs: pairs that were looked at.
        mirrored: whether the query shows the reference mirrored.
        corners: where the four corners of the reference lie in the query (clockwise from the upper left; they may
            lie outside it).
        query_hull: the part of the query that agrees, as a polygon.
        reference_hull: the part of the reference.
        covered: how much of what can be recognised in the reference agrees, 0 to 1.
        lines: some agreeing pairs, place in the query and place in the reference.
    """

    inliers: int
    pairs: int
    mirrored: bool
    corners: tuple[Point, ...]
    query_hull: tuple[Point, ...]
    reference_hull: tuple[Point, ...]
    covered: float
    lines: tuple[tuple[Point, Point], ...]


def local(picture: Luma) -> Features:
    """The features under which a protected picture is kept: at most 1,000, 38 kB encoded."""
    return _described(_corners(picture.pixels, _WORKING, _MOST), _MOST, mirrored=False)


def of_query(picture: Luma) -> tuple[Features, Features]:
    """The features that a picture is searched with: as it is, and mirrored; at most 1,500 each."""
    sizes = (
        (_corners(picture.pixels, _QUERY_WORKING, _QUERY_MOST), _QUERY_MOST),
        (_corners(picture.pixels, _QUERY_WORKING // 2, _HALF_MOST), _HALF_MOST),
    )
    plain, mirrored = ([_described(each, most, mirrored=side) for each, most in sizes] for side in (False, True))
    return _of_two_sizes(*plain), _of_two_sizes(*mirrored)


def _of_two_sizes(full: Features, half: Features) -> Features:
    """Features at working size and at half of it, three of the one to two of the other."""
    rows = half.rows.copy()
    edge = np.array([full.width, full.height]) * _PART - 1
    rows["place"] = np.minimum(rows["place"].astype(np.int64) * 2, edge)
    rows["scale"] += _HALF
    turn = np.concatenate([np.arange(len(full)), np.arange(len(half)) * (_QUERY_MOST / _HALF_MOST)])
    both = np.concatenate([full.rows, rows]).astype(_ROW)  # numpy joins such rows in the order of bytes of this machine
    ordered = both[np.argsort(turn, kind="stable")]
    return Features(rows=ordered, width=full.width, height=full.height, mirrored=full.mirrored)


@dataclass(frozen=True, slots=True, eq=False)
class _Corners:
    """A picture at working size and its corners."""

    pixels: Gray
    found: Sequence[cv2.KeyPoint]


def _corners(pixels: Gray, working: int, most: int) -> _Corners:
    """Of the corners some times as many as are kept."""
    rows, columns = pixels.shape
    scale = working / max(rows, columns)
    width, height = max(1, round(columns * scale)), max(1, round(rows * scale))
    if scale != 1:
        how = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
        pixels = np.asarray(cv2.resize(pixels, (width, height), interpolation=how), np.uint8)
    line = min(width, height) < _STEP**_LEVELS  # of its smallest scale nothing would be left
    return _Corners(pixels, () if line else _orb(most * _SURPLUS).detect(pixels))


def _orb(most: int) -> cv2.ORB:
    return cv2.ORB.create(nfeatures=most, scaleFactor=_STEP, nlevels=_LEVELS, fastThreshold=_FAST)


def _described(corners: _Corners, most: int, *, mirrored: bool) -> Features:
    """The features at the best of these corners, or of the same ones in the mirrored picture.

    There they stand at the mirrored places and are as strong: looking for them anew would cost twice as much.
    """
    pixels, found = corners.pixels, corners.found
    height, width = pixels.shape
    places, scales, angles = _places(found), _each(found, "octave").astype(np.intp), _each(found, "angle")
    if mirrored:
        pixels, angles = np.ascontiguousarray(pixels[:, ::-1]), (540 - angles) % 360
        places[:, 0] = _from_the_right(places[:, 0], scales, width)
    best = _spread(places, _each(found, "response"), width, height)[:most]
    places, angles, scales = places[best], angles[best], scales[best]
    chosen = [
        cv2.KeyPoint(x, y, _PATCH, angle, 0, scale)
        for x, y, angle, scale in zip(*places.T.tolist(), angles.tolist(), scales.tolist(), strict=True)
    ]
    kept, bits = _orb(max(1, most)).compute(pixels, chosen)
    rows = np.zeros(len(kept), _ROW)
    if kept:
        edge = np.array([width, height]) * _PART - 1
        rows["place"] = np.clip(_places(kept) * _PART, 0, edge).astype(np.uint16)
        rows["scale"] = _each(kept, "octave")
        rows["direction"] = (_each(kept, "angle") * 256 / 360).astype(np.int64) % 256
        rows["bits"] = bits
    return Features(rows=rows, width=width, height=height, mirrored=mirrored)


def _from_the_right(x: npt.NDArray[np.float64], scales: npt.NDArray[np.intp], width: int) -> npt.NDArray[np.float64]:
    """The columns of corners in the mirrored picture: each stands on a whole pixel of its own scale."""
    size = _SCALED[scales]
    return np.asarray((np.round(width / size) - 1 - np.round(x / size)).astype(np.float32) * size, np.float64)


_SCALED = np.array([_STEP**level for level in range(_LEVELS)], np.float32)
_PATCH = 31
"""Pixels of its scale by which a corner is described."""


def _places(corners: Sequence[cv2.KeyPoint]) -> npt.NDArray[np.float64]:
    """Pixels, (n, 2)."""
    return np.asarray(cv2.KeyPoint.convert(corners), np.float64).reshape(-1, 2)


def _each(corners: Sequence[cv2.KeyPoint], name: str) -> npt.NDArray[np.float64]:
    """One number of each corner; without a Python loop, which would take as long as finding them."""
    return np.fromiter(map(attrgetter(name), corners), np.float64, len(corners))


def _spread(places: npt.NDArray[np.float64], strength: npt.NDArray[np.float64], width: int, height: int) -> _Indices:
    """Indices of corners: the strongest of each cell of the grid, then the second of each, and so on."""
    if not len(places):
        return np.zeros(0, np.int64)
    x, y = places.T
    cell = (y * _GRID / height).astype(np.int64) * _GRID + (x * _GRID / width).astype(np.int64)
    order = np.lexsort((-strength, cell))
    starts = np.concatenate(([0], np.flatnonzero(np.diff(cell[order])) + 1))
    rank = np.arange(len(order)) - np.repeat(starts, np.diff(np.append(starts, len(order))))
    return np.asarray(order[np.lexsort((-strength[order], rank))], np.int64)


# --- two pictures


def verify(query: Features, reference: Features) -> Overlap | None:
    """Whether and where `query` shows what `reference` shows; None where too little agrees.

    Deterministic: the same features give the same answer.
    """
    pairs = _consistent(query, reference, _pairs(query, reference))
    if len(pairs) < LEAST_INLIERS:
        return None
    there, here = query.places[pairs[:, 0]], reference.places[pairs[:, 1]]
    found, agreed = cv2.estimateAffine2D(
        there, here, method=cv2.RANSAC, ransacReprojThreshold=_TOLERANCE, maxIters=2000, confidence=0.995
    )
    if not agreed.any():
        return None
    matrix = np.asarray(found, np.float64)
    if not _plausible(matrix):
        return None
    kept = agreed[:, 0].astype(bool)
    there, here = there[kept], here[kept]
    inliers = min(len(np.unique(places // _CELL, axis=0)) for places in (there, here))
    if inliers < LEAST_INLIERS or (inliers < _SURE and len(there) < _LEAST_SHARE * len(pairs)):
        return None
    query_hull, reference_hull = cv2.convexHull(there), cv2.convexHull(here)
    whole = cv2.contourArea(cv2.convexHull(reference.places))
    covered = cv2.contourArea(reference_hull) / max(whole, 1.0)
    if covered < _LEAST_HULL or cv2.contourArea(query_hull) < _LEAST_QUERY_HULL * query.width * query.height:
        return None
    some = range(0, len(there), max(1, len(there) // _LINES))
    places, own = _parts(there, query), _parts(here, reference)
    return Overlap(
        inliers=inliers,
        pairs=len(pairs),
        mirrored=query.mirrored,
        corners=_parts(_outline(matrix, reference), query),
        query_hull=_parts(query_hull[:, 0], query),
        reference_hull=_parts(reference_hull[:, 0], reference),
        covered=round(min(covered, 1.0), 4),
        lines=tuple((places[index], own[index]) for index in some)[:_LINES],
    )


def _pairs(query: Features, reference: Features) -> _Indices:
    """Indices (query, reference) of features whose nearest partner is clearly nearer than the next."""
    if not len(query) or len(reference) < 2:
        return np.zeros((0, 2), np.int64)
    faiss.omp_set_num_threads(1)
    known = faiss.IndexBinaryFlat(256)  # compares what OpenCV's matcher does, five times as fast
    known.add(reference.bits)
    near, found = known.search(query.bits, 2)
    good = np.flatnonzero((near[:, 0] <= _MOST_DISTANCE) & (near[:, 0] < _RATIO * near[:, 1]))
    return np.stack([good, found[good, 0]], axis=1)


_TURNS, _SIZES = 24, 4 * _SCALES


def _consistent(query: Features, reference: Features, pairs: _Indices) -> _Indices:
    """The pairs near the commonest turn (within 22 degrees) and scale (within a factor of 1.5)."""
    turn = _turns(query.rows[pairs[:, 0]], reference.rows[pairs[:, 1]])
    size = reference.rows["scale"][pairs[:, 1]].astype(np.int64) - query.rows["scale"][pairs[:, 0]] + _SIZES // 2
    votes = np.bincount(turn * _SIZES + size, minlength=_TURNS * _SIZES).reshape(_TURNS, _SIZES)
    around = _around(_around(votes, 1, axis=0), 2, axis=1)
    best_turn, best_size = np.divmod(int(np.argmax(around)), _SIZES)
    apart = np.abs((turn - best_turn + _TURNS // 2) % _TURNS - _TURNS // 2)
    return np.asarray(pairs[(apart <= 1) & (np.abs(size - best_size) <= 2)], np.int64)


def _around(votes: _Indices, reach: int, axis: int) -> _Indices:
    """Each count with those up to `reach` places beside it, round in a circle."""
    return np.asarray(sum(np.roll(votes, shift, axis=axis) for shift in range(-reach, reach + 1)), np.int64)


def _turns(query: npt.NDArray[np.void], reference: npt.NDArray[np.void]) -> _Indices:
    """By how many 24ths of a turn each pair is turned."""
    apart = (reference["direction"].astype(np.int64) - query["direction"]) % 256
    return np.asarray(apart * _TURNS // 256, np.int64)


def _plausible(matrix: npt.NDArray[np.float64]) -> bool:
    """No mirroring, no collapse, hardly more of a squeeze than a picture that is seen from the side."""
    linear = matrix[:, :2]
    largest, smallest = np.linalg.svd(linear, compute_uv=False)
    return bool(
        np.linalg.det(linear) > 0
        and _LEAST_SCALE < smallest <= largest < _MOST_SCALE
        and largest < _MOST_SQUEEZE * smallest
    )


def _outline(matrix: npt.NDArray[np.float64], reference: Features) -> _Floats:
    """The corners of the reference, in pixels of the query."""
    back = cv2.invertAffineTransform(matrix)
    wide, high = reference.width, reference.height
    corners = np.array([[0, 0, 1], [wide, 0, 1], [wide, high, 1], [0, high, 1]], np.float64)
    return np.asarray(corners @ back.T, np.float32)


def _parts(places: npt.NDArray[np.float32], features: Features) -> tuple[Point, ...]:
    """Pixels as parts of the picture as it is shown (a mirrored query is mirrored back)."""
    parts = places.reshape(-1, 2).astype(np.float64) / (features.width, features.height)
    if features.mirrored:
        parts[:, 0] = 1 - parts[:, 0]
    return tuple((round(float(x), 4), round(float(y), 4)) for x, y in parts)


# --- evidence

_SHOWN = 560
_GAP = 16
_HULL_COLOUR, _LINE_COLOUR = (40, 160, 40), (30, 120, 240)


def drawing(query: Luma, reference: Luma, overlap: Overlap) -> bytes:
    """A PNG: the query on the left, the reference on the right, the agreeing parts outlined, agreeing places joined."""
    left, right = _shown(query.pixels), _shown(reference.pixels)
    high = max(left.shape[0], right.shape[0])
    sheet = np.full((high, left.shape[1] + _GAP + right.shape[1], 3), 255, np.uint8)
    sheet[: left.shape[0], : left.shape[1]] = left
    sheet[: right.shape[0], left.shape[1] + _GAP :] = right

    def at(point: Point, picture: Gray, offset: int) -> tuple[int, int]:
        return offset + round(point[0] * (picture.shape[1] - 1)), round(point[1] * (picture.shape[0] - 1))

    beside = left.shape[1] + _GAP
    for there, here in overlap.lines:
        ends = at(there, left, 0), at(here, right, beside)
        cv2.line(sheet, *ends, _LINE_COLOUR, 1, cv2.LINE_AA)
    for hull, picture, offset in ((overlap.query_hull, left, 0), (overlap.reference_hull, right, beside)):
        polygon = np.array([at(point, picture, offset) for point in hull], np.int32)
        cv2.polylines(sheet, [polygon], isClosed=True, color=_HULL_COLOUR, thickness=2, lineType=cv2.LINE_AA)
    return cv2.imencode(".png", sheet)[1].tobytes()


def _shown(pixels: Gray) -> Gray:
    """Gray in three channels, the longer side at most `_SHOWN`."""
    rows, columns = pixels.shape
    scale = min(1.0, _SHOWN / max(rows, columns))
    size = max(1, round(columns * scale)), max(1, round(rows * scale))
    small = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.cvtColor(small, cv2.COLOR_GRAY2BGR), np.uint8)


# --- many pictures

_ASKED = 700
"""Features of a query that vote."""
_NEIGHBOURS = 8
_VOTING_DISTANCE = 64
_LEAST_VOTES = 10
"""Fewer are chance: references that were in the picture had 23 or more."""
_FLAT_BELOW = 40_000
_A_CELL = 200
"""Features of a cell when the cells are made."""
_MOST_CELLS = 2048
"""More take minutes to make."""
_PROBED = 16


class Pool:
    """The features of all references in one index; the ones that share most with a query are its candidates.

    Exact below 40,000 features, above in cells (`faiss` binary IVF, trained on what was there at the time); who asks
    first after a pool has outgrown its cells waits for new ones (2 s for 160,000 features, 8 s at most).
    Not thread-safe; a picture that is removed no longer answers at once and its features go when `Pool` is rebuilt.
    """

    def __init__(self, rows: Iterable[tuple[int, Features]] = ()) -> None:
        self._owner = np.zeros(0, np.int64)
        self._direction = np.zeros(0, np.uint8)
        self._fresh: list[tuple[int, Features]] = []  # not yet in these two: they are copied once for many that come
        self._removed: set[int] = set()
        known = list(rows)
        everything = np.concatenate([features.bits for _, features in known] or [np.zeros((0, 32), np.uint8)])
        self._cells = _cells(len(everything))
        self._index = _index(everything, self._cells)
        self._keep(known)
        if len(everything):
            self._index.add(everything)

    def __len__(self) -> int:
        return int(self._index.ntotal)

    def add(self, identity: int, features: Features) -> None:
        """Add a reference, or one that was removed with new features."""
        if identity in self._removed:
            self._removed.discard(identity)
            self._settle()
            self._owner[self._owner == identity] = -1
        self._keep([(identity, features)])
        if len(features):
            self._index.add(features.bits)

    def remove(self, identity: int) -> None:
        """Let a reference answer no more."""
        self._removed.add(identity)

    def candidates(self, query: Features, limit: int = CANDIDATES) -> tuple[tuple[int, int], ...]:
        """The references to verify and their votes, the most promising first.

        A feature votes for the pictures of its nearest neighbours and for the turn between them; votes count
        together when they agree on the turn.
        """
        asked = query.rows[:_ASKED]
        if not len(asked) or not len(self):
            return ()
        self._settle()
        faiss.omp_set_num_threads(1)
        near, found = self._index.search(np.ascontiguousarray(asked["bits"]), min(_NEIGHBOURS, len(self)))
        row, column = np.nonzero((found >= 0) & (near <= _VOTING_DISTANCE))
        hit = found[row, column]
        owner = self._owner[hit]
        turn = ((self._direction[hit].astype(np.int64) - asked["direction"][row]) % 256) * _TURNS // 256
        owners, place = np.unique(owner, return_inverse=True)
        choices = len(owners) * _TURNS
        once = np.unique(row * choices + place * _TURNS + turn) % max(choices, 1)
        votes = np.bincount(once, minlength=choices).reshape(-1, _TURNS)
        best = _around(votes, 1, axis=1).max(axis=1, initial=0)
        order = np.argsort(-best, kind="stable")
        good = [(int(owners[at]), int(best[at])) for at in order if best[at] >= _LEAST_VOTES]
        return tuple((who, many) for who, many in good if who >= 0 and who not in self._removed)[:limit]

    def found(
        self, query: tuple[Features, Features], reference: Callable[[int], Features], also: Sequence[int] = ()
    ) -> tuple[tuple[int, Overlap], ...]:
        """The references that a query shows a part of, the surest first.

        Args:
            query: what `of_query` gave; the mirrored features are asked when the others find nothing.
            reference: the features of a reference by its identity.
            also: references that somebody else proposes (`media.shortlist`).
        """
        for features in query:
            proposed = dict.fromkeys([*(who for who, _ in self.candidates(features)), *also])
            verified = [(who, verify(features, reference(who))) for who in proposed]
            overlaps = [(who, overlap) for who, overlap in verified if overlap is not None]
            if overlaps:
                return tuple(sorted(overlaps, key=lambda each: -each[1].inliers))
        return ()

    def _keep(self, rows: list[tuple[int, Features]]) -> None:
        self._fresh += rows

    def _settle(self) -> None:
        rows, self._fresh = self._fresh, []
        if not rows:
            return
        if (cells := _cells(len(self))) and cells >= 2 * self._cells:
            everything, self._cells = _bits_in(self._index, self._cells), cells
            self._index = _index(everything, cells)
            self._index.add(everything)
        owners = [np.full(len(features), identity, np.int64) for identity, features in rows]
        directions = [np.asarray(features.rows["direction"], np.uint8) for _, features in rows]
        self._owner = np.concatenate([self._owner, *owners])
        self._direction = np.concatenate([self._direction, *directions])


def _cells(count: int) -> int:
    """Into how many cells so many features are divided; nought for none."""
    return 0 if count < _FLAT_BELOW else min(_MOST_CELLS, count // _A_CELL)


def _index(bits: Gray, cells: int) -> faiss.IndexBinary:
    """An index with nothing in it yet, for such features."""
    if not cells:
        return faiss.IndexBinaryFlat(256)
    faiss.omp_set_num_threads(1)
    index = faiss.IndexBinaryIVF(faiss.IndexBinaryFlat(256), 256, cells)
    index.nprobe = min(_PROBED, cells)
    index.cp.niter = 4
    index.train(bits[:: max(1, len(bits) // (cells * 50))])
    return index


def _bits_in(index: faiss.IndexBinary, cells: int) -> Gray:
    """All that was added to an index, in that order."""
    inside: Any = index  # its stubs say nothing of what it holds
    bits = np.empty((inside.ntotal, 32), np.uint8)
    if not cells:
        bits[:] = faiss.vector_to_array(inside.xb).reshape(-1, 32)
        return bits
    lists = inside.invlists
    for cell in range(inside.nlist):
        size = lists.list_size(cell)
        if size:
            rows = faiss.rev_swig_ptr(lists.get_ids(cell), size)
            bits[rows] = faiss.rev_swig_ptr(lists.get_codes(cell), size * 32).reshape(size, 32)
    return bits
