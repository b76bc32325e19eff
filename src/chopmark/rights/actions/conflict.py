"""See with whom a right that has just been verified collides, and note a dispute at both; keep those it had before.

Two verified owners of one sign in one territory and class: neither may act there until a person has looked. Elsewhere
both may, each in their own countries.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from chopmark.rights import history
from chopmark.rights.actions.common import Operator, Step, change, current, day_at
from chopmark.rights.actions.dispute import MAX_DISPUTES, NewDispute, made, opened, opener
from chopmark.rights.history import Filed
from chopmark.rights.keys import numbers_in, twins
from chopmark.rights.models import Right as RightRow
from chopmark.rights.queries.registry import events
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
    ground = common_ground(right.record, rival.record, day_at(row, at))
    if not ground or known(right, rival, ground) or len(right.disputes) >= MAX_DISPUTES:
        return row
    new = NewDispute(kind="same_territory", effect="limit", territories=ground, other=rival.number)
    return change(row, [opened(made(new, right, at))], by=PLATFORM, at=at)


def inherit(row: RightRow, *, at: datetime) -> RightRow:
    """Note what is open about the same registration at a right that its holder gave up, or that this one follows.

    Nobody leaves a dispute behind by filing anew; what the holder reported himself is his to report again.

    Raises:
        Refused: `rights.moved`; what a deposit raises.
    """
    right = current(row)
    steps: list[Step] = []
    for other in _forebears(row, right):
        for each in current(other).disputes:
            new = replace(each, id="")
            if each.closed_on is not None or each.effect == "none" or opener(other, each.id) == row.organisation:
                continue
            if new in [replace(one, id="", closed_on=None, outcome="") for one in right.disputes]:
                continue
            if len(right.disputes) < MAX_DISPUTES:
                mine = replace(each, id=f"D{len(right.disputes) + 1}")
                right = replace(right, disputes=(*right.disputes, mine))
                steps.append(opened(mine))
    return change(row, steps, by=PLATFORM, at=at) if steps else row


def _forebears(row: RightRow, right: Right) -> list[RightRow]:
    wanted = twins(right.record)
    given_up = RightRow.objects.filter(numbers__key__in=numbers_in(wanted), kind=row.kind, state__in=history.CLOSED)
    found = list(given_up.filter(organisation=row.organisation).exclude(pk=row.pk).distinct().order_by("made_at")[:50])
    filed = next((each.payload for each in events(row.pk)), None)
    if isinstance(filed, Filed) and filed.predecessor:
        found += RightRow.objects.filter(pk=UUID(filed.predecessor)).exclude(pk__in=[each.pk for each in found])
    return [each for each in found if twins(current(each).record) & wanted]


def known(right: Right, rival: Right, ground: Sequence[str]) -> bool:
    """Whether this collision was noted before: one that a person has settled is not opened again."""
    return any(
        each.kind == "same_territory" and each.other == rival.number and set(ground) <= set(each.territories)
        for each in right.disputes
    )
