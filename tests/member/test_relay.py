"""Pull mode over real HTTP on loopback: a member without an inbound port answers as if it had one."""

from __future__ import annotations

import gc
import threading
import warnings
from contextlib import contextmanager

import httpx
import pytest
from world.patience import HANG, until

from chopmark.base.errors import Invalid, Unavailable
from chopmark.ledger.card import NODE, WITNESS, Card, CardKey
from chopmark.ledger.keys import ED25519, ED25519_COSIGNATURE, SigningKey
from chopmark.ledger.wire import Answer
from chopmark.member.client import MAX_ANSWER
from chopmark.member.httpsig import signed_headers
from chopmark.member.relay import (
    MOST_GIVEN,
    Puller,
    PullLink,
    Relay,
    RelayedRequest,
    RelayServer,
    encode_answer,
    parse_answer,
)
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
    with httpx.Client(timeout=HANG, trust_env=False) as client:
        puller = Puller(address, name, signer, ORIGIN, answer, client)
        thread = threading.Thread(target=puller.run, args=(stop, troubles.append), daemon=True)
        thread.start()
        try:
            yield troubles
        finally:
            stop.set()
            thread.join(HANG)


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
    link = PullLink("customs", 1.0)  # so long that the other has surely taken the question by then
    given = []

    def late():
        request = link.take(HANG)
        waited.wait(HANG)
        given.append(link.give(request.id, Answer(status=200)))

    waited = threading.Event()
    thread = threading.Thread(target=late)
    thread.start()
    with pytest.raises(Unavailable):
        link.add_checkpoint(b"")
    waited.set()
    thread.join(HANG)
    assert given == [False]


def _asking(link: PullLink, given: list, poll: float = HANG) -> threading.Thread:
    thread = threading.Thread(target=lambda: given.append(link.take(poll)), daemon=True)
    thread.start()
    return thread


def test_a_member_that_asks_anew_ends_its_older_question_and_holds_one_thread():
    link, given = PullLink("customs"), []
    threads = [_asking(link, given) for _ in range(20)]
    last = _asking(link, given)
    for thread in threads[:-1]:
        thread.join(HANG)
    link.close()
    for thread in (*threads, last):
        thread.join(HANG)
        assert not thread.is_alive()
    assert given == [None] * 21


def test_what_was_given_to_a_member_that_died_is_given_to_it_again():
    link, answers = PullLink("customs", 5.0), []
    caller = threading.Thread(target=lambda: answers.append(link.add_checkpoint(b"old 0\n")), daemon=True)
    caller.start()
    first = link.take(HANG)
    second = link.take(HANG)
    assert first == second
    assert link.give(second.id, Answer(status=200, body=b"x"))
    assert not link.give(second.id, Answer(status=200, body=b"y"))
    caller.join(HANG)
    assert [answer.body for answer in answers] == [b"x"]
    assert link.take(0.01) is None, "what is answered is given to nobody"


def test_an_upload_is_waited_for_longer():
    link, answers = PullLink("customs", 0.01, HANG), []
    caller = threading.Thread(target=lambda: answers.append(link.add_entries(b"")), daemon=True)
    caller.start()
    request = link.take(HANG)
    caller.join(0.1)
    assert caller.is_alive()
    assert link.give(request.id, Answer(status=200))
    caller.join(HANG)
    assert answers == [Answer(status=200)]


def test_cards_read_anew_let_go_who_waits_and_admit_who_is_new():
    relay = Relay(ORIGIN, [], poll=5.0)
    with _served(relay.app) as address, _pulling(address, lambda *a: Answer(status=200, body=a[3])) as troubles:
        relay.adopt([CARD])
        old = relay.links["customs"]
        relay.adopt([CARD])
        with pytest.raises(Unavailable) as error:
            old.add_checkpoint(b"")
        assert error.value.facts["reason"] == "the writer ends"
        assert relay.links["customs"].add_checkpoint(b"x").body == b"x"
    assert {each.code for each in troubles if each is not None} <= {"member.relay_silent"}


def test_a_repeated_question_and_an_answer_too_large_are_refused():
    relay = _relay()
    with _served(relay.app) as address, httpx.Client(base_url=address, trust_env=False) as client:
        headers = signed_headers(NODE_KEY, "POST", "/relay/customs/take", b"", origin=ORIGIN)
        assert client.post("/relay/customs/take", headers=headers).status_code == 204
        assert client.post("/relay/customs/take", headers=headers).status_code == 403
        assert client.post("/relay/customs/give/" + "0" * 32, content=bytes(MOST_GIVEN + 1)).status_code == 413
        assert client.post("/relay/nobody/take").status_code == 404


def test_the_writer_sees_that_an_answer_was_too_large():
    relay = _relay()
    with _served(relay.app) as address, _pulling(address, lambda *_: Answer(status=200, body=bytes(1 << 20))):
        assert len(relay.links["customs"].add_checkpoint(b"").body) == MAX_ANSWER + 1


def test_a_bug_in_a_node_is_said_and_ends_no_pulling():
    answers = iter([ZeroDivisionError(), Answer(status=200, body=b"well")])

    def answer(*_):
        match next(answers):
            case Answer() as made:
                return made
            case error:
                raise error

    relay = _relay(patience=HANG)
    with _served(relay.app) as address, _pulling(address, answer) as troubles:
        assert relay.links["customs"].add_checkpoint(b"").body == b"well"
        until(lambda: len(troubles) == 2)
    assert [type(each) for each in troubles] == [ZeroDivisionError, type(None)]


def test_a_node_that_ends_answers_nothing_any_more():
    seen = []
    relay = _relay(patience=0.5)
    with _served(relay.app) as address, httpx.Client(timeout=HANG, trust_env=False) as client:
        puller = Puller(address, "customs", NODE_KEY, ORIGIN, lambda *a: seen.append(a), client)
        assert puller.end(1)
        asking = threading.Thread(target=puller.once, daemon=True)
        asking.start()
        with pytest.raises(Unavailable):
            relay.links["customs"].add_checkpoint(b"")
    assert not seen


def test_a_relays_port_that_is_taken_is_said():
    first = RelayServer(ORIGIN, "127.0.0.1", 0)
    try:
        with warnings.catch_warnings(action="ignore", category=ResourceWarning):  # waitress leaves its socket to Python
            with pytest.raises(Unavailable, match="port_taken"):
                RelayServer(ORIGIN, "127.0.0.1", first.port)
            gc.collect()
    finally:
        first.close()
    RelayServer(ORIGIN, "127.0.0.1", first.port).close()


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
