"""When a rule must stop: it flags more than its budget, nearly everything, or suddenly far more than it used to.

    alarm(rule, today, history)        Alarm or None

Pure: counts come in, an opinion goes out; who stops the rule and tells people is an action. Silence (a rule that used
to fire and no longer does) is told too, but stops nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Final, Literal

from chopmark.base.errors import Fact
from chopmark.watch.bounds import lower_bound, upper_bound
from chopmark.watch.rules.rule import Action, Rule

Kind = Literal["budget", "everything", "jump", "silent"]

LEAST_ROWS: Final = 200  # fewer candidates say nothing about a share
LEAST_DAYS: Final = 7  # of history, before a jump can be told from growth
JUMP: Final = 3.0  # times the usual share
LEAST_FLAGS: Final = 20  # before a share can be called a jump
CONFIDENCE: Final = 0.999  # that a share lies above, or below, what is usual
MOST_SHARE: Final[Mapping[Action, float]] = {"watch": 0.5, "review": 0.3, "hold": 0.1, "takedown": 0.1}
"""Of all candidates (listings in which something was found at all), by the action that the rule proposes."""
LEAST_SHARED: Final = 2_000  # candidates from which on that share counts: of a small shop's few, most may be fakes
NEARLY_ALL: Final = 0.8  # of fewer candidates, whatever the action


@dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    """Candidates that a rule was asked about, and how many it flagged, on one day or in one scan."""

    seen: int
    flagged: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Alarm:
    """Something is wrong with a rule.

    Attributes:
        code: of the catalogue. facts: for its sentence.
        stops: the rule must not go on by itself.
    """

    kind: Kind
    code: str
    facts: Mapping[str, Fact]
    stops: bool


def alarm(rule: Rule, today: Day, history: Sequence[Day] = ()) -> Alarm | None:
    """The gravest thing that today's counts say.

    Args:
        rule: for its action and its budget.
        today: so far; it may be asked at any time of the day.
        history: earlier days, the order does not matter; days without candidates do not count.
    """
    if today.flagged > rule.flags_a_day:
        facts: dict[str, Fact] = {"rule": rule.id, "flagged": today.flagged, "budget": rule.flags_a_day}
        return Alarm(kind="budget", code="watch.alarm_budget", facts=facts, stops=True)
    if today.seen < LEAST_ROWS:
        return None
    most = MOST_SHARE[rule.action] if today.seen >= LEAST_SHARED else NEARLY_ALL
    if today.flagged > most * today.seen:
        facts = {"rule": rule.id, "share": _thousandths(today), "most": round(1000 * most)}
        return Alarm(kind="everything", code="watch.alarm_everything", facts=facts, stops=True)
    usual = [each.flagged / each.seen for each in history if each.seen >= LEAST_ROWS]
    return _unusual(rule, today, usual) if len(usual) >= LEAST_DAYS else None


def _unusual(rule: Rule, today: Day, usual: Sequence[float]) -> Alarm | None:
    middle = median(usual)
    facts: dict[str, Fact] = {"rule": rule.id, "share": _thousandths(today), "usual": round(1000 * middle)}
    lowest = lower_bound(today.flagged, today.seen, CONFIDENCE)
    if today.flagged >= LEAST_FLAGS and lowest > max(JUMP * middle, *usual):
        return Alarm(kind="jump", code="watch.alarm_jump", facts=facts, stops=True)
    if min(usual) > 0 and upper_bound(today.flagged, today.seen, CONFIDENCE) < min(usual) / JUMP:
        return Alarm(kind="silent", code="watch.alarm_silent", facts=facts, stops=False)
    return None


def _thousandths(day: Day) -> int:
    return round(1000 * day.flagged / day.seen) if day.seen else 0
