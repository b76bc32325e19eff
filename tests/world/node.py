"""A member's node for tests: its home, the log that it holds, and what feeds it, over real HTTP on loopback.

log = PublicLog()
log.publish(*log.statements(3))
with node_of(tmp_path, log) as running:
    feed(running.url, log)
"""

from __future__ import annotations

import hashlib
import ssl
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import httpx

from chopmark.base import clock
from chopmark.base.errors import Unavailable
from chopmark.ledger.card import Card
from chopmark.ledger.checkpoint import Checkpoint
from chopmark.ledger.mirror import MirrorInfo, packages, upload_header
from chopmark.ledger.note import Note
from chopmark.ledger.statement import Claim, IssuerKey, Statement, search_keys, sign_statement
from chopmark.ledger.stores import CHECKPOINT, Entry
from chopmark.ledger.tiles import TileReader
from chopmark.ledger.wire import OCTETS, PLAIN_TEXT, origin_hash
from chopmark.ledger.witness import AddCheckpoint
from chopmark.member.founding import found_home
from chopmark.member.keys import KeyReader
from chopmark.member.metrics import Metrics
from chopmark.member.node import Node
from chopmark.member.server import open_node
from chopmark.member.serving import served
from chopmark.member.settings import LogSettings, MemberHome, Settings, held
from chopmark.member.web import MAX_ENTRIES, application
from world.ledger import KEYS, ORIGIN, VERIFIERS, LedgerWorld
from world.patience import HANG

ISSUER = IssuerKey.from_seed(b"\x21" * 32)
HASH = origin_hash(ORIGIN)
TLS = ssl.create_default_context()  # nobody here speaks it, but to prepare it anew takes longer than a request


def never() -> bytes:
    raise AssertionError("nobody should be asked for a passphrase")


def statement(number: int, *, private: bool = False) -> bytes:
    """A signed statement about the digest of a number."""
    claim = Claim(
        issuer="urn:uuid:8f8a4f8e-0000-4000-8000-000000000001",
        subject=f"urn:uuid:8f8a4f8e-0000-4000-8000-{number:012}",
        issued_at=datetime(2026, 1, 2, tzinfo=UTC),
        payload=hashlib.sha256(str(number).encode()).digest(),
        kind="work",
        policy=bytes(32),
        private=private,
        **({"content_type": "application/vnd.chopmark.disclosure+cbor"} if private else {}),
    )
    return sign_statement(claim, ISSUER)


@dataclass
class PublicLog(LedgerWorld):
    """A log of signed statements that shows its files to everybody."""

    hidden: set[str] = field(default_factory=set)

    def add(self, *numbers: int) -> None:
        """Publish statements about these numbers, all under one checkpoint."""
        raw = [statement(number) for number in numbers]
        entries = [Entry.of(each, search_keys(Statement.parse(each))) for each in raw]
        self.book.enqueue(entries, self.clock())
        log = self.log()
        try:
            while log.step():
                pass
        finally:
            log.close()

    @property
    def note(self) -> bytes:
        return self.objects.get(CHECKPOINT)

    @property
    def size(self) -> int:
        return Checkpoint.parse(Note.parse(self.note).text).size

    def app(self, environ, start_response) -> Iterable[bytes]:
        """The log's files over HTTP, and the key of its statements' signer."""
        path = environ["PATH_INFO"].removeprefix("/")
        try:
            if path == f"keys/{ISSUER.public.thumbprint.hex()}":
                data = ISSUER.public.to_cose()
            else:
                data = self.objects.get("nothing" if path in self.hidden else path.removeprefix("log/"))
        except Unavailable:
            start_response("404 Not Found", [])
            return [b""]
        start_response("200 OK", [("Content-Length", str(len(data)))])
        return [data]


def settings(*, port: int = 0, url: str | None = "http://court.test", log_url: str = "http://127.0.0.1:9") -> Settings:
    """Of a court that holds the log."""
    return Settings(
        name="hangzhou",
        kind="court",
        zh="杭州互联网法院",
        en="Hangzhou Internet Court",
        id="court-hangzhou.test",
        host="127.0.0.1",
        port=port,
        url=url,
        interval=0.2,
        logs=(LogSettings(origin=ORIGIN, keys=tuple(VERIFIERS), url=log_url + "/log", platform=log_url),),
    )


def make_home(folder: Path, **changes) -> tuple[MemberHome, Card]:
    """A home without a passphrase."""
    home = MemberHome(folder)
    return home, found_home(home, settings(**changes), passphrase=None)


@dataclass
class RunningNode:
    """A node in this process, reached over its socket."""

    node: Node
    url: str
    metrics: Metrics
    lost: list[bool]

    def get(self, path: str, **more) -> httpx.Response:
        return httpx.get(self.url + path, timeout=HANG, verify=TLS, **more)


@contextmanager
def node_of(home: MemberHome, **server) -> Iterator[RunningNode]:
    """A node without its background threads."""
    with held(home), ExitStack() as opened:
        node = open_node(home, KeyReader(never), lambda _kid: ISSUER.public.to_cose())
        opened.callback(node.close)
        metrics, lost = Metrics(), []
        app = application(node, metrics, lambda: lost.append(True))
        more = {"max_request_body_size": MAX_ENTRIES, "threads": 4, **server}
        running = opened.enter_context(served(app, **more))
        yield RunningNode(node, f"http://127.0.0.1:{running.port}", metrics, lost)


def feed(url: str, log: LedgerWorld) -> tuple[httpx.Response, httpx.Response]:
    """Bring a node up to the log, as its writer would: the last two answers."""
    note = log.objects.get(CHECKPOINT)
    size = Checkpoint.parse(Note.parse(note).text).size
    tiles = TileReader(log.objects.get, size)
    with httpx.Client(base_url=url, timeout=HANG, verify=TLS) as client:
        old, witnessed = 0, None
        for _ in range(2):
            proof = tuple(tiles.consistency_proof(old, size)) if old else ()
            body = AddCheckpoint(old=old, proof=proof, note=note).encode()
            witnessed = client.post("/add-checkpoint", content=body, headers={"Content-Type": PLAIN_TEXT})
            if witnessed.status_code != httpx.codes.CONFLICT:
                break
            old = int(witnessed.text)
        start, ticket = 0, b""
        for _ in range(1000):
            body = upload_header(ORIGIN, start, size, ticket) + b"".join(packages(tiles, start, size))
            mirrored = client.post("/add-entries", content=body, headers={"Content-Type": OCTETS})
            if mirrored.status_code not in (httpx.codes.ACCEPTED, httpx.codes.CONFLICT):
                break
            info = MirrorInfo.parse(mirrored.content)
            start, ticket = info.next_entry, info.ticket
    return witnessed, mirrored


__all__ = [
    "HASH",
    "ISSUER",
    "KEYS",
    "ORIGIN",
    "PublicLog",
    "RunningNode",
    "clock",
    "feed",
    "make_home",
    "node_of",
    "settings",
    "statement",
]
