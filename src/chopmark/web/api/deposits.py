"""`/api/v1/deposits`: make deposits, one or many, list them, fetch their receipts."""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Callable
from http import HTTPStatus
from typing import Annotated, Any, Literal, TypeVar
from uuid import UUID

import pydantic
from django.conf import settings
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.urls import reverse
from ninja import Header, Query, Router

from chopmark.base import clock
from chopmark.base.digests import Digests, parse_digest
from chopmark.base.errors import Invalid, PlatformError, Refused
from chopmark.evidence import actions, queries
from chopmark.evidence.actions import NewDeposit
from chopmark.evidence.actions.certify import certificate
from chopmark.evidence.queries import DepositSummary
from chopmark.people.actor import Actor, Permission
from chopmark.web.api import problems, schemas, shown
from chopmark.web.api.auth import MEMBERS
from chopmark.web.downloads import COSE, TLOG_PROOF, ReceiptForm, attachment
from chopmark.web.errors import language_of

router = Router(tags=["Deposits"], auth=MEMBERS)

ProblemOut = schemas.Problem
Trouble = {
    frozenset({400, 401, 403, 404, 413, 415, 422, 429}): ProblemOut,
}
IdempotencyKey = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        description="1 to 255 printable ASCII characters, new for each new request; its answer is kept for 24 hours.",
        min_length=1,
        max_length=255,
        pattern="^[ -~]+$",
    ),
]


@router.post(
    "",
    operation_id="deposit",
    summary="Make one deposit",
    response={201: schemas.DepositOut, 200: schemas.DepositOut, 409: ProblemOut, 503: ProblemOut, **Trouble},
)
def create(request: HttpRequest, body: schemas.DepositIn, key: IdempotencyKey = None) -> HttpResponse:
    """201 for a new deposit; 200 for one that your organisation made before with the same digest and the same words."""

    def work() -> HttpResponse:
        [made] = actions.deposit([_draft(body, request)], by=_actor(request), at=clock.now())
        if isinstance(made, PlatformError):
            raise made
        response = shown.answer(shown.deposit(made), _status(made))
        response["Location"] = f"/api/v1/deposits/{made.id}"
        return response

    return _once(request, key, work)


@router.post(
    "/batch",
    operation_id="deposit_batch",
    summary="Make up to 1000 deposits",
    response={200: schemas.BatchOut, 409: ProblemOut, 503: ProblemOut, **Trouble},
)
def create_batch(request: HttpRequest, body: schemas.BatchIn, key: IdempotencyKey = None) -> HttpResponse:
    """Each item succeeds or fails alone; the answers stand in the order of the items, each with its own status."""

    def work() -> HttpResponse:
        language = language_of(request)
        results: list[dict[str, Any]] = [{} for _ in body.items]
        drafts: list[NewDeposit] = []
        places: list[int] = []
        for place, item in enumerate(body.items):
            try:
                drafts.append(_draft(_ITEM.validate_python(item), request))
                places.append(place)
            except pydantic.ValidationError as error:
                pointers = problems.pointers_of(error.errors(include_url=False, include_input=False), language)
                trouble = problems.problem_of(Invalid("api.fields_wrong"), language, pointers)
                results[place] = {"status": trouble["status"], "error": trouble}
            except PlatformError as error:
                results[place] = _refused(error, language)
        answers = actions.deposit(drafts, by=_actor(request), at=clock.now())
        for place, made in zip(places, answers, strict=True):
            if isinstance(made, PlatformError):
                results[place] = _refused(made, language)
            else:
                results[place] = {"status": _status(made), "deposit": shown.deposit(made)}
        statuses = [each["status"] for each in results]
        created, existing = statuses.count(HTTPStatus.CREATED), statuses.count(HTTPStatus.OK)
        refused = len(statuses) - created - existing
        return shown.answer({"items": results, "created": created, "existing": existing, "refused": refused})

    return _once(request, key, work)


@router.get(
    "",
    operation_id="list_deposits",
    summary="List deposits",
    response={200: schemas.ListOut, frozenset({400, 401, 403, 422, 429}): ProblemOut},
)
def listing(  # noqa: PLR0917 (ninja reads the parameters of a call from here)
    request: HttpRequest,
    q: Annotated[str, Query(max_length=300, description="Words, a short number or a digest.")] = "",
    state: Annotated[schemas.State | None, Query()] = None,
    kind: Annotated[schemas.Kind | None, Query()] = None,
    digest: Annotated[str, Query(max_length=80, description="sha-256:… or sm3:… or 64 bare hexadecimal digits.")] = "",
    after: Annotated[str, Query(max_length=24, description="Short number of the last deposit already seen.")] = "",
    limit: Annotated[int, Query(ge=1, le=queries.MAX_PAGE)] = 50,
) -> HttpResponse:
    """Newest first; the Link header leads to the following page."""
    page = queries.deposits_of(
        _actor(request),
        q=q,
        state=state or "",
        kind=kind or "",
        digest=parse_digest(digest)[1] if digest else None,
        after=after,
        limit=limit,
    )
    body = {"items": [shown.deposit(each) for each in page.items], "counts": dict(page.counts)}
    return shown.page(request, body, page.next)


Missing = {frozenset({401, 403, 404, 429}): ProblemOut}
Signatures = Annotated[
    Literal["all", "compact", "post-quantum"],
    Query(description="`compact`: Ed25519 alone; `post-quantum`: ML-DSA-44 alone. Either satisfies a policy."),
]
ReceiptMissing = {frozenset({401, 403, 404, 409, 422, 429}): ProblemOut}


@router.get(
    "/{deposit_id}",
    operation_id="get_deposit",
    summary="One deposit, by id or short number",
    response={200: schemas.DepositOut, **Missing},
)
def one(request: HttpRequest, deposit_id: str) -> HttpResponse:
    """How it stands now."""
    return shown.answer(shown.deposit(_found(request, deposit_id)))


@router.get(
    "/{deposit_id}/receipt.tlog-proof",
    operation_id="get_receipt_tlog_proof",
    summary="Its receipt as C2SP tlog-proof",
    response={200: None, **ReceiptMissing},
)
def tlog_proof(request: HttpRequest, deposit_id: str, signatures: Signatures = "all") -> HttpResponse:
    """409 until the log has published the entry; Retry-After says when to ask again."""
    return _receipt(request, deposit_id, ReceiptForm(form=TLOG_PROOF, signatures=signatures))


@router.get(
    "/{deposit_id}/receipt.cose",
    operation_id="get_receipt_cose",
    summary="Its receipt as a SCITT Transparent Statement",
    response={200: None, **ReceiptMissing},
)
def cose(request: HttpRequest, deposit_id: str, signatures: Signatures = "all") -> HttpResponse:
    """409 until the log has published the entry; Retry-After says when to ask again."""
    return _receipt(request, deposit_id, ReceiptForm(form=COSE, signatures=signatures))


def _receipt(request: HttpRequest, deposit_id: str, form: ReceiptForm) -> HttpResponse:
    found = _found(request, deposit_id)
    receipt = queries.receipt_for(_actor(request), found.id)
    return _file(form.write(receipt), form.media_type, f"{_name(found)}.{form.ending}")


@router.get(
    "/{deposit_id}/certificate.pdf",
    operation_id="get_certificate",
    summary="Its certificate, a signed PDF in Chinese and English",
    response={200: None, 503: ProblemOut, **ReceiptMissing},
)
def get_certificate(request: HttpRequest, deposit_id: str) -> HttpResponse:
    """Printed and sealed anew each time; 409 until the log has published the entry."""
    found = _found(request, deposit_id)
    pdf = certificate(found.id, by=_actor(request), at=clock.now())
    return _file(pdf, "application/pdf", f"{found.number}.certificate.pdf")


@router.get(
    "/{deposit_id}/statement",
    operation_id="get_statement",
    summary="Its signed statement",
    response={200: None, **Missing},
)
def statement(request: HttpRequest, deposit_id: str) -> HttpResponse:
    """The entry's bytes, published or not."""
    found = _found(request, deposit_id)
    return _file(queries.statement_for(_actor(request), found.id), "application/cose", f"{found.number}.statement.cose")


@router.get(
    "/{deposit_id}/file",
    operation_id="get_file",
    summary="The file that was kept",
    response={200: None, 503: ProblemOut, **Missing},
)
def file(request: HttpRequest, deposit_id: str) -> HttpResponseBase:
    """Always an attachment of unknown type: nothing that somebody uploaded runs on this site."""
    found = _found(request, deposit_id)
    stored = queries.file_of(_actor(request), found.id)
    response = StreamingHttpResponse(stored.chunks, content_type="application/octet-stream")
    response["Content-Length"] = str(stored.size)
    return _guarded(response, stored.file_name)


@router.post(
    "/{deposit_id}/share",
    operation_id="share_receipt",
    summary="Make a link that shows its receipt",
    response={201: schemas.ShareOut, **Missing},
)
def share(request: HttpRequest, deposit_id: str) -> HttpResponse:
    """Anybody who has the link sees the receipt and its disclosures; the link is shown this once."""
    found = _found(request, deposit_id)
    token = actions.share(found.id, by=_actor(request), at=clock.now())
    return shown.answer({"url": settings.CHOPMARK_BASE_URL + reverse("shared", args=[token])}, HTTPStatus.CREATED)


@router.delete(
    "/{deposit_id}/share",
    operation_id="unshare_receipt",
    summary="Take all links to its receipt back",
    response={204: None, **Missing},
)
def unshare(request: HttpRequest, deposit_id: str) -> HttpResponse:
    """Links that were handed out show nothing from now on."""
    actions.unshare(_found(request, deposit_id).id, by=_actor(request), at=clock.now())
    return HttpResponse(status=HTTPStatus.NO_CONTENT)


_ITEM = pydantic.TypeAdapter(schemas.DepositIn)
_Response = TypeVar("_Response", bound=HttpResponseBase)


def _actor(request: HttpRequest) -> Actor:
    actor: Actor = request.auth  # type: ignore[attr-defined]  # set by ninja from `ApiKey`
    return actor


def _draft(body: schemas.DepositIn, request: HttpRequest) -> NewDeposit:
    return NewDeposit(
        kind=body.kind,
        digests=_digests(body.digests, body.size),
        upload=body.upload,
        title=body.title,
        author=body.author,
        file_name=body.file_name,
        media_type=body.media_type,
        private=body.private,
        statement=None if body.statement is None else from_base64(body.statement),
        disclosures=tuple(from_base64(each) for each in body.disclosures),
        source=_source(request),
    )


def _digests(given: schemas.Digests | None, size: int | None) -> Digests | None:
    if given is None:
        return None
    if size is None:
        raise Invalid("api.size_missing")
    return digests_from(given, size)


def digests_from(given: schemas.Digests, size: int) -> Digests:
    """The digests of a body, whose form pydantic has checked."""
    sm3 = bytes.fromhex(given.sm3) if given.sm3 else None
    return Digests(sha256=bytes.fromhex(given.sha256), size=size, sm3=sm3)


def from_base64(text: str) -> bytes:
    """Bytes from a field of a body.

    Raises:
        Invalid: `api.base64_malformed`.
    """
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise Invalid("api.base64_malformed") from error


def _source(request: HttpRequest) -> actions.Source:
    if _actor(request).user_id is not None:
        return "page"
    return "cli" if request.headers.get("User-Agent", "").startswith("chopmark/") else "api"


def _status(made: DepositSummary) -> int:
    return HTTPStatus.CREATED if made.created else HTTPStatus.OK


def _refused(error: PlatformError, language: Any) -> dict[str, Any]:  # noqa: ANN401 (a literal)
    trouble = problems.problem_of(error, language)
    return {"status": trouble["status"], "error": trouble}


def _once(
    request: HttpRequest, key: str | None, work: Callable[[], HttpResponse], permission: Permission = "deposit"
) -> HttpResponse:
    """Do the work, or repeat the answer that the same request with the same key got before."""
    if key is None:
        return work()
    actor, method_and_path = _actor(request), f"{request.method} {request.path}\n".encode()
    actor.must(permission)
    fingerprint = hashlib.sha256(method_and_path + request.body).digest()
    if (before := actions.recall(key, fingerprint, by=actor, at=clock.now())) is not None:
        response = HttpResponse(before.body, status=before.status, content_type="application/json")
        response["Idempotency-Replayed"] = "true"
        return response
    try:
        response = work()
    except PlatformError:
        actions.forget(key, by=actor)
        raise
    actions.remember(key, response.status_code, response.content, by=actor)
    return response


def _found(request: HttpRequest, deposit_id: str) -> DepositSummary:
    """By id or by short number."""
    try:
        known = UUID(deposit_id)
    except ValueError:
        if len(deposit_id) > 24 or not deposit_id.isascii() or not deposit_id.isprintable():
            raise Refused("evidence.deposit_not_found") from None
        return queries.deposit_by_number(_actor(request), deposit_id.upper())
    return queries.deposit_of(_actor(request), known)


def _name(found: DepositSummary) -> str:
    return found.file_name or found.number


def _file(data: bytes, content_type: str, name: str) -> HttpResponse:
    return _guarded(HttpResponse(data, content_type=content_type), name)


def _guarded(response: _Response, name: str) -> _Response:
    response["Content-Disposition"] = attachment(name)
    response["Content-Security-Policy"] = "default-src 'none'; sandbox"
    response["X-Content-Type-Options"] = "nosniff"
    response["Cache-Control"] = "private, no-store"
    return response
