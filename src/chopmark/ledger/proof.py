"""The text of an offline proof (C2SP tlog-proof), the content of a `.tlog-proof` file.

    c2sp.org/tlog-proof@v1
    extra <base64>                 optional; not authenticated by the proof
    index 73894
    gSKyXoYZUgZ6jduWYrkDOARi…=     one hash a line, from the leaf's sibling up
    …

    <the signed checkpoint, unchanged>

Reads and prints the form. Whether the proof is true is found with `tree.verify_inclusion` and `policy`.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from chopmark.base.errors import Invalid
from chopmark.ledger import note
from chopmark.ledger.text import MAX_INT63, parse_base64, parse_decimal, to_base64
from chopmark.ledger.tree import HASH_SIZE

FIRST_LINE = b"c2sp.org/tlog-proof@v1\n"
MAX_HASHES = 63
MAX_SIZE = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class TlogProof:
    """A proof that an entry stands in a log.

    Attributes:
        index: position of the entry, from 0.
        hashes: the inclusion proof, 63 hashes of 32 bytes at most.
        checkpoint: a signed note, byte for byte.
        extra: what the application needs to know the leaf, never empty; None when there is none.
    """

    index: int
    hashes: tuple[bytes, ...]
    checkpoint: bytes
    extra: bytes | None = field(default=None)

    def __post_init__(self) -> None:
        if not 0 <= self.index <= MAX_INT63 or len(self.hashes) > MAX_HASHES or self.extra == b"":
            raise Invalid("ledger.proof_malformed")
        if any(len(each) != HASH_SIZE for each in self.hashes):
            raise Invalid("ledger.proof_malformed")
        note.Note.parse(self.checkpoint)

    @classmethod
    def parse(cls, data: bytes) -> TlogProof:
        """Read a proof; the checkpoint's form is checked as a note, its signatures are not.

        Raises:
            Invalid: `ledger.proof_malformed`; `ledger.proof_too_large` above 1 MiB; `ledger.note_malformed`;
                `ledger.note_too_large`.
        """
        if len(data) > MAX_SIZE:
            raise Invalid("ledger.proof_too_large", limit=MAX_SIZE)
        head, blank, checkpoint = data.partition(b"\n\n")
        try:
            extra, index, hashes = _parse_head(head.decode("ascii"))
        except ValueError as error:
            raise Invalid("ledger.proof_malformed") from error
        if not blank:
            raise Invalid("ledger.proof_malformed")
        proof = cls(index=index, hashes=hashes, checkpoint=checkpoint, extra=extra)
        if proof.encode() != data:
            raise Invalid("ledger.proof_malformed")
        return proof

    def encode(self) -> bytes:
        """The proof in bytes."""
        lines = [f"extra {to_base64(self.extra)}\n"] if self.extra is not None else []
        lines += [f"index {self.index}\n", *(to_base64(each) + "\n" for each in self.hashes), "\n"]
        return FIRST_LINE + "".join(lines).encode() + self.checkpoint


def _parse_head(head: str) -> tuple[bytes | None, int, tuple[bytes, ...]]:
    """Extra, index and hashes; the caller prints them and compares, which covers the labels too."""
    _, *lines = head.split("\n")
    extra = parse_base64(lines.pop(0).removeprefix("extra ")) if lines and lines[0].startswith("extra ") else None
    if not lines:
        raise ValueError("no index")
    index = parse_decimal(lines.pop(0).removeprefix("index "))
    return extra, index, tuple(parse_base64(line) for line in lines)
