from __future__ import annotations

import io
import json
import re
import zipfile
from datetime import timedelta
from uuid import UUID

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.http import QueryDict
from django.test import Client
from PIL import Image
from world.jobs import RESULT, TestCapture, tools
from world.pages import PageWorld
from world.tsa import TsaWorld

from chopmark import law
from chopmark.base import clock as clocks
from chopmark.cases import queries
from chopmark.cases.actions.desk import adopt_desk
from chopmark.cases.actions.receive import receive_event
from chopmark.desk import codec
from chopmark.desk.wire import DeskCard, Event, SignedEvent
from chopmark.evidence import matters
from chopmark.evidence.actions import NewMatter, open_matter
from chopmark.evidence.actions.work import Captured, MadeFile, work
from chopmark.evidence.matters import Both
from chopmark.ledger.keys import ED25519, SigningKey
from chopmark.web.forms.outline import Choice, Group, Numbers, Rows, Text, Tick, Ticks, of_schema, read, shown, unfit

KEY = SigningKey(name="hangzhou.test", type=ED25519, seed=bytes(range(32)))


@pytest.fixture
def world(db, settings, tmp_path, monkeypatch):
    settings.CHOPMARK_HOME = tmp_path / "home"
    # The PDF library judges certificates by the machine's clock; pages go by the world's, as its worker does.
    made = PageWorld.made(settings.CHOPMARK_HOME, at=clocks.now().replace(microsecond=0) - timedelta(minutes=10))
    monkeypatch.setattr(clocks, "now", made.now)
    return made


@pytest.fixture
def mei(world):
    return world.person("Mei Lan")


def text_of(answer):
    return b"".join(answer).decode() if answer.streaming else answer.content.decode()


def picture():
    out = io.BytesIO()
    Image.new("RGB", (1280, 2000), "white").save(out, "PNG")
    return out.getvalue()


def with_picture(job):
    archive, shot = job.out / "page.wacz", job.out / "screenshot.png"
    archive.write_bytes(b"archive")
    shot.write_bytes(picture())
    report = job.out / "cleanliness.json"
    look = {"verdict": "fail", "lines": [{"check": "hosts", "status": "fail"}]}
    report.write_text(json.dumps({"verdict": "fail", "before": look, "after": look}))
    log = job.out / "process.jsonl"
    log.write_text('{"seq":0,"at":"2026-11-22T09:30:00.000Z","action":"page.shown","facts":{"title":"<script>"}}\n')
    job.deposit([archive, shot, report, log])
    return Captured(
        files=(
            MadeFile(path=archive, media_type="application/wacz", role="primary"),
            MadeFile(path=shot, media_type="image/png", derived_from="page.wacz"),
            MadeFile(path=report, media_type="application/json", role="record"),
            MadeFile(path=log, media_type="application/x-ndjson", role="record"),
        ),
        result=RESULT,
        complete=True,
    )


def case(world, person):
    """A matter with an invoice, a captured page and a finished bundle, made by the real worker."""
    new = NewMatter(template="trademark_counterfeit", title=Both(zh="假冒灯笼案", en="Fake lanterns"))
    matter = open_matter(new, by=person.actor, at=world.now())
    file = SimpleUploadedFile("invoice.pdf", b"%PDF-1.7 an invoice", "application/pdf")
    typed = {"kind": "invoice", "role": "original", "phase": "purchase", "purpose_en": "shows the sale"}
    person.client.post(f"/matters/{matter.id}/upload", {"file": file, **typed})
    asked = {"url": "https://shop.test/x", "mode": "automatic", "phase": "infringement", "purpose_en": "the offer"}
    person.client.post(f"/matters/{matter.id}/captures/new", asked)
    tsa = TsaWorld(at=world.at)

    def clock():
        tsa.at = world.now()
        return tsa.at

    kit = tools(world.home, tsa, TestCapture(instead=with_picture))
    work(kit, clock)
    world.publish()
    person.client.post(f"/matters/{matter.id}/bundles/new")
    for _ in range(5):
        work(kit, clock)
        world.publish()
        world.at += timedelta(seconds=20)
    [bundle] = matters.bundles_of(person.actor, matter.id)
    assert bundle.state == "done", (bundle.trouble, bundle.facts)
    return matter, bundle


def desk(name="hangzhou", kind="court", profile="hangzhou"):
    card = DeskCard(
        form="chopmark-desk-1",
        name=name,
        kind=kind,
        zh="杭州互联网法院（模拟）",
        en="Hangzhou Internet Court (simulator)",
        url="http://127.0.0.1:9",
        profile=profile,
        simulated=True,
        node=str(KEY.verifier),
        root=None if kind == "court" else b"root",
    )
    adopt_desk(codec.canonical(card), at=clocks.now())


PARTIES = {
    "parties.rows": "3",
    "parties.0.role": "plaintiff",
    "parties.0.type": "organisation",
    "parties.0.name": "Mei Lan's studio",
    "parties.0.representative": "Mei Lan",
    "parties.0.id_type": "USCC",
    "parties.0.id_number": "91330100MA2XXXXXX1",
    "parties.0.address": "Hangzhou",
    "parties.0.email": "mei@example.com",
    "parties.1.role": "defendant",
    "parties.1.type": "person",
    "parties.1.name": "Bo Wen",
    "parties.1.address": "Yiwu",
    "parties.2.role": "plaintiff",
    "parties.2.type": "organisation",
}
CLAIMS = {
    "claims.rows": "2",
    "claims.0.text": "Stop the sale",
    "claims.1.text": "Pay damages",
    "claims.1.amount_fen": "50,000.5",
    "amount_fen": "50000.50",
    "facts.rows": "1",
    "facts.0.text": "The shop offered copies",
    "facts.0.evidence": ["E-001", "E-002"],
    "elements.marks.rows": "1",
    "elements.marks.0.number": "1234567",
    "elements.marks.0.owner": "Mei Lan",
    "elements.marks.0.classes": "11, 35",
    "elements.listings.rows": "1",
    "elements.listings.0.url": "https://shop.test/x",
}
CONFIRM = {
    "delivery.name": "Mei Lan",
    "delivery.address": "Hangzhou",
    "delivery.email": "mei@example.com",
    "delivery.electronic": "1",
    "delivery.electronic.shown": "1",
    "declared_by": "Mei Lan",
}


def drafted(world, person):
    matter, bundle = case(world, person)
    answer = person.client.post(f"/matters/{matter.id}/filings/new")
    filing = UUID(re.search(r"/filings/([0-9a-f-]+)/steps/evidence", answer["Location"])[1])
    return matter, bundle, filing


def filled(person, filing):
    for step, typed in (
        ("court", {"court": "hangzhou", "cause": "trademark_infringement"}),
        ("parties", PARTIES),
        ("claims", CLAIMS),
        ("confirm", CONFIRM),
    ):
        answer = person.client.post(f"/filings/{filing}/steps/{step}", {**typed, "next": "1"})
        assert answer.status_code == 302, (step, text_of(answer))


def test_a_filing_is_drafted_submitted_and_followed_step_by_step(world, mei):  # noqa: PLR0915 (one journey)
    desk()
    matter, bundle, filing = drafted(world, mei)
    page = text_of(mei.client.get(f"/filings/{filing}/steps/evidence"))
    assert bundle.number in page
    assert "E-002" in page
    first = text_of(mei.client.get(f"/filings/{filing}/check"))
    assert "disabled" in first
    assert text_of(mei.client.get(f"/matters/{matter.id}")).count("/filings/")

    filled(mei, filing)
    page = text_of(mei.client.get(f"/filings/{filing}/steps/claims"))
    assert 'value="50000.50"' in page
    assert 'value="11, 35"' in page
    assert "Stop the sale" in page
    assert re.search(r'value="E-002" checked', page)
    page = text_of(mei.client.get(f"/filings/{filing}/check"))
    assert "simulator" in page
    assert "¥" in page
    seen = re.search(r'name="seen" value="([0-9a-f]{64})"', page)[1]

    undeclared = mei.client.post(f"/filings/{filing}/check", {"seen": seen})
    assert undeclared.status_code == 422
    changed = mei.client.post(f"/filings/{filing}/check", {"seen": "00" * 32, "declared": "1"})
    assert changed.status_code == 422
    sent = mei.client.post(f"/filings/{filing}/check", {"seen": seen, "declared": "1"})
    assert sent["Location"] == f"/filings/{filing}"
    assert queries.filing_of(mei.actor, filing).state == "sending"

    def heard(seq, kind, **more):
        event = Event(
            **{
                "form": "chopmark-event-1",
                "desk": "hangzhou",
                "token": UUID(int=seq),
                "about": filing,
                "seq": seq,
                "at": world.now(),
                "kind": kind,
                "revision": 1,
                "reasons": (),
                "number": None,
                "when": None,
                "place": None,
                "fee_fen": None,
                "checks": (),
                "bundle": None,
                **more,
            }
        )
        receive_event(codec.canonical(SignedEvent.sign(event, KEY)), at=world.now())

    heard(1, "received")
    heard(2, "supplement_wanted", reasons=("<b>more about the sale</b>",))
    page = text_of(mei.client.get(f"/filings/{filing}"))
    assert "&lt;b&gt;more about the sale&lt;/b&gt;" in page
    assert "Supplement the filing" in page
    assert mei.client.get(f"/filings/{filing}/events?state=sending")["X-Finished"] == "1"
    assert "X-Finished" not in mei.client.get(f"/filings/{filing}/events?state=supplement_wanted")
    assert mei.client.get(f"/filings/{filing}/steps/claims").status_code == 200
    page = text_of(mei.client.get(f"/filings/{filing}/check"))
    seen = re.search(r'name="seen" value="([0-9a-f]{64})"', page)[1]
    mei.client.post(f"/filings/{filing}/check", {"seen": seen, "declared": "1", "note": "here it is"})
    heard(3, "supplemented", revision=2)
    heard(4, "accepted", number="(2026)浙0192民初1号", fee_fen=105000, revision=2)
    page = text_of(mei.client.get(f"/filings/{filing}", headers={"accept-language": "zh-CN"}))
    assert "(2026)浙0192民初1号" in page
    assert "已受理" in page
    assert mei.client.get(f"/filings/{filing}/steps/claims").status_code == 302

    viewer, other = world.person("Lu Xi", role="viewer", of=mei), world.person("Bo Wen")
    assert viewer.client.get(f"/filings/{filing}").status_code == 200
    assert viewer.client.post(f"/filings/{filing}/withdraw", {"reason": "x"}).status_code == 403
    for path in ("", "/check", "/steps/court", "/events"):
        assert other.client.get(f"/filings/{filing}{path}").status_code == 404, path
    assert Client().get(f"/filings/{filing}").status_code == 302
    mei.client.post(f"/filings/{filing}/withdraw", {"reason": "settled"})
    assert queries.filing_of(mei.actor, filing).state == "withdrawing"

    # The same bundle, as its own page and a judge see it.
    page = text_of(mei.client.get(f"/bundles/{bundle.id}"))
    assert bundle.sha256.hex() in page
    got = mei.client.get(f"/bundles/{bundle.id}/asice")
    assert b"".join(got)[:4] == b"PK\x03\x04"
    assert got["Content-Disposition"].startswith("attachment")
    assert text_of(mei.client.get(f"/bundles/{bundle.id}/verifier")).startswith("<!doctype html>")
    assert mei.client.get(f"/bundles/{bundle.id}/certificate")["Content-Disposition"].startswith("attachment")
    assert mei.client.get(f"/bundles/{bundle.id}/passwd").status_code == 404
    [capture] = matters.captures_of(mei.actor, matter.id)
    page = text_of(mei.client.get(f"/captures/{capture.id}"))
    for words in ("screenshot.png", "Hosts file", "Page shown", "&lt;script&gt;", "chromium 156"):
        assert words in page, words
    shown_picture = mei.client.get(f"/captures/{capture.id}/preview.png")
    assert shown_picture["Content-Type"] == "image/png"
    assert shown_picture.content != picture()
    assert (
        mei.client.get(
            f"/captures/{capture.id}/preview.png", headers={"if-none-match": shown_picture["ETag"]}
        ).status_code
        == 304
    )
    assert "F-20" in text_of(mei.client.get("/filings/"))


def test_a_step_saves_as_far_as_it_is_filled_in_and_by_itself(world, mei):
    _matter, _bundle, filing = drafted(world, mei)
    typed = {"parties.rows": "1", "parties.0.name": "Mei Lan's studio", "parties.0.role": "plaintiff"}
    answer = mei.client.post(f"/filings/{filing}/steps/parties", typed, headers={"x-saves": "1"})
    assert answer.status_code == 200
    assert "<html" not in text_of(answer)
    assert "Mei Lan&#x27;s studio" in text_of(mei.client.get(f"/filings/{filing}/steps/parties"))
    [party] = queries.filing_of(mei.actor, filing).draft.parties.parties
    assert party.role == "plaintiff"
    answer = mei.client.post(f"/filings/{filing}/steps/claims", {**CLAIMS, "amount_fen": "a lot of money"})
    assert answer.status_code == 422
    assert "a lot of money" in text_of(answer)
    assert "Stop the sale" in text_of(answer)
    removed = {**PARTIES, "remove": "parties.0"}
    mei.client.post(f"/filings/{filing}/steps/parties", removed)
    assert [each.name for each in queries.filing_of(mei.actor, filing).draft.parties.parties] == ["Bo Wen"]
    assert mei.client.get(f"/filings/{filing}/steps/nonsense").status_code == 404
    evidence = {"bundle": str(_bundle.id), "item_E-001.used.shown": "1", "item_E-001.form": "copy"}
    mei.client.post(f"/filings/{filing}/steps/evidence", evidence)
    [line] = queries.filing_of(mei.actor, filing).draft.evidence.lines
    assert (line.id, line.used, line.form) == ("E-001", False, "copy")
    page = text_of(mei.client.get(f"/filings/{filing}/steps/evidence"))
    assert page.count('.used" value="1" checked') == 1
    mei.client.post(f"/filings/{filing}/discard")
    assert mei.client.get(f"/filings/{filing}").status_code == 404


def test_a_court_without_a_desk_gets_a_package(world, mei):
    _matter, _bundle, filing = drafted(world, mei)
    filled(mei, filing)
    page = text_of(mei.client.get(f"/filings/{filing}/check"))
    assert "no electronic desk" in page
    seen = re.search(r'name="seen" value="([0-9a-f]{64})"', page)[1]
    mei.client.post(f"/filings/{filing}/check", {"seen": seen, "declared": "1"})
    assert "Hand it in" in text_of(mei.client.get(f"/filings/{filing}"))
    mei.client.post(f"/filings/{filing}/receipt", {"receipt_number": "R-77"})
    page = text_of(mei.client.get(f"/filings/{filing}"))
    assert "R-77" in page
    assert f"/filings/{filing}/package.zip" in page
    answer = mei.client.get(f"/filings/{filing}/package.zip")
    assert ".zip" in answer["Content-Disposition"]
    with zipfile.ZipFile(io.BytesIO(b"".join(answer))) as package:
        assert package.testzip() is None
        assert {"complaint.txt", "filing.json", f"{_bundle.number}.asice"} <= set(package.namelist())
    assert world.person("Bo Wen").client.get(f"/filings/{filing}/package.zip").status_code == 404

    page = text_of(mei.client.get(f"/bundles/{_bundle.id}"))
    assert "/verify/bundle" in page
    assert f"/bundles/{_bundle.id}/bagit" in page
    with zipfile.ZipFile(io.BytesIO(b"".join(mei.client.get(f"/bundles/{_bundle.id}/bagit")))) as bag:
        assert bag.testzip() is None
        assert f"{_bundle.number}/bagit.txt" in bag.namelist()
    assert world.person("Lu Xi").client.get(f"/bundles/{_bundle.id}/bagit").status_code == 404


def test_an_order_is_filled_in_previewed_and_placed(world, mei):
    matter, bundle = case(world, mei)
    where = f"/matters/{matter.id}/orders/new"
    assert "No notary" in text_of(mei.client.get(where))
    desk("notary", "notary", None)
    answer = mei.client.post(where, {"notary": "notary", "bundle": str(bundle.id)})
    order = answer["Location"]
    page = text_of(mei.client.get(order))
    assert "simulator" in page
    assert 'name="place"' not in page
    applicant = {
        name.replace("parties.0.", "applicant."): value for name, value in PARTIES.items() if "parties.0." in name
    }
    typed = {"reason": "litigation", **applicant, "documents": ["E-001"], "declared_by": "Mei Lan"}
    assert mei.client.post(order, typed)["Location"] == order
    page = text_of(mei.client.get(order))
    seen = re.search(r'name="seen" value="([0-9a-f]{64})"', page)[1]
    assert mei.client.post(order, {"place": "1", "seen": seen}).status_code == 422
    mei.client.post(order, {"place": "1", "seen": seen, "declared": "1"})
    [one] = queries.orders_of(mei.actor)
    assert one.state == "sending"
    assert "Being sent" in text_of(mei.client.get(order))
    other = world.person("Bo Wen")
    assert other.client.get(order).status_code == 404
    assert other.client.post(f"{order}/withdraw", {"reason": "x"}).status_code == 404
    viewer = world.person("Lu Xi", role="viewer", of=mei)
    assert viewer.client.get(order).status_code == 200
    assert viewer.client.get(where).status_code == 403


def test_a_matter_without_a_bundle_says_what_to_do_first(world, mei):
    new = NewMatter(template="trademark_counterfeit", title=Both(en="Empty"))
    matter = open_matter(new, by=mei.actor, at=world.now())
    answer = mei.client.post(f"/matters/{matter.id}/filings/new", follow=True)
    assert "no finished bundle" in text_of(answer)


# ---- forms for nested data

FIELDS = (
    Text("name", "Name"),
    Text("sum", "Sum", "money"),
    Numbers("classes", "Classes"),
    Tick("agreed", "Agreed"),
    Ticks("shown", "Shown", (("E-001", "one"), ("E-002", "two"))),
    Group("where", "Where", (Text("city", "City"),)),
    Rows("rows", "Rows", (Choice("role", "Role", (("a", "A"), ("b", "B")), given="a"), Text("text", "Text")), "Row"),
)
SENT = {
    "a form that nobody touched": ("", {}),
    "texts are tidied": ("name=++a%0D%0Ab%00++", {"name": "a b"}),
    "money becomes fen": ("sum=1%2C234.5", {"sum": 123450}),
    "money that is none stays": ("sum=much", {"sum": "much"}),
    "too small a part of money stays": ("sum=1.005", {"sum": "1.005"}),
    "no infinite money": ("sum=inf", {"sum": "inf"}),
    "numbers with anything between": ("classes=1%2C+2%EF%BC%8C3", {"classes": [1, 2, 3]}),
    "numbers that are none stay": ("classes=one", {"classes": "one"}),
    "a tick that was shown and left": ("agreed.shown=1", {"agreed": False}),
    "ticks in their order, and only those there are": (
        "shown=E-002&shown=E-009&shown=E-001",
        {"shown": ["E-001", "E-002"]},
    ),
    "a group": ("where.city=Yiwu", {"where": {"city": "Yiwu"}}),
    "an empty row is left out": (
        "rows.rows=2&rows.0.role=b&rows.0.text=x&rows.1.role=a",
        {"rows": [{"role": "b", "text": "x"}]},
    ),
    "a word that there is not": ("rows.rows=1&rows.0.role=c&rows.0.text=x", {"rows": [{"role": "a", "text": "x"}]}),
    "no count": ("rows.0.text=x", {}),
    "a mad count": ("rows.rows=99999999999&rows.0.text=x", {}),
    "a row that is removed": (
        "rows.rows=2&rows.0.text=x&rows.1.text=y&remove=rows.0",
        {"rows": [{"role": "a", "text": "y"}]},
    ),
}


@pytest.mark.parametrize(("sent", "want"), SENT.values(), ids=SENT.keys())
def test_a_form_is_read_as_plain_data(sent, want):
    found = read(FIELDS, QueryDict(sent))
    assert found == want
    drawn = shown(FIELDS, found)
    assert len(drawn) == len(FIELDS)


def test_what_wants_a_number_is_named():
    assert unfit(FIELDS, {"sum": "much", "classes": "one", "name": "x"}) == ["Sum", "Classes"]


@pytest.mark.parametrize("language", ["zh", "en"])
def test_every_template_has_a_form_of_its_facts(language):
    for template in law.templates():
        fields = of_schema(template.schema, language, {})
        assert [each.name for each in fields] == list(template.schema["properties"])
        assert shown(fields, {})
