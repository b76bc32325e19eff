"""Keep what offices say: snapshots and answers that the operator brought here, against which claims are verified.

Whoever may write here decides what is verified, so it takes the operator: there is no page and no scope for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from hashlib import sha256

from django.db import transaction

from chopmark.base import jcs
from chopmark.base.errors import Invalid, PlatformError, Refused
from chopmark.evidence import wiring
from chopmark.rights import encoding, numbers, offices
from chopmark.rights.actions.common import Operator, must_fit
from chopmark.rights.keys import claims
from chopmark.rights.models import OfficeNumber, OfficeRecord
from chopmark.rights.record import Record

MAX_BATCH = 10_000
AHEAD = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """What became of each record, in their order; `new` counts those that were not here."""

    new: int
    same: int
    problems: tuple[tuple[int, PlatformError], ...]


@wiring.answering()
def keep_records(
    records: Sequence[Record], *, operator: Operator, at: datetime, fetched_at: datetime | None = None
) -> Kept:
    """Keep records of offices; earlier ones of the same number stay, and the newest counts.

    Args:
        fetched_at: when the office gave them, where the records do not say it themselves.

    Raises:
        Refused: `rights.batch_too_large`.
        Invalid: `rights.text_too_long`.
    """
    if len(records) > MAX_BATCH:
        raise Refused("rights.batch_too_large", limit=MAX_BATCH)
    must_fit("operator", operator.name, 100)
    problems: list[tuple[int, PlatformError]] = []
    rows: dict[bytes, tuple[OfficeRecord, Record]] = {}
    same = 0
    for place, each in enumerate(records):
        try:
            row, record = _row(each, operator, at, fetched_at)
        except PlatformError as error:
            problems.append((place, error))
            continue
        same += row.sha256 in rows
        rows[bytes(row.sha256)] = (row, record)
    with transaction.atomic():
        known = set(map(bytes, OfficeRecord.objects.filter(sha256__in=list(rows)).values_list("sha256", flat=True)))
        new = [pair for digest, pair in rows.items() if digest not in known]
        OfficeRecord.objects.bulk_create([row for row, _ in new])
        OfficeNumber.objects.bulk_create(
            [OfficeNumber(record=row, key=key[:80]) for row, record in new for key in sorted(numbers.keys(record))]
        )
    return Kept(new=len(new), same=same + len(known), problems=tuple(problems))


def _row(record: Record, operator: Operator, at: datetime, fetched: datetime | None) -> tuple[OfficeRecord, Record]:
    if not claims(record):
        raise Invalid("rights.number_missing", kind=record.kind)
    when = record.source.fetched_at or fetched
    if when is None:
        raise Invalid("rights.source_undated")
    if when > at + AHEAD:
        raise Invalid("rights.source_ahead", fetched=when.date().isoformat())
    record = replace(record, source=replace(record.source, fetched_at=when))
    body = jcs.encode(encoding.encode(record))
    row = OfficeRecord(
        office=offices.office(record.office).code,
        kind=record.kind,
        st13=numbers.st13(record)[:32],
        body=body,
        sha256=sha256(body).digest(),
        source=record.source.format[:16],
        fetched_at=when,
        kept_at=at,
        operator=operator.name,
    )
    return row, record


def office_record(wanted: Record) -> Record | None:
    """The newest record of the office under the numbers of this one; None where there is none.

    China keeps one record a number and class: those of the claimed classes are put together when their holder and sign
    are the same, each the newest of its class.
    """
    keys = {each.split(":", 2)[2] for each in claims(wanted)}
    if not keys:
        return None
    rows = (
        OfficeRecord.objects.filter(numbers__key__in=keys, kind=wanted.kind).distinct().order_by("-fetched_at", "-pk")
    )
    found = [encoding.parse_record(jcs.decode(bytes(row.body))) for row in rows[:100]]
    found = [each for each in found if claims(each) & claims(wanted)]
    if not found or offices.canonical(wanted.office) != "CN":
        return found[0] if found else None
    return _of_classes(found, {each.code for each in wanted.classes})


def _of_classes(found: Sequence[Record], codes: set[str]) -> Record:
    parts: list[Record] = []
    seen: set[str] = set()
    for each in found:
        mine = {one.code for one in each.classes}
        if mine & codes and not mine & seen:
            parts.append(each)
            seen |= mine
    if not parts:
        return found[0]
    first = parts[0]
    alike = [
        each for each in parts if (each.owners, each.mark, each.status) == (first.owners, first.mark, first.status)
    ]
    if len(alike) < len(parts):
        return first
    classes = tuple(sorted((one for each in parts for one in each.classes), key=lambda one: one.code))
    return replace(first, classes=classes)
