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

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

from chopmark.base.errors import Invalid, Refused
from chopmark.ledger.card import Card
from chopmark.ledger.keys import ED25519_COSIGNATURE, MLDSA44_COSIGNATURE, VerifierKey
from chopmark.ledger.policy import NO_QUORUM, Policy, PolicyGroup, PolicyLog, PolicyWitness
from chopmark.ledger.text import parse_decimal

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
