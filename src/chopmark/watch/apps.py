"""The watch room as a Django application."""

from django.apps import AppConfig


class WatchConfig(AppConfig):
    """Tables of marketplaces, listings, hits, reviews, rules and measures."""

    name = "chopmark.watch"
    label = "watch"
    default_auto_field = "django.db.models.BigAutoField"
    verbose_name = "Watch"
