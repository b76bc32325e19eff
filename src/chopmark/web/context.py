"""Who asks, and what every page's frame shows. Views take the actor from here and pass it on."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.conf import settings
from django.http import HttpRequest
from django.utils.translation import get_language

from chopmark.base.errors import Refused
from chopmark.base.wording import Language
from chopmark.people import queries
from chopmark.people.actor import Actor
from chopmark.people.queries import OrganisationSummary

ORGANISATION_IN_SESSION = "organisation"


def language() -> Language:
    """The language of this page, as the wording catalogue names it."""
    return "zh" if (get_language() or "").startswith("zh") else "en"


def actor_of(request: HttpRequest) -> Actor:
    """The signed-in person, acting for the organisation chosen in the frame (else the first one).

    Raises:
        Refused: `people.sign_in_first`, `people.no_organisation`.
    """
    known: Actor | None = getattr(request, "chopmark_actor", None)
    if known is not None:
        return known
    if not request.user.is_authenticated:
        raise Refused("people.sign_in_first")
    chosen = _chosen(request, organisations_of(request))
    if chosen is None:
        raise Refused("people.no_organisation")
    actor = queries.actor_for(request.user, chosen.id)
    request.chopmark_actor = actor  # type: ignore[attr-defined]  # kept for the rest of this request
    return actor


def organisations_of(request: HttpRequest) -> list[OrganisationSummary]:
    """The organisations of the signed-in person, asked for once a request."""
    known: list[OrganisationSummary] | None = getattr(request, "chopmark_organisations", None)
    if known is None:
        known = queries.organisations_of(request.user)
        request.chopmark_organisations = known  # type: ignore[attr-defined]  # kept for the rest of this request
    return known


def choose_organisation(request: HttpRequest, organisation_id: UUID) -> None:
    """Act for another of one's organisations from the next page on.

    Raises:
        Refused: `people.organisation_not_found`.
    """
    queries.actor_for(request.user, organisation_id)
    request.session[ORGANISATION_IN_SESSION] = str(organisation_id)


def _chosen(request: HttpRequest, organisations: list[OrganisationSummary]) -> OrganisationSummary | None:
    wanted = request.session.get(ORGANISATION_IN_SESSION)
    return next((each for each in organisations if str(each.id) == wanted), organisations[0] if organisations else None)


def site(request: HttpRequest) -> dict[str, Any]:
    """For every template: `organisations`, `organisation` (the chosen one or None), `signup_open`, `base_url`."""
    user = getattr(request, "user", None)
    organisations = organisations_of(request) if user is not None and user.is_authenticated else []
    return {
        "organisations": organisations,
        "organisation": _chosen(request, organisations) if organisations else None,
        "signup_open": settings.CHOPMARK_SIGNUP == "open",
        "base_url": settings.CHOPMARK_BASE_URL,
    }
