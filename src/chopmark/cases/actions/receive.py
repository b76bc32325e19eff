"""Receive what a desk says: check that it said it, deposit it, keep it, let the filing or the order follow.

The same event again is answered as before. Events may arrive in another order than they were written; the last one by
number decides how the case stands.
"""

from __future__ import annotations

from datetime import datetime

from django.db import IntegrityError, transaction

from chopmark.base.errors import Refused
from chopmark.cases import states
from chopmark.cases.actions import common
from chopmark.cases.models import Desk, Event, Filing, Order
from chopmark.cases.queries import card_of
from chopmark.desk import codec
from chopmark.desk.wire import SignedEvent
from chopmark.evidence import wiring

MAX_EVENT = codec.MAX_MESSAGE
"""Bytes of a signed event: the check of a thousand items fits."""
MOST_EVENTS = 1000
"""Of one case: each is a deposit."""


@wiring.answering()
def receive_event(data: bytes, *, at: datetime) -> bool:
    """Take a signed event; whether it is new.

    Raises:
        Invalid: `desk.message_malformed`, `desk.message_too_large`, `desk.event_forged`.
        Refused: `cases.desk_not_found`; `cases.event_unasked` for a case that this desk does not have;
            `cases.event_differs` when another event has its place, or its number is beyond `MOST_EVENTS`.
        Unavailable: what evidence's `deposit` raises.
    """
    signed = codec.parse(SignedEvent, data, limit=MAX_EVENT)
    event = signed.event
    desk = Desk.objects.filter(pk=event.desk).first()
    if desk is None:
        raise Refused("cases.desk_not_found", name=event.desk[:32])
    signed.must_be_by(card_of(desk).key)
    row = _case(signed, desk)
    if _known(data, signed):
        return False
    servant = common.servant_of(row.organisation, None)
    name = f"{row.number}-event-{event.seq}.json"
    deposit = common.deposit_document(data, f"{row.number} {event.kind}", name, by=servant, at=at)
    try:
        with transaction.atomic():
            row = type(row).objects.select_for_update().get(pk=row.pk)
            Event.objects.create(
                token=event.token,
                about=event.about,
                desk=desk,
                seq=event.seq,
                kind=event.kind,
                at=event.at,
                document=data,
                deposit=deposit,
                received_at=at,
            )
            _follow(row, signed, at)
    except IntegrityError:
        if not _known(data, signed):
            raise
        return False  # another call has just written it
    return True


def _case(signed: SignedEvent, desk: Desk) -> Filing | Order:
    event = signed.event
    row: Filing | Order | None
    if desk.kind == "court":
        row = Filing.objects.filter(pk=event.about, desk=desk).exclude(revision=0).first()
    else:
        row = Order.objects.filter(pk=event.about, desk=desk).exclude(revision=0).first()
    if row is None or event.revision > row.revision:
        raise Refused("cases.event_unasked", desk=desk.name)
    return row


def _known(data: bytes, signed: SignedEvent) -> bool:
    event = signed.event
    if event.seq > MOST_EVENTS:
        raise Refused("cases.event_differs", desk=event.desk, seq=event.seq)
    same = Event.objects.filter(about=event.about, seq=event.seq) | Event.objects.filter(token=event.token)
    before = same.first()
    if before is None:
        return False
    if bytes(before.document) != data:
        raise Refused("cases.event_differs", desk=event.desk, seq=event.seq)
    return True


def _follow(row: Filing | Order, signed: SignedEvent, at: datetime) -> None:
    """Let the case stand as its last event says."""
    event = signed.event
    later = Event.objects.filter(about=event.about, seq__gt=event.seq)
    if event.number and isinstance(row, Filing) and not (row.court_number and later.exists()):
        row.court_number = event.number[:100]
    elif event.number and isinstance(row, Order):
        row.notary_number = event.number[:100]
    if not any(states.AFTER_EVENT[kind] for kind in later.values_list("kind", flat=True)):
        row.state = states.after_event(row.state, event.kind)
    row.changed_at = at
    row.save()
    if event.kind == "issued" and event.bundle is not None and row.desk is not None:
        common.dispatch(row, row.desk, "fetch", at=at, body=codec.canonical(event.bundle), size=event.bundle.size)
