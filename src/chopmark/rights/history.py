"""The history of a right: events, and what a right is after them. Pure.

    event = Event(right=..., seq=1, type="filed", recorded_at=at, payload=Filed(...))
    data = event.encode()                    canonical JSON; its SHA-256 is what the ledger gets, and the next `before`
    fold((event, ...))                       the right now
    right_as_of(events, at)                  the right as the platform knew it then

An event says two times: `at_law`, the day from which the change counts in law (None where it is the day of recording),
and `recorded_at`, when the platform learnt of it. The fold goes by the order of recording; days in law are kept in the
values (`Interest.since`, `Class.until`, ...) and judged by `coverage`.

How a right stands after an event is computed here and never said by the event, so that nobody can write a state.
Events carry no names of persons beyond what a register shows; the papers themselves are not in them, their digests are.
This module neither decides who may record an event nor whether it is wise.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import UTC, date, datetime
from functools import cached_property
from hashlib import sha256
from typing import Any, Literal
from uuid import UUID

from chopmark.base import jcs
from chopmark.base.errors import Invalid
from chopmark.rights import encoding, works
from chopmark.rights.assignments import given_away, without
from chopmark.rights.lifecycle import Move, after
from chopmark.rights.record import (
    CustomsRecordal,
    Dispute,
    Interest,
    Mandate,
    Record,
    Right,
    State,
    Verification,
)

FORM = "chopmark-right-event-1"
NONE = b""
DIGEST = 32

Standing = Literal["identity", "papers", "control", "signed"]
"""Why an account may speak for the owner in the register: the operator vouched for the organisation, read papers for
this right, saw control of the contact at the office, or an office signed it over."""


# ---- what the events say ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Filed:
    """A right came in.

    Attributes:
        organisation: the holder's; `filed_by` an agent's, under `mandate`, where one filed it.
        predecessor: id of the right that this one follows after an assignment; its grants came over in `interests`.
    """

    number: str
    organisation: str
    record: Record
    filed_by: str = ""
    mandate: str = ""
    predecessor: str = ""
    interests: tuple[Interest, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PaperAdded:
    """A paper was put beside the right: its kind and digest."""

    kind: str
    sha256: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Amended:
    """The record was changed by its holder."""

    record: Record


@dataclass(frozen=True, slots=True, kw_only=True)
class Nothing:
    """An event that says no more than its type."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """A check was made and noted.

    Attributes:
        standing: one of `Standing`; empty while nothing shows that the account speaks for the owner.
        record: SHA-256 of the office's record that was compared, in the encoding of `encoding.encode`.
        reasons: codes of what is still missing, or is wrong.
    """

    verification: Verification
    standing: str = ""
    record: bytes = b""
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Granted:
    """An interest was granted."""

    interest: Interest


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """An interest ended; those that hang on it end with it, by `coverage`."""

    interest: str
    on: date


@dataclass(frozen=True, slots=True, kw_only=True)
class Assigned:
    """The right, or some of its classes, went to somebody else.

    Attributes:
        interest: the assignment, with the new owner.
        successor: id of the right as the new owner has it here; empty where they have no organisation here.
        classes: codes; empty for all.
    """

    interest: Interest
    successor: str = ""
    classes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomsRecorded:
    """A recordal with a customs authority; one of the same id is replaced."""

    customs: CustomsRecordal


@dataclass(frozen=True, slots=True, kw_only=True)
class DisputeOpened:
    """Something puts the right in question."""

    dispute: Dispute


@dataclass(frozen=True, slots=True, kw_only=True)
class DisputeClosed:
    """It is over."""

    dispute: str
    on: date
    outcome: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Renewed:
    """The term was prolonged; `renewed` was seen in the office's record, `renewal_claimed` is the holder's word."""

    expiry_date: date
    verification: Verification | None = None
    record: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class Closed:
    """The right ended here; `reason` is a code or the office's own word."""

    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class MandateGiven:
    """A principal gave a mandate."""

    mandate: Mandate


@dataclass(frozen=True, slots=True, kw_only=True)
class MandateAccepted:
    """The agent accepted a mandate: it counts from then on."""

    on: date


@dataclass(frozen=True, slots=True, kw_only=True)
class MandateRevoked:
    """A mandate was revoked."""

    on: date


Payload = (
    Filed
    | PaperAdded
    | Amended
    | Nothing
    | Checked
    | Granted
    | Ended
    | Assigned
    | CustomsRecorded
    | DisputeOpened
    | DisputeClosed
    | Renewed
    | Closed
    | MandateGiven
    | MandateAccepted
    | MandateRevoked
    | works.Payload
)

PAYLOADS: Mapping[str, type[Payload]] = {
    "filed": Filed,
    "paper_added": PaperAdded,
    "amended": Amended,
    "submitted": Nothing,
    "checked": Checked,
    "found_incorrect": Checked,
    "verified": Checked,
    "interest_granted": Granted,
    "interest_ended": Ended,
    "assigned": Assigned,
    "customs_recorded": CustomsRecorded,
    "dispute_opened": DisputeOpened,
    "dispute_closed": DisputeClosed,
    "expiring": Nothing,
    "grace": Nothing,
    "expired": Nothing,
    "renewal_claimed": Renewed,
    "renewed": Renewed,
    "withdrawn": Closed,
    "cancelled": Closed,
    "refused": Closed,
    "mandate_given": MandateGiven,
    "mandate_accepted": MandateAccepted,
    "mandate_revoked": MandateRevoked,
    **works.PAYLOADS,
}
"""What each type of event says."""


@dataclass(frozen=True, kw_only=True)
class Event:
    """One change, as it is digested.

    Attributes:
        right: id of the right, of the mandate or of the work.
        seq: from 1, without gaps.
        by: the organisation that acted; empty for the operator and the platform.
        before: SHA-256 of the event before; empty for the first.
    """

    right: str
    seq: int
    type: str
    recorded_at: datetime
    payload: Payload
    at_law: date | None = None
    by: str = ""
    before: bytes = NONE

    def encode(self) -> bytes:
        """Canonical JSON."""
        return self._encoded

    @cached_property
    def _encoded(self) -> bytes:
        return jcs.encode(
            {
                "form": FORM,
                "right": self.right,
                "seq": self.seq,
                "type": self.type,
                "at_law": None if self.at_law is None else self.at_law.isoformat(),
                "recorded_at": _moment_text(self.recorded_at),
                "by": self.by,
                "before": self.before.hex(),
                "payload": encoding.encode(self.payload),
            }
        )

    @cached_property
    def sha256(self) -> bytes:
        """Of the encoding."""
        return sha256(self.encode()).digest()

    @classmethod
    def parse(cls, data: bytes) -> Event:
        """Read an event; what does not print back is not accepted.

        Raises:
            Invalid: `rights.event_malformed`; `base.json_malformed`; what `encoding.parse_exactly` raises.
        """
        members = jcs.decode(data)
        if not isinstance(members, dict) or set(members) != _MEMBERS or members["type"] not in PAYLOADS:
            raise Invalid("rights.event_malformed")
        kind = PAYLOADS[members["type"]]
        try:
            event = cls(
                right=str(UUID(_text(members["right"]))),
                seq=_seq(members["seq"]),
                type=members["type"],
                recorded_at=_moment(members["recorded_at"]),
                at_law=None if members["at_law"] is None else date.fromisoformat(_text(members["at_law"])),
                by=_text(members["by"]),
                before=bytes.fromhex(_text(members["before"])),
                payload=encoding.parse_exactly(kind, members["payload"], "payload"),
            )
        except (ValueError, TypeError) as error:
            raise Invalid("rights.event_malformed") from error
        if event.encode() != data:
            raise Invalid("rights.event_malformed")
        return event


_MEMBERS = {"form", "right", "seq", "type", "at_law", "recorded_at", "by", "before", "payload"}
_MOMENT = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d{6})?Z")


def _moment_text(value: datetime) -> str:
    return value.astimezone(UTC).replace(tzinfo=None).isoformat() + "Z"


def _moment(data: object) -> datetime:
    text = _text(data)
    if not _MOMENT.fullmatch(text):
        raise ValueError(text)
    return datetime.fromisoformat(text)


def _text(data: object) -> str:
    if not isinstance(data, str):
        raise TypeError(data)
    return data


def _seq(data: object) -> int:
    if isinstance(data, bool) or not isinstance(data, int) or data < 1:
        raise ValueError(data)
    return data


# ---- what a right is after them --------------------------------------------------------------------------------------


def fold(events: Iterable[Event]) -> Right:
    """The right after these events, which must be its whole history up to some point.

    Raises:
        Invalid: `rights.history_broken` with the place `seq` and a `reason`: `gap`, `chain`, `time`, `subject`,
            `first`, `unknown`, `state`.
    """
    right: Right | None = None
    last: Event | None = None
    for event in events:
        must_follow(last, event)
        right, last = follow(right, event), event
    if right is None:
        raise Invalid("rights.history_broken", seq=0, reason="first")
    return right


def right_as_of(events: Sequence[Event], recorded_until: datetime) -> Right | None:
    """The right as the platform knew it at that moment; None when it was not here yet.

    Raises:
        Invalid: as `fold`.
    """
    known = [each for each in events if each.recorded_at <= recorded_until]
    return fold(known) if known else None


def fold_mandate(events: Iterable[Event]) -> Mandate:
    """The mandate after its events.

    Raises:
        Invalid: as `fold`.
    """
    mandate: Mandate | None = None
    last: Event | None = None
    for event in events:
        must_follow(last, event)
        match event.payload:
            case MandateGiven(mandate=given) if mandate is None:
                mandate = given
            case MandateAccepted(on=on) if mandate is not None and mandate.accepted_on is None:
                mandate = replace(mandate, accepted_on=on)
            case MandateRevoked(on=on) if mandate is not None:
                mandate = replace(mandate, revoked_on=on)
            case _:
                raise _broken(event, "unknown")
        last = event
    if mandate is None:
        raise Invalid("rights.history_broken", seq=0, reason="first")
    return mandate


def must_follow(last: Event | None, event: Event) -> None:
    """Whether an event comes right after another; None before the first.

    Raises:
        Invalid: `rights.history_broken`.
    """
    if last is None:
        if event.seq != 1 or event.before != NONE:
            raise _broken(event, "first")
        return
    if event.seq != last.seq + 1:
        raise _broken(event, "gap")
    if event.right != last.right:
        raise _broken(event, "subject")
    if event.before != last.sha256:
        raise _broken(event, "chain")
    if event.recorded_at < last.recorded_at:
        raise _broken(event, "time")


def follow(right: Right | None, event: Event) -> Right:
    """The right after one more event.

    Raises:
        Invalid: `rights.history_broken`.
    """
    if right is None:
        if not isinstance(event.payload, Filed):
            raise _broken(event, "first")
        return _filed(event, event.payload)
    if event.type not in _AFTER:
        raise _broken(event, "unknown")
    if right.state not in allowed_in(event.type):
        raise _broken(event, "state")
    changed = _AFTER[event.type](right, event.payload)
    return replace(changed, version=event.seq)


def _filed(event: Event, said: Filed) -> Right:
    return Right(
        id=event.right,
        number=said.number,
        organisation=said.organisation,
        state="draft",
        record=said.record,
        version=event.seq,
        interests=said.interests,
    )


def _unchanged(right: Right, _said: Any) -> Right:  # noqa: ANN401 (the payload of its type)
    return right


def _amended(right: Right, said: Amended) -> Right:
    """A change of what was verified makes it unverified, whoever makes it; what was assigned away stays away."""
    record = without(said.record, given_away(right))
    changed = replace(right, record=record)
    if not material_changes(right.record, record):
        return changed
    return _moved(replace(changed, verification=None), _AMEND[right.state])


def _noted(event_type: str) -> Callable[[Right, Checked], Right]:
    def noted(right: Right, said: Checked) -> Right:
        changed = _moved(replace(right, verification=said.verification), _WAYS[event_type][right.state])
        return _suspended(changed) if event_type == "verified" else changed

    return noted


def _suspended(right: Right) -> Right:
    """Suspended, where it is in use and an open dispute says so."""
    if right.state in IN_USE and any(suspends(each) for each in right.disputes):
        return _moved(right, ("suspend",))
    return right


def suspends(dispute: Dispute) -> bool:
    """Whether it is open and suspends the whole right; one with territories limits it there only."""
    return dispute.effect == "suspend" and dispute.closed_on is None and not dispute.territories


def _granted(right: Right, said: Granted) -> Right:
    return replace(right, interests=(*right.interests, said.interest))


def _ended(right: Right, said: Ended) -> Right:
    return replace(
        right,
        interests=tuple(
            replace(each, ended_on=said.on) if each.id == said.interest else each for each in right.interests
        ),
    )


def _assigned(right: Right, said: Assigned) -> Right:
    changed = replace(right, interests=(*right.interests, said.interest))
    if not said.classes:
        return _moved(changed, ("assign",))
    return replace(changed, record=without(right.record, (said.interest,)))


def _customs(right: Right, said: CustomsRecorded) -> Right:
    others = tuple(each for each in right.customs if each.id != said.customs.id)
    return replace(right, customs=(*others, said.customs))


def _opened(right: Right, said: DisputeOpened) -> Right:
    return _suspended(replace(right, disputes=(*right.disputes, said.dispute)))


def _closed(right: Right, said: DisputeClosed) -> Right:
    disputes = tuple(
        replace(each, closed_on=said.on, outcome=said.outcome) if each.id == said.dispute else each
        for each in right.disputes
    )
    changed = replace(right, disputes=disputes)
    if right.state == "suspended" and not any(suspends(each) for each in disputes):
        return _moved(changed, ("resume",))
    return changed


def _renewed(right: Right, said: Renewed) -> Right:
    record = replace(right.record, expiry_date=said.expiry_date)
    changed = replace(right, record=record, verification=said.verification or right.verification)
    return _suspended(_moved(changed, ("renew",)))


def _way(event_type: str) -> Callable[[Right, Any], Right]:
    def went(right: Right, _said: Any) -> Right:  # noqa: ANN401 (the payload of its type)
        return _moved(right, _WAYS[event_type][right.state])

    return went


def _moved(right: Right, moves: Iterable[Move]) -> Right:
    state = right.state
    for move in moves:
        state = after(state, move)
    return replace(right, state=state)


IN_USE: frozenset[State] = frozenset(("verified", "expiring", "grace"))
UNCHECKED: frozenset[State] = frozenset(("submitted", "checking", "incorrect"))
LIVE: frozenset[State] = IN_USE | UNCHECKED | {"suspended"}
OPEN: frozenset[State] = LIVE | {"draft"}
CLOSED: frozenset[State] = frozenset(("expired", "assigned_away", "withdrawn", "cancelled", "refused"))


def _from(states: Iterable[State], *moves: Move) -> dict[State, tuple[Move, ...]]:
    return dict.fromkeys(states, moves)


_AMEND: Mapping[State, tuple[Move, ...]] = {
    **_from(("draft", "incorrect", *IN_USE), "amend"),
    **_from(("submitted", "checking")),
    "suspended": ("resume", "amend"),
}
"""A change of what was submitted leaves it there; of what was suspended, its disputes stay open and suspend it anew
as soon as it is verified again."""

_WAYS: Mapping[str, Mapping[State, tuple[Move, ...]]] = {
    "submitted": _from(("draft", "incorrect"), "submit"),
    "checked": {"submitted": ("check",), "checking": (), "incorrect": ("submit",)},
    "found_incorrect": {
        "submitted": ("check", "find_incorrect"),
        "checking": ("find_incorrect",),
        "incorrect": (),
        **_from(IN_USE, "amend", "find_incorrect"),
        "suspended": ("resume", "amend", "find_incorrect"),
    },
    "verified": {
        "submitted": ("check", "verify"),
        "checking": ("verify",),
        "incorrect": ("submit", "verify"),
        **_from(IN_USE, "verify"),
        "suspended": (),
    },
    "expiring": {"verified": ("near_expiry",)},
    "grace": {"expiring": ("lapse",)},
    "expired": _from(("expiring", "grace", "suspended"), "expire"),
    "withdrawn": _from(OPEN, "withdraw"),
    "cancelled": _from((*IN_USE, "suspended"), "cancel"),
    "refused": {"submitted": ("check", "refuse"), **_from(("checking", "incorrect"), "refuse")},
}
"""The moves of `lifecycle` that an event makes, by the state it finds; none leaves the state as it is."""

_ANYWHERE: Mapping[str, frozenset[State]] = {
    "paper_added": OPEN,
    "amended": frozenset(_AMEND),
    "interest_granted": OPEN,
    "interest_ended": OPEN | CLOSED,
    "assigned": IN_USE | {"suspended"},
    "customs_recorded": OPEN,
    "dispute_opened": LIVE,
    "dispute_closed": LIVE | CLOSED,
    "renewal_claimed": LIVE,
    "renewed": IN_USE | {"suspended"},
}

_AFTER: Mapping[str, Callable[[Right, Any], Right]] = {
    "paper_added": _unchanged,
    "amended": _amended,
    "submitted": _way("submitted"),
    "checked": _noted("checked"),
    "found_incorrect": _noted("found_incorrect"),
    "verified": _noted("verified"),
    "interest_granted": _granted,
    "interest_ended": _ended,
    "assigned": _assigned,
    "customs_recorded": _customs,
    "dispute_opened": _opened,
    "dispute_closed": _closed,
    "expiring": _way("expiring"),
    "grace": _way("grace"),
    "expired": _way("expired"),
    "renewal_claimed": _unchanged,
    "renewed": _renewed,
    "withdrawn": _way("withdrawn"),
    "cancelled": _way("cancelled"),
    "refused": _way("refused"),
}


def allowed_in(event_type: str) -> frozenset[State]:
    """The states in which an event of this type may be recorded."""
    return frozenset(_WAYS[event_type]) if event_type in _WAYS else _ANYWHERE.get(event_type, frozenset())


def _broken(event: Event, reason: str) -> Invalid:
    return Invalid("rights.history_broken", seq=event.seq, reason=reason)


# ---- what a change means ---------------------------------------------------------------------------------------------

IMMATERIAL = frozenset(("representatives", "source", "raw", "st13", "publication_date", "status_date"))
"""Fields of a record that nothing is decided by."""


def material_changes(before: Record, after: Record) -> tuple[str, ...]:
    """Names of the fields whose change takes a verified right back to checking.

    Giving up classes or territories is none: what is left was verified.
    """
    changed = []
    for each in fields(Record):
        old, new = getattr(before, each.name), getattr(after, each.name)
        if old == new or each.name in IMMATERIAL:
            continue
        if each.name in ("classes", "designations") and new and set(new) <= set(old):
            continue
        if each.name == "mark" and old and new and replace(old, description=()) == replace(new, description=()):
            continue
        changed.append(each.name)
    return tuple(changed)
