"""Watchers are killed with -9 again and again while listings wait: none is lost and no hit is there twice."""

from __future__ import annotations

import os
import random
import select
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from world.patience import HANG, WORK, until
from world.postgres import running_postgres

pytestmark = pytest.mark.crash

BACKLOG, KILLS = 3_000, 20
PREPARE = """
import sys
from chopmark.site.config import read_config
from chopmark.cli.home import use_platform
use_platform()
from datetime import date
from chopmark.base import clock
from chopmark.people.operator import actors
from chopmark.rights.actions.common import Operator
from chopmark.rights.actions.file import NewRight, file_right
from chopmark.rights.actions.verify import verify_against, vouch
from dataclasses import replace
from datetime import UTC, datetime
from chopmark.rights.record import Class, Designation, Mark, Party, Record, Source
from chopmark.watch.actions.marketplace import NewMarketplace, register_marketplace
from chopmark.watch.actions.push import push_listings
from chopmark.watch.actions.rules import propose_rule, publish_rule, shadow_rule
from chopmark.watch.rules.language import parse
from chopmark.watch.rules.rule import Example, Rule
[by] = actors()
record = Record(
    kind="trademark", office="EM", application_number="018123456", registration_number="018123456",
    mark=Mark(verbal="WILLOWBROOK", feature="word"), owners=(Party(name=by.organisation_name, country="CN"),),
    classes=(Class(scheme="nice", code="11"),), designations=(Designation(territory="EU", status="registered"),),
    application_date=date(2020, 1, 15), registration_date=date(2020, 6, 1), expiry_date=date(2030, 1, 15),
    status="registered",
)
right = file_right(NewRight(record=record), by=by, at=clock.now())
vouch(by.organisation_id, by.organisation_name, operator=Operator(), at=clock.now(), country="CN")
source = Source(format="snapshot", sha256=bytes(32), fetched_at=datetime(2026, 11, 1, tzinfo=UTC))
assert verify_against(right.id, replace(record, source=source), by=Operator(), at=clock.now()).state == "verified"
register_marketplace(NewMarketplace(name="demo", title="Demo"), by=by, at=clock.now())
yes = tuple(Example(says=f"yes {n}", values={"text_score": 900, "title_length": 20 + n}) for n in range(3))
no = tuple(Example(says=f"no {n}", values={"title_length": n}) for n in range(3))
named = Rule(id="named", zh="出现商标", en="names the mark", reason="wrongful_use", action="review",
             condition=parse("text_score >= 500 AND title_length > 12"), positive=yes, negative=no, flags_a_day=100000)
propose_rule(named, by=by, at=clock.now())
shadow_rule("named", by=by, at=clock.now())
publish_rule("named", by=by, at=clock.now())
titles = {0: "WILLOWBROOK lamp", 3: "WILLOWBROOK", 6: "WILLOWBROOK", 8: "WILLOWBROOK"}
pushed = 0
print("ready", flush=True)
for line in sys.stdin:
    wanted = pushed + int(line)
    for start in range(pushed, wanted, 500):
        batch = [
            {"item": str(n), "version": 1, "seller": f"s{n % 50}", "classes": ["11"], "territories": ["DE"],
             "title": titles.get(n % 10, f"plain lamp {n}")}
            for n in range(start, min(start + 500, wanted))
        ]
        assert all(each.state == "accepted" for each in push_listings("demo", batch, by=by, at=clock.now()))
    pushed = wanted
    print(pushed, flush=True)
"""


@pytest.fixture
def shop(tmp_path, monkeypatch):
    """A marketplace at a home of its own over SQLite."""
    monkeypatch.delenv("CHOPMARK_DATABASE_URL", raising=False)
    with opened(tmp_path) as made:
        yield made


class Shop:
    """A marketplace's program in a process of its own, which pushes as many listings as a test asks for."""

    pushed = 0

    def __init__(self, environment: dict[str, str]) -> None:
        self.environment = environment
        self.process = subprocess.Popen(
            [sys.executable, "-c", PREPARE], env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self._answer() == "ready"

    def push(self, count: int) -> None:
        self.process.stdin.write(f"{count}\n")
        self.process.stdin.flush()
        self.pushed = int(self._answer())

    @property
    def hits(self) -> int:
        """Every tenth listing names the mark."""
        return -(-self.pushed // 10)

    def _answer(self) -> str:
        ready, _, _ = select.select([self.process.stdout], [], [], WORK)
        assert ready
        return self.process.stdout.readline().strip()


@contextmanager
def opened(folder: Path) -> Iterator[Shop]:
    """A home with an account, a right, a rule and a marketplace, and who pushes to it."""
    made = {**os.environ, "CHOPMARK_HOME": str(folder / "home"), "NO_COLOR": "1"}
    made.pop("DJANGO_SETTINGS_MODULE", None)
    for command in (["init"], ["account", "mei@example.com", "--organisation", "Mei's studio"]):
        done = subprocess.run(
            [sys.executable, "-m", "chopmark.site.command", *command],
            env=made,
            capture_output=True,
            text=True,
            timeout=WORK,
            check=False,
        )
        assert done.returncode == 0, done.stderr
    shop = Shop(made)
    try:
        yield shop
    finally:
        shop.process.stdin.close()
        shop.process.wait(HANG)
        shop.process.stdout.close()


def counted(home: Path) -> tuple[int, int, int, int]:
    """Waiting, dead, judged, hits: as the database has them."""
    with sqlite3.connect(home / "chopmark.db", timeout=HANG) as database:
        ask = (
            "SELECT (SELECT count(*) FROM watch_inbox WHERE dead_at IS NULL), (SELECT count(*) FROM watch_inbox WHERE \
dead_at IS NOT NULL), (SELECT count(*) FROM watch_listingrow), (SELECT count(*) FROM watch_hit)"
        )
        [row] = database.execute(ask).fetchall()
    database.close()
    return row


def start(environment, *more):
    command = [sys.executable, "-m", "chopmark.site.command", "watcher", *more]
    return subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL, process_group=0)


def ends(left):
    """Wait until nothing is left; it must become less."""
    while before := left():
        until(lambda before=before: left() < before, pause=0.2)


def test_twenty_kills_lose_nothing_and_double_nothing(shop):
    home = Path(shop.environment["CHOPMARK_HOME"])
    moments = random.Random(6)  # noqa: S311 (the moments of a test are the same each time)
    busy = 0
    for kill in range(KILLS):
        shop.push(max(0, BACKLOG - counted(home)[0]))  # however fast a watcher is, there is work to be killed at
        before = counted(home)
        running = start(shop.environment)
        try:
            if kill % 2:  # anywhere from its start on
                time.sleep(moments.uniform(0.1, 3.0))
            else:  # in the middle of its work
                until(lambda before=before: counted(home)[2] != before[2], pause=0.01)
                time.sleep(moments.uniform(0.0, 0.1))
        finally:
            running.send_signal(signal.SIGKILL)
            running.wait()
        waiting, dead, judged, hits = counted(home)
        assert (waiting + judged, dead) == (shop.pushed, 0)
        assert hits == hits_of(home)
        busy += waiting > 0 and judged > before[2]
    running = start(shop.environment)
    try:
        ends(lambda: counted(home)[0])
    finally:
        running.send_signal(signal.SIGKILL)
        running.wait()
    assert counted(home) == (0, 0, shop.pushed, shop.hits)
    with sqlite3.connect(home / "chopmark.db") as database:
        doubled = database.execute(
            "SELECT count(*) FROM (SELECT item FROM watch_hit GROUP BY item HAVING count(*) > 1)"
        ).fetchone()
        found = database.execute("SELECT count(*) FROM watch_hitevent WHERE kind = 'found'").fetchone()
        figures = dict(database.execute("SELECT name, sum(count) FROM watch_figure GROUP BY name").fetchall())
    database.close()
    assert (doubled, found) == ((0,), (shop.hits,))
    assert figures == {"scanned": shop.pushed, "flagged": shop.hits}
    assert busy >= KILLS // 2


def hits_of(home: Path) -> int:
    """Hits of listings that were judged: every tenth item that is there."""
    with sqlite3.connect(home / "chopmark.db", timeout=HANG) as database:
        [(count,)] = database.execute(
            "SELECT count(*) FROM watch_listingrow WHERE CAST(item AS INTEGER) % 10 = 0"
        ).fetchall()
    database.close()
    return count


SHARED_BACKLOG, SHARED_KILLS = 5_000, 10  # three watchers take a thousand each at once


@pytest.fixture
def shared(tmp_path, monkeypatch):
    """The same over a PostgreSQL of its own; gives the marketplace and the address."""
    with running_postgres() as url:
        monkeypatch.setenv("CHOPMARK_DATABASE_URL", url)
        with opened(tmp_path) as made:
            yield made, url


def test_watchers_that_share_and_are_killed_lose_nothing_and_double_nothing(shared):
    shop, url = shared
    moments = random.Random(7)  # noqa: S311 (the moments of a test are the same each time)

    def asked(query):
        with psycopg.connect(url, autocommit=True) as database:
            return database.execute(query).fetchall()

    def counts():
        """Waiting, dead, judged."""
        [row] = asked(
            "SELECT count(*) FILTER (WHERE dead_at IS NULL), count(*) FILTER (WHERE dead_at IS NOT NULL), "
            "(SELECT count(*) FROM watch_listingrow) FROM watch_inbox"
        )
        return row

    running = [start(shop.environment, *more) for more in ([], ["--helper"], ["--helper"])]
    helped = 0
    try:
        for kill in range(SHARED_KILLS):
            before = counts()[2]
            shop.push(max(0, SHARED_BACKLOG - counts()[0]))
            until(lambda before=before: counts()[2] != before, pause=0.02)
            time.sleep(moments.uniform(0.0, 0.2))
            which = kill % len(running)
            running[which].send_signal(signal.SIGKILL)
            running[which].wait()
            waiting, dead, judged = counts()
            assert (waiting + judged, dead) == (shop.pushed, 0)
            helped += waiting > 0
            running[which] = start(shop.environment, *(["--helper"] if which else []))
        ends(lambda: counts()[0])
    finally:
        for each in running:
            each.send_signal(signal.SIGKILL)
            each.wait()
    pushed, hits = shop.pushed, shop.hits
    assert asked("SELECT count(*), count(DISTINCT item) FROM watch_listingrow") == [(pushed, pushed)]
    assert asked("SELECT count(*), count(DISTINCT item), count(DISTINCT number) FROM watch_hit") == [(hits, hits, hits)]
    assert asked("SELECT count(*) FROM watch_hitevent WHERE kind = 'found'") == [(hits,)]
    figures = dict(asked("SELECT name, sum(count)::int FROM watch_figure GROUP BY name"))
    assert figures == {"scanned": pushed, "flagged": hits}
    assert helped >= SHARED_KILLS // 2
