"""Second look: what the feed had no time for, and what nobody knew to be protected when a listing came.

    look_again(looks, clock=...)     one short piece; by a thread of the watcher

A full feed describes pictures by codes alone. Listings of which some picture was (`ListingRow.glanced`) are looked at
closely here, oldest first. When something new is protected, all listings that are here are looked at again, which
costs little where the cache of `watch.shelf` knows their pictures. A look only adds: a picture that cannot be had now
takes no hit away. Who dies here loses no more than the work of one piece.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from django.db import OperationalError, transaction
from django.db.models import F

from chopmark.base.errors import PlatformError
from chopmark.evidence import wiring as evidence_wiring
from chopmark.watch import listing as listings
from chopmark.watch.actions import judging
from chopmark.watch.actions.feed import Pictures
from chopmark.watch.actions.keep import Judged, keep, rule_counts, unsaid
from chopmark.watch.actions.markset import in_use
from chopmark.watch.actions.pictureset import task_of, version_in_use
from chopmark.watch.actions.rules import count_rules
from chopmark.watch.judge import NOTHING, ORDER, Verdict
from chopmark.watch.models import ListingRow, Task

AT_ONCE: Final = 16
"""Listings of one piece."""
PATIENCE: Final = 5.0
"""Seconds of close looks in one piece; what is left is first in the next."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SecondLook:
    """What one call did.

    Attributes:
        looked: listings. found: new hits. spoiled: listings that nobody can look at; their codes were judged.
    """

    looked: int = 0
    found: int = 0
    spoiled: int = 0
    more: bool = False


@evidence_wiring.answering()
def look_again(looks: Pictures, *, clock: Callable[[], datetime]) -> SecondLook:
    """The next listings that wait for a close look; when there are none, the next of those that were here before.

    Raises:
        Unavailable: `watch.marks_missing`; `ledger.database_unavailable`.
    """
    waiting = ListingRow.objects.filter(glanced=True).select_related("marketplace").order_by("came_at", "pk")
    rows = list(waiting[:AT_ONCE])
    if rows:
        done = _looked(rows, looks, clock)
        still = ListingRow.objects.filter(pk__in=[each.pk for each in rows], glanced=True).count()
        return replace(done, more=still < len(rows))
    task = Task.objects.filter(kind="pictures", done_at=None).order_by("pk").first()
    if task is None or task.right != task_of(version_in_use()):
        return SecondLook()
    return _stock(task, looks, clock)


def _stock(task: Task, looks: Pictures, clock: Callable[[], datetime]) -> SecondLook:
    rows = list(ListingRow.objects.filter(pk__gt=task.position).select_related("marketplace").order_by("pk")[:AT_ONCE])
    done = _looked(rows, looks, clock) if rows else SecondLook()
    Task.objects.filter(pk=task.pk).update(
        position=rows[-1].pk if rows else F("position"),
        looked=F("looked") + len(rows),
        found=F("found") + done.found,
        done_at=None if rows else clock(),
    )
    return replace(done, more=True)


def _looked(rows: Sequence[ListingRow], looks: Pictures, clock: Callable[[], datetime]) -> SecondLook:
    """All at once; where one spoils it, one by one."""
    try:
        return _judged(rows, looks, clock)
    except (OperationalError, PlatformError):
        raise
    except Exception as error:  # noqa: BLE001 (a worker's outermost loop: whatever one listing raises, the others go on)
        if len(rows) > 1:
            parts = [_looked([each], looks, clock) for each in rows]
            return SecondLook(
                looked=sum(each.looked for each in parts),
                found=sum(each.found for each in parts),
                spoiled=sum(each.spoiled for each in parts),
            )
        trouble = type(error).__name__  # and no more: what it says may hold a stranger's words
    logging.getLogger(__name__).warning("nobody can look at the pictures of listing %s: %s", rows[0].pk, trouble)
    ListingRow.objects.filter(pk=rows[0].pk, version=rows[0].version).update(glanced=False)
    return SecondLook(looked=1, spoiled=1)


def _judged(rows: Sequence[ListingRow], looks: Pictures, clock: Callable[[], datetime]) -> SecondLook:
    at = clock()
    looked = looks([listings.decode(bytes(each.body)) for each in rows], at)
    found = 0
    with transaction.atomic():
        same = {
            each.pk
            for each in ListingRow.objects.select_for_update(of=("self",)).filter(pk__in=[each.pk for each in rows])
            if any(each.pk == row.pk and each.version == row.version for row in rows)
        }  # a newer version came through the feed since, and was looked at there
        asked: dict[UUID, list[Verdict]] = defaultdict(list)
        for place, row in enumerate(rows):
            if row.pk in same and looked.seen[place]:
                found += _keep(row, looked.seen[place], asked, at)
        for organisation, verdicts in sorted(asked.items()):  # at the end, as the feed does: who waits for whom
            count_rules(organisation, rule_counts(verdicts), at=at)
        glanced = {rows[place].pk for place in looked.glanced} & same
        ListingRow.objects.filter(pk__in=same - glanced, glanced=True).update(glanced=False)
        ListingRow.objects.filter(pk__in=glanced, glanced=False).update(glanced=True)
    return SecondLook(looked=len(rows), found=found)


def _keep(row: ListingRow, prints: Sequence[Any], asked: Mapping[UUID, list[Verdict]], at: datetime) -> int:
    """What these pictures come to; how many new hits. `asked` gets what rules were asked about for the first time."""
    listing = listings.decode(bytes(row.body))
    judge = judging.judge_of(row.marketplace.organisation, at=at)
    signals = judging.signals_of(row.marketplace, [listing], at=at)
    new: list[UUID] = []
    worst = row.outcome
    seen = [each for each in judge(listing, signals.get(listing.seller, NOTHING), prints) if each.pictures]
    asked[row.marketplace.organisation].extend(unsaid(row.marketplace, listing.item, seen))
    for verdict in seen:
        if verdict.decided.measure != "none":
            judged = Judged(listing=listing, verdicts=(verdict,), right=verdict.right)
            new += keep(row.marketplace, [judged], marks=in_use().version, at=at, source="look").new
            worst = max(worst, verdict.decided.measure, key=ORDER.index)
    if worst != row.outcome:
        ListingRow.objects.filter(pk=row.pk).update(outcome=worst)
    return len(new)
