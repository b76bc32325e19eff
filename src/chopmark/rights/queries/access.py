"""Who may see or change which rights: the holder's organisation, and its agents as far as a mandate in force reaches.

For this room only: rows go no further. What somebody may not see is answered like what does not exist.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime
from uuid import UUID

from django.db.models import Q, QuerySet

from chopmark.base import jcs
from chopmark.base.errors import Refused
from chopmark.people.actor import Actor
from chopmark.rights import encoding, offices, territories
from chopmark.rights.models import Mandate as MandateRow
from chopmark.rights.models import Right
from chopmark.rights.record import Mandate, Power, Record


def mandate_of(row: MandateRow) -> Mandate:
    """The mandate of a row."""
    return encoding.parse_mandate(jcs.decode(bytes(row.current)))


def in_force(mandate: Mandate, on: date) -> bool:
    """Whether it is on that day: accepted, begun, and not over; the day of its end does not count any more."""
    accepted = mandate.accepted_on is not None and mandate.accepted_on <= on
    return accepted and (mandate.since is None or mandate.since <= on) and not ended(mandate, on)


def ended(mandate: Mandate, on: date) -> bool:
    """Whether its end, or its revocation, is not after that day."""
    return any(each is not None and each <= on for each in (mandate.until, mandate.revoked_on))


def mandates_for(agent: UUID, on: date, principal: UUID | None = None) -> tuple[Mandate, ...]:
    """Mandates that an organisation has as an agent and that are in force on a day."""
    rows = MandateRow.objects.filter(agent=agent, accepted_on__lte=on)
    rows = rows if principal is None else rows.filter(principal=principal)
    return tuple(each for each in map(mandate_of, rows.order_by("made_at")) if in_force(each, on))


def reaches(mandate: Mandate, right_id: UUID | None, places: Iterable[str], power: Power, on: date) -> bool:
    """Whether a mandate covers a right, a power and surely all of these territories; None for a right to come."""
    return (
        (not mandate.rights or str(right_id) in mandate.rights)
        and power in mandate.powers
        and (not mandate.territories or all(_within(each, mandate.territories, on) for each in places))
    )


def _within(place: str, given: Iterable[str], on: date) -> bool:
    known = [each for each in given if territories.known(each)]
    return territories.known(place) and any(territories.contains(each, place, on) for each in known)


def places_of(record: Record) -> frozenset[str]:
    """The territories that a record names; without designations, its office's own."""
    named = frozenset(each.territory for each in record.designations)
    if named or not offices.known(record.office):
        return named
    return frozenset((offices.office(record.office).territory,)) - {""}


def visible(actor: Actor, at: datetime | None) -> QuerySet[Right]:
    """Rights of the actor's organisation and, where a moment is given, those that its mandates let it see then."""
    actor.must("view_rights")
    own = Q(organisation=actor.organisation_id)
    if at is None:
        return Right.objects.filter(own)
    for mandate in mandates_for(actor.organisation_id, at.date()):
        theirs = Q(organisation=UUID(mandate.principal))
        own |= theirs & Q(pk__in=[UUID(each) for each in mandate.rights]) if mandate.rights else theirs
    return Right.objects.filter(own)


def named(rows: QuerySet[Right], which: UUID | str) -> Right:
    """One of these rows, by id or short number.

    Raises:
        Refused: `rights.not_found`.
    """
    if isinstance(which, UUID):
        row = rows.filter(pk=which).first()
    else:
        try:
            row = rows.filter(pk=UUID(which)).first()
        except ValueError:
            row = rows.filter(number=which.replace("\x00", "").strip().upper()[:24]).first()
    if row is None:
        raise Refused("rights.not_found")
    return row


def right_to_change(by: Actor, which: UUID | str, at: datetime, *, power: Power, version: int | None = None) -> Right:
    """The row of a right that the actor may change: its holder, or an agent with this power over all of it.

    Raises:
        Refused: `rights.not_found`, `rights.mandate_missing`, `rights.moved`; what people's `must` raises.
    """
    row = named(visible(by, at), which)
    if row.organisation != by.organisation_id:
        places = list(row.territories.values_list("territory", flat=True)) or [""]  # none named: everywhere
        given = mandates_for(by.organisation_id, at.date(), row.organisation)
        if not any(reaches(each, row.pk, places, power, at.date()) for each in given):
            raise Refused("rights.mandate_missing", power=power)
    if version is not None and version != row.version:
        raise Refused("rights.moved", number=row.number)
    return row


def own_right(by: Actor, which: UUID | str, *, version: int | None = None) -> Right:
    """The row of a right of the actor's own organisation: what no agent may do for it.

    Raises:
        Refused: `rights.not_found`, `rights.moved`; what people's `must` raises.
    """
    row = named(visible(by, None), which)
    if version is not None and version != row.version:
        raise Refused("rights.moved", number=row.number)
    return row


def mandate_to_file(by: Actor, organisation: UUID, record: Record, at: datetime) -> str:
    """Id of the mandate under which the actor files for an organisation; empty for its own.

    Raises:
        Refused: `rights.mandate_missing`.
    """
    if organisation == by.organisation_id:
        return ""
    places = places_of(record) or {""}  # what names no territory is everywhere: only a mandate without limits
    for mandate in mandates_for(by.organisation_id, at.date(), organisation):
        # A mandate for named rights cannot name one that is not here yet.
        if not mandate.rights and reaches(mandate, None, places, "file", at.date()):
            return mandate.id
    raise Refused("rights.mandate_missing", power="file")
