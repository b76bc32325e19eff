from __future__ import annotations

import base64
from datetime import timedelta

import pytest
from django.test import Client
from world.pages import PageWorld

from chopmark.base import clock
from chopmark.people import actions as people
from chopmark.rights.models import Right as RightRow
from chopmark.web.api import limits

API = "/api/v1/rights/import"
TABLE = (
    "商标,注册局,注册号,权利人,类别\n红灯笼,CN,10000001,宁波灯笼有限公司,11\n青灯笼,CN,,宁波灯笼有限公司,11\n"
).encode()


@pytest.fixture(autouse=True)
def _patience(monkeypatch):
    """Each test begins with full buckets."""
    monkeypatch.setattr(limits, "_BUCKETS", limits.Buckets())


@pytest.fixture
def world(db, settings, tmp_path):
    settings.CHOPMARK_HOME = tmp_path / "home"
    return PageWorld.made(settings.CHOPMARK_HOME, at=clock.now().replace(microsecond=0) - timedelta(minutes=10))


@pytest.fixture
def mei(world):
    return world.person("Mei Lan")


def send(world, person, data, *, scopes=("rights:write", "rights:read"), language="en", **options):
    made = people.create_api_key("programme", scopes, by=person.actor, at=world.now())
    headers = {"Authorization": f"Bearer {made.text}", "Accept-Language": language}
    body = {"file": base64.b64encode(data).decode(), "name": "marks.csv", **options}
    return Client().post(API, body, content_type="application/json", headers=headers)


def test_a_file_is_looked_at_and_then_filed(world, mei):
    looked = send(world, mei, TABLE, dry_run=True)
    assert looked.status_code == 200, looked.content
    assert (looked.json()["good"], looked.json()["dry_run"], RightRow.objects.count()) == (1, True, 0)
    filed = send(world, mei, TABLE).json()
    assert (filed["filed"], filed["rows"][0]["number"]) == (1, RightRow.objects.get().number)
    assert [(each["where"], each["code"]) for each in filed["problems"]] == [("row 3", "imports.no_number")]


def test_problems_are_said_in_the_callers_language(world, mei):
    assert send(world, mei, TABLE, language="zh").json()["problems"][0]["sentence"] == "既没有申请号，也没有注册号。"


def test_a_hostile_file_is_a_problem_document(world, mei):
    answer = send(world, mei, b'<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>')
    assert answer.status_code == 422
    assert answer.json()["code"] == "imports.xml_dtd"


def test_a_key_that_may_only_read_cannot_bring_in(world, mei):
    answer = send(world, mei, TABLE, scopes=("rights:read",))
    assert answer.status_code == 403
    assert not RightRow.objects.exists()


def test_without_a_key_nothing_is_read(world):
    assert Client().post(API, {"file": ""}, content_type="application/json").status_code == 401


@pytest.mark.parametrize("file", ["", "not base64!", "QQ", 7])
def test_a_body_that_is_no_file_is_refused(world, mei, file):
    made = people.create_api_key("programme", ("rights:write",), by=mei.actor, at=world.now())
    headers = {"Authorization": f"Bearer {made.text}"}
    answer = Client().post(API, {"file": file}, content_type="application/json", headers=headers)
    assert answer.status_code == 422, answer.content
