"""`chopmark verify`: check a file against its receipt, without network, database or web framework."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter
from rich.table import Table
from rich.text import Text

from chopmark.base import clock
from chopmark.base.errors import Invalid, Refused
from chopmark.cli import files
from chopmark.cli.output import PLAIN, Common, out, print_json
from chopmark.cli.source import find_policy
from chopmark.cli.status import DONE, FAILED, UNCERTAIN
from chopmark.cli.words import text
from chopmark.evidence.receipt import read_receipt
from chopmark.evidence.verify import Finding, Report, Verdict
from chopmark.evidence.verify import verify as judge

STATUS = {Verdict.PASSED: DONE, Verdict.FAILED: FAILED, Verdict.INDETERMINATE: UNCERTAIN}
COLOURS = {Verdict.PASSED: "green", Verdict.FAILED: "red", Verdict.INDETERMINATE: "yellow"}


def verify(
    file: Annotated[Path, Parameter(help=text("cli.verify.file"))],
    /,
    *,
    receipt: Annotated[Path | None, Parameter(help=text("cli.verify.receipt"))] = None,
    policy: Annotated[Path | None, Parameter(help=text("cli.option.policy"))] = None,
    common: Common = PLAIN,
) -> int:
    """Check a file against its receipt and say what is proven, by whom, and what is not."""
    if not file.is_file():
        raise Invalid("cli.file_unreadable", path=str(file), reason=text("cli.no_such_file"))
    found = receipt or _beside(file)
    data = files.read(found, files.RECEIPT_LIMIT)
    trusted = find_policy(policy)
    report = judge(data, digests=files.digests(file, common, sm3=_names_sm3(data)), policy=trusted, at=clock.now())
    if common.json:
        print_json(_as_json(report, file, found))
    else:
        _show(report, file, found)
    return STATUS[report.verdict]


def _beside(file: Path) -> Path:
    for ending in (files.PROOF, files.COSE):
        if (path := files.beside(file, ending)).is_file():
            return path
    raise Refused("cli.receipt_missing", path=str(files.beside(file, files.PROOF)))


def _names_sm3(data: bytes) -> bool:
    """Whether the receipt's statement has an SM3 digest; a malformed receipt is the verifier's to judge."""
    try:
        read = read_receipt(data)
    except Invalid:
        return False
    disclosed = any(isinstance(each.value, dict) and "sm3" in each.value for each in read.disclosures)
    return read.statement.claim.sm3 is not None or disclosed


def _as_json(report: Report, file: Path, receipt: Path) -> dict[str, Any]:
    """The report, with each code's sentence beside it."""
    document = report.as_json()
    for shown, finding in zip(document["findings"], report.findings, strict=True):
        shown["message"] = text(finding.code, **finding.facts)
    return {"file": str(file), "receipt": str(receipt), **document}


def _show(report: Report, file: Path, receipt: Path) -> None:
    """The report for a person: verdict first, then reasons, then limits."""
    page = out()
    page.print(
        Text(f"{report.verdict} · {text('cli.verdict.' + report.verdict.value.lower())}", COLOURS[report.verdict])
    )
    facts = Table(show_header=False, box=None, pad_edge=False)
    facts.add_column(style="bold", no_wrap=True)
    facts.add_column(overflow="fold")
    for label, value in _facts(report, file, receipt):
        facts.add_row(text(f"cli.verify.{label}"), value)
    page.print(facts)
    page.print()
    page.print(text("cli.verify.checks"), style="bold")
    for finding in report.findings:
        page.print(_line(finding))
    page.print()
    page.print(text("cli.verify.not_proven"), style="bold")
    for code in report.not_proven:
        page.print(f"  – {text(code)}")


def _line(finding: Finding) -> Text:
    marks = {Verdict.PASSED: "✓", Verdict.FAILED: "✗", Verdict.INDETERMINATE: "?"}
    line = Text(f"  {marks[finding.verdict]} ", COLOURS[finding.verdict])
    return line.append(text(finding.code, **finding.facts), "" if finding.verdict is Verdict.PASSED else "bold")


def _facts(report: Report, file: Path, receipt: Path) -> list[tuple[str, str]]:
    rows = [("shown_file", str(file)), ("shown_receipt", str(receipt))]
    if report.existed_by is not None:
        rows.append(("existed_by", f"{clock.to_text(report.existed_by)} ({report.existed_by_whom})"))
    if report.statement is not None:
        claim = report.statement.claim
        rows.append(("issuer", claim.issuer))
        if claim.issued_at is not None:
            rows.append(("issued_at", clock.to_text(claim.issued_at)))
    if report.index is not None:
        rows.append(("position", f"{report.index} / {report.size}" if report.size is not None else str(report.index)))
    for signer in report.signers:
        at = clock.to_text(signer.at) if signer.at else ""
        rows.append(("signer", " ".join(filter(None, [signer.name, signer.algorithm, at]))))
    return rows
