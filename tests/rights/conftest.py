from __future__ import annotations

from datetime import UTC, datetime

import pytest
from world.pages import PageWorld

BEFORE = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)


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
