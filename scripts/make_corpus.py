"""Write tests/corpus from tests/corpus/cases.py: receipts, policies, the file they are about, and manifest.json.

Run: python scripts/make_corpus.py [--keep]
ML-DSA and ES256 signatures are randomised, so every run writes other bytes; with --keep only receipts that are not
there yet are written.
"""

from __future__ import annotations

import json
import re
import shutil
import sys
from pathlib import Path

from chopmark.base import clock
from chopmark.ledger.policy import policy_text

ROOT = Path(__file__).resolve().parent.parent
CORPUS = ROOT / "tests" / "corpus"

sys.path.insert(0, str(ROOT / "tests"))

from corpus import maker  # noqa: E402 (found through the path set above)
from corpus.cases import every_case  # noqa: E402 (the same)


def main() -> None:
    """Write receipts/, policies/, lantern.txt and manifest.json."""
    kept = {path.name: path.read_bytes() for path in (CORPUS / "receipts").glob("*") if "--keep" in sys.argv}
    for folder in ("receipts", "policies"):
        shutil.rmtree(CORPUS / folder, ignore_errors=True)
        (CORPUS / folder).mkdir(parents=True)
    (CORPUS / "lantern.txt").write_bytes(maker.FILE)
    for name, policy in maker.POLICIES.items():
        (CORPUS / "policies" / f"{name}.policy").write_text(policy_text(policy), "utf-8")
    cases = []
    for case in every_case():
        slug = re.sub(r"[^a-z0-9]+", "-", case.says.lower()).strip("-")
        path = f"receipts/{slug}.{case.form}"
        if (CORPUS / path).exists():
            raise ValueError(f"{path} is made twice")
        (CORPUS / path).write_bytes(kept.get(path.removeprefix("receipts/"), case.receipt))
        cases.append({
            "desc": case.says,
            "receipt": path,
            "policy": None if case.policy is None else f"policies/{case.policy}.policy",
            "digests": None if case.digests is None else {
                "sha-256": case.digests.sha256.hex(),
                "sm3": None if case.digests.sm3 is None else case.digests.sm3.hex(),
                "size": case.digests.size,
            },
            "at": clock.to_text(case.at),
            "want": {
                "verdict": case.verdict,
                "codes": case.codes,
                "existed_by": None if case.existed_by is None else clock.to_text(case.existed_by),
                "existed_by_whom": case.whom,
            },
        })  # fmt: skip
    manifest = {"about": "docs/receipts.md", "file": "lantern.txt", "cases": cases}
    (CORPUS / "manifest.json").write_text(json.dumps(manifest, indent=1, ensure_ascii=False) + "\n", "utf-8")
    print(f"{len(cases)} receipts in {CORPUS.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
