"""A real platform in processes of its own: initialised, started, stopped or killed, on a loopback port."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from chopmark.site.supervisor import answers
from world.patience import HANG, WORK

COMMAND = [sys.executable, "-m", "chopmark.site.command"]
SCOPES = ("deposits:write", "deposits:read", "keys:write")
MAKE_KEY = """
import sys
import django
django.setup()
from chopmark.base import clock
from chopmark.people import operator
from chopmark.people.actions import create_api_key
actor, *_ = operator.actors()  # by name: a demo's own comes before its neighbour
scopes = sys.argv[1:]
print(create_api_key("test", scopes, by=actor, at=clock.now()).text)
"""


class Running:
    """One home and the platform that serves it."""

    def __init__(self, home: Path, port: int) -> None:
        self.home = home
        self.port = port
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("CHOPMARK_", "DJANGO_"))}
        return kept | {"CHOPMARK_HOME": str(self.home), "PYTHONPATH": "", "LC_ALL": "C.UTF-8"}

    def chopmark(self, *arguments: str, check: bool = True, **more: str) -> subprocess.CompletedProcess[str]:
        """Run one command on the home (or, with CHOPMARK_SERVER and the like in `more`, elsewhere)."""
        done = subprocess.run(
            [*COMMAND, *arguments],
            env=self.environment | more,
            check=False,
            capture_output=True,
            text=True,
            timeout=WORK,
        )
        assert not check or done.returncode == 0, f"chopmark {' '.join(arguments)}: {done.stdout}{done.stderr}"
        return done

    def api_key(self, *scopes: str) -> str:
        """A new API key of the home's only organisation, or of the demo's."""
        environment = self.environment | {"DJANGO_SETTINGS_MODULE": "chopmark.site.settings"}
        made = subprocess.run(
            [sys.executable, "-c", MAKE_KEY, *(scopes or SCOPES)],
            env=environment,
            check=True,
            capture_output=True,
            text=True,
            timeout=HANG,
        )
        return made.stdout.strip()

    def start(self) -> None:
        self.process = subprocess.Popen(
            [*COMMAND, "serve", "--quiet", "--port", str(self.port)],
            env=self.environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def wait_until_ready(self) -> None:
        until = time.monotonic() + HANG
        while time.monotonic() < until:
            if answers("127.0.0.1", self.port):  # a client of httpx for each try would take the CPU time of the start
                return
            assert self.process is not None
            assert self.process.poll() is None, self.logs()
            time.sleep(0.05)
        raise AssertionError(self.logs())

    def members(self) -> list[int]:
        """The supervisor and everything below it, by pid."""
        found, waiting = [], [self.process.pid] if self.process else []
        while waiting:
            pid = waiting.pop()
            found.append(pid)
            with contextlib.suppress(OSError):
                for task in Path(f"/proc/{pid}/task").iterdir():
                    waiting += map(int, (task / "children").read_text().split())
        return found

    def kill(self) -> None:
        """SIGKILL to every process at once, the supervisor first so that it starts none again."""
        members = self.members()
        for pid in members:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        if self.process is not None:
            self.process.wait(HANG)
        until = time.monotonic() + HANG
        while any(_alive(pid) for pid in members) and time.monotonic() < until:
            time.sleep(0.02)
        self.process = None

    def stop(self) -> int:
        """SIGTERM to the supervisor; its exit status."""
        assert self.process is not None
        self.process.terminate()
        status = self.process.wait(HANG)
        self.process = None
        return status

    def logs(self) -> str:
        return "\n".join(f"{path.name}: {path.read_text()[-2000:]}" for path in (self.home / "logs").glob("*.log"))


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
