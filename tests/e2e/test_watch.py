"""The watch as people meet it: figures, the queue by keyboard, a hit and why, rules, a scan while it runs."""

from __future__ import annotations

import json
import re
import subprocess
import sys

import pytest
from playwright.sync_api import Page, expect
from world.browser import PHONE, ROOT, Platform, axe, fits, sign_up, speak
from world.patience import HANG, WORK

pytestmark = pytest.mark.browser

PAGES = ("", "hits", "scans", "marks", "rules", "rules/replica", "rules/new", "marketplaces")
COVER = """() => {  // what lies over a picture, to show the part that was found
  const pair = document.createElement("div");
  pair.className = "pair";
  pair.innerHTML = '<div class="shot"><svg></svg></div>';
  document.querySelector("main").append(pair);
  const found = getComputedStyle(pair.querySelector("svg")).backgroundColor;
  pair.remove();
  return found;
}"""
SEED = """
import json, sys
from types import SimpleNamespace
from chopmark.cli.home import use_platform
use_platform()
from pyarrow import parquet
from chopmark.base import clock
from chopmark.people.models import User
from chopmark.people.queries import actor_for, organisations_of
from chopmark.rights.record import Mark
from chopmark.watch.actions.marketplace import NewMarketplace, register_marketplace
from chopmark.watch.actions.markset import make_mark_set
from chopmark.watch.actions.push import push_listings
from chopmark.watch.actions.rules import propose_rule, publish_rule, shadow_rule
from chopmark.watch.actions.scan import stock_of
from chopmark.watch.engine.schema import table_of
from chopmark.watch.listing import clean
from world.market import NAMED, REPLICA, raw
from world.rights import lantern, verified
email, name, number, mark, titles = json.loads(sys.argv[1])
user = User.objects.get(email=email)
actor = actor_for(user, organisations_of(user)[0].id)
world, who = SimpleNamespace(now=clock.now), SimpleNamespace(actor=actor)
sign = Mark(verbal=mark, feature="word")
verified(world, who, lantern(registration_number=number, application_number=number, mark=sign))
register_marketplace(NewMarketplace(name=name, title="Lamp bazaar", fetches=True), by=actor, at=clock.now())
for rule in (NAMED, REPLICA):
    propose_rule(rule, by=actor, at=clock.now())
    shadow_rule(rule.id, by=actor, at=clock.now())
    publish_rule(rule.id, by=actor, at=clock.now())
make_mark_set(at=clock.now())
batch = [raw(str(place), title=title, seller=f"s{place % 2}") for place, title in enumerate(titles)]
push_listings(name, batch, by=actor, at=clock.now())
folder = stock_of(name)
folder.mkdir(parents=True)
stock = [raw(f"stock-{place}", title=title) for place, title in enumerate(titles)]
parquet.write_table(table_of(clean(each, marketplace=name) for each in stock), folder / "one.parquet")
"""


WIDER = """() => [...document.querySelectorAll(".stacks")]
  .filter((table) => table.parentElement.scrollWidth > table.parentElement.clientWidth + 1)
  .map((table) => table.parentElement.getAttribute("aria-label") || table.innerText.slice(0, 80))"""


def seeded(platform: Platform, email: str, name: str, number: str, mark: str) -> None:
    """A right, a marketplace, rules in force and listings, for a person who has just signed up.

    Each journey has a mark of its own: whoever runs a marketplace sees the hits of everybody's rights there.
    """
    cyrillic, invisible = mark.replace("E", "\u0415", 1), mark.replace("LAN", "LAN\u200b")
    titles = [f"{mark} lamp", f"{cyrillic} replica", f"{invisible} lamp 1:1", "a plain blue lamp"]
    done = subprocess.run(
        [sys.executable, "-c", SEED, json.dumps([email, name, number, mark, titles])],
        env={**platform.environment, "PYTHONPATH": str(ROOT / "tests")},
        capture_output=True,
        text=True,
        timeout=WORK,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def flagged(page: Page, count: int) -> None:
    """Wait until the watcher has judged them."""
    page.goto("/watch/queue")
    for _look in range(int(HANG)):
        if page.locator("[data-row]").count() == count:
            return
        page.wait_for_timeout(1000)
        page.reload()
    raise AssertionError(page.locator("main").inner_text())


def sound(page: Page) -> None:
    """Accessible, nothing sticks out, and no table is moved sideways to be read, at a desk and on a phone."""
    assert axe(page) == [], page.url
    assert page.evaluate(WIDER) == [], page.url
    desk = page.viewport_size
    page.set_viewport_size(PHONE)
    assert fits(page), page.url
    assert page.evaluate(WIDER) == [], page.url
    page.set_viewport_size(desk)


def test_cards_are_judged_by_keyboard_and_taken_back(platform: Platform, visitor: Page):
    seeded(platform, sign_up(visitor), "bazaar-one", "018990001", "RED LANTERN")
    flagged(visitor, 3)
    sound(visitor)

    visitor.keyboard.press("j")
    visitor.keyboard.press("x")
    expect(visitor.locator("[data-count]")).to_have_text("1 ticked")
    visitor.keyboard.press("j")
    visitor.keyboard.press("x")
    visitor.keyboard.press("x")
    expect(visitor.locator("[data-count]")).to_have_text("1 ticked")
    visitor.keyboard.press("k")
    with visitor.expect_navigation():
        visitor.keyboard.press("d")
    expect(visitor.get_by_text("1 hit was decided.")).to_be_visible()
    with visitor.expect_navigation():
        visitor.keyboard.press("u")
    expect(visitor.get_by_text("1 decision was taken back.")).to_be_visible()

    with visitor.expect_navigation():
        visitor.keyboard.press("n")
    expect(visitor).to_have_url(re.compile(r"/watch/queue/cards/"))
    sound(visitor)
    first = visitor.locator("h1").inner_text()
    visitor.locator("#measure").select_option("takedown")
    visitor.locator("h1").click()
    visitor.keyboard.press("c")
    expect(visitor.locator("#why-confirm")).to_be_focused()
    with visitor.expect_navigation():
        visitor.keyboard.press("Enter")
    expect(visitor.get_by_text(f"{first} waits for a second person")).to_be_visible()
    assert visitor.locator("h1").inner_text() != first
    second = visitor.locator("h1").inner_text()
    visitor.locator("h1").click()
    with visitor.expect_navigation():
        visitor.keyboard.press("s")
    expect(visitor.get_by_text("Your answer is noted.")).to_be_visible()
    visitor.locator("h1").click()
    with visitor.expect_navigation():
        visitor.keyboard.press("k")
    expect(visitor.locator("h1")).to_have_text(first)
    expect(visitor.get_by_text("You have judged it; another person has to.")).to_be_visible()
    with visitor.expect_navigation():
        visitor.keyboard.press("u")
    expect(visitor.get_by_text(f"The decision on {first} was taken back.")).to_be_visible()
    visitor.goto("/watch/queue")
    expect(visitor.get_by_role("link", name=second)).to_be_visible()


def test_a_hit_says_why_in_both_languages_and_every_page_is_sound(platform: Platform, visitor: Page):
    seeded(platform, sign_up(visitor), "bazaar-two", "018990002", "VELVET LANTERN")
    flagged(visitor, 3)
    visitor.goto("/watch/hits")
    visitor.get_by_role("row").filter(has_text="1:1").get_by_role("link").first.click()
    expect(visitor.locator(".listing-title .odd")).to_have_text("U+200B")
    expect(visitor.get_by_text("Look-alike or invisible characters").first).to_be_visible()
    expect(visitor.get_by_role("link", name=re.compile("^replica"))).to_be_visible()
    assert visitor.evaluate(COVER) == "rgba(0, 0, 0, 0)"
    sound(visitor)
    speak(visitor, "zh-hans")
    expect(visitor.get_by_text("这是附有理由的怀疑")).to_be_visible()
    assert axe(visitor) == []
    speak(visitor, "en")
    visitor.goto("/watch/marks")
    visitor.get_by_role("link", name="VELVET LANTERN").click()
    visitor.get_by_label("Other names").fill("velvet lamp\n丝绒灯笼")
    visitor.get_by_label("Look for near misses too").check()
    visitor.get_by_role("button", name="Keep the change").click()
    expect(visitor.get_by_text("It is kept.")).to_be_visible()
    sound(visitor)
    here = "marketplaces/bazaar-two"
    for path in (*PAGES, here, f"{here}/sellers", f"{here}/seller?number=s0", f"{here}/measures"):
        visitor.goto(f"/watch/{path}")
        expect(visitor.locator("h1")).to_have_count(1)
        sound(visitor)


def test_a_scan_is_seen_running_and_gives_rules_their_history(platform: Platform, visitor: Page):
    seeded(platform, sign_up(visitor), "bazaar-three", "018990003", "COPPER LANTERN")
    visitor.goto("/watch/scans")
    visitor.get_by_role("button", name="Start it").click()
    expect(visitor).to_have_url(re.compile(r"/watch/scans/S-\d{4}-\d{6}$"))
    expect(visitor.get_by_text("Root over its results")).to_be_visible()
    sound(visitor)
    visitor.goto("/watch/hits")
    visitor.locator("[data-open]").first.click()
    visitor.locator("#measure").select_option("hold")
    visitor.get_by_role("button", name="Confirm", exact=True).click()
    expect(visitor.get_by_text(re.compile("^H-.*: Confirmed\\.$"))).to_be_visible()
    visitor.goto("/watch/marketplaces/bazaar-three/measures")
    expect(visitor.get_by_role("cell", name="Hold")).to_be_visible()
    sound(visitor)
    visitor.goto("/watch/rules/named")
    visitor.get_by_role("button", name="Try it on history").click()
    expect(visitor.get_by_role("heading", name="Version 1 on history")).to_be_visible()
    expect(visitor.locator("section[aria-labelledby=head-tried] .figures dd").first).to_have_text("3")
    sound(visitor)
    visitor.get_by_role("link", name="Next version").click()
    visitor.get_by_label("Condition", exact=True).fill("text_score >= 500 AND title_length < 20")
    visitor.get_by_role("button", name="Propose it").click()
    visitor.get_by_role("button", name="Into its shadow · version 2").click()
    trial = visitor.get_by_role("heading", name="Version 2 in its shadow, beside version 1 in force")
    expect(trial).to_be_visible()
    visitor.goto("/watch/scans")
    visitor.get_by_text("Start a scan").click()
    visitor.get_by_role("button", name="Start it").click()
    expect(visitor.get_by_text("Root over its results")).to_be_visible()
    visitor.goto("/watch/rules/named")
    table = visitor.get_by_role("region", name="Both versions, day by day")
    expect(table.get_by_role("cell").nth(1)).to_contain_text("/ 3 · ")
    sound(visitor)
    visitor.get_by_role("button", name="End the trial").focus()
    visitor.keyboard.press("Enter")
    expect(visitor.get_by_text("The trial is over. The version in force goes on.")).to_be_visible()
    expect(trial).to_have_count(0)
