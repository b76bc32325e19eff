"""Public keys of depositors: strict in form, named by their RFC 9679 thumbprint."""

from __future__ import annotations

import hashlib

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from hypothesis import given
from hypothesis import strategies as st

from chopmark.base import cbor
from chopmark.base.errors import Invalid
from chopmark.people.cose_key import read_public_key

ED = {1: 1, -1: 6, -2: bytes(range(32))}


def _p256() -> dict[int, object]:
    numbers = generate_private_key(SECP256R1()).public_key().public_numbers()
    return {1: 2, -1: 1, -2: numbers.x.to_bytes(32), -3: numbers.y.to_bytes(32)}


def test_the_thumbprint_covers_the_required_parts_only():
    bare, thumbprint, algorithm = read_public_key(cbor.encode({**ED, 2: b"any id", 3: -8}))
    assert bare == cbor.encode(ED)
    assert thumbprint == hashlib.sha256(bare).digest()
    assert algorithm == "Ed25519"


def test_p256_keys_are_taken():
    assert read_public_key(cbor.encode(_p256()))[2] == "ES256"


REFUSED = {
    "a private Ed25519 key": {**ED, -4: bytes(32)},
    "a private P-256 key": {**_p256(), -4: bytes(32)},
    "a point that is not on the curve": {1: 2, -1: 1, -2: bytes(32), -3: bytes(31) + b"\x07"},
    "a compressed point": {**_p256(), -3: True},
    "X25519": {**ED, -1: 4},
    "a short key": {**ED, -2: bytes(31)},
    "an unknown part": {**ED, 99: 1},
    "a symmetric key": {1: 4, -1: bytes(32)},
    "a list": [1, 2],
    "nothing": {},
}


@pytest.mark.parametrize("what", REFUSED)
def test_refused(what):
    with pytest.raises(Invalid) as refusal:
        read_public_key(cbor.encode(REFUSED[what]))
    assert refusal.value.code == "people.issuer_key_malformed"


@given(st.binary(max_size=120))
def test_bytes_that_are_no_key_are_refused(data):
    with pytest.raises(Invalid, match=r"people\.issuer_key_malformed"):
        read_public_key(data)


@given(st.binary(min_size=32, max_size=32), st.binary(max_size=20))
def test_a_key_prints_back(x, key_id):
    bare, _, _ = read_public_key(cbor.encode({**ED, -2: x, 2: key_id}))
    assert bare == cbor.encode({**ED, -2: x})
    assert read_public_key(bare)[0] == bare
