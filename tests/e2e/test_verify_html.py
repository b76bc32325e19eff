"""verify.html, opened from disk without a network, says of every bundle of the corpus what Python says.

The page is the committed one, with the trust of each case put in as a platform would. Nothing runs but Chromium: no
server, and every request that is not for the file itself fails the test.
"""

from __future__ import annotations

import hashlib
import io
import json
import random
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from corpus.maker import AT, FILE
from playwright.sync_api import Browser, BrowserContext, Page, expect
from world.browser import DESKTOP, PHONE, Watch, axe, fits
from world.patience import HANG_MS

from chopmark.base import jcs
from chopmark.evidence.bundle.check import check
from chopmark.evidence.bundle.container import MIMETYPE, MIMETYPE_NAME, ContainerWriter
from chopmark.evidence.bundle.verifier import page as verifier
from chopmark.evidence.trust import Trust

CORPUS = Path(__file__).resolve().parent.parent / "corpus"
BUNDLES = CORPUS / "bundles"
GOOD = BUNDLES / "nothing-is-wrong.asice"
ALL = Trust.parse((BUNDLES / "all.trust.json").read_bytes())
NOW = AT + timedelta(days=1)

pytestmark = pytest.mark.browser


@pytest.fixture
def offline(browser: Browser, tmp_path: Path) -> Iterator[Callable[..., Page]]:
    """Opens the page from disk; at the end nothing may have been asked of a network or complained about."""
    contexts: list[BrowserContext] = []
    watch = Watch("file:")

    def opened(trust: Trust | None = ALL, at: datetime = NOW, **more: object) -> Page:
        file = tmp_path / "verify.html"
        file.write_bytes(verifier(trust))
        context = browser.new_context(**{"viewport": DESKTOP, "locale": "en-GB", "offline": True, **more})
        context.set_default_timeout(HANG_MS)
        watch.attach(context)
        contexts.append(context)
        page = context.new_page()
        page.clock.set_fixed_time(at)
        page.goto(file.as_uri())
        page.wait_for_selector("html[data-ready]")
        return page

    yield opened
    for context in contexts:
        context.close()
    watch.allow("violates the following Content Security Policy directive")  # which a test provokes
    assert watch.unexpected() == []


def put_in(page: Page, *files: Path) -> dict:
    """Choose files as a person does; the report."""
    page.set_input_files("[data-choose]", [str(each) for each in files])
    page.wait_for_selector("html[data-verdict]")
    return page.evaluate("window.chopmarkReport")


def cases_by_trust() -> dict[tuple[str | None, str], list[dict]]:
    found: dict[tuple[str | None, str], list[dict]] = {}
    for each in json.loads((BUNDLES / "manifest.json").read_text("utf-8"))["cases"]:
        found.setdefault((each["trust"], each["at"]), []).append(each)
    return found


def test_every_bundle_of_the_corpus_is_judged_as_python_judges_it(offline):
    number = 0
    for (trust, at), cases in cases_by_trust().items():
        given = None if trust is None else Trust.parse((BUNDLES / trust).read_bytes())
        page = offline(given, datetime.fromisoformat(at).astimezone(UTC))
        for case in cases:
            report = put_in(page, BUNDLES / case["bundle"])
            assert jcs.encode(report) == jcs.encode(case["report"]), case["desc"]
            number += 1
    assert number >= 40


def test_bundles_with_one_changed_byte_are_judged_as_python_judges_them(offline, tmp_path):
    chance = random.Random(4)  # noqa: S311 (the same damage in every run)
    sound, page = GOOD.read_bytes(), offline()
    for _ in range(25):
        changed = bytearray(sound)
        changed[chance.randrange(len(changed))] ^= 1 << chance.randrange(8)
        file = tmp_path / "changed.asice"
        file.write_bytes(changed)
        report = put_in(page, file)
        assert report["verdict"] == "FAILED"
        assert jcs.encode(report) == jcs.encode(check(io.BytesIO(bytes(changed)), ALL, NOW).as_json())


def test_a_file_is_judged_by_its_receipt(offline, tmp_path):
    policy = (CORPUS / "policies" / "platform.policy").read_text("utf-8")
    page = offline(Trust.of({0: policy.encode()}, []))
    file, receipt = tmp_path / "lantern.txt", CORPUS / "receipts" / "private-the-digest-disclosed.receipt.cose"
    file.write_bytes(FILE)
    assert put_in(page, file, receipt)["verdict"] == "PASSED"
    expect(page.locator(".banner")).to_contain_text("these bytes are the ones that were deposited")
    file.write_bytes(FILE + b"!")
    assert put_in(page, file, receipt)["verdict"] == "FAILED"
    assert page.locator(".claims tr[data-state=FAILED]").count() == 1


def test_a_reader_without_trust_is_told_so_and_can_load_their_own(offline):
    page = offline(None)
    assert put_in(page, GOOD)["verdict"] == "INDETERMINATE"
    expect(page.locator("[data-trust]")).to_contain_text("No roots were given")
    page.set_input_files("[data-trust-file]", str(BUNDLES / "all.trust.json"))
    expect(page.locator(".banner")).to_have_attribute("data-state", "PASSED")
    expect(page.locator("[data-trust]")).to_contain_text("These came from your file all.trust.json")
    [first, *_] = ALL.roots
    fingerprint = hashlib.sha256(first.certificate).hexdigest().upper()
    expect(page.locator("[data-trust] code").first).to_have_text(
        ":".join(fingerprint[at : at + 2] for at in range(0, 64, 2))
    )
    page.set_input_files("[data-trust-file]", str(GOOD))
    expect(page.locator("[data-trust-problem]")).to_contain_text("The trust file cannot be used")


def test_the_trust_of_the_bundle_itself_is_never_taken(offline):
    report = put_in(offline(Trust()), GOOD)
    assert report["verdict"] == "INDETERMINATE"
    signature = next(each for each in report["claims"] if each["claim"] == "signature:1")
    assert "bundle.signer_unknown" in {each["code"] for each in signature["findings"]}


@pytest.mark.parametrize(("locale", "viewport"), [("zh-CN", PHONE), ("en-GB", DESKTOP)])
def test_the_page_is_accessible_and_fits_before_and_after(offline, locale, viewport):
    page = offline(locale=locale, viewport=viewport, bypass_csp=True)
    assert axe(page) == []
    assert fits(page)
    put_in(page, GOOD)
    assert axe(page) == []
    assert fits(page)
    expect(page.locator("h2#verdict")).to_be_focused()
    expect(page.locator("main")).to_contain_text("不能证明" if locale == "zh-CN" else "What this does not prove")


def test_the_page_speaks_both_languages_and_works_by_keyboard(offline):
    page = offline()
    put_in(page, BUNDLES / "a-file-is-missing.asice")
    expect(page.locator(".banner")).to_contain_text("Failed")
    page.locator("[data-language=zh]").focus()
    page.keyboard.press("Enter")
    expect(page.locator("html")).to_have_attribute("lang", "zh-CN")
    expect(page.locator(".banner")).to_contain_text("未通过")
    expect(page.locator(".claims tbody tr[data-state=FAILED] .mark").first).to_contain_text("✗ 未通过")
    reached = []
    for _ in range(30):
        page.keyboard.press("Tab")
        reached += page.evaluate("Object.keys(document.activeElement.dataset)")
    assert {"choose", "print", "save", "again", "trustFile"} <= set(reached)


def test_its_policy_allows_no_connection_and_no_other_script(offline):
    page = offline()
    policy = page.get_attribute("meta[http-equiv=Content-Security-Policy]", "content")
    assert policy.startswith("default-src 'none'; script-src 'sha256-")
    assert "unsafe" not in policy
    told = page.evaluate(
        """() => new Promise((resolve) => {
          document.addEventListener("securitypolicyviolation", (event) => resolve(event.violatedDirective));
          const script = document.createElement("script");
          script.textContent = "window.injected = 1";
          document.body.append(script);
        })"""
    )
    assert told.startswith("script-src")
    assert page.evaluate("window.injected") is None


def test_what_a_bundle_says_is_shown_as_text_and_never_as_markup(offline):
    page = offline()
    put_in(page, BUNDLES / "nothing-is-wrong.asice")
    assert page.locator("main img, main iframe, main object, main a").count() == 0
    expect(page.locator("main")).to_contain_text("B-2026-000123")


def test_a_large_bundle_is_read_in_pieces(offline, tmp_path):
    """64 MiB here; `benchmarks/evidence.py` measures 1 GiB."""
    size, file = 64 << 20, tmp_path / "large.asice"
    block = bytes(1 << 20)
    digest = hashlib.sha256()
    for _ in range(size // len(block)):
        digest.update(block)

    class Zeros(io.RawIOBase):
        left = size

        def read(self, length: int = -1) -> bytes:
            taken = min(self.left, len(block) if length < 0 else length)
            self.left -= taken
            return block[:taken]

    with file.open("w+b") as out:
        writer = ContainerWriter(out)
        writer.add(MIMETYPE_NAME, MIMETYPE, len(MIMETYPE), hashlib.sha256(MIMETYPE).digest())
        writer.add("evidence/001-video/video.mp4", Zeros(), size, digest.digest())
        writer.finish()
    report = put_in(offline(), file)
    assert report["claims"][0] == {
        "claim": "container",
        "verdict": "PASSED",
        "findings": [{"code": "bundle.zip_right", "verdict": "PASSED", "facts": {"files": 2}}],
    }
    assert report["claims"][1]["findings"][0]["code"] == "bundle.manifest_missing"
