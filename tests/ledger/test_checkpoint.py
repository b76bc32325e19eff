from __future__ import annotations

import base64
import contextlib
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chopmark.base.errors import Invalid
from chopmark.ledger import checkpoint as module
from chopmark.ledger.checkpoint import Checkpoint, VerifiedSignature, open_checkpoint, sign_checkpoint
from chopmark.ledger.keys import ED25519, ED25519_COSIGNATURE, MLDSA44_COSIGNATURE, SigningKey
from chopmark.ledger.note import Note, NoteSignature
from chopmark.ledger.tree import EMPTY_ROOT

AT = datetime(2026, 11, 22, 9, 30, 0, 250_000, tzinfo=UTC)
ROOT = bytes(range(32))
ROOT64 = base64.b64encode(ROOT).decode()
POINT = Checkpoint(origin="log.example/one", size=42, root=ROOT)


def key(kind: int, name: str = "log.example/one", seed: int = 1) -> SigningKey:
    return SigningKey(name=name, type=kind, seed=bytes([seed]) * 32)


LOG = key(ED25519)
LOG_PQ = key(MLDSA44_COSIGNATURE)
WITNESS = key(ED25519_COSIGNATURE, "witness.example")


def test_a_checkpoint_is_three_lines():
    assert POINT.text() == f"log.example/one\n42\n{ROOT64}\n"
    assert Checkpoint.parse(POINT.text()) == POINT


BAD_SIZES = [
    "", "4_2", " 42", "42 ", "042", "+42", "-1", "-0", "00", "４２", "४२", "42.0", "0x2a", "1e3",
    str(2**63), str(10**19), "9" * 5000, "\u00b2", "4\u200b2",
]  # fmt: skip


@pytest.mark.parametrize("size", BAD_SIZES)
def test_sizes_that_do_not_print_back_are_refused(size):
    with pytest.raises(Invalid, match=r"ledger\.checkpoint_malformed"):
        Checkpoint.parse(f"log.example/one\n{size}\n{ROOT64}\n")


@pytest.mark.parametrize("size", [1, 42, 2**63 - 1])
def test_sizes_up_to_the_largest_are_read(size):
    assert Checkpoint.parse(f"o\n{size}\n{ROOT64}\n").size == size


REFUSED = {
    "nothing": "",
    "an empty origin": f"\n42\n{ROOT64}\n",
    "an origin of 256 bytes": f"{'o' * 256}\n42\n{ROOT64}\n",
    "an origin with a tabulator": f"o\to\n42\n{ROOT64}\n",
    "two lines": "o\n42\n",
    "no last newline": f"o\n42\n{ROOT64}",
    "a root of three bytes": "o\n42\nAAAA\n",
    "a root of 31 bytes": f"o\n42\n{base64.b64encode(bytes(31)).decode()}\n",
    "a root of 33 bytes": f"o\n42\n{base64.b64encode(bytes(33)).decode()}\n",
    "a root without padding": f"o\n42\n{ROOT64.rstrip('=')}\n",
    "a root with loose bits": f"o\n42\n{ROOT64[:-2]}9=\n",
    "a root with a space": f"o\n42\n{ROOT64} \n",
    "carriage returns": f"o\r\n42\r\n{ROOT64}\r\n",
    "size 0 with another root": f"o\n0\n{ROOT64}\n",
}


@pytest.mark.parametrize("title", REFUSED)
def test_malformed_checkpoints_are_refused(title):
    with pytest.raises(Invalid, match=r"ledger\.checkpoint_malformed"):
        Checkpoint.parse(REFUSED[title])


@pytest.mark.parametrize("more", ["extension\n", "\n", "a\nb\n"])
def test_extension_lines_are_refused(more):
    with pytest.raises(Invalid, match=r"ledger\.checkpoint_extended"):
        Checkpoint.parse(POINT.text() + more)


def test_an_empty_log_has_a_checkpoint():
    empty = Checkpoint(origin="o", size=0, root=EMPTY_ROOT)
    assert Checkpoint.parse(empty.text()) == empty


ORIGIN = st.text(st.characters(min_codepoint=32, exclude_categories=["Cs"]), min_size=1, max_size=60)


@given(ORIGIN, st.integers(1, 2**63 - 1), st.binary(min_size=32, max_size=32))
def test_checkpoints_come_back_as_they_went(origin, size, root):
    point = Checkpoint(origin=origin, size=size, root=root)
    assert Checkpoint.parse(point.text()) == point


@given(st.text(max_size=80))
def test_any_text_is_refused_or_prints_back(text):
    with contextlib.suppress(Invalid):
        assert Checkpoint.parse(text).text() == text


def test_a_checkpoint_is_signed_in_three_ways_and_opened():
    note = sign_checkpoint(POINT, [LOG, LOG_PQ, WITNESS], AT)
    point, signatures = open_checkpoint(note, [LOG.verifier, LOG_PQ.verifier, WITNESS.verifier])
    whole = AT.replace(microsecond=0)
    assert point == POINT
    assert signatures == [
        VerifiedSignature(key=LOG.verifier, origin=POINT.origin, at=None),
        VerifiedSignature(key=LOG_PQ.verifier, origin=POINT.origin, at=whole),
        VerifiedSignature(key=WITNESS.verifier, origin=POINT.origin, at=whole),
    ]


def test_the_signed_bytes_are_those_of_the_specification():
    seconds = int(AT.timestamp())
    parsed = Note.parse(sign_checkpoint(POINT, [LOG, LOG_PQ, WITNESS], AT))
    plain, quantum, cosigned = (signature.value for signature in parsed.signatures)
    LOG.verifier.verify(plain, POINT.text().encode())
    assert quantum[:8] == cosigned[:8] == seconds.to_bytes(8, "big")
    WITNESS.verifier.verify(cosigned[8:], f"cosignature/v1\ntime {seconds}\n{POINT.text()}".encode())
    message = (
        b"subtree/v1\n\x00"
        + bytes([15]) + b"log.example/one"
        + seconds.to_bytes(8, "big")
        + bytes([15]) + b"log.example/one"
        + bytes(8) + (42).to_bytes(8, "big")
        + ROOT
    )  # fmt: skip
    LOG_PQ.verifier.verify(quantum[8:], message)


def test_unknown_signatures_are_passed_over():
    note = sign_checkpoint(POINT, [key(ED25519, seed=9), WITNESS, LOG], AT)
    _, signatures = open_checkpoint(note, [LOG.verifier])
    assert [each.key for each in signatures] == [LOG.verifier]


def test_a_checkpoint_without_a_known_signature_is_refused():
    with pytest.raises(Invalid, match=r"ledger\.signature_missing"):
        open_checkpoint(sign_checkpoint(POINT, [WITNESS], AT), [LOG.verifier])
    with pytest.raises(Invalid, match=r"ledger\.signature_missing"):
        open_checkpoint(sign_checkpoint(POINT, [WITNESS], AT), [])


@pytest.mark.parametrize("signer", [LOG, LOG_PQ, WITNESS], ids=["ed25519", "ml-dsa-44", "cosignature"])
def test_a_wrong_signature_of_a_known_key_refuses_the_whole_note(signer):
    note = Note.parse(sign_checkpoint(POINT, [key(ED25519, seed=7), signer], AT))
    good, line = note.signatures
    known = [key(ED25519, seed=7).verifier, signer.verifier]
    for value in (
        line.value[:-1],
        line.value + b"\0",
        b"\0",
        bytes([line.value[0] ^ 0x80]) + line.value[1:],
        line.value[:20] + bytes([line.value[20] ^ 1]) + line.value[21:],
    ):
        changed = NoteSignature(name=line.name, key_id=line.key_id, value=value)
        with pytest.raises(Invalid, match=r"ledger\.signature_wrong"):
            open_checkpoint(Note(text=note.text, signatures=(good, changed)).encode(), known)
    for text in (
        Checkpoint(origin=POINT.origin, size=43, root=ROOT).text(),
        Checkpoint(origin="log.example/two", size=42, root=ROOT).text(),
        Checkpoint(origin=POINT.origin, size=42, root=bytes(32)).text(),
    ):
        with pytest.raises(Invalid, match=r"ledger\.signature_wrong"):
            open_checkpoint(Note(text=text, signatures=(line,)).encode(), [signer.verifier])


def test_a_cosignature_says_its_signer_and_cannot_be_renamed():
    other = key(MLDSA44_COSIGNATURE, "other.example")
    line = Note.parse(sign_checkpoint(POINT, [LOG_PQ], AT)).signatures[0]
    renamed = NoteSignature(name=other.name, key_id=other.verifier.key_id, value=line.value)
    with pytest.raises(Invalid, match=r"ledger\.signature_wrong"):
        open_checkpoint(Note(text=POINT.text(), signatures=(renamed,)).encode(), [other.verifier])
    with pytest.raises(Invalid, match=r"ledger\.signature_wrong"):
        module.verify_signature(POINT, line, other.verifier)


def test_a_cosignature_without_time_states_none():
    value = bytes(8) + LOG_PQ.sign(
        module.subtree_message(
            cosigner=LOG_PQ.name, origin=POINT.origin, start=0, end=POINT.size, root=POINT.root, seconds=0
        )
    )
    line = NoteSignature(name=LOG_PQ.name, key_id=LOG_PQ.verifier.key_id, value=value)
    assert module.verify_signature(POINT, line, LOG_PQ.verifier).at is None


@pytest.mark.parametrize("seconds", [2**63, 2**64 - 1])
def test_a_time_above_the_limit_is_refused_though_signed(seconds):
    value = seconds.to_bytes(8, "big") + WITNESS.sign(f"cosignature/v1\ntime {seconds}\n{POINT.text()}".encode())
    line = NoteSignature(name=WITNESS.name, key_id=WITNESS.verifier.key_id, value=value)
    with pytest.raises(Invalid, match=r"ledger\.signature_wrong"):
        module.verify_signature(POINT, line, WITNESS.verifier)
