"""Hand over: a hit becomes a matter with a capture of its page, for who wants more than a takedown.

A page may be gone an hour after its takedown: capture first. The matter belongs to the organisation of who acts.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db import transaction

from chopmark.base.errors import Refused
from chopmark.evidence import wiring
from chopmark.evidence.actions import NewCapture, NewMatter, open_matter, request_capture
from chopmark.evidence.matters import Both
from chopmark.people.actor import Actor
from chopmark.watch import listing as listings
from chopmark.watch.actions.common import note
from chopmark.watch.models import Hit
from chopmark.watch.queries import access

TEMPLATES = {"R": "trademark_counterfeit", "W": "copyright_online"}
"""By the first letter of a right's number: what the case will be about."""
GONE = ("dismissed", "released")


@dataclass(frozen=True, slots=True, kw_only=True)
class Handed:
    """The matter, and the capture where the listing says where its page is."""

    matter: UUID
    matter_number: str
    capture: UUID | None


@wiring.answering()
def hit_to_matter(which: UUID | str, *, by: Actor, at: datetime) -> Handed:
    """Open a matter about a hit and have its page captured, whole or not at all; a second time the matter that it has.

    Raises:
        Refused: `watch.hit_not_found`, `watch.hit_state_wrong`, `watch.hit_elsewhere` when another organisation's
            matter is about it; what `open_matter` and `request_capture` raise; what people's `must` raises.
        Invalid: what they raise.
    """
    by.must("review_hits")
    with transaction.atomic():  # of two who act at once, the second waits for the hit and finds the first one's matter
        hit = access.hit(by, which, "review_hits", lock=True)
        if hit.state in GONE:
            raise Refused("watch.hit_state_wrong", state=hit.state, event="hand_over")
        if hit.matter is not None:
            return _again(hit, by)
        listing = listings.decode(bytes(hit.listing))
        title = f"{hit.number} {hit.right_number} {hit.marketplace.name} {hit.item}"[:200]
        template = TEMPLATES.get(hit.right_number[:1], TEMPLATES["R"])
        matter = open_matter(NewMatter(template=template, title=Both(zh=title, en=title)), by=by, at=at)
        capture: UUID | None = None
        if listing.url:
            asked = NewCapture(url=listing.url, title=Both(zh=hit.number, en=hit.number))
            capture = request_capture(matter.id, asked, by=by, at=at).id
        hit.matter, hit.matter_number = matter.id, matter.number
        hit.save(update_fields=["matter", "matter_number"])
        note(hit, "matter", by=by, at=at, facts={"matter": matter.number})
    return Handed(matter=matter.id, matter_number=matter.number, capture=capture)


def _again(hit: Hit, by: Actor) -> Handed:
    opened = hit.events.filter(kind="matter").order_by("-pk").first()
    if hit.matter is None or opened is None or opened.organisation != by.organisation_id:
        raise Refused("watch.hit_elsewhere", number=hit.number)
    return Handed(matter=hit.matter, matter_number=hit.matter_number, capture=None)
