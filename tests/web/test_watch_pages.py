"""Pages of the watch: who sees what, how a hit is explained, and how persons decide through forms."""

from __future__ import annotations

import csv
import io
import re
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from hashlib import sha256
from itertools import islice
from uuid import uuid4

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.utils import translation
from django.utils.html import escape
from PIL import Image
from world.market import BEFORE, NAMED, Market, key, raw
from world.pages import PageWorld
from world.rights import filed, lantern, verified

from chopmark.base import clock
from chopmark.watch import life, sampling
from chopmark.watch.actions.marketplace import NewMarketplace, change_marketplace
from chopmark.watch.actions.markset import make_mark_set
from chopmark.watch.actions.measure import send_measures
from chopmark.watch.actions.review import Opinion, claim_review, decide_hit
from chopmark.watch.actions.rules import count_rules, propose_rule
from chopmark.watch.actions.scan import NewScan, start_scan
from chopmark.watch.found import View
from chopmark.watch.models import Hit, Inbox, MarkNote, Measure, RuleChange, RuleRow, Scan, Seller, Task, Vote
from chopmark.watch.queries.figures import Day
from chopmark.watch.queries.pictures import cache_folder
from chopmark.watch.rules.language import parse
from chopmark.watch.rules.rule import default, read_toml
from chopmark.watch.shelf import Cache
from chopmark.web.forms.watch import RuleForm, as_toml, typed_rule
from chopmark.web.views import watch_hits, watch_nav, watch_words
from chopmark.web.views.watch import drawing, duration, percent
from chopmark.web.views.watch_words import pieces, points

CHINESE = {"accept-language": "zh-CN"}
PAGES = (
    "",
    "queue",
    "hits",
    "scans",
    "marks",
    "rules",
    "rules/named",
    "marketplaces",
    "marketplaces/demo",
    "marketplaces/demo/sellers",
    "marketplaces/demo/measures",
)
OWNERS_PAGES = ("rules/new", "rules/new?of=named", "marketplaces/new", "marketplaces/demo/seller")
RULE = {
    "name": "cheap-lanterns",
    "zh": "低价灯笼",
    "en": "cheap lanterns",
    "reason": "counterfeit",
    "action": "review",
    "condition": "text_score >= 900 AND price_ratio < 0.4",
    "flags_a_day": "50",
    "needed": "990",
    "expires": "",
    "marketplaces": "demo",
    "rights": "",
    "examples": '[[positive]]\nsays = "cheap"\ntext_score = 950\nprice_ratio = 0.2\n\n[[ negative ]]\nsays = "dear"\n',
}


@pytest.fixture
def world(db, settings, tmp_path):
    settings.CHOPMARK_HOME = tmp_path / "home"
    return PageWorld.made(settings.CHOPMARK_HOME, at=BEFORE)


@pytest.fixture
def market(world):
    return Market.made(world, world.person("Mei Lan"), world.person("Jo Smith"))


@pytest.fixture
def jo(market):
    return market.jo


@pytest.fixture
def ann(market):
    return market.world.person("Ann", role="depositor", of=market.jo)


@pytest.fixture
def viewer(market):
    return market.world.person("Vera", role="viewer", of=market.jo)


@pytest.fixture(autouse=True)
def _no_samples(monkeypatch):
    monkeypatch.setattr(sampling, "drawn", lambda *_parts: False)


@pytest.fixture(autouse=True)
def _the_worlds_clock(request, monkeypatch):
    """Pages live at the same time as what the world made."""
    if "market" in request.fixturenames:
        world = request.getfixturevalue("market").world
        monkeypatch.setattr("chopmark.base.clock.now", world.now)


def said(client, path, **data):
    """Post a form and read the page that follows."""
    answer = client.post(f"/watch/{path}", data, follow=True)
    assert answer.status_code == 200, answer.text[:2000]
    return answer.text


# ---- who may see what


@pytest.mark.parametrize("path", ["", "queue", "hits", "hits/H-2026-000001", "scans", "rules", "marketplaces"])
def test_a_stranger_is_led_to_the_sign_in_page(world, path):
    answer = Client().get(f"/watch/{path}")
    assert answer["Location"].startswith("/accounts/login/?next=")


def test_every_page_opens_in_both_languages_with_one_heading_and_nothing_inline(market, jo):
    hit = market.hit(raw(title="RED LANTERN replica lamp"))
    for path in (*PAGES, *OWNERS_PAGES, f"hits/{hit.number}"):
        for headers in ({}, CHINESE):
            answer = jo.client.get(f"/watch/{path}", headers=headers)
            assert answer.status_code == 200, path
            assert len(re.findall(r"<h1[ >]", answer.text)) == 1, path
            assert not re.search(r"\sstyle=|\son\w+=|<style", answer.text), path
            assert "private" in answer["Cache-Control"], path


def test_a_viewer_reads_and_changes_nothing(market, viewer):
    hit = market.hit()
    for path in (*PAGES, f"hits/{hit.number}"):
        page = viewer.client.get(f"/watch/{path}")
        assert page.status_code == 200, path
        assert 'name="answer"' not in page.text, path
        assert 'name="to"' not in page.text, path
    for path in OWNERS_PAGES:
        assert viewer.client.get(f"/watch/{path}").status_code == 403, path
    for path, data in forbidden(hit.number):
        assert viewer.client.post(f"/watch/{path}", data).status_code == 403, path
    assert not Vote.objects.exists()
    assert Hit.objects.get().state == "open"


def forbidden(number):
    """Everything that a form can ask for."""
    yes = {"answer": "confirm", "why_confirm": "counterfeit"}
    return [
        ("queue/next", {}),
        (f"hits/{number}/decide", yes),
        (f"hits/{number}/undo", {}),
        (f"hits/{number}/matter", {}),
        (f"hits/{number}/golden", {"answer": "confirm"}),
        ("hits/many", {**yes, "hit": number}),
        ("rules/named/move", {"to": "stopped"}),
        ("rules/named/move", {"to": "ended", "seq": "1"}),
        ("rules/named/try", {"seq": "1"}),
        ("rules/adopt", {}),
        ("rules/card", {}),
        ("rules/card", {"to": "shipped"}),
        ("rules/new", RULE),
        ("scans", {"marketplace": "demo", "source": "*.parquet", "runner": "native"}),
        ("marketplaces/new", {"name": "other", "title": "Other"}),
        ("marketplaces/demo", {"title": "Mine"}),
        ("marketplaces/demo/stop", {}),
        ("marketplaces/demo/revive", {}),
        ("marketplaces/demo/seller", {"number": "s1"}),
    ]


def test_a_reviewer_judges_and_leaves_rules_scans_and_marketplaces_alone(market, ann):
    hit = market.hit()
    owners = [
        (path, data) for path, data in forbidden(hit.number) if path.startswith(("rules", "scans", "marketplaces"))
    ]
    for path, data in [*owners, (f"hits/{hit.number}/golden", {"answer": "confirm"})]:
        assert ann.client.post(f"/watch/{path}", data).status_code == 403, path
    assert "Key of its measures" not in ann.client.get("/watch/marketplaces/demo").text
    assert RuleRow.objects.get(name="named").state == "live"
    assert "Confirmed" in said(ann.client, f"hits/{hit.number}/decide", answer="confirm", why_confirm="counterfeit")


def test_what_could_not_be_judged_is_judged_once_more_when_an_owner_says_so(market, jo, ann):
    market.push(raw())
    Inbox.objects.update(dead_at=market.world.now(), tries=5, trouble="watch.listing_unjudged")
    page, other = (who.client.get("/watch/marketplaces/demo").text for who in (jo, ann))
    assert ("Judge them once more" in page, "Judge them once more" in other) == (True, False)
    answer = jo.client.post("/watch/marketplaces/demo/revive", follow=True)
    assert "They are judged once more." in answer.text
    assert (Inbox.objects.get().dead_at, Inbox.objects.get().tries) == (None, 0)


def test_what_belongs_to_others_does_not_exist(market):
    hit = market.hit()
    scan = start_scan(NewScan(marketplace="demo"), by=market.jo.actor, at=market.world.now())
    stranger = market.world.person("Stranger")
    for path in (
        f"hits/{hit.number}",
        f"hits/{hit.number}/proof.json",
        f"hits/{hit.number}/pictures/0.png",
        f"scans/{scan.number}",
        f"scans/{scan.number}/progress",
        "rules/named",
        "marketplaces/demo",
        "marketplaces/demo/sellers",
        "marketplaces/demo/seller",
        "marketplaces/demo/measures",
        f"marks/{hit.right_number}",
    ):
        assert stranger.client.get(f"/watch/{path}").status_code == 404, path
    assert stranger.client.post(f"/watch/hits/{hit.number}/decide", {"answer": "skip"}).status_code == 404
    assert stranger.client.post(f"/watch/scans/{scan.number}/stop").status_code == 404
    assert hit.number not in stranger.client.get("/watch/hits").text
    assert "LANTERN" not in stranger.client.get("/watch/queue").text


def test_the_holder_of_the_right_sees_the_hit_and_not_the_marketplaces_own_pages(market):
    hit = market.hit()
    page = market.mei.client.get(f"/watch/hits/{hit.number}").text
    assert f"/rights/{hit.right_number}" in page
    assert "Whoever runs the marketplace can prove" in page
    assert market.mei.client.get("/watch/marketplaces/demo").status_code == 404
    assert hit.number in market.mei.client.get("/watch/queue").text


# ---- why


def test_a_hit_page_says_which_mark_which_view_which_characters_which_rule_and_which_right(market, jo):
    hit = market.hit(raw(title="replica RED L\u0410NTERN lamp"))  # a Cyrillic A
    page = jo.client.get(f"/watch/hits/{hit.number}").text
    assert "<mark>RED L\u0410NTERN</mark>" in page
    assert "U+0410 CYRILLIC CAPITAL LETTER A" in page
    assert "Look-alike or invisible characters" in page
    assert hit.right_number in page
    for name, version in hit.rules:
        assert f'href="/watch/rules/{name}"' in page
        assert version[:12] in page
    assert "This is a suspicion with its reasons" in page
    assert "The seller holds a licence" in page
    assert "这是附有理由的怀疑" in jo.client.get(f"/watch/hits/{hit.number}", headers=CHINESE).text


def test_what_cannot_be_seen_is_shown_by_its_code_point_and_markup_stays_text(market, jo):
    hit = market.hit(raw(title="RED LAN\u200bTERN \u202egnp <script>alert(1)</script>"))
    page = jo.client.get(f"/watch/hits/{hit.number}").text
    assert '<span class="odd odd-on">U+200B</span>' in page
    assert '<span class="odd">U+202E</span>' in page
    assert "\u202e" not in page
    assert "<script>alert" not in page


def test_pieces_together_are_the_whole_text():
    text = "a\u200bbc\u202ed\ne"
    shown = pieces(text, [(1, 3), (-5, 1), (5, 99)])
    assert "".join(each.text or chr(int(f"0x{each.odd[2:]}", 0)) for each in shown) == text
    assert [each.odd for each in shown if each.odd] == ["U+200B", "U+202E"]
    assert "".join(each.text for each in shown if each.on) == "abd\ne"
    assert pieces("", [(0, 3)]) == []


def test_points_name_only_what_is_not_plain():
    assert points("nike") == ""
    assert points("nik\u0435\u200b") == "\u0435 U+0435 CYRILLIC SMALL LETTER IE, U+200B ZERO WIDTH SPACE"


def test_every_code_that_a_page_may_meet_has_words():
    assert set(View.__args__) == set(watch_words.VIEW_WORDS)
    assert set(life.STATES) == set(watch_words.STATE_WORDS)
    assert set(life.Reason.__args__) == set(watch_words.WHY_WORDS)
    assert set(life.Event.__args__) <= set(watch_words.STEP_WORDS)


# ---- deciding


def test_a_takedown_through_the_page_needs_two_persons_and_can_be_taken_back(market, jo, ann):
    hit = market.hit()
    path = f"hits/{hit.number}/decide"
    down = {"answer": "confirm", "why_confirm": "counterfeit", "measure": "takedown", "note": "stitching"}
    page = said(ann.client, path, **down)
    assert "waits for a second person" in page
    assert "You have judged it; another person has to." in page
    assert 'name="answer"' not in page
    assert "A first person asked for: Takedown" in jo.client.get(f"/watch/hits/{hit.number}").text
    assert "Confirmed" in said(jo.client, path, answer="confirm", why_confirm="counterfeit")
    assert Measure.objects.get().kind == "takedown"
    page = said(jo.client, f"hits/{hit.number}/undo")
    assert "was taken back" in page
    assert Hit.objects.get().state == "open"
    assert "stitching" in page


def test_an_answer_that_does_not_fit_is_said_and_changes_nothing(market, jo):
    hit = market.hit()
    for data in ({"answer": "confirm", "why_confirm": "genuine"}, {"answer": "explode"}, {}):
        answer = jo.client.post(f"/watch/hits/{hit.number}/decide", data)
        assert (answer.status_code, 'role="alert"' in answer.text) == (422, True)
    assert Hit.objects.get().state == "open"


def test_what_was_typed_is_there_again_when_it_was_refused(market, jo, ann):
    hit = market.hit()
    path = f"/watch/hits/{hit.number}/decide"
    typed = {"answer": "confirm", "why_confirm": "genuine", "why_dismiss": "unclear", "measure": "hold"}
    answer = jo.client.post(path, {**typed, "note": "the <seam>"})
    assert answer.status_code == 422
    assert ">the &lt;seam&gt;</textarea>" in answer.text
    assert '<option value="unclear" selected>' in answer.text
    assert '<option value="hold" selected>' in answer.text
    said(ann.client, f"hits/{hit.number}/decide", answer="dismiss", why_dismiss="genuine")  # faster than jo
    answer = jo.client.post(path, {**typed, "why_confirm": "counterfeit", "note": "the <seam>"})
    assert 'name="note"' not in answer.text
    assert "Your note was: the &lt;seam&gt;" in answer.text


def test_a_card_that_was_refused_has_what_was_typed_and_one_that_is_gone_says_it(market, jo):
    market.hit()
    card = jo.client.post("/watch/queue/next")["Location"]
    typed = {"answer": "confirm", "why_confirm": "genuine", "note": "the <seam>"}
    answer = jo.client.post(card, typed)
    assert answer.status_code == 422
    assert ">the &lt;seam&gt;</textarea>" in answer.text
    jo.client.post(f"{card}/back")
    page = jo.client.post(card, {**typed, "why_confirm": "counterfeit"}, follow=True).text
    assert "not on your desk" in page
    assert "Your note was: the &lt;seam&gt;" in page


def test_many_are_decided_together_and_taken_back_together(market, jo):
    numbers = [market.hit(raw(str(each))).number for each in range(3)]
    assert all(f'value="{each}"' in jo.client.get("/watch/queue").text for each in numbers)
    back = "/watch/hits?state=open"
    answer = jo.client.post(
        "/watch/hits/many",
        {"hit": [*numbers, "H-1999-000001"], "answer": "dismiss", "why_dismiss": "genuine", "back": back},
    )
    assert answer["Location"] == back
    page = jo.client.get("/watch/queue").text
    assert "3 hits were decided." in page
    assert "H-1999-000001: There is no such hit here." in page
    assert "Take the last decision over many back" in page
    assert "3 decisions were taken back." in said(jo.client, "hits/many/undo")
    assert {each.state for each in Hit.objects.all()} == {"open"}


@pytest.mark.parametrize("back", ["https://evil.example/", "//evil.example", "/watch/hitsx", "/watch/hits?\r\nX: y"])
def test_a_form_leads_nowhere_else(market, jo, back):
    answer = jo.client.post("/watch/hits/many", {"answer": "dismiss", "why_dismiss": "genuine", "back": back})
    assert answer["Location"] == "/watch/queue"


# ---- cards


def test_cards_come_one_after_the_other_until_nothing_waits(market, jo):
    numbers = [market.hit(raw(str(each))).number for each in range(2)]
    assert Vote.objects.count() == 0
    answer = jo.client.post("/watch/queue/next")
    seen = []
    for _turn in numbers:
        card = answer["Location"]
        page = jo.client.get(card).text
        seen.append(re.search(r"<h1[^>]*>(H-[0-9-]+)", page)[1])
        assert 'name="answer" value="skip"' in page
        answer = jo.client.post(card, {"answer": "dismiss", "why_dismiss": "genuine"})
    assert sorted(seen) == numbers
    assert answer["Location"] == "/watch/queue"
    assert "Nothing waits for you." in jo.client.get("/watch/queue").text
    assert {each.state for each in Hit.objects.all()} == {"dismissed"}


def test_looking_claims_nothing_and_a_card_is_one_persons_until_it_is_put_back(market, jo, ann):
    market.hit()
    jo.client.get("/watch/queue")
    card = ann.client.post("/watch/queue/next")["Location"]
    assert jo.client.post("/watch/queue/next", follow=True).text.count("Nothing waits for you.") == 1
    assert "not on your desk" in jo.client.get(card, follow=True).text
    assert "not on your desk" in jo.client.post(card, {"answer": "skip"}, follow=True).text
    ann.client.post(f"{card}/back")
    assert "/cards/" in jo.client.post("/watch/queue/next")["Location"]
    assert jo.client.get(f"/watch/queue/cards/{uuid4()}").status_code == 302


def test_a_golden_sample_looks_like_any_hit_and_its_answer_is_not_told(market, jo, ann, monkeypatch):
    hit = market.hit()
    yes = Opinion(answer="confirm", why="counterfeit")
    decide_hit(hit.number, yes, by=jo.actor, at=market.world.now())
    assert "they do not know" in said(jo.client, f"hits/{hit.number}/golden", answer="confirm")
    monkeypatch.setattr(sampling, "drawn", lambda _key, _share, kind, *_more: kind == "golden")
    card = ann.client.post("/watch/queue/next")["Location"]
    page = ann.client.get(card).text
    assert "Waits for review" in page
    assert "Jo Smith" not in page.split("<main")[1]
    page = ann.client.post(card, {"answer": "dismiss", "why_dismiss": "genuine"}, follow=True).text
    assert "Your answer is noted." in page
    assert hit.number not in page
    assert Hit.objects.get().state == "confirmed"
    owners = jo.client.get("/watch/queue").text
    assert "0 / 1" in owners
    assert "Reviewers" not in ann.client.get("/watch/queue").text


def test_a_card_tells_of_a_seller_only_what_the_reviewer_may_see(market, jo):
    other = market.world.person("Otto")
    verified(market.world, other, lantern(registration_number="018000077", application_number="018000077"))
    make_mark_set(at=market.world.now())
    market.hit(raw("1"))
    assert Hit.objects.values("organisation").distinct().count() == 2
    card = market.mei.client.post("/watch/queue/next")["Location"]
    assert "Waits for review: 1<" in market.mei.client.get(card).text
    assert "Waits for review: 2<" in jo.client.get(jo.client.post("/watch/queue/next")["Location"]).text


# ---- figures


def test_the_dashboard_counts_cuts_and_exports(market, jo):
    market.hit(raw("1"), raw("2", title="a plain lamp"))
    page = jo.client.get("/watch/?by=seller&days=7").text
    assert 'href="/watch/hits?seller=s1"' in page
    assert "<svg" in page
    text = jo.client.get("/watch/figures.csv?by=seller&days=7")
    assert text["Content-Type"].startswith("text/csv")
    assert next(islice(csv.reader(text.text.splitlines()), 1, None))[:2] == ["s1", "1"]
    for query in ("by=price", "days=8", "days=", "by=class&days=99999999999"):
        assert jo.client.get(f"/watch/?{query}").status_code == 404, query
        assert jo.client.get(f"/watch/figures.csv?{query}").status_code == 404, query


def test_new_hits_come_onto_the_dashboard_by_themselves(market, jo):
    page = jo.client.get("/watch/").text
    assert 'data-fragment="/watch/latest"' in page
    assert "H-2026-" not in jo.client.get("/watch/latest").text
    hit = market.hit()
    piece = jo.client.get("/watch/latest")
    assert hit.number in piece.text
    assert "X-Finished" not in piece
    assert "<html" not in piece.text


def test_a_list_marks_where_the_name_stands(market, jo):
    market.hit(raw("1", title="Hall lamp, RED LANTERN, new"))
    for page in ("/watch/", "/watch/hits", "/watch/queue"):
        assert "Hall lamp, <mark>RED LANTERN</mark>, new" in jo.client.get(page).text, page


def test_a_table_of_rights_says_their_names_to_who_may_see_them(market, jo):
    hit = market.hit()
    own = market.mei.client.get("/watch/?by=right").text
    assert f'<div class="quiet below">{hit.right_number}</div>' in own
    assert 'class="quiet below"' not in jo.client.get("/watch/?by=right").text
    file = SimpleUploadedFile("lantern.txt", b"A lantern over the water, and over it the moon. " * 9, "text/plain")
    said_of_it = {"title": "Lantern song", "authors": "Mei Lan", "statement": "All rights reserved."}
    typed = {**said_of_it, "basis": "author", "mining": "reserved", "shown": "private", "file": file}
    work = market.mei.client.post("/works/new", typed)["Location"].rsplit("/", 1)[1]
    Hit.objects.update(right_number=work)
    assert (
        f'<bdi>Lantern song</bdi></a><div class="quiet below">{work}</div>'
        in market.mei.client.get("/watch/?by=right").text
    )


def test_an_empty_dashboard_says_how_to_begin(world):
    page = world.person("Bo Wen").client.get("/watch/", headers=CHINESE).text
    assert "尚未扫描任何商品" in page
    assert "登记交易平台" in page
    assert "已完成" not in page


def test_until_the_first_scan_ends_the_dashboard_says_what_is_done_and_what_runs(market):
    owner, clerk = market.jo.client, market.world.person("Clerk", role="depositor", of=market.jo).client
    page = owner.get("/watch/").text
    assert (page.count(">Done</span>"), "/watch/marketplaces/new" in page, "S-2026-" in page) == (2, False, False)
    assert 'href="/watch/scans">Start a scan' in page
    assert 'href="/watch/scans">Start a scan' not in clerk.get("/watch/").text
    scan = start_scan(NewScan(marketplace="demo"), by=market.jo.actor, at=market.world.now())
    page = owner.get("/watch/", headers=CHINESE).text
    assert page.count("已完成</span>") == 3
    assert f'href="/watch/scans/{scan.number}"' in page
    assert "扫描过程中发现的内容会陆续显示在此页。" in page


def test_figures_are_worded_in_the_unit_that_suits():
    with translation.override("en"):
        assert [duration(each) for each in (None, 0.5, 5, 200)] == ["–", "30 minutes", "5.0 hours", "8 days"]
    assert (percent(None), percent(12)) == ("–", "1.2 %")
    assert drawing([], first=date(2026, 3, 1), last=date(2026, 3, 30)) is None


def test_days_are_drawn_where_they_stand_in_all_the_days_that_were_asked_for():
    days = [Day(day=date(2026, 3, 30), scanned=9, flagged=4, removed=1)]
    drawn = drawing(days, first=date(2026, 3, 1), last=date(2026, 3, 30))
    step = drawn["width"] / 30
    assert [each["name"] for each in drawn["bars"]] == ["flagged", "removed"]
    assert all(29 * step < each["x"] < each["x"] + each["width"] <= drawn["width"] for each in drawn["bars"])
    assert (drawn["first"], drawn["last"]) == (date(2026, 3, 1), date(2026, 3, 30))


# ---- scans


def test_a_scan_is_asked_for_followed_and_stopped(market, jo):
    page = said(jo.client, "scans", marketplace="demo", source="*.parquet", runner="native")
    scan = Scan.objects.get()
    assert scan.number in page
    assert f'data-fragment="/watch/scans/{scan.number}/progress"' in page
    Scan.objects.update(state="running", partitions=4, partitions_done=1, scanned=1000, rate=250, remaining=12)
    piece = jo.client.get(f"/watch/scans/{scan.number}/progress")
    assert "X-Finished" not in piece
    assert 'value="1"' in piece.text
    assert "about 12 seconds left" in piece.text
    assert "First pass" not in piece.text
    Scan.objects.update(counted=3, partitions_done=0)
    counting = jo.client.get(f"/watch/scans/{scan.number}/progress").text
    assert "about 12 seconds left of it" in counting
    assert 'value="3"' in counting
    assert "3 / 4" in counting
    Scan.objects.update(counted=4)
    assert "First pass" not in jo.client.get(f"/watch/scans/{scan.number}/progress").text
    assert "data-fragment" not in said(jo.client, f"scans/{scan.number}/stop")
    assert jo.client.get(f"/watch/scans/{scan.number}/progress")["X-Finished"] == "1"


@pytest.mark.parametrize(
    "typed",
    [{"source": "../../keys/*"}, {"runner": "file:///etc"}, {"runner": "10.0.0.1:6379"}, {"marketplace": "other"}],
)
def test_a_scan_that_may_not_be_comes_back_with_its_reason(market, jo, typed):
    data = {"marketplace": "demo", "source": "*.parquet", "runner": "native", **typed}
    answer = jo.client.post("/watch/scans", data)
    assert answer.status_code == 422
    assert "errorlist" in answer.text
    assert not Scan.objects.exists()


# ---- rules


def test_a_rule_is_proposed_put_in_its_shadow_published_and_stopped(market, jo):
    page = said(jo.client, "rules/new", **RULE)
    assert "Cheap lanterns" in page
    assert "Draft" in page
    refused = said(jo.client, "rules/cheap-lanterns/move", to="shadow", seq="1")
    assert "needs at least 3 examples" in refused
    assert "is in force, and this is its very text" in said(jo.client, "rules/named/move", to="shadow", seq="1")
    assert ">Into its shadow" not in jo.client.get("/watch/rules/named").text
    said(jo.client, "rules/named/move", to="stopped", why="a pause")
    assert "counts what it would flag" in said(jo.client, "rules/named/move", to="shadow", seq="1")
    assert "It is in force." in said(jo.client, "rules/named/move", to="live", seq="1")
    assert "too many complaints" in said(jo.client, "rules/named/move", to="stopped", why="too many complaints")
    assert RuleRow.objects.get(name="named").state == "stopped"
    for data in (
        {"to": "nowhere", "seq": "1"},
        {"to": "live", "seq": "x"},
        {"to": "live"},
        {"to": "shadow", "seq": "9"},
    ):
        assert jo.client.post("/watch/rules/named/move", data).status_code == 404, data


def test_a_newer_version_of_a_rule_is_shown_before_it_is_let_in(market, jo):
    assert "not in force" not in jo.client.get("/watch/rules/named").text
    newer = replace(NAMED, condition=parse("text_score >= 700"), flags_a_day=77)
    propose_rule(newer, by=jo.actor, at=market.world.now())
    page = jo.client.get("/watch/rules/named").text
    assert "Version 2, not in force" in page
    shown = page.split('id="head-newer"')[1].split("</section>")[0]
    assert "text_score &gt;= 700" in shown
    assert "<dd>77</dd>" in shown
    assert "Precision" not in shown
    assert "Publish · version 2</button>" in page
    said(jo.client, "rules/named/move", to="live", seq="2")
    assert "not in force" not in jo.client.get("/watch/rules/named").text


def test_a_trial_stands_beside_the_version_in_force_day_by_day(market, jo):
    newer = replace(NAMED, condition=parse("text_score >= 500 AND title_length < 17"), flags_a_day=77)
    propose_rule(newer, by=jo.actor, at=market.world.now())
    assert "counts what it would flag" in said(jo.client, "rules/named/move", to="shadow", seq="2")
    market.push(raw("1"), raw("2", title="RED LANTERN lamp of a long name"))
    market.work()
    page = jo.client.get("/watch/rules/named").text
    assert "not in force" not in page
    shown = page.split('aria-labelledby="head-trial"')[1].split("</section>")[0]
    assert "Version 2 in its shadow, beside version 1 in force" in shown
    assert "title_length &lt; 17" in shown
    assert "<dd>77</dd>" in shown
    cells = [each.split("</td>")[0] for each in shown.split('<td class="num"')[1:]]
    assert [each.split(">")[1] for each in cells] == ["2 / 2 · 100.0 %", "1 / 2 · 50.0 %", "0"]
    assert "would have been stopped" not in shown
    assert "version 2 in its shadow" in jo.client.get("/watch/rules").text
    chinese = jo.client.get("/watch/rules/named", headers={"Accept-Language": "zh-Hans"}).text
    assert "第 2 版试运行，第 1 版同时生效" in chinese
    assert "no more. Look again" in said(jo.client, "rules/named/move", to="ended", seq="1")
    assert "The trial is over." in said(jo.client, "rules/named/move", to="ended", seq="2")
    assert "Trial ended" in jo.client.get("/watch/rules/named").text
    assert "head-trial" not in jo.client.get("/watch/rules/named").text
    assert (RuleRow.objects.get(name="named").state, RuleRow.objects.get(name="named").version) == ("live", 1)


def test_a_third_version_takes_the_place_of_the_trial_only_when_asked(market, jo):
    second, third = (replace(NAMED, condition=parse(f"text_score >= {least}")) for least in (400, 300))
    propose_rule(second, by=jo.actor, at=market.world.now())
    said(jo.client, "rules/named/move", to="shadow", seq="2")
    propose_rule(third, by=jo.actor, at=market.world.now())
    page = jo.client.get("/watch/rules/named").text
    assert "Version 3, not in force" in page
    assert "takes the place of the trial that runs" in page
    assert page.count("Publish · version ") == 2
    said(jo.client, "rules/named/move", to="shadow", seq="3")
    assert "Version 3 in its shadow, beside version 1 in force" in jo.client.get("/watch/rules/named").text


def test_a_trial_that_an_alarm_would_stop_says_so(market, jo):
    wide = replace(NAMED, condition=parse("text_score >= 300"), flags_a_day=1)
    propose_rule(wide, by=jo.actor, at=market.world.now())
    said(jo.client, "rules/named/move", to="shadow", seq="2")
    count_rules(jo.actor.organisation_id, {key(wide): (9, 3, 0)}, at=clock.now())
    page = jo.client.get("/watch/rules/named").text
    assert "this version would have been stopped today" in page
    assert 'class="alert alert-danger' not in page
    assert RuleRow.objects.get(name="named").state == "live"


@pytest.mark.parametrize(
    ("typed", "says"),
    [
        ({"condition": "text_score >= 1; DROP TABLE x"}, "at character"),
        ({"condition": "version() = 'x'"}, "at character"),
        ({"name": "No Such Name"}, "This is no rule"),
        ({"examples": "[[positive]]\nsays = "}, "cannot be read"),
        ({"examples": '[other]\nzh = "x"'}, "errorlist"),
        ({"examples": '[[positive]]\nsays = "x"\nno_such_feature = 1'}, "no such feature"),
        ({"flags_a_day": "0"}, "errorlist"),
    ],
)
def test_a_rule_that_cannot_be_read_comes_back_filled(market, jo, typed, says):
    answer = jo.client.post("/watch/rules/new", {**RULE, **typed})
    assert answer.status_code == 422
    assert says in answer.text
    assert "低价灯笼" in answer.text
    assert not RuleRow.objects.filter(name="cheap-lanterns").exists()


def test_the_form_of_a_rule_says_the_same_rule_again():
    for rule in (*default().rules, NAMED):
        typed = typed_rule(rule)
        form = RuleForm({**typed, "marketplaces": "", "rights": "", "expires": typed["expires"] or ""})
        assert form.is_valid(), (rule.id, form.errors)
        [again] = read_toml(as_toml(form.cleaned_data)).rules
        assert again.condition == rule.condition
        assert again.version == rule.version, rule.id


def test_without_a_scan_there_is_no_history_to_try_a_rule_on(market, jo):
    assert "There is no history yet" in said(jo.client, "rules/named/try", seq="1")
    assert jo.client.post("/watch/rules/named/try", {"seq": "77"}).status_code == 404


def test_a_rule_that_its_alarm_stopped_says_so_at_its_head(market, jo):
    row = RuleRow.objects.get(name="named")
    told = {"rule": "named", "flagged": 900, "budget": 50}
    RuleChange.objects.create(
        rule=row, seq=1, state="stopped", why="watch.alarm_budget", facts=told, at=market.world.now()
    )
    RuleRow.objects.update(state="stopped")
    for name, words in (("named", "more than its budget of 50"), ("replica", "")):
        page = jo.client.get(f"/watch/rules/{name}").text
        assert page.count('class="alert alert-danger mb-4" role="alert"') == bool(words)
        assert words in page


def test_the_rules_that_ship_are_taken_over_once(market, jo):
    shipped = len(default().rules)
    assert f"{shipped} rules run in their shadow" in said(jo.client, "rules/adopt")
    assert "0 rules run" in said(jo.client, "rules/adopt")
    page = jo.client.get("/watch/rules/disguised-mark").text
    assert "disguised = TRUE" in page
    assert "= True" not in page


def test_a_card_is_learned_when_there_is_enough_to_learn_of(market, jo):
    assert "The card that ships is in use." in jo.client.get("/watch/rules").text
    assert "Each third of the decided hits must have" in said(jo.client, "rules/card")
    assert "is in use again" in said(jo.client, "rules/card", to="shipped")


# ---- marketplaces


def test_a_marketplace_is_registered_changed_and_stopped(market, jo):
    made = said(
        jo.client,
        "marketplaces/new",
        name="second",
        title="Second",
        target="https://s.test/m",
        channels="a.test b.test",
    )
    assert "a.test, b.test" in made
    key = re.search(r'class="hex mb-0">([0-9a-f]{64})<', made)[1]
    assert key not in jo.client.get("/watch/marketplaces/demo").text
    assert "The change is kept." in said(jo.client, "marketplaces/second", title="Second shop", two_persons="on")
    assert "Stopped" in said(jo.client, "marketplaces/second/stop")
    page = jo.client.post("/watch/marketplaces/new", {"name": "second", "title": "Again"})
    assert page.status_code == 422
    assert "There is a marketplace named second already." in page.text


@pytest.mark.parametrize("target", ["ftp://x.test/", "https://u:p@x.test/", "javascript:alert(1)"])
def test_an_address_that_cannot_take_measures_is_refused(market, jo, target):
    answer = jo.client.post("/watch/marketplaces/new", {"name": "second", "title": "Second", "target": target})
    assert answer.status_code == 422
    assert "errorlist" in answer.text


# ---- hand over


def test_the_history_says_who_did_what(market, jo):
    hit = market.hit()
    said(jo.client, f"hits/{hit.number}/decide", answer="confirm", why_confirm="counterfeit", measure="hold")
    send_measures(lambda _row: market.taker, clock=market.world.now)
    steps = re.findall(r"<h3>([^<]+)</h3><p>([^·<]+?) ·", jo.client.get(f"/watch/hits/{hit.number}").text)
    assert steps == [
        ("Found", "The rules"),
        ("Confirmed", "Jo Smith"),
        ("Measure asked for", "Jo Smith"),
        ("The marketplace did it", "The marketplace"),
    ]


def test_a_hit_is_handed_over_to_a_matter_once(market, jo):
    hit = market.hit()
    page = said(jo.client, f"hits/{hit.number}/matter")
    number = re.search(r"Matter (M-[0-9-]+) was opened", page)[1]
    assert f">{number}</a>" in page
    assert "Open a matter and capture the page" not in page
    other = market.mei.client.get(f"/watch/hits/{hit.number}").text
    assert "another organisation's" in other.replace("&#x27;", "'")
    assert number not in other
    assert "Open a matter and capture the page" not in other


def test_a_card_that_was_left_lying_is_on_no_desk(market, jo):
    market.hit()
    claim_review(by=jo.actor, at=market.world.now())
    assert "<dt>On a desk</dt><dd>1</dd>" in jo.client.get("/watch/queue").text
    market.world.at += timedelta(minutes=16)
    assert "<dt>On a desk</dt><dd>0</dd>" in jo.client.get("/watch/queue").text


def test_a_card_is_still_there_after_a_reload(market, jo):
    market.hit()
    card = claim_review(by=jo.actor, at=market.world.now())
    for _again in range(2):
        assert jo.client.get(f"/watch/queue/cards/{card.id}").status_code == 200


# ---- pictures

PICTURE = "https://shop.demo-market.com/1.png"
SEEN = {
    "work": "W-2026-000001",
    "right": "",
    "picture": 0,
    "stage": "features",
    "score": 870,
    "distance": 0,
    "inliers": 41,
    "turn": 4,
    "query": [100000, 200000, 300000, 400000],
    "reference": None,
}


def pictured(market):
    """A hit whose listing's picture shows a work, and was kept."""
    hit = market.hit(raw(pictures=[PICTURE]))
    hit.found = {**hit.found, "pictures": [SEEN]}
    hit.save()
    out = io.BytesIO()
    Image.new("RGB", (90, 60), "navy").save(out, "JPEG")
    cache = Cache(cache_folder())
    cache.hold(out.getvalue())
    cache.remember(PICTURE, "", sha256(out.getvalue()).digest(), market.world.now())
    return hit


def test_a_picture_is_shown_with_the_part_that_is_protected_and_the_work_to_its_holder_alone(market, jo):
    hit = pictured(market)
    path = f"/watch/hits/{hit.number}/pictures/0.png"
    page = jo.client.get(f"/watch/hits/{hit.number}").text
    assert f'src="{path}"' in page
    assert 'x="100000" y="200000" width="300000" height="400000"' in page
    for words in ("A part of the picture", "mirrored", "41 points agree", "Only its holder sees this picture here."):
        assert words in page, words
    assert PICTURE not in page
    assert "/watch/works/W-2026-000001.png" in market.mei.client.get(f"/watch/hits/{hit.number}").text
    answer = jo.client.get(path)
    assert answer["Content-Type"] == "image/png"
    assert answer.content.startswith(b"\x89PNG")
    assert "sandbox" in answer["Content-Security-Policy"]
    assert jo.client.get(path, headers={"if-none-match": answer["ETag"]}).status_code == 304
    assert jo.client.get(f"{path}?small=1")["ETag"] != answer["ETag"]
    for place in ("1", "99999999999"):
        assert jo.client.get(f"/watch/hits/{hit.number}/pictures/{place}.png").status_code == 404
    stranger = market.world.person("Stranger")
    assert stranger.client.get(path).status_code == 404
    assert stranger.client.get("/watch/works/W-2026-000001.png").status_code == 404


# ---- marks, sellers, measures


def test_a_holder_says_how_a_mark_is_looked_for_and_what_was_typed_is_never_lost(market):
    hit = market.hit()
    mei, path = market.mei, f"marks/{hit.right_number}"
    assert "RED LANTERN" in mei.client.get("/watch/marks").text
    refused = mei.client.post(f"/watch/{path}", {"aliases": "\n".join(f"name {n}" for n in range(300)), "near": "on"})
    assert refused.status_code == 422
    assert "other names" in refused.text
    assert "name 298" in refused.text
    assert not MarkNote.objects.exists()
    page = said(mei.client, path, aliases="红灯笼\n  Red, the Lantern \n红灯笼", distinctiveness="640", near="on")
    assert "It is kept." in page
    note = MarkNote.objects.get()
    assert (note.aliases, note.distinctiveness, note.near) == (["红灯笼", "Red, the Lantern"], 640, True)
    assert "红灯笼, Red, the Lantern" in mei.client.get("/watch/marks").text
    assert "红灯笼、Red, the Lantern" in mei.client.get("/watch/marks", headers=CHINESE).text
    assert note.well_known is False
    assert "Red, the Lantern" in mei.client.get("/watch/marks").text
    assert {each.kind for each in Task.objects.all()} == {"redecide", "reverse", "stock"}


def test_who_may_not_file_rights_reads_how_a_mark_is_looked_for(market):
    hit = market.hit()
    reader = market.world.person("Rita", role="viewer", of=market.mei)
    page = reader.client.get(f"/watch/marks/{hit.right_number}")
    assert page.status_code == 200
    assert "<textarea" not in page.text
    assert reader.client.post(f"/watch/marks/{hit.right_number}", {"near": "on"}).status_code == 403
    assert not MarkNote.objects.exists()


def test_a_mark_that_is_not_in_force_is_shown_as_not_searched_for(market):
    mark = market.mei.client.get("/watch/marks").text
    assert "Searched for" in mark
    filed(market.world, market.mei, lantern(registration_number="019000777", application_number="019000777"))
    assert market.mei.client.get("/watch/marks").text.count("Not searched for") == 1


def test_an_owner_says_which_organisation_a_seller_is(market, jo):
    market.hit()
    seller = market.world.person("Lamp Works")
    typed = {"number": "s1", "name": "Lamp Works Ltd", "organisation": str(uuid4()), "joined_on": "2024-03-01"}
    refused = jo.client.post("/watch/marketplaces/demo/seller", typed)
    assert refused.status_code == 422
    assert "There is no such organisation here." in refused.text
    assert "Lamp Works Ltd" in refused.text
    typed["organisation"] = str(seller.actor.organisation_id)
    page = said(jo.client, "marketplaces/demo/seller", **typed)
    assert escape(seller.actor.organisation_name) in page
    row = Seller.objects.get(number="s1")
    assert (row.name, row.organisation) == ("Lamp Works Ltd", seller.actor.organisation_id)
    assert row.joined_at == datetime(2024, 3, 1, tzinfo=UTC)
    form = jo.client.get("/watch/marketplaces/demo/seller?number=s1").text
    assert "Lamp Works Ltd" in form
    assert "2024-03-01" in form


def test_sellers_are_found_by_number_or_name(market, jo):
    for number in ("shop-1", "shop-2", "stall"):
        market.hit(raw(number, seller=number))
    assert jo.client.get("/watch/marketplaces/demo/sellers?q=shop").text.count("Say who it is") == 2
    assert "No seller fits these words." in jo.client.get("/watch/marketplaces/demo/sellers?q=nobody").text


@pytest.mark.parametrize("page", ["0", "x", "10001", "٣", "000001" + "9" * 20, "000001" + "9" * 5000])
@pytest.mark.parametrize("path", ["hits", "marketplaces/demo/sellers", "marketplaces/demo/measures"])
def test_a_page_with_no_such_number_is_not_there(market, jo, path, page):
    assert jo.client.get(f"/watch/{path}", {"page": page}).status_code == 404


def test_a_long_list_is_turned_with_its_filters(market, jo, monkeypatch):
    monkeypatch.setattr(watch_nav, "PAGE", 1)
    monkeypatch.setattr(watch_hits, "PAGE", 1)
    first, second = (market.hit(raw(number)).number for number in ("1", "2"))
    page = jo.client.get("/watch/hits?marketplace=demo&x=y")
    assert second in page.text
    assert first not in page.text
    [further] = re.findall(r'rel="next" href="([^"]+)"', page.text)
    assert further == "?marketplace=demo&amp;page=2"
    page = jo.client.get("/watch/hits?marketplace=demo&page=2")
    assert first in page.text
    assert 'rel="next"' not in page.text
    assert 'rel="prev" href="?marketplace=demo&amp;page=1"' in page.text


def test_measures_of_a_marketplace_are_listed_with_how_they_stand(market, jo):
    empty = jo.client.get("/watch/marketplaces/demo/measures").text
    assert "Nothing was asked for." in empty
    hit = market.hit()
    said(jo.client, f"hits/{hit.number}/decide", answer="confirm", why_confirm="counterfeit", measure="hold")
    page = jo.client.get("/watch/marketplaces/demo/measures?state=waiting").text
    assert hit.number in page
    assert "On its way" in page
    assert hit.number not in jo.client.get("/watch/marketplaces/demo/measures?state=done").text
    assert jo.client.get("/watch/marketplaces/demo/measures?state=lost").status_code == 404


def test_a_rule_says_what_is_proven_of_it_and_how_much_is_missing(market, jo):
    change_marketplace(NewMarketplace(name="demo", title="Demo", two_persons=False), by=jo.actor)  # one may prove it
    page = jo.client.get("/watch/rules/replica").text  # 500 thousandths are asked for
    assert "It may act without a person once 5 more are judged" in page
    for number in range(5):
        hit = market.hit(raw(str(number), title="RED LANTERN replica lamp"))
        said(jo.client, f"hits/{hit.number}/decide", answer="confirm", why_confirm="counterfeit")
    page = jo.client.get("/watch/rules/replica").text
    assert "That is enough: with two keys it may act without a person." in page
    assert "54.9 %" in page  # 0.05 to the power of a fifth
    assert "What is proven of it" not in jo.client.get("/watch/rules/named").text  # it only asks people
