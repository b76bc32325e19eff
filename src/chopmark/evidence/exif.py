"""What a photograph says of itself: camera, time, place (EXIF 2.3 in JPEG, PNG and TIFF files).

Shown beside the photograph as what the *file* claims: anybody can write it. Nothing of it is trusted, and the file
stays as it is. A small reader of our own, because what it reads is hostile: it looks at the first 4 MiB of a file,
follows three directories, takes fields from a list, and leaves out whatever is not well formed.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import Final

HEAD: Final = 4 << 20  # bytes of a file that are looked at
MAX_ENTRIES = 200  # of one directory
MAX_TEXT = 200  # characters of one field

_IMAGE: Mapping[int, str] = {
    0x010F: "make",
    0x0110: "model",
    0x0112: "orientation",
    0x0131: "software",
    0x0132: "changed",
}
_PHOTO: Mapping[int, str] = {
    0x829A: "exposure_s",
    0x829D: "f_number",
    0x8827: "iso",
    0x9003: "taken",
    0x9004: "digitised",
    0x9010: "changed_offset",
    0x9011: "taken_offset",
    0x920A: "focal_length_mm",
    0xA002: "width",
    0xA003: "height",
    0xA431: "body_serial",
    0xA434: "lens",
}
_GPS: Mapping[int, str] = {1: "lat_ref", 2: "lat", 3: "lon_ref", 4: "lon", 5: "alt_ref", 6: "alt", 29: "gps_date"}
_SIZES: Mapping[int, int] = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 7: 1, 9: 4, 10: 8}
_PHOTO_AT, _GPS_AT = 0x8769, 0x8825

Number = int | tuple[int, int]


def photo_facts(head: bytes) -> dict[str, str]:
    """The fields of a photograph, names to text; empty for what is no photograph or says nothing.

    Args:
        head: the file's first HEAD bytes.
    """
    tiff = _tiff_of(head)
    if tiff is None:
        return {}
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(tiff[:4])
    if order is None:
        return {}
    first = _u32(tiff, 4, order)
    image = _directory(tiff, first, order, {**_IMAGE, _PHOTO_AT: "photo_at", _GPS_AT: "gps_at"})
    found = {name: value for name, value in image.items() if name not in ("photo_at", "gps_at")}
    for pointer, names in (("photo_at", _PHOTO), ("gps_at", _GPS)):
        at = image.get(pointer)
        if isinstance(at, list) and at and isinstance(at[0], int):
            found |= _directory(tiff, at[0], order, names)
    return _told(found)


def _tiff_of(head: bytes) -> bytes | None:
    """The TIFF structure that holds the fields."""
    if head[:2] == b"\xff\xd8":
        return _from_jpeg(head)
    if head[:8] == b"\x89PNG\r\n\x1a\n":
        return _from_png(head)
    return head if head[:4] in (b"II*\0", b"MM\0*") else None


def _from_jpeg(head: bytes) -> bytes | None:
    """The APP1 segment that begins with `Exif`; the search ends where the picture itself begins."""
    at = 2
    while at + 4 <= len(head) and head[at] == 0xFF:
        marker, size = head[at + 1], int.from_bytes(head[at + 2 : at + 4], "big")
        if marker in (0xDA, 0xD9) or size < 2:
            return None
        body = head[at + 4 : at + 2 + size]
        if marker == 0xE1 and body[:6] == b"Exif\0\0":
            return body[6:]
        at += 2 + size
    return None


def _from_png(head: bytes) -> bytes | None:
    at = 8
    while at + 8 <= len(head):
        size, name = int.from_bytes(head[at : at + 4], "big"), head[at + 4 : at + 8]
        if name == b"eXIf":
            return head[at + 8 : at + 8 + size]
        if name == b"IEND":
            return None
        at += 12 + size
    return None


def _u16(data: bytes, at: int, order: str) -> int:
    return int(struct.unpack_from(f"{order}H", data, at)[0]) if 0 <= at <= len(data) - 2 else 0


def _u32(data: bytes, at: int, order: str) -> int:
    return int(struct.unpack_from(f"{order}I", data, at)[0]) if 0 <= at <= len(data) - 4 else 0


def _directory(tiff: bytes, at: int, order: str, names: Mapping[int, str]) -> dict[str, str | list[Number]]:
    """The wanted fields of one directory; a field that reaches beyond the data is left out."""
    found: dict[str, str | list[Number]] = {}
    if at < 8:
        return found
    for index in range(min(_u16(tiff, at, order), MAX_ENTRIES)):
        entry = at + 2 + 12 * index
        if entry + 12 > len(tiff):
            break
        name = names.get(_u16(tiff, entry, order))
        kind, count = _u16(tiff, entry + 2, order), _u32(tiff, entry + 4, order)
        if name is None or kind not in _SIZES or not 0 < count <= 4 * MAX_TEXT:
            continue
        size = _SIZES[kind] * count
        place = entry + 8 if size <= 4 else _u32(tiff, entry + 8, order)
        raw = tiff[place : place + size]
        if len(raw) == size:
            found[name] = _text(raw) if kind in (2, 7) else _numbers(raw, kind, order)
    return found


def _text(raw: bytes) -> str:
    said = raw.partition(b"\0")[0].decode("utf-8", "replace")
    return "".join(each for each in said if each.isprintable()).strip()[:MAX_TEXT]


def _numbers(raw: bytes, kind: int, order: str) -> list[Number]:
    letter = {1: "B", 3: "H", 4: "I", 5: "I", 9: "i", 10: "i"}[kind]
    whole = [each for (each,) in struct.iter_unpack(f"{order}{letter}", raw)]
    return list(zip(whole[::2], whole[1::2], strict=True)) if kind in (5, 10) else list(whole)


def _told(found: Mapping[str, str | list[Number]]) -> dict[str, str]:
    """The fields as text, the place in degrees."""
    told: dict[str, str] = {}
    for name, value in found.items():
        if name in ("lat", "lon", "lat_ref", "lon_ref", "alt_ref"):
            continue
        said = value if isinstance(value, str) else _number(value[0]) if value else ""
        if said:
            told[name] = said
    for axis, signs in (("lat", {"N": 1, "S": -1}), ("lon", {"E": 1, "W": -1})):
        degrees, sign = found.get(axis), signs.get(str(found.get(f"{axis}_ref", "")))
        if sign is not None and isinstance(degrees, list) and len(degrees) == 3:
            parts = [_ratio(each) for each in degrees]
            if None not in parts:
                whole = sum(part / 60**power for power, part in enumerate(parts) if part is not None)
                if whole <= 180:
                    told[axis] = f"{sign * whole:.6f}"
    return told


def _ratio(value: Number) -> float | None:
    if isinstance(value, int):
        return float(value)
    return value[0] / value[1] if value[1] else None


def _number(value: Number) -> str:
    """A whole number as it is, a fraction of at most one as `1/250`, any other with two places at most."""
    if isinstance(value, int):
        return str(value)
    top, bottom = value
    if not bottom:
        return ""
    if 0 < top < bottom and bottom % top == 0:
        return f"1/{bottom // top}"
    return f"{top / bottom:.2f}".rstrip("0").rstrip(".")
