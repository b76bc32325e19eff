"""What an assignment of some classes leaves to whom: the giver has them until its day, the taker from then on. Pure.

A class that was assigned stays in the giver's record with that day as its end, so that a question about a day before is
still answered; no later change of the record brings it back.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date

from chopmark.rights.classes import among
from chopmark.rights.record import Class, Interest, Record, Right


def given_away(right: Right) -> tuple[Interest, ...]:
    """The assignments by which the holder gave some of the classes away, not the one by which he got the right."""
    made = [each for each in right.interests if each.role == "assignee" and each.organisation != right.organisation]
    return tuple(each for each in made if each.classes)


def got_on(right: Right) -> date | None:
    """The day on which the holder got the right from somebody else; None where nothing is known of that."""
    made = [each for each in right.interests if each.role == "assignee" and each.organisation == right.organisation]
    return max((each.since for each in made if each.since is not None and not each.granted_by), default=None)


def held(right: Right) -> Record:
    """The record without the classes that were assigned away: what the holder still claims."""
    codes = [code for each in given_away(right) for code in each.classes]
    left = tuple(each for each in right.record.classes if not among(each, codes))
    return replace(right.record, classes=left) if codes else right.record


def without(record: Record, given: Sequence[Interest]) -> Record:
    """The record with each class that was assigned away ending on the day of that."""
    return replace(record, classes=tuple(_ended(each, given) for each in record.classes)) if given else record


def _ended(one: Class, given: Sequence[Interest]) -> Class:
    days = [each.since or date.min for each in given if among(one, each.classes)]
    return replace(one, until=min([*days, *([one.until] if one.until is not None else [])])) if days else one
