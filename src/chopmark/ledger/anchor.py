"""Tying a checkpoint to something outside: the small interface of who does it, and what their proofs claim.

An `AnchorService` takes a 32-byte imprint (SHA-256 of a checkpoint's three lines) and gives a token, at once or later.
RFC 3161 tokens are read and verified by `timestamp`. The two others can only be taken apart here:

    OpenTimestamps   `bitcoin_claims`: the proof leads from the imprint to the Merkle root of a Bitcoin block; that the
                     block is in the chain, and its time, must be asked of a Bitcoin node or explorer.
    EVM              `EvmProof`: a signed transaction carries the imprint and stood in a block; that the chain has that
                     block must be asked of a node of the chain.

No network here, and no library of either chain.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from chopmark.base import cbor
from chopmark.base.errors import Invalid

RFC3161 = "rfc3161"
OPENTIMESTAMPS = "ots"
EVM = "evm"
IMPRINT_SIZE = 32
MAX_TOKEN = 65_535

_OTS_HEADER = bytes.fromhex("004f70656e54696d657374616d7073000050726f6f6600bf89e2e884e8929401")
_SHA256, _APPEND, _PREPEND, _ATTESTATION, _FORK = 0x08, 0xF0, 0xF1, 0x00, 0xFF
_DIGESTS = {0x02: "sha1", 0x03: "ripemd160", _SHA256: "sha256"}
_OTHER_OPERATIONS = {0x67, 0xF2, 0xF3}  # Bitcoin proofs have none; what stands behind one is not followed
_BITCOIN = bytes.fromhex("0588960d73d71901")
_PENDING = bytes.fromhex("83dfe30d2ef90c8e")
_MOST_BYTES, _MOST_ATTESTATION, _MOST_STEPS = 4096, 8192, 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class Anchored:
    """Done.

    Attributes:
        token: what proves it.
        at: the time that the token states; None when that time is known to others only (a Bitcoin block's).
    """

    token: bytes
    at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Pending:
    """Begun: `upgrade` finishes it later.

    Attributes:
        state: whatever the service needs to go on; it must be kept before `upgrade` is called.
    """

    state: bytes


class AnchorService(Protocol):
    """One who can say that an imprint existed.

    Attributes:
        name: how people call it; part of the record, so it does not change.
        kind: RFC3161, OPENTIMESTAMPS or EVM.
        own: whether it is the platform's own.
        daily: whether one stamp a day is enough, because each costs money or weeks.
    """

    @property
    def name(self) -> str: ...  # noqa: D102 (said above)
    @property
    def kind(self) -> str: ...  # noqa: D102
    @property
    def own(self) -> bool: ...  # noqa: D102
    @property
    def daily(self) -> bool: ...  # noqa: D102

    def submit(self, imprint: bytes) -> Anchored | Pending:
        """Begin, with 32 bytes.

        Raises:
            Unavailable: try again later.
            Invalid: what came back is wrong; nothing of it is kept.
        """

    def upgrade(self, imprint: bytes, state: bytes) -> Anchored | Pending:
        """Go on with what was pending.

        Raises:
            Unavailable: try again later.
            Invalid: what came back is wrong.
            Refused: `ledger.anchor_lost`: it will never be finished, begin anew.
        """


# ---- OpenTimestamps --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class BitcoinClaim:
    """The imprint existed when a block with this Merkle root was mined, if the Bitcoin chain has it at this height.

    Attributes:
        height: of the block.
        root: its Merkle root, 32 bytes as the header has them (explorers show them reversed).
    """

    height: int
    root: bytes


def bitcoin_claims(token: bytes, imprint: bytes) -> list[BitcoinClaim]:
    """What an OpenTimestamps file (version 1, SHA-256) says about an imprint, lowest block first; none while pending.

    Raises:
        Invalid: `ledger.anchor_malformed`; `ledger.anchor_other_data` when it is about another imprint.
    """
    head = _OTS_HEADER + bytes([_SHA256])
    if len(token) > MAX_TOKEN or not token.startswith(head):
        raise Invalid("ledger.anchor_malformed")
    if token[len(head) : len(head) + IMPRINT_SIZE] != imprint:
        raise Invalid("ledger.anchor_other_data")
    try:
        claims = _follow(_Bytes(token[len(head) + IMPRINT_SIZE :]), imprint)
    except (IndexError, ValueError) as error:
        raise Invalid("ledger.anchor_malformed") from error
    return sorted(claims, key=lambda claim: (claim.height, claim.root))


class _Bytes:
    """The rest of a serialized proof."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._here = 0

    def take(self, count: int) -> bytes:
        found = self._data[self._here : self._here + count]
        if len(found) != count:
            raise ValueError("cut off")
        self._here += count
        return found

    def number(self) -> int:
        """LEB128, in the shortest form."""
        value = shift = 0
        while True:
            byte = self.take(1)[0]
            value |= (byte & 0x7F) << shift
            if not byte & 0x80:
                break
            shift += 7
        if shift > 63 or (shift and not byte):
            raise ValueError("a number too long")
        return value

    def counted(self, most: int) -> bytes:
        count = self.number()
        if count > most:
            raise ValueError("too many bytes")
        return self.take(count)

    @property
    def empty(self) -> bool:
        return self._here == len(self._data)


def _follow(rest: _Bytes, imprint: bytes) -> list[BitcoinClaim]:
    """All branches: a fork keeps the value to come back to; a branch ends with an attestation."""
    claims: list[BitcoinClaim] = []
    kept: list[bytes | None] = []
    value: bytes | None = imprint
    for _ in range(_MOST_STEPS):
        tag = rest.take(1)[0]
        if tag == _FORK:
            kept.append(value)
        elif tag != _ATTESTATION:
            value = _operate(tag, rest, value)
        else:
            claims += _attestation(rest, value)
            if not kept:
                break
            value = kept.pop()
    if not rest.empty:
        raise ValueError("more than one proof")
    return claims


def _operate(tag: int, rest: _Bytes, value: bytes | None) -> bytes | None:
    if tag in {_APPEND, _PREPEND}:
        beside = rest.counted(_MOST_BYTES)
        if value is None or len(value) + len(beside) > _MOST_BYTES:
            return None
        return value + beside if tag == _APPEND else beside + value
    if tag in _DIGESTS:
        return None if value is None else _digest(_DIGESTS[tag], value)
    if tag in _OTHER_OPERATIONS:
        return None
    raise ValueError("an unknown operation")


def _digest(name: str, value: bytes) -> bytes | None:
    try:
        return hashlib.new(name, value, usedforsecurity=False).digest()
    except ValueError:  # a Python built without RIPEMD-160
        return None


def _attestation(rest: _Bytes, value: bytes | None) -> list[BitcoinClaim]:
    kind, payload = rest.take(8), rest.counted(_MOST_ATTESTATION)
    if kind != _BITCOIN:
        return []
    inner = _Bytes(payload)
    height = inner.number()
    if not inner.empty:
        raise ValueError("more than a height")
    return [BitcoinClaim(height=height, root=value)] if value is not None and len(value) == 32 else []


# ---- EVM -------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class EvmProof:
    """A transaction with the imprint as its data, and the block it stood in.

    Attributes:
        chain: the chain's number (EIP-155).
        transaction: as it was signed and sent (EIP-2718, type 2).
        transaction_hash: Keccak-256 of it, as the chain names it; 32 bytes.
        block_hash: of the block, 32 bytes.
        number: of the block.
        time: of the block, seconds since 1970.
        header: the block's header in RLP, whose Keccak-256 is the block's hash; empty where its form is not known.
    """

    chain: int
    transaction: bytes
    transaction_hash: bytes
    block_hash: bytes
    number: int
    time: int
    header: bytes

    def encode(self) -> bytes:
        """The token: a deterministic CBOR list."""
        return cbor.encode(
            [
                self.chain,
                self.transaction,
                self.transaction_hash,
                self.block_hash,
                self.number,
                self.time,
                self.header,
            ]
        )

    @classmethod
    def parse(cls, token: bytes, imprint: bytes) -> EvmProof:
        """Read a token and see that its transaction is for this chain and carries this imprint.

        Raises:
            Invalid: `ledger.anchor_malformed`; `ledger.anchor_other_data`.
        """
        if len(token) > MAX_TOKEN:
            raise Invalid("ledger.anchor_malformed")
        match cbor.decode(token):
            case [
                int(chain),
                bytes(transaction),
                bytes(transaction_hash),
                bytes(block_hash),
                int(number),
                int(time),
                bytes(header),
            ] if len(transaction_hash) == len(block_hash) == 32 and min(chain, number, time) >= 0:
                proof = cls(
                    chain=chain,
                    transaction=transaction,
                    transaction_hash=transaction_hash,
                    block_hash=block_hash,
                    number=number,
                    time=time,
                    header=header,
                )
            case _:
                raise Invalid("ledger.anchor_malformed")
        try:
            carried = _transaction_data(transaction)
        except (IndexError, ValueError) as error:
            raise Invalid("ledger.anchor_malformed") from error
        if proof.encode() != token or carried[0] != chain:
            raise Invalid("ledger.anchor_malformed")
        if carried[1] != imprint:
            raise Invalid("ledger.anchor_other_data")
        return proof


def _transaction_data(transaction: bytes) -> tuple[int, bytes]:
    """Chain and data of a signed EIP-1559 transaction: 0x02 and an RLP list of twelve, the first and the eighth."""
    if transaction[0] != 0x02:
        raise ValueError("another type of transaction")
    items, end = _rlp_items(transaction, 1)
    if end != len(transaction) or len(items) != 12:
        raise ValueError("not a signed transaction")
    return int.from_bytes(items[0], "big"), items[7]


def _rlp_items(data: bytes, start: int) -> tuple[list[bytes], int]:
    """The contents of the items of an RLP list, lists among them not opened, and where the list ends."""
    kind, here, end = _rlp_head(data, start)
    if kind != "list":
        raise ValueError("not a list")
    items = []
    while here < end:
        _, begin, after = _rlp_head(data, here)
        items.append(data[begin:after])
        here = after
    if here != end:
        raise ValueError("an item longer than its list")
    return items, end


def _rlp_head(data: bytes, start: int) -> tuple[str, int, int]:
    """Kind of an RLP item, where its content begins and ends."""
    first = data[start]
    if first < 0x80:
        return "bytes", start, start + 1
    kind, base = ("bytes", 0x80) if first < 0xC0 else ("list", 0xC0)
    begin, size = start + 1, first - base
    if size > 55:
        count = size - 55
        begin += count
        size = int.from_bytes(data[start + 1 : begin], "big")
    if begin + size > len(data):
        raise ValueError("cut off")
    return kind, begin, begin + size
