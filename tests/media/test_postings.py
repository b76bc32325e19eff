"""Postings answer as a plain list of entries would, whatever was added and dropped before."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from chopmark.media import postings as tables
from chopmark.media.postings import Postings


@given(
    st.lists(
        st.one_of(
            st.lists(st.tuples(st.integers(0, 5), st.integers(-9, 9)), max_size=6),  # an owner's keys and places
            st.integers(0, 9),  # an owner that is dropped
        ),
        max_size=25,
    ),
    st.lists(st.integers(0, 5), max_size=6),
)
def test_what_is_found_is_what_a_plain_list_holds(steps, wanted):
    postings, plain, owner = Postings(np.uint32), [], 0
    for step in steps:
        if isinstance(step, int):
            if step < owner:
                postings.drop(step)
                plain = [entry for entry in plain if entry[0] != step]
        else:
            keys, at = np.array([key for key, _ in step], np.uint32), np.array([at for _, at in step], np.int64)
            postings.add([(owner, keys, at)])
            plain += [(owner, key, at) for key, at in step]
            owner += 1
    which, owners, at = postings.find(np.array(wanted, np.uint32), most=1000)
    want = [(n, who, where) for n, key in enumerate(wanted) for who, known, where in plain if known == key]
    assert sorted(zip(which.tolist(), owners.tolist(), at.tolist(), strict=True)) == sorted(want)


def test_adding_one_by_one_leaves_few_tables():
    postings = Postings(np.uint64)
    for owner in range(300):
        postings.add([(owner, np.array([owner % 7, owner], np.uint64), np.zeros(2, np.int64))])
    assert len(postings._tables) <= 10
    assert len(postings.find(np.array([3], np.uint64), most=1000)[0]) == 44
    assert len(postings.find(np.array([3], np.uint64), most=5)[0]) < 44


def test_a_flooded_table_answers_what_is_rare_and_no_more_than_it_may(monkeypatch):
    postings = Postings(np.uint32)
    keys = np.array([1] * 40 + [2] * 3 + [3] * 2 + [4] * 30, np.uint32)
    postings.add([(0, keys, np.arange(75))])
    wanted = np.array([4, 2, 1, 3], np.uint32)
    assert len(postings.find(wanted, most=1000)[0]) == 75
    monkeypatch.setattr(tables, "ROOM", 40)
    which, _, at = postings.find(wanted, most=1000)
    assert set(which.tolist()) == {0, 1, 3}
    assert len(at) == 35
    monkeypatch.setattr(tables, "ROOM", 5)
    which, _, at = postings.find(wanted, most=1000)
    assert at.tolist() == [40, 41, 42, 43, 44]
