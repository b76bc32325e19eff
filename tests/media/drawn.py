"""Pictures that tests draw themselves: busy ones, all different, the same for the same number."""

from __future__ import annotations

import cv2
import numpy as np


def scene(number: int, rows: int = 600, columns: int = 800):
    """A scene of shapes, letters and cloudy ground (BGR)."""
    rng = np.random.default_rng(number)
    ground = cv2.resize(rng.integers(0, 256, (7, 9, 3), np.uint8), (columns, rows), interpolation=cv2.INTER_CUBIC)
    picture = np.ascontiguousarray(ground)
    for _ in range(60):
        x, y = int(rng.integers(columns)), int(rng.integers(rows))
        colour = [int(value) for value in rng.integers(0, 256, 3)]
        size = int(rng.integers(8, max(9, columns // 8)))
        match int(rng.integers(4)):
            case 0:
                axes = (size, int(rng.integers(4, size)))
                cv2.ellipse(picture, (x, y), axes, int(rng.integers(180)), 0, 360, colour, -1, cv2.LINE_AA)
            case 1:
                corners = np.array([x, y]) + rng.integers(-size, size, (int(rng.integers(3, 7)), 2))
                cv2.fillPoly(picture, [corners.astype(np.int32)], colour, cv2.LINE_AA)
            case 2:
                text = "".join(chr(65 + int(value)) for value in rng.integers(0, 26, 4))
                cv2.putText(picture, text, (x, y), cv2.FONT_HERSHEY_DUPLEX, size / 30, colour, 2, cv2.LINE_AA)
            case _:
                end = int(rng.integers(columns)), int(rng.integers(rows))
                cv2.line(picture, (x, y), end, colour, int(rng.integers(1, 6)), cv2.LINE_AA)
    return picture


def jpeg(picture, quality: int = 90) -> bytes:
    return cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality])[1].tobytes()
