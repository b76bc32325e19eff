"""The filing package: everything a person hands in at a court that has no interface, as one ZIP file.

    README.txt                what to do, step by step, zh and en
    checklist.txt             what the court asks for, each with where it is
    filing.json               the filing as a desk would get it
    complaint.txt             parties, claims, facts: to be pasted into the court's form
    evidence-list.csv         the list of evidence with purpose, digests and deposit numbers
    <number>.asice            the bundle

Names and dates in the file are constants but for the bundle's number: the same filing gives the same bytes.
"""

from __future__ import annotations

import csv
import io
import shutil
import zipfile
from typing import BinaryIO

from chopmark import law
from chopmark.desk import codec
from chopmark.desk.wire import Filing, Party

WRITTEN = (1980, 1, 1, 0, 0, 0)
_FORMULA = ("=", "+", "-", "@", "＝", "＋", "－", "＠")
_LABELS = {"plaintiff": "原告 Plaintiff", "defendant": "被告 Defendant", "third_party": "第三人 Third party"}


def write_package(out: BinaryIO, message: Filing, bundle: BinaryIO) -> None:
    """Write the package of a filing.

    Args:
        out: seekable; gets the ZIP file.
        message: what was filed.
        bundle: the bundle's bytes from their start.
    """
    court = law.court(message.court)
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED, allowZip64=True) as package:
        for name, text in (
            ("README.txt", _readme(message, court)),
            ("checklist.txt", _checklist(court)),
            ("complaint.txt", _complaint(message, court)),
            ("evidence-list.csv", _evidence(message)),
        ):
            package.writestr(_entry(name), text.encode())
        package.writestr(_entry("filing.json"), codec.canonical(message))
        with package.open(_entry(f"{message.bundle.number}.asice"), "w", force_zip64=True) as entry:
            shutil.copyfileobj(bundle, entry, 1 << 20)


def _entry(name: str) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name, WRITTEN)
    entry.external_attr = 0o644 << 16
    return entry


def _readme(message: Filing, court: law.Court) -> str:
    digest = message.bundle.sha256.hex()
    address = court.address or "-"
    return "\n".join(
        (
            f"{message.number}  {court.title.zh} / {court.title.en}",
            "",
            "1. 打开法院的网上立案页面，登录并选择案由。",
            f"   Open the court's filing page, sign in, choose the cause of action: {address}",
            "2. 按 complaint.txt 填写当事人、诉讼请求、事实与理由。",
            "   Fill in parties, claims, facts and reasons from complaint.txt.",
            f"3. 上传 {message.bundle.number}.asice 与 evidence-list.csv；在证据项中填写存证编号。",
            f"   Hand in {message.bundle.number}.asice and evidence-list.csv; give the deposit number of each item.",
            f"   SHA-256 {digest}",
            "4. 逐项核对 checklist.txt。",
            "   Go through checklist.txt.",
            "5. 把法院给出的回执号填回平台。",
            "   Type the receipt number that the court gives you into the platform.",
            "",
            *(f"{note.zh}\n{note.en}" for note in court.notes),
            "",
        )
    )


def _checklist(court: law.Court) -> str:
    words = {"published": "公开文本 published", "unverified": "未核实 unverified", "simulated": "模拟 simulated"}
    lines = [
        f"[ ] {each.title.zh} / {each.title.en} ({each.source}; {words[each.standing]})" for each in court.required
    ]
    return "\n".join([f"{court.title.zh} / {court.title.en}", "", *lines, ""])


def _complaint(message: Filing, court: law.Court) -> str:
    cause = court.cause(message.cause).title
    lines = [f"{court.title.zh} / {court.title.en}", f"案由 Cause: {cause.zh} / {cause.en}", ""]
    for place, party in enumerate(message.parties, 1):
        lines += [f"{place}. {_LABELS[party.role]}", *_party(party), ""]
    for agent in message.agents:
        acts_for = ", ".join(map(str, agent.parties))
        lines += [f"代理人 Agent: {agent.name} {agent.organisation} ({acts_for}) {agent.power_of_attorney}", ""]
    lines.append("诉讼请求 Claims")
    lines += [f"{place}. {claim.text}{_yuan(claim.amount_fen)}" for place, claim in enumerate(message.claims, 1)]
    lines += [f"总额 Total{_yuan(message.amount_fen)}", "", "事实与理由 Facts and reasons"]
    lines += [f"{place}. {fact.text} [{', '.join(fact.evidence)}]" for place, fact in enumerate(message.facts, 1)]
    where = message.delivery
    lines += ["", f"送达 Service: {where.name}, {where.address}, {where.phone} {where.email}", ""]
    return "\n".join(lines)


def _party(party: Party) -> list[str]:
    told = [party.name, party.representative, f"{party.id_type} {party.id_number}", party.address, party.phone]
    return [f"   {text.strip()}" for text in [*told, party.email] if text.strip()]


def _yuan(fen: int | None) -> str:
    return "" if fen is None else f" ¥{fen // 100}.{fen % 100:02d}"


def _evidence(message: Filing) -> str:
    """With a byte order mark, so that spreadsheets read it as UTF-8; no cell can begin a formula."""
    out = io.StringIO()
    table = csv.writer(out, lineterminator="\r\n")
    table.writerow(
        ["编号 No.", "名称 Title", "种类 Kind", "证明目的 Purpose", "来源 Source", "存证编号 Deposits", "SHA-256"]
    )
    for line in message.evidence:
        deposits = " ".join(each.number for each in line.deposits)
        digests = " ".join(each.sha256.hex() for each in line.files)
        cells = [line.id, line.title, line.kind, line.purpose, line.source, deposits, digests]
        table.writerow([f"'{cell}" if cell.lstrip().startswith(_FORMULA) else cell for cell in cells])
    return "\ufeff" + out.getvalue()
