from __future__ import annotations

import base64
import contextlib
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chopmark.base.errors import Invalid
from chopmark.ledger.checkpoint import Checkpoint, sign_checkpoint
from chopmark.ledger.keys import SigningKey
from chopmark.ledger.proof import MAX_SIZE, TlogProof

NOTE = sign_checkpoint(
    Checkpoint(origin="log.example/one", size=6, root=bytes(32)),
    [SigningKey(name="log.example/one", type=1, seed=bytes(32))],
    datetime(2026, 11, 22, tzinfo=UTC),
)
HASH = base64.b64encode(bytes(32)).decode()
GOOD = f"c2sp.org/tlog-proof@v1\nextra YWJj\nindex 4\n{HASH}\n{HASH}\n\n".encode() + NOTE


def test_a_proof_is_read_and_printed():
    proof = TlogProof(extra=b"abc", index=4, hashes=(bytes(32), bytes(32)), checkpoint=NOTE)
    assert proof.encode() == GOOD
    assert TlogProof.parse(GOOD) == proof


def test_a_proof_without_extra_and_hashes_is_read():
    proof = TlogProof(index=0, hashes=(), checkpoint=NOTE)
    assert proof.encode() == b"c2sp.org/tlog-proof@v1\nindex 0\n\n" + NOTE
    assert TlogProof.parse(proof.encode()) == proof


@given(
    extra=st.none() | st.binary(min_size=1, max_size=200),
    index=st.integers(0, 2**63 - 1),
    hashes=st.lists(st.binary(min_size=32, max_size=32), max_size=63),
)
def test_proofs_come_back_as_they_went(extra, index, hashes):
    proof = TlogProof(extra=extra, index=index, hashes=tuple(hashes), checkpoint=NOTE)
    assert TlogProof.parse(proof.encode()) == proof


REFUSED = {
    "nothing": b"",
    "another version": GOOD.replace(b"@v1", b"@v2"),
    "no first line": GOOD.removeprefix(b"c2sp.org/tlog-proof@v1\n"),
    "carriage returns": GOOD.replace(b"\n", b"\r\n"),
    "no index": GOOD.replace(b"index 4\n", b""),
    "no index and nothing else": b"c2sp.org/tlog-proof@v1\n\n" + NOTE,
    "index before extra": b"c2sp.org/tlog-proof@v1\nindex 4\nextra YWJj\n\n" + NOTE,
    "extra twice": GOOD.replace(b"extra YWJj\n", b"extra YWJj\nextra YWJj\n"),
    "an empty extra": GOOD.replace(b"extra YWJj\n", b"extra \n"),
    "an extra without space": GOOD.replace(b"extra YWJj\n", b"extra\n"),
    "an extra with loose bits": GOOD.replace(b"YWJj", b"YWJ="),
    "an index with a leading zero": GOOD.replace(b"index 4", b"index 04"),
    "an index with a separator": GOOD.replace(b"index 4", b"index 4_0"),
    "an index with a sign": GOOD.replace(b"index 4", b"index -4"),
    "an index in wide digits": GOOD.replace(b"index 4", "index ４".encode()),
    "an index of 2**63": GOOD.replace(b"index 4", b"index 9223372036854775808"),
    "two spaces": GOOD.replace(b"index 4", b"index  4"),
    "a hash of three bytes": GOOD.replace(HASH.encode(), b"AAAA", 1),
    "a hash of 33 bytes": GOOD.replace(HASH.encode(), base64.b64encode(bytes(33)), 1),
    "a hash with loose bits": GOOD.replace(HASH.encode(), HASH[:-2].encode() + b"B=", 1),
    "64 hashes": GOOD.replace(HASH.encode(), b"\n".join([HASH.encode()] * 63), 1),
    "no blank line": GOOD.replace(b"\n\nlog", b"\nlog"),
    "no checkpoint": GOOD.removesuffix(NOTE),
    "a checkpoint cut off": GOOD[:-1],
    "a checkpoint without signature": GOOD[: GOOD.index("—".encode())],
    "a byte order mark": b"\xef\xbb\xbf" + GOOD,
}


@pytest.mark.parametrize("title", REFUSED)
def test_malformed_proofs_are_refused(title):
    with pytest.raises(Invalid, match=r"ledger\.(proof|note)_malformed"):
        TlogProof.parse(REFUSED[title])


def test_a_proof_above_the_limit_is_refused_before_it_is_read():
    with pytest.raises(Invalid, match=r"ledger\.proof_too_large"):
        TlogProof.parse(GOOD + bytes(MAX_SIZE))


@given(st.data())
def test_a_proof_with_one_byte_changed_is_refused_or_prints_itself(data):
    whole = bytearray(GOOD)
    whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(Invalid):
        assert TlogProof.parse(bytes(whole)).encode() == bytes(whole)
