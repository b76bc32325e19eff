"""What programs that we did not write say of a capture: py-wacz, warcio, and ReplayWeb.page in a browser.

The shop that was captured is closed before anybody is asked, so whatever is shown comes from the archive.
"""

from __future__ import annotations

import gzip
import re
import shutil
import sys
import zipfile

import pytest
from interop.foreign import call, served_folder
from playwright.sync_api import sync_playwright
from world.browser import CHROMIUM, FLAGS
from world.data import REPOSITORY
from world.patience import HANG_MS
from world.shop import Shop

from chopmark.evidence.capture.engine import capture
from chopmark.evidence.capture.request import Limits, Request, Station

pytestmark = [
    pytest.mark.interop,
    pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed"),
]

REPLAY = REPOSITORY / ".venv-foreign-js"
WACZ = "import sys; sys.path.append(sys.argv[1]); from wacz.main import main; sys.exit(main(sys.argv[2:]))"
PLAYER = """<!doctype html><meta charset="utf-8"><title>replay</title><script src="ui.js"></script>
<replay-web-page source="page.wacz" url="{url}" replaybase="./replay/" embed="replayonly"></replay-web-page>"""
# Its element opens the player when its service worker is registered, which may be before that works.
AWAIT_WORKER = """async () => {
  const made = await navigator.serviceWorker.register("replay/sw.js?serveIndex=1", {scope: "replay/"});
  while (made.active?.state !== "activated") await new Promise((next) => setTimeout(next, 50));
}"""


@pytest.fixture(scope="module")
def captured(tmp_path_factory):
    """The archive of the shop's first page, and the page's address; nobody answers there any more."""
    out = tmp_path_factory.mktemp("captured") / "c"
    with Shop() as shop:
        station = Station(allow=frozenset({shop.door}), resolvers=("127.0.0.1:9",))
        made = capture(Request(url=shop.url + "/", limits=Limits(seconds=40, scrolls=3)), out, station=station)
    assert (made.complete, made.reasons) == (True, ())
    return out / "page.wacz", shop.url + "/"


@pytest.fixture(scope="module")
def archive(captured, tmp_path_factory):
    """The WARC of the capture, as it is and with one word of the page changed."""
    folder = tmp_path_factory.mktemp("archive")
    with zipfile.ZipFile(captured[0]) as container:
        names = [name for name in container.namelist() if name.startswith("archive/")]
        assert names == ["archive/data.warc.gz"]
        data = container.read(names[0])
    whole, altered = folder / "data.warc.gz", folder / "altered.warc"
    whole.write_bytes(data)
    plain = gzip.decompress(data)
    assert plain.count(b"Tea caddy 8") == 1
    altered.write_bytes(plain.replace(b"Tea caddy 8", b"Tea caddy 9"))
    return whole, altered


def validate(packages, wacz):
    return call(sys.executable, "-c", WACZ, packages, "validate", "-f", wacz)


def warcio_check(path):
    return call(sys.executable, "-m", "warcio.cli", "check", "-v", path)


def test_py_wacz_finds_the_archive_valid(packages, captured):
    status, said = validate(packages, captured[0])
    assert (status, "the passed WACZ is valid" in said) == (0, True), said


@pytest.mark.parametrize(
    "change",
    [
        ("pages/pages.jsonl", b"page-1", b"page-2"),
        ("indexes/index.cdx.gz", b"\x1f\x8b\x08", b"\x1f\x8b\x09"),
        ("datapackage.json", b"data.warc.gz", b"date.warc.gz"),
    ],
)
def test_py_wacz_finds_an_archive_with_a_changed_file_not_valid(packages, captured, tmp_path, change):
    name, old, new = change
    changed = tmp_path / "changed.wacz"
    with zipfile.ZipFile(captured[0]) as before, zipfile.ZipFile(changed, "w") as after:
        for each in before.infolist():
            data = before.read(each)
            assert each.filename != name or old in data
            after.writestr(each, data.replace(old, new, 1) if each.filename == name else data)
    status, said = validate(packages, changed)
    assert (status, "the passed WACZ is valid" in said) == (1, False), said


def test_warcio_finds_every_digest_of_the_archive_right(archive):
    status, said = warcio_check(archive[0])
    assert status == 0, said
    assert said.count("digest pass") == said.count("WARC-Record-ID") > 20


def test_warcio_finds_the_digest_of_a_changed_answer_wrong(archive):
    status, said = warcio_check(archive[1])
    assert (status, len(re.findall("payload digest failed", said))) == (1, 1), said


def test_replayweb_page_shows_the_page_with_what_its_script_filled_in(captured, tmp_path):
    if not (REPLAY / "digest").is_file():
        pytest.skip("ReplayWeb.page is not there: scripts/foreign_js.sh")
    wacz, url = captured
    (tmp_path / "replay").mkdir()
    for source, target in ((wacz, "page.wacz"), (REPLAY / "ui.js", "ui.js"), (REPLAY / "sw.js", "replay/sw.js")):
        shutil.copyfile(source, tmp_path / target)
    (tmp_path / "empty.html").write_text("<!doctype html>", "utf-8")
    (tmp_path / "index.html").write_text(PLAYER.format(url=url), "utf-8")
    with served_folder(tmp_path) as site, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        try:
            page = browser.new_page()
            page.goto(f"{site}empty.html")
            page.evaluate(AWAIT_WORKER)
            page.goto(site)
            shown = page.frame_locator("replay-web-page iframe").frame_locator("iframe[name='___wb_replay_top_frame']")
            shown.get_by_text("库存 · in stock: 42").wait_for(timeout=HANG_MS)
            assert shown.locator("h1").inner_text() == "河岸茶具店 · Riverside Tea Ware"
            assert shown.locator("li").last.inner_text().strip() == "Tea caddy 8 · 茶叶罐 8 号"
            assert shown.locator("img").first.evaluate("image => [image.complete, image.naturalWidth]") == [True, 320]
        finally:
            browser.close()
