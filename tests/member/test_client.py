"""The writer's HTTP end towards a member: what is sent, and what a hostile answer can do."""

from __future__ import annotations

import gzip
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from world.patience import HANG

from chopmark.base.errors import Unavailable
from chopmark.ledger.wire import OCTETS, PLAIN_TEXT, TLOG_SIZE, origin_hash
from chopmark.member.client import MAX_ANSWER, HttpLink

ORIGIN = "log.test/chopmark"


class Node(ThreadingHTTPServer):
    """A member's address; `reply` writes the answer, `seen` has the requests."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.seen: list[tuple[str, str, dict[str, str], bytes]] = []
        self.connections: set[tuple[str, int]] = set()
        self.reply: Callable[[Handler], None] = lambda handler: handler.say(200, b"fine\n")
        self.over = threading.Event()
        self._thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/node"

    def close(self) -> None:
        self.over.set()
        self.shutdown()
        self.server_close()
        self._thread.join(HANG)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Node

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        self.server.seen.append((self.command, self.path, dict(self.headers), body))
        self.server.connections.add(self.client_address)
        self.server.reply(self)

    do_GET = do_POST  # noqa: N815 (the base class's name)

    def say(self, status: int, body: bytes, **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def node() -> Iterator[Node]:
    made = Node()
    yield made
    made.close()


@pytest.fixture
def link(node) -> Iterator[HttpLink]:
    with HttpLink("notary", node.url, patience=HANG) as made:
        yield made


def test_requests_go_where_the_protocol_says(node, link):
    node.reply = lambda handler: handler.say(409, b"7\n", Content_Type=TLOG_SIZE)
    answer = link.add_checkpoint(b"old 0\n\nnote")
    assert (answer.status, answer.body, answer.content_type) == (409, b"7\n", TLOG_SIZE)
    link.add_entries(b"entries")
    assert link.sealed_root(ORIGIN, 9) is None
    assert [(method, path, body) for method, path, _, body in node.seen] == [
        ("POST", "/node/add-checkpoint", b"old 0\n\nnote"),
        ("POST", "/node/add-entries", b"entries"),
        ("GET", f"/node/mirror/{origin_hash(ORIGIN)}/sealed-root/9", b""),
    ]
    types = [headers.get("Content-Type") for _, _, headers, _ in node.seen]
    assert types == [PLAIN_TEXT, OCTETS, None]
    assert len(node.connections) == 1, "the connection is kept"


def test_a_seal_is_the_body_of_a_good_answer(node, link):
    node.reply = lambda handler: handler.say(200, b"\x82\x40\x40")
    assert link.sealed_root(ORIGIN, 1) == b"\x82\x40\x40"


def test_entries_travel_compressed_to_a_distant_member(node, link):
    link._compress = True
    link.add_entries(b"entries" * 1000)
    _, _, headers, body = node.seen[0]
    assert headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(body) == b"entries" * 1000


def test_redirects_are_not_followed(node, link):
    node.reply = lambda handler: handler.say(307, b"", Location=f"{node.url}/elsewhere")
    assert link.add_checkpoint(b"x").status == 307
    assert len(node.seen) == 1


def test_a_giant_answer_is_read_up_to_the_limit(node, link):
    node.reply = lambda handler: handler.say(200, b"x" * (4 * MAX_ANSWER))
    assert len(link.add_checkpoint(b"x").body) == MAX_ANSWER + 1
    node.reply = lambda handler: handler.say(200, b"y")
    assert link.add_checkpoint(b"x").body == b"y", "and the next call is not disturbed"


def test_a_compressed_answer_is_not_unpacked(node, link):
    bomb = gzip.compress(bytes(1 << 20))
    node.reply = lambda handler: handler.say(200, bomb, Content_Encoding="gzip")
    assert link.add_checkpoint(b"x").body == bomb


def never(handler: Handler) -> None:
    handler.server.over.wait(HANG)
    handler.close_connection = True


def hang_up(handler: Handler) -> None:
    handler.close_connection = True


def noise(handler: Handler) -> None:
    handler.wfile.write(b"\x00\x01\x02 no http\r\n\r\n")
    handler.close_connection = True


def drip(handler: Handler) -> None:
    handler.send_response(200)
    handler.send_header("Transfer-Encoding", "chunked")
    handler.end_headers()
    try:
        while not handler.server.over.wait(0.02):
            handler.wfile.write(b"1\r\nx\r\n")
            handler.wfile.flush()
    except OSError:  # the caller had enough
        handler.close_connection = True


SILENT = {"never answers": never, "hangs up": hang_up, "speaks no HTTP": noise, "answers for ever": drip}


@pytest.mark.parametrize("case", SILENT)
def test_what_is_no_answer_in_time_is_silence(case, node):
    node.reply = SILENT[case]
    with HttpLink("notary", node.url, patience=0.3) as link, pytest.raises(Unavailable) as caught:
        link.add_checkpoint(b"x")
    assert caught.value.code == "ledger.member_silent"
    assert caught.value.facts["name"] == "notary"


def test_a_member_that_is_not_there_is_silent():
    with HttpLink("notary", "http://127.0.0.1:9", patience=2.0) as link, pytest.raises(Unavailable) as caught:
        link.add_entries(b"x")
    assert caught.value.code == "ledger.member_silent"
