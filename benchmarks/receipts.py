"""Receipts verified per second: bytes in, report out, with a checkpoint signed by Ed25519 and ML-DSA-44.

`measure()` serves `benchmarks/ledger.py` too. Run: ./run bench receipts [--json]
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

from cwt import COSE, COSEKey

from chopmark.evidence.verify import Verdict, verify

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

from corpus import maker

SECONDS = 1.0
PEER = "cwt, the statement's signature alone"


def measure(seconds: float = SECONDS) -> list[dict[str, object]]:
    """Rates per CPU-second for both forms, each beside `cwt` checking one COSE_Sign1 in the same run."""
    receipt = maker.register(maker.by_depositor(), index=4321, size=5000)
    policy = maker.POLICIES["platform"]
    at = maker.AT + timedelta(days=1)
    key = COSEKey.new({1: 1, 2: maker.OWN.public.thumbprint, 3: -8, -1: 6, -2: maker.OWN.public.x})
    reader = COSE.new()

    def passes(data: bytes) -> Callable[[], None]:
        def once() -> None:
            report = verify(data, digests=maker.DIGESTS, policy=policy, at=at)
            if report.verdict is not Verdict.PASSED:
                raise ValueError(report.findings)

        return once

    peer = _rate(lambda: reader.decode(receipt.statement, key), seconds)
    lines: list[dict[str, object]] = []
    for form, data in (("tlog-proof", receipt.tlog_proof()), ("cose", receipt.transparent_statement())):
        rate = _rate(passes(data), seconds)
        lines.append(
            {
                "name": f"receipts verified ({form}, {len(data)} bytes)",
                "value": round(rate, 1),
                "unit": "1/CPU-s",
                "peer": PEER,
                "peer_value": round(peer, 1),
                "ratio": round(rate / peer, 3),
            }
        )
    return lines


def _rate(once: Callable[[], object], seconds: float) -> float:
    """Calls per CPU-second of this thread."""
    once()
    start, count = time.thread_time(), 0
    while (spent := time.thread_time() - start) < seconds:
        once()
        count += 1
    return count / spent


def main() -> None:
    """Print a table, or one JSON object a line."""
    for line in measure():
        if "--json" in sys.argv[1:]:
            print(json.dumps(line))
        else:
            print("{name:45} {value:>9} {unit}   {ratio} x {peer}".format(**line))


if __name__ == "__main__":
    main()
