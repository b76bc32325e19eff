"""Hits, with why: as the right's holder and whoever runs the marketplace see them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time
from typing import Any
from uuid import UUID

from django.db.models import Count, Q, QuerySet, TextField
from django.db.models.functions import Cast

from chopmark.people.actor import Actor
from chopmark.rights.queries.works import works_named
from chopmark.watch import listing as listings
from chopmark.watch.life import REOPENING
from chopmark.watch.listing import Listing
from chopmark.watch.models import DecisionRecord, Hit, Seller, Vote
from chopmark.watch.queries import access, measures
from chopmark.watch.queries.marketplaces import SellerSummary, seller_summary
from chopmark.watch.queries.measures import MeasureSummary

MAX_PAGE = 100
MAX_STEPS = 500
"""Of a hit's history and of what was said of it, the newest: a seller may send a new version every minute."""
MAX_COUNTED = 10_000
"""Of a long list: who wants to know how many more has the figures."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Filters:
    """What to list; empty for all."""

    state: str = ""
    marketplace: str = ""
    seller: str = ""
    right: str = ""  # its number
    rule: str = ""
    outcome: str = ""
    automatic: bool | None = None
    since: date | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class HitSummary:
    """A hit in a list.

    Attributes:
        spans: where names were read in the title, from each first character to the one behind its last.
        mark: the name that was read in it, best first; empty where only a picture was found.
        work: title of the actor's own work that the hit is about; empty for anything else.
    """

    id: UUID
    number: str
    state: str
    marketplace: str
    item: str
    version: int
    seller: str
    title: str
    spans: tuple[tuple[int, int], ...]
    right: str
    right_number: str
    mark: str
    work: str
    outcome: str
    score: int
    priority: int
    keys: tuple[str, ...]
    rules: tuple[tuple[str, str], ...]
    measure: str
    automatic: bool
    found_at: datetime
    changed_at: datetime
    decided_at: datetime | None
    removed_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class HitsPage:
    """Some of them, newest first; `next` asks for more, empty at the end.

    Attributes:
        total: how many there are, counted up to `MAX_COUNTED`.
    """

    items: tuple[HitSummary, ...]
    total: int
    next: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A line of a hit's history.

    Attributes:
        place: of the hit's decisions, where it is one and on the ledger; else 0. sheet: number of the sheet that it
            stands in. deposit: of the sheet.
    """

    kind: str
    before: str
    after: str
    organisation: UUID | None
    user: int | None
    facts: Mapping[str, Any]
    at: datetime
    place: int = 0
    sheet: str = ""
    deposit: UUID | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Opinion:
    """What a person said of it; who, by number. Notes are for the person's own organisation.

    Attributes:
        stands: it says yes or no to what the hit shows now, and was not taken back.
    """

    user: int
    organisation: UUID
    answer: str
    why: str
    note: str
    at: datetime
    undone_at: datetime | None
    stands: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class HitStory:
    """A hit with everything that explains it.

    Attributes:
        found: text hits (mark, view, characters) and picture hits (part, score), see `watch.found`.
        reasons: codes of the catalogue with their facts, in the order of the questions.
        history, opinions: the newest `MAX_STEPS`.
        matter: the one about it, of whichever organisation; its number only where it is the reader's own.
    """

    summary: HitSummary
    listing: Listing
    features: Mapping[str, Any]
    found: Mapping[str, Any]
    reasons: tuple[tuple[str, Mapping[str, Any]], ...]
    marks: str
    organisation: UUID
    why: str
    wanted: str
    scan: UUID | None
    matter: UUID | None
    matter_number: str
    seller: SellerSummary | None
    seller_hits: Mapping[str, int]
    history: tuple[Step, ...]
    measures: tuple[MeasureSummary, ...]
    opinions: tuple[Opinion, ...]


def hits_of(
    actor: Actor, filters: Filters | None = None, *, after: str = "", limit: int = MAX_PAGE, offset: int = 0
) -> HitsPage:
    """Those that fit, newest first.

    Args:
        after: number of the last one already seen.
        offset: how many are left out, at most `MAX_COUNTED`: for pages with numbers; `after` leads to any end.

    Raises:
        Refused: `watch.hit_not_found` for a wrong `after`; what people's `must` raises.
    """
    wanted = filters or Filters()
    last = access.hit(actor, after) if after else None
    size, offset = min(limit, MAX_PAGE), min(offset, MAX_COUNTED)

    def left(rows: QuerySet[Hit]) -> QuerySet[Hit]:
        rows = filtered(rows, wanted)
        if last is None:
            return rows
        older = Q(found_at__lt=last.found_at) | Q(found_at=last.found_at, number__lt=last.number)
        return rows.filter(older, found_at__lte=last.found_at)  # twice the same, so that an index leads there

    page = access.first_hits(actor, ("-found_at", "-number"), size + 1, offset=offset, narrow=left)
    return HitsPage(
        items=summaries_of(page[:size], actor),
        total=filtered(access.hits(actor), wanted)[:MAX_COUNTED].count(),
        next=page[size - 1].number if len(page) > size else "",
    )


def summaries_of(rows: Sequence[Hit], actor: Actor) -> tuple[HitSummary, ...]:
    """The frozen form of rows, with the titles of works that are the actor's own. For this room only."""
    works = {each.right for each in rows if each.right.startswith("W-") and each.organisation == actor.organisation_id}
    titles = works_named(actor, works) if works and actor.may("view_rights") else {}
    return tuple(_summary(each, titles[each.right].record.title if each.right in titles else "") for each in rows)


def hit_of(actor: Actor, which: UUID | str) -> HitStory:
    """One of them, whole; of the seller's other hits, of notes and of matters, what the actor may see.

    Raises:
        Refused: `watch.hit_not_found`; what people's `must` raises.
    """
    return story_of(access.hit(actor, which), actor)


def filtered(rows: QuerySet[Hit], filters: Filters) -> QuerySet[Hit]:
    """Rows that fit."""
    plain = {
        "state": filters.state,
        "marketplace__name": filters.marketplace,
        "seller": filters.seller,
        "right_number": filters.right,
        "outcome": filters.outcome,
    }
    rows = rows.filter(**{name: value.replace("\x00", "") for name, value in plain.items() if value})
    if filters.automatic is not None:
        rows = rows.filter(automatic=filters.automatic)
    if filters.since is not None:
        rows = rows.filter(found_at__gte=datetime.combine(filters.since, time(), UTC))
    if filters.rule:
        # Looking into JSON differs between databases; its text does not, and names of rules have no quotes.
        name = filters.rule.replace("\x00", "")[:40]
        rows = rows.annotate(rules_text=Cast("rules", TextField())).filter(rules_text__contains=f'"{name}"')
    return rows


def story_of(row: Hit, actor: Actor) -> HitStory:
    """The frozen form of a row with what belongs to it, as far as the actor may see it. For this room only.

    Of another organisation's notes and matters nothing is told but that they are there.

    Raises:
        Refused: what people's `must` raises.
    """
    mine = actor.organisation_id
    seller = Seller.objects.filter(marketplace=row.marketplace, number=row.seller).first()
    others = access.hits(actor).filter(marketplace=row.marketplace, seller=row.seller)
    events = list(row.events.order_by("-pk")[:MAX_STEPS])[::-1]
    opened = row.events.filter(kind__in=REOPENING, after="open").order_by("-pk").values_list("at", flat=True)[:1]
    theirs = row.events.filter(kind="matter").exclude(organisation=mine).exists()
    stated = _stated([each.pk for each in events])
    votes = list(Vote.objects.filter(hit=row).order_by("-pk")[:MAX_STEPS])[::-1]
    opinions = tuple(_opinion(each, list(opened)) for each in votes)
    return HitStory(
        summary=summaries_of([row], actor)[0],
        listing=listings.decode(bytes(row.listing)),
        features=row.features,
        found=row.found,
        reasons=tuple((code, facts) for code, facts in row.reasons),
        marks=row.marks,
        organisation=row.organisation,
        why=row.why,
        wanted=row.wanted,
        scan=row.scan,
        matter=row.matter,
        matter_number="" if theirs else row.matter_number,
        seller=seller_summary(seller, row.marketplace.name) if seller else None,
        seller_hits=_by_state(others),
        history=tuple(
            Step(
                kind=each.kind,
                before=each.before,
                after=each.after,
                organisation=each.organisation,
                user=each.user,
                facts={} if each.kind == "matter" and each.organisation != mine else each.facts,
                at=each.at,
                **stated.get(each.pk, {}),
            )
            for each in events
        ),
        measures=tuple(map(measures.summary_of, row.measures.select_related("marketplace").order_by("pk"))),
        opinions=tuple(each if each.organisation == mine else replace(each, note="") for each in opinions),
    )


def _stated(events: Sequence[int]) -> dict[int, dict[str, Any]]:
    """Of those lines of a history that are decisions on the ledger, where they stand there."""
    rows = DecisionRecord.objects.filter(event__in=events, sheet__deposit__isnull=False)
    found = rows.values_list("event", "place", "sheet__number", "sheet__deposit")
    return {event: {"place": place, "sheet": number, "deposit": deposit} for event, place, number, deposit in found}


def _by_state(rows: QuerySet[Hit]) -> dict[str, int]:
    return dict(rows.values_list("state").annotate(Count("pk")).order_by("state"))


def _summary(row: Hit, work: str) -> HitSummary:
    return HitSummary(
        id=row.pk,
        number=row.number,
        state=row.state,
        marketplace=row.marketplace.name,
        item=row.item,
        version=row.version,
        seller=row.seller,
        title=row.title,
        spans=_spans(row, "title"),
        right=row.right,
        right_number=row.right_number,
        mark=next((each["term"] for each in row.found.get("texts", ())), ""),
        work=work,
        outcome=row.outcome,
        score=row.score,
        priority=row.priority,
        keys=tuple(row.keys),
        rules=tuple((name, version) for name, version in row.rules),
        measure=row.measure,
        automatic=row.automatic,
        found_at=row.found_at,
        changed_at=row.changed_at,
        decided_at=row.decided_at,
        removed_at=row.removed_at,
    )


def _spans(row: Hit, field: str) -> tuple[tuple[int, int], ...]:
    return tuple((each["start"], each["end"]) for each in row.found.get("texts", ()) if each["field"] == field)


def _opinion(row: Vote, opened: Sequence[datetime]) -> Opinion:
    """A vote; `opened` is when the hit was opened last."""
    return Opinion(
        user=row.user,
        organisation=row.organisation,
        answer=row.answer,
        why=row.why,
        note=row.note,
        at=row.at,
        undone_at=row.undone_at,
        stands=row.undone_at is None and row.answer != "skip" and all(row.at >= each for each in opened),
    )
