"""What verdicts come to, when what they were made with has changed since; and what a stopped rule asked for."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from django.db import transaction
from world.market import NAMED, key, raw

from chopmark.rights.actions import interest
from chopmark.rights.actions.interest import NewInterest, end_interest
from chopmark.rights.record import Party
from chopmark.watch import sampling
from chopmark.watch.actions.judging import judge_of
from chopmark.watch.actions.keep import Judged, keep
from chopmark.watch.actions.marketplace import NewMarketplace, change_marketplace, name_seller, stop_marketplace
from chopmark.watch.actions.markset import follow_rights, in_use
from chopmark.watch.actions.measure import send_measures
from chopmark.watch.actions.review import Opinion, decide_hit
from chopmark.watch.actions.rules import count_rules, propose_rule, publish_rule, stop_rule
from chopmark.watch.listing import clean
from chopmark.watch.models import AuditSample, Figure, Hit, Marketplace, Measure
from chopmark.watch.queries.rules import rule_of
from chopmark.watch.rules.language import parse


@pytest.fixture(autouse=True)
def _all_automatic_measures_are_drawn(monkeypatch):
    monkeypatch.setattr(sampling, "drawn", lambda _key, _rate, what, *_: what == "automatic")


def judged(market, measure="takedown", **more):
    """A listing with verdicts that are good for a measure without a person."""
    listing = clean(raw(**more), marketplace="demo")
    verdicts = judge_of(market.jo.actor.organisation_id, at=market.world.at)(listing)
    sure = [replace(each, decided=replace(each.decided, measure=measure, automatic=True)) for each in verdicts]
    return Judged(listing=listing, verdicts=tuple(sure))


def kept(market, each, marks, source="scan", row=None):
    row = row or Marketplace.objects.get()
    with transaction.atomic():
        keep(row, [each], marks=marks, at=market.world.now(), source=source)
    return Hit.objects.get(item=each.listing.item)


def test_what_a_scan_found_sends_a_measure_while_all_is_as_it_was(market):
    hit = kept(market, judged(market), in_use().version)
    assert (hit.state, hit.automatic, hit.measure) == ("confirmed", True, "takedown")


def test_a_rule_that_was_stopped_or_changed_during_a_scan_sends_nothing(market):
    each, other, marks = judged(market), judged(market, item="2"), in_use().version
    newer = replace(rule_of(market.jo.actor, "named").summary.rule, condition=parse("text_score >= 400"))
    propose_rule(newer, by=market.jo.actor, at=market.world.now())
    publish_rule("named", by=market.jo.actor, at=market.world.now())
    assert (kept(market, each, marks).state, Measure.objects.count()) == ("open", 0)
    stop_rule("named", by=market.jo.actor, at=market.world.now())
    assert (kept(market, other, marks).state, Measure.objects.count()) == ("open", 0)


def test_a_licence_that_was_granted_during_a_scan_counts(market):
    anna = market.world.person("Anna")
    each, marks = judged(market, seller="anna"), in_use().version
    follow_rights(market.world.now())
    name_seller("demo", "anna", organisation=anna.actor.organisation_id, by=market.jo.actor, at=market.world.now())
    new = NewInterest(party=Party(name="Lamps Ltd"), role="licensee", organisation=anna.actor.organisation_id)
    interest.license(market.right.id, new, by=market.mei.actor, at=market.world.now())
    follow_rights(market.world.now())
    assert in_use().version != marks
    assert (kept(market, each, marks).state, Measure.objects.count()) == ("open", 0)


def test_a_marketplace_that_ends_automatic_measures_during_a_scan_gets_none(market):
    each, marks, row = judged(market), in_use().version, Marketplace.objects.get()
    less = NewMarketplace(name="demo", title="Demo", target=row.target, automatic=False)
    change_marketplace(less, by=market.jo.actor)
    assert row.automatic  # as whoever carries the scan has it in hand
    assert (kept(market, each, marks, row=row).state, Measure.objects.count()) == ("open", 0)


def test_what_a_rule_asked_for_before_its_alarm_stopped_it_waits_for_persons(market):
    organisation, marks = market.jo.actor.organisation_id, in_use().version
    sent = kept(market, judged(market, item="0"), marks, source="feed")
    send_measures(lambda _row: market.taker, clock=market.world.now)
    hold = kept(market, judged(market, item="1", measure="hold"), marks, source="feed")
    down = kept(market, judged(market, item="2"), marks, source="feed")
    own = kept(market, judged(market, item="3", measure="review"), marks, source="feed")
    decide_hit(
        own.number,
        Opinion(answer="confirm", why="counterfeit", measure="hold"),
        by=market.jo.actor,
        at=market.world.now(),
    )
    market.world.at += timedelta(seconds=1)
    with transaction.atomic():
        assert count_rules(organisation, {key(NAMED): (1_000, 999, 0)}, at=market.world.now()) == ("named",)
    for hit in (sent, hold, down, own):
        hit.refresh_from_db()
    assert [(each.state, each.measure) for each in (sent, hold, down, own)] == [
        ("confirmed", "takedown"),
        ("open", ""),
        ("open", ""),
        ("confirmed", "hold"),
    ]
    assert sorted(Measure.objects.values_list("hit__item", "kind", "state")) == [
        ("0", "takedown", "done"),
        ("1", "hold", "cancelled"),
        ("2", "takedown", "cancelled"),
        ("3", "hold", "waiting"),
    ]


def test_a_hold_that_stands_is_counted_once_and_survives_another_finding(market):
    marks = in_use().version
    hit = kept(market, judged(market, measure="hold"), marks, source="feed")
    again = judged(market, measure="hold", version=2, title="a RED LANTERN")
    hit = kept(market, again, marks, source="feed")
    assert (hit.state, hit.measure, Measure.objects.count()) == ("open", "hold", 1)
    assert Figure.objects.get(name="automatic").count == 1
    down = Opinion(answer="confirm", why="counterfeit", measure="takedown")
    assert decide_hit(hit.number, down, by=market.jo.actor, at=market.world.now()).state == "second"
    hit = kept(market, judged(market, measure="review", version=3, title="R3D LANTERN"), marks, source="feed")
    assert (hit.state, hit.wanted, hit.measure) == ("open", "", "hold")
    decide_hit(hit.number, Opinion(answer="dismiss", why="genuine"), by=market.jo.actor, at=market.world.now())
    hit.refresh_from_db()
    assert (hit.state, hit.measure) == ("dismissed", "")
    assert not Measure.objects.filter(state="waiting").exclude(kind="restore").exists()


def test_a_takedown_that_is_renewed_without_a_person_is_drawn_for_audit_too(market):
    marks = in_use().version
    kept(market, judged(market), marks, source="feed")
    send_measures(lambda _row: market.taker, clock=market.world.now)
    kept(market, judged(market, version=2), marks, source="feed")
    assert [each.kind for each in Measure.objects.all()] == ["takedown", "takedown"]
    assert sorted(AuditSample.objects.values_list("version", flat=True)) == [1, 2]
    assert Figure.objects.get(name="automatic").count == 2


def test_what_came_back_as_it_was_is_taken_down_again_only_while_two_keys_would(market):
    marks = in_use().version
    kept(market, judged(market), marks, source="feed")
    send_measures(lambda _row: market.taker, clock=market.world.now)
    less = NewMarketplace(name="demo", title="Demo", target=Marketplace.objects.get().target, automatic=False)
    change_marketplace(less, by=market.jo.actor)
    hit = kept(market, judged(market, version=2), marks, source="feed")
    assert (hit.state, hit.measure, hit.automatic, Measure.objects.count()) == ("open", "", False, 1)


def test_a_marketplace_that_was_stopped_gets_no_automatic_measure(market):
    each = judged(market)
    stop_marketplace("demo", by=market.jo.actor, at=market.world.now())
    assert (kept(market, each, in_use().version, source="feed").state, Measure.objects.count()) == ("open", 0)


def test_an_older_version_takes_no_hit_of_a_newer_one_away(market):
    """A file of listings may be older than what the feed has judged."""
    marks = in_use().version
    kept(market, judged(market, measure="review", version=2), marks, source="feed")
    older = replace(judged(market, version=1), verdicts=())
    assert kept(market, older, marks).state == "open"
    assert kept(market, replace(older, listing=clean(raw(version=3), marketplace="demo")), marks).state == "gone"


def test_a_scan_that_read_other_marks_leaves_alone_what_is_known_of_them(market):
    """A licence that ended meanwhile has opened the hit again; a right that was filed meanwhile is not in the scan."""
    anna = market.world.person("Anna")
    follow_rights(market.world.now())
    name_seller("demo", "anna", organisation=anna.actor.organisation_id, by=market.jo.actor, at=market.world.now())
    new = NewInterest(party=Party(name="Lamps Ltd"), role="licensee", organisation=anna.actor.organisation_id)
    interest.license(market.right.id, new, by=market.mei.actor, at=market.world.now())
    follow_rights(market.world.now())
    licensed, marks = judged(market, measure="none", seller="anna"), in_use().version
    assert licensed.verdicts[0].row["licensed"] is True
    end_interest(market.right.id, "I1", by=market.mei.actor, at=market.world.now())
    follow_rights(market.world.now())
    kept(market, judged(market, measure="review", seller="anna"), in_use().version, source="feed")
    assert kept(market, licensed, marks).state == "open"
    assert kept(market, replace(licensed, verdicts=()), marks).state == "open"
    assert kept(market, licensed, in_use().version).state == "released"
