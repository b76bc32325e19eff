"""Give, accept and revoke mandates: a principal lets an agent organisation act for it.

Only an owner of the principal gives one, as only an owner signs a power of attorney, and only an owner of the agent
accepts it: nobody is made an agent unasked. Until then it has no effect. Who keeps the rights revokes it, and so does
the agent, who refuses it or lays it down.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import get_args
from uuid import UUID, uuid4

from django.db import IntegrityError, transaction

from chopmark.base import jcs
from chopmark.base.errors import Invalid, Refused
from chopmark.evidence import wiring
from chopmark.people.actor import Actor
from chopmark.people.queries import organisation_name
from chopmark.rights import encoding, history, territories
from chopmark.rights.actions.common import Step, chained, deposit_events, event_rows
from chopmark.rights.actions.file import NewPaper, bring_papers
from chopmark.rights.consistency import check_span
from chopmark.rights.history import MandateAccepted, MandateGiven, MandateRevoked
from chopmark.rights.models import Event as EventRow
from chopmark.rights.models import Mandate as MandateRow
from chopmark.rights.models import Right as RightRow
from chopmark.rights.queries.access import ended
from chopmark.rights.queries.registry import MandateSummary, mandate_summary
from chopmark.rights.record import Mandate, Power

POWERS: frozenset[str] = frozenset(get_args(Power))
MAX_RIGHTS = 1000
MAX_MANDATES = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class NewMandate:
    """What is given.

    Attributes:
        agent: the organisation that may act.
        rights: numbers or ids of the rights that it is limited to; empty for all, also those to come.
        until: the first day on which it no longer counts.
        paper: the power of attorney.
    """

    agent: UUID
    powers: frozenset[str]
    territories: tuple[str, ...] = ()
    rights: tuple[str, ...] = ()
    since: date | None = None
    until: date | None = None
    paper: NewPaper | None = None


@wiring.answering()
def give_mandate(new: NewMandate, *, by: Actor, at: datetime) -> MandateSummary:
    """Let an agent act, as soon as it accepts.

    Raises:
        Refused: `rights.agent_unknown`, `rights.agent_self`, `rights.not_found` for one of the rights,
            `rights.too_many_mandates`; what people's `must` raises; what a deposit raises.
        Invalid: `rights.power_unknown`, `rules.territory_unknown`, `rights.dates_contradict`, `rights.too_many`.
    """
    by.must("file_rights")
    by.must("manage_members")
    _check(new, by)
    mandate = Mandate(
        id=str(uuid4()),
        principal=str(by.organisation_id),
        agent=str(new.agent),
        powers=frozenset(each for each in get_args(Power) if each in new.powers),
        territories=tuple(dict.fromkeys(territories.territory(each).code for each in new.territories)),
        rights=_ids(new.rights, by),
        since=new.since,
        until=new.until,
    )
    check_span(mandate)
    if new.paper is not None:
        [paper] = bring_papers([replace(new.paper, kind="mandate")], by.organisation_id, by=by, at=at)
        mandate = replace(mandate, document=bytes(paper.sha256))
    subject = UUID(mandate.id)
    events = chained(subject, 0, b"", [Step(type="mandate_given", payload=MandateGiven(mandate=mandate))], by=by, at=at)
    row = MandateRow(
        id=subject,
        principal=by.organisation_id,
        agent=new.agent,
        since=mandate.since,
        until=mandate.until,
        made_at=at,
        version=1,
        head=events[-1].sha256,
        current=jcs.encode(encoding.encode(mandate)),
    )
    deposits = deposit_events([(f"mandate-{subject}", each) for each in events], by.organisation_id, by=by, at=at)
    with transaction.atomic():
        row.save(force_insert=True)
        EventRow.objects.bulk_create(event_rows(events, deposits, by.organisation_id, by=by))
    return mandate_summary(row, at.date())


def _check(new: NewMandate, by: Actor) -> None:
    unknown = sorted(new.powers - POWERS)
    if unknown or not new.powers:
        raise Invalid("rights.power_unknown", power=", ".join(unknown)[:40], powers=sorted(POWERS))
    if new.agent == by.organisation_id:
        raise Refused("rights.agent_self")
    if organisation_name(new.agent) is None:
        raise Refused("rights.agent_unknown")
    if len(new.rights) > MAX_RIGHTS:
        raise Invalid("rights.too_many", name="rights", limit=MAX_RIGHTS)
    if MandateRow.objects.filter(principal=by.organisation_id, revoked_on=None).count() >= MAX_MANDATES:
        raise Refused("rights.too_many_mandates", limit=MAX_MANDATES)


def _ids(which: Sequence[str], by: Actor) -> tuple[str, ...]:
    """Ids of the principal's own rights, by number or id."""
    mine = RightRow.objects.filter(organisation=by.organisation_id)
    found: dict[str, None] = {}
    for each in which:
        try:
            row = mine.filter(pk=UUID(each)).first()
        except ValueError:
            row = mine.filter(number=each.replace("\x00", "").strip().upper()[:24]).first()
        if row is None:
            raise Refused("rights.not_found")
        found[str(row.pk)] = None
    return tuple(found)


@wiring.answering()
def accept_mandate(mandate_id: UUID, *, by: Actor, at: datetime) -> MandateSummary:
    """The agent's owner accepts a mandate: it counts from this day on. One that was accepted before stays as it is.

    Raises:
        Refused: `rights.mandate_not_found`, `rights.mandate_not_yours` for the principal, `rights.mandate_over`,
            `rights.moved`; what people's `must` raises.
    """
    by.must("file_rights")
    by.must("manage_members")
    row = _row(mandate_id, by)
    if row.agent != by.organisation_id:
        raise Refused("rights.mandate_not_yours")
    story = _events(row)
    before, today = history.fold_mandate(story), at.date()
    if ended(before, today):
        over = min(each for each in (before.until, before.revoked_on) if each is not None)
        raise Refused("rights.mandate_over", on=over.isoformat())
    if before.accepted_on is not None:
        return mandate_summary(row, today)
    row.accepted_on = today
    step = Step(type="mandate_accepted", payload=MandateAccepted(on=today), at_law=today)
    return _changed(row, story, step, by=by, at=at)


@wiring.answering()
def revoke_mandate(mandate_id: UUID, *, by: Actor, at: datetime, on: date | None = None) -> MandateSummary:
    """End a mandate, from this day on; the principal revokes it, or the agent refuses it or lays it down.

    Not for a day in the past.

    One that ends on a day to come may be ended sooner, by either side.

    What the agent did while it was in force stays.

    Raises:
        Refused: `rights.mandate_not_found`, `rights.mandate_over`, `rights.day_past`, `rights.moved`; what people's
            `must` raises.
    """
    by.must("file_rights")
    on = on or at.date()
    row = _row(mandate_id, by)
    if (
        row.revoked_on is not None and row.revoked_on <= on
    ):  # else one side could put it off for ever by naming a far day
        raise Refused("rights.mandate_over", on=row.revoked_on.isoformat())
    if on < at.date():
        raise Refused("rights.day_past", on=on.isoformat())
    row.revoked_on = on
    step = Step(type="mandate_revoked", payload=MandateRevoked(on=on), at_law=on)
    return _changed(row, _events(row), step, by=by, at=at)


def _row(mandate_id: UUID, by: Actor) -> MandateRow:
    row = MandateRow.objects.filter(pk=mandate_id).first()
    if row is None or by.organisation_id not in (row.principal, row.agent):
        raise Refused("rights.mandate_not_found")
    return row


def _changed(row: MandateRow, story: Sequence[history.Event], step: Step, *, by: Actor, at: datetime) -> MandateSummary:
    """Record one more event; where the clock went back, the time of the event before is taken."""
    when = max(at, story[-1].recorded_at)
    events = chained(row.pk, row.version, bytes(row.head), [step], by=by, at=when)
    deposits = deposit_events([(f"mandate-{row.pk}", each) for each in events], row.principal, by=by, at=when)
    row.version, row.head = events[-1].seq, events[-1].sha256
    row.current = jcs.encode(encoding.encode(history.fold_mandate([*story, *events])))
    try:
        with transaction.atomic():
            EventRow.objects.bulk_create(event_rows(events, deposits, row.principal, by=by))
            row.save()
    except IntegrityError as error:  # the other side was faster
        raise Refused("rights.moved", number=str(row.pk)) from error
    return mandate_summary(row, at.date())


def _events(row: MandateRow) -> list[history.Event]:
    rows = EventRow.objects.filter(subject=row.pk).order_by("seq").values_list("body", flat=True)
    return [history.Event.parse(bytes(each)) for each in rows]
