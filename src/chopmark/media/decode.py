"""Bytes of a picture in, its brightness out: the one canonical way that every fingerprint of a picture begins with.

What is inside decides, never a name or a declared type. Limits on pixels hold before anything is decoded. JPEG is
scaled while it is decoded (only the coefficients that are needed are transformed); every other kind goes through
Pillow and is averaged down by the same factor, so that one picture gives nearly the same luma in every format.
Transparent places are white, as on a listing's page; of several frames the first counts; the camera's orientation
(EXIF) is applied, so that places found here are places that a reader sees.

It does not limit time and memory: that is done by the process around it (`media.workshop`).
A change of any brightness computed here is a new `DECODER` and, through it, a new algorithm of every code. What is
made for pages to show (`shown`) is no part of that.
"""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from io import BytesIO

import cv2
import numpy as np
import numpy.typing as npt
import simplejpeg
from PIL import Image, UnidentifiedImageError

from chopmark.base.errors import Invalid
from chopmark.media.shown import FORMS, Frame, Pixels

DECODER = "luma-v1"
LEAST = 96
"""Pixels on the shorter side that codes are computed from, where the picture has them."""
MOST_PIXELS = 64_000_000
"""Pixels of a picture that must be decoded whole: 64 MB of luma, 256 MB on the way."""
MOST_PIXELS_SCALED = 268_000_000
"""Pixels of a baseline JPEG, which is scaled while decoding: twice the largest camera of a telephone."""
MOST_SCANS = 64
"""Scans of a progressive JPEG: real ones have about 10; thousands cost minutes."""

Gray = npt.NDArray[np.uint8]

_JPEG = b"\xff\xd8\xff"
_KINDS = (
    (re.compile(rb"\x89PNG\r\n\x1a\n"), "PNG"),
    (re.compile(rb"RIFF....WEBP", re.DOTALL), "WEBP"),
    (re.compile(rb"GIF8[79]a"), "GIF"),
    (re.compile(rb"BM"), "BMP"),
    (re.compile(rb"II\*\x00|MM\x00\*"), "TIFF"),
    (re.compile(rb"....ftypavi[fs]", re.DOTALL), "AVIF"),
)
_MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")
_SOS, _EOI, _APP1 = 0xDA, 0xD9, 0xE1
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_PROGRESSIVE = frozenset((0xC2, 0xC6, 0xCA, 0xCE))
_ORIENTATION = 0x0112
# What Pillow raises on damaged files, besides its own errors (found by mutating files of each kind).
_BROKEN = (
    OSError,
    ValueError,
    SyntaxError,
    EOFError,
    LookupError,
    TypeError,
    ArithmeticError,
    AttributeError,
    RuntimeError,
    MemoryError,
    struct.error,
    zlib.error,
)
_BOMB = (Image.DecompressionBombError, Image.DecompressionBombWarning)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Luma:
    """The brightness of a picture, upright, perhaps scaled down.

    Attributes:
        pixels: rows by columns, 0 black to 255 white (ITU-R BT.601), contiguous.
        width: columns of the picture in its file, as it is shown.
        height: rows of the picture in its file, as it is shown.
        format: what the bytes were: JPEG, PNG, WEBP, GIF, BMP, TIFF, AVIF.
        sound: False where the decoder had to repair or fill in something (a JPEG cut off).
    """

    pixels: Gray
    width: int
    height: int
    format: str
    sound: bool = True


def luma(data: bytes, *, least: int = LEAST, most_pixels: int | None = None) -> Luma:
    """Decode `data`, scaled down by 1, 2, 4 or 8 as long as the shorter side keeps `least` pixels.

    Args:
        data: the whole file.
        least: pixels wanted on the shorter side.
        most_pixels: a limit in place of `MOST_PIXELS` and `MOST_PIXELS_SCALED`.

    Raises:
        Invalid: `media.picture_unknown`, `media.picture_broken`, `media.picture_too_large`.
    """
    shown = _shown(data, least, most_pixels, colours=False)
    return Luma(pixels=shown.pixels, width=shown.width, height=shown.height, format=shown.format, sound=shown.sound)


def colours(data: bytes, *, least: int = LEAST, most_pixels: int | None = None) -> Gray:
    """Red, green and blue (rows, columns, 3), by the rules and within the limits of `luma`.

    Raises:
        Invalid: what `luma` raises.
    """
    return _shown(data, least, most_pixels, colours=True).pixels


def shown(data: bytes, frame: Frame) -> Pixels:
    """A picture for a page: made to fit, upright, on white ground; of the kinds that pages show.

    Raises:
        Invalid: `media.picture_unknown`, `media.picture_broken`, `media.picture_too_large`.
    """
    try:
        with Image.open(BytesIO(data), formats=FORMS) as picture:
            _fits(*picture.size, frame.most)
            turned = 1 if frame.cut else picture.getexif().get(_ORIENTATION, 1)
            turned = turned if turned in range(1, 9) else 1
            if turned > 4:
                frame = replace(frame, width=frame.height, height=frame.width)
            small = np.asarray(_small(picture, frame))
    except _BOMB as error:
        raise Invalid("media.picture_too_large", width=0, height=0, most=frame.most) from error
    except UnidentifiedImageError as error:
        raise Invalid("media.picture_unknown") from error
    except _BROKEN as error:
        raise Invalid("media.picture_broken", format="") from error
    pixels = _upright(small, turned, small.shape[1], small.shape[0], "", sound=True).pixels
    return Pixels(width=pixels.shape[1], height=pixels.shape[0], data=pixels.tobytes())


def _small(picture: Image.Image, frame: Frame) -> Image.Image:
    """Red, green and blue of a file that was opened, once they fit."""
    width, height = picture.size
    size = frame.size(width, height)
    foot = min(1.0, size[1] * width / (size[0] * height))  # of the height, what is above the cut
    picture.draft("RGB", size)  # a JPEG is scaled while it is decoded
    if picture.mode.startswith("I") or picture.mode in {"F", "LAB"}:
        whole = Image.fromarray(_gray(picture)).convert("RGB")
    elif picture.has_transparency_data:
        whole = picture if picture.mode == "RGBA" else picture.convert("RGBA")
    else:
        whole = picture if picture.mode == "RGB" else picture.convert("RGB")
    box = (0, 0, whole.width, whole.height * foot if frame.cut else whole.height)
    small = whole.resize(size, Image.Resampling.BICUBIC, box, reducing_gap=2.0)
    if small.mode == "RGB":
        return small
    ground = Image.new("RGB", small.size, "white")
    ground.paste(small, mask=small.getchannel("A"))
    return ground


def of_pixels(pixels: Gray, *, least: int = LEAST) -> Luma:
    """Luma that was decoded elsewhere (a frame of a film, a drawn picture), scaled by the same rule."""
    rows, columns = pixels.shape
    return Luma(pixels=_averaged(pixels, least), width=columns, height=rows, format="RAW")


def factor(width: int, height: int, least: int) -> int:
    """By how much a picture may be scaled down (1, 2, 4 or 8) and keep `least` pixels on its shorter side."""
    short = min(width, height)
    return next((by for by in (8, 4, 2) if -(-short // by) >= least), 1)


@dataclass(frozen=True, slots=True)
class _Shown:
    """Pixels (rows, columns and perhaps 3 colours) as they are shown, the size in the file, what it was."""

    pixels: Gray
    width: int
    height: int
    format: str
    sound: bool


def _shown(data: bytes, least: int, most_pixels: int | None, *, colours: bool) -> _Shown:
    if data.startswith(_JPEG):
        return _jpeg(data, least, most_pixels, colours=colours)
    for magic, kind in _KINDS:
        if magic.match(data):
            return _other(data, kind, least, most_pixels or MOST_PIXELS, colours=colours)
    raise Invalid("media.picture_unknown")


def _averaged(pixels: Gray, least: int) -> Gray:
    rows, columns = pixels.shape[:2]
    by = factor(columns, rows, least)
    if by > 1:
        size = -(-columns // by), -(-rows // by)
        pixels = np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), np.uint8)
    return np.ascontiguousarray(pixels)


def _fits(width: int, height: int, most: int) -> None:
    if width * height > most:
        raise Invalid("media.picture_too_large", width=width, height=height, most=most)


# --- JPEG


@dataclass(frozen=True, slots=True)
class _Head:
    """What the segments before the first scan say."""

    width: int
    height: int
    components: int
    progressive: bool
    scan: int
    """Where the first scan's entropy-coded data begin."""
    orientation: int


def _jpeg(data: bytes, least: int, most_pixels: int | None, *, colours: bool) -> _Shown:
    head = _head(data)
    _fits(head.width, head.height, most_pixels or (MOST_PIXELS if head.progressive else MOST_PIXELS_SCALED))
    if head.components not in {1, 3}:
        return _other(data, "JPEG", least, most_pixels or MOST_PIXELS, colours=colours)
    by = factor(head.width, head.height, least)
    if head.progressive:
        data = _fewer_scans(data, head.scan, first_only=by == 8)
    pixels, sound = _scaled(data, -(-head.height // by), -(-head.width // by), "RGB" if colours else "GRAY")
    return _upright(pixels, head.orientation, head.width, head.height, "JPEG", sound=sound)


def _scaled(data: bytes, rows: int, columns: int, space: str) -> tuple[Gray, bool]:
    """Pixels of a JPEG scaled to `rows` by `columns`, and whether the decoder had nothing to repair."""
    for strict in (True, False):
        try:
            decoded = simplejpeg.decode_jpeg(
                data, colorspace=space, min_height=rows, min_width=columns, min_factor=1, strict=strict
            )
        except ValueError as error:
            if not strict:
                raise Invalid("media.picture_broken", format="JPEG") from error
            continue
        return decoded if space == "RGB" else decoded[:, :, 0], strict
    raise AssertionError("unreachable")


def _head(data: bytes) -> _Head:
    """Walk the segments up to the first scan (ITU-T T.81, annex B).

    Raises:
        Invalid: `media.picture_broken` when they lead nowhere or no frame stands before the scan.
    """
    width = height = components = 0
    progressive = False
    orientation = 1
    try:
        for marker, start, end in _segments(data):
            if marker == _SOS:
                if not (width and height):
                    break
                return _Head(width, height, components, progressive, end, orientation)
            if marker in _FRAMES:
                height, width, components = struct.unpack_from(">HHB", data, start + 1)
                progressive = marker in _PROGRESSIVE
            elif marker == _APP1 and orientation == 1 and data.startswith(b"Exif\x00\x00", start):
                orientation = _orientation(data[start + 6 : end])
    except struct.error as error:
        raise Invalid("media.picture_broken", format="JPEG") from error
    raise Invalid("media.picture_broken", format="JPEG")


def _segments(data: bytes) -> Iterator[tuple[int, int, int]]:
    """Marker, start and end of the payload of each segment after SOI; ends where the file does."""
    at = 2
    while at + 4 <= len(data):
        if data[at] != 0xFF:
            return
        marker = data[at + 1]
        if marker == 0xFF:
            at += 1
            continue
        if marker == 0x01 or 0xD0 <= marker <= 0xD8:
            at += 2
            continue
        if marker == _EOI:
            return
        (length,) = struct.unpack_from(">H", data, at + 2)
        if length < 2:
            return
        yield marker, at + 4, at + 2 + length
        at += 2 + length


def _fewer_scans(data: bytes, scan: int, *, first_only: bool) -> bytes:
    """A progressive file cut after its first scan (its DC terms are all that 1/8 needs), or after `MOST_SCANS`."""
    at = scan
    for count in range(1, MOST_SCANS + 1):
        while (marker := _MARKER.search(data, at)) and data[marker.start() + 1] not in {_SOS, _EOI}:
            (length,) = struct.unpack_from(">H", data, marker.end()) if marker.end() + 2 <= len(data) else (2,)
            at = marker.end() + max(length, 2)
        end = marker.start() if marker else len(data)
        if marker is None or data[end + 1] == _EOI:
            return data
        if count == MOST_SCANS or first_only:
            return data[:end] + b"\xff\xd9"
        at = marker.end()
    return data


def _orientation(tiff: bytes) -> int:
    """The orientation (1-8) in the first directory of an EXIF block; 1 where there is none or it is damaged."""
    order = {b"II": "<", b"MM": ">"}.get(tiff[:2])
    if order is None:
        return 1
    try:
        (first,) = struct.unpack_from(order + "I", tiff, 4)
        (count,) = struct.unpack_from(order + "H", tiff, first)
        for entry in range(min(count, 64)):
            tag, _, _, value = struct.unpack_from(order + "HHIH", tiff, first + 2 + 12 * entry)
            if tag == _ORIENTATION:
                return value if 1 <= value <= 8 else 1
    except struct.error:
        return 1
    return 1


def _upright(pixels: Gray, orientation: int, width: int, height: int, kind: str, *, sound: bool) -> _Shown:
    """`pixels` as they are shown (EXIF orientation 1-8)."""
    if orientation > 4:
        pixels = pixels.swapaxes(0, 1)
        width, height = height, width
    if orientation in {3, 4, 7, 8}:
        pixels = pixels[::-1]
    if orientation in {2, 3, 6, 7}:
        pixels = pixels[:, ::-1]
    return _Shown(np.ascontiguousarray(pixels), width, height, kind, sound)


# --- every other kind


def _other(data: bytes, kind: str, least: int, most: int, *, colours: bool) -> _Shown:
    try:
        with Image.open(BytesIO(data), formats=(kind,)) as picture:
            _fits(*picture.size, most)
            orientation = picture.getexif().get(_ORIENTATION, 1)
            pixels = _on_white(picture) if colours else _gray(picture)
    except _BOMB as error:
        raise Invalid("media.picture_too_large", width=0, height=0, most=most) from error
    except _BROKEN as error:
        raise Invalid("media.picture_broken", format=kind) from error
    height, width = pixels.shape[:2]
    if not (isinstance(orientation, int) and 1 <= orientation <= 8):
        orientation = 1
    return _upright(_averaged(pixels, least), orientation, width, height, kind, sound=True)


def _gray(picture: Image.Image) -> Gray:
    """Brightness on white ground; 16-bit samples keep their upper 8 bits."""
    if picture.mode.startswith("I"):
        deep = np.asarray(picture)
        return np.asarray(np.clip(deep.astype(np.int64), 0, 0xFFFF) >> 8, np.uint8)
    if picture.mode == "F":
        return np.asarray(np.nan_to_num(np.asarray(picture), nan=0, posinf=255, neginf=0).clip(0, 255), np.uint8)
    if picture.mode == "LAB":
        return np.asarray(picture.getchannel(0))
    if picture.has_transparency_data:
        clear = picture.convert("RGBA")
        ground = Image.new("L", picture.size, 255)
        ground.paste(clear.convert("L"), mask=clear.getchannel("A"))
        return np.asarray(ground)
    if picture.mode not in {"L", "RGB"}:
        picture = picture.convert("RGB")
    return np.asarray(picture.convert("L"))


def _on_white(picture: Image.Image) -> Gray:
    """Red, green and blue on white ground; of deep samples the gray."""
    if picture.mode.startswith("I") or picture.mode in {"F", "LAB"}:
        return np.repeat(_gray(picture)[:, :, None], 3, axis=2)
    clear = picture.convert("RGBA")
    ground = Image.new("RGB", picture.size, "white")
    ground.paste(clear, mask=clear.getchannel("A"))
    return np.asarray(ground)
