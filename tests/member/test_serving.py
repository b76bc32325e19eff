"""The HTTP server against callers who want to hold its threads, its connections or its disk for ever."""

from __future__ import annotations

import os
import resource
import socket
import threading
import time
from contextlib import ExitStack, closing, suppress

import httpx
import pytest
from world.patience import HANG, until

from chopmark.member.serving import SMALL, served

BIG = 20 << 20  # more than waitress keeps in its buffers before a thread waits for the reader


def app(environ, start_response):
    body = environ["wsgi.input"].read()
    size = BIG if environ["PATH_INFO"] == "/big" else len(body)
    start_response("200 OK", [("Content-Length", str(size))])
    return [bytes(size)]


def connect(server, data):
    caller = socket.create_connection(("127.0.0.1", server.port), timeout=HANG)
    caller.sendall(data)
    return caller


def is_closed(caller, patience=HANG):
    """Whether the other side closes, whatever it still sends."""
    caller.settimeout(patience)
    try:
        while caller.recv(1 << 20):
            pass
    except ConnectionError:
        return True
    except TimeoutError:
        return False
    return True


def answers(server):
    return httpx.post(f"http://127.0.0.1:{server.port}/", content=b"hello", timeout=HANG).content == bytes(5)


def test_callers_who_send_many_requests_and_read_nothing_hold_no_thread():
    many = b"GET /big HTTP/1.1\r\nHost: x\r\n\r\n" * 5
    with served(app, threads=2) as server, ExitStack() as opened:
        callers = [opened.enter_context(closing(connect(server, many))) for _ in range(6)]
        time.sleep(0.5)
        assert answers(server)
        assert all(is_closed(caller) for caller in callers)


def test_a_server_with_a_thousand_open_files_answers():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(2048, hard)), hard))
    held: list[int] = []
    try:
        while not held or held[-1] < 1024:
            held.append(os.dup(0))
        with served(app) as server:
            assert answers(server)
    finally:
        for each in held:
            os.close(each)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_an_answer_that_nobody_takes_is_given_up():
    asked = threading.Event()

    def heard(environ, start_response):
        asked.set()
        return app(environ, start_response)

    with (
        served(heard, answer_patience=0.5) as server,
        closing(connect(server, b"GET /big HTTP/1.1\r\n\r\n")) as caller,
    ):
        assert asked.wait(HANG)
        until(lambda: not server._server.active_channels)
        read = 0
        with suppress(ConnectionError):
            while data := caller.recv(1 << 20):
                read += len(data)
        assert read < BIG
        assert answers(server)


def body(path, size):
    return b"POST %s HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % (path, size)


@pytest.mark.parametrize(
    ("path", "size", "kept"),
    [(b"/add-entries", 2 * SMALL, True), (b"/add-checkpoint", 2 * SMALL, False), (b"/add-checkpoint", SMALL, True)],
)
def test_large_bodies_are_for_their_own_address(path, size, kept):
    with served(app, large=("/add-entries",)) as server, closing(connect(server, body(path, size))) as caller:
        closed = False
        try:
            caller.sendall(bytes(size))
            closed = caller.recv(8) != b"HTTP/1.1"
        except ConnectionError:
            closed = True
        assert closed is not kept


def test_a_chunked_body_counts_too():
    chunks = b"POST /x HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n" + (b"80000\r\n" + bytes(1 << 19) + b"\r\n") * 4
    with served(app, large=()) as server, closing(socket.create_connection(("127.0.0.1", server.port))) as caller:
        thread = threading.Thread(target=lambda: _sent(caller, chunks), daemon=True)
        thread.start()
        assert is_closed(caller)
        thread.join()


def _sent(caller, data):
    try:
        caller.sendall(data)
    except OSError:
        return False
    return True


def test_bodies_of_all_callers_together_leave_room_on_the_disk():
    with served(app, most_held=4 * SMALL, max_request_body_size=64 << 20) as server, ExitStack() as opened:
        callers = [opened.enter_context(closing(connect(server, body(b"/x", 16 * SMALL)))) for _ in range(6)]
        kept = [each for each in callers if _sent(each, bytes(2 * SMALL)) and not is_closed(each, 0.5)]
        until(lambda: sum(not is_closed(each, 0.1) for each in kept) <= 2)  # a slow server closes later
        assert not all(is_closed(each, 0.1) for each in kept)
        assert answers(server)
