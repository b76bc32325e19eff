"""The index of codes: nothing near is missed, nothing is returned that is not near, no crash loses a code."""

from __future__ import annotations

import os
import resource
import shutil
import signal
import subprocess
import sys
import time
import tracemalloc
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from chopmark.base.errors import Invalid, Unavailable
from chopmark.media.index import bands, segment
from chopmark.media.index.bands import Arrangement, Bands, arrangement, codes_of, distances, keys, words_of
from chopmark.media.index.codes import CodeIndex
from chopmark.media.index.segment import Segment

Codes = npt.NDArray[np.uint8]


class Rows:
    """The truth, in memory: every change has a number."""

    def __init__(self) -> None:
        self.came: list[tuple[int, int, bytes]] = []
        self.went: list[tuple[int, int]] = []
        self.number = 0

    def add(self, codes: Codes) -> list[int]:
        ids = []
        for code in codes:
            self.number += 1
            self.came.append((self.number, self.number, code.tobytes()))
            ids.append(self.number)
        return ids

    def remove(self, identity: int) -> None:
        self.number += 1
        self.went.append((self.number, identity))

    def last(self) -> int:
        return self.number

    def added(self, after: int, last: int, limit: int) -> Sequence[tuple[int, int, bytes]]:
        gone = {each for _, each in self.went}
        fits = [each for each in self.came if after < each[0] <= last and each[1] not in gone]
        return fits[:limit]

    def gone(self, after: int, last: int) -> Sequence[int]:
        return [identity for number, identity in self.went if after < number <= last]

    def near(self, codes: Codes, radius: int) -> set[tuple[int, int, int]]:
        """The naive twin: every code is counted, bit by bit."""
        gone = {each for _, each in self.went}
        alive = [(identity, code) for _, identity, code in self.came if identity not in gone]
        return {
            (at, identity, apart)
            for at, query in enumerate(codes)
            for identity, code in alive
            if (apart := (int.from_bytes(query.tobytes()) ^ int.from_bytes(code)).bit_count()) <= radius
        }


def random_codes(count: int, seed: int = 1) -> Codes:
    return np.random.default_rng(seed).integers(0, 256, (count, 32), np.uint8)


def turned(codes: Codes, bits: Sequence[int], seed: int = 2) -> Codes:
    """Each code with so many of its bits turned."""
    rng = np.random.default_rng(seed)
    spread = np.unpackbits(codes, axis=1)
    for row, count in zip(spread, bits, strict=True):
        row[rng.choice(256, count, replace=False)] ^= 1
    return np.packbits(spread, axis=1)


def found(index: CodeIndex, codes: Codes, radius: int = 31) -> set[tuple[int, int, int]]:
    return {(each.query, each.id, each.distance) for each in index.search(codes, radius)}


@given(st.lists(st.binary(min_size=32, max_size=32), min_size=1, max_size=20))
def test_words_are_the_same_bits_as_bytes(some: list[bytes]) -> None:
    codes = np.frombuffer(b"".join(some), np.uint8).reshape(-1, 32)
    words = words_of(codes)
    assert np.array_equal(codes_of(words), codes)
    whole = [int.from_bytes(each) for each in some]
    for shape in (Arrangement(bands=16, width=16), Arrangement(bands=13, width=19), Arrangement(bands=12, width=21)):
        for band in range(shape.bands):
            below = 256 - (band + 1) * shape.width
            assert keys(words, band, shape.width).tolist() == [
                (each >> below) & ((1 << shape.width) - 1) for each in whole
            ]
    apart = distances(words[:, None, :], words[None, :, :])
    assert apart.tolist() == [[(one ^ other).bit_count() for other in whole] for one in whole]


def test_a_code_and_its_opposite_are_256_bits_apart() -> None:
    words = words_of(np.array([[0] * 32, [255] * 32], np.uint8))
    assert distances(words[0], words[1]) == 256


@pytest.mark.parametrize("count", [1 << 18, 1 << 20, 1 << 22, 1 << 24])
def test_every_arrangement_fits_a_code(count: int) -> None:
    shape = arrangement(count)
    assert shape.bands * shape.width <= 256
    assert shape.certain >= 23


@pytest.mark.parametrize("shape", [Arrangement(bands=16, width=16), Arrangement(bands=12, width=12)])
def test_everything_within_the_certain_distance_is_met(shape: Arrangement) -> None:
    codes = random_codes(5000)
    bits = [each % (shape.certain + 1) for each in range(300)]
    queries = turned(codes[:300], bits)
    near = Bands.build(words_of(codes), shape).search(words_of(queries), shape.certain)
    met = dict(zip(zip(near.query.tolist(), near.row.tolist(), strict=True), near.distance.tolist(), strict=True))
    assert all(met.get((each, each)) == bits[each] for each in range(300))
    assert len(met) == len(near.query)  # each pair once


def test_a_crowded_band_is_counted_in_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bands, "STEP", 97)
    monkeypatch.setattr(bands, "MOST", 4000)
    codes = np.concatenate([turned(np.repeat(random_codes(1), 3000, axis=0), [5] * 3000), random_codes(1000, 3)])
    made = Bands.build(words_of(codes))
    near, flat = (made.search(words_of(codes[:5]), 31, exact=exact) for exact in (False, True))
    assert set(zip(near.query.tolist(), near.row.tolist(), strict=True)) == set(
        zip(flat.query.tolist(), flat.row.tolist(), strict=True)
    )
    assert len(near.query) >= 5 * 3000


def flooded(count: int, bits: int = 6, seed: int = 5) -> tuple[Codes, Codes]:
    """A code, and so many that differ from it in some bits."""
    rng = np.random.default_rng(seed)
    base = random_codes(1, seed)
    many = words_of(np.repeat(base, count, axis=0))
    for _ in range(bits):
        at = rng.integers(0, 256, count)
        many[np.arange(count), at // 64] ^= np.uint64(1) << (at % 64).astype(np.uint64)
    return base, codes_of(many)


def counting(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many codes are compared with a query at a time, from now on."""
    counted: list[int] = []

    def seen(some: bands.Words, others: bands.Words) -> npt.NDArray[np.uint16]:
        found = distances(some, others)
        counted.append(found.size)
        return found

    monkeypatch.setattr(bands, "distances", seen)
    return counted


def test_among_200_000_codes_alike_a_query_compares_a_bounded_number(monkeypatch: pytest.MonkeyPatch) -> None:
    base, many = flooded(200_000)
    others = random_codes(20_000, 7)
    made = Bands.build(words_of(np.concatenate([others[:10_000], many, others[10_000:]])))
    counted = counting(monkeypatch)
    near = made.search(words_of(base), 31)
    assert sum(counted) <= made.shape.bands * bands.MET
    assert near.crowded.tolist() == [0]
    assert len(near.row) == bands.MOST
    counted.clear()
    queries = turned(others[[0, 9_999, 10_000, 19_999]], [10] * 4)
    near = made.search(words_of(queries), 31)  # nothing that stands beside the crowd is lost to it
    assert near.crowded.tolist() == []
    assert near.row.tolist() == [0, 9_999, 210_000, 219_999]
    both = made.search(words_of(np.concatenate([queries, base, queries])), 31)
    assert both.crowded.tolist() == [4]
    assert set(both.query.tolist()) == set(range(9))


def test_who_comes_later_crowds_out_nobody_who_was_there_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows, index = Rows(), None
    base, many = flooded(9_000)
    for some in (many[:3000], base, many[3000:]):
        rows.add(some)
        index = CodeIndex(tmp_path, rows, "test")
        index.build()
    assert index is not None
    rows.remove(3000)
    index.build(whole=True)
    [part] = index.refresh().stored
    assert part.ids.tolist() == sorted(part.ids.tolist())
    monkeypatch.setattr(bands, "MET", 7000)  # of 9,000 in each band
    assert index.search(base)[0].id == 3001  # there are 6,000 younger ones
    assert index.nearest(base).crowded == 1


def test_an_index_of_common_size_leaves_out_nothing() -> None:
    codes = random_codes(100_000)
    near = Bands.build(words_of(codes)).search(words_of(turned(codes[:300], [31] * 300)), 31)
    assert near.crowded.tolist() == []
    assert {(each, each) for each in range(300)} <= set(zip(near.query.tolist(), near.row.tolist(), strict=True))


def test_however_many_there_are_what_an_even_spread_meets_is_counted() -> None:
    for count in (5_000, 1 << 18, 1 << 22):
        shape = arrangement(count)
        even = count * (shape.width + 1) / (1 << shape.width)
        empty = Bands(np.empty((count, 0), np.uint64), np.empty(0, np.uint32), np.empty(0, np.uint32), shape)
        assert empty.most_met >= 3 * even * 1.0
    widest = Arrangement(bands=12, width=21)
    many = Bands(np.empty((10**9, 0), np.uint64), np.empty(0, np.uint32), np.empty(0, np.uint32), widest)
    assert many.most_met > 3 * 10**9 * 22 / (1 << 21)


def test_codes_that_are_gone_take_no_place_of_those_that_are_not(tmp_path: Path) -> None:
    rows = Rows()
    base, many = flooded(bands.MOST + 500, bits=2)
    last = turned(base, [20])
    ids = rows.add(np.concatenate([many, last, random_codes(20_000, 9)]))
    index = CodeIndex(tmp_path, rows, "test")
    index.build()
    for each in ids[: len(many)]:
        rows.remove(each)
    assert {each.id for each in index.search(base)} == {ids[len(many)]}
    assert index.nearest(base).crowded == 0


@given(
    st.lists(st.lists(st.integers(0, 50), min_size=5, max_size=5), min_size=1, max_size=6),
    st.integers(5, 120),
)
def test_what_a_query_counts_is_shared_out_from_the_least_on(met: list[list[int]], most: int) -> None:
    counted, over = bands._bounded(np.array(met, np.int64), most)
    for row, left, crowded in zip(met, counted.tolist(), over.tolist(), strict=True):
        assert crowded == (sum(row) > most)
        assert all(0 <= each <= whole for each, whole in zip(left, row, strict=True))
        if not crowded:
            assert left == row
            continue
        assert most - len(row) < sum(left) <= most
        cut = [each for each, whole in zip(left, row, strict=True) if each < whole]
        assert len(set(cut)) == 1
        assert max(left) == cut[0]


def test_what_is_added_or_taken_away_counts_at_once(tmp_path: Path) -> None:
    rows = Rows()
    index = CodeIndex(tmp_path / "codes", rows, "test")
    codes = random_codes(4000)
    assert not index.search(codes[:1])
    ids = rows.add(codes)
    assert found(index, codes[:3]) == {(0, ids[0], 0), (1, ids[1], 0), (2, ids[2], 0)}
    rows.remove(ids[1])
    assert found(index, codes[:3]) == {(0, ids[0], 0), (2, ids[2], 0)}
    assert index.build()
    assert not index.build()
    other = CodeIndex(tmp_path / "codes", rows, "test")
    rows.remove(ids[2])
    assert found(other, codes[:3]) == found(index, codes[:3]) == {(0, ids[0], 0)}
    assert other.build()
    third = CodeIndex(tmp_path / "codes", rows, "test")
    assert found(third, codes[:3]) == {(0, ids[0], 0)}
    assert found(index, codes[:3]) == {(0, ids[0], 0)}


def test_an_index_of_another_algorithm_is_not_read(tmp_path: Path) -> None:
    rows = Rows()
    rows.add(random_codes(10))
    CodeIndex(tmp_path, rows, "old").build()
    assert CodeIndex(tmp_path, Rows(), "new").size().codes == 0


def test_an_older_database_put_back_is_read_anew(tmp_path: Path) -> None:
    codes, rows = random_codes(20), Rows()
    rows.add(codes)
    CodeIndex(tmp_path, rows, "test").build()
    older = Rows()
    older.add(codes[:5])
    index = CodeIndex(tmp_path, older, "test")
    assert index.size().codes == 5
    assert not index.search(codes[10:11])


@pytest.mark.parametrize("spoil", ["cut", "turned", "gone", "manifest", "empty manifest"])
def test_damaged_files_are_given_up_and_the_rows_read_again(tmp_path: Path, spoil: str) -> None:
    rows, codes = Rows(), random_codes(3000)
    ids = rows.add(codes)
    CodeIndex(tmp_path, rows, "test").build()
    [path] = tmp_path.glob("*.codes")
    data = bytearray(path.read_bytes())
    match spoil:
        case "cut":
            path.write_bytes(data[:-100])
        case "turned":
            data[-5000] ^= 1
            path.write_bytes(data)
        case "gone":
            path.unlink()
        case "manifest":
            (tmp_path / "manifest").write_bytes(b"\xa0")
        case _:
            (tmp_path / "manifest").write_bytes(b"")
    index = CodeIndex(tmp_path, rows, "test")
    assert index.size().damaged
    assert found(index, codes[7:8]) == {(0, ids[7], 0)}
    assert index.build()
    again = CodeIndex(tmp_path, rows, "test")
    assert not again.size().damaged
    assert found(again, codes[7:8]) == {(0, ids[7], 0)}


def test_thousands_of_codes_alike_cost_bounded_memory_and_the_nearest_are_found(tmp_path: Path) -> None:
    rows, base = Rows(), random_codes(1)
    rows.add(turned(np.repeat(base, 6000, axis=0), [each % 20 for each in range(6000)]))
    index = CodeIndex(tmp_path, rows, "test")
    index.build()
    assert len({each.id for each in index.search(base)}) == bands.MOST
    assert {each.distance for each in index.search(base)} == {0, 1, 2, 3}  # 300 of each
    assert {each.distance for each in index.search(base, exact=True)} == {0, 1, 2, 3}
    queries = np.repeat(base, 500, axis=0)
    tracemalloc.start()
    nearest = index.nearest(queries)
    assert tracemalloc.get_traced_memory()[1] < 200_000_000
    tracemalloc.stop()
    met = nearest.codes
    assert nearest.crowded == 500  # more than `MOST` are alike
    assert [each.distance for each in met] == sorted(each.distance for each in met)
    assert {each.query for each in met} == {0}


def test_a_disk_that_is_full_leaves_the_index_as_it_was(tmp_path: Path) -> None:
    rows, codes = Rows(), random_codes(3000)
    rows.add(codes)
    index = CodeIndex(tmp_path, rows, "test")
    index.build()
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    rows.add(random_codes(3000, 9))
    most = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, most[1]))
        with pytest.raises(Unavailable, match=r"media\.index_unwritable"):
            index.build()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, most)
        signal.signal(signal.SIGXFSZ, handler)
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before
    assert index.size().codes == 6000
    assert index.build()


def test_a_folder_that_is_deleted_while_it_is_searched_is_written_again(tmp_path: Path) -> None:
    rows, codes = Rows(), random_codes(3000)
    rows.add(codes)
    index = CodeIndex(tmp_path / "codes", rows, "test")
    index.build()
    shutil.rmtree(tmp_path / "codes")
    assert found(index, codes[7:8]) == {(0, 8, 0)}
    assert index.build()
    assert not CodeIndex(tmp_path / "codes", rows, "test").size().damaged


def test_an_index_replaced_while_it_is_read_is_not_taken_for_damaged(tmp_path: Path, monkeypatch) -> None:
    rows, codes = Rows(), random_codes(3000)
    rows.add(codes)
    builder = CodeIndex(tmp_path, rows, "test")
    builder.build()
    read, late = segment.read, [1]

    def replaced(path: Path) -> Segment:
        if late:
            late.pop()
            rows.add(random_codes(3000, 3))
            builder.build(whole=True)  # between the manifest and the segment that it named
        return read(path)

    reader = CodeIndex(tmp_path, rows, "test")
    monkeypatch.setattr(segment, "read", replaced)
    assert not reader.size().damaged
    assert reader.size().on_disk == 6000


@given(st.binary(max_size=300))
def test_no_bytes_are_a_segment_by_accident(data: bytes) -> None:
    path = Path(os.environ["CHOPMARK_HOME"]) / "any.codes"
    path.write_bytes(segment.MAGIC + data)
    with pytest.raises(Invalid, match=r"media\.index_damaged"):
        segment.read(path)


def test_a_segment_reads_back_as_it_was_written(tmp_path: Path) -> None:
    made = Segment.build(np.arange(3000) * 7, words_of(random_codes(3000)))
    segment.write(made, tmp_path / "a.codes")
    read = segment.read(tmp_path / "a.codes")
    assert np.array_equal(read.ids, made.ids)
    assert np.array_equal(read.bands.words, made.bands.words)
    assert np.array_equal(read.bands.order, made.bands.order)
    assert np.array_equal(read.bands.starts, made.bands.starts)


class Life(RuleBasedStateMachine):
    """Adds, removals, builds and restarts in any order: the index says what counting every row says."""

    @initialize()
    def start(self) -> None:
        self.folder = Path(os.environ["CHOPMARK_HOME"]) / f"index-{os.urandom(6).hex()}"
        self.rows = Rows()
        self.ids: list[int] = []
        self.index = CodeIndex(self.folder, self.rows, "test")
        self.base = random_codes(40)

    @rule(seed=st.integers(0, 1000), bits=st.lists(st.integers(0, 40), min_size=1, max_size=8))
    def add(self, seed: int, bits: list[int]) -> None:
        self.ids += self.rows.add(turned(self.base[: len(bits)], bits, seed))

    @rule(which=st.integers(0, 1000))
    def remove(self, which: int) -> None:
        if self.ids:
            self.rows.remove(self.ids.pop(which % len(self.ids)))

    @rule(whole=st.booleans())
    def build(self, whole: bool) -> None:  # noqa: FBT001 (Hypothesis passes it)
        self.index.build(whole=whole)

    @rule()
    def restart(self) -> None:
        self.index = CodeIndex(self.folder, self.rows, "test")

    @invariant()
    def says_what_counting_says(self) -> None:
        if hasattr(self, "index"):
            assert found(self.index, self.base[:4]) == self.rows.near(self.base[:4], 31)


Life.TestCase.settings = settings(max_examples=25, stateful_step_count=15, deadline=None)
TestLife = Life.TestCase

BUILDER = """
import sys
sys.path.insert(0, {tests!r})
from pathlib import Path
from test_index import Rows, random_codes
from chopmark.media.index.codes import CodeIndex
rows = Rows()
rows.add(random_codes(6000))
print("go", flush=True)
while True:
    index = CodeIndex(Path({folder!r}), rows, "test")
    rows.add(random_codes(500, rows.number))
    index.build(whole=True)
"""


@pytest.mark.crash
def test_a_build_that_is_killed_leaves_the_index_before_or_after(tmp_path: Path) -> None:
    rows, codes = Rows(), random_codes(6000)
    rows.add(codes)
    CodeIndex(tmp_path, rows, "test").build()
    for delay in (0.0, 0.15):
        text = BUILDER.format(tests=str(Path(__file__).parent), folder=str(tmp_path))
        process = subprocess.Popen([sys.executable, "-c", text], stdout=subprocess.PIPE)
        assert process.stdout is not None
        assert process.stdout.readline() == b"go\n"
        time.sleep(delay)
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()
        longer = Rows()
        longer.add(np.concatenate([codes, random_codes(20_000, 5)]))  # more than the other can have come to
        index = CodeIndex(tmp_path, longer, "test")
        assert not index.size().damaged
        assert found(index, codes[:2]) == {(0, 1, 0), (1, 2, 0)}
        index.build()
        assert {path.suffix for path in tmp_path.iterdir()} <= {".codes", ""}
