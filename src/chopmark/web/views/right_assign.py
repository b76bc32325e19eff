"""The page that assigns a right, or some of its classes, to somebody else.

No rule stands here: `rights.actions.interest` decides. The paper is asked for once, also when the form is refused.
"""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from django.contrib import messages
from django.forms import Form
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.urls import path
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from chopmark.base import clock
from chopmark.base.errors import Invalid, Refused, Unavailable
from chopmark.evidence import queries as evidence
from chopmark.people.actor import Actor
from chopmark.rights.actions import interest
from chopmark.rights.actions.file import NewPaper
from chopmark.rights.record import Party
from chopmark.web.context import actor_of
from chopmark.web.forms.handover import AssignForm
from chopmark.web.views import right_words as words
from chopmark.web.views.rights import FILED, own_right_of, private, taken


@require_http_methods(["GET", "HEAD", "POST"])
def assign(request: HttpRequest, number: str) -> HttpResponse:
    """Assign a right: to whom, which classes, from when, with its paper."""
    actor, now = actor_of(request), clock.now()
    actor.must("file_rights")
    actor.must("manage_members")
    found = own_right_of(actor, number, now)
    form = AssignForm(with_paper(request, actor, now)) if request.method == "POST" else AssignForm()
    if request.method == "POST" and form.is_valid():
        typed = form.cleaned_data
        try:
            interest.assign(
                found.summary.id,
                Party(name=typed["name"], country=typed["country"]),
                by=actor,
                at=clock.now(),
                on=typed["on"],
                organisation=typed["organisation"],
                classes=typed["classes"],
                recorded_at_office=typed["recorded_at_office"],
                paper=paper_of(typed["paper"], "assignment"),
            )
        except (Refused, Invalid, Unavailable) as error:
            form.add_error(None, words.sentence(error))
        else:
            request.session[FILED] = f"assign.{found.right.number}"
            messages.success(request, _("The assignment stands on the ledger."))
            return redirect("right", found.right.number)
    context = {
        "right": words.row_facts(found.right),
        "form": form,
        "chosen_name": chosen_name(form, actor),
        "territory_choices": words.territory_choices(),
    }
    return private(render(request, "rights/assign.html", context, status=422 if form.errors else 200))


def with_paper(request: HttpRequest, actor: Actor, at: datetime) -> QueryDict:
    """What was typed; a paper that came is taken in at once, so that a refusal does not lose it."""
    typed = request.POST.copy()
    file = request.FILES.get("file")
    if file is not None and file.size:
        typed["paper"] = str(taken(file, actor, at))
    return typed


def paper_of(upload: UUID | None, kind: str) -> NewPaper | None:
    """The paper that came with a form."""
    return None if upload is None else NewPaper(kind=kind, upload=upload)


def chosen_name(form: Form, actor: Actor) -> str:
    """The name of the paper that is here already."""
    try:
        return evidence.upload_of(actor, UUID(form.data.get("paper", ""))).file_name if form.is_bound else ""
    except (ValueError, Refused):
        return ""


urlpatterns = [path("rights/<str:number>/assign", assign, name="right-assign")]
