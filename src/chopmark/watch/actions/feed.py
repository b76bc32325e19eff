"""Feed: judge what waits in the inbox; the claim and everything that comes of it are one transaction.

    claim (PostgreSQL: FOR UPDATE SKIP LOCKED, so that workers share; SQLite: BEGIN IMMEDIATE, one at a time)
    judge (pure)
    listing, hits, measures to send, figures; the inbox row is deleted
    commit

Killed anywhere, the transaction is as if it had never begun, so nothing is lost and nothing is there twice. What
cannot be judged is tried in smaller groups, later each time, and after five tries lies dead for a person to see. So
does what kills its worker: ids in hand stand in a file (`wiring.hand`), and who finds one at its start counts a try
for each.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final, Protocol
from uuid import UUID

from django.db import OperationalError, connection, transaction
from django.db.models import QuerySet

from chopmark.base.errors import PlatformError, Unavailable
from chopmark.evidence import wiring as evidence_wiring
from chopmark.watch import listing as listings
from chopmark.watch import wiring
from chopmark.watch.actions import judging
from chopmark.watch.actions.common import count
from chopmark.watch.actions.keep import Judged, keep, outcome_of, rule_counts
from chopmark.watch.actions.rules import count_rules
from chopmark.watch.judge import NOTHING, Judge
from chopmark.watch.listing import Listing
from chopmark.watch.models import Inbox, ListingRow, Marketplace, Seller

MAX_TRIES: Final = 5
FIRST, LONGEST = 5.0, 600.0  # seconds between two tries
AT_ONCE: Final = 200

JudgeOf = Callable[[UUID], Judge]


class Pictures(Protocol):
    """Fetches and describes pictures of listings before the transaction; fingerprints for `judge.PictureFinder`."""

    def __call__(self, listings: Sequence[Listing], at: datetime, /) -> Sequence[Sequence[Any]]:
        """Of each listing; what cannot be fetched or read is left out."""


def no_pictures(batch: Sequence[Listing], _at: datetime) -> Sequence[Sequence[Any]]:
    """None are looked at."""
    return [()] * len(batch)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fed:
    """What one call of `work_feed` did.

    Attributes:
        judged: listings. put_off: listings that could not be judged, this time or ever.
        more: whether more is due.
    """

    judged: int = 0
    new_hits: int = 0
    put_off: int = 0
    more: bool = False


def work_feed(
    limit: int = AT_ONCE,
    *,
    clock: Callable[[], datetime],
    judge_of: JudgeOf | None = None,
    pictures: Pictures = no_pictures,
) -> Fed:
    """Judge up to `limit` of what is due, oldest first.

    Raises:
        Unavailable: `watch.marks_missing` before the first set of marks; `ledger.database_unavailable`.
    """
    with evidence_wiring.answering():
        at = clock()
        peeked = list(_due(at).select_related("marketplace").order_by("next_try", "pk")[:limit])
        if not peeked:
            return Fed()
        judges = judge_of or (lambda organisation: judging.judge_of(organisation, at=at))
        batch = _together(peeked, limit)
        held = wiring.hand()
        _note(held, [each.pk for each in batch])
        done = _judge(batch, judges, pictures, clock)
        _note(held, [])
        return done


def give_back(at: datetime) -> int:
    """At a worker's start: count a try for what its forerunner had in hand when it died; how many."""
    held = wiring.hand()
    try:
        ids = [int(each) for each in json.loads(held.read_text("ascii"))]
    except (FileNotFoundError, ValueError, TypeError):
        return 0
    with evidence_wiring.answering(), transaction.atomic():
        rows = list(Inbox.objects.select_for_update().filter(pk__in=ids, dead_at=None))
        for row in rows:
            _again(row, "watch.worker_lost", {}, at, wait=row.tries > 0)
    _note(held, [])
    return len(rows)


def revive(row_ids: Sequence[int], *, at: datetime) -> int:
    """Try dead listings again from the beginning; how many. For who runs the platform."""
    rows = Inbox.objects.filter(pk__in=row_ids, dead_at__isnull=False)
    return rows.update(dead_at=None, tries=0, next_try=at, trouble="", facts={})


def _together(due: Sequence[Inbox], limit: int) -> list[Inbox]:
    """What is tried in one go: what failed before goes first, in ever smaller groups, so that the bad one is found.

    A tenth of a batch after the first failure, a hundredth after the second, then one by one: a killed worker costs a
    few transactions, and a listing that kills is dead after five.
    """
    failed = [each for each in due if each.tries]
    if not failed:
        return list(due)
    tries = failed[0].tries
    return [each for each in failed if each.tries == tries][: max(1, limit // 10**tries)]


def _due(at: datetime) -> QuerySet[Inbox]:
    return Inbox.objects.filter(dead_at=None, next_try__lte=at)


def _judge(batch: Sequence[Inbox], judges: JudgeOf, pictures: Pictures, clock: Callable[[], datetime]) -> Fed:
    """All at once; where one spoils it, one by one."""
    try:
        return _judged(batch, judges, pictures, clock)
    except OperationalError:
        raise
    except Unavailable as error:
        if error.code in ("watch.marks_missing", "ledger.database_unavailable"):
            raise
        trouble: Exception = error
    except Exception as error:  # noqa: BLE001 (a worker's outermost loop: whatever one listing raises, the others go on)
        trouble = error
    if len(batch) > 1:
        done = [_judge([each], judges, pictures, clock) for each in batch]
        return Fed(
            judged=sum(each.judged for each in done),
            new_hits=sum(each.new_hits for each in done),
            put_off=sum(each.put_off for each in done),
            more=True,
        )
    known = isinstance(trouble, PlatformError)
    code = trouble.code if isinstance(trouble, PlatformError) else "watch.listing_unjudged"
    facts = dict(trouble.facts) if isinstance(trouble, PlatformError) else {"kind": type(trouble).__name__}
    with transaction.atomic():
        row = Inbox.objects.select_for_update().filter(pk=batch[0].pk, dead_at=None).first()
        if row is not None:
            _again(row, code if known else "watch.listing_unjudged", facts, clock())
    return Fed(put_off=1, more=True)


def _judged(batch: Sequence[Inbox], judges: JudgeOf, pictures: Pictures, clock: Callable[[], datetime]) -> Fed:
    seen = _looked(batch, pictures, clock())
    with transaction.atomic():
        at = clock()
        rows = _claimed([each.pk for each in batch])
        new = 0
        markets = {row.marketplace_id: row.marketplace for row in batch}
        for pk in sorted(markets, key=str):  # always in one order, so that workers do not wait in a circle
            mine = [row for row in rows if row.marketplace_id == pk]
            if mine:
                new += _outcome(markets[pk], mine, seen, judges(markets[pk].organisation), at)
        Inbox.objects.filter(pk__in=[row.pk for row in rows]).delete()
    return Fed(judged=len(rows), new_hits=new, more=bool(rows))


def _looked(batch: Sequence[Inbox], pictures: Pictures, at: datetime) -> dict[int, tuple[Listing, Sequence[Any]]]:
    """Listings and what their pictures look like: outside the transaction, since pictures may come from far."""
    read = [listings.decode(bytes(each.body)) for each in batch]
    prints = pictures(read, at)
    return {row.pk: (listing, seen) for row, listing, seen in zip(batch, read, prints, strict=True)}


def _claimed(ids: Sequence[int]) -> list[Inbox]:
    """Those of these rows that are still there and that no other worker has, ours until the transaction ends."""
    rows = Inbox.objects.filter(pk__in=ids, dead_at=None).order_by("pk")
    return list(rows.select_for_update(skip_locked=True) if connection.vendor == "postgresql" else rows)


def _outcome(
    row: Marketplace, rows: Sequence[Inbox], seen: dict[int, tuple[Listing, Sequence[Any]]], judge: Judge, at: datetime
) -> int:
    """Judge and write one marketplace's part of a batch; how many new hits."""
    here = {
        each.item: each
        for each in ListingRow.objects.select_for_update().filter(
            marketplace=row, item__in={each.item for each in rows}
        )
    }
    newest: dict[str, Inbox] = {}
    for each in rows:  # of two versions in one batch the later counts; an older than what is here says nothing
        known = here.get(each.item)
        if (known is None or each.version > known.version) and (
            each.item not in newest or newest[each.item].version < each.version
        ):
            newest[each.item] = each
    batch = [seen[each.pk] for each in newest.values()]
    signals = judging.signals_of(row, [listing for listing, _ in batch], at=at)
    judged = [
        Judged(listing=listing, verdicts=judge(listing, signals.get(listing.seller, NOTHING), prints))
        for listing, prints in batch
    ]
    _keep_sellers(row, [listing for listing, _ in batch], at)
    _keep_listings(row, judged, newest, judge.version, at)
    kept = keep(row, judged, marks=judge.version, at=at, source="feed")
    count_rules(row.organisation, rule_counts(verdict for each in judged for verdict in each.verdicts), at=at)
    count(row.pk, at.date(), {"scanned": len(judged)})
    return len(kept.new)


def _keep_sellers(row: Marketplace, batch: Sequence[Listing], at: datetime) -> None:
    numbers = sorted({each.seller for each in batch})
    Seller.objects.bulk_create(
        [Seller(marketplace=row, number=each, seen_at=at) for each in numbers], ignore_conflicts=True
    )


def _keep_listings(
    row: Marketplace, judged: Sequence[Judged], inbox: dict[str, Inbox], version: str, at: datetime
) -> None:
    """The newest version of each."""
    ListingRow.objects.bulk_create(
        [
            ListingRow(
                marketplace=row,
                item=each.listing.item,
                version=each.listing.version,
                seller=each.listing.seller,
                title=each.listing.title,
                body=bytes(inbox[each.listing.item].body),
                sha256=bytes(inbox[each.listing.item].sha256),
                came_at=inbox[each.listing.item].came_at,
                decided_at=at,
                marks=version,
                outcome=outcome_of(each.verdicts),
            )
            for each in judged
        ],
        update_conflicts=True,
        unique_fields=["marketplace", "item"],
        update_fields=["version", "seller", "title", "body", "sha256", "came_at", "decided_at", "marks", "outcome"],
    )


def _again(row: Inbox, code: str, facts: dict[str, Any], at: datetime, *, wait: bool = True) -> None:
    """One try more; after the last one it lies dead."""
    row.tries += 1
    row.trouble, row.facts = code[:64], facts
    row.next_try = at + timedelta(seconds=min(LONGEST, FIRST * 2 ** (row.tries - 1)) if wait else 0)
    row.dead_at = at if row.tries >= MAX_TRIES else None
    row.save(update_fields=["tries", "trouble", "facts", "next_try", "dead_at"])


def _note(path: Path, ids: Sequence[int]) -> None:
    """Which ids are in hand; a file survives the process that wrote it, and that is all it is for."""
    draft = path.with_suffix(".new")
    draft.write_text(json.dumps(list(ids)), "ascii")
    draft.replace(path)
