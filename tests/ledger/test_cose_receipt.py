from dataclasses import replace

import pytest
from corpus import maker
from hypothesis import given
from hypothesis import strategies as st

from chopmark.base import cbor
from chopmark.base.errors import Invalid, Unavailable
from chopmark.ledger import tree
from chopmark.ledger.cose import Envelope, PublicKey, to_be_signed
from chopmark.ledger.cose_receipt import (
    CoseReceipt,
    SealedRoot,
    assemble_receipt,
    parse_receipts,
    parse_transparent,
    sign_root,
    transparent_statement,
    verify_receipt,
)

KEY = PublicKey.ed25519(maker.LOG.verifier.public)


def receipt_of(entries, index, *, size=None):
    nodes = maker.nodes_of(entries)
    size = size or len(entries)
    sealed = sign_root(maker.ORIGIN, tree.root(size, nodes), maker.LOG, maker.AT, size=size)
    return assemble_receipt(sealed, size, index, tree.inclusion_proof(index, size, nodes))


@pytest.mark.parametrize("size", [2, 3, 4, 5, 7, 8, 9, 16, 21])
def test_every_entry_is_proven_at_its_index_and_at_no_other(size):
    entries = [b"entry %d" % number for number in range(size)]
    for index in range(size):
        raw = receipt_of(entries, index)
        receipt = verify_receipt(raw, entries[index], KEY)
        assert (receipt.index, receipt.sealed.size) == (index, size)
        for other in range(size):
            if other != index:
                with pytest.raises(Invalid):
                    verify_receipt(replace(receipt, index=other).encode(), entries[index], KEY)
                with pytest.raises(Invalid):
                    verify_receipt(raw, entries[other], KEY)


def test_the_header_is_the_one_in_the_documentation():
    envelope = Envelope.parse(receipt_of([b"a", b"b"], 0))
    assert cbor.decode(envelope.protected) == {
        1: -8,
        4: KEY.thumbprint,
        15: {1: maker.ORIGIN, 2: maker.ORIGIN, 6: 1_795_339_800},
        395: 1,
        "chopmark": {"size": 2},
    }
    assert envelope.payload is None
    assert envelope.unprotected == {396: {-1: [cbor.encode([2, 0, [tree.leaf_hash(b"b")]])]}}


def test_the_same_path_leads_to_the_same_root_at_another_size_so_the_size_is_signed():
    entries = [b"entry %d" % number for number in range(7)]
    receipt = CoseReceipt.parse(receipt_of(entries, 0))
    grown = replace(receipt, sealed=replace(receipt.sealed, size=8))
    assert grown.root(entries[0]) == receipt.root(entries[0])
    with pytest.raises(Invalid, match=r"ledger\.receipt_malformed"):
        verify_receipt(grown.encode(), entries[0], KEY)


def test_the_signed_bytes_begin_as_no_note_does():
    assert to_be_signed(b"", b"")[0] == 0x84
    assert to_be_signed(b"\x00" * 70_000, b"\x00" * 32)[0] == 0x84


def test_a_tree_of_one_entry_has_no_receipt_yet():
    with pytest.raises(Unavailable, match=r"ledger\.receipt_too_early"):
        receipt_of([b"a"], 0)


def test_a_root_of_another_size_is_refused():
    sealed = sign_root(maker.ORIGIN, b"\x01" * 32, maker.LOG, maker.AT, size=3)
    with pytest.raises(Invalid, match=r"ledger\.receipt_malformed"):
        assemble_receipt(sealed, 4, 0, [b"\x01" * 32] * 2)


@pytest.mark.parametrize(
    ("index", "path"),
    [(-1, [b"\x01" * 32]), (2, [b"\x01" * 32]), (0, []), (0, [b"\x01" * 31]), (0, [b"\x01" * 32] * 64)],
)
def test_a_path_that_cannot_be_is_not_assembled(index, path):
    sealed = sign_root(maker.ORIGIN, b"\x01" * 32, maker.LOG, maker.AT, size=2)
    with pytest.raises(Invalid, match=r"ledger\.receipt_malformed"):
        assemble_receipt(sealed, 2, index, path)


@pytest.mark.parametrize(
    ("size", "root", "key"), [(0, b"\x01" * 32, maker.LOG), (1, b"", maker.LOG), (1, b"\x01" * 32, maker.LOG_PQ)]
)
def test_only_a_root_with_entries_is_sealed_and_only_with_ed25519(size, root, key):
    with pytest.raises(ValueError, match="is signed"):
        sign_root(maker.ORIGIN, root, key, maker.AT, size=size)


def test_a_member_seals_under_its_own_name_with_its_cosignature_key():
    key = maker.HANGZHOU
    sealed = SealedRoot.parse(sign_root(maker.ORIGIN, b"\x01" * 32, key, maker.AT, size=3))
    assert (sealed.issuer, sealed.origin, sealed.by_log) == (key.name, maker.ORIGIN, False)
    sealed.verify(b"\x01" * 32, PublicKey.ed25519(key.verifier.public))
    with pytest.raises(Invalid, match=r"ledger\.receipt_signature_wrong"):
        sealed.verify(b"\x02" * 32, PublicKey.ed25519(key.verifier.public))
    assert cbor.decode(sealed.protected)[15][1] == key.name


def test_the_log_s_seal_is_told_from_a_member_s():
    sealed = SealedRoot.parse(sign_root(maker.ORIGIN, b"\x01" * 32, maker.LOG, maker.AT, size=3))
    assert sealed.by_log
    assert sealed.issuer == sealed.origin == maker.ORIGIN


def sealed_by(*keys, entries=(b"a", b"b", b"c"), index=1, size=3):
    nodes = maker.nodes_of(list(entries))
    root = tree.root(size, nodes)
    path = tree.inclusion_proof(index, size, nodes)
    return [
        assemble_receipt(sign_root(maker.ORIGIN, root, key, maker.AT, size=size), size, index, path) for key in keys
    ]


def test_one_statement_carries_the_log_s_receipt_and_its_members():
    receipts = parse_receipts(sealed_by(maker.LOG, maker.HANGZHOU, maker.GUANGZHOU))
    assert [each.sealed.issuer for each in receipts] == [maker.ORIGIN, maker.HANGZHOU.name, maker.GUANGZHOU.name]
    assert parse_receipts(sealed_by(maker.HANGZHOU))[0].sealed.issuer == maker.HANGZHOU.name


TOGETHER = {
    "a key twice": sealed_by(maker.LOG, maker.HANGZHOU, maker.HANGZHOU),
    "the log after a member": sealed_by(maker.HANGZHOU, maker.LOG),
    "two sizes": sealed_by(maker.LOG) + sealed_by(maker.HANGZHOU, size=2),
    "two positions": sealed_by(maker.LOG) + sealed_by(maker.HANGZHOU, index=0),
    "two paths": sealed_by(maker.LOG) + sealed_by(maker.HANGZHOU, entries=(b"a", b"b", b"d")),
    "none": [],
}


@pytest.mark.parametrize("raws", TOGETHER.values(), ids=TOGETHER.keys())
def test_receipts_that_do_not_belong_together_are_refused(raws):
    with pytest.raises(Invalid, match=r"ledger\.receipt_malformed"):
        parse_receipts(raws)


def test_another_log_key_is_refused():
    with pytest.raises(Invalid, match=r"ledger\.receipt_signature_wrong"):
        verify_receipt(receipt_of([b"a", b"b"], 0), b"a", PublicKey.ed25519(maker.STRANGER.verifier.public))


@pytest.mark.parametrize("length", [1, 3])
def test_a_path_of_the_wrong_length_is_refused(length):
    receipt = CoseReceipt.parse(receipt_of([b"a", b"b", b"c"], 0))
    with pytest.raises(Invalid, match=r"ledger\.proof_wrong"):
        replace(receipt, path=(b"\x01" * 32,) * length).root(b"a")


def test_no_byte_of_a_receipt_can_change():
    raw = receipt_of([b"a", b"b", b"c"], 1)
    for position in range(len(raw)):
        spoiled = bytearray(raw)
        spoiled[position] ^= 0x01
        with pytest.raises(Invalid):
            verify_receipt(bytes(spoiled), b"b", KEY)


@given(st.binary(max_size=200))
def test_any_bytes_are_refused_as_what_they_are_not(data):
    for read in (SealedRoot.parse, CoseReceipt.parse, parse_transparent):
        with pytest.raises(Invalid):
            read(data)


def test_receipts_over_their_limits_are_not_read():
    with pytest.raises(Invalid, match=r"ledger\.receipt_too_large"):
        CoseReceipt.parse(b"\xd2" + b"\x00" * 65_535)
    with pytest.raises(Invalid, match=r"ledger\.receipt_too_large"):
        parse_transparent(b"\xd2" + b"\x00" * (1 << 20))


SEALS = {
    "not a list": 1,
    "one part": [b""],
    "an empty header": [cbor.encode({}), b"\x01" * 64],
    "a short signature": [cbor.decode(maker.register(maker.by_agent()).seals[0])[0], b"\x01" * 63],
    "a time that is a truth value": [
        cbor.encode({1: -8, 4: b"\x01" * 32, 15: {1: "a", 2: "a", 6: True}, 395: 1, "chopmark": {"size": 2}}),
        b"\x01" * 64,
    ],
    "a time out of range": [
        cbor.encode({1: -8, 4: b"\x01" * 32, 15: {1: "a", 2: "a", 6: 1 << 62}, 395: 1, "chopmark": {"size": 2}}),
        b"\x01" * 64,
    ],
    "another data structure": [
        cbor.encode({1: -8, 4: b"\x01" * 32, 15: {1: "a", 2: "a", 6: 1}, 395: 2, "chopmark": {"size": 2}}),
        b"\x01" * 64,
    ],
}


@pytest.mark.parametrize("seal", SEALS.values(), ids=SEALS.keys())
def test_malformed_seals_are_refused(seal):
    with pytest.raises(Invalid, match=r"ledger\.receipt_malformed"):
        SealedRoot.parse(cbor.encode(seal))


def test_seals_print_back():
    raw = maker.register(maker.by_agent()).seals[0]
    assert SealedRoot.parse(raw).encode() == raw


def test_a_transparent_statement_comes_apart_into_what_it_was_made_of():
    statement = maker.by_third_party()[0]
    raw = transparent_statement(statement, [b"r1", b"r2"], {"key": b"k"})
    parts = parse_transparent(raw)
    assert (parts.statement, parts.receipts, dict(parts.extra)) == (statement, (b"r1", b"r2"), {"key": b"k"})
    assert 394 in Envelope.parse(raw).unprotected


def test_without_extra_there_is_no_header_of_ours():
    raw = transparent_statement(maker.by_third_party()[0], [b"r"], {})
    assert set(Envelope.parse(raw).unprotected) == {394}
