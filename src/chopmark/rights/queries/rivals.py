"""Verified rights of others in the same sign: whose paths may cross. For this room only; similar signs are search's."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date

from django.db.models import Q

from chopmark.base import jcs
from chopmark.rights import classes, encoding, offices, territories
from chopmark.rights.comparison import register_owners, surely_same
from chopmark.rights.history import IN_USE
from chopmark.rights.models import Right as RightRow
from chopmark.rights.record import Party, Record, Right

MAX_RIVALS = 200


def rivals_of(row: RightRow) -> tuple[Right, ...]:
    """Verified marks of other organisations in the same words or the same picture, of other owners."""
    if row.kind != "trademark":
        return ()
    same = Q(sign=row.sign) if row.sign else Q(pk__in=())
    if row.image is not None:
        same |= Q(image=bytes(row.image))
    mine = encoding.parse_right(jcs.decode(bytes(row.current)))
    states = [*IN_USE, "suspended"]
    rows = RightRow.objects.filter(same, kind="trademark", state__in=states).exclude(organisation=row.organisation)
    found = [encoding.parse_right(jcs.decode(bytes(each.current))) for each in rows.order_by("made_at")[:MAX_RIVALS]]
    return tuple(each for each in found if not same_owner(mine, each))


def same_owner(one: Right, other: Right) -> bool:
    """Whether they have an owner in common: one firm may have two accounts.

    By the names in the register alone: what a claimant says that an owner is also called, or numbered, hides no rival.
    """
    return any(surely_same(mine, theirs) for mine in _owners(one) for theirs in _owners(other))


def _owners(right: Right) -> tuple[Party, ...]:
    return register_owners(right.record, right.verification.differences if right.verification is not None else ())


def common_ground(one: Record, other: Record, on: date) -> tuple[str, ...]:
    """Where both rights have effect in a class of both, by the narrower of two territories; empty for nowhere.

    Classes are compared by their codes within one scheme; a record without classes may have any.
    """
    mine, theirs = (
        {(each.scheme, each.code.lstrip("0")) for each in classes.counting(record.classes, on)}
        for record in (one, other)
    )
    known = bool(one.classes and other.classes)
    if known and not mine & theirs:
        return ()
    pairs = [(here, there) for here in _named(one) for there in _named(other)]
    return tuple(sorted({_narrower(*pair, on) for pair in pairs if territories.overlap(*pair, on)}))


def _narrower(here: str, there: str, on: date) -> str:
    return there if territories.contains(here, there, on) else here


def _named(record: Record) -> Iterable[str]:
    named = {each.territory for each in record.designations if each.status in ("registered", "unknown")}
    if not record.designations and offices.known(record.office):
        named = {offices.office(record.office).territory}
    return {each for each in named if each and territories.known(each)}
