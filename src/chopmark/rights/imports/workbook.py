"""The first sheet of a workbook from a stranger, read in a process of its own that may use little and ends in time.

A small workbook can describe more work than its size: a cell at the end of each row, a million styles, strings that
nobody uses. Its parts are counted and measured here; the child (`workbook_child`) gets nothing but XML parts without a
document type, has limits on processor time, memory and output, and gives back rows or nothing.
"""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Sequence
from datetime import date
from pathlib import Path

from chopmark.base.errors import Invalid
from chopmark.rights.imports import archive

MAX_BYTES = 32 * 1024 * 1024
LIMITS = archive.Limits(members=1000, unpacked=128 * 1024 * 1024, ratio=400)  # a sheet of equal rows reaches about 100
WALL_SECONDS = 60.0
CHILD = Path(__file__).with_name("workbook_child.py")
_REFUSALS = {3: "imports.too_many", 4: "imports.table_headings"}


def is_one(data: bytes) -> bool:
    """Whether these bytes are a ZIP that says it is a workbook."""
    return data[:4] == b"PK\x03\x04" and "xl/workbook.xml" in archive.names(data)


def rows(data: bytes, *, most_rows: int, most_columns: int) -> list[tuple[int, list[object]]]:
    """The rows of its first sheet that say something, with their numbers from 1; a cell is text, a day or None.

    Raises:
        Invalid: `imports.too_large`, `imports.workbook_malformed`, `imports.workbook_bomb`, `imports.too_many`,
            `imports.table_headings` for more columns than may be.
    """
    if len(data) > MAX_BYTES:
        raise Invalid("imports.too_large", megabytes=MAX_BYTES // 1024 // 1024)
    parts = _parts(data)
    try:
        done = subprocess.run(  # noqa: S603  our own interpreter and file, no shell
            [sys.executable, "-I", str(CHILD), str(most_rows), str(most_columns)],
            input=parts,
            capture_output=True,
            timeout=WALL_SECONDS,
            check=False,
            env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},  # its threads reserve memory that the child may not have
        )
    except subprocess.TimeoutExpired:
        raise Invalid("imports.workbook_malformed") from None
    if code := _REFUSALS.get(done.returncode):
        raise Invalid(code, limit=most_rows, columns=most_columns + 1)
    if done.returncode != 0:
        raise Invalid("imports.workbook_malformed")
    return [(number, list(map(_cell, cells))) for number, cells in map(json.loads, done.stdout.splitlines())]


def _cell(said: object) -> object:
    """A cell as the child wrote it: a day stands in a list."""
    return date.fromisoformat(said[0]) if isinstance(said, list) else said


def _parts(data: bytes) -> bytes:
    """A ZIP of the XML parts alone, each without a document type, none twice; pictures and macros stay outside."""
    held = io.BytesIO()
    try:
        with archive.opened(data, LIMITS) as packed, zipfile.ZipFile(held, "w") as kept:
            _must_differ(packed.members)
            for each in packed.members:
                if each.filename.endswith((".xml", ".rels")):
                    kept.writestr(each.filename, _plain(packed.read(each)))
    except Invalid as error:
        bomb = error.code == "imports.zip_bomb"
        raise Invalid("imports.workbook_bomb" if bomb else "imports.workbook_malformed") from None
    return held.getvalue()


def _must_differ(members: Sequence[zipfile.ZipInfo]) -> None:
    if len({each.filename for each in members}) != len(members):
        raise Invalid("imports.workbook_malformed")


def _plain(content: bytes) -> bytes:
    """The part, where it has no document type."""
    bare = content.replace(b"\x00", b"") if content[:2] in (b"\xff\xfe", b"\xfe\xff") else content
    if b"<!DOCTYPE" in bare or b"<!ENTITY" in bare or b"\x00" in bare[:64]:
        raise Invalid("imports.workbook_malformed")
    return content
