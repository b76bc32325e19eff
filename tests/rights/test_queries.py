"""Reading the registry: lists, the past, numbers in any form, and that rows are what their events say."""

from __future__ import annotations

import tomllib
from datetime import timedelta

import pytest
from world.data import REPOSITORY
from world.rights import LANTERN, OPERATOR, by_office, filed, lantern, rebuilt, verified

from chopmark.base.errors import Refused, Unavailable
from chopmark.rights.actions.file import amend, withdraw
from chopmark.rights.actions.verify import verify_against
from chopmark.rights.history import Event
from chopmark.rights.queries import registry
from chopmark.rights.queries.registry import Filters
from chopmark.rights.record import Class, Designation, Mark


def test_the_past_is_shown_as_it_was_known(world, mei):
    made = filed(world, mei)
    filed_at = world.at
    amend(made.id, lantern(title="Renamed"), by=mei.actor, at=world.now())
    verify_against(made.id, by_office(), by=OPERATOR, at=world.now() + timedelta(days=1))
    then = registry.right_of(mei.actor, made.number, as_of=filed_at)
    assert (then.right.record.title, then.right.state, then.as_of) == ("", "submitted", filed_at)
    assert registry.right_of(mei.actor, made.number).right.record.title == "Renamed"
    with pytest.raises(Refused, match=r"rights.not_found"):
        registry.right_of(mei.actor, made.number, as_of=filed_at - timedelta(days=1))
    rebuilt()


@pytest.mark.parametrize(
    "written", ["018123456", "18123456", "EM 018 123 456", "EUTM 018123456", "em018123456", "r-2026-000001"]
)
def test_a_right_is_found_by_its_number_in_any_form(world, mei, written):
    made = filed(world, mei)
    filed(world, mei, lantern(application_number="55", registration_number="55"))
    assert registry.right_of(mei.actor, written).summary.id == made.id
    assert [each.id for each in registry.rights_of(mei.actor, Filters(q=written)).items] == [made.id]


def test_a_number_that_two_offices_gave_names_no_right_alone(world, mei):
    filed(world, mei)
    filed(world, mei, lantern(office="FR", designations=(Designation(territory="FR"),)))
    with pytest.raises(Refused, match=r"rights.not_found"):
        registry.right_of(mei.actor, "18123456")
    assert len(registry.rights_of(mei.actor, Filters(q="18123456")).items) == 2


def test_lists_are_filtered_counted_and_paged(world, mei, jo):
    filed(world, jo, lantern(application_number="999", registration_number="999"))
    for number in range(1, 6):
        filed(
            world,
            mei,
            lantern(
                application_number=str(number * 1000),
                registration_number=str(number * 1000),
                mark=Mark(verbal=f"LAMP {number}"),
                classes=(Class(scheme="nice", code=str(number)),),
                designations=(Designation(territory="DE" if number % 2 else "EU"),),
            ),
            submit=number > 1,
        )
    page = registry.rights_of(mei.actor, limit=2)
    assert ([each.title for each in page.items], page.next) == (["LAMP 5", "LAMP 4"], "R-2026-000005")
    assert page.counts == {"draft": 1, "submitted": 4}
    rest = registry.rights_of(mei.actor, after=page.next, limit=9)
    assert ([each.title for each in rest.items], rest.next) == (["LAMP 3", "LAMP 2", "LAMP 1"], "")
    for filters, titles in (
        (Filters(state="draft"), ["LAMP 1"]),
        (Filters(cls="3"), ["LAMP 3"]),
        (Filters(territory="eu"), ["LAMP 4", "LAMP 2"]),
        (Filters(q="lamp 2"), ["LAMP 2"]),
        (Filters(q="4000"), ["LAMP 4"]),
        (Filters(kind="patent"), []),
        (Filters(office="EM", state="submitted", q="LAMP 5"), ["LAMP 5"]),
        (Filters(q="\x00%_'"), []),
    ):
        assert [each.title for each in registry.rights_of(mei.actor, filters).items] == titles, filters
    with pytest.raises(Refused, match=r"rights.not_found"):
        registry.rights_of(mei.actor, after="R-2026-000001")  # another organisation's


def test_a_receipt_comes_with_publication(world, mei):
    made = filed(world, mei)
    with pytest.raises(Unavailable, match=r"evidence.not_published"):
        registry.receipt_of(mei.actor, made.id, 1)
    world.publish()
    assert Event.parse(registry.event_document(mei.actor, made.id, 1)).payload.record == LANTERN
    for seq in (0, 3, -1, 2**40):
        with pytest.raises(Refused, match=r"rights.event_not_found"):
            registry.receipt_of(mei.actor, made.id, seq)


def test_the_events_show_how_it_stood_after_each(world, mei):
    made = verified(world, mei)
    withdraw(made.id, by=mei.actor, at=world.now(), reason="sold")
    shown = [(each.type, each.state, each.level, each.by) for each in registry.events_of(mei.actor, made.id)]
    mine = mei.actor.organisation_id
    assert shown == [
        ("filed", "draft", 0, mine),
        ("submitted", "submitted", 0, mine),
        ("verified", "verified", 2, None),
        ("withdrawn", "withdrawn", 2, mine),
    ]


def test_each_worded_code_of_the_registry_is_used():
    place = REPOSITORY / "src" / "chopmark"
    source = "\n".join(each.read_text("utf-8") for each in (place / "rights").rglob("*.py"))
    worded = tomllib.loads((place / "base" / "wording" / "rights.toml").read_text("utf-8"))
    assert [code for code in worded if f'"{code}"' not in source] == []
