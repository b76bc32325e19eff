"""The worker with the real capture engine: the local shop becomes a whole item, and a bundle that passes."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from world.jobs import tools
from world.pages import PageWorld
from world.shop import Shop
from world.tsa import TsaWorld

from chopmark.base import clock as clocks
from chopmark.base.errors import Unavailable
from chopmark.evidence import actions, matters, wiring
from chopmark.evidence.actions import NewCapture, NewMatter
from chopmark.evidence.actions.work import work
from chopmark.evidence.bundle.check import check
from chopmark.evidence.bundle.container import Container
from chopmark.evidence.bundle.manifest import Manifest
from chopmark.evidence.capture import processlog
from chopmark.evidence.matters import Both
from chopmark.evidence.models import Capture
from chopmark.site.config import read_config
from chopmark.site.jobs import capture_tool

pytestmark = pytest.mark.browser

RENDITIONS = {"screenshot.png", "page.mhtml", "page.pdf", "dom.html", "visible-text.txt"}
RECORDS = {"capture.json", "process.jsonl", "cleanliness.json", "dns.json", "http-headers.json", "vantage.json"}
TOKENS = {"page.wacz.tst": "page.wacz", "process.jsonl.tst": "process.jsonl"}


@pytest.fixture(scope="module")
def shop():
    with Shop() as running:
        yield running


@pytest.fixture
def world(db, settings, tmp_path):
    settings.CHOPMARK_HOME = tmp_path / "home"
    return PageWorld.made(settings.CHOPMARK_HOME, at=clocks.now().replace(microsecond=0) - timedelta(minutes=10))


@pytest.fixture
def tsa(world):
    return TsaWorld(at=world.at)


@pytest.fixture
def clock(world, tsa):
    """The world's clock; the authority's goes with it."""

    def now():
        tsa.at = world.now()
        return tsa.at

    return now


@pytest.fixture
def mei(world):
    return world.person("Mei Lan")


@pytest.fixture
def kit(world, tsa, shop):
    """The tools of a home whose settings let captures reach the shop."""
    config, problems = read_config({"CHOPMARK_HOME": str(world.home), "CHOPMARK_CAPTURE_ALLOW": shop.door})
    assert not problems
    return tools(world.home, tsa, capture_tool(config))


@pytest.fixture
def asked(world, mei, shop):
    """A capture of the shop's honest page."""
    new = NewMatter(template="trademark_counterfeit", title=Both(zh="假冒灯笼案", en="Fake lanterns"))
    matter = actions.open_matter(new, by=mei.actor, at=world.now())
    wish = NewCapture(url=shop.url + "/item/3", title=Both(zh="侵权页面"), purpose=Both(zh="证明销售"))
    return actions.request_capture(matter.id, wish, by=mei.actor, at=world.now())


def files_of(mei, asked):
    matter = Capture.objects.get(pk=asked.id).matter_id
    [item] = matters.items_of(mei.actor, matter)
    return {each.name: each for each in item.files}


def log_of(files):
    """The lines of the kept process log, after a check that they are one chain."""
    data = wiring.blobs().path(files["process.jsonl"].sha256).read_bytes()
    processlog.check(data)
    return [json.loads(line) for line in data.splitlines()]


def test_the_shop_becomes_an_item_and_a_bundle_that_passes(world, mei, asked, kit, clock):
    assert work(kit, clock) == asked.number
    made = matters.capture_of(mei.actor, asked.id)
    assert (made.state, made.trouble, made.item) == ("done", "", "E-001")
    files = files_of(mei, asked)
    assert {"page.wacz", "recording.avi", "netlog.json.zst.sealed", *RENDITIONS, *RECORDS, *TOKENS} <= set(files)
    assert {name: files[name].role for name in ("page.wacz", "screenshot.png", "page.wacz.tst", "capture.json")} == {
        "page.wacz": "primary",
        "screenshot.png": "rendition",
        "page.wacz.tst": "token",
        "capture.json": "record",
    }
    assert [each["step"].rpartition(".")[2] for each in Capture.objects.get(pk=asked.id).steps][:2] == [
        "clean",
        "names",
    ]
    told = json.loads(wiring.blobs().path(files["capture.json"].sha256).read_bytes())
    assert (told["complete"], told["notes"]) == (True, [])
    assert told["log"]["head"] == processlog.check(wiring.blobs().path(files["process.jsonl"].sha256).read_bytes())[0]
    own = {"capture.json", "process.jsonl", "process.jsonl.tst"}  # deposited too, but the description ends before
    assert {each["path"] for each in told["deposits"]} == set(files) - own
    looked = json.loads(wiring.blobs().path(files["cleanliness.json"].sha256).read_bytes())
    assert [line for when in ("before", "after") for line in looked[when]["lines"] if line["status"] == "fail"] == []

    world.publish()
    bundle = actions.request_bundle(Capture.objects.get(pk=asked.id).matter_id, by=mei.actor, at=clock())
    for _ in range(3):
        work(kit, clock)
        world.publish()
        world.at += timedelta(seconds=20)
    bundle = matters.bundle_of(mei.actor, bundle.id)
    assert (bundle.state, bundle.trouble) == ("done", "")
    path, _ = matters.bundle_file(mei.actor, bundle.number)
    with path.open("rb") as file:
        report = check(file, wiring.own_trust(), clock())
        assert report.verdict == "PASSED", report.as_json()
        manifest = Manifest.parse(Container(file).read("manifest.json", 1 << 20))
    [item] = manifest.items
    assert item.capture.complete
    assert item.capture.cleanliness == "pass"
    over = {each.path.rpartition("/")[2]: each.over.rpartition("/")[2] for each in item.tokens}
    assert over == TOKENS
    assert len(item.deposits) == len(item.files)


def test_where_no_authority_answers_the_record_says_so(mei, asked, kit, clock):
    def silent(_sha256):
        raise Unavailable("ledger.authority_silent", name="time.test", reason="refused")

    kit.stampers[0].token = silent
    work(kit, clock)
    files = files_of(mei, asked)
    told = json.loads(wiring.blobs().path(files["capture.json"].sha256).read_bytes())
    assert told["notes"] == ["stamp_failed"]
    assert "stamp.failed" in [each["action"] for each in log_of(files)]
    assert not set(TOKENS) & set(files)
