"""Pull mode: a member that opens no inbound port fetches the requests meant for it and brings its answers back.

    platform   `Relay` keeps at most one request a member; its WSGI application hands it out and takes the answer in;
               `RelayServer` listens for it in the writer's process
    member     `Puller` asks for the next request, lets its own node answer it, returns the answer, and asks again

    POST /relay/<name>/take         200 with a request, 204 when there was none for some seconds
    POST /relay/<name>/give/<id>    204; 404 when nobody waits for it any more

Both calls are signed by the member's node key (`httpsig`). A member that asks anew ends its older question, so that
nobody holds more than one thread, and gets what an older one was given and has not answered: whatever died on the way.
Requests and answers travel as CBOR: `{"id", "method", "path", "body"}` and `{"status", "type", "body"}`. What travels
is what would have been sent to the member's public address, and is believed no more than there: a log's requests carry
the log's signature, a member's answers its cosignatures. The relay itself decides nothing.
"""

from __future__ import annotations

import re
import secrets
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

import falcon
import httpx

from chopmark.base import cbor
from chopmark.base.errors import Invalid, PlatformError, Refused, Unavailable
from chopmark.ledger.card import NODE, Card
from chopmark.ledger.keys import Signer, VerifierKey
from chopmark.ledger.wire import OCTETS, PLAIN_TEXT, Answer, origin_hash
from chopmark.member.client import MAX_ANSWER
from chopmark.member.httpsig import Gate, signed_headers
from chopmark.member.serving import served

CBOR = "application/cbor"
POLL = 10.0
"""Seconds that a member's question stays open while there is nothing for it."""
PATIENCE = 5.0
"""Seconds for the answer to a checkpoint."""
UPLOAD_PATIENCE = 60.0
"""Seconds for the answer to an upload: it travels down a line, and a mirror makes the entries durable first."""
LONGEST_PAUSE = 10.0
"""Seconds after which a member asks again a relay that was away."""
MOST_BYTES = 64 * 1024 * 1024
"""Of one request."""
MOST_GIVEN = MAX_ANSWER + 1024
"""Of what a member brings: an answer as the writer would read it from the member's own address, and its wrapping."""
THREADS = 48
CONNECTIONS = 200
QUIET = 60  # seconds after which a connection on which nothing moves is closed; longer than POLL

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
        uploading: the same for an upload.
    """

    def __init__(self, name: str, patience: float = PATIENCE, uploading: float | None = None) -> None:
        self._name = name
        self._patience = patience
        self._uploading = patience if uploading is None else uploading
        self._changed = threading.Condition()
        self._one_caller = threading.Lock()
        self._waiting: _Waiting | None = None
        self._asked = 0
        self._closed = False

    @property
    def name(self) -> str:
        """See `Link.name`."""
        return self._name

    def add_checkpoint(self, body: bytes) -> Answer:
        """See `Link.add_checkpoint`."""
        return self.call("POST", "/add-checkpoint", body)

    def add_entries(self, body: bytes) -> Answer:
        """See `Link.add_entries`."""
        return self.call("POST", "/add-entries", body, self._uploading)

    def sealed_root(self, origin: str, size: int) -> bytes | None:
        """See `Link.sealed_root`."""
        answer = self.call("GET", f"/mirror/{origin_hash(origin)}/sealed-root/{size}")
        return answer.body if answer.status == 200 else None

    def call(self, method: str, path: str, body: bytes = b"", patience: float | None = None) -> Answer:
        """Put a request to the member and wait for its answer.

        Args:
            method: GET or POST.
            path: as at the member's public address.
            body: bytes.
            patience: seconds, if not the link's own.

        Raises:
            Unavailable: `ledger.member_silent`.
            Invalid: `member.relay_malformed` for a path that no member serves.
        """
        waiting = _Waiting(request=RelayedRequest(id=secrets.token_hex(16), method=method, path=path, body=body))
        with self._one_caller, self._changed:
            self._waiting = waiting
            self._changed.notify_all()
            try:
                self._changed.wait_for(
                    lambda: self._closed or waiting.answer is not None, self._patience if patience is None else patience
                )
            finally:
                self._waiting = None
            if waiting.answer is None:
                reason = "the writer ends" if self._closed else "no answer in time" if waiting.taken else "did not ask"
                raise Unavailable("ledger.member_silent", name=self._name, reason=reason)
            return waiting.answer

    def take(self, poll: float) -> RelayedRequest | None:
        """The request that waits; None when none came within `poll` seconds, or when the member asked again."""
        with self._changed:
            self._asked += 1
            mine = self._asked
            if self._waiting is not None:
                self._waiting.taken = False  # who asks has lost what it was given before
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._closed or self._asked != mine or self._ready() is not None, poll)
            waiting = self._ready()
            if waiting is None or self._asked != mine:
                return None
            waiting.taken = True
            return waiting.request

    def _ready(self) -> _Waiting | None:
        waiting = self._waiting
        return waiting if waiting is not None and not waiting.taken and waiting.answer is None else None

    def give(self, name: str, answer: Answer) -> bool:
        """Bring an answer; whether somebody still waits for it."""
        with self._changed:
            waiting = self._waiting
            if waiting is None or waiting.request.id != name or waiting.answer is not None:
                return False
            waiting.answer = answer
            self._changed.notify_all()
            return True

    def close(self) -> None:
        """Wait for nothing any more."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Post:
    """Where one member comes by."""

    keys: tuple[VerifierKey, ...]
    gate: Gate
    link: PullLink


class Relay:
    """The platform's end for all members in pull mode.

    Args:
        origin: the log.
        cards: of the members that may pull; each needs a node key.
        patience: seconds that an answer is waited for.
        uploading: the same for an upload.
        poll: see `POLL`.
    """

    def __init__(
        self,
        origin: str,
        cards: Iterable[Card] = (),
        *,
        patience: float = PATIENCE,
        uploading: float | None = None,
        poll: float = POLL,
    ) -> None:
        self._origin = origin
        self._patience = patience
        self._uploading = uploading
        self._poll = poll
        self._posts: dict[str, _Post] = {}
        self.adopt(cards)
        self.app: Any = falcon.App(media_type=PLAIN_TEXT)
        self.app.add_route("/relay/{name}/take", self, suffix="take")
        self.app.add_route("/relay/{name}/give/{call}", self, suffix="give")

    @property
    def links(self) -> dict[str, PullLink]:
        """The members that may pull, by name."""
        return {name: post.link for name, post in self._posts.items()}

    def adopt(self, cards: Iterable[Card]) -> None:
        """From now on these members may pull, over new links; what was asked over the old ones ends without answer."""
        before, now = self._posts, dict[str, _Post]()
        for card in cards:
            known, keys = before.get(card.name), card.keys_of(NODE)
            gate = known.gate if known is not None and known.keys == keys else Gate(self._origin, keys)
            link = PullLink(card.name, self._patience, self._uploading)
            now[card.name] = _Post(keys=keys, gate=gate, link=link)
        self._posts = now
        for post in before.values():
            post.link.close()

    def on_post_take(self, req: falcon.Request, resp: falcon.Response, name: str) -> None:
        """The next request for a member, or 204."""
        link, _ = self._admitted(req, name)
        request = link.take(self._poll)
        resp.status = falcon.HTTP_204 if request is None else falcon.HTTP_200
        resp.cache_control = ["no-store"]
        if request is not None:
            resp.content_type, resp.data = CBOR, request.encode()

    def on_post_give(self, req: falcon.Request, resp: falcon.Response, name: str, call: str) -> None:
        """A member's answer."""
        link, body = self._admitted(req, name)
        try:
            answer = parse_answer(body)
        except Invalid as error:
            raise falcon.HTTPBadRequest(title=error.code) from error
        if not link.give(call, answer):
            raise falcon.HTTPNotFound
        resp.status = falcon.HTTP_204

    def _admitted(self, req: falcon.Request, name: str) -> tuple[PullLink, bytes]:
        """The link of the member that itself signed this call, and the call's body."""
        post = self._posts.get(name)
        if post is None:
            raise falcon.HTTPNotFound
        if (req.content_length or 0) > MOST_GIVEN:
            raise falcon.HTTPContentTooLarge
        body: bytes = req.bounded_stream.read(MOST_GIVEN)
        try:
            post.gate.admit("POST", req.relative_uri, dict(req.headers), body)
        except Refused as error:
            raise falcon.HTTPForbidden(title=error.code) from error
        return post.link, body


class RelayServer:
    """A relay on a socket, for as long as this process is the writer.

    Args:
        origin: the log.
        host: address to listen on; TLS is a reverse proxy's.
        port: 0 for any free one; see `port` afterwards.
        poll: see `POLL`.

    Raises:
        Unavailable: `member.port_taken`.
    """

    def __init__(self, origin: str, host: str, port: int, *, poll: float = POLL) -> None:
        self.relay = Relay(origin, patience=PATIENCE, uploading=UPLOAD_PATIENCE, poll=poll)
        self._opened = ExitStack()
        try:
            server = self._opened.enter_context(
                served(
                    self.relay.app,
                    host,
                    port,
                    threads=THREADS,
                    connection_limit=CONNECTIONS,
                    channel_timeout=QUIET,
                    cleanup_interval=5,
                    max_request_header_size=16 * 1024,
                    max_request_body_size=MOST_GIVEN,
                    log_socket_errors=False,
                )
            )
        except (OSError, ValueError) as error:  # waitress: a host that has no address
            raise Unavailable("member.port_taken", host=host, port=port) from error
        self.port = server.port

    def close(self) -> None:
        """Let the members go and the port too."""
        self.relay.adopt(())
        self._opened.close()


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
        later: the node key that follows; each is tried where the other one is refused.
    """

    def __init__(  # noqa: PLR0917 (from the far end to the near one)
        self,
        relay: str,
        name: str,
        signer: Signer,
        origin: str,
        answer: Callable[[str, str, str, bytes], Answer],
        client: httpx.Client,
        later: Signer | None = None,
    ) -> None:
        url = httpx.URL(relay)
        if url.scheme != "https" and url.host not in {"127.0.0.1", "localhost", "::1"}:
            raise Invalid("member.relay_insecure", address=relay)
        self._relay = relay.rstrip("/")
        self._name = name
        self._signer = signer
        self._later = later
        self._origin = origin
        self._answer = answer
        self._client = client
        self._answering = threading.Lock()
        self._stopped = False

    def once(self) -> bool:
        """Ask for one request, answer it; whether there was one.

        Raises:
            Unavailable: `member.relay_silent` when the platform does not answer as it should.
            Invalid: `member.relay_malformed` when it sends what no member serves.
        """
        status, data = self._call(f"/relay/{self._name}/take", b"", MOST_BYTES + 1024)
        if status == 204:
            return False
        if status == 403 and self._later is not None:
            self._signer, self._later = self._later, self._signer
        if status != 200:
            raise Unavailable("member.relay_silent", address=self._relay, status=status)
        request = RelayedRequest.parse(data)
        with self._answering:
            if self._stopped:
                return False
            answer = self._answer(request.method, request.path, _TYPES.get(request.path, PLAIN_TEXT), request.body)
        short = Answer(status=answer.status, body=answer.body[: MAX_ANSWER + 1], content_type=answer.content_type)
        self._call(f"/relay/{self._name}/give/{request.id}", encode_answer(short), 4096)  # 404: too late, no matter
        return True

    def run(self, stop: threading.Event, trouble: Callable[[Exception | None], None]) -> None:
        """Go on until told to stop; after trouble with growing pauses.

        Args:
            stop: set it from another thread.
            trouble: hears of each kind of trouble once, while it is handled, and None when all is well again.
        """
        pause, said = 0.0, ""
        while not stop.wait(pause):
            try:
                self.once()
            except Exception as error:  # noqa: BLE001 (the outermost loop of a worker: without it nothing is answered)
                pause = min(max(1.0, pause * 2), LONGEST_PAUSE)
                kind = error.code if isinstance(error, PlatformError) else repr(error)
                if said != kind:
                    trouble(error)
                said = kind
            else:
                if said:
                    trouble(None)
                pause, said = 0.0, ""

    def end(self, patience: float) -> bool:
        """Answer nothing any more; whether an answer under way was finished within so many seconds."""
        self._stopped = True
        return self._answering.acquire(timeout=patience)  # and never given back

    def _call(self, path: str, body: bytes, most: int) -> tuple[int, bytes]:
        target = httpx.URL(self._relay + path)
        headers = signed_headers(self._signer, "POST", target.raw_path.decode(), body, origin=self._origin)
        headers |= {"Content-Type": CBOR, "Accept-Encoding": "identity"}
        until = time.monotonic() + POLL + UPLOAD_PATIENCE
        read = bytearray()
        try:
            with self._client.stream("POST", target, content=body, headers=headers) as response:
                for piece in response.iter_raw():
                    read += piece
                    if len(read) > most or time.monotonic() > until:
                        raise Unavailable("member.relay_silent", address=self._relay, status=response.status_code)
                return response.status_code, bytes(read)
        except httpx.HTTPError as error:
            raise Unavailable("member.relay_silent", address=self._relay, status=0) from error
