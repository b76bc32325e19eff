"""The USPTO's Trademark Status and Document Retrieval: `GET /ts/cd/casestatus/{sn|rn}{number}/info.xml`, ST.96.

A key stands in a header. The answer is read by the reader of ST.96 (or ST.66, which older answers were), and must be
about the mark that was asked for. From here the office has not been asked; the answers that were recorded by others are
in the tests' reference data.
"""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

import httpx

from chopmark.base.errors import Invalid, Refused
from chopmark.rights.connectors.access import TsdrAccess
from chopmark.rights.connectors.door import Answer, Door
from chopmark.rights.imports import office_xml
from chopmark.rights.record import Record

_FORM = re.compile(r"(?:US)?(SN|RN)?([0-9]{5,8})")


class Tsdr:
    """The USPTO, asked with the operator's key."""

    def __init__(
        self,
        access: TsdrAccess,
        *,
        clock: Callable[[], datetime],
        wait: Callable[[float], None] = time.sleep,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self._access = access
        self._clock = clock
        self._door = Door("US", wait=wait, transport=transport)

    def record(self, number: str) -> Record:
        """See `Connector.record`; eight figures are a serial number, fewer a registration's; `sn`, `rn` say which."""
        match = _FORM.fullmatch(re.sub(r"[\s,./-]", "", number.upper()))
        if match is None:
            raise Refused("imports.office_number", number=number[:40])
        kind = (match[1] or ("SN" if len(match[2]) == 8 else "RN")).lower()
        url = f"{self._access.api}/ts/cd/casestatus/{kind}{match[2]}/info.xml"
        answer = self._door.get(url, {"USPTO-API-KEY": self._access.key, "Accept": "application/xml"})
        return read(answer, url=url, fetched_at=self._clock(), kind=kind, number=match[2])

    def close(self) -> None:
        """Give the connection back."""
        self._door.close()


def read(answer: Answer, *, url: str, fetched_at: datetime, kind: str, number: str) -> Record:
    """A record from TSDR's answer.

    Raises:
        Invalid: as the readers of XML; `imports.office_answer` for one that is about another mark.
    """
    digest = hashlib.sha256(answer.body).digest()
    imported = office_xml.read(answer.body, sha256=digest, fetched_at=fetched_at)
    if len(imported.records) != 1:
        raise Invalid("imports.office_answer", office="US", status=answer.status)
    [record] = imported.records
    said = record.application_number if kind == "sn" else record.registration_number
    if record.office != "US" or said.lstrip("0") != number.lstrip("0"):
        raise Invalid("imports.office_answer", office="US", status=answer.status)
    raw = dict(record.raw) | ({"simulated": "yes"} if answer.simulated else {})
    return replace(record, raw=raw, source=replace(record.source, format="tsdr", url=url))
