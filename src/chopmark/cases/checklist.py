"""What a filing still lacks, and what its filer should know before it is sent. Pure.

Each gap names the step of the wizard where it is closed, and a code that `base.wording` words. A gap that blocks keeps
the filing from being sent; another one is a warning.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from chopmark import law
from chopmark.base.errors import Fact as Told
from chopmark.base.errors import Invalid, Refused
from chopmark.cases.draft import Draft, OrderDraft, Step
from chopmark.desk.wire import Party
from chopmark.evidence.bundle.manifest import Item, Manifest
from chopmark.law import Court, Fee


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """One thing that is missing, wrong or worth knowing.

    Attributes:
        step: where it is closed; `order` for an order.
        code: of the sentence.
        facts: of the sentence.
        blocks: whether nothing is sent until it is closed.
    """

    step: Step | str
    code: str
    facts: Mapping[str, Told] = field(default_factory=dict)
    blocks: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Checklist:
    """What `check_filing` answers.

    Attributes:
        gaps: those that block first.
        fee: what the court will charge; None while court, cause or sum do not say it.
    """

    gaps: tuple[Gap, ...]
    fee: Fee | None

    @property
    def ready(self) -> bool:
        """Whether it may be sent."""
        return not any(gap.blocks for gap in self.gaps)

    def at(self, step: str) -> tuple[Gap, ...]:
        """The gaps of one step."""
        return tuple(gap for gap in self.gaps if gap.step == step)


def check(draft: Draft, manifest: Manifest | None, template: str) -> Checklist:
    """What a filing lacks.

    Args:
        draft: as far as it is filled in.
        manifest: of the bundle; None while none is chosen.
        template: name of the matter's template; empty for none.
    """
    gaps = [
        *_evidence(draft, manifest),
        *_court(draft),
        *_parties(draft, manifest),
        *_claims(draft, template),
        *_confirm(draft),
    ]
    return Checklist(gaps=tuple(sorted(gaps, key=lambda gap: not gap.blocks)), fee=fee_of(draft))


def check_order(draft: OrderDraft, manifest: Manifest) -> Checklist:
    """What an order to a notary lacks."""
    gaps = [_placed(gap, "order") for gap in _party("parties", draft.applicant, 1)]
    known = {item.id for item in manifest.items}
    gaps += [
        Gap(step="order", code="cases.gap_item_unknown", facts={"item": each})
        for each in draft.documents
        if each not in known
    ]
    if not draft.documents:
        gaps.append(Gap(step="order", code="cases.gap_order_documents"))
    if draft.reason == "other" and not draft.reason_text.strip():
        gaps.append(Gap(step="order", code="cases.gap_order_reason"))
    if not draft.declared_by.strip():
        gaps.append(Gap(step="order", code="cases.gap_declared"))
    return Checklist(gaps=tuple(gaps), fee=None)


def fee_of(draft: Draft) -> Fee | None:
    """What the court will charge, as far as the draft says enough."""
    try:
        return law.fee(draft.court.court, draft.court.cause, draft.claims.amount_fen)
    except (Refused, Invalid):
        return None


def used_items(draft: Draft, manifest: Manifest) -> tuple[Item, ...]:
    """The items that the filing puts forward: all of the bundle but those left out."""
    left = {line.id for line in draft.evidence.lines if not line.used}
    return tuple(item for item in manifest.items if item.id not in left)


def purpose_of(draft: Draft, item: Item) -> str:
    """What an item is to prove: as the filing says it, else as the matter does."""
    own = next((line.purpose for line in draft.evidence.lines if line.id == item.id), "")
    return own.strip() or item.purpose.zh.strip() or item.purpose.en.strip()


def _evidence(draft: Draft, manifest: Manifest | None) -> Iterator[Gap]:
    if manifest is None:
        yield Gap(step="evidence", code="cases.gap_bundle")
        return
    known = {item.id for item in manifest.items}
    for line in draft.evidence.lines:
        if line.id not in known:
            yield Gap(step="evidence", code="cases.gap_item_unknown", facts={"item": line.id})
    used = used_items(draft, manifest)
    if not used:
        yield Gap(step="evidence", code="cases.gap_evidence")
    linked = {each for fact in draft.claims.facts for each in fact.evidence}
    powers = {agent.power_of_attorney for agent in draft.parties.agents}
    for item in used:
        if not purpose_of(draft, item):
            yield Gap(step="evidence", code="cases.gap_purpose", facts={"item": item.id})
        if not item.deposits:
            yield Gap(step="evidence", code="cases.gap_undeposited", facts={"item": item.id}, blocks=False)
        if draft.claims.facts and item.id not in linked | powers:
            yield Gap(step="claims", code="cases.gap_unlinked", facts={"item": item.id}, blocks=False)


def _court(draft: Draft) -> Iterator[Gap]:
    profile = _profile(draft)
    if profile is None:
        yield Gap(step="court", code="cases.gap_court")
        return
    cause = next((each for each in profile.causes if each.code == draft.court.cause), None)
    if cause is None:
        yield Gap(step="court", code="cases.gap_cause")
    elif not cause.listed:
        yield Gap(step="court", code="cases.gap_by_designation", facts={"cause": cause.title.zh}, blocks=False)


def _parties(draft: Draft, manifest: Manifest | None) -> Iterator[Gap]:
    parties = draft.parties.parties
    for role in ("plaintiff", "defendant"):
        if not any(party.role == role for party in parties):
            yield Gap(step="parties", code=f"cases.gap_{role}")
    for place, party in enumerate(parties, 1):
        yield from _party("parties", party, place)
    known = set() if manifest is None else {item.id for item in used_items(draft, manifest)}
    for place, agent in enumerate(draft.parties.agents, 1):
        if not agent.name.strip() or not agent.parties:
            yield Gap(step="parties", code="cases.gap_agent", facts={"place": place})
        if any(not 1 <= each <= len(parties) for each in agent.parties):
            yield Gap(step="parties", code="cases.gap_agent_party", facts={"place": place})
        if agent.power_of_attorney not in known:
            yield Gap(step="parties", code="cases.gap_power_of_attorney", facts={"place": place})


def _party(step: Step, party: Party, place: int) -> Iterator[Gap]:
    """A defendant's papers may be unknown; a plaintiff's may not."""
    told = {"place": place}
    if not party.name.strip():
        yield Gap(step=step, code="cases.gap_party_name", facts=told)
    if not party.address.strip():
        yield Gap(step=step, code="cases.gap_party_address", facts=told, blocks=party.role == "plaintiff")
    if party.role != "plaintiff":
        return
    if not party.phone.strip() and not party.email.strip():
        yield Gap(step=step, code="cases.gap_party_contact", facts=told)
    if not party.id_type.strip() or not party.id_number.strip():
        yield Gap(step=step, code="cases.gap_party_id", facts=told)
    if party.type == "organisation" and not party.representative.strip():
        yield Gap(step=step, code="cases.gap_party_representative", facts=told)


def _claims(draft: Draft, template: str) -> Iterator[Gap]:
    asked = draft.claims
    if not any(claim.text.strip() for claim in asked.claims):
        yield Gap(step="claims", code="cases.gap_claims")
    sums = [claim.amount_fen for claim in asked.claims if claim.amount_fen is not None]
    if asked.amount_fen is not None and not 0 < asked.amount_fen <= law.fees.MOST:
        yield Gap(step="claims", code="cases.gap_amount")
    elif sums and sum(sums) != (asked.amount_fen or 0):
        yield Gap(step="claims", code="cases.gap_amount_differs", facts={"fen": sum(sums)}, blocks=False)
    if not asked.facts:
        yield Gap(step="claims", code="cases.gap_facts")
    for place, fact in enumerate(asked.facts, 1):
        if not fact.text.strip() or not fact.evidence:
            yield Gap(step="claims", code="cases.gap_fact", facts={"place": place})
    left = {line.id for line in draft.evidence.lines if not line.used}
    for item in sorted({each for fact in asked.facts for each in fact.evidence} & left):
        yield Gap(step="claims", code="cases.gap_fact_left_out", facts={"item": item})
    if template:
        yield from _elements(asked.elements, template)


def _elements(elements: Mapping[str, object], template: str) -> Iterator[Gap]:
    try:
        unmet: Sequence[law.Unmet] = law.template(template).unmet(elements)
    except Refused:  # a matter of a template that there is no more
        return
    for each in unmet:
        facts: dict[str, Told] = {"field": each.field, "zh": each.title.zh, "en": each.title.en}
        yield Gap(step="claims", code="cases.gap_element", facts=facts)


def _confirm(draft: Draft) -> Iterator[Gap]:
    where = draft.confirm.delivery
    if not where.name.strip() or not where.address.strip() or not (where.phone.strip() or where.email.strip()):
        yield Gap(step="confirm", code="cases.gap_delivery")
    if where.electronic and not where.email.strip():
        yield Gap(step="confirm", code="cases.gap_delivery_email")
    if not draft.confirm.declared_by.strip():
        yield Gap(step="confirm", code="cases.gap_declared")


def _profile(draft: Draft) -> Court | None:
    return next((each for each in law.courts() if each.code == draft.court.court), None)


def _placed(gap: Gap, step: str) -> Gap:
    return Gap(step=step, code=gap.code, facts=gap.facts, blocks=gap.blocks)
