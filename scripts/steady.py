"""Runs pytest; what failed, if it is three tests at most, is run once more by itself, and named either way.

    python scripts/steady.py -m browser -q

For the parts of `./run test` that start processes, browsers and clocks beside each other on two cores. A fault fails
twice. A test that passes alone is a test that is unsteady: it is printed as such, and is to be mended.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

MOST = 3
TESTS_FAILED = 1  # pytest's exit status; any other is no matter of a single test


def pytest(cache: str, *arguments: str) -> int:
    """One run of pytest that remembers what failed in a folder of its own."""
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-o", f"cache_dir={cache}", *arguments], check=False
    ).returncode


def main(arguments: list[str]) -> int:
    """Exit status of pytest, of the second run where there was one."""
    with tempfile.TemporaryDirectory(prefix="chopmark-steady-") as cache:
        first = pytest(cache, *arguments)
        note = Path(cache) / "v" / "cache" / "lastfailed"
        if first != TESTS_FAILED or not note.is_file():
            return first
        failed = sorted(json.loads(note.read_text("utf-8")))
        if not 0 < len(failed) <= MOST:
            return first
        print("\nonce more, alone:", *failed, sep="\n  ", flush=True)
        second = pytest(cache, *arguments, "--last-failed", "--last-failed-no-failures=none")
        if second == 0:
            print("\nUNSTEADY (failed in company, passed alone):", *failed, sep="\n  ", flush=True)
        return second


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
