"""Receipts: a statement, what its commitments hide, and the proof that the log holds it. Two files, one content.

`FILE.tlog-proof`     C2SP tlog-proof; `extra` is CBOR {"key": bstr, "statement": bstr, "disclosures": [bstr, ...]}
`FILE.receipt.cose`   the Transparent Statement (RFC 9943) with one COSE Receipt (RFC 9942); unprotected "chopmark"
                      is {"key": bstr, "checkpoint": bstr, "disclosures": [bstr, ...]}

Either is enough alone. The parts beside the proof are not authenticated by the format: `verify` checks each
against the statement, and the statement against the log. Byte by byte in docs/receipts.md.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from chopmark.base import cbor
from chopmark.base.errors import Invalid
from chopmark.evidence.deposit import NAMES, Disclosure
from chopmark.ledger.checkpoint import Checkpoint
from chopmark.ledger.cose_receipt import (
    CoseReceipt,
    assemble_receipt,
    parse_transparent,
    transparent_statement,
)
from chopmark.ledger.note import Note
from chopmark.ledger.proof import FIRST_LINE, TlogProof
from chopmark.ledger.statement import PublicKey, Statement

TLOG_PROOF = "tlog-proof"
COSE = "cose"
MAX_RECEIPT = 1 << 20

_COSE_SIGN1_BYTE = b"\xd2"


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
        sealed_root: what `cose_receipt.sign_root` made for the same checkpoint.
    """

    statement: bytes
    disclosures: tuple[Disclosure, ...]
    issuer_key: bytes
    index: int
    path: tuple[bytes, ...]
    checkpoint: bytes
    sealed_root: bytes

    def showing(self, names: Iterable[str]) -> Receipt:
        """The same receipt with only the named disclosures, for a reader who shall not see the others."""
        shown = set(names)
        return replace(self, disclosures=tuple(each for each in self.disclosures if each.name in shown))

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
        receipt = assemble_receipt(self.sealed_root, size, self.index, self.path)
        return transparent_statement(self.statement, [receipt], {**self._extra(), "checkpoint": self.checkpoint})

    def _extra(self) -> dict[str, Any]:
        return {"key": self.issuer_key, "disclosures": [each.encode() for each in self.disclosures]}


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
        cose: the COSE Receipt; None in a tlog-proof.
    """

    form: str
    statement: Statement
    disclosures: tuple[Disclosure, ...]
    issuer_key: PublicKey | None
    index: int
    path: tuple[bytes, ...]
    checkpoint: bytes | None
    cose: CoseReceipt | None


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
            key, disclosures = _carried(rest)
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
        cose=None,
    )


def _read_cose(data: bytes) -> ReadReceipt:
    transparent = parse_transparent(data)
    if len(transparent.receipts) != 1:
        raise Invalid("evidence.receipt_malformed")
    cose = CoseReceipt.parse(transparent.receipts[0])
    carried = dict(transparent.extra)
    checkpoint = carried.pop("checkpoint", None)
    if not isinstance(checkpoint, bytes | None):
        raise Invalid("evidence.receipt_malformed")
    key, disclosures = _carried(carried)
    return ReadReceipt(
        form=COSE,
        statement=Statement.parse(transparent.statement),
        disclosures=disclosures,
        issuer_key=key,
        index=cose.index,
        path=cose.path,
        checkpoint=checkpoint,
        cose=cose,
    )


def _carried(carried: Mapping[Any, Any]) -> tuple[PublicKey | None, tuple[Disclosure, ...]]:
    """The signer's key and the disclosures; anything else beside them is refused."""
    key, encoded = carried.get("key"), carried.get("disclosures", [])
    if not {"key", "disclosures"}.issuperset(carried) or not isinstance(key, bytes | None):
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
    return None if key is None else PublicKey.from_cose(key), disclosures
