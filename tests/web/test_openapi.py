from __future__ import annotations

import functools
import json
import runpy
from pathlib import Path

import hypothesis
import pytest
import schemathesis
from django.core.signals import request_finished, request_started
from django.core.wsgi import get_wsgi_application
from django.db import close_old_connections
from schemathesis import GenerationMode, checks
from world.pages import PageWorld

from chopmark.people import actions as people
from chopmark.web.api import limits

ROOT = Path(__file__).resolve().parents[2]
CONFORMANCE = (
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
)
OF_THE_SERVER = (404, 405)  # a generated name with a slash leads to another address


@pytest.fixture(autouse=True)
def one_connection():
    """The end of a request must not close the connection that holds the test's transaction, as PostgreSQL's would."""
    for signal in (request_started, request_finished):
        signal.disconnect(close_old_connections)
    yield
    for signal in (request_started, request_finished):
        signal.connect(close_old_connections)


@pytest.fixture
def world(db, settings, tmp_path):
    settings.CHOPMARK_HOME = tmp_path / "home"
    return PageWorld.made(settings.CHOPMARK_HOME)


@pytest.fixture
def key(world, monkeypatch):
    """A key that may do everything, of an organisation with a published and a pending deposit."""
    monkeypatch.setattr(limits, "_BUCKETS", limits.Buckets())
    monkeypatch.setattr("chopmark.web.api.auth.KNOWN", limits.Rate(per_second=1e6, burst=10**6))
    monkeypatch.setattr("chopmark.web.api.auth.ANYBODY", limits.Rate(per_second=1e6, burst=10**6))
    mei = world.person("Mei Lan")
    world.deposit(mei, b"1")
    world.publish()
    world.deposit(mei, b"2")
    scopes = ["deposits:write", "deposits:read", "keys:write"]
    return people.create_api_key("test", scopes, by=mei.actor, at=world.now()).text


@functools.cache
def described():
    """The site's own description, read once: Schemathesis reads all our code for values to try each time it is read."""
    return schemathesis.openapi.from_wsgi("/api/v1/openapi.json", get_wsgi_application())


def operations():
    paths = json.loads((ROOT / "openapi.json").read_text("utf-8"))["paths"]
    for path, methods in paths.items():
        for method, operation in methods.items():
            yield path, method.upper(), GenerationMode.POSITIVE
            if operation["parameters"] or "requestBody" in operation:  # else nothing can be wrong
                yield path, method.upper(), GenerationMode.NEGATIVE


@pytest.mark.parametrize(("path", "method", "mode"), list(operations()))
def test_the_api_answers_as_it_is_described(key, path, method, mode):
    operation = described()[path][method]
    verdicts = [checks.not_a_server_error, *(checks.CHECKS.get_one(name) for name in CONFORMANCE)]

    @hypothesis.given(case=operation.as_strategy(generation_mode=mode))
    @hypothesis.settings(
        max_examples=10, deadline=None, derandomize=True, suppress_health_check=list(hypothesis.HealthCheck)
    )
    def answers(case):
        response = case.call(headers={"Authorization": f"Bearer {key}"})
        if response.status_code not in OF_THE_SERVER:
            case.validate_response(response, checks=verdicts)

    answers()


def test_the_committed_description_is_what_the_code_says(db):
    script = runpy.run_path(str(ROOT / "scripts" / "openapi.py"))
    assert (ROOT / "openapi.json").read_text("utf-8") == script["description"](), "run scripts/openapi.py"


def test_every_operation_says_who_may_call_it_and_how_it_fails():
    paths = json.loads((ROOT / "openapi.json").read_text("utf-8"))["paths"]
    for path, operations in paths.items():
        for method, operation in operations.items():
            open_to_all = path in {"/api/v1/search", "/api/v1/verify", "/api/v1/log", "/api/v1/consortium"}
            by_code = path.startswith("/api/v1/access/")
            by_desk = (method, path) == ("post", "/api/v1/desk-events")  # signed by the desk's own key
            assert ("security" in operation) != (open_to_all or by_code or by_desk), (method, path)
            assert "429" in operation["responses"], (method, path)
            assert operation["summary"]
            assert operation["description"]


def test_every_operation_is_in_the_guide():
    guide = (ROOT / "docs" / "api.md").read_text("utf-8")
    paths = json.loads((ROOT / "openapi.json").read_text("utf-8"))["paths"]
    missing = [path for path in paths if path.removeprefix("/api/v1") not in guide]
    assert missing == []


def test_the_documentation_page_loads_nothing_from_elsewhere(client, db):
    page = client.get("/api/v1/docs")
    text = page.content.decode()
    assert page.status_code == 200
    assert "swagger-ui-bundle.js" in text
    assert "<script>" not in text
    assert 'src="http' not in text
