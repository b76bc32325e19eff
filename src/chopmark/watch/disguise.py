"""Whether a name is written in disguise: not by which view found it, but by what differs. Pure.

    is_disguised("Niкe", "Nike", "canonical")       True: a letter of another script
    is_disguised("hermes", "Hermès", "canonical")   False: no accent, and another case

| what differs                                                                        | disguise |
|-------------------------------------------------------------------------------------|----------|
| case; half- and full-width forms, ligatures; accents, more or fewer                 | no       |
| blanks, hyphens and the like between the name's own words, more or fewer            | no       |
| a blank, hyphen or dot within a word, where parts of three letters stay (Play-Mate) | no       |
| a plain ending: s, es, 's; "and" for &                                              | no       |
| traditional for simplified characters; the name in pinyin; one edit (`near`)        | no       |
| a letter of another script, a sign or a digit for one; rn for m; styled letters     | yes      |
| characters that are not seen; strokes and other marks over letters that no accent is | yes     |
| letters parted (n.i.k.e), covered (n*ke); a Chinese character in pinyin among others | yes     |
| characters that sound the same for those of the name                                | yes      |

It says how the name is written, not why: a whole title in mathematical letters may be mere decoration.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from functools import lru_cache
from typing import Final

from chopmark.rights.similarity.scripts import is_han
from chopmark.watch.found import View
from chopmark.watch.text import canon

PART: Final = 3
"""Letters of each part of a word that is merely written apart; of Chinese characters `HAN_PART`."""
HAN_PART: Final = 2
_OTHERWISE: Final[frozenset[View]] = frozenset({"near", "pinyin"})
"""The name is written in another way, and nothing stands for anything."""
_INSTEAD: Final[frozenset[View]] = frozenset({"half_pinyin", "homophone"})
_ENDINGS: Final = ("", "s", "es")
_STYLED: Final = ("<font>", "<circle>", "<square>", "<super>", "<sub>", "<fraction>")
"""Kinds of compatibility by which a sign stands for a letter; widths and ligatures are none of these."""
_UNSEEN: Final = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u3164\uffa0")
_STROKED: Final = str.maketrans({"ø": "o", "ł": "l", "đ": "d", "ħ": "h", "ŧ": "t", "ı": "i", "æ": "ae", "œ": "oe"})
"""Letters of living languages that Unicode takes apart no further."""
_PLAIN: Final = frozenset(" -.\u00a0\u00ad\u00b7\u2010\u2011\u2013\u3000\u30fb")
"""What may stand in a word that is merely written apart."""


@lru_cache(maxsize=10_000)
def is_disguised(read: str, term: str, view: View) -> bool:
    """Whether the characters that were read as a name are that name in disguise.

    Args:
        read: as they stand in the listing.
        term: the name, or one of its other names, as its holder writes it.
        view: by which it was found: those that take whole syllables for others do not show it in the letters.
    """
    if view in _INSTEAD or _hides(read):
        return True
    if view in _OTHERWISE:
        return False
    said = term.replace("&", " and ")
    return _is_otherwise(read, term) and (said == term or _is_otherwise(read, said))


def _is_otherwise(read: str, term: str) -> bool:
    """Whether letters differ, or stand apart that belong together."""
    pieces = _pieces(read)
    shown = "".join(letters for letters, _ in pieces)
    meant = "".join(letters for letters, _ in _pieces(term))
    if shown not in {meant + each for each in _ENDINGS}:
        return True
    return _is_parted(pieces, {at for at, _ in _cuts(_pieces(term))} | _capitals(term))


def _hides(read: str) -> bool:
    """Whether something in it is not seen, stands over a letter without being an accent, or is a styled letter."""
    if read.isascii():
        return False
    whole = unicodedata.normalize("NFC", read)
    return any(
        unicodedata.category(each) in {"Cf", "Cc", "Co", "Cn"}
        or each in _UNSEEN
        or (unicodedata.category(each)[0] == "M" and "\u0300" <= each <= "\u20ff" and not "\u0900" <= each <= "\u1aff")
        or (each not in canon.SIGNS and unicodedata.decomposition(each).startswith(_STYLED))
        for each in whole
    )


def _pieces(text: str) -> list[tuple[str, str]]:
    """Letters and digits in their plainest form, each row of them with what parts it from the next."""
    made: list[tuple[str, str]] = []
    letters, between = "", ""
    one = sum(map(canon.APOSTROPHES.__contains__, text)) == 1  # Levi's and Levis; n'i'k'e is parted
    for each in _plain(text):
        if one and each in canon.APOSTROPHES:
            continue
        if each.isalnum():
            if between and letters:
                made.append((letters, between))
                letters = ""
            between = ""
            letters += each
        else:
            between += each
    return [*made, (letters, "")] if letters else made


def _plain(text: str) -> Iterator[str]:
    """Small letters without accents; Chinese characters simplified."""
    for each in text:
        if each in canon.SIGNS:
            continue
        if is_han(each):
            yield from canon.words(each).replace(" ", "")
            continue
        apart = unicodedata.normalize("NFKD", unicodedata.normalize("NFKC", each).casefold())
        plain = "".join(sign for sign in apart if not "\u0300" <= sign <= "\u036f").translate(_STROKED)
        yield from unicodedata.normalize("NFC", plain)


def _cuts(pieces: list[tuple[str, str]]) -> list[tuple[int, str]]:
    """Where a name is parted: letters before, and what stands there."""
    made: list[tuple[int, str]] = []
    at = 0
    for letters, between in pieces[:-1]:
        at += len(letters)
        made.append((at, between))
    return made


def _capitals(term: str) -> set[int]:
    """Where a word within a name begins with a capital letter, as in EckoUnltd: letters before."""
    letters = [each for each in term if each.isalnum()]
    return {at for at in range(1, len(letters)) if letters[at - 1].islower() and letters[at].isupper()}


def _is_parted(pieces: list[tuple[str, str]], own: set[int]) -> bool:
    """Whether letters that belong together stand apart, and not merely in two long parts."""
    at = 0
    for number, (letters, between) in enumerate(pieces[:-1]):
        at += len(letters)
        after = pieces[number + 1][0]
        least = HAN_PART if is_han(letters[-1]) or is_han(after[0]) else PART
        if at not in own and (min(len(letters), len(after)) < least or not set(between) <= _PLAIN):
            return True
    return False
