"""The page that asks: may he sell here? The answer is `rights.coverage`'s, with the chain of grants it rests on."""

from __future__ import annotations

from datetime import date
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import path
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_safe

from chopmark.base import clock
from chopmark.base.errors import Invalid, Refused
from chopmark.rights import coverage, offices
from chopmark.rights.coverage import Sale
from chopmark.rights.queries import registry
from chopmark.rights.record import Party, Right
from chopmark.web.context import actor_of
from chopmark.web.forms.rights import MayForm
from chopmark.web.views import right_words as words
from chopmark.web.views import territory_map
from chopmark.web.views.rights import private
from chopmark.web.views.rights_nav import rights_nav

OFFERED = 100  # own rights that the field proposes
PAINTS = {"yes": "yes", "unknown": "wait"}
PAINT_WORDS = {"yes": gettext_lazy("may sell"), "wait": gettext_lazy("not known")}


@require_safe
def page(request: HttpRequest) -> HttpResponse:
    """The question, and its answer where the address asks one."""
    actor, now = actor_of(request), clock.now()
    actor.must("view_rights")
    asked = "seller" in request.GET
    first = {"on": now.date(), "right": request.GET.get("right", "")[:80]}
    form = MayForm(request.GET) if asked else MayForm(initial=first)
    answer: dict[str, Any] = {}
    if asked and form.is_valid():
        try:
            found = registry.right_of(actor, form.cleaned_data["right"], at=now)
            on = form.cleaned_data["on"] or offices.day(found.right.record.office, now)
            answer = _answer(found.right, form.cleaned_data, on)
        except (Refused, Invalid) as error:
            if error.code.startswith("people."):
                raise
            form.add_error(None, words.sentence(error))
    own = registry.rights_of(actor, at=now, limit=OFFERED).items
    context = {
        "form": form,
        **answer,
        "own_rights": [(each.number, words.name_of(each.record)) for each in own],
        "territory_choices": words.territory_choices(),
        "rights_nav": rights_nav(request),
    }
    return private(render(request, "rights/may.html", context, status=422 if asked and form.errors else 200))


def _answer(right: Right, typed: dict[str, Any], on: date) -> dict[str, Any]:
    def ask(territory: str) -> Sale:
        return coverage.may_sell(
            right,
            territory=territory,
            on=on,
            party=Party(name=typed["seller"]),
            cls=typed["cls"],
            channel=typed["channel"],
        )

    sale = ask(typed["territory"])
    # Where the right has no effect there is nothing to ask; only what it reaches is painted.
    reached = coverage.reach(right, cls=typed["cls"], on=on) if sale.chain else frozenset()
    painted = [(code, PAINTS.get(ask(code).value, "no")) for code in sorted(reached & set(territory_map.GRID))]
    return {
        "answer": {
            "answer": sale.value,
            "question": _question(right, typed, on),
            "reasons": list(dict.fromkeys(words.coded(each.code, each.facts) for each in sale.reasons)),
            "chain": [words.interest_facts(each, on) for each in reversed(sale.chain)],
        },
        "map": words.map_facts(painted, on) if painted else None,
        "map_lists": [
            {"label": text, "names": ", ".join(words.territory_name(code) for code, each in painted if each == paint)}
            for paint, text in PAINT_WORDS.items()
            if any(each == paint for _code, each in painted)
        ],
    }


def _question(right: Right, typed: dict[str, Any], on: date) -> str:
    named = f"{words.name_of(right.record)} ({right.number})"
    return " · ".join((typed["seller"], named, words.territory_name(typed["territory"]), on.isoformat()))


urlpatterns = [path("rights/may", page, name="right-may")]
