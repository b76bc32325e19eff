"""Deterministic CBOR (RFC 8949 §4.2.1), strict in both directions.

What does not encode back to the same bytes is not accepted: no indefinite lengths, no long integers,
no unsorted or doubled keys, no trailing bytes. Floats, shared references and unknown tags are refused.
Tags survive as `cbor2.CBORTag`.
"""

from __future__ import annotations

from typing import Any

import cbor2

from chopmark.base.errors import Invalid

MAX_DEPTH = 16


def encode(value: object) -> bytes:
    """The one deterministic encoding of ints, bytes, text, booleans, None, lists, dicts and tags."""
    return cbor2.dumps(value, canonical=True)


def decode(data: bytes) -> Any:  # noqa: ANN401 (a decoder's result is whatever the bytes say)
    """Read one value that fills `data` exactly and is encoded deterministically.

    Raises:
        Invalid: `base.cbor_malformed`.
    """
    try:
        value = cbor2.loads(data)
        _plain(value, MAX_DEPTH)
        canonical = encode(value)
    except (cbor2.CBORError, ValueError, TypeError, OverflowError, RecursionError, UnicodeError) as error:
        raise Invalid("base.cbor_malformed") from error
    if canonical != data:
        raise Invalid("base.cbor_malformed")
    return value


def _plain(value: object, depth: int) -> None:
    """Refuse what the decoder may build beyond the plain data model (dates, fractions, sets, cycles)."""
    if depth == 0:
        raise ValueError("too deep")
    match value:
        case None | bool() | int() | bytes() | str():
            return
        case list():
            children: list[object] = value
        case dict():
            children = [*value.keys(), *value.values()]
        case cbor2.CBORTag():
            children = [value.value]
        case _:
            raise TypeError(type(value).__name__)
    for child in children:
        _plain(child, depth - 1)
