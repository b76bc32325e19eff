"""Genesis: the log's first entries, the registration policy and the intake key (RFC 9943: both must be registered)."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction

from chopmark.evidence import wiring
from chopmark.evidence.actions.signer import state_keys
from chopmark.evidence.models import Founding
from chopmark.ledger.statement import Statement, key_statement, policy_statement, search_keys
from chopmark.ledger.stores import Entry
from chopmark.ledger.tree import leaf_hash


def genesis(at: datetime) -> int:
    """Enqueue statements for the policy, the intake key and depositors' keys, unless that was done before; how many.

    Raises:
        Unavailable: `evidence.intake_key_missing`.
    """
    key = wiring.intake_key()
    policy, thumbprint = wiring.policy_id(), key.public.thumbprint
    issuer = wiring.intake_issuer()
    made = 0
    if not Founding.objects.filter(name=f"policy {policy.hex()}").exists():
        text = wiring.registration_policy()
        subject = f"{wiring.base_url()}/policy/{policy.hex()}"
        statement = policy_statement(text, issuer=issuer, subject=subject, key=key, at=at)
        made += _found(f"policy {policy.hex()}", statement, at)
    if not Founding.objects.filter(name=f"key {thumbprint.hex()}").exists():
        statement = key_statement(key.public, issuer=issuer, subject=issuer, policy=policy, key=key, at=at)
        made += _found(f"key {thumbprint.hex()}", statement, at)
    return made + state_keys(at)


def _found(name: str, raw: bytes, at: datetime) -> int:
    statement = Statement.parse(raw)
    leaf = leaf_hash(raw)
    with transaction.atomic():
        _, created = Founding.objects.get_or_create(
            name=name,
            defaults={
                "leaf": leaf,
                "statement": raw,
                "issuer_key": wiring.intake_key().public.to_cose(),
                "made_at": at,
            },
        )
        if created:
            wiring.book().enqueue([Entry(leaf=leaf, statement=raw, search_keys=search_keys(statement))], at)
    return int(created)
