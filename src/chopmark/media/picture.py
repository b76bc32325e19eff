"""Codes of a picture: PDQ, 256 bits that small changes leave alone, for eight ways to turn it and for its regions.

PDQ (Meta, published with ThreatExchange): luma averaged to 64 by 64, the 16 by 16 lowest cosine terms without the
mean, one bit for each that exceeds their median. Two codes at a Hamming distance of 31 or less show one picture.
A mirrored or turned picture has the same terms with other signs and places, so its eight codes cost one transform.
Regions (the picture without its border, centre crops, quarters) find copies that were framed, cropped or put into
a collage: what is protected is kept under `reference_codes`, what is asked about is searched with `query_codes`.

A code whose quality is below `LEAST_QUALITY` is never given out: blank pictures all resemble each other.
Codes from another decoder may differ by some bits: compare only codes of one `ALGORITHM`; for hash lists that are
exchanged with others use the reference program. Local features are in `media.features`, searching in `media.index`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Final, TypeVar

import cv2
import numpy as np
import numpy.typing as npt

from chopmark.base.errors import Invalid
from chopmark.media.decode import Gray, Luma, luma, of_pixels

__all__ = [
    "ALGORITHM",
    "LEAST_QUALITY",
    "RADIUS",
    "Code",
    "Gray",
    "Luma",
    "Region",
    "border",
    "dihedral",
    "luma",
    "must_be_distinctive",
    "of_pixels",
    "pdq",
    "query_codes",
    "query_turns",
    "reference_codes",
    "turned",
]

ALGORITHM: Final = "pdq64-v1"
LEAST_QUALITY: Final = 50
RADIUS: Final = 31
"""Hamming distance up to which two codes show one picture (first false hit measured at 42, docs/media.md)."""

SIDE: Final = 64
TERMS: Final = 16
TURNS: Final = 8
_BORDER_RANGE = 14
"""Gray levels within which a row or column counts as plain."""
_LEAST_INSIDE = 0.2
"""Part of the width or height that must be left inside a border."""
_CENTRES = (("centre-95", 0.95), ("centre-87", 0.87), ("centre-75", 0.75))
_QUARTERS = (("quarter-1", 0.0, 0.0), ("quarter-2", 0.5, 0.0), ("quarter-3", 0.0, 0.5), ("quarter-4", 0.5, 0.5))

_Floats = npt.NDArray[np.float32]
_Pixels = TypeVar("_Pixels", Gray, _Floats)


@dataclass(frozen=True, slots=True, kw_only=True)
class Region:
    """A rectangle of a picture, in parts of its width and height (0 to 1) from the upper left corner."""

    name: str
    left: float
    top: float
    right: float
    bottom: float


WHOLE: Final = Region(name="whole", left=0.0, top=0.0, right=1.0, bottom=1.0)


@dataclass(frozen=True, slots=True)
class Code:
    """One PDQ code.

    Attributes:
        bits: 32 bytes, in the order of the published hexadecimal form.
        quality: 0 (blank) to 100.
        region: which part of the picture.
        turn: 0-7, how that part was turned before: mirrored left to right where 4 or more, then `turn % 4` quarter
            turns clockwise (`turned` does the same to pixels).
    """

    bits: bytes
    quality: int
    region: Region
    turn: int


def pdq(picture: Luma) -> tuple[bytes, int]:
    """The PDQ code of the whole picture (32 bytes) and its quality, 0 to 100; no gate."""
    terms, quality = _terms(_squares([picture], [[WHOLE]]))
    return _bits(terms)[0, 0].tobytes(), int(quality[0])


def dihedral(picture: Luma) -> tuple[tuple[bytes, ...], int]:
    """The eight codes of the whole picture, by turn, and its quality; no gate."""
    terms, quality = _terms(_squares([picture], [[WHOLE]]))
    return tuple(code.tobytes() for code in _bits(terms, TURNS)[0]), int(quality[0])


def reference_codes(picture: Luma) -> tuple[Code, ...]:
    """The codes under which a protected picture is kept: whole, without its border, centre crops; upright only.

    Empty when none passes the gate.
    """
    inside = border(picture.pixels)
    regions = [WHOLE, *([inside] if inside else []), *_centres(inside or WHOLE)]
    return _codes(picture, regions, 1)


def query_codes(picture: Luma) -> tuple[Code, ...]:
    """The codes that a picture is searched with: the regions of a reference and the four quarters, eight turns each.

    Empty when none passes the gate. At most 9 regions, 72 codes.
    """
    return _codes(picture, _asked(picture), TURNS)


def query_turns(
    pictures: Sequence[Luma],
) -> tuple[list[list[Region]], npt.NDArray[np.int64], npt.NDArray[np.uint8]]:
    """The same of some pictures, one or more, without the gate.

    Returns:
        The regions of each picture; and of all n regions, one picture after the other, their qualities (n,) and their
        codes (n, 8, 32).
    """
    regions = [_asked(each) for each in pictures]
    quality, bits = _turns_of(pictures, regions, TURNS)
    return regions, quality, bits


def _asked(picture: Luma) -> list[Region]:
    busy = _busy(picture.pixels)
    if busy.all():  # most pictures: no edge is plain, neither of the whole nor of a quarter
        return [WHOLE, *_centres(WHOLE), *_quarters(WHOLE)]
    inside = border(picture.pixels)
    frame = inside or WHOLE
    quarters = [_trimmed(picture.pixels, each, frame) for each in _quarters(frame)]
    return [WHOLE, *([inside] if inside else []), *_centres(frame), *quarters]


def must_be_distinctive(picture: Luma, *, features: int = 0) -> None:
    """Refuse a picture that neither a code nor local features can tell from others.

    Args:
        picture: its luma.
        features: how many local features it has (`len(media.features.local(...))`); 100 make up for a low quality.

    Raises:
        Invalid: `media.not_distinctive`.
    """
    _, quality = pdq(picture)
    if quality < LEAST_QUALITY and features < 100 and not reference_codes(picture):
        raise Invalid("media.not_distinctive", quality=quality, least=LEAST_QUALITY)


def turned(pixels: Gray, turn: int) -> Gray:
    """`pixels` mirrored and turned as the code of this `turn` is."""
    if turn >= 4:
        pixels = pixels[:, ::-1]
    return np.ascontiguousarray(np.rot90(pixels, -(turn % 4)))


def border(pixels: Gray) -> Region | None:
    """What is left inside plain rows and columns at the edges; None where there are none or too little is left."""
    rows, columns = pixels.shape
    top, bottom = _plain(pixels)
    left, right = _plain(pixels[top:bottom].T)
    if (top, left, bottom, right) == (0, 0, rows, columns):
        return None
    if bottom - top < max(_LEAST_INSIDE * rows, 8) or right - left < max(_LEAST_INSIDE * columns, 8):
        return None
    return Region(name="trimmed", left=left / columns, top=top / rows, right=right / columns, bottom=bottom / rows)


# --- regions


def _plain(pixels: Gray) -> tuple[int, int]:
    """First row that is not plain like the edge above it, and the row after the last that is not."""
    low, high = pixels.min(axis=1).astype(np.int16), pixels.max(axis=1).astype(np.int16)
    narrow = high - low <= _BORDER_RANGE
    size = len(narrow)
    first = last = 0
    if narrow[0]:
        busy = ~narrow | (np.abs(low - low[0]) > _BORDER_RANGE)
        first = int(busy.argmax()) if busy.any() else size
    if narrow[-1]:
        busy = (~narrow | (np.abs(low - low[-1]) > _BORDER_RANGE))[::-1]
        last = int(busy.argmax()) if busy.any() else size
    return (first, size - last) if first < size - last else (0, size)


def _busy(pixels: Gray) -> npt.NDArray[np.bool_]:
    """Whether each edge of each quarter is not plain, and so none of the whole is; one look at twelve half lines.

    Of pictures too small to be quartered nothing is said.
    """
    rows, columns = pixels.shape
    if rows < 4 or columns < 4:
        return np.zeros(1, np.bool_)
    middle, centre = round(0.5 * rows), round(0.5 * columns)
    lines = pixels.take((0, middle - 1, middle, rows - 1), axis=0)
    upright = pixels.take((0, centre - 1, centre, columns - 1), axis=1)
    level = np.maximum.reduceat(lines, (0, centre), axis=1) - np.minimum.reduceat(lines, (0, centre), axis=1)
    steep = np.maximum.reduceat(upright, (0, middle), axis=0) - np.minimum.reduceat(upright, (0, middle), axis=0)
    return np.concatenate([level.ravel(), steep.ravel()]) > _BORDER_RANGE


def _centres(frame: Region) -> list[Region]:
    width, height = frame.right - frame.left, frame.bottom - frame.top
    return [
        Region(
            name=name,
            left=frame.left + width * (1 - part) / 2,
            top=frame.top + height * (1 - part) / 2,
            right=frame.right - width * (1 - part) / 2,
            bottom=frame.bottom - height * (1 - part) / 2,
        )
        for name, part in _CENTRES
    ]


def _quarters(frame: Region) -> list[Region]:
    width, height = frame.right - frame.left, frame.bottom - frame.top
    return [
        Region(
            name=name,
            left=frame.left + x * width,
            top=frame.top + y * height,
            right=frame.left + (x + 0.5) * width,
            bottom=frame.top + (y + 0.5) * height,
        )
        for name, x, y in _QUARTERS
    ]


def _trimmed(pixels: Gray, quarter: Region, frame: Region) -> Region:
    """A quarter of a frame without its own border (the gaps of a collage)."""
    inside = border(_cut(pixels, quarter))
    if inside is None:
        return quarter
    wide, high = (frame.right - frame.left) / 2, (frame.bottom - frame.top) / 2
    return Region(
        name=quarter.name,
        left=quarter.left + inside.left * wide,
        top=quarter.top + inside.top * high,
        right=quarter.left + inside.right * wide,
        bottom=quarter.top + inside.bottom * high,
    )


def _cut(pixels: _Pixels, region: Region) -> _Pixels:
    rows, columns = pixels.shape
    left, right = round(region.left * columns), round(region.right * columns)
    top, bottom = round(region.top * rows), round(region.bottom * rows)
    return pixels[top : max(bottom, top + 1), left : max(right, left + 1)]


# --- the transform


def _codes(picture: Luma, regions: list[Region], turns: int) -> tuple[Code, ...]:
    quality, bits = _turns_of([picture], [regions], turns)
    return tuple(
        Code(codes[turn].tobytes(), int(good), region, turn)
        for region, good, codes in zip(regions, quality, bits, strict=True)
        if good >= LEAST_QUALITY
        for turn in range(turns)
    )


def _turns_of(
    pictures: Sequence[Luma], regions: Sequence[Sequence[Region]], turns: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.uint8]]:
    terms, quality = _terms(_squares(pictures, regions))
    return quality, _bits(terms, turns)


def _squares(pictures: Sequence[Luma], regions: Sequence[Sequence[Region]]) -> _Floats:
    """The regions of each picture, one after the other, each averaged to 64 by 64."""
    squares = np.empty((sum(map(len, regions)), SIDE, SIDE), np.float32)
    at = 0
    for picture, its in zip(pictures, regions, strict=True):
        pixels = picture.pixels.astype(np.float32)
        for region in its:
            cv2.resize(_cut(pixels, region), (SIDE, SIDE), dst=squares[at], interpolation=cv2.INTER_AREA)
            at += 1
    return squares


@cache
def _cosines() -> _Floats:
    """Rows 1 to 16 of the orthonormal DCT-II of 64 points."""
    row, column = np.arange(1, TERMS + 1)[:, None], np.arange(SIDE)[None]
    return np.asarray(np.sqrt(2 / SIDE) * np.cos(np.pi / (2 * SIDE) * row * (2 * column + 1)), np.float32)


def _terms(squares: _Floats) -> tuple[_Floats, npt.NDArray[np.int64]]:
    """Of n squares of 64 by 64: the terms (n, 16, 16), rows first, and the qualities (n,)."""
    cosines = _cosines()
    terms = np.asarray(cosines @ squares @ cosines.T, np.float32)
    flat = squares.reshape(len(squares), -1)  # a row's last and the next one's first are no neighbours: weighed nought
    down = _steps(flat[:, SIDE:] - flat[:, :-SIDE], _weights()[1])
    across = _steps(flat[:, 1:] - flat[:, :-1], _weights()[0])
    return terms, np.minimum((down + across) // 90, 100)


@cache
def _weights() -> tuple[_Floats, _Floats]:
    """Which of the neighbours of a square laid out in a line count: across, down."""
    across = np.ones(SIDE * SIDE, np.float32)
    across[SIDE - 1 :: SIDE] = 0
    return across[:-1], np.ones(SIDE * SIDE - SIDE, np.float32)


def _steps(differences: _Floats, weights: _Floats) -> npt.NDArray[np.int64]:
    """Of each square the weighed sum of its steps in whole hundredths; overwrites them.

    Every part of these sums is a whole number below 2^24, which single precision holds exactly in whatever order they
    are added.
    """
    np.multiply(differences, np.float32(100 / 255), out=differences)
    np.floor(np.abs(differences, out=differences), out=differences)
    return np.asarray(differences @ weights, np.int64)


@cache
def _signs() -> _Floats:
    """What mirroring does to the terms: nothing, left to right, upside down, both; an odd term changes its sign."""
    odd = np.where(np.arange(1, TERMS + 1) % 2, -1, 1).astype(np.float32)
    one = np.ones(TERMS, np.float32)
    return np.stack([np.outer(one, one), np.outer(one, odd), np.outer(odd, one), np.outer(odd, odd)])


# Turn, as one of the four mirrorings and whether rows and columns change places afterwards.
_AS_MIRRORED = ((0, False), (2, True), (3, False), (1, True), (1, False), (3, True), (2, False), (0, True))


def _bits(terms: _Floats, turns: int = 1) -> npt.NDArray[np.uint8]:
    """Codes (n, turns, 32) of terms (n, 16, 16)."""
    many = len(terms)
    signed = terms[:, None] if turns == 1 else terms[:, None] * _signs()
    flat = signed.reshape(many, -1, TERMS * TERMS)
    above = flat > np.partition(flat, 127, axis=-1)[..., 127:128]
    chosen = above.reshape(many, -1).take(_places(turns), axis=1)
    return np.packbits(chosen, axis=-1).reshape(many, turns, -1)


@cache
def _places(turns: int) -> npt.NDArray[np.intp]:
    """Where each bit of each turn's code stands among the terms of the mirrorings, last term first."""
    size = TERMS * TERMS
    upright = np.arange(size).reshape(TERMS, TERMS)
    found = [mirrored * size + (upright.T if swapped else upright).ravel() for mirrored, swapped in _AS_MIRRORED]
    return np.concatenate([each[::-1] for each in found[:turns]])
