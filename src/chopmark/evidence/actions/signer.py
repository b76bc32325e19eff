"""Depositors' signing keys, made known on the ledger: who checks an entry years from now finds its key there.

The statement says what every statement that the key signs says anyway: the thumbprint, and the issuer's URI, which
names nobody. The intake key signs it, since the web process takes such keys in.
"""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from django.db import transaction

from chopmark.evidence import wiring
from chopmark.evidence.models import Founding
from chopmark.ledger.statement import PublicKey, Statement, key_statement, search_keys
from chopmark.ledger.stores import Entry
from chopmark.ledger.tree import leaf_hash
from chopmark.people import actions as people
from chopmark.people import queries
from chopmark.people.actor import Actor


@wiring.answering()
def register_key(key: bytes, name: str, *, by: Actor, at: datetime) -> bytes:
    """Make a depositor's key its organisation's own, and known; its thumbprint.

    Raises:
        Invalid, Refused: what people's `register_issuer_key` raises.
        Unavailable: `evidence.intake_key_missing`, `ledger.database_unavailable`.
    """
    with transaction.atomic():
        thumbprint = people.register_issuer_key(key, name, by=by, at=at)
        _state("key", by.organisation_id, queries.issuer_key(thumbprint, by.organisation_id)[1], at)
    return thumbprint


@wiring.answering()
def retire_key(thumbprint: bytes, *, by: Actor, at: datetime) -> None:
    """Accept nothing more from a key, and say so on the ledger; what it signed stays verifiable.

    Raises:
        Refused: what people's `retire_issuer_key` raises.
        Unavailable: `evidence.intake_key_missing`, `ledger.database_unavailable`.
    """
    with transaction.atomic():
        people.retire_issuer_key(thumbprint, by=by, at=at)
        _state("key_retired", by.organisation_id, queries.issuer_key(thumbprint, by.organisation_id)[1], at)


@wiring.answering()
def state_keys(at: datetime) -> int:
    """Make known what was registered before this was done at once; how many statements that took.

    Raises:
        Unavailable: `evidence.intake_key_missing`, `ledger.database_unavailable`.
    """
    with transaction.atomic():
        return sum(
            _state(kind, organisation, cose_key, at)
            for organisation, cose_key, retired in queries.every_issuer_key()
            for kind in (("key", "key_retired") if retired else ("key",))
        )


def _state(kind: str, organisation: UUID, cose_key: bytes, at: datetime) -> int:
    public, key = PublicKey.from_cose(cose_key), wiring.intake_key()
    name = f"{kind} {public.thumbprint.hex()} {organisation}"
    if Founding.objects.filter(name=name).exists():
        return 0
    raw = key_statement(
        public,
        kind=kind,
        issuer=wiring.intake_issuer(),
        subject=wiring.issuer_of(organisation),
        policy=wiring.policy_id(),
        key=key,
        at=at,
    )
    leaf = leaf_hash(raw)
    Founding.objects.create(name=name, leaf=leaf, statement=raw, issuer_key=key.public.to_cose(), made_at=at)
    wiring.book().enqueue([Entry(leaf=leaf, statement=raw, search_keys=search_keys(Statement.parse(raw)))], at)
    return 1
