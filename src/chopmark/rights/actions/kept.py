"""Files that the platform keeps, as works and searches use them; and the numbers of changes that indexes follow."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from django.db import connection

from chopmark.base.errors import Invalid, Refused
from chopmark.evidence import queries as evidence_queries
from chopmark.evidence import wiring
from chopmark.people.actor import Actor
from chopmark.rights.actions.common import servant_of


@dataclass(frozen=True, slots=True, kw_only=True)
class NewWorkFile:
    """A file: a finished upload, or a deposit with its file, of the organisation that acts."""

    upload: UUID | None = None
    deposit: UUID | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """A file that the platform keeps, before it is deposited or after."""

    new: NewWorkFile
    sha256: bytes
    size: int
    name: str
    path: Path


def keep(new: NewWorkFile, by: Actor) -> Kept:
    """The file behind an upload or a deposit.

    Raises:
        Refused: `evidence.upload_not_found`, `evidence.deposit_not_found`, `evidence.file_not_found`.
        Invalid: `evidence.upload_unfinished`, `works.incomplete`.
    """
    servant = servant_of(by.organisation_id, by.user_id)
    if new.deposit is not None:
        deposit = evidence_queries.deposit_of(servant, new.deposit)
        if not deposit.kept or deposit.sha256 is None or deposit.size is None:
            raise Refused("evidence.file_not_found", number=deposit.number)
        digest, size, name = deposit.sha256, deposit.size, deposit.file_name
    elif new.upload is not None:
        upload = evidence_queries.upload_of(servant, new.upload)
        if upload.sha256 is None:
            raise Invalid("evidence.upload_unfinished", offset=upload.offset, length=upload.length)
        digest, size, name = upload.sha256, upload.length, upload.file_name
    else:
        raise Invalid("works.incomplete", name="files")
    return Kept(new=new, sha256=digest, size=size, name=name, path=wiring.blobs().path(digest))


def take_changes(counter: str, count: int) -> int:
    """Reserve numbers of changes; the first of them. Must run inside the transaction that uses them.

    The row of the counter stays locked until that transaction ends, so numbers appear in their order.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO rights_serial (name, last) VALUES (%s, %s) "
            "ON CONFLICT (name) DO UPDATE SET last = rights_serial.last + excluded.last RETURNING last",
            [counter, count],
        )
        [last] = cursor.fetchone()
    return int(last) - count + 1
