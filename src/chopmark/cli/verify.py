"""`chopmark verify`: check a file against its receipt, or a bundle; without network, database or web framework."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter
from rich.table import Table
from rich.text import Text

from chopmark.base import clock
from chopmark.base.errors import Invalid, Refused
from chopmark.cli import files
from chopmark.cli.output import PLAIN, Common, out, print_json, say
from chopmark.cli.policies import policy_for
from chopmark.cli.status import DONE, FAILED, UNCERTAIN
from chopmark.cli.words import text
from chopmark.evidence.bundle.container import MIMETYPE, MIMETYPE_NAME
from chopmark.evidence.receipt import (
    COMPACT,
    EVM,
    OPENTIMESTAMPS,
    OWN_AUTHORITY,
    POST_QUANTUM,
    RFC3161,
    read_receipt,
)
from chopmark.evidence.verify import Finding, Report, Verdict
from chopmark.evidence.verify import verify as judge

if TYPE_CHECKING:
    from chopmark.ledger.timestamp import Authority

PEM_LIMIT = 1 << 20  # bytes
TOKEN_ENDINGS = {RFC3161: ".tst", OPENTIMESTAMPS: ".ots", EVM: ".evm"}
STATUS = {Verdict.PASSED: DONE, Verdict.FAILED: FAILED, Verdict.INDETERMINATE: UNCERTAIN}
COLOURS = {Verdict.PASSED: "green", Verdict.FAILED: "red", Verdict.INDETERMINATE: "yellow"}


def verify(
    file: Annotated[Path, Parameter(help=text("cli.verify.file"))],
    /,
    *,
    receipt: Annotated[Path | None, Parameter(help=text("cli.verify.receipt"))] = None,
    policy: Annotated[Path | None, Parameter(help=text("cli.verify.policy"))] = None,
    authority: Annotated[tuple[Path, ...], Parameter(negative="", help=text("cli.verify.authority"))] = (),
    anchors: Annotated[Path | None, Parameter(help=text("cli.verify.anchors"))] = None,
    trust: Annotated[Path | None, Parameter(help=text("cli.verify.trust"))] = None,
    common: Common = PLAIN,
) -> int:
    """Check a bundle, or a file against its receipt, and say what is proven, by whom, and what is not."""
    if not file.is_file():
        raise Invalid("cli.file_unreadable", path=str(file), reason=text("cli.no_such_file"))
    if receipt is None and _is_bundle(file):
        from chopmark.cli import bundle  # noqa: PLC0415 (certificates take time to load)

        if policy is not None or authority or anchors is not None:
            raise Refused("cli.bundle_options")
        return bundle.judge(file, trust, common)
    found = receipt or _beside(file)
    data = files.read(found, files.RECEIPT_LIMIT)
    trusted, place = policy_for(data, policy)
    report = judge(
        data,
        digests=files.digests(file, common, sm3=_names_sm3(data)),
        policy=trusted,
        at=clock.now(),
        authorities=_authorities(authority),
    )
    around = _Around(file=file, receipt=found, policy=place)
    if common.json:
        print_json(_as_json(report, around))
    else:
        _show(report, around)
    for line in [] if anchors is None else _write_anchors(data, anchors):
        say("cli.verify.anchor_written", common, line=line)
    return STATUS[report.verdict]


def _is_bundle(path: Path) -> bool:
    """Whether a file calls itself a bundle, by its name or its first bytes."""
    if path.name.lower().endswith(".asice"):
        return True
    head = 30 + len(MIMETYPE_NAME) + len(MIMETYPE)
    with path.open("rb") as file:
        return file.read(head)[30:] == MIMETYPE_NAME.encode() + MIMETYPE


@dataclass(frozen=True, slots=True, kw_only=True)
class _Around:
    """The files that a report is about; `policy` is None when there was none."""

    file: Path
    receipt: Path
    policy: Path | None


def _authorities(places: tuple[Path, ...]) -> list[Authority]:
    """Each file is one authority called by the file's name; of a folder, each file in it that ends in `.pem`."""
    if not places:
        return []
    from chopmark.ledger.timestamp import authority_from_pem  # noqa: PLC0415 (certificates take time to load)

    named = [path for place in places for path in (sorted(place.glob("*.pem")) if place.is_dir() else [place])]
    return [
        authority_from_pem(path.stem, files.read(path, PEM_LIMIT), own=path.stem == OWN_AUTHORITY) for path in named
    ]


def _write_anchors(data: bytes, folder: Path) -> list[str]:
    """Each anchor as two files, the stamped text and the token; the commands of other tools that check them.

    Raises:
        Refused: `cli.file_differs`.
        Invalid: `cli.file_unwritable`, and what `read_receipt` raises.
    """
    commands = []
    for number, each in enumerate(read_receipt(data).anchors, start=1):
        stamped = folder / f"anchor-{number}.txt"
        token = folder / f"anchor-{number}.txt{TOKEN_ENDINGS[each.kind]}"
        files.write(stamped, each.text, force=False)
        files.write(token, each.token, force=False)
        if each.kind == RFC3161:
            told = f"openssl ts -verify -token_in -in {shlex.quote(str(token))} -data {shlex.quote(str(stamped))}"
            commands.append(f"{told} -CAfile AUTHORITY.pem")
        elif each.kind == OPENTIMESTAMPS:
            commands.append(f"ots verify {shlex.quote(str(token))}")
        else:
            commands.append(str(token))
    return commands


def _beside(file: Path) -> Path:
    for said in ("", f".{COMPACT}", f".{POST_QUANTUM}"):
        for ending in (files.PROOF, files.COSE):
            if (path := files.beside(file, said + ending)).is_file():
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


def _as_json(report: Report, around: _Around) -> dict[str, Any]:
    """The report, with each code's sentence beside it."""
    document = report.as_json()
    for shown, finding in zip(document["findings"], report.findings, strict=True):
        shown["message"] = text(finding.code, **finding.facts)
    policy = None if around.policy is None else str(around.policy)
    return {"file": str(around.file), "receipt": str(around.receipt), "trusted": policy, **document}


def _show(report: Report, around: _Around) -> None:
    """The report for a person: verdict first, then reasons, then limits."""
    page = out()
    page.print(
        Text(f"{report.verdict} · {text('cli.verdict.' + report.verdict.value.lower())}", COLOURS[report.verdict])
    )
    facts = Table(show_header=False, box=None, pad_edge=False)
    facts.add_column(style="bold", no_wrap=True)
    facts.add_column(overflow="fold")
    for label, value in _facts(report, around):
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


def _facts(report: Report, around: _Around) -> list[tuple[str, str]]:
    rows = [("shown_file", str(around.file)), ("shown_receipt", str(around.receipt))]
    if around.policy is not None:
        rows.append(("shown_policy", str(around.policy)))
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
        key = f"({signer.name})" if signer.whom != signer.name else ""
        rows.append(("signer", " ".join(filter(None, [signer.whom, key, signer.algorithm, at]))))
    for stamp in report.stamps:
        by = text("cli.verify.stamp_own", authority=stamp.authority) if stamp.own else stamp.authority
        rows.append(("stamp", f"{clock.to_text(stamp.time)} ({by})"))
    return rows
