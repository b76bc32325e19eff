"""Alarms: what a member has found against a log, with bytes that let a stranger find the same.

An alarm is a JSON document in one canonical form (keys sorted, two spaces, one line feed at the end); the files of
its proof stand in it in base64. Its id is a digest of all but the time, so that the same thing found twice is one.

    ledger.alarm_fork               two checkpoints of one log that contradict each other: `check_fork_proof`
    ledger.alarm_bad_entry          an entry that is no statement or not signed by its key: `check_entry_proof`
    ledger.alarm_history_unproven   a checkpoint that nobody could connect with the history: a suspicion, no proof
    ledger.alarm_rewound            the log publishes a smaller checkpoint than before
    ledger.alarm_no_quorum          a published checkpoint without the quorum of the policy
    ledger.alarm_checkpoint_wrong   what is published as a checkpoint is none of this log
    ledger.alarm_files_wrong        a published file does not fit the published checkpoint
    ledger.alarm_stale              the log has shown members more than it publishes, for too long; or is silent
    ledger.alarm_state_lost         this member has signed more than it remembers

Raises no alarm itself and keeps none.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from chopmark.base.clock import to_text
from chopmark.base.errors import Fact, Invalid
from chopmark.ledger import tree
from chopmark.ledger.checkpoint import Checkpoint, open_checkpoint
from chopmark.ledger.keys import VerifierKey
from chopmark.ledger.proof import TlogProof
from chopmark.ledger.text import parse_base64, parse_decimal, to_base64
from chopmark.ledger.tree import HASH_SIZE

FORK = "ledger.alarm_fork"
BAD_ENTRY = "ledger.alarm_bad_entry"
HISTORY_UNPROVEN = "ledger.alarm_history_unproven"
REWOUND = "ledger.alarm_rewound"
NO_QUORUM = "ledger.alarm_no_quorum"
CHECKPOINT_WRONG = "ledger.alarm_checkpoint_wrong"
FILES_WRONG = "ledger.alarm_files_wrong"
STALE = "ledger.alarm_stale"
STATE_LOST = "ledger.alarm_state_lost"

FIRST = "first.note"
SECOND = "second.note"
CONSISTENCY = "consistency.txt"
ENTRY = "entry"
INCLUSION = "entry.tlog-proof"

MAX_ALARM = 1 << 20

_CODE = re.compile(r"[a-z]+\.[a-z_]{1,64}")
_FILE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_FIELDS = {"code", "origin", "at", "facts", "proof"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Alarm:
    """One thing found.

    Attributes:
        code: dotted, a key of the wording catalogue.
        origin: the log.
        at: when it was found, whole seconds.
        facts: for the sentence.
        proof: file name to bytes.
    """

    code: str
    origin: str
    at: datetime
    facts: Mapping[str, Fact] = field(default_factory=dict)
    proof: Mapping[str, bytes] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        if not _CODE.fullmatch(self.code) or not all(_FILE.fullmatch(name) for name in self.proof):
            raise Invalid("ledger.alarm_malformed")
        object.__setattr__(self, "at", self.at.astimezone(UTC).replace(microsecond=0))

    @property
    def id(self) -> str:
        """32 hexadecimal digits; the same for the same thing found at another time."""
        said = {name: value for name, value in self._document().items() if name != "at"}
        return hashlib.sha256(_print(said)).hexdigest()[:32]

    def encode(self) -> bytes:
        """The canonical document, UTF-8."""
        return _print(self._document())

    @classmethod
    def parse(cls, data: bytes) -> Alarm:
        """Read what `encode` wrote.

        Raises:
            Invalid: `ledger.alarm_malformed`.
        """
        if len(data) > MAX_ALARM:
            raise Invalid("ledger.alarm_malformed")
        try:
            alarm = _read(json.loads(data))
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise Invalid("ledger.alarm_malformed") from error
        if alarm.encode() != data:
            raise Invalid("ledger.alarm_malformed")
        return alarm

    def _document(self) -> dict[str, Any]:
        return {
            "code": self.code,
            "origin": self.origin,
            "at": to_text(self.at),
            "facts": dict(self.facts),
            "proof": {name: to_base64(data) for name, data in self.proof.items()},
        }


def _print(document: Mapping[str, Any]) -> bytes:
    return (json.dumps(document, ensure_ascii=False, allow_nan=False, indent=2, sort_keys=True) + "\n").encode()


def _read(document: dict[str, Any]) -> Alarm:
    if set(document) != _FIELDS:
        raise ValueError
    return Alarm(
        code=str(document["code"]),
        origin=str(document["origin"]),
        at=datetime.fromisoformat(document["at"]),
        facts=dict(document["facts"]),
        proof={name: base64.b64decode(data, validate=True) for name, data in document["proof"].items()},
    )


# ---- the proof of a fork --------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Prefix:
    """That a tree of `old` leaves with `root` is a prefix of the tree of `size` leaves, as a text file.

    consistency <old> <size>
    <base64 root of the smaller tree>
    <base64 hash>                       RFC 6962 §2.1.2, 63 at most
    """

    old: int
    size: int
    root: bytes
    hashes: tuple[bytes, ...]

    def encode(self) -> bytes:
        """The text, ASCII."""
        lines = [f"consistency {self.old} {self.size}", *map(to_base64, (self.root, *self.hashes)), ""]
        return "\n".join(lines).encode()

    @classmethod
    def parse(cls, data: bytes) -> Prefix:
        """Read what `encode` wrote.

        Raises:
            Invalid: `ledger.proof_malformed`.
        """
        try:
            first, *rest, _ = data.decode("ascii").split("\n")
            _, old, size = first.split(" ")
            root, *hashes = map(parse_base64, rest)
            prefix = cls(old=parse_decimal(old), size=parse_decimal(size), root=root, hashes=tuple(hashes))
        except ValueError as error:
            raise Invalid("ledger.proof_malformed") from error
        if prefix.encode() != data or len(hashes) > 63 or {len(each) for each in (root, *hashes)} != {HASH_SIZE}:
            raise Invalid("ledger.proof_malformed")
        return prefix


def check_fork_proof(proof: Mapping[str, bytes], keys: Sequence[VerifierKey]) -> tuple[Checkpoint, Checkpoint]:
    """Find for oneself that a log has forked: both checkpoints, the smaller first.

    Both are signed by the log. Either they are of one size and differ in the root; or the log of the larger one had,
    by a consistency proof, another root at the smaller one's size.

    Args:
        proof: of the alarm: `first.note`, `second.note` and, for two sizes, `consistency.txt`.
        keys: the log's.

    Raises:
        Invalid: `ledger.fork_unproven` when this proves nothing; what `open_checkpoint`, `Prefix.parse` and
            `tree.verify_consistency` raise.
    """
    if FIRST not in proof or SECOND not in proof:
        raise Invalid("ledger.fork_unproven")
    first, _ = open_checkpoint(proof[FIRST], keys)
    second, _ = open_checkpoint(proof[SECOND], keys)
    if first.origin != second.origin or first.size > second.size:
        raise Invalid("ledger.fork_unproven")
    true_root = second.root
    if first.size < second.size:
        if CONSISTENCY not in proof:
            raise Invalid("ledger.fork_unproven")
        prefix = Prefix.parse(proof[CONSISTENCY])
        if (prefix.old, prefix.size) != (first.size, second.size):
            raise Invalid("ledger.fork_unproven")
        tree.verify_consistency(
            old=prefix.old, old_root=prefix.root, size=second.size, root=second.root, proof=prefix.hashes
        )
        true_root = prefix.root
    if first.root == true_root:
        raise Invalid("ledger.fork_unproven")
    return first, second


def check_entry_proof(proof: Mapping[str, bytes], keys: Sequence[VerifierKey]) -> tuple[int, bytes]:
    """Find for oneself that the log holds the entry of an alarm: its position and its bytes.

    Args:
        proof: of the alarm: `entry` and `entry.tlog-proof`.
        keys: the log's.

    Raises:
        Invalid: `ledger.proof_malformed`; what `TlogProof.parse`, `open_checkpoint` and `verify_inclusion` raise.
    """
    if ENTRY not in proof or INCLUSION not in proof:
        raise Invalid("ledger.proof_malformed")
    inclusion = TlogProof.parse(proof[INCLUSION])
    checkpoint, _ = open_checkpoint(inclusion.checkpoint, keys)
    tree.verify_inclusion(
        leaf=tree.leaf_hash(proof[ENTRY]),
        index=inclusion.index,
        size=checkpoint.size,
        proof=inclusion.hashes,
        root=checkpoint.root,
    )
    return inclusion.index, proof[ENTRY]
