"""The life of a right on the platform: which event leads from which state to which, and what its dates ask for.

The state is the platform's own (filed, checked, verified, suspended ...), beside the office's status in the record.
It is a table: what is not in it does not happen. Whether a right is in force at law on a day and somewhere is judged
from the record's dates by `force`; what it covers, by `coverage`.

A mark or a design may be renewed within six months after its last day (Paris Convention art. 5bis(1)); whether it has
effect meanwhile differs from country to country, so these months are "unknown" and back no measure.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal

from chopmark.base.errors import Refused
from chopmark.rights.answers import Reason, no, unknown, yes
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


def grace_ends(record: Record) -> date | None:
    """The last day on which it may still be renewed: its last day, or the end of the grace; None when not said."""
    if record.expiry_date is None:
        return None
    return plus_months(record.expiry_date, GRACE_MONTHS.get(record.kind, 0))


def due(right: Right, today: date) -> Move | None:
    """The event that the dates ask for today, one step at a time: call again after it happened."""
    expiry, last = right.record.expiry_date, grace_ends(right.record)
    if expiry is None or last is None:
        return None
    match right.state:
        case "verified" if today >= expiry - NEAR:
            return "near_expiry"
        case "expiring" if today > last:
            return "expire"
        case "expiring" if today > expiry:
            return "lapse"
        case "grace" | "suspended" if today > last:
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
    found = [*_renewals(right.record, today), *_endings(right, today)]
    return tuple(sorted(found, key=lambda each: (each.due, each.what, each.subject)))


def _renewals(record: Record, today: date) -> list[Reminder]:
    found = []
    expiry, last = record.expiry_date, grace_ends(record)
    if expiry is not None and last is not None:
        if expiry - NEAR <= today <= expiry:
            found.append(Reminder(what="renewal", due=expiry, days=(expiry - today).days))
        elif expiry < today <= last:
            found.append(Reminder(what="grace", due=last, days=(last - today).days))
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
    regional record speaks for its own territory, so a designation there without a status of its own has the record's.
    `expiry_date` is the last day on which it counts.
    """
    if record.kind == "copyright" and not record.office and record.status == "unknown":
        return (*_begun(record.application_date, on), yes("rules.arises_without_register"), *_expired(record, on))
    reasons = [*_status(record.status, record.status_date, record, on), *_registered(record, designation, on)]
    reasons += _expired(record, on)
    if designation is None:
        return tuple(reasons)
    if designation.status != "unknown" or designation.via != "direct":
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
            if dated is None and record.source.fetched_at is not None:
                dated = record.source.fetched_at.date()
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
    seen = [record.status_date]
    if record.source.fetched_at is not None:
        seen.append(record.source.fetched_at.date())
    if any(day is not None and day <= on for day in seen):
        return []
    return [unknown("rules.registration_date_not_said")]


def _expired(record: Record, on: date) -> list[Reason]:
    expiry, last = record.expiry_date, grace_ends(record)
    if expiry is None or last is None:
        if record.kind in ENDLESS or record.status != "registered":
            return []
        fetched = record.source.fetched_at
        return [] if fetched is not None and on <= fetched.date() else [unknown("rules.expiry_not_said")]
    if on <= expiry:
        return []
    if on <= last:
        return [unknown("rules.in_grace", expiry=expiry.isoformat(), until=last.isoformat())]
    return [no("rules.expired", expiry=expiry.isoformat())]


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
