"""Look-alikes of words, planted to be found again: sixteen ways to copy a name. For tests and the benchmark.

It imports nothing of `chopmark.rights.similarity`: homoglyphs come from Unicode's own table in the reference data,
sounds from tables of this file, pinyin and traditional forms from the same libraries that the search uses.
One hand wrote these copies and the search, knowing both: what is found of them is what can be reached with such copies,
not what strangers' copies would show.
"""

from __future__ import annotations

import gzip
import json
import random
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from functools import cache, lru_cache
from pathlib import Path

from opencc import OpenCC
from pypinyin import Style, lazy_pinyin, pinyin

VOWELS = "aeiou"
LETTERS = "abcdefghijklmnopqrstuvwxyz"
KEYS_BESIDE = {
    "a": "sq",
    "b": "vn",
    "c": "xv",
    "d": "sf",
    "e": "wr",
    "g": "fh",
    "i": "uo",
    "l": "ko",
    "m": "n",
    "n": "bm",
}
LEET = {"a": "4@", "e": "3", "i": "1!", "o": "0", "s": "5$", "t": "7", "b": "8", "g": "9"}
_SOUNDS = "ph>f f>ph ck>k c>k k>c s>z x>ks qu>kw i>y y>i oo>u ee>ea w>v z>s sh>sch ai>ay v>w"
SOUND = tuple(tuple(rule.split(">")) for rule in _SOUNDS.split())
AFFIXES = ("official", "pro", "store", "home", "plus", "life", "tech", "max", "baby", "club", "sport", "global")
TITLE = ("new {} running shoes for men 2024", "original {} phone case waterproof", "2 pack {} replacement filter",
         "genuine leather bag {} style free shipping")  # fmt: skip
HAN_AFFIXES = ("官方", "正品", "新", "小", "旗舰店", "家居", "优选", "大")
HAN_TITLE = ("2024新款{}同款男士运动鞋", "正品{}手机壳防摔", "厂家直销{}儿童玩具")
COMMON = "的一是在不了有和人这中大为上个国我以要他时来用们生到作地于出就分对成会可主发年动同工也能下过子"


@cache
def confusables(folder: Path) -> Mapping[str, str]:
    """For each plain letter, the letters of other scripts that Unicode says look like it."""
    table = json.loads(gzip.decompress((folder / "confusables.json.gz").read_bytes()))
    found: dict[str, str] = {}
    for plain, others in table.items():
        if len(plain) == 1 and plain.isascii() and plain.isalpha():
            signs = [other["c"] for other in others]
            found[plain] = "".join(
                s for s in signs if len(s) == 1 and unicodedata.category(s)[0] == "L" and ord(s) < 0x10000
            )
    return found


def brands(data: Path) -> list[str]:
    """Real brand names: of OpenStreetMap's name index in all its languages, and of a shop; each once."""
    index = json.loads(gzip.decompress((data / "brands-nsi" / "nsi.min.json.gz").read_bytes()))["nsi"]
    labels = json.loads(gzip.decompress((data / "brands-nsi" / "wikidata.min.json.gz").read_bytes()))["wikidata"]
    shop = json.loads(gzip.decompress((data / "brands-amazon" / "list-of-brands.json.gz").read_bytes()))
    names: dict[str, None] = {}
    for group in index.values():
        for item in group.get("items", ()):
            names[item["displayName"]] = None
            tags = item.get("tags", {})
            names |= {
                tags[tag]: None
                for tag in sorted(tags)
                if tag.split(":")[0] in ("brand", "name", "operator") and ":wiki" not in tag
            }
    names |= {label["label"]: None for label in labels.values() if label.get("label")}
    names |= {brand: None for brand, _, _ in shop}
    return [name for name in names if any(letter.isalnum() for letter in name) and len(name) <= 60]


def made_up(count: int, like: Sequence[str], seed: int) -> list[str]:
    """More names than there are: letters in the order that letters of real names have (three before each)."""
    rng = random.Random(seed)  # noqa: S311 (the same names every time)
    plain = [name for name in like if name.isascii() and 3 <= len(name) <= 24]
    after: dict[str, str] = {}
    for name in plain:
        padded = f"^^^{name}\n"
        for at in range(3, len(padded)):
            after[padded[at - 3 : at]] = after.get(padded[at - 3 : at], "") + padded[at]
    made: dict[str, None] = {}
    while len(made) < count:
        name = "^^^"
        while name[-1] != "\n" and len(name) < 27:
            name += rng.choice(after[name[-3:]])
        if len(name) > 6:
            made[name[3:].strip()] = None
    return list(made)


def is_han(name: str) -> bool:
    """Whether it is of ideographs alone, as a Chinese brand is."""
    return all("\u4e00" <= each <= "\u9fff" for each in name)


def kinds(folder: Path) -> Mapping[str, tuple[bool, Callable[[str, random.Random], str]]]:
    """Name of each kind -> whether it is one of Chinese names, and how it is made; the same text when it cannot be."""
    signs = confusables(folder)
    return {
        "case and punctuation": (False, _repunctuated),
        "spacing": (False, lambda n, r: n.replace(" ", "") if " " in n else _insert(n, " ", r)),
        "one edit": (False, _edited),
        "two edits": (False, lambda n, r: _edited(_edited(n, r), r)),
        "swapped letters": (False, _swapped),
        "doubled letter": (False, lambda n, r: _at(n, r, lambda c: c + c)),
        "leet": (False, lambda n, r: _each(n, r, LEET, 0.6)),
        "homoglyph": (False, lambda n, r: _each(n, r, signs, 0.5)),
        "sound": (False, _respelt),
        "affix": (False, _affixed),
        "in a title": (False, lambda n, r: r.choice(TITLE).format(n)),
        "traditional": (True, lambda n, _: _traditional(n)),
        "pinyin": (True, lambda n, r: r.choice(("", " ")).join(lazy_pinyin(n))),
        "homophone": (True, _homophone),
        "one character": (True, lambda n, r: _at(n, r, lambda c: r.choice(COMMON.replace(c, "")))),
        "Chinese affix": (True, _affixed_han),
    }


def _repunctuated(name: str, rng: random.Random) -> str:
    return name.upper() if rng.random() < 0.3 else rng.choice("-._ '").join(name.split()) + "."


def _affixed(name: str, rng: random.Random) -> str:
    if rng.random() < 0.6:
        return f"{name}{rng.choice(('', ' '))}{rng.choice(AFFIXES)}"
    return f"{rng.choice(AFFIXES)} {name}"


def _affixed_han(name: str, rng: random.Random) -> str:
    return rng.choice(HAN_TITLE).format(name) if rng.random() < 0.3 else name + rng.choice(HAN_AFFIXES)


def planted(names: Sequence[str], each: int, seed: int, folder: Path) -> list[tuple[str, str, str]]:
    """(kind, look-alike, original), `each` of every kind, of names of four Latin or three Chinese letters and more."""
    rng = random.Random(seed)  # noqa: S311 (the same names every time)
    latin = [n for n in names if n.isascii() and sum(map(str.isalpha, n)) >= 4 and len(n) <= 24]
    han = [n for n in names if is_han(n) and len(n) >= 3]
    made = []
    for kind, (chinese, make) in kinds(folder).items():
        count = 0
        while count < each:
            original = rng.choice(han if chinese else latin)
            copy = make(original, rng)
            if copy != original and (kind == "case and punctuation" or copy.casefold() != original.casefold()):
                made.append((kind, copy, original))
                count += 1
    return made


def _at(name: str, rng: random.Random, change: Callable[[str], str]) -> str:
    at = rng.choice([i for i, letter in enumerate(name) if letter.isalnum()])
    return name[:at] + change(name[at]) + name[at + 1 :]


def _insert(name: str, what: str, rng: random.Random) -> str:
    at = rng.randrange(2, len(name) - 1)
    return name[:at] + what + name[at:]


def _edited(name: str, rng: random.Random) -> str:
    match rng.randrange(3):
        case 0:
            return _at(name, rng, lambda c: rng.choice(KEYS_BESIDE.get(c.lower(), "") + LETTERS))
        case 1:
            return _at(name, rng, lambda _: "")
        case _:
            return _insert(name, rng.choice(LETTERS), rng)


def _swapped(name: str, rng: random.Random) -> str:
    at = rng.randrange(0, len(name) - 1)
    return name[:at] + name[at + 1] + name[at] + name[at + 2 :]


def _each(name: str, rng: random.Random, table: Mapping[str, str], share: float) -> str:
    def change(letter: str) -> str:
        others = table.get(letter) or table.get(letter.lower())
        return rng.choice(others) if others and rng.random() < share else letter

    return "".join(map(change, name))


def _respelt(name: str, rng: random.Random) -> str:
    fitting = [(old, new) for old, new in SOUND if old in name.lower()]
    for old, new in rng.sample(fitting, min(2, len(fitting))):
        name = name.lower().replace(old, new, 1)
    return name


@lru_cache(maxsize=1)
def _converter() -> OpenCC:
    return OpenCC("s2t")


def _traditional(name: str) -> str:
    made: str = _converter().convert(name)
    return made


@lru_cache(maxsize=1)
def _by_sound() -> Mapping[str, str]:
    found: dict[str, str] = {}
    for code in range(0x4E00, 0x9FA6):
        try:
            chr(code).encode("gb2312")  # the characters in common use
        except UnicodeEncodeError:
            continue
        [[sound]] = pinyin(chr(code), style=Style.NORMAL)
        found[sound] = found.get(sound, "") + chr(code)
    return found


def _homophone(name: str, rng: random.Random) -> str:
    sounds = lazy_pinyin(name)
    made = [
        rng.choice(_by_sound().get(sound, letter)) if rng.random() < 0.7 else letter
        for letter, sound in zip(name, sounds, strict=True)
    ]
    return "".join(made)
