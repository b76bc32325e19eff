"""A member's node over HTTP, as the writer of a log reaches it (`ledger.wire.Link`).

    POST <card's url>/add-checkpoint, /add-entries          C2SP tlog-witness, tlog-mirror
    GET  <card's url>/mirror/<origin hash>/sealed-root/<size>

Connections are kept; redirects are not followed; answers are read up to a limit and a deadline. Entries travel
compressed unless the member is on this machine. What an answer says is believed by nobody here.
"""

from __future__ import annotations

import gzip
import time
from typing import Self

import httpx

from chopmark.base.errors import Unavailable
from chopmark.ledger.wire import OCTETS, PLAIN_TEXT, Answer, origin_hash

MAX_ANSWER = 65_536
"""Bytes of an answer that are read; the rest is left, and one byte more is kept so that who looks sees it."""
UPLOAD_PATIENCE = 30.0
"""Seconds for the answer to an upload: a mirror makes the entries durable first."""

_LOOPBACK = {"127.0.0.1", "::1", "localhost"}


class HttpLink:
    """One member over HTTP; one thread at a time.

    Args:
        name: the member's, as on its card.
        url: its submission prefix, without a slash at the end.
        patience: seconds to connect, and for the answer to a checkpoint.
    """

    def __init__(self, name: str, url: str, *, patience: float = 5.0) -> None:
        self._name = name
        self._url = url
        self._patience = patience
        here = httpx.URL(url).host in _LOOPBACK
        self._compress = not here
        self._client = httpx.Client(
            timeout=httpx.Timeout(patience),
            follow_redirects=False,
            trust_env=not here,
            headers={"User-Agent": "chopmark", "Accept-Encoding": "identity"},
        )

    @property
    def name(self) -> str:
        """See `Link.name`."""
        return self._name

    def add_checkpoint(self, body: bytes) -> Answer:
        """See `Link.add_checkpoint`."""
        return self._call("POST", "/add-checkpoint", body, PLAIN_TEXT, self._patience)

    def add_entries(self, body: bytes) -> Answer:
        """See `Link.add_entries`."""
        if self._compress:
            return self._call(
                "POST", "/add-entries", gzip.compress(body, 1), OCTETS, UPLOAD_PATIENCE, {"Content-Encoding": "gzip"}
            )
        return self._call("POST", "/add-entries", body, OCTETS, UPLOAD_PATIENCE)

    def sealed_root(self, origin: str, size: int) -> bytes | None:
        """See `Link.sealed_root`."""
        answer = self._call("GET", f"/mirror/{origin_hash(origin)}/sealed-root/{size}", None, None, self._patience)
        return answer.body if answer.status == 200 else None

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _call(  # noqa: PLR0917 (the parts of one request, in HTTP's order)
        self,
        method: str,
        path: str,
        body: bytes | None,
        content_type: str | None,
        patience: float,
        more: dict[str, str] | None = None,
    ) -> Answer:
        headers = {**({} if content_type is None else {"Content-Type": content_type}), **(more or {})}
        timeout = httpx.Timeout(patience, connect=self._patience)
        until = time.monotonic() + patience
        try:
            with self._client.stream(
                method, self._url + path, content=body, headers=headers, timeout=timeout
            ) as response:
                read = bytearray()
                for piece in response.iter_raw():
                    read += piece
                    if len(read) > MAX_ANSWER:
                        break
                    if time.monotonic() > until:
                        raise httpx.ReadTimeout("the answer came too slowly")
                return Answer(
                    status=response.status_code,
                    body=bytes(read[: MAX_ANSWER + 1]),
                    content_type=response.headers.get("Content-Type", ""),
                )
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise Unavailable("ledger.member_silent", name=self._name, reason=type(error).__name__) from error
