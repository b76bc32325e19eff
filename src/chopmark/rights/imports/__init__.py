"""Files of offices and of people, read into records; nothing is stored, nothing is fetched.

    read(bytes, "marks.xml") -> Imported(records, problems)

The form is known by content, never by the name of the file:

    signed marks (RFC 7848)       smd          judged against what the operator trusts
    ST.66, ST.96                  st66, st96   trade marks of offices
    snapshots                     snapshot     a ZIP of such files, or lines of JSON
    tables                        table        CSV, XLSX with headings in Chinese or English
    certificates                  certificate  the text of a PDF, to fill in a form

Everything is bounded in bytes, elements, rows and time, and hostile until it has been read.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from chopmark.base.errors import Invalid
from chopmark.rights.imports import certificate, office_xml, pdf, smd, snapshot, table, workbook, xml
from chopmark.rights.imports.result import Imported, Problem, Signed
from chopmark.rights.imports.smd import SmdTrust

__all__ = ["Imported", "Problem", "Signed", "SmdTrust", "read"]

MAX_BYTES, MAX_RECORDS, MAX_UNPACKED = snapshot.MAX_BYTES, snapshot.MAX_RECORDS, snapshot.MAX_UNPACKED


@dataclass(frozen=True, slots=True, kw_only=True)
class _File:
    """A file on its way to its reader; the members are those of `read`."""

    data: bytes
    sha256: bytes
    most: int
    unpacked: int


def read(
    data: bytes,
    name: str = "",
    *,
    trust: SmdTrust | None = None,
    at: datetime | None = None,
    most: int = MAX_RECORDS,
    unpacked: int = MAX_UNPACKED,
) -> Imported:
    """The records of a file.

    Args:
        name: for the person; only an ending `.csv` or `.txt` is used, for text that looks like nothing else.
        trust, at: whom to believe about signed marks, and on which moment; without them a signed mark is read but
            reported as not judged.
        most: records; what has more is refused, or says where it was left.
        unpacked: bytes that a ZIP may unpack to.

    Raises:
        Invalid: where the file as a whole cannot be read, `imports.format_unknown` where nobody knows its form.
    """
    if not data:
        raise Invalid("imports.empty")
    if len(data) > MAX_BYTES:
        raise Invalid("imports.too_large", megabytes=MAX_BYTES // 1024 // 1024)
    if smd.is_one(data):
        return smd.read(data, trust=trust, at=at)
    file = _File(data=data, sha256=hashlib.sha256(data).digest(), most=most, unpacked=unpacked)
    for is_one, reader in _FORMS:
        if is_one(data):
            return reader(file)
    if _is_text(data) or name.lower().endswith((".csv", ".tsv", ".txt")):
        return table.read_csv(data, sha256=file.sha256)
    raise Invalid("imports.format_unknown")


# In this order: a workbook is a ZIP too.
def _zip(file: _File) -> Imported:
    return snapshot.read_zip(file.data, sha256=file.sha256, most=file.most, unpacked=file.unpacked)


_FORMS: tuple[tuple[Callable[[bytes], bool], Callable[[_File], Imported]], ...] = (
    (pdf.is_one, lambda file: certificate.read(pdf.text(file.data), sha256=file.sha256)),
    (workbook.is_one, lambda file: table.read_xlsx(file.data, sha256=file.sha256)),
    (snapshot.is_zip, _zip),
    (snapshot.is_lines, lambda file: snapshot.read_lines(file.data, sha256=file.sha256, most=file.most)),
    (xml.looks_like, lambda file: office_xml.read(file.data, sha256=file.sha256, most=file.most)),
)


def _is_text(data: bytes) -> bool:
    """Whether the first line could be the headings of a table."""
    head = data[:4096]
    if head[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return True
    first = head.partition(b"\n")[0]
    controls = sum(byte < 9 or 13 < byte < 32 for byte in head)
    return controls == 0 and any(mark in first for mark in (b",", b";", b"\t"))
