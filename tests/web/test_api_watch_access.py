"""Every call of the watch's API, asked by everybody who must not: one added later is asked too."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.test import Client
from world.market import NAMED, Market, raw
from world.pages import PageWorld

from chopmark.base import clock, jcs
from chopmark.people import actions as people
from chopmark.watch.actions.scan import NewScan, start_scan
from chopmark.watch.models import GoldenSample, Hit, MarkNote, Measure, RuleRow, Scan, Seller, Vote
from chopmark.watch.rules.rule import encode_rule
from chopmark.web.api import limits, watch, watch_markets

API = "/api/v1"
SCOPES = ("listings:write", "rights:read", "watch:read", "watch:write")
ANYTHING = "00000000-0000-4000-8000-000000000000"
DECISION = {"answer": "confirm", "why": "counterfeit", "measure": "takedown"}
BODIES = {
    "decide_hit": DECISION,
    "start_scan": {"marketplace": "demo"},
    "propose_rule": {"rule": {**jcs.decode(encode_rule(NAMED)), "id": "mine"}},
    "move_rule": {"state": "stopped"},
    "name_seller": {"number": "s1", "name": "Somebody"},
    "describe_mark": {"aliases": ["Laterne"]},
    "answer_measure": {"state": "refused"},
}
LISTS = {"list_marketplaces", "list_hits", "get_queue", "list_scans", "list_rules", "get_figures", "list_marks"}
PROGRAMS = {"acknowledge_measure", "answer_measure"}  # what a marketplace's own program may do with `listings:write`


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
    """A program with a key of these scopes, or a person in a session."""

    def __init__(self, market, person, scopes=None):
        self.client, self.headers = (person.client, {}) if scopes is None else (Client(), {})
        if scopes is not None:
            made = people.create_api_key("program", scopes, by=person.actor, at=market.world.now())
            self.headers["Authorization"] = f"Bearer {made.text}"

    def __call__(self, method, path, body):
        more = {} if method == "get" else {"data": body or {}, "content_type": "application/json"}
        return getattr(self.client, method)(f"{API}{path}", headers=self.headers, **more)


@pytest.fixture
def calls(market):
    """Each call as (name, method, path, body), about things that are there."""
    hit = market.hit(raw("1"))
    measure = Measure.objects.create(
        key="ab" * 32, hit=hit, marketplace=hit.marketplace, kind="hold", body=b"{}", deposit=ANYTHING,
        made_at=market.world.now(), next_try=market.world.now(),
    )  # fmt: skip
    scan = start_scan(NewScan(marketplace="demo"), by=market.jo.actor, at=market.world.now())
    things = {"made": ANYTHING, "partition": "0", "row": "0", "key": measure.key, "sheet": "DS-2026-000001"}
    numbers = {"scans": scan.number, "marks": hit.right_number}
    names = {"marketplaces": "demo", "rules": "named"}
    found = []
    for path, view in [*watch.router.path_operations.items(), *watch_markets.router.path_operations.items()]:
        for one in view.operations:
            kind = path.split("/")[1]
            which, name = numbers.get(kind, hit.number), names.get(kind, "")
            body = {**DECISION, "hits": [hit.number]} if one.operation_id == "decide_hits" else None
            place = "/watch" + path.format_map({**things, "which": which, "name": name})
            [method] = one.methods
            found.append((one.operation_id, method.lower(), place, body or BODIES.get(one.operation_id)))
    assert len(found) >= 30
    return found


@pytest.fixture
def untouched(market, calls):
    """Whatever is asked, nothing is decided, made or stopped."""
    yield
    assert set(Hit.objects.values_list("state", flat=True)) == {"open"}
    assert set(Scan.objects.values_list("state", flat=True)) == {"waiting"}
    assert dict(RuleRow.objects.values_list("name", "state")) == {"named": "live", "replica": "live"}
    assert list(Measure.objects.values_list("state", "acknowledged_at")) == [("waiting", None)]
    assert set(Seller.objects.values_list("name", flat=True)) == {""}
    assert not any(each.objects.exists() for each in (Vote, GoldenSample, MarkNote))


def _refusals(name, method):
    """How a call may end that reads but must change nothing; the mark is the holder's, and not there for others."""
    return (200, 404, 409) if method == "get" else (404,) if name == "describe_mark" else (403,)


@pytest.mark.usefixtures("untouched")
def test_nobody_calls_without_an_account(calls):
    for name, method, path, body in calls:
        said = getattr(Client(), method)(f"{API}{path}", data=body, content_type="application/json")
        assert said.status_code in (401, 403), name


@pytest.mark.usefixtures("untouched")
def test_a_key_without_the_scope_gets_nothing(market, calls):
    key = Caller(market, market.jo, ("deposits:read", "rights:read", "rights:write"))
    for name, method, path, body in calls:
        said = key(method, path, body)
        assert (said.status_code, said.json()["code"]) == (403, "people.scope_missing"), name


@pytest.mark.usefixtures("untouched")
def test_a_key_with_every_scope_of_the_watch_reads_and_changes_nothing(market, calls):
    key = Caller(market, market.jo, SCOPES)
    for name, method, path, body in calls:
        if name in PROGRAMS:
            continue
        said = key(method, path, body)
        assert said.status_code in _refusals(name, method), (name, said.content)


@pytest.mark.usefixtures("untouched")
def test_a_viewer_reads_and_changes_nothing(market, calls):
    viewer = Caller(market, market.world.person("V", role="viewer", of=market.jo))
    for name, method, path, body in calls:
        said = viewer(method, path, body)
        assert said.status_code in _refusals(name, method), (name, said.content)


@pytest.mark.usefixtures("untouched")
def test_who_only_reads_or_reviews_answers_no_measure_of_the_marketplace(market, calls):
    callers = {
        "people.scope_missing": Caller(market, market.jo, ("watch:read", "watch:write")),
        "watch.measure_not_found": Caller(market, market.mei, SCOPES),
        "people.not_allowed": Caller(market, market.world.person("V2", role="viewer", of=market.jo)),
    }
    for name, method, path, body in calls:
        if name in PROGRAMS:
            assert {code: ask(method, path, body).json()["code"] for code, ask in callers.items()} == {
                code: code for code in callers
            }


@pytest.mark.usefixtures("untouched")
def test_another_organisation_sees_and_changes_nothing(market, calls):
    stranger = Caller(market, market.world.person("Stranger"))
    own = {"propose_rule", "decide_hits", "undo_hits"}  # a rule of its own; of many each is refused by itself
    for name, method, path, body in calls:
        said = stranger(method, path, body)
        if name in LISTS:
            assert not said.json().get("items", said.json().get("lines")), name
            assert "demo" not in said.content.decode(), name
        elif name in own:
            assert not said.json().get("done"), name
        else:
            assert said.status_code == 404, (name, said.content)
    RuleRow.objects.filter(name="mine").delete()


@pytest.mark.usefixtures("untouched")
def test_the_right_s_holder_runs_no_scan_and_no_rule_of_the_marketplace(market, calls):
    holder = Caller(market, market.mei)
    for name, method, path, body in calls:
        if path.startswith(("/watch/scans", "/watch/rules", "/watch/marketplaces")) and name != "propose_rule":
            said = holder(method, path, body)
            assert said.status_code == 404 or said.json() == {"items": []}, (name, said.content)
