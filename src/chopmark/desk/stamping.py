"""A time-stamp authority over HTTP (RFC 3161 §3.4), as a notary's seal asks it.

What it says is not believed here: `bundle.check` judges the token against what its reader trusts.
"""

from __future__ import annotations

import secrets
from pathlib import Path

import httpx

from chopmark.base.errors import Invalid, Unavailable
from chopmark.ledger.timestamp import accept, request

PATIENCE = 15.0  # seconds
MAX_REPLY = 256 * 1024


class HttpStamper:
    """One authority.

    Args:
        address: where requests go; or `@` and the path of a file in which that stands, read anew for each token.
        own: whether the desk itself runs it.
    """

    def __init__(self, address: str, *, own: bool = False) -> None:
        self.name = "tsa" if address.startswith("@") else httpx.URL(address).host
        self.own = own
        self._address = address

    def token(self, sha256: bytes) -> bytes:
        """A token over this imprint.

        Raises:
            Unavailable: `desk.tsa_silent`.
            Invalid, Refused: what `ledger.timestamp.accept` raises.
        """
        asked = request(sha256, nonce=secrets.randbits(63))
        headers = {"Content-Type": "application/timestamp-query", "User-Agent": "chopmark"}
        try:
            address = Path(self._address[1:]).read_text("ascii").strip() if self._address[0] == "@" else self._address
            with httpx.Client(timeout=PATIENCE, follow_redirects=False) as client:
                answer = client.post(address, content=asked.encode(), headers=headers)
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
            raise Unavailable("desk.tsa_silent", name=self.name) from error
        if answer.status_code != 200:
            raise Unavailable("desk.tsa_silent", name=self.name)
        if len(answer.content) > MAX_REPLY:
            raise Invalid("desk.message_too_large", limit=MAX_REPLY)
        return accept(answer.content, asked)
