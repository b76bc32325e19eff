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
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Final, TypeAlias, get_args

from chopmark.rights.similarity.scripts import has_han
from chopmark.watch.found import Field, TextHit, View
from chopmark.watch.listing import MAX_DESCRIPTION, MAX_TITLE
from chopmark.watch.marks import MarkSet
from chopmark.watch.text import canon, context, views
from chopmark.watch.text.canon import Folds, tokens
from chopmark.watch.text.chinese import Sounds
from chopmark.watch.text.terms import Owner, Terms
from chopmark.watch.text.views import Disguises, Reading
from chopmark.watch.text.vocabulary import shipped

if TYPE_CHECKING:
    import numpy as np

    Ints: TypeAlias = np.ndarray[tuple[int, ...], np.dtype[np.int64]]
    Flags: TypeAlias = np.ndarray[tuple[int, ...], np.dtype[np.bool_]]
    Codes: TypeAlias = np.ndarray[tuple[int, ...], np.dtype[np.uint32]]
    Lengths: TypeAlias = np.ndarray[tuple[int, ...], np.dtype[np.uint8]]

MAX_HITS: Final = 200
"""Of one text: the surest are kept."""
_ROW: Final = "\x01"  # parts the rows of a batch; in a text it is nothing
_SKIPPED: Final = "\x02"  # the same, and parts nothing
_BLANK: Final = 0x20
_BATCH_FOLDS: Final = Folds()
_BATCH_FOLDS[ord(_ROW)] = _ROW
_PHRASE_END: Final = re.compile(r"[,，、。;；:：!！?？()（）【】\[\]\n]")
VIEWS: Final[tuple[View, ...]] = get_args(View)
SCORES: Final[dict[View, int]] = {
    "exact": 1000,
    "canonical": 960,
    "simplified": 940,
    **views.SCORES,
}
_SOFT: Final = re.compile(
    f"[A-Za-z0-9][{re.escape(canon.SOFT)}]+[A-Za-z0-9]|[@$€£¢¥§†¡*#_][A-Za-z0-9]|[A-Za-z][@$€£¢¥§†*#_]"
)
_FOREIGN: Final = 600
"""A Latin name read in a word of another script, in a text of that script: Cyrillic "сор" is no "cop"."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """Names found in a batch of texts, one position in each array a name; `matcher.hits` makes objects of them.

    Attributes:
        rows: which text. patterns: which name, as a position in `matcher.terms.patterns`.
        starts, ends: characters of the text. positions: index of the word where it begins.
        views: as positions in `VIEWS`. distances, scores, descriptive: as in `TextHit`.
    """

    rows: Ints
    patterns: Ints
    starts: Ints
    ends: Ints
    positions: Ints
    views: Ints
    distances: Ints
    scores: Ints
    descriptive: Flags

    def __len__(self) -> int:
        """How many."""
        return len(self.rows)


class TextMatcher:
    """A mark set ready to be looked for; safe to be used by several threads.

    Args:
        marks: the set.
        vocabulary: ordinary words, which are no disguises; the shipped ones when None.
        fast: names as they are and as they look (`exact`, `canonical`, `simplified`) alone.
    """

    def __init__(self, marks: MarkSet, vocabulary: frozenset[str] | None = None, *, fast: bool = False) -> None:
        from ahocorasick_rs import AhoCorasick, Implementation  # noqa: PLC0415 (loaded with the first set of marks)

        self.vocabulary = shipped() if vocabulary is None else vocabulary
        self.fast = fast
        self.terms = Terms(marks, self.vocabulary, fast=fast)
        self._disguises = None if fast else Disguises(self.terms, self.vocabulary)
        self._automaton = AhoCorasick(
            [f" {each} " for each in (*self.terms.patterns, *context.BEFORE, *context.AFTER)],
            implementation=Implementation.ContiguousNFA,
        )
        self._tables = _Tables(self.terms)
        self._sounds = None if fast else Sounds.of(self.terms)

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
        for name, text, limit in fields:
            if text:
                found += [hit for _, hit in self.hits(self.find_many([text[:limit]], field=name), field=name)]
        return tuple(found)

    def find_many(self, texts: Sequence[str], *, field: Field = "title") -> Columns:
        """The same for a column of texts.

        Args:
            texts: cleaned by `listing.clean`: nothing here is cut.
            field: names too short for titles count in a brand field, where they are the whole of it; in descriptions
                nothing disguised is looked for.
        """
        parts: list[Columns] = []
        for is_ascii in (True, False):
            order = [at for at, text in enumerate(texts) if text.isascii() is is_ascii]
            if order:
                batch = _Batch([texts[at] for at in order], order)
                parts.append(self._named(batch, short=field == "brand"))
                if self._disguises is not None and field != "description":
                    parts += [self._disguised(batch, self._disguises), self._signed(batch, self._disguises)]
                    if not is_ascii and self._sounds is not None:
                        parts.append(self._sounding(batch, self._sounds))
        return _concatenated(parts)

    def _named(self, batch: _Batch, *, short: bool) -> Columns:
        """The first stage: the automaton over all texts at once."""
        import numpy as np  # noqa: PLC0415 (loaded with the first batch)

        found = self._automaton.find_matches_as_indexes(batch.folded, overlapping=True)
        matches = np.array(found, dtype=np.int64).reshape(-1, 3)
        patterns, firsts = matches[:, 0], batch.word_at(matches[:, 1])
        names = len(self.terms.patterns)
        before = patterns >= names
        after = patterns >= names + len(context.BEFORE)
        lasts = firsts + np.take(self._tables.lengths, patterns) - 1
        follows = lasts[before & ~after] + 1
        leads = firsts[after] - 1
        patterns, firsts, lasts = patterns[~before], firsts[~before], lasts[~before]
        keep = self._is_long_enough(batch, patterns, firsts, lasts, short=short)
        if not batch.is_ascii:
            keep &= batch.is_whole(firsts, lasts)
            half = np.take(self._tables.views, patterns) == VIEWS.index("half_pinyin")
            keep &= ~half | batch.is_together(firsts, lasts)
        patterns, firsts, lasts = patterns[keep], firsts[keep], lasts[keep]
        if not batch.is_ascii:
            joint = np.array(
                [
                    self._is_one(batch, *each)
                    for each in zip(patterns.tolist(), firsts.tolist(), lasts.tolist(), strict=True)
                ],
                dtype=bool,
            )
            patterns, firsts, lasts = patterns[joint], firsts[joint], lasts[joint]
        starts, ends = batch.characters(firsts, lasts)
        views, scores = np.take(self._tables.views, patterns), np.take(self._tables.scores, patterns)
        columns = Columns(
            rows=batch.row_of(firsts),
            patterns=patterns,
            starts=starts,
            ends=ends,
            positions=batch.position_of(firsts),
            views=views,
            distances=np.zeros_like(patterns),
            scores=scores,
            descriptive=np.isin(firsts, follows) | np.isin(lasts, leads),
        )
        if not batch.is_ascii:
            self._judge(batch, columns)
        return columns

    def _is_long_enough(self, batch: _Batch, patterns: Ints, firsts: Ints, lasts: Ints, *, short: bool) -> Flags:
        """Short names count where they are the whole of a brand field."""
        import numpy as np  # noqa: PLC0415 (as above)

        keep: Flags = ~np.take(self._tables.short, patterns)
        if short:
            for at in np.flatnonzero(~keep):
                first, last = int(firsts[at]), int(lasts[at])
                keep[at] = (first == 0 or batch.words[first - 1] == _ROW) and batch.words[last + 1] == _ROW
        return keep

    def _is_one(self, batch: _Batch, pattern: int, first: int, last: int) -> bool:
        """Whether a Chinese name goes over no end of a phrase: 三全 is not in 一拖三,全兼容."""
        if last == first or not has_han(self.terms.patterns[pattern]):
            return True
        starts, ends = batch.characters(self._one(first), self._one(last))
        text = batch.text_of(int(batch.row_of(self._one(first))[0]))
        read = text[int(starts[0]) : int(ends[0])]
        return len(read) == last - first + 1 or not _PHRASE_END.search(read)

    @staticmethod
    def _one(value: int) -> Ints:
        import numpy as np  # noqa: PLC0415 (as above)

        return np.array([value], dtype=np.int64)

    def _judge(self, batch: _Batch, columns: Columns) -> None:
        """Views and scores of names that were read in texts with characters beyond ASCII."""
        for at in range(len(columns)):
            if VIEWS[columns.views[at]] != "exact":
                continue
            text = batch.text_of(int(columns.rows[at]))
            read = text[columns.starts[at] : columns.ends[at]]
            terms = [owner.term for owner in self.terms.owners[columns.patterns[at]]]
            if read.isascii() and terms[0].isascii():
                continue
            view = min((_view(read, term) for term in terms), key=VIEWS.index)
            columns.views[at] = VIEWS.index(view)
            columns.scores[at] = _sureness(view, read, terms[0], text)

    def _disguised(self, batch: _Batch, disguises: Disguises) -> Columns:
        """The second stage: words that are not ordinary."""
        ordinary = self.vocabulary
        unknown = [at for at, word in enumerate(batch.words) if word not in ordinary and not word.isdigit()]
        return self._read(batch, disguises.find(batch.words, unknown))

    def _read(self, batch: _Batch, readings: Sequence[Reading]) -> Columns:
        import numpy as np  # noqa: PLC0415 (as above)

        firsts = np.array([each.first for each in readings], dtype=np.int64)
        starts, ends = batch.characters(firsts, np.array([each.last for each in readings], dtype=np.int64))
        return _columns(
            readings,
            rows=batch.row_of(firsts),
            starts=[at + each.begin for at, each in zip(starts.tolist(), readings, strict=True)],
            ends=[
                end if each.end is None else at + each.end
                for at, end, each in zip(starts.tolist(), ends.tolist(), readings, strict=True)
            ],
            positions=batch.position_of(firsts),
            descriptive=[context.is_descriptive(batch.words, each.first, each.last) for each in readings],
        )

    def _sounding(self, batch: _Batch, sounds: Sounds) -> Columns:
        """Chinese names written with other characters that sound the same."""
        import numpy as np  # noqa: PLC0415 (as above)

        found = sounds.find(batch.folded)
        firsts = batch.word_at(np.array([start for _, start in found], dtype=np.int64))
        readings = [
            Reading(pattern, "homophone", first, first + length - 1, changed, SCORES["homophone"] - 40 * (changed - 1))
            for (pattern, _), first in zip(found, firsts.tolist(), strict=True)
            for length in (self.terms.patterns[pattern].count(" ") + 1,)
            for changed in (sounds.changed(pattern, batch.words[first : first + length]),)
            if 0 < changed < length
        ]
        return self._read(batch, readings)

    def _signed(self, batch: _Batch, disguises: Disguises) -> Columns:
        """Disguises by signs that part words in the plain form: n*ke, $ony."""
        import numpy as np  # noqa: PLC0415 (as above)

        readings: list[Reading] = []
        places: list[tuple[int, int, int, int, bool]] = []
        for row in batch.rows_with(_SOFT):
            text = batch.texts[row]
            soft = tokens(text, canon.SOFT_FOLDS)
            words = [each.text for each in soft]
            for at, token in enumerate(soft):
                if token.text.isalnum():
                    continue
                for each in disguises.signed(token.text):
                    readings.append(each)
                    places.append(self._place(batch.order[row], text, token.start, token.end))
                for each in disguises.signed_row(words, at):
                    readings.append(each)
                    places.append(self._place(batch.order[row], text, soft[each.first].start, soft[each.last].end))
        columns = np.array(places, dtype=np.int64).reshape(-1, 5)
        return _columns(
            readings,
            rows=columns[:, 0],
            starts=columns[:, 1],
            ends=columns[:, 2],
            positions=columns[:, 3],
            descriptive=columns[:, 4],
        )

    def _place(self, row: int, text: str, start: int, end: int) -> tuple[int, int, int, int, bool]:
        """Where characters stand among the plain words of a text."""
        plain = tokens(text)
        first = sum(1 for each in plain if each.end <= start)
        last = sum(1 for each in plain if each.start < end) - 1
        return row, start, end, first, context.is_descriptive([each.text for each in plain], first, max(first, last))

    def hits(self, columns: Columns, *, field: Field = "title") -> Iterator[tuple[int, TextHit]]:
        """What a batch holds, text by text, each with its hit: at most `MAX_HITS` of one text, the surest.

        Where the same characters were read as the same mark in several ways, the surest way counts.
        """
        owners = self.terms.owners
        previous, found = -1, list[TextHit]()
        for row, hit in self._each(columns, owners, field):
            if row != previous:
                yield from ((previous, each) for each in surest(found))
                previous, found = row, []
            found.append(hit)
        yield from ((previous, each) for each in surest(found))

    def _each(self, columns: Columns, owners: Sequence[Sequence[Owner]], field: Field) -> Iterator[tuple[int, TextHit]]:
        import numpy as np  # noqa: PLC0415 (as above)

        order = np.argsort(columns.rows, kind="stable")
        arrays = (getattr(columns, name)[order].tolist() for name in Columns.__slots__)
        for row, pattern, start, end, position, view, distance, score, descriptive in zip(*arrays, strict=True):
            for owner in owners[pattern]:
                yield (
                    row,
                    TextHit(
                        mark=owner.mark,
                        term=owner.term,
                        view=VIEWS[view],
                        field=field,
                        start=start,
                        end=end,
                        distance=distance,
                        score=score,
                        position=position,
                        descriptive=descriptive,
                    ),
                )


class _Tables:
    """What is known of each pattern, as arrays."""

    def __init__(self, terms: Terms) -> None:
        import numpy as np  # noqa: PLC0415 (loaded with the first set of marks)

        every = (*terms.patterns, *context.BEFORE, *context.AFTER)
        self.lengths = np.array([each.count(" ") + 1 for each in every], dtype=np.int64)
        self.short = np.zeros(len(terms.patterns), dtype=bool)
        self.short[list(terms.short.values())] = True
        named: list[View] = ["exact" if each == "canonical" else each for each in terms.views]
        self.views = np.array([VIEWS.index(each) for each in named], dtype=np.int64)
        self.scores = np.array([SCORES[each] for each in named], dtype=np.int64)


class _Batch:
    """Texts folded at once, with the way from a word of all back to its text and its characters.

    Each text is followed by a row mark, a word of its own; so the words of `folded` and those of the texts as they
    came are the same row, and the nth of one is the nth of the other.
    """

    def __init__(self, texts: Sequence[str], order: Sequence[int]) -> None:
        import numpy as np  # noqa: PLC0415 (loaded with the first batch)

        self.texts, self.order = texts, order
        self.is_ascii = texts[0].isascii()
        self.joined = f" {_ROW} ".join(texts) + f" {_ROW} "
        if self.joined.count(_ROW) != len(texts):
            self.joined = "".join(f"{each.replace(_ROW, _SKIPPED)} {_ROW} " for each in texts)
        self._plain = self.joined.translate(_BATCH_FOLDS)
        self.words = self._plain.split()
        self.folded = f" {' '.join(self.words)} "
        data = np.frombuffer(self.folded.encode("utf-32-le"), dtype=np.uint32)
        self._blanks = np.cumsum(data == _BLANK)
        self._marks = self._blanks[np.flatnonzero(data == ord(_ROW))] - 1
        self._firsts = np.concatenate([[0], self._marks[:-1] + 1])
        self._order = np.array(order, dtype=np.int64)
        self._begins = np.cumsum([0, *(len(each) + 3 for each in texts[:-1])])
        self._places: tuple[Ints, Ints] | None = None

    def word_at(self, characters: Ints) -> Ints:
        """The words before which these blanks of `folded` stand."""
        found: Ints = self._blanks[characters] - 1
        return found

    def _row(self, firsts: Ints) -> Ints:
        import numpy as np  # noqa: PLC0415 (as above)

        return np.searchsorted(self._marks, firsts)

    def row_of(self, firsts: Ints) -> Ints:
        """The texts in which these words stand."""
        found: Ints = self._order[self._row(firsts)]
        return found

    def position_of(self, firsts: Ints) -> Ints:
        """The place of these words in their texts."""
        found: Ints = firsts - self._firsts[self._row(firsts)]
        return found

    def text_of(self, row: int) -> str:
        """The text, by its place in the column."""
        return self.texts[bisect_left(self.order, row)]

    def rows_with(self, pattern: re.Pattern[str]) -> list[int]:
        """Texts in which a pattern is found, by their place in the batch."""
        begins = self._begins.tolist()
        return sorted({bisect_right(begins, each.start()) - 1 for each in pattern.finditer(self.joined)})

    def characters(self, firsts: Ints, lasts: Ints) -> tuple[Ints, Ints]:
        """Where these rows of words begin and end in their texts."""
        starts, ends = self._spans()
        begins = self._begins[self._row(firsts)]
        return starts[firsts] - begins, ends[lasts] - begins

    def is_whole(self, firsts: Ints, lasts: Ints) -> Flags:
        """Whether they begin and end where characters of the text do: see `canon.whole`."""
        import numpy as np  # noqa: PLC0415 (as above)

        starts, ends = self._spans()
        after = [bool(unicodedata.combining(self.words[at + 1][0])) for at in lasts.tolist()]
        begins = (firsts == 0) | (ends[firsts - 1] <= starts[firsts])
        stops: Flags = begins & (starts[lasts + 1] >= ends[lasts]) & ~np.array(after, dtype=bool)
        return stops

    def is_together(self, firsts: Ints, lasts: Ints) -> Flags:
        """Whether nothing stands between these words in their text."""
        import numpy as np  # noqa: PLC0415 (as above)

        starts, ends = self._spans()
        apart = np.concatenate([[0], np.cumsum(starts[1:] > ends[:-1])])
        together: Flags = apart[firsts] == apart[lasts]
        return together

    def _spans(self) -> tuple[Ints, Ints]:
        """For every word the characters of `joined` that it was read from."""
        if self._places is None:
            import numpy as np  # noqa: PLC0415 (as above)

            lengths = _lengths(np.frombuffer(self.joined.encode("utf-32-le", "surrogatepass"), dtype=np.uint32))
            plain = np.frombuffer(self._plain.encode("utf-32-le"), dtype=np.uint32)
            origins = np.repeat(np.arange(len(lengths)), lengths)
            turns = np.diff(plain != _BLANK, prepend=False, append=False)
            edges = np.flatnonzero(turns)
            self._places = origins[edges[::2]], origins[edges[1::2] - 1] + 1
        return self._places


_UNKNOWN: Final = 255


@cache
def _known_lengths() -> Lengths:
    import numpy as np  # noqa: PLC0415 (as above)

    return np.full(0x110000, _UNKNOWN, dtype=np.uint8)


def _lengths(codes: Codes) -> Lengths:
    """How many characters each character becomes."""
    import numpy as np  # noqa: PLC0415 (as above)

    known = _known_lengths()
    found: Lengths = known[codes]
    if (found == _UNKNOWN).any():
        for code in np.unique(codes[found == _UNKNOWN]).tolist():
            known[code] = len(_BATCH_FOLDS[code])
        found = known[codes]
    return found


def _columns(readings: Sequence[Reading], **places: object) -> Columns:
    import numpy as np  # noqa: PLC0415 (as above)

    arrays = {
        name: np.asarray(value, dtype=bool if name == "descriptive" else np.int64) for name, value in places.items()
    }
    return Columns(
        patterns=np.array([each.pattern for each in readings], dtype=np.int64),
        views=np.array([VIEWS.index(each.view) for each in readings], dtype=np.int64),
        distances=np.array([each.distance for each in readings], dtype=np.int64),
        scores=np.array([each.score for each in readings], dtype=np.int64),
        **arrays,
    )


def _concatenated(parts: Sequence[Columns]) -> Columns:
    import numpy as np  # noqa: PLC0415 (as above)

    parts = parts or [_columns([], rows=[], starts=[], ends=[], positions=[], descriptive=[])]
    return Columns(**{name: np.concatenate([getattr(each, name) for each in parts]) for name in Columns.__slots__})


def surest(hits: Sequence[TextHit]) -> list[TextHit]:
    """Of several readings of the same characters as the same mark, the surest; of too many hits, the surest."""
    if len({hit.mark for hit in hits}) == len(hits) <= MAX_HITS:
        return sorted(hits, key=_by_place)
    best: dict[int, list[TextHit]] = {}
    for hit in sorted(hits, key=_by_sureness):
        kept = best.setdefault(hit.mark, [])
        if not any(each.start < hit.end and hit.start < each.end for each in kept):
            kept.append(hit)
    found = sorted((hit for each in best.values() for hit in each), key=_by_sureness)[:MAX_HITS]
    return sorted(found, key=_by_place)


def _by_place(hit: TextHit) -> tuple[int, int, int]:
    return hit.start, hit.end, hit.mark


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
    if (
        view == "canonical"
        and term.isascii()
        and (script := _script(read))
        and script == _script(text.replace(read, ""))
    ):
        return _FOREIGN
    return SCORES[view]


def _script(text: str) -> str:
    """The one script of all letters of a text that is not Latin; empty where there are several."""
    scripts = {unicodedata.name(each, "").partition(" ")[0] for each in text if each.isalpha()}
    return scripts.pop() if len(scripts) == 1 and not scripts & {"LATIN", "CJK"} else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    """One character of a hit.

    Attributes:
        shown: as it stands in the text. plain: what it was read as, empty when it is not seen.
        name: Unicode's. is_other: it is not simply the plain letter, in whatever case.
    """

    shown: str
    code: int
    plain: str
    name: str
    is_other: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """What was read, for who has to judge it.

    Attributes:
        read: the characters of the text. plain: their plain form. term: the name that they were taken for.
    """

    view: View
    term: str
    read: str
    plain: str
    characters: tuple[Read, ...]


def explain(hit: TextHit, text: str) -> Explanation:
    """A hit, character by character; `text` is that of the hit's field."""
    read = text[hit.start : hit.end]
    characters = tuple(
        Read(
            shown=each,
            code=ord(each),
            plain=(plain := canon.SOFT_FOLDS[ord(each)].strip()),
            name=unicodedata.name(each, f"U+{ord(each):04X}"),
            is_other=plain != each.lower() and not each.isspace(),
        )
        for each in read
    )
    return Explanation(view=hit.view, term=hit.term, read=read, plain=canon.words(read), characters=characters)
