"""A hit becomes a matter with a capture, once."""

from __future__ import annotations

import pytest
from world.market import raw

from chopmark.base.errors import Refused
from chopmark.watch.actions.hand_over import hit_to_matter
from chopmark.watch.actions.review import Opinion, decide_hit
from chopmark.watch.queries.hits import hit_of


def test_a_hit_becomes_a_matter_whose_page_is_captured(market):
    hit = market.hit(raw(url="https://shop.demo-market.com/1"))
    handed = hit_to_matter(hit.number, by=market.mei.actor, at=market.world.now())
    assert handed.capture is not None
    assert hit_of(market.mei.actor, hit.number).matter_number == handed.matter_number
    again = hit_to_matter(hit.number, by=market.mei.actor, at=market.world.now())
    assert (again.matter, again.capture) == (handed.matter, None)


def test_without_an_address_there_is_a_matter_and_no_capture(market):
    hit = market.hit(raw(url=""))
    assert hit_to_matter(hit.number, by=market.mei.actor, at=market.world.now()).capture is None


def test_who_may_not_hand_over(market):
    hit = market.hit()
    viewer, stranger = market.world.person("Vera", role="viewer", of=market.mei), market.world.person("Stranger")
    with pytest.raises(Refused, match=r"people\.not_allowed"):
        hit_to_matter(hit.number, by=viewer.actor, at=market.world.now())
    with pytest.raises(Refused, match=r"watch\.hit_not_found"):
        hit_to_matter(hit.number, by=stranger.actor, at=market.world.now())
    hit_to_matter(hit.number, by=market.mei.actor, at=market.world.now())
    with pytest.raises(Refused, match=r"watch\.hit_elsewhere"):
        hit_to_matter(hit.number, by=market.jo.actor, at=market.world.now())


def test_what_was_dismissed_is_no_matter(market):
    hit = market.hit()
    decide_hit(hit.number, Opinion(answer="dismiss", why="genuine"), by=market.jo.actor, at=market.world.now())
    with pytest.raises(Refused, match=r"watch\.hit_state_wrong"):
        hit_to_matter(hit.number, by=market.jo.actor, at=market.world.now())
