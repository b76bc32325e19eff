"""The first screen: what Chopmark is for a visitor, what waits for somebody signed in."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from chopmark.evidence import queries as evidence
from chopmark.web.context import actor_of, organisations_of
from chopmark.web.views import trust

LATEST = 5


@require_safe
def page(request: HttpRequest) -> HttpResponse:
    """The welcome page, or the dashboard of the organisation one acts for."""
    if not request.user.is_authenticated:
        return render(request, "home/welcome.html")
    if not organisations_of(request):
        return render(request, "home/no_organisation.html")
    actor = actor_of(request)
    found = evidence.deposits_of(actor, limit=LATEST)
    return render(
        request,
        "home/dashboard.html",
        {
            "deposits": found.items,
            "pending": found.counts.get("pending", 0),
            "published": found.counts.get("published", 0),
            "may_deposit": actor.may("deposit"),
            "notice": trust.waiting_notice(),
            "may_manage_members": actor.may("manage_members"),
        },
    )
