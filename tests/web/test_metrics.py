"""What machines are told: whether the site lives, whether it is fit, and figures for those who may have them."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from django.test import Client
from world.members import five
from world.pages import AT, PageWorld

from chopmark.evidence import actions, wiring
from chopmark.ledger.governance import Rule
from chopmark.ledger.stores import ConsortiumState, MemberState
from chopmark.web.views import health

RULE = Rule.parse("2 of hangzhou beijing guangzhou and 1 of notary customs")
TOKEN = "a-token-of-the-operator"


@pytest.fixture
def world(db, settings, tmp_path, django_capture_on_commit_callbacks):
    settings.CHOPMARK_HOME = tmp_path / "home"
    world = PageWorld.made(settings.CHOPMARK_HOME)
    actions.adopt_cards([member.card.encode() for member in five().values()], at=world.now())
    actions.decide_policy(RULE, at=world.now())
    with django_capture_on_commit_callbacks(execute=True):
        world.publish()
    return world


def note(waiting: int | None, **troubles: str | None) -> None:
    size = wiring.book().latest().size
    members = tuple(
        MemberState(name=name, size=size, at=AT, next_entry=size, trouble=trouble, since=AT)
        for name, trouble in troubles.items()
    )
    wiring.book().note_consortium(
        ConsortiumState(waiting_size=waiting, waiting_since=AT if waiting else None, members=members)
    )


def gauges(client: Client | None = None, **headers: str) -> dict[str, float]:
    answer = (client or Client()).get("/metrics", headers=headers)
    assert answer.status_code == 200
    assert answer["Content-Type"].startswith("text/plain")
    lines = [line for line in answer.content.decode().splitlines() if not line.startswith("#")]
    return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines)}


def test_figures_tell_what_waits_and_how_each_member_is(world):
    mei = world.person("Mei Lan")
    world.deposit(mei, b"lantern")
    note(None, hangzhou=None, customs="ledger.member_silent")
    told = gauges()
    size = wiring.book().latest().size
    assert told["chopmark_pending_entries"] == 1
    assert told["chopmark_log_entries"] == size
    assert told["chopmark_quorum_reached"] == 1
    assert told['chopmark_member_up{member="hangzhou"}'] == 1
    assert told['chopmark_member_up{member="customs"}'] == 0
    assert told['chopmark_member_entries{member="hangzhou"}'] == size
    assert told['chopmark_member_behind_entries{member="hangzhou"}'] == 0
    assert 'chopmark_member_behind_entries{member="beijing"}' not in told


def test_a_missing_quorum_is_a_figure(world):
    note(wiring.book().latest().size + 1)
    told = gauges()
    assert told["chopmark_quorum_reached"] == 0
    assert told["chopmark_quorum_waiting_seconds"] >= 0


def test_without_a_consortium_there_is_no_figure_of_one(db, settings, tmp_path):
    settings.CHOPMARK_HOME = tmp_path / "home"
    PageWorld.made(settings.CHOPMARK_HOME)
    assert not [name for name in gauges() if "quorum" in name or "member" in name]


STRANGERS = {
    "from another machine": ({"REMOTE_ADDR": "192.0.2.7"}, "http://localhost:8000", ""),
    "of a site that others reach, seemingly from this machine": ({}, "https://chopmark.example", ""),
    "without the token": ({}, "http://localhost:8000", TOKEN),
    "with another token": ({"HTTP_AUTHORIZATION": f"Bearer {TOKEN}x"}, "http://localhost:8000", TOKEN),
    "with the token in another form": ({"HTTP_AUTHORIZATION": TOKEN}, "http://localhost:8000", TOKEN),
    "with a token that is no ASCII": ({"HTTP_AUTHORIZATION": "Bearer ä"}, "http://localhost:8000", TOKEN),
}


@pytest.mark.parametrize(("call", "site", "token"), STRANGERS.values(), ids=STRANGERS.keys())
def test_strangers_are_told_that_there_is_no_such_page(world, settings, call, site, token):
    settings.CHOPMARK_BASE_URL, settings.CHOPMARK_METRICS_TOKEN = site, token
    assert Client().get("/metrics", **call).status_code == 404


def test_the_token_opens_it_from_anywhere(world, settings):
    settings.CHOPMARK_BASE_URL, settings.CHOPMARK_METRICS_TOKEN = "https://chopmark.example", TOKEN
    assert gauges(Client(REMOTE_ADDR="192.0.2.7"), authorization=f"Bearer {TOKEN}")


def test_a_missing_quorum_degrades_and_kills_nothing(world, monkeypatch):
    mei = world.person("Mei Lan")
    world.deposit(mei, b"lantern")
    monkeypatch.setattr(health, "MAX_WAIT", timedelta(0))
    assert Client().get("/healthz").content == b"ok\n"
    note(wiring.book().latest().size + 1)
    alive, ready = Client().get("/healthz"), Client().get("/readyz")
    assert (alive.status_code, alive.content.decode()) == (200, health.DEGRADED)
    assert (ready.status_code, json.loads(ready.content)["parts"]["ledger"]) == (200, "waiting")


def test_a_process_without_its_database_still_answers(world, monkeypatch):
    monkeypatch.setattr(health.standing, "waiting", _lost)
    assert Client().get("/healthz").content == b"ok\n"


def _lost():
    raise health.DatabaseError
