from __future__ import annotations

import re

import httpx
from world.patience import HANG

from chopmark.site.demo_shop import PAGE, demo_shop


def test_the_shop_says_that_it_was_made_up_and_shows_what_its_page_names():
    with demo_shop() as door, httpx.Client(base_url=f"http://{door}") as caller:
        page = caller.get(PAGE)
        assert "店铺为虚构" in page.text
        assert "This shop does not exist." in page.text
        named = re.findall(r'(?:href|src)="([^"]+)"', page.text)
        assert [caller.get(each).status_code for each in named] == [200] * 2
        assert caller.get("/scarf.png").content.startswith(b"\x89PNG")


def test_the_shop_answers_nothing_else_and_is_gone_afterwards():
    with demo_shop() as door:
        for path in ("/", "/../../etc/passwd", PAGE + "?x=1"):
            assert httpx.get(f"http://{door}{path}").status_code == 404
    try:
        httpx.get(f"http://{door}{PAGE}", timeout=HANG)
    except httpx.ConnectError:
        return
    raise AssertionError("the shop still answers")
