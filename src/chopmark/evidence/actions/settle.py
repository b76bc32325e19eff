"""Settle: tell deposits where the log has put their statements. Called by the log's book, inside its transaction."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from django.db import connection, transaction

from chopmark.evidence.actions.force import take_force
from chopmark.evidence.models import Governance
from chopmark.ledger.stores import Entry

SETTLE = "UPDATE evidence_deposit SET position = %s, published_at = %s WHERE leaf = %s AND position IS NULL"


def settle(first: int, entries: Sequence[Entry], at: datetime) -> None:
    """The entries stand at `first` and after it, under a checkpoint made at `at`; doing it again changes nothing.

    Governance papers among them take force once the transaction is committed, that is for every later checkpoint.
    Other entries that are no deposits (the platform's own statements) are passed over.
    """
    adapt = connection.ops.adapt_datetimefield_value
    with connection.cursor() as cursor:
        cursor.executemany(SETTLE, [(first + n, adapt(at), each.leaf) for n, each in enumerate(entries)])
    _settle_governance(first, entries)


def _settle_governance(first: int, entries: Sequence[Entry]) -> None:
    waiting = {bytes(leaf): pk for pk, leaf in Governance.objects.filter(position=None).values_list("pk", "leaf")}
    if not waiting:
        return
    size = first + len(entries)
    settled = [(first + n, waiting[each.leaf]) for n, each in enumerate(entries) if each.leaf in waiting]
    for position, pk in settled:
        row = Governance.objects.filter(pk=pk)
        row.update(position=position)
        row.filter(published_in=None).update(published_in=size)
    if settled:
        transaction.on_commit(take_force)
