"""The evidence room as a Django application."""

from django.apps import AppConfig


class EvidenceConfig(AppConfig):
    """Tables of deposits, uploads and shared receipts."""

    name = "chopmark.evidence"
    label = "evidence"
    default_auto_field = "django.db.models.BigAutoField"
    verbose_name = "Evidence"
