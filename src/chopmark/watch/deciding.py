"""Rules, card and two keys over one row, as the judge asks for it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

from chopmark.watch import twokeys
from chopmark.watch.features import Value
from chopmark.watch.judge import Decide, Decided
from chopmark.watch.rules.rule import RuleSet
from chopmark.watch.rules.run import fired
from chopmark.watch.score import Bound, Card


def deciding(rules: RuleSet, *, on: date, card: Card, bounds: Mapping[str, Bound]) -> Decide:
    """A function from a full row to what follows from it.

    Args:
        on: the day, by which rules expire.
        bounds: what labelled samples prove, by the version of the rule.
    """
    live, shadow = rules.in_state("live", on=on), rules.in_state("shadow", on=on)

    def decide(row: Mapping[str, Value]) -> Decided:
        found = fired(rules, row, on=on)
        yes, dim = {each.id for each in found.live}, {each.id for each in found.shadow}
        outcome = twokeys.decide(row, found.live, card.scored(row).score, bounds)
        return Decided(
            measure=outcome.measure,
            automatic=outcome.automatic,
            score=outcome.score,
            keys=outcome.keys,
            reasons=tuple((each.code, each.facts) for each in outcome.reasons),
            fired=tuple((each.id, each.version) for each in found.live),
            asked=tuple((each.id, each.id in yes) for each in live),
            shadow=tuple((each.id, each.id in dim) for each in shadow),
        )

    return decide
