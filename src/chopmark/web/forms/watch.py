"""Forms of the watch: ask for a scan, register a marketplace, write a rule.

They shape and word what a person typed; what is allowed is decided by `chopmark.watch.actions`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from chopmark.watch.rules.rule import Example, Rule

MAX_CONDITION = 5_000
MAX_EXAMPLES = 50_000  # characters
_PLAIN = {"autocomplete": "off", "spellcheck": "false"}

ACTIONS = (
    ("watch", _("Watch-list: nobody is asked")),
    ("review", _("Review: a person is asked")),
    ("hold", _("Hold: buyers do not see it until a person has looked")),
    ("takedown", _("Takedown")),
)
SUSPICIONS = (
    ("counterfeit", _("Counterfeit goods")),
    ("wrongful_use", _("Wrongful use of the mark")),
    ("copied_picture", _("Copied picture")),
    ("design", _("Protected design")),
)


class Words(forms.CharField):
    """Several names in one line, separated by commas, semicolons or spaces."""

    def to_python(self, value: object) -> tuple[str, ...]:  # type: ignore[override]  # a list of names, not a text
        """The names, each once."""
        text = str(super().to_python(value) or "")
        for between in "，、；;\n\t":
            text = text.replace(between, ",")
        return tuple(dict.fromkeys(each for each in text.replace(" ", ",").split(",") if each))

    def validate(self, value: object) -> None:
        """Nothing is needed."""

    def run_validators(self, value: object) -> None:
        """A CharField's validators look at texts; names are looked at by the action."""

    def prepare_value(self, value: object) -> object:
        """Names that were given as a tuple, as a line."""
        return ", ".join(value) if isinstance(value, tuple | list) else value


class Lines(forms.CharField):
    """Several names, each on a line of its own; a name may have spaces and commas."""

    widget = forms.Textarea(attrs={**_PLAIN, "rows": 4})

    def to_python(self, value: object) -> tuple[str, ...]:  # type: ignore[override]  # a list of names, not a text
        """The names, each once."""
        lines = str(super().to_python(value) or "").splitlines()
        return tuple(dict.fromkeys(each.strip() for each in lines if each.strip()))

    def validate(self, value: object) -> None:
        """Nothing is needed."""

    def run_validators(self, value: object) -> None:
        """A CharField's validators look at texts; names are looked at by the action."""

    def prepare_value(self, value: object) -> object:
        """Names that were given as a tuple, as lines."""
        return "\n".join(value) if isinstance(value, tuple | list) else value


class MarkForm(forms.Form):
    """Say more of a sign: how it is looked for in listings."""

    aliases = Lines(
        label=_("Other names"),
        max_length=20_000,
        required=False,
        help_text=_("One a line: translations, short forms, what buyers call it."),
    )
    distinctiveness = forms.IntegerField(
        label=_("How distinctive it is"),
        min_value=0,
        max_value=1000,
        required=False,
        help_text=_("From 0 for a common word to 1000 for an invented one. Empty: the dictionary decides."),
    )
    near = forms.BooleanField(
        label=_("Look for near misses too"),
        required=False,
        help_text=_("Spellings that differ by a letter are put on the watch-list. They are never a key for a measure."),
    )
    well_known = forms.BooleanField(
        label=_("Protected beyond its classes"),
        required=False,
        help_text=_("Only for a mark with a recognised reputation: goods of other classes count too."),
    )


class SellerForm(forms.Form):
    """Say who a seller is."""

    number = forms.CharField(
        label=_("Number of the seller"),
        max_length=200,
        help_text=_("As its listings say it."),
        widget=forms.TextInput(attrs=_PLAIN),
    )
    name = forms.CharField(label=_("Name"), max_length=200, required=False)
    organisation = forms.UUIDField(
        label=_("Public number of its organisation here"),
        required=False,
        help_text=_(
            "It finds it on its page of mandates. Licences to that organisation then count for this seller. Empty: "
            "not known."
        ),
        widget=forms.TextInput(attrs=_PLAIN),
    )
    joined_on = forms.DateField(
        label=_("Sells since"), required=False, widget=forms.DateInput(format="%Y-%m-%d", attrs={"type": "date"})
    )


class ScanForm(forms.Form):
    """Ask for a scan."""

    marketplace = forms.ChoiceField(label=_("Marketplace"))
    source = forms.CharField(
        label=_("Files"),
        initial="*.parquet",
        max_length=300,
        help_text=_("A pattern below the folder of the marketplace's stock."),
        widget=forms.TextInput(attrs=_PLAIN),
    )
    runner = forms.CharField(
        label=_("Where it runs"),
        initial="native",
        max_length=200,
        help_text=_("native for this machine, or the address of a Ray cluster that the operator named: host:port."),
        widget=forms.TextInput(attrs=_PLAIN),
    )

    def __init__(self, *given: Any, marketplaces: Sequence[tuple[str, str]], **more: Any) -> None:  # noqa: ANN401 (what Django forms take)
        super().__init__(*given, **more)
        self.fields["marketplace"].choices = list(marketplaces)  # type: ignore[attr-defined]  # a ChoiceField


class MarketplaceForm(forms.Form):
    """Register a marketplace, or change one whose name is known."""

    name = forms.CharField(
        label=_("Short name"),
        max_length=40,
        help_text=_("As its listings say it: small letters, digits, hyphens. It never changes."),
        widget=forms.TextInput(attrs=_PLAIN),
    )
    title = forms.CharField(label=_("Name"), max_length=200)
    target = forms.CharField(
        label=_("Address that takes measures"),
        max_length=500,
        required=False,
        help_text=_("Empty while none is to be sent."),
        widget=forms.TextInput(attrs={**_PLAIN, "inputmode": "url"}),
    )
    fetches = forms.BooleanField(
        label=_("Its program fetches measures"),
        required=False,
        help_text=_("By the API, for a marketplace without such an address."),
    )
    channels = Words(
        label=_("Hosts under which licences mean it"),
        max_length=4_000,
        required=False,
        help_text=_("For example shop.example."),
    )
    automatic = forms.BooleanField(label=_("Measures with two keys go out without a person"), required=False)
    two_persons = forms.BooleanField(
        label=_("Takedowns without two keys need two persons"), required=False, initial=True
    )

    def __init__(self, *given: Any, known: str = "", **more: Any) -> None:  # noqa: ANN401 (what Django forms take)
        super().__init__(*given, **more)
        if known:
            del self.fields["name"]


class RuleForm(forms.Form):
    """Write a rule; its examples are TOML, as in a file of rules."""

    name = forms.CharField(
        label=_("Short name"),
        max_length=40,
        help_text=_("Small letters, digits, hyphens. The same name is the next version of that rule."),
        widget=forms.TextInput(attrs=_PLAIN),
    )
    zh = forms.CharField(label=_("Title in Chinese"), max_length=200)
    en = forms.CharField(label=_("Title in English"), max_length=200)
    reason = forms.ChoiceField(label=_("Suspicion"), choices=SUSPICIONS)
    action = forms.ChoiceField(label=_("Proposes"), choices=ACTIONS, initial="review")
    condition = forms.CharField(
        label=_("Condition"),
        max_length=MAX_CONDITION,
        help_text=_(
            "SQL over the features below: AND, OR, NOT, =, >=, IN, BETWEEN, IS NULL, contains(category, 'Shoes')."
        ),
        widget=forms.Textarea(attrs={**_PLAIN, "rows": 4}),
    )
    flags_a_day = forms.IntegerField(
        label=_("Stops itself above, flags a day"), min_value=1, max_value=1_000_000_000, initial=10_000
    )
    needed = forms.IntegerField(
        label=_("Thousandths of precision to be proven"), min_value=1, max_value=1000, initial=990
    )
    expires = forms.DateField(
        label=_("Expires on"), required=False, widget=forms.DateInput(format="%Y-%m-%d", attrs={"type": "date"})
    )
    marketplaces = Words(label=_("Only these marketplaces"), max_length=5_000, required=False)
    rights = Words(label=_("Only these rights"), max_length=5_000, required=False)
    examples = forms.CharField(
        label=_("Examples"),
        max_length=MAX_EXAMPLES,
        help_text=_("At least three on which it fires ([[positive]]) and three on which it does not ([[negative]])."),
        widget=forms.Textarea(attrs={**_PLAIN, "rows": 14}),
        initial='[[positive]]\nzh = "..."\nen = "..."\ntext_score = 900\n\n'
        '[[negative]]\nzh = "..."\nen = "..."\nlicensed = true\n',
    )


def as_toml(typed: Mapping[str, Any]) -> str:
    """What was typed as a file with one rule, for the one reader of such files."""
    name = typed["name"]
    quoted = json.dumps(name, ensure_ascii=False)
    lines = [f"[{quoted}]"]
    lines += [f"{field} = {_text(typed[field])}" for field in ("zh", "en", "reason", "action", "condition")]
    lines += [f"{field} = {typed[field]}" for field in ("flags_a_day", "needed")]
    if typed["expires"] is not None:
        lines.append(f'expires = "{typed["expires"].isoformat()}"')
    for part in ("marketplaces", "rights"):
        if typed[part]:
            lines.append(f"scope.{part} = [{', '.join(_text(each) for each in typed[part])}]")
    for line in typed["examples"].splitlines():
        bare = line.strip()
        sign = bare[2:-2].strip() if bare.startswith("[[") and bare.endswith("]]") else ""
        lines.append(f"[[{quoted}.{sign}]]" if sign in ("positive", "negative") else line)
    return "\n".join(lines) + "\n"


def _text(value: str) -> str:
    """A TOML basic string: as JSON writes one, but for DEL."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def typed_rule(rule: Rule) -> dict[str, Any]:
    """A rule as the form shows it."""
    signs = (("positive", rule.positive), ("negative", rule.negative))
    return {
        "name": rule.id,
        "zh": rule.zh,
        "en": rule.en,
        "reason": rule.reason,
        "action": rule.action,
        "condition": rule.condition.text,
        "flags_a_day": rule.flags_a_day,
        "needed": rule.needed,
        "expires": rule.expires,
        "marketplaces": rule.scope.marketplaces,
        "rights": rule.scope.rights,
        "examples": "\n".join(_example(sign, each) for sign, examples in signs for each in examples),
    }


def _example(sign: str, one: Example) -> str:
    """An example as TOML; what is not known is left out, which is its neutral value."""
    said = {"zh": one.zh, "en": one.says} if one.zh else {"says": one.says}
    lines = [f"[[{sign}]]", *(f"{name} = {_text(text)}" for name, text in said.items())]
    for name, value in one.values.items():
        if value is not None:
            lines.append(f"{name} = {_text(value) if isinstance(value, str) else json.dumps(value)}")
    return "\n".join(lines) + "\n"
