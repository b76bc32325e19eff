"""`python -m chopmark.site.demo_market FOLDER SITE`: a small marketplace that does not exist, as a process of its own.

It is what a marketplace would be to this platform: a source of listings and a target of measures, and says on every
page that it was made up. It knows the platform by its public interface alone.

    GET  /, /item/N, /pictures/NAME     pages for people
    GET  /listings?after=N              what it offers, as JSON
    POST /measures                      hold, take down, restore: signed, and the same key twice changes nothing

    FOLDER/market.json    port, key of the programming interface, key of measures; for its owner's eyes
    FOLDER/items.jsonl    what it offers, oldest first; new goods are added at a gentle pace
    FOLDER/sent           how many of them the platform has taken
    FOLDER/taken.jsonl    measures with what was answered, each durable before it is answered
    FOLDER/pictures/      their pictures

It reads nothing of a request but what is named here, and is reached from this machine alone.
"""

from __future__ import annotations

import hmac
import html
import json
import os
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

from chopmark.base import clock, jcs
from chopmark.base.errors import Invalid
from chopmark.base.parent import until_told
from chopmark.site import demo_goods
from chopmark.site.child import Child
from chopmark.site.demo_goods import Good

FOLDER: Final = Path("demo") / "market"
NAME: Final = "harbour-market"
TITLE: Final = "Harbour Market · 港边集市 (made up · 虚构)"
PACE: Final = 4.0  # seconds between two new goods
MOST: Final = 3_000  # new goods; then it rests
AT_ONCE: Final = 50  # goods of one push
LONGEST: Final = 30.0  # seconds between two tries to reach the platform
PATIENCE: Final = 10.0  # seconds after which a caller that says nothing is left
MAX_BODY: Final = 64 * 1024
MAX_PAGE: Final = 200
CANNOT_LIVE: Final = 78  # EX_CONFIG of sysexits.h
FORM: Final = "chopmark-measure-1"
STATES: Final[Mapping[str, str]] = {"hold": "held", "takedown": "down", "restore": "offered"}
_MADE_UP: Final = "示范页面，店铺为虚构 · made up for a demonstration"
_STYLE: Final = """
body { margin: 0; font: 17px/1.6 sans-serif; color: #1d2a33; background: #f4f6f7 }
header { padding: 14px 48px; background: #0b3c5d; color: #fff; font-size: 21px } header a { color: #fff }
header small { float: right; font-size: 14px; line-height: 34px }
main { display: flex; flex-wrap: wrap; gap: 24px; max-width: 1080px; margin: 32px auto; padding: 24px }
article { width: 236px } article img { width: 236px; height: 177px; object-fit: cover; border: 1px solid #dde3e6 }
figure { margin: 0 } figure img { width: 480px; max-width: 100%; border: 1px solid #dde3e6 }
h1 { margin: 0 0 12px; font-size: 25px; line-height: 1.35 } h2 { margin: 6px 0; font-size: 17px; font-weight: 400 }
.price { color: #b3261e } dl { display: grid; grid-template-columns: 7em 1fr; margin: 18px 0 }
dt { color: #5d6b74 } dd { margin: 0 } footer { padding: 20px 48px; color: #5d6b74; text-align: center }
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What the shop knows of itself and of the platform.

    Attributes:
        key: of the programming interface, scope `listings:write`.
        secret: with which the platform signs measures.
    """

    port: int
    key: str
    secret: str

    def write(self, folder: Path) -> None:
        """Into `market.json`, last of all: a folder with it is whole."""
        draft = folder / "market.new"
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump(asdict(self), file)
        draft.replace(folder / "market.json")

    @classmethod
    def read(cls, folder: Path) -> Settings | None:
        """None where the shop was never made."""
        try:
            return cls(**json.loads((folder / "market.json").read_text("utf-8")))
        except FileNotFoundError:
            return None

    @property
    def site(self) -> str:
        """The shop's address."""
        return f"http://127.0.0.1:{self.port}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """A good, and since when it is offered."""

    good: Good
    at: datetime

    def line(self) -> bytes:
        """One line of `items.jsonl`."""
        return jcs.encode({"at": clock.to_text(self.at), "good": asdict(self.good)}) + b"\n"

    @classmethod
    def parse(cls, line: bytes) -> Offer:
        """Read what `line` wrote."""
        said = jcs.decode(line.strip())
        return cls(good=Good(**said["good"]), at=datetime.fromisoformat(said["at"]))


class Market:
    """The shop's goods and what was done with them; one process has it."""

    def __init__(self, folder: Path, settings: Settings) -> None:
        self.folder, self.settings = folder, settings
        self._lock = threading.Lock()
        self._items = folder / "items.jsonl"
        self._taken = folder / "taken.jsonl"
        _mend(self._items)
        _mend(self._taken)
        self.offers = [Offer.parse(each) for each in _lines(self._items)]
        self._place = {each.good.item: place for place, each in enumerate(self.offers)}
        self._states: dict[str, str] = {}
        self._answers: dict[str, tuple[str, dict[str, Any]]] = {}
        for each in map(json.loads, _lines(self._taken)):
            self._note(each)

    def state(self, item: str) -> str:
        """`offered`, `held` or `down`."""
        return self._states.get(item, "offered")

    def offer(self, item: str) -> Offer | None:
        """One of the goods."""
        place = self._place.get(item)
        return None if place is None else self.offers[place]

    def add(self, good: Good, at: datetime) -> None:
        """A new good; durable before anybody hears of it."""
        offer = Offer(good=good, at=at)
        with self._lock:
            _append(self._items, offer.line())
            self._place[good.item] = len(self.offers)
            self.offers.append(offer)

    def listings(self, after: int, limit: int) -> list[dict[str, Any]]:
        """Some of the goods, oldest first, as they are pushed."""
        some = self.offers[after : after + limit]
        return [each.good.listing(self.settings.site, each.at) for each in some]

    def take(self, body: bytes, signature: str, key: str) -> tuple[int, dict[str, Any]]:
        """Do what a measure asks for: status and answer. The same key again is answered as before."""
        mac = "sha256=" + hmac.digest(self.settings.secret.encode(), body, "sha256").hex()
        if not hmac.compare_digest(mac.encode(), signature.encode()):  # text is compared only where it is ASCII
            return 403, {"error": "signature"}
        try:
            asked = jcs.decode(body)
        except Invalid:
            return 400, {"error": "body"}
        if not isinstance(asked, dict) or asked.get("form") != FORM or asked.get("key") != key:
            return 400, {"error": "form"}
        with self._lock:
            before = self._answers.get(key)
            if before is not None:
                return (200, before[1]) if before[0] == body.hex() else (409, {"error": "key"})
            offer = self.offer(str(asked.get("item")))
            kind = str(asked.get("kind"))
            answer: dict[str, Any]
            if kind not in STATES:
                answer = {"key": key, "state": "refused", "reason": "no such measure"}
            elif offer is None:
                answer = {"key": key, "state": "gone", "reason": ""}
            else:
                answer = {"key": key, "state": "done", "sold": offer.good.sold, "reason": ""}
            noted = {"body": body.hex(), "kind": kind, "item": str(asked.get("item")), "answer": answer}
            _append(self._taken, json.dumps(noted).encode() + b"\n")
            self._note(noted)
        return 200, answer

    def _note(self, noted: dict[str, Any]) -> None:
        answer = noted["answer"]
        self._answers[answer["key"]] = noted["body"], answer
        if answer["state"] == "done":
            self._states[noted["item"]] = STATES[noted["kind"]]


# ---- the feed --------------------------------------------------------------------------------------------------------


class Feed:
    """Pushes what the platform has not taken yet, and adds a new good now and then."""

    def __init__(self, market: Market, platform: str, *, pace: float = PACE, most: int = MOST) -> None:
        self._market, self._platform, self._pace, self._most = market, urlsplit(platform), pace, most
        self._sent = market.folder / "sent"
        self._opening = len(demo_goods.opening())

    def run(self, stop: threading.Event) -> None:
        """Until told to stop."""
        wait, due = 0.0, time.monotonic() + self._pace
        while not stop.wait(wait):
            if self.sent() < len(self._market.offers):
                asked = self.push()
                wait = 0.0 if asked == 0.0 else min(LONGEST, max(1.0, asked or 2 * wait))
                continue
            wait = max(0.0, min(0.5, due - time.monotonic()))
            if time.monotonic() >= due:
                self.grow()
                due = time.monotonic() + self._pace

    def sent(self) -> int:
        """How many of the goods the platform has taken."""
        try:
            return int(self._sent.read_text("ascii"))
        except (FileNotFoundError, ValueError):  # from the beginning: what is known there changes nothing
            return 0

    def grow(self) -> bool:
        """One more good; False when there are enough."""
        number = len(self._market.offers) - self._opening
        if number >= self._most:
            return False
        self._market.add(demo_goods.live(number), clock.now().replace(microsecond=0))
        return True

    def push(self) -> float | None:
        """Send the next goods: 0.0 when they were taken, else the seconds to wait, None when nobody said."""
        first = self.sent()
        some = self._market.listings(first, AT_ONCE)
        body = json.dumps({"listings": some}).encode()
        secure = self._platform.scheme == "https"
        connection = (HTTPSConnection if secure else HTTPConnection)(self._platform.netloc, timeout=PATIENCE)
        try:
            connection.request(
                "POST",
                f"/api/v1/listings:batch?marketplace={NAME}",
                body=body,
                headers={"Content-Type": "application/json", "Authorization": f"Bearer {self._market.settings.key}"},
            )
            response = connection.getresponse()
            response.read(1 << 20)
            if response.status == 200:
                draft = self._sent.with_suffix(".new")
                draft.write_text(str(first + len(some)), "ascii")
                draft.replace(self._sent)
                return 0.0
            asked = response.headers.get("Retry-After", "")
            return float(asked) if asked.isdigit() else None
        except (OSError, HTTPException):
            return None
        finally:
            connection.close()


# ---- pages -----------------------------------------------------------------------------------------------------------


class Server(ThreadingHTTPServer):
    """Answers for a market."""

    daemon_threads = True

    def __init__(self, market: Market) -> None:
        self.market = market
        super().__init__(("127.0.0.1", market.settings.port), _Handler)


class _Handler(BaseHTTPRequestHandler):
    server: Server
    server_version = "harbour-market"
    sys_version = ""
    timeout = PATIENCE

    def do_GET(self) -> None:
        """A page, a picture, some listings, or 404."""
        self._answer(*_page(self.server.market, self.path))

    def do_POST(self) -> None:
        """A measure."""
        length = self.headers.get("Content-Length", "")
        size = int(length[:12]) if length.isascii() and length.isdigit() else MAX_BODY + 1
        if urlsplit(self.path).path != "/measures" or size > MAX_BODY:
            self._json(404, {"error": "address"})
            return
        body = self.rfile.read(size)
        signature, key = self.headers.get("Chopmark-Signature", ""), self.headers.get("Idempotency-Key", "")
        self._json(*self.server.market.take(body, signature, key))

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (the base's name)
        """Nothing: whoever runs the demo reads other lines there."""

    def _json(self, status: int, said: Mapping[str, Any]) -> None:
        self._answer(status, "application/json", json.dumps(said).encode())

    def _answer(self, status: int, kind: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("X-Content-Type-Options", "nosniff")
        self.end_headers()
        self.wfile.write(body)


def _page(market: Market, address: str) -> tuple[int, str, bytes]:
    parts = urlsplit(address)
    match parts.path.split("/")[1:]:
        case [""]:
            return 200, _HTML, _front(market).encode()
        case ["shop.css"]:
            return 200, "text/css; charset=utf-8", _STYLE.encode()
        case ["listings"]:
            return _some(market, parts.query)
        case ["item", item] if (offer := market.offer(item)) is not None:
            down = market.state(item) != "offered"
            return (410 if down else 200), _HTML, (_gone(offer) if down else _item(offer)).encode()
        case ["pictures", name] if name == demo_goods.COPY or name in demo_goods.pictures():
            return 200, "image/jpeg", (market.folder / "pictures" / name).read_bytes()
        case _:
            return 404, "text/plain; charset=utf-8", b""


def _some(market: Market, query: str) -> tuple[int, str, bytes]:
    [after] = parse_qs(query).get("after", ["0"])[:1]
    if not (after.isascii() and after.isdigit() and len(after) < 9):
        return 400, "application/json", b'{"error": "after"}'
    some = market.listings(int(after), MAX_PAGE)
    said = {"listings": some, "next": int(after) + len(some)}
    return 200, "application/json", json.dumps(said).encode()


_HTML: Final = "text/html; charset=utf-8"


def _whole(title: str, body: str) -> str:
    return (
        f'<!doctype html>\n<html lang="zh-CN"><head><meta charset="utf-8"><title>{html.escape(title)}</title>'
        f'<link rel="stylesheet" href="/shop.css"></head><body><header><a href="/">港边集市 · Harbour Market</a>'
        f"<small>{_MADE_UP}</small></header><main>{body}</main>"
        "<footer>本页由 Chopmark 示范程序生成，不存在这家店铺。· This shop does not exist.</footer></body></html>\n"
    )


def _front(market: Market) -> str:
    offered = [each for each in reversed(market.offers) if market.state(each.good.item) == "offered"]
    return _whole("Harbour Market", "".join(map(_tile, offered[:60])))


def _tile(offer: Offer) -> str:
    good = offer.good
    return (
        f'<article><a href="/item/{good.item}"><img src="/pictures/{good.picture}" alt=""></a>'
        f'<h2><a href="/item/{good.item}">{html.escape(good.title)}</a></h2>'
        f'<p class="price">€ {good.price / 100:.2f}</p></article>'
    )


def _item(offer: Offer) -> str:
    good = offer.good
    named = {
        "商品编号 Item": good.item,
        "卖家 Seller": good.seller,
        "类目 Category": good.category,
        "销往 Ships to": good.territory,
        "已售 Sold": str(good.sold),
    }
    rows = "".join(f"<dt>{name}</dt><dd>{html.escape(value)}</dd>" for name, value in named.items())
    return _whole(
        good.title,
        f'<figure><img src="/pictures/{good.picture}" alt=""></figure>'
        f'<section><h1>{html.escape(good.title)}</h1><p class="price">€ {good.price / 100:.2f}</p>'
        f"<dl>{rows}</dl></section>",
    )


def _gone(offer: Offer) -> str:
    return _whole("410", f"<p>商品 {offer.good.item} 已被下架 · This item was taken down.</p>")


# ---- files -----------------------------------------------------------------------------------------------------------


def _lines(path: Path) -> Sequence[bytes]:
    return path.read_bytes().splitlines() if path.is_file() else []


def _mend(path: Path) -> None:
    """Cut off half a line that a killed process left."""
    if path.is_file() and not (data := path.read_bytes()).endswith(b"\n"):
        os.truncate(path, data.rfind(b"\n") + 1)


def _append(path: Path, line: bytes) -> None:
    with path.open("ab") as file:
        file.write(line)
        file.flush()
        os.fsync(file.fileno())


def serve(folder: Path, platform: str, stop: threading.Event) -> int:
    """Be the shop until told to stop; 78 where there is none."""
    settings = Settings.read(folder)
    if settings is None:
        return CANNOT_LIVE
    market = Market(folder, settings)
    feed = threading.Thread(target=Feed(market, platform).run, args=(stop,), name="feed", daemon=True)
    with Server(market) as server:
        answering = threading.Thread(target=server.serve_forever, args=(0.2,), name="pages", daemon=True)
        answering.start()
        feed.start()
        stop.wait()
        server.shutdown()
    feed.join(PATIENCE + 1)
    return 0


def children_of(place: Path, platform: str) -> tuple[Child, ...]:
    """The shop of a home, as the supervisor keeps it alive, where there is one."""
    folder = place / FOLDER
    if Settings.read(folder) is None:
        return ()
    arguments = ("chopmark.site.demo_market", str(folder), platform)
    return (Child(name="demo-market", arguments=arguments, vital=False, later=True),)


def doors_of(place: Path) -> tuple[str, ...]:
    """`host:port` of the shop, which captures, measures and pictures may then reach though it is this machine's."""
    settings = Settings.read(place / FOLDER)
    return () if settings is None else (f"127.0.0.1:{settings.port}",)


def main() -> int:
    """The process."""
    stop = until_told(CANNOT_LIVE)
    folder, platform = sys.argv[1:]
    return serve(Path(folder), platform, stop)


if __name__ == "__main__":
    sys.exit(main())
