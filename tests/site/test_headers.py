"""What every answer carries, what proxies may say, and which calls take the short way."""

from __future__ import annotations

import ipaddress
import json

import pytest
from django.conf import settings as django_settings
from django.http import HttpResponse
from django.test import Client, RequestFactory
from world.patience import HANG

from chopmark.people.models import User
from chopmark.web import middleware

PAGES = ["/", "/accounts/login/", "/nothing-here", "/healthz", "/errors/people.not_allowed"]


def _policy(response) -> dict[str, str]:
    parts = (part.strip().partition(" ") for part in response["Content-Security-Policy"].split(";"))
    return {name: value for name, _, value in parts}


@pytest.mark.django_db
@pytest.mark.parametrize("path", PAGES)
def test_every_page_is_closed_to_the_outside(client, path):
    response = client.get(path)
    policy = _policy(response)
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == "'self' 'wasm-unsafe-eval'"
    assert policy["style-src"] == "'self'"
    assert policy["frame-ancestors"] == "'none'"
    assert policy["base-uri"] == "'none'"
    assert "unsafe-inline" not in response["Content-Security-Policy"]
    assert response["X-Content-Type-Options"] == "nosniff"
    assert response["Referrer-Policy"] == "same-origin"
    assert response["Cross-Origin-Opener-Policy"] == "same-origin"
    assert "geolocation=()" in response["Permissions-Policy"]


def test_nothing_secure_is_off_when_the_site_is_https(tmp_path):
    import os  # noqa: PLC0415 (only this test starts a process)
    import subprocess  # noqa: PLC0415 (the same)
    import sys  # noqa: PLC0415 (the same)

    program = (
        "from chopmark.site import settings as s; import json;"
        "print(json.dumps([s.SESSION_COOKIE_SECURE, s.CSRF_COOKIE_SECURE, s.LANGUAGE_COOKIE_SECURE,"
        "s.SECURE_HSTS_SECONDS > 0, s.ACCOUNT_DEFAULT_HTTP_PROTOCOL == 'https',"
        "not s.MFA_WEBAUTHN_ALLOW_INSECURE_ORIGIN, s.ALLOWED_HOSTS == ['chop.example'],"
        "s.ACCOUNT_EMAIL_VERIFICATION == 'mandatory', not s.MFA_ALLOW_UNVERIFIED_EMAIL,"
        "'https://idp.example' in s.CONTENT_SECURITY_POLICY['DIRECTIVES']['form-action']]))"
    )
    provider = {"id": "a", "name": "A", "server_url": "https://idp.example/x", "client_id": "c", "client_secret": "s"}
    environ = {
        **os.environ,
        "CHOPMARK_HOME": str(tmp_path),
        "CHOPMARK_BASE_URL": "https://chop.example",
        "CHOPMARK_EMAIL_URL": "smtps://mail.example/?from=a@b.example",
        "CHOPMARK_OIDC": json.dumps([provider]),
    }
    done = subprocess.run([sys.executable, "-c", program], env=environ, capture_output=True, check=True, timeout=HANG)
    assert json.loads(done.stdout) == [True] * 10


def _through(settings, **headers: str):
    settings.CHOPMARK_TRUSTED_PROXIES = (ipaddress.ip_network("10.0.0.0/8"),)
    seen = []
    request = RequestFactory().get("/", **headers)
    middleware.TrustedProxies(lambda each: seen.append(each) or HttpResponse())(request)
    return seen[0]


FORWARDED = {
    "HTTP_X_FORWARDED_FOR": "198.51.100.1, 203.0.113.9, 10.0.0.2",
    "HTTP_X_FORWARDED_PROTO": "https",
    "HTTP_X_FORWARDED_HOST": "evil.example, chop.example",
}


def test_a_trusted_proxy_is_believed_up_to_the_first_stranger(settings):
    request = _through(settings, REMOTE_ADDR="10.0.0.1", **FORWARDED)
    assert request.META["REMOTE_ADDR"] == "203.0.113.9"
    assert request.scheme == "https"
    assert request.META["HTTP_HOST"] == "chop.example"


def test_nobody_else_is_believed(settings):
    request = _through(settings, REMOTE_ADDR="203.0.113.7", **FORWARDED)
    assert request.META["REMOTE_ADDR"] == "203.0.113.7"
    assert request.scheme == "http"
    assert not [name for name in request.META if "FORWARDED" in name]


@pytest.mark.parametrize("address", ["", "unknown", "1.2.3", "' OR 1=1"])
def test_an_address_that_is_none_is_not_taken(settings, address):
    request = _through(settings, REMOTE_ADDR="10.0.0.1", HTTP_X_FORWARDED_FOR=address)
    assert request.META["REMOTE_ADDR"] == "10.0.0.1"


def _way(**headers: str) -> bool:
    seen = []
    cookies = headers.pop("cookies", None)
    request = RequestFactory().get(headers.pop("path"), **headers)
    if cookies:
        request.COOKIES[django_settings.SESSION_COOKIE_NAME] = cookies
    middleware.MarkPlainCalls(lambda each: seen.append(each) or HttpResponse())(request)
    return middleware.is_plain(seen[0])


WAYS = {
    "a programme with a key": ({"path": "/api/v1/deposits", "HTTP_AUTHORIZATION": "Bearer x"}, True),
    "a programme without anything": ({"path": "/api/v1/deposits"}, True),
    "a page that calls the API with its session": ({"path": "/api/v1/deposits", "cookies": "abc"}, False),
    "a key wins over a session": ({"path": "/uploads/", "cookies": "abc", "HTTP_AUTHORIZATION": "Bearer x"}, True),
    "a tile": ({"path": "/log/tile/0/000"}, True),
    "a page": ({"path": "/deposits/", "HTTP_AUTHORIZATION": "Bearer x"}, False),
    "the start page": ({"path": "/"}, False),
}


@pytest.mark.parametrize("case", WAYS)
def test_the_short_way_is_for(case):
    headers, plain = WAYS[case]
    assert _way(**headers) is plain


@pytest.mark.django_db
def test_the_short_way_asks_nothing_of_the_session(client, django_assert_num_queries):
    with django_assert_num_queries(0):
        response = client.get("/api/nothing", headers={"authorization": "Bearer x"})
    assert response.status_code == 404
    assert response["Content-Type"] == "application/problem+json"
    assert not response.cookies


@pytest.mark.django_db
def test_forms_of_others_are_refused():
    client = Client(enforce_csrf_checks=True)
    client.force_login(User.objects.create_user("a@example.org", None))
    response = client.post("/organisations/new", {"name": "x"})
    assert response.status_code == 403
    assert "The form was not accepted" in response.text
    assert client.post("/api/v1/deposits", data="{}", content_type="application/json").status_code in {401, 403}


@pytest.mark.django_db
def test_ready_says_what_is_fit(client):
    response = client.get("/readyz")
    assert response.json()["parts"]["database"] == "ok"
    assert response.json()["parts"]["migrations"] == "ok"
