"""Titles that a person trusts teach how distinctive the marks of an organisation are.

    teach_marks(read_titles(path), by=actor, at=now)

A catalogue of goods whose brands are known: what turns up in titles of many other brands is a common word there. What
is scanned teaches nothing, and what a person has said of a mark stays as it is.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Final, TextIO
from uuid import UUID

from django.db import transaction

from chopmark.base.errors import Invalid
from chopmark.evidence import wiring as evidence_wiring
from chopmark.people.actor import Actor
from chopmark.watch.actions.markset import in_use, read_marks
from chopmark.watch.listing import MAX_BRAND, MAX_TITLE
from chopmark.watch.models import MarkNote

MAX_TITLES: Final = 200_000
"""Of one lesson; what follows is left out."""
MAX_LINE: Final = 100_000
"""Characters."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Taught:
    """What a lesson came to: titles that were read, marks of which more is known now."""

    titles: int
    marks: int


def read_titles(path: Path) -> Iterator[tuple[str, str]]:
    """Titles with their brands, of a CSV file with the columns `title` and `brand`.

    Raises:
        Invalid: `watch.lesson_malformed`, with the line.
    """
    line = 1
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(_lines(file))
            for row in reader:
                line = reader.line_num
                title, brand = row["title"], row["brand"]
                if title and brand:
                    yield title[:MAX_TITLE], brand[:MAX_BRAND]
    except (OSError, UnicodeError, KeyError, csv.Error) as error:
        raise Invalid("watch.lesson_malformed", line=line) from error


def _lines(file: TextIO) -> Iterator[str]:
    """Lines, none of them without end; the limit of `csv` itself is the whole program's, and anybody may move it."""
    while line := file.readline(MAX_LINE):
        if len(line) == MAX_LINE:
            raise csv.Error
        yield line


@evidence_wiring.answering()
def teach_marks(titles: Iterable[tuple[str, str]], *, by: Actor, at: datetime) -> Taught:
    """Say of each mark of the organisation how distinctive it is by these titles; the next set has it.

    Raises:
        Refused: what people's `must` raises.
        Unavailable: `watch.marks_missing`.
    """
    from chopmark.watch.text.learn import distinctiveness  # noqa: PLC0415 (loads the matcher)
    from chopmark.watch.text.matcher import TextMatcher  # noqa: PLC0415 (the same)

    by.must("file_rights")
    lesson = list(islice(titles, MAX_TITLES))
    matcher = TextMatcher(read_marks(in_use().version), fast=True)
    learned = distinctiveness(matcher, lesson)
    changed = 0
    with transaction.atomic():
        said = set(MarkNote.objects.filter(distinctiveness__isnull=False).values_list("right", flat=True))
        for mark in matcher.marks.marks:
            right = UUID(mark.right)
            if mark.organisation != str(by.organisation_id) or right in said:
                continue
            if learned[mark.id] != mark.distinctiveness:
                known = {"distinctiveness": learned[mark.id], "made_by": by.user_id, "changed_at": at}
                new = {**known, "organisation": by.organisation_id}
                MarkNote.objects.update_or_create(right=right, defaults=known, create_defaults=new)
                changed += 1
    return Taught(titles=len(lesson), marks=changed)
