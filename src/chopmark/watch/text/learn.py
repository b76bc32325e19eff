"""How distinctive a name is, learned from trusted titles whose brand is known.

    learned = distinctiveness(matcher, [("Acme red canvas bag", "Acme"), …])     {mark: 0 to 1000}
    plain(hits, learned)                                                         hits that may stand for their mark

A name that turns up in titles of many other brands (apple, target, canvas) is an everyday word there, whatever its
owner sells. Each other brand counts once, however many titles it has, so that nobody makes a name common, or rare, by
repeating it. What a dictionary knows begins as common; what it does not know begins as distinctive. Titles that are
scanned teach nothing.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from chopmark.watch.found import TextHit
from chopmark.watch.marks import COMMON
from chopmark.watch.text.canon import words
from chopmark.watch.text.matcher import TextMatcher

ORDINARY = 250
UNKNOWN = 900
SHORT = 3
_PRIOR = 2.0
"""Brands that what one begins with is worth."""


def distinctiveness(matcher: TextMatcher, titles: Iterable[tuple[str, str]]) -> dict[int, int]:
    """For each mark of the matcher's set, 0 to 1000.

    Args:
        matcher: of the set; a fast one will do.
        titles: that a person trusts, each with the brand of the goods that it offers.
    """
    trusted = list(titles)
    own: dict[int, set[str]] = defaultdict(set)
    others: dict[int, set[str]] = defaultdict(set)
    for row, hit in matcher.hits(matcher.find_many([title for title, _ in trusted])):
        brand = words(trusted[row][1])
        (own if _is_of(words(hit.term), brand) else others)[hit.mark].add(brand)
    return {
        mark.id: round(
            (_PRIOR * _prior(mark.text, matcher.vocabulary) + 1000 * 2 * len(own[mark.id]))
            / (_PRIOR + 2 * len(own[mark.id]) + len(others[mark.id]))
        )
        for mark in matcher.marks.marks
    }


def _prior(name: str, ordinary: frozenset[str]) -> int:
    """Names of up to three Latin letters or digits are codes of products more often than not."""
    plain_name = words(name)
    short = plain_name.isascii() and len(plain_name.replace(" ", "")) <= SHORT
    common = all(each in ordinary or each.isdigit() for each in plain_name.split())
    return ORDINARY if short or common else UNKNOWN


def _is_of(name: str, brand: str) -> bool:
    """Whether a name is the brand's, or a part of it, or the other way round."""
    return bool(brand) and (f" {name} " in f" {brand} " or f" {brand} " in f" {name} ")


def plain(hits: Sequence[TextHit], learned: Mapping[int, int], least: int = COMMON) -> list[TextHit]:
    """Of a title's hits those that may stand for their mark: nothing common, descriptive, or within another.

    Of several names at different places all stay; which one the goods are of, class and brand field tell.
    """
    chosen = [hit for hit in hits if learned.get(hit.mark, 1000) >= least and not hit.descriptive]
    return [
        hit
        for hit in chosen
        if not any(
            other.start <= hit.start and hit.end <= other.end and other.end - other.start > hit.end - hit.start
            for other in chosen
        )
    ]
