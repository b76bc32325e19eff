"""Pages of marks: how a right's sign is looked for in listings, and what its holder says of it.

No rule stands here: `watch.actions.markset.describe_mark` decides who may say it and what is well formed.
"""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import path, reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from chopmark.base import clock
from chopmark.base.errors import Invalid, Refused
from chopmark.watch.actions.markset import describe_mark
from chopmark.watch.queries import marks
from chopmark.watch.queries.marks import MarkSummary
from chopmark.web.context import actor_of
from chopmark.web.forms.watch import MarkForm
from chopmark.web.views.right_words import sentence, territory_name
from chopmark.web.views.rights import private
from chopmark.web.views.watch_nav import watch_nav

NUMBER_LENGTH = 40
PLACES_SHOWN = 12


@require_safe
def listing(request: HttpRequest) -> HttpResponse:
    """The reader's marks, newest first."""
    actor = actor_of(request)
    found = marks.marks_of(actor, at=clock.now(), after=request.GET.get("after", "")[:NUMBER_LENGTH])
    context = {
        "watch_nav": watch_nav(request),
        "marks": [facts(each) for each in found.items],
        "next": found.next,
        "may_file": actor.may("file_rights"),
    }
    return private(render(request, "watch/marks.html", context))


def facts(one: MarkSummary) -> dict[str, Any]:
    """A mark for templates."""
    places = [territory_name(each) for each in one.territories[:PLACES_SHOWN]]
    more = len(one.territories) - len(places)
    return {
        "number": one.number,
        "title": one.title,
        "url": reverse("watch-mark", args=[one.number]),
        "right_url": reverse("right", args=[one.number]),
        "hits_url": f"{reverse('watch-hits')}?right={one.number}",
        "searched": one.searched,
        "texts": one.texts,
        "aliases": one.aliases,
        "names": [*one.texts[1:], *one.aliases],
        "classes": ", ".join(one.classes),
        "places": ", ".join(places) + (_(" and %(n)s more") % {"n": more} if more > 0 else ""),
        "distinctiveness": one.distinctiveness,
        "near": one.near,
        "well_known": one.well_known,
        "changed_at": one.changed_at,
    }


@require_http_methods(["GET", "HEAD", "POST"])
def detail(request: HttpRequest, number: str) -> HttpResponse:
    """One mark; POST says more of its sign."""
    actor, now = actor_of(request), clock.now()
    one = marks.mark_of(actor, number, at=now)
    may_change = actor.may("file_rights")
    typed = {
        "aliases": one.aliases,
        "distinctiveness": one.distinctiveness,
        "near": one.near,
        "well_known": one.well_known,
    }
    form = MarkForm(request.POST if request.method == "POST" else None, initial=typed)
    if request.method == "POST":
        actor.must("file_rights")
        if form.is_valid():
            try:
                describe_mark(one.id, by=actor, at=now, **form.cleaned_data)
            except (Refused, Invalid) as error:
                form.add_error(None, sentence(error))
            else:
                text = _("It is kept. New listings are compared with it within a minute, those here are searched anew.")
                messages.success(request, text)
                return redirect("watch-mark", one.number)
    context = {"watch_nav": watch_nav(request), "mark": facts(one), "form": form, "may_change": may_change}
    return private(render(request, "watch/mark.html", context, status=422 if form.is_bound else 200))


urlpatterns = [
    path("watch/marks", listing, name="watch-marks"),
    path("watch/marks/<str:number>", detail, name="watch-mark"),
]
