"""What a desk checks by itself before a clerk looks: the bundle, and every item that the message names. Pure.

For each item: that the bundle holds exactly the files and the deposits that the message lists; that each deposit number
has the form that the court's profile asks for; that each receipt verifies against the ledger's policy that this desk
holds, and is about a file of the item. The result is for the clerk's eyes and goes back with the event; it decides
nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, BinaryIO

from chopmark.desk.wire import CheckLine, EvidenceLine, Filing, Order, Verdict
from chopmark.evidence.bundle.check import BundleReport, check
from chopmark.evidence.bundle.manifest import Item
from chopmark.evidence.trust import Trust
from chopmark.law import Court

BUNDLE = "bundle"
MOST_CODES = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """The result.

    Attributes:
        lines: the bundle first, then each item of the message in its order.
        report: the bundle's own report, as `BundleReport.as_json`.
    """

    lines: tuple[CheckLine, ...]
    report: Mapping[str, Any]

    @property
    def verdict(self) -> Verdict:
        """The worst of the lines'."""
        return _worst(line.verdict for line in self.lines)


def examine(
    file: BinaryIO, message: Filing | Order, *, trust: Trust | None, profile: Court | None, at: datetime
) -> Checked:
    """Check a bundle against the message that brought it.

    Args:
        file: seekable.
        message: what was filed or ordered.
        trust: whom this desk trusts for bundles of that platform; without it nothing about signers can pass.
        profile: of the court; None at a notary.
        at: the moment of the check.
    """
    report = check(file, trust, at)
    claims = {claim.name: claim for claim in report.claims}
    items = {item.id: item for item in report.manifest.items} if report.manifest is not None else {}
    lines = [_whole(report, message)]
    for line in message.evidence:
        found: list[tuple[Verdict, str]] = _compared(line, items.get(line.id), profile)
        for deposit in items[line.id].deposits if line.id in items else ():
            claim = claims.get(f"receipt:{deposit.receipt}")
            if claim is None:
                found.append(("FAILED", "desk.item_receipt_missing"))
            else:
                found += [(each.verdict.value, each.code) for each in claim.findings]
        lines.append(_line(line.id, found or [("PASSED", "desk.item_good")]))
    return Checked(lines=tuple(lines), report=report.as_json())


def _whole(report: BundleReport, message: Filing | Order) -> CheckLine:
    """The bundle itself: what does not pass in it, or that all does."""
    found: list[tuple[Verdict, str]] = [
        (each.verdict.value, each.code)
        for claim in report.claims
        for each in claim.findings
        if each.verdict.value != "PASSED"
    ]
    if report.manifest is not None and report.manifest.platform.origin != message.origin:
        found.append(("FAILED", "desk.bundle_of_another_log"))
    return _line(BUNDLE, found or [("PASSED", "desk.bundle_good")])


def _compared(line: EvidenceLine, item: Item | None, profile: Court | None) -> list[tuple[Verdict, str]]:
    if item is None:
        return [("FAILED", "desk.item_missing")]
    found: list[tuple[Verdict, str]] = []
    files = {(each.path, each.size, each.sha256) for each in item.files}
    if files != {(each.path, each.size, each.sha256) for each in line.files}:
        found.append(("FAILED", "desk.item_differs"))
    if {(each.number, each.sha256) for each in item.deposits} != {(each.number, each.sha256) for each in line.deposits}:
        found.append(("FAILED", "desk.item_deposits_differ"))
    if not item.deposits:
        found.append(("INDETERMINATE", "desk.item_undeposited"))
    if profile is not None and not all(profile.knows_number(each.number) for each in item.deposits):
        found.append(("INDETERMINATE", "desk.item_number_form"))
    return found


def _line(item: str, found: list[tuple[Verdict, str]]) -> CheckLine:
    """The worst first, each code once."""
    order = ("FAILED", "INDETERMINATE", "PASSED")
    codes = dict.fromkeys(code for _, code in sorted(found, key=lambda each: order.index(each[0])))
    return CheckLine(item=item, verdict=_worst(verdict for verdict, _ in found), codes=tuple(codes)[:MOST_CODES])


def _worst(verdicts: Iterable[Verdict]) -> Verdict:
    there = set(verdicts)
    return "FAILED" if "FAILED" in there else "INDETERMINATE" if "INDETERMINATE" in there else "PASSED"
