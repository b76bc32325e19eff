"""Journeys through the real thing: `chopmark init` and `chopmark serve` in a home of their own, and Chromium.

Fixtures: `platform` (one for the whole run), `browser`, `visitor` (a fresh person's page that fails the test at its
end when the console saw an error or a foreign address was asked). Helpers
(`axe`, `fits`, `sign_up`, `speak`) are in `world.browser`.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright
from world.browser import CHROMIUM, DESKTOP, FLAGS, START_PATIENCE, Platform, Watch, sign_up

# Two busy cores: what takes a second alone may take ten.
expect.set_options(timeout=20_000)


@pytest.fixture(scope="session")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    home = tmp_path_factory.mktemp("platform") / "home"
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    kept = {name: value for name, value in os.environ.items() if not name.startswith("CHOPMARK_")}
    environment = {**kept, "CHOPMARK_HOME": str(home), "CHOPMARK_BASE_URL": url, "NO_COLOR": "1"}
    environment.pop("DJANGO_SETTINGS_MODULE", None)
    running = Platform(url=url, home=home, environment=environment)
    made = running.run("init")
    assert made.returncode == 0, made.stdout + made.stderr
    serving = subprocess.Popen(
        [sys.executable, "-m", "chopmark.site.command", "serve", "--port", str(port)],
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        _wait_until_ready(serving, url, home)
        yield running
    finally:
        serving.send_signal(signal.SIGTERM)
        try:
            serving.wait(30)
        except subprocess.TimeoutExpired:
            serving.kill()
            serving.wait(10)


def _wait_until_ready(serving: subprocess.Popen[bytes], url: str, home: Path) -> None:
    until = time.monotonic() + START_PATIENCE
    while time.monotonic() < until and serving.poll() is None:
        try:
            with urllib.request.urlopen(f"{url}/readyz", timeout=2):  # noqa: S310 (our own loopback address)
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.2)
    logs = "\n".join(f"--- {each}\n{each.read_text('utf-8', 'replace')[-3000:]}" for each in home.glob("logs/*"))
    pytest.fail(f"the platform did not start (status {serving.poll()})\n{logs}")


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
        context.set_default_timeout(20_000)
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
