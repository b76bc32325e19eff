"""The codes of the regions of a picture written down plainly: one region, one turn, one row at a time.

The naive twin of `picture.query_turns` and of its borders: pixels are cut, turned and transformed each for itself.
"""

from __future__ import annotations

from itertools import pairwise

import cv2
import numpy as np

COSINES = np.array([[np.cos(np.pi / 128 * i * (2 * j + 1)) for j in range(64)] for i in range(1, 17)]) * np.sqrt(2 / 64)


def plain_border(pixels) -> tuple[int, int, int, int] | None:
    """Left, top, right, bottom of what is left inside plain edges."""
    top, bottom = _trimmed(list(pixels))
    left, right = _trimmed(list(pixels[top:bottom].T))
    rows, columns = pixels.shape
    if (left, top, right, bottom) == (0, 0, columns, rows):
        return None
    if bottom - top < max(0.2 * rows, 8) or right - left < max(0.2 * columns, 8):
        return None
    return left, top, right, bottom


def _trimmed(lines) -> tuple[int, int]:
    first, last = _leading(lines), len(lines) - _leading(lines[::-1])
    return (first, last) if first < last else (0, len(lines))


def _leading(lines) -> int:
    """How many lines from the edge on are plain and as bright as the first."""
    count = 0
    for line in lines:
        low, high, edge = int(line.min()), int(line.max()), int(lines[0].min())
        if high - low > 14 or abs(low - edge) > 14:
            break
        count += 1
    return count


def plain_square(pixels):
    """Gray pixels averaged to 64 by 64."""
    return cv2.resize(pixels.astype(np.float32), (64, 64), interpolation=cv2.INTER_AREA)


def plain_quality(square) -> int:
    """From the steps between neighbours, one row after the other."""
    steps = 0
    for lines in (square, square.T):
        for one, other in pairwise(lines):
            steps += sum(int(each) for each in np.abs(one - other) * np.float32(100 / 255))
    return min(100, steps // 90)


def plain_code(square) -> bytes:
    """The code of a square as it is."""
    terms = (COSINES @ square @ COSINES.T).flatten()
    middle = sorted(terms)[127]
    bits = "".join("1" if each > middle else "0" for each in reversed(terms))
    return int(bits, 2).to_bytes(32)
