"""A mirror that catches up from zero, against its peers, in the same run on the same machine.

    ./run bench mirror [--json]

A million entries of 256 bytes come as a log sends them, 32 packages a request; the bodies are made before the clock
runs. The mirror parses, hashes, checks a proof a package, and has each request durable on the disk before it answers.
Per second of wall time, since it waits for the disk. Peers take turns with it: aics-tlog's directory writer, which
writes the same entries in the same batches and checks nothing (installed by scripts/foreign.sh, never part of the
product); and our own tiles made in memory alone.
"""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from ledger import Rate, Row, _line, _row, _their_writer

from chopmark.ledger.checkpoint import Checkpoint, sign_checkpoint
from chopmark.ledger.keys import ED25519, ED25519_COSIGNATURE, MLDSA44_COSIGNATURE, SigningKey
from chopmark.ledger.mirror import MOST_PACKAGES, Mirror, packages, upload_header
from chopmark.ledger.stores.files import FileObjects
from chopmark.ledger.tiles import TILE_WIDTH, Edge, TileReader, bundle_path, encode_bundle, integrate
from chopmark.ledger.witness import AddCheckpoint, WatchedLog, Witness

ROOT = Path(__file__).resolve().parent.parent
ORIGIN = "log.example/bench"
ENTRY_SIZE = 256
BATCH = MOST_PACKAGES * TILE_WIDTH
BATCHES = 122
"""About a million entries."""


def main() -> None:
    """Print a table, or one JSON object a line."""
    subprocess.run([ROOT / "scripts" / "foreign.sh"], check=True)
    sys.path.append(str(ROOT / ".venv-foreign"))
    for row in rows():
        print(json.dumps(row) if "--json" in sys.argv[1:] else _line(row), flush=True)


def rows() -> Iterator[Row]:
    """Every measurement."""
    wall = [Rate(time.perf_counter) for _ in range(3)]
    spent = Rate(time.process_time)
    with tempfile.TemporaryDirectory(dir=ROOT) as name:
        log = _Log()
        mirror = _mirror(Path(name, "member"), log)
        prepare, publish = _their_writer(Path(name, "theirs"))
        edge = Edge()
        for batch in range(BATCHES):
            entries = log.entries(batch)
            body = log.body(batch)
            with wall[0].of(BATCH), spent.of(BATCH):
                answer = mirror.add_entries(io.BytesIO(body))
            if answer.status != (202 if batch + 1 < BATCHES else 200):
                raise SystemExit(f"{answer.status} {answer.body!r}")
            if batch % 8 == 0:
                prepare(entries)
                with wall[1].of(BATCH):
                    publish()
                with wall[2].of(BATCH):
                    edge, _ = integrate(edge, entries)
        size = sum(file.stat().st_blocks * 512 for file in Path(name, "member").rglob("*") if file.is_file())
    ours, theirs, alone = (rate.value for rate in wall)
    name = f"mirror from zero, {BATCH * BATCHES:,} entries"
    yield _row(name, ours, "entries/s", "aics-tlog's directory writer, unchecked", theirs)
    yield _row(name, ours, "entries/s", "tiles in memory alone", alone)
    yield _row("CPU of a mirror per million entries", 1e6 / spent.value, "CPU-s", None, None)
    yield _row("disk of a mirror per million entries", size / BATCH / BATCHES, "MB", None, None)


class _Log:
    """The log that is mirrored: its entries are computed again when they are needed, its tiles stay in memory."""

    def __init__(self) -> None:
        self._seed = os.urandom(ENTRY_SIZE - 8)
        self._files: dict[str, bytes] = {}
        edge = Edge()
        for batch in range(BATCHES):
            edge, files = integrate(edge, self.entries(batch))
            self._files.update((path, data) for path, data in files.items() if "entries" not in path)
        self.size, self.root = edge.size, edge.root()
        self._now: dict[str, bytes] = {}
        self.tiles = TileReader(self._fetch, self.size, cache=8192)

    def entries(self, batch: int) -> list[bytes]:
        """The entries of one batch."""
        return [self._seed + number.to_bytes(8, "big") for number in range(batch * BATCH, (batch + 1) * BATCH)]

    def body(self, batch: int) -> bytes:
        """The request that brings them."""
        start = batch * BATCH
        entries = self.entries(batch)
        self._now = {
            bundle_path((start + here) // TILE_WIDTH): encode_bundle(entries[here : here + TILE_WIDTH])
            for here in range(0, BATCH, TILE_WIDTH)
        }
        return upload_header(ORIGIN, start, self.size) + b"".join(packages(self.tiles, start, self.size))

    def _fetch(self, path: str) -> bytes:
        return self._now[path] if path in self._now else self._files[path]


def _mirror(home: Path, log: _Log) -> Mirror:
    keys = [SigningKey.generate(ORIGIN, ED25519), SigningKey.generate(ORIGIN, MLDSA44_COSIGNATURE)]
    watched = WatchedLog(
        origin=ORIGIN,
        keys=tuple(key.verifier for key in keys),
        state=FileObjects(home / "state", replaceable=("pending",)),
        copy=FileObjects(home / "copy"),
    )
    Witness.found(watched)

    def own(role: str) -> list[SigningKey]:
        name = f"member.example/{role}"
        return [SigningKey.generate(name, kind) for kind in (ED25519_COSIGNATURE, MLDSA44_COSIGNATURE)]

    witness = Witness([watched], own("witness"), _now, lambda _: None)
    note = sign_checkpoint(Checkpoint(origin=ORIGIN, size=log.size, root=log.root), keys, _now())
    if witness.add_checkpoint(AddCheckpoint(old=0, proof=(), note=note).encode()).status != 200:
        raise SystemExit("the witness did not cosign")
    return Mirror(witness, [watched], own("mirror"), _now)


def _now() -> datetime:
    return datetime.now(UTC)


if __name__ == "__main__":
    main()
