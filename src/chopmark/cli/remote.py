"""The door to a Chopmark server: its API, with files hashed here and statements signed here where one has a key."""

from __future__ import annotations

import base64
import time
from collections.abc import Callable, Sequence
from typing import Any, BinaryIO
from urllib.parse import urljoin
from uuid import uuid4

import httpx

import chopmark
from chopmark.base.errors import Invalid, PlatformError, Refused, Unavailable
from chopmark.base.wording import say
from chopmark.cli import own_keys
from chopmark.cli.doors import Made, Papers, Waiting, Wish
from chopmark.cli.home import Client
from chopmark.cli.signing import sign_wish
from chopmark.evidence.receipt import ALL

BATCH = 200  # deposits a request
CHUNK = 8 << 20  # bytes of an upload a request
POLL = 0.5  # seconds
TIMEOUT = httpx.Timeout(60.0, connect=10.0)
TRIES = 6  # of one piece of an upload, each a little later
TUS = {"Tus-Resumable": "1.0.0"}


class Remote:
    """A server, as the organisation that the API key belongs to."""

    def __init__(self, client: Client) -> None:
        if client.api_key is None:
            raise Refused("cli.api_key_missing", server=client.server)
        self.name = client.server
        self._client = client
        self._http = httpx.Client(
            base_url=client.server,
            timeout=TIMEOUT,
            headers={"Authorization": f"Bearer {client.api_key}", "User-Agent": f"chopmark/{chopmark.__version__}"},
        )
        self._me: dict[str, Any] = self._json("GET", "/api/v1/whoami")

    @property
    def organisation(self) -> str:
        """Public id of the organisation."""
        return str(self._me["organisation"]["id"])

    def deposit(self, wishes: Sequence[Wish], sent: Callable[[int], None]) -> list[Made | PlatformError]:
        """Make the deposits, some hundred a request; what goes wrong with one file does not stop the others."""
        items: list[dict[str, Any] | PlatformError] = []
        for wish in wishes:
            try:
                items.append(self._item(wish, sent))
            except PlatformError as error:
                items.append(error)
        good = [each for each in items if isinstance(each, dict)]
        answers = iter([answer for start in range(0, len(good), BATCH) for answer in self._batch(good[start:][:BATCH])])
        return [next(answers) if isinstance(each, dict) else each for each in items]

    def wait(self, made: Sequence[Made], seconds: float) -> list[Made]:
        """Ask until all are published or the time is up."""
        until = time.monotonic() + seconds
        now = list(made)
        while any(each.position is None for each in now) and time.monotonic() < until:
            time.sleep(POLL)
            now = [each if each.position is not None else self._again(each) for each in now]
        return now

    def waiting(self) -> Waiting | None:
        """What the server says of its consortium; nothing where it does not say so in the form that is known."""
        waits = self._json("GET", "/api/v1/consortium").get("waiting")
        match waits:
            case {"since": str(since), "missing": [*missing]}:
                return Waiting(since=since, missing=tuple(map(str, missing)))
        return None

    def papers(self, deposit: str, signatures: str = ALL) -> Papers:
        """The receipt of a deposit, by id or short number, with these signatures."""
        here, asked = f"/api/v1/deposits/{deposit}", {} if signatures == ALL else {"signatures": signatures}
        return Papers(
            tlog_proof=self._ask("GET", f"{here}/receipt.tlog-proof", params=asked).content,
            cose=self._ask("GET", f"{here}/receipt.cose", params=asked).content,
        )

    def certificate(self, deposit: str) -> bytes:
        """The certificate of a deposit, by id or short number."""
        return self._ask("GET", f"/api/v1/deposits/{deposit}/certificate.pdf").content

    def register(self, key: bytes, name: str) -> None:
        """Make a public key the organisation's own."""
        self._ask("POST", "/api/v1/keys", json={"key": _text(key), "name": name})

    def _batch(self, items: Sequence[dict[str, Any]]) -> list[Made | PlatformError]:
        """One request; the key makes a repeated request after a broken line harmless."""
        headers = {"Idempotency-Key": str(uuid4())}
        answered = self._json("POST", "/api/v1/deposits/batch", json={"items": list(items)}, headers=headers)
        return [
            _made(each["deposit"], created=each["status"] == httpx.codes.CREATED)
            if each.get("deposit")
            else trouble(each["error"], each["status"])
            for each in answered["items"]
        ]

    def _again(self, made: Made) -> Made:
        return _made(self._json("GET", f"/api/v1/deposits/{made.id}"), created=made.created)

    def _item(self, wish: Wish, sent: Callable[[int], None]) -> dict[str, Any]:
        digests = {"sha-256": wish.digests.sha256.hex()}
        if wish.digests.sm3 is not None:
            digests["sm3"] = wish.digests.sm3.hex()
        item: dict[str, Any] = {
            "kind": wish.kind,
            "digests": digests,
            "size": wish.digests.size,
            "title": wish.title,
            "author": wish.author,
            "file_name": wish.path.name,
            "media_type": wish.media_type,
            "private": wish.private,
        }
        if wish.keep:
            item["upload"] = self._upload(wish, sent)
        if (own := own_keys.registered_at(f"{self.name} {self.organisation}")) is not None:
            statement, disclosures = sign_wish(
                wish, own, issuer=str(self._me["issuer"]), policy=bytes.fromhex(self._me["policy"])
            )
            item |= {"statement": _text(statement), "disclosures": [_text(each) for each in disclosures]}
        return item

    def _upload(self, wish: Wish, sent: Callable[[int], None]) -> str:
        """Send a file in pieces (tus 1.0); a broken line is taken up again where the server has got to."""
        metadata = {
            "filename": wish.path.name.encode(),
            "filetype": wish.media_type.encode(),
            "sha256": wish.digests.sha256.hex().encode(),
        }
        described = ",".join(f"{name} {_text(value)}" for name, value in metadata.items())
        headers = TUS | {"Upload-Length": str(wish.digests.size), "Upload-Metadata": described}
        place = urljoin(self.name + "/", self._ask("POST", "/uploads/", headers=headers).headers["Location"])
        if not place.startswith(self.name + "/"):
            raise Unavailable("cli.server_strange", server=self.name, status=201)
        with wish.path.open("rb") as file:
            offset = 0
            while offset < wish.digests.size:
                reached = self._piece(place, file, offset)
                sent(reached - offset)
                offset = reached
        return place.rstrip("/").rpartition("/")[2]

    def _piece(self, place: str, file: BinaryIO, offset: int) -> int:
        """Send the next bytes; how many the server has then."""
        for attempt in range(TRIES):
            file.seek(offset)
            headers = TUS | {"Upload-Offset": str(offset), "Content-Type": "application/offset+octet-stream"}
            try:
                answered = self._ask("PATCH", place, headers=headers, content=file.read(CHUNK))
                return int(answered.headers["Upload-Offset"])
            except Unavailable:
                if attempt == TRIES - 1:
                    raise
                time.sleep(0.5 * 2**attempt)
                offset = int(self._ask("HEAD", place, headers=TUS).headers["Upload-Offset"])
        raise AssertionError("the last try returns or raises")

    def _ask(self, method: str, path: str, **request: Any) -> httpx.Response:  # noqa: ANN401 (httpx's own arguments)
        return answer(lambda: self._http.request(method, path, **request), self._client)

    def _json(self, method: str, path: str, **request: Any) -> dict[str, Any]:  # noqa: ANN401 (httpx's own arguments)
        answered = self._ask(method, path, **request)
        try:
            document = answered.json()
        except ValueError as error:
            raise Unavailable("cli.server_strange", server=self.name, status=answered.status_code) from error
        if not isinstance(document, dict):
            raise Unavailable("cli.server_strange", server=self.name, status=answered.status_code)
        return document


def answer(ask: Callable[[], httpx.Response], client: Client) -> httpx.Response:
    """A server's good answer, or its problem document as the error it describes.

    Raises:
        Unavailable: `cli.server_silent`, `cli.server_strange`.
    """
    try:
        answered = ask()
    except httpx.HTTPError as error:
        raise Unavailable("cli.server_silent", server=client.server, reason=type(error).__name__) from error
    if answered.is_success:
        return answered
    try:
        problem = answered.json()
        raise trouble(problem, answered.status_code)
    except (ValueError, KeyError, TypeError) as error:
        raise Unavailable("cli.server_strange", server=client.server, status=answered.status_code) from error


def trouble(problem: dict[str, Any], status: int) -> PlatformError:
    """The error that a problem document describes, said in this program's words where it has them."""
    kind: type[PlatformError] = Refused
    if status >= httpx.codes.INTERNAL_SERVER_ERROR or status in (httpx.codes.CONFLICT, httpx.codes.TOO_MANY_REQUESTS):
        kind = Unavailable
    elif status in (httpx.codes.BAD_REQUEST, httpx.codes.UNPROCESSABLE_ENTITY):
        kind = Invalid
    code, facts = str(problem["code"]), dict(problem["facts"])
    if not problem.get("errors") and _can_be_said(code, facts):
        return kind(code, **facts)
    details = [str(problem["detail"]), *(f"{each['pointer']} {each['detail']}" for each in problem.get("errors", ()))]
    return kind("cli.server_says", message=" ".join(details), named=code)


def _can_be_said(code: str, facts: dict[str, Any]) -> bool:
    """Whether this version has a sentence for the code and the server gave the facts that it needs."""
    try:
        say(code, facts, "en")
    except KeyError:
        return False
    return "code" not in facts


def _made(document: dict[str, Any], *, created: bool) -> Made:
    return Made(id=str(document["id"]), number=str(document["number"]), position=document["position"], created=created)


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")
