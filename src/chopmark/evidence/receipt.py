"""Receipts: a statement, what its commitments hide, and the proof that the log holds it. Two files, one content.

`FILE.tlog-proof`     C2SP tlog-proof; `extra` is CBOR {"key": bstr, "anchors": [...], "statement": bstr,
                      "disclosures": [bstr, ...]}
`FILE.receipt.cose`   the Transparent Statement (RFC 9943) with COSE Receipts (RFC 9942), the log's first and then
                      those of members; unprotected "chopmark" is {"key": bstr, "anchors": [...],
                      "checkpoint": bstr, "disclosures": [bstr, ...]}

Either is enough alone; "anchors" is absent when there are none. The parts beside the proof are not authenticated by
the format: `verify` checks each against the statement, and the statement against the log. Byte by byte in
docs/receipts.md.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from chopmark.base import cbor
from chopmark.base.digests import DIGEST_SIZE
from chopmark.base.errors import Invalid, Refused
from chopmark.evidence.deposit import NAMES, Disclosure
from chopmark.ledger.checkpoint import Checkpoint
from chopmark.ledger.cose_receipt import (
    MAX_RECEIPTS,
    CoseReceipt,
    assemble_receipt,
    parse_receipts,
    parse_transparent,
    transparent_statement,
)
from chopmark.ledger.keys import ED25519, ED25519_COSIGNATURE, MLDSA44_COSIGNATURE, SIGNATURE_SIZES
from chopmark.ledger.note import Note
from chopmark.ledger.proof import FIRST_LINE, TlogProof
from chopmark.ledger.statement import PublicKey, Statement

TLOG_PROOF = "tlog-proof"
COSE = "cose"
MAX_RECEIPT = 1 << 20

ALL = "all"
COMPACT = "compact"
POST_QUANTUM = "post-quantum"
SIGNATURES = (ALL, COMPACT, POST_QUANTUM)

RFC3161 = "rfc3161"
OPENTIMESTAMPS = "ots"
EVM = "evm"
ANCHORS = (RFC3161, OPENTIMESTAMPS, EVM)
OWN_AUTHORITY = "own"  # what the platform calls its own time-stamp authority
MAX_ANCHORS = 32
MAX_AUTHORITY = 255
MAX_TOKEN = 65_535
MAX_PATH = 63

_COSE_SIGN1_BYTE = b"\xd2"
_TIME_SIZE = 8
_LINE_SIZES = {
    COMPACT: {SIGNATURE_SIZES[ED25519], _TIME_SIZE + SIGNATURE_SIZES[ED25519_COSIGNATURE]},
    POST_QUANTUM: {_TIME_SIZE + SIGNATURE_SIZES[MLDSA44_COSIGNATURE]},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Anchor:
    """Something outside the log that a checkpoint was tied to: it proves that the entry existed, and nothing else.

    The entry is under the root by `path`, the root is in `text`, and `text` is under `token`.

    Attributes:
        kind: RFC3161, OPENTIMESTAMPS or EVM.
        authority: name of the time-stamp authority, calendar or chain, as the platform calls it.
        text: the three lines of a checkpoint of the receipt's log, of any size above the entry's index.
        path: inclusion path of the entry under that checkpoint, from the leaf's sibling upwards.
        token: what the authority gave: a DER TimeStampToken, an OpenTimestamps file, or a chain's proof.
    """

    kind: str
    authority: str
    text: bytes
    path: tuple[bytes, ...]
    token: bytes

    def __post_init__(self) -> None:
        path = len(self.path) <= MAX_PATH and all(len(each) == DIGEST_SIZE for each in self.path)
        if (
            self.kind not in ANCHORS
            or not _is_authority(self.authority)
            or not path
            or not 0 < len(self.token) <= MAX_TOKEN
        ):
            raise Invalid("evidence.anchor_malformed")
        self.checkpoint()

    def checkpoint(self) -> Checkpoint:
        """The checkpoint in the text."""
        try:
            return Checkpoint.parse(self.text.decode())
        except UnicodeDecodeError as error:
            raise Invalid("evidence.anchor_malformed") from error

    @classmethod
    def of(cls, value: object) -> Anchor:
        """From what `plain` gave.

        Raises:
            Invalid: `evidence.anchor_malformed`, and what `Checkpoint.parse` raises.
        """
        match value:
            case [str(kind), str(authority), bytes(text), list(path), bytes(token)]:
                if all(isinstance(each, bytes) for each in path):
                    return cls(kind=kind, authority=authority, text=text, path=tuple(path), token=token)
        raise Invalid("evidence.anchor_malformed")

    def plain(self) -> list[Any]:
        """As a CBOR array: `[kind, authority, text, [hash, ...], token]`."""
        return [self.kind, self.authority, self.text, list(self.path), self.token]


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """What the platform knows about one published deposit; both files are printed from it.

    Attributes:
        statement: the entry's bytes.
        disclosures: those to be shown, any subset of the statement's.
        issuer_key: COSE_Key of the statement's signer.
        index: zero-based position in the log.
        path: inclusion path under the checkpoint, from the leaf's sibling upwards.
        checkpoint: signed note.
        seals: what `cose_receipt.sign_root` made for the same checkpoint, the log's first and then members'.
        anchors: what ties this or later checkpoints to something outside.
    """

    statement: bytes
    disclosures: tuple[Disclosure, ...]
    issuer_key: bytes
    index: int
    path: tuple[bytes, ...]
    checkpoint: bytes
    seals: tuple[bytes, ...]
    anchors: tuple[Anchor, ...] = ()

    def showing(self, names: Iterable[str]) -> Receipt:
        """The same receipt with only the named disclosures, for a reader who shall not see the others."""
        shown = set(names)
        return replace(self, disclosures=tuple(each for each in self.disclosures if each.name in shown))

    def only(self, signatures: str) -> Receipt:
        """The same receipt with one kind of signatures on its checkpoint; either kind alone can satisfy a policy.

        Args:
            signatures: ALL; COMPACT for Ed25519; POST_QUANTUM for ML-DSA-44, then without the members' COSE Receipts
                too, which are Ed25519 (the log's stays: the form needs one).

        Raises:
            Invalid: `evidence.signatures_unknown`.
            Refused: `evidence.signatures_not_found` when nobody signed this checkpoint so.
        """
        if signatures not in SIGNATURES:
            raise Invalid("evidence.signatures_unknown", value=signatures[:40])
        if signatures == ALL:
            return self
        note = Note.parse(self.checkpoint)
        kept = tuple(each for each in note.signatures if len(each.value) in _LINE_SIZES[signatures])
        if not kept:
            raise Refused("evidence.signatures_not_found", value=signatures)
        seals = self.seals[:1] if signatures == POST_QUANTUM else self.seals
        return replace(self, checkpoint=replace(note, signatures=kept).encode(), seals=seals)

    def tlog_proof(self) -> bytes:
        """The content of `FILE.tlog-proof`."""
        extra = cbor.encode({**self._extra(), "statement": self.statement})
        return TlogProof(index=self.index, hashes=self.path, checkpoint=self.checkpoint, extra=extra).encode()

    def transparent_statement(self) -> bytes:
        """The content of `FILE.receipt.cose`.

        Raises:
            Unavailable: `ledger.receipt_too_early` while the log has one entry only.
        """
        size = Checkpoint.parse(Note.parse(self.checkpoint).text).size
        receipts = [assemble_receipt(each, size, self.index, self.path) for each in self.seals[:MAX_RECEIPTS]]
        return transparent_statement(self.statement, receipts, {**self._extra(), "checkpoint": self.checkpoint})

    def _extra(self) -> dict[str, Any]:
        extra: dict[str, Any] = {
            "key": self.issuer_key,
            "disclosures": [each.encode() for each in self.disclosures],
        }
        if self.anchors:
            extra["anchors"] = [each.plain() for each in self.anchors]
        return extra


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadReceipt:
    """A receipt as read: right in form, true in nothing yet.

    Attributes:
        form: TLOG_PROOF or COSE.
        statement: the entry.
        disclosures: at most one of each name.
        issuer_key: None when the receipt brings none.
        index: position that the receipt claims.
        path: inclusion path that it claims.
        checkpoint: signed note; None in a COSE receipt that brings none.
        cose: the COSE Receipts, all of one place in one log; none in a tlog-proof.
        anchors: at most MAX_ANCHORS.
    """

    form: str
    statement: Statement
    disclosures: tuple[Disclosure, ...]
    issuer_key: PublicKey | None
    index: int
    path: tuple[bytes, ...]
    checkpoint: bytes | None
    cose: tuple[CoseReceipt, ...]
    anchors: tuple[Anchor, ...]


def read_receipt(data: bytes) -> ReadReceipt:
    """Read either file; its first bytes tell which it is.

    Raises:
        Invalid: `evidence.receipt_form`, `evidence.receipt_too_large`, `evidence.receipt_malformed`, and what the
            readers of the parts raise.
    """
    if len(data) > MAX_RECEIPT:
        raise Invalid("evidence.receipt_too_large", limit=MAX_RECEIPT)
    if data.startswith(FIRST_LINE):
        return _read_tlog_proof(data)
    if data.startswith(_COSE_SIGN1_BYTE):
        return _read_cose(data)
    raise Invalid("evidence.receipt_form")


def _read_tlog_proof(data: bytes) -> ReadReceipt:
    proof = TlogProof.parse(data)
    if proof.extra is None:
        raise Invalid("evidence.receipt_malformed")
    match cbor.decode(proof.extra):
        case {"statement": bytes(statement), **rest}:
            key, disclosures, anchors = _carried(rest)
        case _:
            raise Invalid("evidence.receipt_malformed")
    return ReadReceipt(
        form=TLOG_PROOF,
        statement=Statement.parse(statement),
        disclosures=disclosures,
        issuer_key=key,
        index=proof.index,
        path=proof.hashes,
        checkpoint=proof.checkpoint,
        cose=(),
        anchors=anchors,
    )


def _read_cose(data: bytes) -> ReadReceipt:
    transparent = parse_transparent(data)
    cose = parse_receipts(transparent.receipts)
    carried = dict(transparent.extra)
    checkpoint = carried.pop("checkpoint", None)
    if not isinstance(checkpoint, bytes | None):
        raise Invalid("evidence.receipt_malformed")
    key, disclosures, anchors = _carried(carried)
    return ReadReceipt(
        form=COSE,
        statement=Statement.parse(transparent.statement),
        disclosures=disclosures,
        issuer_key=key,
        index=cose[0].index,
        path=cose[0].path,
        checkpoint=checkpoint,
        cose=cose,
        anchors=anchors,
    )


def _is_authority(name: str) -> bool:
    """1 to MAX_AUTHORITY bytes of UTF-8 without control characters."""
    try:
        return 0 < len(name.encode()) <= MAX_AUTHORITY and not any(each < " " or each == "\x7f" for each in name)
    except UnicodeEncodeError:
        return False


def _carried(
    carried: Mapping[Any, Any],
) -> tuple[PublicKey | None, tuple[Disclosure, ...], tuple[Anchor, ...]]:
    """The signer's key, the disclosures and the anchors; anything else beside them is refused."""
    key, encoded, anchors = carried.get("key"), carried.get("disclosures", []), carried.get("anchors")
    if not {"key", "disclosures", "anchors"}.issuperset(carried) or not isinstance(key, bytes | None):
        raise Invalid("evidence.receipt_malformed")
    if (
        not isinstance(encoded, list)
        or len(encoded) > len(NAMES)
        or not all(isinstance(each, bytes) for each in encoded)
    ):
        raise Invalid("evidence.receipt_malformed")
    disclosures = tuple(Disclosure.parse(each) for each in encoded)
    if len({each.name for each in disclosures}) != len(disclosures):
        raise Invalid("evidence.receipt_malformed")
    return None if key is None else PublicKey.from_cose(key), disclosures, _anchors(carried, anchors)


def _anchors(carried: Mapping[Any, Any], value: object) -> tuple[Anchor, ...]:
    """At least one where the part is there at all."""
    if "anchors" not in carried:
        return ()
    if not isinstance(value, list) or not 1 <= len(value) <= MAX_ANCHORS:
        raise Invalid("evidence.receipt_malformed")
    return tuple(Anchor.of(each) for each in value)


def size_of(receipt: bytes) -> int | None:
    """Size of the checkpoint that a receipt is under; None when it cannot be read, which is the verifier's to say."""
    try:
        read = read_receipt(receipt)
        if read.cose:
            return read.cose[0].sealed.size
        return Checkpoint.parse(Note.parse(read.checkpoint or b"").text).size
    except Invalid:
        return None
