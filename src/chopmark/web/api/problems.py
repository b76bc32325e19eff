"""Errors of the API as problem documents (RFC 9457), all through one function."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

import orjson
from django.core.exceptions import RequestDataTooBig
from django.http import Http404, HttpRequest, HttpResponse
from ninja import NinjaAPI
from ninja.errors import AuthenticationError, HttpError, ValidationError

from chopmark.base.errors import Invalid, PlatformError, Refused, Unavailable
from chopmark.base.wording import Language, say
from chopmark.web import errors
from chopmark.web.api.limits import MAX_BODY

# Where the meaning over HTTP is finer than the kind of the error.
STATUSES: Mapping[str, HTTPStatus] = {
    "api.body_not_json": HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    "api.key_missing": HTTPStatus.UNAUTHORIZED,
    "api.upload_not_octets": HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    "api.too_fast": HTTPStatus.TOO_MANY_REQUESTS,
    "evidence.not_cosigned": HTTPStatus.CONFLICT,
    "evidence.not_published": HTTPStatus.CONFLICT,
    "watch.inbox_full": HTTPStatus.TOO_MANY_REQUESTS,
    "watch.listing_changed": HTTPStatus.CONFLICT,
    "watch.rule_is_live": HTTPStatus.CONFLICT,
    "watch.rule_no_trial": HTTPStatus.CONFLICT,
    "watch.push_type": HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    "watch.scan_unfinished": HTTPStatus.CONFLICT,
    "watch.sheet_unstated": HTTPStatus.CONFLICT,
}
PENDING_RETRY = 1  # seconds until an entry that waits is normally published


def status_of(error: PlatformError) -> HTTPStatus:
    """The HTTP status of an error."""
    return STATUSES.get(error.code) or errors.status_of(error)


def problem_of(error: PlatformError, language: Language, pointers: Sequence[Mapping[str, str]] = ()) -> dict[str, Any]:
    """The problem document of an error; `pointers` name the fields at fault."""
    return errors.problem_of(error.code, error.facts, status_of(error), language, errors=list(pointers))


def answer(request: HttpRequest, error: PlatformError, pointers: Sequence[Mapping[str, str]] = ()) -> HttpResponse:
    """An error for a programme."""
    language = errors.language_of(request)
    document = problem_of(error, language, pointers)
    response = HttpResponse(orjson.dumps(document), status=document["status"], content_type=errors.PROBLEM)
    response["Content-Language"] = {"zh": "zh-Hans", "en": "en"}[language]
    response["Vary"] = "Accept-Language"
    response["Cache-Control"] = "no-store"
    if response.status_code == HTTPStatus.UNAUTHORIZED:
        response["WWW-Authenticate"] = 'Bearer realm="chopmark"'
    if error.code == "evidence.not_published":
        response["Retry-After"] = str(PENDING_RETRY)
    elif error.code == "api.too_fast":
        response["Retry-After"] = str(error.facts["seconds"])
    elif error.code == "watch.inbox_full":
        response["Retry-After"] = str(error.facts["retry_after"])
    elif isinstance(error, Unavailable):
        response["Retry-After"] = str(errors.RETRY_AFTER)
    return response


def pointers_of(details: Sequence[Mapping[str, Any]], language: Language, *, skip: int = 0) -> list[dict[str, str]]:
    """Pydantic's list of errors as JSON pointers with a sentence each; `skip` leading parts name the parameter."""
    return [
        {
            "pointer": "".join(f"/{part}" for part in each["loc"][skip:]),
            "detail": say(_FIELD_CODES.get(each["type"], "api.field_wrong"), _facts(each), language),
        }
        for each in details[:20]
    ]


_FIELD_CODES = {
    "missing": "api.field_missing",
    "extra_forbidden": "api.field_unknown",
    "string_too_long": "api.field_too_long",
    "too_long": "api.field_too_long",
}


def _facts(each: Mapping[str, Any]) -> dict[str, Any]:
    return {"limit": (each.get("ctx") or {}).get("max_length", 0)}


def install(api: NinjaAPI) -> None:
    """Answer everything that may be raised in an operation."""

    @api.exception_handler(PlatformError)
    def _platform(request: HttpRequest, error: PlatformError) -> HttpResponse:
        return answer(request, error)

    @api.exception_handler(ValidationError)
    def _fields(request: HttpRequest, error: ValidationError) -> HttpResponse:
        pointers = pointers_of(error.errors, errors.language_of(request), skip=2)
        return answer(request, Invalid("api.fields_wrong"), pointers)

    @api.exception_handler(AuthenticationError)
    def _nobody(request: HttpRequest, error: AuthenticationError) -> HttpResponse:  # noqa: ARG001 (says no more)
        return answer(request, Refused("api.key_missing"))

    @api.exception_handler(HttpError)
    def _unreadable(request: HttpRequest, error: HttpError) -> HttpResponse:  # noqa: ARG001 (says no more)
        return answer(request, Invalid("api.json_malformed"))

    @api.exception_handler(RequestDataTooBig)
    def _big(request: HttpRequest, error: RequestDataTooBig) -> HttpResponse:  # noqa: ARG001 (says no more)
        return answer(request, Refused("api.body_too_large", limit=MAX_BODY))

    @api.exception_handler(Http404)
    def _nothing(request: HttpRequest, error: Http404) -> HttpResponse:  # noqa: ARG001 (says no more)
        return answer(request, Refused("web.page_not_found"))
