import io
import json
import threading
from dataclasses import replace
from datetime import timedelta
from hashlib import sha256

import pikepdf
import pytest
from corpus import maker
from hypothesis import given, settings
from hypothesis import strategies as st

from chopmark.base.errors import Refused
from chopmark.evidence.bundle.manifest import (
    Custody,
    Depositor,
    DepositRef,
    File,
    Item,
    Manifest,
    Matter,
    Platform,
    Redaction,
    Text,
)
from chopmark.evidence.certificate import (
    ReceiptFacts,
    bundle_certificate,
    deposit_certificate,
    deposit_facts,
)
from chopmark.evidence.certificate.glyphs import shown

AT = maker.AT + timedelta(minutes=3)
VERIFY_AT = "https://chopmark.example/verify"


def receipt(**changes):
    return maker.register(maker.by_agent(**changes), cosigned=maker.by_members("hangzhou", "beijing", "notary"))


def facts(made=None, *, policy="five-members", **changes):
    wanted = {"number": "D-7K3M-9Q2W", "operator": "Chopmark 演示", "verify_at": VERIFY_AT, "authorities": (), "at": AT}
    return deposit_facts(made or receipt(), policy=maker.POLICIES[policy], **{**wanted, **changes})


def manifest(**changes):
    files = tuple(
        File(
            path=f"evidence/001-capture/{name}",
            media_type="image/png",
            size=123_456,
            sha256=digest(name),
            role="primary",
        )
        for name in ("page.png", "screen.png")
    )
    item = Item(
        id="E-001",
        kind="capture",
        title=Text(zh="侵权商品页面", en="Infringing listing"),
        purpose=Text(zh="证明许诺销售", en="Shows an offer for sale"),
        source={"url": "https://shop.example/1"},
        phase="detection",
        folder="evidence/001-capture",
        files=files,
        deposits=(DepositRef(number="D-1", sha256=digest("page.png"), receipt="ledger/receipts/E-001-1.cose"),),
    )
    independence = Text(zh="与本案无利害关系。", en="No interest in this matter.")
    made = Manifest(
        bundle="B-2026-000123",
        created=maker.AT,
        matter=Matter(id="M-77", template="trademark", title=Text(zh="仿冒灯笼", en="Fake lantern"), jurisdiction="CN"),
        depositor=Depositor(name="示例公司 Example SA", type="company", agent="李律师"),
        platform=Platform(
            operator="Chopmark", software="chopmark 0.1", origin="log.example", independence=independence
        ),
        items=(item,),
        documents=(),
        custody=Custody(log="custody/process.jsonl", head=digest("log"), entries=41),
        redactions=(Redaction(path=files[0].path, reason="个人信息", original_sha256=digest("original")),),
    )
    return replace(made, **changes)


def digest(text):
    return sha256(text.encode()).digest()


def attached(pdf):
    with pikepdf.open(io.BytesIO(pdf)) as opened:
        return {name: spec.get_file().read_bytes() for name, spec in opened.attachments.items()}


def about(pdf):
    with pikepdf.open(io.BytesIO(pdf)) as opened:
        metadata = opened.open_metadata()
        return {
            "version": opened.pdf_version,
            "standard": metadata.get("pdfaid:part") + metadata.get("pdfaid:conformance", ""),
            "tagged": bool(opened.Root.MarkInfo.Marked),
            "language": str(opened.Root.Lang),
            "title": str(opened.docinfo.get("/Title", metadata.get("dc:title"))),
        }


def test_the_same_facts_print_the_same_bytes_on_every_thread():
    known = facts()
    first, printed = deposit_certificate(known), []
    threads = [threading.Thread(target=lambda: printed.append(deposit_certificate(known))) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert printed == [first] * 3
    assert deposit_certificate(facts(at=AT + timedelta(days=1))) != first


def test_a_certificate_says_that_it_is_tagged_pdf_a_4f():
    for pdf in (deposit_certificate(facts()), bundle_certificate(manifest(), [], verify_at=VERIFY_AT)):
        said = about(pdf)
        assert (said["version"], said["standard"], said["tagged"], said["language"]) == ("2.0", "4F", True, "zh-CN")


def test_a_certificate_of_a_deposit_carries_its_receipt():
    made = receipt()
    assert attached(deposit_certificate(facts(made))) == {"D-7K3M-9Q2W.tlog-proof": made.tlog_proof()}


def test_a_certificate_of_a_bundle_carries_the_content_that_it_certifies():
    certified = manifest()
    [(name, data)] = attached(bundle_certificate(certified, [], verify_at=VERIFY_AT)).items()
    assert name == "B-2026-000123.content.json"
    assert sha256(data).digest() == certified.content_sha256
    assert json.loads(data)["items"][0]["id"] == "E-001"


def test_a_time_stands_in_the_certificate_of_a_bundle_only_if_the_verifier_found_one():
    path = "ledger/receipts/E-001-1.cose"
    with_time = ReceiptFacts(path=path, existed_by=maker.AT, by_whom="hangzhou, notary")
    printed = [
        bundle_certificate(manifest(), found, verify_at=VERIFY_AT)
        for found in ([with_time], [], [ReceiptFacts(path=path, existed_by=None)])
    ]
    assert printed[1] == printed[2]
    assert printed[0] != printed[1]


def test_a_bundle_of_very_many_files_has_a_certificate_of_some_pages_that_says_so():
    many = tuple(
        File(
            path=f"evidence/001-capture/{number}",
            media_type="image/png",
            size=1,
            sha256=digest(str(number)),
            role="primary",
        )
        for number in range(2000)
    )
    item = replace(manifest().items[0], files=many)
    pdf = bundle_certificate(manifest(items=(item,)), [], verify_at=VERIFY_AT)
    with pikepdf.open(io.BytesIO(pdf)) as opened:
        assert len(opened.pages) < 30


def test_what_the_verifier_does_not_pass_gets_no_certificate():
    for made, policy, cause in (
        (maker.register(maker.by_agent()), "five-members", "verify.quorum_missing"),
        (receipt(), "another-log", "verify.log_unknown"),
        (replace(receipt(), index=4), "five-members", "verify.not_included"),
    ):
        with pytest.raises(Refused) as refused:
            facts(made, policy=policy)
        assert refused.value.code == "certificate.unproven"
        assert refused.value.facts["causes"]
        assert all(each.startswith("verify.") for each in refused.value.facts["causes"]), cause


def test_a_private_deposit_is_certified_when_its_digest_is_disclosed_and_refused_when_not():
    made = receipt(private=True)
    assert deposit_certificate(facts(made)).startswith(b"%PDF-2.0")
    with pytest.raises(Refused, match=r"certificate\.digest_hidden"):
        facts(made.showing(["title"]))


def test_a_deposit_without_words_or_of_a_ledger_without_members_is_certified():
    made = maker.register(maker.by_depositor()).showing([])
    assert deposit_certificate(facts(made, policy="platform")).startswith(b"%PDF-2.0")


@pytest.mark.parametrize(
    ("text", "printed"),
    [
        ("灯笼 Lantern, É", "灯笼 Lantern, É"),
        ("two\nlines", "two lines"),
        ("a lamp 😀", "a lamp [U+1F600]"),
        ("turned \u202e round", "turned [U+202E] round"),
        ("\u0000", "[U+0000]"),
        ("x" * 50, "x" * 24 + "\u200b" + "x" * 24 + "\u200b" + "xx"),
    ],
)
def test_what_the_font_cannot_show_is_told_by_its_number(text, printed):
    assert shown(text) == printed


@settings(max_examples=15, deadline=None)
@given(text=st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=40))
def test_no_title_keeps_a_certificate_from_being_printed(text):
    titled = replace(manifest(), matter=replace(manifest().matter, title=Text(zh=text, en=text)))
    assert bundle_certificate(titled, [], verify_at=VERIFY_AT).startswith(b"%PDF-2.0")
