"""The paperwork of rights. No behaviour: changed by `rights.actions`, read by `rights.queries`.

`Event` is the truth: canonical JSON, chained by digests, each deposited on the ledger. `Right`, its numbers, classes
and territories, and `Mandate` are projections of events, kept for lists and search; a test makes them anew.
Organisations, accounts and deposits belong to other rooms and are named by id. Digests are raw SHA-256.
"""

from __future__ import annotations

import uuid

from django.db import models


class Serial(models.Model):
    """The last serial number given out, by letter."""

    name = models.CharField(primary_key=True, max_length=16)
    last = models.BigIntegerField(default=0)

    def __str__(self) -> str:
        """Name and value."""
        return f"{self.name} {self.last}"


class Right(models.Model):
    """A right as its events leave it."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    number = models.CharField(max_length=24, unique=True)  # R-2026-000001
    organisation = models.UUIDField()  # the holder's
    filed_by = models.UUIDField()  # the organisation that filed it: the holder's, or an agent's
    made_by = models.BigIntegerField(null=True)
    kind = models.CharField(max_length=16)
    office = models.CharField(max_length=8, blank=True)
    application_number = models.CharField(max_length=64, blank=True)
    registration_number = models.CharField(max_length=64, blank=True)
    st13 = models.CharField(max_length=32, blank=True)
    title = models.CharField(max_length=500, blank=True)
    verbal = models.CharField(max_length=500, blank=True)  # a mark's words
    sign = models.CharField(max_length=500, blank=True)  # the same, folded: equal signs have equal ones
    image = models.BinaryField(max_length=32, null=True)  # of a mark's picture
    status = models.CharField(max_length=12)
    state = models.CharField(max_length=16)
    level = models.SmallIntegerField(default=0)
    expiry_date = models.DateField(null=True)
    watch_from = models.DateField(null=True)  # the first day on which something may come due
    version = models.IntegerField()  # counts its events
    head = models.BinaryField(max_length=32)  # of the last event
    current = models.BinaryField()  # canonical JSON of `record.Right`
    made_at = models.DateTimeField()
    changed_at = models.DateTimeField()
    verified_at = models.DateTimeField(null=True)  # when it last became verified

    class Meta:
        """Newest first; by standing; by number; equal signs."""

        indexes = (
            models.Index(fields=("organisation", "-made_at"), name="right_newest"),
            models.Index(fields=("organisation", "state"), name="right_state"),
            models.Index(fields=("kind", "sign"), name="right_sign"),
            models.Index(fields=("watch_from",), name="right_watch"),
            models.Index(fields=("st13",), name="right_st13"),
        )

    def __str__(self) -> str:
        """Its short number."""
        return self.number


class RightNumber(models.Model):
    """One way in which a right's number may be written."""

    id = models.BigAutoField(primary_key=True)
    right = models.ForeignKey(Right, on_delete=models.CASCADE, related_name="numbers")
    key = models.CharField(max_length=80)

    class Meta:
        """Each way once."""

        constraints = (models.UniqueConstraint(fields=("right", "key"), name="right_number_once"),)
        indexes = (models.Index(fields=("key",), name="right_number_key"),)

    def __str__(self) -> str:
        """The number."""
        return self.key


class RightClass(models.Model):
    """One class of a right, for filters."""

    id = models.BigAutoField(primary_key=True)
    right = models.ForeignKey(Right, on_delete=models.CASCADE, related_name="classes")
    scheme = models.CharField(max_length=20)
    code = models.CharField(max_length=32)

    class Meta:
        """Each class once."""

        constraints = (models.UniqueConstraint(fields=("right", "scheme", "code"), name="right_class_once"),)
        indexes = (models.Index(fields=("scheme", "code"), name="right_class_code"),)

    def __str__(self) -> str:
        """Scheme and code."""
        return f"{self.scheme} {self.code}"


class RightTerritory(models.Model):
    """One territory that a right names, for filters: a country or the territory of a regional right."""

    id = models.BigAutoField(primary_key=True)
    right = models.ForeignKey(Right, on_delete=models.CASCADE, related_name="territories")
    territory = models.CharField(max_length=8)

    class Meta:
        """Each territory once."""

        constraints = (models.UniqueConstraint(fields=("right", "territory"), name="right_territory_once"),)
        indexes = (models.Index(fields=("territory",), name="right_territory_code"),)

    def __str__(self) -> str:
        """Its code."""
        return self.territory


class Event(models.Model):
    """One change of a right or of a mandate; never changed, never deleted."""

    id = models.BigAutoField(primary_key=True)
    subject = models.UUIDField()  # of the right or mandate
    seq = models.IntegerField()  # from 1
    type = models.CharField(max_length=32)
    at_law = models.DateField(null=True)
    recorded_at = models.DateTimeField()
    body = models.BinaryField()  # canonical JSON, see `history`
    sha256 = models.BinaryField(max_length=32)
    deposit = models.UUIDField()
    organisation = models.UUIDField()  # on whose account it was deposited
    actor = models.UUIDField(null=True)  # the organisation that acted; null for the operator and the platform
    made_by = models.BigIntegerField(null=True)

    class Meta:
        """One event at each place."""

        constraints = (models.UniqueConstraint(fields=("subject", "seq"), name="right_event_once"),)
        indexes = (models.Index(fields=("recorded_at",), name="right_event_when"),)

    def __str__(self) -> str:
        """What and where."""
        return f"{self.subject} {self.seq} {self.type}"


class Paper(models.Model):
    """A paper that was put beside a right: a certificate, a licence, a power of attorney."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    right = models.ForeignKey(Right, on_delete=models.CASCADE, related_name="papers")
    kind = models.CharField(max_length=16)
    organisation = models.UUIDField()  # whose deposit it is
    deposit = models.UUIDField()
    sha256 = models.BinaryField(max_length=32)
    size = models.BigIntegerField()
    file_name = models.CharField(max_length=255, blank=True)
    media_type = models.CharField(max_length=127, blank=True)
    language = models.CharField(max_length=35, blank=True)
    added_at = models.DateTimeField()

    class Meta:
        """Each file once a right; found by digest, whoever brought it."""

        constraints = (models.UniqueConstraint(fields=("right", "kind", "sha256"), name="right_paper_once"),)
        indexes = (models.Index(fields=("sha256",), name="right_paper_digest"),)

    def __str__(self) -> str:
        """Kind and file."""
        return f"{self.kind} {self.file_name}"


class Mandate(models.Model):
    """A power of attorney between two organisations, as its events leave it."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    principal = models.UUIDField()
    agent = models.UUIDField()
    since = models.DateField(null=True)
    until = models.DateField(null=True)
    accepted_on = models.DateField(null=True)  # by the agent; null while it has no effect
    revoked_on = models.DateField(null=True)
    version = models.IntegerField()
    head = models.BinaryField(max_length=32)
    current = models.BinaryField()  # canonical JSON of `record.Mandate`
    made_at = models.DateTimeField()

    class Meta:
        """Found from both sides."""

        indexes = (
            models.Index(fields=("principal", "-made_at"), name="mandate_principal"),
            models.Index(fields=("agent", "-made_at"), name="mandate_agent"),
        )

    def __str__(self) -> str:
        """Who for whom."""
        return f"{self.agent} for {self.principal}"


class OfficeRecord(models.Model):
    """What an office said of a right, kept by the operator; the newest of a number counts."""

    id = models.BigAutoField(primary_key=True)
    office = models.CharField(max_length=8)
    kind = models.CharField(max_length=16)
    st13 = models.CharField(max_length=32, blank=True)
    body = models.BinaryField()  # canonical JSON of `record.Record`
    sha256 = models.BinaryField(max_length=32)  # of the body
    source = models.CharField(max_length=16)
    fetched_at = models.DateTimeField()  # when the office gave it
    kept_at = models.DateTimeField()
    operator = models.CharField(max_length=100, blank=True)

    class Meta:
        """The same record of the same moment once."""

        constraints = (models.UniqueConstraint(fields=("sha256",), name="office_record_once"),)
        indexes = (models.Index(fields=("office", "kind", "-fetched_at"), name="office_record_newest"),)

    def __str__(self) -> str:
        """Office and key."""
        return f"{self.office} {self.kind} {self.st13}"


class OfficeNumber(models.Model):
    """One way in which the number of an office's record may be written."""

    id = models.BigAutoField(primary_key=True)
    record = models.ForeignKey(OfficeRecord, on_delete=models.CASCADE, related_name="numbers")
    key = models.CharField(max_length=80)

    class Meta:
        """Each way once."""

        constraints = (models.UniqueConstraint(fields=("record", "key"), name="office_number_once"),)
        indexes = (models.Index(fields=("key",), name="office_number_key"),)

    def __str__(self) -> str:
        """The number."""
        return self.key


class Standing(models.Model):
    """The operator saw papers that an organisation here is this party: names are free to choose, this is not."""

    id = models.BigAutoField(primary_key=True)
    organisation = models.UUIDField()
    name = models.CharField(max_length=300)
    country = models.CharField(max_length=8, blank=True)
    operator = models.CharField(max_length=100, blank=True)
    note = models.CharField(max_length=300, blank=True)
    made_at = models.DateTimeField()
    revoked_at = models.DateTimeField(null=True)

    class Meta:
        """Found by organisation."""

        indexes = (models.Index(fields=("organisation",), name="standing_organisation"),)

    def __str__(self) -> str:
        """The name."""
        return self.name


class Challenge(models.Model):
    """A code that was sent to the contact recorded at the office; whoever enters it has shown control."""

    id = models.BigAutoField(primary_key=True)
    right = models.ForeignKey(Right, on_delete=models.CASCADE, related_name="challenges")
    code_hash = models.BinaryField(max_length=32)
    tries = models.IntegerField(default=0)
    made_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    answered_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        """When it was sent."""
        return f"{self.right_id} {self.made_at}"


class Reminder(models.Model):
    """A renewal that comes due; seen by the right's organisation and its agents."""

    id = models.BigAutoField(primary_key=True)
    right = models.ForeignKey(Right, on_delete=models.CASCADE, related_name="reminders")
    kind = models.CharField(max_length=24)
    subject = models.CharField(max_length=64, blank=True)  # the interest or recordal; empty for the right itself
    due = models.DateField()
    made_at = models.DateTimeField()
    done_at = models.DateTimeField(null=True)

    class Meta:
        """Each once."""

        constraints = (models.UniqueConstraint(fields=("right", "kind", "subject", "due"), name="reminder_once"),)
        indexes = (models.Index(fields=("due",), name="reminder_due", condition=models.Q(done_at=None)),)

    def __str__(self) -> str:
        """Kind and day."""
        return f"{self.kind} {self.due}"
