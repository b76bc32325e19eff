"""Grant licences and name authorised sellers, end them, assign a right.

The holder's own organisation alone does so: an agent's powers do not reach so far.
A grant never reaches further than the one it hangs on; what would is refused, because a licence that says more than its
giver has misleads whoever reads it. What follows from a chain of grants on a day is asked of `coverage`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import get_args
from uuid import UUID, uuid4

from chopmark.base.errors import Invalid, Refused
from chopmark.evidence import wiring
from chopmark.people.actor import Actor
from chopmark.people.queries import organisation_name
from chopmark.rights import classes as classes_of
from chopmark.rights import history, offices, territories
from chopmark.rights.actions.common import (
    Step,
    chained,
    change,
    current,
    day_at,
    deposit_events,
    event_rows,
    must_allow,
    must_fit,
    show,
    take_numbers,
    write_filters,
)
from chopmark.rights.actions.file import MAX_PAPERS, NewPaper, bring_papers
from chopmark.rights.assignments import held
from chopmark.rights.consistency import check_span
from chopmark.rights.coverage import channel_matches
from chopmark.rights.history import Assigned, Ended, Filed, Granted, PaperAdded
from chopmark.rights.models import Event as EventRow
from chopmark.rights.models import Paper
from chopmark.rights.models import Right as RightRow
from chopmark.rights.queries import access
from chopmark.rights.queries.access import places_of
from chopmark.rights.queries.registry import RightSummary, summary_of
from chopmark.rights.record import Interest, Party, Record, Right, Role

GRANTED: frozenset[str] = frozenset(get_args(Role)) - {"owner", "assignee"}
"""Roles that are granted; who owns a right is amended or assigned."""
GRANTING: frozenset[str] = frozenset(("co_owner", "assignee", "licensee_exclusive", "licensee"))
MAX_INTERESTS = 5000
MAX_ASSIGNED = 1000
"""Rights that one organisation files for or assigns to another in a day."""
DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewInterest:
    """What is granted; see `record.Interest` for its members.

    Attributes:
        organisation: of the party, where it has one here.
        granted_by: id of the interest that it hangs on; empty when the owner grants it.
    """

    party: Party
    role: str
    granted_by: str = ""
    organisation: UUID | None = None
    territories: tuple[str, ...] = ()
    classes: tuple[str, ...] = ()
    channels: tuple[str, ...] = ()
    quantity: int | None = None
    share: str = ""
    since: date | None = None
    until: date | None = None
    recorded_at_office: bool = False
    document: bytes = b""


@wiring.answering()
def license(which: UUID | str, new: NewInterest, *, by: Actor, at: datetime) -> RightSummary:  # noqa: A001 (the glossary's word)
    """Grant a licence, or name an authorised seller; its id is that of the last interest of the right.

    Raises:
        Refused: `rights.not_found`, `rights.state_wrong`, `rights.moved`, `rights.interest_not_found`,
            `rights.interest_over`, `rights.grant_too_wide`, `rights.exclusive_granted`, `rights.agent_unknown`; what
            people's `must` raises; what a deposit raises.
        Invalid: `rights.role_unknown`, `rights.party_missing`, `rights.text_too_long`, `rights.number_not_positive`,
            `rights.dates_contradict`, `rules.territory_unknown`, `rights.too_many`.
    """
    by.must("file_rights")
    row = access.own_right(by, which)
    right = current(row)
    must_allow(right, "interest_granted")
    interest = _interest(new, right)
    _must_be_within(interest, right, day_at(row, at))
    _must_not_clash(interest, right, day_at(row, at))
    step = Step(type="interest_granted", payload=Granted(interest=interest), at_law=interest.since)
    return summary_of(change(row, [step], by=by, at=at))


def _interest(new: NewInterest, right: Right) -> Interest:
    if new.role not in GRANTED:
        raise Invalid("rights.role_unknown", role=new.role[:40], roles=sorted(GRANTED))
    if not new.party.name.strip():
        raise Invalid("rights.party_missing")
    if len(right.interests) >= MAX_INTERESTS:
        raise Invalid("rights.too_many", name="interests", limit=MAX_INTERESTS)
    if new.quantity is not None and new.quantity <= 0:
        raise Invalid("rights.number_not_positive", name="quantity")
    if new.organisation is not None and organisation_name(new.organisation) is None:
        raise Refused("rights.agent_unknown")
    must_fit("party", new.party.name, 300)
    must_fit("share", new.share, 40)
    for each in new.channels:
        must_fit("channel", each, 253)
    interest = Interest(
        id=_next_id(right),
        party=new.party,
        role=next(each for each in get_args(Role) if each == new.role),
        granted_by=new.granted_by,
        organisation="" if new.organisation is None else str(new.organisation),
        territories=tuple(dict.fromkeys(territories.territory(each).code for each in new.territories)),
        classes=tuple(dict.fromkeys(each.strip() for each in new.classes)),
        channels=tuple(dict.fromkeys(each.strip().lower() for each in new.channels if each.strip())),
        quantity=new.quantity,
        share=new.share,
        since=new.since,
        until=new.until,
        recorded_at_office=new.recorded_at_office,
        document=new.document,
    )
    check_span(interest)
    return interest


def _next_id(right: Right) -> str:
    taken = {each.id for each in right.interests}
    return next(name for number in range(1, len(taken) + 2) if (name := f"I{number}") not in taken)


def _must_be_within(interest: Interest, right: Right, today: date) -> None:
    """Stop at a grant that reaches further than what it hangs on: the right, and the interest above it."""
    on = max(today, interest.since or today)
    _places_within(interest.territories, places_of(right.record), on)
    _within("classes", interest.classes, {each.code for each in classes_of.counting(right.record.classes, on)})
    if not interest.granted_by:
        return
    above = next((each for each in right.interests if each.id == interest.granted_by), None)
    if above is None:
        raise Refused("rights.interest_not_found", id=interest.granted_by[:40])
    ends = [each for each in (above.until, above.ended_on) if each is not None]
    if any(each <= on for each in ends):
        raise Refused("rights.interest_over", id=above.id)
    if above.role not in GRANTING:
        raise Refused("rights.grantor_may_not", id=above.id, role=above.role)
    _places_within(interest.territories, above.territories, on)
    _within("classes", interest.classes, above.classes)
    _channels_within(interest.channels, above.channels)
    if above.until is not None and (interest.until is None or interest.until > above.until):
        raise Refused(
            "rights.grant_too_wide", name="until", value="" if interest.until is None else str(interest.until)
        )
    if above.since is not None and (interest.since or today) < above.since:
        raise Refused("rights.grant_too_wide", name="since", value=str(interest.since or today))
    if above.quantity is not None:
        _quantity_within(interest, above, right)


def _quantity_within(interest: Interest, above: Interest, right: Right) -> None:
    """What was granted before counts in full, also where it has ended: nobody knows how much was sold under it."""
    given = sum(each.quantity or 0 for each in right.interests if each.granted_by == above.id)
    if interest.quantity is None or above.quantity is None or given + interest.quantity > above.quantity:
        raise Refused("rights.grant_too_wide", name="quantity", value=str(interest.quantity or ""))


def _within(name: str, wanted: Iterable[str], given: Collection[str]) -> None:
    beyond = [each for each in wanted if each not in given] if given else []
    if beyond:
        raise Refused("rights.grant_too_wide", name=name, value=", ".join(beyond)[:100])


def _places_within(wanted: Iterable[str], given: Collection[str], on: date) -> None:
    """Where the rules do not know whether one lies in the other, the holder's word stands; `coverage` asks again."""
    known = [each for each in given if territories.known(each)]
    beyond = [
        each
        for each in wanted
        if given and len(known) == len(given) and all(territories.contains(one, each, on) is False for one in known)
    ]
    if beyond:
        raise Refused("rights.grant_too_wide", name="territories", value=", ".join(beyond)[:100])


def _channels_within(wanted: Iterable[str], given: Collection[str]) -> None:
    beyond = [
        each for each in wanted if given and each not in given and not any(channel_matches(one, each) for one in given)
    ]
    if beyond:
        raise Refused("rights.grant_too_wide", name="channels", value=", ".join(beyond)[:100])


def _must_not_clash(interest: Interest, right: Right, today: date) -> None:
    """An exclusive licence leaves no room for another licence of the same place, class and time beside it."""
    licences = ("licensee", "licensee_exclusive")
    if interest.role not in licences:
        return
    for each in right.interests:
        if each.role not in licences or each.granted_by != interest.granted_by:
            continue
        if "licensee_exclusive" not in (each.role, interest.role) or each.party == interest.party:
            continue
        if _same_time(each, interest) and _meet(each, interest, right, today):
            raise Refused("rights.exclusive_granted", id=each.id)


def _same_time(one: Interest, other: Interest) -> bool:
    def ends(each: Interest) -> date:
        return min((day for day in (each.until, each.ended_on) if day is not None), default=date.max)

    return (one.since or date.min) < ends(other) and (other.since or date.min) < ends(one)


def _meet(one: Interest, other: Interest, right: Right, today: date) -> bool:
    classes = not one.classes or not other.classes or bool(set(one.classes) & set(other.classes))
    everywhere = tuple(places_of(right.record))
    places = [
        territories.overlap(here, there, today)
        for here in one.territories or everywhere
        for there in other.territories or everywhere
        if territories.known(here) and territories.known(there)
    ]
    channels = not one.channels or not other.channels or bool(set(one.channels) & set(other.channels))
    return classes and channels and (True in places or not places)


@wiring.answering()
def end_interest(
    which: UUID | str, interest_id: str, *, by: Actor, at: datetime, on: date | None = None
) -> RightSummary:
    """End a grant from a day on: today unless said otherwise; those that hang on it end with it.

    A day in the past may be named, since grants often end before anybody tells; `recorded_at` shows when it was told.
    One that is to end may be ended earlier, never later.

    Raises:
        Refused: `rights.not_found`, `rights.interest_not_found`, `rights.interest_over`, `rights.moved`; what people's
            `must` raises.
        Invalid: `rights.dates_contradict`.
    """
    by.must("file_rights")
    row = access.own_right(by, which)
    on = on or day_at(row, at)
    found = next((each for each in current(row).interests if each.id == interest_id), None)
    if found is None:
        raise Refused("rights.interest_not_found", id=interest_id[:40])
    if found.ended_on is not None and found.ended_on <= on:
        raise Refused("rights.interest_over", id=found.id)
    if found.since is not None and on < found.since:
        raise Invalid("rights.dates_contradict", first="since", second="on")
    step = Step(type="interest_ended", payload=Ended(interest=found.id, on=on), at_law=on)
    return summary_of(change(row, [step], by=by, at=at))


@wiring.answering()
def assign(
    which: UUID | str,
    party: Party,
    *,
    by: Actor,
    at: datetime,
    on: date | None = None,
    organisation: UUID | None = None,
    classes: tuple[str, ...] = (),
    recorded_at_office: bool = False,
    document: bytes = b"",
    paper: NewPaper | None = None,
) -> RightSummary:
    """Assign a right, or some of its classes, to somebody else; for good.

    The new owner, where their organisation is here, finds a draft of the right with the licences that go with it: they
    submit it, and it has to be verified anew in their name. Whether they filed the same before makes no difference:
    that is their affair, and who assigns learns nothing of it.

    Args:
        document: SHA-256 of the deed, where it is not brought here as `paper`, which is put beside the right.

    Raises:
        Refused: `rights.not_found`, `rights.state_wrong`, `rights.moved`, `rights.agent_unknown`, `rights.agent_self`,
            `rights.grant_too_wide` for classes that the right has not, `rights.too_many_assigned`; what people's `must`
            raises; what a deposit raises.
        Invalid: `rights.party_missing`, `rights.text_too_long`, `rights.day_ahead`, `rights.too_many`,
            `rights.paper_empty`.
    """
    by.must("file_rights")
    by.must("manage_members")
    row = access.own_right(by, which)
    on = on or day_at(row, at)
    right = current(row)
    must_allow(right, "assigned")
    if on > offices.latest_day(at):
        raise Invalid("rights.day_ahead", on=on.isoformat())
    live = classes_of.counting(held(right).classes, day_at(row, at))
    _check_assignment({each.code for each in live}, party, organisation, classes, by)
    whole = all(classes_of.among(each, classes) for each in live)
    classes = () if whole else tuple(dict.fromkeys(classes))
    deed, brought = (None, False) if paper is None else _deed(row, paper, by=by, at=at)
    interest = Interest(
        id=_next_id(right),
        party=party,
        role="assignee",
        organisation="" if organisation is None else str(organisation),
        classes=classes,
        since=on,
        recorded_at_office=recorded_at_office,
        document=document if deed is None else bytes(deed.sha256),
    )
    at = max(at, row.changed_at)
    successor = None if organisation is None else _successor(right, interest, organisation, by=by, at=at)
    payload = Assigned(interest=interest, successor=successor.id if successor else "", classes=classes)
    steps = [Step(type="assigned", payload=payload, at_law=on)]
    if deed is not None and brought:
        deed.right = row
        steps.insert(0, Step(type="paper_added", payload=PaperAdded(kind=deed.kind, sha256=bytes(deed.sha256))))

    def also() -> None:
        if deed is not None and brought:
            deed.save(force_insert=True)
        if successor is not None:
            successor.write()

    return summary_of(change(row, steps, by=by, at=at, also=also))


def _deed(row: RightRow, paper: NewPaper, *, by: Actor, at: datetime) -> tuple[Paper, bool]:
    """The deed of an assignment, and whether it is new: it may stand beside the right already."""
    [brought] = bring_papers([replace(paper, kind="assignment")], row.organisation, by=by, at=at)
    there = row.papers.filter(kind=brought.kind, sha256=brought.sha256).first()
    if there is None and row.papers.count() >= MAX_PAPERS:
        raise Invalid("rights.too_many", name="papers", limit=MAX_PAPERS)
    return there or brought, there is None


def _check_assignment(
    everything: set[str], party: Party, organisation: UUID | None, classes: tuple[str, ...], by: Actor
) -> None:
    if not party.name.strip():
        raise Invalid("rights.party_missing")
    must_fit("party", party.name, 300)
    if organisation == by.organisation_id:
        raise Refused("rights.agent_self")
    if organisation is not None and organisation_name(organisation) is None:
        raise Refused("rights.agent_unknown")
    beyond = sorted(set(classes) - everything)
    if beyond:
        raise Refused("rights.grant_too_wide", name="classes", value=", ".join(beyond)[:100])


@dataclass(frozen=True, slots=True, kw_only=True)
class _Successor:
    """The new owner's draft."""

    id: str
    row: RightRow
    record: Record
    events: tuple[EventRow, ...]

    def write(self) -> None:
        """Inside the transaction of the assignment."""
        self.row.save(force_insert=True)
        EventRow.objects.bulk_create(self.events)
        write_filters([(self.row, self.record)])


def _successor(right: Right, interest: Interest, organisation: UUID, *, by: Actor, at: datetime) -> _Successor:
    # What is counted is what the assignor did himself: how many drafts others have is not told by a refusal.
    given = RightRow.objects.filter(organisation=organisation, filed_by=by.organisation_id, made_at__gt=at - DAY)
    if given.count() >= MAX_ASSIGNED:
        raise Refused("rights.too_many_assigned", limit=MAX_ASSIGNED)
    kept = classes_of.counting(held(right).classes, offices.day(right.record.office, at))
    if interest.classes:
        kept = tuple(each for each in kept if classes_of.among(each, interest.classes))
    record = replace(right.record, owners=(interest.party,), classes=kept)
    [number] = take_numbers("R", 1, at)
    new = RightRow(
        id=uuid4(),
        number=number,
        organisation=organisation,
        filed_by=by.organisation_id,
        made_by=by.user_id,
        made_at=at,
    )
    filed = Filed(
        number=number,
        organisation=str(organisation),
        record=record,
        filed_by=str(by.organisation_id),
        predecessor=right.id,
        interests=(*(each for each in right.interests if _goes_along(each, interest)), interest),
    )
    events = chained(new.pk, 0, b"", [Step(type="filed", payload=filed)], by=by, at=at)
    show(new, history.fold(events), events[-1].sha256, at)
    deposits = deposit_events([(number, each) for each in events], organisation, by=by, at=at)
    rows = tuple(event_rows(events, deposits, organisation, by=by))
    return _Successor(id=str(new.pk), row=new, record=record, events=rows)


def _goes_along(each: Interest, assignment: Interest) -> bool:
    """Licences outlive an assignment, where they concern what was assigned; how ownership came about stays behind."""
    if each.role in ("assignee", "owner", "co_owner") or each.ended_on is not None:
        return False
    return not assignment.classes or not each.classes or bool(set(each.classes) & set(assignment.classes))
