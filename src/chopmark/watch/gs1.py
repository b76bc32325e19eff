"""What the first digits of a GTIN say: who gave the number out, and whether any product in trade can bear it. Pure.

    issuer("6901234567892")         'GS1 China'
    is_traded("2001234567893")      False: a shop's own number, of which there are as many as there are shops

An issuer is no origin: a company joins the member organisation that it likes, and has its goods made anywhere. Which
company a number is of cannot be read: prefixes of companies are of several lengths, and only GS1 knows which.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from importlib.resources import files
from typing import Final

_EIGHT: Final = "000000"
"""What a number of 8 digits begins with when it is written with 14."""


def issuer(gtin: str) -> str:
    """The member organisation of GS1 (or ISSN, ISBN) that gave out the prefix; empty where nobody can say.

    Args:
        gtin: 8, 12, 13 or 14 digits with a right check digit. Of 8 digits nothing is said: GS1 gives those out singly.
    """
    return "" if _is_short(gtin) else _issuers().get(_prefix(gtin), "")


def is_traded(gtin: str) -> bool:
    """Whether it can be the number of a product in open trade: no restricted circulation, coupon, receipt or example.

    Args:
        gtin: as above.
    """
    if _is_short(gtin):
        return gtin[-8] not in _untraded_8()
    return _prefix(gtin) not in _untraded()


def _is_short(gtin: str) -> bool:
    return gtin.zfill(14).startswith(_EIGHT)


def _prefix(gtin: str) -> str:
    """The three digits; before them, a number of 14 has the digit of its packing."""
    return gtin.zfill(14)[1:4]


@cache
def _issuers() -> Mapping[str, str]:
    return {prefix: name for name, ranges in _data()["issuers"].items() for prefix in _prefixes(ranges)}


@cache
def _untraded() -> frozenset[str]:
    return frozenset(prefix for ranges in _data()["untraded"].values() for prefix in _prefixes(ranges))


@cache
def _untraded_8() -> frozenset[str]:
    return frozenset(digit for digits in _data()["untraded_8"].values() for digit in digits)


def _prefixes(ranges: Iterable[str]) -> Iterator[str]:
    for each in ranges:
        first, _, last = each.partition("-")
        yield from (f"{number:03}" for number in range(int(first), int(last or first) + 1))


@cache
def _data() -> Mapping[str, Mapping[str, list[str]]]:
    return tomllib.loads(files(__package__).joinpath("gs1.toml").read_text("utf-8"))
