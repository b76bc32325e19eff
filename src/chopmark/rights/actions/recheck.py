"""Compare rights anew with what the operator learnt from offices: a mark that died at its office dies here.

Called by the worker once a day, and by the operator after an import. A right that was compared with the very record
before is left alone, so that it may be called again at any time.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from chopmark.base.errors import Refused
from chopmark.evidence import wiring
from chopmark.rights import history
from chopmark.rights.actions.common import Operator, current
from chopmark.rights.actions.office import office_record
from chopmark.rights.actions.verify import OLDEST, verify_against
from chopmark.rights.assignments import held
from chopmark.rights.models import OfficeNumber, RightNumber
from chopmark.rights.models import Right as RightRow

BATCH = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Rechecked:
    """How many rights were compared, how many stand differently now, and how many could not be decided on."""

    compared: int
    moved: int
    left: int


@wiring.answering()
def recheck(since: datetime, *, operator: Operator, at: datetime) -> Rechecked:
    """Compare every right that is checked or in use with records that were kept since this moment.

    Raises:
        Unavailable: what a deposit raises; what came before is done.
    """
    compared = moved = left = 0
    keys = OfficeNumber.objects.filter(record__kept_at__gte=since).values("key")
    found = RightNumber.objects.filter(key__in=keys, right__state__in=history.LIVE).values_list("right_id", flat=True)
    due = sorted(set(found))
    for start in range(0, len(due), BATCH):
        for row in RightRow.objects.filter(pk__in=due[start : start + BATCH]).order_by("pk"):
            if not _news(row, at):
                continue
            try:
                done = verify_against(row.pk, by=operator, at=at)
            except Refused:  # somebody was faster, or another account has it: a person looks
                left += 1
                continue
            compared += 1
            moved += done.state != row.state
    return Rechecked(compared=compared, moved=moved, left=left)


def _news(row: RightRow, at: datetime) -> bool:
    """Whether the office's newest record is another one than the right was compared with, and not too old."""
    right = current(row)
    official = office_record(held(right))
    if official is None or official.source.fetched_at is None or at - official.source.fetched_at > OLDEST:
        return False
    verification = right.verification
    if verification is None or verification.source is None:
        return True
    fetched = verification.source.fetched_at
    return official.source != verification.source and (fetched is None or fetched < official.source.fetched_at)
