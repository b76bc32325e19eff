"""Measures go out once, in their order, with their digest on the ledger; two keys send them without a person."""

from __future__ import annotations

import json
import socket
import threading
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from world.market import raw

from chopmark.base.errors import Invalid, Refused, Unavailable
from chopmark.evidence.queries import deposit_of
from chopmark.watch import gateway, sampling, wiring
from chopmark.watch.actions import measure
from chopmark.watch.actions.judging import judge_of
from chopmark.watch.actions.marketplace import NewMarketplace, register_marketplace
from chopmark.watch.actions.measure import FIRST, connect_over_http, send_measures
from chopmark.watch.actions.push import push_listings
from chopmark.watch.actions.review import Opinion, claim_review, decide_card, decide_hit, undo
from chopmark.watch.gateway import Answer, HttpGateway, must_be_target, parse_answer, signature
from chopmark.watch.models import AuditSample, Figure, Hit, Marketplace, Measure, Seller

SILENT = Unavailable("watch.marketplace_silent", marketplace="demo")
HOLD = Opinion(answer="confirm", why="counterfeit", measure="hold")


def send(market):
    return send_measures(lambda _row: market.taker, clock=market.world.now)


def held(market, item="1"):
    hit = market.hit(raw(item))
    decide_hit(hit.number, HOLD, by=market.jo.actor, at=market.world.now())
    return hit


class Sure:
    """A judge that finds every verdict good for an automatic measure."""

    def __init__(self, judge, measure="takedown"):
        self.judge, self.measure, self.version = judge, measure, judge.version

    def __call__(self, *asked):
        return tuple(
            replace(each, decided=replace(each.decided, measure=self.measure, automatic=True))
            for each in self.judge(*asked)
        )

    def many(self, batch):
        return [self(*each) for each in batch]


def automatic(market, *batch, measure="takedown"):
    market.push(*batch)
    market.work(judge_of=lambda organisation: Sure(judge_of(organisation, at=market.world.at), measure))
    return Hit.objects.order_by("number").last()


def test_a_measure_is_on_the_ledger_before_it_leaves(market):
    held(market)
    seen = []

    class Looks:
        def send(self, key, _body):
            seen.append(Measure.objects.get().deposit)
            return Answer(key=key, state="done")

    assert send_measures(lambda _row: Looks(), clock=market.world.now) == 1
    row = Measure.objects.get()
    assert seen == [row.deposit]
    assert deposit_of(market.jo.actor, row.deposit).private
    assert json.loads(bytes(row.body))["kind"] == "hold"


def test_a_silent_marketplace_is_asked_again_later_with_the_same_key(market):
    held(market)
    market.taker.answers = [SILENT, SILENT]
    assert send(market) == 0
    row = Measure.objects.get()
    assert (row.state, row.tries, row.trouble) == ("waiting", 1, "watch.marketplace_silent")
    assert send(market) == 0
    assert market.taker.calls == 1
    market.world.at += timedelta(seconds=FIRST * 10)
    send(market)
    market.world.at += timedelta(seconds=FIRST * 10)
    assert send(market) == 1
    assert market.taker.calls == 3
    assert list(market.taker.taken) == [row.key]


def test_a_marketplace_that_refuses_is_not_asked_again(market):
    hit = held(market)
    market.taker.answers = [Answer(key="", state="refused", reason="seller appealed")]
    assert send(market) == 1
    row = Measure.objects.get()
    assert (row.state, row.trouble, row.facts) == (
        "refused",
        "watch.measure_refused_because",
        {"reason": "seller appealed"},
    )
    hit.refresh_from_db()
    assert hit.measure == ""
    assert send(market) == 0


def test_what_was_taken_back_is_not_asked_for_again_and_its_restore_is_sent(market):
    """The first try may have arrived, so the restore goes out; the hold itself never again."""
    hit = held(market)
    market.taker.answers = [SILENT]
    send(market)
    undo(hit.number, by=market.jo.actor, at=market.world.now())
    assert [each.kind for each in Measure.objects.order_by("pk")] == ["hold", "restore"]
    assert send(market) == 0
    market.world.at += timedelta(seconds=FIRST * 10)
    send(market)
    send(market)
    assert [json.loads(body)["kind"] for body in market.taker.taken.values()] == ["restore"]
    assert [each.state for each in Measure.objects.order_by("pk")] == ["cancelled", "done"]


def test_what_is_taken_back_while_it_is_being_sent_is_restored_after_it(market):
    hit = held(market)

    class Slow:
        def send(self, key, body):
            undo(hit.number, by=market.jo.actor, at=market.world.now())
            assert send(market) == 0  # another worker finds the hold in hand, and the restore behind it
            return market.taker.send(key, body)

    assert send_measures(lambda _row: Slow(), clock=market.world.now) == 1
    assert send(market) == 1
    assert [json.loads(body)["kind"] for body in market.taker.taken.values()] == ["hold", "restore"]
    hit.refresh_from_db()
    assert (hit.state, hit.measure, hit.removed_at) == ("open", "", None)


def test_a_silent_marketplace_holds_up_no_other(market, monkeypatch):
    monkeypatch.setattr(measure, "AT_ONCE", 2)
    other = NewMarketplace(name="other", title="Other", target="https://other.test/", two_persons=False)
    register_marketplace(other, by=market.jo.actor, at=market.world.now())
    for item in ("1", "2", "3"):
        held(market, item)
    push_listings("other", [raw("9")], by=market.jo.actor, at=market.world.now())
    market.work()
    last = Hit.objects.get(item="9")
    decide_hit(last.number, HOLD, by=market.jo.actor, at=market.world.now())
    tried = []

    class One:
        def __init__(self, row):
            self.row = row

        def send(self, key, _body):
            tried.append(self.row.name)
            if self.row.name == "demo":
                raise SILENT
            return Answer(key=key, state="done")

    assert send_measures(One, clock=market.world.now) == 1
    assert send_measures(One, clock=market.world.now) == 0
    assert sorted(tried) == ["demo", "other"]  # one silence is enough, and is asked again later
    market.world.at += timedelta(seconds=FIRST * 3)
    send_measures(One, clock=market.world.now)
    assert tried.count("demo") == 2


def test_where_no_measure_is_taken_none_is_asked_for(world, mei, jo):
    from world.market import Market  # noqa: PLC0415 (beside its one use)

    hit = held(Market.made(world, mei, jo, target=""))
    hit.refresh_from_db()
    assert (hit.state, hit.measure) == ("confirmed", "")
    assert not Measure.objects.exists()


def test_two_keys_send_a_takedown_without_a_person(market, monkeypatch):
    monkeypatch.setattr(sampling, "drawn", lambda *_: False)
    hit = automatic(market, raw())
    assert (hit.state, hit.automatic, hit.measure) == ("confirmed", True, "takedown")
    send(market)
    hit.refresh_from_db()
    assert hit.removed_at is not None
    counts = dict(Figure.objects.values_list("name", "count"))
    assert counts == {"automatic": 1, "flagged": 1, "removed": 1, "removed_unsold": 1, "scanned": 1}


def test_a_hold_outlives_a_takedown_that_the_marketplace_refuses(market, monkeypatch):
    """It is still in force there, so that an undo has something to restore."""
    monkeypatch.setattr(sampling, "drawn", lambda *_: False)
    Marketplace.objects.update(two_persons=False)
    hit = automatic(market, raw(), measure="hold")
    send(market)
    harsh = Opinion(answer="confirm", why="counterfeit", measure="takedown")
    decide_hit(hit.number, harsh, by=market.jo.actor, at=market.world.now())
    market.taker.answers = [Answer(key="", state="refused")]
    send(market)
    hit.refresh_from_db()
    assert hit.measure == "hold"
    undo(hit.number, by=market.jo.actor, at=market.world.now())
    send(market)
    assert [(each.kind, each.state) for each in Measure.objects.order_by("pk")] == [
        ("hold", "done"),
        ("takedown", "refused"),
        ("restore", "done"),
    ]


def test_a_hold_with_two_keys_still_waits_for_a_person(market, monkeypatch):
    monkeypatch.setattr(sampling, "drawn", lambda *_: False)
    hit = automatic(market, raw(), measure="hold")
    assert (hit.state, hit.measure) == ("open", "hold")
    send(market)
    decide_hit(hit.number, Opinion(answer="dismiss", why="genuine"), by=market.jo.actor, at=market.world.now())
    send(market)
    assert [(each.kind, each.state) for each in Measure.objects.order_by("pk")] == [
        ("hold", "done"),
        ("restore", "done"),
    ]


def test_a_marketplace_that_did_not_agree_to_automatic_measures_gets_none(world, mei, jo):
    from world.market import Market  # noqa: PLC0415 (beside its one use)

    hit = automatic(Market.made(world, mei, jo, automatic=False), raw())
    assert (hit.state, hit.outcome, hit.automatic) == ("open", "takedown", False)
    assert not Measure.objects.exists()


def test_an_audit_that_finds_an_automatic_takedown_wrong_undoes_it(market, monkeypatch):
    monkeypatch.setattr(sampling, "drawn", lambda _key, _rate, what, *_: what in ("automatic", "audit"))
    hit = automatic(market, raw())
    send(market)
    assert AuditSample.objects.get().hit == hit
    card = claim_review(by=market.jo.actor, at=market.world.now())
    assert card.hit.summary.number == hit.number
    said = decide_card(card.id, Opinion(answer="dismiss", why="genuine"), by=market.jo.actor, at=market.world.now())
    assert said.state == "dismissed"
    send(market)
    assert [(each.kind, each.state) for each in Measure.objects.order_by("pk")] == [
        ("takedown", "done"),
        ("restore", "done"),
    ]
    hit.refresh_from_db()
    assert (hit.automatic, hit.removed_at) == (False, None)


def test_an_audit_that_finds_an_automatic_hold_wrong_undoes_it(market, monkeypatch):
    monkeypatch.setattr(sampling, "drawn", lambda _key, _rate, what, *_: what in ("automatic", "audit"))
    hit = automatic(market, raw(), measure="hold")
    send(market)
    assert (hit.state, hit.measure) == ("open", "hold")
    card = claim_review(by=market.jo.actor, at=market.world.now())
    decide_card(card.id, Opinion(answer="dismiss", why="genuine"), by=market.jo.actor, at=market.world.now())
    send(market)
    hit.refresh_from_db()
    assert (hit.state, hit.measure) == ("dismissed", "")
    assert [each.kind for each in Measure.objects.order_by("pk")] == ["hold", "restore"]


def test_an_audit_does_not_undo_what_persons_decided_since(market, monkeypatch):
    monkeypatch.setattr(sampling, "drawn", lambda _key, _rate, what, *_: what in ("automatic", "audit"))
    hit = automatic(market, raw(), measure="hold")
    decide_hit(hit.number, HOLD, by=market.jo.actor, at=market.world.now())
    ann = market.world.person("Ann", role="depositor", of=market.jo)
    card = claim_review(by=ann.actor, at=market.world.now())
    said = decide_card(card.id, Opinion(answer="dismiss", why="genuine"), by=ann.actor, at=market.world.now())
    assert said.state == "confirmed"


def test_what_two_keys_did_is_no_history_of_a_seller(market, monkeypatch):
    """Else the second automatic measure would rest on the first, the third on both."""
    monkeypatch.setattr(sampling, "drawn", lambda *_: False)
    for item in ("1", "2", "3"):
        assert automatic(market, raw(item)).automatic
    assert Seller.objects.get().confirmed == 0
    held(market, "4")
    assert Seller.objects.get().confirmed == 1


def test_a_listing_that_comes_back_as_it_was_is_taken_down_again(market, monkeypatch):
    monkeypatch.setattr(sampling, "drawn", lambda *_: False)
    hit = automatic(market, raw())
    send(market)
    automatic(market, raw(version=2))
    send(market)
    hit.refresh_from_db()
    assert (hit.state, hit.removed_at is not None) == ("confirmed", True)
    assert [each.kind for each in Measure.objects.order_by("pk")] == ["takedown", "takedown"]
    assert len(market.taker.taken) == 2


# ---- over HTTP -------------------------------------------------------------------------------------------------------


@pytest.fixture
def shop():
    """A marketplace's server on this machine; what it answers is the test's."""
    said = {"status": 200, "body": b"", "seen": []}

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            said["seen"].append((dict(self.headers), body))
            answer = said["body"] or json.dumps({"key": self.headers["Idempotency-Key"], "state": "done"}).encode()
            self.send_response(said["status"])
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_):
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    said["port"] = server.server_port
    yield said
    server.shutdown()
    server.server_close()
    thread.join()


def reached(shop, **more):
    port = shop["port"]
    return HttpGateway("demo", f"http://127.0.0.1:{port}/m?x=1", "secret", allow=(f"127.0.0.1:{port}",), **more)


def test_a_measure_over_http_is_signed_and_named(shop):
    assert reached(shop).send("k" * 64, b"{}") == Answer(key="k" * 64, state="done")
    [(headers, body)] = shop["seen"]
    assert body == b"{}"
    assert headers["Idempotency-Key"] == "k" * 64
    assert headers["Chopmark-Signature"] == signature("secret", b"{}")
    assert headers["Host"] == f"127.0.0.1:{shop['port']}"


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (500, b"", "watch.marketplace_silent"),
        (429, b"", "watch.marketplace_silent"),
        (302, b"", "watch.marketplace_refused"),
        (404, b"", "watch.marketplace_refused"),
        (200, b"{", "watch.answer_malformed"),
        (200, b"[]", "watch.answer_malformed"),
        (200, b'{"key":"other","state":"done"}', "watch.answer_malformed"),
        (200, b" " * (gateway.MAX_ANSWER + 1), "watch.answer_malformed"),
    ],
)
def test_answers_that_are_none(shop, status, body, error):
    shop |= {"status": status, "body": body}
    with pytest.raises((Refused, Invalid, Unavailable)) as raised:
        reached(shop).send("k", b"{}")
    assert raised.value.code == error


@pytest.mark.parametrize(
    ("first", "then"),
    [(b"", b"H"), (b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n{", b" ")],
    ids=["drips", "never ends"],
)
def test_an_answer_that_is_never_whole_is_silence_and_takes_no_longer_than_its_patience(first, then):
    """Limits of a client count each wait anew: a byte now and then would hold the sender up for ever."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        over = threading.Event()

        def speak():
            caught, _ = server.accept()
            with caught, suppress(OSError):
                caught.recv(65536)
                caught.sendall(first)
                while not over.wait(0.05):
                    caught.sendall(then)

        thread = threading.Thread(target=speak, daemon=True)
        thread.start()
        end = f"127.0.0.1:{server.getsockname()[1]}"
        with pytest.raises(Unavailable, match=r"watch\.marketplace_silent"):
            HttpGateway("demo", f"http://{end}/", "s", allow=(end,), patience=0.5).send("k", b"{}")
        over.set()
        thread.join()


def test_a_name_that_cannot_be_asked_for_is_silence():
    def resolve(_host, _port):
        raise UnicodeError("label too long")

    with pytest.raises(Unavailable, match=r"watch\.marketplace_silent"):
        HttpGateway("demo", "http://shop.test/", "s", resolve=resolve).send("k", b"{}")


def test_nobody_there_is_silence():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        end = f"127.0.0.1:{free.getsockname()[1]}"
    with pytest.raises(Unavailable, match=r"watch\.marketplace_silent"):
        HttpGateway("demo", f"http://{end}/", "s", allow=(end,)).send("k", b"{}")


@pytest.mark.parametrize("found", [["127.0.0.1"], ["10.0.0.1"], ["169.254.169.254"], ["::1"], ["8.8.8.8", "10.0.0.1"]])
def test_private_addresses_are_not_called(found):
    called = HttpGateway("demo", "http://shop.test/", "s", resolve=lambda _host, _port: found)
    with pytest.raises(Refused, match=r"watch\.target_refused"):
        called.send("k", b"{}")


@pytest.mark.parametrize(
    "url",
    [
        "",
        "ftp://shop.test/",
        "http://",
        "http://u:p@shop.test/",
        "http://shop.test:22/",
        "http://shop.test:x/",
        "http://shop.test/#a",
        "http://shop.test/ b",
        "http://shöp.test/",
        "http://shop.test/" + "a" * 500,
        "http://a..b/",
        "http://xn--a/",
        "http://256.1.1.1/",
        "http://[v1.x]/",
        "http://" + "a" * 64 + ".test/",
    ],
)
def test_addresses_that_are_no_target(url):
    with pytest.raises(Invalid, match=r"watch\.target_malformed"):
        must_be_target(url)


@pytest.mark.parametrize(
    "more",
    [{"state": "maybe"}, {"sold": -1}, {"sold": True}, {"sold": 2**31}, {"reason": 1}, {"other": 1}, {"key": None}],
)
def test_an_answer_is_read_strictly(more):
    with pytest.raises(Invalid, match=r"watch\.answer_malformed"):
        parse_answer(json.dumps({"key": "k", "state": "done", **more}).encode(), "k")


def test_control_characters_of_a_reason_are_not_shown():
    assert parse_answer(b'{"key":"k","state":"refused","reason":"a\\u001b[31mb"}', "k").reason == "a [31mb"


def test_the_key_of_a_marketplace_is_its_own_and_stays(market):
    from chopmark.watch.queries.marketplaces import marketplaces_of, measure_key_of  # noqa: PLC0415 (beside its use)

    [row] = marketplaces_of(market.jo.actor)
    key = measure_key_of(market.jo.actor, "demo")
    assert key == wiring.measure_key(row.id) == measure_key_of(market.jo.actor, "demo")
    assert (market.world.home / "keys" / "watch").stat().st_mode & 0o077 == 0
    clerk = market.world.person("Clerk", role="depositor", of=market.jo)
    with pytest.raises(Refused, match=r"people\.not_allowed"):
        measure_key_of(clerk.actor, "demo")
    with pytest.raises(Refused, match=r"watch\.marketplace_not_found"):
        measure_key_of(market.mei.actor, "demo")
    assert connect_over_http() is not None
