"""`chopmark matter`: matters of this machine's home, for operators and for scripts; others use the pages or the API."""

from __future__ import annotations

import mimetypes
import shutil
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter
from rich.table import Table

from chopmark.base import clock
from chopmark.cli.home import use_platform
from chopmark.cli.output import PLAIN, Common, out, print_json, say
from chopmark.cli.status import DONE, FAILED, UNCERTAIN
from chopmark.cli.words import text

if TYPE_CHECKING:
    from chopmark.people.actor import Actor

Matter = Annotated[str, Parameter(help=text("cli.matter.number"))]
Organisation = Annotated[str | None, Parameter(help=text("cli.option.organisation"))]
POLL = 0.5  # seconds


def open_command(
    template: Annotated[str, Parameter(help=text("cli.matter.template"))],
    title: Annotated[str, Parameter(help=text("cli.matter.title"))],
    /,
    *,
    organisation: Organisation = None,
    common: Common = PLAIN,
) -> int:
    """Open a matter and print its number."""
    by = _actor(organisation)
    from chopmark.evidence.actions import NewMatter, open_matter  # noqa: PLC0415 (the framework is set up only now)
    from chopmark.evidence.matters import Both  # noqa: PLC0415

    made = open_matter(NewMatter(template=template, title=Both(en=title)), by=by, at=clock.now())
    _print({"id": str(made.id), "number": made.number}, made.number, common)
    return DONE


def list_command(*, organisation: Organisation = None, common: Common = PLAIN) -> int:
    """Show the organisation's matters, newest first."""
    by = _actor(organisation)
    from chopmark.evidence.matters import matters_of  # noqa: PLC0415 (the framework is set up only now)

    found = matters_of(by, limit=200)
    if common.json:
        print_json([{"number": each.number, "title": each.title.en, "state": each.state} for each in found])
        return DONE
    table = Table(box=None, pad_edge=False)
    for column in ("number", "items", "title"):
        table.add_column(text(f"cli.column.matter_{column}"))
    for each in found:
        table.add_row(each.number, str(each.items), each.title.en)
    out().print(table)
    return DONE


def show_command(matter: Matter, /, *, organisation: Organisation = None, common: Common = PLAIN) -> int:
    """Show a matter's evidence, and how far its captures and bundles are."""
    by = _actor(organisation)
    from chopmark.evidence import matters  # noqa: PLC0415 (the framework is set up only now)

    found = matters.matter_of(by, matter)
    items = [(each.number, each.kind, each.title.en, "") for each in matters.items_of(by, found.id)]
    jobs = [(each.number, "capture", each.url, each.state) for each in matters.captures_of(by, found.id)]
    jobs += [(each.number, "bundle", each.file_name, each.state) for each in matters.bundles_of(by, found.id)]
    if common.json:
        names = ("number", "kind", "title", "state")
        print_json(
            {
                "number": found.number,
                "state": found.state,
                "held": found.held,
                "items": [dict(zip(names, each, strict=True)) for each in items],
                "jobs": [dict(zip(names, each, strict=True)) for each in jobs],
            }
        )
        return DONE
    out().print(f"{found.number} {found.title.en}")
    table = Table(box=None, pad_edge=False, show_header=False)
    for number, kind, title, state in (*items, *jobs):
        table.add_row(number, kind, title, text(f"cli.state.job_{state}") if state else "")
    out().print(table)
    return DONE


def add_command(
    matter: Matter,
    file: Annotated[Path, Parameter(help=text("cli.matter.file"))],
    /,
    *,
    kind: Annotated[str, Parameter(help=text("cli.matter.kind"))] = "document",
    title: Annotated[str, Parameter(help=text("cli.matter.item_title"))] = "",
    purpose: Annotated[str, Parameter(help=text("cli.matter.purpose"))] = "",
    phase: Annotated[str, Parameter(help=text("cli.matter.phase"))] = "",
    organisation: Organisation = None,
    common: Common = PLAIN,
) -> int:
    """Put a file into a matter and print the item's number."""
    by = _actor(organisation)
    from chopmark.cli.files import digests  # noqa: PLC0415 (the framework is set up only now)
    from chopmark.evidence.actions import (  # noqa: PLC0415
        NewFile,
        NewItem,
        add_item,
        append_upload,
        start_upload,
    )
    from chopmark.evidence.matters import Both, matter_of  # noqa: PLC0415

    found = matter_of(by, matter)
    known = digests(file, common)
    upload = start_upload(
        length=known.size,
        file_name=file.name,
        file_type=mimetypes.guess_type(file.name)[0] or "",
        declared=known.sha256,
        by=by,
        at=clock.now(),
    )
    with file.open("rb") as stream:
        chunks = iter(lambda: stream.read(1 << 20), b"")
        append_upload(upload.id, offset=0, chunks=chunks, by=by, at=clock.now())
    new = NewItem(
        kind=kind,
        title=Both(en=title or file.name),
        purpose=Both(en=purpose),
        phase=phase,
        files=(NewFile(upload=upload.id),),
    )
    made = add_item(found.id, new, by=by, at=clock.now(), door="cli")
    _print({"id": str(made.id), "number": made.number, "deposit": made.files[0].deposit_number}, made.number, common)
    return DONE


def capture_command(
    matter: Matter,
    url: Annotated[str, Parameter(help=text("cli.capture.url"))],
    /,
    *,
    title: Annotated[str, Parameter(help=text("cli.matter.item_title"))] = "",
    purpose: Annotated[str, Parameter(help=text("cli.matter.purpose"))] = "",
    wait: Annotated[float, Parameter(help=text("cli.matter.wait"))] = 0.0,
    organisation: Organisation = None,
    common: Common = PLAIN,
) -> int:
    """Ask for a capture; the home's worker makes it."""
    by = _actor(organisation)
    from chopmark.evidence.actions import NewCapture, request_capture  # noqa: PLC0415 (the framework is set up)
    from chopmark.evidence.matters import Both, capture_of, matter_of  # noqa: PLC0415

    new = NewCapture(url=url, title=Both(en=title), purpose=Both(en=purpose))
    made = request_capture(matter_of(by, matter).id, new, by=by, at=clock.now())
    until = time.monotonic() + wait
    while made.state in ("queued", "running") and time.monotonic() < until:
        time.sleep(POLL)
        made = capture_of(by, made.id)
    told = {"number": made.number, "state": made.state, "item": made.item, "trouble": made.trouble}
    _print(told, f"{made.number} {text(f'cli.state.job_{made.state}')}", common)
    return _status(made.state)


def bundle_command(
    matter: Matter,
    /,
    *,
    output: Annotated[Path | None, Parameter(name="--out", help=text("cli.matter.out"))] = None,
    wait: Annotated[float, Parameter(help=text("cli.matter.wait"))] = 0.0,
    organisation: Organisation = None,
    common: Common = PLAIN,
) -> int:
    """Ask for a bundle of all evidence; the home's worker builds it."""
    by = _actor(organisation)
    from chopmark.evidence.actions import request_bundle  # noqa: PLC0415 (the framework is set up only now)
    from chopmark.evidence.matters import bundle_file, bundle_of, matter_of  # noqa: PLC0415

    made = request_bundle(matter_of(by, matter).id, by=by, at=clock.now())
    until = time.monotonic() + wait
    while made.state in ("queued", "running") and time.monotonic() < until:
        time.sleep(POLL)
        made = bundle_of(by, made.id)
    if made.state == "done" and output is not None:
        path, _ = bundle_file(by, made.id)
        shutil.copyfile(path, output)
        say("cli.deposit.written", common, path=str(output))
    told = {"number": made.number, "state": made.state, "trouble": made.trouble}
    told |= {"sha256": made.sha256.hex()} if made.sha256 is not None else {}
    _print(told, f"{made.number} {text(f'cli.state.job_{made.state}')}", common)
    return _status(made.state)


def grant_command(
    matter: Matter,
    given_to: Annotated[str, Parameter(help=text("cli.matter.given_to"))],
    /,
    *,
    hours: Annotated[int, Parameter(help=text("cli.matter.hours"))] = 72,
    organisation: Organisation = None,
    common: Common = PLAIN,
) -> int:
    """Print an access code for a court; it is shown this once."""
    by = _actor(organisation)
    from datetime import timedelta  # noqa: PLC0415 (only here)

    from chopmark.evidence.actions import grant  # noqa: PLC0415 (the framework is set up only now)
    from chopmark.evidence.matters import matter_of  # noqa: PLC0415

    found = matter_of(by, matter)
    code, made = grant(found.id, given_to=given_to, life=timedelta(hours=hours), by=by, at=clock.now())
    _print({"code": code, "expires_at": clock.to_text(made.expires_at)}, code, common)
    return DONE


def custody_command(
    matter: Matter,
    /,
    *,
    form: Annotated[Literal["jsonl", "jsonld"], Parameter(help=text("cli.matter.form"))] = "jsonl",
    organisation: Organisation = None,
    common: Common = PLAIN,  # noqa: ARG001 (every command takes the common options)
) -> int:
    """Write the custody log to standard output."""
    by = _actor(organisation)
    from chopmark.evidence.matters import custody_case, custody_log  # noqa: PLC0415 (the framework is set up only now)

    sys.stdout.write((custody_log(by, matter) if form == "jsonl" else custody_case(by, matter)).decode())
    return DONE


def _actor(organisation: str | None) -> Actor:
    use_platform()
    from chopmark.cli.embedded import choose  # noqa: PLC0415 (the framework is set up only now)

    return choose(organisation)


def _print(told: dict[str, str], line: str, common: Common) -> None:
    if common.json:
        print_json(told)
    else:
        out().print(line)


def _status(state: str) -> int:
    if state in ("queued", "running"):
        return UNCERTAIN
    return DONE if state == "done" else FAILED
