"""What all changes of rights share: numbers, events on the ledger, rows that show how a right stands, who may act.

An event is deposited first and written then, because the deposit takes its own turn with the database. Two who change
one right at the same moment both deposit, and the second is told that somebody was faster: its deposit stays on the
ledger as a digest that no history has, which says nothing to anybody.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from django.db import IntegrityError, connection, transaction

from chopmark.base import jcs
from chopmark.base.digests import digests_of
from chopmark.base.errors import Invalid, PlatformError, Refused
from chopmark.evidence import actions as evidence
from chopmark.evidence.actions import NewDeposit
from chopmark.people.actor import Actor
from chopmark.people.queries import organisation_name
from chopmark.rights import classes, comparison, encoding, history, lifecycle, numbers, offices
from chopmark.rights.consistency import MAX_SHOWN, folded
from chopmark.rights.history import Event, Payload, allowed_in
from chopmark.rights.models import (
    Event as EventRow,
)
from chopmark.rights.models import (
    Right as RightRow,
)
from chopmark.rights.models import (
    RightClass,
    RightNumber,
    RightTerritory,
    Serial,
)
from chopmark.rights.queries.access import places_of
from chopmark.rights.record import Difference, Record, Right


@dataclass(frozen=True, slots=True, kw_only=True)
class Operator:
    """Whoever runs the platform, at its own machine. Made by the operator's commands and by jobs, never by a page."""

    name: str = "operator"


By = Actor | Operator
MAX_EVENT = 2_000_000  # bytes; the longest specification of goods in five languages has about 400,000


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One event to come."""

    type: str
    payload: Payload
    at_law: date | None = None


def take_numbers(letter: str, count: int, at: datetime) -> list[str]:
    """The next short numbers, `R-2026-000001`. One that is not used leaves a gap."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("UPDATE rights_serial SET last = last + %s WHERE name = %s RETURNING last", [count, letter])
        row = cursor.fetchone()
        if row is None:
            Serial.objects.create(name=letter, last=count)
    last = count if row is None else int(row[0])
    return [f"{letter}-{at.year}-{each:06d}" for each in range(last - count + 1, last + 1)]


def current(row: RightRow) -> Right:
    """The right of a row."""
    return encoding.parse_right(jcs.decode(bytes(row.current)))


def day_at(row: RightRow, at: datetime) -> date:
    """The day that it is at the right's office: what happens to a right without a day of its own happens on this."""
    return offices.day(row.office, at)


def organisation_of(by: By) -> UUID | None:
    """Who acts, for events; None for the operator."""
    return by.organisation_id if isinstance(by, Actor) else None


def servant_of(organisation_id: UUID, made_by: int | None = None) -> Actor:
    """Deposits on an organisation's account where the person who acts belongs to its agent, or is no person."""
    return Actor(
        user_id=made_by,
        organisation_id=organisation_id,
        organisation_name=organisation_name(organisation_id) or "",
        role="depositor",
    )


def chained(subject: UUID, seq: int, before: bytes, steps: Iterable[Step], *, by: By, at: datetime) -> list[Event]:
    """The events of these steps, one hanging on the other.

    Raises:
        Invalid: what `must_read_back` raises; `rights.record_too_large`.
    """
    actor = organisation_of(by)
    made: list[Event] = []
    for number, step in enumerate(steps, seq + 1):
        event = Event(
            right=str(subject),
            seq=number,
            type=step.type,
            recorded_at=at,
            at_law=step.at_law,
            payload=step.payload,
            by="" if actor is None else str(actor),
            before=before,
        )
        must_read_back(event.payload)
        if len(event.encode()) > MAX_EVENT:
            raise Invalid("rights.record_too_large", limit=MAX_EVENT)
        made.append(event)
        before = event.sha256
    return made


def must_read_back(value: object) -> None:
    """Stop at a value that nobody could read again: control characters, lone surrogates, a word that is no code.

    Raises:
        Invalid: what `encoding.parse` raises.
    """
    encoding.parse(type(value), encoding.encode(value))


def one_at_a_time() -> None:
    """Inside a transaction: nobody else files or verifies meanwhile, so that what was looked for is still missing."""
    Serial.objects.select_for_update().filter(name="R").first()


def deposit_events(events: Sequence[tuple[str, Event]], organisation_id: UUID, *, by: By, at: datetime) -> list[UUID]:
    """Put the digests of events, each under the number of its subject, on the ledger; ids of the deposits.

    Raises:
        Refused, Unavailable: what evidence's `deposit` raises.
    """
    user = by.user_id if isinstance(by, Actor) else None
    drafts = [
        NewDeposit(
            kind="document",
            digests=digests_of([event.encode()]),
            title=f"{number} ({event.seq})",
            file_name=f"{number}-{event.seq}.json",
            media_type="application/json",
            private=True,
            source="worker" if isinstance(by, Operator) else "api" if user is None else "page",
        )
        for number, event in events
    ]
    servant = servant_of(organisation_id, user)
    made: list[UUID] = []
    for start in range(0, len(drafts), evidence_batch()):
        for each in evidence.deposit(drafts[start : start + evidence_batch()], by=servant, at=at):
            if isinstance(each, PlatformError):
                raise each
            made.append(each.id)
    return made


def evidence_batch() -> int:
    """How many deposits one call takes."""
    return 1000


def event_rows(events: Sequence[Event], deposits: Sequence[UUID], organisation_id: UUID, *, by: By) -> list[EventRow]:
    """The rows of events that were deposited."""
    user = by.user_id if isinstance(by, Actor) else None
    return [
        EventRow(
            subject=UUID(event.right),
            seq=event.seq,
            type=event.type,
            at_law=event.at_law,
            recorded_at=event.recorded_at,
            body=event.encode(),
            sha256=event.sha256,
            deposit=deposit,
            organisation=organisation_id,
            actor=organisation_of(by),
            made_by=user,
        )
        for event, deposit in zip(events, deposits, strict=True)
    ]


def change(
    row: RightRow, steps: Sequence[Step], *, by: By, at: datetime, also: Callable[[], None] | None = None
) -> RightRow:
    """Record what happened to a right: deposit the events, then write them and how the right stands after them.

    The row is as it was read: when it has moved since, nothing is written. Where the clock went back, the time of the
    event before is taken.

    Args:
        also: writes what belongs to it, in the same transaction.

    Raises:
        Refused: `rights.state_wrong`, `rights.moved`; what evidence's `deposit` raises.
    """
    at = max(at, row.changed_at)
    right = current(row)
    events = chained(row.pk, row.version, bytes(row.head), steps, by=by, at=at)
    for event in events:
        must_allow(right, event.type)
        right = history.follow(right, event)
    deposits = deposit_events([(row.number, each) for each in events], row.organisation, by=by, at=at)
    made = event_rows(events, deposits, row.organisation, by=by)
    before = current(row).record
    try:
        with transaction.atomic():
            fresh = RightRow.objects.select_for_update().get(pk=row.pk)
            if fresh.version != row.version:
                raise Refused("rights.moved", number=row.number)
            EventRow.objects.bulk_create(made)
            show(fresh, right, events[-1].sha256, at)
            fresh.save()
            if before != right.record:
                write_filters([(fresh, right.record)], anew=True)
            if also is not None:
                also()
    except IntegrityError as error:  # the place of the event is taken
        raise Refused("rights.moved", number=row.number) from error
    return fresh


def must_allow(right: Right, event_type: str) -> None:
    """Stop here when an event of this type has no place in the right's state.

    Raises:
        Refused: `rights.state_wrong`.
    """
    if right.state not in allowed_in(event_type):
        raise Refused("rights.state_wrong", number=right.number, state=right.state, event=event_type)


def show(row: RightRow, right: Right, head: bytes, at: datetime) -> None:
    """Write into the row, not yet the database, how the right stands."""
    record = right.record
    newly = right.state == "verified" and row.state != "verified"
    row.kind, row.office, row.st13 = record.kind, record.office[:8], record.st13[:32]
    row.application_number = record.application_number[:64]
    row.registration_number = record.registration_number[:64]
    row.verbal = record.mark.verbal[:MAX_SHOWN] if record.mark else ""
    row.title = (record.title or row.verbal)[:MAX_SHOWN]
    row.sign = folded(comparison.register_words(record, _differences(right)))
    row.image = record.mark.image if record.mark else None
    row.status, row.state, row.level = record.status, right.state, right.level
    row.expiry_date, row.version, row.head = record.expiry_date, right.version, head
    row.watch_from = watch_from(right)
    row.current = jcs.encode(encoding.encode(right))
    row.changed_at = at
    row.verified_at = at if newly else row.verified_at


def _differences(right: Right) -> tuple[Difference, ...]:
    return right.verification.differences if right.verification is not None else ()


def write_filters(rows: Sequence[tuple[RightRow, Record]], *, anew: bool = False) -> None:
    """Numbers, classes and territories of rights, for lists and search; no class that has ended.

    Must run inside the transaction.
    """
    if anew:
        for kind in (RightNumber, RightClass, RightTerritory):
            kind.objects.filter(right__in=[row for row, _ in rows]).delete()
    RightNumber.objects.bulk_create(
        [RightNumber(right=row, key=key[:80]) for row, record in rows for key in sorted(numbers.keys(record))]
    )
    RightClass.objects.bulk_create(
        [
            RightClass(right=row, scheme=scheme, code=code[:32])
            for row, record in rows
            for scheme, code in sorted(
                {(each.scheme, each.code) for each in classes.counting(record.classes, day_at(row, row.changed_at))}
            )
        ]
    )
    RightTerritory.objects.bulk_create(
        [RightTerritory(right=row, territory=code[:8]) for row, record in rows for code in sorted(places_of(record))]
    )


def watch_from(right: Right) -> date | None:
    """The first day on which something of the right may come due; None for never."""
    if right.state in history.CLOSED or right.state == "draft":
        return None
    record = right.record
    ends = [each.until for each in right.customs] + [each.until for each in right.interests if each.ended_on is None]
    days = [each - lifecycle.NEAR for each in (*ends, record.expiry_date) if each is not None]
    if record.kind == "trademark" and record.office == "US" and record.registration_date is not None:
        days.append(lifecycle.plus_months(record.registration_date, 72) - lifecycle.NEAR)
    return min(days, default=None)


def must_fit(name: str, value: str, limit: int) -> None:
    """Stop at a text that is too long.

    Raises:
        Invalid: `rights.text_too_long`.
    """
    if len(value) > limit:
        raise Invalid("rights.text_too_long", name=name, limit=limit)
