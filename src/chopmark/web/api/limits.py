"""How much one caller may send: requests a second and bytes a body.

A token bucket for each key, session or address, in this process; with several server processes each counts alone,
so the platform as a whole allows that many times more. Held in memory: a restart fills every bucket.
"""

from __future__ import annotations

import math
import threading
import time
from collections import OrderedDict
from dataclasses import dataclass

from django.http import HttpRequest

from chopmark.base.errors import Refused

MAX_BODY = 8 * 1024 * 1024  # bytes; a batch of 1000 signed statements fits
MAX_BUCKETS = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """`burst` requests at once, refilled at `per_second`."""

    per_second: float
    burst: int


KNOWN = Rate(per_second=100, burst=300)
ANYBODY = Rate(per_second=20, burst=60)


class Buckets:
    """Token buckets by caller; the ones not used for longest are forgotten first."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._levels: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, caller: str, rate: Rate, now: float) -> float:
        """Take one token; seconds to wait for it, 0.0 when it was there.

        Args:
            now: seconds on a clock that never goes back.
        """
        with self._lock:
            level, at = self._levels.pop(caller, (float(rate.burst), now))
            level = min(rate.burst, level + (now - at) * rate.per_second)
            wait = 0.0 if level >= 1 else (1 - level) / rate.per_second
            self._levels[caller] = (level if wait else level - 1, now)
            while len(self._levels) > MAX_BUCKETS:
                self._levels.popitem(last=False)
        return wait


_BUCKETS = Buckets()


def must_be_slow(caller: str, rate: Rate) -> None:
    """Count this request.

    Raises:
        Refused: `api.too_fast` with the seconds to wait.
    """
    if wait := _BUCKETS.take(caller, rate, time.monotonic()):
        raise Refused("api.too_fast", seconds=math.ceil(wait), rate=rate.per_second)


def must_be_readable(request: HttpRequest) -> None:
    """Look at the headers of a body before a byte of it is read.

    Raises:
        Refused: `api.body_too_large`, `api.body_not_json`.
    """
    length = request.META.get("CONTENT_LENGTH") or "0"
    if not length.isascii() or not length.isdigit() or int(length[:20]) > MAX_BODY:
        raise Refused("api.body_too_large", limit=MAX_BODY)
    if int(length) and request.content_type != "application/json":
        raise Refused("api.body_not_json")


def address(request: HttpRequest) -> str:
    """Where an unknown caller calls from."""
    return f"from {request.META.get('REMOTE_ADDR', '')}"
