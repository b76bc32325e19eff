"""DER (ITU-T X.690), as much of it as a time stamp needs: read strictly, written canonically.

    outer = read(data)                      one element and nothing behind it
    parts = Reader(outer.content)
    version = integer(parts.take(INTEGER))
    nonce = parts.maybe(INTEGER)
    parts.end()

Every length is definite and of the shortest form, every tag number below 31; indefinite lengths and other freedoms of
BER are refused. One freedom is left: elements of a SET need not be sorted when read, because real time-stamp
authorities send certificates unsorted; `set_of` always sorts. What an element means is not known here.

Raises `ValueError` for anything malformed: who calls knows what was being read, and says so.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

BOOLEAN, INTEGER, BIT_STRING, OCTET_STRING, NULL, OID = 0x01, 0x02, 0x03, 0x04, 0x05, 0x06
UTF8_STRING, GENERALIZED_TIME = 0x0C, 0x18
SEQUENCE, SET = 0x30, 0x31

MAX_OID = 63  # bytes; far more than anybody registered, and reading is quadratic

_TIME = re.compile(rb"(\d{14})(?:\.(\d{0,8}[1-9]))?Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class Element:
    """One value with its tag.

    Attributes:
        tag: class, form and number in one byte.
        content: the bytes without tag and length.
        raw: all its bytes.
    """

    tag: int
    content: bytes
    raw: bytes


class Reader:
    """Takes elements one behind the other from the content of a constructed one."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._here = 0

    def take(self, *tags: int) -> Element:
        """The next element, which has one of these tags (any, if none is named)."""
        element, self._here = _element(self._data, self._here)
        if tags and element.tag not in tags:
            raise ValueError("another element was expected")
        return element

    def maybe(self, tag: int) -> Element | None:
        """The next element if it has this tag."""
        if self._here < len(self._data) and self._data[self._here] == tag:
            return self.take()
        return None

    def rest(self) -> list[Element]:
        """All that is left."""
        found = []
        while self._here < len(self._data):
            found.append(self.take())
        return found

    def end(self) -> None:
        """Nothing may be left."""
        if self._here != len(self._data):
            raise ValueError("more than expected")


def read(data: bytes, tag: int = SEQUENCE) -> Element:
    """The one element that the bytes are."""
    reader = Reader(data)
    element = reader.take(tag)
    reader.end()
    return element


def inside(element: Element, tag: int) -> Element:
    """The one element that an explicit tag wraps."""
    return read(element.content, tag)


def _element(data: bytes, start: int) -> tuple[Element, int]:
    if len(data) - start < 2:
        raise ValueError("cut off")
    tag, length, here = data[start], data[start + 1], start + 2
    if tag & 0x1F == 0x1F:
        raise ValueError("a tag of many bytes")
    if length > 0x7F:
        count = length & 0x7F
        digits = data[here : here + count]
        if not 1 <= count <= 4 or len(digits) != count:
            raise ValueError("a length that is indefinite, cut off or too great")
        length = int.from_bytes(digits, "big")
        if length < 0x80 or digits[0] == 0:
            raise ValueError("a length not of the shortest form")
        here += count
    end = here + length
    if end > len(data):
        raise ValueError("cut off")
    return Element(tag=tag, content=data[here:end], raw=data[start:end]), end


# ---- values ----------------------------------------------------------------------------------------------------------


def integer(element: Element) -> int:
    """A whole number; `raw` of the same number is always the same."""
    content = element.content
    if not content or (len(content) > 1 and (content[0], content[1] >> 7) in {(0x00, 0), (0xFF, 1)}):
        raise ValueError("an integer not of the shortest form")
    return int.from_bytes(content, "big", signed=True)


def boolean(element: Element) -> bool:
    """True or false."""
    if element.content not in {b"\x00", b"\xff"}:
        raise ValueError("a boolean of another form")
    return element.content == b"\xff"


def oid(element: Element) -> str:
    """An object identifier in dotted form."""
    content = element.content
    if not 0 < len(content) <= MAX_OID or content[-1] & 0x80:
        raise ValueError("an identifier cut off, or too long")
    arcs: list[int] = []
    value, fresh = 0, True
    for byte in content:
        if fresh and byte == 0x80:
            raise ValueError("an identifier not of the shortest form")
        value, fresh = value << 7 | byte & 0x7F, not byte & 0x80
        if fresh:
            arcs.append(value)
            value = 0
    first = min(arcs[0] // 40, 2)
    return ".".join(map(str, [first, arcs[0] - 40 * first, *arcs[1:]]))


def generalized_time(element: Element) -> datetime:
    """A moment; digits beyond the microsecond are cut."""
    match = _TIME.fullmatch(element.content)
    if match is None:
        raise ValueError("not a time in UTC to the second or finer")
    moment = datetime.strptime(match[1].decode(), "%Y%m%d%H%M%S").replace(tzinfo=UTC)
    return moment.replace(microsecond=int((match[2] or b"0").decode().ljust(6, "0")[:6]))


# ---- writing ---------------------------------------------------------------------------------------------------------


def element(tag: int, *parts: bytes) -> bytes:
    """The parts one behind the other under a tag."""
    content = b"".join(parts)
    size = len(content)
    if size < 0x80:
        return bytes([tag, size]) + content
    digits = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(digits)]) + digits + content


def sequence(*parts: bytes) -> bytes:
    """A SEQUENCE."""
    return element(SEQUENCE, *parts)


def set_of(parts: Iterable[bytes], tag: int = SET) -> bytes:
    """A SET OF, sorted as DER wants it (X.690 11.6)."""
    return element(tag, *sorted(parts))


def put_integer(value: int) -> bytes:
    """A whole number in the shortest form."""
    magnitude = value if value >= 0 else ~value
    return element(INTEGER, value.to_bytes(magnitude.bit_length() // 8 + 1, "big", signed=True))


def put_octets(value: bytes) -> bytes:
    """An OCTET STRING."""
    return element(OCTET_STRING, value)


def put_oid(dotted: str) -> bytes:
    """An object identifier from its dotted form."""
    first, second, *rest = map(int, dotted.split("."))
    content = bytearray()
    for arc in [40 * first + second, *rest]:
        digits = [arc & 0x7F]
        while arc := arc >> 7:
            digits.append(arc & 0x7F | 0x80)
        content += bytes(reversed(digits))
    return element(OID, bytes(content))


def put_generalized_time(moment: datetime) -> bytes:
    """A moment; its fraction of a second without zeros at the end, as DER wants it (X.690 11.7)."""
    at = moment.astimezone(UTC)
    fraction = f".{at.microsecond:06}".rstrip("0") if at.microsecond else ""
    return element(GENERALIZED_TIME, f"{at.year:04}{at:%m%d%H%M%S}{fraction}Z".encode())
