"""What may be read of rights, and by whom: frozen summaries, never rows.

    rights_of(actor, Filters(kind="trademark"))          the organisation's rights, newest first
    right_of(actor, "R-2026-000001", at=now)             one, with its papers; `as_of` shows it as it was known then
    events_of(actor, which), receipt_of(actor, which, 3) its history, and the receipt of one event
    portfolio_of(agent, at=now)                          the clients' rights that mandates in force let an agent see

`at` is the present moment: mandates are judged by it. Without it only the actor's own organisation counts.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from django.db.models import Count, F, Q, QuerySet

from chopmark.base import jcs
from chopmark.base.errors import Refused
from chopmark.evidence import queries as evidence_queries
from chopmark.evidence.queries import DepositSummary
from chopmark.evidence.receipt import Receipt
from chopmark.people.actor import Actor
from chopmark.people.queries import organisation_name, organisation_names
from chopmark.rights import coverage, encoding, history, numbers, offices
from chopmark.rights.coverage import Decision, Sale
from chopmark.rights.history import Event
from chopmark.rights.models import Event as EventRow
from chopmark.rights.models import Mandate as MandateRow
from chopmark.rights.models import Paper as PaperRow
from chopmark.rights.models import Reminder as ReminderRow
from chopmark.rights.models import Right as RightRow
from chopmark.rights.queries import access
from chopmark.rights.queries.rivals import common_ground, rivals_of
from chopmark.rights.record import Mandate, Party, Power, Record, Right

MAX_PAGE = 200
MAX_MANDATES = 1000  # in one list; anybody may offer, so what was accepted comes first
NUMBERS_SHOWN = 20  # rights that one mandate is limited to, in a list


@dataclass(frozen=True, slots=True, kw_only=True)
class Filters:
    """What a list shows; empty members ask for nothing.

    Attributes:
        q: words of the title, or a number in any form.
        organisation: of one client, for an agent.
    """

    q: str = ""
    kind: str = ""
    state: str = ""
    office: str = ""
    cls: str = ""
    territory: str = ""
    organisation: UUID | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RightSummary:
    """A right for a list, and for who has just changed it.

    Attributes:
        right: how it stands.
        organisation_id: the holder's; `filed_by` is another one where an agent filed it.
        verified_at: when it last became verified.
    """

    id: UUID
    number: str
    organisation_id: UUID
    filed_by: UUID
    title: str
    right: Right
    made_at: datetime
    changed_at: datetime
    verified_at: datetime | None

    @property
    def record(self) -> Record:
        """What is said of it."""
        return self.right.record

    @property
    def state(self) -> str:
        """How it stands here."""
        return self.right.state

    @property
    def level(self) -> int:
        """Verification level."""
        return self.right.level

    @property
    def version(self) -> int:
        """Counts its events."""
        return self.right.version


@dataclass(frozen=True, slots=True, kw_only=True)
class RightsPage:
    """Some rights, newest first.

    Attributes:
        next: the number to give as `after` for the following page, or empty.
        counts: rights by state that fit the filters but the state's, on all pages.
    """

    items: tuple[RightSummary, ...]
    next: str
    counts: Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class PaperSummary:
    """A paper beside a right."""

    id: UUID
    kind: str
    sha256: bytes
    size: int
    file_name: str
    media_type: str
    language: str
    deposit_id: UUID
    organisation_id: UUID
    added_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ReminderSummary:
    """Something that comes due.

    Attributes:
        kind: as `lifecycle.Reminder.what`; `subject` is the interest or recordal that it is about, where it is one.
    """

    right_id: UUID
    number: str
    title: str
    kind: str
    due: date
    subject: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RightDetail:
    """One right with what belongs to it.

    Attributes:
        as_of: the moment that it is shown as of; None for now. Papers and reminders are always today's.
        organisation_name: the holder's.
    """

    summary: RightSummary
    organisation_name: str
    papers: tuple[PaperSummary, ...]
    reminders: tuple[ReminderSummary, ...]
    as_of: datetime | None = None

    @property
    def right(self) -> Right:
        """How it stands, or stood."""
        return self.summary.right


@dataclass(frozen=True, slots=True, kw_only=True)
class EventSummary:
    """One event of a right.

    Attributes:
        state: of the right after it.
        level: of verification after it.
        sha256: of its bytes, which `event_document` gives.
        deposit_id: whose receipt `receipt_of` gives.
        by: the organisation that acted; None for the operator and the platform.
    """

    seq: int
    type: str
    at_law: date | None
    recorded_at: datetime
    payload: Mapping[str, Any]
    state: str
    level: int
    sha256: bytes
    deposit_id: UUID
    by: UUID | None


@dataclass(frozen=True, slots=True, kw_only=True)
class MandateSummary:
    """A mandate, as both sides see it.

    Attributes:
        right_numbers: short numbers of the first rights that it is limited to.
        offered: the agent has neither accepted it nor refused it, and it has not ended.
        ended: it does not count any more, and never will.
    """

    id: UUID
    mandate: Mandate
    principal_name: str
    agent_name: str
    right_numbers: tuple[str, ...]
    in_force: bool
    offered: bool
    ended: bool
    made_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Conflict:
    """A verified right of somebody else in the same sign.

    Attributes:
        territories: where both have effect in a class of both; empty where their ways part.
    """

    number: str
    owners: tuple[str, ...]
    territories: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """A client in an agent's portfolio."""

    organisation_id: UUID
    name: str
    mandates: tuple[Mandate, ...]
    rights: int


def rights_of(
    actor: Actor, filters: Filters | None = None, *, at: datetime | None = None, after: str = "", limit: int = 50
) -> RightsPage:
    """A page of rights that the actor may see, newest first.

    Raises:
        Refused: `rights.not_found` for a wrong `after`; what people's `must` raises.
    """
    filters = filters or Filters()
    found = _filtered(access.visible(actor, at), filters)
    counts = dict(found.order_by().values_list("state").annotate(count=Count("pk", distinct=True)))
    rows = found.filter(state=_clean(filters.state, 16)) if filters.state else found
    if after:
        last = access.named(access.visible(actor, at), after)
        rows = rows.filter(Q(made_at__lt=last.made_at) | Q(made_at=last.made_at, number__lt=last.number))
    size = max(1, min(limit, MAX_PAGE))
    page = list(rows.order_by("-made_at", "-number")[: size + 1])
    shown = page[:size]
    return RightsPage(
        items=tuple(map(summary_of, shown)), next=shown[-1].number if len(page) > size else "", counts=counts
    )


def right_of(
    actor: Actor, which: UUID | str, *, at: datetime | None = None, as_of: datetime | None = None
) -> RightDetail:
    """One right by id, by short number, or by an office's number where only one of the actor's rights has it.

    Raises:
        Refused: `rights.not_found`, also for a moment before it came in; what people's `must` raises.
    """
    row = row_of(actor, which, at=at)
    summary = summary_of(row)
    if as_of is not None:
        then = history.right_as_of(events(row.pk), as_of)
        if then is None:
            raise Refused("rights.not_found")
        summary = summary_of(row, then)
    return RightDetail(
        summary=summary,
        organisation_name=organisation_name(row.organisation) or "",
        papers=tuple(_paper(each) for each in row.papers.order_by("added_at", "kind", "file_name")),
        reminders=tuple(_reminder(each, row) for each in row.reminders.filter(done_at=None).order_by("due")),
        as_of=as_of,
    )


def events_of(actor: Actor, which: UUID | str, *, at: datetime | None = None) -> tuple[EventSummary, ...]:
    """The history of a right, oldest first.

    Raises:
        Refused: `rights.not_found`; what people's `must` raises.
    """
    row = row_of(actor, which, at=at)
    shown = []
    right: Right | None = None
    for each in EventRow.objects.filter(subject=row.pk).order_by("seq"):
        event = Event.parse(bytes(each.body))
        right = history.follow(right, event)
        shown.append(
            EventSummary(
                seq=event.seq,
                type=event.type,
                at_law=event.at_law,
                recorded_at=event.recorded_at,
                payload=encoding.encode(event.payload),
                state=right.state,
                level=right.level,
                sha256=event.sha256,
                deposit_id=each.deposit,
                by=each.actor,
            )
        )
    return tuple(shown)


def event_document(actor: Actor, which: UUID | str, seq: int, *, at: datetime | None = None) -> bytes:
    """The event byte for byte, as its digest is on the ledger.

    Raises:
        Refused: `rights.not_found`, `rights.event_not_found`; what people's `must` raises.
    """
    return bytes(_event_row(row_of(actor, which, at=at), seq).body)


def deposit_of_event(actor: Actor, which: UUID | str, seq: int, *, at: datetime | None = None) -> DepositSummary:
    """The deposit of an event; it is on the account of the right's organisation, whoever acted.

    Raises:
        Refused: `rights.not_found`, `rights.event_not_found`; what people's `must` raises.
    """
    event = _event_row(row_of(actor, which, at=at), seq)
    return evidence_queries.deposit_of(reader_of(event.organisation), event.deposit)


def receipt_of(actor: Actor, which: UUID | str, seq: int, *, at: datetime | None = None) -> Receipt:
    """The receipt of an event.

    Raises:
        Refused: `rights.not_found`, `rights.event_not_found`; what people's `must` raises.
        Unavailable: `evidence.not_published` while the ledger has not published it; what `receipt_for` raises.
    """
    event = _event_row(row_of(actor, which, at=at), seq)
    return evidence_queries.receipt_for(reader_of(event.organisation), event.deposit)


def portfolio_of(actor: Actor, *, at: datetime) -> tuple[Client, ...]:
    """The clients of an agent: those whose mandates are in force, and how many of their rights it may see.

    Raises:
        Refused: what people's `must` raises.
    """
    seen = access.visible(actor, at)
    clients: dict[UUID, list[Mandate]] = {}
    for mandate in access.mandates_for(actor.organisation_id, at.date()):
        clients.setdefault(UUID(mandate.principal), []).append(mandate)
    names = organisation_names(clients)
    theirs = seen.filter(organisation__in=clients).order_by().values_list("organisation")
    rights = dict(theirs.annotate(count=Count("pk", distinct=True)))
    found = [
        Client(
            organisation_id=principal,
            name=names.get(principal, ""),
            mandates=tuple(mandates),
            rights=rights.get(principal, 0),
        )
        for principal, mandates in clients.items()
    ]
    return tuple(sorted(found, key=lambda each: (each.name, each.organisation_id)))


def mandates_of(actor: Actor, *, at: datetime) -> tuple[MandateSummary, ...]:
    """Mandates that the actor's organisation gave or has: those accepted last in front, then offers, newest first.

    Raises:
        Refused: what people's `must` raises.
    """
    actor.must("view_rights")
    mine = Q(principal=actor.organisation_id) | Q(agent=actor.organisation_id)
    rows = MandateRow.objects.filter(mine).order_by(F("accepted_on").desc(nulls_last=True), "-made_at")
    return mandate_summaries(list(rows[:MAX_MANDATES]), at.date())


def decision_of(
    actor: Actor,
    which: UUID | str,
    *,
    territory: str,
    cls: str,
    at: datetime,
    on: date | None = None,
    power: Power = "notice",
    seller: UUID | None = None,
    seller_party: Party | None = None,
    channel: str = "",
    parallel: bool = False,
) -> Decision:
    """Whether the actor's organisation may base a measure on a right, and in which countries.

    `coverage.may_act` with the mandates and the rivals that are known here, today at the right's office where no day is
    named.

    Raises:
        Refused: `rights.not_found`; what people's `must` raises.
        Invalid: `rules.territory_unknown`, `rules.class_unknown`.
    """
    row = row_of(actor, which, at=at)
    today, on = on is None, on or offices.day(row.office, at)
    mandates = access.mandates_for(actor.organisation_id, on)
    return coverage.may_act(
        summary_of(row).right,
        actor=str(actor.organisation_id),
        territory=territory,
        cls=cls,
        on=on,
        power=power,
        # A mandate ends on its day in UTC, which has begun already where it is still yesterday at the office.
        mandates=[each for each in mandates if not today or not access.ended(each, at.date())],
        seller="" if seller is None else str(seller),
        seller_party=seller_party,
        channel=channel,
        rivals=rivals_of(row),
        parallel=parallel,
    )


def sale_of(
    actor: Actor,
    which: UUID | str,
    *,
    territory: str,
    at: datetime,
    on: date | None = None,
    seller: UUID | None = None,
    party: Party | None = None,
    cls: str = "",
    channel: str = "",
) -> Sale:
    """Whether a seller may sell: `coverage.may_sell` for a right that the actor may see.

    Raises:
        Refused: `rights.not_found`; what people's `must` raises.
        Invalid: `rules.territory_unknown`, `rules.class_unknown`.
    """
    row = row_of(actor, which, at=at)
    return coverage.may_sell(
        summary_of(row).right,
        territory=territory,
        on=on or offices.day(row.office, at),
        organisation="" if seller is None else str(seller),
        party=party,
        cls=cls,
        channel=channel,
    )


def conflicts_of(actor: Actor, which: UUID | str, *, at: datetime) -> tuple[Conflict, ...]:
    """Verified rights of other owners in the same sign, and where they meet this one. That they are verified is public.

    Raises:
        Refused: `rights.not_found`; what people's `must` raises.
    """
    row = row_of(actor, which, at=at)
    mine = summary_of(row).right
    return tuple(
        Conflict(
            number=each.number,
            owners=tuple(one.name for one in each.record.owners),
            territories=common_ground(mine.record, each.record, offices.day(row.office, at)),
        )
        for each in rivals_of(row)
    )


def reminders_of(actor: Actor, *, at: datetime, limit: int = MAX_PAGE) -> tuple[ReminderSummary, ...]:
    """What comes due among the rights that the actor may see, the next first.

    Raises:
        Refused: what people's `must` raises.
    """
    seen = access.visible(actor, at).values("pk")
    rows = ReminderRow.objects.filter(right__in=seen, done_at=None).select_related("right")
    return tuple(_reminder(each, each.right) for each in rows.order_by("due", "right__number")[:limit])


# ---- for this room only: rows and their frozen forms -----------------------------------------------------------------


def row_of(actor: Actor, which: UUID | str, *, at: datetime | None = None) -> RightRow:
    """The row of a right that the actor may see.

    Raises:
        Refused: `rights.not_found`.
    """
    seen = access.visible(actor, at)
    try:
        return access.named(seen, which)
    except Refused:
        if isinstance(which, UUID):
            raise
        rows = list(_numbered(seen, which)[:2])
        if len(rows) != 1:
            raise
        return rows[0]


def events(subject: UUID) -> list[Event]:
    """All events of a right or mandate, oldest first."""
    rows = EventRow.objects.filter(subject=subject).order_by("seq").values_list("body", flat=True)
    return [Event.parse(bytes(each)) for each in rows]


def summary_of(row: RightRow, right: Right | None = None) -> RightSummary:
    """The frozen form of a row, or of the right as it was."""
    right = right or encoding.parse_right(jcs.decode(bytes(row.current)))
    return RightSummary(
        id=row.pk,
        number=row.number,
        organisation_id=row.organisation,
        filed_by=row.filed_by,
        title=right.record.title or (right.record.mark.verbal if right.record.mark else ""),
        right=right,
        made_at=row.made_at,
        changed_at=row.changed_at,
        verified_at=row.verified_at,
    )


def mandate_summary(row: MandateRow, on: date) -> MandateSummary:
    """The frozen form of a row."""
    return mandate_summaries([row], on)[0]


def mandate_summaries(rows: Collection[MandateRow], on: date) -> tuple[MandateSummary, ...]:
    """The frozen forms of rows; names and numbers are looked up for all at once."""
    mandates = [access.mandate_of(row) for row in rows]
    names = organisation_names({side for row in rows for side in (row.principal, row.agent)})
    limits = {UUID(each) for mandate in mandates for each in mandate.rights[:NUMBERS_SHOWN]}
    numbered = dict(RightRow.objects.filter(pk__in=limits).values_list("pk", "number"))
    return tuple(
        MandateSummary(
            id=row.pk,
            mandate=mandate,
            principal_name=names.get(row.principal, ""),
            agent_name=names.get(row.agent, ""),
            right_numbers=tuple(
                numbered[UUID(each)] for each in mandate.rights[:NUMBERS_SHOWN] if UUID(each) in numbered
            ),
            in_force=access.in_force(mandate, on),
            offered=mandate.accepted_on is None and not access.ended(mandate, on),
            ended=access.ended(mandate, on),
            made_at=row.made_at,
        )
        for row, mandate in zip(rows, mandates, strict=True)
    )


def _filtered(rows: QuerySet[RightRow], filters: Filters) -> QuerySet[RightRow]:
    for name in ("kind", "office"):
        value: str = getattr(filters, name)
        rows = rows.filter(**{name: _clean(value, 16)}) if value else rows
    if filters.organisation is not None:
        rows = rows.filter(organisation=filters.organisation)
    if filters.cls:
        rows = rows.filter(classes__code=_clean(filters.cls, 32)).distinct()
    if filters.territory:
        rows = rows.filter(territories__territory=_clean(filters.territory, 8).upper())
    if filters.q:
        words = _clean(filters.q, 200)
        fits = Q(title__icontains=words) | Q(verbal__icontains=words) | Q(number=words.upper())
        rows = rows.filter(fits | Q(pk__in=_numbered(rows, words).values("pk")))
    return rows


def _numbered(rows: QuerySet[RightRow], written: str) -> QuerySet[RightRow]:
    """Rights whose number may be written so, at whatever office."""
    return rows.filter(numbers__key__in=numbers.asked(_clean(written, 200))).distinct()


def _clean(text: str, limit: int) -> str:
    return text.replace("\x00", "").strip()[:limit]


def _event_row(row: RightRow, seq: int) -> EventRow:
    found = EventRow.objects.filter(subject=row.pk, seq=seq).first() if 0 < seq < 2**31 else None
    if found is None:
        raise Refused("rights.event_not_found")
    return found


def reader_of(organisation_id: UUID) -> Actor:
    """Reads a deposit of an organisation for somebody who may see the right it is about."""
    return Actor(user_id=None, organisation_id=organisation_id, organisation_name="", role="viewer")


def _paper(row: PaperRow) -> PaperSummary:
    return PaperSummary(
        id=row.pk,
        kind=row.kind,
        sha256=bytes(row.sha256),
        size=row.size,
        file_name=row.file_name,
        media_type=row.media_type,
        language=row.language,
        deposit_id=row.deposit,
        organisation_id=row.organisation,
        added_at=row.added_at,
    )


def _reminder(row: ReminderRow, right: RightRow) -> ReminderSummary:
    return ReminderSummary(
        right_id=right.pk, number=right.number, title=right.title, kind=row.kind, due=row.due, subject=row.subject
    )
