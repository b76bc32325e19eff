"""Figures say what happened, and how wrong it may be."""

from __future__ import annotations

import csv
import io
from datetime import timedelta

import pytest
from world.market import raw

from chopmark.base.errors import Refused
from chopmark.watch import sampling
from chopmark.watch.actions.marketplace import (
    NewMarketplace,
    change_marketplace,
    name_seller,
    register_marketplace,
)
from chopmark.watch.actions.measure import send_measures
from chopmark.watch.actions.review import Opinion, claim_review, decide_card, decide_hit
from chopmark.watch.actions.sellers import link_sellers
from chopmark.watch.models import Hit, Seller
from chopmark.watch.queries.figures import COLUMNS, Line, cut_by, dashboard, export
from chopmark.watch.queries.marketplaces import dead_listings_of, marketplaces_of, sellers_of, waiting_in


@pytest.fixture(autouse=True)
def _no_samples(monkeypatch):
    monkeypatch.setattr(sampling, "drawn", lambda *_: False)


def decided(market):
    """Three hits: one held, one dismissed, one open."""
    for item, said in (
        ("1", Opinion(answer="confirm", why="counterfeit", measure="hold")),
        ("2", Opinion(answer="dismiss", why="genuine")),
        ("3", None),
    ):
        hit = market.hit(raw(item, seller=f"s{item}"))
        if said is not None:
            decide_hit(hit.number, said, by=market.jo.actor, at=market.world.now())
    market.push(raw("4", title="blue lamp"))
    market.work()


def test_the_dashboard_counts_what_happened(market):
    decided(market)
    told = dashboard(market.jo.actor, at=market.world.now())
    assert (told.scanned, told.waiting) == (4, 1)
    assert told.total == Line(name="", flagged=3, confirmed=1, dismissed=1, automatic=0, removed=0, removed_unsold=0)
    assert (told.false_flags.wrong, told.false_flags.of, told.false_flags.share) == (1, 2, 500)
    assert told.false_flags.at_most == 975  # one of two wrong: 1 - (1 - sqrt(0.95))
    assert [(each.scanned, each.flagged) for each in told.days] == [(4, 3)]
    assert told.missed.at_most is None


def test_removals_are_timed_from_the_listing_s_appearance(market):
    people = [market.jo, market.world.person("Ann", role="depositor", of=market.jo)]
    hit = market.hit(raw(listed_at=(market.world.at - timedelta(hours=5)).isoformat()))
    for who in people:
        said = Opinion(answer="confirm", why="counterfeit", measure="takedown")
        decide_hit(hit.number, said, by=who.actor, at=market.world.now())
    send_measures(lambda _row: market.taker, clock=market.world.now)
    told = dashboard(market.jo.actor, at=market.world.now())
    assert (told.total.removed, told.total.removed_unsold, told.within_day) == (1, 1, 1000)
    assert 5 <= told.median_hours < 5.1


def test_a_holder_sees_the_own_rights_and_a_stranger_nothing(market):
    decided(market)
    mine = dashboard(market.mei.actor, at=market.world.now())
    assert (mine.total.flagged, mine.scanned) == (3, 0)
    stranger = market.world.person("Stranger")
    assert dashboard(stranger.actor, at=market.world.now()).total.flagged == 0
    assert cut_by(stranger.actor, "seller", at=market.world.now()) == ()
    for ask in (sellers_of, dead_listings_of, waiting_in):
        with pytest.raises(Refused, match=r"watch\.marketplace_not_found"):
            ask(market.mei.actor, "demo")


@pytest.mark.parametrize("cut", [*COLUMNS, "rule"])
def test_every_cut_adds_up(market, cut):
    decided(market)
    lines = cut_by(market.jo.actor, cut, at=market.world.now())
    assert sum(each.flagged for each in lines) == 3
    assert sum(each.confirmed for each in lines) == 1


@pytest.mark.parametrize("name", ["=1+1", "+1", "-1", "@SUM(1)", "\t=1", "\n=1", "  =1", "＝1", "|calc", "\r1"])
def test_an_export_is_a_table_and_no_formula(name):
    line = Line(name=name, flagged=1, confirmed=0, dismissed=0, automatic=0, removed=0, removed_unsold=0)
    head, row = csv.reader(io.StringIO(export([line]), newline=""))
    assert (head[0], row[0], row[1]) == ("name", f"'{name}", "1")


def test_a_seller_s_name_begins_no_cell_where_semicolons_part_them():
    line = Line(name='a;=1+1;"', flagged=1, confirmed=0, dismissed=0, automatic=0, removed=0, removed_unsold=0)
    _, row = export([line]).splitlines()
    [[cell]] = csv.reader(io.StringIO(row.rpartition('",')[0] + '"'), delimiter=";")
    assert cell == 'a;=1+1;"'


def test_audits_of_the_unflagged_say_what_is_missed(market, monkeypatch):
    monkeypatch.setattr(sampling, "drawn", lambda _key, _rate, what, *_: what in ("unflagged", "audit"))
    market.push(raw("1", title="blue lamp"), raw("2", title="green lamp"))
    market.work()
    for said in (Opinion(answer="confirm", why="counterfeit"), Opinion(answer="dismiss", why="genuine")):
        card = claim_review(by=market.jo.actor, at=market.world.now())
        decide_card(card.id, said, by=market.jo.actor, at=market.world.now())
    missed = dashboard(market.jo.actor, at=market.world.now()).missed
    assert (missed.wrong, missed.of) == (1, 2)


def test_sellers_that_share_a_contact_are_linked_once_a_day(market):
    for item, seller in (("1", "a"), ("2", "b"), ("3", "c")):
        contact = "微信 fake12345" if seller != "c" else ""
        hit = market.hit(raw(item, seller=seller, description=contact))
        if seller == "a":
            said = Opinion(answer="confirm", why="counterfeit")
            decide_hit(hit.number, said, by=market.jo.actor, at=market.world.now())
    assert link_sellers(market.world.now()) == 2
    assert link_sellers(market.world.now()) == 0
    told = {each.number: (each.shared_contact, each.group_confirmed) for each in Seller.objects.all()}
    assert told == {"a": (1, 0), "b": (1, 1), "c": (0, 0)}
    market.push(raw("4", seller="b"))
    market.work()
    assert Hit.objects.get(item="4").features["group_confirmed"] == 1
    assert [each.number for each in sellers_of(market.jo.actor, "demo")] == ["a"]


def test_who_may_not_run_a_marketplace(market):
    clerk = market.world.person("Clerk", role="depositor", of=market.jo)
    new = NewMarketplace(name="other", title="Other")
    at = market.world.now()
    for act in (
        lambda by: register_marketplace(new, by=by, at=at),
        lambda by: change_marketplace(NewMarketplace(name="demo", title="X"), by=by),
        lambda by: name_seller("demo", "s1", by=by, at=at),
    ):
        with pytest.raises(Refused, match=r"people\.not_allowed"):
            act(clerk.actor)
    with pytest.raises(Refused, match=r"watch\.marketplace_not_found"):
        change_marketplace(NewMarketplace(name="demo", title="X"), by=market.mei.actor)
    with pytest.raises(Refused, match=r"watch\.marketplace_taken"):
        register_marketplace(NewMarketplace(name="demo", title="X"), by=market.mei.actor, at=at)
    assert marketplaces_of(market.mei.actor) == ()
    changed = change_marketplace(NewMarketplace(name="demo", title="New", automatic=False), by=market.jo.actor)
    assert (changed.title, changed.target, changed.automatic) == ("New", "", False)
