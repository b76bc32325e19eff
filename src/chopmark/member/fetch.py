"""Fetching a log's public files and signers' keys over HTTP: bounded in time and size, redirects not followed."""

from __future__ import annotations

from types import TracebackType
from typing import Self

import httpx

from chopmark.base.errors import Invalid, Unavailable

FILE_LIMIT = 32 << 20
"""Bytes; the largest bundle is 256 entries of 65,537 bytes."""
TIMEOUT = 10.0
"""Seconds without a byte."""


class Fetcher:
    """Path to bytes below one address; keeps its connections. Not for several threads at once.

    Args:
        address: without a slash at the end.
        limit: bytes of one file.
    """

    def __init__(self, address: str, *, limit: int = FILE_LIMIT) -> None:
        self._address = address
        self._limit = limit
        self._client = httpx.Client(timeout=TIMEOUT, follow_redirects=False, trust_env=False)

    def __call__(self, path: str) -> bytes:
        """The bytes at a path.

        Raises:
            Unavailable: `member.not_there` for 404 and 410; `member.log_silent` for anything else but 200.
            Invalid: `member.answer_too_long`.
        """
        address = f"{self._address}/{path}"
        try:
            with self._client.stream("GET", address) as answer:
                if answer.status_code in (httpx.codes.NOT_FOUND, httpx.codes.GONE):
                    raise Unavailable("member.not_there", address=address)
                if answer.status_code != httpx.codes.OK:
                    raise Unavailable("member.log_silent", address=address, reason=f"status {answer.status_code}")
                data = bytearray()
                for chunk in answer.iter_bytes():
                    data += chunk
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
