"""An office's XML, of whichever standard: the one place that knows which reader reads it."""

from __future__ import annotations

from datetime import datetime

from chopmark.base.errors import Invalid
from chopmark.rights.imports import st66, st96, xml
from chopmark.rights.imports.result import Imported

MAX_RECORDS = 100_000


def read(data: bytes, *, sha256: bytes, fetched_at: datetime | None = None, most: int = MAX_RECORDS) -> Imported:
    """The records of an XML file: the first so many, and a problem where there are more.

    Raises:
        Invalid: as `xml.parse`; `imports.format_unknown`.
    """
    root = xml.parse(data)
    most = min(most, MAX_RECORDS)
    if st96.is_one(root):
        return st96.read(root, sha256=sha256, fetched_at=fetched_at, most=most)
    if st66.is_one(root):
        return st66.read(root, sha256=sha256, fetched_at=fetched_at, most=most)
    raise Invalid("imports.format_unknown")
