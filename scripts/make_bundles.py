"""Write tests/corpus/bundles from tests/corpus/bundle_cases.py: bundles, what readers trust, and manifest.json.

Run: python scripts/make_bundles.py
Keys are made anew, so every run writes other bytes. What is wanted is written by hand in the cases; the whole reports
beside it are this program's, for other verifiers to compare theirs with byte for byte, and the run ends when a report
is not what the case wants.
"""

from __future__ import annotations

import io
import re
import shutil
import sys
from pathlib import Path

from chopmark.base import clock, jcs
from chopmark.evidence.bundle.check import BundleReport, check

ROOT = Path(__file__).resolve().parent.parent
CORPUS = ROOT / "tests" / "corpus" / "bundles"

sys.path.insert(0, str(ROOT / "tests"))

from corpus import bundle_maker  # noqa: E402 (found through the path set above)
from corpus.bundle_cases import Case, every_case  # noqa: E402 (the same)


def wrong(report: BundleReport) -> dict[str, list[str]]:
    """By claim that does not pass, the codes that do not pass."""
    return {
        claim.name: [each.code for each in claim.findings if each.verdict != "PASSED"]
        for claim in report.claims
        if claim.verdict != "PASSED"
    }


def judged(case: Case) -> BundleReport:
    """The report on a case, which is what the case wants."""
    trust = None if case.trust is None else bundle_maker.trusts()[case.trust]
    report = check(io.BytesIO(case.data), trust, case.at)
    if (report.verdict, wrong(report)) != (case.verdict, case.wrong):
        raise ValueError(f"{case.says}: {report.verdict} {wrong(report)}, wanted {case.verdict} {case.wrong}")
    return report


def main() -> None:
    """Write *.asice, *.trust.json and manifest.json."""
    shutil.rmtree(CORPUS, ignore_errors=True)
    CORPUS.mkdir(parents=True)
    for name, trust in bundle_maker.trusts().items():
        (CORPUS / f"{name}.trust.json").write_bytes(trust.encode())
    cases, written = [], 0
    for case in every_case():
        name = f"{re.sub(r'[^a-z0-9]+', '-', case.says.lower()).strip('-')}.asice"
        if (CORPUS / name).exists():
            raise ValueError(f"{name} is made twice")
        (CORPUS / name).write_bytes(case.data)
        written += len(case.data)
        report = judged(case)
        cases.append({
            "desc": case.says,
            "bundle": name,
            "trust": None if case.trust is None else f"{case.trust}.trust.json",
            "at": clock.to_text(case.at),
            "want": {"verdict": case.verdict, "wrong": dict(case.wrong)},
            "report": report.as_json(),
        })  # fmt: skip
    lines = ",\n".join(jcs.encode(each).decode() for each in cases)
    (CORPUS / "manifest.json").write_text(f'{{"about":"docs/bundles.md","cases":[\n{lines}\n]}}\n', "utf-8")
    print(f"{len(cases)} bundles, {written:,} bytes in {CORPUS.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
