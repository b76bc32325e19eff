"""The people room as a Django app."""

from __future__ import annotations

from django.apps import AppConfig


class PeopleConfig(AppConfig):
    """Accounts, organisations, roles, invitations, keys."""

    name = "chopmark.people"

    def ready(self) -> None:
        """Give each person who signs up an organisation of their own."""
        from chopmark.people import signup  # noqa: F401, PLC0415 (models exist only now)
