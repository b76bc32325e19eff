"""What a court charges for taking a case: the bands of the Measures on the Payment of Litigation Costs.

Amounts are whole fen, 1/100 yuan; each band's part is exact because bands end on whole yuan, and what is left is
rounded up to the fen. Summary procedure, mediation and withdrawal halve the fee (Art. 15, 16): that is the court's
to say and is not foreseen here.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Literal

from chopmark.base.errors import Invalid
from chopmark.law.courts import court as court_of
from chopmark.law.kinds import Source

MOST = 10**15
"""The largest amount in fen that is taken: ten trillion yuan."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fee:
    """What the court will charge, as far as the rule says it.

    Attributes:
        least_fen, most_fen: the same where the rule leaves no choice.
        rule: which part of the rule holds.
        source: the rule.
    """

    least_fen: int
    most_fen: int
    rule: Literal["property", "intellectual", "other"]
    source: Source


def fee(court: str, cause: str, amount_fen: int | None) -> Fee:
    """The fee for a case of this cause at this court.

    Args:
        court: code of the court.
        cause: code of the cause.
        amount_fen: the sum claimed; None where no money is claimed.

    Raises:
        Refused: `law.court_unknown`, `law.cause_unknown`.
        Invalid: `law.amount_wrong` unless 0 < amount <= MOST.
    """
    profile = court_of(court)
    matter = profile.cause(cause)
    table = _table(profile.fees)
    source = Source.read(table["source"])
    if amount_fen is None:
        rule: Literal["intellectual", "other"] = "intellectual" if matter.intellectual else "other"
        span = table[rule]
        return Fee(least_fen=span["least_fen"], most_fen=span["most_fen"], rule=rule, source=source)
    if not 0 < amount_fen <= MOST:
        raise Invalid("law.amount_wrong", most=MOST)
    due = _property(table["property"], amount_fen)
    return Fee(least_fen=due, most_fen=due, rule="property", source=source)


def _property(table: Mapping[str, Any], amount: int) -> int:
    """The first band's sum, and of each further band its share of the part of the amount that lies in it."""
    hundredths, below = table["first_fen"] * 10_000, table["first_up_to_fen"]
    for band in table["band"]:
        top = min(amount, band.get("up_to_fen", amount))
        hundredths += max(0, top - below) * band["basis_points"]
        below = max(below, top)
    return int(-(-hundredths // 10_000))


@cache
def _table(name: str) -> Mapping[str, Any]:
    path = files("chopmark.law").joinpath("data", "fees", f"{name}.toml")
    return tomllib.loads(path.read_text("utf-8"))
