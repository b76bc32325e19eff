"""`/api/v1/rights/search` and `/api/v1/rights/watches`: look-alike words and logos, and searches that go on."""

from __future__ import annotations

import base64
from typing import Annotated, Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from ninja import Query, Router
from pydantic import Field

from chopmark.base import clock
from chopmark.base.errors import Invalid
from chopmark.people.actor import Actor
from chopmark.rights.actions import watch as watching
from chopmark.rights.actions.watch import NewWatch
from chopmark.rights.queries import search, watches
from chopmark.rights.queries.search import MAX_CODES, Answer, Found, Narrow
from chopmark.rights.queries.watches import WatchSummary
from chopmark.rights.similarity.keys import MAX_LENGTH
from chopmark.rights.similarity.words import MAX_LIMIT
from chopmark.web.api import schemas
from chopmark.web.api.auth import MEMBERS
from chopmark.web.api.deposits import IdempotencyKey, _once
from chopmark.web.api.shown import answer, moment
from chopmark.web.turns import turn

router = Router(tags=["Search for look-alikes"], auth=MEMBERS)
Trouble: dict[Any, Any] = {frozenset({400, 401, 403, 404, 409, 413, 422, 429, 503}): schemas.Problem}
MAX_BASE64 = 8_000_000

Words = Annotated[str, Query(max_length=MAX_LENGTH, description="Words to search for, in any script.")]
Codes = Annotated[str, Query(max_length=400)]
Least = Annotated[float | None, Query(ge=0, le=1, description="Total from which a right is shown.")]
Limit = Annotated[int, Query(ge=1, le=MAX_LIMIT)]
Picture = Annotated[
    str, Field(pattern=schemas.BASE64, max_length=MAX_BASE64, description="PNG, JPEG, WebP, GIF, BMP, TIFF or AVIF.")
]
Listed = Annotated[list[Annotated[str, Field(max_length=8)]], Field(max_length=MAX_CODES, default_factory=list)]


class NarrowIn(schemas.Strict):
    """What a search is narrowed to; what is left out asks for nothing."""

    classes: Listed = Field(description="Of Nice: 1 to 45, any of them.")
    territories: Listed = Field(description="ST.3 codes; a right counts that reaches one of them.")
    least: float | None = Field(None, ge=0, le=1, description="Total from which a right is shown.")

    def narrow(self, limit: int = 50) -> Narrow:
        """As the search takes it."""
        return Narrow(classes=tuple(self.classes), territories=tuple(self.territories), least=self.least, limit=limit)


class LogoIn(NarrowIn):
    """A logo to search with."""

    picture: Picture
    limit: int = Field(50, ge=1, le=MAX_LIMIT)


class WatchIn(NarrowIn):
    """A search to go on with: words, or a picture."""

    text: str = Field("", max_length=MAX_LENGTH, description="Words; with a picture, what you call it.")
    picture: Picture = ""


@router.get("/search", operation_id="search_words", summary="Search words", response={200: dict[str, Any], **Trouble})
def search_words(  # noqa: PLR0917 (ninja takes the query's members by name)
    request: HttpRequest, q: Words, classes: Codes = "", territories: Codes = "", least: Least = None, limit: Limit = 50
) -> HttpResponse:
    """Marks that look or sound like `q` or contain it, most similar first. Similar does not mean infringing.

    `classes` and `territories` are codes with commas between them. `scores` has look, sound and contains apart.
    """
    narrow = Narrow(classes=_codes(classes), territories=_codes(territories), least=least, limit=limit)
    return answer(_answered(search.find_words(_actor(request), q, narrow, at=clock.now())))


@router.post("/search", operation_id="search_logos", summary="Search logos", response={200: dict[str, Any], **Trouble})
def search_logos(request: HttpRequest, body: LogoIn) -> HttpResponse:
    """Marks whose picture resembles this one, most similar first. Similar does not mean infringing.

    `scores` has shape, polar (whatever the angle) and same (the same picture) apart.
    """
    with turn(_actor(request)):
        found = search.find_logos(_actor(request), _bytes(body.picture), body.narrow(body.limit), at=clock.now())
    return answer(_answered(found))


@router.get("/watches", operation_id="list_watches", summary="Watches", response={200: dict[str, Any], **Trouble})
def list_watches(request: HttpRequest, *, stopped: bool = False) -> HttpResponse:
    """Your organisation's watches, newest first."""
    return answer({"items": [_watch(each) for each in watches.watches_of(_actor(request), stopped=stopped)]})


@router.post("/watches", operation_id="save_watch", summary="Save a watch", response={201: dict[str, Any], **Trouble})
def save_watch(request: HttpRequest, body: WatchIn, key: IdempotencyKey = None) -> HttpResponse:
    """Look for words or a logo in every new filing from now on; what is there already is found within a minute."""

    def work() -> HttpResponse:
        new = NewWatch(text=body.text, picture=_bytes(body.picture), narrow=body.narrow())
        with turn(_actor(request)):
            made = watching.save_watch(new, by=_actor(request), at=clock.now())
        return answer(_watch(made), 201)

    return _once(request, key, work, permission="file_rights")


@router.get(
    "/watches/{watch_id}", operation_id="get_watch", summary="One watch", response={200: dict[str, Any], **Trouble}
)
def get_watch(request: HttpRequest, watch_id: UUID) -> HttpResponse:
    """A watch, with how much it found."""
    return answer(_watch(watches.watch_of(_actor(request), watch_id)))


@router.delete(
    "/watches/{watch_id}", operation_id="stop_watch", summary="Stop a watch", response={200: dict[str, Any], **Trouble}
)
def stop_watch(request: HttpRequest, watch_id: UUID) -> HttpResponse:
    """End a watch; what it found stays."""
    return answer(_watch(watching.stop_watch(watch_id, by=_actor(request), at=clock.now())))


@router.get(
    "/watches/{watch_id}/finds",
    operation_id="list_finds",
    summary="What a watch found",
    response={200: dict[str, Any], **Trouble},
)
def list_finds(request: HttpRequest, watch_id: UUID, limit: Limit = 50, *, fresh: bool = False) -> HttpResponse:
    """Rights that a watch met, newest first; with `fresh` those that nobody has looked at."""
    found = watches.finds_of(_actor(request), watch_id, fresh=fresh, limit=limit)
    items = [
        {
            **_found(each.found),
            "found_at": moment(each.found_at),
            "seen_at": moment(each.seen_at) if each.seen_at else None,
        }
        for each in found
    ]
    return answer({"items": items})


@router.post(
    "/watches/{watch_id}/seen",
    operation_id="see_finds",
    summary="Finds were seen",
    response={200: dict[str, Any], **Trouble},
)
def see_finds(request: HttpRequest, watch_id: UUID) -> HttpResponse:
    """Note that somebody looked at what a watch found."""
    return answer({"seen": watching.see_finds(watch_id, by=_actor(request), at=clock.now())})


def _actor(request: HttpRequest) -> Actor:
    actor: Actor = request.auth  # type: ignore[attr-defined]  # set by ninja from MEMBERS
    return actor


def _codes(text: str) -> tuple[str, ...]:
    return tuple(each.strip() for each in text.split(",") if each.strip())


def _bytes(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except ValueError:
        raise Invalid("imports.not_base64") from None


def _answered(said: Answer) -> dict[str, Any]:
    return {
        "least": said.least,
        "milliseconds": round(1000 * said.seconds),
        "hits": [_found(each) for each in said.hits],
    }


def _found(each: Found) -> dict[str, Any]:
    return {
        "id": str(each.id),
        "number": each.number,
        "kind": each.kind,
        "title": each.title,
        "text": each.text,
        "office": each.office,
        "application_number": each.application_number,
        "registration_number": each.registration_number,
        "owners": list(each.owners),
        "classes": list(each.classes),
        "territories": list(each.territories),
        "status": each.status,
        "state": each.state,
        "level": each.level,
        "mine": each.mine,
        "total": each.total,
        "scores": dict(each.scores),
        "region": each.region or None,
    }


def _watch(each: WatchSummary) -> dict[str, Any]:
    return {
        "id": str(each.id),
        "kind": each.kind,
        "text": each.text,
        "classes": list(each.classes),
        "territories": list(each.territories),
        "least": each.least,
        "finds": each.finds,
        "fresh": each.fresh,
        "made_at": moment(each.made_at),
        "stopped_at": moment(each.stopped_at) if each.stopped_at else None,
        "last_run_at": moment(each.last_run_at) if each.last_run_at else None,
    }
