"""Once a day: rights whose dates come near, pass or have passed, and what is to be remembered about them.

Called by the worker. It may be called again at any time: what is done already is not done twice, and what a crash left
out is done the next time.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db import transaction

from chopmark.base.errors import Refused
from chopmark.evidence import wiring
from chopmark.rights import lifecycle
from chopmark.rights.actions.common import Operator, Step, change, current, day_at
from chopmark.rights.history import Nothing
from chopmark.rights.lifecycle import Move
from chopmark.rights.models import Reminder as ReminderRow
from chopmark.rights.models import Right as RightRow
from chopmark.rights.offices import latest_day

PLATFORM = Operator(name="platform")
EVENTS: dict[Move, str] = {"near_expiry": "expiring", "lapse": "grace", "expire": "expired"}
BATCH = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Reminded:
    """How many rights were looked at, changed their state, and got a new reminder; how many were busy."""

    seen: int
    moved: int
    reminded: int
    busy: int


@wiring.answering()
def remind(at: datetime) -> Reminded:
    """Move rights along with the calendar of their offices and write reminders.

    Raises:
        Refused, Unavailable: what a deposit raises; what came before is done.
    """
    seen = moved = reminded = busy = 0
    # Ids first: a right that has ended no longer fits the question, and pages would shift.
    due = list(RightRow.objects.filter(watch_from__lte=latest_day(at)).order_by("pk").values_list("pk", flat=True))
    for start in range(0, len(due), BATCH):
        for row in RightRow.objects.filter(pk__in=due[start : start + BATCH]):
            seen += 1
            try:
                fresh = _moved(row, at)
            except Refused as error:
                if error.code != "rights.moved":
                    raise
                busy += 1  # somebody has it in hand: tomorrow is early enough
                continue
            moved += fresh.version != row.version
            reminded += _reminded(fresh, at)
    return Reminded(seen=seen, moved=moved, reminded=reminded, busy=busy)


def _moved(row: RightRow, at: datetime) -> RightRow:
    """As far as its dates lead today."""
    while (move := lifecycle.due(current(row), day_at(row, at))) is not None:
        row = change(row, [Step(type=EVENTS[move], payload=Nothing(), at_law=row.expiry_date)], by=PLATFORM, at=at)
    return row


def _reminded(row: RightRow, at: datetime) -> int:
    """Write what is due, and tick off what no longer is; how many are new."""
    due = {(each.what, each.subject, each.due) for each in lifecycle.reminders(current(row), day_at(row, at))}
    with transaction.atomic():
        known = {(each.kind, each.subject, each.due): each for each in row.reminders.filter(done_at=None)}
        over = [each.pk for key, each in known.items() if key not in due]
        ReminderRow.objects.filter(pk__in=over).update(done_at=at)
        new = [ReminderRow(right=row, kind=kind, subject=subject, due=day, made_at=at) for kind, subject, day in due]
        new = [each for each in new if (each.kind, each.subject, each.due) not in known]
        ReminderRow.objects.bulk_create(new, ignore_conflicts=True)
    return len(new)
