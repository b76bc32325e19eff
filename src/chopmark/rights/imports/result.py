"""What reading an office's file gives: records, and what could not be read, with its place.

A problem never stops the rest: a file of a thousand rows with one bad row gives 999 records and one problem. Only bytes
that cannot be read as anything at all, or that are an attack, raise `Invalid` for the whole file.
Nothing here decides whether a record is true; that is asked by comparison with an office's own record.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from chopmark.base.errors import Fact
from chopmark.rights.record import Record


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """Something in a file that could not be taken as it stands.

    Attributes:
        where: `line 7`, `row 3`, `record 2`, `member 5 of FILE`: for people, and stable for one file.
        code: of the wording catalogue.
        stops: True where the record concerned was left out; False where it was taken without this field.
    """

    where: str
    code: str
    facts: Mapping[str, Fact] = field(default_factory=dict)
    stops: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Signed:
    """A signed mark (RFC 7848) whose signature, chain and revocation lists were checked at `judged_at`.

    Attributes:
        id: the clearing house's number of this signed mark.
        sha256: of the signed XML, not of the file around it.
        issuer: the organisation that signed; `validator` is the subject of its certificate.
        labels: domain labels that the clearing house derived.
    """

    id: str
    sha256: bytes
    issuer: str
    validator: str
    not_before: datetime
    not_after: datetime
    judged_at: datetime
    labels: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """Records of one file in its order.

    Attributes:
        format: as in `record.Source.format`.
        places: where each record stood, one for one.
        signed: set only where a signature was checked and holds.
    """

    format: str
    records: tuple[Record, ...] = ()
    places: tuple[str, ...] = ()
    problems: tuple[Problem, ...] = ()
    signed: Signed | None = None
