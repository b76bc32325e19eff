"""A WSGI application behind waitress, started and stopped in order: by a node, by the relay, by tests.

Waitress reads a whole request before a thread works on it, so that a slow caller holds no thread, and bounds the
size of headers and bodies. What it has begun is finished when it stops.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import waitress.channel
import waitress.parser
import waitress.server

LOOK_UP = 0.2
"""Seconds after which a server notices that it shall stop."""
REQUEST_PATIENCE = 120.0
"""Seconds within which a request must have come in whole, however busily it drips."""


class _Parser(waitress.parser.HTTPRequestParser):  # type: ignore[misc]  # waitress has no types
    """Refuses a request with a length and chunks (RFC 9112 §6.1): a proxy may have believed the other one."""

    def parse_header(self, header_plus: bytes) -> None:
        super().parse_header(header_plus)
        if self.chunked and "CONTENT_LENGTH" in self.headers:
            raise waitress.parser.ParsingError("Content-Length beside Transfer-Encoding")


class _Channel(waitress.channel.HTTPChannel):  # type: ignore[misc]  # the same
    """A connection whose requests must come in time: waitress itself closes only those on which nothing moves."""

    parser_class = _Parser
    begun: float | None = None

    def received(self, data: bytes) -> Any:  # noqa: ANN401 (the same)
        now = time.monotonic()
        if self.request is None:
            self.begun = now
        elif self.begun is not None and now - self.begun > self.server.request_patience:
            self.will_close = True
            return False
        return super().received(data)


class Server:
    """One listening socket.

    Args:
        app: the WSGI application.
        host: address to listen on.
        port: 0 for any free one; see `port` afterwards.
        request_patience: seconds for a request to come in whole.
        settings: of waitress, for example `threads` and `max_request_body_size`.

    Raises:
        OSError: the address is taken or not ours.
    """

    def __init__(
        self,
        app: Any,  # noqa: ANN401 (waitress has no types)
        host: str,
        port: int,
        *,
        request_patience: float = REQUEST_PATIENCE,
        **settings: Any,  # noqa: ANN401 (the same)
    ) -> None:
        self._map: dict[int, Any] = {}
        self._server = waitress.server.create_server(app, host=host, port=port, map=self._map, ident=None, **settings)
        self._server.channel_class = _Channel
        self._server.request_patience = request_patience
        self.port = int(self._server.effective_port)

    def run(self, stop: threading.Event) -> None:
        """Serve until told to stop; then let requests in hand end, for a few seconds at most."""
        try:
            while not stop.is_set():
                self._server.asyncore.loop(
                    timeout=LOOK_UP, map=self._map, use_poll=self._server.adj.asyncore_use_poll, count=1
                )
        finally:
            self._server.task_dispatcher.shutdown(cancel_pending=True, timeout=2)
            for channel in list(self._map.values()):
                channel.close()
            self._map.clear()


@contextmanager
def served(app: Any, host: str = "127.0.0.1", port: int = 0, **settings: Any) -> Iterator[Server]:  # noqa: ANN401 (the same)
    """The same in a thread, for as long as the block lasts."""
    server, stop = Server(app, host, port, **settings), threading.Event()
    thread = threading.Thread(target=server.run, args=(stop,), name=f"http {server.port}", daemon=True)
    thread.start()
    try:
        yield server
    finally:
        stop.set()
        thread.join()
