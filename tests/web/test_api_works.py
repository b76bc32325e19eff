from __future__ import annotations

import base64
from datetime import timedelta

import pytest
from django.test import Client
from world import media
from world.pages import PageWorld

from chopmark.base import clock
from chopmark.evidence.actions import append_upload, start_upload
from chopmark.people import actions as people
from chopmark.web.api import limits

API = "/api/v1"
RECORD = {"kind": "picture", "title": "Lantern at night", "statement": "All rights reserved; ask us."}


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


@pytest.fixture
def jo(world):
    return world.person("Jo Smith")


class Programme:
    """A caller with a key."""

    def __init__(self, world, person, scopes=("rights:write", "rights:read", "deposits:write"), language="en"):
        made = people.create_api_key("programme", scopes, by=person.actor, at=world.now())
        self.headers = {"Authorization": f"Bearer {made.text}", "Accept-Language": language}

    def __call__(self, method, path, body=None, **headers):
        call = getattr(Client(), method)
        more = {} if body is None else {"data": body, "content_type": "application/json"}
        return call(f"{API}{path}", headers={**self.headers, **headers}, **more)


def uploaded(world, person, data):
    made = start_upload(length=len(data), file_name="lantern.jpg", by=person.actor, at=world.now())
    append_upload(made.id, offset=0, chunks=[data], by=person.actor, at=world.now())
    return str(made.id)


def inline(data):
    return base64.b64encode(data).decode()


def registered(world, person, call, seed=1, **record):
    upload = uploaded(world, person, media.jpeg(media.picture(seed)))
    return call("post", "/works", {"record": {**RECORD, **record}, "files": [{"upload": upload}]})


def test_a_work_goes_through_its_life_by_programme(world, mei):
    call = Programme(world, mei)
    made = registered(world, mei, call)
    assert made.status_code == 201, made.content
    work = made.json()
    assert work["files"][0]["iscc"].startswith("ISCC:")
    assert call("get", "/works").json()["items"] == [work]
    assert call("get", f"/works/{work['number']}").json() == work
    changed = call("put", f"/works/{work['id']}", {"record": {**RECORD, "tdm_reserved": True}, "version": 1})
    assert changed.json()["record"]["tdm_reserved"] is True
    stale = call("put", f"/works/{work['id']}", {"record": RECORD, "version": 1})
    assert (stale.status_code, stale.json()["code"]) == (409, "works.moved")
    file = call("get", work["files"][0]["links"]["file"].removeprefix(API))
    assert file["Content-Type"] == "application/octet-stream"
    assert file["Content-Disposition"].startswith("attachment")
    assert b"".join(file.streaming_content) == media.jpeg(media.picture(1))
    assert call("post", f"/works/{work['number']}/withdraw", {"reason": "sold"}).json()["state"] == "withdrawn"
    types = [each["type"] for each in call("get", f"/works/{work['number']}/events").json()["items"]]
    assert types == ["work_filed", "work_amended", "work_withdrawn"]


def test_a_copy_is_found_drawn_explained_and_judged_by_programme(world, mei, jo):
    call = Programme(world, mei)
    work = registered(world, mei, call).json()
    query = inline(media.jpeg(media.picture(1)[:, ::-1]))
    made = call("post", "/copies", {"file": query, "name": "found.jpg"})
    assert made.status_code == 201, made.content
    [match] = made.json()["matches"]
    assert (match["work"], match["own"]) == (work["number"], True)
    drawing = call("get", match["links"]["overlay"].removeprefix(API))
    assert (drawing["Content-Type"], drawing.content[:4]) == ("image/png", b"\x89PNG")
    why = call("get", match["links"]["why"].removeprefix(API)).json()["items"]
    assert all(each["sentence"] and each["sentence"] != each["code"] for each in why)
    judged = call("put", match["links"]["why"].removeprefix(API), {"verdict": "copy"}).json()
    assert judged["matches"][0]["verdict"] == "copy"
    assert [each["number"] for each in call("get", "/copies").json()["items"]] == [made.json()["number"]]

    other = Programme(world, jo, language="zh")
    found = other("post", "/copies", {"file": query}).json()
    assert (found["matches"][0]["title"], found["matches"][0]["links"].keys()) == ("", {"why"})
    assert "未予证明" in found["not_proven"]
    for path in (f"/works/{work['number']}", f"/copies/{made.json()['number']}", match["links"]["overlay"][7:]):
        assert other("get", path).status_code == 404
    again = registered(world, jo, other)
    assert (again.status_code, again.json()["facts"]["numbers"]) == (409, [work["number"]])


def test_works_searches_and_common_pictures_are_made_once_under_a_key(world, mei):
    call = Programme(world, mei)
    upload = uploaded(world, mei, media.jpeg(media.picture(1)))
    picture = inline(media.jpeg(media.picture(2)))
    bodies = {
        "/works": {"record": RECORD, "files": [{"upload": upload}]},
        "/copies": {"file": picture},
        "/copies/commons": {"file": picture, "reason": "template"},
    }
    for path, body in bodies.items():
        first, again = (call("post", path, body, **{"Idempotency-Key": path}) for _ in range(2))
        assert (first.status_code, again.status_code, again.content) == (201, 201, first.content)
        assert again["Idempotency-Replayed"] == "true"
        assert len(call("get", path).json()["items"]) == 1


def test_what_is_common_is_kept_by_programme(world, mei):
    call = Programme(world, mei)
    picture = inline(media.jpeg(media.picture(1)))
    made = call("post", "/copies/commons", {"file": picture, "reason": "template"})
    assert made.status_code == 201
    [listed] = call("get", "/copies/commons").json()["items"]
    assert (listed["id"], listed["reason"], listed["everybody"]) == (made.json()["id"], "template", False)
    assert call("delete", f"/copies/commons/{listed['id']}").status_code == 204
    assert call("get", "/copies/commons").json()["items"] == []


@pytest.mark.parametrize(
    ("path", "body", "answered"),
    [
        ("/copies", {"file": inline(b"\x7fELF" + bytes(40))}, (422, "media.format_unknown")),
        ("/copies", {"file": ""}, (422, "media.empty")),
        ("/copies", {"file": "abc"}, (400, "copies.file_malformed")),
        ("/copies", {"file": "", "radius": 200}, (422, "api.fields_wrong")),
        ("/copies", {"deposit": "00000000-0000-0000-0000-000000000000"}, (404, "evidence.deposit_not_found")),
        ("/works", {"record": RECORD, "files": []}, (422, "api.fields_wrong")),
        ("/works", {"record": {**RECORD, "owner": "me"}, "files": [{}]}, (422, "rules.member_unknown")),
        ("/works", {"record": {**RECORD, "licence": "none"}, "files": [{}]}, (422, "works.licence_unknown")),
        ("/works/W-2026-000009/withdraw", {"reason": ""}, (404, "works.not_found")),
    ],
)
def test_what_is_wrong_is_a_problem_document(world, mei, path, body, answered):
    answer = Programme(world, mei)("post", path, body)
    assert answer["Content-Type"] == "application/problem+json"
    assert answer.json()["detail"]
    assert (answer.status_code, answer.json()["code"]) == answered


def test_a_key_that_may_only_read_registers_nothing(world, mei):
    read = Programme(world, mei, scopes=("rights:read",))
    answer = registered(world, mei, read)
    assert (answer.status_code, answer.json()["code"]) == (403, "people.scope_missing")
    assert read("get", "/works").status_code == 200
    assert Client().get(f"{API}/works").status_code == 401
