"""Listing + what the matchers found + rules and two keys -> one verdict for each right that it touches. Pure.

    judge = Judge(marks, text=matcher, pictures=finder, decide=decider)
    judge(listing, signals, fingerprints)        -> tuple[Verdict, ...], harshest first
    judge.many([(listing, signals, fingerprints), ...])     -> the same of each; texts are read in columns

The matchers, the reading of words and the rules come in as values, so that feed, scan and tests run the same lines.
What a verdict says is a suspicion and why; nothing here says that something infringes.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final, Literal, Protocol, runtime_checkable

from chopmark.base import jcs
from chopmark.base.errors import Fact
from chopmark.watch import features
from chopmark.watch.disguise import is_disguised
from chopmark.watch.features import Value
from chopmark.watch.found import Field, PictureHit, TextHit
from chopmark.watch.gs1 import is_traded, issuer
from chopmark.watch.listing import MAX_DESCRIPTION, MAX_TITLE, Listing
from chopmark.watch.marks import Mark, MarkSet
from chopmark.watch.text.meaning import weighed

Kind = Literal["none", "watch", "review", "hold", "takedown"]
ORDER: Final[tuple[Kind, ...]] = ("none", "watch", "review", "hold", "takedown")
"""From nothing to the harshest."""
FIELDS: Final[tuple[tuple[Field, int], ...]] = (
    ("title", MAX_TITLE),
    ("brand", MAX_TITLE),
    ("description", MAX_DESCRIPTION),
)
"""Texts of a listing, in the order in which they are read, with the characters of each that are."""
SURE_FEATURES: Final = 20
"""Local features that agree, from which on a picture is surely the protected one; `twokeys.Needs.inliers`."""
SURE_TEXT: Final = 800
"""Sureness of a disguise from which on no plain mention beside it counts for more; `twokeys.Needs.text`."""
AT_ONCE: Final = 1_000_000
"""Characters that are read in one go, so that long descriptions do not fill the memory."""


class TextFinder(Protocol):
    """`watch.text.matcher.TextMatcher`."""

    def find(self, title: str, brand: str = "", description: str = "") -> tuple[TextHit, ...]:
        """The marks in a listing's texts."""


@runtime_checkable
class ColumnFinder(Protocol):
    """A finder that reads many texts at once, which costs a tenth; `watch.text.matcher.TextMatcher` is one."""

    def find_many(self, texts: Sequence[str], *, field: Field = "title") -> Any:  # noqa: ANN401 (its own columns)
        """What stands in a column of texts."""

    def hits(self, columns: Any, *, field: Field = "title") -> Iterator[tuple[int, TextHit]]:  # noqa: ANN401 (as above)
        """The same as hits, each with the place of its text."""


class PictureFinder(Protocol):
    """`watch.pictures.PictureMatcher`."""

    def find(self, fingerprints: Sequence[Any]) -> tuple[PictureHit, ...]:
        """The works and logos in a listing's pictures."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Signals:
    """What tables know of a listing's seller and peers; None and nought for what nobody knows.

    Attributes:
        organisation: the seller's own one here (UUID as text), as the marketplace vouches; empty when not known.
    """

    seller_days: int | None = None
    seller_confirmed: int = 0
    seller_dismissed: int = 0
    shared_pictures: int = 0
    shared_contact: int = 0
    group_confirmed: int = 0
    impossible_stock: bool = False
    gtin_other: bool = False
    organisation: str = ""
    price: Callable[[Listing, Mark | None], Mapping[str, Value]] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """A protected work or logo that a picture may show: whose it is, and what it stands under.

    Attributes:
        right: id of its right, or the work's number where it has none; number: for people.
    """

    right: str
    number: str
    organisation: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided:
    """What rules and keys say of one row.

    Attributes:
        measure: what they propose.
        automatic: whether it may go out without a person: two kinds of evidence, and nothing against it.
        score: calibrated, 0 to 1000.
        keys: kinds of evidence. fired: rules, as (id, version).
        shadow: rules that only count, as (id, version, fired). asked: live rules, the same.
    """

    measure: Kind
    automatic: bool = False
    score: int = 0
    keys: tuple[str, ...] = ()
    reasons: tuple[tuple[str, Mapping[str, Fact]], ...] = ()
    fired: tuple[tuple[str, str], ...] = ()
    asked: tuple[tuple[str, str, bool], ...] = ()
    shadow: tuple[tuple[str, str, bool], ...] = ()


Decide = Callable[[Mapping[str, Value]], Decided]


class Reading(Protocol):
    """What words around a mark say (`watch.text.context`)."""

    def replica_words(self, text: str) -> int:
        """How many different words offer replicas."""

    def hidden(self, text: str) -> bool:
        """Whether it has invisible or reversed characters."""

    def other_brand(self, brand: str, mark: Mark) -> bool:
        """Whether the brand field names another brand."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """One listing with one right: what was found, the row that rules saw, and what they made of it.

    Attributes:
        organisation: the right's holder (UUID as text).
        territory, nice: the first place and class where right and offer meet; empty where none surely does.
    """

    right: str
    number: str
    organisation: str
    row: Mapping[str, Value]
    texts: tuple[TextHit, ...] = ()
    pictures: tuple[PictureHit, ...] = ()
    territory: str = ""
    nice: str = ""
    decided: Decided = field(default_factory=lambda: Decided(measure="none"))

    @property
    def found(self) -> dict[str, Any]:
        """What was found, for pages and proofs: JSON values."""
        return {"texts": [_told(each) for each in self.texts], "pictures": [_told(each) for each in self.pictures]}

    @property
    def digest(self) -> bytes:
        """SHA-256 of what was found and of the outcome: another digest is another suspicion."""
        return hashlib.sha256(jcs.encode({"found": self.found, "measure": self.decided.measure})).digest()


NOTHING: Final = Signals()


class Judge:
    """See the module.

    Args:
        marks: the set that `text` was made of.
        works: protected works by number, for picture hits.
        decide: rules and two keys.
    """

    def __init__(
        self,
        marks: MarkSet,
        *,
        text: TextFinder,
        decide: Decide,
        reading: Reading,
        pictures: PictureFinder | None = None,
        works: Mapping[str, Work] | None = None,
    ) -> None:
        self.version = marks.version
        self._marks = {each.id: each for each in marks.marks}
        self._of_right = {each.right: each for each in marks.marks}
        self._granted: dict[str, list[Mark]] = defaultdict(list)
        for each in marks.marks:
            if each.grants:
                self._granted[each.organisation].append(each)
        self._text, self._pictures, self._decide, self._reading = text, pictures, decide, reading
        self._works = works or {}

    def __call__(
        self,
        listing: Listing,
        signals: Signals = NOTHING,
        fingerprints: Sequence[Any] = (),
        *,
        hits: Sequence[TextHit] | None = None,
    ) -> tuple[Verdict, ...]:
        """Every right that the listing touches, harshest first; those that come to nothing too.

        Args:
            hits: what the finder finds in the listing's texts, where somebody has asked it already.
        """
        texts: dict[str, list[TextHit]] = defaultdict(list)
        read = self._text.find(listing.title, listing.brand, listing.description) if hits is None else hits
        for hit in weighed(
            read,
            self._marks,
            title=listing.title,
            brand=listing.brand,
            description=listing.description,
            classes=listing.classes,
        ):
            texts[self._marks[hit.mark].right].append(hit)
        pictures: dict[str, list[PictureHit]] = defaultdict(list)
        for seen in self._pictures.find(fingerprints) if self._pictures and fingerprints else ():
            work = self._works.get(seen.work)
            if seen.stage == "logo" and seen.right not in self._of_right:
                continue  # its right backs nothing today: nobody knows whose it is, where and for what it counts
            pictures[seen.right or (work.right if work else seen.work)].append(seen)
        rights = dict.fromkeys((*texts, *pictures))
        said = self._said(listing) if rights else {}
        verdicts = [
            self._verdict(listing, said, signals, right, texts=texts.get(right, ()), pictures=pictures.get(right, ()))
            for right in rights
        ]
        return tuple(sorted(verdicts, key=lambda each: (-ORDER.index(each.decided.measure), each.right)))

    def many(self, batch: Sequence[tuple[Listing, Signals, Sequence[Any]]]) -> list[tuple[Verdict, ...]]:
        """The same for many listings, each with its signals and fingerprints; texts are read in columns."""
        read = found_in(self._text, [listing for listing, _, _ in batch])
        return [
            self(listing, signals, fingerprints, hits=hits) if hits or fingerprints else ()
            for (listing, signals, fingerprints), hits in zip(batch, read, strict=True)
        ]

    def _said(self, listing: Listing) -> dict[str, Value]:
        """What the listing says whichever right it is about."""
        words = f"{listing.title}\n{listing.description}"
        return {
            **of_listing(listing, hidden=self._reading.hidden(words)),
            "replica_words": self._reading.replica_words(words),
        }

    def _verdict(
        self,
        listing: Listing,
        said: Mapping[str, Value],
        signals: Signals,
        right: str,
        *,
        texts: Sequence[TextHit],
        pictures: Sequence[PictureHit],
    ) -> Verdict:
        ranked = sorted(texts, key=lambda hit: rank(hit, listing))
        mark = self._marks[ranked[0].mark] if ranked else self._of_right.get(right)
        work = next((self._works[each.work] for each in pictures if each.work in self._works), None)
        values = {**said, **of_signals(signals, listing, mark), **of_pictures(pictures)}
        if mark is not None:
            values |= of_mark(mark, listing)
            values["other_brand"] = self._reading.other_brand(listing.brand, mark)
        else:
            values["right"] = work.number if work else right
            values["territory_fits"] = values["class_fits"] = True  # a work counts wherever it is, whatever it is on
        if work is not None and not values.get("licensed"):
            values["licensed"] = self._may_show(work, listing, signals)
        values["copied_photo"] = not values.get("licensed") and any(map(is_copy, pictures))
        if ranked:
            values |= of_text(ranked[0], listing)
        row = features.row(values)
        return Verdict(
            right=right,
            number=mark.number if mark else work.number if work else right,
            organisation=mark.organisation if mark else work.organisation if work else "",
            row=row,
            texts=tuple(ranked),
            pictures=tuple(pictures),
            territory=first_common(listing.territories, mark.territories if mark else listing.territories),
            nice=first_common(listing.classes, mark.classes if mark else ()),
            decided=self._decide(row),
        )

    def _may_show(self, work: Work, listing: Listing, signals: Signals) -> bool:
        """Whether it is the holder's own shop, or the holder lets the seller offer such goods in such places.

        A licence to sell under one of the holder's marks covers the holder's pictures for the goods and places that it
        surely may cover, and for no others: the photographs of lamps for lamps, not on shirts.
        """
        if signals.organisation and signals.organisation == work.organisation:
            return True
        return any(
            licensed(mark, listing)
            and meets(mark.classes, listing.classes) is not False
            and meets(mark.territories, listing.territories) is not False
            for mark in self._granted.get(work.organisation, ())
        )


def found_in(finder: TextFinder, batch: Sequence[Listing]) -> list[list[TextHit]]:
    """What `finder.find` finds in each listing; the same text is read once, however many listings have it."""
    if not isinstance(finder, ColumnFinder):
        return [list(finder.find(each.title, each.brand, each.description)) for each in batch]
    found: list[list[TextHit]] = [[] for _ in batch]
    for name, most in FIELDS:
        places: dict[str, list[int]] = {}
        for at, listing in enumerate(batch):
            if said := getattr(listing, name)[:most]:
                places.setdefault(said, []).append(at)
        for texts in _pieces(list(places)):
            for row, hit in finder.hits(finder.find_many(texts, field=name), field=name):
                for at in places[texts[row]]:
                    found[at].append(hit)
    return found


def _pieces(texts: Sequence[str]) -> Iterator[list[str]]:
    """Texts in rows of at most `AT_ONCE` characters, or one text each."""
    piece: list[str] = []
    size = 0
    for each in texts:
        if piece and size + len(each) > AT_ONCE:
            yield piece
            piece, size = [], 0
        piece.append(each)
        size += len(each)
    if piece:
        yield piece


# ---- the row -----------------------------------------------------------------------------------------------------


def rank(hit: TextHit, listing: Listing) -> tuple[bool, int, int, int, int, int]:
    """The most telling hit first, since rules see one of each right.

    A sure disguise goes before whatever is written plainly: else "n1ke shoes" would be excused by "as good as Nike", or
    by "for Nike", further on. Then the surest, in reading and in meaning; then by field; then nearest to the front.
    """
    field = ("title", "brand", "description").index(hit.field)
    hidden = hit.score >= SURE_TEXT and not hit.descriptive and disguised(hit, listing)
    return (not hidden, -hit.score, -hit.meant, field, hit.position, hit.start)


def disguised(hit: TextHit, listing: Listing) -> bool:
    """Whether the name is written in disguise where it was found."""
    text: str = getattr(listing, hit.field)
    return is_disguised(text[hit.start : hit.end], hit.term, hit.view)


def of_listing(listing: Listing, *, hidden: bool) -> dict[str, Value]:
    """What the listing alone says."""
    return {
        "marketplace": listing.marketplace,
        "seller": listing.seller,
        "category": listing.category,
        "price": listing.price,
        "currency": listing.currency,
        "title_length": len(listing.title),
        "pictures": len(listing.pictures),
        "flags": len(listing.flags),
        "hidden_text": hidden or "bidi" in listing.flags or "zero_width_flood" in listing.flags,
        "outside_contact": bool(listing.contact),
        "edited_after": hours(listing.listed_at, listing.changed_at),
        "stock": listing.stock,
        "gtin_issuer": issuer(listing.gtin) if listing.gtin else "",
        "gtin_untraded": bool(listing.gtin) and not is_traded(listing.gtin),
    }


def of_signals(signals: Signals, listing: Listing, mark: Mark | None) -> dict[str, Value]:
    """What the seller's history and peers say."""
    prices = signals.price(listing, mark) if signals.price is not None else {}
    return {
        "seller_days": signals.seller_days,
        "seller_confirmed": signals.seller_confirmed,
        "seller_dismissed": signals.seller_dismissed,
        "shared_pictures": signals.shared_pictures,
        "shared_contact": signals.shared_contact,
        "group_confirmed": signals.group_confirmed,
        "impossible_stock": signals.impossible_stock,
        "gtin_other": signals.gtin_other,
        **prices,
    }


def of_mark(mark: Mark, listing: Listing) -> dict[str, Value]:
    """What the right says to this offer; None where one of the two does not say enough."""
    return {
        "right": mark.number,
        "distinctiveness": mark.distinctiveness,
        "class_fits": meets(mark.classes, listing.classes),
        "territory_fits": meets(mark.territories, listing.territories),
        "well_known": mark.well_known,
        "licensed": licensed(mark, listing),
    }


def of_text(hit: TextHit, listing: Listing) -> dict[str, Value]:
    """What the best hit in the texts says."""
    return {
        "view": hit.view,
        "field": hit.field,
        "text_score": hit.score,
        "meant": hit.meant,
        "distance": hit.distance,
        "mark_length": len(hit.term),
        "position": hit.position,
        "disguised": disguised(hit, listing),
        "descriptive": hit.descriptive,
    }


def of_pictures(hits: Sequence[PictureHit]) -> dict[str, Value]:
    """What the best hits in the pictures say."""
    copies = [each for each in hits if each.stage != "logo"]
    logos = [each.score for each in hits if each.stage == "logo"]
    best = max(copies, key=lambda each: (each.score, each.inliers), default=None)
    values: dict[str, Value] = {"logo_score": max(logos, default=0)}
    if best is not None:
        values |= {
            "picture_stage": best.stage,
            "picture_score": best.score,
            "inliers": best.inliers,
        }
    return values


def is_copy(hit: PictureHit) -> bool:
    """Whether it surely is a protected picture, or a part of it: a work, not a logo.

    By features only where `SURE_FEATURES` agree: with fewer it may be the same goods, photographed by somebody else.
    """
    return hit.stage in ("same", "codes") or (hit.stage == "features" and hit.inliers >= SURE_FEATURES)


def licensed(mark: Mark, listing: Listing) -> bool:
    """Whether a grant lets this seller offer this, everywhere where right and offer meet."""
    places = set(listing.territories) & set(mark.territories) if mark.territories else set(listing.territories)
    return any(
        (each.marketplace, each.seller) == (listing.marketplace, listing.seller)
        and (not each.territories or (places and places <= set(each.territories)))
        and (not each.classes or (listing.classes and set(listing.classes) <= set(each.classes)))
        for each in mark.grants
    )


def meets(ours: Iterable[str], theirs: Iterable[str]) -> bool | None:
    """Whether two sets have something in common; None where one of them is empty, which says nothing."""
    one, other = set(ours), set(theirs)
    return None if not one or not other else not one.isdisjoint(other)


def first_common(theirs: Iterable[str], ours: Iterable[str]) -> str:
    """The first of theirs that is ours too."""
    return next(iter(sorted(set(theirs) & set(ours))), "")


def hours(earlier: datetime | None, later: datetime | None) -> int | None:
    """Whole hours between two moments; None where one is not said."""
    return None if earlier is None or later is None else int((later - earlier).total_seconds() // 3600)


def released(verdict: Verdict) -> Verdict:
    """The same, when a grant was found since: nothing is proposed any more."""
    return replace(verdict, row={**verdict.row, "licensed": True}, decided=Decided(measure="none"))


def _told(hit: TextHit | PictureHit) -> dict[str, Any]:
    names = type(hit).__dataclass_fields__
    return {name: list(said) if isinstance(said := getattr(hit, name), tuple) else said for name in names}
