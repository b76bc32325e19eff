"""`/api/v1/matters`: matters, their evidence, captures, bundles, access codes; `/api/v1/access` for who has a code.

Files go out as attachments of unknown type only: nothing that somebody uploaded or captured runs on this site.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Annotated, Any, Literal
from uuid import UUID

from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from ninja import Header, Query, Router, Schema
from pydantic import Field

from chopmark.base import clock
from chopmark.base.errors import Refused
from chopmark.evidence import actions, matters
from chopmark.evidence.actions import NewCapture, NewFile, NewItem, NewMatter
from chopmark.evidence.matters import (
    Both,
    BundleSummary,
    CaptureSummary,
    GrantSummary,
    Guest,
    ItemSummary,
    MatterSummary,
    Reader,
    ScheduleSummary,
    StepSummary,
)
from chopmark.people.actor import Actor
from chopmark.web.api import schemas
from chopmark.web.api.auth import MEMBERS, anybody
from chopmark.web.api.deposits import IdempotencyKey, _once
from chopmark.web.api.shown import answer, moment
from chopmark.web.downloads import attachment

router = Router(tags=["Matters"], auth=MEMBERS)
access = Router(tags=["Access by code"], auth=anybody)

Trouble: dict[Any, Any] = {frozenset({400, 401, 403, 404, 409, 413, 422, 429, 503}): schemas.Problem}
Made: dict[Any, Any] = {201: dict[str, Any], **Trouble}
Shown: dict[Any, Any] = {200: dict[str, Any], **Trouble}
Gone: dict[Any, Any] = {204: None, **Trouble}
Bytes: dict[Any, Any] = {200: None, **Trouble}


class Words(schemas.Strict):
    """A text in Chinese, in English, or both; one stands in for the other."""

    zh: str = Field("", max_length=1000)
    en: str = Field("", max_length=1000)


class MatterIn(schemas.Strict):
    """A matter to open."""

    template: str = Field(max_length=48, description="Name of a case template.")
    title: Words
    jurisdiction: str = Field("", max_length=2, description="ISO 3166-1; the template's own when empty.")
    court_profile: str = Field("", max_length=64, description="Code of a court, or empty.")


class MatterChange(schemas.Strict):
    """What shall be different; what is left out stays."""

    title: Words | None = None
    phase: str | None = Field(None, max_length=48)
    court_profile: str | None = Field(None, max_length=64)
    closed: bool | None = None


class FileIn(schemas.Strict):
    """One file: a finished upload of /uploads/, or a deposit whose file is kept."""

    upload: UUID | None = None
    deposit: UUID | None = None
    role: str = Field("primary", max_length=24)
    derived_from: int | None = Field(None, ge=0, description="Place, from 0, of an earlier file of the item.")


class ItemIn(schemas.Strict):
    """A piece of evidence."""

    kind: str = Field(max_length=24)
    title: Words
    files: list[FileIn] = Field(min_length=1, max_length=100)
    role: str = Field("original", max_length=16)
    purpose: Words | None = Field(None, description="What it is to prove.")
    source: dict[str, str] = Field(default_factory=dict, description="Where it is from.")
    phase: str = Field("", max_length=48)


class CaptureIn(schemas.Strict):
    """A page to capture."""

    url: str = Field(max_length=2048)
    mode: Literal["automatic", "live", "operator"] = "automatic"
    title: Words | None = None
    purpose: Words | None = None
    phase: str = Field("", max_length=48)


class ScheduleIn(CaptureIn):
    """A page to capture again and again."""

    every_minutes: int = Field(ge=5, le=10_080)
    until: datetime


class BundleIn(schemas.Strict):
    """A bundle to build."""

    items: list[str] = Field(default_factory=list, max_length=2000, description="Numbers; all when empty.")


class GrantIn(schemas.Strict):
    """An access code to give out."""

    given_to: str = Field(max_length=200)
    purpose: str = Field("", max_length=300)
    hours: int = Field(72, ge=1, le=2160)


class ReasonIn(schemas.Strict):
    """Why."""

    reason: str = Field(max_length=300)


class Listed(Schema):
    """Some things, in order."""

    items: list[dict[str, Any]]


@router.post("", operation_id="open_matter", summary="Open a matter", response=Made)
def create(request: HttpRequest, body: MatterIn, key: IdempotencyKey = None) -> HttpResponse:
    """In the first phase of its template."""

    def work() -> HttpResponse:
        new = NewMatter(
            template=body.template,
            title=_both(body.title),
            jurisdiction=body.jurisdiction,
            court_profile=body.court_profile,
        )
        made = actions.open_matter(new, by=_actor(request), at=clock.now())
        return answer(_matter(made), HTTPStatus.CREATED)

    return _once(request, key, work)


@router.get("", operation_id="list_matters", summary="List matters", response={200: Listed, **Trouble})
def listing(
    request: HttpRequest,
    q: Annotated[str, Query(max_length=300)] = "",
    state: Annotated[Literal["", "open", "closed"], Query()] = "",
    after: Annotated[str, Query(max_length=24)] = "",
    limit: Annotated[int, Query(ge=1, le=matters.MAX_PAGE)] = 50,
) -> HttpResponse:
    """Newest first."""
    found = matters.matters_of(_actor(request), q=q, state=state, after=after, limit=limit)
    return answer({"items": [_matter(each) for each in found]})


@router.get("/{matter}", operation_id="get_matter", summary="One matter, by id or number", response=Shown)
def one(request: HttpRequest, matter: str) -> HttpResponse:
    """How it stands."""
    return answer(_matter(_found(request, matter)))


@router.patch("/{matter}", operation_id="change_matter", summary="Change a matter, close it, open it", response=Shown)
def change(request: HttpRequest, matter: str, body: MatterChange) -> HttpResponse:
    """What is left out stays."""
    found, by = _found(request, matter), _actor(request)
    if body.closed is False and found.state == "closed":
        found = actions.reopen_matter(found.id, by=by, at=clock.now())
    if body.title is not None or body.phase is not None or body.court_profile is not None:
        title = None if body.title is None else _both(body.title)
        found = actions.change_matter(
            found.id, title=title, phase=body.phase, court_profile=body.court_profile, by=by, at=clock.now()
        )
    if body.closed is True and found.state == "open":
        found = actions.close_matter(found.id, by=by, at=clock.now())
    return answer(_matter(found))


@router.post("/{matter}/delete", operation_id="delete_matter", summary="Put a matter out of sight", response=Gone)
def delete(request: HttpRequest, matter: str, body: ReasonIn) -> HttpResponse:
    """Owners only, and not under a legal hold. Deposits and the custody log stay."""
    actions.delete_matter(_found(request, matter).id, reason=body.reason, by=_actor(request), at=clock.now())
    return HttpResponse(status=HTTPStatus.NO_CONTENT)


@router.post("/{matter}/items", operation_id="add_item", summary="Put evidence into a matter", response=Made)
def add_item(request: HttpRequest, matter: str, body: ItemIn, key: IdempotencyKey = None) -> HttpResponse:
    """Uploads are deposited first, each file by itself."""

    def work() -> HttpResponse:
        new = NewItem(
            kind=body.kind,
            title=_both(body.title),
            files=tuple(
                NewFile(upload=each.upload, deposit=each.deposit, role=each.role, derived_from=each.derived_from)
                for each in body.files
            ),
            role=body.role,
            purpose=_both(body.purpose),
            source=body.source,
            phase=body.phase,
        )
        made = actions.add_item(_found(request, matter).id, new, by=_actor(request), at=clock.now(), door="api")
        return answer(_item(made), HTTPStatus.CREATED)

    return _once(request, key, work)


@router.get("/{matter}/items", operation_id="list_items", summary="Its evidence", response={200: Listed, **Trouble})
def items(request: HttpRequest, matter: str) -> HttpResponse:
    """In the order of numbers."""
    return _items(_actor(request), matter)


@router.post("/{matter}/items/{number}/remove", operation_id="remove_item", summary="Take an item out", response=Gone)
def remove(request: HttpRequest, matter: str, number: str, body: ReasonIn) -> HttpResponse:
    """It goes into no further bundle; its deposits stay. Not under a legal hold."""
    by = _actor(request)
    there = {each.number: each.id for each in matters.items_of(by, matter)}
    if number not in there:
        raise Refused("matter.item_not_found")
    actions.remove_item(there[number], reason=body.reason, by=by, at=clock.now())
    return HttpResponse(status=HTTPStatus.NO_CONTENT)


@router.get("/{matter}/files/{file_id}", operation_id="get_item_file", summary="A file of an item", response=Bytes)
def file(request: HttpRequest, matter: str, file_id: UUID) -> StreamingHttpResponse:
    """Always an attachment of unknown type."""
    return _file(_actor(request), matter, file_id)


@router.post("/{matter}/captures", operation_id="request_capture", summary="Ask for a capture", response=Made)
def capture(request: HttpRequest, matter: str, body: CaptureIn, key: IdempotencyKey = None) -> HttpResponse:
    """A worker takes it; ask again for its state."""

    def work() -> HttpResponse:
        made = actions.request_capture(
            _found(request, matter).id, _new_capture(body), by=_actor(request), at=clock.now()
        )
        return answer(_capture(made), HTTPStatus.CREATED)

    return _once(request, key, work)


@router.get(
    "/{matter}/captures", operation_id="list_captures", summary="Its captures", response={200: Listed, **Trouble}
)
def captures(request: HttpRequest, matter: str) -> HttpResponse:
    """Newest first."""
    return answer({"items": [_capture(each) for each in matters.captures_of(_actor(request), matter)]})


@router.get("/{matter}/captures/{which}", operation_id="get_capture", summary="One capture", response=Shown)
def one_capture(request: HttpRequest, matter: str, which: str) -> HttpResponse:
    """How far it is."""
    return answer(_capture(_capture_in(request, matter, which)))


@router.delete(
    "/{matter}/captures/{which}", operation_id="cancel_capture", summary="Take a request back", response=Shown
)
def cancel(request: HttpRequest, matter: str, which: str) -> HttpResponse:
    """As long as no worker has begun."""
    found = _capture_in(request, matter, which)
    return answer(_capture(actions.cancel_capture(found.id, by=_actor(request), at=clock.now())))


@router.post("/{matter}/schedules", operation_id="schedule_capture", summary="Capture now and again", response=Made)
def schedule(request: HttpRequest, matter: str, body: ScheduleIn, key: IdempotencyKey = None) -> HttpResponse:
    """Each turn makes one capture."""

    def work() -> HttpResponse:
        made = actions.schedule_capture(
            _found(request, matter).id,
            _new_capture(body),
            every_minutes=body.every_minutes,
            until=body.until,
            by=_actor(request),
            at=clock.now(),
        )
        return answer(_schedule(made), HTTPStatus.CREATED)

    return _once(request, key, work)


@router.get(
    "/{matter}/schedules", operation_id="list_schedules", summary="Its schedules", response={200: Listed, **Trouble}
)
def schedules(request: HttpRequest, matter: str) -> HttpResponse:
    """Newest first."""
    return answer({"items": [_schedule(each) for each in matters.schedules_of(_actor(request), matter)]})


@router.delete("/{matter}/schedules/{which}", operation_id="end_schedule", summary="End a schedule", response=Gone)
def end_schedule(request: HttpRequest, matter: str, which: UUID) -> HttpResponse:
    """What was captured stays."""
    if which not in {each.id for each in matters.schedules_of(_actor(request), matter)}:
        raise Refused("matter.schedule_not_found")
    actions.end_schedule(which, by=_actor(request), at=clock.now())
    return HttpResponse(status=HTTPStatus.NO_CONTENT)


@router.post("/{matter}/bundles", operation_id="request_bundle", summary="Ask for a bundle", response=Made)
def bundle(request: HttpRequest, matter: str, body: BundleIn, key: IdempotencyKey = None) -> HttpResponse:
    """A worker builds it as soon as all receipts are there."""

    def work() -> HttpResponse:
        made = actions.request_bundle(_found(request, matter).id, items=body.items, by=_actor(request), at=clock.now())
        return answer(_bundle(made), HTTPStatus.CREATED)

    return _once(request, key, work)


@router.get("/{matter}/bundles", operation_id="list_bundles", summary="Its bundles", response={200: Listed, **Trouble})
def bundles(request: HttpRequest, matter: str) -> HttpResponse:
    """Newest first."""
    return answer({"items": [_bundle(each) for each in matters.bundles_of(_actor(request), matter)]})


@router.get("/{matter}/bundles/{which}", operation_id="get_bundle", summary="One bundle", response=Shown)
def one_bundle(request: HttpRequest, matter: str, which: str) -> HttpResponse:
    """How far it is."""
    return answer(_bundle(_bundle_in(_actor(request), matter, which)))


@router.get("/{matter}/bundles/{which}/file", operation_id="get_bundle_file", summary="Its file", response=Bytes)
def bundle_file(request: HttpRequest, matter: str, which: str) -> StreamingHttpResponse:
    """The `.asice`, once it is done."""
    return _bundle_file(_actor(request), _bundle_in(_actor(request), matter, which))


@router.post("/{matter}/hold", operation_id="place_hold", summary="Put a matter under legal hold", response=Gone)
def place_hold(request: HttpRequest, matter: str, body: ReasonIn) -> HttpResponse:
    """Nothing of it can be deleted from now on."""
    actions.hold(_found(request, matter).id, reason=body.reason, by=_actor(request), at=clock.now())
    return HttpResponse(status=HTTPStatus.NO_CONTENT)


@router.post("/{matter}/hold/lift", operation_id="lift_hold", summary="Lift the legal hold", response=Gone)
def lift_hold(request: HttpRequest, matter: str, body: ReasonIn) -> HttpResponse:
    """Only a person who owns the organisation; no key of a programme can."""
    actions.lift_hold(_found(request, matter).id, reason=body.reason, by=_actor(request), at=clock.now())
    return HttpResponse(status=HTTPStatus.NO_CONTENT)


@router.post("/{matter}/grants", operation_id="grant_access", summary="Give out an access code", response=Made)
def grant(request: HttpRequest, matter: str, body: GrantIn) -> HttpResponse:
    """The code is shown this once."""
    code, made = actions.grant(
        _found(request, matter).id,
        given_to=body.given_to,
        purpose=body.purpose,
        life=timedelta(hours=body.hours),
        by=_actor(request),
        at=clock.now(),
    )
    return answer({"code": code, **_grant(made)}, HTTPStatus.CREATED)


@router.get(
    "/{matter}/grants", operation_id="list_grants", summary="Its access codes", response={200: Listed, **Trouble}
)
def grants(request: HttpRequest, matter: str) -> HttpResponse:
    """With every use of each."""
    found = matters.grants_of(_actor(request), matter, clock.now())
    return answer({"items": [_grant(each) for each in found]})


@router.delete("/{matter}/grants/{which}", operation_id="revoke_access", summary="Take a code back", response=Gone)
def revoke(request: HttpRequest, matter: str, which: UUID) -> HttpResponse:
    """It opens nothing from now on."""
    if which not in {each.id for each in matters.grants_of(_actor(request), matter, clock.now())}:
        raise Refused("matter.grant_not_found")
    actions.revoke_grant(which, by=_actor(request), at=clock.now())
    return HttpResponse(status=HTTPStatus.NO_CONTENT)


@router.get("/{matter}/custody.jsonl", operation_id="get_custody", summary="Its custody log", response=Bytes)
def custody(request: HttpRequest, matter: str) -> HttpResponse:
    """Hash-chained JSON lines."""
    return _log(_actor(request), matter)


@router.get("/{matter}/custody.jsonld", operation_id="get_custody_case", summary="The same as CASE/UCO", response=Bytes)
def custody_case(request: HttpRequest, matter: str) -> HttpResponse:
    """JSON-LD for tools of examiners."""
    found = _found(request, matter)
    return _guarded(
        HttpResponse(matters.custody_case(_actor(request), found.id), content_type="application/ld+json"),
        f"{found.number}.custody.jsonld",
    )


# ---- by code ---------------------------------------------------------------------------------------------------------

Code = Annotated[str, Header(alias="Chopmark-Access-Code", max_length=100, description="As it was given out.")]
Name = Annotated[str, Header(alias="Chopmark-Visitor", max_length=120, description="Who reads, for the log.")]


@access.get("/matter", operation_id="access_matter", summary="The matter of a code", response=Shown)
def access_matter(request: HttpRequest, code: Code, name: Name = "") -> HttpResponse:
    """Matter and evidence. Every use of a code is logged; who guesses is locked out."""
    guest = _guest(request, code, name)
    found = matters.matter_of(guest, guest.matter_id)
    listed = [_item(each) for each in matters.items_of(guest, guest.matter_id)]
    done = [_bundle(each) for each in matters.bundles_of(guest, guest.matter_id)]
    return answer({**_matter(found), "items": listed, "bundles": done, "expires_at": clock.to_text(guest.expires_at)})


@access.get("/files/{file_id}", operation_id="access_file", summary="A file of the matter", response=Bytes)
def access_file(request: HttpRequest, file_id: UUID, code: Code, name: Name = "") -> StreamingHttpResponse:
    """Always an attachment of unknown type; of a redacted file, what is shown instead."""
    guest = _guest(request, code, name)
    response = _file(guest, guest.matter_id, file_id)
    actions.log_use(guest, "file", str(file_id), at=clock.now())
    return response


@access.get("/bundles/{which}/file", operation_id="access_bundle", summary="A bundle of the matter", response=Bytes)
def access_bundle(request: HttpRequest, which: str, code: Code, name: Name = "") -> StreamingHttpResponse:
    """The `.asice`."""
    guest = _guest(request, code, name)
    found = _bundle_in(guest, guest.matter_id, which)
    response = _bundle_file(guest, found)
    actions.log_use(guest, "bundle", found.number, at=clock.now())
    return response


@access.get("/custody.jsonl", operation_id="access_custody", summary="The custody log", response=Bytes)
def access_custody(request: HttpRequest, code: Code, name: Name = "") -> HttpResponse:
    """Hash-chained JSON lines."""
    guest = _guest(request, code, name)
    actions.log_use(guest, "custody", "", at=clock.now())
    return _log(guest, guest.matter_id)


def _guest(request: HttpRequest, code: str, name: str) -> Guest:
    address = str(request.META.get("REMOTE_ADDR", ""))  # as the pages count it: one budget of guesses for both
    return actions.use_grant(code, name=name, address=address, at=clock.now())


def _actor(request: HttpRequest) -> Actor:
    actor: Actor = request.auth  # type: ignore[attr-defined]  # set by ninja from `ApiKey`
    return actor


def _found(request: HttpRequest, matter: str) -> MatterSummary:
    return matters.matter_of(_actor(request), matter)


def _capture_in(request: HttpRequest, matter: str, which: str) -> CaptureSummary:
    found = matters.capture_of(_actor(request), which)
    if matter not in (found.matter_number, str(found.matter_id)):
        raise Refused("matter.capture_not_found")
    return found


def _bundle_in(reader: Reader, matter: str | UUID, which: str) -> BundleSummary:
    found = matters.bundle_of(reader, which)
    if str(matter) not in (found.matter_number, str(found.matter_id)):
        raise Refused("matter.bundle_not_found")
    return found


def _items(reader: Reader, matter: str | UUID) -> HttpResponse:
    return answer({"items": [_item(each) for each in matters.items_of(reader, matter)]})


def _file(reader: Reader, matter: str | UUID, file_id: UUID) -> StreamingHttpResponse:
    if not any(each.id == file_id for item in matters.items_of(reader, matter) for each in item.files):
        raise Refused("matter.file_not_found")
    stored = matters.file_of_item(reader, file_id)
    return _stream(stored.chunks, stored.size, stored.file_name)


def _bundle_file(reader: Reader, found: BundleSummary) -> StreamingHttpResponse:
    path, name = matters.bundle_file(reader, found.id)
    return _stream(matters.stored_chunks(path), found.size or 0, name)


def _log(reader: Reader, matter: str | UUID) -> HttpResponse:
    found = matters.matter_of(reader, matter)
    data = matters.custody_log(reader, found.id)
    response = HttpResponse(data, content_type="application/jsonl")
    return _guarded(response, f"{found.number}.process.jsonl")


def _stream(chunks: Iterable[bytes], size: int, name: str) -> StreamingHttpResponse:
    response = StreamingHttpResponse(chunks, content_type="application/octet-stream")
    response["Content-Length"] = str(size)
    response["Content-Disposition"] = attachment(name)
    response["Content-Security-Policy"] = "default-src 'none'; sandbox"
    response["X-Content-Type-Options"] = "nosniff"
    response["Cache-Control"] = "private, no-store"
    return response


def _guarded(response: HttpResponse, name: str) -> HttpResponse:
    response["Content-Disposition"] = attachment(name)
    response["Content-Security-Policy"] = "default-src 'none'; sandbox"
    response["X-Content-Type-Options"] = "nosniff"
    response["Cache-Control"] = "private, no-store"
    return response


def _new_capture(body: CaptureIn) -> NewCapture:
    return NewCapture(
        url=body.url, mode=body.mode, title=_both(body.title), purpose=_both(body.purpose), phase=body.phase
    )


def _both(words: Words | None) -> Both:
    return Both() if words is None else Both(zh=words.zh, en=words.en)


def _text(both: Both) -> dict[str, str]:
    return {"zh": both.zh, "en": both.en}


def _matter(each: MatterSummary) -> dict[str, Any]:
    here = f"/api/v1/matters/{each.number}"
    return {
        "id": str(each.id),
        "number": each.number,
        "template": each.template,
        "title": _text(each.title),
        "jurisdiction": each.jurisdiction,
        "court_profile": each.court_profile,
        "phase": each.phase,
        "state": each.state,
        "held": each.held,
        "items_count": each.items,
        "created_at": clock.to_text(each.made_at),
        "closed_at": moment(each.closed_at),
        "links": {"self": here, "items": f"{here}/items", "custody": f"{here}/custody.jsonl"},
    }


def _item(each: ItemSummary) -> dict[str, Any]:
    return {
        "id": str(each.id),
        "number": each.number,
        "kind": each.kind,
        "role": each.role,
        "title": _text(each.title),
        "purpose": _text(each.purpose),
        "source": dict(each.source),
        "phase": each.phase,
        "capture": each.capture or None,
        "created_at": clock.to_text(each.made_at),
        "files": [
            {
                "id": str(one.id),
                "name": one.name,
                "file_name": one.file_name,
                "media_type": one.media_type,
                "size": one.size,
                "sha-256": one.sha256.hex(),
                "role": one.role,
                "derived_from": one.derived_from or None,
                "over": one.over or None,
                "photo": dict(one.photo),
                "deposit": one.deposit_number or None,
                "published": one.published,
                "redacted": one.redacted,
            }
            for one in each.files
        ],
    }


def _steps(steps: Iterable[StepSummary]) -> list[dict[str, Any]]:
    return [{"at": each.at, "step": each.step, "state": each.state, "facts": dict(each.facts)} for each in steps]


def _capture(each: CaptureSummary) -> dict[str, Any]:
    return {
        "id": str(each.id),
        "number": each.number,
        "matter": each.matter_number,
        "url": each.url,
        "mode": each.mode,
        "title": _text(each.title),
        "phase": each.phase,
        "state": each.state,
        "steps": _steps(each.steps),
        "trouble": each.trouble or None,
        "facts": dict(each.facts),
        "result": dict(each.result),
        "item": each.item or None,
        "created_at": clock.to_text(each.made_at),
        "started_at": moment(each.started_at),
        "ended_at": moment(each.ended_at),
    }


def _schedule(each: ScheduleSummary) -> dict[str, Any]:
    return {
        "id": str(each.id),
        "url": each.url,
        "mode": each.mode,
        "every_minutes": each.every_minutes,
        "next_at": clock.to_text(each.next_at),
        "until": clock.to_text(each.until),
        "ended_at": moment(each.ended_at),
        "captures": each.captures,
    }


def _bundle(each: BundleSummary) -> dict[str, Any]:
    return {
        "id": str(each.id),
        "number": each.number,
        "matter": each.matter_number,
        "items": list(each.items),
        "state": each.state,
        "steps": _steps(each.steps),
        "trouble": each.trouble or None,
        "facts": dict(each.facts),
        "sha-256": each.sha256.hex() if each.sha256 is not None else None,
        "size": each.size,
        "deposit": each.deposit_number or None,
        "published": each.published,
        "signatures": each.signatures,
        "signed_from": each.signed_from or None,
        "created_at": clock.to_text(each.made_at),
        "ended_at": moment(each.ended_at),
    }


def _grant(each: GrantSummary) -> dict[str, Any]:
    return {
        "id": str(each.id),
        "selector": each.selector,
        "given_to": each.given_to,
        "purpose": each.purpose,
        "state": each.state,
        "created_at": clock.to_text(each.made_at),
        "expires_at": clock.to_text(each.expires_at),
        "revoked_at": moment(each.revoked_at),
        "uses": [
            {"at": clock.to_text(use.at), "action": use.action, "detail": use.detail, "name": use.name}
            for use in each.uses
        ],
    }
