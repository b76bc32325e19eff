"""The life of a hit, samples that nobody foresees, agreement beyond chance."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chopmark.base.errors import Refused
from chopmark.watch import sampling
from chopmark.watch.agreement import agreement
from chopmark.watch.life import ALLOWED, CONFIRMING, DISMISSING, HARSH, STATES, WAITING, after


def test_every_state_is_reached_from_open_and_open_from_every_state():
    reached, left = {"open"}, {"open"}
    for _ in STATES:
        reached |= {ALLOWED[before, event] for before, event in ALLOWED if before in reached}
        left |= {before for (before, _), then in ALLOWED.items() if then in left}
    assert reached == set(STATES) == left


def test_what_is_not_in_the_table_is_refused():
    events = {event for _, event in ALLOWED}
    for state in STATES:
        for event in events:
            if (state, event) in ALLOWED:
                assert after(state, event) == ALLOWED[state, event]
            else:
                with pytest.raises(Refused, match=r"watch\.hit_state_wrong"):
                    after(state, event)


def test_no_harsh_measure_lies_one_confirmation_away_from_a_second_person():
    assert {"takedown"} == HARSH
    assert ALLOWED["open", "confirm_one"] == "second"
    assert {before for (before, event), then in ALLOWED.items() if then == "contested"} == {"second"}
    assert {"open", "second", "contested"} == WAITING
    assert not CONFIRMING & DISMISSING


def test_a_sample_is_the_same_for_ever_and_another_with_another_key():
    names = [("automatic", "demo", str(each)) for each in range(2_000)]
    one, other = ({name for name in names if sampling.drawn(key, 20_000, *name)} for key in (b"1", b"2"))
    assert one == {name for name in names if sampling.drawn(b"1", 20_000, *name)}
    assert one != other
    # 2 % of 2,000 is 40; one in a million samples lies outside
    assert all(12 <= len(each) <= 75 for each in (one, other))


def test_parts_are_told_apart_however_they_are_cut():
    assert sampling.place(b"k", "ab", "c") != sampling.place(b"k", "a", "bc")
    assert sampling.drawn(b"k", 1_000_000, "x")
    assert not sampling.drawn(b"k", 0, "x")


@given(
    st.lists(st.tuples(st.sampled_from(["confirm", "dismiss"]), st.sampled_from(["confirm", "dismiss"])), max_size=40)
)
def test_kappa_is_what_its_definition_says(pairs):
    told = agreement(pairs)
    assert (told.count, told.agreed) == (len(pairs), sum(a == b for a, b in pairs))
    if not pairs:
        assert told.kappa is None
        return
    total = len(pairs)
    chance = sum(
        Fraction(sum(a == answer for a, _ in pairs), total) * Fraction(sum(b == answer for _, b in pairs), total)
        for answer in ("confirm", "dismiss")
    )
    if chance == 1:
        assert told.kappa is None
    else:
        assert told.kappa == round(1000 * (Fraction(told.agreed, total) - chance) / (1 - chance))


def test_kappa_of_a_published_example():
    # 50 applications, two readers: 20 yes-yes, 5 yes-no, 10 no-yes, 15 no-no give 0.4
    pairs = [("y", "y")] * 20 + [("y", "n")] * 5 + [("n", "y")] * 10 + [("n", "n")] * 15
    assert agreement(pairs).kappa == 400
