"""Offices' own words and codes for the state of a right, as one of six words; what is not listed is unknown.

The lists are data with their sources (`data/statuses.toml`). The office's word always stays beside the result, in the
record's `raw`. Nothing is guessed from parts of a word.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import cast, get_args

from chopmark.rights.record import Kind, Status

_SPACES = re.compile(r"[\s_]+")
_BROUGHT: Mapping[str, str] = {"utility_model": "patent"}
"""Kinds that share another's words."""


def normalise(office: str, kind: Kind, raw: str) -> Status:
    """The status for what an office (ST.3) says of a right of this kind: its own list first, then the common words."""
    word, lists = fold(raw), _lists()
    here = "EM" if office == "EU" else "WO" if office == "IB" else office
    for section in ((here, _BROUGHT.get(kind, kind)), (here, "any"), ("general", "any")):
        found = lists.get(section, {}).get(word)
        if found is not None:
            return found
    return "unknown"


def listed(office: str, kind: str) -> Mapping[str, Status]:
    """Every word of an office's own list; `general`, `any` for the common ones."""
    return _lists().get((office, kind), {})


def fold(raw: str) -> str:
    """A word as it stands in the lists."""
    return _SPACES.sub(" ", raw).strip().casefold()


@cache
def _lists() -> Mapping[tuple[str, str], Mapping[str, Status]]:
    data = tomllib.loads((files("chopmark.rights") / "data" / "statuses.toml").read_text("utf-8"))
    lists: dict[tuple[str, str], dict[str, Status]] = {}
    for office, kinds in data.items():
        for kind, by_status in kinds.items():
            words = lists.setdefault((office, kind), {})
            for status, listed_words in by_status.items():
                if status not in get_args(Status):
                    raise ValueError(f"{office}.{kind}: {status} is no status")
                for word in listed_words:
                    if fold(word) in words:
                        raise ValueError(f"{office}.{kind}: {word} is listed twice")
                    words[fold(word)] = cast("Status", status)
    return lists
