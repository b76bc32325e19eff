"""Which of very many go to audit: a keyed hash decides, the same for ever, and nobody without the key can foresee it.

A seller who could foresee it would put fakes where nobody looks. The key lies in the home; with it anybody can check
afterwards that the sample was not picked. Pure.
"""

from __future__ import annotations

import hmac
from typing import Final

WHOLE: Final = 1 << 64


def drawn(key: bytes, per_million: int, *parts: str) -> bool:
    """Whether the thing named by these parts is in a sample of so many out of a million."""
    return place(key, *parts) * 1_000_000 < per_million * WHOLE


def place(key: bytes, *parts: str) -> int:
    """Where between 0 and 2^64 the key puts a thing: HMAC-SHA-256 over its parts, each with its length before it."""
    said = b"".join(len(data).to_bytes(4, "big") + data for data in (part.encode() for part in parts))
    return int.from_bytes(hmac.digest(key, said, "sha256")[:8], "big")
