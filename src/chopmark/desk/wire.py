"""What a platform and a desk say to each other: filings, orders, withdrawals, events, and the cards of both.

    POST /api/filings       Filing        -> Taken        PUT /api/cases/<token>/bundle?offset=N   a piece -> Taken
    POST /api/orders        Order         -> Taken        GET /api/cases/<token>                           -> Taken
    POST /api/withdrawals   Withdrawal    -> Taken        GET /api/cases/<token>/bundle?offset=N           -> a piece
    POST <platform's callback>  SignedEvent

Each call carries an RFC 9421 signature of the caller's node key (`chopmark.member.httpsig`), for the log that the
platform keeps. A message's `token` is chosen by its sender: the same again is answered as before and done once.
An event is signed by itself as well, so that it proves later, to anybody, what the desk said.

Amounts are whole fen. Identity numbers and addresses travel to the court in these messages and nowhere else: the
ledger gets digests only.
"""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

from chopmark.base.errors import Invalid
from chopmark.desk.codec import Elements, canonical
from chopmark.ledger.keys import ED25519, Signer, VerifierKey

PIECE = 8 << 20
"""Bytes of a bundle that travel in one call, at most."""
MAX_BUNDLE = 64 << 30
"""Bytes of a bundle, at most."""
EVENT_CONTEXT = b"chopmark/desk-event/1\n"

Kind = Literal["court", "notary"]
PartyRole = Literal["plaintiff", "defendant", "third_party"]
Authority = Literal["general", "special"]
EvidenceForm = Literal["original", "copy"]
Verdict = Literal["PASSED", "FAILED", "INDETERMINATE"]
OrderReason = Literal["litigation", "arbitration", "administrative", "customs", "police", "negotiation", "other"]
EventKind = Literal[
    "received",
    "supplement_wanted",
    "supplemented",
    "refused",
    "accepted",
    "served",
    "hearing",
    "judgment",
    "closed",
    "withdrawn",
    "issued",
]
ORDER_REASONS: tuple[OrderReason, ...] = (
    "litigation",
    "arbitration",
    "administrative",
    "customs",
    "police",
    "negotiation",
    "other",
)


# ---- what a filing is made of ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Party:
    """Somebody the case is about; empty text where nothing was said.

    Attributes:
        role: in the case; of an order's applicant always `plaintiff`.
        type: a natural person or an organisation.
        id_type: `USCC`, `identity_card`, `passport`, `registration`, `other` or empty.
        representative: who represents an organisation by law.
        country: ISO 3166-1 alpha-2.
    """

    role: PartyRole
    type: Literal["person", "organisation"]
    name: str
    id_type: str
    id_number: str
    country: str
    address: str
    phone: str
    email: str
    representative: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Agent:
    """Who acts for parties, under a power of attorney.

    Attributes:
        parties: places of the parties in the filing's list, from 1.
        authority: general, or special (may concede, settle, appeal).
        power_of_attorney: id of the evidence item that holds it; empty where there is none yet.
    """

    parties: tuple[int, ...]
    name: str
    organisation: str
    licence: str
    authority: Authority
    phone: str
    email: str
    power_of_attorney: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """One thing that the court is asked for; `amount_fen` where it is a sum."""

    text: str
    amount_fen: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """One statement of fact, and the ids of the evidence items that show it."""

    text: str
    evidence: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class FileLine:
    """One file of an evidence item: where it lies in the bundle, and what it is."""

    path: str
    size: int
    sha256: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class DepositLine:
    """A deposit number and the digest that was deposited under it."""

    number: str
    sha256: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class EvidenceLine:
    """One line of the list of evidence.

    Attributes:
        id: as in the bundle's manifest, `E-001`.
        purpose: what it is to prove (证明目的).
        source: where it is from.
    """

    id: str
    kind: str
    title: str
    purpose: str
    source: str
    form: EvidenceForm
    files: tuple[FileLine, ...]
    deposits: tuple[DepositLine, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class BundleRef:
    """Which bundle: its number, size and digest."""

    number: str
    size: int
    sha256: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class FeeLine:
    """What the filer expects to pay, by the rule named."""

    least_fen: int
    most_fen: int
    rule: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """Where papers are served, and whether electronic service is accepted."""

    name: str
    address: str
    phone: str
    email: str
    electronic: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Declaration:
    """Who declared, and when, that what is stated is true; `previewed_at` is when the whole was shown to them."""

    by: str
    previewed_at: datetime
    agreed_at: datetime


# ---- messages --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Filing:
    """A case brought to a court.

    Attributes:
        token: chosen by the sender; names the case in every later message.
        revision: 1, and one more with each supplement.
        number: the platform's, F-2026-000001.
        origin: the log whose platform sends.
        organisation: who files, as the platform knows them.
        court, profile: code of the court and version of its profile.
        template: name and version, `trademark_counterfeit/1`; empty for none.
        elements: the facts that the template asks for.
        note: what a supplement says to the clerk; empty in the first revision.
    """

    form: Literal["chopmark-filing-1"]
    token: UUID
    revision: int
    number: str
    at: datetime
    origin: str
    organisation: str
    court: str
    profile: str
    cause: str
    template: str
    parties: tuple[Party, ...]
    agents: tuple[Agent, ...]
    claims: tuple[Claim, ...]
    amount_fen: int | None
    facts: tuple[Fact, ...]
    elements: Elements
    evidence: tuple[EvidenceLine, ...]
    bundle: BundleRef
    fee: FeeLine
    delivery: Delivery
    mediation: bool
    declaration: Declaration
    note: str

    def __post_init__(self) -> None:
        right = self.revision >= 1 and bool(self.parties) and bool(self.evidence)
        right = right and all(1 <= place <= len(self.parties) for agent in self.agents for place in agent.parties)
        right = right and len({each.id for each in self.evidence}) == len(self.evidence)
        known = {each.id for each in self.evidence}
        right = right and all(set(fact.evidence) <= known for fact in self.facts)
        right = right and all((agent.power_of_attorney or "") in {"", *known} for agent in self.agents)
        _must(Filing, right and _is_bundle(self.bundle) and _are_digests(self.evidence))


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """A request to a notary to countersign a bundle.

    Attributes:
        notary: the desk's name.
        reason: what it is for; `reason_text` says more.
        documents: evidence items that are the applicant's papers (identity, authority), out of `evidence`.
        operator: who at the organisation placed the order.
    """

    form: Literal["chopmark-order-1"]
    token: UUID
    revision: int
    number: str
    at: datetime
    origin: str
    organisation: str
    notary: str
    reason: OrderReason
    reason_text: str
    applicant: Party
    operator: str
    documents: tuple[str, ...]
    evidence: tuple[EvidenceLine, ...]
    bundle: BundleRef
    declaration: Declaration
    note: str

    def __post_init__(self) -> None:
        known = {each.id for each in self.evidence}
        right = self.revision >= 1 and bool(known) and len(known) == len(self.evidence)
        right = right and set(self.documents) <= known and self.declaration.previewed_at <= self.declaration.agreed_at
        _must(Order, right and _is_bundle(self.bundle) and _are_digests(self.evidence))


@dataclass(frozen=True, slots=True, kw_only=True)
class Withdrawal:
    """The sender takes a filing or an order back."""

    form: Literal["chopmark-withdrawal-1"]
    token: UUID
    at: datetime
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """What a desk answers: how the case stands there.

    Attributes:
        state: see `desk.flow`; `awaited` while the bundle is not there whole.
        revision: the newest that the desk has.
        has: bytes of that revision's bundle that are there, durably.
        events: how many events it has written.
    """

    form: Literal["chopmark-taken-1"]
    token: UUID
    state: str
    revision: int
    has: int
    events: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckLine:
    """What the desk's automatic check found of one item.

    Attributes:
        item: id of an evidence item, or `bundle` for the container itself.
        codes: of the findings, each a code that `base.wording` words.
    """

    item: str
    verdict: Verdict
    codes: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One step at the desk.

    Attributes:
        desk: its name.
        token: of this event.
        about: token of the filing or order.
        seq: from 1, without gaps, for each case.
        reasons: what the clerk wrote: why it is refused, what is missing, what the judgment says.
        number: case number at the court, or the notary's; from `accepted` on.
        when, place: of a hearing.
        fee_fen: what the court charges.
        checks: result of the automatic check, with `received` and `supplemented`.
        bundle: the countersigned bundle, with `issued`.
    """

    form: Literal["chopmark-event-1"]
    desk: str
    token: UUID
    about: UUID
    seq: int
    at: datetime
    kind: EventKind
    revision: int
    reasons: tuple[str, ...]
    number: str | None
    when: datetime | None
    place: str | None
    fee_fen: int | None
    checks: tuple[CheckLine, ...]
    bundle: BundleRef | None

    def __post_init__(self) -> None:
        _must(Event, self.seq >= 1 and self.revision >= 1 and (self.bundle is None or _is_bundle(self.bundle)))


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedEvent:
    """An event and the signature of the desk's node key over it.

    Attributes:
        key: the verifier key, as on the desk's card.
        signature: standard base64 of 64 bytes.
    """

    event: Event
    key: str
    signature: str

    @classmethod
    def sign(cls, event: Event, key: Signer) -> SignedEvent:
        """Sign an event."""
        signature = key.sign(EVENT_CONTEXT + canonical(event))
        return cls(event=event, key=str(key.verifier), signature=base64.b64encode(signature).decode())

    def must_be_by(self, key: VerifierKey) -> None:
        """Check that the key signed it.

        Raises:
            Invalid: `desk.event_forged`.
        """
        if self.key != str(key):
            raise Invalid("desk.event_forged", desk=self.event.desk)
        try:
            signature = base64.b64decode(self.signature, validate=True)
            key.verify(signature, EVENT_CONTEXT + canonical(self.event))
        except (binascii.Error, Invalid) as error:
            raise Invalid("desk.event_forged", desk=self.event.desk) from error


# ---- cards -----------------------------------------------------------------------------------------------------------

_NAME = re.compile(r"[a-z][a-z0-9-]{0,31}")
_URL = re.compile(r"https?://[!-~]{1,500}(?<!/)")


@dataclass(frozen=True, slots=True, kw_only=True)
class DeskCard:
    """Who a desk is; what a platform's operator adopts.

    Attributes:
        profile: code of the court in `chopmark.law`; None for a notary.
        simulated: whether it only stands in for an institution. Shown wherever the desk's name is.
        url: where it is reached, without a slash at the end.
        node: verifier key of type 0x01 that signs calls and events.
        root: DER of the notary's root certificate; None for a court.
    """

    form: Literal["chopmark-desk-1"]
    name: str
    kind: Kind
    zh: str
    en: str
    url: str
    profile: str | None
    simulated: bool
    node: str
    root: bytes | None

    def __post_init__(self) -> None:
        right = bool(_NAME.fullmatch(self.name)) and bool(_URL.fullmatch(self.url)) and _is_node(self.node)
        right = right and _is_title(self.zh) and _is_title(self.en)
        _must(DeskCard, right and (self.profile is not None) == (self.kind == "court"))

    @property
    def key(self) -> VerifierKey:
        """The node key."""
        return VerifierKey.parse(self.node)


@dataclass(frozen=True, slots=True, kw_only=True)
class PlatformCard:
    """Who a platform is; what a desk's operator adopts.

    Attributes:
        origin: its log's name.
        node: verifier key of type 0x01 that signs its calls.
        callback: where events go.
    """

    form: Literal["chopmark-platform-1"]
    origin: str
    title: str
    callback: str
    node: str

    def __post_init__(self) -> None:
        _must(PlatformCard, bool(_URL.fullmatch(self.callback)) and _is_node(self.node) and _is_title(self.title))

    @property
    def key(self) -> VerifierKey:
        """The node key."""
        return VerifierKey.parse(self.node)


def _must(kind: type, right: bool) -> None:  # noqa: FBT001 (a condition)
    if not right:
        raise Invalid("desk.message_malformed", form=kind.__name__, reason="its parts contradict each other")


def _is_title(text: str) -> bool:
    return 0 < len(text) <= 200 and text.isprintable() and text == text.strip()


def _is_node(text: str) -> bool:
    try:
        return VerifierKey.parse(text).type == ED25519
    except Invalid:
        return False


def _is_bundle(bundle: BundleRef) -> bool:
    return len(bundle.sha256) == 32 and 0 < bundle.size <= MAX_BUNDLE


def _are_digests(evidence: tuple[EvidenceLine, ...]) -> bool:
    digests = [each.sha256 for line in evidence for each in line.files]
    digests += [each.sha256 for line in evidence for each in line.deposits]
    return all(len(each) == 32 for each in digests)
