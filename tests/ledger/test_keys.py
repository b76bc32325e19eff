from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from world.data import shared_data

from chopmark.base.errors import Invalid
from chopmark.ledger import keys
from chopmark.ledger.keys import SigningKey, VerifierKey

EXAMPLE = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"
TYPES = (keys.ED25519, keys.ED25519_COSIGNATURE, keys.MLDSA44_COSIGNATURE)
SEED = bytes(range(32))


def test_the_example_key_of_the_specification_is_read():
    key = VerifierKey.parse(EXAMPLE)
    assert (key.name, key.type, key.key_id.hex()) == ("example.com/foo", keys.ED25519, "530d903a")
    assert str(key) == EXAMPLE


@pytest.mark.parametrize("kind", TYPES)
def test_keys_come_back_from_their_text(kind):
    key = SigningKey.generate("log.example/一", kind)
    assert SigningKey.parse(key.text()) == key
    assert VerifierKey.parse(str(key.verifier)) == key.verifier
    assert len(key.verifier.public) == keys.PUBLIC_SIZES[kind]


@pytest.mark.parametrize("kind", TYPES)
def test_a_signature_holds_for_its_message_and_key_only(kind):
    key, other = SigningKey.generate("a.example", kind), SigningKey.generate("a.example", kind)
    signature = key.sign(b"message")
    assert len(signature) == keys.SIGNATURE_SIZES[kind]
    key.verifier.verify(signature, b"message")
    changed = bytes([signature[0] ^ 1]) + signature[1:]
    for verifier, value, message in [
        (key.verifier, signature, b"messagf"),
        (key.verifier, signature[:-1], b"message"),
        (key.verifier, signature + b"\0", b"message"),
        (key.verifier, b"", b"message"),
        (key.verifier, changed, b"message"),
        (other.verifier, signature, b"message"),
    ]:
        with pytest.raises(Invalid, match=r"ledger\.signature_wrong"):
            verifier.verify(value, message)


@pytest.mark.parametrize("kind", TYPES)
def test_a_secret_is_shown_nowhere_but_in_its_text(kind):
    key = SigningKey(name="a.example", type=kind, seed=SEED)
    for shown in (repr(key), str(key), f"{key!r}", repr(key.verifier)):
        assert SEED.hex() not in shown
        assert "AAECAw" not in shown
        assert "\\x01" not in shown


BAD_VKEYS = {
    "nothing": "",
    "a name alone": "example.com/foo",
    "another key id": EXAMPLE.replace("530d903a", "530d903b"),
    "a key id in capitals": EXAMPLE.replace("530d903a", "530D903A"),
    "a short key id": EXAMPLE.replace("530d903a", "530d903"),
    "no name": EXAMPLE.removeprefix("example.com/foo"),
    "a name with a space": EXAMPLE.replace("example.com/foo", "example.com /foo"),
    "a name with a wide space": EXAMPLE.replace("example.com/foo", "example.com\u3000foo"),
    "a name with a newline": EXAMPLE.replace("example.com/foo", "example.com\nfoo"),
    "a name of 256 bytes": EXAMPLE.replace("example.com/foo", "e" * 256),
    "base64 without its end": EXAMPLE[:-1],
    "base64 with loose bits": EXAMPLE[:-1] + "l",
    "base64 of another alphabet": EXAMPLE.replace("eR", "e_"),
    "a trailing newline": EXAMPLE + "\n",
    "a leading space": " " + EXAMPLE,
    "an unknown type": EXAMPLE.replace("+Aek", "+Auk"),
    "31 bytes": EXAMPLE[:-4],
    "ML-DSA of 32 bytes": EXAMPLE.replace("+Aek", "+Bek"),
}


@pytest.mark.parametrize("title", BAD_VKEYS)
def test_malformed_verifier_keys_are_refused(title):
    with pytest.raises(Invalid, match=r"ledger\.key_"):
        VerifierKey.parse(BAD_VKEYS[title])


@pytest.mark.parametrize("kind", TYPES)
def test_malformed_signing_keys_are_refused(kind):
    text = SigningKey(name="a.example", type=kind, seed=SEED).text()
    for bad in ("", text.removeprefix("PRIVATE+KEY+"), text[:-4], text + "\n", text.replace("a.example", "b.example")):
        with pytest.raises(Invalid, match=r"ledger\.key_"):
            SigningKey.parse(bad)


@pytest.mark.parametrize("name", ["", "a b", "a+b", "a\u00a0b", "a\u2028b", "a\x1fb", "\ud800", "é" * 128])
def test_names_that_a_note_cannot_carry_are_refused(name):
    assert not keys.is_key_name(name)
    with pytest.raises(Invalid, match=r"ledger\.key_name_wrong"):
        SigningKey.generate(name)


@settings(max_examples=50)
@given(st.text(max_size=40), st.binary(min_size=32, max_size=32), st.sampled_from(TYPES))
def test_a_name_is_refused_or_comes_back(name, seed, kind):
    try:
        key = SigningKey(name=name, type=kind, seed=seed)
    except Invalid:
        assert not keys.is_key_name(name)
        return
    assert SigningKey.parse(key.text()) == key
    assert VerifierKey.parse(str(key.verifier)) == key.verifier


def test_only_32_byte_seeds_and_known_types_make_keys():
    with pytest.raises(Invalid, match=r"ledger\.key_malformed"):
        SigningKey(name="a", type=keys.ED25519, seed=bytes(31))
    with pytest.raises(Invalid, match=r"ledger\.key_type_unknown"):
        SigningKey(name="a", type=2, seed=bytes(32))
    with pytest.raises(Invalid, match=r"ledger\.key_type_unknown"):
        VerifierKey(name="a", type=2, public=bytes(32))


def test_ed25519_keys_and_signatures_on_which_verifiers_differ_are_refused():
    """The rule: A and R canonical, in the prime-order group and not of small order; S below the group order.

    Each of the 914 vectors has a valid cofactored equation, so the wanted answer follows from its flags alone.
    """
    vectors = json.loads((shared_data("cctv") / "ed25519" / "ed25519vectors.json").read_text())
    accepted, wrong = 0, []
    for vector in vectors:
        wanted = not vector["flags"]
        try:
            key = VerifierKey(name="a", type=keys.ED25519, public=bytes.fromhex(vector["key"]))
            key.verify(bytes.fromhex(vector["sig"]), vector["msg"].encode())
            found = True
        except Invalid:
            found = False
        accepted += found
        if found != wanted:
            wrong.append((vector["number"], vector["flags"], found))
    assert (len(vectors), wrong) == (914, [])
    assert accepted > 0


def test_the_second_form_of_an_ed25519_signature_is_refused():
    order = 2**252 + 27742317777372353535851937790883648493
    key = SigningKey(name="a", type=keys.ED25519, seed=SEED)
    signature = key.sign(b"message")
    scalar = int.from_bytes(signature[32:], "little") + order
    with pytest.raises(Invalid, match=r"ledger\.signature_wrong"):
        key.verifier.verify(signature[:32] + scalar.to_bytes(32, "little"), b"message")
