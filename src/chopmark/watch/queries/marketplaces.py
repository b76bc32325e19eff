"""Marketplaces and their sellers, as whoever runs them sees them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from chopmark.evidence import wiring as evidence_wiring
from chopmark.people.actor import Actor
from chopmark.watch import wiring
from chopmark.watch.models import Inbox, Marketplace, Seller
from chopmark.watch.queries import access

MAX_PAGE = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class MarketplaceSummary:
    """A marketplace."""

    id: UUID
    name: str
    title: str
    organisation: UUID
    target: str
    fetches: bool
    channels: tuple[str, ...]
    automatic: bool
    two_persons: bool
    made_at: datetime
    stopped_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadListing:
    """A version of a listing that could not be judged, for a person to see."""

    id: int
    marketplace: str
    item: str
    version: int
    tries: int
    trouble: str
    came_at: datetime
    dead_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class SellerSummary:
    """A seller with how its hits stand."""

    marketplace: str
    number: str
    name: str
    organisation: UUID | None
    joined_at: datetime | None
    seen_at: datetime
    confirmed: int
    dismissed: int


def marketplaces_of(actor: Actor) -> tuple[MarketplaceSummary, ...]:
    """The actor's, by name.

    Raises:
        Refused: what people's `must` raises.
    """
    return tuple(map(summary_of, access.marketplaces(actor).order_by("name")))


def marketplace_of(actor: Actor, name: str) -> MarketplaceSummary:
    """One of them.

    Raises:
        Refused: `watch.marketplace_not_found`; what people's `must` raises.
    """
    return summary_of(access.marketplace(actor, name))


def measure_key_of(actor: Actor, name: str) -> str:
    """The key with which measures to a marketplace are signed; for whoever manages it.

    Raises:
        Refused: `watch.marketplace_not_found`; what people's `must` raises.
    """
    return wiring.measure_key(access.marketplace(actor, name, "manage_rules").pk)


def dead_listings_of(actor: Actor, name: str, *, limit: int = MAX_PAGE) -> tuple[DeadListing, ...]:
    """What could not be judged, newest first.

    Raises:
        Refused: `watch.marketplace_not_found`; what people's `must` raises.
    """
    row = access.marketplace(actor, name)
    rows = Inbox.objects.filter(marketplace=row, dead_at__isnull=False).order_by("-dead_at", "-pk")[
        : min(limit, MAX_PAGE)
    ]
    return tuple(
        DeadListing(
            id=each.pk,
            marketplace=row.name,
            item=each.item,
            version=each.version,
            tries=each.tries,
            trouble=each.trouble,
            came_at=each.came_at,
            dead_at=each.dead_at,
        )
        for each in rows
        if each.dead_at is not None
    )


def waiting_in(actor: Actor, name: str) -> int:
    """Listings that wait to be judged.

    Raises:
        Refused: `watch.marketplace_not_found`; what people's `must` raises.
    """
    return Inbox.objects.filter(marketplace=access.marketplace(actor, name), dead_at=None).count()


def sellers_of(actor: Actor, name: str, *, limit: int = MAX_PAGE, least: int = 1) -> tuple[SellerSummary, ...]:
    """Sellers with so many confirmed hits, most first.

    Raises:
        Refused: `watch.marketplace_not_found`; what people's `must` raises.
    """
    row = access.marketplace(actor, name)
    rows = Seller.objects.filter(marketplace=row, confirmed__gte=least).order_by("-confirmed", "number")[
        : min(limit, MAX_PAGE)
    ]
    return tuple(seller_summary(each, row.name) for each in rows)


def seller_summary(row: Seller, marketplace: str) -> SellerSummary:
    """The frozen form of a row."""
    return SellerSummary(
        marketplace=marketplace,
        number=row.number,
        name=row.name,
        organisation=row.organisation,
        joined_at=row.joined_at,
        seen_at=row.seen_at,
        confirmed=row.confirmed,
        dismissed=row.dismissed,
    )


def any_registered() -> bool:
    """Whether there is anything to watch at all. For jobs.

    Raises:
        Unavailable: `ledger.database_unavailable`.
    """
    with evidence_wiring.answering():
        return Marketplace.objects.exists()


def summary_of(row: Marketplace) -> MarketplaceSummary:
    """The frozen form of a row."""
    return MarketplaceSummary(
        id=row.pk,
        name=row.name,
        title=row.title,
        organisation=row.organisation,
        target=row.target,
        fetches=row.fetches,
        channels=tuple(row.channels),
        automatic=row.automatic,
        two_persons=row.two_persons,
        made_at=row.made_at,
        stopped_at=row.stopped_at,
    )
