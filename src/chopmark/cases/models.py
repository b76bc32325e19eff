"""The paperwork of filings and orders. No behaviour: changed by `cases.actions`, read by `cases.queries`.

Matters and bundles belong to the evidence room and are named by id; organisations and accounts to the people room.
What a draft says of persons (addresses, identity numbers) stands here and in the message to the desk, nowhere else.
"""

from __future__ import annotations

import uuid

from django.db import models


class Serial(models.Model):
    """The last serial number given out, of filings and of orders."""

    name = models.CharField(primary_key=True, max_length=16)
    last = models.BigIntegerField(default=0)

    def __str__(self) -> str:
        """Name and value."""
        return f"{self.name} {self.last}"


class Desk(models.Model):
    """A court's or notary's desk that the operator adopted."""

    name = models.CharField(primary_key=True, max_length=32)
    kind = models.CharField(max_length=8)  # court or notary
    profile = models.CharField(max_length=48, blank=True)  # code of the court in `law`
    card = models.BinaryField()  # the newest adopted, as `desk.wire.DeskCard` writes it
    adopted_at = models.DateTimeField()
    retired_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        """Its name."""
        return self.name


class Filing(models.Model):
    """A case that somebody brings to a court, from the first draft on."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    number = models.CharField(max_length=24, unique=True)  # F-2026-000001
    organisation = models.UUIDField()
    made_by = models.BigIntegerField(null=True)
    matter = models.UUIDField()
    bundle = models.UUIDField(null=True)
    draft = models.JSONField(default=dict)  # by step; see `cases.draft`
    version = models.IntegerField(default=1)  # counts changes of the draft
    way = models.CharField(max_length=8, blank=True)  # desk or package, once it is sent
    desk = models.ForeignKey(Desk, on_delete=models.PROTECT, null=True)
    state = models.CharField(max_length=20)  # see `cases.states`
    revision = models.IntegerField(default=0)  # of what was sent last
    message = models.BinaryField(default=b"")  # what was sent last
    message_deposit = models.UUIDField(null=True)
    previewed_at = models.DateTimeField(null=True)
    previewed = models.BinaryField(max_length=32, null=True)  # SHA-256 of what was shown
    court_number = models.CharField(max_length=100, blank=True)  # the court's case number
    receipt_number = models.CharField(max_length=100, blank=True)  # typed in by a person
    made_at = models.DateTimeField()
    changed_at = models.DateTimeField()
    sent_at = models.DateTimeField(null=True)

    class Meta:
        """Newest first; all of one matter."""

        indexes = (
            models.Index(fields=("organisation", "-made_at"), name="filing_newest"),
            models.Index(fields=("matter",), name="filing_matter"),
        )

    def __str__(self) -> str:
        """Its short number."""
        return self.number


class Order(models.Model):
    """A request to a notary to countersign a bundle."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    number = models.CharField(max_length=24, unique=True)  # N-2026-000001
    organisation = models.UUIDField()
    made_by = models.BigIntegerField(null=True)
    matter = models.UUIDField()
    bundle = models.UUIDField()
    draft = models.JSONField(default=dict)
    version = models.IntegerField(default=1)
    desk = models.ForeignKey(Desk, on_delete=models.PROTECT)
    state = models.CharField(max_length=20)
    revision = models.IntegerField(default=0)
    message = models.BinaryField(default=b"")
    message_deposit = models.UUIDField(null=True)
    previewed_at = models.DateTimeField(null=True)
    previewed = models.BinaryField(max_length=32, null=True)
    notary_number = models.CharField(max_length=100, blank=True)
    signed_bundle = models.UUIDField(null=True)  # the bundle with the notary's signature
    made_at = models.DateTimeField()
    changed_at = models.DateTimeField()
    sent_at = models.DateTimeField(null=True)

    class Meta:
        """Newest first; all of one matter."""

        indexes = (
            models.Index(fields=("organisation", "-made_at"), name="order_newest"),
            models.Index(fields=("matter",), name="order_matter"),
        )

    def __str__(self) -> str:
        """Its short number."""
        return self.number


class Event(models.Model):
    """One step that a desk reported, with its signature; never changed, never deleted."""

    id = models.BigAutoField(primary_key=True)
    token = models.UUIDField(unique=True)  # the desk's
    about = models.UUIDField()  # id of the filing or order
    desk = models.ForeignKey(Desk, on_delete=models.PROTECT)
    seq = models.IntegerField()
    kind = models.CharField(max_length=24)
    at = models.DateTimeField()
    document = models.BinaryField()  # the SignedEvent, byte for byte
    deposit = models.UUIDField(null=True)
    received_at = models.DateTimeField()

    class Meta:
        """One event at each place of a case."""

        constraints = (models.UniqueConstraint(fields=("about", "seq"), name="event_once"),)

    def __str__(self) -> str:
        """What and of which case."""
        return f"{self.about} {self.seq} {self.kind}"


class Dispatch(models.Model):
    """Something that waits to be sent to a desk, or fetched from one."""

    id = models.BigAutoField(primary_key=True)
    about = models.UUIDField()
    desk = models.ForeignKey(Desk, on_delete=models.PROTECT)
    kind = models.CharField(max_length=12)  # filing, order, withdrawal or fetch
    body = models.BinaryField(default=b"")
    organisation = models.UUIDField()
    made_by = models.BigIntegerField(null=True)
    tries = models.IntegerField(default=0)
    next_try = models.DateTimeField()
    trouble = models.CharField(max_length=64, blank=True)  # code of the last error
    facts = models.JSONField(default=dict)
    sent = models.BigIntegerField(default=0)  # bytes of the bundle that the other side has
    size = models.BigIntegerField(default=0)
    made_at = models.DateTimeField()
    done_at = models.DateTimeField(null=True)

    class Meta:
        """Found when due."""

        indexes = (
            models.Index(fields=("next_try",), name="dispatch_due", condition=models.Q(done_at=None)),
            models.Index(fields=("about",), name="dispatch_about"),
        )

    def __str__(self) -> str:
        """What and of which case."""
        return f"{self.kind} {self.about}"
