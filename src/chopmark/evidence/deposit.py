"""From a file's digests to a statement for the ledger.

What describes a deposit (title, author, depositor, file name, media type, size) never stands on the ledger in
the clear: the statement holds the SHA-256 of a *disclosure*, deterministic CBOR `[salt, name, value]` with a salt
of 16 random bytes, and the disclosure travels in the receipt. Who holds it may show it; without it, the
commitment says nothing. A private deposit treats the file's digest in the same way.

Nothing is stored here, nothing is published, and no key is looked up.
"""

from __future__ import annotations

import hashlib
import re
import secrets
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any

from chopmark.base import cbor
from chopmark.base.digests import DIGEST_SIZE, Digests
from chopmark.base.errors import Invalid, Refused
from chopmark.ledger.cose import ES256
from chopmark.ledger.statement import (
    DISCLOSURE_TYPE,
    OPAQUE_TYPE,
    Claim,
    IssuerKey,
    PublicKey,
    Statement,
    search_keys,
)
from chopmark.ledger.tree import leaf_hash

KINDS = ("work", "evidence", "document")
TEXTS = ("title", "author", "depositor", "file_name", "media_type")
NAMES = (*TEXTS, "size", "digest")

SUBJECT = re.compile(r"urn:uuid:[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
SALT_SIZE = 16
MAX_TEXT = 1_000
MAX_DISCLOSURE = 8_192
CLOCK_AHEAD = timedelta(minutes=10)
SIGNED_BEFORE = timedelta(hours=24)

Value = str | int | Mapping[str, bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class Disclosure:
    """One described thing with the salt that hides it.

    Attributes:
        salt: 16 random bytes.
        name: one of NAMES.
        value: text of 1 to 1,000 characters without control characters; bytes in the file for `size`;
            algorithm to 32 bytes, `sha-256` always, for `digest`.
    """

    salt: bytes
    name: str
    value: Value
    _encoded: bytes = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if len(self.salt) != SALT_SIZE or not _is_value_of(self.name, self.value):
            raise Invalid("evidence.disclosure_malformed")
        value = dict(self.value) if isinstance(self.value, Mapping) else self.value
        object.__setattr__(self, "_encoded", cbor.encode([self.salt, self.name, value]))

    @staticmethod
    def parse(data: bytes) -> Disclosure:
        """Read one strictly.

        Raises:
            Invalid: `evidence.disclosure_malformed`.
        """
        try:
            parts = cbor.decode_loosely(data) if len(data) <= MAX_DISCLOSURE else None
        except Invalid as error:
            raise Invalid("evidence.disclosure_malformed") from error
        match parts:
            case [bytes(salt), str(name), str() | int() | dict() as value]:
                disclosure = Disclosure(salt=salt, name=name, value=value)
            case _:
                raise Invalid("evidence.disclosure_malformed")
        if disclosure.encode() != data:
            raise Invalid("evidence.disclosure_malformed")
        return disclosure

    def encode(self) -> bytes:
        """Deterministic CBOR `[salt, name, value]`."""
        return self._encoded

    @property
    def commitment(self) -> bytes:
        """SHA-256 of the encoded disclosure: what stands on the ledger."""
        return hashlib.sha256(self._encoded).digest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """What somebody wants to deposit. An empty text says nothing and is not committed to.

    Attributes:
        digests: of the file.
        kind: one of KINDS.
        title, author, file_name, media_type: at most 1,000 characters each, without control characters.
        private: commit to the digest with a salt, so that nobody finds the deposit by the file.
    """

    digests: Digests
    kind: str
    title: str = ""
    author: str = ""
    file_name: str = ""
    media_type: str = ""
    private: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """A statement ready for the outbox, and what its receipt will need.

    Attributes:
        statement: the entry's bytes.
        leaf: RFC 6962 leaf hash of them.
        disclosures: of every commitment.
        search_keys: digests under which the public may find it.
    """

    statement: bytes
    leaf: bytes
    disclosures: tuple[Disclosure, ...]
    search_keys: tuple[bytes, ...]


def random_salt() -> bytes:
    """16 bytes from the system's randomness."""
    return secrets.token_bytes(SALT_SIZE)


def describe(draft: Draft, *, depositor: str, salts: Callable[[], bytes] = random_salt) -> tuple[Disclosure, ...]:
    """The disclosures of a draft, each with a new salt; the file's digest among them when it is private.

    Raises:
        Refused: `evidence.draft_kind`, `evidence.draft_empty_file`, `evidence.draft_text`.
    """
    if draft.kind not in KINDS:
        raise Refused("evidence.draft_kind", kind=draft.kind, kinds=list(KINDS))
    if draft.digests.size == 0:
        raise Refused("evidence.draft_empty_file")
    values = _described(draft) | ({"depositor": depositor} if depositor else {})
    for name in values:
        if not _is_value_of(name, values[name]):
            raise Refused("evidence.draft_text", field=name, limit=MAX_TEXT)
    return tuple(Disclosure(salt=salts(), name=name, value=values[name]) for name in NAMES if name in values)


def claim_of(
    draft: Draft,
    disclosures: Sequence[Disclosure],
    *,
    issuer: str,
    subject: str,
    agent: bool,
    policy: bytes,
    at: datetime,
) -> Claim:
    """What the statement of a draft says; a depositor with a key of its own signs exactly this."""
    commitments = {each.name: each.commitment for each in disclosures}
    payload = commitments.pop("digest") if draft.private else draft.digests.sha256
    return Claim(
        issuer=issuer,
        subject=subject,
        issued_at=at.replace(microsecond=0),
        kind=draft.kind,
        policy=policy,
        payload=payload,
        content_type=DISCLOSURE_TYPE if draft.private else OPAQUE_TYPE,
        sm3=None if draft.private else draft.digests.sm3,
        private=draft.private,
        agent=agent,
        commitments=MappingProxyType(commitments),
    )


def prepare(
    draft: Draft,
    *,
    issuer: str,
    subject: str,
    depositor: str,
    agent: bool,
    policy: bytes,
    key: IssuerKey,
    at: datetime,
    salts: Callable[[], bytes] = random_salt,
) -> Prepared:
    """The statement of a draft, signed with `key`: the depositor's own, or the intake key when `agent`.

    Args:
        issuer: URI of who signs.
        subject: URI of the deposit; it stands on the ledger, so it may name nobody.
        depositor: name of the organisation; only committed to.
        policy: id of the registration policy, 32 bytes.
        at: when it is signed; kept in whole seconds.
        salts: gives 16 new random bytes at each call.

    Raises:
        Refused: as `describe`.
        Invalid: as `Statement.sign`.
    """
    disclosures = describe(draft, depositor=depositor, salts=salts)
    claim = claim_of(draft, disclosures, issuer=issuer, subject=subject, agent=agent, policy=policy, at=at)
    return _prepared(Statement.sign(claim, key), disclosures)


def check_signed(
    statement: Statement,
    draft: Draft,
    disclosures: Sequence[Disclosure],
    key: PublicKey,
    *,
    issuer: str,
    policy: bytes,
    at: datetime,
) -> Prepared:
    """Take a statement that the depositor signed itself, if it says what the draft says and nothing else.

    Raises:
        Invalid: as `Statement.verify`; `evidence.statement_differs` with the field that does;
            `evidence.statement_time` when signed more than 24 hours before, or 10 minutes after, `at`.
    """
    statement.verify(key)
    claim = statement.claim
    if claim.issued_at is None or not at - SIGNED_BEFORE <= claim.issued_at <= at + CLOCK_AHEAD:
        raise Invalid("evidence.statement_time")
    if not names_nobody(claim.subject):
        raise Invalid("evidence.statement_differs", field="subject")
    shown = {each.name: each for each in disclosures}
    said = {name: each.value for name, each in shown.items() if name != "depositor"}
    if len(shown) != len(disclosures) or said != _described(draft):
        raise Invalid("evidence.statement_differs", field="disclosures")
    wanted = claim_of(
        draft, disclosures, issuer=issuer, subject=claim.subject, agent=False, policy=policy, at=claim.issued_at
    )
    for name in ("issuer", "policy", "kind", "agent", "private", "payload", "sm3", "content_type", "commitments"):
        if getattr(claim, name) != getattr(wanted, name):
            raise Invalid("evidence.statement_differs", field=name)
    return _prepared(statement, tuple(disclosures))


def names_nobody(subject: str) -> bool:
    """Whether a statement's subject is a `urn:uuid:`: other forms have room for a title or a name."""
    return SUBJECT.fullmatch(subject) is not None


def leaves_of(statement: Statement) -> tuple[bytes, ...]:
    """The leaf hashes of a statement that says the same under the same signature; its own comes first.

    An ECDSA signature (r, s) has a twin (r, n - s), which anybody can compute and which is as good.
    """
    raw = statement.raw
    if statement.algorithm != ES256:
        return (leaf_hash(raw),)
    s = int.from_bytes(raw[-32:])
    return leaf_hash(raw), leaf_hash(raw[:-32] + ((P256_ORDER - s) % P256_ORDER).to_bytes(32))


def _prepared(statement: Statement, disclosures: tuple[Disclosure, ...]) -> Prepared:
    return Prepared(
        statement=statement.raw,
        leaf=leaf_hash(statement.raw),
        disclosures=disclosures,
        search_keys=search_keys(statement),
    )


def _described(draft: Draft) -> dict[str, Value]:
    """What a draft commits to, by name, without the depositor."""
    texts = {"title": draft.title, "author": draft.author, "file_name": draft.file_name, "media_type": draft.media_type}
    described: dict[str, Value] = {name: text for name, text in texts.items() if text}
    described["size"] = draft.digests.size
    if draft.private:
        described["digest"] = draft.digests.named()
    return described


def _is_value_of(name: str, value: object) -> bool:
    if name in TEXTS:
        return isinstance(value, str) and 0 < len(value) <= MAX_TEXT and not _has_controls(value)
    if name == "size":
        return type(value) is int and 0 < value < 1 << 63
    return name == "digest" and _is_digest_map(value)


def _has_controls(text: str) -> bool:
    """Control characters and half surrogates: neither is written by a person, neither survives UTF-8 everywhere."""
    if text.isprintable():  # neither kind is; most texts are, and are looked at once
        return False
    return any(unicodedata.category(character) in ("Cc", "Cs") for character in text)


def _is_digest_map(value: Any) -> bool:  # noqa: ANN401 (whatever a decoder found)
    return (
        isinstance(value, Mapping)
        and "sha-256" in value
        and {"sha-256", "sm3"}.issuperset(value)
        and all(isinstance(digest, bytes) and len(digest) == DIGEST_SIZE for digest in value.values())
    )
