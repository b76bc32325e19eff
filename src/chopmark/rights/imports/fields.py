"""The small things that every office's file says in its own way: days, classes, features, statuses, numbers.

A value is normalised only where that is certain; the office's own text stands beside it in `Record.raw`. What cannot be
read is left out and reported, never guessed: `19960100` is no day, `01/02/2020` is two.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from itertools import pairwise
from typing import Literal

from chopmark.base.errors import Fact, PlatformError
from chopmark.rights import numbers, statuses
from chopmark.rights.imports.result import Problem
from chopmark.rights.record import Record

_NICE = frozenset(map(str, range(1, 46)))
MAX_ITEMS = 1_000  # of one list of a record: no right has so many owners, classes or territories
_ISO = re.compile(r"(\d{4})-(\d{2})-(\d{2})(?:T[\d:.]+)?(?:Z|[+-]\d{2}:\d{2})?", re.ASCII)
_PLAIN = re.compile(r"(\d{4})(\d{2})(\d{2})", re.ASCII)
_YEAR_FIRST = re.compile(r"(\d{4})\s*[-/.年]\s*(\d{1,2})\s*[-/.月]\s*(\d{1,2})\s*日?", re.ASCII)
_ENGLISH = re.compile(r"(?:([A-Za-z]{3,9})\.?\s+(\d{1,2}),?|(\d{1,2})\s+([A-Za-z]{3,9})\.?,?)\s+(\d{4})", re.ASCII)
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_YEAR_LAST = re.compile(r"\d{1,2}[./-]\d{1,2}[./-]\d{4}", re.ASCII)

FEATURES: Mapping[str, str] = {
    # ST.66 and ST.96 words, with the spellings that offices use.
    "word": "word",
    "word mark": "word",
    "standard character mark": "word",
    "standard characters": "word",
    "typeset word(s) /letter(s) /number(s)": "word",
    "figurative": "figurative",
    "shape_figurative": "three_dimensional",
    "combined": "combined",
    "stylized characters": "combined",
    "stylised characters": "combined",
    "an illustration drawing which includes word(s)/ letter(s)/number(s)": "combined",
    "an illustration drawing with word(s) /letter(s)/ number(s) in stylized form": "combined",
    "an illustration drawing without any words(s)/ letter(s) /number(s)": "figurative",
    "3-d": "three_dimensional",
    "3d": "three_dimensional",
    "three dimensional": "three_dimensional",
    "three-dimensional": "three_dimensional",
    "shape": "three_dimensional",
    "shape_word": "three_dimensional",
    "shape_other": "three_dimensional",
    "colour": "colour",
    "color": "colour",
    "colour_single": "colour",
    "colour_combination": "colour",
    "sound": "sound",
    "hologram": "hologram",
    "olfactory": "olfactory",
    "motion": "motion",
    "position": "position",
    "multimedia": "multimedia",
    "pattern": "pattern",
    "other": "other",
    "undefined": "unknown",
}
# The USPTO's mark drawing codes, whose first digit is the kind of drawing.
US_DRAWINGS: Mapping[str, str] = {
    "1": "word",
    "2": "figurative",
    "3": "combined",
    "4": "word",
    "5": "combined",
    "6": "other",
}

Collective = Literal["", "collective", "certification", "defensive"]


@dataclass(slots=True)
class Notes:
    """What is found on the way through one record: raw texts, and problems with its place."""

    where: str
    raw: dict[str, str] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def problem(self, code: str, *, stops: bool = False, **facts: Fact) -> None:
        """Remember something that could not be taken."""
        self.problems.append(Problem(where=self.where, code=code, facts=facts, stops=stops))

    def day(self, name: str, text: str) -> date | None:
        """The day that a text names; what it said stays raw where it said it differently."""
        if not text:
            return None
        day = day_of(text)
        if day is None:
            self.problem("imports.date_unreadable", field=name, text=text[:60])
        if day is None or day.isoformat() != text:
            self.raw[name] = text[:200]
        return day

    def feature(self, text: str) -> str:
        """The kind of sign by an office's word for it."""
        if not text:
            return "unknown"
        found = FEATURES.get(" ".join(text.lower().split()), "unknown")
        if found != text:
            self.raw["feature"] = text[:200]
        return found

    def nice(self, text: str) -> str:
        """A Nice class without leading zeros, empty for what is none."""
        if not text:
            return ""
        number = text.strip().lstrip("0")
        if number in _NICE:
            return number
        self.problem("imports.class_unknown", text=text[:60])
        return ""


def day_of(text: str) -> date | None:
    """The one day that a text can mean, None where it means none or more than one.

    The time and zone that offices write behind a day are those of their own house: the day in law is the one written.
    """
    text = text.strip()
    if match := _ISO.fullmatch(text) or _PLAIN.fullmatch(text) or _YEAR_FIRST.fullmatch(text):
        year, month, day = (int(part) for part in match.groups())
    elif match := _ENGLISH.fullmatch(text):
        name = (match[1] or match[4]).lower()
        fits = [number for number, short in enumerate(_MONTHS, 1) if name[:3] == short]
        if not fits:
            return None
        year, month, day = int(match[5]), fits[0], int(match[2] or match[3])
    else:
        return None
    if not 1500 <= year <= 2300:
        return None
    try:
        return date(year, month, day)
    except ValueError:
        return None


def day_of_either(text: str) -> date | None:
    """The day of a text written with the day or the month first, where only one reading is a day: `25/12/2020`."""
    if (day := day_of(text)) is not None:
        return day
    if not _YEAR_LAST.fullmatch(text.strip()):
        return None
    first, second, year = re.split(r"[./-]", text.strip())
    readings = {day_of(f"{year}-{month:0>2}-{day:0>2}") for day, month in ((first, second), (second, first))}
    days = {reading for reading in readings if reading is not None}
    return days.pop() if len(days) == 1 else None


def last_of(ranks: Sequence[str]) -> str:
    """The highest of the numbers among these texts, as it is written; empty where none is a number.

    Whoever wrote the file chose their length: they are compared by it, never made numbers.
    """
    written = [each for each in ranks if each.isascii() and each.isdecimal()]
    return max(written, key=lambda each: (len(each.lstrip("0")), each.lstrip("0")), default="")


def territory_of(office: str) -> str:
    """The territory of an office's or country's code: the same, but for the European Union."""
    code = office.strip().upper()
    return "EU" if code == "EM" else code


def collective_of(words: str) -> Collective:
    """Whether an office's word for the kind of mark says collective, certification or defensive."""
    said = words.lower()
    if "certificat" in said or "guarantee" in said:
        return "certification"
    if "collective" in said:
        return "collective"
    return "defensive" if "defensive" in said else ""


def finish(record: Record, notes: Notes, *, status: str, status_text: str = "") -> Record | None:
    """The record with its status in the normal form, its key, and what the office said of both; None for no right's.

    Args:
        status: the office's code or word; `status_text` what it says beside it, for people.
    """
    lists = (record.owners, record.representatives, record.classes, record.designations, record.priorities)
    if any(len(each) > MAX_ITEMS for each in lists):
        notes.problem("imports.too_many_of_one", stops=True, limit=MAX_ITEMS)
        return None
    raw = dict(record.raw) | notes.raw
    if status:
        raw["status"] = status[:200]
    if status_text:
        raw["status_text"] = status_text[:500]
    normal = statuses.normalise(record.office, record.kind, status) if status else record.status
    if status and normal == "unknown":
        notes.problem("imports.status_unknown", office=record.office, status=status[:60])
    record = replace(record, status=normal, raw=raw)
    notes.problems.extend(contradictions(record, notes.where))
    try:
        return replace(record, st13=record.st13 or numbers.st13(record))
    except PlatformError:
        notes.problem("imports.number_form", number=(record.application_number or record.registration_number)[:60])
        return record


def contradictions(record: Record, where: str) -> tuple[Problem, ...]:
    """Days of a record that cannot all be true, as problems that do not stop it: offices err too."""
    order = (
        ("application_date", record.application_date),
        ("registration_date", record.registration_date),
        ("expiry_date", record.expiry_date),
    )
    said = [(name, day) for name, day in order if day is not None]
    return tuple(
        Problem(
            where=where,
            code="imports.dates_contradict",
            facts={"first": first, "second": second, "first_day": one.isoformat(), "second_day": two.isoformat()},
            stops=False,
        )
        for (first, one), (second, two) in pairwise(said)
        if two < one
    )
