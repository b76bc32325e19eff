"""Logos drawn from icons, and fifteen ways to change one that a copyist uses. Shared by tests and the benchmark.

An icon is an SVG of a single path, as in the npm package `simple-icons`; `drawn` fills it by the rule "nonzero".
No renderer of SVG is needed for that, and none is used.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

SIZE = 256
_TOKEN = re.compile(r"[a-zA-Z]|[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?")
_FLAG = re.compile(r"[01]")
_TAKES = {"m": 2, "l": 2, "h": 1, "v": 1, "c": 6, "s": 4, "q": 4, "t": 2, "a": 7, "z": 0}
_PATH = re.compile(r'<path d="([^"]+)"')
_STEPS = 16

Gray = npt.NDArray[np.uint8]
Point = complex


def icons(folder: Path) -> dict[str, str]:
    """Name of each icon of the package -> its path."""
    found = {}
    for file in sorted(folder.glob("*.svg")):
        match = _PATH.search(file.read_text())
        if match:
            found[file.stem] = match[1]
    return found


def drawn(path: str, size: int = SIZE, view: float = 24.0, margin: float = 0.08) -> Gray:
    """Black on white, `size` pixels square."""
    fine = 3
    scale = size * fine * (1 - 2 * margin) / view
    wound = np.zeros((size * fine, size * fine), np.int16)
    for points in outlines(path):
        if len(points) < 3:
            continue
        corners = np.round(np.array([[p.real, p.imag] for p in points]) * scale + margin * size * fine).astype(np.int32)
        area = cv2.contourArea(corners.astype(np.float32), oriented=True)
        mask = np.zeros_like(wound, np.uint8)
        cv2.fillPoly(mask, [corners], 1)
        wound += mask.astype(np.int16) * (1 if area >= 0 else -1)
    ink = (wound != 0).astype(np.float32)
    small = cv2.resize(ink, (size, size), interpolation=cv2.INTER_AREA)
    return np.round(255 * (1 - small)).astype(np.uint8)


def outlines(path: str) -> Iterator[list[Point]]:  # noqa: C901 (one branch for each letter of the format)
    """The closed lines of an SVG path, curves made of straight pieces."""
    here = start = 0j
    before: Point | None = None  # control point of the curve before
    last = ""
    points: list[Point] = []
    for letter, numbers in _commands(path):
        kind, base = letter.lower(), here if letter.islower() else 0j
        pairs = [base + complex(numbers[i], numbers[i + 1]) for i in range(0, len(numbers) - 1, 2)]
        control = None
        if kind == "m":
            if points:
                yield points
            here = start = pairs[0]
            points = [here]
        elif kind == "z":
            here = start
        elif kind in "lhv":
            if kind == "h":
                here = complex(base.real + numbers[0], here.imag)
            elif kind == "v":
                here = complex(here.real, base.imag + numbers[0])
            else:
                here = pairs[0]
            points.append(here)
        elif kind in "cs":
            first = pairs[0] if kind == "c" else 2 * here - before if before is not None and last in "cs" else here
            control, end = pairs[-2], pairs[-1]
            points += [_cubic(here, first, control, end, i / _STEPS) for i in range(1, _STEPS + 1)]
            here = end
        elif kind in "qt":
            control = pairs[0] if kind == "q" else 2 * here - before if before is not None and last in "qt" else here
            end = pairs[-1]
            first, second = here + 2 / 3 * (control - here), end + 2 / 3 * (control - end)
            points += [_cubic(here, first, second, end, i / _STEPS) for i in range(1, _STEPS + 1)]
            here = end
        elif kind == "a":
            end = base + complex(numbers[5], numbers[6])
            points += _arc(here, end, numbers)
            here = end
        before, last = control, kind
    if points:
        yield points


def _commands(path: str) -> Iterator[tuple[str, list[float]]]:
    at, letter, numbers = 0, "", []
    while at < len(path):
        if path[at] in " ,\n\t\r":
            at += 1
            continue
        flag = letter.lower() == "a" and len(numbers) in (3, 4)
        match = (_FLAG if flag else _TOKEN).match(path, at)
        if match is None:
            raise ValueError(path[at : at + 20])
        at = match.end()
        if match[0].isalpha():
            letter, numbers = match[0], []
        else:
            numbers.append(float(match[0]))
        if len(numbers) == _TAKES[letter.lower()]:
            yield letter, numbers
            letter, numbers = {"m": "l", "M": "L"}.get(letter, letter), []


def _cubic(a: Point, b: Point, c: Point, d: Point, t: float) -> Point:
    s = 1 - t
    return s * s * s * a + 3 * s * s * t * b + 3 * s * t * t * c + t * t * t * d


def _arc(here: Point, end: Point, numbers: list[float]) -> list[Point]:
    """SVG 1.1, appendix F.6.5: from end points to centre."""
    rx, ry, turn = abs(numbers[0]), abs(numbers[1]), math.radians(numbers[2])
    if not rx or not ry or here == end:
        return [end]
    spin = complex(math.cos(turn), math.sin(turn))
    half = (here - end) / 2 / spin
    over = (half.real / rx) ** 2 + (half.imag / ry) ** 2
    if over > 1:
        rx, ry = rx * math.sqrt(over), ry * math.sqrt(over)
    square = (rx * half.imag) ** 2 + (ry * half.real) ** 2
    factor = math.sqrt(max(0.0, ((rx * ry) ** 2 - square) / square)) * (-1 if numbers[3] == numbers[4] else 1)
    centre = complex(factor * rx * half.imag / ry, -factor * ry * half.real / rx)
    first, second = (complex((p.real - centre.real) / rx, (p.imag - centre.imag) / ry) for p in (half, -half))
    begin = math.atan2(first.imag, first.real)
    sweep = math.atan2(second.imag, second.real) - begin
    if numbers[4] and sweep < 0:
        sweep += 2 * math.pi
    elif not numbers[4] and sweep > 0:
        sweep -= 2 * math.pi
    middle = centre * spin + (here + end) / 2
    angles = (begin + sweep * i / _STEPS for i in range(1, _STEPS + 1))
    return [middle + complex(rx * math.cos(a), ry * math.sin(a)) * spin for a in angles]


def changes() -> Mapping[str, Callable[[Gray], Gray]]:
    """Name of each change -> what it makes of a logo (black on white)."""
    return {
        "jpeg 30": _jpeg,
        "grey tint": lambda g: (90 + g.astype(np.float32) * 0.45).astype(np.uint8),
        "stretched": lambda g: cv2.resize(g, (SIZE, round(SIZE * 0.65)), interpolation=cv2.INTER_AREA),
        "thicker": lambda g: cv2.erode(g, np.ones((5, 5), np.uint8)),
        "thinner": lambda g: cv2.dilate(g, np.ones((3, 3), np.uint8)),
        "inverted": lambda g: 255 - g,
        "moved and smaller": lambda g: _put(g, 0.55, 0.08, 0.3),
        "turned by 12": lambda g: _turned(g, 12),
        "turned by 90": lambda g: np.ascontiguousarray(np.rot90(g)),
        "mirrored": lambda g: np.ascontiguousarray(g[:, ::-1]),
        "with a word": _with_word,
        "in a ring": lambda g: _in_circle(g, filled=False),
        "in a filled disc": lambda g: _in_circle(g, filled=True),
        "outline only": _outline,
        "perspective": _perspective,
    }


def _jpeg(gray: Gray) -> Gray:
    _, data = cv2.imencode(".jpg", gray, [cv2.IMWRITE_JPEG_QUALITY, 30])
    return cv2.imdecode(data, cv2.IMREAD_GRAYSCALE)


def _put(gray: Gray, scale: float, left: float, top: float) -> Gray:
    small = cv2.resize(gray, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    canvas = np.full_like(gray, 255)
    x, y = round(SIZE * left), round(SIZE * top)
    canvas[y : y + small.shape[0], x : x + small.shape[1]] = small
    return canvas


def _turned(gray: Gray, angle: float) -> Gray:
    matrix = cv2.getRotationMatrix2D((SIZE / 2, SIZE / 2), angle, 0.8)
    return cv2.warpAffine(gray, matrix, (SIZE, SIZE), flags=cv2.INTER_LINEAR, borderValue=255)


def _with_word(gray: Gray) -> Gray:
    canvas = _put(gray, 0.68, 0.16, 0.03)
    cv2.putText(canvas, "NORDWIND", (18, 242), cv2.FONT_HERSHEY_DUPLEX, 1.35, 0, 3, cv2.LINE_AA)
    return canvas


def _in_circle(gray: Gray, *, filled: bool) -> Gray:
    small = _put(gray, 0.62, 0.19, 0.19)
    canvas = np.full_like(gray, 255)
    cv2.circle(canvas, (SIZE // 2, SIZE // 2), SIZE // 2 - 8, 0, -1 if filled else 7, cv2.LINE_AA)
    return np.maximum(canvas, 255 - small) if filled else np.minimum(canvas, small)


def _outline(gray: Gray) -> Gray:
    ink = (gray < 128).astype(np.uint8)
    contours, _ = cv2.findContours(ink, cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
    canvas = np.full_like(gray, 255)
    cv2.drawContours(canvas, contours, -1, 0, 2, cv2.LINE_AA)
    return canvas


def _perspective(gray: Gray) -> Gray:
    corners = np.float32([[0, 0], [SIZE, 0], [SIZE, SIZE], [0, SIZE]])
    moved = np.float32([[30, 20], [SIZE - 8, 4], [SIZE - 26, SIZE - 10], [6, SIZE - 34]])
    matrix = cv2.getPerspectiveTransform(corners, moved)
    return cv2.warpPerspective(gray, matrix, (SIZE, SIZE), flags=cv2.INTER_LINEAR, borderValue=255)
