import json
import re
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from corpus import cases, maker
from hypothesis import given, settings
from hypothesis import strategies as st

from chopmark.base.digests import Digests
from chopmark.base.wording import catalogue, say
from chopmark.evidence import verify as module
from chopmark.evidence.verify import ALWAYS_UNPROVEN, Verdict, verify
from chopmark.ledger.policy import Policy

CORPUS = Path(maker.__file__).parent
MANIFEST = json.loads((CORPUS / "manifest.json").read_text("utf-8"))["cases"]
POLICY = maker.POLICIES["platform"]
COURTS = maker.POLICIES["two-courts-of-three"]
AT = maker.AT + timedelta(days=1)


# Only who knows a time-stamp authority's certificate gets these; the corpus holds all verifiers to the others.
WITH_AUTHORITIES = {"verify.timestamp_right", "verify.timestamp_own", "verify.timestamp_wrong"}


def report_on(case):
    said = case["digests"]
    digests = None
    if said is not None:
        sm3 = None if said["sm3"] is None else bytes.fromhex(said["sm3"])
        digests = Digests(sha256=bytes.fromhex(said["sha-256"]), sm3=sm3, size=said["size"])
    policy = None if case["policy"] is None else Policy.parse((CORPUS / case["policy"]).read_bytes())
    at = datetime.fromisoformat(case["at"])
    return verify((CORPUS / case["receipt"]).read_bytes(), digests=digests, policy=policy, at=at)


@pytest.mark.parametrize("case", MANIFEST, ids=lambda case: case["receipt"].removeprefix("receipts/"))
def test_the_corpus_gets_the_wanted_verdicts(case):
    report = report_on(case)
    found = report.as_json()
    assert {
        "verdict": found["verdict"],
        "codes": [finding["code"] for finding in found["findings"]],
        "existed_by": found["existed_by"],
        "existed_by_whom": found["existed_by_whom"],
    } == case["want"]
    json.dumps(found)
    for finding in report.findings:
        for language in ("en", "zh"):
            assert say(finding.code, finding.facts, language)


def test_the_corpus_on_disk_is_the_one_described():
    described = {(case.says, case.form): case for case in cases.every_case()}
    written = {(case["desc"], case["receipt"].rpartition("/")[2].partition(".")[2]): case for case in MANIFEST}
    assert described.keys() == written.keys()
    for name, case in described.items():
        assert written[name]["want"]["verdict"] == case.verdict
        assert written[name]["want"]["codes"] == case.codes


def test_every_code_of_the_verifier_is_worded_and_in_the_corpus():
    codes = set(re.findall(r'"(verify\.[a-z_0-9]+)"', Path(module.__file__).read_text("utf-8")))
    seen = {code for case in MANIFEST for code in case["want"]["codes"]}
    assert codes - {code for code in codes if ".unproven_" in code} - WITH_AUTHORITIES == seen
    assert codes == {code for code in catalogue() if code.startswith("verify.")}


def test_the_platform_policy_passes_either_form():
    receipt = maker.register(maker.by_agent())
    for data in (receipt.tlog_proof(), receipt.transparent_statement()):
        report = verify(data, digests=maker.DIGESTS, policy=POLICY, at=AT)
        assert report.verdict is Verdict.PASSED
        assert (report.existed_by, report.existed_by_whom) == (maker.AT, maker.ORIGIN)
        assert (report.index, report.size) == (3, 7)
        assert report.not_proven == ALWAYS_UNPROVEN


def test_what_was_not_computed_is_said_not_to_be_proven():
    receipt = maker.register(maker.by_agent()).tlog_proof()
    report = verify(receipt, digests=maker.WITHOUT_SM3, policy=POLICY, at=AT)
    assert report.not_proven == (*ALWAYS_UNPROVEN, "verify.unproven_sm3")


def test_the_earliest_of_several_times_counts():
    receipt = maker.register(
        maker.by_agent(), sealed_at=maker.AT + timedelta(minutes=1), at=maker.AT + timedelta(minutes=3)
    )
    cose = verify(receipt.transparent_statement(), digests=maker.DIGESTS, policy=POLICY, at=AT)
    assert cose.existed_by == maker.AT + timedelta(minutes=1)
    assert {signer.form for signer in cose.signers} == {"checkpoint", "cose"}
    proof = verify(receipt.tlog_proof(), digests=maker.DIGESTS, policy=POLICY, at=AT)
    assert proof.existed_by == maker.AT + timedelta(minutes=3)


def test_a_report_in_json_has_the_documented_fields():
    report = verify(
        maker.register(maker.by_agent()).tlog_proof(), digests=maker.DIGESTS, policy=POLICY, at=AT
    ).as_json()
    assert list(report) == [
        "verdict",
        "findings",
        "existed_by",
        "existed_by_whom",
        "signers",
        "stamps",
        "statement",
        "index",
        "size",
        "not_proven",
    ]
    assert list(report["findings"][0]) == ["step", "code", "verdict", "facts"]
    assert list(report["signers"][0]) == ["name", "role", "algorithm", "form", "at", "institution"]
    assert list(report["statement"]) == [
        "issuer",
        "subject",
        "issued_at",
        "kind",
        "policy",
        "private",
        "agent",
        "payload",
        "kid",
        "leaf",
    ]


def test_nothing_can_be_said_of_what_is_not_a_receipt():
    report = verify(b"", digests=maker.DIGESTS, policy=POLICY, at=AT)
    assert report.verdict is Verdict.FAILED
    assert report.as_json()["statement"] is None


SIGNERS = (maker.LOG, maker.LOG_PQ, maker.HANGZHOU, maker.BEIJING, maker.GUANGZHOU, maker.STRANGER)
WHOLE = maker.register(maker.by_agent(private=True), signers=SIGNERS)
FORMS = {"tlog-proof": WHOLE.tlog_proof(), "COSE": WHOLE.transparent_statement()}
BEFORE = {name: verify(data, digests=maker.DIGESTS, policy=COURTS, at=AT) for name, data in FORMS.items()}


def must_not_mean_more(name, spoiled):
    """What may change without harm: signatures of unknown or surplus signers. Then the report claims less."""
    before = BEFORE[name]
    after = verify(spoiled, digests=maker.DIGESTS, policy=COURTS, at=AT)
    if after.verdict is not Verdict.PASSED:
        return after.verdict
    assert (after.statement, after.index, after.size) == (before.statement, before.index, before.size)
    assert set(after.signers) <= set(before.signers)
    assert after.existed_by is not None
    assert after.existed_by >= before.existed_by
    shown = [[finding for finding in each.findings if finding.step == 3] for each in (after, before)]
    assert shown[0] == shown[1]
    return after.verdict


@pytest.mark.parametrize("name", FORMS)
@settings(max_examples=150, deadline=None)
@given(position=st.integers(0, 1 << 20), mask=st.integers(1, 255))
def test_no_changed_byte_makes_a_receipt_say_something_else(name, position, mask):
    spoiled = bytearray(FORMS[name])
    spoiled[position % len(spoiled)] ^= mask
    must_not_mean_more(name, bytes(spoiled))


@pytest.mark.parametrize("name", FORMS)
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_no_cut_or_repeated_piece_makes_a_receipt_say_something_else(name, data):
    whole = FORMS[name]
    start = data.draw(st.integers(0, len(whole) - 1))
    end = data.draw(st.integers(start + 1, min(len(whole), start + 200)))
    spoiled = data.draw(st.sampled_from([whole[:start] + whole[end:], whole[:end] + whole[start:]]))
    must_not_mean_more(name, spoiled)


def test_no_byte_before_the_signatures_can_change_at_all():
    receipt = replace(maker.register(maker.by_agent(), signers=(maker.LOG,)), disclosures=())
    compact = cases.compact(receipt)
    for position in range(len(compact)):
        spoiled = bytearray(compact)
        spoiled[position] ^= 0x01
        report = verify(bytes(spoiled), digests=maker.DIGESTS, policy=POLICY, at=AT)
        assert report.verdict is not Verdict.PASSED, position


def test_receipts_cannot_be_swapped():
    one = maker.register(maker.by_agent(title="One"), index=2)
    two = maker.register(maker.by_agent(title="Two"), index=5)
    for swapped in (replace(one, statement=two.statement), replace(one, disclosures=two.disclosures)):
        for data in (swapped.tlog_proof(), swapped.transparent_statement()):
            assert verify(data, digests=maker.DIGESTS, policy=POLICY, at=AT).verdict is Verdict.FAILED
