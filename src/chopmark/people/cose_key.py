"""The public keys that depositors register: COSE_Key bytes, Ed25519 or P-256, and their thumbprint (RFC 9679).

Checks the form and that the numbers are a key; verifies no signature.
"""

from __future__ import annotations

import hashlib

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicNumbers
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from chopmark.base import cbor
from chopmark.base.errors import Invalid

KTY, CRV, X, Y = 1, -1, -2, -3
OKP, EC2 = 1, 2
P256, ED25519 = 1, 6
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
            algorithm, required = "Ed25519", {KTY: OKP, CRV: ED25519, X: x}
        case {1: 2, -1: 1, -2: bytes(x), -3: bytes(y)} if len(bare) == 4 and len(x) == len(y) == 32:
            algorithm, required = "ES256", {KTY: EC2, CRV: P256, X: x, Y: y}
        case _:
            raise Invalid("people.issuer_key_malformed")
    try:
        if algorithm == "Ed25519":
            Ed25519PublicKey.from_public_bytes(x)
        else:
            EllipticCurvePublicNumbers(int.from_bytes(x), int.from_bytes(bare[Y]), SECP256R1()).public_key()
    except (ValueError, UnsupportedAlgorithm) as error:
        raise Invalid("people.issuer_key_malformed") from error
    encoded = cbor.encode(required)
    return encoded, hashlib.sha256(encoded).digest(), algorithm


def _decode(data: bytes) -> dict[object, object]:
    try:
        key = cbor.decode(data)
    except Invalid as error:
        raise Invalid("people.issuer_key_malformed") from error
    if not isinstance(key, dict):
        raise Invalid("people.issuer_key_malformed")
    return key
