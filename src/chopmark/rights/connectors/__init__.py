"""Offices asked over the network for one record: EUIPO's trade mark search and the USPTO's TSDR.

    connector_for(access, "EM", clock=now).record("018123456") -> Record

These are written against the shapes of answers that the offices document and that others recorded; no live office has
been asked from here. `simulator` serves answers of those shapes with made-up data, and says in every answer that it is
one; a record from it bears `raw["simulated"]`.

A connector keeps nothing and decides nothing. What an office answers is as hostile as any file: bounded in bytes, no
redirect followed, parsed by the readers of `rights.imports`. Addresses come from the operator's file, never from a
request.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Protocol

from chopmark.base.errors import Refused
from chopmark.rights.connectors.access import Access
from chopmark.rights.connectors.euipo import Euipo
from chopmark.rights.connectors.tsdr import Tsdr
from chopmark.rights.record import Record

OFFICES = ("EM", "US")


class Connector(Protocol):
    """One office that can be asked."""

    def record(self, number: str) -> Record:
        """The record under an application's or registration's number.

        Raises:
            Refused: `imports.office_has_none`, `imports.office_key_wrong`, `imports.office_number`.
            Invalid: `imports.office_answer` and the readers' own for an answer that is not what it should be.
            Unavailable: `imports.office_no_answer`, `imports.office_busy`.
        """

    def close(self) -> None:
        """Give the connection back."""


def connector_for(access: Access, office: str, *, clock: Callable[[], datetime]) -> Connector:
    """The connector of an office.

    Raises:
        Refused: `imports.office_not_connected` for one that has no connector, or none set up here.
    """
    if office == "EM" and access.euipo is not None:
        return Euipo(access.euipo, clock=clock)
    if office == "US" and access.tsdr is not None:
        return Tsdr(access.tsdr, clock=clock)
    raise Refused("imports.office_not_connected", office=office[:8])
