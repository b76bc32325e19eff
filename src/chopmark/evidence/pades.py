"""A seal's signature in a PDF (PAdES-B-LTA, ETSI EN 319 142-1), by pyHanko.

The signature is invisible. With a stamper it carries a time-stamp, then the certificates and lists that prove it, then
a time-stamp over all of that. Nothing is fetched: what is not at hand is left out.
"""

from __future__ import annotations

import io
from dataclasses import dataclass

from asn1crypto import cms, crl, keys
from asn1crypto import x509 as asn1_x509
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.pdf_utils.misc import PdfError
from pyhanko.sign.fields import SigSeedSubFilter
from pyhanko.sign.signers import PdfSignatureMetadata, PdfSigner, SimpleSigner
from pyhanko.sign.timestamps import TimeStamper
from pyhanko_certvalidator import ValidationContext
from pyhanko_certvalidator.registry import SimpleCertificateStore

from chopmark.base.errors import Invalid
from chopmark.evidence.bundle.build import Stamper
from chopmark.ledger.timestamp import parse_token

FIELD = "Seal"


@dataclass(frozen=True, slots=True, kw_only=True)
class Material:
    """What a signature is made with.

    Attributes:
        key: P-256, the signer's.
        signer: its certificate.
        root: that of who issued it.
        revoked: the root's list of revoked certificates.
        stamper: asked for two tokens, or one more for their size; None makes a signature without time.
    """

    key: ec.EllipticCurvePrivateKey
    signer: x509.Certificate
    root: x509.Certificate
    revoked: x509.CertificateRevocationList
    stamper: Stamper | None


def sign(pdf: bytes, material: Material) -> bytes:
    """The PDF and, behind its last byte, the signature.

    Raises:
        Invalid: `bundle.pdf_malformed`.
        Unavailable: what the stamper raises.
    """
    root = _asn1(material.root)
    registry = SimpleCertificateStore()
    registry.register(root)
    private = material.key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    signer = SimpleSigner(
        signing_cert=_asn1(material.signer),
        signing_key=keys.PrivateKeyInfo.load(private),
        cert_registry=registry,
    )
    stamper = None if material.stamper is None else _Asked(material.stamper)
    context = ValidationContext(
        trust_roots=[root, *([] if stamper is None else stamper.authorities())],
        crls=[crl.CertificateList.load(material.revoked.public_bytes(Encoding.DER))],
        allow_fetching=False,
    )
    metadata = PdfSignatureMetadata(
        field_name=FIELD,
        md_algorithm="sha256",
        subfilter=SigSeedSubFilter.PADES,
        embed_validation_info=stamper is not None,
        use_pades_lta=stamper is not None,
        validation_context=context if stamper is not None else None,
    )
    out = io.BytesIO()
    try:
        writer = IncrementalPdfFileWriter(io.BytesIO(pdf))
        PdfSigner(metadata, signer, timestamper=stamper).sign_pdf(writer, output=out)
    except PdfError as error:
        raise Invalid("bundle.pdf_malformed") from error
    return out.getvalue()


class _Asked(TimeStamper):
    """One of our stampers, as pyHanko asks for tokens."""

    def __init__(self, stamper: Stamper) -> None:
        super().__init__(include_nonce=False)
        self._stamper = stamper
        self._sample = stamper.token(bytes(32))

    def authorities(self) -> list[asn1_x509.Certificate]:
        """Certificates of issuers in this authority's tokens: so far as signing goes, they are trusted."""
        brought = [asn1_x509.Certificate.load(each) for each in parse_token(self._sample).cms.certificates]
        return [each for each in brought if each.ca] or brought

    async def async_dummy_response(self, md_algorithm: str) -> cms.ContentInfo:
        """A token to measure; asked for once."""
        sample = cms.ContentInfo.load(self._sample)
        self._register_dummy(md_algorithm, sample)
        return sample

    async def async_timestamp(self, message_digest: bytes, md_algorithm: str) -> cms.ContentInfo:
        """A token over a digest."""
        if md_algorithm != "sha256":
            raise ValueError("a stamper takes SHA-256")
        return cms.ContentInfo.load(self._stamper.token(message_digest))


def _asn1(certificate: x509.Certificate) -> asn1_x509.Certificate:
    return asn1_x509.Certificate.load(certificate.public_bytes(Encoding.DER))
