"""The first pass of a scan: what a stock says, however it is cut and whoever dies, as counting it plainly says it."""

from __future__ import annotations

import random
import signal
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import parquet
from world import scans

from chopmark.base.errors import Invalid, Refused
from chopmark.watch.engine import census, reading, score_partition
from chopmark.watch.engine import run as running
from chopmark.watch.engine.bench import CENSUS, OPENER, Setting, open_bench, open_census, write_sellers
from chopmark.watch.engine.plan import Plan
from chopmark.watch.engine.run import Progress, Scan, run
from chopmark.watch.engine.schema import LISTINGS, table_of
from chopmark.watch.engine.score_partition import candidates
from chopmark.watch.engine.work import SIGNALS, Worker
from chopmark.watch.judge import Signals
from chopmark.watch.listing import Listing, clean
from chopmark.watch.marks import Mark, encode, mark_set
from chopmark.watch.prices import peers_of
from chopmark.watch.reading import with_contacts
from chopmark.watch.rules.rule import default, encode_rules, in_state, rule_set
from chopmark.watch.sellers import Linked, brand_said, brands_of, linked
from chopmark.watch.signals import Known, name_of, parse_known
from chopmark.watch.signals import encode as encode_known
from chopmark.watch.text.context import contacts
from chopmark.watch.text.matcher import TextMatcher

MARKS = mark_set(
    Mark(id=0, right=f"r-{name}", number=f"R-2026-{at:06}", organisation=name, text=name, classes=("25",))
    for at, name in enumerate(("Zorby", "Quandel"))
)
RULES = rule_set(in_state(each, "live") for each in default().rules)
PEN, CUP = "4006381333931", "0614141999996"
CONFIRMED = {"demo s3": 4, "demo s17": 1}


def stock(count: int, *, seed: int = 1) -> list[Listing]:
    """Offers of sellers who share contacts and pictures, and say whose products their numbers are."""
    chance = random.Random(seed)  # noqa: S311 (made-up offers)
    made = []
    for at in range(count):
        seller = chance.randrange(40)
        title = chance.choice(
            ["Zorby shoes", "Z0RBY shoes replica", "shoes", "case for Zorby", "ＱＵＡＮＤＥＬ lamp", "鞋 zorby"]
        )
        made.append(
            clean(
                {
                    "item": f"i{at}" if at % 50 else f"店 {at}",
                    "seller": f"s{seller}" if seller % 13 else f"卖家 {seller}",
                    "title": title + (f" wechat: shop-{seller // 3:05}" if chance.random() < 0.1 else ""),
                    "description": chance.choice(
                        ["", f"call 0086 138 0013 8{seller // 4:03}", "微信：ａｂｃ12345", "fine"]
                    ),
                    "brand": chance.choice(["", "Stabilo", "Zorby", "none", "Stabilo"]),
                    "price_minor": chance.choice([None, 100, 4_900, 5_000 + at, 5_200, 0]),
                    "currency": chance.choice(["CNY", "CNY", "EUR", ""]),
                    "category": chance.choice(["Shoes", "Shoes", "Lamps"]),
                    "gtin": chance.choice(["", PEN, PEN, CUP]),
                    "stock": chance.choice([None, 3, 3, 20]) if at % 7 else 9_000_000,
                    "pictures": [
                        {"sha256": f"{chance.randrange(60):064x}"},
                        {"url": f"https://cdn.example.com/{at % 90}"},
                    ],
                    "contact": [f"tel:{seller // 5}"] if chance.random() < 0.2 else [],
                },
                marketplace="demo",
            )
        )
    return made


def plainly(listings: Sequence[Listing]) -> Known:
    """The same in memory, listing by listing."""
    matcher = TextMatcher(MARKS, fast=True)
    whole = [with_contacts(each) for each in listings]
    offers = [
        {
            **{
                name: getattr(each, name)
                for name in ("marketplace", "seller", "category", "currency", "price", "stock")
            },
            "right": right,
        }
        for each in whole
        for right in {
            MARKS.marks[hit.mark].number for hit in matcher.find(each.title, each.brand) if not hit.descriptive
        }
    ]
    uses: list[Any] = [(name_of("demo", each.seller), "contact", said) for each in whole for said in each.contact]
    uses += [
        (name_of("demo", each.seller), "picture", shown.sha256.hex() or shown.url)
        for each in whole
        for shown in each.pictures
    ]
    found = linked(uses, CONFIRMED).linked
    voices = ((each.gtin, each.brand, name_of("demo", each.seller)) for each in whole)
    return Known(
        peers=peers_of(offers),
        brands=brands_of(voices, {name: each.group for name, each in found.items()}),
        linked=found,
    )


@pytest.fixture(scope="module")
def setting(tmp_path_factory: pytest.TempPathFactory) -> Setting:
    folder = tmp_path_factory.mktemp("census")
    (folder / "marks").write_bytes(encode(MARKS))
    (folder / "rules").write_bytes(encode_rules(RULES))
    write_sellers(
        folder / "sellers",
        {name.removeprefix("demo "): Signals(seller_confirmed=count) for name, count in CONFIRMED.items()},
    )
    return Setting(marks=folder / "marks", rules=folder / "rules", on=date(2026, 11, 22), sellers=folder / "sellers")


def a_scan(folder: Path, setting: Setting, listings: Sequence[Listing], **said: Any) -> Scan:
    (folder / "stock").mkdir(parents=True)
    half = len(listings) // 2
    for name, some in (("a", listings[:half]), ("b", listings[half:])):
        parquet.write_table(table_of(some), folder / "stock" / f"{name}.parquet", row_group_size=70)
    values = {
        "folder": folder / "scan",
        "files": [str(folder / "stock" / "*.parquet")],
        "marks": MARKS.version,
        "rules": RULES.version,
        "opener": OPENER,
        "argument": setting.encode(),
        "marketplace": "demo",
        "census": CENSUS,
        "processes": 1,
        "size": 100,
        "sample": 1_000_000,
    }
    return Scan(**{**values, **said})


def in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """The second pass without Daft."""

    def lines(of: Scan, made: Plan, left: Sequence[int]) -> Iterator[bytes]:
        yield from map(Worker(made.encode(), str(of.folder)).work, left)

    monkeypatch.setattr(running, "_lines", lines)


@pytest.mark.parametrize("size", [30, 250, 1_000])
def test_a_stock_says_the_same_however_it_is_cut(tmp_path: Path, setting: Setting, size: int) -> None:
    listings = stock(600)
    table, finder = table_of(listings), open_census(setting.encode())
    parts = []
    for at in range(0, 600, size):
        path = tmp_path / f"{at}.parquet"
        parquet.write_table(census.rows_of(table.slice(at, size), finder, marketplace="demo"), path)
        parts.append(path)
    random.Random(size).shuffle(parts)  # noqa: S311 (an order)
    known = census.settle(parts, CONFIRMED, threads=1)
    assert known == plainly(listings)
    assert len(known.peers.groups) >= 4
    assert known.peers.stocks
    assert known.brands == {}  # a third of them speaks of another brand: nobody knows
    assert any(each.group_confirmed for each in known.linked.values())


def test_whose_product_a_number_is_comes_out_as_counting_plainly_says(tmp_path: Path, setting: Setting) -> None:
    said = [("Stabilo", f"p{at}") for at in range(5)] + [("Red Lantern", "x")] * 30
    listings = [
        clean({"item": f"i{at}", "seller": seller, "title": "pen", "brand": brand, "gtin": PEN}, marketplace="demo")
        for at, (brand, seller) in enumerate(said)
    ]
    path = tmp_path / "a.parquet"
    parquet.write_table(census.rows_of(table_of(listings), open_census(setting.encode())), path)
    assert census.settle([path], {}).brands == plainly(listings).brands == {PEN.zfill(14): "stabilo"}


def test_rows_of_nobody_and_of_others_say_nothing(setting: Setting) -> None:
    raws = [
        {"item": "1", "seller": "", "title": "Zorby", "price_minor": 5, "currency": "CNY", "marketplace": "demo"},
        {"item": "2", "seller": "s", "title": "Zorby", "price_minor": 5, "currency": "CNY", "marketplace": "other"},
        {"item": "3", "seller": " s ", "title": "Zor\x07by Zorby", "price_minor": 5, "currency": "CNY"},
        {"item": "4", "seller": "s", "title": "Zorby", "version": -1, "contact": ["a"], "marketplace": "demo"},
    ]
    found = census.rows_of(
        pa.Table.from_pylist(raws, schema=LISTINGS), open_census(setting.encode()), marketplace="demo"
    ).to_pylist()
    assert [(each["kind"], each["seller"], each["price"]) for each in found] == [("offer", "s", 5)]


def test_columns_of_other_kinds_are_no_trouble(setting: Setting) -> None:
    table = pa.table(
        {
            "item": ["1", "2"],
            "seller": ["s", "t"],
            "title": ["Zorby", "Zorby"],
            "gtin": [int(PEN), int(PEN)],
            "brand": ["Stabilo", "Stabilo"],
            "price": [1.5, None],
            "currency": ["EUR", "EUR"],
            "pictures": ["https://cdn.example.com/a https://cdn.example.com/b", None],
            "contact": ["tel:1, tel:2", None],
            "stock": ["7", "x"],
        }
    )
    finder = open_census(setting.encode())
    found = census.rows_of(table, finder, marketplace="demo").to_pylist()
    kinds = [each["kind"] for each in found]
    assert kinds == ["offer"] * 2 + ["gtin"] * 2 + ["contact"] * 2 + ["picture"] * 2
    assert [(each["price"], each["stock"]) for each in found[:2]] == [(150, 7), (None, None)]
    assert (
        census.rows_of(table.set_column(3, "gtin", pa.array([["a"], None])), finder, marketplace="demo").num_rows == 6
    )


SIGNS = "abcQqIG09 :=@.-_+()微信号线，。：＠１ａ\u200b\u00a0\u3000\n"
WORDS = (
    "wechat",
    "line",
    "微信",
    "vx",
    "LINE",
    "号",
    "：",
    ":",
    " ",
    "ab12",
    "abcde",
    "５",
    "138-0013-8000",
    "a.cn",
    "www.",
)


@given(
    st.text(st.sampled_from(SIGNS), max_size=30) | st.lists(st.sampled_from((*WORDS, *SIGNS)), max_size=10).map("".join)
)
@settings(max_examples=300)
def test_the_glance_lets_every_text_with_a_contact_through(text: str) -> None:
    table = pa.table({"title": [text]})
    seen = list(census._contacts(table, [("demo", "s")]))
    cleaned = clean({"item": "1", "seller": "s", "title": text}, marketplace="demo").title
    assert sorted(value for _, _, value, _ in seen) == sorted(contacts(f"{cleaned}\n"))


def test_a_scan_judges_by_its_own_stock(tmp_path: Path, setting: Setting, monkeypatch: pytest.MonkeyPatch) -> None:
    listings = stock(600)
    in_this_process(monkeypatch)
    told: list[Progress] = []
    scan = a_scan(tmp_path, setting, listings)
    run(scan, progress=told.append)
    known = parse_known((scan.folder / SIGNALS).read_bytes())
    assert known == plainly(listings)
    assert not (scan.folder / "census").exists()
    bench = open_bench(setting.encode())
    bench.learn(encode_known(known))
    alone = candidates(table_of(listings), bench, sample=lambda _: True).results
    done = reading.parts(scan.folder)
    found = [row for index in sorted(done) for row in reading.rows(scan.folder, done[index])]
    assert [each.verdict.row for each in found] == [each.verdict.row for each in alone]
    rows = [each.verdict.row for each in found]
    assert any(row["price_ratio"] is not None for row in rows)
    assert any(row["impossible_stock"] for row in rows)
    assert any(row["shared_contact"] for row in rows)
    assert any(row["shared_pictures"] for row in rows)
    assert [(each.counted, each.done, each.scanned) for each in told[:7]] == [(at, 0, 0) for at in range(7)]
    assert told[0].remaining is None
    assert all(each.rate > 0 and each.remaining is not None for each in told[1:7])
    assert told[6].remaining == 0
    assert {each.counted for each in told[7:]} == {6}
    assert told[-1].remaining == 0


def test_facts_come_out_the_same_however_many_are_objects_at_a_time(
    tmp_path: Path, setting: Setting, monkeypatch: pytest.MonkeyPatch
) -> None:
    listings = stock(300, seed=5)
    monkeypatch.setattr(census, "AT_ONCE", 17)
    monkeypatch.setattr(score_partition, "AT_ONCE", 11)
    in_this_process(monkeypatch)
    scan = a_scan(tmp_path, setting, listings)
    run(scan)
    known = parse_known((scan.folder / SIGNALS).read_bytes())
    assert known == plainly(listings)
    bench = open_bench(setting.encode())
    bench.learn(encode_known(known))
    monkeypatch.undo()
    alone = candidates(table_of(listings), bench, sample=lambda _: True).results
    done = reading.parts(scan.folder)
    assert [row for index in sorted(done) for row in reading.rows(scan.folder, done[index])] == list(alone)


def test_long_brands_are_read_and_not_kept(setting: Setting) -> None:
    """A hundred thousand of a megabyte each would be a hundred gigabytes of memory."""
    long = [f"{at} " + " " * 300 + "Stabilo " * 50 for at in range(20)]
    table = pa.table({"item": ["1"] * 20, "seller": ["s"] * 20, "title": ["t"] * 20, "brand": long, "gtin": [PEN] * 20})
    census._brand.cache_clear()
    found = census.rows_of(table, open_census(setting.encode()), marketplace="demo").to_pylist()
    said = {
        brand_said(clean({"item": "-", "seller": "-", "brand": each}, marketplace="demo").brand) for each in long
    } - {""}
    assert {each["brand"] for each in found} == said
    assert census._brand.cache_info().currsize == 0


def test_a_first_pass_that_is_stopped_or_loses_files_ends_the_same(
    tmp_path: Path, setting: Setting, monkeypatch: pytest.MonkeyPatch
) -> None:
    listings = stock(600, seed=2)
    in_this_process(monkeypatch)
    scan = a_scan(tmp_path, setting, listings)
    assert run(scan, stop=lambda: len(list((scan.folder / "census").glob("part-*"))) == 3) is None
    census.file_of(scan.folder, 1).unlink()
    assert not (scan.folder / SIGNALS).exists()
    told: list[Progress] = []
    total = run(scan, progress=told.append)
    assert told[0].counted == 2
    assert parse_known((scan.folder / SIGNALS).read_bytes()) == plainly(listings)
    (scan.folder / SIGNALS).unlink()  # lost, it is made again, the same
    assert run(scan) == total
    assert parse_known((scan.folder / SIGNALS).read_bytes()) == plainly(listings)


def test_a_scan_killed_while_it_counts_ends_the_same(
    tmp_path: Path, setting: Setting, monkeypatch: pytest.MonkeyPatch
) -> None:
    listings = stock(400, seed=3)
    scan = a_scan(tmp_path, setting, listings, size=40, census="world.scans:open_slow_census")
    with scans.start(scan) as process:
        while len(list((scan.folder / "census").glob("part-*"))) < 2 and process.poll() is None:
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
        process.communicate()
    in_this_process(monkeypatch)
    assert run(scan) is not None
    assert parse_known((scan.folder / SIGNALS).read_bytes()) == plainly(listings)


def test_daft_carries_the_first_pass_too(tmp_path: Path, setting: Setting) -> None:
    """In a process of its own: what Daft leaves open there is no matter of this one."""
    listings = stock(300, seed=4)
    scan = a_scan(tmp_path, setting, listings)
    seen = scans.drive(scan, FEW="0")
    assert [(each["counted"], each["done"]) for each in seen[:5]] == [(at, 0) for at in range(5)]
    assert [each["done"] for each in seen[5:]] == [1, 2, 3, 4]
    assert parse_known((scan.folder / SIGNALS).read_bytes()) == plainly(listings)


def test_a_partition_that_cannot_be_read_has_no_say(tmp_path: Path, setting: Setting) -> None:
    listings = stock(200)
    scan = a_scan(tmp_path, setting, listings)
    running._planned(replace(scan, folder=tmp_path))
    made = Plan.parse((tmp_path / running.PLAN).read_bytes())
    spoiled = replace(made, tasks=tuple(replace(each, start=each.start + 1_000) for each in made.tasks))
    counter = census.Counter(made.encode(), str(scan.folder))
    counter._plan = spoiled
    assert counter.count(0) == 0
    assert parquet.read_table(census.file_of(scan.folder, 0)).num_rows == 0


def test_a_stock_that_says_nothing_of_others_is_not_counted(
    tmp_path: Path, setting: Setting, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_this_process(monkeypatch)
    scan = a_scan(tmp_path, setting, stock(100))
    for path in (tmp_path / "stock").iterdir():
        parquet.write_table(parquet.read_table(path, columns=["item", "seller", "title", "brand", "category"]), path)
    assert run(scan) is not None
    assert Plan.parse((scan.folder / running.PLAN).read_bytes()).census == ""
    assert not (scan.folder / SIGNALS).exists()


def test_a_scan_does_not_go_on_with_another_first_pass(
    tmp_path: Path, setting: Setting, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_this_process(monkeypatch)
    scan = a_scan(tmp_path, setting, stock(100))
    run(scan)
    with pytest.raises(Refused, match=r"watch\.scan_changed"):
        run(replace(scan, census=""))


def test_what_is_known_prints_back(setting: Setting) -> None:
    known = plainly(stock(300))
    assert known.linked
    assert parse_known(encode_known(known)) == known
    assert parse_known(encode_known(Known())) == Known()
    assert Known().version != known.version
    good = encode_known(replace(known, brands={PEN.zfill(14): "stabilo"}))
    for old, new in (
        (b'"brands":1', b'"brands":2'),
        (b'"linked":', b'"linkec":'),
        (b"v1", b"v2"),
        (b"stabilo", b"stab\nilo"),
    ):
        assert old in good
        with pytest.raises(Invalid, match=r"watch\.prices_malformed"):
            parse_known(good.replace(old, new, 1))
    for bad in (b"", b"{}\n", b"[]\n", good + b"\n", good[:-1]):
        with pytest.raises(Invalid, match=r"watch\.prices_malformed"):
            parse_known(bad)


def test_of_two_counts_of_others_the_larger_one_is_told() -> None:
    known = Known(linked={"demo s": Linked(shared_pictures=2, shared_contact=0, group="demo s", group_confirmed=1)})
    [listing] = scans.listings(1)
    said = known.signals(Signals(shared_pictures=1, shared_contact=3), replace(listing, seller="s"))
    assert (said.shared_pictures, said.shared_contact, said.group_confirmed) == (2, 3, 1)
    assert known.signals(Signals(shared_pictures=1), replace(listing, seller="t")).shared_pictures == 1
