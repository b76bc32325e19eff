"""A picture as a page shows it: how large it may be, and its pixels, counted.

A stranger's picture is decoded in the cage (`making.shown`) and comes out as pixels alone, red, green and blue, row by
row. Whoever shows it makes a file of its own from them, so that no byte of what was brought goes out as a picture,
not even when its decoder was taken over. Loads no decoder.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from chopmark.base.errors import Invalid

FORMS = ("PNG", "JPEG", "WEBP")
"""Pillow's names of what is shown."""
MOST = 60_000_000
COLOURS = 3
_SIDE = 2  # bytes of a length


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """What a picture is made to fit, and what it may be.

    Attributes:
        width: pixels at most; a smaller picture stays as it is.
        height: pixels at most.
        cut: a picture is made to fit the width alone, and what is then too high is cut off at its foot.
        most: pixels of the picture in its file.
    """

    width: int
    height: int
    cut: bool = False
    most: int = MOST

    def size(self, width: int, height: int) -> tuple[int, int]:
        """Columns and rows of a picture of this size, once it fits."""
        scale = min(1.0, self.width / width, 1.0 if self.cut else self.height / height)
        return max(1, round(width * scale)), max(1, min(self.height, round(height * scale)))

    def told(self) -> Mapping[str, Any]:
        """For the decoding process."""
        return {"width": self.width, "height": self.height, "cut": self.cut, "most": self.most}


@dataclass(frozen=True, slots=True, kw_only=True)
class Pixels:
    """Red, green and blue, row by row."""

    width: int
    height: int
    data: bytes

    def encode(self) -> bytes:
        """As the decoding process says it: columns, rows, pixels."""
        return self.width.to_bytes(_SIDE) + self.height.to_bytes(_SIDE) + self.data

    @classmethod
    def parse(cls, data: bytes, frame: Frame) -> Pixels:
        """Back, as far as it fits the frame to the byte.

        Raises:
            Invalid: `media.decoder_died`.
        """
        width, height = int.from_bytes(data[:_SIDE]), int.from_bytes(data[_SIDE : 2 * _SIDE])
        fits = 1 <= width <= frame.width and 1 <= height <= frame.height
        if not fits or len(data) != 2 * _SIDE + width * height * COLOURS:
            raise Invalid("media.decoder_died", signal=0)
        return cls(width=width, height=height, data=data[2 * _SIDE :])
