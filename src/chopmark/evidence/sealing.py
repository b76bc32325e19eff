"""The seal: the key that signs bundles and certificates for an institution, and what proves whose it is.

    folder = make_seal(home, "Chopmark of Hangzhou", at)
    seal = Seal.load(folder, stampers)
    seal.sign(data)        CAdES-B-LT, detached (ETSI EN 319 122-1)
    seal.sign_pdf(pdf)     PAdES-B-LTA (ETSI EN 319 142-1)

The platform has one, and so has a notary's desk; each is a root of its own that a reader must decide to trust.

    <home>/seal/           0700
        root.key           signs signers and lists of revoked ones; may be kept elsewhere between renewals
        root.pem           what a reader trusts
        signer.key         signs; in use
        signer.pem
        root.crl           which signers are revoked, DER; renewed every few days

A signature carries the chain, the list of revoked certificates, and tokens of time-stamp authorities over its value,
so that it can be checked alone and after the certificate has ended. Keys are P-256 (what every reader knows).

CMS is written here in DER directly; PDF is pyHanko's.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key
from cryptography.x509.oid import NameOID

from chopmark.base import clock
from chopmark.base.errors import Invalid, Refused
from chopmark.evidence.bundle.build import Stamper
from chopmark.evidence.cades import DOCUMENT_SIGNING, SIGNATURE_TIME_STAMP, SIGNING_TIME
from chopmark.ledger import der
from chopmark.ledger.cms import (
    CONTENT_TYPE,
    DATA,
    ECDSA_SHA256,
    MESSAGE_DIGEST,
    SHA256,
    SIGNED_DATA,
    SIGNING_CERTIFICATE_V2,
)

FOLDER = "seal"
ROOT_LIFE, SIGNER_LIFE = timedelta(days=20 * 365), timedelta(days=3 * 365)
LIST_LIFE = timedelta(days=90)  # a list of revoked certificates that cannot be renewed serves so long
LIST_AGE = timedelta(days=1)  # and is renewed, where it can be, when it is older
MAX_NAME = 64  # characters, X.520
BACK = timedelta(minutes=5)  # certificates begin a little before, for readers whose clocks are behind


@dataclass(frozen=True, slots=True, kw_only=True)
class SealCard:
    """What others need to know of a seal.

    Attributes:
        name: of the institution.
        root: DER of the certificate to trust.
        until: when the signer's certificate ends.
    """

    name: str
    root: bytes
    until: datetime


def make_seal(home: Path, organisation: str, at: datetime) -> Path:
    """Make the seal of a home, or leave the one that is there; its folder.

    Raises:
        Invalid: `bundle.seal_name` when the name is empty or longer than 64 characters.
    """
    folder = home / FOLDER
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with _hold(folder):
        if not (folder / "root.pem").is_file():
            key = ec.generate_private_key(ec.SECP256R1())
            root = _root(key, organisation, at)
            _write(folder / "root.key", _key_pem(key))
            _write(folder / "root.pem", root.public_bytes(Encoding.PEM))
        # Made again where a crash left the folder without: the certificate, put there last, makes the seal whole.
        if not (folder / "signer.pem").is_file():
            _make_signer(folder, at)
        if not (folder / "root.crl").is_file():
            _make_list(folder, at, [])
    return folder


class Seal:
    """A seal that can be used.

    Args:
        folder: see the module.
        stampers: asked for a token over each signature; without any it carries no proof of its time.
        now: the time.
    """

    def __init__(self, folder: Path, stampers: Sequence[Stamper], now: Callable[[], datetime]) -> None:
        self._folder = folder
        self._stampers = tuple(stampers)
        self._now = now

    @classmethod
    def load(cls, folder: Path, stampers: Sequence[Stamper] = (), now: Callable[[], datetime] = clock.now) -> Seal:
        """The seal in a folder; keys and certificates are read when they are used, so a renewed one is used at once.

        Raises:
            Refused: `bundle.seal_missing`.
        """
        if not (folder / "signer.pem").is_file():
            raise Refused("bundle.seal_missing", path=str(folder))
        return cls(folder, stampers, now)

    def card(self) -> SealCard:
        """Whose seal it is."""
        root, signer = self._certificate("root.pem"), self._certificate("signer.pem")
        names = root.subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)
        return SealCard(
            name=str(names[0].value), root=root.public_bytes(Encoding.DER), until=signer.not_valid_after_utc
        )

    def sign(self, data: bytes) -> bytes:
        """A detached signature over these bytes, DER.

        Raises:
            Refused: `bundle.seal_over` after the certificate's end; `bundle.seal_list_over`; `bundle.seal_key_open`.
            Unavailable: what a stamper raises.
        """
        now = self._now().replace(microsecond=0)
        signer, revoked = self._fit(now)
        attributes = [
            _attribute(CONTENT_TYPE, der.put_oid(DATA)),
            _attribute(SIGNING_TIME, _signing_time(now)),
            _attribute(MESSAGE_DIGEST, der.put_octets(hashlib.sha256(data).digest())),
            _attribute(SIGNING_CERTIFICATE_V2, _naming_inside(signer)),
        ]
        signature = self._key().sign(der.set_of(attributes), ec.ECDSA(hashes.SHA256()))
        tokens = [each.token(hashlib.sha256(signature).digest()) for each in self._stampers]
        sha256 = der.sequence(der.put_oid(SHA256))
        part = der.sequence(
            der.put_integer(1),
            _naming(signer),
            sha256,
            der.set_of(attributes, tag=0xA0),
            der.sequence(der.put_oid(ECDSA_SHA256)),
            der.put_octets(signature),
            der.set_of((_attribute(SIGNATURE_TIME_STAMP, each) for each in tokens), tag=0xA1) if tokens else b"",
        )
        chain = [each.public_bytes(Encoding.DER) for each in (signer, self._certificate("root.pem"))]
        signed = der.sequence(
            der.put_integer(1),
            der.set_of([sha256]),
            der.sequence(der.put_oid(DATA)),
            der.set_of(chain, tag=0xA0),
            der.set_of([revoked.public_bytes(Encoding.DER)], tag=0xA1),
            der.set_of([part]),
        )
        return der.sequence(der.put_oid(SIGNED_DATA), der.element(0xA0, signed))

    def renew_crl(self, at: datetime) -> None:
        """A new list of revoked certificates with what was in the old one.

        Raises:
            Refused: `bundle.seal_root_away` when the root's key is kept elsewhere; `bundle.seal_key_open`.
        """
        with _hold(self._folder):
            _make_list(self._folder, at, list(self._list()))

    def renew_signer(self, at: datetime, *, revoke: bool = False) -> None:
        """A new key and certificate for the signer; the old key is gone.

        Args:
            at: now.
            revoke: the old key fell into other hands: nothing signed from now on with it counts.

        Raises:
            Refused: `bundle.seal_root_away`; `bundle.seal_key_open`.
        """
        with _hold(self._folder):
            old = self._certificate("signer.pem")
            if revoke:
                moment = at.replace(microsecond=0)
                entry = (
                    x509.RevokedCertificateBuilder()
                    .serial_number(old.serial_number)
                    .revocation_date(moment)
                    .add_extension(x509.CRLReason(x509.ReasonFlags.key_compromise), critical=False)
                    .build()
                )
                _make_list(self._folder, at, [*self._list(), entry])
            _make_signer(self._folder, at)

    def _fit(self, now: datetime) -> tuple[x509.Certificate, x509.CertificateRevocationList]:
        """The certificate and the list of revoked ones, both good now."""
        signer, revoked = self._certificate("signer.pem"), self._list()
        if not signer.not_valid_before_utc <= now <= signer.not_valid_after_utc:
            raise Refused("bundle.seal_over", until=clock.to_text(signer.not_valid_after_utc))
        if now - revoked.last_update_utc > LIST_AGE and (self._folder / "root.key").is_file():
            self.renew_crl(now)
            revoked = self._list()
        if revoked.next_update_utc is None or revoked.next_update_utc < now:
            raise Refused("bundle.seal_list_over", path=str(self._folder / "root.crl"))
        return signer, revoked

    def _certificate(self, name: str) -> x509.Certificate:
        return x509.load_pem_x509_certificate((self._folder / name).read_bytes())

    def _list(self) -> x509.CertificateRevocationList:
        return x509.load_der_x509_crl((self._folder / "root.crl").read_bytes())

    def _key(self) -> ec.EllipticCurvePrivateKey:
        return _key(self._folder / "signer.key")

    # ---- PDF ---------------------------------------------------------------------------------------------------------

    def sign_pdf(self, pdf: bytes) -> bytes:
        """The PDF with an invisible signature and all that proves it; PAdES-B-B where there is no stamper.

        Raises:
            Invalid: `bundle.pdf_malformed`.
            Refused: as `sign`.
            Unavailable: what a stamper raises.
        """
        from chopmark.evidence import pades  # noqa: PLC0415 (pyHanko takes half a second to load)

        signer, revoked = self._fit(self._now())
        stamper = min(self._stampers, key=lambda each: each.own, default=None)
        return pades.sign(
            pdf,
            pades.Material(
                key=self._key(), signer=signer, root=self._certificate("root.pem"), revoked=revoked, stamper=stamper
            ),
        )


# ---- certificates ----------------------------------------------------------------------------------------------------


def _root(key: ec.EllipticCurvePrivateKey, organisation: str, at: datetime) -> x509.Certificate:
    name = _name(organisation, "seal root")
    start = at.replace(microsecond=0) - BACK
    return (
        _builder(name, name, key.public_key(), start, start + ROOT_LIFE)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(issues=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )


def _make_signer(folder: Path, at: datetime) -> None:
    """Order: the key, then the certificate that names it; in between no signature can be made."""
    root_key, root = _root_key(folder), x509.load_pem_x509_certificate((folder / "root.pem").read_bytes())
    key = ec.generate_private_key(ec.SECP256R1())
    organisation = str(root.subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)[0].value)
    start = at.replace(microsecond=0) - BACK
    certificate = (
        _builder(
            _name(organisation, "seal"),
            root.subject,
            key.public_key(),
            start,
            min(start + SIGNER_LIFE, root.not_valid_after_utc),
        )
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(issues=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([DOCUMENT_SIGNING]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(root_key.public_key()), critical=False)
        .sign(root_key, hashes.SHA256())
    )
    (folder / "signer.pem").unlink(missing_ok=True)
    _write(folder / "signer.key", _key_pem(key))
    _write(folder / "signer.pem", certificate.public_bytes(Encoding.PEM))


def _make_list(folder: Path, at: datetime, revoked: Sequence[x509.RevokedCertificate]) -> None:
    key, root = _root_key(folder), x509.load_pem_x509_certificate((folder / "root.pem").read_bytes())
    start = at.replace(microsecond=0)
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(root.subject)
        .last_update(start)
        .next_update(start + LIST_LIFE)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key()), critical=False)
        .add_extension(x509.CRLNumber(clock.to_seconds(at)), critical=False)
    )
    for each in revoked:
        builder = builder.add_revoked_certificate(each)
    _write(folder / "root.crl", builder.sign(key, hashes.SHA256()).public_bytes(Encoding.DER))


def _name(organisation: str, role: str) -> x509.Name:
    if not 1 <= len(organisation) <= MAX_NAME or not organisation.isprintable():
        raise Invalid("bundle.seal_name", name=organisation[:MAX_NAME])
    short = organisation.encode()[: MAX_NAME - 16].decode(errors="ignore")  # a common name is limited in bytes
    attribute = x509.NameAttribute(NameOID.ORGANIZATION_NAME, organisation)
    return x509.Name([attribute, x509.NameAttribute(NameOID.COMMON_NAME, f"{short} {role}")])


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, start: datetime, end: datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(end)
    )


def _usage(*, issues: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not issues,
        content_commitment=not issues,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=issues,
        crl_sign=issues,
        encipher_only=False,
        decipher_only=False,
    )


# ---- parts of the CMS ------------------------------------------------------------------------------------------------


def _attribute(kind: str, value: bytes) -> bytes:
    return der.sequence(der.put_oid(kind), der.set_of([value]))


def _signing_time(at: datetime) -> bytes:
    """UTCTime until 2049, GeneralizedTime after (RFC 5652 11.3)."""
    if at.year >= 2050:
        return der.put_generalized_time(at)
    return der.element(0x17, f"{at:%y%m%d%H%M%S}Z".encode())


def _naming(certificate: x509.Certificate) -> bytes:
    return der.sequence(certificate.issuer.public_bytes(), der.put_integer(certificate.serial_number))


def _naming_inside(certificate: x509.Certificate) -> bytes:
    """SigningCertificateV2 (RFC 5035); it leaves its digest algorithm out: SHA-256 is the default."""
    names = der.sequence(der.element(0xA4, certificate.issuer.public_bytes()))
    issuer_serial = der.sequence(names, der.put_integer(certificate.serial_number))
    digest = hashlib.sha256(certificate.public_bytes(Encoding.DER)).digest()
    return der.sequence(der.sequence(der.sequence(der.put_octets(digest), issuer_serial)))


# ---- files -----------------------------------------------------------------------------------------------------------


def _root_key(folder: Path) -> ec.EllipticCurvePrivateKey:
    if not (folder / "root.key").is_file():
        raise Refused("bundle.seal_root_away", path=str(folder / "root.key"))
    return _key(folder / "root.key")


def _key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _key(path: Path) -> ec.EllipticCurvePrivateKey:
    if path.stat().st_mode & 0o077:
        raise Refused("bundle.seal_key_open", path=str(path))
    key = load_pem_private_key(path.read_bytes(), None)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise Invalid("bundle.seal_key_other", path=str(path))
    return key


def _write(path: Path, content: bytes) -> None:
    """Whole and durable, in place of what was there; readable by its owner alone."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


@contextlib.contextmanager
def _hold(folder: Path) -> Iterator[None]:
    """One at a time changes what is in the folder."""
    descriptor = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
