"""The consortium as people see it: members that sign, members that are missing, and deposits that wait for them."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect
from world.browser import DESKTOP, PHONE, Platform, Watch, axe, fits, sign_up, speak, started
from world.patience import HANG_MS

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def consortium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    """A platform with five local members."""
    with started(tmp_path_factory.mktemp("consortium") / "home", "localhost", init=("--local-members",)) as running:
        yield running


@pytest.fixture
def look(consortium: Platform, browser: Browser) -> Iterator[Callable[..., Page]]:
    """Opens pages of that platform; complaints of the browser fail the test at its end."""
    watch = Watch(consortium.url)
    contexts: list[BrowserContext] = []

    def opened(**more: object) -> Page:
        context = browser.new_context(
            **{"viewport": DESKTOP, "locale": "en-GB", "base_url": consortium.url, "reduced_motion": "reduce", **more}
        )
        context.set_default_timeout(HANG_MS)
        watch.attach(context)
        contexts.append(context)
        return context.new_page()

    yield opened
    for context in contexts:
        context.close()
    assert watch.unexpected() == []


@pytest.fixture
def all_back(consortium: Platform) -> Iterator[None]:
    """Whatever a test stops is started again."""
    yield
    consortium.run("members", "start")


def choose(page: Page, name: str) -> None:
    page.goto("/deposits/new")
    page.locator("[data-choose]").set_input_files(
        {"name": name, "mimeType": "text/plain", "buffer": uuid.uuid4().hex.encode()}
    )
    page.get_by_role("button", name="Deposit 1").click()


def test_the_trust_page_is_for_everybody_in_both_languages_and_on_a_phone(look):
    for size in (DESKTOP, PHONE):
        page = look(viewport=size)
        page.goto("/")
        page.get_by_role("contentinfo").get_by_role("link", name="Who holds the ledger").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("Who holds the ledger")
        expect(page.get_by_role("heading", name="Hangzhou Internet Court (local demonstration)")).to_be_visible()
        expect(page.get_by_text("At least 2 of these 3:")).to_be_visible()
        assert axe(page) == []
        assert fits(page)
        if size == DESKTOP:
            speak(page, "zh-hans")
            expect(page.get_by_role("heading", name="杭州互联网法院（本机演示）")).to_be_visible()
            assert axe(page) == []


def test_a_deposit_waits_visibly_for_missing_members_and_appears_when_they_are_back(look, consortium, all_back):
    page = look()
    sign_up(page)
    choose(page, "before.txt")
    row = page.locator(".file-row")
    expect(row.locator("[data-badge]")).to_have_text("Published")
    row.get_by_role("link", name="Details").click()
    expect(page.get_by_role("heading", name="Who signed")).to_be_visible()
    expect(page.get_by_text("Notary office (local demonstration)")).to_be_visible()
    assert axe(page) == []

    assert consortium.run("members", "stop", "notary", "customs").returncode == 0
    choose(page, "while-away.txt")
    expect(row.locator("[data-badge]")).to_have_text("Waiting for members")
    page.goto("/deposits/")
    page.get_by_role("row").filter(has_text="while-away").get_by_role("link").click()
    expect(page.get_by_role("status").filter(has_text="Waiting for the consortium since")).to_be_visible()
    expect(
        page.get_by_text("Missing: Notary office (local demonstration), Customs (local demonstration)")
    ).to_be_visible()
    expect(page.get_by_text("waiting for members of the consortium to sign")).to_be_visible()
    assert axe(page) == []
    assert fits(page)

    watching = look(viewport=PHONE)
    watching.goto("/trust")
    expect(watching.get_by_role("status").filter(has_text="Waiting for the consortium")).to_be_visible()
    expect(watching.get_by_text("In trouble").first).to_be_visible()
    assert axe(watching) == []
    assert fits(watching)

    assert consortium.run("members", "start").returncode == 0
    expect(page.get_by_role("heading", name="Receipt ready")).to_be_visible()
    expect(page.get_by_role("heading", name="Who signed")).to_be_visible()
    expect(watching.get_by_role("status").filter(has_text="Waiting for the consortium")).to_have_count(0)


def test_the_commands_are_reached_and_copied_by_keyboard(look):
    page = look()
    page.goto("/trust")
    button = page.get_by_role("button", name="Copy: curl")
    button.focus()
    expect(button).to_be_focused()
    page.keyboard.press("Enter")
    expect(button).to_have_text("Copied")
