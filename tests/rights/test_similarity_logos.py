from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from world.logos import changes, drawn

from chopmark.base.errors import Invalid
from chopmark.rights.similarity import logos
from chopmark.rights.similarity.logos import LogoIndex, describe, describe_query, ink_of, parse_codes, regions

PATHS = {
    "drop": "M12 2C8 8 5 11 5 15a7 7 0 0 0 14 0c0-4-3-7-7-13zM9 14h2v4H9z",
    "star": "M12 1l3 7 8 1-6 5 2 8-7-4-7 4 2-8-6-5 8-1z",
    "flag": "M2 2h8v4H6v16H2zM14 3l6 2-3 9z",
    "house": "M12 2L2 11h3v11h6v-7h2v7h6V11h3z",
    "key": "M7 3a5 5 0 1 0 4.6 7H16v4h3v-4h3V7H11.6A5 5 0 0 0 7 3zm0 3a2 2 0 1 1 0 4 2 2 0 0 1 0-4z",
    "waves": "M2 6q5-5 10 0t10 0v4q-5 5-10 0t-10 0zM2 15q5-5 10 0t10 0v4q-5 5-10 0t-10 0z",
    "bars": "M2 12h4v10H2zM8 2h4v20H8zM14 8h4v14h-4zM20 16h3v6h-3z",
    "moon": "M15 2a10 10 0 1 0 7 15A9 9 0 0 1 15 2z",
    "arrow": "M2 10h12V4l9 8-9 8v-6H2z",
    "cross": "M9 2h6v7h7v6h-7v7H9v-7H2V9h7z",
    "leaf": "M3 21C3 9 9 3 21 3c0 12-6 18-18 18zM6 18L17 7",
    "bolt": "M13 1L4 14h6l-2 9 11-14h-7z",
}


@pytest.fixture(scope="module")
def pictures():
    return {name: drawn(path, size=192) for name, path in PATHS.items()}


@pytest.fixture(scope="module")
def index(pictures):
    made = LogoIndex()
    for name, gray in pictures.items():
        made.add(name, describe(gray))
    return made


@pytest.mark.parametrize("change", changes())
def test_a_changed_logo_finds_its_original(change, index):
    alter = changes()[change]
    found = {name: index.search(describe_query(alter(drawn(PATHS[name]))), limit=2) for name in ("drop", "flag", "key")}
    for name, hits in found.items():
        assert name in {hit.key for hit in hits}, name


def test_the_same_logo_has_the_highest_score_and_says_that_it_is_the_same_picture(index, pictures):
    best, second, *_ = index.search(describe_query(pictures["house"]), limit=3)
    assert best.key == "house"
    assert best.same > 0.9
    assert best.total > second.total


def test_turning_the_descriptor_is_turning_the_picture(pictures):
    square = logos._square(logos._cut(ink_of(pictures["flag"])))
    fast = list(logos._eight(logos._shape(square)))
    slow = [
        logos._shape(np.ascontiguousarray(np.rot90(each, turn)))
        for each in (square, square[:, ::-1])
        for turn in range(4)
    ]
    assert all(float(one @ other) > 0.999 for one, other in zip(fast, slow, strict=True))


def test_regions_of_a_framed_logo_and_of_one_with_a_word_are_the_logo(pictures):
    gray = drawn(PATHS["star"])
    framed = dict(regions(ink_of(changes()["in a filled disc"](gray))))
    assert {"whole", "free"} <= framed.keys()
    worded = dict(regions(ink_of(changes()["with a word"](gray))))
    assert {"above", "below"} <= worded.keys()
    original = logos._shape(logos._square(logos._cut(ink_of(gray))))
    for part in (framed["free"], worded["above"]):
        assert float(original @ logos._shape(logos._square(logos._cut(part)))) > 0.9


def test_codes_print_back_and_others_are_refused(pictures):
    made = describe(pictures["moon"])
    again = parse_codes(made.encode())
    assert (again.shape, again.polar, again.pdq) == (made.shape, made.polar, made.pdq)
    for wrong in (b"", made.encode()[:-1], made.encode() + b"x"):
        with pytest.raises(Invalid, match=r"similarity\.codes_malformed"):
            parse_codes(wrong)


@pytest.mark.parametrize(
    "gray",
    [
        np.full((100, 100), 255, np.uint8),
        np.zeros((1, 5000), np.uint8),
        np.full((300, 300), 128, np.uint8),
        np.pad(np.zeros((1, 1), np.uint8), 150, constant_values=255),
    ],
    ids=["white", "a line", "grey", "one pixel"],
)
def test_a_picture_without_ink_is_refused(gray):
    with pytest.raises(Invalid, match=r"similarity\.logo_blank"):
        describe(gray)
    with pytest.raises(Invalid, match=r"similarity\.logo_blank"):
        describe_query(gray)


@hypothesis_settings(max_examples=12, deadline=None)
@given(rows=st.integers(2, 90), columns=st.integers(2, 90), seed=st.integers(0, 99), noise=st.floats(0, 1))
def test_any_picture_is_described_or_refused(rows, columns, seed, noise):
    values = np.random.default_rng(seed)
    gray = np.where(values.random((rows, columns)) < noise, values.integers(0, 255, (rows, columns)), 255).astype(
        np.uint8
    )
    try:
        codes = describe(gray)
        asked = describe_query(gray)
    except Invalid as error:
        if error.code != "similarity.logo_blank":
            raise
        return
    assert np.isfinite(asked.shapes).all()
    assert len(asked.regions) <= logos.MAX_REGIONS
    index = LogoIndex()
    index.add("one", codes)
    [hit] = index.search(asked)
    assert hit.key == "one"
    assert hit.shape > 0.9


@hypothesis_settings(max_examples=15, deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.integers(0, 9)), max_size=40))
def test_the_index_holds_what_was_added_and_not_removed(steps):
    index, model = LogoIndex(), {}
    for add, number in steps:
        if add:
            model[str(number)] = CODES[number]
            index.add(str(number), CODES[number])
        else:
            model.pop(str(number), None)
            index.remove(str(number))
    assert len(index) == len(model)
    hits = index.search(QUERY, limit=50)
    assert {hit.key for hit in hits} == set(model)
    assert [hit.total for hit in hits] == sorted((hit.total for hit in hits), reverse=True)


GRAYS = [drawn(path, size=64) for path in list(PATHS.values())[:10]]
CODES = [describe(gray) for gray in GRAYS]
QUERY = describe_query(cv2.GaussianBlur(GRAYS[3], (0, 0), 1.0))


def test_what_may_not_be_shown_is_left_out(index, pictures):
    hits = index.search(describe_query(pictures["drop"]), among=lambda key: key != "drop")
    assert "drop" not in {hit.key for hit in hits}
    assert len(hits) == 10
