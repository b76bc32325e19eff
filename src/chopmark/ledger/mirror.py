"""A mirror of logs (C2SP tlog-mirror): it cosigns a checkpoint when it durably holds every entry under it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from chopmark.base.errors import Invalid
from chopmark.ledger import tree
from chopmark.ledger.text import parse_base64, parse_decimal, to_base64
from chopmark.ledger.tiles import TILE_WIDTH, TileReader, encode_bundle

MOST_PACKAGES = 32
"""In one request, as the specification advises."""
MAX_TICKET = 65_535


@dataclass(frozen=True, slots=True, kw_only=True)
class MirrorInfo:
    """The body of a 202 or 409 answer to `add-entries`, type `text/x.tlog.mirror-info`.

    Attributes:
        size: of a valid pending checkpoint, to be used as `upload_end`.
        next_entry: to be used as `upload_start`.
        ticket: to be sent back; may be empty.
    """

    size: int
    next_entry: int
    ticket: bytes = b""

    def encode(self) -> bytes:
        """Three lines."""
        return f"{self.size}\n{self.next_entry}\n{to_base64(self.ticket)}\n".encode()

    @classmethod
    def parse(cls, body: bytes) -> MirrorInfo:
        """Read a body.

        Raises:
            Invalid: `ledger.answer_malformed`.
        """
        try:
            size, next_entry, ticket, _ = body.decode("ascii").split("\n")
            info = cls(size=parse_decimal(size), next_entry=parse_decimal(next_entry), ticket=parse_base64(ticket))
        except ValueError as error:
            raise Invalid("ledger.answer_malformed") from error
        if info.encode() != body or len(info.ticket) > MAX_TICKET:
            raise Invalid("ledger.answer_malformed")
        return info


def upload_header(origin: str, start: int, end: int, ticket: bytes = b"") -> bytes:
    """What an `add-entries` body begins with; `packages` follow."""
    name = origin.encode()
    sizes = start.to_bytes(8, "big") + end.to_bytes(8, "big")
    return len(name).to_bytes(2, "big") + name + sizes + len(ticket).to_bytes(2, "big") + ticket


def packages(tiles: TileReader, start: int, end: int, most: int = MOST_PACKAGES) -> Iterator[bytes]:
    """The first packages of the canonical sequence that uploads `[start, end)`.

    Args:
        tiles: of the log, at a size not less than `end`.
        start: `upload_start`.
        end: `upload_end`, the size of a checkpoint that the mirror knows.
        most: how many packages; the rest is for further requests.

    Raises:
        Unavailable, Invalid: as `TileReader`.
    """
    if start == end:
        return
    first = start - start % TILE_WIDTH
    for here in range(first, end, TILE_WIDTH)[:most]:
        stop = min(here + TILE_WIDTH, end)
        entries = tiles.bundle(here // TILE_WIDTH)[max(start - here, 0) : stop - here]
        proof = tree.subtree_proof(here, stop, end, tiles.nodes)
        yield b"".join([encode_bundle(entries), bytes([len(proof)]), *proof])
