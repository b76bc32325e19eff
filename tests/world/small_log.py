"""A log written as static files by the pure ledger modules alone: no store, no writer, no statement."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from chopmark.base.errors import Unavailable
from chopmark.ledger.checkpoint import Checkpoint, sign_checkpoint
from chopmark.ledger.keys import ED25519, ED25519_COSIGNATURE, MLDSA44_COSIGNATURE, SigningKey
from chopmark.ledger.proof import TlogProof
from chopmark.ledger.tiles import Edge, TileReader, integrate

ORIGIN = "log.example/small"
BEGIN = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)
LOG_KEY = SigningKey(name=ORIGIN, type=ED25519, seed=b"\x01" * 32)
LOG_KEY_PQ = SigningKey(name=ORIGIN, type=MLDSA44_COSIGNATURE, seed=b"\x02" * 32)
WITNESS_KEY = SigningKey(name="witness.example/w1", type=ED25519_COSIGNATURE, seed=b"\x03" * 32)
KEYS = (LOG_KEY, LOG_KEY_PQ, WITNESS_KEY)


def entry(index: int) -> bytes:
    """Entries of all kinds of lengths, one in a hundred of them empty."""
    return f"entry {index} ".encode() * (index % 100)


@dataclass(frozen=True, slots=True, kw_only=True)
class SmallLog:
    """A written log; `checkpoints` holds every published checkpoint by size."""

    folder: Path
    size: int
    checkpoints: dict[int, bytes]

    def reader(self, size: int | None = None) -> TileReader:
        return TileReader(self._fetch, self.size if size is None else size)

    def proof(self, index: int, extra: bytes | None = None) -> TlogProof:
        hashes = tuple(self.reader().inclusion_proof(index))
        return TlogProof(index=index, hashes=hashes, checkpoint=self.checkpoints[self.size], extra=extra)

    def _fetch(self, path: str) -> bytes:
        try:
            return (self.folder / path).read_bytes()
        except FileNotFoundError as error:
            raise Unavailable("ledger.object_missing", path=path) from error


def write_log(folder: Path, sizes: list[int]) -> SmallLog:
    """Write the log as it grows through `sizes`, each one published."""
    edge, checkpoints = Edge(), {}
    for step, size in enumerate(sizes):
        edge, files = integrate(edge, [entry(index) for index in range(edge.size, size)])
        checkpoint = Checkpoint(origin=ORIGIN, size=size, root=edge.root())
        checkpoints[size] = sign_checkpoint(checkpoint, KEYS, BEGIN + timedelta(minutes=step))
        for path, data in (files | {"checkpoint": checkpoints[size]}).items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_bytes(data)
    return SmallLog(folder=folder, size=edge.size, checkpoints=checkpoints)
