"""What happens around every call: proxies believed or not, headers, and the short way for programmes.

Sessions, languages and messages cost more than a deposit's own work. A *plain call* skips them: one to
the API, the log's files or the tus and SCRAPI addresses that shows a key (`Authorization`) or no session
cookie. Pages that call the API with their session keep the long way, and its CSRF check.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Awaitable, Callable
from http import HTTPStatus

from django.conf import settings
from django.contrib.auth.middleware import AuthenticationMiddleware
from django.contrib.auth.models import AnonymousUser
from django.contrib.messages.middleware import MessageMiddleware
from django.contrib.sessions.middleware import SessionMiddleware
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.middleware.locale import LocaleMiddleware
from django.utils import translation
from django.utils.cache import add_never_cache_headers
from django.utils.deprecation import MiddlewareMixin

from chopmark.base.errors import PlatformError, Refused, Unavailable
from chopmark.evidence import wiring
from chopmark.web import errors

Respond = Callable[[HttpRequest], HttpResponseBase]

PLAIN_PREFIXES = (
    "/api/",
    "/entries",
    "/log/",
    "/.well-known/",
    "/uploads",
    "/healthz",
    "/readyz",
    "/metrics",
    "/policy",
)
OWN_LIMITS = ("/api/", "/entries", "/uploads")
TAKES_A_FILE = re.compile(
    r"/deposits/new|/matters/[0-9a-f-]{36}/upload|/works/new|/copies/"
    r"|/rights/(?:new|read|import|search|R-[0-9]{4}-[0-9]{6,}/(?:papers|sign))"
)
FORWARDED = ("HTTP_X_FORWARDED_FOR", "HTTP_X_FORWARDED_PROTO", "HTTP_X_FORWARDED_HOST", "HTTP_FORWARDED")
PERMISSIONS = "camera=(), geolocation=(), microphone=(), payment=(), usb=(), interest-cohort=()"


class TrustedProxies:
    """Believes X-Forwarded-* from the configured proxies only, and removes it from everybody else."""

    def __init__(self, get_response: Respond) -> None:
        self._respond = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Set address, scheme and host to the visitor's."""
        given = {name: request.META.pop(name) for name in FORWARDED if name in request.META}
        if given and self._trusted(request.META.get("REMOTE_ADDR", "")):
            hops = [hop.strip() for hop in given.get("HTTP_X_FORWARDED_FOR", "").split(",") if hop.strip()]
            # From the right: each trusted proxy names the one before it; the first that is not one is the visitor.
            visitor = next((hop for hop in reversed(hops) if not self._trusted(hop)), None)
            if visitor is not None and _address(visitor) is not None:
                request.META["REMOTE_ADDR"] = visitor
            if given.get("HTTP_X_FORWARDED_PROTO") in {"http", "https"}:
                request.META["wsgi.url_scheme"] = given["HTTP_X_FORWARDED_PROTO"]
            if "HTTP_X_FORWARDED_HOST" in given:
                request.META["HTTP_HOST"] = given["HTTP_X_FORWARDED_HOST"].split(",")[-1].strip()
        return self._respond(request)

    @staticmethod
    def _trusted(address: str) -> bool:
        parsed = _address(address)
        return parsed is not None and any(parsed in network for network in settings.CHOPMARK_TRUSTED_PROXIES)


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None


class PermissionsPolicy:
    """Switches off what no page uses."""

    def __init__(self, get_response: Respond) -> None:
        self._respond = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Add the header."""
        response = self._respond(request)
        response.headers.setdefault("Permissions-Policy", PERMISSIONS)
        return response


def is_plain(request: HttpRequest) -> bool:
    """Whether this call carries no session (see the module)."""
    return bool(getattr(request, "chopmark_plain", False))


class MarkPlainCalls:
    """Decides once which way a call takes."""

    def __init__(self, get_response: Respond) -> None:
        self._respond = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Mark the call; a plain one is nobody's until a view reads its key."""
        if request.path_info.startswith(PLAIN_PREFIXES) and (
            "HTTP_AUTHORIZATION" in request.META or settings.SESSION_COOKIE_NAME not in request.COOKIES
        ):
            request.chopmark_plain = True  # type: ignore[attr-defined]  # read by is_plain
            request.user = AnonymousUser()
        return self._respond(request)


class ForPages(MiddlewareMixin):
    """Makes a middleware step aside for plain calls."""

    def __call__(self, request: HttpRequest) -> HttpResponseBase | Awaitable[HttpResponseBase]:
        """The short way or the long one."""
        return self.get_response(request) if is_plain(request) else super().__call__(request)


class Sessions(ForPages, SessionMiddleware):
    """Django's sessions, for pages."""


class Locale(ForPages, LocaleMiddleware):
    """Django's choice of language, for pages; a plain call only must not speak that of the call before it."""

    def __call__(self, request: HttpRequest) -> HttpResponseBase | Awaitable[HttpResponseBase]:
        """Choose the language."""
        if is_plain(request):
            translation.activate(translation.get_language_from_request(request))
        return super().__call__(request)


class Authentication(ForPages, AuthenticationMiddleware):
    """Django's signed-in person, for pages."""


class Messages(ForPages, MessageMiddleware):
    """Django's one-time messages, for pages."""


class OwnEyesOnly:
    """Keeps what somebody saw with their session out of every cache, and out of reach after signing out."""

    def __init__(self, get_response: Respond) -> None:
        self._respond = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Add the header, unless the view has said something itself."""
        response = self._respond(request)
        if settings.SESSION_COOKIE_NAME in request.COOKIES and not response.has_header("Cache-Control"):
            add_never_cache_headers(response)
        return response


class Bodies:
    """Refuses a body that no page takes before a byte of it is read, let alone written to a temporary file.

    Programmes' calls have limits of their own; only the plain forms of deposits and of evidence
    take a file, from people signed in.
    """

    def __init__(self, get_response: Respond) -> None:
        self._respond = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Look at the length that the headers announce."""
        try:
            self._judge(request)
        except Refused as refused:
            return errors.answer(refused, request)
        return self._respond(request)

    @staticmethod
    def _judge(request: HttpRequest) -> None:
        announced = request.META.get("CONTENT_LENGTH") or ""
        if not announced and "HTTP_TRANSFER_ENCODING" in request.META:
            raise Refused("web.length_missing")
        if request.path_info.startswith(OWN_LIMITS):
            return
        length = int(announced) if announced.isascii() and announced.isdigit() and len(announced) <= 20 else 0
        limit = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
        if length > limit and TAKES_A_FILE.fullmatch(request.path_info):
            if not request.user.is_authenticated:
                raise Refused("people.sign_in_first")
            limit += settings.CHOPMARK_UPLOAD_LIMIT
        if length > limit:
            raise Refused("web.body_too_large", limit=limit)


class Errors:
    """Answers a `PlatformError` that a view let through: a page, or problem+json for programmes."""

    def __init__(self, get_response: Respond) -> None:
        self._respond = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """A method that the address does not know gets a page too; see `process_exception` for the rest."""
        response = self._respond(request)
        if response.status_code == HTTPStatus.METHOD_NOT_ALLOWED and errors.wants_page(request):
            return errors.method_not_allowed(request, response["Allow"])
        return response

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        """Anything but a `PlatformError` and a database that does not answer is a bug and crashes on."""
        if wiring.passes(exception):
            exception = Unavailable("ledger.database_unavailable")
        return errors.answer(exception, request) if isinstance(exception, PlatformError) else None
