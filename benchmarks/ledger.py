"""The ledger against its peers, in the same run on the same machine.

    ./run bench ledger [--json]

Rates are per CPU-second of the one thread that works, except durable publication, which waits for the disk and is
per second of wall time. Ours and the peer take turns, so that a busy machine is busy for both. Peers (installed by
scripts/foreign.sh, never part of the product): pymerkle, a Merkle tree in memory; aics-tlog, a tlog-tiles writer.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

from chopmark.base.errors import Unavailable
from chopmark.ledger import tree
from chopmark.ledger.checkpoint import Checkpoint, sign_checkpoint
from chopmark.ledger.keys import ED25519, MLDSA44_COSIGNATURE, SigningKey
from chopmark.ledger.log import Log
from chopmark.ledger.reader import LogReader
from chopmark.ledger.stores import CHECKPOINT, Entry, Published
from chopmark.ledger.stores.files import FileJournal, FileObjects
from chopmark.ledger.stores.memory import MemoryObjects
from chopmark.ledger.stores.sql import create_tables, sqlite_book, sqlite_transactions
from chopmark.ledger.tiles import Edge, TileReader, integrate

ROOT = Path(__file__).resolve().parent.parent
ENTRY_SIZE = 256
MILLION = 1_000_000
BATCH = 4096
TURNS = 20
GROWTH = 40
ORIGIN = "log.example/bench"

Row = dict[str, object]
Files = dict[str, bytes]


def main() -> None:
    """Print a table, or one JSON object a line."""
    subprocess.run([ROOT / "scripts" / "foreign.sh"], check=True)
    sys.path.append(str(ROOT / ".venv-foreign"))
    for row in rows():
        if "--json" in sys.argv[1:]:
            print(json.dumps(row), flush=True)
        else:
            print(_line(row), flush=True)


def rows() -> Iterator[Row]:
    """Every measurement, as soon as it is made."""
    million: Files = {}
    yield from append(million)
    yield from proofs(million)
    yield from reader()
    yield from durable()
    yield from receipts()


def append(kept: Files) -> Iterator[Row]:
    """A million entries into tiles, in batches as the writer takes them; the tiles (not the bundles) go to `kept`."""
    from aics_tlog import IncrementalTileWriter, MemoryTileStore  # noqa: PLC0415 (installed by main)
    from pymerkle import InmemoryTree  # noqa: PLC0415 (the same)

    entries = [os.urandom(ENTRY_SIZE) for _ in range(MILLION // TURNS)]
    edge = Edge()
    plain = InmemoryTree(algorithm="sha256")
    ours, theirs, memory = Rate(), Rate(), Rate()
    for _ in range(TURNS):
        with ours.of(len(entries)):
            for here in range(0, len(entries), BATCH):
                edge, files = integrate(edge, entries[here : here + BATCH])
                kept.update((path, data) for path, data in files.items() if "entries" not in path)
        some = entries[: len(entries) // 2]
        with theirs.of(len(some)):
            writer = IncrementalTileWriter(MemoryTileStore())
            for here in range(0, len(some), BATCH):
                writer.append(some[here : here + BATCH])
        some = entries[: len(entries) // 10]
        with memory.of(len(some)):
            for entry in some:
                plain.append_entry(entry)
    name = "append, 10^6 entries of 256 bytes"
    yield _row(name, ours.value, "entries/CPU-s", "pymerkle in memory", memory.value)
    yield _row(name, ours.value, "entries/CPU-s", "aics-tlog in memory", theirs.value)


def proofs(files: Files) -> Iterator[Row]:
    """Inclusion proofs from tiles in memory: all tiles seen before (warm), none seen before (cold), and checked."""
    from aics_tlog import MemoryTileReader, inclusion_proof_from_tiles, verify_inclusion  # noqa: PLC0415 (main)

    _, small_files = integrate(Edge(), [os.urandom(ENTRY_SIZE) for _ in range(10_000)])
    choose = random.Random(7)  # noqa: S311 (a fixed choice, nothing secret)
    small, large = _warm(small_files, 10_000), _warm(files, MILLION)
    at_small, at_large, cold, theirs, checked, they_checked = (Rate() for _ in range(6))
    peer_reader, root = MemoryTileReader(files), large.root()
    for turn in range(TURNS):
        for reader, rate in ((small, at_small), (large, at_large)):
            chosen = [choose.randrange(reader.size) for _ in range(1000)]
            with rate.of(len(chosen)):
                for index in chosen:
                    reader.inclusion_proof(index)
        fresh = TileReader(_fetch(files), MILLION)
        with cold.of(50):
            for index in chosen[:50]:
                fresh.inclusion_proof(index)
        if turn % 5 == 0:  # about a second each
            with theirs.of(1):
                inclusion_proof_from_tiles(peer_reader, chosen[0], MILLION)
        made = [(index, large.nodes(0, index), large.inclusion_proof(index)) for index in chosen]
        with checked.of(len(made)):
            for index, leaf, proof in made:
                tree.verify_inclusion(leaf=leaf, index=index, size=MILLION, proof=proof, root=root)
        with they_checked.of(len(made)):
            for index, leaf, proof in made:
                verify_inclusion(leaf, index, MILLION, proof, root)
    peer = "aics-tlog, which caches nothing"
    yield _row("inclusion proof at 10^4, warm", at_small.value, "proofs/CPU-s", None, None)
    yield _row("inclusion proof at 10^6, warm", at_large.value, "proofs/CPU-s", peer, theirs.value)
    yield _row("inclusion proof at 10^6, cold", cold.value, "proofs/CPU-s", peer, theirs.value)
    yield _row("time of a proof at 10^6, warm", 1e6 / at_large.value, "us", "ours at 10^4", 1e6 / at_small.value)
    yield _row("inclusion checked at 10^6", checked.value, "checks/CPU-s", "aics-tlog", they_checked.value)


def reader() -> Iterator[Row]:
    """Proofs as the platform makes them: against the earliest checkpoint (in SQLite), checked, while the log grows."""
    objects, rate = MemoryObjects(), Rate()
    choose = random.Random(7)  # noqa: S311 (a fixed choice, nothing secret)
    with tempfile.TemporaryDirectory() as name:
        book = sqlite_book(Path(name, "book.sqlite"))
        log, edge = LogReader(objects, book), Edge()
        for _ in range(GROWTH):
            entries = [Entry.of(os.urandom(ENTRY_SIZE)) for _ in range(BATCH)]
            first, (edge, files) = edge.size, integrate(edge, [entry.statement for entry in entries])
            objects.put(files)
            root = edge.root()
            at = datetime.now(UTC)
            book.settle(first, entries, Published(size=edge.size, root=root, note=b"n" * 4000, sealed_root=b"", at=at))
            for position in range(first, edge.size, 256):
                log.inclusion(position)
            chosen = [choose.randrange(edge.size) for _ in range(500)]
            with rate.of(len(chosen)):
                for position in chosen:
                    log.inclusion(position)
    yield _row(f"inclusion through LogReader at {edge.size:,}", rate.value, "proofs/CPU-s", None, None)


def durable() -> Iterator[Row]:
    """Batches published so that a power cut loses nothing, in two measures.

    *Files* does what the peer does: tiles, bundle and a checkpoint signed with Ed25519, each on the disk. *Whole* is
    the writer as it runs: journal, head in SQLite, files, a second signature with ML-DSA-44, the root sealed for
    receipts, positions and search index in SQLite.
    """
    for batch, times in ((1, 200), (16, 200), (256, 80), (1024, 30)):
        rates = [Rate(time.perf_counter) for _ in range(3)]
        with tempfile.TemporaryDirectory() as name:
            writers = [_file_writer(Path(name, "1")), _whole_writer(Path(name, "2")), _their_writer(Path(name, "3"))]
            for _ in range(times):
                entries = [os.urandom(ENTRY_SIZE) for _ in range(batch)]
                for rate, (prepare, publish) in zip(rates, writers, strict=True):
                    prepare(entries)
                    with rate.of(batch):
                        publish()
        files, whole, theirs = (rate.value for rate in rates)
        peer = "aics-tlog's directory writer"
        yield _row(f"durable batches of {batch}, files", files, "entries/s", peer, theirs)
        yield _row(f"durable batches of {batch}, whole", whole, "entries/s", peer, theirs)


Writer = tuple[Callable[[Sequence[bytes]], object], Callable[[], object]]
"""Takes the next batch; publishes it."""


def _file_writer(folder: Path) -> Writer:
    objects, keys = FileObjects(folder), [SigningKey.generate(ORIGIN, ED25519)]
    waiting: list[bytes] = []
    edge = Edge()

    def publish() -> None:
        nonlocal edge
        edge, files = integrate(edge, waiting)
        waiting.clear()
        objects.put(files)
        point = Checkpoint(origin=ORIGIN, size=edge.size, root=edge.root())
        objects.put({CHECKPOINT: sign_checkpoint(point, keys, datetime.now(UTC))})

    return waiting.extend, publish


def _whole_writer(folder: Path) -> Writer:
    folder.mkdir()
    with sqlite_transactions(folder / "book.sqlite")() as cursor:
        create_tables(cursor, "sqlite")
    keys = [SigningKey.generate(ORIGIN, ED25519), SigningKey.generate(ORIGIN, MLDSA44_COSIGNATURE)]
    objects, journal = FileObjects(folder / "log"), FileJournal(folder / "journal")
    book = sqlite_book(folder / "book.sqlite")
    log = Log(ORIGIN, objects, journal, book, keys, lambda: datetime.now(UTC))

    def enqueue(entries: Sequence[bytes]) -> None:
        book.enqueue([Entry.of(entry, [entry[:32]]) for entry in entries], datetime.now(UTC))

    log.step()
    return enqueue, log.step


def _their_writer(folder: Path) -> Writer:
    import aics_tlog  # noqa: PLC0415 (installed by main)
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey  # noqa: PLC0415 (for this peer)

    store = aics_tlog.DirectoryTileStore(folder)
    writer = aics_tlog.IncrementalTileWriter(store, prune_partials=False)
    private = Ed25519PrivateKey.generate()

    waiting: list[bytes] = []

    def publish() -> None:
        grown = writer.append(waiting)
        waiting.clear()
        point = aics_tlog.Checkpoint(ORIGIN, grown.size, grown.root)
        store.write_checkpoint(aics_tlog.sign_checkpoint(point, private, ORIGIN).to_bytes())

    return waiting.extend, publish


def receipts() -> Iterator[Row]:
    """Receipts verified offline, from `benchmarks/receipts.py`."""
    from receipts import measure  # noqa: PLC0415 (stands beside this file; needs the test corpus)

    yield from measure()


class Rate:
    """Work done over time spent, added up over turns."""

    def __init__(self, clock: Callable[[], float] = time.thread_time) -> None:
        self._clock = clock
        self._work = 0
        self._spent = 0.0
        self._start = 0.0

    def of(self, work: int) -> Rate:
        """The next turn does so much; use as a context."""
        self._work += work
        return self

    def __enter__(self) -> None:
        self._start = self._clock()

    def __exit__(self, *_: object) -> None:
        self._spent += self._clock() - self._start

    @property
    def value(self) -> float:
        """Work per second."""
        return self._work / self._spent


def _warm(files: Files, size: int) -> TileReader:
    reader = TileReader(_fetch(files), size, cache=8192)
    for index in range(0, size, 256):
        reader.inclusion_proof(index)
    return reader


def _fetch(files: Files) -> Callable[[str], bytes]:
    def fetch(path: str) -> bytes:
        try:
            return files[path]
        except KeyError as error:
            raise Unavailable("ledger.object_missing", path=path) from error

    return fetch


def _row(name: str, value: float, unit: str, peer: str | None, peer_value: float | None) -> Row:
    ratio = round(value / peer_value, 2) if peer_value else None
    shown = round(peer_value, 1) if peer_value else None
    return {"name": name, "value": round(value, 1), "unit": unit, "peer": peer, "peer_value": shown, "ratio": ratio}


def _line(row: Row) -> str:
    beside = f"{row['ratio']:>7} x {row['peer']} ({row['peer_value']:,})" if row["peer"] else ""
    return f"{row['name']:44} {row['value']:>13,} {row['unit']:14} {beside}"


if __name__ == "__main__":
    main()
