"""The life of a hit, as a table. Pure: who may do what is in `actions`.

open ── confirm_one ──> second ── confirm ──> confirmed        harsh measures need two persons, and whatever is
  │                        │                                   confirmed one of the marketplace
  │                        ├───── dispute ──> contested ── confirm | dismiss by a third
  │                        ├───── dismiss ──> dismissed        only others asked, and the marketplace says no
  │                        └────── found ───> open             so does contested: something else is there to judge
  ├── confirm ──> confirmed ── undo ──> open
  ├── dismiss ──> dismissed ── undo | found (something else than was dismissed) ──> open
  ├── automatic ──> confirmed      two keys, no person
  ├── release ──> released         the seller may sell, or the right backs no measure ── reopen ──> open
  └── leave ──> gone               the listing does not show it any more ── found ──> open
watched: too little for a person, kept for its seller's history
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal, get_args

from chopmark.base.errors import Refused

State = Literal["open", "second", "contested", "watched", "confirmed", "dismissed", "released", "gone"]
Event = Literal[
    "found",
    "confirm_one",
    "confirm",
    "dispute",
    "dismiss",
    "automatic",
    "watch",
    "release",
    "reopen",
    "leave",
    "undo",
]
Answer = Literal["confirm", "dismiss", "skip"]
Reason = Literal[
    "counterfeit",
    "wrongful_use",
    "copied_picture",
    "design",
    "genuine",
    "licensed",
    "descriptive",
    "other_class",
    "other_territory",
    "common_word",
    "not_the_mark",
    "unclear",
]
"""Why: the first four confirm, the others dismiss; `unclear` also skips."""

STATES: Final[tuple[State, ...]] = get_args(State)
WAITING: Final[frozenset[State]] = frozenset({"open", "second", "contested"})
"""States in which a person is asked."""
HARSH: Final = frozenset({"takedown"})
"""Measures that need two persons, where no two keys allow them."""
CONFIRMING: Final[frozenset[Reason]] = frozenset({"counterfeit", "wrongful_use", "copied_picture", "design"})
DISMISSING: Final[frozenset[Reason]] = frozenset(get_args(Reason)) - CONFIRMING

REOPENING: Final[frozenset[Event]] = frozenset({"found", "reopen", "undo"})
"""Events that lead to `open`; what was said before the last one of them was said of something else."""

_ACTIVE: tuple[State, ...] = ("open", "second", "contested", "watched")

ALLOWED: Final[Mapping[tuple[State, Event], State]] = {
    ("open", "confirm_one"): "second",
    ("open", "confirm"): "confirmed",
    ("open", "dismiss"): "dismissed",
    ("open", "automatic"): "confirmed",
    ("open", "watch"): "watched",
    ("second", "confirm"): "confirmed",
    ("second", "dispute"): "contested",
    ("second", "dismiss"): "dismissed",
    ("second", "found"): "open",
    ("second", "undo"): "open",
    ("contested", "confirm"): "confirmed",
    ("contested", "dismiss"): "dismissed",
    ("contested", "found"): "open",
    ("contested", "undo"): "second",
    ("watched", "found"): "open",
    ("confirmed", "undo"): "open",
    ("confirmed", "release"): "released",
    ("dismissed", "undo"): "open",
    ("dismissed", "found"): "open",
    ("released", "reopen"): "open",
    ("gone", "found"): "open",
    **{(state, "release"): "released" for state in _ACTIVE},
    **{(state, "leave"): "gone" for state in _ACTIVE},
}


def after(state: State, event: Event) -> State:
    """The state that an event leads to.

    Raises:
        Refused: `watch.hit_state_wrong` when it has no place there.
    """
    try:
        return ALLOWED[state, event]
    except KeyError:
        raise Refused("watch.hit_state_wrong", state=state, event=event) from None
