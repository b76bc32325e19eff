"""Whether a name that stands in a listing means its mark there: an additive card over what stands around it.

    weighed(hits, marks, title=..., brand=..., classes=...)      the hits, each with `meant`, 0 to 1000
    terms(hit, around)                                           what counted: ("common", "class fits")
    points(terms)                                                thousandths of log-odds, to be added up again

"Apple" in "green apple candle" is a name as it is registered, and means no mark. What tells: how distinctive the name
is, a name beside it that is surely a mark, the class, the brand field, words like "for", length, small letters. Where
it stands in the title does not count: catalogues put the brand first, who hides one does not.

Only names written plainly are weighed. A disguise is meant to be read as the mark: it keeps 1000, and `score` says how
surely it was read. Nothing here learns from what is scanned. A seller can lower `meant` by naming another brand
beside the mark, but not of a mark that is distinctive by itself (`SURE`).

The weights are data: `data/meaning.toml`, fitted by `benchmarks/watch_meaning.py`, which says on what.
"""

from __future__ import annotations

import math
import tomllib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files
from typing import Final

from chopmark.watch.found import TextHit, View
from chopmark.watch.marks import COMMON, Mark
from chopmark.watch.text.canon import words
from chopmark.watch.text.context import is_brand, other_brand

PLAIN: Final[frozenset[View]] = frozenset({"exact", "simplified"})
"""Views of names that are written as they are."""
SURE: Final = 950
"""Distinctiveness from which on no name beside it matters."""
RIVAL: Final = 600
"""Distinctiveness of a name that makes a common one beside it doubtful."""
BANDS: Final = (
    (60, "everywhere"),
    (150, "very common"),
    (COMMON, "common"),
    (RIVAL, "hardly known"),
    (SURE, "unknown"),
)
"""Below each of these a distinctiveness has its term; from `SURE` on none."""
SHORTEST: Final = 3
"""Latin letters up to which a name is a code of products too often: it has a term, and is nobody's rival."""
LEAST: Final = 500
"""From here on a name is taken to mean its mark, where rules ask for no more."""
MOST_RIVALS: Final = 20
"""Names of a listing that others are compared with: the most distinctive ones."""
TERMS: Final = (
    *(name for _, name in BANDS),
    *(
        "rival",
        "surer rival",
        "part of another",
        "two letters",
        "three letters",
        "digit",
        "several words",
        "class fits",
        "class other",
    ),
    *("descriptive", "small letters", "brand field", "brand other"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Around:
    """What stands around a hit.

    Attributes:
        mark: of the hit.
        brand: the brand field. classes: Nice classes of the listing; empty for not known.
        is_small: the name is in small letters, in a text that has capitals as well as words in small letters.
        rival: the highest distinctiveness of a name of another holder's mark at another place of the field.
        is_part: a longer name of another holder's mark has it within.
    """

    mark: Mark
    brand: str = ""
    classes: Collection[str] = ()
    is_small: bool = False
    rival: int = 0
    is_part: bool = False


def terms(hit: TextHit, around: Around) -> tuple[str, ...]:
    """The terms of the card that hold for one hit."""
    return (*_of_name(hit.term, around), *_of_place(hit, around), *_of_offer(around))


def _of_name(term: str, around: Around) -> Iterator[str]:
    """How distinctive the name is, alone and beside others."""
    distinctiveness = around.mark.distinctiveness
    band = next((name for least, name in BANDS if distinctiveness < least), None)
    if band is not None:
        yield band
    if distinctiveness < RIVAL <= around.rival:
        yield "rival"
    elif distinctiveness < SURE <= around.rival:
        yield "surer rival"
    if distinctiveness < SURE and around.is_part:
        yield "part of another"
    plain = words(term)
    if any(map(str.isdigit, plain)):
        yield "digit"
    if plain.isascii():
        letters = len(plain.replace(" ", ""))
        if letters <= SHORTEST:
            yield "three letters" if letters == SHORTEST else "two letters"
        if " " in plain:
            yield "several words"


def _of_place(hit: TextHit, around: Around) -> Iterator[str]:
    """How it stands in the text."""
    if hit.descriptive:
        yield "descriptive"
    if around.is_small:
        yield "small letters"


def _of_offer(around: Around) -> Iterator[str]:
    """What class and brand field say."""
    mark = around.mark
    if mark.classes and around.classes:
        if not set(mark.classes).isdisjoint(around.classes):
            yield "class fits"
        elif not mark.well_known:
            yield "class other"
    if is_brand(around.brand):
        yield "brand other" if other_brand(around.brand, (mark.text, *mark.aliases)) else "brand field"


def _is_mixed(text: str) -> bool:
    """Whether some words begin with a capital, and others with a small letter."""
    return len({each[0].isupper() for each in text.split() if each[0].isalpha()}) == 2


def points(holding: Iterable[str]) -> int:
    """The sum of a card, in thousandths of log-odds."""
    base, weights = card()
    return base + sum(weights[each] for each in holding)


def share(given: int) -> int:
    """Thousandths of probability, for points."""
    return round(1000 / (1 + math.exp(-max(-30_000, min(given, 30_000)) / 1000)))


@cache
def card() -> tuple[int, Mapping[str, int]]:
    """What a name has without any term, and what each term adds: thousandths of log-odds."""
    said = tomllib.loads(files(__package__).joinpath("data", "meaning.toml").read_text("utf-8"))
    return int(said["base"]), {name: int(said["terms"].get(name, 0)) for name in TERMS}


def weighed(
    hits: Sequence[TextHit],
    marks: Mapping[int, Mark] | Sequence[Mark],
    *,
    title: str = "",
    brand: str = "",
    description: str = "",
    classes: Collection[str] = (),
) -> tuple[TextHit, ...]:
    """The hits of one listing in their order, each with how surely its name means its mark.

    Args:
        hits: of all fields.
        marks: by their id.
        title, brand, description: texts that the hits were found in.
        classes: Nice classes of the listing.
    """
    around = surroundings(hits, marks, title=title, brand=brand, description=description, classes=classes)
    return tuple(
        replace(hit, meant=share(points(terms(hit, each)))) if hit.view in PLAIN else hit
        for hit, each in zip(hits, around, strict=True)
    )


def surroundings(
    hits: Sequence[TextHit],
    marks: Mapping[int, Mark] | Sequence[Mark],
    *,
    title: str = "",
    brand: str = "",
    description: str = "",
    classes: Collection[str] = (),
) -> list[Around]:
    """What stands around each of the hits of one listing."""
    texts = {"title": title, "brand": brand, "description": description}
    mixed = {field for field, text in texts.items() if _is_mixed(text)}
    strong = _strong(hits, marks)
    found: list[Around] = []
    for hit in hits:
        mark = marks[hit.mark]

        def is_other(each: TextHit, hit: TextHit = hit, mark: Mark = mark) -> bool:
            return each.field == hit.field and marks[each.mark].organisation != mark.organisation

        rivals = (marks[each.mark].distinctiveness for each in strong if _is_apart(each, hit) and is_other(each))
        found.append(
            Around(
                mark=mark,
                brand=brand,
                classes=classes,
                is_small=hit.field in mixed and texts[hit.field][hit.start : hit.end].islower(),
                rival=next(rivals, 0),
                is_part=any(_is_within(hit, each) and is_other(each) for each in hits),
            )
        )
    return found


def _is_apart(one: TextHit, other: TextHit) -> bool:
    return one.end <= other.start or other.end <= one.start


def _is_within(hit: TextHit, longer: TextHit) -> bool:
    return longer.start <= hit.start and hit.end <= longer.end and longer.end - longer.start > hit.end - hit.start


def _strong(hits: Sequence[TextHit], marks: Mapping[int, Mark] | Sequence[Mark]) -> list[TextHit]:
    """Names that make a doubtful one beside them more doubtful; a few are enough."""
    found = [
        hit
        for hit in hits
        if hit.view in PLAIN
        and not hit.descriptive
        and marks[hit.mark].distinctiveness >= RIVAL
        and len(words(hit.term).replace(" ", "")) > SHORTEST
    ]
    return sorted(found, key=lambda hit: -marks[hit.mark].distinctiveness)[:MOST_RIVALS]
