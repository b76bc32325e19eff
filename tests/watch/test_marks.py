"""A set of marks: one order, one version, one file; what does not print back is refused."""

from __future__ import annotations

from dataclasses import replace

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from chopmark.base.errors import Invalid
from chopmark.watch.marks import Grant, Mark, encode, mark_set, parse

_TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12).filter(lambda text: text.strip())
_CODES = st.lists(st.sampled_from(["CN", "US", "DE", "9", "25"]), max_size=2).map(tuple)
_MARKS = st.lists(
    st.builds(
        Mark,
        id=st.just(0),
        right=_TEXT,
        number=_TEXT,
        organisation=_TEXT,
        text=_TEXT,
        aliases=st.lists(_TEXT, max_size=2).map(tuple),
        classes=_CODES,
        territories=_CODES,
        distinctiveness=st.integers(0, 1000),
        near=st.booleans(),
        well_known=st.booleans(),
        grants=st.lists(st.builds(Grant, marketplace=_TEXT, seller=_TEXT, classes=_CODES), max_size=2).map(tuple),
    ),
    max_size=5,
    unique_by=lambda mark: (mark.right, mark.text, *mark.aliases),
)
NIKE = Mark(id=0, right="r1", number="R-2026-000001", organisation="o", text="Nike", aliases=("耐克",), classes=("25",))
SONY = Mark(id=0, right="r2", number="R-2026-000002", organisation="o", text="Sony", near=True)


@settings(max_examples=40, deadline=None)
@given(_MARKS)
def test_a_set_comes_back_from_its_file(marks):
    made = mark_set(marks)
    assert parse(encode(made)) == made


@settings(max_examples=25, deadline=None)
@given(_MARKS)
def test_the_order_in_which_marks_are_given_changes_nothing(marks):
    assert mark_set(marks) == mark_set(reversed(marks))


def test_ids_are_positions_and_the_version_names_what_is_in_it():
    made = mark_set([SONY, NIKE])
    assert [(each.id, each.text) for each in made.marks] == [(0, "Nike"), (1, "Sony")]
    assert made.version != mark_set([replace(SONY, near=False), NIKE]).version


def _packed(data: bytes) -> bytes:
    return zstandard.compress(data)


GOOD = zstandard.ZstdDecompressor().stream_reader(encode(mark_set([NIKE, SONY]))).read()

MALFORMED = {
    "nothing": b"",
    "no archive": b"{}",
    "no line at all": _packed(b""),
    "a line without its end": _packed(GOOD[:-1]),
    "a mark left out": _packed(b"\n".join(GOOD.split(b"\n")[:2]) + b"\n"),
    "another name under the same version": _packed(GOOD.replace(b"Sony", b"Sonx")),
    "white space": _packed(GOOD.replace(b'"near":true', b'"near": true')),
    "a default written out": _packed(GOOD.replace(b'"near":true', b'"near":true,"well_known":false')),
    "a number for a truth": _packed(GOOD.replace(b'"near":true', b'"near":1')),
    "a text for a list": _packed(GOOD.replace(b'["25"]', b'"25"')),
    "a member that is unknown": _packed(GOOD.replace(b'"near":true', b'"near":true,"x":1')),
    "marks in another order": _packed(b"\n".join([GOOD.split(b"\n")[at] for at in (0, 2, 1)]) + b"\n"),
    "grants that are none": _packed(GOOD.replace(b'"near":true', b'"grants":[1],"near":true')),
}


@pytest.mark.parametrize("data", MALFORMED.values(), ids=MALFORMED.keys())
def test_what_does_not_print_back_is_refused(data):
    with pytest.raises(Invalid, match=r"watch\.marks_malformed"):
        parse(data)


REFUSED = {
    "the same twice": [NIKE, NIKE],
    "no name": [replace(NIKE, text=" ")],
    "a picture with a name that says nothing": [replace(NIKE, text="", aliases=(" ",))],
    "an empty alias": [replace(NIKE, aliases=("",))],
    "a name without end": [replace(NIKE, text="x" * 201)],
    "too many aliases": [replace(NIKE, aliases=tuple(map(str, range(200))))],
    "no right": [replace(NIKE, right="")],
    "more distinctive than can be": [replace(NIKE, distinctiveness=1001)],
}


@pytest.mark.parametrize("marks", REFUSED.values(), ids=REFUSED.keys())
def test_a_set_of_marks_that_say_nothing_is_not_made(marks):
    with pytest.raises(Invalid, match=r"watch\.marks_malformed"):
        mark_set(marks)
