from __future__ import annotations

import pytest
from world.market import BEFORE, Market
from world.pages import PageWorld
from world.postgres import postgres_dsn, postgres_server  # noqa: F401 (pytest finds fixtures here)


@pytest.fixture
def world(db, settings, tmp_path):
    settings.CHOPMARK_HOME = tmp_path / "home"
    return PageWorld.made(settings.CHOPMARK_HOME, at=BEFORE)


@pytest.fixture
def mei(world):
    return world.person("Mei Lan")


@pytest.fixture
def jo(world):
    return world.person("Jo Smith")


@pytest.fixture
def market(world, mei, jo):
    return Market.made(world, mei, jo)
