from __future__ import annotations

import io
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from PIL import Image, ImageOps
from web.test_work_pages import deposited, photograph
from world.media import tune, wav
from world.pages import PageWorld

from chopmark.base import clock
from chopmark.media.index import bands
from chopmark.rights.actions import copies as searching
from chopmark.rights.queries import works
from chopmark.rights.queries.works import MatchSummary
from chopmark.web.views import copies
from chopmark.web.views.copies import Size

CHINESE = {"accept-language": "zh-CN"}
AT = datetime(2026, 11, 22, tzinfo=UTC)
WHOLE = [0, 0, 1_000_000, 1_000_000]
MATCH = MatchSummary(
    id=1,
    work="W-2026-000001",
    own=True,
    kind="picture",
    title="Lantern",
    authors=(),
    statement="",
    licence="",
    registered_at=AT,
    file="lantern.png",
    stage="codes",
    score=900,
    parts=({"query": WHOLE, "reference": WHOLE, "turn": 0},),
    why={},
    overlay=False,
    later=False,
    found_at=AT,
    verdict="",
)


@pytest.fixture
def world(db, settings, tmp_path):
    settings.CHOPMARK_HOME = tmp_path / "home"
    return PageWorld.made(settings.CHOPMARK_HOME)


@pytest.fixture
def mei(world):
    return world.person("Mei Lan")


def edited(change):
    with Image.open(io.BytesIO(photograph())) as whole:
        out = io.BytesIO()
        change(whole.convert("RGB")).save(out, "PNG")
    return out.getvalue()


def asked(person, data, name="found.png"):
    answer = person.client.post("/copies/", {"file": SimpleUploadedFile(name, data, "image/png")})
    assert answer.status_code == 302, answer.text
    return answer["Location"]


@pytest.mark.parametrize("path", ["/copies/", "/copies/C-2026-000001"])
def test_a_stranger_is_led_to_the_sign_in_page(world, path):
    assert Client().get(path)["Location"].startswith("/accounts/login/?next=")


def test_a_viewer_sees_searches_and_is_offered_none(world, mei):
    asked(mei, photograph())
    viewer = world.person("Lu Xi", role="viewer", of=mei)
    page = viewer.client.get("/copies/").text
    assert "found.png" in page
    assert 'type="file"' not in page
    file = SimpleUploadedFile("mine.png", photograph(), "image/png")
    assert viewer.client.post("/copies/", {"file": file}).status_code == 403
    assert "mine.png" not in mei.client.get("/copies/").text


def test_a_mirrored_copy_is_shown_beside_the_work_with_one_laid_over_the_other(world, mei):
    number = deposited(mei)
    where = asked(mei, edited(ImageOps.mirror))
    page = mei.client.get(where)
    assert page.status_code == 200
    for said in (number, "data-overlay", "matrix(", "Why this is a match"):
        assert said in page.text, said
    assert "匹配依据" in mei.client.get(where, headers=CHINESE).text
    picture = mei.client.get(f"{where}/file.png")
    assert picture["Content-Type"] == "image/png"
    assert picture["Content-Security-Policy"] == "sandbox; default-src 'none'"
    assert "found.png" in mei.client.get("/copies/").text


def test_a_file_that_nothing_matches_says_what_that_means(world, mei):
    page = mei.client.get(asked(mei, photograph(seed=7))).text
    assert "No work here matches" in page
    assert "does not prove" in page


def test_a_recording_finds_its_sound_and_says_from_where_to_where(world, mei):
    song = tune(5, seconds=24)
    number = deposited(mei, wav(song), "song.wav", title="Lantern song")
    rate = 11025
    where = asked(mei, wav(song[6 * rate : 18 * rate]), "part.wav")
    page = mei.client.get(where).text
    for said in (number, "The same sound", 'class="spans"', "is the work&#x27;s 0:0"):
        assert said in page, said
    assert mei.client.get(f"{where}/file.png").status_code == 404


def test_anothers_work_is_never_shown_as_a_picture(world, mei):
    number = deposited(mei, shown="private")
    other = world.person("Bo Wen")
    where = asked(other, photograph())
    page = other.client.get(where).text
    assert number in page
    assert "Lantern over the water" not in page
    assert "/works/" not in page.replace('href="/works/"', "")
    assert "matrix(" not in page


def test_a_search_says_when_too_much_is_alike_for_all_of_it_to_be_compared(world, mei, monkeypatch):
    deposited(mei)
    where = asked(mei, photograph())
    assert "nearly alike" not in mei.client.get(where).text
    monkeypatch.setattr(bands, "MOST", 0)
    where = asked(mei, photograph())
    [crowded, plain] = works.searches_of(mei.actor)
    assert crowded.facts["crowded"] > 0
    assert "crowded" not in plain.facts
    assert "look nearly alike" in mei.client.get(where).text
    assert "彼此近似" in mei.client.get(where, headers=CHINESE).text


def test_a_search_does_not_tell_whether_somebody_keeps_the_file(world, mei):
    deposited(mei)
    jo = world.person("Jo Chen")
    copy = photograph()
    assert mei.client.get(f"{asked(mei, copy)}/file.png").status_code == 200
    found = searching.find_copies(copy, by=jo.actor, at=clock.now())  # bytes that are not kept for Jo
    page = jo.client.get(f"/copies/{found.number}")
    assert "file.png" not in page.text
    assert jo.client.get(f"/copies/{found.number}/file.png").status_code == 404
    assert jo.client.get(f"{asked(jo, copy)}/file.png").status_code == 200


def test_anothers_search_does_not_exist(world, mei):
    deposited(mei)
    where = asked(mei, photograph())
    other = world.person("Bo Wen")
    [match] = works.search_of(mei.actor, where.rsplit("/", 1)[1]).matches
    for path in ("", "/file.png", f"/matches/{match.id}.png"):
        assert other.client.get(f"{where}{path}").status_code == 404, path
    assert other.client.post(f"{where}/matches/{match.id}/judge", {"verdict": "copy"}).status_code == 404


def test_a_judgement_is_noted_and_taken_back(world, mei):
    deposited(mei)
    where = asked(mei, edited(ImageOps.grayscale))
    number = where.rsplit("/", 1)[1]
    [match] = works.search_of(mei.actor, number).matches
    mei.client.post(f"{where}/matches/{match.id}/judge", {"verdict": "copy"})
    assert "You judged: a copy" in mei.client.get(where).text
    mei.client.post(f"{where}/matches/{match.id}/judge", {"verdict": ""})
    assert works.search_of(mei.actor, number).matches[0].verdict == ""


def test_what_cannot_be_looked_for_is_said_on_the_form(world, mei):
    blank = io.BytesIO()
    Image.new("RGB", (300, 300), "white").save(blank, "PNG")
    for data in (blank.getvalue(), b"\x00\x01\x02" * 100, b""):
        answer = mei.client.post("/copies/", {"file": SimpleUploadedFile("x.png", data, "image/png")})
        assert answer.status_code == 422
        assert "errorlist" in answer.text
    assert works.searches_of(mei.actor) == ()


# ---- the map from the work to the file

SQUARE = Size(width=1000, height=1000)
OVER = {
    "as it is": (0, "1.00000 0.00000 0.00000 1.00000 0.00000 0.00000"),
    "a quarter turn clockwise": (1, "0.00000 -1.00000 1.00000 0.00000 0.00000 1000.00000"),
    "half a turn": (2, "-1.00000 0.00000 0.00000 -1.00000 1000.00000 1000.00000"),
    "mirrored": (4, "-1.00000 0.00000 0.00000 1.00000 1000.00000 0.00000"),
}


@pytest.mark.parametrize("case", OVER)
def test_a_turned_work_is_turned_back_onto_the_file(case):
    turn, matrix = OVER[case]
    match = replace(MATCH, parts=({"query": WHOLE, "reference": WHOLE, "turn": turn},))
    drawn = copies.overlay(match, SQUARE, SQUARE)
    assert drawn is not None
    assert drawn["matrix"].replace("-0.00000", "0.00000") == matrix


def test_a_part_of_the_work_fills_the_file():
    match = replace(MATCH, parts=({"query": WHOLE, "reference": [250_000, 250_000, 750_000, 750_000], "turn": 0},))
    drawn = copies.overlay(match, SQUARE, SQUARE)
    assert drawn is not None
    assert drawn["matrix"] == "2.00000 0.00000 0.00000 2.00000 -500.00000 -500.00000"


def test_corners_that_were_found_count_more_than_boxes():
    match = replace(MATCH, why={"corners": "100000,0 600000,0 600000,500000 100000,500000"})
    drawn = copies.overlay(match, SQUARE, SQUARE)
    assert drawn is not None
    assert drawn["matrix"] == "0.50000 0.00000 0.00000 0.50000 100.00000 0.00000"


def test_parts_of_a_sound_are_told_from_to():
    part = {"query_span": [0, 10_000], "reference_span": [65_500, 75_500]}
    spans = copies.span_facts(replace(MATCH, stage="sound", kind="audio", parts=(part,)))
    assert spans is not None
    assert spans["text"] == "File 0:00.0 to 0:10.0 is the work's 1:05.5 to 1:15.5"
    assert copies.span_facts(MATCH) is None
