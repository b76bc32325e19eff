"""What the steps of a filing and an order ask for, as outlines.

Names are those of `chopmark.cases.draft`; what is missing or wrong is said by `cases.checklist`.
"""

from __future__ import annotations

from collections.abc import Sequence

from django.utils.translation import gettext_lazy as _

from chopmark import law
from chopmark.desk.wire import ORDER_REASONS
from chopmark.web.forms.outline import Choice, Field, Group, Numbers, Option, Rows, Text, Tick, Ticks, of_schema

NONE: Option = ("", "—")
ROLES: tuple[Option, ...] = (
    ("plaintiff", _("Plaintiff")),
    ("defendant", _("Defendant")),
    ("third_party", _("Third party")),
)
TYPES: tuple[Option, ...] = (("organisation", _("Legal entity")), ("person", _("Natural person")))
ID_TYPES: tuple[Option, ...] = (
    NONE,
    ("USCC", _("Unified social credit code")),
    ("identity_card", _("Identity card")),
    ("passport", _("Passport")),
    ("registration", _("Registration number")),
    ("other", _("Other")),
)
AUTHORITIES: tuple[Option, ...] = (
    ("general", _("General authority")),
    ("special", _("Special authority: may concede, settle, appeal")),
)
FORMS: tuple[Option, ...] = (("original", _("Original")), ("copy", _("Copy (paper)")))
REASON_WORDS = {
    "litigation": _("Litigation"),
    "arbitration": _("Arbitration"),
    "administrative": _("Administrative proceedings"),
    "customs": _("Customs"),
    "police": _("Police"),
    "negotiation": _("Negotiation"),
    "other": _("Other"),
}
METHOD_WORDS = {
    "actual_loss": _("Actual loss"),
    "gain": _("Gain of the infringer"),
    "licence": _("Multiple of the licence fee"),
    "discretion": _("At the court's discretion"),
    "punitive": _("Punitive damages"),
}


def party(*, role: bool) -> tuple[Field, ...]:
    """What is asked of a party; an order's applicant has no role."""
    first: tuple[Field, ...] = (Choice("role", _("Role in the case"), ROLES, given="plaintiff"),) if role else ()
    return (
        *first,
        Choice("type", _("Kind of party"), TYPES, given="organisation"),
        Text("name", _("Full name")),
        Text("representative", _("Representative of the organisation")),
        Choice("id_type", _("Identity document"), ID_TYPES),
        Text("id_number", _("Number of the document")),
        Text("country", _("Country (two letters)")),
        Text("phone", _("Telephone"), "tel"),
        Text("email", _("E-mail address"), "email"),
        Text("address", _("Postal address"), wide=True),
    )


def evidence(bundles: Sequence[Option], items: Sequence[tuple[str, str]]) -> tuple[Field, ...]:
    """Which bundle, and how each item is put forward; `items` are ids and titles."""
    return (
        Choice("bundle", _("Bundle to hand in"), (NONE, *bundles), wide=True),
        *(
            Group(
                item_name(number),
                f"{number} {title}",
                (
                    Tick("used", _("Put forward as evidence")),
                    Choice("form", _("Original or copy"), FORMS, given="original"),
                    Text("purpose", _("What it is to prove, when it differs from the matter"), wide=True),
                ),
            )
            for number, title in items
        ),
    )


def item_name(number: str) -> str:
    """The group of an item in the form."""
    return f"item_{number}"


def court(courts: Sequence[Option], causes: Sequence[Option]) -> tuple[Field, ...]:
    """Which court, which cause of action."""
    return (
        Choice("court", _("Court"), (NONE, *courts), wide=True),
        Choice("cause", _("Cause of action"), (NONE, *causes), wide=True),
    )


def parties(items: Sequence[Option]) -> tuple[Field, ...]:
    """Who is against whom, and who acts for them."""
    return (
        Rows("parties", _("Parties"), party(role=True), _("Party")),
        Rows(
            "agents",
            _("Agents"),
            (
                Numbers("parties", _("Acts for parties no."), _("For example: 1, 2")),
                Text("name", _("Full name")),
                Text("organisation", _("Law firm or employer")),
                Text("licence", _("Licence number")),
                Choice("authority", _("Authority"), AUTHORITIES, given="general"),
                Choice("power_of_attorney", _("Power of attorney (evidence item)"), (NONE, *items)),
                Text("phone", _("Telephone"), "tel"),
                Text("email", _("E-mail address"), "email"),
            ),
            _("Agent"),
        ),
    )


def claims(items: Sequence[Option], template: str, language: str) -> tuple[Field, ...]:
    """Claims, facts with their evidence, and the facts that the template asks for."""
    known = {each.name: each for each in law.templates()}.get(template)
    asked = of_schema(known.schema, language, METHOD_WORDS) if known is not None else ()
    return (
        Rows(
            "claims",
            _("Claims"),
            (Text("text", _("What the court is asked for"), "long"), Text("amount_fen", _("Sum in yuan"), "money")),
            _("Claim"),
        ),
        Text("amount_fen", _("Amount in dispute, in yuan"), "money", _("The court fee goes by it.")),
        Rows(
            "facts",
            _("Facts and reasons"),
            (
                Text("text", _("What happened, and why it matters"), "long"),
                Ticks("evidence", _("Shown by"), tuple(items)),
            ),
            _("Fact"),
        ),
        *((Group("elements", _("Facts of this kind of case"), asked),) if asked else ()),
        Tick("mediation", _("Willing to mediate before the trial")),
    )


def confirm() -> tuple[Field, ...]:
    """Where papers are served, and who declares."""
    return (
        Group(
            "delivery",
            _("Where papers are served"),
            (
                Text("name", _("Addressee")),
                Text("phone", _("Telephone"), "tel"),
                Text("email", _("E-mail address"), "email"),
                Text("address", _("Postal address"), wide=True),
                Tick("electronic", _("Electronic service is accepted")),
            ),
        ),
        Text("declared_by", _("Name of the person who declares that all this is true"), wide=True),
    )


def order(items: Sequence[Option]) -> tuple[Field, ...]:
    """What an order to a notary says."""
    return (
        Choice(
            "reason",
            _("What it is for"),
            tuple((each, REASON_WORDS[each]) for each in ORDER_REASONS),
            given="litigation",
        ),
        Text("reason_text", _("More about it"), "long"),
        Group("applicant", _("Applicant"), party(role=False)),
        Ticks("documents", _("The applicant's papers (identity, authority), out of the evidence"), tuple(items)),
        Text("declared_by", _("Name of the person who declares that all this is true"), wide=True),
    )
