"""Turn-around: a right that changed decides its open hits anew and is looked for in the stock.

Tasks are made when the set of marks is (`markset.follow_rights`). Each call does one short piece, so that the feed
between two calls waits for nothing; a worker that dies goes on from the last position. Only the marks of the changed
rights are looked for, however many others there are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from django.db import transaction
from django.db.models import F

from chopmark.evidence import wiring as evidence_wiring
from chopmark.watch import listing as listings
from chopmark.watch.actions import judging
from chopmark.watch.actions.common import THE_RULES, recount, step
from chopmark.watch.actions.keep import Judged, keep
from chopmark.watch.actions.markset import in_use, read_marks
from chopmark.watch.actions.measure import take_back
from chopmark.watch.judge import NOTHING, Judge
from chopmark.watch.marks import MarkSet
from chopmark.watch.models import Hit, ListingRow, Marketplace, Task

AT_ONCE: Final = 500
"""Rights that one pass over the stock looks for."""
ROWS: Final = 2_000
"""Listings that one call looks at."""
ACTIVE: Final = ("open", "second", "contested", "watched", "confirmed", "released")


@dataclass(frozen=True, slots=True, kw_only=True)
class Turned:
    """What one call did.

    Attributes:
        hits: decided anew. looked: listings of the stock. found: new hits.
    """

    hits: int = 0
    looked: int = 0
    found: int = 0
    more: bool = False


@evidence_wiring.answering()
def work_tasks(at: datetime) -> Turned:
    """One piece of what changed rights ask for: open hits first, since a licensed seller waits for that.

    Raises:
        Unavailable: `watch.marks_missing`; `ledger.database_unavailable`.
    """
    waiting = Task.objects.filter(done_at=None).order_by("pk")
    again = list(waiting.filter(kind="redecide")[:AT_ONCE])
    if again:
        return _redecide(again, at)
    first = waiting.filter(kind="reverse").first()
    if first is None:
        return Turned()
    return _reverse(list(waiting.filter(kind="reverse", position=first.position)[:AT_ONCE]), at)


def _redecide(tasks: Sequence[Task], at: datetime) -> Turned:
    """All hits of these rights that are not closed, with the marks as they are now."""
    marks = judging.some_of(read_marks(in_use().version), {each.right for each in tasks})
    alive = {each.right for each in marks.marks}
    done = 0
    for row in Marketplace.objects.order_by("pk"):
        judge = judging.judge_of(row.organisation, at=at, marks=marks)
        for task in tasks:
            pks = list(
                Hit.objects.filter(marketplace=row, right=task.right, state__in=ACTIVE).values_list("pk", flat=True)
            )
            for start in range(0, len(pks), ROWS):
                done += _again(row, task.right, pks[start : start + ROWS], judge, alive=task.right in alive, at=at)
    Task.objects.filter(pk__in=[each.pk for each in tasks]).update(done_at=at)
    return Turned(hits=done, more=True)


def _again(row: Marketplace, right: str, pks: Sequence[UUID], judge: Judge, *, alive: bool, at: datetime) -> int:
    with transaction.atomic():
        hits = list(
            Hit.objects.select_for_update(of=("self",))
            .select_related("marketplace")
            .filter(pk__in=pks, state__in=ACTIVE)
        )
        if not alive:
            for hit in hits:
                _end(hit, at)
            recount(hits)
            return len(hits)
        batch = [listings.decode(bytes(each.listing)) for each in hits]
        signals = judging.signals_of(row, batch, at=at)
        judged = [
            Judged(listing=each, verdicts=judge(each, signals.get(each.seller, NOTHING)), right=right) for each in batch
        ]
        keep(row, judged, marks=in_use().version, at=at, source="redecide")
        return len(hits)


def _end(hit: Hit, at: datetime) -> None:
    """The right backs no measure any more: suspended, expired, in dispute, gone."""
    if hit.state == "released":
        return
    step(hit, "release", by=THE_RULES, at=at, facts={"source": "redecide", "why": "right_ended"})
    hit.why = "right_ended"
    take_back(hit, by=THE_RULES, at=at)
    hit.save()


def _reverse(tasks: Sequence[Task], at: datetime) -> Turned:
    """The next listings of the stock, for all of these rights at once."""
    marks = judging.some_of(read_marks(in_use().version), {each.right for each in tasks})
    ids = [each.pk for each in tasks]
    rows = list(
        ListingRow.objects.filter(pk__gt=tasks[0].position).select_related("marketplace").order_by("pk")[:ROWS]
        if marks.marks
        else ()
    )
    found = 0
    markets = {each.marketplace_id: each.marketplace for each in rows}
    for pk in sorted(markets, key=str):
        found += _look(markets[pk], [each for each in rows if each.marketplace_id == pk], marks, at)
    over = len(rows) < ROWS
    Task.objects.filter(pk__in=ids).update(
        looked=F("looked") + len(rows),
        found=F("found") + found,
        position=rows[-1].pk if rows else F("position"),
        done_at=at if over else None,
    )
    return Turned(looked=len(rows), found=found, more=True)


def _look(row: Marketplace, rows: Sequence[ListingRow], marks: MarkSet, at: datetime) -> int:
    """Judge these listings against the changed marks alone; what touches none costs a search and no more."""
    judge = judging.judge_of(row.organisation, at=at, marks=marks)
    batch = [listings.decode(bytes(each.body)) for each in rows]
    signals = judging.signals_of(row, batch, at=at)
    with transaction.atomic():
        new = 0
        for listing in batch:
            for verdict in judge(listing, signals.get(listing.seller, NOTHING)):
                if verdict.decided.measure != "none":
                    judged = Judged(listing=listing, verdicts=(verdict,), right=verdict.right)
                    kept = keep(row, [judged], marks=in_use().version, at=at, source="reverse")
                    new += len(kept.new)
        return new
