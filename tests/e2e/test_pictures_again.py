"""A picture that the server had no room to make is asked for again by the page, and one that is none is let be."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect
from world import media
from world.patience import HANG_MS

import chopmark.web

pytestmark = pytest.mark.browser

BASE = (Path(chopmark.web.__file__).parent / "static" / "chopmark" / "base.js").read_bytes()
PAGE = b"""<!doctype html><title>t</title><script src="/base.js" defer></script>
<img id="busy" src="/busy.jpg"><img id="gone" src="/gone.jpg"><img id="good" src="/good.jpg">"""
PICTURE = media.jpeg(media.picture(1))


class _Shop(BaseHTTPRequestHandler):
    asked: Counter[str]

    def do_GET(self) -> None:
        self.asked[self.path] += 1
        late = self.path == "/busy.jpg" and self.asked[self.path] < 3
        status = 503 if late else 404 if self.path == "/gone.jpg" else 200
        kind, body = {"/": ("text/html", PAGE), "/base.js": ("text/javascript", BASE)}.get(
            self.path, ("image/jpeg", PICTURE)
        )
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body) if status == 200 else 0))
        self.end_headers()
        if status == 200:
            self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def place() -> Iterator[tuple[str, Counter[str]]]:
    handler = type("_Asked", (_Shop,), {"asked": Counter()})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/", handler.asked
        server.shutdown()
        thread.join()


def test_a_picture_comes_though_the_server_was_busy(browser: Browser, place: tuple[str, Counter[str]]) -> None:
    address, asked = place
    page = browser.new_page()
    page.goto(address)
    expect(page.locator("#busy")).to_have_js_property("naturalWidth", media.picture(1).shape[1], timeout=HANG_MS)
    page.wait_for_timeout(12_000)  # two, four and eight seconds
    page.close()
    assert asked["/busy.jpg"] == 3
    assert asked["/gone.jpg"] <= 4
    assert asked["/good.jpg"] == 1
