"""Canonical JSON: one form for each value, and nothing else is read."""

from __future__ import annotations

import json
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chopmark.base import jcs
from chopmark.base.errors import Invalid

_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-jcs.MAX_INTEGER, jcs.MAX_INTEGER) | _TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_TEXT, inner, max_size=4),
    max_leaves=12,
)


def naive(value: object) -> str:
    """RFC 8785 read aloud: one function, character by character."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, int):
        return str(value)
    if isinstance(value, str):
        short = {"\b": "\\b", "\t": "\\t", "\n": "\\n", "\f": "\\f", "\r": "\\r", '"': '\\"', "\\": "\\\\"}
        return '"' + "".join(short.get(c, f"\\u{ord(c):04x}" if c < " " else c) for c in value) + '"'
    if isinstance(value, list):
        return "[" + ",".join(map(naive, value)) + "]"
    keys = sorted(value, key=lambda key: list(key.encode("utf-16-be")))
    return "{" + ",".join(naive(key) + ":" + naive(value[key]) for key in keys) + "}"


@settings(deadline=None)
@given(_VALUES)
def test_a_value_comes_back_and_has_the_form_of_the_standard(value):
    data = jcs.encode(value)
    assert data.decode() == naive(value)
    assert jcs.decode(data) == value


def test_keys_are_sorted_by_their_utf_16_units():
    # The example of RFC 8785 3.2.3, in which a character beyond the first plane comes before U+FB33.
    keys = ["\u20ac", "\r", "\ufb33", "1", "\U0001f600", "\u0080", "\u00f6"]
    read = json.loads(jcs.encode(dict.fromkeys(keys, 0)))
    assert list(read) == ["\r", "1", "\u0080", "\u00f6", "\u20ac", "\U0001f600", "\ufb33"]


REFUSED = {
    "white space": b'{"a": 1}',
    "a line end": b"{}\n",
    "keys in another order": b'{"b":1,"a":2}',
    "a key twice": b'{"a":1,"a":1}',
    "an escape that is not needed": b'"\\u0041"',
    "an escape in upper case": b'"\\u001F"',
    "an escaped slash": b'"\\/"',
    "a fraction": b"1.5",
    "an exponent": b"1e3",
    "minus zero": b"-0",
    "a leading zero": b"01",
    "a number too large": b"9007199254740992",
    "a number far too large": b"1" * 5000,
    "not a number": b"NaN",
    "infinity": b"Infinity",
    "a lone surrogate": b'"\\ud800"',
    "another encoding": '"中"'.encode("gbk"),
    "a byte order mark": b"\xef\xbb\xbf{}",
    "an overlong form": b'"\xc0\xaf"',
    "too many levels": b"[" * 40 + b"]" * 40,
    "far too many levels": b"[" * 100_000 + b"]" * 100_000,
    "nothing": b"",
    "two values": b"1 2",
}


@pytest.mark.parametrize("case", REFUSED)
def test_canonical_json_is_not(case):
    with pytest.raises(Invalid, match=r"base\.json_malformed"):
        jcs.decode(REFUSED[case])


@pytest.mark.parametrize("value", [1.5, {1: 2}, "\ud800", 2**53, b"", {"a": object()}, {"\ud800": 1}, {"a"}])
def test_what_has_no_form_is_not_written(value):
    with pytest.raises(Invalid, match=r"base\.json_malformed"):
        jcs.encode(value)


@settings(deadline=None)
@given(st.binary(max_size=60))
def test_anything_is_read_or_refused(data):
    with suppress(Invalid):
        assert jcs.encode(jcs.decode(data)) == data
