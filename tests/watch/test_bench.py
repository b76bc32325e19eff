"""The bench that a process of a scan opens: real matcher, shipped rules; whole columns read like one listing alone."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from world import scans

from chopmark.base.errors import Invalid
from chopmark.watch.engine.bench import OPENER, MarkBench, Setting, open_bench, read_sellers, write_sellers
from chopmark.watch.engine.schema import listings_of, table_of
from chopmark.watch.engine.score_partition import candidates
from chopmark.watch.engine.work import open_bench as open_by_name
from chopmark.watch.judge import Signals
from chopmark.watch.listing import Listing, clean
from chopmark.watch.marks import Grant, Mark, encode, mark_set
from chopmark.watch.results import Result
from chopmark.watch.rules.rule import default, encode_rules, in_state, rule_set
from chopmark.watch.score import Bound

MARKS = mark_set(
    [
        Mark(
            id=0,
            right="r-nike",
            number="R-2026-000001",
            organisation="nike",
            text="Nike",
            aliases=("耐克",),
            classes=("25",),
            territories=("CN", "DE"),
            near=True,
            grants=(Grant(marketplace="demo", seller="licensed"),),
        ),
        Mark(id=0, right="r-lego", number="R-2026-000002", organisation="lego", text="LEGO", classes=("28",)),
    ]
)
RULES = rule_set(in_state(each, "live") for each in default().rules)
TITLES = (
    "Nike shoes",
    "N1KE shoes replica 1:1",
    "高仿 耐克 鞋",
    "ＮＩＫＥ running",
    "case for Nike watch",
    "shoes",
    "\u202eekiN",
    "Ni\x07ke Nike",
    "x " * 600 + "Nike",
    "Lego and Nike, AAA quality",
    "nikeshoes",
)


def listings() -> list[Listing]:
    return [
        clean(
            {
                "item": f"i{at}-{seller}",
                "seller": seller,
                "title": title,
                "brand": "Nike" if at % 4 == 0 else "",
                "description": "wechat: abc12345, mirror quality" if at % 3 == 0 else "",
                "classes": ["25"],
                "territories": ["CN"],
                "price": "99",
                "currency": "CNY",
            },
            marketplace="demo",
        )
        for seller in ("licensed", "other")
        for at, title in enumerate(TITLES)
    ]


@pytest.fixture(scope="module")
def setting(tmp_path_factory: pytest.TempPathFactory) -> Setting:
    folder = tmp_path_factory.mktemp("bench")
    (folder / "marks").write_bytes(encode(MARKS))
    (folder / "rules").write_bytes(encode_rules(RULES))
    sellers = folder / "sellers"
    write_sellers(sellers, {"other": Signals(seller_days=3, seller_confirmed=4)})
    return Setting(marks=folder / "marks", rules=folder / "rules", on=date(2026, 11, 22), sellers=sellers)


@pytest.fixture(scope="module")
def bench(setting: Setting) -> MarkBench:
    return open_bench(setting.encode())


def test_whole_columns_are_judged_like_one_listing_alone(bench: MarkBench) -> None:
    table = table_of(listings())
    every = list(listings_of(table))
    scored = candidates(table, bench, sample=lambda _: True)
    plainly = [
        Result.of(each, verdict) for each in every for verdict in bench.judge(bench.complete(each), bench.signals(each))
    ]
    assert list(scored.results) == plainly
    assert scored.refused == 0
    assert 15 < len(plainly) < 50


def test_a_disguised_title_is_flagged_with_reasons_and_a_licensed_seller_is_not(bench: MarkBench) -> None:
    results = candidates(table_of(listings()), bench).results
    flagged = {each.item: each.verdict.decided for each in results if each.verdict.decided.measure != "none"}
    assert "i1-other" in flagged
    assert flagged["i1-other"].reasons
    assert flagged["i1-other"].fired
    licensed = [each.verdict for each in results if each.item.endswith("-licensed") and each.verdict.right == "r-nike"]
    assert {each.decided.measure for each in licensed} <= {"none"}
    assert {each.row["seller_confirmed"] for each in (result.verdict for result in results)} == {0, 4}


def test_a_bench_is_opened_by_its_name_with_the_versions_of_its_files(setting: Setting) -> None:
    opened = open_by_name(OPENER, setting.encode())
    assert (opened.marks, opened.rules) == (MARKS.version, RULES.version)
    assert opened.classes_of("") == ()
    assert opened.signals(scans.listings(1)[0]) == Signals()


def test_settings_print_back(setting: Setting) -> None:
    full = replace(setting, bounds={"v1": Bound(labelled=300, confirmed=299, lower=980, needed=990)}, fast=True)
    for each in (setting, full, replace(setting, sellers=None)):
        assert Setting.parse(each.encode()) == each
    good = full.encode()
    for old, new in (('"fast":true', '"fast":1,"more":2'), ("2026-11-22", "2026-13-22"), ('"v1":[300', '"v1":[3,300')):
        assert old in good
        with pytest.raises(Invalid):
            Setting.parse(good.replace(old, new))
    with pytest.raises(Invalid):
        Setting.parse("{")


def test_sellers_are_the_same_after_a_file(tmp_path: Path) -> None:
    path = tmp_path / "sellers"
    sellers = {
        "店铺 1": Signals(seller_days=1, seller_confirmed=2, impossible_stock=True),
        "b": Signals(shared_contact=9),
    }
    write_sellers(path, sellers)
    assert read_sellers(path) == sellers
    for bad in (b"[]\n", b'["a",1]\n', b'{"a":1}\n', b"nothing\n"):
        path.write_bytes(bad)
        with pytest.raises(Invalid):
            read_sellers(path)
