"""Laws that hold for every right, every place and every day, and a second, simpler way to the same answer."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from world.data import REPOSITORY

from chopmark.base.errors import Invalid
from chopmark.base.wording import catalogue, say
from chopmark.rights import classes, territories
from chopmark.rights.answers import all_of, any_of, no, unknown, yes
from chopmark.rights.coverage import channel_matches, covers, in_force, may_act, may_sell, reach, reaches
from chopmark.rights.record import (
    Class,
    Designation,
    Interest,
    Party,
    Record,
    Right,
    State,
    Status,
    Verification,
)

PLACES = st.sampled_from(
    ["CN", "HK", "DE", "FR", "GP", "NC", "GB", "NL", "BE", "US", "PR", "KM", "EU", "BX", "OA", "KE"]
)
OFFICES = st.sampled_from(["CN", "EM", "BX", "WO", "GB", "US", "OA", "AP", "FR"])
DAYS = st.dates(date(2010, 1, 1), date(2035, 1, 1))
MAYBE_DAY = st.none() | DAYS
STATUS = st.sampled_from(get_args(Status))
CODES = st.sampled_from(["9", "25", "35"])

DESIGNATIONS = st.builds(
    Designation,
    territory=PLACES,
    status=STATUS,
    number=st.just(""),
    via=st.sampled_from(["direct", "madrid"]),
    since=MAYBE_DAY,
    until=MAYBE_DAY,
    classes=st.lists(CODES, max_size=2).map(tuple),
)
RECORDS = st.builds(
    Record,
    kind=st.sampled_from(["trademark", "trademark", "trademark", "design", "copyright"]),
    office=OFFICES,
    application_number=st.just(""),
    registration_number=st.just("1"),
    st13=st.just(""),
    title=st.just(""),
    mark=st.none(),
    owners=st.just(()),
    representatives=st.just(()),
    classes=st.lists(
        st.builds(
            Class,
            scheme=st.just("nice"),
            code=CODES,
            edition=st.just(""),
            goods=st.just(()),
            since=MAYBE_DAY,
            until=MAYBE_DAY,
        ),
        max_size=3,
    ).map(tuple),
    designations=st.lists(DESIGNATIONS, max_size=3).map(tuple),
    priorities=st.just(()),
    application_date=MAYBE_DAY,
    publication_date=st.none(),
    registration_date=MAYBE_DAY,
    expiry_date=MAYBE_DAY,
    status=STATUS,
    status_date=MAYBE_DAY,
    collective=st.just(""),
    raw=st.just({}),
)
INTERESTS = st.lists(
    st.builds(
        Interest,
        id=st.sampled_from(["A", "B", "C"]),
        party=st.just(Party(name="x")),
        role=st.sampled_from(["licensee", "licensee_exclusive", "authorised_seller", "pledgee"]),
        granted_by=st.sampled_from(["", "", "A", "B"]),
        organisation=st.sampled_from(["seller", "other"]),
        territories=st.lists(PLACES, max_size=2).map(tuple),
        classes=st.lists(CODES, max_size=2).map(tuple),
        channels=st.lists(st.sampled_from(["market-a", "*.shop.example"]), max_size=1).map(tuple),
        quantity=st.none(),
        share=st.just(""),
        since=MAYBE_DAY,
        until=MAYBE_DAY,
        ended_on=MAYBE_DAY,
        recorded_at_office=st.booleans(),
        document=st.just(b""),
    ),
    max_size=3,
    unique_by=lambda each: each.id,
).map(tuple)
LEVELS = st.sampled_from([0, 1, 2, 4])


def right(record, *, state="verified", level=2, id_="right-1", organisation="owner", interests=()):
    checked = Verification(level=level, method="office_record", at=datetime(2026, 1, 1, tzinfo=UTC))
    return Right(
        id=id_,
        number="R-2026-000001",
        organisation=organisation,
        state=state,
        record=record,
        version=1,
        verification=checked,
        interests=interests,
    )


@settings(max_examples=150, deadline=None)
@given(RECORDS, PLACES, CODES, DAYS)
def test_a_region_that_is_covered_is_covered_in_every_member(record, place, cls, day):
    if covers(record, territory=place, cls=cls, on=day).value == "yes":
        for country in {each.country for each in territories.memberships(place) if each.holds(day)}:
            assert covers(record, territory=country, cls=cls, on=day).value == "yes"


@settings(max_examples=150, deadline=None)
@given(RECORDS, DESIGNATIONS, PLACES, CODES, DAYS)
def test_one_more_designation_takes_nothing_away(record, more, place, cls, day):
    if record.designations and covers(record, territory=place, cls=cls, on=day).value == "yes":
        wider = replace(record, designations=(*record.designations, more))
        assert covers(wider, territory=place, cls=cls, on=day).value == "yes"


@settings(max_examples=150, deadline=None)
@given(RECORDS, PLACES, CODES, DAYS)
def test_what_covers_a_class_reaches_the_place_and_is_in_force(record, place, cls, day):
    if covers(record, territory=place, cls=cls, on=day).value == "yes":
        assert reaches(record, territory=place, on=day).value == "yes"
        assert in_force(record, day, place) is True


@settings(max_examples=150, deadline=None)
@given(RECORDS, PLACES, CODES, DAYS)
def test_no_yes_without_what_it_needs(record, place, cls, day):
    answer = covers(record, territory=place, cls=cls, on=day)
    assert answer.reasons
    if answer.value != "yes":
        assert answer.deciding
        return
    assert all(each.value == "yes" for each in answer.reasons)
    if record.kind == "copyright" and not record.office:
        return
    assert record.status == "registered" or record.kind == "copyright"
    assert record.expiry_date is None or day <= record.expiry_date


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from(["CN", "GB", "FR"]),
    PLACES,
    CODES,
    st.lists(CODES, min_size=1, max_size=2),
    st.tuples(DAYS, DAYS, DAYS),
)
def test_a_plain_national_mark_by_a_second_simpler_way(office, place, cls, listed, days):
    """The naive twin: no designations, no regions, said in four lines."""
    since, until, day = days
    record = Record(
        kind="trademark",
        office=office,
        status="registered",
        classes=tuple(Class(scheme="nice", code=each) for each in listed),
        registration_date=since,
        expiry_date=until,
    )
    parts = {"FR": {"FR", "GP"}, "GB": {"GB"}, "CN": {"CN"}}[office]
    wanted = place in parts and cls in listed and since <= day <= until
    assert (covers(record, territory=place, cls=cls, on=day).value == "yes") == wanted


@settings(max_examples=40, deadline=None)
@given(RECORDS, CODES, DAYS)
def test_the_reach_is_where_it_covers(record, cls, day):
    countries = [each.code for each in territories.territories() if not each.region]
    slowly = {place for place in countries if covers(record, territory=place, cls=cls, on=day).value == "yes"}
    assert reach(record, cls=cls, on=day) == slowly


@settings(max_examples=100, deadline=None)
@given(RECORDS, st.sampled_from(get_args(State)), LEVELS, PLACES, CODES, DAYS)
def test_only_a_verified_right_in_force_backs_a_measure_and_only_where_it_is(record, state, level, place, cls, day):  # noqa: PLR0917 (drawn)
    one = right(record, state=state, level=level)
    found = may_act(one, actor="owner", territory=place, cls=cls, on=day)
    assert set(found.limits) <= reach(record, cls=cls, on=day)
    if found.may == "yes":
        assert state in ("verified", "expiring")
        assert level >= (1 if record.kind == "copyright" else 2)
        assert covers(record, territory=place, cls=cls, on=day).value == "yes"
        inside = {place} if not territories.territory(place).region else territories.members(place, day)
        assert inside <= set(found.limits)
    if found.may == "no":
        assert found.limits == ()


@settings(max_examples=80, deadline=None)
@given(RECORDS, RECORDS, PLACES, CODES, DAYS)
def test_two_owners_in_one_place_and_class_are_a_dispute_and_never_a_measure(record, other, place, cls, day):
    one, two = right(record), right(other, id_="right-2", organisation="rival")
    found = may_act(one, actor="owner", territory=place, cls=cls, on=day, rivals=(two,))
    mirrored = may_act(two, actor="rival", territory=place, cls=cls, on=day, rivals=(one,))
    both = all(covers(each, territory=place, cls=cls, on=day).value == "yes" for each in (record, other))
    assert (found.disputes == ("right-2",)) == both == (mirrored.disputes == ("right-1",))
    if both:
        assert (found.may, mirrored.may) == ("no", "no")
    assert not set(found.limits) & reach(other, cls=cls, on=day)


@settings(max_examples=150, deadline=None)
@given(RECORDS, INTERESTS, PLACES, CODES, DAYS, st.sampled_from(["", "market-a", "a.shop.example"]))
def test_a_sale_is_allowed_only_where_every_grant_of_the_chain_allows_it(record, interests, place, cls, day, channel):  # noqa: PLR0917 (drawn)
    one = right(record, interests=interests)
    sale = may_sell(one, organisation="seller", territory=place, cls=cls, channel=channel, on=day)
    if sale.value != "yes":
        return
    assert sale.chain[0].organisation == "seller"
    assert sale.chain[-1].granted_by == ""
    for link in sale.chain:
        assert link.since is None or link.since <= day
        assert all(end is None or day < end for end in (link.until, link.ended_on))
        assert not link.classes or cls in link.classes
    assert all(link.role != "authorised_seller" for link in sale.chain[1:])


@settings(max_examples=100, deadline=None)
@given(RECORDS, INTERESTS, PLACES, CODES, DAYS)
def test_nothing_is_done_automatically_against_an_authorised_seller(record, interests, place, cls, day):
    one = right(record, interests=interests)
    sale = may_sell(one, organisation="seller", territory=place, cls=cls, on=day)
    if sale.value == "yes":
        assert may_act(one, actor="owner", territory=place, cls=cls, on=day, seller="seller").may == "no"


def test_no_reason_at_all_is_unknown():
    assert all_of([]).value == any_of([]).value == "unknown"


VALUES = {"yes": yes("rules.registered"), "no": no("rules.pending"), "unknown": unknown("rules.status_not_said")}


@given(st.lists(st.sampled_from(sorted(VALUES)), min_size=1, max_size=5))
def test_three_values_combine_as_they_must(values):
    answer = all_of(VALUES[each] for each in values)
    assert answer.value == ("no" if "no" in values else "unknown" if "unknown" in values else "yes")
    best = any_of(all_of([VALUES[each]]) for each in values)
    assert best.value == ("yes" if "yes" in values else "unknown" if "unknown" in values else "no")


CHANNELS = {
    ("market-a", "Market-A"): True,
    ("market-a", "market-ab"): False,
    ("*.shop.example", "anna.shop.example"): True,
    ("*.shop.example", "a.b.shop.example."): True,
    ("*.shop.example", "shop.example"): False,
    ("*.shop.example", "ashop.example"): False,
    ("shop.example", "anna.shop.example"): False,
    ("offline", ""): False,
}


@pytest.mark.parametrize(("granted", "channel"), CHANNELS)
def test_a_channel_is_the_granted_one(granted, channel):
    assert channel_matches(granted, channel) is CHANNELS[granted, channel]


@pytest.mark.parametrize("text", ["", "0", "46", "00", "25a", "nice:46", "colour:1", "cn_subclass:4601", "２５", "-1"])
def test_what_is_no_class_is_refused(text):
    with pytest.raises(Invalid, match="class_unknown"):
        classes.parse(text)


def test_every_nice_class_has_a_name_in_both_languages():
    assert all(classes.nice_name(str(code), language) for code in range(1, 46) for language in ("en", "zh"))


# ---- wording ---------------------------------------------------------------------------------------------------------

SOURCES = [path for path in (REPOSITORY / "src" / "chopmark").rglob("*.py") if '"rules.' in path.read_text("utf-8")]
CODES_USED = {code for path in SOURCES for code in re.findall(r'"(rules\.[a-z_0-9]+)"', Path(path).read_text("utf-8"))}


def test_every_reason_is_worded_and_every_wording_used():
    worded = {code for code in catalogue() if code.startswith("rules.")}
    built = {code for code in worded if code.startswith(("rules.difference_", "rules.verdict_"))}
    assert {code for code in CODES_USED if not code.endswith("_")} == worded - built | (CODES_USED & built)


@settings(max_examples=150, deadline=None)
@given(RECORDS, INTERESTS, PLACES, CODES, DAYS)
def test_every_reason_that_is_given_can_be_said(record, interests, place, cls, day):
    one = right(record, interests=interests)
    act = may_act(
        one, actor="other", territory=place, cls=cls, on=day, seller="seller", rivals=(right(record, id_="x"),)
    )
    sale = may_sell(one, organisation="seller", territory=place, cls=cls, on=day)
    for reason in (*act.reasons, *sale.reasons):
        for language in ("en", "zh"):
            assert say(reason.code, reason.facts, language)
