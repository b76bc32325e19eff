"""One program that the supervisor keeps alive: what it is, and what is known of its process. Starts nothing."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

PID_FILE = "supervisor.pid"  # in the home while it is served
KILL = "kill"  # in the file that holds a child
STOP_PATIENCE = 15.0  # seconds from SIGTERM to SIGKILL


@dataclass(slots=True, kw_only=True)
class Child:
    """One program the supervisor keeps alive.

    Attributes:
        vital: whether the platform ends when this one cannot live.
        held: while this file exists the child stays stopped; with `kill` in it, it is stopped by SIGKILL.
        pid_file: holds the process's number while it runs.
        later: whether it is not started before the web server answers: what people wait for goes first.
        deaths: how often it died since it last lived long enough.
        again_at: monotonic seconds from which it may be started again.
        kill_at: monotonic seconds from which SIGKILL follows the SIGTERM it was held with.
    """

    name: str
    arguments: tuple[str, ...]
    vital: bool = True
    held: Path | None = None
    pid_file: Path | None = None
    later: bool = False
    process: subprocess.Popen[bytes] | None = None
    started: float = 0.0
    deaths: int = 0
    again_at: float = 0.0
    kill_at: float | None = None
