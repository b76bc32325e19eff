"""Time stamps in receipts: checked with the authorities that the reader trusts, told without them."""

from dataclasses import replace
from datetime import timedelta

import pytest
from corpus import maker
from world.tsa import TsaWorld

from chopmark.evidence.receipt import Receipt
from chopmark.evidence.verify import TimeStamp, Verdict, verify
from chopmark.ledger.timestamp import Authority

AT = maker.AT + timedelta(days=1)
FIVE = maker.POLICIES["five-members"]
STAMPED = maker.AT + timedelta(minutes=20)
BARE = maker.register(maker.by_agent(), cosigned=maker.by_members(), anchored=[("rfc3161", "time.example", 9)])
TSA = TsaWorld(at=STAMPED)
INDEPENDENT = replace(TSA.authority, name="time.example", own=False)


def stamped(token=None, **changes):
    """The receipt with a true token on its anchor's text, or with another one."""
    (anchor,) = BARE.anchors
    given = TSA.stamp(anchor.text) if token is None else token
    return replace(BARE, anchors=(replace(anchor, token=given, **changes),))


def report_on(receipt, *authorities, at=AT, form=Receipt.tlog_proof):
    return verify(form(receipt), digests=maker.DIGESTS, policy=FIVE, at=at, authorities=authorities)


def last(report):
    return report.findings[-1].code, report.findings[-1].verdict


@pytest.mark.parametrize("form", [Receipt.tlog_proof, Receipt.transparent_statement])
def test_a_stamp_by_a_trusted_authority_stands_beside_the_quorum_s_time(form):
    report = report_on(stamped(), INDEPENDENT, form=form)
    assert last(report) == ("verify.timestamp_right", Verdict.PASSED)
    (found,) = report.stamps
    assert found == TimeStamp(authority="time.example", time=STAMPED, accuracy=found.accuracy, own=False)
    assert found.accuracy is not None
    assert report.existed_by == maker.AT + timedelta(seconds=4)
    assert report.as_json()["stamps"][0]["time"] == "2026-11-22T09:50:00Z"


def test_the_platform_s_own_stamp_is_called_its_own():
    assert last(report_on(stamped(), TSA.authority))[0] == "verify.timestamp_own"
    # Even where the reader took the certificate for a stranger's: the receipt itself says whose it is.
    admitted = report_on(stamped(authority="own"), INDEPENDENT)
    assert last(admitted)[0] == "verify.timestamp_own"
    assert admitted.stamps[0].own


def test_without_authorities_a_stamp_is_told_and_not_counted():
    report = report_on(stamped())
    assert last(report) == ("verify.timestamp_unchecked", Verdict.PASSED)
    assert report.stamps == ()


def test_a_stamp_by_somebody_else_is_told_and_not_counted():
    with_certificate = stamped()
    without = stamped(TSA.stamp(BARE.anchors[0].text, certificates=False))
    stranger = Authority(name="stranger", certificates=())
    for receipt in (with_certificate, without):
        report = report_on(receipt, stranger)
        assert (report.verdict, last(report)[0]) == (Verdict.PASSED, "verify.timestamp_unchecked")


WRONG = {
    "a stamp on something else": TSA.stamp(b"something else"),
    "a token that is none": b"no token",
    "a token cut short": TSA.stamp(BARE.anchors[0].text)[:-1],
}


@pytest.mark.parametrize("token", WRONG.values(), ids=WRONG.keys())
def test_a_wrong_stamp_fails_the_receipt(token):
    report = report_on(stamped(token), INDEPENDENT)
    assert report.verdict is Verdict.FAILED
    assert last(report)[0] == "verify.timestamp_wrong"
    assert report.findings[-1].facts["cause"].startswith("ledger.timestamp_")
    assert report.stamps == ()


def test_a_stamp_whose_time_cannot_be_is_set_aside():
    for moment in (maker.AT - timedelta(days=2), AT + timedelta(days=300)):
        token = TsaWorld(at=moment).stamp(BARE.anchors[0].text)
        report = report_on(stamped(token), INDEPENDENT)
        assert (report.verdict, last(report)[0]) == (Verdict.PASSED, "verify.time_set_aside")
        assert report.stamps == ()


def test_a_stamp_stands_even_where_no_policy_is_given():
    report = verify(stamped().tlog_proof(), digests=maker.DIGESTS, policy=None, at=AT, authorities=[INDEPENDENT])
    assert report.verdict is Verdict.INDETERMINATE
    assert [each.time for each in report.stamps] == [STAMPED]
