"""Records that tests of rights file, compare and change."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

from chopmark.rights.record import Class, Designation, Mark, Party, Record, Source

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
