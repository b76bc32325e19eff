"""Many rows in one statement, with as little in between as can be: what a feed of a thousand listings a second needs.

PostgreSQL takes a whole column as one array (`unnest`), SQLite the rows one after another within one statement. What
Django's own `bulk_create` does costs three times as much, mostly in turning each value of each row into a parameter.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection


def is_shared() -> bool:
    """Whether several workers can write at once: PostgreSQL."""
    return connection.vendor == "postgresql"


def insert(table: str, columns: Mapping[str, str], rows: Sequence[Sequence[Any]], *, conflict: str) -> None:
    """Insert rows. In a transaction.

    Args:
        table: as it is called in the database.
        columns: names with their kinds in PostgreSQL, in the order of the values.
        conflict: what follows `ON CONFLICT`.
    """
    _insert(table, columns, rows, conflict)


def insert_returning(
    table: str, columns: Mapping[str, str], rows: Sequence[Sequence[Any]], *, conflict: str, returning: str
) -> set[str]:
    """The same, and of the rows that were inserted or changed a column of text; PostgreSQL only."""
    return {str(value) for (value,) in _insert(table, columns, rows, conflict, returning)}


def _insert(
    table: str, columns: Mapping[str, str], rows: Sequence[Sequence[Any]], conflict: str, returning: str = ""
) -> list[tuple[Any, ...]]:
    """All names are constants of the program."""
    if not rows:
        return []
    into = f"INSERT INTO {table} ({', '.join(f'{chr(34)}{each}{chr(34)}' for each in columns)})"
    with connection.cursor() as cursor:
        if is_shared():
            arrays = ", ".join(f"%s::{kind}[]" for kind in columns.values())
            tail = f" RETURNING {returning}" if returning else ""
            query = f"{into} SELECT * FROM unnest({arrays}) ON CONFLICT {conflict}{tail}"  # noqa: S608 (constants)
            cursor.execute(query, [list(column) for column in zip(*rows, strict=True)])
            return list(cursor.fetchall()) if returning else []
        places = ", ".join(["%s"] * len(columns))
        plain = zip(*(_plain(column) for column in zip(*rows, strict=True)), strict=True)
        cursor.executemany(f"{into} VALUES ({places}) ON CONFLICT {conflict}", list(plain))
    return []


def _plain(column: Sequence[Any]) -> Sequence[Any]:
    """As SQLite keeps it; most columns of times and keys hold one value, or a few, for all rows."""
    if isinstance(column[0], datetime | UUID):
        made = {each: _kept(each) for each in set(column)}
        return [made[each] for each in column]
    return column


def _kept(value: datetime | UUID) -> Any:  # noqa: ANN401 (whatever the adapter makes)
    return connection.ops.adapt_datetimefield_value(value) if isinstance(value, datetime) else value.hex
