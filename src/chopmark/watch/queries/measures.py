"""Measures of a marketplace: what was asked of it, what it answered, what is on its way. For whoever runs it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import Count, Exists, OuterRef, QuerySet

from chopmark.base import jcs
from chopmark.people.actor import Actor
from chopmark.watch.models import Measure
from chopmark.watch.queries import access

MAX_PAGE = 100
STATES = ("waiting", "done", "refused", "cancelled")
KINDS = ("hold", "takedown", "restore")


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasureSummary:
    """A request to a marketplace.

    Attributes:
        hit: number of the hit that it rests on.
        trouble, facts: why it was refused, or what the last try met; a code of the catalogue.
        deposit: of what was sent; None until it was put on the ledger.
        acknowledged_at: when a program of the marketplace said that it has it.
    """

    key: str
    kind: str
    state: str
    marketplace: str
    hit: str
    item: str
    seller: str
    automatic: bool
    tries: int
    trouble: str
    facts: Mapping[str, Any]
    deposit: UUID | None
    made_at: datetime
    acknowledged_at: datetime | None
    done_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasuresPage:
    """Some of them, newest first, with how many there are of each state; `next` asks for more, empty at the end."""

    items: tuple[MeasureSummary, ...]
    counts: Mapping[str, int]
    total: int
    next: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Pending:
    """A measure that awaits the marketplace's answer, with what it asks, as it is sent (`watch.gateway`)."""

    summary: MeasureSummary
    measure: Mapping[str, Any]


def measures_of(
    actor: Actor,
    name: str,
    *,
    state: str = "",
    kind: str = "",
    after: str = "",
    limit: int = MAX_PAGE,
    offset: int = 0,
) -> MeasuresPage:
    """What a marketplace was asked for, newest first; only what stands so, or is of a kind, where one is named.

    Args:
        after: key of the last one already seen.

    Raises:
        Refused: `watch.marketplace_not_found`, `watch.measure_not_found` for a wrong `after`; what people's `must`
            raises.
    """
    every = Measure.objects.filter(marketplace=access.marketplace(actor, name))
    rows = every.filter(state=state) if state in STATES else every
    rows = rows.filter(kind=kind) if kind in KINDS else rows
    left = rows.filter(pk__lt=access.measure(actor, after).pk) if after else rows
    size = min(limit, MAX_PAGE)
    page = list(left.select_related("marketplace", "hit").order_by("-pk")[offset : offset + size + 1])
    return MeasuresPage(
        items=tuple(map(summary_of, page[:size])),
        counts=dict(every.values_list("state").annotate(Count("pk")).order_by("state")),
        total=rows.count(),
        next=page[size - 1].key if len(page) > size else "",
    )


def measure_of(actor: Actor, key: str) -> Pending:
    """One of them, with what it asks.

    Raises:
        Refused: `watch.measure_not_found`; what people's `must` raises.
    """
    return _pending(access.measure(actor, key))


def pending_in(actor: Actor, name: str, *, acknowledged: bool = False, limit: int = MAX_PAGE) -> tuple[Pending, ...]:
    """What awaits the marketplace's answer, oldest first, of each hit one; those that it has, too, where asked for.

    Only what is on the ledger; not what was taken back meanwhile, whose restore follows.

    Raises:
        Refused: `watch.marketplace_not_found`; what people's `must` raises.
    """
    rows = Measure.objects.filter(marketplace=access.marketplace(actor, name), state="waiting", deposit__isnull=False)
    rows = first_of_each(rows).exclude(taken_back())
    if not acknowledged:
        rows = rows.filter(acknowledged_at=None)
    page = rows.select_related("marketplace", "hit").order_by("pk")[: min(limit, MAX_PAGE)]
    return tuple(map(_pending, page))


def first_of_each(rows: QuerySet[Measure]) -> QuerySet[Measure]:
    """Those that no earlier one of the same hit precedes: a hit's measures go out in their order."""
    earlier = Measure.objects.filter(hit=OuterRef("hit"), pk__lt=OuterRef("pk"), state="waiting")
    return rows.filter(~Exists(earlier))


def taken_back() -> Exists:
    """Whether a restore waits behind it."""
    return Exists(Measure.objects.filter(hit=OuterRef("hit"), pk__gt=OuterRef("pk"), kind="restore", state="waiting"))


def _pending(row: Measure) -> Pending:
    asked = jcs.decode(bytes(row.body))
    if not isinstance(asked, dict):
        raise TypeError(row.key)  # the platform wrote it
    return Pending(summary=summary_of(row), measure=asked)


def summary_of(row: Measure) -> MeasureSummary:
    """The frozen form of a row."""
    return MeasureSummary(
        key=row.key,
        kind=row.kind,
        state=row.state,
        marketplace=row.marketplace.name,
        hit=row.hit.number,
        item=row.hit.item,
        seller=row.hit.seller,
        automatic=row.hit.automatic,
        tries=row.tries,
        trouble=row.trouble,
        facts=row.facts,
        deposit=row.deposit,
        made_at=row.made_at,
        acknowledged_at=row.acknowledged_at,
        done_at=row.done_at,
    )
