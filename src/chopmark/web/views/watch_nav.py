"""The row of neighbouring pages over the watch."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

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
