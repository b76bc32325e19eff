"""Open and close disputes, and say that somebody else's filing is one's own.

Who may do what decides whether this protects or is a weapon: the holder reports what is pending about a right of their
own; somebody else may contest a filing of the same registration, which suspends nothing by itself; only the operator,
who reads the papers, gives a stranger's claim an effect or ends one that the operator or the platform opened.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal
from uuid import UUID

from chopmark.base.errors import Invalid, Refused
from chopmark.evidence import wiring
from chopmark.people.actor import Actor
from chopmark.rights import history, offices, territories
from chopmark.rights.actions.common import (
    By,
    Operator,
    Step,
    change,
    current,
    day_at,
    must_allow,
    must_fit,
    organisation_of,
)
from chopmark.rights.history import DisputeClosed, DisputeOpened
from chopmark.rights.keys import numbers_in, twins
from chopmark.rights.models import Event as EventRow
from chopmark.rights.models import Right as RightRow
from chopmark.rights.queries import access
from chopmark.rights.queries.registry import RightSummary, summary_of
from chopmark.rights.record import Dispute, Right

KINDS = (
    "opposition",
    "invalidity",
    "revocation",
    "ownership",
    "bad_faith",
    "counter_notice",
    "court",
    "udrp",
    "same_territory",
)
EFFECTS = ("none", "suspend", "limit")
MAX_DISPUTES = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class NewDispute:
    """What puts a right in question.

    Attributes:
        territories: where it has its effect; empty for everywhere.
    """

    kind: str
    effect: Literal["none", "suspend", "limit"] = "suspend"
    forum: str = ""
    number: str = ""
    opened_on: date | None = None
    territories: tuple[str, ...] = ()
    other: str = ""


@wiring.answering()
def open_dispute(which: UUID | str, new: NewDispute, *, by: By, at: datetime) -> RightSummary:
    """Note a dispute about a right: by its holder, or by the operator.

    Raises:
        Refused: `rights.not_found`, `rights.state_wrong`, `rights.moved`; what people's `must` raises.
        Invalid: `rights.dispute_unknown`, `rights.effect_unknown`, `rights.too_many`, `rights.text_too_long`,
            `rights.day_ahead`, `rules.territory_unknown`.
    """
    row = _row(by, which)
    right = current(row)
    must_allow(right, "dispute_opened")
    dispute = made(new, right, at)
    return summary_of(change(row, [opened(dispute)], by=by, at=at))


def made(new: NewDispute, right: Right, at: datetime) -> Dispute:
    """The dispute with the id it will have.

    Raises:
        Invalid: as `open_dispute`.
    """
    if new.kind not in KINDS:
        raise Invalid("rights.dispute_unknown", kind=new.kind[:40], kinds=list(KINDS))
    if new.effect not in EFFECTS:
        raise Invalid("rights.effect_unknown", effect=str(new.effect)[:40])
    if len(right.disputes) >= MAX_DISPUTES:
        raise Invalid("rights.too_many", name="disputes", limit=MAX_DISPUTES)
    for name, limit in (("forum", 200), ("number", 100), ("other", 300)):
        must_fit(name, getattr(new, name), limit)
    if new.opened_on is not None and new.opened_on > offices.latest_day(at):
        raise Invalid("rights.day_ahead", on=new.opened_on.isoformat())
    return Dispute(
        id=f"D{len(right.disputes) + 1}",
        kind=new.kind,
        effect=new.effect,
        forum=new.forum,
        number=new.number,
        opened_on=new.opened_on or offices.day(right.record.office, at),
        territories=tuple(dict.fromkeys(territories.territory(each).code for each in new.territories)),
        other=new.other,
    )


def opened(dispute: Dispute) -> Step:
    """The event that notes it."""
    return Step(type="dispute_opened", payload=DisputeOpened(dispute=dispute), at_law=dispute.opened_on)


@wiring.answering()
def close_dispute(
    which: UUID | str, dispute_id: str, outcome: str, *, by: By, at: datetime, on: date | None = None
) -> RightSummary:
    """Note that a dispute is over. A holder closes only what they reported themselves.

    Raises:
        Refused: `rights.not_found`, `rights.dispute_not_found`, `rights.dispute_over`, `rights.dispute_not_yours`,
            `rights.moved`; what people's `must` raises.
        Invalid: `rights.text_too_long`, `rights.day_ahead`, `rights.dates_contradict`.
    """
    row = _row(by, which)
    on = on or day_at(row, at)
    must_fit("outcome", outcome, 300)
    found = next((each for each in current(row).disputes if each.id == dispute_id), None)
    if found is None:
        raise Refused("rights.dispute_not_found", id=dispute_id[:40])
    if found.closed_on is not None:
        raise Refused("rights.dispute_over", id=found.id)
    if on > offices.latest_day(at):
        raise Invalid("rights.day_ahead", on=on.isoformat())
    if found.opened_on is not None and on < found.opened_on:
        raise Invalid("rights.dates_contradict", first="opened_on", second="on")
    if not isinstance(by, Operator) and opener(row, found.id) != organisation_of(by):
        raise Refused("rights.dispute_not_yours", id=found.id)
    payload = DisputeClosed(dispute=found.id, on=on, outcome=outcome)
    return summary_of(change(row, [Step(type="dispute_closed", payload=payload, at_law=on)], by=by, at=at))


def opener(row: RightRow, dispute_id: str) -> UUID | None:
    """The organisation that opened a dispute; None for the operator and the platform."""
    for each in EventRow.objects.filter(subject=row.pk, type="dispute_opened").order_by("seq"):
        payload = history.Event.parse(bytes(each.body)).payload
        if isinstance(payload, DisputeOpened) and payload.dispute.id == dispute_id:
            return each.actor
    return None


@wiring.answering()
def contest(which: UUID | str, statement: str, *, by: Actor, at: datetime) -> None:
    """Say that others who filed the same registration as this right of one's own have no claim to it.

    It is noted at each of them for the operator, once, without any effect. What the answer is does not depend on
    whether there are such filings: they are another organisation's affair.

    Raises:
        Refused: `rights.not_found`, `rights.state_wrong`; what people's `must` raises.
        Invalid: `rights.text_too_long`.
    """
    by.must("file_rights")
    must_fit("statement", statement, 300)
    mine = access.own_right(by, which)
    right = current(mine)
    must_allow(right, "dispute_opened")
    wanted = twins(right.record)
    rows = RightRow.objects.filter(
        numbers__key__in=numbers_in(wanted), kind=mine.kind, state__in=history.LIVE
    ).distinct()
    for row in rows.exclude(organisation=by.organisation_id):
        theirs = current(row)
        same = wanted & twins(theirs.record)
        known = any(each.kind == "ownership" and each.other == mine.number for each in theirs.disputes)
        if same and not known and len(theirs.disputes) < MAX_DISPUTES:
            new = NewDispute(kind="ownership", effect="none", forum=statement[:200], other=mine.number)
            change(row, [opened(made(new, theirs, at))], by=by, at=at)


def _row(by: By, which: UUID | str) -> RightRow:
    if isinstance(by, Operator):
        return access.named(RightRow.objects.all(), which)
    by.must("file_rights")
    return access.own_right(by, which)
