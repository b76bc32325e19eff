"""How words of other scripts sound, in Latin letters: Cyrillic, Greek, kana, Hangul, Han.

Rough on purpose, because the result is compared by `keys`' rules of sound, never shown: one reading for a character
with several, no accents, no tones. Han is read as Mandarin, also where it is Japanese.
"""

from __future__ import annotations

import unicodedata
from functools import lru_cache
from types import MappingProxyType

_CYRILLIC = "абвгдеёжзийклмнопрстуфхцчшщъыьэюяіїєґўћђљњџј"
_CYRILLIC_SOUNDS = (
    "a b v g d e yo zh z i y k l m n o p r s t u f h ts ch sh shch - y - e yu ya i yi ye g u c dj lj nj dz j"
)
_GREEK = "αβγδεζηθικλμνξοπρσςτυφχψω"
_GREEK_SOUNDS = "a v g d e z i th i k l m n x o p r s s t i f ch ps o"
_KANA_ROWS = {
    "": "あいうえお",
    "k": "かきくけこ",
    "s": "さしすせそ",
    "t": "たちつてと",
    "n": "なにぬねの",
    "h": "はひふへほ",
    "m": "まみむめも",
    "r": "らりるれろ",
    "g": "がぎぐげご",
    "z": "ざじずぜぞ",
    "d": "だぢづでど",
    "b": "ばびぶべぼ",
    "p": "ぱぴぷぺぽ",
}
_KANA_ODD = "しちつふじやゆよわをんっーゃゅょぁぃぅぇぉゔ"
_KANA_ODD_SOUNDS = "shi chi tsu fu ji ya yu yo wa o n - - ya yu yo a i u e o v"
_LEADS = "g kk n d tt r m b pp s ss - j jj ch k t p h"
_VOWELS = "a ae ya yae eo e yeo ye o wa wae oe yo u wo we wi yu eu ui i"
_TAILS = "- k k k n n n t l l l l l l l l m p p t t ng t t k t p t"
_HANGUL = range(0xAC00, 0xD7A4)


def _letters() -> dict[str, str]:
    kana = {each: lead + vowel for lead, row in _KANA_ROWS.items() for each, vowel in zip(row, "aiueo", strict=True)}
    for letters, sounds in (
        (_CYRILLIC, _CYRILLIC_SOUNDS),
        (_GREEK, _GREEK_SOUNDS),
        (_KANA_ODD, _KANA_ODD_SOUNDS),
    ):
        kana.update(zip(letters, _listed(sounds), strict=True))
    return kana


def _listed(sounds: str) -> list[str]:
    """Sounds parted by blanks; `-` is none."""
    return [each.replace("-", "") for each in sounds.split()]


LETTERS = MappingProxyType(_letters())
_LEAD, _VOWEL, _TAIL = _listed(_LEADS), _listed(_VOWELS), _listed(_TAILS)


def is_han(letter: str) -> bool:
    """Whether this is an ideograph (of the blocks in common use)."""
    return "\u4e00" <= letter <= "\u9fff" or "\u3400" <= letter <= "\u4dbf" or "\U00020000" <= letter <= "\U000323af"


def has_han(text: str) -> bool:
    """Whether any letter of it is an ideograph."""
    return not text.isascii() and any(map(is_han, text))


def pinyin(text: str) -> str:
    """The Mandarin reading of its ideographs, without tones and blanks; empty where it has none."""
    return "".join(_reading(each) for each in text if is_han(each)) if has_han(text) else ""


def latin(text: str) -> str:
    """Its sound in Latin letters; `text` is in lower case, and what is Latin stays as it is."""
    if text.isascii():
        return text
    hiragana = (chr(ord(each) - 0x60) if "ァ" <= each <= "ヴ" else each for each in text)
    return "".join(each if each.isascii() else _sound(each) for each in hiragana)


def _sound(letter: str) -> str:
    if (known := LETTERS.get(letter)) is not None:
        return known
    if ord(letter) in _HANGUL:
        lead, rest = divmod(ord(letter) - _HANGUL.start, 588)
        vowel, tail = divmod(rest, 28)
        return _LEAD[lead] + _VOWEL[vowel] + _TAIL[tail]
    if is_han(letter):
        return _reading(letter)
    plain = "".join(each for each in unicodedata.normalize("NFKD", letter) if not unicodedata.combining(each))
    return LETTERS.get(plain, plain)


@lru_cache(maxsize=30_000)
def _reading(letter: str) -> str:
    from pypinyin import Style, lazy_pinyin  # noqa: PLC0415 (its dictionary is needed for Han alone)

    [sound] = lazy_pinyin(letter, style=Style.NORMAL, errors="ignore") or [""]
    return sound.replace("ü", "v")
