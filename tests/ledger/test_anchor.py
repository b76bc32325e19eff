"""What proofs of public chains claim: recorded ones are read as their own library reads them."""

from __future__ import annotations

from dataclasses import replace
from hashlib import sha256

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from world.data import VECTORS

from chopmark.base.errors import Invalid
from chopmark.ledger.anchor import BitcoinClaim, EvmProof, bitcoin_claims

RECORDED = {path.name.removesuffix(".ots"): path.read_bytes() for path in sorted((VECTORS / "ots").glob("*.ots"))}
HEIGHTS = {
    "hello-world.txt": [358391],
    "gdp2q25-2nd.pdf": [912095],
    "different-blockchains.txt": [455605],
    "two-calendars.txt": [],
}
HEAD = RECORDED["hello-world.txt"][:33]


def _imprint(proof):
    return proof[33:65]


def _by_the_library(proof):
    notary = pytest.importorskip("opentimestamps.core.notary", reason="needs the extra `anchors`")
    from opentimestamps.core.serialize import BytesDeserializationContext  # noqa: PLC0415 (only if it is there)
    from opentimestamps.core.timestamp import DetachedTimestampFile  # noqa: PLC0415

    read = DetachedTimestampFile.deserialize(BytesDeserializationContext(proof)).timestamp
    return sorted(
        (each.height, message)
        for message, each in read.all_attestations()
        if isinstance(each, notary.BitcoinBlockHeaderAttestation)
    )


@pytest.mark.parametrize("name", HEIGHTS)
def test_a_recorded_proof_leads_to_its_block(name):
    proof = RECORDED[name]
    claims = bitcoin_claims(proof, _imprint(proof))
    assert [claim.height for claim in claims] == HEIGHTS[name]
    assert [(claim.height, claim.root) for claim in claims] == _by_the_library(proof)


def test_a_known_block_is_named_by_its_root():
    [claim] = bitcoin_claims(RECORDED["hello-world.txt"], sha256(b"Hello World!\n").digest())
    assert claim.root[::-1].hex() == "8a1b66ecb7cbd07d8139a7e7d7f2c41aab1f5009b8364aaf61d03ad245e47e00"


def test_a_proof_about_something_else_is_refused():
    with pytest.raises(Invalid, match="anchor_other_data"):
        bitcoin_claims(RECORDED["hello-world.txt"], bytes(32))


MALFORMED = {
    "nothing": b"",
    "no end": HEAD + bytes(32) + b"\x08",
    "a fork without a second branch": HEAD + bytes(32) + b"\xff\x00" + bytes(8) + b"\x00",
    "an unknown operation": HEAD + bytes(32) + b"\x09",
    "two proofs": HEAD + bytes(32) + (b"\x00" + bytes(8) + b"\x00") * 2,
    "more bytes than there are": HEAD + bytes(32) + b"\xf0\xff\x0f",
    "too many bytes": HEAD + bytes(32) + b"\xf0\x81\x20",
    "a number in a long form": HEAD + bytes(32) + b"\xf0\x81\x00",
    "a height with more behind it": HEAD + bytes(32) + bytes.fromhex("000588960d73d719010205" + "06"),
    "too long": HEAD + bytes(70_000),
    "no end of forks": HEAD + bytes(32) + b"\xff" * 5000,
}


@pytest.mark.parametrize("case", MALFORMED)
def test_a_proof_is_refused_for(case):
    with pytest.raises(Invalid, match="anchor_malformed"):
        bitcoin_claims(MALFORMED[case], bytes(32))


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_a_changed_proof_is_refused_or_claims_another_block(data):
    """There is no signature in it: what is changed leads to a root that no block has.

    But for one byte of these: a hash that a tree of Bitcoin joins with itself may as well stand before as after.
    """
    name = data.draw(st.sampled_from(["hello-world.txt", "gdp2q25-2nd.pdf"]))
    proof = bytearray(RECORDED[name])
    true = set(bitcoin_claims(bytes(proof), _imprint(bytes(proof))))
    place, change = data.draw(st.integers(65, len(proof) - 1)), data.draw(st.integers(1, 255))
    proof[place] ^= change
    try:
        found = bitcoin_claims(bytes(proof), _imprint(bytes(proof)))
    except Invalid:
        return
    assert bool(true & set(found)) is ((name, place, change) == ("hello-world.txt", 603, 0xF0 ^ 0xF1))


def test_a_chain_of_operations_is_followed_by_hand():
    imprint = sha256(b"checkpoint").digest()
    steps = b"\xf0\x02ab" + b"\x08" + b"\xf1\x01c" + b"\x08"
    proof = HEAD + imprint + steps + bytes.fromhex("000588960d73d71901") + b"\x02\xf4\x03"
    root = sha256(b"c" + sha256(imprint + b"ab").digest()).digest()
    assert bitcoin_claims(proof, imprint) == [BitcoinClaim(height=500, root=root)]


# ---- EVM -------------------------------------------------------------------------------------------------------------


def _rlp(*items):
    body = b"".join(item if len(item) == 1 and item[0] < 0x80 else bytes([0x80 + len(item)]) + item for item in items)
    assert len(body) > 55
    size = len(body).to_bytes((len(body).bit_length() + 7) // 8, "big")
    return bytes([0xF7 + len(size)]) + size + body


def _transaction(imprint, chain=b"\x05"):
    fields = [chain, b"", b"\x01", b"\x02", b"\x52", bytes(20), b"", imprint, b"", b"\x01", bytes(31), bytes(32)]
    return b"\x02" + _rlp(*fields)


IMPRINT = sha256(b"checkpoint").digest()
PROOF = EvmProof(
    chain=5,
    transaction=_transaction(IMPRINT),
    transaction_hash=bytes(32),
    block_hash=bytes([1]) * 32,
    number=7,
    time=1_790_000_000,
    header=b"",
)


def test_a_proof_of_a_chain_comes_back_as_it_was():
    assert EvmProof.parse(PROOF.encode(), IMPRINT) == PROOF


WRONG = {
    "another chain than the transaction's": (replace(PROOF, chain=6), "malformed"),
    "a transaction of another type": (replace(PROOF, transaction=b"\x01" + PROOF.transaction[1:]), "malformed"),
    "a transaction with more behind it": (replace(PROOF, transaction=PROOF.transaction + b"\0"), "malformed"),
    "a transaction cut off": (replace(PROOF, transaction=PROOF.transaction[:-1]), "malformed"),
    "no transaction": (replace(PROOF, transaction=b""), "malformed"),
    "a block's name of another length": (replace(PROOF, block_hash=b""), "malformed"),
    "a time before 1970": (replace(PROOF, time=-1), "malformed"),
    "other data": (replace(PROOF, transaction=_transaction(bytes(32))), "other_data"),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_proof_of_a_chain_is_refused_for(case):
    proof, code = WRONG[case]
    with pytest.raises(Invalid, match=f"anchor_{code}"):
        EvmProof.parse(proof.encode(), IMPRINT)


@settings(max_examples=300)
@given(st.data())
def test_a_changed_proof_of_a_chain_is_refused_or_another_one(data):
    token = bytearray(PROOF.encode())
    token[data.draw(st.integers(0, len(token) - 1))] ^= data.draw(st.integers(1, 255))
    try:
        assert EvmProof.parse(bytes(token), IMPRINT) != PROOF
    except Invalid as error:
        assert error.code in {"ledger.anchor_malformed", "ledger.anchor_other_data", "base.cbor_malformed"}  # noqa: PT017 (either outcome is right)
