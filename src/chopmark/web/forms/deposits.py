"""Forms around deposits: the plain one for browsers without JavaScript, and the filters of the list.

They shape and word what a person typed; what is allowed is decided by `chopmark.evidence.actions`.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

KINDS = (("work", _("Work")), ("evidence", _("Evidence")), ("document", _("Document")))
KIND_WORDS = {**dict(KINDS), "policy": _("Registration policy"), "key": _("Key")}
STATES = (("", _("All states")), ("pending", _("Pending")), ("published", _("Published")))
SORTS = (("", _("Newest first")), ("oldest", _("Oldest first")))
MAX_TEXT = 300


class PlainDepositForm(forms.Form):
    """One file with its description."""

    ticks = ("private", "sm3", "keep")

    file = forms.FileField(
        label=_("File"),
        error_messages={
            "required": _("Choose a file."),
            "empty": _("This file is empty. An empty file has nothing to prove; choose another one."),
        },
    )
    kind = forms.ChoiceField(label=_("Kind"), choices=KINDS)
    title = forms.CharField(
        label=_("Title"), max_length=MAX_TEXT, required=False, help_text=_("Left empty, the file's name is used.")
    )
    author = forms.CharField(label=_("Author"), max_length=MAX_TEXT, required=False)
    private = forms.BooleanField(
        label=_("Private: even the digest is hidden on the ledger; only who has the receipt can find it"),
        required=False,
    )
    sm3 = forms.BooleanField(label=_("Add an SM3 digest (GB/T 32905) beside SHA-256"), required=False)
    keep = forms.BooleanField(label=_("Keep the file here too"), required=False)


class DepositFilters(forms.Form):
    """What the list is narrowed to; every value stands in the address."""

    q = forms.CharField(label=_("Words, number or digest"), max_length=MAX_TEXT, required=False)
    state = forms.ChoiceField(label=_("State"), choices=STATES, required=False)
    kind = forms.ChoiceField(label=_("Kind"), choices=(("", _("All kinds")), *KINDS), required=False)
    private = forms.ChoiceField(
        label=_("Visibility"),
        choices=(("", _("All")), ("no", _("Public digest")), ("yes", _("Private"))),
        required=False,
    )
    made_from = forms.DateField(label=_("From"), required=False, widget=forms.DateInput(attrs={"type": "date"}))
    made_to = forms.DateField(label=_("Until"), required=False, widget=forms.DateInput(attrs={"type": "date"}))
    sort = forms.ChoiceField(label=_("Order"), choices=SORTS, required=False)

    def chosen(self) -> dict[str, Any]:
        """The filters as `evidence.queries` takes them; a value that is none of its field's is left out."""
        self.is_valid()
        typed = self.cleaned_data
        return {
            "q": typed.get("q", ""),
            "state": typed.get("state", ""),
            "kind": typed.get("kind", ""),
            "private": {"yes": True, "no": False}.get(typed.get("private", "")),
            "made_from": _midnight(typed.get("made_from")),
            "made_before": _midnight(typed.get("made_to"), days=1),
            "oldest_first": typed.get("sort") == "oldest",
        }


def _midnight(day: date | None, *, days: int = 0) -> datetime | None:
    """The beginning of a day in UTC, some days later; None for no day or one beyond the calendar."""
    if day is None or day > date.max - timedelta(days=days):
        return None
    return datetime.combine(day + timedelta(days=days), time(), UTC)
