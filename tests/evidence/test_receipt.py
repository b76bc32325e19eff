from dataclasses import replace

import pytest
from corpus import maker
from hypothesis import given
from hypothesis import strategies as st

from chopmark.base.errors import Invalid, Unavailable
from chopmark.evidence.receipt import COSE, MAX_RECEIPT, TLOG_PROOF, read_receipt

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
        replace(RECEIPT, sealed_root=other.sealed_root).transparent_statement()


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
