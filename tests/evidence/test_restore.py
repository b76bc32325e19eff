"""The ledger rebuilt from members' copies: from files over real HTTP, into whatever the database still knows."""

from __future__ import annotations

import dataclasses
import http.server
import shutil
import threading
from contextlib import closing
from functools import partial

import pytest
from django.db import connection, transaction
from world.ledger import VERIFIERS, LedgerWorld
from world.members import five
from world.pages import SEEDS, PageWorld

from chopmark.base.digests import digests_of
from chopmark.base.errors import Invalid, PlatformError, Refused, Unavailable
from chopmark.cli import restoring
from chopmark.evidence import actions, governance, queries, wiring
from chopmark.evidence.models import Deposit, Founding, Governance
from chopmark.ledger.audit import audit
from chopmark.ledger.checkpoint import Checkpoint, sign_checkpoint
from chopmark.ledger.consortium import Consortium
from chopmark.ledger.governance import Rule, consortium_policy
from chopmark.ledger.keys import SigningKey
from chopmark.ledger.log import Log
from chopmark.ledger.note import Note
from chopmark.ledger.policy import Policy
from chopmark.ledger.stores.files import FileJournal, FileObjects
from chopmark.ledger.stores.sql import SqlBook, create_tables
from chopmark.ledger.tiles import Edge, decode_bundle, encode_bundle, integrate
from chopmark.ledger.tree import leaf_hash
from chopmark.ledger.wire import origin_hash
from chopmark.member.restore import open_copy, rebuild

MEMBERS = five()
RULE = Rule.parse("courts: 2 of hangzhou beijing guangzhou and others: 1 of notary customs")


class World(PageWorld):
    """A platform, and members that copy what it writes."""

    capture = None

    def publish(self) -> int:
        if self.capture is None:
            return super().publish()
        with self.capture(execute=True):
            return super().publish()


def log_keys() -> list[SigningKey]:
    return [SigningKey(name=wiring.origin(), type=kind, seed=seed) for kind, seed in SEEDS.values()]


@pytest.fixture
def world(db, settings, tmp_path, django_capture_on_commit_callbacks):
    settings.CHOPMARK_HOME = tmp_path / "home"
    world = World.made(settings.CHOPMARK_HOME)
    for name, key in zip(SEEDS, log_keys(), strict=True):
        path = world.home / "keys" / name
        path.write_text(key.text() + "\n", "ascii")
        path.chmod(0o600)
    world.capture = django_capture_on_commit_callbacks
    return world


@pytest.fixture
def mei(world):
    return world.person("Mei Lan")


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        """Say nothing."""


@pytest.fixture
def court(tmp_path):
    """A member's static files over HTTP: its folder, and its address."""
    root = tmp_path / "court"
    folder = root / "mirror" / origin_hash(wiring.origin())
    folder.mkdir(parents=True)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=root))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    yield folder, f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def mirrored(world, folder, *names) -> None:
    """The folder holds what the log has now, cosigned by these members alone."""
    shutil.copytree(world.home / "log", folder, dirs_exist_ok=True)
    note = Note.parse((folder / "checkpoint").read_bytes())
    own = tuple(line for line in note.signatures if line.name == wiring.origin())
    data = Note(text=note.text, signatures=own).encode()
    for name in names:
        data = MEMBERS[name].cosigned(data, world.now())
    (folder / "checkpoint").write_bytes(data)


def filled(world, person, count, *, start=0) -> None:
    deposit_many(world, person, range(start, start + count))
    world.publish()


def deposit_many(world, person, numbers) -> None:
    works = [
        actions.NewDeposit(kind="work", digests=digests_of([f"work {number}".encode()]), source="page")
        for number in numbers
    ]
    for here in range(0, len(works), 100):
        made = actions.deposit(works[here : here + 100], by=person.actor, at=world.now())
        assert not any(isinstance(each, PlatformError) for each in made)


def restored(world, *places):
    with world.capture(execute=True):
        return restoring.restore(restoring.plan(places), lambda _: None, world.now())


def in_order(world) -> int:
    """The whole log is audited and agrees with the database; its size."""
    found: list[bytes] = []
    book = wiring.book()
    recorded = [each.note for each in book.checkpoints(book.head().size + 1, 1000)]
    result = audit(wiring.objects().get, wiring.log_keys(), older=recorded, entry=lambda _, entry: found.append(entry))
    assert result.findings == ()
    assert book.latest().size == book.head().size == len(found)
    for position, entry in enumerate(found):
        assert book.positions([leaf_hash(entry)]) == {leaf_hash(entry): position}
    return len(found)


def writer(world):
    """The writer as after a start."""
    world.log.close()
    world.log.recover()


def test_a_deleted_ledger_comes_back_from_one_court_and_goes_on(world, mei, court):
    folder, address = court
    filled(world, mei, 300)
    mirrored(world, folder, "hangzhou")
    before = {
        path.relative_to(world.home): path.read_bytes() for path in (world.home / "log").rglob("*") if path.is_file()
    }
    shutil.rmtree(world.home / "log")
    world.log.close()
    done = restored(world, address)
    assert (done.size, done.settled, done.aside) == (302, 0, None)
    after = {
        path.relative_to(world.home): path.read_bytes() for path in (world.home / "log").rglob("*") if path.is_file()
    }
    assert after == before
    writer(world)
    filled(world, mei, 5, start=300)
    assert in_order(world) == 307


def test_a_damaged_folder_is_moved_aside_and_nothing_of_it_is_used(world, mei, court):
    folder, address = court
    filled(world, mei, 10)
    mirrored(world, folder, "hangzhou")
    [bundle] = (world.home / "log" / "tile" / "entries").rglob("12")
    bundle.write_bytes(b"damage")
    world.log.close()
    done = restored(world, address)
    assert done.aside is not None
    assert next((world.home).glob("log.before-*/tile/entries/000.p/12")).read_bytes() == b"damage"
    assert in_order(world) == 12


def test_a_batch_that_waits_for_the_quorum_is_finished_after_the_ledger_came_back(world, mei, court, monkeypatch):
    folder, address = court
    filled(world, mei, 3)
    world.log.close()
    cards = [out_of_reach(member.card) for member in MEMBERS.values()]
    policy = consortium_policy(wiring.log_keys(), cards, RULE)
    journal, book = FileJournal(world.home / "journal"), wiring.book(on_settled=actions.settle)
    with closing(Consortium(policy, cards, [], wiring.objects(), world.now, patience=0.1)) as members:
        log = Log(wiring.origin(), wiring.objects(), journal, book, log_keys(), world.now, members)
        with monkeypatch.context() as before:  # they were there until a moment ago
            before.setattr(Log, "_must_be_newest", lambda *_: None)
            deposit_many(world, mei, range(3, 7))
            with pytest.raises(Unavailable, match=r"ledger\.quorum_missing"):
                log.step()
        log.close()
    head = book.head()
    assert (head.size, book.latest().size) == (9, 5)
    mirrored(world, folder)
    checkpoint = Checkpoint(origin=wiring.origin(), size=head.size, root=head.root)
    ahead = sign_checkpoint(checkpoint, log_keys(), world.now())
    (folder / "checkpoint").write_bytes(MEMBERS["hangzhou"].cosigned(ahead, world.now()))
    shutil.rmtree(world.home / "log")
    done = restored(world, address)
    assert (done.size, done.settled) == (5, 0)
    writer(world)
    assert in_order(world) == 9


def test_a_batch_that_was_published_and_is_unknown_to_the_database_is_settled(world, mei, court):
    folder, address = court
    filled(world, mei, 3)
    public = world.home.parent / "public"
    shutil.copytree(world.home / "log", public)
    point = transaction.savepoint()
    filled(world, mei, 4, start=3)
    mirrored(world, folder, "hangzhou")
    transaction.savepoint_rollback(point)
    world.log.close()
    shutil.rmtree(world.home / "log")
    shutil.copytree(public, world.home / "log")
    done = restored(world, address)
    assert (done.size, done.settled) == (9, 4)
    assert in_order(world) == 9


def test_a_database_from_an_older_backup_learns_what_it_lacks_and_waiting_deposits_are_told(world, mei, court):
    folder, address = court
    filled(world, mei, 2)
    waiting = world.deposit(mei, b"waits", title="Waits")
    point = transaction.savepoint()
    filled(world, mei, 300, start=2)
    mirrored(world, folder, "hangzhou")
    transaction.savepoint_rollback(point)
    world.log.close()
    assert Deposit.objects.get(pk=waiting.id).position is None
    done = restored(world, address)
    assert (done.size, done.settled) == (305, 301)
    assert Deposit.objects.get(pk=waiting.id).position == 4
    assert queries.receipt_for(mei.actor, waiting.id).index == 4
    assert wiring.book().pending_count() == 0
    writer(world)
    filled(world, mei, 3, start=900)
    assert in_order(world) == 308


def test_an_empty_database_gets_its_ledger_back_and_what_governance_decided(world, mei, court):
    folder, address = court
    actions.adopt_cards([MEMBERS["hangzhou"].card.encode()], at=world.now())
    filled(world, mei, 3)
    mirrored(world, folder, "hangzhou")
    papers = {(each.kind, each.name, each.sha256, each.position) for each in governance.papers()}
    founding = set(Founding.objects.values_list("name", flat=True))
    world.log.close()
    empty(connection)
    done = restored(world, address)
    assert (done.size, done.settled) == (9, 9)
    assert {(each.kind, each.name, each.sha256, each.position) for each in governance.papers()} == papers
    assert set(Founding.objects.values_list("name", flat=True)) == founding
    assert [card.name for card in wiring.cards()] == ["hangzhou"]
    assert actions.genesis(world.now()) == 0
    assert in_order(world) == 9


def empty(connection) -> None:
    """As a new database: what no SQL of ours may do while the triggers stand."""
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute("SELECT name FROM sqlite_master WHERE type = 'trigger' AND name LIKE 'ledger_%'")
            for (name,) in cursor.fetchall():
                cursor.execute(f'DROP TRIGGER "{name}"')
        for table in ("ledger_head", "ledger_pending", "ledger_leaf", "ledger_digest", "ledger_checkpoint"):
            cursor.execute(f"DROP TABLE {table}")
        create_tables(cursor, wiring.dialect())
    Deposit.objects.all().delete()
    Governance.objects.all().delete()
    Founding.objects.all().delete()


def test_a_checkpoint_that_was_never_published_here_needs_the_quorum(world, mei, tmp_path, monkeypatch):
    monkeypatch.setattr(restoring, "PATIENCE", 0.1)
    point = consortium_with_a_batch_that_only_members_know(world, mei, tmp_path)
    with pytest.raises(Unavailable, match=r"ledger\.quorum_missing"):
        restored(world, str(tmp_path / "hangzhou"))
    assert not (world.home / "log" / "checkpoint").read_bytes().startswith(point)
    with pytest.raises(Unavailable, match=r"ledger\.quorum_missing"):
        restored(world, str(tmp_path / "hangzhou"), str(tmp_path / "beijing"))
    places = [str(tmp_path / name) for name in ("hangzhou", "beijing", "notary")]
    done = restored(world, *places)
    assert done.settled == 4
    note = (world.home / "log" / "checkpoint").read_bytes()
    assert Policy.parse(wiring.policy_at(done.size)).open(note)[1].accepted
    assert in_order(world) == done.size


def consortium_with_a_batch_that_only_members_know(world, mei, tmp_path) -> bytes:
    """The database and the public end before it; three members have it, each with its own cosignature."""
    cards = [out_of_reach(member.card) for member in MEMBERS.values()]
    actions.adopt_cards([card.encode() for card in cards], at=world.now())
    actions.decide_policy(RULE, at=world.now())
    filled(world, mei, 2)
    shutil.copytree(world.home / "log", tmp_path / "public")
    savepoint = transaction.savepoint()
    filled(world, mei, 4, start=2)
    for name in ("hangzhou", "beijing", "notary"):
        mirrored(world, tmp_path / name, name)
    text = Note.parse((tmp_path / "notary" / "checkpoint").read_bytes()).text.encode()
    transaction.savepoint_rollback(savepoint)
    world.log.close()
    shutil.rmtree(world.home / "log")
    shutil.move(tmp_path / "public", world.home / "log")
    return text


def out_of_reach(card):
    """A member whom nobody reaches, so that nothing is asked of it."""
    return dataclasses.replace(card, url=None)


def test_a_forged_history_is_refused_and_nothing_is_changed(world, mei, court):
    folder, address = court
    filled(world, mei, 5)
    size = wiring.book().latest().size
    forged = Checkpoint(origin=wiring.origin(), size=size, root=bytes(32))
    mirrored(world, folder)
    (folder / "checkpoint").write_bytes(sign_checkpoint(forged, log_keys(), world.now()))
    with pytest.raises(Invalid, match=r"ledger\.restore_fork"):
        restoring.plan([address])
    assert in_order(world) == size


def test_a_longer_history_that_does_not_begin_with_ours_is_refused(world, mei, court, tmp_path):
    folder, address = court
    other = LedgerWorld()
    other.publish(*[f"another {number}".encode() for number in range(20)])
    entries = [other.reader().entry(position) for position in range(20)]
    log = world.log
    filled(world, mei, 5)
    edge, files = integrate(Edge(), entries)
    objects = FileObjects(folder)
    objects.put(files)
    longer = Checkpoint(origin=wiring.origin(), size=20, root=edge.root())
    objects.put({"checkpoint": sign_checkpoint(longer, log_keys(), world.now())})
    log.close()
    with pytest.raises(Invalid, match=r"ledger\.restore_differs"):
        restored(world, address)
    assert in_order(world) == 7
    assert not (world.home / "log.restoring").exists()


@pytest.mark.parametrize(
    "wrong",
    [
        (lambda folder: (folder / "checkpoint").unlink(), "member.not_there"),
        (lambda folder: (folder / "checkpoint").write_bytes(b"what\n"), "ledger.note_malformed"),
    ],
)
def test_a_copy_that_is_none_is_passed_over(world, mei, court, tmp_path, wrong):
    (spoil, code), (folder, address) = wrong, court
    filled(world, mei, 3)
    mirrored(world, folder, "hangzhou")
    spoil(folder)
    with pytest.raises(Unavailable, match=r"ledger\.restore_nothing"):
        restoring.plan([address])
    shutil.copytree(world.home / "log", tmp_path / "copy")
    assert restoring.plan([address, str(tmp_path / "copy")]).silent == {address: code}


def test_a_copy_of_another_log_is_none_of_ours(world, tmp_path):
    other = LedgerWorld(objects=FileObjects(tmp_path / "other"))
    other.publish(b"one")
    with pytest.raises(PlatformError) as caught:
        open_copy(str(tmp_path / "other"), wiring.origin(), [*wiring.log_keys(), *VERIFIERS])
    assert caught.value.code == "ledger.restore_other_log"


def test_a_copy_that_lags_behind_what_was_published_is_not_enough(world, mei, court):
    folder, address = court
    filled(world, mei, 3)
    mirrored(world, folder, "hangzhou")
    filled(world, mei, 1, start=3)
    with pytest.raises(Refused, match=r"ledger\.restore_behind"):
        restoring.plan([address])


def test_a_damaged_copy_is_left_for_the_next_one(world, mei, court, tmp_path):
    folder, address = court
    filled(world, mei, 300)
    mirrored(world, folder, "hangzhou")
    shutil.copytree(world.home / "log", tmp_path / "copy")
    bundle = folder / "tile" / "entries" / "000"
    data = bytearray(bundle.read_bytes())
    data[100] ^= 1
    bundle.write_bytes(data)
    shutil.rmtree(world.home / "log")
    world.log.close()
    done = restored(world, address, str(tmp_path / "copy"))
    assert done.place == str(tmp_path / "copy")
    assert in_order(world) == 302


def test_broken_off_it_goes_on_where_it_was(world, mei, court, tmp_path):
    folder, address = court
    filled(world, mei, 600)
    mirrored(world, folder, "hangzhou")
    copy = open_copy(address, wiring.origin(), wiring.log_keys())
    asked: list[str] = []

    def broken(path):
        asked.append(path)
        if path == "tile/entries/001":
            raise Unavailable("member.not_there", address=path)
        return copy.fetch(path)

    target = FileObjects(tmp_path / "target")
    known = {copy.size: {copy.checkpoint.root}}
    with pytest.raises(Unavailable, match=r"member\.not_there"):
        rebuild(dataclasses.replace(copy, fetch=broken), copy.size, target, known)
    target.put({"tile/entries/000": copy.fetch("tile/entries/000")})
    asked.clear()
    broken_no_more = dataclasses.replace(copy, fetch=lambda path: asked.append(path) or copy.fetch(path))
    assert rebuild(broken_no_more, copy.size, target, known).size == 602
    assert "tile/entries/000" not in asked
    assert audit(FileObjectsWith(target, copy.note).get, wiring.log_keys()).findings == ()


class FileObjectsWith:
    """Objects with a checkpoint put before them."""

    def __init__(self, objects, note):
        self._objects, self._note = objects, note

    def get(self, path):
        return self._note if path == "checkpoint" else self._objects.get(path)


def test_comparing_alone_changes_nothing(world, mei, court):
    folder, address = court
    filled(world, mei, 30)
    mirrored(world, folder, "hangzhou")
    before = {path: path.stat().st_mtime_ns for path in world.home.rglob("*")}
    done = restoring.compare(restoring.plan([address]), lambda _: None)
    assert (done.size, done.settled) == (32, 0)
    assert {path: path.stat().st_mtime_ns for path in world.home.rglob("*")} == before


def test_while_a_writer_runs_nothing_is_restored(world, mei, court):
    folder, address = court
    filled(world, mei, 3)
    mirrored(world, folder, "hangzhou")
    world.log.close()
    other = FileJournal(world.home / "journal")
    other.hold()
    with pytest.raises(Unavailable, match=r"ledger\.writer_running"):
        restored(world, address)
    other.release()


def test_a_copy_that_lies_and_falls_silent_does_not_spoil_what_a_good_one_brings(world, mei, court, tmp_path):
    folder, address = court
    filled(world, mei, 598)
    mirrored(world, folder, "hangzhou")
    shutil.copytree(folder, tmp_path / "liar")
    bundle = tmp_path / "liar" / "tile" / "entries" / "000"
    bundle.write_bytes(encode_bundle([*decode_bundle(bundle.read_bytes())[:100], *[b"a lie"] * 156]))
    (tmp_path / "liar" / "tile" / "entries" / "001").unlink()
    world.log.close()
    plan = restoring.plan([str(tmp_path / "liar"), address])
    FileObjects(world.home / "log.restoring").put({"tile/entries/000": bundle.read_bytes()})
    with world.capture(execute=True):
        done = restoring.restore(plan, lambda _: None, world.now())
    assert done.place == address
    assert in_order(world) == 600


def test_the_ledger_is_not_replaced_while_a_writer_elsewhere_is_at_work(world, mei, court, monkeypatch):
    folder, address = court
    filled(world, mei, 3)
    mirrored(world, folder, "hangzhou")
    world.log.close()

    def elsewhere(_):
        raise Unavailable("ledger.writer_elsewhere")

    monkeypatch.setattr(SqlBook, "hold", elsewhere)
    before = sorted(world.home.rglob("*"))
    with pytest.raises(Unavailable, match=r"ledger\.writer_elsewhere"):
        restored(world, address)
    assert sorted(world.home.rglob("*")) == before
