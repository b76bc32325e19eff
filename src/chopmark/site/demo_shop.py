"""A small shop that does not exist, on a free port of this machine, for as long as the demo captures one of its pages.

It sells a scarf with somebody else's picture on it and says on every page that it was made up. It sends four fixed
answers, reads nothing that a caller sends but the path, and is reached from this machine alone.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import files

PAGE = "/item/884213"
PATIENCE = 10.0
"""Seconds after which a caller that says nothing is left."""
_STYLE = """
body { margin: 0; font: 17px/1.6 sans-serif; color: #1d2a33; background: #f4f6f7 }
header { padding: 14px 48px; background: #0b3c5d; color: #fff; font-size: 21px }
header small { float: right; font-size: 14px; line-height: 34px; opacity: .8 }
main { display: flex; gap: 40px; max-width: 1080px; margin: 32px auto; padding: 32px; background: #fff }
figure { margin: 0 } figure img { width: 480px; border: 1px solid #dde3e6 }
h1 { margin: 0 0 12px; font-size: 25px; line-height: 1.35 }
.price { font-size: 34px; color: #b3261e } dl { display: grid; grid-template-columns: 7em 1fr; margin: 18px 0 }
dt { color: #5d6b74 } dd { margin: 0 } button { padding: 12px 44px; border: 0; color: #fff; background: #b3261e }
footer { padding: 20px 48px; color: #5d6b74; text-align: center }
"""
_ITEM = """<!doctype html>
<html lang="zh-CN"><head><meta charset="utf-8"><title>青浪图案丝巾 · Scarf with blue waves</title>
<link rel="stylesheet" href="/shop.css"></head>
<body><header>港边小铺 · Harbour Corner <small>示范页面，店铺为虚构 · made up for a demonstration</small></header>
<main><figure><img src="/scarf.png" alt="丝巾 · scarf" width="640" height="420"></figure>
<section><h1>青浪图案丝巾，真丝，90 × 90 cm<br>Scarf with blue waves, silk</h1>
<p class="price">¥ 59.00</p>
<dl><dt>商品编号 Item</dt><dd>884213</dd><dt>卖家 Seller</dt><dd>shop-2291</dd>
<dt>月销量 Sold</dt><dd>1,284 件（本月）· this month</dd><dt>图案 Pattern</dt><dd>海浪 · waves</dd>
<dt>发货地 From</dt><dd>浙江义乌 · Yiwu, Zhejiang</dd></dl>
<button type="button">加入购物车 · Add to cart</button></section></main>
<footer>本页由 Chopmark 示范程序生成，不存在这家店铺。· This shop does not exist.</footer></body></html>
"""


@contextmanager
def demo_shop() -> Iterator[str]:
    """Serves the shop while inside; gives its `host:port`."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.1,), name="demo shop", daemon=True)
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    server_version = "demo-shop"
    sys_version = ""
    timeout = PATIENCE

    def do_GET(self) -> None:
        """One of the fixed answers, or 404."""
        kind, body = _answer(self.path)
        self.send_response(200 if body else 404)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (the base's name)
        """Nothing: whoever runs the demo reads other lines there."""


def _answer(path: str) -> tuple[str, bytes]:
    if path == PAGE:
        return "text/html; charset=utf-8", _ITEM.encode()
    if path == "/shop.css":
        return "text/css; charset=utf-8", _STYLE.encode()
    if path == "/scarf.png":
        return "image/png", files("chopmark.site").joinpath("demo_files", "blue-wave.png").read_bytes()
    return "text/plain", b""
