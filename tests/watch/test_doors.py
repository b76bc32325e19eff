"""Listings come in: bodies of pushes, files, addresses; what is hostile costs itself alone."""

from __future__ import annotations

import gzip
import http.server
import json
import threading
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import parquet
from world import scans

from chopmark.base.errors import Invalid, Refused, Unavailable
from chopmark.watch.doors import batch, files
from chopmark.watch.doors.files import bring, kind_of
from chopmark.watch.engine import parquets, plan, work
from chopmark.watch.engine.schema import LISTINGS, listings_of, table_of

if TYPE_CHECKING:
    import daft

ROWS = [
    {"item": "1", "seller": "s", "title": "Nike", "price": "9.90", "currency": "CNY", "territories": "CN,DE"},
    {"item": "2", "seller": "s", "title": "耐克 鞋"},
    {"item": "", "seller": "s", "title": "nobody's"},
]


def pushed(body: bytes, kind: str = batch.JSON) -> batch.Pushed:
    return batch.read(kind, body, marketplace="demo")


# ---- pushes ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "body"),
    {
        "an object": ("application/json; charset=utf-8", json.dumps({"listings": ROWS}).encode()),
        "a list": ("application/json", json.dumps(ROWS).encode()),
        "lines": ("application/x-ndjson", b"\n".join(json.dumps(each).encode() for each in ROWS) + b"\n\n"),
    }.values(),
)
def test_a_push_is_read_and_each_refusal_has_its_place(kind: str, body: bytes) -> None:
    found = pushed(body, kind)
    assert [each.title for each in found.listings] == ["Nike", "耐克 鞋"]
    assert found.refused == ((2, "watch.listing_item"),)


def test_a_listing_twice_in_a_push_counts_once_as_it_came_last() -> None:
    rows = [{**ROWS[0], "title": "first"}, ROWS[1], {**ROWS[0], "title": "last"}, {**ROWS[0], "version": 2}]
    found = pushed(json.dumps(rows).encode())
    assert [(each.item, each.version, each.title) for each in found.listings] == [
        ("2", 1, "耐克 鞋"),
        ("1", 1, "last"),
        ("1", 2, "Nike"),
    ]


@pytest.mark.parametrize(
    ("kind", "body", "code"),
    {
        "another kind": ("text/html", b"[]", "watch.push_type"),
        "no JSON": ("application/json", b"<html>", "watch.push_malformed"),
        "no list": ("application/json", b'{"listings": 5}', "watch.push_malformed"),
        "a number": ("application/json", b"5", "watch.push_malformed"),
        "deep": ("application/json", b"[" * 100_000, "watch.push_malformed"),
        "not a number": ("application/json", b'{"listings": NaN}', "watch.push_malformed"),
        "1,001 listings": ("application/json", json.dumps([{}] * 1_001).encode(), "watch.push_too_many"),
        "17 MB": ("application/json", b" " * (17 << 20), "watch.push_too_large"),
    }.values(),
)
def test_what_is_no_push_is_refused_whole(kind: str, body: bytes, code: str) -> None:
    with pytest.raises(Invalid) as caught:
        pushed(body, kind)
    assert caught.value.code == code


def test_a_hostile_listing_keeps_no_other_out() -> None:
    lines = [
        b"{",
        b"5",
        b"[" * 9_999,
        b'{"item": ' + b"9" * 9_999 + b"}",
        b'{"item": "2", "seller": "s", "title": NaN}',
        b"x" * (5 << 20),
        json.dumps(ROWS[0]).encode(),
    ]
    found = pushed(b"\n".join(lines), "application/x-ndjson")
    assert [each.item for each in found.listings] == ["1"]
    assert found.refused == tuple((place, "watch.push_row") for place in range(6))


STRANGE = {
    "a price": '{"item": "7", "seller": "s", "price": %s}',
    "a text": '{"item": "7", "seller": "s", "title": %s}',
    "a name that nobody reads": '{"item": "7", "seller": "s", "more": %s}',
    "deep": '{"item": "7", "seller": "s", "more": [{"a": [1, {"b": %s}]}]}',
    "no object": "%s",
    "a list": "[%s]",
}


@pytest.mark.parametrize("token", ["NaN", "Infinity", "-Infinity", "9" * 100_000])
@pytest.mark.parametrize("row", STRANGE.values(), ids=STRANGE)
@pytest.mark.parametrize(("opens", "closes"), [("[", "]"), ('{"more": NaN, "listings": [', "]}")])
def test_a_number_that_is_none_keeps_no_other_listing_out(row: str, token: str, opens: str, closes: str) -> None:
    rows = [json.dumps(ROWS[0]), row % token, json.dumps(ROWS[1])]
    found = pushed((opens + ",".join(rows) + closes).encode())
    assert [each.item for each in found.listings] == ["1", "2"]
    assert found.refused == ((1, "watch.push_row"),)


def test_broken_encoding_is_a_flag() -> None:
    found = pushed(b'[{"item": "1", "seller": "s", "title": "Nike \xff"}]')
    assert "broken_encoding" in found.listings[0].flags


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_any_body_is_read_or_refused(body: bytes) -> None:
    for kind in (batch.JSON, batch.LINES[0]):
        try:
            pushed(body, kind)
        except Invalid as refusal:
            code = refusal.code
        else:
            code = "watch.push_"
        assert code.startswith("watch.push_")


# ---- files -----------------------------------------------------------------------------------------------------------


def as_csv(rows: list[dict[str, str]], delimiter: str = ",") -> str:
    names = ["item", "seller", "title", "price", "currency", "territories"]
    quoted = [[f'"{row.get(name, "")}"' for name in names] for row in rows]
    return "\n".join([delimiter.join(names), *(delimiter.join(each) for each in quoted)]) + "\n"


def test_files_of_every_kind_come_in_alike(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(as_csv(ROWS), "utf-8-sig")
    (tmp_path / "b.tsv").write_text(as_csv(ROWS, "\t"), "utf-8")
    (tmp_path / "c.jsonl").write_text("".join(json.dumps(each) + "\n" for each in ROWS), "utf-8")
    with gzip.open(tmp_path / "d.csv.gz", "wt", encoding="utf-8") as packed:
        packed.write(as_csv(ROWS))
    for at, name in enumerate(("a.csv", "b.tsv", "c.jsonl", "d.csv.gz")):
        told = bring([str(tmp_path / name)], into=tmp_path / f"into-{at}", marketplace="demo")
        assert (told.listings, told.refused) == (2, 1)
        listings = list(listings_of(parquet.ParquetFile(told.files[0]).read()))
        assert [(each.item, each.title, each.price, each.territories) for each in listings] == [
            ("1", "Nike", 990, ("CN", "DE")),
            ("2", "耐克 鞋", None, ()),
        ]
        refused = json.loads((tmp_path / f"into-{at}" / "refused.jsonl").read_text("utf-8"))
        assert refused == {"file": name, "row": 3, "code": "watch.listing_item"}


def test_other_names_of_columns_and_parts_of_a_size(tmp_path: Path) -> None:
    lines = [json.dumps({"sku": f"i{at}", "shop": "s", "title": f"t{at}"}) for at in range(25)]
    (tmp_path / "a.jsonl").write_text("\n".join(lines), "utf-8")
    names = {"item": "sku", "seller": "shop"}
    told = bring([str(tmp_path / "*.jsonl")], into=tmp_path / "in", marketplace="demo", columns=names, size=10)
    assert [parquet.read_metadata(each).num_rows for each in told.files] == [10, 10, 5]
    assert told.listings == 25
    assert told.flags == {"category_unknown": 25, "price_missing": 25}
    assert parquet.read_schema(told.files[0]).names == LISTINGS.names
    with pytest.raises(Refused, match=r"watch\.files_there"):
        bring([str(tmp_path / "*.jsonl")], into=tmp_path / "in", marketplace="demo")


def test_hostile_lines_cost_themselves_alone(tmp_path: Path) -> None:
    good = '"2","s","Nike"'
    rows = ["item,seller,title", '"1","s"', "a\0b,s,x", '"9","s","' + "x" * (5 << 20) + '"', good, "1,2,3,4"]
    (tmp_path / "a.csv").write_bytes("\n".join(rows).encode() + b'\n"3","s","Nike \xff"\n')
    told = bring([str(tmp_path / "a.csv")], into=tmp_path / "in", marketplace="demo")
    listings = list(listings_of(parquet.ParquetFile(told.files[0]).read()))
    assert [each.item for each in listings] == ["2", "3"]
    assert "broken_encoding" in listings[1].flags
    assert told.refused == 4
    (tmp_path / "b.jsonl").write_text(
        "[" * 99_999 + '\n5\n{"item":"1","seller":"s","title":"t"}\n{"item":"2","seller":"s","title":NaN}\n', "utf-8"
    )
    told = bring([str(tmp_path / "b.jsonl")], into=tmp_path / "in-b", marketplace="demo")
    assert (told.listings, told.refused) == (1, 3)


@pytest.mark.parametrize("name", ["a.xlsx", "a", "a.parquet.gz", "a.zip", "https://a.example.com/list"])
def test_a_name_that_says_nothing_is_refused(name: str) -> None:
    with pytest.raises(Invalid, match=r"watch\.file_kind"):
        kind_of(name)


def test_a_packed_file_that_ends_early_is_told(tmp_path: Path) -> None:
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(as_csv(ROWS * 99).encode())[:-30])
    with pytest.raises(Invalid, match=r"watch\.file_unreadable"):
        bring([str(tmp_path / "a.csv.gz")], into=tmp_path / "in", marketplace="demo")


def test_no_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(Refused, match=r"watch\.files_none"):
        bring([str(tmp_path / "*.csv")], into=tmp_path / "in", marketplace="demo")


def test_a_file_that_was_brought_is_scanned(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(as_csv([{"item": "7", "seller": "s", "title": "replica Nike"}]), "utf-8")
    bring([str(tmp_path / "a.csv")], into=tmp_path / "in", marketplace="demo")
    table = parquet.ParquetFile(tmp_path / "in" / "listings-000000.parquet").read()
    found = scans.open_bench("").found(table.column("title").to_pylist(), "title")
    assert list(found) == [0]


# ---- addresses -------------------------------------------------------------------------------------------------------


class Folder(http.server.BaseHTTPRequestHandler):
    """A storage that knows ranges, as Parquet is read by them; it answers object storage's simplest questions too."""

    protocol_version = "HTTP/1.1"
    held: dict[str, bytes]

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def do_GET(self) -> None:
        self._answer(body=True)

    def _answer(self, *, body: bool) -> None:
        data = self.held.get(unquote(self.path.partition("?")[0]))
        if data is None:
            self.send_error(404)
            return
        if not data and self.headers.get("Range"):
            self.send_error(416)
            return
        first, last, status = 0, len(data) - 1, 200
        asked = self.headers.get("Range", "")
        if asked.startswith("bytes="):
            low, _, high = asked.removeprefix("bytes=").partition("-")
            first = int(low) if low else max(0, len(data) - int(high))
            last = min(int(high), last) if low and high else last
            status = 206
        self.send_response(status)
        if status == 206:
            self.send_header("Content-Range", f"bytes {first}-{last}/{len(data)}")
        self.send_header("Content-Length", str(last + 1 - first))
        self.send_header("Accept-Ranges", "bytes")
        self.end_headers()
        if body:
            self.wfile.write(data[first : last + 1])

    def log_message(self, *_: object) -> None:
        """Quiet."""


@contextmanager
def serving(held: dict[str, bytes], handler: type[Folder] = Folder) -> Iterator[str]:
    kind = type("Held", (handler,), {"held": held})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), kind) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


@pytest.fixture
def storage(tmp_path: Path) -> Iterator[str]:
    path = tmp_path / "stock.parquet"
    parquet.write_table(table_of(scans.listings(20)), path)
    with serving(dict.fromkeys(("/stock.parquet", "/bucket/stock.parquet"), path.read_bytes())) as address:
        yield address


def test_parquet_at_an_address_comes_in(storage: str, tmp_path: Path) -> None:
    told = bring([f"{storage}/stock.parquet"], into=tmp_path / "in", marketplace="demo", within=[storage])
    assert told.listings == 20
    assert len(list(files.read(f"{storage}/stock.parquet?signed=yes", "parquet", within=[storage]))) == 20
    assert list(listings_of(parquet.ParquetFile(told.files[0]).read())) == scans.listings(20)


def test_an_address_without_a_file_is_told(storage: str) -> None:

    with pytest.raises(Unavailable, match=r"watch\.storage_unavailable"):
        list(files.read(f"{storage}/none.parquet", "parquet", within=[storage]))


# ---- hostile files ---------------------------------------------------------------------------------------------------

MEGABYTE = 1 << 20


def repeated(text: str, rows: int) -> pa.Array:
    """One value, kept once, in so many rows."""
    return pa.DictionaryArray.from_arrays(pa.array(np.zeros(rows, np.int32)), pa.array([text]))


def bomb(path: Path, rows: int = 3_000, **columns: pa.Array) -> Path:
    """A small file that unpacks to gigabytes."""
    ids = pa.array([str(each) for each in range(rows)])
    table = pa.table({"item": ids, "seller": ids, "title": ids, **columns})
    parquet.write_table(table, path, compression="zstd")
    assert path.stat().st_size < MEGABYTE
    return path


def bombs(path: Path) -> dict[str, Path]:
    path.mkdir()
    lists = pa.ListArray.from_arrays(pa.array(np.arange(3_001, dtype=np.int32)), repeated("x" * MEGABYTE, 3_000))
    return {
        "titles": bomb(path / "titles.parquet", title=repeated("x" * MEGABYTE, 3_000)),
        "lists": bomb(path / "lists.parquet", contact=lists),
        "nothing, a billion times": bomb(
            path / "nulls.parquet", 1, contact=pa.array([[None] * 2_000_000], pa.list_(pa.string()))
        ),
    }


def test_a_small_file_that_unpacks_to_gigabytes_is_refused_unread(tmp_path: Path) -> None:
    for name, path in bombs(tmp_path / "bombs").items():
        before = pa.total_allocated_bytes()
        pool = pa.default_memory_pool()
        with pytest.raises(Invalid, match=r"watch\.rows_too_large"):
            bring([str(path)], into=tmp_path / f"in {name}", marketplace="demo")
        with pytest.raises(Invalid, match=r"watch\.rows_too_large"):
            work.read(path, 0, 1 if "nothing" in name else 3_000)
        assert pa.total_allocated_bytes() <= before + MEGABYTE, name
        assert (pool.max_memory() or 0) < 512 * MEGABYTE, name


def test_a_row_group_that_says_it_is_too_large_stops_the_plan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.parquet"
    parquet.write_table(table_of(scans.listings(50)), path)
    monkeypatch.setattr(parquets, "LIMIT", 1_000)
    with pytest.raises(Invalid, match=r"watch\.rows_too_large"):
        plan.make(
            [path], marks="m" * 64, rules=scans.RULES, opener=scans.OPENER, argument="", secret=bytes(32), size=10
        )


def spoiled(path: Path) -> dict[str, bytes]:
    """Files that lie: of the length of their footer, of what they hold, of what they are."""
    parquet.write_table(table_of(scans.listings(50)), path)
    good = path.read_bytes()
    claims = path.with_name("claims")
    metadata = parquet.read_metadata(path)
    metadata.append_row_groups(parquet.read_metadata(path))
    metadata.write_metadata_file(claims)
    return {
        "a footer of ten gigabytes": good[:-8] + (0x7FFFFFFF).to_bytes(4, "little") + b"PAR1",
        "cut": good[: len(good) // 2],
        "rows that are not there": claims.read_bytes(),
        "empty": b"",
        "something else": b"item,seller,title\n",
        "noise in the middle": good[:4] + bytes(200) + good[204:],
    }


def test_parquet_that_lies_is_told_and_takes_no_memory(tmp_path: Path) -> None:
    for name, data in spoiled(tmp_path / "good.parquet").items():
        path = tmp_path / "bad.parquet"
        path.write_bytes(data)
        with pytest.raises(Invalid, match=r"watch\.file_unreadable"):
            bring([str(path)], into=tmp_path / f"in {name}", marketplace="demo")
        with pytest.raises(Invalid, match=r"watch\.file_unreadable"):
            work.read(path, 0, 50)


def test_columns_of_other_kinds_cost_their_rows_alone(tmp_path: Path) -> None:
    table = pa.table(
        {
            "item": pa.array([1, 2]),
            "seller": pa.array([["s"], None]),
            "title": pa.array([{"a": "b"}, None]),
            "price": pa.array([1.5, float("nan")]),
        }
    )
    parquet.write_table(table, tmp_path / "a.parquet")
    told = bring([str(tmp_path / "a.parquet")], into=tmp_path / "in", marketplace="demo")
    assert (told.listings, told.refused) == (0, 2)


def test_a_line_of_many_megabytes_is_never_held(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    with path.open("wb") as file:
        file.write(b'{"item":"1","seller":"s","title":"')
        for _ in range(48):
            file.write(b"x" * MEGABYTE)
        file.write(b'"}\n{"item":"2","seller":"s","title":"t"}\n')
    tracemalloc.start()
    try:
        told = bring([str(path)], into=tmp_path / "in", marketplace="demo")
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert (told.listings, told.refused) == (1, 1)
    assert most < 24 * MEGABYTE


def test_a_first_row_that_never_ends_is_no_file(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text('"item,seller\n' + "x" * 1_000_000 + "\n" + "y\n" * 2_000_000, "utf-8")
    with pytest.raises(Invalid, match=r"watch\.file_unreadable.*a\.csv"):
        bring([str(tmp_path / "a.csv")], into=tmp_path / "in", marketplace="demo")


def test_a_quote_that_is_never_closed_costs_what_it_swallows(tmp_path: Path) -> None:
    rows = ["item,seller,title", "1,s,first", '2,s,"open', *(f"{at},s,more" for at in range(3, 50))]
    (tmp_path / "a.csv").write_text("\n".join(rows) + "\n", "utf-8")
    told = bring([str(tmp_path / "a.csv")], into=tmp_path / "in", marketplace="demo")
    listings = list(listings_of(parquet.ParquetFile(told.files[0]).read()))
    assert [each.item for each in listings] == ["1", "2"]
    assert listings[1].title.startswith("open")


HOSTILE: dict[str, tuple[dict[str, object], str]] = {
    "a title of a megabyte": ({"title": "Nike " * 200_000}, "title_cut"),
    "right to left": ({"title": "abc\u202eekiN"}, "bidi"),
    "a flood of nothing": ({"title": "N" + "\u200b" * 5_000 + "ike"}, "zero_width_flood"),
    "control characters": ({"title": "Ni\x07ke"}, "control_characters"),
    "200 pictures": ({"pictures": [f"https://cdn.example.org/{at}.jpg" for at in range(200)]}, "too_many_pictures"),
    "a picture at home": ({"pictures": ["http://127.0.0.1/a.jpg"]}, "picture_address_refused"),
    "no price": ({}, "price_missing"),
    "less than nothing": ({"price": "-3.50", "currency": "CNY"}, "price_negative"),
    "no number": ({"price": "free", "currency": "CNY"}, "price_unreadable"),
    "lists in lists": ({"pictures": [[[[["https://cdn.example.org/a.jpg"]]]]]}, "picture_address_refused"),
}


@pytest.mark.parametrize(("said", "flag"), HOSTILE.values(), ids=HOSTILE)
def test_what_is_odd_is_a_flag_at_every_door(tmp_path: Path, said: dict[str, object], flag: str) -> None:
    row = {"item": "1", "seller": "s", "title": "t", **said}
    (tmp_path / "a.jsonl").write_text(json.dumps(row) + "\n", "utf-8")
    told = bring([str(tmp_path / "a.jsonl")], into=tmp_path / "in", marketplace="demo")
    assert told.flags.get(flag) == 1
    assert flag in pushed(json.dumps([row]).encode()).listings[0].flags
    again = listings_of(parquet.ParquetFile(told.files[0]).read())
    assert [len(each.title) <= 1_000 and len(each.pictures) <= 50 for each in again] == [True]


def test_the_same_item_twice_in_files_is_scanned_twice(tmp_path: Path) -> None:
    rows = [json.dumps({"item": "1", "seller": "s", "title": title}) for title in ("first", "last")]
    (tmp_path / "a.jsonl").write_text("\n".join(rows), "utf-8")
    told = bring([str(tmp_path / "a.jsonl")], into=tmp_path / "in", marketplace="demo")
    assert [each.title for each in listings_of(parquet.ParquetFile(told.files[0]).read())] == ["first", "last"]


def test_lists_of_all_kinds_of_pages_are_read_as_they_are(tmp_path: Path) -> None:
    urls = [[{"url": f"https://cdn.example.org/{at}-{'x' * 200}.jpg", "sha256": b""}] * 2 for at in range(900)]
    table = table_of(scans.listings(900))
    kind = table.schema.field("pictures").type
    table = table.set_column(table.column_names.index("pictures"), "pictures", pa.array(urls, kind))
    path = tmp_path / "a.parquet"
    parquet.write_table(table, path, row_group_size=400, dictionary_pagesize_limit=2_000, data_page_size=2_000)
    assert work.read(path, 150, 600).to_pylist() == table.slice(150, 600).to_pylist()


def test_lists_that_cannot_be_measured_are_stopped_early(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    urls = pa.array([[f"https://cdn.example.org/{at}-{'x' * 200}.jpg"] for at in range(900)])
    ids = [str(each) for each in range(900)]
    path = tmp_path / "a.parquet"
    table = pa.table({"item": ids, "seller": ids, "title": ids, "contact": urls})
    parquet.write_table(table, path, dictionary_pagesize_limit=2_000, data_page_size=2_000)
    with parquets.opened(path) as file:
        monkeypatch.setattr(parquets, "LIMIT", 100_000)
        with pytest.raises(Invalid, match=r"watch\.rows_too_large"):
            file.rows(0, 900, file.names)


def test_object_storage_is_read_with_the_access_that_is_given(storage: str, tmp_path: Path) -> None:
    import daft  # noqa: PLC0415 (after the room, which switches its reports off)

    access = daft.io.IOConfig(
        s3=daft.io.S3Config(endpoint_url=storage, anonymous=True, region_name="us-east-1", num_tries=1)
    )
    within = ["s3://bucket"]
    told = bring(["s3://bucket/stock.parquet"], into=tmp_path / "in", marketplace="demo", access=access, within=within)
    assert list(listings_of(parquet.ParquetFile(told.files[0]).read())) == scans.listings(20)
    with pytest.raises(Unavailable, match=r"watch\.storage_unavailable"):
        bring(["s3://bucket/none.parquet"], into=tmp_path / "none", marketplace="demo", access=access, within=within)


def bucket_at(address: str) -> daft.io.IOConfig:
    import daft  # noqa: PLC0415 (after the room, which switches its reports off)

    s3 = daft.io.S3Config(endpoint_url=address, anonymous=True, region_name="us-east-1", num_tries=1)
    return daft.io.IOConfig(s3=s3)


def test_files_of_every_kind_come_in_from_addresses_as_from_here(tmp_path: Path) -> None:
    rows = [
        {"item": f"i{at}", "seller": "s", "title": f"Nike {at}", "price": "5", "currency": "CNY"} for at in range(9)
    ]
    lines = "".join(json.dumps(each) + "\n" for each in rows).encode()
    files_there = {"a.jsonl": lines, "b.csv": as_csv(rows).encode(), "c.jsonl.gz": gzip.compress(lines)}
    for name, data in files_there.items():
        (tmp_path / name).write_bytes(data)
    here = bring([str(tmp_path / name) for name in files_there], into=tmp_path / "here", marketplace="demo")
    held = {f"{where}/{name}": data for name, data in files_there.items() for where in ("", "/bucket")}
    with serving(held) as address:
        for number, places in enumerate(
            ([f"{address}/{name}" for name in files_there], [f"s3://bucket/{name}" for name in files_there])
        ):
            told = bring(
                places,
                into=tmp_path / str(number),
                marketplace="demo",
                access=bucket_at(address),
                within=[f"{address}/", "s3://bucket/"],
            )
            assert (told.listings, told.refused) == (here.listings, here.refused) == (27, 0)
            assert told.files[0].read_bytes() == here.files[0].read_bytes()


def test_parquet_of_strangers_is_bounded_at_addresses_as_it_is_here(tmp_path: Path) -> None:
    held = {
        f"{where}/{name}.parquet": path.read_bytes()
        for name, path in bombs(tmp_path / "bombs").items()
        for where in ("", "/bucket")
    }
    held |= {
        f"/spoiled/{number}.parquet": data for number, data in enumerate(spoiled(tmp_path / "good.parquet").values())
    }
    with serving(held) as address:
        for place in held:
            source = f"s3:/{place}" if place.startswith("/bucket") else f"{address}{place}"
            with pytest.raises(Invalid, match=r"watch\.(rows_too_large|file_unreadable)"):
                list(files.read(source, "parquet", access=bucket_at(address), within=[address, "s3://bucket"]))


class Liar(Folder):
    """Says that a file is a thousand times what it is, leads elsewhere, or knows no ranges: by the name."""

    def _answer(self, *, body: bool) -> None:
        data = self.held["/file"]
        if self.path.startswith("/away"):
            self.send_response(302)
            self.send_header("Location", f"http://{self.headers['Host']}/file")
            self.send_header("Content-Length", "0")
        elif self.path.startswith("/whole"):
            self.send_response(200)
            self.send_header("Content-Length", str(len(data)))
        else:
            first, _, last = self.headers["Range"].removeprefix("bytes=").partition("-")
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {first}-{last}/{1_000 * len(data)}")
            self.send_header("Content-Length", str(100 * len(data)))
        self.end_headers()
        if body and not self.path.startswith("/away"):
            with suppress(ConnectionError):
                self.wfile.write(b"PAR1\xff\xff\xff\x7fPAR1" * (100 * len(data) // 12))


@pytest.mark.parametrize(
    ("name", "code"), [("away", "storage_unavailable"), ("whole", "storage_unavailable"), ("large", "file_unreadable")]
)
def test_a_server_that_lies_is_told_and_takes_no_memory(name: str, code: str) -> None:
    with serving({"/file": b"x" * 10_000}, Liar) as address, pytest.raises((Invalid, Unavailable), match=code):
        list(files.read(f"{address}/{name}.parquet", "parquet", within=[address]))


@pytest.mark.parametrize(
    "place",
    [
        "s3://other/stock.parquet",
        "s3://bucket-2/stock.parquet",
        "s3://bucket/drop/../stock.parquet",
        "s3://bucket/drop/%2E%2e/stock.parquet",
        "s3://bucket/dropped/stock.parquet",
        "https://store.example@127.0.0.1/drop/stock.parquet",
        "https://store.example.evil.example/drop/stock.parquet",
        "https://store.example:8443/drop/stock.parquet",
        "http://store.example/drop/stock.parquet",
        "https://store.example/drop\\@127.0.0.1/stock.parquet",
        "http://169.254.169.254/latest/stock.parquet",
        "gs://bucket/drop/stock.parquet",
        "s3://bucket/drop/a.parquet?b",
        "https://store.example/drop/stock.parquet?a#b",
    ],
)
def test_storage_that_nobody_named_is_not_asked(place: str, tmp_path: Path) -> None:
    within = ["s3://bucket/drop", "https://store.example/drop/"]
    with pytest.raises(Refused, match=r"watch\.storage_elsewhere"):
        list(files.read(place, "parquet", within=within))
    with pytest.raises(Refused, match=r"watch\.storage_elsewhere"):
        bring([place], into=tmp_path / "in", marketplace="demo", within=within)
    with pytest.raises(Refused, match=r"watch\.storage_elsewhere"):
        list(files.read("s3://bucket/drop/stock.parquet", "parquet"))


def test_a_pattern_means_the_files_of_a_bucket(tmp_path: Path) -> None:
    parquet.write_table(table_of(scans.listings(20)), tmp_path / "a.parquet")
    data = (tmp_path / "a.parquet").read_bytes()
    listed = "".join(
        f"<Contents><Key>drop/{name}</Key><Size>{len(data)}</Size></Contents>"
        for name in ("b.parquet", "a.parquet", "c.txt")
    )
    listing = (
        f"<?xml version='1.0'?><ListBucketResult><IsTruncated>false</IsTruncated>{listed}</ListBucketResult>".encode()
    )
    held = {"/bucket/": listing, "/bucket/drop/a.parquet": data, "/bucket/drop/b.parquet": data}
    with serving(held) as address:
        names = list(files.places_of(["s3://bucket/drop/*.parquet"], access=bucket_at(address), within=["s3://bucket"]))
        assert names == ["s3://bucket/drop/a.parquet", "s3://bucket/drop/b.parquet"]
        into, within = tmp_path / "in", ["s3://bucket/drop"]
        told = bring(
            ["s3://bucket/drop/*.parquet"], into=into, marketplace="demo", access=bucket_at(address), within=within
        )
        assert told.listings == 40
