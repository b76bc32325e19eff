"""Pages of filings and notary orders: draft step by step, see what is missing, preview, send, follow.

Each step saves what was typed, as far as it is filled in; a form that cannot be saved comes back as it was typed.
What is missing is said by `cases.checklist`, what may be done by `cases.actions`.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.http import FileResponse, Http404, HttpRequest, HttpResponse, QueryDict
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import path, reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_safe

from chopmark import law
from chopmark.base import clock
from chopmark.base.errors import Invalid, PlatformError, Refused
from chopmark.cases import papers, queries
from chopmark.cases.actions import filing as actions
from chopmark.cases.actions import order as orders
from chopmark.cases.checklist import Checklist, Gap
from chopmark.cases.queries import DeskSummary, EventSummary, FilingSummary, OrderSummary
from chopmark.desk import codec
from chopmark.evidence import matters
from chopmark.evidence import queries as deposits
from chopmark.evidence.bundle.manifest import Item
from chopmark.evidence.matters import BundleSummary, MatterSummary
from chopmark.people.actor import Actor
from chopmark.web.context import actor_of, language
from chopmark.web.downloads import attachment
from chopmark.web.forms import filings as outlines
from chopmark.web.forms import outline
from chopmark.web.forms.outline import Field
from chopmark.web.views import casework
from chopmark.web.views.casework import finished, may_change, sentence, tell

STEPS = {
    "evidence": gettext_lazy("Evidence"),
    "court": gettext_lazy("Court"),
    "parties": gettext_lazy("Parties"),
    "claims": gettext_lazy("Claims and facts"),
    "confirm": gettext_lazy("Service and declaration"),
}
HINTS = {
    "evidence": gettext_lazy("The court gets one bundle. Untick what you do not put forward."),
    "court": gettext_lazy("Courts have an electronic desk or take a package of files; the page says which."),
    "parties": gettext_lazy("Of a defendant say what you know. These data go to the court and nowhere else."),
    "claims": gettext_lazy("Link each fact to the evidence that shows it."),
    "confirm": gettext_lazy("The court sends its papers to this address."),
}
STATE_WORDS = {
    "draft": gettext_lazy("Draft"),
    "sending": gettext_lazy("Being sent"),
    "received": gettext_lazy("Received"),
    "supplement_wanted": gettext_lazy("More is asked for"),
    "accepted": gettext_lazy("Accepted"),
    "judged": gettext_lazy("Judged"),
    "closed": gettext_lazy("Closed"),
    "refused": gettext_lazy("Refused"),
    "issued": gettext_lazy("Issued"),
    "joined": gettext_lazy("Countersigned"),
    "packaged": gettext_lazy("Package ready"),
    "filed": gettext_lazy("Handed in"),
    "withdrawing": gettext_lazy("Being withdrawn"),
    "withdrawn": gettext_lazy("Withdrawn"),
}
EVENT_WORDS = {
    "received": gettext_lazy("Received by the desk"),
    "supplement_wanted": gettext_lazy("The desk asks for more"),
    "supplemented": gettext_lazy("The supplement was received"),
    "refused": gettext_lazy("Refused"),
    "accepted": gettext_lazy("Accepted"),
    "served": gettext_lazy("Served on the other side"),
    "hearing": gettext_lazy("Hearing set"),
    "judgment": gettext_lazy("Judgment given"),
    "closed": gettext_lazy("Closed"),
    "issued": gettext_lazy("The notary signed the bundle"),
    "withdrawn": gettext_lazy("Withdrawn"),
}
GOOD = ("accepted", "judged", "joined", "issued", "filed")
BAD = ("refused",)
QUIET = ("draft", "closed", "withdrawn")
MOVING = ("sending", "received", "accepted", "judged", "issued", "withdrawing", "supplement_wanted")
FEN = 100


class ReasonForm(forms.Form):
    """Why something is taken back."""

    reason = forms.CharField(label=gettext_lazy("Reason"), max_length=1000, widget=forms.Textarea(attrs={"rows": 2}))


def state_mark(state: str) -> str:
    """The class of the little mark that shows a state."""
    if state in BAD:
        return "mark-bad"
    return "mark-good" if state in GOOD else "" if state in QUIET else "mark-wait"


def of_matter(actor: Actor, matter_id: UUID) -> dict[str, Any]:
    """Filings and orders of a matter, for its page."""
    names = {each.name: casework.both(_title(each)) for each in queries.desks(retired=True)}
    return {
        "filings": [
            {
                "url": reverse("filing", args=[each.id]),
                "number": each.number,
                "state_text": STATE_WORDS[each.state],
                "mark": state_mark(each.state),
                "court": _court_name(each.court) or _("No court is chosen yet."),
            }
            for each in queries.filings_of(actor, matter_id=matter_id)
        ],
        "orders": [
            {
                "url": reverse("order", args=[each.id]),
                "number": each.number,
                "state_text": STATE_WORDS[each.state],
                "mark": state_mark(each.state),
                "notary": names.get(each.notary, each.notary),
            }
            for each in queries.orders_of(actor, matter_id=matter_id)
        ],
    }


def _title(desk: DeskSummary) -> matters.Both:
    return matters.Both(zh=desk.zh, en=desk.en)


def _court_name(code: str) -> str:
    return next((casework.both(each.title) for each in law.courts() if each.code == code), "")


def _simulated(desk: DeskSummary | None) -> str:
    """What must stand beside the name of a desk that only stands in for an institution."""
    if desk is None or not desk.simulated:
        return ""
    name = casework.both(_title(desk))
    return _("%(name)s is a simulator: nothing reaches a real institution.") % {"name": name}


# ---- the wizard


@require_http_methods(["GET", "HEAD", "POST"])
def new(request: HttpRequest, matter_id: UUID) -> HttpResponse:
    """Begin a filing."""
    if request.method != "POST":  # back from signing in
        return redirect("matter", matter_id)
    actor = actor_of(request)
    try:
        court = matters.matter_of(actor, matter_id).court_profile
        steps = {"court": {"court": court}} if court else None
        made = actions.draft_filing(matter_id, by=actor, at=clock.now(), steps=steps)
    except (Refused, Invalid) as error:
        tell(request, error)
        return redirect("matter", matter_id)
    return redirect("filing-step", made.id, "evidence")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Case:
    """What every step of one filing needs."""

    actor: Actor
    filing: FilingSummary
    matter: MatterSummary
    bundles: tuple[BundleSummary, ...]
    items: tuple[Item, ...]

    def fields(self, step: str) -> tuple[Field, ...]:
        """The outline of a step."""
        options = [(each.id, f"{each.id} {_item_title(each)}") for each in self.items]
        match step:
            case "evidence":
                bundles = [(str(each.id), _bundle_title(each)) for each in self.bundles]
                return outlines.evidence(bundles, [(each.id, _item_title(each)) for each in self.items])
            case "court":
                courts = [(each.code, casework.both(each.title)) for each in law.courts()]
                causes = {each.code: casework.both(each.title) for court in law.courts() for each in court.causes}
                return outlines.court(courts, list(causes.items()))
            case "parties":
                return outlines.parties(options)
            case "claims":
                return outlines.claims(options, self.matter.template, language())
            case _:
                return outlines.confirm()

    def typed(self, step: str) -> dict[str, Any]:
        """What the draft says, as the form takes it."""
        said: dict[str, Any] = codec.plain(getattr(self.filing.draft, step))
        if step != "evidence":
            return said
        lines = {each["id"]: each for each in said["lines"]}
        shown: dict[str, Any] = {"bundle": said["bundle"]}
        for each in self.items:
            line = lines.get(each.id, {"used": True, "form": "original", "purpose": ""})
            shown[outlines.item_name(each.id)] = {name: line[name] for name in ("used", "form", "purpose")}
        return shown

    def data(self, step: str, sent: QueryDict) -> tuple[dict[str, Any], dict[str, Any]]:
        """What was typed, and the same as `save_step` takes it."""
        typed = outline.read(self.fields(step), sent)
        if step != "evidence":
            return typed, typed
        chosen = typed.get("bundle", "")
        lines = []
        for item in self.items if chosen == str(self.filing.bundle_id) else ():
            name = outlines.item_name(item.id)
            if f"{name}.used.shown" not in sent:  # the item was not in the form
                continue
            said = typed.get(name, {})
            used, form = said.get("used", False), sent.get(f"{name}.form", "original")
            lines.append({"id": item.id, "used": used, "form": form, "purpose": said.get("purpose", "")})
        return typed, {"bundle": chosen, "lines": lines}


def _item_title(item: Item) -> str:
    return item.title.zh if language() == "zh" else item.title.en


def _bundle_title(one: BundleSummary) -> str:
    signed = _("signed by a notary") if one.signatures > 1 else ""
    return " · ".join(filter(None, (one.number, f"{one.made_at:%Y-%m-%d %H:%M}", signed)))


def _case(actor: Actor, filing_id: UUID) -> _Case:
    one = queries.filing_of(actor, filing_id)
    matter = matters.matter_of(actor, one.matter_id)
    done = tuple(each for each in matters.bundles_of(actor, matter.id) if each.state == "done")
    items: tuple[Item, ...] = ()
    if one.bundle_id is not None and any(each.id == one.bundle_id for each in done):
        items = papers.offered(actor, one.bundle_id, matter.id).manifest.items
    return _Case(actor=actor, filing=one, matter=matter, bundles=done, items=items)


@require_http_methods(["GET", "HEAD", "POST"])
def step(request: HttpRequest, filing_id: UUID, name: str) -> HttpResponse:
    """One step of the draft: shown, saved, saved by itself while somebody types."""
    actor = actor_of(request)
    actor.must("deposit")
    if name not in STEPS:
        raise Http404
    case = _case(actor, filing_id)
    if not case.filing.editable:
        return redirect("filing", filing_id)
    fields, typed, trouble = case.fields(name), case.typed(name), ""
    if request.method == "POST":
        typed, data = case.data(name, request.POST)
        trouble = _not_numbers(fields, typed) or _tried(
            lambda: actions.save_step(filing_id, name, data, by=actor, at=clock.now())
        )
        if request.headers.get("X-Saves"):
            return _missing(request, filing_id, actor, status=422 if trouble else 200)
        if not trouble:
            return redirect(_next(filing_id, name, stays="next" not in request.POST))
    response = render(
        request,
        "filings/step.html",
        {
            **_frame(case, name),
            "step": {"name": name, "label": STEPS[name], "hint": HINTS[name]},
            "fields": outline.shown(fields, typed),
            "trouble": trouble,
            "no_bundle": name == "evidence" and not case.bundles,
            "simulated": _simulated(queries.desk_for(case.filing.court)) if name == "court" else "",
        },
        status=422 if trouble else 200,
    )
    response["Cache-Control"] = "private, no-cache"
    return response


def _tried(save: Callable[[], object]) -> str:
    """Do it; the sentence of what was refused, or nothing. What one may not do is not swallowed."""
    try:
        save()
    except (Refused, Invalid) as error:
        if error.code.startswith("people."):
            raise
        return sentence(error)
    return ""


def _not_numbers(fields: Sequence[Field], typed: Mapping[str, Any]) -> str:
    wrong = outline.unfit(fields, {name: value for name, value in typed.items() if name != "elements"})
    return _("Not saved. Write a number here: %(fields)s") % {"fields": ", ".join(wrong)} if wrong else ""


def _next(filing_id: UUID, name: str, *, stays: bool) -> str:
    names = list(STEPS)
    if stays:
        return reverse("filing-step", args=[filing_id, name])
    place = names.index(name) + 1
    if place == len(names):
        return reverse("filing-check", args=[filing_id])
    return reverse("filing-step", args=[filing_id, names[place]])


def _missing(request: HttpRequest, filing_id: UUID, actor: Actor, *, status: int) -> HttpResponse:
    """What is missing, as a piece of the page."""
    found = actions.check_filing(filing_id, by=actor)
    return render(request, "filings/_missing.html", _gaps(filing_id, found), status=status)


def _gaps(filing_id: UUID, found: Checklist) -> dict[str, Any]:
    """The checklist in words, each gap with the step that closes it."""

    def worded(gap: Gap) -> dict[str, Any]:
        facts = dict(gap.facts)
        url = reverse("filing-step", args=[filing_id, gap.step]) if gap.step in STEPS else ""
        return {"text": casework.worded(gap.code, facts), "url": url}

    return {
        "missing": [worded(each) for each in found.gaps if each.blocks],
        "warnings": [worded(each) for each in found.gaps if not each.blocks],
    }


def _frame(case: _Case, now: str) -> dict[str, Any]:
    """What the pages of the wizard share."""
    found = actions.check_filing(case.filing.id, by=case.actor)
    open_steps = {each.step for each in found.gaps if each.blocks}
    steps = [
        {
            "url": reverse("filing-step", args=[case.filing.id, name]),
            "label": label,
            "now": name == now,
            "done": name not in open_steps,
        }
        for name, label in STEPS.items()
    ]
    check = {"url": reverse("filing-check", args=[case.filing.id]), "label": _("Check and submit"), "done": False}
    return {
        "matter": casework.matter_facts(case.matter),
        "filing": {"id": case.filing.id, "number": case.filing.number, "is_draft": case.filing.state == "draft"},
        "steps": [*steps, {**check, "now": now == "check"}],
        **_gaps(case.filing.id, found),
    }


@require_http_methods(["GET", "HEAD", "POST"])
def check(request: HttpRequest, filing_id: UUID) -> HttpResponse:
    """Everything as the court will get it, and the button that sends it."""
    actor = actor_of(request)
    actor.must("deposit")
    case = _case(actor, filing_id)
    if not case.filing.editable:
        return redirect("filing", filing_id)
    trouble, note = "", ""
    if request.method == "POST":
        note = request.POST.get("note", "")[:4000]
        trouble = _submitted(request, filing_id, actor, note)
        if not trouble:
            messages.success(request, _("The filing is on its way. What the court does appears here."))
            return redirect("filing", filing_id)
    seen, shown = "", actions.check_filing(filing_id, by=actor)
    if shown.ready:
        seen = actions.preview_filing(filing_id, by=actor, at=clock.now()).sha256.hex()
    desk = queries.desk_for(case.filing.court)
    response = render(
        request,
        "filings/check.html",
        {
            **_frame(case, "check"),
            "sheet": _sheet(case, shown),
            "seen": seen,
            "trouble": trouble,
            "note": note,
            "supplement": case.filing.revision > 0,
            "simulated": _simulated(desk),
            "package": desk is None and bool(case.filing.court),
        },
        status=422 if trouble else 200,
    )
    response["Cache-Control"] = "private, no-store"
    return response


def _submitted(request: HttpRequest, filing_id: UUID, actor: Actor, note: str) -> str:
    """Submit what was seen; the sentence of what stopped it, or nothing."""
    if not request.POST.get("declared"):
        return _("Tick the declaration first.")
    seen = _digest(request.POST.get("seen", ""))
    if seen is None:
        return _("Look at the filing once more, then submit.")
    return _tried(lambda: actions.submit_filing(filing_id, by=actor, at=clock.now(), shown=seen, note=note))


def _digest(text: str) -> bytes | None:
    try:
        return bytes.fromhex(text) or None
    except ValueError:
        return None


def yuan(fen: int | None) -> str:
    """An amount for people."""
    return "" if fen is None else f"¥{fen // FEN:,}.{fen % FEN:02d}"


def _sheet(case: _Case, found: Checklist) -> dict[str, Any]:
    """The filing as a page of facts."""
    said = case.filing.draft
    left = {line.id for line in said.evidence.lines if not line.used}
    purposes = {line.id: line.purpose for line in said.evidence.lines}
    causes = {each.code: casework.both(each.title) for court in law.courts() for each in court.causes}
    roles, types = dict(outlines.ROLES), dict(outlines.TYPES)
    fee = found.fee
    amounts = [] if fee is None else list(dict.fromkeys((fee.least_fen, fee.most_fen)))
    delivery = said.confirm.delivery
    return {
        "facts": [
            (_("Court"), _court_name(said.court.court)),
            (_("Cause of action"), causes.get(said.court.cause, "")),
            (_("Amount in dispute, in yuan"), yuan(said.claims.amount_fen)),
            (_("Willing to mediate before the trial"), _("yes") if said.claims.mediation else _("no")),
            (
                _("Where papers are served"),
                ", ".join(filter(None, (delivery.name, delivery.address, delivery.phone, delivery.email))),
            ),
            (_("Declared by"), said.confirm.declared_by),
        ],
        "parties": [
            {
                "name": each.name,
                "role": roles.get(each.role, each.role),
                "about": " · ".join(
                    str(part)
                    for part in (types[each.type], each.id_number, each.address, each.phone, each.email)
                    if part
                ),
            }
            for each in said.parties.parties
        ]
        + [
            {
                "name": each.name,
                "role": _("Agent"),
                "about": " · ".join(filter(None, (each.organisation, each.licence, each.phone, each.email))),
            }
            for each in said.parties.agents
        ],
        "claims": [{"text": each.text, "amount": yuan(each.amount_fen)} for each in said.claims.claims],
        "statements": [{"text": each.text, "evidence": ", ".join(each.evidence)} for each in said.claims.facts],
        "evidence": [
            {
                "number": each.id,
                "title": _item_title(each),
                "purpose": purposes.get(each.id) or (each.purpose.zh if language() == "zh" else each.purpose.en),
                "deposits": ", ".join(line.number for line in each.deposits),
            }
            for each in case.items
            if each.id not in left
        ],
        "fee": " – ".join(yuan(each) for each in amounts),
    }


# ---- a filing that was sent


@require_safe
def detail(request: HttpRequest, filing_id: UUID) -> HttpResponse:
    """A filing: what the court did, what was filed."""
    actor = actor_of(request)
    case = _case(actor, filing_id)
    one = case.filing
    if one.state == "draft" and actor.may("deposit"):
        return redirect("filing-step", one.id, "evidence")
    desk = queries.desk_for(one.court)
    response = render(
        request,
        "filings/detail.html",
        {
            "matter": casework.matter_facts(case.matter),
            "filing": {
                "id": one.id,
                "number": one.number,
                "court": _court_name(one.court) or one.number,
                "case_number": one.court_number or one.receipt_number,
                "state": one.state,
                "state_text": STATE_WORDS[one.state],
                "mark": state_mark(one.state),
                "wants_supplement": one.state == "supplement_wanted",
                "may_withdraw": one.withdrawable,
                "open": one.state in MOVING,
                "packaged": one.state in ("packaged", "filed"),
                "trouble": _delivery_trouble(one),
            },
            "events": _events(actor, one.events),
            "sheet": _sheet(case, actions.check_filing(one.id, by=actor)),
            "bundle": _bundle(actor, one.bundle_id),
            "withdraw_form": ReasonForm(auto_id="withdraw-%s"),
            "edit_url": reverse("filing-step", args=[one.id, "evidence"]),
            "simulated": _simulated(desk),
            "may_change": may_change(actor),
        },
    )
    response["Cache-Control"] = "private, no-store"
    return response


def _bundle(actor: Actor, bundle_id: UUID | None) -> dict[str, Any] | None:
    if bundle_id is None:
        return None
    try:
        return casework.bundle_facts(matters.bundle_of(actor, bundle_id))
    except Refused:  # deleted since
        return None


def _delivery_trouble(one: FilingSummary | OrderSummary) -> str:
    waiting = [each for each in one.deliveries if not each.done and each.trouble]
    return casework.worded(waiting[0].trouble, waiting[0].facts) if waiting else ""


def _events(actor: Actor, found: Sequence[EventSummary]) -> list[dict[str, Any]]:
    """Events of a desk for templates, newest last."""
    return [
        {
            "text": EVENT_WORDS[each.kind],
            "at": each.at,
            "bad": each.kind == "refused",
            "lines": _lines(each),
            "checks": [
                {
                    "item": _("The bundle") if line.item == "bundle" else line.item,
                    "verdict": line.verdict,
                    "lines": [casework.worded(code, {}) for code in line.codes],
                }
                for line in each.checks
            ],
            **_deposit(actor, each.deposit_id),
        }
        for each in found
    ]


def _lines(each: EventSummary) -> list[str]:
    lines = list(each.reasons)
    if each.number:
        lines.append(_("Number: %(number)s") % {"number": each.number})
    if each.when is not None:
        lines.append(_("When: %(when)s UTC") % {"when": f"{each.when:%Y-%m-%d %H:%M}"})
    if each.place:
        lines.append(_("Where: %(place)s") % {"place": each.place})
    if each.fee_fen is not None:
        lines.append(_("Court fee: %(fee)s") % {"fee": yuan(each.fee_fen)})
    return lines


def _deposit(actor: Actor, deposit_id: UUID | None) -> dict[str, Any]:
    if deposit_id is None:
        return {}
    try:
        return {"deposit_id": deposit_id, "deposit_number": deposits.deposit_of(actor, deposit_id).number}
    except PlatformError:  # of the platform's own
        return {}


@require_safe
def events(request: HttpRequest, filing_id: UUID) -> HttpResponse:
    """What the court did so far, as a piece of the page; the page is loaded anew when the state has moved."""
    actor = actor_of(request)
    one = queries.filing_of(actor, filing_id)
    response = render(request, "filings/_events.html", {"events": _events(actor, one.events)})
    return finished(response, done=request.GET.get("state", one.state) != one.state)


@require_safe
def package(request: HttpRequest, filing_id: UUID) -> HttpResponseBase:
    """Everything that was sent last, as one ZIP file to be handed in by oneself."""
    with tempfile.TemporaryFile() as made:
        name = actions.export_package(filing_id, made, by=actor_of(request))
        made.seek(0)
        response = FileResponse(os.fdopen(os.dup(made.fileno()), "rb"), content_type="application/zip")
    response["Content-Disposition"] = attachment(name)
    response["Content-Security-Policy"] = "sandbox; default-src 'none'"
    response["Cache-Control"] = "private, no-store"
    return response


@require_http_methods(["GET", "HEAD", "POST"])
def withdraw(request: HttpRequest, filing_id: UUID) -> HttpResponse:
    """Take a filing back."""
    if request.method == "POST":
        try:
            actions.withdraw_filing(filing_id, request.POST.get("reason", ""), by=actor_of(request), at=clock.now())
        except (Refused, Invalid) as error:
            tell(request, error)
    return redirect("filing", filing_id)


@require_http_methods(["GET", "HEAD", "POST"])
def receipt(request: HttpRequest, filing_id: UUID) -> HttpResponse:
    """Note the number that a court without a desk gave."""
    if request.method == "POST":
        number = request.POST.get("receipt_number", "")
        try:
            actions.enter_receipt(filing_id, number, by=actor_of(request), at=clock.now())
        except (Refused, Invalid) as error:
            tell(request, error)
        else:
            messages.success(request, _("The number is kept."))
    return redirect("filing", filing_id)


@require_http_methods(["GET", "HEAD", "POST"])
def discard(request: HttpRequest, filing_id: UUID) -> HttpResponse:
    """Throw a draft away."""
    if request.method != "POST":
        return redirect("filing", filing_id)
    actor = actor_of(request)
    matter_id = queries.filing_of(actor, filing_id).matter_id
    try:
        actions.discard_filing(filing_id, by=actor)
    except (Refused, Invalid) as error:
        tell(request, error)
        return redirect("filing", filing_id)
    messages.success(request, _("The draft was discarded."))
    return redirect("matter", matter_id)


# ---- orders to a notary


@require_http_methods(["GET", "HEAD", "POST"])
def order_new(request: HttpRequest, matter_id: UUID) -> HttpResponse:
    """Choose the bundle and the notary."""
    actor = actor_of(request)
    actor.must("deposit")
    matter = matters.matter_of(actor, matter_id)
    notaries = queries.desks(kind="notary")
    done = [each for each in matters.bundles_of(actor, matter.id) if each.state == "done"]
    form = OrderForm(
        request.POST or None,
        notaries=[(each.name, casework.both(_title(each))) for each in notaries],
        bundles=[(str(each.id), _bundle_title(each)) for each in done],
    )
    if request.method == "POST" and form.is_valid():
        typed = form.cleaned_data
        try:
            made = orders.order_notarisation(
                matter.id, UUID(typed["bundle"]), typed["notary"], by=actor, at=clock.now()
            )
        except (Refused, Invalid) as error:
            form.add_error(None, sentence(error))
        else:
            return redirect("order", made.id)
    nothing = ""
    if not notaries:
        nothing = _("No notary's desk is connected to this platform.")
    elif not done:
        nothing = _("Make a bundle first; the notary signs a finished bundle.")
    values = {
        "matter": casework.matter_facts(matter),
        "form": form,
        "nothing": nothing,
        "simulated": " ".join(filter(None, (_simulated(each) for each in notaries))),
    }
    return render(request, "orders/new.html", values, status=422 if form.errors else 200)


class OrderForm(forms.Form):
    """Which bundle, which notary."""

    notary = forms.ChoiceField(label=gettext_lazy("Notary"))
    bundle = forms.ChoiceField(label=gettext_lazy("Bundle to be signed"))

    def __init__(
        self,
        data: QueryDict | None,
        *,
        notaries: Sequence[tuple[str, str]],
        bundles: Sequence[tuple[str, str]],
    ) -> None:
        super().__init__(data)
        self.fields["notary"].choices = notaries  # type: ignore[attr-defined]  # a ChoiceField
        self.fields["bundle"].choices = bundles  # type: ignore[attr-defined]  # the same


@require_http_methods(["GET", "HEAD", "POST"])
def order(request: HttpRequest, order_id: UUID) -> HttpResponse:
    """An order: its draft as a form, or what the notary did."""
    actor = actor_of(request)
    one = queries.order_of(actor, order_id)
    if one.editable and actor.may("deposit"):
        return _order_draft(request, actor, one)
    desk = next((each for each in queries.desks(retired=True) if each.name == one.notary), None)
    said = one.draft
    response = render(
        request,
        "orders/detail.html",
        {
            "matter": casework.matter_facts(matters.matter_of(actor, one.matter_id)),
            "order": {
                **_order_facts(one, desk),
                "facts": [
                    (_("Number at the notary's"), one.notary_number),
                    (_("What it is for"), outlines.REASON_WORDS[said.reason]),
                    (_("More about it"), said.reason_text),
                    (_("Applicant"), said.applicant.name),
                    (_("Declared by"), said.declared_by),
                ],
            },
            "events": _events(actor, one.events),
            "bundle": _bundle(actor, one.bundle_id),
            "signed": _bundle(actor, one.signed_bundle_id),
            "withdraw_form": ReasonForm(auto_id="withdraw-%s"),
            "simulated": _simulated(desk),
            "may_change": may_change(actor),
        },
    )
    response["Cache-Control"] = "private, no-store"
    return response


def _order_facts(one: OrderSummary, desk: DeskSummary | None) -> dict[str, Any]:
    return {
        "id": one.id,
        "number": one.number,
        "notary": one.notary if desk is None else casework.both(_title(desk)),
        "state": one.state,
        "state_text": STATE_WORDS[one.state],
        "mark": state_mark(one.state),
        "open": one.state in MOVING,
        "may_withdraw": one.withdrawable,
        "is_draft": one.state == "draft",
        "trouble": _delivery_trouble(one),
    }


def _order_draft(request: HttpRequest, actor: Actor, one: OrderSummary) -> HttpResponse:
    """Fill in, save, preview, place; a supplement is the same again."""
    offered = papers.offered(actor, one.bundle_id, one.matter_id)
    fields = outlines.order([(each.id, f"{each.id} {_item_title(each)}") for each in offered.manifest.items])
    typed: dict[str, Any] = codec.plain(one.draft)
    trouble, note = "", request.POST.get("note", "")[:4000]
    if request.method == "POST" and "place" in request.POST:
        trouble = _placed(request, actor, one, note)
        if not trouble:
            messages.success(request, _("The order is on its way. What the notary does appears here."))
            return redirect("order", one.id)
    elif request.method == "POST":
        typed = outline.read(fields, request.POST)
        trouble = _tried(lambda: orders.save_order(one.id, typed, by=actor, at=clock.now()))
        if request.headers.get("X-Saves"):
            gaps = _order_gaps(orders.check_order(one.id, by=actor))
            return render(request, "filings/_missing.html", gaps, status=422 if trouble else 200)
        if not trouble:
            return redirect("order", one.id)
    found = orders.check_order(one.id, by=actor)
    seen = orders.preview_order(one.id, by=actor, at=clock.now()).sha256.hex() if found.ready else ""
    desk = next((each for each in queries.desks(retired=True) if each.name == one.notary), None)
    response = render(
        request,
        "orders/edit.html",
        {
            "matter": casework.matter_facts(matters.matter_of(actor, one.matter_id)),
            "order": _order_facts(one, desk),
            "fields": outline.shown(fields, typed),
            "trouble": trouble,
            "seen": seen,
            "note": note,
            "supplement": one.revision > 0,
            "events": _events(actor, one.events),
            "bundle": _bundle(actor, one.bundle_id),
            "simulated": _simulated(desk),
            **_order_gaps(found),
        },
        status=422 if trouble else 200,
    )
    response["Cache-Control"] = "private, no-cache"
    return response


def _order_gaps(found: Checklist) -> dict[str, Any]:
    return {
        "missing": [{"text": casework.worded(each.code, each.facts)} for each in found.gaps if each.blocks],
        "warnings": [{"text": casework.worded(each.code, each.facts)} for each in found.gaps if not each.blocks],
    }


def _placed(request: HttpRequest, actor: Actor, one: OrderSummary, note: str) -> str:
    """Place what was seen; the sentence of what stopped it, or nothing."""
    if not request.POST.get("declared"):
        return _("Tick the declaration first.")
    seen = _digest(request.POST.get("seen", ""))
    if seen is None:
        return _("Save what is missing first, then place the order.")
    return _tried(lambda: orders.place_order(one.id, by=actor, at=clock.now(), shown=seen, note=note))


@require_safe
def order_events(request: HttpRequest, order_id: UUID) -> HttpResponse:
    """What the notary did so far, as a piece of the page."""
    actor = actor_of(request)
    one = queries.order_of(actor, order_id)
    response = render(request, "filings/_events.html", {"events": _events(actor, one.events)})
    return finished(response, done=request.GET.get("state", one.state) != one.state)


@require_http_methods(["GET", "HEAD", "POST"])
def order_withdraw(request: HttpRequest, order_id: UUID) -> HttpResponse:
    """Take an order back."""
    if request.method == "POST":
        try:
            orders.withdraw_order(order_id, request.POST.get("reason", ""), by=actor_of(request), at=clock.now())
        except (Refused, Invalid) as error:
            tell(request, error)
    return redirect("order", order_id)


@require_http_methods(["GET", "HEAD", "POST"])
def order_discard(request: HttpRequest, order_id: UUID) -> HttpResponse:
    """Throw a draft away."""
    if request.method != "POST":
        return redirect("order", order_id)
    actor = actor_of(request)
    matter_id = queries.order_of(actor, order_id).matter_id
    try:
        orders.discard_order(order_id, by=actor)
    except (Refused, Invalid) as error:
        tell(request, error)
        return redirect("order", order_id)
    messages.success(request, _("The draft was discarded."))
    return redirect("matter", matter_id)


@require_safe
def listing(request: HttpRequest) -> HttpResponse:
    """The organisation's filings and orders."""
    actor = actor_of(request)
    names = {each.name: casework.both(_title(each)) for each in queries.desks(retired=True)}
    rows = [
        {
            "url": reverse("filing", args=[each.id]),
            "number": each.number,
            "where": _court_name(each.court) or "—",
            "case_number": each.court_number or each.receipt_number or "—",
            "state_text": STATE_WORDS[each.state],
            "mark": state_mark(each.state),
            "at": each.made_at,
        }
        for each in queries.filings_of(actor)
    ] + [
        {
            "url": reverse("order", args=[each.id]),
            "number": each.number,
            "where": names.get(each.notary, each.notary),
            "case_number": each.notary_number or "—",
            "state_text": STATE_WORDS[each.state],
            "mark": state_mark(each.state),
            "at": each.made_at,
        }
        for each in queries.orders_of(actor)
    ]
    rows.sort(key=lambda row: str(row["at"]), reverse=True)
    return render(request, "filings/list.html", {"rows": rows})


urlpatterns = [
    path("filings/", listing, name="filings"),
    path("matters/<uuid:matter_id>/filings/new", new, name="filing-new"),
    path("filings/<uuid:filing_id>", detail, name="filing"),
    path("filings/<uuid:filing_id>/steps/<str:name>", step, name="filing-step"),
    path("filings/<uuid:filing_id>/check", check, name="filing-check"),
    path("filings/<uuid:filing_id>/events", events, name="filing-events"),
    path("filings/<uuid:filing_id>/package.zip", package, name="filing-package"),
    path("filings/<uuid:filing_id>/withdraw", withdraw, name="filing-withdraw"),
    path("filings/<uuid:filing_id>/receipt", receipt, name="filing-receipt"),
    path("filings/<uuid:filing_id>/discard", discard, name="filing-discard"),
    path("matters/<uuid:matter_id>/orders/new", order_new, name="order-new"),
    path("orders/<uuid:order_id>", order, name="order"),
    path("orders/<uuid:order_id>/events", order_events, name="order-events"),
    path("orders/<uuid:order_id>/withdraw", order_withdraw, name="order-withdraw"),
    path("orders/<uuid:order_id>/discard", order_discard, name="order-discard"),
]
