"""What is looked for: the marks and works of rights in force, resolved for one day, as one versioned set.

A mark set is made from the registry by an action (`actions/markset.py`), read by every scanner, and named by its
digest, which stands in each result. Aliases belong to the mark, not to the title (耐克, nike, naike are one right).
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """A seller who may sell: the marketplace's number of the seller, with what its chain of grants leaves.

    Attributes:
        territories, classes: empty for all that the right has.
    """

    marketplace: str
    seller: str
    territories: tuple[str, ...] = ()
    classes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """One sign of one right.

    Attributes:
        id: position in the set.
        right: id of the right (UUID as text); number: `R-2026-000001`.
        organisation: whose right it is (UUID as text).
        text: as registered. aliases: other names, scripts, spellings that stand for it.
        classes: Nice classes. territories: countries where it is in force, resolved (EU is its members).
        distinctiveness: 0 to 1000; below `COMMON` it is an everyday word (苹果, target) and never decides alone.
            Set by a person or learned from trusted text only, never from frequency in what is scanned.
        near: on the watch-list for near misses (addidas); for a few thousand marks that need it.
        well_known: protected beyond its classes.
        grants: sellers who may sell.
    """

    id: int
    right: str
    number: str
    organisation: str
    text: str
    aliases: tuple[str, ...] = ()
    classes: tuple[str, ...] = ()
    territories: tuple[str, ...] = ()
    distinctiveness: int = 1000
    near: bool = False
    well_known: bool = False
    grants: tuple[Grant, ...] = ()


COMMON = 300
"""A mark with less distinctiveness is a common word."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MarkSet:
    """All marks of a day.

    Attributes:
        version: SHA-256 over the canonical form of all marks, hex.
    """

    version: str
    marks: tuple[Mark, ...]
