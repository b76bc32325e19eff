"""What all changes of this room share: numbers, steps of a hit with their history, statements on the ledger."""

from __future__ import annotations

import hashlib
import secrets
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
from chopmark.watch.decisions import DECISIONS, NONCE_SIZE, Asked, Record, Who, findings
from chopmark.watch.life import Event
from chopmark.watch.models import DecisionRecord, Hit, HitEvent, Seller, Serial

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

    Of a step that decides a record is written for the ledger: the row must say what was judged, and still say which
    measure is in force.

    Raises:
        Refused: `watch.hit_state_wrong`.
    """
    before, hit.state = hit.state, life.after(life.STATES[life.STATES.index(hit.state)], event)
    hit.changed_at = at
    hit.decided_at = at if hit.state in ("confirmed", "dismissed", "released") else None
    return note(hit, event, before=before, by=by, at=at, facts=facts)


def decide(hit: Hit, what: Asked, *, at: datetime, facts: Mapping[str, Any]) -> HitEvent:
    """Write what the rules decide of a hit that stays where it is; recorded as `step` does."""
    return note(hit, what, by=THE_RULES, at=at, facts=facts)


def note(
    hit: Hit, kind: str, *, by: By, at: datetime, before: str | None = None, facts: Mapping[str, Any] | None = None
) -> HitEvent:
    """One more line in a hit's history."""
    person = by if isinstance(by, Actor) else None
    event = HitEvent.objects.create(
        hit=hit,
        kind=kind,
        before=hit.state if before is None else before,
        after=hit.state,
        organisation=person.organisation_id if person else None,
        user=person.user_id if person else None,
        facts=dict(facts or {}),
        at=at,
    )
    if kind in DECISIONS:
        _record(hit, event, by)
    return event


def _record(hit: Hit, event: HitEvent, by: By) -> None:
    """The decision as the ledger will know it, in the transaction that decides: there with it, or not at all."""
    facts: Mapping[str, Any] = event.facts
    before = DecisionRecord.objects.filter(hit=hit).order_by("-place")
    record = Record(
        number=hit.number,
        place=1 + (before.values_list("place", flat=True).first() or 0),
        marketplace=hit.marketplace.name,
        item=hit.item,
        version=hit.version,
        listing=hashlib.sha256(bytes(hit.listing)).hexdigest(),
        right=hit.right,
        right_number=hit.right_number,
        marks=hit.marks,
        rules=tuple((name, version) for name, version in hit.rules),
        found=findings(hit.found),
        outcome=hit.outcome,
        score=hit.score,
        keys=tuple(hit.keys),
        step=event.kind,
        before=event.before,
        after=event.after,
        why=facts.get("why", ""),
        measure=facts.get("measure", "takedown" if event.kind == "automatic" else ""),
        in_force=hit.measure,
        source=_source(facts),
        who=_who(hit, by),
        at=event.at,
    )
    DecisionRecord.objects.create(
        hit=hit,
        event=event,
        place=record.place,
        organisation=hit.marketplace.organisation,
        body=record.encode(secrets.token_bytes(NONCE_SIZE)),
        at=event.at,
    )


def _source(facts: Mapping[str, Any]) -> str:
    """Where a decision comes from, of what its step says."""
    return facts.get("source") or ("audit" if "audit" in facts else "alarm" if "rule" in facts else "review")


def _who(hit: Hit, by: By) -> Who:
    """Whose reviewer decided, or the rules; never who."""
    if not isinstance(by, Actor):
        return "rules"
    return "marketplace" if by.organisation_id == hit.marketplace.organisation else "holder"


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
