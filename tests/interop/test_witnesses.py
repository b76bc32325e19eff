"""Other people's witnesses cosign our log: they take what our couriers send, and our policy counts what they sign."""

from __future__ import annotations

import contextlib
import os
import re
import sqlite3
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from interop import foreign
from world.ledger import KEYS, ORIGIN, LedgerWorld, statements
from world.patience import HANG, until
from world.small_log import LOG_KEY, SmallLog, write_log
from world.small_log import ORIGIN as SMALL

from chopmark.base import clock
from chopmark.base.errors import Unavailable
from chopmark.ledger.card import WITNESS, Card, CardKey
from chopmark.ledger.checkpoint import Checkpoint, sign_checkpoint
from chopmark.ledger.consortium import Consortium
from chopmark.ledger.keys import ED25519, ED25519_COSIGNATURE, MLDSA44_COSIGNATURE, SigningKey, VerifierKey
from chopmark.ledger.log import Log
from chopmark.ledger.note import Note
from chopmark.ledger.policy import Policy, policy_text
from chopmark.ledger.proof import TlogProof
from chopmark.ledger.text import to_base64
from chopmark.ledger.tiles import TileReader
from chopmark.ledger.tree import consistency_proof
from chopmark.ledger.wire import Answer
from chopmark.ledger.witness import AddCheckpoint
from chopmark.member.client import HttpLink

pytestmark = pytest.mark.interop

SIZES = [1, 2, 255, 256, 300, 700, 70_000]
LOGS = {SMALL: LOG_KEY.verifier, ORIGIN: KEYS[0].verifier}


@dataclass(frozen=True, slots=True, kw_only=True)
class Neighbour:
    """A foreign witness at work, and the keys that it cosigns with."""

    url: str
    keys: tuple[VerifierKey, ...]


@contextlib.contextmanager
def omniwitness(folder: Path) -> Iterator[Neighbour]:
    """Of transparency.dev; signs with Ed25519 and ML-DSA-44."""
    keys = [SigningKey.generate("omni.test/w", kind) for kind in (ED25519, MLDSA44_COSIGNATURE)]
    arguments: list[object] = []
    for number, key in enumerate(keys):
        (folder / f"key{number}").write_text(key.text())
        arguments.append(f"--private_key_path={folder}/key{number}")
    logs = "".join(f"  - Origin: {origin}\n    PublicKey: {key}\n" for origin, key in LOGS.items())
    (folder / "logs.yaml").write_text(f"Logs:\n{logs}")
    port = foreign.free_port()
    command = [
        foreign.go_programs() / "omniwitness", f"--listen=127.0.0.1:{port}", "--metrics_listen=",
        f"--db_file={folder}/state.db", f"--additional_logs={folder}/logs.yaml", *arguments,
    ]  # fmt: skip
    public = VerifierKey(name="omni.test/w", type=ED25519_COSIGNATURE, public=keys[0].verifier.public)
    with foreign.running(folder / "omniwitness.txt", *command, port=port):
        yield Neighbour(url=f"http://127.0.0.1:{port}", keys=(public, keys[1].verifier))


@contextlib.contextmanager
def litewitness(folder: Path) -> Iterator[Neighbour]:
    """Of torchwood; signs with Ed25519 through an SSH agent, takes 10 KiB at most."""
    programs, port, socket = foreign.go_programs(), foreign.free_port(), folder / "agent"
    with foreign.running(folder / "agent.txt", programs / "keyholder", socket) as agent:
        until(lambda: socket.exists() and (folder / "agent.txt").read_text().endswith("\n"))
        assert agent.poll() is None
        database = folder / "litewitness.db"
        with contextlib.closing(sqlite3.connect(database)) as db, db:
            db.execute(
                "CREATE TABLE log (origin TEXT PRIMARY KEY, tree_size INTEGER NOT NULL, tree_hash TEXT NOT NULL)"
            )
            db.execute("CREATE TABLE key (origin TEXT NOT NULL REFERENCES log(origin), key TEXT NOT NULL)")
            empty = to_base64(bytes.fromhex("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"))
            db.executemany("INSERT INTO log VALUES (?, 0, ?)", [(origin, empty) for origin in LOGS])
            db.executemany("INSERT INTO key VALUES (?, ?)", [(origin, str(key)) for origin, key in LOGS.items()])
        command = [
            programs / "litewitness", "-name=lite.test/w", f"-db={database}", f"-ssh-agent={socket}",
            f"-listen=127.0.0.1:{port}", f"-key={(folder / 'agent.txt').read_text().strip()}",
        ]  # fmt: skip
        with foreign.running(folder / "litewitness.txt", *command, port=port):
            vkey = re.search(r"vkey=(\S+)", (folder / "litewitness.txt").read_text())
            assert vkey is not None
            yield Neighbour(url=f"http://127.0.0.1:{port}", keys=(VerifierKey.parse(vkey[1]),))


@contextlib.contextmanager
def aics_witness(folder: Path) -> Iterator[Neighbour]:
    """The PyPI package; signs with Ed25519."""
    path = os.pathsep.join([str(foreign.python_packages()), *filter(None, sys.path)])
    port, env = foreign.free_port(), {"PYTHONPATH": path, "AICS_WITNESS_CONFIG": str(folder / "witness.json")}
    program = (sys.executable, "-W", "ignore", "-m", "aics_witness")
    code, said = foreign.call(*program, "init", "--name", "aics.test/w", env=env)
    assert code == 0, said
    vkey = re.search(r"aics\.test/w\+[0-9a-f]{8}\+\S+", said)
    assert vkey is not None, said
    for origin, key in LOGS.items():
        code, told = foreign.call(*program, "add-log", "--origin", origin, "--vkey", key, env=env)
        assert code == 0, told
    serve = (*program, "serve", "--listen", f"127.0.0.1:{port}")
    with foreign.running(folder / "aics.txt", *serve, port=port, env=env):
        yield Neighbour(url=f"http://127.0.0.1:{port}", keys=(VerifierKey.parse(vkey[0]),))


WITNESSES = {"omniwitness": omniwitness, "litewitness": litewitness, "aics-witness": aics_witness}


@pytest.fixture(params=WITNESSES)
def neighbour(request, tmp_path) -> Iterator[Neighbour]:
    with WITNESSES[request.param](tmp_path) as started:
        yield started


@pytest.fixture(scope="module")
def written(tmp_path_factory) -> SmallLog:
    return write_log(tmp_path_factory.mktemp("log"), SIZES)


def own(note: bytes) -> bytes:
    """The checkpoint with the log's own signatures alone, as witnesses get it."""
    signed = Note.parse(note)
    return Note(text=signed.text, signatures=tuple(each for each in signed.signatures if each.name == SMALL)).encode()


def offer(neighbour: Neighbour, written: SmallLog, old: int, new: int, note: bytes | None = None) -> Answer:
    proof = tuple(consistency_proof(old, new, written.reader(new).nodes))
    body = AddCheckpoint(old=old, proof=proof, note=own(written.checkpoints[new]) if note is None else note)
    with HttpLink("neighbour", neighbour.url) as link:
        return link.add_checkpoint(body.encode())


def policy(neighbour: Neighbour, log: VerifierKey) -> Policy:
    """Every key of the witness must have signed."""
    lines = [f"witness w{number} {key}" for number, key in enumerate(neighbour.keys)]
    names = " ".join(f"w{number}" for number in range(len(lines)))
    return Policy.parse("\n".join([f"log {log}", *lines, f"group all-of-it all {names}", "quorum all-of-it"]).encode())


def test_its_cosignatures_on_our_growing_log_count_in_our_policy(neighbour, written):
    rule = policy(neighbour, LOG_KEY.verifier)
    for old, new in zip([0, *SIZES], SIZES, strict=False):
        answer = offer(neighbour, written, old, new)
        assert (answer.status, bool(answer.body)) == (200, True)
        note = own(written.checkpoints[new]) + answer.body
        checkpoint, judgement = rule.open(note)
        assert (checkpoint.size, judgement.accepted, len(judgement.witnesses)) == (new, True, len(neighbour.keys))
        for signature in judgement.witnesses.values():
            assert signature.at is not None
            assert abs((signature.at - clock.now()).total_seconds()) < HANG


def test_it_tells_the_size_that_it_has_and_goes_on_from_there(neighbour, written):
    assert offer(neighbour, written, 0, 300).status == 200
    answer = offer(neighbour, written, 0, 700)
    assert (answer.status, answer.body, answer.content_type) == (409, b"300\n", "text/x.tlog.size")
    assert offer(neighbour, written, 300, 700).status == 200
    again = offer(neighbour, written, 700, 700)
    assert (again.status, bool(again.body)) == (200, True)


def forked(size: int) -> bytes:
    """A checkpoint of a history that never was, signed by the log's true key."""
    return sign_checkpoint(Checkpoint(origin=SMALL, size=size, root=b"\x55" * 32), [LOG_KEY], clock.now())


def replaced(note: bytes, place: int) -> bytes:
    text = bytearray(note)
    text[place] = ord("A") if text[place] != ord("A") else ord("B")
    return bytes(text)


def signed_by_one(note: bytes) -> bytes:
    signed = Note.parse(note)
    return Note(text=signed.text, signatures=signed.signatures[:1]).encode()


# 500 where the specification says 403 or 404, and 409 where it says 422, are omniwitness's.
REFUSED = {
    "another history of the same size": (300, lambda _: forked(300), {409, 422}),
    "another history that is longer": (700, lambda _: forked(700), {422}),
    "another character in the root": (700, lambda note: replaced(note, 27), {403, 500}),
    "another character in the signature": (700, lambda note: replaced(signed_by_one(note), -10), {403, 500}),
    "a log that it does not know": (700, lambda note: note.replace(b"small\n700", b"other\n700"), {403, 404, 500}),
}


@pytest.mark.parametrize("title", REFUSED)
def test_it_refuses_what_is_not_our_history(neighbour, written, title):
    new, changed, statuses = REFUSED[title]
    assert offer(neighbour, written, 0, 300).status == 200
    answer = offer(neighbour, written, 300, new, changed(own(written.checkpoints[new])))
    assert answer.status in statuses
    assert "—" not in answer.body.decode()
    assert offer(neighbour, written, 300, 700).status == 200


def test_it_refuses_a_proof_with_one_other_bit(neighbour, written):
    assert offer(neighbour, written, 0, 300).status == 200
    proof = consistency_proof(300, 700, written.reader(700).nodes)
    wrong = (bytes([proof[0][0] ^ 1]) + proof[0][1:], *proof[1:])
    body = AddCheckpoint(old=300, proof=wrong, note=own(written.checkpoints[700])).encode()
    with HttpLink("neighbour", neighbour.url) as link:
        assert link.add_checkpoint(body).status == 422


def card(neighbour: Neighbour) -> Card:
    keys = tuple(CardKey(role=WITNESS, key=key) for key in neighbour.keys)
    return Card(name="neighbour", kind="association", zh="邻居", en="Neighbour", url=neighbour.url, keys=keys)


@contextlib.contextmanager
def consortium(world: LedgerWorld, neighbour: Neighbour, patience: float = HANG) -> Iterator[Log]:
    rule = policy(neighbour, KEYS[0].verifier)
    with HttpLink("neighbour", neighbour.url, patience=HANG) as link:
        cosigners = Consortium(rule, [card(neighbour)], [link], world.objects, clock.now, patience=patience)
        log = Log(ORIGIN, world.objects, world.journal, world.book, KEYS, clock.now, cosigners)
        try:
            yield log
        finally:
            log.close()


def test_our_writer_publishes_under_its_quorum_batch_by_batch(neighbour):
    world = LedgerWorld(clock=clock.now)
    rule = policy(neighbour, KEYS[0].verifier)
    with consortium(world, neighbour) as log:
        for step, count in enumerate([1, 255, 300, 4]):
            world.enqueue(*statements(count, 1000 * step))
            assert log.step() == count
            _, judgement = rule.open(world.objects.get("checkpoint"))
            assert judgement.accepted
    with consortium(world, neighbour) as log:  # a courier that knows nothing asks for the size that it has
        world.enqueue(b"after a start")
        assert log.step() == 1


def test_our_writer_publishes_nothing_against_a_witness_that_saw_another_history(neighbour, tmp_path):
    first, second = LedgerWorld(clock=clock.now), LedgerWorld(clock=clock.now)
    with consortium(first, neighbour) as log:
        first.enqueue(*statements(40))
        log.step()
    with consortium(second, neighbour, patience=1.0) as log:
        second.enqueue(*statements(50, 5000))
        with pytest.raises(Unavailable) as caught:
            log.step()
    assert caught.value.code == "ledger.quorum_missing"
    assert "checkpoint" not in second.objects.names()


def test_torchwood_accepts_our_receipt_under_the_same_policy_file(neighbour, go, tmp_path):
    world = LedgerWorld(clock=clock.now)
    with consortium(world, neighbour) as log:
        world.enqueue(*statements(300))
        log.step()
    note = world.objects.get("checkpoint")
    hashes = tuple(TileReader(world.objects.get, 300).inclusion_proof(7))
    rule = policy(neighbour, KEYS[0].verifier)
    compact = [witness for witness in rule.witnesses if witness.key.type == ED25519_COSIGNATURE]
    rule = Policy(logs=rule.logs, witnesses=tuple(compact), quorum=compact[0].name)  # it knows no ML-DSA-44
    files = {
        "policy": policy_text(rule).encode(),
        "proof": TlogProof(index=7, hashes=hashes, checkpoint=note, extra=b"for people").encode(),
        "entry": TileReader(world.objects.get, 300).entry(7),
        "checkpoint": note,
    }
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)

    def judged(*names: str) -> tuple[int, str]:
        return foreign.call(go / "receipt", *(tmp_path / name for name in names))

    assert judged("policy", "proof", "entry") == (0, "ok\n")
    assert judged("policy", "checkpoint") == (0, "ok\n")
    (tmp_path / "other").write_bytes(files["entry"] + b"x")
    assert judged("policy", "proof", "other")[0] == 1
    line = note.find(compact[0].key.name.encode())
    (tmp_path / "checkpoint").write_bytes(replaced(note, note.find(b"\n", line) - 20))
    assert judged("policy", "checkpoint")[0] == 1
    alone = Note.parse(note)
    stripped = Note(text=alone.text, signatures=tuple(each for each in alone.signatures if each.name == ORIGIN))
    (tmp_path / "checkpoint").write_bytes(stripped.encode())
    assert judged("policy", "checkpoint")[0] == 1
