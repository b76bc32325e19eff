from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from chopmark.base import clock
from chopmark.base.errors import Invalid


def test_now_is_aware_and_in_utc():
    assert clock.now().tzinfo is UTC


@given(st.integers(-62_135_596_800, 253_402_300_799))
def test_seconds_come_back(seconds):
    assert clock.to_seconds(clock.from_seconds(seconds)) == seconds


@given(st.datetimes(timezones=st.just(UTC)))
@example(datetime(2515, 1, 1, 0, 0, 0, 999_999, tzinfo=UTC))  # a float has no such fraction there
def test_a_moment_is_rounded_down_to_its_second(moment):
    assert clock.from_seconds(clock.to_seconds(moment)) == moment.replace(microsecond=0)


@pytest.mark.parametrize("seconds", [-62_135_596_801, 253_402_300_800, 2**63 - 1, 2**64, -(2**70)])
def test_seconds_outside_the_calendar_are_refused(seconds):
    with pytest.raises(Invalid, match=r"base\.time_out_of_range"):
        clock.from_seconds(seconds)


def test_text_is_rfc_3339_in_utc_to_the_second():
    east = timezone(timedelta(hours=8))
    assert clock.to_text(datetime(2026, 11, 22, 17, 30, 0, 999_999, tzinfo=east)) == "2026-11-22T09:30:00Z"
