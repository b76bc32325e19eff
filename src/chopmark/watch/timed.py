"""Connections of an HTTP client that end when the time of the whole request is over, however slowly the other speaks.

A timeout of httpx holds for each wait. Who sends a byte of a header now and then could hold a connection for days; here
no wait is longer than what is left of the request, and when nothing is left the next one does not begin.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterable
from typing import Any

import httpcore
import httpx


class TimedTransport(httpx.HTTPTransport):
    """One that asks, before each wait, how many seconds are left.

    Args:
        left: of the request that the calling thread is at.
    """

    def __init__(self, *, context: ssl.SSLContext, limits: httpx.Limits, left: Callable[[], float]) -> None:
        super().__init__(verify=context, trust_env=False, limits=limits)
        self._pool = httpcore.ConnectionPool(
            ssl_context=context,
            max_connections=limits.max_connections,
            max_keepalive_connections=limits.max_keepalive_connections,
            keepalive_expiry=limits.keepalive_expiry,
            network_backend=_Backend(left),
        )


class _Backend(httpcore.NetworkBackend):
    """Sockets, connected over TCP alone."""

    def __init__(self, left: Callable[[], float]) -> None:
        self._plain, self._left = httpcore.SyncBackend(), left

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        within = _within(timeout, self._left(), httpcore.ConnectTimeout)
        return _Stream(self._plain.connect_tcp(host, port, within, local_address, socket_options), self._left)


class _Stream(httpcore.NetworkStream):
    def __init__(self, plain: httpcore.NetworkStream, left: Callable[[], float]) -> None:
        self._plain, self._left = plain, left

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._plain.read(max_bytes, _within(timeout, self._left(), httpcore.ReadTimeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._plain.write(buffer, _within(timeout, self._left(), httpcore.WriteTimeout))

    def close(self) -> None:
        self._plain.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        within = _within(timeout, self._left(), httpcore.ConnectTimeout)
        return _Stream(self._plain.start_tls(ssl_context, server_hostname, within), self._left)

    def get_extra_info(self, info: str) -> Any:  # noqa: ANN401 (as the client has it)
        return self._plain.get_extra_info(info)


def _within(timeout: float | None, left: float, error: type[Exception]) -> float:
    if left <= 0:
        raise error
    return left if timeout is None else min(timeout, left)
