"""The workshop: decodes files in processes of their own and gives back what they answered, read strictly.

    workshop = Workshop()
    workshop.fingerprint(path, query=True)     a Fingerprint, or Invalid, or Unavailable; never a crash here
    workshop.shown(path, frame)                a picture's pixels for a page, the same

A few processes are kept warm (`child`), each takes one job at a time, and each job runs in a fork that is shut in.
What a hostile file does to its decoder ends there: too much time or memory is `media.too_costly`, a crash is
`media.decoder_died`, an answer that cannot be read is `media.decoder_died` too. What this machine lacks (a process,
room for a temporary file, the file itself) is `Unavailable`, and not the file's fault.
Loads no decoder itself.
"""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from threading import BoundedSemaphore, Lock
from typing import Any, TypeVar

from chopmark.base import cbor
from chopmark.base.errors import Fact, Invalid, Unavailable
from chopmark.media.child import LENGTH
from chopmark.media.fingerprint import Fingerprint
from chopmark.media.guard import Limits
from chopmark.media.shown import Frame, Pixels

PROCESSES = 2
START = 60.0  # seconds until a new process must have loaded its decoders
GRACE = 5.0  # seconds that a process may answer later than its job may take
WAIT = 120.0  # seconds until a job must have got a process, unless it says otherwise
JOBS = 500  # until a process is replaced
CHUNK = 1 << 20
_ENVIRONMENT = {
    "LANG": "C.UTF-8",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "OPENCV_LOG_LEVEL": "OFF",
    "PYTHONDONTWRITEBYTECODE": "1",
}

T = TypeVar("T")


class Workshop:
    """Some warm processes; may be shared by threads. Processes start when they are needed.

    Args:
        model: a learned model that describes pictures too, as `making.operations` takes it; empty for none.
    """

    def __init__(self, processes: int = PROCESSES, *, model: str = "") -> None:
        self._model = model
        self._turns = BoundedSemaphore(processes)
        self._lock = Lock()
        self._idle: list[_Process] = []
        self._owner = os.getpid()

    def fingerprint(self, file: Path | bytes, limits: Limits | None = None, *, query: bool = False) -> Fingerprint:
        """What is kept of a file, or with `query` what is looked up.

        Raises:
            Invalid: `media.empty`, `media.too_large`, `media.format_unknown`, `media.not_distinctive`,
                `media.too_costly`, `media.decoder_died`, and what the decoders raise.
            Unavailable: `media.decoder_missing`, `media.decoder_busy`, `media.file_missing`.
        """
        body = self.ask("fingerprint", [file], {"query": query}, limits)
        return _trusted(body, Fingerprint.parse)

    def shown(
        self, file: Path | bytes, frame: Frame, limits: Limits | None = None, *, patience: float = WAIT
    ) -> Pixels:
        """A picture, small enough for a page; of the kinds that pages show (`shown.FORMS`). Raises as `fingerprint`."""
        body = self.ask("shown", [file], frame.told(), limits, patience=patience)
        return Pixels.parse(body, frame)

    def ask(
        self,
        operation: str,
        files: Sequence[Path | bytes],
        given: Mapping[str, Any],
        limits: Limits | None = None,
        *,
        patience: float = WAIT,
    ) -> bytes:
        """Have one operation of `making` done; its answer, unread. Raises as `fingerprint`.

        Args:
            patience: seconds to wait for a process that is free.
        """
        limits = limits or Limits()
        with _at_hand(files) as paths:
            job = {
                "op": operation,
                "paths": [str(each) for each in paths],
                "limits": {**asdict(limits), "wall": round(limits.wall * 1000)},
                "given": dict(given),
            }
            return _body(self._done(cbor.encode(job), limits, patience), limits)

    def close(self) -> None:
        """End the processes that wait, if they are this process's own."""
        with self._lock:
            idle, self._idle = self._own(), []
        for each in idle:
            each.end()

    def _done(self, job: bytes, limits: Limits, patience: float) -> dict[str, Any]:
        if not self._turns.acquire(timeout=patience):
            raise Unavailable("media.decoder_busy")
        try:
            process = self._take()
            try:
                return self._asked(process, job, limits)
            except Unavailable:
                if process.jobs == 1 or not process.died:
                    raise
            return self._asked(
                _Process(self._model), job, limits
            )  # a warm one had been killed meanwhile: not this job's fault
        finally:
            self._turns.release()

    def _asked(self, process: _Process, job: bytes, limits: Limits) -> dict[str, Any]:
        try:
            answer = process.ask(job, limits.wall + GRACE)
        except BaseException:
            process.end()
            raise
        self._give_back(process)
        return answer

    def _take(self) -> _Process:
        with self._lock:
            self._idle, self._owner = self._own(), os.getpid()
            while self._idle:
                process = self._idle.pop()
                if process.alive():
                    return process
                process.end()
        return _Process(self._model)

    def _own(self) -> list[_Process]:
        """Those that wait; none in a fork of the process that started them."""
        return self._idle if self._owner == os.getpid() else []

    def _give_back(self, process: _Process) -> None:
        if process.jobs >= JOBS:
            process.end()
            return
        with self._lock:
            self._idle.append(process)


class _Process:
    """One warm process."""

    def __init__(self, model: str) -> None:
        self.jobs = 0
        self.died = False
        try:
            self._process = subprocess.Popen(  # noqa: S603 (this program, and what the operator has set)
                [sys.executable, "-I", "-m", "chopmark.media.child", model],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                cwd="/",
                env={**_ENVIRONMENT, "PATH": os.environ.get("PATH", os.defpath)},
                process_group=0,
            )
        except OSError as error:  # no memory, no descriptor, no process more
            raise Unavailable("media.decoder_missing") from error
        if self._process.stdin is None or self._process.stdout is None:
            raise AssertionError("pipes were asked for")
        self._jobs, self._answers = self._process.stdin, self._process.stdout
        try:
            self._receive(time.monotonic() + START)
        except BaseException:
            self.end()
            raise

    def alive(self) -> bool:
        """Whether it still runs."""
        return self._process.poll() is None

    def ask(self, job: bytes, seconds: float) -> dict[str, Any]:
        """Its answer to a job."""
        self.jobs += 1
        try:
            self._jobs.write(len(job).to_bytes(LENGTH) + job)
            self._jobs.flush()
        except OSError as error:
            self.died = True
            raise Unavailable("media.decoder_missing") from error
        return self._receive(time.monotonic() + seconds)

    def end(self) -> None:
        """Kill it and what it has forked."""
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        for each in (self._jobs, self._answers):
            with suppress(OSError):  # what was not yet written to it
                each.close()

    def _receive(self, until: float) -> dict[str, Any]:
        length = int.from_bytes(self._read(LENGTH, until))
        found = cbor.decode(self._read(length, until))
        if not isinstance(found, dict):
            raise Unavailable("media.decoder_missing")
        return found

    def _read(self, length: int, until: float) -> bytes:
        handle, parts = self._answers.fileno(), []
        heard = select.poll()  # select() takes no descriptor above 1023, which a busy server has
        heard.register(handle, select.POLLIN)
        while length:
            left = until - time.monotonic()
            if left <= 0 or not heard.poll(left * 1000):
                raise Unavailable("media.decoder_missing")
            part = os.read(handle, min(length, CHUNK))
            if not part:
                self.died = True
                raise Unavailable("media.decoder_missing")
            parts.append(part)
            length -= len(part)
        return b"".join(parts)


@contextmanager
def _at_hand(files: Sequence[Path | bytes]) -> Iterator[list[Path]]:
    """Their paths, while they are decoded: bytes are written to a temporary folder."""
    for each in files:
        if isinstance(each, Path) and not each.is_file():
            raise Unavailable("media.file_missing", name=each.name)
    with ExitStack() as stack:
        try:
            made = tempfile.TemporaryDirectory(prefix="chopmark-media-", ignore_cleanup_errors=True)
            folder = Path(stack.enter_context(made))
            paths = [_as_path(each, folder / str(number)) for number, each in enumerate(files)]
        except OSError as error:
            raise Unavailable("media.no_room", reason=error.strerror or "") from error
        yield paths


def _as_path(file: Path | bytes, place: Path) -> Path:
    if isinstance(file, Path):
        return file.absolute()
    place.write_bytes(file)
    return place


def _body(answer: Mapping[str, Any], limits: Limits) -> bytes:
    """What the fork said, or how it ended."""
    match answer["end"]:
        case "answered":
            said = _trusted(answer["body"], cbor.decode)
        case "time" | "size":
            raise Invalid("media.too_costly", seconds=round(limits.wall))
        case "unready":  # no cage, or the file is gone since it was looked for
            raise Unavailable("media.decoder_missing")
        case _:
            raise Invalid("media.decoder_died", signal=answer["signal"])
    match said:
        case {"body": bytes(body)} if len(said) == 1:
            return body
        case {"code": str(code), "facts": dict(facts)} if code.startswith("media.") and len(said) == 2:
            raise Invalid(code, **_facts(facts))
        case _:
            raise Invalid("media.decoder_died", signal=0)


def _facts(facts: Mapping[Any, Any]) -> dict[str, Fact]:
    return {
        str(name)[:40]: value[:200] if isinstance(value, str) else value
        for name, value in facts.items()
        if isinstance(value, str | int) and str(name).isidentifier()
    }


def _trusted(data: Any, read: Callable[[bytes], T]) -> T:  # noqa: ANN401 (whatever the process said)
    try:
        return read(data)
    except (Invalid, TypeError) as error:
        raise Invalid("media.decoder_died", signal=0) from error
