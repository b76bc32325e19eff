"""What the matchers find, with why: which mark, by which view, which characters, which part of which picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

View = Literal[
    "exact",  # NFKC, case, spaces
    "canonical",  # TR39 confusables, invisible and combining characters
    "folded",  # leet and look-alike pairs (0 o, 1 l, rn m, cl d, vv w)
    "letters",  # single letters with separators: n.i.k.e
    "joined",  # ni ke, EckoUnltd
    "glued",  # nikeshoes
    "masked",  # n*ke
    "near",  # one edit: addidas
    "simplified",  # traditional characters, separators between Chinese characters
    "pinyin",
    "half_pinyin",
    "homophone",
]
Field = Literal["title", "brand", "description"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TextHit:
    """A mark in a text.

    Attributes:
        mark: `Mark.id`. term: the name or alias that was found.
        start, end: characters of the text as it came (Python indices), so that a page can show what was read.
        distance: edits, for `near` and `masked`.
        score: 0 to 1000, the view's own sureness.
        position: index of the word where it begins.
        descriptive: it stands in "for ...", "compatible with ...", 适用于.
        meant: 0 to 1000, how surely the name means its mark here (`text.meaning`), once it was weighed.
    """

    mark: int
    term: str
    view: View
    field: Field
    start: int
    end: int
    distance: int = 0
    score: int = 1000
    position: int = 0
    descriptive: bool = False
    meant: int = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class PictureHit:
    """A protected picture, or a logo, in a picture of a listing.

    Attributes:
        work: number of the work (`W-2026-000001`), empty for a logo.
        right: id of the right for a logo, or the right that the work stands under, empty when none.
        picture: index among the listing's pictures.
        stage: `same`, `codes`, `features` as in `media.match`, or `logo`.
        query, reference: boxes in millionths (x, y, width, height); None for the whole.
        turn: 0 to 7, mirrored from 4 on.
    """

    work: str
    right: str
    picture: int
    stage: Literal["same", "codes", "features", "logo"]
    score: int
    distance: int = 0
    inliers: int = 0
    turn: int = 0
    query: tuple[int, int, int, int] | None = None
    reference: tuple[int, int, int, int] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Looked:
    """What was seen of the pictures of listings.

    Attributes:
        seen: for each listing, of its pictures those that may show something protected, as `judge.PictureFinder` takes
            them.
        glanced: places of the listings of which some picture was described by codes alone, or not at all for want of
            room or decoder: they get a second look.
    """

    seen: Sequence[Sequence[Any]]
    glanced: frozenset[int] = frozenset()
