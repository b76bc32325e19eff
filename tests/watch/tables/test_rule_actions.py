"""Who may write and publish rules, what stops them, and what of it is on the ledger."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from world.market import NAMED, REPLICA, raw

from chopmark.base.errors import Refused
from chopmark.evidence.queries import deposit_of
from chopmark.watch.actions.rules import (
    adopt_default_rules,
    count_rules,
    propose_rule,
    publish_rule,
    shadow_rule,
    stop_rule,
)
from chopmark.watch.models import Hit, RuleCount, RuleRow
from chopmark.watch.queries.rules import rule_of, rules_in, rules_of
from chopmark.watch.rules.language import parse
from chopmark.watch.rules.rule import default

LONG = replace(NAMED, id="long", condition=parse("title_length >= 40"), action="review", positive=(), negative=())


def test_each_version_is_a_statement_on_the_ledger(market):
    story = rule_of(market.jo.actor, "named")
    [version] = story.versions
    assert deposit_of(market.jo.actor, version.deposit).sha256 == version.sha256
    assert [(each.state, each.seq) for each in story.changes] == [("live", 1), ("shadow", 1), ("draft", 1)]


def test_the_same_text_again_is_the_same_version(market):
    propose_rule(NAMED, by=market.jo.actor, at=market.world.now())
    assert len(rule_of(market.jo.actor, "named").versions) == 1


def test_a_new_text_counts_once_it_is_published(market):
    narrow = replace(NAMED, condition=parse("text_score >= 500 AND title_length < 5"), positive=NAMED.positive[:3])
    propose_rule(narrow, by=market.jo.actor, at=market.world.now())
    assert rule_of(market.jo.actor, "named").summary.version == 1
    assert market.hit().state == "open"
    publish_rule("named", by=market.jo.actor, at=market.world.now())
    market.push(raw("2"))
    market.work()
    assert Hit.objects.count() == 1
    publish_rule("named", seq=1, by=market.jo.actor, at=market.world.now())
    market.push(raw("3"))
    market.work()
    assert Hit.objects.count() == 2


def test_a_rule_without_examples_or_with_wrong_ones_is_not_tried(market):
    propose_rule(LONG, by=market.jo.actor, at=market.world.now())
    with pytest.raises(Refused, match=r"watch\.rule_examples_few"):
        shadow_rule("long", by=market.jo.actor, at=market.world.now())
    propose_rule(
        replace(LONG, positive=NAMED.positive, negative=NAMED.negative), by=market.jo.actor, at=market.world.now()
    )
    with pytest.raises(Refused, match=r"watch\.rule_examples_wrong"):
        shadow_rule("long", by=market.jo.actor, at=market.world.now())


def test_what_may_be_automatic_runs_in_its_shadow_first(market):
    harsh = replace(REPLICA, id="harsh")
    propose_rule(harsh, by=market.jo.actor, at=market.world.now())
    with pytest.raises(Refused, match=r"watch\.rule_untried"):
        publish_rule("harsh", by=market.jo.actor, at=market.world.now())
    shadow_rule("harsh", by=market.jo.actor, at=market.world.now())
    market.push(raw(title="高仿 RED LANTERN lamp"))
    market.work()
    counts = RuleCount.objects.get(rule__name="harsh")
    assert (counts.seen, counts.fired, counts.alone) == (1, 1, 0)
    assert [name for name, _ in Hit.objects.get().rules] == ["named", "replica"]
    assert publish_rule("harsh", by=market.jo.actor, at=market.world.now()).state == "live"


def test_a_shadow_counts_what_it_would_add_and_does_nothing(market):
    stop_rule("named", by=market.jo.actor, at=market.world.now(), why="trial")
    shadow_rule("named", by=market.jo.actor, at=market.world.now())
    market.push(raw())
    market.work()
    assert not Hit.objects.exists()
    counts = RuleCount.objects.get(rule__name="named")
    assert (counts.seen, counts.fired, counts.alone) == (1, 1, 1)


def test_who_may_not_write_rules(market):
    clerk = market.world.person("Clerk", role="depositor", of=market.jo)
    for act in (
        lambda by: propose_rule(NAMED, by=by, at=market.world.now()),
        lambda by: shadow_rule("named", by=by, at=market.world.now()),
        lambda by: publish_rule("named", by=by, at=market.world.now()),
        lambda by: stop_rule("named", by=by, at=market.world.now()),
        lambda by: adopt_default_rules(by=by, at=market.world.now()),
    ):
        with pytest.raises(Refused, match=r"people\.not_allowed"):
            act(clerk.actor)
    with pytest.raises(Refused, match=r"watch\.rule_not_found"):
        stop_rule("named", by=market.mei.actor, at=market.world.now())
    assert rules_of(market.mei.actor) == ()
    assert [each.name for each in rules_of(clerk.actor)] == ["named", "replica"]


def test_a_rule_that_would_flag_everything_is_stopped_by_its_alarm(market):
    organisation = market.jo.actor.organisation_id
    assert count_rules(organisation, {"replica": (400, 4, 0)}, at=market.world.at) == ()
    assert count_rules(organisation, {"replica": (5_000, 4_900, 0)}, at=market.world.at) == ("replica",)
    summary = rule_of(market.jo.actor, "replica").summary
    assert (summary.state, summary.why) == ("stopped", "watch.alarm_everything")
    assert count_rules(organisation, {"replica": (10, 10, 0)}, at=market.world.at) == ()
    market.push(raw(title="高仿 RED LANTERN lamp"))
    market.work()
    assert [name for name, _ in Hit.objects.get().rules] == ["named"]


def test_a_rule_beyond_its_budget_is_stopped(market):
    organisation = market.jo.actor.organisation_id
    assert count_rules(organisation, {"named": (100_000, 9_999, 0)}, at=market.world.at) == ()
    tomorrow = market.world.at + timedelta(days=1)
    assert count_rules(organisation, {"named": (100_000, 9_999, 0)}, at=tomorrow) == ()
    assert count_rules(organisation, {"named": (100, 2, 0)}, at=tomorrow) == ("named",)
    assert rule_of(market.jo.actor, "named").summary.why == "watch.alarm_budget"


def test_the_rules_that_ship_are_adopted_once(market):
    made = adopt_default_rules(by=market.jo.actor, at=market.world.now())
    assert {each.name for each in made} == {each.id for each in default().rules} - {"named", "replica"}
    assert {each.state for each in made} == {"shadow"}
    assert adopt_default_rules(by=market.jo.actor, at=market.world.now()) == ()
    assert len(rules_in(market.jo.actor.organisation_id).rules) == RuleRow.objects.count()


def test_what_an_earlier_version_flagged_is_not_counted_against_the_next(market):
    """Else who mends a rule that an alarm stopped would see it stopped again until the next day."""
    organisation = market.jo.actor.organisation_id
    assert count_rules(organisation, {"named": (5_000, 4_900, 0)}, at=market.world.at) == ("named",)
    narrow = replace(NAMED, condition=parse("text_score >= 990"))
    propose_rule(narrow, by=market.jo.actor, at=market.world.now())
    publish_rule("named", by=market.jo.actor, at=market.world.now())
    assert count_rules(organisation, {"named": (1_000, 50, 0)}, at=market.world.at) == ()
    assert count_rules(organisation, {"named": (1_000, 900, 0)}, at=market.world.at) == ("named",)
    told = [(each.seq, each.fired) for each in rule_of(market.jo.actor, "named").counts]
    assert told == [(2, 950), (1, 4_900)]
