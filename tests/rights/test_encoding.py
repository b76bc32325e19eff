"""Values as JSON: one encoding, strict reading, for everything that a right consists of."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chopmark.base import jcs
from chopmark.base.errors import Invalid
from chopmark.rights import encoding, record

TEXT = st.text(st.characters(exclude_categories=("Cs", "Cc")), max_size=12)
KINDS = [record.Record, record.Right, record.Interest, record.Mandate, record.CustomsRecordal, record.Dispute]
st.register_type_strategy(str, TEXT)
st.register_type_strategy(int, st.integers(0, 2**53 - 1))
st.register_type_strategy(datetime, st.datetimes(timezones=st.just(UTC)))


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_what_is_written_is_read_again(kind, data):
    value = data.draw(_values(kind))
    written = encoding.encode(value)
    assert encoding.parse_exactly(kind, jcs.decode(jcs.encode(written))) == value


def _values(kind):
    import typing  # noqa: PLC0415 (only here)
    from dataclasses import fields  # noqa: PLC0415

    hints = typing.get_type_hints(kind, vars(record), {})
    return st.fixed_dictionaries({each.name: _value(hints[each.name]) for each in fields(kind)}).map(
        lambda members: kind(**members)
    )


def _value(hint):
    import typing  # noqa: PLC0415
    from dataclasses import is_dataclass  # noqa: PLC0415

    inner = typing.get_args(hint)
    if is_dataclass(hint):
        return _values(hint)
    if typing.get_origin(hint) is tuple:
        return st.lists(_value(inner[0]), max_size=2).map(tuple)
    if typing.get_origin(hint) is frozenset:
        return st.frozensets(_value(inner[0]), max_size=3)
    if type(None) in inner:
        return st.none() | _value(next(each for each in inner if each is not type(None)))
    if hasattr(hint, "__origin__") and "Mapping" in str(hint):
        return st.dictionaries(TEXT, TEXT, max_size=2)
    return st.from_type(hint)


def test_defaults_are_left_out_so_that_new_fields_change_no_digest():
    assert encoding.encode(record.Record(kind="design")) == {"kind": "design"}


def test_a_default_that_is_written_out_is_read_but_is_not_exact():
    data = {"kind": "design", "office": ""}
    assert encoding.parse_record(data) == record.Record(kind="design")
    with pytest.raises(Invalid, match="encoding_not_exact"):
        encoding.parse_exactly(record.Record, data)


WRONG = {
    "an unknown member": ({"kind": "design", "colour": "red"}, "rules.member_unknown", "record.colour"),
    "a member of a member": (
        {"kind": "design", "mark": {"verbal": "x", "size": 1}},
        "rules.member_unknown",
        "record.mark.size",
    ),
    "no kind": ({}, "rules.member_missing", "record.kind"),
    "another kind": ({"kind": "brand"}, "rules.value_malformed", "record.kind"),
    "a list for an object": ([], "rules.value_malformed", "record"),
    "a text for a list": ({"kind": "design", "owners": "A"}, "rules.value_malformed", "record.owners"),
    "a number for a text": ({"kind": "design", "title": 5}, "rules.value_malformed", "record.title"),
    "an owner without a name": ({"kind": "design", "owners": [{}]}, "rules.member_missing", "record.owners.0.name"),
    "a day that is none": (
        {"kind": "design", "expiry_date": "2026-02-30"},
        "rules.value_malformed",
        "record.expiry_date",
    ),
    "a day with a time": (
        {"kind": "design", "expiry_date": "2026-02-01T00:00:00Z"},
        "rules.value_malformed",
        "record.expiry_date",
    ),
    "a week's day": ({"kind": "design", "expiry_date": "2026-W06-1"}, "rules.value_malformed", "record.expiry_date"),
    "other figures": (
        {"kind": "design", "expiry_date": "２０２６-02-01"},
        "rules.value_malformed",
        "record.expiry_date",
    ),
    "capital digits": (
        {"kind": "design", "mark": {"image": "AB"}},
        "rules.value_malformed",
        "record.mark.image",
    ),
    "half a byte": ({"kind": "design", "mark": {"image": "abc"}}, "rules.value_malformed", "record.mark.image"),
    "a control character": ({"kind": "design", "title": "a\x00b"}, "rules.value_malformed", "record.title"),
    "a lone surrogate": ({"kind": "design", "title": "a\ud800"}, "rules.value_malformed", "record.title"),
    "too long a text": ({"kind": "design", "title": "a" * 100_001}, "rules.value_too_large", "record.title"),
    "too many owners": (
        {"kind": "design", "owners": [{"name": "a"}] * 5_001},
        "rules.value_too_large",
        "record.owners",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_other_forms_are_refused_with_their_place(case):
    data, code, path = WRONG[case]
    with pytest.raises(Invalid) as caught:
        encoding.parse_record(data)
    assert (caught.value.code, caught.value.facts["path"]) == (code, path)


def test_a_power_twice_is_refused():
    with pytest.raises(Invalid):
        encoding.parse_mandate({"id": "1", "principal": "a", "agent": "b", "powers": ["file", "file"]})


def test_a_flag_is_no_number():
    with pytest.raises(Invalid):
        encoding.parse_interest({"id": "1", "party": {"name": "a"}, "role": "owner", "quantity": True})


def test_a_priority_keeps_its_day():
    value = record.Priority(kind="paris", country="US", date=date(2020, 1, 2))
    assert encoding.parse(record.Priority, encoding.encode(value)) == value
