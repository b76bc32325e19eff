"""Words as a reader sees them: one plain form of look-alike, invisible, wide, accented and traditional characters.

    words("ＮΙКＥ–耐 剋")                   "nike 耐 克"
    tokens("Levi's\u200b® 501")            Token("levis", 0, 6), Token("501", 9, 12)
    canonical("ＮΙКＥ!")                   Canonical(text="nike ", offsets=(0, 1, 2, 3, 4))

Each character is folded by itself, so that every character of the result knows where it came from. A word is a run of
letters and digits; an ideograph, a syllable of kana or Hangul, a letter of a script without spaces is a word of its
own, and so a mark of such characters is found with or without anything between them. Signs part words, apostrophes
vanish, `&` is a letter (H&M).

What stands for what is Unicode's UTS 39 (by `disarm`), the look-alikes of `rights.similarity`, NFKC, and OpenCC's
simplified characters. `FROZEN` is the same table as text, for where `disarm` is not there, and for noticing when
another version of it answers otherwise (`scripts/text_folds.py` writes it). Sounds are not folded: Cyrillic н looks
like h and is one. Nothing here decides whether a word is a mark.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from itertools import pairwise
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from chopmark.rights.similarity.confusables import TABLE as LOOKS

if TYPE_CHECKING:
    from opencc import OpenCC

VERSION: Final = "canon-1"

APOSTROPHES: Final = frozenset("'’ʼ‘＇ʹ′")
SIGNS: Final = frozenset("®©™℠℗")
"""They stand behind marks and are no letters of them."""
SOFT: Final = "@$!|+€£¢¥§†¡(*#_?•●~^%<{°×"
"""Signs that stand for a letter, or hide one; `views` reads them, here they part words."""
_CURRENCY_AND_LINES = frozenset(SOFT + "│∣ǀ⏐︱￨¦‖₤")
_IGNORED = frozenset(map(chr, (0x034F, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x3164, 0xFFA0, 0xFFFD, *range(0x180B, 0x1810))))
_SEPARATING_CONTROLS = frozenset("\t\n\v\f\r\x1c\x1d\x1e\x1f\x85\u2028\u2029")
_LATIN_MARKS = (
    *((0x0300, 0x0370), (0x0483, 0x048A), (0x0591, 0x05C8), (0x064B, 0x0660), (0x0670, 0x0671)),
    *((0x1AB0, 0x1B00), (0x1DC0, 0x1E00), (0x20D0, 0x2100), (0xFE00, 0xFE30), (0xE0100, 0xE01F0)),
)
"""Combining characters that a reader reads over: of Latin, Greek, Cyrillic, Hebrew and Arabic, not of Indic scripts."""
_OWN_WORDS = (
    *((0x0E00, 0x0F00), (0x1000, 0x10A0), (0x1780, 0x1800), (0x3005, 0x3008), (0x3040, 0x3100), (0x31F0, 0x3200)),
    *((0x3400, 0x4DC0), (0x4E00, 0xA000), (0xAC00, 0xD7B0), (0xF900, 0xFB00), (0x20000, 0x32400)),
)
"""Thai, Lao, Burmese, Khmer, kana, Han, Hangul: written without spaces, or with endings joined on."""
_MORE_LOOKS = {
    "ᑎ": "n",
    "ᑐ": "d",
    "ᗯ": "w",
    "ᔕ": "s",
    "ᒋ": "j",
    "ᗰ": "m",
    "Ꮇ": "m",
    "ꝏ": "oo",
    "ꝃ": "k",
    "Ɇ": "e",
    "ɇ": "e",
}
"""Letters that neither UTS 39 nor `rights.similarity` knows, and that shops' pages have shown."""
_REGIONAL = range(0x1F1E6, 0x1F200)
_ROUNDS = 4


class Canonicaliser(Protocol):
    """What one character looks like."""

    def plain(self, character: str) -> str:
        """The character, or the plain ones that it looks like; case is not folded. Empty for what is not seen."""


class Disarm:
    """UTS 39 and NFKC by the library `disarm`."""

    def plain(self, character: str) -> str:
        """See `Canonicaliser`."""
        import disarm  # noqa: PLC0415 (loaded with the first character that is not ASCII)

        return disarm.strip_obfuscation(character)


class Frozen:
    """The same from `data/folds.txt` and the standard library; used where `disarm` is not installed."""

    def __init__(self) -> None:
        self._table = frozen()

    def plain(self, character: str) -> str:
        """See `Canonicaliser`."""
        known = self._table.get(character)
        return decomposed(character) if known is None else known


@cache
def frozen() -> Mapping[str, str]:
    """What looks like what, for each character where the standard library alone would say something else."""
    table: dict[str, str] = {}
    for line in files(__package__).joinpath("data/folds.txt").read_text("utf-8").splitlines():
        if not line.startswith("#"):
            looks, _, codes = line.partition("\t")
            table.update((chr(int(code, 16)), looks) for code in codes.split())
    return table


def decomposed(character: str) -> str:
    """NFKC without accents: all that the standard library knows of looks."""
    apart = unicodedata.normalize("NFD", unicodedata.normalize("NFKC", character))
    return unicodedata.normalize("NFC", "".join(each for each in apart if not _in(ord(each), _LATIN_MARKS)))


@cache
def _installed() -> Canonicaliser:
    try:
        import disarm  # noqa: F401, PLC0415 (only whether it is there)
    except ImportError:
        return Frozen()
    return Disarm()


class Folds(dict[int, str]):
    """For `str.translate`: what each character becomes; characters are looked up when they are first met.

    Args:
        soft: signs of `SOFT` stay what they are.
    """

    def __init__(self, canonicaliser: Canonicaliser | None = None, *, soft: bool = False) -> None:
        super().__init__()
        self._canonicaliser = canonicaliser
        self._soft = frozenset(SOFT) if soft else frozenset()
        for code in range(128):
            self[code] = self.fold(chr(code))

    def __missing__(self, code: int) -> str:
        folded = self[code] = self.fold(chr(code))
        return folded

    def fold(self, character: str) -> str:
        """What one character becomes: letters, nothing, a blank, or a word of its own between blanks."""
        if character in self._soft:
            return character
        if character in APOSTROPHES or character in _IGNORED:
            return ""
        if character.isascii():
            return character.lower() if character.isalnum() or character == "&" else _sign(character)
        if character in SIGNS or character in _CURRENCY_AND_LINES:
            return " "
        return self._folded(character)

    def _folded(self, character: str) -> str:
        code = ord(character)
        if code in _REGIONAL:
            return chr(code - _REGIONAL.start + ord("a"))
        category = unicodedata.category(character)
        if category in {"Cf", "Cc", "Cs", "Co", "Cn"} or _in(code, _LATIN_MARKS):
            return " " if character in _SEPARATING_CONTROLS else ""
        if category[0] == "Z":
            return " "
        if category[0] == "M":  # vowels of Indic scripts and the like: without them another word is left
            return character
        if _in(code, _OWN_WORDS) or 0xFF66 <= code <= 0xFFDC:  # the latter: half-width kana and Hangul
            return f" {' '.join(map(_simplified, _parts(character)))} "
        return self._looks(character)

    def _looks(self, character: str) -> str:
        """By look, until nothing changes any more: Ѝ -> И -> N -> n."""
        made = character
        for _ in range(_ROUNDS):
            before = made
            made = "".join(map(self._plain, made)).lower()
            if made == before:
                break
        made = "".join(each if _is_letter(each) and not _is_own(each) else self._leftover(each) for each in made)
        return " " if made.isspace() else made

    def _plain(self, character: str) -> str:
        if character.isascii():
            return character
        if (known := LOOKS.get(ord(character))) is not None:
            return known
        if (more := _MORE_LOOKS.get(character)) is not None:
            return more
        canonicaliser = self._canonicaliser or _installed()
        return canonicaliser.plain(character)

    def _leftover(self, character: str) -> str:
        if _is_own(character):  # in a circle, a square, brackets
            return f" {_simplified(character)} "
        return "" if _in(ord(character), _LATIN_MARKS) or character in _IGNORED else " "


def _sign(character: str) -> str:
    return "" if unicodedata.category(character) == "Cc" and character not in _SEPARATING_CONTROLS else " "


def _parts(character: str) -> str:
    """NFKC, with the signs of kana apart, as half-width kana have them; a Hangul syllable stays whole."""
    plain = unicodedata.normalize("NFKC", character)
    return unicodedata.normalize("NFD", plain) if "\u3040" <= plain[0] <= "\u30ff" else plain


def _is_letter(character: str) -> bool:
    return character == "&" or (unicodedata.category(character)[0] in "LNM" and not _in(ord(character), _LATIN_MARKS))


def _is_own(character: str) -> bool:
    """Whether it is a word by itself."""
    return _in(ord(character), _OWN_WORDS)


def _in(code: int, ranges: tuple[tuple[int, int], ...]) -> bool:
    return any(first <= code < end for first, end in ranges)


def _simplified(character: str) -> str:
    return _opencc(character) if "\u3400" <= character <= "\ufaff" or character > "\U00020000" else character


@cache
def _opencc(character: str) -> str:
    made = str(_converter().convert(character))
    return made if len(made) == 1 else character


@cache
def _converter() -> OpenCC:
    import opencc  # noqa: PLC0415 (its tables are needed for Han alone)

    return opencc.OpenCC("t2s")


HARD_FOLDS: Final = Folds()
SOFT_FOLDS: Final = Folds(soft=True)


class Token(NamedTuple):
    """A word of the plain form, and the characters `start` to `end` of the text that it was read from."""

    text: str
    start: int
    end: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Canonical:
    """A plain form with the way back.

    Attributes:
        offsets: for each character of `text`, the index of the character it came from.
    """

    text: str
    offsets: tuple[int, ...]


def words(text: str) -> str:
    """The words of the plain form, parted by one blank."""
    return " ".join(text.translate(HARD_FOLDS).split())


def canonical(text: str, folds: Folds = HARD_FOLDS) -> Canonical:
    """The plain form as it comes out, blanks and all."""
    parts = [folds[ord(each)] for each in text]
    return Canonical(text="".join(parts), offsets=tuple(at for at, part in enumerate(parts) for _ in range(len(part))))


_ASCII_WORDS: Final = re.compile(r"[A-Za-z0-9&](?:[\x00-\x08\x0e-\x1b\x7f']*[A-Za-z0-9&])*")


def tokens(text: str, folds: Folds = HARD_FOLDS) -> list[Token]:
    """The words of the plain form with their places: the same words in the same order as of `words`."""
    if folds is HARD_FOLDS and text.isascii():
        lower = text.lower()
        made = [Token(lower[start:end], start, end) for start, end in map(_span, _ASCII_WORDS.finditer(text))]
        return made if "'" not in text and text.isprintable() else [_bare(each) for each in made]
    plain = canonical(text, folds)
    return [
        Token(word.group(), plain.offsets[word.start()], plain.offsets[word.end() - 1] + 1)
        for word in re.finditer(r"\S+", plain.text)
    ]


_span: Final = re.Match.span


def _bare(token: Token) -> Token:
    return token._replace(text=token.text.translate(HARD_FOLDS))


def whole(found: list[Token], first: int, last: int) -> bool:
    """Whether the words `first` to `last` begin and end where characters of the text do.

    ㎏ is k and g: a mark "g" does not stand in it. バ is ハ and a sign for its sound: "ハ" does not stand in it.
    """
    before, after = found[first - 1 : first], found[last + 1 : last + 2]
    return not any(left.end > right.start for left, right in pairwise([*before, found[first]])) and not any(
        right.start < left.end or unicodedata.combining(right.text[0])
        for left, right in pairwise([found[last], *after])
    )
