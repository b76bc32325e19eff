"""What a price says beside those of its peers: the same right, the same category, the same currency, other sellers.

    peers = peers_of_files("results/*.parquet")        or peers_of(rows)
    peers.features(right=..., category=..., currency=..., price=...)
                                   {'price_ratio': 0.21, 'price_deviation': -4.3, 'peers': 61}

Each seller counts once, with the median of its prices: who lists ten thousand fakes does not move what is usual. The
middle is the median of sellers, the spread the median absolute deviation of logarithms (MAD; 1.4826 MAD estimates a
standard deviation, Rousseeuw and Croux 1993), at least SPREAD so that equal prices make no giants of small differences.
Half of the sellers of a group would have to be bad before the middle is theirs. A cheap offer is no wrong: it is used
goods, a sale, a mistake, or a fake; so a price never decides alone.
"""

from __future__ import annotations

import hashlib
import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from statistics import median
from typing import Any, Final

from chopmark.base import jcs
from chopmark.base.errors import Invalid
from chopmark.watch.features import Value
from chopmark.watch.sellers import STOCK_SELLERS, Stock, stock_of

LEAST: Final = 5  # sellers; fewer are no peers
SPREAD: Final = 0.05  # of logarithms, about 5 %
_SCALE: Final = 1.4826
_MILLION: Final = 1_000_000
MAX_PRICE: Final = 2**53 - 1

Key = tuple[str, str, str]
"""Right, category, currency."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """The prices of one right in one category and currency.

    Attributes:
        median: in the smallest unit of the currency.
        mad: median absolute deviation of natural logarithms, in millionths.
        sellers: how many stand behind it.
    """

    median: int
    mad: int
    sellers: int


@dataclass(frozen=True, kw_only=True)
class Peers:
    """All groups with enough sellers.

    Attributes:
        stocks: by right, how many pieces sellers usually offer.
    """

    groups: Mapping[Key, Group]
    stocks: Mapping[str, Stock] = field(default_factory=dict)

    @cached_property
    def version(self) -> str:
        """SHA-256 of its canonical bytes, hex."""
        return hashlib.sha256(encode(self)).hexdigest()

    def features(self, *, right: str, category: str, currency: str, price: int | None) -> dict[str, Value]:
        """The three features of a price; NULL where there is nothing to compare."""
        group = self.groups.get((right, category, currency))
        if group is None:
            return {"price_ratio": None, "price_deviation": None, "peers": 0}
        if price is None or price <= 0:
            return {"price_ratio": None, "price_deviation": None, "peers": group.sellers}
        ratio = price / group.median
        sigma = max(_SCALE * group.mad / _MILLION, SPREAD)
        return {
            "price_ratio": round(ratio, 6),
            "price_deviation": round(math.log(ratio) / sigma, 3),
            "peers": group.sellers,
        }


def peers_of(rows: Iterable[Mapping[str, Any]]) -> Peers:
    """From rows with `right`, `category`, `currency`, `marketplace`, `seller`, `price` and `stock`.

    Prices that are missing, nought or negative do not count, nor do those without a currency.
    """
    prices: dict[Key, dict[tuple[str, str], list[int]]] = {}
    stocks: dict[str, list[tuple[str, int]]] = defaultdict(list)
    for row in rows:
        if row.get("stock") is not None:
            stocks[row["right"]].append((f"{row['marketplace']} {row['seller']}", row["stock"]))
        if row["currency"] and row["price"] is not None and row["price"] > 0:
            key = (row["right"], row["category"], row["currency"])
            prices.setdefault(key, {}).setdefault((row["marketplace"], row["seller"]), []).append(row["price"])
    groups = {}
    for key, sellers in prices.items():
        each = [median(own) for own in sellers.values()]
        if len(each) >= LEAST:
            middle = median(each)
            mad = median(abs(math.log(own / middle)) for own in each)
            groups[key] = Group(median=max(1, round(middle)), mad=round(mad * _MILLION), sellers=len(each))
    usual = {right: found for right, said in stocks.items() if (found := stock_of(said)) is not None}
    return Peers(groups=groups, stocks=usual)


_QUERY: Final = f"""
    WITH own AS (
        SELECT "right", category, currency, marketplace, seller, median(price) AS price
        FROM read_parquet($files) WHERE currency <> '' AND price > 0
        GROUP BY ALL
    ), middle AS (
        SELECT "right", category, currency, median(price) AS price, count(*) AS sellers
        FROM own GROUP BY ALL HAVING count(*) >= {LEAST}
    )
    SELECT "right", category, currency, any_value(middle.price), median(abs(ln(own.price / middle.price))),
        any_value(sellers)
    FROM own JOIN middle USING ("right", category, currency) GROUP BY ALL ORDER BY ALL
"""  # noqa: S608 (a constant of this module)
_STOCKS: Final = f"""
    WITH own AS (
        SELECT "right", marketplace, seller, median(stock) AS stock
        FROM read_parquet($files) WHERE stock IS NOT NULL GROUP BY ALL
    )
    SELECT "right", median(stock), count(*) FROM own GROUP BY ALL HAVING count(*) >= {STOCK_SELLERS} ORDER BY ALL
"""  # noqa: S608 (a constant of this module)


def peers_of_files(files: str | Sequence[str], *, threads: int | None = None) -> Peers:
    """The same from Parquet files, such as the results of scans.

    Raises:
        Invalid: `watch.prices_unreadable`.
    """
    import duckdb  # noqa: PLC0415 (only who reads files needs it)

    from chopmark.watch.rules.run import connection  # noqa: PLC0415 (as above)

    named = [files] if isinstance(files, str) else list(files)
    with connection(threads=threads) as database:
        try:
            found = database.execute(_QUERY, {"files": named}).fetchall()
            stocks = database.execute(_STOCKS, {"files": named}).fetchall()
        except duckdb.Error as error:
            raise Invalid("watch.prices_unreadable", problem=str(error)[:300]) from error
    groups = {
        (right, category, currency): Group(median=max(1, round(middle)), mad=round(mad * _MILLION), sellers=sellers)
        for right, category, currency, middle, mad, sellers in found
    }
    return Peers(
        groups=groups,
        stocks={right: Stock(median=round(middle), sellers=sellers) for right, middle, sellers in stocks},
    )


def encode(peers: Peers) -> bytes:
    """One canonical line a group, in the order of the keys; then one a right of which the usual stock is known."""
    lines: list[list[object]] = [
        [*key, group.median, group.mad, group.sellers] for key, group in sorted(peers.groups.items())
    ]
    lines += [[right, stock.median, stock.sellers] for right, stock in sorted(peers.stocks.items())]
    return b"".join(jcs.encode(each) + b"\n" for each in lines)


def parse_peers(data: bytes) -> Peers:
    """Read what `encode` wrote.

    Raises:
        Invalid: `watch.prices_malformed` with the line.
    """
    groups: dict[Key, Group] = {}
    stocks: dict[str, Stock] = {}
    number = 0
    for number, line in enumerate(data.split(b"\n")[:-1], 1):
        try:
            said = jcs.decode(line)
            if isinstance(said, list) and len(said) == _OF_STOCK:
                stocks[said[0]] = _stock(*said)
                continue
            right, category, currency, middle, mad, sellers = said
        except (Invalid, TypeError, ValueError) as error:
            raise Invalid("watch.prices_malformed", line=number) from error
        texts = all(isinstance(each, str) for each in (right, category, currency))
        counts = all(type(each) is int for each in (middle, mad, sellers))
        if not (texts and counts and 0 < middle <= MAX_PRICE and mad >= 0 and sellers >= LEAST):
            raise Invalid("watch.prices_malformed", line=number)
        groups[right, category, currency] = Group(median=middle, mad=mad, sellers=sellers)
    peers = Peers(groups=groups, stocks=stocks)
    if encode(peers) != data:
        raise Invalid("watch.prices_malformed", line=number + 1)
    return peers


_OF_STOCK: Final = 3
"""Values of a line about stock."""


def _stock(right: object, middle: object, sellers: object) -> Stock:
    """What a line says; ValueError where it is of another kind."""
    if type(right) is not str or type(middle) is not int or type(sellers) is not int:
        raise ValueError(right)
    if not 0 <= middle <= MAX_PRICE or sellers < STOCK_SELLERS:
        raise ValueError(middle)
    return Stock(median=middle, sellers=sellers)
