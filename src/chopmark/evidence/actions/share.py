"""Share: let anybody who has a link see one receipt, until the link is taken back."""

from __future__ import annotations

import hashlib
import secrets
from datetime import datetime
from uuid import UUID

from chopmark.base.errors import Refused
from chopmark.evidence.models import Deposit, ShareLink
from chopmark.people.actor import Actor


def share(deposit_id: UUID, *, by: Actor, at: datetime) -> str:
    """A new token for the deposit's receipt page; it is shown once, only its SHA-256 is kept.

    Raises:
        Refused: `evidence.deposit_not_found`; what people's `must` raises.
    """
    by.must("deposit")
    row = _mine(deposit_id, by)
    token = secrets.token_urlsafe(24)
    ShareLink.objects.create(
        token_hash=hashlib.sha256(token.encode()).digest(),
        deposit=row,
        organisation=by.organisation_id,
        made_by=by.user_id,
        made_at=at,
    )
    return token


def unshare(deposit_id: UUID, *, by: Actor, at: datetime) -> int:
    """Take back every link to the deposit's receipt; how many there were.

    Raises:
        Refused: `evidence.deposit_not_found`; what people's `must` raises.
    """
    by.must("deposit")
    row = _mine(deposit_id, by)
    return ShareLink.objects.filter(deposit=row, revoked_at=None).update(revoked_at=at)


def _mine(deposit_id: UUID, by: Actor) -> Deposit:
    row = Deposit.objects.filter(pk=deposit_id, organisation=by.organisation_id).first()
    if row is None:
        raise Refused("evidence.deposit_not_found")
    return row
