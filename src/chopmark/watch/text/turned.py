r"""Letters that a page shows from right to left although they are of no such script: "\u202eekin" is seen as "nike".

    shown("best \u202eekin\u202c shoe")       Shown(text="best nike shoe", places=(0, 1, 2, 3, 4, 9, 8, 7, 6, 11, ...))

Unicode's bidirectional algorithm (UAX 9) as far as a Latin reader is deceived by it: overrides (U+202E, U+202D), what
ends them, and what is embedded or isolated within them. Scripts that are written from right to left stay as they are.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

OVERRIDE: Final = "\u202e"
"""Without it nothing is turned."""
_OPENING: Final = {"\u202a": 0, "\u202b": 0, "\u202d": 0, "\u202e": 1, "\u2066": 0, "\u2067": 0, "\u2068": 0}
"""What begins a stretch, and whether its letters run from right to left."""
_CLOSING: Final = {"\u202c": "\u202a\u202b\u202d\u202e", "\u2069": "\u2066\u2067\u2068"}
_LINE_ENDS: Final = frozenset("\n\r\x1c\x1d\x1e\x85\u2029")
MAX_DEPTH: Final = 8
"""Of overrides within each other; deeper ones are read as they come. Turned twice is not turned."""
MAX_OPEN: Final = 125
"""Stretches that are open at once, as in the standard; more are not begun."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A text as a page shows it.

    Attributes:
        places: for each of its characters the index of that character in the text.
    """

    text: str
    places: tuple[int, ...]

    def span(self, start: int, end: int) -> tuple[int, int]:
        """Where characters that stand together here begin and end in the text."""
        places = self.places[start:end]
        return min(places), max(places) + 1

    def is_turned(self, start: int, end: int) -> bool:
        """Whether they stand in another order than in the text."""
        places = self.places[start:end]
        return any(left > right for left, right in pairwise(places))


def shown(text: str) -> Shown | None:
    """The text in the order in which it is seen, without the signs that order it; None where nothing is turned."""
    if OVERRIDE not in text:
        return None
    levels = list(_levels(text))
    places = [at for at, level in enumerate(levels) if level >= 0]
    for least in range(max(levels, default=0), 0, -1):
        places = list(_reversed(places, levels, least))
    return Shown(text="".join(text[at] for at in places), places=tuple(places))


def _levels(text: str) -> Iterator[int]:
    """For each character how often it is turned, one within the other; -1 for what is not seen."""
    stack: list[tuple[str, int]] = []
    for each in text:
        level = stack[-1][1] if stack else 0
        if (turns := _OPENING.get(each)) is not None:
            deeper = level + 1 if level % 2 != turns else level
            if len(stack) < MAX_OPEN:
                stack.append((each, min(deeper, MAX_DEPTH)))
            yield -1
        elif each in _CLOSING:
            if any(opened in _CLOSING[each] for opened, _ in stack):
                while stack.pop()[0] not in _CLOSING[each]:
                    pass
            yield -1
        elif each in _LINE_ENDS:
            stack.clear()
            yield 0
        else:
            yield level


def _reversed(places: list[int], levels: list[int], least: int) -> Iterator[int]:
    """Each run of characters that is turned so often, turned once (rule L2)."""
    run: list[int] = []
    for at in places:
        if levels[at] >= least:
            run.append(at)
        else:
            yield from reversed(run)
            run.clear()
            yield at
    yield from reversed(run)
