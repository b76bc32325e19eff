"""What a version of a rule would have flagged in what scans have kept: asked before it is let into its shadow."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from chopmark.base.errors import Refused
from chopmark.people.actor import Actor
from chopmark.watch import listing as listings
from chopmark.watch import wiring
from chopmark.watch.models import RuleVersion, Scan
from chopmark.watch.queries import access
from chopmark.watch.queries.rules import rule_at, rules_in
from chopmark.watch.queries.scans import must_have_files

SHOWN = 20
MAX_SCANS = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A listing with a right that the version would flag."""

    marketplace: str
    item: str
    seller: str
    title: str
    right: str
    licensed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """A back-test.

    Attributes:
        scans: numbers of the scans whose results were asked, each marketplace's newest.
        left_out: numbers of those that would have been, had their files not been let go.
        rows: candidates in them; flagged, licensed, alone, added, removed: see `rules.backtest.Counted`.
        against: the version in force that it was compared with, a trial too; None where it is itself that one or none
            is.
        sample: some of those that it adds, drawn at random.
    """

    seq: int
    against: int | None
    scans: tuple[str, ...]
    left_out: tuple[str, ...]
    rows: int
    flagged: int
    licensed: int
    alone: int
    added: int
    removed: int
    sample: tuple[Row, ...]


def try_rule(actor: Actor, name: str, seq: int, *, at: datetime) -> Tried:
    """Run a version over the newest results of each marketplace.

    Args:
        at: rules that have expired by then do not count as others.

    Raises:
        Refused: `watch.rule_not_found`, `watch.history_empty` while no scan is over, `watch.scan_let_go` when the files
            of all of them were; what people's `must` raises.
        Invalid: `watch.backtest_unreadable`.
    """
    from chopmark.watch.rules.backtest import backtest, sample  # noqa: PLC0415 (loads a database engine)

    row = access.rule(actor, name, "manage_rules")
    if not RuleVersion.objects.filter(rule=row, seq=seq).exists():
        raise Refused("watch.rule_not_found")
    rule = rule_at(row, seq)
    compared = row.state in ("live", "shadow") and row.version != seq
    before = rule_at(row) if compared else None
    newest = _newest(actor)
    kept = [each for each in newest if each.let_go_at is None]
    if newest and not kept:
        must_have_files(newest[0])
    files = [str(each) for scan in kept for each in _results(scan.number)]
    if not files:
        raise Refused("watch.history_empty")
    live = rules_in(row.organisation).in_state("live", on=at.date())
    others = [each for each in live if each.id != rule.id]
    counted = backtest(files, [rule, *others], before={rule.id: before} if before else None, threads=1)[0]
    return Tried(
        seq=seq,
        against=row.version if compared else None,
        scans=tuple(each.number for each in kept),
        left_out=tuple(each.number for each in newest if each.let_go_at is not None),
        rows=counted.rows,
        flagged=counted.flagged,
        licensed=counted.licensed,
        alone=counted.alone,
        added=counted.added,
        removed=counted.removed,
        sample=tuple(_row(each) for each in sample(files, rule, before=before, limit=SHOWN)),
    )


def _newest(actor: Actor) -> list[Scan]:
    """The newest scan of each marketplace that came to its end."""
    rows = Scan.objects.filter(organisation=actor.organisation_id, state="done").order_by("-ended_at", "-number")
    newest: dict[object, Scan] = {}
    for each in rows[:1000]:
        newest.setdefault(each.marketplace_id, each)
    return list(newest.values())[:MAX_SCANS]


def _results(number: str) -> list[Path]:
    return sorted((wiring.folder("scans") / number / "results").glob("part-*.parquet"))


def _row(said: dict[str, object]) -> Row:
    body = said["listing"]
    listing = listings.decode(body if isinstance(body, bytes) else b"")
    return Row(
        marketplace=listing.marketplace,
        item=listing.item,
        seller=listing.seller,
        title=listing.title,
        right=str(said["right"]),
        licensed=said["licensed"] is True,
    )
