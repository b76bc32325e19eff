"""What an answer keeps to itself, which bodies are refused unread, and that no address leads to a blank page."""

from __future__ import annotations

import pytest
from django.conf import settings as django_settings
from django.http import HttpResponse
from django.test import Client, RequestFactory
from django.urls import reverse
from world.pages import PageWorld

from chopmark.web import middleware
from chopmark.web.downloads import attachment

OWN_PAGES = ["/", "/deposits/", "/organisations/", "/accounts/email/", "/accounts/sessions/", "/explorer/"]
FORMS = [
    "organisation_switch",
    "organisation_rename",
    "organisation_invite",
    "organisation_revoke_invitation",
    "organisation_change_role",
    "organisation_remove_member",
    "organisation_new_api_key",
    "organisation_revoke_api_key",
    "organisation_new_issuer_key",
    "organisation_retire_issuer_key",
    "language",
]
OPEN_PAGES = ["/", "/verify", "/explorer/", "/explorer/entries", "/explorer/keys", "/api/v1/docs"]


@pytest.fixture
def world(db, settings, tmp_path):
    settings.CHOPMARK_HOME = tmp_path / "home"
    return PageWorld.made(settings.CHOPMARK_HOME)


@pytest.fixture
def mei(world):
    return world.person("Mei Lan")


@pytest.mark.parametrize("path", OWN_PAGES)
def test_what_somebody_saw_with_their_session_is_kept_by_no_cache(mei, path):
    response = mei.client.get(path)
    assert response.status_code == 200
    assert "no-store" in response["Cache-Control"]
    assert "private" in response["Cache-Control"]


def test_the_deposit_page_may_be_gone_back_to(mei):
    assert mei.client.get("/deposits/new")["Cache-Control"] == "private, no-cache"


@pytest.mark.parametrize("name", FORMS)
def test_a_forms_address_opened_as_a_page_leads_to_a_page(mei, name):
    response = mei.client.get(reverse(name), follow=True)
    assert response.status_code == 200
    assert "<h1" in response.text


def test_the_address_of_a_deposits_links_leads_to_the_deposit(world, mei):
    one = world.deposit(mei, b"lantern")
    for name in ("deposit-share", "deposit-unshare"):
        assert mei.client.get(reverse(name, args=[one.id]))["Location"] == reverse("deposit", args=[one.id])


@pytest.mark.django_db
def test_another_method_is_answered_with_a_page_for_people(client):
    page = client.put("/verify", headers={"accept": "text/html", "accept-language": "zh-CN"})
    assert page.status_code == 405
    assert "GET" in page["Allow"]
    assert "此地址不能这样打开" in page.text
    assert client.put("/verify", headers={"accept": "application/json"}).status_code == 405


@pytest.mark.parametrize("path", OPEN_PAGES)
def test_pages_answer_head(world, path):
    response = Client().head(path)
    assert (response.status_code, response.content) == (200, b"")


def test_looking_at_a_deposit_with_head_does_not_use_up_its_new_link(world, mei):
    one = world.deposit(mei, b"lantern")
    world.publish()
    mei.client.post(reverse("deposit-share", args=[one.id]))
    mei.client.head(f"/deposits/{one.id}")
    assert "/r/" in mei.client.get(f"/deposits/{one.id}").text


class _NeverRead:
    def read(self, *_sizes: int) -> bytes:
        raise AssertionError("a byte was read")

    readline = read


def _announce(path: str, length: str, client: Client | None = None, **more: str):
    announced = {
        "CONTENT_LENGTH": length,
        "wsgi.input": _NeverRead(),
        "CONTENT_TYPE": "multipart/form-data; boundary=x",
    }
    return (client or Client()).generic("POST", path, **{**announced, **more})


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["/accounts/login/", "/accounts/signup/", "/language", "/verify", "/nothing-here"])
@pytest.mark.parametrize("length", ["200000000", "99999999999999999999"])
def test_a_large_body_is_refused_before_a_byte_is_read(path, length):
    response = _announce(path, length, HTTP_ACCEPT="text/html", HTTP_ACCEPT_LANGUAGE="zh-CN")
    assert response.status_code == 413
    assert "发送的内容过大" in response.text


@pytest.mark.django_db
def test_a_large_file_for_the_deposit_form_is_only_for_people_signed_in():
    assert _announce("/deposits/new", "200000000").status_code == 401


def test_a_file_over_the_limit_is_refused_unread(mei):
    beyond = django_settings.CHOPMARK_UPLOAD_LIMIT + django_settings.DATA_UPLOAD_MAX_MEMORY_SIZE + 1
    assert _announce("/deposits/new", str(beyond), mei.client).status_code == 413


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["/uploads/", "/api/v1/deposits", "/language"])
def test_a_body_of_unknown_length_is_refused(path):
    response = _announce(path, "", HTTP_TRANSFER_ENCODING="chunked", HTTP_ACCEPT="application/json")
    assert (response.status_code, response.json()["code"]) == (411, "web.length_missing")


def test_a_plain_call_does_not_speak_the_language_of_the_call_before(db):
    Client(headers={"accept-language": "zh-CN"}).get("/")
    seen = []

    def respond(request):
        from django.utils.translation import get_language  # noqa: PLC0415 (beside its one use)

        seen.append(get_language())
        return HttpResponse()

    request = RequestFactory().get("/api/v1/docs", headers={"accept-language": "en"})
    middleware.MarkPlainCalls(middleware.Locale(respond))(request)
    assert seen == ["en"]


@pytest.mark.parametrize(
    ("name", "header"),
    {
        "a plain name": ("a.png", 'attachment; filename="a.png"'),
        "folders are not named": ("../../etc/passwd", 'attachment; filename=".._.._etc_passwd"'),
        "nor Windows' ones": ("..\\a.exe", 'attachment; filename=".._a.exe"'),
        "quotes stay inside": ('a";x="b', 'attachment; filename="a\\";x=\\"b"'),
        "Chinese is RFC 5987": ("青浪.png", "attachment; filename*=utf-8''%E9%9D%92%E6%B5%AA.png"),
    }.values(),
)
def test_a_download_has_a_name_and_no_folder(name, header):
    assert attachment(name) == header


def test_a_file_named_like_an_option_stays_a_file_in_the_command(world, mei):
    one = world.deposit(mei, b"lantern", file_name="--policy=x.png")
    world.publish()
    assert "verify ./--policy=x.png --receipt ./--policy=x.png.tlog-proof" in mei.client.get(f"/deposits/{one.id}").text
