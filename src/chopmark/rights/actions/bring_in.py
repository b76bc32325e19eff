"""Bring many rights in from a file: look first, then file what can be filed. And an office's file, by the operator.

Looking and filing judge every row by the same rules, so that what was shown is what happens, unless the world moved in
between. A row that cannot be filed keeps its place and says why; it holds up no other.
A file that is interrupted in the middle can be brought in again: what is there already is said to be there.

A signed mark that was judged and holds is also verified by its signature (`verify.verify_signed`); where that does not
succeed, the right stays filed and the row says why.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal
from uuid import UUID

from chopmark.base.errors import PlatformError, Refused
from chopmark.evidence import wiring
from chopmark.people.actor import Actor
from chopmark.rights import imports
from chopmark.rights.actions import file as filing
from chopmark.rights.actions import office, verify
from chopmark.rights.actions.common import Operator
from chopmark.rights.actions.file import NewRight
from chopmark.rights.connectors import connector_for
from chopmark.rights.connectors.access import Access
from chopmark.rights.imports import Imported, Problem, Signed, SmdTrust, smd_files
from chopmark.rights.queries.registry import RightSummary
from chopmark.rights.record import Record

MAX_ROWS = 20_000
MAX_BYTES = 64 * 1024 * 1024
MAX_UNPACKED = 256 * 1024 * 1024  # bytes of a ZIP that somebody brings; the operator's may have more

Outcome = Literal["good", "filed", "refused"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One record of the file.

    Attributes:
        where: as in `Problem.where`.
        outcome: `good` would be filed, `filed` was, `refused` cannot be.
        problems: what was left out of it, and what refuses it.
        number: of the right that was filed.
    """

    where: str
    record: Record
    outcome: Outcome
    problems: tuple[Problem, ...] = ()
    number: str = ""
    level: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Brought:
    """What became of a file.

    Attributes:
        rows: those that are records; `problems` has the places that are none, and what concerns the whole file.
        dry_run: True where nothing was written.
    """

    format: str
    rows: tuple[Row, ...]
    problems: tuple[Problem, ...]
    dry_run: bool
    signed: Signed | None = None

    def count(self, outcome: Outcome) -> int:
        """How many rows have this outcome."""
        return sum(row.outcome == outcome for row in self.rows)


@wiring.answering()
def bring_in(
    data: bytes,
    name: str,
    *,
    by: Actor,
    at: datetime,
    dry_run: bool = True,
    submit: bool = True,
    organisation: UUID | None = None,
    trust: SmdTrust | None = None,
) -> Brought:
    """Read a file and show what would be filed, or file it.

    Args:
        submit: hand the rights in for checking as well; otherwise they stay drafts.
        organisation: the client's, where an agent brings them in under a mandate.
        trust: whom to believe about signed marks; the home's folder says it when None.

    Raises:
        Invalid: `imports.*` where the file as a whole cannot be read or was altered.
        Refused: `imports.too_many_rows`; what people's `must` raises.
        Unavailable: what evidence's `deposit` raises; rows that were filed before stay filed.
    """
    by.must("file_rights")
    trust = trust or smd_files.load(wiring.home() / smd_files.FOLDER)
    imported = read(data, name, at=at, trust=trust)
    news = [NewRight(record=record, organisation=organisation, submit=submit) for record in imported.records]
    rows: list[Row] = []
    for start in range(0, len(news), filing.MAX_BATCH):
        part = news[start : start + filing.MAX_BATCH]
        if dry_run:
            answers: Sequence[RightSummary | PlatformError | None] = filing.would_file(part, by=by, at=at)
        else:
            answers = filing.file_rights(part, by=by, at=at)
        rows += _rows(imported, start, answers)
    if not dry_run and trust is not None and imported.signed is not None:
        rows = [_signed(row, data, trust, by=by, at=at) for row in rows]
    return Brought(
        format=imported.format,
        rows=_told_of_twins(rows) if dry_run else tuple(rows),
        problems=_elsewhere(imported),
        dry_run=dry_run,
        signed=imported.signed,
    )


def read(data: bytes, name: str, *, at: datetime, trust: SmdTrust | None) -> Imported:
    """The records of a file, of which there may be 20,000.

    Raises:
        Invalid: `imports.*`.
        Refused: `imports.too_many_rows`.
    """
    at_all = at if trust is not None else None
    imported = imports.read(data, name, trust=trust, at=at_all, most=MAX_ROWS + 1, unpacked=MAX_UNPACKED)
    if len(imported.records) > MAX_ROWS:
        raise Refused("imports.too_many_rows", limit=MAX_ROWS)
    return imported


def _rows(imported: Imported, start: int, answers: Sequence[RightSummary | PlatformError | None]) -> list[Row]:
    said: dict[str, tuple[Problem, ...]] = {}
    for problem in imported.problems:
        said[problem.where] = (*said.get(problem.where, ()), problem)
    rows = []
    for place, answer in enumerate(answers, start):
        where, record = imported.places[place], imported.records[place]
        problems = said.get(where, ())
        if isinstance(answer, PlatformError):
            refusal = Problem(where=where, code=answer.code, facts=answer.facts)
            rows.append(Row(where=where, record=record, outcome="refused", problems=(*problems, refusal)))
        elif answer is None:
            rows.append(Row(where=where, record=record, outcome="good", problems=problems))
        else:
            rows.append(Row(where=where, record=record, outcome="filed", problems=problems, number=answer.number))
    return rows


def _told_of_twins(rows: list[Row]) -> tuple[Row, ...]:
    """Looking at a file of several batches, a row that repeats one of an earlier batch is no row to be filed."""
    seen: dict[tuple[str, str, str, tuple[str, ...]], str] = {}
    told = []
    for row in rows:
        record = row.record
        key = (record.kind, record.office, record.st13, tuple(sorted(each.code for each in record.classes)))
        if row.outcome == "good" and record.st13 and key in seen:
            problem = Problem(where=row.where, code="imports.row_repeated", facts={"first": seen[key]})
            told.append(replace(row, outcome="refused", problems=(*row.problems, problem)))
            continue
        if record.st13:
            seen.setdefault(key, row.where)
        told.append(row)
    return tuple(told)


def _signed(row: Row, data: bytes, trust: SmdTrust, *, by: Actor, at: datetime) -> Row:
    if row.outcome != "filed":
        return row
    try:
        summary = verify.verify_signed(row.number, data, trust, by=by, at=at)
    except PlatformError as error:
        problem = Problem(where=row.where, code=error.code, facts=error.facts, stops=False)
        return replace(row, problems=(*row.problems, problem))
    return replace(row, level=summary.level)


def _elsewhere(imported: Imported) -> tuple[Problem, ...]:
    """Problems of places that gave no record."""
    kept = set(imported.places)
    return tuple(problem for problem in imported.problems if problem.where not in kept)


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """What became of an office's file: `kept` of its records are new here, `same` were here already."""

    format: str
    kept: int
    same: int
    problems: tuple[Problem, ...]


def bring_in_office(
    data: bytes, name: str, *, operator: Operator, at: datetime, fetched_at: datetime | None = None
) -> Snapshot:
    """Keep the records of an office's own file, for claims to be compared with.

    A person's table and a certificate are no office's file and are refused here, and so is a signed mark, which speaks
    for its holder and not for the register.

    Args:
        fetched_at: when the office gave the file, where the file does not say so itself.

    Raises:
        Invalid: `imports.*`.
        Refused: `imports.no_office_file`.
    """
    imported = imports.read(data, name)
    if imported.format not in ("st66", "st96", "snapshot"):
        raise Refused("imports.no_office_file", format=imported.format)
    kept, same = 0, 0
    problems = list(imported.problems)
    for start in range(0, len(imported.records), office.MAX_BATCH):
        part = imported.records[start : start + office.MAX_BATCH]
        done = office.keep_records(part, operator=operator, at=at, fetched_at=fetched_at)
        kept, same = kept + done.new, same + done.same
        problems += (
            Problem(where=imported.places[start + place], code=error.code, facts=error.facts)
            for place, error in done.problems
        )
    return Snapshot(format=imported.format, kept=kept, same=same, problems=tuple(problems))


def ask_office(
    office_code: str, number: str, *, access: Access, operator: Operator, at: datetime, simulated: bool = False
) -> Record:
    """Ask an office for one record and keep it, for claims to be compared with.

    Args:
        access: what the operator's file sets up.
        simulated: also keep what a simulator answers; for demonstrations only, where nothing real is verified.

    Raises:
        Refused: `imports.office_not_connected`, `imports.office_number`, `imports.office_has_none`,
            `imports.office_key_wrong`; `imports.office_simulated` for a simulator's answer.
        Invalid: `imports.office_answer`, and what the readers and `keep_records` raise for the record.
        Unavailable: `imports.office_no_answer`, `imports.office_busy`.
    """
    connector = connector_for(access, office_code, clock=lambda: at)
    try:
        record = connector.record(number)
    finally:
        connector.close()
    if "simulated" in record.raw and not simulated:
        raise Refused("imports.office_simulated")
    kept = office.keep_records([record], operator=operator, at=at)
    for _, error in kept.problems:
        raise error
    return record
