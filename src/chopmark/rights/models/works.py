"""The paperwork of works, of their codes, and of searches for copies. No behaviour.

The events of works are rows of `registry.Event`; `Work` is their projection. Codes and prints are derived from files
that a deposit keeps and can be made again. Every change of codes has a number from one counter (`registry.Serial`,
`codes` and `asked`), by which the indexes read what is new; see `media.index.codes`.
"""

from __future__ import annotations

import uuid

from django.db import models


class Work(models.Model):
    """A work as its events leave it."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    number = models.CharField(max_length=24, unique=True)  # W-2026-000001
    organisation = models.UUIDField()
    made_by = models.BigIntegerField(null=True)
    kind = models.CharField(max_length=8)
    title = models.CharField(max_length=300)
    series = models.CharField(max_length=300, blank=True)
    version_of = models.UUIDField(null=True)
    state = models.CharField(max_length=12)
    version = models.IntegerField()  # counts its events
    head = models.BinaryField(max_length=32)  # of the last event
    current = models.BinaryField()  # canonical JSON of `record.Work`
    made_at = models.DateTimeField()
    changed_at = models.DateTimeField()

    class Meta:
        """Newest first; a series; the versions of a work."""

        indexes = (
            models.Index(fields=("organisation", "-made_at"), name="work_newest"),
            models.Index(fields=("organisation", "series"), name="work_series"),
            models.Index(fields=("version_of",), name="work_version"),
        )

    def __str__(self) -> str:
        """Its short number."""
        return self.number


class WorkFile(models.Model):
    """A file of a work, and what was made of it."""

    id = models.BigAutoField(primary_key=True)
    work = models.ForeignKey(Work, on_delete=models.CASCADE, related_name="files")
    deposit = models.UUIDField()
    sha256 = models.BinaryField(max_length=32)
    size = models.BigIntegerField()
    name = models.CharField(max_length=255, blank=True)
    media_type = models.CharField(max_length=64, blank=True)  # as it was found to be
    kind = models.CharField(max_length=8, blank=True)
    state = models.CharField(max_length=8)  # waiting, done or unfit
    trouble = models.CharField(max_length=64, blank=True)  # code of the error
    facts = models.JSONField(default=dict)  # of the file, or of the trouble
    algorithm = models.CharField(max_length=64, blank=True)
    iscc = models.CharField(max_length=80, blank=True)
    print = models.BinaryField(null=True)
    number = models.BigIntegerField(null=True)  # of the change that brought its print
    gone = models.BigIntegerField(null=True)  # of the change that took it away
    tries = models.IntegerField(default=0)
    held_at = models.DateTimeField(null=True)  # quarantined: it matches too much
    released_at = models.DateTimeField(null=True)
    made_at = models.DateTimeField()
    done_at = models.DateTimeField(null=True)
    compared_at = models.DateTimeField(null=True)  # with what was asked before it came

    class Meta:
        """Found by digest; those that wait; those that changed."""

        constraints = (models.UniqueConstraint(fields=("work", "sha256"), name="work_file_once"),)
        indexes = (
            models.Index(fields=("sha256",), name="work_file_digest"),
            models.Index(fields=("made_at",), name="work_file_waiting", condition=models.Q(state="waiting")),
            models.Index(
                fields=("done_at",),
                name="work_file_compare",
                condition=models.Q(state="done", compared_at__isnull=True),
            ),
            models.Index(fields=("number",), name="work_file_number"),
            models.Index(fields=("gone",), name="work_file_gone", condition=models.Q(gone__isnull=False)),
        )

    def __str__(self) -> str:
        """Its name."""
        return self.name


class WorkCode(models.Model):
    """One code under which a file of a work is kept."""

    id = models.BigAutoField(primary_key=True)
    file = models.ForeignKey(WorkFile, on_delete=models.CASCADE, related_name="codes")
    bits = models.BinaryField(max_length=32)
    quality = models.SmallIntegerField()
    region = models.CharField(max_length=32)
    box = models.JSONField()  # left, top, right, bottom in millionths
    turn = models.SmallIntegerField()
    at = models.BigIntegerField()  # milliseconds
    number = models.BigIntegerField(unique=True)
    gone = models.BigIntegerField(null=True)

    class Meta:
        """By the number of the change that took them away."""

        indexes = (models.Index(fields=("gone",), name="work_code_gone", condition=models.Q(gone__isnull=False)),)

    def __str__(self) -> str:
        """Its number."""
        return str(self.number)


class Search(models.Model):
    """A search for copies: what was asked, and what was found then and later."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    number = models.CharField(max_length=24, unique=True)  # C-2026-000001
    organisation = models.UUIDField()
    made_by = models.BigIntegerField(null=True)
    name = models.CharField(max_length=255, blank=True)
    sha256 = models.BinaryField(max_length=32)
    size = models.BigIntegerField()
    kind = models.CharField(max_length=8)
    media_type = models.CharField(max_length=64)
    radius = models.SmallIntegerField()
    facts = models.JSONField(default=dict)
    iscc = models.CharField(max_length=80, blank=True)
    fingerprint = models.BinaryField(null=True)  # of the query; None once it is forgotten
    made_at = models.DateTimeField()
    forget_at = models.DateTimeField()

    class Meta:
        """Newest first; those to be forgotten."""

        indexes = (
            models.Index(fields=("organisation", "-made_at"), name="search_newest"),
            models.Index(fields=("forget_at",), name="search_forget", condition=models.Q(fingerprint__isnull=False)),
        )

    def __str__(self) -> str:
        """Its short number."""
        return self.number


class AskedCode(models.Model):
    """One code that was searched with, kept for a while: a work that comes later is matched against these."""

    id = models.BigAutoField(primary_key=True)
    search = models.ForeignKey(Search, on_delete=models.CASCADE, related_name="codes")
    place = models.IntegerField()  # in the fingerprint
    bits = models.BinaryField(max_length=32)
    number = models.BigIntegerField(unique=True)
    gone = models.BigIntegerField(null=True)

    class Meta:
        """By the number of the change that took them away."""

        indexes = (models.Index(fields=("gone",), name="asked_code_gone", condition=models.Q(gone__isnull=False)),)

    def __str__(self) -> str:
        """Its number."""
        return str(self.number)


class Match(models.Model):
    """A file of a work that a search met: the evidence, and what a person made of it."""

    id = models.BigAutoField(primary_key=True)
    search = models.ForeignKey(Search, on_delete=models.CASCADE, related_name="matches")
    file = models.ForeignKey(WorkFile, on_delete=models.CASCADE, related_name="matches")
    stage = models.CharField(max_length=16)  # same, codes, features, sound, film, text
    score = models.SmallIntegerField()  # 0 to 1000, comparable within one stage
    parts = models.JSONField()  # where in the query is where in the reference
    why = models.JSONField()  # what was counted
    overlay = models.BinaryField(null=True)  # PNG
    later = models.BooleanField(default=False)  # the work came after the search
    found_at = models.DateTimeField()
    verdict = models.CharField(max_length=8, blank=True)  # copy or other
    judged_by = models.BigIntegerField(null=True)
    judged_at = models.DateTimeField(null=True)

    class Meta:
        """Each file once a search; how often a file is met."""

        constraints = (models.UniqueConstraint(fields=("search", "file"), name="match_once"),)
        indexes = (models.Index(fields=("file", "-found_at"), name="match_newest"),)

    def __str__(self) -> str:
        """What and where."""
        return f"{self.search_id} {self.file_id}"


class Common(models.Model):
    """A code that says nothing (a logo of a shop, a template, a stock picture): what is near it is no match."""

    id = models.BigAutoField(primary_key=True)
    organisation = models.UUIDField(null=True)  # null: the operator's, for everybody
    bits = models.BinaryField(max_length=32)
    reason = models.CharField(max_length=300)
    made_by = models.BigIntegerField(null=True)
    made_at = models.DateTimeField()
    removed_at = models.DateTimeField(null=True)

    class Meta:
        """Those in force, by organisation."""

        indexes = (
            models.Index(fields=("organisation",), name="common_in_force", condition=models.Q(removed_at__isnull=True)),
        )

    def __str__(self) -> str:
        """The reason."""
        return self.reason
