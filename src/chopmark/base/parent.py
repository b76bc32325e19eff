"""How a process that works for long ends: when it is told to, or with the supervisor that started it.

    stop = until_told(78)        an event; work while it is not set
    end_with_parent(78)          the second alone, for what ends by itself

A process never outlives its parent: whoever starts the platform again would have two of each.
"""

from __future__ import annotations

import os
import signal
import threading
import time

CHECK = 0.5  # seconds


def until_told(status: int, *, once: bool = False) -> threading.Event:
    """Set by SIGTERM or SIGINT; and this process ends with its parent (`end_with_parent`).

    Args:
        once: the process ends by itself when nothing is due: the signals end it as they end any program.
    """
    end_with_parent(status)
    stop = threading.Event()
    if not once:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda _number, _frame: stop.set())
    return stop


def end_with_parent(status: int) -> None:
    """Watch the parent in a thread if CHOPMARK_PARENT names one: when it is gone, kill -9 included, nothing is tidied.

    Args:
        status: exit status of this process then.
    """
    named = os.environ.pop("CHOPMARK_PARENT", None)  # children of this process have another parent
    if named is None:
        return
    parent = int(named)

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(CHECK)
        os._exit(status)  # all that matters is durable before it is promised

    threading.Thread(target=watch, name="parent watch", daemon=True).start()
