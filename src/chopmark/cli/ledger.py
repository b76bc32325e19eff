"""`chopmark ledger …`: the operator's work on this home's own ledger: rebuild it, exchange its keys."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from chopmark.cli.consortium import PATIENCE, Wait, governor, report
from chopmark.cli.output import PLAIN, Common, out, say
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
