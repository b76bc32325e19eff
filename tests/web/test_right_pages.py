from __future__ import annotations

import io
import re
from datetime import UTC, date, datetime, timedelta

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.http import Http404
from django.test import Client
from django.utils import translation
from PIL import Image
from world.pages import PageWorld
from world.rights import mandated

from chopmark.rights import territories
from chopmark.rights.actions import mandate, office, verify
from chopmark.rights.actions.common import Operator
from chopmark.rights.queries import registry
from chopmark.rights.record import Class, Designation, Difference, Interest, Mark, Party, Record, Source
from chopmark.web.forms.rights import Classes, RightForm, Territories
from chopmark.web.views import right_changes, right_may, right_words, territory_map
from chopmark.web.views.rights import record_of, shown_fields
from chopmark.web.views.thumbnails import thumbnail

CHINESE = {"accept-language": "zh-CN"}
LANTERN = {
    "kind": "trademark",
    "name": "LANTERN",
    "office": "CN",
    "status": "registered",
    "number": "1234567",
    "classes": "9, 25",
    "owner": "Mei Lan's studio",
    "territories": "",
    "granted_on": "2020-05-01",
    "expires_on": "2030-04-30",
}


@pytest.fixture
def world(db, settings, tmp_path):
    settings.CHOPMARK_HOME = tmp_path / "home"
    return PageWorld.made(settings.CHOPMARK_HOME)


@pytest.fixture
def mei(world):
    return world.person("Mei Lan")


def filed(person, **more):
    answer = person.client.post("/rights/new", {**LANTERN, **more})
    assert answer.status_code == 302, re.findall(r"errorlist[^>]*>.*?</ul>", answer.text, re.DOTALL)
    return answer["Location"].rsplit("/", 1)[1]


# ---- who may see what


@pytest.mark.parametrize("path", ["/rights/", "/rights/new", "/rights/R-2026-000001"])
def test_a_stranger_is_led_to_the_sign_in_page(world, path):
    answer = Client().get(path)
    assert answer["Location"].startswith("/accounts/login/?next=")


def test_another_organisations_right_does_not_exist(world, mei):
    number = filed(mei)
    other = world.person("Bo Wen")
    for path in ("", "/events/1.json", "/events/1.tlog-proof"):
        assert other.client.get(f"/rights/{number}{path}").status_code == 404, path
    for path in ("submit", "withdraw", "licence", "licence/end", "disputes/close"):
        assert other.client.post(f"/rights/{number}/{path}").status_code == 404, path
    assert "LANTERN" not in other.client.get("/rights/").text
    assert registry.right_of(mei.actor, number).right.state == "submitted"


def test_a_viewer_reads_and_changes_nothing(world, mei):
    number = filed(mei)
    viewer = world.person("Lu Xi", role="viewer", of=mei)
    page = viewer.client.get(f"/rights/{number}").text
    assert "LANTERN" in page
    assert f"/rights/{number}/withdraw" not in page
    assert viewer.client.get("/rights/new").status_code == 403
    assert viewer.client.post("/rights/new", LANTERN).status_code == 403
    assert viewer.client.post(f"/rights/{number}/withdraw").status_code == 403


# ---- file one


def test_an_empty_list_says_what_to_do(mei):
    assert "File the first right" in mei.client.get("/rights/").text
    assert "登记第一项权利" in mei.client.get("/rights/", headers=CHINESE).text


def test_the_form_asks_for_ten_fields_at_most(mei):
    assert len(RightForm().visible_fields()) <= 10


def test_a_right_is_filed_shown_and_listed(world, mei):
    number = filed(mei)
    page = mei.client.get(f"/rights/{number}", headers=CHINESE).text
    for said in ("LANTERN", "CN 1234567", "2030-04-30", "已提交", "中国"):
        assert said in page, said
    assert 'class="is-yes"><title>中国' in page
    assert "LANTERN" in mei.client.get("/rights/?q=1234567").text
    assert "No right fits" in mei.client.get("/rights/?kind=patent").text


def test_a_form_that_is_refused_comes_back_filled(mei):
    answer = mei.client.post("/rights/new", {**LANTERN, "territories": "Atlantis", "expires_on": "2019-01-01"})
    assert answer.status_code == 422
    assert "Atlantis is no territory" in answer.text
    assert "not after the day of registration" in answer.text
    for typed in ("LANTERN", "1234567", "Mei Lan&#x27;s studio", "2019-01-01"):
        assert f'value="{typed}"' in answer.text, typed


def test_what_the_action_refuses_is_said_on_the_form(mei):
    number = filed(mei)
    answer = mei.client.post("/rights/new", LANTERN)
    assert answer.status_code == 422
    assert number in answer.text
    assert 'value="LANTERN"' in answer.text


def test_the_browser_forgets_a_draft_once_it_is_filed(mei):
    number = filed(mei)
    key = f"right-new.{mei.actor.organisation_id}"
    assert f'data-draft="{key}"' in mei.client.get("/rights/new").text
    assert f'data-draft-done="{key}"' in mei.client.get(f"/rights/{number}").text
    assert "data-draft-done" not in mei.client.get(f"/rights/{number}").text


def test_a_table_with_one_row_fills_the_form_and_becomes_a_paper(mei):
    table = "kind,office,registration number,mark,owner,classes,registration date\n"
    table += "trademark,EM,018123456,NIGHT MARKET,Lantern GmbH,3 18,2021-05-01\n"
    file = SimpleUploadedFile("mine.csv", table.encode(), "text/csv")
    answer = mei.client.post("/rights/read", {"office_file": file}).json()
    fields = answer["fields"]
    assert (fields["name"], fields["office"], fields["classes"]) == ("NIGHT MARKET", "EM", "3, 18")
    made = mei.client.post("/rights/new", fields)
    number = made["Location"].rsplit("/", 1)[1]
    record = registry.right_of(mei.actor, number).right.record
    assert record.source.format == "csv"
    assert record.owners[0].name == "Lantern GmbH"
    assert "mine.csv" in mei.client.get(f"/rights/{number}").text


def test_a_file_that_nobody_can_read_loses_nothing(mei):
    file = SimpleUploadedFile("x.bin", b"\x00\x01\x02\x03" * 50, "application/octet-stream")
    answer = mei.client.post("/rights/read", {"office_file": file}).json()
    assert "fields" not in answer
    assert answer["sentence"]
    file = SimpleUploadedFile("x.bin", b"\x00\x01\x02\x03" * 50, "application/octet-stream")
    page = mei.client.post("/rights/new", {**LANTERN, "read": "1", "office_file": file}).text
    assert 'value="LANTERN"' in page
    assert registry.rights_of(mei.actor).items == ()


def test_a_record_that_the_browser_forged_is_not_believed(mei):
    number = filed(mei, read="eyJmb3JnZWQiOjF9:1:abc")
    assert registry.right_of(mei.actor, number).right.record.source.format == "form"


# ---- one right


def test_the_history_has_a_receipt_and_a_past_for_each_event(world, mei):
    number = filed(mei)
    mei.client.post(f"/rights/{number}/withdraw")
    world.publish()
    page = mei.client.get(f"/rights/{number}").text
    assert "Withdrawn" in page
    [first, *_] = registry.events_of(mei.actor, number)
    assert f"/deposits/{first.deposit_id}" in page
    assert mei.client.get(f"/rights/{number}/events/1.tlog-proof").content.startswith(b"c2sp.org/tlog-proof")
    body = mei.client.get(f"/rights/{number}/events/1.json")
    assert body["Content-Disposition"].startswith("attachment")
    assert b'"type":"filed"' in body.content
    assert mei.client.get(f"/rights/{number}?as_of=2019-01-01").status_code == 404
    assert mei.client.get(f"/rights/{number}?as_of=yesterday").status_code == 404
    assert "As the platform knew it" in mei.client.get(f"/rights/{number}?as_of=2099-01-01").text


def test_a_small_form_opened_as_a_page_leads_to_the_right(mei):
    number = filed(mei)
    for path in ("submit", "withdraw", "licence/end", "papers", "disputes", "disputes/close", "customs"):
        assert mei.client.get(f"/rights/{number}/{path}")["Location"].startswith(f"/rights/{number}")


def test_a_licence_for_two_countries_stands_in_the_tree_until_it_is_ended(mei):
    number = filed(mei, office="EM", number="018123456")
    typed = {"name": "Bo Wen Trading", "role": "authorised_seller", "territories": "DE, FR", "channels": "shop.example"}
    answer = mei.client.post(f"/rights/{number}/licence", typed)
    assert answer["Location"] == f"/rights/{number}#head-grants"
    page = mei.client.get(f"/rights/{number}").text
    assert "Bo Wen Trading" in page
    assert "Germany, France" in page
    [given] = registry.right_of(mei.actor, number).right.interests
    mei.client.post(f"/rights/{number}/licence/end", {"interest": given.id})
    assert registry.right_of(mei.actor, number).right.interests[0].ended_on is not None
    assert 'class="is-over"' in mei.client.get(f"/rights/{number}").text


def test_a_licence_that_ended_today_is_over_though_it_is_yesterday_at_the_platform(mei, monkeypatch):
    number = filed(mei, office="EM", number="018123456")
    mei.client.post(f"/rights/{number}/licence", {"name": "Bo Wen Trading", "role": "licensee", "territories": "DE"})
    [given] = registry.right_of(mei.actor, number).right.interests
    late = datetime.now(UTC).replace(hour=23, minute=30)  # and half past midnight in Alicante
    monkeypatch.setattr(right_changes.clock, "now", lambda: late)
    mei.client.post(f"/rights/{number}/licence/end", {"interest": given.id})
    ended = registry.right_of(mei.actor, number).right.interests[0].ended_on
    assert ended == late.date() + timedelta(days=1)
    assert 'class="is-over"' in mei.client.get(f"/rights/{number}").text
    assert "Bo Wen Trading (" not in mei.client.get(f"/rights/{number}/licence").text  # as whoever grants another


def test_a_licence_that_reaches_too_far_comes_back_filled(mei):
    number = filed(mei, office="EM", number="018123456")
    typed = {"name": "Bo Wen Trading", "role": "licensee", "territories": "US", "until": "2027-01-01"}
    answer = mei.client.post(f"/rights/{number}/licence", typed)
    assert answer.status_code == 422
    assert "errorlist" in answer.text
    for each in ("Bo Wen Trading", "US", "2027-01-01"):
        assert f'value="{each}"' in answer.text, each


def test_disputes_recordals_and_papers_are_noted_from_the_page(mei):
    number = filed(mei)
    mei.client.post(f"/rights/{number}/disputes", {"kind": "opposition", "effect": "suspend", "forum": "CNIPA"})
    page = mei.client.get(f"/rights/{number}").text
    assert "CNIPA" in page
    [opened] = registry.right_of(mei.actor, number).right.disputes
    mei.client.post(f"/rights/{number}/disputes/close", {"dispute": opened.id, "outcome": "rejected"})
    assert registry.right_of(mei.actor, number).right.disputes[0].outcome == "rejected"
    mei.client.post(f"/rights/{number}/customs", {"authority": "China", "number": "T2026-1"})
    assert "T2026-1" in mei.client.get(f"/rights/{number}").text
    file = SimpleUploadedFile("certificate.pdf", b"%PDF-1.7 x", "application/pdf")
    mei.client.post(f"/rights/{number}/papers", {"kind": "certificate", "file": file})
    assert "certificate.pdf" in mei.client.get(f"/rights/{number}").text
    answer = mei.client.post(f"/rights/{number}/papers", {"kind": "certificate"})
    assert answer.status_code == 422
    assert "errorlist" in answer.text


# ---- an agent


def test_an_agent_files_for_a_client_and_sees_no_more_than_the_mandate(world, mei):
    agent, stranger = world.person("Lu Xi"), world.person("Bo Wen")
    assert 'name="client"' not in agent.client.get("/rights/new").text
    given = mandated(world, mei, agent, "file")
    page = agent.client.get("/rights/new").text
    assert "Mei Lan&#x27;s studio" in page
    assert f'value="{stranger.actor.organisation_id}"' not in page
    number = filed(agent, client=str(mei.actor.organisation_id))
    assert registry.right_of(mei.actor, number).summary.organisation_id == mei.actor.organisation_id
    listed = agent.client.get("/rights/", {"client": str(mei.actor.organisation_id)}).text
    assert number in listed
    assert "Mei Lan&#x27;s studio" in listed
    page = agent.client.get(f"/rights/{number}").text
    assert f"/rights/{number}/licence" not in page
    forged = agent.client.post("/rights/new", {**LANTERN, "client": str(stranger.actor.organisation_id)})
    assert forged.status_code == 422
    mandate.revoke_mandate(given.id, by=mei.actor, at=world.now())
    assert agent.client.get(f"/rights/{number}").status_code == 404


# ---- checked against the office


def kept(world, **more):
    """What the operator keeps of an office's register."""
    said = {
        "kind": "trademark",
        "office": "EM",
        "registration_number": "018123456",
        "mark": Mark(verbal="LANTERN", feature="word"),
        "title": "LANTERN",
        "owners": (Party(name="MEI LAN'S STUDIO"),),
        "classes": (Class(scheme="nice", code="9"), Class(scheme="nice", code="25")),
        "designations": (Designation(territory="EU", status="registered", since=date(2020, 5, 1)),),
        "status": "registered",
        "registration_date": date(2020, 5, 1),
        "expiry_date": date(2030, 4, 30),
        "source": Source(format="st96", fetched_at=world.now()),
        **more,
    }
    return office.keep_records([Record(**said)], operator=Operator(), at=world.now(), fetched_at=world.now())


def test_the_comparison_says_what_differs_and_what_is_missing(world, mei):
    number = filed(mei, office="EM", number="018123456")
    answer = mei.client.post(f"/rights/{number}/compare", follow=True)
    assert "alert" in answer.text  # no record is kept
    kept(world)
    page = mei.client.post(f"/rights/{number}/compare", follow=True).text
    assert "MEI LAN&#x27;S STUDIO" in page
    assert "Tolerated" in page
    assert registry.right_of(mei.actor, number).right.state == "checking"
    verify.vouch(mei.actor.organisation_id, "Mei Lan's studio", operator=Operator(), at=world.now())
    page = mei.client.post(f"/rights/{number}/compare", follow=True, headers=CHINESE).text
    assert registry.right_of(mei.actor, number).right.state == "verified"
    assert "已核验" in page
    assert "L2" in page


def test_a_right_is_corrected_and_a_change_in_between_is_noticed(mei):
    number = filed(mei)
    page = mei.client.get(f"/rights/{number}/change").text
    version = re.search(r'name="version" value="(\d+)"', page)[1]
    assert 'value="LANTERN"' in page
    answer = mei.client.post(f"/rights/{number}/change", {**LANTERN, "number": "7654321", "version": version})
    assert answer.status_code == 302, answer.text
    assert registry.right_of(mei.actor, number).right.record.registration_number == "7654321"
    late = mei.client.post(f"/rights/{number}/change", {**LANTERN, "owner": "Bo", "version": version})
    assert late.status_code == 422
    assert 'value="Bo"' in late.text


def png(colour="red", size=(300, 200)):
    out = io.BytesIO()
    Image.new("RGB", size, colour).save(out, "PNG")
    return out.getvalue()


def test_the_sign_is_shown_as_a_picture_made_here(world, mei):
    number = filed(mei)
    brought = png() + b"<script>alert(1)</script>"
    mei.client.post(f"/rights/{number}/sign", {"file": SimpleUploadedFile("sign.png", brought, "image/png")})
    assert f"/rights/{number}/sign.png" in mei.client.get(f"/rights/{number}").text
    shown = mei.client.get(f"/rights/{number}/sign.png")
    assert shown["Content-Type"] == "image/png"
    assert shown["Content-Security-Policy"] == "sandbox; default-src 'none'"
    assert b"script" not in shown.content
    assert mei.client.get(f"/rights/{number}/sign.png", headers={"if-none-match": shown["ETag"]}).status_code == 304
    assert world.person("Bo Wen").client.get(f"/rights/{number}/sign.png").status_code == 404
    bad = SimpleUploadedFile("sign.png", b"<svg onload=alert(1)>", "image/png")
    assert "no picture" in mei.client.post(f"/rights/{number}/sign", {"file": bad}, follow=True).text


def test_a_wrong_code_and_a_day_that_is_none_are_said(mei):
    number = filed(mei)
    for path, typed in (("code", {"code": "AAAA"}), ("renew", {"expiry_date": "soon"})):
        answer = mei.client.post(f"/rights/{number}/{path}", typed)
        assert answer.status_code == 422, path
        assert "errorlist" in answer.text
        assert f'value="{next(iter(typed.values()))}"' in answer.text


def test_what_an_action_refuses_leaves_the_small_form_filled(mei):
    number = filed(mei)
    mei.client.post(f"/rights/{number}/withdraw")
    for path, typed in (
        ("disputes", {"kind": "opposition", "effect": "limit", "forum": "CNIPA", "number": "O-77"}),
        ("customs", {"authority": "China", "number": "T2026-1"}),
    ):
        answer = mei.client.post(f"/rights/{number}/{path}", typed)
        assert answer.status_code == 422, path
        assert "errorlist" in answer.text
        assert f'value="{typed["number"]}"' in answer.text


# ---- search


def test_a_search_shows_three_scores_and_can_be_watched(mei):
    filed(mei)
    page = mei.client.get("/rights/search", {"q": "LANTERNN", "classes": "9"})
    assert page.status_code == 200
    assert "LANTERN" in page.text
    for score in ("Looks alike", "Sounds alike", "Is contained"):
        assert score in page.text
    mei.client.post("/rights/watch", {"q": "LANTERNN", "classes": "9", "territories": ""})
    page = mei.client.get("/rights/search").text
    assert "LANTERNN" in page
    stop = re.search(r'name="stop" value="([^"]+)"', page)[1]
    mei.client.post("/rights/watch", {"stop": stop})
    assert "LANTERNN" not in mei.client.get("/rights/search").text
    assert mei.client.post("/rights/watch", {"stop": "x"}).status_code == 404


def test_anothers_unverified_right_is_not_found_by_a_search(world, mei):
    filed(mei)
    assert "LANTERN</" not in world.person("Bo Wen").client.get("/rights/search", {"q": "LANTERN"}).text


def test_a_search_that_cannot_be_asked_comes_back_filled(mei):
    page = mei.client.get("/rights/search", {"q": "LANTERN", "territories": "Atlantis"})
    assert page.status_code == 422
    assert 'value="LANTERN"' in page.text
    blank = SimpleUploadedFile("logo.png", png("white"), "image/png")
    assert mei.client.post("/rights/search", {"logo": blank}).status_code == 422


# ---- may he sell here?


def test_the_question_is_answered_with_its_chain_and_a_map(mei):
    number = filed(mei, office="EM", number="018123456")
    first = {"name": "Bo Wen Trading", "role": "licensee", "territories": "DE, FR"}
    mei.client.post(f"/rights/{number}/licence", first)
    asked = {"right": number, "seller": "BO WEN TRADING", "territory": "Germany", "cls": "09", "on": "2026-11-22"}
    page = mei.client.get("/rights/may", asked)
    assert page.status_code == 200
    assert "Chain of grants" in page.text
    assert "Bo Wen Trading" in page.text
    assert "verdict-unknown" in page.text  # nobody has verified the right yet
    assert 'class="is-wait"><title>France' in page.text
    assert "verdict-no" in mei.client.get("/rights/may", {**asked, "seller": "Somebody else"}).text
    assert mei.client.get("/rights/may", {**asked, "right": "R-2026-999999"}).status_code == 422
    assert mei.client.get("/rights/may", {**asked, "territory": "Atlantis"}).status_code == 422


@pytest.mark.parametrize(
    ("at", "verdict"), [("2026-11-22T15:00:00+00:00", "unknown"), ("2026-11-22T17:00:00+00:00", "no")]
)
def test_without_a_day_the_question_is_of_the_day_at_the_right_s_office(mei, monkeypatch, at, verdict):
    number = filed(mei, office="CN", number="1234567", territories="CN")
    sold = {"name": "Bo Wen Trading", "role": "licensee", "until": "2026-11-23"}  # which begins at 16:00 UTC
    assert mei.client.post(f"/rights/{number}/licence", sold).status_code == 302
    monkeypatch.setattr(right_may.clock, "now", lambda: datetime.fromisoformat(at))
    asked = {"right": number, "seller": "Bo Wen Trading", "territory": "CN", "cls": "09"}
    assert f"verdict-{verdict}" in mei.client.get("/rights/may", asked).text


# ---- many at once

TABLE = """kind,office,registration number,mark,owner,classes,registration date
trademark,EM,018000001,LANTERN,Lantern GmbH,9,2021-05-01
trademark,EM,,NOTHING,Lantern GmbH,9,2021-05-01
trademark,EM,018000003,NIGHT MARKET,Lantern GmbH,25,2021-05-01
"""


def test_a_table_is_tried_out_first_and_then_filed(mei):
    file = SimpleUploadedFile("marks.csv", TABLE.encode(), "text/csv")
    answer = mei.client.post("/rights/import", {"file": file})
    where = answer["Location"]
    page = mei.client.get(where).text
    assert "File 2 rights" in page
    assert registry.rights_of(mei.actor).items == ()
    page = mei.client.post(where).text
    assert "R-2026-000001" in page
    assert {each.title for each in registry.rights_of(mei.actor).items} == {"LANTERN", "NIGHT MARKET"}
    again = mei.client.get(where).text
    assert "File 2 rights" not in again


def test_of_a_long_table_the_rows_with_a_problem_are_shown_first(mei, monkeypatch):
    monkeypatch.setattr("chopmark.web.views.right_import.SHOWN", 2)
    table = TABLE.replace(",EM,018000001,LANTERN", ",EM,018000001,LAMP") + TABLE.splitlines()[2] + "\n"
    file = SimpleUploadedFile("marks.csv", table.encode(), "text/csv")
    page = mei.client.get(mei.client.post("/rights/import", {"file": file})["Location"]).text
    assert page.count("Left out") == 2
    assert "LAMP" not in page
    assert "and 2 more rows" in page


def test_somebody_elses_file_is_not_there(world, mei):
    file = SimpleUploadedFile("marks.csv", TABLE.encode(), "text/csv")
    where = mei.client.post("/rights/import", {"file": file})["Location"]
    assert world.person("Bo Wen").client.get(where).status_code == 404


def test_a_file_that_is_no_table_is_refused_on_the_page(mei):
    file = SimpleUploadedFile("marks.bin", bytes(range(256)) * 4, "application/octet-stream")
    answer = mei.client.post("/rights/import", {"file": file})
    assert answer.status_code == 422
    assert "errorlist" in answer.text


def test_the_empty_table_can_be_read_back(mei):
    table = mei.client.get("/rights/import/rights.csv").content
    answer = mei.client.post("/rights/import", {"file": SimpleUploadedFile("rights.csv", table, "text/csv")})
    assert "File 1 right" in mei.client.get(answer["Location"]).text


# ---- codes that people type

TYPED_CLASSES = {
    "figures with commas": ("9, 25,42", ("9", "25", "42")),
    "leading zeros": ("05 009", ("5", "009")),
    "Chinese commas and words": ("第9类，第25類、42", ("9", "25", "42")),
    "the same twice": ("9 9, 9", ("9",)),
    "nothing": ("", ()),
    "an IPC symbol": ("h04l 9", ("H04L", "9")),
}


@pytest.mark.parametrize("case", TYPED_CLASSES)
def test_classes_are_read_in_any_usual_form(case):
    typed, codes = TYPED_CLASSES[case]
    assert Classes(required=False).clean(typed) == codes


def test_territories_are_read_by_code_and_by_name():
    assert Territories(required=False).clean("de, 法国；Japan UK") == ("DE", "FR", "JP", "GB")


def test_what_a_file_said_stays_where_nothing_was_changed():
    said = Record(
        kind="trademark",
        office="EM",
        registration_number="018123456",
        mark=Mark(verbal="LANTERN", feature="combined", colours=("red",)),
        owners=(Party(name="Lantern GmbH", country="DE"),),
        classes=(Class(scheme="nice", code="9", goods=()), Class(scheme="nice", code="25")),
        designations=(Designation(territory="EU", status="registered", since=date(2021, 5, 1)),),
        status="registered",
        registration_date=date(2021, 5, 1),
    )
    form = RightForm(shown_fields(said))
    assert form.is_valid(), form.errors
    assert record_of(form.cleaned_data, said) == said
    changed = record_of({**form.cleaned_data, "owner": "Somebody else", "classes": ("25",)}, said)
    assert changed.owners == (Party(name="Somebody else"),)
    assert changed.classes == said.classes[1:]
    assert changed.mark == said.mark


# ---- the map


def test_every_tile_is_a_known_territory_and_stands_alone():
    assert all(territories.known(code) for code in territory_map.GRID)
    assert len(set(territory_map.GRID.values())) == len(territory_map.GRID)


def test_a_region_paints_its_members_of_that_day():
    def painted(on):
        drawn = right_words.map_facts([("EU", "yes"), ("FR", "no"), ("US", "wait")], on)
        return {tile.code: tile.state for tile in drawn["tiles"] if tile.state != "none"}

    before, after = painted(date(2019, 6, 1)), painted(date(2026, 6, 1))
    assert before["GB"] == "yes"
    assert "GB" not in after
    assert (after["FR"], after["US"], after["DE"]) == ("yes", "wait", "yes")


def test_grants_hang_on_what_granted_them_and_a_circle_ends():
    def grant(id_, by=""):
        return Interest(id=id_, party=Party(name=id_), role="licensee", granted_by=by)

    tree = right_words.interest_tree([grant("a"), grant("b", "a"), grant("c", "gone")], date(2026, 1, 1))
    assert [(each["id"], [one["id"] for one in each["below"]]) for each in tree] == [("a", ["b"]), ("c", [])]
    assert right_words.interest_tree([grant("a", "b"), grant("b", "a")], date(2026, 1, 1)) == []


def test_a_picture_is_encoded_anew_and_what_is_none_has_no_thumbnail():
    out = io.BytesIO()
    Image.new("RGBA", (3000, 1500), (255, 0, 0, 128)).save(out, "PNG")
    with Image.open(io.BytesIO(thumbnail(out.getvalue()))) as small:
        assert (small.size, small.mode, small.format) == ((1000, 500), "RGB", "PNG")
    for broken in (b"", b"GIF89a", out.getvalue()[:100], b"<svg onload=alert(1)>"):
        with pytest.raises(Http404):
            thumbnail(broken)


def test_what_differed_is_said_in_words():
    told = [
        Difference(field="owners", claimed="Jo", found="Jo Ltd", verdict="tolerated", rule="legal_form"),
        Difference(field="classes.nice", claimed="9", found="9", verdict="equal"),
        Difference(
            field="designations.JP.status", claimed="", found="registered", verdict="tolerated", rule="status_newer"
        ),
        Difference(field="kind", claimed="trademark", found="trademark", verdict="equal"),
        Difference(field="feature", claimed="combined", found="word", verdict="equal"),
    ]
    with translation.override("zh-hans"):
        shown = right_words.difference_facts(told)
    assert [each["field"] for each in shown[:2]] == ["权利人", "地域 · 日本 · 状态"]
    assert shown[1]["rule"] == "官方状态较新。"
    assert (shown[1]["claimed"], shown[1]["found"]) == ("", "已注册")
    assert [each["claimed"] for each in shown[3:]] == ["商标", "组合商标"]
    assert all(each["rule"].endswith("。") for each in shown[:2])
    with translation.override("en"):
        assert right_words.difference_facts(told)[2]["field"] == "Classes"


def test_a_record_that_names_no_territory_stands_in_its_offices_own():
    record = Record(kind="trademark", office="EM", registration_date=date(2021, 5, 1), status="registered")
    [row] = right_words.designation_facts(record)
    assert (row["code"], row["since"]) == ("EU", date(2021, 5, 1))
    painted = right_words.map_of(record, date(2026, 11, 22))
    assert (
        painted["used"]
        == right_words.map_of(
            Record(kind="trademark", office="EM", designations=right_words.places(record)), date(2026, 11, 22)
        )["used"]
    )
    assert painted["used"]
    assert right_words.designation_facts(Record(kind="copyright", office="")) == []
