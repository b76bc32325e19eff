"""Mark sets, scans of whole stocks with their partitions, and tasks that changes of rights make. No behaviour."""

from __future__ import annotations

import uuid

from django.db import models

from chopmark.watch.models.listings import Marketplace


class MarkNote(models.Model):
    """What a person says of a right's sign for the search: other names, how distinctive, near misses."""

    right = models.UUIDField(primary_key=True)
    organisation = models.UUIDField()
    aliases = models.JSONField(default=list)
    distinctiveness = models.IntegerField(null=True)  # 0 to 1000; None: by the trusted vocabulary
    near = models.BooleanField(default=False)
    well_known = models.BooleanField(default=False)
    made_by = models.BigIntegerField(null=True)
    changed_at = models.DateTimeField()

    def __str__(self) -> str:
        """The right."""
        return str(self.pk)


class MarkSetRow(models.Model):
    """A set of marks that scans were made with; its file lies in the home."""

    version = models.CharField(primary_key=True, max_length=64)
    count = models.IntegerField()
    size = models.BigIntegerField()  # bytes of the file
    made_at = models.DateTimeField()
    used_at = models.DateTimeField()  # last made anew: the newest one is in use

    class Meta:
        """The newest."""

        indexes = (models.Index(fields=("-used_at",), name="watch_marks_newest"),)

    def __str__(self) -> str:
        """Its version."""
        return self.version


class Scan(models.Model):
    """One run over a stock of listings."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    number = models.CharField(max_length=24, unique=True)  # S-2026-000001
    organisation = models.UUIDField()
    made_by = models.BigIntegerField(null=True)
    marketplace = models.ForeignKey(Marketplace, on_delete=models.CASCADE, related_name="scans")
    source = models.CharField(max_length=500)  # glob of files below the home or an object storage's URL
    runner = models.CharField(max_length=200, default="native")
    marks = models.CharField(max_length=64, blank=True)
    rules = models.CharField(max_length=64, blank=True)
    state = models.CharField(max_length=10)  # waiting, running, done, failed, stopped
    trouble = models.CharField(max_length=64, blank=True)
    facts = models.JSONField(default=dict)
    made_at = models.DateTimeField()
    started_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)
    partitions = models.IntegerField(default=0)
    partitions_done = models.IntegerField(default=0)
    counted = models.IntegerField(null=True)  # partitions that the first pass has counted; None where there is none
    scanned = models.BigIntegerField(default=0)
    found = models.BigIntegerField(default=0)
    rate = models.IntegerField(default=0)  # listings a second
    remaining = models.IntegerField(null=True)  # seconds
    root = models.BinaryField(max_length=32, null=True)  # over the result rows, RFC 6962
    deposit = models.UUIDField(null=True)  # of the statement that carries the root
    let_go_at = models.DateTimeField(null=True)  # when its files of results were removed

    class Meta:
        """Newest first; those that wait."""

        indexes = (
            models.Index(fields=("organisation", "-made_at"), name="watch_scan_newest"),
            models.Index(fields=("state", "made_at"), name="watch_scan_state"),
        )

    def __str__(self) -> str:
        """Its short number."""
        return self.number


class Partition(models.Model):
    """A partition whose results were taken over."""

    id = models.BigAutoField(primary_key=True)
    scan = models.ForeignKey(Scan, on_delete=models.CASCADE, related_name="parts")
    name = models.CharField(max_length=200)  # of its file of results
    rows = models.IntegerField()  # of results
    kept_at = models.DateTimeField()

    class Meta:
        """Each once a scan."""

        constraints = (models.UniqueConstraint(fields=("scan", "name"), name="watch_partition_once"),)

    def __str__(self) -> str:
        """Its name."""
        return self.name


class Task(models.Model):
    """What a change asks for: look for a right in the stock, decide its hits anew, look at pictures for new works."""

    id = models.BigAutoField(primary_key=True)
    kind = models.CharField(
        max_length=10
    )  # redecide, reverse (of what came by the feed), stock (of what was scanned), pictures
    right = models.CharField(max_length=40)  # for pictures the first digits of the version of their set
    made_at = models.DateTimeField()
    position = models.BigIntegerField(default=0)  # the last listing row that was looked at
    looked = models.BigIntegerField(default=0)
    found = models.IntegerField(default=0)
    done_at = models.DateTimeField(null=True)

    class Meta:
        """One of a kind a right at a time; those that wait."""

        constraints = (
            models.UniqueConstraint(fields=("kind", "right"), name="watch_task_once", condition=models.Q(done_at=None)),
        )
        indexes = (models.Index(fields=("done_at", "id"), name="watch_task_waits"),)

    def __str__(self) -> str:
        """Kind and right."""
        return f"{self.kind} {self.right}"
