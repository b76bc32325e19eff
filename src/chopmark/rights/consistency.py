"""Whether a record makes sense in itself: dates in order, numbers where there must be some, a sign for a mark. Pure.

It says nothing of whether the record is true; `comparison` and people do.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from datetime import date, timedelta

from chopmark.base.errors import Invalid
from chopmark.rights import offices
from chopmark.rights.record import CustomsRecordal, Interest, Mandate, Record

REGISTERED = frozenset(("trademark", "design", "patent", "utility_model", "gi", "domain"))
"""Kinds that somebody registers; the others come into being without."""
EARLIEST = date(1770, 1, 1)  # no register in use has an older entry
AHEAD = timedelta(days=2)  # an office east of here is a day further; a file may be older than its day of effect
LONGEST = timedelta(days=366 * 200)  # a copyright's term after a long life
MAX_CLASSES = 500
MAX_DESIGNATIONS = 300
MAX_OWNERS = 200
MAX_SHOWN = 500
MAX_NUMBER = 64


def check_record(record: Record, today: date) -> None:
    """Stop at what cannot be.

    Raises:
        Invalid: `rights.dates_contradict` with the names of the two fields; `rights.date_impossible`;
            `rights.office_missing`, `rights.number_missing`, `rights.sign_missing`, `rights.owner_missing`;
            `rights.too_many` of what, `rights.text_too_long`, `rules.office_unknown`.
    """
    _check_sizes(record)
    if record.office:
        offices.office(record.office)
    _check_dates(record, today)
    if not any(each.name.strip() for each in record.owners):
        raise Invalid("rights.owner_missing")
    if record.kind in REGISTERED and not record.office and record.kind != "domain":
        raise Invalid("rights.office_missing", kind=record.kind)
    if record.kind in REGISTERED and not (record.application_number or record.registration_number):
        raise Invalid("rights.number_missing", kind=record.kind)
    if record.kind == "trademark":
        mark = record.mark
        if mark is None or not (mark.verbal.strip() or mark.image or mark.description or mark.feature != "unknown"):
            raise Invalid("rights.sign_missing")
    elif not record.title.strip():
        raise Invalid("rights.title_missing", kind=record.kind)


def _check_sizes(record: Record) -> None:
    for name, count, limit in (
        ("classes", len(record.classes), MAX_CLASSES),
        ("designations", len(record.designations), MAX_DESIGNATIONS),
        ("owners", len(record.owners), MAX_OWNERS),
    ):
        if count > limit:
            raise Invalid("rights.too_many", name=name, limit=limit)
    for name, value, limit in (
        ("application_number", record.application_number, MAX_NUMBER),
        ("registration_number", record.registration_number, MAX_NUMBER),
        ("title", record.title, MAX_SHOWN),
    ):
        if len(value) > limit:
            raise Invalid("rights.text_too_long", name=name, limit=limit)


def _check_dates(record: Record, today: date) -> None:
    for name in ("application_date", "publication_date", "registration_date", "status_date"):
        value: date | None = getattr(record, name)
        if value is not None and not EARLIEST <= value <= today + AHEAD:
            raise Invalid("rights.date_impossible", name=name, date=value.isoformat())
    if record.expiry_date is not None and not EARLIEST <= record.expiry_date <= today + LONGEST:
        raise Invalid("rights.date_impossible", name="expiry_date", date=record.expiry_date.isoformat())
    for first, second in (
        ("application_date", "registration_date"),
        ("application_date", "expiry_date"),
        ("registration_date", "expiry_date"),
    ):
        earlier, later = getattr(record, first), getattr(record, second)
        if earlier is not None and later is not None and earlier > later:
            raise Invalid("rights.dates_contradict", first=first, second=second)
    for each in record.priorities:
        # Six months for marks and designs, twelve for patents; an exhibition or a seniority is older still.
        if each.date is not None and record.application_date is not None and each.date > record.application_date:
            raise Invalid("rights.dates_contradict", first="priority", second="application_date")
    for name, since, until in _spans(record):
        _check_span(name, since, until)


def _spans(record: Record) -> Iterator[tuple[str, date | None, date | None]]:
    yield from (("classes", each.since, each.until) for each in record.classes)
    yield from (("designations", each.since, each.until) for each in record.designations)


def check_span(given: Interest | Mandate | CustomsRecordal) -> None:
    """The days of a grant, a mandate or a recordal.

    Raises:
        Invalid: `rights.dates_contradict`, `rights.date_impossible`.
    """
    _check_span("since", given.since, given.until)


def _check_span(name: str, since: date | None, until: date | None) -> None:
    if since is not None and since < EARLIEST:
        raise Invalid("rights.date_impossible", name=name, date=since.isoformat())
    if until is not None and until < EARLIEST:
        raise Invalid("rights.date_impossible", name="until" if name == "since" else name, date=until.isoformat())
    if since is not None and until is not None and since >= until:
        raise Invalid("rights.dates_contradict", first="since", second="until")


def folded(text: str) -> str:
    """A sign without case, width, spaces and punctuation: what two equal signs share. At most 500 characters."""
    plain = unicodedata.normalize("NFKC", text).casefold()
    return "".join(each for each in unicodedata.normalize("NFKC", plain) if each.isalnum())[:MAX_SHOWN]
