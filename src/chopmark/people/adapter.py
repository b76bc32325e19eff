"""Who may sign up: everybody, holders of an invitation, or nobody (`CHOPMARK_SIGNUP`). allauth asks here."""

from __future__ import annotations

from allauth.account.adapter import DefaultAccountAdapter
from allauth.core import context
from django.conf import settings
from django.forms import ValidationError
from django.http import HttpRequest
from django.utils.translation import gettext as _

from chopmark.base import clock
from chopmark.base.errors import Refused
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


def offer_in_session(request: HttpRequest) -> InvitationOffer | None:
    """The open invitation that this visitor came with, or None."""
    token = request.session.get(INVITATION_IN_SESSION)
    if not token:
        return None
    try:
        return invitation_offer(token, clock.now())
    except Refused:
        return None
