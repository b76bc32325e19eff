"""Who calls the API: a programme with a key, a person in a session (with CSRF token), or anybody where allowed.

What they may do is decided by the actions; here stands only who they are, and the limits that go with it.
"""

from __future__ import annotations

from django.http import HttpRequest
from ninja.security.http import HttpAuthBase
from ninja.utils import check_csrf

from chopmark.base import clock
from chopmark.base.errors import Refused
from chopmark.people.actor import Actor
from chopmark.people.queries import actor_for_api_key
from chopmark.web.api.limits import ANYBODY, KNOWN, address, must_be_readable, must_be_slow
from chopmark.web.context import actor_of


def actor_from(request: HttpRequest) -> Actor:
    """The caller, by key or session.

    Raises:
        Refused: `api.key_missing`, `api.csrf_missing`, `api.too_fast`; what people's queries raise.
    """
    if "Authorization" in request.headers:
        return _by_key(request)
    return _by_session(request)


def _by_key(request: HttpRequest) -> Actor:
    scheme, _, text = request.headers["Authorization"].partition(" ")
    if scheme.lower() != "bearer":
        raise Refused("api.key_missing")
    try:
        actor = actor_for_api_key(text.strip(), clock.now())
    except Refused:
        must_be_slow(address(request), ANYBODY)  # guessing keys is slow
        raise
    must_be_slow(f"key {actor.api_key_id}", KNOWN)
    return actor


def _by_session(request: HttpRequest) -> Actor:
    if not request.user.is_authenticated:
        must_be_slow(address(request), ANYBODY)
        raise Refused("api.key_missing")
    if check_csrf(request) is not None:
        raise Refused("api.csrf_missing")
    must_be_slow(f"user {request.user.pk}", KNOWN)
    return actor_of(request)


class ApiKey(HttpAuthBase):
    """`Authorization: Bearer chopmark_…`, made on the organisation's page of keys; else the browser's session."""

    openapi_scheme = "bearer"

    def __call__(self, request: HttpRequest) -> Actor:
        """The caller."""
        must_be_readable(request)
        return actor_from(request)


def caller(request: HttpRequest) -> Actor:
    """Whom `MEMBERS` has let in."""
    actor: Actor = request.auth  # type: ignore[attr-defined]  # set by ninja from `ApiKey`
    return actor


def anybody(request: HttpRequest) -> str:
    """For what needs no account: limits only.

    Raises:
        Refused: `api.body_too_large`, `api.body_not_json`, `api.too_fast`.
    """
    must_be_readable(request)
    must_be_slow(address(request), ANYBODY)
    return address(request)


MEMBERS = ApiKey()
