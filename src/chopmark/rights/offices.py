"""Offices that grant rights, by ST.3: their names, the territory of their rights, and how their numbers are written.

An office is not a territory: EM grants rights for EU, WO for whatever is designated. A country without an entry in
`data/offices.toml` has an office of its own code all the same.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cache
from importlib.resources import files

from chopmark.base.errors import Invalid
from chopmark.rights import territories


@dataclass(frozen=True, slots=True, kw_only=True)
class Office:
    """An office.

    Attributes:
        territory: of its rights; empty where every right designates its own (WO).
        prefixes: what people write before its numbers, longest first.
        same: a registration has its application's number.
        check: a last figure behind a point, hyphen or slash is a check figure.
        utc: hours that its clock is ahead of UTC, without summer time.
    """

    code: str
    en: str
    zh: str
    territory: str
    prefixes: tuple[str, ...] = ()
    same: bool = False
    check: bool = False
    utc: float = 0


_OTHER_CODES: Mapping[str, str] = {"EU": "EM", "IB": "WO", "UK": "GB", "EL": "GR"}


def office(code: str) -> Office:
    """An office by its code; other codes in use for the same (EU, IB, UK, EL) are understood.

    Raises:
        Invalid: `rules.office_unknown`.
    """
    found = _offices().get(canonical(code))
    if found is None:
        raise Invalid("rules.office_unknown", office=code[:20])
    return found


def known(code: str) -> bool:
    """Whether there is such an office."""
    return canonical(code) in _offices()


def canonical(code: str) -> str:
    """The code in capitals, with other codes in use replaced."""
    upper = code.strip().upper()
    return _OTHER_CODES.get(upper, upper)


def day(code: str, at: datetime) -> date:
    """The day that it is at an office, by which the days of its rights are meant; UTC where there is no such office."""
    ahead = office(code).utc if known(code) else 0
    return (at.astimezone(UTC) + timedelta(hours=ahead)).date()


def latest_day(at: datetime) -> date:
    """The day that it is where it is latest: what lies after it has happened nowhere."""
    return (at.astimezone(UTC) + timedelta(hours=14)).date()


def offices() -> tuple[Office, ...]:
    """All of them, by code."""
    return tuple(each for _, each in sorted(_offices().items()))


@cache
def _offices() -> Mapping[str, Office]:
    raw = tomllib.loads((files("chopmark.rights") / "data" / "offices.toml").read_text("utf-8"))
    found = {
        each.code: Office(
            code=each.code,
            en=f"Intellectual property office of {each.en}",
            zh=f"{each.zh}知识产权主管机关",
            territory=each.code,
            prefixes=(each.code,),
        )
        for each in territories.territories()
        if not each.region
    }
    for code, entry in raw.items():
        found[code] = Office(
            code=code,
            en=entry["en"],
            zh=entry["zh"],
            territory=entry.get("territory", code),
            prefixes=tuple(sorted(entry["prefixes"], key=len, reverse=True)),
            same=entry.get("same", False),
            check=entry.get("check", False),
            utc=entry.get("utc", 0),
        )
    return found
