"""A marketplace of one's own, and `chopmark watch` on it, in this process."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from world.market import Market
from world.pages import PageWorld

from chopmark.base import clock
from chopmark.cli.app import build, run


@pytest.fixture
def market(db, settings, tmp_path, monkeypatch):
    settings.CHOPMARK_HOME = tmp_path / "home"
    monkeypatch.setenv("CHOPMARK_HOME", str(tmp_path / "home"))
    world = PageWorld.made(settings.CHOPMARK_HOME, at=clock.now().replace(microsecond=0) - timedelta(minutes=10))
    (tmp_path / "home" / "keys").mkdir(exist_ok=True)
    return Market.made(world, world.person("Mei Lan"), world.person("Jo Smith"))


@pytest.fixture
def watch(market, capsys):
    """One command as JSON: its exit status and what it printed, or the code of its error."""
    organisation = str(market.jo.actor.organisation_id)

    def called(verb, *arguments, mine=True):
        own = ("--organisation", organisation) if mine else ()
        status = run(build(), ["watch", verb, *arguments, *own, "--json"])
        printed = capsys.readouterr()
        return status, json.loads(printed.out) if printed.out else json.loads(printed.err.splitlines()[-1])["code"]

    return called
