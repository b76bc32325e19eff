"""Institutions with keys of their own, for tests of governance: cards, and the private side of every key.

court = Member.made("hangzhou", 1)
court.card, court.signers
"""

from __future__ import annotations

from dataclasses import dataclass

from chopmark.ledger.card import MIRROR, NODE, WITNESS, Card, CardKey
from chopmark.ledger.checkpoint import Checkpoint, cosign
from chopmark.ledger.keys import ED25519, ED25519_COSIGNATURE, MLDSA44_COSIGNATURE, SigningKey
from chopmark.ledger.note import Note

KINDS = {
    (WITNESS, "witness"): (ED25519_COSIGNATURE, MLDSA44_COSIGNATURE),
    (MIRROR, "mirror"): (ED25519_COSIGNATURE, MLDSA44_COSIGNATURE),
    (NODE, "node"): (ED25519,),
}


@dataclass(frozen=True, slots=True)
class Member:
    """One institution; `signers` are all its private keys, in the card's order."""

    card: Card
    signers: tuple[SigningKey, ...]

    @classmethod
    def made(cls, name: str, number: int, *, url: str | None = "http://127.0.0.1:9999", kind: str = "court") -> Member:
        """Keys from a number, so that a test is the same each time."""
        keys = [
            (role, SigningKey(name=f"{name}.test/{ending}", type=each, seed=_seed(number, count, index)))
            for count, ((role, ending), types) in enumerate(KINDS.items())
            for index, each in enumerate(types)
        ]
        card = Card(
            name=name,
            kind=kind,
            zh=f"{name}机构",
            en=name.title(),
            url=url,
            keys=tuple(CardKey(role=role, key=key.verifier) for role, key in keys),
        )
        return cls(card, tuple(key for _, key in keys))

    @property
    def mirror_keys(self) -> list[SigningKey]:
        """The keys that count in a quorum."""
        wanted = self.card.cosigning_keys
        return [key for key in self.signers if key.verifier in wanted]

    def cosigned(self, note: bytes, at) -> bytes:
        """The checkpoint with this member's mirror cosignatures behind those that it has."""
        signed = Note.parse(note)
        checkpoint = Checkpoint.parse(signed.text)
        more = tuple(cosign(checkpoint, key, at) for key in self.mirror_keys)
        return Note(text=signed.text, signatures=(*signed.signatures, *more)).encode()


def _seed(number: int, count: int, index: int) -> bytes:
    return bytes([number, count, index]) + bytes(29)


NAMES = ("hangzhou", "beijing", "guangzhou", "notary", "customs")


def five() -> dict[str, Member]:
    """The five of every demo."""
    kinds = dict.fromkeys(NAMES[:3], "court") | {"notary": "notary", "customs": "customs"}
    return {name: Member.made(name, number, kind=kinds[name]) for number, name in enumerate(NAMES, start=1)}
