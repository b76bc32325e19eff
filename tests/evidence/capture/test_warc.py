"""The archive: records that warcio reads and whose digests hold, hostile headers included."""

from __future__ import annotations

import hashlib
import io
import json
import re
import zipfile
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from warcio.archiveiterator import ArchiveIterator

from chopmark.evidence.capture import warc

AT = datetime(2026, 11, 22, 9, 30, 0, 500_000, UTC)
EXCHANGE = warc.Exchange(
    url="https://shop.example/a?b=c#d",
    method="GET",
    at=AT,
    request_headers=[(":method", "GET"), ("Cookie", "visitor=4711"), ("User-Agent", "x")],
    post=b"",
    status=200,
    reason="OK",
    headers=[("Content-Type", "text/html"), ("Content-Encoding", "gzip"), ("Set-Cookie", "visitor=4711")],
    body=b"<title>tea</title>" * 100,
    address="192.0.2.1",
    protocol="h2",
)


def written(path, *exchanges):
    archive = warc.Warc(path, software="chopmark test", at=AT)
    for each in exchanges:
        archive.add(each)
    archive.close()
    return archive


def records(path):
    with path.open("rb") as file:
        return [(each, each.content_stream().read()) for each in ArchiveIterator(file, check_digests="raise")]


def test_an_exchange_is_two_records_that_name_each_other(tmp_path):
    written(tmp_path / "a.warc.gz", EXCHANGE)
    (info, said), (answer, body), (question, _) = records(tmp_path / "a.warc.gz")
    assert [info.rec_type, answer.rec_type, question.rec_type] == ["warcinfo", "response", "request"]
    assert b"decoded" in said
    assert body == EXCHANGE.body
    assert answer.rec_headers.get_header("WARC-Target-URI") == "https://shop.example/a?b=c"
    assert answer.rec_headers.get_header("WARC-IP-Address") == "192.0.2.1"
    assert answer.rec_headers.get_header("WARC-Date") == "2026-11-22T09:30:00.500Z"
    assert answer.rec_headers.get_header("WARC-Payload-Digest").startswith("sha256:")
    assert question.rec_headers.get_header("WARC-Concurrent-To") == answer.rec_headers.get_header("WARC-Record-ID")
    assert question.http_headers.statusline == "/a?b=c HTTP/1.1"


def test_headers_say_what_is_true_of_the_decoded_body_and_keep_what_was_said(tmp_path):
    written(tmp_path / "a.warc.gz", EXCHANGE)
    answer = records(tmp_path / "a.warc.gz")[1][0].http_headers
    assert answer.get_header("Content-Encoding") is None
    assert answer.get_header("X-Chopmark-Original-Content-Encoding") == "gzip"
    assert answer.get_header("Content-Length") == str(len(EXCHANGE.body))


def test_cookies_are_withheld(tmp_path):
    written(tmp_path / "a.warc.gz", EXCHANGE)
    everything = b"".join(
        str(record.http_headers).encode() + body for record, body in records(tmp_path / "a.warc.gz")[1:]
    )
    assert b"4711" not in everything


def test_a_body_that_is_lost_is_marked(tmp_path):
    written(tmp_path / "a.warc.gz", replace(EXCHANGE, body=None))
    answer = records(tmp_path / "a.warc.gz")[1][0]
    assert answer.rec_headers.get_header("WARC-Truncated") == "unspecified"


@settings(max_examples=40)
@given(name=st.text(max_size=20), value=st.text(max_size=60), reason=st.text(max_size=10), body=st.binary(max_size=50))
def test_hostile_headers_break_no_record(tmp_path_factory, name, value, reason, body):
    path = tmp_path_factory.mktemp("warc") / "a.warc.gz"
    written(path, replace(EXCHANGE, headers=[(name, value)], reason=reason, body=body))
    found = records(path)
    assert [record.rec_type for record, _ in found] == ["warcinfo", "response", "request"]
    assert found[1][1] == body


@pytest.mark.parametrize("lost", [1, 30, 900])
def test_an_archive_that_broke_off_is_cut_behind_its_last_whole_record(tmp_path, lost):
    path = tmp_path / "a.warc.gz"
    written(path, EXCHANGE, EXCHANGE)
    data = path.read_bytes()
    ends = [*[match.start() for match in re.finditer(rb"\x1f\x8b\x08", data)][1:], len(data)]
    kept = sum(end <= len(data) - lost for end in ends)
    path.write_bytes(data[:-lost])
    assert warc.repair(path) == kept
    assert len(records(path)) == kept
    assert data.startswith(path.read_bytes())


def test_a_wacz_names_the_digest_of_each_part(tmp_path):
    written(tmp_path / "a.warc.gz", EXCHANGE)
    page = warc.Page(url="https://shop.example/a?b=c", title="茶 \ud800", at=AT)
    with (tmp_path / "a.wacz").open("wb") as out:
        warc.wacz(out, tmp_path / "a.warc.gz", [page], software="chopmark test", clock=lambda: AT)
    with zipfile.ZipFile(tmp_path / "a.wacz") as container:
        assert all(each.compress_type == zipfile.ZIP_STORED for each in container.infolist())
        package = json.loads(container.read("datapackage.json"))
        for each in package["resources"]:
            data = container.read(each["path"])
            assert (each["hash"], each["bytes"]) == (f"sha256:{hashlib.sha256(data).hexdigest()}", len(data))
        digest = json.loads(container.read("datapackage-digest.json"))["hash"]
        assert digest == f"sha256:{hashlib.sha256(container.read('datapackage.json')).hexdigest()}"
        lines = [json.loads(each) for each in container.read("pages/pages.jsonl").splitlines()]
        assert lines[1]["url"] == page.url
        index = container.read("indexes/index.idx").decode()
        assert "example,shop)/a?b=c 20261122093000" in index
        archived = io.BytesIO(container.read("archive/data.warc.gz"))
        assert len(list(ArchiveIterator(archived))) == 3
