"""What the operator keeps of offices, and what waits for the operator. For the operator's commands only."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db.models import Count, Max

from chopmark.base import jcs
from chopmark.people.queries import organisation_name
from chopmark.rights import encoding, history
from chopmark.rights.models import Event, OfficeRecord, Right


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptOffice:
    """How many records of an office are kept for comparison, and when it gave the newest."""

    office: str
    records: int
    newest: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """A right that is being checked.

    Attributes:
        reasons: codes of what is missing or wrong, as the last check noted them.
    """

    number: str
    organisation_id: UUID
    organisation_name: str
    state: str
    title: str
    papers: int
    reasons: tuple[str, ...]


def kept_offices() -> tuple[KeptOffice, ...]:
    """By office."""
    found = OfficeRecord.objects.values("office").annotate(records=Count("pk"), newest=Max("fetched_at"))
    return tuple(
        KeptOffice(office=each["office"], records=each["records"], newest=each["newest"])
        for each in found.order_by("office")
    )


def waiting(*, limit: int = 200) -> tuple[Waiting, ...]:
    """Rights that somebody handed in and nobody has decided on, the oldest change first."""
    rows = Right.objects.filter(state__in=("submitted", "checking"))
    return tuple(_waiting(each) for each in rows.order_by("changed_at", "number")[:limit])


def _waiting(row: Right) -> Waiting:
    right = encoding.parse_right(jcs.decode(bytes(row.current)))
    last = Event.objects.filter(subject=row.pk).order_by("-seq").first()
    payload = None if last is None else history.Event.parse(bytes(last.body)).payload
    return Waiting(
        number=row.number,
        organisation_id=row.organisation,
        organisation_name=organisation_name(row.organisation) or "",
        state=row.state,
        title=right.record.title or (right.record.mark.verbal if right.record.mark else ""),
        papers=row.papers.count(),
        reasons=tuple(getattr(payload, "reasons", ())),
    )
