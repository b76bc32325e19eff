"""What persons' labels prove of a rule, for whoever owns it: how precise it is at least, and how much is missing."""

from __future__ import annotations

from dataclasses import dataclass

from chopmark.people.actor import Actor
from chopmark.watch.models import RuleVersion
from chopmark.watch.queries import access
from chopmark.watch.queries.labels import labels_of
from chopmark.watch.score import Bound, bound, labels_needed


@dataclass(frozen=True, slots=True, kw_only=True)
class Proven:
    """Of the version of a rule that runs, or was proposed last.

    Attributes:
        seq: which version.
        missing: samples that have to be judged still, all of them confirmed; 0 once it is proven.
    """

    seq: int
    bound: Bound
    missing: int


def proven_of(actor: Actor, name: str, *, needed: int) -> Proven:
    """What is proven of a rule.

    Args:
        needed: thousandths of precision, as the rule asks for.

    Raises:
        Refused: `watch.rule_not_found`; what people's `must` raises.
    """
    row = access.rule(actor, name)
    version = bytes(RuleVersion.objects.get(rule=row, seq=row.version).sha256).hex()
    labels = labels_of(actor.organisation_id, [version])[version]
    found = bound(labels.confirmed, labels.labelled, needed=needed)
    wrong = labels.labelled - labels.confirmed
    missing = 0 if found.met else labels_needed(wrong, needed / 1000) - labels.labelled
    return Proven(seq=row.version, bound=found, missing=missing)
