"""An RFC 3161 time-stamp authority, without its socket: what it answers, and what its signer signs.

The work is divided so that who reads bytes from strangers never holds the key:

    answer(bytes, signer)    the front: takes a request apart, refuses what it must, asks the signer for the rest
    Signer.stamp(order)      behind a local socket: takes the time, a new serial and the key, and makes the token

An `Order` has a fixed layout that needs no parser worth attacking, and says no time: a front in the hands of an
attacker can have his own digests stamped now, and nothing else.

The signer keeps how many tokens it made and its last time on the disk, durable, before it answers. A serial is never
given twice: the count is its upper part, and 64 random bits behind it hold even on a disk set back to an old copy.
After a clock that went backwards nothing is stamped until it has caught up (timeNotAvailable).
A clock that goes forwards is not noticed: such a token says too late a time, which proves less but nothing false.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from chopmark.base.errors import Invalid, Unavailable
from chopmark.ledger import der
from chopmark.ledger.cms import (
    CONTENT_TYPE,
    ECDSA_SHA256,
    MESSAGE_DIGEST,
    SHA256,
    SHA384,
    SHA512,
    SIGNED_DATA,
    SIGNING_CERTIFICATE_V2,
)
from chopmark.ledger.timestamp import (
    DIGEST_SIZES,
    GRANTED,
    REJECTION,
    TST_INFO,
    Request,
    Response,
    TokenInfo,
)

POLICY = "2.25.243919981237061204796913142792868038236"  # of a UUID of our own (ITU-T X.667), in need of no registry
ACCURACY = timedelta(seconds=1)
MAX_REQUEST = 4096
ALGORITHMS = (SHA256, SHA384, SHA512)
ROOT_LIFE, SIGNER_LIFE = timedelta(days=20 * 365), timedelta(days=3 * 365)
_ORDER_SIZE = 2 + 64 + 1 + 64  # bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What the front asks of the signer.

    131 bytes: index of the digest algorithm, 1 when certificates are wanted, the digest and zeros up to 64 bytes,
    length of the nonce (0 for none), the nonce as a signed number, big-endian, and zeros up to 64 bytes.
    """

    algorithm: str
    imprint: bytes
    nonce: int | None
    certificates: bool

    def encode(self) -> bytes:
        """The 131 bytes."""
        nonce = b""
        if self.nonce is not None:
            magnitude = self.nonce if self.nonce >= 0 else ~self.nonce
            nonce = self.nonce.to_bytes(magnitude.bit_length() // 8 + 1, "big", signed=True)
        head = bytes([ALGORITHMS.index(self.algorithm), self.certificates])
        return head + self.imprint.ljust(64, b"\0") + bytes([len(nonce)]) + nonce.ljust(64, b"\0")

    @classmethod
    def parse(cls, data: bytes) -> Order:
        """Read one.

        Raises:
            Invalid: `ledger.timestamp_malformed`.
        """
        if len(data) != _ORDER_SIZE or data[0] >= len(ALGORITHMS) or data[1] > 1 or data[66] > 64:
            raise Invalid("ledger.timestamp_malformed")
        algorithm = ALGORITHMS[data[0]]
        order = cls(
            algorithm=algorithm,
            imprint=data[2 : 2 + DIGEST_SIZES[algorithm]],
            nonce=int.from_bytes(data[67 : 67 + data[66]], "big", signed=True) if data[66] else None,
            certificates=bool(data[1]),
        )
        if order.encode() != data:
            raise Invalid("ledger.timestamp_malformed")
        return order


class Stamps(Protocol):
    """Who makes tokens: the signer itself, or the way to it."""

    def stamp(self, order: Order) -> bytes:
        """The token, DER.

        Raises:
            Unavailable: `ledger.tsa_clock_behind`; `ledger.tsa_signer_silent`.
        """


def answer(body: bytes, stamps: Stamps) -> bytes:
    """A TimeStampResp to whatever came in; it never raises for what a stranger sent."""
    try:
        asked = Request.parse(body[: MAX_REQUEST + 1])
    except Invalid:
        return _rejection("badDataFormat")
    if (failure := _unfit(asked)) is not None:
        return _rejection(failure)
    try:
        token = stamps.stamp(
            Order(algorithm=asked.algorithm, imprint=asked.imprint, nonce=asked.nonce, certificates=asked.certificates)
        )
    except Unavailable as error:
        return _rejection("timeNotAvailable" if error.code == "ledger.tsa_clock_behind" else "systemFailure")
    return Response(status=GRANTED, failure="", token=token).encode()


def _rejection(failure: str) -> bytes:
    return Response(status=REJECTION, failure=failure, token=None).encode()


def _unfit(asked: Request) -> str | None:
    """Why a well-formed request is not granted, as RFC 3161 2.4.2 calls it."""
    if asked.algorithm not in DIGEST_SIZES:
        return "badAlg"
    if len(asked.imprint) != DIGEST_SIZES[asked.algorithm]:
        return "badRequest"
    if asked.policy not in {None, POLICY}:
        return "unacceptedPolicy"
    return "unacceptedExtension" if asked.extensions else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """What the signer remembers: how many tokens it made, and the last time it stated."""

    serial: int
    time: datetime


class Signer:
    """Makes tokens; the only one who holds the key.

    Args:
        key: P-256.
        certificates: the signer's first, then up to the root.
        mark: the last one that was kept.
        keep: makes a mark durable; only then is a token made under it.
        clock: the time.
    """

    def __init__(
        self,
        *,
        key: ec.EllipticCurvePrivateKey,
        certificates: Sequence[x509.Certificate],
        mark: Mark,
        keep: Callable[[Mark], None],
        clock: Callable[[], datetime],
    ) -> None:
        self._key = key
        self._mark = mark
        self._keep = keep
        self._clock = clock
        signer = certificates[0]
        encoded = signer.public_bytes(Encoding.DER)
        self._until = signer.not_valid_after_utc
        self._naming = der.sequence(signer.issuer.public_bytes(), der.put_integer(signer.serial_number))
        self._set = der.set_of((each.public_bytes(Encoding.DER) for each in certificates), tag=0xA0)
        names = der.sequence(der.element(0xA4, signer.issuer.public_bytes()))
        naming = der.sequence(names, der.put_integer(signer.serial_number))
        # ESSCertIDv2 (RFC 5035) leaves its digest algorithm out: SHA-256 is the default.
        named = der.sequence(der.put_octets(hashlib.sha256(encoded).digest()), naming)
        self._attribute = _attribute(SIGNING_CERTIFICATE_V2, der.sequence(der.sequence(named)))

    def stamp(self, order: Order) -> bytes:
        """See `Stamps.stamp`.

        Raises:
            Unavailable: `ledger.tsa_clock_behind`; `ledger.tsa_certificate_over` after the certificate's end.
        """
        now = self._clock()
        now = now.replace(microsecond=now.microsecond // 1000 * 1000)
        if now < self._mark.time:
            raise Unavailable("ledger.tsa_clock_behind", last=self._mark.time.isoformat())
        if now > self._until:
            raise Unavailable("ledger.tsa_certificate_over", until=self._until.isoformat())
        mark = Mark(serial=self._mark.serial + 1, time=now)
        self._keep(mark)
        self._mark = mark
        info = TokenInfo(
            policy=POLICY,
            algorithm=order.algorithm,
            imprint=order.imprint,
            serial=mark.serial << 64 | secrets.randbits(64),
            time=now,
            accuracy=ACCURACY,
            nonce=order.nonce,
        )
        return self._token(info.encode(), certificates=order.certificates)

    def _token(self, content: bytes, *, certificates: bool) -> bytes:
        digest = hashlib.sha256(content).digest()
        attributes = [
            _attribute(CONTENT_TYPE, der.put_oid(TST_INFO)),
            _attribute(MESSAGE_DIGEST, der.put_octets(digest)),
            self._attribute,
        ]
        signature = self._key.sign(der.set_of(attributes), ec.ECDSA(hashes.SHA256()))
        sha256 = der.sequence(der.put_oid(SHA256))
        signer = der.sequence(
            der.put_integer(1),
            self._naming,
            sha256,
            der.set_of(attributes, tag=0xA0),
            der.sequence(der.put_oid(ECDSA_SHA256)),
            der.put_octets(signature),
        )
        signed = der.sequence(
            der.put_integer(3),
            der.set_of([sha256]),
            der.sequence(der.put_oid(TST_INFO), der.element(0xA0, der.put_octets(content))),
            self._set if certificates else b"",
            der.set_of([signer]),
        )
        return der.sequence(der.put_oid(SIGNED_DATA), der.element(0xA0, signed))


def _attribute(kind: str, value: bytes) -> bytes:
    return der.sequence(der.put_oid(kind), der.set_of([value]))


# ---- keys and certificates -------------------------------------------------------------------------------------------


def make_root(
    name: str, at: datetime, *, key: ec.EllipticCurvePrivateKey | None = None
) -> tuple[ec.EllipticCurvePrivateKey, x509.Certificate]:
    """A key (P-256) and the certificate in which it calls itself a root that may issue signers."""
    made = key or ec.generate_private_key(ec.SECP256R1())
    subject = _name(name, "time stamping root")
    certificate = (
        _certificate(subject, subject, made.public_key(), at, ROOT_LIFE)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(issues=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(made.public_key()), critical=False)
        .sign(made, hashes.SHA256())
    )
    return made, certificate


def make_signer(
    name: str, at: datetime, *, root_key: ec.EllipticCurvePrivateKey, root: x509.Certificate
) -> tuple[ec.EllipticCurvePrivateKey, x509.Certificate]:
    """A key (P-256) and a certificate for it, for time stamping alone (RFC 3161 2.3)."""
    key = ec.generate_private_key(ec.SECP256R1())
    until = min(SIGNER_LIFE, root.not_valid_after_utc - at)
    certificate = (
        _certificate(_name(name, "time stamping"), root.subject, key.public_key(), at, until)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(issues=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.TIME_STAMPING]), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(root_key.public_key()), critical=False)
        .sign(root_key, hashes.SHA256())
    )
    return key, certificate


def _name(organisation: str, role: str) -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, organisation[:64]),
            x509.NameAttribute(NameOID.COMMON_NAME, f"{organisation[:40]} {role}"),
        ]
    )


def _certificate(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, at: datetime, life: timedelta
) -> x509.CertificateBuilder:
    start = at.replace(microsecond=0)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + life)
    )


def _usage(*, issues: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not issues,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=issues,
        crl_sign=issues,
        encipher_only=False,
        decipher_only=False,
    )
