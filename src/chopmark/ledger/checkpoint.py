"""Checkpoints (C2SP tlog-checkpoint) and what the log and its witnesses sign (C2SP tlog-cosignature).

    chopmark.example/log          origin
    20852163                      size, decimal
    CsUYapGGPo4dkMgIAUqom/…=      root hash, base64 of 32 bytes

Three lines and no more: extension lines are refused, because no ML-DSA cosignature covers them.
Whose signature counts is said by a policy, not here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from chopmark.base.clock import from_seconds, to_seconds
from chopmark.base.errors import Invalid
from chopmark.ledger.keys import (
    ED25519,
    ED25519_COSIGNATURE,
    MAX_NAME,
    MLDSA44_COSIGNATURE,
    SIGNATURE_SIZES,
    Signer,
    VerifierKey,
)
from chopmark.ledger.note import Note, NoteSignature
from chopmark.ledger.text import MAX_INT63, parse_base64, parse_decimal, to_base64
from chopmark.ledger.tree import EMPTY_ROOT, HASH_SIZE

_TIMESTAMP_SIZE = 8
_SUBTREE_LABEL = b"subtree/v1\n\0"


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """The head of a log at one size.

    Attributes:
        origin: the log's name, 1 to 255 bytes of UTF-8 without control characters.
        size: number of entries, 0 to 2**63 - 1.
        root: 32 bytes; for size 0 the hash of nothing.
    """

    origin: str
    size: int
    root: bytes

    def __post_init__(self) -> None:
        if not _is_origin(self.origin) or not 0 <= self.size <= MAX_INT63 or len(self.root) != HASH_SIZE:
            raise Invalid("ledger.checkpoint_malformed")
        if self.size == 0 and self.root != EMPTY_ROOT:
            raise Invalid("ledger.checkpoint_malformed")

    def text(self) -> str:
        """The note text, three lines."""
        return f"{self.origin}\n{self.size}\n{to_base64(self.root)}\n"

    @classmethod
    def parse(cls, text: str) -> Checkpoint:
        """Read a note text.

        Raises:
            Invalid: `ledger.checkpoint_malformed`; `ledger.checkpoint_extended` for extension lines.
        """
        lines = text.split("\n")
        if len(lines) < 4:
            raise Invalid("ledger.checkpoint_malformed")
        if len(lines) > 4:
            raise Invalid("ledger.checkpoint_extended")
        try:
            point = cls(origin=lines[0], size=parse_decimal(lines[1]), root=parse_base64(lines[2]))
        except ValueError as error:
            raise Invalid("ledger.checkpoint_malformed") from error
        if point.text() != text:
            raise Invalid("ledger.checkpoint_malformed")
        return point


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifiedSignature:
    """A signature that was checked and is true.

    Attributes:
        key: who signed.
        origin: the log whose checkpoint was signed.
        at: when, as the signer says; None for a signature that states no time.
    """

    key: VerifierKey
    origin: str
    at: datetime | None


def sign_checkpoint(checkpoint: Checkpoint, keys: Sequence[Signer], at: datetime) -> bytes:
    """The checkpoint as a note signed by each key, in their order.

    Who calls sees to it that the log never signs two checkpoints that contradict each other.
    """
    signatures = tuple(cosign(checkpoint, key, at) for key in keys)
    return Note(text=checkpoint.text(), signatures=signatures).encode()


def cosign(checkpoint: Checkpoint, key: Signer, at: datetime) -> NoteSignature:
    """One key's signature on a checkpoint, of the kind that the key's type says."""
    if key.type == ED25519:
        value = key.sign(checkpoint.text().encode())
    else:
        seconds = to_seconds(at)
        value = seconds.to_bytes(_TIMESTAMP_SIZE, "big") + key.sign(_message(key.verifier, checkpoint, seconds))
    return NoteSignature(name=key.name, key_id=key.verifier.key_id, value=value)


def open_checkpoint(note: bytes, keys: Sequence[VerifierKey]) -> tuple[Checkpoint, list[VerifiedSignature]]:
    """Read a signed checkpoint and check every signature of a known key; unknown ones are passed over.

    Raises:
        Invalid: `ledger.note_malformed`, `ledger.note_too_large`, `ledger.checkpoint_malformed`,
            `ledger.checkpoint_extended`; `ledger.signature_wrong` when a known key's signature fails;
            `ledger.signature_missing` when no known key signed.
    """
    signed = Note.parse(note)
    checkpoint = Checkpoint.parse(signed.text)
    known = {(key.name, key.key_id): key for key in keys}
    verified = [
        verify_signature(checkpoint, signature, known[signature.name, signature.key_id])
        for signature in signed.signatures
        if (signature.name, signature.key_id) in known
    ]
    if not verified:
        raise Invalid("ledger.signature_missing", origin=checkpoint.origin)
    return checkpoint, verified


def verify_signature(checkpoint: Checkpoint, signature: NoteSignature, key: VerifierKey) -> VerifiedSignature:
    """Check one signature line against its key.

    Raises:
        Invalid: `ledger.signature_wrong`; `base.time_out_of_range`.
    """
    if (signature.name, signature.key_id) != (key.name, key.key_id):
        raise Invalid("ledger.signature_wrong", name=key.name)
    if key.type == ED25519:
        key.verify(signature.value, checkpoint.text().encode())
        return VerifiedSignature(key=key, origin=checkpoint.origin, at=None)
    seconds = int.from_bytes(signature.value[:_TIMESTAMP_SIZE], "big")
    if len(signature.value) != _TIMESTAMP_SIZE + SIGNATURE_SIZES[key.type] or seconds > MAX_INT63:
        raise Invalid("ledger.signature_wrong", name=key.name)
    key.verify(signature.value[_TIMESTAMP_SIZE:], _message(key, checkpoint, seconds))
    return VerifiedSignature(key=key, origin=checkpoint.origin, at=from_seconds(seconds) if seconds else None)


def subtree_message(*, cosigner: str, origin: str, start: int, end: int, root: bytes, seconds: int) -> bytes:
    """The `cosigned_message` of an ML-DSA-44 cosignature (C2SP tlog-cosignature); a checkpoint starts at 0."""
    return b"".join(
        [
            _SUBTREE_LABEL,
            _short(cosigner),
            seconds.to_bytes(8, "big"),
            _short(origin),
            start.to_bytes(8, "big"),
            end.to_bytes(8, "big"),
            root,
        ]
    )


def _message(key: VerifierKey, checkpoint: Checkpoint, seconds: int) -> bytes:
    if key.type == ED25519_COSIGNATURE:
        return f"cosignature/v1\ntime {seconds}\n{checkpoint.text()}".encode()
    if key.type == MLDSA44_COSIGNATURE:
        return subtree_message(
            cosigner=key.name,
            origin=checkpoint.origin,
            start=0,
            end=checkpoint.size,
            root=checkpoint.root,
            seconds=seconds,
        )
    raise Invalid("ledger.key_type_unknown", type=key.type)


def _short(text: str) -> bytes:
    data = text.encode()
    return bytes([len(data)]) + data


def _is_origin(text: str) -> bool:
    try:
        return 0 < len(text.encode()) <= MAX_NAME and not any(character < " " for character in text)
    except UnicodeEncodeError:
        return False
