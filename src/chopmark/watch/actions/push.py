"""Push: put listings into the inbox. The same version again changes nothing; a full inbox says so.

What a batch gets back stands in its order: `accepted`, `known` (this very version is here already), `older` (a newer
one is), or the error of that listing alone.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from operator import itemgetter
from typing import Any, Final, Literal

from django.conf import settings
from django.db import transaction

from chopmark.base.errors import Invalid, PlatformError, Refused
from chopmark.evidence import wiring
from chopmark.people.actor import Actor
from chopmark.watch import listing as listings
from chopmark.watch.actions.bulk import insert, is_shared
from chopmark.watch.listing import MAX_BATCH, Listing
from chopmark.watch.models import Inbox, ListingRow, Marketplace
from chopmark.watch.queries import access
from chopmark.watch.reading import classes_of, with_contacts

MAX_INBOX = 100_000
"""Listings of one marketplace that may wait; at 10,000 a second they are ten seconds of work."""
RETRY_AFTER = 5
"""Seconds after which a refused push may be tried again."""

_INBOX: Final = {
    "marketplace_id": "uuid",
    "item": "text",
    "version": "bigint",
    "body": "bytea",
    "sha256": "bytea",
    "came_at": "timestamptz",
    "next_try": "timestamptz",
    "tries": "smallint",
    "trouble": "text",
    "facts": "jsonb",
}

Taken = Literal["accepted", "known", "older"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pushed:
    """What became of one listing of a batch."""

    item: str
    version: int
    state: Taken


@wiring.answering()
def push_listings(
    marketplace: str, batch: Sequence[Mapping[str, object]], *, by: Actor, at: datetime
) -> list[Pushed | PlatformError]:
    """Take listings in to be judged; the answers stand in the order of the batch.

    Raises:
        Refused: `watch.marketplace_not_found`, `watch.marketplace_stopped`, `watch.batch_too_large`,
            `watch.inbox_full` with `retry_after` in seconds; what people's `must` raises.
    """
    row = access.marketplace(by, marketplace, "push_listings")
    if row.stopped_at is not None:
        raise Refused("watch.marketplace_stopped", marketplace=row.name)
    if len(batch) > MAX_BATCH:
        raise Refused("watch.batch_too_large", limit=MAX_BATCH)
    cleaned: list[Listing | PlatformError] = []
    allow = frozenset(settings.CHOPMARK_CAPTURE_ALLOW)
    for raw in batch:
        try:
            cleaned.append(with_contacts(listings.clean(raw, marketplace=row.name, classes_of=classes_of, allow=allow)))
        except Invalid as error:
            cleaned.append(error)
    good = [each for each in cleaned if isinstance(each, Listing)]
    answers = take_in(row, good, at=at)
    return [each if isinstance(each, PlatformError) else answers[each.item, each.version, id(each)] for each in cleaned]


def take_in(
    row: Marketplace, batch: Sequence[Listing], *, at: datetime, most: int = MAX_INBOX
) -> dict[tuple[str, int, int], Pushed | PlatformError]:
    """Put clean listings of one marketplace into its inbox; by item, version and identity of the listing.

    Raises:
        Refused: `watch.inbox_full`.
    """
    bodies = [(each, listings.encode(each)) for each in batch]
    with transaction.atomic():
        waiting = Inbox.objects.filter(marketplace=row, dead_at=None).count()
        if batch and waiting + len(batch) > most:
            raise Refused("watch.inbox_full", limit=most, retry_after=RETRY_AFTER)
        here, there = _known(row, batch)
        answers: dict[tuple[str, int, int], Pushed | PlatformError] = {}
        fresh: list[tuple[Any, ...]] = []
        mine: list[tuple[Listing, bytes]] = []
        for each, body in bodies:
            digest = hashlib.sha256(body).digest()
            told = _told(each, digest, here.get(each.item), there)
            answers[each.item, each.version, id(each)] = told
            if isinstance(told, Pushed) and told.state == "accepted":
                there[each.item, each.version] = digest
                mine.append((each, digest))
                fresh.append((row.pk, each.item, each.version, body, digest, at, at, 0, "", "{}"))
        fresh.sort(key=itemgetter(1, 2))  # in one order, so that two who push the same do not wait in a circle
        insert("watch_inbox", _INBOX, fresh, conflict="DO NOTHING")
        if fresh and is_shared():  # another call may have brought one meanwhile, perhaps with other content
            here, there = _known(row, [each for each, _ in mine])
            for each, digest in mine:
                if there.get((each.item, each.version)) != digest:
                    answers[each.item, each.version, id(each)] = _told(each, digest, here.get(each.item), there)
    return answers


def _known(
    row: Marketplace, batch: Sequence[Listing]
) -> tuple[Mapping[str, tuple[int, bytes]], dict[tuple[str, int], bytes]]:
    """What is here of these items: the version that was judged, by item, and those that wait, with their digests."""
    items = {each.item for each in batch}
    judged = ListingRow.objects.filter(marketplace=row, item__in=items).values_list("item", "version", "sha256")
    waiting = Inbox.objects.filter(marketplace=row, item__in=items).values_list("item", "version", "sha256")
    return (
        {item: (version, bytes(digest)) for item, version, digest in judged},
        {(item, version): bytes(digest) for item, version, digest in waiting},
    )


def _told(
    each: Listing, digest: bytes, here: tuple[int, bytes] | None, there: Mapping[tuple[str, int], bytes]
) -> Pushed | PlatformError:
    known = there.get((each.item, each.version))
    if known is None and here is not None and here[0] == each.version:
        known = here[1]
    if known is not None and known != digest:
        return Refused("watch.listing_changed", item=each.item, version=each.version)
    state: Taken = (
        "known" if known is not None else "older" if here is not None and each.version < here[0] else "accepted"
    )
    return Pushed(item=each.item, version=each.version, state=state)
