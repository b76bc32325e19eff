"""Search by digest in a member's copy of a log: SQLite, made from the mirror, never trusted.

The file may be deleted at any time: it is made again from the entries. What it answers is checked against the entry
by the caller. Private statements and entries that are no statements are found by nothing but their leaf hash.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from chopmark.base.errors import Invalid
from chopmark.ledger.statement import Statement, search_keys
from chopmark.ledger.tree import leaf_hash

MOST_FOUND = 100
_TABLES = """
CREATE TABLE IF NOT EXISTS found (
    log TEXT NOT NULL, digest BLOB NOT NULL, position INTEGER NOT NULL, PRIMARY KEY (log, digest, position)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS reached (log TEXT PRIMARY KEY, size INTEGER NOT NULL) WITHOUT ROWID;
"""


def digests_of(entry: bytes) -> tuple[bytes, ...]:
    """Under which digests an entry is found: its leaf hash, and those that its statement shows to everybody."""
    leaf = leaf_hash(entry)
    try:
        return (leaf, *search_keys(Statement.parse(entry)))
    except Invalid:
        return (leaf,)


class Index:
    """One index file; threads may share it.

    Args:
        path: made when missing, and made anew when it is damaged or of another form.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        try:
            self._database = self._open()
        except sqlite3.DatabaseError:
            for ending in ("", "-wal", "-shm"):
                path.with_name(path.name + ending).unlink(missing_ok=True)
            self._database = self._open()

    def reached(self, log: str) -> int:
        """How many entries of a log are in the index."""
        with self._lock, closing(self._database.execute("SELECT size FROM reached WHERE log = ?", (log,))) as rows:
            row = rows.fetchone()
        return int(row[0]) if row else 0

    def add(self, log: str, first: int, entries: Sequence[bytes]) -> None:
        """Take entries in that follow those already there; other ones are left out."""
        rows = [(log, digest, first + here) for here, entry in enumerate(entries) for digest in digests_of(entry)]
        if not entries or self.reached(log) != first:
            return
        with self._lock, self._database:
            self._database.executemany("INSERT OR IGNORE INTO found VALUES (?, ?, ?)", rows)
            self._database.execute("INSERT OR REPLACE INTO reached VALUES (?, ?)", (log, first + len(entries)))

    def forget(self, log: str) -> None:
        """Begin anew with one log."""
        with self._lock, self._database:
            self._database.execute("DELETE FROM found WHERE log = ?", (log,))
            self._database.execute("DELETE FROM reached WHERE log = ?", (log,))

    def find(self, log: str, digest: bytes) -> list[int]:
        """Positions of a digest, earliest first, 100 at most."""
        asked = "SELECT position FROM found WHERE log = ? AND digest = ? ORDER BY position LIMIT ?"
        with self._lock, closing(self._database.execute(asked, (log, digest, MOST_FOUND))) as rows:
            return [int(position) for (position,) in rows]

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._database.close()

    def _open(self) -> sqlite3.Connection:
        database = sqlite3.connect(self._path, check_same_thread=False, timeout=5)
        try:
            database.execute("PRAGMA journal_mode = WAL")
            database.execute("PRAGMA synchronous = OFF")  # made again when lost
            database.executescript(_TABLES)
            database.execute("SELECT log, size FROM reached").fetchall()
            database.execute("SELECT log, digest, position FROM found LIMIT 1").fetchall()
        except sqlite3.DatabaseError:
            database.close()
            raise
        return database
