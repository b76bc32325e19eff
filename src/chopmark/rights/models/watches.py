"""The paperwork of watches on new filings, and the codes of marks' pictures. No behaviour.

Codes are made of a picture that a depositor left here and can be made again; the index of words has no table, its
rows are the rights themselves.
"""

from __future__ import annotations

import uuid

from django.db import models

from chopmark.rights.models.registry import Right


class Watch(models.Model):
    """A search that is asked again about every new filing."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    organisation = models.UUIDField()
    made_by = models.BigIntegerField(null=True)
    kind = models.CharField(max_length=8)  # words or logo
    text = models.CharField(max_length=200, blank=True)  # the words, or what a person calls the logo
    picture = models.BinaryField(default=b"")  # of a logo: its brightness, as PNG
    classes = models.JSONField(default=list)
    territories = models.JSONField(default=list)
    least = models.SmallIntegerField()  # total from which a right is found, in thousandths
    made_at = models.DateTimeField()
    stopped_at = models.DateTimeField(null=True)
    last_run_at = models.DateTimeField(null=True)  # against everything; new filings are looked at as they come

    class Meta:
        """Those of an organisation; those that run."""

        indexes = (
            models.Index(fields=("organisation", "-made_at"), name="watch_newest"),
            models.Index(fields=("last_run_at",), name="watch_running", condition=models.Q(stopped_at=None)),
        )

    def __str__(self) -> str:
        """What it looks for."""
        return f"{self.kind} {self.text}"


class Find(models.Model):
    """A right that a watch met."""

    id = models.BigAutoField(primary_key=True)
    watch = models.ForeignKey(Watch, on_delete=models.CASCADE, related_name="finds")
    right = models.ForeignKey(Right, on_delete=models.CASCADE, related_name="finds")
    text = models.CharField(max_length=200, blank=True)  # of its words, what resembles most
    total = models.SmallIntegerField()  # in thousandths, as all scores
    scores = models.JSONField()
    found_at = models.DateTimeField()
    seen_at = models.DateTimeField(null=True)

    class Meta:
        """Each right once a watch."""

        constraints = (models.UniqueConstraint(fields=("watch", "right"), name="find_once"),)
        indexes = (models.Index(fields=("watch", "-found_at"), name="find_newest"),)

    def __str__(self) -> str:
        """What was found."""
        return f"{self.watch_id} {self.right_id}"


class LogoCode(models.Model):
    """What the search knows of one picture; the same picture of several marks has one."""

    id = models.BigAutoField(primary_key=True)
    image = models.BinaryField(max_length=32)  # SHA-256 of the file
    algorithm = models.CharField(max_length=16)
    codes = models.BinaryField(default=b"")  # empty where it has none
    trouble = models.CharField(max_length=64, blank=True)  # code of the error, where it has none
    made_at = models.DateTimeField()

    class Meta:
        """Each picture once for each way to describe it."""

        constraints = (models.UniqueConstraint(fields=("image", "algorithm"), name="logo_code_once"),)

    def __str__(self) -> str:
        """Algorithm and picture."""
        return f"{self.algorithm} {bytes(self.image).hex()[:16]}"
