"""Forms of works and of finding copies: what a person types, shaped and worded."""

from __future__ import annotations

import re
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from chopmark.rights.works import LICENCES, MAX_NAME, MAX_STATEMENT, MAX_TITLE
from chopmark.web.forms.handover import NOT_KEPT

BASES = (
    ("author", _("The author")),
    ("employer", _("The author's employer")),
    ("assignee", _("It was assigned to us")),
    ("heir", _("Heir")),
    ("licensee_exclusive", _("Exclusive licensee")),
    ("collecting_society", _("Collecting society")),
    ("agent", _("Agent of the holder")),
)
MINING = (
    ("", _("Nothing is said")),
    ("reserved", _("Reserved: not without my permission")),
    ("open", _("Not reserved")),
)
SHOWN = (
    ("public", _("Title and author, to whoever finds it")),
    ("private", _("Only the statement")),
)
BETWEEN_NAMES = re.compile(r"[;；、\n]+|,(?!\s*(?:Ltd|Inc|LLC|Co)\b)|，")


def _date(label: Any) -> forms.DateField:  # noqa: ANN401 (a lazy text)
    widget = forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d")
    return forms.DateField(label=label, required=False, widget=widget, input_formats=["%Y-%m-%d"])


class WorkRecordForm(forms.Form):
    """What is said of a work."""

    wide = ("title", "statement")

    title = forms.CharField(label=_("Title"), max_length=MAX_TITLE)
    authors = forms.CharField(
        label=_("Who made it"), max_length=2000, help_text=_("Several names are separated by semicolons.")
    )
    basis = forms.ChoiceField(label=_("Your claim"), choices=BASES, initial="author")
    created_on = _date(_("Finished on"))
    published_on = _date(_("First published on"))
    statement = forms.CharField(
        label=_("Statement of rights"),
        max_length=MAX_STATEMENT,
        initial=_("All rights reserved."),
        help_text=_("Everybody reads it beside a match."),
        widget=forms.Textarea(attrs={"rows": 2}),
    )
    licence = forms.ChoiceField(
        label=_("Licence"),
        required=False,
        choices=[("", _("All rights reserved")), *((each, each) for each in LICENCES)],
    )
    mining = forms.ChoiceField(label=_("Mining by machines (TDM, AI training)"), choices=MINING, required=False)
    shown = forms.ChoiceField(label=_("What others see"), choices=SHOWN, initial="public")
    series = forms.CharField(label=_("Series"), max_length=MAX_NAME, required=False)

    def clean_authors(self) -> tuple[str, ...]:
        """Names, each once."""
        names = (each.strip() for each in BETWEEN_NAMES.split(str(self.cleaned_data["authors"])))
        return tuple(dict.fromkeys(each for each in names if each))


class WorkForm(WorkRecordForm):
    """A work with its file; `upload` holds the file once it is here, so that it is never asked for twice."""

    file = forms.FileField(
        label=_("File"),
        required=False,
        help_text=_("A picture, a sound, a film or a text."),
        widget=forms.FileInput,
        error_messages={"empty": _("This file is empty.")},
    )
    version_of = forms.CharField(
        label=_("Later version of"),
        max_length=40,
        required=False,
        help_text=_("The number of your earlier work, such as W-2026-000001."),
    )
    upload = forms.UUIDField(required=False, widget=forms.HiddenInput(attrs=NOT_KEPT))
    anyway = forms.BooleanField(required=False, widget=forms.HiddenInput(attrs=NOT_KEPT))

    def clean(self) -> dict[str, Any]:
        """The file, or the upload that holds it."""
        typed: dict[str, Any] = super().clean() or {}
        if "file" not in self.errors and not typed.get("upload"):
            self.add_error("file", _("Choose a file."))
        return typed


class FindForm(forms.Form):
    """The file whose copies are looked for."""

    file = forms.FileField(label=_("File"), widget=forms.FileInput, error_messages={"empty": _("This file is empty.")})
