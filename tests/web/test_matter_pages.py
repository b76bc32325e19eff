from __future__ import annotations

import io
import re
from datetime import timedelta

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.http import Http404
from django.test import Client
from PIL import Image
from world.pages import PageWorld

from chopmark.evidence import matters, wiring
from chopmark.evidence.actions import matter as actions
from chopmark.evidence.actions.capture import NewCapture, request_capture
from chopmark.evidence.actions.matter import NewMatter
from chopmark.evidence.capture.commands import Folder, Outcome, parse
from chopmark.evidence.matters import Both
from chopmark.evidence.models import Capture
from chopmark.web.views.captures import clean_table, small

CHINESE = {"accept-language": "zh-CN"}


@pytest.fixture
def world(db, settings, tmp_path):
    settings.CHOPMARK_HOME = tmp_path / "home"
    return PageWorld.made(settings.CHOPMARK_HOME)


@pytest.fixture
def mei(world):
    return world.person("Mei Lan")


def opened(world, person, title="Lantern copies"):
    new = NewMatter(template="trademark_counterfeit", title=Both(zh="灯笼仿冒", en=title))
    return actions.open_matter(new, by=person.actor, at=world.now())


def text_of(answer):
    return b"".join(answer).decode() if answer.streaming else answer.content.decode()


def add(person, matter, data=b"an invoice", **more):
    file = SimpleUploadedFile(more.pop("name", "invoice.pdf"), data, more.pop("media", "application/pdf"))
    typed = {"kind": "invoice", "role": "original", "phase": "purchase", **more}
    return person.client.post(f"/matters/{matter.id}/upload", {"file": file, **typed})


# ---- who may see what

PATHS = ["/matters/", "/matters/new", "/matters/{0}", "/matters/{0}/upload", "/matters/{0}/captures/new"]


@pytest.mark.parametrize("path", PATHS)
def test_a_stranger_is_led_to_the_sign_in_page(world, mei, path):
    answer = Client().get(path.format(opened(world, mei).id))
    assert answer.status_code == 302
    assert answer["Location"].startswith("/accounts/login/?next=")


def test_another_organisations_matter_does_not_exist(world, mei):
    matter = opened(world, mei)
    other = world.person("Bo Wen")
    for path in ("", "/upload", "/captures/new", "/captures", "/custody.jsonl"):
        assert other.client.get(f"/matters/{matter.id}{path}").status_code == 404
    for path in ("hold", "release", "grants", "close", "bundles/new"):
        assert other.client.post(f"/matters/{matter.id}/{path}", {"reason": "x", "given_to": "x"}).status_code in {
            302,
            404,
        }
    assert matters.matter_of(mei.actor, matter.id).state == "open"
    assert not matters.matter_of(mei.actor, matter.id).held
    assert "Lantern" not in text_of(other.client.get("/matters/"))


def test_a_viewer_reads_and_changes_nothing(world, mei):
    matter = opened(world, mei)
    viewer = world.person("Lu Xi", role="viewer", of=mei)
    page = text_of(viewer.client.get(f"/matters/{matter.id}"))
    assert "Lantern copies" in page
    assert "/captures/new" not in page
    assert viewer.client.get("/matters/new").status_code == 403
    assert viewer.client.get(f"/matters/{matter.id}/captures/new").status_code == 403
    assert viewer.client.get(f"/matters/{matter.id}/upload").status_code == 403
    for path in ("hold", "release", "grants", "close", "bundles/new"):
        assert viewer.client.post(f"/matters/{matter.id}/{path}", {"reason": "x"}).status_code == 403, path


def test_only_an_owner_ends_a_hold(world, mei):
    matter = opened(world, mei)
    depositor = world.person("Lu Xi", role="depositor", of=mei)
    depositor.client.post(f"/matters/{matter.id}/hold", {"reason": "a suit is expected"})
    assert matters.matter_of(mei.actor, matter.id).held
    assert "Only an owner" in text_of(depositor.client.get(f"/matters/{matter.id}"))
    assert depositor.client.post(f"/matters/{matter.id}/release", {"reason": "x"}).status_code == 403
    mei.client.post(f"/matters/{matter.id}/release", {"reason": "settled"})
    assert not matters.matter_of(mei.actor, matter.id).held


# ---- open one, put evidence in


def test_an_empty_list_says_what_to_do(world, mei):
    assert "Open the first matter" in text_of(mei.client.get("/matters/"))


def test_a_matter_is_opened_and_listed(world, mei):
    answer = mei.client.post("/matters/new", {"template": "trademark_counterfeit", "title_en": "Lantern copies"})
    [one] = matters.matters_of(mei.actor)
    assert answer["Location"] == f"/matters/{one.id}"
    page = text_of(mei.client.get("/matters/", headers=CHINESE))
    assert "Lantern copies" in page
    assert "商标侵权" in page


def test_a_form_that_is_refused_comes_back_filled(world, mei):
    answer = mei.client.post("/matters/new", {"template": "trademark_counterfeit"})
    assert answer.status_code == 422
    assert "Give a title" in text_of(answer)
    matter = opened(world, mei)
    answer = mei.client.post(
        f"/matters/{matter.id}/captures/new",
        {"url": "ftp://shop.example/x", "mode": "automatic", "phase": "infringement", "purpose_en": "the offer"},
    )
    assert answer.status_code == 422
    assert "ftp://shop.example/x" in text_of(answer)
    assert "the offer" in text_of(answer)


def test_a_file_becomes_evidence_with_its_digest_and_custody_line(world, mei):
    matter = opened(world, mei)
    answer = add(mei, matter, purpose_en="shows the sale", obtained="the buyer's post")
    assert answer["Location"] == f"/matters/{matter.id}"
    [item] = matters.items_of(mei.actor, matter.id)
    page = text_of(mei.client.get(f"/matters/{matter.id}"))
    for words in ("E-001", "invoice.pdf", "shows the sale", "the buyer&#x27;s post", item.files[0].sha256.hex()):
        assert words in page, words
    assert "Evidence added" in page
    stored = mei.client.get(f"/evidence/{item.files[0].id}")
    assert text_of(stored) == "an invoice"
    assert stored["Content-Disposition"].startswith("attachment")
    assert stored["Content-Type"] == "application/octet-stream"


def test_an_upload_without_a_file_keeps_what_was_typed(world, mei):
    matter = opened(world, mei)
    answer = mei.client.post(f"/matters/{matter.id}/upload", {"kind": "invoice", "obtained": "from the buyer"})
    assert answer.status_code == 422
    assert "Choose a file" in text_of(answer)
    assert "from the buyer" in text_of(answer)


def test_an_item_is_removed_with_a_reason_and_not_under_a_hold(world, mei):
    matter = opened(world, mei)
    add(mei, matter)
    [item] = matters.items_of(mei.actor, matter.id)
    where = f"/matters/{matter.id}/items/{item.id}"
    assert "reason" in text_of(mei.client.post(where, follow=True)).lower()
    assert matters.items_of(mei.actor, matter.id) != ()
    mei.client.post(f"/matters/{matter.id}/hold", {"reason": "suit"})
    mei.client.post(where, {"reason": "by mistake"})
    assert matters.items_of(mei.actor, matter.id) != ()
    mei.client.post(f"/matters/{matter.id}/release", {"reason": "settled"})
    mei.client.post(where, {"reason": "by mistake"})
    assert matters.items_of(mei.actor, matter.id) == ()
    assert "by mistake" in text_of(mei.client.get(f"/matters/{matter.id}"))


def test_the_custody_log_is_downloaded_in_both_forms(world, mei):
    matter = opened(world, mei)
    lines = text_of(mei.client.get(f"/matters/{matter.id}/custody.jsonl"))
    assert '"action":"matter.opened"' in lines
    assert "ProvenanceRecord" in text_of(mei.client.get(f"/matters/{matter.id}/custody.jsonld")) or lines
    assert mei.client.get(f"/matters/{matter.id}/custody.exe").status_code == 404


def test_a_closed_matter_takes_nothing_and_can_be_opened_again(world, mei):
    matter = opened(world, mei)
    mei.client.post(f"/matters/{matter.id}/close")
    page = text_of(mei.client.get(f"/matters/{matter.id}"))
    assert "Open it again" in page
    assert add(mei, matter).status_code == 422
    mei.client.post(f"/matters/{matter.id}/reopen")
    assert add(mei, matter).status_code == 302


# ---- captures and bundles


def test_a_capture_is_asked_for_watched_and_cancelled(world, mei):
    matter = opened(world, mei)
    typed = {"url": "shop.example/lantern", "mode": "automatic", "phase": "infringement"}
    answer = mei.client.post(f"/matters/{matter.id}/captures/new", typed)
    [one] = matters.captures_of(mei.actor, matter.id)
    assert answer["Location"] == f"/captures/{one.id}"
    assert one.url == "https://shop.example/lantern"
    page = text_of(mei.client.get(f"/captures/{one.id}"))
    assert f'data-fragment="/captures/{one.id}/progress"' in page
    piece = mei.client.get(f"/captures/{one.id}/progress")
    assert "X-Finished" not in piece
    assert "<html" not in text_of(piece)
    mei.client.post(f"/captures/{one.id}/cancel")
    assert mei.client.get(f"/captures/{one.id}/progress")["X-Finished"] == "1"
    assert mei.client.get(f"/matters/{matter.id}/captures")["X-Finished"] == "1"
    assert mei.client.get(f"/captures/{one.id}/preview.png").status_code == 404
    other = world.person("Bo Wen")
    assert other.client.get(f"/captures/{one.id}").status_code == 404
    assert other.client.post(f"/captures/{one.id}/cancel", follow=True).status_code == 404


@pytest.fixture
def driven(world, mei):
    """An operator's capture whose browser stands, and the worker's end of its folder."""
    matter = opened(world, mei)
    one = request_capture(
        matter.id, NewCapture(url="https://shop.example/", mode="operator"), by=mei.actor, at=world.now()
    )
    Capture.objects.filter(pk=one.id).update(state="running", taken_until=world.now())
    worker = Folder(wiring.commands(one.number))
    out = io.BytesIO()
    Image.new("RGB", (1280, 900), "white").save(out, "JPEG")
    picture = out.getvalue()

    def answer(command, failure=""):
        number = 0 if command is None else 1
        told = command or parse({"action": "wait", "milliseconds": 1})
        worker.done(
            Outcome(number=number, command=told, failure=failure, url="https://x/", title="X", screenshot=picture)
        )

    return one, worker, answer


STEPS = {
    "navigate": ({"text": "shop.example/2"}, {"url": "https://shop.example/2"}),
    "click": ({"text": "text=Buy"}, {"selector": "text=Buy"}),
    "type": ({"text": "37", "selector": "#n", "secret": "1"}, {"text": "37", "selector": "#n", "secret": True}),
    "press": ({"text": "Enter"}, {"key": "Enter"}),
    "scroll": ({"text": "-700"}, {"x": 0, "y": -700}),
    "wait": ({}, {"milliseconds": 3000}),
    "finish": ({}, {}),
}


@pytest.mark.parametrize("action", STEPS)
def test_each_form_of_an_operator_is_the_step_it_says(driven, mei, action):
    one, worker, answer = driven
    answer(None)
    typed, wanted = STEPS[action]
    assert mei.client.post(f"/captures/{one.id}/drive", {"action": action, **typed}).status_code == 302
    got = worker.next()
    assert got == parse({"action": action, "by": f"person {mei.user.pk}", **wanted})


def test_a_click_into_the_picture_is_a_click_at_that_point(driven, mei):
    one, worker, answer = driven
    answer(None)
    page = text_of(mei.client.get(f"/captures/{one.id}/drive"))
    assert f"/captures/{one.id}/steps/0.png" in page
    with Image.open(io.BytesIO(mei.client.get(f"/captures/{one.id}/steps/0.png").content)) as picture:
        assert (picture.format, picture.size) == ("PNG", (1280, 900))
    point = {"action": "click", "at.x": "1200", "at.y": "33"}
    mei.client.post(f"/captures/{one.id}/drive", {**point, "step": "4"})
    assert worker.next() is None  # of a picture that is not the newest
    mei.client.post(f"/captures/{one.id}/drive", {**point, "step": "0"})
    got = worker.next()
    assert (got.action, got.x, got.y) == ("click", 1200, 33)


def test_steps_are_taken_one_at_a_time_while_a_browser_stands(driven, world, mei):
    one, worker, answer = driven
    path, step = f"/captures/{one.id}/drive", {"action": "wait"}

    def said(sent):
        mei.client.post(path, sent)
        return text_of(mei.client.get(f"/captures/{one.id}"))

    assert "No browser waits" in said(step)
    answer(None)
    assert "This is no step" in said({"action": "dance"})
    assert "still being carried out" not in said(step)
    assert "still being carried out" in said(step)
    answer(worker.next(), "timeout")
    assert "It took too long" in text_of(mei.client.get(path))
    assert world.person("Bo Wen").client.get(path).status_code == 404
    assert world.person("Lu Xi", role="viewer", of=mei).client.post(path, step).status_code == 403
    lease = Capture.objects.get(pk=one.id).taken_until
    Capture.objects.filter(pk=one.id).update(state="done")
    assert "No browser waits" in said(step)
    assert lease > world.now()


def test_a_page_is_captured_again_and_again_until_somebody_stops_it(world, mei):
    matter = opened(world, mei)
    typed = {
        "url": "https://shop.example/",
        "mode": "automatic",
        "phase": "infringement",
        "every": "1440",
        "days": "30",
    }
    answer = mei.client.post(f"/matters/{matter.id}/captures/new", {**typed, "mode": "operator"})
    assert "that you drive yourself" in text_of(answer)
    mei.client.post(f"/matters/{matter.id}/captures/new", typed)
    [one] = matters.schedules_of(mei.actor, matter.id)
    assert (one.every_minutes, one.until - one.next_at) == (1440, timedelta(days=30))
    path = f"/matters/{matter.id}/schedules/{one.id}"
    page = text_of(mei.client.get(f"/matters/{matter.id}", headers=CHINESE))
    assert path in page
    assert "每天" in page
    world.person("Bo Wen").client.post(path)
    world.person("Lu Xi", role="viewer", of=mei).client.post(path)
    assert matters.schedules_of(mei.actor, matter.id)[0].ended_at is None
    mei.client.post(path)
    assert matters.schedules_of(mei.actor, matter.id)[0].ended_at is not None
    assert path not in text_of(mei.client.get(f"/matters/{matter.id}"))


def test_a_file_is_redacted_for_everybody_but_the_court_and_shown_again(world, mei):
    matter = opened(world, mei)
    add(mei, matter)
    [item] = matters.items_of(mei.actor, matter.id)
    path = f"/matters/{matter.id}/files/{item.files[0].id}"

    def sent(person=mei, **more):
        shown = SimpleUploadedFile("invoice.pdf", b"blackened", "application/pdf")
        return person.client.post(f"{path}/redact", {"file": shown, "reason": "personal data", **more})

    assert "invoice.pdf" in text_of(mei.client.get(f"{path}/redact"))
    other, viewer = world.person("Bo Wen"), world.person("Lu Xi", role="viewer", of=mei)
    assert [sent(other).status_code, sent(viewer).status_code] == [404, 403]
    wrong = sent(court_key="abc")
    assert wrong.status_code == 422
    assert "This is not a key" in text_of(wrong)
    assert sent(court_key="00" * 31 + "09").status_code == 302
    assert matters.items_of(mei.actor, matter.id)[0].files[0].redacted
    page = text_of(mei.client.get(f"/matters/{matter.id}"))
    assert f"{path}/unredact" in page
    assert sent().status_code == 422
    assert text_of(mei.client.get(f"/evidence/{item.files[0].id}")) == "an invoice"
    mei.client.post(f"{path}/unredact")
    assert not matters.items_of(mei.actor, matter.id)[0].files[0].redacted


def test_a_bundle_is_asked_for_and_watched(world, mei):
    matter = opened(world, mei)
    assert mei.client.post(f"/matters/{matter.id}/bundles/new", follow=True).status_code == 200
    assert matters.bundles_of(mei.actor, matter.id) == ()
    add(mei, matter)
    answer = mei.client.post(f"/matters/{matter.id}/bundles/new", {"item": ["E-001"]})
    [one] = matters.bundles_of(mei.actor, matter.id)
    assert answer["Location"] == f"/bundles/{one.id}"
    assert "data-fragment" in text_of(mei.client.get(f"/bundles/{one.id}"))
    assert mei.client.get(f"/bundles/{one.id}/asice").status_code == 404
    mei.client.post(f"/bundles/{one.id}/cancel")
    assert mei.client.get(f"/bundles/{one.id}/progress")["X-Finished"] == "1"
    assert world.person("Bo Wen").client.get(f"/bundles/{one.id}").status_code == 404


def picture(size=(1800, 300)):
    out = io.BytesIO()
    Image.new("RGB", size, "red").save(out, "PNG")
    return out.getvalue() + b"<script>trailing bytes</script>"


def test_a_preview_is_decoded_and_encoded_again():
    made = small(picture())
    assert b"<script>" not in made
    with Image.open(io.BytesIO(made)) as shown:
        assert shown.size == (900, 150)


def test_the_preview_of_a_long_page_ends_where_a_page_ends():
    with Image.open(io.BytesIO(small(picture((90, 7000))))) as shown:
        assert shown.size == (90, 6000)


@pytest.mark.parametrize("data", [b"", b"<svg onload=alert(1)>", picture()[:60], b"\x89PNG\r\n\x1a\n" + bytes(40)])
def test_what_is_no_picture_has_no_preview(data):
    with pytest.raises(Http404):
        small(data)


def test_the_cleanliness_report_stands_side_by_side():
    def look(status):
        return {"lines": [{"check": "hosts", "status": status, "sha256": "ab"}], "verdict": status}

    table = clean_table({"before": look("pass"), "after": look("fail")})
    assert table["rows"][0]["verdicts"] == ["pass", "fail"]
    assert not table["clean"]
    assert clean_table({"before": [1], "after": "x"}) is None


# ---- the judge


def code_for(person, matter):
    person.client.post(f"/matters/{matter.id}/grants", {"given_to": "Judge Li", "hours": "72"})
    page = text_of(person.client.get(f"/matters/{matter.id}"))
    code = re.search(r'id="new-code">([^<]+)<', page)[1]
    assert code not in text_of(person.client.get(f"/matters/{matter.id}"))
    return code


def test_a_judge_reads_with_a_code_and_every_use_is_logged(world, mei):
    matter = opened(world, mei)
    add(mei, matter)
    judge = Client()
    answer = judge.post("/access", {"code": code_for(mei, matter).lower(), "name": "Judge Li"})
    assert answer["Location"] == "/access/matter"
    page = text_of(judge.get("/access/matter"))
    [item] = matters.items_of(mei.actor, matter.id)
    assert "Lantern copies" in page
    assert f"/access/files/{item.files[0].id}" in page
    assert text_of(judge.get(f"/access/files/{item.files[0].id}")) == "an invoice"
    assert "matter.opened" in text_of(judge.get("/access/custody.jsonl"))
    [grant] = matters.grants_of(mei.actor, matter.id, world.now())
    assert [each.action for each in grant.uses] == ["opened", "matter", "file", "custody"]
    assert judge.get(f"/matters/{matter.id}").status_code == 302  # it is no account
    mei.client.post(f"/matters/{matter.id}/grants/{grant.id}")
    assert judge.get("/access/matter")["Location"] == "/access"
    assert judge.get(f"/access/files/{item.files[0].id}").status_code in {403, 404}


def test_a_judge_sees_no_other_matter(world, mei):
    matter, other = opened(world, mei), opened(world, mei, "Another")
    add(mei, other)
    [item] = matters.items_of(mei.actor, other.id)
    judge = Client()
    judge.post("/access", {"code": code_for(mei, matter), "name": "Judge Li"})
    assert judge.get(f"/access/files/{item.files[0].id}").status_code == 404


def test_who_guesses_codes_is_locked_out_and_told_so(world, mei):
    matter = opened(world, mei)
    code, judge = code_for(mei, matter), Client()
    for _ in range(10):
        answer = judge.post("/access", {"code": "AAAAA-BBBBB-CCCCC-DDDDD", "name": "Nobody"})
        assert answer.status_code in {403, 422}
    assert "AAAAA-BBBBB" in text_of(answer)
    locked = judge.post("/access", {"code": code, "name": "Judge Li"})
    assert locked.status_code == 429
    assert "alert-danger" in text_of(locked)


def test_a_code_that_has_ended_opens_nothing(world, mei):
    matter = opened(world, mei)
    code, _ = actions.grant(
        matter.id, given_to="x", life=timedelta(seconds=1), by=mei.actor, at=world.now() - timedelta(days=400)
    )
    answer = Client().post("/access", {"code": code, "name": "x"})
    assert answer.status_code == 410


def test_the_grant_form_comes_back_filled(world, mei):
    matter = opened(world, mei)
    answer = mei.client.post(f"/matters/{matter.id}/grants", {"purpose": "the hearing", "hours": "72"})
    assert answer.status_code == 422
    assert "the hearing" in text_of(answer)
