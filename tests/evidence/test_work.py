from __future__ import annotations

import hashlib
import io
from datetime import timedelta

import pytest
from world.jobs import TestCapture, captured, tools
from world.pages import PageWorld
from world.tsa import TsaWorld

from chopmark.base import clock as clocks
from chopmark.base.errors import Invalid, Refused, Unavailable
from chopmark.evidence import actions, custody, matters, wiring
from chopmark.evidence.actions import NewCapture, NewFile, NewItem, NewMatter
from chopmark.evidence.actions.work import LEASE, give_back, work
from chopmark.evidence.bundle.check import check
from chopmark.evidence.bundle.container import Container
from chopmark.evidence.bundle.manifest import Manifest
from chopmark.evidence.matters import Both
from chopmark.evidence.models import Bundle, Capture, Deposit, Item

NEW = NewCapture(url="https://shop.test/lantern", title=Both(zh="侵权页面"), purpose=Both(zh="证明销售"))


@pytest.fixture
def world(db, settings, tmp_path):
    settings.CHOPMARK_HOME = tmp_path / "home"
    # The PDF library judges certificates by the machine's clock.
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
def matter(world, mei):
    new = NewMatter(template="trademark_counterfeit", title=Both(zh="假冒灯笼案", en="Fake lanterns"))
    return actions.open_matter(new, by=mei.actor, at=world.now())


def add(world, person, matter, data=b"%PDF-1.7 an invoice", name="invoice.pdf", **more):
    upload = actions.start_upload(
        length=len(data), file_name=name, file_type="application/pdf", by=person.actor, at=world.now()
    )
    actions.append_upload(upload.id, offset=0, chunks=[data], by=person.actor, at=world.now())
    new = NewItem(**{"kind": "invoice", "title": Both(en="Invoice"), "files": (NewFile(upload=upload.id),), **more})
    return actions.add_item(matter.id, new, by=person.actor, at=world.now())


def built(world, person, matter, kit, clock, **more):
    """A bundle from request to file."""
    asked = actions.request_bundle(matter.id, by=person.actor, at=clock(), **more)
    for _ in range(5):
        work(kit, clock)
        world.publish()
        world.at += timedelta(seconds=20)
        found = matters.bundle_of(person.actor, asked.id)
        if found.state not in ("queued", "running"):
            return found
    return found


def test_a_matter_becomes_a_bundle_that_a_stranger_passes(world, mei, matter, tsa, clock):
    capture = TestCapture()
    kit = tools(world.home, tsa, capture)
    add(world, mei, matter)
    asked = actions.request_capture(matter.id, NEW, by=mei.actor, at=world.now())
    assert work(kit, clock) == asked.number
    made = matters.capture_of(mei.actor, asked.id)
    assert (made.state, made.item, made.trouble) == ("done", "E-002", "")
    world.publish()
    bundle = built(world, mei, matter, kit, clock)
    assert (bundle.state, bundle.trouble, bundle.signatures) == ("done", "", 1)
    path, name = matters.bundle_file(mei.actor, bundle.number)
    assert name == "B-2026-000001.asice"
    with path.open("rb") as file:
        report = check(file, wiring.own_trust(), clock())
        assert report.verdict == "PASSED", report.as_json()
        names = Container(file).names
        manifest = Manifest.parse(Container(file).read("manifest.json", 1 << 20))
    assert "evidence/002-capture/page.wacz" in names
    assert manifest.items[1].tokens[0].over == "evidence/002-capture/page.wacz"
    assert manifest.items[1].capture.final_url == "https://shop.test/lantern"
