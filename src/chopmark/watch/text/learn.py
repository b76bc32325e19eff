"""How distinctive a name is, learned from trusted titles whose brand is known.

    learned = distinctiveness(matcher, [("Acme red canvas bag", "Acme"), …])     {mark: 0 to 1000}
    prior("target", vocabulary)                                                  what a name begins with

A name that turns up in titles of many other brands (apple, target, canvas) is an everyday word there, whatever its
owner sells. Each other brand counts once, however many titles it has, so that nobody makes a name common, or rare, by
repeating it. What a dictionary knows begins as common; what it does not know begins as distinctive. Titles that are
scanned teach nothing.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Final

from chopmark.watch.found import TextHit
from chopmark.watch.marks import Mark
from chopmark.watch.text.canon import words
from chopmark.watch.text.context import is_brand
from chopmark.watch.text.vocabulary import trade

if TYPE_CHECKING:
    from chopmark.watch.text.matcher import TextMatcher

TRADE: Final = 100
ORDINARY: Final = 250
SHORT: Final = 400
SEVERAL: Final = 500
UNKNOWN: Final = 900
SHORTEST: Final = 3
"""Latin letters or digits up to which a name is a code of products more often than not: dsc, eos, rp."""
PRIOR: Final = 2.0
"""Brands that what one begins with is worth."""
OWN: Final = 6.0
"""Other brands that titles of its own brand are worth."""


def prior(name: str, ordinary: frozenset[str]) -> int:
    """How distinctive a name is as far as a trusted vocabulary tells, 0 to 1000."""
    plain = words(name)
    parts = [each for each in plain.split() if not each.isdigit()]
    if parts and plain.isascii() and all(each in ordinary for each in parts):
        return TRADE if all(each in trade() for each in parts) else ORDINARY if len(parts) == 1 else SEVERAL
    return SHORT if plain.isascii() and len(plain.replace(" ", "")) <= SHORTEST else UNKNOWN


def distinctiveness(matcher: TextMatcher, titles: Iterable[tuple[str, str]]) -> dict[int, int]:
    """For each mark of the matcher's set, 0 to 1000.

    A name in "for ..." and a part of a longer name say nothing of how common it is.

    Args:
        matcher: of the set; a fast one will do.
        titles: that a person trusts, each with the brand of the goods that it offers; where that is none ("generic",
            无品牌) a title teaches nothing, since whatever stands in it is nobody else's goods.
    """
    trusted = list(titles)
    own: dict[int, set[str]] = defaultdict(set)
    others: dict[int, set[str]] = defaultdict(set)
    found: dict[int, list[TextHit]] = defaultdict(list)
    for row, hit in matcher.hits(matcher.find_many([title for title, _ in trusted])):
        found[row].append(hit)
    for row, hits in found.items():
        brand = words(trusted[row][1])
        for hit in hits if is_brand(trusted[row][1]) else ():
            if not hit.descriptive and not _is_part(hit, hits):
                (own if is_of(words(hit.term), brand) else others)[hit.mark].add(brand)
    return {mark.id: _learned(mark, own, others, matcher.vocabulary) for mark in matcher.marks.marks}


def _learned(mark: Mark, own: Mapping[int, set[str]], others: Mapping[int, set[str]], ordinary: frozenset[str]) -> int:
    right = OWN * bool(own.get(mark.id))
    begun = PRIOR * (prior(mark.text, ordinary) if mark.text else UNKNOWN)  # of a picture alone no title tells
    return round((begun + 1000 * right) / (PRIOR + right + len(others.get(mark.id, ()))))


def _is_part(hit: TextHit, hits: Iterable[TextHit]) -> bool:
    return any(
        other.start <= hit.start and hit.end <= other.end and other.end - other.start > hit.end - hit.start
        for other in hits
    )


def is_of(name: str, brand: str) -> bool:
    """Whether a name is the brand's, or a part of it, or the other way round; both in plain words."""
    return bool(brand) and (f" {name} " in f" {brand} " or f" {brand} " in f" {name} ")
