"""The demo's marketplace, made as `chopmark demo` makes it: what the rules then say of its goods."""

from __future__ import annotations

from datetime import timedelta

import pytest
from pyarrow import parquet
from world.pages import PageWorld
from world.rights import lantern, verified

from chopmark.base import clock
from chopmark.people.queries import actor_for_api_key
from chopmark.rights.record import Class, Mark
from chopmark.site import demo_goods
from chopmark.site.demo_market import FOLDER, NAME, Market, Settings
from chopmark.site.demo_watch import STOCK, finished, make_watch
from chopmark.watch.actions.feed import work_feed
from chopmark.watch.actions.push import push_listings
from chopmark.watch.actions.scan import stock_of
from chopmark.watch.models import Hit, RuleRow


@pytest.fixture
def world(db, settings, tmp_path):
    settings.CHOPMARK_HOME = tmp_path / "home"
    return PageWorld.made(settings.CHOPMARK_HOME, at=clock.now().replace(microsecond=0) - timedelta(minutes=10))


def test_its_fakes_are_flagged_and_neither_licensed_nor_everyday_goods(world, settings):
    mei = world.person("Mei Lan")
    classes = (Class(scheme="nice", code="24"), Class(scheme="nice", code="25"))
    right = verified(world, mei, lantern(mark=Mark(verbal=demo_goods.MARK, feature="word"), classes=classes))
    made = make_watch(world.home, right.number, mei.actor)
    assert make_watch(world.home, right.number, mei.actor) == made == finished(world.home, mei.actor)
    told = Settings.read(world.home / FOLDER)
    shop = Market(world.home / FOLDER, told)
    program = actor_for_api_key(told.key, clock.now())
    assert (program.scopes, len(list((world.home / FOLDER / "pictures").iterdir()))) == ({"listings:write"}, 49)
    assert set(RuleRow.objects.values_list("state", flat=True)) == {"live"}
    settings.CHOPMARK_CAPTURE_ALLOW = (told.site.removeprefix("http://"),)
    answers = push_listings(NAME, shop.listings(0, 100), by=program, at=clock.now())
    assert {each.state for each in answers} == {"accepted"}
    while work_feed(clock=clock.now).judged:
        pass
    goods = {each.good.item: each.good for each in shop.offers}
    hits = {each.item: each for each in Hit.objects.all()}
    fakes = {item for item, good in goods.items() if good.truth == "fake"}
    assert {item: hits[item].state for item in fakes if item in hits} == dict.fromkeys(fakes, "open")
    assert {goods[item].truth for item, hit in hits.items() if hit.state == "open"} == {"fake"}
    table = parquet.read_table(stock_of(NAME) / "stock.parquet")
    assert (len(table), set(table.column("marketplace").to_pylist())) == (STOCK, {NAME})
