"""A listing from anywhere: kept as far as it can be, each trouble a flag, refused only without identity."""

from __future__ import annotations

import tracemalloc
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chopmark.base.errors import Invalid
from chopmark.watch.listing import (
    MAX_DESCRIPTION,
    MAX_PICTURES,
    MAX_TITLE,
    Listing,
    Picture,
    address_is_public,
    clean,
    decode,
    encode,
    gtin_is_right,
    minor_digits,
)

PLAIN = {"item": "1", "seller": "s", "title": "Nike shoes", "price": "19.90", "currency": "CNY", "classes": [25]}


def cleaned(**said: object) -> Listing:
    return clean({**PLAIN, **said}, marketplace="demo")


def test_a_full_listing_is_kept_as_it_is() -> None:
    found = clean(
        {
            **PLAIN,
            "marketplace": "demo",
            "version": "3",
            "description": "Soft.\nLight.",
            "brand": "Nike",
            "category": ["Shoes", "Running"],
            "territories": "de, CN,GB",
            "pictures": ["https://img.example.com/1.jpg", {"sha256": "ab" * 32}],
            "gtin": "4006381333931",
            "stock": 7,
            "url": "https://shop.example.com/1?a=b",
            "contact": ["  Wechat:  ABC "],
            "listed_at": "2026-11-01T08:00:00+08:00",
            "changed_at": 1_790_000_000,
        },
        marketplace="demo",
    )
    assert found == Listing(
        marketplace="demo",
        item="1",
        version=3,
        seller="s",
        title="Nike shoes",
        description="Soft.\nLight.",
        brand="Nike",
        price=1990,
        currency="CNY",
        category="Shoes > Running",
        classes=("25",),
        territories=("CN", "DE", "GB"),
        pictures=(Picture(url="https://img.example.com/1.jpg"), Picture(sha256=b"\xab" * 32)),
        gtin="4006381333931",
        stock=7,
        url="https://shop.example.com/1?a=b",
        contact=("wechat: abc",),
        listed_at=datetime(2026, 11, 1, tzinfo=UTC),
        changed_at=datetime.fromtimestamp(1_790_000_000, UTC),
    )


@pytest.mark.parametrize(
    ("said", "code"),
    {
        "no item": ({"item": None}, "watch.listing_item"),
        "an empty item": ({"item": "  "}, "watch.listing_item"),
        "an item of 201 characters": ({"item": "x" * 201}, "watch.listing_item"),
        "an item with an invisible character": ({"item": "a\u200bb"}, "watch.listing_item"),
        "an item of broken UTF-8": ({"item": b"a\xff"}, "watch.listing_item"),
        "an item that is true": ({"item": True}, "watch.listing_item"),
        "no seller": ({"seller": ""}, "watch.listing_seller"),
        "a seller that is a list": ({"seller": ["s"]}, "watch.listing_seller"),
        "a version that is a word": ({"version": "new"}, "watch.listing_version"),
        "a version below zero": ({"version": -1}, "watch.listing_version"),
        "a version that is no whole number": ({"version": 1.5}, "watch.listing_version"),
        "a version that is true": ({"version": True}, "watch.listing_version"),
        "another marketplace": ({"marketplace": "other"}, "watch.listing_marketplace"),
    }.values(),
)
def test_what_has_no_identity_is_refused(said: dict[str, object], code: str) -> None:
    with pytest.raises(Invalid) as caught:
        cleaned(**said)
    assert caught.value.code == code


@pytest.mark.parametrize("name", ["", "Demo", "a/b", "a" * 41, "-a", "a_b"])
def test_a_marketplace_has_a_short_plain_name(name: str) -> None:
    with pytest.raises(Invalid, match=r"watch\.listing_marketplace"):
        clean(PLAIN, marketplace=name)


@pytest.mark.parametrize(
    ("price", "currency", "minor", "flags"),
    {
        "a number": (19.9, "CNY", 1990, ()),
        "a whole number": (20, "CNY", 2000, ()),
        "thousands with commas": ("1,299.00", "USD", 129_900, ()),
        "thousands with points, a comma for the cents": ("1.299,00 €", "EUR", 129_900, ()),
        "a comma for the cents": ("12,5", "EUR", 1250, ()),
        "full-width digits": ("１９９", "CNY", 19_900, ()),
        "a sign of money": ("¥199", "CNY", 19_900, ()),
        "a currency without cents": ("1299", "JPY", 1299, ()),
        "a currency with thousandths": ("1.2345", "KWD", 1235, ()),
        "another name of the currency": ("1", "rmb", 100, ()),
        "less than nothing": ("-5", "CNY", None, ("price_negative",)),
        "words": ("call us", "CNY", None, ("price_unreadable",)),
        "not a number": (float("nan"), "CNY", None, ("price_unreadable",)),
        "endless": (float("inf"), "CNY", None, ("price_unreadable",)),
        "true": (True, "CNY", None, ("price_unreadable",)),
        "too much": ("9" * 25, "CNY", None, ("price_unreadable",)),
        "an exponent": ("1e5", "CNY", None, ("price_unreadable",)),
        "a range": ("10-20", "CNY", None, ("price_unreadable",)),
        "nothing": (None, "CNY", None, ("price_missing",)),
        "no currency": ("5", "", 500, ("currency_unknown",)),
        "a currency that is none": ("5", "XYZ", 500, ("currency_unknown",)),
    }.values(),
)
def test_prices_are_read_or_flagged(price: object, currency: str, minor: int | None, flags: tuple[str, ...]) -> None:
    found = cleaned(price=price, currency=currency)
    assert (found.price, found.flags) == (minor, flags)


def test_a_price_in_the_smallest_unit_goes_first() -> None:
    assert cleaned(price_minor=1234, price="99").price == 1234
    assert cleaned(price_minor=-1).flags == ("price_negative",)
    assert cleaned(price_minor="12.5").flags == ("price_unreadable",)
    assert [minor_digits(each) for each in ("JPY", "CNY", "KWD", "")] == [0, 2, 3, 2]


@pytest.mark.parametrize(
    ("said", "flag"),
    {
        "a title of a million characters": ({"title": "x" * 1_000_000}, "title_cut"),
        "a title of more than a million": ({"title": "\u200b" * 2_000_000}, "title_cut"),
        "no title": ({"title": None}, "title_empty"),
        "a title of nothing to see": ({"title": "   "}, "title_empty"),
        "a long description": ({"description": "y" * 20_001}, "description_cut"),
        "bytes that are no UTF-8": ({"title": b"Nike \xff\xfe"}, "broken_encoding"),
        "a lone surrogate": ({"title": "Nike \ud800"}, "broken_encoding"),
        "a title that is a list": ({"title": ["Nike"]}, "broken_encoding"),
        "a turned line": ({"title": "\u202eekiN\u202c"}, "bidi"),
        "a flood of invisible characters": ({"title": "N" + "\u200b" * 500 + "ike"}, "zero_width_flood"),
        "a flood of accents": ({"title": "N" + "\u0301\u0302" * 50 + "ike"}, "zero_width_flood"),
        "a bell": ({"title": "Nike\x07"}, "control_characters"),
        "51 pictures": ({"pictures": [f"https://a.example.com/{i}" for i in range(51)]}, "too_many_pictures"),
        "a picture at home": ({"pictures": ["http://127.0.0.1/x"]}, "picture_address_refused"),
        "a wrong check digit": ({"gtin": "4006381333932"}, "gtin_wrong"),
        "a bar code of noughts": ({"gtin": "0" * 13}, "gtin_wrong"),
        "a country that is none": ({"territories": ["QQ"]}, "territory_unknown"),
        "no class": ({"classes": None}, "category_unknown"),
        "a class that is none": ({"classes": ["46"]}, "category_unknown"),
        "an address of a file": ({"url": "file:///etc/passwd"}, "url_refused"),
        "a time without an offset": ({"listed_at": "2026-11-01T08:00:00"}, "time_unreadable"),
        "a day that is none": ({"listed_at": "2026-02-30T00:00:00Z"}, "time_unreadable"),
        "a time before any marketplace": ({"listed_at": 0}, "time_unreadable"),
        "a time after all": ({"changed_at": 10**17}, "time_unreadable"),
        "stock below nothing": ({"stock": -1}, "stock_unreadable"),
        "stock in words": ({"stock": "many"}, "stock_unreadable"),
    }.values(),
)
def test_each_trouble_is_a_flag_and_the_listing_is_kept(said: dict[str, object], flag: str) -> None:
    found = cleaned(**said)
    assert flag in found.flags
    assert len(found.title) <= MAX_TITLE
    assert len(found.description) <= MAX_DESCRIPTION
    assert len(found.pictures) <= MAX_PICTURES
    assert decode(encode(found)) == found


def test_a_flood_cannot_push_the_mark_behind_the_cut() -> None:
    assert "Nike" in cleaned(title="\u200b\u200c" * 3_000 + " Nike").title
    assert "Nike" in cleaned(title=" \t" * 3_000 + "Nike").title
    assert cleaned(title="a" + " " * 50 + "b").flags == ()


def test_a_disguise_stays_as_it_came() -> None:
    disguised = "Ｎ\u0456\u200bk\u0301е  n.i.k.e"
    assert cleaned(title=disguised).title == disguised


def test_hostile_text_takes_little_time_and_room() -> None:
    tracemalloc.start()
    for title in ("\u200b\u0301 " * 400_000, "a\u200b" * 500_000, "\u202e" * 1_000_000, b"\xff" * 1_000_000):
        assert len(cleaned(title=title).title) <= MAX_TITLE
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 100_000_000


@pytest.mark.parametrize("name", ["title", "brand", "category", "gtin", "price", "stock", "listed_at"])
def test_a_number_too_long_to_be_written_is_a_flag(name: str) -> None:
    for number in (10**5_000, -(10**5_000)):
        found = cleaned(**{"title": "x", name: number})
        assert found.flags
        assert not getattr(found, name)


def test_classes_are_numbers_or_texts_and_nothing_else_is_read() -> None:
    assert cleaned(classes=[25, "09", " 3 ", 10**5_000, True, 2.0, ["25"], {}, -1, 46]).classes == ("3", "9", "25")


def test_classes_come_from_the_category_when_they_are_not_given() -> None:
    def classes_of(category: str) -> list[str]:
        return ["25", "9"] if category == "Shoes" else []

    def classes(**said: object) -> tuple[str, ...]:
        return clean({**PLAIN, "classes": None, **said}, marketplace="demo", classes_of=classes_of).classes

    assert classes(category="Shoes") == ("9", "25")
    assert classes(category="Shoes", classes="03, 5") == ("3", "5")
    assert classes(category="Other") == ()


@pytest.mark.parametrize(
    "url",
    [
        "https://shop.example.com/a",
        "http://shop.example.com:8080/a?b=c#d",
        "https://8.8.8.8/x",
        "https://例子.中国/x",
        "HTTPS://Shop.Example.Com",
        "https://[2606:4700::1111]/x",
    ],
)
def test_public_addresses_are_taken(url: str) -> None:
    assert address_is_public(url)


@pytest.mark.parametrize(
    "url",
    [
        "ftp://shop.example.com/a",
        "javascript:alert(1)",
        "//shop.example.com",
        "https://user:word@shop.example.com/",
        "https://shop.example.com:22/",
        "https://shop.example.com:99999/",
        "http://localhost/",
        "http://LOCALHOST./",
        "http://a.local/",
        "http://printer/",
        "http://127.0.0.1/",
        "http://127.1/",
        "http://2130706433/",
        "http://0x7f.1/",
        "http://0177.0.0.1/",
        "http://①②⑦.0.0.1/",
        "http://10.0.0.1/",
        "http://169.254.169.254/latest/meta-data/",
        "http://[::1]/",
        "http://[fd00::1]/",
        "http://[::ffff:127.0.0.1]/",
        "http://metadata.google.internal/",
        "https://shop.example.com/\u202eabc",
        "https://shop.example.com/a b",
        "https://shop.example.com\\@evil.example.com/",
        "https://" + "a" * 3000 + ".example.com/",
        "",
    ],
)
def test_other_addresses_are_not(url: str) -> None:
    assert not address_is_public(url)


def plain_check_digit(body: str) -> str:
    """GS1's table, read column by column from the right."""
    total, weight = 0, 3
    for digit in body[::-1]:
        total, weight = total + int(digit) * weight, 4 - weight
    return str(-total % 10)


@settings(deadline=None)
@given(st.sampled_from([7, 11, 12, 13]), st.data())
def test_check_digits_agree_with_the_plain_way(length: int, data: st.DataObject) -> None:
    body = data.draw(st.text("0123456789", min_size=length, max_size=length))
    for last in "0123456789":
        right = last == plain_check_digit(body) and set(body + last) != {"0"}
        assert gtin_is_right(body + last) == right


def test_times_are_the_same_moment_in_any_zone() -> None:
    at = datetime(2026, 11, 1, 8, tzinfo=timezone(timedelta(hours=8)))
    assert cleaned(listed_at=at).listed_at == cleaned(listed_at="2026-11-01T00:00:00Z").listed_at


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=40) | st.binary(max_size=40),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)
REFUSALS = {f"watch.listing_{name}" for name in ("item", "seller", "version", "marketplace")}
NAMES = [*sorted(Listing.__slots__), "price_minor"]


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.dictionaries(st.sampled_from(NAMES), ANYTHING, max_size=12))
def test_whatever_comes_is_a_listing_or_is_refused_with_a_code(said: dict[str, object]) -> None:
    refused = ""
    try:
        found = clean({"item": "1", "seller": "s", **said}, marketplace="demo")
    except Invalid as refusal:
        refused = refusal.code
    if refused:
        assert refused in REFUSALS
        return
    assert decode(encode(found)) == found
    assert clean_again(found) == replace(found, flags=clean_again(found).flags)


def clean_again(found: Listing) -> Listing:
    said = {name: getattr(found, name) for name in Listing.__slots__ if name not in {"price", "pictures", "flags"}}
    pictures = [{"url": each.url, "sha256": each.sha256} for each in found.pictures]
    return clean({**said, "price_minor": found.price, "pictures": pictures}, marketplace=found.marketplace)


@pytest.mark.parametrize(
    ("old", "new"),
    {
        "another order": (b'{"brand":"","category":""', b'{"category":"","brand":""'),
        "a key more": (b'{"brand":""', b'{"and":1,"brand":""'),
        "a key less": (b'"brand":"",', b""),
        "a number in quotes": (b'"version":1', b'"version":"1"'),
        "a number that is true": (b'"version":1', b'"version":true'),
        "less than nothing": (b'"version":1', b'"version":-1'),
        "a flag that is none": (b'"flags":[]', b'"flags":["odd"]'),
        "no item": (b'"item":"1"', b'"item":""'),
        "a digest in capitals": (b'"sha256":"ab', b'"sha256":"AB'),
        "a list that is text": (b'"classes":["25"]', b'"classes":"25"'),
    }.values(),
)
def test_bytes_that_do_not_print_back_are_refused(old: bytes, new: bytes) -> None:
    good = encode(cleaned(pictures=[{"sha256": "ab" * 32}]))
    assert old in good
    with pytest.raises(Invalid):
        decode(good.replace(old, new))


@settings(deadline=None)
@given(st.binary(max_size=60))
def test_other_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(Invalid):
        decode(data)
