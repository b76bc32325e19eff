"""See with whom a right that has just been verified collides, and note a dispute at both.

Two verified owners of one sign in one territory and class: neither may act there until a person has looked. Elsewhere
both may, each in their own countries.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from chopmark.rights.actions.common import Operator, change, current
from chopmark.rights.actions.dispute import MAX_DISPUTES, NewDispute, made, opened
from chopmark.rights.models import Right as RightRow
from chopmark.rights.queries.rivals import common_ground, rivals_of
from chopmark.rights.record import Right

PLATFORM = Operator(name="platform")


def look(row: RightRow, *, at: datetime) -> RightRow:
    """Open a dispute `same_territory` at this right and at each rival, once; the row as it is after that.

    Raises:
        Refused: `rights.moved`; what a deposit raises.
    """
    for rival in rivals_of(row):
        row = _note(row, rival, at=at)
        other = RightRow.objects.get(pk=UUID(rival.id))
        _note(other, current(row), at=at)
    return row


def _note(row: RightRow, rival: Right, *, at: datetime) -> RightRow:
    right = current(row)
    ground = common_ground(right.record, rival.record, at.date())
    if not ground or known(right, rival, ground) or len(right.disputes) >= MAX_DISPUTES:
        return row
    new = NewDispute(kind="same_territory", effect="limit", territories=ground, other=rival.number)
    return change(row, [opened(made(new, right, at))], by=PLATFORM, at=at)


def known(right: Right, rival: Right, ground: Sequence[str]) -> bool:
    """Whether this collision was noted before: one that a person has settled is not opened again."""
    return any(
        each.kind == "same_territory" and each.other == rival.number and set(ground) <= set(each.territories)
        for each in right.disputes
    )
