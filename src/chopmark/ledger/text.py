"""Numbers and bytes inside signed text, read strictly.

One number has one spelling and one sequence of bytes has one spelling; every other spelling is refused,
so that text which was checked is the text which was signed. Both readers raise `ValueError`:
the caller knows which format was broken and names it.
"""

from __future__ import annotations

import base64
import re

MAX_INT63 = 2**63 - 1

_DECIMAL = re.compile(r"0|[1-9][0-9]{0,18}")


def parse_decimal(text: str) -> int:
    """A whole number from 0 to 2**63 - 1 in ASCII digits without sign, space, separator or leading zero."""
    if not _DECIMAL.fullmatch(text) or (number := int(text)) > MAX_INT63:
        raise ValueError("not a canonical decimal number")
    return number


def parse_base64(text: str) -> bytes:
    """Bytes from RFC 4648 §4 base64 with padding; unused trailing bits must be zero."""
    data = base64.b64decode(text, validate=True)
    if to_base64(data) != text:
        raise ValueError("not canonical base64")
    return data


def to_base64(data: bytes) -> str:
    """RFC 4648 §4 base64 with padding."""
    return base64.b64encode(data).decode("ascii")
