from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from world.data import shared_data
from world.lookalikes import confusables

from chopmark.rights.similarity.keys import MAX_LENGTH, keys
from chopmark.rights.similarity.score import score, scores

SAME = {
    "case, width and signs": ("adidas", "ＡＤＩＤＡＳ®", "norm"),
    "accents": ("haagen dazs", "Häagen-Dazs", "norm"),
    "traditional and simplified": ("淘宝网", "淘寶網", "norm"),
    "an invisible letter": ("nike", "ni\u200bke", "norm"),
    "Cyrillic letters among Latin ones": ("adidas", "аdidаs", "norm"),
    "Greek capitals": ("nike", "ΝΙΚΕ", "norm"),
    "digits for letters": ("adidas", "4d1d45", "skeleton"),
    "rn for m": ("microsoft", "rnicrosoft", "skeleton"),
    "a capital i for l": ("lululemon", "Iululemon", "skeleton"),
    "a doubled letter": ("adidas", "addidas", "skeleton"),
    "a blank inside": ("redlantern", "red lantern", "skeleton"),
    "ph for f": ("fotolia", "photolia", "phonetic"),
    "c for k": ("kokakola", "Coca-Cola", "phonetic"),
    "pinyin for a Chinese name": ("taobao", "淘宝", "phonetic"),
    "another character of the same sound": ("淘宝", "陶宝", "phonetic"),
    "Cyrillic as it is read": ("lenta", "Лента", "phonetic"),
    "kana as it is read": ("santori", "サントリー", "phonetic"),
    "Hangul as it is read": ("nongsim", "농심", "phonetic"),
}


@pytest.mark.parametrize("case", SAME)
def test_a_copy_has_a_key_in_common_with_its_original(case):
    one, other, key = SAME[case]
    assert getattr(keys(one), key) == getattr(keys(other), key) != ""


@pytest.mark.parametrize(("one", "other"), [("adidas", "puma"), ("淘宝", "京东"), ("nike", "Лента")])
def test_different_names_have_no_key_in_common(one, other):
    first, second = keys(one), keys(other)
    assert first.norm != second.norm
    assert first.skeleton != second.skeleton
    assert first.phonetic != second.phonetic
    assert score(first, second).total < 0.6


@given(st.text(max_size=250))
def test_any_text_has_keys_and_a_normal_form_is_its_own(text):
    made = keys(text)
    assert len(made.norm) <= 20 * MAX_LENGTH
    assert keys(made.norm[:MAX_LENGTH]).norm == made.norm[:MAX_LENGTH].strip()


@given(st.text(max_size=40), st.lists(st.text(max_size=40), max_size=5))
def test_scores_of_many_are_the_scores_of_each_and_lie_between_nought_and_one(text, others):
    asked, found = keys(text), [keys(each) for each in others]
    together = list(zip(*(each.tolist() for each in scores(asked, found)), strict=True))
    for one, row in zip(found, together, strict=True):
        alone = score(asked, one)
        assert (alone.look, alone.sound, alone.contains, alone.total) == pytest.approx(row)
        assert all(0 <= each <= 1.0001 for each in row)


def test_what_looks_alike_scores_by_look_and_what_sounds_alike_by_sound():
    look = score(keys("rnicrosoft"), keys("Microsoft"))
    assert look.look == 1.0 > look.sound
    sound = score(keys("陶保"), keys("淘宝"))
    assert sound.sound == 1.0 > sound.look
    inside = score(keys("new Zalando running shoes for men"), keys("Zalando"))
    assert inside.contains > 0.8 > inside.look


def test_most_letters_that_unicode_calls_confusable_are_made_plain():
    letters = confusables(shared_data("unicode-confusables"))
    pairs = [(plain.lower(), sign) for plain, signs in letters.items() for sign in signs]
    plain = [sign for letter, sign in pairs if keys(f"a{sign}b").skeleton == keys(f"a{letter}b").skeleton]
    assert len(plain) / len(pairs) > 0.9
