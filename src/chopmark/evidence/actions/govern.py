"""Governing the ledger: members, policies, keys and authorities, each decision a statement on the ledger itself.

A decision is *made* here: its paper is kept, its row and its waiting statement are written in one transaction. It
*takes force* when the ledger has published it (`force`), under the policy before it, so that no operator can put a
quorum in force that the present one has not confirmed. `emergency` is the exception, and its statement says so.

Who may: whoever can read the home's governance key, which is made with the first decision and which the web process
never opens. That is why it is a key of its own: who breaks into the web process gets the intake key, and can deposit in
the platform's name, but cannot change what the consortium has decided.

Making the same decision again changes nothing.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from cryptography import x509
from django.db import IntegrityError, transaction

from chopmark.base.errors import Invalid, Refused, Unavailable
from chopmark.evidence import wiring
from chopmark.evidence.actions.force import keep_paper, take_force
from chopmark.evidence.governance import (
    Paper,
    decided_cards,
    decided_policy,
    decided_rule,
    every_card,
    paper_of,
)
from chopmark.evidence.models import Governance
from chopmark.ledger.card import Card, CardKey
from chopmark.ledger.governance import (
    TYPES,
    Rotation,
    Rule,
    consortium_policy,
    must_have_own_keys,
    must_not_split,
    open_log_rotation,
    open_rotation,
    retirement,
    rule_of,
    vkey_lines,
)
from chopmark.ledger.keys import VerifierKey
from chopmark.ledger.policy import Policy, policy_text
from chopmark.ledger.statement import IssuerKey, Statement, governance_statement, key_statement, search_keys
from chopmark.ledger.stores import Entry
from chopmark.ledger.stores.files import FileObjects
from chopmark.ledger.tree import leaf_hash

MAX_NAME = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided:
    """What a decision led to.

    Attributes:
        papers: those made by it; empty when everything had been decided before.
        warnings: codes of `ledger.` that the operator should hear.
    """

    papers: tuple[Paper, ...]
    warnings: tuple[str, ...] = ()


@wiring.answering()
def adopt_cards(cards: Sequence[bytes], *, at: datetime) -> Decided:
    """Make institutions members, each by its card.

    Raises:
        Invalid: what `Card.parse` raises.
        Refused: `ledger.member_known` for a member with another card (that takes a rotation);
            `ledger.member_key_taken`, also when the key belongs to a former member; `ledger.member_key_given_up`.
        Unavailable: `evidence.busy`, `ledger.database_unavailable`.
    """
    new = [Card.parse(data) for data in cards]
    with _deciding(at) as made:
        for card in new:
            _adopt(card, at, made)
    return Decided(papers=tuple(made))


def _adopt(card: Card, at: datetime, made: list[Paper]) -> None:
    present = decided_cards()
    if card in present:
        return
    must_have_own_keys([*present, card])
    _must_be_free(card)
    _decree("member_card", card.name, card.encode(), at, made)


def _must_be_free(card: Card) -> None:
    """Refuse keys that ever belonged to another member, or that this one has exchanged for others."""
    given_up: set[CardKey] = set()
    kept: set[CardKey] = set()
    for each in every_card():
        if each.name == card.name:
            given_up, kept = given_up | (kept - set(each.keys)), set(each.keys)
        else:
            must_have_own_keys([each, card])
    for key in card.keys:
        if key in given_up:
            raise Refused("ledger.member_key_given_up", name=card.name, key=key.key.name)


@wiring.answering()
def exchange_card(rotation: bytes, *, at: datetime) -> Decided:
    """Take a member's new card, which its old keys and its new ones have signed; the policy follows.

    Raises:
        Invalid, Refused: what `open_rotation` raises; `ledger.member_unknown`; `ledger.member_key_taken`;
            `ledger.member_key_given_up`.
        Unavailable: `evidence.busy`, `ledger.database_unavailable`.
    """
    subject = Rotation.parse(rotation).subject
    with _deciding(at) as made:
        cards = decided_cards()
        old = next((card for card in cards if f"member {card.name}" == subject), None)
        if old is None:
            raise Refused("ledger.member_unknown", name=subject.removeprefix("member "))
        if hashlib.sha256(old.encode()).digest() != Rotation.parse(rotation).old and _newest_is(rotation, old.name):
            return Decided(papers=())
        new = open_rotation(rotation, old)
        _must_be_free(new)
        _decree("member_rotation", new.name, rotation, at, made)
        _renew_policy(at, made)
    return Decided(papers=tuple(made))


def _newest_is(paper: bytes, name: str) -> bool:
    row = Governance.objects.filter(name=name, kind__startswith="member_").order_by("-id").first()
    return row is not None and bytes(row.sha256) == hashlib.sha256(paper).digest()


@wiring.answering()
def retire_member(name: str, reason: str, *, at: datetime) -> Decided:
    """Let a member's keys count no more. A rule that names it asks as much as before of those who are left.

    Raises:
        Refused: `ledger.member_unknown`; `ledger.member_needed` when the rule cannot be met without it: then decide
            on another rule first.
        Invalid: `ledger.reason_malformed`.
        Unavailable: `evidence.busy`, `ledger.database_unavailable`.
    """
    with _deciding(at) as made:
        card = next((each for each in decided_cards() if each.name == name), None)
        if card is None:
            if any(each.name == name for each in every_card()):
                return Decided(papers=())
            raise Refused("ledger.member_unknown", name=name)
        paper = retirement(card, reason, at)
        rule = decided_rule()
        if rule is not None and name in rule.members:
            rest = tuple(each for each in decided_cards() if each.name != name)
            try:
                left = rule.without(name)
            except Invalid as error:
                raise Refused("ledger.member_needed", name=name, rule=rule.text()) from error
            _decree_policy("trust_policy", consortium_policy(wiring.all_log_keys(), rest, left), at, made)
        _decree("member_retired", name, paper, at, made)
    return Decided(papers=tuple(made))


@wiring.answering()
def decide_policy(rule: Rule, *, at: datetime, force: bool = False, emergency: bool = False) -> Decided:
    """Decide who must have cosigned a checkpoint.

    Args:
        rule: who of how many.
        at: now.
        force: also a rule under which two quorums need not share an institution.
        emergency: in force at once, without the quorum that is in force now; for a consortium that has lost it.

    Raises:
        Refused: `ledger.rule_splits`; `ledger.member_unknown`; `ledger.member_key_taken`.
        Invalid: `ledger.rule_name_twice`.
        Unavailable: `evidence.busy`, `ledger.database_unavailable`.
    """
    if not force:
        must_not_split(rule)
    warnings = [
        code
        for code, holds in (("ledger.rule_weak", rule.overlap == 1), ("ledger.rule_stiff", not rule.spare))
        if holds
    ]
    with _deciding(at) as made:
        kind = "trust_policy_forced" if emergency else "trust_policy"
        _decree_policy(kind, consortium_policy(wiring.all_log_keys(), decided_cards(), rule), at, made)
    if emergency:
        take_force()
    return Decided(papers=tuple(made), warnings=tuple(warnings))


@wiring.answering()
def adopt_authority(certificate: bytes, *, at: datetime, retire: bool = False) -> Decided:
    """Make a time-stamp authority's certificate (DER) a trust anchor, or no longer one.

    Raises:
        Invalid: `evidence.certificate_malformed`.
        Refused: `evidence.authority_unknown` when one that is none shall be retired.
        Unavailable: `evidence.busy`, `ledger.database_unavailable`.
    """
    try:
        name = x509.load_der_x509_certificate(certificate).subject.rfc4514_string()[:MAX_NAME]
    except ValueError as error:
        raise Invalid("evidence.certificate_malformed") from error
    digest = hashlib.sha256(certificate).digest()
    with _deciding(at) as made:
        row = Governance.objects.filter(sha256=digest, kind__startswith="authority").order_by("-id").first()
        if retire and row is None:
            raise Refused("evidence.authority_unknown")
        kind = "authority_retired" if retire else "authority"
        if row is None or row.kind != kind:
            _decree(kind, name, certificate, at, made)
    return Decided(papers=tuple(made))


@wiring.answering()
def rotate_log_keys(rotation: bytes, *, at: datetime) -> Decided:
    """Announce the log's next keys, which the present ones have signed; the policy then lists both.

    Raises:
        Invalid: what `open_log_rotation` raises.
        Unavailable: `evidence.busy`, `ledger.database_unavailable`, `evidence.log_keys_missing`.
    """
    new = open_log_rotation(rotation, wiring.origin(), wiring.log_keys())
    with _deciding(at) as made:
        row = Governance.objects.filter(kind="log_key_rotation").order_by("-id").first()
        if row is None or bytes(row.sha256) != hashlib.sha256(rotation).digest():
            _decree("log_key_rotation", wiring.origin(), rotation, at, made)
        _renew_policy(at, made, log_keys=(*wiring.log_keys(), *new, *wiring.retired_log_keys()))
    return Decided(papers=tuple(made))


@wiring.answering()
def state_log_keys(*, at: datetime) -> Decided:
    """State the log's present keys, and those that were retired, where that was not done before.

    Raises:
        Unavailable: `evidence.busy`, `ledger.database_unavailable`, `evidence.log_keys_missing`.
    """
    with _deciding(at) as made:
        pass
    return Decided(papers=tuple(made))


# ---- how a decision is written ------------------------------------------------------------------------------------


@contextmanager
def _deciding(at: datetime) -> Iterator[list[Paper]]:
    """One decision at a time, all its papers in one transaction, behind the statements that it rests on."""
    made: list[Paper] = []
    with _alone():
        first = not (wiring.consortium() / "history").exists()
        try:
            with transaction.atomic():
                _state_governance_key(at, made)
                _state_log_keys(at, made)
                if first:
                    FileObjects(wiring.consortium()).put(
                        {"history/0.policy": policy_text(wiring.own_policy()).encode()}
                    )
                yield made
        except IntegrityError as error:  # the same statement within the same second, undone in between
            raise Unavailable("evidence.busy") from error


@contextmanager
def _alone() -> Iterator[None]:
    folder = wiring.consortium()
    folder.mkdir(mode=0o755, exist_ok=True)
    descriptor = os.open(folder / ".deciding", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _decree(kind: str, name: str, paper: bytes, at: datetime, made: list[Paper]) -> None:
    digest = keep_paper(paper)
    key = wiring.governance_key()
    raw = governance_statement(
        paper,
        kind=kind,
        content_type=TYPES[kind],
        issuer=wiring.governance_issuer(),
        subject=f"{wiring.base_url()}/governance/{digest.hex()}",
        policy=wiring.policy_id(),
        key=key,
        at=at,
    )
    made.append(_write(kind, name, digest, raw, key=key, at=at))


def _write(kind: str, name: str, digest: bytes, raw: bytes, *, key: IssuerKey, at: datetime) -> Paper:
    leaf, latest = leaf_hash(raw), wiring.book().latest()
    row = Governance.objects.create(
        kind=kind,
        name=name[:MAX_NAME],
        sha256=digest,
        paper=wiring.paper(digest),
        leaf=leaf,
        statement=raw,
        issuer_key=key.public.to_cose(),
        made_at=at,
        published_in=(latest.size if latest else 0) if kind == "trust_policy_forced" else None,
    )
    entry = Entry(leaf=leaf, statement=raw, search_keys=search_keys(Statement.parse(raw)))
    wiring.book().enqueue([entry], at)
    return paper_of(row)


def _decree_policy(kind: str, policy: Policy, at: datetime, made: list[Paper]) -> None:
    if policy != decided_policy() or (kind == "trust_policy_forced" and policy != wiring.consortium_policy()):
        _decree(kind, "", policy_text(policy).encode(), at, made)


def _renew_policy(at: datetime, made: list[Paper], log_keys: Sequence[VerifierKey] | None = None) -> None:
    """The same rule again, after keys have changed."""
    policy = decided_policy()
    rule = None if policy is None else rule_of(policy)
    if rule is not None:
        keys = wiring.all_log_keys() if log_keys is None else log_keys
        _decree_policy("trust_policy", consortium_policy(keys, decided_cards(), rule), at, made)


def _state_log_keys(at: datetime, made: list[Paper]) -> None:
    stated = set(Governance.objects.filter(kind__startswith="log_key").values_list("kind", "name"))
    for kind, keys in (("log_key", wiring.log_keys()), ("log_key_retired", wiring.retired_log_keys())):
        for key in keys:
            name = f"{key.name}+{key.key_id.hex()}"
            if (kind, name) not in stated:
                _decree(kind, name, vkey_lines([key]), at, made)


def _state_governance_key(at: datetime, made: list[Paper]) -> None:
    """Made with the first decision, and vouched for on the ledger by the intake key."""
    path = wiring.home() / "keys" / "governance"
    if not path.exists():
        _write_secret(path, IssuerKey.generate().seed.hex() + "\n")
    public, intake = wiring.governance_key().public, wiring.intake_key()
    if Governance.objects.filter(kind="key", sha256=public.thumbprint).exists():
        return
    raw = key_statement(
        public,
        issuer=wiring.intake_issuer(),
        subject=wiring.governance_issuer(),
        policy=wiring.policy_id(),
        key=intake,
        at=at,
    )
    made.append(_write("key", "governance", keep_paper(public.to_cose()), raw, key=intake, at=at))


def _write_secret(path: Path, content: str) -> None:
    """A new file that only its owner reads, whole and durable."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    draft.rename(path)
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
