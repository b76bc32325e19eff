"""aics-tlog (another author's verifier) audits a log that this code wrote, and checks its checkpoint."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from world.data import REPOSITORY
from world.patience import WORK
from world.small_log import LOG_KEY, ORIGIN, WITNESS_KEY, SmallLog, entry, write_log

from chopmark.ledger.checkpoint import Checkpoint, open_checkpoint
from chopmark.ledger.keys import ED25519, ED25519_COSIGNATURE, SigningKey, VerifierKey
from chopmark.ledger.tiles import Edge, integrate

pytestmark = pytest.mark.interop


@pytest.fixture(scope="module")
def aics():
    subprocess.run([REPOSITORY / "scripts" / "foreign.sh"], check=True, timeout=WORK)
    folder = REPOSITORY / ".venv-foreign"
    sys.path.append(str(folder))
    import aics_tlog  # noqa: PLC0415 (found only through the path above)

    yield aics_tlog
    sys.path.remove(str(folder))


@pytest.fixture(scope="module")
def written(tmp_path_factory) -> SmallLog:
    return write_log(tmp_path_factory.mktemp("log"), [1, 256, 300, 70_000])


def test_its_auditor_derives_our_signed_root_from_our_tiles_and_bundles(aics, written):
    checkpoint, _ = open_checkpoint(written.checkpoints[70_000], [LOG_KEY.verifier])
    report = aics.audit_tiles(aics.FileSystemTileReader(written.folder), checkpoint.size, checkpoint.root)
    assert (report.size, report.tiles, report.bundles) == (70_000, 277, 274)


def test_its_auditor_refuses_a_changed_tile_bundle_and_root(aics, written):
    checkpoint, _ = open_checkpoint(written.checkpoints[70_000], [LOG_KEY.verifier])
    reader = aics.FileSystemTileReader(written.folder)
    for path in ("tile/0/000", "tile/0/273.p/112", "tile/1/001.p/17", "tile/2/000.p/1", "tile/entries/100"):
        good = (written.folder / path).read_bytes()
        Path(written.folder / path).write_bytes(good[:-1] + bytes([good[-1] ^ 1]))
        with pytest.raises(aics.TileVerificationError):
            aics.audit_tiles(reader, checkpoint.size, checkpoint.root)
        Path(written.folder / path).write_bytes(good)
    with pytest.raises(aics.TileVerificationError):
        aics.audit_tiles(reader, checkpoint.size, bytes(32))


def test_its_checkpoint_verification_takes_ours_with_a_witness_quorum(aics, written):
    note = aics.parse_note(written.checkpoints[70_000])
    log, witness = (aics.parse_vkey(str(key.verifier)) for key in (LOG_KEY, WITNESS_KEY))
    result = aics.verify_checkpoint(note, log, [witness], 1, expected_origin=ORIGIN)
    assert (result.ok, result.size, result.cosignature_count) == (True, 70_000, 1)
    assert result.root == written.reader().root()
    stranger = aics.parse_vkey(str(SigningKey(name="x.example", type=ED25519_COSIGNATURE, seed=bytes(32)).verifier))
    assert not aics.verify_checkpoint(note, log, [stranger], 1).ok


def test_our_proofs_verify_there_and_equal_those_it_makes(aics, written):
    reader = aics.FileSystemTileReader(written.folder)
    root = written.reader().root()
    for index in (0, 255, 256, 65_535, 69_999):
        proof = written.reader().inclusion_proof(index)
        assert proof == aics.inclusion_proof_from_tiles(reader, index, 70_000)
        assert aics.verify_inclusion(aics.leaf_hash(entry(index)), index, 70_000, proof, root)
    for old in (1, 256, 300):
        proof = written.reader().consistency_proof(old)
        assert proof == aics.consistency_proof_from_tiles(reader, old, 70_000)


def test_its_tiles_equal_ours_file_by_file(aics):
    entries = [entry(index) for index in range(1000)]
    _, files = integrate(Edge(), entries)
    store = aics.MemoryTileStore()
    aics.IncrementalTileWriter(store).append(entries)
    assert store.tiles == files


def test_a_checkpoint_signed_there_opens_here(aics):
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey  # noqa: PLC0415 (this test only)

    private = Ed25519PrivateKey.from_private_bytes(bytes(32))
    key = VerifierKey(name=ORIGIN, type=ED25519, public=private.public_key().public_bytes_raw())
    point = Checkpoint(origin=ORIGIN, size=7, root=b"\x07" * 32)
    theirs = aics.Checkpoint(ORIGIN, 7, b"\x07" * 32)
    assert open_checkpoint(aics.sign_checkpoint(theirs, private, ORIGIN).to_bytes(), [key])[0] == point
