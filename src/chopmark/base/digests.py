"""Digests of files, made in one pass.

SHA-256 is always made; SM3 (GB/T 32905-2016) stands beside it when asked for.
A digest that leaves this module in text always names its algorithm: `sha-256:2cf24d…`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import BinaryIO

from cryptography.hazmat.primitives import hashes

from chopmark.base.errors import Invalid

CHUNK = 1 << 20
DIGEST_SIZE = 32
ALGORITHMS = ("sha-256", "sm3")


@dataclass(frozen=True, slots=True, kw_only=True)
class Digests:
    """The digests of one sequence of bytes.

    Attributes:
        sha256: 32 bytes.
        sm3: 32 bytes, or None when it was not asked for.
        size: length of the bytes.
    """

    sha256: bytes
    size: int
    sm3: bytes | None = None

    def named(self) -> dict[str, bytes]:
        """Algorithm name to digest, SHA-256 first."""
        both = {"sha-256": self.sha256}
        if self.sm3 is not None:
            both["sm3"] = self.sm3
        return both


class Digester:
    """Takes bytes as they pass by and yields their digests; a `hashlib`-like object for both algorithms."""

    def __init__(self, *, sm3: bool = False) -> None:
        self._sha256 = hashlib.sha256()
        self._sm3 = hashes.Hash(hashes.SM3()) if sm3 else None
        self._size = 0

    def update(self, chunk: bytes) -> None:
        """Take the next bytes."""
        self._sha256.update(chunk)
        if self._sm3 is not None:
            self._sm3.update(chunk)
        self._size += len(chunk)

    def digests(self) -> Digests:
        """The digests of all bytes so far; more may follow."""
        sm3 = self._sm3.copy().finalize() if self._sm3 is not None else None
        return Digests(sha256=self._sha256.digest(), sm3=sm3, size=self._size)


def digests_of(chunks: Iterable[bytes], *, sm3: bool = False) -> Digests:
    """The digests of the chunks joined; each chunk is seen once and not kept."""
    digester = Digester(sm3=sm3)
    for chunk in chunks:
        digester.update(chunk)
    return digester.digests()


def chunks_of(stream: BinaryIO) -> Iterator[bytes]:
    """The rest of a stream in pieces of at most 1 MiB."""
    while chunk := stream.read(CHUNK):
        yield chunk


def parse_digest(text: str) -> tuple[str, bytes]:
    """Read `sha-256:<64 hex>`, `sm3:<64 hex>` or 64 bare hex digits (SHA-256); hex may be of either case.

    Raises:
        Invalid: `base.digest_malformed`.
    """
    algorithm, colon, digits = text.strip().rpartition(":")
    algorithm = algorithm.lower() if colon else "sha-256"
    if algorithm not in ALGORITHMS or len(digits) != DIGEST_SIZE * 2 or not digits.isascii() or not digits.isalnum():
        raise Invalid("base.digest_malformed")
    try:
        return algorithm, bytes.fromhex(digits)
    except ValueError as error:
        raise Invalid("base.digest_malformed") from error
