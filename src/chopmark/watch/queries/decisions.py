"""Decisions on a hit with their proofs, for everybody who may see the hit: its marketplace and the right's holder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from chopmark.base.errors import Refused
from chopmark.evidence import queries as evidence
from chopmark.evidence.receipt import Receipt
from chopmark.ledger import tree
from chopmark.people.actor import Actor
from chopmark.people.queries import organisation_name
from chopmark.watch import decisions
from chopmark.watch.models import DecisionRecord, DecisionSheet
from chopmark.watch.queries import access
from chopmark.watch.results import levels_of

MAX_PAGE = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided:
    """A decision on a hit.

    Attributes:
        place: of the hit's decisions, from 1.
        record: canonical JSON (`watch.decisions.Record`).
        sheet: number of the sheet that it stands in; empty until there is one, which is at most ten minutes.
        proof, content: `decisions.Proof.encode` and `decisions.Sheet.content`: files for `decisions.check`.
        deposit: of the sheet; None until it is made. `sheet_receipt` gives its receipt.
    """

    place: int
    step: str
    at: datetime
    record: bytes
    sheet: str
    proof: bytes
    content: bytes
    deposit: UUID | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DecidedPage:
    """Some of them, oldest first; `next` asks for more, 0 at the end."""

    number: str
    items: tuple[Decided, ...]
    next: int


def decisions_of(actor: Actor, which: UUID | str, *, after: int = 0, limit: int = MAX_PAGE) -> DecidedPage:
    """The decisions on a hit, oldest first.

    Args:
        after: place of the last one already seen.

    Raises:
        Refused: `watch.hit_not_found`; what people's `must` raises.
        Invalid: `watch.decision_altered` when a record is not the one that its sheet was made of.
    """
    hit = access.hit(actor, which)
    size = min(limit, MAX_PAGE)
    found = list(hit.decisions.filter(place__gt=after).select_related("event").order_by("place")[: size + 1])
    page = found[:size]
    sheets = DecisionSheet.objects.in_bulk({each.sheet_id for each in page if each.sheet_id is not None})
    trees = {pk: levels_of(_leaves(each)) for pk, each in sheets.items()}
    return DecidedPage(
        number=hit.number,
        items=tuple(_decided(each, sheets, trees) for each in page),
        next=page[-1].place if len(found) > size else 0,
    )


def decision_of(actor: Actor, which: UUID | str, place: int) -> Decided:
    """One of them, that is on the ledger.

    Raises:
        Refused: `watch.hit_not_found`, `watch.decision_not_found`, `watch.sheet_unstated` until its sheet is deposited;
            what people's `must` raises.
        Invalid: as `decisions_of`.
    """
    found = [each for each in decisions_of(actor, which, after=place - 1, limit=1).items if each.place == place]
    if not found:
        raise Refused("watch.decision_not_found")
    if found[0].deposit is None:
        raise Refused("watch.sheet_unstated", sheet=found[0].sheet)
    return found[0]


def sheet_receipt(actor: Actor, which: UUID | str, sheet: str) -> Receipt:
    """The receipt of a sheet that a decision on this hit stands in.

    The deposit is the marketplace's own. A holder gets its receipt here: without it nobody could show that the sheet is
    on the ledger. It tells whose deposit it is, and of the sheet nothing but its number and digest.

    Raises:
        Refused: `watch.hit_not_found`, `watch.sheet_not_found`, `watch.sheet_unstated` until it is deposited; what
            people's `must` raises.
        Unavailable: as evidence's `receipt_for`.
    """
    hit = access.hit(actor, which)
    number = sheet.replace("\x00", "").strip().upper()[:24]
    row = DecisionSheet.objects.filter(records__hit=hit, number=number).defer("leaves").first()
    if row is None:
        raise Refused("watch.sheet_not_found")
    if row.deposit is None:
        raise Refused("watch.sheet_unstated", sheet=row.number)
    owner = Actor(
        user_id=None,
        organisation_id=row.organisation,
        organisation_name=organisation_name(row.organisation) or "",
        role="viewer",
    )
    return evidence.receipt_for(owner, row.deposit)


def _decided(
    row: DecisionRecord, sheets: Mapping[int, DecisionSheet], trees: Mapping[int, Sequence[Sequence[bytes]]]
) -> Decided:
    record = bytes(row.body)
    bare = Decided(
        place=row.place, step=row.event.kind, at=row.at, record=record, sheet="", proof=b"", content=b"", deposit=None
    )
    if row.sheet_id is None:
        return bare
    sheet = sheets[row.sheet_id]
    proof = decisions.prove(record, trees[row.sheet_id], sheet.number).encode()
    return replace(bare, sheet=sheet.number, proof=proof, content=bytes(sheet.content), deposit=sheet.deposit)


def _leaves(sheet: DecisionSheet) -> list[bytes]:
    joined = bytes(sheet.leaves)
    return [joined[at : at + tree.HASH_SIZE] for at in range(0, len(joined), tree.HASH_SIZE)]
