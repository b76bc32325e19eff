"""Every night: which sellers share pictures or contacts, and the confirmed hits of those whom one is linked with.

Of the listings that came through the feed. What is linked is counted; nothing is decided by it alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING, Final

from django.db import transaction

from chopmark.evidence import wiring as evidence_wiring
from chopmark.watch import listing as listings
from chopmark.watch.actions.common import move_to, position
from chopmark.watch.models import ListingRow, Marketplace, Seller

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
    done = sum(_link(row) for row in Marketplace.objects.order_by("pk"))
    move_to(_DAY, today)
    return done


def _link(row: Marketplace) -> int:
    from chopmark.watch.sellers import linked  # noqa: PLC0415 (loads arrays)

    rows = list(Seller.objects.filter(marketplace=row))
    found = linked(_uses(row), {each.number: each.confirmed for each in rows})
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


def _uses(row: Marketplace) -> Iterator[tuple[str, Kind, str]]:
    bodies = ListingRow.objects.filter(marketplace=row).order_by("-pk").values_list("body", flat=True)[:MAX_LISTINGS]
    for body in bodies.iterator(chunk_size=AT_ONCE):
        listing = listings.decode(bytes(body))
        for picture in listing.pictures:
            if picture.sha256 or picture.url:
                yield listing.seller, "picture", picture.sha256.hex() or picture.url
        for contact in listing.contact:
            yield listing.seller, "contact", contact
