"""verify.html is what its modules make, and holds the trust that it is given and nothing that could end its scripts."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import runpy
from pathlib import Path

import pytest
from world.data import REPOSITORY

from chopmark.evidence.bundle import verifier
from chopmark.evidence.trust import Trust

SCRIPT = REPOSITORY / "scripts" / "verify_html.py"
PAGE = REPOSITORY / "src" / "chopmark" / "evidence" / "bundle" / "verify.html"
TRUST = Path(__file__).resolve().parent.parent / "corpus" / "bundles" / "all.trust.json"


def between(text: str, start: str, end: str) -> str:
    return text.partition(start)[2].partition(end)[0]


def test_making_it_again_gives_the_same_bytes():
    made = runpy.run_path(str(SCRIPT))
    if not made["ESBUILD"].exists():
        pytest.skip("needs esbuild, a development tool: npm ci")
    assert made["page"]() == PAGE.read_bytes(), "run scripts/verify_html.py and commit what it makes"


def test_its_policy_names_its_script_and_its_style_and_allows_nothing_else():
    text = PAGE.read_text("utf-8")
    policy = between(text, 'http-equiv="Content-Security-Policy" content="', '"')
    allowed = {
        name: base64.b64encode(hashlib.sha256(between(text, f"<{tag}>", f"</{tag}>").encode()).digest()).decode()
        for name, tag in (("script-src", "script"), ("style-src", "style"))
    }
    assert policy.split("; ") == [
        "default-src 'none'",
        f"script-src 'sha256-{allowed['script-src']}'",
        f"style-src 'sha256-{allowed['style-src']}'",
        "base-uri 'none'",
        "form-action 'none'",
    ]


def test_it_names_no_address_to_load_anything_from():
    text = PAGE.read_text("utf-8")
    assert re.findall(r"<(?:script|link|img|iframe|object|embed)[^>]*(?:src|href)=", text) == []
    assert re.findall(r"\b(?:fetch|XMLHttpRequest|WebSocket|EventSource|sendBeacon|importScripts|eval)\b\(", text) == []


def test_the_trust_put_in_comes_out_byte_for_byte():
    trust = Trust.parse(TRUST.read_bytes())
    text = verifier.page(trust).decode()
    held = json.loads(between(text, '<script type="application/json" id="trust">', "</script>"))
    assert base64.b64decode(held) == TRUST.read_bytes()
    assert verifier.page(None) == PAGE.read_bytes()


def test_every_code_that_its_modules_name_has_its_sentence_in_it():
    text = PAGE.read_text("utf-8")
    wording = json.loads(between(text, '<script type="application/json" id="wording">', "</script>"))
    modules = (REPOSITORY / "src" / "chopmark" / "web" / "static" / "chopmark" / "verify").glob("**/*.js")
    named = {
        code
        for path in modules
        for code in re.findall(r'"((?:bundle|verify|ledger|evidence)\.[a-z0-9_]+)"', path.read_text("utf-8"))
    }
    assert named - wording.keys() == set()
    assert all(set(said) == {"zh", "en"} for said in wording.values())


def test_its_own_texts_stand_in_both_languages():
    source = (SCRIPT.parent.parent / "src/chopmark/web/static/chopmark/verify/offline/texts.js").read_text("utf-8")
    zh, en = source.partition("\n  en: {")[::2]
    names = [re.findall(r"^    (\w+):", half, re.MULTILINE) for half in (zh, en)]
    assert names[0] == names[1]
