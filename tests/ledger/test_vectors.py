"""The published vectors of `docs/vectors.md` hold for this implementation."""

from __future__ import annotations

import base64
import hashlib
import json
import runpy
import shutil

import pytest
from world.data import REPOSITORY, VECTORS

from chopmark.base.errors import Invalid
from chopmark.ledger import tree
from chopmark.ledger.checkpoint import Checkpoint, open_checkpoint
from chopmark.ledger.keys import SigningKey, VerifierKey
from chopmark.ledger.proof import TlogProof
from chopmark.ledger.tiles import Edge, integrate, tile_path


def cases(name: str) -> list:
    return [pytest.param(case, id=case.get("desc")) for case in json.loads((VECTORS / name).read_text("utf-8"))]


def holds(check, *values) -> bool:
    try:
        check(*values)
    except Invalid:
        return False
    return True


@pytest.mark.parametrize("case", cases("keys/keys.json"))
def test_keys(case):
    key = SigningKey(name=case["name"], type=case["type"], seed=bytes.fromhex(case["seed"]))
    assert key.verifier.key_id.hex() == case["key_id"]
    assert (str(key.verifier), key.text()) == (case["vkey"], case["skey"])
    assert VerifierKey.parse(case["vkey"]) == SigningKey.parse(case["skey"]).verifier


@pytest.mark.parametrize("case", cases("tiles/paths.json"))
def test_paths(case):
    assert tile_path(case["level"], case["index"], case["width"]) == case["want"]


@pytest.mark.parametrize("case", cases("tiles/trees.json"))
def test_trees(case):
    edge, files = integrate(Edge(), [str(index).encode() * (index % 7) for index in range(case["size"])])
    assert (edge.root().hex(), len(files)) == (case["root"], case["count"])
    digests = {path: hashlib.sha256(data).hexdigest() for path, data in files.items()}
    listing = "".join(f"{digest}  {path}\n" for path, digest in sorted(digests.items()))
    assert hashlib.sha256(listing.encode()).hexdigest() == case["sha256sum"]
    assert case["files"] in (None, digests)


@pytest.mark.parametrize("case", cases("cosignature/checkpoints.json"))
def test_cosignatures(case):
    key = VerifierKey.parse(case["vkey"])
    assert holds(open_checkpoint, case["note"].encode(), [key]) == case["want"]
    if case["want"]:
        value = base64.b64decode(case["note"].rsplit(" ", 1)[1])
        assert value[:4] == key.key_id
        key.verify(value[12:], bytes.fromhex(case["message"]))


@pytest.mark.parametrize("case", cases("cosignature/subtrees.json"))
def test_subtree_cosignatures(case):
    key = VerifierKey.parse(case["vkey"])
    origin, name = case["origin"].encode(), key.name.encode()
    message = (
        b"subtree/v1\n\0" + bytes([len(name)]) + name + bytes(8) + bytes([len(origin)]) + origin
        + case["start"].to_bytes(8, "big") + case["end"].to_bytes(8, "big") + bytes.fromhex(case["root"])
    )  # fmt: skip
    assert tree.is_subtree(case["start"], case["end"])
    assert message.hex() == case["message"]
    key.verify(bytes.fromhex(case["signature"]), message)


@pytest.mark.parametrize("case", cases("note/checkpoints.json"))
def test_checkpoints(case):
    assert holds(Checkpoint.parse, case["text"]) == case["want"]


@pytest.mark.parametrize("case", cases("note/notes.json"))
def test_notes(case):
    keys = [VerifierKey.parse(vkey) for vkey in case["vkeys"]]
    assert holds(open_checkpoint, base64.b64decode(case["note"]), keys) == case["want"]


@pytest.mark.parametrize("case", cases("proof/proofs.json"))
def test_proofs(case):
    def check() -> None:
        proof = TlogProof.parse(base64.b64decode(case["proof"]))
        point, _ = open_checkpoint(proof.checkpoint, [VerifierKey.parse(case["vkey"])])
        leaf = bytes.fromhex(case["leaf"])
        tree.verify_inclusion(leaf=leaf, index=proof.index, size=point.size, proof=proof.hashes, root=point.root)

    assert holds(check) == case["want"]


def test_the_script_makes_the_files_that_are_here(tmp_path):
    shutil.copytree(VECTORS / "cosignature", tmp_path / "cosignature")
    runpy.run_path(str(REPOSITORY / "scripts" / "make_vectors.py"))["main"](tmp_path)
    made = {file.relative_to(tmp_path): file.read_bytes() for file in tmp_path.rglob("*.json")}
    assert len(made) == 9
    assert {name: (VECTORS / name).read_bytes() for name in made} == made
