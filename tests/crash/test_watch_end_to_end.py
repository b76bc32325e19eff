"""What the watch is for, on one running platform with its demo: a made-up marketplace, scanned live.

A disguised title and a mirrored, overlaid copy of a protected photograph are flagged with their reasons; a licensed
seller is not; a mark that is filed now finds its old fakes; a takedown reaches the shop; and the same scan runs on a
Ray cluster of two nodes by one setting.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from contextlib import contextmanager

import httpx
import pytest
from world import two_nodes
from world.data import REPOSITORY
from world.patience import HANG, WORK
from world.running import Running

from chopmark.site import demo_goods
from chopmark.site.demo_market import FOLDER, NAME, Settings
from chopmark.site.demo_watch import UNFILED_NUMBER
from chopmark.site.supervisor import free_port

pytestmark = pytest.mark.crash

BY_ITEM = {each.item: each for each in demo_goods.opening()}
CONFIRM = """
import sys
import django
django.setup()
from chopmark.base import clock
from chopmark.people import operator
from chopmark.people.models import Membership
from chopmark.watch.actions.review import Opinion, decide_hit
from dataclasses import replace
actor, *_ = operator.actors()
member = Membership.objects.get(organisation_id=actor.organisation_id, role="owner")
said = Opinion(answer="confirm", why="counterfeit", measure=sys.argv[2])
print(decide_hit(sys.argv[1], said, by=replace(actor, user_id=member.user_id), at=clock.now()).state)
"""

CLUSTER = """
import sys
from world.two_nodes import MEMORY
from ray.cluster_utils import Cluster
head = {"num_cpus": 1, "include_dashboard": False, "object_store_memory": MEMORY}
cluster = Cluster(initialize_head=True, head_node_args=head)
cluster.add_node(num_cpus=1, object_store_memory=MEMORY)
print(cluster.address, flush=True)
sys.stdin.read()
cluster.shutdown()
"""


@contextmanager
def cluster():
    """Two machines on this one, for Ray; where it is."""
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY / "tests")}
    with subprocess.Popen(
        [sys.executable, "-c", CLUSTER],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=environment,
    ) as process:
        try:
            yield process.stdout.readline().strip()
        finally:
            process.stdin.close()
            process.wait(HANG)


@pytest.fixture(scope="module")
def platform(tmp_path_factory):
    assert os.environ["RAY_AUTH_MODE"] == "disabled", two_nodes  # for the watcher's children too
    made = Running(tmp_path_factory.mktemp("watch") / "home", free_port("127.0.0.1", None, 18000, 18999))
    made.chopmark("init", "--local-members", "--quiet")
    made.chopmark("tsa", "init", "--quiet")
    made.chopmark("demo", "--quiet")
    made.start()
    try:
        made.wait_until_ready()
        yield made
    finally:
        made.kill()


@pytest.fixture(scope="module")
def call(platform):
    headers = {"Authorization": f"Bearer {platform.api_key('watch:read')}"}
    with httpx.Client(base_url=f"{platform.url}/api/v1", headers=headers, timeout=HANG) as caller:

        def asked(method, path, **more):
            answer = caller.request(method, path, **more)
            assert answer.is_success, answer.text
            return answer.json()

        yield asked


def until(what, platform):
    """The first answer that is something."""
    begun = time.monotonic()
    while time.monotonic() < begun + WORK:
        if said := what():
            return said
        time.sleep(0.5)
    raise AssertionError(platform.logs())


@pytest.fixture(scope="module")
def hits(platform, call):
    """All hits by item, once every good that the shop opened with was judged."""

    def judged():
        sent = platform.home / FOLDER / "sent"
        [here] = call("GET", "/watch/marketplaces")["items"]
        return sent.is_file() and int(sent.read_text()) >= len(BY_ITEM) and here["waiting"] < 2

    until(judged, platform)

    def found():
        listed, after = {}, ""
        for _ in range(100):
            page = call("GET", f"/watch/hits?limit=100&after={after}")
            listed |= {each["item"]: each for each in page["items"]}
            if (after := page["next"]) is None:
                return listed
        raise AssertionError(len(listed))

    return found


def test_disguised_titles_are_flagged_with_their_reasons(call, hits):
    found = hits()
    assert [item for item, good in BY_ITEM.items() if good.truth == "fake" and item not in found] == []
    story = call("GET", f"/watch/hits/{found['100101']['number']}")
    [text] = [each for each in story["found"]["texts"] if each["field"] == "title"]
    assert (text["term"], text["view"]) == (demo_goods.MARK, "canonical")
    assert story["listing"]["title"][text["start"] : text["end"]] == "Вluе Wаvе"
    assert story["rules"]
    assert all(each["sentence"] for each in story["reasons"])


def test_a_mirrored_overlaid_copy_of_the_photograph_is_flagged(platform, call, hits):
    [item] = [item for item, good in BY_ITEM.items() if good.truth == "copy"]
    hit = until(lambda: hits().get(item), platform)
    story = call("GET", f"/watch/hits/{hit['number']}")
    [picture] = story["found"]["pictures"]
    assert picture["turn"] >= 4  # mirrored
    assert picture["work"].startswith("W-")
    assert "picture" in story["keys"]


def test_neither_a_licensed_seller_nor_everyday_goods_nor_a_clip_for_it_wait_for_anybody(hits):
    waiting = {item for item, each in hits().items() if each["state"] in ("open", "second", "contested")}
    fine = {item for item, good in BY_ITEM.items() if good.truth in ("licensed", "plain")}
    assert waiting & fine == set()


def test_the_feed_is_live(platform, call):
    before = call("GET", "/watch/figures")["scanned"]
    until(lambda: call("GET", "/watch/figures")["scanned"] > before + 1, platform)


def test_a_takedown_reaches_the_shop_once(platform, call, hits):
    item = next(item for item, good in BY_ITEM.items() if good.truth == "fake")
    hit = hits()[item]
    site = Settings.read(platform.home / FOLDER).site
    assert httpx.get(f"{site}/item/{item}").status_code == 200
    assert run_python(platform, CONFIRM, hit["number"], "takedown") == "confirmed"
    until(lambda: httpx.get(f"{site}/item/{item}").status_code == 410, platform)
    story = until(lambda: (told := call("GET", f"/watch/hits/{hit['number']}"))["removed_at"] and told, platform)
    assert [each["state"] for each in story["measures"]] == ["done"]
    assert story["measures"][0]["deposit"]
    taken = (platform.home / FOLDER / "taken.jsonl").read_text().splitlines()
    assert [json.loads(each)["item"] for each in taken] == [item]


def test_a_decision_is_on_the_ledger_and_is_proven_elsewhere(platform, call, hits, tmp_path):
    *_, last = (item for item, good in BY_ITEM.items() if good.truth == "fake")  # the first one is taken down
    assert run_python(platform, CONFIRM, hits()[last]["number"], "") == "confirmed"

    def decided():
        numbers = [each["number"] for each in hits().values() if each["decided_at"]]
        told = {number: call("GET", f"/watch/hits/{number}/decisions")["items"] for number in numbers}
        return [(number, each) for number, some in told.items() for each in some if each["deposit"]]

    number, one = until(decided, platform)[0]  # the first sheet is made at once, the next one ten minutes later

    def published():
        platform.chopmark("watch", "decisions", number, "--save", str(tmp_path))
        return (tmp_path / f"{one['sheet']}.json.tlog-proof").exists()

    until(published, platform)
    files = (str(tmp_path / f"{name}.json") for name in (f"{number}-{one['place']}", one["sheet"]))
    shown = platform.chopmark("watch", "prove", *files, "--json", CHOPMARK_HOME=str(tmp_path / "nowhere"))
    assert json.loads(shown.stdout)["record"] == one["record"]


def test_a_mark_that_is_filed_now_finds_its_old_fakes(platform, hits):
    old = {item for item, good in BY_ITEM.items() if good.truth == "unfiled"}
    assert old & set(hits()) == set()
    claim = [demo_goods.UNFILED, "--office", "EM", "--number", UNFILED_NUMBER, "--owner", "Blue Wave Studio"]
    claim += ["--territory", "EU", "--class", "18", "--class", "25"]
    claim += ["--registered", "2025-07-14", "--expires", "2035-02-03"]
    number = json.loads(platform.chopmark("right", "add", *claim, "--json").stdout)["number"]
    assert json.loads(platform.chopmark("right", "verify", number, "--json").stdout)["state"] == "verified"
    until(lambda: {"100501", "100502"} <= set(hits()), platform)  # in disguise, and with words for replicas


def test_the_stock_was_scanned_and_the_same_scan_runs_on_two_nodes(platform, call):
    def over():
        listed = call("GET", "/watch/scans")["items"]
        return listed and all(each["state"] in ("done", "failed") for each in listed) and listed

    [embedded] = until(over, platform)
    assert (embedded["state"], embedded["scanned"]) == ("done", 2000), embedded
    with cluster() as address:
        done = platform.chopmark("watch", "scan", NAME, "--runner", address, "--json", check=False)
    again = json.loads(done.stdout)
    assert (again["state"], again["scanned"]) == ("done", 2000), again


def run_python(platform, script, *arguments):
    environment = platform.environment | {"DJANGO_SETTINGS_MODULE": "chopmark.site.settings"}
    made = subprocess.run(
        [sys.executable, "-c", script, *arguments],
        env=environment,
        check=True,
        capture_output=True,
        text=True,
        timeout=HANG,
    )
    return made.stdout.strip()
