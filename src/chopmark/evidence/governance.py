"""What may be read about governance, by anybody: papers, their order, and every key that signs statements.

Rows never leave this room. Changes are made by `actions.govern`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from chopmark.base.errors import Refused
from chopmark.evidence import wiring
from chopmark.evidence.models import Founding, Governance
from chopmark.ledger.card import Card
from chopmark.ledger.governance import TYPES, Rotation, Rule, rule_of
from chopmark.ledger.policy import Policy
from chopmark.ledger.statement import KEY_TYPE
from chopmark.people.queries import issuer_key

POLICIES = ("trust_policy", "trust_policy_forced")
MEMBERS = ("member_card", "member_rotation", "member_retired")


@dataclass(frozen=True, slots=True, kw_only=True)
class Paper:
    """A decision about the ledger itself.

    Attributes:
        kind: one of `ledger.governance.TYPES`, or `key`.
        name: the member, key or authority it is about; empty for a policy.
        sha256: digest of the paper, 32 bytes.
        leaf: of its statement.
        position: on the log; None while it waits.
        in_force_from: size of the first checkpoint that it counts for; None while it waits.
    """

    kind: str
    name: str
    sha256: bytes
    leaf: bytes
    made_at: datetime
    position: int | None
    in_force_from: int | None

    @property
    def content_type(self) -> str:
        """Media type of the paper."""
        return TYPES.get(self.kind, KEY_TYPE)


def paper_of(row: Governance) -> Paper:
    """The frozen form of a row; for this room only."""
    return Paper(
        kind=row.kind,
        name=row.name,
        sha256=bytes(row.sha256),
        leaf=bytes(row.leaf),
        made_at=row.made_at,
        position=row.position,
        in_force_from=None if row.published_in is None else row.published_in + 1,
    )


def papers() -> tuple[Paper, ...]:
    """Every decision, in the order in which it was made."""
    return tuple(paper_of(row) for row in Governance.objects.order_by("id"))


def papers_with(leaves: Iterable[bytes]) -> tuple[Paper, ...]:
    """The decisions with these leaves."""
    return tuple(paper_of(row) for row in Governance.objects.filter(leaf__in=list(leaves)).order_by("id"))


def paper(sha256: bytes) -> tuple[str, bytes]:
    """Media type and bytes of the paper with a digest.

    Raises:
        Refused: `evidence.paper_not_found` when no statement carries it.
        Unavailable: `evidence.paper_missing`.
        Invalid: `evidence.paper_wrong`.
    """
    row = Governance.objects.filter(sha256=sha256).order_by("id").first()
    if row is None:
        raise Refused("evidence.paper_not_found")
    return TYPES.get(row.kind, KEY_TYPE), wiring.paper(sha256)


def signer_key(kid: bytes) -> bytes:
    """The COSE_Key with this RFC 9679 thumbprint, of whoever signs statements here or ever did.

    Raises:
        Refused: `people.issuer_key_not_found`.
    """
    founding = Founding.objects.filter(name=f"key {kid.hex()}").first()
    if founding is not None:  # the intake key in use or a former one: it stated itself
        return bytes(founding.issuer_key)
    if Governance.objects.filter(kind="key", sha256=kid).exists():
        return wiring.paper(kid)
    return issuer_key(kid)[1]


def decided_cards() -> tuple[Card, ...]:
    """The cards of all members as last decided, published or not; by name."""
    newest: dict[str, tuple[str, bytes]] = {}
    for kind, name, sha256 in (
        Governance.objects.filter(kind__in=MEMBERS).order_by("id").values_list("kind", "name", "sha256")
    ):
        newest[name] = (kind, bytes(sha256))
    found = (card_in(kind, wiring.paper(sha256)) for kind, sha256 in dict(sorted(newest.items())).values())
    return tuple(card for card in found if card is not None)


def every_card() -> tuple[Card, ...]:
    """Every card that was ever adopted, those of former members too."""
    kinds = ("member_card", "member_rotation")
    rows = Governance.objects.filter(kind__in=kinds).order_by("id").values_list("kind", "sha256")
    found = (card_in(kind, wiring.paper(bytes(sha256))) for kind, sha256 in rows)
    return tuple(card for card in found if card is not None)


def decided_policy() -> Policy | None:
    """The trust policy as last decided, published or not; None before the first."""
    row = Governance.objects.filter(kind__in=POLICIES).order_by("-id").first()
    return None if row is None else Policy.parse(wiring.paper(bytes(row.sha256)))


def decided_rule() -> Rule | None:
    """The rule in that policy; None when there is none, or none of ours."""
    policy = decided_policy()
    return None if policy is None else rule_of(policy)


def card_in(kind: str, paper: bytes) -> Card | None:
    """The card that follows from a member's paper; None after its retirement."""
    match kind:
        case "member_card":
            return Card.parse(paper)
        case "member_rotation":
            return Card.parse(Rotation.parse(paper).new)
        case _:
            return None
