"""What filings and orders share: numbers, versions, deposits of what was sent or heard, the outbox."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection

from chopmark.base import jcs
from chopmark.base.digests import Digests, digests_of
from chopmark.base.errors import PlatformError, Refused
from chopmark.cases.models import Desk, Dispatch, Filing, Order, Serial
from chopmark.evidence import actions as evidence
from chopmark.evidence.actions import NewDeposit
from chopmark.people.actor import Actor
from chopmark.people.queries import organisation_name

MAX_DRAFTS = 500
"""Of one organisation at a time."""


def next_number(letter: str, at: datetime) -> str:
    """The next short number, `F-2026-000001`. Must run inside the transaction that uses it."""
    with connection.cursor() as cursor:
        cursor.execute("UPDATE cases_serial SET last = last + 1 WHERE name = %s RETURNING last", [letter])
        row = cursor.fetchone()
    if row is None:
        Serial.objects.create(name=letter, last=1)
    return f"{letter}-{at.year}-{1 if row is None else int(row[0]):06d}"


def must_be_current(row: Filing | Order, version: int | None) -> None:
    """Stop here when somebody else saved in between.

    Raises:
        Refused: `cases.draft_moved`.
    """
    if version is not None and version != row.version:
        raise Refused("cases.draft_moved", number=row.number)


def drafted(row: Filing | Order) -> bytes:
    """The digest of what a preview shows and what is then sent: another draft has another one."""
    said = {"bundle": str(row.bundle), "draft": row.draft, "revision": row.revision}
    return digests_of([jcs.encode(said)]).sha256


def deposit_document(data: bytes, title: str, file_name: str, *, by: Actor, at: datetime) -> UUID:
    """Put the digest of a message on the ledger, privately; the same again is the same deposit.

    Raises:
        Refused, Unavailable: what evidence's `deposit` raises.
    """
    digests: Digests = digests_of([data])
    new = NewDeposit(
        kind="document",
        digests=digests,
        title=title,
        file_name=file_name,
        media_type="application/json",
        private=True,
        source="api" if by.user_id is None else "page",
    )
    [made] = evidence.deposit([new], by=by, at=at)
    if isinstance(made, PlatformError):
        raise made
    return made.id


def servant_of(organisation_id: UUID, made_by: int | None) -> Actor:
    """Acts for an organisation where no person is: when a desk answers, when a message is carried."""
    return Actor(
        user_id=made_by,
        organisation_id=organisation_id,
        organisation_name=organisation_name(organisation_id) or "",
        role="depositor",
    )


def dispatch(row: Filing | Order, desk: Desk, kind: str, *, at: datetime, body: bytes = b"", size: int = 0) -> None:
    """Put a message into the outbox. Must run inside the transaction that changes the row."""
    Dispatch.objects.create(
        about=row.pk,
        desk=desk,
        kind=kind,
        body=body,
        organisation=row.organisation,
        made_by=row.made_by,
        next_try=at,
        size=size,
        made_at=at,
    )


def merged(draft: Mapping[str, Any], step: str, data: Mapping[str, Any]) -> dict[str, Any]:
    """The draft with one step replaced."""
    return {**draft, step: dict(data)}
