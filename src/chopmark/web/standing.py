"""How the consortium stands, for pages, API and metrics: what the writer noted in the book, beside cards and policy.

Asks no member: a web process reaches nobody. What the writer last heard is as new as its last batch.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from chopmark.base import clock
from chopmark.base.errors import Fact
from chopmark.base.wording import Language, catalogue
from chopmark.evidence import wiring
from chopmark.ledger.card import Card
from chopmark.ledger.governance import institution_of, rule_of
from chopmark.ledger.policy import Policy
from chopmark.ledger.stores import ConsortiumState, MemberState

SILENT = "ledger.member_silent"
Quorum = Literal["none", "met", "missing"]

KINDS = {
    "court": _("Court"),
    "notary": _("Notary"),
    "customs": _("Customs"),
    "government": _("Government body"),
    "association": _("Association"),
    "company": _("Company"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One institution as the writer last saw it.

    Attributes:
        counts: whether the rule counts it.
        size: entries under its last cosignature.
        at: when it cosigned last; None before the first time.
        behind: entries that the newest published checkpoint has and its last cosignature has not; None before the
            writer, since its start, has heard of it.
        behind_for: how long ago it signed last, when it is behind.
        trouble: a code, or None when nothing is wrong.
        since: when the trouble, or the good order, began; None before the writer asked it.
        alarms: how many alarms about this log it says it has raised; None when the writer has not heard.
        alarm: code of the newest.
        alarm_at: its time, by the member's clock.
        alarm_facts: what it says of it.
    """

    card: Card
    counts: bool
    size: int
    at: datetime | None
    behind: int | None
    behind_for: timedelta | None
    trouble: str | None
    since: datetime | None
    alarms: int | None
    alarm: str | None
    alarm_at: datetime | None
    alarm_facts: Mapping[str, Fact]

    @property
    def name(self) -> str:
        """Short name, as in the policy."""
        return self.card.name

    @property
    def kind(self) -> str:
        """Kind of institution, in the page's language."""
        return str(KINDS.get(self.card.kind, self.card.kind))

    def title(self, language: Language) -> str:
        """The institution's name."""
        return self.card.zh if language == "zh" else self.card.en


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One demand of the rule: so many of these."""

    threshold: int
    members: tuple[Member, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Everything at one moment.

    Attributes:
        quorum: `none` without a consortium; `missing` while a batch waits for members.
        parts: the rule; empty for a policy that is not made from one.
        size: entries published.
        published_at: time of the newest checkpoint.
        waiting_size: entries under the checkpoint that waits.
        waiting_since: since when it waits.
    """

    quorum: Quorum
    policy: Policy | None
    members: tuple[Member, ...]
    parts: tuple[Part, ...]
    size: int
    published_at: datetime | None
    waiting_size: int | None
    waiting_since: datetime | None

    @property
    def present(self) -> tuple[Member, ...]:
        """Institutions that are there: that have cosigned what waits, or have no trouble when nothing waits."""
        return tuple(each for each in self.members if each.counts and self._is_there(each))

    @property
    def missing(self) -> tuple[Member, ...]:
        """Institutions that the rule counts and that are not there."""
        return tuple(each for each in self.members if each.counts and not self._is_there(each))

    def _is_there(self, member: Member) -> bool:
        if self.waiting_size is not None:
            return member.size >= self.waiting_size
        return member.trouble is None


def standing() -> Standing:
    """How the consortium stands now."""
    book, policy = wiring.book(), wiring.consortium_policy()
    latest, state = book.latest(), book.consortium()
    size = latest.size if latest else 0
    counted = _counted(policy)
    order = list(counted)
    cards = sorted(wiring.cards(), key=lambda card: order.index(card.name) if card.name in order else len(order))
    members = tuple(_member(card, card.name in counted, state, size) for card in cards)
    waits = policy is not None and state.waiting_size is not None
    return Standing(
        quorum="none" if policy is None else "missing" if waits else "met",
        policy=policy,
        members=members,
        parts=_parts(policy, members),
        size=size,
        published_at=latest.at if latest else None,
        waiting_size=state.waiting_size if waits else None,
        waiting_since=state.waiting_since if waits else None,
    )


def waiting() -> Standing | None:
    """How the consortium stands while deposits wait for it, for a notice on pages; None when none does."""
    if wiring.consortium_policy() is None:
        return None
    now = standing()
    return now if now.quorum == "missing" else None


def log_id() -> str:
    """How members' addresses name this log: SHA-256 of its origin, hexadecimal (C2SP tlog-mirror)."""
    return hashlib.sha256(wiring.origin().encode()).hexdigest()


def trouble_text(code: str, name: str, language: Language) -> str:
    """A member's trouble in words; facts that were not kept are left out."""
    if code == SILENT:
        return gettext("It does not answer.")
    wording = catalogue().get(code)
    return code if wording is None else wording[language].format_map(defaultdict(lambda: "…", name=name))


def alarm_text(member: Member, language: Language) -> str:
    """A member's newest alarm in words, as far as it told; empty when it has none."""
    if member.alarm is None:
        return ""
    wording = catalogue().get(member.alarm)
    return (
        member.alarm if wording is None else wording[language].format_map(defaultdict(lambda: "…", member.alarm_facts))
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Cosigner:
    """Who signed a checkpoint.

    Attributes:
        name: the institution, in the page's language; empty for the log itself.
        at: the signature's own time, where it has one.
    """

    name: str
    at: datetime | None


def cosigners(note: bytes, size: int, language: Language) -> tuple[Cosigner, ...]:
    """The institutions that cosigned a published checkpoint, by the policy in force for its size, earliest first."""
    policy = Policy.parse(wiring.policy_at(size))
    _checkpoint, judgement = policy.open(note)
    titles = {
        card.name: card.zh if language == "zh" else card.en for card in (*wiring.retired_cards(), *wiring.cards())
    }
    earliest: dict[str, datetime | None] = {}
    for witness, signature in judgement.witnesses.items():
        name = institution_of(policy, witness)
        times = [each for each in (earliest.get(name), signature.at) if each is not None]
        earliest[name] = min(times) if times else None
    found = [Cosigner(name=titles.get(name, name), at=at) for name, at in earliest.items()]
    return tuple(sorted(found, key=lambda each: (each.at is None, each.at or clock.now(), each.name)))


def as_json(now: Standing) -> dict[str, Any]:
    """The same for programmes; `ConsortiumOut` describes it."""
    rule = rule_of(now.policy) if now.policy is not None else None
    waits = None
    if now.quorum == "missing":
        waits = {
            "size": now.waiting_size,
            "since": _moment(now.waiting_since),
            "present": [each.name for each in now.present],
            "missing": [each.name for each in now.missing],
        }
    return {
        "quorum": now.quorum,
        "rule": rule.text() if rule is not None else None,
        "size": now.size,
        "published_at": _moment(now.published_at),
        "waiting": waits,
        "members": [
            {
                "name": each.name,
                "kind": each.card.kind,
                "title": {"zh": each.card.zh, "en": each.card.en},
                "url": each.card.url,
                "counts": each.counts,
                "mirrors": each.card.mirrors,
                "size": each.size,
                "cosigned_at": _moment(each.at),
                "behind": each.behind,
                "trouble": each.trouble,
                "since": _moment(each.since),
                "alarms": each.alarms,
                "alarm": each.alarm,
                "alarm_at": _moment(each.alarm_at),
            }
            for each in now.members
        ],
        "links": {"page": "/trust", "policy": "/policy"},
    }


def _moment(at: datetime | None) -> str | None:
    return None if at is None else clock.to_text(at)


def _member(card: Card, counts: bool, state: ConsortiumState, published: int) -> Member:  # noqa: FBT001 (private)
    seen: MemberState | None = next((each for each in state.members if each.name == card.name), None)
    size = seen.size if seen else 0
    at = seen.at if seen else None
    behind = max(0, published - size) if at is not None else None
    return Member(
        card=card,
        counts=counts,
        size=size,
        at=at,
        behind=behind,
        behind_for=clock.now() - at if behind and at is not None else None,
        trouble=seen.trouble if seen else None,
        since=seen.since if seen else None,
        alarms=seen.alarms if seen else None,
        alarm=seen.alarm if seen else None,
        alarm_at=seen.alarm_at if seen else None,
        alarm_facts=seen.alarm_facts if seen else {},
    )


def _counted(policy: Policy | None) -> tuple[str, ...]:
    """Names of the institutions that can make a quorum, in the rule's order."""
    if policy is None:
        return ()
    rule = rule_of(policy)
    if rule is not None:
        return rule.members
    return tuple(dict.fromkeys(institution_of(policy, each.name) for each in policy.witnesses))


def _parts(policy: Policy | None, members: Sequence[Member]) -> tuple[Part, ...]:
    rule = rule_of(policy) if policy is not None else None
    by_name = {each.name: each for each in members}
    if rule is None:
        return ()
    return tuple(
        Part(threshold=part.threshold, members=tuple(by_name[name] for name in part.members if name in by_name))
        for part in rule.parts
    )
