from __future__ import annotations

import ast
import csv
import io
import json
import re
from datetime import timedelta
from pathlib import Path

import polib
import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.utils.translation import override
from world.pages import PageWorld, digest

from chopmark.base.digests import digests_of
from chopmark.evidence import queries
from chopmark.evidence.actions import append_upload, start_upload
from chopmark.web.views.deposits import texts
from chopmark.web.views.receipts import size_text

DATA = b"a lantern over the water"
WEB = Path(__file__).resolve().parents[2] / "src" / "chopmark" / "web"


@pytest.fixture
def world(db, settings, tmp_path):
    settings.CHOPMARK_HOME = tmp_path / "home"
    return PageWorld.made(settings.CHOPMARK_HOME)


@pytest.fixture
def mei(world):
    return world.person("Mei Lan")


def text_of(answer):
    return b"".join(answer).decode() if answer.streaming else answer.content.decode()


# ---- who may see what


@pytest.mark.parametrize("path", ["/deposits/", "/deposits/new", "/deposits/export.csv"])
def test_a_stranger_is_led_to_the_sign_in_page_and_back(world, path):
    answer = Client().get(path)
    assert answer.status_code == 302
    assert answer["Location"] == f"/accounts/login/?next={path.replace('/', '%2F')}"


def test_another_organisations_deposit_does_not_exist(world, mei):
    one = world.deposit(mei, DATA)
    world.publish()
    other = world.person("Bo Wen")
    for path in ("", "/tlog-proof", "/receipt.cose", "/file"):
        assert other.client.get(f"/deposits/{one.id}{path}").status_code in {403, 404}
    assert "lantern" not in text_of(other.client.get("/deposits/"))


def test_a_viewer_sees_deposits_and_makes_none(world, mei):
    world.deposit(mei, DATA, title="Lantern")
    viewer = world.person("Lu Xi", role="viewer", of=mei)
    listed = text_of(viewer.client.get("/deposits/"))
    assert "Lantern" in listed
    assert "/deposits/new" not in listed
    assert viewer.client.get("/deposits/new").status_code == 403


# ---- the plain form


def plain(person, data=DATA, **more):
    file = SimpleUploadedFile(more.pop("name", "lantern.png"), data, more.pop("media", "image/png"))
    return person.client.post("/deposits/new", {"file": file, "kind": "work", **more})


def test_the_plain_form_deposits_one_file_hashed_here(world, mei):
    answer = plain(mei, title="Lantern", author="Mei Lan", sm3="on")
    [one] = queries.latest(mei.actor)
    assert answer["Location"] == f"/deposits/{one.id}"
    assert one.sha256 == digests_of([DATA]).sha256
    assert one.sm3 == digests_of([DATA], sm3=True).sm3
    assert (one.title, one.author, one.source, one.kept, one.private) == ("Lantern", "Mei Lan", "page", False, False)


def test_the_plain_form_names_an_untitled_deposit_after_its_file(world, mei):
    plain(mei, name="灯笼.png")
    assert queries.latest(mei.actor)[0].title == "灯笼.png"


def test_the_plain_form_can_keep_the_file(world, mei):
    plain(mei, keep="on", private="on")
    [one] = queries.latest(mei.actor)
    assert one.kept
    assert one.private
    assert b"".join(mei.client.get(f"/deposits/{one.id}/file")) == DATA


WRONG = {
    "an empty file": ({"data": b""}, "empty"),
    "an unknown kind": ({"kind": "loot"}, "loot"),
    "a title that is too long": ({"title": "x" * 301}, "300"),
    "a title with a control character": ({"title": "a\x07b"}, "control"),
}


@pytest.mark.parametrize(("typed", "said"), WRONG.values(), ids=WRONG.keys())
def test_the_plain_form_says_what_is_wrong_and_keeps_what_was_typed(world, mei, typed, said):
    answer = plain(mei, **{"author": "Mei Lan the elder", **typed})
    assert answer.status_code == 422
    assert said in text_of(answer)
    assert "Mei Lan the elder" in text_of(answer)
    assert queries.latest(mei.actor) == ()


def test_the_plain_form_without_a_file_asks_for_one(world, mei):
    answer = mei.client.post("/deposits/new", {"kind": "work"})
    assert answer.status_code == 422
    assert "Choose a file" in text_of(answer)


def test_the_plain_form_needs_its_token(world, mei):
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(mei.user)
    assert strict.post("/deposits/new", {"kind": "work"}).status_code == 403


# ---- one deposit


def test_a_pending_deposit_says_what_it_waits_for_and_offers_no_receipt(world, mei):
    one = world.deposit(mei, DATA)
    text = text_of(mei.client.get(f"/deposits/{one.id}"))
    assert "Waiting for the next batch" in text
    assert "data-live" in text
    assert "tlog-proof" not in text
    assert mei.client.get(f"/deposits/{one.id}/tlog-proof").status_code == 503


def test_a_published_deposit_shows_its_way_digests_and_the_command(world, mei):
    one = world.deposit(mei, DATA, title="Lantern", digests=digests_of([DATA], sm3=True))
    world.publish()
    text = text_of(mei.client.get(f"/deposits/{one.id}"))
    assert digest(DATA) in text
    assert digests_of([DATA], sm3=True).sm3.hex() in text
    assert "On the ledger, entry 2" in text
    assert "checkpoint of size 3" in text
    assert "chopmark verify lantern.png --receipt lantern.png.tlog-proof --policy chopmark.policy" in text
    assert "data-live" not in text


@pytest.mark.parametrize(("form", "media"), [("tlog-proof", "text/plain"), ("receipt.cose", "application/cose")])
def test_receipts_are_downloads_named_after_their_file(world, mei, form, media):
    one = world.deposit(mei, DATA, file_name='灯 "笼".png')
    world.publish()
    answer = mei.client.get(f"/deposits/{one.id}/{form}")
    assert answer["Content-Type"].startswith(media)
    assert answer["Content-Disposition"].startswith("attachment; filename*=utf-8''%E7%81%AF")
    assert answer["Content-Disposition"].endswith(f".{form}")


def test_a_kept_file_is_a_download_that_no_browser_shows(world, mei):
    script = b"<script>alert(1)</script>"
    upload = start_upload(length=len(script), file_name="a.html", file_type="text/html", by=mei.actor, at=world.now())
    append_upload(upload.id, offset=0, chunks=[script], by=mei.actor, at=world.now())
    one = world.deposit(mei, script, digests=None, upload=upload.id, file_name="a.html", media_type="text/html")
    answer = mei.client.get(f"/deposits/{one.id}/file")
    assert b"".join(answer) == script
    assert answer["Content-Type"] == "application/octet-stream"
    assert answer["Content-Disposition"].startswith("attachment")
    assert answer["Content-Security-Policy"].startswith("sandbox")


def test_a_deposit_without_a_kept_file_has_none_to_download(world, mei):
    one = world.deposit(mei, DATA)
    assert mei.client.get(f"/deposits/{one.id}/file").status_code in {403, 404}


def test_earlier_deposits_of_the_same_bytes_are_named(world, mei):
    first = world.deposit(mei, DATA, title="First")
    second = world.deposit(mei, DATA, title="Second")
    text = text_of(mei.client.get(f"/deposits/{second.id}"))
    assert f'href="/deposits/{first.id}"' in text
    assert f'href="/deposits/{second.id}"' not in text_of(mei.client.get(f"/deposits/{first.id}"))


# ---- the list


def test_an_empty_list_teaches(world, mei):
    text = text_of(mei.client.get("/deposits/"))
    assert "No deposit yet" in text
    assert "Make the first deposit" in text


@pytest.fixture
def several(world, mei):
    """Three deposits: an old published work, a private document a day later, pending evidence after that."""
    world.deposit(mei, b"1", title="Lantern")
    world.publish()
    world.at += timedelta(days=1)
    world.deposit(mei, b"2", title="Contract", file_name="scan.pdf", kind="document", private=True)
    world.publish()
    world.at += timedelta(days=1)
    world.deposit(mei, b"3", title="Screenshot", file_name="shot.pdf", kind="evidence")
    return mei


FILTERS = {
    "words": ("q=lant", {"Lantern"}),
    "a digest": (f"q={digest(b'2')}", {"Contract"}),
    "a state": ("state=pending", {"Screenshot"}),
    "a kind": ("kind=document", {"Contract"}),
    "private ones": ("private=yes", {"Contract"}),
    "public ones": ("private=no", {"Lantern", "Screenshot"}),
    "from a day on": ("made_from=2026-11-23", {"Contract", "Screenshot"}),
    "until a day, that day included": ("made_to=2026-11-23", {"Lantern", "Contract"}),
    "both": ("made_from=2026-11-23&made_to=2026-11-23", {"Contract"}),
    "nothing that fits": ("q=nowhere", set()),
    "a day that is none": ("made_from=yesterday", {"Lantern", "Contract", "Screenshot"}),
    "the last day of the calendar": ("made_to=9999-12-31", {"Lantern", "Contract", "Screenshot"}),
    "a state that is none": ("state=lost", {"Lantern", "Contract", "Screenshot"}),
}


@pytest.mark.parametrize(("address", "titles"), FILTERS.values(), ids=FILTERS.keys())
def test_the_list_and_its_exports_show_the_same(several, address, titles):
    listed = text_of(several.client.get(f"/deposits/?{address}"))
    assert {each for each in ("Lantern", "Contract", "Screenshot") if f">{each}" in listed} == titles
    exported = json.loads(text_of(several.client.get(f"/deposits/export.json?{address}")))
    assert {each["title"] for each in exported} == titles
    lines = list(
        csv.DictReader(io.StringIO(text_of(several.client.get(f"/deposits/export.csv?{address}")).lstrip("\ufeff")))
    )
    assert [each["title"] for each in lines] == [each["title"] for each in exported]


def test_the_order_can_be_turned_round(several):
    for address, first in (("", "Screenshot"), ("?sort=oldest", "Lantern")):
        text = text_of(several.client.get(f"/deposits/{address}"))
        assert text.index(f">{first}") == min(text.index(f">{each}") for each in ("Lantern", "Contract", "Screenshot"))
        exported = json.loads(text_of(several.client.get(f"/deposits/export.json{address}")))
        assert exported[0]["title"] == first


@pytest.mark.parametrize("sort", ["", "oldest"])
def test_pages_follow_one_another_and_keep_the_filters(world, mei, sort):
    for number in range(53):
        world.deposit(mei, b"%d" % number, title=f"Work {number}")
    seen, address = [], f"?kind=work&sort={sort}"
    while address:
        text = text_of(mei.client.get(f"/deposits/{address}"))
        seen += re.findall(r">Work (\d+)", text)
        following = re.search(r'rel="next" href="(\?[^"]+)"', text)
        address = following[1].replace("&amp;", "&") if following else ""
        assert not address or "kind=work" in address
    assert [int(each) for each in seen] == sorted(range(53), reverse=sort == "")


def test_an_address_that_follows_nothing_is_refused_with_a_sentence(world, mei):
    world.deposit(mei, DATA)
    assert 400 <= mei.client.get("/deposits/?after=D-1999-000001").status_code < 500


def test_a_spreadsheet_computes_nothing_from_an_export(world, mei):
    for title in ("=1+1", "+1", "-1", "@SUM(A1)"):
        world.deposit(mei, title.encode(), title=title, author='a "quoted", name')
    answer = mei.client.get("/deposits/export.csv")
    assert answer["Content-Type"] == "text/csv; charset=utf-8"
    rows = list(csv.DictReader(io.StringIO(text_of(answer).lstrip("\ufeff"))))
    assert {row["title"] for row in rows} == {"'=1+1", "'+1", "'-1", "'@SUM(A1)"}
    assert {row["author"] for row in rows} == {'a "quoted", name'}


def test_what_people_typed_is_never_markup(world, mei):
    one = world.deposit(mei, DATA, title="<b>x</b>", author="</script><script>", file_name="<i>.png")
    for path in ("/deposits/", f"/deposits/{one.id}", "/deposits/?q=<script>"):
        text = text_of(mei.client.get(path))
        assert "<b>x</b>" not in text
        assert "<script>" not in text


# ---- the page that scripts drive


def test_the_deposit_page_carries_no_inline_script_or_style(world, mei):
    text = text_of(mei.client.get("/deposits/new"))
    assert not re.search(r"<style|style=|\son\w+=", text)
    for script in re.findall(r"<script[^>]*>", text):
        assert "src=" in script or 'type="application/json"' in script


def test_every_sentence_of_the_script_is_used_and_exists():
    script = (WEB / "static/chopmark/deposit.js").read_text("utf-8")
    said = set(re.findall(r'say\("(\w+)"', script)) | set(re.findall(r'\? say\("(\w+)"', script))
    said |= {"file_changed", "unreadable", "no_engine", "note_pending", "note_published"}
    said |= {f"state_{state}" for state in re.findall(r'set\(row, "(\w+)"', script)}
    assert said <= set(texts())
    assert {each for each in texts() if not each.startswith("state_")} <= said


@pytest.mark.parametrize(
    ("size", "shown"),
    [(1, "1 B"), (999, "999 B"), (1000, "1 kB"), (340_000, "340 kB"), (1_540_000, "1.5 MB"), (5_000_000_000, "5 GB")],
)
def test_sizes_are_written_in_decimal_units(size, shown):
    assert size_text(size) == shown


# ---- both languages


def _messages():
    """Every text of these pages that is to be translated, as gettext looks it up."""
    for file in (
        path for room in ("deposits", "receipts", "explorer") for path in (WEB / "templates" / room).glob("*.html")
    ):
        source = file.read_text("utf-8")
        yield from (each[1] for each in re.findall(r"""{%\s*translate\s+(["'])(.*?)\1\s*%}""", source))
        for block in re.findall(
            r"{%\s*blocktranslate.*?%}(.*?){%\s*(?:plural|endblocktranslate)\s*%}", source, re.DOTALL
        ):
            yield re.sub(r"{{\s*(\w+)\s*}}", r"%(\1)s", block.replace("%", "%%"))
    for name in ("views/deposits.py", "views/receipts.py", "views/explorer.py", "forms/deposits.py"):
        for node in ast.walk(ast.parse((WEB / name).read_text("utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "_":
                yield node.args[0].value


def test_every_text_is_translated_and_none_is_left_over():
    others = ("trust", "verify", "certificates", "matters")
    parts = {name: polib.pofile(str(WEB / f"locale/parts/{name}.po")) for name in ("deposits", *others)}
    translated = {each.msgid: each for each in parts["deposits"]}
    of_other_pages = {each.msgid for name in others for each in parts[name]}
    said = set(_messages())
    assert said - of_other_pages <= set(translated) <= said
    for each in translated.values():
        words = each.msgstr or each.msgstr_plural[0]
        assert re.search(r"[\u4e00-\u9fff：（]", words), each.msgid
        assert sorted(re.findall(r"{\w+}|%\(\w+\)s", words)) == sorted(re.findall(r"{\w+}|%\(\w+\)s", each.msgid))


def test_the_pages_speak_chinese(world, mei):
    one = world.deposit(mei, DATA)
    world.publish()
    chinese = {"Accept-Language": "zh-CN"}
    for path, said in {
        "/deposits/": "导出 CSV",
        "/deposits/new": "将文件或文件夹拖放到此处",
        f"/deposits/{one.id}": "已由大小为 3 的签名检查点覆盖",
        "/explorer/": "最新检查点",
    }.items():
        assert said in text_of(mei.client.get(path, headers=chinese))
    with override("zh-hans"):
        assert texts()["submit"] == "存证"
