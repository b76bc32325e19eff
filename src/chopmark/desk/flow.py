"""What may happen to a case at a desk: two tables, one for courts and one for notaries.

    awaited ── bundle there ──> received ── clerk ──> supplement_wanted ── sender ──> awaited (again)
                                    ├──> refused
                                    └──> accepted ──> (served, hearing)* ──> judged ──> closed        at a court
                                    └──> issued                                                       at a notary
    anything before the end ── sender ──> withdrawn

An action that the table does not have is refused; there is no other way from one state to another.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from chopmark.base.errors import Refused
from chopmark.desk.wire import EventKind, Kind

State = Literal[
    "awaited", "received", "supplement_wanted", "refused", "accepted", "judged", "closed", "issued", "withdrawn"
]
STATES: tuple[State, ...] = (
    "awaited",
    "received",
    "supplement_wanted",
    "refused",
    "accepted",
    "judged",
    "closed",
    "issued",
    "withdrawn",
)
ENDS: frozenset[State] = frozenset(("refused", "closed", "issued", "withdrawn"))
OF_THE_SENDER: frozenset[EventKind] = frozenset(("received", "supplemented", "withdrawn"))
"""Events that follow from what the platform sent, and not from what a clerk decides."""

_BOTH: Mapping[tuple[State, EventKind], State] = {
    ("awaited", "received"): "received",
    ("awaited", "supplemented"): "received",
    ("received", "supplement_wanted"): "supplement_wanted",
    ("received", "refused"): "refused",
    ("awaited", "withdrawn"): "withdrawn",
    ("received", "withdrawn"): "withdrawn",
    ("supplement_wanted", "withdrawn"): "withdrawn",
    ("supplement_wanted", "refused"): "refused",
}
ALLOWED: Mapping[Kind, Mapping[tuple[State, EventKind], State]] = {
    "court": {
        **_BOTH,
        ("received", "accepted"): "accepted",
        ("accepted", "served"): "accepted",
        ("accepted", "hearing"): "accepted",
        ("accepted", "judgment"): "judged",
        ("accepted", "withdrawn"): "withdrawn",
        ("accepted", "closed"): "closed",
        ("judged", "closed"): "closed",
    },
    "notary": {**_BOTH, ("received", "issued"): "issued"},
}


def after(kind: Kind, state: State, event: EventKind) -> State:
    """The state that follows.

    Raises:
        Refused: `desk.step_not_allowed`.
    """
    found = ALLOWED[kind].get((state, event))
    if found is None:
        raise Refused("desk.step_not_allowed", state=state, step=event)
    return found


def steps(kind: Kind, state: State) -> tuple[EventKind, ...]:
    """What a clerk may do now."""
    return tuple(event for (begin, event) in ALLOWED[kind] if begin == state and event not in OF_THE_SENDER)
