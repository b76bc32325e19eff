"""COSE Receipts (RFC 9942) over our tree, and the Transparent Statement (RFC 9943) that carries them.

One signature a checkpoint serves every entry: the writer makes it once with `sign_root`, and a receipt is
assembled around it on demand. The signed payload is the root, detached; the protected header is

    {1: -8, 4: kid, 15: {1: issuer, 2: origin, 6: iat}, 395: 1, "chopmark": {"size": tree size}}

RFC 9942 leaves tree size and index outside the signature, where other values can lead to the same root.
The signed size closes that; with size and root fixed, only one index fits.
The issuer is the name of the key that signs: the log's, which is its origin, or that of a member which holds the
log's entries. Both sign with the Ed25519 key of their notes (the log's 0x01, a member's cosignature key 0x04): a
Sig_structure begins with 0x84, and no note and no cosignature does.

Whether the log is one to trust, and how many others vouch for it, is decided by the caller.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from chopmark.base import cbor, clock
from chopmark.base.digests import DIGEST_SIZE
from chopmark.base.errors import Invalid, Unavailable
from chopmark.ledger.cose import (
    ALGORITHM,
    CLAIMS,
    EDDSA,
    ISSUED_AT,
    ISSUER,
    KEY_ID,
    SIGNATURE_SIZE,
    SUBJECT,
    Envelope,
    PublicKey,
    to_be_signed,
)
from chopmark.ledger.keys import ED25519, ED25519_COSIGNATURE, Signer
from chopmark.ledger.statement import CHOPMARK
from chopmark.ledger.tree import inclusion_root, leaf_hash

RECEIPTS = 394
DATA_STRUCTURE = 395
DATA_PROOFS = 396
RFC9162_SHA256 = 1
INCLUSION = -1

MAX_RECEIPT = 65_535
MAX_TRANSPARENT = 1 << 20
MAX_PATH = 63
MAX_RECEIPTS = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class SealedRoot:
    """A signature over one root of a log, as CBOR `[protected, signature]`; its form is checked, not its truth.

    Attributes:
        issuer: name of the key that signed; the origin itself when the log did.
        origin: name of the log, as in its checkpoints.
        size: number of entries under the root.
        kid: thumbprint of the key.
        issued_at: when the issuer signed, whole seconds.
        protected: the encoded header.
        signature: 64 bytes.
    """

    issuer: str
    origin: str
    size: int
    kid: bytes
    issued_at: datetime
    protected: bytes
    signature: bytes

    @staticmethod
    def parse(data: bytes) -> SealedRoot:
        """Read what `sign_root` made.

        Raises:
            Invalid: `ledger.receipt_malformed`.
        """
        try:
            parts = cbor.decode(data)
        except Invalid as error:
            raise Invalid("ledger.receipt_malformed") from error
        match parts:
            case [bytes(protected), bytes(signature)]:
                return SealedRoot.of(protected, signature)
            case _:
                raise Invalid("ledger.receipt_malformed")

    @staticmethod
    def of(protected: bytes, signature: bytes) -> SealedRoot:
        """The same from the two parts, which a receipt holds apart.

        Raises:
            Invalid: `ledger.receipt_malformed`.
        """
        try:
            issuer, origin, size, kid, issued_at = _header(cbor.decode(protected))
        except Invalid as error:
            raise Invalid("ledger.receipt_malformed") from error
        same = _protected(issuer=issuer, origin=origin, size=size, kid=kid, at=issued_at) == protected
        if not same or size < 1 or len(signature) != SIGNATURE_SIZE:
            raise Invalid("ledger.receipt_malformed")
        return SealedRoot(
            issuer=issuer,
            origin=origin,
            size=size,
            kid=kid,
            issued_at=issued_at,
            protected=protected,
            signature=signature,
        )

    @property
    def by_log(self) -> bool:
        """Whether it claims to be the log's own and not a member's."""
        return self.issuer == self.origin

    def encode(self) -> bytes:
        """Back to bytes."""
        return cbor.encode([self.protected, self.signature])

    def verify(self, root: bytes, key: PublicKey) -> None:
        """Check the signature over `root` with the issuer's key; that the key has the issuer's name is checked before.

        Raises:
            Invalid: `ledger.receipt_signature_wrong`.
        """
        named = key.algorithm == EDDSA and key.thumbprint == self.kid
        if not named or not key.accepts(self.signature, to_be_signed(self.protected, root)):
            raise Invalid("ledger.receipt_signature_wrong", origin=self.issuer)


@dataclass(frozen=True, slots=True, kw_only=True)
class CoseReceipt:
    """A COSE Receipt with one inclusion proof.

    Attributes:
        sealed: the signature; its size is the proof's size.
        index: zero-based position of the entry.
        path: inclusion path, from the leaf's sibling upwards, 32 bytes each.
    """

    sealed: SealedRoot
    index: int
    path: tuple[bytes, ...]

    @staticmethod
    def parse(raw: bytes) -> CoseReceipt:
        """Read one receipt strictly.

        Raises:
            Invalid: `ledger.receipt_too_large`, `ledger.receipt_malformed`.
        """
        if len(raw) > MAX_RECEIPT:
            raise Invalid("ledger.receipt_too_large", size=len(raw), limit=MAX_RECEIPT)
        try:
            envelope = Envelope.parse(raw)
            size, index, path = _inclusion(envelope)
        except Invalid as error:
            raise Invalid("ledger.receipt_malformed") from error
        sealed = SealedRoot.of(envelope.protected, envelope.signature)
        receipt = CoseReceipt(sealed=sealed, index=index, path=path)
        if size != sealed.size or receipt.encode() != raw:
            raise Invalid("ledger.receipt_malformed")
        return receipt

    def encode(self) -> bytes:
        """Back to bytes."""
        proof = cbor.encode([self.sealed.size, self.index, list(self.path)])
        return Envelope(
            protected=self.sealed.protected,
            unprotected={DATA_PROOFS: {INCLUSION: [proof]}},
            payload=None,
            signature=self.sealed.signature,
        ).encode()

    def root(self, statement: bytes) -> bytes:
        """The root that the path leads to from this entry.

        Raises:
            Invalid: `ledger.proof_wrong` when the path has not the length that index and size demand.
        """
        return inclusion_root(leaf=leaf_hash(statement), index=self.index, size=self.sealed.size, proof=self.path)


@dataclass(frozen=True, slots=True, kw_only=True)
class Transparent:
    """A Transparent Statement taken apart; nothing in it is checked but its form.

    Attributes:
        statement: the entry of the ledger, its unprotected header emptied again.
        receipts: encoded receipts, at least one.
        extra: what stood under "chopmark" in the unprotected header; empty when there was nothing.
    """

    statement: bytes
    receipts: tuple[bytes, ...]
    extra: Mapping[Any, Any]


def sign_root(origin: str, root: bytes, key: Signer, at: datetime, *, size: int, issuer: str | None = None) -> bytes:
    """Seal one root: CBOR `[protected, signature]`, to be stored with the checkpoint.

    Args:
        origin: name of the log, as in its checkpoints.
        root: 32 bytes.
        key: the log's note key of type Ed25519 (0x01), or a member's of type Ed25519 cosignature (0x04).
        at: when the issuer signs; kept in whole seconds.
        size: number of entries under the root, at least 1.
        issuer: who signs; the key's own name when nothing else is said, and verifiers expect no other.
    """
    if size < 1 or len(root) != DIGEST_SIZE or key.type not in {ED25519, ED25519_COSIGNATURE}:
        raise ValueError("a root of 32 bytes over at least one entry is signed, with Ed25519")
    kid = PublicKey.ed25519(key.verifier.public).thumbprint
    protected = _protected(issuer=key.name if issuer is None else issuer, origin=origin, size=size, kid=kid, at=at)
    return cbor.encode([protected, key.sign(to_be_signed(protected, root))])


def assemble_receipt(sealed_root: bytes, size: int, index: int, path: Sequence[bytes]) -> bytes:
    """The COSE Receipt of one entry.

    Raises:
        Unavailable: `ledger.receipt_too_early` for a tree of one entry: RFC 9942 has no form for an empty path.
        Invalid: `ledger.receipt_malformed` when the sealed root is of another size or the path cannot be right.
    """
    sealed = SealedRoot.parse(sealed_root)
    if sealed.size != size:
        raise Invalid("ledger.receipt_malformed")
    if size == 1:
        raise Unavailable("ledger.receipt_too_early")
    _proof([size, index, list(path)])
    return CoseReceipt(sealed=sealed, index=index, path=tuple(path)).encode()


def parse_receipts(raws: Sequence[bytes]) -> tuple[CoseReceipt, ...]:
    """The receipts of one Transparent Statement: one entry of one log at one size, each sealed by another key.

    Raises:
        Invalid: as `CoseReceipt.parse`; `ledger.receipt_malformed` also when they differ in log, size, index or path,
            when a key comes twice, or when the log's own is not the first.
    """
    receipts = tuple(CoseReceipt.parse(raw) for raw in raws)
    places = {(each.sealed.origin, each.sealed.size, each.index, each.path) for each in receipts}
    kids = {each.sealed.kid for each in receipts}
    if len(places) != 1 or len(kids) != len(receipts) or any(each.sealed.by_log for each in receipts[1:]):
        raise Invalid("ledger.receipt_malformed")
    return receipts


def verify_receipt(raw: bytes, statement: bytes, key: PublicKey) -> CoseReceipt:
    """Check one receipt of a statement with the key of a trusted log or member.

    Raises:
        Invalid: as `CoseReceipt.parse`; `ledger.proof_wrong`, `ledger.receipt_signature_wrong`.
    """
    receipt = CoseReceipt.parse(raw)
    receipt.sealed.verify(receipt.root(statement), key)
    return receipt


def transparent_statement(statement: bytes, receipts: Sequence[bytes], extra: Mapping[str, Any]) -> bytes:
    """The statement with its receipts (394) and what else its reader needs ("chopmark"), both unprotected."""
    envelope = Envelope.parse(statement)
    unprotected: dict[int | str, Any] = {RECEIPTS: list(receipts)}
    if extra:
        unprotected[CHOPMARK] = dict(extra)
    return Envelope(
        protected=envelope.protected,
        unprotected=unprotected,
        payload=envelope.payload,
        signature=envelope.signature,
    ).encode()


def parse_transparent(raw: bytes) -> Transparent:
    """Take a Transparent Statement apart; the statement comes back as it stands on the ledger.

    Raises:
        Invalid: `ledger.receipt_too_large`, `ledger.transparent_malformed`.
    """
    if len(raw) > MAX_TRANSPARENT:
        raise Invalid("ledger.receipt_too_large", size=len(raw), limit=MAX_TRANSPARENT)
    try:
        envelope = Envelope.parse(raw)
    except Invalid as error:
        raise Invalid("ledger.transparent_malformed") from error
    header = envelope.unprotected
    receipts, extra = header.get(RECEIPTS), header.get(CHOPMARK, {})
    if not isinstance(receipts, list) or not 1 <= len(receipts) <= MAX_RECEIPTS or not isinstance(extra, dict):
        raise Invalid("ledger.transparent_malformed")
    if not all(isinstance(receipt, bytes) for receipt in receipts) or not {RECEIPTS, CHOPMARK}.issuperset(header):
        raise Invalid("ledger.transparent_malformed")
    statement = Envelope(
        protected=envelope.protected, unprotected={}, payload=envelope.payload, signature=envelope.signature
    ).encode()
    return Transparent(statement=statement, receipts=tuple(receipts), extra=extra)


def _protected(*, issuer: str, origin: str, size: int, kid: bytes, at: datetime) -> bytes:
    return cbor.encode(
        {
            ALGORITHM: EDDSA,
            KEY_ID: kid,
            CLAIMS: {ISSUER: issuer, SUBJECT: origin, ISSUED_AT: clock.to_seconds(at)},
            DATA_STRUCTURE: RFC9162_SHA256,
            CHOPMARK: {"size": size},
        }
    )


def _header(header: object) -> tuple[str, str, int, bytes, datetime]:
    """Issuer, origin, size, kid and time of a receipt's protected header; the rest shows when it is printed back."""
    match header:
        case {4: bytes(kid), 15: {1: str(issuer), 2: str(origin), 6: int(seconds)}, "chopmark": {"size": int(size)}}:
            if type(size) is int and type(seconds) is int and len(kid) == DIGEST_SIZE:
                return issuer, origin, size, kid, clock.from_seconds(seconds)
    raise Invalid("ledger.receipt_malformed")


def _inclusion(envelope: Envelope) -> tuple[int, int, tuple[bytes, ...]]:
    match envelope.unprotected:
        case {396: {-1: [bytes(proof)]}} if envelope.payload is None:
            return _proof(cbor.decode(proof))
    raise Invalid("ledger.receipt_malformed")


def _proof(value: object) -> tuple[int, int, tuple[bytes, ...]]:
    """`[tree size, leaf index, [hash, ...]]`, from size 2 on."""
    match value:
        case [int(size), int(index), list(path)] if type(size) is int and type(index) is int:
            hashes = tuple(each for each in path if isinstance(each, bytes) and len(each) == DIGEST_SIZE)
            if 0 <= index < size < 1 << 63 and 1 <= len(hashes) == len(path) <= MAX_PATH:
                return size, index, hashes
    raise Invalid("ledger.receipt_malformed")
