from __future__ import annotations

import random
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from world import naive
from world.data import shared_data

from chopmark.base.errors import Invalid, Unavailable
from chopmark.ledger import tiles, tree
from chopmark.ledger.checkpoint import open_checkpoint
from chopmark.ledger.keys import VerifierKey

ENTRIES = [f"entry {index}".encode() * (index % 4) for index in range(70_000)]
PATH = re.compile(r"tile/(entries|[0-9]+)/((?:x[0-9]{3}/)*[0-9]{3})(?:\.p/([1-9][0-9]{0,2}))?")


def fetch_from(files: dict[str, bytes]):
    def fetch(path: str) -> bytes:
        if path not in files:
            raise Unavailable("ledger.object_missing", path=path)
        return files[path]

    return fetch


@pytest.fixture(scope="module")
def published() -> tuple[tiles.Edge, dict[str, bytes]]:
    return tiles.integrate(tiles.Edge(), ENTRIES)


def test_paths_are_written_as_the_specification_does():
    assert tiles.tile_path(0, 1_234_067) == "tile/0/x001/x234/067"
    assert tiles.tile_path(0, 1_234, 5) == "tile/0/x001/234.p/5"
    assert tiles.tile_path(63, 0, 255) == "tile/63/000.p/255"
    assert tiles.bundle_path(0, 5) == "tile/entries/000.p/5"
    assert tiles.bundle_path(1000) == "tile/entries/x001/000"


@given(index=st.integers(0, 2**63 - 1), width=st.integers(1, 256))
def test_no_two_tiles_share_a_path(index, width):
    match = PATH.fullmatch(tiles.tile_path(0, index, width))
    assert match
    assert int(match[2].replace("/", "").replace("x", "")) == index
    assert int(match[3] or 256) == width


@pytest.mark.parametrize(
    ("level", "index", "width"), [(-1, 0, 1), (64, 0, 1), (0, -1, 1), (0, 2**63, 1), (0, 0, 0), (0, 0, 257)]
)
def test_tiles_that_cannot_be_have_no_path(level, index, width):
    with pytest.raises(Invalid, match=r"ledger\.tile_outside"):
        tiles.tile_path(level, index, width)


@given(st.lists(st.binary(max_size=300), max_size=256))
def test_bundles_come_back_as_they_went(entries):
    assert tiles.decode_bundle(tiles.encode_bundle(entries)) == entries


@given(st.binary(max_size=60))
def test_bytes_are_one_bundle_or_none(data):
    try:
        entries = tiles.decode_bundle(data)
    except Invalid:
        return
    assert tiles.encode_bundle(entries) == data


BAD_BUNDLES = {
    "half a length": b"\x00",
    "a length without its entry": b"\x00\x02a",
    "an entry and half a length": b"\x00\x01a\x00",
    "257 entries": b"\x00\x00" * 257,
}


@pytest.mark.parametrize("title", BAD_BUNDLES)
def test_malformed_bundles_are_refused(title):
    with pytest.raises(Invalid, match=r"ledger\.bundle_malformed"):
        tiles.decode_bundle(BAD_BUNDLES[title])


def test_entries_up_to_65535_bytes_and_no_longer():
    edge, _ = tiles.integrate(tiles.Edge(), [bytes(65_535)])
    assert edge.size == 1
    with pytest.raises(Invalid, match=r"ledger\.entry_too_large size=65536 limit=65535"):
        tiles.integrate(edge, [b"", bytes(65_536)])


def test_a_tree_of_70000_is_the_one_of_the_specification(published):
    edge, files = published
    names = set(files)
    assert len([name for name in names if re.fullmatch(r"tile/0/[0-9]{3}", name)]) == 273
    assert {"tile/0/273.p/112", "tile/1/000", "tile/1/001.p/17", "tile/2/000.p/1", "tile/entries/273.p/112"} <= names
    assert len(names) == 273 + 1 + 1 + 1 + 1 + 274
    assert edge.size == 70_000


def test_a_tree_of_256_has_a_full_tile_and_one_hash_above():
    _, files = tiles.integrate(tiles.Edge(), ENTRIES[:256])
    assert sorted(files) == ["tile/0/000", "tile/1/000.p/1", "tile/entries/000"]


def test_roots_equal_the_naive_tree():
    edge = tiles.Edge()
    assert edge.root() == tree.EMPTY_ROOT
    for size in range(1, 300):
        edge, _ = tiles.integrate(edge, [ENTRIES[size - 1]])
        assert edge.root() == naive.mth(ENTRIES[:size])


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(0, 700), max_size=8))
def test_batches_of_any_size_make_the_same_files(batches):
    edge, files, size = tiles.Edge(), {}, 0
    for batch in batches:
        edge, new = tiles.integrate(edge, ENTRIES[size : size + batch])
        size += batch
        assert not set(new) & set(files), "no file is ever written twice"
        files |= new
        assert tiles.TileReader(fetch_from(files), size).edge() == edge
    whole, at_once = tiles.integrate(tiles.Edge(), ENTRIES[:size])
    assert edge == whole
    assert at_once.items() <= files.items()
    assert edge.root() == naive.mth(ENTRIES[:size])


def test_nothing_appended_makes_no_file():
    edge, _ = tiles.integrate(tiles.Edge(), ENTRIES[:5])
    assert tiles.integrate(edge, []) == (edge, {})


def test_the_reader_equals_the_naive_tree_at_older_sizes(published):
    _, files = published
    reader = tiles.TileReader(fetch_from(files), len(ENTRIES))
    for size in (1, 2, 255, 256, 257, 300, 511, 512, 1000):
        some = ENTRIES[:size]
        assert reader.root(size) == naive.mth(some)
        for index in {0, size // 3, size - 1}:
            assert reader.inclusion_proof(index, size) == naive.path(index, some)
        for old in {1, size // 2, size}:
            assert reader.consistency_proof(old, size) == naive.proof(old, some)


def test_the_reader_proves_the_published_size(published):
    edge, files = published
    reader = tiles.TileReader(fetch_from(files), len(ENTRIES), cache=4)
    root = reader.root()
    assert root == edge.root()
    chosen = random.Random(1).sample(range(len(ENTRIES)), 50)  # noqa: S311 (a fixed choice, nothing secret)
    for index in [0, 255, 256, 65_535, 65_536, 69_999, *chosen]:
        assert reader.entry(index) == ENTRIES[index]
        leaf = tree.leaf_hash(ENTRIES[index])
        tree.verify_inclusion(leaf=leaf, index=index, size=70_000, proof=reader.inclusion_proof(index), root=root)
    assert reader.edge() == edge


def test_the_reader_falls_back_to_the_full_tile_when_the_partial_one_is_gone():
    edge, files = tiles.integrate(tiles.Edge(), ENTRIES[:300])
    later, more = tiles.integrate(edge, ENTRIES[300:600])
    kept = {path: data for path, data in (files | more).items() if not path.endswith((".p/44", "1/000.p/1"))}
    reader = tiles.TileReader(fetch_from(kept | {"tile/1/000.p/1": files["tile/1/000.p/1"]}), 300)
    assert "tile/0/001.p/44" not in kept
    assert reader.root() == edge.root()
    assert reader.entry(299) == ENTRIES[299]
    assert reader.edge() == edge
    assert later.size == 600


def test_a_missing_tile_is_unavailable_and_a_short_one_refused():
    _, files = tiles.integrate(tiles.Edge(), ENTRIES[:300])
    without = {path: data for path, data in files.items() if path != "tile/0/001.p/44"}
    with pytest.raises(Unavailable):
        tiles.TileReader(fetch_from(without), 300).root()
    for damaged in (files["tile/0/001.p/44"][:-1], files["tile/0/001.p/44"] + bytes(32), b""):
        with pytest.raises(Invalid, match=r"ledger\.tile_malformed path='tile/0/001\.p/44'"):
            tiles.TileReader(fetch_from(files | {"tile/0/001.p/44": damaged}), 300).root()
    with pytest.raises(Invalid, match=r"ledger\.bundle_malformed"):
        tiles.TileReader(fetch_from(files | {"tile/entries/001.p/44": b"\x00\x00"}), 300).entry(256)


@pytest.mark.parametrize("index", [-1, 300, 2**63])
def test_the_reader_knows_nothing_outside_the_published_size(published, index):
    reader = tiles.TileReader(fetch_from(published[1]), 300)
    with pytest.raises(Invalid, match=r"ledger\.index_outside"):
        reader.entry(index)
    with pytest.raises(Invalid, match=r"ledger\.index_outside"):
        reader.nodes(0, index)
    with pytest.raises(Invalid, match=r"ledger\.index_outside"):
        reader.root(301)


def test_an_edge_that_does_not_fit_its_size_cannot_be_made():
    with pytest.raises(Invalid, match=r"ledger\.edge_malformed"):
        tiles.Edge(size=2, tiles=(bytes(32),), bundle=b"\x00\x00" * 2)
    with pytest.raises(Invalid, match=r"ledger\.edge_malformed"):
        tiles.Edge(size=1, tiles=(bytes(32),), bundle=b"")


def test_a_whole_log_of_another_implementation_verifies():
    folder = shared_data("tlog-log")
    vkey = next(line for line in (folder / "SOURCE.txt").read_text().splitlines() if line.startswith("vkey: "))
    key = VerifierKey.parse(vkey.removeprefix("vkey: "))

    def fetch(path: str) -> bytes:
        try:
            return (folder / "log" / path).read_bytes()
        except FileNotFoundError as error:
            raise Unavailable("ledger.object_missing", path=path) from error

    heads = {}
    for size in range(16):
        checkpoint, (signature,) = open_checkpoint((folder / "log" / f"checkpoint.{size}").read_bytes(), [key])
        assert (checkpoint.size, signature.key) == (size, key)
        reader = tiles.TileReader(fetch, size)
        entries = [reader.entry(index) for index in range(size)]
        assert reader.root() == naive.mth(entries) == checkpoint.root
        edge, files = tiles.integrate(tiles.Edge(), entries)
        assert reader.edge() == edge
        assert all(fetch(path) == data for path, data in files.items())
        for old, old_root in heads.items():
            if old:
                proof = reader.consistency_proof(old)
                tree.verify_consistency(old=old, old_root=old_root, size=size, root=checkpoint.root, proof=proof)
        heads[size] = checkpoint.root
    assert len(heads) == 16
