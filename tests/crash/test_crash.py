"""The whole platform is killed with -9 at random moments under load, and nothing that it acknowledged is lost.

CRASH_SEED repeats a run; CRASH_ROUNDS shortens or lengthens it.
"""

from __future__ import annotations

import os
import random
import secrets
import socket
import sys
import threading
import time
from collections import Counter

import httpx
import pytest
from world.patience import HANG, until
from world.running import Running

from chopmark.ledger.audit import audit
from chopmark.ledger.keys import VerifierKey
from chopmark.ledger.stores.files import FileObjects
from chopmark.ledger.stores.sql import sqlite_book
from chopmark.ledger.tree import leaf_hash

pytestmark = pytest.mark.crash

ROUNDS = int(os.environ.get("CRASH_ROUNDS", "30"))
SEED = int(os.environ.get("CRASH_SEED", "0")) or secrets.randbelow(1 << 32)
CLIENTS = 2


class Client(threading.Thread):
    """Deposits without pause; sends again, word for word, what was not answered."""

    def __init__(self, url: str, key: str, seed: int) -> None:
        super().__init__(daemon=True)
        self._random = random.Random(seed)  # noqa: S311 (a repeatable load, no secret)
        self._http = httpx.Client(base_url=url, headers={"Authorization": f"Bearer {key}"}, timeout=HANG)
        self.acknowledged: dict[str, str] = {}  # digest to leaf
        self.refused: list[object] = []
        self.checkpoints: set[bytes] = set()
        self.ended = threading.Event()

    def run(self) -> None:
        with self._http:
            self._deposit()

    def _deposit(self) -> None:
        unanswered: list[dict[str, object]] = []
        while not self.ended.is_set():
            unanswered = unanswered or [self._item() for _ in range(self._random.randint(1, 20))]
            try:
                answer = self._http.post("/api/v1/deposits/batch", json={"items": unanswered})
                if answer.status_code == httpx.codes.OK:
                    self._note(answer.json()["items"])
                    unanswered = []
                elif answer.status_code not in (httpx.codes.TOO_MANY_REQUESTS, httpx.codes.SERVICE_UNAVAILABLE):
                    self.refused.append(answer.text)
                    return
                seen = self._http.get("/log/checkpoint")
                if seen.status_code == httpx.codes.OK:
                    self.checkpoints.add(seen.content)
            except httpx.HTTPError:
                time.sleep(0.1)

    def _item(self) -> dict[str, object]:
        digest = self._random.randbytes(32).hex()
        return {"kind": "work", "digests": {"sha-256": digest}, "size": 1, "title": digest[:8]}

    def _note(self, items: list[dict[str, object]]) -> None:
        for each in items:
            deposit = each.get("deposit")
            if not isinstance(deposit, dict):
                self.refused.append(each)
            else:
                digest, leaf = deposit["digests"]["sha-256"], deposit["leaf"]
                assert self.acknowledged.setdefault(digest, leaf) == leaf


def test_after_thirty_kills_every_acknowledged_deposit_is_there_once(tmp_path, capsys):
    chance = random.Random(SEED)  # noqa: S311 (a repeatable run, no secret)
    platform = Running(tmp_path / "home", _port())
    platform.chopmark("init")
    platform.chopmark("demo")
    clients = [Client(platform.url, platform.api_key(), chance.randrange(1 << 32)) for _ in range(CLIENTS)]

    def take(more: int) -> None:
        """Go on until so many more deposits are acknowledged: how long that takes is the machine's affair."""
        enough = sum(len(client.acknowledged) for client in clients) + more
        until(lambda: sum(len(client.acknowledged) for client in clients) >= enough)

    for client in clients:
        client.start()
    try:
        for round_number in range(ROUNDS):
            platform.start()
            if round_number % 5:
                platform.wait_until_ready()
                if round_number % 2:  # a slow machine, too, is killed at its work
                    take(1)
                time.sleep(chance.uniform(0.05, 1.5))
            else:
                time.sleep(chance.uniform(0.2, 4.0))  # at any moment of the start and recovery too
            platform.kill()
        platform.start()
        platform.wait_until_ready()
        take(ROUNDS)
        for client in clients:
            client.ended.set()
            client.join(HANG)
        _drain(platform)
        assert platform.stop() == 0
    finally:
        if platform.process is not None:
            platform.kill()
    acknowledged = [leaf for client in clients for leaf in client.acknowledged.values()]
    checkpoints = {note for client in clients for note in client.checkpoints}
    with capsys.disabled():
        sys.stdout.write(f"\nseed {SEED}: {len(acknowledged)} acknowledged, {len(checkpoints)} checkpoints seen\n")
    assert [refusal for client in clients for refusal in client.refused] == []
    assert len(acknowledged) > ROUNDS
    _everything_is_there_once(platform, acknowledged, checkpoints)


def _drain(platform: Running) -> None:
    """Wait until nothing waits for the writer."""
    book = sqlite_book(platform.home / "chopmark.db")
    until(lambda: not book.pending_count(), platform.logs)


def _everything_is_there_once(platform: Running, acknowledged: list[str], seen: set[bytes]) -> None:
    files = FileObjects(platform.home / "log")
    book = sqlite_book(platform.home / "chopmark.db")
    recorded = [each.note for each in book.checkpoints(1 << 62, 1 << 30)]
    keys = [
        VerifierKey.parse((platform.home / "keys" / name).read_text().strip())
        for name in ("log.ed25519.pub", "log.mldsa44.pub")
    ]
    leaves: Counter[str] = Counter()
    positions: dict[str, int] = {}

    def entry(position: int, raw: bytes) -> None:
        leaf = leaf_hash(raw).hex()
        leaves[leaf] += 1
        positions[leaf] = position

    found = audit(files.get, keys, older=[*recorded, *seen], entry=entry)
    assert found.findings == ()
    assert [leaf for leaf in acknowledged if leaves[leaf] != 1] == []
    known = book.positions([bytes.fromhex(leaf) for leaf in acknowledged])
    assert {leaf.hex(): position for leaf, position in known.items()} == {
        leaf: positions[leaf] for leaf in acknowledged
    }


def _port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
