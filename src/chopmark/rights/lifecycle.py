"""The life of a right on the platform: which event leads from which state to which, and what its dates ask for.

The state is the platform's own (filed, checked, verified, suspended ...), beside the office's status in the record.
It is a table: what is not in it does not happen. Whether a right is in force at law on a day and somewhere is judged
from the record's dates by `force`; what it covers, by `coverage`.

A mark or a design may be renewed within six months after its last day (Paris Convention art. 5bis(1)); whether it has
effect meanwhile differs from country to country, so these months are "unknown" and back no measure.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta
from itertools import count
from typing import Literal

from chopmark.base.errors import Refused
from chopmark.rights import offices, territories
from chopmark.rights.answers import Reason, no, unknown, yes
from chopmark.rights.assignments import given_away, without
from chopmark.rights.comparison import confirmed
from chopmark.rights.record import Designation, Kind, Record, Right, State, Status

Move = Literal[
    "amend",
    "submit",
    "check",
    "find_incorrect",
    "verify",
    "refuse",
    "suspend",
    "resume",
    "near_expiry",
    "lapse",
    "expire",
    "renew",
    "restore",
    "assign",
    "cancel",
    "withdraw",
]

_LIVE: tuple[State, ...] = ("verified", "expiring", "grace")

TABLE: Mapping[tuple[State, Move], State] = {
    ("draft", "amend"): "draft",
    ("draft", "submit"): "submitted",
    ("draft", "withdraw"): "withdrawn",
    ("submitted", "check"): "checking",
    ("submitted", "withdraw"): "withdrawn",
    ("checking", "find_incorrect"): "incorrect",
    ("checking", "verify"): "verified",
    ("checking", "refuse"): "refused",
    ("checking", "withdraw"): "withdrawn",
    ("incorrect", "amend"): "incorrect",
    ("incorrect", "submit"): "checking",
    ("incorrect", "refuse"): "refused",
    ("incorrect", "withdraw"): "withdrawn",
    ("verified", "near_expiry"): "expiring",
    ("expiring", "lapse"): "grace",
    ("expiring", "expire"): "expired",
    ("grace", "expire"): "expired",
    ("suspended", "resume"): "verified",
    ("suspended", "renew"): "suspended",
    ("suspended", "expire"): "expired",
    ("suspended", "assign"): "assigned_away",
    ("suspended", "cancel"): "cancelled",
    ("suspended", "withdraw"): "withdrawn",
    ("expired", "restore"): "checking",
    **{(state, "verify"): state for state in _LIVE},
    **{(state, "amend"): "checking" for state in _LIVE},
    **{(state, "renew"): "verified" for state in _LIVE},
    **{(state, "suspend"): "suspended" for state in _LIVE},
    **{(state, "assign"): "assigned_away" for state in _LIVE},
    **{(state, "cancel"): "cancelled" for state in _LIVE},
    **{(state, "withdraw"): "withdrawn" for state in _LIVE},
}

ENDS: frozenset[State] = frozenset({"assigned_away", "withdrawn", "cancelled", "refused"})
"""States that nothing leads out of."""

BACKING: frozenset[State] = frozenset({"verified", "expiring"})
"""States in which a right may back a measure, where it is in force."""

NEAR = timedelta(days=180)
"""So long before its last day a right is `expiring`."""

GRACE_MONTHS: Mapping[Kind, int] = {"trademark": 6, "design": 6}
"""Months after the last day in which it may still be renewed (Paris Convention art. 5bis(1)); other kinds: none."""

LAST_YEAR = 9000
"""No term is computed beyond: a calendar has an end, and whoever says so late a day means none."""

ENDLESS: frozenset[Kind] = frozenset({"copyright", "neighbouring", "gi", "trade_name"})
"""Kinds that no register ends on a day of its own: without an expiry date they are not in doubt."""


def after(state: State, move: Move) -> State:
    """The state that an event leads to.

    Raises:
        Refused: `rules.move_not_allowed` where the table has none.
    """
    found = TABLE.get((state, move))
    if found is None:
        raise Refused("rules.move_not_allowed", state=state, move=move)
    return found


def allowed(state: State) -> tuple[Move, ...]:
    """What may happen in this state."""
    return tuple(move for (start, move) in TABLE if start == state)


# ---- what the dates ask for ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """The last day of the term that is running.

    Attributes:
        last: the last day on which the right counts.
        grace: the last day on which it may still be renewed; `last` itself where there is no grace.
        source: the provision by which the day was computed; empty where the record says the day itself.
    """

    last: date
    grace: date
    source: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Term:
    """`whole`: the term ends with the day before its anniversary, not with the anniversary itself."""

    years: int
    whole: bool = False
    of: Literal["application_date", "registration_date"]
    since: date
    source: str


_TERMS: Mapping[str, _Term] = {
    "US": _Term(
        years=10, of="registration_date", since=date(1989, 11, 16), source="15 U.S.C. 1058(a), 1059(a)"
    ),  # registered before, the first term was twenty years
    "CN": _Term(
        years=10,
        whole=True,
        of="registration_date",
        since=date(1983, 3, 1),
        source="Trademark Law of the PRC, arts. 39-40",
    ),
    "EM": _Term(years=10, of="application_date", since=date(1996, 1, 1), source="Regulation (EU) 2017/1001, art. 52"),
    "WO": _Term(years=10, of="registration_date", since=date(1996, 4, 1), source="Madrid Protocol, arts. 6(1), 7(1)"),
}
"""Terms of marks by office, for records that give no last day: US records never do."""


def known(right: Right) -> Record:
    """What is known of a right: its record, with what the office's added when both were compared and agreed.

    The day of that comparison's source is the last on which the office was seen to say so: what the claim says of its
    own source, and since when it has its status, is nobody's but the claimant's.
    """
    check = right.verification
    if check is None or any(each.verdict == "contradiction" for each in check.differences):
        return right.record
    record = without(confirmed(right.record, check.differences), given_away(right))
    if check.source is None or check.source.fetched_at is None:
        return record
    return replace(record, status_date=None, source=replace(record.source, fetched_at=check.source.fetched_at))


def end_of(record: Record) -> End | None:
    """The last day, said by the record or, for marks of offices whose term is a plain number of years, computed.

    A computed day ends the term in which the office last said that the mark was registered: whether it was renewed
    after that day nobody here knows. Offices say so in the months to renew as well, renewed or not.
    """
    months = GRACE_MONTHS.get(record.kind, 0)
    if record.expiry_date is not None:
        return End(last=record.expiry_date, grace=plus_months(record.expiry_date, months))
    term = _TERMS.get(record.office)
    start: date | None = getattr(record, term.of) if term is not None else None
    if (
        term is None
        or start is None
        or start < term.since
        or (record.kind, record.status) != ("trademark", "registered")
    ):
        return None
    seen = max(each for each in (record.registration_date, record.status_date, _fetched(record), start) if each)
    for terms in count(1):
        last = plus_months(start, 12 * term.years * terms) - timedelta(days=term.whole)
        if seen <= plus_months(last, months) or last.year > LAST_YEAR:
            break
    return End(last=last, grace=plus_months(last, months), source=term.source)


def due(right: Right, today: date) -> Move | None:
    """The event that the dates ask for today, one step at a time: call again after it happened.

    What was computed, not said, never makes a right expired: it stays in grace until the office's record is read anew.
    """
    end = end_of(known(right))
    if end is None:
        return None
    said = not end.source
    match right.state:
        case "verified" if today >= end.last - NEAR:
            return "near_expiry"
        case "expiring" if today > end.grace and said:
            return "expire"
        case "expiring" if today > end.last:
            return "lapse"
        case "grace" | "suspended" if today > end.grace and said:
            return "expire"
        case _:
            return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reminder:
    """Something that ends or has to be done.

    Attributes:
        what: renewal; grace (the last months to renew); declaration_of_use (15 U.S.C. 1058: between the fifth and the
            sixth year after registration in the US); customs (a recordal); interest (a licence, an authorised seller).
        due: the last day.
        days: left until then, negative when past.
        subject: id of the interest, number of the recordal; empty for the right itself.
    """

    what: Literal["renewal", "grace", "declaration_of_use", "customs", "interest"]
    due: date
    days: int
    subject: str = ""


def reminders(right: Right, today: date) -> tuple[Reminder, ...]:
    """What is due within 180 days, nearest first; nothing for a right that has ended."""
    if right.state in ENDS or right.state == "expired":
        return ()
    found = [*_renewals(known(right), today), *_endings(right, today)]
    return tuple(sorted(found, key=lambda each: (each.due, each.what, each.subject)))


def _renewals(record: Record, today: date) -> list[Reminder]:
    found = []
    end = end_of(record)
    if end is not None and end.last - NEAR <= today <= end.last:
        found.append(Reminder(what="renewal", due=end.last, days=(end.last - today).days))
    elif end is not None and end.last < today <= end.grace:
        found.append(Reminder(what="grace", due=end.grace, days=(end.grace - today).days))
    if record.kind == "trademark" and record.office == "US" and record.registration_date is not None:
        opens, closes = plus_months(record.registration_date, 60), plus_months(record.registration_date, 72)
        if opens <= today <= closes and closes - NEAR <= today:
            found.append(Reminder(what="declaration_of_use", due=closes, days=(closes - today).days))
    return found


def _endings(right: Right, today: date) -> list[Reminder]:
    ending = [("customs", each.number or each.id, each.until) for each in right.customs]
    ending += [("interest", each.id, each.until) for each in right.interests if each.ended_on is None]
    found = []
    for what, subject, until in ending:
        if until is not None and until - NEAR <= today < until:
            last = until - timedelta(days=1)  # `until` is the first day on which it no longer counts
            kind: Literal["customs", "interest"] = "customs" if what == "customs" else "interest"
            found.append(Reminder(what=kind, due=last, days=(last - today).days, subject=subject))
    return found


def plus_months(day: date, months: int) -> date:
    """The same day of a later month, or that month's last day where it has no such day."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    for last in range(day.day, 27, -1):
        try:
            return date(year, month + 1, last)
        except ValueError:
            continue
    return date(year, month + 1, day.day)


# ---- in force at law -------------------------------------------------------------------------------------------------


def force(record: Record, designation: Designation | None, on: date) -> tuple[Reason, ...]:
    """Whether the right, or its part for one territory, is in force on a day, from what the record says.

    Both have to be: an international registration that was cancelled takes its designations with it. A national or
    regional record speaks for its own territory, so a designation within it without a status of its own has the
    record's; elsewhere it is unknown. `expiry_date` is the last day on which it counts. No register makes a work
    protected, so that one without a state, or in one that is pending, is.
    """
    if record.kind == "copyright" and record.status in ("unknown", "pending", "registered"):
        return (*_begun(record.application_date, on), yes("rules.arises_without_register"), *_expired(record, on))
    reasons = [*_status(record.status, record.status_date, record, on), *_registered(record, designation, on)]
    reasons += _expired(record, on)
    if designation is None:
        return tuple(reasons)
    if designation.status != "unknown" or not _speaks_for(record, designation, on):
        reasons += _designated(designation, on)
    if designation.since is not None and on < designation.since:
        reasons.append(
            no("rules.designation_later", territory=designation.territory, since=designation.since.isoformat())
        )
    if designation.until is not None and on >= designation.until:
        reasons.append(
            no("rules.designation_over", territory=designation.territory, until=designation.until.isoformat())
        )
    return tuple(reasons)


def _speaks_for(record: Record, designation: Designation, on: date) -> bool:
    """Whether the designation lies within the territory of the record's own office."""
    if designation.via != "direct" or not offices.known(record.office) or not territories.known(designation.territory):
        return False
    own = offices.office(record.office).territory
    return bool(own) and territories.contains(own, designation.territory, on) is True


def _begun(since: date | None, on: date) -> list[Reason]:
    return [no("rules.not_yet_made", since=since.isoformat())] if since is not None and on < since else []


def _status(status: Status, dated: date | None, record: Record, on: date) -> list[Reason]:
    match status:
        case "registered":
            return [yes("rules.registered")]
        case "pending":
            return [no("rules.pending")]
        case "unknown":
            raw = record.raw.get("status", "")
            return [unknown("rules.status_unknown", raw=raw) if raw else unknown("rules.status_not_said")]
        case "ended" | "expired" | "deleted":
            dated = dated or _fetched(record)
            if dated is not None and on < dated:
                return [unknown("rules.ended_later", status=status, since=dated.isoformat())]
            return [no("rules.ended", status=status)]


def _registered(record: Record, designation: Designation | None, on: date) -> list[Reason]:
    """From which day it counts; an application's protection before registration backs no measure."""
    since = record.registration_date
    if designation is not None and designation.via != "direct" and designation.since is not None:
        since = designation.since
    if since is not None:
        return [] if since <= on else [no("rules.registered_later", since=since.isoformat())]
    if record.status != "registered":
        return []
    if any(day is not None and day <= on for day in (record.status_date, _fetched(record))):
        return []
    return [unknown("rules.registration_date_not_said")]


def _expired(record: Record, on: date) -> list[Reason]:
    end = end_of(record)
    if end is None:
        fetched = _fetched(record)
        if record.kind in ENDLESS or record.status != "registered" or (fetched is not None and on <= fetched):
            return []
        return [unknown("rules.expiry_not_said")]
    if on <= end.last:
        return [yes("rules.term_computed", until=end.last.isoformat(), source=end.source)] if end.source else []
    if end.source:
        return [unknown("rules.renewal_not_seen", expiry=end.last.isoformat(), source=end.source)]
    if on <= end.grace:
        return [unknown("rules.in_grace", expiry=end.last.isoformat(), until=end.grace.isoformat())]
    return [no("rules.expired", expiry=end.last.isoformat())]


def _designated(designation: Designation, on: date) -> list[Reason]:
    match designation.status:
        case "registered":
            return [yes("rules.designation_granted", territory=designation.territory)]
        case "pending":
            return [no("rules.designation_pending", territory=designation.territory)]
        case "unknown":
            return [unknown("rules.designation_status_not_said", territory=designation.territory)]
        case "ended" | "expired" | "deleted" if designation.until is not None and on < designation.until:
            # It counted until then by the record's own word, provided that it had begun.
            return [unknown("rules.designation_ended_later", territory=designation.territory)]
        case _:
            return [no("rules.designation_refused", territory=designation.territory, status=designation.status)]


def _fetched(record: Record) -> date | None:
    return record.source.fetched_at.date() if record.source.fetched_at is not None else None
