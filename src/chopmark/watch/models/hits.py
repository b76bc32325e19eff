"""Hits and what people and the rules made of them: claims, votes, golden and audit samples, measures. No behaviour."""

from __future__ import annotations

import uuid

from django.db import models

from chopmark.watch.models.listings import Marketplace


class Hit(models.Model):
    """A suspicion: one listing with one right. What it says is as of the version that was judged last."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    number = models.CharField(max_length=24, unique=True)  # H-2026-000001
    marketplace = models.ForeignKey(Marketplace, on_delete=models.CASCADE, related_name="hits")
    item = models.CharField(max_length=200)
    version = models.BigIntegerField()
    seller = models.CharField(max_length=200)
    title = models.CharField(max_length=1000, blank=True)
    category = models.CharField(max_length=500, blank=True)
    territory = models.CharField(max_length=8, blank=True)  # the first where right and offer meet
    nice = models.CharField(max_length=8, blank=True)  # the first class where they meet
    listing = models.BinaryField()  # canonical JSON of the version that was judged
    right = models.CharField(max_length=40)  # the right's id, or the work's number where it stands under none
    right_number = models.CharField(max_length=24, blank=True)
    organisation = models.UUIDField()  # the right's holder
    marks = models.CharField(max_length=64, blank=True)  # version of the mark set
    rules = models.JSONField(default=list)  # those that fired: [id, version]
    features = models.JSONField()
    found = models.JSONField()  # text and picture hits: which mark, view, characters, part of which picture
    reasons = models.JSONField(default=list)  # of the outcome: [code, facts]
    keys = models.JSONField(default=list)  # kinds of evidence
    outcome = models.CharField(max_length=8)  # what the rules proposed: watch, review, hold, takedown
    score = models.IntegerField(default=0)  # thousandths, calibrated
    priority = models.IntegerField(default=0)  # of the queue, higher first
    digest = models.BinaryField(max_length=32)  # of what was found, so that a change is seen
    state = models.CharField(max_length=12)  # see `watch.life`
    why = models.CharField(max_length=32, blank=True)  # the reason that a person gave
    wanted = models.CharField(max_length=8, blank=True)  # the measure that a first person asked for
    automatic = models.BooleanField(default=False)  # decided by two keys, no person
    measure = models.CharField(max_length=8, blank=True)  # in force or on its way: hold, takedown
    scan = models.UUIDField(null=True)
    matter = models.UUIDField(null=True)
    matter_number = models.CharField(max_length=24, blank=True)
    listed_at = models.DateTimeField(null=True)
    found_at = models.DateTimeField()
    changed_at = models.DateTimeField()
    decided_at = models.DateTimeField(null=True)
    removed_at = models.DateTimeField(null=True)  # the marketplace says that it took the listing down
    sold = models.IntegerField(null=True)  # pieces sold until then, as the marketplace says

    class Meta:
        """One a listing and right; the queue and lists of a holder and of a marketplace; by right, seller, scan."""

        constraints = (models.UniqueConstraint(fields=("marketplace", "item", "right"), name="watch_hit_once"),)
        indexes = (
            models.Index(fields=("organisation", "state", "-priority", "found_at"), name="watch_hit_holder_queue"),
            models.Index(fields=("marketplace", "state", "-priority", "found_at"), name="watch_hit_market_queue"),
            models.Index(fields=("organisation", "state", "found_at"), name="watch_hit_holder_oldest"),
            models.Index(fields=("marketplace", "state", "found_at"), name="watch_hit_market_oldest"),
            models.Index(fields=("organisation", "-found_at"), name="watch_hit_holder"),
            models.Index(fields=("marketplace", "-found_at"), name="watch_hit_market"),
            models.Index(fields=("marketplace", "seller", "state"), name="watch_hit_seller"),
            models.Index(fields=("scan",), name="watch_hit_scan", condition=models.Q(scan__isnull=False)),
            models.Index(fields=("right", "state"), name="watch_hit_right"),
        )

    def __str__(self) -> str:
        """Its short number."""
        return self.number


class HitEvent(models.Model):
    """What happened to a hit, in order; nothing here is changed or deleted."""

    id = models.BigAutoField(primary_key=True)
    hit = models.ForeignKey(Hit, on_delete=models.CASCADE, related_name="events")
    kind = models.CharField(max_length=16)  # an event of `watch.life`, or a step of its measure
    before = models.CharField(max_length=12, blank=True)
    after = models.CharField(max_length=12)
    organisation = models.UUIDField(null=True)
    user = models.BigIntegerField(null=True)  # None: the rules, a program, the marketplace
    facts = models.JSONField(default=dict)
    at = models.DateTimeField()

    class Meta:
        """In order."""

        indexes = (models.Index(fields=("hit", "id"), name="watch_event_hit"),)

    def __str__(self) -> str:
        """What happened."""
        return self.kind


class GoldenSample(models.Model):
    """A hit whose right answer is known, shown among the others to see how reviewers judge."""

    id = models.BigAutoField(primary_key=True)
    hit = models.ForeignKey(Hit, on_delete=models.CASCADE, related_name="golden")
    answer = models.CharField(max_length=8)  # confirm or dismiss
    note = models.CharField(max_length=500, blank=True)
    organisation = models.UUIDField()  # in whose queues it is shown
    made_by = models.BigIntegerField(null=True)
    made_at = models.DateTimeField()
    stopped_at = models.DateTimeField(null=True)

    class Meta:
        """Each once an organisation: both the holder and the marketplace may have it, each with its own answer."""

        constraints = (models.UniqueConstraint(fields=("hit", "organisation"), name="watch_golden_once"),)

    def __str__(self) -> str:
        """Its answer."""
        return self.answer


class AuditSample(models.Model):
    """A random automatic measure, or a random listing that nothing flagged, for a person to judge."""

    id = models.BigAutoField(primary_key=True)
    kind = models.CharField(max_length=10)  # automatic or unflagged
    marketplace = models.ForeignKey(Marketplace, on_delete=models.CASCADE, related_name="audits")
    hit = models.ForeignKey(Hit, on_delete=models.CASCADE, null=True, related_name="audits")
    right = models.CharField(max_length=40, blank=True)  # of the hit
    item = models.CharField(max_length=200)
    version = models.BigIntegerField()
    body = models.BinaryField(default=b"")  # of an unflagged listing
    taken_at = models.DateTimeField()
    answer = models.CharField(max_length=8, blank=True)
    answered_at = models.DateTimeField(null=True)

    class Meta:
        """Each version once; those that wait."""

        constraints = (
            models.UniqueConstraint(
                fields=("kind", "marketplace", "item", "version", "right"), name="watch_audit_once"
            ),
        )
        indexes = (models.Index(fields=("marketplace", "answered_at", "taken_at"), name="watch_audit_waits"),)

    def __str__(self) -> str:
        """Kind and item."""
        return f"{self.kind} {self.item}"


class Claim(models.Model):
    """One card on one reviewer's desk: a hit, a golden or an audit sample, his alone until the lease ends."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    user = models.BigIntegerField()
    organisation = models.UUIDField()
    hit = models.ForeignKey(Hit, on_delete=models.CASCADE, null=True, related_name="claims")
    golden = models.ForeignKey(GoldenSample, on_delete=models.CASCADE, null=True, related_name="claims")
    audit = models.ForeignKey(AuditSample, on_delete=models.CASCADE, null=True, related_name="claims")
    made_at = models.DateTimeField()
    until = models.DateTimeField()
    done_at = models.DateTimeField(null=True)

    class Meta:
        """A hit lies on one desk at a time; a reviewer's own; what lies on desks."""

        constraints = (
            models.UniqueConstraint(
                fields=("hit",),
                name="watch_claim_hit",
                condition=models.Q(done_at=None, golden=None, audit=None),
            ),
            models.UniqueConstraint(
                fields=("audit",), name="watch_claim_audit", condition=models.Q(done_at=None, audit__isnull=False)
            ),
        )
        indexes = (
            models.Index(fields=("user", "done_at"), name="watch_claim_user"),
            models.Index(fields=("until",), name="watch_claim_open", condition=models.Q(done_at=None)),
        )

    def __str__(self) -> str:
        """Its id."""
        return str(self.pk)


class Vote(models.Model):
    """What one person said of one card."""

    id = models.BigAutoField(primary_key=True)
    hit = models.ForeignKey(Hit, on_delete=models.CASCADE, null=True, related_name="votes")
    golden = models.ForeignKey(GoldenSample, on_delete=models.CASCADE, null=True, related_name="votes")
    audit = models.ForeignKey(AuditSample, on_delete=models.CASCADE, null=True, related_name="votes")
    user = models.BigIntegerField()
    organisation = models.UUIDField()
    answer = models.CharField(max_length=8)  # confirm, dismiss, skip
    why = models.CharField(max_length=32, blank=True)
    note = models.CharField(max_length=500, blank=True)
    batch = models.UUIDField(null=True)  # of a decision over many, undone as a whole
    at = models.DateTimeField()
    undone_at = models.DateTimeField(null=True)

    class Meta:
        """Of a hit, in order; of a person; of an organisation, newest first."""

        indexes = (
            models.Index(fields=("hit", "id"), name="watch_vote_hit"),
            models.Index(fields=("user", "-at"), name="watch_vote_user"),
            models.Index(fields=("organisation", "-id"), name="watch_vote_newest"),
        )

    def __str__(self) -> str:
        """The answer."""
        return self.answer


class Measure(models.Model):
    """A request to a marketplace, sent until it is answered; the same again changes nothing there."""

    id = models.BigAutoField(primary_key=True)
    key = models.CharField(max_length=64, unique=True)  # idempotency: hex
    hit = models.ForeignKey(Hit, on_delete=models.CASCADE, related_name="measures")
    marketplace = models.ForeignKey(Marketplace, on_delete=models.CASCADE, related_name="measures")
    kind = models.CharField(max_length=8)  # hold, takedown, restore
    body = models.BinaryField()  # canonical JSON, as it is sent
    deposit = models.UUIDField(null=True)  # of the body, private
    made_at = models.DateTimeField()
    next_try = models.DateTimeField()
    acknowledged_at = models.DateTimeField(null=True)  # a program of the marketplace has it, and will answer
    tries = models.IntegerField(default=0)
    state = models.CharField(max_length=10, default="waiting")  # waiting, done, refused, cancelled
    trouble = models.CharField(max_length=64, blank=True)
    facts = models.JSONField(default=dict)
    done_at = models.DateTimeField(null=True)

    class Meta:
        """What is due; a hit's; a marketplace's, newest first."""

        indexes = (
            models.Index(fields=("next_try",), name="watch_measure_due", condition=models.Q(state="waiting")),
            models.Index(fields=("hit", "id"), name="watch_measure_hit"),
            models.Index(fields=("marketplace", "state", "-id"), name="watch_measure_list"),
        )

    def __str__(self) -> str:
        """Kind and state."""
        return f"{self.kind} {self.state}"


class DecisionSheet(models.Model):
    """Decisions of one organisation's marketplaces that are stated on the ledger together."""

    id = models.BigAutoField(primary_key=True)
    number = models.CharField(max_length=24, unique=True)  # DS-2026-000001
    organisation = models.UUIDField()  # runs the marketplaces
    count = models.IntegerField()
    leaves = models.BinaryField()  # hashes of the records in order, 32 bytes each: a proof reads nothing else
    content = models.BinaryField()  # canonical JSON, `watch.decisions.Sheet`
    deposit = models.UUIDField(null=True)  # of the content, private; None until it is made
    made_at = models.DateTimeField()
    stated_at = models.DateTimeField(null=True)

    class Meta:
        """An organisation's newest; those that are not stated."""

        indexes = (
            models.Index(fields=("organisation", "-made_at"), name="watch_sheet_newest"),
            models.Index(fields=("id",), name="watch_sheet_waits", condition=models.Q(deposit=None)),
        )

    def __str__(self) -> str:
        """Its short number."""
        return self.number


class DecisionRecord(models.Model):
    """One decision on a hit, in the bytes that the ledger knows; written with it, and changed by nothing."""

    id = models.BigAutoField(primary_key=True)
    hit = models.ForeignKey(Hit, on_delete=models.CASCADE, related_name="decisions")
    event = models.OneToOneField(HitEvent, on_delete=models.CASCADE, related_name="decision")
    place = models.IntegerField()  # of the hit's decisions, from 1
    organisation = models.UUIDField()  # ran the marketplace then
    body = models.BinaryField()  # canonical JSON, `watch.decisions.Record`
    at = models.DateTimeField()
    sheet = models.ForeignKey(DecisionSheet, on_delete=models.PROTECT, null=True, related_name="records")

    class Meta:
        """A hit's in order; those that stand in no sheet."""

        constraints = (models.UniqueConstraint(fields=("hit", "place"), name="watch_decision_place"),)
        indexes = (
            models.Index(fields=("organisation", "id"), name="watch_decision_waits", condition=models.Q(sheet=None)),
        )

    def __str__(self) -> str:
        """Its place among the decisions on its hit."""
        return str(self.place)
