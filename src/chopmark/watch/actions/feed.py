"""Feed: judge what waits in the inbox; the claim and everything that comes of it are one transaction.

    claim a batch of one marketplace (PostgreSQL: FOR UPDATE SKIP LOCKED, so that workers share)
    judge it (pure): texts in columns, and only what touches a right becomes a row for the rules
    listings, hits, measures to send, figures, each in a statement or few; the inbox rows are deleted
    commit

Killed anywhere, the transaction is as if it had never begun, so nothing is lost and nothing is there twice. What
cannot be judged is tried in smaller groups, later each time, and after five tries lies dead for a person to see. So
does what kills its worker: ids in hand stand in a file (`wiring.hand`), and who finds one at its start counts a try
for each.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final, NamedTuple, Protocol
from uuid import UUID

from django.db import OperationalError, transaction
from django.db.models import Exists, OuterRef

from chopmark.base.errors import PlatformError, Unavailable
from chopmark.evidence import wiring as evidence_wiring
from chopmark.people.actor import Actor
from chopmark.watch import listing as listings
from chopmark.watch import wiring
from chopmark.watch.actions import judging
from chopmark.watch.actions.bulk import insert, insert_returning, is_shared
from chopmark.watch.actions.common import count
from chopmark.watch.actions.keep import Judged, keep, outcome_of, rule_counts
from chopmark.watch.actions.rules import count_rules
from chopmark.watch.found import Looked
from chopmark.watch.judge import NOTHING, Judge
from chopmark.watch.listing import Listing
from chopmark.watch.models import Inbox, ListingRow, Marketplace, Seller
from chopmark.watch.queries import access

MAX_TRIES: Final = 5
FIRST, LONGEST = 5.0, 600.0  # seconds between two tries
AT_ONCE: Final = 1_000
"""Listings of a batch: long enough that columns pay, short enough that the first does not wait for the last."""

JudgeOf = Callable[[UUID], Judge]


class Pictures(Protocol):
    """Fetches and describes pictures of listings before the transaction."""

    def __call__(self, listings: Sequence[Listing], at: datetime, /) -> Looked:
        """Of each listing; what cannot be fetched or read is left out."""


def no_pictures(batch: Sequence[Listing], _at: datetime) -> Looked:
    """None are looked at."""
    return Looked(seen=[()] * len(batch))


class _Waiting(NamedTuple):
    """A row of the inbox."""

    pk: int
    item: str
    version: int
    body: bytes
    sha256: bytes
    came_at: datetime
    tries: int


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
    slot: int = 0,
) -> Fed:
    """Judge up to `limit` of what is due of each marketplace, oldest first; no marketplace waits for another's flood.

    Args:
        slot: of the worker, where several share the work; see `wiring.hand`.

    Raises:
        Unavailable: `watch.marks_missing` before the first set of marks; `ledger.database_unavailable`.
    """
    with evidence_wiring.answering():
        at = clock()
        due = Inbox.objects.filter(marketplace=OuterRef("pk"), dead_at=None, next_try__lte=at)
        judges = judge_of or (lambda organisation: judging.judge_of(organisation, at=at))
        work = _Work(judges=judges, pictures=pictures, clock=clock, held=wiring.hand(slot))
        parts = [work.feed(row, limit) for row in Marketplace.objects.filter(Exists(due)).order_by("pk")]
        return _sum(parts, more=any(each.more for each in parts))


def _sum(parts: Sequence[Fed], *, more: bool) -> Fed:
    return Fed(
        judged=sum(each.judged for each in parts),
        new_hits=sum(each.new_hits for each in parts),
        put_off=sum(each.put_off for each in parts),
        more=more,
    )


def give_back(at: datetime, *, slot: int = 0) -> int:
    """At a worker's start: count a try for what its forerunner had in hand when it died; how many."""
    held = wiring.hand(slot)
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


@evidence_wiring.answering()
def revive_listings(marketplace: str, *, by: Actor, at: datetime) -> int:
    """Try a marketplace's listings that could not be judged again, from the beginning; how many.

    Raises:
        Refused: `watch.marketplace_not_found`; what people's `must` raises.
    """
    row = access.marketplace(by, marketplace, "manage_rules")
    rows = Inbox.objects.filter(marketplace=row, dead_at__isnull=False)
    return rows.update(dead_at=None, tries=0, next_try=at, trouble="", facts={})


def _together(due: Sequence[_Waiting], limit: int) -> list[_Waiting]:
    """What is tried in one go: what failed before goes first, in ever smaller groups, so that the bad one is found.

    A tenth of a batch after the first failure, a hundredth after the second, then one by one: a killed worker costs a
    few transactions, and a listing that kills is dead after five.
    """
    failed = [each for each in due if each.tries]
    if not failed:
        return list(due)
    tries = failed[0].tries
    return [each for each in failed if each.tries == tries][: max(1, limit // 10**tries)]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Work:
    """One call of `work_feed`."""

    judges: JudgeOf
    pictures: Pictures
    clock: Callable[[], datetime]
    held: Path

    def feed(self, row: Marketplace, limit: int) -> Fed:
        """The next batch of a marketplace."""
        return self._tried(row, limit, ())

    def _tried(self, row: Marketplace, limit: int, ids: Sequence[int]) -> Fed:
        """All at once; where one spoils it, by halves, until it is found."""
        mine: list[_Waiting] = []
        try:
            done = self._judged(row, limit, ids, mine)
        except OperationalError:
            raise
        except Unavailable as error:
            if error.code in ("watch.marks_missing", "ledger.database_unavailable"):
                raise
            trouble: Exception = error
        except Exception as error:  # noqa: BLE001 (a worker's outermost loop: whatever one listing raises, the others go on)
            trouble = error
        else:
            _note(self.held, [])
            return done
        _note(self.held, [])
        if not mine:  # no listing spoiled it
            raise trouble
        if len(mine) > 1:
            half = len(mine) // 2
            parts = [self._tried(row, limit, [each.pk for each in some]) for some in (mine[:half], mine[half:])]
            return _sum(parts, more=True)
        return self._put_off(mine, trouble)

    def _judged(self, row: Marketplace, limit: int, ids: Sequence[int], mine: list[_Waiting]) -> Fed:
        """Where workers share, rows are theirs before they are looked at; elsewhere there is only one worker.

        SQLite has one writer: it is locked for the writing alone, so that a push need not wait for a judge.
        """
        with transaction.atomic() if is_shared() else nullcontext():
            mine += _claimed(row, limit, ids, self.clock())
            _note(self.held, [each.pk for each in mine])
            if not mine:
                return Fed()
            read = [listings.decode(each.body, sha256=each.sha256) for each in mine]
            looked = self.pictures(read, self.clock())
            judge, at = self.judges(row.organisation), self.clock()
            newest = _newest(row, mine)
            batch = [
                (read[place], looked.seen[place]) for place, each in enumerate(mine) if newest.get(each.item) is each
            ]
            glanced = {read[place].item for place in looked.glanced}
            signals = judging.signals_of(row, [listing for listing, _ in batch], at=at)
            verdicts = judge.many(
                [(listing, signals.get(listing.seller, NOTHING), prints) for listing, prints in batch]
            )
            judged = [
                Judged(listing=listing, verdicts=each, looked=listing.item not in glanced)
                for (listing, _), each in zip(batch, verdicts, strict=True)
            ]
            with transaction.atomic():
                new = _written(row, judged, newest, glanced=glanced, version=judge.version, at=at)
                Inbox.objects.filter(pk__in=[each.pk for each in mine]).delete()
        return Fed(judged=len(mine), new_hits=new, more=True)

    def _put_off(self, mine: Sequence[_Waiting], trouble: Exception) -> Fed:
        known = isinstance(trouble, PlatformError)
        code = trouble.code if isinstance(trouble, PlatformError) else "watch.listing_unjudged"
        facts = dict(trouble.facts) if isinstance(trouble, PlatformError) else {"kind": type(trouble).__name__}
        with transaction.atomic():
            row = Inbox.objects.select_for_update().filter(pk__in=[each.pk for each in mine], dead_at=None).first()
            if row is not None:
                _again(row, code if known else "watch.listing_unjudged", facts, self.clock())
        return Fed(put_off=1, more=True)


_COLUMNS: Final = ("pk", "item", "version", "body", "sha256", "came_at", "tries")


def _claimed(row: Marketplace, limit: int, ids: Sequence[int], at: datetime) -> list[_Waiting]:
    """What is due and no other worker has, ours until the transaction ends; of these alone, where some are named."""
    due = Inbox.objects.filter(marketplace=row, dead_at=None, next_try__lte=at)
    if ids:
        due = due.filter(pk__in=ids)
    if is_shared():
        due = due.select_for_update(skip_locked=True)
    rows = [
        _Waiting(pk, item, version, bytes(body), bytes(sha256), came_at, tries)
        for pk, item, version, body, sha256, came_at, tries in due.order_by("next_try", "pk").values_list(*_COLUMNS)[
            :limit
        ]
    ]
    return rows if ids else _together(rows, limit)


def _newest(row: Marketplace, mine: Sequence[_Waiting]) -> dict[str, _Waiting]:
    """Of several versions of an item the highest; of one that is here already in as high a version, none."""
    here = dict(
        ListingRow.objects.filter(marketplace=row, item__in={each.item for each in mine}).values_list("item", "version")
    )
    newest: dict[str, _Waiting] = {}
    for each in mine:
        if each.version > max(here.get(each.item, -1), newest[each.item].version if each.item in newest else -1):
            newest[each.item] = each
    return newest


def _written(
    row: Marketplace,
    judged: Sequence[Judged],
    newest: Mapping[str, _Waiting],
    *,
    glanced: Collection[str],
    version: str,
    at: datetime,
) -> int:
    """Listings, sellers, hits and figures; how many new hits. A version that another worker overtook says nothing."""
    kept = _keep_listings(row, judged, newest, glanced=glanced, version=version, at=at)
    batch = [each for each in judged if each.listing.item in kept]
    _keep_sellers(row, [each.listing for each in batch], at)
    done = keep(row, batch, marks=version, at=at, source="feed")
    count_rules(row.organisation, rule_counts(verdict for each in batch for verdict in each.verdicts), at=at)
    count(row.pk, at.date(), {"scanned": len(batch)})
    return len(done.new)


_SELLER: Final = {
    "marketplace_id": "uuid",
    "number": "text",
    "name": "text",
    "seen_at": "timestamptz",
    "confirmed": "int",
    "dismissed": "int",
    "shared_pictures": "int",
    "shared_contact": "int",
    "group_confirmed": "int",
}


def _keep_sellers(row: Marketplace, batch: Sequence[Listing], at: datetime) -> None:
    """Those who were not here; always in one order, so that workers do not wait in a circle."""
    numbers = {each.seller for each in batch}
    here = set(Seller.objects.filter(marketplace=row, number__in=numbers).values_list("number", flat=True))
    fresh = [(row.pk, each, "", at, 0, 0, 0, 0, 0) for each in sorted(numbers - here)]
    insert("watch_seller", _SELLER, fresh, conflict="DO NOTHING")


_LISTING: Final = {
    "marketplace_id": "uuid",
    "item": "text",
    "version": "bigint",
    "seller": "text",
    "title": "text",
    "body": "bytea",
    "sha256": "bytea",
    "came_at": "timestamptz",
    "decided_at": "timestamptz",
    "marks": "text",
    "outcome": "text",
    "glanced": "boolean",
    "sold": "int",
}
_CHANGED: Final = tuple(each for each in _LISTING if each not in {"marketplace_id", "item", "sold"})
_NEWER: Final = (
    f"(marketplace_id, item) DO UPDATE SET {', '.join(f'{each} = excluded.{each}' for each in _CHANGED)} "
    "WHERE watch_listingrow.version < excluded.version"
)


def _keep_listings(
    row: Marketplace,
    judged: Sequence[Judged],
    inbox: Mapping[str, _Waiting],
    *,
    glanced: Collection[str],
    version: str,
    at: datetime,
) -> set[str]:
    """The newest version of each, always in one order; the items whose version is the newest now."""
    rows = []
    for each in sorted(judged, key=lambda one: one.listing.item):
        waiting, listing = inbox[each.listing.item], each.listing
        values = (row.pk, listing.item, listing.version, listing.seller, listing.title, waiting.body, waiting.sha256)
        outcome = outcome_of(each.verdicts)
        rows.append((*values, waiting.came_at, at, version, outcome, listing.item in glanced, 0))
    table = "watch_listingrow"
    if is_shared():
        return insert_returning(table, _LISTING, rows, conflict=_NEWER, returning="item")
    insert(table, _LISTING, rows, conflict=_NEWER)
    return {each.listing.item for each in judged}


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
