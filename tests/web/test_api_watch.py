"""`/api/v1/listings:batch` and `/api/v1/watch`: what programs push and read, and who must not decide by them."""

from __future__ import annotations

import hashlib
import json
from datetime import timedelta

import pytest
from django.test import Client
from pyarrow import parquet
from world.market import NAMED, Market, raw
from world.pages import PageWorld

from chopmark.base import clock, jcs
from chopmark.base.errors import Unavailable
from chopmark.evidence.queries import deposit_of
from chopmark.people import actions as people
from chopmark.watch.actions import push as pushing
from chopmark.watch.actions.measure import send_measures
from chopmark.watch.actions.review import Opinion, decide_hit, undo
from chopmark.watch.actions.scan import stock_of, work_scan
from chopmark.watch.engine.schema import table_of
from chopmark.watch.listing import clean
from chopmark.watch.models import Hit, Inbox, ListingRow, Marketplace, MarkNote, Measure
from chopmark.watch.results import Proof, Total, check
from chopmark.watch.rules.rule import encode_rule
from chopmark.web.api import limits

API = "/api/v1"
SCOPES = ("listings:write", "watch:read", "watch:write")


@pytest.fixture(autouse=True)
def _patience(monkeypatch):
    """Each test begins with full buckets."""
    monkeypatch.setattr(limits, "_BUCKETS", limits.Buckets())


@pytest.fixture
def market(db, settings, tmp_path):
    settings.CHOPMARK_HOME = tmp_path / "home"
    world = PageWorld.made(settings.CHOPMARK_HOME, at=clock.now().replace(microsecond=0) - timedelta(minutes=10))
    return Market.made(world, world.person("Mei Lan"), world.person("Jo Smith"))


class Caller:
    """A program with a key, or a person in a session."""

    def __init__(self, market, person, scopes=None, language="en"):
        self.client, self.headers = Client(), {"Accept-Language": language}
        if scopes is None:
            self.client = person.client
        else:
            made = people.create_api_key("program", scopes, by=person.actor, at=market.world.now())
            self.headers["Authorization"] = f"Bearer {made.text}"

    def __call__(self, method, path, body=None):
        more = {} if method == "get" else {"data": body or {}, "content_type": "application/json"}
        return getattr(self.client, method)(f"{API}{path}", headers=self.headers, **more)

    def push(self, *batch):
        return self("post", "/listings:batch?marketplace=demo", {"listings": list(batch)})


def test_a_batch_is_taken_in_once_and_each_listing_is_answered_for_itself(market):
    call = Caller(market, market.jo, SCOPES)
    said = call.push(raw("1"), raw(""), "no listing", raw("2", version=7))
    assert said.status_code == 200, said.content
    assert [each["state"] for each in said.json()["items"]] == ["accepted", "refused", "refused", "accepted"]
    codes = [each["error"]["code"] for each in said.json()["items"] if each["state"] == "refused"]
    assert codes == ["watch.listing_item", "watch.push_row"]
    assert (said.json()["accepted"], said.json()["refused"]) == (2, 2)
    again = call.push(raw("1"), raw("1", title="other"), raw("2", version=7)).json()
    assert [each["state"] for each in again["items"]] == ["known", "refused", "known"]
    assert again["items"][1]["error"]["code"] == "watch.listing_changed"
    market.work(clock=clock.now)
    assert call.push(raw("1"), raw("2", version=3)).json()["items"][1]["state"] == "older"
    assert (Inbox.objects.count(), ListingRow.objects.count()) == (0, 2)


def test_a_listing_with_broken_letters_keeps_no_other_out(market):
    call = Caller(market, market.jo, SCOPES)
    body = json.dumps({"listings": [raw("1", title="half \ud800 letter"), raw("2")]}).encode()
    spoiled = body.replace(b"RED", b"R\xffD")
    said = call("post", "/listings:batch?marketplace=demo", spoiled)
    assert [each["state"] for each in said.json()["items"]] == ["accepted", "accepted"], said.content
    market.work(clock=clock.now)
    flags = {row.item: jcs.decode(bytes(row.body)).get("flags") for row in ListingRow.objects.all()}
    assert flags == {"1": ["broken_encoding"], "2": ["broken_encoding"]}


@pytest.mark.parametrize("token", ["NaN", "Infinity", "-Infinity", "9" * 50])
def test_a_number_that_is_none_keeps_no_other_listing_out(market, token):
    call = Caller(market, market.jo, SCOPES)
    body = json.dumps({"listings": [raw("1"), raw("2", stock=[{"deep": 4711}]), raw("3")]}).replace("4711", token)
    said = call("post", "/listings:batch?marketplace=demo", body.encode())
    assert [each["state"] for each in said.json()["items"]] == ["accepted", "refused", "accepted"], said.content
    assert said.json()["items"][1]["error"]["code"] == "watch.push_row"
    market.work(clock=clock.now)
    assert sorted(ListingRow.objects.values_list("item", flat=True)) == ["1", "3"]
    assert not any(b"NaN" in bytes(row.body) for row in ListingRow.objects.all())


def test_a_full_inbox_says_when_to_come_again(market, monkeypatch):
    monkeypatch.setattr(pushing.take_in, "__kwdefaults__", {"most": 1})
    said = Caller(market, market.jo, SCOPES).push(raw("1"), raw("2"))
    assert (said.status_code, said.json()["code"], said["Retry-After"]) == (429, "watch.inbox_full", "5")
    assert Inbox.objects.count() == 0


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"{", 400, "watch.push_malformed"),
        (b'{"listings": 3}', 400, "watch.push_malformed"),
        (b"[" * 5000, 400, "watch.push_malformed"),
        (b"[" + b"1," * 1000 + b"1]", 422, "watch.push_too_many"),
        (b'{"listings": NaN}', 400, "watch.push_malformed"),
    ],
)
def test_what_is_no_batch_is_refused_whole(market, body, status, code):
    said = Caller(market, market.jo, SCOPES)("post", "/listings:batch?marketplace=demo", body)
    assert (said.status_code, said.json()["code"]) == (status, code)


def test_who_must_not_push_read_or_decide(market):
    hit = market.hit(raw("1"))
    stranger, keyed = market.world.person("Ann"), Caller(market, market.jo, SCOPES)
    assert Caller(market, market.jo, ("watch:read",)).push(raw("5")).json()["code"] == "people.scope_missing"
    assert Caller(market, market.mei, SCOPES).push(raw("5")).json()["code"] == "watch.marketplace_not_found"
    viewer = Caller(market, market.world.person("V", role="viewer", of=market.jo))
    assert viewer.push(raw("5")).json()["code"] == "people.not_allowed"
    assert viewer("get", "/watch/hits").json()["count"] == 1
    assert Caller(market, stranger, SCOPES)("get", f"/watch/hits/{hit.number}").status_code == 404
    assert Caller(market, stranger, SCOPES)("get", "/watch/hits").json() == {"items": [], "count": 0, "next": None}
    answer = {"answer": "dismiss", "why": "genuine"}
    refused = keyed("post", f"/watch/hits/{hit.number}/decision", answer)
    assert (refused.status_code, refused.json()["code"]) == (403, "watch.person_needed")
    for path, body in (
        ("/watch/rules", {"rule": {}}),
        ("/watch/rules/named/state", {"state": "stopped"}),
        ("/watch/scans", {"marketplace": "demo"}),
    ):
        assert keyed("post", path, body).status_code in (400, 403)
    assert Client().get(f"{API}/watch/hits").status_code == 401
    assert Hit.objects.get().state == "open"


def test_a_hit_is_explained_decided_by_persons_and_taken_back(market):
    hit = market.hit(raw("1", title="R3D LANTERN lamp"))
    reader = Caller(market, market.mei, ("watch:read",), language="zh")
    [listed] = reader("get", f"/watch/hits?marketplace=demo&seller=s1&right={hit.right_number}").json()["items"]
    story = reader("get", f"/watch/hits/{listed['number']}").json()
    [text] = story["found"]["texts"]
    assert (text["view"], story["listing"]["title"][text["start"] : text["end"]]) == ("folded", "R3D LANTERN")
    assert story["features"]["disguised"] is True
    assert [each["rule"] for each in story["rules"]] == ["named"]
    assert all(each["sentence"] for each in story["reasons"])
    person = Caller(market, market.jo)
    one = person("post", f"/watch/hits/{hit.number}/decision", {"answer": "confirm", "why": "counterfeit"})
    assert one.json() == {"number": hit.number, "state": "confirmed"}
    assert person("post", f"/watch/hits/{hit.number}/undo").json()["state"] == "open"
    body = {"hits": [hit.number, "H-2026-999999"], "answer": "dismiss", "why": "genuine"}
    many = person("post", "/watch/decisions", body).json()
    assert [each["state"] for each in many["done"]] == ["dismissed"]
    assert [each["error"]["code"] for each in many["failed"]] == ["watch.hit_not_found"]
    assert person("post", f"/watch/decisions/{many['batch']}/undo").json()["done"][0]["state"] == "open"
    assert person("get", "/watch/queue").json()["waiting"] == {"open": 1}


def test_a_hit_becomes_a_matter_once(market):
    hit = market.hit(raw("1"))
    person = Caller(market, market.mei)
    made = person("post", f"/watch/hits/{hit.number}/matter")
    assert made.status_code == 201, made.content
    again = person("post", f"/watch/hits/{hit.number}/matter").json()
    assert (again["number"], again["capture"]) == (made.json()["number"], None)
    assert person("get", f"/watch/hits/{hit.number}").json()["matter"] == made.json()["number"]
    assert Caller(market, market.jo)("get", f"/watch/hits/{hit.number}").json()["matter"] is None
    path = f"/watch/hits/{market.hit(raw('2')).number}/matter"
    assert Caller(market, market.mei, ("watch:write",))("post", path).json()["code"] == "people.scope_missing"
    assert Caller(market, market.mei, ("watch:write", "deposits:write"))("post", path).status_code == 201


def test_a_trial_runs_beside_the_version_in_force_and_ends(market):
    owner, reader = Caller(market, market.jo), Caller(market, market.jo, ("watch:read",))
    said = {**jcs.decode(encode_rule(NAMED)), "flags_a_day": 1}
    assert owner("post", "/watch/rules", {"rule": said}).json()["trial"] is None
    assert owner("post", "/watch/rules/named/state", {"state": "shadow", "version": 1}).status_code == 409
    told = owner("post", "/watch/rules/named/state", {"state": "shadow"}).json()
    assert (told["state"], told["version"], told["rule"]["flags_a_day"]) == ("live", 1, 10_000)
    assert (told["trial"]["version"], told["trial"]["rule"]) == (2, said)
    market.hit(raw("1"))
    market.hit(raw("2"))
    story = reader("get", "/watch/rules/named").json()
    days = {each["version"]: (each["seen"], each["fired"], each["alone"]) for each in story["days"]}
    assert days == {1: (2, 2, 0), 2: (2, 2, 0)}
    assert reader("delete", "/watch/rules/named/trial").status_code == 403
    assert owner("delete", "/watch/rules/named/trial?version=1").json()["code"] == "watch.rule_no_trial"
    ended = owner("delete", "/watch/rules/named/trial?version=2").json()
    assert (ended["state"], ended["version"], ended["trial"]) == ("live", 1, None)
    assert owner("delete", "/watch/rules/named/trial").status_code == 409
    changes = reader("get", "/watch/rules/named").json()["changes"]
    assert [(each["version"], each["state"]) for each in changes[:2]] == [(2, "ended"), (2, "shadow")]


def test_rules_are_proposed_tried_and_stopped(market):
    owner = Caller(market, market.jo)
    said = {**jcs.decode(encode_rule(NAMED)), "id": "loud", "condition": "text_score>=900  and not licensed"}
    made = owner("post", "/watch/rules", {"rule": said})
    assert made.status_code == 201, made.content
    assert made.json()["rule"]["condition"] == "text_score >= 900 AND NOT licensed"
    assert owner("post", "/watch/rules", {"rule": said}).json()["version"] == 1
    for state in ("shadow", "live", "stopped"):
        assert owner("post", "/watch/rules/loud/state", {"state": state}).json()["state"] == state
    story = owner("get", "/watch/rules/loud").json()
    assert [each["state"] for each in story["changes"]] == ["stopped", "live", "shadow", "draft"]
    assert story["versions"][0]["deposit"]
    assert [each["name"] for each in owner("get", "/watch/rules").json()["items"]] == ["loud", "named", "replica"]
    wrong = owner("post", "/watch/rules", {"rule": {**said, "condition": "text_score >= (SELECT 1)"}})
    assert (wrong.status_code, wrong.json()["code"].partition("_")[0]) == (422, "watch.rule")
    assert owner("get", "/watch/rules/none").status_code == 404


def test_a_scan_is_asked_for_and_its_rows_are_proven(market):
    folder = stock_of("demo")
    folder.mkdir(parents=True, exist_ok=True)
    parquet.write_table(table_of([clean(raw("1"), marketplace="demo")]), folder / "one.parquet")
    owner = Caller(market, market.jo)
    made = owner("post", "/watch/scans", {"marketplace": "demo"})
    assert made.status_code == 201, made.content
    number = made.json()["number"]
    assert work_scan(clock=market.world.now, processes=1) == number
    done = owner("get", f"/watch/scans/{number}").json()
    assert (done["state"], done["scanned"], done["found"]) == ("done", 1, 1)
    shown = owner("get", f"/watch/scans/{number}/proofs/0/0").json()
    total = Total.parse(jcs.encode(shown["statement"]))
    row, _ = check(Proof.parse(jcs.encode(shown["proof"])), total)
    assert (row["item"], total.root.hex()) == ("1", done["root"])
    assert owner("get", f"/watch/scans/{number}/proofs/0/9").json()["code"] == "ledger.index_outside"
    assert owner("post", f"/watch/scans/{number}/stop").json()["state"] == "done"
    assert [each["number"] for each in owner("get", "/watch/scans").json()["items"]] == [number]


def test_figures_are_told_and_cut(market):
    market.hit(raw("1"))
    market.hit(raw("2", seller="s2"))
    told = Caller(market, market.jo, ("watch:read",))("get", "/watch/figures?by=seller&days=366").json()
    assert (told["scanned"], told["total"]["flagged"]) == (2, 2)
    assert sorted(each["name"] for each in told["lines"]) == ["s1", "s2"]
    assert told["false_flags"] == {"wrong": 0, "of": 0, "share": None, "at_most": None}
    [here] = Caller(market, market.jo, ("watch:read",))("get", "/watch/marketplaces").json()["items"]
    assert (here["name"], here["waiting"]) == ("demo", 0)


def fetching(market):
    """The marketplace has no address: its program fetches what it is asked for."""
    Marketplace.objects.filter(name="demo").update(target="", fetches=True)
    return Caller(market, market.jo, ("listings:write", "watch:read"))


def decided(market, item="1", **more):
    """A hit that the marketplace is asked to hold, and the measure on the ledger."""
    hit = market.hit(raw(item, **more))
    hold = Opinion(answer="confirm", why="counterfeit", measure="hold")
    decide_hit(hit.number, hold, by=market.jo.actor, at=market.world.now())
    return hit


def work(market):
    """What the watcher does with measures; no address is called."""

    def connect(row):
        raise AssertionError(row.name)

    return send_measures(connect, clock=market.world.now)


def pending(program, more=""):
    """What is to be carried out, as (hit, kind)."""
    items = program("get", f"/watch/marketplaces/demo/pending?{more}").json()["items"]
    return [(each["hit"], each["kind"]) for each in items]


def test_a_program_fetches_measures_acknowledges_and_answers_them(market):
    program = fetching(market)
    hits = [decided(market, item) for item in ("1", "2", "3")]
    assert pending(program) == []  # none is on the ledger yet
    early = program("post", f"/watch/measures/{Measure.objects.first().key}/answer", {"state": "done"})
    assert (early.status_code, early.json()["code"]) == (409, "watch.measure_early_conflict")
    assert work(market) == work(market) == 0
    first, second, third = program("get", "/watch/marketplaces/demo/pending").json()["items"]
    assert [each["hit"] for each in (first, second, third)] == [each.number for each in hits]
    row = Measure.objects.get(key=first["key"])
    assert first["measure"] == json.loads(bytes(row.body))
    assert deposit_of(market.jo.actor, row.deposit).sha256 == hashlib.sha256(bytes(row.body)).digest()

    taken = program("post", f"/watch/measures/{first['key']}/acknowledge")
    assert (taken.status_code, taken.json()["state"]) == (200, "waiting"), taken.content
    again = program("post", f"/watch/measures/{first['key']}/acknowledge").json()
    assert again["acknowledged_at"] == taken.json()["acknowledged_at"] is not None
    assert pending(program) == [(hits[1].number, "hold"), (hits[2].number, "hold")]
    assert len(pending(program, "acknowledged=true")) == 3

    done = program("post", f"/watch/measures/{first['key']}/answer", {"state": "done", "sold": 2})
    assert (done.json()["state"], done.json()["done_at"] is None) == ("done", False)
    gone = program("post", f"/watch/measures/{second['key']}/answer", {"state": "gone"})
    assert gone.json()["state"] == "done"
    no = program("post", f"/watch/measures/{third['key']}/answer", {"state": "refused", "reason": "seller appealed"})
    assert (no.json()["state"], no.json()["trouble"]) == ("refused", "watch.measure_refused_because")
    assert no.json()["sentence"].endswith("It says: seller appealed")
    assert pending(program, "acknowledged=true") == []
    assert [Hit.objects.get(pk=each.pk).measure for each in hits] == ["hold", "hold", ""]
    history = [each.kind for each in Hit.objects.get(pk=hits[0].pk).events.order_by("pk")]
    assert history[-3:] == ["measure", "acknowledged", "done"]


def test_the_same_answer_again_changes_nothing_and_another_one_is_refused(market):
    program = fetching(market)
    hit = decided(market)
    work(market)
    address = f"/watch/measures/{Measure.objects.get().key}"
    first = program("post", f"{address}/answer", {"state": "done"}).json()
    assert program("post", f"{address}/answer", {"state": "done"}).json() == first
    for call, body in (("answer", {"state": "refused"}), ("acknowledge", None)):
        said = program("post", f"{address}/{call}", body)
        assert (said.status_code, said.json()["code"]) == (409, "watch.measure_over_conflict")
    assert hit.events.filter(kind="done").count() == 1
    for body in ({"state": "later"}, {"state": "done", "sold": -1}, {"state": "done", "sold": True}, {}):
        assert program("post", f"{address}/answer", body).status_code == 422, body
    assert program("get", f"{address}").json()["state"] == "done"
    assert program("post", f"/watch/measures/{'0' * 64}/acknowledge").json()["code"] == "watch.measure_not_found"


@pytest.mark.parametrize("acknowledged", [False, True])
def test_what_is_taken_back_is_not_to_be_carried_out_and_its_restore_is(market, acknowledged):
    program = fetching(market)
    hit = decided(market)
    work(market)
    key = Measure.objects.get().key
    if acknowledged:
        program("post", f"/watch/measures/{key}/acknowledge")
    undo(hit.number, by=market.jo.actor, at=market.world.now())
    assert pending(program, "acknowledged=true") == []
    work(market)
    work(market)
    assert pending(program) == [(hit.number, "restore")]
    late = program("post", f"/watch/measures/{key}/answer", {"state": "done"})
    assert (late.status_code, late.json()["facts"]) == (409, {"state": "cancelled"})
    [restore] = program("get", "/watch/marketplaces/demo/pending").json()["items"]
    assert program("post", f"/watch/measures/{restore['key']}/answer", {"state": "done"}).status_code == 200
    assert (pending(program), work(market)) == ([], 0)


def test_an_address_is_not_called_for_what_a_program_has_taken_over(market):
    program = Caller(market, market.jo, SCOPES)
    decided(market)
    market.taker.answers = [Unavailable("watch.marketplace_silent", marketplace="demo")]
    assert send_measures(lambda _row: market.taker, clock=market.world.now) == 0
    program("post", f"/watch/measures/{Measure.objects.get().key}/acknowledge")
    market.world.at += timedelta(hours=2)
    assert (send_measures(lambda _row: market.taker, clock=market.world.now), market.taker.calls) == (0, 1)


def turned(call, path):
    """All pages of a list, by its own addresses; each has what the Link header says, too."""
    found, seen = [], 0
    while path:
        said = call("get", path.removeprefix(API))
        assert said.status_code == 200, said.content
        found += said.json()["items"]
        path, seen = said.json()["next"], seen + 1
        assert said.get("Link") == (f'<{path}>; rel="next"' if path else None)
        assert seen < 20
    return found


def test_measures_are_listed_page_by_page_and_cut_by_state_and_kind(market):
    program = fetching(market)
    hits = [decided(market, str(n)) for n in range(5)]
    undo(hits[0].number, by=market.jo.actor, at=market.world.now())
    work(market)
    here = "/watch/marketplaces/demo/measures"
    every = turned(program, f"{here}?limit=2")
    assert [each["hit"] for each in every] == [each.number for each in reversed(hits)]
    assert [each["state"] for each in every] == ["waiting"] * 4 + ["cancelled"]
    assert turned(program, f"{here}?limit=1&state=waiting&kind=hold") == every[:4]
    assert turned(program, f"{here}?kind=restore") == []
    assert program("get", here).json()["counts"] == {"waiting": 4, "cancelled": 1}
    assert program("get", f"{here}?after=nothing").json()["code"] == "watch.measure_not_found"
    [shown] = program("get", f"/watch/hits/{hits[1].number}").json()["measures"]
    assert shown == every[3]


def test_sellers_are_listed_in_their_order_and_named_by_an_owner_only(market):
    for seller in ("s1", "s2", "s3", "s/4 &x"):
        market.hit(raw(f"of {seller}", seller=seller))
    program, owner = Caller(market, market.jo, SCOPES), Caller(market, market.jo)
    here = "/watch/marketplaces/demo/sellers"
    assert [each["number"] for each in turned(program, f"{here}?limit=1")] == ["s/4 &x", "s1", "s2", "s3"]
    assert [each["number"] for each in turned(program, f"{here}?q=S2")] == ["s2"]
    said = {"number": "s/4 &x", "name": "Fine lamps", "organisation": str(market.mei.actor.organisation_id)}
    assert program("post", here, said).json()["code"] == "people.scope_missing"
    made = owner("post", here, {**said, "joined_at": "2024-02-03T00:00:00+08:00"})
    assert made.status_code == 200, made.content
    assert turned(program, f"{here}?q=fine") == [made.json()]
    assert made.json()["organisation"] == said["organisation"]
    assert made.json()["joined_at"].startswith("2024-02-02T16:00:00")
    unknown = owner("post", here, {**said, "organisation": "00000000-0000-4000-8000-000000000000"})
    assert unknown.json()["code"] == "watch.organisation_unknown"
    assert owner("post", here, {**said, "joined_at": "2024-02-03T00:00:00"}).status_code == 422
    assert program("get", "/watch/marketplaces/demo").json()["name"] == "demo"


def test_a_brand_s_program_keeps_the_names_of_its_mark(market):
    program = Caller(market, market.mei, ("rights:read", "rights:write", "watch:read"))
    [mark] = turned(program, "/watch/marks?limit=1")
    assert (mark["texts"], mark["aliases"], mark["searched"]) == (["RED LANTERN"], [], True)
    address = mark["links"]["self"].removeprefix(API)
    said = {"aliases": ["红灯笼", "Laterne"], "distinctiveness": 900, "near": True}
    changed = program("put", address, said)
    assert changed.status_code == 200, changed.content
    assert changed.json() == program("get", address).json()
    assert {name: changed.json()[name] for name in said} == said
    assert program("put", address, {"aliases": ["红灯笼"]}).json()["distinctiveness"] is None
    assert turned(program, "/watch/marks?q=no+such+words") == []
    for body in ({"aliases": ["x" * 201]}, {"distinctiveness": 1001}, {"names": []}):
        assert program("put", address, body).status_code == 422, body
    assert MarkNote.objects.get().aliases == ["红灯笼"]
    for scopes, code in (
        (("rights:read", "watch:read"), "people.scope_missing"),
        (("rights:write", "watch:read"), "people.scope_missing"),
        (("rights:read", "rights:write"), "people.scope_missing"),
    ):
        assert Caller(market, market.mei, scopes)("put", address, said).json()["code"] == code
    viewer = Caller(market, market.world.person("V", role="viewer", of=market.mei))
    assert viewer("put", address, said).json()["code"] == "people.not_allowed"
    stranger = Caller(market, market.jo, ("rights:read", "rights:write", "watch:read"))
    assert stranger("put", address, said).json()["code"] == "rights.not_found"
    assert MarkNote.objects.get().aliases == ["红灯笼"]
