"""Deterministic CBOR, strict in both directions: RFC 8949 §4.2 with the shorter key first (§4.2.3).

For every map that this platform writes, this order of keys is that of §4.2.1 too.
What does not encode back to the same bytes is not accepted: no indefinite lengths, no long integers,
no unsorted or doubled keys, no trailing bytes. Numbers beyond 64 bits are refused, and so are floats and the tags
that the decoder turns into something else (dates, fractions, shared references). Other tags survive as `cbor2.CBORTag`.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import Any

import cbor2

from chopmark.base.errors import Invalid

MAX_DEPTH = 16
MAX_INTEGER = 2**64 - 1

_LEAVES = frozenset({int, bytes, str, bool, type(None)})
_SHORT = 32


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
        _must_be_plain([value], MAX_DEPTH + 1)
        again = cbor2.dumps(value)  # in the order found, which is the right one: twice as fast as `encode`
    except (cbor2.CBORError, ValueError, TypeError, ArithmeticError, RecursionError) as error:
        raise Invalid("base.cbor_malformed") from error
    if again != data:
        raise Invalid("base.cbor_malformed")
    return value


def _must_be_plain(value: object, depth: int) -> None:
    """Refuse keys out of order, and what the decoder may build beyond plain data: dates, fractions, sets, cycles."""
    if isinstance(value, dict):
        _must_be_in_order(value)
        children: list[object] = [*value.keys(), *value.values()]
    elif isinstance(value, list):
        children = value
    elif isinstance(value, cbor2.CBORTag):
        children = [value.value]
    else:
        raise TypeError(type(value).__name__)
    if children and depth == 1:
        raise ValueError("too deep")
    for child in children:
        if type(child) not in _LEAVES:
            _must_be_plain(child, depth - 1)
        elif type(child) is int and not -MAX_INTEGER - 1 <= child <= MAX_INTEGER:
            raise ValueError("too large a number")


def _must_be_in_order(keys: Iterable[object]) -> None:
    """Numbers and short words are remembered, and they alone: `True` is no 1, and long keys would fill the memory."""
    ranks = [
        _known_rank(key) if type(key) is int or (type(key) is str and len(key) <= _SHORT) else _rank(key)
        for key in keys
    ]
    if ranks != sorted(ranks):
        raise ValueError("keys out of order")


def _rank(key: object) -> tuple[int, bytes]:
    data = encode(key)
    return len(data), data


_known_rank = lru_cache(maxsize=1024)(_rank)
