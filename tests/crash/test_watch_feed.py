"""The watcher is killed with -9 twenty times while listings come in: none is lost and no hit is there twice."""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytestmark = pytest.mark.crash

PATIENCE = 400.0  # seconds for anything
LISTINGS, KILLS = 4_000, 20
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
count = int(sys.argv[1])
titles = {0: "WILLOWBROOK lamp", 3: "WILLOWBROOK", 6: "WILLOWBROOK", 8: "WILLOWBROOK"}
for start in range(0, count, 500):
    batch = [
        {"item": str(n), "version": 1, "seller": f"s{n % 50}", "classes": ["11"], "territories": ["DE"],
         "title": titles.get(n % 10, f"plain lamp {n}")}
        for n in range(start, min(start + 500, count))
    ]
    assert all(each.state == "accepted" for each in push_listings("demo", batch, by=by, at=clock.now()))
"""


@pytest.fixture
def environment(tmp_path):
    made = {**os.environ, "CHOPMARK_HOME": str(tmp_path / "home"), "NO_COLOR": "1"}
    made.pop("CHOPMARK_DATABASE_URL", None)
    made.pop("DJANGO_SETTINGS_MODULE", None)
    for command in (
        ["-m", "chopmark.site.command", "init"],
        ["-m", "chopmark.site.command", "account", "mei@example.com"],
    ):
        more = ["--organisation", "Mei's studio"] if command[-1].endswith(".com") else []
        done = subprocess.run(
            [sys.executable, *command, *more], env=made, capture_output=True, text=True, timeout=PATIENCE, check=False
        )
        assert done.returncode == 0, done.stderr
    done = subprocess.run(
        [sys.executable, "-c", PREPARE, str(LISTINGS)],
        env=made,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return made


def counted(home: Path) -> tuple[int, int, int, int]:
    """Waiting, dead, judged, hits: as the database has them."""
    with sqlite3.connect(home / "chopmark.db", timeout=20) as database:
        ask = (
            "SELECT (SELECT count(*) FROM watch_inbox WHERE dead_at IS NULL), (SELECT count(*) FROM watch_inbox WHERE \
dead_at IS NOT NULL), (SELECT count(*) FROM watch_listingrow), (SELECT count(*) FROM watch_hit)"
        )
        [row] = database.execute(ask).fetchall()
    database.close()
    return row


def start(environment):
    command = [sys.executable, "-m", "chopmark.site.command", "watcher"]
    return subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL, process_group=0)


def test_twenty_kills_lose_nothing_and_double_nothing(environment):
    home = Path(environment["CHOPMARK_HOME"])
    moments = random.Random(6)  # noqa: S311 (the moments of a test are the same each time)
    kills, busy = 0, 0
    end = time.monotonic() + PATIENCE
    running = start(environment)
    try:
        while kills < KILLS:
            assert time.monotonic() < end
            before = counted(home)
            if kills % 2:  # anywhere from its start on
                time.sleep(moments.uniform(0.1, 3.0))
            else:  # in the middle of its work
                while counted(home)[2] == before[2] and before[0]:
                    assert time.monotonic() < end
                    time.sleep(0.01)
                time.sleep(moments.uniform(0.0, 0.1))
            running.send_signal(signal.SIGKILL)
            running.wait()
            kills += 1
            waiting, dead, judged, hits = counted(home)
            assert (waiting + judged, dead) == (LISTINGS, 0)
            assert hits == hits_of(home)
            busy += waiting > 0 and judged > before[2]
            running = start(environment)
        while counted(home)[0]:
            assert time.monotonic() < end + PATIENCE
            time.sleep(0.2)
    finally:
        running.send_signal(signal.SIGKILL)
        running.wait()
    assert counted(home) == (0, 0, LISTINGS, LISTINGS // 10)
    with sqlite3.connect(home / "chopmark.db") as database:
        doubled = database.execute(
            "SELECT count(*) FROM (SELECT item FROM watch_hit GROUP BY item HAVING count(*) > 1)"
        ).fetchone()
        found = database.execute("SELECT count(*) FROM watch_hitevent WHERE kind = 'found'").fetchone()
        figures = dict(database.execute("SELECT name, sum(count) FROM watch_figure GROUP BY name").fetchall())
    database.close()
    assert (doubled, found) == ((0,), (LISTINGS // 10,))
    assert figures == {"scanned": LISTINGS, "flagged": LISTINGS // 10}
    assert busy >= 3


def hits_of(home: Path) -> int:
    """Hits of listings that were judged: every tenth item that is there."""
    with sqlite3.connect(home / "chopmark.db", timeout=20) as database:
        [(count,)] = database.execute(
            "SELECT count(*) FROM watch_listingrow WHERE CAST(item AS INTEGER) % 10 = 0"
        ).fetchall()
    database.close()
    return count
