"""Countries and regions by WIPO ST.3: their names, and what lies within what, on which day.

An office and a territory are two things: EM is the office whose rights have effect in the territory EU. A region is the
territory of one right (EU, Benelux, OAPI ...); where its right is unitary it reaches every member of the day, also one
that came later. Where each state is designated by itself (ARIPO, EPC) the region alone says nothing of a state.

The answer "does it lie within" has three values; None is "the rules here do not know", never a guess: what depends on
extensions, on the kind of right or on its date is not decided here.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache, lru_cache
from importlib.resources import files

from chopmark.base.errors import Invalid


@dataclass(frozen=True, slots=True, kw_only=True)
class Territory:
    """A country, or the territory of a regional right.

    Attributes:
        code: ST.3.
        unitary: of a region, whether a right has effect in all its members at once; true for a country.
        extends: of a region, whether a right of before reaches a member that joined later without more.
        source: of a region, the treaty that says so.
    """

    code: str
    en: str
    zh: str
    region: bool = False
    unitary: bool = True
    extends: bool = True
    source: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Membership:
    """A country belongs to a region from `since` (None: not given) to the day before `until` (None: still)."""

    region: str
    country: str
    since: date | None
    until: date | None

    def holds(self, on: date) -> bool:
        """Whether it belongs on this day."""
        return (self.since is None or self.since <= on) and (self.until is None or on < self.until)


def territory(code: str) -> Territory:
    """A territory by its code; other codes in use for the same (EM, EL, UK) are understood.

    Raises:
        Invalid: `rules.territory_unknown`.
    """
    data = _data()
    found = data.territories.get(canonical(code))
    if found is None:
        raise Invalid("rules.territory_unknown", territory=code[:20])
    return found


def canonical(code: str) -> str:
    """The code in capitals, with other codes in use replaced; unknown ones stay as they are."""
    upper = code.strip().upper()
    return _data().aliases.get(upper, upper)


def known(code: str) -> bool:
    """Whether the rules know this code."""
    return canonical(code) in _data().territories


def territories() -> tuple[Territory, ...]:
    """All of them, regions last, by code."""
    return tuple(sorted(_data().territories.values(), key=lambda each: (each.region, each.code)))


@lru_cache(maxsize=16_384)
def members(code: str, on: date) -> frozenset[str]:
    """The countries that a right of this territory surely reaches on this day, with what lies within them.

    Of a region whose states are designated by themselves these are the states that may be designated.

    Raises:
        Invalid: `rules.territory_unknown`.
    """
    here, data = territory(code), _data()
    inside = frozenset(each.country for each in data.memberships.get(here.code, ()) if each.holds(on))
    if not here.region:
        inside = frozenset({here.code})
    return inside | {part for part, wholes in data.within.items() if wholes & inside}


def memberships(code: str) -> tuple[Membership, ...]:
    """Who belonged to a region, and when; none for a country."""
    return _data().memberships.get(canonical(code), ())


@lru_cache(maxsize=65_536)
def contains(code: str, country: str, on: date) -> bool | None:
    """Whether a right of the territory `code` reaches all of `country` on this day; None where the rules do not know.

    `country` may be a region too: then every member must be reached.

    Raises:
        Invalid: `rules.territory_unknown`, for either.
    """
    here, there, data = territory(code), territory(country), _data()
    if here.code == there.code:
        return True
    if there.region:
        parts = sorted(each.country for each in memberships(there.code) if each.holds(on))
        return _all(contains(here.code, part, on) for part in parts) if parts else None
    inside = members(here.code, on)
    if not here.unitary:
        return None if not inside or there.code in inside else False
    if there.code in inside:
        return True
    doubtful = there.code in data.unsure_members.get(here.code, frozenset())
    return None if doubtful or data.unsure.get(there.code, frozenset()) & inside else False


def overlap(one: str, other: str, on: date) -> bool | None:
    """Whether two territories have a country in common on this day; None where the rules do not know.

    Raises:
        Invalid: `rules.territory_unknown`, for either.
    """
    first, second = territory(one), territory(other)
    if first.code == second.code:
        return True
    if members(first.code, on) & members(second.code, on):
        return True if first.unitary and second.unitary else None
    answers = (contains(first.code, second.code, on), contains(second.code, first.code, on))
    return None if None in answers else False


def left(code: str, country: str, on: date) -> date | None:
    """The day from which `country` no longer belonged to the region, where that is past."""
    ended = [each.until for each in memberships(code) if each.country == canonical(country) and each.until is not None]
    return next((day for day in ended if day <= on), None)


def berne(country: str) -> bool | None:
    """Whether works of other countries are protected in this country without any formality; None where not verified."""
    here = territory(country)
    if here.region:
        listed = memberships(here.code)
        return None if not listed or any(each.country in _data().berne_unsure for each in listed) else True
    return None if here.code in _data().berne_unsure else True


def joined(code: str, country: str, on: date) -> date | None:
    """The day from which `country` has belonged to the region, where it does on this day and the day is given."""
    there = canonical(country)
    return next((each.since for each in memberships(code) if each.country == there and each.holds(on)), None)


def regions_of(country: str, on: date) -> frozenset[str]:
    """The regions whose right may reach this country on this day."""
    here = canonical(country)
    return frozenset(
        each.code for each in territories() if each.region and contains(each.code, here, on) is not False
    ) - {here}


def _all(answers: Iterable[bool | None]) -> bool | None:
    listed = list(answers)
    if False in listed:
        return False
    return None if None in listed else True


# ---- the data --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class _Data:
    territories: Mapping[str, Territory]
    memberships: Mapping[str, tuple[Membership, ...]]
    within: Mapping[str, frozenset[str]]
    unsure: Mapping[str, frozenset[str]]
    unsure_members: Mapping[str, frozenset[str]]
    aliases: Mapping[str, str]
    berne_unsure: frozenset[str]


@cache
def _data() -> _Data:
    raw = tomllib.loads((files("chopmark.rights") / "data" / "territories.toml").read_text("utf-8"))
    found = {code: Territory(code=code, en=en, zh=zh) for code, (en, zh) in raw["country"].items()}
    aliases = dict(raw["aliases"])
    joined: dict[str, tuple[Membership, ...]] = {}
    for code, region in raw["region"].items():
        en, zh = region["name"]
        found[code] = Territory(
            code=code,
            en=en,
            zh=zh,
            region=True,
            unitary=region["unitary"],
            extends=region.get("extends", True),
            source=region["source"],
        )
        aliases |= dict.fromkeys(region.get("aliases", ()), code)
        joined[code] = tuple(
            Membership(region=code, country=country, since=_day(since), until=_day(until))
            for country, (since, until) in region["members"].items()
        )
    return _Data(
        territories=found,
        memberships=joined,
        within={part: frozenset(wholes) for part, wholes in raw["within"].items()},
        unsure={part: frozenset(wholes) for part, wholes in raw["unsure"].items()},
        unsure_members={code: frozenset(region.get("unsure", ())) for code, region in raw["region"].items()},
        aliases=aliases,
        berne_unsure=frozenset(raw["berne"]["unsure"]),
    )


def _day(text: str) -> date | None:
    return date.fromisoformat(text) if text else None
