"""How far reviewers agree beyond chance: Cohen's kappa of two raters (Cohen 1960, Educ. Psychol. Meas. 20). Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """Two judgements on the same things.

    Attributes:
        count: things that both judged. agreed: in the same way.
        kappa: in thousandths, 1000 for always, 0 as by chance; None where chance alone would always agree.
    """

    count: int
    agreed: int
    kappa: int | None


def agreement(pairs: Sequence[tuple[str, str]]) -> Agreement:
    """Of pairs of answers."""
    agreed = sum(one == other for one, other in pairs)
    first, second = (Counter(each) for each in (zip(*pairs, strict=True) if pairs else ((), ())))
    if not pairs:
        return Agreement(count=0, agreed=0, kappa=None)
    total = len(pairs)
    chance = Fraction(sum(first[answer] * second[answer] for answer in first), total * total)
    if chance == 1:
        return Agreement(count=total, agreed=agreed, kappa=None)
    return Agreement(count=total, agreed=agreed, kappa=round(1000 * (Fraction(agreed, total) - chance) / (1 - chance)))
