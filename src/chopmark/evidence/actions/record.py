"""Record: one more line in a matter's custody log. For the actions of this room only."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from uuid import UUID

from django.db import connection, transaction

from chopmark.base.errors import Refused
from chopmark.evidence import custody, wiring
from chopmark.evidence.custody import Fact, Who
from chopmark.evidence.matters import Guest
from chopmark.evidence.models import CustodyLine, Matter, Serial
from chopmark.people.actor import Actor

WORKER = Who(kind="worker", id="chopmark")
LEASE = timedelta(minutes=30)  # a job is its worker's for so long after the last sign of life


def who_is(by: Actor | Guest) -> Who:
    """How the custody log names somebody: by number, not by name."""
    if isinstance(by, Guest):
        return Who(kind="guest", id=str(by.grant_id))
    if by.api_key_id is not None:
        return Who(kind="program", id=by.api_key_id)
    return Who(kind="person", id=str(by.user_id))


@contextmanager
def changing(matter_id: UUID, by: Actor | None) -> Iterator[Matter]:
    """The matter's row, locked, inside a transaction: what is changed in here is changed whole, one after the other.

    Args:
        by: whose organisation it must be; None for the platform itself.

    Raises:
        Refused: `matter.not_found`.
        Unavailable: `ledger.database_unavailable`.
    """
    with wiring.answering(), transaction.atomic():
        rows = Matter.objects.filter(pk=matter_id, deleted_at=None)
        if by is not None:
            rows = rows.filter(organisation=by.organisation_id)
        row = rows.select_for_update().first()
        if row is None:
            raise Refused("matter.not_found")
        yield row


def record(
    matter: Matter, action: str, *, who: Who, at: datetime, item: str = "", facts: Mapping[str, Fact] | None = None
) -> custody.Entry:
    """Write the next line. The matter's row must be locked by `changing`."""
    last = CustodyLine.objects.filter(matter=matter).order_by("-seq").first()
    before = custody.parse_line(bytes(last.line)) if last is not None else None
    entry = custody.follow(before, at=at, who=who, action=action, item=item, facts=facts or {})
    CustodyLine.objects.create(matter=matter, seq=entry.seq, line=entry.line())
    return entry


def next_number(name: str, letter: str, at: datetime) -> str:
    """The next short number of a kind, `M-2026-000001`; the count goes on over the years. In a transaction."""
    with connection.cursor() as cursor:
        cursor.execute("UPDATE evidence_serial SET last = last + 1 WHERE name = %s RETURNING last", [name])
        row = cursor.fetchone()
    if row is None:
        Serial.objects.create(name=name, last=1)
        row = (1,)
    return f"{letter}-{at.year}-{int(row[0]):06d}"
