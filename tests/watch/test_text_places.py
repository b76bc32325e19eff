"""Every hit stands where it says: the characters that it names, read by hand as its view reads, give the name."""

from __future__ import annotations

import itertools
import random
import re

from hypothesis import given, settings
from hypothesis import strategies as st
from pypinyin import Style, pinyin
from watch import disguises

from chopmark.watch.found import TextHit, View
from chopmark.watch.marks import Mark, mark_set
from chopmark.watch.text.canon import SOFT_FOLDS, words
from chopmark.watch.text.matcher import VIEWS, TextMatcher, explain

LATIN = ("Nike", "adidas", "New Balance", "Moncler", "Calvin Klein", "Vivo Windy", "Longines")
HAN = ("耐克", "阿迪达斯", "奥克斯")
MARKS = mark_set(
    Mark(id=0, right=name, number=name, organisation=name, text=name, near=True) for name in (*LATIN, *HAN)
)
MATCHER = TextMatcher(MARKS)

_LOOKS = {
    "o": "o0",
    "i": "i1!|¡l",
    "l": "l1!|£i",
    "z": "z2",
    "e": "e3€",
    "a": "a4@",
    "s": "s5$§",
    "g": "g69",
    "b": "b68",
    "t": "t7+†",
    "c": "c¢({<",
    "y": "y¥",
    "x": "x×%",
    "h": "h#",
}
_PAIRS = {"m": "rn|nn|m", "w": "vv|uu|w", "d": "cl|d"}
_COVERS = "*#_?•●~^%.°"


def _letter(letter: str) -> str:
    alike = "|".join(re.escape(each) for each in _LOOKS.get(letter, letter))
    pairs = _PAIRS.get(letter)
    if pairs is None:
        return f"(?:{alike})"
    spelled = ("".join(f"[{re.escape(_LOOKS.get(each, each))}]" for each in pair) for pair in pairs.split("|"))
    return f"(?:{'|'.join(spelled)})"


def _looks_like(read: str, name: str) -> bool:
    one = re.fullmatch("".join(map(_letter, name)), read)
    other = re.fullmatch("".join(map(_letter, read)), name) if read.isalnum() else None
    return bool(one or other)


def _soft(read: str) -> str:
    return read.translate(SOFT_FOLDS)


def _letters(read: str) -> str:
    return "".join(each for each in _soft(read) if each.isalnum())


def _edits(left: str, right: str) -> int:
    """Optimal string alignment."""
    table = [[max(at, place) for place in range(len(right) + 1)] for at in range(len(left) + 1)]
    for at, place in itertools.product(range(1, len(left) + 1), range(1, len(right) + 1)):
        same = left[at - 1] == right[place - 1]
        best = min(table[at - 1][place] + 1, table[at][place - 1] + 1, table[at - 1][place - 1] + (not same))
        if at > 1 and place > 1 and left[at - 2 : at] == right[place - 2 : place][::-1]:
            best = min(best, table[at - 2][place - 2] + 1)
        table[at][place] = best
    return table[-1][-1]


def _sounds(letter: str) -> set[str]:
    return {each.replace("ü", "v") for each in pinyin(letter, style=Style.NORMAL, heteronym=True)[0]}


def _spelled(parts: list[str], read: str, *, whole: bool) -> bool:
    """Whether ideographs, each as it is (not when `whole`) or as it sounds, make up what was read."""
    choices = [(set() if whole else {part}) | _sounds(part) for part in parts]
    return any("".join(each) == read for each in itertools.product(*choices))


def _gives(view: View, read: str, term: str) -> bool:
    """Whether the characters, read as the view reads, are the name."""
    joined = words(term).replace(" ", "")
    letters, shown = _letters(read), "".join(_soft(read).split())
    match view:
        case "exact" | "canonical" | "simplified":
            gives = words(read) == words(term)
        case "folded":
            gives = _looks_like(shown, joined)
        case "letters" | "glued" | "joined":
            gives = letters == joined or _looks_like(shown, joined) or _looks_like(letters, joined)
        case "masked":
            gives = letters == joined or _is_covered(shown, joined)
        case "near":
            squeezed = re.sub(r"(.)\1+", r"\1", letters) == re.sub(r"(.)\1+", r"\1", joined)
            gives = squeezed or _edits(letters, joined) == 1
        case "pinyin" | "half_pinyin":
            gives = _spelled(list(joined), letters, whole=view == "pinyin")
        case "homophone":
            gives = len(letters) == len(joined) and all(map(_sounds_alike, letters, joined))
    return gives


def _is_covered(shown: str, name: str) -> bool:
    return len(shown) == len(name) and all(each in (meant, *_COVERS) for each, meant in zip(shown, name, strict=True))


def _sounds_alike(shown: str, meant: str) -> bool:
    return bool(_sounds(shown) & _sounds(meant))


def _disguised(seed: int) -> str:
    chance = random.Random(seed)  # noqa: S311 (the number comes from Hypothesis)
    families = {**disguises.FAMILIES, **disguises.HELD_OUT}
    if chance.random() < 0.25:
        return disguises.CHINESE[chance.choice(sorted(disguises.CHINESE))](chance, chance.choice(HAN))
    return families[chance.choice(sorted(families))](chance, chance.choice(LATIN))


_PIECES = st.one_of(
    st.integers(0, 10**6).map(_disguised),
    st.sampled_from(
        [*LATIN, *HAN, "for", "shoes", "鞋", "\u200b", "®", "№ 5", "\U0001f525", "İ", "ﬃ", "ﾊﾞ", "&", "x1", "-"]
    ),
)


@settings(max_examples=200, deadline=None)
@given(st.lists(_PIECES, max_size=6), st.sampled_from([" ", "", "-", "  ", "，"]))
def test_the_characters_of_a_hit_read_by_its_view_give_the_name(pieces, between):
    text = between.join(pieces)
    for hit in MATCHER.find(text):
        assert 0 <= hit.start < hit.end <= len(text)
        assert _gives(hit.view, text[hit.start : hit.end], hit.term), (hit, text[hit.start : hit.end])


@settings(max_examples=80, deadline=None)
@given(st.lists(_PIECES, max_size=5).map(" ".join))
def test_an_explanation_names_every_character_where_it_stands(text):
    for hit in MATCHER.find(text):
        said = explain(hit, text)
        assert [text[each.at] for each in said.characters] == [each.shown for each in said.characters]
        assert [each.at for each in said.characters] == list(range(hit.start, hit.end))
        assert all(each.code == ord(each.shown) for each in said.characters)
        assert (said.view, said.term, said.read) == (hit.view, hit.term, text[hit.start : hit.end])
        if hit.view in {"folded", "masked", "canonical", "letters"} and not _is_spelling(hit, text):
            assert any(each.is_other for each in said.characters), (hit, said.read)


def _is_spelling(hit: TextHit, text: str) -> bool:
    """Letters of the name alone, in another order or number: rn for m in a name that has both, l for i."""
    return set(text[hit.start : hit.end].lower().replace(" ", "")) <= set(words(hit.term))


def test_a_name_glued_to_a_word_stands_where_it_is_however_it_is_hidden():
    for text, read in {
        "Lo\u200bn\u200dginesNew": "Lo\u200bn\u200dgines",
        "bestＮi\u0301ke": "Ｎi\u0301ke",
        "$hoes (n1keshoes)": "n1ke",
        "+n1keshoes!": "n1ke",
        "(n1ke shoes": "n1ke",
        "n1ke! shoes": "n1ke",
    }.items():
        assert [text[hit.start : hit.end] for hit in MATCHER.find(text)] == [read], text


def test_every_view_is_met():
    """The pieces above lead to all of them."""
    texts = [f"new {_disguised(seed)} 鞋" for seed in range(400)]
    met = {hit.view for _, hit in MATCHER.hits(MATCHER.find_many(["耐克 Nike", *texts]))}
    assert met == set(VIEWS)
