"""The second vantage point: the same address fetched by another tool, and what differs.

A page may show one thing to this browser and another to others, and a browser may be broken or led astray. So a plain
HTTP client asks too, through a guard of the same kind, perhaps from another egress. It runs no scripts: a page that
scripts build differs by nature, and the record says what is equal and what is not, without a verdict.
"""

from __future__ import annotations

import contextlib
import difflib
import hashlib
import html.parser
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from urllib.parse import urljoin

import httpx

from chopmark.evidence.capture.processlog import moment, tidy
from chopmark.evidence.capture.warc import public

MAX_BODY: Final = 20 << 20  # bytes
MAX_REDIRECTS: Final = 10
MAX_WORDS: Final = 1500
PATIENCE: Final = 20.0  # seconds of silence
WHOLE_PATIENCE: Final = 40.0  # seconds for one body
REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What one vantage point saw as the page's main document.

    Attributes:
        status: 0 when there was no answer.
        body: the document; empty when there was none.
        headers: names in lower case, secrets withheld.
    """

    url: str
    status: int
    headers: dict[str, str]
    body: bytes


def fetch(
    url: str,
    proxy: str,
    *,
    user_agent: str,
    language: str,
    check_certificate: bool,
    clock: Callable[[], datetime],
) -> tuple[Seen, dict[str, Any]]:
    """Fetch an address through the guard at `proxy`; a failure is a record, not an error."""
    record: dict[str, Any] = {"tool": f"httpx {httpx.__version__}", "started": moment(clock()), "hops": []}
    seen = Seen(url=url, status=0, headers={}, body=b"")
    headers = {"User-Agent": user_agent, "Accept": "text/html,*/*;q=0.8", "Accept-Language": language}
    # The certificate is the browser's to judge; asked to look at a page with a bad one, the second tool looks too.
    context = ssl.create_default_context()
    if not check_certificate:
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    try:
        with httpx.Client(proxy=proxy, trust_env=False, verify=context, headers=headers, timeout=PATIENCE) as client:
            for _ in range(MAX_REDIRECTS + 1):
                seen, hop = _hop(client, url)
                record["hops"].append(hop)
                if seen.status not in REDIRECTS or "location" not in seen.headers:
                    break
                url = urljoin(url, seen.headers["location"])
            else:
                record["failure"] = "redirects"
    except (httpx.HTTPError, httpx.InvalidURL, ValueError, ssl.SSLError) as error:
        record["failure"] = type(error).__name__
    record |= {
        "ended": moment(clock()),
        "final_url": tidy(seen.url),
        "status": seen.status,
        "size": len(seen.body),
        "sha256": hashlib.sha256(seen.body).hexdigest(),
    }
    return seen, record


def _hop(client: httpx.Client, url: str) -> tuple[Seen, dict[str, Any]]:
    with client.stream("GET", url) as answer:
        data, until, cut = bytearray(), time.monotonic() + WHOLE_PATIENCE, False
        for chunk in answer.iter_bytes():
            data += chunk
            if len(data) > MAX_BODY or time.monotonic() > until:
                cut = True
                break
        headers = {name.lower(): value for name, value in public(answer.headers.multi_items())}
        hop: dict[str, Any] = {
            "url": tidy(url),
            "status": answer.status_code,
            "protocol": answer.http_version,
            "headers": headers,
            "cut": cut,
        }
        stream = answer.extensions.get("network_stream")
        if stream is not None and (tls := stream.get_extra_info("ssl_object")) is not None:
            certificate = tls.getpeercert(True) or b""  # noqa: FBT003 (the object takes no names)
            hop |= {"tls": tls.version(), "certificate_sha256": hashlib.sha256(certificate).hexdigest()}
        return Seen(url=url, status=answer.status_code, headers=headers, body=bytes(data[:MAX_BODY])), hop


def difference(first: Seen, second: Seen) -> dict[str, Any]:
    """What is equal and what is not; `text_alike` is in thousandths, over at most 1,500 words of each."""
    ours, theirs = words(first.body), words(second.body)
    alike = difflib.SequenceMatcher(None, ours, theirs, autojunk=False).ratio() if ours or theirs else 1.0
    names = sorted(set(first.headers) | set(second.headers))
    return {
        "status_equal": first.status == second.status,
        "url_equal": first.url == second.url,
        "body_equal": first.body == second.body,
        "media_type_equal": _media_type(first) == _media_type(second),
        "text_alike": round(alike * 1000),
        "headers_differing": [name for name in names if first.headers.get(name) != second.headers.get(name)][:200],
    }


def _media_type(seen: Seen) -> str:
    return seen.headers.get("content-type", "").partition(";")[0].strip().lower()


class _Text(html.parser.HTMLParser):
    """Collects the words of a document, without scripts and styles."""

    def __init__(self) -> None:
        super().__init__()
        self.words: list[str] = []
        self._hidden = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:  # noqa: ARG002 (the base's signature)
        self._hidden += tag in {"script", "style", "template"}

    def handle_endtag(self, tag: str) -> None:
        self._hidden = max(0, self._hidden - (tag in {"script", "style", "template"}))

    def handle_data(self, data: str) -> None:
        if not self._hidden and len(self.words) < MAX_WORDS:
            self.words += data.split()


def words(document: bytes) -> list[str]:
    """The first 1,500 words of an HTML document's first 256 KiB."""
    reader = _Text()
    with contextlib.suppress(AssertionError):  # what the standard parser says to some malformed declarations
        reader.feed(document[: 1 << 18].decode("utf-8", "replace"))
    return reader.words[:MAX_WORDS]
