"""The one place where an error becomes an answer: a page, or problem+json (RFC 9457).

| kind | status |
|---|---|
| `Refused` | 403; 401, 404, 409, 410, 411, 413, 429 by the code's last word |
| `Invalid` | 422; 400 for malformed bytes, 413 for too large ones |
| `Unavailable` | 503 with `Retry-After` |

The code and facts go out as they are; the sentence is chosen here, in the reader's language.
"""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.http import urlencode
from django.utils.translation import get_language_from_request, override

from chopmark.base.errors import Fact, Invalid, PlatformError, Unavailable
from chopmark.base.wording import Language, catalogue, say

RETRY_AFTER = 5
PROBLEM = "application/problem+json"
_UNAUTHENTICATED = frozenset(("people.sign_in_first", "people.key_unknown", "people.key_expired", "people.key_missing"))
# How a code's last part ends, and the status it means; the first that fits counts.
_ENDINGS: Mapping[str, HTTPStatus] = {
    "not_found": HTTPStatus.NOT_FOUND,
    "_expired": HTTPStatus.GONE,
    "_let_go": HTTPStatus.GONE,
    "too_large": HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    "too_fast": HTTPStatus.TOO_MANY_REQUESTS,
    "length_missing": HTTPStatus.LENGTH_REQUIRED,
    "_taken": HTTPStatus.CONFLICT,
    "_used": HTTPStatus.CONFLICT,
    "_conflict": HTTPStatus.CONFLICT,
    "_differs": HTTPStatus.CONFLICT,
    "_moved": HTTPStatus.CONFLICT,
    ".moved": HTTPStatus.CONFLICT,
    "already_member": HTTPStatus.CONFLICT,
    "similar_before": HTTPStatus.CONFLICT,
    "last_owner_stays": HTTPStatus.CONFLICT,
}


def status_of(error: PlatformError) -> HTTPStatus:
    """The HTTP status of an error."""
    if isinstance(error, Unavailable):
        return HTTPStatus.SERVICE_UNAVAILABLE
    if isinstance(error, Invalid):
        if error.code.endswith("too_large"):
            return HTTPStatus.REQUEST_ENTITY_TOO_LARGE
        return HTTPStatus.BAD_REQUEST if error.code.endswith("malformed") else HTTPStatus.UNPROCESSABLE_ENTITY
    if error.code in _UNAUTHENTICATED:
        return HTTPStatus.UNAUTHORIZED
    for ending, status in _ENDINGS.items():
        if error.code.endswith(ending):
            return status
    return HTTPStatus.FORBIDDEN


def language_of(request: HttpRequest) -> Language:
    """The reader's language: the cookie of the switch, else Accept-Language."""
    return "zh" if get_language_from_request(request).startswith("zh") else "en"


def problem_of(
    code: str,
    facts: Mapping[str, Fact],
    status: HTTPStatus,
    language: Language,
    **more: Any,  # noqa: ANN401 (members)
) -> dict[str, Any]:
    """The members of a problem document (RFC 9457 §3): `type` is the page that explains the code."""
    return {
        "type": settings.CHOPMARK_BASE_URL + reverse("error_code", args=[code]),
        "title": status.phrase,
        "status": int(status),
        "detail": say(code, facts, language),
        "code": code,
        "facts": dict(facts),
        **more,
    }


def problem(error: PlatformError, request: HttpRequest, **more: Any) -> HttpResponse:  # noqa: ANN401 (members)
    """The error for a programme."""
    status, language = status_of(error), language_of(request)
    body = problem_of(error.code, error.facts, status, language, **more)
    response = JsonResponse(body, status=status, content_type=PROBLEM, json_dumps_params={"ensure_ascii": False})
    response["Content-Language"] = {"zh": "zh-Hans", "en": "en"}[language]
    response["Vary"] = "Accept-Language"
    response["Cache-Control"] = "no-store"
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        response["Retry-After"] = str(RETRY_AFTER)
    if status == HTTPStatus.UNAUTHORIZED:
        response["WWW-Authenticate"] = 'Bearer realm="chopmark"'
    return response


def page(error: PlatformError, request: HttpRequest) -> HttpResponse:
    """The error for a person; who is not signed in is led to the sign-in page and back."""
    if error.code == "people.sign_in_first" and request.method in {"GET", "HEAD"}:
        return redirect(f"{reverse('account_login')}?{urlencode({'next': request.get_full_path()})}")
    status = status_of(error)
    facts = {"code": error.code, "sentence": say(error.code, error.facts, language_of(request)), "status": int(status)}
    response = render(request, "errors/platform.html", facts, status=status)
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        response["Retry-After"] = str(RETRY_AFTER)
    return response


def answer(error: PlatformError, request: HttpRequest) -> HttpResponse:
    """A page for browsers that ask for HTML, problem+json for everybody else."""
    return page(error, request) if wants_page(request) else problem(error, request)


def wants_page(request: HttpRequest) -> bool:
    """Whether a person will read the answer."""
    return not request.path_info.startswith(
        ("/api/", "/entries", "/log/", "/.well-known/", "/uploads")
    ) and request.accepts("text/html")


def _plain_error(request: HttpRequest, code: str, status: HTTPStatus, template: str) -> HttpResponse:
    if wants_page(request):
        return render(request, template, {"status": int(status)}, status=status)
    body = problem_of(code, {}, status, language_of(request))
    return JsonResponse(body, status=status, content_type=PROBLEM, json_dumps_params={"ensure_ascii": False})


def bad_request(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:  # noqa: ARG001 (Django's)
    """400: the browser sent something that is no request of ours."""
    return _plain_error(request, "web.bad_request", HTTPStatus.BAD_REQUEST, "errors/400.html")


def forbidden(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:  # noqa: ARG001 (Django's)
    """403 from Django itself."""
    return _plain_error(request, "web.forbidden", HTTPStatus.FORBIDDEN, "errors/403.html")


def not_found(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:  # noqa: ARG001 (Django's)
    """404: no such address."""
    return _plain_error(request, "web.page_not_found", HTTPStatus.NOT_FOUND, "errors/404.html")


def method_not_allowed(request: HttpRequest, allowed: str) -> HttpResponse:
    """405: the address takes what a form sends, or only shows something."""
    response = _plain_error(request, "web.method_not_allowed", HTTPStatus.METHOD_NOT_ALLOWED, "errors/405.html")
    response["Allow"] = allowed
    return response


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:  # noqa: ARG001 (Django's)
    """403: the form was not sent from our own page, or the page was open too long."""
    return _plain_error(request, "web.csrf_failed", HTTPStatus.FORBIDDEN, "errors/csrf.html")


def crashed(request: HttpRequest) -> HttpResponse:
    """500: a bug. The page asks nothing of the database or the session: they may be what broke."""
    if wants_page(request):
        with override({"zh": "zh-hans", "en": "en"}[language_of(request)]):
            return HttpResponse(render_to_string("errors/500.html"), status=HTTPStatus.INTERNAL_SERVER_ERROR)
    body = problem_of("web.crashed", {}, HTTPStatus.INTERNAL_SERVER_ERROR, language_of(request))
    return JsonResponse(body, status=500, content_type=PROBLEM, json_dumps_params={"ensure_ascii": False})


def explain(request: HttpRequest, code: str) -> HttpResponse:
    """The page behind a problem's `type`: what the code means, in both languages."""
    if code not in catalogue():
        raise Http404
    return render(request, "errors/code.html", {"code": code, "wording": catalogue()[code]})
