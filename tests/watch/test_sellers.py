"""Linked sellers: the same groups as drawing lines by hand, and what links nobody."""

from __future__ import annotations

import random
from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chopmark.watch.features import FEATURES
from chopmark.watch.sellers import (
    GTIN_SELLERS,
    LEAST_PICTURES,
    MOST_CONTACT,
    MOST_GROUP,
    MOST_PICTURE,
    STOCK_SELLERS,
    Kind,
    Linked,
    Stock,
    brands_of,
    gtin_other,
    impossible_stock,
    linked,
    stock_of,
)

Use = tuple[str, Kind, str]


def test_a_contact_links_and_confirmed_hits_of_the_others_count():
    uses: list[Use] = [
        ("a", "contact", "wx1"),
        ("b", "contact", "wx1"),
        ("b", "contact", "qq2"),
        ("c", "contact", "qq2"),
    ]
    sellers = linked(uses, {"a": 5, "c": 2})
    assert sellers.linked["a"] == Linked(shared_pictures=0, shared_contact=1, group="a", group_confirmed=2)
    assert sellers.linked["b"] == Linked(shared_pictures=0, shared_contact=2, group="a", group_confirmed=7)
    assert set(sellers.features("b")) <= set(FEATURES)


def test_one_shared_picture_is_counted_and_links_nobody_two_do():
    one: list[Use] = [("a", "picture", "p1"), ("b", "picture", "p1")]
    two: list[Use] = [*one, ("a", "picture", "p2"), ("b", "picture", "p2")]
    assert linked(one, {"a": 3}).features("b") == {"shared_pictures": 1, "shared_contact": 0, "group_confirmed": 0}
    assert linked(two, {"a": 3}).features("b") == {"shared_pictures": 1, "shared_contact": 0, "group_confirmed": 3}


def test_the_same_picture_many_times_in_one_shop_is_one_use():
    uses: list[Use] = [("a", "picture", "p1")] * 50 + [("b", "picture", "p1")] * 2
    assert linked(uses, {"a": 3}).features("b")["group_confirmed"] == 0


@pytest.mark.parametrize(("kind", "most"), [("picture", MOST_PICTURE), ("contact", MOST_CONTACT)])
def test_what_too_many_share_links_nobody(kind, most):
    def uses(count: int) -> list[Use]:
        return [(f"s{at}", kind, f"v{which}") for at in range(count) for which in range(2)]

    assert linked(uses(most), {"s0": 4}).features("s1")["group_confirmed"] == 4
    assert linked(uses(most + 1), {"s0": 4}).linked == {}


def test_a_group_that_grew_too_large_is_none():
    def chain(count: int) -> list[Use]:
        return [(f"s{at:04}", "contact", f"v{which}") for at in range(count) for which in (at, at + 1)]

    assert linked(chain(MOST_GROUP), {"s0000": 4}).features("s0400")["group_confirmed"] == 4
    whole = linked(chain(MOST_GROUP + 1), {"s0000": 4})
    assert whole.features("s0400")["group_confirmed"] == 0
    assert whole.linked["s0400"].group == "s0400"
    assert whole.linked["s0400"].shared_contact == 2


def test_nobody_shares_anything():
    assert linked([], {}).linked == {}
    alone: list[Use] = [("a", "picture", "p1"), ("b", "contact", "p1")]
    assert linked(alone, {"a": 9}).features("a") == {"shared_pictures": 0, "shared_contact": 0, "group_confirmed": 0}


def _by_hand(uses: list[Use], confirmed: dict[str, int]) -> dict[str, Linked]:
    """Every pair of sellers is looked at, and groups are joined one by one."""
    of: dict[tuple[Kind, str], set[str]] = {}
    for seller, kind, value in uses:
        of.setdefault((kind, value), set()).add(seller)
    kept = {
        key: who
        for key, who in of.items()
        if 2 <= len(who) <= {"picture": MOST_PICTURE, "contact": MOST_CONTACT}[key[0]]
    }
    names = sorted(set().union(*kept.values())) if kept else []
    shared = {
        (one, other): [
            sum(kind == wanted and {one, other} <= who for (kind, _), who in kept.items())
            for wanted in ("picture", "contact")
        ]
        for one, other in combinations(names, 2)
    }
    groups = {name: {name} for name in names}
    for (one, other), (pictures, contacts) in shared.items():
        if (pictures >= LEAST_PICTURES or contacts) and groups[one] is not groups[other]:
            groups[one] |= groups[other]
            for each in groups[other]:
                groups[each] = groups[one]

    def others(name: str, which: int) -> int:
        return sum(bool(counts[which]) for pair, counts in shared.items() if name in pair)

    return {
        name: Linked(
            shared_pictures=others(name, 0),
            shared_contact=others(name, 1),
            group=min(groups[name]),
            group_confirmed=sum(confirmed.get(each, 0) for each in groups[name] - {name}),
        )
        for name in names
    }


@settings(max_examples=40, deadline=None, derandomize=True)
@given(st.integers(0, 100_000), st.integers(0, 60), st.integers(2, 30))
def test_groups_are_those_that_drawing_lines_by_hand_gives(seed, count, sellers):
    chance = random.Random(seed)  # noqa: S311 (the same uses every time)
    kinds: tuple[Kind, Kind] = ("picture", "contact")
    uses: list[Use] = [
        (f"s{chance.randrange(sellers)}", chance.choice(kinds), f"v{chance.randrange(12)}") for _ in range(count)
    ]
    confirmed = {f"s{at}": chance.randrange(4) for at in range(0, sellers, 2)}
    assert dict(linked(uses, confirmed).linked) == _by_hand(uses, confirmed)


STOCK = {
    "as much as others": (20, 5, None, False),
    "a hundred times as much, of who came long ago": (2_000, 20, 400, False),
    "just not a thousand times as much": (20_000, 20, 400, False),
    "a thousand times as much": (20_001, 20, 400, True),
    "nobody knows since when": (20_000, 20, None, False),
    "a hundred times as much, of who is new": (2_001, 20, 89, True),
    "the same on the ninetieth day": (2_001, 20, 90, False),
    "too few pieces for any suspicion": (999, 0, 1, False),
    "where others have none": (1_000, 0, 1, True),
    "stock that is not said": (None, 20, 1, False),
    "too few others say theirs": (10**9, None, 1, False),
    "where everybody writes 9999": (9_999, 9_999, 1, False),
}


@pytest.mark.parametrize(("stock", "usual", "days", "wanted"), STOCK.values(), ids=STOCK)
def test_stock_is_impossible_far_beyond_what_others_have(stock, usual, days, wanted):
    known = None if usual is None else Stock(median=usual, sellers=STOCK_SELLERS)
    assert impossible_stock(stock, known, days) is wanted
    assert not impossible_stock(stock, Stock(median=usual or 0, sellers=STOCK_SELLERS - 1), days)


def test_one_seller_s_listings_are_one_voice_of_what_is_usual():
    others = [(f"s{at}", 10 + at % 3) for at in range(STOCK_SELLERS)]
    assert stock_of([*others, *[("flood", 500_000)] * 10_000]) == Stock(median=11, sellers=STOCK_SELLERS + 1)
    assert stock_of([*others[1:], *[("s1", 7)] * 50]) is None


PEN, CASE = "4006381333931", "012345678905"
SIX = [(PEN, "Stabilo", f"s{at}") for at in range(6)]


def test_a_gtin_is_whose_most_say_it_is():
    assert brands_of(SIX, {}) == {PEN.zfill(14): "stabilo"}
    assert brands_of([(PEN, "STABILO®", f"t{at}") for at in range(2)] + SIX[:3], {}) == {PEN.zfill(14): "stabilo"}
    assert brands_of(SIX[: GTIN_SELLERS - 1], {}) == {}
    assert brands_of([*SIX, (PEN, "Nike", "x"), (PEN, "Nike", "y")], {}) == {}
    assert brands_of([*SIX, (PEN, "Nike", "x")], {}) == {PEN.zfill(14): "stabilo"}
    assert brands_of([(PEN, "no brand", f"s{at}") for at in range(9)], {}) == {}
    assert brands_of([("4006381333932", brand, seller) for _, brand, seller in SIX], {}) == {}


def test_one_seller_or_one_group_makes_no_majority():
    flood = [(PEN, "Nike", "flood")] * 1_000
    assert brands_of(flood, {}) == {}
    assert brands_of([*SIX, *flood], {}) == {PEN.zfill(14): "stabilo"}
    shops = [(PEN, "Nike", f"fake{at}") for at in range(50)]
    group = {f"fake{at}": "fake0" for at in range(50)}
    assert brands_of([*SIX, *shops], group) == {PEN.zfill(14): "stabilo"}
    assert brands_of(shops, group) == {}


BRANDS = {PEN.zfill(14): "stabilo"}
GTINS = {
    "another brand's product": (PEN, ("Nike",), "Nike shoes", True),
    "of fourteen digits": (PEN.zfill(14), ("Nike",), "Nike shoes", True),
    "the mark's own": (PEN, ("Stabilo", "思笔乐"), "pen", False),
    "one of the mark's names": (PEN, ("Schwan", "Stabilo"), "pen", False),
    "who names that brand too": (PEN, ("Nike",), "Stabilo pen for Nike", False),
    "a product that nobody knows": (CASE, ("Nike",), "Nike shoes", False),
    "a wrong check digit": ("4006381333932", ("Nike",), "Nike shoes", False),
    "no number": ("x", ("Nike",), "Nike shoes", False),
    "nothing": ("", ("Nike",), "Nike shoes", False),
}


@pytest.mark.parametrize(("gtin", "names", "said", "wanted"), GTINS.values(), ids=GTINS)
def test_a_gtin_is_borrowed_where_another_brand_s_product_bears_it(gtin, names, said, wanted):
    assert gtin_other(gtin, names, said, BRANDS) is wanted
