"""`chopmark watch` on a home with a marketplace, in this process."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from pyarrow import parquet
from world.market import Market, raw
from world.pages import PageWorld

from chopmark.base import clock
from chopmark.cli.app import build, run
from chopmark.watch.actions.feed import work_feed
from chopmark.watch.engine.schema import table_of
from chopmark.watch.listing import clean
from chopmark.watch.models import ListingRow

RULE = """
[loud]
zh = "出现商标"
en = "names the mark"
reason = "wrongful_use"
action = "review"
condition = "text_score >= 900"
"""


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


def test_listings_of_files_go_the_way_of_the_feed_once(watch, tmp_path):
    file = tmp_path / "drop.jsonl"
    lines = [json.dumps(raw("1")), "{", json.dumps(raw("2", title="R3D LANTERN lamp"))]
    file.write_text("\n".join(lines) + "\n")
    assert watch("feed", "demo", str(file)) == (1, {"accepted": 2, "known": 0, "older": 0, "refused": 1})
    while work_feed(clock=clock.now).judged:
        pass
    assert watch("feed", "demo", str(file))[1]["known"] == 2
    assert ListingRow.objects.count() == 2
    status, listed = watch("hits", "--marketplace", "demo")
    assert (status, sorted(each["item"] for each in listed)) == (0, ["1", "2"])
    [folded] = [each for each in listed if each["item"] == "2"]
    _, told = watch("hits", folded["number"])
    assert told["found"]["texts"][0]["view"] == "folded"
    assert all(each["sentence"] for each in told["reasons"])
    assert watch("hits", "H-2026-999999") == (1, "watch.hit_not_found")
    assert watch("feed", "elsewhere", str(file)) == (1, "watch.marketplace_not_found")


def test_a_scan_is_carried_here_searched_backwards_and_tried_with_new_rules(watch, market, tmp_path):
    batch = [raw("1"), raw("2", title="blue lamp"), raw("3", title="REDLANTERN lamp 1:1", seller="s3")]
    parquet.write_table(table_of(clean(each, marketplace="demo") for each in batch), tmp_path / "stock.parquet")
    status, told = watch("scan", "demo", str(tmp_path / "*.parquet"))
    assert (status, told["state"], told["scanned"], told["found"]) == (0, "done", 3, 2)
    status, rows = watch("reverse", "red lantern", mine=False)
    assert (status, sorted(each["item"] for each in rows)) == (0, ["1", "3"])
    assert watch("reverse", "no such name", mine=False) == (1, [])
    _, counted = watch("backtest")
    assert {each["rule"]: each["flagged"] for each in counted} == {"named": 2, "replica": 1}
    (tmp_path / "rules.toml").write_text(RULE.replace("loud", "named"))
    _, [other] = watch("backtest", "--rules", str(tmp_path / "rules.toml"))
    assert (other["rule"], other["difference"][0]) == ("named", "+")
    assert watch("scan", "demo", str(tmp_path / "none-*.parquet"))[1]["trouble"] == "watch.scan_empty"


def test_rules_are_proposed_and_moved_on(watch, tmp_path):
    (tmp_path / "rules.toml").write_text(RULE)
    status, [made] = watch("rules", "--propose", str(tmp_path / "rules.toml"))
    assert (status, made["name"], made["state"], made["version"]) == (0, "loud", "draft", 1)
    assert watch("rules", "loud", "--to", "shadow") == (1, "watch.rule_examples_few")
    assert watch("rules", "named", "--to", "stopped")[1][0]["state"] == "stopped"
    assert [each["name"] for each in watch("rules")[1]] == ["loud", "named", "replica"]
    assert watch("rules", "--to", "live")[1] == "cli.watch.rule_missing"
    assert watch("rules", "--propose", str(tmp_path / "none.toml"))[1] == "cli.file_unreadable"


def test_marks_are_described_and_made_anew(watch, market, capsys):
    _, before = watch("marks")
    own = ("--organisation", str(market.mei.actor.organisation_id))
    _, after = watch("marks", "--right", market.right.number, "--alias", "红灯笼", "--near", *own, mine=False)
    assert (before["marks"], after["marks"]) == (1, 1)
    assert before["version"] != after["version"]
    assert watch("marks", "--right", market.right.number, "--near")[1] == "rights.not_found"
    assert run(build(), ["watch", "marks"]) == 0
    assert after["version"][:16] in capsys.readouterr().err
