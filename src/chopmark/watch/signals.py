"""What the other offers of a marketplace say of one: usual prices and stocks, whose products GTINs are, who is linked.

    known = Known(peers=..., brands=..., linked=...)
    told(known.peers, known.brands, days, listing, mark)    {'price_ratio': 0.2, ..., 'gtin_other': False}
    encode(known), parse_known(bytes)                       its one form as bytes, and back

The feed and scans ask here, so that a feature means the same in both. The feed knows what the last scan and the last
night saw; a scan counts its own stock first (`engine.census`) and judges with that.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from typing import Any, Final

from chopmark.base import jcs
from chopmark.base.errors import Invalid
from chopmark.watch import prices
from chopmark.watch.features import Value
from chopmark.watch.judge import Signals
from chopmark.watch.listing import Listing
from chopmark.watch.marks import Mark
from chopmark.watch.prices import Peers
from chopmark.watch.sellers import Linked, gtin_other, impossible_stock

FORM: Final = "chopmark-watch-signals-v1"


@dataclass(frozen=True, kw_only=True)
class Known:
    """What a whole stock says.

    Attributes:
        brands: of `sellers.brands_of`. linked: of `sellers.linked`, by `name_of` a seller.
    """

    peers: Peers = field(default_factory=lambda: Peers(groups={}))
    brands: Mapping[str, str] = field(default_factory=dict)
    linked: Mapping[str, Linked] = field(default_factory=dict)

    @cached_property
    def version(self) -> str:
        """SHA-256 of its canonical bytes, hex."""
        return hashlib.sha256(encode(self)).hexdigest()

    def signals(self, known: Signals, listing: Listing) -> Signals:
        """What tables know of a seller, with what the stock says of its offer.

        Sellers share with others what either of the two saw; of two counts the larger one is the least that is true.
        """
        price = partial(told, self.peers, self.brands, known.seller_days)
        found = self.linked.get(name_of(listing.marketplace, listing.seller))
        if found is None:
            return replace(known, price=price)
        return replace(
            known,
            price=price,
            shared_pictures=max(known.shared_pictures, found.shared_pictures),
            shared_contact=max(known.shared_contact, found.shared_contact),
            group_confirmed=max(known.group_confirmed, found.group_confirmed),
        )


def name_of(marketplace: str, seller: str) -> str:
    """One seller among those of several marketplaces; names of marketplaces have no blank."""
    return f"{marketplace} {seller}"


def told(
    peers: Peers | None, brands: Mapping[str, str], days: int | None, listing: Listing, mark: Mark | None
) -> Mapping[str, Value]:
    """What other sellers' offers say of this one: its price, its stock, whose number it bears.

    Args:
        days: since its seller came.
    """
    found: dict[str, Value] = {}
    if peers is not None:
        right = mark.number if mark is not None else ""
        found |= peers.features(right=right, category=listing.category, currency=listing.currency, price=listing.price)
        found["impossible_stock"] = impossible_stock(listing.stock, peers.stocks.get(right), days)
    if brands and listing.gtin and mark is not None:
        names, said = (mark.text, *mark.aliases), f"{listing.brand} {listing.title}"
        found["gtin_other"] = gtin_other(listing.gtin, names, said, brands)
    return found


# ---- one form as bytes -----------------------------------------------------------------------------------------------


def encode(known: Known) -> bytes:
    """A line with how many lines of each kind follow; those of `prices.encode`; GTINs; sellers."""
    usual = prices.encode(known.peers)
    brands = [jcs.encode([gtin, brand]) for gtin, brand in sorted(known.brands.items())]
    linked = [
        jcs.encode([name, each.shared_pictures, each.shared_contact, each.group, each.group_confirmed])
        for name, each in sorted(known.linked.items())
    ]
    counts = {"form": FORM, "peers": usual.count(b"\n"), "brands": len(brands), "linked": len(linked)}
    return jcs.encode(counts) + b"\n" + usual + b"".join(each + b"\n" for each in (*brands, *linked))


def parse_known(data: bytes) -> Known:
    """Read what `encode` wrote.

    Raises:
        Invalid: `watch.prices_malformed` with the line.
    """
    head, *lines = data.split(b"\n")[:-1] or [b""]
    try:
        said: dict[str, Any] = jcs.decode(head)
        most, after = said["peers"], said["peers"] + said["brands"]
        brands = [jcs.decode(each) for each in lines[most:after]]
        linked = [jcs.decode(each) for each in lines[after:]]
        known = Known(
            peers=prices.parse_peers(b"".join(each + b"\n" for each in lines[:most])),
            brands={gtin: brand for gtin, brand in brands},  # noqa: C416 (each line must be a pair)
            linked={
                name: Linked(shared_pictures=pictures, shared_contact=contact, group=group, group_confirmed=confirmed)
                for name, pictures, contact, group, confirmed in linked
            },
        )
        same = encode(known) == data
    except (Invalid, KeyError, TypeError, ValueError) as error:
        raise Invalid("watch.prices_malformed", line=1) from error
    if not same:
        raise Invalid("watch.prices_malformed", line=1)
    return known
