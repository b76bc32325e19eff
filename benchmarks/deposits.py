"""Deposits over HTTP, against the plainest view that could stand in their place, in the same run.

    ./run bench deposits [--json]

The platform runs as it is shipped: `chopmark init` and `chopmark serve` with one web worker and the one writer, in a
fresh home with its real settings (SQLite, synchronous=FULL). The peer is a Django view behind the same server with
the same database settings that reads a JSON body and inserts one row: no keys, no signature, no log.

Deposits a second are per second of wall time, with the clients on the same machine; CPU per deposit is that of the
web worker alone, which a busy machine disturbs least.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any
from uuid import uuid4

BIN = Path(sys.executable).parent
CLIENTS = 8
KEYS = 40  # one key may make 100 calls a second: as many callers as it takes
SINGLE = 1600
BATCHES = 60
PER_BATCH = 100
RECEIPTS = 30
PATIENCE = 60.0
TICKS = os.sysconf("SC_CLK_TCK")

PEER = """
import json
import django
from django.conf import settings
settings.configure(
    SECRET_KEY="x", ALLOWED_HOSTS=["*"], ROOT_URLCONF=__name__, MIDDLEWARE=[], USE_TZ=True,
    INSTALLED_APPS=["django.contrib.contenttypes"], DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": "peer.db", "CONN_MAX_AGE": None,
        "OPTIONS": {"transaction_mode": "IMMEDIATE", "timeout": 20,
            "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;"}}},
)
django.setup()
from django.core.wsgi import get_wsgi_application
from django.db import connection, models
from django.http import JsonResponse
from django.urls import path

class Row(models.Model):
    digest = models.CharField(max_length=64)
    title = models.CharField(max_length=300)
    size = models.BigIntegerField()
    class Meta:
        app_label = "peer"

def insert(request):
    body = json.loads(request.body)
    row = Row.objects.create(digest=body["digests"]["sha-256"], title=body["title"], size=body["size"])
    return JsonResponse({"id": row.pk}, status=201)

urlpatterns = [path("rows", insert)]
with connection.cursor() as cursor:
    if "peer_row" not in connection.introspection.table_names():
        with connection.schema_editor() as editor:
            editor.create_model(Row)
connection.close()
application = get_wsgi_application()
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """A running server.

    Attributes:
        worker: process id of its web worker.
    """

    port: int
    worker: int

    def cpu(self) -> float:
        """Seconds of CPU that the web worker has used, all threads."""
        fields = Path(f"/proc/{self.worker}/stat").read_text("ascii").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """One way of sending.

    Attributes:
        rate: things a second of wall time.
        cpu: microseconds of the web worker's CPU for each thing.
        latencies: seconds of each call, sorted.
    """

    rate: float
    cpu: float
    latencies: tuple[float, ...]

    def at(self, percent: int) -> float:
        """Milliseconds within which so many calls were answered."""
        return 1000 * self.latencies[min(len(self.latencies) - 1, len(self.latencies) * percent // 100)]


def main() -> None:
    """Print a table, or one JSON object a line."""
    for row in rows():
        if "--json" in sys.argv[1:]:
            print(json.dumps(row), flush=True)
        else:
            peer = f"   {row['peer']} {row['peer_value']:>10}   x{row['ratio']}" if row["peer"] else ""
            print(f"{row['name']:<62} {row['value']:>10} {row['unit']:<4}{peer}", flush=True)


def rows() -> Iterator[dict[str, Any]]:
    """Every measurement, as soon as it is made."""
    with tempfile.TemporaryDirectory(prefix="chopmark-bench-") as place, platform(Path(place)) as (server, keys):
        with plain_view(Path(place)) as peer:
            warm(peer, "/rows", [{}])
            warm(server, "/api/v1/deposits", [_bearer(keys[0].text)])
            bare = send(peer, "/rows", [{}], [_body(item(b"p%d" % n)) for n in range(SINGLE)])
            single = send(server, "/api/v1/deposits", _headers(keys), [_body(item(b"s%d" % n)) for n in range(SINGLE)])
        yield from _told("single", single, bare)
        made = [_batch(n, item) for n in range(BATCHES)]
        agent = send(server, "/api/v1/deposits/batch", _headers(keys), made, per_call=PER_BATCH)
        yield from _told("batches of 100, platform signs", agent, bare)
        sign = Signer(server, keys[0])
        own = [_batch(n, sign.item) for n in range(BATCHES)]
        signed = send(server, "/api/v1/deposits/batch", _headers(keys), own, per_call=PER_BATCH)
        yield from _told("batches of 100, depositor's signature verified", signed, bare)
        yield from receipts(server, keys)


def _told(name: str, ours: Measured, peer: Measured) -> Iterator[dict[str, Any]]:
    yield _row(f"deposits over HTTP, {name}", ours.rate, "/s", peer.rate)
    yield _row(f"CPU per deposit, {name}", ours.cpu, "us", peer.cpu)
    for percent in (50, 95, 99):
        yield _row(f"latency of a call p{percent}, {name}", ours.at(percent), "ms", peer.at(percent))


def _row(name: str, value: float, unit: str, peer: float | None = None) -> dict[str, Any]:
    return {
        "name": name,
        "value": round(value, 1),
        "unit": unit,
        "peer": "plain Django view, one row" if peer is not None else None,
        "peer_value": round(peer, 1) if peer is not None else None,
        "ratio": round(value / peer, 2) if peer else None,
    }


def receipts(server: Server, keys: Sequence[Any]) -> Iterator[dict[str, Any]]:
    """From the answer to a deposit until its receipt can be fetched, one at a time."""
    times = []
    line = HTTPConnection("127.0.0.1", server.port, timeout=PATIENCE)
    for n in range(RECEIPTS):
        headers = _headers(keys)[n % KEYS]
        body = _body(item(b"r%d" % n))
        made = json.loads(_call(line, "POST", "/api/v1/deposits", body, headers)[1])
        begin = time.monotonic()
        while _call(line, "GET", f"/api/v1/deposits/{made['id']}/receipt.cose", b"", headers)[0] != 200:
            time.sleep(0.01)
        times.append(time.monotonic() - begin)
    ready = Measured(rate=0, cpu=0, latencies=tuple(sorted(times)))
    for percent in (50, 95):
        yield _row(f"receipt ready after the deposit's answer p{percent}", ready.at(percent), "ms")


# ---- what is sent ----------------------------------------------------------------------------------------------------


def item(data: bytes) -> dict[str, Any]:
    """One deposit as a client sends it."""
    return {
        "kind": "work",
        "digests": {"sha-256": hashlib.sha256(data).hexdigest()},
        "size": len(data),
        "title": "Lantern over water",
        "author": "Mei Lan",
        "file_name": "lantern.png",
        "media_type": "image/png",
    }


class Signer:
    """A depositor with a key of its own, registered over the API."""

    def __init__(self, server: Server, key: Any) -> None:  # noqa: ANN401 (people's answer)
        from chopmark.ledger.statement import IssuerKey  # noqa: PLC0415 (after the home is made)

        self._key = IssuerKey.generate()
        line = HTTPConnection("127.0.0.1", server.port, timeout=PATIENCE)
        headers = _bearer(key.text)
        body = {"key": base64.b64encode(self._key.public.to_cose()).decode(), "name": "bench"}
        _call(line, "POST", "/api/v1/keys", _body(body), headers)
        self._me = json.loads(_call(line, "GET", "/api/v1/whoami", b"", headers)[1])

    def item(self, data: bytes) -> dict[str, Any]:
        """The deposit with a statement that the depositor signed."""
        from chopmark.base import clock  # noqa: PLC0415 (after the home is made)
        from chopmark.base.digests import digests_of  # noqa: PLC0415
        from chopmark.evidence.deposit import Draft, prepare  # noqa: PLC0415

        plain = item(b"own " + data)
        words = {name: plain[name] for name in ("kind", "title", "author", "file_name", "media_type")}
        prepared = prepare(
            Draft(digests=digests_of([b"own " + data]), **words),
            issuer=self._me["issuer"],
            subject=uuid4().urn,
            depositor="Bench",
            agent=False,
            policy=bytes.fromhex(self._me["policy"]),
            key=self._key,
            at=clock.now(),
        )
        return plain | {
            "statement": base64.b64encode(prepared.statement).decode(),
            "disclosures": [base64.b64encode(each.encode()).decode() for each in prepared.disclosures],
        }


def _batch(number: int, make: Callable[[bytes], dict[str, Any]]) -> bytes:
    return _body({"items": [make(b"b%d %d" % (number, n)) for n in range(PER_BATCH)]})


def _body(value: object) -> bytes:
    return json.dumps(value).encode()


def _bearer(text: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {text}"}


def _headers(keys: Sequence[Any]) -> list[dict[str, str]]:
    return [_bearer(each.text) for each in keys]


# ---- how it is sent --------------------------------------------------------------------------------------------------


def send(
    server: Server, path: str, headers: Sequence[dict[str, str]], bodies: Sequence[bytes], *, per_call: int = 1
) -> Measured:
    """All bodies, by some clients at once, each over a line that stays open."""
    waiting = iter(list(enumerate(bodies)))
    lock, latencies, refused = threading.Lock(), [], []

    def client() -> None:
        line = HTTPConnection("127.0.0.1", server.port, timeout=PATIENCE)
        line.connect()
        line.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        while True:
            with lock:
                number, body = next(waiting, (0, None))
            if body is None:
                return
            begin = time.monotonic()
            status, answer = _call(line, "POST", path, body, headers[number % len(headers)])
            latencies.append(time.monotonic() - begin)
            if status not in (200, 201) or b'"refused":0' not in answer + b'"refused":0' * (per_call == 1):
                refused.append((status, answer[:500]))

    clients = [threading.Thread(target=client) for _ in range(CLIENTS)]
    cpu, begin = server.cpu(), time.monotonic()
    for each in clients:
        each.start()
    for each in clients:
        each.join()
    wall, cpu = time.monotonic() - begin, server.cpu() - cpu
    if refused:
        raise SystemExit(f"{len(refused)} calls were refused, the first: {refused[0]}")
    count = len(bodies) * per_call
    return Measured(rate=count / wall, cpu=1e6 * cpu / count, latencies=tuple(sorted(latencies)))


def warm(server: Server, path: str, headers: Sequence[dict[str, str]]) -> None:
    """Let every thread of the server open its database and load its code."""
    send(server, path, headers, [_body(item(b"warm %d" % n)) for n in range(100)])


def _call(line: HTTPConnection, method: str, path: str, body: bytes, headers: dict[str, str]) -> tuple[int, bytes]:
    line.request(method, path, body or None, {"Content-Type": "application/json", **headers})
    answer = line.getresponse()
    return answer.status, answer.read()


# ---- what is sent to -------------------------------------------------------------------------------------------------


@contextmanager
def platform(place: Path) -> Iterator[tuple[Server, Sequence[Any]]]:
    """The whole platform in a fresh home, with an organisation's API keys."""
    port = _free_port()
    home = str(place / "home")
    os.environ.update(CHOPMARK_HOME=home, CHOPMARK_BASE_URL=f"http://localhost:{port}")
    subprocess.run([BIN / "chopmark", "init"], check=True, stdout=sys.stderr)
    keys = _keys()
    with _running([BIN / "chopmark", "serve", "--port", str(port)], place, port, "/healthz") as process:
        yield Server(port=port, worker=_worker(process.pid, "web")), keys


@contextmanager
def plain_view(place: Path) -> Iterator[Server]:
    """The peer, behind the same server with the same settings of threads."""
    (place / "peer.py").write_text(PEER, "utf-8")
    port = _free_port()
    arguments = ["--interface", "wsgi", "--port", str(port), "--workers", "1", "--blocking-threads", "8", "--no-ws"]
    with _running([BIN / "granian", *arguments, "peer:application"], place, port, "/") as process:
        yield Server(port=port, worker=_worker(process.pid, ""))


@contextmanager
def _running(command: Sequence[Path | str], place: Path, port: int, path: str) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(command, cwd=place, stdout=sys.stderr, start_new_session=True)
    try:
        _await(port, path)
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(PATIENCE)


def _await(port: int, path: str) -> None:
    until = time.monotonic() + PATIENCE
    while True:
        try:
            _call(HTTPConnection("127.0.0.1", port, timeout=5), "GET", path, b"", {})
        except (OSError, HTTPException):
            if time.monotonic() > until:
                raise
            time.sleep(0.1)
        else:
            return


def _keys() -> Sequence[Any]:
    from chopmark.cli.home import use_platform  # noqa: PLC0415 (after the home is made)

    use_platform()
    from chopmark.base import clock  # noqa: PLC0415 (needs the framework to be set up)
    from chopmark.people import actions as people  # noqa: PLC0415

    demo = people.open_account(
        "bench@example.com", "bench password", name="Bench", organisation="Bench", at=clock.now()
    )
    scopes = ["deposits:write", "deposits:read", "keys:write"]
    return [people.create_api_key(f"bench {n}", scopes, by=demo.actor, at=clock.now()) for n in range(KEYS)]


def _worker(root: int, named: str) -> int:
    """The youngest generation below a server: the process that runs the views (Linux)."""
    here = root
    while below := [pid for pid in _children(here) if _is(pid, named) or here != root]:
        here = below[-1]
    return here


def _children(pid: int) -> list[int]:
    text = Path(f"/proc/{pid}/task/{pid}/children").read_text("ascii")
    return [int(each) for each in text.split()]


def _is(pid: int, named: str) -> bool:
    words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    return named == "" or any(b"supervisor" in word for word in words)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


if __name__ == "__main__":
    main()
