"""Rules, their versions and counts, as the organisation that runs them sees them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from chopmark.people.actor import Actor
from chopmark.watch.models import RuleChange, RuleCount, RuleRow, RuleVersion
from chopmark.watch.queries import access
from chopmark.watch.rules.rule import Rule, RuleSet, parse_rule, rule_set


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionSummary:
    """One text of a rule.

    Attributes:
        deposit: of its digest; None until it was put on the ledger.
    """

    seq: int
    text: str
    sha256: bytes
    deposit: UUID | None
    made_by: int | None
    made_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeSummary:
    """A step in a rule's life."""

    seq: int
    state: str
    why: str
    facts: Mapping[str, Any]
    user: int | None
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class CountSummary:
    """A day of a version of a rule, `seq`: `alone` is what a shadow would have added."""

    seq: int
    day: date
    seen: int
    fired: int
    alone: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleSummary:
    """A rule as it stands."""

    name: str
    state: str
    version: int
    why: str
    changed_at: datetime
    rule: Rule


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleStory:
    """A rule with everything that is known of it, newest first."""

    summary: RuleSummary
    versions: tuple[VersionSummary, ...]
    changes: tuple[ChangeSummary, ...]
    counts: tuple[CountSummary, ...]


def rules_of(actor: Actor) -> tuple[RuleSummary, ...]:
    """The actor's organisation's, by name.

    Raises:
        Refused: what people's `must` raises.
    """
    actor.must("view_hits")
    rows = RuleRow.objects.filter(organisation=actor.organisation_id).order_by("name")
    return tuple(map(summary_of, rows))


def rule_of(actor: Actor, name: str, *, days: int = 90) -> RuleStory:
    """One of them.

    Raises:
        Refused: `watch.rule_not_found`; what people's `must` raises.
    """
    row = access.rule(actor, name)
    return RuleStory(
        summary=summary_of(row),
        versions=tuple(
            VersionSummary(
                seq=each.seq,
                text=each.text,
                sha256=bytes(each.sha256),
                deposit=each.deposit,
                made_by=each.made_by,
                made_at=each.made_at,
            )
            for each in RuleVersion.objects.filter(rule=row).order_by("-seq")
        ),
        changes=tuple(
            ChangeSummary(seq=each.seq, state=each.state, why=each.why, facts=each.facts, user=each.user, at=each.at)
            for each in RuleChange.objects.filter(rule=row).order_by("-pk")
        ),
        counts=tuple(
            CountSummary(seq=each.seq, day=each.day, seen=each.seen, fired=each.fired, alone=each.alone)
            for each in RuleCount.objects.filter(rule=row).order_by("-day", "-seq")[:days]
        ),
    )


def rules_in(organisation: UUID) -> RuleSet:
    """An organisation's rules as they run: each in its version and state. For actions and jobs."""
    return rule_set(rule_at(row) for row in RuleRow.objects.filter(organisation=organisation).order_by("name"))


def summary_of(row: RuleRow) -> RuleSummary:
    """The frozen form of a row."""
    return RuleSummary(
        name=row.name,
        state=row.state,
        version=row.version,
        why=row.why,
        changed_at=row.changed_at,
        rule=rule_at(row),
    )


def rule_at(row: RuleRow, seq: int | None = None) -> Rule:
    """The rule of a row in one of its versions."""
    text = RuleVersion.objects.values_list("text", flat=True).get(rule=row, seq=seq or row.version)
    return parse_rule(text.encode(), state=row.state)  # type: ignore[arg-type]  # one of four, by the action
