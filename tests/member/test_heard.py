"""What the writer hears of members' alarms, and what it does not let them tell it."""

from __future__ import annotations

import json
import threading
import time
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from world.members import five
from world.patience import until

from chopmark.base.errors import Invalid
from chopmark.member import heard
from chopmark.member.heard import Heard, Listener, parse

ORIGIN = "log.example/one"
FORK = {
    "id": "a",
    "code": "ledger.alarm_fork",
    "origin": ORIGIN,
    "at": "2026-11-22T06:00:00Z",
    "facts": {"origin": ORIGIN, "size": 7},
    "proof": ["first.note"],
}


def body(*alarms: object) -> bytes:
    return json.dumps(alarms).encode()


def test_the_newest_alarm_about_this_log_is_heard_and_all_are_counted():
    later = FORK | {"at": "2026-11-22T07:00:00Z", "code": "ledger.alarm_rewound"}
    other = FORK | {"at": "2026-11-22T08:00:00Z", "origin": "log.example/other"}
    found = parse(body(later, other, FORK), ORIGIN)
    assert (found.count, found.code, dict(found.facts)) == (2, "ledger.alarm_rewound", {"origin": ORIGIN, "size": 7})
    assert parse(body(), ORIGIN) == Heard(facts={})


def test_facts_that_are_long_many_or_strange_are_left_out():
    facts = {f"fact_{letter}": 1 for letter in "abcdefghijkl"} | {"x": "y" * 1000, "Z": 1, "w": [1], "v": 1 << 80}
    assert set(parse(body(FORK | {"facts": facts}), ORIGIN).facts) == {f"fact_{letter}" for letter in "abcdefgh"}


def test_a_code_that_is_no_alarm_is_counted_and_not_said():
    assert parse(body(FORK | {"code": "<b>"}), ORIGIN) == Heard(count=1, facts={})


MALFORMED = {
    "no JSON": b"{",
    "no list of alarms": b"7",
    "an object": b'{"origin": 1}',
    "an alarm without a time": body({key: value for key, value in FORK.items() if key != "at"}),
    "an alarm of no time": body(FORK | {"at": "yesterday"}),
    "facts that are none": body(FORK | {"facts": [1]}),
    "brackets without end": b"[" * 100_000,
    "no text": b"\xff\xfe\xfd",
}


@pytest.mark.parametrize("answer", MALFORMED.values(), ids=MALFORMED)
def test_what_is_not_understood_is_not_heard(answer):
    with pytest.raises(Invalid, match=r"ledger\.alarm_malformed"):
        parse(answer, ORIGIN)


class _Member(BaseHTTPRequestHandler):
    answer = b""

    def do_GET(self):
        self.send_response(200 if self.path == "/alarms.json" else 404)
        self.send_header("Content-Length", str(len(self.answer)))
        self.end_headers()
        self.wfile.write(self.answer)

    def log_message(self, *_args):
        """Quiet."""


@pytest.fixture
def member():
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Member)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def test_members_are_asked_and_what_was_heard_stays_when_they_are_silent(member, monkeypatch):
    cards = [replace(each.card, url=f"http://127.0.0.1:{member.server_port}") for each in five().values()]
    monkeypatch.setattr(_Member, "answer", body(FORK))
    listener = Listener(cards, ORIGIN, every=0.05)
    try:
        until(lambda: all(listener.heard(card.name) is not None for card in cards))
        assert {listener.heard(card.name).code for card in cards} == {"ledger.alarm_fork"}
        monkeypatch.setattr(_Member, "answer", b" " * (heard.LIMIT + 1))
        time.sleep(0.3)
        assert {listener.heard(card.name).count for card in cards} == {1}
    finally:
        listener.close()
