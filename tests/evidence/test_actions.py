from __future__ import annotations

import dataclasses
import hashlib
import sys
from datetime import timedelta
from uuid import uuid4

import pytest
from world.pages import AT, PageWorld

from chopmark.base import cbor
from chopmark.base.digests import Digests, digests_of
from chopmark.base.errors import Invalid, PlatformError, Refused, Unavailable
from chopmark.evidence import actions, queries, wiring
from chopmark.evidence.actions import NewDeposit
from chopmark.evidence.deposit import Draft, claim_of, describe
from chopmark.evidence.models import Deposit, Founding, IdempotencyKey
from chopmark.evidence.verify import Verdict, verify
from chopmark.ledger.policy import Policy
from chopmark.ledger.statement import Claim, IssuerKey, Statement, sign_statement
from chopmark.ledger.stores import Entry
from chopmark.ledger.tree import leaf_hash
from chopmark.people import actions as people

DATA = b"a lantern over the water"


@pytest.fixture
def world(db, settings, tmp_path):
    settings.CHOPMARK_HOME = tmp_path / "home"
    return PageWorld.made(settings.CHOPMARK_HOME)


@pytest.fixture
def mei(world):
    return world.person("Mei Lan")


def new(data=DATA, **more):
    return NewDeposit(**{"kind": "work", "digests": digests_of([data]), "title": "Lantern", **more})


def only(answers):
    [answer] = answers
    return answer


def key_of(world, person):
    key = IssuerKey.generate()
    people.register_issuer_key(key.public.to_cose(), "laptop", by=person.actor, at=world.now())
    return key


def signed(world, person, key, *, data=DATA, at=None, **changes):
    """A deposit whose statement the depositor made."""
    draft = Draft(digests=digests_of([data]), kind="work", title="Lantern", media_type="image/png")
    disclosures = describe(draft, depositor="Mei Lan")
    claim = claim_of(
        draft,
        disclosures,
        issuer=wiring.issuer_of(person.actor.organisation_id),
        subject="urn:uuid:0d7c9b4e-43a2-4e54-9a1c-0f8a4f6c7e21",
        agent=False,
        policy=wiring.policy_id(),
        at=at or world.now(),
    )
    statement = sign_statement(dataclasses.replace(claim, **changes), key)
    return new(
        data, media_type="image/png", statement=statement, disclosures=tuple(each.encode() for each in disclosures)
    )


def test_a_deposit_is_published_and_its_receipt_passes_with_the_logs_own_policy(world, mei):
    made = only(actions.deposit([new()], by=mei.actor, at=world.now()))
    assert (made.state, made.number, made.created, made.agent) == ("pending", "D-2026-000001", True, True)
    with pytest.raises(Unavailable, match="not_published"):
        queries.receipt_for(mei.actor, made.id)
    world.publish()
    receipt = queries.receipt_for(mei.actor, made.id)
    assert queries.deposit_of(mei.actor, made.id).state == "published"
    policy = Policy.parse(wiring.log_policy())
    for form in (receipt.tlog_proof(), receipt.transparent_statement()):
        assert verify(form, digests=digests_of([DATA]), policy=policy, at=world.now()).verdict == Verdict.PASSED
        assert verify(form, digests=digests_of([b"?"]), policy=policy, at=world.now()).verdict == Verdict.FAILED


def test_the_same_thing_in_the_same_words_is_one_deposit(world, mei):
    first, again = actions.deposit([new(), new()], by=mei.actor, at=world.now())
    later = only(actions.deposit([new()], by=mei.actor, at=world.now()))
    assert first.id == again.id == later.id
    assert (first.created, again.created, later.created) == (True, False, False)
    assert wiring.book().pending_count() == 1


def test_the_same_digest_in_other_words_is_a_new_deposit_that_names_the_earlier_one(world, mei):
    first = only(actions.deposit([new()], by=mei.actor, at=world.now()))
    second = only(actions.deposit([new(title="Lantern, second name")], by=mei.actor, at=world.now()))
    assert second.created
    assert second.earlier == (first.number,)
    assert [each.id for each in queries.earlier_deposits(digests_of([DATA]).sha256, mei.actor)] == [first.id, second.id]


def test_two_organisations_deposit_the_same_file_apart(world, mei):
    other = world.person("Jun Wu")
    mine = only(actions.deposit([new()], by=mei.actor, at=world.now()))
    theirs = only(actions.deposit([new()], by=other.actor, at=world.now()))
    assert mine.leaf != theirs.leaf
    assert theirs.earlier == ()


def test_one_bad_draft_does_not_stop_the_others(world, mei):
    answers = actions.deposit([new(b"1"), new(kind="song"), new(b"2")], by=mei.actor, at=world.now())
    assert [getattr(each, "code", "made") for each in answers] == ["made", "evidence.kind_unknown", "made"]
    assert Deposit.objects.count() == 2


REFUSED = {
    "an empty file": ({"digests": digests_of([])}, "evidence.empty_file"),
    "the digest of nothing with a made-up size": (
        {"digests": Digests(sha256=hashlib.sha256().digest(), size=9)},
        "evidence.empty_file",
    ),
    "a size below zero": ({"digests": Digests(sha256=b"\1" * 32, size=-1)}, "evidence.size_wrong"),
    "a short digest": ({"digests": Digests(sha256=b"\1" * 31, size=1)}, "base.digest_malformed"),
    "a short SM3": ({"digests": Digests(sha256=b"\1" * 32, sm3=b"", size=1)}, "base.digest_malformed"),
    "nothing at all": ({"digests": None}, "evidence.digest_missing"),
    "an unknown kind": ({"kind": "song"}, "evidence.kind_unknown"),
    "U+0000 in the title": ({"title": "a\x00b"}, "evidence.text_control"),
    "a line break in the author": ({"author": "a\nb"}, "evidence.text_control"),
    "half a surrogate pair in the file name": ({"file_name": "\ud800"}, "evidence.text_control"),
    "a title of 301 characters": ({"title": "x" * 301}, "evidence.text_too_long"),
    "a file name of 256 characters": ({"file_name": "x" * 256}, "evidence.text_too_long"),
    "a media type without a slash": ({"media_type": "png"}, "evidence.media_type_malformed"),
    "an upload that does not exist": ({"digests": None, "upload": uuid4()}, "evidence.upload_not_found"),
    "an upload that does not exist, with digests": ({"upload": uuid4()}, "evidence.upload_not_found"),
    "disclosures without a statement": ({"disclosures": (b"x",)}, "evidence.disclosures_alone"),
    "a statement that is none": ({"statement": b"x"}, "ledger.statement_malformed"),
}


@pytest.mark.parametrize(("change", "code"), REFUSED.values(), ids=REFUSED)
def test_refused_alone_and_nothing_is_stored(world, mei, change, code):
    refused = only(actions.deposit([new(**change)], by=mei.actor, at=world.now()))
    assert isinstance(refused, PlatformError)
    assert refused.code == code
    assert Deposit.objects.count() == 0
    assert wiring.book().pending_count() == 0


def test_whoever_may_not_deposit_is_refused(world, mei):
    viewer = world.person("Vi Ewer", role="viewer", of=mei)
    reader = dataclasses.replace(mei.actor, scopes=frozenset({"deposits:read"}))
    for actor in (viewer.actor, reader):
        with pytest.raises(Refused):
            actions.deposit([new()], by=actor, at=world.now())


def test_a_batch_of_more_than_a_thousand_is_refused(world, mei):
    with pytest.raises(Refused, match="batch_too_large"):
        actions.deposit([new()] * 1001, by=mei.actor, at=world.now())


def test_a_private_deposit_is_not_found_by_its_digest_and_its_statement_hides_it(world, mei):
    made = only(actions.deposit([new(private=True)], by=mei.actor, at=world.now()))
    world.publish()
    digest = digests_of([DATA]).sha256
    assert queries.find(digest) == ()
    assert digest not in queries.statement_for(mei.actor, made.id)
    receipt = queries.receipt_for(mei.actor, made.id).tlog_proof()
    policy = Policy.parse(wiring.log_policy())
    assert verify(receipt, digests=digests_of([DATA]), policy=policy, at=world.now()).verdict == Verdict.PASSED


def test_a_public_deposit_is_found_by_sha256_and_by_sm3(world, mei):
    digests = digests_of([DATA], sm3=True)
    made = only(actions.deposit([new(digests=digests)], by=mei.actor, at=world.now()))
    assert queries.find(digests.sha256) == ()
    world.publish()
    for digest in (digests.sha256, digests.sm3):
        assert [each.leaf for each in queries.find(digest)] == [made.leaf]


def test_nothing_personal_stands_on_the_ledger(world, mei):
    made = only(
        actions.deposit(
            [new(title="Lantern", author="Mei Lan", file_name="secret-plan.png")], by=mei.actor, at=world.now()
        )
    )
    raw = queries.statement_for(mei.actor, made.id)
    for word in (b"Lantern", b"Mei", b"secret-plan", str(mei.actor.organisation_id).encode()):
        assert word not in raw


def test_a_statement_signed_by_the_depositor_is_kept_byte_for_byte(world, mei):
    wish = signed(world, mei, key_of(world, mei))
    made = only(actions.deposit([wish], by=mei.actor, at=world.now()))
    assert not made.agent
    assert queries.statement_for(mei.actor, made.id) == wish.statement
    world.publish()
    receipt = queries.receipt_for(mei.actor, made.id).transparent_statement()
    policy = Policy.parse(wiring.log_policy())
    assert verify(receipt, digests=digests_of([DATA]), policy=policy, at=world.now()).verdict == Verdict.PASSED


SIGNED_WRONG = {
    "another issuer": ({"issuer": "https://example.com/me"}, "evidence.statement_differs"),
    "another policy": ({"policy": b"\1" * 32}, "evidence.statement_differs"),
    "another kind": ({"kind": "evidence"}, "evidence.statement_differs"),
    "another digest": ({"payload": b"\1" * 32}, "evidence.statement_differs"),
    "a mark of the agent": ({"agent": True}, "evidence.statement_differs"),
    "signed two days ago": ({"issued_at": AT - timedelta(days=2)}, "evidence.statement_time"),
    "signed tomorrow": ({"issued_at": AT + timedelta(days=1)}, "evidence.statement_time"),
}


@pytest.mark.parametrize(("change", "code"), SIGNED_WRONG.values(), ids=SIGNED_WRONG)
def test_a_signed_statement_must_say_what_the_draft_says(world, mei, change, code):
    refused = only(actions.deposit([signed(world, mei, key_of(world, mei), **change)], by=mei.actor, at=world.now()))
    assert refused.code == code


def test_a_key_must_be_registered_by_the_same_organisation_and_in_use(world, mei):
    other = world.person("Jun Wu")
    foreign = key_of(world, other)
    mine = key_of(world, mei)
    people.retire_issuer_key(mine.public.thumbprint, by=mei.actor, at=world.now())
    answers = actions.deposit(
        [
            signed(world, mei, foreign),
            signed(world, mei, IssuerKey.generate(), data=b"2"),
            signed(world, mei, mine, data=b"3"),
        ],
        by=mei.actor,
        at=world.now(),
    )
    assert [each.code for each in answers] == [
        "people.issuer_key_not_found",
        "people.issuer_key_not_found",
        "evidence.key_retired",
    ]


def test_numbers_go_on_without_gaps(world, mei):
    made = actions.deposit([new(bytes([each])) for each in range(3)], by=mei.actor, at=world.now())
    more = actions.deposit([new(b"more")], by=mei.actor, at=world.now())
    assert [each.number for each in (*made, *more)] == [f"D-2026-{each:06d}" for each in (1, 2, 3, 4)]


def test_positions_are_told_once_and_stay(world, mei):
    made = only(actions.deposit([new()], by=mei.actor, at=world.now()))
    world.publish()
    position = queries.deposit_of(mei.actor, made.id).position
    row = Deposit.objects.get(pk=made.id)
    entry = wiring.leaf_at(wiring.reader(), position)
    assert entry == bytes(row.leaf)
    actions.settle(position + 7, [Entry.of(bytes(row.statement))], world.now())
    assert queries.deposit_of(mei.actor, made.id).position == position


def test_the_first_entries_are_the_policy_and_the_intake_key_and_come_once(world):
    assert actions.genesis(world.now()) == 0
    kinds = [Statement.parse(queries.statement_of(position)).claim.kind for position in (0, 1)]
    assert kinds == ["policy", "key"]
    assert Founding.objects.count() == 2
    assert queries.find(wiring.policy_id())[0].position == 0
    with pytest.raises(Refused, match="entry_not_found"):
        queries.statement_of(2)


def test_the_registration_policy_is_bilingual_and_its_id_is_its_digest():
    text = wiring.registration_policy()
    assert wiring.policy_id() == hashlib.sha256(text).digest()
    assert "What the log accepts" in text.decode()
    assert "日志接收的内容" in text.decode()


def test_a_link_shows_one_receipt_until_it_is_taken_back(world, mei):
    made = only(actions.deposit([new()], by=mei.actor, at=world.now()))
    token = actions.share(made.id, by=mei.actor, at=world.now())
    assert queries.shared(token)[1] is None
    world.publish()
    summary, receipt = queries.shared(token)
    assert (summary.id, receipt.index) == (made.id, summary.position)
    assert actions.unshare(made.id, by=mei.actor, at=world.now()) == 1
    for gone in (token, "guess", ""):
        with pytest.raises(Refused, match="link_not_found"):
            queries.shared(gone)


def test_only_who_may_deposit_shares_and_only_their_own(world, mei):
    made = only(actions.deposit([new()], by=mei.actor, at=world.now()))
    viewer = world.person("Vi Ewer", role="viewer", of=mei)
    with pytest.raises(Refused, match="not_allowed"):
        actions.share(made.id, by=viewer.actor, at=world.now())
    with pytest.raises(Refused, match="deposit_not_found"):
        actions.share(made.id, by=world.person("Jun Wu").actor, at=world.now())


def third_party(world, person, key, **changes):
    claim = Claim(
        issuer=wiring.issuer_of(person.actor.organisation_id),
        subject="urn:uuid:0d7c9b4e-43a2-4e54-9a1c-0f8a4f6c7e21",
        issued_at=world.now(),
        payload=hashlib.sha256(DATA).digest(),
        **({"content_type": "image/png"} | changes.pop("also", {})),
    )
    return sign_statement(dataclasses.replace(claim, **changes), key)


def test_a_statement_sent_as_it_is_becomes_a_deposit_of_its_issuer(world, mei):
    raw = third_party(world, mei, key_of(world, mei))
    leaf = actions.register_statement(raw, at=world.now())
    assert leaf == leaf_hash(raw) == actions.register_statement(raw, at=world.now())
    with pytest.raises(Unavailable, match="not_published"):
        queries.entry_receipt(leaf)
    world.publish()
    [mine] = queries.latest(mei.actor)
    assert (mine.source, mine.leaf, mine.size, mine.state) == ("scrapi", leaf, None, "published")
    assert cbor.decode(queries.entry_receipt(leaf)).tag == 18
    assert queries.find(hashlib.sha256(DATA).digest())


def test_a_statement_that_the_policy_does_not_allow_is_refused(world, mei):
    key = key_of(world, mei)
    other = world.person("Jun Wu")
    ours = {"kind": "work", "policy": wiring.policy_id()}
    cases = [
        ({"issuer": "https://example.com/someone"}, "evidence.statement_rejected"),
        ({"issuer": wiring.intake_issuer()}, "evidence.statement_rejected"),
        ({"issuer": wiring.issuer_of(other.actor.organisation_id)}, "people.issuer_key_not_found"),
        ({"issued_at": AT - timedelta(days=3)}, "evidence.statement_rejected"),
        ({**ours, "policy": b"\1" * 32}, "evidence.statement_rejected"),
        ({**ours, "kind": "takedown"}, "evidence.statement_rejected"),
        ({**ours, "agent": True}, "evidence.statement_rejected"),
    ]
    for change, code in cases:
        with pytest.raises(PlatformError) as refused:
            actions.register_statement(third_party(world, mei, key, **change), at=world.now())
        assert refused.value.code == code
    assert Deposit.objects.count() == 0


def test_a_statement_with_a_wrong_signature_is_refused(world, mei):
    raw = bytearray(third_party(world, mei, key_of(world, mei)))
    raw[-1] ^= 1
    with pytest.raises(Invalid, match="signature_wrong"):
        actions.register_statement(bytes(raw), at=world.now())


def test_an_idempotency_key_repeats_its_answer_and_serves_one_request(world, mei):
    at = world.now()
    assert actions.recall("k", b"1" * 32, by=mei.actor, at=at) is None
    with pytest.raises(Refused, match="idempotency_conflict"):
        actions.recall("k", b"1" * 32, by=mei.actor, at=at)
    with pytest.raises(Invalid, match="idempotency_reused"):
        actions.recall("k", b"2" * 32, by=mei.actor, at=at)
    actions.remember("k", 201, b"{}", by=mei.actor)
    assert actions.recall("k", b"1" * 32, by=mei.actor, at=at).status == 201
    assert actions.recall("k", b"2" * 32, by=world.person("Jun Wu").actor, at=at) is None
    assert actions.recall("k", b"2" * 32, by=mei.actor, at=at + timedelta(hours=25)) is None


def test_a_request_that_died_lets_its_key_go_after_two_minutes(world, mei):
    at = world.now()
    actions.recall("k", b"1" * 32, by=mei.actor, at=at)
    assert actions.recall("k", b"1" * 32, by=mei.actor, at=at + timedelta(minutes=2)) is None
    actions.forget("k", by=mei.actor)
    assert IdempotencyKey.objects.count() == 0


@pytest.mark.parametrize("key", ["", "x" * 256, "ключ", "a\nb"])
def test_an_idempotency_key_has_a_plain_form(world, mei, key):
    with pytest.raises(Invalid, match="idempotency_key_malformed"):
        actions.recall(key, b"1" * 32, by=mei.actor, at=world.now())


def test_a_call_that_loses_the_race_finds_the_winners_deposit(world, mei, monkeypatch):
    module = sys.modules["chopmark.evidence.actions.deposit"]
    winner = only(actions.deposit([new()], by=mei.actor, at=world.now()))
    honest, looked = module._known, []

    def blind_at_first(*args):
        looked.append(args)
        return honest(*args) if len(looked) > 1 else ({}, {})

    monkeypatch.setattr(module, "_known", blind_at_first)
    loser = only(actions.deposit([new()], by=mei.actor, at=world.now()))
    assert (loser.id, loser.created, len(looked)) == (winner.id, False, 2)
    assert Deposit.objects.count() == wiring.book().pending_count() == 1
