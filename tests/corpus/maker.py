"""A small log with fixed keys, out of which receipts are made: good ones, and ones with a single thing wrong.

Keys and salts are fixed and worthless. ML-DSA signatures are randomised, so a new run makes other bytes.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import cbor2
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from chopmark.base import cbor
from chopmark.base.digests import Digests, digests_of
from chopmark.evidence.deposit import Disclosure, Draft, claim_of, describe, prepare
from chopmark.evidence.receipt import Anchor, Receipt
from chopmark.ledger import tree
from chopmark.ledger.card import MIRROR, Card, CardKey
from chopmark.ledger.checkpoint import Checkpoint, cosign
from chopmark.ledger.cose import ES256, Envelope, to_be_signed
from chopmark.ledger.cose_receipt import sign_root
from chopmark.ledger.governance import Rule, consortium_policy
from chopmark.ledger.keys import ED25519, ED25519_COSIGNATURE, MLDSA44_COSIGNATURE, SigningKey
from chopmark.ledger.note import Note
from chopmark.ledger.policy import Policy, PolicyGroup, PolicyLog, PolicyWitness
from chopmark.ledger.statement import Claim, IssuerKey, PublicKey, sign_statement

AT = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)
FILE = b"A photograph of a lantern, as it might be.\n"
DIGESTS = digests_of([FILE], sm3=True)
WITHOUT_SM3 = replace(DIGESTS, sm3=None)
ORIGIN = "log.chopmark.example/corpus"
PLATFORM = "https://chopmark.example/intake"
DEPOSITOR = "https://chopmark.example/issuers/4f0d2c0e-6a43-4e5e-8a35-6a0c1f6f2a11"
SUBJECT = "urn:uuid:0d7c9b4e-43a2-4a54-9a1c-0f8a4f6c7e21"
REGISTRATION_POLICY = hashlib.sha256(b"registration policy of the corpus\n").digest()


def seed(label: str) -> bytes:
    return hashlib.sha256(b"chopmark corpus " + label.encode()).digest()


LOG = SigningKey(name=ORIGIN, type=ED25519, seed=seed("log"))
LOG_PQ = SigningKey(name=ORIGIN, type=MLDSA44_COSIGNATURE, seed=seed("log pq"))
STRANGER = SigningKey(name="stranger.example/log", type=ED25519, seed=seed("stranger"))
HANGZHOU = SigningKey(name="witness.hangzhou.example", type=ED25519_COSIGNATURE, seed=seed("hangzhou"))
BEIJING = SigningKey(name="witness.beijing.example", type=MLDSA44_COSIGNATURE, seed=seed("beijing"))
GUANGZHOU = SigningKey(name="witness.guangzhou.example", type=ED25519_COSIGNATURE, seed=seed("guangzhou"))
INTAKE = IssuerKey.from_seed(seed("intake"))
OWN = IssuerKey.from_seed(seed("depositor"))
OWN_P256 = ec.derive_private_key(int.from_bytes(seed("p-256")) >> 1, ec.SECP256R1())

WITNESSES = tuple(
    PolicyWitness(name=name, key=key.verifier)
    for name, key in (("hangzhou", HANGZHOU), ("beijing", BEIJING), ("guangzhou", GUANGZHOU))
)
LOGS = (PolicyLog(key=LOG.verifier), PolicyLog(key=LOG_PQ.verifier))


@dataclass(frozen=True)
class Member:
    """An institution with its two cosigning keys, both of the same name."""

    name: str
    kind: str
    ed: SigningKey
    pq: SigningKey

    @property
    def card(self) -> Card:
        keys = tuple(CardKey(role=MIRROR, key=key.verifier) for key in (self.ed, self.pq))
        return Card(name=self.name, kind=self.kind, zh=self.name, en=self.name, url=None, keys=keys)


def member(name: str, kind: str, generation: str = "") -> Member:
    host = f"{name}.example/mirror"
    return Member(
        name=name,
        kind=kind,
        ed=SigningKey(name=host, type=ED25519_COSIGNATURE, seed=seed(f"{name} mirror{generation}")),
        pq=SigningKey(name=host, type=MLDSA44_COSIGNATURE, seed=seed(f"{name} mirror pq{generation}")),
    )


MEMBERS = (
    member("hangzhou", "court"),
    member("beijing", "court"),
    member("guangzhou", "court"),
    member("notary", "notary"),
    member("customs", "customs"),
)
BY_NAME = {each.name: each for each in MEMBERS}
RULE = Rule.parse("courts: 2 of hangzhou beijing guangzhou and others: 1 of notary customs")
LOG_KEYS = (LOG.verifier, LOG_PQ.verifier)
LATER = (member("hangzhou", "court", " 2031"), *MEMBERS[1:])
SECOND = timedelta(seconds=1)

POLICIES = {
    "platform": Policy(logs=LOGS),
    "ed25519-only": Policy(logs=LOGS[:1]),
    "post-quantum-only": Policy(logs=LOGS[1:]),
    "another-log": Policy(logs=(PolicyLog(key=STRANGER.verifier),)),
    "two-courts-of-three": Policy(
        logs=LOGS,
        witnesses=WITNESSES,
        groups=(PolicyGroup(name="courts", threshold=2, members=("hangzhou", "beijing", "guangzhou")),),
        quorum="courts",
    ),
    "five-members": consortium_policy(LOG_KEYS, [each.card for each in MEMBERS], RULE),
    "five-members-later": consortium_policy(LOG_KEYS, [each.card for each in LATER], RULE),
}


@dataclass
class Salts:
    """Salts that count, so that two runs commit to the same."""

    made: int = 0

    def __call__(self) -> bytes:
        self.made += 1
        return seed(f"salt {self.made}")[:16]


def draft(**changes) -> Draft:
    said = {
        "digests": DIGESTS,
        "kind": "work",
        "title": "灯笼 Lantern",
        "author": "李明 Li Ming",
        "file_name": "lantern.jpg",
        "media_type": "image/jpeg",
    }
    return Draft(**{**said, **changes})


def p256_public(private: ec.EllipticCurvePrivateKey = OWN_P256) -> PublicKey:
    numbers = private.public_key().public_numbers()
    return PublicKey.p256(numbers.x.to_bytes(32, "big"), numbers.y.to_bytes(32, "big"))


def sign_p256(claim: Claim, private: ec.EllipticCurvePrivateKey = OWN_P256) -> bytes:
    protected = claim.header(ES256, p256_public(private).thumbprint)
    r, s = decode_dss_signature(private.sign(to_be_signed(protected, claim.payload), ec.ECDSA(hashes.SHA256())))
    signature = r.to_bytes(32, "big") + s.to_bytes(32, "big")
    return Envelope(protected=protected, unprotected={}, payload=claim.payload, signature=signature).encode()


def sign_raw(header: dict, payload: bytes | None, key: IssuerKey = OWN, *, unprotected=None, tag=18) -> bytes:
    """Any header at all, signed; for statements that no honest tool makes."""
    protected = cbor.encode(header)
    signature = key.sign(to_be_signed(protected, payload or b""))
    return cbor.encode(cbor2.CBORTag(tag, [protected, unprotected or {}, payload, signature]))


def by_agent(**changes) -> tuple[bytes, tuple[Disclosure, ...], bytes]:
    """Statement, disclosures and COSE_Key of a deposit that the intake key signs."""
    prepared = prepare(
        draft(**changes),
        issuer=PLATFORM,
        subject=SUBJECT,
        depositor="Lantern Works Ltd",
        agent=True,
        policy=REGISTRATION_POLICY,
        key=INTAKE,
        at=AT,
        salts=Salts(),
    )
    return prepared.statement, prepared.disclosures, INTAKE.public.to_cose()


def by_depositor(*, p256: bool = False, **changes) -> tuple[bytes, tuple[Disclosure, ...], bytes]:
    """The same, signed by the depositor's own key."""
    wanted = draft(**changes)
    disclosures = describe(wanted, depositor="Lantern Works Ltd", salts=Salts())
    claim = claim_of(
        wanted, disclosures, issuer=DEPOSITOR, subject=SUBJECT, agent=False, policy=REGISTRATION_POLICY, at=AT
    )
    if p256:
        return sign_p256(claim), disclosures, p256_public().to_cose()
    return sign_statement(claim, OWN), disclosures, OWN.public.to_cose()


def by_third_party(digests: Digests = DIGESTS) -> tuple[bytes, tuple[Disclosure, ...], bytes]:
    """A statement without our header, as any SCITT tool may register one."""
    claim = Claim(issuer="https://builder.example", subject="pkg:lantern@1", issued_at=None, payload=digests.sha256)
    return sign_statement(claim, OWN), (), OWN.public.to_cose()


def nodes_of(entries: list[bytes]):
    leaves = tree.leaf_hashes(entries)

    def node(level: int, index: int) -> bytes:
        if level == 0:
            return leaves[index]
        return tree.node_hash(node(level - 1, 2 * index), node(level - 1, 2 * index + 1))

    return node


def register(
    made: tuple[bytes, tuple[Disclosure, ...], bytes],
    *,
    index: int = 3,
    size: int = 7,
    at: datetime = AT,
    sealed_at: datetime | None = None,
    signers: tuple[SigningKey, ...] = (LOG, LOG_PQ),
    log: SigningKey = LOG,
    filler: str = "entry",
    cosigned: Sequence[tuple[SigningKey, datetime]] = (),
    sealed: Sequence[tuple[SigningKey, datetime]] = (),
    anchored: Sequence[tuple[str, str, int]] = (),
) -> Receipt:
    """The receipt of a statement at `index` in a log of `size` entries, the others being filler.

    `cosigned` and `sealed` are members with the times they state, `anchored` is kind, authority and size of anchors;
    their tokens are not real.
    """
    statement, disclosures, key = made
    entries = [f"{filler} {number}".encode() for number in range(max(size, *(each for *_, each in anchored), 1))]
    entries[index] = statement
    nodes = nodes_of(entries)
    root = tree.root(size, nodes)
    head = Checkpoint(origin=log.name, size=size, root=root)
    lines = [cosign(head, each, when) for each, when in [*((signer, at) for signer in signers), *cosigned]]
    return Receipt(
        statement=statement,
        disclosures=disclosures,
        issuer_key=key,
        index=index,
        path=tuple(tree.inclusion_proof(index, size, nodes)),
        checkpoint=Note(text=head.text(), signatures=tuple(lines)).encode(),
        seals=tuple(
            sign_root(log.name, root, each, when, size=size) for each, when in [(log, sealed_at or at), *sealed]
        ),
        anchors=tuple(
            Anchor(
                kind=kind,
                authority=authority,
                text=Checkpoint(origin=log.name, size=each, root=tree.root(each, nodes)).text().encode(),
                path=tuple(tree.inclusion_proof(index, each, nodes)),
                token=b"no real token",
            )
            for kind, authority, each in anchored
        ),
    )


def by_members(*names: str, start: int = 1, pq: bool = True, ed: bool = True) -> list[tuple[SigningKey, datetime]]:
    """These members' keys with times a second apart, both keys of one at the same time."""
    found: list[tuple[SigningKey, datetime]] = []
    for number, name in enumerate(names or BY_NAME, start=start):
        keys = [key for key, wanted in ((BY_NAME[name].ed, ed), (BY_NAME[name].pq, pq)) if wanted]
        found += [(key, AT + number * SECOND) for key in keys]
    return found
