"""`/uploads/`: resumable uploads, tus 1.0 with creation, termination, expiration and checksum.

    POST   /uploads/        Upload-Length, Upload-Metadata: filename, filetype, sha256 (hexadecimal), sm3 ("1")
    HEAD   /uploads/<id>    Upload-Offset says how much is here
    PATCH  /uploads/<id>    the next bytes, application/offset+octet-stream
    DELETE /uploads/<id>

The same callers as the API: a key with `deposits:write`, or a session with its CSRF token. What is written
where is decided by `evidence.actions`; here stands the protocol alone. Errors are problem documents.
"""

from __future__ import annotations

import base64
import binascii
import threading
from collections.abc import Callable, Iterator, Mapping
from functools import wraps
from http import HTTPStatus
from uuid import UUID

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.http.request import UnreadablePostError
from django.urls import URLPattern, URLResolver, path, reverse
from django.utils.http import http_date
from django.views.decorators.csrf import csrf_exempt

from chopmark.base import clock
from chopmark.base.digests import CHUNK, parse_digest
from chopmark.base.errors import Invalid, PlatformError, Refused, Unavailable
from chopmark.evidence import actions, queries
from chopmark.evidence.actions import Checksum
from chopmark.evidence.queries import UploadState
from chopmark.web.api import problems
from chopmark.web.api.auth import actor_from

VERSION = "1.0.0"
EXTENSIONS = "creation,termination,expiration,checksum"
CHECKSUMS = {"sha1": 20, "sha256": 32}
PIECE = "application/offset+octet-stream"
MAX_METADATA = 4096
CHECKSUM_MISMATCH = 460  # the protocol's own status
VERSION_UNKNOWN = HTTPStatus.PRECONDITION_FAILED

PATIENCE = 1.0  # seconds that a piece waits for others to be through

_ROOM = threading.BoundedSemaphore(settings.CHOPMARK_UPLOADS_AT_ONCE)

View = Callable[..., HttpResponse]


def _tus(view: View) -> View:
    """The protocol's frame: method override, version, headers, errors."""

    @csrf_exempt  # `actor_from` checks the token of sessions; keys need none
    @wraps(view)
    def framed(request: HttpRequest, **names: UUID) -> HttpResponse:
        if request.method == "POST" and "X-HTTP-Method-Override" in request.headers:
            request.method = request.headers["X-HTTP-Method-Override"].upper()
        try:
            response = _checked(view, request, names)
        except PlatformError as error:
            response = problems.answer(request, error)
            if error.code == "evidence.upload_checksum":
                response.status_code = CHECKSUM_MISMATCH
            if error.code == "evidence.upload_offset_differs":
                response["Upload-Offset"] = str(error.facts["offset"])
        response["Tus-Resumable"] = VERSION
        response["Cache-Control"] = "no-store"
        return response

    return framed


def _checked(view: View, request: HttpRequest, names: Mapping[str, UUID]) -> HttpResponse:
    if request.method == "OPTIONS":
        return _abilities()
    if request.headers.get("Tus-Resumable") != VERSION:
        response = HttpResponse(status=VERSION_UNKNOWN)
        response["Tus-Version"] = VERSION
        return response
    return view(request, **names)


def _abilities() -> HttpResponse:
    response = HttpResponse(status=HTTPStatus.NO_CONTENT)
    response["Tus-Version"] = VERSION
    response["Tus-Extension"] = EXTENSIONS
    response["Tus-Max-Size"] = str(settings.CHOPMARK_UPLOAD_LIMIT)
    response["Tus-Checksum-Algorithm"] = ",".join(CHECKSUMS)
    return response


@_tus
def start(request: HttpRequest) -> HttpResponse:
    """Creation."""
    if request.method != "POST":
        return _not_here("POST, OPTIONS")
    actor = actor_from(request)
    length = _number(request, "Upload-Length")
    about = _metadata(request.headers.get("Upload-Metadata", ""))
    upload = actions.start_upload(
        length=length,
        file_name=about.get("filename", ""),
        file_type=about.get("filetype", ""),
        declared=parse_digest(about["sha256"])[1] if "sha256" in about else None,
        sm3=about.get("sm3") == "1",
        by=actor,
        at=clock.now(),
    )
    response = _state(upload, HTTPStatus.CREATED)
    response["Location"] = reverse("upload", args=[upload.id])
    return response


@_tus
def one(request: HttpRequest, upload_id: UUID) -> HttpResponse:
    """How far it is, the next bytes, or the end of it."""
    match request.method:
        case "HEAD":
            return _state(queries.upload_of(actor_from(request), upload_id), HTTPStatus.OK)
        case "PATCH":
            return _append(request, upload_id)
        case "DELETE":
            actions.discard_upload(upload_id, by=actor_from(request))
            return HttpResponse(status=HTTPStatus.NO_CONTENT)
        case _:
            return _not_here("HEAD, PATCH, DELETE, OPTIONS")


def _append(request: HttpRequest, upload_id: UUID) -> HttpResponse:
    actor = actor_from(request)
    if request.content_type != PIECE:
        raise Refused("api.upload_not_octets")
    offset = _number(request, "Upload-Offset")
    checksum = _checksum(request.headers.get("Upload-Checksum", ""))
    if not _ROOM.acquire(timeout=PATIENCE):
        raise Unavailable("api.uploads_busy")
    try:
        upload = actions.append_upload(
            upload_id, offset=offset, chunks=_chunks(request), checksum=checksum, by=actor, at=clock.now()
        )
    except UnreadablePostError:  # nobody is left to read an answer; what arrived is kept
        return HttpResponse(status=HTTPStatus.BAD_REQUEST)
    finally:
        _ROOM.release()
    return _state(upload, HTTPStatus.NO_CONTENT)


def _chunks(request: HttpRequest) -> Iterator[bytes]:
    while chunk := request.read(CHUNK):
        yield chunk


def _state(upload: UploadState, status: HTTPStatus) -> HttpResponse:
    response = HttpResponse(status=status)
    response["Upload-Offset"] = str(upload.offset)
    response["Upload-Length"] = str(upload.length)
    response["Upload-Expires"] = http_date(upload.expires_at.timestamp())
    return response


def _number(request: HttpRequest, name: str) -> int:
    text = request.headers.get(name, "")
    if not text.isascii() or not text.isdigit() or len(text) > 15:
        raise Invalid("api.upload_header_malformed", name=name)
    return int(text)


def _metadata(header: str) -> dict[str, str]:
    """`key base64,key base64`; a key may stand alone."""
    if len(header) > MAX_METADATA:
        raise Invalid("api.upload_header_malformed", name="Upload-Metadata")
    about: dict[str, str] = {}
    for pair in filter(None, header.split(",")):
        key, _, value = pair.strip().partition(" ")
        try:
            about[key] = base64.b64decode(value, validate=True).decode()
        except (binascii.Error, UnicodeDecodeError) as error:
            raise Invalid("api.upload_header_malformed", name="Upload-Metadata") from error
    return about


def _checksum(header: str) -> Checksum | None:
    if not header:
        return None
    algorithm, _, value = header.partition(" ")
    try:
        digest = base64.b64decode(value, validate=True)
    except binascii.Error as error:
        raise Invalid("api.upload_header_malformed", name="Upload-Checksum") from error
    if CHECKSUMS.get(algorithm) != len(digest):
        raise Invalid("api.upload_header_malformed", name="Upload-Checksum")
    return Checksum(algorithm=algorithm, digest=digest)


def _not_here(allowed: str) -> HttpResponse:
    response = HttpResponse(status=HTTPStatus.METHOD_NOT_ALLOWED)
    response["Allow"] = allowed
    return response


urlpatterns: list[URLPattern | URLResolver] = [
    path("uploads/", start, name="uploads"),
    path("uploads/<uuid:upload_id>", one, name="upload"),
]
