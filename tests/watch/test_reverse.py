"""Searches backwards: what a scan would find in the stock, without reading the marketplace's files again."""

from __future__ import annotations

from pathlib import Path

import pytest
from pyarrow import parquet
from world import scans

from chopmark.base.errors import Invalid, Refused
from chopmark.watch.engine.reverse import needles_of, reverse
from chopmark.watch.engine.schema import table_of
from chopmark.watch.engine.stock import COLUMNS, compact_of, file_of
from chopmark.watch.engine.stock import table_of as stock_of
from chopmark.watch.listing import clean
from chopmark.watch.marks import Mark, mark_set
from chopmark.watch.text.matcher import TextMatcher


def a_mark(text: str, *aliases: str, right: str = "r1") -> Mark:
    return Mark(id=0, right=right, number="R-2026-000001", organisation="o", text=text, aliases=aliases)


TITLES = {
    "plain": ("Nike running shoes", ""),
    "look-alike letters": ("ΝІКЕ running shoes", ""),
    "wide": ("ＮＩＫＥ shoes", ""),
    "leet": ("N1KE shoes", ""),
    "parted letters": ("n.i.k.e shoes", ""),
    "parted word": ("ni ke shoes", ""),
    "glued": ("nikeshoes new", ""),
    "in the brand field": ("running shoes", "NIKE"),
    "an alias": ("耐克 跑鞋", ""),
    "an alias with signs between": ("耐 - 克 跑鞋", ""),
    "nothing": ("running shoes for men", ""),
    "in the middle of a word": ("zinikey lamp", ""),
    "a part of it": ("Nik shoes", ""),
    "across title and brand": ("uni", "ke"),
}


@pytest.fixture
def stock(tmp_path: Path) -> str:
    listings = [
        clean({"item": name, "seller": "s", "title": title, "brand": brand}, marketplace="demo")
        for name, (title, brand) in TITLES.items()
    ]
    for index in range(2):
        path = file_of(tmp_path, index)
        path.parent.mkdir(exist_ok=True)
        parquet.write_table(stock_of(table_of(listings[index::2])), path)
    return str(tmp_path / "stock" / "*.parquet")


def test_a_new_mark_finds_its_old_fakes(stock: str) -> None:
    marks = mark_set([a_mark("Nike", "耐克")])
    found = {each.item: each for each in reverse(stock, marks)}
    matcher = TextMatcher(marks)
    assert set(found) == {name for name, (title, brand) in TITLES.items() if matcher.find(title, brand)}
    assert {"plain", "look-alike letters", "wide", "leet", "in the brand field", "an alias"} <= set(found)
    assert not {"nothing", "a part of it", "across title and brand"} & set(found)
    for name, held in found.items():
        assert (held.title, held.brand) == TITLES[name]
        assert held.hits == matcher.find(held.title, held.brand)
        assert (held.marketplace, held.version, held.seller) == ("demo", 1, "s")


def test_a_short_name_is_found_as_a_whole_word_only(stock: str) -> None:
    assert {each.item for each in reverse(stock, [a_mark("Nik")])} <= {"a part of it"}


def test_a_name_that_nobody_uses_is_not_found(stock: str) -> None:
    assert list(reverse(stock, [a_mark("Vorwerk")])) == []
    assert list(reverse(stock, [])) == []


def test_a_made_up_stock_is_searched_like_one_by_one(tmp_path: Path) -> None:
    listings = scans.listings(2_000)
    path = file_of(tmp_path, 0)
    path.parent.mkdir()
    parquet.write_table(stock_of(table_of(listings)), path)
    marks = mark_set([a_mark("Lego"), a_mark("Gucci", right="r2")])
    matcher = TextMatcher(marks)
    one_by_one = {each.item for each in listings if matcher.find(each.title, each.brand)}
    assert {each.item for each in reverse(str(path), marks, matcher=matcher, threads=1)} == one_by_one
    assert len(one_by_one) > 30


def test_files_that_are_no_stock_are_told(tmp_path: Path) -> None:
    with pytest.raises(Invalid, match=r"watch\.stock_unreadable"):
        list(reverse(str(tmp_path / "*.parquet"), [a_mark("Nike")]))
    (tmp_path / "a.parquet").write_bytes(b"PAR1")
    with pytest.raises(Invalid, match=r"watch\.stock_unreadable"):
        list(reverse(str(tmp_path / "*.parquet"), [a_mark("Nike")]))
    scans.stock(tmp_path / "raw", files=1, rows=3)
    with pytest.raises(Invalid, match=r"watch\.stock_unreadable"):
        list(reverse(str(tmp_path / "raw" / "*.parquet"), [a_mark("Nike")]))


def test_too_many_names_are_refused() -> None:
    marks = mark_set(a_mark(f"Name{at}", right=f"r{at}") for at in range(501))
    with pytest.raises(Refused, match=r"watch\.reverse_too_many"):
        needles_of(marks)


def test_names_within_names_are_looked_for_once() -> None:
    condition, needles = needles_of(mark_set([a_mark("Nike", "Nike Air", "耐克"), a_mark("Nik", right="r2")]))
    assert needles == ["nike", "耐克", " nik "]
    assert condition == "contains(compact, ?) OR contains(compact, ?) OR contains(canon, ?)"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("n1ke", "Nike"),
        ("$ony", "Sony"),
        ("rnoncler", "moncler"),
        ("a d i d a s", "adidas"),
        ("clior", "dior"),
        ("L0GO", "logo"),
    ],
)
def test_what_looks_alike_is_one_in_compact_form(one: str, other: str) -> None:
    assert compact_of(other) in compact_of(one)


def test_a_stock_without_columns_that_need_not_be_there() -> None:
    table = table_of(scans.listings(2)).select(["item", "seller", "title"])
    made = stock_of(table, "demo")
    assert tuple(made.column_names) == COLUMNS
    assert made.column("marketplace").to_pylist() == ["demo", "demo"]
    assert made.column("brand").to_pylist() == ["", ""]
