"""A platform and five members, each a process of its own: from a deposit to its receipt under the quorum.

    ./run bench consortium [--json] [--seconds N]
    ./run bench consortium --soak SECONDS [--rate N]     tests/crash/test_soak.py, longer

Everything runs as it is shipped and on this one machine: `chopmark init --local-members`, `chopmark serve`, and the
clients beside them. Calls are due at fixed times, whether earlier ones were answered or not; a deposit's time runs
from the moment at which its call was due until its checkpoint is settled under the quorum, from when on its receipt
is handed out. Some receipts are then fetched and judged under the policy.

    100/s      calls of 10          1,000/s    calls of 50          3,000/s    calls of 100

Catch-up: one member, from zero, takes a log of 256-byte entries from our courier over loopback, all durable and
cosigned. The peer is aics-tlog's directory writer, which appends the same entries to files in the same run, in
batches of the same size: it neither receives, verifies a proof, nor signs.

What was expected before the first measurement (2 cores): 100/s p95 0.8 s; 1,000/s p95 1.5 s; 3,000/s not reached,
about 1,500/s with seconds of delay, because seven processes share two cores; a member's CPU 60 s and disk 900 MB for a
million entries; catch-up 80,000 entries a second. What was found is in docs/interop.md.
"""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any

from chopmark.base import clock
from chopmark.ledger.card import Card
from chopmark.ledger.checkpoint import Checkpoint, sign_checkpoint
from chopmark.ledger.consortium import Consortium
from chopmark.ledger.keys import ED25519, SigningKey
from chopmark.ledger.note import Note
from chopmark.ledger.policy import Policy
from chopmark.ledger.proof import TlogProof
from chopmark.ledger.stores.memory import MemoryObjects
from chopmark.ledger.stores.sql import sqlite_book
from chopmark.ledger.tiles import Edge, integrate
from chopmark.member.client import HttpLink
from chopmark.site.members import LocalMember, members_of
from chopmark.site.supervisor import free_port

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent
TICKS = os.sysconf("SC_CLK_TCK")
LOG = SigningKey(name="log.bench/catch-up", type=ED25519, seed=bytes(32))
RATES = ((100, 10), (1000, 50), (3000, 100))  # deposits a second, and deposits in a call
WARM = 200
SECONDS = 20.0
SENDERS = 8
KEYS = 8  # one key may make 100 calls a second
SAMPLE = 20
PATIENCE = 180.0
HISTORY = 400_000
ENTRY_SIZE = 256
BATCH = 8192  # what one add-entries request carries


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What the members have used until a moment.

    Attributes:
        cpu: seconds, all members together.
        disk: bytes of their homes, in whole blocks of the file system.
        entries: what one of them holds.
    """

    cpu: float
    disk: int
    entries: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """One call that was answered: when it was due, and the leaves and names of its deposits."""

    due: float
    leaves: tuple[bytes, ...]
    ids: tuple[str, ...]


def main() -> None:
    """Print a table, one JSON object a line, or run the soak."""
    if "--soak" in sys.argv:
        sys.exit(soak(_option("--soak", 600.0), _option("--rate", 1000.0)))
    for row in rows(_option("--seconds", SECONDS)):
        if "--json" in sys.argv[1:]:
            print(json.dumps(row), flush=True)
        else:
            peer = f"   {row['peer']} {row['peer_value']:>10}   x{row['ratio']}" if row["peer"] else ""
            print(f"{row['name']:<66} {row['value']:>10} {row['unit']:<12}{peer}", flush=True)


def _option(name: str, otherwise: float) -> float:
    return float(sys.argv[sys.argv.index(name) + 1]) if name in sys.argv else otherwise


def soak(seconds: float, rate: float) -> int:
    """The test, for longer; its exit status."""
    environment = os.environ | {"SOAK_SECONDS": str(seconds), "SOAK_RATE": str(rate)}
    command = [sys.executable, "-m", "pytest", "-q", "tests/crash/test_soak.py"]
    return subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode


def rows(seconds: float) -> Iterator[dict[str, Any]]:
    """Every measurement, as soon as it is made."""
    with tempfile.TemporaryDirectory(prefix="chopmark-bench-") as place:
        yield from catch_up(Path(place))
    with tempfile.TemporaryDirectory(prefix="chopmark-bench-") as place, platform(Path(place)) as site:
        site.send(WARM, 10, 5.0)
        site.settled()
        before = site.usage()
        for rate, per_call in RATES:
            yield from offered(site, rate, per_call, seconds)
        yield from members_used(before, site.usage())


def _row(name: str, value: float, unit: str, peer: str | None = None, peer_value: float = 0.0) -> dict[str, Any]:
    return {
        "name": name,
        "value": round(value, 1),
        "unit": unit,
        "peer": peer,
        "peer_value": round(peer_value, 1) if peer is not None else None,
        "ratio": round(value / peer_value, 2) if peer is not None else None,
    }


# ---- deposits until their receipts -----------------------------------------------------------------------------------


def offered(site: Site, rate: int, per_call: int, seconds: float) -> Iterator[dict[str, Any]]:
    """Deposits at a rate: how long each waited for its receipt."""
    watch = Watch(site.book)
    watch.start()
    begin = time.monotonic()
    sent = site.send(rate, per_call, seconds)
    taken = time.monotonic() - begin
    site.settled()
    settled = time.monotonic() - begin
    watch.ended.set()
    watch.join()
    places = site.book().positions([leaf for each in sent for leaf in each.leaves])
    waits = sorted(watch.public(places[leaf]) - each.due for each in sent for leaf in each.leaves)
    name, count = f"{rate:,} deposits/s offered", len(waits)
    yield _row(f"{name}: taken", count / taken, "/s")
    yield _row(f"{name}: with receipts, until the last", count / settled, "/s")
    for percent in (50, 95, 99):
        yield _row(
            f"{name}: receipt with quorum p{percent}", 1000 * waits[min(count - 1, count * percent // 100)], "ms"
        )
    yield _row(f"{name}: entries in a checkpoint", count / max(1, len(watch.sizes)), "")
    chosen = [one for each in sent for one in each.ids][:: max(1, count // SAMPLE)]
    yield _row(f"{name}: receipts fetched, each under the quorum", site.judged(chosen), "")


class Watch(threading.Thread):
    """Notes when each checkpoint was settled: from then on receipts are handed out."""

    def __init__(self, book: Callable[[], Any]) -> None:
        super().__init__(daemon=True)
        self._book = book
        self.sizes: list[int] = []
        self._times: list[float] = []
        self.ended = threading.Event()

    def run(self) -> None:
        """Look a hundred times a second."""
        book = self._book()
        last = latest.size if (latest := book.latest()) is not None else 0
        over = False
        while not over:
            over = self.ended.wait(0.01)  # and one look more
            latest = book.latest()
            if latest is not None and latest.size > last:
                last = latest.size
                self.sizes.append(last)
                self._times.append(time.monotonic())

    def public(self, position: int) -> float:
        """When the first checkpoint behind a position was there."""
        return self._times[bisect_right(self.sizes, position)]


class Site:
    """The platform with its members, as a client and as its operator see it."""

    def __init__(self, home: Path, port: int, keys: Sequence[str]) -> None:
        self._home = home
        self._port = port
        self._keys = keys
        self._number = 0
        self._members = members_of(home)

    def book(self) -> Any:  # noqa: ANN401 (the store's own type is of no interest here)
        """The database side of the log."""
        return sqlite_book(self._home / "chopmark.db")

    def send(self, rate: int, per_call: int, seconds: float) -> list[Sent]:
        """Deposits at a rate, each call at its time or as soon after as a sender is free."""
        bodies = [self._body(per_call) for _ in range(int(rate * seconds / per_call))]
        begin = time.monotonic() + 0.2
        waiting = iter([(begin + n * per_call / rate, n, body) for n, body in enumerate(bodies)])
        lock, sent, refused = threading.Lock(), list[Sent](), list[object]()

        def sender() -> None:
            line = HTTPConnection("127.0.0.1", self._port, timeout=PATIENCE)
            while not refused:
                with lock:
                    due, number, body = next(waiting, (0.0, 0, b""))
                if not body:
                    return
                time.sleep(max(0.0, due - time.monotonic()))
                status, answer = self._call(line, "POST", "/api/v1/deposits/batch", number, body)
                made = [each.get("deposit") for each in json.loads(answer)["items"]] if status == 200 else [None]
                if not all(made):
                    refused.append((status, answer[:500]))
                    return
                leaves = tuple(bytes.fromhex(each["leaf"]) for each in made)
                sent.append(Sent(due=due, leaves=leaves, ids=tuple(each["id"] for each in made)))

        senders = [threading.Thread(target=sender) for _ in range(SENDERS)]
        for each in senders:
            each.start()
        for each in senders:
            each.join()
        if refused:
            raise SystemExit(f"a call was refused: {refused[0]}")
        return sent

    def settled(self) -> None:
        """Wait until every deposit has its receipt and every member has come up."""
        book = self.book()
        _until(lambda: not book.pending_count())

    def judged(self, ids: Sequence[str]) -> int:
        """How many of these receipts are true under the policy; one that is not ends the run."""
        policy = Policy.parse((self._home / "consortium" / "policy").read_bytes())
        line = HTTPConnection("127.0.0.1", self._port, timeout=PATIENCE)
        for number, one in enumerate(ids):
            status, answer = self._call(line, "GET", f"/api/v1/deposits/{one}/receipt.tlog-proof", number)
            if status != 200 or not policy.open(TlogProof.parse(answer).checkpoint)[1].accepted:
                raise SystemExit(f"no receipt under the quorum: {status} {answer[:500]!r}")
        return len(ids)

    def usage(self) -> Usage:
        """What the members have used so far."""
        head = self.book().head().size
        _until(lambda: all(held(each) == head for each in self._members))
        return Usage(
            cpu=sum(cpu_of(each.pid or 0) for each in self._members),
            disk=sum(disk_of(each.folder) for each in self._members),
            entries=head,
        )

    def _body(self, count: int) -> bytes:
        self._number += count
        return json.dumps({"items": [_item(self._number + each) for each in range(count)]}).encode()

    def _call(self, line: HTTPConnection, method: str, path: str, number: int, body: bytes = b"") -> tuple[int, bytes]:
        headers = {
            "Content-Type": "application/json",
            "Authorization": f"Bearer {self._keys[number % len(self._keys)]}",
        }
        line.request(method, path, body or None, headers)
        answer = line.getresponse()
        return answer.status, answer.read()


def _item(number: int) -> dict[str, Any]:
    return {
        "kind": "work",
        "digests": {"sha-256": hashlib.sha256(b"%d" % number).hexdigest()},
        "size": 8,
        "title": "Lantern over water",
        "author": "Mei Lan",
        "file_name": "lantern.png",
        "media_type": "image/png",
    }


# ---- what members use ------------------------------------------------------------------------------------------------


def members_used(before: Usage, after: Usage) -> Iterator[dict[str, Any]]:
    """CPU and disk of one member for a million entries, from all that was offered."""
    share = 1e6 / (after.entries - before.entries) / 5
    yield _row("a member's CPU for a million deposits, as they came", (after.cpu - before.cpu) * share, "s")
    yield _row("a member's disk for a million deposits, as they came", (after.disk - before.disk) * share / 1e6, "MB")


def held(member: LocalMember) -> int:
    """The size that a member has cosigned as a mirror."""
    notes = list(member.folder.glob("mirror/*/checkpoint"))
    return Checkpoint.parse(Note.parse(notes[0].read_bytes()).text).size if notes else 0


def cpu_of(pid: int) -> float:
    """Seconds of CPU that a process has used, all threads (Linux)."""
    fields = Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def disk_of(folder: Path) -> int:
    """Bytes that a folder takes, in whole blocks."""
    return sum(path.stat().st_blocks * 512 for path in folder.rglob("*") if path.is_file())


# ---- catch-up --------------------------------------------------------------------------------------------------------


def catch_up(place: Path) -> Iterator[dict[str, Any]]:
    """One member takes a whole log from our courier; a directory writer takes the same entries."""
    entries = [os.urandom(ENTRY_SIZE) for _ in range(HISTORY)]
    objects, edge = MemoryObjects(), Edge()
    for here in range(0, HISTORY, BATCH):
        edge, files = integrate(edge, entries[here : here + BATCH])
        objects.put(files)
    with one_member(place) as member:
        begin, cpu = time.monotonic(), cpu_of(member.process)
        deliver(member.card, objects, edge)
        ours, cpu = HISTORY / (time.monotonic() - begin), cpu_of(member.process) - cpu
    theirs = directory_writer(place / "peer", entries)
    name = f"catch-up of a mirror from zero, {HISTORY:,} entries of {ENTRY_SIZE} bytes"
    yield _row(name, ours, "entries/s", "aics-tlog into a directory", theirs)
    yield _row("the same: the member's CPU for a million entries", cpu * 1e6 / HISTORY, "s")
    yield _row("the same: the member's disk for a million entries", disk_of(member.home) / HISTORY, "MB")


@dataclass(frozen=True, slots=True, kw_only=True)
class OneMember:
    """A member alone, in its process."""

    home: Path
    card: Card
    process: int


def deliver(card: Card, objects: MemoryObjects, edge: Edge) -> None:
    """Our courier brings the log to the member until its mirror's keys have signed."""
    lines = [f"witness w{number} {key}" for number, key in enumerate(card.cosigning_keys)]
    policy = Policy.parse("\n".join([f"log {LOG.verifier}", *lines, "quorum w0"]).encode())
    checkpoint = Checkpoint(origin=LOG.name, size=edge.size, root=edge.root())
    signed = sign_checkpoint(checkpoint, [LOG], clock.now())
    with HttpLink(card.name, card.url or "") as link:
        couriers = Consortium(policy, [card], [link], objects, clock.now, patience=PATIENCE)
        try:
            couriers.gather(signed, checkpoint)
        finally:
            couriers.close()


@contextmanager
def one_member(place: Path) -> Iterator[OneMember]:
    """A new member that holds one log."""
    home, port = place / "member", free_port("127.0.0.1", None, 20_000, 20_999)
    (place / "vkey").write_text(f"{LOG.verifier}\n", "utf-8")
    made = [
        "init", "--home", home, "--name", "court", "--kind", "court", "--zh", "法院", "--en", "Court", "--quiet",
        "--listen", f"127.0.0.1:{port}", "--url", f"http://127.0.0.1:{port}", "--interval", "86400",
        "--log", place / "vkey", "--log-url", "http://127.0.0.1:9",
    ]  # fmt: skip
    subprocess.run([BIN / "chopmark", "member", *made], check=True, stdout=sys.stderr)
    with _running([BIN / "chopmark", "member", "serve", "--quiet", "--home", home], port) as process:
        yield OneMember(home=home, card=Card.parse((home / "card.json").read_bytes()), process=process.pid)


def directory_writer(folder: Path, entries: Sequence[bytes]) -> float:
    """Entries a second that aics-tlog appends."""
    subprocess.run([ROOT / "scripts" / "foreign.sh"], check=True)
    sys.path.append(str(ROOT / ".venv-foreign"))
    from aics_tlog import DirectoryTileStore, IncrementalTileWriter  # noqa: PLC0415 (installed only now)

    writer = IncrementalTileWriter(DirectoryTileStore(folder))
    begin = time.monotonic()
    for here in range(0, len(entries), BATCH):
        writer.append(entries[here : here + BATCH])
    return len(entries) / (time.monotonic() - begin)


# ---- processes -------------------------------------------------------------------------------------------------------


@contextmanager
def platform(place: Path) -> Iterator[Site]:
    """The whole platform with five members in a fresh home."""
    port, home = free_port("127.0.0.1", None, 18_000, 18_999), place / "home"
    os.environ.update(CHOPMARK_HOME=str(home), CHOPMARK_BASE_URL=f"http://localhost:{port}")
    subprocess.run([BIN / "chopmark", "init", "--local-members"], check=True, stdout=sys.stderr)
    keys = _keys()
    with _running([BIN / "chopmark", "serve", "--quiet", "--port", str(port)], port, "/healthz"):
        _until(lambda: all(each.answers() for each in members_of(home)))
        yield Site(home, port, keys)


def _keys() -> list[str]:
    from chopmark.cli.home import use_platform  # noqa: PLC0415 (after the home is made)

    use_platform()
    from chopmark.people import actions as people  # noqa: PLC0415 (needs the framework to be set up)

    account = people.open_account(
        "bench@example.com", "bench password", name="Bench", organisation="Bench", at=clock.now()
    )
    scopes = ["deposits:write", "deposits:read"]
    return [people.create_api_key(f"bench {n}", scopes, by=account.actor, at=clock.now()).text for n in range(KEYS)]


@contextmanager
def _running(command: Sequence[Path | str], port: int, path: str = "/") -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(command, stdout=sys.stderr, start_new_session=True)
    try:
        _until(lambda: _answers(port, path))
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(PATIENCE)


def _answers(port: int, path: str) -> bool:
    line = HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        line.request("GET", path)
        return line.getresponse().status == 200
    except (OSError, HTTPException):
        return False
    finally:
        line.close()


def _until(true: Callable[[], object]) -> None:
    end = time.monotonic() + PATIENCE
    while not true():
        if time.monotonic() > end:
            raise SystemExit("it took too long")
        time.sleep(0.05)


if __name__ == "__main__":
    main()
