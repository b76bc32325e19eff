"""A desk's cases, events, clerks and sessions: one SQLite file, every change durable before it is answered.

Rows only; what may happen to them is decided in `office` and `clerks`. One connection, one writer at a time: a desk has
a handful of clerks. Times are text as `base.clock.to_text` writes it, but where only spans matter: seconds since 1970.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

Row = Mapping[str, Any]

SCHEMA = """
CREATE TABLE IF NOT EXISTS paper (
    token TEXT PRIMARY KEY, origin TEXT NOT NULL, number TEXT NOT NULL, organisation TEXT NOT NULL,
    revision INTEGER NOT NULL, state TEXT NOT NULL, sha256 BLOB NOT NULL, size INTEGER NOT NULL, has INTEGER NOT NULL,
    case_number TEXT NOT NULL DEFAULT '', report BLOB, wish BLOB, trouble TEXT NOT NULL DEFAULT '',
    received_at TEXT NOT NULL, changed_at TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS paper_newest ON paper (changed_at);
CREATE TABLE IF NOT EXISTS revision (
    token TEXT NOT NULL, revision INTEGER NOT NULL, message BLOB NOT NULL, PRIMARY KEY (token, revision));
CREATE TABLE IF NOT EXISTS event (
    about TEXT NOT NULL, seq INTEGER NOT NULL, token TEXT NOT NULL UNIQUE, kind TEXT NOT NULL, at TEXT NOT NULL,
    document BLOB NOT NULL, clerk TEXT NOT NULL, tries INTEGER NOT NULL DEFAULT 0, next_try REAL NOT NULL DEFAULT 0,
    trouble TEXT NOT NULL DEFAULT '', delivered_at TEXT, PRIMARY KEY (about, seq));
CREATE INDEX IF NOT EXISTS event_due ON event (next_try) WHERE delivered_at IS NULL;
CREATE TABLE IF NOT EXISTS clerk (
    name TEXT PRIMARY KEY, salt BLOB NOT NULL, hash BLOB NOT NULL, cost INTEGER NOT NULL, made_at TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS session (
    token BLOB PRIMARY KEY, clerk TEXT NOT NULL, csrf TEXT NOT NULL, made REAL NOT NULL, seen REAL NOT NULL);
CREATE TABLE IF NOT EXISTS guess (address TEXT NOT NULL, at REAL NOT NULL);
CREATE INDEX IF NOT EXISTS guess_of ON guess (address, at);
CREATE TABLE IF NOT EXISTS serial (name TEXT PRIMARY KEY, last INTEGER NOT NULL);
"""


class Store:
    """The file, opened.

    Args:
        path: made when it is not there.
    """

    def __init__(self, path: Path) -> None:
        self._lock = threading.RLock()
        self._connection = sqlite3.connect(path, check_same_thread=False, isolation_level=None, timeout=10)
        path.chmod(0o600)
        self._connection.row_factory = sqlite3.Row
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.execute("PRAGMA synchronous = FULL")
        self._connection.execute("PRAGMA foreign_keys = ON")
        with self.change():
            for statement in SCHEMA.split(";"):
                self._connection.execute(statement)

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._connection.close()

    @contextmanager
    def change(self) -> Iterator[None]:
        """One transaction; all of it or nothing, durable at the end."""
        with self._lock:
            if self._connection.in_transaction:  # joins the caller's
                yield
                return
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._connection.execute("ROLLBACK")
                raise
            self._connection.execute("COMMIT")

    def run(self, statement: str, *values: object) -> int:
        """Carry out a statement; how many rows it changed."""
        with self._lock:
            return self._connection.execute(statement, values).rowcount

    def one(self, statement: str, *values: object) -> Row | None:
        """The first row, or None."""
        with self._lock:
            row: sqlite3.Row | None = self._connection.execute(statement, values).fetchone()
        return None if row is None else dict(row)

    def all(self, statement: str, *values: object) -> Sequence[Row]:
        """All rows."""
        with self._lock:
            return [dict(row) for row in self._connection.execute(statement, values).fetchall()]

    def insert(self, table: str, values: Mapping[str, object]) -> None:
        """A new row; table and columns are our own names."""
        columns, marks = ", ".join(values), ", ".join("?" * len(values))
        self.run(f"INSERT INTO {table} ({columns}) VALUES ({marks})", *values.values())  # noqa: S608 (our own names)

    def next_serial(self, name: str) -> int:
        """The next number of a kind, from 1; inside `change`."""
        self.run("INSERT INTO serial VALUES (?, 1) ON CONFLICT (name) DO UPDATE SET last = last + 1", name)
        row = self.one("SELECT last FROM serial WHERE name = ?", name)
        return int(row["last"]) if row is not None else 1
