"""What a node does by itself: it follows the log, learns keys, keeps its index, and knows when it must end."""

from __future__ import annotations

import hashlib
import sqlite3
import threading
from contextlib import contextmanager

import pytest
from world.ledger import ORIGIN
from world.node import HASH, ISSUER, PublicLog, feed, make_home, node_of, statement
from world.patience import until

from chopmark.base.errors import Invalid, Unavailable
from chopmark.ledger.alarm import REWOUND, Alarm
from chopmark.ledger.policy import Policy
from chopmark.ledger.stores import DurabilityLost
from chopmark.member.alarms import AlarmBox
from chopmark.member.fetch import Fetcher
from chopmark.member.index import Index
from chopmark.member.known import KnownKeys
from chopmark.member.serving import served
from chopmark.member.watch import Watcher


@pytest.fixture
def log():
    made = PublicLog()
    made.add(*range(30))
    return made


@contextmanager
def watched(node, log, **changed):
    lost, broken = [], []
    fetch = changed.get("fetch", lambda _address: log.objects.get)
    watcher = Watcher(node.node, node.metrics, fetch, lost.append, lambda: broken.append(True))
    watcher.start()
    try:
        yield lost, broken
    finally:
        watcher.stop()


@pytest.fixture
def node(tmp_path):
    with node_of(make_home(tmp_path / "home")[0]) as running:
        yield running


def test_a_log_that_keeps_its_word_raises_no_alarm(node, log):
    feed(node.url, log)
    held = node.node.logs[0]
    with watched(node, log):
        until(lambda: held.watching.at is not None and node.node.index.reached(HASH) == 30)
        log.add(*range(30, 40))
        feed(node.url, log)
        until(lambda: held.watching.size == 40 and node.node.index.reached(HASH) == 40)
    assert (held.watching.trouble, node.node.alarms.all()) == (None, [])
    assert node.node.known.kept(ISSUER.public.thumbprint) == ISSUER.public


def test_a_log_that_goes_back_is_found_out(node, log):
    small = log.note
    log.add(*range(30, 40))
    feed(node.url, log)
    with watched(node, log):
        until(lambda: node.node.logs[0].watching.size == 40)
        log.objects.put({"checkpoint": small})
        until(lambda: any(alarm.code == REWOUND for alarm in node.node.alarms.all()))


def test_a_silent_log_is_trouble_and_no_alarm_yet(node, log):
    def fetch(_path):
        raise Unavailable("member.log_silent", address="a", reason="b")

    with watched(node, log, fetch=lambda _address: fetch):
        until(lambda: node.node.logs[0].watching.trouble is not None)
    assert node.node.logs[0].watching.trouble == "member.log_silent"
    assert node.node.alarms.all() == []


def test_a_bug_in_a_round_is_not_the_last_round(node, log):
    calls = []

    def fetch(path):
        calls.append(path)
        if len(calls) < 3:
            raise RuntimeError("a bug")
        return log.objects.get(path)

    with watched(node, log, fetch=lambda _address: fetch):
        until(lambda: node.node.logs[0].watching.at is not None)
    assert len(calls) >= 3


def test_a_policy_given_later_is_watched_for(node, log, tmp_path):
    feed(node.url, log)
    key = node.node.card.cosigning_keys[0]
    policy = f"witness a {key}\nquorum a\n".encode()
    assert Policy.parse(policy)
    with watched(node, log):
        until(lambda: node.node.logs[0].watching.at is not None)
        node.node.home.write(node.node.home.policy_file(ORIGIN), policy)
        until(lambda: any(alarm.code == "ledger.alarm_no_quorum" for alarm in node.node.alarms.all()))


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_disk_that_does_not_confirm_in_the_background_ends_the_process_too(node, log, monkeypatch):
    def broken(*_args):
        raise DurabilityLost("fsync")

    monkeypatch.setattr(node.node.logs[0], "watch", broken)
    with watched(node, log) as (_, lost):
        until(lambda: lost)


def test_an_index_is_made_again_when_it_is_damaged_or_gone(tmp_path):
    path = tmp_path / "index.db"
    index = Index(path)
    index.add(HASH, 0, [statement(1), b"no statement"])
    index.close()
    path.write_bytes(b"garbage" * 1000)
    index = Index(path)
    assert (index.reached(HASH), index.find(HASH, hashlib.sha256(b"1").digest())) == (0, [])
    index.add(HASH, 0, [statement(1), b"no statement"])
    assert index.find(HASH, hashlib.sha256(b"1").digest()) == [0]
    index.close()
    with sqlite3.connect(path) as database:
        database.execute("DROP TABLE reached")
    database.close()
    assert Index(path).reached(HASH) == 0


def test_an_index_takes_entries_in_their_order_alone(tmp_path):
    index = Index(tmp_path / "index.db")
    index.add(HASH, 1, [statement(1)])
    assert index.reached(HASH) == 0
    index.add(HASH, 0, [statement(1)])
    index.add(HASH, 0, [statement(2)])
    assert (index.reached(HASH), index.find(HASH, hashlib.sha256(b"2").digest())) == (1, [])
    index.close()


def test_a_private_statement_is_not_found_by_what_it_commits_to(tmp_path):
    index = Index(tmp_path / "index.db")
    index.add(HASH, 0, [statement(1, private=True)])
    assert index.find(HASH, hashlib.sha256(b"1").digest()) == []
    index.close()


def test_an_index_ahead_of_its_mirror_begins_anew(node, log):
    feed(node.url, log)
    node.node.index.add(HASH, 0, [b"x"] * 100)
    node.node.logs[0].index_more(threading.Event())
    assert node.node.index.reached(HASH) == 30


def test_a_key_is_believed_for_its_thumbprint_alone(tmp_path):
    asked = []

    def fetch(kid):
        asked.append(kid)
        return ISSUER.public.to_cose()

    keys = KnownKeys(tmp_path / "known", fetch)
    assert keys.key_of(b"\x01" * 32) is None
    assert keys.key_of(b"\x01" * 32) is None
    assert len(asked) == 1  # not asked again at once
    assert keys.key_of(ISSUER.public.thumbprint) == ISSUER.public
    assert KnownKeys(tmp_path / "known", None).kept(ISSUER.public.thumbprint) == ISSUER.public


def test_an_alarm_file_that_was_altered_is_not_passed_over(tmp_path):
    box = AlarmBox(tmp_path)
    alarm = Alarm(code=REWOUND, origin=ORIGIN, at=PublicLog().clock(), facts={"size": 1}, proof={})
    assert box.keep(alarm)
    assert not AlarmBox(tmp_path).keep(alarm)
    [path] = tmp_path.iterdir()
    path.write_bytes(path.read_bytes() + b" ")
    with pytest.raises(Invalid):
        AlarmBox(tmp_path)


def test_a_fetch_is_bounded_and_follows_nobody():
    def app(environ, start_response):
        if environ["PATH_INFO"] == "/away":
            start_response("302 Found", [("Location", "/large")])
            return [b""]
        start_response("200 OK", [("Content-Length", "2000")])
        return [bytes(2000)]

    with served(app) as server, Fetcher(f"http://127.0.0.1:{server.port}", limit=1000) as fetch:
        with pytest.raises(Invalid):
            fetch("large")
        with pytest.raises(Unavailable):
            fetch("away")
    with Fetcher("http://127.0.0.1:9") as fetch, pytest.raises(Unavailable):
        fetch("checkpoint")
