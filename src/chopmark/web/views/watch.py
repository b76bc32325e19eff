"""The first page of the watch: what was scanned, found, confirmed and removed, how fast, and how often it was wrong.

No rule stands here; counts come from `watch.queries.figures`. Everything that is drawn stands in a table too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any, Final, get_args

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import path, reverse
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext_lazy
from django.views.decorators.http import require_safe

from chopmark.base import clock
from chopmark.people.actor import Actor
from chopmark.rights.queries.registry import rights_of
from chopmark.rights.queries.works import works_named
from chopmark.watch.queries import figures
from chopmark.watch.queries.figures import Cut, Dashboard, Day, Line, Share
from chopmark.watch.queries.hits import hits_of
from chopmark.watch.queries.rules import rules_of
from chopmark.watch.queries.scans import scans_of
from chopmark.web.context import actor_of
from chopmark.web.downloads import attachment
from chopmark.web.views import watch_hits as hits
from chopmark.web.views import watch_words as words
from chopmark.web.views.rights import private
from chopmark.web.views.watch_nav import watch_nav
from chopmark.web.views.watch_scans import scan_facts

DAYS: Final = (7, 30, 90, 365)
USUAL: Final = 30
LATEST: Final = 8  # hits shown as they come
MOST_NAMED: Final = 100  # rights whose names stand in a table; the newest
WIDTH, HEIGHT, GROUND = 720, 120, 100  # of the drawing, in its own units
CUT_WORDS = {
    "right": gettext_lazy("By right"),
    "class": gettext_lazy("By class"),
    "seller": gettext_lazy("By seller"),
    "territory": gettext_lazy("By territory"),
    "rule": gettext_lazy("By rule"),
    "marketplace": gettext_lazy("By marketplace"),
}
CUT_COLUMNS = {
    "right": gettext_lazy("Right"),
    "class": gettext_lazy("Class"),
    "seller": pgettext_lazy("watch", "Seller"),
    "territory": gettext_lazy("Territory"),
    "rule": gettext_lazy("Rule"),
    "marketplace": gettext_lazy("Marketplace"),
}


@require_safe
def dashboard(request: HttpRequest) -> HttpResponse:
    """The figures of the last days, whole and cut."""
    actor, now = actor_of(request), clock.now()
    cut, days = _asked(request)
    found = figures.dashboard(actor, at=now, days=days)
    lines = figures.cut_by(actor, cut, at=now, days=days)
    names = names_in(actor, cut, lines, at=now)
    shops = words.own_marketplaces(actor)
    empty = not found.scanned and not found.total.flagged and not lines
    context = {
        "watch_nav": watch_nav(request),
        "latest": latest_facts(actor),
        "found": found,
        "empty": empty,
        **(beginning(actor, registered=bool(shops)) if empty else {}),
        "shares": share_rows(found),
        "hours": hour_rows(found),
        "drawing": drawing(found.days, first=found.since, last=now.date()),
        "days": days,
        "periods": [{"days": each, "here": each == days, "text": _("%(n)s days") % {"n": each}} for each in DAYS],
        "cut": cut,
        "cut_column": CUT_COLUMNS[cut],
        "cuts": [{"cut": each, "text": text, "here": each == cut} for each, text in CUT_WORDS.items()],
        "lines": [line_facts(cut, each, names) for each in lines],
        "export_url": f"{reverse('watch-figures')}?by={cut}&days={days}",
        "may_manage": actor.may("manage_rules"),
        "marketplaces": shops,
    }
    return private(render(request, "watch/dashboard.html", context))


def beginning(actor: Actor, *, registered: bool) -> dict[str, Any]:
    """What there is to do before anything can be found, and what is done of it; the newest scan, while it works."""
    newest = [scan_facts(actor, each) for each in scans_of(actor, limit=1)]
    steps = (
        (reverse("watch-marketplace-new"), _("Register a marketplace"), registered),
        (reverse("watch-rules"), _("Take over the rules that ship; they begin in their shadow"), bool(rules_of(actor))),
        (reverse("watch-scans"), _("Start a scan, or push listings through the API"), bool(newest)),
    )
    return {
        "steps": [{"url": url, "text": text, "done": done} for url, text, done in steps],
        "scan": next((each for each in newest if each["working"]), None),
    }


@require_safe
def latest(request: HttpRequest) -> HttpResponse:
    """The newest hits, as a piece of the page that looks by itself."""
    return private(render(request, "watch/_latest.html", {"latest": latest_facts(actor_of(request))}))


def latest_facts(actor: Actor) -> list[dict[str, Any]]:
    """A few rows."""
    return [words.row_facts(each) for each in hits_of(actor, limit=LATEST).items]


@require_safe
def export(request: HttpRequest) -> HttpResponse:
    """One of the tables as CSV."""
    cut, days = _asked(request)
    text = figures.export(figures.cut_by(actor_of(request), cut, at=clock.now(), days=days))
    response = HttpResponse(text, content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = attachment(f"watch-by-{cut}-{days}-days.csv")
    return private(response)


def _asked(request: HttpRequest) -> tuple[Cut, int]:
    """Which table, of how many days; what is no such table is not there."""
    days = request.GET.get("days", str(USUAL))
    for cut in get_args(Cut):
        if request.GET.get("by", "right") == cut and days in {str(each) for each in DAYS}:
            return cut, int(days)
    raise Http404


def names_in(actor: Actor, cut: Cut, lines: Sequence[Line], *, at: datetime) -> Mapping[str, str]:
    """What people call the rows of a table, as far as the actor may see it; the others keep their number."""
    if cut == "marketplace":
        return dict(words.own_marketplaces(actor))
    if cut != "right" or not actor.may("view_rights"):
        return {}
    filed = {each.number: each.title for each in rights_of(actor, at=at, limit=MOST_NAMED).items}
    made = works_named(actor, [each.name for each in lines])
    return filed | {number: each.record.title for number, each in made.items()}


def line_facts(cut: Cut, one: Line, names: Mapping[str, str]) -> dict[str, Any]:
    """A row of a table, with the hits behind it."""
    shown = cut in hits.FILTERS and bool(one.name)
    return {
        "name": one.name or _("not known"),
        "title": names.get(one.name, ""),
        "url": f"{reverse('watch-hits')}?{urlencode([(cut, one.name)])}" if shown else "",
        "flagged": one.flagged,
        "confirmed": one.confirmed,
        "dismissed": one.dismissed,
        "automatic": one.automatic,
        "removed": one.removed,
        "removed_unsold": one.removed_unsold,
    }


def share_rows(found: Dashboard) -> list[dict[str, Any]]:
    """How often it was wrong, and what that proves."""
    rows = (
        (_("Flags that a person dismissed"), found.false_flags),
        (_("Automatic measures that an audit found wrong"), found.wrong_measures),
        (_("Unflagged listings that an audit would have flagged"), found.missed),
    )
    return [{"label": label, **share_facts(share)} for label, share in rows]


def share_facts(one: Share) -> dict[str, Any]:
    """A share in per cent, with its bound."""
    return {
        "wrong": one.wrong,
        "of": one.of,
        "share": percent(one.share),
        "at_most": percent(one.at_most),
    }


def percent(thousandths: int | None) -> str:
    """`1.2 %`, a dash where there are no samples."""
    return "–" if thousandths is None else f"{thousandths / 10:.1f} %"


def hour_rows(found: Dashboard) -> list[dict[str, str]]:
    """How fast removals were."""
    return [
        {"label": _("Median time from appearance to removal"), "value": duration(found.median_hours)},
        {"label": _("95 % were faster than"), "value": duration(found.p95_hours)},
        {"label": _("Removed within 24 hours"), "value": percent(found.within_day)},
    ]


def duration(hours: float | None) -> str:
    """In the unit that suits."""
    if hours is None:
        return "–"
    if hours < 1:
        return _("%(n)s minutes") % {"n": round(hours * 60)}
    return _("%(n)s hours") % {"n": f"{hours:.1f}"} if hours < 72 else _("%(n)s days") % {"n": round(hours / 24)}


def drawing(days: Sequence[Day], *, first: date, last: date) -> dict[str, Any] | None:
    """Flagged and removed by day from `first` to `last`, as bars; the table beside says the same."""
    if not days:
        return None
    step = WIDTH / max(7, (last - first).days + 1)
    highest = max(1, *(max(each.flagged, each.removed) for each in days))
    bars = []
    for each in days:
        left = (each.day - first).days * step
        for name, value, shift in (("flagged", each.flagged, 0.08), ("removed", each.removed, 0.5)):
            height = GROUND * value / highest
            bars.append(
                {
                    "name": name,
                    "x": round(left + shift * step, 2),
                    "y": round(GROUND - height, 2),
                    "width": round(0.38 * step, 2),
                    "height": round(height, 2),
                }
            )
    return {
        "bars": bars,
        "width": WIDTH,
        "height": HEIGHT,
        "ground": GROUND,
        "first": first,
        "last": last,
        "highest": highest,
        "days": days,
    }


urlpatterns = [
    path("watch/", dashboard, name="watch"),
    path("watch/latest", latest, name="watch-latest"),
    path("watch/figures.csv", export, name="watch-figures"),
]
