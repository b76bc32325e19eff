"""What journeys through a browser share: a running platform, a watch over the page, and a person's usual moves."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from playwright.sync_api import BrowserContext, ConsoleMessage, Page, Request, ViewportSize

from world.patience import HANG, WORK

ROOT = Path(__file__).resolve().parent.parent.parent
AXE = ROOT / "tests" / "vendor" / "axe.min.js"
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
# Chromium's own sandbox needs rights that root in a container has not; the pages shown are our own.
# For each window Chromium fills two hidden pages of its address bar, which takes longer than a page of ours. Of several
# such switches the last one counts, so what Playwright switches off is named again.
_HIDDEN = ("WebUIOmniboxPopup", "WebUIOmniboxAimPopup")
_PLAYWRIGHT = (
    "AvoidCorsURLLoaderRestartOnRedirect",
    "AvoidUnnecessaryBeforeUnloadCheckSync",
    "DestroyProfileOnBrowserClose",
    "HttpsFirstBalancedModeAutoEnable",
    "HttpsUpgrades",
    "LensOverlay",
    "MediaRouter",
    "NetworkTimeServiceQuerying",
    "OptimizationHints",
    "PaintHolding",
    "PreconnectToSearch",
    "AimEnabled",
    "ThirdPartyStoragePartitioning",
)
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    f"--disable-features={','.join((*_HIDDEN, *_PLAYWRIGHT))}",
]
PASSWORD = "lantern over the water 7"
RULES = {
    "runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]},
    "resultTypes": ["violations"],
}

DESKTOP: ViewportSize = {"width": 1280, "height": 900}
PHONE: ViewportSize = {"width": 390, "height": 844}


@dataclass(frozen=True, slots=True, kw_only=True)
class Platform:
    """A running platform; `home` holds its data."""

    url: str
    home: Path
    environment: dict[str, str]

    def run(self, *arguments: str, **more: Any) -> subprocess.CompletedProcess[str]:
        """A chopmark command in this home."""
        return subprocess.run(
            [sys.executable, "-m", "chopmark.site.command", *arguments],
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=WORK,
            check=False,
            **more,
        )


@contextmanager
def started(home: Path, host: str = "127.0.0.1", *, init: tuple[str, ...] = (), **settings: str) -> Iterator[Platform]:
    """Initialise and serve a platform on a free port, with more settings (`CHOPMARK_…`); it ends with the block.

    `init` holds more options of `chopmark init`.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    url = f"http://{host}:{port}"
    kept = {name: value for name, value in os.environ.items() if not name.startswith("CHOPMARK_")}
    environment = {**kept, "CHOPMARK_HOME": str(home), "CHOPMARK_BASE_URL": url, "NO_COLOR": "1", **settings}
    environment.pop("DJANGO_SETTINGS_MODULE", None)
    running = Platform(url=url, home=home, environment=environment)
    made = running.run("init", *init)
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
            serving.wait(HANG)
        except subprocess.TimeoutExpired:
            serving.kill()
            serving.wait(HANG)


def _wait_until_ready(serving: subprocess.Popen[bytes], url: str, home: Path) -> None:
    until = time.monotonic() + HANG
    while time.monotonic() < until and serving.poll() is None:
        try:
            with urllib.request.urlopen(f"{url}/readyz", timeout=HANG):  # noqa: S310 (our own loopback address)
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.2)
    logs = "\n".join(f"--- {each}\n{each.read_text('utf-8', 'replace')[-3000:]}" for each in home.glob("logs/*"))
    raise AssertionError(f"the platform did not start (status {serving.poll()})\n{logs}")


class Watch:
    """What a browser context complained about: errors on the console, crashes of scripts, foreign addresses."""

    def __init__(self, own: str) -> None:
        self.own = own
        self.troubles: list[str] = []
        self.allowed: list[re.Pattern[str]] = []

    def attach(self, context: BrowserContext) -> None:
        context.on("console", self._console)
        context.on("weberror", lambda error: self.troubles.append(f"script: {error.error}"))
        context.on("request", self._request)

    def allow(self, pattern: str) -> None:
        """Expect a complaint, such as the console's own line about an answer of 404 that the test provokes."""
        self.allowed.append(re.compile(pattern))

    def _console(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self.troubles.append(f"console: {message.text} ({message.location.get('url', '')})")

    def _request(self, request: Request) -> None:
        if not request.url.startswith((self.own, "data:", "blob:")):
            self.troubles.append(f"foreign: {request.url}")

    def unexpected(self) -> list[str]:
        return [each for each in self.troubles if not any(pattern.search(each) for pattern in self.allowed)]


def sign_up(page: Page, name: str = "Mei Lan") -> str:
    """Sign up through the page; the address that was used."""
    email = f"{uuid.uuid4().hex[:12]}@example.com"
    page.goto("/accounts/signup/")
    page.locator("input[name=name]").fill(name)
    page.locator("input[name=email]").fill(email)
    page.locator("input[name=password1]").fill(PASSWORD)
    with page.expect_navigation():
        page.locator("input[name=password1]").press("Enter")
    return email


def speak(page: Page, language: str) -> None:
    """Switch the site's language with its own switch: `en` or `zh-hans`."""
    page.locator(f"form[action='/language'] [value='{language}']").first.click()
    page.wait_for_load_state()


def axe(page: Page) -> list[str]:
    """What axe finds wrong on the page as it is now, one line a finding; the page's own policy stays in force."""
    page.evaluate(AXE.read_text("utf-8") + "\n0")
    found = page.evaluate("rules => axe.run(document, rules).then((found) => found.violations)", RULES)
    return [f"{each['id']} ({each['impact']}): {node['html'][:160]}" for each in found for node in each["nodes"]]


def fits(page: Page) -> bool:
    """Whether nothing sticks out to the side."""
    return bool(page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"))
