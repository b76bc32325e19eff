"""Journeys through the real thing: `chopmark init` and `chopmark serve` in a home of their own, and Chromium.

Fixtures: `platform` (one for the whole run), `browser`, `visitor` (a fresh person's page that fails the test at its
end when the console saw an error or a foreign address was asked). Helpers
(`axe`, `fits`, `sign_up`, `speak`) are in `world.browser`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright
from world.browser import CHROMIUM, DESKTOP, FLAGS, Platform, Watch, sign_up, started
from world.patience import HANG_MS
from world.shop import Shop

expect.set_options(timeout=HANG_MS)


@pytest.fixture(scope="session")
def shop() -> Iterator[Shop]:
    """A shop on loopback, the one private address that the platform's captures may open."""
    with Shop() as open_now:
        yield open_now


@pytest.fixture(scope="session")
def platform(tmp_path_factory: pytest.TempPathFactory, shop: Shop) -> Iterator[Platform]:
    with started(tmp_path_factory.mktemp("platform") / "home", CHOPMARK_CAPTURE_ALLOW=shop.door) as running:
        yield running


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    if CHROMIUM is None:
        pytest.skip("needs Chromium on the machine: apt-get install chromium")
    with sync_playwright() as driver:
        started = driver.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield started
        started.close()


@pytest.fixture
def no_console_errors(platform: Platform) -> Iterator[Watch]:
    """Watches the contexts it is attached to, and fails the test at its end when one of them complained."""
    watch = Watch(platform.url)
    yield watch
    assert watch.unexpected() == []


@pytest.fixture
def open_page(platform: Platform, browser: Browser, no_console_errors: Watch) -> Iterator[Callable[..., Page]]:
    """Opens pages in fresh contexts: `open_page(viewport=PHONE, locale="zh-CN")`."""
    contexts: list[BrowserContext] = []

    def opened(**more: object) -> Page:
        settings = {"viewport": DESKTOP, "locale": "en-GB", "base_url": platform.url, "accept_downloads": True, **more}
        context = browser.new_context(**settings)
        context.set_default_timeout(HANG_MS)
        no_console_errors.attach(context)
        contexts.append(context)
        return context.new_page()

    yield opened
    for context in contexts:
        context.close()


@pytest.fixture
def visitor(open_page: Callable[..., Page]) -> Page:
    """A person without an account, in English, at a desk."""
    return open_page()


@pytest.fixture
def member(visitor: Page) -> Page:
    """A person who has just signed up and owns an organisation."""
    sign_up(visitor)
    return visitor
