"""Listings come in: bodies of pushes, files, addresses; what is hostile costs itself alone."""

from __future__ import annotations

import gzip
import http.server
import json
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import parquet
from world import scans

from chopmark.base.errors import Invalid, Refused, Unavailable
from chopmark.watch.doors import batch, files
from chopmark.watch.doors.files import bring, kind_of
from chopmark.watch.engine.schema import LISTINGS, listings_of, table_of

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
        "not a number": ("application/json", b'[{"price": NaN}]', "watch.push_malformed"),
        "a number without end": ("application/json", b'[{"price": ' + b"9" * 100_000 + b"}]", "watch.push_malformed"),
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
        b"x" * (5 << 20),
        json.dumps(ROWS[0]).encode(),
    ]
    found = pushed(b"\n".join(lines), "application/x-ndjson")
    assert [each.item for each in found.listings] == ["1"]
    assert found.refused == tuple((place, "watch.push_row") for place in range(5))


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
    (tmp_path / "b.jsonl").write_text("[" * 99_999 + '\n5\n{"item":"1","seller":"s","title":"t"}\n', "utf-8")
    told = bring([str(tmp_path / "b.jsonl")], into=tmp_path / "in-b", marketplace="demo")
    assert (told.listings, told.refused) == (1, 2)


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
    """A storage that knows ranges, as Parquet is read by them."""

    protocol_version = "HTTP/1.1"
    held: dict[str, bytes]

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def do_GET(self) -> None:
        self._answer(body=True)

    def _answer(self, *, body: bool) -> None:
        data = self.held.get(self.path)
        if data is None:
            self.send_error(404)
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


@pytest.fixture
def storage(tmp_path: Path) -> Iterator[str]:
    path = tmp_path / "stock.parquet"
    parquet.write_table(table_of(scans.listings(20)), path)
    handler = type("Held", (Folder,), {"held": {"/stock.parquet": path.read_bytes()}})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


def test_parquet_at_an_address_comes_in(storage: str, tmp_path: Path) -> None:
    told = bring([f"{storage}/stock.parquet"], into=tmp_path / "in", marketplace="demo")
    assert told.listings == 20
    assert list(listings_of(parquet.ParquetFile(told.files[0]).read())) == scans.listings(20)


def test_an_address_without_a_file_is_told(storage: str) -> None:

    with pytest.raises(Unavailable, match=r"watch\.storage_unavailable"):
        list(files.read(f"{storage}/none.parquet", "parquet"))
