"""What a signature in a bundle proves, and what a time-stamp token does: CAdES (EN 319 122-1) and RFC 3161.

    outcome = check_signature(der_bytes, signed_file, trusted, material, at)
    outcome = check_token(der_bytes, stamped_bytes, stampers, material, at)

Each takes all that it needs and returns findings; it raises nothing for what a stranger wrote. On top of what `cms`
and `timestamp` check, nothing that no key covers is left unread, so that a changed byte is found wherever it is:
hints must agree, attributes that nobody signs must be time-stamps, and every certificate and every list of revoked
ones must itself be signed by a certificate at hand.

The order of what is looked at is fixed, since the browser's verifier reports the same findings. Not checked: whether a
time-stamp authority's certificate was revoked; what a policy of certificates promises.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.x509.oid import ExtendedKeyUsageOID, ExtensionOID, NameOID

from chopmark.base import clock
from chopmark.base.errors import Fact, Invalid
from chopmark.evidence.verify import Verdict
from chopmark.ledger import der
from chopmark.ledger.cms import (
    DATA,
    DIGESTS,
    SHA256,
    CmsError,
    Path,
    Signed,
    algorithm_of,
    chain,
    encoded_certificate,
    extension,
    find_signer,
    is_understood,
    issued,
    must_be_signed,
    read_certificate,
    read_signed,
)
from chopmark.ledger.timestamp import Authority, Token, parse_token, verify_statement

MAX_SIGNATURE = 1024 * 1024  # bytes
MAX_STAMPS = 8

SIGNING_TIME = "1.2.840.113549.1.9.5"
SIGNATURE_TIME_STAMP = "1.2.840.113549.1.9.16.2.14"
DOCUMENT_SIGNING = x509.ObjectIdentifier("1.3.6.1.5.5.7.3.36")  # RFC 9336
PURPOSES = (DOCUMENT_SIGNING, ExtendedKeyUsageOID.EMAIL_PROTECTION)
_RSA_PSS = "1.2.840.113549.1.1.10"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What one look found.

    Attributes:
        code: a key of the wording catalogue.
        verdict: what it means for the claim.
        facts: plain JSON values for the sentence.
    """

    code: str
    verdict: Verdict
    facts: Mapping[str, Fact]


def passed(code: str, **facts: Fact) -> Finding:
    """A finding that speaks for the claim."""
    return Finding(code=code, verdict=Verdict.PASSED, facts=MappingProxyType(facts))


def failed(code: str, **facts: Fact) -> Finding:
    """A finding that refutes the claim."""
    return Finding(code=code, verdict=Verdict.FAILED, facts=MappingProxyType(facts))


def undecided(code: str, **facts: Fact) -> Finding:
    """A finding that leaves the claim open."""
    return Finding(code=code, verdict=Verdict.INDETERMINATE, facts=MappingProxyType(facts))


@dataclass(frozen=True, slots=True, kw_only=True)
class Signatory:
    """An institution whose signature counts.

    Attributes:
        name: how people call it.
        certificate: DER, of its root.
    """

    name: str
    certificate: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Trusted:
    """Whom the caller trusts.

    Attributes:
        signatories: whose signatures count.
        stampers: whose tokens count.
    """

    signatories: tuple[Signatory, ...] = ()
    stampers: tuple[Authority, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Material:
    """What lies beside a signature and is not trusted: only what a trusted key signed of it counts.

    Attributes:
        certificates: DER.
        revocations: lists of revoked certificates, DER.
    """

    certificates: tuple[bytes, ...] = ()
    revocations: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class StampOutcome:
    """What a token proves.

    Attributes:
        findings: in order.
        time: when the bytes existed; None unless it is proven.
        independent: whether an authority that is not the platform's own says so.
    """

    findings: tuple[Finding, ...]
    time: datetime | None = None
    independent: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SignatureOutcome:
    """What a signature proves.

    Attributes:
        findings: in order.
        signer: name in the certificate of who signed; None when it was not found.
        signatory: the trusted institution behind it; None without one.
        time: by which it was signed, as the earliest of its tokens proves; None without proof.
    """

    findings: tuple[Finding, ...]
    signer: str | None = None
    signatory: str | None = None
    time: datetime | None = None


# ---- tokens ----------------------------------------------------------------------------------------------------------


def check_token(
    token: bytes,
    data: bytes,
    stampers: Sequence[Authority] | None,
    material: Material,
    at: datetime,
    *,
    hashed: bool = False,
) -> StampOutcome:
    """Whether a trusted authority says that these bytes existed, and when.

    Args:
        token: DER.
        data: what it shall be over.
        stampers: whom the caller trusts; None when no trust was given.
        material: what the bundle brings; helps to find altered certificates, and is never trusted.
        at: the time of the check.
        hashed: `data` is the SHA-256 of what it shall be over; then no other digest can be compared.
    """
    # 1 The token is one, and all in it that its key does not cover agrees with the rest.
    try:
        parsed = parse_token(token)
        _must_be_tight(parsed.cms)
        brought = [read_certificate(each) for each in parsed.cms.certificates]
    except (Invalid, CmsError, ValueError):
        return StampOutcome(findings=(failed("ledger.timestamp_malformed"),))
    # 2 It is over these bytes.
    info = parsed.info
    if info.algorithm not in ([SHA256] if hashed else DIGESTS):
        return StampOutcome(findings=(undecided("ledger.timestamp_algorithm", algorithm=info.algorithm),))
    if (data if hashed else DIGESTS[info.algorithm](data)) != info.imprint:
        return StampOutcome(findings=(failed("ledger.timestamp_other_data"),))
    # 3 The signature is right, its certificate is for stamping, and a chain leads to a trusted authority.
    try:
        stamp = verify_statement(token, stampers or (), at)
    except Invalid as error:
        found = [_stamp_trouble(error, parsed, brought, stampers)]
        if found[0].verdict is not Verdict.FAILED:
            found += _stray(parsed.cms, brought, _trusted_stampers(stampers), material)
        return StampOutcome(findings=tuple(found))
    # 4 Nothing else in it was altered.
    stray = _stray(parsed.cms, brought, _trusted_stampers(stampers), material)
    if stray:
        return StampOutcome(findings=tuple(stray))
    code = "bundle.token_own" if stamp.own else "bundle.token_good"
    good = passed(code, authority=stamp.authority, time=clock.to_text(stamp.time))
    return StampOutcome(findings=(good,), time=stamp.time, independent=not stamp.own)


def _stamp_trouble(
    error: Invalid, token: Token, brought: Sequence[x509.Certificate], stampers: Sequence[Authority] | None
) -> Finding:
    """What the trouble with a token means."""
    time = clock.to_text(token.info.time)
    match error.code:
        case "ledger.timestamp_authority_unknown":
            return _unknown_stamper(time, brought, stampers)
        case "ledger.timestamp_certificate_missing" if not brought:
            return undecided("bundle.token_unknown", authority="–", time=time)
        case "ledger.timestamp_ahead":
            return undecided("ledger.timestamp_ahead", time=time)
        case "ledger.timestamp_algorithm":
            return undecided("ledger.timestamp_algorithm", algorithm=str(error.facts["algorithm"]))
        case "ledger.timestamp_certificate_unfit" | "ledger.timestamp_outside_validity":
            return failed(error.code, subject=_signer_name(token.cms, brought))
        case _:
            return failed(error.code)


def _unknown_stamper(time: str, brought: Sequence[x509.Certificate], stampers: Sequence[Authority] | None) -> Finding:
    """A token that is right, by nobody who is trusted."""
    if stampers is None:
        return undecided("bundle.trust_not_given", time=time)
    name = _bears_the_name(brought, _trusted_stampers(stampers))
    if name is not None:
        return failed("bundle.token_forged", authority=name)
    return undecided("bundle.token_unknown", authority=_top(brought), time=time)


def _trusted_stampers(stampers: Sequence[Authority] | None) -> list[x509.Certificate]:
    return [read_certificate(each) for authority in stampers or () for each in authority.certificates]


# ---- signatures ------------------------------------------------------------------------------------------------------


@dataclass(slots=True, kw_only=True)
class _Signing:
    """One signature under examination."""

    cms: Signed
    brought: list[x509.Certificate]
    revocations: list[x509.CertificateRevocationList]
    signer: x509.Certificate
    findings: list[Finding] = field(default_factory=list)
    time: datetime | None = None


def check_signature(
    signature: bytes,
    data: bytes,
    trusted: Trusted | None,
    material: Material,
    at: datetime,
) -> SignatureOutcome:
    """Whose detached signature these bytes are over, since when, and whether the certificate was good then.

    Args:
        signature: DER.
        data: what it shall be over.
        trusted: whose signatures and whose tokens count; None when no trust was given.
        material: what else the bundle brings: lists of revoked certificates count when a trusted key signed them.
        at: the time of the check.
    """
    # 1 It is a detached signature by one signer, and nothing in it is loose.
    try:
        cms = _read(signature)
        brought = [read_certificate(each) for each in cms.certificates]
        revocations = [_read_list(each) for each in cms.revocations]
    except (CmsError, ValueError):
        return SignatureOutcome(findings=(failed("bundle.cms_malformed"),))
    # 2 The certificate that it names is there, and its key signed this content.
    try:
        signer = find_signer(cms, brought)
        must_be_signed(cms, DATA, lambda algorithm: DIGESTS[algorithm](data), signer)
    except CmsError as error:
        return SignatureOutcome(findings=(_signature_trouble(error),))
    signing = _Signing(cms=cms, brought=brought, revocations=revocations, signer=signer)
    # 3 When: each signature time-stamp is over this signature.
    stampers = None if trusted is None else trusted.stampers
    _stamps(signing, stampers, material, at)
    # 4 By whom: a certificate for signing, a chain to a trusted root, nothing in it over or revoked at that time.
    signatory = _trusted_signer(signing, None if trusted is None else trusted.signatories, material, at)
    # 5 Nothing else in it was altered.
    roots = [] if trusted is None else [read_certificate(each.certificate) for each in trusted.signatories]
    signing.findings += _stray(cms, brought, [*roots, *_trusted_stampers(stampers)], material, revocations)
    name = _name(signer.subject)
    if all(each.verdict is Verdict.PASSED for each in signing.findings) and signatory and signing.time:
        signing.findings.append(
            passed("bundle.signed", signer=name, signatory=signatory, time=clock.to_text(signing.time))
        )
    return SignatureOutcome(findings=tuple(signing.findings), signer=name, signatory=signatory, time=signing.time)


def _read(data: bytes) -> Signed:
    if len(data) > MAX_SIGNATURE:
        raise ValueError("too long")
    cms = read_signed(data)
    if cms.version not in {1, 3} or cms.kind != DATA or cms.content is not None:
        raise ValueError("another kind of content, or not detached")
    stamps = cms.unsigned or ()
    if any(kind != SIGNATURE_TIME_STAMP or len(values) != 1 for kind, values in stamps) or len(stamps) > MAX_STAMPS:
        raise ValueError("an attribute that nobody signed and that is no time-stamp")
    _must_be_tight(cms, stamped=True)
    return cms


def _signature_trouble(error: CmsError) -> Finding:
    match error.kind:
        case "algorithm":
            return undecided("bundle.cms_algorithm", algorithm=str(error.facts["algorithm"]))
        case "certificate_missing":
            return failed("bundle.cms_certificate_missing")
        case "digest_wrong":
            return failed("bundle.cms_digest_wrong")
        case "signature_wrong":
            return failed("bundle.cms_signature_wrong")
        case _:
            return failed("bundle.cms_malformed")


def _stamps(signing: _Signing, stampers: Sequence[Authority] | None, material: Material, at: datetime) -> None:
    """The tokens over the signature's value; the earliest that is proven is the signature's time."""
    stamps = [values[0].raw for _, values in signing.cms.unsigned or ()]
    if not stamps:
        signing.findings.append(undecided("bundle.signature_time_missing"))
    for each in stamps:
        outcome = check_token(each, signing.cms.signature, stampers, material, at)
        for finding in outcome.findings:
            if finding.verdict is Verdict.FAILED:
                signing.findings.append(failed("bundle.signature_time_wrong", cause=finding.code))
            else:
                signing.findings.append(finding)
        if outcome.time is not None and (signing.time is None or outcome.time < signing.time):
            signing.time = outcome.time


def _trusted_signer(
    signing: _Signing, signatories: Sequence[Signatory] | None, material: Material, at: datetime
) -> str | None:
    """Name of the trusted institution that signed, or None; what is wrong with its certificates is told."""
    signer, name = signing.signer, _name(signing.signer.subject)
    if not _may_sign(signer):
        signing.findings.append(failed("bundle.signer_usage", signer=name))
        return None
    if signatories is None:
        signing.findings.append(undecided("bundle.trust_not_given", signer=name))
        return None
    roots = [(read_certificate(each.certificate), each.name) for each in signatories]
    time = signing.time or at
    try:
        path = chain(signer, signing.brought, roots, time, PURPOSES)
    except CmsError as error:
        signing.findings.append(_no_chain(error, signing, [root for root, _ in roots]))
        return None
    revoked = _revocation(signing, path, material, time)
    signing.findings += revoked
    return None if revoked else path.anchor


def _no_chain(error: CmsError, signing: _Signing, roots: Sequence[x509.Certificate]) -> Finding:
    name = _name(signing.signer.subject)
    if error.kind == "outside_validity":
        until = clock.to_text(signing.signer.not_valid_after_utc)
        return (undecided if signing.time is None else failed)("bundle.signer_expired", signer=name, until=until)
    forged = _bears_the_name([signing.signer, *signing.brought], roots)
    if forged is not None:
        return failed("bundle.signer_forged", signer=name, name=forged)
    return undecided("bundle.signer_unknown", signer=name, name=_top(signing.brought))


def _may_sign(certificate: x509.Certificate) -> bool:
    """For signing documents: no issuer, a key for signatures, and no purpose that excludes them."""
    basic = extension(certificate.extensions, x509.BasicConstraints)
    key_usage = extension(certificate.extensions, x509.KeyUsage)
    usage = extension(certificate.extensions, x509.ExtendedKeyUsage)
    if basic is not None and basic.value.ca:
        return False
    if key_usage is None or not (key_usage.value.digital_signature or key_usage.value.content_commitment):
        return False
    if usage is not None and not {*PURPOSES, ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE} & set(usage.value):
        return False
    return is_understood(certificate)


# ---- revocation ------------------------------------------------------------------------------------------------------


def _revocation(signing: _Signing, path: Path[str], material: Material, time: datetime) -> list[Finding]:
    """What speaks against a certificate of the path at the time of signing; nothing when all are good.

    Every list counts that the issuer in the path signed, whoever brought it: a later one may revoke for a time before.
    """
    lists = [*signing.revocations, *_readable_lists(material)]
    found = []
    for certificate, issuer in zip(path.certificates, path.certificates[1:], strict=False):
        name = _name(certificate.subject)
        right = [each for each in lists if _is_list_of(each, issuer)]
        entries = [each.get_revoked_certificate_by_serial_number(certificate.serial_number) for each in right]
        dates = [each.revocation_date_utc for each in entries if each is not None]
        if dates and min(dates) <= time:
            found.append(failed("bundle.signer_revoked", signer=name, time=clock.to_text(min(dates))))
        elif not any(each.next_update_utc is not None and each.next_update_utc >= time for each in right):
            found.append(undecided("bundle.revocation_missing", signer=name))
    return found


def _readable_lists(material: Material) -> list[x509.CertificateRevocationList]:
    found = []
    for each in material.revocations:
        try:
            found.append(_read_list(each))
        except ValueError:
            continue
    return found


def _read_list(data: bytes) -> x509.CertificateRevocationList:
    """A list of which all that is used later can be read; raises `ValueError`."""
    der.read(data)
    try:
        revoked = x509.load_der_x509_crl(data)
        _ = [(each.serial_number, each.revocation_date_utc, each.extensions) for each in revoked]
        _ = revoked.issuer, revoked.last_update_utc, revoked.next_update_utc, revoked.extensions
    except (
        x509.DuplicateExtension,
        x509.InvalidVersion,
        x509.UnsupportedGeneralNameType,
        UnsupportedAlgorithm,
    ) as error:
        raise ValueError("a list that cannot be read") from error
    return revoked


def _is_list_of(revoked: x509.CertificateRevocationList, issuer: x509.Certificate) -> bool:
    """Whether the issuer may sign lists and signed this one, which is whole: no delta, nothing left out."""
    usage = extension(issuer.extensions, x509.KeyUsage)
    if revoked.issuer != issuer.subject or (usage is not None and not usage.value.crl_sign):
        return False
    partial = {ExtensionOID.DELTA_CRL_INDICATOR, ExtensionOID.ISSUING_DISTRIBUTION_POINT}
    if any(each.oid in partial or each.critical for each in revoked.extensions):
        return False
    return _signed_list(revoked, issuer)


def _signed_list(revoked: x509.CertificateRevocationList, issuer: x509.Certificate) -> bool:
    try:
        key = issuer.public_key()
        if not isinstance(key, ec.EllipticCurvePublicKey | rsa.RSAPublicKey | Ed25519PublicKey):
            return False
        return revoked.is_signature_valid(key)
    except (UnsupportedAlgorithm, TypeError, ValueError):
        return False


# ---- what no key covers ----------------------------------------------------------------------------------------------


def _must_be_tight(cms: Signed, *, stamped: bool = False) -> None:
    """Nothing outside the signature is loose: the hint is the signer's digest, parameters are empty; or `ValueError`.

    Args:
        cms: as read.
        stamped: whether unsigned attributes are allowed; the caller looks into them.
    """
    if len(cms.hints) != 1 or cms.hints[0].tag != der.SEQUENCE or algorithm_of(cms.hints[0]) != cms.digest:
        raise ValueError("another digest is announced than used")
    parts = der.Reader(cms.algorithm.content)
    if der.oid(parts.take(der.OID)) != _RSA_PSS:
        algorithm_of(cms.algorithm)
    if cms.unsigned is not None and not (stamped and cms.unsigned):
        raise ValueError("attributes that nobody signed")


def _stray(
    cms: Signed,
    brought: Sequence[x509.Certificate],
    trusted: Sequence[x509.Certificate],
    material: Material,
    revocations: Sequence[x509.CertificateRevocationList] = (),
) -> list[Finding]:
    """Certificates and lists in a SignedData that are not signed by any certificate at hand: altered, or strange.

    One that a certificate's name says who issued it, and that key did not sign, was altered. One whose issuer is not
    at hand is left open, unless the very same bytes are trusted or lie in the bundle on their own.
    """
    known = {*map(encoded_certificate, trusted), *material.certificates}
    beside = [each for each in map(_maybe_certificate, material.certificates) if each is not None]
    pool = [*trusted, *brought, *beside]
    found = []
    for each in brought:
        issuers = [issuer for issuer in pool if issuer.subject == each.issuer]
        if encoded_certificate(each) in known or any(issued(each, issuer) for issuer in issuers):
            continue
        name = _name(each.subject)
        found.append(failed("bundle.cms_certificate_altered", name=name) if issuers else _unchecked(name))
    for revoked in revocations:
        issuers = [issuer for issuer in pool if issuer.subject == revoked.issuer]
        if not any(_signed_list(revoked, issuer) for issuer in issuers):
            name = _name(revoked.issuer)
            found.append(failed("bundle.cms_list_altered", name=name) if issuers else _unchecked(name))
    if cms.revocations and not revocations:
        found.append(failed("bundle.cms_malformed"))
    return found


def _unchecked(name: str) -> Finding:
    return undecided("bundle.cms_certificate_stray", name=name)


def _maybe_certificate(data: bytes) -> x509.Certificate | None:
    try:
        return read_certificate(data)
    except CmsError:
        return None


# ---- names -----------------------------------------------------------------------------------------------------------


def _bears_the_name(certificates: Sequence[x509.Certificate], roots: Sequence[x509.Certificate]) -> str | None:
    """The name of a trusted root that one of these bears or claims as its issuer's, with another key."""
    for root in roots:
        for each in certificates:
            if each.subject == root.subject and not _same_key(each, root):
                return _name(root.subject)
            if each.issuer == root.subject and not issued(each, root):
                return _name(root.subject)
    return None


def _same_key(one: x509.Certificate, other: x509.Certificate) -> bool:
    """Whether two certificates are of the same key; one of a kind that cannot be read is of another."""
    try:
        return one.public_key() == other.public_key()
    except (ValueError, UnsupportedAlgorithm):
        return False


def _top(certificates: Sequence[x509.Certificate]) -> str:
    """The name of the last issuer, for people: of the certificate that issued itself, or of the first one's issuer."""
    for each in certificates:
        if each.subject == each.issuer:
            return _name(each.subject)
    return _name(certificates[0].issuer) if certificates else "–"


def _signer_name(cms: Signed, brought: Sequence[x509.Certificate]) -> str:
    try:
        return _name(find_signer(cms, brought).subject)
    except CmsError:
        return "–"


def _name(name: x509.Name) -> str:
    """The common name, else the organisation, else a dash; of several the last."""
    for kind in (NameOID.COMMON_NAME, NameOID.ORGANIZATION_NAME):
        values = name.get_attributes_for_oid(kind)
        if values:
            return str(values[-1].value)
    return "–"
