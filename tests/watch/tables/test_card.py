"""The score card is learned of what persons decided, by who may, and feed and scans use it from then on."""

from __future__ import annotations

from datetime import timedelta

import pytest
from watch.tables.test_scan_actions import laid
from world.market import Market, raw

from chopmark.base.errors import Invalid, Refused
from chopmark.evidence.queries import deposits_of
from chopmark.watch import sampling
from chopmark.watch.actions.card import card_of, forget_card, learn_card
from chopmark.watch.actions.judging import learned_of
from chopmark.watch.actions.review import Opinion, decide_hit
from chopmark.watch.actions.rules import adopt_default_rules
from chopmark.watch.actions.scan import NewScan, start_scan, work_scan
from chopmark.watch.models import Hit
from chopmark.watch.queries.labels import samples_of
from chopmark.watch.score import default_card

FAKE = Opinion(answer="confirm", why="counterfeit")
FINE = Opinion(answer="dismiss", why="genuine")
EACH = 21
"""Of either kind in each third."""


@pytest.fixture
def market(world, mei, jo, monkeypatch):
    """One person decides; nothing goes to audit."""
    monkeypatch.setattr(sampling, "drawn", lambda *_parts: False)
    made = Market.made(world, mei, jo, two_persons=False)
    adopt_default_rules(by=jo.actor, at=world.now(), live=True)
    return made


def decided(market, count):
    """Disguised titles are fakes and plain ones genuine, kind by kind in each third."""
    titles = ["R3D LANTERN lamp" if number // 3 % 2 else "RED LANTERN lamp" for number in range(count)]
    for number, title in enumerate(titles):
        market.world.at += timedelta(seconds=1)
        market.push(raw(f"i{number:04}", title=title, seller=f"s{number}"))
    market.work()
    for number, title in enumerate(titles):
        hit = Hit.objects.get(item=f"i{number:04}")
        said = FAKE if title.startswith("R3D") else FINE
        decide_hit(hit.number, said, by=market.jo.actor, at=market.world.now())


def test_what_persons_decided_weighs_from_now_on(market):
    decided(market, 6 * EACH)
    before = default_card()
    learned = learn_card(by=market.jo.actor, at=market.world.now(), needed=500)
    assert learned.samples == 6 * EACH
    assert 0 <= learned.threshold <= 1000
    assert learned_of(market.jo.actor.organisation_id) == card_of(market.jo.actor) == learned
    rows, labels = samples_of(market.jo.actor.organisation_id, most=1_000)
    fakes, fine = ([row for row, label in zip(rows, labels, strict=True) if label is kind] for kind in (True, False))
    assert learned.card.scored(fakes[0]).score > 900
    assert learned.card.scored(fine[0]).score < 100
    assert learned.card.version != before.version
    assert any(each.file_name.startswith("card-") for each in deposits_of(market.jo.actor).items)
    hit = market.hit(raw("new", title="R3D LANTERN lamp", seller="s0"))
    assert hit.score == learned.card.scored(hit.features).score
    laid(market, raw("old", title="R3D LANTERN lamp", seller="s0"))
    start_scan(NewScan(marketplace="demo"), by=market.jo.actor, at=market.world.now())
    work_scan(clock=market.world.now, processes=1)
    old = Hit.objects.get(item="old")
    assert old.score == learned.card.scored(old.features).score != before.scored(old.features).score
    forget_card(by=market.jo.actor)
    assert card_of(market.jo.actor) is None
    market.world.at += timedelta(minutes=2)
    again = market.hit(raw("newer", title="R3D LANTERN lamp", seller="s0"))
    assert again.score == before.scored(again.features).score


def test_a_score_that_proves_nothing_makes_nothing_automatic(market):
    decided(market, 6 * EACH)
    learned = learn_card(by=market.jo.actor, at=market.world.now())
    assert (learned.threshold, learned.needed) == (None, 990)  # 299 samples without an error would be needed
    assert learned.least > 1000
    row, _ = samples_of(market.jo.actor.organisation_id, most=1)
    from chopmark.watch.actions.judging import decider  # noqa: PLC0415 (beside its one use)

    decide = decider(market.jo.actor.organisation_id, at=market.world.now())
    said = decide({**row[0], "replica_words": 1, "view": "folded", "disguised": True, "text_score": 1000})
    assert not said.automatic
    assert "watch.against_score" in [code for code, _ in said.reasons]


def test_too_few_decisions_teach_nothing(market):
    decided(market, 6)
    with pytest.raises(Refused, match=r"watch\.card_labels_few"):
        learn_card(by=market.jo.actor, at=market.world.now())
    assert card_of(market.jo.actor) is None


@pytest.mark.parametrize("needed", [0, 499, 1000, -1])
def test_a_budget_is_a_budget(market, needed):
    with pytest.raises(Invalid, match=r"watch\.card_needed"):
        learn_card(by=market.jo.actor, at=market.world.now(), needed=needed)


def test_who_may_not_learn(market, world):
    for role in ("depositor", "viewer"):
        who = world.person(f"Some {role}", role=role, of=market.jo)
        with pytest.raises(Refused, match=r"people\.not_allowed"):
            learn_card(by=who.actor, at=world.now())
        with pytest.raises(Refused, match=r"people\.not_allowed"):
            forget_card(by=who.actor)
    assert samples_of(market.mei.actor.organisation_id, most=10) == ([], [])
