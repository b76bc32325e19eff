"""Who rules the ledger: a consortium's rule, the trust policy that follows from it, and the papers behind both.

A *rule* says how many of which institutions must cosign a checkpoint:

    2 of hangzhou beijing guangzhou and 1 of notary customs
    courts: 2 of hangzhou beijing guangzhou and others: 1 of notary customs      the same, its parts named

From the rule, the members' cards and the log's keys follows the trust policy (C2SP tlog-policy): each institution is a
group of its keys of which any one counts, each part of the rule a group of institutions, and the quorum all parts.
So a receipt with Ed25519 lines only and one with ML-DSA lines only satisfy the same policy.

Pure: reads no file, keeps nothing, publishes nothing.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from itertools import pairwise
from types import MappingProxyType
from typing import Any, NamedTuple

from chopmark.base.clock import to_text
from chopmark.base.errors import Invalid, Refused
from chopmark.ledger.card import Card
from chopmark.ledger.keys import ED25519_COSIGNATURE, MLDSA44_COSIGNATURE, Signer, VerifierKey
from chopmark.ledger.policy import NO_QUORUM, Policy, PolicyGroup, PolicyLog, PolicyWitness
from chopmark.ledger.text import parse_base64, parse_decimal, to_base64

QUORUM = "consortium"
MAX_RULE = 4096
MAX_MEMBERS = 64

_ENDINGS = {ED25519_COSIGNATURE: "ed25519", MLDSA44_COSIGNATURE: "mldsa44"}
_WORDS = ("of", "and", NO_QUORUM)
_NAME = re.compile(r"[a-z][a-z0-9-]{0,31}")
_KEY_NAME = re.compile(rf".*-(?:{'|'.join(_ENDINGS.values())})(?:-[0-9]+)?")


# ---- the rule ------------------------------------------------------------------------------------------------------


class Part(NamedTuple):
    """One demand of a rule: so many of these institutions.

    Attributes:
        name: of the group in the policy, in the form of a member's name.
        threshold: how many, at least one.
        members: names of institutions.
    """

    name: str
    threshold: int
    members: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """How many of which institutions make a quorum: all parts must be met. An institution stands in one part only.

    Attributes:
        groups: the parts, each a `Part` or a plain tuple like `("courts", 2, ("hangzhou", "beijing", "guangzhou"))`.
    """

    groups: tuple[Part | tuple[str, int, tuple[str, ...]], ...]

    def __post_init__(self) -> None:
        parts = tuple(Part(name, threshold, tuple(members)) for name, threshold, members in self.groups)
        object.__setattr__(self, "groups", parts)
        names = [part.name for part in parts]
        if not parts or len(self.members) > MAX_MEMBERS or not all(map(_is_name, (*names, *self.members))):
            raise Invalid("ledger.rule_malformed")
        for name in (*names, *self.members):
            if [*names, *self.members, QUORUM].count(name) > 1:
                raise Invalid("ledger.rule_name_twice", name=name)
        for part in parts:
            if not 1 <= part.threshold <= len(part.members):
                raise Invalid("ledger.rule_unsatisfiable", threshold=part.threshold, members=list(part.members))

    @property
    def parts(self) -> tuple[Part, ...]:
        """The parts, typed."""
        return tuple(Part(*each) for each in self.groups)

    @property
    def members(self) -> tuple[str, ...]:
        """Every institution named, in order."""
        return tuple(member for part in self.parts for member in part.members)

    @classmethod
    def parse(cls, text: str) -> Rule:
        """Read the text form; parts without a name are called `part-1`, `part-2`, and so on.

        Raises:
            Invalid: `ledger.rule_malformed`, `ledger.rule_name_twice`, `ledger.rule_unsatisfiable`.
        """
        if len(text) > MAX_RULE:
            raise Invalid("ledger.rule_malformed")
        parts = []
        for number, phrase in enumerate(" ".join(text.split()).split(" and "), start=1):
            name, colon, demand = phrase.rpartition(": ")
            words = demand.split()
            if words[1:2] != ["of"]:
                raise Invalid("ledger.rule_malformed")
            try:
                threshold = parse_decimal(words[0])
            except ValueError as error:
                raise Invalid("ledger.rule_malformed") from error
            parts.append(Part(name if colon else f"part-{number}", threshold, tuple(words[2:])))
        return cls(groups=tuple(parts))

    def text(self) -> str:
        """The text form, every part named; `parse` reads it back."""
        return " and ".join(f"{part.name}: {part.threshold} of {' '.join(part.members)}" for part in self.parts)

    def without(self, member: str) -> Rule:
        """The rule when a member is gone: thresholds stay, so it demands as much as before of those who are left.

        Raises:
            Invalid: `ledger.rule_unsatisfiable` when too few are left.
        """
        return Rule(
            groups=tuple(
                Part(part.name, part.threshold, tuple(each for each in part.members if each != member))
                for part in self.parts
            )
        )

    def is_met(self, members: Sequence[str]) -> bool:
        """Whether these institutions are a quorum."""
        there = set(members)
        return all(len(there & set(part.members)) >= part.threshold for part in self.parts)

    @property
    def overlap(self) -> int:
        """The least number of institutions that any two quorums share.

        0: two quorums can confirm two histories, and nobody has lied but the log. n: with the log, n institutions
        must lie for that. Parts have no member in common, so the least numbers of the parts add up: two choices of
        k among n share at least 2k - n.
        """
        return sum(max(0, 2 * part.threshold - len(part.members)) for part in self.parts)

    @property
    def spare(self) -> int:
        """How many institutions, whichever they are, may be away while a quorum can still be met."""
        return min(len(part.members) - part.threshold for part in self.parts)


def must_not_split(rule: Rule) -> None:
    """Refuse a rule under which two quorums need not share any institution.

    Raises:
        Refused: `ledger.rule_splits`.
    """
    if rule.overlap == 0:
        raise Refused("ledger.rule_splits")


# ---- the policy ----------------------------------------------------------------------------------------------------


def consortium_policy(log_keys: Sequence[VerifierKey], cards: Sequence[Card], rule: Rule) -> Policy:
    """The trust policy of a consortium.

    Every member with a card is named, those that the rule does not count too: their cosignatures are then known.

    Args:
        log_keys: the log's, those in use first.
        cards: of all members; the rule's must be among them.
        rule: who must have cosigned.

    Raises:
        Refused: `ledger.member_unknown` for a name without a card; `ledger.member_key_taken`.
        Invalid: `ledger.rule_name_twice` when a part is called like a member or like a key.
    """
    known = {card.name: card for card in cards}
    for name in rule.members:
        if name not in known:
            raise Refused("ledger.member_unknown", name=name)
    must_have_own_keys(cards)
    for card in cards:
        _must_not_be_the_log(card, log_keys)
    witnesses = [witness for card in cards for witness in _witnesses(card)]
    taken = {*known, QUORUM, *(each.name for each in witnesses)}
    for part in rule.parts:
        if part.name in taken or _KEY_NAME.fullmatch(part.name):
            raise Invalid("ledger.rule_name_twice", name=part.name)
    institutions = [
        PolicyGroup(name=card.name, threshold=1, members=tuple(each.name for each in _witnesses(card)))
        for card in cards
    ]
    parts = [PolicyGroup(name=part.name, threshold=part.threshold, members=part.members) for part in rule.parts]
    whole = PolicyGroup(name=QUORUM, threshold=len(parts), members=tuple(part.name for part in parts))
    return Policy(
        logs=tuple(PolicyLog(key=key) for key in log_keys),
        witnesses=tuple(witnesses),
        groups=(*institutions, *parts, whole),
        quorum=QUORUM,
    )


def rule_of(policy: Policy) -> Rule | None:
    """The rule that a policy made by `consortium_policy` carries; None for a policy of another make."""
    groups = {group.name: group for group in policy.groups}
    whole = groups.get(policy.quorum)
    if policy.quorum != QUORUM or whole is None or whole.threshold != len(whole.members):
        return None
    parts = [groups[name] for name in whole.members if name in groups]
    if len(parts) != len(whole.members) or not all(member in groups for part in parts for member in part.members):
        return None
    try:
        return Rule(groups=tuple(Part(part.name, part.threshold, part.members) for part in parts))
    except Invalid:
        return None


def institution_of(policy: Policy, witness: str) -> str:
    """The institution that a policy's witness belongs to: the group around its keys, or the witness by itself."""
    return next((group.name for group in policy.groups if witness in group.members), witness)


def must_have_own_keys(cards: Sequence[Card]) -> None:
    """Refuse cards of which two name the same member or carry the same key.

    Raises:
        Refused: `ledger.member_key_taken`; `ledger.member_known`.
    """
    names = sorted(card.name for card in cards)
    for one, other in pairwise(names):
        if one == other:
            raise Refused("ledger.member_known", name=one)
    owners: dict[bytes, str] = {}
    for card in cards:
        for each in card.keys:
            owner = owners.setdefault(each.key.public, card.name)
            if owner != card.name:
                raise Refused("ledger.member_key_taken", name=card.name, owner=owner, key=each.key.name)


def _must_not_be_the_log(card: Card, log_keys: Sequence[VerifierKey]) -> None:
    """A log that cosigns itself is no quorum; and a COSE Receipt whose issuer is the origin passes for the log's."""
    for key in (each.key for each in card.keys):
        for log in log_keys:
            if key.public == log.public or key.name == log.name:
                raise Refused(
                    "ledger.member_key_taken", name=card.name, owner=log.name, key=f"{key.name}+{key.key_id.hex()}"
                )


def _witnesses(card: Card) -> list[PolicyWitness]:
    """A member's cosigning keys under the names `hangzhou-ed25519`, `hangzhou-mldsa44`, a second one `…-2`."""
    found: list[PolicyWitness] = []
    counts: dict[int, int] = {}
    for key in card.cosigning_keys:
        counts[key.type] = number = counts.get(key.type, 0) + 1
        ending = _ENDINGS[key.type] + (f"-{number}" if number > 1 else "")
        found.append(PolicyWitness(name=f"{card.name}-{ending}", key=key, url=card.url))
    return found


def _is_name(text: str) -> bool:
    return _NAME.fullmatch(text) is not None and text not in _WORDS


# ---- papers --------------------------------------------------------------------------------------------------------

CARD_TYPE = "application/json"
TEXT_TYPE = "text/plain"
CERTIFICATE_TYPE = "application/pkix-cert"
MAX_PAPER = 262_144
MAX_REASON = 500

TYPES = {
    "trust_policy": TEXT_TYPE,
    "trust_policy_forced": TEXT_TYPE,
    "member_card": CARD_TYPE,
    "member_rotation": CARD_TYPE,
    "member_retired": CARD_TYPE,
    "log_key": TEXT_TYPE,
    "log_key_rotation": CARD_TYPE,
    "log_key_retired": TEXT_TYPE,
    "authority": CERTIFICATE_TYPE,
    "authority_retired": CERTIFICATE_TYPE,
}
"""Kinds of governance statements, and the media type of the paper whose digest each carries."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rotation:
    """A paper by which keys hand over to keys: the new state, with the consent of every old key and every new one.

    Each key signs `rotation/v1`, the subject, the SHA-256 of the old state and of the new one, a line each; nothing
    else that these keys sign begins so.

    Attributes:
        subject: `member <name>` or `log <origin>`.
        old: SHA-256 of the state before, 32 bytes.
        new: the state after: a card, or the log's verifier keys, one a line.
        signatures: key id in hexadecimal (as `VerifierKey.key_id`) to signature.
    """

    subject: str
    old: bytes
    new: bytes
    signatures: Mapping[str, bytes]

    @classmethod
    def make(cls, subject: str, old: bytes, new: bytes, keys: Sequence[Signer]) -> Rotation:
        """Let every key sign the way from one state to the other; `old` is the state itself here."""
        digest = sha256(old).digest()
        message = _rotation_message(subject, digest, new)
        signatures = {key.verifier.key_id.hex(): key.sign(message) for key in keys}
        return cls(subject=subject, old=digest, new=new, signatures=MappingProxyType(signatures))

    def must_be_signed(self, old: bytes, keys: Sequence[VerifierKey]) -> None:
        """Check that this starts at a state and that every one of these keys agrees.

        Raises:
            Invalid: `ledger.rotation_of_another` when the old state is not this one; `ledger.rotation_unsigned` for a
                key without signature; `ledger.signature_wrong`.
        """
        if self.old != sha256(old).digest():
            raise Invalid("ledger.rotation_of_another", subject=self.subject)
        message = _rotation_message(self.subject, self.old, self.new)
        for key in keys:
            if key.key_id.hex() not in self.signatures:
                raise Invalid("ledger.rotation_unsigned", key=f"{key.name}+{key.key_id.hex()}")
            key.verify(self.signatures[key.key_id.hex()], message)

    def encode(self) -> bytes:
        """Canonical JSON: keys sorted, two spaces, one line feed at the end."""
        document = {
            "subject": self.subject,
            "old": self.old.hex(),
            "new": self.new.decode(),
            "signatures": {key: to_base64(value) for key, value in self.signatures.items()},
        }
        return canonical(document)

    @classmethod
    def parse(cls, data: bytes) -> Rotation:
        """Read what `encode` wrote, strictly.

        Raises:
            Invalid: `ledger.rotation_malformed`.
        """
        try:
            document = json.loads(data if len(data) <= MAX_PAPER else b"")
            rotation = cls(
                subject=document["subject"],
                old=bytes.fromhex(document["old"]),
                new=document["new"].encode(),
                signatures=MappingProxyType({key: parse_base64(text) for key, text in document["signatures"].items()}),
            )
            if rotation.encode() == data:
                return rotation
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise Invalid("ledger.rotation_malformed") from error
        raise Invalid("ledger.rotation_malformed")


def rotation_note(old: Card, new: Card, keys: Sequence[Signer]) -> bytes:
    """The paper by which a member exchanges its card: signed by every key of the old card and of the new one.

    Args:
        old: the card that the consortium knows.
        new: the one that shall follow; the member's name stays.
        keys: the private side of all keys on both cards.

    Raises:
        Refused: `ledger.member_name_changed`.
        Invalid: `ledger.rotation_unsigned` when a key is missing.
    """
    rotation = Rotation.make(f"member {old.name}", old.encode(), new.encode(), keys)
    open_rotation(rotation.encode(), old)
    return rotation.encode()


def open_rotation(note: bytes, old: Card) -> Card:
    """The new card of a member, when all old keys consent and all new ones are shown to be in its hands.

    Raises:
        Invalid: `ledger.rotation_malformed`, `ledger.rotation_of_another`, `ledger.rotation_unsigned`,
            `ledger.signature_wrong`; what `Card.parse` raises.
        Refused: `ledger.member_name_changed`.
    """
    rotation = Rotation.parse(note)
    new = Card.parse(rotation.new)
    if new.name != old.name or rotation.subject != f"member {old.name}":
        raise Refused("ledger.member_name_changed", name=old.name, other=new.name)
    rotation.must_be_signed(old.encode(), [each.key for each in (*old.keys, *new.keys)])
    return new


def log_rotation_note(origin: str, old: Sequence[Signer], new: Sequence[Signer]) -> bytes:
    """The paper by which a log exchanges its keys: signed by the old ones and by the new ones."""
    before, after = (vkey_lines([key.verifier for key in keys]) for keys in (old, new))
    return Rotation.make(f"log {origin}", before, after, (*old, *new)).encode()


def open_log_rotation(note: bytes, origin: str, old: Sequence[VerifierKey]) -> tuple[VerifierKey, ...]:
    """The new keys of a log, when all old ones consent.

    Raises:
        Invalid: `ledger.rotation_malformed`, `ledger.rotation_of_another`, `ledger.rotation_unsigned`,
            `ledger.signature_wrong`; what `VerifierKey.parse` raises.
    """
    rotation = Rotation.parse(note)
    new = tuple(VerifierKey.parse(line) for line in rotation.new.decode().splitlines())
    if rotation.subject != f"log {origin}" or any(key.name != origin for key in new) or not new:
        raise Invalid("ledger.rotation_of_another", subject=rotation.subject)
    rotation.must_be_signed(vkey_lines(old), (*old, *new))
    return new


def vkey_lines(keys: Sequence[VerifierKey]) -> bytes:
    """Verifier keys as a paper: one a line, by type and then by text."""
    return "".join(f"{key}\n" for key in sorted(keys, key=lambda key: (key.type, str(key)))).encode()


def retirement(card: Card, reason: str, at: datetime) -> bytes:
    """The paper that says: this member's keys count no more, from now on, because of this.

    Raises:
        Invalid: `ledger.reason_malformed` unless it is 1 to 500 printable characters.
    """
    if not 0 < len(reason) <= MAX_REASON or not reason.isprintable() or reason != reason.strip():
        raise Invalid("ledger.reason_malformed", limit=MAX_REASON)
    digest = sha256(card.encode()).hexdigest()
    return canonical({"member": card.name, "card": digest, "reason": reason, "at": to_text(at)})


def canonical(document: Mapping[str, Any]) -> bytes:
    """The one form in which a JSON paper is hashed."""
    return (json.dumps(document, ensure_ascii=False, indent=2, sort_keys=True) + "\n").encode()


def at_size(history: Sequence[tuple[int, bytes]], size: int) -> bytes | None:
    """Of pairs `(from size, policy)`, the policy in force for a checkpoint of a size; None before the first.

    Of two decisions in one batch, both in force from the same size, the later one counts: pairs stand in their order.
    """
    fitting = [each for each in history if each[0] <= size]
    return max(reversed(fitting), key=lambda each: each[0])[1] if fitting else None


def _rotation_message(subject: str, old: bytes, new: bytes) -> bytes:
    return f"rotation/v1\n{subject}\n{old.hex()}\n{sha256(new).hexdigest()}\n".encode()
