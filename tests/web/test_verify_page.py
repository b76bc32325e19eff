"""The verify page brings everything with it: the verifier, its words in both languages and the platform's policy."""

from __future__ import annotations

import json
import re
from html import unescape
from pathlib import Path

import pytest
from corpus.maker import LOG, LOG_PQ, POLICIES
from django.test import Client

import chopmark.web
from chopmark.base.wording import catalogue
from chopmark.evidence import wiring
from chopmark.evidence.bundle import verifier
from chopmark.ledger.policy import policy_text

STATIC = Path(chopmark.web.__file__).parent / "static"
MODULES = STATIC / "chopmark" / "verify"
OF_THE_PAGE = {"page.js", "hashing.js"}
PURE = sorted(path.name for path in MODULES.glob("*.js") if path.name not in OF_THE_PAGE)
CODE = re.compile(r'"((?:base|evidence|ledger|verify)\.[a-z0-9_]+)"')
REACHES_OUT = re.compile(
    r"\b(fetch|XMLHttpRequest|WebSocket|EventSource|sendBeacon|importScripts|navigator|location|localStorage"
    r"|indexedDB|document|window|globalThis|self)\b"
)
COMMENT = re.compile(r"/\*.*?\*/|//[^\n]*", re.DOTALL)

pytestmark = pytest.mark.django_db


@pytest.fixture
def keys(settings, tmp_path):
    settings.CHOPMARK_HOME = tmp_path
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys" / "log.ed25519.pub").write_text(f"{LOG.verifier}\n", "utf-8")
    (tmp_path / "keys" / "log.mldsa44.pub").write_text(f"{LOG_PQ.verifier}\n", "utf-8")


def data_of(html: str, name: str) -> dict:
    found = re.search(rf'<script id="{name}" type="application/json">(.*?)</script>', html, re.DOTALL)
    assert found is not None
    return json.loads(found[1])


def codes_in_the_modules() -> set[str]:
    return {code for path in MODULES.glob("*.js") for code in CODE.findall(path.read_text("utf-8"))}


def test_it_opens_without_an_account(client: Client, keys):
    response = client.get("/verify")
    assert response.status_code == 200
    assert "connect-src 'self'" in response["Content-Security-Policy"]


def test_policies_of_the_past_come_with_it(client: Client, keys, tmp_path):
    folder = tmp_path / "consortium" / "history"
    folder.mkdir(parents=True)
    for size, name in ((3, "five-members"), (12, "five-members-later")):
        (folder / f"{size}.policy").write_text(policy_text(POLICIES[name]), "utf-8")
    told = data_of(client.get("/verify").content.decode(), "verify-settings")["policies"]
    assert [start for start, _ in told] == [0, 3, 12]
    assert "quorum none" in told[0][1]
    assert told[2][1] == policy_text(POLICIES["five-members-later"])


def test_the_platform_s_policy_is_offered_and_named_as_its_own(client: Client, keys):
    html = client.get("/verify").content.decode()
    [[start, policy]] = data_of(html, "verify-settings")["policies"]
    assert start == 0
    assert str(LOG.verifier) in policy
    assert "You are trusting this page for it" in unescape(html)


def test_before_the_platform_has_keys_only_an_own_policy_is_offered(client: Client, settings, tmp_path):
    settings.CHOPMARK_HOME = tmp_path
    html = client.get("/verify").content.decode()
    assert data_of(html, "verify-settings")["policies"] == []
    assert 'value="platform"' not in html


@pytest.mark.parametrize(("accepted", "language"), [("en", "en"), ("zh-CN", "zh")])
def test_every_code_of_the_verifier_has_its_sentence_on_the_page(client: Client, keys, accepted, language):
    html = client.get("/verify", headers={"Accept-Language": accepted}).content.decode()
    wording = data_of(html, "verify-wording")
    missing = codes_in_the_modules() - wording.keys()
    assert missing == set()
    assert all(sentence == catalogue()[code][language] for code, sentence in wording.items())


def test_the_page_is_chinese_for_who_reads_chinese(client: Client, keys):
    html = client.get("/verify", headers={"Accept-Language": "zh-CN"}).content.decode()
    assert "核验存证" in html
    texts = data_of(html, "verify-texts")
    plain = [text for name, text in texts.items() if isinstance(text, str) and name != "step_8"]
    assert [text for text in plain if not re.search(r"[\u4e00-\u9fff]", text)] == []


def test_all_texts_that_the_script_asks_for_are_given(client: Client, keys):
    texts = data_of(client.get("/verify").content.decode(), "verify-texts")
    source = "".join(path.read_text("utf-8") for path in MODULES.glob("*.js"))
    asked = set(re.findall(r'words\.text\("(\w+)"', source))
    assert asked <= texts.keys()


def test_what_the_page_loads_is_there(client: Client, keys):
    html = client.get("/verify").content.decode()
    settings = data_of(html, "verify-settings")
    wanted = [settings["worker"], *settings["libraries"], *re.findall(r'(?:src|href)="(/static/[^"]+)"', html)]
    assert [path for path in wanted if not (STATIC / path.removeprefix("/static/")).is_file()] == []


@pytest.mark.parametrize("name", PURE)
def test_the_verifier_knows_no_page_and_no_network(name):
    """The same modules are shipped as one file that a judge opens from disk."""
    code = COMMENT.sub("", (MODULES / name).read_text("utf-8"))
    assert REACHES_OUT.findall(code) == []
    imported = re.findall(r'from "([^"]+)"', code)
    assert all(path.startswith("./") and (MODULES / path).is_file() for path in imported)


def test_the_page_for_bundles_is_the_one_that_bundles_bring(client: Client, keys):
    response = client.get("/verify/bundle")
    assert response.status_code == 200
    assert response.content == verifier.page(wiring.own_trust())
    policy = response["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; script-src 'sha256-")
    assert "connect-src" not in policy
    assert policy.endswith("frame-ancestors 'none'")
    kept = client.get("/verify/bundle?download")
    assert kept["Content-Disposition"] == 'attachment; filename="verify.html"'
    assert kept.content == response.content


def test_before_the_platform_has_keys_the_page_for_bundles_trusts_nobody(client: Client, settings, tmp_path):
    settings.CHOPMARK_HOME = tmp_path
    assert client.get("/verify/bundle").content == verifier.page(None)
