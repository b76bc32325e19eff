"""The `pycose` package reads what we sign, and we take a statement that it signed."""

import pytest
from corpus import maker
from pycose.headers import KID, Algorithm
from pycose.keys import EC2Key, OKPKey
from pycose.keys.curves import P256, Ed25519
from pycose.messages import CoseMessage, Sign1Message

from chopmark.ledger.cose import Envelope
from chopmark.ledger.cose_receipt import CoseReceipt
from chopmark.ledger.statement import Statement

pytestmark = pytest.mark.interop

RECEIPT = maker.register(maker.by_depositor())


def read(raw, key):
    message = CoseMessage.decode(raw)
    message.key = key
    return message


def test_it_verifies_our_ed25519_statement():
    message = read(RECEIPT.statement, OKPKey(crv=Ed25519, x=maker.OWN.public.x))
    assert isinstance(message, Sign1Message)
    assert message.verify_signature()
    assert message.payload == maker.DIGESTS.sha256
    assert message.phdr[KID] == maker.OWN.public.thumbprint


def test_it_verifies_our_es256_statement():
    public = maker.p256_public()
    message = read(maker.by_depositor(p256=True)[0], EC2Key(crv=P256, x=public.x, y=public.y))
    assert message.verify_signature()


def test_it_verifies_our_receipt_over_the_detached_root():
    raw = Envelope.parse(RECEIPT.transparent_statement()).unprotected[394][0]
    message = read(raw, OKPKey(crv=Ed25519, x=maker.LOG.verifier.public))
    assert message.payload is None
    assert message.verify_signature(detached_payload=CoseReceipt.parse(raw).root(RECEIPT.statement))
    assert not message.verify_signature(detached_payload=b"\x00" * 32)
    assert message.phdr[Algorithm].identifier == -8


def test_it_refuses_a_changed_statement():
    assert not read(RECEIPT.statement[:-1] + b"\x00", OKPKey(crv=Ed25519, x=maker.OWN.public.x)).verify_signature()


def test_we_take_a_statement_that_it_signed():
    key = OKPKey(crv=Ed25519, x=maker.OWN.public.x, d=maker.OWN.seed)
    header = {
        1: -8,
        4: maker.OWN.public.thumbprint,
        15: {1: "https://builder.example", 2: "pkg:lantern@1"},
        258: -16,
        259: "image/jpeg",
    }
    message = Sign1Message(phdr=header, uhdr={}, payload=maker.DIGESTS.sha256)
    message.key = key
    statement = Statement.parse(message.encode())
    statement.verify(maker.OWN.public)
    assert statement.claim.subject == "pkg:lantern@1"
