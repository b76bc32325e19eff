"""What a word looks like, sounds like and consists of: the keys that look-alikes share. `VERSION` names the rules.

    keys("ΑDIDA5®") -> norm "adidas", skeleton "adidas", phonetic "adidas", consonant "adds", pinyin ""
    keys("淘寶")     -> norm "淘宝", skeleton "淘宝", phonetic "taobao", consonant "tb", pinyin "taobao"

Pure; the same text gives the same keys everywhere. What the keys of two words have in common is `score`'s matter.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import TYPE_CHECKING

from chopmark.rights.similarity.confusables import TABLE
from chopmark.rights.similarity.scripts import has_han, is_han, latin, pinyin

if TYPE_CHECKING:
    from opencc import OpenCC

VERSION = "words-v1"
MAX_LENGTH = 200
"""Characters of a text that count; what follows is left out."""

LEET = str.maketrans("0134578926@$!|+", "oieastbgzgasiit")
CLASSES = str.maketrans("lj1|!", "iiiii")
_CLUSTERS = (("rn", "m"), ("vv", "w"), ("uu", "w"), ("cl", "d"), ("nn", "m"))
_DOUBLED = re.compile(r"(.)\1+")
_HYPHENS = re.compile(r"[^\w@$!+&]+|_+")
_RULES = """
sch>x tch>x sh>x ch>x zh>j cz>x sz>x cc>k ck>k cqu>k ph>f gh>g kn>n gn>n wr>r ps>s pf>f th>t dg>j rh>r qu>k
q>k ce>se ci>si cy>si c>k ge>je gi>ji z>s w>v x>ks ee>i ea>i ie>i ei>i ey>i y>i oo>u ou>u eu>u ue>u ew>u au>o
aw>o oa>o oe>o ow>o ai>e ay>e ae>e ao>ao uo>o kh>k dh>d bh>b ght>t mb>m ts>s tz>s ks>ks
"""
_SOUNDS = dict(rule.split(">") for rule in _RULES.split())
_SOUND = re.compile("|".join(sorted(map(re.escape, _SOUNDS), key=len, reverse=True)))
_SILENT_H = re.compile(r"(?<=[aeiou])h(?![aeiou])")
_SILENT_E = re.compile(r"(?<=[a-z]{2}[^aeiou\W])e\b")
_VOWELS = str.maketrans("", "", "aeiou")


@dataclass(frozen=True, slots=True)
class Keys:
    """Keys of one text.

    Attributes:
        norm: the text without case, width, accents, punctuation and traditional forms; words parted by one blank.
        skeleton: how it looks: leet and look-alike letters made plain, look-alike clusters and doubled letters joined.
        phonetic: how it sounds, in a rough alphabet of its own; Han by its reading.
        consonant: the first letter of `phonetic` and its consonants.
        pinyin: the reading of its ideographs; empty where it has none.
    """

    norm: str
    skeleton: str
    phonetic: str
    consonant: str
    pinyin: str = ""


def keys(text: str) -> Keys:
    """The keys of a text; all are empty for a text of signs alone."""
    shown, spoken = _plain(text[:MAX_LENGTH])
    if not any(map(str.isalnum, shown)):
        return Keys(norm="", skeleton="", phonetic="", consonant="")
    sound = phonetic(spoken)
    return Keys(
        norm=shown,
        skeleton=skeleton(shown),
        phonetic=sound,
        consonant=sound[:1] + sound[1:].translate(_VOWELS),
        pinyin=pinyin(shown),
    )


def skeleton(norm: str) -> str:
    """How a normalised text looks, without its blanks."""
    joined = norm.replace(" ", "").replace("&", "").translate(LEET)
    for cluster, one in _CLUSTERS:
        joined = joined.replace(cluster, one)
    return _DOUBLED.sub(r"\1", joined.translate(CLASSES))


def phonetic(words: str) -> str:
    """How it sounds, without its blanks; `words` is lower case, in any script that `scripts` knows."""
    said = latin(words).translate(LEET).replace("&", "n")
    said = _SILENT_E.sub("", said)
    said = _SOUND.sub(lambda found: _SOUNDS[found[0]], said.replace(" ", ""))
    return _DOUBLED.sub(r"\1", _SILENT_H.sub("", said))


def _plain(text: str) -> tuple[str, str]:
    """The text as it is seen (look-alike letters made Latin) and as it is said (other scripts left in place)."""
    if text.isascii():
        words = " ".join(_HYPHENS.sub(" ", text.lower().replace("'", "")).split())
        return words, words
    compatible = unicodedata.normalize("NFKC", _without_signs(text)).replace("'", "").replace("’", "")
    if has_han(compatible):
        compatible = _simplified(compatible)
    seen, said = [], []
    for word in _HYPHENS.sub(" ", compatible).split():
        seen.append(_unaccented(_unaccented(word.translate(TABLE)).translate(TABLE)))
        said.append(_unaccented(word.translate(TABLE) if _is_mixed(word) else word))
    return " ".join(" ".join(seen).split()), " ".join(" ".join(said).split())


def _without_signs(text: str) -> str:
    """Nothing that cannot be seen (format characters, joiners) and none of the signs ® ™ ©."""
    return "".join(each for each in text if unicodedata.category(each) != "Cf" and each not in "®©℠™\u3164")


def _is_mixed(word: str) -> bool:
    """Whether Latin letters and others stand in one word: there the others are meant to be seen, not said."""
    return any("a" <= each <= "z" or "A" <= each <= "Z" for each in word) and not any(map(is_han, word))


def _unaccented(word: str) -> str:
    if word.isascii():
        return word.lower()
    apart = unicodedata.normalize("NFD", word.casefold())
    kept = "".join(each for each in apart if not unicodedata.combining(each) or each in "\u3099\u309a")
    return unicodedata.normalize("NFC", kept)


@lru_cache(maxsize=4096)
def _simplified(text: str) -> str:
    simple: str = _converter().convert(text)
    return simple


@cache
def _converter() -> OpenCC:
    from opencc import OpenCC  # noqa: PLC0415 (its dictionaries are needed for Chinese text alone)

    return OpenCC("t2s")
