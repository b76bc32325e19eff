from __future__ import annotations

from datetime import timedelta

import pytest
from world.pages import PageWorld

from chopmark.base.errors import Invalid, Refused
from chopmark.evidence import actions, custody, matters
from chopmark.evidence.actions import NewCapture, NewFile, NewItem, NewMatter
from chopmark.evidence.matters import Both
from chopmark.evidence.models import CustodyLine, Grant

HOUR = timedelta(hours=1)


@pytest.fixture
def world(db, settings, tmp_path):
    settings.CHOPMARK_HOME = tmp_path / "home"
    return PageWorld.made(settings.CHOPMARK_HOME)


@pytest.fixture
def mei(world):
    return world.person("Mei Lan")


@pytest.fixture
def matter(world, mei):
    new = NewMatter(template="trademark_counterfeit", title=Both(zh="假冒灯笼案"))
    return actions.open_matter(new, by=mei.actor, at=world.now())


def uploaded(world, person, data, *, name="invoice.pdf", kind="application/pdf"):
    made = actions.start_upload(length=len(data), file_name=name, file_type=kind, by=person.actor, at=world.now())
    actions.append_upload(made.id, offset=0, chunks=[data], by=person.actor, at=world.now())
    return made.id


def added(world, person, matter, data=b"%PDF-1.7 an invoice", **more):
    upload = uploaded(world, person, data)
    new = NewItem(**{"kind": "invoice", "title": Both(en="Invoice"), "files": (NewFile(upload=upload),), **more})
    return actions.add_item(matter.id, new, by=person.actor, at=world.now())


def test_a_matter_gathers_items_and_its_custody_log_tells_each_step(world, mei, matter):
    assert (matter.number, matter.title.en, matter.jurisdiction, matter.phase) == (
        "M-2026-000001",
        "假冒灯笼案",
        "CN",
        "rights",
    )
    item = added(world, mei, matter, purpose=Both(zh="证明购买"), source={"from": "buyer"}, phase="purchase")
    assert (item.number, item.phase, item.files[0].name, item.files[0].deposit_number) == (
        "E-001",
        "purchase",
        "invoice.pdf",
        "D-2026-000001",
    )
    log = matters.custody_of(mei.actor, matter.id)
    assert [each.action for each in log] == ["matter.opened", "item.added", "file.added"]
    assert log[2].facts["sha256"] == item.files[0].sha256.hex()
    assert b"".join(matters.file_of_item(mei.actor, item.files[0].id).chunks) == b"%PDF-1.7 an invoice"
    assert matters.matter_of(mei.actor, matter.number).items == 1
