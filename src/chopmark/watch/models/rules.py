"""Rules and their versions, and how often each fired. No behaviour."""

from __future__ import annotations

from django.db import models
from django.db.models import F, Q


class RuleRow(models.Model):
    """A rule of an organisation that runs marketplaces."""

    id = models.BigAutoField(primary_key=True)
    organisation = models.UUIDField()
    name = models.CharField(max_length=40)  # `Rule.id`
    state = models.CharField(max_length=8)  # draft, shadow, live, stopped
    version = models.IntegerField()  # the one in force: counts from 1
    trial = models.IntegerField(null=True)  # the one that counts in the shadow while `version` is live
    why = models.CharField(max_length=64, blank=True)  # why it was stopped: a code
    changed_at = models.DateTimeField()

    class Meta:
        """Each once an organisation; a second version runs only beside one in force."""

        constraints = (
            models.UniqueConstraint(fields=("organisation", "name"), name="watch_rule_once"),
            models.CheckConstraint(
                condition=Q(trial=None) | (Q(state="live") & ~Q(trial=F("version"))), name="watch_rule_trial"
            ),
        )

    def __str__(self) -> str:
        """Its name."""
        return self.name


class RuleVersion(models.Model):
    """One text of a rule; its digest is a statement on the ledger."""

    id = models.BigAutoField(primary_key=True)
    rule = models.ForeignKey(RuleRow, on_delete=models.CASCADE, related_name="versions")
    seq = models.IntegerField()
    text = models.TextField()  # canonical
    sha256 = models.BinaryField(max_length=32)  # of the text
    deposit = models.UUIDField(null=True)
    made_by = models.BigIntegerField(null=True)
    made_at = models.DateTimeField()

    class Meta:
        """Each once."""

        constraints = (models.UniqueConstraint(fields=("rule", "seq"), name="watch_rule_version"),)

    def __str__(self) -> str:
        """Rule and version."""
        return f"{self.rule_id} {self.seq}"


class RuleChange(models.Model):
    """A step in a rule's life: who published or stopped which version, and why."""

    id = models.BigAutoField(primary_key=True)
    rule = models.ForeignKey(RuleRow, on_delete=models.CASCADE, related_name="changes")
    seq = models.IntegerField()
    state = models.CharField(max_length=8)  # as of a rule, or ended: of a trial
    why = models.CharField(max_length=64, blank=True)
    facts = models.JSONField(default=dict)
    user = models.BigIntegerField(null=True)
    at = models.DateTimeField()

    class Meta:
        """In order."""

        indexes = (models.Index(fields=("rule", "id"), name="watch_rule_change"),)

    def __str__(self) -> str:
        """The new state."""
        return self.state


class RuleCount(models.Model):
    """How often a version of a rule fired on a day, live or in its shadow, among how many candidates."""

    id = models.BigAutoField(primary_key=True)
    rule = models.ForeignKey(RuleRow, on_delete=models.CASCADE, related_name="counts")
    seq = models.IntegerField()  # of the version
    day = models.DateField()  # UTC
    seen = models.BigIntegerField(default=0)  # candidates that it was asked about
    fired = models.BigIntegerField(default=0)
    alone = models.BigIntegerField(default=0)  # fired, and no live rule did: what a shadow would add

    class Meta:
        """Each once a day."""

        constraints = (models.UniqueConstraint(fields=("rule", "day", "seq"), name="watch_rule_count"),)

    def __str__(self) -> str:
        """Day and count."""
        return f"{self.day} {self.fired}"
