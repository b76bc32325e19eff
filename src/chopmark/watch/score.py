"""How sure a hit is: an additive card of log-odds with its weights shown, calibrated on labelled samples, with bounds.

    scored = card.scored(row)                  points, score in thousandths, what each term gave
    card = fit(card, rows, labels)             weights by logistic regression; calibrate(card, ...) on other samples
    bound(confirmed, labelled, needed=990)     what samples prove of a rule's precision
    threshold(samples, needed=990)             the lowest score above which precision is proven
    learn(card, rows, labels, needed=990)      all of it, each step on samples of its own

A term is a condition in the language of rules, so a card says nothing that a rule could not say, and everybody can add
it up again: weights are whole thousandths of log-odds. A score never decides alone (see `twokeys`). Labels come from
people who looked (reviews, audits, golden samples), never from what the card itself flagged without a look.
"""

from __future__ import annotations

import hashlib
import math
import tomllib
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from importlib.resources import files
from itertools import pairwise
from typing import Any, Final

from chopmark.base import jcs
from chopmark.base.errors import Invalid, Refused
from chopmark.watch.bounds import CONFIDENCE, lower_bound
from chopmark.watch.features import FEATURES, Value
from chopmark.watch.rules.language import Condition, Test, as_test, evaluate, parse

MOST_POINTS: Final = 10_000  # of one term: odds of 22,000 to 1
MAX_TERMS: Final = 100
LEAST_LABELS: Final = 20  # of each kind, before weights are fitted or scores calibrated
THRESHOLDS: Final = tuple(range(990, -1, -10))
"""Thresholds that are tried, from the strictest; fixed beforehand, so that trying many costs no confidence."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Term:
    """One line of the card.

    Attributes:
        name: short, the same in all versions.
        points: thousandths of log-odds that it adds where its condition is true.
    """

    name: str
    zh: str
    en: str
    condition: Condition
    points: int

    @property
    def evidence(self) -> tuple[str, ...]:
        """Kinds of evidence that its columns belong to."""
        return tuple(sorted({FEATURES[column].evidence for column in self.condition.columns} - {""}))


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """From so many points on, a hit was right in so many of a thousand cases."""

    points: int
    score: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Scored:
    """A score with its sum.

    Attributes:
        points: thousandths of log-odds. score: thousandths.
        parts: name and points of each term that counted.
    """

    points: int
    score: int
    parts: tuple[tuple[str, int], ...]


@dataclass(frozen=True, kw_only=True)
class Card:
    """The card.

    Attributes:
        base: points of a hit without any term.
        steps: from calibration, both columns rising; none before, then the score is the logistic of the points.
        labels: on how many labelled samples the calibration rests.
    """

    terms: tuple[Term, ...]
    base: int
    steps: tuple[Step, ...] = ()
    labels: int = 0

    @cached_property
    def version(self) -> str:
        """SHA-256 of its canonical bytes, hex."""
        return hashlib.sha256(encode(self)).hexdigest()

    def scored(self, row: Mapping[str, Value]) -> Scored:
        """Of one full row."""
        parts = tuple(given for holds, given in self._tests if holds(row))
        points = self.base + sum(given for _, given in parts)
        return Scored(points=points, score=self.score(points), parts=parts)

    @cached_property
    def _tests(self) -> tuple[tuple[Test, tuple[str, int]], ...]:
        return tuple((as_test(each.condition), (each.name, each.points)) for each in self.terms)

    def score(self, points: int) -> int:
        """Thousandths, for points."""
        if not self.steps:
            return round(1000 * _logistic(points / 1000))
        at = bisect_right([each.points for each in self.steps], points)
        return self.steps[max(at - 1, 0)].score


def _logistic(value: float) -> float:
    return 1 / (1 + math.exp(-value)) if value >= 0 else 1 - 1 / (1 + math.exp(value))


# ---------------------------------------------------------------- bytes


def encode(card: Card) -> bytes:
    """Canonical JSON."""
    return jcs.encode(
        {
            "base": card.base,
            "labels": card.labels,
            "steps": [[each.points, each.score] for each in card.steps],
            "terms": [
                {
                    "condition": each.condition.text,
                    "en": each.en,
                    "name": each.name,
                    "points": each.points,
                    "zh": each.zh,
                }
                for each in card.terms
            ],
        }
    )


def parse_card(data: bytes) -> Card:
    """Read what `encode` wrote.

    Raises:
        Invalid: `watch.card_malformed`, and what is wrong with a condition (`watch.rule_*`).
    """
    try:
        card = _card(jcs.decode(data))
    except (KeyError, TypeError, ValueError) as error:
        raise Invalid("watch.card_malformed") from error
    except Invalid as error:
        raise Invalid("watch.card_malformed") if error.code.startswith("base.") else error from error
    if encode(card) != data:
        raise Invalid("watch.card_malformed")
    return card


def _card(said: Mapping[str, Any]) -> Card:
    terms = tuple(
        Term(
            name=str(each["name"]),
            zh=str(each["zh"]),
            en=str(each["en"]),
            condition=parse(each["condition"]),
            points=int(each["points"]),
        )
        for each in said["terms"]
    )
    steps = tuple(Step(points=int(points), score=int(score)) for points, score in said["steps"])
    card = Card(terms=terms, base=int(said["base"]), steps=steps, labels=int(said["labels"]))
    rising = all(one.points < other.points and one.score <= other.score for one, other in pairwise(steps))
    if (
        not rising
        or len(terms) > MAX_TERMS
        or len({each.name for each in terms}) != len(terms)
        or any(abs(each.points) > MOST_POINTS for each in terms)
        or not all(0 <= each.score <= 1000 for each in steps)
        or abs(card.base) > MOST_POINTS
        or card.labels < 0
    ):
        raise ValueError
    return card


def default_card() -> Card:
    """The card that ships: weights set by hand, not calibrated."""
    said = tomllib.loads(files("chopmark.watch.rules").joinpath("card.toml").read_text("utf-8"))
    terms = [{"name": name, **term} for name, term in said["terms"].items()]
    return _card({"base": said["base"], "labels": 0, "steps": [], "terms": terms})


# ---------------------------------------------------------------- learning


def fit(card: Card, rows: Sequence[Mapping[str, Value]], labels: Sequence[bool], *, pull: float = 1.0) -> Card:
    """The card with weights by logistic regression, drawn towards the present ones.

    Args:
        card: its terms, and what the weights are drawn to.
        rows: full rows. labels: whether people confirmed them.
        pull: how strongly (ridge); large for few samples.

    Raises:
        Refused: `watch.card_labels_few`.
    """
    import numpy as np  # noqa: PLC0415 (only learning needs it)
    from scipy.optimize import minimize  # noqa: PLC0415 (as above)

    _must_be_enough(labels)
    holds = [[evaluate(each.condition, row) is True for each in card.terms] for row in rows]
    matrix = np.array([[1, *line] for line in holds], dtype=np.float64)
    wanted = np.array(labels, dtype=np.float64)
    start = np.array([card.base, *(each.points for each in card.terms)], dtype=np.float64) / 1000

    def loss(weights: Any) -> tuple[float, Any]:  # noqa: ANN401 (numpy arrays)
        odds = matrix @ weights
        away = weights - start
        away[0] = 0.0  # the base follows the samples
        value = np.logaddexp(0, odds).sum() - wanted @ odds + pull / 2 * (away @ away)
        slope = matrix.T @ (1 / (1 + np.exp(-np.clip(odds, -50, 50))) - wanted) + pull * away
        return float(value), slope

    limit = MOST_POINTS / 1000
    found = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=[(-limit, limit)] * len(start))
    base, *points = (round(1000 * float(each)) for each in found.x)
    terms = tuple(replace(each, points=given) for each, given in zip(card.terms, points, strict=True))
    return Card(terms=terms, base=base)


def calibrate(card: Card, rows: Sequence[Mapping[str, Value]], labels: Sequence[bool]) -> Card:
    """The card with steps by isotonic regression, on samples that its weights were not fitted on.

    No step is surer than its samples allow: shares are kept away from 0 and 1 by one sample on either side.

    Raises:
        Refused: `watch.card_labels_few`.
    """
    import numpy as np  # noqa: PLC0415 (only learning needs it)
    from scipy.optimize import isotonic_regression  # noqa: PLC0415 (as above)

    _must_be_enough(labels)
    points = np.array([card.scored(row).points for row in rows])
    places, inverse, weights = np.unique(points, return_inverse=True, return_counts=True)
    shares = np.bincount(inverse, weights=np.array(labels, dtype=np.float64)) / weights
    fitted = isotonic_regression(shares, weights=weights.astype(np.float64))
    steps: list[Step] = []
    for low, high in zip(fitted.blocks[:-1], fitted.blocks[1:], strict=True):
        count = float(weights[low:high].sum())
        score = round(1000 * (float(fitted.x[low]) * count + 1) / (count + 2))
        highest = max(score, steps[-1].score) if steps else score
        steps.append(Step(points=int(places[low]), score=highest))
    return replace(card, steps=tuple(steps), labels=len(labels))


def _must_be_enough(labels: Sequence[bool]) -> None:
    least = min(sum(labels), len(labels) - sum(labels))
    if least < LEAST_LABELS:
        raise Refused("watch.card_labels_few", least=LEAST_LABELS, found=least)


# ---------------------------------------------------------------- bounds


def labels_needed(errors: int, needed: float, confidence: float = CONFIDENCE) -> int:
    """How many samples, of which so many wrong, prove a share: 299 with none, 473 with one, for 0.99 at 0.95."""
    low, high = errors, errors + 1
    while lower_bound(high - errors, high, confidence) < needed:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if lower_bound(middle - errors, middle, confidence) >= needed else (middle, high)
    return high


@dataclass(frozen=True, slots=True, kw_only=True)
class Bound:
    """What labelled samples prove of a rule's precision.

    Attributes:
        labelled: samples that people judged, drawn at random from what the rule flagged. confirmed: of these.
        lower: thousandths, rounded down. needed: thousandths.
    """

    labelled: int
    confirmed: int
    lower: int
    needed: int

    @property
    def met(self) -> bool:
        """It is proven."""
        return self.lower >= self.needed


def bound(confirmed: int, labelled: int, *, needed: int, confidence: float = CONFIDENCE) -> Bound:
    """Of a rule's samples."""
    lower = math.floor(1000 * lower_bound(confirmed, labelled, confidence))
    return Bound(labelled=labelled, confirmed=confirmed, lower=lower, needed=needed)


def threshold(samples: Sequence[tuple[int, bool]], *, needed: int, confidence: float = CONFIDENCE) -> int | None:
    """The lowest score at or above which the precision of labelled samples is proven; None where none is.

    Thresholds are tried from the strictest down, and the first that fails ends it: such a fixed sequence keeps
    the confidence (Bauer 1991; Angelopoulos et al. 2021, Learn then Test). Strict ones with too few
    samples to prove anything are passed over, because what they hold was never looked at.

    Args:
        samples: score in thousandths, whether people confirmed it.
        needed: thousandths.
    """
    enough = labels_needed(0, needed / 1000, confidence)
    found = None
    for least in THRESHOLDS:
        above = [right for score, right in samples if score >= least]
        if len(above) < enough:
            continue
        if not bound(sum(above), len(above), needed=needed, confidence=confidence).met:
            break
        found = least
    return found


# ---------------------------------------------------------------- what an organisation has learned

FORM: Final = "chopmark-watch-card-1"
NEVER: Final = 1_001
"""A threshold that no score reaches."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Learned:
    """A card that was fitted on what persons decided, with what its score proves.

    Attributes:
        needed: thousandths of precision that automatic measures must have: of so many, the rest is the budget of false
            ones.
        threshold: the score from which on that is proven; None where no score proves it.
        samples: decided hits in all; a third for weights, a third for the steps, a third for the threshold.
    """

    card: Card
    needed: int
    threshold: int | None
    samples: int

    @property
    def least(self) -> int:
        """What `twokeys.Needs.score` is."""
        return NEVER if self.threshold is None else self.threshold

    def encode(self) -> bytes:
        """Canonical JSON."""
        return jcs.encode(
            {
                "card": encode(self.card).decode(),
                "form": FORM,
                "needed": self.needed,
                "samples": self.samples,
                "threshold": self.threshold,
            }
        )


def learn(card: Card, rows: Sequence[Mapping[str, Value]], labels: Sequence[bool], *, needed: int) -> Learned:
    """Weights, steps and threshold, each of its own third of the samples: every third one, as they come.

    Raises:
        Refused: `watch.card_labels_few` when a third has too few of either kind for weights or steps.
    """
    thirds = [(rows[at::3], labels[at::3]) for at in range(3)]
    fitted = fit(card, *thirds[0])
    steady = calibrate(fitted, *thirds[1])
    judged = [(steady.scored(row).score, label) for row, label in zip(*thirds[2], strict=True)]
    return Learned(card=steady, needed=needed, threshold=threshold(judged, needed=needed), samples=len(labels))


def parse_learned(data: bytes) -> Learned:
    """Read what `Learned.encode` wrote.

    Raises:
        Invalid: as `parse_card`.
    """
    try:
        said = jcs.decode(data)
        found = Learned(
            card=parse_card(said["card"].encode()),
            needed=said["needed"],
            threshold=said["threshold"],
            samples=said["samples"],
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise Invalid("watch.card_malformed") from error
    except Invalid as error:
        raise Invalid("watch.card_malformed") if error.code.startswith("base.") else error from error
    numbers = (found.needed, found.samples, 0 if found.threshold is None else found.threshold)
    if any(type(each) is not int or each < 0 for each in numbers) or found.encode() != data:
        raise Invalid("watch.card_malformed")
    return found
