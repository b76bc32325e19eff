"""The page that searches look-alike words and logos, and the watches that go on searching."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import path, reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods

from chopmark.base import clock
from chopmark.base.errors import Invalid, Refused, Unavailable
from chopmark.people.actor import Actor
from chopmark.rights.actions import watch as watching
from chopmark.rights.actions.watch import NewWatch
from chopmark.rights.queries import search, watches
from chopmark.rights.queries.search import Answer, Found, Narrow
from chopmark.rights.queries.watches import FindSummary, WatchSummary
from chopmark.web.context import actor_of
from chopmark.web.forms.rights import LogoForm, SearchForm
from chopmark.web.turns import turn
from chopmark.web.views import right_words as words
from chopmark.web.views.casework import tell
from chopmark.web.views.rights import private
from chopmark.web.views.rights_nav import rights_nav

SCORE_WORDS = {
    "look": gettext_lazy("Looks alike"),
    "sound": gettext_lazy("Sounds alike"),
    "contains": gettext_lazy("Is contained"),
    "shape": gettext_lazy("Shape"),
    "polar": gettext_lazy("Shape, turned"),
    "same": gettext_lazy("Same picture"),
}
HIGH, MIDDLE = 92, 85  # of 100: how a total is painted
SHOWN_FINDS = 10


@require_http_methods(["GET", "HEAD", "POST"])
def page(request: HttpRequest) -> HttpResponse:
    """The search: words by address, so that a search can be passed on; a logo by POST."""
    actor = actor_of(request)
    actor.must("view_rights")
    asked = "q" in request.GET
    form = SearchForm(request.GET) if asked else SearchForm()
    logo = LogoForm(request.POST or None, request.FILES or None, auto_id="logo-%s")
    answer: Answer | None = None
    trouble = ""
    try:
        if request.method == "POST" and logo.is_valid():
            answer = _by_logo(actor, logo.cleaned_data)
        elif asked and form.is_valid():
            answer = search.find_words(
                actor, form.cleaned_data["q"], _narrow(form.cleaned_data), at=clock.now(), patient=True
            )
    except Invalid as error:
        (logo if request.method == "POST" else form).add_error(None, words.sentence(error))
    except (Refused, Unavailable) as error:
        trouble = words.sentence(error)
    wrong = bool(logo.errors) or (asked and bool(form.errors))
    context = {
        "form": form,
        "logo_form": logo,
        "trouble": trouble,
        "asked": answer is not None,
        "hits": [hit_facts(each) for each in answer.hits] if answer is not None else [],
        "took": _("%(n)s ms") % {"n": round(1000 * answer.seconds)} if answer is not None else "",
        "may_watch": answer is not None and asked and actor.may("file_rights"),
        "may_change": actor.may("file_rights"),
        "watches": _watches(actor),
        "territory_choices": words.territory_choices(),
        "rights_nav": rights_nav(request),
    }
    return private(render(request, "rights/search.html", context, status=422 if wrong else 200))


def _by_logo(actor: Actor, typed: Mapping[str, Any]) -> Answer:
    logo = typed["logo"]
    if logo.size > search.MAX_PICTURE:
        raise Invalid("similarity.picture_too_large", limit=search.MAX_PICTURE)
    with turn(actor):
        return search.find_logos(actor, logo.read(), _narrow(typed), at=clock.now(), patient=True)


def _narrow(typed: Mapping[str, Any]) -> Narrow:
    return Narrow(classes=typed["classes"], territories=typed["territories"])


def hit_facts(one: Found) -> dict[str, Any]:
    """A mark that resembles what was asked, with its scores as parts of a hundred."""
    total = round(100 * one.total)
    number = one.registration_number or one.application_number
    return {
        "name": one.text or one.title or number,
        "url": reverse("right", args=[one.number]) if one.mine else "",
        "number": one.number,
        "numbers": " ".join(each for each in (one.office, number) if each),
        "owner": ", ".join(one.owners),
        "classes": ", ".join(one.classes[:12]) + (" …" if len(one.classes) > 12 else ""),
        "territories": ", ".join(words.territory_name(each) for each in one.territories[:6])
        + (" …" if len(one.territories) > 6 else ""),
        "mine": one.mine,
        "total": total,
        "grade": "high" if total >= HIGH else "mid" if total >= MIDDLE else "low",
        "scores": [
            {"label": words.in_words(SCORE_WORDS, name), "value": round(100 * value)}
            for name, value in one.scores.items()
        ],
    }


def _watches(actor: Actor) -> list[dict[str, Any]]:
    kept = watches.watches_of(actor)
    found = watches.newest_finds(actor, [each.id for each in kept if each.finds], limit=SHOWN_FINDS)
    return [watch_facts(each, found.get(each.id, ())) for each in kept]


def watch_facts(one: WatchSummary, found: Sequence[FindSummary]) -> dict[str, Any]:
    """A watch with the newest of what it met."""
    limits = [_("classes %(codes)s") % {"codes": ", ".join(one.classes)}] if one.classes else []
    limits += [", ".join(words.territory_name(each) for each in one.territories)] if one.territories else []
    return {
        "id": one.id,
        "words": one.text,
        "limits": " · ".join(limits),
        "fresh": one.fresh,
        "finds": [
            {
                "text": each.found.text or each.found.title,
                "numbers": hit_facts(each.found)["numbers"],
                "owner": ", ".join(each.found.owners),
                "total": round(100 * each.found.total),
                "new": each.seen_at is None,
            }
            for each in found
        ],
    }


@require_http_methods(["GET", "HEAD", "POST"])
def watch(request: HttpRequest) -> HttpResponse:
    """Begin a watch, end one, or note that its finds were seen."""
    back = redirect(reverse("right-search") + "#head-watches")
    if request.method != "POST":  # back from signing in
        return back
    actor, now = actor_of(request), clock.now()
    actor.must("file_rights")
    try:
        if "stop" in request.POST:
            watching.stop_watch(_id(request.POST["stop"]), by=actor, at=now)
            messages.success(request, _("The watch has ended."))
        elif "seen" in request.POST:
            watching.see_finds(_id(request.POST["seen"]), by=actor, at=now)
        else:
            form = SearchForm(request.POST)
            if form.is_valid():
                new = NewWatch(text=form.cleaned_data["q"], narrow=_narrow(form.cleaned_data))
                watching.save_watch(new, by=actor, at=now)
                messages.success(request, _("New filings that are similar will be shown here."))
            else:
                messages.error(request, " ".join(str(each) for found in form.errors.values() for each in found))
    except (Refused, Invalid) as error:
        tell(request, error)
    return back


def _id(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError as error:
        raise Refused("similarity.watch_not_found") from error


urlpatterns = [
    path("rights/search", page, name="right-search"),
    path("rights/watch", watch, name="right-watch"),
]
