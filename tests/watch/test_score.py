"""The score: sums that add up, weights that are learned, steps that rise, bounds as published."""

from __future__ import annotations

import math
import random
from collections.abc import Mapping
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chopmark.base.errors import Invalid, Refused
from chopmark.watch.bounds import lower_bound, upper_bound
from chopmark.watch.features import ROW, Value, row
from chopmark.watch.rules.language import evaluate, parse
from chopmark.watch.score import (
    Card,
    Step,
    Term,
    bound,
    calibrate,
    default_card,
    encode,
    fit,
    labels_needed,
    learn,
    parse_card,
    parse_learned,
    threshold,
)


def _term(name: str, condition: str, points: int) -> Term:
    return Term(name=name, zh="项", en=name, condition=parse(condition), points=points)


CARD = Card(
    terms=(
        _term("disguised", "disguised", 2000),
        _term("cheap", "price_ratio < 0.5", 1000),
        _term("descriptive", "descriptive", -3000),
    ),
    base=-1000,
)


def test_a_score_is_the_sum_of_what_is_shown():
    scored = CARD.scored(row({"disguised": True, "price_ratio": 0.2}))
    assert scored.parts == (("disguised", 2000), ("cheap", 1000))
    assert scored.points == 2000
    assert scored.score == round(1000 / (1 + math.exp(-2)))


def test_what_is_not_known_adds_nothing():
    assert CARD.scored(row({})).parts == ()


def test_a_score_stays_within_its_bounds_however_many_points():
    assert [CARD.score(points) for points in (-10_000_000, 0, 10_000_000)] == [0, 500, 1000]


def test_the_card_that_ships_is_read_and_prints_back():
    card = default_card()
    assert parse_card(encode(card)) == card
    assert card.labels == 0
    assert card.scored(ROW).score < 100
    assert all(term.zh and term.en for term in card.terms)
    kinds = {kind for term in card.terms for kind in term.evidence}
    assert kinds == {"text", "picture", "price", "seller", "listing"}


TELLING: Mapping[str, tuple[dict[str, Value], dict[str, Value]]] = {
    "a disguise more than a plain name": (
        {"view": "folded", "disguised": True, "text_score": 900},
        {"view": "exact", "text_score": 1000},
    ),
    "replica words more than none": ({"view": "exact", "replica_words": 1}, {"view": "exact"}),
    "a spare part less than the thing": ({"view": "exact", "descriptive": True}, {"view": "exact"}),
    "a common word less than a distinctive one": ({"view": "exact", "distinctiveness": 10}, {"view": "exact"}),
    "a copied photograph more than none": (
        {"picture_stage": "same", "picture_score": 1000, "copied_photo": True},
        {"view": "exact"},
    ),
}


def test_the_card_that_ships_ranks_as_people_do():
    card = default_card()
    for name, (more, less) in TELLING.items():
        higher, lower = card.scored(row(more)).points, card.scored(row(less)).points
        assert (higher > lower) is not name.startswith(("a spare", "a common")), name


BAD = {
    "no JSON": b"card",
    "white space": encode(CARD) + b"\n",
    "a hostile condition": encode(CARD).replace(b'"disguised","en"', b'"(SELECT 1)","en"'),
    "points without end": encode(CARD).replace(b'"points":2000', b'"points":20000000'),
    "points as text": encode(CARD).replace(b'"points":2000', b'"points":"2000"'),
    "a name twice": encode(CARD).replace(b'"name":"cheap"', b'"name":"disguised"'),
    "steps that fall": encode(replace(CARD, steps=(Step(points=0, score=9), Step(points=5, score=3)))),
    "a score above all": encode(replace(CARD, steps=(Step(points=0, score=1001),))),
    "fewer labels than none": encode(replace(CARD, labels=-1)),
    "a list": b"[]",
}


@pytest.mark.parametrize("data", BAD.values(), ids=BAD)
def test_a_card_that_does_not_print_back_is_refused(data):
    with pytest.raises(Invalid):
        parse_card(data)


# ---------------------------------------------------------------- learning


def _samples(count: int, seed: int) -> tuple[list[dict[str, Value]], list[bool]]:
    """Rows whose labels follow weights that are known: base -2, disguised 3, cheap 1.5, descriptive -4."""
    chance = random.Random(seed)  # noqa: S311 (the same samples every time)
    rows, labels = [], []
    for _ in range(count):
        disguised, cheap, descriptive = (chance.random() < share for share in (0.4, 0.5, 0.2))
        odds = -2 + 3 * disguised + 1.5 * cheap - 4 * descriptive
        values = {"disguised": disguised, "price_ratio": 0.2 if cheap else 1.0, "descriptive": descriptive}
        rows.append(row(values))
        labels.append(chance.random() < 1 / (1 + math.exp(-odds)))
    return rows, labels


def test_weights_are_found_again_from_labelled_samples():
    card = fit(CARD, *_samples(6_000, 1), pull=0.01)
    found = [card.base, *(term.points for term in card.terms)]
    assert found == pytest.approx([-2000, 3000, 1500, -4000], abs=450)


def _slow_fit(rows: list[dict[str, Value]], labels: list[bool], pull: float) -> list[float]:
    """The same minimum by small steps downhill, in plain Python."""
    start = [CARD.base / 1000, *(term.points / 1000 for term in CARD.terms)]
    weights = list(start)
    holds = [[1.0, *(float(evaluate(term.condition, each) is True) for term in CARD.terms)] for each in rows]
    for _ in range(1_500):
        slope = [0.0] + [pull * (weight - first) for weight, first in zip(weights[1:], start[1:], strict=True)]
        for line, label in zip(holds, labels, strict=True):
            away = 1 / (1 + math.exp(-sum(map(float.__mul__, line, weights)))) - label
            slope = [each + away * value for each, value in zip(slope, line, strict=True)]
        weights = [weight - 0.04 * each for weight, each in zip(weights, slope, strict=True)]
    return [1000 * weight for weight in weights]


def test_learning_finds_the_minimum_that_small_steps_find():
    rows, labels = _samples(90, 2)
    card = fit(CARD, rows, labels, pull=2.0)
    found = [card.base, *(term.points for term in card.terms)]
    assert found == pytest.approx(_slow_fit(rows, labels, 2.0), abs=3)


def test_a_strong_pull_keeps_the_weights():
    card = fit(CARD, *_samples(200, 3), pull=1e9)
    assert [term.points for term in card.terms] == [term.points for term in CARD.terms]


def test_too_few_labels_teach_nothing():
    rows, _ = _samples(100, 4)
    for learned in (fit, calibrate):
        with pytest.raises(Refused, match="labels_few"):
            learned(CARD, rows, [True] * 100)


def _pooled(points: list[int], labels: list[bool]) -> dict[int, float]:
    """Isotonic regression by pooling neighbours that fall, in plain Python (Ayer et al. 1955)."""
    blocks: list[list[float]] = []  # sum, count, first points
    for place in sorted(set(points)):
        own = [label for at, label in zip(points, labels, strict=True) if at == place]
        blocks.append([sum(own), len(own), place])
        while len(blocks) > 1 and blocks[-2][0] / blocks[-2][1] >= blocks[-1][0] / blocks[-1][1]:
            last = blocks.pop()
            blocks[-1] = [blocks[-1][0] + last[0], blocks[-1][1] + last[1], blocks[-1][2]]
    return {int(place): (hits + 1) / (count + 2) for hits, count, place in blocks}


def test_calibrated_scores_rise_and_are_what_pooling_gives():
    rows, labels = _samples(400, 5)
    card = calibrate(CARD, rows, labels)
    points = [CARD.scored(each).points for each in rows]
    pooled = _pooled(points, labels)
    assert card.labels == 400
    assert all(one.points < other.points and one.score <= other.score for one, other in pairwise(card.steps))
    for place in set(points):
        below = max(start for start in pooled if start <= place)
        assert card.score(place) == pytest.approx(1000 * pooled[below], abs=1)
    assert parse_card(encode(card)) == card


def test_a_calibrated_score_is_about_how_often_it_is_right():
    card = calibrate(CARD, *_samples(3_000, 6))
    rows, labels = _samples(3_000, 7)
    said = sum(card.scored(each).score for each in rows) / 3_000
    assert said == pytest.approx(1000 * sum(labels) / 3_000, abs=40)


def test_few_samples_make_no_certainty():
    rows = [row({"disguised": at < 30}) for at in range(60)]
    card = calibrate(CARD, rows, [bool(each["disguised"]) for each in rows])
    assert [each.score for each in card.steps] == [31, 969]


# ---------------------------------------------------------------- bounds

PUBLISHED = {
    # Successes, samples, confidence (one-sided) and the lower end: the two-sided 95 % tables of Clopper and Pearson
    # (1934) as reprinted in textbooks, where both sides have 2.5 %, and the rule of three, 1 - 0.05 ** (1 / n).
    "nine of ten": (9, 10, 0.975, 0.5550),
    "five of ten": (5, 10, 0.975, 0.1871),
    "all of ten": (10, 10, 0.975, 0.6915),
    "none of ten": (0, 10, 0.975, 0.0),
    "one of ten": (1, 10, 0.975, 0.0025),
    "eight of ten": (8, 10, 0.975, 0.4439),
    "all of 299": (299, 299, 0.95, 0.05 ** (1 / 299)),
}


@pytest.mark.parametrize(("successes", "count", "confidence", "lower"), PUBLISHED.values(), ids=PUBLISHED)
def test_bounds_are_as_published(successes, count, confidence, lower):
    assert lower_bound(successes, count, confidence) == pytest.approx(lower, abs=5e-5)


@pytest.mark.parametrize(
    ("errors", "needed", "samples"), [(0, 0.99, 299), (1, 0.99, 473), (2, 0.99, 628), (0, 0.999, 2995), (0, 0.95, 59)]
)
def test_samples_that_prove_a_precision_are_as_published(errors, needed, samples):
    assert labels_needed(errors, needed) == samples
    assert lower_bound(samples - errors, samples) >= needed
    assert lower_bound(samples - errors - 1, samples - 1) < needed


def _slow_lower(successes: int, count: int, confidence: float) -> float:
    """The share at which so many successes or more have probability 1 - confidence: halved until it is found."""
    low, high = 0.0, 1.0
    for _ in range(60):
        share = (low + high) / 2
        tail = sum(math.comb(count, at) * share**at * (1 - share) ** (count - at) for at in range(successes, count + 1))
        low, high = (share, high) if tail < 1 - confidence else (low, share)
    return low


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    st.integers(1, 60).flatmap(lambda count: st.tuples(st.integers(0, count), st.just(count))), st.floats(0.6, 0.999)
)
def test_bounds_are_what_the_binomial_sum_says(of, confidence):
    successes, count = of
    lower = lower_bound(successes, count, confidence)
    assert lower == pytest.approx(_slow_lower(successes, count, confidence) if successes else 0.0, abs=1e-9)
    assert upper_bound(successes, count, confidence) == pytest.approx(
        1 - lower_bound(count - successes, count, confidence)
    )
    assert lower <= successes / count <= upper_bound(successes, count, confidence)


def test_no_samples_prove_nothing():
    assert (lower_bound(0, 0), upper_bound(0, 0)) == (0.0, 1.0)
    assert not bound(0, 0, needed=1).met
    with pytest.raises(ValueError, match="3 of 2"):
        lower_bound(3, 2)


def test_a_bound_is_met_at_299_without_an_error_and_not_at_298():
    assert bound(299, 299, needed=990).met
    assert not bound(298, 298, needed=990).met
    assert not bound(298, 299, needed=990).met


# ---------------------------------------------------------------- thresholds


def test_a_threshold_is_the_lowest_score_with_proven_precision():
    samples = [(950, True)] * 100 + [(850, True)] * 200 + [(650, True)] * 100 + [(650, False)] * 20
    assert threshold(samples, needed=980) == 660
    assert threshold(samples, needed=990) == 660
    assert threshold(samples, needed=999) is None
    assert threshold([], needed=900) is None


def test_the_first_threshold_that_fails_ends_the_search():
    bad_above = [(950, False)] * 40 + [(950, True)] * 40 + [(500, True)] * 100_000
    assert threshold(bad_above, needed=950) is None


def test_thresholds_keep_their_confidence_over_many_draws():
    chance = random.Random(8)  # noqa: S311 (the same draws every time)
    wrong = 0
    for _ in range(200):
        samples = [(score, chance.random() < score / 1000) for score in (chance.randrange(1000) for _ in range(400))]
        found = threshold(samples, needed=900)
        # Scores are spread evenly and right as often as they say, so above a threshold the mean is half way to 1000.
        wrong += found is not None and (found + 1000) / 2 < 900
    assert wrong <= 20  # 5 % of 200, and room for chance


# ---------------------------------------------------------------- what was learned


def test_each_third_of_the_samples_is_used_for_one_thing():
    rows, labels = _samples(3_000, 11)
    learned = learn(CARD, rows, labels, needed=800)
    steady = calibrate(fit(CARD, rows[0::3], labels[0::3]), rows[1::3], labels[1::3])
    assert learned.card == steady
    judged = [(steady.scored(row).score, label) for row, label in zip(rows[2::3], labels[2::3], strict=True)]
    assert learned.threshold == threshold(judged, needed=800) is not None
    assert (learned.samples, learned.least) == (3_000, learned.threshold)
    others = [not label if at % 3 == 2 else label for at, label in enumerate(labels)]
    assert learn(CARD, rows, others, needed=800).card == learned.card


def test_without_proof_no_score_is_enough():
    learned = learn(CARD, *_samples(300, 12), needed=999)
    assert (learned.threshold, learned.least) == (None, 1_001)


@pytest.mark.parametrize("needed", [800, 999])
def test_what_was_learned_prints_back(needed):
    learned = learn(CARD, *_samples(300, 13), needed=needed)
    data = learned.encode()
    assert parse_learned(data) == learned
    for bad in (data + b" ", data[:-1], b"[]", b"{}", data.replace(b'"samples":300', b'"samples":-1'), data[1:]):
        with pytest.raises(Invalid, match=r"watch\.card_malformed"):
            parse_learned(bad)


def test_each_third_must_be_enough():
    rows, labels = _samples(3_000, 14)
    few = [index for index, label in enumerate(labels) if not label or index % 3 != 1]
    with pytest.raises(Refused, match=r"watch\.card_labels_few"):
        learn(CARD, [rows[at] for at in few][:60], [labels[at] for at in few][:60], needed=800)
