"""Countries and regions: dated membership, three answers."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chopmark.base.errors import Invalid
from chopmark.rights import territories
from chopmark.rights.territories import contains, members, overlap

DAY = date(2026, 11, 22)
CODES = st.sampled_from([each.code for each in territories.territories()])
DAYS = st.dates(date(1950, 1, 1), date(2100, 1, 1))


def test_every_territory_has_both_names():
    assert all(each.en and each.zh for each in territories.territories())


def test_hong_kong_macao_and_taiwan_are_named_as_st3_does():
    assert [territories.territory(code).zh for code in ("HK", "MO", "TW")] == ["中国香港", "中国澳门", "中国台湾"]


def test_the_union_had_28_members_then_27():
    before = {each.country for each in territories.memberships("EU") if each.holds(date(2020, 12, 31))}
    after = {each.country for each in territories.memberships("EU") if each.holds(date(2021, 1, 1))}
    assert (len(before), len(after), before - after) == (28, 27, {"GB"})


@pytest.mark.parametrize(("year", "count"), [(1960, 6), (1975, 9), (1982, 10), (1990, 12), (2000, 15), (2005, 25)])
def test_the_union_grew(year, count):
    day = date(year, 6, 1)
    assert sum(each.holds(day) for each in territories.memberships("EU")) == count


def test_oapi_has_17_members_and_benelux_three():
    assert (len(members("OA", DAY)), len(members("BX", DAY))) == (17, 3)


def test_what_is_no_code_is_refused():
    for code in ("", "XX", "europe", "🇪🇺", "E U"):
        with pytest.raises(Invalid, match="territory_unknown"):
            territories.territory(code)


@given(CODES, CODES, DAYS)
def test_containing_is_overlapping(one, other, day):
    if contains(one, other, day) is True:
        assert overlap(one, other, day) is not False


@given(CODES, CODES, DAYS)
def test_overlap_has_two_equal_sides(one, other, day):
    assert overlap(one, other, day) == overlap(other, one, day)


@given(CODES, DAYS)
def test_everything_contains_itself_and_its_members_of_the_day(code, day):
    assert contains(code, code, day) is True
    here = territories.territory(code)
    for country in members(code, day):
        assert contains(code, country, day) is (True if here.unitary else None)


@given(CODES, CODES, CODES, DAYS)
def test_what_lies_within_lies_within_the_whole(one, other, third, day):
    if contains(one, other, day) and contains(other, third, day):
        assert contains(one, third, day) is not False


def test_regions_of_a_country():
    assert territories.regions_of("NL", DAY) == {"EU", "BX", "EP"}
    assert "EU" not in territories.regions_of("GB", DAY)
