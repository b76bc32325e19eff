"""What was decided of a hit, as bytes that stand by themselves; a sheet of many; the proof that one stands in it. Pure.

    Record(...).encode()                     canonical JSON of one decision; its hash is a leaf of a sheet's tree
    Sheet.of(number, leaves, ...).content()  canonical JSON of a sheet; its digest is a private deposit on the ledger
    prove(record, levels, number)            the record with its way up
    check(proof, sheet)                      the record, or refused: needs no platform, no home and no network

The tree is that of RFC 6962, as for scans. Each record carries a nonce, so that who is shown one of a sheet cannot
guess at the others from their hashes. A record names no person: who decided is one of `Who`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from typing import Any, Final, Literal, get_args

from chopmark.base import clock, jcs
from chopmark.base.errors import Invalid
from chopmark.ledger import tree
from chopmark.watch.life import Event
from chopmark.watch.results import MAX_PATH, MAX_PROOF, path_up, plain

RECORD_FORM: Final = "chopmark-watch-decision-v1"
SHEET_FORM: Final = "chopmark-watch-decisions-v1"
PROOF_FORM: Final = "chopmark-watch-decision-proof-v1"
NONCE_SIZE: Final = 16
MAX_FINDINGS: Final = 32
"""Findings that a record writes out, best first. All of them are bound by the digest of what was found."""

Who = Literal["marketplace", "holder", "rules"]
"""A reviewer of whoever runs the marketplace, one of the right's holder, or the rules without a person."""
Asked = Literal["hold", "again", "recall"]
"""What is decided without a step of `life`: two keys hold a listing; a listing that came back is to be taken down
again; what a rule asked for is called back because its alarm rang."""
Decision = Event | Asked

DECISIONS: Final[frozenset[str]] = frozenset(
    {"confirm_one", "confirm", "dispute", "dismiss", "undo", "automatic", "release", "reopen", *get_args(Asked)}
)
"""Lines of a hit's history that decide. The others say what a listing shows, or what became of a measure."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One decision.

    Attributes:
        place: of the hit's decisions, from 1: a gap is a decision that somebody keeps back.
        listing: SHA-256 of the canonical bytes of the version that was judged, in hexadecimal.
        right: id of the right, or number of the work that stands under none; right_number: as people say it.
        marks: version of the mark set. rules: those that fired, each with its version (SHA-256).
        found: as `findings` makes it.
        outcome, score, keys: what the rules proposed, with which score and which kinds of evidence.
        step: of `DECISIONS`; before, after: states of the hit.
        why: the reason; empty where none was given. measure: what is asked of the marketplace by this; in_force: what
            was in force or on its way before.
        source: review, audit, alarm, or where the listing came from: feed, look, scan, reverse, redecide.
    """

    number: str
    place: int
    marketplace: str
    item: str
    version: int
    listing: str
    right: str
    right_number: str
    marks: str
    rules: tuple[tuple[str, str], ...]
    found: Mapping[str, Any]
    outcome: str
    score: int
    keys: tuple[str, ...]
    step: str
    before: str
    after: str
    why: str
    measure: str
    in_force: str
    source: str
    who: Who
    at: datetime

    def encode(self, nonce: bytes) -> bytes:
        """Canonical JSON, never longer than a few kilobytes."""
        said = {each.name: getattr(self, each.name) for each in fields(self)}
        return jcs.encode({**said, "form": RECORD_FORM, "at": clock.to_text(self.at), "nonce": nonce.hex()})


def findings(found: Mapping[str, Any]) -> dict[str, Any]:
    """Of what was found: each mark, view and span; and the digest of all of it, however much that is.

    Args:
        found: of a hit (`judge.Verdict.found`).
    """
    texts = [
        {name: each.get(name) for name in ("mark", "term", "view", "field", "start", "end")}
        for each in found.get("texts", ())
    ]
    pictures = [
        {name: each.get(name) for name in ("work", "right", "stage", "picture", "query")}
        for each in found.get("pictures", ())
    ]
    return {
        "sha-256": hashlib.sha256(jcs.encode(plain(found))).hexdigest(),
        "texts": plain(texts[:MAX_FINDINGS]),
        "pictures": plain(pictures[:MAX_FINDINGS]),
        "more": max(0, len(texts) - MAX_FINDINGS) + max(0, len(pictures) - MAX_FINDINGS),
    }


# ---- sheets and proofs -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """What is deposited of many decisions.

    Attributes:
        count: records. first, last: times of the earliest and the latest, to the second. root: over them, 32 bytes.
    """

    number: str
    count: int
    first: str
    last: str
    root: bytes

    @classmethod
    def of(cls, number: str, leaves: Sequence[bytes], *, first: datetime, last: datetime) -> Sheet:
        """The sheet over these leaf hashes, in order."""
        return cls(
            number=number,
            count=len(leaves),
            first=clock.to_text(first),
            last=clock.to_text(last),
            root=tree.root_of(leaves),
        )

    def content(self) -> bytes:
        """Canonical JSON: the bytes whose digest is deposited."""
        return jcs.encode({**asdict(self), "form": SHEET_FORM, "root": self.root.hex()})

    @classmethod
    def parse(cls, data: bytes) -> Sheet:
        """Read what `content` printed.

        Raises:
            Invalid: `watch.sheet_malformed`; `base.json_malformed`.
        """
        said = jcs.decode(data)
        try:
            sheet = cls(
                root=bytes.fromhex(said["root"]), **{name: said[name] for name in ("number", "count", "first", "last")}
            )
        except (KeyError, TypeError, ValueError) as error:
            raise Invalid("watch.sheet_malformed") from error
        texts = (sheet.number, sheet.first, sheet.last)
        sound = type(sheet.count) is int and sheet.count > 0 and len(sheet.root) == tree.HASH_SIZE
        if not sound or not all(isinstance(each, str) for each in texts) or sheet.content() != data:
            raise Invalid("watch.sheet_malformed")
        return sheet


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """That a record stands in a sheet.

    Attributes:
        record: the leaf, as `Record.encode` printed it. sheet: number of the sheet. index: the record's place in it.
        path: sibling hashes upwards.
    """

    record: bytes
    sheet: str
    index: int
    path: tuple[bytes, ...]

    def encode(self) -> bytes:
        """Canonical JSON, for a file."""
        return jcs.encode(
            {
                "form": PROOF_FORM,
                "record": self.record.decode(),
                "sheet": self.sheet,
                "index": self.index,
                "path": [each.hex() for each in self.path],
            }
        )

    @classmethod
    def parse(cls, data: bytes) -> Proof:
        """Read what `encode` printed.

        Raises:
            Invalid: `watch.decision_proof_malformed`; `base.json_malformed`.
        """
        if len(data) > MAX_PROOF:
            raise Invalid("watch.decision_proof_malformed")
        said = jcs.decode(data)
        try:
            proof = cls(
                record=said["record"].encode(),
                sheet=said["sheet"],
                index=said["index"],
                path=tuple(bytes.fromhex(each) for each in said["path"]),
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise Invalid("watch.decision_proof_malformed") from error
        if type(proof.index) is not int or len(proof.path) > MAX_PATH or proof.encode() != data:
            raise Invalid("watch.decision_proof_malformed")
        return proof


def prove(record: bytes, levels: Sequence[Sequence[bytes]], sheet: str) -> Proof:
    """The proof of a record, given what `results.levels_of` says of the leaf hashes of its sheet, in order.

    Raises:
        Invalid: `watch.decision_altered` when the record is none of them.
    """
    leaf = tree.leaf_hash(record)
    if leaf not in levels[0]:
        raise Invalid("watch.decision_altered")
    index = levels[0].index(leaf)
    return Proof(record=record, sheet=sheet, index=index, path=tuple(path_up(levels, index)))


def check(proof: Proof, sheet: Sheet) -> dict[str, Any]:
    """The record that a proof shows to stand in a sheet, whose content is on the ledger.

    Raises:
        Invalid: `watch.decision_proof_wrong` when it does not lead there; `base.json_malformed`.
    """
    try:
        tree.verify_inclusion(
            leaf=tree.leaf_hash(proof.record), index=proof.index, size=sheet.count, proof=proof.path, root=sheet.root
        )
    except Invalid as error:
        raise Invalid("watch.decision_proof_wrong") from error
    record = jcs.decode(proof.record)
    if proof.sheet != sheet.number or not isinstance(record, dict) or record.get("form") != RECORD_FORM:
        raise Invalid("watch.decision_proof_wrong")
    return record
