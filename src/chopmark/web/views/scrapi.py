"""SCRAPI (draft-ietf-scitt-scrapi): register signed statements, fetch receipts, find the keys that verify them.

    POST /entries                       a signed statement; 201 with its receipt, or 303 while the log is at work
    GET  /entries/<leaf hash>           200 the receipt, 302 while the log is at work
    GET  /.well-known/scitt-keys        COSE Key Set; retired keys stay in it
    GET  /.well-known/scitt-keys/<kid>  one key, its thumbprint in base64url or hexadecimal

Any statement on the log has its receipt here, for anybody. An entry's id is the RFC 6962 leaf hash of the
statement, in hexadecimal. Errors are concise problem details (RFC 9290).
"""

from __future__ import annotations

import base64
import time
from collections.abc import Callable
from functools import wraps
from http import HTTPStatus

from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, URLResolver, path, reverse
from django.views.decorators.csrf import csrf_exempt

from chopmark.base import cbor, clock
from chopmark.base.errors import Invalid, PlatformError, Refused, Unavailable
from chopmark.base.wording import say
from chopmark.evidence import actions, queries, wiring
from chopmark.ledger.statement import MAX_ENTRY, PublicKey
from chopmark.web import errors
from chopmark.web.api import problems
from chopmark.web.api.limits import ANYBODY, address, must_be_slow

COSE = "application/cose"
CBOR = "application/cbor"
PROBLEM = "application/concise-problem-details+cbor"
TITLE, DETAIL = -1, -2
KID = 2  # RFC 9052 §7
PATIENCE = 2.0  # seconds that a registration waits for its receipt
GLANCE = 0.05  # seconds between two looks
A_DAY = "public, max-age=86400"
LEAF_DIGITS = 64

# The draft's own titles, by which clients tell errors apart; other codes carry themselves.
TITLES = {
    "ledger.statement_algorithm": "Bad Signature Algorithm",
    "ledger.statement_not_hash_envelope": "Payload Missing",
    "ledger.statement_malformed": "Malformed request",
    "api.statement_not_cose": "Malformed request",
    "evidence.statement_rejected": "Rejected",
    "evidence.key_retired": "Rejected",
    "people.issuer_key_not_found": "Rejected",
    "api.entry_malformed": "Invalid locator",
    "evidence.entry_not_found": "Not Found",
    "api.receipt_key_not_found": "No such key",
    "api.too_fast": "Too Many Requests",
}
# The draft answers whatever its policy does not accept with 400.
_STATUSES = {
    "evidence.key_retired": HTTPStatus.BAD_REQUEST,
    "people.issuer_key_not_found": HTTPStatus.BAD_REQUEST,
    "api.statement_not_cose": HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
}

View = Callable[..., HttpResponse]


def _scrapi(method: str) -> Callable[[View], View]:
    """One method, limits, and errors in CBOR."""

    def around(view: View) -> View:
        @csrf_exempt  # no session is looked at: the signature is the permission
        @wraps(view)
        def framed(request: HttpRequest, **names: str) -> HttpResponse:
            if request.method not in {method, "HEAD" if method == "GET" else method}:
                response = HttpResponse(status=HTTPStatus.METHOD_NOT_ALLOWED)
                response["Allow"] = method
                return response
            try:
                must_be_slow(address(request), ANYBODY)
                return view(request, **names)
            except PlatformError as error:
                return _problem(request, error)

        return framed

    return around


def _problem(request: HttpRequest, error: PlatformError) -> HttpResponse:
    status = _STATUSES.get(error.code) or problems.status_of(error)
    if isinstance(error, Invalid) and status == HTTPStatus.UNPROCESSABLE_ENTITY:
        status = HTTPStatus.BAD_REQUEST
    detail = say(error.code, error.facts, errors.language_of(request))
    body = cbor.encode({TITLE: TITLES.get(error.code, error.code), DETAIL: detail})
    response = HttpResponse(body, status=status, content_type=PROBLEM)
    response["Cache-Control"] = "no-store"
    if error.code == "api.too_fast":
        response["Retry-After"] = str(error.facts["seconds"])
    elif isinstance(error, Unavailable):
        response["Retry-After"] = str(errors.RETRY_AFTER)
    return response


@_scrapi("POST")
def register(request: HttpRequest) -> HttpResponse:
    """Register a signed statement."""
    length = request.META.get("CONTENT_LENGTH") or "0"
    if not length.isascii() or not length.isdigit() or int(length[:20]) > MAX_ENTRY:
        raise Invalid("ledger.statement_too_large", size=int(length[:20]) if length.isdigit() else 0, limit=MAX_ENTRY)
    if request.content_type != COSE:
        raise Refused("api.statement_not_cose")
    leaf = actions.register_statement(request.body, at=clock.now())
    receipt = _awaited(leaf)
    if receipt is not None:
        return _receipt(request, leaf, receipt, HTTPStatus.CREATED)
    return _at_work(request, leaf, HTTPStatus.SEE_OTHER)


@_scrapi("GET")
def entry(request: HttpRequest, entry_id: str) -> HttpResponse:
    """The receipt of an entry."""
    if len(entry_id) != LEAF_DIGITS or any(digit not in "0123456789abcdef" for digit in entry_id):
        raise Invalid("api.entry_malformed")
    leaf = bytes.fromhex(entry_id)
    receipt = _ready(leaf)
    if receipt is None:
        return _at_work(request, leaf, HTTPStatus.FOUND)
    return _receipt(request, leaf, receipt, HTTPStatus.OK)


@_scrapi("GET")
def keys(request: HttpRequest) -> HttpResponse:  # noqa: ARG001 (a view's form)
    """All keys that verify receipts of this log, or ever did."""
    return _cbor([_named(key) for key in wiring.receipt_keys()])


@_scrapi("GET")
def key(request: HttpRequest, kid: str) -> HttpResponse:  # noqa: ARG001 (a view's form)
    """One of them."""
    for each in wiring.receipt_keys():
        if kid in (_base64url(each.thumbprint), each.thumbprint.hex()):
            return _cbor(_named(each))
    raise Refused("api.receipt_key_not_found")


def _awaited(leaf: bytes) -> bytes | None:
    until = time.monotonic() + PATIENCE
    while (receipt := _ready(leaf)) is None and time.monotonic() < until:
        time.sleep(GLANCE)
    return receipt


def _ready(leaf: bytes) -> bytes | None:
    try:
        return queries.entry_receipt(leaf)
    except Unavailable as error:
        # RFC 9942 has no form for the receipt of a log's only entry: it comes with the next one. So do receipts of
        # what is older than the consortium, as long as that has cosigned nothing.
        if error.code in ("evidence.not_published", "evidence.not_cosigned", "ledger.receipt_too_early"):
            return None
        raise


def _receipt(request: HttpRequest, leaf: bytes, receipt: bytes, status: HTTPStatus) -> HttpResponse:
    response = HttpResponse(receipt, status=status, content_type=COSE)
    response["Location"] = _address(request, leaf)
    return response


def _at_work(request: HttpRequest, leaf: bytes, status: HTTPStatus) -> HttpResponse:
    response = HttpResponse(status=status, content_type=COSE)
    response["Location"] = _address(request, leaf)
    response["Retry-After"] = "1"
    return response


def _address(request: HttpRequest, leaf: bytes) -> str:
    return request.build_absolute_uri(reverse("scrapi-entry", args=[leaf.hex()]))


def _named(key: PublicKey) -> dict[int, object]:
    named: dict[int, object] = {**cbor.decode(key.to_cose()), KID: key.thumbprint}
    return named


def _cbor(value: object) -> HttpResponse:
    response = HttpResponse(cbor.encode(value), content_type=CBOR)
    response["Cache-Control"] = A_DAY
    return response


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


urlpatterns: list[URLPattern | URLResolver] = [
    path("entries", register, name="scrapi-entries"),
    path("entries/<str:entry_id>", entry, name="scrapi-entry"),
    path(".well-known/scitt-keys", keys, name="scitt-keys"),
    path(".well-known/scitt-keys/<str:kid>", key, name="scitt-key"),
]
