"""Settle: tell deposits where the log has put their statements. Called by the log's book, inside its transaction."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from django.db import connection

from chopmark.ledger.stores import Entry

SETTLE = "UPDATE evidence_deposit SET position = %s, published_at = %s WHERE leaf = %s AND position IS NULL"


def settle(first: int, entries: Sequence[Entry], at: datetime) -> None:
    """The entries stand at `first` and after it, under a checkpoint made at `at`; doing it again changes nothing.

    Entries that are no deposits (the platform's own statements) are passed over.
    """
    adapt = connection.ops.adapt_datetimefield_value
    with connection.cursor() as cursor:
        cursor.executemany(SETTLE, [(first + n, adapt(at), each.leaf) for n, each in enumerate(entries)])
