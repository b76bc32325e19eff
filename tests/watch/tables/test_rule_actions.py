"""Who may write and publish rules, what stops them, and what of it is on the ledger."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from world.market import NAMED, REPLICA, key, raw

from chopmark.base.errors import Refused
from chopmark.evidence.queries import deposit_of
from chopmark.watch.actions.rules import (
    adopt_default_rules,
    count_rules,
    end_trial,
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
        lambda by: end_trial("named", by=by, at=market.world.now()),
        lambda by: stop_rule("named", by=by, at=market.world.now()),
        lambda by: adopt_default_rules(by=by, at=market.world.now()),
    ):
        with pytest.raises(Refused, match=r"people\.not_allowed"):
            act(clerk.actor)
    for act in (stop_rule, shadow_rule, publish_rule, end_trial):
        with pytest.raises(Refused, match=r"watch\.rule_not_found"):
            act("named", by=market.mei.actor, at=market.world.now())
    assert rules_of(market.mei.actor) == ()
    assert [each.name for each in rules_of(clerk.actor)] == ["named", "replica"]


def test_a_rule_that_would_flag_everything_is_stopped_by_its_alarm(market):
    organisation = market.jo.actor.organisation_id
    assert count_rules(organisation, {key(REPLICA): (400, 4, 0)}, at=market.world.at) == ()
    assert count_rules(organisation, {key(REPLICA): (5_000, 4_900, 0)}, at=market.world.at) == ("replica",)
    summary = rule_of(market.jo.actor, "replica").summary
    assert (summary.state, summary.why) == ("stopped", "watch.alarm_everything")
    assert count_rules(organisation, {key(REPLICA): (10, 10, 0)}, at=market.world.at) == ()
    market.push(raw(title="高仿 RED LANTERN lamp"))
    market.work()
    assert [name for name, _ in Hit.objects.get().rules] == ["named"]


def test_a_rule_beyond_its_budget_is_stopped(market):
    organisation = market.jo.actor.organisation_id
    assert count_rules(organisation, {key(NAMED): (100_000, 9_999, 0)}, at=market.world.at) == ()
    tomorrow = market.world.at + timedelta(days=1)
    assert count_rules(organisation, {key(NAMED): (100_000, 9_999, 0)}, at=tomorrow) == ()
    assert count_rules(organisation, {key(NAMED): (100, 2, 0)}, at=tomorrow) == ("named",)
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
    assert count_rules(organisation, {key(NAMED): (5_000, 4_900, 0)}, at=market.world.at) == ("named",)
    narrow = replace(NAMED, condition=parse("text_score >= 990"))
    propose_rule(narrow, by=market.jo.actor, at=market.world.now())
    publish_rule("named", by=market.jo.actor, at=market.world.now())
    assert count_rules(organisation, {key(narrow): (1_000, 50, 0)}, at=market.world.at) == ()
    assert count_rules(organisation, {key(narrow): (1_000, 900, 0)}, at=market.world.at) == ("named",)
    told = [(each.seq, each.fired) for each in rule_of(market.jo.actor, "named").counts]
    assert told == [(2, 950), (1, 4_900)]


# ---- a trial beside the version in force

WIDE = replace(NAMED, condition=parse("text_score >= 300"), flags_a_day=40)
LAMPS = replace(NAMED, condition=parse("text_score >= 500 AND title_length < 17"))


def proposed(market, rule, act=None):
    """A further version, and what is done with it."""
    propose_rule(rule, by=market.jo.actor, at=market.world.now())
    return act(rule.id, by=market.jo.actor, at=market.world.now()) if act else None


def steps(market, name="named"):
    """Its life, oldest first."""
    return [(each.seq, each.state) for each in reversed(rule_of(market.jo.actor, name).changes)]


def counts(name="named"):
    """By version: asked, fired, alone."""
    return {each.seq: (each.seen, each.fired, each.alone) for each in RuleCount.objects.filter(rule__name=name)}


def test_both_versions_count_what_the_feed_brings_and_one_of_them_flags(market):
    told = proposed(market, LAMPS, shadow_rule)
    assert (told.state, told.version, told.trial.seq, told.trial.rule.state) == ("live", 1, 2, "shadow")
    stop_rule("replica", by=market.jo.actor, at=market.world.now())
    market.push(raw("1"), raw("2", title="RED LANTERN lamp for the garden"), raw("3", title="blue lamp"))
    market.work()
    assert counts() == {1: (2, 2, 0), 2: (2, 1, 0)}
    assert {tuple(map(tuple, hit.rules)) for hit in Hit.objects.all()} == {(key(NAMED),)}
    told = rule_of(market.jo.actor, "named").beside()
    assert [(each.live.fired, each.trial.fired) for each in told] == [(2, 1)]


def test_what_a_trial_would_add_is_counted_alone(market):
    proposed(market, LAMPS, publish_rule)
    stop_rule("replica", by=market.jo.actor, at=market.world.now())
    shadow_rule("named", seq=1, by=market.jo.actor, at=market.world.now())
    market.push(raw("1"), raw("2", title="RED LANTERN lamp for the garden"))
    market.work()
    assert counts() == {1: (2, 2, 1), 2: (2, 1, 0)}


def test_a_trial_that_is_published_takes_the_place_of_the_one_in_force(market):
    proposed(market, WIDE, shadow_rule)
    told = publish_rule("named", by=market.jo.actor, at=market.world.now())
    assert (told.state, told.version, told.trial) == ("live", 2, None)
    assert steps(market) == [(1, "draft"), (1, "shadow"), (1, "live"), (2, "shadow"), (2, "live")]
    with pytest.raises(Refused, match=r"watch\.rule_no_trial"):
        end_trial("named", by=market.jo.actor, at=market.world.now())


def test_a_trial_ends_and_the_version_in_force_goes_on(market):
    since = proposed(market, WIDE, shadow_rule).changed_at
    with pytest.raises(Refused, match=r"watch\.rule_no_trial"):
        end_trial("named", seq=1, by=market.jo.actor, at=market.world.now())
    told = end_trial("named", seq=2, by=market.jo.actor, at=market.world.now())
    assert (told.state, told.version, told.trial, told.changed_at) == ("live", 1, None, since)
    assert steps(market)[-2:] == [(2, "shadow"), (2, "ended")]
    assert market.hit().state == "open"


def test_who_stops_a_rule_ends_its_trial_too(market):
    proposed(market, WIDE, shadow_rule)
    told = stop_rule("named", by=market.jo.actor, at=market.world.now(), why="too many complaints")
    assert (told.state, told.version, told.trial, told.why) == ("stopped", 1, None, "too many complaints")
    assert steps(market)[-2:] == [(2, "ended"), (1, "stopped")]
    assert {each.state for each in rules_in(market.jo.actor.organisation_id).rules} == {"stopped", "live"}


def test_the_version_in_force_is_not_taken_out_of_it_by_a_shadow(market):
    before = steps(market)
    with pytest.raises(Refused, match=r"watch\.rule_is_live"):
        shadow_rule("named", by=market.jo.actor, at=market.world.now())
    proposed(market, WIDE)
    proposed(market, NAMED)  # the first text once more, as a version of its own
    with pytest.raises(Refused, match=r"watch\.rule_is_live"):
        shadow_rule("named", by=market.jo.actor, at=market.world.now())
    assert steps(market) == before


def test_one_version_at_a_time_counts_beside_the_one_in_force(market):
    proposed(market, WIDE, shadow_rule)
    assert proposed(market, LAMPS, shadow_rule).trial.seq == 3
    shadow_rule("named", by=market.jo.actor, at=market.world.now())  # again: nothing happens
    assert steps(market)[-3:] == [(2, "shadow"), (2, "ended"), (3, "shadow")]
    told = publish_rule("named", seq=2, by=market.jo.actor, at=market.world.now())
    assert (told.version, told.trial.seq) == (2, 3)


def test_a_text_that_takes_force_under_another_number_ends_its_trial(market):
    proposed(market, WIDE, shadow_rule)
    publish_rule("named", by=market.jo.actor, at=market.world.now())
    proposed(market, NAMED, shadow_rule)
    told = publish_rule("named", seq=1, by=market.jo.actor, at=market.world.now())
    assert (told.version, told.trial) == (1, None)
    assert steps(market)[-2:] == [(3, "ended"), (1, "live")]


def test_a_version_that_may_act_alone_is_tried_once_it_was_a_trial(market):
    harsher = replace(REPLICA, condition=parse("text_score >= 300 AND replica_words >= 1"))
    proposed(market, harsher)
    with pytest.raises(Refused, match=r"watch\.rule_untried"):
        publish_rule("replica", by=market.jo.actor, at=market.world.now())
    shadow_rule("replica", by=market.jo.actor, at=market.world.now())
    end_trial("replica", by=market.jo.actor, at=market.world.now())
    assert publish_rule("replica", by=market.jo.actor, at=market.world.now()).version == 2


def test_a_trial_rings_and_goes_on(market):
    proposed(market, WIDE, shadow_rule)
    organisation, now = market.jo.actor.organisation_id, market.world.at
    assert count_rules(organisation, {key(NAMED): (5_000, 4, 0), key(WIDE): (5_000, 4_900, 4_896)}, at=now) == ()
    story = rule_of(market.jo.actor, "named")
    assert (story.summary.state, story.summary.trial.seq) == ("live", 2)
    assert (story.ringing(now.date()), story.trial_ringing(now.date()).code) == (None, "watch.alarm_budget")
    assert count_rules(organisation, {key(NAMED): (5_000, 4_900, 0), key(WIDE): (5_000, 1, 0)}, at=now) == ("named",)
    assert counts() == {1: (10_000, 4_904, 0), 2: (10_000, 4_901, 4_896)}
    assert rule_of(market.jo.actor, "named").summary.trial is None


def test_counts_go_to_the_version_that_was_asked_whatever_is_in_force_since(market):
    """As those of a scan that began hours ago with its own rules."""
    organisation, now = market.jo.actor.organisation_id, market.world.at
    proposed(market, LAMPS, publish_rule)
    assert count_rules(organisation, {key(NAMED): (5_000, 4_900, 0), ("named", "00" * 32): (9, 9, 9)}, at=now) == ()
    assert counts() == {1: (5_000, 4_900, 0)}
    assert rule_of(market.jo.actor, "named").summary.state == "live"
    proposed(market, NAMED, shadow_rule)  # the first text as version 3, which is the one that is asked now
    assert count_rules(organisation, {key(NAMED): (10, 1, 0), key(LAMPS): (10, 2, 0)}, at=now) == ()
    assert counts() == {1: (5_000, 4_900, 0), 2: (10, 2, 0), 3: (10, 1, 0)}
