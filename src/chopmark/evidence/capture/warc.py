"""What the browser received, as a WARC (ISO 28500:2017), and the WARC with its index and page list as a WACZ 1.1.1.

The browser hands bodies out decoded: transfer and content codings are gone, and what is stored is our serialisation of
headers and body, not the bytes on the wire. The record says so (`warcinfo` and, for each changed header, the original
under `X-Chopmark-Original-…`). The wire's own bytes are in the sealed net-log.

Values of cookies and authorisations are withheld here and kept in the sealed net-log only.
"""

from __future__ import annotations

import hashlib
import io
import json
import re
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO, Final
from urllib.parse import quote, urldefrag

from cdxj_indexer.main import CDXJIndexer
from warcio.statusandheaders import StatusAndHeaders
from warcio.utils import Digester
from warcio.warcwriter import WARCWriter

from chopmark.base.digests import CHUNK, chunks_of

ARCHIVE: Final = "data.warc.gz"
WITHHELD: Final = "(withheld; in the sealed raw layer)"
SECRET: Final = frozenset({"cookie", "authorization", "proxy-authorization", "set-cookie"})
CODED: Final = frozenset({"content-encoding", "transfer-encoding", "content-length"})
MAX_HEADER: Final = 16_384  # characters of one value
NOTE: Final = (
    "Bodies are stored decoded, as the browser handed them out; content and transfer codings were removed and "
    "Content-Length rewritten. Values of cookies and authorisations are withheld."
)
_TOKEN: Final = re.compile(r"[^A-Za-z0-9!#$%&'*+.^_`|~-]")  # RFC 9110 5.6.2
_FIXED: Final = (1980, 1, 1, 0, 0, 0)

Headers = Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """One request of the browser and its answer.

    Attributes:
        at: when the request was sent.
        address: of the server, empty when it is not known.
        body: decoded; None when the browser no longer had it.
        protocol: as the browser names it, for example `h2`.
    """

    url: str
    method: str
    at: datetime
    request_headers: Headers
    post: bytes
    status: int
    reason: str
    headers: Headers
    body: bytes | None
    address: str
    protocol: str


class _Writer(WARCWriter):  # type: ignore[misc] # the library is not typed
    """Digests are SHA-256."""

    @staticmethod
    def _create_digester() -> Digester:
        return Digester("sha256")


class Warc:
    """A WARC being written, one compressed member a record."""

    def __init__(self, path: Path, *, software: str, at: datetime) -> None:
        self._file = path.open("xb")
        self._writer = _Writer(self._file, gzip=True, warc_version="1.1")
        info = {"software": software, "format": "WARC File Format 1.1", "description": NOTE}
        record = self._writer.create_warcinfo_record(ARCHIVE, info)
        record.rec_headers.replace_header("WARC-Date", _date(at))
        self._writer.write_record(record)
        self.exchanges = 0

    def add(self, exchange: Exchange) -> None:
        """The answer and its request, in this order, as two records that name each other."""
        url = urldefrag(exchange.url)[0]
        dates = {"WARC-Date": _date(exchange.at)}
        if exchange.address:
            dates["WARC-IP-Address"] = exchange.address
        if exchange.protocol:
            dates["WARC-Protocol"] = exchange.protocol
        body = exchange.body or b""
        lost = {"WARC-Truncated": "unspecified"} if exchange.body is None else {}
        answer = self._writer.create_warc_record(
            url,
            "response",
            payload=io.BytesIO(body),
            length=len(body),
            http_headers=StatusAndHeaders(
                f"{exchange.status} {_line(exchange.reason)}".strip(), answer_headers(exchange, len(body)), "HTTP/1.1"
            ),
            warc_headers_dict=dates | lost,
        )
        path = "/" + url.split("/", 3)[3] if url.count("/") > 2 else "/"
        question = self._writer.create_warc_record(
            url,
            "request",
            payload=io.BytesIO(exchange.post),
            length=len(exchange.post),
            http_headers=StatusAndHeaders(
                f"{_line(exchange.method)} {_line(path)} HTTP/1.1",
                public(exchange.request_headers),
                is_http_request=True,
            ),
            warc_headers_dict=dates | {"WARC-Concurrent-To": answer.rec_headers.get_header("WARC-Record-ID")},
        )
        self._writer.write_record(answer)
        self._writer.write_record(question)
        self._file.flush()
        self.exchanges += 1

    def close(self) -> None:
        """No record follows."""
        self._file.close()


def public(headers: Headers) -> list[tuple[str, str]]:
    """The headers on one line each, without secrets and without HTTP/2's own fields."""
    return [
        (_TOKEN.sub("_", name), WITHHELD if name.lower() in SECRET else _line(value)[:MAX_HEADER])
        for name, value in headers
        if name and not name.startswith(":")
    ]


def answer_headers(exchange: Exchange, length: int) -> list[tuple[str, str]]:
    """The headers that are true of the decoded body, with the originals of those that are not."""
    kept: list[tuple[str, str]] = []
    moved: list[tuple[str, str]] = []
    for name, value in public(exchange.headers):
        (moved if name.lower() in CODED else kept).append((name, value))
    kept += [(f"X-Chopmark-Original-{name}", value) for name, value in moved]
    return [*kept, ("Content-Length", str(length))]


def _line(text: str) -> str:
    """Text that ends no line; what is not printable ASCII is percent-encoded: a page's server chose it."""
    return "".join(sign if " " <= sign <= "~" else quote(sign, errors="replace") for sign in text)


def _date(at: datetime) -> str:
    return at.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"


def repair(path: Path) -> int:
    """Cut a WARC off behind its last whole record, as a killed worker left it; how many records it has.

    Each record is one gzip member (RFC 1952), whose own check tells whether it is whole.
    """
    whole = records = 0
    with path.open("r+b") as file:
        while True:
            file.seek(whole)
            member = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)
            read = 0
            try:
                while not member.eof and (chunk := file.read(CHUNK)):
                    read += len(chunk)
                    pending = chunk
                    while pending and not member.eof:
                        member.decompress(pending, CHUNK)
                        pending = member.unconsumed_tail
            except zlib.error:
                break
            if not member.eof:
                break
            whole += read - len(member.unused_data)
            records += 1
        file.truncate(whole)
    return records


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """A page of the capture, for the archive's list."""

    url: str
    title: str
    at: datetime


def wacz(out: BinaryIO, archive: Path, pages: Sequence[Page], *, software: str, clock: Callable[[], datetime]) -> None:
    """Write the WACZ of one WARC; all entries stored, so that each can be read in place."""
    index, blocks = io.StringIO(), io.BytesIO()
    CDXJIndexer(
        index,
        [str(archive)],
        sort=True,
        compress=blocks,
        data_out_name="index.cdx.gz",
        fields="referrer",
        post_append=True,
        filename=ARCHIVE,
    ).process_all()
    listed = [json.dumps({"format": "json-pages-1.0", "id": "pages", "title": "All Pages"})]
    listed += [
        json.dumps(
            {"id": f"page-{number}", "url": page.url, "title": page.title, "ts": _date(page.at)}, ensure_ascii=False
        )
        for number, page in enumerate(pages, 1)
    ]
    parts: dict[str, bytes | Path] = {
        f"archive/{ARCHIVE}": archive,
        "indexes/index.cdx.gz": blocks.getvalue(),
        "indexes/index.idx": index.getvalue().encode(),
        "pages/pages.jsonl": ("\n".join(listed) + "\n").encode("utf-8", "replace"),
    }
    at = _date(clock())
    package: dict[str, object] = {
        "profile": "data-package",
        "wacz_version": "1.1.1",
        "software": software,
        "created": at,
        "modified": at,
        "resources": [
            {"name": name.rpartition("/")[2], "path": name, "hash": f"sha256:{_sha256(data)}", "bytes": _size(data)}
            for name, data in parts.items()
        ],
    }
    if pages:
        package |= {"title": pages[0].title, "mainPageUrl": pages[0].url, "mainPageDate": _date(pages[0].at)}
    described = json.dumps(package, ensure_ascii=False, indent=2).encode("utf-8", "replace")
    digest = {"path": "datapackage.json", "hash": f"sha256:{hashlib.sha256(described).hexdigest()}"}
    parts |= {"datapackage.json": described, "datapackage-digest.json": json.dumps(digest, indent=2).encode()}
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as container:
        for name, data in parts.items():
            entry = zipfile.ZipInfo(name, _FIXED)
            entry.external_attr = 0o644 << 16
            with container.open(entry, "w", force_zip64=_size(data) > 1 << 30) as target:
                for chunk in _pieces(data):
                    target.write(chunk)


def _pieces(data: bytes | Path) -> Iterator[bytes]:
    if isinstance(data, bytes):
        yield data
        return
    with data.open("rb") as file:
        yield from chunks_of(file)


def _size(data: bytes | Path) -> int:
    return len(data) if isinstance(data, bytes) else data.stat().st_size


def _sha256(data: bytes | Path) -> str:
    made = hashlib.sha256()
    for chunk in _pieces(data):
        made.update(chunk)
    return made.hexdigest()
