"""Which day it is: the one at the office of the right, where the answer may be another than in UTC."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from world.rights import OPERATOR, by_office, filed, lantern, mandated, verified, vouched

from chopmark.base.errors import Invalid
from chopmark.rights import offices
from chopmark.rights.actions import interest
from chopmark.rights.actions.dispute import NewDispute, open_dispute
from chopmark.rights.actions.interest import NewInterest, assign, end_interest
from chopmark.rights.actions.mandate import revoke_mandate
from chopmark.rights.actions.remind import remind
from chopmark.rights.actions.verify import verify_against
from chopmark.rights.queries import registry
from chopmark.rights.record import Party

EVENING, NIGHT = datetime(2026, 11, 22, 17, tzinfo=UTC), datetime(2026, 11, 23, 3, tzinfo=UTC)
SELLER = Party(name="Lamps Ltd")


@pytest.mark.parametrize(
    ("office", "at", "day"),
    [
        ("CN", EVENING, 23),
        ("US", NIGHT, 22),
        ("EM", EVENING, 22),
        ("BR", NIGHT, 23),
        ("", NIGHT, 23),
        ("EU", NIGHT, 23),
    ],
)
def test_each_office_has_its_own_day(office, at, day):
    assert offices.day(office, at) == date(2026, 11, day)
    assert offices.day(office, at) <= offices.latest_day(at)


def here(world, mei, at, **more):
    """A right that is verified at that moment."""
    world.at = at
    record = lantern(designations=(), **more)
    made = filed(world, mei, record)
    vouched(world, mei, record.owners[0].name, record.owners[0].country)
    return verify_against(made.id, by_office(record, fetched=at - timedelta(days=1)), by=OPERATOR, at=at)


LAST = {
    "over in Beijing while it is the 22nd in UTC": ("CN", EVENING, 22, "unknown"),
    "not over in Beijing": ("CN", EVENING, 23, "yes"),
    "going on in Washington while it is the 23rd in UTC": ("US", NIGHT, 22, "yes"),
    "over in Washington": ("US", NIGHT, 21, "unknown"),
}


@pytest.mark.parametrize("case", LAST)
def test_a_right_counts_until_its_last_day_is_over_at_its_office(world, mei, case):
    office, at, last, value = LAST[case]
    right = here(world, mei, at, office=office, expiry_date=date(2026, 11, last))
    asked = {"territory": office, "cls": "11", "at": at}
    assert registry.decision_of(mei.actor, right.id, **asked).may == value
    remind(at)
    state = registry.right_of(mei.actor, right.id).right.state
    assert state == ("expiring" if value == "yes" else "grace")


def test_what_ends_today_has_ended_where_the_office_is_a_day_behind(world, mei, jo):
    right = here(world, mei, NIGHT, office="US")
    asked = {"territory": "US", "cls": "11", "at": NIGHT}
    interest.license(right.id, NewInterest(party=SELLER, role="authorised_seller"), by=mei.actor, at=NIGHT)
    assert registry.sale_of(mei.actor, right.id, party=SELLER, **asked).value == "yes"
    end_interest(right.id, "I1", by=mei.actor, at=NIGHT)
    assert registry.sale_of(mei.actor, right.id, party=SELLER, **asked).value == "no"
    assign(right.id, SELLER, classes=("25",), by=mei.actor, at=NIGHT)
    assert registry.decision_of(mei.actor, right.id, **{**asked, "cls": "25"}).may == "no"
    open_dispute(right.id, NewDispute(kind="court", effect="limit"), by=mei.actor, at=NIGHT)
    assert registry.decision_of(mei.actor, right.id, **asked).may == "unknown"


def test_a_mandate_that_was_revoked_backs_nothing_where_it_is_still_yesterday(world, mei, jo):
    right = here(world, mei, NIGHT - timedelta(days=1), office="US")
    world.at = NIGHT - timedelta(days=1)
    notices = mandated(world, mei, jo, "notice")
    mandated(world, mei, jo, "customs")
    asked = {"territory": "US", "cls": "11", "at": NIGHT}
    assert registry.decision_of(jo.actor, right.id, **asked).may == "yes"
    revoke_mandate(notices.id, by=mei.actor, at=NIGHT)
    assert registry.decision_of(jo.actor, right.id, **asked).may == "no"


def test_a_day_that_has_begun_somewhere_may_be_named(world, mei):
    right = verified(world, mei)
    tomorrow, at = date(2026, 11, 23), datetime(2026, 11, 22, 23, tzinfo=UTC)
    with pytest.raises(Invalid, match=r"rights.day_ahead"):
        assign(right.id, SELLER, by=mei.actor, at=at, on=date(2026, 11, 24))
    assert assign(right.id, SELLER, by=mei.actor, at=at, on=tomorrow).state == "assigned_away"
