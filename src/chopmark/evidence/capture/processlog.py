r"""The process log of a capture: what was done, by whom, when, each line bound to the one before.

A line is canonical JSON (RFC 8785) of `seq`, `at` (UTC, milliseconds), `monotonic_ns`, `actor`, `action`, `facts` and
`prev`, the SHA-256 of the line before without its end, 64 zeros for the first. The head is the SHA-256 of the last
line. Two clocks stand side by side because the wall clock can be set and the monotonic one cannot.

The file is written line by line while the capture runs, so a worker that is killed leaves what it did until then.
The chain alone proves only that lines were neither changed nor taken out behind the head; who vouches for the head
(time stamp, deposit) is elsewhere.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import threading
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from chopmark.base import jcs
from chopmark.base.errors import Invalid

START = "0" * 64
MAX_LOG = 64 << 20  # bytes
MAX_DEPTH = 8  # levels of a fact
MAX_TEXT = 4096  # characters of one fact; pages choose some of them


class ProcessLog:
    """The log being written; its methods may be called from any thread."""

    def __init__(self, path: Path, clock: Callable[[], datetime], *, prev: str = START, entries: int = 0) -> None:
        """Begin a new file, or go on with one that has so many lines."""
        self._file = path.open("ab" if entries else "xb")
        self._clock = clock
        self._lock = threading.Lock()
        self._prev = prev
        self.entries = entries

    @classmethod
    def resume(cls, path: Path, clock: Callable[[], datetime]) -> tuple[ProcessLog, list[dict[str, Any]]]:
        """A log that a killed worker left, to be written on, and its lines; a torn last line is cut off.

        Raises:
            Invalid: `capture.log_broken`.
        """
        data = path.read_bytes()
        whole = data[: data.rfind(b"\n") + 1]
        head, entries = check(whole)
        os.truncate(path, len(whole))
        log = cls(path, clock, prev=head, entries=entries)
        return log, [json.loads(line) for line in whole.splitlines()]

    def add(self, actor: str, action: str, **facts: object) -> None:
        """Write one line; facts are text, whole numbers, booleans, and lists and dictionaries of them.

        After `close` nothing is written any more: a thread that comes too late has nothing to add.
        """
        with self._lock:
            if self._file.closed:
                return
            line = jcs.encode(
                {
                    "seq": self.entries,
                    "at": moment(self._clock()),
                    "monotonic_ns": time.monotonic_ns() % (1 << 53),
                    "actor": tidy(actor),
                    "action": action,
                    "facts": tidy(facts),
                    "prev": self._prev,
                }
            )
            self._file.write(line + b"\n")
            self._file.flush()
            self._prev = hashlib.sha256(line).hexdigest()
            self.entries += 1

    def close(self) -> str:
        """No line follows; the head."""
        with self._lock:
            self._file.close()
            return self._prev


def tidy(value: Any, depth: int = MAX_DEPTH) -> Any:  # noqa: ANN401, PLR0911 (it takes whatever a page says)
    """The value as canonical JSON can hold it: texts of at most 4,096 characters, no lone surrogate, no fraction."""
    match value:
        case bool() | None:
            return value
        case str():
            cut = value if len(value) <= MAX_TEXT else value[:MAX_TEXT] + "…"
            return cut.encode("utf-8", "replace").decode("utf-8")
        case int():
            return value if abs(value) <= jcs.MAX_INTEGER else str(value)
        case float() if math.isfinite(value):
            return tidy(round(value))
        case Mapping() if depth:
            return {tidy(str(key)): tidy(each, depth - 1) for key, each in value.items()}
        case list() | tuple() if depth:
            return [tidy(each, depth - 1) for each in value]
        case _:
            return tidy(str(value))


def moment(at: datetime) -> str:
    """RFC 3339, UTC, milliseconds: `2026-11-22T09:30:00.123Z`."""
    return at.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"


def check(data: bytes) -> tuple[str, int]:
    """The head and the number of lines of a whole log.

    Raises:
        Invalid: `capture.log_broken` with the number of the line that does not follow the one before.
    """
    if len(data) > MAX_LOG:
        raise Invalid("capture.log_broken", line=0)
    prev = START
    lines = data.split(b"\n")
    if lines.pop() != b"":
        raise Invalid("capture.log_broken", line=len(lines) + 1)
    for seq, line in enumerate(lines):
        try:
            entry = jcs.decode(line)
        except Invalid as error:
            raise Invalid("capture.log_broken", line=seq + 1) from error
        if not isinstance(entry, dict) or entry.get("seq") != seq or entry.get("prev") != prev:
            raise Invalid("capture.log_broken", line=seq + 1)
        prev = hashlib.sha256(line).hexdigest()
    return prev, len(lines)
