"""Reading the published log."""

from datetime import datetime, timedelta
from pathlib import Path

import pytest
from world.ledger import AT, LedgerWorld, statements

from chopmark.base.errors import Invalid, Unavailable
from chopmark.ledger.cose import IssuerKey
from chopmark.ledger.reader import LogReader
from chopmark.ledger.statement import Statement, policy_statement
from chopmark.ledger.stores.files import FileObjects
from chopmark.ledger.tree import leaf_hash, verify_consistency, verify_inclusion

SIZES = [1, 2, 255, 256, 257, 700]


@pytest.fixture(scope="module")
def world() -> LedgerWorld:
    world, start = LedgerWorld(), 0
    for size in SIZES:
        world.publish(*statements(size - start, start))
        start = size
    return world


def test_every_entry_is_read_and_proved_by_the_earliest_checkpoint_that_covers_it(world):
    reader = world.reader()
    for position, statement in enumerate(statements(700)):
        assert reader.entry(position) == statement
        published, path = reader.inclusion(position)
        assert published.size == next(size for size in SIZES if size > position)
        verify_inclusion(
            leaf=leaf_hash(statement), index=position, size=published.size, proof=path, root=published.root
        )


def test_any_two_checkpoints_are_proved_consistent(world):
    reader = world.reader()
    points = world.book.checkpoints(1000, 100)
    for new in points:
        for old in points:
            if old.size <= new.size:
                verify_consistency(
                    old=old.size,
                    old_root=old.root,
                    size=new.size,
                    root=new.root,
                    proof=reader.consistency(old.size, new.size),
                )


def test_entries_come_in_pages(world):
    reader = world.reader()
    assert reader.entries(250, 10) == list(statements(10, 250))
    assert reader.entries(695, 10) == list(statements(5, 695))
    assert reader.entries(700, 10) == []
    assert len(reader.entries(0, 100_000)) == 700


def test_what_is_not_published_is_not_there_yet():
    reader = LedgerWorld().reader()
    assert reader.latest() is None
    assert reader.entries(0, 10) == []
    for read in (lambda: reader.entry(0), lambda: reader.inclusion(0), lambda: reader.consistency(0, 1)):
        with pytest.raises(Unavailable, match=r"ledger\.not_published"):
            read()


def test_what_waits_is_not_read(world):
    waiting = LedgerWorld()
    waiting.publish(b"one")
    waiting.enqueue(b"two")
    with pytest.raises(Unavailable, match=r"ledger\.not_published"):
        waiting.reader().entry(1)


@pytest.mark.parametrize("position", [-1, -700])
def test_positions_below_zero_are_refused(world, position):
    with pytest.raises(Invalid, match=r"ledger\.index_outside"):
        world.reader().entry(position)
    with pytest.raises(Unavailable, match=r"ledger\.not_published"):
        world.reader().inclusion(position)


def test_a_reader_follows_the_log_as_it_grows():
    world = LedgerWorld()
    reader = world.reader()
    for count in range(1, 6):
        world.publish(b"entry %d" % count)
        assert reader.entry(count - 1) == b"entry %d" % count
        assert reader.inclusion(0)[0].size == 1


def test_full_tiles_are_fetched_once_however_the_log_grows():
    world = LedgerWorld()
    world.publish(*statements(300))
    fetched = []

    class Counted(type(world.objects)):
        def get(self, path):
            fetched.append(path)
            return super().get(path)

    world.objects.__class__ = Counted
    reader = LogReader(world.objects, world.book)
    for count in range(3):
        world.publish(b"more %d" % count)
        reader.inclusion(5)
        reader.inclusion(300 + count)
    assert fetched.count("tile/0/000") == 1 + 0
    assert world.book.latest().size == 303


@pytest.mark.parametrize(
    ("path", "code"),
    [("tile/0/000", "ledger.proof_wrong"), ("tile/entries/000", "ledger.bundle_malformed")],
)
def test_altered_files_are_noticed(tmp_path: Path, path, code):
    world = LedgerWorld(objects=FileObjects(tmp_path))
    world.publish(*statements(300))
    file = tmp_path / path
    data = bytearray(file.read_bytes())
    data[40] ^= 1
    file.write_bytes(data)
    reader = world.reader()
    with pytest.raises(Invalid) as caught:
        reader.inclusion(1) if "entries" not in path else [reader.entry(index) for index in range(5)]
    assert caught.value.code == code


def test_an_entry_is_taken_apart_as_a_statement():
    world = LedgerWorld()
    issued: datetime = AT + timedelta(days=1)
    raw = policy_statement(
        b"the rules",
        issuer="https://log.test/issuers/1",
        subject="urn:example:policy",
        key=IssuerKey.from_seed(bytes(32)),
        at=issued,
    )
    world.publish(raw, b"no statement")
    statement = world.reader().statement(0)
    assert isinstance(statement, Statement)
    assert statement.claim.issued_at == issued
    with pytest.raises(Invalid):
        world.reader().statement(1)
