"""A member's card: who an institution is, where its node is reached, and which keys sign what.

The card is a JSON document in one canonical form (keys sorted, two spaces, one line feed at the end), so that its
SHA-256 can stand on the ledger. A member writes it, a consortium adopts it; it holds nothing secret.

    role         key types    signs
    witness      0x04 0x06    cosignatures: "the largest consistent tree that I have seen"
    mirror       0x04 0x06    cosignatures: "and I durably hold every entry"; its 0x04 key seals roots for COSE Receipts
    node         0x01         RFC 9421 message signatures of calls from node to node

A key that signs notes begins its messages with "cosignature/v1" or "subtree/v1", a COSE Sig_structure with 0x84, a
message signature with a quote: no signature of one use can be taken for another's.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

from chopmark.base.errors import Invalid
from chopmark.ledger.keys import ED25519, ED25519_COSIGNATURE, MLDSA44_COSIGNATURE, VerifierKey

WITNESS = "witness"
MIRROR = "mirror"
NODE = "node"
KINDS = ("court", "notary", "customs", "government", "association", "company")
MAX_CARD = 65_536
MAX_KEYS = 32

_TYPES = {
    WITNESS: (ED25519_COSIGNATURE, MLDSA44_COSIGNATURE),
    MIRROR: (ED25519_COSIGNATURE, MLDSA44_COSIGNATURE),
    NODE: (ED25519,),
}
_NAME = re.compile(r"[a-z][a-z0-9-]{0,31}")
_URL = re.compile(r"https?://[!-~]{1,500}(?<!/)")
_FIELDS = {"name", "kind", "title", "url", "keys"}


@dataclass(frozen=True, slots=True, kw_only=True)
class CardKey:
    """One key and what it is for.

    Attributes:
        role: WITNESS, MIRROR or NODE.
        key: its public half.
    """

    role: str
    key: VerifierKey


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """Who a member is.

    Attributes:
        name: short, lower-case; names the member in policies, pages and commands, and never changes.
        kind: one of KINDS.
        zh: the institution's name in Chinese.
        en: and in English.
        url: submission prefix of its node, without a slash at the end; None for one that is reached by pull only.
        keys: at least one that cosigns.
    """

    name: str
    kind: str
    zh: str
    en: str
    url: str | None
    keys: tuple[CardKey, ...]

    def __post_init__(self) -> None:
        right = bool(_NAME.fullmatch(self.name)) and self.kind in KINDS and _is_title(self.zh) and _is_title(self.en)
        right = right and (self.url is None or bool(_URL.fullmatch(self.url)))
        right = right and 1 <= len(self.keys) <= MAX_KEYS
        right = right and all(each.key.type in _TYPES.get(each.role, ()) for each in self.keys)
        right = right and len({each.key.public for each in self.keys}) == len(self.keys)
        roles = {role: {each.key.name for each in self.keys if each.role == role} for role in _TYPES}
        right = right and bool(roles[WITNESS] | roles[MIRROR]) and not roles[WITNESS] & roles[MIRROR]
        if not right:
            raise Invalid("ledger.card_malformed", name=self.name[:32])

    @property
    def mirrors(self) -> bool:
        """Whether the member holds every entry, and not only checkpoints."""
        return any(each.role == MIRROR for each in self.keys)

    @property
    def cosigning_keys(self) -> tuple[VerifierKey, ...]:
        """The keys that count in a quorum: the mirror's, or the witness's of a member that does not mirror."""
        role = MIRROR if self.mirrors else WITNESS
        return tuple(each.key for each in self.keys if each.role == role)

    def keys_of(self, role: str) -> tuple[VerifierKey, ...]:
        """The keys of one role, in the card's order."""
        return tuple(each.key for each in self.keys if each.role == role)

    def encode(self) -> bytes:
        """The canonical document, UTF-8."""
        document = {
            "name": self.name,
            "kind": self.kind,
            "title": {"zh": self.zh, "en": self.en},
            "url": self.url,
            "keys": [{"role": each.role, "vkey": str(each.key)} for each in self.keys],
        }
        return (json.dumps(document, ensure_ascii=False, indent=2, sort_keys=True) + "\n").encode()

    @classmethod
    def parse(cls, data: bytes) -> Card:
        """Read a card strictly: only the canonical form is accepted.

        Raises:
            Invalid: `ledger.card_malformed`, and what `VerifierKey.parse` raises.
        """
        if len(data) > MAX_CARD:
            raise Invalid("ledger.card_malformed", name="")
        try:
            document = json.loads(data)
            card = _read(document)
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise Invalid("ledger.card_malformed", name="") from error
        if card.encode() != data:
            raise Invalid("ledger.card_malformed", name=card.name)
        return card


def _read(document: dict[str, Any]) -> Card:
    if set(document) != _FIELDS:
        raise ValueError
    return Card(
        name=str(document["name"]),
        kind=str(document["kind"]),
        zh=str(document["title"]["zh"]),
        en=str(document["title"]["en"]),
        url=None if document["url"] is None else str(document["url"]),
        keys=tuple(
            CardKey(role=str(each["role"]), key=VerifierKey.parse(str(each["vkey"]))) for each in document["keys"]
        ),
    )


def _is_title(text: str) -> bool:
    return 0 < len(text) <= 200 and text.isprintable() and text == text.strip()
