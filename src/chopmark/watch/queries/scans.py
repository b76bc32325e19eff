"""Scans, as the organisation that runs the marketplace sees them; and the proof of one of their rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from chopmark.base.errors import Refused
from chopmark.people.actor import Actor
from chopmark.watch import wiring
from chopmark.watch.models import Scan
from chopmark.watch.queries import access

MAX_PAGE = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanSummary:
    """A scan.

    Attributes:
        counted: partitions that the first pass has counted; None where there is none, or nobody knows yet.
        rate: listings a second of the pass that it is in. remaining: seconds of it; None when not known.
        root: over its results; deposit: of the statement that carries it. None until it is over.
        let_go_at: since when there are no files of its results any more; None while there are.
    """

    id: UUID
    number: str
    marketplace: str
    source: str
    runner: str
    marks: str
    rules: str
    state: str
    trouble: str
    facts: Mapping[str, Any]
    made_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    partitions: int
    partitions_done: int
    counted: int | None
    scanned: int
    found: int
    rate: int
    remaining: int | None
    root: bytes | None
    deposit: UUID | None
    let_go_at: datetime | None

    @property
    def counting(self) -> bool:
        """Whether it is in its first pass."""
        return self.state == "running" and self.counted is not None and self.counted < self.partitions


def scans_of(actor: Actor, *, limit: int = MAX_PAGE) -> tuple[ScanSummary, ...]:
    """The actor's organisation's, newest first.

    Raises:
        Refused: what people's `must` raises.
    """
    actor.must("view_hits")
    rows = Scan.objects.filter(organisation=actor.organisation_id).select_related("marketplace")
    return tuple(map(summary_of, rows.order_by("-made_at", "-number")[: min(limit, MAX_PAGE)]))


def scan_of(actor: Actor, which: UUID | str) -> ScanSummary:
    """One of them.

    Raises:
        Refused: `watch.scan_not_found`; what people's `must` raises.
    """
    return summary_of(access.scan(actor, which))


def proof_of(actor: Actor, which: UUID | str, partition: int, row: int) -> tuple[bytes, bytes]:
    """That a row is a result of a scan: the proof, and the statement's bytes, whose digest the scan's deposit has.

    Raises:
        Refused: `watch.scan_not_found`, `watch.scan_unfinished`, `watch.scan_let_go`; what people's `must` raises.
        Invalid: `watch.results_malformed`, `ledger.index_outside`.
    """
    from chopmark.watch.engine import reading  # noqa: PLC0415 (loads what reads Parquet)
    from chopmark.watch.engine.run import TOTAL  # noqa: PLC0415 (the same)

    scan = access.scan(actor, which)
    if scan.root is None:  # before the last partition there is no root that a proof could lead to
        raise Refused("watch.scan_unfinished", done=scan.partitions_done, partitions=scan.partitions)
    must_have_files(scan)
    folder = wiring.folder("scans") / scan.number
    return reading.proof(folder, partition, row).encode(), (folder / TOTAL).read_bytes()


def must_have_files(scan: Scan) -> None:
    """Stop where the files of a scan's results were let go (`actions.letting_go`).

    Raises:
        Refused: `watch.scan_let_go`.
    """
    if scan.let_go_at is not None:
        raise Refused("watch.scan_let_go", number=scan.number, date=f"{scan.let_go_at:%Y-%m-%d}")


def summary_of(row: Scan) -> ScanSummary:
    """The frozen form of a row."""
    return ScanSummary(
        id=row.pk,
        number=row.number,
        marketplace=row.marketplace.name,
        source=row.source,
        runner=row.runner,
        marks=row.marks,
        rules=row.rules,
        state=row.state,
        trouble=row.trouble,
        facts=row.facts,
        made_at=row.made_at,
        started_at=row.started_at,
        ended_at=row.ended_at,
        partitions=row.partitions,
        partitions_done=row.partitions_done,
        counted=row.counted,
        scanned=row.scanned,
        found=row.found,
        rate=row.rate,
        remaining=row.remaining,
        root=bytes(row.root) if row.root is not None else None,
        deposit=row.deposit,
        let_go_at=row.let_go_at,
    )
