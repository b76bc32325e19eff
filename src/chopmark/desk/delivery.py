"""Carries a desk's events to the platforms they are for, in order, until each was taken.

An event is tried again after a second, then later and later, at most every ten minutes, for as long as the desk runs:
a court's decision is never given up. The events of one case go in their order; a case that waits holds up no other.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from urllib.parse import urlsplit

import httpx

from chopmark.base.clock import to_text
from chopmark.desk.store import Store
from chopmark.desk.wire import PlatformCard
from chopmark.ledger.keys import Signer
from chopmark.member.httpsig import signed_headers

PATIENCE = 15.0  # seconds
FIRST, LONGEST = 1.0, 600.0  # seconds
MOST_AT_ONCE = 50


class Courier:
    """Delivers for one desk.

    Args:
        store: the desk's.
        key: its node key.
        client: over which it calls.
    """

    def __init__(self, store: Store, key: Signer, client: httpx.Client) -> None:
        self._store = store
        self._key = key
        self._client = client

    def deliver(self, platforms: Mapping[str, PlatformCard], at: datetime) -> int:
        """Carry what is due; how many were taken."""
        now = at.timestamp()
        due = self._store.all(
            "SELECT event.*, paper.origin FROM event JOIN paper ON paper.token = event.about "
            "WHERE delivered_at IS NULL AND seq = (SELECT min(seq) FROM event AS first WHERE first.about = event.about "
            "AND first.delivered_at IS NULL) AND next_try <= ? ORDER BY next_try LIMIT ?",
            now,
            MOST_AT_ONCE,
        )
        taken = 0
        for row in due:
            card = platforms.get(row["origin"])
            trouble = "no platform" if card is None else self._send(bytes(row["document"]), card)
            if not trouble:
                taken += 1
                self._store.run(
                    "UPDATE event SET delivered_at = ?, trouble = '' WHERE token = ?", to_text(at), row["token"]
                )
                continue
            wait = min(LONGEST, FIRST * 2 ** min(row["tries"], 10))
            self._store.run(
                "UPDATE event SET tries = tries + 1, next_try = ?, trouble = ? WHERE token = ?",
                now + wait,
                trouble[:64],
                row["token"],
            )
        return taken

    def _send(self, document: bytes, card: PlatformCard) -> str:
        """Send one event; what went wrong, or nothing."""
        target = urlsplit(card.callback).path
        headers = signed_headers(self._key, "POST", target, document, origin=card.origin)
        try:
            answer = self._client.post(
                card.callback,
                content=document,
                headers={**headers, "Content-Type": "application/json", "User-Agent": "chopmark"},
                timeout=PATIENCE,
            )
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            return type(error).__name__
        return "" if answer.status_code in (200, 201) else f"status {answer.status_code}"
