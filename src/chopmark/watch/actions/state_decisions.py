"""State decisions: what was decided and is not on the ledger yet goes there on sheets, each a private deposit.

    state_decisions(clock=...)      by a thread of the watcher; how many sheets were stated

A sheet is made with its members in one transaction, under a lock that all workers share; then it is deposited; then its
row says so. Killed before the first step nothing happened; killed after it, the next round deposits the same bytes,
which is the deposit that they have. So each record stands in one sheet, and each sheet in one deposit.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from django.db import transaction

from chopmark.base.errors import Refused
from chopmark.evidence import wiring as evidence_wiring
from chopmark.ledger import tree
from chopmark.watch.actions.common import THE_RULES, position, state_on_ledger, take_numbers
from chopmark.watch.decisions import Sheet
from chopmark.watch.models import DecisionRecord, DecisionSheet, Serial

EVERY: Final = timedelta(minutes=10)
"""Between two sheets of an organisation: who decides all day fills no ledger."""
MOST: Final = 10_000
"""Records of a sheet."""
_LOCK: Final = "decision sheets"


@evidence_wiring.answering()
def state_decisions(*, clock: Callable[[], datetime]) -> int:
    """Make the sheets that are due, and state those that are not; how many were stated.

    An organisation whose sheet cannot be deposited holds up no other.

    Raises:
        Refused: what evidence's `deposit` raises, once all other sheets were tried.
        Unavailable: the same, and `ledger.database_unavailable`.
    """
    waiting = DecisionRecord.objects.filter(sheet=None).values_list("organisation", flat=True)
    for organisation in sorted(set(waiting.distinct())):
        if not _is_early(organisation, clock()):  # asked again under the lock, which others' writes wait for
            make_sheet(organisation, clock())
    return _state_sheets(clock)


def make_sheet(organisation: UUID, at: datetime) -> str:
    """Put the oldest records that stand in no sheet into one; its number, empty where it is too early or none waits."""
    position(_LOCK)
    with transaction.atomic():
        Serial.objects.select_for_update().get(name=_LOCK)  # two workers would put a record into two sheets
        if _is_early(organisation, at):
            return ""
        rows = list(DecisionRecord.objects.filter(organisation=organisation, sheet=None).order_by("pk")[:MOST])
        if not rows:
            return ""
        [number] = take_numbers("DS", 1, at)
        leaves = tree.leaf_hashes(bytes(each.body) for each in rows)
        times = [each.at for each in rows]
        made = DecisionSheet.objects.create(
            number=number,
            organisation=organisation,
            count=len(rows),
            leaves=b"".join(leaves),
            content=Sheet.of(number, leaves, first=min(times), last=max(times)).content(),
            made_at=at,
        )
        DecisionRecord.objects.filter(pk__in=[each.pk for each in rows]).update(sheet=made)
    return number


def _is_early(organisation: UUID, at: datetime) -> bool:
    """Whether the organisation's newest sheet is too young for another; a clock that went back holds up none."""
    made = (
        DecisionSheet.objects.filter(organisation=organisation).order_by("-made_at").values_list("made_at", flat=True)
    )
    newest = made.first()
    return newest is not None and timedelta() <= at - newest < EVERY


def _state_sheets(clock: Callable[[], datetime]) -> int:
    stated, refused = 0, None
    for sheet in DecisionSheet.objects.filter(deposit=None).defer("leaves").order_by("pk"):
        paper = (sheet.number, f"{sheet.number}.json", bytes(sheet.content))
        try:
            [deposit] = state_on_ledger([paper], sheet.organisation, by=THE_RULES, at=clock())
        except Refused as error:
            refused = error
            continue
        at = clock()
        stated += DecisionSheet.objects.filter(pk=sheet.pk, deposit=None).update(deposit=deposit, stated_at=at)
    if refused is not None:
        raise refused
    return stated
