"""`chopmark ledger …`: the operator's work on this home's own ledger: rebuild it, exchange its keys."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

from cyclopts import Parameter

from chopmark.base import clock
from chopmark.cli.consortium import PATIENCE, Wait, governor, report
from chopmark.cli.home import use_platform
from chopmark.cli.output import PLAIN, Common, out, print_json, progress, say
from chopmark.cli.status import DONE
from chopmark.cli.words import text


def rotate_command(
    *,
    now: Annotated[bool, Parameter(negative="", show_default=False, help=text("cli.ledger.now"))] = False,
    wait: Wait = PATIENCE,
    common: Common = PLAIN,
) -> int:
    """Exchange the log's keys: first announce the next ones, then, when every member knows them, use them."""
    if now:
        return report(governor().use_next_log_keys(wait), common)
    outcome, keys = governor().announce_log_keys(wait)
    status = report(outcome, common)
    if not common.json:
        for key in keys:
            out().print(key)
    say("cli.ledger.tell_members", common)
    return status


def restore_command(
    *,
    place: Annotated[list[str], Parameter(name="--from", negative="", help=text("cli.ledger.from"))],
    check: Annotated[bool, Parameter(negative="", show_default=False, help=text("cli.ledger.check"))] = False,
    common: Common = PLAIN,
) -> int:
    """Rebuild the ledger of this home from members' copies, and prove that it is the same ledger."""
    use_platform()
    from chopmark.cli import restoring  # noqa: PLC0415 (needs the framework to be set up)

    if not check:
        restoring.make_tables()
    planned = restoring.plan(place)
    for silent, reason in planned.silent.items():
        say("cli.ledger.copy_passed_over", common, place=silent, reason=reason)
    with progress(text("cli.ledger.fetching"), planned.size, common, in_bytes=False) as bar:
        done = restoring.compare(planned, bar.step) if check else restoring.restore(planned, bar.step, clock.now())
    if common.json:
        print_json({**asdict(done), "checked_only": check, "passed_over": planned.silent})
        return DONE
    out().print(
        text(
            "cli.ledger.same" if check else "cli.ledger.restored",
            size=done.size,
            place=done.place,
            checkpoints=done.checkpoints,
        )
    )
    if done.settled:
        out().print(text("cli.ledger.settled", count=done.settled))
    if done.aside:
        out().print(text("cli.ledger.aside", path=done.aside))
    return DONE
