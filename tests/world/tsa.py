"""A time-stamp authority in memory, and the tools around it that we did not write.

tsa = TsaWorld.made()
token = tsa.stamp(b"data")
verify_token(token, b"data", [tsa.authority], AT)
"""

from __future__ import annotations

import subprocess
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from hashlib import sha256
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from chopmark.ledger.timestamp import Authority, accept, request
from chopmark.ledger.tsa import Mark, Order, Signer, answer, make_root, make_signer
from world.patience import HANG

AT = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)


@cache
def _keys() -> tuple[ec.EllipticCurvePrivateKey, x509.Certificate, x509.Certificate]:
    root_key, root = make_root("time.test", AT - timedelta(days=30))
    key, certificate = make_signer("time.test", AT - timedelta(days=30), root_key=root_key, root=root)
    return key, certificate, root


@dataclass
class TsaWorld:
    """One authority; its clock stands until it is moved."""

    at: datetime = AT
    mark: Mark = field(default_factory=lambda: Mark(serial=0, time=AT - timedelta(days=30)))
    kept: list[Mark] = field(default_factory=list)
    signer: Signer = field(init=False)

    def __post_init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        """A signer process as after a crash: it knows what was kept, and nothing else."""
        key, certificate, root = _keys()
        self.signer = Signer(
            key=key,
            certificates=[certificate, root],
            mark=self.kept[-1] if self.kept else self.mark,
            keep=self.kept.append,
            clock=lambda: self.at,
        )

    @property
    def certificate(self) -> x509.Certificate:
        return _keys()[1]

    @property
    def root(self) -> x509.Certificate:
        return _keys()[2]

    @property
    def authority(self) -> Authority:
        return Authority(name="own", certificates=(self.root.public_bytes(Encoding.DER),), own=True)

    def stamp(self, data: bytes, *, nonce: int | None = 7, certificates: bool = True) -> bytes:
        """A token on these bytes."""
        asked = request(sha256(data).digest(), nonce=nonce, certificates=certificates)
        return accept(answer(asked.encode(), self.signer), asked)

    def order(self, data: bytes) -> Order:
        return Order(algorithm="2.16.840.1.101.3.4.2.1", imprint=sha256(data).digest(), nonce=None, certificates=True)

    def root_file(self, folder: Path) -> Path:
        path = folder / "root.pem"
        path.write_bytes(self.root.public_bytes(Encoding.PEM))
        return path


def openssl(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """`openssl ts …`; an old LibreSSL would do as well."""
    return subprocess.run(
        ["openssl", "ts", *map(str, arguments)], capture_output=True, text=True, check=False, timeout=HANG
    )
