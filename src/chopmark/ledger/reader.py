"""Reading the published log: entries, proofs, checkpoints.

Serves from the same static files that everybody may fetch, and asks the book only which checkpoint covers a position.
The files are not trusted: what leaves here has been checked against the signed root. Writes nothing.
"""

from __future__ import annotations

from collections.abc import Callable

from chopmark.base.errors import Invalid, Unavailable
from chopmark.ledger import tree
from chopmark.ledger.statement import Statement
from chopmark.ledger.stores import Book, Objects, Published
from chopmark.ledger.tiles import TileReader

MOST_ENTRIES = 1000


class LogReader:
    """Reads up to the latest published checkpoint; threads may share it.

    Args:
        objects: the static files.
        book: the database side.
        cache: full tiles of hashes kept in memory, about 17 KiB each; 256 entries need one.
        least_size: from a checkpoint's size to the least size that proofs shall be under instead; never smaller.
    """

    def __init__(
        self, objects: Objects, book: Book, *, cache: int = 2048, least_size: Callable[[int], int] = lambda size: size
    ) -> None:
        self._book = book
        self._least_size = least_size
        self._tiles = TileReader(objects.get, 0, cache=cache)

    def latest(self) -> Published | None:
        """The checkpoint of greatest size; None while the log is empty."""
        return self._book.latest()

    def entry(self, position: int) -> bytes:
        """The bytes of one entry.

        Raises:
            Unavailable: `ledger.not_published`.
            Invalid: `ledger.index_outside`; `ledger.bundle_malformed` when the file was altered.
        """
        tiles = self._reaching(position + 1)
        entry = tiles.entry(position)
        if tree.leaf_hash(entry) != tiles.nodes(0, position):
            raise Invalid("ledger.bundle_malformed")
        return entry

    def statement(self, position: int) -> Statement:
        """One entry taken apart.

        Raises:
            Unavailable, Invalid: as `entry`, and what `Statement.parse` raises.
        """
        return Statement.parse(self.entry(position))

    def entries(self, first: int, limit: int) -> list[bytes]:
        """Entries from a position on, 1000 at most; fewer or none at the end of the log."""
        latest = self.latest()
        end = min(latest.size if latest else 0, first + min(limit, MOST_ENTRIES))
        return [self.entry(position) for position in range(first, end)]

    def covering(self, position: int) -> Published:
        """The earliest checkpoint that covers a position and is large enough; until there is one, the earliest of all.

        Raises:
            Unavailable: `ledger.not_published`.
        """
        earliest = found = self._book.checkpoint_for(position)
        while (least := self._least_size(found.size)) > found.size:
            try:
                found = self._book.checkpoint_for(least - 1)
            except Unavailable as error:
                if error.code != "ledger.not_published":
                    raise
                return earliest
        return found

    def inclusion(self, position: int) -> tuple[Published, list[bytes]]:
        """The checkpoint that `covering` gives, and the proof against it.

        Raises:
            Unavailable: `ledger.not_published`.
            Invalid: `ledger.proof_wrong` when a file was altered.
        """
        published = self.covering(position)
        tiles = self._reaching(published.size)
        path = tiles.inclusion_proof(position, published.size)
        leaf = tiles.nodes(0, position)
        tree.verify_inclusion(leaf=leaf, index=position, size=published.size, proof=path, root=published.root)
        return published, path

    def consistency(self, old: int, new: int) -> list[bytes]:
        """The proof that the log of `old` entries is a prefix of the log of `new` entries.

        Raises:
            Unavailable: `ledger.not_published`.
            Invalid: `ledger.size_outside`.
        """
        return self._reaching(new).consistency_proof(old, new)

    def _reaching(self, size: int) -> TileReader:
        """Tiles of a published size that is not smaller."""
        tiles = self._tiles
        if tiles.size < size:
            latest = self.latest()
            if latest is None or latest.size < size:
                raise Unavailable("ledger.not_published", position=size - 1)
            tiles = self._tiles = tiles.at(latest.size)
        return tiles
