"""A small log in memory that makes real receipts, for what the two verifiers must agree about."""

from __future__ import annotations

import hashlib
import random
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from chopmark.base.digests import Digests, digests_of
from chopmark.evidence.deposit import Draft, Prepared, prepare
from chopmark.evidence.receipt import Receipt
from chopmark.ledger.checkpoint import Checkpoint, sign_checkpoint
from chopmark.ledger.cose_receipt import sign_root
from chopmark.ledger.keys import ED25519, ED25519_COSIGNATURE, MLDSA44_COSIGNATURE, SigningKey
from chopmark.ledger.policy import Policy, PolicyGroup, PolicyLog, PolicyWitness, policy_text
from chopmark.ledger.statement import IssuerKey
from chopmark.ledger.tree import inclusion_proof, leaf_hash, node_hash, root

AT = datetime(2026, 11, 22, 1, 30, tzinfo=UTC)
NOW = AT + timedelta(days=30)
ORIGIN = "chopmark.example/log"
FILE = "《山水图》 a photograph of a scroll\n".encode() * 40


def seeded(label: str) -> bytes:
    return hashlib.sha256(label.encode()).digest()


@dataclass
class World:
    """One log with an Ed25519 and an ML-DSA-44 key, two witnesses, and `neighbours` other entries."""

    neighbours: int = 20
    log_keys: tuple[SigningKey, ...] = (
        SigningKey(name=ORIGIN, type=ED25519, seed=seeded("log ed25519")),
        SigningKey(name=ORIGIN, type=MLDSA44_COSIGNATURE, seed=seeded("log mldsa")),
    )
    witness_keys: tuple[SigningKey, ...] = (
        SigningKey(name="court.example/w1", type=ED25519_COSIGNATURE, seed=seeded("witness 1")),
        SigningKey(name="notary.example/w2", type=MLDSA44_COSIGNATURE, seed=seeded("witness 2")),
    )
    intake: IssuerKey = field(default_factory=lambda: IssuerKey.from_seed(seeded("intake")))

    def prepared(self, draft: Draft, *, agent: bool = True) -> Prepared:
        salts = random.Random(7)  # noqa: S311 (a test's salts hide nothing)
        return prepare(
            draft,
            issuer="https://chopmark.example/issuers/8d5f6a",
            subject="urn:uuid:0d5d1c9e-6f0e-4f3c-9d6f-1f3f5e7a9b01",
            depositor="Hangzhou Silk Studio",
            agent=agent,
            policy=seeded("registration policy"),
            key=self.intake,
            at=AT - timedelta(seconds=20),
            salts=lambda: salts.randbytes(16),
        )

    def receipt(self, prepared: Prepared, *, position: int = 7, witnesses: bool = True) -> Receipt:
        entries = [f"neighbour {number}".encode() for number in range(self.neighbours)]
        entries.insert(position, prepared.statement)
        hashes = [leaf_hash(entry) for entry in entries]

        def node(level: int, index: int) -> bytes:
            if level == 0:
                return hashes[index]
            return node_hash(node(level - 1, 2 * index), node(level - 1, 2 * index + 1))

        head = Checkpoint(origin=ORIGIN, size=len(entries), root=root(len(entries), node))
        keys = [*self.log_keys, *(self.witness_keys if witnesses else ())]
        return Receipt(
            statement=prepared.statement,
            disclosures=prepared.disclosures,
            issuer_key=self.intake.public.to_cose(),
            index=position,
            path=tuple(inclusion_proof(position, len(entries), node)),
            checkpoint=sign_checkpoint(head, keys, AT),
            sealed_root=sign_root(ORIGIN, head.root, self.log_keys[0], AT, size=head.size),
        )

    def policy(self, quorum: str = "none") -> bytes:
        names = ("court", "notary")
        policy = Policy(
            logs=tuple(PolicyLog(key=key.verifier) for key in self.log_keys),
            witnesses=tuple(
                PolicyWitness(name=name, key=key.verifier) for name, key in zip(names, self.witness_keys, strict=True)
            ),
            groups=(PolicyGroup(name="both", threshold=2, members=names),),
            quorum=quorum,
        )
        return policy_text(policy).encode()


def draft(*, private: bool = False, sm3: bool = True, data: bytes = FILE) -> Draft:
    return Draft(
        digests=digests_of([data], sm3=sm3),
        kind="work",
        title="山水图 · Landscape scroll",
        author="Lin Yuan 林远",
        file_name="scroll.jpg",
        media_type="image/jpeg",
        private=private,
    )


def digests(data: bytes = FILE, *, sm3: bool = True) -> Digests:
    return digests_of([data], sm3=sm3)
