"""A witness of logs (C2SP tlog-witness): it cosigns a checkpoint only when it is consistent with all it has seen.

Here stand the forms of the two requests and the witness itself, free of HTTP: it takes the bytes of a request and
gives an `Answer`. What it must remember of each log lies in `state` objects, durable before anything is answered:

    pending            the newest checkpoint: the log's signatures and the witness's own
    founded            put once, when the member began; a state without it is one that was lost
    lost               put when the member found that it had signed more than it remembers; it signs no more
    suspect/<n>-<r>    checkpoints signed by the log that could not be connected with the history; 32 at most
    fork/<n>-<r>       those that were proven to contradict it

The mirror shares the pending checkpoint and cosigns under keys of its own.
"""

from __future__ import annotations

from dataclasses import dataclass

from chopmark.base.errors import Invalid
from chopmark.ledger.text import parse_base64, parse_decimal, to_base64
from chopmark.ledger.tree import HASH_SIZE, is_subtree

MAX_HASHES = 63


# ---- requests -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class AddCheckpoint:
    """The body of `add-checkpoint`.

    Attributes:
        old: size of the checkpoint that the witness is believed to have cosigned last; 0 if none.
        proof: consistency proof from `old` to the checkpoint, 63 hashes at most.
        note: the signed checkpoint as it came; its form is not checked here.
    """

    old: int
    proof: tuple[bytes, ...]
    note: bytes

    @classmethod
    def parse(cls, body: bytes) -> AddCheckpoint:
        """Read a body.

        Raises:
            Invalid: `ledger.request_malformed`.
        """
        lines, note = _halves(body)
        try:
            request = cls(old=parse_decimal(lines[0].removeprefix("old ")), proof=_hashes(lines[1:]), note=note)
        except ValueError as error:
            raise Invalid("ledger.request_malformed") from error
        if request.encode() != body:
            raise Invalid("ledger.request_malformed")
        return request

    def encode(self) -> bytes:
        """The body."""
        return "\n".join([f"old {self.old}", *map(to_base64, self.proof), "", ""]).encode() + self.note


@dataclass(frozen=True, slots=True, kw_only=True)
class SignSubtree:
    """The body of `sign-subtree`.

    Attributes:
        start: first leaf.
        end: behind the last leaf.
        root: the subtree's root hash.
        proof: subtree consistency proof to the checkpoint, 63 hashes at most.
        note: a checkpoint that the cosigner has signed, as it came.
    """

    start: int
    end: int
    root: bytes
    proof: tuple[bytes, ...]
    note: bytes

    @classmethod
    def parse(cls, body: bytes) -> SignSubtree:
        """Read a body.

        Raises:
            Invalid: `ledger.request_malformed`, also when `[start, end)` is no subtree.
        """
        lines, note = _halves(body)
        try:
            _, start, end = lines[0].split(" ")
            (root,) = _hashes(lines[1:2])
            request = cls(
                start=parse_decimal(start), end=parse_decimal(end), root=root, proof=_hashes(lines[2:]), note=note
            )
        except ValueError as error:
            raise Invalid("ledger.request_malformed") from error
        if request.encode() != body or not is_subtree(request.start, request.end):
            raise Invalid("ledger.request_malformed")
        return request

    def encode(self) -> bytes:
        """The body."""
        lines = [f"subtree {self.start} {self.end}", *map(to_base64, (self.root, *self.proof)), "", ""]
        return "\n".join(lines).encode() + self.note


def _halves(body: bytes) -> tuple[list[str], bytes]:
    """The lines before the first empty one, and what follows it; whoever calls prints both and compares."""
    head, _, note = body.partition(b"\n\n")
    try:
        return head.decode("ascii").split("\n"), note
    except UnicodeDecodeError as error:
        raise Invalid("ledger.request_malformed") from error


def _hashes(lines: list[str]) -> tuple[bytes, ...]:
    hashes = tuple(map(parse_base64, lines))
    if len(hashes) > MAX_HASHES or any(len(each) != HASH_SIZE for each in hashes):
        raise ValueError("not hashes, or too many")
    return hashes
