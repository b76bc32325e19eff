"""The public keys that depositors register: COSE_Key bytes, Ed25519 or P-256, and their thumbprint (RFC 9679).

Checks the form and that the numbers are a key; verifies no signature.
"""

from __future__ import annotations

import hashlib

from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicNumbers

from chopmark.base import cbor
from chopmark.base.errors import Invalid

# Labels and values below are RFC 9053 §7: 1 kty (1 OKP, 2 EC2), -1 crv (6 Ed25519, 1 P-256), -2 x, -3 y.
# alg and key id may stand beside the key; they are dropped, the thumbprint never covers them (RFC 9679 §4).
OPTIONAL = frozenset((2, 3))


def read_public_key(data: bytes) -> tuple[bytes, bytes, str]:
    """The bare key's deterministic bytes, its SHA-256 thumbprint and the name of its algorithm.

    Raises:
        Invalid: `people.issuer_key_malformed`, also for a private key.
    """
    key = _decode(data)
    bare = {label: value for label, value in key.items() if label not in OPTIONAL}
    match bare:
        case {1: 1, -1: 6, -2: bytes(x)} if len(bare) == 3 and len(x) == 32:
            algorithm = "Ed25519"
        case {1: 2, -1: 1, -2: bytes(x), -3: bytes(y)} if len(bare) == 4 and len(x) == len(y) == 32:
            algorithm = "ES256"
            _must_be_on_the_curve(x, y)
        case _:
            raise Invalid("people.issuer_key_malformed")
    encoded = cbor.encode(bare)
    return encoded, hashlib.sha256(encoded).digest(), algorithm


def _must_be_on_the_curve(x: bytes, y: bytes) -> None:
    try:
        EllipticCurvePublicNumbers(int.from_bytes(x), int.from_bytes(y), SECP256R1()).public_key()
    except ValueError as error:
        raise Invalid("people.issuer_key_malformed") from error


def _decode(data: bytes) -> dict[object, object]:
    try:
        key = cbor.decode(data)
    except Invalid as error:
        raise Invalid("people.issuer_key_malformed") from error
    if not isinstance(key, dict):
        raise Invalid("people.issuer_key_malformed")
    return key
