"""Copies that the feed had no time for, or that were there before the work was filed, are found all the same."""

from __future__ import annotations

import math
from contextlib import contextmanager

import pytest
import watch.test_pictures_fetch as shops
from django.db import transaction
from rights.test_works import registered
from watch.test_pictures import overlaid
from world import media
from world.market import raw

from chopmark.base.errors import Unavailable
from chopmark.watch import listing as listings
from chopmark.watch.actions.keep import Judged, keep
from chopmark.watch.actions.pictureset import FeedPictures, follow_pictures
from chopmark.watch.actions.rules import adopt_default_rules
from chopmark.watch.actions.second_look import AT_ONCE, look_again
from chopmark.watch.found import Looked
from chopmark.watch.models import Hit, ListingRow, Marketplace, RuleCount, Task
from chopmark.watch.queries.hits import hits_of

WHOLE = media.jpeg(media.picture(2))
CROP = media.jpeg(overlaid(media.picture(2)[60:, 80:][:, ::-1]))
"""Mirrored, overlaid, cropped: codes do not know it again."""


@pytest.fixture(autouse=True)
def rules(market):
    adopt_default_rules(by=market.jo.actor, at=market.world.now(), live=True)


@pytest.fixture
def photograph(market, mei):
    return registered(market.world, mei, WHOLE)


@pytest.fixture
def looking():
    """Who looks at pictures; the connections are ended afterwards."""
    made = []

    def looks(*doors, patience=60.0, haste=math.inf):
        made.append(FeedPictures(doors, patience=patience, haste=haste))
        return made[-1]

    yield looks
    for each in made:
        each.close()


@contextmanager
def offered(monkeypatch):
    """A shop that shows the crop; its door and the address of the picture."""
    monkeypatch.setattr(shops, "DATA", CROP)
    with shops.shop() as (server, base):
        yield f"127.0.0.1:{server.server_port}", base + "/good"


def through(looks, market):
    """All pieces, until nothing is due."""
    done = []
    for _ in range(20):
        done.append(look_again(looks, clock=market.world.now))
        if not done[-1].more:
            return done
    raise AssertionError(done)


def test_what_a_full_feed_saw_by_codes_alone_is_found_by_a_second_look(
    market, photograph, settings, monkeypatch, looking
):
    follow_pictures(market.world.now())
    with offered(monkeypatch) as (door, picture):
        settings.CHOPMARK_CAPTURE_ALLOW = (door,)
        market.push(raw(title="lamp", pictures=[picture]), raw("2", title="chair"))
        busy, calm = looking(door, patience=0), looking(door)
        assert market.work(pictures=busy).new_hits == 0
        assert [each.glanced for each in ListingRow.objects.order_by("item")] == [True, False]
        assert through(calm, market)[0].found == 1
        assert not ListingRow.objects.filter(glanced=True).exists()
        hit = Hit.objects.get(item="1")
        [seen] = hit.found["pictures"]
        assert (hit.right_number, seen["work"], seen["stage"]) == (photograph.number, photograph.number, "features")
        assert seen["turn"] >= 4
        title = photograph.record.title
        assert [hits_of(who.actor).items[0].work for who in (market.mei, market.jo)] == [title, ""]
        assert ListingRow.objects.get(item="1").outcome == hit.outcome != "none"
        counted = list(RuleCount.objects.order_by("pk").values_list("rule__name", "seen", "fired"))
        assert counted
        assert all(seen == 1 for _, seen, _ in counted)
        assert {name for name, _, fired in counted if fired} == {name for name, _ in hit.rules}
        ListingRow.objects.update(glanced=True)
        assert not any(each.found for each in through(calm, market))
        assert list(RuleCount.objects.order_by("pk").values_list("rule__name", "seen", "fired")) == counted


def test_a_work_that_is_filed_now_is_found_in_listings_that_were_here_before(
    market, mei, settings, monkeypatch, looking
):
    registered(market.world, mei, media.jpeg(media.picture(30)))
    follow_pictures(market.world.now())
    with offered(monkeypatch) as (door, picture):
        settings.CHOPMARK_CAPTURE_ALLOW = (door,)
        market.push(raw(title="lamp", pictures=[picture]))
        looks = looking(door)
        assert market.work(pictures=looks).new_hits == 0
        assert sum(each.found for each in through(looks, market)) == 0
        work = registered(market.world, mei, WHOLE)
        follow_pictures(market.world.now())
        assert sum(each.found for each in through(looks, market)) == 1
        assert Hit.objects.get(item="1").right_number == work.number
        assert not Task.objects.filter(kind="pictures", done_at=None).exists()


def test_words_do_not_wait_for_pictures(market, photograph, settings, monkeypatch, looking):
    follow_pictures(market.world.now())
    with offered(monkeypatch) as (door, picture):
        settings.CHOPMARK_CAPTURE_ALLOW = (door,)
        market.push(raw(pictures=[picture]))
        assert market.work(pictures=looking(door, haste=-1.0)).new_hits == 1  # no time at all: the name alone
        assert Hit.objects.get(item="1").found["pictures"] == []
        assert through(looking(door), market)[0].found == 1
    assert {each.right_number for each in Hit.objects.filter(item="1")} == {market.right.number, photograph.number}


@pytest.mark.usefixtures("photograph")
@pytest.mark.parametrize("state", ["open", "watched"])
def test_a_hit_that_rests_on_a_picture_stays_while_nobody_looks(market, settings, monkeypatch, looking, state):
    follow_pictures(market.world.now())
    with offered(monkeypatch) as (door, picture):
        settings.CHOPMARK_CAPTURE_ALLOW = (door,)
        market.push(raw(title="lamp", pictures=[picture]))
        looks = looking(door)
        market.work(pictures=looks)
        Hit.objects.update(state=state)
        market.push(raw(title="lamp, dimmed", version=2, pictures=[picture]))
        market.work(pictures=looking(door, haste=-1.0))  # in a hurry
        assert Hit.objects.get(item="1").state == state
        judged = Judged(
            listing=listings.decode(bytes(ListingRow.objects.get(item="1").body)), verdicts=(), looked=False
        )
        with transaction.atomic():  # a scan of a stock without pictures
            keep(Marketplace.objects.get(), [judged], marks="0" * 64, at=market.world.now(), source="scan")
        assert Hit.objects.get(item="1").state == state
        through(looks, market)
        assert Hit.objects.get(item="1").version == 2
        market.push(raw(title="lamp, bare", version=3, pictures=[]))
        market.work(pictures=looks)
        assert Hit.objects.get(item="1").state == "gone"


def test_a_set_with_nothing_new_asks_for_no_look(market, photograph):
    from chopmark.rights.actions.work import withdraw_work  # noqa: PLC0415 (beside its one use)

    follow_pictures(market.world.now())
    assert Task.objects.filter(kind="pictures").count() == 1
    withdraw_work(photograph.number, reason="sold", by=market.mei.actor, at=market.world.now())
    assert follow_pictures(market.world.now())
    assert Task.objects.filter(kind="pictures").count() == 1


def test_a_picture_that_cannot_be_had_now_takes_no_hit_away(market, photograph, settings, monkeypatch, looking):
    follow_pictures(market.world.now())
    with offered(monkeypatch) as (door, picture):
        settings.CHOPMARK_CAPTURE_ALLOW = (door,)
        market.push(raw(title="lamp", pictures=[picture]))
        looks = looking(door)
        assert market.work(pictures=looks).new_hits == 1
    ListingRow.objects.update(glanced=True)
    assert sum(each.found for each in through(nothing, market)) == 0
    assert Hit.objects.get(item="1").state == "open"


def nothing(batch, _at):
    return Looked(seen=[()] * len(batch))


def test_a_listing_nobody_can_look_at_stops_no_other(market, photograph, caplog):
    market.push(*(raw(str(number), title="lamp") for number in range(AT_ONCE + 2)))
    market.work()
    ListingRow.objects.update(glanced=True)

    def looks(batch, at):
        if any(each.item == "3" for each in batch):
            raise ZeroDivisionError
        return nothing(batch, at)

    done = through(looks, market)
    assert (sum(each.looked for each in done), sum(each.spoiled for each in done)) == (AT_ONCE + 2, 1)
    assert [each.message.rpartition(" ")[2] for each in caplog.records if "nobody can look" in each.message] == [
        "ZeroDivisionError"
    ]
    assert not ListingRow.objects.filter(glanced=True).exists()


def test_without_a_decoder_all_wait(market, photograph, monkeypatch, looking):
    from chopmark.watch.looking import Looker  # noqa: PLC0415 (loads the decoder)

    def lacks(*_args):
        raise Unavailable("media.decoder_missing")

    follow_pictures(market.world.now())
    monkeypatch.setattr(Looker, "looked", lacks)
    looks = looking()
    market.push(raw(title="lamp", pictures=["https://pictures.demo-shop.com/1.jpg"]))
    market.work(pictures=looks)
    assert not look_again(looks, clock=market.world.now).more
    assert ListingRow.objects.get(item="1").glanced
