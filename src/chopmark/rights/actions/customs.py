"""Note a recordal with a customs authority, and its end."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, datetime
from uuid import UUID

from chopmark.base.errors import Invalid, Refused
from chopmark.evidence import wiring
from chopmark.people.actor import Actor
from chopmark.rights import territories
from chopmark.rights.actions.common import Step, change, current, day_at, must_fit
from chopmark.rights.consistency import check_span
from chopmark.rights.history import CustomsRecorded
from chopmark.rights.queries import access
from chopmark.rights.queries.access import places_of
from chopmark.rights.queries.registry import RightSummary, summary_of
from chopmark.rights.record import CustomsRecordal, Party, Right

MAX_RECORDALS = 200
MAX_AUTHORISED = 500
FIRST_SERVICE = 35  # Nice: classes 1 to 34 are goods


@dataclass(frozen=True, slots=True, kw_only=True)
class NewRecordal:
    """A recordal; `authority` is the country, `until` the first day on which it no longer counts."""

    authority: str
    number: str
    since: date | None = None
    until: date | None = None
    authorised: tuple[Party, ...] = ()


@wiring.answering()
def record_customs(which: UUID | str, new: NewRecordal, *, by: Actor, at: datetime) -> RightSummary:
    """Note a recordal; one of the same authority and number is replaced, which is how a prolongation is noted.

    Raises:
        Refused: `rights.not_found`, `rights.mandate_missing`, `rights.state_wrong`, `rights.moved`,
            `rights.customs_elsewhere` where the right has no effect in that country, `rights.customs_services` for a
            Chinese recordal of a mark for services alone; what people's `must` raises; what a deposit raises.
        Invalid: `rights.recordal_number_missing`, `rights.text_too_long`, `rights.too_many`,
            `rights.dates_contradict`, `rights.date_impossible`, `rules.territory_unknown`.
    """
    by.must("file_rights")
    row = access.right_to_change(by, which, at, power="customs")
    right = current(row)
    recordal = _recordal(new, right)
    _must_be_possible(recordal, right, day_at(row, at))
    step = Step(type="customs_recorded", payload=CustomsRecorded(customs=recordal), at_law=recordal.since)
    return summary_of(change(row, [step], by=by, at=at))


def _recordal(new: NewRecordal, right: Right) -> CustomsRecordal:
    authority, number = territories.territory(new.authority).code, new.number.strip()
    if not number:
        raise Invalid("rights.recordal_number_missing")
    must_fit("number", number, 64)
    for each in new.authorised:
        must_fit("party", each.name, 300)
    if len(new.authorised) > MAX_AUTHORISED:
        raise Invalid("rights.too_many", name="authorised", limit=MAX_AUTHORISED)
    same = next((each for each in right.customs if (each.authority, each.number) == (authority, number)), None)
    if same is None and len(right.customs) >= MAX_RECORDALS:
        raise Invalid("rights.too_many", name="customs", limit=MAX_RECORDALS)
    recordal = CustomsRecordal(
        id=same.id if same is not None else f"C{len(right.customs) + 1}",
        authority=authority,
        number=number,
        since=new.since,
        until=new.until,
        authorised=new.authorised,
    )
    check_span(recordal)
    return recordal


def _must_be_possible(recordal: CustomsRecordal, right: Right, today: date) -> None:
    covered = [each for each in places_of(right.record) if territories.known(each)]
    if covered and all(territories.contains(each, recordal.authority, today) is False for each in covered):
        raise Refused("rights.customs_elsewhere", authority=recordal.authority)
    record = right.record
    # Regulations on Customs Protection of IP Rights art. 2: rights in goods that are imported or exported.
    if recordal.authority == "CN" and record.kind == "trademark" and record.classes:
        nice = [each.code for each in record.classes if each.scheme == "nice" and each.code.isdecimal()]
        if nice and all(int(each) >= FIRST_SERVICE for each in nice):
            raise Refused("rights.customs_services")


@wiring.answering()
def end_customs(
    which: UUID | str, recordal_id: str, *, by: Actor, at: datetime, on: date | None = None
) -> RightSummary:
    """Note that a recordal ended; today unless another day is named.

    Raises:
        Refused: `rights.not_found`, `rights.mandate_missing`, `rights.state_wrong`, `rights.recordal_not_found`,
            `rights.moved`; what people's `must` raises.
        Invalid: `rights.dates_contradict`, `rights.date_impossible`.
    """
    by.must("file_rights")
    row = access.right_to_change(by, which, at, power="customs")
    on = on or day_at(row, at)
    found = next((each for each in current(row).customs if each.id == recordal_id), None)
    if found is None:
        raise Refused("rights.recordal_not_found", id=recordal_id[:40])
    ended = replace(found, until=on)
    check_span(ended)
    step = Step(type="customs_recorded", payload=CustomsRecorded(customs=ended), at_law=on)
    return summary_of(change(row, [step], by=by, at=at))
