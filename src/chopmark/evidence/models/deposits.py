"""The paperwork of deposits: what was asked for, by whom, and where it stands.

No behaviour: rows are changed by `evidence.actions` only and read through `evidence.queries`.
Digests, leaves and keys are raw bytes. Organisations and accounts belong to another room and are named by id.
"""

from __future__ import annotations

import uuid

from django.db import models


class Deposit(models.Model):
    """One thing whose digest is put on the ledger; its state is `pending` until `position` is set."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    serial = models.BigIntegerField(unique=True)  # counts all deposits of the platform, from 1
    number = models.CharField(max_length=24, unique=True)  # D-2026-000123: the year it was made, then the serial
    organisation = models.UUIDField()
    made_by = models.BigIntegerField(null=True)  # the account; null when a program did it
    source = models.CharField(max_length=8)  # page, api, cli or scrapi
    kind = models.CharField(max_length=16)
    title = models.CharField(max_length=300, blank=True)
    author = models.CharField(max_length=300, blank=True)
    file_name = models.CharField(max_length=255, blank=True)
    media_type = models.CharField(max_length=127, blank=True)
    size = models.BigIntegerField(null=True)  # bytes; null when a signed statement does not tell
    private = models.BooleanField(default=False)
    sha256 = models.BinaryField(max_length=32, null=True)  # null when a signed private statement does not tell
    sm3 = models.BinaryField(max_length=32, null=True)
    kept = models.BooleanField(default=False)  # the platform keeps the file itself
    fingerprint = models.BinaryField(max_length=32)  # of digest and description: the same again is the same deposit
    leaf = models.BinaryField(max_length=32, unique=True)
    statement = models.BinaryField()
    disclosures = models.BinaryField()  # deterministic CBOR: a list of [salt, name, value]
    issuer_key = models.BinaryField()  # COSE_Key that verifies the statement
    agent = models.BooleanField()  # signed by the platform for a depositor without keys
    made_at = models.DateTimeField()
    position = models.BigIntegerField(null=True)
    published_at = models.DateTimeField(null=True)

    class Meta:
        """Names of indexes are fixed so that both databases carry the same."""

        constraints = (
            models.UniqueConstraint(fields=("organisation", "fingerprint"), name="deposit_once_per_organisation"),
        )
        indexes = (
            models.Index(fields=("organisation", "-serial"), name="deposit_newest"),
            models.Index(fields=("organisation", "sha256"), name="deposit_digest"),
            models.Index(fields=("organisation", "sm3"), name="deposit_sm3", condition=models.Q(sm3__isnull=False)),
            models.Index(fields=("sha256",), name="deposit_blob", condition=models.Q(kept=True)),
        )

    def __str__(self) -> str:
        """Its short number."""
        return self.number


class Serial(models.Model):
    """The last serial number given out; one row."""

    name = models.CharField(primary_key=True, max_length=16)
    last = models.BigIntegerField(default=0)

    def __str__(self) -> str:
        """Name and value."""
        return f"{self.name} {self.last}"


class Founding(models.Model):
    """A statement the platform made about itself: the registration policy, an intake key."""

    name = models.CharField(primary_key=True, max_length=128)
    leaf = models.BinaryField(max_length=32, unique=True)
    statement = models.BinaryField()
    issuer_key = models.BinaryField()
    made_at = models.DateTimeField()

    def __str__(self) -> str:
        """What it states."""
        return self.name


class Governance(models.Model):
    """A statement of governance: which paper, under which digest, and from when it is in force.

    The papers themselves are files, `consortium/documents/<digest>`, and here for the homes of other machines. Rows are
    in the order in which it was decided.
    """

    id = models.BigAutoField(primary_key=True)
    kind = models.CharField(max_length=32)  # one of `ledger.governance.TYPES`
    name = models.CharField(max_length=300)  # the member, key or authority it is about; empty for a policy
    sha256 = models.BinaryField(max_length=32)
    paper = models.BinaryField(null=True)  # None when it came with an earlier version, or is lost
    leaf = models.BinaryField(max_length=32, unique=True)
    statement = models.BinaryField()
    issuer_key = models.BinaryField()
    made_at = models.DateTimeField()
    position = models.BigIntegerField(null=True)
    published_in = models.BigIntegerField(null=True)  # size of the checkpoint; in force for those larger than this

    class Meta:
        """Found by digest, and quickly when none waits."""

        indexes = (
            models.Index(fields=("sha256",), name="governance_digest"),
            models.Index(fields=("leaf",), name="governance_waits", condition=models.Q(position=None)),
        )

    def __str__(self) -> str:
        """What it is about."""
        return f"{self.kind} {self.name}"


class Upload(models.Model):
    """A file on its way in (tus); `offset` counts bytes that are durable on disk."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    organisation = models.UUIDField()
    made_by = models.BigIntegerField(null=True)
    length = models.BigIntegerField()
    offset = models.BigIntegerField(default=0)
    file_name = models.CharField(max_length=255, blank=True)
    media_type = models.CharField(max_length=127, blank=True)
    declared = models.BinaryField(max_length=32, null=True)  # SHA-256 that the sender announced
    wants_sm3 = models.BooleanField(default=False)
    sha256 = models.BinaryField(max_length=32, null=True)  # set when all bytes are stored and checked
    sm3 = models.BinaryField(max_length=32, null=True)
    made_at = models.DateTimeField()
    expires_at = models.DateTimeField()

    class Meta:
        """Indexes for quotas and the sweep."""

        indexes = (
            models.Index(fields=("organisation",), name="upload_organisation"),
            models.Index(fields=("expires_at",), name="upload_expiry"),
        )

    def __str__(self) -> str:
        """Its id and how far it is."""
        return f"{self.id} {self.offset}/{self.length}"


class ShareLink(models.Model):
    """Lets anybody who holds the token see one receipt; only the token's SHA-256 is kept."""

    token_hash = models.BinaryField(primary_key=True, max_length=32)
    deposit = models.ForeignKey(Deposit, on_delete=models.PROTECT)
    organisation = models.UUIDField()
    made_by = models.BigIntegerField(null=True)
    made_at = models.DateTimeField()
    revoked_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        """The deposit it shows."""
        return f"link to {self.deposit_id}"


class IdempotencyKey(models.Model):
    """The answer to a request that carried an Idempotency-Key; `status` is null while the request runs."""

    organisation = models.UUIDField()
    key = models.CharField(max_length=255)
    fingerprint = models.BinaryField(max_length=32)  # of method, path and body
    status = models.SmallIntegerField(null=True)
    body = models.BinaryField(default=b"")
    made_at = models.DateTimeField()

    class Meta:
        """A key is used once by an organisation."""

        constraints = (models.UniqueConstraint(fields=("organisation", "key"), name="idempotency_once"),)
        indexes = (models.Index(fields=("made_at",), name="idempotency_age"),)

    def __str__(self) -> str:
        """The key."""
        return self.key


class Stamp(models.Model):
    """One checkpoint under one authority's time: wanted, begun or there; see `evidence.stamps` for the states."""

    authority = models.CharField(max_length=255)  # its name in the settings
    kind = models.CharField(max_length=8)  # rfc3161, ots or evm
    own = models.BooleanField()  # the platform's own authority, no independent one
    size = models.BigIntegerField()  # of the checkpoint
    text = models.BinaryField()  # its three lines; what is stamped is their SHA-256
    state = models.CharField(max_length=10)
    tries = models.IntegerField(default=0)
    next_try = models.DateTimeField()
    trouble = models.CharField(max_length=64, blank=True)  # code of the last error
    handle = models.BinaryField(default=b"")  # what the service needs to go on with a pending one
    token = models.BinaryField(default=b"")
    stamped_at = models.DateTimeField(null=True)  # as the token says; null where only others can tell
    made_at = models.DateTimeField()
    done_at = models.DateTimeField(null=True)

    class Meta:
        """A checkpoint is stamped once by an authority."""

        constraints = (models.UniqueConstraint(fields=("authority", "size"), name="stamp_once"),)
        indexes = (
            models.Index(fields=("next_try",), name="stamp_due", condition=models.Q(state__in=("waiting", "pending"))),
            models.Index(fields=("authority", "size"), name="stamp_done", condition=models.Q(state="done")),
        )

    def __str__(self) -> str:
        """Who, what and how far."""
        return f"{self.authority} {self.size} {self.state}"
