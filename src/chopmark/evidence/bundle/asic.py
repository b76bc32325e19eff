"""ASiCManifest (ETSI EN 319 162-1 annex A.4): which files a signature or time-stamp in META-INF covers.

Written in one form, and read only in that form: what does not print back is refused, so that no XML parser with its
entities, name spaces and defaults stands between the signed bytes and their meaning. Only SHA-256 is used.

    <?xml version="1.0" encoding="UTF-8"?>
    <asic:ASiCManifest xmlns:asic="http://uri.etsi.org/02918/v1.2.1#" xmlns:ds="http://www.w3.org/2000/09/xmldsig#">
    <asic:SigReference URI="META-INF/signature001.p7s" MimeType="application/x-pkcs7-signature"/>
    <asic:DataObjectReference URI="manifest.json" MimeType="application/json">
    <ds:DigestMethod Algorithm="http://www.w3.org/2001/04/xmlenc#sha256"/>
    <ds:DigestValue>uMaMDtYa/3xuPcgtlIJfDiu5ZmPWSZLHDgmTOeMmgO0=</ds:DigestValue>
    </asic:DataObjectReference>
    </asic:ASiCManifest>
"""

from __future__ import annotations

import re
from base64 import b64decode, b64encode
from binascii import Error
from dataclasses import dataclass
from typing import NamedTuple

from chopmark.base.errors import Invalid
from chopmark.evidence.bundle.container import MAX_ENTRIES, META_INF, must_be_safe

SIGNATURE_TYPE = "application/x-pkcs7-signature"
TOKEN_TYPE = "application/vnd.etsi.timestamp-token"  # noqa: S105 (a media type, no secret)
RECORD_TYPE = "application/vnd.etsi.evidencerecord"
PROOFS = {".p7s": SIGNATURE_TYPE, ".tst": TOKEN_TYPE, ".ers": RECORD_TYPE}
MAX_MANIFEST = 8 << 20  # bytes

MEDIA_TYPE = re.compile(r"[a-z0-9][a-z0-9.+_-]{0,62}/[a-z0-9][a-z0-9.+_-]{0,62}")

_HEAD = (
    '<?xml version="1.0" encoding="UTF-8"?>\n'
    '<asic:ASiCManifest xmlns:asic="http://uri.etsi.org/02918/v1.2.1#"'
    ' xmlns:ds="http://www.w3.org/2000/09/xmldsig#">\n'
)
_FOOT = "</asic:ASiCManifest>\n"
_SIGNATURE = re.compile(r'<asic:SigReference URI="([^"\n]*)" MimeType="([^"\n]*)"/>\n')
_REFERENCE = re.compile(
    r'<asic:DataObjectReference URI="([^"\n]*)" MimeType="([^"\n]*)">\n'
    r'<ds:DigestMethod Algorithm="http://www\.w3\.org/2001/04/xmlenc#sha256"/>\n'
    r"<ds:DigestValue>([^<\n]*)</ds:DigestValue>\n"
    r"</asic:DataObjectReference>\n"
)


def manifest_name(number: int) -> str:
    """`META-INF/ASiCManifest001.xml`: of a signature or a time-stamp."""
    return f"{META_INF}ASiCManifest{number:03}.xml"


def signature_name(number: int) -> str:
    """`META-INF/signature001.p7s`."""
    return f"{META_INF}signature{number:03}.p7s"


def token_name(number: int) -> str:
    """`META-INF/timestamp001.tst`."""
    return f"{META_INF}timestamp{number:03}.tst"


def record_manifest_name(number: int) -> str:
    """`META-INF/ASiCEvidenceRecordManifest001.xml`."""
    return f"{META_INF}ASiCEvidenceRecordManifest{number:03}.xml"


def record_name(number: int) -> str:
    """`META-INF/evidencerecord001.ers`."""
    return f"{META_INF}evidencerecord{number:03}.ers"


def type_of_proof(name: str) -> str:
    """The media type of a file in META-INF."""
    return PROOFS.get(name[-4:], "text/xml")


def plain_type(media_type: str) -> str:
    """A media type as a bundle can say it: without parameters; `application/octet-stream` for what has another form."""
    plain = media_type.partition(";")[0].strip().lower()
    return plain if MEDIA_TYPE.fullmatch(plain) else "application/octet-stream"


class Reference(NamedTuple):
    """One file that is covered.

    Attributes:
        uri: its path in the container.
        media_type: as the manifest of the bundle has it.
        sha256: 32 bytes.
    """

    uri: str
    media_type: str
    sha256: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class AsicManifest:
    """Which files one signature, time-stamp or evidence record is over.

    Attributes:
        sig_reference: the file that holds it, `META-INF/*.p7s`, `*.tst` or `*.ers`.
        references: what it covers, in the container's order.
    """

    sig_reference: str
    references: tuple[Reference, ...]

    @property
    def sig_type(self) -> str:
        """The media type of the file that holds the proof."""
        return PROOFS[self.sig_reference[-4:]]

    def encode(self) -> bytes:
        """The one form.

        Raises:
            Invalid: `bundle.asic_manifest_malformed` when a name, a type or a digest is none.
        """
        self._must_hold()
        lines = [_HEAD, f'<asic:SigReference URI="{self.sig_reference}" MimeType="{self.sig_type}"/>\n']
        for uri, media_type, sha256 in self.references:
            lines.append(
                f'<asic:DataObjectReference URI="{uri}" MimeType="{media_type}">\n'
                '<ds:DigestMethod Algorithm="http://www.w3.org/2001/04/xmlenc#sha256"/>\n'
                f"<ds:DigestValue>{b64encode(sha256).decode()}</ds:DigestValue>\n"
                "</asic:DataObjectReference>\n"
            )
        return "".join([*lines, _FOOT]).encode()

    @classmethod
    def parse(cls, data: bytes) -> AsicManifest:
        """Read one.

        Raises:
            Invalid: `bundle.asic_manifest_malformed`.
        """
        if len(data) > MAX_MANIFEST or not data.isascii():
            raise Invalid("bundle.asic_manifest_malformed")
        text = data.decode("ascii")
        signature = _SIGNATURE.search(text, len(_HEAD) if text.startswith(_HEAD) else len(text))
        if signature is None:
            raise Invalid("bundle.asic_manifest_malformed")
        try:
            references = tuple(
                Reference(uri, media_type, b64decode(digest, validate=True))
                for uri, media_type, digest in _REFERENCE.findall(text, signature.end())
            )
        except Error as error:
            raise Invalid("bundle.asic_manifest_malformed") from error
        read = cls(sig_reference=signature[1], references=references)
        if read.encode() != data:
            raise Invalid("bundle.asic_manifest_malformed")
        return read

    def _must_hold(self) -> None:
        names = [each.uri for each in self.references]
        try:
            for name in (self.sig_reference, *names):
                must_be_safe(name)
        except Invalid as error:
            raise Invalid("bundle.asic_manifest_malformed") from error
        if (
            not self.sig_reference.startswith(META_INF)
            or self.sig_reference[-4:] not in PROOFS
            or not 0 < len(names) <= MAX_ENTRIES
            or len(set(names)) != len(names)
            or not all(MEDIA_TYPE.fullmatch(each.media_type) and len(each.sha256) == 32 for each in self.references)
        ):
            raise Invalid("bundle.asic_manifest_malformed")
