"""What goes over the wire between a log and its witnesses and mirrors, free of HTTP.

A node answers a request's bytes with an `Answer`; an HTTP server prints it, an HTTP client reads it, and tests in
memory hand it over as it is. Statuses and bodies are those of C2SP tlog-witness and tlog-mirror.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

PLAIN_TEXT = "text/plain; charset=utf-8"
TLOG_SIZE = "text/x.tlog.size"
MIRROR_INFO = "text/x.tlog.mirror-info"
OCTETS = "application/octet-stream"


def origin_hash(origin: str) -> str:
    """The part of a monitoring address that names a log: SHA-256 of its origin, 64 hexadecimal digits."""
    return hashlib.sha256(origin.encode()).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """An answer in the terms of HTTP.

    Attributes:
        status: 200, 202, 400, 403, 404, 409 or 422; 5xx when the node itself is in trouble.
        body: for example cosignature lines.
        content_type: media type of the body.
        headers: others, as they are.
    """

    status: int
    body: bytes = b""
    content_type: str = PLAIN_TEXT
    headers: Mapping[str, str] = field(default_factory=dict)


class Link(Protocol):
    """One member as the writer of a log reaches it."""

    @property
    def name(self) -> str:
        """The member's name, as on its card."""

    def add_checkpoint(self, body: bytes) -> Answer:
        """tlog-witness `add-checkpoint`.

        Raises:
            Unavailable: `ledger.member_silent` with name and reason when no answer came in time.
        """

    def add_entries(self, body: bytes) -> Answer:
        """tlog-mirror `add-entries`; a link compresses if that pays.

        Raises:
            Unavailable: `ledger.member_silent`.
        """

    def sealed_root(self, origin: str, size: int) -> bytes | None:
        """The member's seal of the root at a size that it has mirrored (`cose_receipt.SealedRoot`); None if unwilling.

        Raises:
            Unavailable: `ledger.member_silent`.
        """
