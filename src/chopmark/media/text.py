"""Text: the passages that two texts have in common, wherever they stand and whatever stands between.

    fingerprint(text) -> TextPrint
    match(query, reference) -> (Segment, ...)     passages, as characters from-to in both
    TextIndex(prints).search(query)               the same against many references

Words are compared after Unicode compatibility folding (NFKC) and without case, marks between them or invisible
characters; scripts without spaces are compared by character. Five words in a row make a shingle; of each four
neighbouring shingles the smallest digest is kept (winnowing: Schleimer, Wilkerson and Aiken, SIGMOD 2003), so every
passage of eight words that two texts share is seen. The text itself is not in the fingerprint, but who guesses a
passage can check whether it is there.
A translation, a paraphrase and letters replaced by look-alikes of another script are not found.
"""

from __future__ import annotations

import re
import struct
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import blake2b
from typing import Final

import numpy as np
from numpy.typing import NDArray

from chopmark.base.errors import Invalid
from chopmark.media.postings import Postings
from chopmark.media.segment import Segment, Span

ALGORITHM: Final = "shingles5-winnow4-v1"
LONGEST: Final = 20_000_000
"""Characters."""
SHINGLE, WINDOW = 5, 4

_NO_SPACES = (
    "\u0e00-\u0edf\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U000323af"
)
_INVISIBLE = "\u00ad\u034f\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2064\ufeff"
_WORD = re.compile(rf"[{_NO_SPACES}]|(?:(?![{_NO_SPACES}])[\w\u0300-\u036f{_INVISIBLE}])+")
_HIDDEN = re.compile(rf"[{_INVISIBLE}]+")
_CHARACTER = re.compile(rf"[{_NO_SPACES}]")

_ROW: Final = np.dtype([("key", "<u8"), ("word", "<u4"), ("start", "<u4"), ("end", "<u4"), ("weight", "<u4")])
_MAGIC: Final = b"CMtext01"
_HEAD: Final = struct.Struct("<8sIII")
_APART = 40
"""Words that may stand between two shingles of one passage."""
_LEAST_WEIGHT = 120
"""Of a passage, in tenths of a word: twelve words, or twenty characters of a script without spaces."""
_WORD_WEIGHT, _CHARACTER_WEIGHT = 10, 6
_REPEATED = 4
"""Places of one shingle in one text that are looked at."""
_MOST_PAIRS = 200_000
_MOST_OPEN = 32
_MOST_STEPS = 1_500_000
"""What one search may cost: pairs laid beside passages that are open."""
_MOST_PASSAGES = 500
_COMMON = 2000
"""Texts that hold a shingle, beyond which it is a saying and finds none of them."""

Rows = NDArray[np.void]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TextPrint:
    """Fingerprint of a text.

    Attributes:
        characters: of the text.
        words: how many were compared.
        rows: `key` (digest of a shingle), `word` (its first word's number), `start`, `end` (characters), `weight`
            (tenths of a word that come before it).
    """

    characters: int
    words: int
    rows: Rows

    @property
    def distinctive(self) -> bool:
        """Whether it has a passage long enough to be told from others."""
        return len(self.rows) > 0

    def encode(self) -> bytes:
        """As bytes, little-endian; `parse` gives it back."""
        return _HEAD.pack(_MAGIC, self.characters, self.words, len(self.rows)) + self.rows.tobytes()

    @classmethod
    def parse(cls, data: bytes) -> TextPrint:
        """The inverse of `encode`.

        Raises:
            Invalid: `media.print_malformed` for anything that `encode` does not print.
        """
        try:
            magic, characters, words, count = _HEAD.unpack_from(data)
            rows = np.frombuffer(data, _ROW, count, _HEAD.size) if count else np.zeros(0, _ROW)
        except (struct.error, ValueError) as error:
            raise Invalid("media.print_malformed") from error
        found = cls(characters=characters, words=words, rows=rows)
        at = rows["word"].astype(np.int64)
        fits = magic == _MAGIC and not np.any(at[1:] <= at[:-1]) and not np.any(rows["start"] >= rows["end"])
        if not fits or np.any(rows["end"] > characters) or found.encode() != data:
            raise Invalid("media.print_malformed")
        return found


def fingerprint(text: str) -> TextPrint:
    """Shingles of a text; none for one of less than five words.

    Raises:
        Invalid: `media.text_too_long`.
    """
    if len(text) > LONGEST:
        raise Invalid("media.text_too_long", characters=len(text), most=LONGEST)
    words = [(word, *place.span()) for place in _WORD.finditer(text) if (word := _folded(place[0]))]
    count = max(0, len(words) - SHINGLE + 1)
    keys = np.fromiter(
        (_key([word for word, _, _ in words[at : at + SHINGLE]]) for at in range(count)), np.uint64, count
    )
    chosen = _winnowed(keys)
    weights = [_CHARACTER_WEIGHT if _CHARACTER.match(word) else _WORD_WEIGHT for word, _, _ in words]
    before = np.concatenate([[0], np.cumsum(weights)]).astype(np.int64)
    rows = np.zeros(len(chosen), _ROW)
    rows["key"], rows["word"] = keys[chosen], chosen
    rows["start"] = [words[at][1] for at in chosen]
    rows["end"] = [words[at + SHINGLE - 1][2] for at in chosen]
    rows["weight"] = before[chosen]
    return TextPrint(characters=len(text), words=len(words), rows=rows)


def _folded(word: str) -> str:
    return unicodedata.normalize("NFKC", _HIDDEN.sub("", word)).casefold()


def _key(words: list[str]) -> int:
    return int.from_bytes(blake2b("\n".join(words).encode("utf-8", "surrogatepass"), digest_size=8).digest(), "little")


def _winnowed(keys: NDArray[np.uint64]) -> NDArray[np.int64]:
    """The places of the smallest key of each window, the last of equal ones."""
    if len(keys) < WINDOW:
        return np.argsort(keys, kind="stable")[:1].astype(np.int64)
    windows = np.lib.stride_tricks.sliding_window_view(keys, WINDOW)[:, ::-1]
    return np.unique(np.arange(len(windows)) + WINDOW - 1 - windows.argmin(axis=1))


# --- matching


def match(query: TextPrint, reference: TextPrint, *, steps: int = _MOST_STEPS) -> tuple[Segment, ...]:
    """The passages that two texts share, the longest first; none when they share less than twelve words.

    After `steps` (a pair of shingles laid beside a passage that is open) what was found until then counts.

    `score` is the share of the passage's words that agree. `why` has `words` (how many agree, in words of a script
    with spaces), `of_query` and `of_reference` (the part of each whole text that agrees).
    """
    one, two = _pairs(query, reference)
    found = []
    places = query.rows["word"][one].astype(np.int64), reference.rows["word"][two].astype(np.int64)
    for chain in _chains(*places, steps):
        segment = _passage(query, reference, one[chain], two[chain])
        if segment is not None:
            found.append(segment)
    return tuple(_apart(sorted(found, key=lambda each: -float(each.why["words"]))[:_MOST_PASSAGES]))


def _pairs(query: TextPrint, reference: TextPrint) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rows of both with the same key, in order of the query and then of the reference."""
    order = np.argsort(reference.rows["key"], kind="stable")
    keys = reference.rows["key"][order]
    low = np.searchsorted(keys, query.rows["key"], side="left")
    many = np.minimum(np.searchsorted(keys, query.rows["key"], side="right") - low, _REPEATED)
    one = np.repeat(np.arange(len(query.rows)), many)[:_MOST_PAIRS]
    first = np.concatenate([[0], np.cumsum(many)])[:-1]
    two = order[np.repeat(low - first, many) + np.arange(many.sum())][:_MOST_PAIRS] if len(one) else one
    return one, two


def _chains(one: NDArray[np.int64], two: NDArray[np.int64], steps: int) -> list[list[int]]:
    """Pairs that follow each other in both texts, with few words between, as far as the steps reach."""
    done: list[list[int]] = []
    open_: list[list[int]] = []
    for pair in range(len(one)):
        steps -= 1 + len(open_)
        if steps < 0:
            break
        still = []
        best: list[int] | None = None
        for chain in open_:
            ahead, along = int(one[pair] - one[chain[-1]]), int(two[pair] - two[chain[-1]])
            if ahead > _APART:
                done.append(chain)
                continue
            still.append(chain)
            follows = ahead > 0 and 0 < along <= _APART
            if follows and (best is None or abs(ahead - along) < _bend(one, two, best[-1], pair)):
                best = chain
        if best is None:
            still.append([pair])
        else:
            best.append(pair)
        open_ = still[-_MOST_OPEN:]
        done += still[:-_MOST_OPEN]
    return done + open_


def _bend(one: NDArray[np.int64], two: NDArray[np.int64], before: int, after: int) -> int:
    return abs(int(one[after] - one[before]) - int(two[after] - two[before]))


def _passage(query: TextPrint, reference: TextPrint, one: NDArray[np.int64], two: NDArray[np.int64]) -> Segment | None:
    rows, there = query.rows[one], reference.rows[two]
    at = rows["word"].astype(np.int64)
    # A shingle's words, those counted that the one before it did not count already.
    fresh = np.minimum(np.diff(at, prepend=at[0] - SHINGLE), SHINGLE)
    # Words and characters weigh differently: what the passage weighs, by the share of its words that agree.
    per_word = float(_WORD_WEIGHT)
    if len(rows) > 1 and at[-1] > at[0]:
        per_word = (int(rows["weight"][-1]) - int(rows["weight"][0])) / int(at[-1] - at[0])
    weight = float(fresh.sum()) * per_word
    whole = query.words <= 2 * SHINGLE or reference.words <= 2 * SHINGLE
    if weight < _LEAST_WEIGHT and not (whole and fresh.sum() >= 0.8 * min(query.words, reference.words)):
        return None
    spread = int(at[-1] - at[0]) + SHINGLE
    return Segment(
        query=Span(start=int(rows["start"].min()), end=int(rows["end"].max())),
        reference=Span(start=int(there["start"].min()), end=int(there["end"].max())),
        score=round(float(fresh.sum()) / spread, 4),
        why={
            "method": "shingles",
            "words": round(weight / _WORD_WEIGHT, 1),
            "of_query": round(float(fresh.sum()) / max(query.words, 1), 4),
            "of_reference": round(float(fresh.sum()) / max(reference.words, 1), 4),
        },
    )


def _apart(segments: list[Segment]) -> list[Segment]:
    """Without those that lie in a longer one, in both texts."""
    kept: list[Segment] = []
    for each in segments:
        inside = any(
            other.query.start <= each.query.start
            and each.query.end <= other.query.end
            and other.reference.start <= each.reference.start
            and each.reference.end <= other.reference.end
            for other in kept
        )
        if not inside:
            kept.append(each)
    return kept


class TextIndex:
    """References in memory, looked up by shingles; made from rows and thrown away."""

    def __init__(self, prints: Iterable[tuple[int, TextPrint]] = ()) -> None:
        self._keys = Postings(np.uint64)
        self._known: dict[int, tuple[int, TextPrint]] = {}  # by the owner's number in the tables
        self._owners: dict[int, int] = {}
        self._next = 0
        self._add(prints)

    def add(self, number: int, print_: TextPrint) -> None:
        """Found from now on; a number that is there is replaced."""
        self._add([(number, print_)])

    def _add(self, prints: Iterable[tuple[int, TextPrint]]) -> None:
        fresh = []
        for number, print_ in prints:
            self.remove(number)
            self._owners[number] = self._next
            self._known[self._next] = (number, print_)
            keys = np.unique(print_.rows["key"])
            fresh.append((self._next, keys, np.zeros(len(keys), np.int64)))
            self._next += 1
        self._keys.add(fresh)

    def remove(self, number: int) -> None:
        """Not found from now on."""
        owner = self._owners.pop(number, None)
        if owner is not None:
            del self._known[owner]
            self._keys.drop(owner)

    def __len__(self) -> int:
        return len(self._known)

    def search(self, query: TextPrint, *, limit: int = 20) -> tuple[tuple[int, Segment], ...]:
        """Passages shared with any reference, the longest first; the `limit` references with the most are compared.

        They share what one search may cost, so that texts made of each other's pieces hold up nobody.
        """
        _, owners, _ = self._keys.find(np.unique(query.rows["key"]), most=_COMMON)
        each, shared = np.unique(owners, return_counts=True)
        best = each[np.argsort(-shared, kind="stable")][:limit].tolist()
        known = [self._known[owner] for owner in best]
        steps = _MOST_STEPS // max(1, len(known))
        found = [(number, segment) for number, print_ in known for segment in match(query, print_, steps=steps)]
        return tuple(sorted(found, key=lambda one: (-float(one[1].why["words"]), one[0])))
