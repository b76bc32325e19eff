"""Pages of scans: ask for one, see how far it is, stop it. The work is done by the watcher, never here."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import path, reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from chopmark.base import clock
from chopmark.base.errors import Invalid, Refused, Unavailable
from chopmark.people.actor import Actor
from chopmark.watch.actions import scan as scanning
from chopmark.watch.actions.scan import NewScan
from chopmark.watch.queries import scans
from chopmark.watch.queries.scans import ScanSummary
from chopmark.web.context import actor_of
from chopmark.web.forms.watch import ScanForm
from chopmark.web.views import watch_words as words
from chopmark.web.views.casework import finished, tell, worded
from chopmark.web.views.right_words import in_words, sentence
from chopmark.web.views.rights import private
from chopmark.web.views.watch_nav import watch_nav

WORKING = ("waiting", "running")


@require_http_methods(["GET", "HEAD", "POST"])
def listing(request: HttpRequest) -> HttpResponse:
    """Scans, newest first; owners ask for one here."""
    actor = actor_of(request)
    shops = words.own_marketplaces(actor)
    form = ScanForm(request.POST or None, marketplaces=shops)
    if request.method == "POST":
        actor.must("manage_rules")
        if form.is_valid():
            try:
                made = scanning.start_scan(NewScan(**form.cleaned_data), by=actor, at=clock.now())
            except (Refused, Invalid, Unavailable) as error:
                form.add_error(None, sentence(error))
            else:
                messages.success(request, _("The scan is waiting; the watcher takes it up within seconds."))
                return redirect("watch-scan", made.number)
    context = {
        "watch_nav": watch_nav(request),
        "form": form,
        "scans": [scan_facts(actor, each) for each in scans.scans_of(actor)],
        "may_manage": actor.may("manage_rules"),
        "marketplaces": shops,
    }
    return private(render(request, "watch/scans.html", context, status=422 if form.is_bound and form.errors else 200))


def scan_facts(actor: Actor, one: ScanSummary) -> dict[str, Any]:
    """A scan for templates."""
    working = one.state in WORKING
    return {
        "number": one.number,
        "url": reverse("watch-scan", args=[one.number]),
        "marketplace": one.marketplace,
        "source": one.source,
        "runner": one.runner,
        "state": one.state,
        "state_text": in_words(words.SCAN_WORDS, one.state),
        "state_mark": words.SCAN_MARKS.get(one.state, ""),
        "working": working,
        "made_at": one.made_at,
        "started_at": one.started_at,
        "ended_at": one.ended_at,
        "let_go_at": one.let_go_at,
        "partitions": one.partitions,
        "done": one.partitions_done,
        "counted": one.counted,
        "counting": one.counting,
        "percent": round(100 * one.partitions_done / one.partitions) if one.partitions else 0,
        "scanned": one.scanned,
        "found": one.found,
        "rate": one.rate,
        "remaining": remaining(one.remaining) if working else "",
        "marks": one.marks,
        "rules": one.rules,
        "root": one.root.hex() if one.root is not None else "",
        "deposit_url": reverse("deposit", args=[one.deposit]) if one.deposit is not None else "",
        "trouble": worded(one.trouble, one.facts),
        "may_stop": working and actor.may("manage_rules"),
    }


def remaining(seconds: int | None) -> str:
    """Of a scan that runs; empty while nobody knows."""
    if seconds is None:
        return ""
    if seconds < 90:
        return _("%(n)s seconds") % {"n": seconds}
    minutes = round(seconds / 60)
    return _("%(n)s minutes") % {"n": minutes} if minutes < 120 else _("%(n)s hours") % {"n": f"{minutes / 60:.1f}"}


@require_safe
def detail(request: HttpRequest, number: str) -> HttpResponse:
    """One scan; while it runs, a piece of the page looks by itself."""
    actor = actor_of(request)
    context = {"watch_nav": watch_nav(request), "scan": scan_facts(actor, scans.scan_of(actor, number))}
    return private(render(request, "watch/scan.html", context))


@require_safe
def progress(request: HttpRequest, number: str) -> HttpResponse:
    """How far a scan is, as a piece of its page."""
    actor = actor_of(request)
    one = scan_facts(actor, scans.scan_of(actor, number))
    return finished(private(render(request, "watch/_progress.html", {"scan": one})), done=not one["working"])


@require_http_methods(["GET", "HEAD", "POST"])
def stop(request: HttpRequest, number: str) -> HttpResponse:
    """End a scan; what was taken over stays."""
    if request.method == "POST":
        try:
            scanning.stop_scan(number, by=actor_of(request), at=clock.now())
        except (Refused, Invalid) as error:
            tell(request, error)
        else:
            messages.success(request, _("The scan was stopped. What it found so far stays."))
    return redirect("watch-scan", number)


urlpatterns = [
    path("watch/scans", listing, name="watch-scans"),
    path("watch/scans/<str:number>", detail, name="watch-scan"),
    path("watch/scans/<str:number>/progress", progress, name="watch-scan-progress"),
    path("watch/scans/<str:number>/stop", stop, name="watch-scan-stop"),
]
