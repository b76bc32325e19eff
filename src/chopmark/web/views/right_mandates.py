"""Pages of mandates: those that the organisation gave and those that it has; give one, accept, refuse, end one.

No rule stands here: `rights.actions.mandate` decides, and a refusal is shown on the page it came from.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import path, reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from chopmark.base import clock
from chopmark.base.errors import Invalid, Refused, Unavailable
from chopmark.people.actor import Actor
from chopmark.rights.actions import mandate as changing
from chopmark.rights.actions.mandate import NewMandate
from chopmark.rights.queries import registry
from chopmark.rights.queries.registry import MandateSummary
from chopmark.web.context import actor_of
from chopmark.web.forms.handover import POWER_WORDS, POWERS, MandateForm
from chopmark.web.views import right_words as words
from chopmark.web.views.casework import tell
from chopmark.web.views.right_assign import chosen_name, paper_of, with_paper
from chopmark.web.views.rights import FILED, private
from chopmark.web.views.rights_nav import rights_nav


@require_safe
def listing(request: HttpRequest) -> HttpResponse:
    """Mandates that the organisation gave, and those that it was given."""
    actor, now = actor_of(request), clock.now()
    rows = [(each, facts(actor, each, now.date())) for each in registry.mandates_of(actor, at=now)]
    mine = str(actor.organisation_id)
    context = {
        "had": [row for each, row in rows if each.mandate.agent == mine],
        "given": [row for each, row in rows if each.mandate.principal == mine],
        "may_give": actor.may("file_rights") and actor.may("manage_members"),
        "draft_done": request.session.pop(FILED, "") if request.method == "GET" else "",
        "rights_nav": rights_nav(request),
    }
    return private(render(request, "rights/mandates.html", context))


def facts(actor: Actor, one: MandateSummary, on: date) -> dict[str, Any]:
    """A mandate for a list, with what may be done about it; the actions decide again."""
    said = one.mandate
    agent = said.agent == str(actor.organisation_id)
    state, mark = state_of(one, on, agent=agent)
    may = actor.may("file_rights")
    return {
        "id": one.id,
        "name": one.principal_name if agent else one.agent_name,
        "state": state,
        "state_mark": mark,
        "powers": [POWER_WORDS[each] for each in POWERS if each in said.powers],
        "territories": ", ".join(words.territory_name(each) for each in said.territories),
        "rights": one.right_numbers,
        "more_rights": len(said.rights) > len(one.right_numbers),
        "since": said.since,
        "until": said.until,
        "accepted_on": said.accepted_on,
        "ends_on": said.revoked_on,
        "paper": said.document.hex(),
        "accept_url": _address("accept", one) if agent and one.offered and actor.may("manage_members") else "",
        "refuse_url": _address("end", one) if may and agent and one.offered else "",
        "end_url": _address("end", one) if may and _running(one, agent=agent) else "",
    }


def _address(verb: str, one: MandateSummary) -> str:
    return reverse(f"right-mandate-{verb}", args=[one.id])


def _running(one: MandateSummary, *, agent: bool) -> bool:
    """Whether there is something to end: the principal takes an offer back, the agent refuses it by another button."""
    return not one.ended and not (agent and one.offered)


def state_of(one: MandateSummary, on: date, *, agent: bool) -> tuple[str, str]:
    """In a few words, and how they are marked."""
    said = one.mandate
    if one.offered:
        return (_("Waits for your answer") if agent else _("Waits for the agent")), "mark-wait"
    if one.in_force:
        return _("In force"), "mark-good"
    if not one.ended:
        return _("Not yet begun"), "mark-wait"
    if said.accepted_on is None:
        return _("Never accepted"), ""
    if said.revoked_on is not None and said.revoked_on <= on:
        return _("Ended"), ""
    return _("Run out"), ""


@require_http_methods(["GET", "HEAD", "POST"])
def new(request: HttpRequest) -> HttpResponse:
    """Let an agent act."""
    actor, now = actor_of(request), clock.now()
    actor.must("file_rights")
    actor.must("manage_members")
    form = MandateForm(with_paper(request, actor, now)) if request.method == "POST" else MandateForm()
    if request.method == "POST" and form.is_valid():
        typed = form.cleaned_data
        given = NewMandate(
            agent=typed["agent"],
            powers=frozenset(typed["powers"]),
            territories=typed["territories"],
            rights=typed["rights"],
            since=typed["since"],
            until=typed["until"],
            paper=paper_of(typed["paper"], "mandate"),
        )
        try:
            made = changing.give_mandate(given, by=actor, at=clock.now())
        except (Refused, Invalid, Unavailable) as error:
            form.add_error(None, words.sentence(error))
        else:
            request.session[FILED] = f"mandate.{actor.organisation_id}"
            said = _("The mandate is offered to %(name)s. It counts as soon as they accept it.")
            messages.success(request, said % {"name": made.agent_name})
            return redirect("right-mandates")
    context = {
        "form": form,
        "chosen_name": chosen_name(form, actor),
        "territory_choices": words.territory_choices(),
    }
    return private(render(request, "rights/mandate_new.html", context, status=422 if form.errors else 200))


Change = Callable[[UUID, Actor], str]


def _small_form(change: Change) -> Callable[..., HttpResponse]:
    """A view for one small form: do it, go back to the list; a refusal is said there."""

    @require_http_methods(["GET", "HEAD", "POST"])
    def view(request: HttpRequest, mandate: UUID) -> HttpResponse:
        actor = actor_of(request)
        if request.method == "POST":
            try:
                messages.success(request, change(mandate, actor))
            except (Refused, Invalid) as error:
                tell(request, error)
        return redirect("right-mandates")  # also for who is back from signing in

    return view


def _accept(mandate: UUID, actor: Actor) -> str:
    made = changing.accept_mandate(mandate, by=actor, at=clock.now())
    return _("You act for %(name)s from now on.") % {"name": made.principal_name}


def _end(mandate: UUID, actor: Actor) -> str:
    changing.revoke_mandate(mandate, by=actor, at=clock.now())
    return _("The mandate has ended. What was done under it stays.")


urlpatterns = [
    path("rights/mandates", listing, name="right-mandates"),
    path("rights/mandates/new", new, name="right-mandate-new"),
    path("rights/mandates/<uuid:mandate>/accept", _small_form(_accept), name="right-mandate-accept"),
    path("rights/mandates/<uuid:mandate>/end", _small_form(_end), name="right-mandate-end"),
]
