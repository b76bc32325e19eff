"""The plain form: what each character becomes, that places are right, and that a library's change is noticed."""

from __future__ import annotations

import random
import unicodedata

import disarm
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from chopmark.rights.similarity.confusables import TABLE as LOOKS
from chopmark.watch.text.canon import (
    HARD_FOLDS,
    SOFT_FOLDS,
    Disarm,
    Folds,
    Frozen,
    canonical,
    tokens,
    words,
)

PLAIN = {
    "full width": ("ＮＩＫＥ", "nike"),
    "a Greek, a Cyrillic letter": ("ΝΙКΕ", "nike"),
    "mathematical letters": ("𝐧𝒊𝓴𝖊", "nike"),
    "circled and squared": ("ⓃⒾ🄺🅴", "nike"),
    "letters of flags": ("🇳🇮🇰🇪", "nike"),
    "accents": ("ñíķè", "nike"),
    "accents by themselves": ("n̈ĭk̃e̊", "nike"),
    "struck through": ("n̶i̶k̶e̶", "nike"),
    "invisible characters": ("n\u200bi\u00adk\u2060e\ufeff", "nike"),
    "turned round": ("\u202enike\u202c", "nike"),
    "tags and variations": ("n\U000e0061i\ufe0fke", "nike"),
    "broken bytes": ("ni\ufffdke\udc80", "nike"),
    "control characters": ("ni\x00k\x7fe", "nike"),
    "an apostrophe": ("Levi’s 'n' Levi's", "levis n levis"),
    "signs part words": ("nike—air/max, (new)", "nike air max new"),
    "a sign of registration": ("Nike® Nike™", "nike nike"),
    "an ampersand is a letter": ("H&M A & B", "h&m a & b"),
    "a ligature": ("ﬁtbit ㎏", "fitbit kg"),
    "traditional Chinese": ("愛馬仕", "爱 马 仕"),
    "ideographs beside letters": ("耐克nike鞋", "耐 克 nike 鞋"),
    "half width kana": ("ｱﾃﾞｨ アディ", "ア テ ゙ ィ ア テ ゙ ィ"),
    "Hangul": ("나이키", "나 이 키"),
    "line ends": ("a\nb\u2028c\x1ed", "a b c d"),
    "Indic vowels stay": ("नाइकी", "नाइकी"),
    "nothing": ("", ""),
    "signs alone": ("★ !!! —", ""),
}


@pytest.mark.parametrize(("text", "plain"), PLAIN.values(), ids=PLAIN.keys())
def test_a_text_has_this_plain_form(text, plain):
    assert words(text) == plain


_HARD = st.text(
    st.one_of(
        st.characters(),
        st.sampled_from("aA0&' \x00\x1e\u200b\u0300ａК耐鞋ﾊﾞ㎏ﬁ®$*.…\u202e\ud800"),
    ),
    max_size=40,
)


@settings(max_examples=300, deadline=None)
@given(_HARD)
def test_words_and_tokens_say_the_same(text):
    assert [each.text for each in tokens(text)] == words(text).split()


@settings(max_examples=200, deadline=None)
@given(_HARD)
def test_tokens_stand_where_they_say(text):
    end = 0
    for token in tokens(text):
        assert 0 <= token.start < token.end <= len(text)
        assert token.start >= end - 1  # two words may come of one character
        assert words(text[token.start : token.end]).replace(" ", "").count(token.text)
        end = token.end


@settings(max_examples=200, deadline=None)
@given(_HARD)
@example("㊬")
def test_the_plain_form_of_a_plain_form_is_itself(text):
    assert words(words(text)) == words(text)


@settings(max_examples=100, deadline=None)
@given(_HARD)
def test_each_character_knows_where_it_came_from(text):
    for folds in (HARD_FOLDS, SOFT_FOLDS):
        made = canonical(text, folds)
        assert "".join(folds[ord(text[at])] for at in sorted(set(made.offsets))) == made.text
        assert list(made.offsets) == sorted(made.offsets)


def _characters() -> list[str]:
    """A sample of all characters, and all of the blocks where look-alikes are."""
    seed = random.Random(39)  # noqa: S311 (a fixed sample)
    everywhere = [chr(code) for code in seed.sample(range(0x110000), 6000)]
    near = [chr(code) for code in (*range(0x80, 0x600), *range(0x1D00, 0x2200), *range(0xA640, 0xA800))]
    return [each for each in (*everywhere, *near) if unicodedata.category(each)[0] != "C" and ord(each) not in LOOKS]


def test_the_library_and_the_frozen_table_agree():
    """When this fails after an update of disarm: look at what changed, and run scripts/text_folds.py."""
    library, frozen = Disarm(), Frozen()
    assert [each for each in _characters() if library.plain(each) != frozen.plain(each)] == []


def test_without_the_library_the_plain_form_is_the_same():
    by_table = Folds(Frozen())
    assert [each for each in _characters() if by_table[ord(each)] != HARD_FOLDS[ord(each)]] == []
    assert disarm.CONFUSABLES_VERSION


FLOODS = {
    "a megabyte of letters": "a" * 1_000_000,
    "a megabyte of zero width": "n" + "\u200b" * 1_000_000 + "ike",
    "a megabyte of accents": "n" + "\u0301" * 1_000_000 + "ike",
    "a megabyte of turns": "\u202e\u202d" * 500_000,
    "half a million ideographs": "耐" * 500_000,
    "broken surrogates": "\ud800" * 500_000,
}


@pytest.mark.parametrize("text", FLOODS.values(), ids=FLOODS.keys())
def test_a_flood_becomes_little_more_than_it_was(text):
    assert len(words(text)) <= 2 * len(text)
