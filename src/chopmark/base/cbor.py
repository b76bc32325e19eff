"""Deterministic CBOR, strict in both directions: RFC 8949 §4.2 with the shorter key first (§4.2.3).

For every map that this platform writes, this order of keys is that of §4.2.1 too.
What does not encode back to the same bytes is not accepted: no indefinite lengths, no long integers,
no unsorted or doubled keys, no trailing bytes. Numbers beyond 64 bits are refused, and so are floats and the tags
that the decoder turns into something else (dates, fractions, shared references). Other tags survive as `cbor2.CBORTag`.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from io import BytesIO
from threading import local
from typing import Any

import cbor2

from chopmark.base.errors import Invalid

MAX_DEPTH = 16
MAX_INTEGER = 2**64 - 1

_LEAVES = frozenset({int, bytes, str, bool, type(None)})
_SHORT = 32


class _Encoders(local):
    """One of either kind for each thread: to make one takes longer than a small value does."""

    def __init__(self) -> None:
        self._renew()

    def _renew(self) -> None:
        self.sorting = cbor2.CBOREncoder(BytesIO(), canonical=True)
        self.plain = cbor2.CBOREncoder(BytesIO())

    def encode(self, encoder: cbor2.CBOREncoder, value: object) -> bytes:
        try:
            return encoder.encode_to_bytes(value)
        except BaseException:
            self._renew()  # what is remembered of a value cut off must not meet the next one
            raise


_mine = _Encoders()


def encode(value: object) -> bytes:
    """The one deterministic encoding of ints, bytes, text, booleans, None, lists, dicts and tags."""
    return _mine.encode(_mine.sorting, value)


def encode_in_order(value: object) -> bytes:
    """The same for a value whose maps have their keys in order already, in half the time."""
    return _mine.encode(_mine.plain, value)


def decode(data: bytes) -> Any:  # noqa: ANN401 (a decoder's result is whatever the bytes say)
    """Read one value that fills `data` exactly and is encoded deterministically.

    Raises:
        Invalid: `base.cbor_malformed`.
    """
    value = _read(data, ordered=True)
    try:
        again = encode_in_order(value)
    except (cbor2.CBORError, ValueError, TypeError, ArithmeticError, RecursionError) as error:
        raise Invalid("base.cbor_malformed") from error
    if again != data:
        raise Invalid("base.cbor_malformed")
    return value


def decode_loosely(data: bytes) -> Any:  # noqa: ANN401 (the same)
    """Read plain data however it is encoded: for callers who print what they understood and compare.

    Raises:
        Invalid: `base.cbor_malformed`.
    """
    return _read(data, ordered=False)


def _read(data: bytes, *, ordered: bool) -> Any:  # noqa: ANN401 (the same)
    try:
        value = cbor2.loads(data)
        _must_be_plain([value], MAX_DEPTH + 1, ordered=ordered)
    except (cbor2.CBORError, ValueError, TypeError, ArithmeticError, RecursionError) as error:
        raise Invalid("base.cbor_malformed") from error
    return value


def _must_be_plain(value: object, depth: int, *, ordered: bool) -> None:
    """Refuse what the decoder may build beyond plain data (dates, fractions, sets, cycles) and keys out of order."""
    if isinstance(value, dict):
        if ordered:
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
        kind = type(child)
        if kind not in _LEAVES:
            _must_be_plain(child, depth - 1, ordered=ordered)
        elif kind is int and not -MAX_INTEGER - 1 <= child <= MAX_INTEGER:  # type: ignore[operator]  # an int
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
