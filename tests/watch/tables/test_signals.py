"""What other sellers' offers say of one: the night looks at all, the judge asks."""

from __future__ import annotations

from datetime import timedelta

from world.market import raw

from chopmark.watch import wiring
from chopmark.watch.actions.judging import brands_in, peers_path
from chopmark.watch.actions.marketplace import name_seller
from chopmark.watch.actions.sellers import link_sellers
from chopmark.watch.models import Hit, Seller
from chopmark.watch.prices import Peers, encode
from chopmark.watch.sellers import STOCK_SELLERS, Stock

PEN = "4006381333931"


def test_a_borrowed_gtin_is_told_to_the_rules_from_the_next_night_on(market):
    market.push(*(raw(f"p{at}", title="pen", brand="Stabilo", gtin=PEN, seller=f"p{at}") for at in range(5)))
    market.push(*(raw(f"x{at}", title="pen", brand="Red Lantern", gtin=PEN, seller="x") for at in range(30)))
    market.work()
    assert brands_in("demo") == {}
    assert market.hit(raw("a", gtin=PEN)).features["gtin_other"] is False
    link_sellers(market.world.now())
    assert brands_in("demo") == {PEN.zfill(14): "stabilo"}
    assert market.hit(raw("b", gtin=PEN)).features["gtin_other"] is True
    assert market.hit(raw("c", title="RED LANTERN holder for Stabilo pens", gtin=PEN)).features["gtin_other"] is False
    assert market.hit(raw("d", gtin="012345678905")).features["gtin_other"] is False


def test_stock_beyond_belief_is_told_to_the_rules_by_how_long_a_seller_is_here(market):
    peers = Peers(groups={}, stocks={market.right.number: Stock(median=20, sellers=STOCK_SELLERS)})
    peers_path("demo").write_bytes(encode(peers))
    at = market.world.now()
    for seller, days in (("new", 5), ("old", 500)):
        joined = at - timedelta(days=days)
        name_seller("demo", seller, joined_at=joined, by=market.jo.actor, at=at)
    market.push(
        raw("1", seller="new", stock=5_000), raw("2", seller="old", stock=5_000), raw("3", seller="old", stock=30_000)
    )
    market.work()
    said = dict(Hit.objects.values_list("item", "features"))
    assert {item: row["impossible_stock"] for item, row in said.items()} == {"1": True, "2": False, "3": True}


def test_the_same_picture_under_two_addresses_links_two_sellers(market):
    digest = "ab" * 32
    both = [{"sha256": digest}, {"sha256": "cd" * 32}]
    market.push(raw("1", seller="a", pictures=both), raw("2", seller="b", pictures=both))
    market.work()
    assert link_sellers(market.world.now()) == 2
    assert set(Seller.objects.values_list("shared_pictures", flat=True)) == {1}
    assert wiring.folder("peers").is_dir()
