from __future__ import annotations

from datetime import timedelta

import orjson
import pytest
from django.test import Client
from world.jobs import TestCapture, tools
from world.pages import PageWorld
from world.tsa import TsaWorld

from chopmark.base import clock
from chopmark.evidence import actions
from chopmark.evidence.actions.work import work
from chopmark.people import actions as people
from chopmark.web.api import limits

API = "/api/v1/matters"
SVG = b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>"


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


class Caller:
    """A programme with a key, or with an access code, or with nothing."""

    def __init__(self, **headers):
        self._client, self._headers = Client(), headers

    def __call__(self, method, path, body=None, **headers):
        return self._client.generic(
            method,
            path,
            b"" if body is None else orjson.dumps(body),
            content_type="application/json",
            headers={**self._headers, **headers},
        )


def caller(world, person, *scopes):
    made = people.create_api_key(
        "programme", scopes or ("deposits:write", "deposits:read"), by=person.actor, at=world.now()
    )
    return Caller(Authorization=f"Bearer {made.text}")


def opened(call, **more):
    made = call("POST", API, {"template": "trademark_counterfeit", "title": {"zh": "假冒灯笼案"}, **more})
    assert made.status_code == 201, made.content
    return made.json()


def uploaded(world, person, data=SVG, name="logo.svg", kind="image/svg+xml"):
    made = actions.start_upload(length=len(data), file_name=name, file_type=kind, by=person.actor, at=world.now())
    actions.append_upload(made.id, offset=0, chunks=[data], by=person.actor, at=world.now())
    return str(made.id)


def item(world, person):
    upload = uploaded(world, person)
    return {"kind": "document", "title": {"en": "Logo"}, "files": [{"upload": upload}], "phase": "rights"}


def test_a_matter_goes_from_opening_to_a_bundle_and_a_judge_reads_it_with_a_code(world, mei):
    call, tsa = caller(world, mei), TsaWorld(at=world.at)

    def now():
        tsa.at = world.now()
        return tsa.at

    kit = tools(world.home, tsa, TestCapture())
    here = f"{API}/{opened(call)['number']}"
    made = call("POST", f"{here}/items", item(world, mei), **{"Idempotency-Key": "one"})
    assert (made.status_code, made.json()["number"]) == (201, "E-001")
    asked = call("POST", f"{here}/captures", {"url": "https://shop.test/"}).json()
    world.at = clock.now()  # it was asked for by the machine's clock
    work(kit, now)
    assert call("GET", f"{here}/captures/{asked['number']}").json()["state"] == "done"
    world.publish()
    wanted = call("POST", f"{here}/bundles", {})
    assert wanted.json()["state"] == "queued"
    world.at = clock.now()
    for _ in range(4):
        work(kit, now)
        world.publish()
        world.at += timedelta(seconds=3)
    bundle = call("GET", f"{here}/bundles/{wanted.json()['number']}").json()
    assert bundle["state"] == "done", bundle
    code = call("POST", f"{here}/grants", {"given_to": "the court"}).json()["code"]
    judge = Caller(**{"Chopmark-Access-Code": code, "Chopmark-Visitor": "Judge Li"})
    seen = judge("GET", "/api/v1/access/matter")
    assert [each["number"] for each in seen.json()["items"]] == ["E-001", "E-002"]
    file = judge("GET", f"/api/v1/access/bundles/{bundle['number']}/file")
    assert b"".join(file.streaming_content)[:4] == b"PK\x03\x04"
    assert judge("GET", "/api/v1/access/custody.jsonl").status_code == 200
    uses = call("GET", f"{here}/grants").json()["items"][0]["uses"]
    assert [each["action"] for each in uses] == ["opened", "opened", "bundle", "opened", "custody"]


def test_a_hostile_file_goes_out_as_an_attachment_of_unknown_type(world, mei):
    call = caller(world, mei)
    number = opened(call)["number"]
    made = call("POST", f"{API}/{number}/items", item(world, mei)).json()
    answer = call("GET", f"{API}/{number}/files/{made['files'][0]['id']}")
    assert b"".join(answer.streaming_content) == SVG
    assert answer["Content-Type"] == "application/octet-stream"
    assert answer["Content-Disposition"].startswith("attachment")
    assert (answer["X-Content-Type-Options"], "sandbox" in answer["Content-Security-Policy"]) == ("nosniff", True)


def test_nobody_but_its_own_people_reads_a_matter(world, mei):
    call = caller(world, mei)
    number = opened(call)["number"]
    other = caller(world, world.person("Jun Wu"))
    for path in ("", "/items", "/captures", "/bundles", "/grants", "/schedules", "/custody.jsonl", "/custody.jsonld"):
        assert other("GET", f"{API}/{number}{path}").status_code == 404, path
        assert Caller()("GET", f"{API}/{number}{path}").status_code == 401, path
    for path, body in {
        "/items": item(world, mei),
        "/captures": {"url": "https://a.test/"},
        "/bundles": {},
        "/grants": {"given_to": "me"},
        "/hold": {"reason": "mine"},
        "/delete": {"reason": "mine"},
    }.items():
        assert other("POST", f"{API}/{number}{path}", body).status_code == 404, path


def test_a_viewer_and_a_key_that_only_reads_change_nothing(world, mei):
    number = opened(caller(world, mei))["number"]
    viewer = world.person("Vera Wei", role="viewer", of=mei)
    for call in (caller(world, mei, "deposits:read"), _session(viewer)):
        assert call("GET", f"{API}/{number}").status_code == 200
        for path, body in {
            "/captures": {"url": "https://a.test/"},
            "/bundles": {},
            "/grants": {"given_to": "me"},
        }.items():
            assert call("POST", f"{API}/{number}{path}", body).status_code == 403, path
        assert call("PATCH", f"{API}/{number}", {"closed": True}).status_code == 403


def _session(person):
    def call(method, path, body=None):
        data = b"" if body is None else orjson.dumps(body)
        return person.client.generic(method, path, data, content_type="application/json")

    return call


def test_no_key_of_a_programme_lifts_a_hold(world, mei):
    call = caller(world, mei)
    number = opened(call)["number"]
    assert call("POST", f"{API}/{number}/hold", {"reason": "order of the court"}).status_code == 204
    assert call("POST", f"{API}/{number}/hold/lift", {"reason": "no"}).status_code == 403
    assert call("POST", f"{API}/{number}/delete", {"reason": "no"}).status_code == 403
    assert call("GET", f"{API}/{number}").json()["held"] is True


def test_who_guesses_codes_is_told_to_wait(world, mei):
    opened(caller(world, mei))
    guess = Caller(**{"Chopmark-Access-Code": "AAAAA-BBBBB-CCCCC-DDDDD"})
    statuses = [guess("GET", "/api/v1/access/matter").status_code for _ in range(11)]
    assert statuses == [403] * 10 + [429]


def test_the_same_request_sent_again_makes_one_item(world, mei):
    call = caller(world, mei)
    number, body = opened(call)["number"], item(world, mei)
    first = call("POST", f"{API}/{number}/items", body, **{"Idempotency-Key": "a"})
    again = call("POST", f"{API}/{number}/items", body, **{"Idempotency-Key": "a"})
    assert first.json() == again.json()
    assert len(call("GET", f"{API}/{number}/items").json()["items"]) == 1


def test_addresses_that_are_no_web_pages_are_not_captured(world, mei):
    call = caller(world, mei)
    number = opened(call)["number"]
    for url in ("file:///etc/passwd", "ftp://a.test/", "gopher://a.test/", "http://u:p@a.test/", "javascript:1", "//a"):
        assert call("POST", f"{API}/{number}/captures", {"url": url}).status_code == 400, url
    assert call("GET", f"{API}/{number}/captures").json()["items"] == []
