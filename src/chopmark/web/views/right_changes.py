"""Pages that change a right: license it, end a licence, add a paper, note a dispute or a recordal with customs.

No rule stands here: what is allowed is decided by `rights.actions`; a refusal is shown on the page it came from.
"""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import path, reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from chopmark.base import clock
from chopmark.base.errors import Invalid, Refused
from chopmark.people.actor import Actor
from chopmark.rights.actions import customs, dispute, interest
from chopmark.rights.actions import file as filing
from chopmark.rights.actions.customs import NewRecordal
from chopmark.rights.actions.dispute import NewDispute
from chopmark.rights.actions.file import NewPaper
from chopmark.rights.actions.interest import NewInterest
from chopmark.rights.queries import registry
from chopmark.rights.record import Party
from chopmark.web.context import actor_of
from chopmark.web.forms.rights import CustomsForm, DisputeForm, LicenceForm
from chopmark.web.views import right_words as words
from chopmark.web.views import rights
from chopmark.web.views.rights import FILED, private, small_form, taken


@require_http_methods(["GET", "HEAD", "POST"])
def licence(request: HttpRequest, number: str) -> HttpResponse:
    """Grant a licence, or name an authorised seller."""
    actor, now = actor_of(request), clock.now()
    actor.must("file_rights")
    found = registry.right_of(actor, number, at=now)
    today = now.date()
    grants = [
        (each.id, f"{each.party.name} ({words.in_words(words.ROLE_WORDS, each.role)})")
        for each in found.right.interests
        if not words.interest_facts(each, today)["over"]
    ]
    form = LicenceForm(request.POST or None, grants=grants)
    if request.method == "POST" and form.is_valid():
        typed = form.cleaned_data
        new = NewInterest(
            party=Party(name=typed["name"], country=typed["country"]),
            role=typed["role"],
            granted_by=typed["granted_by"],
            territories=typed["territories"],
            classes=typed["classes"],
            channels=typed["channels"],
            quantity=typed["quantity"],
            since=typed["since"],
            until=typed["until"],
        )
        try:
            interest.license(number, new, by=actor, at=clock.now())
        except (Refused, Invalid) as error:
            form.add_error(None, words.sentence(error))
        else:
            request.session[FILED] = f"licence.{found.right.number}"
            messages.success(request, _("The licence is granted and stands on the ledger."))
            return redirect(reverse("right", args=[found.right.number]) + "#head-grants")
    context = {
        "right": words.row_facts(found.right),
        "form": form,
        "territory_choices": words.territory_choices(),
    }
    return private(render(request, "rights/licence.html", context, status=422 if form.errors else 200))


def _end(request: HttpRequest, actor: Actor, number: str) -> None:
    interest.end_interest(number, request.POST.get("interest", "")[:80], by=actor, at=clock.now())
    messages.success(request, _("The licence has ended."))


def _paper(request: HttpRequest, actor: Actor, number: str) -> HttpResponse | None:
    form = rights.paper_form(request.POST, request.FILES)
    if not form.is_valid():
        return rights.page(request, actor, number, paper_form=form)
    registry.right_of(actor, number, at=clock.now())  # nothing is taken in for a right that is not there
    upload = taken(form.cleaned_data["file"], actor, clock.now())
    filing.add_papers(number, [NewPaper(kind=form.cleaned_data["kind"], upload=upload)], by=actor, at=clock.now())
    messages.success(request, _("The paper is kept and deposited."))
    return None


def _dispute(request: HttpRequest, actor: Actor, number: str) -> HttpResponse | None:
    form = DisputeForm(request.POST, auto_id="dispute-%s")
    if not form.is_valid():
        return rights.page(request, actor, number, dispute_form=form)
    dispute.open_dispute(number, NewDispute(**form.cleaned_data), by=actor, at=clock.now())
    messages.success(request, _("The dispute is recorded."))
    return None


def _close_dispute(request: HttpRequest, actor: Actor, number: str) -> None:
    outcome = request.POST.get("outcome", "")
    dispute.close_dispute(number, request.POST.get("dispute", "")[:80], outcome, by=actor, at=clock.now())
    messages.success(request, _("The dispute is closed."))


def _customs(request: HttpRequest, actor: Actor, number: str) -> HttpResponse | None:
    form = CustomsForm(request.POST, auto_id="customs-%s")
    if not form.is_valid():
        return rights.page(request, actor, number, customs_form=form)
    customs.record_customs(number, NewRecordal(**form.cleaned_data), by=actor, at=clock.now())
    messages.success(request, _("The recordal is noted."))
    return None


urlpatterns = [
    path("rights/<str:number>/licence", licence, name="right-licence"),
    path("rights/<str:number>/licence/end", small_form(_end, "#head-grants"), name="right-licence-end"),
    path("rights/<str:number>/papers", small_form(_paper, "#head-papers"), name="right-paper"),
    path("rights/<str:number>/disputes", small_form(_dispute, "#head-disputes"), name="right-dispute"),
    path(
        "rights/<str:number>/disputes/close", small_form(_close_dispute, "#head-disputes"), name="right-dispute-close"
    ),
    path("rights/<str:number>/customs", small_form(_customs, "#head-customs"), name="right-customs"),
]
