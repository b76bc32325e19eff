from __future__ import annotations

import hashlib

import pytest

from chopmark.base.errors import Invalid, Unavailable
from chopmark.evidence.blobs import Blobs, digests_of_file

DATA = bytes(range(256)) * 8192 + b"end"  # two pieces and a bit
DIGEST = hashlib.sha256(DATA).digest()


@pytest.fixture
def blobs(tmp_path):
    store = Blobs(tmp_path / "blobs")
    file = tmp_path / "incoming"
    file.write_bytes(DATA)
    store.adopt(file, DIGEST)
    return store


def test_a_file_lies_under_its_digest_and_is_read_back_whole(blobs, tmp_path):
    assert blobs.path(DIGEST) == tmp_path / "blobs" / "sha256" / DIGEST.hex()[:2] / DIGEST.hex()
    assert b"".join(blobs.read(DIGEST)) == DATA
    assert blobs.holds(DIGEST)


def test_the_same_file_twice_is_stored_once(blobs, tmp_path):
    again = tmp_path / "again"
    again.write_bytes(DATA)
    blobs.adopt(again, DIGEST)
    assert [each.name for each in (tmp_path / "blobs").rglob("*") if each.is_file()] == [DIGEST.hex()]


def test_a_damaged_file_is_noticed_before_its_end_is_given_out(blobs):
    path = blobs.path(DIGEST)
    damaged = bytearray(DATA)
    damaged[5] ^= 1
    path.chmod(0o600)
    path.write_bytes(damaged)
    given = []
    with pytest.raises(Invalid, match="blob_damaged"):
        given.extend(blobs.read(DIGEST))
    assert sum(map(len, given)) < len(DATA)


def test_a_missing_file_is_said_at_once(blobs):
    with pytest.raises(Unavailable, match="blob_missing"):
        blobs.read(b"\0" * 32)


def test_a_discarded_file_is_gone_and_discarding_again_is_harmless(blobs):
    blobs.discard(DIGEST)
    blobs.discard(DIGEST)
    assert not blobs.holds(DIGEST)


def test_digests_are_of_the_file_as_stored(blobs):
    digests = digests_of_file(blobs.path(DIGEST), sm3=True)
    assert (digests.sha256, digests.size, len(digests.sm3)) == (DIGEST, len(DATA), 32)
