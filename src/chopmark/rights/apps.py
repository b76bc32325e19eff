"""The rights room as a Django application."""

from django.apps import AppConfig


class RightsConfig(AppConfig):
    """Tables of rights, works, their codes and searches."""

    name = "chopmark.rights"
    label = "rights"
    default_auto_field = "django.db.models.BigAutoField"
    verbose_name = "Rights"
