"""What the events of a work say, and what a record of a work must be. Pure.

A work's events are events like a right's (`history.Event`: canonical JSON, chained, deposited); their types begin with
`work_`. Who registers a work claims it: nothing here or elsewhere decides who made it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from chopmark.base.errors import Invalid
from chopmark.rights.record import Identified, WorkFile, WorkRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkFiled:
    """A work came in, with its files."""

    number: str
    organisation: str
    record: WorkRecord
    files: tuple[WorkFile, ...]
    identified: tuple[Identified, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkIdentified:
    """A file of it was decoded."""

    found: Identified


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkAmended:
    """What is said of it was changed."""

    record: WorkRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkWithdrawn:
    """It is protected here no more; what was deposited stays."""

    reason: str = ""


Payload = WorkFiled | WorkIdentified | WorkAmended | WorkWithdrawn
PAYLOADS: Mapping[str, type[Payload]] = {
    "work_filed": WorkFiled,
    "work_identified": WorkIdentified,
    "work_amended": WorkAmended,
    "work_withdrawn": WorkWithdrawn,
}

MAX_TITLE: Final = 300
MAX_STATEMENT: Final = 2000
MAX_AUTHORS: Final = 50
MAX_URL: Final = 500
MAX_NAME: Final = 300
LICENCES: Final = (
    *("CC0-1.0", "CC-BY-4.0", "CC-BY-SA-4.0", "CC-BY-ND-4.0"),
    *("CC-BY-NC-4.0", "CC-BY-NC-SA-4.0", "CC-BY-NC-ND-4.0"),
    *("CC-BY-3.0", "CC-BY-SA-3.0", "CC-BY-ND-3.0", "CC-BY-NC-3.0", "CC-BY-NC-SA-3.0", "CC-BY-NC-ND-3.0", "CC-PDDC"),
    *("MIT", "Apache-2.0", "BSD-3-Clause", "OFL-1.1", "LAL-1.3", "GFDL-1.3-only", "GFDL-1.3-or-later"),
)
"""SPDX identifiers that are offered; others are written `LicenseRef-...` with an address."""
_REFERENCE = re.compile(r"LicenseRef-[A-Za-z0-9.-]{1,64}")
_URL = re.compile(r"https?://[^\s<>\"]{3,}")


def check(record: WorkRecord) -> None:
    """Whether a record makes sense on its face; whether it is true is nobody's claim here.

    Raises:
        Invalid: `works.incomplete`, `works.too_long`, `works.licence_unknown`, `works.address_malformed`,
            `works.dates_contradict`.
    """
    for name, value in (("title", record.title), ("statement", record.statement)):
        if not value.strip():
            raise Invalid("works.incomplete", name=name)
    limits = {"title": MAX_TITLE, "statement": MAX_STATEMENT, "series": MAX_NAME}
    limits |= {"licence_url": MAX_URL, "tdm_policy": MAX_URL}
    for name, limit in limits.items():
        if len(getattr(record, name)) > limit:
            raise Invalid("works.too_long", name=name, limit=limit)
    if len(record.authors) > MAX_AUTHORS or any(len(each.name) > MAX_NAME for each in record.authors):
        raise Invalid("works.too_long", name="authors", limit=MAX_AUTHORS)
    if record.licence and record.licence not in LICENCES and not _REFERENCE.fullmatch(record.licence):
        raise Invalid("works.licence_unknown", licence=record.licence[:80])
    for name in ("licence_url", "tdm_policy"):
        if getattr(record, name) and not _URL.fullmatch(getattr(record, name)):
            raise Invalid("works.address_malformed", name=name)
    published = record.publication.on if record.publication else None
    if published and record.created_on and published < record.created_on:
        raise Invalid("works.dates_contradict", created=str(record.created_on), published=str(published))
