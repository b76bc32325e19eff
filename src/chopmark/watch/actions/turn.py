"""Turn-around: a right that changed decides its open hits anew and is looked for in the stock.

Tasks are made when the set of marks is (`markset.follow_rights`) and when a scan ends (`markset.catch_up`). Each call
does one piece in short transactions, so that the feed waits for none of them: all hits of up to `AT_ONCE` rights, or
the next listings of a stock. A worker that dies goes on from the last position. Only the marks of the changed rights
are looked for, however many others there are.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from django.db import transaction
from django.db.models import F, QuerySet

from chopmark.evidence import wiring as evidence_wiring
from chopmark.watch import listing as listings
from chopmark.watch import marks as sets
from chopmark.watch.actions import judging, stock
from chopmark.watch.actions.common import THE_RULES, recount, step
from chopmark.watch.actions.keep import Judged, keep, rule_counts, unsaid
from chopmark.watch.actions.markset import in_use, read_marks
from chopmark.watch.actions.measure import take_back
from chopmark.watch.actions.rules import count_rules
from chopmark.watch.found import PictureHit
from chopmark.watch.judge import NOTHING, Judge, Verdict
from chopmark.watch.listing import Listing
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
    for kind, work in (("reverse", _reverse), ("stock", _stock)):
        first = waiting.filter(kind=kind).first()
        if first is not None:
            return work(list(waiting.filter(kind=kind, position=first.position)[:AT_ONCE]), at)
    return Turned()


class _AsFound:
    """What was found in pictures stays found: a changed right changes no picture, and none is fetched for it."""

    def find(self, fingerprints: Sequence[Any]) -> tuple[PictureHit, ...]:
        """They are what was found."""
        return tuple(fingerprints)


def pictures_of(hit: Hit) -> tuple[PictureHit, ...]:
    """What a hit says was found in the pictures of its listing."""
    told: list[dict[str, Any]] = [
        {name: tuple(said) if isinstance(said, list) else said for name, said in each.items()}
        for each in hit.found["pictures"]
    ]
    return tuple(PictureHit(**each) for each in told)


def _redecide(tasks: Sequence[Task], at: datetime) -> Turned:
    """All hits of these rights that are not closed, with the marks as they are now."""
    marks = judging.some_of(read_marks(in_use().version), {each.right for each in tasks})
    alive = {each.right for each in marks.marks}
    done = 0
    for row in Marketplace.objects.order_by("pk"):
        judge = judging.judge_of(row.organisation, at=at, marks=marks, pictures=_AsFound())
        for task in tasks:
            pks = list(
                Hit.objects.filter(marketplace=row, right=task.right, state__in=ACTIVE).values_list("pk", flat=True)
            )
            for start in range(0, len(pks), ROWS):
                done += _again(row, task.right, pks[start : start + ROWS], judge, alive=task.right in alive, at=at)
    done += _redecide_works({each.right for each in tasks}, at)
    _as_they_were(tasks).update(done_at=at)
    return Turned(hits=done, more=True)


def _redecide_works(rights: Collection[str], at: datetime) -> int:
    """Hits of works whose holder has one of these rights: a licence under it may cover the holder's pictures too."""
    every = read_marks(in_use().version)
    holders = {each.organisation for each in every.marks if each.right in rights}
    holders |= {str(each) for each in Hit.objects.filter(right__in=rights).values_list("organisation", flat=True)}
    shown = Hit.objects.filter(organisation__in=holders, right__startswith="W-", state__in=ACTIVE)
    theirs = sets.mark_set(each for each in every.marks if each.organisation in holders) if shown.exists() else None
    done = 0
    for row in Marketplace.objects.order_by("pk") if theirs is not None else ():
        judge = judging.judge_of(row.organisation, at=at, marks=theirs, pictures=_AsFound())
        by_work: dict[str, list[UUID]] = defaultdict(list)
        for right, pk in shown.filter(marketplace=row).values_list("right", "pk"):
            by_work[right].append(pk)
        for right, pks in sorted(by_work.items()):
            for start in range(0, len(pks), ROWS):
                done += _again(row, right, pks[start : start + ROWS], judge, alive=True, at=at)
    return done


def _again(row: Marketplace, right: str, pks: Sequence[UUID], judge: Judge, *, alive: bool, at: datetime) -> int:
    with transaction.atomic():
        hits = list(
            Hit.objects.select_for_update(of=("self",))
            .select_related("marketplace")
            .filter(pk__in=pks, state__in=ACTIVE)
            .order_by("pk")
        )
        if not alive:
            for hit in hits:
                _end(hit, at)
            recount(hits)
            return len(hits)
        batch = [listings.decode(bytes(each.listing)) for each in hits]
        signals = judging.signals_of(row, batch, at=at)
        judged = [
            Judged(listing=each, verdicts=judge(each, signals.get(each.seller, NOTHING), pictures_of(hit)), right=right)
            for hit, each in zip(hits, batch, strict=True)
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
    rows = list(
        ListingRow.objects.filter(pk__gt=tasks[0].position).select_related("marketplace").order_by("pk")[:ROWS]
        if marks.marks
        else ()
    )
    found = 0
    markets = {each.marketplace_id: each.marketplace for each in rows}
    for pk in sorted(markets, key=str):
        batch = [listings.decode(bytes(each.body)) for each in rows if each.marketplace_id == pk]
        found += _look(markets[pk], batch, marks, at)
    over = len(rows) < ROWS
    _as_they_were(tasks).update(
        looked=F("looked") + len(rows),
        found=F("found") + found,
        position=rows[-1].pk if rows else F("position"),
        done_at=at if over else None,
    )
    return Turned(looked=len(rows), found=found, more=True)


def _as_they_were(tasks: Sequence[Task]) -> QuerySet[Task]:
    """Those of them that nobody has let begin anew meanwhile: these are done again, from the beginning."""
    ids, newest = [each.pk for each in tasks], max(each.made_at for each in tasks)
    return Task.objects.filter(pk__in=ids, made_at__lte=newest, position=tasks[0].position)


def _stock(tasks: Sequence[Task], at: datetime) -> Turned:
    """The next partition of what was scanned; fewer rights at once where they have very many names."""
    every = read_marks(in_use().version)
    while not stock.is_few(marks := judging.some_of(every, {each.right for each in tasks})) and len(tasks) > 1:
        tasks = tasks[: len(tasks) // 2]
    here = stock.holding(tasks[0].position, marks) if marks.marks and stock.is_few(marks) else None
    found = _look(here.marketplace, here.listings, marks, at) if here is not None and here.listings else 0
    _as_they_were(tasks).update(
        looked=F("looked") + (here.rows if here is not None else 0),
        found=F("found") + found,
        position=F("position") + 1,
        done_at=None if here is not None and here.more else at,
    )
    return Turned(looked=here.rows if here is not None else 0, found=found, more=True)


def _look(row: Marketplace, batch: Sequence[Listing], marks: MarkSet, at: datetime) -> int:
    """Judge these listings against the changed marks alone; what touches none costs a search and no more."""
    judge = judging.judge_of(row.organisation, at=at, marks=marks, pictures=_AsFound())
    signals = judging.signals_of(row, batch, at=at)
    rights = [each.right for each in marks.marks]
    with transaction.atomic():
        here = Hit.objects.filter(marketplace=row, item__in=[each.item for each in batch], right__in=rights)
        seen: dict[str, list[PictureHit]] = defaultdict(list)
        for hit in here:
            seen[hit.item] += pictures_of(hit)
        new = 0
        asked: list[Verdict] = []
        for listing in batch:
            verdicts = judge(listing, signals.get(listing.seller, NOTHING), seen.get(listing.item, ()))
            asked += unsaid(row, listing.item, verdicts) if verdicts else ()
            for verdict in verdicts:
                if verdict.decided.measure != "none":
                    judged = Judged(listing=listing, verdicts=(verdict,), right=verdict.right)
                    kept = keep(row, [judged], marks=in_use().version, at=at, source="reverse")
                    new += len(kept.new)
        count_rules(row.organisation, rule_counts(asked), at=at)
        return new
