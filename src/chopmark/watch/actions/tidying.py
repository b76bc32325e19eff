"""What is kept of pictures of listings is forgotten when nobody used it for 30 days (`shelf.KEPT`)."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from chopmark.evidence import wiring as evidence_wiring
from chopmark.watch.actions.common import move_to, position
from chopmark.watch.queries.pictures import cache_folder

_TIDIED: Final = "pictures tidied"


@evidence_wiring.answering()
def tidy_pictures(at: datetime) -> int:
    """One part of the cache a call, all of them once a day, for the watcher's quiet moments; how many files went."""
    from chopmark.watch.shelf import PARTS, Cache  # noqa: PLC0415 (loads what reads fingerprints)

    today = at.date().toordinal() * PARTS
    part = max(0, position(_TIDIED) - today)
    if part >= PARTS:
        return 0
    gone = Cache(cache_folder()).tidy(at, part=part)
    move_to(_TIDIED, today + part + 1)
    return gone
