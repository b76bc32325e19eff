"""A small shop with one honest page and several hostile ones, on a free loopback port; also a world of its own names.

The honest page is what the demo captures: it sells tea caddies, one of them with somebody else's mark on it.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import gzip
import html
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Self
from urllib.parse import parse_qs, urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from world.patience import HANG

PICTURE = (
    '<svg xmlns="http://www.w3.org/2000/svg" width="320" height="320" viewBox="0 0 320 320">'
    '<rect width="320" height="320" fill="#efe6d5"/>'
    '<rect x="90" y="70" width="140" height="190" rx="14" fill="#7d2e22"/>'
    '<rect x="100" y="50" width="120" height="30" rx="8" fill="#5b1f17"/>'
    '<text x="160" y="175" font-size="30" text-anchor="middle" fill="#efe6d5">Lantern</text></svg>'
)
STYLE = "body{font:16px sans-serif;margin:2rem;max-width:60rem}li{margin:1rem 0}img{width:160px;height:160px}"
SHOP = """<!doctype html><html lang="zh-CN"><head><meta charset="utf-8"><title>河岸茶具店 · Riverside Tea Ware</title>
<link rel="stylesheet" href="/shop.css"></head><body><h1>河岸茶具店 · Riverside Tea Ware</h1>
<ul>{items}</ul><p id="stock"></p><p><a href="/item/3">Lantern 茶叶罐</a></p>
<script src="/shop.js"></script></body></html>"""
ITEM = """<!doctype html><html lang="zh-CN"><head><meta charset="utf-8"><title>Lantern 茶叶罐</title>
<link rel="stylesheet" href="/shop.css"></head><body><h1>Lantern 茶叶罐 · tea caddy</h1>
<img src="/caddy.svg" alt="caddy"><p class="price">¥ 128.00</p><p>已售 2,316 件 · 2,316 sold</p>
<form action="/order"><input id="count" name="count" value="1">
<button id="buy">购买 · Buy</button></form></body></html>"""
ENDLESS = """<!doctype html><title>Endless</title><body><script>
function more(){for(let i=0;i<30;i++){
let p=document.createElement('p');p.textContent='line '+document.body.children.length;document.body.append(p)}}
more();addEventListener('scroll',more);</script>"""
HOSTILE = """<!doctype html><html><head><title>Hostile</title></head><body onload="alert('boo')"><h1>Hostile</h1>
<script>
document.documentElement.innerHTML += '<p id=x>rewritten</p>';
Object.defineProperty(document,'title',{get(){throw new Error('no title')}});
HTMLElement.prototype.__defineGetter__('innerText',()=>'forged text');
window.open('/item/1');
fetch('http://127.0.0.1:8009/private').catch(()=>0); fetch('http://169.254.169.254/latest/meta-data/').catch(()=>0);
fetch('file:///etc/passwd').catch(()=>0);
try{const c=new RTCPeerConnection({iceServers:[{urls:'stun:127.0.0.1:__UDP__'}]});c.createDataChannel('x');
c.createOffer().then(o=>c.setLocalDescription(o))}catch(e){}
</script><img src="/hostile.svg"><iframe src="/hostile.svg"></iframe></body></html>"""
SPIN = "<!doctype html><title>Spin</title><p>hello<script>onload=()=>setTimeout(()=>{for(;;);},50)</script>"
HOSTILE_SVG = (
    '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" width="100" height="100">'
    "<script>parent.document.title='taken over';location='http://127.0.0.1:8009/'</script>"
    '<image xlink:href="http://10.0.0.1/x.png" width="1" height="1"/><text y="20">svg</text></svg>'
)


class Shop:
    """The running shop; `url` is its address and `door` its `host:port` for an allow-list."""

    def __init__(self, *, certificate: Path | None = None, udp: int = 9) -> None:
        self.udp = udp
        self.asked: list[str] = []
        self.sent = 0
        shop = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                shop.asked.append(self.path)
                self.rfile.read(int(self.headers.get("Content-Length", 0)))
                with contextlib.suppress(OSError):
                    shop.answer(self)

            do_POST = do_GET  # noqa: N815 (the base's name)

            def log_message(self, *arguments: object) -> None:
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, request, client_address) -> None:
                """A client that goes away is nothing to print."""

        self._server = Server(("127.0.0.1", 0), Handler)
        scheme = "http"
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
            scheme = "https"
        self.port: int = self._server.server_address[1]
        self.door = f"127.0.0.1:{self.port}"
        self.url = f"{scheme}://{self.door}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def answer(self, to: BaseHTTPRequestHandler) -> None:  # noqa: C901, PLR0912 (one case a page)
        parts = urlsplit(to.path)
        match parts.path:
            case "/":
                items = "".join(
                    f'<li><img src="/caddy.svg?{n}" alt=""> Tea caddy {n} · 茶叶罐 {n} 号</li>' for n in range(1, 9)
                )
                send(to, SHOP.format(items=items), packed=True, cookie="visitor=4711; HttpOnly")
            case "/shop.css":
                send(to, STYLE, "text/css")
            case "/shop.js":
                script = "fetch('/stock').then(r=>r.text()).then(t=>document.querySelector('#stock').textContent=t)"
                send(to, script, "text/javascript")
            case "/stock":
                send(to, "库存 · in stock: 42", "text/plain; charset=utf-8")
            case "/caddy.svg":
                send(to, PICTURE, "image/svg+xml")
            case "/order":
                count = html.escape(parse_qs(parts.query).get("count", [""])[0])
                send(to, f"<!doctype html><title>Order</title><h1>Ordered: {count}</h1>")
            case "/endless":
                send(to, ENDLESS)
            case "/hostile":
                send(to, HOSTILE.replace("__UDP__", str(self.udp)))
            case "/hostile.svg":
                send(to, HOSTILE_SVG, "image/svg+xml")
            case "/robots":
                agent = to.headers.get("User-Agent", "")
                blocked = "Headless" in agent
                page = (
                    "<!doctype html><title>Are you a robot?</title><h1>Are you a robot?</h1>" if blocked else "welcome"
                )
                send(to, page, status=403 if blocked else 200)
            case "/spin":
                send(to, SPIN)
            case "/to":
                send(to, "", status=302, location=parse_qs(parts.query)["url"][0])
            case "/large":
                self._large(to)
            case "/drip":
                self._drip(to)
            case "/file":
                send(to, "not a page", "application/x-unknown", disposition='attachment; filename="../../x"')
            case _ if parts.path.startswith("/item/"):
                send(to, ITEM)
            case _:
                send(to, "<!doctype html><title>404</title>nothing here", status=404)

    def _large(self, to: BaseHTTPRequestHandler) -> None:
        """Two gigabytes, if anybody takes them."""
        to.send_response(200)
        to.send_header("Content-Type", "text/html")
        to.send_header("Content-Length", str(2 << 30))
        to.end_headers()
        block = b"<p>so much text that nobody will ever read it all</p>\n" * 2000
        for _ in range((2 << 30) // len(block)):
            to.wfile.write(block)
            self.sent += len(block)

    def _drip(self, to: BaseHTTPRequestHandler) -> None:
        """A byte now and then, for ever."""
        to.send_response(200)
        to.send_header("Content-Type", "text/html")
        to.end_headers()
        for _ in range(600):
            to.wfile.write(b".")
            time.sleep(0.2)


def send(
    to: BaseHTTPRequestHandler,
    text: str,
    media_type: str = "text/html; charset=utf-8",
    *,
    status: int = 200,
    packed: bool = False,
    cookie: str = "",
    location: str = "",
    disposition: str = "",
) -> None:
    body = gzip.compress(text.encode()) if packed else text.encode()
    to.send_response(status)
    to.send_header("Content-Type", media_type)
    to.send_header("Content-Length", str(len(body)))
    named = {
        "Content-Encoding": "gzip" if packed else "",
        "Set-Cookie": cookie,
        "Location": location,
        "Content-Disposition": disposition,
    }
    for name, value in named.items():
        if value:
            to.send_header(name, value)
    to.end_headers()
    to.wfile.write(body)


def bad_certificate(folder: Path) -> Path:
    """A certificate that nobody issued, with its key, for 127.0.0.1."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "nobody")])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    path = folder / "bad.pem"
    secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    path.write_bytes(certificate.public_bytes(Encoding.PEM) + secret)
    return path


@contextlib.contextmanager
def udp_ear() -> Iterator[tuple[int, list[bytes]]]:
    """A UDP port that only listens, and what it heard."""
    heard: list[bytes] = []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as ear:
        ear.bind(("127.0.0.1", 0))
        ear.settimeout(0.1)
        over = threading.Event()

        def listen() -> None:
            while not over.is_set():
                with contextlib.suppress(OSError):
                    heard.append(ear.recv(2048))

        thread = threading.Thread(target=listen, daemon=True)
        thread.start()
        yield ear.getsockname()[1], heard
        over.set()
        thread.join(HANG)
