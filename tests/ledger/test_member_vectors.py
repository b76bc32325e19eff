"""The published exchanges of `tests/vectors/{witness,mirror}` are what a real witness and mirror answer."""

from __future__ import annotations

import base64
import io
import json
import runpy
from datetime import UTC, datetime
from hashlib import sha256

import pytest
from world.data import REPOSITORY, VECTORS

from chopmark.ledger.keys import ED25519, ED25519_COSIGNATURE, MLDSA44_COSIGNATURE, SigningKey, VerifierKey
from chopmark.ledger.mirror import Mirror, MirrorInfo, packages, upload_header
from chopmark.ledger.note import Note
from chopmark.ledger.stores.memory import MemoryObjects
from chopmark.ledger.tiles import Edge, TileReader, integrate
from chopmark.ledger.wire import MIRROR_INFO, Answer
from chopmark.ledger.witness import AddCheckpoint, SignSubtree, WatchedLog, Witness

ORIGIN = "log.example/vectors"
AT = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)


def key(name: str, kind: int, first: int) -> SigningKey:
    return SigningKey(name=name, type=kind, seed=bytes(range(first, first + 32)))


LOG = key(ORIGIN, ED25519, 0)
WITNESS = [
    key("member.example/witness", ED25519_COSIGNATURE, 64),
    key("member.example/witness", MLDSA44_COSIGNATURE, 96),
]
MIRROR = [
    key("member.example/mirror", ED25519_COSIGNATURE, 128),
    key("member.example/mirror", MLDSA44_COSIGNATURE, 160),
]


@pytest.fixture
def member() -> tuple[Witness, Mirror]:
    state, copy = MemoryObjects(replaceable=("pending",)), MemoryObjects()
    log = WatchedLog(origin=ORIGIN, keys=(LOG.verifier,), state=state, copy=copy)
    Witness.found(log)
    witness = Witness([log], WITNESS, lambda: AT, lambda _: None)
    return witness, Mirror(witness, [log], MIRROR, lambda: AT)


def cases(name: str) -> list[dict]:
    return json.loads((VECTORS / name).read_text("utf-8"))


def must_be(answer: Answer, case: dict, signer: SigningKey) -> None:
    assert answer.status == case["status"], case["desc"]
    if case.get("content_type") == MIRROR_INFO:
        info = MirrorInfo.parse(answer.body)
        assert (answer.content_type, info.size, info.next_entry) == (MIRROR_INFO, case["size"], case["next_entry"])
    elif answer.status == 200:
        plain, quantum = Note.parse(b"x\n\n" + answer.body).signatures
        assert plain.line() == case["body"], case["desc"]
        message = bytes.fromhex(case["message_mldsa44"])
        assert quantum.value[:8] == int(AT.timestamp()).to_bytes(8, "big")
        signer.verifier.verify(quantum.value[8:], message)
    elif answer.status == 409:
        assert (answer.content_type, answer.body.decode()) == (case["content_type"], case["body"])


def test_add_checkpoint(member):
    witness, _ = member
    for case in cases("witness/add_checkpoint.json"):
        must_be(witness.add_checkpoint(base64.b64decode(case["request"])), case, WITNESS[1])


@pytest.mark.parametrize("case", cases("witness/sign_subtree.json"), ids=lambda case: case["desc"])
def test_sign_subtree(member, case):
    witness, _ = member
    body = base64.b64decode(case["request"])
    answer = witness.sign_subtree(body)
    assert answer.status == case["status"]
    (line,) = Note.parse(b"x\n\n" + answer.body).signatures
    assert (line.key_id.hex(), line.value[:8]) == (case["key_id"], bytes(8))
    VerifierKey.parse(case["vkey"]).verify(line.value[8:], bytes.fromhex(case["message"]))
    assert SignSubtree.parse(body).encode() == body


@pytest.mark.parametrize("case", cases("mirror/bodies.json"), ids=lambda case: case["desc"])
def test_bodies(case):
    _, files = integrate(Edge(), [str(index).encode() * (index % 7) for index in range(1000)])
    tiles = TileReader(files.__getitem__, 1000)
    start, end = case["start"], case["end"]
    body = upload_header(ORIGIN, start, end) + b"".join(packages(tiles, start, end, case["most"]))
    assert (len(body), sha256(body).hexdigest()) == (case["size"], case["sha256"])
    assert case["body"] is None or base64.b64decode(case["body"]) == body


def test_exchange(member):
    witness, mirror = member
    for case in cases("mirror/exchange.json"):
        body = base64.b64decode(case["request"])
        if case["call"] == "add-checkpoint":
            must_be(witness.add_checkpoint(body), case, WITNESS[1])
            assert AddCheckpoint.parse(body).encode() == body
        else:
            must_be(mirror.add_entries(io.BytesIO(body)), case, MIRROR[1])


def test_the_script_makes_the_files_that_are_here(tmp_path):
    runpy.run_path(str(REPOSITORY / "scripts" / "make_member_vectors.py"))["main"](tmp_path)
    made = {file.relative_to(tmp_path): file.read_bytes() for file in tmp_path.rglob("*.json")}
    assert len(made) == 4
    assert {name: (VECTORS / name).read_bytes() for name in made} == made
