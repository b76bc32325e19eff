"""A holder's licence covers its protected pictures: open hits of works are released with it, and come back after it."""

from __future__ import annotations

import pytest
from rights.test_works import registered
from world import media
from world.market import raw

from chopmark.rights.actions import interest
from chopmark.rights.actions.interest import NewInterest, end_interest
from chopmark.rights.record import Party
from chopmark.watch.actions import judging
from chopmark.watch.actions.marketplace import name_seller
from chopmark.watch.actions.markset import follow_rights, in_use, read_marks
from chopmark.watch.actions.rules import propose_rule, publish_rule, shadow_rule
from chopmark.watch.actions.turn import work_tasks
from chopmark.watch.found import Looked, PictureHit
from chopmark.watch.models import Hit
from chopmark.watch.rules.language import parse
from chopmark.watch.rules.rule import Example, Rule

COPIED = Rule(
    id="copied",
    zh="盗图",
    en="copies a picture",
    reason="copied_picture",
    condition=parse("copied_photo AND NOT licensed"),
    action="review",
    positive=tuple(Example(says=f"yes {n}", values={"copied_photo": True, "title_length": n}) for n in range(3)),
    negative=tuple(Example(says=f"no {n}", values={"title_length": n}) for n in range(3)),
)


class AsTold:
    """Finds what it is told."""

    def find(self, fingerprints):
        return tuple(fingerprints)


@pytest.fixture
def shown(market, mei):
    """Push a listing that shows the work of the right's holder; its hit, if there is one."""
    number = registered(market.world, mei, media.jpeg(media.picture(1))).number
    for step in (propose_rule, shadow_rule, publish_rule):
        step(COPIED if step is propose_rule else COPIED.id, by=market.jo.actor, at=market.world.now())
    picture = PictureHit(work=number, right="", picture=0, stage="codes", score=900)

    def push(**more):
        market.push(raw(title="lamp", **more))

        def judge_of(organisation):
            marks = read_marks(in_use().version)
            return judging.judge_of(organisation, at=market.world.at, marks=marks, pictures=AsTold())

        market.work(judge_of=judge_of, pictures=lambda batch, _at: Looked(seen=[[picture]] * len(batch)))
        return Hit.objects.filter(right=number).order_by("number").last()

    return push


def turned(market):
    follow_rights(market.world.now())
    while work_tasks(market.world.now()).more:
        pass


def test_a_licence_for_the_holder_s_goods_releases_the_hit_of_its_picture(market, shown):
    anna = market.world.person("Anna")
    hit = shown(seller="anna")
    assert (hit.state, hit.features["copied_photo"], hit.organisation) == (
        "open",
        True,
        market.mei.actor.organisation_id,
    )
    turned(market)
    hit.refresh_from_db()
    assert hit.state == "open"
    name_seller("demo", "anna", organisation=anna.actor.organisation_id, by=market.jo.actor, at=market.world.now())
    new = NewInterest(party=Party(name="Lamps Ltd"), role="licensee", organisation=anna.actor.organisation_id)
    interest.license(market.right.id, new, by=market.mei.actor, at=market.world.now())
    turned(market)
    hit.refresh_from_db()
    assert (hit.state, hit.why) == ("released", "licensed")
    assert shown(item="2", seller="anna").item == "1"
    assert shown(item="3", seller="anna", classes=["9"]).item == "3"
    end_interest(market.right.id, "I1", by=market.mei.actor, at=market.world.now())
    turned(market)
    hit.refresh_from_db()
    assert hit.state == "open"


def test_the_holder_s_own_shop_shows_its_own_pictures(market, shown):
    name_seller("demo", "mei", organisation=market.mei.actor.organisation_id, by=market.jo.actor, at=market.world.now())
    assert shown(seller="mei", classes=["9"]) is None
    assert shown(item="2", seller="eve") is not None
