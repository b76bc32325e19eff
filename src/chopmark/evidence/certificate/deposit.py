"""The certificate of one deposit: what its receipt proves by the platform's own policy, and nothing else.

Everything printed comes out of the receipt, after the verifier has passed it; the receipt lies in the file.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from chopmark.base.digests import Digests
from chopmark.base.errors import Refused
from chopmark.evidence.certificate import printing
from chopmark.evidence.certificate.glyphs import shown
from chopmark.evidence.certificate.printing import Both, moment, sentence, utc
from chopmark.evidence.deposit import TEXTS
from chopmark.evidence.receipt import Receipt
from chopmark.evidence.verify import Report, Signer, Verdict, verify
from chopmark.ledger.checkpoint import Checkpoint
from chopmark.ledger.note import Note
from chopmark.ledger.policy import Policy
from chopmark.ledger.timestamp import Authority
from chopmark.ledger.tree import leaf_hash

KINDS: dict[str, Both] = {
    "work": {"zh": "作品", "en": "Work"},
    "evidence": {"zh": "证据", "en": "Evidence"},
    "document": {"zh": "文件", "en": "Document"},
}
LABELS: dict[str, Both] = {
    "title": {"zh": "名称", "en": "Title"},
    "author": {"zh": "作者", "en": "Author"},
    "file_name": {"zh": "文件名", "en": "File name"},
    "media_type": {"zh": "媒体类型", "en": "Media type"},
    "size": {"zh": "字节数", "en": "Bytes"},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class DepositFacts:
    """What stands on the certificate of a deposit.

    Attributes:
        number: the platform's short number.
        operator: who runs the platform.
        verify_at: address of the page that verifies.
        issued: when the certificate is printed.
        receipt: what it is about.
        digests: of the file, as the receipt says them.
        words: what the receipt discloses, by name.
        report: the verifier's answer, which passed.
    """

    number: str
    operator: str
    verify_at: str
    issued: datetime
    receipt: Receipt
    digests: Digests
    words: dict[str, str]
    report: Report


def deposit_facts(
    receipt: Receipt,
    *,
    number: str,
    operator: str,
    verify_at: str,
    policy: Policy,
    authorities: Sequence[Authority],
    at: datetime,
) -> DepositFacts:
    """Verify a receipt, and gather what a certificate may say.

    Args:
        receipt: with all disclosures that shall be printed.
        number: the platform's short number of the deposit.
        operator: who runs the platform.
        verify_at: address of the page that verifies, without a fragment.
        policy: whom to trust; the platform's own.
        authorities: whose time stamps are printed.
        at: the moment of issue.

    Raises:
        Refused: `certificate.digest_hidden` when the receipt does not disclose the digest of a private deposit;
            `certificate.unproven` when the verifier does not pass it.
    """
    words = {each.name: each.value for each in receipt.disclosures}
    report = verify(receipt.tlog_proof(), digests=None, policy=policy, at=at, authorities=authorities)
    if report.statement is None:
        raise Refused("certificate.unproven", number=number, causes=_causes(report))
    claim, size = report.statement.claim, words.get("size")
    sha256, sm3 = claim.payload, claim.sm3
    if claim.private:
        disclosed = words.get("digest")
        if not isinstance(disclosed, Mapping):
            raise Refused("certificate.digest_hidden", number=number)
        sha256, sm3 = disclosed["sha-256"], disclosed.get("sm3")
    digests = Digests(sha256=sha256, sm3=sm3, size=size if isinstance(size, int) else 0)
    report = verify(receipt.tlog_proof(), digests=digests, policy=policy, at=at, authorities=authorities)
    if report.verdict != Verdict.PASSED or report.existed_by is None:
        raise Refused("certificate.unproven", number=number, causes=_causes(report))
    return DepositFacts(
        number=number,
        operator=operator,
        verify_at=verify_at,
        issued=at,
        receipt=receipt,
        digests=digests,
        words={name: str(value) for name, value in words.items() if name in {*TEXTS, "size"}},
        report=report,
    )


def deposit_certificate(facts: DepositFacts) -> bytes:
    """PDF/A-4f, unsigned; the same bytes for the same facts."""
    return printing.compiled("deposit", _plain(facts), facts.issued)


def _causes(report: Report) -> list[str]:
    return sorted({each.code for each in report.findings if each.verdict != Verdict.PASSED})


def _plain(facts: DepositFacts) -> dict[str, object]:
    statement, report = facts.report.statement, facts.report
    if statement is None or report.existed_by is None:
        raise ValueError("facts come from deposit_facts, which lets no such report through")
    claim, root = statement.claim, Checkpoint.parse(Note.parse(facts.receipt.checkpoint).text)
    both_digests = (("SHA-256", facts.digests.sha256), ("SM3", facts.digests.sm3))
    sha256 = facts.digests.sha256.hex()
    return {
        "number": facts.number,
        "operator": shown(facts.operator),
        "issued": moment(facts.issued),
        "document": printing.document(
            f"存证证书 Certificate of Deposit {facts.number}", facts.operator, f"SHA-256 {sha256}", facts.issued
        ),
        "sentence": sentence("certificate.deposit", time=utc(report.existed_by)),
        "kind": KINDS.get(claim.kind or "", {"zh": shown(claim.kind or "—"), "en": shown(claim.kind or "—")}),
        "words": [{**LABELS[name], "value": shown(facts.words[name])} for name in LABELS if facts.words.get(name)],
        "digests": [{"zh": name, "en": "", "value": each.hex()} for name, each in both_digests if each is not None],
        "depositor": shown(facts.words.get("depositor", "") or claim.issuer),
        "depositor_note": sentence("certificate.depositor"),
        "signed_by": sentence("certificate.signed_by_platform" if claim.agent else "certificate.signed_by_depositor"),
        "key": statement.kid.hex(),
        "existed_by": moment(report.existed_by),
        "by_whom": shown(report.existed_by_whom or "—"),
        "stated": moment(claim.issued_at or report.existed_by),
        "origin": shown(root.origin),
        "position": f"{facts.receipt.index:,}",
        "size": f"{root.size:,}",
        "leaf": leaf_hash(statement.raw).hex(),
        "root": root.root.hex(),
        "cosigners": [_signer(each) for each in report.signers if each.role == "witness"],
        "nobody": sentence("certificate.no_cosigners"),
        "stamps": [
            {
                "authority": shown(each.authority),
                "run_by": sentence("certificate.stamp_own" if each.own else "certificate.stamp_other"),
                "time": utc(each.time),
            }
            for each in report.stamps
        ],
        "not_proven": [sentence(code) for code in report.not_proven],
        "way": sentence("certificate.deposit_way", name=f"{facts.number}.tlog-proof"),
        "code": printing.code_to_scan(f"{facts.verify_at}#sha256={sha256}"),
        "attachment": {
            "name": f"{facts.number}.tlog-proof",
            "text": facts.receipt.tlog_proof().decode(),
            "description": "回执 Receipt (C2SP tlog-proof)",
        },
    }


def _signer(each: Signer) -> dict[str, str]:
    return {"name": shown(each.whom), "algorithm": each.algorithm, "at": utc(each.at)}
