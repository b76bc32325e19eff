from __future__ import annotations

import pytest
from world.rights import by_office, lantern

from chopmark.base.errors import Refused
from chopmark.rights.actions.common import Operator
from chopmark.rights.actions.file import NewRight, file_right
from chopmark.rights.actions.verify import verify_against, vouch

OPERATOR = Operator()


def test_a_perfect_copy_of_the_register_proves_nothing_about_who_filed_it(world, mei, jo):
    vouch(mei.actor.organisation_id, "Mei Lan's studio", operator=OPERATOR, at=world.now())
    stolen = file_right(NewRight(record=lantern()), by=jo.actor, at=world.now())
    checked = verify_against(stolen.id, by_office(), by=OPERATOR, at=world.now())
    assert (checked.state, checked.level) == ("checking", 2)
    hers = file_right(NewRight(record=lantern()), by=mei.actor, at=world.now())
    assert verify_against(hers.id, by=mei.actor, at=world.now()).state == "verified"
    vouch(jo.actor.organisation_id, "Mei Lan's studio", operator=OPERATOR, at=world.now())
    with pytest.raises(Refused, match=r"rights.verified_elsewhere"):
        verify_against(stolen.id, by=jo.actor, at=world.now())


def test_nobody_but_the_operator_brings_what_a_claim_is_compared_with(world, mei):
    made = file_right(NewRight(record=lantern()), by=mei.actor, at=world.now())
    with pytest.raises(Refused, match=r"rights.operator_only"):
        verify_against(made.id, by_office(), by=mei.actor, at=world.now())
