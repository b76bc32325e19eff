"""`/api/v1/works` and `/api/v1/copies`: works, and searches for copies of them; the same actions as the pages."""

from __future__ import annotations

import base64
from http import HTTPStatus
from typing import Annotated, Any, Literal, TypeVar
from uuid import UUID

from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from ninja import Query, Router, Schema
from pydantic import Field

from chopmark.base import clock
from chopmark.base.errors import Invalid
from chopmark.base.wording import say
from chopmark.media.index import RADIUS
from chopmark.people.actor import Actor
from chopmark.rights import encoding
from chopmark.rights.actions import copies, work
from chopmark.rights.actions.kept import NewWorkFile
from chopmark.rights.actions.work import NewWork, amend_work, register_work, withdraw_work
from chopmark.rights.queries import works
from chopmark.rights.queries.works import CommonSummary, FileSummary, MatchSummary, SearchSummary, WorkSummary
from chopmark.rights.record import WorkRecord
from chopmark.web.api import schemas
from chopmark.web.api.auth import MEMBERS
from chopmark.web.api.deposits import IdempotencyKey, _once
from chopmark.web.api.shown import answer
from chopmark.web.downloads import attachment
from chopmark.web.errors import language_of
from chopmark.web.turns import turn

router = Router(tags=["Works"], auth=MEMBERS)
searches = Router(tags=["Copies"], auth=MEMBERS)

Trouble: dict[Any, Any] = {frozenset({400, 401, 403, 404, 409, 413, 422, 429, 503}): schemas.Problem}
Made: dict[Any, Any] = {201: dict[str, Any], **Trouble}
Shown: dict[Any, Any] = {200: dict[str, Any], **Trouble}
Gone: dict[Any, Any] = {204: None, **Trouble}
Bytes: dict[Any, Any] = {200: None, **Trouble}
R = TypeVar("R", HttpResponse, StreamingHttpResponse)
MOST_INLINE = 8_000_000
"""Characters of base64; larger files come by /uploads/."""


class FileIn(schemas.Strict):
    """One file: a finished upload of /uploads/, or a deposit whose file is kept."""

    upload: UUID | None = None
    deposit: UUID | None = None


class WorkIn(schemas.Strict):
    """A work to register."""

    record: dict[str, Any] = Field(
        description="kind, title, statement; authors, basis, created_on, publication, licence, licence_url, "
        "tdm_reserved, tdm_policy, series, version_of, shown. See docs/works.md."
    )
    files: list[FileIn] = Field(min_length=1, max_length=work.MAX_FILES)
    anyway: bool = Field(default=False, description="Also when something like it is here already.")


class WorkChange(schemas.Strict):
    """What is said of the work from now on, as a whole."""

    record: dict[str, Any]
    version: int | None = Field(None, ge=1, description="The one you saw; refused when it has moved since.")


class ReasonIn(schemas.Strict):
    """Why."""

    reason: str = Field("", max_length=300)


class SearchIn(schemas.Strict):
    """A file to search with: an upload, a deposit, or its bytes, which are not kept."""

    upload: UUID | None = None
    deposit: UUID | None = None
    file: str = Field("", pattern=schemas.BASE64, max_length=MOST_INLINE, description="The file's bytes, in base64.")
    name: str = Field("", max_length=255)
    radius: int = Field(RADIUS, ge=copies.LEAST_RADIUS, le=copies.MOST_RADIUS, description="Bits.")


class VerdictIn(schemas.Strict):
    """What a person makes of a match."""

    verdict: Literal["", "copy", "other"]


class CommonIn(schemas.Strict):
    """A picture that is no match: a template, a shop's logo."""

    upload: UUID | None = None
    deposit: UUID | None = None
    file: str = Field("", pattern=schemas.BASE64, max_length=MOST_INLINE)
    reason: str = Field(max_length=copies.MAX_REASON)


class Listed(Schema):
    """Some things, in order."""

    items: list[dict[str, Any]]


@router.post("", operation_id="register_work", summary="Register a work", response=Made)
def register(request: HttpRequest, body: WorkIn, key: IdempotencyKey = None) -> HttpResponse:
    """Refused with 409 and the numbers of what resembles it, unless `anyway` is set."""

    def work() -> HttpResponse:
        record = encoding.parse(WorkRecord, body.record, "record")
        files = tuple(NewWorkFile(upload=each.upload, deposit=each.deposit) for each in body.files)
        with turn(_actor(request)):
            new = NewWork(record=record, files=files, anyway=body.anyway)
            made = register_work(new, by=_actor(request), at=clock.now())
        return answer(_work(made), HTTPStatus.CREATED)

    return _once(request, key, work, permission="file_rights")


@router.get("", operation_id="list_works", summary="List works", response={200: Listed, **Trouble})
def listing(
    request: HttpRequest,
    q: Annotated[str, Query(max_length=300)] = "",
    kind: Annotated[Literal["", "picture", "audio", "video", "text"], Query()] = "",
    after: Annotated[str, Query(max_length=24)] = "",
    limit: Annotated[int, Query(ge=1, le=works.MAX_PAGE)] = 50,
) -> HttpResponse:
    """Newest first; `q` is words of title or series, a number, or an ISCC."""
    found = works.works_of(_actor(request), q=q, kind=kind, after=after, limit=limit)
    return answer({"items": [_work(each) for each in found]})


@router.get("/{which}", operation_id="get_work", summary="One work, by id or number", response=Shown)
def one(request: HttpRequest, which: str) -> HttpResponse:
    """How it stands."""
    return answer(_work(works.work_of(_actor(request), which)))


@router.put("/{which}", operation_id="amend_work", summary="Say something else of a work", response=Shown)
def amend(request: HttpRequest, which: str, body: WorkChange) -> HttpResponse:
    """Kind and files stay; the change is an event on the ledger."""
    record = encoding.parse(WorkRecord, body.record, "record")
    return answer(_work(amend_work(which, record, version=body.version, by=_actor(request), at=clock.now())))


@router.post("/{which}/withdraw", operation_id="withdraw_work", summary="Protect a work no more", response=Shown)
def withdraw(request: HttpRequest, which: str, body: ReasonIn) -> HttpResponse:
    """Deposits and history stay."""
    return answer(_work(withdraw_work(which, reason=body.reason, by=_actor(request), at=clock.now())))


@router.get("/{which}/events", operation_id="list_work_events", summary="A work's history", response=Shown)
def events(request: HttpRequest, which: str) -> HttpResponse:
    """Oldest first; each was deposited."""
    found = works.events_of(_actor(request), which)
    return answer(
        {
            "items": [
                {
                    "seq": each.event.seq,
                    "type": each.event.type,
                    "recorded_at": clock.to_text(each.event.recorded_at),
                    "payload": encoding.encode(each.event.payload),
                    "sha-256": each.event.sha256.hex(),
                    "deposit": str(each.deposit),
                }
                for each in found
            ]
        }
    )


@router.get("/{which}/files/{int:file}", operation_id="get_work_file", summary="A file of a work", response=Bytes)
def file(request: HttpRequest, which: str, file: int) -> StreamingHttpResponse:
    """An attachment of unknown type; of one's own works only."""
    stored = works.file_of(_actor(request), which, file)
    response = StreamingHttpResponse(stored.chunks, content_type="application/octet-stream")
    response["Content-Length"] = str(stored.size)
    return _guarded(response, stored.file_name)


@router.post("/{which}/files/{int:file}/release", operation_id="release_work_file", response=Gone)
def release(request: HttpRequest, which: str, file: int) -> HttpResponse:
    """Let a file that was quarantined be matched again."""
    works.work_of(_actor(request), which)
    work.release(file, by=_actor(request), at=clock.now())
    return HttpResponse(status=HTTPStatus.NO_CONTENT)


@searches.post("", operation_id="find_copies", summary="Find copies of works", response=Made)
def find(request: HttpRequest, body: SearchIn, key: IdempotencyKey = None) -> HttpResponse:
    """What shares something with a file: which works, which part, how well, and why. A search is kept."""

    def work() -> HttpResponse:
        source = _source(body.upload, body.deposit, body.file)
        with turn(_actor(request)):
            made = copies.find_copies(source, name=body.name, radius=body.radius, by=_actor(request), at=clock.now())
        return answer(_search(made, request), HTTPStatus.CREATED)

    return _once(request, key, work, permission="file_rights")


@searches.get("", operation_id="list_searches", summary="Searches for copies", response={200: Listed, **Trouble})
def found(request: HttpRequest, limit: Annotated[int, Query(ge=1, le=works.MAX_PAGE)] = 50) -> HttpResponse:
    """Newest first."""
    return answer({"items": [_search(each, request) for each in works.searches_of(_actor(request), limit=limit)]})


@searches.get("/commons", operation_id="list_commons", summary="What is no match", response={200: Listed, **Trouble})
def commons(request: HttpRequest) -> HttpResponse:
    """The organisation's own entries and the operator's."""
    return answer({"items": [_common(each) for each in works.commons_of(_actor(request))]})


@searches.post("/commons", operation_id="add_common", summary="Put a picture on that list", response=Made)
def add_common(request: HttpRequest, body: CommonIn, key: IdempotencyKey = None) -> HttpResponse:
    """For the organisation's own searches."""

    def work() -> HttpResponse:
        source = _source(body.upload, body.deposit, body.file)
        with turn(_actor(request)):
            made = copies.suppress(source, body.reason, by=_actor(request), at=clock.now())
        return answer({"id": made}, HTTPStatus.CREATED)

    return _once(request, key, work, permission="file_rights")


@searches.delete("/commons/{int:which}", operation_id="remove_common", summary="Take it off", response=Gone)
def remove_common(request: HttpRequest, which: int) -> HttpResponse:
    """One's own entries only."""
    copies.unsuppress(which, by=_actor(request), at=clock.now())
    return HttpResponse(status=HTTPStatus.NO_CONTENT)


@searches.get("/{which}", operation_id="get_search", summary="One search, by id or number", response=Shown)
def one_search(request: HttpRequest, which: str) -> HttpResponse:
    """With what was found since: works that came later are matched with it for thirty days."""
    return answer(_search(works.search_of(_actor(request), which), request))


@searches.put("/{which}/matches/{int:match}", operation_id="judge_match", summary="Judge a match", response=Shown)
def judge(request: HttpRequest, which: str, match: int, body: VerdictIn) -> HttpResponse:
    """What a person makes of it."""
    return answer(_search(copies.judge(which, match, body.verdict, by=_actor(request), at=clock.now()), request))


@searches.get("/{which}/matches/{int:match}", operation_id="explain_match", summary="Why it matched", response=Shown)
def explain(request: HttpRequest, which: str, match: int) -> HttpResponse:
    """Sentences for people, with their codes and facts."""
    said = works.explain(_actor(request), which, match)
    language = language_of(request)
    return answer(
        {"items": [{"code": code, "facts": facts, "sentence": say(code, facts, language)} for code, facts in said]}
    )


@searches.get("/{which}/matches/{int:match}/overlay.png", operation_id="get_overlay", response=Bytes)
def overlay(request: HttpRequest, which: str, match: int) -> HttpResponse:
    """Query and reference side by side with what agrees; of one's own works only."""
    data = works.overlay_of(_actor(request), which, match)
    return _guarded(HttpResponse(data, content_type="image/png"), f"{which}-{match}.png"[:80])


def _actor(request: HttpRequest) -> Actor:
    actor: Actor = request.auth  # type: ignore[attr-defined]  # set by ninja from `ApiKey`
    return actor


def _source(upload: UUID | None, deposit: UUID | None, file: str) -> NewWorkFile | bytes:
    if upload is not None or deposit is not None:
        return NewWorkFile(upload=upload, deposit=deposit)
    try:
        return base64.b64decode(file, validate=True)
    except ValueError:
        raise Invalid("copies.file_malformed") from None


def _guarded(response: R, name: str) -> R:
    response["Content-Disposition"] = attachment(name)
    response["Content-Security-Policy"] = "default-src 'none'; sandbox"
    response["X-Content-Type-Options"] = "nosniff"
    response["Cache-Control"] = "private, no-store"
    return response


def _work(each: WorkSummary) -> dict[str, Any]:
    here = f"/api/v1/works/{each.number}"
    return {
        "id": str(each.id),
        "number": each.number,
        "state": each.state,
        "version": each.work.version,
        "record": encoding.encode(each.record),
        "files": [_file(one, here) for one in each.files],
        "created_at": clock.to_text(each.made_at),
        "changed_at": clock.to_text(each.changed_at),
        "links": {"self": here, "page": f"/works/{each.number}", "events": f"{here}/events"},
    }


def _file(each: FileSummary, work_address: str) -> dict[str, Any]:
    return {
        "id": each.id,
        "name": each.name,
        "sha-256": each.sha256.hex(),
        "size": each.size,
        "media_type": each.media_type,
        "kind": each.kind,
        "state": each.state,
        "trouble": each.trouble or None,
        "facts": dict(each.facts),
        "iscc": each.iscc or None,
        "algorithm": each.algorithm,
        "held": each.held,
        "deposit": str(each.deposit),
        "links": {"file": f"{work_address}/files/{each.id}"},
    }


def _search(each: SearchSummary, request: HttpRequest) -> dict[str, Any]:
    here = f"/api/v1/copies/{each.number}"
    return {
        "id": str(each.id),
        "number": each.number,
        "name": each.name,
        "sha-256": each.sha256.hex(),
        "size": each.size,
        "kind": each.kind,
        "media_type": each.media_type,
        "radius": each.radius,
        "facts": dict(each.facts),
        "iscc": each.iscc or None,
        "created_at": clock.to_text(each.made_at),
        "matches": [_match(one, here) for one in each.matches],
        "not_proven": say("copies.why_not_proven", {}, language_of(request)),
        "links": {"self": here, "page": f"/copies/{each.number}"},
    }


def _match(each: MatchSummary, search_address: str) -> dict[str, Any]:
    here = f"{search_address}/matches/{each.id}"
    links = {"why": here} | ({"overlay": f"{here}/overlay.png"} if each.overlay else {})
    return {
        "id": each.id,
        "work": each.work,
        "own": each.own,
        "kind": each.kind,
        "title": each.title,
        "authors": list(each.authors),
        "statement": each.statement,
        "licence": each.licence,
        "registered_at": clock.to_text(each.registered_at),
        "file": each.file,
        "stage": each.stage,
        "score": each.score,
        "parts": [dict(part) for part in each.parts],
        "why": dict(each.why),
        "later": each.later,
        "found_at": clock.to_text(each.found_at),
        "verdict": each.verdict,
        "links": links,
    }


def _common(each: CommonSummary) -> dict[str, Any]:
    return {
        "id": each.id,
        "code": each.bits.hex(),
        "reason": each.reason,
        "everybody": each.everybody,
        "created_at": clock.to_text(each.made_at),
    }
