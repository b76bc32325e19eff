"""The process that decodes files: `python -m chopmark.media.child MODEL`, started and asked by `media.workshop` alone.

It loads the decoders once and touches no file itself: for each job it forks, and the fork shuts itself in
(`guard.shut_in`), decodes what lies open before it, answers and ends. So a file that crashes or takes over a decoder
has one short-lived process without files, network or programs, and the next job starts from a clean one.

    job      4 bytes of length, CBOR {op, paths, limits, given}
    answer   4 bytes of length, CBOR {end: answered | time | size | died | unready | left, signal, body}

The body of an answer is the fork's and is passed on unread. `unready`: the fork could not open the file or close the
cage, so nothing was decoded, and it is not the file's fault. When nobody is left to hear it (the platform was killed),
fork and process end at once, whatever time the job may still have.
"""

from __future__ import annotations

import gc
import os
import select
import signal
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any, BinaryIO

from chopmark.base import cbor
from chopmark.base.errors import Fact, PlatformError
from chopmark.media.guard import Limits, die_with_parent, shut_in

LENGTH = 4
MOST_JOB = 200_000_000
CHUNK = 1 << 16
UNREADY = 2  # status of a fork that has not begun


def main() -> None:
    """Take jobs from standard input until it ends."""
    from chopmark.media import making  # noqa: PLC0415 (the decoders: loaded before the first fork, in this process alone)

    operations = making.operations(sys.argv[1])
    gc.collect()
    gc.freeze()  # what is loaded stays: a fork that looked through it for waste would copy all of it
    channel, answers = sys.stdin.buffer, sys.stdout.buffer
    _send(answers, cbor.encode({"ready": True}))
    while job := receive(channel):
        _send(answers, cbor.encode(_forked(operations, cbor.decode(job))))


def receive(stream: BinaryIO) -> bytes:
    """One message; empty at the end of the stream."""
    head = stream.read(LENGTH)
    if len(head) < LENGTH:
        return b""
    data = stream.read(int.from_bytes(head))
    return data if len(data) == int.from_bytes(head) else b""


def _send(stream: BinaryIO, data: bytes) -> None:
    stream.write(len(data).to_bytes(LENGTH) + data)
    stream.flush()


Operation = Callable[[Sequence[BinaryIO], Mapping[str, Any], Limits], bytes]


def _forked(operations: Mapping[str, Operation], job: Mapping[str, Any]) -> dict[str, object]:
    """Let a fork do the job; what it wrote, or how it ended."""
    limits = Limits(**{**job["limits"], "wall": job["limits"]["wall"] / 1000})
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        _work(operations, job, limits, writing)
    os.close(writing)
    try:
        data, end = _heard(reading, sys.stdin.fileno(), limits)
    finally:
        os.close(reading)
        with suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
    number = os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0
    if end == "answered" and not data:
        end = "time" if number == signal.SIGXCPU else "died"
        if os.WIFEXITED(status) and os.WEXITSTATUS(status) == UNREADY:
            end = "unready"
    return {"end": end, "signal": number, "body": data if end == "answered" else b""}


def _heard(reading: int, asking: int, limits: Limits) -> tuple[bytes, str]:
    """What the fork writes, and how it ends; nothing is asked meanwhile, so that what then comes is the end."""
    until = time.monotonic() + limits.wall
    parts: list[bytes] = []
    size = 0
    while True:
        left = until - time.monotonic()
        ready = select.select([reading, asking], [], [], left)[0] if left > 0 else []
        if asking in ready:
            return b"", "left"
        if not ready:
            return b"", "time"
        part = os.read(reading, CHUNK)
        if not part:
            return b"".join(parts), "answered"
        size += len(part)
        if size > limits.answer:
            return b"", "size"
        parts.append(part)


def _work(operations: Mapping[str, Operation], job: Mapping[str, Any], limits: Limits, writing: int) -> None:
    """The fork: open what is asked about, shut the cage, work, answer, end. Never returns."""
    status = UNREADY
    try:
        die_with_parent()
        quiet = os.open(os.devnull, os.O_RDWR)
        for each in (0, 1, 2):
            os.dup2(quiet, each)
        files = [open(path, "rb") for path in job["paths"]]  # noqa: SIM115, PTH123 (they end with the process)
        with open(writing, "wb", closefd=False) as answer:
            shut_in(limits)
            status = 1
            answer.write(_answer(operations[job["op"]], files, job["given"], limits))
        status = 0
    finally:
        os._exit(status)


def _answer(work: Operation, files: Sequence[BinaryIO], given: Mapping[str, Any], limits: Limits) -> bytes:
    code: str
    facts: Mapping[str, Fact]
    try:
        return cbor.encode({"body": work(files, given, limits)})
    except PlatformError as error:
        code, facts = error.code, error.facts
    except MemoryError:
        code, facts = "media.too_costly", {}
    whole = {name: value for name, value in facts.items() if isinstance(value, int | str | bool)}
    return cbor.encode({"code": code, "facts": whole})


if __name__ == "__main__":
    main()
