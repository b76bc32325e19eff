"""The demo's marketplace: a source of listings and a target of measures, over real HTTP."""

from __future__ import annotations

import json
import socket
import stat
import threading
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import pytest

from chopmark.base.errors import Refused
from chopmark.site import demo_goods, demo_market
from chopmark.site.demo_market import Feed, Market, Server, Settings
from chopmark.watch.gateway import HttpGateway, Wanted
from chopmark.watch.listing import clean
from chopmark.watch.reading import classes_of

AT = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)
SECRET = "5" * 64


@pytest.fixture
def market(tmp_path):
    made = Market(tmp_path, Settings(port=0, key="chopmark_k_s", secret=SECRET))
    for good in demo_goods.opening()[:20]:
        made.add(good, AT)
    (tmp_path / "pictures").mkdir()
    for offer in made.offers:
        (tmp_path / "pictures" / offer.good.picture).write_bytes(b"\xff\xd8 picture")
    return made


@contextmanager
def serving(server):
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture
def site(market):
    with serving(Server(market)) as address:
        yield address


def wanted(item, kind="takedown", key="a" * 64):
    return Wanted(
        key=key,
        kind=kind,
        item=item,
        version=1,
        number="H-2026-000001",
        right="R-2026-000001",
        reason="counterfeit",
        automatic=False,
        at=AT,
    )


def gateway(site, secret=SECRET):
    return HttpGateway("harbour-market", f"{site}/measures", secret, allow=[site.removeprefix("http://")])


def test_its_pages_say_that_it_was_made_up_and_show_what_they_name(market, site):
    with httpx.Client(base_url=site) as caller:
        for path in ("/", f"/item/{market.offers[3].good.item}"):
            page = caller.get(path)
            assert "店铺为虚构" in page.text
            assert "This shop does not exist." in page.text
        assert caller.get(f"/pictures/{market.offers[3].good.picture}").content.startswith(b"\xff\xd8")
        for path in ("/item/1", "/pictures/../market.json", "/pictures/x.jpg", "/market.json", "/item/1/2"):
            assert caller.get(path).status_code == 404


def test_its_listings_are_read_page_by_page_and_are_clean(market, site):
    some = httpx.get(f"{site}/listings?after=15").json()
    assert (len(some["listings"]), some["next"]) == (5, 20)
    for each in some["listings"]:
        door = market.settings.site.removeprefix("http://")
        listing = clean(each, marketplace="harbour-market", classes_of=classes_of, allow=[door])
        assert (listing.flags, len(listing.pictures)) == ((), 1)
        assert listing.classes
    assert httpx.get(f"{site}/listings?after=-1").status_code == 400


def test_a_takedown_is_done_once_and_lasts(market, site):
    item = market.offers[0].good.item
    asked = wanted(item)
    said = [gateway(site).send(asked.key, asked.encode()) for _ in range(2)]
    assert said[0] == said[1]
    assert (said[0].state, said[0].sold) == ("done", market.offers[0].good.sold)
    assert httpx.get(f"{site}/item/{item}").status_code == 410
    assert item not in httpx.get(site).text
    assert len((market.folder / "taken.jsonl").read_bytes().splitlines()) == 1
    again = Market(market.folder, market.settings)
    assert again.state(item) == "down"
    back = wanted(item, "restore", "b" * 64)
    assert gateway(site).send(back.key, back.encode()).state == "done"
    assert httpx.get(f"{site}/item/{item}").status_code == 200


def test_what_is_not_signed_or_another_under_the_same_key_changes_nothing(market, site):
    item, other = (each.good.item for each in market.offers[:2])
    with pytest.raises(Refused, match=r"watch\.marketplace_refused"):
        gateway(site, "6" * 64).send("a" * 64, wanted(item).encode())
    gateway(site).send("a" * 64, wanted(item).encode())
    with pytest.raises(Refused, match=r"watch\.marketplace_refused"):
        gateway(site).send("a" * 64, wanted(other).encode())
    with pytest.raises(Refused, match=r"watch\.marketplace_refused"):
        gateway(site).send("c" * 64, wanted(other).encode())
    assert gateway(site).send("d" * 64, wanted("1", key="d" * 64).encode()).state == "gone"
    assert httpx.post(f"{site}/measures", content=b"x" * 70_000).status_code == 404
    signed = {"Chopmark-Signature": b"sha256=\xe9"}
    assert httpx.post(f"{site}/measures", content=b"{}", headers=signed).status_code == 403
    host, port = site.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port))) as line:
        line.sendall(b"POST /measures HTTP/1.0\r\nContent-Length: \xb2\r\n\r\n")
        assert line.recv(64).startswith(b"HTTP/1.0 404")
    assert (market.state(item), market.state(other)) == ("down", "offered")


class _Platform(ThreadingHTTPServer):
    """Takes pushes as the programming interface does, after so many refusals."""

    daemon_threads = True

    def __init__(self, refusals):
        self.pushes, self.refusals = [], refusals
        super().__init__(("127.0.0.1", 0), _Taking)


class _Taking(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        refused = self.server.refusals > 0
        self.server.refusals -= refused
        if not refused:
            self.server.pushes.append((self.path, self.headers["Authorization"], json.loads(body)["listings"]))
        self.send_response(429 if refused else 200)
        if refused:
            self.send_header("Retry-After", "0")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


def test_each_good_is_pushed_once_however_often_the_platform_is_full(market):
    with serving(platform := _Platform(refusals=1)) as address:
        feed = Feed(market, address)
        assert [feed.push(), feed.push()] == [0.0, 0.0]
        [(path, key, batch)] = platform.pushes
        assert (path, key) == ("/api/v1/listings:batch?marketplace=harbour-market", "Bearer chopmark_k_s")
        assert [each["item"] for each in batch] == [each.good.item for each in market.offers]
        assert (feed.sent(), Feed(market, address).sent()) == (20, 20)
        assert feed.grow()
        feed.push()
        assert [each["item"] for each in platform.pushes[1][2]] == [market.offers[-1].good.item]
    assert Feed(market, address).push() is None


def test_half_a_line_that_a_killed_shop_left_is_cut_off(market):
    items = market.folder / "items.jsonl"
    whole = items.read_bytes()
    items.write_bytes(whole + b'{"at":"2026')
    again = Market(market.folder, market.settings)
    assert again.offers == market.offers
    assert items.read_bytes() == whole
    assert again.listings(0, 99) == market.listings(0, 99)


def test_its_keys_are_its_owners_alone_and_a_home_without_a_shop_has_no_process(tmp_path):
    assert demo_market.children_of(tmp_path, "http://127.0.0.1:1") == ()
    assert demo_market.doors_of(tmp_path) == ()
    folder = tmp_path / demo_market.FOLDER
    folder.mkdir(parents=True)
    settings = Settings(port=18_999, key="k", secret=SECRET)
    settings.write(folder)
    assert stat.S_IMODE((folder / "market.json").stat().st_mode) == 0o600
    assert Settings.read(folder) == settings
    assert demo_market.doors_of(tmp_path) == ("127.0.0.1:18999",)
    [child] = demo_market.children_of(tmp_path, "http://127.0.0.1:1")
    assert (child.name, child.vital) == ("demo-market", False)


def test_the_same_goods_come_again_and_each_number_once():
    assert demo_goods.opening() == demo_goods.opening()
    assert demo_goods.live(8) == demo_goods.live(8)
    goods = [*demo_goods.opening(), *(demo_goods.live(number) for number in range(200)), *demo_goods.stock(500)]
    assert len({each.item for each in goods}) == len(goods)
    assert {each.truth for each in goods} == {"plain", "fake", "licensed", "copy", "unfiled", "resold"}
    assert {each.picture for each in goods} <= {*demo_goods.pictures(), demo_goods.COPY}
    assert not [
        each for each in goods if each.truth == "plain" and demo_goods.MARK in replace(each, brand="").title[:9]
    ]
