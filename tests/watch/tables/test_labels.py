"""Which words of persons prove a rule, and what nobody can make it look like."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from world.market import Market, raw

from chopmark.watch import sampling
from chopmark.watch.actions.judging import bounds_of
from chopmark.watch.actions.review import Opinion, add_golden, claim_review, decide_card, decide_hit, decide_many
from chopmark.watch.actions.rules import propose_rule, publish_rule
from chopmark.watch.models import AuditSample, Claim, Hit, Vote
from chopmark.watch.queries.rules import rule_of, rules_in
from chopmark.watch.rules.language import parse

FAKE = Opinion(answer="confirm", why="counterfeit")
FINE = Opinion(answer="dismiss", why="genuine")


@pytest.fixture(autouse=True)
def _no_samples(monkeypatch):
    monkeypatch.setattr(sampling, "drawn", lambda *_parts: False)


@pytest.fixture
def small(world, mei, jo):
    """A marketplace that does with one person."""
    return Market.made(world, mei, jo, two_persons=False)


@pytest.fixture
def ann(world, jo):
    return world.person("Ann", role="depositor", of=jo)


def hits(market, count, first=0):
    """Hits in the order in which they are found, a minute apart."""
    made = []
    for each in range(first, first + count):
        market.world.at += timedelta(minutes=1)
        made.append(market.hit(raw(str(each))))
    return made


def say(market, hit, said, who):
    return decide_hit(hit.number, said, by=who.actor, at=market.world.now())


def proven(market, rule="named"):
    """Confirmed and judged, as the two keys see it."""
    organisation = market.jo.actor.organisation_id
    rules = rules_in(organisation)
    found = bounds_of(organisation, rules)[rules.get(rule).version]
    return found.confirmed, found.labelled


def test_persons_words_count_and_what_two_keys_did_does_not(small):
    made = hits(small, 3)
    for hit, said in zip(made, (FAKE, FAKE, FINE), strict=True):
        say(small, hit, said, small.jo)
    assert proven(small) == (2, 3)
    Hit.objects.filter(pk=made[0].pk).update(automatic=True)
    assert proven(small) == (1, 2)


def test_samples_count_up_to_the_first_that_nobody_judged(small):
    """Who judges only the hits that are surely right proves nothing by them."""
    made = hits(small, 4)
    for hit in (made[0], made[2], made[3]):
        say(small, hit, FAKE, small.jo)
    assert proven(small) == (1, 1)
    say(small, made[1], FINE, small.jo)
    assert proven(small) == (3, 4)


def test_what_is_half_decided_is_not_confirmed(market, ann):
    made = hits(market, 2)
    down = Opinion(answer="confirm", why="counterfeit", measure="takedown")
    for hit in made:
        say(market, hit, down, ann)
    say(market, made[1], FINE, market.jo)
    assert {each.state for each in Hit.objects.all()} == {"second", "contested"}
    assert proven(market) == (0, 2)


def test_a_decision_over_many_proves_nothing(small):
    made = hits(small, 3)
    decide_many([each.number for each in made[:2]], FAKE, by=small.jo.actor, at=small.world.now())
    say(small, made[2], FAKE, small.jo)
    assert proven(small) == (1, 1)


def test_a_holder_s_word_proves_nothing_for_the_marketplace_and_may_disprove(small):
    made = hits(small, 2)
    say(small, made[0], FAKE, small.mei)
    say(small, made[1], FINE, small.mei)
    assert proven(small) == (0, 2)
    say(small, made[0], FAKE, small.jo)
    assert proven(small) == (1, 2)


def test_one_person_alone_proves_no_rule_where_measures_need_two(market, ann):
    made = hits(market, 4)
    for hit in made[:3]:
        say(market, hit, FAKE, market.jo)
    assert proven(market) == (0, 0)
    say(market, made[3], FAKE, ann)
    assert proven(market) == (4, 4)


def test_who_errs_in_golden_samples_proves_nothing(small, ann):
    golden = hits(small, 5)
    for hit in golden:
        say(small, hit, FINE, small.jo)
        add_golden(hit.number, "dismiss", by=small.jo.actor, at=small.world.now())
    say(small, hits(small, 1, first=5)[0], FAKE, ann)
    assert proven(small) == (1, 6)
    for hit, answer in zip(golden, ["confirm", "confirm", *["dismiss"] * 3], strict=True):
        Vote.objects.create(
            golden=hit.golden.get(),
            user=ann.user.pk,
            organisation=ann.actor.organisation_id,
            answer=answer,
            at=small.world.now(),
        )
    assert proven(small) == (0, 5)


def test_an_audited_measure_counts_once_as_it_was_answered(small, ann, monkeypatch):
    monkeypatch.setattr(sampling, "drawn", lambda _key, _rate, what, *_: what == "audit")
    made = hits(small, 3)
    Hit.objects.all().update(state="confirmed", automatic=True, decided_at=small.world.now())
    for hit in made:
        AuditSample.objects.create(
            kind="automatic",
            marketplace=hit.marketplace,
            hit=hit,
            right=hit.right,
            item=hit.item,
            version=1,
            taken_at=small.world.now(),
        )
    assert proven(small) == (0, 0)
    for said in (FAKE, FINE):
        card = claim_review(by=ann.actor, at=small.world.now())
        decide_card(card.id, said, by=ann.actor, at=small.world.now())
    assert sorted(Hit.objects.values_list("state", flat=True)) == ["confirmed", "confirmed", "dismissed"]
    assert proven(small) == (1, 2)
    assert not Claim.objects.filter(done_at=None).exists()


def test_a_new_version_begins_without_proof(small):
    for hit in hits(small, 2):
        say(small, hit, FAKE, small.jo)
    rule = rule_of(small.jo.actor, "named").summary.rule
    small.world.at += timedelta(minutes=1)
    propose_rule(replace(rule, condition=parse("text_score >= 400")), by=small.jo.actor, at=small.world.now())
    publish_rule("named", by=small.jo.actor, at=small.world.now())
    assert proven(small) == (0, 0)
    say(small, hits(small, 1, first=2)[0], FAKE, small.jo)
    assert proven(small) == (1, 1)
