"""Marks in the words of listings.

    matcher = TextMatcher(marks)
    matcher.find("Genuine n1ke shoes")      (TextHit(mark=…, view="folded", start=8, end=12, …),)
    matcher.find_many(titles)               the same for a column, without an object for each hit
    explain(hit, title)                     what was read, character by character

Two stages. The first looks for every name of every mark at once, by one tree of words (`trie`) over the plain words of
a whole batch: that is `fast`. The second looks at words which are no ordinary ones, and there are few:
see `views`. A name of Latin letters is found as whole words only, a Chinese one anywhere.

A hit says that a name stands there, and how surely; not whose goods these are, nor that anything is wrong.
"""

from __future__ import annotations

import re
import string
import threading
import unicodedata
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import accumulate
from operator import attrgetter
from typing import TYPE_CHECKING, Final, TypeAlias, get_args

from chopmark.rights.similarity.scripts import has_han
from chopmark.watch.found import Field, TextHit, View
from chopmark.watch.listing import MAX_DESCRIPTION, MAX_TITLE
from chopmark.watch.marks import MarkSet
from chopmark.watch.text import canon, context, turned, views
from chopmark.watch.text.canon import Folds, Token, tokens
from chopmark.watch.text.chinese import Sounds, is_everyday
from chopmark.watch.text.terms import LEAST_HEARD, Owner, Terms
from chopmark.watch.text.trie import Trie
from chopmark.watch.text.turned import Shown
from chopmark.watch.text.views import Disguises, Reading
from chopmark.watch.text.vocabulary import shipped

if TYPE_CHECKING:
    import numpy as np

    Ints: TypeAlias = np.ndarray[tuple[int, ...], np.dtype[np.int64]]
    Flags: TypeAlias = np.ndarray[tuple[int, ...], np.dtype[np.bool_]]
    Codes: TypeAlias = np.ndarray[tuple[int, ...], np.dtype[np.unsignedinteger]]
    Sizes: TypeAlias = np.ndarray[tuple[int, ...], np.dtype[np.uint8]]

MAX_HITS: Final = 200
"""Of one text: the surest are kept."""
_ROW: Final = "\x01"  # parts the rows of a batch; in a text it is nothing
_SKIPPED: Final = "\x02"  # the same, and parts nothing
_BLANK: Final = 0x20
_BATCH_FOLDS: Final = Folds()
_BATCH_FOLDS[ord(_ROW)] = _ROW
_ASCII_FOLDS: Final = bytes(ord(_BATCH_FOLDS[code] or " ") for code in range(128)) + bytes(128)
_ASCII_GONE: Final = bytes(code for code in range(128) if not _BATCH_FOLDS[code])
AT_ONCE: Final = 16_384
CHARACTERS: Final = 2_000_000
"""Texts of a batch, and their characters: more take memory and are no faster."""
OTHERS: Final = 250_000
"""The same of texts that are not ASCII: one character may become eighteen (ﷺ, ㌖)."""
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
        fast: names as they are and as they look (`exact`, `canonical`, `simplified`) alone.
    """

    def __init__(self, marks: MarkSet, *, fast: bool = False) -> None:
        self.vocabulary = shipped()
        self.fast = fast
        self.terms = Terms(marks, self.vocabulary, fast=fast)
        self._disguises = None if fast else Disguises(self.terms, self.vocabulary)
        self._trie = Trie((*self.terms.patterns, *context.BEFORE, *context.AFTER))
        self._tables = _Tables(self.terms)
        heard = {} if fast else self.terms.heard
        self._sounds = Sounds(heard) if heard else None

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
        plain = [text.isascii() for text in texts]
        for is_ascii in (True, False):
            order = [at for at, each in enumerate(plain) if each is is_ascii]
            for some in _cut(texts, order, CHARACTERS if is_ascii else OTHERS):
                batch = _Batch([texts[at] for at in some], some)
                parts.append(self._named(batch, short=field == "brand"))
                if self._disguises is not None and field != "description":
                    parts += [self._disguised(batch, self._disguises), self._signed(batch, self._disguises)]
                    if not is_ascii and self._sounds is not None:
                        parts.append(self._sounding(batch, self._sounds))
        seen = {at: turned.shown(text) for at, text in enumerate(texts) if turned.OVERRIDE in text}
        if seen:
            parts.append(self._turned({at: each for at, each in seen.items() if each is not None}, field))
        return _concatenated(parts)

    def _turned(self, seen: Mapping[int, Shown], field: Field) -> Columns:
        """Names in texts as pages show them, where that is another order of letters: U+202E."""
        import numpy as np  # noqa: PLC0415 (as above)

        rows, pages = list(seen), list(seen.values())
        found = self.find_many([each.text for each in pages], field=field)
        at = np.array(
            [
                pages[row].is_turned(start, end)
                for row, start, end in zip(found.rows.tolist(), found.starts.tolist(), found.ends.tolist(), strict=True)
            ],
            dtype=bool,
        )
        kept = Columns(**{name: getattr(found, name)[at] for name in Columns.__slots__})
        spans = np.array(
            [
                pages[row].span(start, end)
                for row, start, end in zip(kept.rows.tolist(), kept.starts.tolist(), kept.ends.tolist(), strict=True)
            ],
            dtype=np.int64,
        ).reshape(-1, 2)
        plain = kept.views == VIEWS.index("exact")
        return replace(
            kept,
            rows=np.array(rows, dtype=np.int64)[kept.rows],
            starts=spans[:, 0],
            ends=spans[:, 1],
            views=np.where(plain, VIEWS.index("canonical"), kept.views),
            scores=np.where(plain, SCORES["canonical"], kept.scores),
        )

    def _named(self, batch: _Batch, *, short: bool) -> Columns:
        """The first stage: the tree of names over all texts at once."""
        import numpy as np  # noqa: PLC0415 (loaded with the first batch)

        patterns, firsts = self._trie.find(batch.plain, batch.starts, batch.ends)
        if not len(patterns):
            return _nothing()
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
            joint = np.ones(len(patterns), dtype=bool)
            for at in np.flatnonzero((firsts < lasts) & np.take(self._tables.is_han, patterns)):
                joint[at] = self._is_one(batch, int(firsts[at]), int(lasts[at]))
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
            descriptive=_among(firsts, follows, len(batch)) | _among(lasts, leads, len(batch)),
        )
        if not batch.is_ascii:
            other = batch.has_other(firsts, lasts) | ~np.take(self._tables.is_ascii, patterns)
            self._judge(batch, columns, np.flatnonzero(other).tolist())
        return columns

    def _is_long_enough(self, batch: _Batch, patterns: Ints, firsts: Ints, lasts: Ints, *, short: bool) -> Flags:
        """Short names count where they are the whole of a brand field."""
        import numpy as np  # noqa: PLC0415 (as above)

        keep: Flags = ~np.take(self._tables.short, patterns)
        if short:
            for at in np.flatnonzero(~keep):
                first, last = int(firsts[at]), int(lasts[at])
                keep[at] = (first == 0 or batch.is_mark[first - 1]) and batch.is_mark[last + 1]
        return keep

    def _is_one(self, batch: _Batch, first: int, last: int) -> bool:
        """Whether a Chinese name goes over no end of a phrase: 三全 is not in 一拖三,全兼容."""
        starts, ends = batch.characters(self._one(first), self._one(last))
        text = batch.text_of(int(batch.row_of(self._one(first))[0]))
        read = text[int(starts[0]) : int(ends[0])]
        return len(read) == last - first + 1 or not _PHRASE_END.search(read)

    @staticmethod
    def _one(value: int) -> Ints:
        import numpy as np  # noqa: PLC0415 (as above)

        return np.array([value], dtype=np.int64)

    def _judge(self, batch: _Batch, columns: Columns, places: Sequence[int]) -> None:
        """Views and scores of names that are not of plain letters, or were read in characters that are not."""
        for at in places:
            if VIEWS[columns.views[at]] != "exact":
                continue
            text = batch.text_of(int(columns.rows[at]))
            read = text[columns.starts[at] : columns.ends[at]]
            terms = [owner.term for owner in self.terms.owners[columns.patterns[at]]]
            view = min((_view(read, term) for term in terms), key=VIEWS.index)
            columns.views[at] = VIEWS.index(view)
            columns.scores[at] = _sureness(view, read, terms[0], text)

    def _disguised(self, batch: _Batch, disguises: Disguises) -> Columns:
        """The second stage: words that are not ordinary."""
        return self._read(batch, disguises.find(batch.words))

    def _read(self, batch: _Batch, readings: Sequence[Reading]) -> Columns:
        import numpy as np  # noqa: PLC0415 (as above)

        if not readings:
            return _nothing()
        firsts = np.array([each.first for each in readings], dtype=np.int64)
        starts, ends = batch.characters(firsts, np.array([each.last for each in readings], dtype=np.int64))
        rows = batch.row_of(firsts)
        for at, each in enumerate(readings):
            if each.begin or each.end is not None:
                read = batch.text_of(int(rows[at]))[int(starts[at]) : int(ends[at])]
                begin, end = _within(read, canon.HARD_FOLDS, each)
                starts[at], ends[at] = starts[at] + begin, starts[at] + end
        return _columns(
            readings,
            rows=rows,
            starts=starts,
            ends=ends,
            positions=batch.position_of(firsts),
            descriptive=[context.is_descriptive(batch.words, each.first, each.last) for each in readings],
        )

    def _sounding(self, batch: _Batch, sounds: Sounds) -> Columns:
        """Chinese names written with other characters that sound the same.

        One character at least is the name's. Where two are all, they must be no everyday word, nor cut out of two, nor
        another mark's name.
        """
        import numpy as np  # noqa: PLC0415 (as above)

        found = sounds.find(batch.folded)
        firsts = batch.word_at(np.array([start for _, start in found], dtype=np.int64))
        readings = [
            Reading(pattern, "homophone", first, first + length - 1, changed, _sureness_of_sound(changed, length))
            for (pattern, _), first in zip(found, firsts.tolist(), strict=True)
            for length in (self.terms.patterns[pattern].count(" ") + 1,)
            for changed in (sounds.changed(pattern, batch.words[first : first + length]),)
            if 0 < changed < length
            if length >= LEAST_HEARD or not self._is_word(batch.words, first)
        ]
        return self._read(batch, readings)

    def _is_word(self, row: Sequence[str], first: int) -> bool:
        return is_everyday(row, first) or self.terms.is_name(" ".join(row[first : first + 2]))

    def _signed(self, batch: _Batch, disguises: Disguises) -> Columns:
        """Disguises by signs that part words in the plain form: n*ke, $ony."""
        import numpy as np  # noqa: PLC0415 (as above)

        readings: list[Reading] = []
        places: list[tuple[int, int, int, int, bool]] = []
        for row in batch.rows_with_soft():
            text = batch.texts[row]
            if not _SOFT.search(text):
                continue
            soft, plain = tokens(text, canon.SOFT_FOLDS), tokens(text)
            words = [each.text for each in soft]
            for at, token in enumerate(soft):
                if token.text.isalnum():
                    continue
                for each in disguises.signed(token.text):
                    readings.append(each)
                    begin, end = _within(text[token.start : token.end], canon.SOFT_FOLDS, each)
                    places.append(_place(batch.order[row], plain, token.start + begin, token.start + end))
                for each in disguises.signed_row(words, at):
                    readings.append(each)
                    places.append(_place(batch.order[row], plain, soft[each.first].start, soft[each.last].end))
        if not readings:
            return _nothing()
        columns = np.array(places, dtype=np.int64).reshape(-1, 5)
        return _columns(
            readings,
            rows=columns[:, 0],
            starts=columns[:, 1],
            ends=columns[:, 2],
            positions=columns[:, 3],
            descriptive=columns[:, 4],
        )

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
        """Surest first within each text; a name that stands there without end is told so often that some are left."""
        import numpy as np  # noqa: PLC0415 (as above)

        order = np.lexsort((columns.starts, columns.starts - columns.ends, -columns.scores, columns.rows))
        arrays = (getattr(columns, name)[order].tolist() for name in Columns.__slots__)
        previous, told = -1, Counter[int]()
        for row, pattern, start, end, position, view, distance, score, descriptive in zip(*arrays, strict=True):
            if row != previous:
                previous, told = row, Counter()
            told[pattern] += 1
            for owner in owners[pattern] if told[pattern] <= 2 * MAX_HITS else ():
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
        self.is_han = np.array([not each.isascii() and has_han(each) for each in terms.patterns], dtype=bool)
        self.is_ascii = np.array([owners[0].term.isascii() for owners in terms.owners], dtype=bool)
        self.short = np.zeros(len(terms.patterns), dtype=bool)
        self.short[list(terms.short.values())] = True
        named: list[View] = ["exact" if each == "canonical" else each for each in terms.views]
        self.views = np.array([VIEWS.index(each) for each in named], dtype=np.int64)
        self.scores = np.array([SCORES[each] for each in named], dtype=np.int64)


class _Batch:
    """Texts folded at once, with the way from a word of all back to its text and its characters.

    Each text is followed by a row mark, a word of its own; so the words of the plain form and those of the texts as
    they came are the same row, and the nth of one is the nth of the other.

    Attributes:
        plain: the characters of the plain form. starts, ends: its words there, row marks among them.
        is_mark: whether a word is a row mark.
    """

    def __init__(self, texts: Sequence[str], order: Sequence[int]) -> None:
        import numpy as np  # noqa: PLC0415 (loaded with the first batch)

        self.texts, self.order = texts, order
        self.joined = f" {_ROW} ".join(texts) + f" {_ROW} "
        if self.joined.count(_ROW) != len(texts):
            self.joined = "".join(f"{each.replace(_ROW, _SKIPPED)} {_ROW} " for each in texts)
        self.is_ascii = texts[0].isascii()
        if self.is_ascii:
            data = self.joined.encode("ascii")
            self._codes: Codes = np.frombuffer(data, dtype=np.uint8)
            self.plain: Codes = np.frombuffer(data.translate(_ASCII_FOLDS, _ASCII_GONE), dtype=np.uint8)
        else:
            self._codes = np.frombuffer(self.joined.encode("utf-32-le", "surrogatepass"), dtype=np.uint32)
            self.plain = _FOLDED.plain(self._codes)
        edges = np.flatnonzero(np.diff(self.plain != _BLANK, prepend=False, append=False))
        self.starts, self.ends = edges[::2], edges[1::2]
        self.is_mark: Flags = self.plain[self.starts] == ord(_ROW)
        self._rows = np.cumsum(self.is_mark)
        self._firsts = np.concatenate([[0], np.flatnonzero(self.is_mark) + 1])
        self._order = np.array(order, dtype=np.int64)
        sizes = np.fromiter(map(len, texts), dtype=np.int64, count=len(texts)) + len(f" {_ROW} ")
        self._begins = np.cumsum(sizes) - sizes
        self._words: list[str] | None = None
        self._places: tuple[Ints, Ints] | None = None
        self._blanks: Ints | None = None
        self._others: Ints | None = None

    def __len__(self) -> int:
        """How many words, with the row marks."""
        return len(self.starts)

    @property
    def words(self) -> list[str]:
        """The words of all texts."""
        if self._words is None:
            self._words = self.plain.tobytes().decode("ascii" if self.is_ascii else "utf-32-le").split()
        return self._words

    @property
    def folded(self) -> str:
        """The words of all texts, with a blank before and after each."""
        return f" {' '.join(self.words)} "

    def word_at(self, characters: Ints) -> Ints:
        """The words before which these blanks of `folded` stand."""
        import numpy as np  # noqa: PLC0415 (as above)

        if self._blanks is None:
            data = np.frombuffer(self.folded.encode("utf-32-le"), dtype=np.uint32)
            self._blanks = np.cumsum(data == _BLANK)
        found: Ints = self._blanks[characters] - 1
        return found

    def row_of(self, firsts: Ints) -> Ints:
        """The texts in which these words stand."""
        found: Ints = self._order[self._rows[firsts]]
        return found

    def position_of(self, firsts: Ints) -> Ints:
        """The place of these words in their texts."""
        found: Ints = firsts - self._firsts[self._rows[firsts]]
        return found

    def text_of(self, row: int) -> str:
        """The text, by its place in the column."""
        return self.texts[bisect_left(self.order, row)]

    def rows_with_soft(self) -> list[int]:
        """Texts in which a letter or digit stands beside a sign that may be one, by their place in the batch."""
        import numpy as np  # noqa: PLC0415 (as above)

        kinds = _kinds()[self._codes if self.is_ascii else np.minimum(self._codes, _KINDS)]
        pairs = kinds[1:] | kinds[:-1]
        found: list[int] = np.unique(
            np.searchsorted(self._begins, np.flatnonzero(pairs == _LETTER | _SIGN), side="right") - 1
        ).tolist()
        return found

    def characters(self, firsts: Ints, lasts: Ints) -> tuple[Ints, Ints]:
        """Where these rows of words begin and end in their texts."""
        starts, ends = self._spans()
        begins = self._begins[self._rows[firsts]]
        return starts[firsts] - begins, ends[lasts] - begins

    def has_other(self, firsts: Ints, lasts: Ints) -> Flags:
        """Whether characters beyond ASCII were read in these rows of words."""
        import numpy as np  # noqa: PLC0415 (as above)

        if self._others is None:
            self._others = np.concatenate([[0], np.cumsum(self._codes >= 128)])
        starts, ends = self._spans()
        found: Flags = self._others[ends[lasts]] > self._others[starts[firsts]]
        return found

    def is_whole(self, firsts: Ints, lasts: Ints) -> Flags:
        """Whether they begin and end where characters of the text do: see `canon.whole`."""
        import numpy as np  # noqa: PLC0415 (as above)

        starts, ends = self._spans()
        after, places = np.unique(self.plain[self.starts[lasts + 1]], return_inverse=True)
        combining = np.array([bool(unicodedata.combining(chr(each))) for each in after.tolist()], dtype=bool)
        begins = (firsts == 0) | (ends[firsts - 1] <= starts[firsts])
        stops: Flags = begins & (starts[lasts + 1] >= ends[lasts]) & ~combining[places]
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

            starts, lasts = self.starts, self.ends - 1
            if not self.is_ascii:
                origins = np.repeat(np.arange(len(self._codes)), _FOLDED.lengths(self._codes))
                starts, lasts = origins[starts], origins[lasts]
            elif len(self.plain) != len(self._codes):  # each that is gone moves what follows by one
                gone = np.flatnonzero(_gone()[self._codes])
                gone -= np.arange(len(gone))
                starts = starts + np.searchsorted(gone, starts, side="right")
                lasts = lasts + np.searchsorted(gone, lasts, side="right")
            self._places = starts, lasts + 1
        return self._places


def _place(row: int, plain: Sequence[Token], start: int, end: int) -> tuple[int, int, int, int, bool]:
    """Where characters stand among the plain words of a text."""
    first = bisect_right(plain, start, key=attrgetter("end"))
    last = bisect_left(plain, end, key=attrgetter("start")) - 1
    return row, start, end, first, context.is_descriptive([each.text for each in plain], first, max(first, last))


def _within(word: str, folds: Folds, reading: Reading) -> tuple[int, int]:
    """Where in a word, as it stands in the text, the part of its plain form stands that a reading names."""
    if not reading.begin and reading.end is None:
        return 0, len(word)
    made = canon.canonical(word, folds)
    places = [at for each, at in zip(made.text, made.offsets, strict=True) if not each.isspace()]
    return places[reading.begin], len(word) if reading.end is None else places[reading.end - 1] + 1


_LETTER: Final = 1
_SIGN: Final = 2
_KINDS: Final = 1 + max(map(ord, canon.SOFT))


@cache
def _kinds() -> Sizes:
    """Of each character whether it is a plain letter or digit, or a sign that may stand for one."""
    import numpy as np  # noqa: PLC0415 (as above)

    kinds = np.zeros(_KINDS + 1, dtype=np.uint8)
    kinds[[ord(each) for each in string.ascii_letters + string.digits]] = _LETTER
    kinds[list(map(ord, canon.SOFT))] = _SIGN
    return kinds


@cache
def _gone() -> Flags:
    import numpy as np  # noqa: PLC0415 (as above)

    flags = np.zeros(256, dtype=bool)
    flags[list(_ASCII_GONE)] = True
    return flags


class _Folded:
    """`str.translate` by a table of folds, for columns of characters; what they become is asked once for each."""

    def __init__(self, folds: Folds) -> None:
        self._folds = folds
        self._growing = threading.Lock()
        self._known: tuple[Sizes, Ints] | None = None
        self._pool: Codes

    def plain(self, codes: Codes) -> Codes:
        """What the characters become, one after another."""
        import numpy as np  # noqa: PLC0415 (as above)

        sizes = self.lengths(codes).astype(np.int64)
        places = self._tables()[1]
        ends = np.cumsum(sizes)
        total = int(ends[-1]) if len(ends) else 0
        found: Codes = self._pool[np.arange(total) + np.repeat(places[codes] - ends + sizes, sizes)]
        return found

    def lengths(self, codes: Codes) -> Sizes:
        """How many characters each becomes."""
        import numpy as np  # noqa: PLC0415 (as above)

        known, places = self._tables()
        found = known[codes]
        if (found == _UNKNOWN).any():
            with self._growing:
                new = np.unique(codes[known[codes] == _UNKNOWN])
                made = [self._folds[code] for code in new.tolist()]
                sizes = np.fromiter(map(len, made), dtype=np.int64, count=len(made))
                places[new] = len(self._pool) + np.cumsum(sizes) - sizes
                added = np.frombuffer("".join(made).encode("utf-32-le"), dtype=np.uint32)
                self._pool = np.concatenate([self._pool, added])
                known[new] = sizes  # last: who sees it finds the rest
            found = known[codes]
        return found

    def _tables(self) -> tuple[Sizes, Ints]:
        import numpy as np  # noqa: PLC0415 (as above)

        if self._known is None:
            with self._growing:
                if self._known is None:
                    self._pool = np.zeros(0, dtype=np.uint32)
                    self._known = np.full(0x110000, _UNKNOWN, dtype=np.uint8), np.zeros(0x110000, dtype=np.int64)
        return self._known


_UNKNOWN: Final = 255
_FOLDED: Final = _Folded(_BATCH_FOLDS)


def _cut(texts: Sequence[str], order: Sequence[int], most: int) -> Iterator[Sequence[int]]:
    """Texts of a batch, by their places, as `AT_ONCE` and `most` characters let them; at least one."""
    sizes = [0, *accumulate(len(texts[at]) for at in order)]
    begin = 0
    while begin < len(order):
        end = bisect_right(sizes, sizes[begin] + most, begin + 1, min(begin + AT_ONCE, len(order)) + 1) - 1
        end = max(end, begin + 1)
        yield order[begin:end]
        begin = end


def _among(words: Ints, some: Ints, size: int) -> Flags:
    """Which words are among some others, all of a batch of so many."""
    import numpy as np  # noqa: PLC0415 (as above)

    flags = np.zeros(size + 1, dtype=bool)
    flags[some] = True
    found: Flags = flags[words]
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


@cache
def _nothing() -> Columns:
    return _columns([], rows=[], starts=[], ends=[], positions=[], descriptive=[])


def _concatenated(parts: Sequence[Columns]) -> Columns:
    import numpy as np  # noqa: PLC0415 (as above)

    parts = [each for each in parts if len(each)] or [_nothing()]
    if len(parts) == 1:
        return parts[0]
    return Columns(**{name: np.concatenate([getattr(each, name) for each in parts]) for name in Columns.__slots__})


def surest(hits: Sequence[TextHit]) -> list[TextHit]:
    """Of several readings of the same characters as the same mark, the surest; of too many hits, the surest.

    What is kept of a mark does not overlap and is in the order of the text, so that only one neighbour is asked: a
    description that says a name ten thousand times costs little more than one that says it once.
    """
    if len({hit.mark for hit in hits}) == len(hits) <= MAX_HITS:
        return sorted(hits, key=_by_place)
    best: dict[int, list[TextHit]] = {}
    for hit in sorted(hits, key=_by_sureness):
        kept = best.setdefault(hit.mark, [])
        at = bisect_left(kept, hit.end, key=attrgetter("start"))
        if len(kept) < MAX_HITS and (not at or kept[at - 1].end <= hit.start):
            kept.insert(at, hit)
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


def _sureness_of_sound(changed: int, length: int) -> int:
    return SCORES["homophone"] - 40 * (changed - 1) - (80 if length < LEAST_HEARD else 0)


def _script(text: str) -> str:
    """The one script of all letters of a text that is not Latin; empty where there are several."""
    scripts = {unicodedata.name(each, "").partition(" ")[0] for each in text if each.isalpha()}
    return scripts.pop() if len(scripts) == 1 and not scripts & {"LATIN", "CJK"} else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    """One character of a hit.

    Attributes:
        at: its index in the text.
        shown: as it stands in the text. plain: what it was read as, empty when it is not seen.
        name: Unicode's. is_other: it is not simply a letter of the name, in whatever case.
    """

    at: int
    shown: str
    code: int
    plain: str
    name: str
    is_other: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """What was read, for who has to judge it.

    Attributes:
        read: the characters of the text. plain: their plain form, as a page shows them.
        term: the name that they were taken for.
        characters: in the order of the text; of a text that a page turns round, in the order in which they are seen.
        is_turned: the page shows them in another order than the text has them.
    """

    view: View
    term: str
    read: str
    plain: str
    characters: tuple[Read, ...]
    is_turned: bool = False


def explain(hit: TextHit, text: str) -> Explanation:
    """A hit, character by character; `text` is that of the hit's field."""
    page = turned.shown(text)
    places = [at for at in page.places if hit.start <= at < hit.end] if page is not None else []
    is_turned = places != sorted(places) and _says(text[hit.start : hit.end], places, text, hit.term)
    if not is_turned:
        places = list(range(hit.start, hit.end))
    letters = set(canon.words(hit.term))
    return Explanation(
        view=hit.view,
        term=hit.term,
        read=text[hit.start : hit.end],
        plain=canon.words("".join(text[at] for at in places)),
        characters=tuple(_character(text, at, letters) for at in places),
        is_turned=is_turned,
    )


def _says(read: str, places: Sequence[int], text: str, term: str) -> bool:
    """Whether the letters as seen are nearer to the name than as they stand: a text may be turned in part."""
    name = canon.words(term)
    return canon.words(read) != name or canon.words("".join(text[at] for at in places)) == name


def _character(text: str, at: int, letters: set[str]) -> Read:
    each = text[at]
    plain = canon.SOFT_FOLDS[ord(each)].strip()
    return Read(
        at=at,
        shown=each,
        code=ord(each),
        plain=plain,
        name=unicodedata.name(each, f"U+{ord(each):04X}"),
        is_other=not each.isspace() and (plain != each.lower() or not set(plain) <= letters),
    )
