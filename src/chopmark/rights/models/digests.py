"""The paperwork of daily mails: what was told to whom, so that nothing is told twice. No behaviour, no addresses."""

from __future__ import annotations

from django.db import models

from chopmark.rights.models.registry import Reminder
from chopmark.rights.models.watches import Find


class Digest(models.Model):
    """What an organisation is told on one day."""

    id = models.BigAutoField(primary_key=True)
    organisation = models.UUIDField()
    day = models.DateField()  # UTC
    made_at = models.DateTimeField()

    class Meta:
        """One a day."""

        constraints = (models.UniqueConstraint(fields=("organisation", "day"), name="digest_once_a_day"),)

    def __str__(self) -> str:
        """Whose, and when."""
        return f"{self.organisation} {self.day}"


class DigestItem(models.Model):
    """Something that a digest tells: a reminder, or what a watch found."""

    id = models.BigAutoField(primary_key=True)
    digest = models.ForeignKey(Digest, on_delete=models.CASCADE, related_name="items")
    organisation = models.UUIDField()  # the digest's
    reminder = models.ForeignKey(Reminder, on_delete=models.CASCADE, null=True, related_name="told")
    find = models.ForeignKey(Find, on_delete=models.CASCADE, null=True, related_name="told")

    class Meta:
        """Each thing once to each organisation: an agent is told of its client's terms too."""

        constraints = (
            models.UniqueConstraint(fields=("organisation", "reminder"), name="digest_reminder_once"),
            models.UniqueConstraint(fields=("organisation", "find"), name="digest_find_once"),
        )

    def __str__(self) -> str:
        """What it is about."""
        return f"{self.digest_id} {self.reminder_id or self.find_id}"


class DigestMail(models.Model):
    """A digest's way to one person."""

    id = models.BigAutoField(primary_key=True)
    digest = models.ForeignKey(Digest, on_delete=models.CASCADE, related_name="mails")
    user = models.BigIntegerField()
    tries = models.SmallIntegerField(default=0)
    tried_at = models.DateTimeField(null=True)
    sent_at = models.DateTimeField(null=True)
    over_at = models.DateTimeField(null=True)  # sent, not wanted, or given up: never tried again
    trouble = models.CharField(max_length=64, blank=True)  # code of why it was not sent

    class Meta:
        """One a person; those under way."""

        constraints = (models.UniqueConstraint(fields=("digest", "user"), name="digest_mail_once"),)
        indexes = (models.Index(fields=("tried_at",), name="digest_mail_open", condition=models.Q(over_at=None)),)

    def __str__(self) -> str:
        """Which, and to whom."""
        return f"{self.digest_id} {self.user}"
