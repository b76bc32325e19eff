"""Pages of marketplaces: register one, change it, stop it, see what waits or failed, and its sellers."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import path, reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from chopmark.base import clock
from chopmark.base.errors import Invalid, Refused
from chopmark.people.actor import Actor
from chopmark.watch.actions import marketplace as shops
from chopmark.watch.actions.feed import revive_listings
from chopmark.watch.actions.marketplace import NewMarketplace
from chopmark.watch.queries import marketplaces
from chopmark.watch.queries.marketplaces import MarketplaceSummary
from chopmark.web.context import actor_of
from chopmark.web.forms.watch import MarketplaceForm
from chopmark.web.views.casework import tell, worded
from chopmark.web.views.right_words import sentence
from chopmark.web.views.rights import private
from chopmark.web.views.watch_nav import watch_nav

SHOWN = 50


@require_http_methods(["GET", "HEAD"])
def listing(request: HttpRequest) -> HttpResponse:
    """Those that the organisation runs."""
    actor = actor_of(request)
    context = {
        "watch_nav": watch_nav(request),
        "marketplaces": [
            {**facts(each), "waiting": marketplaces.waiting_in(actor, each.name)}
            for each in marketplaces.marketplaces_of(actor)
        ],
        "may_manage": actor.may("manage_rules"),
    }
    return private(render(request, "watch/marketplaces.html", context))


def facts(one: MarketplaceSummary) -> dict[str, Any]:
    """A marketplace for templates."""
    return {
        "name": one.name,
        "title": one.title,
        "url": reverse("watch-marketplace", args=[one.name]),
        "target": one.target,
        "fetches": one.fetches,
        "channels": ", ".join(one.channels),
        "automatic": one.automatic,
        "two_persons": one.two_persons,
        "made_at": one.made_at,
        "stopped_at": one.stopped_at,
    }


@require_http_methods(["GET", "HEAD", "POST"])
def new(request: HttpRequest) -> HttpResponse:
    """Register one."""
    actor = actor_of(request)
    actor.must("manage_rules")
    form = MarketplaceForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            made = shops.register_marketplace(NewMarketplace(**form.cleaned_data), by=actor, at=clock.now())
        except (Refused, Invalid) as error:
            form.add_error(None, sentence(error))
        else:
            messages.success(request, _("The marketplace is registered. Give its key to whoever runs its server."))
            return redirect("watch-marketplace", made.name)
    context = {"watch_nav": watch_nav(request), "form": form}
    return private(render(request, "watch/marketplace_new.html", context, status=422 if form.errors else 200))


@require_http_methods(["GET", "HEAD", "POST"])
def detail(request: HttpRequest, name: str) -> HttpResponse:
    """One of them; POST changes it."""
    actor = actor_of(request)
    one = marketplaces.marketplace_of(actor, name)
    manages = actor.may("manage_rules")
    typed = {
        "name": one.name,
        "title": one.title,
        "target": one.target,
        "fetches": one.fetches,
        "channels": one.channels,
        "automatic": one.automatic,
        "two_persons": one.two_persons,
    }
    form = MarketplaceForm(request.POST if request.method == "POST" else None, initial=typed, known=one.name)
    if request.method == "POST":
        actor.must("manage_rules")
        if form.is_valid():
            try:
                shops.change_marketplace(NewMarketplace(**{**form.cleaned_data, "name": one.name}), by=actor)
            except (Refused, Invalid) as error:
                form.add_error(None, sentence(error))
            else:
                messages.success(request, _("The change is kept."))
                return redirect("watch-marketplace", name)
    context = {
        "watch_nav": watch_nav(request),
        "marketplace": facts(one),
        "waiting": marketplaces.waiting_in(actor, name),
        "dead": [dead_facts(each) for each in marketplaces.dead_listings_of(actor, name, limit=SHOWN)],
        "sellers": marketplaces.sellers_of(actor, name, limit=SHOWN),
        "measure_key": marketplaces.measure_key_of(actor, name) if manages else "",
        "form": form,
        "may_manage": manages,
    }
    return private(render(request, "watch/marketplace.html", context, status=422 if form.is_bound else 200))


def dead_facts(one: marketplaces.DeadListing) -> dict[str, Any]:
    """A listing that could not be judged."""
    return {
        "item": one.item,
        "version": one.version,
        "tries": one.tries,
        "trouble": worded(one.trouble, {"kind": ""}) or one.trouble,
        "dead_at": one.dead_at,
    }


@require_http_methods(["GET", "HEAD", "POST"])
def stop(request: HttpRequest, name: str) -> HttpResponse:
    """Take no listings of it any more."""
    actor: Actor = actor_of(request)
    if request.method == "POST":
        try:
            shops.stop_marketplace(name, by=actor, at=clock.now())
        except (Refused, Invalid) as error:
            tell(request, error)
        else:
            messages.success(request, _("Its listings are not taken any more. Keep its form to let it in again."))
    return redirect("watch-marketplace", name)


@require_http_methods(["GET", "HEAD", "POST"])
def revive(request: HttpRequest, name: str) -> HttpResponse:
    """Judge what could not be judged once more."""
    actor: Actor = actor_of(request)
    if request.method == "POST":
        try:
            revive_listings(name, by=actor, at=clock.now())
        except (Refused, Invalid) as error:
            tell(request, error)
        else:
            messages.success(request, _("They are judged once more."))
    return redirect("watch-marketplace", name)


urlpatterns = [
    path("watch/marketplaces", listing, name="watch-marketplaces"),
    path("watch/marketplaces/new", new, name="watch-marketplace-new"),
    path("watch/marketplaces/<str:name>", detail, name="watch-marketplace"),
    path("watch/marketplaces/<str:name>/stop", stop, name="watch-marketplace-stop"),
    path("watch/marketplaces/<str:name>/revive", revive, name="watch-marketplace-revive"),
]
