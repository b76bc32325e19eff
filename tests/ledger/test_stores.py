"""One contract over every store: memory, files, SQLite, PostgreSQL."""

import errno
import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from hashlib import sha256
from itertools import pairwise
from pathlib import Path

import psycopg
import pytest
from world.ledger import AT, entry_of, statements
from world.patience import HANG

from chopmark.base.errors import Invalid, Unavailable
from chopmark.ledger.stores import (
    Book,
    ConsortiumState,
    DurabilityLost,
    Entry,
    Head,
    MemberState,
    Objects,
    Published,
)
from chopmark.ledger.stores.files import FileJournal, FileObjects
from chopmark.ledger.stores.memory import MemoryBook, MemoryObjects
from chopmark.ledger.stores.sql import (
    APPEND_ONLY,
    Dialect,
    SqlBook,
    Transactions,
    create_tables,
    postgres_transactions,
    sqlite_transactions,
)

ONE, TWO, THREE = (entry_of(statement) for statement in statements(3))


def published(size: int, root: bytes = b"r" * 32) -> Published:
    return Published(size=size, root=root, note=b"note %d" % size, sealed_root=b"sealed", at=AT)


# ---- objects ---------------------------------------------------------------------------------------------------------


@pytest.fixture(params=["memory", "files"])
def objects(request, tmp_path) -> Objects:
    return MemoryObjects() if request.param == "memory" else FileObjects(tmp_path / "log")


def test_objects_put_are_got_and_listed(objects):
    objects.put({"tile/0/000.p/5": b"five", "tile/0/000.p/7": b"seven", "checkpoint": b"note"})
    assert objects.get("tile/0/000.p/5") == b"five"
    assert objects.exists("tile/0/000.p/7")
    assert not objects.exists("tile/0/000.p")
    assert objects.names("tile/0/000.p") == ["tile/0/000.p/5", "tile/0/000.p/7"]
    assert objects.names() == ["checkpoint"]
    assert objects.names("nothing/here") == []


@pytest.mark.parametrize("path", ["tile/0/001", "tile", "tile/0", "checkpoint/x", "tile/0/000/deeper"])
def test_what_is_not_there_is_missing(objects, path):
    objects.put({"tile/0/000": b"x", "checkpoint": b"note"})
    with pytest.raises(Unavailable, match=r"ledger\.object_missing"):
        objects.get(path)


def test_equal_bytes_may_be_put_again_and_others_never(objects):
    objects.put({"tile/0/000": b"one"})
    objects.put({"tile/0/000": b"one"})
    with pytest.raises(Invalid, match=r"ledger\.object_conflict"):
        objects.put({"tile/0/001": b"new", "tile/0/000": b"two"})
    assert objects.get("tile/0/000") == b"one"
    assert not objects.exists("tile/0/001"), "nothing of a refused put is kept"


def test_only_the_checkpoint_is_replaced(objects):
    objects.put({"checkpoint": b"one"})
    objects.put({"checkpoint": b"two"})
    assert objects.get("checkpoint") == b"two"


def test_deleting_is_repeatable_and_leaves_the_rest(objects):
    objects.put({"tile/0/000.p/5": b"5", "tile/0/000.p/6": b"6", "tile/0/000": b"full"})
    objects.delete(["tile/0/000.p/5", "tile/0/000.p/9", "nothing/here"])
    assert objects.names("tile/0/000.p") == ["tile/0/000.p/6"]
    objects.delete(["tile/0/000.p/6", "tile/0/000.p/6"])
    assert objects.names("tile/0/000.p") == []
    assert objects.get("tile/0/000") == b"full"
    objects.put({"tile/0/000.p/5": b"5"})
    assert objects.get("tile/0/000.p/5") == b"5"


@pytest.mark.parametrize(
    "path",
    {
        "upwards": "../secret",
        "upwards inside": "tile/../../secret",
        "a dot": "tile/./000",
        "absolute": "/etc/passwd",
        "hidden": "tile/.000.new",
        "the lock": ".writer",
        "empty": "",
        "doubled slash": "tile//000",
        "slash at the end": "tile/",
        "backslash": "tile\\000",
        "nul": "tile\0",
        "new line": "checkpoint\n",
        "not ascii": "tile/０",
        "long": "a/" * 400 + "a",
        "long name": "a" * 200,
    }.values(),
)
def test_paths_that_lead_elsewhere_are_refused(objects, path):
    for use in (
        lambda: objects.get(path),
        lambda: objects.exists(path),
        lambda: objects.put({path: b"x"}),
        lambda: objects.delete([path]),
    ):
        with pytest.raises(Invalid, match=r"ledger\.path_malformed"):
            use()


# ---- files alone -----------------------------------------------------------------------------------------------------


class Calls:
    """Records system calls and lets the n-th fsync fail."""

    def __init__(self, monkeypatch, failing: int | None = None) -> None:
        self.made: list[tuple[str, str]] = []
        real = {name: getattr(os, name) for name in ("fsync", "rename")}

        def fsync(descriptor: int) -> None:
            self.made.append(("fsync", str(Path(f"/proc/self/fd/{descriptor}").readlink())))
            if failing == sum(call == "fsync" for call, _ in self.made):
                raise OSError(errno.EIO, "the disk is gone")
            real["fsync"](descriptor)

        def rename(source: str, target: str) -> None:
            self.made.append(("rename", target))
            real["rename"](source, target)

        monkeypatch.setattr(os, "fsync", fsync)
        monkeypatch.setattr(os, "rename", rename)


def test_the_durable_order_is_files_then_names_then_directories_once_each(tmp_path, monkeypatch):
    objects = FileObjects(tmp_path)
    objects.put({"a/1": b"", "b/1": b""})
    calls = Calls(monkeypatch)
    objects.put({"a/2": b"x", "a/3": b"y", "b/2": b"z"})
    assert calls.made == [
        *[("fsync", f"{tmp_path}/{name}") for name in ("a/.2.new", "a/.3.new", "b/.2.new")],
        *[("rename", f"{tmp_path}/{name}") for name in ("a/2", "a/3", "b/2")],
        *[("fsync", f"{tmp_path}/{name}") for name in ("a", "b")],
    ]


def test_a_put_of_more_files_than_may_be_open_is_whole(tmp_path, monkeypatch):
    monkeypatch.setattr("chopmark.ledger.stores.files._OPEN_AT_ONCE", 2)
    many = {f"a/{number}": b"%d" % number for number in range(5)}
    objects = FileObjects(tmp_path)
    calls = Calls(monkeypatch)
    objects.put(many)
    assert {path: objects.get(path) for path in objects.names("a")} == many
    assert [call for call, path in calls.made if path.startswith(f"{tmp_path}/a/")] == ["fsync"] * 5 + ["rename"] * 5


def test_a_put_that_finds_its_file_there_makes_the_name_durable_all_the_same(tmp_path, monkeypatch):
    FileObjects(tmp_path).put({"a/1": b"x"})
    calls = Calls(monkeypatch)
    FileObjects(tmp_path).put({"a/1": b"x"})
    assert calls.made == [("fsync", f"{tmp_path}/a")]


def test_new_directories_are_durable_in_those_above(tmp_path, monkeypatch):
    calls = Calls(monkeypatch)
    FileObjects(tmp_path / "log").put({"a/b/1": b"x"})
    synced = [path for call, path in calls.made if call == "fsync"]
    assert synced == [str(tmp_path), *[f"{tmp_path}/log{end}" for end in ("", "/a", "/a/b/.1.new", "/a/b")]]


@pytest.mark.parametrize("failing", range(1, 6))
def test_a_failing_fsync_is_fatal_and_stays_so(tmp_path, monkeypatch, failing):
    objects = FileObjects(tmp_path / "log")
    Calls(monkeypatch, failing)
    with pytest.raises(DurabilityLost):
        objects.put({"a/b/1": b"x"})
    monkeypatch.undo()
    with pytest.raises(DurabilityLost):
        objects.put({"checkpoint": b"x"})
    assert not issubclass(DurabilityLost, Exception), "or an outer loop would catch it"


def test_a_file_cut_off_by_a_crash_is_neither_served_nor_in_the_way(tmp_path):
    FileObjects(tmp_path).put({"a/1": b"x"})
    (tmp_path / "a" / ".2.new").write_bytes(b"hal")
    objects = FileObjects(tmp_path)
    assert objects.names("a") == ["a/1"]
    objects.put({"a/2": b"whole"})
    assert objects.get("a/2") == b"whole"
    assert sorted(path.name for path in (tmp_path / "a").iterdir()) == ["1", "2"]


def test_a_folder_cleared_by_another_is_made_again(tmp_path):
    first, second = FileObjects(tmp_path), FileObjects(tmp_path)
    first.put({"a/1": b"x"})
    second.delete(["a/1"])
    first.put({"a/2": b"y"})
    assert second.get("a/2") == b"y"


def test_one_process_holds_a_journal(tmp_path):
    first, second = FileJournal(tmp_path), FileJournal(tmp_path)
    first.hold()
    first.hold()
    with pytest.raises(Unavailable, match=r"ledger\.writer_running"):
        second.hold()
    first.release()
    second.hold()
    assert second.names() == [], "the lock is no object"
    second.release()


# ---- books -----------------------------------------------------------------------------------------------------------


class Settled(list):
    """Remembers what `on_settled` was told."""

    def __call__(self, first, entries, at) -> None:
        self.append((first, [entry.statement for entry in entries], at))


@pytest.fixture
def settled() -> Settled:
    return Settled()


@contextmanager
def sql_book(transactions: Transactions, dialect: Dialect, settled) -> Iterator[SqlBook]:
    with closing(transactions):
        with transactions() as cursor:
            create_tables(cursor, dialect)
        yield SqlBook(transactions, dialect, settled, reading=transactions.reading)


@pytest.fixture
def sqlite_made(tmp_path, settled) -> Iterator[SqlBook]:
    with sql_book(sqlite_transactions(tmp_path / "book.sqlite"), "sqlite", settled) as made:
        yield made


@pytest.fixture
def postgres_made(postgres_dsn, settled) -> Iterator[SqlBook]:
    with sql_book(postgres_transactions(postgres_dsn), "postgresql", settled) as made:
        yield made


@pytest.fixture
def memory_made(settled) -> MemoryBook:
    return MemoryBook(settled)


@pytest.fixture(params=["memory_made", "sqlite_made", "postgres_made"])
def book(request) -> Book:
    return request.getfixturevalue(request.param)


@pytest.fixture(params=["sqlite_made", "postgres_made"])
def sql(request) -> SqlBook:
    return request.getfixturevalue(request.param)


def test_a_new_book_is_empty(book):
    assert book.head() == Head()
    assert book.latest() is None
    assert book.pending(10) == []
    assert book.pending_count() == 0
    assert book.checkpoints(100, 10) == []
    assert book.find(b"d" * 32) == []
    assert book.positions([ONE.leaf]) == {}


def test_entries_wait_in_order_and_once(book):
    book.enqueue([TWO, ONE], AT)
    book.enqueue([ONE, THREE, THREE, TWO], AT)
    assert book.pending(10) == [TWO, ONE, THREE]
    assert book.pending(2) == [TWO, ONE]
    assert book.pending_count() == 3
    book.enqueue([], AT)


def test_all_of_an_entry_survives(book):
    entry = Entry.of(b"x" * 65_535, [b"a" * 32, b"b" * 32])
    bare = Entry.of(b"\0")
    book.enqueue([entry, bare], AT)
    assert book.pending(2) == [entry, bare]


@pytest.mark.parametrize(
    "entry",
    {
        "nothing": Entry.of(b""),
        "too long": Entry.of(b"x" * 65_536),
        "a short key": Entry.of(b"x", [b"k" * 31]),
        "another's leaf": Entry(leaf=ONE.leaf, statement=b"x"),
        "a short leaf": Entry(leaf=b"", statement=b"x"),
    }.values(),
)
def test_entries_that_do_not_fit_are_refused_with_their_batch(book, entry):
    with pytest.raises(Invalid, match=r"ledger\.entry_unfit"):
        book.enqueue([ONE, entry], AT)
    assert book.pending_count() == 0


def test_the_head_is_swapped_only_from_what_it_is(book):
    one, two = Head(size=1, root=b"1" * 32), Head(size=2, root=b"2" * 32)
    book.swap(Head(), one)
    for stale in (Head(), Head(size=1, root=b"x" * 32), two):
        with pytest.raises(Unavailable, match=r"ledger\.log_moved"):
            book.swap(stale, Head(size=9, root=b"9" * 32))
    assert book.head() == one
    book.swap(one, two)
    assert book.head() == two


def test_of_many_swaps_at_once_one_wins(book):
    won, start = [], threading.Barrier(8)

    def race(number: int) -> None:
        start.wait(HANG)
        try:
            book.swap(Head(), Head(size=1, root=bytes([number]) * 32))
            won.append(number)
        except Unavailable:
            pass

    threads = [threading.Thread(target=race, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(HANG)
    assert book.head() == Head(size=1, root=bytes(won) * 32)


def test_settling_places_indexes_publishes_and_ends_the_waiting(book, settled):
    book.enqueue([ONE, TWO, THREE], AT)
    book.settle(0, [ONE, TWO], published(2))
    assert book.pending(10) == [THREE]
    assert book.positions([ONE.leaf, THREE.leaf, TWO.leaf]) == {ONE.leaf: 0, TWO.leaf: 1}
    assert book.find(sha256(TWO.statement).digest()) == [1]
    assert book.latest() == published(2)
    assert settled == [(0, [ONE.statement, TWO.statement], AT)]


def test_settling_again_changes_nothing(book, settled):
    book.settle(0, [ONE], published(1))
    book.settle(0, [ONE], published(1))
    assert settled == [(0, [ONE.statement], AT)]
    with pytest.raises(Invalid, match=r"ledger\.checkpoint_conflict"):
        book.settle(0, [ONE], published(1, b"x" * 32))


@pytest.mark.parametrize(("first", "entries", "size"), [(1, [ONE], 2), (0, [ONE], 2), (0, [], 0)])
def test_a_batch_that_does_not_follow_is_a_bug(book, first, entries, size):
    with pytest.raises(ValueError, match="lead from size 0"):
        book.settle(first, entries, published(size))
    assert book.latest() is None


def test_what_is_published_does_not_wait_again(book):
    book.enqueue([ONE], AT)
    book.settle(0, [ONE], published(1))
    book.enqueue([ONE, TWO], AT)
    assert book.pending(10) == [TWO]
    assert book.pending_count() == 1


def test_checkpoints_are_found_by_what_they_cover(book):
    for first, entries in enumerate([[ONE], [TWO], [THREE]]):
        book.settle(first, entries, published(first + 1))
    assert [book.checkpoint_for(position).size for position in range(3)] == [1, 2, 3]
    assert [each.size for each in book.checkpoints(3, 10)] == [2, 1]
    assert [each.size for each in book.checkpoints(4, 2)] == [3, 2]
    for position in (3, -1):
        with pytest.raises(Unavailable, match=r"ledger\.not_published"):
            book.checkpoint_for(position)


def test_a_digest_finds_all_its_entries_earliest_first(book):
    entries = [Entry.of(statement, [b"d" * 32, b"d" * 32]) for statement in statements(5)]
    book.settle(0, entries, published(5))
    assert book.find(b"d" * 32) == [0, 1, 2, 3, 4]
    assert book.find(b"d" * 32, 2) == [0, 1]


def test_many_positions_are_asked_at_once(book):
    entries = [Entry.of(statement) for statement in statements(1200)]
    book.settle(0, entries, published(1200))
    assert book.positions(entry.leaf for entry in entries) == {entry.leaf: at for at, entry in enumerate(entries)}


def test_an_error_while_settling_leaves_all_as_it_was(book):
    def fail(*_) -> None:
        raise ValueError("the platform's side fails")

    book._on_settled = fail
    book.enqueue([ONE], AT)
    with pytest.raises(ValueError, match="the platform's side"):
        book.settle(0, [ONE], published(1))
    assert book.latest() is None
    assert book.positions([ONE.leaf]) == {}
    assert book.pending(1) == [ONE]


def test_what_a_swap_decided_on_is_known_until_it_is_settled(book):
    book.enqueue([THREE, ONE, TWO], AT)
    assert book.decided() == []
    one = Head(size=2, root=b"1" * 32)
    book.swap(Head(), one, [TWO, THREE])
    assert book.decided() == [TWO, THREE]
    with pytest.raises(Unavailable, match=r"ledger\.log_moved"):
        book.swap(Head(), one, [ONE])
    assert book.decided() == [TWO, THREE], "a swap that was lost records nothing"
    book.settle(0, [TWO, THREE], published(2, one.root))
    assert book.decided() == []
    book.swap(one, Head(size=3, root=b"2" * 32), [ONE])
    assert book.decided() == [ONE]


def test_a_large_batch_is_known_after_its_swap(book):
    entries = [entry_of(statement) for statement in statements(1100)]
    book.enqueue(entries, AT)
    book.swap(Head(), Head(size=1100, root=b"1" * 32), entries[::-1])
    assert book.decided() == entries[::-1]


def test_seals_of_members_are_kept_with_the_checkpoint(book):
    sealed = replace(published(1), member_seals=(b"first", b"second"))
    book.settle(0, [ONE], sealed)
    book.settle(1, [TWO], published(2))
    assert book.checkpoint_for(0) == sealed
    assert book.latest() == published(2)
    assert book.checkpoints(9, 9) == [published(2), sealed]


def test_the_state_of_the_consortium_is_replaced(book):
    assert book.consortium() == ConsortiumState()
    for number in range(2):
        member = MemberState(name="notary", size=number, at=AT, next_entry=7, trouble="ledger.member_silent", since=AT)
        state = ConsortiumState(waiting_size=number or None, waiting_since=AT, missing="notary", members=(member,))
        book.note_consortium(state)
        assert book.consortium() == state


def test_holding_is_repeatable_and_ends_with_release(book):
    assert book.hold() == book.hold()
    book.release()
    book.release()


# ---- databases alone -------------------------------------------------------------------------------------------------


def test_making_the_tables_again_changes_nothing(sql):
    sql.swap(Head(), Head(size=1, root=b"1" * 32))
    with sql._transaction() as cursor:
        create_tables(cursor, sql.dialect)
    assert sql.head().size == 1


def test_enqueueing_joins_the_callers_transaction(sql):
    def fail() -> None:
        with sql._transaction():
            sql.enqueue([ONE], AT)
            assert sql.pending(1) == [ONE]
            raise ValueError("the deposit fails")

    with pytest.raises(ValueError, match="the deposit fails"):
        fail()
    assert sql.pending(1) == []
    with sql._transaction() as cursor:
        cursor.execute("CREATE TABLE deposit (leaf INTEGER)", ())
        sql.enqueue([ONE], AT)
    assert sql.pending(1) == [ONE]


def test_others_see_nothing_before_the_caller_commits(sql):
    seen = []
    with sql._transaction():
        sql.enqueue([ONE], AT)
        thread = threading.Thread(target=lambda: seen.append(sql.pending(1)))
        thread.start()
        thread.join(HANG)
    assert seen == [[]]
    assert sql.pending(1) == [ONE]


@pytest.mark.parametrize("table", APPEND_ONLY)
@pytest.mark.parametrize("change", ["UPDATE {} SET {} = {}", "DELETE FROM {}", "TRUNCATE {}"])
def test_what_is_published_cannot_be_changed_or_removed(sql, table, change):
    if sql.dialect == "sqlite" and change.startswith("TRUNCATE"):
        change = "DELETE FROM {} WHERE 1 = 1"
    sql.settle(0, [ONE], published(1))
    column = "size" if table == "ledger_checkpoint" else "position"
    with pytest.raises((sqlite3.IntegrityError, psycopg.errors.RaiseException), match="append-only"):  # noqa: SIM117 (the inner must not swallow)
        with sql._transaction() as cursor:
            cursor.execute(change.format(table, column, column), ())
    assert sql.positions([ONE.leaf]) == {ONE.leaf: 0}


@pytest.mark.parametrize("change", ["UPDATE ledger_head SET size = size - 1", "DELETE FROM ledger_head"])
def test_the_head_cannot_go_back(sql, change):
    sql.swap(Head(), Head(size=5, root=b"5" * 32))
    with pytest.raises((sqlite3.IntegrityError, psycopg.errors.RaiseException), match="only grow"):  # noqa: SIM117 (the inner must not swallow)
        with sql._transaction() as cursor:
            cursor.execute(change, ())
    assert sql.head().size == 5


def test_a_second_head_cannot_be(sql):
    with pytest.raises((sqlite3.IntegrityError, psycopg.errors.CheckViolation)), sql._transaction() as cursor:
        cursor.execute("INSERT INTO ledger_head (id, size, root) VALUES (2, 0, %s)", [b"r" * 32])


def test_threads_have_connections_of_their_own(sql):
    many = [entry_of(statement) for statement in statements(40)]

    def add(mine: list[Entry]) -> None:
        for entry in mine:
            sql.enqueue([entry], AT)

    threads = [threading.Thread(target=add, args=(many[start::4],)) for start in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(HANG)
    assert {entry.leaf for entry in sql.pending(100)} == {entry.leaf for entry in many}


@pytest.fixture
def postgres_book_pair(postgres_dsn, settled) -> Iterator[tuple[SqlBook, SqlBook]]:
    first, second = postgres_transactions(postgres_dsn), postgres_transactions(postgres_dsn)
    with closing(first), closing(second):
        with first() as cursor:
            create_tables(cursor, "postgresql")
        yield SqlBook(first, "postgresql", settled), SqlBook(second, "postgresql", settled)


def test_an_entry_committed_late_is_not_lost(postgres_book_pair):
    early, late = postgres_book_pair
    with late._transaction():
        late.enqueue([ONE], AT)
        early.enqueue([TWO], AT)
        assert early.pending(10) == [TWO]
        early.settle(0, [TWO], published(1))
    assert early.pending(10) == [ONE], "its number is smaller than one that is settled"


def test_an_entry_that_arrives_while_it_is_settled_is_told_its_position(postgres_book_pair, settled):
    writer, late = postgres_book_pair
    with late._transaction():
        late.enqueue([ONE, TWO], AT)
        writer.settle(0, [ONE], published(1))
    assert writer.pending_count() == 2
    settled.clear()
    assert writer.pending(10) == [TWO]
    assert settled == [(0, [ONE.statement], AT)]
    assert writer.pending_count() == 1


def test_one_writer_holds_a_postgres_book_until_its_session_ends(postgres_dsn):
    first, second = postgres_transactions(postgres_dsn), postgres_transactions(postgres_dsn)
    with closing(first), closing(second):
        with first() as cursor:
            create_tables(cursor, "postgresql")
            cursor.execute("SELECT pg_backend_pid()", ())
            (process,) = cursor.fetchone()
        writer, standby = (SqlBook(each, "postgresql", reading=each.reading) for each in (first, second))
        assert writer.hold()
        assert writer.hold()
        with pytest.raises(Unavailable, match=r"ledger\.writer_elsewhere"):
            standby.hold()
        writer.release()
        assert standby.hold(), "held twice is given back at once"
        with pytest.raises(Unavailable, match=r"ledger\.writer_elsewhere"):
            writer.hold()
        standby.release()
        assert writer.hold()
        with psycopg.connect(postgres_dsn, autocommit=True) as other:
            other.execute("SELECT pg_terminate_backend(%s, 5000)", [process])
        assert standby.hold()
        with pytest.raises(Unavailable, match=r"ledger\.database_unavailable"):
            writer.hold()
        with pytest.raises(Unavailable, match=r"ledger\.writer_elsewhere"):
            writer.hold()


FORMER = {
    "sqlite": "CREATE TABLE {} ({} INTEGER PRIMARY KEY, {})",
    "postgresql": "CREATE TABLE {} ({} BIGINT PRIMARY KEY, {})",
}


@pytest.mark.parametrize("dialect", FORMER)
def test_tables_of_an_earlier_version_are_extended_and_keep_what_they_hold(dialect, request, tmp_path):
    if dialect == "sqlite":
        transactions = sqlite_transactions(tmp_path / "book.sqlite")
    else:
        transactions = postgres_transactions(request.getfixturevalue("postgres_dsn"))
    with closing(transactions), transactions() as cursor:
        kind = "BLOB" if dialect == "sqlite" else "BYTEA"
        for name, key, rest in (
            ("ledger_head", "id", f"size BIGINT NOT NULL, root {kind} NOT NULL"),
            ("ledger_checkpoint", "size", f"root {kind}, note {kind}, sealed_root {kind}, published BIGINT NOT NULL"),
        ):
            cursor.execute(FORMER[dialect].format(name, key, rest), ())
        cursor.execute("INSERT INTO ledger_head (id, size, root) VALUES (1, 1, %s)", [b"r" * 32])
        cursor.execute(
            "INSERT INTO ledger_checkpoint (size, root, note, sealed_root, published) VALUES (1, %s, %s, %s, %s)",
            [b"r" * 32, b"note 1", b"sealed", 1767323045000000],
        )
        for _ in range(2):
            create_tables(cursor, dialect)
        book = SqlBook(transactions, dialect)
        assert book.latest() == published(1)
        assert (book.decided(), book.consortium()) == ([], ConsortiumState())
        head = Head(size=2, root=b"2" * 32)
        book.enqueue([TWO], AT)
        book.swap(book.head(), head, [TWO])
        assert book.decided() == [TWO]
        book.settle(1, [TWO], replace(published(2), member_seals=(b"seal",)))
        assert book.latest().member_seals == (b"seal",)


def test_a_database_that_ends_the_connection_is_unavailable_and_then_back(postgres_dsn):
    transactions = postgres_transactions(postgres_dsn)
    with closing(transactions):
        with transactions() as cursor:
            create_tables(cursor, "postgresql")
            cursor.execute("SELECT pg_backend_pid()", ())
            (process,) = cursor.fetchone()
        with psycopg.connect(postgres_dsn, autocommit=True) as other:
            other.execute("SELECT pg_terminate_backend(%s)", [process])
        book = SqlBook(transactions, "postgresql")
        with pytest.raises(Unavailable, match=r"ledger\.database_unavailable"):
            book.pending(1)
        assert book.pending(1) == []


def test_a_locked_sqlite_file_is_unavailable_and_then_back(tmp_path, monkeypatch):
    monkeypatch.setattr("chopmark.ledger.stores.sql.LOCK_TIMEOUT", 0.05)
    path = tmp_path / "book.sqlite"
    with sql_book(sqlite_transactions(path), "sqlite", None) as book, closing(sqlite_transactions(path)) as other:
        with other(), pytest.raises(Unavailable, match=r"ledger\.database_unavailable"):
            book.enqueue([ONE], AT)
        book.enqueue([ONE], AT)
        assert book.pending(1) == [ONE]


def test_sqlite_syncs_every_commit(tmp_path):
    with closing(sqlite_transactions(tmp_path / "book.sqlite")) as transactions, transactions.reading() as cursor:
        found = []
        for pragma in ("journal_mode", "synchronous"):
            cursor.execute(f"PRAGMA {pragma}")
            found.append(cursor.fetchone()[0])
    assert found == ["wal", 2]


def test_positions_are_consecutive(book):
    book.settle(0, [ONE, TWO], published(2))
    book.settle(2, [THREE], published(3))
    places = sorted(book.positions([ONE.leaf, TWO.leaf, THREE.leaf]).values())
    assert all(after - before == 1 for before, after in pairwise(places))
