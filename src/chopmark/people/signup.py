"""Signing up: the extra field, the name shown, and an organisation of one's own. allauth calls these."""

from __future__ import annotations

from typing import Any

from allauth.account.signals import user_signed_up
from django import forms
from django.dispatch import receiver
from django.http import HttpRequest
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _

from chopmark.base import clock
from chopmark.base.errors import Invalid
from chopmark.base.wording import Language, say
from chopmark.people.actions import NAME_SIZE, create_organisation, visible_name
from chopmark.people.models import User


class SignupForm(forms.Form):
    """What is asked beside e-mail and password."""

    name = forms.CharField(
        label=_("Your name"),
        max_length=NAME_SIZE,
        widget=forms.TextInput(attrs={"autocomplete": "name"}),
    )

    field_order = ("name", "email", "password1")

    def clean_name(self) -> str:
        """The name under the rule of the organisation that it will name: refused before the account is made."""
        try:
            return visible_name(self.cleaned_data["name"], NAME_SIZE)
        except Invalid as error:
            raise forms.ValidationError(say(error.code, error.facts, _spoken())) from error

    def signup(self, request: HttpRequest, user: User) -> None:  # noqa: ARG002 (allauth's call)
        """Keep the name, and the language of the form for mails."""
        user.name = self.cleaned_data["name"]
        user.language = _spoken()
        user.save(update_fields=["name", "language"])


def _spoken() -> Language:
    return "zh" if (get_language() or "").startswith("zh") else "en"


def display_name(user: User) -> str:
    """How a person is called in pages and mails."""
    return user.name or user.email


@receiver(user_signed_up)
def give_an_organisation(user: User, **_more: Any) -> None:  # noqa: ANN401 (Django's signal)
    """Each new person owns an organisation, so that the first deposit needs no set-up."""
    create_organisation(user.pk, display_name(user)[:NAME_SIZE], at=clock.now())
