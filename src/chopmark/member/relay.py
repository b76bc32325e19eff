"""Pull mode: a member that opens no inbound port fetches the requests meant for it and brings its answers back.

    platform   `Relay` keeps at most one request a member; its WSGI application hands it out and takes the answer in
    member     `Puller` asks for the next request, lets its own node answer it, returns the answer, and asks again

    POST /relay/<name>/take         200 with a request, 204 when there was none for some seconds
    POST /relay/<name>/give/<id>    204; 404 when nobody waits for it any more

Both calls are signed by the member's node key (`httpsig`). Requests and answers travel as CBOR:
`{"id", "method", "path", "body"}` and `{"status", "type", "body"}`. What travels is what would have been sent to the
member's public address, and is believed no more than there: a log's requests carry the log's signature, a member's
answers its cosignatures. The relay itself decides nothing.
"""

from __future__ import annotations

import re
import secrets
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import falcon
import httpx

from chopmark.base import cbor
from chopmark.base.errors import Invalid, Refused, Unavailable
from chopmark.ledger.card import NODE, Card
from chopmark.ledger.keys import Signer
from chopmark.ledger.wire import OCTETS, PLAIN_TEXT, Answer, origin_hash
from chopmark.member.httpsig import Gate, signed_headers

CBOR = "application/cbor"
POLL = 10.0
"""Seconds that a member's question stays open while there is nothing for it."""
MOST_BYTES = 64 * 1024 * 1024
"""Of one request or answer."""

_PATH = re.compile(
    r"/(?:add-checkpoint|add-entries|sign-subtree|status\.json|alarms\.json|card\.json"
    r"|(?:witness|mirror)/[0-9a-f]{64}/[A-Za-z0-9/._-]{1,200})"
)
_ID = re.compile(r"[0-9a-f]{32}")
_TYPES = {"/add-checkpoint": PLAIN_TEXT, "/sign-subtree": PLAIN_TEXT, "/add-entries": OCTETS}


@dataclass(frozen=True, slots=True, kw_only=True)
class RelayedRequest:
    """A request on its way to a member.

    Attributes:
        id: unguessable; the answer comes back under it.
        method: GET or POST.
        path: one that a member serves, without dots that lead out.
        body: bytes.
    """

    id: str
    method: str
    path: str
    body: bytes = field(repr=False)

    def __post_init__(self) -> None:
        right = self.method == ("POST" if self.path in _TYPES else "GET")
        if (
            not right
            or not _ID.fullmatch(self.id)
            or not _PATH.fullmatch(self.path)
            or ".." in self.path
            or len(self.body) > MOST_BYTES
        ):
            raise Invalid("member.relay_malformed")

    def encode(self) -> bytes:
        """As CBOR."""
        return cbor.encode({"id": self.id, "method": self.method, "path": self.path, "body": self.body})

    @classmethod
    def parse(cls, data: bytes) -> RelayedRequest:
        """Read what `encode` wrote.

        Raises:
            Invalid: `member.relay_malformed`.
        """
        match _decoded(data):
            case {"id": str(name), "method": str(method), "path": str(path), "body": bytes(body), **rest} if not rest:
                return cls(id=name, method=method, path=path, body=body)
        raise Invalid("member.relay_malformed")


def encode_answer(answer: Answer) -> bytes:
    """As CBOR; other headers stay behind."""
    return cbor.encode({"status": answer.status, "type": answer.content_type, "body": answer.body})


def parse_answer(data: bytes) -> Answer:
    """Read what `encode_answer` wrote.

    Raises:
        Invalid: `member.relay_malformed`.
    """
    match _decoded(data):
        case {"status": int(status), "type": str(kind), "body": bytes(body), **rest} if not rest:
            if 200 <= status <= 599:
                return Answer(status=status, body=body, content_type=kind)
    raise Invalid("member.relay_malformed")


def _decoded(data: bytes) -> object:
    try:
        return cbor.decode(data)
    except Invalid as error:
        raise Invalid("member.relay_malformed") from error


# ---- the platform's side ---------------------------------------------------------------------------------------------


@dataclass(slots=True, kw_only=True)
class _Waiting:
    """A request that was put to a member, and the answer when it is there."""

    request: RelayedRequest
    taken: bool = False
    answer: Answer | None = None


class PullLink:
    """A member in pull mode, as the writer reaches it (`ledger.wire.Link`); one request at a time.

    Args:
        name: the member's, as on its card.
        patience: seconds that an answer is waited for.
    """

    def __init__(self, name: str, patience: float) -> None:
        self._name = name
        self._patience = patience
        self._changed = threading.Condition()
        self._one_caller = threading.Lock()
        self._waiting: _Waiting | None = None

    @property
    def name(self) -> str:
        """See `Link.name`."""
        return self._name

    def add_checkpoint(self, body: bytes) -> Answer:
        """See `Link.add_checkpoint`."""
        return self.call("POST", "/add-checkpoint", body)

    def add_entries(self, body: bytes) -> Answer:
        """See `Link.add_entries`."""
        return self.call("POST", "/add-entries", body)

    def sealed_root(self, origin: str, size: int) -> bytes | None:
        """See `Link.sealed_root`."""
        answer = self.call("GET", f"/mirror/{origin_hash(origin)}/sealed-root/{size}")
        return answer.body if answer.status == 200 else None

    def call(self, method: str, path: str, body: bytes = b"") -> Answer:
        """Put a request to the member and wait for its answer.

        Raises:
            Unavailable: `ledger.member_silent`.
            Invalid: `member.relay_malformed` for a path that no member serves.
        """
        waiting = _Waiting(request=RelayedRequest(id=secrets.token_hex(16), method=method, path=path, body=body))
        with self._one_caller, self._changed:
            self._waiting = waiting
            self._changed.notify_all()
            try:
                self._changed.wait_for(lambda: waiting.answer is not None, self._patience)
            finally:
                self._waiting = None
            if waiting.answer is None:
                reason = "no answer in time" if waiting.taken else "did not ask"
                raise Unavailable("ledger.member_silent", name=self._name, reason=reason)
            return waiting.answer

    def take(self, poll: float) -> RelayedRequest | None:
        """The request that waits, given out once; None when none came within `poll` seconds."""
        with self._changed:
            there = self._changed.wait_for(lambda: self._waiting is not None and not self._waiting.taken, poll)
            if not there or self._waiting is None:
                return None
            self._waiting.taken = True
            return self._waiting.request

    def give(self, name: str, answer: Answer) -> bool:
        """Bring an answer; whether somebody still waits for it."""
        with self._changed:
            waiting = self._waiting
            if waiting is None or waiting.request.id != name or waiting.answer is not None:
                return False
            waiting.answer = answer
            self._changed.notify_all()
            return True


class Relay:
    """The platform's end for all members in pull mode.

    Args:
        origin: the log.
        cards: of the members that may pull; each needs a node key.
        patience: seconds that an answer is waited for.
        poll: see `POLL`.
    """

    def __init__(self, origin: str, cards: Iterable[Card], *, patience: float = 5.0, poll: float = POLL) -> None:
        pulling = {card.name: card for card in cards}
        self.links = {name: PullLink(name, patience) for name in pulling}
        self._gates = {name: Gate(origin, card.keys_of(NODE)) for name, card in pulling.items()}
        self._poll = poll
        self.app: Any = falcon.App(media_type=PLAIN_TEXT)
        self.app.add_route("/relay/{name}/take", self, suffix="take")
        self.app.add_route("/relay/{name}/give/{call}", self, suffix="give")

    def on_post_take(self, req: falcon.Request, resp: falcon.Response, name: str) -> None:
        """The next request for a member, or 204."""
        self._admitted(req, name)
        request = self.links[name].take(self._poll)
        resp.status = falcon.HTTP_204 if request is None else falcon.HTTP_200
        if request is not None:
            resp.content_type, resp.data = CBOR, request.encode()

    def on_post_give(self, req: falcon.Request, resp: falcon.Response, name: str, call: str) -> None:
        """A member's answer."""
        body = self._admitted(req, name)
        try:
            answer = parse_answer(body)
        except Invalid as error:
            raise falcon.HTTPBadRequest(title=error.code) from error
        if not self.links[name].give(call, answer):
            raise falcon.HTTPNotFound
        resp.status = falcon.HTTP_204

    def _admitted(self, req: falcon.Request, name: str) -> bytes:
        """The body of a call that the member itself signed."""
        if name not in self._gates:
            raise falcon.HTTPNotFound
        if (req.content_length or 0) > MOST_BYTES:
            raise falcon.HTTPContentTooLarge
        body: bytes = req.bounded_stream.read(MOST_BYTES)
        try:
            self._gates[name].admit("POST", req.relative_uri, dict(req.headers), body)
        except Refused as error:
            raise falcon.HTTPForbidden(title=error.code) from error
        return body


# ---- the member's side -----------------------------------------------------------------------------------------------


class Puller:
    """Fetches the requests for one member and lets its own node answer them.

    Args:
        relay: address of the platform's relay, https unless it is this machine.
        name: the member's.
        signer: its node key.
        origin: the log.
        answer: the node itself: method, path, content type and body to an answer.
        client: for the calls; its time-out must be longer than the relay's poll.
    """

    def __init__(  # noqa: PLR0917 (from the far end to the near one)
        self,
        relay: str,
        name: str,
        signer: Signer,
        origin: str,
        answer: Callable[[str, str, str, bytes], Answer],
        client: httpx.Client,
    ) -> None:
        url = httpx.URL(relay)
        if url.scheme != "https" and url.host not in {"127.0.0.1", "localhost", "::1"}:
            raise Invalid("member.relay_insecure", address=relay)
        self._relay = relay.rstrip("/")
        self._name = name
        self._signer = signer
        self._origin = origin
        self._answer = answer
        self._client = client

    def once(self) -> bool:
        """Ask for one request, answer it; whether there was one.

        Raises:
            Unavailable: `member.relay_silent` when the platform does not answer as it should.
            Invalid: `member.relay_malformed` when it sends what no member serves.
        """
        taken = self._call(f"/relay/{self._name}/take", b"")
        if taken.status_code == 204:
            return False
        if taken.status_code != 200 or len(taken.content) > MOST_BYTES + 1024:
            raise Unavailable("member.relay_silent", address=self._relay, status=taken.status_code)
        request = RelayedRequest.parse(taken.content)
        answer = self._answer(request.method, request.path, _TYPES.get(request.path, PLAIN_TEXT), request.body)
        self._call(f"/relay/{self._name}/give/{request.id}", encode_answer(answer))  # 404: came too late, no matter
        return True

    def run(self, stop: threading.Event, trouble: Callable[[Unavailable | Invalid], None]) -> None:
        """Go on until told to stop; after trouble with growing pauses, 30 seconds at most."""
        pause = 0.0
        while not stop.wait(pause):
            try:
                self.once()
                pause = 0.0
            except (Unavailable, Invalid) as error:
                pause = min(max(1.0, pause * 2), 30.0)
                trouble(error)

    def _call(self, path: str, body: bytes) -> httpx.Response:
        target = httpx.URL(self._relay + path)
        headers = signed_headers(self._signer, "POST", target.raw_path.decode(), body, origin=self._origin)
        try:
            return self._client.post(target, content=body, headers={**headers, "Content-Type": CBOR})
        except httpx.HTTPError as error:
            raise Unavailable("member.relay_silent", address=self._relay, status=0) from error
