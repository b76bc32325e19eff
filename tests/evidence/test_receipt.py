import hashlib
import re
from dataclasses import replace
from pathlib import Path

import pytest
from corpus import maker
from hypothesis import given
from hypothesis import strategies as st

from chopmark.base.errors import Invalid, Unavailable
from chopmark.base.wording import catalogue
from chopmark.evidence.receipt import COSE, MAX_RECEIPT, TLOG_PROOF, read_receipt
from chopmark.ledger.cose_receipt import CoseReceipt, parse_transparent
from chopmark.ledger.tree import leaf_hash

RECEIPT = maker.register(maker.by_agent())


def test_both_files_say_the_same():
    proof, cose = read_receipt(RECEIPT.tlog_proof()), read_receipt(RECEIPT.transparent_statement())
    assert (proof.form, cose.form) == (TLOG_PROOF, COSE)
    for name in ("statement", "disclosures", "issuer_key", "index", "path", "checkpoint"):
        assert getattr(proof, name) == getattr(cose, name)
    assert proof.statement.raw == RECEIPT.statement
    assert proof.disclosures == RECEIPT.disclosures
    assert (proof.index, proof.path, proof.checkpoint) == (RECEIPT.index, RECEIPT.path, RECEIPT.checkpoint)


def test_a_receipt_shows_what_its_holder_wants_to_show():
    shown = read_receipt(RECEIPT.showing(["title", "size"]).tlog_proof())
    assert [each.name for each in shown.disclosures] == ["title", "size"]
    assert "李明 Li Ming".encode() not in RECEIPT.showing(["title"]).transparent_statement()


def test_the_first_entry_has_a_tlog_proof_before_it_has_a_cose_receipt():
    first = maker.register(maker.by_agent(), index=0, size=1)
    assert read_receipt(first.tlog_proof()).path == ()
    with pytest.raises(Unavailable, match=r"ledger\.receipt_too_early"):
        first.transparent_statement()


def test_a_seal_of_another_checkpoint_is_not_assembled():
    other = maker.register(maker.by_agent(), size=8)
    with pytest.raises(Invalid, match=r"ledger\.receipt_malformed"):
        replace(RECEIPT, seals=other.seals).transparent_statement()


@pytest.mark.parametrize("start", [b"", b"\xd2", b"c2sp.org/tlog-proof@v1\n"])
def test_more_than_a_mebibyte_is_not_read(start):
    with pytest.raises(Invalid, match=r"evidence\.receipt_too_large"):
        read_receipt(start.ljust(MAX_RECEIPT + 1, b"\x00"))


@given(st.sampled_from([b"", b"\xd2", b"c2sp.org/tlog-proof@v1\n"]), st.binary(max_size=400))
def test_any_bytes_are_refused(start, data):
    with pytest.raises(Invalid):
        read_receipt(start + data)


@pytest.mark.parametrize("whole", [RECEIPT.tlog_proof(), RECEIPT.transparent_statement()], ids=["tlog-proof", "COSE"])
def test_a_receipt_that_is_cut_is_refused(whole):
    for length in range(0, len(whole), 7):
        with pytest.raises(Invalid):
            read_receipt(whole[:length])


def test_the_example_in_the_documentation_is_real():
    page = (Path(maker.__file__).parents[2] / "docs" / "receipts.md").read_text("utf-8")
    shown = {name: bytes.fromhex(digits) for name, digits in re.findall(r"```hex (\w+)\n(.*?)```", page, re.DOTALL)}
    example = maker.register(maker.by_depositor(title="Lantern", author="", file_name="", media_type=""))
    title = example.disclosures[0]
    (encoded,) = parse_transparent(example.transparent_statement()).receipts
    assert shown == {
        "key": example.issuer_key,
        "kid": hashlib.sha256(example.issuer_key).digest(),
        "disclosure": title.encode(),
        "commitment": title.commitment,
        "statement": example.statement,
        "leaf": leaf_hash(example.statement),
        "path": b"".join(example.path),
        "root": CoseReceipt.parse(encoded).root(example.statement),
        "receipt": encoded,
    }
    assert str(maker.LOG.verifier) in page


def test_the_documentation_names_every_code_of_the_verifier():
    page = (Path(maker.__file__).parents[2] / "docs" / "receipts.md").read_text("utf-8")
    codes = [code.removeprefix("verify.") for code in catalogue() if code.startswith("verify.")]
    assert [code for code in codes if not code.startswith("unproven_") and f"`{code}`" not in page] == []
