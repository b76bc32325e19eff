"""Pictures of listings as reviewers see them: those in which something was found, and whose bytes were kept for that.

A digest that a listing names by itself never opens anything but this cache: digests of deposits stand on the open
ledger, and whoever pushes a listing could name them.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Final
from uuid import UUID

from chopmark.people.actor import Actor
from chopmark.watch import listing as listings
from chopmark.watch import wiring
from chopmark.watch.listing import Listing, Picture
from chopmark.watch.queries import access

MOST: Final = 8
"""Pictures of one listing that are looked for on disk."""


def cache_folder() -> Path:
    """Where pictures of listings are kept that somebody has looked at, see `shelf.Cache`."""
    return wiring.folder("pictures") / "cache"


def places_of(listing: Listing, first: Sequence[int] = (), *, at: datetime) -> tuple[int, ...]:
    """Which pictures of a listing can be shown, by their place.

    Args:
        first: places that matter most, such as those in which something was found.
    """
    known = range(len(listing.pictures))
    asked = list(dict.fromkeys([*(each for each in first if each in known), *known]))[:MOST]
    return tuple(sorted(each for each in asked if _held(listing.pictures[each], at) is not None))


def picture_of(actor: Actor, which: UUID | str, place: int, *, at: datetime) -> bytes | None:
    """The bytes of one picture of a hit's listing, as they were last fetched; None where they were not kept.

    Raises:
        Refused: `watch.hit_not_found`; what people's `must` raises.
    """
    pictures = listings.decode(bytes(access.hit(actor, which).listing)).pictures
    return _held(pictures[place], at) if 0 <= place < len(pictures) else None


def _held(picture: Picture, at: datetime) -> bytes | None:
    from chopmark.watch.shelf import Cache  # noqa: PLC0415 (loads what reads fingerprints)

    cache = Cache(cache_folder())
    known = cache.known(picture.url, at) if picture.url else None
    digest = known.sha256 if known is not None else b"" if picture.url else picture.sha256
    return cache.held(digest) if digest else None
