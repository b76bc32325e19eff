"""The frame of every page: language, landmarks, the switch that keeps the page, errors in both languages."""

from __future__ import annotations

import re

import pytest
from django.http import Http404
from django.test import RequestFactory

from chopmark.base.errors import Invalid, Refused, Unavailable
from chopmark.base.wording import catalogue
from chopmark.people.models import User
from chopmark.web import errors

CHINESE = {"accept-language": "zh-CN,zh;q=0.9"}
PUBLIC = ["/", "/accounts/login/", "/accounts/signup/", "/accounts/password/reset/", "/nothing-here"]


@pytest.mark.django_db
@pytest.mark.parametrize("language", ["en", "zh-Hans"])
@pytest.mark.parametrize("path", PUBLIC)
def test_a_page_names_its_language_and_landmarks(client, path, language):
    page = client.get(path, headers=CHINESE if language == "zh-Hans" else {}).text
    assert f'<html lang="{language}">' in page
    assert page.count("<main") == 1
    assert len(re.findall(r"<h1[ >]", page)) == 1
    assert 'href="#main"' in page
    assert "width=device-width" in page
    assert re.search(r"<title>\s*\S", page)


@pytest.mark.django_db
@pytest.mark.parametrize("path", PUBLIC)
def test_a_page_has_nothing_inline_and_nothing_from_outside(client, path):
    page = client.get(path).text
    assert not re.search(r"\sstyle=|\son\w+=|<style", page)
    for script in re.findall(r"<script[^>]*>", page):
        assert "src=" in script or 'type="application/json"' in script
    for address in re.findall(r"""(?:src|href|action)=["']([^"']*)""", page):
        assert not re.match(r"(?:https?:)?//", address), address


@pytest.mark.django_db
def test_the_switch_keeps_the_page_and_the_choice(client):
    response = client.post("/language", {"language": "zh-hans", "next": "/accounts/login/?next=/deposits/"})
    assert response["Location"] == "/accounts/login/?next=/deposits/"
    assert "登录" in client.get("/accounts/login/").text


@pytest.mark.django_db
@pytest.mark.parametrize(
    "elsewhere",
    ["https://evil.example/", "//evil.example/", "/\\evil.example", "javascript:alert(1)", "\t//evil.example", ""],
)
def test_the_switch_leads_nowhere_else(client, elsewhere):
    response = client.post("/language", {"language": "en", "next": elsewhere})
    assert response["Location"] == "/"


@pytest.mark.django_db
def test_an_unknown_language_is_not_kept(client):
    assert "chopmark_language" not in client.post("/language", {"language": "xx", "next": "/"}).cookies


@pytest.mark.django_db
@pytest.mark.parametrize("headers", [{}, CHINESE])
def test_a_missing_page_says_so(client, headers):
    response = client.get("/nothing-here", headers=headers)
    assert response.status_code == 404
    assert ("此地址没有内容" if headers else "There is nothing at this address") in response.text


STATUS = {
    "somebody without the right": (Refused("people.not_allowed", permission="deposit", role="viewer"), 403),
    "somebody not signed in": (Refused("people.sign_in_first"), 401),
    "an unknown key": (Refused("people.key_unknown"), 401),
    "an expired key": (Refused("people.key_expired"), 401),
    "a thing that is not there": (Refused("people.organisation_not_found"), 404),
    "an invitation out of time": (Refused("people.invitation_expired"), 410),
    "a conflict": (Refused("people.issuer_key_taken"), 409),
    "the last owner": (Refused("people.last_owner_stays"), 409),
    "malformed bytes": (Invalid("base.cbor_malformed"), 400),
    "a value that cannot be": (Invalid("base.time_out_of_range", seconds=1), 422),
}


@pytest.mark.parametrize("case", STATUS)
def test_an_error_has_its_status(case):
    error, status = STATUS[case]
    assert errors.status_of(error) == status


@pytest.mark.parametrize(("language", "words"), [("en", "You may not"), ("zh-CN", "无权")])
def test_a_problem_is_told_in_the_readers_language(language, words):
    del words
    error = Refused("people.not_allowed", permission="deposit", role="viewer")
    request = RequestFactory().get("/api/v1/x", headers={"accept-language": language})
    response = errors.problem(error, request)
    body = __import__("json").loads(response.content)
    assert response["Content-Type"] == "application/problem+json"
    assert set(body) == {"type", "title", "status", "detail", "code", "facts"}
    assert body["detail"] == catalogue()["people.not_allowed"]["zh" if "zh" in language else "en"].format(
        permission="deposit", role="viewer"
    )
    assert body["type"].endswith("/errors/people.not_allowed")


def test_what_may_be_tried_again_says_when():
    request = RequestFactory().get("/api/v1/x")
    error = Unavailable("people.sign_in_first")
    assert errors.problem(error, request)["Retry-After"] == "5"
    assert errors.problem(error, request).status_code == 503


@pytest.mark.django_db
def test_a_code_has_a_page_in_both_languages(client):
    page = client.get("/errors/people.last_owner_stays").text
    assert "At least one owner must stay" in page
    assert "至少要保留一名所有者" in page
    assert client.get("/errors/no.such_code").status_code == 404


@pytest.mark.parametrize(("headers", "words"), [({}, "Something broke here"), (CHINESE, "服务器内部出错")])
def test_the_page_of_a_bug_needs_no_database(headers, words):
    response = errors.crashed(RequestFactory().get("/", headers={"accept": "text/html", **headers}))
    assert response.status_code == 500
    assert words in response.text


@pytest.mark.django_db
def test_whoever_is_not_signed_in_is_led_there_and_back(client):
    response = client.get("/organisations/")
    assert response["Location"] == "/accounts/login/?next=/organisations/"


@pytest.mark.django_db
def test_somebody_without_an_organisation_is_shown_the_way(client):
    client.force_login(User.objects.create_user("a@example.org", None))
    assert "You belong to no organisation yet" in client.get("/").text
    response = client.get("/organisations/")
    assert response.status_code == 403
    assert "/organisations/new" in response.text


def test_the_explanation_refuses_unknown_codes():
    with pytest.raises(Http404):
        errors.explain(RequestFactory().get("/"), "x")
