"""Remember: the answer to a request with an Idempotency-Key, so that its repeat gets the same answer.

Follows the IETF draft of that header: a repeat while the first still runs, and the same key on another request,
are refused. A request that died without an answer is taken up again after two minutes; deposits themselves are
idempotent, so that does no harm.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import IntegrityError, transaction

from chopmark.base.errors import Invalid, Refused
from chopmark.evidence.models import IdempotencyKey
from chopmark.people.actor import Actor

LIFE = timedelta(hours=24)
ABANDONED = timedelta(minutes=2)
MAX_KEY = 255


@dataclass(frozen=True, slots=True, kw_only=True)
class Remembered:
    """An answer given before."""

    status: int
    body: bytes


def recall(key: str, fingerprint: bytes, *, by: Actor, at: datetime) -> Remembered | None:
    """The answer given before, or None and the key is now this request's, which must `remember` or `forget`.

    Raises:
        Refused: `evidence.idempotency_conflict` while the first still runs.
        Invalid: `evidence.idempotency_reused` for another request, `evidence.idempotency_key_malformed`.
    """
    if not 1 <= len(key) <= MAX_KEY or not key.isascii() or not key.isprintable():
        raise Invalid("evidence.idempotency_key_malformed", limit=MAX_KEY)
    mine = IdempotencyKey.objects.filter(organisation=by.organisation_id, key=key)
    mine.filter(made_at__lte=at - LIFE).delete()
    mine.filter(status=None, made_at__lte=at - ABANDONED).delete()
    try:
        with transaction.atomic():
            IdempotencyKey.objects.create(organisation=by.organisation_id, key=key, fingerprint=fingerprint, made_at=at)
    except IntegrityError:
        return _earlier(mine.first(), fingerprint)
    return None


def remember(key: str, status: int, body: bytes, *, by: Actor) -> None:
    """Keep the answer for a day."""
    IdempotencyKey.objects.filter(organisation=by.organisation_id, key=key).update(status=status, body=body)


def forget(key: str, *, by: Actor) -> None:
    """The request got no answer worth repeating: the key may be used again."""
    IdempotencyKey.objects.filter(organisation=by.organisation_id, key=key, status=None).delete()


def _earlier(row: IdempotencyKey | None, fingerprint: bytes) -> Remembered:
    if row is None or (row.status is None and bytes(row.fingerprint) == fingerprint):
        raise Refused("evidence.idempotency_conflict")
    if bytes(row.fingerprint) != fingerprint or row.status is None:
        raise Invalid("evidence.idempotency_reused")
    return Remembered(status=row.status, body=bytes(row.body))
