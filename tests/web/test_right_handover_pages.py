"""Pages that hand something over: a right to its new owner, a mandate to an agent."""

from __future__ import annotations

import re

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from world.pages import PageWorld
from world.rights import filed, lantern, verified

from chopmark.rights.queries import registry

CHINESE = {"accept-language": "zh-CN"}
DEED = b"%PDF-1.7 deed"


@pytest.fixture
def world(db, settings, tmp_path):
    settings.CHOPMARK_HOME = tmp_path / "home"
    return PageWorld.made(settings.CHOPMARK_HOME)


@pytest.fixture
def mei(world):
    return world.person("Mei Lan")


@pytest.fixture
def jo(world):
    return world.person("Jo Smith")


def deed():
    return SimpleUploadedFile("deed.pdf", DEED, "application/pdf")


def typed(jo, **more):
    return {
        "name": "Jo Smith's studio",
        "country": "GB",
        "organisation": str(jo.actor.organisation_id),
        "on": "2026-11-02",
        "sure": "on",
        **more,
    }


def offer(mei, to, **more):
    asked = {"agent": str(to.actor.organisation_id), "powers": ["file", "notice"], **more}
    return mei.client.post("/rights/mandates/new", asked)


# ---- assign


def test_a_right_is_assigned_with_its_paper_and_the_new_owner_sees_it(world, mei, jo):
    right = verified(world, mei)
    assert f"/rights/{right.number}/assign" in mei.client.get(f"/rights/{right.number}").text
    answer = mei.client.post(f"/rights/{right.number}/assign", typed(jo, file=deed()), follow=True)
    assert answer.status_code == 200
    assert "deed.pdf" in answer.text
    assert f'data-draft-done="assign.{right.number}"' in answer.text
    assert registry.right_of(mei.actor, right.number).right.state == "assigned_away"
    assert f"/rights/{right.number}/assign" not in answer.text
    [theirs] = registry.rights_of(jo.actor).items
    assert "Assigned to you" in jo.client.get("/rights/").text
    page = jo.client.get(f"/rights/{theirs.number}").text
    assert "Mei Lan&#x27;s studio assigned this right to you" in page
    assert "after an assignment" in page
    assert "转让给您" in jo.client.get("/rights/", headers=CHINESE).text
    jo.client.post(f"/rights/{theirs.number}/submit")
    assert "assigned this right to you" not in jo.client.get(f"/rights/{theirs.number}").text


def test_some_classes_go_over_and_the_rest_stays(world, mei, jo):
    right = verified(world, mei)
    code = right.record.classes[0].code
    mei.client.post(f"/rights/{right.number}/assign", typed(jo, classes=code))
    assert registry.right_of(mei.actor, right.number).right.state == "verified"
    [theirs] = registry.rights_of(jo.actor).items
    assert [each.code for each in theirs.record.classes] == [code]


def test_an_assignment_that_is_refused_keeps_what_was_typed_and_the_paper(world, mei, jo):
    right = verified(world, mei)
    path = f"/rights/{right.number}/assign"
    refused = mei.client.post(path, typed(jo, classes="45", file=deed()))
    assert refused.status_code == 422
    assert "errorlist" in refused.text
    for kept in ("Jo Smith&#x27;s studio", "2026-11-02", "45", str(jo.actor.organisation_id)):
        assert f'value="{kept}"' in refused.text, kept
    assert "The paper is here" in refused.text
    upload = re.search(r'name="paper" value="([^"]+)"', refused.text)[1]
    assert mei.client.post(path, typed(jo, paper=upload)).status_code == 302
    kinds = [each.kind for each in registry.right_of(mei.actor, right.number).papers]
    assert kinds.count("assignment") == 1


@pytest.mark.parametrize(
    "wrong",
    [{"sure": ""}, {"name": ""}, {"organisation": "not a number"}, {"country": "Atlantis"}, {"on": "soon"}],
    ids=str,
)
def test_an_assignment_is_not_made_from_a_form_that_is_not_whole(world, mei, jo, wrong):
    right = verified(world, mei)
    assert mei.client.post(f"/rights/{right.number}/assign", typed(jo, **wrong)).status_code == 422
    assert registry.right_of(mei.actor, right.number).right.state == "verified"


def test_only_an_owner_of_the_holders_organisation_assigns(world, mei, jo):
    right = verified(world, mei)
    path = f"/rights/{right.number}/assign"
    assert Client().get(path)["Location"].startswith("/accounts/login/")
    offer(mei, jo)
    [given] = registry.mandates_of(jo.actor, at=world.now())
    jo.client.post(f"/rights/mandates/{given.id}/accept")
    assert jo.client.get(f"/rights/{right.number}").status_code == 200
    for name, role, of, status in (
        ("Lu Xi", "depositor", mei, 403),
        ("Bo Wen", "viewer", mei, 403),
        ("An Ni", "owner", None, 404),
        ("Ka Li", "owner", jo, 404),
    ):
        person = world.person(name, role=role, of=of)
        assert person.client.get(path).status_code == status, name
        assert person.client.post(path, typed(jo)).status_code == status, name
        assert f"{path}" not in person.client.get(f"/rights/{right.number}").text, name
    assert jo.client.get(f"/rights/{right.number}/licence").status_code == 404
    assert registry.right_of(mei.actor, right.number).right.state == "verified"


# ---- mandates


def test_a_mandate_is_offered_accepted_and_laid_down(world, mei, jo):
    right = filed(world, mei)
    assert "You have given no mandate" in mei.client.get("/rights/mandates").text
    assert "没有给出委托" in mei.client.get("/rights/mandates", headers=CHINESE).text
    paper = SimpleUploadedFile("power.pdf", b"%PDF-1.7 power", "application/pdf")
    asked = {"territories": "Germany", "rights": right.number.lower(), "until": "2027-11-01", "file": paper}
    answer = mei.client.post(
        "/rights/mandates/new",
        {"agent": str(jo.actor.organisation_id), "powers": ["file"], **asked},
        follow=True,
    )
    for said in ("Jo Smith&#x27;s studio", "Waits for the agent", right.number, "Germany", "2027-11-01", "SHA-256"):
        assert said in answer.text, said
    assert jo.client.get(f"/rights/{right.number}").status_code == 404
    page = jo.client.get("/rights/mandates").text
    assert "Waits for your answer" in page
    accept = re.search(r'action="(/rights/mandates/[^"]+/accept)"', page)[1]
    assert accept not in answer.text
    assert mei.client.post(accept, follow=True).status_code == 200
    assert jo.client.get(f"/rights/{right.number}").status_code == 404
    assert "You act for Mei Lan&#x27;s studio" in jo.client.post(accept, follow=True).text
    assert jo.client.get(f"/rights/{right.number}").status_code == 200
    assert "In force" in mei.client.get("/rights/mandates").text
    end = accept.replace("accept", "end")
    assert f'action="{end}"' in mei.client.get("/rights/mandates").text
    assert "The mandate has ended" in jo.client.post(end, follow=True).text
    assert jo.client.get(f"/rights/{right.number}").status_code == 404
    assert f'action="{end}"' not in mei.client.get("/rights/mandates").text


def test_an_agent_refuses_a_mandate(world, mei, jo):
    offer(mei, jo)
    page = jo.client.get("/rights/mandates").text
    refuse = re.search(r'action="(/rights/mandates/[^"]+/end)"', page)[1]
    jo.client.post(refuse)
    assert "Never accepted" in mei.client.get("/rights/mandates").text
    accepted = jo.client.post(refuse.replace("/end", "/accept"), follow=True)
    assert "alert-danger" in accepted.text
    assert not registry.mandates_of(jo.actor, at=world.now())[0].in_force


def test_a_mandate_that_is_refused_keeps_what_was_typed_and_the_paper(world, mei, jo):
    answer = offer(mei, jo, rights="R-2026-999999", territories="DE", until="2027-11-01", file=deed())
    assert answer.status_code == 422
    for kept in (str(jo.actor.organisation_id), "R-2026-999999", "DE", "2027-11-01"):
        assert f'value="{kept}"' in answer.text, kept
    assert re.search(r'value="notice"[^>]*checked', answer.text)
    assert "The paper is here" in answer.text
    for wrong in ({"agent": "nobody"}, {"agent": str(mei.actor.organisation_id)}, {"powers": []}, {"powers": ["rule"]}):
        assert offer(mei, jo, **wrong).status_code == 422, wrong
    assert offer(mei, jo, since="2027-11-02", until="2027-11-01").status_code == 422
    assert registry.mandates_of(mei.actor, at=world.now()) == ()


def test_who_is_no_owner_gives_and_accepts_none_and_strangers_end_none(world, mei, jo):
    assert Client().get("/rights/mandates")["Location"].startswith("/accounts/login/")
    offer(mei, jo)
    [given] = registry.mandates_of(mei.actor, at=world.now())
    stranger, clerk = world.person("Bo Wen"), world.person("Lu Xi", role="depositor", of=jo)
    viewer = world.person("An Ni", role="viewer", of=mei)
    for verb in ("accept", "end"):
        assert stranger.client.post(f"/rights/mandates/{given.id}/{verb}").status_code == 404
        assert viewer.client.post(f"/rights/mandates/{given.id}/{verb}").status_code == 403
        assert stranger.client.get(f"/rights/mandates/{given.id}/{verb}")["Location"] == "/rights/mandates"
    assert "Jo Smith" not in stranger.client.get("/rights/mandates").text
    assert f"{given.id}/accept" not in clerk.client.get("/rights/mandates").text
    assert clerk.client.post(f"/rights/mandates/{given.id}/accept").status_code == 403
    for person in (clerk, viewer):
        assert person.client.get("/rights/mandates/new").status_code == 403
        assert offer(person, jo).status_code == 403
    assert registry.mandates_of(mei.actor, at=world.now())[0].offered


def test_a_form_of_another_site_changes_nothing(world, mei, jo):
    offer(mei, jo)
    [given] = registry.mandates_of(jo.actor, at=world.now())
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(jo.user)
    assert strict.post(f"/rights/mandates/{given.id}/accept").status_code == 403
    assert registry.mandates_of(jo.actor, at=world.now())[0].offered


def test_a_long_list_of_mandates_asks_no_more_questions_than_a_short_one(world, mei, jo):
    def questions():
        with CaptureQueriesContext(
            connection,
        ) as asked:
            mei.client.get("/rights/mandates")
        return len(asked)

    right = filed(world, mei, lantern())
    offer(mei, jo, rights=right.number)
    one = questions()
    for name in ("Bo Wen", "Lu Xi", "An Ni"):
        offer(mei, world.person(name), rights=right.number)
    assert questions() == one
