"""Redaction: another file stands in place of one that not everybody may see, and the court alone can open the original.

    parts, redaction = redact(parts, path, blackened, reason="personal data", court=key, sealed=folder / "sealed")

The digest of the original stays in the manifest, so its deposit and its receipt keep their meaning. The original is
sealed to one X25519 public key with libsodium's constructions (`crypto_box_seal`, then `crypto_secretstream`), in
pieces, so that its size does not matter. `docs/bundles.md` describes the form.

What must be redacted, and how a picture is blackened, is for people.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from nacl import bindings
from nacl.exceptions import CryptoError
from nacl.public import PrivateKey, PublicKey, SealedBox
from nacl.utils import random

from chopmark.base.errors import Invalid
from chopmark.evidence.bundle.build import Part
from chopmark.evidence.bundle.manifest import Redaction

SEALED_FOLDER = "sealed"
SEALED_TYPE = "application/vnd.chopmark.sealed"
MAGIC = b"chopmark-sealed/1\n"
KEY_SIZE = 32
PIECE = 1 << 16  # bytes of the original in each piece
_HEADER = bindings.crypto_secretstream_xchacha20poly1305_HEADERBYTES
_ADDED = bindings.crypto_secretstream_xchacha20poly1305_ABYTES
_MESSAGE = bindings.crypto_secretstream_xchacha20poly1305_TAG_MESSAGE
_FINAL = bindings.crypto_secretstream_xchacha20poly1305_TAG_FINAL
_BOX = KEY_SIZE + bindings.crypto_box_SEALBYTES


@dataclass(frozen=True, slots=True, kw_only=True)
class Redacted:
    """What is left when a file was taken out.

    Attributes:
        parts: all parts, with the other file in its place and the sealed copy, if there is one, at the end.
        redaction: for the manifest.
        sealed: the sealed copy, for the manifest's documents.
    """

    parts: tuple[Part, ...]
    redaction: Redaction
    sealed: Part | None


def redact(
    parts: Sequence[Part],
    path: str,
    replacement: Part,
    *,
    reason: str,
    court: bytes | None = None,
    sealed: Path | None = None,
) -> Redacted:
    """Put another file in the place of one.

    Args:
        parts: of the bundle to be.
        path: which one not everybody may see.
        replacement: what is shown instead, under the same path.
        reason: why, for everybody to read.
        court: X25519 public key, 32 bytes, of who may open the original; None keeps it out altogether.
        sealed: a file that is written with the sealed copy, and read when the bundle is built.

    Raises:
        Invalid: `bundle.file_missing` when there is no such part; `bundle.source_changed` when the original is not what
            its part says; `bundle.court_key_malformed`.
        ValueError: when the replacement has another path, or only one of `court` and `sealed` is given.
    """
    original = next((each for each in parts if each.path == path), None)
    if original is None:
        raise Invalid("bundle.file_missing", path=path)
    if replacement.path != path or (court is None) != (sealed is None):
        raise ValueError("the replacement has the path of the original, and a court's key goes with a file")
    copy = None if court is None or sealed is None else _sealed(original, court, sealed)
    shown = [replacement if each is original else each for each in parts]
    return Redacted(
        parts=tuple(shown if copy is None else [*shown, copy]),
        redaction=Redaction(
            path=path,
            reason=reason,
            original_sha256=original.sha256,
            sealed=None if copy is None else copy.path,
        ),
        sealed=copy,
    )


def _sealed(original: Part, court: bytes, file: Path) -> Part:
    with original.open() as source, file.open("wb") as out:
        digest = seal(source, court, out)
        size = out.tell()
    if digest != original.sha256:
        raise Invalid("bundle.source_changed", name=original.path)
    with file.open("rb") as made:
        sha256 = hashlib.file_digest(made, "sha256").digest()
    return Part(
        path=f"{SEALED_FOLDER}/{original.sha256.hex()}.sealed",
        media_type=SEALED_TYPE,
        size=size,
        sha256=sha256,
        open=lambda: file.open("rb"),
    )


def seal(source: BinaryIO, court: bytes, out: BinaryIO) -> bytes:
    """Encrypt a stream to a public key.

    Args:
        source: read to its end, in pieces.
        court: X25519 public key, 32 bytes.
        out: where the sealed copy is written.

    Returns:
        SHA-256 of the original, 32 bytes.

    Raises:
        Invalid: `bundle.court_key_malformed`.
    """
    key = random(KEY_SIZE)
    try:
        box = SealedBox(PublicKey(court)).encrypt(key)
    except (CryptoError, ValueError, TypeError) as error:
        raise Invalid("bundle.court_key_malformed") from error
    state = bindings.crypto_secretstream_xchacha20poly1305_state()
    out.write(MAGIC + box + bindings.crypto_secretstream_xchacha20poly1305_init_push(state, key))
    digester = hashlib.sha256()
    for piece, is_last in _pieces(source, PIECE):
        digester.update(piece)
        tag = _FINAL if is_last else _MESSAGE
        out.write(bindings.crypto_secretstream_xchacha20poly1305_push(state, piece, tag=tag))
    return digester.digest()


def unseal(source: BinaryIO, secret: bytes, out: BinaryIO) -> bytes:
    """What the court does: open a sealed copy. What `out` holds counts only when this returns.

    Args:
        source: the sealed copy.
        secret: X25519 secret key, 32 bytes.
        out: where the original is written.

    Returns:
        SHA-256 of the original, 32 bytes, to be compared with `original_sha256`.

    Raises:
        Invalid: `bundle.sealed_wrong` for another key, and for a copy that was changed or cut off.
    """
    head = source.read(len(MAGIC) + _BOX + _HEADER)
    state = bindings.crypto_secretstream_xchacha20poly1305_state()
    digester = hashlib.sha256()
    try:
        if not head.startswith(MAGIC) or len(head) != len(MAGIC) + _BOX + _HEADER:
            raise CryptoError("not a sealed copy")  # noqa: TRY301 (all that is wrong here is one error)
        key = SealedBox(PrivateKey(secret)).decrypt(head[len(MAGIC) : len(MAGIC) + _BOX])
        bindings.crypto_secretstream_xchacha20poly1305_init_pull(state, head[len(MAGIC) + _BOX :], key)
        for piece, is_last in _pieces(source, PIECE + _ADDED):
            content, tag = bindings.crypto_secretstream_xchacha20poly1305_pull(state, piece)
            if tag != (_FINAL if is_last else _MESSAGE):
                raise CryptoError("cut off")  # noqa: TRY301 (the same)
            digester.update(content)
            out.write(content)
    except (CryptoError, ValueError, TypeError) as error:
        raise Invalid("bundle.sealed_wrong") from error
    return digester.digest()


def _pieces(source: BinaryIO, size: int) -> Iterator[tuple[bytes, bool]]:
    """The stream in pieces of one size but for the last, and whether it is the last; at least one, maybe empty."""
    piece = _read(source, size)
    while True:
        following = _read(source, size) if len(piece) == size else b""
        yield piece, not following
        if not following:
            return
        piece = following


def _read(source: BinaryIO, size: int) -> bytes:
    """Exactly so many bytes, fewer only at the end."""
    read = source.read(size)
    while len(read) < size and (more := source.read(size - len(read))):
        read += more
    return read
