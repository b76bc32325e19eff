from __future__ import annotations

import io
import re
import struct
import zlib

import numpy as np
import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from PIL import Image
from world.pages import PageWorld

from chopmark.base.errors import Unavailable
from chopmark.evidence import wiring
from chopmark.rights.queries import works
from chopmark.web.forms.works import WorkRecordForm
from chopmark.web.views import thumbnails

CHINESE = {"accept-language": "zh-CN"}
LANTERN = {
    "title": "Lantern over the water",
    "authors": "Mei Lan; Bo Wen",
    "basis": "author",
    "statement": "All rights reserved.",
    "mining": "reserved",
    "shown": "private",
    "licence": "",
    "created_on": "2026-01-02",
}


@pytest.fixture
def world(db, settings, tmp_path):
    settings.CHOPMARK_HOME = tmp_path / "home"
    return PageWorld.made(settings.CHOPMARK_HOME)


@pytest.fixture
def mei(world):
    return world.person("Mei Lan")


def photograph(seed=1, size=(480, 360)):
    """A picture with shapes of many sizes: distinctive, as a photograph is."""
    noise = np.random.default_rng(seed)
    ground = np.zeros((size[1], size[0], 3), np.float64)
    for cells in (4, 9, 20, 45):
        coarse = noise.integers(0, 255, (cells, cells, 3)).astype(np.uint8)
        ground += np.asarray(Image.fromarray(coarse).resize(size, Image.Resampling.BICUBIC), np.float64) * (6 / cells)
    ground *= 255 / ground.max()
    out = io.BytesIO()
    Image.fromarray(ground.astype(np.uint8)).save(out, "PNG")
    return out.getvalue()


def deposited(person, data=None, name="lantern.png", **more):
    file = SimpleUploadedFile(name, photograph() if data is None else data, "image/png")
    answer = person.client.post("/works/new", {**LANTERN, "file": file, **more})
    assert answer.status_code == 302, re.findall(r"errorlist[^>]*>.*?</ul>", answer.text, re.DOTALL)
    return answer["Location"].rsplit("/", 1)[1]


@pytest.mark.parametrize("path", ["/works/", "/works/new", "/works/W-2026-000001"])
def test_a_stranger_is_led_to_the_sign_in_page(world, path):
    assert Client().get(path)["Location"].startswith("/accounts/login/?next=")


def test_an_empty_list_says_what_to_do(mei):
    assert "Deposit the first work" in mei.client.get("/works/").text
    assert "存证第一件作品" in mei.client.get("/works/", headers=CHINESE).text


def test_a_work_is_deposited_listed_and_shown_and_its_file_only_saved(world, mei):
    number = deposited(mei)
    page = mei.client.get(f"/works/{number}", headers=CHINESE).text
    for said in ("Lantern over the water", "Mei Lan, Bo Wen", "保留：未经许可不得使用", "ISCC:", "2026-01-02"):
        assert said in page, said
    assert "Lantern over the water" in mei.client.get("/works/").text
    [one] = works.works_of(mei.actor)
    [file] = one.files
    saved = mei.client.get(f"/works/{number}/files/{file.id}")
    assert saved["Content-Disposition"].startswith("attachment")
    assert b"".join(saved) == photograph()
    shown = mei.client.get(f"/works/{number}/files/{file.id}.png?small=1")
    assert shown["Content-Security-Policy"] == "sandbox; default-src 'none'"
    with Image.open(io.BytesIO(shown.content)) as small:
        assert max(small.size) == 400


def test_a_picture_that_turns_out_hostile_is_not_shown_and_pages_go_on(world, mei):
    number = deposited(mei)
    [file] = works.works_of(mei.actor)[0].files
    path = f"/works/{number}/files/{file.id}.png"
    place = wiring.blobs().path(file.sha256)
    kept = place.read_bytes()
    place.chmod(0o600)
    size = struct.pack(">II", 60_000, 60_000)
    head = b"IHDR" + size + kept[24:29]
    huge = kept[:12] + head + zlib.crc32(head).to_bytes(4) + kept[33:]
    for hostile in (huge, kept[: len(kept) // 2], b"<svg onload='alert(1)'/>" + kept, b""):
        place.write_bytes(hostile)
        answer = mei.client.get(path)
        assert answer.status_code == 404
        assert answer["Content-Type"].startswith("text/html")
    place.write_bytes(kept + b"<script>alert(1)</script>")
    shown = mei.client.get(path)
    assert shown.status_code == 200
    assert b"<script>" not in shown.content


def test_a_picture_waits_its_turn_no_longer_than_a_page_may(world, mei, monkeypatch):
    number = deposited(mei)
    [file] = works.works_of(mei.actor)[0].files
    monkeypatch.setattr(thumbnails, "_PATIENCE", 0.01)
    with thumbnails._ROOM:
        assert mei.client.get(f"/works/{number}/files/{file.id}.png").status_code == 503
    assert mei.client.get(f"/works/{number}/files/{file.id}.png").status_code == 200


def test_another_organisations_work_does_not_exist(world, mei):
    number = deposited(mei)
    [file] = works.works_of(mei.actor)[0].files
    other = world.person("Bo Wen")
    for path in ("", "/change", f"/files/{file.id}", f"/files/{file.id}.png"):
        assert other.client.get(f"/works/{number}{path}").status_code == 404, path
    assert other.client.post(f"/works/{number}/withdraw").status_code == 404
    assert other.client.post(f"/works/{number}/files/{file.id}/release").status_code == 404
    assert works.work_of(mei.actor, number).state == "filed"


def test_a_viewer_reads_and_changes_nothing(world, mei):
    number = deposited(mei)
    viewer = world.person("Lu Xi", role="viewer", of=mei)
    assert f"/works/{number}/withdraw" not in viewer.client.get(f"/works/{number}").text
    assert viewer.client.get("/works/new").status_code == 403
    assert viewer.client.post(f"/works/{number}/withdraw").status_code == 403


def test_a_form_that_is_refused_keeps_what_was_typed_and_the_file(mei):
    file = SimpleUploadedFile("lantern.png", photograph(), "image/png")
    answer = mei.client.post("/works/new", {**LANTERN, "title": "", "file": file})
    assert answer.status_code == 422
    assert "The file is here" in answer.text
    assert "lantern.png" in answer.text
    assert 'value="Mei Lan; Bo Wen"' in answer.text
    upload = re.search(r'name="upload" value="([^"]+)"', answer.text)[1]
    made = mei.client.post("/works/new", {**LANTERN, "upload": upload})
    assert made.status_code == 302


def test_somebody_elses_upload_is_nobodys_work(world, mei):
    file = SimpleUploadedFile("lantern.png", photograph(), "image/png")
    answer = mei.client.post("/works/new", {**LANTERN, "title": "", "file": file})
    upload = re.search(r'name="upload" value="([^"]+)"', answer.text)[1]
    other = world.person("Bo Wen")
    answer = other.client.post("/works/new", {**LANTERN, "upload": upload})
    assert answer.status_code in {404, 422}
    assert "lantern.png" not in answer.text


def test_what_resembles_it_is_shown_before_anything_is_filed(world, mei):
    number = deposited(mei, shown="public")
    with Image.open(io.BytesIO(photograph())) as whole:
        out = io.BytesIO()
        whole.convert("L").save(out, "PNG")
    other = world.person("Bo Wen")
    file = SimpleUploadedFile("mine.png", out.getvalue(), "image/png")
    answer = other.client.post("/works/new", {**LANTERN, "title": "Mine", "file": file})
    assert answer.status_code == 422
    assert "Similar works were deposited before" in answer.text
    assert number in answer.text
    assert "Lantern over the water" in answer.text
    assert works.works_of(other.actor) == ()
    upload = re.search(r'name="upload" value="([^"]+)"', answer.text)[1]
    anyway = re.search(r'name="anyway" value="([^"]+)"', answer.text)[1]
    made = other.client.post("/works/new", {**LANTERN, "title": "Mine", "upload": upload, "anyway": anyway})
    assert made.status_code == 302


def test_a_text_is_known_for_a_text(mei):
    words = " ".join(f"The lantern number {n} hangs over water of the colour {n * n % 97}." for n in range(120))
    number = deposited(mei, words.encode(), "lantern.txt")
    assert works.work_of(mei.actor, number).record.kind == "text"


@pytest.mark.parametrize("data", [b"", b"\x00\x01\x02" * 100])
def test_a_file_that_is_no_work_is_refused_on_the_form(mei, data):
    file = SimpleUploadedFile("x.bin", data, "application/octet-stream")
    answer = mei.client.post("/works/new", {**LANTERN, "file": file})
    assert answer.status_code == 422
    assert "errorlist" in answer.text


def test_a_change_in_between_is_noticed_and_nothing_typed_is_lost(mei):
    number = deposited(mei)
    page = mei.client.get(f"/works/{number}/change").text
    version = re.search(r'name="version" value="(\d+)"', page)[1]
    typed = {"authors": "Mei Lan", "basis": "author", "statement": "Mine", "shown": "public", "version": version}
    assert mei.client.post(f"/works/{number}/change", {**typed, "title": "First"}).status_code == 302
    late = mei.client.post(f"/works/{number}/change", {**typed, "title": "Second"})
    assert late.status_code == 422
    assert "changed by somebody else" in late.text
    assert 'value="Second"' in late.text
    assert "First" in mei.client.get(f"/works/{number}").text


def test_a_platform_that_is_busy_leaves_the_form_filled(mei, monkeypatch):
    number = deposited(mei)

    def busy(*_given, **_named):
        raise Unavailable("ledger.database_unavailable")

    monkeypatch.setattr("chopmark.web.views.works.registering.amend_work", busy)
    typed = {"title": "Second", "authors": "Mei Lan", "basis": "author", "statement": "Mine", "shown": "public"}
    answer = mei.client.post(f"/works/{number}/change", typed)
    assert answer.status_code == 422
    assert 'value="Second"' in answer.text


def test_a_statement_is_corrected_and_a_work_withdrawn(mei):
    number = deposited(mei)
    page = mei.client.get(f"/works/{number}/change").text
    assert 'value="Mei Lan; Bo Wen"' in page
    answer = mei.client.post(f"/works/{number}/change", {**LANTERN, "licence": "CC-BY-4.0", "statement": "Ask me."})
    assert answer.status_code == 302, answer.text
    assert "CC-BY-4.0" in mei.client.get(f"/works/{number}").text
    mei.client.post(f"/works/{number}/withdraw")
    page = mei.client.get(f"/works/{number}").text
    assert "Withdrawn" in page
    assert f"/works/{number}/withdraw" not in page


NAMES = {
    "semicolons": ("Mei Lan; Bo Wen", ("Mei Lan", "Bo Wen")),
    "Chinese marks": ("李梅、王波；赵云", ("李梅", "王波", "赵云")),
    "a firm's comma": ("Lantern, Ltd; Bo Wen", ("Lantern, Ltd", "Bo Wen")),
    "the same twice": ("Mei Lan; Mei Lan", ("Mei Lan",)),
}


@pytest.mark.parametrize("case", NAMES)
def test_names_are_read_in_any_usual_form(case):
    typed, names = NAMES[case]
    form = WorkRecordForm({**LANTERN, "authors": typed})
    assert form.is_valid(), form.errors
    assert form.cleaned_data["authors"] == names
