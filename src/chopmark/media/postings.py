"""Keys with whose they are and where: sorted tables in memory, for sound and text. Made from rows and thrown away.

What is added becomes a small table; two tables of like size become one, so adding one of n costs about log n moves of
its keys and never a new sort of everything. What is dropped is left out of every answer at once, and its keys go when
their table is merged.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

ROOM = 2_000_000
"""Places found in one table at a time: bounds time and memory, also where somebody floods it."""

Keys = NDArray[np.unsignedinteger[Any]]
Numbers = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class _Table:
    keys: Keys
    owner: Numbers
    at: Numbers


class Postings:
    """An owner is added once and, after it was dropped, never again: who replaces takes a new number."""

    def __init__(self, kind: type[np.unsignedinteger[Any]]) -> None:
        self._kind = kind
        self._tables: list[_Table] = []
        self._dropped: set[int] = set()

    def add(self, entries: Iterable[tuple[int, Keys, Numbers]]) -> None:
        """Owners with their keys and where each key is."""
        every = list(entries)
        if not every:
            return
        self._tables.append(
            _sorted(
                np.concatenate([keys.astype(self._kind) for _, keys, _ in every]),
                np.concatenate([np.full(len(keys), owner, np.int64) for owner, keys, _ in every]),
                np.concatenate([at.astype(np.int64) for _, _, at in every]),
            )
        )
        while len(self._tables) > 1 and len(self._tables[-2].keys) < 2 * len(self._tables[-1].keys) + 1:
            self._tables.append(self._merged(self._tables.pop(), self._tables.pop()))

    def drop(self, owner: int) -> None:
        """Not in any answer from now on."""
        self._dropped.add(owner)

    def find(self, keys: Keys, *, most: int) -> tuple[Numbers, Numbers, Numbers]:
        """Which of `keys`, whose and where, for every place of each; a key with more than `most` places has none.

        `most` counts within one table: it keeps what is said everywhere from costing anything. Where a table has more
        than `ROOM` places for all the keys together, those with the fewest places are answered, which say the most.
        """
        none = np.zeros(0, np.int64)
        which, owner, at = [none], [none], [none]
        for table in self._tables:
            low = np.searchsorted(table.keys, keys, side="left")
            many = np.searchsorted(table.keys, keys, side="right") - low
            many[many > most] = 0
            if many.sum() > ROOM:
                rare = np.argsort(many, kind="stable")
                many[rare[np.cumsum(many[rare]) > ROOM]] = 0
            rows = np.repeat(low - np.cumsum(many) + many, many) + np.arange(many.sum())
            which.append(np.repeat(np.arange(len(keys)), many))
            owner.append(table.owner[rows])
            at.append(table.at[rows])
        found = np.concatenate(which), np.concatenate(owner), np.concatenate(at)
        if self._dropped:
            alive = ~np.isin(found[1], np.fromiter(self._dropped, np.int64, len(self._dropped)))
            found = found[0][alive], found[1][alive], found[2][alive]
        return found

    def _merged(self, one: _Table, two: _Table) -> _Table:
        owner = np.concatenate([one.owner, two.owner])
        alive = ~np.isin(owner, np.fromiter(self._dropped, np.int64, len(self._dropped)))
        keys, at = np.concatenate([one.keys, two.keys]), np.concatenate([one.at, two.at])
        return _sorted(keys[alive], owner[alive], at[alive])


def _sorted(keys: Keys, owner: Numbers, at: Numbers) -> _Table:
    order = np.argsort(keys, kind="stable")
    return _Table(keys[order], owner[order], at[order])
