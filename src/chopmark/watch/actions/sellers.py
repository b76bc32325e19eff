"""Every night: which sellers share pictures or contacts, and whose products GTINs are.

Of the listings that came through the feed. What is linked is counted; nothing is decided by it alone.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from datetime import datetime
from itertools import chain
from typing import TYPE_CHECKING, Final

from django.db import transaction

from chopmark.base import jcs
from chopmark.evidence import wiring as evidence_wiring
from chopmark.watch import listing as listings
from chopmark.watch.actions import judging
from chopmark.watch.actions.common import move_to, position
from chopmark.watch.engine.manifest import write_whole
from chopmark.watch.listing import Picture
from chopmark.watch.models import ListingRow, Marketplace, Seller
from chopmark.watch.queries.pictures import sharing

if TYPE_CHECKING:
    from chopmark.watch.sellers import Kind

MAX_LISTINGS: Final = 500_000
"""Of a marketplace that are looked at, the newest; a larger one is for a scan."""
AT_ONCE: Final = 1_000
_DAY: Final = "sellers day"


@evidence_wiring.answering()
def link_sellers(at: datetime) -> int:
    """At the first call of a day; how many sellers are linked with others."""
    today = at.date().toordinal()
    if position(_DAY) == today:
        return 0
    done = sum(_link(row, at) for row in Marketplace.objects.order_by("pk"))
    move_to(_DAY, today)
    return done


def _link(row: Marketplace, at: datetime) -> int:
    from chopmark.watch.sellers import linked  # noqa: PLC0415 (loads arrays)

    rows = list(Seller.objects.filter(marketplace=row))
    contacts: set[tuple[str, Kind, str]] = set()
    gtins: set[tuple[str, str, str]] = set()
    pictures = sharing(_pictures(row, contacts, gtins), at=at)
    uses = chain(contacts, ((seller, "picture", name) for seller, name in pictures))
    found = linked(uses, {each.number: each.confirmed for each in rows})
    _keep_brands(row, gtins, {seller: each.group for seller, each in found.linked.items()})
    changed = []
    for each in rows:
        said = found.features(each.number)
        before = {name: getattr(each, name) for name in said}
        if before != said:
            for name, value in said.items():
                setattr(each, name, value)
            changed.append(each)
    with transaction.atomic():
        Seller.objects.bulk_update(
            changed, ["shared_pictures", "shared_contact", "group_confirmed"], batch_size=AT_ONCE
        )
    return len(found.linked)


def _pictures(
    row: Marketplace, contacts: set[tuple[str, Kind, str]], gtins: set[tuple[str, str, str]]
) -> Iterator[tuple[str, Picture]]:
    """Sellers and their pictures; what else the listings tell is put into the two sets on the way."""
    bodies = ListingRow.objects.filter(marketplace=row).order_by("-pk").values_list("body", "sha256")[:MAX_LISTINGS]
    for body, digest in bodies.iterator(chunk_size=AT_ONCE):
        listing = listings.decode(bytes(body), sha256=bytes(digest))
        contacts.update((listing.seller, "contact", each) for each in listing.contact)
        if listing.gtin and listing.brand:
            gtins.add((listing.gtin, listing.brand, listing.seller))
        for picture in listing.pictures:
            if picture.sha256 or picture.url:
                yield listing.seller, picture


def _keep_brands(row: Marketplace, uses: Collection[tuple[str, str, str]], group: Mapping[str, str]) -> None:
    """Whose products GTINs are, for the judge; whole or not at all."""
    from chopmark.watch.sellers import brands_of  # noqa: PLC0415 (as above)

    write_whole(judging.brands_path(row.name), jcs.encode(brands_of(uses, group)))
