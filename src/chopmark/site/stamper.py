"""`chopmark stamper`: the process that has each hour's last checkpoint stamped. `chopmark stamp list|now`: by hand."""

from __future__ import annotations

import time
from datetime import datetime, timedelta
from typing import Annotated

import structlog
from cyclopts import Parameter
from rich.table import Table

from chopmark.base import clock
from chopmark.base.errors import Invalid, Unavailable
from chopmark.base.parent import until_told
from chopmark.cli.home import use_platform
from chopmark.cli.output import PLAIN, Common, out, print_json, say
from chopmark.cli.status import DONE, UNCERTAIN
from chopmark.cli.words import text
from chopmark.ledger.anchor import AnchorService
from chopmark.site.config import Config, read_config
from chopmark.site.supervisor import CANNOT_LIVE

ROUND = 5.0  # seconds between looks at what is due
SETTLING = timedelta(seconds=30)  # after a turn: a checkpoint signed just before it may not be settled yet


def command() -> int:
    """Stamp until told to stop; without any authority there is nothing to do, and it waits for none."""
    use_platform()
    stop = until_told(CANNOT_LIVE)
    lines = structlog.get_logger("stamper")
    try:
        found = _services()
    except Invalid as error:
        lines.error("cannot stamp", trouble=str(error))
        return CANNOT_LIVE
    lines.info("started", authorities=[service.name for service in found])
    planned: datetime | None = None
    while not stop.is_set():
        try:
            planned = _round(found, planned, lines)
        except Unavailable as error:
            lines.info("waiting", code=error.code)
        stop.wait(ROUND)
    lines.info("stopped")
    return DONE


def _round(
    found: list[AnchorService], planned: datetime | None, lines: structlog.stdlib.BoundLogger
) -> datetime | None:
    """Plan once an hour, work always; the hour that is planned."""
    from chopmark.evidence import wiring  # noqa: PLC0415 (needs the framework to be set up)
    from chopmark.evidence.actions import plan_stamps, work_on_stamps  # noqa: PLC0415

    settled = clock.now() - SETTLING
    hour = settled.replace(minute=0, second=0, microsecond=0)
    with wiring.answering():
        if hour != planned:
            wanted = plan_stamps(found, settled)
            lines.info("planned", wanted=wanted)
        worked = work_on_stamps(found, clock.now)
    if worked.done or worked.begun or worked.failed:
        lines.info("worked", done=worked.done, begun=worked.begun, failed=worked.failed)
    return hour


def now_command(
    *, wait: Annotated[float, Parameter(help=text("cli.stamp.now.wait"))] = 30.0, common: Common = PLAIN
) -> int:
    """Want stamps on the newest checkpoint, work on them, and wait a while for those that are done at once."""
    use_platform()
    from chopmark.evidence.actions import stamp_newest, work_on_stamps  # noqa: PLC0415 (the framework is set up)
    from chopmark.evidence.stamps import WAITING, open_stamps  # noqa: PLC0415

    found = _services()
    if not found:
        say("site.stamp_nobody", common)
        return UNCERTAIN
    made = stamp_newest(found, clock.now())
    until = time.monotonic() + wait
    while True:
        work_on_stamps(found, clock.now)
        waiting = [each for each in open_stamps() if each.state == WAITING]
        if not waiting or time.monotonic() > until:
            break
        time.sleep(1)
    say("site.stamp_now", common, made=made, waiting=len(waiting))
    _show(common)
    return UNCERTAIN if waiting else DONE


def list_command(*, common: Common = PLAIN) -> int:
    """Show the stamps made last."""
    use_platform()
    _show(common)
    return DONE


def _show(common: Common) -> None:
    from chopmark.evidence.stamps import newest  # noqa: PLC0415 (the framework is set up by the caller)

    rows = newest()
    if common.json:
        print_json(
            [
                {
                    "authority": row.authority,
                    "kind": row.kind,
                    "own": row.own,
                    "size": row.size,
                    "state": row.state,
                    "at": clock.to_text(row.stamped_at) if row.stamped_at else None,
                    "tries": row.tries,
                    "trouble": row.trouble or None,
                }
                for row in rows
            ]
        )
        return
    names = ("authority", "size", "state", "at", "trouble")
    table = Table(*(text(f"cli.column.stamp_{name}") for name in names), box=None)
    for row in rows:
        at = clock.to_text(row.stamped_at) if row.stamped_at else ""
        table.add_row(row.authority, str(row.size), text(f"cli.state.stamp_{row.state}"), at, row.trouble)
    out().print(table)


def _services() -> list[AnchorService]:
    from chopmark.site.anchors import services  # noqa: PLC0415 (loads an HTTP client)

    return services(_config())


def _config() -> Config:
    config, problems = read_config()
    if problems:
        raise Invalid("site.settings_wrong", problems=[f"{each.message} ({each.hint})" for each in problems])
    return config
