"""`chopmark sequencer`: the process that writes the log. `chopmark sweep`: the one that clears away, hourly."""

from __future__ import annotations

import math
import sys
import threading
import time
from collections.abc import Mapping
from typing import Annotated

import structlog
from cyclopts import Parameter

from chopmark.base import clock
from chopmark.base.errors import Fact, Invalid, Refused, Unavailable
from chopmark.base.parent import end_with_parent, until_told
from chopmark.cli.home import use_platform
from chopmark.cli.words import text
from chopmark.ledger.log import MAX_BATCH
from chopmark.ledger.stores import DurabilityLost
from chopmark.site.config import read_config
from chopmark.site.supervisor import CANNOT_LIVE

PATIENCE = 30.0  # seconds that a database, or another writer (a deposit on the command line), is waited for

INTERVAL = 0.2  # seconds that the first of a batch waits for others
INTERVAL_WITH_MEMBERS = 0.5  # each checkpoint costs every member two ML-DSA signatures and some fsyncs


def command(
    *,
    standby: Annotated[bool, Parameter(negative="", help=text("cli.sequencer.standby"))] = False,
) -> int:
    """Write the log of this home until told to stop; one batch in hand is finished first."""
    use_platform()
    stop = until_told(CANNOT_LIVE)
    lines = structlog.get_logger("sequencer")
    try:
        _run(stop, lines, standby=standby)
    except (DurabilityLost, Invalid, Refused) as error:
        lines.error("cannot write", trouble=str(error))
        return CANNOT_LIVE
    except Unavailable as error:
        lines.error("gave up waiting", trouble=str(error))
        return 1
    lines.info("stopped")
    return 0


def _run(stop: threading.Event, lines: structlog.stdlib.BoundLogger, *, standby: bool) -> None:
    from chopmark.cli.writer import PresentConsortium, open_log  # noqa: PLC0415 (needs the framework to be set up)
    from chopmark.evidence import wiring  # noqa: PLC0415 (the same)

    def report(event: str, facts: Mapping[str, Fact]) -> None:
        lines.info(event, **facts)
        if facts.get("code") == "ledger.writer_elsewhere":
            members.close()  # the other one is to reach those that fetch what is meant for them

    config, _ = read_config()
    members = PresentConsortium(config.relay, report, listen=True)
    log = open_log(members)
    until = math.inf if standby else time.monotonic() + PATIENCE
    together = wiring.consortium_policy() is not None
    usual, count = (INTERVAL_WITH_MEMBERS, MAX_BATCH) if together else (INTERVAL, 1024)
    interval = usual if config.interval is None else config.interval
    waited_for = None

    lines.info("started", standby=standby)
    while not stop.is_set():
        try:
            log.run(stop, report=report, interval=interval, count=count)
        except Unavailable as error:
            if time.monotonic() > until:
                raise
            if error.code != waited_for:
                lines.info("waiting", code=error.code)
            waited_for = error.code
            members.close()
            stop.wait(1)
    log.close()


def sweep_command() -> int:
    """Clear away expired uploads and what else nobody came back for."""
    use_platform()
    end_with_parent(CANNOT_LIVE)
    from chopmark.evidence.actions import sweep  # noqa: PLC0415 (needs the framework to be set up)
    from chopmark.watch.actions.letting_go import let_go_of_scans  # noqa: PLC0415 (the same)
    from chopmark.watch.actions.markset import forget_sets  # noqa: PLC0415 (the same)

    config, _ = read_config()
    removed, scans = sweep(clock.now()), let_go_of_scans(clock.now(), days=config.watch_scan_days)
    structlog.get_logger("sweep").info("swept", uploads=removed, scans=scans, marks=forget_sets(clock.now()))
    return 0


if __name__ == "__main__":
    sys.exit(command())
