"""A process that a supervisor started ends when the supervisor is gone, however that ended (kill -9 included)."""

from __future__ import annotations

import os
import threading
import time

CHECK = 0.5  # seconds


def end_with_parent(status: int) -> None:
    """Watch the parent in a thread if CHOPMARK_PARENT names one; nothing is tidied when it is gone.

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
