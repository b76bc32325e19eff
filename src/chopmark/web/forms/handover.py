"""Forms that hand something over: assign a right, let an agent act.

They shape and word what a person typed; what is allowed is decided by `chopmark.rights.actions`.
"""

from __future__ import annotations

from typing import Any, get_args

from django import forms
from django.utils.translation import gettext_lazy as _

from chopmark.rights.record import Power
from chopmark.web.forms.rights import MAX_NAME, PLAIN, Classes, Codes, Territories, date_field, territory_code

POWER_WORDS = {
    "file": _("file rights and papers"),
    "notice": _("send notices"),
    "withdraw": _("withdraw notices"),
    "settle": _("settle"),
    "sue": _("sue"),
    "customs": _("act at customs"),
}
POWERS: tuple[str, ...] = get_args(Power)
NOT_KEPT = {"data-not-kept": ""}  # rights.js leaves it out of what it keeps in the browser


class PaperBeside(forms.Form):
    """A form that a paper may come with; `paper` holds it once it is here, so that it is never asked for twice."""

    file = forms.FileField(
        label=_("The paper"),
        required=False,
        widget=forms.FileInput,
        error_messages={"empty": _("This file is empty.")},
    )
    paper = forms.UUIDField(required=False, widget=forms.HiddenInput(attrs=NOT_KEPT))


class Rights(Codes):
    """Numbers of rights."""

    def shape(self, text: str) -> str:
        """Numbers are capitals."""
        return text.upper()[:40]


class AssignForm(PaperBeside):
    """To whom a right goes, which classes, from when."""

    field_order = ("name", "country", "organisation", "classes", "on", "recorded_at_office", "file", "sure")
    wide = ("name", "organisation", "recorded_at_office", "file", "sure")

    name = forms.CharField(label=_("New owner"), max_length=MAX_NAME, help_text=_("The legal name of the new owner."))
    country = forms.CharField(
        label=_("Country of the new owner"), max_length=60, required=False, widget=forms.TextInput(attrs=PLAIN)
    )
    organisation = forms.UUIDField(
        label=_("Public number of their organisation here"),
        required=False,
        help_text=_("They find the right among theirs, as a draft. Empty when they have no organisation here."),
        widget=forms.TextInput(attrs=PLAIN),
    )
    classes = Classes(
        label=_("Classes"),
        required=False,
        help_text=_("Only these go over. Empty: the whole right."),
        widget=forms.TextInput(attrs=PLAIN),
    )
    on = date_field(_("Assigned on"), help_text=_("Empty: today."))
    recorded_at_office = forms.BooleanField(label=_("The office has recorded it"), required=False)
    sure = forms.BooleanField(
        label=_("It goes over for good. This cannot be undone here."), widget=forms.CheckboxInput(attrs=NOT_KEPT)
    )

    def clean_country(self) -> str:
        """A code that exists."""
        text = str(self.cleaned_data["country"])
        return territory_code(text) if text else ""


class MandateForm(PaperBeside):
    """Who may act, and how far."""

    field_order = ("agent", "powers", "territories", "rights", "since", "until", "file")
    wide = ("agent", "powers", "file")

    agent = forms.UUIDField(
        label=_("Public number of the agent's organisation"),
        help_text=_("The agent finds it on its own page of mandates, and tells you."),
        widget=forms.TextInput(attrs=PLAIN),
    )
    powers = forms.MultipleChoiceField(
        label=_("It may"),
        choices=[(each, POWER_WORDS[each]) for each in POWERS],
        initial=["file", "notice"],
        widget=forms.CheckboxSelectMultiple,
    )
    territories = Territories(
        label=_("Territories"),
        required=False,
        help_text=_("For example: DE, FR. Empty: everywhere."),
        widget=forms.TextInput(attrs={**PLAIN, "list": "territory-codes"}),
    )
    rights = Rights(
        label=_("Rights"),
        required=False,
        help_text=_("Their numbers here. Empty: all, also those to come."),
        widget=forms.TextInput(attrs=PLAIN),
    )
    since = date_field(_("From"))
    until = date_field(_("Until, this day no longer"))

    def clean(self) -> dict[str, Any]:
        """The two days in their order."""
        typed: dict[str, Any] = super().clean() or {}
        first, last = typed.get("since"), typed.get("until")
        if first is not None and last is not None and last <= first:
            self.add_error("until", _("This day is not after the first one."))
        return typed
