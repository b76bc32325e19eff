"""RFC 3161 time-stamp tokens: what is asked for, what comes back, and whether it is true.

    asked = request(sha256(data).digest(), nonce=nonce)
    token = accept(answer, asked)                       the token out of an authority's answer
    stamp = verify_token(token, data, authorities, at)  who says since when these bytes exist

A token is a CMS SignedData (RFC 5652) around a TSTInfo. It is taken apart strictly as DER, but for the order of its
SETs, which real authorities do not keep. Checked are: imprint, content type, message digest, that the signer's
certificate is the one named under the signature (RFC 5035, RFC 5816), the signature, the chain of certificates up to
one that is trusted, each valid at the stamped time, and the purpose "time stamping, critical, and only that".

Not checked: revocation, which needs the network or lists kept from that time; what a policy promises.
No network here; who sends requests is elsewhere.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeVar

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, ExtensionOID

from chopmark.base.errors import Invalid
from chopmark.ledger import der
from chopmark.ledger.der import INTEGER, OCTET_STRING, SEQUENCE, SET, Element, Reader

_Kind = TypeVar("_Kind", bound=x509.ExtensionType)

MAX_TOKEN = 64 * 1024
MAX_CERTIFICATES = 16
MAX_NONCE = 64  # bytes
MOST_STEPS = 8  # certificates between the signer's and the trusted one, both counted
AHEAD = timedelta(minutes=5)  # how far an authority's clock may be before the one who checks

SHA1, SHA256, SHA384, SHA512 = (
    "1.3.14.3.2.26",
    "2.16.840.1.101.3.4.2.1",
    "2.16.840.1.101.3.4.2.2",
    "2.16.840.1.101.3.4.2.3",
)
SIGNED_DATA = "1.2.840.113549.1.7.2"
TST_INFO = "1.2.840.113549.1.9.16.1.4"
CONTENT_TYPE, MESSAGE_DIGEST = "1.2.840.113549.1.9.3", "1.2.840.113549.1.9.4"
SIGNING_CERTIFICATE, SIGNING_CERTIFICATE_V2 = "1.2.840.113549.1.9.16.2.12", "1.2.840.113549.1.9.16.2.47"
ECDSA_SHA256 = "1.2.840.10045.4.3.2"

DIGESTS: dict[str, Callable[[bytes], bytes]] = {
    SHA256: lambda data: hashlib.sha256(data).digest(),
    SHA384: lambda data: hashlib.sha384(data).digest(),
    SHA512: lambda data: hashlib.sha512(data).digest(),
}
DIGEST_SIZES = {SHA256: 32, SHA384: 48, SHA512: 64}
_HASHES: dict[str, hashes.HashAlgorithm] = {
    SHA256: hashes.SHA256(),
    SHA384: hashes.SHA384(),
    SHA512: hashes.SHA512(),
}
_RSA, _PSS, _MGF1, _ED25519 = (
    "1.2.840.113549.1.1.1",
    "1.2.840.113549.1.1.10",
    "1.2.840.113549.1.1.8",
    "1.3.101.112",
)
_RSA_HASH = {"1.2.840.113549.1.1.11": SHA256, "1.2.840.113549.1.1.12": SHA384, "1.2.840.113549.1.1.13": SHA512}
_ECDSA_HASH = {ECDSA_SHA256: SHA256, "1.2.840.10045.4.3.3": SHA384, "1.2.840.10045.4.3.4": SHA512}
_CURVES = ("secp256r1", "secp384r1")
_SMALLEST_RSA = 2048

GRANTED, GRANTED_WITH_MODS, REJECTION = 0, 1, 2
FAILURES = {  # PKIFailureInfo, RFC 3161 2.4.2: bit number to name
    0: "badAlg",
    2: "badRequest",
    5: "badDataFormat",
    14: "timeNotAvailable",
    15: "unacceptedPolicy",
    16: "unacceptedExtension",
    17: "addInfoNotAvailable",
    25: "systemFailure",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Authority:
    """A time-stamp authority that is trusted.

    Attributes:
        name: how people call it.
        certificates: DER; each is trusted, whether it is a root, an issuer or the signer's own.
        own: whether the platform itself runs it, so that its word is no independent one.
    """

    name: str
    certificates: tuple[bytes, ...]
    own: bool = False


def authority_from_pem(name: str, pem: bytes, *, own: bool = False) -> Authority:
    """An authority from a file of PEM certificates.

    Raises:
        Invalid: `ledger.authority_malformed`.
    """
    try:
        certificates = x509.load_pem_x509_certificates(pem)
    except ValueError as error:
        raise Invalid("ledger.authority_malformed", name=name) from error
    return Authority(name=name, certificates=tuple(_encoded(each) for each in certificates), own=own)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stamp:
    """What a true token says: these bytes existed at `time`.

    Attributes:
        time: as the authority's clock had it.
        accuracy: how far that may be off; None when the authority does not say.
        serial: the authority's number of the token.
        policy: the authority's policy, a dotted object identifier.
        authority: name of the trusted authority.
        own: whether that is the platform's own.
        signer: subject of the certificate that signed, RFC 4514.
        signer_until: when that certificate ends; the token stays true after, but is better renewed before.
    """

    time: datetime
    accuracy: timedelta | None
    serial: int
    policy: str
    authority: str
    own: bool
    signer: str
    signer_until: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A TimeStampReq.

    Attributes:
        algorithm: object identifier of the digest algorithm.
        imprint: the digest.
        nonce: a number that the answer repeats, or None.
        certificates: whether the token is to carry the signer's certificate.
        policy: the policy asked for, or None.
        extensions: whether the request carried any.
    """

    algorithm: str
    imprint: bytes
    nonce: int | None
    certificates: bool
    policy: str | None = None
    extensions: bool = False

    def encode(self) -> bytes:
        """The DER bytes; extensions cannot be written."""
        algorithm = der.sequence(der.put_oid(self.algorithm), der.element(der.NULL))
        return der.sequence(
            der.put_integer(1),
            der.sequence(algorithm, der.put_octets(self.imprint)),
            der.put_oid(self.policy) if self.policy else b"",
            b"" if self.nonce is None else der.put_integer(self.nonce),
            der.element(der.BOOLEAN, b"\xff") if self.certificates else b"",
        )

    @classmethod
    def parse(cls, data: bytes) -> Request:
        """Read a request, whatever digest algorithm it names.

        Raises:
            Invalid: `ledger.timestamp_malformed`.
        """
        try:
            return cls._read(Reader(der.read(data).content))
        except ValueError as error:
            raise Invalid("ledger.timestamp_malformed") from error

    @classmethod
    def _read(cls, parts: Reader) -> Request:
        if der.integer(parts.take(INTEGER)) != 1:
            raise ValueError("another version")
        algorithm, imprint = _imprint(parts.take(SEQUENCE))
        policy, nonce = parts.maybe(der.OID), parts.maybe(INTEGER)
        if nonce is not None and len(nonce.content) > MAX_NONCE:
            raise ValueError("a nonce too long")
        certificates, extensions = parts.maybe(der.BOOLEAN), parts.maybe(0xA0)
        if certificates is not None and not der.boolean(certificates):
            raise ValueError("DER leaves defaults out")
        parts.end()
        return cls(
            algorithm=algorithm,
            imprint=imprint,
            nonce=None if nonce is None else der.integer(nonce),
            certificates=certificates is not None,
            policy=None if policy is None else der.oid(policy),
            extensions=extensions is not None,
        )


def request(imprint: bytes, *, nonce: int | None, certificates: bool = True, policy: str | None = None) -> Request:
    """Ask for a stamp on a SHA-256 digest of 32 bytes."""
    if len(imprint) != DIGEST_SIZES[SHA256]:
        raise ValueError("a SHA-256 digest has 32 bytes")
    return Request(algorithm=SHA256, imprint=imprint, nonce=nonce, certificates=certificates, policy=policy)


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """A TimeStampResp.

    Attributes:
        status: 0 granted, 1 granted with changes, 2 rejected, above: other trouble.
        failure: name of the first failure bit (RFC 3161 2.4.2), or empty.
        token: DER, exactly when granted.
    """

    status: int
    failure: str
    token: bytes | None

    @classmethod
    def parse(cls, data: bytes) -> Response:
        """Read an answer.

        Raises:
            Invalid: `ledger.timestamp_malformed`.
        """
        try:
            return cls._read(Reader(der.read(data).content))
        except ValueError as error:
            raise Invalid("ledger.timestamp_malformed") from error

    @classmethod
    def _read(cls, parts: Reader) -> Response:
        status, failure = _status(parts.take(SEQUENCE))
        token = parts.maybe(SEQUENCE)
        parts.end()
        if (token is not None) != (status in {GRANTED, GRANTED_WITH_MODS}):
            raise ValueError("a token belongs to a granted answer and to no other")
        return cls(status=status, failure=failure, token=None if token is None else token.raw)

    def encode(self) -> bytes:
        """The DER bytes."""
        bits = b""
        if self.failure:
            number = next(bit for bit, name in FAILURES.items() if name == self.failure)
            value = bytearray(number // 8 + 1)
            value[-1] = 0x80 >> number % 8
            bits = der.element(der.BIT_STRING, bytes([7 - number % 8]) + bytes(value))
        return der.sequence(der.sequence(der.put_integer(self.status), bits), self.token or b"")


def accept(answer: bytes, asked: Request) -> bytes:
    """The token out of an authority's answer, if it answers what was asked; its signature is not checked here.

    Raises:
        Invalid: `ledger.timestamp_malformed`; `ledger.timestamp_rejected` when the authority would not;
            `ledger.timestamp_mismatched` when imprint, nonce or policy are not those asked for.
    """
    response = Response.parse(answer)
    if response.token is None:
        raise Invalid("ledger.timestamp_rejected", status=response.status, failure=response.failure or "-")
    info = parse_token(response.token).info
    same = (info.algorithm, info.imprint, info.nonce) == (asked.algorithm, asked.imprint, asked.nonce)
    if not same or asked.policy not in {None, info.policy}:
        raise Invalid("ledger.timestamp_mismatched")
    return response.token


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenInfo:
    """A TSTInfo: the statement that the authority signs.

    Attributes: as in `Stamp` and `Request`.
    """

    policy: str
    algorithm: str
    imprint: bytes
    serial: int
    time: datetime
    accuracy: timedelta | None = None
    nonce: int | None = None
    ordering: bool = False

    def encode(self) -> bytes:
        """The DER bytes, without `tsa` and extensions."""
        algorithm = der.sequence(der.put_oid(self.algorithm), der.element(der.NULL))
        return der.sequence(
            der.put_integer(1),
            der.put_oid(self.policy),
            der.sequence(algorithm, der.put_octets(self.imprint)),
            der.put_integer(self.serial),
            der.put_generalized_time(self.time),
            b"" if self.accuracy is None else _put_accuracy(self.accuracy),
            der.element(der.BOOLEAN, b"\xff") if self.ordering else b"",
            b"" if self.nonce is None else der.put_integer(self.nonce),
        )

    @classmethod
    def read(cls, data: bytes) -> TokenInfo:
        """Take one apart; raises `ValueError`."""
        parts = Reader(der.read(data).content)
        if der.integer(parts.take(INTEGER)) != 1:
            raise ValueError("another version")
        policy = der.oid(parts.take(der.OID))
        algorithm, imprint = _imprint(parts.take(SEQUENCE))
        serial = der.integer(parts.take(INTEGER))
        time = der.generalized_time(parts.take(der.GENERALIZED_TIME))
        accuracy = parts.maybe(SEQUENCE)
        ordering = parts.maybe(der.BOOLEAN)
        nonce = parts.maybe(INTEGER)
        parts.maybe(0xA0)  # tsa: a name for people; who signed is said by the certificate
        extensions = parts.maybe(0xA1)
        parts.end()
        if extensions is not None:
            _must_not_be_critical(extensions)
        return cls(
            policy=policy,
            algorithm=algorithm,
            imprint=imprint,
            serial=serial,
            time=time,
            accuracy=None if accuracy is None else _accuracy(accuracy),
            nonce=None if nonce is None else der.integer(nonce),
            ordering=ordering is not None and der.boolean(ordering),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """A token taken apart; nothing in it is checked yet.

    Attributes:
        info: what is signed.
        content: the bytes of it.
        certificates: DER, as they came, in no order.
        issuer: of the signer's certificate, DER of its name, or None when it is named by key identifier.
        serial: of the signer's certificate, or None likewise.
        key_identifier: of the signer's key, or None.
        digest: object identifier of the algorithm under the message digest.
        attributes: the signed attributes: type to its one value.
        signed: the bytes under the signature.
        algorithm: of the signature, an AlgorithmIdentifier.
        signature: its value.
    """

    info: TokenInfo
    content: bytes
    certificates: tuple[bytes, ...]
    issuer: bytes | None
    serial: int | None
    key_identifier: bytes | None
    digest: str
    attributes: dict[str, Element]
    signed: bytes
    algorithm: Element
    signature: bytes


def parse_token(data: bytes) -> Token:
    """Take a TimeStampToken apart.

    Raises:
        Invalid: `ledger.timestamp_malformed`.
    """
    if len(data) > MAX_TOKEN:
        raise Invalid("ledger.timestamp_malformed")
    try:
        return _token(data)
    except ValueError as error:
        raise Invalid("ledger.timestamp_malformed") from error


def _token(data: bytes) -> Token:
    outer = Reader(der.read(data).content)
    _must_be(outer.take(der.OID), SIGNED_DATA)
    parts = Reader(der.inside(outer.take(0xA0), SEQUENCE).content)
    outer.end()
    if der.integer(parts.take(INTEGER)) != 3:
        raise ValueError("another version")
    parts.take(SET)  # digest algorithms: a hint for readers in one pass; the signer names its own
    wrapped = Reader(parts.take(SEQUENCE).content)
    _must_be(wrapped.take(der.OID), TST_INFO)
    content = der.inside(wrapped.take(0xA0), OCTET_STRING).content
    wrapped.end()
    certificates, _ = parts.maybe(0xA0), parts.maybe(0xA1)  # lists of revoked ones are passed over
    signer = der.inside(parts.take(SET), SEQUENCE)  # exactly one signs a token, RFC 3161 2.4.2
    parts.end()
    found = [] if certificates is None else [each.raw for each in Reader(certificates.content).rest()]
    if len(found) > MAX_CERTIFICATES:
        raise ValueError("too many certificates")
    return _with_signer(Reader(signer.content), TokenInfo.read(content), content, tuple(found))


def _with_signer(parts: Reader, info: TokenInfo, content: bytes, certificates: tuple[bytes, ...]) -> Token:
    version = der.integer(parts.take(INTEGER))
    named = parts.take(SEQUENCE, 0x80)
    issuer, serial, key_identifier = None, None, None
    if named.tag == SEQUENCE:
        naming = Reader(named.content)
        issuer, serial = naming.take(SEQUENCE).raw, der.integer(naming.take(INTEGER))
        naming.end()
    else:
        key_identifier = named.content
    if version != (1 if key_identifier is None else 3):
        raise ValueError("another version")
    digest = _algorithm(parts.take(SEQUENCE))
    attributes = parts.take(0xA0)
    algorithm = parts.take(SEQUENCE)
    signature = parts.take(OCTET_STRING).content
    parts.maybe(0xA1)  # unsigned attributes prove nothing
    parts.end()
    return Token(
        info=info,
        content=content,
        certificates=certificates,
        issuer=issuer,
        serial=serial,
        key_identifier=key_identifier,
        digest=digest,
        attributes=_attributes(attributes),
        signed=bytes([SET]) + attributes.raw[1:],  # RFC 5652 5.4: signed as the SET that the tag [0] stands for
        algorithm=algorithm,
        signature=signature,
    )


def _attributes(element: Element) -> dict[str, Element]:
    found: dict[str, Element] = {}
    for each in Reader(element.content).rest():
        parts = Reader(each.content)
        kind, values = der.oid(parts.take(der.OID)), Reader(parts.take(SET).content).rest()
        parts.end()
        if each.tag != SEQUENCE or kind in found or len(values) != 1:
            raise ValueError("an attribute twice, or not with one value")
        found[kind] = values[0]
    return found


# ---- verification ----------------------------------------------------------------------------------------------------


def verify_token(token: bytes, data: bytes, authorities: Sequence[Authority], at: datetime) -> Stamp:
    """Whether a trusted authority says that these bytes existed, and when; `at` is the time of the check.

    The first authority that a chain leads to is the one named.

    Raises:
        Invalid: `ledger.timestamp_malformed`; `ledger.timestamp_algorithm`, unknown or no longer thought safe;
            `ledger.timestamp_other_data`; `ledger.timestamp_signature_wrong`;
            `ledger.timestamp_certificate_missing`, neither in the token nor among the trusted ones;
            `ledger.timestamp_certificate_unfit`, not for time stamping; `ledger.timestamp_outside_validity`;
            `ledger.timestamp_authority_unknown`, true, but nobody that is trusted; `ledger.timestamp_ahead`.
    """
    info = parse_token(token).info
    if info.algorithm not in DIGESTS:
        raise Invalid("ledger.timestamp_algorithm", algorithm=info.algorithm)
    if DIGESTS[info.algorithm](data) != info.imprint:
        raise Invalid("ledger.timestamp_other_data")
    return verify_statement(token, authorities, at)


def verify_statement(token: bytes, authorities: Sequence[Authority], at: datetime) -> Stamp:
    """The same without the data, for who has compared the imprint already (`accept` does).

    Raises:
        Invalid: as `verify_token`, but for `ledger.timestamp_other_data`.
    """
    parsed = parse_token(token)
    info = parsed.info
    trusted = [(_certificate(each), authority) for authority in authorities for each in authority.certificates]
    brought = [_certificate(each) for each in parsed.certificates]
    signer = _signer(parsed, [*brought, *(certificate for certificate, _ in trusted)])
    _must_be_signed(parsed, signer)
    _must_be_for_stamping(signer)
    authority = _chain(signer, brought, trusted, info.time)
    if info.time > at + AHEAD:
        raise Invalid("ledger.timestamp_ahead", time=info.time.isoformat())
    return Stamp(
        time=info.time,
        accuracy=info.accuracy,
        serial=info.serial,
        policy=info.policy,
        authority=authority.name,
        own=authority.own,
        signer=signer.subject.rfc4514_string(),
        signer_until=signer.not_valid_after_utc,
    )


def _certificate(data: bytes) -> x509.Certificate:
    try:
        if _issuer_and_serial(data)[1] <= 0:
            raise ValueError("a certificate's number is positive, RFC 5280 4.1.2.2")  # noqa: TRY301 (all that is wrong here is one error)
        certificate = x509.load_der_x509_certificate(data)
        # Read when asked for, so all that is used later is asked for now.
        _ = certificate.extensions, certificate.subject, certificate.issuer, certificate.serial_number
        _ = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    except (ValueError, x509.InvalidVersion, x509.DuplicateExtension, x509.UnsupportedGeneralNameType) as error:
        raise Invalid("ledger.timestamp_malformed") from error
    return certificate


def _signer(token: Token, candidates: Sequence[x509.Certificate]) -> x509.Certificate:
    """The certificate that is named outside the signature and under it.

    The name outside alone would let anybody put another certificate of the same key in its place.
    """
    kinds = [kind for kind in (SIGNING_CERTIFICATE_V2, SIGNING_CERTIFICATE) if kind in token.attributes]
    if not kinds:
        raise Invalid("ledger.timestamp_malformed")
    try:
        named = [_signed_naming(token.attributes[kind], kind) for kind in kinds]
    except ValueError as error:
        raise Invalid("ledger.timestamp_malformed") from error
    for certificate in candidates:
        encoded = _encoded(certificate)
        if _is_named(token, certificate) and all(naming(encoded) for naming in named):
            return certificate
    raise Invalid("ledger.timestamp_certificate_missing")


def _is_named(token: Token, certificate: x509.Certificate) -> bool:
    if token.key_identifier is None:
        return (token.issuer, token.serial) == _issuer_and_serial(_encoded(certificate))
    try:
        identifier = certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier)
    except x509.ExtensionNotFound:
        return False
    return identifier.value.digest == token.key_identifier


def _signed_naming(attribute: Element, kind: str) -> Callable[[bytes], bool]:
    """SigningCertificate (RFC 2634) or its V2 (RFC 5035): tells whether a certificate is the first one named."""
    if attribute.tag != SEQUENCE:
        raise ValueError("not a list of certificates")
    first = Reader(Reader(attribute.content).take(SEQUENCE).content).take(SEQUENCE)
    parts = Reader(first.content)
    algorithm = SHA1 if kind == SIGNING_CERTIFICATE else SHA256
    if kind == SIGNING_CERTIFICATE_V2 and (given := parts.maybe(SEQUENCE)) is not None:
        algorithm = _algorithm(given)
    digest = parts.take(OCTET_STRING).content
    issuer_serial = parts.maybe(SEQUENCE)
    parts.end()
    if algorithm != SHA1 and algorithm not in DIGESTS:
        raise Invalid("ledger.timestamp_algorithm", algorithm=algorithm)
    wanted = None if issuer_serial is None else _general_issuer_and_serial(issuer_serial)

    def naming(certificate: bytes) -> bool:
        made = hashlib.sha1(certificate).digest() if algorithm == SHA1 else DIGESTS[algorithm](certificate)  # noqa: S324 (RFC 2634 fixes it; it picks among certificates that must be trusted anyway)
        return made == digest and wanted in {None, _issuer_and_serial(certificate)}

    return naming


def _general_issuer_and_serial(element: Element) -> tuple[bytes, int]:
    parts = Reader(element.content)
    name = der.inside(der.inside(parts.take(SEQUENCE), 0xA4), SEQUENCE)
    serial = der.integer(parts.take(INTEGER))
    parts.end()
    return name.raw, serial


def _issuer_and_serial(certificate: bytes) -> tuple[bytes, int]:
    """As the bytes of the certificate have them: a name encoded anew might differ."""
    body = Reader(Reader(der.read(certificate).content).take(SEQUENCE).content)
    body.maybe(0xA0)
    serial = der.integer(body.take(INTEGER))
    body.take(SEQUENCE)
    return body.take(SEQUENCE).raw, serial


def _must_be_signed(token: Token, signer: x509.Certificate) -> None:
    """Attributes are about this content, and the signer's key signed them (RFC 5652 5.4, 11)."""
    if token.digest not in DIGESTS:
        raise Invalid("ledger.timestamp_algorithm", algorithm=token.digest)
    kind, digest = token.attributes.get(CONTENT_TYPE), token.attributes.get(MESSAGE_DIGEST)
    if kind is None or kind.raw != der.put_oid(TST_INFO) or digest is None or digest.tag != OCTET_STRING:
        raise Invalid("ledger.timestamp_malformed")
    if digest.content != DIGESTS[token.digest](token.content):
        raise Invalid("ledger.timestamp_signature_wrong")
    try:
        _verify(signer, token)
    except InvalidSignature as error:
        raise Invalid("ledger.timestamp_signature_wrong") from error
    except ValueError as error:
        raise Invalid("ledger.timestamp_malformed") from error
    except UnsupportedAlgorithm as error:
        raise Invalid("ledger.timestamp_algorithm", algorithm=str(error)) from error


def _verify(signer: x509.Certificate, token: Token) -> None:
    parts = Reader(token.algorithm.content)
    algorithm = der.oid(parts.take(der.OID))
    match signer.public_key():
        case rsa.RSAPublicKey() as key if algorithm in {_RSA, _PSS, *_RSA_HASH} and key.key_size >= _SMALLEST_RSA:
            if algorithm == _PSS:
                scheme, name = _pss(parts.take(SEQUENCE))
                key.verify(token.signature, token.signed, scheme, _HASHES[name])
            else:
                chosen = _HASHES[_RSA_HASH.get(algorithm, token.digest)]
                key.verify(token.signature, token.signed, padding.PKCS1v15(), chosen)
        case ec.EllipticCurvePublicKey() as key if algorithm in _ECDSA_HASH and key.curve.name in _CURVES:
            key.verify(token.signature, token.signed, ec.ECDSA(_HASHES[_ECDSA_HASH[algorithm]]))
        case Ed25519PublicKey() as key if algorithm == _ED25519:
            key.verify(token.signature, token.signed)
        case _:
            raise Invalid("ledger.timestamp_algorithm", algorithm=algorithm)


def _pss(element: Element) -> tuple[padding.PSS, str]:
    """RSASSA-PSS parameters (RFC 4055): the same SHA-2 digest twice, and any length of salt."""
    parts = Reader(element.content)
    given, mask, salt = parts.maybe(0xA0), parts.maybe(0xA1), parts.maybe(0xA2)
    trailer = parts.maybe(0xA3)
    parts.end()
    if given is None or mask is None or salt is None or (trailer and der.integer(der.inside(trailer, INTEGER)) != 1):
        raise ValueError("defaults of these parameters mean SHA-1")
    name = _algorithm(der.inside(given, SEQUENCE))
    generator = Reader(der.inside(mask, SEQUENCE).content)
    _must_be(generator.take(der.OID), _MGF1)
    length = der.integer(der.inside(salt, INTEGER))
    if name not in _HASHES or _algorithm(generator.take(SEQUENCE)) != name or not 0 <= length <= 64:
        raise ValueError("parameters of another kind")
    return padding.PSS(mgf=padding.MGF1(_HASHES[name]), salt_length=length), name


def _must_be_for_stamping(certificate: x509.Certificate) -> None:
    """RFC 3161 2.3: extendedKeyUsage is critical and time stamping alone; keyUsage, if there, allows signatures."""
    extensions = certificate.extensions
    usage = _extension(extensions, x509.ExtendedKeyUsage)
    if usage is None or not usage.critical or list(usage.value) != [ExtendedKeyUsageOID.TIME_STAMPING]:
        raise Invalid("ledger.timestamp_certificate_unfit", subject=certificate.subject.rfc4514_string())
    key_usage = _extension(extensions, x509.KeyUsage)
    if key_usage and not (key_usage.value.digital_signature or key_usage.value.content_commitment):
        raise Invalid("ledger.timestamp_certificate_unfit", subject=certificate.subject.rfc4514_string())
    if not _is_understood(certificate):
        raise Invalid("ledger.timestamp_certificate_unfit", subject=certificate.subject.rfc4514_string())


def _chain(
    signer: x509.Certificate,
    brought: Sequence[x509.Certificate],
    trusted: Sequence[tuple[x509.Certificate, Authority]],
    time: datetime,
) -> Authority:
    """The authority that a chain of valid certificates leads to.

    Several chains may be possible; the search is bounded by `MOST_STEPS`, and goes through no certificate twice.
    """
    of = {_encoded(certificate): authority for certificate, authority in reversed(trusted)}
    pool = {_encoded(certificate): certificate for certificate in [*(each for each, _ in trusted), *brought]}
    last: Invalid = Invalid("ledger.timestamp_authority_unknown", subject=signer.subject.rfc4514_string())
    waiting: list[tuple[x509.Certificate, int]] = [(signer, 0)]
    seen: set[bytes] = set()
    while waiting:
        certificate, below = waiting.pop(0)
        encoded = _encoded(certificate)
        if encoded in seen:
            continue
        seen.add(encoded)
        if not certificate.not_valid_before_utc <= time <= certificate.not_valid_after_utc:
            last = Invalid("ledger.timestamp_outside_validity", subject=certificate.subject.rfc4514_string())
            continue
        if encoded in of:
            return of[encoded]
        if below < MOST_STEPS - 1:
            waiting += [(issuer, below + 1) for issuer in _issuers(certificate, pool.values(), below)]
    raise last


def _issuers(
    certificate: x509.Certificate, pool: Collection[x509.Certificate], below: int
) -> Iterator[x509.Certificate]:
    """Those in the pool that signed it and may sign certificates with `below` others under them (RFC 5280 6.1.4)."""
    for issuer in pool:
        if issuer.subject != certificate.issuer or not _may_issue(issuer, below):
            continue
        try:
            certificate.verify_directly_issued_by(issuer)
        except (InvalidSignature, UnsupportedAlgorithm, ValueError, TypeError):
            continue
        yield issuer


def _may_issue(issuer: x509.Certificate, below: int) -> bool:
    extensions = issuer.extensions
    basic = _extension(extensions, x509.BasicConstraints)
    if basic is None or not basic.value.ca or (basic.value.path_length is not None and basic.value.path_length < below):
        return False
    key_usage = _extension(extensions, x509.KeyUsage)
    if key_usage is not None and not key_usage.value.key_cert_sign:
        return False
    usage = _extension(extensions, x509.ExtendedKeyUsage)
    if usage is not None and not {ExtendedKeyUsageOID.TIME_STAMPING, ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE} & set(
        usage.value
    ):
        return False
    return _is_understood(issuer)


def _is_understood(certificate: x509.Certificate) -> bool:
    """Whether every critical extension is one that is looked at here; name constraints, say, are not."""
    return all(each.oid in _UNDERSTOOD for each in certificate.extensions if each.critical)


_UNDERSTOOD = {
    ExtensionOID.BASIC_CONSTRAINTS,
    ExtensionOID.KEY_USAGE,
    ExtensionOID.EXTENDED_KEY_USAGE,
    ExtensionOID.CERTIFICATE_POLICIES,  # what a policy promises is not judged
    ExtensionOID.SUBJECT_ALTERNATIVE_NAME,
}


def _extension(extensions: x509.Extensions, kind: type[_Kind]) -> x509.Extension[_Kind] | None:
    try:
        return extensions.get_extension_for_class(kind)
    except x509.ExtensionNotFound:
        return None


def _encoded(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(Encoding.DER)


# ---- small parts -----------------------------------------------------------------------------------------------------


def _must_be(element: Element, dotted: str) -> None:
    if der.oid(element) != dotted:
        raise ValueError("another kind of content")


def _algorithm(element: Element) -> str:
    """The identifier of an algorithm whose parameters are absent or NULL."""
    parts = Reader(element.content)
    dotted = der.oid(parts.take(der.OID))
    empty = parts.maybe(der.NULL)
    parts.end()
    if empty is not None and empty.content:
        raise ValueError("a NULL is empty")
    return dotted


def _imprint(element: Element) -> tuple[str, bytes]:
    parts = Reader(element.content)
    algorithm, imprint = _algorithm(parts.take(SEQUENCE)), parts.take(OCTET_STRING).content
    parts.end()
    return algorithm, imprint


def _accuracy(element: Element) -> timedelta:
    parts = Reader(element.content)
    seconds, millis, micros = parts.maybe(INTEGER), parts.maybe(0x80), parts.maybe(0x81)
    parts.end()
    whole = 0 if seconds is None else der.integer(seconds)
    thousandths = 0 if millis is None else der.integer(millis)
    millionths = 0 if micros is None else der.integer(micros)
    if not 0 <= whole <= _LONGEST_ACCURACY or not 0 <= thousandths <= 999 or not 0 <= millionths <= 999:
        raise ValueError("an accuracy out of range")
    return timedelta(seconds=whole, milliseconds=thousandths, microseconds=millionths)


_LONGEST_ACCURACY = 366 * 24 * 3600  # seconds; who is off by more tells no time


def _put_accuracy(accuracy: timedelta) -> bytes:
    parts = [der.put_integer(accuracy.days * 86400 + accuracy.seconds)] if accuracy >= timedelta(seconds=1) else []
    for tag, value in ((0x80, accuracy.microseconds // 1000), (0x81, accuracy.microseconds % 1000)):
        if value:
            parts.append(bytes([tag]) + der.put_integer(value)[1:])
    return der.sequence(*parts)


def _must_not_be_critical(extensions: Element) -> None:
    for each in Reader(extensions.content).rest():
        parts = Reader(each.content)
        parts.take(der.OID)
        critical = parts.maybe(der.BOOLEAN)
        parts.take(OCTET_STRING)
        parts.end()
        if critical is not None and der.boolean(critical):
            raise ValueError("a critical extension that is not understood")


def _status(element: Element) -> tuple[int, str]:
    parts = Reader(element.content)
    status = der.integer(parts.take(INTEGER))
    parts.maybe(SEQUENCE)  # words for people
    failure = parts.maybe(der.BIT_STRING)
    parts.end()
    if not 0 <= status <= 5:
        raise ValueError("an unknown status")
    if failure is None:
        return status, ""
    bits = [at * 8 + bit for at, byte in enumerate(failure.content[1:]) for bit in range(8) if byte & 0x80 >> bit]
    return status, FAILURES.get(bits[0], "-") if bits else ""
