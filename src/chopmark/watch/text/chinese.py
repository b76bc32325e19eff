"""How ideographs sound: their readings, and one code for all that sound alike. Tones are left out.

    readings("乐")                  ("le", "yue")
    spoken("奈可")                  two characters, the same for 耐克

Whether what sounds alike is meant alike, `matcher` asks.
"""

from __future__ import annotations

import unicodedata
from functools import cache, lru_cache
from typing import Final

from chopmark.rights.similarity.scripts import is_han

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

    def __missing__(self, code: int) -> str:
        said = readings(chr(code))
        made = self[code] = self.code(said[0]) if said else chr(code)
        return made

    def code(self, syllable: str) -> str:
        """One character for one syllable, in the order in which they are met."""
        return self._codes.setdefault(syllable, chr(_FIRST + len(self._codes)))
