"""The `scitt-cose` package verifies our statements and receipts, with its own COSE and its own Merkle code."""

import pytest
import scitt_cose
from corpus import maker
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from scitt_cose.receipt import build_receipt

from chopmark.ledger.cose import Envelope
from chopmark.ledger.cose_receipt import CoseReceipt
from chopmark.ledger.statement import Statement

pytestmark = pytest.mark.interop

RECEIPT = maker.register(maker.by_depositor())


def pem(public: bytes) -> bytes:
    return Ed25519PublicKey.from_public_bytes(public).public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )


LOG = pem(maker.LOG.verifier.public)


@pytest.mark.parametrize("p256", [False, True], ids=["Ed25519", "ES256"])
def test_it_verifies_our_statement(p256):
    key = pem(maker.OWN.public.x)
    if p256:
        key = maker.OWN_P256.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
    message = scitt_cose.verify_sign1(
        maker.by_depositor(p256=p256)[0], public_key_pem=key, understood_labels=frozenset({1, 4, 15, 258, 259})
    )
    assert message.payload == maker.DIGESTS.sha256
    assert message.protected[15][1] == maker.DEPOSITOR


@pytest.mark.parametrize("size", [2, 3, 7, 8, 33])
def test_it_verifies_our_receipts_when_the_entry_is_the_statement(size):
    for index in range(size):
        receipt = maker.register(maker.by_depositor(), index=index, size=size, signers=(maker.LOG,))
        (encoded,) = scitt_cose.extract_receipts(receipt.transparent_statement())
        result = scitt_cose.verify_receipt(encoded, leaf_entry_hex=receipt.statement.hex(), log_public_key_pem=LOG)
        assert result.ok, result.errors
        assert (result.tree_size, result.leaf_index) == (size, index)
        assert result.root == CoseReceipt.parse(encoded).root(receipt.statement).hex()
        assert (result.issuer, result.iat) == (maker.ORIGIN, 1_795_339_800)


def test_it_refuses_our_receipt_for_another_entry():
    (encoded,) = scitt_cose.extract_receipts(RECEIPT.transparent_statement())
    assert not scitt_cose.verify_receipt(encoded, leaf_entry_hex=b"another".hex(), log_public_key_pem=LOG).ok


def test_it_attaches_receipts_as_we_do():
    bare = {394: Envelope.parse(RECEIPT.transparent_statement()).unprotected[394]}
    attached = scitt_cose.attach_receipts(RECEIPT.statement, bare[394])
    assert Envelope.parse(attached).unprotected == bare


def test_we_take_a_statement_that_it_signed():
    private = Ed25519PrivateKey.from_private_bytes(maker.OWN.seed).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    raw = scitt_cose.sign_sign1(
        maker.DIGESTS.sha256,
        alg="EdDSA",
        private_key_pem=private,
        protected={
            1: -8,
            4: maker.OWN.public.thumbprint,
            15: {1: "https://builder.example", 2: "pkg:lantern@1"},
            258: -16,
            259: "image/jpeg",
        },
    )
    Statement.parse(raw).verify(maker.OWN.public)


@pytest.mark.parametrize("size", [2, 3, 7, 12])
def test_its_proofs_are_ours_byte_for_byte(size):
    private = Ed25519PrivateKey.from_private_bytes(maker.LOG.seed).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    ours = maker.register(maker.by_depositor(), index=size - 1, size=size, signers=(maker.LOG,))
    entries = [f"entry {number}".encode().hex() for number in range(size - 1)] + [ours.statement.hex()]
    made = build_receipt(
        leaf_entry_hex=entries[-1],
        leaf_index=size - 1,
        tree_entries_hex=entries,
        alg="EdDSA",
        log_private_key_pem=private,
    )
    (encoded,) = scitt_cose.extract_receipts(ours.transparent_statement())
    assert Envelope.parse(made).unprotected == Envelope.parse(encoded).unprotected
    assert scitt_cose.merkle_root(entries) == CoseReceipt.parse(encoded).root(ours.statement).hex()
