from __future__ import annotations

from datetime import UTC

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chopmark.base import cbor
from chopmark.base.errors import Invalid

PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**64), 2**64 - 1) | st.binary(max_size=20) | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.integers(-9, 9) | st.text(max_size=5), inner, max_size=4)
    ),
    max_leaves=20,
)


@given(PLAIN)
def test_plain_values_come_back(value):
    assert cbor.decode(cbor.encode(value)) == value


@given(st.binary(max_size=40))
def test_any_bytes_are_refused_or_encode_back(data):
    try:
        value = cbor.decode(data)
    except Invalid:
        return
    assert cbor.encode(value) == data


def slowly(data: bytes) -> object:
    """What `decode` means, without its short cuts: plain data that the sorting encoder writes as the same bytes."""

    def plain(value: object, depth: int) -> None:
        assert depth
        assert value is None or isinstance(value, bool | int | bytes | str | list | dict | cbor2.CBORTag)
        assert not isinstance(value, int) or -(2**64) <= value < 2**64
        match value:
            case list():
                children = value
            case dict():
                children = [*value.keys(), *value.values()]
            case cbor2.CBORTag():
                children = [value.value]
            case _:
                children = []
        for child in children:
            plain(child, depth - 1)

    value = cbor2.loads(data)
    plain(value, cbor.MAX_DEPTH)
    assert cbor2.dumps(value, canonical=True) == data
    return value


KEYS = st.integers(-300, 300) | st.text("ab", max_size=3) | st.binary(max_size=2) | st.booleans() | st.none()
DISORDERLY = st.recursive(
    st.none() | st.booleans() | st.integers(-300, 2**70) | st.text(max_size=40) | st.floats() | st.datetimes(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(KEYS, inner, max_size=4)
        | st.builds(cbor2.CBORTag, st.integers(0, 40), inner)
    ),
    max_leaves=12,
)


@given(DISORDERLY, st.booleans())
def test_the_short_cuts_accept_exactly_what_the_sorting_encoder_writes(value, canonical):
    data = cbor2.dumps(value, canonical=canonical, timezone=UTC)
    try:
        expected = slowly(data)
    except (AssertionError, cbor2.CBORError, ValueError, TypeError, ArithmeticError):
        with pytest.raises(Invalid):
            cbor.decode(data)
        return
    assert cbor.encode(cbor.decode(data)) == cbor.encode(expected)


def test_a_key_that_is_true_has_its_own_place():
    cbor.decode(bytes.fromhex("a10100"))
    cbor.decode(bytes.fromhex("a20200f500"))
    with pytest.raises(Invalid):
        cbor.decode(bytes.fromhex("a2f5000200"))


def test_a_value_that_cannot_be_encoded_leaves_no_trace():
    inner: dict[str, object] = {"a": [1]}
    value = {"list": inner, "z": object()}
    for encode in (cbor.encode, cbor.encode_in_order):
        for _ in range(3):
            with pytest.raises((cbor2.CBORError, TypeError)):
                encode(value)
            assert encode(inner) == cbor2.dumps(inner)


def test_tags_survive():
    assert cbor.decode(cbor.encode(cbor2.CBORTag(18, [b""]))) == cbor2.CBORTag(18, [b""])


REFUSED = {
    "nothing": "",
    "a number in too many bytes": "1801",
    "a length in too many bytes": "580161",
    "bytes of indefinite length": "5f4161ff",
    "a list of indefinite length": "9f01ff",
    "a map of indefinite length": "bf0101ff",
    "keys out of order": "a202010101",
    "a key twice": "a201010102",
    "a byte too many": "0101",
    "a byte too few": "4261",
    "text that is no UTF-8": "61ff",
    "a floating-point number": "f93c00",
    "not a number": "f97e00",
    "undefined": "f7",
    "a date": "c0" + cbor2.dumps("2026-11-22T09:30:00Z").hex(),
    "a time": "c100",
    "a small number written as a large one": "c24101",
    "a number beyond 64 bits": "c249010000000000000000",
    "a negative number beyond 64 bits": "c349010000000000000000",
    "a number of twenty thousand digits": "c2592000" + "ff" * 0x2000,
    "a decimal fraction with an exponent that no number has": "c4821b7fffffffffffffff01",
    "a binary fraction with an exponent that no number has": "c5821b7fffffffffffffff01",
    "a shared value": "d81c8100",
    "a set": "d9010281" + "01",
    "a list seventeen deep": "81" * 17 + "00",
    "a list a thousand deep": "81" * 1000 + "00",
}


@pytest.mark.parametrize("title", REFUSED)
def test_anything_but_the_one_encoding_is_refused(title):
    with pytest.raises(Invalid, match=r"base\.cbor_malformed"):
        cbor.decode(bytes.fromhex(REFUSED[title]))
