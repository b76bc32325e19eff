"""The `cwt` package reads what we sign, and we take a statement that it signed."""

import pytest
from corpus import maker
from cwt import COSE, COSEKey, VerifyError

from chopmark.base import cbor
from chopmark.ledger.cose import Envelope, PublicKey
from chopmark.ledger.cose_receipt import CoseReceipt
from chopmark.ledger.statement import Statement

pytestmark = pytest.mark.interop

ED25519 = COSEKey.new({1: 1, 2: maker.OWN.public.thumbprint, 3: -8, -1: 6, -2: maker.OWN.public.x, -4: maker.OWN.seed})
RECEIPT = maker.register(maker.by_depositor())


def test_it_verifies_our_ed25519_statement():
    protected, unprotected, payload = COSE.new().decode_with_headers(RECEIPT.statement, ED25519)
    assert payload == maker.DIGESTS.sha256
    assert unprotected == {}
    assert protected[258] == -16
    assert protected["chopmark"]["kind"] == "work"


def test_it_verifies_our_es256_statement():
    public = maker.p256_public()
    key = COSEKey.new({1: 2, 2: public.thumbprint, 3: -7, -1: 1, -2: public.x, -3: public.y})
    assert COSE.new(verify_kid=True).decode(maker.by_depositor(p256=True)[0], key) == maker.DIGESTS.sha256


def test_it_verifies_our_receipt_over_the_detached_root():
    raw = Envelope.parse(RECEIPT.transparent_statement()).unprotected[394][0]
    log = PublicKey.ed25519(maker.LOG.verifier.public)
    key = COSEKey.new({1: 1, 2: log.thumbprint, 3: -8, -1: 6, -2: log.x})
    root = CoseReceipt.parse(raw).root(RECEIPT.statement)
    protected, unprotected, _ = COSE.new(verify_kid=True).decode_with_headers(raw, key, detached_payload=root)
    assert protected[395] == 1
    assert -1 in unprotected[396]
    with pytest.raises(VerifyError):
        COSE.new().decode(raw, key, detached_payload=b"\x00" * 32)


def test_it_verifies_the_transparent_statement_as_it_is():
    assert COSE.new().decode(RECEIPT.transparent_statement(), ED25519) == maker.DIGESTS.sha256


def test_we_take_a_statement_that_it_signed():
    protected = {
        1: -8,
        4: maker.OWN.public.thumbprint,
        15: {1: "https://builder.example", 2: "pkg:lantern@1"},
        258: -16,
        259: "image/jpeg",
    }
    raw = COSE.new(deterministic_header=True).encode_and_sign(maker.DIGESTS.sha256, ED25519, protected, {})
    statement = Statement.parse(raw)
    statement.verify(maker.OWN.public)
    assert statement.claim.payload == maker.DIGESTS.sha256
    assert cbor.decode(raw).tag == 18
