"""A decision on the ledger: on the hit's page, in its files and by the API, for whoever may see the hit."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.test import Client
from world.market import Market, raw
from world.pages import PageWorld

from chopmark.base import clock, jcs
from chopmark.people import actions as people
from chopmark.watch import sampling
from chopmark.watch.actions.review import Opinion, decide_hit, undo
from chopmark.watch.actions.state_decisions import make_sheet, state_decisions
from chopmark.watch.decisions import DECISIONS, Proof, Sheet, check
from chopmark.watch.models import DecisionSheet
from chopmark.watch.queries.decisions import sheet_receipt
from chopmark.web.api import limits
from chopmark.web.views import watch_words

API = "/api/v1"
HOLD = Opinion(answer="confirm", why="counterfeit", measure="hold")
FINE = Opinion(answer="dismiss", why="genuine")


@pytest.fixture(autouse=True)
def _alone(monkeypatch):
    """Each test begins with full buckets, and nothing goes to audit."""
    monkeypatch.setattr(limits, "_BUCKETS", limits.Buckets())
    monkeypatch.setattr(sampling, "drawn", lambda *_parts: False)


@pytest.fixture
def market(db, settings, tmp_path, monkeypatch):
    settings.CHOPMARK_HOME = tmp_path / "home"
    world = PageWorld.made(settings.CHOPMARK_HOME, at=clock.now().replace(microsecond=0) - timedelta(minutes=10))
    monkeypatch.setattr("chopmark.base.clock.now", world.now)
    return Market.made(world, world.person("Mei Lan"), world.person("Jo Smith"))


def program(market, person, *scopes):
    """Calls of a program of this person's organisation."""
    key = people.create_api_key("program", scopes, by=person.actor, at=market.world.now()).text
    return lambda path: Client().get(
        f"{API}{path}", headers={"Authorization": f"Bearer {key}", "Accept-Language": "en"}
    )


def test_every_step_that_decides_has_words():
    assert set(watch_words.STEP_WORDS) >= DECISIONS


def test_decisions_are_listed_with_proof_sheet_and_receipt(market):
    ask, hit = program(market, market.mei, "watch:read"), market.hit(raw("1"))
    for said in (HOLD, FINE):
        decide_hit(hit.number, said, by=market.jo.actor, at=market.world.now())
        undo(hit.number, by=market.jo.actor, at=market.world.now())
    here = f"/watch/hits/{hit.number}/decisions"
    [first, *_] = ask(here).json()["items"]
    assert (first["step"], first["sheet"], first["proof"], first["links"]) == ("confirm", None, None, {"receipt": None})
    number = make_sheet(market.jo.actor.organisation_id, market.world.now())
    early = ask(f"{here}/{number}/receipt.tlog-proof")
    assert (early.status_code, early.json()["code"]) == (409, "watch.sheet_unstated")
    state_decisions(clock=market.world.now)
    market.world.publish()
    page = ask(f"{here}?limit=2").json()
    rest = ask(page["next"].removeprefix(API)).json()
    assert [each["place"] for each in page["items"] + rest["items"]] == [1, 2, 3, 4]
    assert rest["next"] is None
    for each in page["items"] + rest["items"]:
        sheet = Sheet.parse(jcs.encode(each["statement"]))
        assert check(Proof.parse(jcs.encode(each["proof"])), sheet) == each["record"]
        assert (each["sheet"], sheet.count, each["record"]["who"]) == (number, 4, "marketplace")
        receipt = ask(each["links"]["receipt"].removeprefix(API))
        assert (receipt.status_code, receipt.content[:7]) == (200, b"c2sp.or")
    history = ask(f"/watch/hits/{hit.number}").json()["history"]
    assert {each["kind"]: each["sheet"] for each in history if each["kind"] in DECISIONS} == dict.fromkeys(
        ("confirm", "undo", "dismiss"), number
    )
    assert {each["sheet"] for each in history if each["kind"] not in DECISIONS} == {None}


def test_a_decision_on_the_ledger_says_so_in_the_history_with_its_files(market):
    hit = market.hit()
    jo = market.jo
    decide_hit(hit.number, HOLD, by=jo.actor, at=market.world.now())
    assert "On the ledger in sheet" not in jo.client.get(f"/watch/hits/{hit.number}").text
    here = f"/watch/hits/{hit.number}/decisions/1"
    assert jo.client.get(f"{here}/proof.json").status_code == 403
    state_decisions(clock=market.world.now)
    market.world.publish()
    sheet = DecisionSheet.objects.get()
    own, holders = (each.client.get(f"/watch/hits/{hit.number}").text for each in (jo, market.mei))
    for page in (own, holders):
        assert page.count("On the ledger in sheet") == 1
        assert sheet.number in page
    assert (f'href="/deposits/{sheet.deposit}"' in own, f'href="/deposits/{sheet.deposit}"' in holders) == (True, False)
    for client in (jo.client, market.mei.client):
        proof, statement, receipt = (
            client.get(f"{here}/{name}").content for name in ("proof.json", "sheet.json", "sheet.json.tlog-proof")
        )
        assert check(Proof.parse(proof), Sheet.parse(statement))["step"] == "confirm"
        assert receipt == sheet_receipt(jo.actor, hit.number, sheet.number).tlog_proof()
    assert jo.client.get(f"/watch/hits/{hit.number}/decisions/2/proof.json").status_code == 404


def test_a_stranger_gets_no_file_of_a_decision(market):
    hit = market.hit()
    decide_hit(hit.number, HOLD, by=market.jo.actor, at=market.world.now())
    state_decisions(clock=market.world.now)
    market.world.publish()
    sheet = DecisionSheet.objects.get().number
    stranger, viewer = market.world.person("Stranger"), market.world.person("Vera", role="viewer", of=market.jo)
    for path in (
        *(f"/watch/hits/{hit.number}/decisions/1/{name}" for name in ("proof.json", "sheet.json")),
        f"/watch/hits/{hit.number}/decisions/1/sheet.json.tlog-proof",
        f"{API}/watch/hits/{hit.number}/decisions",
        f"{API}/watch/hits/{hit.number}/decisions/{sheet}/receipt.tlog-proof",
    ):
        assert stranger.client.get(path).status_code == 404, path
        assert viewer.client.get(path).status_code == 200, path
        assert Client().get(path).status_code in (302, 401), path
