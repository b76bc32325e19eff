"""The paperwork of matters: what evidence was gathered for which case, by whom, who may see it, what was made of it.

No behaviour: rows are changed by `evidence.actions` only and read through `evidence.matters`.
A row of `Capture` or `Bundle` is the job and its truth: a worker takes it by moving `taken_until` on.
Digests are raw bytes. Organisations and accounts belong to another room and are named by id.
"""

from __future__ import annotations

import uuid

from django.db import models

from chopmark.evidence.models.deposits import Deposit

WAITING = ("queued", "running")


class Matter(models.Model):
    """One case in the making; its evidence, its custody log, who may see it."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    number = models.CharField(max_length=24, unique=True)  # M-2026-000001
    organisation = models.UUIDField()
    made_by = models.BigIntegerField(null=True)
    template = models.CharField(max_length=48)  # of `chopmark.law`
    template_version = models.IntegerField()  # as it was when the matter was opened
    title_zh = models.CharField(max_length=300)
    title_en = models.CharField(max_length=300)
    jurisdiction = models.CharField(max_length=16)
    court_profile = models.CharField(max_length=64, blank=True)
    phase = models.CharField(max_length=48)  # the one new items get
    made_at = models.DateTimeField()
    closed_at = models.DateTimeField(null=True)
    deleted_at = models.DateTimeField(null=True)  # a tombstone: title and items are gone, the custody log stays

    class Meta:
        """Newest first."""

        indexes = (models.Index(fields=("organisation", "-made_at"), name="matter_newest"),)

    def __str__(self) -> str:
        """Its short number."""
        return self.number


class CustodyLine(models.Model):
    """One line of a matter's custody log, as `evidence.custody` writes it; never changed, never deleted."""

    id = models.BigAutoField(primary_key=True)
    matter = models.ForeignKey(Matter, on_delete=models.PROTECT, related_name="custody")
    seq = models.IntegerField()
    line = models.BinaryField()

    class Meta:
        """A log has one line at each place."""

        constraints = (models.UniqueConstraint(fields=("matter", "seq"), name="custody_once"),)

    def __str__(self) -> str:
        """Its place."""
        return f"{self.matter_id} {self.seq}"


class Hold(models.Model):
    """A legal hold: while one is in force nothing of the matter is deleted."""

    id = models.BigAutoField(primary_key=True)
    matter = models.ForeignKey(Matter, on_delete=models.PROTECT, related_name="holds")
    reason = models.CharField(max_length=300)
    placed_by = models.BigIntegerField(null=True)
    placed_at = models.DateTimeField()
    lifted_by = models.BigIntegerField(null=True)
    lifted_at = models.DateTimeField(null=True)
    lifted_reason = models.CharField(max_length=300, blank=True)

    class Meta:
        """One hold at a time."""

        constraints = (
            models.UniqueConstraint(fields=("matter",), condition=models.Q(lifted_at=None), name="hold_once"),
        )

    def __str__(self) -> str:
        """Why."""
        return self.reason


class Schedule(models.Model):
    """A page that is captured again and again; each turn makes one `Capture`."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    matter = models.ForeignKey(Matter, on_delete=models.PROTECT, related_name="schedules")
    made_by = models.BigIntegerField(null=True)
    wanted = models.JSONField()  # what `request_capture` takes: url, mode, titles, purposes, phase
    every_minutes = models.IntegerField()
    next_at = models.DateTimeField()
    until = models.DateTimeField()
    made_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)

    class Meta:
        """Found when due."""

        indexes = (models.Index(fields=("next_at",), name="schedule_due", condition=models.Q(ended_at=None)),)

    def __str__(self) -> str:
        """Its id."""
        return str(self.id)


class Capture(models.Model):
    """A page to be captured, and what became of it."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    number = models.CharField(max_length=24, unique=True)  # C-2026-000001
    matter = models.ForeignKey(Matter, on_delete=models.PROTECT, related_name="captures")
    organisation = models.UUIDField()
    made_by = models.BigIntegerField(null=True)
    schedule = models.ForeignKey(Schedule, on_delete=models.PROTECT, null=True)
    turn = models.DateTimeField(null=True)  # of the schedule
    url = models.CharField(max_length=2048)
    mode = models.CharField(max_length=12)  # automatic, live or operator
    title_zh = models.CharField(max_length=300)
    title_en = models.CharField(max_length=300)
    purpose_zh = models.CharField(max_length=1000, blank=True)
    purpose_en = models.CharField(max_length=1000, blank=True)
    phase = models.CharField(max_length=48)
    state = models.CharField(max_length=12)  # see `evidence.matters.CAPTURE_STATES`
    steps = models.JSONField(default=list)  # [{"at", "step", "state"}], the newest 200
    kept = models.JSONField(default=list)  # deposit numbers of files that are safe already
    tries = models.IntegerField(default=0)
    taken_by = models.CharField(max_length=64, blank=True)
    taken_until = models.DateTimeField(null=True)
    not_before = models.DateTimeField()
    trouble = models.CharField(max_length=64, blank=True)
    facts = models.JSONField(default=dict)  # of the trouble
    result = models.JSONField(default=dict)  # what the manifest says of it
    made_at = models.DateTimeField()
    started_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)

    class Meta:
        """A turn of a schedule is captured once."""

        constraints = (models.UniqueConstraint(fields=("schedule", "turn"), name="capture_turn_once"),)
        indexes = (
            models.Index(fields=("not_before",), name="capture_due", condition=models.Q(state__in=WAITING)),
            models.Index(fields=("matter", "-made_at"), name="capture_newest"),
        )

    def __str__(self) -> str:
        """Its short number."""
        return self.number


class Item(models.Model):
    """One piece of evidence of a matter: `E-001` and so on."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    matter = models.ForeignKey(Matter, on_delete=models.PROTECT, related_name="items")
    ordinal = models.IntegerField()
    made_by = models.BigIntegerField(null=True)
    kind = models.CharField(max_length=24)
    role = models.CharField(max_length=16)
    title_zh = models.CharField(max_length=300)
    title_en = models.CharField(max_length=300)
    purpose_zh = models.CharField(max_length=1000, blank=True)
    purpose_en = models.CharField(max_length=1000, blank=True)
    source = models.JSONField(default=dict)  # names to text
    phase = models.CharField(max_length=48)
    capture = models.OneToOneField(Capture, on_delete=models.PROTECT, null=True, related_name="item")
    made_at = models.DateTimeField()
    removed_at = models.DateTimeField(null=True)
    removed_reason = models.CharField(max_length=300, blank=True)

    class Meta:
        """Numbers of a matter are given once and stay."""

        constraints = (models.UniqueConstraint(fields=("matter", "ordinal"), name="item_once"),)

    def __str__(self) -> str:
        """Its short number."""
        return f"E-{self.ordinal:03d}"


class ItemFile(models.Model):
    """One file of an item. What it was when it was added stands here; the bytes lie in the blob store."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    item = models.ForeignKey(Item, on_delete=models.CASCADE, related_name="files")
    ordinal = models.IntegerField()
    name = models.CharField(max_length=120)  # in the bundle: safe, unique in the item
    file_name = models.CharField(max_length=255)  # as somebody named it
    media_type = models.CharField(max_length=127)
    size = models.BigIntegerField()
    sha256 = models.BinaryField(max_length=32)
    sm3 = models.BinaryField(max_length=32, null=True)
    role = models.CharField(max_length=24)  # primary, rendition, ...
    derived_from = models.CharField(max_length=120, blank=True)  # name of another file of the item
    over = models.CharField(max_length=120, blank=True)  # a time-stamp token: over which file
    photo = models.JSONField(default=dict)  # what the photograph says of itself (EXIF)
    deposit = models.ForeignKey(Deposit, on_delete=models.PROTECT, null=True)

    class Meta:
        """One name, one file."""

        constraints = (models.UniqueConstraint(fields=("item", "name"), name="item_file_once"),)

    def __str__(self) -> str:
        """Its name in the bundle."""
        return self.name


class Redaction(models.Model):
    """A file that others than the court get blacked out; the original stays where it is."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    file = models.ForeignKey(ItemFile, on_delete=models.CASCADE, related_name="redactions")
    reason = models.CharField(max_length=300)
    media_type = models.CharField(max_length=127)
    size = models.BigIntegerField()
    sha256 = models.BinaryField(max_length=32)  # of what is shown instead
    deposit = models.ForeignKey(Deposit, on_delete=models.PROTECT, null=True)
    court_key = models.BinaryField(max_length=32, null=True)  # X25519, to which the original is sealed
    made_by = models.BigIntegerField(null=True)
    made_at = models.DateTimeField()
    undone_at = models.DateTimeField(null=True)

    class Meta:
        """A file is redacted once at a time."""

        constraints = (
            models.UniqueConstraint(fields=("file",), condition=models.Q(undone_at=None), name="redaction_once"),
        )

    def __str__(self) -> str:
        """Why."""
        return self.reason


class Grant(models.Model):
    """Lets whoever holds the code read one matter until it ends; only a digest of the code is kept."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    matter = models.ForeignKey(Matter, on_delete=models.PROTECT, related_name="grants")
    selector = models.CharField(max_length=8, unique=True)  # the code's first characters: finds the row
    secret_hash = models.BinaryField(max_length=32)  # SHA-256 of the rest
    given_to = models.CharField(max_length=200)
    purpose = models.CharField(max_length=300, blank=True)
    wrong = models.IntegerField(default=0)  # wrong secrets shown with this selector
    made_by = models.BigIntegerField(null=True)
    made_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    revoked_at = models.DateTimeField(null=True)
    locked_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        """To whom."""
        return self.given_to


class GrantUse(models.Model):
    """One use of an access code, or a refused one."""

    id = models.BigAutoField(primary_key=True)
    grant = models.ForeignKey(Grant, on_delete=models.PROTECT, related_name="uses")
    at = models.DateTimeField()
    action = models.CharField(max_length=32)
    detail = models.CharField(max_length=200, blank=True)
    name = models.CharField(max_length=120, blank=True)  # as the visitor called themselves
    address = models.CharField(max_length=64, blank=True)

    class Meta:
        """In order."""

        indexes = (models.Index(fields=("grant", "at"), name="grant_use_order"),)

    def __str__(self) -> str:
        """What."""
        return self.action


class WrongCode(models.Model):
    """A code that was wrong, by the address it came from: who guesses is locked out for a while."""

    id = models.BigAutoField(primary_key=True)
    address = models.BinaryField(max_length=32)  # SHA-256 of the address under the site's key
    at = models.DateTimeField()

    class Meta:
        """Counted by address, swept by age."""

        indexes = (
            models.Index(fields=("address", "at"), name="wrong_code_address"),
            models.Index(fields=("at",), name="wrong_code_age"),
        )

    def __str__(self) -> str:
        """When."""
        return str(self.at)


class Bundle(models.Model):
    """A bundle that somebody asked for, and what became of it."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    number = models.CharField(max_length=24, unique=True)  # B-2026-000001
    matter = models.ForeignKey(Matter, on_delete=models.PROTECT, related_name="bundles")
    organisation = models.UUIDField()
    made_by = models.BigIntegerField(null=True)
    items = models.JSONField()  # numbers of the items to take, empty for all
    attachments = models.JSONField(default=list)  # [{"path", "media_type", "size", "sha256", "role"}], bytes in blobs
    state = models.CharField(max_length=12)  # see `evidence.matters.BUNDLE_STATES`
    steps = models.JSONField(default=list)
    tries = models.IntegerField(default=0)
    taken_by = models.CharField(max_length=64, blank=True)
    taken_until = models.DateTimeField(null=True)
    not_before = models.DateTimeField()
    trouble = models.CharField(max_length=64, blank=True)
    facts = models.JSONField(default=dict)
    custody_deposit = models.ForeignKey(Deposit, on_delete=models.PROTECT, null=True, related_name="+")
    custody_lines = models.IntegerField(null=True)  # how many lines of the log are in it
    sha256 = models.BinaryField(max_length=32, null=True)
    size = models.BigIntegerField(null=True)
    signatures = models.IntegerField(default=0)
    deposit = models.ForeignKey(Deposit, on_delete=models.PROTECT, null=True, related_name="+")
    signed_from = models.ForeignKey("self", on_delete=models.PROTECT, null=True)  # the one a notary signed
    made_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)
    deleted_at = models.DateTimeField(null=True)

    class Meta:
        """Found when due, and by digest."""

        indexes = (
            models.Index(fields=("not_before",), name="bundle_due", condition=models.Q(state__in=WAITING)),
            models.Index(fields=("matter", "-made_at"), name="bundle_newest"),
            models.Index(fields=("sha256",), name="bundle_digest"),
        )

    def __str__(self) -> str:
        """Its short number."""
        return self.number
