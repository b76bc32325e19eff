"""The row of neighbouring pages over the watch, and how its long lists are turned page by page."""

from __future__ import annotations

from typing import Any, Final

from django.http import Http404, HttpRequest
from django.urls import reverse
from django.utils.http import urlencode
from django.utils.translation import gettext_lazy as _

PAGE: Final = 50
"""Rows of a long list on one page."""
LAST_PAGE: Final = 10_000
PAGES = (
    ("watch", _("Figures")),
    ("watch-queue", _("Review queue")),
    ("watch-hits", _("Hits")),
    ("watch-scans", _("Scans")),
    ("watch-marks", _("Marks")),
    ("watch-rules", _("Rules")),
    ("watch-marketplaces", _("Marketplaces")),
)


def watch_nav(request: HttpRequest) -> list[dict[str, Any]]:
    """For templates: the page that is open, or whose part is open, is marked."""
    found = [(reverse(name), text) for name, text in PAGES]
    return [{"url": url, "text": text, "here": _here(url, request.path)} for url, text in found]


def _here(url: str, path: str) -> bool:
    return path == url or (url != reverse("watch") and path.startswith(f"{url}/"))


def page_of(request: HttpRequest) -> int:
    """Which page of a long list is asked for; what is no such number is not there."""
    text = request.GET.get("page", "1")
    if not text.isascii() or not text.isdecimal() or len(text) > 5 or not 1 <= int(text) <= LAST_PAGE:
        raise Http404
    return int(text)


def turning(page: int, total: int, **kept: str) -> dict[str, str]:
    """Addresses of the page before and the next one, with the filters that are kept."""

    def leads(other: int) -> str:
        return urlencode([*((name, value) for name, value in kept.items() if value), ("page", str(other))])

    return {
        "earlier_query": leads(page - 1) if page > 1 else "",
        "next_query": leads(page + 1) if PAGE * page < total else "",
    }
