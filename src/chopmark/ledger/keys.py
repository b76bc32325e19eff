"""The keys that sign notes: Ed25519 and ML-DSA-44, and their C2SP text forms.

    verifier key   example.com/log+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k
    signing key    PRIVATE+KEY+example.com/log+530d903a+AQ…            (32-byte seed, as Go's note package writes it)

A key signs and checks bytes; which bytes a note or a checkpoint has signed is said in `checkpoint`.

Ed25519 is checked strictly: the public key and the signature's R must be canonical encodings of points of the
prime-order group that are not of small order, and S must be less than the group order. Every RFC 8032 verifier,
with or without cofactor, accepts such a signature, so two verifiers never disagree about one accepted here.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass, field
from typing import Protocol

import nacl.bindings
import nacl.exceptions
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey, MLDSA44PublicKey

from chopmark.base.errors import Invalid
from chopmark.ledger.text import parse_base64, to_base64

ED25519 = 0x01
ED25519_COSIGNATURE = 0x04
MLDSA44_COSIGNATURE = 0x06

SEED_SIZE = 32
MAX_NAME = 255
PUBLIC_SIZES = {ED25519: 32, ED25519_COSIGNATURE: 32, MLDSA44_COSIGNATURE: 1312}
SIGNATURE_SIZES = {ED25519: 64, ED25519_COSIGNATURE: 64, MLDSA44_COSIGNATURE: 2420}

_SECRET_PREFIX = "PRIVATE+KEY+"  # noqa: S105 (the label in front of a secret, not one)


def is_key_name(name: str) -> bool:
    """Whether a note may name a key so: 1 to 255 bytes of UTF-8, no white space, no control character, no plus."""
    if any(character.isspace() or character < " " or character == "+" for character in name):
        return False
    try:
        return 0 < len(name.encode()) <= MAX_NAME
    except UnicodeEncodeError:
        return False


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifierKey:
    """A public key with the name that it signs under.

    Attributes:
        name: the key name, for a log its origin.
        type: `ED25519`, `ED25519_COSIGNATURE` or `MLDSA44_COSIGNATURE`.
        public: 32 bytes (Ed25519) or 1312 bytes (ML-DSA-44).
    """

    name: str
    type: int
    public: bytes = field(repr=False)

    def __post_init__(self) -> None:
        if not is_key_name(self.name):
            raise Invalid("ledger.key_name_wrong")
        if self.type not in PUBLIC_SIZES:
            raise Invalid("ledger.key_type_unknown", type=self.type)
        if len(self.public) != PUBLIC_SIZES[self.type]:
            raise Invalid("ledger.key_malformed")
        if self.type != MLDSA44_COSIGNATURE and not nacl.bindings.crypto_core_ed25519_is_valid_point(self.public):
            raise Invalid("ledger.key_malformed")

    @property
    def key_id(self) -> bytes:
        """The first 4 bytes of SHA-256(name || 0x0A || type || public)."""
        return hashlib.sha256(self.name.encode() + b"\n" + bytes([self.type]) + self.public).digest()[:4]

    @classmethod
    def parse(cls, vkey: str) -> VerifierKey:
        """Read a verifier key.

        Raises:
            Invalid: `ledger.key_malformed`; `ledger.key_type_unknown`; `ledger.key_name_wrong`.
        """
        name, kind, public = _parts(vkey)
        key = cls(name=name, type=kind, public=public)
        if str(key) != vkey:
            raise Invalid("ledger.key_malformed")
        return key

    def __str__(self) -> str:
        return f"{self.name}+{self.key_id.hex()}+{to_base64(bytes([self.type]) + self.public)}"

    def verify(self, signature: bytes, message: bytes) -> None:
        """Check the bare signature over the message.

        Raises:
            Invalid: `ledger.signature_wrong`.
        """
        try:
            if self.type == MLDSA44_COSIGNATURE:
                MLDSA44PublicKey.from_public_bytes(self.public).verify(signature, message)
            else:
                _verify_ed25519(self.public, signature, message)
        except (InvalidSignature, nacl.exceptions.BadSignatureError) as error:
            raise Invalid("ledger.signature_wrong", name=self.name) from error


class Signer(Protocol):
    """What signs under a name: a key in memory (`SigningKey`) or one that never leaves its token."""

    @property
    def name(self) -> str:
        """The key name."""

    @property
    def type(self) -> int:
        """As in `VerifierKey`."""

    @property
    def verifier(self) -> VerifierKey:
        """The public side."""

    def sign(self, message: bytes) -> bytes:
        """The bare signature."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SigningKey:
    """A private key with the name that it signs under. Its secret shows only in `text`.

    Attributes:
        name: the key name.
        type: as in `VerifierKey`.
        seed: 32 bytes from which the key pair is made (RFC 8032, FIPS 204).
        verifier: the public side.
    """

    name: str
    type: int
    seed: bytes = field(repr=False)
    verifier: VerifierKey = field(init=False, repr=False, compare=False)
    _private: Ed25519PrivateKey | MLDSA44PrivateKey = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.type not in PUBLIC_SIZES:
            raise Invalid("ledger.key_type_unknown", type=self.type)
        if len(self.seed) != SEED_SIZE:
            raise Invalid("ledger.key_malformed")
        private: Ed25519PrivateKey | MLDSA44PrivateKey
        if self.type == MLDSA44_COSIGNATURE:
            private = MLDSA44PrivateKey.from_seed_bytes(self.seed)
        else:
            private = Ed25519PrivateKey.from_private_bytes(self.seed)
        public = private.public_key().public_bytes_raw()
        object.__setattr__(self, "_private", private)
        object.__setattr__(self, "verifier", VerifierKey(name=self.name, type=self.type, public=public))

    @classmethod
    def generate(cls, name: str, type: int = ED25519) -> SigningKey:  # noqa: A002 (the specification's word)
        """A new key from the operating system's randomness.

        Raises:
            Invalid: `ledger.key_name_wrong`; `ledger.key_type_unknown`.
        """
        return cls(name=name, type=type, seed=os.urandom(SEED_SIZE))

    @classmethod
    def parse(cls, skey: str) -> SigningKey:
        """Read what `text` wrote.

        Raises:
            Invalid: `ledger.key_malformed`; `ledger.key_type_unknown`; `ledger.key_name_wrong`.
        """
        if not skey.startswith(_SECRET_PREFIX):
            raise Invalid("ledger.key_malformed")
        name, kind, seed = _parts(skey.removeprefix(_SECRET_PREFIX))
        key = cls(name=name, type=kind, seed=seed)
        if key.text() != skey:
            raise Invalid("ledger.key_malformed")
        return key

    def text(self) -> str:
        """The secret in text; store it where only its owner can read."""
        secret = to_base64(bytes([self.type]) + self.seed)
        return f"{_SECRET_PREFIX}{self.name}+{self.verifier.key_id.hex()}+{secret}"

    def sign(self, message: bytes) -> bytes:
        """The bare signature: 64 bytes (Ed25519) or 2420 bytes (ML-DSA-44, empty context, hedged)."""
        return self._private.sign(message)


def _parts(text: str) -> tuple[str, int, bytes]:
    """Name, type and key bytes of `name+id+base64`; whoever calls prints the key and compares the id too."""
    name, _, rest = text.partition("+")
    _, _, encoded = rest.partition("+")
    try:
        material = parse_base64(encoded)
        return name, material[0], material[1:]
    except (ValueError, IndexError) as error:
        raise Invalid("ledger.key_malformed") from error


def _verify_ed25519(public: bytes, signature: bytes, message: bytes) -> None:
    if len(signature) != SIGNATURE_SIZES[ED25519]:
        raise InvalidSignature
    nacl.bindings.crypto_sign_open(signature + message, public)
