"""Text: shared passages are found with their place in both, and what is only alike is not."""

from __future__ import annotations

import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chopmark.base.errors import Invalid
from chopmark.media import text
from chopmark.media.text import TextIndex, TextPrint

WORDS = (
    "river", "stone", "lamp", "market", "silver", "paper", "letter", "morning",
    "garden", "bridge", "copper", "winter", "sailor", "window", "thread",
)  # fmt: skip


def prose(seed: int, count: int) -> str:
    """Sentences of words that no other seed has in this order."""
    chance = random.Random(seed)  # noqa: S311 - words, no secrets
    words = [chance.choice(WORDS) + chance.choice(("", "s", "ed", "ing")) for _ in range(count)]
    return " ".join(word + ("." if chance.random() < 0.1 else "") for word in words)


def hanzi(seed: int, count: int) -> str:
    chance = random.Random(seed)  # noqa: S311 - words, no secrets
    return "".join(chr(0x4E00 + chance.randrange(3000)) + ("，" if chance.random() < 0.1 else "") for _ in range(count))


WORK = prose(1, 400)
PASSAGE = WORK[600:1100]
COPIES = {
    "word for word": PASSAGE,
    "in capitals": PASSAGE.upper(),
    "without marks": PASSAGE.replace(".", ""),
    "on other lines": PASSAGE.replace(" ", "\n  "),
    "full-width": "".join(chr(ord(each) + 0xFEE0) if "a" <= each <= "z" else each for each in PASSAGE),
    "with invisible characters": "\u200b".join(PASSAGE),
    "with every thirtieth word changed": " ".join(
        "otherwise" if number % 30 == 15 else word for number, word in enumerate(PASSAGE.split(" "))
    ),
}


@pytest.mark.parametrize("name", COPIES)
def test_a_copied_passage_is_found_with_its_place_in_both_texts(name):
    before, after = prose(2, 120) + " ", " " + prose(3, 120)
    segment, *more = text.match(text.fingerprint(before + COPIES[name] + after), text.fingerprint(WORK))
    assert more == []
    slack = 100  # eight words, as long as they may be written here
    assert segment.query.start == pytest.approx(len(before), abs=slack)
    assert segment.query.end == pytest.approx(len(before) + len(COPIES[name]), abs=slack)
    assert segment.reference.start == pytest.approx(600, abs=60)
    assert segment.reference.end == pytest.approx(1100, abs=60)
    assert segment.score > 0.5


def test_a_copied_passage_without_spaces_is_found():
    work = hanzi(5, 300)
    query = "有人说：" + work[100:160] + "。他没有说从哪里来。"
    [segment] = text.match(text.fingerprint(query), text.fingerprint(work))
    copied = query[int(segment.query.start) : int(segment.query.end)]
    assert len(copied) >= 44
    assert copied == work[int(segment.reference.start) : int(segment.reference.end)]


def test_passages_in_another_order_are_found_each():
    one, two = WORK[100:700], WORK[1500:2100]
    found = text.match(text.fingerprint(two + " " + prose(8, 60) + " " + one), text.fingerprint(WORK))
    assert sorted(round(segment.reference.start / 100) for segment in found) == [1, 15]


def test_a_whole_short_text_is_found():
    [segment] = text.match(text.fingerprint("To be, or not to be"), text.fingerprint("to be or not to be"))
    assert segment.score == 1


@pytest.mark.parametrize(
    "other",
    [prose(77, 500), hanzi(9, 400), "", "one two", "the lamp and the market " * 3, WORK[600:640]],
    ids=["other words", "another script", "nothing", "two words", "a saying", "seven words of it"],
)
def test_what_is_no_copy_is_not_found(other):
    assert text.match(text.fingerprint(prose(78, 200) + other), text.fingerprint(WORK)) == ()


def test_a_text_that_repeats_itself_is_compared_in_bounded_time():
    again = text.fingerprint("all work and no play makes jack a dull boy " * 2000)
    assert text.match(again, again)


def test_texts_made_of_each_others_pieces_share_what_one_search_may_cost(monkeypatch):
    def shuffled(seed):
        rng = np.random.default_rng(seed)
        pieces = [prose(number, 12) for number in range(40)]
        return " ".join(pieces[at] for at in rng.integers(0, 40, 200))

    taken = []

    chains = text._chains

    def seen(one, two, steps):
        taken.append(steps)
        return chains(one, two, steps)

    monkeypatch.setattr(text, "_chains", seen)
    monkeypatch.setattr(text, "_MOST_STEPS", 10_000)
    index = TextIndex((number, text.fingerprint(shuffled(number))) for number in range(5))
    query = text.fingerprint(shuffled(9))
    found = index.search(query)
    assert taken == [2_000] * 5
    assert {number for number, _ in found} == set(range(5))
    one, two = (np.arange(1000, dtype=np.int64) for _ in range(2))
    assert sum(map(len, chains(one, two, 300))) == 150  # each pair, and the passage that it goes on with


def test_the_index_finds_what_comparing_one_by_one_finds():
    prints = {number: text.fingerprint(prose(number, 150)) for number in range(20, 40)}
    index = TextIndex(prints.items())
    query = text.fingerprint(prose(25, 150)[200:600] + " " + prose(31, 150)[100:500])
    found = index.search(query)
    assert sorted(number for number, _ in found) == [25, 31]
    for number, segment in found:
        assert segment in text.match(query, prints[number])
    index.remove(25)
    assert [number for number, _ in index.search(query)] == [31]
    index.add(50, prints[25])
    assert sorted(number for number, _ in index.search(query)) == [31, 50]
    assert len(index) == 20


@given(st.lists(st.integers(0, 6), max_size=60))
@settings(deadline=None)
def test_winnowing_keeps_the_smallest_of_each_window(numbers):
    words = [f"w{number}" for number in numbers]
    made = text.fingerprint(" ".join(words))
    keys = [text._key(words[at : at + 5]) for at in range(len(words) - 4)]
    want = set()
    for start in range(max(0, len(keys) - 3)):
        window = keys[start : start + 4]
        want.add(start + max(at for at in range(4) if window[at] == min(window)))
    if 0 < len(keys) < 4:
        want = {keys.index(min(keys))}
    assert set(made.rows["word"].tolist()) == want


@given(st.text(max_size=200), st.text(max_size=200), st.text(min_size=1, max_size=3))
def test_any_text_has_a_print_that_is_parsed_as_it_was_encoded(one, two, more):
    made = text.fingerprint(one)
    assert TextPrint.parse(made.encode()).encode() == made.encode()
    for segment in text.match(made, text.fingerprint(two)):
        assert 0 <= segment.query.start < segment.query.end <= len(one)
        assert 0 <= segment.reference.start < segment.reference.end <= len(two)
    for wrong in (made.encode() + more.encode("utf-8", "replace"), made.encode()[:-1]):
        with pytest.raises(Invalid, match=r"media\.print_malformed"):
            TextPrint.parse(wrong)


def test_a_text_that_is_too_long_is_refused(monkeypatch):
    monkeypatch.setattr(text, "LONGEST", 10)
    with pytest.raises(Invalid, match=r"media\.text_too_long characters=11 most=10"):
        text.fingerprint("x" * 11)
