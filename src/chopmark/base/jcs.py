"""Canonical JSON: RFC 8785 (JCS) without fractions, strict in both directions.

Values are text, whole numbers within ±(2^53 - 1), booleans, None, lists and dictionaries with text keys. Fractions
are no part of what is signed here, so their notation needs no rule. What does not encode back to the same bytes is
not accepted: no white space, no other order of keys, no key twice, no escape that is not needed.
"""

from __future__ import annotations

import json
from typing import Any, NoReturn

from chopmark.base.errors import Invalid

MAX_INTEGER = 2**53 - 1
MAX_DEPTH = 32


def encode(value: object) -> bytes:
    """The one encoding of a value.

    Raises:
        Invalid: `base.json_malformed` for a fraction, a number out of range, a key that is no text, a lone surrogate,
            something of another type, or more than 32 levels.
    """
    try:
        return json.dumps(_ordered(value, 0), ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()
    except UnicodeEncodeError as error:
        raise Invalid("base.json_malformed") from error


def decode(data: bytes) -> Any:  # noqa: ANN401 (a decoder's result is whatever the bytes say)
    """Read one value that fills `data` exactly and is encoded canonically.

    Raises:
        Invalid: `base.json_malformed`.
    """
    try:
        value = json.loads(data.decode(), parse_float=_refuse, parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        raise Invalid("base.json_malformed") from error
    if encode(value) != data:
        raise Invalid("base.json_malformed")
    return value


def _refuse(text: str) -> NoReturn:
    raise ValueError(text)


def _ordered(value: object, depth: int) -> object:
    """The value with the keys of every object in the order of their UTF-16 code units (RFC 8785 3.2.3)."""
    if depth > MAX_DEPTH:
        raise Invalid("base.json_malformed")
    match value:
        case str() | bool() | None:
            return value
        case int() if abs(value) <= MAX_INTEGER:
            return value
        case list() | tuple():
            return [_ordered(each, depth + 1) for each in value]
        case dict() if all(isinstance(key, str) for key in value):
            keys = sorted(value) if "".join(value).isascii() else sorted(value, key=_units)
            return {key: _ordered(value[key], depth + 1) for key in keys}
        case _:
            raise Invalid("base.json_malformed")


def _units(key: str) -> bytes:
    return key.encode("utf-16-be", "surrogatepass")
