"""Marks in the words of listings.

    matcher = TextMatcher(marks)
    matcher.find("Genuine n1ke shoes")      (TextHit(mark=…, view="folded", start=8, end=12, …),)
    matcher.find_many(titles)               the same for a column, without an object for each hit
    explain(hit, title)                     what was read, character by character

Two stages. The first looks for every name of every mark at once, by one automaton (Aho and Corasick, 1975) over the
plain words of a whole batch: that is `fast`. The second looks at words which are no ordinary ones, and there are few:
see `views`. A name of Latin letters is found as whole words only, a Chinese one anywhere.

A hit says that a name stands there, and how surely; not whose goods these are, nor that anything is wrong.
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from chopmark.rights.similarity.scripts import has_han
from chopmark.watch.found import Field, TextHit, View
from chopmark.watch.listing import MAX_DESCRIPTION, MAX_TITLE
from chopmark.watch.marks import MarkSet
from chopmark.watch.text import canon, context, views
from chopmark.watch.text.canon import Token, tokens, words
from chopmark.watch.text.terms import Terms
from chopmark.watch.text.views import Disguises, Reading
from chopmark.watch.text.vocabulary import shipped

MAX_HITS: Final = 200
"""Of one text: the surest are kept."""
_ROW: Final = "\x01"  # parts the rows of a batch; in a text it is nothing
_ASCII_FOLDS: Final = {**{code: canon.HARD_FOLDS[code] for code in range(128)}, ord(_ROW): _ROW}
SCORES: Final[dict[View, int]] = {
    **{"exact": 1000, "canonical": 960, "simplified": 940, "pinyin": 720, "half_pinyin": 600, "homophone": 480},
    **views.SCORES,
}
_SOFT: Final = re.compile(f"[A-Za-z0-9][{re.escape(canon.SOFT)}]+[A-Za-z0-9]|[@$€£¢¥§†¡][A-Za-z0-9]|[A-Za-z][@$€£¢¥§†]")
_FOREIGN: Final = 600
"""A Latin name read in a word of another script, in a text of that script: Cyrillic "сор" is no "cop"."""


@dataclass(frozen=True, slots=True)
class Columns:
    """Hits of a batch by the first stage, one position in each list a hit; `matcher.hit(columns, i)` makes an object.

    Attributes:
        rows: which text. patterns: which name, as a position in `Terms.patterns`.
        firsts, lasts: its first and last word.
        disguised, signed: readings of the second stage, by row.
    """

    texts: Sequence[str]
    rows: list[int]
    patterns: list[int]
    firsts: list[int]
    lasts: list[int]
    disguised: dict[int, list[Reading]] = field(default_factory=dict)
    signed: dict[int, list[tuple[Reading, Token]]] = field(default_factory=dict)

    def __len__(self) -> int:
        """How many."""
        return len(self.rows)


class TextMatcher:
    """A mark set ready to be looked for; safe to be used by several threads.

    Args:
        marks: the set.
        vocabulary: ordinary words, which are no disguises; the shipped ones when None.
        fast: exact and canonical views alone.
    """

    def __init__(self, marks: MarkSet, vocabulary: frozenset[str] | None = None, *, fast: bool = False) -> None:
        from ahocorasick_rs import AhoCorasick, Implementation  # noqa: PLC0415 (loaded with the first set of marks)

        self.vocabulary = shipped() if vocabulary is None else vocabulary
        self.fast = fast
        self.terms = Terms(marks, self.vocabulary, fast=fast)
        self._lengths = [each.count(" ") + 1 for each in self.terms.patterns]
        self._short = frozenset(self.terms.short.values())
        self._disguises = Disguises(self.terms, self.vocabulary)
        self._automaton = AhoCorasick(
            [f" {each} " for each in self.terms.patterns], implementation=Implementation.ContiguousNFA
        )

    @property
    def marks(self) -> MarkSet:
        """The set."""
        return self.terms.marks

    def find(self, title: str, brand: str = "", description: str = "") -> tuple[TextHit, ...]:
        """All marks in a listing's words, in the order of the fields and of the text.

        Texts longer than a listing may be are read up to there. Of the description, what stands there undisguised.
        """
        found: list[TextHit] = []
        fields: tuple[tuple[Field, str, int], ...] = (
            ("title", title, MAX_TITLE),
            ("brand", brand, MAX_TITLE),
            ("description", description, MAX_DESCRIPTION),
        )
        for field, text, limit in fields:
            if text:
                found += self._find(text[:limit], field)
        return tuple(found)

    def _find(self, text: str, field: Field) -> list[TextHit]:
        columns = self.find_many([text], field=field)
        hits = [hit for _, hit in self.hits(columns)]
        return hits if field == "title" else [replace(each, field=field) for each in hits]

    def find_many(self, texts: Sequence[str], *, field: Field = "title") -> Columns:
        """The same for a column of texts; `hits` makes objects of what it found.

        Args:
            texts: cleaned by `listing.clean`: nothing here is cut.
            field: names too short for titles count in a brand field, where they are the whole of it; in descriptions
                nothing disguised is looked for.
        """
        order = [at for at, text in enumerate(texts) if text.isascii()]
        folded = _plain_of([texts[at] for at in order])
        if len(order) < len(texts):
            others = [at for at, text in enumerate(texts) if not text.isascii()]
            folded += "".join(f"{words(texts[at])} {_ROW} " for at in others)
            order += others
        columns = Columns(texts, [], [], [], [])
        self._search(folded, order, columns, short=field == "brand")
        if not self.fast and field != "description":
            self._look(folded, order, columns)
        return columns

    def _search(self, folded: str, order: Sequence[int], into: Columns, *, short: bool) -> None:
        """The automaton over all rows at once; a hit's row and words are counted from row marks and blanks."""
        ends = [at.start() for at in re.finditer(_ROW, folded)]
        row, begin = 0, 0
        for pattern, start, _ in self._automaton.find_matches_as_indexes(folded, overlapping=True):
            if start > ends[row]:
                row = bisect_left(ends, start, row)
                begin = ends[row - 1] + 1
            if pattern in self._short and not (short and folded[begin : ends[row]] == f" {self.terms.patterns[pattern]} "):
                continue
            first = folded.count(" ", begin, start)
            into.rows.append(order[row])
            into.patterns.append(pattern)
            into.firsts.append(first)
            into.lasts.append(first + self._lengths[pattern] - 1)

    def _look(self, folded: str, order: Sequence[int], into: Columns) -> None:
        """The second stage, for rows with a word that is not ordinary or a sign that may hide something."""
        ordinary = self.vocabulary
        for at, text in zip(order, folded.split(_ROW), strict=False):
            row = text.split()
            unknown = [place for place, word in enumerate(row) if word not in ordinary and not word.isdigit()]
            if unknown and (found := self._disguises.find(row, unknown)):
                into.disguised.setdefault(at, []).extend(found)
        for at, raw in enumerate(into.texts):
            if _SOFT.search(raw) and (hidden := self._signed(raw)):
                into.signed.setdefault(at, []).extend(hidden)

    def _signed(self, text: str) -> list[tuple[Reading, Token]]:
        """Disguises by signs that part words in the plain form: n*ke, $ony."""
        return [
            (reading, token)
            for token in tokens(text, canon.SOFT_FOLDS)
            if not token.text.isalnum()
            for reading in self._disguises.signed(token.text)
        ]

    def hits(self, columns: Columns) -> Iterator[tuple[int, TextHit]]:
        """What a batch holds, row by row, each with the hit: at most `MAX_HITS` of one text, the surest."""
        by_row: dict[int, list[int]] = {}
        for at, row in enumerate(columns.rows):
            by_row.setdefault(row, []).append(at)
        for row in sorted({*by_row, *columns.disguised, *columns.signed}):
            found = list(self._hits_of(columns, row, by_row.get(row, ())))
            if len(found) > 1:
                found = surest(found)
            for hit in found:
                yield row, hit

    def _hits_of(self, columns: Columns, row: int, positions: Sequence[int]) -> Iterator[TextHit]:
        text = columns.texts[row]
        found = tokens(text)
        for at in positions:
            first, last = columns.firsts[at], columns.lasts[at]
            if text.isascii() or canon.whole(found, first, last):
                yield from self._plain_hits(text, found, columns.patterns[at], first, last)
        for reading in columns.disguised.get(row, ()):
            start = found[reading.first].start + reading.begin
            end = found[reading.last].end if reading.end is None else found[reading.first].start + reading.end
            yield from self._made(reading, text, found, start, end, reading.first)
        for reading, token in columns.signed.get(row, ()):
            first = sum(1 for each in found if each.end <= token.start)
            yield from self._made(reading, text, found, token.start, token.end, first)

    def _plain_hits(self, text: str, found: list[Token], pattern: int, first: int, last: int) -> Iterator[TextHit]:
        start, end = found[first].start, found[last].end
        read = text[start:end]
        view, ascii_read = self.terms.views[pattern], read.isascii()
        descriptive = context.is_descriptive(found, first, text)
        for owner in self.terms.owners[pattern]:
            named = view if view != "canonical" else "exact" if ascii_read and owner.term.isascii() else _view(read, owner.term)
            yield TextHit(
                mark=owner.mark,
                term=owner.term,
                view=named,
                field="title",
                start=start,
                end=end,
                score=SCORES[named] if ascii_read else _sureness(named, read, owner.term, text),
                position=first,
                descriptive=descriptive,
            )

    def _made(
        self, reading: Reading, text: str, found: list[Token], start: int, end: int, first: int
    ) -> Iterator[TextHit]:
        descriptive = context.is_descriptive(found, first, text)
        for owner in self.terms.owners[reading.pattern]:
            yield TextHit(
                mark=owner.mark,
                term=owner.term,
                view=reading.view,
                field="title",
                start=start,
                end=end,
                distance=reading.distance,
                score=reading.score,
                position=first,
                descriptive=descriptive,
            )


def surest(hits: Sequence[TextHit]) -> list[TextHit]:
    """Of several readings of the same characters as the same mark, the surest; of too many hits, the surest."""
    best: dict[int, list[TextHit]] = {}
    for hit in sorted(hits, key=_by_sureness):
        kept = best.setdefault(hit.mark, [])
        if not any(each.start < hit.end and hit.start < each.end for each in kept):
            kept.append(hit)
    found = sorted((hit for each in best.values() for hit in each), key=_by_sureness)[:MAX_HITS]
    return sorted(found, key=lambda each: (each.start, each.end, each.mark))


def _by_sureness(hit: TextHit) -> tuple[int, int, int]:
    return -hit.score, hit.start - hit.end, hit.start


def _view(read: str, term: str) -> View:
    """How far what was read is from the name: by width and case alone, by traditional characters, by look."""
    shown, meant = _shown(read), _shown(term)
    if shown == meant:
        return "exact"
    if has_han(term) and all(map(_is_plain_han, shown.replace(" ", ""))):
        return "simplified"
    return "canonical"


def _shown(text: str) -> str:
    plain = unicodedata.normalize("NFKC", text).casefold()
    return " ".join("".join(each if each.isalnum() or each == "&" else " " for each in plain).split())


def _is_plain_han(character: str) -> bool:
    return character.isascii() or has_han(character)


def _sureness(view: View, read: str, term: str, text: str) -> int:
    """Less where a Latin name was read in another script's own words: Cyrillic "сор" is no "cop"."""
    if view == "canonical" and term.isascii() and (script := _script(read)) and script == _script(text.replace(read, "")):
        return _FOREIGN
    return SCORES[view]


def _script(text: str) -> str:
    """The one script of all letters of a text that is not Latin; empty where there are several."""
    scripts = {unicodedata.name(each, "").partition(" ")[0] for each in text if each.isalpha()}
    return scripts.pop() if len(scripts) == 1 and not scripts & {"LATIN", "CJK"} else ""


def _plain_of(texts: Sequence[str]) -> str:
    """The plain words of ASCII texts, each followed by a row mark, all folded at once."""
    if not texts:
        return " "
    joined = f" {_ROW} ".join(texts)
    if joined.count(_ROW) != len(texts) - 1:
        joined = f" {_ROW} ".join([each.replace(_ROW, "") for each in texts])
    return f" {' '.join(joined.translate(_ASCII_FOLDS).split())} {_ROW} "
