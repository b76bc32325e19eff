"""Forms of rights: file one, license it, ask about a seller, search, import.

They shape and word what a person typed; what is allowed is decided by `chopmark.rights.actions`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from chopmark.rights import territories
from chopmark.rights.record import Scheme

MAX_NAME = 300
MAX_LIST = 60  # codes in one field
# What separates codes that a person types: commas of both scripts, semicolons, spaces, line ends.
BETWEEN = re.compile(r"[,;，；、\s]+")

FILED_KINDS = (
    ("trademark", _("Trade mark")),
    ("design", _("Design")),
    ("patent", _("Patent")),
    ("utility_model", _("Utility model")),
    ("copyright", _("Copyright")),
    ("neighbouring", _("Neighbouring right")),
    ("gi", _("Geographical indication")),
    ("trade_name", _("Trade name")),
    ("domain", _("Domain name")),
)
FILED_STATUS = (
    ("registered", _("Registered, or in force")),
    ("pending", _("Applied for")),
)
GRANTED_ROLES = (
    ("authorised_seller", _("Authorised seller")),
    ("licensee", _("Licensee")),
    ("licensee_exclusive", _("Exclusive licensee")),
)
DISPUTE_KINDS = (
    ("opposition", _("Opposition")),
    ("invalidity", _("Invalidity")),
    ("revocation", _("Revocation")),
    ("ownership", _("Ownership")),
    ("bad_faith", _("Bad faith")),
    ("court", _("Court case")),
    ("udrp", "UDRP"),
)
DISPUTE_EFFECTS = (
    ("suspend", _("It suspends the right while it is open")),
    ("limit", _("It limits the right in these territories")),
    ("none", _("It has no effect while it is open")),
)
Choices = Sequence[tuple[str, Any]]
SCHEME_OF: Mapping[str, Scheme] = {"design": "locarno", "patent": "ipc", "utility_model": "ipc"}

PLAIN = {"autocomplete": "off", "spellcheck": "false"}


class Codes(forms.CharField):
    """Several codes in one line, in any usual way of separating them; each once, in the order typed."""

    def to_python(self, value: object) -> tuple[str, ...]:  # type: ignore[override]  # a list of codes, not a text
        """The codes."""
        text = str(super().to_python(value) or "")
        found = tuple(dict.fromkeys(self.shape(each) for each in BETWEEN.split(text) if each))
        if len(found) > MAX_LIST:
            raise forms.ValidationError(_("At most %(most)s at once."), params={"most": MAX_LIST})
        return found

    def validate(self, value: object) -> None:
        """Something, where something is needed."""
        if self.required and not value:
            raise forms.ValidationError(self.error_messages["required"], code="required")

    def run_validators(self, value: object) -> None:
        """A CharField's validators look at texts; each code is looked at here."""

    def shape(self, text: str) -> str:
        """One code."""
        return text

    def prepare_value(self, value: object) -> object:
        """Codes that were given as a tuple, as a line."""
        return ", ".join(value) if isinstance(value, tuple | list) else value


class Classes(Codes):
    """Classes; Nice classes without leading zeros."""

    def shape(self, text: str) -> str:
        """`05` is class 5, and `第5类` too."""
        bare = text.strip().strip("第类類").upper()
        return bare.lstrip("0") or bare if bare.isdigit() and len(bare) <= 2 else bare


class Territories(Codes):
    """Territories by ST.3 code, or by their name in one of the two languages."""

    def shape(self, text: str) -> str:
        """The code."""
        return territory_code(text)


def territory_code(text: str) -> str:
    """The ST.3 code of what a person typed.

    Raises:
        ValidationError: there is no such territory.
    """
    code = territories.canonical(text)
    if territories.known(code):
        return code
    folded = text.strip().casefold()
    for each in territories.territories():
        if folded in {each.en.casefold(), each.zh}:
            return each.code
    raise forms.ValidationError(
        _("%(code)s is no territory. Give its code, such as CN, US or EU."), params={"code": text[:40]}
    )


def date_field(label: Any, **more: Any) -> forms.DateField:  # noqa: ANN401 (a lazy text; Django's own)
    """A day that need not be given."""
    widget = forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d")
    return forms.DateField(label=label, required=False, widget=widget, input_formats=["%Y-%m-%d"], **more)


class RightForm(forms.Form):
    """A right in ten fields. `read` carries what a file said, signed, and `paper` the file itself."""

    wide = ("name", "owner")

    kind = forms.ChoiceField(label=_("Kind of right"), choices=FILED_KINDS, initial="trademark")
    office = forms.CharField(
        label=_("Office"),
        max_length=2,
        required=False,
        help_text=_("Its code: CN, US, EM (EUIPO), WO (Madrid). Empty when no office registers it."),
        widget=forms.TextInput(attrs={**PLAIN, "autocapitalize": "characters"}),
    )
    name = forms.CharField(
        label=_("The mark or the title"),
        max_length=MAX_NAME,
        required=False,
        help_text=_("The words exactly as registered; empty for a sign without words."),
    )
    status = forms.ChoiceField(label=_("Where it stands"), choices=FILED_STATUS, initial="registered")
    number = forms.CharField(
        label=_("Number"),
        max_length=60,
        required=False,
        help_text=_("Of the registration; of the application while it is pending."),
        widget=forms.TextInput(attrs=PLAIN),
    )
    classes = Classes(
        label=_("Classes"), required=False, help_text=_("For example: 9, 25, 42"), widget=forms.TextInput(attrs=PLAIN)
    )
    territories = Territories(
        label=_("Territories"),
        required=False,
        help_text=_("Codes, for example: CN, or EU. Empty: the territory of the office."),
        widget=forms.TextInput(attrs=PLAIN),
    )
    owner = forms.CharField(
        label=_("Right holder"), max_length=MAX_NAME, help_text=_("The legal name, as it stands at the office.")
    )
    granted_on = date_field(_("Registered or applied for on"))
    expires_on = date_field(_("Valid until"), help_text=_("Empty when it is not yet registered, or does not expire."))
    read = forms.CharField(required=False, max_length=400_000, widget=forms.HiddenInput)
    paper = forms.UUIDField(required=False, widget=forms.HiddenInput)

    def __init__(self, *args: Any, clients: Choices = (), **more: Any) -> None:  # noqa: ANN401 (Django's own)
        """`clients` are those that an agent may file for; nobody else is asked."""
        super().__init__(*args, **more)
        if clients:
            own = ("", _("Your own organisation"))
            self.fields["client"] = forms.ChoiceField(label=_("For"), choices=[own, *clients], required=False)
            self.order_fields(["client"])

    def clean_office(self) -> str:
        """Codes are capitals."""
        return str(self.cleaned_data["office"]).strip().upper()

    def clean(self) -> dict[str, Any]:
        """The two dates in their order, and a name or a number to find the right by."""
        typed: dict[str, Any] = super().clean() or {}
        first, last = typed.get("granted_on"), typed.get("expires_on")
        if first is not None and last is not None and last <= first:
            self.add_error("expires_on", _("This day is not after the day of registration."))
        if not self.errors and not typed.get("name") and not typed.get("number"):
            self.add_error("name", _("Give the words or the title, or the number."))
        return typed


class LicenceForm(forms.Form):
    """Who may do what, where, until when."""

    name = forms.CharField(
        label=_("To whom"), max_length=MAX_NAME, help_text=_("The legal name of the firm or person.")
    )
    role = forms.ChoiceField(label=_("As"), choices=GRANTED_ROLES)
    granted_by = forms.ChoiceField(label=_("Granted by"), required=False)
    territories = Territories(
        label=_("Territories"),
        required=False,
        help_text=_("For example: DE, FR. Empty: everywhere the grant above it reaches."),
        widget=forms.TextInput(attrs={**PLAIN, "list": "territory-codes"}),
    )
    classes = Classes(
        label=_("Classes"), required=False, help_text=_("Empty: all."), widget=forms.TextInput(attrs=PLAIN)
    )
    channels = Codes(
        label=_("Channels"),
        required=False,
        help_text=_("Marketplaces or addresses, for example: shop.example, offline. Empty: all."),
        widget=forms.TextInput(attrs=PLAIN),
    )
    quantity = forms.IntegerField(label=_("Pieces at most"), required=False, min_value=1, max_value=1_000_000_000)
    since = date_field(_("From"))
    until = date_field(_("Until, this day no longer"))
    country = forms.CharField(
        label=_("Country of the grantee"), max_length=60, required=False, widget=forms.TextInput(attrs=PLAIN)
    )

    def __init__(self, *args: Any, grants: list[tuple[str, Any]], **more: Any) -> None:  # noqa: ANN401 (Django's own)
        super().__init__(*args, **more)
        self.fields["granted_by"].choices = [("", _("The owner")), *grants]  # type: ignore[attr-defined]  # a ChoiceField

    def clean_country(self) -> str:
        """A code that exists."""
        text = str(self.cleaned_data["country"])
        return territory_code(text) if text else ""

    def clean(self) -> dict[str, Any]:
        """The two days in their order."""
        typed: dict[str, Any] = super().clean() or {}
        first, last = typed.get("since"), typed.get("until")
        if first is not None and last is not None and last <= first:
            self.add_error("until", _("This day is not after the first one."))
        return typed


class MayForm(forms.Form):
    """May he sell here? Asked of one right."""

    right = forms.CharField(
        label=_("Right"),
        max_length=80,
        help_text=_("Its number here, such as R-2026-000001."),
        widget=forms.TextInput(attrs={**PLAIN, "list": "own-rights"}),
    )
    seller = forms.CharField(label=_("Seller"), max_length=MAX_NAME, help_text=_("The name in the licence."))
    territory = forms.CharField(
        label=_("Where"), max_length=60, widget=forms.TextInput(attrs={**PLAIN, "list": "territory-codes"})
    )
    cls = forms.CharField(label=_("Class"), max_length=12, required=False, widget=forms.TextInput(attrs=PLAIN))
    channel = forms.CharField(
        label=_("Channel"),
        max_length=200,
        required=False,
        help_text=_("The marketplace or address."),
        widget=forms.TextInput(attrs=PLAIN),
    )
    on = date_field(_("On"))

    def clean_territory(self) -> str:
        """A code that exists."""
        return territory_code(str(self.cleaned_data["territory"]))

    def clean_cls(self) -> str:
        """One class, as elsewhere."""
        return Classes().shape(str(self.cleaned_data["cls"])) if self.cleaned_data["cls"] else ""


class Narrowed(forms.Form):
    """What a search is narrowed to."""

    classes = Classes(label=_("Classes"), required=False, widget=forms.TextInput(attrs=PLAIN))
    territories = Territories(
        label=_("Territories"), required=False, widget=forms.TextInput(attrs={**PLAIN, "list": "territory-codes"})
    )


class SearchForm(Narrowed):
    """Words of a mark, narrowed by class and territory."""

    field_order = ("q", "classes", "territories")

    q = forms.CharField(label=_("Words"), max_length=200, widget=forms.TextInput(attrs={**PLAIN, "type": "search"}))


class LogoForm(Narrowed):
    """A logo, narrowed by class and territory."""

    field_order = ("logo", "classes", "territories")

    logo = forms.FileField(
        label=_("Logo"),
        help_text=_("A picture of the sign, best without anything around it."),
        widget=forms.FileInput(attrs={"accept": "image/png,image/jpeg,image/webp"}),
    )


class PaperForm(forms.Form):
    """A paper beside a right."""

    kind = forms.ChoiceField(label=_("What it is"))
    file = forms.FileField(label=_("File"), widget=forms.FileInput, error_messages={"empty": _("This file is empty.")})

    def __init__(self, *args: Any, kinds: list[tuple[str, Any]], **more: Any) -> None:  # noqa: ANN401 (Django's own)
        super().__init__(*args, **more)
        self.fields["kind"].choices = kinds  # type: ignore[attr-defined]  # a ChoiceField


class DisputeForm(forms.Form):
    """Something that puts the right in question."""

    kind = forms.ChoiceField(label=_("Kind"), choices=DISPUTE_KINDS)
    effect = forms.ChoiceField(label=_("Effect"), choices=DISPUTE_EFFECTS)
    forum = forms.CharField(label=_("Where"), max_length=200, required=False, help_text=_("The office or the court."))
    number = forms.CharField(label=_("Case number"), max_length=100, required=False)
    opened_on = date_field(_("Opened on"))


class CustomsForm(forms.Form):
    """A recordal with a customs authority."""

    authority = forms.CharField(
        label=_("Country"), max_length=60, widget=forms.TextInput(attrs={**PLAIN, "list": "territory-codes"})
    )
    number = forms.CharField(label=_("Number"), max_length=100)
    since = date_field(_("From"))
    until = date_field(_("Until, this day no longer"))

    def clean_authority(self) -> str:
        """A code that exists."""
        return territory_code(str(self.cleaned_data["authority"]))


class RenewForm(forms.Form):
    """Until when a right is valid now."""

    expiry_date = forms.DateField(
        label=_("Valid until"),
        widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
        input_formats=["%Y-%m-%d"],
        error_messages={
            "required": _("Give the day until which it is valid now."),
            "invalid": _("Give the day until which it is valid now."),
        },
    )


class CodeForm(forms.Form):
    """The code that the platform sent to the contact in the office's register."""

    code = forms.CharField(
        label=_("Code"),
        max_length=40,
        help_text=_(
            "The platform sends it to the address in the office's register. It shows that you speak for the owner."
        ),
        widget=forms.TextInput(attrs=PLAIN),
    )


class ImportForm(forms.Form):
    """A file with many rights."""

    file = forms.FileField(
        label=_("File"),
        widget=forms.FileInput(attrs={"accept": ".csv,.xlsx,.xml,.smd,.zip"}),
        help_text=_("A table (CSV or XLSX), an office's XML (ST.66, ST.96) or signed marks."),
        error_messages={"empty": _("This file is empty.")},
    )
