"""Marketplaces, their sellers, the listings that came in, and counts of each day. No behaviour."""

from __future__ import annotations

import uuid

from django.db import models


class Serial(models.Model):
    """The last serial number given out, by letter; and positions of followers."""

    name = models.CharField(primary_key=True, max_length=24)
    last = models.BigIntegerField(default=0)

    def __str__(self) -> str:
        """Name and value."""
        return f"{self.name} {self.last}"


class Marketplace(models.Model):
    """A source of listings and a target of measures."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    name = models.CharField(max_length=40, unique=True)  # short, as listings say it: demo
    title = models.CharField(max_length=200)
    organisation = models.UUIDField()  # who runs it
    target = models.CharField(max_length=500, blank=True)  # address that takes measures; empty: none is sent
    fetches = models.BooleanField(default=False)  # its program asks for measures, so that they need no address
    channels = models.JSONField(default=list)  # other names under which licences mean it: hosts
    automatic = models.BooleanField(default=False)  # whether measures may go out without a person
    two_persons = models.BooleanField(default=True)  # whether harsh measures need two
    made_by = models.BigIntegerField(null=True)
    made_at = models.DateTimeField()
    stopped_at = models.DateTimeField(null=True)

    class Meta:
        """Those of an organisation."""

        indexes = (models.Index(fields=("organisation", "name"), name="watch_market_org"),)

    def __str__(self) -> str:
        """Its short name."""
        return self.name


class Seller(models.Model):
    """Who sells on a marketplace, as the marketplace says it."""

    id = models.BigAutoField(primary_key=True)
    marketplace = models.ForeignKey(Marketplace, on_delete=models.CASCADE, related_name="sellers")
    number = models.CharField(max_length=200)
    name = models.CharField(max_length=200, blank=True)
    organisation = models.UUIDField(null=True)  # the seller's own organisation here, as the marketplace says
    joined_at = models.DateTimeField(null=True)
    seen_at = models.DateTimeField()
    confirmed = models.IntegerField(default=0)  # hits, as they stand
    dismissed = models.IntegerField(default=0)
    shared_pictures = models.IntegerField(default=0)  # other sellers with the same, as the last night's look says
    shared_contact = models.IntegerField(default=0)
    group_confirmed = models.IntegerField(default=0)  # hits of linked sellers

    class Meta:
        """Each once a marketplace; those with most confirmed hits first."""

        constraints = (models.UniqueConstraint(fields=("marketplace", "number"), name="watch_seller_once"),)
        indexes = (
            models.Index(fields=("organisation",), name="watch_seller_org"),
            models.Index(fields=("marketplace", "-confirmed", "number"), name="watch_seller_worst"),
        )

    def __str__(self) -> str:
        """Its number."""
        return self.number


class ListingRow(models.Model):
    """The newest version of a listing that came through the feed."""

    id = models.BigAutoField(primary_key=True)
    marketplace = models.ForeignKey(Marketplace, on_delete=models.CASCADE, related_name="listings")
    item = models.CharField(max_length=200)
    version = models.BigIntegerField()
    seller = models.CharField(max_length=200)
    title = models.CharField(max_length=1000, blank=True)
    body = models.BinaryField()  # canonical JSON of the listing (`watch.bodies`)
    sha256 = models.BinaryField(max_length=32)  # of the body
    came_at = models.DateTimeField()  # of this version
    decided_at = models.DateTimeField()
    marks = models.CharField(max_length=64, blank=True)  # version of the mark set that it was judged with
    outcome = models.CharField(max_length=8)  # the harshest: none, watch, review, hold, takedown
    glanced = models.BooleanField(default=False)  # some picture was described by codes alone: a second look is due
    sold = models.IntegerField(default=0)  # pieces sold, as the marketplace says with a measure

    class Meta:
        """Each once a marketplace; a seller's; those that wait for a second look."""

        constraints = (models.UniqueConstraint(fields=("marketplace", "item"), name="watch_listing_once"),)
        indexes = (
            models.Index(fields=("marketplace", "seller"), name="watch_listing_seller"),
            models.Index(fields=("came_at",), name="watch_listing_glanced", condition=models.Q(glanced=True)),
        )

    def __str__(self) -> str:
        """Item and version."""
        return f"{self.item}/{self.version}"


class Inbox(models.Model):
    """A version of a listing that waits to be judged; deleted with its outcome, in one transaction."""

    id = models.BigAutoField(primary_key=True)
    marketplace = models.ForeignKey(Marketplace, on_delete=models.CASCADE, related_name="inbox")
    item = models.CharField(max_length=200)
    version = models.BigIntegerField()
    body = models.BinaryField()
    sha256 = models.BinaryField(max_length=32)
    came_at = models.DateTimeField()
    next_try = models.DateTimeField()
    tries = models.SmallIntegerField(default=0)
    dead_at = models.DateTimeField(null=True)  # after the last try; a person looks
    trouble = models.CharField(max_length=64, blank=True)
    facts = models.JSONField(default=dict)

    class Meta:
        """Each version once; what is due, oldest first; what is dead."""

        constraints = (models.UniqueConstraint(fields=("marketplace", "item", "version"), name="watch_inbox_once"),)
        indexes = (
            models.Index(fields=("next_try", "id"), name="watch_inbox_due", condition=models.Q(dead_at=None)),
            models.Index(fields=("dead_at",), name="watch_inbox_dead"),
        )

    def __str__(self) -> str:
        """Item and version."""
        return f"{self.item}/{self.version}"


class Figure(models.Model):
    """A count of one day that no row tells any more: listings scanned, flagged, sent to audit."""

    id = models.BigAutoField(primary_key=True)
    day = models.DateField()  # UTC
    marketplace = models.ForeignKey(Marketplace, on_delete=models.CASCADE, related_name="figures")
    name = models.CharField(max_length=32)
    count = models.BigIntegerField(default=0)

    class Meta:
        """Each once a day."""

        constraints = (models.UniqueConstraint(fields=("day", "marketplace", "name"), name="watch_figure_once"),)

    def __str__(self) -> str:
        """Day, name and count."""
        return f"{self.day} {self.name} {self.count}"
