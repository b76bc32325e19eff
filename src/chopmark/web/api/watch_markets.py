"""`/api/v1/watch`, what programs of a marketplace or of a brand need: marketplaces, sellers, measures, marks.

The same actions as the pages. A program of the marketplace fetches measures and answers them with the scope
`listings:write`; whether a hit deserves one is no question for it (`api.watch`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from ninja import Query, Router
from pydantic import AwareDatetime, Field

from chopmark.base import clock
from chopmark.base.errors import Refused
from chopmark.base.wording import Language, catalogue, say
from chopmark.watch.actions.marketplace import name_seller
from chopmark.watch.actions.markset import describe_mark
from chopmark.watch.actions.measure import acknowledge_measure, answer_measure
from chopmark.watch.gateway import Answer
from chopmark.watch.marks import MAX_TERMS, MAX_TEXT
from chopmark.watch.queries import marketplaces, marks, measures, sellers
from chopmark.watch.queries.marketplaces import MarketplaceSummary, SellerSummary
from chopmark.watch.queries.marks import MarkSummary
from chopmark.watch.queries.measures import MeasureSummary, Pending
from chopmark.web.api import schemas
from chopmark.web.api.auth import MEMBERS, caller
from chopmark.web.api.shown import answer, moment, page
from chopmark.web.errors import language_of

router = Router(tags=["Watch"], auth=MEMBERS)

Trouble: dict[Any, Any] = {frozenset({400, 401, 403, 404, 409, 413, 415, 422, 429, 503}): schemas.Problem}
Shown: dict[Any, Any] = {200: dict[str, Any], **Trouble}
Limit = Annotated[int, Query(ge=1, le=measures.MAX_PAGE)]
After = Annotated[
    str, Query(max_length=200, description="Of the last one already seen: what `next` asks for more with.")
]


class SellerIn(schemas.Strict):
    """Who a seller is."""

    number: str = Field(min_length=1, max_length=200, description="As listings say it.")
    name: str = Field("", max_length=200)
    organisation: UUID | None = Field(None, description="Public number; licences to this organisation then count.")
    joined_at: AwareDatetime | None = None


class AnswerIn(schemas.Strict):
    """What the marketplace did."""

    state: Literal["done", "gone", "refused"] = Field(description="`gone`: there is no such listing any more.")
    sold: int | None = Field(None, ge=0, le=2**31 - 1, strict=True, description="Pieces sold until then.")
    reason: str = Field("", max_length=300, description="Of a refusal.")


class MarkIn(schemas.Strict):
    """Everything that a person or program says of a right's sign; what is left out is as it was made."""

    aliases: list[Annotated[str, Field(max_length=MAX_TEXT)]] = Field(
        default_factory=list, max_length=MAX_TERMS - 1, description="Other names."
    )
    distinctiveness: int | None = Field(
        None, ge=0, le=1000, strict=True, description="Null: the trusted vocabulary decides."
    )
    near: bool = Field(default=False, description="Whether near misses are put on the watch-list.")
    well_known: bool = Field(default=False, description="Whether goods of other classes count too.")


# ---- marketplaces and their sellers ----------------------------------------------------------------------------------


@router.get("/marketplaces", operation_id="list_marketplaces", summary="Your marketplaces", response=Shown)
def listing(request: HttpRequest) -> HttpResponse:
    """Those that your organisation runs, with how many listings wait to be judged."""
    by = caller(request)
    found = marketplaces.marketplaces_of(by)
    return answer({"items": [_marketplace(each, marketplaces.waiting_in(by, each.name)) for each in found]})


@router.get("/marketplaces/{name}", operation_id="get_marketplace", summary="One marketplace", response=Shown)
def one(request: HttpRequest, name: str) -> HttpResponse:
    """With how many listings wait to be judged."""
    by = caller(request)
    return answer(_marketplace(marketplaces.marketplace_of(by, name), marketplaces.waiting_in(by, name)))


@router.get("/marketplaces/{name}/sellers", operation_id="list_sellers", summary="Sellers", response=Shown)
def selling(
    request: HttpRequest,
    name: str,
    q: Annotated[str, Query(max_length=200, description="Part of a number or name.")] = "",
    after: After = "",
    limit: Limit = 50,
) -> HttpResponse:
    """In the order of their numbers, each with its confirmed and dismissed hits."""
    found = sellers.sellers_in_order(caller(request), name, q=q, after=after, limit=limit)
    return page(request, {"items": [_seller(each) for each in found.items], "count": found.total}, found.next)


@router.post("/marketplaces/{name}/sellers", operation_id="name_seller", summary="Say who a seller is", response=Shown)
def naming(request: HttpRequest, name: str, body: SellerIn) -> HttpResponse:
    """The marketplace vouches for it; licences to that organisation count within seconds. Needs an owner's session."""
    by = caller(request)
    name_seller(
        name,
        body.number,
        by=by,
        at=clock.now(),
        name=body.name,
        organisation=body.organisation,
        joined_at=body.joined_at,
    )
    known = sellers.seller_of(by, name, body.number)
    if known is None:
        raise Refused("watch.marketplace_not_found")  # its marketplace went away this very moment
    return answer(_seller(known))


# ---- measures --------------------------------------------------------------------------------------------------------


@router.get("/marketplaces/{name}/measures", operation_id="list_measures", summary="Measures", response=Shown)
def asked(  # noqa: PLR0917 (ninja reads the parameters of a call from here)
    request: HttpRequest,
    name: str,
    state: Annotated[Literal["", "waiting", "done", "refused", "cancelled"], Query()] = "",
    kind: Annotated[Literal["", "hold", "takedown", "restore"], Query()] = "",
    after: After = "",
    limit: Limit = 50,
) -> HttpResponse:
    """What a marketplace of yours was asked for, newest first, with its answers; `counts` by state."""
    found = measures.measures_of(caller(request), name, state=state, kind=kind, after=after, limit=limit)
    items = [measure_shown(each, language_of(request)) for each in found.items]
    return page(request, {"items": items, "counts": dict(found.counts)}, found.next)


@router.get(
    "/marketplaces/{name}/pending", operation_id="list_pending", summary="Measures to carry out", response=Shown
)
def pending(
    request: HttpRequest,
    name: str,
    acknowledged: Annotated[bool, Query(description="Those that were acknowledged, too.")] = False,  # noqa: FBT002 (a query)
    limit: Limit = 50,
) -> HttpResponse:
    """What awaits your marketplace's answer, oldest first, of each hit one at a time, with what it asks for.

    Fetch, acknowledge, do, answer, and ask again: what is answered or acknowledged is not listed any more.
    """
    found = measures.pending_in(caller(request), name, acknowledged=acknowledged, limit=limit)
    return answer({"items": [_pending(each, language_of(request)) for each in found]})


@router.get("/measures/{key}", operation_id="get_measure", summary="One measure", response=Shown)
def one_measure(request: HttpRequest, key: str) -> HttpResponse:
    """With what it asks for, as it is sent, and the marketplace's answer."""
    return answer(_pending(measures.measure_of(caller(request), key), language_of(request)))


@router.post(
    "/measures/{key}/acknowledge", operation_id="acknowledge_measure", summary="Take a measure over", response=Shown
)
def acknowledge(request: HttpRequest, key: str) -> HttpResponse:
    """Your program has it and will answer, so it is not sent any more; again, it changes nothing.

    Scope `listings:write`.
    """
    done = acknowledge_measure(key, by=caller(request), at=clock.now())
    return answer(measure_shown(done, language_of(request)))


@router.post("/measures/{key}/answer", operation_id="answer_measure", summary="Answer a measure", response=Shown)
def answering(request: HttpRequest, key: str, body: AnswerIn) -> HttpResponse:
    """What the marketplace did, as if it had answered over HTTP. Scope `listings:write`.

    The same answer again changes nothing. 409 when it was taken back meanwhile (its restore follows) or answered
    otherwise.
    """
    said = Answer(key=key, state=body.state, sold=body.sold, reason=body.reason)
    return answer(measure_shown(answer_measure(said, by=caller(request), at=clock.now()), language_of(request)))


# ---- marks -----------------------------------------------------------------------------------------------------------


@router.get("/marks", operation_id="list_marks", summary="Marks that are watched", response=Shown)
def watched(
    request: HttpRequest,
    q: Annotated[str, Query(max_length=200, description="Words of the title, or a number.")] = "",
    after: After = "",
    limit: Annotated[int, Query(ge=1, le=marks.MAX_PAGE)] = 50,
) -> HttpResponse:
    """Rights with a sign that you may see, newest first: the words that listings are searched for, and other names.

    Scopes `watch:read` and `rights:read`. Rights without a sign are left out of a page, so one may hold fewer.
    """
    found = marks.marks_of(caller(request), at=clock.now(), q=q, after=after, limit=limit)
    return page(request, {"items": [_mark(each) for each in found.items]}, found.next)


@router.get("/marks/{which}", operation_id="get_mark", summary="One mark, by its right's id or number", response=Shown)
def one_mark(request: HttpRequest, which: str) -> HttpResponse:
    """How listings are searched for it. `searched` is false until its right is verified and in force."""
    return answer(_mark(marks.mark_of(caller(request), which, at=clock.now())))


@router.put("/marks/{which}", operation_id="describe_mark", summary="Describe a mark", response=Shown)
def describe(request: HttpRequest, which: str, body: MarkIn) -> HttpResponse:
    """By its holder, or an agent with a mandate to file: scopes `rights:write`, `rights:read` and `watch:read`.

    New listings are compared with it within a minute, and those that are here are searched anew.
    """
    by, at = caller(request), clock.now()
    known = marks.mark_of(by, which, at=at)
    describe_mark(
        known.id,
        by=by,
        at=at,
        aliases=body.aliases,
        distinctiveness=body.distinctiveness,
        near=body.near,
        well_known=body.well_known,
    )
    return answer(_mark(marks.mark_of(by, known.id, at=at)))


# ---- as JSON ---------------------------------------------------------------------------------------------------------


def measure_shown(each: MeasureSummary, language: Language) -> dict[str, Any]:
    """A measure, also beside its hit."""
    return {
        "key": each.key,
        "kind": each.kind,
        "state": each.state,
        "marketplace": each.marketplace,
        "hit": each.hit,
        "item": each.item,
        "seller": each.seller,
        "automatic": each.automatic,
        "tries": each.tries,
        "trouble": each.trouble or None,
        "facts": dict(each.facts),
        "sentence": _sentence(each.trouble, each.facts, language),
        "deposit": str(each.deposit) if each.deposit else None,
        "made_at": clock.to_text(each.made_at),
        "acknowledged_at": moment(each.acknowledged_at),
        "done_at": moment(each.done_at),
        "links": {"self": f"/api/v1/watch/measures/{each.key}", "hit": f"/api/v1/watch/hits/{each.hit}"},
    }


def _sentence(code: str, facts: Mapping[str, Any], language: Language) -> str | None:
    return say(code, facts, language) if code in catalogue() else None


def _pending(each: Pending, language: Language) -> dict[str, Any]:
    return {**measure_shown(each.summary, language), "measure": dict(each.measure)}


def _marketplace(each: MarketplaceSummary, waiting: int) -> dict[str, Any]:
    return {
        "id": str(each.id),
        "name": each.name,
        "title": each.title,
        "target": each.target or None,
        "fetches": each.fetches,
        "channels": list(each.channels),
        "automatic": each.automatic,
        "two_persons": each.two_persons,
        "waiting": waiting,
        "made_at": clock.to_text(each.made_at),
        "stopped_at": moment(each.stopped_at),
    }


def _seller(each: SellerSummary) -> dict[str, Any]:
    return {
        "marketplace": each.marketplace,
        "number": each.number,
        "name": each.name,
        "organisation": str(each.organisation) if each.organisation else None,
        "joined_at": moment(each.joined_at),
        "seen_at": clock.to_text(each.seen_at),
        "confirmed": each.confirmed,
        "dismissed": each.dismissed,
    }


def _mark(each: MarkSummary) -> dict[str, Any]:
    return {
        "right": each.number,
        "title": each.title,
        "searched": each.searched,
        "texts": list(each.texts),
        "aliases": list(each.aliases),
        "classes": list(each.classes),
        "territories": list(each.territories),
        "distinctiveness": each.distinctiveness,
        "near": each.near,
        "well_known": each.well_known,
        "changed_at": moment(each.changed_at),
        "links": {
            "self": f"/api/v1/watch/marks/{each.number}",
            "right": f"/api/v1/rights/{each.id}",
            "page": f"/watch/marks/{each.number}",
        },
    }
