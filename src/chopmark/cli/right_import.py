"""`chopmark right import`: many rights from one file, into this machine's home; others use the pages or the API."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter
from rich.table import Table

from chopmark.base import clock
from chopmark.base.errors import Refused
from chopmark.base.wording import say as sentence
from chopmark.cli import words
from chopmark.cli.home import use_platform
from chopmark.cli.output import PLAIN, Common, out, print_json, say
from chopmark.cli.status import DONE, FAILED
from chopmark.cli.words import text

if TYPE_CHECKING:
    from collections.abc import Iterable

    from chopmark.rights.actions.bring_in import Brought
    from chopmark.rights.imports import Problem
    from chopmark.rights.record import Record

SHOWN = 50  # rows printed; all of them with --json


def import_command(
    file: Annotated[Path, Parameter(help=text("cli.right_import.file"))],
    /,
    *,
    dry_run: Annotated[bool, Parameter(help=text("cli.right_import.dry_run"))] = False,
    draft: Annotated[bool, Parameter(help=text("cli.right_import.draft"))] = False,
    organisation: Annotated[str | None, Parameter(help=text("cli.option.organisation"))] = None,
    common: Common = PLAIN,
) -> int:
    """File every right of a table, an office's file or a signed mark; 1 when a place of it could not be filed."""
    use_platform()
    from chopmark.cli.embedded import choose  # noqa: PLC0415 (the framework is set up only now)
    from chopmark.rights.actions.bring_in import MAX_BYTES, bring_in  # noqa: PLC0415

    by = choose(organisation)
    try:
        if file.stat().st_size > MAX_BYTES:
            raise Refused("cli.file_too_long", path=str(file), limit=MAX_BYTES)
        data = file.read_bytes()
    except OSError as error:
        raise Refused("cli.file_unreadable", path=str(file), reason=error.strerror or "") from None
    done = bring_in(data, file.name, by=by, at=clock.now(), dry_run=dry_run, submit=not draft)
    if common.json:
        print_json(_told(done))
    else:
        _print(done, common)
    stopped = done.count("refused") or any(problem.stops for problem in done.problems)
    return FAILED if stopped else DONE


def _told(done: Brought) -> dict[str, Any]:
    return {
        "format": done.format,
        "dry_run": done.dry_run,
        "good": done.count("good"),
        "filed": done.count("filed"),
        "refused": done.count("refused"),
        "rows": [
            {
                "where": row.where,
                "outcome": row.outcome,
                "number": row.number,
                "level": row.level,
                "name": name_of(row.record),
                "problems": _said(row.problems),
            }
            for row in done.rows
        ],
        "problems": _said(done.problems),
    }


def _said(problems: Iterable[Problem]) -> list[dict[str, Any]]:
    return [
        {"where": each.where, "code": each.code, "facts": dict(each.facts), "stops": each.stops} for each in problems
    ]


def name_of(record: Record) -> str:
    """What a person calls a right."""
    name = record.title or (record.mark.verbal if record.mark is not None else "")
    return name or record.registration_number or record.application_number


def _print(done: Brought, common: Common) -> None:
    table = Table(box=None, pad_edge=False)
    for column in ("where", "name", "outcome", "what"):
        table.add_column(text(f"cli.column.right_{column}"))
    language = words.language()
    shown = 0
    for row in done.rows:
        if row.outcome != "refused" and not row.problems and shown >= SHOWN:
            continue
        shown += 1
        said = "; ".join(sentence(each.code, each.facts, language) for each in row.problems)
        outcome = row.number or text(f"cli.state.import_{row.outcome}")
        table.add_row(row.where, name_of(row.record), outcome, said)
    for each in done.problems:
        table.add_row(each.where, "", text("cli.state.import_left_out"), sentence(each.code, each.facts, language))
    out().print(table)
    code = "cli.right_import.looked" if done.dry_run else "cli.right_import.filed"
    count = done.count("good") if done.dry_run else done.count("filed")
    left = done.count("refused") + len({each.where for each in done.problems if each.stops})
    say(code, common, count=count, left=left)
