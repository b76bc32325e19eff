"""The index of codes, against a full count and against faiss's tables, in the same run on the same machine.

    ./run bench media_index [--json] [--full | --quick]

A million codes of 256 bits (ten million with `--full`, a hundred thousand with `--quick`), half of them by chance, half
in families of near ones, as the pictures of one work are.
Queries are codes of the index with 0 to 31 bits turned, evenly; an answer counts when it has
the code it was made from. Per CPU second of one thread. Peers: faiss BinaryFlat (counts everything) and faiss
MultiHash, 10 bands of 24 bits, one bit turned (at a million only: at ten it takes 7 GB). Also: how long the index takes
to build, to write, to map again with its checksum, what it holds in memory and on disk, and when a new code is found.
"""

from __future__ import annotations

import json
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import faiss
import numpy as np
import numpy.typing as npt

from chopmark.media.index.bands import codes_of, words_of
from chopmark.media.index.codes import CodeIndex
from chopmark.media.index.segment import Segment

FEW, MILLION = 100_000, 1_000_000
FULL = 10 * MILLION
QUERIES = 4000
FLAT_QUERIES = 60
RADIUS = 31
FAMILY = 10
Codes = npt.NDArray[np.uint8]
Row = dict[str, object]


def main() -> None:
    """Print a table, or one JSON object a line."""
    faiss.omp_set_num_threads(1)
    sizes = [MILLION, FULL] if "--full" in sys.argv[1:] else [FEW] if "--quick" in sys.argv[1:] else [MILLION]
    for row in (row for size in sizes for row in rows(size)):
        print(json.dumps(row) if "--json" in sys.argv[1:] else _line(row), flush=True)


def rows(count: int) -> Iterator[Row]:
    """Every measurement for so many codes."""
    rng = np.random.default_rng(1)
    codes = _codes(count, rng)
    queries, wanted = _queries(codes, QUERIES, rng)
    name = f"index {count:.0e}".replace("e+0", "e")
    spent, flat_found = _flat(codes, queries[:FLAT_QUERIES])
    flat_rate = FLAT_QUERIES / spent
    before = _held()
    built = time.process_time()
    source = _Rows(codes)
    with tempfile.TemporaryDirectory(dir=Path(__file__).resolve().parent) as folder:
        index = CodeIndex(Path(folder), source, "bench")
        index._state = index._state.__class__(seen=source.last(), recent=(_segment(codes),))  # noqa: SLF001 (rows of a database would be read one by one)
        index._opened = True  # noqa: SLF001 (as above)
        yield _row(f"{name}: build", time.process_time() - built, "s")
        wrote = time.perf_counter()
        index.build(whole=True)
        yield _row(f"{name}: write and map", time.perf_counter() - wrote, "s")
        size = sum(each.stat().st_size for each in Path(folder).iterdir())
        yield _row(f"{name}: on disk", size / 1e6, "MB", "codes alone", count * 32 / 1e6)
        again = CodeIndex(Path(folder), source, "bench")
        loaded = time.perf_counter()
        again.size()
        yield _row(f"{name}: load with checksum", time.perf_counter() - loaded, "s")
        again.search(queries[:200], RADIUS)
        spent, met = _timed(lambda: {(each.query, each.id) for each in again.search(queries, RADIUS)})
        rate = len(queries) / spent
        yield _row(f"{name}: queries", rate, "/CPU s", "faiss flat", flat_rate)
        recall = float(np.mean([(at, int(each)) in met for at, each in enumerate(wanted)]))
        yield _row(f"{name}: recall within {RADIUS} bits", recall, "of planted")
        mine = {pair for pair in met if pair[0] < FLAT_QUERIES}
        yield _row(f"{name}: all that counting finds", len(mine & flat_found) / len(flat_found), "of pairs")
        yield _row(f"{name}: held beyond the codes", max(0.0, _held() - before), "MB")
        source.add(codes_of(words_of(queries[:1])))
        came = time.perf_counter()
        there = any(each.id == count for each in again.search(queries[:1], 0))
        yield _row(f"{name}: a new code is found after", time.perf_counter() - came if there else -1.0, "s")
    if count <= MILLION:
        rate, recall = _multi_hash(codes, queries, wanted)
        yield _row(f"{name}: faiss MultiHash 10x24", rate, "/CPU s")
        yield _row(f"{name}: faiss MultiHash recall", recall, "of planted")


def _codes(count: int, rng: np.random.Generator) -> Codes:
    """Half by chance, half in families whose members differ in some 12 bits from their first."""
    codes = np.frombuffer(rng.bytes(count * 32), np.uint8).reshape(-1, 32).copy()
    half = count // 2
    for member in range(1, FAMILY):
        first, kin = codes[:half:FAMILY], codes[member:half:FAMILY]
        kin[:] = first[: len(kin)]
        for _ in range(12):
            place = rng.integers(0, 256, len(kin))
            kin[np.arange(len(kin)), place >> 3] ^= (1 << (place & 7)).astype(np.uint8)
    return codes


def _queries(codes: Codes, count: int, rng: np.random.Generator) -> tuple[Codes, npt.NDArray[np.int64]]:
    chosen = rng.integers(0, len(codes), count)
    bits = np.unpackbits(codes[chosen], axis=1)
    for row in bits:
        row[rng.choice(256, int(rng.integers(0, RADIUS + 1)), replace=False)] ^= 1
    return np.packbits(bits, axis=1), chosen


class _Rows:
    """Codes as rows; those of the beginning are handed over at once."""

    def __init__(self, codes: Codes) -> None:
        self._count, self._more = len(codes), np.empty((0, 32), np.uint8)

    def add(self, codes: Codes) -> None:
        self._more = np.concatenate([self._more, codes])

    def last(self) -> int:
        return self._count + len(self._more)

    def added(self, after: int, last: int, limit: int) -> Sequence[tuple[int, int, bytes]]:
        first = max(after - self._count, 0)
        some = self._more[first : min(last - self._count, first + limit)]
        return [
            (self._count + first + at + 1, self._count + first + at, each.tobytes()) for at, each in enumerate(some)
        ]

    def gone(self, after: int, last: int) -> Sequence[int]:
        del after, last
        return []


def _segment(codes: Codes) -> Segment:
    return Segment.build(np.arange(len(codes)), words_of(codes))


def _flat(codes: Codes, queries: Codes) -> tuple[float, set[tuple[int, int]]]:
    index = faiss.IndexBinaryFlat(256)
    index.add(codes)
    spent, (limits, _, ids) = _timed(lambda: index.range_search(queries, RADIUS + 1))
    return spent, {(at, int(each)) for at in range(len(queries)) for each in ids[limits[at] : limits[at + 1]]}


def _multi_hash(codes: Codes, queries: Codes, wanted: npt.NDArray[np.int64]) -> tuple[float, float]:
    index = faiss.IndexBinaryMultiHash(256, 10, 24)
    index.nflip = 1
    index.add(codes)
    index.range_search(queries[:200], RADIUS + 1)
    spent, (limits, _, ids) = _timed(lambda: index.range_search(queries, RADIUS + 1))
    met = [int(each) in set(ids[limits[at] : limits[at + 1]].tolist()) for at, each in enumerate(wanted)]
    return len(queries) / spent, float(np.mean(met))


def _timed(work: Callable[[], object]) -> tuple[float, object]:
    started = time.process_time()
    done = work()
    return time.process_time() - started, done


def _held() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000


def _row(name: str, value: float, unit: str, peer: str = "", peer_value: float | None = None) -> Row:
    ratio = value / peer_value if peer_value else None
    return {"name": name, "value": value, "unit": unit, "peer": peer, "peer_value": peer_value, "ratio": ratio}


def _line(row: Row) -> str:
    peer = f"   {row['peer']} {row['peer_value']:,.3g}, ratio {row['ratio']:,.3g}" if row["peer"] else ""
    return f"{row['name']:<48}{row['value']:>14,.4g} {row['unit']}{peer}"


if __name__ == "__main__":
    main()
