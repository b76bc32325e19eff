"""Registers the start-up checks with Django."""

from __future__ import annotations

from django.apps import AppConfig


class SiteConfig(AppConfig):
    """The project itself, as an app, so that its checks are found."""

    name = "chopmark.site"
    label = "chopmark_site"

    def ready(self) -> None:
        """Importing the module registers the checks."""
        from chopmark.site import checks  # noqa: F401, PLC0415 (only once the apps are loaded)
