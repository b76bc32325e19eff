"""Rights over the API: filed, read, licensed, asked about, by programmes with keys of narrow scope."""

from __future__ import annotations

import base64
import hashlib
import json
from datetime import timedelta

import pytest
from django.test import Client
from world.pages import PageWorld
from world.rights import OPERATOR, by_office, lantern, vouched

from chopmark.base import clock
from chopmark.people import actions as people
from chopmark.rights import encoding
from chopmark.rights.actions import verify
from chopmark.web.api import limits

API = "/api/v1/rights"


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
    """A client with a key."""

    def __init__(self, world, person, scopes=("rights:write", "rights:read"), language="en"):
        text = people.create_api_key("programme", list(scopes), by=person.actor, at=world.now()).text
        self.headers = {"Authorization": f"Bearer {text}", "Accept-Language": language}

    def get(self, path="", **more):
        return Client().get(
            path if path.startswith("/") else f"{API}{path and '/'}{path}", headers=self.headers, **more
        )

    def post(self, path, body=None, method="post", **headers):
        address = path if path.startswith("/api") else f"{API}{path and '/'}{path}"
        return getattr(Client(), method)(
            address,
            json.dumps(body if body is not None else {}),
            content_type="application/json",
            headers={**self.headers, **headers},
        )


RECORD = encoding.encode(lantern())


def test_a_right_is_filed_verified_licensed_and_asked_about(world, mei, jo):
    hers = Programme(world, mei)
    made = hers.post("", {"record": RECORD})
    assert made.status_code == 201, made.content
    number = made.json()["number"]
    assert made["Location"] == f"{API}/{number}"
    assert (made.json()["state"], made.json()["record"]) == ("submitted", RECORD)

    vouched(world, mei)
    verify.verify_against(number, by_office(), by=OPERATOR, at=clock.now())
    shown = hers.get(number).json()
    assert (shown["state"], shown["level"], shown["verification"]["method"]) == ("verified", 2, "office_record")
    assert all(each["sentence"] for each in shown["verification"]["differences"])

    granted = hers.post(
        f"{number}/licences",
        {
            "party": {"name": "Jo Smith"},
            "role": "authorised_seller",
            "organisation": str(jo.actor.organisation_id),
            "territories": ["DE", "FR"],
        },
    )
    assert granted.status_code == 201, granted.content
    seller = str(jo.actor.organisation_id)
    asked = {"seller": seller, "class": RECORD["classes"][0]["code"]}
    there = hers.post(f"{number}/may-sell", {"territory": "DE", **asked}).json()
    assert (there["may"], [each["id"] for each in there["chain"]]) == ("yes", [granted.json()["licence"]["id"]])
    elsewhere = hers.post(f"{number}/may-sell", {"territory": "IT", **asked}).json()
    assert (elsewhere["may"], elsewhere["reasons"][-1]["code"]) == ("no", "rules.grant_elsewhere")

    act = hers.post(f"{number}/may-act", {"territory": "IT", **asked}).json()
    assert (act["may"], "IT" in act["limits"], "CH" in act["limits"]) == ("yes", True, False)
    against = hers.post(f"{number}/may-act", {"territory": "DE", **asked}).json()
    assert (against["may"], against["limits"]) == ("no", [])

    ended = hers.post(f"{number}/licences/{granted.json()['licence']['id']}/end", {})
    assert ended.status_code == 200, ended.content
    assert hers.post(f"{number}/may-sell", {"territory": "DE", **asked}).json()["may"] == "no"


def test_reasons_are_said_in_the_callers_language(world, mei):
    number = Programme(world, mei).post("", {"record": RECORD}).json()["number"]
    told = Programme(world, mei, language="zh").post(f"{number}/may-act", {"territory": "CH"}).json()
    assert any("不覆盖 CH" in each["sentence"] for each in told["reasons"])


def test_a_history_has_its_bytes_and_receipts(world, mei):
    hers = Programme(world, mei)
    number = hers.post("", {"record": RECORD}).json()["number"]
    items = hers.get(f"{number}/events").json()["items"]
    assert [each["type"] for each in items] == ["filed", "submitted"]
    body = hers.get(f"{number}/events/1").content
    assert hashlib.sha256(body).hexdigest() == items[0]["sha-256"]
    early = hers.get(f"{number}/events/1/receipt.tlog-proof")
    assert (early.status_code, early.json()["code"]) == (409, "evidence.not_published")
    world.publish()
    assert hers.get(f"{number}/events/1/receipt.tlog-proof").content.startswith(b"c2sp.org/tlog-proof")
    assert hers.get(f"{number}/events/1/receipt.cose").status_code == 200
    assert hers.get(f"{number}/events/1/deposit").json()["state"] == "published"
    assert hers.get(f"{number}/events/9").status_code == 404


def test_a_right_is_shown_as_it_was_known_then(world, mei):
    hers = Programme(world, mei)
    number = hers.post("", {"record": RECORD, "draft": True}).json()["number"]
    before = clock.now().isoformat()
    changed = hers.post(f"{number}/record", {"record": RECORD | {"title": "Other"}}, method="put")
    assert changed.status_code == 200, changed.content
    assert hers.get(number, data={"as_of": before}).json()["record"] == RECORD
    assert hers.get(number).json()["record"]["title"] == "Other"
    assert hers.get(number, data={"as_of": "2020-01-01T00:00:00Z"}).status_code == 404
    assert hers.get(number, data={"as_of": "2020-01-01T00:00:00"}).status_code in (400, 422)


def test_lists_filter_and_turn_pages(world, mei):
    hers = Programme(world, mei)
    for digit in range(3):
        record = RECORD | {"application_number": f"01812345{digit}", "registration_number": f"01812345{digit}"}
        assert hers.post("", {"record": record, "draft": True}).status_code == 201
    page = hers.get(data={"limit": "2", "state": "draft"})
    assert (len(page.json()["items"]), page.json()["counts"]) == (2, {"draft": 3})
    rest = hers.get(page.json()["next"]).json()
    assert (len(rest["items"]), rest["next"]) == (1, None)
    assert len(hers.get(data={"q": "EUTM 18123451"}).json()["items"]) == 1


def test_what_is_wrong_is_said_with_its_place(world, mei):
    hers = Programme(world, mei)
    for record, code, path in (
        (RECORD | {"colour": "red"}, "rules.member_unknown", "record.colour"),
        (RECORD | {"expiry_date": "2030-02-30"}, "rules.value_malformed", "record.expiry_date"),
        ({}, "rules.member_missing", "record.kind"),
    ):
        answer = hers.post("", {"record": record})
        assert (answer.json()["code"], answer.json()["facts"]["path"]) == (code, path)
        assert answer.status_code in (400, 422)


def test_an_idempotency_key_files_once(world, mei):
    hers = Programme(world, mei)
    first = hers.post("", {"record": RECORD}, **{"Idempotency-Key": "a"})
    again = hers.post("", {"record": RECORD}, **{"Idempotency-Key": "a"})
    assert (first.status_code, again.content) == (201, first.content)


def test_what_is_made_of_a_right_is_made_once_under_a_key(world, mei):
    hers = Programme(world, mei)
    number = hers.post("", {"record": RECORD}).json()["number"]
    vouched(world, mei)
    verify.verify_against(number, by_office(), by=OPERATOR, at=clock.now())
    bodies = {
        f"{number}/licences": {"party": {"name": "Jo"}, "role": "authorised_seller", "quantity": 100},
        f"{number}/customs": {"authority": "DE", "number": "AFA-1"},
        f"{number}/disputes": {"kind": "opposition", "effect": "none"},
    }
    for path, body in bodies.items():
        first = hers.post(path, body, **{"Idempotency-Key": path})
        again = hers.post(path, body, **{"Idempotency-Key": path})
        assert (first.status_code, again.status_code, again.content) == (201, 201, first.content), first.content
        assert again["Idempotency-Replayed"] == "true"
        assert hers.post(path, body | {"unknown": 1}, **{"Idempotency-Key": path}).status_code == 422
    right = hers.get(number).json()
    assert [len(right[each]) for each in ("interests", "customs", "disputes")] == [1, 1, 1]
    reader = Programme(world, mei, scopes=("rights:read",))
    told = reader.post(f"{number}/licences", bodies[f"{number}/licences"], **{"Idempotency-Key": f"{number}/licences"})
    assert (told.status_code, told.json()["code"]) == (403, "people.scope_missing")


def test_a_stranger_finds_nothing_and_a_reader_changes_nothing(world, mei, jo):
    number = Programme(world, mei).post("", {"record": RECORD}).json()["number"]
    his = Programme(world, jo)
    for path in (number, f"{number}/events", f"{number}/events/1", f"{number}/conflicts"):
        assert his.get(path).status_code == 404
    for path, body in (("submit", {}), ("withdraw", {}), ("verify", {}), ("may-act", {"territory": "DE"})):
        assert his.post(f"{number}/{path}", body).status_code == 404
    reader = Programme(world, mei, scopes=("rights:read",))
    assert reader.get(number).status_code == 200
    assert reader.post(f"{number}/withdraw", {}).status_code == 403
    assert reader.post("", {"record": RECORD}).status_code == 403
    writer = Programme(world, mei, scopes=("deposits:write", "deposits:read"))
    assert writer.get(number).status_code == 403


def test_customs_disputes_and_mandates(world, mei, jo):
    hers, his = Programme(world, mei), Programme(world, jo)
    number = hers.post("", {"record": RECORD}).json()["number"]
    vouched(world, mei)
    verify.verify_against(number, by_office(), by=OPERATOR, at=clock.now())
    noted = hers.post(f"{number}/customs", {"authority": "DE", "number": "AFA-1", "until": "2030-01-01"})
    assert noted.status_code == 201, noted.content
    recordal = noted.json()["customs"][0]["id"]
    assert hers.post(f"{number}/customs/{recordal}/end", {}).status_code == 200
    opened = hers.post(f"{number}/disputes", {"kind": "opposition", "number": "B 3"})
    assert (opened.status_code, opened.json()["state"]) == (201, "suspended"), opened.content
    closed = hers.post(f"{number}/disputes/{opened.json()['dispute']['id']}/close", {"outcome": "rejected"})
    assert closed.json()["state"] == "verified", closed.content

    owner = Client()
    owner.force_login(mei.user)
    refused = hers.post("/api/v1/mandates", {"agent": str(jo.actor.organisation_id), "powers": ["notice"]})
    assert refused.status_code == 403  # who gives mandates is a person who manages members, not a programme
    assert his.get("/api/v1/mandates").json() == {"items": []}
    assert his.get("portfolio").json() == {"items": []}
    assert hers.get("reminders").status_code == 200


def test_a_signed_mark_that_nobody_here_trusts_verifies_nothing(world, mei):
    hers = Programme(world, mei)
    number = hers.post("", {"record": RECORD}).json()["number"]
    answer = hers.post(f"{number}/verify", {"signed": base64.b64encode(b"<a/>").decode()})
    assert (answer.status_code, answer.json()["code"]) == (422, "imports.smd_unjudged")
    assert hers.post(f"{number}/verify", {"code": "AAAA-BBBB-CCCC"}).json()["code"] == "rights.code_wrong"
    assert hers.post(f"{number}/verify", {}).json()["code"] == "rights.office_silent"
