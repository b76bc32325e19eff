"""Every night: which sellers show the same pictures, and what is kept of pictures is forgotten in time."""

from __future__ import annotations

import hashlib
from datetime import timedelta

from world import media

from chopmark.media import picture, sketch
from chopmark.watch.actions.tidying import tidy_pictures
from chopmark.watch.listing import Picture
from chopmark.watch.pictures import Seen
from chopmark.watch.queries.pictures import cache_folder, sharing
from chopmark.watch.shelf import KEPT, PARTS, Cache


def seen_at(url: str, pixels, quality: int, at) -> Picture:
    """A picture at an address, that was looked at."""
    data = media.jpeg(pixels, quality)
    digest = hashlib.sha256(data).digest()
    cache = Cache(cache_folder())
    cache.keep_seen(Seen(picture=0, sha256=digest, sketch=sketch.sketch_of(picture.luma(data)).encode()))
    cache.remember(url, "", digest, at)
    return Picture(url=url)


def test_sellers_that_show_one_photograph_in_other_files_share_it(market):
    at = market.world.now()
    first = seen_at("https://a.demo-shop.com/1", media.picture(1), 90, at)
    again = seen_at("https://b.demo-shop.com/1", media.picture(1), 50, at)
    other = seen_at("https://b.demo-shop.com/2", media.picture(2), 90, at)
    found = sharing([("demo:a", first), ("demo:b", again), ("demo:b", other), ("demo:c", other)], at=at)
    assert sorted(seller for seller, _ in found) == ["demo:a", "demo:b", "demo:b", "demo:c"]
    assert len({name for _, name in found}) == 2


def test_a_digest_that_a_listing_names_beside_another_picture_links_nobody(market):
    at = market.world.now()
    real = seen_at("https://a.demo-shop.com/1", media.picture(1), 90, at)
    planted = seen_at("https://b.demo-shop.com/1", media.picture(2), 90, at)
    digest = hashlib.sha256(media.jpeg(media.picture(1), 90)).digest()
    claimed = Picture(url=planted.url, sha256=digest)
    assert sharing([("demo:a", real), ("demo:b", claimed)], at=at) == []
    unseen = Picture(sha256=bytes(32))
    assert len(sharing([("demo:a", unseen), ("demo:b", unseen)], at=at)) == 2


def test_the_cache_is_tidied_once_a_day_a_part_at_a_time(market):
    at = market.world.now()
    for number in range(20):
        Cache(cache_folder()).hold(bytes([number]))
    later = at + KEPT + timedelta(days=3660)
    gone = [tidy_pictures(later) for _ in range(PARTS + 1)]
    assert (sum(gone), gone[-1]) == (20, 0)
    assert max(gone) < 20
    Cache(cache_folder()).hold(b"new")
    assert sum(tidy_pictures(later + timedelta(minutes=1)) for _ in range(PARTS)) == 0
    assert sum(tidy_pictures(later + timedelta(days=1)) for _ in range(PARTS)) == 1
