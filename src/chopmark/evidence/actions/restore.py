"""Restoring the database side of the log from its files, after these were rebuilt and proven (`member.restore`).

For a database that was brought back from an older backup, or is new: positions, search keys, the checkpoint, deposits
that waited for an entry which has long been published, and what of governance the files and papers still tell.
Who deposited what stands in no ledger and is not brought back.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import datetime
from uuid import UUID

from django.db import transaction

from chopmark.base.errors import Invalid, PlatformError
from chopmark.evidence import wiring
from chopmark.evidence.actions.force import take_force
from chopmark.evidence.actions.settle import settle
from chopmark.evidence.governance import MEMBERS, card_in
from chopmark.evidence.models import Founding, Governance
from chopmark.ledger.governance import TYPES
from chopmark.ledger.keys import VerifierKey
from chopmark.ledger.statement import PublicKey, Statement, search_keys
from chopmark.ledger.stores import Entry, Published
from chopmark.ledger.tiles import TILE_WIDTH, TileReader
from chopmark.ledger.tree import leaf_hash

AT_ONCE = 8 * TILE_WIDTH


@wiring.answering()
def adopt_log(published: Published) -> int:
    """Settle what the home's files have under a checkpoint and its database has not; how many entries.

    Everything in one transaction: broken off, nothing has happened.

    Raises:
        Invalid: `ledger.heads_differ`; what `Statement.parse` raises.
        Unavailable: `ledger.database_unavailable`.
    """
    latest = wiring.book().latest()
    settled = latest.size if latest else 0
    if settled >= published.size:
        return 0
    tiles = TileReader(wiring.objects().get, published.size)
    with transaction.atomic(savepoint=False):
        wiring.book(on_settled=_on_settled).adopt(_batches(tiles, settled), published)
        # In which checkpoint each was published is not known any more: at the latest in this one.
        Governance.objects.filter(position__gte=settled).update(published_in=published.size)
    take_force()
    return published.size - settled


def _batches(tiles: TileReader, first: int) -> Iterator[list[Entry]]:
    for start in range(first, tiles.size, AT_ONCE):
        raws = [tiles.entry(position) for position in range(start, min(start + AT_ONCE, tiles.size))]
        yield [Entry.of(raw, search_keys(Statement.parse(raw))) for raw in raws]


def _on_settled(first: int, entries: Sequence[Entry], at: datetime) -> None:
    signers = _Signers()
    for entry in entries:
        statement = Statement.parse(entry.statement)
        if statement.claim.issuer in (wiring.intake_issuer(), wiring.governance_issuer()):
            _remember(statement, signers, at)
    settle(first, entries, at)


class _Signers:
    """The platform's own keys, by thumbprint, as far as this home has them."""

    def __init__(self) -> None:
        own = [wiring.intake_key().public]
        self._known = {key.thumbprint: key for key in own}

    def key(self, kid: bytes) -> PublicKey | None:
        if kid not in self._known:
            try:
                self._known[kid] = PublicKey.from_cose(wiring.paper(kid))
            except PlatformError:  # a key whose paper is lost: its statements stand on the ledger all the same
                return None
        return self._known[kid]


def _remember(statement: Statement, signers: _Signers, at: datetime) -> None:
    """Make the row anew that says what this statement of the platform is, unless it is there."""
    claim, key = statement.claim, signers.key(statement.kid)
    if key is None:
        return
    try:
        statement.verify(key)
    except Invalid:
        return
    common = {
        "leaf": leaf_hash(statement.raw),
        "statement": statement.raw,
        "issuer_key": key.to_cose(),
        "made_at": claim.issued_at or at,
    }
    founding = _founding(statement)
    if founding is not None:
        Founding.objects.get_or_create(name=founding, defaults=common)
    elif claim.kind in TYPES or claim.subject == wiring.governance_issuer():
        leaf = common.pop("leaf")
        named = {"kind": claim.kind, "name": _name(claim.kind or "", claim.payload), "sha256": claim.payload}
        Governance.objects.get_or_create(leaf=leaf, defaults={**common, **named})


def _founding(statement: Statement) -> str | None:
    claim = statement.claim
    match claim.kind:
        case "policy":
            return f"policy {claim.payload.hex()}"
        case "key" | "key_retired" if claim.payload == statement.kid:
            return f"{claim.kind} {claim.payload.hex()}"
        case "key" | "key_retired" if claim.subject != wiring.governance_issuer():
            try:
                organisation = UUID(claim.subject.rpartition("/")[2])
            except ValueError:
                return None
            return f"{claim.kind} {claim.payload.hex()} {organisation}"
    return None


def _name(kind: str, digest: bytes) -> str:
    """What a paper is about, read from the paper; empty when that is lost."""
    if kind == "key":
        return "governance"
    try:
        paper = wiring.paper(digest)
        if kind in MEMBERS:
            card = card_in(kind, paper)
            return card.name if card is not None else _retired(paper)
        if kind in ("log_key", "log_key_retired"):
            key = VerifierKey.parse(paper.decode().strip())
            return f"{key.name}+{key.key_id.hex()}"
        return wiring.origin() if kind == "log_key_rotation" else ""
    except (PlatformError, UnicodeDecodeError):
        return ""


def _retired(paper: bytes) -> str:
    return str(json.loads(paper)["member"])
