"""`chopmark deposit`: hash files here, put their digests on the ledger, keep the receipts beside them."""

from __future__ import annotations

import mimetypes
from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import Parameter
from rich.table import Table

from chopmark.base.digests import Digests
from chopmark.base.errors import PlatformError, Refused
from chopmark.cli import files
from chopmark.cli.doors import Door, Made, Wish
from chopmark.cli.entrance import open_door
from chopmark.cli.output import PLAIN, Common, out, print_json, progress, say, talk
from chopmark.cli.status import DONE, FAILED, UNCERTAIN
from chopmark.cli.words import text
from chopmark.evidence.receipt import ALL

UNKNOWN_TYPE = "application/octet-stream"
WAIT = 30.0  # seconds until a receipt is given up on for now


def deposit(
    file: Annotated[list[Path], Parameter(help=text("cli.deposit.file"), negative="")],
    /,
    *,
    kind: Annotated[Literal["work", "evidence", "document"], Parameter(help=text("cli.deposit.kind"))] = "work",
    title: Annotated[str, Parameter(help=text("cli.deposit.title"))] = "",
    author: Annotated[str, Parameter(help=text("cli.deposit.author"))] = "",
    private: Annotated[bool, Parameter(negative="", show_default=False, help=text("cli.deposit.private"))] = False,
    sm3: Annotated[bool, Parameter(negative="", show_default=False, help=text("cli.deposit.sm3"))] = False,
    keep: Annotated[bool, Parameter(negative="", show_default=False, help=text("cli.deposit.keep"))] = False,
    server: Annotated[str | None, Parameter(help=text("cli.option.server"))] = None,
    organisation: Annotated[str | None, Parameter(help=text("cli.option.organisation"))] = None,
    wait: Annotated[bool, Parameter(help=text("cli.deposit.wait"))] = True,
    force: Annotated[bool, Parameter(negative="", show_default=False, help=text("cli.option.force"))] = False,
    common: Common = PLAIN,
) -> int:
    """Deposit files and write each receipt beside its file."""
    digests = {path: files.digests(path, common, sm3=sm3) for path in dict.fromkeys(file)}
    door = open_door(server, organisation)
    wishes = [
        Wish(
            path=path,
            digests=made,
            kind=kind,
            title=title,
            author=author,
            media_type=mimetypes.guess_type(path.name)[0] or UNKNOWN_TYPE,
            private=private,
            keep=keep,
        )
        for path, made in digests.items()
    ]
    answers = _deposit(door, wishes, common)
    if wait:
        answers = _published(door, answers, common)
    rows = [_row(door, wish, answer, force=force) for wish, answer in zip(wishes, answers, strict=True)]
    if common.json:
        print_json([{**row, "path": str(row["path"])} for row in rows])
    else:
        _show(rows, common)
    if any("error" in row for row in rows):
        return FAILED
    return DONE if not wait or all(row["state"] == "published" for row in rows) else UNCERTAIN


def _deposit(door: Door, wishes: list[Wish], common: Common) -> list[Made | PlatformError]:
    kept = sum(wish.digests.size for wish in wishes if wish.keep)
    with progress(text("cli.deposit.sending"), kept, common) as bar:
        return door.deposit(wishes, bar.step)


def _published(door: Door, answers: list[Made | PlatformError], common: Common) -> list[Made | PlatformError]:
    """The answers after waiting for the log; what is still pending then is said so."""
    made = [answer for answer in answers if isinstance(answer, Made)]
    waited = {each.id: each for each in door.wait(made, WAIT)} if made else {}
    if any(each.position is None for each in waited.values()):
        say("cli.deposit.still_pending", common, seconds=int(WAIT))
        if (waiting := door.waiting()) is not None:
            missing = ", ".join(waiting.missing)
            say("cli.deposit.waits_for_members", common, since=waiting.since, missing=missing)
    return [waited[answer.id] if isinstance(answer, Made) else answer for answer in answers]


def _row(door: Door, wish: Wish, answer: Made | PlatformError, *, force: bool) -> dict[str, Any]:
    """What became of one file, with its receipts written if they exist."""
    row: dict[str, Any] = {"path": wish.path, "digest": _named(wish.digests)}
    if isinstance(answer, PlatformError):
        return {**row, "error": _error(answer)}
    row |= {"id": answer.id, "number": answer.number, "state": answer.state, "position": answer.position}
    row["created"] = answer.created
    if answer.position is not None:
        papers = door.papers(answer.id)
        try:
            row["receipts"] = write_papers(wish.path, papers.tlog_proof, papers.cose, force=force)
        except Refused as error:
            row["error"] = _error(error)
    return row


def write_papers(path: Path, tlog_proof: bytes, cose: bytes, *, force: bool, signatures: str = ALL) -> list[str]:
    """Write both receipts beside a file; their paths. A choice of signatures stands in their names.

    Raises:
        Refused: `cli.file_differs`.
    """
    said = "" if signatures == ALL else f".{signatures}"
    both = {files.beside(path, said + files.PROOF): tlog_proof, files.beside(path, said + files.COSE): cose}
    for target, data in both.items():
        files.write(target, data, force=force)
    return [str(target) for target in both]


def _named(digests: Digests) -> str:
    return f"sha-256:{digests.sha256.hex()}"


def _error(error: PlatformError) -> dict[str, Any]:
    return {"code": error.code, "facts": error.facts, "message": text(error.code, **error.facts)}


def _show(rows: list[dict[str, Any]], common: Common) -> None:
    table = Table(box=None, pad_edge=False)
    for column in ("file", "number", "state", "digest"):
        table.add_column(text(f"cli.column.{column}"), overflow="fold", no_wrap=column == "number")
    for row in rows:
        if "number" in row:
            table.add_row(str(row["path"]), row["number"], text(f"cli.state.{row['state']}"), row["digest"])
    if table.row_count:
        out().print(table)
    for row in rows:
        if "error" in row:
            talk().print(f"{row['path']}: {row['error']['message']}")
    for row in rows:
        for path in row.get("receipts", ()):
            say("cli.deposit.written", common, path=path)
