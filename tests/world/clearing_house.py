"""A clearing house in memory: a root, a validator and signed marks (RFC 7848), right and wrong in every way asked for.

Everything is made here; no data of the real clearing house is in it.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID
from lxml import etree
from signxml.algorithms import CanonicalizationMethod, DigestAlgorithm, SignatureConstructionMethod, SignatureMethod
from signxml.signer import XMLSigner

from chopmark.rights.imports.smd import DS, MARK, SMD, RevokedMarks, SmdTrust

NOW = datetime(2026, 11, 20, 9, tzinfo=UTC)
DER = serialization.Encoding.DER
NUMBER = "0000001700000000000-65535"

_CONTENT = f"""<smd:signedMark xmlns:smd="{SMD}" id="_signed-1"><smd:id>{NUMBER}</smd:id>\
<smd:issuerInfo issuerID="65535"><smd:org>House of Marks</smd:org><smd:email>a@example.org</smd:email>\
</smd:issuerInfo>\
<smd:notBefore>2026-01-01T00:00:00.000Z</smd:notBefore>\
<smd:notAfter>2027-01-01T00:00:00.000Z</smd:notAfter>\
<mark:mark xmlns:mark="{MARK}"><mark:trademark><mark:id>00011-1</mark:id>\
<mark:markName>Red &amp; 红灯笼</mark:markName>\
<mark:holder entitlement="owner"><mark:org>Lantern Works Ltd</mark:org><mark:addr>\
<mark:street>Quay 1</mark:street><mark:city>Ningbo</mark:city><mark:cc>CN</mark:cc></mark:addr></mark:holder>\
<mark:jurisdiction>EU</mark:jurisdiction><mark:class>11</mark:class><mark:label>red-lantern</mark:label>\
<mark:goodsAndServices>lanterns</mark:goodsAndServices><mark:regNum>018123456</mark:regNum>\
<mark:regDate>2020-06-01T00:00:00.000Z</mark:regDate></mark:trademark></mark:mark></smd:signedMark>"""


class OldSigner(XMLSigner):
    """Signs with whatever it is told, SHA-1 too, as an attacker would."""

    def check_deprecated_methods(self):
        pass


@dataclass
class ClearingHouse:
    """Keys and certificates, and the lists of what is revoked."""

    root_key: rsa.RSAPrivateKey
    root: x509.Certificate
    key: rsa.RSAPrivateKey
    certificate: x509.Certificate

    @classmethod
    def made(cls, *, until=NOW + timedelta(days=365), leaf_ca=False) -> ClearingHouse:
        root_key = rsa.generate_private_key(65537, 2048)
        key = rsa.generate_private_key(65537, 2048)
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Clearing house of tests")])
        root = _certificate(name, name, root_key.public_key(), root_key, ca=True, until=NOW + timedelta(days=3650))
        leaf = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Validator of tests")])
        return cls(root_key, root, key, _certificate(leaf, name, key.public_key(), root_key, ca=leaf_ca, until=until))

    def crl(self, *serials: int, made_at=NOW - timedelta(days=1), until=NOW + timedelta(days=30)) -> bytes:
        builder = x509.CertificateRevocationListBuilder().issuer_name(self.root.subject)
        builder = builder.last_update(made_at).next_update(until)
        for serial in serials:
            entry = x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(made_at)
            builder = builder.add_revoked_certificate(entry.build())
        return builder.sign(self.root_key, hashes.SHA256()).public_bytes(DER)

    def trust(self, **changes) -> SmdTrust:
        fields = {
            "roots": (self.root.public_bytes(DER),),
            "crls": (self.crl(),),
            "revoked": RevokedMarks(made_at=NOW - timedelta(hours=1)),
        }
        return SmdTrust(**(fields | changes))

    def sign(self, content: str = _CONTENT, **options) -> bytes:
        """The signed XML."""
        return self.sign_element(etree.fromstring(content), **options)

    def sign_element(
        self,
        root,
        *,
        uri: str | None = None,
        method=SignatureMethod.RSA_SHA256,
        digest=DigestAlgorithm.SHA256,
        canonical=CanonicalizationMethod.EXCLUSIVE_XML_CANONICALIZATION_1_0,
        certificate: x509.Certificate | None = None,
    ) -> bytes:
        signer = OldSigner(
            method=SignatureConstructionMethod.enveloped,
            signature_algorithm=method,
            digest_algorithm=digest,
            c14n_algorithm=canonical,
        )
        signer.namespaces = {"ds": DS}
        shown = (certificate or self.certificate).public_bytes(serialization.Encoding.PEM).decode()
        signed = signer.sign(root, key=self.key, cert=shown, reference_uri=uri or f"#{root.get('id')}")
        return etree.tostring(signed)


def encoded(document: bytes, head: str = "") -> bytes:
    """The file that a holder gets: lines for people, and the block."""
    body = base64.encodebytes(document).decode()
    return f"{head}-----BEGIN ENCODED SMD-----\n{body}-----END ENCODED SMD-----\n".encode()


def content(**changes: str) -> str:
    """The unsigned mark with some of its texts replaced."""
    said = _CONTENT
    for before, after in changes.items():
        said = said.replace(f">{before}<", f">{after}<")
    return said


CONTENT = _CONTENT


def _certificate(subject, issuer, public, signer, *, ca: bool, until) -> x509.Certificate:
    usage = dict.fromkeys(
        ("content_commitment", "key_encipherment", "data_encipherment", "key_agreement", "encipher_only"), False
    )
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(public)
    builder = builder.serial_number(x509.random_serial_number())
    builder = builder.not_valid_before(NOW - timedelta(days=400)).not_valid_after(until)
    builder = builder.add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
    builder = builder.add_extension(
        x509.KeyUsage(
            digital_signature=not ca, key_cert_sign=ca, crl_sign=ca, decipher_only=False, **usage
        ),
        critical=True,
    )  # fmt: skip
    return builder.sign(signer, hashes.SHA256())
