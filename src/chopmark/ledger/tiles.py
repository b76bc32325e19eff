"""The log as static files: C2SP tlog-tiles, 256 hashes wide.

    tile/<level>/<index>[.p/<width>]       32-byte hashes
    tile/entries/<index>[.p/<width>]       entries, each after its length in two bytes, big-endian

Computes which files a batch of entries makes, and reads trees, proofs and entries back from such files.
Writes and fetches nothing itself: files go out as a mapping and come in through a function.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from chopmark.base.errors import Invalid, Unavailable
from chopmark.ledger import tree
from chopmark.ledger.text import MAX_INT63
from chopmark.ledger.tree import HASH_SIZE

TILE_WIDTH = 256
TILE_HEIGHT = 8
MAX_LEVEL = 63
MAX_ENTRY = 65_535
_EDGE = 16
"""More partial tiles than a tree has."""


def tile_path(level: int, index: int, width: int = TILE_WIDTH) -> str:
    """Where the tile of hashes stands, for example `tile/0/x001/234.p/5`.

    Raises:
        Invalid: `ledger.tile_outside`.
    """
    if not 0 <= level <= MAX_LEVEL:
        raise Invalid("ledger.tile_outside", level=level, index=index, width=width)
    return f"tile/{level}/{_index_path(level, index, width)}"


def bundle_path(index: int, width: int = TILE_WIDTH) -> str:
    """Where the bundle of entries stands, for example `tile/entries/000.p/5`.

    Raises:
        Invalid: `ledger.tile_outside`.
    """
    return f"tile/entries/{_index_path(0, index, width)}"


def _index_path(level: int, index: int, width: int) -> str:
    if not 0 <= index <= MAX_INT63 or not 1 <= width <= TILE_WIDTH:
        raise Invalid("ledger.tile_outside", level=level, index=index, width=width)
    path = f"{index % 1000:03}"
    while index := index // 1000:
        path = f"x{index % 1000:03}/{path}"
    return path if width == TILE_WIDTH else f"{path}.p/{width}"


def encode_bundle(entries: Sequence[bytes]) -> bytes:
    """The entries one after the other, each behind its length.

    Raises:
        Invalid: `ledger.entry_too_large` above 65,535 bytes.
    """
    try:
        return b"".join([len(entry).to_bytes(2, "big") + entry for entry in entries])
    except OverflowError as error:
        raise Invalid("ledger.entry_too_large", size=max(map(len, entries)), limit=MAX_ENTRY) from error


def decode_bundle(data: bytes) -> list[bytes]:
    """The entries of a bundle, 256 at most.

    Raises:
        Invalid: `ledger.bundle_malformed` when the lengths do not fill the bytes exactly.
    """
    entries, here = [], 0
    while here < len(data):
        start = here + 2
        here = start + int.from_bytes(data[start - 2 : start], "big")
        entries.append(data[start:here])
    if here != len(data) or len(entries) > TILE_WIDTH:
        raise Invalid("ledger.bundle_malformed")
    return entries


@dataclass(frozen=True, slots=True, kw_only=True)
class Edge:
    """The right edge of a tree: all that is needed to go on appending.

    Attributes:
        size: number of leaves.
        tiles: for each level of tiles the hashes of its partial tile joined, empty bytes where the level is full.
        bundle: the encoded partial bundle of entries.
    """

    size: int = 0
    tiles: tuple[bytes, ...] = ()
    bundle: bytes = field(default=b"", repr=False)

    def __post_init__(self) -> None:
        widths = [width * HASH_SIZE for width in _widths(self.size)]
        if list(map(len, self.tiles)) != widths or len(decode_bundle(self.bundle)) != self.size % TILE_WIDTH:
            raise Invalid("ledger.edge_malformed", size=self.size)

    def root(self) -> bytes:
        """The root hash of the tree."""
        peaks: list[bytes] = []
        for tile in self.tiles:
            hashes = _split(tile)
            found = []
            while hashes:
                if len(hashes) & 1:
                    found.append(hashes[-1])
                hashes = tree.next_level(hashes)
            peaks.extend(found)
        return tree.fold(peaks[::-1])

    def files(self) -> dict[str, bytes]:
        """The partial tiles and the partial bundle of this size, each at its path."""
        files = {
            tile_path(level, self.size >> TILE_HEIGHT * (level + 1), len(tile) // HASH_SIZE): tile
            for level, tile in enumerate(self.tiles)
            if tile
        }
        if self.bundle:
            files[bundle_path(self.size // TILE_WIDTH, self.size % TILE_WIDTH)] = self.bundle
        return files


def partial_folders(size: int) -> Iterator[str]:
    """The folders of the partial tiles and the partial bundle that a tree of this size has."""
    level = 0
    while size:
        index, width = divmod(size, TILE_WIDTH)
        if width:
            yield f"{tile_path(level, index)}.p"
            if level == 0:
                yield f"{bundle_path(index)}.p"
        level, size = level + 1, index


def outgrown(old: int, new: int) -> Iterator[str]:
    """Those of the folders of `old` whose tile or bundle is full in the tree of `new` leaves."""
    still = set(partial_folders(new))
    yield from (folder for folder in partial_folders(old) if folder not in still)


def _widths(size: int) -> list[int]:
    """The width of the partial tile at each level of a tree, 0 where there is none; no level above the root's."""
    widths = []
    while size:
        widths.append(size % TILE_WIDTH)
        size //= TILE_WIDTH
    return widths


def _split(data: bytes) -> list[bytes]:
    return [data[here : here + HASH_SIZE] for here in range(0, len(data), HASH_SIZE)]


def integrate(
    edge: Edge, entries: Sequence[bytes], leaves: Sequence[bytes] | None = None
) -> tuple[Edge, dict[str, bytes]]:
    """Append entries: the new edge, and every file that the tree of the new size has and the old one had not.

    Args:
        edge: of the tree so far.
        entries: what comes behind it.
        leaves: their leaf hashes, if the caller has computed them already.

    Raises:
        Invalid: `ledger.entry_too_large`.
    """
    if not entries:
        return edge, {}
    files: dict[str, bytes] = {}
    size = edge.size + len(entries)
    bundle = _add_bundles(files, edge, entries)
    tiles: list[bytes] = []
    hashes = tree.leaf_hashes(entries) if leaves is None else list(leaves)
    level, before, after = 0, edge.size, size
    while after:
        kept = edge.tiles[level] if level < len(edge.tiles) else b""
        partial, hashes = _add_tiles(files, level, before // TILE_WIDTH, _split(kept) + hashes, changed=bool(hashes))
        tiles.append(partial)
        level, before, after = level + 1, before // TILE_WIDTH, after // TILE_WIDTH
    return Edge(size=size, tiles=tuple(tiles), bundle=bundle), files


def _add_bundles(files: dict[str, bytes], edge: Edge, entries: Sequence[bytes]) -> bytes:
    """Put the new bundles into `files`; the partial one is the result."""
    index, width = divmod(edge.size, TILE_WIDTH)
    kept, here = edge.bundle, 0
    while True:
        chunk = entries[here : here + TILE_WIDTH - width]
        kept += encode_bundle(chunk)
        width, here = width + len(chunk), here + len(chunk)
        if width < TILE_WIDTH:
            break
        files[bundle_path(index)] = kept
        index, width, kept = index + 1, 0, b""
    if width:
        files[bundle_path(index, width)] = kept
    return kept


def _add_tiles(
    files: dict[str, bytes], level: int, index: int, hashes: list[bytes], *, changed: bool
) -> tuple[bytes, list[bytes]]:
    """Put the new tiles of one level into `files`; the partial one and the new hashes of the level above result."""
    above: list[bytes] = []
    full = len(hashes) - len(hashes) % TILE_WIDTH
    for here in range(0, full, TILE_WIDTH):
        tile = hashes[here : here + TILE_WIDTH]
        files[tile_path(level, index + here // TILE_WIDTH)] = b"".join(tile)
    if full:
        above = hashes[:full]
        for _ in range(TILE_HEIGHT):
            above = tree.next_level(above)
    partial = b"".join(hashes[full:])
    if partial and changed:
        files[tile_path(level, index + full // TILE_WIDTH, len(hashes) - full)] = partial
    return partial, above


class TileReader:
    """Reads trees of any size up to the published one from static files.

    The files are not trusted: a tile of the wrong length is refused here, a wrong hash shows when the root or the
    proof is checked against a signed checkpoint. Recently used tiles are kept; threads may share a reader.

    Args:
        fetch: path to bytes; raises `Unavailable` when there is no such file.
        size: a published size of the log.
        cache: how many full tiles are kept, about 17 KiB each.
    """

    def __init__(self, fetch: Callable[[str], bytes], size: int, *, cache: int = 1024) -> None:
        self.size = size
        self._fetch = fetch
        self._full_tile = lru_cache(maxsize=cache)(self._load_tile)
        self._partial_tile = lru_cache(maxsize=_EDGE)(self._load_tile)
        self._bundle = lru_cache(maxsize=16)(self._load_bundle)

    def at(self, size: int) -> TileReader:
        """A reader of another published size that shares the full tiles in memory; they are the same in every size."""
        other = TileReader(self._fetch, size)
        other._full_tile = self._full_tile
        return other

    def nodes(self, level: int, index: int) -> bytes:
        """The hash of a complete subtree of `2**level` leaves; a `tree.Nodes`.

        Raises:
            Invalid: `ledger.index_outside`; `ledger.tile_malformed`.
            Unavailable: what `fetch` raises.
        """
        if index < 0 or (index + 1) << level > self.size:
            raise Invalid("ledger.index_outside", index=index << level, size=self.size)
        tile_level, row = divmod(level, TILE_HEIGHT)
        tile_index, column = divmod(index, TILE_WIDTH >> row)
        here = column * HASH_SIZE
        return self._tile(tile_level, tile_index)[row][here : here + HASH_SIZE]

    def root(self, size: int | None = None) -> bytes:
        """The root hash at `size`, the published one if none is given."""
        return tree.root(self.size if size is None else size, self.nodes)

    def inclusion_proof(self, index: int, size: int | None = None) -> list[bytes]:
        """The proof that the entry at `index` is in the tree of `size` leaves."""
        return tree.inclusion_proof(index, self.size if size is None else size, self.nodes)

    def consistency_proof(self, old: int, size: int | None = None) -> list[bytes]:
        """The proof that the tree of `old` leaves is a prefix of the tree of `size` leaves."""
        return tree.consistency_proof(old, self.size if size is None else size, self.nodes)

    def entry(self, index: int) -> bytes:
        """The entry at `index`.

        Raises:
            Invalid: `ledger.index_outside`; `ledger.bundle_malformed`.
            Unavailable: what `fetch` raises.
        """
        if not 0 <= index < self.size:
            raise Invalid("ledger.index_outside", index=index, size=self.size)
        return self._bundle(index // TILE_WIDTH)[index % TILE_WIDTH]

    def bundle(self, index: int) -> list[bytes]:
        """The entries of one bundle, as far as the size reaches; the caller's own list.

        Raises:
            Invalid: `ledger.index_outside`; `ledger.bundle_malformed`.
            Unavailable: what `fetch` raises.
        """
        if not 0 <= index * TILE_WIDTH < self.size:
            raise Invalid("ledger.index_outside", index=index * TILE_WIDTH, size=self.size)
        return list(self._bundle(index))

    def edge(self) -> Edge:
        """The right edge of the published tree, from which appending goes on."""
        tiles = []
        for level, width in enumerate(_widths(self.size)):
            index = self.size >> TILE_HEIGHT * (level + 1)
            tiles.append(self._tile(level, index)[0] if width else b"")
        width = self.size % TILE_WIDTH
        bundle = encode_bundle(self._bundle(self.size // TILE_WIDTH)) if width else b""
        return Edge(size=self.size, tiles=tuple(tiles), bundle=bundle)

    def _tile(self, level: int, index: int) -> list[bytes]:
        width = self._width(level, index)
        return (self._full_tile if width == TILE_WIDTH else self._partial_tile)(level, index, width)

    def _load_tile(self, level: int, index: int, width: int) -> list[bytes]:
        """The rows of a tile, from its own hashes up to its last complete pairs, each joined."""
        found, data = self._fetch_either(lambda wide: tile_path(level, index, wide), width)
        if len(data) != found * HASH_SIZE:
            raise Invalid("ledger.tile_malformed", path=tile_path(level, index, found))
        data = data[: width * HASH_SIZE]
        rows, hashes = [data], _split(data)
        for _ in range(TILE_HEIGHT - 1):
            hashes = tree.next_level(hashes)
            rows.append(b"".join(hashes))
        return rows

    def _load_bundle(self, index: int) -> list[bytes]:
        width = self._width(0, index)
        found, data = self._fetch_either(lambda wide: bundle_path(index, wide), width)
        entries = decode_bundle(data)
        if len(entries) != found:
            raise Invalid("ledger.bundle_malformed")
        return entries[:width]

    def _fetch_either(self, path: Callable[[int], str], width: int) -> tuple[int, bytes]:
        """The file as wide as the published size has it or, where that was cleared away, the full one."""
        try:
            return width, self._fetch(path(width))
        except Unavailable:
            if width == TILE_WIDTH:
                raise
            return TILE_WIDTH, self._fetch(path(TILE_WIDTH))

    def _width(self, level: int, index: int) -> int:
        return min(TILE_WIDTH, (self.size >> TILE_HEIGHT * level) - index * TILE_WIDTH)
