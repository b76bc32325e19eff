"""How long tests wait for what they expect: so long that only what hangs is given up.

A machine that runs tests may be five times slower than usual, for minutes. A number that only guards against a hang
is taken from here; what a part of the tests may take in all is bounded elsewhere (`run`, function `tests`). A wait
that is expected to run out is no guard: it belongs to its test, stays short, and must not depend on who is faster.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

HANG = 300.0  # seconds: of any one wait, or of a part of the product that must not give up in a test
HANG_MS = 300_000  # the same for browsers
WORK = 900.0  # seconds: of what takes a minute alone: a demo, a scan, a compiler, an installer

Found = TypeVar("Found")


def until(fits: Callable[[], Found], trouble: Callable[[], object] | None = None, *, pause: float = 0.05) -> Found:
    """Ask again and again until the answer is true, and return it.

    Args:
        fits: what is asked; something false means not yet.
        trouble: what is shown when it never came; without it, `fits` itself.
        pause: seconds between two questions.
    """
    end = time.monotonic() + HANG
    while not (found := fits()):
        assert time.monotonic() < end, fits if trouble is None else trouble()
        time.sleep(pause)
    return found
