"""Disguised names: each view is one way to hide a word that a reader still sees.

    folded    n1ke, $ony, rnoncler, AdIdas      signs, digits and pairs of letters for what they look like
    letters   n.i.k.e, N I K E                  single letters with something between
    joined    ni ke, newbalance, EckoUnltd      parted where it is one, or together where it is two
    masked    n*ke, ad_das                      a letter covered
    glued     nikeshoes, bestnike2024           together with an ordinary word
    near      addidas, nkie, samsumg, swny      one edit, for marks on the watch-list alone

All of them ask first whether a word is ordinary, and then look it up; nothing is compared with every mark. A view says
how surely (0 to 1000): what follows from one reading alone is surer than what is one of several.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Final, TypeAlias

from chopmark.watch.found import View
from chopmark.watch.text.terms import Terms
from chopmark.watch.text.vocabulary import trade

if TYPE_CHECKING:
    import numpy as np

    Ints: TypeAlias = np.ndarray[tuple[int, ...], np.dtype[np.int64]]

LEAST: Final = 4
LEAST_NEAR: Final = 5
MAX_WORD: Final = 40
"""Letters of a word that can be one disguised name and a word or two; longer ones are not read."""
MAX_PARTS: Final = 4
"""Words of a name that is looked for word by word."""
MAX_PIECES: Final = 3
"""Pieces of a name that was cut; more where all are of one letter or two."""
SMALL: Final = 2
HEAD: Final = 6
TAIL: Final = 4
"""First and last letters by which a name that cannot be there is ruled out."""
MAX_LETTERS: Final = 30
MEMORY: Final = 200_000
"""Words whose answer is remembered; then all are forgotten."""
FILLERS: Final = "*#_?•●~^%.°"

SCORES: Final[Mapping[View, int]] = {
    "folded": 880,
    "letters": 860,
    "masked": 820,
    "joined": 780,
    "glued": 680,
    "near": 580,
    "pinyin": 720,
    "half_pinyin": 600,
    "homophone": 480,
}

_LOOKS: Final[Mapping[str, str]] = dict(
    each.split(" ")
    for each in """
0 o|1 il|2 z|3 e|4 a|5 s|6 gb|7 t|8 b|9 g|@ a|$ s|! il|+ t|€ e|£ l|¢ c|¥ y|§ s|† t|¡ i|( c|{ c|< c|% x|× x|# h
""".strip().split("|")
) | {"|": "il"}
"""What a sign or a digit may stand for."""
_PAIRS: Final = (("rn", "m"), ("vv", "w"), ("cl", "d"), ("nn", "m"), ("uu", "w"))
_CLASS: Final = str.maketrans(
    {sign: ("l" if "i" in letters else letters[0]) for sign, letters in _LOOKS.items()}
    | {"i": "l", "b": "g"}
    | {"8": "g"}
)
_UNDER: Final = "abcdefghijklmnopqrstuvwxyz0123456789"
MAX_MASKED: Final = 2


_RUN: Final = re.compile(r"([a-z])\1\1")
_RUNS: Final = re.compile(r"([a-z])\1+")


def _is_readable(character: str) -> bool:
    return character.isascii() or character in _LOOKS


@dataclass(frozen=True, slots=True)
class Reading:
    """A name that was read in a row of words.

    Attributes:
        pattern: position in `Terms.patterns`.
        first, last: words of the row.
        begin, end: characters of the first word before it, and of the last word up to its end; None for all.
    """

    pattern: int
    view: View
    first: int
    last: int
    distance: int = 0
    score: int = 0
    begin: int = 0
    end: int | None = None


@lru_cache(maxsize=50_000)
def look(word: str) -> str:
    """The class of words that look like this one."""
    made = word.translate(_CLASS)
    for pair, single in (("rn", "m"), ("nn", "m"), ("vv", "w"), ("uu", "w"), ("cl", "d")):
        if pair in made:
            made = made.replace(pair, single)
    return made


@lru_cache(maxsize=4096)
def replaced(word: str, name: str) -> tuple[int, int] | None:
    """How a word stands for a name, letter by letter: by how many signs or digits, and how many other likenesses.

    None where some letter stands for nothing that it looks like.
    """
    if word == name:
        return 0, 0
    if not word or not name:
        return None
    best: tuple[int, int] | None = None
    for shown, meant, signs, likes in _steps(word, name):
        rest = replaced(word[shown:], name[meant:])
        if rest is not None:
            made = rest[0] + signs, rest[1] + likes
            best = made if best is None or sum(made) < sum(best) else best
    return best


def _steps(word: str, name: str) -> Iterator[tuple[int, int, int, int]]:
    """Characters of both that are read at once, and whether by a sign or by another likeness."""
    shown, meant = word[0], name[0]
    if shown == meant:
        yield 1, 1, 0, 0
    elif meant in _LOOKS.get(shown, ""):
        yield 1, 1, 1, 0
    elif shown in _LOOKS.get(meant, "") or {shown, meant} == {"i", "l"}:
        yield 1, 1, 0, 1
    for pair, single in _PAIRS:
        if meant == single and len(word) > 1 and _is_pair(word, pair):
            yield 2, 1, 1, 0
        elif shown == single and name.startswith(pair):
            yield 1, 2, 0, 1


def _is_pair(word: str, pair: str) -> bool:
    return all(shown == meant or meant in _LOOKS.get(shown, "") for shown, meant in zip(word, pair, strict=False))


_READ: Final = 1  # stands for a name by itself
_OPEN: Final = 2  # neither ordinary nor a name, so that it may be a part of one
_BRIEF: Final = 4
_PIECE: Final = 8  # of a name that was cut into letters
_AFTER: Final = 16  # a name's word that may come before one with an edit
_BEFORE: Final = 32
_SHAPED: Final = 64  # looks like a word of a name of several
_HEAD: Final = 128  # a name may begin with it
_TAIL: Final = 256
_ORDINARY: Final = 512
_RARE: Final = 1024  # an ordinary word beside it may be a name's word with an edit


class _Known(dict[str, int]):
    """What was asked of words, remembered."""

    def __init__(self, ask: Callable[[str], int]) -> None:
        super().__init__()
        self._ask = ask

    def __missing__(self, word: str) -> int:
        signs = self._ask(word)
        if not word.isdigit():  # numbers of models are not met again
            if len(self) >= MEMORY:
                self.clear()
            self[word] = signs
        return signs


class Disguises:
    """See the module.

    Args:
        terms: names of the set.
        ordinary: words that are no disguises.
    """

    def __init__(self, terms: Terms, ordinary: frozenset[str]) -> None:
        self._ordinary = ordinary
        self._patterns = terms.patterns
        self._views = terms.views
        self._single = frozenset(terms.patterns)
        self._joined: dict[str, list[int]] = {}
        for name, positions in terms.joined.items():
            plain = [at for at in positions if terms.views[at] == "canonical"]
            if plain:
                self._joined[name] = plain
        self._by_ends: dict[tuple[int, str, str], list[str]] = {}
        for name in self._joined:
            for first, last in ((name[0], name[-1]), (name[0], ""), ("", name[-1])):
                self._by_ends.setdefault((len(name), first, last), []).append(name)
        self._spelled = terms.joined
        self._looks: dict[str, list[str]] = {}
        for name in self._joined:
            self._looks.setdefault(look(name), []).append(name)
        near = {
            name
            for name, positions in self._joined.items()
            if any(terms.marks.marks[owner.mark].near for at in positions for owner in terms.owners[at])
        }
        self._near = Near(near)
        self._row_looks: dict[str, list[int]] = {}
        self._row_words: set[str] = set()
        self._row_shapes: set[str] = set()
        self._row_masks: dict[tuple[str, ...], list[tuple[str, int]]] = {}
        self._after: dict[str, list[tuple[str, int, list[str], int]]] = {}
        self._before: dict[str, list[tuple[str, int, list[str], int]]] = {}
        self._rows()
        self._names = frozenset(name for name in self._single if len(name) >= LEAST)
        self._tails = frozenset(name[-TAIL:] for name in self._spelled)
        self._heads = frozenset(name[:at] for name in self._spelled for at in range(1, HEAD + 1))
        self._squeezed: dict[str, list[str]] = {}
        for name in self._joined:
            self._squeezed.setdefault(_RUNS.sub(r"\1", name), []).append(name)
        self._trade = trade()
        self._memory: dict[str, tuple[Reading, ...]] = {}
        self._known = _Known(self._signs)

    def _rows(self) -> None:
        """What names of several words are looked up by: how they look, and for near ones all words but one."""
        for name, positions in self._joined.items():
            for at in positions:
                parts = self._patterns[at].split(" ")
                if not 1 < len(parts) <= MAX_PARTS:
                    continue
                self._row_looks.setdefault(" ".join(map(look, parts)), []).append(at)
                self._row_words.update(parts)
                self._row_shapes.update(map(look, parts))
                for place, meant in enumerate(parts):
                    if len(meant) >= LEAST:
                        self._row_masks.setdefault(_blanked(parts, place), []).append((meant, at))
                if name in self._near.names:
                    for place, meant in enumerate(parts):
                        if len(meant) >= LEAST - 1 and len(name) > LEAST_NEAR:
                            side, anchor = (self._after, place - 1) if place else (self._before, 1)
                            side.setdefault(parts[anchor], []).append((meant, place, parts, at))

    def find(self, row: Sequence[str]) -> list[Reading]:
        """Names that words of a row stand for.

        What is asked of each word is remembered and asked in columns, so that only words that may be part of a name
        are looked at one by one.

        Args:
            row: plain words; of several texts too, when something that is in no name stands between them.
        """
        import numpy as np  # noqa: PLC0415 (loaded with the first batch)

        if not row:
            return []
        signs = np.fromiter(map(self._known.__getitem__, row), dtype=np.int64, count=len(row))
        before, behind = np.append(0, signs[:-1]), np.append(signs[1:], 0)
        found = [_at(each, at) for at in np.flatnonzero(signs & _READ).tolist() for each in self._read(row[at])]
        open_ = (signs & _OPEN) != 0
        small = open_ & ((signs & _BRIEF) != 0) & (((before | behind) & _PIECE) != 0)
        done = 0
        for at in np.flatnonzero(small).tolist() if len(row) > SMALL else ():
            if at >= done:
                done, some = self._small(row, at)
                found += some
        anchored = ((before & _AFTER) | (behind & _BEFORE) | (signs & _SHAPED)) != 0
        odd = (((before & _AFTER) | (behind & _BEFORE)) != 0) & (((before | behind) & _RARE) != 0)
        for at in np.flatnonzero((open_ & anchored) | (odd & ((signs & _ORDINARY) != 0))).tolist():
            found += self._row(row, at)
        found += self._cut(row, signs)
        return found

    def _cut(self, row: Sequence[str], signs: Ints) -> Iterator[Reading]:
        """Names that were cut into words, of which one is neither ordinary nor a name."""
        import numpy as np  # noqa: PLC0415 (as above)

        heads = (signs & _HEAD) != 0
        ends = (signs & (_OPEN | _TAIL)) == (_OPEN | _TAIL)
        next_, third = np.append(ends[1:], [False]), np.append(ends[2:], [False, False])
        near = ((signs & _OPEN) != 0) | next_
        for first in np.flatnonzero(heads & (near | third[: len(heads)])).tolist():
            if first + 1 < len(row) and (row[first] + row[first + 1])[:HEAD] in self._heads:
                yield from self._from(row, first, first + (1 if near[first] else 2))

    def _signs(self, word: str) -> int:
        """What is asked of a word, by itself and beside others."""
        signs = _BRIEF * (len(word) <= SMALL) | _PIECE * _is_small(word)
        signs |= (
            _AFTER * (word in self._after) | _BEFORE * (word in self._before) | _HEAD * (word[:HEAD] in self._heads)
        )
        if word.isdigit():
            return signs
        if word in self._ordinary:
            return signs | _ORDINARY | _RARE * _is_small(word)
        signs |= _RARE | _READ * bool(self._read(word))
        if word in self._names or not word.isascii():
            return signs
        signs |= _TAIL * (len(word) <= TAIL or word[-TAIL:] in self._tails)
        return signs | _OPEN | _SHAPED * (word not in self._row_words and look(word) in self._row_shapes)

    def _read(self, word: str) -> tuple[Reading, ...]:
        """The same as `word`, which is remembered."""
        known = self._memory.get(word)
        if known is None:
            known = self.word(word)
            if known:
                if len(self._memory) >= MEMORY:
                    self._memory.clear()
                self._memory[word] = known
        return known

    def word(self, word: str) -> tuple[Reading, ...]:
        """Names that one word stands for, by the first view that finds any."""
        if not LEAST <= len(word) <= MAX_WORD or not (word.isascii() or all(map(_is_readable, word))):
            return ()
        if (whole := self._joined.get(word)) is not None:
            return tuple(_reading(at, "joined") for at in whole if self._patterns[at] != word)
        if word in self._single:
            return ()
        for view in (self._folded, self._glued, self._edited, self._stretched, self._folded_and_glued):
            if found := tuple(view(word)):
                return found
        return ()

    def _folded(self, word: str) -> Iterator[Reading]:
        for name in self._looks.get(look(word), ()):
            how = replaced(word, name)
            letters = sum(map(str.isalpha, word))
            if how is None or letters < 2:
                continue
            signs, likes = how
            if name not in self._near.names and not _is_sure(letters, len(word) - letters, name):
                continue
            if signs:
                yield from self._named(name, "folded", signs + likes, SCORES["folded"] - 20 * (signs + likes - 1))
            elif len(name) >= LEAST_NEAR:
                yield from self._named(name, "folded", likes, 700)

    def signed(self, word: str) -> tuple[Reading, ...]:
        """Names that a word with signs in it stands for: n*ke, $ony, adida$."""
        if not LEAST <= len(word) <= MAX_WORD or sum(map(str.isalpha, word)) < 2:
            return ()
        if any(each in FILLERS for each in word) and (found := tuple(self._masked(word))):
            return found
        before, behind = word.lstrip("|(+!*"), word.rstrip("!+|(*")
        return (
            self.word(word)
            or tuple(_part(each, 0, len(behind)) for each in self.word(behind))
            or tuple(_part(each, len(word) - len(before), len(before)) for each in self.word(before))
        )

    def _masked(self, word: str) -> Iterator[Reading]:
        places = [at for at, each in enumerate(word) if each in FILLERS]
        if len(places) > MAX_MASKED or sum(map(str.isalnum, word)) < LEAST - 1:
            return
        named = self._under(word, places)
        if not named and (bare := "".join(filter(str.isalnum, word))) in self._joined:
            named = [bare]
        score = SCORES["masked"] - 60 * (len(places) - 1) - 80 * (len(named) - 1)
        if score > 0:
            for name in named:
                yield from self._named(name, "masked", len(places), score)

    def _under(self, word: str, places: Sequence[int]) -> list[str]:
        """Names with these letters covered; where more than one is, the first or the last letter must be seen."""
        if len(places) == 1:
            tried = (word[: places[0]] + each + word[places[0] + 1 :] for each in _UNDER)
            return [name for name in tried if name in self._joined]
        first, last = ("" if each in FILLERS else each for each in (word[0], word[-1]))
        seen = [(at, each) for at, each in enumerate(word) if each not in FILLERS]
        alike = self._by_ends.get((len(word), first, last), ())
        return [name for name in alike if all(name[at] == each for at, each in seen)]

    def _named(self, name: str, view: View, distance: int, score: int) -> Iterator[Reading]:
        for at in self._joined[name]:
            yield _reading(at, view, distance=distance, score=score)

    def _glued(self, word: str) -> Iterator[Reading]:
        for at in range(1, len(word) - 1):
            head, tail = word[:at], word[at:]
            if at >= LEAST and head in self._joined and self._is_rest(tail, head):
                yield from (_reading(each, "glued", end=at) for each in self._joined[head])
            if len(tail) >= LEAST and tail in self._joined and self._is_rest(head, tail):
                yield from (_reading(each, "glued", begin=at) for each in self._joined[tail])

    def _is_rest(self, rest: str, name: str) -> bool:
        """Whether what stands beside a name is ordinary; beside a name that is a word itself, of the trade's words."""
        if name in self._ordinary:
            return len(rest) >= 3 and rest in self._trade and name in self._near.names
        if len(rest) < 3:
            return len(name) >= LEAST_NEAR and rest.isdigit() and len(rest) == 2
        return (
            rest in self._ordinary
            or rest.isdigit()
            or any(rest[:at] in self._ordinary and rest[at:] in self._ordinary for at in range(3, len(rest) - 2))
        )

    def _folded_and_glued(self, word: str) -> Iterator[Reading]:
        """n1keshoes: both at once."""
        if word.isalpha() or word.isdigit():
            return
        if word[-2:] in self._trade and not word[:-2].isalpha() and len(word) >= LEAST + 2:
            for each in self._folded(word[:-2]):
                yield _reading(each.pattern, "glued", distance=each.distance, score=600, end=len(word) - 2)
        for at in range(LEAST, len(word) - 2):
            head, tail = word[:at], word[at:]
            if tail in self._ordinary and not head.isalpha():
                for each in self._folded(head):
                    yield _reading(each.pattern, "glued", distance=each.distance, score=620, end=at)
            elif head in self._ordinary and not tail.isalpha():
                for each in self._folded(tail):
                    yield _reading(each.pattern, "glued", distance=each.distance, score=620, begin=at)

    def _stretched(self, word: str) -> Iterator[Reading]:
        """niiike: a letter three times or more, for all names; twice is `near`."""
        if _RUN.search(word) and (names := self._squeezed.get(_RUNS.sub(r"\1", word))):
            for name in names:
                yield from self._named(name, "near", 1, SCORES["near"])

    def _edited(self, word: str) -> Iterator[Reading]:
        if word.isalpha():
            for name, score in self._near.find(word):
                yield from self._named(name, "near", 1, score)

    def _from(self, row: Sequence[str], first: int, at: int) -> Iterator[Reading]:
        """Names that begin with the word `first` and go up to the word `at` or on."""
        made = row[first]
        for last in range(first + 1, min(len(row), first + MAX_PIECES)):
            made += row[last]
            if made[:HEAD] not in self._heads:
                return
            if last >= at and made in self._spelled:
                yield from self._span(row, first, last, made)

    def _small(self, row: Sequence[str], at: int) -> tuple[int, list[Reading]]:
        """The run of pieces of one or two letters around a word (n i k e), and each part of it that is a name.

        Where the run ends, and what was found.
        """
        begin, end = at, at + 1
        while begin and _is_small(row[begin - 1]) and at - begin < MAX_LETTERS:
            begin -= 1
        while end < len(row) and _is_small(row[end]) and end - at < MAX_LETTERS:
            end += 1
        found: list[Reading] = []
        if end - begin == 1:
            return end, found
        if end - begin > MAX_PARTS or all(len(each) == 1 for each in row[begin:end]):
            for first in range(begin, end):
                made = row[first]
                for last in range(first + 1, min(end, first + MAX_LETTERS)):
                    made += row[last]
                    if len(made) >= LEAST:
                        found += self._span(row, first, last, made)
        return end, found

    def _span(self, row: Sequence[str], first: int, last: int, made: str) -> Iterator[Reading]:
        parts = row[first : last + 1]
        singles = all(len(each) == 1 for each in parts)
        for at in self._spelled.get(made, ()):
            if self._patterns[at] != " ".join(parts) and (singles or self._is_split(parts)):
                view: View = "letters" if singles else "joined"
                yield _reading(at, view if self._views[at] == "canonical" else self._views[at], first=first, last=last)
        if singles and not made.isalpha() and not made.isdigit():
            for each in self._folded(made):
                yield _reading(each.pattern, "letters", distance=each.distance, first=first, last=last)

    def _row(self, row: Sequence[str], at: int) -> Iterator[Reading]:
        """Names of several words, this one disguised: by its look, or one edit where the others are right."""
        word = row[at]
        if word not in self._row_words and word not in self._ordinary and look(word) in self._row_shapes:
            for first in range(max(0, at - MAX_PARTS + 1), at + 1):
                for last in range(max(first + 1, at), min(len(row), first + MAX_PARTS)):
                    yield from self._row_looked(row[first : last + 1], first, last)
        yield from self._near_beside(row, at)

    def _near_beside(self, row: Sequence[str], at: int) -> Iterator[Reading]:
        """Names of several words, of which this one has an edit and the others are right."""
        word = row[at]
        before = self._after.get(row[at - 1], ()) if at and self._anchors(word, row[at - 1]) else ()
        behind = self._before.get(row[at + 1], ()) if at + 1 < len(row) and self._anchors(word, row[at + 1]) else ()
        for edits in (before, behind):
            for meant, place, parts, pattern in edits:
                one = is_one_edit(word, meant) and (len(meant) >= LEAST or word[0] == meant[0])
                if one or is_stretched(word, meant):
                    first, last = at - place, at - place + len(parts) - 1
                    others = [*row[max(first, 0) : at], meant, *row[at + 1 : last + 1]]
                    if others == parts:
                        score = _sureness(word, meant) or SCORES["near"] - 120
                        yield _reading(pattern, "near", distance=1, score=score, first=first, last=last)

    def _anchors(self, word: str, beside: str) -> bool:
        """Whether a name's word may stand for the name although the one beside it has an edit: "da lit" for da-lite.

        An ordinary word is taken for another only beside one that is not ordinary, or is a letter or two.
        """
        return word not in self._ordinary or beside not in self._ordinary or _is_small(beside)

    def _row_looked(self, parts: Sequence[str], first: int, last: int) -> Iterator[Reading]:
        for at in self._row_looks.get(" ".join(map(look, parts)), ()):
            hows = [replaced(word, name) for word, name in zip(parts, self._patterns[at].split(" "), strict=True)]
            signs, likes = sum(each[0] for each in hows if each), sum(each[1] for each in hows if each)
            if None not in hows and signs + likes:
                score = SCORES["folded"] - 20 * (signs + likes - 1) if signs else 700
                yield _reading(at, "folded", distance=signs + likes, score=max(score, 600), first=first, last=last)

    def signed_row(self, row: Sequence[str], at: int) -> Iterator[Reading]:
        """The same for a word with signs: t mobil€, calvin kle*n."""
        yield from self._row(row, at)
        places = [place for place, each in enumerate(row[at]) if each in FILLERS]
        if not places or len(places) > MAX_MASKED or sum(map(str.isalnum, row[at])) < LEAST - 1:
            return
        for first in range(max(0, at - MAX_PARTS + 1), at + 1):
            for last in range(max(first + 1, at), min(len(row), first + MAX_PARTS)):
                for meant, pattern in self._row_masks.get(_blanked(row[first : last + 1], at - first), ()):
                    if len(meant) == len(row[at]) and all(
                        shown in FILLERS or shown == letter for shown, letter in zip(row[at], meant, strict=True)
                    ):
                        score = SCORES["masked"] - 60 * (len(places) - 1)
                        yield _reading(pattern, "masked", distance=len(places), score=score, first=first, last=last)

    def _is_split(self, parts: Sequence[str]) -> bool:
        return not all(each in self._ordinary and len(each) > 1 for each in parts)


def _is_sure(letters: int, signs: int, name: str) -> bool:
    """Whether a look is enough for a name that nobody watches: product numbers look like many of them."""
    return letters >= 3 and letters > signs if signs else len(name) >= LEAST_NEAR + 2


def _blanked(parts: Sequence[str], place: int) -> tuple[str, ...]:
    return *parts[:place], "", *parts[place + 1 :]


def _is_small(word: str) -> bool:
    return len(word) <= SMALL and word.isalnum() and word.isascii()


def _reading(
    pattern: int,
    view: View,
    *,
    distance: int = 0,
    score: int = 0,
    first: int = 0,
    last: int = 0,
    begin: int = 0,
    end: int | None = None,
) -> Reading:
    return Reading(pattern, view, first, last, distance, score or SCORES[view], begin, end)


def _at(reading: Reading, at: int) -> Reading:
    return Reading(reading.pattern, reading.view, at, at, reading.distance, reading.score, reading.begin, reading.end)


def _part(reading: Reading, at: int, length: int) -> Reading:
    """The reading of a part of a word, as one of the word: the part begins at `at`."""
    end = at + (length if reading.end is None else reading.end)
    return replace(reading, begin=at + reading.begin, end=end)


class Near:
    """Words one edit away (optimal string alignment), by deletions on both sides (symmetric deletes)."""

    def __init__(self, names: set[str]) -> None:
        self.names = names
        self._deleted: dict[str, list[str]] = {}
        for name in sorted(names):
            if len(name) >= LEAST:
                for each in {name, *_deletions(name)}:
                    self._deleted.setdefault(each, []).append(name)

    def find(self, word: str) -> list[tuple[str, int]]:
        """Names with a score each."""
        found: dict[str, int] = {}
        for each in (word, *_deletions(word)):
            for name in self._deleted.get(each, ()):
                if name not in found and is_one_edit(word, name) and (score := _sureness(word, name)):
                    found[name] = score
        return list(found.items())


def _sureness(word: str, name: str) -> int:
    """Longer names are surer; a changed first letter makes another word; nought for what is too little like a name.

    Four letters that a longer name begins with are a short form of some word more often than that name (stor, robo).
    """
    if len(name) < LEAST_NEAR:
        return _sureness_of_four(word, name)
    if len(word) < LEAST_NEAR and name.startswith(word):
        return 0
    return SCORES["near"] + 10 * min(len(name) - LEAST_NEAR, 6) - (150 if word[0] != name[0] else 0)


def _sureness_of_four(word: str, name: str) -> int:
    """Of a short name: a letter doubled, or two that change places, is surer than another letter for one of the last.

    What is left of it without a letter is a code of products too often (sma, aac), and with one put in another word.
    """
    if sorted(word) == sorted(name) or (len(word) > len(name) and _RUNS.sub(r"\1", word) == _RUNS.sub(r"\1", name)):
        return SCORES["near"] - 40
    return SCORES["near"] - 120 if len(word) == len(name) and word[0] == name[0] else 0


def _deletions(word: str) -> list[str]:
    return [word[:at] + word[at + 1 :] for at in range(len(word))]


def is_stretched(word: str, name: str) -> bool:
    """Whether the word is the name with a letter three times or more."""
    return bool(_RUN.search(word)) and _RUNS.sub(r"\1", word) == _RUNS.sub(r"\1", name)


def is_one_edit(left: str, right: str) -> bool:
    """Whether one letter put in, left out or changed, or two neighbours swapped, makes one of the other."""
    if left == right or abs(len(left) - len(right)) > 1:
        return False
    if len(left) > len(right):
        left, right = right, left
    at = 0
    while at < len(left) and left[at] == right[at]:
        at += 1
    if len(left) < len(right):
        return left[at:] == right[at + 1 :]
    if left[at + 1 :] == right[at + 1 :]:
        return True
    return left[at : at + 2] == right[at : at + 2][::-1] and left[at + 2 :] == right[at + 2 :]
