"""Words asked in columns say what each says when it is asked alone."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from chopmark.watch.marks import Mark, mark_set
from chopmark.watch.text import views
from chopmark.watch.text.terms import Terms
from chopmark.watch.text.views import HEAD, SMALL, TAIL, Disguises, look

ORDINARY = frozenset(["shoes", "for", "men", "balance", "new", "red", "a", "of", "the", "air"])
NAMES = ("nike", "adidas", "new balance", "calvin klein", "air max", "lego", "h&m", "耐克", "t mobile")
WORDS = (
    *("n1ke", "ni", "ke", "n", "i", "k", "e", "adi", "das", "a", "dibas", "addidas", "newbalance", "new", "balanse"),
    *("calvin", "kleln", "klein", "cal", "vin", "air", "rnax", "nax", "max", "le", "go", "l", "g", "o", "8", "12345"),
    *("shoes", "for", "men", "\x01", "nikeshoes", "nlke", "t", "mobi1e", "耐", "克", "&", "é", "the", "red"),
)


def disguises() -> Disguises:
    names = (Mark(id=0, right=each, number=each, organisation="o", text=each, near=True) for each in NAMES)
    return Disguises(Terms(mark_set(names), ORDINARY, fast=False), ORDINARY)


def one_by_one(made: Disguises, row: list[str]) -> set[views.Reading]:
    """Each word with its neighbours, by the definition of each view."""
    found: set[views.Reading] = set()
    for at, word in enumerate(row):
        if word in ORDINARY:
            found.update(made._near_beside(row, at))
        elif not word.isdigit():
            found.update(views._at(each, at) for each in made.word(word))
            if word not in made._names and word.isascii():
                found |= beside(made, row, at)
    return found


def beside(made: Disguises, row: list[str], at: int) -> set[views.Reading]:
    """What an unknown word says with its neighbours."""
    found: set[views.Reading] = set()
    word = row[at]
    if len(word) <= SMALL < len(row):
        found.update(made._small(row, at)[1])
    before, behind = row[at - 1] if at else "", row[at + 1] if at + 1 < len(row) else ""
    shaped = look(word) in made._row_shapes and word not in made._row_words
    if before in made._after or behind in made._before or shaped:
        found.update(made._row(row, at))
    if word[:HEAD] in made._heads:
        found.update(made._from(row, at, at))
    if len(word) <= TAIL or word[-TAIL:] in made._tails:
        for first in (at - 1, at - 2):
            if first >= 0 and row[first][:HEAD] in made._heads:
                found.update(made._from(row, first, at))
    return found


MADE = disguises()


@settings(max_examples=300, deadline=None)
@given(st.lists(st.sampled_from(WORDS), max_size=12))
def test_words_in_columns_say_what_each_says_alone(row):
    assert set(MADE.find(row)) == one_by_one(MADE, row)


def test_what_is_remembered_is_bounded_and_changes_nothing(monkeypatch):
    monkeypatch.setattr(views, "MEMORY", 3)
    made = disguises()
    row = list(WORDS)
    for _ in range(3):
        assert set(made.find(row)) == one_by_one(MADE, row)
    assert len(made._known) <= 3
    assert len(made._memory) <= 3


def test_numbers_of_models_are_not_remembered():
    made = disguises()
    made.find(["12345678"])
    assert "12345678" not in made._known
