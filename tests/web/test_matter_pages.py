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

from chopmark.evidence import matters
from chopmark.evidence.actions import matter as actions
from chopmark.evidence.actions.matter import NewMatter
from chopmark.evidence.matters import Both
from chopmark.web.views.captures import _small, clean_table

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
    small = _small(picture())
    assert b"<script>" not in small
    with Image.open(io.BytesIO(small)) as shown:
        assert shown.size == (900, 150)


@pytest.mark.parametrize("data", [b"", b"<svg onload=alert(1)>", picture()[:60], b"\x89PNG\r\n\x1a\n" + bytes(40)])
def test_what_is_no_picture_has_no_preview(data):
    with pytest.raises(Http404):
        _small(data)


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
