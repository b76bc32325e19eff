"""What may be read of watches: an organisation's own, and what they found as it stands now."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db.models import Count, Q, Window
from django.db.models.functions import RowNumber

from chopmark.base.errors import Refused
from chopmark.people.actor import Actor
from chopmark.rights.models import Find, Watch
from chopmark.rights.queries.follow import PUBLIC
from chopmark.rights.queries.search import Found, found_of

MAX_PAGE = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchSummary:
    """A saved search.

    Attributes:
        kind: `words` or `logo`.
        text: the words, or what a person calls the logo.
        least: total from which a right is found.
        finds, fresh: what it met, and how much of that nobody has looked at.
    """

    id: UUID
    kind: str
    text: str
    classes: tuple[str, ...]
    territories: tuple[str, ...]
    least: float
    made_at: datetime
    stopped_at: datetime | None
    last_run_at: datetime | None
    finds: int = 0
    fresh: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class FindSummary:
    """A right that a watch met, as it stands now, with the scores of that time."""

    found: Found
    found_at: datetime
    seen_at: datetime | None


def watches_of(by: Actor, *, stopped: bool = False) -> tuple[WatchSummary, ...]:
    """The organisation's watches, newest first; with `stopped` also those that ended. Raises people's `must`."""
    by.must("view_rights")
    rows = Watch.objects.filter(organisation=by.organisation_id)
    rows = rows if stopped else rows.filter(stopped_at=None)
    shown = Q(finds__right__state__in=PUBLIC)
    counted = rows.annotate(
        all_finds=Count("finds", filter=shown), new_finds=Count("finds", filter=shown & Q(finds__seen_at=None))
    )
    return tuple(
        summary_of(row, finds=row.all_finds, fresh=row.new_finds) for row in counted.order_by("-made_at")[:1000]
    )


def watch_of(by: Actor, watch_id: UUID) -> WatchSummary:
    """One watch.

    Raises:
        Refused: `similarity.watch_not_found`; what people's `must` raises.
    """
    by.must("view_rights")
    row = own_watch(by, watch_id)
    shown = row.finds.filter(right__state__in=PUBLIC)
    return summary_of(row, finds=shown.count(), fresh=shown.filter(seen_at=None).count())


def finds_of(by: Actor, watch_id: UUID, *, fresh: bool = False, limit: int = 50) -> tuple[FindSummary, ...]:
    """What a watch met and everybody may still find, newest first, then most similar.

    Raises:
        Refused: `similarity.watch_not_found`; what people's `must` raises.
    """
    by.must("view_rights")
    rows = own_watch(by, watch_id).finds.filter(right__state__in=PUBLIC).select_related("right")
    rows = rows.filter(seen_at=None) if fresh else rows
    listed = rows.prefetch_related("right__classes", "right__territories").order_by("-found_at", "-total", "pk")
    return tuple(_find(each, str(by.organisation_id)) for each in listed[: max(1, min(limit, MAX_PAGE))])


def newest_finds(by: Actor, watch_ids: Collection[UUID], *, limit: int = 10) -> Mapping[UUID, tuple[FindSummary, ...]]:
    """What several of the organisation's watches met, as `finds_of` does for one; those without finds are left out."""
    by.must("view_rights")
    place = Window(RowNumber(), partition_by="watch", order_by=("-found_at", "-total", "pk"))
    mine = Find.objects.filter(watch__in=watch_ids, watch__organisation=by.organisation_id, right__state__in=PUBLIC)
    rows = mine.annotate(place=place).filter(place__lte=limit).select_related("right")
    met: dict[UUID, list[FindSummary]] = {}
    for row in rows.prefetch_related("right__classes", "right__territories").order_by("place"):
        met.setdefault(row.watch_id, []).append(_find(row, str(by.organisation_id)))
    return {watch: tuple(found) for watch, found in met.items()}


def _find(row: Find, scope: str) -> FindSummary:
    scores: Mapping[str, float] = {name: value / 1000 for name, value in row.scores.items()}
    found = found_of(row.right, scope, text=row.text, total=row.total / 1000, scores=scores)
    return FindSummary(found=found, found_at=row.found_at, seen_at=row.seen_at)


def own_watch(by: Actor, watch_id: UUID) -> Watch:
    """The row of a watch of the actor's organisation; for this room only.

    Raises:
        Refused: `similarity.watch_not_found`.
    """
    row = Watch.objects.filter(pk=watch_id, organisation=by.organisation_id).first()
    if row is None:
        raise Refused("similarity.watch_not_found")
    return row


def summary_of(row: Watch, *, finds: int = 0, fresh: int = 0) -> WatchSummary:
    """What may be shown of a row."""
    return WatchSummary(
        id=row.pk,
        kind=row.kind,
        text=row.text,
        classes=tuple(row.classes),
        territories=tuple(row.territories),
        least=row.least / 1000,
        made_at=row.made_at,
        stopped_at=row.stopped_at,
        last_run_at=row.last_run_at,
        finds=finds,
        fresh=fresh,
    )
