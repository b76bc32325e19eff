"""A hit becomes a matter with a capture, once."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from world.market import raw
from world.patience import HANG

from chopmark.base import clock
from chopmark.base.errors import Refused
from chopmark.evidence.actions import capture as capturing
from chopmark.evidence.models import Matter
from chopmark.watch.actions.hand_over import hit_to_matter
from chopmark.watch.actions.review import Opinion, decide_hit
from chopmark.watch.models import Hit
from chopmark.watch.queries.hits import hit_of


def test_a_hit_becomes_a_matter_whose_page_is_captured(market):
    hit = market.hit(raw(url="https://shop.demo-market.com/1"))
    handed = hit_to_matter(hit.number, by=market.mei.actor, at=market.world.now())
    assert handed.capture is not None
    assert hit_of(market.mei.actor, hit.number).matter_number == handed.matter_number
    again = hit_to_matter(hit.number, by=market.mei.actor, at=market.world.now())
    assert (again.matter, again.capture) == (handed.matter, None)


def test_without_an_address_there_is_a_matter_and_no_capture(market):
    hit = market.hit(raw(url=""))
    assert hit_to_matter(hit.number, by=market.mei.actor, at=market.world.now()).capture is None


@pytest.mark.parametrize(
    ("number", "template"), [("R-2026-000001", "trademark_counterfeit"), ("W-2026-000001", "copyright_online")]
)
def test_the_matter_is_about_the_kind_of_right_that_was_found(market, number, template):
    hit = market.hit()
    Hit.objects.update(right_number=number)
    handed = hit_to_matter(hit.number, by=market.mei.actor, at=market.world.now())
    assert Matter.objects.get(pk=handed.matter).template == template


def test_whose_matter_it_is_not_learns_no_number_of_it(market):
    hit = market.hit()
    handed = hit_to_matter(hit.number, by=market.mei.actor, at=market.world.now())
    theirs = hit_of(market.jo.actor, hit.number)
    assert (theirs.matter, theirs.matter_number) == (handed.matter, "")
    assert handed.matter_number not in str(theirs)
    assert handed.matter_number in str(hit_of(market.mei.actor, hit.number).history)


def test_who_may_not_hand_over(market):
    hit = market.hit()
    viewer, stranger = market.world.person("Vera", role="viewer", of=market.mei), market.world.person("Stranger")
    with pytest.raises(Refused, match=r"people\.not_allowed"):
        hit_to_matter(hit.number, by=viewer.actor, at=market.world.now())
    with pytest.raises(Refused, match=r"watch\.hit_not_found"):
        hit_to_matter(hit.number, by=stranger.actor, at=market.world.now())
    hit_to_matter(hit.number, by=market.mei.actor, at=market.world.now())
    with pytest.raises(Refused, match=r"watch\.hit_elsewhere"):
        hit_to_matter(hit.number, by=market.jo.actor, at=market.world.now())


def test_what_was_dismissed_is_no_matter(market):
    hit = market.hit()
    decide_hit(hit.number, Opinion(answer="dismiss", why="genuine"), by=market.jo.actor, at=market.world.now())
    with pytest.raises(Refused, match=r"watch\.hit_state_wrong"):
        hit_to_matter(hit.number, by=market.jo.actor, at=market.world.now())


AT_ONCE = """
import threading, time
from chopmark.cli.home import use_platform
use_platform()
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID
from django.core.management import call_command
from django.db import connection
from chopmark.base import clock
from chopmark.base import clock
from chopmark.base.errors import Refused
from chopmark.evidence.models import Capture, Matter
from chopmark.people.actor import Actor
from chopmark.watch import listing
from chopmark.watch.actions import hand_over
from chopmark.watch.models import Hit, Marketplace

for app in ("evidence", "watch"):
    call_command("migrate", app, verbosity=0)
holder, shop, now = UUID(int=1), UUID(int=2), clock.now()
market = Marketplace.objects.create(name="demo", title="Demo", organisation=shop, made_at=now)
inside, real = threading.Event(), hand_over.open_matter

def slowly(*given, by, at):
    if by.user_id == 1:
        inside.set()
        time.sleep(0.5)
    return real(*given, by=by, at=at)

def call(number, by):
    if by.user_id == 2:
        assert inside.wait(300)
    try:
        done = hand_over.hit_to_matter(number, by=by, at=now)
        return f"{done.matter_number}:{done.capture is not None}"
    except Refused as error:
        return error.code
    finally:
        connection.close()

hand_over.open_matter = slowly
for item, others in (("1", holder), ("2", shop)):
    said = {"item": item, "version": 1, "seller": "s", "title": "lamp", "url": "https://shop.demo-market.com/1"}
    hit = Hit.objects.create(
        number=f"H-2026-00000{item}", marketplace=market, item=item, version=1, seller="s", right="r",
        organisation=holder, listing=listing.encode(listing.clean(said, marketplace="demo")), features={}, found={},
        outcome="review", digest=bytes(32), state="open", found_at=now, changed_at=now,
    )
    people = [Actor(user_id=n, organisation_id=who, organisation_name="", role="owner")
              for n, who in ((1, holder), (2, others))]
    inside.clear()
    with ThreadPoolExecutor(2) as threads:
        print(*threads.map(call, [hit.number] * 2, people), Matter.objects.count(), Capture.objects.count())
"""


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_of_two_who_hand_over_a_hit_at_once_one_opens_the_matter(database, request, tmp_path):
    """In two threads at a database of its own: the second begins while the first is opening its matter."""
    (tmp_path / "keys").mkdir()
    environment = {**os.environ, "CHOPMARK_HOME": str(tmp_path), "NO_COLOR": "1"}
    for name in ("CHOPMARK_DATABASE_URL", "DJANGO_SETTINGS_MODULE"):
        environment.pop(name, None)
    if database == "postgresql":
        environment["CHOPMARK_DATABASE_URL"] = request.getfixturevalue("postgres_dsn")
    command = [sys.executable, "-c", AT_ONCE]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=HANG, check=False)
    assert done.returncode == 0, done.stderr
    first, second = (f"M-{clock.now().year}-00000{n}" for n in (1, 2))
    one_organisation, two = done.stdout.splitlines()
    assert one_organisation == f"{first}:True {first}:False 1 1"
    assert two == f"{second}:True watch.hit_elsewhere 2 2"


def test_where_no_capture_can_be_asked_for_no_matter_stays_behind(market, monkeypatch):
    hit = market.hit(raw(url="https://shop.demo-market.com/1"))
    monkeypatch.setattr(capturing, "MAX_WAITING", 0)
    with pytest.raises(Refused, match=r"matter\.captures_full"):
        hit_to_matter(hit.number, by=market.mei.actor, at=market.world.now())
    assert not Matter.objects.exists()
    assert hit_of(market.mei.actor, hit.number).matter is None
