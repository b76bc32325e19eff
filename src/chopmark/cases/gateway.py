"""How the platform reaches a court or a notary: two interfaces, and their form over HTTP to a desk (see `desk.wire`).

    CourtGateway    submit (a filing or its supplement), send (the bundle's next piece), status, withdraw
    NotaryGateway   the same with orders, and fetch (a piece of the bundle that was signed)

What comes back is parsed strictly and bounded; redirects are not followed. A court without an interface gets a package
that a person hands in (`package`), never a gateway.
"""

from __future__ import annotations

from typing import Protocol, Self
from uuid import UUID

import httpx

from chopmark.base.errors import Invalid, PlatformError, Refused, Unavailable
from chopmark.base.wording import catalogue
from chopmark.desk import codec
from chopmark.desk.wire import PIECE, DeskCard, Taken
from chopmark.ledger.keys import Signer
from chopmark.member.httpsig import signed_headers

PATIENCE = 60.0  # seconds; a desk makes each piece durable before it answers
MAX_ANSWER = 64 * 1024


class CourtGateway(Protocol):
    """One court's desk."""

    def submit(self, message: bytes) -> Taken:
        """Hand in a filing, or its next revision; the same again changes nothing."""

    def send(self, token: UUID, offset: int, piece: bytes) -> Taken:
        """Hand in the next bytes of the bundle."""

    def status(self, token: UUID) -> Taken:
        """How the case stands there."""

    def withdraw(self, message: bytes) -> Taken:
        """Take the case back."""


class NotaryGateway(Protocol):
    """One notary's desk."""

    def submit(self, message: bytes) -> Taken:
        """Hand in an order, or its next revision; the same again changes nothing."""

    def send(self, token: UUID, offset: int, piece: bytes) -> Taken:
        """Hand in the next bytes of the bundle."""

    def status(self, token: UUID) -> Taken:
        """How the order stands there."""

    def withdraw(self, message: bytes) -> Taken:
        """Take the order back."""

    def fetch(self, token: UUID, offset: int) -> bytes:
        """Bytes of the signed bundle from this place on; empty at its end."""


class HttpGateway:
    """A desk over HTTP; both interfaces.

    Args:
        card: the desk's.
        key: the platform's node key.
        origin: the platform's log, for which calls are signed.
    """

    def __init__(self, card: DeskCard, key: Signer, origin: str) -> None:
        self._card = card
        self._key = key
        self._origin = origin
        self._client = httpx.Client(timeout=PATIENCE, follow_redirects=False, trust_env=False)

    def submit(self, message: bytes) -> Taken:
        """See `CourtGateway.submit`.

        Raises:
            Unavailable: `cases.desk_silent`.
            Refused, Invalid: `cases.desk_refused`, `cases.desk_malformed`.
        """
        path = "/api/filings" if self._card.kind == "court" else "/api/orders"
        return _taken(self._call("POST", path, message, MAX_ANSWER))

    def send(self, token: UUID, offset: int, piece: bytes) -> Taken:
        """See `CourtGateway.send`.

        Raises:
            as `submit`
        """
        return _taken(self._call("PUT", f"/api/cases/{token}/bundle?offset={offset}", piece, MAX_ANSWER))

    def status(self, token: UUID) -> Taken:
        """See `CourtGateway.status`.

        Raises:
            as `submit`
        """
        return _taken(self._call("GET", f"/api/cases/{token}", b"", MAX_ANSWER))

    def withdraw(self, message: bytes) -> Taken:
        """See `CourtGateway.withdraw`.

        Raises:
            as `submit`
        """
        return _taken(self._call("POST", "/api/withdrawals", message, MAX_ANSWER))

    def fetch(self, token: UUID, offset: int) -> bytes:
        """See `NotaryGateway.fetch`.

        Raises:
            as `submit`
        """
        return self._call("GET", f"/api/cases/{token}/bundle?offset={offset}", b"", PIECE)

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _call(self, method: str, target: str, body: bytes, limit: int) -> bytes:
        base = httpx.URL(self._card.url)
        signed = signed_headers(self._key, method, base.path.rstrip("/") + target, body, origin=self._origin)
        headers = {**signed, "Content-Type": "application/json", "User-Agent": "chopmark", "Accept": "application/json"}
        try:
            with self._client.stream(
                method, self._card.url + target, content=body or None, headers=headers
            ) as response:
                read = bytearray()
                for piece in response.iter_raw():
                    read += piece
                    if len(read) > limit:
                        raise Invalid("cases.desk_malformed", desk=self._card.name)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise Unavailable("cases.desk_silent", desk=self._card.name) from error
        if response.status_code != 200:
            raise _trouble(self._card.name, response.status_code, bytes(read))
        return bytes(read)


def _taken(data: bytes) -> Taken:
    return codec.parse(Taken, data, limit=MAX_ANSWER)


def _trouble(desk: str, status: int, body: bytes) -> PlatformError:
    """What a desk's refusal means here: its code, where we word it too."""
    if status >= 500 or status == 429:
        return Unavailable("cases.desk_silent", desk=desk)
    try:
        code = str(httpx.Response(status, content=body).json()["code"])
    except (ValueError, KeyError, TypeError):
        code = ""
    reason = code if code in catalogue() else f"status {status}"
    return Refused("cases.desk_refused", desk=desk, reason=reason)
