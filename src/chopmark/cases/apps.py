"""The cases room as a Django application."""

from django.apps import AppConfig


class CasesConfig(AppConfig):
    """Tables of filings, orders, desks and what they answered."""

    name = "chopmark.cases"
    label = "cases"
    default_auto_field = "django.db.models.BigAutoField"
    verbose_name = "Cases"
