from __future__ import annotations

import base64
import io
import json
from datetime import timedelta

import pytest
from django.test import Client
from PIL import Image
from world.logos import drawn
from world.pages import PageWorld
from world.rights import OPERATOR, by_office, lantern

from chopmark.base import clock
from chopmark.people import actions as people
from chopmark.rights.actions.file import NewRight, file_right
from chopmark.rights.actions.verify import verify_against, vouch
from chopmark.rights.actions.watch import run_watches
from chopmark.web.api import limits

API = "/api/v1/rights"


@pytest.fixture(autouse=True)
def _patience(monkeypatch):
    monkeypatch.setattr(limits, "_BUCKETS", limits.Buckets())


@pytest.fixture
def world(db, settings, tmp_path):
    settings.CHOPMARK_HOME = tmp_path / "home"
    return PageWorld.made(settings.CHOPMARK_HOME, at=clock.now().replace(microsecond=0) - timedelta(minutes=10))


class Programme:
    """A client with a key."""

    def __init__(self, world, person, scopes=("rights:write", "rights:read")):
        text = people.create_api_key("programme", list(scopes), by=person.actor, at=world.now()).text
        self.headers = {"Authorization": f"Bearer {text}", "Accept-Language": "en"}

    def get(self, path, **query):
        return Client().get(f"{API}{path}", query, headers=self.headers)

    def post(self, path, body, method="post", **headers):
        said = {**self.headers, **headers}
        return getattr(Client(), method)(
            f"{API}{path}", json.dumps(body), content_type="application/json", headers=said
        )


@pytest.fixture
def mei(world):
    return world.person("Mei Lan")


@pytest.fixture
def filed(world, mei):
    made = file_right(NewRight(record=lantern()), by=mei.actor, at=world.now())
    vouch(mei.actor.organisation_id, made.record.owners[0].name, operator=OPERATOR, at=world.now())
    return verify_against(made.id, by_office(), by=OPERATOR, at=world.now())


def test_words_are_searched_with_three_scores_and_limits(world, filed):
    jo = Programme(world, world.person("Jo Smith"), scopes=("rights:read",))
    [hit] = jo.get("/search", q="r3d lantem", classes="25, 9", territories="FR", least="0.7").json()["hits"]
    assert (hit["number"], hit["mine"], set(hit["scores"])) == (filed.number, False, {"look", "sound", "contains"})
    assert jo.get("/search", q="red lantern", classes="9").json()["hits"] == []
    for query in ({"q": ""}, {"q": "®"}, {"q": "x", "classes": "99"}, {"q": "x", "least": "2"}, {}):
        assert jo.get("/search", **query).status_code in (400, 422)


def test_a_watch_is_saved_read_and_stopped_by_its_organisation_alone(world, mei, filed):
    jo = Programme(world, world.person("Jo Smith"))
    made = jo.post("/watches", {"text": "RED LANTEM", "classes": ["25"]})
    assert made.status_code == 201
    here = f"/watches/{made.json()['id']}"
    run_watches(world.now())
    assert jo.get(here).json()["fresh"] == 1
    [find] = jo.get(f"{here}/finds").json()["items"]
    assert find["number"] == filed.number
    assert jo.post(f"{here}/seen", {}).json() == {"seen": 1}
    assert jo.get(f"{here}/finds", fresh="true").json()["items"] == []
    hers = Programme(world, mei)
    for answered in (hers.get(here), hers.get(f"{here}/finds"), hers.post(here, {}, "delete")):
        assert answered.status_code == 404
    assert hers.get("/watches").json()["items"] == []
    assert jo.post(here, {}, "delete").json()["stopped_at"]
    assert jo.get("/watches").json()["items"] == []
    assert len(jo.get("/watches", stopped="true").json()["items"]) == 1


def test_a_watch_is_saved_once_under_a_key(world, mei):
    hers = Programme(world, mei)
    first, again = (hers.post("/watches", {"text": "lantern"}, **{"Idempotency-Key": "w"}) for _ in range(2))
    assert (first.status_code, again.content) == (201, first.content)
    assert len(hers.get("/watches").json()["items"]) == 1


def test_who_may_only_read_saves_no_watch_and_a_key_for_deposits_searches_nothing(world, filed):
    jo = world.person("Jo Smith")
    assert Programme(world, jo, scopes=("rights:read",)).post("/watches", {"text": "x1"}).status_code == 403
    assert Programme(world, jo, scopes=("deposits:read",)).get("/search", q="lantern").status_code == 403
    assert Client().get(f"{API}/search", {"q": "lantern"}).status_code == 401


def test_a_logo_is_searched_and_what_is_none_is_refused(world, mei):
    hers = Programme(world, mei)
    data = io.BytesIO()
    Image.fromarray(drawn("M2 2h8v4H6v16H2zM14 3l6 2-3 9z")).save(data, "PNG")
    answered = hers.post("/search", {"picture": base64.b64encode(data.getvalue()).decode()})
    assert (answered.status_code, answered.json()["hits"]) == (200, [])
    assert hers.post("/search", {"picture": base64.b64encode(b"<svg/>").decode()}).status_code in (400, 415, 422)
    assert hers.post("/search", {"picture": "%"}).status_code == 422
