"""How ideographs sound: their readings, and one code for all that sound alike. Tones are left out.

    readings("乐")                  ("le", "yue")
    Sounds(names).find(" 奥 克 丝 ")   奥克斯: names of two ideographs or more
    is_everyday(["日", "历"], 0)      True: 日历 is a calendar, and no 日立

Whether what sounds alike is meant alike, `matcher` asks.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from functools import cache, lru_cache
from itertools import count
from typing import Final

from chopmark.rights.similarity.scripts import is_han
from chopmark.watch.text.vocabulary import pairs

_FIRST: Final = 0xE000
"""Codes are of Unicode's private area, where nobody's text can reach: `canon` drops such characters."""
MAX: Final = 3


@lru_cache(maxsize=60_000)
def readings(letter: str) -> tuple[str, ...]:
    """The commonest readings of an ideograph, at most `MAX`; empty for what is none."""
    if not is_han(letter):
        return ()
    said = _table().get(ord(letter), "").split(",")
    return tuple(dict.fromkeys(filter(None, map(_toneless, said))))[:MAX]


def _toneless(syllable: str) -> str:
    apart = unicodedata.normalize("NFD", syllable).replace("u\u0308", "v")
    plain = "".join(each for each in apart if not unicodedata.combining(each)).lower()
    return plain if plain.isascii() and plain.isalpha() else ""


@cache
def _table() -> dict[int, str]:
    from pypinyin.pinyin_dict import pinyin_dict  # noqa: PLC0415 (its dictionary is needed for Han alone)

    return dict(pinyin_dict)


class Spoken(dict[int, str]):
    """For `str.translate`: an ideograph becomes the code of its first reading."""

    def __init__(self) -> None:
        super().__init__()
        self._codes: dict[str, str] = {}
        self._numbers = count(_FIRST)

    def __missing__(self, code: int) -> str:
        said = readings(chr(code))
        made = self[code] = self.code(said[0]) if said else chr(code)
        return made

    def code(self, syllable: str) -> str:
        """One character for one syllable; two threads that meet two new ones get two."""
        return self._codes.get(syllable) or self._codes.setdefault(syllable, chr(next(self._numbers)))


def is_everyday(row: Sequence[str], first: int) -> bool:
    """Whether two ideographs in a row are a word of a dictionary, or one of them is part of one with its neighbour."""
    known = pairs()
    return any(row[at] + row[at + 1] in known for at in range(max(0, first - 1), min(first + 2, len(row) - 1)))


class Sounds:
    """Names by what they sound like.

    Args:
        names: words of a name, parted by blanks -> what stands for it in the answer.
    """

    def __init__(self, names: Mapping[str, int]) -> None:
        from ahocorasick_rs import AhoCorasick  # noqa: PLC0415 (loaded with the first set of marks)

        self._spoken = Spoken()
        self._names = {at: name.split(" ") for name, at in names.items()}
        self._positions = list(self._names)
        self._automaton = AhoCorasick([f" {name} ".translate(self._spoken) for name in names])

    def find(self, folded: str) -> list[tuple[int, int]]:
        """What sounds like a name: what stands for the name, and where the blank before it is."""
        matches = self._automaton.find_matches_as_indexes(folded.translate(self._spoken), overlapping=True)
        return [(self._positions[name], start) for name, start, _ in matches]

    def changed(self, at: int, row: Sequence[str]) -> int:
        """How many characters are others than the name's."""
        return sum(1 for shown, meant in zip(row, self._names[at], strict=True) if shown != meant)
