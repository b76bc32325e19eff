"""CMS SignedData (RFC 5652) with one signer, and the certificates behind it: taken apart strictly and checked.

    read = read_signed(der_bytes)                     nothing is checked yet
    brought = [read_certificate(each) for each in read.certificates]
    signer = find_signer(read, brought)               named outside the signature and under it
    must_be_signed(read, kind, digest_of, signer)     attributes are about this content; the signer's key signed them
    path = chain(signer, brought, trusted, time, ...) valid certificates up to a trusted one

Serves time-stamp tokens (`timestamp`) and signatures under bundles (`evidence.cades`). It is read as DER, but for the
order of its SETs, which real authorities do not keep. What nobody signs (the hint of digest algorithms, unsigned
attributes, lists of revoked certificates) is handed out for the caller to judge.

Raises `CmsError`, whose `kind` the caller makes a code of its own. Not checked: revocation; policies of certificates.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Generic, TypeVar

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, ExtensionOID

from chopmark.base.errors import Fact
from chopmark.ledger import der
from chopmark.ledger.der import INTEGER, OCTET_STRING, SEQUENCE, SET, Element, Reader

_Kind = TypeVar("_Kind", bound=x509.ExtensionType)
_Anchor = TypeVar("_Anchor")

MAX_CERTIFICATES = 16
MOST_STEPS = 8  # certificates between the signer's and the trusted one, both counted

SHA1, SHA256, SHA384, SHA512 = (
    "1.3.14.3.2.26",
    "2.16.840.1.101.3.4.2.1",
    "2.16.840.1.101.3.4.2.2",
    "2.16.840.1.101.3.4.2.3",
)
DATA, SIGNED_DATA = "1.2.840.113549.1.7.1", "1.2.840.113549.1.7.2"
CONTENT_TYPE, MESSAGE_DIGEST = "1.2.840.113549.1.9.3", "1.2.840.113549.1.9.4"
SIGNING_CERTIFICATE, SIGNING_CERTIFICATE_V2 = "1.2.840.113549.1.9.16.2.12", "1.2.840.113549.1.9.16.2.47"
ECDSA_SHA256 = "1.2.840.10045.4.3.2"

DIGESTS: dict[str, Callable[[bytes], bytes]] = {
    SHA256: lambda data: hashlib.sha256(data).digest(),
    SHA384: lambda data: hashlib.sha384(data).digest(),
    SHA512: lambda data: hashlib.sha512(data).digest(),
}
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


class CmsError(Exception):
    """What is wrong with a SignedData or a certificate.

    Attributes:
        kind: malformed, algorithm, digest_wrong, signature_wrong, certificate_missing, outside_validity or
            authority_unknown.
        facts: what a sentence about it needs.
    """

    def __init__(self, kind: str, **facts: Fact) -> None:
        super().__init__(kind, facts)
        self.kind = kind
        self.facts = facts


@dataclass(frozen=True, slots=True, kw_only=True)
class Signed:
    """A SignedData taken apart; nothing in it is checked yet.

    Attributes:
        version: of the structure.
        kind: object identifier of what is signed.
        content: the bytes of it, or None when they are elsewhere.
        hints: the digest algorithms that stand before the content, as they came.
        certificates: DER, as they came, in no order.
        revocations: lists of revoked certificates, DER, as they came.
        issuer: of the signer's certificate, DER of its name, or None when it is named by key identifier.
        serial: of the signer's certificate, or None likewise.
        key_identifier: of the signer's key, or None.
        digest: object identifier of the algorithm under the message digest.
        attributes: the signed attributes: type to its one value.
        signed: the bytes under the signature.
        algorithm: of the signature, an AlgorithmIdentifier.
        signature: its value.
        unsigned: type and values of each attribute that nobody signed, in order; None without any.
    """

    version: int
    kind: str
    content: bytes | None
    hints: tuple[Element, ...]
    certificates: tuple[bytes, ...]
    revocations: tuple[bytes, ...]
    issuer: bytes | None
    serial: int | None
    key_identifier: bytes | None
    digest: str
    attributes: dict[str, Element]
    signed: bytes
    algorithm: Element
    signature: bytes
    unsigned: tuple[tuple[str, tuple[Element, ...]], ...] | None


def read_signed(data: bytes) -> Signed:
    """Take a ContentInfo with SignedData and exactly one signer apart.

    Raises:
        ValueError: malformed.
    """
    outer = Reader(der.read(data).content)
    must_be(outer.take(der.OID), SIGNED_DATA)
    parts = Reader(der.inside(outer.take(0xA0), SEQUENCE).content)
    outer.end()
    version = der.integer(parts.take(INTEGER))
    hints = tuple(Reader(parts.take(SET).content).rest())
    wrapped = Reader(parts.take(SEQUENCE).content)
    kind = der.oid(wrapped.take(der.OID))
    held = wrapped.maybe(0xA0)
    wrapped.end()
    content = None if held is None else der.inside(held, OCTET_STRING).content
    certificates, lists = parts.maybe(0xA0), parts.maybe(0xA1)
    signer = der.inside(parts.take(SET), SEQUENCE)
    parts.end()
    found = [] if certificates is None else [each.raw for each in Reader(certificates.content).rest()]
    revocations = [] if lists is None else [each.raw for each in Reader(lists.content).rest()]
    if len(found) > MAX_CERTIFICATES or len(revocations) > MAX_CERTIFICATES:
        raise ValueError("too many certificates")
    around = _Around(
        version=version,
        kind=kind,
        content=content,
        hints=hints,
        certificates=tuple(found),
        revocations=tuple(revocations),
    )
    return _with_signer(Reader(signer.content), around)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Around:
    """What stands outside the signer's part; see `Signed`."""

    version: int
    kind: str
    content: bytes | None
    hints: tuple[Element, ...]
    certificates: tuple[bytes, ...]
    revocations: tuple[bytes, ...]


def _with_signer(parts: Reader, around: _Around) -> Signed:
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
    digest = algorithm_of(parts.take(SEQUENCE))
    attributes = parts.take(0xA0)
    algorithm = parts.take(SEQUENCE)
    signature = parts.take(OCTET_STRING).content
    unsigned = parts.maybe(0xA1)
    parts.end()
    return Signed(
        version=around.version,
        kind=around.kind,
        content=around.content,
        hints=around.hints,
        certificates=around.certificates,
        revocations=around.revocations,
        issuer=issuer,
        serial=serial,
        key_identifier=key_identifier,
        digest=digest,
        attributes=_attributes(attributes),
        signed=bytes([SET]) + attributes.raw[1:],  # RFC 5652 5.4: signed as the SET that the tag [0] stands for
        algorithm=algorithm,
        signature=signature,
        unsigned=None if unsigned is None else tuple(map(_attribute, Reader(unsigned.content).rest())),
    )


def _attributes(element: Element) -> dict[str, Element]:
    found: dict[str, Element] = {}
    for kind, values in map(_attribute, Reader(element.content).rest()):
        if kind in found or len(values) != 1:
            raise ValueError("an attribute twice, or not with one value")
        found[kind] = values[0]
    return found


def _attribute(element: Element) -> tuple[str, tuple[Element, ...]]:
    parts = Reader(element.content)
    kind, values = der.oid(parts.take(der.OID)), Reader(parts.take(SET).content).rest()
    parts.end()
    if element.tag != SEQUENCE:
        raise ValueError("no attribute")
    return kind, tuple(values)


# ---- the signer ------------------------------------------------------------------------------------------------------


def read_certificate(data: bytes) -> x509.Certificate:
    """A certificate of which all that is used later can be read.

    Raises:
        CmsError: malformed.
    """
    try:
        if issuer_and_serial(data)[1] <= 0:
            raise ValueError("a certificate's number is positive, RFC 5280 4.1.2.2")  # noqa: TRY301 (all that is wrong here is one error)
        certificate = x509.load_der_x509_certificate(data)
        # Read when asked for, so all that is used later is asked for now.
        _ = certificate.extensions, certificate.subject, certificate.issuer, certificate.serial_number
        _ = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    except (ValueError, x509.InvalidVersion, x509.DuplicateExtension, x509.UnsupportedGeneralNameType) as error:
        raise CmsError("malformed") from error
    return certificate


def find_signer(signed: Signed, candidates: Sequence[x509.Certificate]) -> x509.Certificate:
    """The certificate that is named outside the signature and under it.

    The name outside alone would let anybody put another certificate of the same key in its place.

    Raises:
        CmsError: malformed, algorithm, certificate_missing.
    """
    kinds = [kind for kind in (SIGNING_CERTIFICATE_V2, SIGNING_CERTIFICATE) if kind in signed.attributes]
    if not kinds:
        raise CmsError("malformed")
    try:
        named = [_signed_naming(signed.attributes[kind], kind) for kind in kinds]
    except ValueError as error:
        raise CmsError("malformed") from error
    for certificate in candidates:
        encoded = encoded_certificate(certificate)
        if _is_named(signed, certificate) and all(naming(encoded) for naming in named):
            return certificate
    raise CmsError("certificate_missing")


def _is_named(signed: Signed, certificate: x509.Certificate) -> bool:
    if signed.key_identifier is None:
        return (signed.issuer, signed.serial) == issuer_and_serial(encoded_certificate(certificate))
    try:
        identifier = certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier)
    except x509.ExtensionNotFound:
        return False
    return identifier.value.digest == signed.key_identifier


def _signed_naming(attribute: Element, kind: str) -> Callable[[bytes], bool]:
    """SigningCertificate (RFC 2634) or its V2 (RFC 5035): tells whether a certificate is the first one named."""
    if attribute.tag != SEQUENCE:
        raise ValueError("not a list of certificates")
    first = Reader(Reader(attribute.content).take(SEQUENCE).content).take(SEQUENCE)
    parts = Reader(first.content)
    algorithm = SHA1 if kind == SIGNING_CERTIFICATE else SHA256
    if kind == SIGNING_CERTIFICATE_V2 and (given := parts.maybe(SEQUENCE)) is not None:
        algorithm = algorithm_of(given)
    digest = parts.take(OCTET_STRING).content
    issuer_serial = parts.maybe(SEQUENCE)
    parts.end()
    if algorithm != SHA1 and algorithm not in DIGESTS:
        raise CmsError("algorithm", algorithm=algorithm)
    wanted = None if issuer_serial is None else _general_issuer_and_serial(issuer_serial)

    def naming(certificate: bytes) -> bool:
        made = hashlib.sha1(certificate).digest() if algorithm == SHA1 else DIGESTS[algorithm](certificate)  # noqa: S324 (RFC 2634 fixes it; it picks among certificates that must be trusted anyway)
        return made == digest and wanted in {None, issuer_and_serial(certificate)}

    return naming


def _general_issuer_and_serial(element: Element) -> tuple[bytes, int]:
    parts = Reader(element.content)
    name = der.inside(der.inside(parts.take(SEQUENCE), 0xA4), SEQUENCE)
    serial = der.integer(parts.take(INTEGER))
    parts.end()
    return name.raw, serial


def issuer_and_serial(certificate: bytes) -> tuple[bytes, int]:
    """As the bytes of the certificate have them: a name encoded anew might differ."""
    body = Reader(Reader(der.read(certificate).content).take(SEQUENCE).content)
    body.maybe(0xA0)
    serial = der.integer(body.take(INTEGER))
    body.take(SEQUENCE)
    return body.take(SEQUENCE).raw, serial


def must_be_signed(signed: Signed, kind: str, content: Callable[[str], bytes], signer: x509.Certificate) -> None:
    """Attributes are about this content, and the signer's key signed them (RFC 5652 5.4, 11).

    Args:
        signed: as read.
        kind: object identifier that the content must have, outside and under the signature.
        content: the content's digest by the algorithm's object identifier.
        signer: as found.

    Raises:
        CmsError: malformed, algorithm, digest_wrong, signature_wrong.
    """
    if signed.digest not in DIGESTS:
        raise CmsError("algorithm", algorithm=signed.digest)
    said, digest = signed.attributes.get(CONTENT_TYPE), signed.attributes.get(MESSAGE_DIGEST)
    if signed.kind != kind or said is None or said.raw != der.put_oid(kind):
        raise CmsError("malformed")
    if digest is None or digest.tag != OCTET_STRING:
        raise CmsError("malformed")
    if digest.content != content(signed.digest):
        raise CmsError("digest_wrong")
    try:
        _verify(signer, signed)
    except InvalidSignature as error:
        raise CmsError("signature_wrong") from error
    except ValueError as error:
        raise CmsError("malformed") from error
    except UnsupportedAlgorithm as error:
        raise CmsError("algorithm", algorithm=str(error)) from error


def _verify(signer: x509.Certificate, signed: Signed) -> None:
    parts = Reader(signed.algorithm.content)
    algorithm = der.oid(parts.take(der.OID))
    match signer.public_key():
        case rsa.RSAPublicKey() as key if algorithm in {_RSA, _PSS, *_RSA_HASH} and key.key_size >= _SMALLEST_RSA:
            if algorithm == _PSS:
                scheme, name = _pss(parts.take(SEQUENCE))
                key.verify(signed.signature, signed.signed, scheme, _HASHES[name])
            else:
                chosen = _HASHES[_RSA_HASH.get(algorithm, signed.digest)]
                key.verify(signed.signature, signed.signed, padding.PKCS1v15(), chosen)
        case ec.EllipticCurvePublicKey() as key if algorithm in _ECDSA_HASH and key.curve.name in _CURVES:
            key.verify(signed.signature, signed.signed, ec.ECDSA(_HASHES[_ECDSA_HASH[algorithm]]))
        case Ed25519PublicKey() as key if algorithm == _ED25519:
            key.verify(signed.signature, signed.signed)
        case _:
            raise CmsError("algorithm", algorithm=algorithm)


def _pss(element: Element) -> tuple[padding.PSS, str]:
    """RSASSA-PSS parameters (RFC 4055): the same SHA-2 digest twice, and any length of salt."""
    parts = Reader(element.content)
    given, mask, salt = parts.maybe(0xA0), parts.maybe(0xA1), parts.maybe(0xA2)
    trailer = parts.maybe(0xA3)
    parts.end()
    if given is None or mask is None or salt is None or (trailer and der.integer(der.inside(trailer, INTEGER)) != 1):
        raise ValueError("defaults of these parameters mean SHA-1")
    name = algorithm_of(der.inside(given, SEQUENCE))
    generator = Reader(der.inside(mask, SEQUENCE).content)
    must_be(generator.take(der.OID), _MGF1)
    length = der.integer(der.inside(salt, INTEGER))
    if name not in _HASHES or algorithm_of(generator.take(SEQUENCE)) != name or not 0 <= length <= 64:
        raise ValueError("parameters of another kind")
    return padding.PSS(mgf=padding.MGF1(_HASHES[name]), salt_length=length), name


# ---- certificates ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Path(Generic[_Anchor]):
    """A chain that was found.

    Attributes:
        anchor: what the caller keeps with the trusted certificate.
        certificates: the signer's first, the trusted one last; one alone when the signer's own is trusted.
    """

    anchor: _Anchor
    certificates: tuple[x509.Certificate, ...]


def chain(
    signer: x509.Certificate,
    brought: Sequence[x509.Certificate],
    trusted: Sequence[tuple[x509.Certificate, _Anchor]],
    time: datetime,
    purposes: Collection[x509.ObjectIdentifier],
) -> Path[_Anchor]:
    """A chain of certificates, all valid at `time`, from the signer's to a trusted one.

    Several may be possible; the search is bounded by `MOST_STEPS`, and goes through no certificate twice.

    Args:
        signer: its purpose is checked by the caller.
        brought: not trusted, may stand between.
        trusted: each with what the caller wants to know of it.
        time: when all must be valid.
        purposes: of which an issuer that is limited to purposes must have one.

    Raises:
        CmsError: outside_validity, authority_unknown.
    """
    of = {encoded_certificate(certificate): anchor for certificate, anchor in reversed(trusted)}
    pool = {encoded_certificate(certificate): certificate for certificate in [*(each for each, _ in trusted), *brought]}
    last = CmsError("authority_unknown", subject=signer.subject.rfc4514_string())
    waiting: list[tuple[x509.Certificate, ...]] = [(signer,)]
    seen: set[bytes] = set()
    while waiting:
        path = waiting.pop(0)
        certificate, encoded = path[-1], encoded_certificate(path[-1])
        if encoded in seen:
            continue
        seen.add(encoded)
        if not certificate.not_valid_before_utc <= time <= certificate.not_valid_after_utc:
            last = CmsError("outside_validity", subject=certificate.subject.rfc4514_string())
            continue
        if encoded in of:
            return Path(anchor=of[encoded], certificates=path)
        if len(path) < MOST_STEPS:
            waiting += [(*path, issuer) for issuer in _issuers(certificate, pool.values(), len(path) - 1, purposes)]
    raise last


def _issuers(
    certificate: x509.Certificate,
    pool: Collection[x509.Certificate],
    below: int,
    purposes: Collection[x509.ObjectIdentifier],
) -> Iterator[x509.Certificate]:
    """Those in the pool that signed it and may sign certificates with `below` others under them (RFC 5280 6.1.4)."""
    for issuer in pool:
        if issuer.subject == certificate.issuer and _may_issue(issuer, below, purposes) and issued(certificate, issuer):
            yield issuer


def issued(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    """Whether the one's key signed the other; what it may sign is not asked."""
    try:
        certificate.verify_directly_issued_by(issuer)
    except (InvalidSignature, UnsupportedAlgorithm, ValueError, TypeError):
        return False
    return True


def _may_issue(issuer: x509.Certificate, below: int, purposes: Collection[x509.ObjectIdentifier]) -> bool:
    extensions = issuer.extensions
    basic = extension(extensions, x509.BasicConstraints)
    if basic is None or not basic.value.ca or (basic.value.path_length is not None and basic.value.path_length < below):
        return False
    key_usage = extension(extensions, x509.KeyUsage)
    if key_usage is not None and not key_usage.value.key_cert_sign:
        return False
    usage = extension(extensions, x509.ExtendedKeyUsage)
    if usage is not None and not {*purposes, ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE} & set(usage.value):
        return False
    return is_understood(issuer)


def is_understood(certificate: x509.Certificate) -> bool:
    """Whether every critical extension is one that is looked at here; name constraints, say, are not."""
    return all(each.oid in _UNDERSTOOD for each in certificate.extensions if each.critical)


_UNDERSTOOD = {
    ExtensionOID.BASIC_CONSTRAINTS,
    ExtensionOID.KEY_USAGE,
    ExtensionOID.EXTENDED_KEY_USAGE,
    ExtensionOID.CERTIFICATE_POLICIES,  # what a policy promises is not judged
    ExtensionOID.SUBJECT_ALTERNATIVE_NAME,
}


def extension(extensions: x509.Extensions, kind: type[_Kind]) -> x509.Extension[_Kind] | None:
    """One extension, or None where there is none of the kind."""
    try:
        return extensions.get_extension_for_class(kind)
    except x509.ExtensionNotFound:
        return None


def encoded_certificate(certificate: x509.Certificate) -> bytes:
    """The certificate's DER."""
    return certificate.public_bytes(Encoding.DER)


# ---- small parts -----------------------------------------------------------------------------------------------------


def must_be(element: Element, dotted: str) -> None:
    """An object identifier is this one; raises `ValueError`."""
    if der.oid(element) != dotted:
        raise ValueError("another kind of content")


def algorithm_of(element: Element) -> str:
    """The identifier of an algorithm whose parameters are absent or NULL; raises `ValueError`."""
    parts = Reader(element.content)
    dotted = der.oid(parts.take(der.OID))
    empty = parts.maybe(der.NULL)
    parts.end()
    if empty is not None and empty.content:
        raise ValueError("a NULL is empty")
    return dotted
