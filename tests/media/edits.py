"""Twenty-three ways in which pictures are altered before they are used by others, for tests and measurements.

An edit takes a picture (rows, columns, 3 channels BGR), a generator of chances and some other pictures (for what is
pasted beside it), and gives the file that somebody would upload: JPEG. The same seed gives the same file.
"""

# ruff: noqa: ARG005, S311 (every edit is called alike; chances of pictures are no secrets)

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from random import Random

import cv2
import numpy as np

SIDE = 800
"""Pixels on the longer side of what is edited."""


def fitted(picture, side=SIDE):
    """`picture` made smaller, never larger, so that its longer side has at most `side` pixels."""
    rows, columns = picture.shape[:2]
    scale = side / max(rows, columns)
    if scale >= 1:
        return picture
    size = max(1, round(columns * scale)), max(1, round(rows * scale))
    return cv2.resize(picture, size, interpolation=cv2.INTER_AREA)


def _jpeg(picture, quality=85) -> bytes:
    done, data = cv2.imencode(".jpg", np.ascontiguousarray(picture), [cv2.IMWRITE_JPEG_QUALITY, quality])
    assert done
    return data.tobytes()


def _scaled(picture, by):
    rows, columns = picture.shape[:2]
    how = cv2.INTER_AREA if by < 1 else cv2.INTER_CUBIC
    return cv2.resize(picture, (max(1, round(columns * by)), max(1, round(rows * by))), interpolation=how)


def _gray(picture):
    return cv2.cvtColor(cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR)


def _colours(picture, rng):
    gains = np.array([rng.uniform(0.75, 1.25) for _ in range(3)])
    return (np.clip(picture * gains + [rng.uniform(-20, 20) for _ in range(3)], 0, 255)).astype(np.uint8)


def _brightness(picture, rng):
    gain, add = rng.choice([(1.35, 15), (0.65, -5), (1.2, 35)])
    return np.clip(picture * gain + add, 0, 255).astype(np.uint8)


def _banner(picture, rng):
    picture = picture.copy()
    rows, columns = picture.shape[:2]
    height = max(8, round(rows * 0.16))
    top = rng.choice([0, rows - height])
    picture[top : top + height] = [rng.randrange(256) for _ in range(3)]
    scale = height / 45
    cv2.putText(
        picture,
        "SALE 50% OFF  FREE SHIPPING",
        (columns // 40, top + round(height * 0.7)),
        cv2.FONT_HERSHEY_SIMPLEX,
        scale,
        (255, 255, 255),
        max(1, round(scale * 2)),
        cv2.LINE_AA,
    )
    return picture


def _logo(picture, rng):
    picture = picture.copy()
    rows, columns = picture.shape[:2]
    radius = max(4, round(min(rows, columns) * 0.13))
    x = rng.choice([radius + 4, columns - radius - 4])
    y = rng.choice([radius + 4, rows - radius - 4])
    colour = [rng.randrange(256) for _ in range(3)]
    cv2.circle(picture, (x, y), radius, colour, -1, cv2.LINE_AA)
    cv2.circle(picture, (x, y), radius, (255, 255, 255), max(2, radius // 12), cv2.LINE_AA)
    text = "".join(rng.choice("ABCDEFGHKLMNPRSTUVXYZ") for _ in range(2))
    size = radius / 28
    place = x - round(radius * 0.65), y + round(radius * 0.3)
    cv2.putText(
        picture,
        text,
        place,
        cv2.FONT_HERSHEY_DUPLEX,
        size,
        (255, 255, 255),
        max(1, round(size * 2)),
        cv2.LINE_AA,
    )
    return picture


def _rotated(picture, degrees):
    """Turned about its middle on a larger white ground."""
    rows, columns = picture.shape[:2]
    matrix = cv2.getRotationMatrix2D((columns / 2, rows / 2), degrees, 1)
    cosine, sine = abs(matrix[0, 0]), abs(matrix[0, 1])
    wide, high = round(columns * cosine + rows * sine), round(columns * sine + rows * cosine)
    matrix[0, 2] += (wide - columns) / 2
    matrix[1, 2] += (high - rows) / 2
    return cv2.warpAffine(picture, matrix, (wide, high), flags=cv2.INTER_LINEAR, borderValue=(255, 255, 255))


def _crop(picture, area, rng):
    """Keeps `area` of the picture, at a place of chance."""
    rows, columns = picture.shape[:2]
    side = math.sqrt(area)
    high, wide = max(8, round(rows * side)), max(8, round(columns * side))
    top, left = rng.randint(0, max(0, rows - high)), rng.randint(0, max(0, columns - wide))
    return picture[top : top + high, left : left + wide]


def _screenshot(picture, rng):
    """In the middle of a telephone's screen, with a bar above and buttons below."""
    picture = fitted(picture, 560)
    rows, columns = picture.shape[:2]
    ground = rng.choice([(255, 255, 255), (24, 24, 24), (240, 240, 245)])
    ink = (40, 40, 40) if ground[0] > 99 else (220, 220, 220)
    screen = np.full((rows + 340, columns + 60, 3), ground, np.uint8)
    top = 120
    cv2.putText(screen, "12:45", (20, 34), cv2.FONT_HERSHEY_SIMPLEX, 0.7, ink, 2, cv2.LINE_AA)
    cv2.putText(screen, "@best_goods_4u", (70, 92), cv2.FONT_HERSHEY_SIMPLEX, 0.8, ink, 2, cv2.LINE_AA)
    cv2.circle(screen, (38, 84), 22, [rng.randrange(256) for _ in range(3)], -1, cv2.LINE_AA)
    screen[top : top + rows, 30 : 30 + columns] = picture
    for number in range(4):
        cv2.circle(screen, (60 + 70 * number, top + rows + 45), 18, ink, 3, cv2.LINE_AA)
    for number, line in enumerate(("1,204 likes", "new in stock, order now", "#fashion #sale #style")):
        place = 30, top + rows + 105 + 38 * number
        cv2.putText(screen, line, place, cv2.FONT_HERSHEY_SIMPLEX, 0.75, ink, 2, cv2.LINE_AA)
    return screen


def _template(picture, rng):
    """A shop's listing picture: coloured frame, heading, price, the picture on one part of it."""
    colour = [rng.randrange(256) for _ in range(3)]
    page = np.full((SIDE, SIDE, 3), colour, np.uint8)
    cv2.rectangle(page, (24, 130), (SIDE - 24, SIDE - 24), (255, 255, 255), -1)
    inside = fitted(picture, 480)
    rows, columns = inside.shape[:2]
    top, left = 160 + rng.randint(0, 600 - rows), 40 + rng.randint(0, 700 - columns)
    page[top : top + rows, left : left + columns] = inside
    cv2.putText(page, "NEW ARRIVAL 2026", (40, 90), cv2.FONT_HERSHEY_DUPLEX, 1.9, (255, 255, 255), 4, cv2.LINE_AA)
    cv2.rectangle(page, (SIDE - 240, SIDE - 130), (SIDE - 24, SIDE - 24), (30, 30, 220), -1)
    price = f"${rng.randint(3, 99)}.99"
    cv2.putText(page, price, (SIDE - 220, SIDE - 60), cv2.FONT_HERSHEY_DUPLEX, 1.6, (255, 255, 255), 3, cv2.LINE_AA)
    return page


def collage(pictures, gap=8):
    """Four pictures, each made to fit a quarter of a square."""
    half = (SIDE - 3 * gap) // 2
    sheet = np.full((SIDE, SIDE, 3), 255, np.uint8)
    for number, picture in enumerate(pictures[:4]):
        rows, columns = picture.shape[:2]
        scale = half / max(rows, columns)
        small = _scaled(picture, scale)[:half, :half]
        top = gap + (number // 2) * (half + gap) + (half - small.shape[0]) // 2
        left = gap + (number % 2) * (half + gap) + (half - small.shape[1]) // 2
        sheet[top : top + small.shape[0], left : left + small.shape[1]] = small
    return sheet


def _collage(picture, rng, others):
    four = [picture, *rng.sample(list(others), 3)]
    rng.shuffle(four)
    return collage(four)


def _perspective(picture, rng):
    rows, columns = picture.shape[:2]
    shift = 0.08

    def moved(x, y):
        return [
            x + rng.uniform(0, shift) * columns * (1 - 2 * (x > 0)),
            y + rng.uniform(0, shift) * rows * (1 - 2 * (y > 0)),
        ]

    corners = np.array([[0, 0], [columns, 0], [columns, rows], [0, rows]], np.float32)
    to = np.array([moved(*corner) for corner in corners], np.float32)
    matrix = cv2.getPerspectiveTransform(corners, to)
    return cv2.warpPerspective(picture, matrix, (columns, rows), borderValue=(255, 255, 255))


def _stretched(picture, rng):
    rows, columns = picture.shape[:2]
    by = rng.choice([0.8, 1.25])
    return cv2.resize(picture, (max(1, round(columns * by)), rows), interpolation=cv2.INTER_AREA)


Edit = Callable[[np.ndarray, Random, Sequence[np.ndarray]], bytes]

EDITS: dict[str, Edit] = {
    "jpeg quality 30": lambda p, r, o: _jpeg(p, 30),
    "resized to 25 %": lambda p, r, o: _jpeg(_scaled(p, 0.25)),
    "blurred": lambda p, r, o: _jpeg(cv2.GaussianBlur(p, (0, 0), 2)),
    "gray": lambda p, r, o: _jpeg(_gray(p)),
    "colours shifted": lambda p, r, o: _jpeg(_colours(p, r)),
    "brightness": lambda p, r, o: _jpeg(_brightness(p, r)),
    "stretched by a quarter": lambda p, r, o: _jpeg(_stretched(p, r)),
    "text banner": lambda p, r, o: _jpeg(_banner(p, r)),
    "logo laid over": lambda p, r, o: _jpeg(_logo(p, r)),
    "mirrored": lambda p, r, o: _jpeg(p[:, ::-1]),
    "turned by 90": lambda p, r, o: _jpeg(np.rot90(p)),
    "turned by 5": lambda p, r, o: _jpeg(_rotated(p, r.choice([-5, 5]))),
    "turned by 15": lambda p, r, o: _jpeg(_rotated(p, r.choice([-15, 15]))),
    "cropped to 90 %": lambda p, r, o: _jpeg(_crop(p, 0.90, r)),
    "cropped to 75 %": lambda p, r, o: _jpeg(_crop(p, 0.75, r)),
    "cropped to 50 %": lambda p, r, o: _jpeg(_crop(p, 0.50, r)),
    "cropped to 25 %": lambda p, r, o: _jpeg(_crop(p, 0.25, r)),
    "screenshot": lambda p, r, o: _jpeg(_screenshot(p, r)),
    "listing template": lambda p, r, o: _jpeg(_template(p, r)),
    "collage of four": lambda p, r, o: _jpeg(_collage(p, r, o)),
    "perspective": lambda p, r, o: _jpeg(_perspective(p, r)),
    "crop 75 %, banner, quality 40": lambda p, r, o: _jpeg(_banner(_crop(p, 0.75, r), r), 40),
    "mirror, crop 75 %, logo, quality 50": lambda p, r, o: _jpeg(_logo(_crop(p[:, ::-1], 0.75, r), r), 50),
}


def edited(name: str, picture, others, seed) -> bytes:
    """The file after the edit `name`; `others` are at least three pictures that are pasted beside it."""
    return EDITS[name](fitted(picture), Random(f"{name}/{seed}"), others)
