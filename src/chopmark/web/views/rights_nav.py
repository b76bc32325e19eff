"""The row of neighbouring pages over rights, works and copies; a page that is not there is not linked."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse
from django.utils.translation import gettext_lazy as _

PAGES = (
    ("rights", _("Own rights")),
    ("right-search", _("Search marks")),
    ("right-may", _("May he sell here?")),
    ("right-mandates", _("Mandates")),
    ("works", _("Works")),
    ("copies", _("Find copies")),
)


def address(name: str) -> str:
    """The address of a page, empty where there is none."""
    try:
        return reverse(name)
    except NoReverseMatch:
        return ""


def rights_nav(request: HttpRequest) -> list[dict[str, Any]]:
    """For templates."""
    found = [(address(name), text) for name, text in PAGES]
    return [{"url": url, "text": text, "here": url == request.path} for url, text in found if url]


def texts() -> dict[str, str]:
    """The sentences that rights.js says, in the reader's language; `{name}` is filled in by the script."""
    return {
        "reading": str(_("Reading {name}")),
        "uploading": str(_("Uploading: {percent}")),
        "working": str(_("It has arrived; the platform is working on it.")),
        "network": str(_("The connection was lost. What you typed is still here; try again.")),
        "trouble": str(_("That did not work. What you typed is still here; try again.")),
    }
