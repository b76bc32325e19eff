"""Who may sign up, and what an identity provider's word is worth. allauth asks here.

Signing up is open to everybody, to holders of an invitation, or to nobody (`CHOPMARK_SIGNUP`).
A provider opens the account that was made or connected through it, and never another one by its e-mail address.
"""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

import requests
from allauth.account.adapter import DefaultAccountAdapter
from allauth.account.utils import filter_users_by_email
from allauth.core import context
from allauth.socialaccount.adapter import DefaultSocialAccountAdapter
from allauth.socialaccount.models import SocialLogin
from django.conf import settings
from django.forms import ValidationError
from django.http import HttpRequest
from django.utils.translation import gettext as _

from chopmark.base import clock
from chopmark.base.errors import Invalid, Refused, Unavailable
from chopmark.people.actions import NAME_SIZE, visible_name
from chopmark.people.models import User
from chopmark.people.queries import InvitationOffer, invitation_offer

# The invitation page leaves its token here before it sends somebody to sign up or in.
INVITATION_IN_SESSION = "invitation"


class AccountAdapter(DefaultAccountAdapter):
    """allauth's account rules with ours."""

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        """Whether this visitor may make an account."""
        match settings.CHOPMARK_SIGNUP:
            case "open":
                return True
            case "invite":
                return offer_in_session(request) is not None
            case _:
                return False

    def clean_email(self, email: str) -> str:
        """Where an invitation is needed, only its own address may sign up with it."""
        email = super().clean_email(email).lower()
        request = context.request
        if settings.CHOPMARK_SIGNUP == "invite" and not request.user.is_authenticated:
            offer = offer_in_session(request)
            if offer is not None and offer.email != email:
                raise ValidationError(_("The invitation was sent to another e-mail address."))
        return email


class SocialAccountAdapter(DefaultSocialAccountAdapter):
    """allauth's rules about identity providers with ours."""

    def populate_user(self, request: HttpRequest, sociallogin: SocialLogin, data: dict[str, Any]) -> User:
        """The new person under the provider's name for them, where it is a name that we keep."""
        user: User = super().populate_user(request, sociallogin, data)
        name = data.get("name") or " ".join(str(data.get(part) or "") for part in ("first_name", "last_name"))
        try:
            user.name = visible_name(str(name), NAME_SIZE)
        except Invalid:
            user.name = ""
        return user

    def get_signup_form_initial_data(self, sociallogin: SocialLogin) -> dict[str, Any]:
        """What the form shows when the provider gave too little to go on without it."""
        return {**super().get_signup_form_initial_data(sociallogin), "name": sociallogin.user.name}

    def is_auto_signup_allowed(self, request: HttpRequest, sociallogin: SocialLogin) -> bool:
        """Whether an account can be made with what the provider said.

        Where addresses are confirmed by mail, allauth tells the address's owner instead of this visitor.

        Raises:
            Refused: `people.address_taken`: the owner of that account has to connect the provider from inside it.
        """
        addresses = [each.email for each in sociallogin.email_addresses]
        if settings.ACCOUNT_EMAIL_VERIFICATION != "mandatory" and any(map(filter_users_by_email, addresses)):
            raise Refused("people.address_taken", provider=sociallogin.provider.name)
        return super().is_auto_signup_allowed(request, sociallogin)

    def get_requests_session(self) -> requests.Session:
        """The way to a provider; its silence is no fault of this site's programs."""
        session = super().get_requests_session()
        session.request = functools.partial(_ask_provider, session.request)
        return session


def _ask_provider(ask: Callable[..., requests.Response], method: str, url: str, **more: Any) -> requests.Response:  # noqa: ANN401 (the client's own)
    """One call. What a provider says about a code is allauth's to read; all else must be JSON and go well.

    Raises:
        Unavailable: `people.provider_unreachable`.
    """
    try:
        response = ask(method, url, **more)
        if method.upper() == "GET" or response.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR:
            response.raise_for_status()
            response.json()
    except requests.RequestException as error:
        logging.getLogger(__name__).warning("identity provider does not answer: %s", error)
        raise Unavailable("people.provider_unreachable", host=urlsplit(url).hostname or "") from error
    return response


def offer_in_session(request: HttpRequest) -> InvitationOffer | None:
    """The open invitation that this visitor came with, or None."""
    token = request.session.get(INVITATION_IN_SESSION)
    if not token:
        return None
    try:
        return invitation_offer(token, clock.now())
    except Refused:
        return None
