"""The review queue: what waits, what lies on a desk, how far reviewers agree with each other and with what is known."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from django.db.models import Count

from chopmark.people.actor import Actor
from chopmark.watch import listing as listings
from chopmark.watch.agreement import Agreement, agreement
from chopmark.watch.life import WAITING
from chopmark.watch.listing import Listing
from chopmark.watch.models import AuditSample, Claim, GoldenSample, Hit, Vote
from chopmark.watch.queries import access
from chopmark.watch.queries.hits import HitStory, HitSummary, story_of, summaries_of

MAX_PAIRS = 10_000  # votes that agreement is computed of, the newest
MOST_URGENT = ("-priority", "found_at", "number")
OLDEST_FIRST = ("found_at", "number")


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """What lies on a reviewer's desk. Golden samples look like any hit.

    Attributes:
        hit: None for a listing that nothing flagged: `confirm` then says that something should have.
    """

    id: UUID
    until: datetime
    listing: Listing
    hit: HitStory | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Queue:
    """What waits."""

    waiting: Mapping[str, int]
    claimed: int
    audits: int
    oldest: datetime | None
    next: tuple[HitSummary, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reviewer:
    """How one person judges.

    Attributes:
        golden: golden samples answered; golden_right: as they should be.
    """

    user: int
    decided: int
    skipped: int
    undone: int
    golden: int
    golden_right: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Reviewers:
    """All reviewers of an organisation, and how far two who judged one hit agree."""

    reviewers: tuple[Reviewer, ...]
    agreement: Agreement


def queue_of(actor: Actor, *, at: datetime, limit: int = 20) -> Queue:
    """The actor's organisation's queue, most urgent first.

    Raises:
        Refused: what people's `must` raises.
    """
    rows = access.hits(actor).filter(state__in=WAITING)
    oldest = access.first_hits(actor, OLDEST_FIRST, 1, states=WAITING)
    return Queue(
        waiting=dict(rows.values_list("state").annotate(Count("pk")).order_by("state")),
        claimed=Claim.objects.filter(organisation=actor.organisation_id, done_at=None, until__gt=at).count(),
        audits=AuditSample.objects.filter(marketplace__organisation=actor.organisation_id, answered_at=None).count(),
        oldest=oldest[0].found_at if oldest else None,
        next=summaries_of(access.first_hits(actor, MOST_URGENT, limit, states=WAITING), actor),
    )


def card(actor: Actor, claim: UUID, *, at: datetime) -> Card | None:
    """A card on this person's desk; None when it is not there any more.

    Raises:
        Refused: what people's `must` raises.
    """
    actor.must("review_hits")
    if actor.user_id is None:
        return None
    row = Claim.objects.filter(
        pk=claim, user=actor.user_id, organisation=actor.organisation_id, done_at=None, until__gt=at
    ).first()
    return card_of(row, actor) if row is not None else None


def reviewers_of(actor: Actor) -> Reviewers:
    """How the organisation's reviewers judge; for its owners.

    Raises:
        Refused: what people's `must` raises.
    """
    actor.must("manage_rules")
    votes = Vote.objects.filter(organisation=actor.organisation_id)
    answers = dict(GoldenSample.objects.filter(organisation=actor.organisation_id).values_list("pk", "answer"))
    tally: dict[int, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for vote in votes.order_by("-pk")[:MAX_PAIRS]:
        mine = tally[vote.user]
        if vote.answer == "skip":
            mine["skipped"] += 1
        elif vote.golden_id is not None:
            mine["golden"] += 1
            mine["golden_right"] += answers.get(vote.golden_id) == vote.answer
        else:
            mine["decided"] += 1
            mine["undone"] += vote.undone_at is not None
    return Reviewers(
        reviewers=tuple(
            Reviewer(
                user=user,
                decided=mine["decided"],
                skipped=mine["skipped"],
                undone=mine["undone"],
                golden=mine["golden"],
                golden_right=mine["golden_right"],
            )
            for user, mine in sorted(tally.items())
        ),
        agreement=agreement(_pairs(actor)),
    )


def _pairs(actor: Actor) -> list[tuple[str, str]]:
    """What the first two persons said of the same hits, of those that were answered last."""
    votes = Vote.objects.filter(hit__in=access.hits(actor), undone_at=None, answer__in=("confirm", "dismiss"))
    newest = list(votes.order_by("-pk").values_list("hit", "user", "answer")[:MAX_PAIRS])
    by_hit: dict[object, dict[int, str]] = defaultdict(dict)
    for hit, user, answer in reversed(newest):
        by_hit[hit].setdefault(user, answer)  # again by the same person: of another finding
    several = [tuple(each.values()) for each in by_hit.values() if len(each) > 1]
    return [(first, second) for first, second, *_ in several]


def card_of(row: Claim, actor: Actor) -> Card:
    """What lies on this person's desk. For this room only."""
    hit: Hit | None = None
    body = b""
    if row.golden_id is not None:
        hit = GoldenSample.objects.select_related("hit__marketplace").get(pk=row.golden_id).hit
    elif row.audit_id is not None:
        audit = AuditSample.objects.select_related("hit__marketplace").get(pk=row.audit_id)
        hit, body = audit.hit, bytes(audit.body)
    elif row.hit_id is not None:
        hit = Hit.objects.select_related("marketplace").get(pk=row.hit_id)
    story = (
        replace(story_of(hit, actor), opinions=()) if hit is not None else None
    )  # who judges second judges by himself
    return Card(
        id=row.pk,
        until=row.until,
        listing=story.listing if story is not None else listings.decode(body),
        hit=_blind(story) if story is not None and row.golden_id is not None else story,
    )


def _blind(story: HitStory) -> HitStory:
    """A golden sample as if nobody had judged it."""
    summary = replace(story.summary, state="open", measure="", decided_at=None, removed_at=None, automatic=False)
    return replace(
        story, summary=summary, why="", wanted="", history=(), measures=(), opinions=(), matter=None, matter_number=""
    )
