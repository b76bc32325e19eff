"""Names among words, in columns: the same as one by one."""

from __future__ import annotations

import numpy as np
import pytest
from ahocorasick_rs import AhoCorasick
from hypothesis import given, settings
from hypothesis import strategies as st

from chopmark.watch.text import matcher, trie
from chopmark.watch.text.canon import Folds
from chopmark.watch.text.trie import OTHER, Trie, Words

WORD = st.text("abñ耐克", min_size=1, max_size=3)
ROWS = st.lists(st.lists(WORD, min_size=1, max_size=4).map(" ".join), max_size=12)


def places(words: list[str]):
    """Characters of words with a blank between them, and where each begins and ends."""
    codes = np.frombuffer(" ".join(words).encode("utf-32-le"), dtype=np.uint32)
    ends = np.cumsum([len(each) + 1 for each in words], dtype=np.int64) - 1
    return codes, ends - [len(each) for each in words], ends


def naive(patterns: list[str], words: list[str]) -> list[tuple[int, int]]:
    """Each name held against each place."""
    return sorted(
        (first, at)
        for at, pattern in enumerate(patterns)
        for first in range(len(words))
        if words[first : first + pattern.count(" ") + 1] == pattern.split(" ")
    )


@settings(deadline=None)
@given(ROWS, st.lists(WORD, min_size=1, max_size=30))
def test_names_are_found_as_an_automaton_finds_them(patterns, words):
    text = f" {' '.join(words)} "
    matches = AhoCorasick([f" {each} " for each in patterns]).find_matches_as_indexes(text, overlapping=True)
    found = sorted((text.count(" ", 0, start + 1) - 1, pattern) for pattern, start, _ in matches)
    assert found_by(Trie(patterns), words) == found


def found_by(made: Trie, words: list[str]) -> list[tuple[int, int]]:
    patterns, firsts = made.find(*places(words))
    return sorted(zip(firsts.tolist(), patterns.tolist(), strict=True))


@settings(deadline=None)
@given(ROWS, st.lists(WORD, min_size=1, max_size=30))
def test_names_are_found_as_one_by_one(patterns, words):
    assert found_by(Trie(patterns), words) == naive(patterns, words)


@settings(deadline=None)
@given(st.sets(WORD, max_size=40), st.lists(WORD, min_size=1, max_size=40))
def test_words_have_their_numbers(known, words):
    ordered = sorted(known)
    numbers = {word: at for at, word in enumerate(ordered, 1)}
    assert Words(ordered).ids(*places(words)).tolist() == [numbers.get(each, OTHER) for each in words]


def test_words_with_the_same_hash_are_told_apart(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(trie, "_BASE", 1)  # a sum of characters: words of the same letters have the same hash
    one = Trie(["nike", "air nike"])
    assert one.words.ids(*places(["kine"])).tolist() != [OTHER]
    assert found_by(one, ["kine", "ria", "nike", "air", "kine", "air", "nike"]) == [(2, 0), (5, 1), (6, 0)]
    both = Trie(["nike", "kine"])
    assert found_by(both, ["kine", "nike", "inke"]) == [(0, 1), (1, 0)]


def test_no_names_and_no_words_find_nothing():
    assert found_by(Trie([]), ["a", "b"]) == []
    patterns, firsts = Trie(["a b"]).find(*places([])[:1], np.zeros(0, np.int64), np.zeros(0, np.int64))
    assert (len(patterns), len(firsts)) == (0, 0)


@settings(deadline=None)
@given(st.text(st.characters(), max_size=60))
def test_columns_of_characters_fold_as_text_does(text):
    folds = Folds()
    codes = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype=np.uint32)
    made = matcher._Folded(folds).plain(codes).tobytes().decode("utf-32-le")  # the fast one of two
    assert made == text.translate(folds)


@settings(deadline=None)
@given(st.lists(st.text("ab' é\x00", max_size=6), min_size=1, max_size=30), st.integers(1, 5), st.integers(1, 20))
def test_a_column_in_small_batches_is_the_column(titles, texts, characters):
    marks = matcher_of("a", "b a", "ab")
    whole = rows_of(marks, titles)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(matcher, "AT_ONCE", texts)
        patch.setattr(matcher, "CHARACTERS", characters)
        assert rows_of(marks, titles) == whole
    assert whole == {at: one for at, title in enumerate(titles) if (one := rows_of(marks, [title]).get(0))}


def matcher_of(*names: str) -> matcher.TextMatcher:
    from chopmark.watch.marks import Mark, mark_set  # noqa: PLC0415 (for this one alone)

    made = (Mark(id=0, right=each, number=each, organisation="o", text=each) for each in names)
    return matcher.TextMatcher(mark_set(made), fast=True)


def rows_of(made: matcher.TextMatcher, titles: list[str]) -> dict[int, list[object]]:
    rows: dict[int, list[object]] = {}
    for row, hit in made.hits(made.find_many(titles)):
        rows.setdefault(row, []).append(hit)
    return rows
