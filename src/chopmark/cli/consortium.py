"""`chopmark consortium …`: who confirms this ledger. Every decision becomes a statement on the ledger itself."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter
from rich.table import Table

from chopmark.base import clock
from chopmark.cli import files
from chopmark.cli.home import use_platform
from chopmark.cli.output import PLAIN, Common, out, print_json, say
from chopmark.cli.status import DONE, UNCERTAIN
from chopmark.cli.words import language, text
from chopmark.ledger.card import MAX_CARD
from chopmark.ledger.governance import MAX_PAPER

if TYPE_CHECKING:
    from types import ModuleType

    from chopmark.cli.governor import Outcome

PATIENCE = 20.0  # seconds that publication is waited for
Wait = Annotated[float, Parameter(help=text("cli.consortium.wait"))]


def add_command(
    card: Annotated[list[Path], Parameter(help=text("cli.consortium.card"))],
    /,
    *,
    wait: Wait = PATIENCE,
    common: Common = PLAIN,
) -> int:
    """Adopt institutions as members, each by its card."""
    cards = [files.read(path, MAX_CARD) for path in card]
    return report(governor().add(cards, wait), common)


def update_command(
    rotation: Annotated[Path, Parameter(help=text("cli.consortium.rotation"))],
    /,
    *,
    wait: Wait = PATIENCE,
    common: Common = PLAIN,
) -> int:
    """Exchange a member's card for the one that its old keys have signed."""
    return report(governor().update(files.read(rotation, MAX_PAPER), wait), common)


def retire_command(
    name: Annotated[str, Parameter(help=text("cli.consortium.name"))],
    /,
    *,
    reason: Annotated[str, Parameter(help=text("cli.consortium.reason"))],
    wait: Wait = PATIENCE,
    common: Common = PLAIN,
) -> int:
    """Retire a member: its keys count no more, and stay published."""
    return report(governor().retire(name, reason, wait), common)


def policy_command(
    rule: Annotated[str | None, Parameter(help=text("cli.consortium.rule"))] = None,
    /,
    *,
    force: Annotated[bool, Parameter(negative="", show_default=False, help=text("cli.consortium.force"))] = False,
    emergency: Annotated[
        bool, Parameter(negative="", show_default=False, help=text("cli.consortium.emergency"))
    ] = False,
    wait: Wait = PATIENCE,
    common: Common = PLAIN,
) -> int:
    """Decide who must have cosigned a checkpoint; without a rule, print the policy in force."""
    if rule is not None:
        return report(governor().policy(rule, wait, force=force, emergency=emergency), common)
    shown = governor().in_force()
    if common.json:
        print_json({"policy": shown})
    else:
        sys.stdout.write(shown)
    return DONE


def authority_command(
    certificate: Annotated[Path, Parameter(help=text("cli.consortium.certificate"))],
    /,
    *,
    retire: Annotated[bool, Parameter(negative="", show_default=False, help=text("cli.consortium.retire_it"))] = False,
    wait: Wait = PATIENCE,
    common: Common = PLAIN,
) -> int:
    """Make a time-stamp authority's certificate (DER) a trust anchor."""
    return report(governor().authority(files.read(certificate, MAX_PAPER), wait, retire=retire), common)


def show_command(*, common: Common = PLAIN) -> int:
    """Show the members and the rule in force."""
    shown = governor().shown()
    if common.json:
        print_json(shown)
        return DONE
    if not shown["members"] and not shown["waiting_members"]:
        say("cli.consortium.none", common)
        return DONE
    table = Table(box=None, pad_edge=False)
    for column in ("member", "kind", "title", "url"):
        table.add_column(text(f"cli.column.{column}"), overflow="fold")
    for member in shown["members"]:
        table.add_row(member["name"], member["kind"], member["title"][language()], member["url"] or "-")
    out().print(table)
    out().print(text("cli.consortium.rule_in_force", rule=shown["rule"] or "-"))
    if shown["waiting_rule"]:
        out().print(text("cli.consortium.rule_waits", rule=shown["waiting_rule"]))
    if shown["waiting_members"]:
        out().print(text("cli.consortium.members_wait", names=shown["waiting_members"]))
    return DONE


def history_command(*, common: Common = PLAIN) -> int:
    """List every decision, with its place on the ledger and the size of the first checkpoint it counts for."""
    papers = governor().history()
    if common.json:
        print_json(papers)
        return DONE
    table = Table(box=None, pad_edge=False)
    for column in ("made_at", "kind", "name", "position", "in_force_from", "sha-256"):
        table.add_column(text(f"cli.column.{column}"), overflow="fold")
    for paper in papers:
        table.add_row(*("-" if value is None else str(value) for value in _in_order(paper)))
    out().print(table)
    return DONE


def _in_order(paper: dict[str, str | int | None]) -> list[str | int | None]:
    return [paper[name] for name in ("made_at", "kind", "name", "position", "in_force_from", "sha-256")]


def governor() -> ModuleType:
    """The home's consortium."""
    use_platform()
    from chopmark.cli import governor as found  # noqa: PLC0415 (needs the framework to be set up)

    return found


def report(outcome: Outcome, common: Common) -> int:
    """Say what a decision led to; 3 while it waits for the quorum that is in force."""
    for code in outcome.warnings:
        say(code, common)
    if common.json:
        print_json(
            {
                "published": outcome.published,
                "warnings": list(outcome.warnings),
                "papers": [
                    {
                        "kind": each.kind,
                        "name": each.name,
                        "sha-256": each.sha256.hex(),
                        "made_at": clock.to_text(each.made_at),
                        "position": each.position,
                        "in_force_from": each.in_force_from,
                    }
                    for each in outcome.papers
                ],
            }
        )
    elif not outcome.papers:
        say("cli.consortium.nothing", common)
    else:
        for each in outcome.papers:
            place = "-" if each.position is None else each.position
            out().print(f"{each.kind} {each.name} {each.sha256.hex()} {place}".replace("  ", " "))
    if not outcome.published:
        say("cli.consortium.waits", common)
        return UNCERTAIN
    return DONE
