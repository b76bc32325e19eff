"""A member that opens no inbound port, in a real consortium: it counts in the quorum, catches up, and seals roots."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from contextlib import ExitStack, contextmanager
from functools import partial

import httpx
import pytest
from world.ledger import ORIGIN, VERIFIERS, Clock
from world.node import PublicLog, make_home, never
from world.patience import HANG, until
from world.running import Running

from chopmark.base.errors import Unavailable
from chopmark.ledger.card import MIRROR
from chopmark.ledger.checkpoint import open_checkpoint
from chopmark.ledger.consortium import Consortium
from chopmark.ledger.cose import PublicKey
from chopmark.ledger.cose_receipt import SealedRoot
from chopmark.ledger.keys import ED25519_COSIGNATURE
from chopmark.ledger.policy import Policy
from chopmark.ledger.stores.files import FileObjects
from chopmark.ledger.stores.sql import sqlite_book
from chopmark.member.keys import KeyReader
from chopmark.member.metrics import Metrics
from chopmark.member.relay import Puller, RelayServer
from chopmark.member.server import open_node
from chopmark.member.settings import held
from chopmark.member.web import application, call
from chopmark.site.supervisor import free_port

COMMAND = [sys.executable, "-m", "chopmark.site.command"]


# ---- in this process, over real sockets ------------------------------------------------------------------------------


class Closed:
    """A court behind a wall: it listens to nothing and asks the relay."""

    def __init__(self, folder, opened: ExitStack) -> None:
        home, self.card = make_home(folder, url=None)
        opened.enter_context(held(home))
        self.node = open_node(home, KeyReader(never))
        opened.callback(self.node.close)
        self.app = application(self.node, Metrics(), lambda: None)

    @contextmanager
    def pulling(self, port: int):
        """Ask the relay on this port; what went wrong, None for well again."""
        stop, troubles = threading.Event(), []
        with httpx.Client(timeout=HANG, trust_env=False) as client:
            answer = partial(call, self.app)
            puller = Puller(f"http://127.0.0.1:{port}", self.card.name, self.node.node_key, ORIGIN, answer, client)
            thread = threading.Thread(target=puller.run, args=(stop, troubles.append), daemon=True)
            thread.start()
            try:
                yield troubles
            finally:
                stop.set()
                thread.join(HANG)
                assert not thread.is_alive()


@pytest.fixture
def closed(tmp_path):
    with ExitStack() as opened:
        yield Closed(tmp_path / "court", opened)


class Unclosed:
    """A consortium that outlives each writer."""

    def __init__(self, consortium: Consortium) -> None:
        self.gather, self.follow, self.states = consortium.gather, consortium.follow, consortium.states

    def close(self) -> None:
        """Left open for the next writer."""


def policy_of(card) -> Policy:
    """Nothing is published without this member."""
    lines = [f"log {key}" for key in VERIFIERS]
    lines += [f"witness {number} {key}" for number, key in enumerate(card.cosigning_keys)]
    lines += ["group court any 0 1", "quorum court", ""]
    return Policy.parse("\n".join(lines).encode())


@contextmanager
def relayed(log: PublicLog, card, *, port: int = 0, patience: float = HANG):
    """The writer's side: a relay, and a consortium of this one member over it."""
    server = RelayServer(ORIGIN, "127.0.0.1", port, poll=0.3)
    server.relay.adopt([card])
    links = [*server.relay.links.values()]
    consortium = Consortium(policy_of(card), [card], links, log.objects, Clock(), patience=patience, grace=20.0)
    log.cosigners = Unclosed(consortium)
    try:
        yield server
    finally:
        server.close()  # first, so that couriers wait for no answer
        consortium.close()


def test_a_member_without_a_port_catches_up_from_zero_cosigns_and_seals_the_root(closed):
    log = PublicLog()
    log.add(*range(700))
    with relayed(log, closed.card) as server, closed.pulling(server.port) as troubles:
        log.add(*range(700, 720))
    checkpoint, signatures = open_checkpoint(log.note, closed.card.cosigning_keys)
    assert (checkpoint.size, len(signatures)) == (720, 2)
    [held_log] = closed.node.logs
    assert (held_log.mirrored().size, held_log.mirrored().root) == (720, checkpoint.root)
    [sealing] = [key for key in closed.card.keys_of(MIRROR) if key.type == ED25519_COSIGNATURE]
    [seal] = log.book.latest().member_seals
    SealedRoot.parse(seal).verify(checkpoint.root, PublicKey.ed25519(sealing.public))
    assert troubles == []


def test_a_relay_that_was_away_and_cards_read_anew_lose_nothing(closed):
    log = PublicLog()
    with relayed(log, closed.card) as first:
        port = first.port
        with closed.pulling(port) as troubles:
            log.add(1)
            first.relay.adopt([])  # as when a member is retired
            until(lambda: troubles)
            first.close()
            with relayed(log, closed.card, port=port):
                log.add(2)
            until(lambda: troubles[-1] is not None)
            with relayed(log, closed.card, port=port):
                log.add(3)
    assert closed.node.logs[0].mirrored().size == 3
    assert {error.code for error in troubles if error is not None} == {"member.relay_silent"}
    assert None in troubles


def test_without_the_member_nothing_is_published_and_with_it_what_waited_is(closed):
    log = PublicLog()
    with relayed(log, closed.card, patience=0.2) as server:
        with pytest.raises(Unavailable, match="quorum_missing"):
            log.add(1)
        assert not log.shown
        with closed.pulling(server.port):
            until(lambda: _written(log))
    assert closed.node.logs[0].mirrored().size == 1


def _written(log: PublicLog) -> bool:
    writer = log.log()
    try:
        writer.recover()
    except Unavailable:
        return False
    return True


# ---- the programs ----------------------------------------------------------------------------------------------------


class Platform(Running):
    """A home and its writer alone, with a relay."""

    def __init__(self, folder) -> None:
        super().__init__(folder / "platform", 0)
        self.folder = folder
        self.relay = free_port("127.0.0.1", None, 17000, 17999)  # none that the system gives to whoever asks
        self.running: dict[str, subprocess.Popen[bytes]] = {}

    def begin(self, name: str, *arguments: str, **more: str) -> None:
        with (self.folder / f"{name}.out").open("ab") as lines:
            self.running[name] = subprocess.Popen(
                [*COMMAND, *arguments], env=self.environment | more, stdout=lines, stderr=lines
            )

    def begin_writer(self) -> None:
        self.begin("writer", "sequencer", CHOPMARK_RELAY=f"127.0.0.1:{self.relay}")

    def begin_member(self) -> None:
        self.begin("court", "member", "serve", "--home", str(self.folder / "court"))

    def cut_off(self, name: str) -> None:
        self.running[name].kill()
        self.running.pop(name).wait(HANG)

    def deposit(self, text: str) -> str:
        file = self.folder / f"{text}.txt"
        file.write_text(text)
        [made] = json.loads(self.chopmark("deposit", str(file), "--no-wait", "--json").stdout)
        return str(made["number"])

    def waits(self) -> bool:
        return bool(sqlite_book(self.home / "chopmark.db").pending_count())

    def has_receipt(self, number: str) -> bool:
        target = self.folder / number
        return not self.chopmark("receipt", number, "--output", str(target), "--force", check=False).returncode

    def shown(self) -> bytes:
        return FileObjects(self.home / "log").get("checkpoint")


@pytest.fixture
def platform(tmp_path):
    made = Platform(tmp_path)
    yield made
    for name in list(made.running):
        made.cut_off(name)
        sys.stdout.write((tmp_path / f"{name}.out").read_text())  # shown when the test fails


@pytest.mark.crash
def test_a_court_behind_a_wall_is_founded_killed_and_brought_back_like_any_other(platform):
    platform.chopmark("init", "--quiet")
    platform.chopmark("demo", "--quiet")
    court = platform.folder / "court"
    platform.chopmark(
        *("member", "init", "--name", "hangzhou", "--kind", "court", "--zh", "杭州互联网法院", "--en", "Hangzhou"),
        *("--host-id", "hangzhou.test", "--listen", f"127.0.0.1:{free_port('127.0.0.1', 0)}", "--home", str(court)),
        *("--log", str(platform.home / "trust.policy"), "--log-url", "http://127.0.0.1:9/log"),
        *("--relay", f"http://127.0.0.1:{platform.relay}"),
    )
    assert json.loads((court / "card.json").read_text())["url"] is None
    platform.begin_writer()
    platform.begin_member()
    platform.chopmark("consortium", "add", str(court / "card.json"), "--wait", str(HANG))
    platform.chopmark("consortium", "policy", "1 of hangzhou", "--wait", str(HANG))
    until((platform.home / "consortium" / "policy").is_file)

    one = platform.deposit("one")
    until(lambda: not platform.waits())
    assert platform.has_receipt(one)
    assert "— hangzhou.test/mirror ".encode() in platform.shown()

    platform.cut_off("court")
    two = platform.deposit("two")
    until(lambda: b"ledger.quorum_missing" in (platform.folder / "writer.out").read_bytes())
    assert not platform.has_receipt(two)
    platform.begin_member()
    until(lambda: not platform.waits())
    assert platform.has_receipt(two)

    platform.cut_off("writer")
    platform.begin_writer()
    three = platform.deposit("three")
    until(lambda: not platform.waits())
    assert platform.has_receipt(three)

    platform.running["court"].terminate()
    assert platform.running["court"].wait(HANG) == os.EX_OK
    audited = json.loads(platform.chopmark("member", "audit", "--home", str(court), "--json").stdout)
    assert audited[0]["passed"]
