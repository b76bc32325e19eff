"""Letters that a page turns round are read as the page shows them, and shown where they stand."""

from __future__ import annotations

import itertools
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chopmark.watch.disguise import is_disguised
from chopmark.watch.marks import Mark, mark_set
from chopmark.watch.text.matcher import TextMatcher, explain
from chopmark.watch.text.turned import shown

MARKS = mark_set(
    Mark(id=0, right=name, number=name, organisation=name, text=name, near=True)
    for name in ("Nike", "adidas", "New Balance", "耐克")
)
MATCHER = TextMatcher(MARKS)

SHOWN = {
    "a word": ("best \u202eekin\u202c shoe", "best nike shoe"),
    "to the end of the line": ("\u202eekin\nekin", "nike\nekin"),
    "turned twice within": ("\u202ecba\u202dxyz\u202cfed", "defxyzabc"),
    "isolated": ("\u2067\u202eekin\u2069 x", "nike x"),
    "an end without a beginning": ("\u202c\u202eekin\u202c\u202c x", "nike x"),
    "digits too": ("\u202e1002 ekin", "nike 2001"),
    "nothing between": ("\u202e\u202c", ""),
}


@pytest.mark.parametrize(("text", "page"), SHOWN.values(), ids=SHOWN.keys())
def test_a_text_is_read_as_it_is_seen(text, page):
    seen = shown(text)
    assert seen is not None
    assert seen.text == page
    assert "".join(text[at] for at in seen.places) == page


def test_a_text_without_overrides_is_as_it_is():
    assert shown("nike \u202aeinfach\u202c שלום") is None


READ = {
    "turned": ("best \u202eekin\u202c shoe", "Nike", "canonical", "ekin"),
    "two words": ("\u202eecnalaB weN", "New Balance", "canonical", "ecnalaB weN"),
    "in part": ("ni\u202eek\u202c shoe", "Nike", "canonical", "ni\u202eek"),
    "and with a digit": ("\u202eek1n\u202c", "Nike", "folded", "ek1n"),
    "ideographs": ("\u202e鞋克耐\u202c", "耐克", "canonical", "克耐"),
    "a near miss": ("\u202esadidda\u202c", "adidas", "near", "sadidda"),
}


@pytest.mark.parametrize(("text", "name", "view", "read"), READ.values(), ids=READ.keys())
def test_a_name_that_is_turned_round_is_found_where_it_stands(text, name, view, read):
    found = [(MARKS.marks[hit.mark].text, hit.view, text[hit.start : hit.end], hit.score) for hit in MATCHER.find(text)]
    assert [each[:3] for each in found] == [(name, view, read)]
    assert found[0][3] < 1000
    assert is_disguised(read, name, view) is (view != "near")


def test_it_is_found_in_a_column_and_in_every_field():
    texts = ["plain", "\u202eekin", "nike", "\u202esadida x"]
    found = [(row, hit.term) for row, hit in MATCHER.hits(MATCHER.find_many(texts))]
    assert sorted(found) == [(1, "Nike"), (2, "Nike"), (3, "adidas")]
    assert [hit.field for hit in MATCHER.find("\u202eekin", "\u202eekin", "a \u202eekin\u202c")] == [
        "title",
        "brand",
        "description",
    ]


def test_what_is_not_turned_is_not_found_twice():
    text = "nike \u202exyz\u202c nike"
    assert [(hit.start, hit.view) for hit in MATCHER.find(text)] == [(0, "exact"), (11, "exact")]


def test_it_is_explained_in_the_order_in_which_it_is_seen():
    text = "best \u202eek1n\u202c shoe"
    [hit] = MATCHER.find(text)
    said = explain(hit, text)
    assert said.is_turned
    assert said.plain == "n1ke"
    assert [(each.shown, each.at, each.is_other) for each in said.characters] == [
        ("n", 9, False),
        ("1", 8, True),
        ("k", 7, False),
        ("e", 6, False),
    ]


_PIECES = st.sampled_from(["a", "bc", "1", " ", "\u202e", "\u202d", "\u202c", "\u2066", "\u2069", "\u202b", "\n", "耐"])


@settings(max_examples=300, deadline=None)
@given(st.lists(_PIECES, max_size=14).map("".join))
def test_every_character_is_shown_once(text):
    seen = shown(text)
    if seen is None:
        assert "\u202e" not in text
        return
    signs = set("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
    assert sorted(seen.places) == [at for at, each in enumerate(text) if each not in signs]
    assert seen.text == "".join(text[at] for at in seen.places)


def _naive(parts: list[object]) -> tuple[str, str]:
    """A tree of stretches -> the text with its signs, and how it is seen: `[ "R", ... ]` is turned within."""
    text, page = "", ""
    for each in parts:
        if isinstance(each, str):
            text, page = text + each, page + each
        else:
            inner, looks = _naive(each)
            text, page = f"{text}\u202e{inner}\u202c", page + _turn(looks)
    return text, page


def _turn(looks: str) -> str:
    return looks[::-1]


def test_one_stretch_after_the_other_is_each_turned():
    seed = random.Random(6)  # noqa: S311 (the same texts in each run)
    for _ in range(100):
        parts = [
            ["".join(seed.choices("abc 1", k=seed.randint(0, 6)))] if turned else "".join(seed.choices("xyz ", k=4))
            for turned in itertools.islice(itertools.cycle([False, True]), seed.randint(1, 7))
        ]
        text, page = _naive(parts)
        seen = shown(text)
        assert (text if seen is None else seen.text) == page


FLOODS = {
    "overrides": "\u202e" * 300_000,
    "opened and closed": "\u202ea\u202db" * 100_000,
    "never closed": "\u2066\u202ea" * 100_000 + "\u202c\u2069" * 100_000,
    "names": "\u202eekin\u202c " * 30_000,
}


@pytest.mark.parametrize("text", FLOODS.values(), ids=FLOODS.keys())
def test_a_flood_takes_time_in_proportion(text):
    seen = shown(text)
    assert seen is not None
    assert len(seen.places) <= len(text)
