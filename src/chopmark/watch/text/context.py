"""What stands around a mark: words of descriptive use, words that offer replicas, contacts, what is hidden, the class.

    is_descriptive(row, first)       "case for iPhone", "compatible with", 适用于: the mark says what the goods fit
    replica_words(text)              高仿, A货, "mirror quality", "1:1", each with its place
    is_brand, other_brand            the brand field names somebody; somebody else
    classes_of(category)             Nice classes of a marketplace's category
    contacts(text)                   telephone numbers, messenger names and addresses outside
    hidden(text)                     invisible and reversed characters

The words are data: `data/slang.toml`, `data/classes.toml`. None of these is a finding by itself.
"""

from __future__ import annotations

import re
import tomllib
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib.resources import files
from typing import Final, Literal

from chopmark.watch.text.canon import tokens, words

MAX_TEXT: Final = 22_000
"""Characters that are read, a title and a description of full length together; what follows is left out."""
MAX_CONTACTS: Final = 50
_LONGEST: Final = 12  # words of a phrase; an ideograph is one

_FITS: Final = ("for", "fits", "fit for", "suits", "compatible with", "works with", "use with", "replacement for")
BEFORE: Final = (
    *(f"{fits} {whose}" for fits in _FITS for whose in ("your", "the", "all", "most", "any", "genuine", "original")),
    *("for", "fits", "fit for", "suits", "replaces", "replacement for", "compatible with", "compatible for"),
    *("works with", "use with", "pour", "compatible avec", "fur", "passend fur", "kompatibel mit", "para"),
    *("compatible con", "per", "voor", "适 用", "适 用 于", "适 配", "兼 容", "通 用 于", "适 合", "用 于"),
    *("适 用 于 各 种", "适 用 于 所 有", "兼 容 各 种", "兼 容 所 有"),
)
"""Plain words right before a mark which say that the goods are for what it names."""
AFTER: Final = ("compatible", "kompatibel", "适 用", "通 用", "专 用", "可 用")
"""The same right after it."""
_BEFORE: Final = frozenset(tuple(each.split(" ")) for each in BEFORE)
_AFTER: Final = frozenset(tuple(each.split(" ")) for each in AFTER)
_MOST: Final = max(map(len, (*_BEFORE, *_AFTER)))


def is_descriptive(row: Sequence[str], first: int, last: int | None = None) -> bool:
    """Whether plain words before `first`, or after `last`, say that the goods are for what is named between."""
    end = (first if last is None else last) + 1
    return any(
        tuple(row[max(0, first - size) : first]) in _BEFORE or tuple(row[end : end + size]) in _AFTER
        for size in range(1, _MOST + 1)
    )


@dataclass(frozen=True, slots=True)
class Slang:
    """A word that offers replicas.

    Attributes:
        word: as it stands in the data. kind: `sure` or `hint`. start, end: characters of the text.
    """

    word: str
    kind: Literal["sure", "hint"]
    start: int
    end: int


def replica_words(text: str) -> tuple[Slang, ...]:
    """Words of `data/slang.toml` in a text, in order, the longest where several begin; none overlap.

    What only has such a word in it and offers no replica (高仿真, "replica jersey") is passed over.
    """
    found = tokens(text[:MAX_TEXT])
    row = [each.text for each in found]
    phrases, firsts = _slang(), _slang_firsts()
    made: list[Slang] = []
    at = 0
    while at < len(row):
        step = 1
        if row[at] not in firsts:
            at += 1
            continue
        for size in range(min(_LONGEST, len(row) - at), 0, -1):
            known = phrases.get(" ".join(row[at : at + size]))
            if known is not None and _has_signs(known[0], text[found[at].start :][: len(known[0]) + 4]):
                if known[1] != "harmless":
                    made.append(Slang(known[0], known[1], found[at].start, found[at + size - 1].end))
                step = size
                break
        at += step
    return tuple(made)


def _has_signs(word: str, text: str) -> bool:
    """Whether the signs of a word stand in the text too: "AAA+" is not "AAA batteries", "1:1" not "1 1/2"."""
    signs = [each for each in word if not each.isalnum() and each not in " -'"]
    shown = unicodedata.normalize("NFKC", text)
    return all(each in shown for each in signs)


@cache
def _slang() -> Mapping[str, tuple[str, Literal["sure", "hint", "harmless"]]]:
    table = _data("slang.toml")
    kinds: tuple[Literal["sure", "hint", "harmless"], ...] = ("hint", "sure", "harmless")
    return {words(each): (each, kind) for kind in kinds for language in ("zh", "en") for each in table[kind][language]}


def is_brand(brand: str) -> bool:
    """Whether a brand field says a brand; "no brand", "generic" and the like say none."""
    return bool(brand) and words(brand[:MAX_TEXT]) not in _no_brand()


@cache
def _slang_firsts() -> frozenset[str]:
    """The words with which they begin."""
    return frozenset(each.partition(" ")[0] for each in _slang())


def other_brand(brand: str, names: Iterable[str]) -> bool:
    """Whether a brand field says a brand, and none of these names of a mark stands in it."""
    if not is_brand(brand):
        return False
    said = f" {words(brand[:MAX_TEXT])} "
    return all(
        f" {words(each)} " not in said and words(each).replace(" ", "") != said.replace(" ", "") for each in names
    )


@cache
def _no_brand() -> frozenset[str]:
    """In plain form; made at the first question, since Chinese words need tables that no start should load."""
    return frozenset(
        words(each)
        for each in (
            *("", "no brand", "generic", "unbranded", "none", "other", "others", "n/a", "oem", "no name", "unknown"),
            *(
                "does not apply",
                "universal",
                "compatible",
                "assorted",
                "various",
                "无品牌",
                "其他",
                "其它",
                "无",
                "国产",
                "other/其他",
            ),
        )
    )


def classes_of(category: str) -> tuple[str, ...]:
    """Nice classes of a category like `Shoes > Running`, in order; of the deepest step that says any.

    Empty where nothing is known: the class is then not known, which is not the same as another class.
    """
    return _classes_of(category[:500])


@lru_cache(maxsize=20_000)
def _classes_of(category: str) -> tuple[str, ...]:
    steps = [step for step in re.split(r"[>›»/|\\]|->|::", category) if step.strip()]
    for step in reversed(steps):
        if found := _classes_in(words(step.replace("&", " ")).split()):
            return tuple(sorted(found, key=int))
    return ()


def _classes_in(row: Sequence[str]) -> set[str]:
    """Of all phrases in a row of words, those that are part of no longer one."""
    phrases = _classes()
    found: set[str] = set()
    covered = 0
    for at in range(len(row)):
        for size in range(min(_LONGEST, len(row) - at), 0, -1):
            known = phrases.get(" ".join(row[at : at + size]))
            if known is not None and at + size > covered:
                found |= known
                covered = at + size
                break
    return found


@cache
def _classes() -> Mapping[str, frozenset[str]]:
    made: dict[str, frozenset[str]] = {}
    for nice, entry in _data("classes.toml").items():
        for each in entry["words"]:
            for form in _numbers(words(each.replace("&", " "))):
                made[form] = made.get(form, frozenset()) | {nice}
    return made


def _numbers(phrase: str) -> Iterator[str]:
    """A phrase, and its last word in singular and plural."""
    yield phrase
    if phrase.isascii():
        yield phrase[:-1] if phrase.endswith("s") and not phrase.endswith("ss") else f"{phrase}s"


@cache
def _data(name: str) -> Mapping[str, Mapping[str, list[str]]]:
    return tomllib.loads(files(__package__).joinpath("data", name).read_text("utf-8"))


_PHONE: Final = re.compile(r"(?<![\w.])\+?\d(?:[ \-().]{0,2}\d){8,14}(?![\w])")
_ADDRESS: Final = re.compile(
    r"\b(?:https?://|www\.)[^\s<>\"']{3,200}|\b[a-z0-9][a-z0-9-]{1,60}\.(?:com|cn|net|org|shop|store|ru|me|vip|top|xyz|cc|io)\b(?:/[^\s]{0,100})?"
)
_MAIL: Final = re.compile(r"\b[a-z0-9._%+-]{1,64}@[a-z0-9.-]{1,100}\.[a-z]{2,12}\b")
_MESSENGER: Final = re.compile(
    r"(微信|威信|薇信|徽信|v信|vx|wx|wechat|weixin|qq|扣扣|whatsapp|telegram|tg|line|viber|kakao|instagram|ig)"
    r"[号群]?\s*(?:id)?\s*[:：=@]?\s*([a-z0-9_+\-]{5,30})"
)
_SAME: Final = {
    **dict.fromkeys(("微信", "威信", "薇信", "徽信", "v信", "vx", "wx", "wechat", "weixin"), "wechat"),
    **dict.fromkeys(("qq", "扣扣"), "qq"),
    **dict.fromkeys(("telegram", "tg"), "telegram"),
    **dict.fromkeys(("instagram", "ig"), "instagram"),
}


def contacts(text: str) -> tuple[str, ...]:
    """Ways to reach a seller outside, normalised so that two texts can be compared, sorted: `tel:13800138000`.

    Digits of other scripts and widths are read; what is only a product's number (fewer than 9 digits, or a GTIN's 13
    without anything between them) is none.
    """
    plain = unicodedata.normalize("NFKC", text[:MAX_TEXT]).casefold()
    plain = "".join(each for each in plain if unicodedata.category(each) != "Cf")
    found = {f"mail:{each.group()}" for each in _MAIL.finditer(plain)}
    bare = _MAIL.sub(" ", plain)
    found |= {f"url:{_host(each.group())}" for each in _ADDRESS.finditer(bare)}
    for each in _MESSENGER.finditer(bare):
        if any(map(str.isdigit, each[2])) or any(sign in each.group() for sign in ":：=@"):
            found.add(f"{_SAME.get(each[1], each[1])}:{each[2].strip('-+_')}")
    for each in _PHONE.finditer(bare):
        digits = "".join(filter(str.isdigit, each.group()))
        if not (each.group().isdigit() and len(digits) in {12, 13, 14}):
            found.add(f"tel:{digits.removeprefix('0086') if digits.startswith('0086') else digits}")
    return tuple(sorted(found)[:MAX_CONTACTS])


def _host(address: str) -> str:
    return re.sub(r"^(https?://)?(www\.)?", "", address).rstrip(".,;!?)/")


_BIDI: Final = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_INVISIBLE: Final = frozenset("\u200b\u2060\u2061\u2062\u2063\u2064\u00ad\u180e\ufeff\u115f\u1160\u3164\uffa0\u034f")


def hidden(text: str) -> bool:
    """Whether it has characters that are not seen or that turn others round, more than writing needs.

    Joiners between letters of Arabic, Indic scripts and emoji are needed; tag characters are not, but for flags.
    """
    if text.isascii():
        return False
    return any(
        each in _BIDI
        or (each in _INVISIBLE and at > 0)
        or (each in "\u200c\u200d" and 0 < at < len(text) - 1 and text[at - 1].isascii() and text[at + 1].isascii())
        or ("\U000e0020" <= each <= "\U000e007e" and not text[max(0, at - 7) : at].count("\U0001f3f4"))
        for at, each in enumerate(text[:MAX_TEXT])
    )
