"""The paper of an assignment is brought with it, and stands beside the right once."""

from __future__ import annotations

from datetime import date

import pytest
from world.rights import filed, paper, verified

from chopmark.base.errors import Invalid, Refused
from chopmark.rights.actions.file import add_papers
from chopmark.rights.actions.interest import assign
from chopmark.rights.queries import registry
from chopmark.rights.record import Party

BUYER = Party(name="Jo Smith's studio", country="GB")


def test_the_deed_of_an_assignment_stands_beside_the_right_and_in_the_interest(world, mei):
    right = verified(world, mei)
    deed = paper(world, mei, b"deed", "other")
    gone = assign(right.id, BUYER, paper=deed, by=mei.actor, at=world.now(), on=date(2026, 11, 1))
    [kept] = [each for each in registry.right_of(mei.actor, right.id).papers if each.kind == "assignment"]
    assert gone.right.interests[-1].document == kept.sha256
    assert gone.right.interests[-1].since == date(2026, 11, 1)
    assert [each.type for each in registry.events_of(mei.actor, right.id)][-2:] == ["paper_added", "assigned"]


def test_a_deed_that_is_there_already_is_not_added_again(world, mei):
    right = verified(world, mei)
    deed = paper(world, mei, b"deed", "assignment")
    add_papers(right.id, [deed], by=mei.actor, at=world.now())
    before = len(registry.events_of(mei.actor, right.id))
    assign(right.id, BUYER, classes=("25",), paper=deed, by=mei.actor, at=world.now())
    assert len(registry.events_of(mei.actor, right.id)) == before + 1
    assert len([each for each in registry.right_of(mei.actor, right.id).papers if each.kind == "assignment"]) == 1


@pytest.mark.parametrize(
    ("make", "on", "why"),
    [(filed, None, "rights.state_wrong"), (verified, date(2027, 1, 1), "rights.day_ahead")],
)
def test_a_refused_assignment_puts_no_paper_beside_the_right(world, mei, make, on, why):
    right = make(world, mei)
    with pytest.raises((Invalid, Refused), match=why):
        assign(right.id, BUYER, paper=paper(world, mei, b"deed"), by=mei.actor, at=world.now(), on=on)
    assert "assignment" not in [each.kind for each in registry.right_of(mei.actor, right.id).papers]
