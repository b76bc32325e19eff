"""Writes docs/images from a demo platform of its own, seen in headless Chromium. Takes about four minutes.

python scripts/screenshots.py            all of them
python scripts/screenshots.py rights     those of rights, works and copies alone
python scripts/screenshots.py watch      those of the watched marketplace alone
"""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path

from playwright.sync_api import Browser, Page, ViewportSize, sync_playwright

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))

from world.browser import CHROMIUM, DESKTOP, FLAGS, PHONE  # noqa: E402 (the folder is put in the path above)
from world.running import Running  # noqa: E402

from chopmark.site.supervisor import free_port  # noqa: E402

TARGET = ROOT / "docs" / "images"
EMAIL = "demo@chopmark.example"
COPIED = "altered-picture"  # the rule that the demo's copied photograph meets
WATCH_PATIENCE = 120  # seconds until it was fetched and compared
PAINTED = """async () => {
  const images = [...document.images];
  for (const each of images) { each.loading = "eager"; each.decoding = "sync"; }
  await Promise.all(images.map((each) => each.decode().catch(() => {})));
}"""
ALL_WELL = {"en": "Up to date", "zh": "最新"}


def main() -> int:
    """Start a demo, look at it, stop it."""
    if CHROMIUM is None:
        print("Chromium is needed: apt-get install chromium fonts-noto-cjk", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory(prefix="chopmark-screenshots-") as folder:
        platform = Running(Path(folder) / "home", free_port("127.0.0.1", None, 18000, 18999))
        platform.chopmark("init", "--local-members", "--quiet")
        platform.chopmark("tsa", "init", "--quiet")
        if not _demo_made(platform):
            print("The demo could not be made whole. Try again when the machine is less busy.", file=sys.stderr)
            return 3
        platform.start()
        try:
            platform.wait_until_ready()
            with sync_playwright() as driver:
                browser = driver.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
                if sys.argv[1:] == ["rights"]:
                    _alone(browser, platform, _rights)
                elif sys.argv[1:] == ["watch"]:
                    _judged(browser, platform)
                    _alone(browser, platform, _watch)
                else:
                    _judged(browser, platform)
                    _take(browser, platform)
                browser.close()
        finally:
            platform.kill()
    return 0


def _demo_made(platform: Running) -> bool:
    """Make the demo; what a busy machine left out is made by the next call."""
    for _ in range(3):
        told = json.loads(platform.chopmark("demo", "--json").stdout)
        if "right" in told and "matter" in told:
            return True
    return False


def _take(browser: Browser, platform: Running) -> None:
    shutil.rmtree(TARGET, ignore_errors=True)
    TARGET.mkdir(parents=True)
    password = _password(platform)
    demo = platform.home / "demo"
    for language, locale in (("en", "en-GB"), ("zh", "zh-CN")):
        page = _page(browser, platform, locale, DESKTOP)
        _sign_in(page, password)
        _shoot(page, f"home-{language}")
        _deposits(page, language, _new_files(demo, platform.home))
        _evidence(page, language)
        _rights(page, language)
        _watch(page, language)
        page.context.close()
        _reader(browser, demo, locale, language)
        _clerk(browser, platform, locale, language)

        page = _page(browser, platform, locale, DESKTOP)
        page.goto("/trust")
        page.get_by_text(ALL_WELL[language]).nth(4).wait_for()
        _shoot(page, f"trust-{language}")
        page.goto("/explorer/")
        _shoot(page, f"explorer-{language}")
        _verify(page, demo / "blue-wave.png")
        _shoot(page, f"verify-{language}", whole=True)
        page.context.close()

    page = _page(browser, platform, "en-GB", DESKTOP)
    platform.chopmark("members", "stop", "notary", "customs", "--quiet")
    _sign_in(page, password)
    page.goto("/deposits/new")
    page.locator("[data-choose]").set_input_files([*_new_files(demo, platform.home)])
    page.locator("[data-digest-text]").last.wait_for()
    page.locator("[data-submit]").click()
    page.get_by_text("Waiting for members").first.wait_for()
    page.goto("/deposits/")
    page.get_by_role("row").filter(has_text="harbour-at-dawn").get_by_role("link").click()
    page.wait_for_url("**/deposits/*-*")
    _shoot(page, "waiting-en")
    platform.chopmark("members", "start", "--quiet")
    page.context.close()

    page = _page(browser, platform, "zh-CN", PHONE)
    _verify(page, demo / "tide-song.txt")
    _shoot(page, "verify-phone-zh", show=".verify-verdict")
    page.context.close()


def _deposits(page: Page, language: str, new: Sequence[Path]) -> None:
    """New files on their page, the list, and the receipt of the demo's first work."""
    page.goto("/deposits/new")
    page.locator("[data-choose]").set_input_files([*new])
    page.locator("[data-digest-text]").last.wait_for()
    page.wait_for_timeout(1500)  # hashing and the question for earlier deposits
    _shoot(page, f"deposit-{language}", whole=True)
    page.goto("/deposits/")
    _shoot(page, f"deposits-{language}")
    page.goto("/deposits/?q=D-2026-000001")  # statements of the watch are many, and newer
    page.get_by_role("link", name="D-2026-000001").click()
    page.wait_for_url("**/deposits/*-*")
    _shoot(page, f"receipt-{language}", whole=True)


def _evidence(page: Page, language: str) -> None:
    """The demo's matter, the capture in it and the filing about it."""
    page.goto("/matters/")
    page.get_by_role("link", name="M-2026-000001").click()
    page.wait_for_url("**/matters/*-*")
    _shoot(page, f"matter-{language}")
    page.locator("a[href^='/captures/']").first.click()
    page.wait_for_url("**/captures/*-*")
    _shoot(page, f"capture-{language}")
    page.goto("/filings/")
    page.get_by_role("link", name="F-2026-000001").first.click()
    page.wait_for_url("**/filings/*-*")
    _shoot(page, f"filing-{language}")


def _alone(browser: Browser, platform: Running, part: Callable[[Page, str], None]) -> None:
    for language, locale in (("en", "en-GB"), ("zh", "zh-CN")):
        page = _page(browser, platform, locale, DESKTOP)
        _sign_in(page, _password(platform))
        part(page, language)
        page.context.close()


def _rights(page: Page, language: str) -> None:
    """The demo's rights, a search among all, and the copy that was found."""
    page.goto("/rights/")
    _shoot(page, f"rights-{language}")
    page.get_by_role("link", name="R-2026-000001").first.click()
    page.wait_for_url("**/rights/R-*")
    _shoot(page, f"right-{language}", whole=True)
    page.goto("/rights/search?q=Bleu%20Waves")
    _shoot(page, f"right-search-{language}")
    page.goto("/copies/")
    page.get_by_role("link", name="harbour-scarf").first.click()
    page.wait_for_url("**/copies/C-*")
    _shoot(page, f"copies-{language}")


def _judged(browser: Browser, platform: Running) -> None:
    """One seller's hits are confirmed and taken down, one hit is dismissed, so that figures have something to say."""
    page = _page(browser, platform, "en-GB", DESKTOP)
    _sign_in(page, _password(platform))
    _when_there(page, f"/watch/hits?rule={COPIED}")
    _when_there(page, "/watch/hits?seller=cheap-silk-88&state=open")
    page.locator("[data-all]").check()
    page.locator("#many-measure").select_option("takedown")
    page.locator("button[value=confirm]").click()
    _when_there(page, "/watch/hits?seller=shop-4411&state=open")
    page.locator("input[name=hit]").first.check()
    page.locator("button[value=dismiss]").click()
    page.goto("/watch/marketplaces/harbour-market/measures?state=waiting")
    for _ in range(WATCH_PATIENCE):
        if not page.locator("tbody tr").count():
            break
        page.wait_for_timeout(1000)
        page.reload()
    page.context.close()


def _when_there(page: Page, path: str) -> None:
    """Open a list of hits once it has some: the shop's goods come one by one."""
    for _ in range(WATCH_PATIENCE):
        page.goto(path)
        if page.locator("[data-row]").count():
            return
        page.wait_for_timeout(1000)


def _watch(page: Page, language: str) -> None:
    """Figures, the review queue, and a hit on a copied photograph."""
    page.goto("/watch/")
    _shoot(page, f"watch-{language}")
    page.goto("/watch/queue")
    _shoot(page, f"watch-queue-{language}")
    page.goto(f"/watch/hits?rule={COPIED}")
    page.locator("[data-open]").first.click()
    page.wait_for_url("**/watch/hits/H-*")
    _shoot(page, f"watch-hit-{language}", whole=True)


def _reader(browser: Browser, demo: Path, locale: str, language: str) -> None:
    """What a judge sees: verify.html of the bundle, from disk, without a network."""
    [bundle] = demo.glob("*.asice")
    own = demo / "verify.html"
    with zipfile.ZipFile(bundle) as container:
        own.write_bytes(container.read("verify.html"))
    context = browser.new_context(viewport=DESKTOP, locale=locale, offline=True, reduced_motion="reduce")
    page = context.new_page()
    page.goto(own.as_uri())
    page.locator("[data-choose]").set_input_files(bundle)
    page.locator("html[data-verdict]").wait_for(timeout=60_000)
    _shoot(page, f"bundle-{language}")
    context.close()


def _clerk(browser: Browser, platform: Running, locale: str, language: str) -> None:
    """What a clerk of the court's simulator sees."""
    _, address, name, password = (platform.home / "desks" / "clerks.txt").read_text("utf-8").splitlines()[:4]
    context = browser.new_context(viewport=DESKTOP, locale=locale, base_url=address, reduced_motion="reduce")
    page = context.new_page()
    page.goto("/sign-in")
    page.locator("input[name=name]").fill(name)
    page.locator("input[name=password]").fill(password)
    page.locator("form:has(input[name=password]) button").click()
    page.locator("a[href^='/cases/']").first.click()
    page.wait_for_url("**/cases/*")
    _shoot(page, f"court-{language}")
    context.close()


def _page(browser: Browser, platform: Running, locale: str, size: ViewportSize) -> Page:
    base = f"http://localhost:{platform.port}"
    context = browser.new_context(viewport=size, locale=locale, base_url=base, reduced_motion="reduce")
    context.set_default_timeout(60_000)
    return context.new_page()


def _password(platform: Running) -> str:
    return (platform.home / "demo.txt").read_text("utf-8").splitlines()[1].removeprefix("password: ")


def _sign_in(page: Page, password: str) -> None:
    page.goto("/accounts/login/")
    page.locator("input[name=login]").fill(EMAIL)
    page.locator("input[name=password]").fill(password)
    page.locator("form:has(input[name=password]) button[type=submit]").first.click()
    page.wait_for_url("**/")


def _verify(page: Page, file: Path) -> None:
    page.goto("/verify")
    page.locator("[data-choose=file]").set_input_files(file)
    page.locator("[data-choose=receipt]").set_input_files(f"{file}.tlog-proof")
    page.locator("[data-submit]").click()
    page.locator(".verify-verdict").first.wait_for()


def _new_files(demo: Path, folder: Path) -> tuple[Path, ...]:
    """Two files that nobody has deposited yet."""
    files = folder / "harbour-at-dawn.svg", folder / "harbour-poem.txt"
    for file, like in zip(files, ("wave-logo.svg", "tide-song.txt"), strict=True):
        file.write_bytes((demo / like).read_bytes() + b"\n")
    return files


def _shoot(page: Page, name: str, *, whole: bool = False, show: str | None = None) -> None:
    page.evaluate(PAINTED)
    page.wait_for_load_state("networkidle")
    page.evaluate("document.activeElement?.blur(); window.scrollTo(0, 0)")
    if show is not None:
        page.locator(show).first.evaluate("each => window.scrollTo(0, each.getBoundingClientRect().top - 90)")
    if whole:  # a window as high as the page: what lies below a window is not always painted
        height = page.evaluate("document.documentElement.scrollHeight")
        page.set_viewport_size({"width": DESKTOP["width"], "height": height})
        page.wait_for_timeout(500)
    page.screenshot(path=TARGET / f"{name}.png")
    if whole:
        page.set_viewport_size(DESKTOP)


if __name__ == "__main__":
    sys.exit(main())
