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


def restate(at: datetime) -> int:
    """State the registration policy once more when a quorum is in force and nothing stands under it yet; how many.

    A quorum counts from the checkpoint after the one that published it. Where nobody deposits for a while there would
    be none, and no receipt that the consortium has signed, for all that was there before.

    Raises:
        Unavailable: `evidence.intake_key_missing`.
    """
    latest, least = wiring.book().latest(), wiring.least_size(0)
    if latest is None or latest.size >= least:
        return 0
    policy = wiring.policy_id()
    statement = policy_statement(
        wiring.registration_policy(),
        issuer=wiring.intake_issuer(),
        subject=f"{wiring.base_url()}/policy/{policy.hex()}",
        key=wiring.intake_key(),
        at=at,
    )
    return _found(f"policy {policy.hex()} from {least}", statement, at)


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
