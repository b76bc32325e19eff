"""Signed calls from node to node (RFC 9421), for calls that C2SP gives no authentication of their own.

A signature covers the method, the path with its query and the body's digest (RFC 9530); it says when it was made and
by which key, and its tag says for which log: what was meant for one platform is nothing to another. The host is not
covered, because a proxy may rewrite it. Times are those of the system, as in the library; a repeated nonce is refused
while its signature would still be young enough.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from time import monotonic

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from http_message_signatures import (
    HTTPMessageSignaturesException,
    HTTPMessageSigner,
    HTTPMessageVerifier,
    MappingKeyResolver,
)
from http_message_signatures.algorithms import ED25519

from chopmark.base.errors import Refused
from chopmark.ledger.keys import Signer, VerifierKey

LABEL = "chopmark"
COVERED = ("@method", "@path", "@query", "content-digest")
MAX_AGE = timedelta(seconds=60)
SKEW = timedelta(seconds=60)
_REMEMBERED = (MAX_AGE + 2 * SKEW).total_seconds()
_MOST_NONCES = 100_000
_LONGEST_NONCE = 64


@dataclass(slots=True, kw_only=True)
class _Message:
    """A request as the library wants to see it."""

    method: str
    url: str
    headers: dict[str, str] = field(default_factory=dict)


class _Verifier(HTTPMessageVerifier):
    max_clock_skew = SKEW


def key_id(key: VerifierKey) -> str:
    """How a signature names its key: as a note does, name and id."""
    return f"{key.name}+{key.key_id.hex()}"


def signed_headers(signer: Signer, method: str, target: str, body: bytes, *, origin: str) -> dict[str, str]:
    """The headers that authenticate one request.

    Args:
        signer: a node's key of type 0x01.
        method: upper case.
        target: path and query, as sent.
        body: the bytes sent, before any content coding is undone.
        origin: the log that the call is about.
    """
    message = _Message(method=method, url=_absolute(target))
    scheme = HTTPMessageSigner(signature_algorithm=ED25519)
    prepared = scheme.prepare(
        message,
        key_id=key_id(signer.verifier),
        nonce=secrets.token_urlsafe(18),
        label=LABEL,
        tag=_tag(origin),
        covered_component_ids=COVERED[:-1],
        body=body,
    )
    scheme.apply(message, prepared, signer.sign(prepared.signature_base))
    return message.headers


class Gate:
    """Lets through what is signed by one of the known nodes, once.

    Args:
        origin: the log that calls must be meant for.
        keys: the nodes' keys, type 0x01.
        clock: monotonic seconds.
    """

    def __init__(self, origin: str, keys: Iterable[VerifierKey], clock: Callable[[], float] = monotonic) -> None:
        self._origin = origin
        self._keys = {key_id(key): key for key in keys}
        public = {name: Ed25519PublicKey.from_public_bytes(key.public) for name, key in self._keys.items()}
        self._verifier = _Verifier(
            signature_algorithm=ED25519, key_resolver=MappingKeyResolver(public_keys=public, private_keys={})
        )
        self._clock = clock
        self._seen: dict[str, float] = {}
        self._lock = threading.Lock()

    def admit(self, method: str, target: str, headers: Mapping[str, str], body: bytes) -> VerifierKey:
        """Who sent this request.

        Raises:
            Refused: `member.call_unsigned`; `member.call_repeated`.
        """
        message = _Message(method=method, url=_absolute(target), headers=dict(headers))
        try:
            (found,) = self._verifier.verify(
                message, max_age=MAX_AGE, expect_tag=_tag(self._origin), require_components=COVERED, body=body
            )
        except (HTTPMessageSignaturesException, ValueError) as error:
            raise Refused("member.call_unsigned", origin=self._origin) from error
        name, nonce = str(found.parameters["keyid"]), found.nonce
        if nonce is None or not 0 < len(nonce) <= _LONGEST_NONCE:
            raise Refused("member.call_unsigned", origin=self._origin)
        self._must_be_new(f"{name} {nonce}")
        return self._keys[name]

    def _must_be_new(self, call: str) -> None:
        now = self._clock()
        with self._lock:
            while self._seen and next(iter(self._seen.values())) < now:  # in order of arrival
                del self._seen[next(iter(self._seen))]
            if call in self._seen or len(self._seen) >= _MOST_NONCES:
                raise Refused("member.call_repeated", origin=self._origin)
            self._seen[call] = now + _REMEMBERED


def _absolute(target: str) -> str:
    """The library reads path and query out of an absolute address; the host is nobody's."""
    return f"https://node.invalid{target}"


def _tag(origin: str) -> str:
    return f"chopmark-node {origin}"
