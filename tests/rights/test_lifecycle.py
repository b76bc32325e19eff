"""The life of a right: a table that nothing leaves, and what the dates ask for."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chopmark.base.errors import Refused
from chopmark.rights.lifecycle import ENDS, TABLE, Move, after, allowed, due, end_of, known, plus_months, reminders
from chopmark.rights.record import (
    CustomsRecordal,
    Difference,
    Interest,
    Party,
    Record,
    Right,
    Source,
    State,
    Verification,
)

MARK = Record(kind="trademark", office="CN", status="registered", expiry_date=date(2026, 6, 30))


def right(state="verified", record=MARK, **more):
    return Right(id="r", number="R-2026-000001", organisation="o", state=state, record=record, version=1, **more)


@given(st.sampled_from(get_args(State)), st.sampled_from(get_args(Move)))
def test_what_is_not_in_the_table_does_not_happen(state, move):
    if (state, move) in TABLE:
        assert after(state, move) in get_args(State)
    else:
        with pytest.raises(Refused, match="move_not_allowed"):
            after(state, move)


def test_every_state_can_be_reached_and_only_ends_are_left_by_nothing():
    reached, front = set(), {"draft"}
    while front:
        reached |= front
        front = {end for (start, _), end in TABLE.items() if start in front} - reached
    assert reached == set(get_args(State))
    assert {state for state in get_args(State) if not allowed(state)} == ENDS


def test_only_checking_leads_to_a_first_verified():
    doors = {start for (start, _), end in TABLE.items() if end == "verified"} - {"verified", "suspended"}
    assert doors == {"checking", "expiring", "grace"}


@given(st.dates(date(2020, 1, 1), date(2030, 1, 1)), st.integers(0, 1500))
def test_a_worker_that_slept_arrives_at_the_same_state(expiry, days):
    """Called every day or once after years: the same."""
    record = replace(MARK, expiry_date=expiry)
    start, end = expiry - timedelta(days=300), expiry - timedelta(days=300) + timedelta(days=days)
    daily, once = right(record=record), right(record=record)
    day = start
    while day <= end:
        daily = _stepped(daily, day)
        day += timedelta(days=1 if abs((day - expiry).days) < 2 else 13)
    daily, once = _stepped(daily, end), _stepped(once, end)
    assert daily.state == once.state


def _stepped(one, today):
    for _ in range(5):
        move = due(one, today)
        if move is None:
            return one
        one = replace(one, state=after(one.state, move))
    raise AssertionError("dates ask for ever more")


STATES = {
    "long before": (date(2025, 12, 31), "verified"),
    "180 days before": (date(2026, 1, 1), "expiring"),
    "on its last day": (date(2026, 6, 30), "expiring"),
    "the day after": (date(2026, 7, 1), "grace"),
    "on the last day to renew": (date(2026, 12, 30), "grace"),
    "after it": (date(2026, 12, 31), "expired"),
}


@pytest.mark.parametrize("case", STATES)
def test_a_mark_s_last_days(case):
    today, state = STATES[case]
    assert _stepped(right(), today).state == state


def test_a_patent_has_no_grace():
    patent = right(record=replace(MARK, kind="patent"))
    assert _stepped(patent, date(2026, 7, 1)).state == "expired"


def test_a_right_without_a_last_day_never_ends_by_itself():
    assert due(right(record=Record(kind="copyright")), date(2999, 1, 1)) is None


def test_a_suspended_right_runs_out_all_the_same():
    assert due(right("suspended"), date(2027, 1, 1)) == "expire"


def test_a_computed_day_never_expires_a_right():
    american = Record(kind="trademark", office="US", status="registered", registration_date=date(2010, 1, 5))
    assert end_of(american).last == date(2020, 1, 5)
    assert _stepped(right(record=american), date(2026, 1, 1)).state == "grace"


def test_a_newer_record_shows_that_it_was_renewed():
    american = Record(
        kind="trademark",
        office="US",
        status="registered",
        registration_date=date(1998, 8, 4),
        status_date=date(2018, 8, 27),
        source=Source(format="st66", fetched_at=datetime(2020, 1, 1, tzinfo=UTC)),
    )
    assert end_of(american).last == date(2028, 8, 4)


def test_a_comparison_with_a_newer_record_shows_it_too():
    american = Record(kind="trademark", office="US", status="registered", registration_date=date(1998, 8, 4))
    source = Source(format="snapshot", fetched_at=datetime(2026, 11, 1, tzinfo=UTC))
    checked = Verification(level=2, method="office_record", at=datetime(2026, 11, 2, tzinfo=UTC), source=source)
    seen = right(record=american, verification=checked)
    assert (end_of(american).last, end_of(known(seen)).last) == (date(2008, 8, 4), date(2028, 8, 4))
    wrong = Difference(field="owners", claimed="a", found="b", verdict="contradiction", rule="other_owner")
    assert known(replace(seen, verification=replace(checked, differences=(wrong,)))) == american


def test_nothing_that_a_claimant_dates_himself_prolongs_a_term():
    source = Source(format="snapshot", fetched_at=datetime(2026, 11, 1, tzinfo=UTC))
    checked = Verification(level=2, method="office_record", at=datetime(2026, 11, 2, tzinfo=UTC), source=source)
    claim = Record(
        kind="trademark",
        office="US",
        status="registered",
        registration_date=date(2017, 1, 5),
        status_date=date(2027, 12, 1),
        source=Source(format="form", fetched_at=datetime(2099, 1, 1, tzinfo=UTC)),
    )
    assert end_of(known(right(record=claim, verification=checked))).last == date(2027, 1, 5)


COMPUTED = {
    "an American mark, to its anniversary": ("US", "2020-03-01", "2024-01-01", "2030-03-01"),
    "a Chinese mark, to the day before": ("CN", "2020-03-01", "2024-01-01", "2030-02-28"),
    "of a leap year": ("CN", "2022-03-01", "2024-01-01", "2032-02-29"),
    "from a leap day, in its second term": ("US", "2012-02-29", "2024-01-01", "2032-02-29"),
    "seen on its last day": ("US", "2014-05-01", "2024-05-01", "2024-05-01"),
    "seen in the months to renew": ("US", "2014-05-01", "2024-11-01", "2024-05-01"),
    "seen after them": ("US", "2014-05-01", "2024-11-02", "2034-05-01"),
}


@pytest.mark.parametrize("case", COMPUTED)
def test_the_last_day_of_a_computed_term(case):
    office, since, seen, last = COMPUTED[case]
    fetched = datetime.fromisoformat(f"{seen}T12:00:00+00:00")
    record = Record(
        kind="trademark",
        office=office,
        status="registered",
        registration_date=date.fromisoformat(since),
        source=Source(format="snapshot", fetched_at=fetched),
    )
    assert end_of(record).last == date.fromisoformat(last)


def test_a_day_at_the_end_of_the_calendar_stops_nobody():
    source = Source(format="form", fetched_at=datetime.max.replace(tzinfo=UTC))
    record = Record(
        kind="trademark", office="US", status="registered", registration_date=date(2014, 5, 1), source=source
    )
    assert end_of(record).last.year > 9000
    assert due(right(record=record), date(2026, 1, 1)) is None


def test_what_is_pending_or_of_another_office_has_no_computed_term():
    assert end_of(Record(kind="trademark", office="US", status="pending", registration_date=date(2010, 1, 1))) is None
    assert (
        end_of(Record(kind="trademark", office="JP", status="registered", registration_date=date(2010, 1, 1))) is None
    )
    assert (
        end_of(Record(kind="trademark", office="US", status="registered", registration_date=date(1985, 1, 1))) is None
    )


@pytest.mark.parametrize(
    ("day", "months", "then"),
    [
        (date(2024, 2, 29), 12, date(2025, 2, 28)),
        (date(2024, 2, 29), 48, date(2028, 2, 29)),
        (date(2026, 8, 31), 6, date(2027, 2, 28)),
        (date(2026, 12, 31), 2, date(2027, 2, 28)),
        (date(2026, 1, 15), 0, date(2026, 1, 15)),
        (date(2026, 11, 30), 1, date(2026, 12, 30)),
    ],
)
def test_months_end_where_they_end(day, months, then):
    assert plus_months(day, months) == then


@given(st.dates(date(1900, 1, 1), date(2100, 1, 1)), st.integers(0, 600))
def test_months_later_is_never_more_than_a_month_off(day, months):
    then = plus_months(day, months)
    assert (then.year * 12 + then.month) - (day.year * 12 + day.month) == months
    assert then.day <= day.day


def test_what_is_due_is_told_nearest_first():
    busy = right(
        customs=(CustomsRecordal(id="c", authority="CN", number="T2016-1", until=date(2026, 3, 1)),),
        interests=(
            Interest(id="L1", party=Party(name="x"), role="licensee", until=date(2026, 2, 1)),
            Interest(
                id="L2", party=Party(name="x"), role="licensee", until=date(2026, 2, 2), ended_on=date(2026, 1, 1)
            ),
            Interest(id="L3", party=Party(name="x"), role="licensee"),
        ),
    )
    found = reminders(busy, date(2026, 1, 15))
    assert [(each.what, each.subject, each.days) for each in found] == [
        ("interest", "L1", 16),
        ("customs", "T2016-1", 44),
        ("renewal", "", 166),
    ]


def test_the_months_to_renew_are_told():
    assert [(each.what, each.due) for each in reminders(right("grace"), date(2026, 7, 1))] == [
        ("grace", date(2026, 12, 30))
    ]


def test_an_american_owner_is_told_of_the_declaration_of_use():
    american = Record(kind="trademark", office="US", status="registered", registration_date=date(2021, 1, 5))
    found = reminders(right(record=american), date(2026, 11, 22))
    assert [(each.what, each.due) for each in found] == [("declaration_of_use", date(2027, 1, 5))]


def test_nobody_is_reminded_of_what_has_ended():
    assert reminders(right("cancelled"), date(2026, 6, 1)) == ()
