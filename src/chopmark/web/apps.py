"""The web room as a Django app: templates, static files and translations are found through it."""

from __future__ import annotations

from django.apps import AppConfig


class WebConfig(AppConfig):
    """Pages, forms, API."""

    name = "chopmark.web"
