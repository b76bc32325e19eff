"""`chopmark watch` on a home with a marketplace, in this process."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta

import pytest
from pyarrow import parquet
from world.market import NAMED, raw

from chopmark.base import clock
from chopmark.cli.app import build, run
from chopmark.cli.watch import Far
from chopmark.site.sequencer import sweep_command
from chopmark.watch.actions.feed import work_feed
from chopmark.watch.actions.letting_go import let_go_of_scans
from chopmark.watch.actions.measure import send_measures
from chopmark.watch.actions.review import Opinion, decide_hit
from chopmark.watch.actions.rules import propose_rule
from chopmark.watch.engine.schema import table_of
from chopmark.watch.gateway import Answer
from chopmark.watch.listing import clean
from chopmark.watch.models import Hit, ListingRow, Marketplace, MarkNote, Scan
from chopmark.watch.queries.scans import summary_of
from chopmark.watch.rules.language import parse

RULE = """
[loud]
zh = "出现商标"
en = "names the mark"
reason = "wrongful_use"
action = "review"
condition = "text_score >= 900"
"""


def test_the_card_is_shown_and_learned_of_enough_alone(watch, market):
    status, shown = watch("card")
    assert (status, shown["samples"], shown["threshold"]) == (0, 0, None)
    assert shown["terms"]["disguised-name"] > 0
    assert watch("card", "--learn")[1] == "watch.card_labels_few"
    assert watch("card", "--learn", "--needed", "1000")[1] == "watch.card_needed"
    assert watch("card", "--forget") == (0, shown)
    assert run(build(), ["watch", "card", "--organisation", str(market.jo.actor.organisation_id)]) == 0


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
    wide = replace(NAMED, condition=parse("text_score >= 1"))
    propose_rule(wide, by=market.jo.actor, at=market.world.now())
    assert watch("rules", "named", "--to", "shadow")[1][0]["trial"] == 2
    _, counted = watch("backtest")
    assert [(each["rule"], each["difference"]) for each in counted] == [
        ("named", ""),
        ("replica", ""),
        ("named", "+0 -0"),
    ]
    assert [each["alone"] for each in counted] == [1, 0, 1]
    assert watch("rules", "named", "--end-trial")[1][0]["trial"] is None
    assert watch("rules", "named", "--end-trial") == (1, "watch.rule_no_trial")
    assert watch("rules", "--end-trial")[1] == "cli.watch.rule_missing"
    assert watch("scan", "demo", str(tmp_path / "none-*.parquet"))[1]["trouble"] == "watch.scan_empty"


def test_a_scan_whose_files_were_let_go_is_left_out_of_a_back_test_which_says_so(watch, market, tmp_path, capsys):
    parquet.write_table(table_of([clean(raw("1"), marketplace="demo")]), tmp_path / "stock.parquet")
    numbers = [watch("scan", "demo", str(tmp_path / "*.parquet"))[1]["number"] for _ in range(2)]
    Scan.objects.filter(number=numbers[0]).update(ended_at=clock.now() - timedelta(days=31))
    assert let_go_of_scans(clock.now(), days=30) == 1
    organisation = str(market.jo.actor.organisation_id)
    assert run(build(), ["watch", "backtest", "--organisation", organisation, "--json"]) == 0
    printed = capsys.readouterr()
    assert {each["rows"] for each in json.loads(printed.out)} == {1}
    assert numbers[0] in printed.err
    assert numbers[1] not in printed.err


@pytest.mark.parametrize(("days", "kept"), [("30", False), ("0", True), ("", True)])
def test_the_sweep_lets_go_of_what_the_setting_says(watch, tmp_path, monkeypatch, days, kept):
    parquet.write_table(table_of([clean(raw("1"), marketplace="demo")]), tmp_path / "stock.parquet")
    number = watch("scan", "demo", str(tmp_path / "*.parquet"))[1]["number"]
    Scan.objects.update(ended_at=clock.now() - timedelta(days=31))
    if days:
        monkeypatch.setenv("CHOPMARK_WATCH_SCAN_DAYS", days)
    assert sweep_command() == 0
    assert (tmp_path / "home" / "watch" / "scans" / number / "results").is_dir() is kept
    assert (Scan.objects.get().let_go_at is None) is kept


def test_rules_are_proposed_and_moved_on(watch, tmp_path):
    (tmp_path / "rules.toml").write_text(RULE)
    status, [made] = watch("rules", "--propose", str(tmp_path / "rules.toml"))
    assert (status, made["name"], made["state"], made["version"]) == (0, "loud", "draft", 1)
    assert watch("rules", "loud", "--to", "shadow") == (1, "watch.rule_examples_few")
    assert watch("rules", "named", "--to", "stopped")[1][0]["state"] == "stopped"
    assert [each["name"] for each in watch("rules")[1]] == ["loud", "named", "replica"]
    assert watch("rules", "--to", "live")[1] == "cli.watch.rule_missing"
    assert watch("rules", "--propose", str(tmp_path / "none.toml"))[1] == "cli.file_unreadable"


def test_measures_and_sellers_of_a_marketplace_are_listed(watch, market):
    hits = [market.hit(raw(str(n), seller=f"s{n}")) for n in range(3)]
    assert watch("measures", "demo") == (1, [])
    hold = Opinion(answer="confirm", why="counterfeit", measure="hold")
    for hit in hits:
        decide_hit(hit.number, hold, by=market.jo.actor, at=market.world.now())
    market.taker.answers = [Answer(key="", state="refused", reason="seller appealed")]
    send_measures(lambda _row: market.taker, clock=market.world.now)
    status, listed = watch("measures", "demo")
    assert (status, [each["hit"] for each in listed]) == (0, [each.number for each in reversed(hits)])
    [refused] = watch("measures", "demo", "--state", "refused")[1]
    assert "seller appealed" in refused["trouble"]
    assert watch("measures", "demo", "--limit", "2")[1] == listed[:2]
    assert watch("measures", "elsewhere")[1] == "watch.marketplace_not_found"
    _, sellers = watch("sellers", "demo")
    assert [(each["number"], each["confirmed"]) for each in sellers] == [("s0", 1), ("s1", 1), ("s2", 1)]
    assert [each["number"] for each in watch("sellers", "demo", "S1")[1]] == ["s1"]
    assert watch("sellers", "demo", "nobody") == (1, [])
    for verb in ("measures", "sellers"):
        assert run(build(), ["watch", verb, "demo", "--organisation", str(market.jo.actor.organisation_id)]) == 0


def test_marks_are_described_and_made_anew(watch, market, capsys):
    _, before = watch("marks")
    own = ("--organisation", str(market.mei.actor.organisation_id))
    _, after = watch("marks", "--right", market.right.number, "--alias", "红灯笼", "--near", *own, mine=False)
    assert (before["marks"], after["marks"]) == (1, 1)
    assert before["version"] != after["version"]
    assert watch("marks", "--right", market.right.number, "--near")[1] == "rights.not_found"
    assert run(build(), ["watch", "marks"]) == 0
    assert after["version"][:16] in capsys.readouterr().err


def test_what_is_not_said_of_a_mark_stays_as_it_was_said(watch, market):
    own = ("--organisation", str(market.mei.actor.organisation_id))

    def described(*arguments):
        assert watch("marks", "--right", market.right.number, *arguments, *own, mine=False)[0] == 0
        note = MarkNote.objects.get()
        return note.aliases, note.distinctiveness, note.near, note.well_known

    assert described("--alias", "红灯笼", "--near") == (["红灯笼"], None, True, False)
    assert described("--distinctiveness", "900") == (["红灯笼"], 900, True, False)
    assert described("--no-near", "--well-known") == (["红灯笼"], 900, False, True)
    assert described("--alias", "red lamp") == (["red lamp"], 900, False, True)
    assert described() == (["red lamp"], 900, False, True)


def test_a_limit_below_one_is_wrong_use(watch, market, capsys):
    own = ("--organisation", str(market.jo.actor.organisation_id))
    for verb in (("reverse", "lantern"), ("hits", *own), ("measures", "demo", *own), ("sellers", "demo", *own)):
        assert run(build(), ["watch", *verb, "--limit", "-1"]) == 2, verb
    capsys.readouterr()


def test_trusted_titles_teach_how_distinctive_marks_are(watch, market, tmp_path):
    _, before = watch("marks")
    lesson = tmp_path / "catalogue.csv"
    lesson.write_text("title,brand\n" + "".join(f"red lantern lamp,Brand {at}\n" for at in range(9)), "utf-8")
    own = ("--organisation", str(market.mei.actor.organisation_id))
    _, after = watch("marks", "--teach", str(lesson), *own, mine=False)
    assert before["version"] != after["version"]
    lesson.write_text("name\nx\n", "utf-8")
    assert watch("marks", "--teach", str(lesson), *own, mine=False)[1] == "watch.lesson_malformed"


def test_a_title_steers_no_terminal_and_is_shown_with_what_it_hides(watch, market, capsys):
    market.hit(raw("1", title="RED LAN\u200bTERN [/b] [red]lamp\u202e"))
    own = ("--organisation", str(market.jo.actor.organisation_id))
    assert run(build(), ["watch", "hits", *own]) == 0
    listed = "".join(capsys.readouterr().out.split())
    assert "LAN[U+200B]TERN[/b][red]lamp[U+202E]" in listed
    assert run(build(), ["watch", "hits", "H-2026-000001", *own]) == 0
    told = capsys.readouterr().out
    assert "RED LAN[U+200B]TERN" in told
    assert not {"\u200b", "\u202e"} & set(told)
    assert watch("hits", "--right", "R-2026-999999") == (1, [])


def test_people_read_words_and_programs_codes(watch, market, capsys):
    market.hit(raw("1", title="R3D LANTERN lamp"))
    own = ("--organisation", str(market.jo.actor.organisation_id))
    assert run(build(), ["watch", "hits", *own]) == 0
    assert "Waits for review" in capsys.readouterr().out
    assert run(build(), ["watch", "hits", "H-2026-000001", *own]) == 0
    told = " ".join(capsys.readouterr().out.split())
    assert "proposes: review." in told
    assert "Way of writing: digits and look-alike letters" in told
    assert "title: R3D LANTERN = RED LANTERN (digits and look-alike letters)" in told
    assert {each["state"] for each in watch("hits", "--state", "open")[1]} == {"open"}
    assert run(build(), ["watch", "hits", "--state", "gone", *own]) == 1
    assert "There is none." in capsys.readouterr().err
    assert run(build(), ["watch", "hits", "--state", "nosuch", *own]) == 2
    assert run(build(), ["watch", "rules", *own]) == 0
    assert "in force" in capsys.readouterr().out
    decide_hit(
        "H-2026-000001",
        Opinion(answer="confirm", why="counterfeit", measure="hold"),
        by=market.jo.actor,
        at=clock.now(),
    )
    assert run(build(), ["watch", "measures", "demo", *own]) == 0
    assert "on its way" in capsys.readouterr().out


def test_a_bar_goes_through_both_passes_of_a_scan():
    class Kept:
        def __init__(self):
            self.at, self.seen = 0, []

        def step(self, by):
            self.at += by

        def call(self, label):
            self.seen.append((self.at, label))

    bar = Kept()
    far = Far(bar)
    scan = Scan(number="S-1", state="running", partitions=4, rate=7, marketplace=Marketplace(name="demo"))
    for counted, done, at in ((None, 0, 0), (0, 0, 0), (3, 0, 75), (4, 0, 0), (4, 2, 50), (4, 4, 100)):
        scan.counted, scan.partitions_done = counted, done
        far.show(summary_of(scan))
        assert bar.at == at
    assert len({label for _, label in bar.seen}) == 2
    assert all("S-1" in label and "7" in label for _, label in bar.seen)


def test_a_picture_that_was_found_is_told_and_what_stopped_a_scan_is_a_sentence(watch, market, tmp_path, capsys):
    hit = market.hit()
    found = {"work": "W-2026-000001", "right": "", "picture": 1, "stage": "codes", "score": 970}
    Hit.objects.update(found={"pictures": [found]})
    own = ("--organisation", str(market.jo.actor.organisation_id))
    assert run(build(), ["watch", "hits", hit.number, *own]) == 0
    assert "Picture 2: the same picture, W-2026-000001, score 970" in capsys.readouterr().out
    assert run(build(), ["watch", "scan", "demo", str(tmp_path / "none-*.parquet"), *own]) == 1
    printed = capsys.readouterr().err
    assert "It did not come to its end: " in printed
    assert "watch.scan_empty" not in printed
