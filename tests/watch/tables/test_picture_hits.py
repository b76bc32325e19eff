"""A protected work becomes part of the set that the feed looks with, and a copy of it a hit of its holder."""

from __future__ import annotations

import hashlib
import math
from dataclasses import replace

import cv2
import pytest
from rights.test_works import registered
from watch.test_pictures_fetch import shop
from world import media
from world.desks import uploaded
from world.logos import drawn
from world.market import raw
from world.rights import OPERATOR, by_office, lantern, verified

from chopmark.rights.actions.file import NewPaper, add_papers, amend
from chopmark.rights.actions.verify import verify_against
from chopmark.rights.actions.watch import run_watches
from chopmark.rights.actions.work import withdraw_work
from chopmark.rights.record import Mark
from chopmark.watch.actions import pictureset
from chopmark.watch.actions.judging import judge_of
from chopmark.watch.actions.markset import follow_rights
from chopmark.watch.actions.pictureset import (
    FeedPictures,
    follow_pictures,
    matcher_in_use,
    path_of,
    version_in_use,
)
from chopmark.watch.judge import Signals
from chopmark.watch.listing import clean
from chopmark.watch.models import ListingRow
from chopmark.watch.pictures import Seen
from chopmark.watch.queries.pictures import cache_folder
from chopmark.watch.shelf import Cache
from chopmark.watch.text.learn import UNKNOWN

DROP = "M12 2C8 8 5 11 5 15a7 7 0 0 0 14 0c0-4-3-7-7-13zM9 14h2v4H9z"
WHOLE = media.jpeg(media.picture(1))
COPY = media.jpeg(media.picture(1)[:, ::-1], 60)


@pytest.fixture
def photograph(market, mei):
    return registered(market.world, mei, WHOLE)


def test_a_set_follows_the_works_that_are_filed(market, mei, photograph):
    assert follow_pictures(market.world.now())
    first = version_in_use()
    assert not follow_pictures(market.world.now())
    assert version_in_use() == first
    [reference] = pictureset.read_pictures(path_of(first), first).references
    assert (reference.work, reference.organisation) == (photograph.number, str(mei.actor.organisation_id))
    assert reference.sha256 == hashlib.sha256(WHOLE).digest()
    assert reference.features
    withdraw_work(photograph.number, reason="sold", by=mei.actor, at=market.world.now())
    assert follow_pictures(market.world.now())
    assert pictureset.read_pictures(path_of(version_in_use()), version_in_use()).references == ()


def test_a_mirrored_copy_in_the_feed_is_judged_with_its_picture(market, photograph, settings, monkeypatch):
    import watch.test_pictures_fetch as shops  # noqa: PLC0415 (its shop gives another picture here)

    monkeypatch.setattr(shops, "DATA", COPY)
    follow_pictures(market.world.now())
    with shop() as (server, base):
        door = f"127.0.0.1:{server.server_port}"
        settings.CHOPMARK_CAPTURE_ALLOW = (door,)
        looks = FeedPictures((door,), haste=math.inf)
        market.push(raw(title="lamp", pictures=[base + "/good", "http://10.0.0.1/a.jpg"]), raw("2", title="chair"))
        seen = []

        def pictures(batch, at):
            found = looks(batch, at)
            seen.extend(found.seen)
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


def test_the_picture_of_a_figurative_mark_is_watched_for_once_somebody_brought_it(market, mei):
    world, sign = market.world, drawn(DROP)
    data = cv2.imencode(".png", sign)[1].tobytes()
    imported = lantern(
        application_number="018999999",
        registration_number="018999999",
        mark=Mark(verbal="", feature="figurative"),
    )
    right = verified(world, mei, imported)
    follow_rights(world.now())
    follow_pictures(world.now())
    assert pictureset.read_pictures(path_of(version_in_use()), version_in_use()).logos == ()

    upload = uploaded(world, mei, data, "mark.png", "image/png")
    add_papers(right.id, [NewPaper(kind="other", upload=upload)], by=mei.actor, at=world.now())
    with_sign = replace(imported, mark=replace(imported.mark, image=hashlib.sha256(data).digest()))
    amend(right.id, with_sign, by=mei.actor, at=world.now())
    verify_against(right.id, by_office(imported), by=OPERATOR, at=world.now())
    run_watches(world.now())
    follow_rights(world.now())
    follow_pictures(world.now())
    [logo] = pictureset.read_pictures(path_of(version_in_use()), version_in_use()).logos
    assert logo.right == str(right.id)

    shape = sign.shape[0].to_bytes(2) + sign.shape[1].to_bytes(2)
    shown = Seen(picture=0, sha256=bytes(32), gray=shape + (255 - sign).tobytes(), close=True)
    judge = judge_of(market.jo.actor.organisation_id, at=world.now())
    offer = clean(raw(title="cup", classes=["30"]), marketplace="demo")
    [verdict] = judge(offer, Signals(), [shown])
    assert (verdict.number, verdict.organisation) == (right.number, str(mei.actor.organisation_id))
    assert verdict.row["logo_score"] >= 850
    assert (verdict.row["class_fits"], verdict.row["distinctiveness"]) == (False, UNKNOWN)


def test_without_a_set_or_a_decoder_words_are_judged_all_the_same(market, photograph, monkeypatch):
    from chopmark.base.errors import Unavailable  # noqa: PLC0415 (beside its one use)
    from chopmark.watch.looking import Looker  # noqa: PLC0415 (the same)

    def lacks(*_args):
        raise Unavailable("media.decoder_missing")

    looks = FeedPictures()
    pictures = ["https://pictures.demo-shop.com/1.jpg"]
    market.push(raw(pictures=pictures))
    assert market.work(pictures=looks).new_hits == 1
    follow_pictures(market.world.now())
    monkeypatch.setattr(Looker, "looked", lacks)
    market.push(raw("2", pictures=pictures))
    assert market.work(pictures=looks).new_hits == 1
    assert looks.trouble == "media.decoder_missing"
