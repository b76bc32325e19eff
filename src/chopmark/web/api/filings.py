"""`/api/v1/filings`, `/api/v1/orders`: what courts and notaries got; `/api/v1/desk-events`: what they answer.

An event comes from a desk, not from an account: its call carries an RFC 9421 signature of the desk's node key, and the
event itself another one that lasts.
"""

from __future__ import annotations

from functools import lru_cache
from http import HTTPStatus
from typing import Annotated, Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from ninja import Query, Router

from chopmark.base import clock
from chopmark.base.errors import Invalid, Refused
from chopmark.cases import actions, queries
from chopmark.cases.actions.receive import MAX_EVENT
from chopmark.cases.checklist import Checklist
from chopmark.cases.queries import Delivery, EventSummary, FilingSummary, OrderSummary
from chopmark.desk import codec
from chopmark.evidence import wiring
from chopmark.ledger.keys import VerifierKey
from chopmark.member.httpsig import Gate
from chopmark.people.actor import Actor
from chopmark.web.api import schemas, shown
from chopmark.web.api.auth import MEMBERS
from chopmark.web.api.limits import ANYBODY, address, must_be_slow

router = Router(tags=["Filings"], auth=MEMBERS)
desks = Router(tags=["Desks"])

ProblemOut = schemas.Problem
Missing = {frozenset({401, 403, 404, 422, 429}): ProblemOut}
Limit = Annotated[int, Query(ge=1, le=queries.MAX_PAGE)]
State = Annotated[str, Query(max_length=20, description="One state, for example `draft` or `accepted`.")]
After = Annotated[str, Query(max_length=24, description="Number of the last one already seen.")]


@router.get("/filings", operation_id="list_filings", summary="Filings at courts", response={200: dict, **Missing})
def filings(request: HttpRequest, state: State = "", after: After = "", limit: Limit = 50) -> HttpResponse:
    """Newest first."""
    found = queries.filings_of(_actor(request), state=state, after=after, limit=limit)
    return shown.answer({"items": [_filing(each) for each in found]})


@router.get("/filings/{filing_id}", operation_id="get_filing", summary="One filing", response={200: dict, **Missing})
def filing(request: HttpRequest, filing_id: str) -> HttpResponse:
    """By id or number, with what is missing and what the court reported."""
    actor = _actor(request)
    found = queries.filing_of(actor, filing_id)
    body = _filing(found) | {"draft": codec.plain(found.draft), **_history(found)}
    if found.editable:
        body["checklist"] = _checklist(queries.checklist_of(actor, found.id))
    return shown.answer(body)


@router.get("/orders", operation_id="list_orders", summary="Orders at notaries", response={200: dict, **Missing})
def orders(request: HttpRequest, state: State = "", after: After = "", limit: Limit = 50) -> HttpResponse:
    """Newest first."""
    found = queries.orders_of(_actor(request), state=state, after=after, limit=limit)
    return shown.answer({"items": [_order(each) for each in found]})


@router.get("/orders/{order_id}", operation_id="get_order", summary="One order", response={200: dict, **Missing})
def order(request: HttpRequest, order_id: str) -> HttpResponse:
    """By id or number, with what the notary reported."""
    found = queries.order_of(_actor(request), order_id)
    return shown.answer(_order(found) | {"draft": codec.plain(found.draft), **_history(found)})


@router.get(
    "/desk-events/{token}",
    operation_id="get_desk_event",
    summary="What a desk signed",
    response={200: dict, **Missing},
)
def event(request: HttpRequest, token: str) -> HttpResponse:
    """The event with its signature, byte for byte as its digest was deposited."""
    data = queries.event_document(_actor(request), _token(token))
    response = HttpResponse(data, content_type="application/json")
    response["Content-Disposition"] = f'attachment; filename="event-{_token(token)}.json"'
    response["Cache-Control"] = "private, no-store"
    return response


@desks.post(
    "/desk-events",
    operation_id="desk_event",
    summary="A desk reports a step",
    auth=None,
    response={200: dict, 201: dict, frozenset({400, 401, 403, 409, 413, 422, 429, 503}): ProblemOut},
)
def receive(request: HttpRequest) -> HttpResponse:
    """201 for a new event, 200 for one that came before. For desks that the operator adopted."""
    body = request.read(MAX_EVENT + 1)
    if len(body) > MAX_EVENT:
        raise Invalid("desk.message_too_large", limit=MAX_EVENT)
    keys = tuple(str(each) for each in queries.desk_keys())
    try:
        gate_of(wiring.origin(), keys).admit("POST", request.get_full_path(), dict(request.headers), body)
    except Refused:
        must_be_slow(address(request), ANYBODY)  # guessing is slow
        raise
    new = actions.receive_event(body, at=clock.now())
    return shown.answer({"new": new}, HTTPStatus.CREATED if new else HTTPStatus.OK)


@lru_cache(maxsize=4)
def gate_of(origin: str, keys: tuple[str, ...]) -> Gate:
    """One gate for as long as the desks are the same: it remembers which calls it has seen."""
    return Gate(origin, [VerifierKey.parse(key) for key in keys])


def _actor(request: HttpRequest) -> Actor:
    actor: Actor = request.auth  # type: ignore[attr-defined]  # set by ninja from `ApiKey`
    return actor


def _token(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError as error:
        raise Refused("cases.event_not_found") from error


def _filing(each: FilingSummary) -> dict[str, Any]:
    return {
        "id": str(each.id),
        "number": each.number,
        "matter": str(each.matter_id),
        "bundle": None if each.bundle_id is None else str(each.bundle_id),
        "state": each.state,
        "way": each.way,
        "desk": each.desk,
        "court": each.court,
        "cause": each.cause,
        "revision": each.revision,
        "court_number": each.court_number,
        "receipt_number": each.receipt_number,
        "made_at": shown.moment(each.made_at),
        "changed_at": shown.moment(each.changed_at),
        "sent_at": shown.moment(each.sent_at),
    }


def _order(each: OrderSummary) -> dict[str, Any]:
    return {
        "id": str(each.id),
        "number": each.number,
        "matter": str(each.matter_id),
        "bundle": str(each.bundle_id),
        "state": each.state,
        "notary": each.notary,
        "notary_number": each.notary_number,
        "signed_bundle": None if each.signed_bundle_id is None else str(each.signed_bundle_id),
        "revision": each.revision,
        "made_at": shown.moment(each.made_at),
        "changed_at": shown.moment(each.changed_at),
        "sent_at": shown.moment(each.sent_at),
    }


def _history(each: FilingSummary | OrderSummary) -> dict[str, Any]:
    return {
        "events": [_event(event) for event in each.events],
        "deliveries": [_delivery(delivery) for delivery in each.deliveries],
    }


def _event(each: EventSummary) -> dict[str, Any]:
    return {
        "token": str(each.token),
        "seq": each.seq,
        "kind": each.kind,
        "at": shown.moment(each.at),
        "revision": each.revision,
        "reasons": list(each.reasons),
        "number": each.number,
        "when": shown.moment(each.when),
        "place": each.place,
        "fee_fen": each.fee_fen,
        "checks": codec.plain(each.checks),
        "deposit": None if each.deposit_id is None else str(each.deposit_id),
        "document": f"/api/v1/desk-events/{each.token}",
    }


def _delivery(each: Delivery) -> dict[str, Any]:
    return {
        "kind": each.kind,
        "sent": each.sent,
        "size": each.size,
        "tries": each.tries,
        "trouble": each.trouble,
        "done": each.done,
    }


def _checklist(found: Checklist) -> dict[str, Any]:
    return {
        "ready": found.ready,
        "gaps": [
            {"step": gap.step, "code": gap.code, "facts": dict(gap.facts), "blocks": gap.blocks} for gap in found.gaps
        ],
        "fee_fen": None if found.fee is None else [found.fee.least_fen, found.fee.most_fen],
    }
