"""Deposits at a steady rate while members die at random; then an auditor looks for what is lost, twice or unconfirmed.

SOAK_SECONDS and SOAK_RATE (deposits a second) lengthen it; SOAK_SEED repeats the deaths. `./run bench consortium
--soak 600` is ten minutes at a thousand a second.
"""

from __future__ import annotations

import os
import random
import secrets
import signal
import socket
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx
import pytest
from world.patience import HANG
from world.running import Running

from chopmark.ledger.audit import audit
from chopmark.ledger.checkpoint import Checkpoint
from chopmark.ledger.keys import VerifierKey
from chopmark.ledger.note import Note
from chopmark.ledger.policy import Policy
from chopmark.ledger.stores import CHECKPOINT
from chopmark.ledger.stores.files import FileObjects
from chopmark.ledger.stores.sql import sqlite_book
from chopmark.ledger.tiles import TileReader
from chopmark.ledger.tree import leaf_hash
from chopmark.site.members import LocalMember, members_of

pytestmark = pytest.mark.crash

SECONDS = float(os.environ.get("SOAK_SECONDS", "10"))
RATE = float(os.environ.get("SOAK_RATE", "200"))
SEED = int(os.environ.get("SOAK_SEED", "0")) or secrets.randbelow(1 << 32)
CLIENTS = 4
PER_CALL = 50
PATIENCE = HANG + SECONDS


class Depositor(threading.Thread):
    """Sends batches when they are due, and again, word for word, what was not answered."""

    def __init__(self, url: str, key: str, seed: int, rate: float) -> None:
        super().__init__(daemon=True)
        self._random = random.Random(seed)  # noqa: S311 (a repeatable load, no secret)
        self._http = httpx.Client(base_url=url, headers={"Authorization": f"Bearer {key}"}, timeout=HANG)
        self._pause = PER_CALL / rate
        self.acknowledged: dict[str, str] = {}  # digest to leaf
        self.refused: list[object] = []
        self.behind = 0.0  # seconds that it was late at worst
        self.ended = threading.Event()

    def run(self) -> None:
        due, waiting = time.monotonic(), list[dict[str, object]]()
        with self._http:
            while not self.ended.is_set() and not self.refused:
                self.behind = max(self.behind, time.monotonic() - due)
                self.ended.wait(due - time.monotonic())
                waiting = waiting or [self._item() for _ in range(PER_CALL)]
                if self._taken(waiting):
                    waiting = []
                    due += self._pause

    def _taken(self, items: list[dict[str, object]]) -> bool:
        try:
            answer = self._http.post("/api/v1/deposits/batch", json={"items": items})
        except httpx.HTTPError:
            time.sleep(0.1)
            return False
        if answer.status_code in (httpx.codes.TOO_MANY_REQUESTS, httpx.codes.SERVICE_UNAVAILABLE):
            time.sleep(0.1)
            return False
        if answer.status_code != httpx.codes.OK:
            self.refused.append(answer.text)
            return False
        for each in answer.json()["items"]:
            deposit = each.get("deposit")
            if not isinstance(deposit, dict):
                self.refused.append(each)
                return False
            digest, leaf = deposit["digests"]["sha-256"], deposit["leaf"]
            assert self.acknowledged.setdefault(digest, leaf) == leaf
        return True

    def _item(self) -> dict[str, object]:
        digest = self._random.randbytes(32).hex()
        return {"kind": "work", "digests": {"sha-256": digest}, "size": 1, "title": digest[:8]}


class Watcher(threading.Thread):
    """Keeps every checkpoint that anybody could have seen, in the order in which they were public."""

    def __init__(self, folder: Path) -> None:
        super().__init__(daemon=True)
        self._folder = folder
        self.seen: list[bytes] = []
        self.ended = threading.Event()

    def run(self) -> None:
        while not self.ended.wait(0.01):
            note = (self._folder / CHECKPOINT).read_bytes()
            if not self.seen or note != self.seen[-1]:
                self.seen.append(note)


class Reaper(threading.Thread):
    """Kills members, one or several at once, and lets some stand still for a while; the supervisor starts the dead."""

    def __init__(self, members: tuple[LocalMember, ...], seed: int) -> None:
        super().__init__(daemon=True)
        self._random = random.Random(seed)  # noqa: S311 (a repeatable run, no secret)
        self._members = members
        self.deaths: Counter[str] = Counter()
        self.halts = 0
        self.ended = threading.Event()

    def run(self) -> None:
        while not self.ended.wait(self._random.uniform(0.5, 4.0)):
            chosen = self._random.sample(self._members, self._random.choice((1, 1, 1, 2, 2, 4)))
            if self._random.random() < 0.75:
                for member in chosen:
                    self.deaths[member.name] += _signal(member, signal.SIGKILL)
            else:
                self._halt(chosen[0])

    def _halt(self, member: LocalMember) -> None:
        if _signal(member, signal.SIGSTOP):
            self.halts += 1
            self.ended.wait(self._random.uniform(0.5, 4.0))
            _signal(member, signal.SIGCONT)


def _signal(member: LocalMember, number: signal.Signals) -> bool:
    pid = member.pid
    if pid is None:
        return False
    with suppress(ProcessLookupError):
        os.kill(pid, number)
        return True
    return False


def test_while_members_die_nothing_is_lost_nothing_is_twice_and_no_checkpoint_lacks_the_quorum(tmp_path, capsys):
    chance = random.Random(SEED)  # noqa: S311 (a repeatable run, no secret)
    with platform(tmp_path / "home") as running:
        members = members_of(running.home)
        assert len(members) == 5
        watcher = Watcher(running.home / "log")
        reaper = Reaper(members, chance.randrange(1 << 32))
        depositors = [
            Depositor(running.url, running.api_key(), chance.randrange(1 << 32), RATE / CLIENTS) for _ in range(CLIENTS)
        ]
        for thread in (watcher, *depositors, reaper):
            thread.start()
        time.sleep(SECONDS)
        _until(lambda: reaper.deaths and sum(len(each.acknowledged) for each in depositors) > SECONDS * RATE / 4)
        for thread in (reaper, *depositors):
            thread.ended.set()
            thread.join(HANG)
            assert not thread.is_alive()
        _until(lambda: all(member.answers() for member in members))
        book = sqlite_book(running.home / "chopmark.db")
        _until(lambda: not book.pending_count())
        _until(lambda: _mirrored(running.home) == {book.head().size})
        watcher.ended.set()
        watcher.join(HANG)
        assert running.stop() == 0
    acknowledged = [leaf for each in depositors for leaf in each.acknowledged.values()]
    with capsys.disabled():
        told = ", ".join(f"{name} {count}" for name, count in sorted(reaper.deaths.items()))
        late = max(each.behind for each in depositors)
        sys.stdout.write(
            f"\nseed {SEED}: {len(acknowledged)} acknowledged in {SECONDS:g} s, at worst {late:.1f} s late; "
            f"{len(watcher.seen)} checkpoints seen; killed: {told}; stood still: {reaper.halts}\n"
        )
    assert [refusal for each in depositors for refusal in each.refused] == []
    _all_is_there_once_and_under_the_quorum(running.home, acknowledged, watcher.seen)


@contextmanager
def platform(home: Path) -> Iterator[Running]:
    """The platform with its five local members."""
    running = Running(home, _port())
    running.chopmark("init", "--local-members")
    running.chopmark("demo")
    running.start()
    try:
        running.wait_until_ready()
        _until(lambda: all(member.answers() for member in members_of(home)))
        yield running
    finally:
        if running.process is not None:
            running.kill()


def _mirrored(home: Path) -> set[int]:
    """The sizes that the members have cosigned as mirrors."""
    return {
        Checkpoint.parse(Note.parse(path.read_bytes()).text).size for path in home.glob("members/*/mirror/*/checkpoint")
    }


def _all_is_there_once_and_under_the_quorum(home: Path, acknowledged: list[str], seen: list[bytes]) -> None:
    files, book = FileObjects(home / "log"), sqlite_book(home / "chopmark.db")
    keys = [
        VerifierKey.parse((home / "keys" / name).read_text().strip()) for name in ("log.ed25519.pub", "log.mldsa44.pub")
    ]
    policy = Policy.parse((home / "consortium" / "policy").read_bytes())
    assert policy.quorum != "none"
    first = Checkpoint.parse(Note.parse(seen[0]).text).size
    recorded = [each for each in book.checkpoints(1 << 62, 1 << 30) if each.size >= first]
    leaves: Counter[str] = Counter()
    positions: dict[str, int] = {}

    def entry(position: int, raw: bytes) -> None:
        leaf = leaf_hash(raw).hex()
        leaves[leaf] += 1
        positions[leaf] = position

    found = audit(files.get, keys, older=[*(each.note for each in recorded), *seen], entry=entry, policy=policy)
    assert found.findings == ()
    assert not [leaf for leaf, count in leaves.items() if count != 1]
    assert not [leaf for leaf in acknowledged if leaves[leaf] != 1]
    known = book.positions([bytes.fromhex(leaf) for leaf in acknowledged])
    assert {leaf.hex(): position for leaf, position in known.items()} == {
        leaf: positions[leaf] for leaf in acknowledged
    }
    sizes = [Checkpoint.parse(Note.parse(note).text).size for note in seen]
    assert sizes == sorted(sizes)
    assert {each.size for each in recorded} >= set(sizes)
    _each_copy_is_the_same(home, files, keys)


def _each_copy_is_the_same(home: Path, files: FileObjects, keys: list[VerifierKey]) -> None:
    copies = list(home.glob("members/*/mirror/*"))
    assert len(copies) == 5
    for copy in copies:
        theirs = FileObjects(copy)
        found = audit(theirs.get, keys)
        assert found.findings == ()
        assert found.checkpoint is not None
        assert found.checkpoint.root == TileReader(files.get, found.checkpoint.size).root()
    assert [path for path in home.glob("members/*/alarms/*") if path.is_file()] == []


def _until(true) -> None:
    end = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < end
        time.sleep(0.1)


def _port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
