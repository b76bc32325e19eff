"""The raw layer of a capture: Chromium's net-log, packed and sealed to a public key.

The net-log holds what went over the wire before decoding, and with it cookies and typed passwords. So it is never kept
in clear: zstd, then an anonymous box (X25519 and XSalsa20-Poly1305, as libsodium's `crypto_box_seal`). Whoever holds
the secret key, a court or an expert it names, opens it with `open_sealed`; the capture's worker cannot.
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import Final

import zstandard
from nacl.exceptions import CryptoError
from nacl.public import PrivateKey, PublicKey, SealedBox

from chopmark.base.errors import Invalid

MAX_RAW: Final = 256 << 20  # bytes of a net-log
KEY_SIZE: Final = 32


def make_key() -> tuple[bytes, bytes]:
    """A new pair: secret key, public key, 32 bytes each."""
    secret = PrivateKey.generate()
    return bytes(secret), bytes(secret.public_key)


def seal(raw: Path, public_key: bytes) -> tuple[bytes, bool]:
    """The file packed and sealed, and whether it was whole; what is beyond 256 MiB is left out.

    Raises:
        Invalid: `capture.seal_key_malformed`.
    """
    if len(public_key) != KEY_SIZE:
        raise Invalid("capture.seal_key_malformed")
    packed = io.BytesIO()
    with raw.open("rb") as source:
        with zstandard.ZstdCompressor(level=6).stream_writer(packed, closefd=False) as writer:
            left = MAX_RAW
            while left and (chunk := source.read(min(1 << 20, left))):
                writer.write(chunk)
                left -= len(chunk)
        whole = not source.read(1)
    return bytes(SealedBox(PublicKey(public_key)).encrypt(packed.getvalue())), whole


def open_sealed(sealed: bytes, secret_key: bytes) -> bytes:
    """The net-log again.

    Raises:
        Invalid: `capture.seal_key_malformed`, `capture.sealed_wrong` when another key is needed or a byte was changed.
    """
    if len(secret_key) != KEY_SIZE:
        raise Invalid("capture.seal_key_malformed")
    try:
        packed = SealedBox(PrivateKey(secret_key)).decrypt(sealed)
        with zstandard.ZstdDecompressor().stream_reader(packed) as reader:
            raw = reader.read(MAX_RAW + 1)
    except (CryptoError, zstandard.ZstdError) as error:
        raise Invalid("capture.sealed_wrong") from error
    if len(raw) > MAX_RAW:
        raise Invalid("capture.sealed_wrong")
    return raw
