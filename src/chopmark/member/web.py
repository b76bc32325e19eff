"""A node's addresses over HTTP: C2SP tlog-witness and tlog-mirror, and what people, monitors and readers ask for.

    POST /add-checkpoint  /sign-subtree  /add-entries
    GET  /witness/<log>/checkpoint    /mirror/<log>/checkpoint    /mirror/<log>/tile/...
    GET  /mirror/<log>/sealed-root/<size>  .../search/<digest>  .../receipt/<position>  .../keys/<kid>
    GET  /  /status.json  /card.json  /alarms.json  /alarms/<id>  /metrics  /healthz

`<log>` is the SHA-256 of the log's origin in hexadecimal. A path that is not exactly one of these is 404 and names
nothing on this machine. Everything is public; nothing is changed without a log's own signature. Bodies are bounded,
compressed ones also after unpacking. What goes wrong leaves as a code and a sentence, never as a trace.
"""

from __future__ import annotations

import hashlib
import io
import json
import re
import zlib
from collections.abc import Callable, Iterable
from functools import cache
from http import HTTPStatus
from importlib.resources import files
from typing import IO, Any

import falcon

from chopmark.base.clock import to_text
from chopmark.base.errors import Invalid, PlatformError, Refused, Unavailable
from chopmark.base.wording import Language, catalogue, say
from chopmark.ledger.stores import DurabilityLost
from chopmark.ledger.wire import OCTETS, PLAIN_TEXT, Answer
from chopmark.member.metrics import Metrics
from chopmark.member.node import HeldLog, Node

MAX_CHECKPOINT = 64 * 1024
"""Bytes of an add-checkpoint or sign-subtree request."""
MAX_ENTRIES = 64 << 20
"""Bytes of an add-entries request as it comes in."""
MAX_UNPACKED = 32 * (256 * (2 + 65_535) + 1 + 63 * 32) + 131_100
"""Bytes of an add-entries request after unpacking: 32 of the largest packages and the header."""

FOR_EVER = "public, max-age=31536000, immutable"
A_MOMENT = "public, max-age=2, must-revalidate"
NEVER = "no-store"
JSON = "application/json"
PROBLEM = "application/problem+json"
CBOR = "application/cbor"
COSE = "application/cose"

_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "cross-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}
# C2SP tlog-tiles: level 0 to 63 or "entries", index in groups of three digits, partial width 1 to 255.
_TILE = re.compile(
    r"tile/(?:entries|[0-9]|[1-5][0-9]|6[0-3])/(?:x(?!000)[0-9]{3}/(?:x[0-9]{3}/){0,5})?[0-9]{3}"
    r"(?:\.p/(?:[1-9]|[1-9][0-9]|1[0-9]{2}|2[0-4][0-9]|25[0-5]))?"
)
_NUMBER = re.compile(r"0|[1-9][0-9]{0,18}")
_DIGEST = re.compile(r"[0-9a-f]{64}")
_LOG = "{log:log}"
_STATUSES: dict[type[PlatformError], int] = {Refused: 403, Invalid: 400, Unavailable: 503}
_MISSING = frozenset({"ledger.object_missing", "member.not_mirrored", "member.not_a_statement", "ledger.index_outside"})


def application(node: Node, metrics: Metrics, lost: Callable[[], None]) -> Callable[..., Iterable[bytes]]:
    """The WSGI application of a node.

    Args:
        lost: called when the disk did not confirm a write; it must end the process.
    """
    app = falcon.App(middleware=[_Common(metrics)], media_type=PLAIN_TEXT)
    app.set_error_serializer(_problem)
    app.add_error_handler(PlatformError, _trouble)
    app.add_error_handler(OSError, _out_of_order(node))
    app.add_error_handler(Exception, _bug(node))
    app.router_options.converters["log"] = _converter(node)
    writing, reading, about = _Writing(node), _Reading(node), _About(node, metrics)
    for path, resource, suffix in (
        ("/add-checkpoint", writing, "checkpoint"),
        ("/sign-subtree", writing, "subtree"),
        ("/add-entries", writing, "entries"),
        (f"/witness/{_LOG}/checkpoint", reading, "witness"),
        (f"/mirror/{_LOG}/checkpoint", reading, "mirror"),
        (f"/mirror/{_LOG}/tile/{{path:path}}", reading, "tile"),
        (f"/mirror/{_LOG}/sealed-root/{{size}}", reading, "seal"),
        (f"/mirror/{_LOG}/search/{{digest}}", reading, "search"),
        (f"/mirror/{_LOG}/receipt/{{position}}", reading, "receipt"),
        (f"/mirror/{_LOG}/keys/{{kid}}", reading, "key"),
        ("/", about, "page"),
        ("/style.css", about, "style"),
        ("/status.json", about, "status"),
        ("/card.json", about, "card"),
        ("/alarms.json", about, "alarms"),
        ("/alarms/{name}", about, "alarm"),
        ("/metrics", about, "metrics"),
        ("/healthz", about, "health"),
    ):
        app.add_route(path, resource, suffix=suffix)

    def guarded(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:  # noqa: ANN401 (of the WSGI server)
        head = environ["REQUEST_METHOD"] == "HEAD"
        try:
            body = app({**environ, "REQUEST_METHOD": "GET"} if head else environ, start_response)
        except DurabilityLost:
            lost()
            raise
        return [] if head else body

    return guarded


def call(app: Callable[..., Iterable[bytes]], method: str, path: str, content_type: str, body: bytes) -> Answer:
    """What the application answers to a request that came another way than over its own socket."""
    status, headers = [""], dict[str, str]()

    def start_response(line: str, pairs: list[tuple[str, str]], _trouble: object = None) -> None:
        status[0] = line
        headers.update({name.lower(): value for name, value in pairs})

    environ = {
        "REQUEST_METHOD": method,
        "PATH_INFO": path,
        "SCRIPT_NAME": "",
        "QUERY_STRING": "",
        "CONTENT_TYPE": content_type,
        "CONTENT_LENGTH": str(len(body)),
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(body),
        "wsgi.errors": io.StringIO(),
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }
    data = b"".join(app(environ, start_response))
    return Answer(status=int(status[0][:3]), body=data, content_type=headers.get("content-type", PLAIN_TEXT))


# ---- what is sent to a node ---------------------------------------------------------------------------------------


class _Writing:
    """The submission prefix."""

    def __init__(self, node: Node) -> None:
        self._node = node

    def on_post_checkpoint(self, req: falcon.Request, resp: falcon.Response) -> None:
        """tlog-witness add-checkpoint."""
        _give(resp, self._node.witness.add_checkpoint(_small_body(req)))

    def on_post_subtree(self, req: falcon.Request, resp: falcon.Response) -> None:
        """tlog-witness sign-subtree."""
        _give(resp, self._node.witness.sign_subtree(_small_body(req)))

    def on_post_entries(self, req: falcon.Request, resp: falcon.Response) -> None:
        """tlog-mirror add-entries; the body is worked on package by package."""
        if req.content_type not in (None, "", OCTETS):
            raise falcon.HTTPUnsupportedMediaType
        resp.set_header("Accept-Encoding", "gzip")
        _give(resp, self._node.mirror.add_entries(_body(req, MAX_ENTRIES, MAX_UNPACKED)))


def _give(resp: falcon.Response, answer: Answer) -> None:
    resp.status = answer.status
    resp.content_type = answer.content_type
    resp.data = answer.body
    resp.cache_control = [NEVER]
    for name, value in answer.headers.items():
        resp.set_header(name, value)


def _small_body(req: falcon.Request) -> bytes:
    data = _body(req, MAX_CHECKPOINT, MAX_CHECKPOINT + 1).read(MAX_CHECKPOINT + 1)
    if len(data) > MAX_CHECKPOINT:
        raise falcon.HTTPContentTooLarge
    return data


def _body(req: falcon.Request, limit: int, unpacked: int) -> IO[bytes]:
    """The body as it is to be read: bounded, and unpacked where it says that it is packed."""
    length = req.content_length
    if length is None:
        raise falcon.HTTPLengthRequired
    if length > limit:
        raise falcon.HTTPContentTooLarge
    match (req.get_header("Content-Encoding") or "identity").strip().lower():
        case "identity":
            return io.BufferedReader(_Plain(req.bounded_stream), 1 << 17)
        case "gzip":
            return io.BufferedReader(_Unpacked(req.bounded_stream, unpacked), 1 << 17)
        case _:
            raise falcon.HTTPUnsupportedMediaType(headers={"Accept-Encoding": "gzip"})


class _Plain(io.RawIOBase):
    def __init__(self, stream: Any) -> None:  # noqa: ANN401 (whatever the WSGI server gives)
        self._stream = stream

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:  # noqa: ANN401 (any buffer)
        data = self._stream.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)


class _Unpacked(io.RawIOBase):
    """A gzip stream unpacked piece by piece; one that is cut off or damaged ends there."""

    def __init__(self, stream: Any, limit: int) -> None:  # noqa: ANN401 (whatever the WSGI server gives)
        self._stream = stream
        self._left = limit
        self._packed = b""
        self._unpack = zlib.decompressobj(wbits=31)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:  # noqa: ANN401 (any buffer)
        while not self._unpack.eof:
            self._packed = self._packed or self._stream.read(1 << 16)
            try:
                data = self._unpack.decompress(self._packed, len(buffer))
            except zlib.error:
                return 0
            more, self._packed = bool(self._packed), self._unpack.unconsumed_tail
            self._left -= len(data)
            if self._left < 0:
                raise falcon.HTTPContentTooLarge
            if data:
                buffer[: len(data)] = data
                return len(data)
            if not more:
                return 0
        return 0


# ---- what a node holds --------------------------------------------------------------------------------------------


class _Reading:
    """The monitoring prefixes and the reader's addresses."""

    def __init__(self, node: Node) -> None:
        self._node = node

    def on_get_witness(self, req: falcon.Request, resp: falcon.Response, log: HeldLog) -> None:
        """The newest checkpoint that the witness cosigned."""
        _file(req, resp, self._node.witness.checkpoint(log.origin), PLAIN_TEXT, A_MOMENT)

    def on_get_mirror(self, req: falcon.Request, resp: falcon.Response, log: HeldLog) -> None:
        """The checkpoint of the mirror."""
        _file(req, resp, self._node.mirror.checkpoint(log.origin), PLAIN_TEXT, A_MOMENT)

    def on_get_tile(self, req: falcon.Request, resp: falcon.Response, log: HeldLog, path: str) -> None:
        """A tile of hashes or a bundle of entries."""
        path = f"tile/{path}"
        if not _TILE.fullmatch(path):
            raise falcon.HTTPNotFound
        _file(req, resp, log.file(path), OCTETS, FOR_EVER)

    def on_get_seal(self, req: falcon.Request, resp: falcon.Response, log: HeldLog, size: str) -> None:
        """This member's seal of the root at a size."""
        number = _number(size)
        _file(req, resp, log.sealed_root(number) if number else None, CBOR, FOR_EVER)

    def on_get_search(self, req: falcon.Request, resp: falcon.Response, log: HeldLog, digest: str) -> None:
        """Where entries with a digest stand."""
        positions, searched = log.search(_digest(digest))
        document = {"origin": log.origin, "digest": digest, "positions": positions, "searched": searched}
        _file(req, resp, _json(document), JSON, A_MOMENT)

    def on_get_receipt(self, req: falcon.Request, resp: falcon.Response, log: HeldLog, position: str) -> None:
        """The Transparent Statement of an entry."""
        resp.set_header("Content-Disposition", f'attachment; filename="{log.hash[:8]}-{position}.receipt.cose"')
        _file(req, resp, log.receipt(_number(position)), COSE, A_MOMENT)

    def on_get_key(self, req: falcon.Request, resp: falcon.Response, log: HeldLog, kid: str) -> None:  # noqa: ARG002
        """A COSE_Key that this node has learnt; keys belong to no log."""
        key = self._node.known.kept(_digest(kid))
        _file(req, resp, None if key is None else key.to_cose(), "application/cose-key", FOR_EVER)


def _file(req: falcon.Request, resp: falcon.Response, data: bytes | None, content_type: str, lifetime: str) -> None:
    """Bytes with their validator; 304 for who has them."""
    if data is None:
        raise falcon.HTTPNotFound
    resp.set_header("Access-Control-Allow-Origin", "*")
    resp.set_header("Access-Control-Expose-Headers", "ETag")
    resp.content_type = content_type
    resp.cache_control = [lifetime]
    resp.etag = tag = hashlib.sha256(data).hexdigest()[:32]
    if not {"*", tag}.isdisjoint(str(each) for each in req.if_none_match or ()):
        resp.status = HTTPStatus.NOT_MODIFIED
        return
    resp.data = data


def _number(text: str) -> int:
    if not _NUMBER.fullmatch(text) or int(text) >= 1 << 63:
        raise falcon.HTTPNotFound
    return int(text)


def _digest(text: str) -> bytes:
    if not _DIGEST.fullmatch(text):
        raise falcon.HTTPNotFound
    return bytes.fromhex(text)


def _json(document: object) -> bytes:
    return (json.dumps(document, ensure_ascii=False, indent=2) + "\n").encode()


# ---- what a node says of itself -----------------------------------------------------------------------------------


class _About:
    """The page for people and the documents for programs."""

    def __init__(self, node: Node, metrics: Metrics) -> None:
        self._node = node
        self._metrics = metrics

    def on_get_page(self, req: falcon.Request, resp: falcon.Response) -> None:
        """The status page."""
        from chopmark.member.page import page  # noqa: PLC0415 (the templates' engine is loaded when somebody looks)

        language = _language(req)
        resp.content_type = "text/html; charset=utf-8"
        resp.cache_control = [NEVER]
        resp.set_header("Content-Language", "zh-Hans" if language == "zh" else "en")
        resp.append_header("Vary", "Accept-Language")
        resp.data = page(self._node, language).encode()

    def on_get_style(self, req: falcon.Request, resp: falcon.Response) -> None:
        """The page's style."""
        _file(req, resp, _style(), "text/css; charset=utf-8", "public, max-age=3600")

    def on_get_status(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Sizes, lag, last cosignatures."""
        _file(req, resp, _json(self._node.status()), JSON, A_MOMENT)

    def on_get_card(self, req: falcon.Request, resp: falcon.Response) -> None:
        """The card, in its canonical form."""
        _file(req, resp, self._node.card.encode(), JSON, A_MOMENT)

    def on_get_alarms(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Every alarm kept, newest first."""
        shown = [
            {
                "id": each.id,
                "code": each.code,
                "origin": each.origin,
                "at": to_text(each.at),
                "facts": dict(each.facts),
                "proof": list(each.files),
            }
            for each in self._node.alarms.all()
        ]
        _file(req, resp, _json(shown), JSON, A_MOMENT)

    def on_get_alarm(self, req: falcon.Request, resp: falcon.Response, name: str) -> None:
        """One alarm with its proof."""
        name = name.removesuffix(".json")
        data = self._node.alarms.document(name)
        if data is not None:
            resp.set_header("Content-Disposition", f'attachment; filename="{name}.json"')
        _file(req, resp, data, JSON, FOR_EVER)

    def on_get_metrics(self, req: falcon.Request, resp: falcon.Response) -> None:  # noqa: ARG002 (as all of them)
        """Figures for Prometheus."""
        resp.content_type, resp.data = self._metrics.exposition(self._node)
        resp.cache_control = [NEVER]

    def on_get_health(self, req: falcon.Request, resp: falcon.Response) -> None:  # noqa: ARG002 (as all of them)
        """Whether the node works."""
        resp.data = b"ok\n"
        resp.cache_control = [NEVER]


def _language(req: falcon.Request) -> Language:
    """`?lang=`, else the first of zh and en that the reader's browser names, else English."""
    asked = req.get_param("lang", default="")
    for name in [asked, *(req.get_header("Accept-Language") or "")[:200].lower().split(",")]:
        for language in ("zh", "en"):
            if name.strip().startswith(language):
                return language
    return "en"


@cache
def _style() -> bytes:
    return files("chopmark.member").joinpath("pages/style.css").read_bytes()


# ---- what all of them have ----------------------------------------------------------------------------------------


class _Common:
    """Headers of every answer, and counting."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    def process_response(
        self,
        req: falcon.Request,
        resp: falcon.Response,
        resource: object,  # noqa: ARG002 (falcon's form)
        req_succeeded: bool,  # noqa: ARG002, FBT001 (the same)
    ) -> None:
        for name, value in _HEADERS.items():
            resp.set_header(name, value)
        self._metrics.answered(req.uri_template or "other", resp.status_code)


def _converter(node: Node) -> type[falcon.routing.BaseConverter]:
    class _Log(falcon.routing.BaseConverter):
        """The log with the hash in the path; any other path is not there."""

        def convert(self, value: str) -> HeldLog | None:
            return node.log(value)

    return _Log


def _trouble(
    req: falcon.Request,  # noqa: ARG001 (falcon's form)
    resp: falcon.Response,
    error: PlatformError,
    params: dict[str, Any],  # noqa: ARG001 (the same)
) -> None:
    status = (
        404 if error.code in _MISSING else next(code for kind, code in _STATUSES.items() if isinstance(error, kind))
    )
    _answer(resp, status, error.code, say(error.code, error.facts, "en"), say(error.code, error.facts, "zh"))


def _out_of_order(node: Node) -> Callable[..., None]:
    def answer(_req: falcon.Request, resp: falcon.Response, error: OSError, _params: dict[str, Any]) -> None:
        node.lines.warning("the system refused", reason=error.strerror or type(error).__name__)
        resp.set_header("Retry-After", "10")
        _answer_code(resp, 503, "member.out_of_order")

    return answer


def _bug(node: Node) -> Callable[..., None]:
    def answer(_req: falcon.Request, resp: falcon.Response, _error: Exception, _params: dict[str, Any]) -> None:
        node.lines.failure("a request failed")
        _answer_code(resp, 500, "member.bug")

    return answer


def _problem(req: falcon.Request, resp: falcon.Response, error: falcon.HTTPError) -> None:  # noqa: ARG001 (the same)
    """What falcon refuses: a path, a method, a size."""
    codes = {404: "member.no_such_path", 405: "member.no_such_method", 413: "member.body_too_large"}
    _answer_code(resp, error.status_code, codes.get(error.status_code, "member.request_malformed"))


def _answer_code(resp: falcon.Response, status: int, code: str) -> None:
    _answer(resp, status, code, catalogue()[code]["en"], catalogue()[code]["zh"])


def _answer(resp: falcon.Response, status: int, code: str, en: str, zh: str) -> None:
    """RFC 9457, with the sentence in both languages: a program's log is read by either."""
    resp.status = status
    resp.content_type = PROBLEM
    resp.cache_control = [NEVER]
    resp.data = _json({"type": "about:blank", "status": status, "code": code, "title": en, "title_zh": zh})
