"""Sellers of a marketplace: found by number or name, with who they are. For whoever runs it."""

from __future__ import annotations

from dataclasses import dataclass

from django.db.models import Q, QuerySet

from chopmark.people.actor import Actor
from chopmark.watch.models import Seller
from chopmark.watch.queries import access
from chopmark.watch.queries.marketplaces import SellerSummary, seller_summary

MAX_PAGE = 100
MAX_COUNTED = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class SellersPage:
    """Some of them; `next` is what to ask for more with, empty at the end; `total` is counted up to `MAX_COUNTED`."""

    items: tuple[SellerSummary, ...]
    total: int
    next: str = ""


def sellers_found(actor: Actor, name: str, *, q: str = "", limit: int = MAX_PAGE, offset: int = 0) -> SellersPage:
    """Sellers whose number or name contains the words, most confirmed hits first; all without words.

    Raises:
        Refused: `watch.marketplace_not_found`; what people's `must` raises.
    """
    rows = _found(actor, name, q)
    page = rows.order_by("-confirmed", "number")[offset : offset + min(limit, MAX_PAGE)]
    return SellersPage(items=tuple(seller_summary(each, name) for each in page), total=rows[:MAX_COUNTED].count())


def sellers_in_order(actor: Actor, name: str, *, q: str = "", after: str = "", limit: int = MAX_PAGE) -> SellersPage:
    """The same by their numbers, an order that no decision changes while somebody turns pages.

    Args:
        after: number of the last one already seen.

    Raises:
        Refused: `watch.marketplace_not_found`; what people's `must` raises.
    """
    rows = _found(actor, name, q)
    left = rows.filter(number__gt=after.replace("\x00", "")) if after else rows
    size = min(limit, MAX_PAGE)
    page = list(left.order_by("number")[: size + 1])
    return SellersPage(
        items=tuple(seller_summary(each, name) for each in page[:size]),
        total=rows[:MAX_COUNTED].count(),
        next=page[size - 1].number if len(page) > size else "",
    )


def _found(actor: Actor, name: str, q: str) -> QuerySet[Seller]:
    rows = Seller.objects.filter(marketplace=access.marketplace(actor, name))
    words = q.replace("\x00", "").strip()[:200]
    return rows.filter(Q(number__icontains=words) | Q(name__icontains=words)) if words else rows


def seller_of(actor: Actor, name: str, number: str) -> SellerSummary | None:
    """One seller by its number as the marketplace says it; None when nothing of it came yet.

    Raises:
        Refused: `watch.marketplace_not_found`; what people's `must` raises.
    """
    row = access.marketplace(actor, name)
    found = Seller.objects.filter(marketplace=row, number=number.replace("\x00", "")[:200]).first()
    return seller_summary(found, row.name) if found is not None else None
