"""Pull mode over real HTTP on loopback: a member without an inbound port answers as if it had one."""

from __future__ import annotations

import threading
from contextlib import contextmanager

import httpx
import pytest

from chopmark.base.errors import Invalid, Unavailable
from chopmark.ledger.card import NODE, WITNESS, Card, CardKey
from chopmark.ledger.keys import ED25519, ED25519_COSIGNATURE, SigningKey
from chopmark.ledger.wire import Answer
from chopmark.member.relay import Puller, PullLink, Relay, RelayedRequest, encode_answer, parse_answer
from chopmark.member.serving import served

ORIGIN = "platform.example/log"
NODE_KEY = SigningKey.generate("customs.example/node", ED25519)
CARD = Card(
    name="customs",
    kind="customs",
    zh="海关",
    en="Customs",
    url=None,
    keys=(
        CardKey(role=WITNESS, key=SigningKey.generate("customs.example/witness", ED25519_COSIGNATURE).verifier),
        CardKey(role=NODE, key=NODE_KEY.verifier),
    ),
)


@contextmanager
def _served(app):
    with served(app, threads=4) as server:
        yield f"http://127.0.0.1:{server.port}"


@contextmanager
def _pulling(address: str, answer, signer: SigningKey = NODE_KEY, name: str = "customs"):
    stop, troubles = threading.Event(), []
    with httpx.Client(timeout=5, trust_env=False) as client:
        puller = Puller(address, name, signer, ORIGIN, answer, client)
        thread = threading.Thread(target=puller.run, args=(stop, troubles.append), daemon=True)
        thread.start()
        try:
            yield troubles
        finally:
            stop.set()
            thread.join(5)


def _relay(**more) -> Relay:
    return Relay(ORIGIN, [CARD], poll=0.2, **more)


def test_a_request_reaches_the_member_and_its_answer_comes_back():
    seen = []

    def answer(method, path, kind, body):
        seen.append((method, path, kind, body))
        return Answer(status=409, body=b"7\n", content_type="text/x.tlog.size")

    relay = _relay()
    with _served(relay.app) as address, _pulling(address, answer) as troubles:
        got = relay.links["customs"].add_checkpoint(b"old 9\n")
        assert got == Answer(status=409, body=b"7\n", content_type="text/x.tlog.size")
        assert relay.links["customs"].sealed_root(ORIGIN, 9) is None
    assert seen[0][:2] == ("POST", "/add-checkpoint")
    assert seen[1][1].startswith("/mirror/")
    assert seen[1][1].endswith("/sealed-root/9")
    assert not troubles


def test_many_requests_one_after_the_other():
    relay = _relay()
    with _served(relay.app) as address, _pulling(address, lambda *a: Answer(status=200, body=a[3])):
        for number in range(30):
            assert relay.links["customs"].add_entries(str(number).encode()).body == str(number).encode()


def test_a_member_that_does_not_ask_is_silent():
    with pytest.raises(Unavailable, match="member_silent") as error:
        _relay(patience=0.05).links["customs"].add_checkpoint(b"")
    assert error.value.facts["reason"] == "did not ask"


def test_an_answer_that_comes_too_late_is_dropped():
    link = PullLink("customs", 0.05)
    given = []

    def late():
        request = link.take(2)
        waited.wait(2)
        given.append(link.give(request.id, Answer(status=200)))

    waited = threading.Event()
    thread = threading.Thread(target=late)
    thread.start()
    with pytest.raises(Unavailable):
        link.add_checkpoint(b"")
    waited.set()
    thread.join(5)
    assert given == [False]


@pytest.mark.parametrize(
    ("signer", "name"),
    [
        pytest.param(SigningKey.generate("customs.example/node", ED25519), "customs", id="another key"),
        pytest.param(NODE_KEY, "beijing", id="another member's name"),
    ],
)
def test_nobody_else_fetches_what_is_meant_for_a_member(signer, name):
    relay = _relay(patience=0.3)
    answers = []
    with (
        _served(relay.app) as address,
        _pulling(address, lambda *a: answers.append(a) or Answer(status=200), signer, name) as troubles,
        pytest.raises(Unavailable),
    ):
        relay.links["customs"].add_checkpoint(b"secret")
    assert not answers
    assert troubles


@pytest.mark.parametrize(
    ("method", "path"),
    [
        pytest.param("GET", "/../etc/passwd", id="a way out"),
        pytest.param("GET", "/mirror/" + "0" * 64 + "/../x", id="dots inside"),
        pytest.param("DELETE", "/add-checkpoint", id="another method"),
        pytest.param("GET", "/add-checkpoint", id="a read of what is written"),
        pytest.param("GET", "http://other.example/", id="another host"),
    ],
)
def test_a_member_answers_only_what_it_serves_to_everybody(method, path):
    with pytest.raises(Invalid, match="relay_malformed"):
        RelayedRequest(id="0" * 32, method=method, path=path, body=b"")


def test_an_identifier_cannot_lead_elsewhere():
    with pytest.raises(Invalid, match="relay_malformed"):
        RelayedRequest(id="../../x", method="POST", path="/add-checkpoint", body=b"")


def test_requests_and_answers_read_back_as_written():
    request = RelayedRequest(id="0" * 32, method="POST", path="/add-checkpoint", body=b"x")
    assert RelayedRequest.parse(request.encode()) == request
    answer = Answer(status=200, body=b"x", content_type="a/b")
    assert parse_answer(encode_answer(answer)) == answer


@pytest.mark.parametrize("data", [b"", b"\xa0", b"x" * 10, encode_answer(Answer(status=99))])
def test_other_bytes_are_refused(data):
    with pytest.raises(Invalid, match="relay_malformed"):
        parse_answer(data)
    with pytest.raises(Invalid, match="relay_malformed"):
        RelayedRequest.parse(data)


def test_a_distant_relay_needs_https():
    with httpx.Client(trust_env=False) as client, pytest.raises(Invalid, match="relay_insecure"):
        Puller("http://platform.example", "customs", NODE_KEY, ORIGIN, lambda *_: Answer(status=200), client)
