"""The review queue: what waits, the card on one's desk, answers by button or key, the next card.

    GET  watch/queue                what waits; how reviewers judge, for owners
    POST watch/queue/next           take the next card, or the one that lies on the desk
    GET  watch/queue/cards/<id>     the card; POST answers it and takes the next
    POST watch/queue/cards/<id>/back    put it back unanswered

A card is one person's until its lease ends. Nothing is claimed by looking.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import path, reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from chopmark.base import clock
from chopmark.base.errors import Invalid, Refused
from chopmark.people.actor import Actor
from chopmark.watch.actions import review
from chopmark.watch.queries import queue
from chopmark.watch.queries.queue import Card, Reviewers
from chopmark.web.context import actor_of
from chopmark.web.views import watch_words as words
from chopmark.web.views.casework import tell
from chopmark.web.views.right_words import in_words
from chopmark.web.views.rights import private
from chopmark.web.views.watch_hits import LAST, decided_text, many_facts, opinion_of, shown_pictures, typed_in
from chopmark.web.views.watch_nav import watch_nav

SHOWN = 50


@require_http_methods(["GET", "HEAD"])
def page(request: HttpRequest) -> HttpResponse:
    """What waits, most urgent first."""
    actor = actor_of(request)
    found = queue.queue_of(actor, at=clock.now(), limit=SHOWN)
    context = {
        "watch_nav": watch_nav(request),
        "waiting": [
            {"text": in_words(words.STATE_WORDS, state), "count": count} for state, count in found.waiting.items()
        ],
        "total": sum(found.waiting.values()),
        "claimed": found.claimed,
        "audits": found.audits,
        "oldest": found.oldest,
        "rows": [words.row_facts(each) for each in found.next],
        "shown": SHOWN,
        "reviewers": reviewer_facts(queue.reviewers_of(actor), actor) if actor.may("manage_rules") else None,
        "back": request.path,
        **many_facts(request, actor),
    }
    return private(render(request, "watch/queue.html", context))


def reviewer_facts(found: Reviewers, actor: Actor) -> dict[str, Any]:
    """How people judge; kappa says how far two agree beyond chance."""
    names = words.names_of(actor)
    kappa = found.agreement.kappa
    return {
        "rows": [
            {
                "name": words.who(names, each.user, mine=True),
                "decided": each.decided,
                "skipped": each.skipped,
                "undone": each.undone,
                "golden": each.golden,
                "golden_right": each.golden_right,
            }
            for each in found.reviewers
        ],
        "pairs": found.agreement.count,
        "agreed": found.agreement.agreed,
        "kappa": "–" if kappa is None else f"{kappa / 1000:.2f}",
    }


@require_http_methods(["GET", "HEAD", "POST"])
def take(request: HttpRequest) -> HttpResponse:
    """The next card."""
    actor = actor_of(request)
    return _next(request, actor) if request.method == "POST" else redirect("watch-queue")


def _next(request: HttpRequest, actor: Actor) -> HttpResponse:
    try:
        found = review.claim_review(by=actor, at=clock.now())
    except (Refused, Invalid) as error:
        tell(request, error)
        return redirect("watch-queue")
    if found is None:
        messages.info(request, _("Nothing waits for you."))
        return redirect("watch-queue")
    return redirect("watch-card", found.id)


@require_http_methods(["GET", "HEAD", "POST"])
def card(request: HttpRequest, claim: UUID) -> HttpResponse:
    """A card on this person's desk."""
    actor = actor_of(request)
    if request.method == "POST":
        try:
            said = review.decide_card(claim, opinion_of(request.POST), by=actor, at=clock.now())
        except (Refused, Invalid) as error:
            tell(request, error)
            return _card(request, actor, claim, typed=typed_in(request.POST))
        if said.golden is None and said.number and request.POST.get("answer") != "skip":
            request.session[LAST] = said.number
            messages.success(request, decided_text(said.number, said.state))
        else:  # a golden sample's answer is noted, not shown: the next one would be known
            messages.success(request, _("Your answer is noted."))
        return _next(request, actor)
    return _card(request, actor, claim)


def _card(request: HttpRequest, actor: Actor, claim: UUID, *, typed: Mapping[str, str] | None = None) -> HttpResponse:
    """Its page; with what was typed where that was refused."""
    found = queue.card(actor, claim, at=clock.now())
    if found is None:
        messages.warning(request, _("That card is not on your desk any more."))
        if typed and typed["note"]:
            messages.info(request, _("Your note was: %(note)s") % {"note": typed["note"]})
        return redirect("watch-queue")
    context = {**card_facts(request, actor, found), "typed": typed}
    return private(render(request, "watch/card.html", context, status=422 if typed is not None else 200))


def card_facts(request: HttpRequest, actor: Actor, found: Card) -> dict[str, Any]:
    """For the template."""
    last = request.session.get(LAST, "")
    return {
        "watch_nav": watch_nav(request),
        "card": found.id,
        "until": found.until,
        "minutes": max(0, round((found.until - clock.now()).total_seconds() / 60)),
        "hit": words.story_facts(actor, found.hit, shown_pictures(found.hit)) if found.hit is not None else None,
        "listing": words.listing_facts(found.listing),
        "decide_url": reverse("watch-card", args=[found.id]),
        "last": last,
        "last_url": reverse("watch-hit", args=[last]) if last else "",
        **many_facts(request, actor),
    }


@require_http_methods(["GET", "HEAD", "POST"])
def put_back(request: HttpRequest, claim: UUID) -> HttpResponse:
    """Put a card back unanswered: another may take it."""
    if request.method == "POST":
        try:
            review.give_back_card(claim, by=actor_of(request), at=clock.now())
        except (Refused, Invalid) as error:
            tell(request, error)
    return redirect("watch-queue")


urlpatterns = [
    path("watch/queue", page, name="watch-queue"),
    path("watch/queue/next", take, name="watch-queue-next"),
    path("watch/queue/cards/<uuid:claim>", card, name="watch-card"),
    path("watch/queue/cards/<uuid:claim>/back", put_back, name="watch-card-back"),
]
