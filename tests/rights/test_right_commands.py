"""The commands of rights, offices and mandates, on a home of their own, in this process."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from world.data import shared_data
from world.pages import PageWorld
from world.rights import OPERATOR, by_office, lantern

from chopmark.base import clock
from chopmark.base.errors import Unavailable
from chopmark.cli import right
from chopmark.cli.app import main
from chopmark.rights import encoding
from chopmark.rights.actions.office import keep_records
from chopmark.rights.queries import registry


@pytest.fixture
def world(db, settings, tmp_path, monkeypatch):
    settings.CHOPMARK_HOME = tmp_path / "home"
    monkeypatch.setenv("CHOPMARK_HOME", str(settings.CHOPMARK_HOME))
    return PageWorld.made(settings.CHOPMARK_HOME, at=clock.now().replace(microsecond=0) - timedelta(minutes=10))


@pytest.fixture
def mei(world):
    return world.person("Mei Lan")


@pytest.fixture
def chopmark(capsys):
    def run(*arguments, status=0):
        assert main([*arguments, "--json"]) == status, capsys.readouterr()
        told = capsys.readouterr()
        return json.loads(told.out or told.err)

    return run


LANTERN = (
    *("RED LANTERN", "--office", "EM", "--number", "018123456", "--application", "018123456"),
    *("--owner", "Mei Lan's studio", "--class", "11", "--class", "25", "--territory", "EU"),
    *("--registered", "2020-06-01", "--expires", "2030-01-15"),
)


@pytest.fixture
def filed(world, mei, chopmark):
    return chopmark("right", "add", *LANTERN)["number"]


def test_a_right_is_filed_compared_licensed_and_asked_about(world, mei, filed, chopmark, capsys):
    chopmark("right", "verify", filed, status=1)  # no record is kept
    keep_records([by_office()], operator=OPERATOR, at=clock.now())
    assert chopmark("office", "list")[0]["office"] == "EM"
    chopmark("right", "verify", filed, status=3)  # who this organisation is has not been shown
    [waits] = chopmark("office", "waiting")
    assert (waits["number"], waits["reasons"]) == (filed, ["rights.standing_missing"])
    assert main(["office", "vouch", "Mei Lan's studio", "Mei Lan's studio", "--country", "CN"]) == 0
    capsys.readouterr()
    shown = chopmark("right", "verify", filed)
    assert (shown["state"], shown["level"]) == ("verified", 2)
    licence = chopmark("right", "license", filed, "Jo's shop", "--territory", "DE", "--territory", "FR")["licence"]
    ask = ("right", "may", filed)
    assert chopmark(*ask, "DE", "--class", "25", "--seller", "JO'S SHOP")["chain"] == [licence]
    assert chopmark(*ask, "IT", "--class", "25", "--seller", "Jo's shop", status=1)["may"] == "no"
    assert chopmark(*ask, "US", "--class", "25", "--seller", "Jo's shop", status=3)["may"] == "unknown"
    assert "DE" in chopmark(*ask, "DE", "--class", "25", "--act")["limits"]
    chopmark(*ask, "DE", "--class", "25", "--act", "--seller", "Jo's shop", status=3)
    chopmark("right", "license", filed, "--end", licence)
    chopmark(*ask, "DE", "--class", "25", "--seller", "Jo's shop", status=1)


def test_people_read_sentences_in_their_language(world, mei, filed, capsys):
    assert main(["right", "may", filed, "CH", "--act", "--lang", "zh"]) == 1
    assert "不覆盖 CH" in capsys.readouterr().out
    for command in (["right", "show", filed], ["right", "list"], ["right", "history", filed], ["office", "waiting"]):
        assert main([*command, "--lang", "en"]) == 0
        assert filed in capsys.readouterr().out or command[1] == "history"


def test_a_history_is_written_with_its_receipts(world, mei, filed, chopmark, tmp_path):
    world.publish()
    events = chopmark("right", "history", filed, "--out", str(tmp_path / "out"))
    names = sorted(each.name for each in (tmp_path / "out").iterdir())
    assert len(names) == 3 * len(events) == 6
    assert names[0] == f"{filed}-1.json"


def test_a_folder_that_cannot_be_written_is_said(world, filed, chopmark, tmp_path):
    (tmp_path / "file").write_bytes(b"")
    told = chopmark("right", "history", filed, "--out", str(tmp_path / "file"), status=2)
    assert told["code"] == "cli.file_unwritable"


def test_a_receipt_that_is_missing_is_no_success(world, filed, chopmark, tmp_path, monkeypatch):
    def not_yet(*given, **named):
        raise Unavailable("evidence.not_published")

    monkeypatch.setattr(registry, "receipt_of", not_yet)
    chopmark("right", "history", filed, "--out", str(tmp_path / "story"), status=3)
    assert [each.suffix for each in (tmp_path / "story").iterdir()] == [".json"] * 2


def test_lists_show_all_pages(world, filed, chopmark, monkeypatch):
    other = chopmark("right", "add", *LANTERN[:4], "018123457", "--owner", "Mei Lan's studio")["number"]
    monkeypatch.setattr(right, "PAGE", 1)
    assert [each["number"] for each in chopmark("right", "list")] == [other, filed]


def test_a_record_may_come_from_a_file(world, mei, chopmark, tmp_path):
    file = tmp_path / "record.json"
    file.write_text(json.dumps(encoding.encode(lantern())), "utf-8")
    made = chopmark("right", "add", "--record", str(file), "--draft")
    assert (made["state"], made["record"]["mark"]["verbal"]) == ("draft", "RED LANTERN")
    for wrong, code in (("[]", "base.json_malformed"), ("{", "base.json_malformed"), ("{}", "rules.member_missing")):
        file.write_text(wrong)
        assert chopmark("right", "add", "--record", str(file), status=1)["code"] == code


def test_papers_are_read_and_decided_on(world, mei, chopmark, tmp_path, capsys):
    paper = tmp_path / "certificate.pdf"
    paper.write_bytes(b"%PDF-1.7 of a work")
    made = chopmark(
        "right", "add", "The lantern maker", "--kind", "copyright", "--owner", "Mei Lan", "--paper", str(paper)
    )
    chopmark("right", "decide", made["number"], "accept", status=1) if made["state"] == "draft" else None
    refused = chopmark("right", "decide", made["number"], "refuse", "--reason", "unreadable")
    assert refused["state"] == "incorrect"
    accepted = chopmark("right", "decide", made["number"], "accept", "--speaks-for-owner")
    assert (accepted["state"], accepted["level"]) == ("verified", 1)
    sued = chopmark("right", "decide", made["number"], "suspend", "--dispute", "court", "--reason", "Paris")
    assert sued["state"] == "suspended"
    settled = chopmark("right", "decide", made["number"], "settle", "--dispute", "D1", "--reason", "rejected")
    assert settled["state"] == "verified"
    assert chopmark("right", "decide", made["number"], "cancel", "--reason", "a mistake")["state"] == "cancelled"


def test_a_code_goes_to_the_address_in_the_register(world, mei, filed, chopmark):
    keep_records([by_office()], operator=OPERATOR, at=clock.now())
    chopmark("right", "verify", filed, status=3)
    code = chopmark("office", "code", filed)["code"]
    assert chopmark("right", "verify", filed, "--code", "WRONG", status=1)["code"] == "rights.code_wrong"
    assert chopmark("right", "verify", filed, "--code", code)["level"] == 3


def test_an_office_s_file_is_kept_for_comparison(world, chopmark):
    folder = shared_data("tsdr-st66-st96")
    files = sorted(each for each in folder.rglob("*.xml") if b"trademarks" in each.read_bytes()[:2000])
    done = chopmark("office", "import", str(files[0]), "--fetched", "2026-11-01T00:00:00Z")
    assert done["kept"] == 1
    assert chopmark("office", "list")[0]["office"] == "US"


def test_mandates_are_given_listed_and_revoked(world, mei, filed, chopmark):
    world.person("Jo Smith")
    mine = ("--organisation", "Mei Lan's studio")
    [made] = chopmark("mandate", "give", "Jo Smith's studio", "--power", "notice", "--right", filed, *mine)
    assert (made["in_force"], made["offered"]) == (False, True)
    assert chopmark("right", "list", "--organisation", "Jo Smith's studio") == []
    [accepted] = chopmark("mandate", "accept", made["id"], "--organisation", "Jo Smith's studio")
    assert (accepted["in_force"], accepted["accepted_on"]) == (True, clock.now().date().isoformat())
    theirs = chopmark("right", "list", "--organisation", "Jo Smith's studio")
    assert [each["number"] for each in theirs] == [filed]
    assert chopmark("mandate", "revoke", made["id"], *mine)[0]["in_force"] is False
    assert chopmark("right", "list", "--organisation", "Jo Smith's studio") == []
    assert chopmark("mandate", "list", *mine)[0]["id"] == made["id"]


WRONG = {
    "a day that is none": (("right", "add", *LANTERN[:-1], "2030-02-30"), "rules.value_malformed"),
    "a class that is none": (("right", "add", "X", "--class", "46"), "rules.class_unknown"),
    "a right that is not there": (("right", "show", "R-2020-000001"), "rights.not_found"),
    "a moment without a zone": (("right", "show", "R", "--as-of", "2026-01-01T00:00:00"), "rules.value_malformed"),
    "a mandate that is none": (("mandate", "revoke", "x"), "rules.value_malformed"),
    "a mandate to accept that is none": (("mandate", "accept", "x"), "rules.value_malformed"),
    "a place that is none": (("right", "may", "R-2020-000001", "XX"), "rights.not_found"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_is_said(world, mei, chopmark, case):
    arguments, code = WRONG[case]
    assert chopmark(*arguments, status=1)["code"] == code
