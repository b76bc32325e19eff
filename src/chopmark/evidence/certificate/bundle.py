"""The certificate of a bundle: its matter, its evidence with digests and times, and what is not proven.

Printed before the bundle is put together, so it names the digest of the content and not that of the bundle; the
content itself lies in the file, as canonical JSON.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any

from chopmark.base import jcs
from chopmark.evidence.bundle.manifest import DepositRef, Item, Manifest, Text
from chopmark.evidence.certificate import printing
from chopmark.evidence.certificate.glyphs import shown
from chopmark.evidence.certificate.printing import Both, moment, sentence, utc

MOST_FILES = 400  # listed by name; a certificate of a bundle of thousands is not read, its attachment is complete

NOT_PROVEN = (
    "certificate.unproven_truth",
    "certificate.unproven_before",
    "verify.unproven_infringement",
    "verify.unproven_depositor",
    "verify.unproven_nothing_older",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiptFacts:
    """What a receipt in the bundle proves, as the verifier found.

    Attributes:
        path: of the receipt in the bundle.
        existed_by: when the quorum sufficed; None when the verifier could not tell.
        by_whom: who states it; empty without a time.
    """

    path: str
    existed_by: datetime | None
    by_whom: str = ""


def bundle_certificate(manifest: Manifest, receipts: Sequence[ReceiptFacts], *, verify_at: str) -> bytes:
    """PDF/A-4f, unsigned; the same bytes for the same arguments.

    Args:
        manifest: of the bundle; its documents are not looked at, since the certificate is one of them.
        receipts: what the verifier found of those that the items name.
        verify_at: address of the page that verifies, without a fragment.
    """
    return printing.compiled("bundle", _plain(manifest, receipts, verify_at), manifest.created)


def content(manifest: Manifest) -> bytes:
    """The canonical JSON whose SHA-256 is the manifest's `content_sha256`."""
    data = jcs.encode(
        {
            "matter": manifest.matter.as_json(),
            "depositor": manifest.depositor.as_json(),
            "items": [each.as_json() for each in manifest.items],
            "custody": manifest.custody.as_json(),
            "redactions": [each.as_json() for each in manifest.redactions],
        }
    )
    if sha256(data).digest() != manifest.content_sha256:
        raise AssertionError("the manifest computes its digest over something else")
    return data


def _plain(manifest: Manifest, receipts: Sequence[ReceiptFacts], verify_at: str) -> dict[str, object]:
    by_path = {each.path: each for each in receipts}
    digest, number = manifest.content_sha256.hex(), manifest.bundle
    operator = manifest.platform.operator
    return {
        "number": number,
        "operator": shown(operator),
        "independence": _both(manifest.platform.independence),
        "issued": moment(manifest.created),
        "created": moment(manifest.created),
        "document": printing.document(
            f"证据包证书 Certificate of an Evidence Bundle {number}", operator, f"SHA-256 {digest}", manifest.created
        ),
        "sentence": sentence("certificate.bundle", number=number),
        "matter": {
            "number": shown(manifest.matter.id),
            "title": _both(manifest.matter.title),
            "jurisdiction": shown(
                " · ".join(filter(None, [manifest.matter.jurisdiction, manifest.matter.court_profile]))
            ),
        },
        "depositor": {"name": shown(manifest.depositor.name), "agent": shown(manifest.depositor.agent or "")},
        "content": digest,
        "custody": {"entries": manifest.custody.entries, "head": manifest.custody.head.hex()},
        "items": _items(manifest.items, by_path),
        "more": _more(manifest),
        "redactions": [
            {"path": shown(each.path), "original": each.original_sha256.hex(), "reason": shown(each.reason)}
            for each in manifest.redactions[:MOST_FILES]
        ],
        "not_proven": [sentence(code) for code in NOT_PROVEN],
        "way": sentence("certificate.bundle_way"),
        "code": printing.code_to_scan(f"{verify_at}#content={digest}"),
        "attachment": {
            "name": f"{number}.content.json",
            "text": content(manifest).decode(),
            "description": "案卷内容 The content whose digest is certified (JSON, RFC 8785)",
        },
    }


def _items(items: Sequence[Item], receipts: Mapping[str, ReceiptFacts]) -> list[dict[str, Any]]:
    listed, left = [], MOST_FILES
    for item in items[:MOST_FILES]:
        listed.append(
            {
                "id": item.id,
                "title": _both(item.title),
                "purpose": _both(item.purpose),
                "times": [
                    {"number": shown(each.number), "sentence": _time(each, receipts)} for each in item.deposits[:left]
                ],
                "files": [
                    {"path": shown(each.path), "bytes": f"{each.size:,}", "sha256": each.sha256.hex()}
                    for each in item.files[:left]
                ],
            }
        )
        left = max(0, left - len(item.files))
    return listed


def _more(manifest: Manifest) -> Both | None:
    files = sum(len(each.files) for each in manifest.items)
    return sentence("certificate.more_files", count=files - MOST_FILES) if files > MOST_FILES else None


def _time(deposit: DepositRef, receipts: Mapping[str, ReceiptFacts]) -> Both:
    found = receipts.get(deposit.receipt)
    if found is None or found.existed_by is None:
        return sentence("certificate.not_yet")
    return sentence("certificate.existed_by", time=utc(found.existed_by), by_whom=found.by_whom)


def _both(text: Text) -> Both:
    return {"zh": shown(text.zh), "en": shown(text.en)}
