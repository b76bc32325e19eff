"""A sketch: the codes alone of a picture that is asked about, as rows of numbers; made for many pictures in one go.

    sketch_of(luma)              codes of each region, in eight turns, with quality and box
    sketches_of([luma, ...])     the same of some pictures, in less time
    Sketch.encode(), parse()     head of 13 bytes, 274 bytes a region; strict, since it comes out of the cage

A sketch finds copies by codes and no others: what was cropped hard, put into a template or turned a little takes local
features, which cost a hundred times as much (`features`). It holds what `picture.query_codes` gives.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np
import numpy.typing as npt

from chopmark.base.errors import Invalid
from chopmark.media.fingerprint import MILLION, Code
from chopmark.media.picture import LEAST_QUALITY, TURNS, Luma, query_turns

REGIONS: Final = (
    "whole", "trimmed", "centre-95", "centre-87", "centre-75", "quarter-1", "quarter-2", "quarter-3", "quarter-4",
)  # fmt: skip
_NUMBER: Final = {name: number for number, name in enumerate(REGIONS)}
ROW: Final = np.dtype([("region", "u1"), ("quality", "u1"), ("box", ">u4", (4,)), ("bits", "u1", (TURNS, 32))])
_HEAD: Final = struct.Struct(">4sIIB")
_MAGIC: Final = b"skt\x01"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Sketch:
    """What a picture is searched with.

    Attributes:
        rows: one a region that is distinctive: place in `REGIONS`, quality, box (left, top, right, bottom, in
            millionths), eight codes; none for a blank picture.
        width, height: of the picture in its file, as it is shown.
    """

    rows: npt.NDArray[np.void]
    width: int
    height: int

    @property
    def bits(self) -> npt.NDArray[np.uint8]:
        """All codes, region by region and turn by turn, (n, 32)."""
        return np.ascontiguousarray(self.rows["bits"]).reshape(-1, 32)

    def code(self, place: int) -> Code:
        """The code at a place of `bits`, with what it is of."""
        at, turn = divmod(place, TURNS)
        row = self.rows[at]
        left, top, right, bottom = (int(each) for each in row["box"])
        return Code(
            bits=row["bits"][turn].tobytes(),
            quality=int(row["quality"]),
            region=REGIONS[int(row["region"])],
            box=(left, top, right, bottom),
            turn=turn,
        )

    def encode(self) -> bytes:
        """As it is passed on; `parse` reads it."""
        return _HEAD.pack(_MAGIC, self.width, self.height, len(self.rows)) + self.rows.tobytes()


def sketch_of(picture: Luma) -> Sketch:
    """The sketch of a picture."""
    return sketches_of([picture])[0]


def sketches_of(pictures: Sequence[Luma]) -> list[Sketch]:
    """The sketches of some pictures: of eight or so at a time, or their squares no longer fit into the cache."""
    if not pictures:
        return []
    regions, quality, bits = query_turns(pictures)
    every = [region for its in regions for region in its]
    boxes = np.array([(each.left, each.top, each.right, each.bottom) for each in every], np.float64).reshape(-1, 4)
    rows = np.zeros(len(every), ROW)
    rows["region"] = [_NUMBER[each.name] for each in every]
    rows["box"] = np.clip(np.round(boxes * MILLION), 0, MILLION)
    rows["bits"], rows["quality"] = bits, np.minimum(quality, 100)
    found, at = [], 0
    for picture, its in zip(pictures, regions, strict=True):
        own = slice(at, at + len(its))
        found.append(Sketch(rows=rows[own][quality[own] >= LEAST_QUALITY], width=picture.width, height=picture.height))
        at += len(its)
    return found


def parse(data: bytes) -> Sketch:
    """Read what `encode` wrote.

    Raises:
        Invalid: `media.fingerprint_malformed`.
    """
    if len(data) < _HEAD.size:
        raise Invalid("media.fingerprint_malformed")
    magic, width, height, count = _HEAD.unpack_from(data)
    if magic != _MAGIC or len(data) != _HEAD.size + count * ROW.itemsize or count > len(REGIONS):
        raise Invalid("media.fingerprint_malformed")
    rows = np.frombuffer(data, ROW, count, _HEAD.size)
    box, regions = rows["box"].astype(np.int64), rows["region"].tolist()
    sound = (
        all(one < other for one, other in pairwise([-1, *regions, len(REGIONS)]))
        and all(each <= 100 for each in rows["quality"].tolist())
        and ((box[:, :2] < box[:, 2:]) & (box[:, 2:] <= MILLION)).all()
    )
    if not sound:
        raise Invalid("media.fingerprint_malformed")
    return Sketch(rows=rows, width=width, height=height)
