"""Forms around matters: open one, capture a page, add a file, hold, give access, enter a code.

They shape and word what a person typed; what is allowed is decided by `chopmark.evidence.actions`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

MAX_TITLE = 300
MAX_PURPOSE = 1000
MAX_ADDRESS = 2048

MODES = (
    ("automatic", _("Automatic: opens the page, scrolls it, keeps everything")),
    ("live", _("Live page: for pages that never end, such as a live stream")),
    ("operator", _("Operator: I drive the browser myself, each step is recorded")),
)
MODE_WORDS = {"automatic": _("Automatic"), "live": _("Live page"), "operator": _("Operator")}
LIFETIMES = (("24", _("24 hours")), ("72", _("72 hours")), ("168", _("7 days")), ("720", _("30 days")))

EVERY = (
    ("", _("Once")),
    ("60", _("Every hour")),
    ("360", _("Every 6 hours")),
    ("1440", _("Every day")),
    ("10080", _("Every week")),
)
EVERY_WORDS = {int(minutes): words for minutes, words in EVERY if minutes}
FOR_DAYS = (("1", _("1 day")), ("7", _("7 days")), ("30", _("30 days")), ("90", _("90 days")))

Choices = Iterable[tuple[str, object]]


def _choose(form: forms.Form, name: str, choices: Choices) -> None:
    form.fields[name].choices = list(choices)  # type: ignore[attr-defined]  # a ChoiceField


class BothTitles(forms.Form):
    """A title in Chinese, English or both; one is enough and then stands for the other."""

    title_zh = forms.CharField(label=_("Title in Chinese"), max_length=MAX_TITLE, required=False)
    title_en = forms.CharField(label=_("Title in English"), max_length=MAX_TITLE, required=False)

    needs_title = True

    def clean(self) -> dict[str, object]:
        """One of the two, when the form needs one."""
        typed: dict[str, object] = super().clean() or {}
        if self.needs_title and not self.errors and not typed.get("title_zh") and not typed.get("title_en"):
            self.add_error("title_zh", _("Give a title in one of the two languages."))
        return typed


class NewMatterForm(BothTitles):
    """What the case is."""

    field_order = ("template", "title_zh", "title_en", "court_profile")

    template = forms.ChoiceField(label=_("Kind of case"))
    court_profile = forms.ChoiceField(
        label=_("Court, when you know it already"),
        required=False,
        help_text=_("It can be chosen later, when the case is filed."),
    )

    def __init__(self, *args: Any, templates: Choices, courts: Choices, **more: Any) -> None:  # noqa: ANN401 (Django's own)
        super().__init__(*args, **more)
        _choose(self, "template", templates)
        _choose(self, "court_profile", [("", _("Not yet")), *courts])


class Purpose(BothTitles):
    """What something is to prove, and in which phase of the case it stands."""

    phase = forms.ChoiceField(label=_("Phase"), widget=forms.Select)
    purpose_zh = forms.CharField(
        label=_("What it is to prove, in Chinese"),
        max_length=MAX_PURPOSE,
        required=False,
        widget=forms.Textarea(attrs={"rows": 2}),
    )
    purpose_en = forms.CharField(
        label=_("What it is to prove, in English"),
        max_length=MAX_PURPOSE,
        required=False,
        widget=forms.Textarea(attrs={"rows": 2}),
    )

    def __init__(self, *args: Any, phases: Choices, **more: Any) -> None:  # noqa: ANN401 (Django's own)
        super().__init__(*args, **more)
        _choose(self, "phase", phases)


class CaptureForm(Purpose):
    """Which page, how, and what for."""

    field_order = ("url", "mode", "every", "days", "phase", "title_zh", "title_en", "purpose_zh", "purpose_en")
    needs_title = False

    url = forms.CharField(
        label=_("Address of the page"),
        max_length=MAX_ADDRESS,
        widget=forms.URLInput(
            attrs={"inputmode": "url", "autocomplete": "url", "placeholder": "https://", "spellcheck": "false"}
        ),
    )
    mode = forms.ChoiceField(label=_("How"), choices=MODES, initial="automatic", widget=forms.RadioSelect)
    every = forms.ChoiceField(label=_("How often"), choices=EVERY, required=False)
    days = forms.ChoiceField(
        label=_("Repeated for"), choices=FOR_DAYS, initial="7", required=False, help_text=_("Only when it is repeated.")
    )

    def clean(self) -> dict[str, object]:
        """Nobody sits at the browser of every repetition."""
        typed = super().clean()
        if typed.get("every") and typed.get("mode") == "operator":
            self.add_error("every", _("A capture that you drive yourself is made once."))
        return typed

    def clean_url(self) -> str:
        """An address that was typed without its scheme gets the usual one; the rest is judged by the action."""
        url = str(self.cleaned_data["url"]).strip()
        return url if "://" in url else f"https://{url}"


class ItemForm(Purpose):
    """A file that becomes evidence; `upload` is set by the script when the file came up in pieces."""

    field_order = ("file", "kind", "role", "phase", "title_zh", "title_en", "purpose_zh", "purpose_en", "obtained")
    needs_title = False

    file = forms.FileField(
        label=_("File"),
        required=False,
        error_messages={"empty": _("This file is empty. An empty file has nothing to prove; choose another one.")},
    )
    kind = forms.ChoiceField(label=_("What it is"))
    role = forms.ChoiceField(label=_("Original or copy"))
    obtained = forms.CharField(
        label=_("Where it came from"),
        max_length=300,
        required=False,
        help_text=_("Who made or received it, when, and on which device. It is written into the record."),
    )
    upload = forms.UUIDField(required=False, widget=forms.HiddenInput)
    file_name = forms.CharField(required=False, max_length=255, widget=forms.HiddenInput)

    def __init__(self, *args: Any, kinds: Choices, roles: Choices, phases: Choices, **more: Any) -> None:  # noqa: ANN401 (Django's own)
        super().__init__(*args, phases=phases, **more)
        _choose(self, "kind", kinds)
        _choose(self, "role", roles)

    def clean(self) -> dict[str, object]:
        """The file, or the upload that carried it."""
        typed = super().clean()
        if "file" not in self.errors and not typed.get("file") and not typed.get("upload"):
            self.add_error("file", _("Choose a file."))
        return typed


class HoldForm(forms.Form):
    """Why everything is kept."""

    reason = forms.CharField(label=_("Reason"), max_length=300)


class RedactForm(forms.Form):
    """What is shown instead, why, and who may open the original."""

    file = forms.FileField(
        label=_("The file that is shown instead"),
        help_text=_("The same document with what must not be seen blackened by you."),
    )
    reason = forms.CharField(
        label=_("Reason"), max_length=300, help_text=_("Everybody can read it. For example: personal data of a buyer")
    )
    court_key = forms.CharField(
        label=_("The court's public key (X25519, 64 hexadecimal digits)"),
        max_length=100,
        required=False,
        help_text=_("The original then travels in the bundle, sealed so that only the court can open it."),
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )

    def clean_court_key(self) -> bytes | None:
        """The key's bytes; None where none was given."""
        text = "".join(str(self.cleaned_data["court_key"]).split())
        if text and re.fullmatch(r"[0-9a-fA-F]{64}", text) is None:
            raise forms.ValidationError(_("This is not a key: 64 digits 0-9 and a-f."))
        return bytes.fromhex(text) if text else None


class GrantForm(forms.Form):
    """Who gets a code, what for, and for how long."""

    given_to = forms.CharField(
        label=_("For whom"), max_length=200, help_text=_("For example: Judge Li, Hangzhou Internet Court")
    )
    purpose = forms.CharField(label=_("What for"), max_length=300, required=False)
    hours = forms.ChoiceField(label=_("Valid for"), choices=LIFETIMES, initial="72")


class AccessForm(forms.Form):
    """A code, and who enters it."""

    code = forms.CharField(
        label=_("Access code"),
        max_length=80,
        widget=forms.TextInput(
            attrs={"autocomplete": "off", "spellcheck": "false", "autocapitalize": "characters", "class": "code-field"}
        ),
    )
    name = forms.CharField(
        label=_("Your name"), max_length=120, help_text=_("It is written into the custody log of the matter.")
    )
