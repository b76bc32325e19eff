"""Foreign programs as neighbours on loopback: built once, started on free ports, ended by their process id."""

from __future__ import annotations

import contextlib
import functools
import http.server
import os
import shutil
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest
from world.data import REPOSITORY
from world.patience import HANG, WORK, until

PATH = f"{os.environ.get('PATH', '')}:/usr/local/go/bin"


def go_programs() -> Path:
    """The folder with the programs of tests/interop/go, built if they are not there; without Go the test is skipped."""
    if shutil.which("go", path=PATH) is None:
        pytest.skip("there is no Go compiler on this machine")
    build = [REPOSITORY / "scripts" / "foreign_go.sh"]
    subprocess.run(build, check=True, timeout=WORK, env=os.environ | {"PATH": PATH})
    return REPOSITORY / ".venv-foreign-go"


def python_packages() -> Path:
    """The folder of requirements-foreign.lock's packages."""
    subprocess.run([REPOSITORY / "scripts" / "foreign.sh"], check=True, timeout=WORK)
    return REPOSITORY / ".venv-foreign"


def free_port() -> int:
    """A loopback port that nobody listens at now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def call(*command: object, timeout: float = HANG, env: Mapping[str, str] | None = None) -> tuple[int, str]:
    """Run to the end; exit status, and all that was said."""
    done = subprocess.run(
        [*map(str, command)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=timeout,
        check=False,
        env=None if env is None else os.environ | env,
    )
    return done.returncode, done.stdout.decode(errors="replace")


@contextlib.contextmanager
def running(
    log: Path, *command: object, port: int | None = None, env: Mapping[str, str] | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """A program in the background, ready when its port accepts connections; what it says goes to `log`."""
    with log.open("ab") as said:
        process = subprocess.Popen(
            [*map(str, command)],
            stdin=subprocess.PIPE,
            stdout=said,
            stderr=said,
            env=None if env is None else os.environ | env,
        )
    try:
        until(lambda: process.poll() is not None or port is None or _accepts(port))
        assert process.poll() is None, log.read_text(errors="replace")
        yield process
    finally:
        if process.stdin is not None:
            process.stdin.close()
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(10)


def _accepts(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=0.5):
        return True
    return False


class _Files(http.server.SimpleHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        """Say nothing."""


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        """A client that goes away in the middle is none."""


@contextlib.contextmanager
def served(handler: Callable[..., http.server.BaseHTTPRequestHandler]) -> Iterator[str]:
    """A handler on a free port; gives the URL, with a slash at the end."""
    server = _Server(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def served_folder(folder: Path) -> contextlib.AbstractContextManager[str]:
    """A folder's files over HTTP, as any web server gives them."""
    return served(functools.partial(_Files, directory=str(folder)))
