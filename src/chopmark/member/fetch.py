"""Fetching a log's public files and signers' keys over HTTP: bounded in time and size, redirects not followed.

The log is who a monitor must not trust. So nothing packed is unpacked (a few bytes could become gigabytes), and an
answer that drips is given up like one that does not come: otherwise one log could hold a monitor for ever.
"""

from __future__ import annotations

import time
from types import TracebackType
from typing import Self

import httpx

from chopmark.base.errors import Invalid, Unavailable

FILE_LIMIT = 32 << 20
"""Bytes; the largest bundle is 256 entries of 65,537 bytes."""
TIMEOUT = 10.0
"""Seconds without a byte."""
PATIENCE = 60.0
"""Seconds for one answer, and one more for each 64 KiB of it."""
_PACE = 65_536


class Fetcher:
    """Path to bytes below one address; keeps its connections. Not for several threads at once.

    Args:
        address: without a slash at the end.
        limit: bytes of one file.
        patience: see PATIENCE.
    """

    def __init__(self, address: str, *, limit: int = FILE_LIMIT, patience: float = PATIENCE) -> None:
        self._address = address
        self._limit = limit
        self._patience = patience
        self._client = httpx.Client(
            timeout=min(TIMEOUT, patience),
            follow_redirects=False,
            trust_env=False,
            headers={"Accept-Encoding": "identity"},
        )

    def __call__(self, path: str) -> bytes:
        """The bytes at a path.

        Raises:
            Unavailable: `member.not_there` for 404 and 410; `member.log_silent` for anything else but 200.
            Invalid: `member.answer_too_long`.
        """
        address = f"{self._address}/{path}"
        began = time.monotonic()
        try:
            with self._client.stream("GET", address) as answer:
                if answer.status_code in (httpx.codes.NOT_FOUND, httpx.codes.GONE):
                    raise Unavailable("member.not_there", address=address)
                if answer.status_code != httpx.codes.OK:
                    raise Unavailable("member.log_silent", address=address, reason=f"status {answer.status_code}")
                if answer.headers.get("Content-Encoding", "identity").strip().lower() != "identity":
                    raise Unavailable("member.log_silent", address=address, reason="packed")
                data = bytearray()
                for chunk in answer.iter_raw():
                    data += chunk
                    if time.monotonic() - began > self._patience + len(data) / _PACE:
                        raise Unavailable("member.log_silent", address=address, reason="too slow")
                    if len(data) > self._limit:
                        raise Invalid("member.answer_too_long", address=address, limit=self._limit)
                return bytes(data)
        except httpx.HTTPError as error:
            raise Unavailable("member.log_silent", address=address, reason=type(error).__name__) from error

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def __enter__(self) -> Self:
        """Itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close."""
        self.close()
