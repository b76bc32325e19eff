"""COSE_Sign1 (RFC 9052) and COSE keys, as far as the ledger needs them.

Two algorithms: EdDSA with Ed25519 (-8) and, for depositors who bring a P-256 key, ES256 (-7).
A key is named by its RFC 9679 thumbprint with SHA-256, which is the digest of `PublicKey.to_cose()`.
No other algorithm is negotiated, no key is taken from a message, nothing is fetched.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import cbor2
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from nacl.bindings import crypto_core_ed25519_is_valid_point
from nacl.exceptions import BadSignatureError
from nacl.signing import SigningKey as NaclSigningKey
from nacl.signing import VerifyKey as NaclVerifyKey

from chopmark.base import cbor
from chopmark.base.errors import Invalid

EDDSA = -8
ES256 = -7
SIGN1_TAG = 18
SIGNATURE_SIZE = 64
COORDINATE_SIZE = 32
SEED_SIZE = 32

ALGORITHM = 1
CRITICAL = 2
KEY_ID = 4
CLAIMS = 15
ISSUER, SUBJECT, ISSUED_AT = 1, 2, 6

_LABEL_TYPES = frozenset({int, str})
_OKP, _EC2 = 1, 2
_ED25519, _P256 = 6, 1


@dataclass(frozen=True, slots=True, kw_only=True)
class PublicKey:
    """A key that signs statements.

    Attributes:
        algorithm: EDDSA or ES256.
        x: 32 bytes; for Ed25519 the whole public key.
        y: 32 bytes for P-256, None for Ed25519.
    """

    algorithm: int
    x: bytes
    y: bytes | None = None

    @staticmethod
    def ed25519(public: bytes) -> PublicKey:
        """An Ed25519 key from its 32 bytes.

        Raises:
            Invalid: `ledger.cose_key_malformed` when it is no point of the prime-order group.
        """
        if len(public) != COORDINATE_SIZE or not crypto_core_ed25519_is_valid_point(public):
            raise Invalid("ledger.cose_key_malformed")
        return PublicKey(algorithm=EDDSA, x=public)

    @staticmethod
    def p256(x: bytes, y: bytes) -> PublicKey:
        """A P-256 key from its two coordinates, 32 bytes each, big endian.

        Raises:
            Invalid: `ledger.cose_key_malformed` when they are no point of the curve.
        """
        if len(x) != COORDINATE_SIZE or len(y) != COORDINATE_SIZE:
            raise Invalid("ledger.cose_key_malformed")
        try:
            _p256_key(x, y)
        except ValueError as error:
            raise Invalid("ledger.cose_key_malformed") from error
        return PublicKey(algorithm=ES256, x=x, y=y)

    @staticmethod
    def from_cose(data: bytes) -> PublicKey:
        """Read a COSE_Key with the required parameters and no others, deterministically encoded.

        Raises:
            Invalid: `ledger.cose_key_malformed`.
        """
        try:
            parameters = cbor.decode(data)
        except Invalid as error:
            raise Invalid("ledger.cose_key_malformed") from error
        match parameters:
            case {1: 1, -2: bytes(x)}:
                key = PublicKey.ed25519(x)
            case {1: 2, -2: bytes(x), -3: bytes(y)}:
                key = PublicKey.p256(x, y)
            case _:
                raise Invalid("ledger.cose_key_malformed")
        if key.to_cose() != data:
            raise Invalid("ledger.cose_key_malformed")
        return key

    def to_cose(self) -> bytes:
        """The COSE_Key of the required parameters alone (RFC 9679 §4)."""
        return _cose_key(self.x, self.y)

    @property
    def thumbprint(self) -> bytes:
        """RFC 9679 thumbprint with SHA-256, 32 bytes; the `kid` of all we sign."""
        return _thumbprint(self.x, self.y)

    def accepts(self, signature: bytes, message: bytes) -> bool:
        """Whether `signature` (64 bytes: R||S, or r||s) is this key's over `message`."""
        if len(signature) != SIGNATURE_SIZE:
            return False
        if self.y is None:
            try:
                _ed25519_key(self.x).verify(message, signature)
            except BadSignatureError:
                return False
            return True
        r, s = (int.from_bytes(signature[at : at + COORDINATE_SIZE]) for at in (0, COORDINATE_SIZE))
        try:
            _p256_key(self.x, self.y).verify(encode_dss_signature(r, s), message, ec.ECDSA(hashes.SHA256()))
        except InvalidSignature:
            return False
        return True


@lru_cache(maxsize=256)
def _cose_key(x: bytes, y: bytes | None) -> bytes:
    if y is None:
        return cbor.encode({1: _OKP, -1: _ED25519, -2: x})
    return cbor.encode({1: _EC2, -1: _P256, -2: x, -3: y})


@lru_cache(maxsize=256)
def _thumbprint(x: bytes, y: bytes | None) -> bytes:
    return hashlib.sha256(_cose_key(x, y)).digest()


@lru_cache(maxsize=256)
def _ed25519_key(public: bytes) -> NaclVerifyKey:
    return NaclVerifyKey(public)


@lru_cache(maxsize=256)
def _p256_key(x: bytes, y: bytes) -> ec.EllipticCurvePublicKey:
    return ec.EllipticCurvePublicNumbers(int.from_bytes(x), int.from_bytes(y), ec.SECP256R1()).public_key()


@dataclass(frozen=True, slots=True)
class IssuerKey:
    """An Ed25519 private key that signs statements; its seed is never shown by `repr`."""

    seed: bytes = field(repr=False)

    @staticmethod
    def generate() -> IssuerKey:
        """A new key from the system's randomness."""
        return IssuerKey(bytes(NaclSigningKey.generate()))

    @staticmethod
    def from_seed(seed: bytes) -> IssuerKey:
        """The key of a 32-byte seed (RFC 8032).

        Raises:
            Invalid: `ledger.cose_key_malformed`.
        """
        if len(seed) != SEED_SIZE:
            raise Invalid("ledger.cose_key_malformed")
        return IssuerKey(seed)

    @property
    def public(self) -> PublicKey:
        """The public half."""
        return PublicKey(algorithm=EDDSA, x=bytes(_signing_key(self.seed).verify_key))

    def sign(self, message: bytes) -> bytes:
        """A 64-byte Ed25519 signature."""
        return _signing_key(self.seed).sign(message).signature


@lru_cache(maxsize=16)
def _signing_key(seed: bytes) -> NaclSigningKey:
    return NaclSigningKey(seed)


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """A COSE_Sign1 as it stands in the bytes; nothing about it is checked but its form.

    Attributes:
        protected: the encoded header that the signature covers.
        unprotected: the header that it does not cover.
        payload: None when detached.
        signature: as many bytes as there are.
    """

    protected: bytes
    unprotected: Mapping[Any, Any]
    payload: bytes | None
    signature: bytes

    @staticmethod
    def parse(raw: bytes) -> Envelope:
        """Read tag 18 over [bstr, map, bstr / nil, bstr], deterministically encoded.

        Raises:
            Invalid: `base.cbor_malformed`, `ledger.cose_malformed`.
        """
        tagged = cbor.decode(raw)
        if isinstance(tagged, cbor2.CBORTag) and tagged.tag == SIGN1_TAG and isinstance(tagged.value, list):
            match tagged.value:
                case [bytes(protected), dict(unprotected), bytes() | None as payload, bytes(signature)]:
                    return Envelope(protected=protected, unprotected=unprotected, payload=payload, signature=signature)
        raise Invalid("ledger.cose_malformed")

    def encode(self) -> bytes:
        """Back to bytes."""
        parts = [self.protected, dict(self.unprotected), self.payload, self.signature]
        return cbor.encode(cbor2.CBORTag(SIGN1_TAG, parts))

    def header(self) -> dict[int | str, Any]:
        """The protected header, whose labels are whole numbers or text.

        Raises:
            Invalid: `base.cbor_malformed`, `ledger.cose_malformed`.
        """
        header = cbor.decode(self.protected)
        if not isinstance(header, dict) or not _LABEL_TYPES.issuperset(map(type, header)):
            raise Invalid("ledger.cose_malformed")
        return header


def to_be_signed(protected: bytes, payload: bytes) -> bytes:
    """The Sig_structure of a COSE_Sign1 without external data (RFC 9052 §4.4).

    Its first byte is 0x84. No note text begins so, hence one Ed25519 key may sign notes and receipts.
    """
    return cbor.encode(["Signature1", protected, b"", payload])
