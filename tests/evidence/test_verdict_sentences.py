"""What a verdict says is true whatever else the report says, and no date in a receipt stops the verifier."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from corpus import maker

from chopmark.base.digests import digests_of
from chopmark.base.wording import catalogue, say
from chopmark.evidence.verify import Verdict, verify
from chopmark.ledger.statement import Claim, sign_statement

POLICY = maker.POLICIES["platform"]
AT = maker.AT + timedelta(days=1)


def test_a_report_on_another_file_does_not_say_that_this_one_existed():
    receipt = maker.register(maker.by_agent()).tlog_proof()
    report = verify(receipt, digests=digests_of([b"another file"]), policy=POLICY, at=AT)
    assert report.verdict is Verdict.FAILED
    [existed] = [each for each in report.findings if each.code == "verify.existed_by"]
    assert "What the statement is about existed by" in say(existed.code, existed.facts, "en")
    assert "此声明所指内容" in say(existed.code, existed.facts, "zh")


def test_chinese_sentences_do_not_call_witnesses_statutory_or_sureties():
    for code, wording in catalogue().items():
        said = wording["zh"].replace("法定代表人", "")  # an organisation's legal representative
        assert not any(word in said for word in ("法定", "作保", "担保")), code


def test_a_wrong_cose_signature_names_its_log():
    receipt = maker.register(maker.by_agent())
    spoiled = receipt.transparent_statement().replace(receipt.seals[0][-64:], bytes(64))
    report = verify(spoiled, digests=maker.DIGESTS, policy=POLICY, at=AT)
    [wrong] = [each for each in report.findings if each.code == "verify.log_signature_wrong"]
    assert wrong.facts["name"] == maker.ORIGIN


def test_a_statement_of_the_first_moment_there_is_gets_a_verdict():
    claim = Claim(
        issuer=maker.DEPOSITOR,
        subject=maker.SUBJECT,
        issued_at=datetime(1, 1, 1, tzinfo=UTC),
        payload=maker.DIGESTS.sha256,
    )
    statement = sign_statement(claim, maker.OWN)
    receipt = maker.register((statement, (), maker.OWN.public.to_cose())).tlog_proof()
    report = verify(receipt, digests=maker.DIGESTS, policy=POLICY, at=AT)
    assert report.verdict is Verdict.PASSED
