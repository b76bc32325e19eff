"""What a match of sound, film or text says: which part of the one is which part of the other, how well, and why."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """From `start` to `end`: seconds in sound and film, characters in text."""

    start: float
    end: float

    @property
    def length(self) -> float:
        """End less start."""
        return self.end - self.start


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """One part that the query and the reference have in common.

    Attributes:
        score: 0 to 1; how much of the part agrees. Comparable within one kind and method only.
        why: what was counted; `method` says how it was found, the other names are explained where they are made.
    """

    query: Span
    reference: Span
    score: float
    why: Mapping[str, str | int | float]
