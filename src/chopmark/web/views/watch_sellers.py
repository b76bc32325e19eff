"""Pages of a marketplace's sellers, and of the measures that it was asked for.

Whoever runs the marketplace says here which organisation a seller is; licences of rights' holders to that organisation
then count. No rule stands here: `watch.actions.marketplace.name_seller` decides.
"""

from __future__ import annotations

from datetime import UTC, datetime, time
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import path, reverse
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from chopmark.base import clock
from chopmark.base.errors import Invalid, Refused
from chopmark.people.queries import organisation_names
from chopmark.watch.actions.marketplace import name_seller
from chopmark.watch.queries import marketplaces, measures, sellers
from chopmark.watch.queries.marketplaces import MarketplaceSummary, SellerSummary
from chopmark.watch.queries.measures import MeasureSummary
from chopmark.web.context import actor_of
from chopmark.web.forms.watch import SellerForm
from chopmark.web.views import watch_words as words
from chopmark.web.views.casework import worded
from chopmark.web.views.right_words import in_words, sentence
from chopmark.web.views.rights import private
from chopmark.web.views.watch_nav import PAGE, page_of, turning, watch_nav

# ---- sellers


@require_safe
def listing(request: HttpRequest, name: str) -> HttpResponse:
    """The marketplace's sellers, those with confirmed hits first."""
    actor, page = actor_of(request), page_of(request)
    one = marketplaces.marketplace_of(actor, name)
    q = request.GET.get("q", "").strip()[:200]
    found = sellers.sellers_found(actor, name, q=q, limit=PAGE, offset=PAGE * (page - 1))
    known = organisation_names([each.organisation for each in found.items if each.organisation is not None])
    context = {
        "watch_nav": watch_nav(request),
        "marketplace": one,
        "q": q,
        "total": found.total,
        "sellers": [
            {**seller_facts(one, each), "organisation": known.get(each.organisation, "") if each.organisation else ""}
            for each in found.items
        ],
        "may_manage": actor.may("manage_rules"),
        **turning(page, found.total, q=q),
    }
    return private(render(request, "watch/sellers.html", context))


def seller_facts(one: MarketplaceSummary, seller: SellerSummary) -> dict[str, Any]:
    """A seller for templates."""
    return {
        "number": seller.number,
        "name": seller.name,
        "joined_at": seller.joined_at,
        "seen_at": seller.seen_at,
        "confirmed": seller.confirmed,
        "dismissed": seller.dismissed,
        "hits_url": f"{reverse('watch-hits')}?{urlencode([('marketplace', one.name), ('seller', seller.number)])}",
        "name_url": f"{reverse('watch-seller', args=[one.name])}?{urlencode([('number', seller.number)])}",
    }


@require_http_methods(["GET", "HEAD", "POST"])
def named(request: HttpRequest, name: str) -> HttpResponse:
    """Say who a seller is."""
    actor = actor_of(request)
    actor.must("manage_rules")
    one = marketplaces.marketplace_of(actor, name)
    number = request.GET.get("number", "")
    known = sellers.seller_of(actor, name, number) if number else None
    typed = {"number": number}
    if known is not None:
        typed = {
            "number": known.number,
            "name": known.name,
            "organisation": str(known.organisation or ""),
            "joined_on": known.joined_at.date().isoformat() if known.joined_at else "",
        }
    form = SellerForm(request.POST if request.method == "POST" else None, initial=typed)
    if request.method == "POST" and form.is_valid():
        said = form.cleaned_data
        try:
            name_seller(
                name,
                said["number"],
                by=actor,
                at=clock.now(),
                name=said["name"],
                organisation=said["organisation"],
                joined_at=datetime.combine(said["joined_on"], time(), UTC) if said["joined_on"] else None,
            )
        except (Refused, Invalid) as error:
            form.add_error(None, sentence(error))
        else:
            messages.success(request, _("It is kept: %(seller)s.") % {"seller": said["number"]})
            return redirect(f"{reverse('watch-sellers', args=[name])}?{urlencode([('q', said['number'])])}")
    context = {"watch_nav": watch_nav(request), "marketplace": one, "form": form, "number": number}
    return private(render(request, "watch/seller.html", context, status=422 if form.is_bound else 200))


# ---- measures


@require_safe
def asked(request: HttpRequest, name: str) -> HttpResponse:
    """What the marketplace was asked for, and what it answered."""
    actor, page = actor_of(request), page_of(request)
    one = marketplaces.marketplace_of(actor, name)
    state = request.GET.get("state", "")
    if state and state not in measures.STATES:
        raise Http404
    found = measures.measures_of(actor, name, state=state, limit=PAGE, offset=PAGE * (page - 1))
    here = reverse("watch-measures", args=[name])
    chips = [{"text": _("All"), "count": sum(found.counts.values()), "url": here, "here": not state}]
    for each in measures.STATES:
        text, count = in_words(words.MEASURE_STATE_WORDS, each), found.counts.get(each, 0)
        chips.append({"text": text, "count": count, "url": f"{here}?state={each}", "here": each == state})
    context = {
        "watch_nav": watch_nav(request),
        "marketplace": one,
        "chips": chips,
        "measures": [asked_facts(each) for each in found.items],
        **turning(page, found.total, state=state),
    }
    return private(render(request, "watch/measures.html", context))


def asked_facts(one: MeasureSummary) -> dict[str, Any]:
    """A measure in a list."""
    return {
        "kind": in_words(words.OUTCOME_WORDS, one.kind),
        "state": in_words(words.MEASURE_STATE_WORDS, one.state),
        "mark": words.MEASURE_MARKS.get(one.state, ""),
        "hit": one.hit,
        "hit_url": reverse("watch-hit", args=[one.hit]),
        "item": one.item,
        "seller": one.seller,
        "automatic": one.automatic,
        "tries": one.tries,
        "trouble": worded(one.trouble, one.facts),
        "made_at": one.made_at,
        "done_at": one.done_at,
        "deposit_url": reverse("deposit", args=[one.deposit]) if one.deposit is not None else "",
    }


urlpatterns = [
    path("watch/marketplaces/<str:name>/sellers", listing, name="watch-sellers"),
    path("watch/marketplaces/<str:name>/seller", named, name="watch-seller"),
    path("watch/marketplaces/<str:name>/measures", asked, name="watch-measures"),
]
