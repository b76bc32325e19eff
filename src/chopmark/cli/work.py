"""`chopmark work`: works in this machine's home, for operators and for scripts; others use the pages or the API."""

from __future__ import annotations

import mimetypes
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Parameter
from rich.table import Table

from chopmark.base import clock
from chopmark.base.errors import Refused
from chopmark.cli.home import use_platform
from chopmark.cli.output import PLAIN, Common, out, print_json
from chopmark.cli.status import DONE
from chopmark.cli.words import text

if TYPE_CHECKING:
    from chopmark.people.actor import Actor
    from chopmark.rights.actions.kept import NewWorkFile
    from chopmark.rights.queries.works import WorkSummary

Organisation = Annotated[str | None, Parameter(help=text("cli.option.organisation"))]
CHUNK = 1 << 20
PAGE = 200  # works that are read at once


def add_command(
    files: Annotated[list[Path], Parameter(help=text("cli.work.files"))],
    /,
    *,
    title: Annotated[str, Parameter(help=text("cli.work.title"))],
    statement: Annotated[str, Parameter(help=text("cli.work.statement"))],
    author: Annotated[list[str] | None, Parameter(help=text("cli.work.author"))] = None,
    licence: Annotated[str, Parameter(help=text("cli.work.licence"))] = "",
    licence_url: Annotated[str, Parameter(help=text("cli.work.licence_url"))] = "",
    series: Annotated[str, Parameter(help=text("cli.work.series"))] = "",
    version_of: Annotated[str, Parameter(help=text("cli.work.version_of"))] = "",
    reserve_tdm: Annotated[bool | None, Parameter(help=text("cli.work.reserve_tdm"))] = None,
    public: Annotated[bool, Parameter(negative="", help=text("cli.work.public"))] = False,
    anyway: Annotated[bool, Parameter(negative="", help=text("cli.work.anyway"))] = False,
    organisation: Organisation = None,
    common: Common = PLAIN,
) -> int:
    """Register a work and print its number; what it is follows from its first file."""
    by = _actor(organisation)
    from chopmark.media.guard import HEAD, sniff  # noqa: PLC0415 (only now is it needed)
    from chopmark.rights.actions.work import NewWork, register_work  # noqa: PLC0415 (the framework is set up only now)
    from chopmark.rights.queries.works import work_of  # noqa: PLC0415
    from chopmark.rights.record import Party, WorkRecord  # noqa: PLC0415

    with _opened(files[0]) as stream:
        kind = sniff(stream.read(HEAD)).kind
    record = WorkRecord(
        kind=kind,
        title=title,
        statement=statement,
        authors=tuple(Party(name=each) for each in author or ()),
        licence=licence,
        licence_url=licence_url,
        series=series,
        version_of=str(work_of(by, version_of).id) if version_of else "",
        tdm_reserved=reserve_tdm,
        shown="public" if public else "private",
    )
    uploads = tuple(upload(each, by) for each in files)
    made = register_work(NewWork(record=record, files=uploads, anyway=anyway), by=by, at=clock.now())
    if common.json:
        print_json(told(made))
    else:
        out().print(made.number)
    return DONE


def list_command(
    *,
    words: Annotated[str, Parameter(help=text("cli.work.words"))] = "",
    kind: Annotated[Literal["", "picture", "audio", "video", "text"], Parameter(help=text("cli.work.kind"))] = "",
    organisation: Organisation = None,
    common: Common = PLAIN,
) -> int:
    """Show the organisation's works, newest first."""
    by = _actor(organisation)
    from chopmark.rights.queries.works import works_of  # noqa: PLC0415 (the framework is set up only now)

    found = list(works_of(by, q=words, kind=kind, limit=PAGE))
    some = len(found)
    while some == PAGE:
        more = works_of(by, q=words, kind=kind, after=found[-1].number, limit=PAGE)
        found, some = [*found, *more], len(more)
    if common.json:
        print_json([told(each) for each in found])
        return DONE
    table = Table(box=None, pad_edge=False)
    for column in ("number", "kind", "state", "title"):
        table.add_column(text(f"cli.column.work_{column}"))
    for each in found:
        table.add_row(each.number, each.record.kind, each.state, each.record.title)
    out().print(table)
    return DONE


def show_command(
    work: Annotated[str, Parameter(help=text("cli.work.number"))],
    /,
    *,
    organisation: Organisation = None,
    common: Common = PLAIN,
) -> int:
    """Show a work, its files and its history."""
    by = _actor(organisation)
    from chopmark.rights.queries.works import events_of, work_of  # noqa: PLC0415 (the framework is set up only now)

    found = work_of(by, work)
    history = [
        {"seq": each.event.seq, "type": each.event.type, "at": clock.to_text(each.event.recorded_at)}
        for each in events_of(by, work)
    ]
    if common.json:
        print_json({**told(found), "events": history})
        return DONE
    out().print(f"{found.number} {found.record.title}")
    table = Table(box=None, pad_edge=False, show_header=False)
    for file in found.files:
        table.add_row(file.name, file.state, file.iscc)
    for each in history:
        table.add_row(str(each["seq"]), str(each["type"]), str(each["at"]))
    out().print(table)
    return DONE


def upload(file: Path, by: Actor) -> NewWorkFile:
    """Bring a file into the home, as an upload that becomes a deposit.

    Raises:
        Refused: `cli.file_unreadable`; what evidence's uploads raise.
    """
    from chopmark.evidence.actions import append_upload, start_upload  # noqa: PLC0415 (the framework is set up)
    from chopmark.rights.actions.kept import NewWorkFile  # noqa: PLC0415

    with _opened(file) as stream:
        made = start_upload(
            length=file.stat().st_size,
            file_name=file.name,
            file_type=mimetypes.guess_type(file.name)[0] or "",
            by=by,
            at=clock.now(),
        )
        append_upload(made.id, offset=0, chunks=iter(lambda: stream.read(CHUNK), b""), by=by, at=clock.now())
    return NewWorkFile(upload=made.id)


def told(work: WorkSummary) -> dict[str, Any]:
    """A work as JSON."""
    from chopmark.rights import encoding  # noqa: PLC0415 (only now is it needed)

    return {
        "number": work.number,
        "state": work.state,
        "record": encoding.encode(work.record),
        "files": [
            {"name": each.name, "sha-256": each.sha256.hex(), "state": each.state, "iscc": each.iscc}
            for each in work.files
        ],
    }


def _opened(file: Path) -> Any:  # noqa: ANN401 (a binary file)
    try:
        return file.open("rb")
    except OSError as error:
        raise Refused("cli.file_unreadable", path=str(file), reason=error.strerror or "") from None


def _actor(organisation: str | None) -> Actor:
    use_platform()
    from chopmark.cli.embedded import choose  # noqa: PLC0415 (the framework is set up only now)

    return choose(organisation)
