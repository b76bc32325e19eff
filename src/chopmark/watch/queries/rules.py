"""Rules, their versions and counts, as the organisation that runs them sees them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final
from uuid import UUID

from django.db.models import F, Q, QuerySet

from chopmark.people.actor import Actor
from chopmark.watch.models import RuleChange, RuleCount, RuleRow, RuleVersion
from chopmark.watch.queries import access
from chopmark.watch.rules.alarm import Alarm, Day, alarm
from chopmark.watch.rules.rule import STATES, Rule, RuleSet, parse_rule, rule_set

HISTORY: Final = 28  # days that an alarm compares with


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
class TrialSummary:
    """The version that counts in the shadow while another one is in force."""

    seq: int
    rule: Rule


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleSummary:
    """A rule as it stands."""

    name: str
    state: str
    version: int
    why: str
    changed_at: datetime
    rule: Rule
    trial: TrialSummary | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DayOfBoth:
    """A day on which a trial was asked, with what the version in force made of the same day; None where not asked."""

    day: date
    live: CountSummary | None
    trial: CountSummary


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleStory:
    """A rule with everything that is known of it, newest first."""

    summary: RuleSummary
    versions: tuple[VersionSummary, ...]
    changes: tuple[ChangeSummary, ...]
    counts: tuple[CountSummary, ...]

    def counts_of(self, seq: int) -> tuple[CountSummary, ...]:
        """Of one version, newest first."""
        return tuple(each for each in self.counts if each.seq == seq)

    def beside(self) -> tuple[DayOfBoth, ...]:
        """The trial's days beside those of the version in force, newest first; none where none runs."""
        if self.summary.trial is None:
            return ()
        live = {each.day: each for each in self.counts_of(self.summary.version)}
        trial = self.counts_of(self.summary.trial.seq)
        return tuple(DayOfBoth(day=each.day, live=live.get(each.day), trial=each) for each in trial)

    def ringing(self, on: date) -> Alarm | None:
        """What the day's counts of the version in force say: it has stopped the rule, or only tells."""
        rings = self.summary.state == "live"
        return self._rings(self.summary.rule, self.summary.version, on) if rings else None

    def trial_ringing(self, on: date) -> Alarm | None:
        """What the day's counts of the trial would have done to a rule in force; a trial goes on."""
        trial = self.summary.trial
        return self._rings(trial.rule, trial.seq, on) if trial is not None else None

    def _rings(self, rule: Rule, seq: int, on: date) -> Alarm | None:
        """As `actions.rules.count_rules` asks: of this version, since what another flagged says nothing of it."""
        days = {each.day: Day(seen=each.seen, flagged=each.fired) for each in self.counts_of(seq)[: HISTORY + 1]}
        today = days.pop(on, None)
        return alarm(rule, today, tuple(days.values())) if today is not None else None


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
            for each in _counts(row, days)
        ),
    )


def _counts(row: RuleRow, days: int) -> QuerySet[RuleCount]:
    """Of the newest days on which it was asked, all of its versions."""
    counts = RuleCount.objects.filter(rule=row)
    newest = list(counts.order_by("-day").values_list("day", flat=True).distinct()[:days])
    return counts.filter(day__gte=min(newest, default=date.max)).order_by("-day", "-seq")


def rules_in(organisation: UUID) -> RuleSet:
    """An organisation's rules as they run: each in its version and state, with its trial. For actions and jobs."""
    running = RuleVersion.objects.filter(rule__organisation=organisation).filter(
        Q(seq=F("rule__version")) | Q(seq=F("rule__trial"))
    )
    texts = running.values_list("text", "rule__state", "rule__trial", "seq")  # one statement sees one state of all
    return rule_set(_parsed(text, "shadow" if seq == trial else state) for text, state, trial, seq in texts)


def summary_of(row: RuleRow) -> RuleSummary:
    """The frozen form of a row."""
    return RuleSummary(
        name=row.name,
        state=row.state,
        version=row.version,
        why=row.why,
        changed_at=row.changed_at,
        rule=rule_at(row),
        trial=None if row.trial is None else TrialSummary(seq=row.trial, rule=rule_at(row, row.trial)),
    )


def rule_at(row: RuleRow, seq: int | None = None) -> Rule:
    """The rule of a row in one of its versions, by default the one in force."""
    wanted = seq or row.version
    text = RuleVersion.objects.values_list("text", flat=True).get(rule=row, seq=wanted)
    return _parsed(text, "shadow" if wanted == row.trial else row.state)


def _parsed(text: str, state: str) -> Rule:
    return parse_rule(text.encode(), state=STATES[STATES.index(state)])
