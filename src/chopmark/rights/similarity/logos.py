"""Look-alike logos: shapes that outlive recolouring, inversion, frames, turning, added words and perspective.

    codes = describe(gray)                    of a logo to be kept: one small vector of whole and polar shape, and PDQ
    index.add("R-1", codes); index.search(describe_query(gray), limit=10)

A picture is reduced to its ink (what differs from its border), cut to it, and described twice: `shape` (directions of
edges and places of ink on a grid, for each way to turn it) and `polar` (rings around the middle, whatever the angle).
A query is described once for each of its regions as well: without a frame, the parts above and below a gap, what is
left free in a disc, what an outline encloses. `media.picture` gives the third score, PDQ: the same picture.

Pure. Similar is not infringing; Vienna codes are a filter elsewhere; photographs with a logo in them are another task.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np
import numpy.typing as npt

from chopmark.base.errors import Invalid
from chopmark.media import picture

SIDE = 64
WORK = 256  # pixels of the longer side on which regions are found
LEAST_INK = 0.004  # of the picture
_CELLS, _DIRECTIONS = 8, 8
_RINGS, _ANGLES, _WAVES = 16, 64, 10
SHAPE_LENGTH = _CELLS * _CELLS * (_DIRECTIONS + 1)
POLAR_LENGTH = _RINGS * _WAVES
MAX_REGIONS = 9
_ANGLES_TRIED = tuple(range(0, 90, 15))

Gray = npt.NDArray[np.uint8]
Ink = npt.NDArray[np.uint8]  # 0 or 1
Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Codes:
    """What is kept of a logo.

    Attributes:
        shape, polar: vectors of length 1, as bytes (int8, 127 for 1).
        pdq: 32 bytes; empty for a picture that PDQ cannot tell from others.
    """

    shape: bytes
    polar: bytes
    pdq: bytes = b""

    def encode(self) -> bytes:
        """As it is kept; `parse_codes` reads it."""
        return self.shape + self.polar + self.pdq


def parse_codes(data: bytes) -> Codes:
    """Read what `Codes.encode` wrote.

    Raises:
        Invalid: `similarity.codes_malformed`.
    """
    both = SHAPE_LENGTH + POLAR_LENGTH
    if len(data) not in (both, both + 32):
        raise Invalid("similarity.codes_malformed", size=len(data))
    return Codes(shape=data[:SHAPE_LENGTH], polar=data[SHAPE_LENGTH:both], pdq=data[both:])


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LogoQuery:
    """What is asked of an index.

    Attributes:
        shapes: one row for each region and way to turn it.
        polars: one row for each region.
        pdqs: the eight codes of the whole, bytes by rows.
        regions: the name of each row of `polars`; `of` gives the region of each row of `shapes`.
    """

    shapes: Floats
    polars: Floats
    pdqs: Gray
    regions: tuple[str, ...]
    of: npt.NDArray[np.intp]


@dataclass(frozen=True, slots=True, kw_only=True)
class LogoHit:
    """One logo that resembles the query; all scores from 0 to 1.

    Attributes:
        shape: edges and ink in their places, turned as fits best.
        polar: rings around the middle.
        same: agreement of PDQ: 1 for the same picture, 0 from a distance of 64 bits on.
        region: of the query, where it fitted best.
    """

    key: str
    total: float
    shape: float
    polar: float
    same: float
    region: str


def describe(gray: Gray) -> Codes:
    """What is kept of a logo, from its brightness (0 black to 255 white, at least 16 pixels each way).

    Raises:
        Invalid: `similarity.logo_blank` where nothing stands out from the background.
    """
    ink = _cut(ink_of(gray))
    return Codes(shape=_pack(_shape(_square(ink))), polar=_pack(_polar(ink)), pdq=_pdq(ink))


def describe_query(gray: Gray) -> LogoQuery:
    """What is asked about a picture: its regions, each in all ways to turn it.

    Raises:
        Invalid: `similarity.logo_blank`.
    """
    whole = ink_of(gray)
    shapes: list[Floats] = []
    polars: list[Floats] = []
    names: list[str] = []
    of: list[int] = []
    for name, region in regions(whole):
        cut = _cut(region)
        polars.append(_polar(cut))
        ways = list(_ways(region, _ANGLES_TRIED if name in ("whole", "filled") else (0,)))
        shapes += ways
        of += [len(names)] * len(ways)
        names.append(name)
    codes, quality = picture.dihedral(picture.of_pixels(_canvas(_cut(whole))))
    kept = codes if quality >= picture.LEAST_QUALITY else ()
    pdqs = np.frombuffer(b"".join(kept), np.uint8).reshape(len(kept), 32)
    return LogoQuery(
        shapes=np.stack(shapes), polars=np.stack(polars), pdqs=pdqs, regions=tuple(names), of=np.array(of, np.intp)
    )


def ink_of(gray: Gray) -> Ink:
    """What stands out: 1 where the picture differs from its border, whichever of the two is darker.

    Raises:
        Invalid: `similarity.logo_blank`.
    """
    if min(gray.shape) < 2 or int(gray.max()) - int(gray.min()) < 16:
        raise Invalid("similarity.logo_blank")
    scale = WORK / max(gray.shape)
    size = (max(8, round(gray.shape[1] * scale)), max(8, round(gray.shape[0] * scale)))
    small = cv2.resize(gray, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    _, dark = cv2.threshold(small, 0, 1, cv2.THRESH_BINARY_INV | cv2.THRESH_OTSU)
    rim = np.concatenate((dark[0], dark[-1], dark[:, 0], dark[:, -1]))
    ink = (1 - dark if rim.mean() > 0.5 else dark).astype(np.uint8)
    if ink.mean() < LEAST_INK:
        raise Invalid("similarity.logo_blank")
    return ink


def regions(ink: Ink) -> list[tuple[str, Ink]]:
    """The parts of a query that may be the logo: at most `MAX_REGIONS`, the whole first."""
    found = [("whole", ink)]
    count, labels, stats, _ = cv2.connectedComponentsWithStats(ink, connectivity=8)
    if count > 2:
        biggest = 1 + int(np.argmax(stats[1:, cv2.CC_STAT_AREA]))
        widest = 1 + int(np.argmax(stats[1:, cv2.CC_STAT_WIDTH] * stats[1:, cv2.CC_STAT_HEIGHT]))
        found.append(("part", (labels == biggest).astype(np.uint8)))
        found.append(("within", ink * (labels != widest).astype(np.uint8)))
    disc, enclosed = _enclosed(ink)
    found.append(("free", disc))
    found.append(("filled", enclosed))
    for name, axis in (("above", 1), ("left", 0)):
        found += _parted(ink, name, axis)
    least = LEAST_INK * ink.size
    return [(name, part) for name, part in found if part.sum() >= least][:MAX_REGIONS]


def _enclosed(ink: Ink) -> tuple[Ink, Ink]:
    """What the outermost shapes leave free inside, and what thin outlines enclose (each second level of nesting)."""
    padded = cv2.copyMakeBorder(ink, 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0)
    contours, tree = cv2.findContours(padded, cv2.RETR_TREE, cv2.CHAIN_APPROX_NONE)
    outer, enclosed = np.zeros_like(padded), np.zeros_like(padded)
    depths: list[int] = []
    for each in tree[0] if len(contours) else ():
        parent = int(each[3])
        depths.append(0 if parent < 0 else depths[parent] + 1 if parent < len(depths) else 1)
    for contour, depth in zip(contours, depths, strict=True):
        if depth == 0:
            cv2.drawContours(outer, [contour], -1, 1, cv2.FILLED)
        elif depth % 2:
            inside = np.zeros_like(padded)
            cv2.drawContours(inside, [contour], -1, 1, cv2.FILLED)
            enclosed = cv2.bitwise_xor(enclosed, inside)
    free = np.where(padded, 0, outer).astype(np.uint8)
    return free[1:-1, 1:-1], enclosed[1:-1, 1:-1].astype(np.uint8)


def _parted(ink: Ink, name: str, axis: int) -> list[tuple[str, Ink]]:
    """The two sides of the widest empty band, where there is one (above and below, or left and right)."""
    filled = np.flatnonzero(ink.any(axis=axis))
    gaps = np.diff(filled)
    if not gaps.size or gaps.max() < 3:
        return []
    at = int(filled[int(np.argmax(gaps))]) + 1
    first, second = ink.copy(), ink.copy()
    if axis == 1:
        first[at:], second[:at] = 0, 0
    else:
        first[:, at:], second[:, :at] = 0, 0
    return [(name, first), ({"above": "below", "left": "right"}[name], second)]


def _cut(ink: Ink) -> Ink:
    left, top, width, height = cv2.boundingRect(ink)
    return ink[top : top + height, left : left + width]


def _square(ink: Ink) -> Floats:
    """Ink cut out and stretched to a square: what a stretched copy has in common with its original."""
    return cv2.resize(ink.astype(np.float32), (SIDE, SIDE), interpolation=cv2.INTER_AREA).astype(np.float32)


def _canvas(cut: Ink) -> Gray:
    """Dark ink on white, as wide as high, with a margin: what PDQ is computed from."""
    side = max(cut.shape)
    canvas = np.full((side + side // 4, side + side // 4), 255, np.uint8)
    top, left = (canvas.shape[0] - cut.shape[0]) // 2, (canvas.shape[1] - cut.shape[1]) // 2
    canvas[top : top + cut.shape[0], left : left + cut.shape[1]] = 255 - 255 * cut
    return canvas


def _pdq(cut: Ink) -> bytes:
    bits, quality = picture.pdq(picture.of_pixels(_canvas(cut)))
    return bits if quality >= picture.LEAST_QUALITY else b""


def _ways(ink: Ink, angles: Sequence[int]) -> Iterable[Floats]:
    """Shapes of the ink turned by these angles, each in eight ways (quarter turns, mirrored or not)."""
    cut = _cut(ink)
    for angle in angles:
        yield from _eight(_shape(_square(_cut(_rotated(cut, angle)) if angle else cut)))


def _eight(shape: Floats) -> Iterator[Floats]:
    """What the shape would be of the picture mirrored or not, each in four quarter turns: cells change their places."""
    edges = shape[: _DIRECTIONS * _CELLS * _CELLS].reshape(_DIRECTIONS, _CELLS, _CELLS)
    ink = shape[_DIRECTIONS * _CELLS * _CELLS :].reshape(_CELLS, _CELLS)
    across = -np.arange(_DIRECTIONS) % _DIRECTIONS
    for planes, grid in ((edges, ink), (edges[across][:, :, ::-1], ink[:, ::-1])):
        for quarter in range(4):
            turned = np.roll(planes, quarter * _DIRECTIONS // 2, axis=0)
            yield np.concatenate((np.rot90(turned, quarter, (1, 2)).ravel(), np.rot90(grid, quarter).ravel()))


def _rotated(cut: Ink, angle: int) -> Ink:
    rows, columns = cut.shape
    side = math.ceil(math.hypot(rows, columns)) + 2
    turn = cv2.getRotationMatrix2D((columns / 2, rows / 2), angle, 1.0)
    turn[:, 2] += side / 2 - columns / 2, side / 2 - rows / 2
    turned = cv2.warpAffine(cut * 255, turn, (side, side), flags=cv2.INTER_LINEAR)
    return (turned > 127).astype(np.uint8)


def _shape(square: Floats) -> Floats:
    """Directions of edges and amounts of ink in eight by eight cells; of length 1."""
    soft = cv2.GaussianBlur(square, (0, 0), 2.0)
    across, down = cv2.Sobel(soft, cv2.CV_32F, 1, 0, ksize=3), cv2.Sobel(soft, cv2.CV_32F, 0, 1, ksize=3)
    strength, angle = cv2.cartToPolar(across, down)
    place = (angle % np.float32(math.pi)) * np.float32(_DIRECTIONS / math.pi)
    low = np.floor(place)
    share = place - low
    lower = low.astype(np.int32) % _DIRECTIONS
    layers = np.zeros((_DIRECTIONS, SIDE, SIDE), np.float32)
    rows, columns = np.indices((SIDE, SIDE), sparse=True)
    layers[lower, rows, columns] = strength * (1 - share)
    layers[(lower + 1) % _DIRECTIONS, rows, columns] += strength * share
    step = SIDE // _CELLS
    cells = np.stack([cv2.resize(layer, (_CELLS, _CELLS), interpolation=cv2.INTER_AREA) for layer in layers])
    edges = np.sqrt(cells)
    ink = cv2.resize(soft, (SIDE // step, SIDE // step), interpolation=cv2.INTER_AREA)
    return np.concatenate((_unit(edges.ravel()) * np.float32(0.8), _unit((ink - ink.mean()).ravel()) * np.float32(0.6)))


def _polar(cut: Ink) -> Floats:
    """Strength of each frequency on rings around the middle of the ink: the same for every angle; of length 1."""
    moments = cv2.moments(cut, binaryImage=True)
    rows, columns = np.nonzero(cut)
    x, y = moments["m10"] / moments["m00"], moments["m01"] / moments["m00"]
    reach = float(np.hypot(columns - x, rows - y).max()) + 1.0
    radius, angle = _rings()
    rings = cv2.remap(
        cut.astype(np.float32),
        (x + reach * radius * np.cos(angle)).astype(np.float32),
        (y + reach * radius * np.sin(angle)).astype(np.float32),
        cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_CONSTANT,
    )
    waves = np.abs(np.fft.rfft(rings, axis=1))[:, :_WAVES] * np.sqrt(radius)
    return _unit(np.sqrt(waves).astype(np.float32).ravel())


@cache
def _rings() -> tuple[Floats, Floats]:
    radius = ((np.arange(_RINGS, dtype=np.float32) + 0.5) / _RINGS)[:, None]
    angle = (np.arange(_ANGLES, dtype=np.float32) * np.float32(2 * math.pi / _ANGLES))[None, :]
    return radius.astype(np.float32), angle.astype(np.float32)


def _unit(vector: Floats) -> Floats:
    return (vector / max(float(np.linalg.norm(vector)), 1e-6)).astype(np.float32)


def _pack(vector: Floats) -> bytes:
    return np.clip(np.round(vector * 127), -127, 127).astype(np.int8).tobytes()


class LogoIndex:
    """Logos in memory, compared with each query one by one; safe to be used by several threads.

    Made from rows whenever a process starts; nothing of it is on disk. 100,000 logos take 75 MB.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._keys: list[str] = []
        self._place: dict[str, int] = {}
        self._shapes = np.zeros((0, SHAPE_LENGTH), np.int8)
        self._polars = np.zeros((0, POLAR_LENGTH), np.int8)
        self._pdqs = np.zeros((0, 32), np.uint8)
        self._known = np.zeros(0, bool)  # whether there is a PDQ

    def __len__(self) -> int:
        return len(self._keys)

    def __contains__(self, key: str) -> bool:
        return key in self._place

    def add(self, key: str, codes: Codes) -> None:
        """Keep a logo, in place of the one that this key had."""
        with self._lock:
            self._drop(key)
            place = len(self._keys)
            self._grow(place + 1)
            self._shapes[place] = np.frombuffer(codes.shape, np.int8)
            self._polars[place] = np.frombuffer(codes.polar, np.int8)
            self._known[place] = bool(codes.pdq)
            if codes.pdq:
                self._pdqs[place] = np.frombuffer(codes.pdq, np.uint8)
            self._keys.append(key)
            self._place[key] = place

    def remove(self, key: str) -> None:
        """Forget a logo, if it was kept."""
        with self._lock:
            self._drop(key)

    def search(
        self, query: LogoQuery, *, limit: int = 10, among: Callable[[str], bool] | None = None
    ) -> tuple[LogoHit, ...]:
        """The most similar logos, best first; `among` says of a key whether it may be shown."""
        with self._lock:
            count = len(self._keys)
            if not count:
                return ()
            keys = list(self._keys)
            shapes = _best(self._shapes[:count], query.shapes)
            polars = _best(self._polars[:count], query.polars)
            same = self._same(count, query.pdqs)
        shape = shapes[0]
        polar = polars[0]
        total = _total(shape, polar, same)
        hits: list[LogoHit] = []
        for at in np.argsort(-total, kind="stable"):
            if among is not None and not among(keys[at]):
                continue
            region = query.regions[int(query.of[shapes[1][at]])]
            hits.append(
                LogoHit(
                    key=keys[at],
                    total=float(total[at]),
                    shape=float(shape[at]),
                    polar=float(polar[at]),
                    same=float(same[at]),
                    region=region,
                )
            )
            if len(hits) == limit:
                break
        return tuple(hits)

    def _same(self, count: int, pdqs: Gray) -> Floats:
        if not len(pdqs):
            return np.zeros(count, np.float32)
        words = self._pdqs[:count].view(np.uint64)
        asked = np.ascontiguousarray(pdqs).view(np.uint64)
        nearest = np.full(count, 256, np.int64)
        for each in asked:
            nearest = np.minimum(nearest, np.bitwise_count(words ^ each).sum(axis=1, dtype=np.int64))
        found = np.clip(1 - nearest / 64, 0, 1).astype(np.float32)
        return np.where(self._known[:count], found, np.float32(0))

    def _drop(self, key: str) -> None:
        place = self._place.pop(key, None)
        if place is None:
            return
        last = len(self._keys) - 1
        if place != last:
            for array in (self._shapes, self._polars, self._pdqs, self._known):
                array[place] = array[last]
            self._keys[place] = self._keys[last]
            self._place[self._keys[place]] = place
        self._keys.pop()

    def _grow(self, wanted: int) -> None:
        if wanted <= len(self._known):
            return
        size = max(64, 2 * len(self._known))
        for name in ("_shapes", "_polars", "_pdqs", "_known"):
            old = getattr(self, name)
            new = np.zeros((size, *old.shape[1:]), old.dtype)
            new[: len(old)] = old
            setattr(self, name, new)


_AT_ONCE = 4096


def _best(kept: npt.NDArray[np.int8], asked: Floats) -> tuple[Floats, npt.NDArray[np.intp]]:
    """For each kept vector the largest cosine with one of the asked, from 0 to 1, and which it was."""
    values, which = np.zeros(len(kept), np.float32), np.zeros(len(kept), np.intp)
    for start in range(0, len(kept), _AT_ONCE):
        products = (kept[start : start + _AT_ONCE].astype(np.float32) / np.float32(127)) @ asked.T
        at = products.argmax(axis=1)
        which[start : start + _AT_ONCE] = at
        values[start : start + _AT_ONCE] = np.clip(products[np.arange(len(at)), at], 0, 1)
    return values, which


def _total(shape: Floats, polar: Floats, same: Floats) -> Floats:
    return np.maximum(0.65 * shape + 0.35 * polar, same)
