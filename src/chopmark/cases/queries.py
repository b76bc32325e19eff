"""What may be read about filings and orders, and by whom.

Everything returned is a frozen summary; rows never leave this room. Each function takes the actor who asks: another
organisation's filing is answered like one that does not exist.

    filings_of(actor)            newest first             orders_of(actor)
    filing_of(actor, which)      by id or number          order_of(actor, which)
    checklist_of(actor, which)   what is missing          preview_of(actor, which)   what would be sent
    desks(kind="notary")         who can be asked         event_document(actor, token)   what a desk signed
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID

from django.db.models import Model, Q, QuerySet

from chopmark.base.errors import Refused
from chopmark.cases import checklist, draft, papers
from chopmark.cases.checklist import Checklist
from chopmark.cases.draft import Draft, OrderDraft
from chopmark.cases.models import Desk, Dispatch, Event, Filing, Order
from chopmark.cases.states import EDITABLE, WITHDRAWABLE
from chopmark.desk import codec, wire
from chopmark.desk.wire import CheckLine, DeskCard, SignedEvent
from chopmark.ledger.keys import VerifierKey
from chopmark.people.actor import Actor

MAX_PAGE = 200
_Row = TypeVar("_Row", bound=Model)


@dataclass(frozen=True, slots=True, kw_only=True)
class DeskSummary:
    """A desk that the operator adopted.

    Attributes:
        profile: code of the court in `law`; empty for a notary.
        simulated: it only stands in for an institution; must be shown beside its name.
    """

    name: str
    kind: str
    profile: str
    zh: str
    en: str
    simulated: bool
    url: str
    retired: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class EventSummary:
    """One step that a desk reported.

    Attributes:
        token: to fetch the signed document by.
        reasons: what the clerk wrote; a stranger's text.
        number: case number, empty where the event gives none.
        checks: of the automatic check, each with its verdict and codes that `base.wording` words.
        deposit_id: the deposit of the signed document.
        bundle: number of the countersigned bundle as the notary names it, empty otherwise.
    """

    token: UUID
    seq: int
    kind: str
    at: datetime
    revision: int
    reasons: tuple[str, ...]
    number: str
    when: datetime | None
    place: str
    fee_fen: int | None
    checks: tuple[CheckLine, ...]
    deposit_id: UUID | None
    bundle: str
    received_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """How far a message to the desk is.

    Attributes:
        kind: filing, order, withdrawal or fetch.
        sent, size: bytes of the bundle.
        trouble, facts: code of what went wrong last, for `wording.say`; empty when nothing did.
    """

    kind: str
    sent: int
    size: int
    tries: int
    trouble: str
    facts: Mapping[str, Any]
    next_try: datetime
    done: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class FilingSummary:
    """A filing.

    Attributes:
        number: F-2026-000001.
        state: one of `states.STATES`.
        way: desk or package, once it is sent.
        desk: name of the desk; empty for none.
        court, cause: codes of `law`, empty while not chosen.
        version: of the draft; give it to `save_step` to notice that somebody else saved in between.
        court_number: the court's case number.
        receipt_number: typed in by a person, for a court without a desk.
        editable, withdrawable: what may be done now.
    """

    id: UUID
    number: str
    matter_id: UUID
    bundle_id: UUID | None
    state: str
    way: str
    desk: str
    court: str
    cause: str
    draft: Draft
    version: int
    revision: int
    court_number: str
    receipt_number: str
    message_deposit_id: UUID | None
    previewed_at: datetime | None
    made_at: datetime
    changed_at: datetime
    sent_at: datetime | None
    editable: bool
    withdrawable: bool
    events: tuple[EventSummary, ...]
    deliveries: tuple[Delivery, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderSummary:
    """An order to a notary.

    Attributes:
        number: N-2026-000001.
        notary: name of the desk.
        notary_number: the notary's own number.
        signed_bundle_id: the bundle with the notary's signature, once it joined.
    """

    id: UUID
    number: str
    matter_id: UUID
    bundle_id: UUID
    state: str
    notary: str
    draft: OrderDraft
    version: int
    revision: int
    notary_number: str
    signed_bundle_id: UUID | None
    message_deposit_id: UUID | None
    previewed_at: datetime | None
    made_at: datetime
    changed_at: datetime
    sent_at: datetime | None
    editable: bool
    withdrawable: bool
    events: tuple[EventSummary, ...]
    deliveries: tuple[Delivery, ...]


def filings_of(
    actor: Actor, *, matter_id: UUID | None = None, state: str = "", after: str = "", limit: int = 50
) -> tuple[FilingSummary, ...]:
    """The organisation's filings, newest first, without their events.

    Args:
        after: number of the last one already seen.

    Raises:
        Refused: `cases.filing_not_found` for a wrong `after`; what people's `must` raises.
    """
    rows = _page(_filings(actor), matter_id, state, after=after, limit=limit, missing="cases.filing_not_found")
    return tuple(filing_summary(row) for row in rows)


def filing_of(actor: Actor, which: UUID | str) -> FilingSummary:
    """One filing by id or number, with its events.

    Raises:
        Refused: `cases.filing_not_found`; what people's `must` raises.
    """
    return filing_summary(filing_row(actor, which), whole=True)


def orders_of(
    actor: Actor, *, matter_id: UUID | None = None, state: str = "", after: str = "", limit: int = 50
) -> tuple[OrderSummary, ...]:
    """The organisation's orders, newest first, without their events.

    Raises:
        Refused: `cases.order_not_found` for a wrong `after`; what people's `must` raises.
    """
    rows = _page(_orders(actor), matter_id, state, after=after, limit=limit, missing="cases.order_not_found")
    return tuple(order_summary(row) for row in rows)


def order_of(actor: Actor, which: UUID | str) -> OrderSummary:
    """One order by id or number, with its events.

    Raises:
        Refused: `cases.order_not_found`; what people's `must` raises.
    """
    return order_summary(order_row(actor, which), whole=True)


def checklist_of(actor: Actor, which: UUID | str) -> Checklist:
    """What a filing lacks.

    Raises:
        Refused: `cases.filing_not_found`; what `papers.offered` raises; what people's `must` raises.
    """
    row = filing_row(actor, which)
    offered = papers.offered(actor, row.bundle, row.matter) if row.bundle else None
    manifest, template = (None, "") if offered is None else (offered.manifest, offered.template)
    return checklist.check(draft.stored(row.draft), manifest, template)


def order_checklist_of(actor: Actor, which: UUID | str) -> Checklist:
    """What an order lacks.

    Raises:
        Refused: `cases.order_not_found`; what `papers.offered` raises; what people's `must` raises.
    """
    row = order_row(actor, which)
    offered = papers.offered(actor, row.bundle, row.matter)
    return checklist.check_order(draft.stored_order(row.draft), offered.manifest)


def sent_message(actor: Actor, which: UUID | str) -> wire.Filing:
    """What was sent to the court last.

    Raises:
        Refused: `cases.filing_not_found`, also while nothing was sent; what people's `must` raises.
    """
    row = filing_row(actor, which)
    if not row.message:
        raise Refused("cases.filing_not_found")
    return codec.parse(wire.Filing, bytes(row.message))


def event_document(actor: Actor, token: UUID) -> bytes:
    """The event as the desk signed it, byte for byte.

    Raises:
        Refused: `cases.event_not_found`; what people's `must` raises.
    """
    actor.must("view")
    row = Event.objects.filter(token=token).first()
    mine = row is not None and any(
        kind.objects.filter(pk=row.about, organisation=actor.organisation_id).exists() for kind in (Filing, Order)
    )
    if row is None or not mine:
        raise Refused("cases.event_not_found")
    return bytes(row.document)


def desks(*, kind: str = "", retired: bool = False) -> tuple[DeskSummary, ...]:
    """Desks that the operator adopted, by name; anybody may know them."""
    rows = Desk.objects.order_by("name")
    rows = rows.filter(kind=kind) if kind else rows
    return tuple(desk_summary(row) for row in (rows if retired else rows.filter(retired_at=None)))


def desk_keys() -> tuple[VerifierKey, ...]:
    """The node keys of all desks, retired ones too: what they still report is received."""
    return tuple(card_of(row).key for row in Desk.objects.order_by("name"))


def desk_for(court: str) -> DeskSummary | None:
    """The desk that receives filings for a court; None where only a package can be made."""
    row = Desk.objects.filter(kind="court", profile=court, retired_at=None).order_by("adopted_at").first()
    return None if row is None else desk_summary(row)


# ---- for this room only: rows and their frozen forms -----------------------------------------------------------------


def filing_row(actor: Actor, which: UUID | str, *, lock: bool = False) -> Filing:
    """The row, where the actor may see it."""
    row = _named(_filings(actor), which, lock=lock)
    if row is None:
        raise Refused("cases.filing_not_found")
    return row


def order_row(actor: Actor, which: UUID | str, *, lock: bool = False) -> Order:
    """The row, where the actor may see it."""
    row = _named(_orders(actor), which, lock=lock)
    if row is None:
        raise Refused("cases.order_not_found")
    return row


def filing_summary(row: Filing, *, whole: bool = False) -> FilingSummary:
    """The frozen form of a row."""
    filled = draft.stored(row.draft)
    return FilingSummary(
        id=row.pk,
        number=row.number,
        matter_id=row.matter,
        bundle_id=row.bundle,
        state=row.state,
        way=row.way,
        desk=row.desk_id or "",
        court=filled.court.court,
        cause=filled.court.cause,
        draft=filled,
        version=row.version,
        revision=row.revision,
        court_number=row.court_number,
        receipt_number=row.receipt_number,
        message_deposit_id=row.message_deposit,
        previewed_at=row.previewed_at,
        made_at=row.made_at,
        changed_at=row.changed_at,
        sent_at=row.sent_at,
        editable=row.state in EDITABLE,
        withdrawable=row.way == "desk" and row.state in WITHDRAWABLE,
        events=_events(row.pk) if whole else (),
        deliveries=_deliveries(row.pk) if whole else (),
    )


def order_summary(row: Order, *, whole: bool = False) -> OrderSummary:
    """The frozen form of a row."""
    return OrderSummary(
        id=row.pk,
        number=row.number,
        matter_id=row.matter,
        bundle_id=row.bundle,
        state=row.state,
        notary=row.desk_id,
        draft=draft.stored_order(row.draft),
        version=row.version,
        revision=row.revision,
        notary_number=row.notary_number,
        signed_bundle_id=row.signed_bundle,
        message_deposit_id=row.message_deposit,
        previewed_at=row.previewed_at,
        made_at=row.made_at,
        changed_at=row.changed_at,
        sent_at=row.sent_at,
        editable=row.state in EDITABLE,
        withdrawable=row.state in WITHDRAWABLE,
        events=_events(row.pk) if whole else (),
        deliveries=_deliveries(row.pk) if whole else (),
    )


def desk_summary(row: Desk) -> DeskSummary:
    """The frozen form of a row."""
    card = card_of(row)
    return DeskSummary(
        name=row.name,
        kind=row.kind,
        profile=row.profile,
        zh=card.zh,
        en=card.en,
        simulated=card.simulated,
        url=card.url,
        retired=row.retired_at is not None,
    )


def card_of(row: Desk) -> DeskCard:
    """The desk's card."""
    return codec.parse(DeskCard, bytes(row.card))


def _events(about: UUID) -> tuple[EventSummary, ...]:
    return tuple(_event(row) for row in Event.objects.filter(about=about).order_by("seq"))


def _event(row: Event) -> EventSummary:
    event = codec.parse(SignedEvent, bytes(row.document)).event
    return EventSummary(
        token=row.token,
        seq=row.seq,
        kind=row.kind,
        at=row.at,
        revision=event.revision,
        reasons=event.reasons,
        number=event.number or "",
        when=event.when,
        place=event.place or "",
        fee_fen=event.fee_fen,
        checks=event.checks,
        deposit_id=row.deposit,
        bundle=event.bundle.number if event.bundle else "",
        received_at=row.received_at,
    )


def _deliveries(about: UUID) -> tuple[Delivery, ...]:
    return tuple(
        Delivery(
            kind=row.kind,
            sent=row.sent,
            size=row.size,
            tries=row.tries,
            trouble=row.trouble,
            facts=dict(row.facts),
            next_try=row.next_try,
            done=row.done_at is not None,
        )
        for row in Dispatch.objects.filter(about=about).order_by("pk")
    )


def _filings(actor: Actor) -> QuerySet[Filing]:
    actor.must("view")
    return Filing.objects.filter(organisation=actor.organisation_id)


def _orders(actor: Actor) -> QuerySet[Order]:
    actor.must("view")
    return Order.objects.filter(organisation=actor.organisation_id)


def _named(rows: QuerySet[_Row], which: UUID | str, *, lock: bool) -> _Row | None:
    rows = rows.select_for_update() if lock else rows
    if isinstance(which, UUID):
        return rows.filter(pk=which).first()
    try:
        return rows.filter(pk=UUID(which)).first()
    except ValueError:
        return rows.filter(number=which.replace("\x00", "")[:24]).first()


def _page(
    rows: QuerySet[_Row], matter_id: UUID | None, state: str, *, after: str, limit: int, missing: str
) -> QuerySet[_Row]:
    rows = rows if matter_id is None else rows.filter(matter=matter_id)
    rows = rows.filter(state=state.replace("\x00", "")[:20]) if state else rows
    if after:
        last: Any = _named(rows.model._default_manager.filter(pk__in=rows.values("pk")), after, lock=False)  # noqa: SLF001 (Django's documented name)
        if last is None:
            raise Refused(missing)
        rows = rows.filter(Q(made_at__lt=last.made_at) | Q(made_at=last.made_at, number__lt=last.number))
    return rows.order_by("-made_at", "-number")[: max(1, min(limit, MAX_PAGE))]
