"""Whether a cluster answers is known within seconds, whatever listens where it should be.

Ray itself is asked in `tests/crash/test_watch_cluster.py`.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import pytest
from world.patience import HANG

from chopmark.base.errors import Unavailable
from chopmark.watch.cluster import must_answer

SOON = 0.3  # seconds that run out as a matter of course
SETTINGS = bytes((0, 0, 0, 4, 0, 0, 0, 0, 0))


@contextmanager
def listening(speak: Callable[[socket.socket], None]) -> Iterator[str]:
    """Somebody who takes one connection and says what `speak` says."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def take() -> None:
            with suppress(OSError):
                connection, _ = server.accept()
                with connection:
                    speak(connection)

        thread = threading.Thread(target=take, daemon=True)
        thread.start()
        yield f"127.0.0.1:{server.getsockname()[1]}"
    thread.join(HANG)


def test_a_greeting_that_comes_in_pieces_is_one() -> None:
    def speak(connection: socket.socket) -> None:
        for each in SETTINGS:
            connection.sendall(bytes((each,)))
        while connection.recv(100):  # until the other hangs up: who leaves with bytes unread takes his own word back
            pass

    with listening(speak) as runner:
        must_answer(f"ray://{runner.replace('127.0.0.1', 'localhost')}", within=HANG)


def _says(connection: socket.socket, data: bytes) -> None:
    connection.recv(100)
    connection.sendall(data)


OTHERS: dict[str, Callable[[socket.socket], None]] = {
    "a web server": lambda connection: _says(connection, b"HTTP/1.1 400 Bad Request\r\n\r\n"),
    "who hangs up": lambda connection: _says(connection, b""),
    "who says half a word": lambda connection: _says(connection, SETTINGS[:5]),
}


@pytest.mark.parametrize("speak", OTHERS.values(), ids=OTHERS)
def test_another_program_is_no_cluster(speak: Callable[[socket.socket], None]) -> None:
    with listening(speak) as runner:
        with pytest.raises(Unavailable, match=r"watch\.cluster_unreachable") as told:
            must_answer(runner, within=HANG)
        assert told.value.facts == {"runner": runner}


def test_who_listens_and_says_nothing_is_let_go() -> None:
    server = socket.create_server(("127.0.0.1", 0))  # the kernel takes connections for a head that hangs
    with server, pytest.raises(Unavailable, match=r"watch\.cluster_unreachable"):
        must_answer(f"127.0.0.1:{server.getsockname()[1]}", within=SOON)


def test_with_tls_it_is_enough_that_somebody_listens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_USE_TLS", "1")
    with socket.create_server(("127.0.0.1", 0)) as server:
        must_answer(f"127.0.0.1:{server.getsockname()[1]}", within=HANG)


@pytest.mark.parametrize("runner", ["127.0.0.1:1", "127.0.0.1:99999", "nobody.invalid:6379", f"{'a' * 70}.example:1"])
def test_where_nobody_is_nobody_answers(runner: str) -> None:
    with pytest.raises(Unavailable, match=r"watch\.cluster_unreachable"):
        must_answer(runner, within=HANG)
