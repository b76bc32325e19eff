"""Rules, card and two keys over one row, as the judge asks for it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

from chopmark.watch import twokeys
from chopmark.watch.features import Value
from chopmark.watch.judge import Decide, Decided
from chopmark.watch.rules.rule import RuleSet
from chopmark.watch.score import Bound, Card


def deciding(rules: RuleSet, *, on: date, card: Card, bounds: Mapping[str, Bound], least: int | None = None) -> Decide:
    """A function from a full row to what follows from it.

    Args:
        on: the day, by which rules expire.
        bounds: what labelled samples prove, by the version of the rule.
        least: score of an automatic measure; None where none was learned.
    """
    needs = twokeys.Needs(score=least)
    live, shadow = rules.in_state("live", on=on), rules.in_state("shadow", on=on)

    def decide(row: Mapping[str, Value]) -> Decided:
        asked = [(each, each.fires(row)) for each in live]
        found = [each for each, yes in asked if yes]
        outcome = twokeys.decide(row, found, card.scored(row).score, bounds, needs=needs)
        return Decided(
            measure=outcome.measure,
            automatic=outcome.automatic,
            score=outcome.score,
            keys=outcome.keys,
            reasons=tuple((each.code, each.facts) for each in outcome.reasons),
            fired=tuple((each.id, each.version) for each in found),
            asked=tuple((each.id, each.version, yes) for each, yes in asked),
            shadow=tuple((each.id, each.version, each.fires(row)) for each in shadow),
        )

    return decide
