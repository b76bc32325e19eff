"""The operator's folder of what to believe about signed marks: roots, revocation lists, the list of revoked marks.

    roots/*.pem   certificates that issue validators' certificates
    crls/*        their revocation lists, PEM or DER
    revoked.csv   the clearing house's list of revoked signed marks, whose OpenPGP signature the operator has checked

Files are read anew each time: replacing one is enough. Without roots nobody is trusted.
"""

from __future__ import annotations

from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from chopmark.base.errors import Invalid
from chopmark.rights.imports.smd import SmdTrust, parse_revoked

FOLDER = "clearing-house"  # in the home
MAX_FILES = 50
MAX_BYTES = 32 * 1024 * 1024


def load(folder: Path) -> SmdTrust | None:
    """What is there, None where there is nobody to trust.

    Raises:
        Invalid: `imports.trust_file` with the file that cannot be read; `imports.smd_list_malformed`.
    """
    roots = tuple(_certificate(file) for file in _files(folder / "roots"))
    listed = folder / "revoked.csv"
    if not roots or not listed.is_file():
        return None
    return SmdTrust(
        roots=roots,
        crls=tuple(_crl(file) for file in _files(folder / "crls")),
        revoked=parse_revoked(_bytes(listed)),
    )


def _files(folder: Path) -> list[Path]:
    return sorted(file for file in folder.glob("*") if file.is_file())[:MAX_FILES] if folder.is_dir() else []


def _bytes(file: Path) -> bytes:
    if file.stat().st_size > MAX_BYTES:
        raise Invalid("imports.trust_file", file=file.name)
    return file.read_bytes()


def _certificate(file: Path) -> bytes:
    data = _bytes(file)
    try:
        pem = b"-----BEGIN" in data
        loaded = x509.load_pem_x509_certificate(data) if pem else x509.load_der_x509_certificate(data)
    except ValueError:
        raise Invalid("imports.trust_file", file=file.name) from None
    return loaded.public_bytes(Encoding.DER)


def _crl(file: Path) -> bytes:
    data = _bytes(file)
    try:
        loaded = x509.load_pem_x509_crl(data) if b"-----BEGIN" in data else x509.load_der_x509_crl(data)
    except ValueError:
        raise Invalid("imports.trust_file", file=file.name) from None
    return loaded.public_bytes(Encoding.DER)
