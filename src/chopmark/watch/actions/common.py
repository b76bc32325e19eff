"""What all changes of this room share: numbers, steps of a hit with their history, statements on the ledger."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.models import Count, Q

from chopmark.base.digests import digests_of
from chopmark.base.errors import Invalid, PlatformError
from chopmark.evidence import actions as evidence
from chopmark.evidence.actions import NewDeposit
from chopmark.people.actor import Actor
from chopmark.people.queries import organisation_name
from chopmark.watch import life
from chopmark.watch.life import Event
from chopmark.watch.models import Hit, HitEvent, Seller, Serial

MAX_NOTE = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """The platform's rules act, no person: scans, the feed, two keys."""

    name: str = "rules"


By = Actor | Rules
THE_RULES = Rules()


def take_numbers(letter: str, count: int, at: datetime) -> list[str]:
    """The next short numbers, `H-2026-000001`. In a transaction; the counter's row stays locked until it ends."""
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO watch_serial (name, last) VALUES (%s, %s) "
            "ON CONFLICT (name) DO UPDATE SET last = watch_serial.last + excluded.last RETURNING last",
            [letter, count],
        )
        [last] = cursor.fetchone()
    return [f"{letter}-{at.year}-{each:06d}" for each in range(int(last) - count + 1, int(last) + 1)]


def position(name: str) -> int:
    """How far a follower has come."""
    row, _ = Serial.objects.get_or_create(name=name)
    return row.last


def move_to(name: str, last: int) -> None:
    """How far a follower has come now."""
    Serial.objects.filter(name=name).update(last=last)


def step(hit: Hit, event: Event, *, by: By, at: datetime, facts: Mapping[str, Any] | None = None) -> HitEvent:
    """Move a hit along its life, in the row and in its history. The row must be locked; it is not saved here.

    Raises:
        Refused: `watch.hit_state_wrong`.
    """
    before, hit.state = hit.state, life.after(life.STATES[life.STATES.index(hit.state)], event)
    hit.changed_at = at
    hit.decided_at = at if hit.state in ("confirmed", "dismissed", "released") else None
    return note(hit, event, before=before, by=by, at=at, facts=facts)


def note(
    hit: Hit, kind: str, *, by: By, at: datetime, before: str | None = None, facts: Mapping[str, Any] | None = None
) -> HitEvent:
    """One more line in a hit's history."""
    person = by if isinstance(by, Actor) else None
    return HitEvent.objects.create(
        hit=hit,
        kind=kind,
        before=hit.state if before is None else before,
        after=hit.state,
        organisation=person.organisation_id if person else None,
        user=person.user_id if person else None,
        facts=dict(facts or {}),
        at=at,
    )


def recount(hits: Sequence[Hit]) -> None:
    """Write how many hits of these hits' sellers persons have confirmed and dismissed, as they stand now.

    What two keys confirmed by themselves does not count: it would become a key of its own for the seller's next hit.
    In a transaction; of two who count one seller the second counts what the first did, and all go in one order.
    """
    for marketplace, seller in sorted({(each.marketplace_id, each.seller) for each in hits}):
        row = Seller.objects.select_for_update().filter(marketplace=marketplace, number=seller).first()
        if row is not None:
            rows = Hit.objects.filter(marketplace=marketplace, seller=seller, automatic=False)
            stands = rows.aggregate(
                confirmed=Count("pk", filter=Q(state="confirmed")), dismissed=Count("pk", filter=Q(state="dismissed"))
            )
            Seller.objects.filter(pk=row.pk).update(**stands)


def count(marketplace: UUID, day: date, counts: Mapping[str, int]) -> None:
    """Add to the figures of a day, always in the order of their names."""
    with connection.cursor() as cursor:
        for name in sorted(each for each, more in counts.items() if more):
            cursor.execute(
                "INSERT INTO watch_figure (day, marketplace_id, name, count) VALUES (%s, %s, %s, %s) "
                "ON CONFLICT (day, marketplace_id, name) DO UPDATE SET count = watch_figure.count + excluded.count",
                [day, marketplace if connection.vendor == "postgresql" else marketplace.hex, name, counts[name]],
            )


def state_on_ledger(
    papers: Sequence[tuple[str, str, bytes]], organisation: UUID, *, by: By, at: datetime
) -> list[UUID]:
    """Put the digests of papers on the ledger, each (title, file name, bytes) a private deposit; the deposits' ids.

    The same paper again is the deposit that it has. Not in a transaction: deposits take their own.

    Raises:
        Refused, Unavailable: what evidence's `deposit` raises.
    """
    user = by.user_id if isinstance(by, Actor) else None
    servant = Actor(
        user_id=user,
        organisation_id=organisation,
        organisation_name=organisation_name(organisation) or "",
        role="depositor",
    )
    drafts = [
        NewDeposit(
            kind="document",
            digests=digests_of([data]),
            title=title,
            file_name=name,
            media_type="application/json" if name.endswith(".json") else "text/plain",
            private=True,
            source="worker" if user is None else "page",
        )
        for title, name, data in papers
    ]
    made: list[UUID] = []
    for start in range(0, len(drafts), evidence.MAX_BATCH):
        for each in evidence.deposit(drafts[start : start + evidence.MAX_BATCH], by=servant, at=at):
            if isinstance(each, PlatformError):
                raise each
            made.append(each.id)
    return made


def must_read(text: str, limit: int = MAX_NOTE) -> str:
    """A short text that somebody typed.

    Raises:
        Invalid: `watch.text_malformed`.
    """
    said = text.replace("\r\n", "\n").strip()
    if len(said) > limit or any(
        (ord(each) < 0x20 and each not in "\n\t") or 0xD800 <= ord(each) < 0xE000 for each in said
    ):
        raise Invalid("watch.text_malformed", limit=limit)
    return said
