"""A protected work becomes part of the set that the feed looks with, and a copy of it a hit of its holder."""

from __future__ import annotations

import hashlib

import pytest
from rights.test_works import registered
from watch.test_pictures_fetch import shop
from world import media
from world.market import raw

from chopmark.rights.actions.work import withdraw_work
from chopmark.watch.actions import pictureset
from chopmark.watch.actions.pictureset import (
    FeedPictures,
    cache_folder,
    follow_pictures,
    matcher_in_use,
    path_of,
    version_in_use,
)
from chopmark.watch.models import ListingRow
from chopmark.watch.shelf import Cache

WHOLE = media.jpeg(media.picture(1))
COPY = media.jpeg(media.picture(1)[:, ::-1], 60)


@pytest.fixture
def photograph(market, mei):
    return registered(market.world, mei, WHOLE)


def test_a_set_follows_the_works_that_are_filed(market, mei, photograph):
    assert follow_pictures()
    first = version_in_use()
    assert not follow_pictures()
    assert version_in_use() == first
    [reference] = pictureset.read_pictures(path_of(first), first).references
    assert (reference.work, reference.organisation) == (photograph.number, str(mei.actor.organisation_id))
    assert reference.sha256 == hashlib.sha256(WHOLE).digest()
    assert reference.features
    withdraw_work(photograph.number, reason="sold", by=mei.actor, at=market.world.now())
    assert follow_pictures()
    assert pictureset.read_pictures(path_of(version_in_use()), version_in_use()).references == ()


def test_a_mirrored_copy_in_the_feed_is_judged_with_its_picture(market, photograph, settings, monkeypatch):
    import watch.test_pictures_fetch as shops  # noqa: PLC0415 (its shop gives another picture here)

    monkeypatch.setattr(shops, "DATA", COPY)
    follow_pictures()
    with shop() as (server, base):
        door = f"127.0.0.1:{server.server_port}"
        settings.CHOPMARK_CAPTURE_ALLOW = (door,)
        looks = FeedPictures((door,))
        market.push(raw(title="lamp", pictures=[base + "/good", "http://10.0.0.1/a.jpg"]), raw("2", title="chair"))
        seen = []

        def pictures(batch, at):
            found = looks(batch, at)
            seen.extend(found)
            return found

        assert market.work(pictures=pictures).judged == 2
        looks.close()
    assert [len(each) for each in seen] == [1, 0]
    assert looks.trouble == ""
    [hit] = matcher_in_use().find(seen[0])
    assert (hit.work, hit.stage) == (photograph.number, "codes")
    assert hit.inliers > 30
    assert Cache(cache_folder()).held(hashlib.sha256(COPY).digest()) == COPY
    listing = ListingRow.objects.get(item="1")
    assert b"10.0.0.1" not in bytes(listing.body)


def test_without_a_set_or_a_decoder_words_are_judged_all_the_same(market, photograph, monkeypatch):
    from chopmark.base.errors import Unavailable  # noqa: PLC0415 (beside its one use)
    from chopmark.watch.looking import Looker  # noqa: PLC0415 (the same)

    def lacks(*_args):
        raise Unavailable("media.decoder_missing")

    looks = FeedPictures()
    pictures = ["https://pictures.demo-shop.com/1.jpg"]
    market.push(raw(pictures=pictures))
    assert market.work(pictures=looks).new_hits == 1
    follow_pictures()
    monkeypatch.setattr(Looker, "look", lacks)
    market.push(raw("2", pictures=pictures))
    assert market.work(pictures=looks).new_hits == 1
    assert looks.trouble == "media.decoder_missing"
