import hashlib
from dataclasses import replace
from datetime import timedelta

import pytest
from corpus import maker
from hypothesis import given
from hypothesis import strategies as st

from chopmark.base import cbor
from chopmark.base.digests import Digests, digests_of
from chopmark.base.errors import Invalid, Refused
from chopmark.evidence.deposit import (
    NAMES,
    TEXTS,
    Disclosure,
    check_signed,
    claim_of,
    describe,
    prepare,
    random_salt,
)
from chopmark.ledger import tree
from chopmark.ledger.statement import OPAQUE_TYPE, Claim, Statement, sign_statement

SECRETS = ("灯笼 Lantern", "李明 Li Ming", "lantern.jpg", "image/jpeg", "Lantern Works Ltd")

texts = st.text(st.characters(exclude_categories=("Cc", "Cs")), min_size=1, max_size=1000)
digests = st.binary(min_size=32, max_size=32)
disclosures = st.one_of(
    st.tuples(st.sampled_from(TEXTS), texts),
    st.tuples(st.just("size"), st.integers(1, (1 << 63) - 1)),
    st.tuples(st.just("digest"), st.fixed_dictionaries({"sha-256": digests}, optional={"sm3": digests})),
).flatmap(
    lambda said: st.binary(min_size=16, max_size=16).map(
        lambda salt: Disclosure(salt=salt, name=said[0], value=said[1])
    )
)


@given(disclosures)
def test_disclosures_print_back(disclosure):
    assert Disclosure.parse(disclosure.encode()) == disclosure
    assert disclosure.commitment == hashlib.sha256(disclosure.encode()).digest()


@given(st.binary(max_size=100))
def test_any_bytes_are_refused(data):
    with pytest.raises(Invalid, match=r"evidence\.disclosure_malformed"):
        Disclosure.parse(data)


@pytest.mark.parametrize(
    "parts",
    {
        "no list": "title",
        "two parts": [b"\x00" * 16, "title"],
        "a salt of 15 bytes": [b"\x00" * 15, "title", "x"],
        "an unknown name": [b"\x00" * 16, "phone", "x"],
        "empty text": [b"\x00" * 16, "title", ""],
        "a line break": [b"\x00" * 16, "title", "a\nb"],
        "1,001 characters": [b"\x00" * 16, "title", "x" * 1001],
        "8 KiB and more": [b"\x00" * 16, "title", "x" * 9000],
        "a title that is a number": [b"\x00" * 16, "title", 1],
        "a size that is text": [b"\x00" * 16, "size", "1"],
        "a size that is a truth value": [b"\x00" * 16, "size", True],
        "a size of 0": [b"\x00" * 16, "size", 0],
        "a digest without SHA-256": [b"\x00" * 16, "digest", {"sm3": b"\x00" * 32}],
        "a digest of another kind": [b"\x00" * 16, "digest", {"sha-256": b"\x00" * 32, "md5": b"\x00" * 32}],
        "a digest of 31 bytes": [b"\x00" * 16, "digest", {"sha-256": b"\x00" * 31}],
        "a digest that is text": [b"\x00" * 16, "digest", "x"],
    }.values(),
)
def test_other_disclosures_are_refused(parts):
    with pytest.raises(Invalid, match=r"evidence\.disclosure_malformed"):
        Disclosure.parse(cbor.encode(parts))


def test_salts_are_16_bytes_and_never_the_same():
    salts = {random_salt() for _ in range(100)}
    assert len(salts) == 100
    assert {len(salt) for salt in salts} == {16}


def prepared_of(draft, **changes):
    said = {
        "issuer": maker.PLATFORM,
        "subject": maker.SUBJECT,
        "depositor": "Lantern Works Ltd",
        "agent": True,
        "policy": maker.REGISTRATION_POLICY,
        "key": maker.INTAKE,
        "at": maker.AT,
    }
    return prepare(draft, **{**said, **changes})


@pytest.mark.parametrize("private", [False, True])
def test_no_description_gets_onto_the_ledger(private):
    statement = prepared_of(maker.draft(private=private)).statement
    for secret in SECRETS:
        for spelling in (secret, secret.upper(), secret.lower()):
            assert spelling.encode() not in statement
    for word in ["Lantern", "lantern", "Li", "Ming", "李明", "灯笼", "jpg", "jpeg", "Works"]:
        assert word.encode() not in statement


def test_a_private_deposit_does_not_show_its_digests():
    statement = prepared_of(maker.draft(private=True)).statement
    assert maker.DIGESTS.sha256 not in statement
    assert maker.DIGESTS.sm3 not in statement


@given(texts, texts, texts)
def test_no_text_of_four_characters_or_more_is_found_in_the_entry(title, author, file_name):
    prepared = prepared_of(maker.draft(title=title, author=author, file_name=file_name))
    ours = Statement.parse(prepared.statement).claim
    clear = f"{ours.issuer}{ours.subject}{ours.content_type}{ours.kind} commitments policy private agent sm3 {NAMES}"
    for secret in (title, author, file_name):
        if len(secret) >= 4 and secret not in clear:
            assert secret.encode() not in prepared.statement


def test_the_same_draft_twice_shares_nothing_but_the_digest():
    first, second = prepared_of(maker.draft()), prepared_of(maker.draft())
    assert not {each.commitment for each in first.disclosures} & {each.commitment for each in second.disclosures}
    assert first.leaf != second.leaf


def test_private_deposits_of_one_file_cannot_be_linked():
    first, second = (Statement.parse(prepared_of(maker.draft(private=True)).statement).claim for _ in range(2))
    assert first.payload != second.payload


def test_what_is_prepared_belongs_together():
    prepared = prepared_of(maker.draft())
    statement = Statement.parse(prepared.statement)
    statement.verify(maker.INTAKE.public)
    assert prepared.leaf == tree.leaf_hash(prepared.statement)
    assert prepared.search_keys == (maker.DIGESTS.sha256, maker.DIGESTS.sm3)
    assert {each.name: each.commitment for each in prepared.disclosures} == dict(statement.claim.commitments)
    assert statement.claim.agent
    assert statement.claim.content_type == OPAQUE_TYPE


def test_private_deposits_have_no_search_keys():
    assert prepared_of(maker.draft(private=True)).search_keys == ()


def test_an_empty_text_is_not_committed_to():
    prepared = prepared_of(maker.draft(title="", author="", file_name="", media_type=""), depositor="")
    assert [each.name for each in prepared.disclosures] == ["size"]


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"kind": "poem"}, "evidence.draft_kind"),
        ({"digests": digests_of([])}, "evidence.draft_empty_file"),
        ({"title": "x" * 1001}, "evidence.draft_text"),
        ({"author": "a\x00b"}, "evidence.draft_text"),
        ({"file_name": "half \ud800"}, "evidence.draft_text"),
    ],
)
def test_drafts_that_cannot_be_deposited_are_refused(changes, code):
    with pytest.raises(Refused) as refused:
        prepared_of(maker.draft(**changes))
    assert refused.value.code == code


def check(raw, draft, disclosures, **changes):
    said = {"issuer": maker.DEPOSITOR, "policy": maker.REGISTRATION_POLICY, "at": maker.AT}
    return check_signed(Statement.parse(raw), draft, disclosures, maker.OWN.public, **{**said, **changes})


@pytest.mark.parametrize("private", [False, True])
def test_a_statement_signed_by_the_depositor_is_taken(private):
    statement, disclosures, _ = maker.by_depositor(private=private)
    prepared = check(statement, maker.draft(private=private), disclosures)
    assert (prepared.statement, prepared.disclosures) == (statement, disclosures)


@pytest.mark.parametrize(
    "change",
    [
        {"digests": Digests(sha256=b"\x01" * 32, sm3=maker.DIGESTS.sm3, size=maker.DIGESTS.size)},
        {"digests": replace(maker.DIGESTS, sm3=None)},
        {"digests": replace(maker.DIGESTS, size=1)},
        {"kind": "evidence"},
        {"title": "Another"},
        {"author": ""},
        {"private": True},
    ],
    ids=str,
)
def test_a_statement_that_says_something_else_is_refused(change):
    statement, disclosures, _ = maker.by_depositor()
    with pytest.raises(Invalid, match=r"evidence\.statement_differs"):
        check(statement, maker.draft(**change), disclosures)


@pytest.mark.parametrize(
    "change", [{"issuer": "https://other.example"}, {"policy": b"\x01" * 32}], ids=["another issuer", "another policy"]
)
def test_a_statement_for_somebody_else_is_refused(change):
    statement, disclosures, _ = maker.by_depositor()
    with pytest.raises(Invalid, match=r"evidence\.statement_differs"):
        check(statement, maker.draft(), disclosures, **change)


def test_a_depositor_may_not_call_itself_the_agent():
    shown = describe(maker.draft(), depositor="", salts=maker.Salts())
    claim = claim_of(
        maker.draft(),
        shown,
        issuer=maker.DEPOSITOR,
        subject=maker.SUBJECT,
        agent=True,
        policy=maker.REGISTRATION_POLICY,
        at=maker.AT,
    )
    with pytest.raises(Invalid, match=r"evidence\.statement_differs field='agent'"):
        check(sign_statement(claim, maker.OWN), maker.draft(), shown)


def test_a_commitment_that_is_not_shown_is_refused():
    statement, disclosures, _ = maker.by_depositor()
    hidden = tuple(each for each in disclosures if each.name != "depositor")
    with pytest.raises(Invalid, match=r"evidence\.statement_differs field='commitments'"):
        check(statement, maker.draft(), hidden)


def test_a_disclosure_twice_is_refused():
    statement, disclosures, _ = maker.by_depositor()
    with pytest.raises(Invalid, match=r"evidence\.statement_differs"):
        check(statement, maker.draft(), (*disclosures, disclosures[0]))


@pytest.mark.parametrize("off", [timedelta(hours=25), timedelta(minutes=-11)], ids=["too old", "in the future"])
def test_a_statement_of_another_time_is_refused(off):
    statement, disclosures, _ = maker.by_depositor()
    with pytest.raises(Invalid, match=r"evidence\.statement_time"):
        check(statement, maker.draft(), disclosures, at=maker.AT + off)


def test_a_statement_without_time_is_refused():
    raw = sign_statement(
        Claim(issuer=maker.DEPOSITOR, subject=maker.SUBJECT, issued_at=None, payload=maker.DIGESTS.sha256), maker.OWN
    )
    with pytest.raises(Invalid, match=r"evidence\.statement_time"):
        check(raw, maker.draft(), ())
