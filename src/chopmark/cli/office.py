"""`chopmark office`: what the operator keeps of offices, vouches for and has to decide; on this machine's home."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from rich.table import Table

from chopmark.base import clock
from chopmark.base.errors import Invalid, Refused
from chopmark.base.wording import say as sentence
from chopmark.cli import words
from chopmark.cli.home import use_platform
from chopmark.cli.output import PLAIN, Common, out, print_json, say
from chopmark.cli.status import DONE, FAILED
from chopmark.cli.words import text

MAX_FILE = 512 << 20  # bytes of an office's file


def import_command(
    file: Annotated[Path, Parameter(help=text("cli.office.file"))],
    /,
    *,
    fetched: Annotated[str, Parameter(help=text("cli.office.fetched"))] = "",
    common: Common = PLAIN,
) -> int:
    """Keep the records of an office's file, for claims to be compared with; 1 when a place of it could not be kept."""
    use_platform()
    from chopmark.rights.actions.bring_in import bring_in_office  # noqa: PLC0415 (the framework is set up only now)
    from chopmark.rights.actions.common import Operator  # noqa: PLC0415

    try:
        if file.stat().st_size > MAX_FILE:
            raise Refused("cli.file_too_long", path=str(file), limit=MAX_FILE)
        data = file.read_bytes()
    except OSError as error:
        raise Refused("cli.file_unreadable", path=str(file), reason=error.strerror or "") from None
    done = bring_in_office(
        data, file.name, operator=Operator(), at=clock.now(), fetched_at=_moment(fetched) if fetched else None
    )
    if common.json:
        problems = [
            {"where": each.where, "code": each.code, "facts": dict(each.facts), "stops": each.stops}
            for each in done.problems
        ]
        print_json({"format": done.format, "kept": done.kept, "same": done.same, "problems": problems})
    else:
        for each in done.problems:
            out().print(f"{each.where}: {sentence(each.code, each.facts, words.language())}")
        say("cli.office.kept", common, kept=done.kept, same=done.same)
    return FAILED if any(each.stops for each in done.problems) else DONE


def list_command(*, common: Common = PLAIN) -> int:
    """Show of which offices records are kept, and how new they are."""
    use_platform()
    from chopmark.rights import offices  # noqa: PLC0415 (the framework is set up only now)
    from chopmark.rights.queries.offices import kept_offices  # noqa: PLC0415

    found = kept_offices()
    if common.json:
        told = [
            {"office": each.office, "records": each.records, "newest": clock.to_text(each.newest)} for each in found
        ]
        print_json(told)
        return DONE
    table = _table("office", "records", "newest", "name")
    for each in found:
        known = offices.office(each.office) if offices.known(each.office) else None
        name = "" if known is None else known.zh if words.language() == "zh" else known.en
        table.add_row(each.office, str(each.records), clock.to_text(each.newest), name)
    out().print(table)
    return DONE


def waiting_command(*, common: Common = PLAIN) -> int:
    """Show the rights that wait for a decision, and what each lacks."""
    use_platform()
    from chopmark.rights.queries.offices import waiting  # noqa: PLC0415 (the framework is set up only now)

    found = waiting()
    if common.json:
        told = [
            {
                "number": each.number,
                "organisation": str(each.organisation_id),
                "organisation_name": each.organisation_name,
                "state": each.state,
                "title": each.title,
                "papers": each.papers,
                "reasons": list(each.reasons),
            }
            for each in found
        ]
        print_json(told)
        return DONE
    table = _table("number", "organisation", "papers", "name", "reasons")
    for each in found:
        reasons = ", ".join(each.reasons)
        table.add_row(each.number, each.organisation_name, str(each.papers), each.title, reasons)
    out().print(table)
    return DONE


def vouch_command(
    organisation: Annotated[str, Parameter(help=text("cli.office.organisation"))],
    name: Annotated[str, Parameter(help=text("cli.office.name"))],
    /,
    *,
    country: Annotated[str, Parameter(help=text("cli.office.country"))] = "",
    note: Annotated[str, Parameter(help=text("cli.office.note"))] = "",
    stop: Annotated[bool, Parameter(negative="", help=text("cli.office.stop"))] = False,
    common: Common = PLAIN,
) -> int:
    """Note that papers showed which party in the registers an organisation here is; --stop takes it back."""
    use_platform()
    from chopmark.cli.embedded import choose  # noqa: PLC0415 (the framework is set up only now)
    from chopmark.rights.actions.common import Operator  # noqa: PLC0415
    from chopmark.rights.actions.verify import stop_vouching, vouch  # noqa: PLC0415

    known = choose(organisation)
    if stop:
        count = stop_vouching(known.organisation_id, name, operator=Operator(), at=clock.now())
        say("cli.office.stopped", common, count=count)
        return DONE if count else FAILED
    vouch(known.organisation_id, name, operator=Operator(), at=clock.now(), country=country, note=note)
    say("cli.office.vouched", common, organisation=known.organisation_name, name=name)
    return DONE


def code_command(which: Annotated[str, Parameter(help=text("cli.right.number"))], /, *, common: Common = PLAIN) -> int:
    """Print a code to send to the address that the office has of the owner; it is shown this once."""
    use_platform()
    from chopmark.rights.actions.common import Operator  # noqa: PLC0415 (the framework is set up only now)
    from chopmark.rights.actions.verify import issue_code  # noqa: PLC0415

    made = issue_code(which, operator=Operator(), at=clock.now())
    if common.json:
        print_json({"code": made.text, "expires_at": clock.to_text(made.expires_at)})
    else:
        out().print(made.text)
    return DONE


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False)
    for column in columns:
        table.add_column(text(f"cli.column.right_{column}"))
    return table


def _moment(typed: str) -> datetime:
    try:
        moment = datetime.fromisoformat(typed)
    except ValueError:
        raise Invalid("rules.value_malformed", path="fetched") from None
    if moment.tzinfo is None:
        raise Invalid("rules.value_malformed", path="fetched")
    return moment
