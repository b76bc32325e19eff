"""How a filing or an order stands, as the platform knows it: one table. Pure.

    draft ── submit ──> sending ── received ──> received ── clerk ──> supplement_wanted ── submit ──> sending
      │                                            ├──> refused
      │                                            └──> accepted ──> judged ──> closed          (court)
      │                                            └──> issued ── fetched ──> joined            (notary)
      └── package ──> packaged ── receipt typed in ──> filed                                    (court without a desk)
    any of the others before the end ── withdraw ──> withdrawing ── withdrawn ──> withdrawn

Events may overtake each other on the way from the desk; they are applied in the order of their numbers.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from chopmark.base.errors import Refused

State = Literal[
    "draft",
    "sending",
    "received",
    "supplement_wanted",
    "accepted",
    "judged",
    "closed",
    "refused",
    "issued",
    "joined",
    "packaged",
    "filed",
    "withdrawing",
    "withdrawn",
]
STATES: tuple[State, ...] = (
    "draft",
    "sending",
    "received",
    "supplement_wanted",
    "accepted",
    "judged",
    "closed",
    "refused",
    "issued",
    "joined",
    "packaged",
    "filed",
    "withdrawing",
    "withdrawn",
)
EDITABLE: frozenset[State] = frozenset(("draft", "supplement_wanted", "packaged"))
ENDS: frozenset[State] = frozenset(("closed", "refused", "joined", "withdrawn"))
WITHDRAWABLE: frozenset[State] = frozenset(("sending", "received", "supplement_wanted", "accepted"))

AFTER_EVENT: Mapping[str, State | None] = {
    "received": "received",
    "supplemented": "received",
    "supplement_wanted": "supplement_wanted",
    "refused": "refused",
    "accepted": "accepted",
    "served": None,
    "hearing": None,
    "judgment": "judged",
    "closed": "closed",
    "issued": "issued",
    "withdrawn": "withdrawn",
}
"""The state after an event of the desk; None where it stays as it is."""


def must_be(state: str, allowed: frozenset[State]) -> None:
    """Stop here unless the case stands so.

    Raises:
        Refused: `cases.state_wrong`.
    """
    if state not in allowed:
        raise Refused("cases.state_wrong", state=state, allowed=sorted(map(str, allowed)))


def after_event(state: str, kind: str) -> str:
    """The state that follows an event; a case that ended here stays ended."""
    return state if state in ENDS else AFTER_EVENT[kind] or state
