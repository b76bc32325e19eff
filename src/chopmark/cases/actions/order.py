"""Order a notary's signature under a bundle: reason, applicant, papers; preview; place; supplement; withdraw."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction

from chopmark.base.errors import Invalid, Refused
from chopmark.cases import checklist, draft, messages, papers, queries, states
from chopmark.cases.actions import common
from chopmark.cases.actions.filing import Preview
from chopmark.cases.checklist import Checklist
from chopmark.cases.models import Desk, Order
from chopmark.cases.queries import OrderSummary, order_row, order_summary
from chopmark.desk import codec
from chopmark.evidence import wiring
from chopmark.people.actor import Actor


@wiring.answering()
def order_notarisation(
    matter_id: UUID,
    bundle_id: UUID,
    notary: str,
    *,
    by: Actor,
    at: datetime,
    data: Mapping[str, Any] | None = None,
) -> OrderSummary:
    """Begin an order: a notary shall sign this bundle. Nothing is sent before `place_order`.

    Args:
        notary: name of a notary's desk.
        data: members of `draft.OrderDraft`; missing ones count as empty.

    Raises:
        Refused: `cases.desk_not_found`, `cases.too_many_drafts`; what `papers.offered` raises.
        Invalid: `cases.draft_malformed`.
    """
    by.must("deposit")
    papers.offered(by, bundle_id, matter_id)
    desk = Desk.objects.filter(pk=notary[:32], kind="notary", retired_at=None).first()
    if desk is None:
        raise Refused("cases.desk_not_found", name=notary[:32])
    checked = draft.read_order(data or {})
    with transaction.atomic():
        mine = Order.objects.filter(organisation=by.organisation_id, state="draft")
        if mine.count() >= common.MAX_DRAFTS:
            raise Refused("cases.too_many_drafts", limit=common.MAX_DRAFTS)
        row = Order.objects.create(
            number=common.next_number("N", at),
            organisation=by.organisation_id,
            made_by=by.user_id,
            matter=matter_id,
            bundle=bundle_id,
            desk=desk,
            draft=checked,
            state="draft",
            made_at=at,
            changed_at=at,
        )
    return order_summary(row, whole=True)


@wiring.answering()
def save_order(
    order_id: UUID | str,
    data: Mapping[str, Any],
    *,
    by: Actor,
    at: datetime,
    version: int | None = None,
    bundle_id: UUID | None = None,
) -> OrderSummary:
    """Save the draft of an order; `bundle_id` takes another bundle of the same matter.

    Raises:
        Refused: `cases.order_not_found`, `cases.state_wrong`, `cases.draft_moved`; what `papers.offered` raises.
        Invalid: `cases.draft_malformed`.
    """
    by.must("deposit")
    checked = draft.read_order(data)
    row = order_row(by, order_id)
    if bundle_id is not None:
        papers.offered(by, bundle_id, row.matter)
    with transaction.atomic():
        row = order_row(by, order_id, lock=True)
        states.must_be(row.state, states.EDITABLE)
        common.must_be_current(row, version)
        row.draft, row.bundle = checked, bundle_id or row.bundle
        row.version, row.changed_at = row.version + 1, at
        row.save(update_fields=["draft", "bundle", "version", "changed_at"])
    return order_summary(row, whole=True)


def check_order(order_id: UUID | str, *, by: Actor) -> Checklist:
    """What is missing.

    Raises:
        Refused: `cases.order_not_found`; what `papers.offered` raises.
    """
    return queries.order_checklist_of(by, order_id)


@wiring.answering()
def preview_order(order_id: UUID | str, *, by: Actor, at: datetime) -> Preview:
    """What would be sent now; that it was shown, and when, is noted and goes into the order.

    Raises:
        Refused: `cases.order_not_found`, `cases.state_wrong`; `cases.incomplete` while something is missing.
    """
    by.must("deposit")
    row = order_row(by, order_id)
    states.must_be(row.state, states.EDITABLE)
    offered, missing = _complete(row, by)
    shown = common.drafted(row)
    message = messages.order(row, offered, by, previewed_at=at, agreed_at=at, at=at, note="")
    Order.objects.filter(pk=row.pk).update(previewed_at=at, previewed=shown)
    return Preview(message=message, sha256=shown, checklist=missing)


@wiring.answering()
def place_order(
    order_id: UUID | str, *, by: Actor, at: datetime, shown: bytes | None = None, note: str = ""
) -> OrderSummary:
    """Agree to what was previewed and send it; also sends a supplement, as the next revision.

    Raises:
        Refused: `cases.order_not_found`, `cases.state_wrong`, `cases.incomplete`, `cases.preview_first`; what
            evidence's `deposit` raises.
        Invalid: `desk.message_too_large`, `cases.draft_malformed`.
    """
    by.must("deposit")
    row = order_row(by, order_id)
    states.must_be(row.state, states.EDITABLE)
    offered, _ = _complete(row, by)
    wanted = common.drafted(row)
    if row.previewed_at is None or bytes(row.previewed or b"") != wanted or shown not in (None, wanted):
        raise Refused("cases.preview_first", number=row.number)
    message = messages.order(row, offered, by, previewed_at=row.previewed_at, agreed_at=at, at=at, note=note)
    data = codec.canonical(message)
    if len(data) > codec.MAX_MESSAGE:
        raise Invalid("desk.message_too_large", limit=codec.MAX_MESSAGE)
    name = f"{row.number}-{message.revision}.json"
    deposit = common.deposit_document(data, f"{row.number} ({message.revision})", name, by=by, at=at)
    with transaction.atomic():
        fresh = order_row(by, row.pk, lock=True)
        states.must_be(fresh.state, states.EDITABLE)
        if (fresh.version, fresh.revision) != (row.version, row.revision):
            raise Refused("cases.draft_moved", number=row.number)
        fresh.state, fresh.revision = "sending", message.revision
        fresh.message, fresh.message_deposit = data, deposit
        fresh.previewed = fresh.previewed_at = None
        fresh.sent_at = fresh.changed_at = at
        fresh.save()
        common.dispatch(fresh, fresh.desk, "order", at=at, body=data, size=message.bundle.size)
    return order_summary(fresh, whole=True)


@wiring.answering()
def withdraw_order(order_id: UUID | str, reason: str, *, by: Actor, at: datetime) -> OrderSummary:
    """Take an order back; the desk confirms it.

    Raises:
        Refused: `cases.order_not_found`, `cases.state_wrong`.
        Invalid: `cases.draft_malformed` for a reason that is no text.
    """
    by.must("deposit")
    with transaction.atomic():
        row = order_row(by, order_id, lock=True)
        states.must_be(row.state, states.WITHDRAWABLE)
        body = codec.canonical(messages.withdrawal(row.pk, reason, at))
        row.state, row.changed_at = "withdrawing", at
        row.save(update_fields=["state", "changed_at"])
        common.dispatch(row, row.desk, "withdrawal", at=at, body=body)
    return order_summary(row, whole=True)


@wiring.answering()
def discard_order(order_id: UUID | str, *, by: Actor) -> None:
    """Throw a draft away that was never sent.

    Raises:
        Refused: `cases.order_not_found`, `cases.state_wrong`.
    """
    by.must("deposit")
    with transaction.atomic():
        row = order_row(by, order_id, lock=True)
        states.must_be(row.state, frozenset(("draft",)))
        row.delete()


def _complete(row: Order, by: Actor) -> tuple[papers.Offered, Checklist]:
    """The bundle and the checklist of an order that lacks nothing."""
    offered = papers.offered(by, row.bundle, row.matter)
    found = checklist.check_order(draft.stored_order(row.draft), offered.manifest)
    if not found.ready:
        raise Refused("cases.incomplete", number=row.number, missing=[gap.code for gap in found.gaps if gap.blocks])
    return offered, found
