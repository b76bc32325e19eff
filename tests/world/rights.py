"""Records that tests of rights file, compare and change."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

from chopmark.base import jcs
from chopmark.evidence.actions import append_upload, start_upload
from chopmark.rights import classes, encoding, history, numbers, offices
from chopmark.rights.actions.common import Operator
from chopmark.rights.actions.file import NewPaper, NewRight, file_right
from chopmark.rights.actions.mandate import NewMandate, accept_mandate, give_mandate
from chopmark.rights.actions.verify import verify_against, vouch
from chopmark.rights.history import Event
from chopmark.rights.models import Event as EventRow
from chopmark.rights.models import Right as RightRow
from chopmark.rights.queries.access import places_of
from chopmark.rights.queries.registry import MandateSummary, RightSummary
from chopmark.rights.record import Class, Designation, Mark, Party, Record, Source
from world.pages import PageWorld, Person

LANTERN = Record(
    kind="trademark",
    office="EM",
    application_number="018123456",
    registration_number="018123456",
    mark=Mark(verbal="RED LANTERN", feature="word"),
    owners=(Party(name="Mei Lan's studio", country="CN"),),
    classes=(Class(scheme="nice", code="11"), Class(scheme="nice", code="25")),
    designations=(Designation(territory="EU", status="registered"),),
    application_date=date(2020, 1, 15),
    registration_date=date(2020, 6, 1),
    expiry_date=date(2030, 1, 15),
    status="registered",
)


def lantern(**changes: Any) -> Record:
    """A registered EU mark, changed."""
    return replace(LANTERN, **changes)


def by_office(record: Record = LANTERN, *, fetched: datetime = datetime(2026, 11, 1, tzinfo=UTC)) -> Record:
    """The same as the office says it."""
    return replace(record, source=Source(format="snapshot", sha256=bytes(32), fetched_at=fetched))


OPERATOR = Operator()


def filed(world: PageWorld, who: Person, record: Record = LANTERN, **more: Any) -> RightSummary:
    """A right that somebody filed."""
    return file_right(NewRight(record=record, **more), by=who.actor, at=world.now())


def vouched(world: PageWorld, who: Person, name: str = "Mei Lan's studio", country: str = "CN") -> None:
    """The operator knows who this organisation is."""
    vouch(who.actor.organisation_id, name, operator=OPERATOR, at=world.now(), country=country)


def verified(world: PageWorld, who: Person, record: Record = LANTERN, **more: Any) -> RightSummary:
    """A right that agrees with the office's record, of an organisation that the operator knows."""
    made = filed(world, who, record, **more)
    vouched(world, who, record.owners[0].name, record.owners[0].country)
    done = verify_against(made.id, by_office(record), by=OPERATOR, at=world.now())
    assert done.state == "verified", done.right.verification
    return done


def paper(world: PageWorld, who: Person, data: bytes = b"certificate", kind: str = "certificate") -> NewPaper:
    """A paper that somebody deposited, with its file."""
    upload = start_upload(length=len(data), file_name="paper.pdf", by=who.actor, at=world.now()).id
    append_upload(upload, offset=0, chunks=[data], by=who.actor, at=world.now())
    made = world.deposit(who, data, kind="document", title="", file_name="paper.pdf", private=True, upload=upload)
    return NewPaper(kind=kind, deposit=made.id)


def mandated(world: PageWorld, principal: Person, agent: Person, *powers: Any, **more: Any) -> MandateSummary:
    """A mandate that was given and accepted."""
    new = NewMandate(agent=agent.actor.organisation_id, powers=frozenset(powers), **more)
    given = give_mandate(new, by=principal.actor, at=world.now())
    return accept_mandate(given.id, by=agent.actor, at=world.now())


def rebuilt() -> None:
    """Every projection is what its events make of it."""
    for row in RightRow.objects.all():
        events = [Event.parse(bytes(each.body)) for each in EventRow.objects.filter(subject=row.pk).order_by("seq")]
        right = history.fold(events)
        record = right.record
        assert encoding.parse_right(jcs.decode(bytes(row.current))) == right
        assert (row.version, bytes(row.head), row.state, row.level) == (
            len(events),
            events[-1].sha256,
            right.state,
            right.level,
        )
        assert (row.kind, row.office, row.status, row.expiry_date) == (
            record.kind,
            record.office,
            record.status,
            record.expiry_date,
        )
        assert {each.key for each in row.numbers.all()} == {each[:80] for each in numbers.keys(record)}
        assert {(each.scheme, each.code) for each in row.classes.all()} == {
            (each.scheme, each.code)
            for each in classes.counting(record.classes, offices.day(row.office, row.changed_at))
        }
        assert {each.territory for each in row.territories.all()} == places_of(record)
        for each in EventRow.objects.filter(subject=row.pk):
            assert bytes(each.sha256) == Event.parse(bytes(each.body)).sha256
