"""How sellers hide a name that buyers still read: seeded generators for tests and benchmarks.

    FAMILIES["leet"](random.Random(1), "nike")      "n1ke"

Each takes a random generator and a name of Latin letters (`CHINESE`: of ideographs) and returns the disguise, or an
empty text where the name has nothing to disguise that way. `FAMILIES` are those that the literature and the market
know; `HELD_OUT` were written without looking at the views, from habits of sellers, and combine several. The views were
never adjusted to a figure of `HELD_OUT`. Nothing here imports what it tests.
"""

from __future__ import annotations

import random
import unicodedata
from collections.abc import Callable, Mapping, Sequence

Disguise = Callable[[random.Random, str], str]

# --- letters for letters -------------------------------------------------------------------------------------------

_CYRILLIC = dict(zip("aceopxyijskbmht", "асеорхуіјѕкЬмһт", strict=True))
_GREEK = dict(zip("aoinvtkpyx", "αοιηντκργχ", strict=True))
_GREEK_CAPITALS = dict(zip("ABEHIKMNOPTXYZ", "ΑΒΕΗΙΚΜΝΟΡΤΧΥΖ", strict=True))
_ACCENTS = "\u0300\u0301\u0302\u0303\u0304\u0306\u0308\u030a\u030c\u0327"
_UTS39 = {
    "a": "ɑ⍺𝒂ａ",
    "b": "Ƅ𝐛ｂ",
    "c": "ϲᴄⅽ𝖼",
    "d": "ԁⅾ𝚍",
    "e": "℮ҽꬲ𝗲",
    "f": "ſꞙ𝐟",
    "g": "ɡց𝓰",
    "h": "հᏂ𝘩",
    "i": "ɩӏ𝒊ⅰ",
    "j": "ϳⅉ𝙟",
    "k": "𝐤𝚔",
    "l": "ⅼ𝗅ｌ",
    "m": "ⅿ𝑚",
    "n": "ո𝐧",
    "o": "օ௦ⲟ𝗈",
    "p": "ⲣ⍴𝐩",
    "q": "ԛգ𝗊",
    "r": "ᴦⲅ𝗿",
    "s": "ꜱƽ𝐬",
    "t": "𝐭𝗍",
    "u": "ʋᴜꭎ𝘂",
    "v": "ⅴᴠ∨𝗏",
    "w": "ɯաѡ𝐰",
    "x": "ⅹ᙮𝗑",
    "y": "ʏγყ𝗒",
    "z": "ᴢ𝗓",
}
_LEET = dict(zip("oieastbg", "01345789", strict=True)) | {"i": "1", "l": "1"}
_SYMBOLS = {"a": "@", "s": "$", "i": "!", "l": "|", "e": "€", "t": "+", "c": "¢"}


def _some(seed: random.Random, name: str, table: Mapping[str, str], *, every: bool = False) -> str:
    """One letter or more of those that the table has, replaced."""
    places = [at for at, each in enumerate(name) if each in table]
    if not places:
        return ""
    chosen = set(places if every else seed.sample(places, seed.randint(1, len(places))))
    return "".join(seed.choice(table[each]) if at in chosen else each for at, each in enumerate(name))


def _shifted(name: str, lower: int, upper: int) -> str:
    made = []
    for each in name:
        if "a" <= each <= "z":
            made.append(chr(lower + ord(each) - 97))
        elif "A" <= each <= "Z":
            made.append(chr(upper + ord(each) - 65))
        else:
            made.append(each)
    return "".join(made)


def fullwidth(_: random.Random, name: str) -> str:
    return "".join(chr(ord(each) + 0xFEE0) if "!" <= each <= "~" else each for each in name)


def bold(_: random.Random, name: str) -> str:
    return _shifted(name, 0x1D41A, 0x1D400)


def circled(_: random.Random, name: str) -> str:
    return _shifted(name, 0x24D0, 0x24B6)


def zero_width(seed: random.Random, name: str) -> str:
    at = seed.randint(1, len(name) - 1)
    return name[:at] + seed.choice("\u200b\u200c\u200d\u2060\ufeff\u00ad") + name[at:]


def cyrillic(seed: random.Random, name: str) -> str:
    return _some(seed, name.lower(), _CYRILLIC)


def greek(seed: random.Random, name: str) -> str:
    small = seed.random() < 0.5
    return _some(seed, name.lower(), _GREEK) if small else _some(seed, name.upper(), _GREEK_CAPITALS)


def diacritics(seed: random.Random, name: str) -> str:
    at = seed.choice([at for at, each in enumerate(name) if each.isalpha()])
    return unicodedata.normalize("NFC", name[: at + 1] + seed.choice(_ACCENTS) + name[at + 1 :])


def zalgo(seed: random.Random, name: str) -> str:
    marks = [chr(code) for code in range(0x0300, 0x036F) if code != 0x034F]
    return "".join(each + "".join(seed.choices(marks, k=seed.randint(1, 6) * each.isalpha())) for each in name)


def any_confusable(seed: random.Random, name: str) -> str:
    return _some(seed, name.lower(), _UTS39)


def leet(seed: random.Random, name: str) -> str:
    return _some(seed, name.lower(), _LEET)


def leet_symbols(seed: random.Random, name: str) -> str:
    return _some(seed, name.lower(), _SYMBOLS)


def pairs(seed: random.Random, name: str) -> str:
    """rn for m, vv for w, cl for d, nn for m."""
    lower = name.lower()
    rules = [(single, pair) for single, pair in (("m", "rn"), ("w", "vv"), ("d", "cl")) if single in lower]
    if not rules:
        return ""
    single, pair = seed.choice(rules)
    return lower.replace(single, pair, 1)


# --- letters and blanks --------------------------------------------------------------------------------------------


def letters_separated(seed: random.Random, name: str) -> str:
    return seed.choice([" ", ".", "-", "_", "·", "/"]).join(each for each in name if each != " ")


def split(seed: random.Random, name: str) -> str:
    longest = max(name.split(" "), key=len)
    at = seed.randint(1, len(longest) - 1)
    return name.replace(longest, longest[:at] + seed.choice([" ", "-", "."]) + longest[at:], 1)


def no_space(_: random.Random, name: str) -> str:
    return name.replace(" ", "") if " " in name else ""


def glued(seed: random.Random, name: str) -> str:
    word = seed.choice(["shoes", "watch", "bag", "style", "case", "best", "new", "official", "store", "original"])
    plain = name.replace(" ", "")
    return plain + word if seed.random() < 0.6 else word + plain


def masked(seed: random.Random, name: str) -> str:
    places = [at for at in range(1, len(name)) if name[at].isalpha()]
    at = seed.choice(places)
    return name[:at] + seed.choice("*#_") + name[at + 1 :]


# --- misspelled ----------------------------------------------------------------------------------------------------


def _long_word(name: str) -> str:
    return max(name.split(" "), key=len)


def _edited(name: str, edit: Callable[[str], str]) -> str:
    word = _long_word(name)
    made = edit(word)
    return "" if made == word else name.replace(word, made, 1)


def doubled(seed: random.Random, name: str) -> str:
    def edit(word: str) -> str:
        at = seed.randrange(len(word))
        return word[:at] + word[at] + word[at:]

    return _edited(name, edit)


def transposed(seed: random.Random, name: str) -> str:
    def edit(word: str) -> str:
        at = seed.randrange(len(word) - 1)
        return word[:at] + word[at + 1] + word[at] + word[at + 2 :]

    return _edited(name, edit)


def substituted(seed: random.Random, name: str) -> str:
    def edit(word: str) -> str:
        at = seed.randrange(1, len(word))
        return word[:at] + seed.choice("abcdefghijklmnopqrstuvwxyz") + word[at + 1 :]

    return _edited(name, edit)


def deleted(seed: random.Random, name: str) -> str:
    def edit(word: str) -> str:
        at = seed.randrange(1, len(word))
        return word[:at] + word[at + 1 :]

    return _edited(name, edit)


def stretched(seed: random.Random, name: str) -> str:
    at = seed.choice([at for at, each in enumerate(name) if each.isalpha()])
    return name[:at] + name[at] * seed.randint(2, 4) + name[at + 1 :]


def leet_and_glue(seed: random.Random, name: str) -> str:
    made = _some(seed, name.lower().replace(" ", ""), {"o": "0", "i": "1", "e": "3"})
    return made and made + seed.choice(["shoes", "bag", "phone", "shirt", "tv"])


FAMILIES: Mapping[str, Disguise] = {
    "full width": fullwidth,
    "mathematical bold": bold,
    "circled": circled,
    "zero width": zero_width,
    "Cyrillic letters": cyrillic,
    "Greek letters": greek,
    "accents": diacritics,
    "zalgo": zalgo,
    "any of UTS 39": any_confusable,
    "leet digits": leet,
    "leet signs": leet_symbols,
    "rn for m, vv for w, cl for d": pairs,
    "letters apart": letters_separated,
    "split": split,
    "blank left out": no_space,
    "glued to a word": glued,
    "a letter masked": masked,
    "a letter doubled": doubled,
    "two letters swapped": transposed,
    "a letter changed": substituted,
    "a letter left out": deleted,
    "a letter stretched": stretched,
    "leet and glued": leet_and_glue,
}
CODE_POINTS = (
    "full width",
    "mathematical bold",
    "circled",
    "zero width",
    "Cyrillic letters",
    "Greek letters",
    "accents",
    "zalgo",
)
"""Families that change code points only: each must be found always, and no clean title flagged."""

# --- held out ------------------------------------------------------------------------------------------------------

_FLAGS = {each: chr(0x1F1E6 + ord(each) - 97) for each in "abcdefghijklmnopqrstuvwxyz"}
_SMALL_CAPITALS = dict(zip("abcdefghijklmnopqrstuvwyz", "ᴀʙᴄᴅᴇꜰɢʜɪᴊᴋʟᴍɴᴏᴘꞯʀꜱᴛᴜᴠᴡʏᴢ", strict=True))
_RAISED = dict(zip("abcdefghijklmnoprstuvwxyz", "ᵃᵇᶜᵈᵉᶠᵍʰⁱʲᵏˡᵐⁿᵒᵖʳˢᵗᵘᵛʷˣʸᶻ", strict=True))
_ARMENIAN = {"h": "հ", "n": "ո", "o": "օ", "u": "ս", "g": "ց", "q": "զ"}
_EMOJI = "🔥✨⭐💯✅👟"


def flags(_: random.Random, name: str) -> str:
    return "".join(_FLAGS.get(each, each) for each in name.lower())


def small_capitals(_: random.Random, name: str) -> str:
    return "".join(_SMALL_CAPITALS.get(each, each) for each in name.lower())


def raised(_: random.Random, name: str) -> str:
    return "".join(_RAISED.get(each, each) for each in name.lower())


def squared(_: random.Random, name: str) -> str:
    return _shifted(name.upper(), 0x1F130, 0x1F130)


def ransom_note(seed: random.Random, name: str) -> str:
    styles = [0x1D41A, 0x1D44E, 0x1D482, 0x1D4EA, 0x1D51E, 0x1D5BA, 0x1D5EE, 0x1D622, 0x1D68A]
    made = []
    for each in name.lower():
        style = seed.choice(styles)
        made.append(chr(style + ord(each) - 97) if "a" <= each <= "z" and seed.random() < 0.7 and each != "h" else each)
    return "".join(made)


def armenian(seed: random.Random, name: str) -> str:
    return _some(seed, name.lower(), _ARMENIAN)


def strike_through(_: random.Random, name: str) -> str:
    return "".join(f"{each}\u0336" for each in name)


def invisible_flood(seed: random.Random, name: str) -> str:
    return "".join(each + "".join(seed.choices("\u200b\u200d\u2063\ufe0f\U000e0061", k=3)) for each in name)


def emoji_between(seed: random.Random, name: str) -> str:
    at = seed.randint(1, len(name) - 1)
    return name[:at] + seed.choice(_EMOJI) + name[at:]


def leet_apart(seed: random.Random, name: str) -> str:
    made = _some(seed, name.lower().replace(" ", ""), {"o": "0", "i": "1", "e": "3", "a": "4", "s": "5"})
    return made and seed.choice([" ", "."]).join(made)


def year_behind(seed: random.Random, name: str) -> str:
    return name.replace(" ", "") + seed.choice(["2024", "2025", "24", "88", "01"])


def hyphen_syllables(seed: random.Random, name: str) -> str:
    plain = name.replace(" ", "")
    cuts = sorted(seed.sample(range(1, len(plain)), min(2, len(plain) - 1)))
    return "-".join(plain[left:right] for left, right in zip([0, *cuts], [*cuts, len(plain)], strict=True))


def look_for_i(seed: random.Random, name: str) -> str:
    """Capital I for l, small l for I: the same stroke in most fonts."""
    return _some(seed, name.lower(), {"l": "I", "i": "l"})


def keyboard(seed: random.Random, name: str) -> str:
    """A neighbour on the keyboard."""
    rows = ("qwertyuiop", "asdfghjkl", "zxcvbnm")

    def edit(word: str) -> str:
        at = seed.randrange(1, len(word))
        row = next((row for row in rows if word[at].lower() in row), "")
        if not row:
            return word
        place = row.index(word[at].lower())
        return word[:at] + row[place - 1 if place else 1] + word[at + 1 :]

    return _edited(name, edit)


def phonetic(seed: random.Random, name: str) -> str:
    """As it sounds: k for c, y for i, z for s, f for ph."""
    rules = [("ph", "f"), ("ck", "k"), ("c", "k"), ("i", "y"), ("s", "z"), ("y", "i"), ("oo", "u"), ("x", "ks")]
    found = [(old, new) for old, new in rules if old in _long_word(name.lower())[1:]]
    if not found:
        return ""
    old, new = seed.choice(found)
    lower = name.lower()
    at = lower.index(_long_word(lower)) + 1
    place = lower.index(old, at)
    return lower[:place] + new + lower[place + len(old) :]


def two_stars(seed: random.Random, name: str) -> str:
    word = _long_word(name)
    if len(word) < 6:
        return ""
    places = seed.sample(range(1, len(word)), 2)
    return name.replace(word, "".join("*" if at in places else each for at, each in enumerate(word)), 1)


def mixed_scripts(seed: random.Random, name: str) -> str:
    """A Cyrillic letter, an accent and a digit at once."""
    made = _some(seed, name.lower(), _CYRILLIC) or name.lower()
    return diacritics(seed, _some(seed, made, {"i": "1", "o": "0", "l": "1"}) or made)


def tail(seed: random.Random, name: str) -> str:
    """A word that is none behind it: nikeee, sonyz, nike-ish."""
    return name.replace(" ", "") + seed.choice(["-style", "-like", "-type", "s"])


HELD_OUT: Mapping[str, Disguise] = {
    "flag letters": flags,
    "small capitals": small_capitals,
    "raised letters": raised,
    "squared": squared,
    "letters of many styles": ransom_note,
    "Armenian letters": armenian,
    "struck through": strike_through,
    "flood of invisible characters": invisible_flood,
    "an emoji between": emoji_between,
    "leet and apart": leet_apart,
    "a year behind": year_behind,
    "in three with hyphens": hyphen_syllables,
    "I for l": look_for_i,
    "a neighbour on the keyboard": keyboard,
    "as it sounds": phonetic,
    "two stars": two_stars,
    "Cyrillic, accent and digit": mixed_scripts,
    "an ending": tail,
}

# --- Chinese -------------------------------------------------------------------------------------------------------


def separated_han(seed: random.Random, name: str) -> str:
    return seed.choice([" ", ".", "·", "*", "-", "_"]).join(name)


def invisible_han(seed: random.Random, name: str) -> str:
    return seed.choice("\u200b\u200d\u2060\ufeff").join(name)


def traditional(_: random.Random, name: str) -> str:
    from opencc import OpenCC  # noqa: PLC0415 (only here)

    made = str(OpenCC("s2t").convert(name))
    return "" if made == name else made


def spelled(seed: random.Random, name: str) -> str:
    from pypinyin import lazy_pinyin  # noqa: PLC0415 (only here)

    return seed.choice(["", " "]).join(lazy_pinyin(name))


def half_spelled(seed: random.Random, name: str) -> str:
    from pypinyin import lazy_pinyin  # noqa: PLC0415 (only here)

    sounds = lazy_pinyin(name)
    at = seed.randrange(len(name))
    return "".join(sounds[place] if place == at else each for place, each in enumerate(name))


def homophones(seed: random.Random, name: str) -> str:
    """One character or more replaced by another that sounds the same, tone left out."""
    if len(name) < 3:
        return ""
    alike = _alike()
    from pypinyin import lazy_pinyin  # noqa: PLC0415 (only here)

    sounds = lazy_pinyin(name)
    places = seed.sample(range(len(name)), seed.randint(1, len(name) - 1))
    made = list(name)
    for at in places:
        others = [each for each in alike.get(sounds[at], ()) if each != name[at]]
        if others:
            made[at] = seed.choice(others)
    return "" if "".join(made) == name else "".join(made)


def homophone_of_two(seed: random.Random, name: str) -> str:
    """Of a name of two characters one is replaced by another that sounds the same, tone left out."""
    if len(name) != 2:
        return ""
    from pypinyin import lazy_pinyin  # noqa: PLC0415 (only here)

    at = seed.randrange(2)
    others = [each for each in _alike().get(lazy_pinyin(name)[at], ()) if each != name[at]]
    return name[:at] + seed.choice(others) + name[at + 1 :] if others else ""


_KNOWN: dict[str, list[str]] = {}


def _alike() -> Mapping[str, Sequence[str]]:
    """Common characters by their sound: those of GB 2312's first level, which is ordered by sound."""
    from pypinyin import lazy_pinyin  # noqa: PLC0415 (only here)

    if not _KNOWN:
        for high in range(0xB0, 0xD8):
            for low in range(0xA1, 0xFF):
                try:
                    letter = bytes([high, low]).decode("gb2312")
                except UnicodeDecodeError:
                    continue
                _KNOWN.setdefault(lazy_pinyin(letter)[0], []).append(letter)
    return _KNOWN


CHINESE: Mapping[str, Disguise] = {
    "something between": separated_han,
    "invisible characters": invisible_han,
    "traditional": traditional,
    "pinyin": spelled,
    "half pinyin": half_spelled,
    "homophones": homophones,
}
CHINESE_WATCHED: Mapping[str, Disguise] = {"homophone of two": homophone_of_two}
"""Of names on the watch-list alone."""
