"""Whose signatures count: a trust policy (C2SP tlog-policy).

    log      <vkey> [<url>]
    witness  <name> <vkey> [<url>]
    group    <name> all|any|<k> <name>...
    quorum   <name>|none

A checkpoint is accepted when one of the logs signed it under its own origin and the quorum cosigned it.
The policy is data that a person chooses and keeps; it is never taken from what it judges.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from chopmark.base.errors import Invalid
from chopmark.ledger.checkpoint import Checkpoint, VerifiedSignature, open_checkpoint
from chopmark.ledger.keys import ED25519, ED25519_COSIGNATURE, MLDSA44_COSIGNATURE, VerifierKey
from chopmark.ledger.text import parse_decimal

NO_QUORUM = "none"
MAX_SIZE = 1024 * 1024
MAX_LINES = 1000

_LOG_TYPES = (ED25519, MLDSA44_COSIGNATURE)
_WITNESS_TYPES = (ED25519_COSIGNATURE, MLDSA44_COSIGNATURE)
_BETWEEN_WORDS = re.compile(r"[ \t]+")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyLog:
    """A log that the policy accepts; its key's name is its origin."""

    key: VerifierKey
    url: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyWitness:
    """A witness, under the name that groups and the quorum call it by."""

    name: str
    key: VerifierKey
    url: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyGroup:
    """A group: it has cosigned when `threshold` of its members have, each a witness or an earlier group."""

    name: str
    threshold: int
    members: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """What a policy says of the signatures on one checkpoint.

    Attributes:
        logs: the signatures of logs that the policy lists, under their own origin.
        witnesses: witness name to its signature (the earliest, where it gave several).
        quorum_reached: whether the cosignatures suffice.
    """

    logs: tuple[VerifiedSignature, ...]
    witnesses: Mapping[str, VerifiedSignature]
    quorum_reached: bool

    @property
    def accepted(self) -> bool:
        """Whether a listed log signed and the quorum cosigned."""
        return bool(self.logs) and self.quorum_reached


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """Logs, witnesses, groups and the quorum, checked as a whole when it is made.

    Attributes:
        groups: each refers to witnesses and to groups before it.
        quorum: the name of a witness or group, or `none`.
    """

    logs: tuple[PolicyLog, ...] = ()
    witnesses: tuple[PolicyWitness, ...] = ()
    groups: tuple[PolicyGroup, ...] = ()
    quorum: str = NO_QUORUM

    def __post_init__(self) -> None:
        names = _Names()
        for log in self.logs:
            names.add_log(log)
        for witness in self.witnesses:
            names.add_witness(witness)
        for group in self.groups:
            names.add_group(group)
        names.must_know_quorum(self.quorum)

    @classmethod
    def parse(cls, data: bytes) -> Policy:
        """Read a policy file; names and addresses are opaque bytes, kept as they are.

        Raises:
            Invalid: `ledger.policy_malformed` with the line's number; `ledger.policy_too_large`.
        """
        if len(data) > MAX_SIZE or data.count(b"\n") > MAX_LINES:
            raise Invalid("ledger.policy_too_large", limit=MAX_SIZE, lines=MAX_LINES)
        reading = _Reading()
        for number, line in enumerate(data.decode("utf-8", "surrogateescape").split("\n"), start=1):
            words = _BETWEEN_WORDS.split(line.strip(" \t"))
            if _CONTROL.search(line):
                raise Invalid("ledger.policy_malformed", line=number)
            if not words[0] or words[0].startswith("#"):
                continue
            try:
                reading.take(words)
            except (Invalid, ValueError) as error:
                raise Invalid("ledger.policy_malformed", line=number) from error
        return reading.policy()

    @property
    def keys(self) -> list[VerifierKey]:
        """Every key the policy names: what `open_checkpoint` needs."""
        return [log.key for log in self.logs] + [witness.key for witness in self.witnesses]

    def judge(self, signatures: Sequence[VerifiedSignature]) -> Judgement:
        """Weigh the true signatures on one checkpoint."""
        logs = {log.key for log in self.logs}
        names = {witness.key: witness.name for witness in self.witnesses}
        witnesses: dict[str, VerifiedSignature] = {}
        for signature in sorted(signatures, key=_earliest_first):
            if signature.key in names:
                witnesses.setdefault(names[signature.key], signature)
        cosigned = set(witnesses)
        for group in self.groups:
            if sum(member in cosigned for member in group.members) >= group.threshold:
                cosigned.add(group.name)
        return Judgement(
            logs=tuple(each for each in signatures if each.key in logs and each.key.name == each.origin),
            witnesses=witnesses,
            quorum_reached=self.quorum == NO_QUORUM or self.quorum in cosigned,
        )

    def open(self, note: bytes) -> tuple[Checkpoint, Judgement]:
        """Read a signed checkpoint and judge it; what `open_checkpoint` raises, and nothing for a missing quorum."""
        checkpoint, signatures = open_checkpoint(note, self.keys)
        return checkpoint, self.judge(signatures)


def policy_text(policy: Policy) -> str:
    """The policy as a file, one line a thing; `Policy.parse` reads it back to the same value."""
    lines = [" ".join(["log", str(log.key), *_optional(log.url)]) for log in policy.logs]
    lines += [" ".join(["witness", each.name, str(each.key), *_optional(each.url)]) for each in policy.witnesses]
    lines += [" ".join(["group", each.name, str(each.threshold), *each.members]) for each in policy.groups]
    return "\n".join([*lines, f"quorum {policy.quorum}", ""])


def _optional(url: str | None) -> list[str]:
    return [] if url is None else [url]


def _earliest_first(signature: VerifiedSignature) -> tuple[bool, float]:
    """Signatures with a time before those without, earlier before later."""
    return (True, 0.0) if signature.at is None else (False, signature.at.timestamp())


class _Names:
    """What has been defined so far; each `add_` refuses what the specification forbids."""

    def __init__(self) -> None:
        self._free: set[str] = set()
        self._taken = {NO_QUORUM}
        self._known: set[str] = set()
        self._log_keys: set[bytes] = set()
        self._witness_keys: set[bytes] = set()
        self._keys: dict[tuple[str, bytes], VerifierKey] = {}

    def add_log(self, log: PolicyLog) -> None:
        _must(log.key.type in _LOG_TYPES and log.key.public not in self._log_keys and _is_word(log.url))
        self._take_id(log.key)
        self._log_keys.add(log.key.public)

    def add_witness(self, witness: PolicyWitness) -> None:
        _must(witness.key.type in _WITNESS_TYPES and witness.key.public not in self._witness_keys)
        _must(_is_word(witness.url))
        self._take_id(witness.key)
        self._witness_keys.add(witness.key.public)
        self._define(witness.name)

    def add_group(self, group: PolicyGroup) -> None:
        members = set(group.members)
        _must(len(members) == len(group.members) and 1 <= group.threshold <= len(members))
        _must(members <= self._free)
        self._free -= members
        self._define(group.name)

    def must_know_quorum(self, name: str) -> None:
        _must(name == NO_QUORUM or name in self._known)

    def _take_id(self, key: VerifierKey) -> None:
        """A signature line tells its key by name and 4 bytes: whoever chose a twin could stand in another's place."""
        _must(self._keys.setdefault((key.name, key.key_id), key) == key)

    def _define(self, name: str) -> None:
        _must(_is_word(name) and name not in self._taken)
        self._taken.add(name)
        self._known.add(name)
        self._free.add(name)


class _Reading:
    """The lines of a file, taken one by one; a name is usable only after its line."""

    def __init__(self) -> None:
        self._names = _Names()
        self._logs: list[PolicyLog] = []
        self._witnesses: list[PolicyWitness] = []
        self._groups: list[PolicyGroup] = []
        self._quorum: str | None = None
        self._verbs: dict[str, Callable[[list[str]], None]] = {
            "log": self._log,
            "witness": self._witness,
            "group": self._group,
            "quorum": self._quorum_line,
        }

    def take(self, words: list[str]) -> None:
        verb, *rest = words
        _must(verb in self._verbs)
        self._verbs[verb](rest)

    def policy(self) -> Policy:
        if self._quorum is None:
            raise Invalid("ledger.policy_without_quorum")
        return Policy(
            logs=tuple(self._logs),
            witnesses=tuple(self._witnesses),
            groups=tuple(self._groups),
            quorum=self._quorum,
        )

    def _log(self, words: list[str]) -> None:
        vkey, *url = words
        _must(len(url) <= 1)
        log = PolicyLog(key=VerifierKey.parse(vkey), url=url[0] if url else None)
        self._names.add_log(log)
        self._logs.append(log)

    def _witness(self, words: list[str]) -> None:
        name, vkey, *url = words
        _must(len(url) <= 1)
        witness = PolicyWitness(name=name, key=VerifierKey.parse(vkey), url=url[0] if url else None)
        self._names.add_witness(witness)
        self._witnesses.append(witness)

    def _group(self, words: list[str]) -> None:
        name, threshold, *members = words
        counts = {"any": 1, "all": len(members)}
        count = counts[threshold] if threshold in counts else parse_decimal(threshold)
        group = PolicyGroup(name=name, threshold=count, members=tuple(members))
        self._names.add_group(group)
        self._groups.append(group)

    def _quorum_line(self, words: list[str]) -> None:
        (name,) = words
        _must(self._quorum is None)
        self._names.must_know_quorum(name)
        self._quorum = name


def _is_word(text: str | None) -> bool:
    return text is None or (text != "" and not re.search(r"[\x00- \x7f]", text))


def _must(holds: bool) -> None:  # noqa: FBT001 (reads as a sentence: _must(a is b))
    if not holds:
        raise Invalid("ledger.policy_inconsistent")
