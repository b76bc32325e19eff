"""Numbers are found by whatever form people write; keys print back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chopmark.base.errors import Invalid
from chopmark.rights import numbers, offices
from chopmark.rights.record import Designation, Record

OFFICES = [each.code for each in offices.offices()]


@given(
    st.sampled_from(OFFICES),
    st.from_regex(r"[0-9]{2}", fullmatch=True),
    st.from_regex(r"[0-9A-Z]{13}", fullmatch=True),
)
def test_every_key_of_17_characters_prints_back(office, kind, number):
    key = f"{office}{kind}{number}"
    if key.isascii():
        assert numbers.parse_st13(key).text() == key


@pytest.mark.parametrize(
    "text",
    [
        "",
        "CN50000000123456",
        "CN5000000012345678",
        "cn500000001234567",
        "XX500000001234567",
        "UK500000001234567",
        "CN50 00000123456",
        "CN5000000012345６7",
        "CNA00000001234567",
    ],
)
def test_other_keys_are_refused(text):
    with pytest.raises(Invalid, match="st13_malformed"):
        numbers.parse_st13(text)


def mark(office, application="", registration=""):
    return Record(kind="trademark", office=office, application_number=application, registration_number=registration)


FOUND = {
    "a Chinese certificate's form": (mark("CN", registration="1234567"), "第1234567号"),
    "traditional characters": (mark("CN", registration="1234567"), "第 1234567 號"),
    "with the country's letters": (mark("CN", registration="1234567"), "CN1234567"),
    "with a word before it": (mark("CN", registration="1234567"), "Reg. No. 1234567"),
    "full width figures": (mark("CN", registration="1234567"), "１２３４５６７"),
    "leading zeros": (mark("EM", "018123456"), "18123456"),
    "the other way round": (mark("EM", "18123456"), "EUTM 018123456"),
    "EUIPO's letters": (mark("EM", "018123456"), "EU018123456"),
    "a British number with its letters": (mark("GB", "UK00003123456"), "3123456"),
    "the letters written by the searcher": (mark("GB", "3123456"), "UK00003123456"),
    "an American serial number": (mark("US", "75/123,456"), "75123456"),
    "an American registration": (mark("US", "75123456", "1234567"), "US Reg. No. 1,234,567"),
    "an international number in China": (mark("WO", registration="1234567"), "G1234567"),
    "IR before it": (mark("WO", registration="1234567"), "IR 1234567"),
    "an international number with a letter": (mark("WO", registration="1234567A"), "1234567 A"),
    "a German number without its check figure": (mark("DE", "30 2012 012 345.6"), "302012012345"),
    "a German number with it": (mark("DE", "302012012345"), "30 2012 012 345.6"),
    "a Korean number": (mark("KR", "40-2012-0012345"), "4020120012345"),
    "the key itself": (mark("CN", registration="1234567"), "CN500000001234567"),
    "a designation's own number": (
        Record(
            kind="trademark",
            office="WO",
            registration_number="1234567",
            designations=(Designation(territory="US", number="79/123,456"),),
        ),
        "US 79123456",
    ),
}


@pytest.mark.parametrize("case", FOUND)
def test_a_right_is_found(case):
    record, text = FOUND[case]
    assert numbers.keys(record) & set(numbers.asked(text)), (numbers.keys(record), numbers.asked(text))


NOT_FOUND = {
    "another number": (mark("CN", registration="1234567"), "1234568"),
    "another country's letters": (mark("CN", registration="1234567"), "JP1234567"),
    "a part of it": (mark("CN", registration="1234567"), "123456"),
    "no number at all": (mark("CN", registration="1234567"), "Nike"),
    "nothing": (mark("CN"), ""),
}


@pytest.mark.parametrize("case", NOT_FOUND)
def test_another_right_is_not(case):
    record, text = NOT_FOUND[case]
    assert not numbers.keys(record) & set(numbers.asked(text))


KEYS = {
    "a Chinese mark": (mark("CN", registration="1234567"), "CN500000001234567"),
    "an international mark": (mark("WO", registration="1234567"), "WO800000001234567"),
    "a US registration alone has none": (mark("US", registration="1234567"), ""),
    "a US application": (mark("US", "75/123,456", "1234567"), "US500000075123456"),
    "no office": (Record(kind="trademark", application_number="1"), ""),
    "a design's type is not known here": (Record(kind="design", office="CN", application_number="1"), ""),
    "a number that is too long": (mark("KR", "40-2012-0012345-0001"), ""),
    "its own, where it has one": (
        Record(kind="design", office="EM", application_number="1", st13="EM700000000000001"),
        "EM700000000000001",
    ),
}


@pytest.mark.parametrize("case", KEYS)
def test_the_key_of_a_right(case):
    record, key = KEYS[case]
    assert numbers.st13(record) == key


@given(st.text(max_size=60))
def test_no_text_breaks_a_search(text):
    assert all(isinstance(each, str) and each for each in numbers.asked(text))


@given(st.sampled_from(OFFICES), st.integers(1, 10**12))
def test_a_plain_number_is_found_with_and_without_its_office(office, number):
    keys = numbers.keys(mark(office, str(number)))
    assert keys & set(numbers.asked(str(number)))
    assert keys & set(numbers.asked(f"{office} {number}"))
