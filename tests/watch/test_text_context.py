"""What stands around a mark: replica words, descriptive use, classes of categories, contacts, what is hidden."""

from __future__ import annotations

import tomllib
from importlib.resources import files

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chopmark.watch import text as context
from chopmark.watch.listing import MAX_DESCRIPTION, MAX_TITLE
from chopmark.watch.marks import COMMON, Mark, mark_set
from chopmark.watch.reading import Words
from chopmark.watch.text.context import (
    MAX_CONTACTS,
    classes_of,
    contacts,
    hidden,
    is_descriptive,
    other_brand,
    replica_words,
)
from chopmark.watch.text.learn import distinctiveness
from chopmark.watch.text.matcher import TextMatcher
from chopmark.watch.text.vocabulary import shipped

REPLICA = {
    "slang of shops": ("高仿 A货 莆田", ["高仿", "A货", "莆田"]),
    "with something between": ("高 仿，复.刻", ["高仿", "复刻"]),
    "in traditional characters": ("高仿 複刻 一比一", ["高仿", "复刻", "一比一"]),
    "one to one, in any width": ("鞋 1：1", ["1:1"]),
    "numbers that are no slang": ("screw 1 1/2 inch, AAA batteries", []),
    "a grade": ("watch AAA+ mirror quality", ["aaa+", "mirror quality"]),
    "the longer of two": ("replica watch", ["replica watch"]),
    "a hint": ("Chanel inspired dupe", ["inspired", "dupe"]),
    "part of a word": ("replicate", []),
    "ten ideographs": ("微商货源一件代发大牌", ["微商货源一件代发大牌"]),
    "flowers that look real": ("高仿真花束", []),
    "real leather, and a replica": ("高仿真皮包", ["高仿真皮"]),
    "what supporters wear, and not what is beside it": ("replica jersey, superclone", ["superclone"]),
    "material": ("fake leather bag, scale 1:1", []),
    "who warns of them": ("拒绝高仿 no fakes", []),
    "nothing": ("", []),
}


@pytest.mark.parametrize(("text", "found"), REPLICA.values(), ids=REPLICA.keys())
def test_replica_words_are_found(text, found):
    said = replica_words(text)
    assert [each.word for each in said] == found
    assert all(text[each.start : each.end] for each in said)


SLANG = tomllib.loads(files(context).joinpath("data/slang.toml").read_text("utf-8"))


@pytest.mark.parametrize("kind", ["sure", "hint", "harmless"])
def test_each_word_of_the_data_is_read_as_what_it_is(kind):
    for word in (*SLANG[kind]["zh"], *SLANG[kind]["en"]):
        read = [(each.word, each.kind) for each in replica_words(f"x {word} y")]
        assert read == ([] if kind == "harmless" else [(word, kind)])


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("高仿", 1),
        ("高仿 鞋 高仿", 1),
        ("高仿 A货", 2),
        ("同款 factory outlet", 1),
        ("factory outlet\nFactory Outlet", 0),
    ],
)
def test_a_word_said_again_counts_no_more_and_hints_by_twos(text, count):
    assert Words().replica_words(text) == count


def test_what_is_read_of_a_listing_reaches_to_its_end():
    assert [each.word for each in replica_words("x" * (MAX_TITLE + MAX_DESCRIPTION - 10) + " A货")] == ["A货"]


CLASSES = {
    "shoes": ("Shoes > Running", ("25",)),
    "the deepest step that says something": ("Clothing > Watches > x", ("14",)),
    "two in one step": ("Jewellery & Handbags", ("14", "18")),
    "the longer phrase": ("Health & Personal Care", ("3", "5")),
    "singular": ("Laptop", ("9",)),
    "Chinese": ("女装/女士精品 > 连衣裙", ("25",)),
    "what an office needs": ("Office > Paper Shredders", ("16",)),
    "what a computer is made of": ("电脑 > 显卡", ("9",)),
    "nothing known": ("xyz", ()),
    "nothing": ("", ()),
    "without end": ("shoes" * 10_000, ()),
}


@pytest.mark.parametrize(("category", "classes"), CLASSES.values(), ids=CLASSES.keys())
def test_a_category_stands_for_classes(category, classes):
    assert classes_of(category) == classes


CONTACTS = {
    "a telephone number": ("call +86 138-0013-8000 now", ("tel:8613800138000",)),
    "in wide digits": ("１３８００１３８０００", ("tel:13800138000",)),
    "a messenger, disguised": ("加 v信：abc12345", ("wechat:abc12345",)),
    "another": ("WhatsApp: shop_x99", ("whatsapp:shop_x99",)),
    "an address": ("see https://www.foo-shop.com/x.", ("url:foo-shop.com/x",)),
    "mail": ("write to A@b-c.com", ("mail:a@b-c.com",)),
    "a GTIN is none": ("EAN 4006381333931", ()),
    "a model is none": ("line sneakers PSLX350H 12345678", ()),
    "with invisible characters": ("138\u200b0013\u200b8000", ("tel:13800138000",)),
}


@pytest.mark.parametrize(("text", "found"), CONTACTS.values(), ids=CONTACTS.keys())
def test_contacts_are_found_in_one_form(text, found):
    assert contacts(text) == found


HIDDEN = {
    "plain": ("Nike", False),
    "zero width": ("Ni\u200bke", True),
    "turned round": ("\u202eekin", True),
    "tags": ("Nike\U000e0061", True),
    "Persian needs it": ("می\u200cخواهم", False),
    "a joiner between Latin letters": ("Ni\u200dke", True),
    "a family": ("👨\u200d👩\u200d👧", False),
    "a mark of byte order in front": ("\ufeffNike", False),
}


@pytest.mark.parametrize(("text", "is_hidden"), HIDDEN.values(), ids=HIDDEN.keys())
def test_what_is_hidden_is_seen(text, is_hidden):
    assert hidden(text) is is_hidden


BRANDS = {
    "another": ("Sony", True),
    "the same": ("NIKE", False),
    "the same and more": ("Nike Inc.", False),
    "an alias": ("耐克", False),
    "without blanks": ("耐 克", False),
    "none": ("", False),
    "said to be none": ("无品牌", False),
    "generic": ("Generic", False),
    "for anything": ("Universal", False),
}


@pytest.mark.parametrize(("brand", "is_other"), BRANDS.values(), ids=BRANDS.keys())
def test_another_brand_is_told_from_none(brand, is_other):
    assert other_brand(brand, ("Nike", "耐克")) is is_other


def test_words_for_somebody_are_not_words_for_something():
    assert is_descriptive(["case", "for", "nike"], 2)
    assert not is_descriptive(["nike", "for", "men"], 0)
    assert is_descriptive(["nike", "compatible"], 0, 0)


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=60))
def test_nothing_from_outside_breaks_them(text):
    replica_words(text)
    classes_of(text)
    hidden(text)
    assert len(contacts(text)) <= MAX_CONTACTS


FLOODS = {
    "digits": "1 " * 500_000,
    "letters with dots": "a." * 500_000,
    "signs of mail": "a@" * 500_000,
    "messengers": "wx" * 500_000,
}


@pytest.mark.parametrize("text", FLOODS.values(), ids=FLOODS.keys())
def test_a_flood_is_cut(text):
    assert len(contacts(text)) <= MAX_CONTACTS
    assert len(replica_words(text)) < 20_000


def test_ordinary_words_come_with_the_program():
    words = shipped()
    assert len(words) > 60_000
    assert {"shoes", "running", "bluetooth", "sneakers"} <= words
    assert words.isdisjoint({"nike", "adidas", "addidas", "y"})


def _matcher(*names: str) -> TextMatcher:
    marks = (Mark(id=0, right=name, number=name, organisation="o", text=name) for name in names)
    return TextMatcher(mark_set(marks), fast=True)


def test_a_name_in_titles_of_many_other_brands_is_common():
    matcher = _matcher("Canvas", "Zorby")
    titles = [(f"{brand} canvas bag", brand) for brand in ("Acme", "Bolt", "Corvo", "Dentro")]
    said = distinctiveness(matcher, [*titles, ("Zorby bag", "Zorby")])
    by_name = {mark.text: said[mark.id] for mark in matcher.marks.marks}
    assert by_name["Canvas"] < COMMON < 900 < by_name["Zorby"]


def test_repeating_a_name_makes_it_neither_common_nor_rare():
    matcher = _matcher("Zorby")
    once = distinctiveness(matcher, [("Acme case zorby", "Acme")])
    assert distinctiveness(matcher, [("Acme case zorby", "Acme")] * 500) == once
    assert once[0] >= COMMON


def test_titles_without_a_brand_teach_nothing():
    matcher = _matcher("Zorby")
    assert distinctiveness(matcher, [("zorby case", "generic"), ("zorby bag", "无品牌"), ("zorby", "")]) == (
        distinctiveness(matcher, [])
    )
