"""Processes that work for long: told to stop they end in their own way, and none outlives who started it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from world.patience import HANG, until

WORKS = """
import sys
from chopmark.base.parent import until_told

stop = until_told(78, once="--once" in sys.argv)
print("works", flush=True)
stop.wait()
print("told", flush=True)
"""
PARENT = """
import os, subprocess, sys

child = subprocess.Popen(
    [sys.executable, "-c", sys.argv[1]], env={**os.environ, "CHOPMARK_PARENT": str(os.getpid())}, stdout=subprocess.PIPE
)
child.stdout.readline()
print(child.pid, flush=True)
child.wait()
"""


def _started(*arguments: str) -> subprocess.Popen[str]:
    environment = {name: value for name, value in os.environ.items() if name != "CHOPMARK_PARENT"}
    return subprocess.Popen([sys.executable, "-c", *arguments], stdout=subprocess.PIPE, text=True, env=environment)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_who_works_for_long_is_told_and_ends_in_its_own_way(number: signal.Signals) -> None:
    with _started(WORKS) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "works\n"
        process.send_signal(number)
        assert process.stdout.readline() == "told\n"
        assert process.wait(HANG) == 0


def test_who_ends_by_itself_is_ended_as_any_program() -> None:
    with _started(WORKS, "--once") as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "works\n"
        process.send_signal(signal.SIGTERM)
        assert process.wait(HANG) == -signal.SIGTERM


def test_none_outlives_who_started_it_however_that_ended() -> None:
    with _started(PARENT, WORKS) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        parent.kill()
    try:
        until(lambda: not _lives(child))
    except AssertionError:
        os.kill(child, signal.SIGKILL)
        raise


def _lives(number: int) -> bool:
    """Whether there is such a process that is not only waiting to be counted as dead."""
    try:
        return Path(f"/proc/{number}/stat").read_text("ascii").rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
