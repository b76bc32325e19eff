"""How measures reach a marketplace: one interface, and its form over HTTP.

    POST <target>                       canonical JSON, form chopmark-measure-1
    Idempotency-Key: <key>              the same key again changes nothing there and is answered as before
    Chopmark-Signature: sha256=<hex>    HMAC-SHA-256 of the body under the key that the marketplace got from its page

    200 {"key": <key>, "state": "done" | "refused" | "gone", "sold": 3, "reason": ""}

`done`: it is as the measure asks. `gone`: there is no such listing any more. `refused`: the marketplace will not, and
why. 429 and 5xx are asked again. Redirects are not followed; private addresses are not called but those that the
operator allows.
"""

from __future__ import annotations

import hmac
import ipaddress
import json
import time
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal, Protocol, get_args
from urllib.parse import urlsplit

from chopmark.base import clock, jcs
from chopmark.base.errors import Invalid, Refused, Unavailable
from chopmark.evidence.capture import addresses
from chopmark.evidence.capture.lookups import LOOKUPS, Resolve

Kind = Literal["hold", "takedown", "restore"]
State = Literal["done", "refused", "gone"]

FORM: Final = "chopmark-measure-1"
PATIENCE: Final = 20.0  # seconds, for one answer as a whole: who sends a byte now and then holds up all the others
MAX_ANSWER: Final = 64 * 1024
MAX_REASON: Final = 300
_KEYS: Final = frozenset({"key", "state", "sold", "reason"})
KINDS: Final[tuple[Kind, ...]] = get_args(Kind)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A measure as it is sent.

    Attributes:
        key: hex; the same measure has the same.
        item, version: the listing. number: of the hit. right: number of the right.
        reason: code, or empty. automatic: no person was asked.
    """

    key: str
    kind: Kind
    item: str
    version: int
    number: str
    right: str
    reason: str
    automatic: bool
    at: datetime

    def encode(self) -> bytes:
        """Canonical JSON."""
        return jcs.encode(
            {
                "form": FORM,
                "key": self.key,
                "kind": self.kind,
                "item": self.item,
                "version": self.version,
                "number": self.number,
                "right": self.right,
                "reason": self.reason,
                "automatic": self.automatic,
                "at": clock.to_text(self.at),
            }
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What the marketplace says.

    Attributes:
        sold: pieces sold of the listing until then, None when not said.
    """

    key: str
    state: State
    sold: int | None = None
    reason: str = ""


class Gateway(Protocol):
    """One marketplace that takes measures."""

    def send(self, key: str, body: bytes) -> Answer:
        """Ask for a measure; the same again changes nothing.

        Raises:
            Unavailable: `watch.marketplace_silent`.
            Refused, Invalid: `watch.marketplace_refused`, `watch.target_refused`, `watch.answer_malformed`.
        """


def signature(secret: str, body: bytes) -> str:
    """The header's value."""
    return "sha256=" + hmac.digest(secret.encode(), body, "sha256").hex()


def parse_answer(data: bytes, key: str) -> Answer:
    """What a marketplace answered about this measure.

    Raises:
        Invalid: `watch.answer_malformed`.
    """
    try:
        said: Any = json.loads(data.decode())
    except (ValueError, RecursionError) as error:
        raise Invalid("watch.answer_malformed") from error
    if not isinstance(said, dict) or not {"key", "state"} <= set(said) <= _KEYS:
        raise Invalid("watch.answer_malformed")
    if said["key"] != key:
        raise Invalid("watch.answer_malformed")
    return answered(key, said["state"], said.get("sold"), said.get("reason", ""))


def answered(key: str, state: object, sold: object, reason: object) -> Answer:
    """What a marketplace said, each part what it should be; of the reason what can be read.

    Raises:
        Invalid: `watch.answer_malformed`.
    """
    found = next((each for each in get_args(State) if each == state), None)
    if (
        found is None
        or not isinstance(reason, str)
        or (sold is not None and (not isinstance(sold, int) or isinstance(sold, bool) or not 0 <= sold < 2**31))
    ):
        raise Invalid("watch.answer_malformed")
    plain = "".join(each if each.isprintable() else " " for each in reason[:MAX_REASON])
    return Answer(key=key, state=found, sold=sold, reason=plain)


def must_be_target(url: str) -> str:
    """An address that may be called at all, by its looks.

    Raises:
        Invalid: `watch.target_malformed`.
    """
    import httpx  # noqa: PLC0415 (an HTTP client is loaded where one is used)

    try:
        parts = urlsplit(url)
        port = parts.port
        httpx.URL(url).host.encode("idna")  # a name that nobody can have would end the round of all measures
    except (ValueError, httpx.InvalidURL) as error:  # what a name breaks is a UnicodeError, one of them
        raise Invalid("watch.target_malformed") from error
    if (
        parts.scheme not in ("http", "https")
        or not parts.hostname
        or parts.username is not None
        or parts.fragment
        or len(url) > 500
        or not url.isascii()
        or not url.isprintable()
        or " " in url
        or (port is not None and addresses.port_refusal(port) is not None)
    ):
        raise Invalid("watch.target_malformed")
    return url


class HttpGateway:
    """A marketplace over HTTP.

    Args:
        name: of the marketplace, for messages.
        secret: its key, see `wiring.measure_key`.
        allow: `host:port` that may be called though they are private.
        patience: seconds until an answer must be there whole.
    """

    def __init__(
        self,
        name: str,
        target: str,
        secret: str,
        *,
        allow: Collection[str] = (),
        resolve: Resolve = LOOKUPS,
        patience: float = PATIENCE,
    ) -> None:
        self._name, self._target, self._secret = name, must_be_target(target), secret
        self._allow, self._resolve, self._patience = frozenset(allow), resolve, patience

    def send(self, key: str, body: bytes) -> Answer:
        """See `Gateway.send`."""
        import httpx  # noqa: PLC0415 (an HTTP client is loaded where one is used)

        from chopmark.watch.timed import TimedTransport  # noqa: PLC0415 (as above)

        url = httpx.URL(self._target)
        until = time.monotonic() + self._patience
        there = self._address(url.host, url.port or {"https": 443}.get(url.scheme, 80))
        headers = {
            "Content-Type": "application/json",
            "Accept": "application/json",
            "User-Agent": "chopmark",
            "Host": url.netloc.decode("ascii"),
            "Idempotency-Key": key,
            "Chopmark-Signature": signature(self._secret, body),
        }
        transport = TimedTransport(
            context=httpx.create_ssl_context(trust_env=False),
            limits=httpx.Limits(max_connections=1),
            left=lambda: until - time.monotonic(),
        )
        read = bytearray()
        try:
            with (
                httpx.Client(
                    transport=transport, timeout=self._patience, follow_redirects=False, trust_env=False
                ) as client,
                client.stream(
                    "POST",
                    url.copy_with(host=there),  # the address that was judged, not what the name says a moment later
                    content=body,
                    headers=headers,
                    extensions={"sni_hostname": url.host},
                ) as response,
            ):
                for piece in response.iter_raw():
                    read += piece
                    if len(read) > MAX_ANSWER:
                        raise Invalid("watch.answer_malformed")
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise Unavailable("watch.marketplace_silent", marketplace=self._name) from error
        if response.status_code >= 500 or response.status_code == 429:
            raise Unavailable("watch.marketplace_silent", marketplace=self._name)
        if response.status_code != 200:
            raise Refused("watch.marketplace_refused", marketplace=self._name, status=response.status_code)
        return parse_answer(bytes(read), key)

    def _address(self, host: str, port: int) -> str:
        """The address to call, judged: public, or allowed by the operator."""
        try:
            found = self._resolve(host, port)
        except (OSError, UnicodeError) as error:
            raise Unavailable("watch.marketplace_silent", marketplace=self._name) from error
        if f"{host}:{port}" not in self._allow:
            for each in found:
                address = addresses.parse(each)
                if address is None or addresses.refusal(address) is not None:
                    raise Refused("watch.target_refused", marketplace=self._name)
        if not found:
            raise Unavailable("watch.marketplace_silent", marketplace=self._name)
        first = ipaddress.ip_address(next(iter(found)).partition("%")[0])
        return str(first)
