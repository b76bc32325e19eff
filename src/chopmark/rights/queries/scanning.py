"""What a scan of marketplaces needs of the registry: the signs of rights that may back a measure, and what changed.

For rooms that act for the platform, never for a person: no actor is asked here, so nothing of it is shown as it is.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from uuid import UUID

from chopmark.base import jcs
from chopmark.rights import coverage, encoding
from chopmark.rights.lifecycle import BACKING
from chopmark.rights.models import Event
from chopmark.rights.models import Right as RightRow
from chopmark.rights.models.works import Work as WorkRow
from chopmark.rights.queries.follow import OVERLAP, WORDED
from chopmark.rights.record import Right

AT_ONCE = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Sign:
    """A right's sign, with the right as it stands.

    Attributes:
        texts: its words first, then how they are written in other letters.
        territories: countries in which it surely has effect on the day that was asked for.
        classes: Nice classes that count on that day.
    """

    id: UUID
    number: str
    organisation: UUID
    kind: str
    texts: tuple[str, ...]
    classes: tuple[str, ...]
    territories: tuple[str, ...]
    image: bytes | None
    right: Right


def signs(on: date, rights: Collection[UUID] | None = None) -> Iterator[Sign]:
    """Signs of rights that may back a measure on a day, by number; of these rights only, where some are named."""
    rows = RightRow.objects.filter(state__in=BACKING, kind__in=WORDED)
    if rights is not None:
        rows = rows.filter(pk__in=rights)
    for row in rows.order_by("number").iterator(chunk_size=AT_ONCE):
        right = encoding.parse_right(jcs.decode(bytes(row.current)))
        if right.level < coverage.LEAST.get(right.record.kind, 2):
            continue
        mark = right.record.mark
        told = (mark.verbal, mark.transliteration) if mark is not None else (right.record.title,)
        yield Sign(
            id=row.pk,
            number=row.number,
            organisation=row.organisation,
            kind=row.kind,
            texts=tuple(dict.fromkeys(each.strip() for each in told if each.strip())),
            classes=_classes(right, on),
            territories=tuple(sorted(coverage.reach(right, on=on))),
            image=bytes(row.image) if row.image is not None else None,
            right=right,
        )


def _classes(right: Right, on: date) -> tuple[str, ...]:
    codes = {
        each.code.lstrip("0")
        for each in right.record.classes
        if each.scheme == "nice"
        and (each.since is None or each.since <= on)
        and (each.until is None or on < each.until)
    }
    return tuple(sorted(codes, key=lambda code: (len(code), code)))


def changed_since(position: int, limit: int = AT_ONCE) -> tuple[int, tuple[UUID, ...]]:
    """The rights that changed after a position, and the position after them.

    A few events before the position are looked at again, since a lower number may be committed later (PostgreSQL): who
    follows has to bear seeing a right twice.
    """
    found = list(Event.objects.filter(pk__gt=position).order_by("pk").values_list("pk", "subject")[:limit])
    again = Event.objects.filter(pk__gt=position - OVERLAP, pk__lte=position) if found else Event.objects.none()
    subjects = {*again.values_list("subject", flat=True), *(each for _, each in found)}
    rights = RightRow.objects.filter(pk__in=subjects).order_by("number").values_list("pk", flat=True)
    return (found[-1][0] if found else position), tuple(rights)


def holders(works: Collection[str] | None = None) -> Mapping[str, UUID]:
    """Whose works are, by their numbers; of these works only, where some are named."""
    rows = WorkRow.objects.all() if works is None else WorkRow.objects.filter(number__in=works)
    return dict(rows.values_list("number", "organisation"))
