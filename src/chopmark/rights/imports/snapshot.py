"""A copy of a register, or of a part of it, taken on a day: what an office gives in bulk.

Two forms. A ZIP of the office's own files (ST.66, ST.96), as the USPTO gives them daily. And lines of JSON, for offices
whose data somebody turned into this project's own form: the first line says what it is, each further line is one record
in the one encoding of `rights.encoding`.

    {"snapshot": 1, "office": "EM", "fetched_at": "2026-11-22T00:00:00Z", "records": 2, "url": "..."}
    {"kind": "trademark", "office": "EM", ...}

A snapshot that is cut off says so by its own count. Nothing is taken on trust about who made it: only an operator may
keep one, and each record bears the digest of the whole.
"""

from __future__ import annotations

import json
import zipfile
from dataclasses import replace
from datetime import datetime
from typing import Any

from chopmark.base.errors import Invalid, PlatformError
from chopmark.rights import encoding
from chopmark.rights.imports import archive, office_xml, xml
from chopmark.rights.imports.archive import Archive
from chopmark.rights.imports.fields import Notes
from chopmark.rights.imports.plain import folded
from chopmark.rights.imports.result import Imported, Problem
from chopmark.rights.record import Record, Source

MAX_BYTES = 256 * 1024 * 1024
MAX_LINE = 2 * 1024 * 1024
MAX_RECORDS = 500_000
MAX_MEMBERS = 20_000
MAX_UNPACKED = 1024 * 1024 * 1024
MAX_RATIO = 200


def is_lines(data: bytes) -> bool:
    """Whether these bytes begin as a snapshot in lines."""
    return data[:64].lstrip().startswith(b'{"snapshot"')


def is_zip(data: bytes) -> bool:
    """Whether these bytes are a ZIP."""
    return data[:4] == b"PK\x03\x04"


def read_lines(data: bytes, *, sha256: bytes, most: int = MAX_RECORDS) -> Imported:
    """The records of a snapshot in lines, of which there may be `most`.

    Raises:
        Invalid: `imports.snapshot_header`, `imports.snapshot_cut_off`, `imports.too_many`, `imports.too_large`.
    """
    if len(data) > MAX_BYTES:
        raise Invalid("imports.too_large", megabytes=MAX_BYTES // 1024 // 1024)
    office, fetched_at, announced, url = _header(data.partition(b"\n")[0])
    if announced > most:
        raise Invalid("imports.too_many", limit=most)
    found = data.count(b"\n") - data.endswith(b"\n")
    if announced != found:  # counted before they are parted: a line takes more memory than its end
        raise Invalid("imports.snapshot_cut_off", announced=announced, found=found)
    lines = data.removesuffix(b"\n").split(b"\n")
    source = Source(format="snapshot", sha256=sha256, fetched_at=fetched_at, url=url)
    records, places, problems = [], [], []
    for number, line in enumerate(lines[1:], 2):
        notes = Notes(where=f"line {number}")
        record = _line(line, office, notes)
        problems += notes.problems
        if record is not None:
            records.append(replace(record, source=source))
            places.append(notes.where)
    return Imported(format="snapshot", records=tuple(records), places=tuple(places), problems=tuple(problems))


def _header(line: bytes) -> tuple[str, datetime, int, str]:
    header = _json(line, Notes(where="line 1"))
    if not isinstance(header, dict) or header.get("snapshot") != 1:
        raise Invalid("imports.snapshot_header")
    if not set(header) <= {"snapshot", "office", "fetched_at", "records", "url"}:
        raise Invalid("imports.snapshot_header")
    office, fetched, announced = header.get("office"), header.get("fetched_at"), header.get("records")
    url = header.get("url", "")
    if not isinstance(office, str) or not isinstance(fetched, str) or not isinstance(url, str):
        raise Invalid("imports.snapshot_header")
    if type(announced) is not int or announced < 0 or not fetched.endswith("Z"):
        raise Invalid("imports.snapshot_header")
    try:
        return office, datetime.fromisoformat(fetched), announced, url[:500]
    except ValueError:
        raise Invalid("imports.snapshot_header") from None


def _line(line: bytes, office: str, notes: Notes) -> Record | None:
    data = _json(line, notes)
    if data is None:
        return None
    try:
        record = encoding.parse_record(data)
    except PlatformError as error:
        notes.problems.append(Problem(where=notes.where, code=error.code, facts=error.facts))
        return None
    if record.office != office:
        notes.problem("imports.snapshot_other_office", stops=True, office=record.office, expected=office)
        return None
    return record


def _json(line: bytes, notes: Notes) -> Any:  # noqa: ANN401  what JSON holds
    """One line as JSON; a name twice, a number that is none and bad UTF-8 are refused."""
    if len(line) > MAX_LINE:
        notes.problem("imports.value_too_long", stops=True, limit=MAX_LINE)
        return None
    try:
        return json.loads(line.decode(), object_pairs_hook=_once, parse_constant=_never)
    except (UnicodeDecodeError, ValueError, RecursionError):
        notes.problem("imports.snapshot_line", stops=True)
        return None


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a name twice")
    return members


def _never(constant: str) -> None:
    raise ValueError(constant)


def read_zip(
    data: bytes,
    *,
    sha256: bytes,
    fetched_at: datetime | None = None,
    most: int = MAX_RECORDS,
    unpacked: int = MAX_UNPACKED,
) -> Imported:
    """The records of every XML file of a ZIP; another file, or one that cannot be read, is a problem of its own.

    Args:
        most: records.
        unpacked: bytes of all files together.

    Raises:
        Invalid: `imports.too_large`, `imports.too_many`, `imports.zip_malformed`, `imports.zip_bomb`,
            `imports.zip_empty`.
    """
    if len(data) > MAX_BYTES:
        raise Invalid("imports.too_large", megabytes=MAX_BYTES // 1024 // 1024)
    records: list[Record] = []
    places: list[str] = []
    problems: list[Problem] = []
    with archive.opened(data, archive.Limits(members=MAX_MEMBERS, unpacked=unpacked, ratio=MAX_RATIO)) as packed:
        if len({_shown(member) for member in packed.members}) != len(packed.members):
            raise Invalid("imports.zip_malformed")  # two of one name: which is meant is anybody's guess
        for member in packed.members:
            imported = _member(packed, member, sha256=sha256, fetched_at=fetched_at, most=most - len(records))
            if len(records) + len(imported.records) > most:
                raise Invalid("imports.too_many", limit=most)
            records += imported.records
            name = _shown(member)
            places += (f"{name}: {place}" for place in imported.places)
            problems += (replace(one, where=f"{name}: {one.where}") for one in imported.problems)
    if not records and not problems:
        raise Invalid("imports.zip_empty")
    return Imported(format="snapshot", records=tuple(records), places=tuple(places), problems=tuple(problems))


def _member(
    packed: Archive, member: zipfile.ZipInfo, *, sha256: bytes, fetched_at: datetime | None, most: int
) -> Imported:
    try:
        content = packed.read(member, xml.MAX_BYTES + 1)
        imported = office_xml.read(content, sha256=sha256, fetched_at=fetched_at, most=most + 1)
    except Invalid as error:
        problem = Problem(where="file", code=error.code, facts=error.facts)
        return Imported(format="snapshot", problems=(problem,))
    kept = tuple(replace(record, source=replace(record.source, format="snapshot")) for record in imported.records)
    return replace(imported, format="snapshot", records=kept)


def _shown(member: zipfile.ZipInfo) -> str:
    """A member's name as a place is told."""
    return folded(member.filename[-120:])
