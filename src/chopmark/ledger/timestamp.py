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

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from chopmark.base.errors import Invalid
from chopmark.ledger import der
from chopmark.ledger.cms import (
    DIGESTS,
    SHA256,
    SHA384,
    SHA512,
    CmsError,
    Signed,
    algorithm_of,
    chain,
    encoded_certificate,
    extension,
    find_signer,
    is_understood,
    must_be_signed,
    read_certificate,
    read_signed,
)
from chopmark.ledger.der import INTEGER, OCTET_STRING, SEQUENCE, Element, Reader

MAX_TOKEN = 64 * 1024
MAX_NONCE = 64  # bytes
AHEAD = timedelta(minutes=5)  # how far an authority's clock may be before the one who checks

TST_INFO = "1.2.840.113549.1.9.16.1.4"
DIGEST_SIZES = {SHA256: 32, SHA384: 48, SHA512: 64}

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
    return Authority(name=name, certificates=tuple(encoded_certificate(each) for each in certificates), own=own)


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
        cms: all around it.
    """

    info: TokenInfo
    content: bytes
    cms: Signed


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
    cms = read_signed(data)
    if cms.version != 3 or cms.kind != TST_INFO or cms.content is None:
        raise ValueError("another kind of content")
    return Token(info=TokenInfo.read(cms.content), content=cms.content, cms=cms)


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
    try:
        authority, signer = _behind(parsed, authorities)
    except CmsError as error:
        raise Invalid(_CODES[error.kind], **error.facts) from error
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


def _behind(token: Token, authorities: Sequence[Authority]) -> tuple[Authority, x509.Certificate]:
    """Who signed a token, and with which certificate."""
    trusted = [(read_certificate(each), authority) for authority in authorities for each in authority.certificates]
    brought = [read_certificate(each) for each in token.cms.certificates]
    signer = find_signer(token.cms, [*brought, *(certificate for certificate, _ in trusted)])
    must_be_signed(token.cms, TST_INFO, lambda algorithm: DIGESTS[algorithm](token.content), signer)
    _must_be_for_stamping(signer)
    return chain(signer, brought, trusted, token.info.time, [ExtendedKeyUsageOID.TIME_STAMPING]).anchor, signer


_CODES = {
    "malformed": "ledger.timestamp_malformed",
    "algorithm": "ledger.timestamp_algorithm",
    "digest_wrong": "ledger.timestamp_signature_wrong",
    "signature_wrong": "ledger.timestamp_signature_wrong",
    "certificate_missing": "ledger.timestamp_certificate_missing",
    "outside_validity": "ledger.timestamp_outside_validity",
    "authority_unknown": "ledger.timestamp_authority_unknown",
}


def _must_be_for_stamping(certificate: x509.Certificate) -> None:
    """RFC 3161 2.3: extendedKeyUsage is critical and time stamping alone; keyUsage, if there, allows signatures."""
    extensions = certificate.extensions
    usage = extension(extensions, x509.ExtendedKeyUsage)
    if usage is None or not usage.critical or list(usage.value) != [ExtendedKeyUsageOID.TIME_STAMPING]:
        raise Invalid("ledger.timestamp_certificate_unfit", subject=certificate.subject.rfc4514_string())
    key_usage = extension(extensions, x509.KeyUsage)
    if key_usage and not (key_usage.value.digital_signature or key_usage.value.content_commitment):
        raise Invalid("ledger.timestamp_certificate_unfit", subject=certificate.subject.rfc4514_string())
    if not is_understood(certificate):
        raise Invalid("ledger.timestamp_certificate_unfit", subject=certificate.subject.rfc4514_string())


# ---- small parts -----------------------------------------------------------------------------------------------------


def _imprint(element: Element) -> tuple[str, bytes]:
    parts = Reader(element.content)
    algorithm, imprint = algorithm_of(parts.take(SEQUENCE)), parts.take(OCTET_STRING).content
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
