"""GS1 prefixes: who gave a number out, and which no product in trade bears."""

from __future__ import annotations

import tomllib
from importlib.resources import files

import pytest

from chopmark.watch.gs1 import is_traded, issuer
from chopmark.watch.listing import gtin_is_right
from chopmark.watch.sellers import brands_of, gtin_other

DATA = tomllib.loads(files("chopmark.watch").joinpath("gs1.toml").read_text("utf-8"))


def right(digits: str) -> str:
    """The digits with their check digit."""
    return next(digits + str(each) for each in range(10) if gtin_is_right(digits + str(each)))


@pytest.mark.parametrize(
    ("digits", "by"),
    [
        ("690123456789", "GS1 China"),
        ("699123456789", "GS1 China"),
        ("400638133393", "GS1 Germany"),
        ("440638133393", "GS1 Germany"),
        ("441638133393", ""),
        ("06141411234", "GS1 US"),  # of 12 digits
        ("1690123456789", "GS1 China"),  # of 14, in a box
        ("0690123456789", "GS1 China"),
        ("978030640615", "ISBN"),
        ("471123456789", "GS1 Chinese Taipei"),
        ("489123456789", "GS1 Hong Kong, China"),
        ("020123456789", ""),
        ("9638507", ""),  # of 8 digits
        ("0000009638507", ""),  # the same, written with 14
    ],
)
def test_who_gave_a_number_out_is_read_in_its_first_digits(digits: str, by: str) -> None:
    assert issuer(right(digits)) == by


@pytest.mark.parametrize(
    ("digits", "traded"),
    [
        ("690123456789", True),
        ("200123456789", False),
        ("299123456789", False),
        ("300123456789", True),
        ("020123456789", False),
        ("20123456789", False),  # of 12 digits: 2 is 02
        ("40123456789", False),
        ("50123456789", True),
        ("952123456789", False),
        ("990123456789", False),
        ("12001234567890"[:13], False),
        ("9638507", True),
        ("2123456", False),
        ("0123456", False),
        ("0000002123456", False),
    ],
)
def test_numbers_that_anybody_may_use_are_no_product_s(digits: str, traded: bool) -> None:  # noqa: FBT001 (a column)
    assert is_traded(right(digits)) is traded


def test_every_prefix_has_one_meaning_at_most() -> None:
    seen: dict[str, str] = {}
    for table in ("issuers", "untraded"):
        for name, ranges in DATA[table].items():
            for each in ranges:
                first, _, last = each.partition("-")
                for number in range(int(first), int(last or first) + 1):
                    assert seen.setdefault(f"{number:03}", name) == name, each
    assert all(len(each) == 3 for each in seen)
    for prefix in (f"{number:03}" for number in range(1, 1000)):
        gtin = right(f"{prefix}123456789")
        name = seen.get(prefix, "")
        assert (issuer(gtin), is_traded(gtin)) == (("", False) if name in DATA["untraded"] else (name, True))


def test_a_shop_s_own_number_is_nobody_s_product() -> None:
    own = right("200123456789")
    brands = brands_of([(own, "Stabilo", f"s{at}") for at in range(9)], {})
    assert brands == {}
    assert not gtin_other(own, ("Zorby",), "Zorby pen", {own.zfill(14): "stabilo"})
