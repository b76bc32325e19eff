"""Captures per minute and core, of the demo shop's page on this machine, one after the other.

The peer is the same browser taking nothing but a screenshot of the same page by its own command line: what a capture
adds (archive, recording, printing, second tool, two looks around) is the distance between both.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

from world.shop import Shop

from chopmark.evidence.capture.engine import capture
from chopmark.evidence.capture.request import Request, Station

CAPTURES = 3


def captures_per_minute_and_core() -> list[dict[str, Any]]:
    """Two lines: captures a minute of processor time (children included), and a minute on the clock."""
    with Shop() as shop, tempfile.TemporaryDirectory() as folder:
        station = Station(allow=frozenset({shop.door}))
        before, started = _processor(), time.monotonic()
        for number in range(CAPTURES):
            made = capture(Request(url=shop.url + "/"), Path(folder) / str(number), station=station)
            if not made.complete:
                raise RuntimeError(f"the capture is partial: {made.reasons}")
        processor, clock = _processor() - before, time.monotonic() - started
        before, started = _processor(), time.monotonic()
        for number in range(CAPTURES):
            _screenshot(station.program(), shop.url + "/", Path(folder) / f"{number}.png")
        peer_processor, peer_clock = _processor() - before, time.monotonic() - started
    lines = {
        "captures a minute of one core": (processor, peer_processor),
        "captures a minute on the clock": (clock, peer_clock),
    }
    return [
        {
            "name": name,
            "value": round(CAPTURES * 60 / own, 1),
            "unit": "1/min",
            "peer": "chromium --screenshot",
            "peer_value": round(CAPTURES * 60 / peer, 1),
            "ratio": round(peer / own, 2),
        }
        for name, (own, peer) in lines.items()
    ]


def _processor() -> float:
    """Seconds of processor time of this process and of the children that have ended."""
    return sum(
        used.ru_utime + used.ru_stime
        for used in map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    )


def _screenshot(program: Path, url: str, out: Path) -> None:
    flags = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", f"--user-data-dir={out}.profile"]
    subprocess.run([program, *flags, f"--screenshot={out}", url], check=True, capture_output=True, timeout=60)


if __name__ == "__main__":
    import json

    for line in captures_per_minute_and_core():
        print(json.dumps(line))
