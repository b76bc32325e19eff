"""Pictures are fetched from public addresses only, within bounds, and kept so that each is fetched once."""

from __future__ import annotations

import hashlib
import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from world.patience import HANG

from chopmark.base.errors import Invalid, Refused, Unavailable
from chopmark.watch.fetch import Fetcher, Pace
from chopmark.watch.listing import Picture
from chopmark.watch.pictures import Seen
from chopmark.watch.shelf import KEPT, PARTS, Cache, Folder

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
DATA = b"\xff\xd8\xff" + bytes(range(256)) * 40


class _Shop(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_args):
        pass

    def do_GET(self):
        path, tag = self.path, self.headers.get("If-None-Match")
        self.server.asked.append((path, tag, self.headers.get("Host")))
        self.server.cookies.append(self.headers.get("Cookie"))
        if path == "/endless":
            self._pour()
        elif path.startswith("/slow-"):
            self._drip(path)
        elif path == "/liar":
            self._claim("10000000000000", b"x")
        elif path == "/less":
            self._claim("5", b"x" * 2_000_000)
        elif path == "/short":
            self._claim("900", b"x")
        elif path == "/good" and tag == '"1"':
            self._say(304)
        else:
            status, body, headers = _ANSWERS.get(path, (200, bytes, {}))
            self._say(status, body(), **headers)

    def _pour(self):
        self.send_response(200)
        self.end_headers()
        self.close_connection = True
        with suppress(OSError):
            while True:
                self.wfile.write(b"x" * 65536)

    def _drip(self, path):
        """A byte now and then, for as long as somebody listens."""
        self.close_connection = True
        head = b"HTTP/1.1 200 OK\r\n"
        self.wfile.write(head[:9] if path == "/slow-head" else head + b"X-A: ")
        if path == "/slow-body":
            self.wfile.write(b"b\r\nContent-Length: 9999\r\n\r\n")
        with suppress(OSError):
            for _ in range(6000):  # five minutes
                self.wfile.write(b"1" if path == "/slow-head" else b"x")
                time.sleep(0.05)

    def _claim(self, length, body):
        """A body of another length than is said."""
        self.send_response(200)
        self.send_header("Content-Length", length)
        self.end_headers()
        self.close_connection = True
        with suppress(OSError):
            self.wfile.write(body)

    def _say(self, status, body=b"", **headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


_ANSWERS = {
    "/good": (200, lambda: DATA, {"ETag": '"1"'}),
    "/cookie": (200, lambda: DATA, {"Set-Cookie": "who=you; Path=/"}),
    "/gone": (404, bytes, {}),
    "/always-the-same": (304, bytes, {}),
    "/busy": (429, bytes, {"Retry-After": "30"}),
    "/to-good": (302, bytes, {"Location": "/good"}),
    "/to-inside": (302, bytes, {"Location": "http://169.254.169.254/latest/meta-data"}),
    "/to-file": (302, bytes, {"Location": "file:///etc/passwd"}),
    "/round": (302, bytes, {"Location": "/round"}),
}


@contextmanager
def shop():
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Shop)
    server.daemon_threads = True
    server.asked, server.cookies = [], []
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield server, f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join(HANG)


@contextmanager
def fetcher(server=None, **options):
    allow = {f"127.0.0.1:{server.server_port}"} if server is not None else ()
    made = Fetcher(allow=allow, **options)
    try:
        yield made
    finally:
        made.close()


def test_a_picture_is_fetched_once_and_asked_for_by_its_etag_afterwards():
    with shop() as (server, base), fetcher(server) as made:
        found = made.fetch(base + "/good")
        assert (found.data, found.etag, found.same) == (DATA, '"1"', False)
        assert made.fetch(base + "/good", etag='"1"').same
        assert made(Picture(url=base + "/to-good")) == DATA
        assert [path for path, _, _ in server.asked] == ["/good", "/good", "/to-good", "/good"]


def test_no_cookie_is_taken():
    with shop() as (server, base), fetcher(server) as made:
        for _ in range(2):
            made.fetch(base + "/cookie")
        assert server.cookies == [None, None]


@pytest.mark.parametrize(
    "url",
    ["http://xn--a.com/1.jpg", "http://xn--.com/1.jpg", "http://xn--zzzzzzzzzzzzzz99999.com/", "http://a.com/\ud800"],
)
def test_a_name_that_nobody_can_have_costs_its_picture_alone(url):
    """Such an address once ended the whole look, and with it the judgement of its listing."""
    with fetcher() as made, pytest.raises(Refused, match=r"watch\.address_refused"):
        made.fetch(url)


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:{port}/good",
        "http://localhost:{port}/good",
        "http://[::1]:{port}/good",
        "http://127.1:{port}/good",
        "http://2130706433:{port}/good",
        "http://0x7f000001:{port}/good",
        "http://10.0.0.1/a.jpg",
        "http://169.254.169.254/latest/meta-data",
        "http://[::ffff:127.0.0.1]/a.jpg",
        "http://user:secret@pictures.example.com/a.jpg",
        "ftp://pictures.example.com/a.jpg",
        "file:///etc/passwd",
        "http://pictures.example.com:22/a.jpg",
        "",
        "http://",
        "http://" + "a" * 3000 + ".com/",
    ],
)
def test_an_address_of_this_house_is_never_contacted(url):
    def resolve(*_args):
        raise AssertionError("resolved")

    with shop() as (server, _), fetcher(resolve=resolve) as made:
        with pytest.raises(Refused, match=r"watch\.address_refused"):
            made.fetch(url.format(port=server.server_port))
        assert server.asked == []


@pytest.mark.parametrize("address", ["127.0.0.1", "10.1.2.3", "169.254.169.254", "::1", "fd00::1", "64:ff9b::7f00:1"])
def test_a_public_name_that_leads_into_this_house_is_never_contacted(address):
    with shop() as (server, _), fetcher(resolve=lambda *_: ["93.184.216.34", address]) as made:
        with pytest.raises(Refused, match=r"watch\.address_refused"):
            made.fetch(f"http://pictures.demo-shop.com:{server.server_port}/good")
        assert server.asked == []


def test_the_name_is_resolved_once_so_that_it_cannot_lead_elsewhere_a_moment_later():
    answers = [["127.0.0.1"], ["10.0.0.1"]]
    with shop() as (server, _):
        named = f"pictures.demo-shop.com:{server.server_port}"
        made = Fetcher(allow={named}, resolve=lambda *_: answers.pop(0))
        assert made.fetch(f"http://{named}/good").data == DATA
        made.close()
        assert server.asked[0][2] == named
    assert len(answers) == 1


def test_a_name_that_is_never_answered_holds_up_no_other_picture():
    over = threading.Event()

    def resolve(host, _port):
        if host.endswith("silent-shop.com"):
            assert over.wait(HANG)
        return ["127.0.0.1"]

    with shop() as (server, _):
        named = [f"{each}:{server.server_port}" for each in ("pictures.demo-shop.com", "pictures.silent-shop.com")]
        made = Fetcher(allow=set(named), pace=Pace(seconds=0.2), resolve=resolve)
        with pytest.raises(Unavailable, match=r"watch\.picture_silent"):
            made.fetch(f"http://{named[1]}/good")
        assert server.asked == []
        made.close()
        made = Fetcher(allow=set(named), resolve=resolve)
        with ThreadPoolExecutor(1) as pool:
            pool.submit(made.fetch, f"http://{named[1]}/good")
            assert made.fetch(f"http://{named[0]}/good").data == DATA
            over.set()
        made.close()


@pytest.mark.parametrize(
    ("path", "error", "code"),
    [
        ("/to-inside", Refused, "watch.address_refused"),
        ("/to-file", Refused, "watch.address_refused"),
        ("/round", Refused, "watch.redirects"),
        ("/gone", Refused, "watch.picture_refused"),
        ("/always-the-same", Refused, "watch.picture_refused"),
        ("/endless", Invalid, "watch.picture_too_large"),
    ],
)
def test_what_leads_elsewhere_or_never_ends_is_refused(path, error, code):
    with shop() as (server, base), fetcher(server, pace=Pace(size=1_000_000)) as made:
        with pytest.raises(error) as raised:
            made.fetch(base + path)
        assert raised.value.code == code


@pytest.mark.parametrize("path", ["/slow-head", "/slow-header", "/slow-body"])
def test_a_host_that_speaks_slowly_holds_nobody_longer_than_a_picture_may_take(path):
    with shop() as (server, base), fetcher(server, pace=Pace(seconds=0.4)) as made:
        started = time.monotonic()
        with pytest.raises(Unavailable, match=r"watch\.picture_silent"):
            made.fetch(base + path)
        assert time.monotonic() - started < HANG / 2, "the host would take five minutes"


def test_a_length_that_is_claimed_falsely_is_refused_or_counts_for_nothing():
    with shop() as (server, base), fetcher(server, pace=Pace(size=1_000_000)) as made:
        with pytest.raises(Invalid, match=r"watch\.picture_too_large"):
            made.fetch(base + "/liar")
        assert made.fetch(base + "/less").data == b"x" * 5
        with pytest.raises(Unavailable, match=r"watch\.picture_silent"):
            made.fetch(base + "/short")
        assert made.fetch(base + "/good").data == DATA


def test_a_host_is_believed_for_a_day_that_nothing_changed(tmp_path):
    cache, url, digest = Cache(tmp_path), "https://pictures.demo-shop.com/1", hashlib.sha256(DATA).digest()
    cache.remember(url, '"1"', digest, NOW)
    for hours in (6, 12, 23):
        at = NOW + timedelta(hours=hours)
        known = cache.known(url, at)
        assert (known.etag, known.fresh, known.had) == ('"1"', False, NOW)
        cache.remember(url, known.etag, known.sha256, at, had=known.had)
    late = cache.known(url, NOW + timedelta(hours=25))
    assert (late.etag, late.fresh, late.sha256) == ("", False, digest)


def test_a_busy_host_is_left_alone_as_long_as_it_asks():
    now = [0.0]
    with shop() as (server, base), fetcher(server, clock=lambda: now[0], sleep=lambda _: None) as made:
        for _ in range(3):
            with pytest.raises(Unavailable, match=r"watch\.picture_silent"):
                made.fetch(base + "/busy")
        assert len(server.asked) == 1
        now[0] = 31.0
        assert made.fetch(base + "/good").data == DATA


def test_requests_to_one_host_keep_their_distance():
    waited = []
    now = [0.0]
    with (
        shop() as (server, base),
        fetcher(server, pace=Pace(gap=0.5), clock=lambda: now[0], sleep=waited.append) as made,
    ):
        for _ in range(3):
            made.fetch(base + "/good")
    assert waited == [0.5, 1.0]


def test_a_host_that_is_not_there_is_unavailable():
    with shop() as (server, base):
        pass
    with fetcher(server) as made, pytest.raises(Unavailable, match=r"watch\.picture_silent"):
        made.fetch(base + "/good")


# ---- a folder, and what is kept --------------------------------------------------------------------------------------


def test_a_folder_gives_what_has_the_digest_and_nothing_else(tmp_path):
    digest = hashlib.sha256(DATA).digest()
    picture = Picture(sha256=digest)
    with pytest.raises(Refused, match=r"watch\.picture_refused"):
        Folder(tmp_path)(picture)
    (tmp_path / digest.hex()).write_bytes(DATA + b"!")
    with pytest.raises(Refused, match=r"watch\.picture_refused"):
        Folder(tmp_path)(picture)
    (tmp_path / digest.hex()[:2]).mkdir()
    (tmp_path / digest.hex()[:2] / digest.hex()).write_bytes(DATA)
    assert Folder(tmp_path)(picture) == DATA
    with pytest.raises(Invalid, match=r"watch\.picture_too_large"):
        Folder(tmp_path, most=100)(picture)


def test_what_is_kept_comes_back_and_is_forgotten_when_nobody_used_it(tmp_path):
    cache, url = Cache(tmp_path), "https://pictures.demo-shop.com/1"
    digest = hashlib.sha256(DATA).digest()
    assert (cache.known(url, NOW), cache.seen(digest), cache.held(digest)) == (None, None, None)
    cache.remember(url, '"1"', digest, NOW)
    cache.keep_seen(Seen(picture=0, sha256=digest, sketch=b"s"))
    cache.hold(DATA)
    assert cache.known(url, NOW).fresh
    assert not cache.known(url, NOW + timedelta(hours=2)).fresh
    assert cache.known(url + "?", NOW) is None
    assert cache.seen(digest).sketch == b"s"
    assert cache.held(digest) == DATA
    assert cache.tidy(datetime.now(UTC)) == 0
    assert cache.tidy(datetime.now(UTC) + KEPT + timedelta(minutes=1)) == 3
    assert cache.known(url, NOW) is None


def test_what_is_used_is_kept_and_what_was_left_half_written_goes(tmp_path):
    cache, digest = Cache(tmp_path), hashlib.sha256(DATA).digest()
    cache.hold(DATA)
    [path] = tmp_path.glob("*/*/*")
    draft = path.with_name(f".{path.name}.1.1")
    draft.write_bytes(DATA[:9])
    long_ago = datetime.now(UTC) - KEPT - timedelta(days=1)
    for each in (path, draft):
        os.utime(each, (long_ago.timestamp(), long_ago.timestamp()))
    assert cache.held(digest) == DATA
    assert cache.tidy(datetime.now(UTC)) == 1
    assert (path.exists(), draft.exists()) == (True, False)


def test_the_cache_is_tidied_part_by_part_and_all_parts_are_all_of_it(tmp_path):
    cache = Cache(tmp_path)
    for number in range(9):
        cache.hold(bytes([number]))
    (tmp_path / "held" / "file").write_bytes(b"")
    later = datetime.now(UTC) + KEPT + timedelta(minutes=1)
    parts = [cache.tidy(later, part=part) for part in range(PARTS)]
    assert sum(parts) == 9
    assert max(parts) < 9
    assert cache.tidy(later) == 0


@settings(deadline=None, max_examples=40)
@given(st.binary(max_size=60))
def test_a_damaged_cache_is_as_if_it_were_empty(tmp_path_factory, damage):
    cache, url = Cache(tmp_path_factory.mktemp("c")), "https://pictures.demo-shop.com/1"
    digest = hashlib.sha256(DATA).digest()
    cache.remember(url, '"1"', digest, NOW)
    cache.keep_seen(Seen(picture=0, sha256=digest))
    cache.hold(DATA)
    for path in cache._folder.glob("*/*/*"):
        path.write_bytes(damage)
    assert (cache.known(url, NOW), cache.seen(digest), cache.held(digest)) == (None, None, None)


def test_a_cache_that_cannot_be_written_costs_nothing_else(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    cache = Cache(tmp_path / "file")
    cache.remember("https://pictures.demo-shop.com/1", "", bytes(32), NOW)
    cache.hold(DATA)
