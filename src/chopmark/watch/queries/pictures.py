"""Pictures of listings as reviewers see them: those in which something was found, and whose bytes were kept for that.

A digest that a listing names by itself never opens anything but this cache: digests of deposits stand on the open
ledger, and whoever pushes a listing could name them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final
from uuid import UUID

from chopmark.base.errors import Invalid
from chopmark.people.actor import Actor
from chopmark.watch import listing as listings
from chopmark.watch import wiring
from chopmark.watch.listing import Listing, Picture
from chopmark.watch.queries import access

if TYPE_CHECKING:
    from chopmark.media.sketch import Sketch
    from chopmark.watch.shelf import Cache

MOST: Final = 8
"""Pictures of one listing that are looked for on disk."""
MOST_LOOKED: Final = 200_000
"""Pictures of which `sharing` asks what they look like; of the others only the same file is the same picture."""


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


def sharing(uses: Iterable[tuple[str, Picture]], *, at: datetime) -> list[tuple[str, str]]:
    """Sellers and the pictures that link them, each picture by one name, see `watch.pictures.shared_pictures`.

    A picture with an address is what was found there, whatever digest the listing names: who could name a digest could
    link others. One that nobody looked at is known by its digest or its address alone.

    Args:
        uses: sellers and the pictures of their listings; the same as often as it comes.
    """
    from chopmark.watch.pictures import shared_pictures  # noqa: PLC0415 (loads arrays)
    from chopmark.watch.shelf import Cache  # noqa: PLC0415 (loads what reads fingerprints)

    names: dict[Picture, str] = {}
    digests: dict[str, bytes] = {}
    used: set[tuple[str, str]] = set()
    cache = Cache(cache_folder())
    for seller, picture in uses:
        if picture not in names:
            digest = _digest(cache, picture, at) if len(names) < MOST_LOOKED else b""
            names[picture] = digest.hex() or picture.sha256.hex() or picture.url
            if digest:
                digests[names[picture]] = digest
        used.add((seller, names[picture]))
    return shared_pictures(sorted(used), _sketches(cache, digests))


def _sketches(cache: Cache, digests: Mapping[str, bytes]) -> Iterator[tuple[str, Sketch]]:
    from chopmark.media.sketch import parse  # noqa: PLC0415 (loads arrays)

    for name, digest in digests.items():
        seen = cache.seen(digest)
        if seen is not None and seen.sketch:
            with suppress(Invalid):  # another version's
                yield name, parse(seen.sketch)


def _held(picture: Picture, at: datetime) -> bytes | None:
    from chopmark.watch.shelf import Cache  # noqa: PLC0415 (loads what reads fingerprints)

    cache = Cache(cache_folder())
    digest = _digest(cache, picture, at)
    return cache.held(digest) if digest else None


def _digest(cache: Cache, picture: Picture, at: datetime) -> bytes:
    """Of what was found at its address, or what the listing names where it has no address; empty when nobody knows."""
    known = cache.known(picture.url, at) if picture.url else None
    return known.sha256 if known is not None else b"" if picture.url else picture.sha256
