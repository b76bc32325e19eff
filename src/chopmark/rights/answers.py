"""Answers of the rules: yes, no or unknown, each with its reasons; a reason is a code with facts.

The sentence for a reason stands in the catalogue of wording under the same code, in zh and en. Unknown is an answer of
its own: it means that a person has to look, and it is never taken for yes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from chopmark.base.errors import Fact

Value = Literal["yes", "no", "unknown"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """Why: a code of the catalogue and the facts that its sentence needs.

    Attributes:
        value: what this reason alone leads to.
    """

    code: str
    value: Value
    facts: Mapping[str, Fact] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """An answer with everything that led to it, in the order in which it was asked."""

    value: Value
    reasons: tuple[Reason, ...] = ()

    @property
    def codes(self) -> tuple[str, ...]:
        """The codes alone."""
        return tuple(each.code for each in self.reasons)

    @property
    def deciding(self) -> tuple[Reason, ...]:
        """The reasons that lead to this very answer."""
        return tuple(each for each in self.reasons if each.value == self.value)


def yes(code: str, **facts: Fact) -> Reason:
    """A reason for yes."""
    return Reason(code=code, value="yes", facts=facts)


def no(code: str, **facts: Fact) -> Reason:
    """A reason for no."""
    return Reason(code=code, value="no", facts=facts)


def unknown(code: str, **facts: Fact) -> Reason:
    """A reason why nobody can say without looking further."""
    return Reason(code=code, value="unknown", facts=facts)


def all_of(reasons: Iterable[Reason]) -> Answer:
    """Yes when every reason says yes; no as soon as one says no; unknown otherwise. No reason at all is unknown."""
    found = tuple(reasons)
    values = {each.value for each in found}
    if "no" in values:
        return Answer(value="no", reasons=found)
    return Answer(value="yes" if values == {"yes"} else "unknown", reasons=found)


def any_of(answers: Iterable[Answer]) -> Answer:
    """The best of several answers to the same question; the reasons of the others are dropped.

    Of several that are no, or unknown, all reasons are kept: each alternative failed for its own.
    """
    found = tuple(answers)
    values: tuple[Value, ...] = ("yes", "unknown", "no")
    for value in values:
        same = [each for each in found if each.value == value]
        if same:
            if value == "yes":
                return same[0]
            return Answer(value=value, reasons=_once(same))
    return Answer(value="unknown")


def _once(answers: Iterable[Answer]) -> tuple[Reason, ...]:
    kept: list[Reason] = []
    for reason in (each for answer in answers for each in answer.reasons):
        if reason not in kept:
            kept.append(reason)
    return tuple(kept)
