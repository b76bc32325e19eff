from __future__ import annotations

from datetime import UTC, datetime

import pytest
from world.desks import desk, matter_with_bundle
from world.jobs import tools
from world.pages import PageWorld
from world.tsa import TsaWorld

BEFORE = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)


@pytest.fixture
def world(db, settings, tmp_path):
    settings.CHOPMARK_HOME = tmp_path / "home"
    # Pages are printed and sealed by the real clock: what the test says happened before.
    return PageWorld.made(settings.CHOPMARK_HOME, at=BEFORE)


@pytest.fixture
def mei(world):
    return world.person("Mei Lan")


@pytest.fixture
def worker(world):
    return tools(world.home, TsaWorld(at=world.at))


@pytest.fixture
def court(world, worker, tmp_path):
    with desk(world, tmp_path / "court") as made:
        yield made


@pytest.fixture
def notary(world, worker, tmp_path):
    with desk(world, tmp_path / "notary", "notary") as made:
        yield made


@pytest.fixture
def bundled(world, mei, worker):
    return matter_with_bundle(world, mei, worker)
