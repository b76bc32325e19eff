"""`python -m chopmark.watch.driver`: one scan in a process of its own; what started it reads how far it is.

A process can carry one kind of runner in its life, keeps what the engine took of memory, and may be killed alone: so a
scan never runs in the process that judges the feed. Needs no database. Reads one line of JSON, the scan; writes lines:

    {"progress": {...}}      as it goes
    {"total": "<hex>"}       the statement's bytes, once at the end
    {"error": code, "facts": {...}, "kind": "Refused"}
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TextIO

from chopmark.base.errors import Invalid, PlatformError, Refused, Unavailable
from chopmark.base.parent import end_with_parent
from chopmark.watch.cluster import must_answer

if TYPE_CHECKING:
    from chopmark.watch.engine.run import Progress, Scan

KINDS: Final = {each.__name__: each for each in (Refused, Invalid, Unavailable)}
GONE: Final = 70  # exit status when the parent is gone
GRACE: Final = 10.0  # seconds between asking a scan to end and killing it


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """How far a scan is; see `engine.run.Progress`, also for which pass rate and remaining time are of."""

    partitions: int
    done: int
    scanned: int
    hits: int
    rate: float
    remaining: float | None
    counted: int | None = None


def carry(scan: Scan, *, progress: Callable[[Told], None], stop: Callable[[], bool]) -> bytes | None:
    """Run a scan in a process of its own; the statement's bytes, None when `stop` said so before the end.

    Raises:
        Refused, Invalid, Unavailable: what `engine.run.run` raises; `watch.scan_died` when the process ended otherwise;
            `watch.cluster_unreachable` when the cluster does not answer, before anything is begun.
    """
    if scan.runner != "native":
        must_answer(scan.runner)
    asked = {**asdict(scan), "folder": str(scan.folder), "files": list(scan.files)}
    environment = {**os.environ, "CHOPMARK_PARENT": str(os.getpid())}
    with subprocess.Popen(
        [sys.executable, "-m", "chopmark.watch.driver"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=environment,
        process_group=0,
    ) as process:
        try:
            return _followed(process, asked, progress, stop)
        finally:
            _end(process)


def _followed(
    process: subprocess.Popen[str], asked: Mapping[str, Any], progress: Callable[[Told], None], stop: Callable[[], bool]
) -> bytes | None:
    if process.stdin is None or process.stdout is None:
        raise Unavailable("watch.scan_died", status=0)
    with suppress(BrokenPipeError):  # it died at once: its end says so below
        process.stdin.write(json.dumps(asked) + "\n")
        process.stdin.close()
    for line in process.stdout:
        said = json.loads(line)
        if "total" in said:
            return bytes.fromhex(said["total"])
        if "error" in said:
            raise KINDS[said["kind"]](said["error"], **said["facts"])
        progress(Told(**said["progress"]))
        if stop():
            return None
    raise Unavailable("watch.scan_died", status=process.wait())


def _end(process: subprocess.Popen[str]) -> None:
    """Nothing of a scan outlives who asked for it: what it had in hand is done again."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
    try:
        process.wait(GRACE)
    except subprocess.TimeoutExpired:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def main() -> int:
    """The process."""
    from chopmark.watch.engine.run import Scan, run  # noqa: PLC0415 (heavy; only here)

    end_with_parent(GONE)
    lines = _lines()
    said = json.loads(sys.stdin.readline())
    scan = Scan(**{**said, "folder": Path(said["folder"])})
    try:
        total = run(scan, progress=lambda told: _tell(lines, told))
    except PlatformError as error:
        _write(lines, {"error": error.code, "facts": error.facts, "kind": type(error).__name__})
        return 0
    if total is not None:
        _write(lines, {"total": total.content().hex()})
    return 0


def _lines() -> TextIO:
    """Standard output, for what is told alone: whatever an engine or a library prints goes where errors go."""
    told = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    return told


def _tell(lines: TextIO, told: Progress) -> None:
    names = Told.__dataclass_fields__
    _write(lines, {"progress": {name: getattr(told, name) for name in names}})


def _write(lines: TextIO, said: Mapping[str, Any]) -> None:
    lines.write(json.dumps(said) + "\n")
    lines.flush()


if __name__ == "__main__":
    sys.exit(main())
