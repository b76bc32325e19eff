"""PDQ written down plainly from its published description: full luma, two box filters, samples, sums of cosines.

The naive twin of `chopmark.media.picture`: slow, on every pixel, without any scaling while decoding.
"""

from __future__ import annotations

import numpy as np


def _filtered(lines, window):
    """A box filter along the last axis; at the ends over what is there."""
    sums = np.concatenate([np.zeros((*lines.shape[:-1], 1)), np.cumsum(lines, axis=-1)], axis=-1)
    size = lines.shape[-1]
    back = (window + 2) // 2
    first = np.clip(np.arange(size) - (window - back), 0, size)
    after = np.clip(np.arange(size) + back, 0, size)
    return (sums[..., after] - sums[..., first]) / (after - first)


def _median(values):
    return sorted(values)[(len(values) - 1) // 2]


def plain_pdq(pixels) -> tuple[bytes, int]:
    """Code and quality of gray pixels."""
    rows, columns = pixels.shape
    picture = pixels.astype(np.float64)
    for _ in range(2):
        picture = _filtered(picture, (columns + 127) // 128)
        picture = _filtered(picture.T, (rows + 127) // 128).T
    down = [int((i + 0.5) * rows / 64) for i in range(64)]
    across = [int((j + 0.5) * columns / 64) for j in range(64)]
    square = picture[down][:, across]
    steps = [int(abs(a - b) * 100 / 255) for a, b in zip(square[:-1].flat, square[1:].flat, strict=True)]
    steps += [int(abs(a - b) * 100 / 255) for a, b in zip(square[:, :-1].flat, square[:, 1:].flat, strict=True)]
    cosines = np.array([[np.cos(np.pi / 128 * i * (2 * j + 1)) for j in range(64)] for i in range(1, 17)])
    terms = (cosines @ square @ cosines.T).flatten()
    middle = _median(terms)
    number = sum(1 << place for place, term in enumerate(terms) if term > middle)
    return number.to_bytes(32), min(100, sum(steps) // 90)
