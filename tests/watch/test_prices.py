"""Prices beside their peers: each seller once, two ways to the same table, nothing from what is not a price."""

from __future__ import annotations

import math
import random
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chopmark.base.errors import Invalid
from chopmark.watch.prices import LEAST, SPREAD, Group, Peers, encode, parse_peers, peers_of, peers_of_files
from chopmark.watch.sellers import STOCK_SELLERS, Stock

KEY = {"right": "R-2026-000001", "category": "Shoes", "currency": "CNY"}


def _row(seller: str, price: int | None, **more: Any) -> dict[str, Any]:
    return {**KEY, "marketplace": "demo", "seller": seller, "price": price, **more}


SIX = [_row(f"s{at}", price) for at, price in enumerate((8_000, 9_000, 10_000, 10_000, 11_000, 12_000))]


def test_a_price_is_compared_with_the_median_of_its_peers():
    peers = peers_of(SIX)
    assert peers.groups == {tuple(KEY.values()): Group(median=10_000, mad=100_335, sellers=6)}
    assert peers.features(**KEY, price=2_500) == {
        "price_ratio": 0.25,
        "price_deviation": round(math.log(0.25) / (1.4826 * 0.100335), 3),
        "peers": 6,
    }
    assert peers.features(**KEY, price=10_000)["price_deviation"] == 0


NOTHING: dict[str, tuple[dict[str, str], int | None, int]] = {
    "no price": ({}, None, 6),
    "a price of nought": ({}, 0, 6),
    "a negative price": ({}, -500, 6),
    "another currency": ({"currency": "USD"}, 5_000, 0),
    "another category": ({"category": "Bags"}, 5_000, 0),
    "another right": ({"right": "R-2026-000009"}, 5_000, 0),
}


@pytest.mark.parametrize(("changes", "price", "count"), NOTHING.values(), ids=NOTHING)
def test_where_there_is_nothing_to_compare_nothing_is_said(changes, price, count):
    found = peers_of(SIX).features(**{**KEY, **changes}, price=price)
    assert found == {"price_ratio": None, "price_deviation": None, "peers": count}


def test_a_seller_of_ten_thousand_fakes_counts_once():
    flood = [_row("flood", 500) for _ in range(10_000)]
    [group] = peers_of([*SIX, *flood]).groups.values()
    assert (group.median, group.sellers) == (10_000, 7)


def test_the_same_seller_number_on_two_marketplaces_is_two_sellers():
    [group] = peers_of([*SIX, _row("s0", 9_500, marketplace="shop")]).groups.values()
    assert group.sellers == 7


def test_usual_stock_is_known_by_right_from_twenty_sellers_on():
    assert peers_of(STOCKED).stocks == {KEY["right"]: Stock(median=7, sellers=STOCK_SELLERS)}
    assert peers_of(STOCKED[1:]).stocks == {}
    assert peers_of(SIX).stocks == {}


def test_too_few_sellers_are_no_peers():
    assert peers_of(SIX[: LEAST - 1]).groups == {}
    assert peers_of([*SIX[: LEAST - 1], *[_row("s0", 9)] * 5]).groups == {}


@pytest.mark.parametrize("bad", [_row("x", None), _row("x", 0), _row("x", -7), _row("x", 5, currency="")])
def test_what_is_no_price_does_not_count(bad):
    assert peers_of([*SIX, bad]) == peers_of(SIX)


def test_equal_prices_make_no_giants_of_small_differences():
    peers = peers_of([_row(f"s{at}", 10_000) for at in range(8)])
    deviation = peers.features(**KEY, price=9_500)["price_deviation"]
    assert deviation == pytest.approx(math.log(0.95) / SPREAD, abs=1e-3)


def _random_rows(seed: int, count: int) -> list[dict[str, Any]]:
    chance = random.Random(seed)  # noqa: S311 (the same rows every time)
    prices = [None, 0, -1, *(chance.randint(1, 2_000_000) for _ in range(20))]
    return [
        {
            "right": chance.choice(["R-1", "R-2"]),
            "category": chance.choice(["鞋", "Bags"]),
            "currency": chance.choice(["CNY", "CNY", "USD", ""]),
            "marketplace": chance.choice(["demo", "shop"]),
            "seller": f"s{chance.randint(1, 18)}",
            "price": chance.choice(prices),
            "stock": chance.choice([None, 0, 5, 5, 40, 9_999]),
        }
        for _ in range(count)
    ]


SCHEMA = pa.schema(
    [
        *(pa.field(name, pa.string()) for name in ("right", "category", "currency", "marketplace", "seller")),
        pa.field("price", pa.int64()),
        pa.field("stock", pa.int64()),
    ]
)


@settings(max_examples=12, deadline=None, derandomize=True)
@given(st.integers(0, 10_000), st.integers(0, 300))
def test_files_lead_to_the_same_table_as_rows(tmp_path_factory, seed, count):
    rows = _random_rows(seed, count)
    folder = tmp_path_factory.mktemp("peers")
    pq.write_table(pa.Table.from_pylist(rows[::2], schema=SCHEMA), folder / "a.parquet")
    pq.write_table(pa.Table.from_pylist(rows[1::2], schema=SCHEMA), folder / "b.parquet")
    slow, fast = peers_of(rows), peers_of_files(str(folder / "*.parquet"), threads=1)
    assert slow.groups.keys() == fast.groups.keys()
    for key, group in slow.groups.items():
        other = fast.groups[key]
        assert (group.median, group.sellers) == (other.median, other.sellers)
        assert group.mad == pytest.approx(other.mad, abs=1)  # two ways to round a logarithm
    assert slow.stocks == fast.stocks
    assert parse_peers(encode(fast)) == fast


def test_files_that_cannot_be_read_are_refused(tmp_path: Path):
    pq.write_table(pa.table({"price": [1]}), tmp_path / "narrow.parquet")
    for name in ("none.parquet", "narrow.parquet"):
        with pytest.raises(Invalid, match="prices_unreadable"):
            peers_of_files(str(tmp_path / name))


STOCKED = [_row(f"s{at}", None, stock=7) for at in range(STOCK_SELLERS)]
GOOD = encode(peers_of([*SIX, *(each | {"category": "Bags"} for each in SIX), *STOCKED]))
BAD = {
    "no line end": GOOD[:-1],
    "an empty line": GOOD + b"\n",
    "a line that is no list": b"{}\n",
    "too few fields": b'["R","c","CNY",5,1]\n',
    "a median of nought": b'["R","c","CNY",0,1,9]\n',
    "a median beyond numbers": b'["R","c","CNY",9007199254740992,1,9]\n',
    "too few sellers": b'["R","c","CNY",5,1,1]\n',
    "too few sellers of a stock": b'["R",7,19]\n',
    "a stock below nought": b'["R",-7,20]\n',
    "a right that is no text": b"[5,7,20]\n",
    "a truth for a number": b'["R","c","CNY",true,1,9]\n',
    "lines in another order": b"\n".join(reversed(GOOD.split(b"\n")[:-1])) + b"\n",
    "a line twice": b'["R","c","CNY",5,1,9]\n["R","c","CNY",5,1,9]\n',
    "white space": GOOD.replace(b",", b", "),
}


@pytest.mark.parametrize("data", BAD.values(), ids=BAD)
def test_a_table_that_does_not_print_back_is_refused(data):
    found = parse_peers(GOOD)
    assert found.version == Peers(groups=found.groups, stocks=found.stocks).version
    with pytest.raises(Invalid, match="prices_malformed"):
        parse_peers(data)


def test_features_of_any_price_are_finite():
    peers = peers_of(SIX)
    for price in (1, 2**53 - 1):
        found = peers.features(**KEY, price=price)
        assert all(math.isfinite(float(found[name] or 0)) for name in ("price_ratio", "price_deviation"))
