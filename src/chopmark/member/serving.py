"""A WSGI application behind waitress, started and stopped in order: by a node, by the relay, by tests.

Waitress reads a whole request before a thread works on it, so that a slow caller holds no thread, and bounds the
size of headers and bodies. What it has begun is finished when it stops.

What it does not bound is bounded here, by closing the connection: how long a request may take to come in and an answer
to be taken; how many bytes of bodies lie on the disk, for one address and for all callers together; and requests sent
before the answer to the first one (HTTP pipelining), whose answers would hold a thread until somebody reads them.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Container, Iterator
from contextlib import contextmanager
from typing import Any

import waitress.channel
import waitress.parser
import waitress.server

LOOK_UP = 0.2
"""Seconds after which a server notices that it shall stop."""
REQUEST_PATIENCE = 120.0
"""Seconds within which a request must have come in whole, however busily it drips."""
ANSWER_PATIENCE = 300.0
"""Seconds within which an answer must have been taken."""
SMALL = 1 << 20
"""Bytes of a body beyond which it counts as large."""
MOST_HELD = 1 << 30
"""Bytes of large bodies that may be there at once, of all callers."""


class _Parser(waitress.parser.HTTPRequestParser):  # type: ignore[misc]  # waitress has no types
    """Refuses a request with a length and chunks (RFC 9112 §6.1): a proxy may have believed the other one."""

    def parse_header(self, header_plus: bytes) -> None:
        super().parse_header(header_plus)
        if self.chunked and "CONTENT_LENGTH" in self.headers:
            raise waitress.parser.ParsingError("Content-Length beside Transfer-Encoding")


class _Channel(waitress.channel.HTTPChannel):  # type: ignore[misc]  # the same
    """A connection whose requests must come in time: waitress itself closes only those on which nothing moves."""

    parser_class = _Parser
    server: Any
    request: Any
    requests: list[Any]
    will_close: bool
    total_outbufs_len: int
    begun: float | None = None
    answering: float | None = None

    @property
    def held(self) -> int:
        """Bytes of bodies that have come and are not done with."""
        return sum(each.body_bytes_received for each in (self.request, *self.requests) if each is not None)

    def is_too_much(self) -> bool:
        """Whether what has come so far is not to be kept."""
        request, server = self.request, self.server
        if len(self.requests) + (request is not None) > 1:
            return True
        held = self.held
        if held <= SMALL:
            return False
        if server.large is not None and request is not None and request.path not in server.large:
            return True
        together = sum(each for channel in server.active_channels.values() if (each := channel.held) > SMALL)
        return bool(together > server.most_held)

    def is_taken_too_slowly(self, now: float) -> bool:
        """Whether an answer has waited too long to be read."""
        if not self.total_outbufs_len or self.requests:
            self.answering = None
            return False
        self.answering = self.answering or now
        return bool(now - self.answering > self.server.answer_patience)

    def handle_close(self) -> None:
        """Also give up what a request that never came in whole has put on the disk."""
        with self.requests_lock:
            request, self.request = self.request, None
        if request is not None:
            request.close()
        super().handle_close()

    def received(self, data: bytes) -> Any:  # noqa: ANN401 (the same)
        now = time.monotonic()
        if self.request is None:
            self.begun = now
        elif self.begun is not None and now - self.begun > self.server.request_patience:
            self.will_close = True
            return False
        went_on = super().received(data)
        if self.is_too_much():
            self.will_close = True
        return went_on


class Server:
    """One listening socket.

    Args:
        app: the WSGI application.
        host: address to listen on.
        port: 0 for any free one; see `port` afterwards.
        request_patience: seconds for a request to come in whole.
        answer_patience: seconds for an answer to be taken.
        large: paths to which large bodies may be sent; None for any.
        most_held: see MOST_HELD.
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
        answer_patience: float = ANSWER_PATIENCE,
        large: Container[str] | None = None,
        most_held: int = MOST_HELD,
        **settings: Any,  # noqa: ANN401 (the same)
    ) -> None:
        self._map: dict[int, Any] = {}
        # poll: select knows no descriptor beyond 1,023, and one such would end the server.
        self._server = waitress.server.create_server(
            app, host=host, port=port, map=self._map, ident=None, asyncore_use_poll=True, **settings
        )
        self._server.channel_class = _Channel
        self._server.request_patience = request_patience
        self._server.answer_patience = answer_patience
        self._server.large = large
        self._server.most_held = most_held
        self._looked = 0.0
        self.port = int(self._server.effective_port)

    def run(self, stop: threading.Event) -> None:
        """Serve until told to stop; then let requests in hand end, for a few seconds at most."""
        try:
            while not stop.is_set():
                self._server.asyncore.loop(timeout=LOOK_UP, map=self._map, use_poll=True, count=1)
                self._let_go()
        finally:
            self._server.task_dispatcher.shutdown(cancel_pending=True, timeout=2)
            for channel in list(self._map.values()):
                (channel.handle_close if isinstance(channel, _Channel) else channel.close)()
            self._map.clear()

    def _let_go(self) -> None:
        """Once a second: leave those who do not take their answer."""
        now = time.monotonic()
        if now - self._looked < 1:
            return
        self._looked = now
        for channel in list(self._server.active_channels.values()):
            if channel.is_taken_too_slowly(now):
                channel.handle_close()  # at once: a mark would wait until the caller takes something


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
