from __future__ import annotations

from world.rights import lantern

from chopmark.rights.actions.file import NewRight, file_right
from chopmark.rights.queries import registry


def test_a_filed_right_has_a_number_and_each_of_its_events_a_receipt(world, mei):
    made = file_right(NewRight(record=lantern()), by=mei.actor, at=world.now())
    assert (made.number, made.state, made.level, made.version) == ("R-2026-000001", "submitted", 0, 2)
    world.publish()
    events = registry.events_of(mei.actor, made.number)
    assert [each.type for each in events] == ["filed", "submitted"]
    for each in events:
        receipt = registry.receipt_of(mei.actor, made.number, each.seq)
        assert receipt.index > 0
    assert registry.right_of(mei.actor, "018123456").right == made.right
