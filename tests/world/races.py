"""Two who change the same rows at once: for scripts of a process of its own, whose database is its own too."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

from django.db import connection, transaction

from chopmark.base.errors import PlatformError
from world.patience import HANG


def race(first: Callable[[Callable[[], None]], object], second: Callable[[], object]) -> str:
    """The second begins while the transaction of the first is open; how each ended: `done`, or its error.

    Args:
        first: calls what it is given where the second may begin; its transaction stays open a second longer.
    """
    inside = threading.Event()

    def pause() -> None:
        inside.set()
        time.sleep(1)

    def one() -> None:
        try:
            with transaction.atomic():
                first(pause)
        finally:
            inside.set()  # nobody waits for one that failed before
            connection.close()

    def other() -> None:
        try:
            assert inside.wait(HANG)
            second()
        finally:
            connection.close()

    with ThreadPoolExecutor(2) as threads:
        return " ".join([_ended(each) for each in [threads.submit(one), threads.submit(other)]])


def _ended(running: Future[None]) -> str:
    error = running.exception(HANG)
    if isinstance(error, PlatformError):
        return error.code
    return "done" if error is None else type(error).__name__
