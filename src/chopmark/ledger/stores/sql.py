"""The book in SQLite or PostgreSQL: raw SQL with `%s` markers over any DB-API cursor, never an ORM.

The caller says how a transaction is had; nested use joins the outer one, so a deposit's row and its waiting entry are
committed together. Published rows are append-only in the database itself: triggers refuse to change or remove them.
That stops mistakes and lesser accounts, not the owner of the database; what a reader relies on is the signed tree.

The tables (times are microseconds since 1970):

    ledger_head        one row: the size decided on, its root and the leaves that led to it; may only grow
    ledger_pending     entries that wait, in order of arrival
    ledger_leaf        leaf hash to position
    ledger_digest      search key to positions
    ledger_checkpoint  every published checkpoint
    ledger_consortium  one row: what the writer last knew of the members; replaced at will
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from threading import Lock, local
from typing import TYPE_CHECKING, Any, Literal, Protocol

from chopmark.base import cbor
from chopmark.base.errors import Invalid, Unavailable
from chopmark.ledger.stores import ConsortiumState, Entry, Head, OnSettled, Published, must_follow, split_keys
from chopmark.ledger.tree import EMPTY_ROOT

if TYPE_CHECKING:
    import psycopg

Dialect = Literal["sqlite", "postgresql"]

LOCK_TIMEOUT = 30
"""Seconds that a SQLite connection waits for another's write to end."""

CACHE_KIB = 65_536
"""SQLite's page cache for each connection; leaf hashes fall on pages at random."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_MANY = 500
_WAITING: dict[Dialect, str] = {
    "sqlite": "SELECT leaf, statement, search_keys, NULL FROM ledger_pending ORDER BY seq LIMIT %s",
    "postgresql": "SELECT p.leaf, p.statement, p.search_keys, l.position FROM ledger_pending p"
    " LEFT JOIN ledger_leaf l ON l.leaf = p.leaf ORDER BY p.seq LIMIT %s",
}
_PUBLISHED = "size, root, note, sealed_root, published, member_seals"
_WRITER = 0x63686F706D61726B
"""The number of the advisory lock that the one writer holds in PostgreSQL: "chopmark"."""


class Cursor(Protocol):
    """What is used of a DB-API cursor; markers are `%s`."""

    @property
    def rowcount(self) -> int:
        """Rows that the last statement touched."""

    def execute(self, sql: str, parameters: Sequence[Any] = ..., /) -> Any:  # noqa: ANN401 (drivers differ in what they return)
        """Run one statement."""

    def executemany(self, sql: str, rows: Sequence[Sequence[Any]], /) -> Any:  # noqa: ANN401 (the same)
        """Run one statement for many rows."""

    def fetchone(self) -> Any:  # noqa: ANN401 (a row)
        """The next row or None."""

    def fetchall(self) -> list[Any]:
        """The rows left."""


Transaction = Callable[[], AbstractContextManager[Cursor]]


class SqlBook:
    """The database side of the log.

    Args:
        transaction: gives a cursor inside a transaction that commits at the end; nested, joins the outer one.
        dialect: `sqlite` or `postgresql`.
        on_settled: called inside the transaction that settles a batch.
        reading: gives a cursor for one query; `transaction` when left out. SQLite's write lock is spared with it.
    """

    def __init__(
        self,
        transaction: Transaction,
        dialect: Dialect,
        on_settled: OnSettled | None = None,
        *,
        reading: Transaction | None = None,
    ) -> None:
        self.dialect = dialect
        self._transaction = transaction
        self._reading = reading or transaction
        self._on_settled = on_settled

    # ---- what waits --------------------------------------------------------------------------------------------------

    def enqueue(self, entries: Sequence[Entry], at: datetime) -> None:
        """See `Book.enqueue`."""
        if not entries:
            return
        for entry in entries:
            entry.must_fit()
        arrived = _microseconds(at)
        rows = [(each.leaf, each.statement, b"".join(each.search_keys), arrived, each.leaf) for each in entries]
        with self._transaction() as cursor:
            cursor.executemany(
                "INSERT INTO ledger_pending (leaf, statement, search_keys, arrived) SELECT %s, %s, %s, %s"
                " WHERE NOT EXISTS (SELECT 1 FROM ledger_leaf WHERE leaf = %s) ON CONFLICT (leaf) DO NOTHING",
                rows,
            )

    def pending(self, limit: int) -> list[Entry]:
        """See `Book.pending`.

        In PostgreSQL an entry may arrive while the batch with the same entry is being settled, and neither transaction
        sees the other. Such a latecomer is released here: it is told its position and waits no more. In SQLite, where
        one transaction writes at a time, there is none to look for.
        """
        while True:
            with self._reading() as cursor:
                cursor.execute(_WAITING[self.dialect], [limit])
                rows = cursor.fetchall()
            latecomers = [(position, _entry(*row)) for *row, position in rows if position is not None]
            if not latecomers:
                return [_entry(*row) for *row, _ in rows]
            self._release(latecomers)

    def _release(self, latecomers: Sequence[tuple[int, Entry]]) -> None:
        with self._transaction() as cursor:
            cursor.executemany("DELETE FROM ledger_pending WHERE leaf = %s", [(entry.leaf,) for _, entry in latecomers])
            if self._on_settled is not None:
                for position, entry in latecomers:
                    self._on_settled(position, [entry], self.checkpoint_for(position).at)

    def pending_count(self) -> int:
        """See `Book.pending_count`."""
        with self._reading() as cursor:
            cursor.execute("SELECT count(*) FROM ledger_pending")
            return int(cursor.fetchone()[0])

    # ---- what is decided and published -------------------------------------------------------------------------------

    def head(self) -> Head:
        """See `Book.head`."""
        with self._reading() as cursor:
            cursor.execute("SELECT size, root FROM ledger_head")
            size, root = cursor.fetchone()
        return Head(size=size, root=bytes(root))

    def hold(self) -> bool:
        """See `Book.hold`.

        In PostgreSQL an advisory lock of the session decides; it goes when the session goes. A pooler that gives each
        transaction another session must not stand between. A SQLite file belongs to one home, and the lock on that
        home's journal keeps other writers out.
        """
        if self.dialect == "postgresql":
            with self._reading() as cursor:
                cursor.execute(
                    "SELECT EXISTS (SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()"
                    " AND classid = %s AND objid = %s AND objsubid = 1 AND granted) OR pg_try_advisory_lock(%s)",
                    [_WRITER >> 32, _WRITER & 0xFFFFFFFF, _WRITER],
                )
                mine = bool(cursor.fetchone()[0])
            if not mine:
                raise Unavailable("ledger.writer_elsewhere")
        return True

    def release(self) -> None:
        """See `Book.release`."""
        if self.dialect == "postgresql":
            with self._reading() as cursor:
                cursor.execute("SELECT pg_advisory_unlock(%s)", [_WRITER])

    def swap(self, old: Head, new: Head, entries: Sequence[Entry] = ()) -> None:
        """See `Book.swap`."""
        with self._transaction() as cursor:
            cursor.execute(
                "UPDATE ledger_head SET size = %s, root = %s, leaves = %s WHERE id = 1 AND size = %s AND root = %s",
                [new.size, new.root, b"".join(entry.leaf for entry in entries), old.size, old.root],
            )
            if cursor.rowcount != 1:
                raise Unavailable("ledger.log_moved", size=old.size)

    def decided(self) -> list[Entry]:
        """See `Book.decided`."""
        with self._reading() as cursor:
            cursor.execute("SELECT leaves FROM ledger_head")
            leaves = split_keys(bytes(cursor.fetchone()[0]))
            waiting: dict[bytes, Entry] = {}
            for here in range(0, len(leaves), _MANY):
                some = leaves[here : here + _MANY]
                markers = ", ".join(["%s"] * len(some))
                cursor.execute(
                    f"SELECT leaf, statement, search_keys FROM ledger_pending WHERE leaf IN ({markers})",  # noqa: S608 (markers only)
                    some,
                )
                waiting.update((entry.leaf, entry) for entry in (_entry(*row) for row in cursor.fetchall()))
        return [waiting[leaf] for leaf in leaves if leaf in waiting]

    def settle(self, first: int, entries: Sequence[Entry], published: Published) -> None:
        """See `Book.settle`."""
        with self._transaction() as cursor:
            cursor.execute("SELECT root FROM ledger_checkpoint WHERE size = %s", [published.size])
            known = cursor.fetchone()
            if known is not None:
                if bytes(known[0]) != published.root:
                    raise Invalid("ledger.checkpoint_conflict", size=published.size)
                return
            cursor.execute("SELECT coalesce(max(size), 0) FROM ledger_checkpoint")
            must_follow(cursor.fetchone()[0], first, entries, published)
            self._record(cursor, published)
            self._place(cursor, first, entries)
            if self._on_settled is not None:
                self._on_settled(first, entries, published.at)

    def adopt(self, batches: Iterable[Sequence[Entry]], published: Published) -> None:
        """Take over what a copy of the log has behind the last settled entry, in one transaction, under its checkpoint.

        For a book that was brought back from an older backup. The head follows; nothing that was settled changes.

        Raises:
            Invalid: `ledger.heads_differ` when the book has decided on more than the checkpoint covers, or when the
                batches do not lead up to it.
        """
        with self._transaction() as cursor:
            cursor.execute("SELECT coalesce(max(size), 0) FROM ledger_checkpoint")
            first = cursor.fetchone()[0]
            for entries in batches:
                self._place(cursor, first, entries)
                if self._on_settled is not None:
                    self._on_settled(first, entries, published.at)
                first += len(entries)
            self._record(cursor, published)
            cursor.execute("SELECT size, root FROM ledger_head")
            size, root = cursor.fetchone()
            if size > published.size or first != published.size:
                raise Invalid("ledger.heads_differ", published=published.size, head=size)
            if size < published.size:
                cursor.execute(
                    "UPDATE ledger_head SET size = %s, root = %s, leaves = %s", [published.size, published.root, b""]
                )
            elif bytes(root) != published.root:
                raise Invalid("ledger.heads_differ", published=published.size, head=size)

    @staticmethod
    def _record(cursor: Cursor, published: Published) -> None:
        cursor.execute(
            f"INSERT INTO ledger_checkpoint ({_PUBLISHED}) VALUES (%s, %s, %s, %s, %s, %s)",  # noqa: S608 (a literal)
            [
                published.size,
                published.root,
                published.note,
                published.sealed_root,
                _microseconds(published.at),
                cbor.encode(list(published.member_seals)) if published.member_seals else b"",
            ],
        )

    @staticmethod
    def _place(cursor: Cursor, first: int, entries: Sequence[Entry]) -> None:
        placed = list(enumerate(entries, first))
        cursor.executemany(
            "INSERT INTO ledger_leaf (position, leaf) VALUES (%s, %s)",
            [(position, entry.leaf) for position, entry in placed],
        )
        found = [(key, position) for position, entry in placed for key in dict.fromkeys(entry.search_keys)]
        if found:
            cursor.executemany("INSERT INTO ledger_digest (digest, position) VALUES (%s, %s)", found)
        cursor.executemany("DELETE FROM ledger_pending WHERE leaf = %s", [(entry.leaf,) for entry in entries])

    # ---- what readers ask --------------------------------------------------------------------------------------------

    def positions(self, leaves: Iterable[bytes]) -> dict[bytes, int]:
        """See `Book.positions`."""
        wanted = list(dict.fromkeys(leaves))
        found: dict[bytes, int] = {}
        with self._reading() as cursor:
            for here in range(0, len(wanted), _MANY):
                some = wanted[here : here + _MANY]
                markers = ", ".join(["%s"] * len(some))
                cursor.execute(f"SELECT leaf, position FROM ledger_leaf WHERE leaf IN ({markers})", some)  # noqa: S608 (markers only)
                found.update((bytes(leaf), position) for leaf, position in cursor.fetchall())
        return found

    def find(self, digest: bytes, limit: int = 100) -> list[int]:
        """See `Book.find`."""
        with self._reading() as cursor:
            cursor.execute(
                "SELECT position FROM ledger_digest WHERE digest = %s ORDER BY position LIMIT %s", [digest, limit]
            )
            return [position for (position,) in cursor.fetchall()]

    def checkpoint_for(self, position: int) -> Published:
        """See `Book.checkpoint_for`."""
        found = self._checkpoints("WHERE size > %s ORDER BY size LIMIT 1", position) if position >= 0 else []
        if not found:
            raise Unavailable("ledger.not_published", position=position)
        return found[0]

    def latest(self) -> Published | None:
        """See `Book.latest`."""
        return next(iter(self._checkpoints("ORDER BY size DESC LIMIT 1")), None)

    def checkpoints(self, before_size: int, limit: int) -> list[Published]:
        """See `Book.checkpoints`."""
        return self._checkpoints("WHERE size < %s ORDER BY size DESC LIMIT %s", before_size, limit)

    def _checkpoints(self, which: str, *parameters: int) -> list[Published]:
        with self._reading() as cursor:
            cursor.execute(f"SELECT {_PUBLISHED} FROM ledger_checkpoint {which}", parameters)  # noqa: S608 (literals)
            return [
                Published(
                    size=size,
                    root=bytes(root),
                    note=bytes(note),
                    sealed_root=bytes(sealed),
                    at=_moment(published),
                    member_seals=tuple(cbor.decode(bytes(seals))) if seals else (),
                )
                for size, root, note, sealed, published, seals in cursor.fetchall()
            ]

    # ---- the consortium, for people to look at -----------------------------------------------------------------------

    def note_consortium(self, state: ConsortiumState) -> None:
        """See `Book.note_consortium`."""
        with self._transaction() as cursor:
            cursor.execute(
                "INSERT INTO ledger_consortium (id, state) VALUES (1, %s)"
                " ON CONFLICT (id) DO UPDATE SET state = excluded.state",
                [state.encode()],
            )

    def consortium(self) -> ConsortiumState:
        """See `Book.consortium`."""
        with self._reading() as cursor:
            cursor.execute("SELECT state FROM ledger_consortium")
            row = cursor.fetchone()
        return ConsortiumState() if row is None else ConsortiumState.parse(bytes(row[0]))


def _entry(leaf: bytes, statement: bytes, search_keys: bytes) -> Entry:
    return Entry(leaf=bytes(leaf), statement=bytes(statement), search_keys=split_keys(bytes(search_keys)))


def _microseconds(at: datetime) -> int:
    return (at - _EPOCH) // _MICROSECOND


def _moment(microseconds: int) -> datetime:
    return _EPOCH + timedelta(microseconds=microseconds)


# ---- tables ----------------------------------------------------------------------------------------------------------

_TABLES = (
    """CREATE TABLE IF NOT EXISTS ledger_head (
        id INTEGER PRIMARY KEY CHECK (id = 1),
        size BIGINT NOT NULL CHECK (size >= 0),
        root {bytes} NOT NULL CHECK (length(root) = 32),
        leaves {bytes} NOT NULL DEFAULT {empty}
    )""",
    """CREATE TABLE IF NOT EXISTS ledger_pending (
        seq {serial},
        leaf {bytes} NOT NULL UNIQUE CHECK (length(leaf) = 32),
        statement {bytes} NOT NULL CHECK (length(statement) BETWEEN 1 AND 65535),
        search_keys {bytes} NOT NULL CHECK (length(search_keys) % 32 = 0),
        arrived BIGINT NOT NULL
    )""",
    """CREATE TABLE IF NOT EXISTS ledger_leaf (
        position {integer} PRIMARY KEY CHECK (position >= 0),
        leaf {bytes} NOT NULL UNIQUE CHECK (length(leaf) = 32)
    )""",
    """CREATE TABLE IF NOT EXISTS ledger_digest (
        digest {bytes} NOT NULL CHECK (length(digest) = 32),
        position BIGINT NOT NULL CHECK (position >= 0),
        PRIMARY KEY (digest, position)
    ){rowless}""",
    """CREATE TABLE IF NOT EXISTS ledger_checkpoint (
        size {integer} PRIMARY KEY CHECK (size > 0),
        root {bytes} NOT NULL CHECK (length(root) = 32),
        note {bytes} NOT NULL,
        sealed_root {bytes} NOT NULL,
        published BIGINT NOT NULL,
        member_seals {bytes} NOT NULL DEFAULT {empty}
    )""",
    """CREATE TABLE IF NOT EXISTS ledger_consortium (
        id INTEGER PRIMARY KEY CHECK (id = 1),
        state {bytes} NOT NULL
    )""",
)
_LATER = (("ledger_head", "leaves"), ("ledger_checkpoint", "member_seals"))
"""Columns that tables made by an earlier version lack; they begin empty."""
_WORDS: dict[Dialect, dict[str, str]] = {
    "sqlite": {
        "bytes": "BLOB",
        "serial": "INTEGER PRIMARY KEY",
        "integer": "INTEGER",
        "rowless": " WITHOUT ROWID",
        "empty": "x''",
    },
    "postgresql": {
        "bytes": "BYTEA",
        "serial": "BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY",
        "integer": "BIGINT",
        "rowless": "",
        "empty": "''",
    },
}
TABLES = (
    "ledger_head",
    "ledger_pending",
    "ledger_leaf",
    "ledger_digest",
    "ledger_checkpoint",
    "ledger_consortium",
)
APPEND_ONLY = ("ledger_leaf", "ledger_digest", "ledger_checkpoint")


def create_tables(cursor: Cursor, dialect: Dialect) -> None:
    """Make the tables, columns, triggers and the head of an empty log, where they are missing."""
    for table in _TABLES:
        cursor.execute(table.format_map(_WORDS[dialect]).replace("%", "%%"), ())
    for table, column in _LATER:
        if column not in _columns(cursor, dialect, table):
            words = _WORDS[dialect]
            cursor.execute(
                f"ALTER TABLE {table} ADD COLUMN {column} {words['bytes']} NOT NULL DEFAULT {words['empty']}"
            )
    for trigger in _sqlite_triggers() if dialect == "sqlite" else _postgres_triggers():
        cursor.execute(trigger, ())
    cursor.execute(
        "INSERT INTO ledger_head (id, size, root) VALUES (%s, %s, %s) ON CONFLICT (id) DO NOTHING", [1, 0, EMPTY_ROOT]
    )


def _columns(cursor: Cursor, dialect: Dialect, table: str) -> set[str]:
    if dialect == "sqlite":
        cursor.execute("SELECT name FROM pragma_table_info(%s)", [table])
    else:
        cursor.execute(
            "SELECT column_name FROM information_schema.columns"
            " WHERE table_schema = current_schema() AND table_name = %s",
            [table],
        )
    return {name for (name,) in cursor.fetchall()}


def _sqlite_triggers() -> Iterator[str]:
    for table in APPEND_ONLY:
        for event in ("UPDATE", "DELETE"):
            yield (
                f"CREATE TRIGGER IF NOT EXISTS {table}_no_{event.lower()} BEFORE {event} ON {table}"
                f" BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
            )
    yield (
        "CREATE TRIGGER IF NOT EXISTS ledger_head_grows BEFORE UPDATE ON ledger_head WHEN NEW.size <= OLD.size"
        " BEGIN SELECT RAISE(ABORT, 'ledger_head may only grow'); END"
    )
    yield (
        "CREATE TRIGGER IF NOT EXISTS ledger_head_no_delete BEFORE DELETE ON ledger_head"
        " BEGIN SELECT RAISE(ABORT, 'ledger_head may only grow'); END"
    )


def _postgres_triggers() -> Iterator[str]:
    yield (
        "CREATE OR REPLACE FUNCTION ledger_append_only() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN RAISE EXCEPTION '%% is append-only', TG_TABLE_NAME; END $$"
    )
    yield (
        "CREATE OR REPLACE FUNCTION ledger_head_grows() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN IF TG_OP = 'UPDATE' AND NEW.size > OLD.size THEN RETURN NEW; END IF;"
        " RAISE EXCEPTION 'ledger_head may only grow'; END $$"
    )
    for table in APPEND_ONLY:
        yield (
            f"CREATE OR REPLACE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {table}"
            " FOR EACH STATEMENT EXECUTE FUNCTION ledger_append_only()"
        )
    yield (
        "CREATE OR REPLACE TRIGGER ledger_head_grows BEFORE UPDATE OR DELETE ON ledger_head"
        " FOR EACH ROW EXECUTE FUNCTION ledger_head_grows()"
    )
    yield (
        "CREATE OR REPLACE TRIGGER ledger_head_stays BEFORE TRUNCATE ON ledger_head"
        " FOR EACH STATEMENT EXECUTE FUNCTION ledger_append_only()"
    )


# ---- connections of our own ------------------------------------------------------------------------------------------


class Transactions:
    """A connection for each thread; a transaction inside another joins it, and an error inside ends the whole.

    Args:
        connect: a connection that commits by itself unless told `BEGIN`.
        begin: how a transaction starts.
        errors: translates the driver's errors.
    """

    def __init__(
        self, connect: Callable[[], Any], begin: str, errors: Callable[[], AbstractContextManager[None]]
    ) -> None:
        self._connect = connect
        self._begin = begin
        self._errors = errors
        self._mine = local()
        self._all: list[Any] = []
        self._lock = Lock()

    @contextmanager
    def __call__(self) -> Iterator[Cursor]:
        """A cursor inside a transaction.

        Raises:
            Unavailable: `ledger.database_unavailable` when the database is locked for too long or does not answer.
                Whether a transaction that ends so was committed is unknown.
        """
        if self._joined() is not None:
            yield self._mine.cursor
            return
        with self._errors():
            try:
                cursor = self._mine.cursor = self._connection().cursor()
                cursor.execute(self._begin)
                yield cursor
                cursor.execute("COMMIT")
            except BaseException:
                self._drop()
                raise
            finally:
                self._mine.cursor = None

    @contextmanager
    def reading(self) -> Iterator[Cursor]:
        """A cursor for one query: inside this thread's transaction if there is one, else by itself."""
        joined = self._joined()
        if joined is not None:
            yield joined
            return
        with self._errors():
            try:
                yield self._connection().cursor()
            except BaseException:
                self._drop()
                raise

    def close(self) -> None:
        """Close the connections of all threads; the next use opens anew."""
        with self._lock:
            while self._all:
                self._all.pop().close()
            self._mine = local()

    def _joined(self) -> Cursor | None:
        return getattr(self._mine, "cursor", None)

    def _connection(self) -> Any:  # noqa: ANN401 (of either driver)
        if getattr(self._mine, "connection", None) is None:
            self._mine.connection = self._connect()
            with self._lock:
                self._all.append(self._mine.connection)
        return self._mine.connection

    def _drop(self) -> None:
        """Closing rolls back, and works in every state that an error can leave behind."""
        connection: Any = getattr(self._mine, "connection", None)
        self._mine.connection = None
        with self._lock:
            if connection in self._all:
                self._all.remove(connection)
                connection.close()


class _SqliteCursor:
    """A cursor of `sqlite3` that understands `%s`."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._cursor = connection.cursor()
        self.fetchone = self._cursor.fetchone
        self.fetchall = self._cursor.fetchall

    @property
    def rowcount(self) -> int:
        return self._cursor.rowcount

    def execute(self, sql: str, parameters: Sequence[Any] = ()) -> None:
        self._cursor.execute(_question_marks(sql), parameters)

    def executemany(self, sql: str, rows: Sequence[Sequence[Any]]) -> None:
        self._cursor.executemany(_question_marks(sql), rows)


class _SqliteConnection:
    """A connection whose cursors understand `%s`."""

    def __init__(self, path: Path | str) -> None:
        self._connection = sqlite3.connect(path, timeout=LOCK_TIMEOUT, isolation_level=None, check_same_thread=False)
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.execute("PRAGMA synchronous = FULL")
        self._connection.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
        self.close = self._connection.close

    def cursor(self) -> _SqliteCursor:
        return _SqliteCursor(self._connection)


@cache
def _question_marks(sql: str) -> str:
    return sql.replace("%s", "?").replace("%%", "%")


def sqlite_transactions(path: Path | str) -> Transactions:
    """Transactions on a SQLite file: write-ahead log, every commit synced, the write lock taken at the start."""
    return Transactions(lambda: _SqliteConnection(path), "BEGIN IMMEDIATE", _sqlite_errors)


def postgres_transactions(dsn: str) -> Transactions:
    """Transactions on a PostgreSQL database: read committed, every commit synced."""
    return Transactions(lambda: _postgres(dsn), "BEGIN", _postgres_errors)


def sqlite_book(path: Path | str, on_settled: OnSettled | None = None) -> SqlBook:
    """A book in a SQLite file of its own, its tables made when missing."""
    return _book(sqlite_transactions(path), "sqlite", on_settled)


def postgres_book(dsn: str, on_settled: OnSettled | None = None) -> SqlBook:
    """A book in a PostgreSQL database, its tables made when missing."""
    return _book(postgres_transactions(dsn), "postgresql", on_settled)


def _book(transactions: Transactions, dialect: Dialect, on_settled: OnSettled | None) -> SqlBook:
    with transactions() as cursor:
        create_tables(cursor, dialect)
    return SqlBook(transactions, dialect, on_settled, reading=transactions.reading)


def _postgres(dsn: str) -> psycopg.Connection:
    import psycopg  # noqa: PLC0415 (only where PostgreSQL is used is its driver installed)

    return psycopg.connect(dsn, autocommit=True, options="-c synchronous_commit=on")


@contextmanager
def _sqlite_errors() -> Iterator[None]:
    try:
        yield
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            raise Unavailable("ledger.database_unavailable") from error
        raise


@contextmanager
def _postgres_errors() -> Iterator[None]:
    import psycopg  # noqa: PLC0415 (the same)

    try:
        yield
    except psycopg.OperationalError as error:
        raise Unavailable("ledger.database_unavailable") from error
