"""Who must not: rights, works, searches, mandates against strangers, viewers, other organisations, narrow keys."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import threading
import time
from datetime import timedelta
from urllib.parse import quote
from uuid import uuid4

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from PIL import Image, ImageOps
from web.test_work_pages import LANTERN as WORK
from web.test_work_pages import deposited, photograph
from world.pages import PageWorld
from world.patience import HANG
from world.rights import lantern

from chopmark.base import clock
from chopmark.base.errors import Refused, Unavailable
from chopmark.people import actions as people
from chopmark.rights.actions import copies, interest, watch
from chopmark.rights.actions import file as filing
from chopmark.rights.actions.file import NewPaper, NewRight
from chopmark.rights.actions.interest import NewInterest
from chopmark.rights.actions.watch import NewWatch
from chopmark.rights.models import LogoCode
from chopmark.rights.queries import registry
from chopmark.rights.record import Class, Mark, Party, Text
from chopmark.web import turns
from chopmark.web.api import limits
from chopmark.web.turns import Turns
from chopmark.web.views import rights


@pytest.fixture(autouse=True)
def _patience(monkeypatch):
    """Each test begins with full buckets."""
    monkeypatch.setattr(limits, "_BUCKETS", limits.Buckets())


@pytest.fixture
def world(db, settings, tmp_path):
    settings.CHOPMARK_HOME = tmp_path / "home"
    return PageWorld.made(settings.CHOPMARK_HOME, at=clock.now().replace(microsecond=0) - timedelta(minutes=10))


@pytest.fixture
def mei(world):
    return world.person("Mei Lan")


@pytest.fixture
def jo(world):
    return world.person("Jo Smith")


# ---- a digest is no key to somebody else's file


@pytest.mark.parametrize("by_digest", [False, True], ids=["nothing beside it", "a deposit of the digest beside it"])
def test_a_digest_in_a_record_shows_nobody_the_file_of_another_organisation(world, mei, jo, by_digest):
    """Whoever knows the SHA-256 of a private picture must not be shown the picture, nor have it compared."""
    deposited(mei)
    private = hashlib.sha256(photograph()).digest()
    record = lantern(mark=Mark(verbal="RED LANTERN", feature="combined", image=private))
    claimed = world.deposit(jo, photograph(), kind="document", private=True)
    papers = (NewPaper(kind="other", deposit=claimed.id),) if by_digest else ()
    right = filing.file_right(NewRight(record=record, papers=papers), by=jo.actor, at=world.now())
    assert jo.client.get(f"/rights/{right.number}/sign.png").status_code == 404
    assert "sign.png" not in jo.client.get(f"/rights/{right.number}").text
    watch.run_watches(world.now())
    assert not LogoCode.objects.filter(image=private).exists()


# ---- one caller cannot hold the platform


def test_one_caller_has_one_heavy_call_worked_on_and_one_waiting_whatever_it_sends():
    made = Turns(room=4, patience=HANG)
    began, done = threading.Event(), threading.Event()
    order = []

    def call(name):
        with made.turn("organisation a", f"user {name}"):
            order.append(name)
            began.set()
            done.wait(HANG)

    threads = [threading.Thread(target=call, args=(name,)) for name in "12"]
    threads[0].start()
    assert began.wait(HANG)
    threads[1].start()
    while made._here["organisation a"] < 2:
        time.sleep(0.001)
    with pytest.raises(Refused, match=r"web\.heavy_too_fast"), made.turn("organisation a"):
        pass
    with made.turn("organisation b"), made.turn("organisation c"):
        with pytest.raises(Unavailable, match=r"media\.decoder_busy"), made.turn("organisation d"):
            pass
        assert order == ["1"]
    done.set()
    for each in threads:
        each.join(HANG)
    assert order == ["1", "2"]
    with made.turn("organisation a"), made.turn("organisation d"):
        pass


def test_a_call_that_waited_too_long_gives_its_place_back():
    made = Turns(room=2, patience=0.01)
    with made.turn("a"):
        for _again in range(3):
            with pytest.raises(Refused, match=r"web\.heavy_too_fast"), made.turn("a"):
                pass
    with made.turn("a"), made.turn("b"):
        pass


def test_every_address_that_decodes_or_reads_a_table_takes_its_turn(world, mei, monkeypatch):
    monkeypatch.setattr(turns, "_TURNS", Turns(room=2, patience=0.01))
    work = {"kind": "picture", "title": "Lantern", "statement": "All rights reserved."}
    calls = {
        "register a work": ("/api/v1/works", {"record": work, "files": [{"deposit": str(uuid4())}]}),
        "find copies": ("/api/v1/copies", {"file": "QUJD"}),
        "no match": ("/api/v1/copies/commons", {"file": "QUJD", "reason": "template"}),
        "search a logo": ("/api/v1/rights/search", {"picture": "QUJD"}),
        "watch a logo": ("/api/v1/rights/watches", {"picture": "QUJD"}),
        "import": ("/api/v1/rights/import", {"file": "QUJD"}),
    }
    text = people.create_api_key("heavy", ["rights:write", "rights:read"], by=mei.actor, at=world.now()).text
    headers = {"Authorization": f"Bearer {text}"}
    forms = {
        "/copies/": {"file": SimpleUploadedFile("a.png", photograph())},
        "/works/new": {**WORK, "file": SimpleUploadedFile("a.png", photograph())},
        "/rights/search": {"logo": SimpleUploadedFile("a.png", photograph())},
        "/rights/import": {"file": SimpleUploadedFile("a.csv", b"kind\n")},
        "/rights/read": {"office_file": SimpleUploadedFile("a.csv", b"kind\n")},
    }
    with turns.turn(mei.actor):
        for what, (path, body) in calls.items():
            answer = Client().post(path, json.dumps(body), content_type="application/json", headers=headers)
            assert (answer.status_code, answer.json()["code"]) == (429, "web.heavy_too_fast"), what
        for path, typed in forms.items():
            assert "being looked at already" in mei.client.post(path, typed, headers={"accept-language": "en"}).text


# ---- what a form carries


def test_what_was_read_for_one_person_fills_nobody_elses_form(world, mei, jo, monkeypatch):
    table = b"kind,office,registration number,mark,owner\ntrademark,EM,018123456,NIGHT MARKET,Lantern GmbH\n"

    def read():
        file = SimpleUploadedFile("mine.csv", table, "text/csv")
        return mei.client.post("/rights/read", {"office_file": file}).json()["fields"]

    def source(person, fields):
        number = person.client.post("/rights/new", fields)["Location"].rsplit("/", 1)[1]
        return registry.right_of(person.actor, number).right.record.source.format

    assert source(jo, {**read(), "paper": ""}) == "form"
    assert source(mei, read()) == "csv"
    stale = {**read(), "number": "018999999"}
    monkeypatch.setattr(rights, "READ_FOR", -1)
    assert source(mei, stale) == "form"


# ---- values that no clock, index or database takes

ODD_ADDRESSES = (
    *(f"/rights/{{number}}?as_of={each}" for each in ("9999-12-31T23:59:59-23:59", "0001-01-01T00:00:00%2B23:59", "x")),
    *(f"/api/v1/rights/{{number}}?as_of={each}" for each in ("9999-12-31T23:59:59-23:59", "1e400", "-1e400")),
    *(f"/rights/?{each}" for each in ("after=%00", "q=%00", "state=%00", "client=%00", "q=%25_%5C")),
    *(f"/rights/search?q={each}" for each in ("%00", "%22", "AND+OR+NOT", "a:b", "*", "[a+TO+b]", "%5C", "^~")),
    *(f"/rights/may?right={{number}}&seller=x&territory=DE&on={each}" for each in ("0001-01-01", "9999-12-31")),
    *(f"/rights/{{number}}/events/{each}.json" for each in ("0", "9" * 40)),
    *("/rights/a%00b", "/works/%00", "/copies/%00", "/works/?after=%00", f"/works/W-2026-000001/files/{'9' * 40}"),
    *(f"/api/v1/rights?limit={each}" for each in ("0", "-1", "9" * 40, "NaN")),
    *(f"/api/v1/rights/search?q=a&{each}" for each in ("least=nan", "limit=9999", "classes=%00", "territories=%00")),
    *(f"/api/v1/rights/search?q={each}" for each in ("a" * 201, "%00")),
    f"/api/v1/works?q={'a' * 301}",
)
ODD_BODIES = {
    "customs that ended in the year one": ("customs", {"authority": "DE", "number": "8", "until": "0001-01-02"}),
    "a licence until then": ("licences", {"party": {"name": "x"}, "role": "licensee", "until": "0001-01-02"}),
    "a licence without end": ("licences", {"party": {"name": "x"}, "role": "licensee", "until": "9999-12-31"}),
    "a seller with a control character": ("may-sell", {"territory": "DE", "class": "\0", "seller_name": "\0"}),
    "a question of the year one": ("may-act", {"territory": "DE", "on": "0001-01-01"}),
    "a question of the last day": ("may-act", {"territory": "DE", "on": "9999-12-31"}),
    "a code with a control character": ("verify", {"code": "\0"}),
}


def test_odd_values_are_answered_and_nothing_breaks(world, mei):
    number = filing.file_right(NewRight(record=lantern()), by=mei.actor, at=world.now()).number
    client = Client(raise_request_exception=False)
    client.force_login(mei.user)
    for each in ODD_ADDRESSES:
        assert client.get(each.format(number=number)).status_code < 500, each
    for what, (path, body) in ODD_BODIES.items():
        answer = client.post(f"/api/v1/rights/{number}/{path}", json.dumps(body), content_type="application/json")
        assert answer.status_code < 500, what
    made = client.post("/api/v1/rights/watches", json.dumps({"text": "a\0b"}), content_type="application/json")
    assert made.json()["text"] == "ab"  # PostgreSQL stores no such character


# ---- what is private


def test_nothing_of_a_private_work_but_its_statement_is_told_to_whoever_finds_it(world, mei, jo):
    """Before it was registered and after, by page and API, while filing a copy, and in the reasons."""
    data = photograph()
    with Image.open(io.BytesIO(data)) as whole:
        turned = io.BytesIO()
        ImageOps.mirror(whole).save(turned, "PNG")
    text = people.create_api_key("jo", ["rights:write", "rights:read"], by=jo.actor, at=world.now()).text
    auth = {"Authorization": f"Bearer {text}", "Accept-Language": "en"}
    asked = json.dumps({"file": base64.b64encode(turned.getvalue()).decode()})

    def find():
        return Client().post("/api/v1/copies", asked, content_type="application/json", headers=auth).json()

    before = find()["number"]
    number = deposited(mei, data, name="hush-file.png", title="Hush Title", authors="Hush Author", licence="CC-BY-4.0")
    copies.compare_with_searches(clock.now)
    told = []
    for search in (before, find()["number"]):
        shown = Client().get(f"/api/v1/copies/{search}", headers=auth)
        [match] = shown.json()["matches"]
        assert (match["work"], match["own"], match["statement"]) == (number, False, "All rights reserved.")
        assert not match["licence"]
        here = f"/api/v1/copies/{search}/matches/{match['id']}"
        assert Client().get(f"{here}/overlay.png", headers=auth).status_code == 404
        assert jo.client.get(f"/copies/{search}/matches/{match['id']}.png").status_code == 404
        told += [shown.text, Client().get(here, headers=auth).text, jo.client.get(f"/copies/{search}").text]
    file = SimpleUploadedFile("mine.png", turned.getvalue(), "image/png")
    told.append(jo.client.post("/works/new", {**WORK, "title": "Mine", "authors": "Me", "file": file}).text)
    assert number in told[-1]
    told += [jo.client.get(path).text for path in ("/copies/", "/works/", "/explorer/")]
    for page in told:
        for secret in ("Hush", "hush", hashlib.sha256(data).hexdigest()):
            assert secret not in page, secret


# ---- what people type is text


def test_names_goods_and_reasons_are_text_on_every_page(world, mei):
    evil = "<img src=x onerror=alert(1)>"
    goods = Class(scheme="nice", code="11", goods=(Text(lang="en", text=evil),))
    record = lantern(mark=Mark(verbal=evil, feature="word"), title=evil, owners=(Party(name=evil),), classes=(goods,))
    right = filing.file_right(NewRight(record=record), by=mei.actor, at=world.now())
    new = NewInterest(party=Party(name=evil), role="authorised_seller", channels=('"><script>x',))
    interest.license(right.id, new, by=mei.actor, at=world.now())
    watch.save_watch(NewWatch(text=evil), by=mei.actor, at=world.now())
    for address in (
        *(f"/rights/{right.number}{path}" for path in ("", "/licence", "/change", "?as_of=2100-01-01")),
        *("/rights/", f"/rights/?q={quote(evil)}", f"/rights/search?q={quote(evil)}"),
        f"/rights/may?right={right.number}&seller={quote(evil)}&territory=DE",
    ):
        page = mei.client.get(address)
        assert page.status_code == 200, address
        assert "&lt;img src=x onerror=alert(1)&gt;" in page.text, address
        assert "<img src=x" not in page.text, address
        assert "<script>x" not in page.text, address
        assert "unsafe-inline" not in page["Content-Security-Policy"], address
