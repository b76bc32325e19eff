"""`chopmark sequencer`: the process that writes the log. `chopmark sweep`: the one that clears away, hourly."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Mapping

import structlog

from chopmark.base import clock
from chopmark.base.errors import Fact, Invalid, Refused, Unavailable
from chopmark.cli.home import use_platform
from chopmark.ledger.stores import DurabilityLost
from chopmark.site.supervisor import CANNOT_LIVE, end_with_parent

PATIENCE = 30.0  # seconds that a database, or another writer (a deposit on the command line), is waited for


def command() -> int:
    """Write the log of this home until told to stop; one batch in hand is finished first."""
    use_platform()
    if "CHOPMARK_PARENT" in os.environ:
        end_with_parent()
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: stop.set())
    lines = structlog.get_logger("sequencer")
    try:
        _run(stop, lines)
    except (DurabilityLost, Invalid, Refused) as error:
        lines.error("cannot write", trouble=str(error))
        return CANNOT_LIVE
    except Unavailable as error:
        lines.error("gave up waiting", trouble=str(error))
        return 1
    lines.info("stopped")
    return 0


def _run(stop: threading.Event, lines: structlog.stdlib.BoundLogger) -> None:
    from chopmark.cli.writer import open_log  # noqa: PLC0415 (needs the framework to be set up)

    log = open_log()
    until = time.monotonic() + PATIENCE

    def report(event: str, facts: Mapping[str, Fact]) -> None:
        lines.info(event, **facts)

    while not stop.is_set():
        try:
            lines.info("started")
            log.run(stop, report=report)
        except Unavailable as error:
            if time.monotonic() > until:
                raise
            lines.info("waiting", code=error.code)
            stop.wait(1)
    log.close()


def sweep_command() -> int:
    """Clear away expired uploads and what else nobody came back for."""
    use_platform()
    if "CHOPMARK_PARENT" in os.environ:
        end_with_parent()
    from chopmark.evidence.actions import sweep  # noqa: PLC0415 (needs the framework to be set up)

    removed = sweep(clock.now())
    structlog.get_logger("sweep").info("swept", uploads=removed)
    return 0


if __name__ == "__main__":
    sys.exit(command())
