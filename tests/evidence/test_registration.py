"""The doors to the log against each other: a statement twice, one bad draft among good ones, names as subjects."""

from __future__ import annotations

import dataclasses
import hashlib

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from world.pages import PageWorld

from chopmark.base.digests import digests_of
from chopmark.base.errors import PlatformError
from chopmark.evidence import actions, queries, wiring
from chopmark.evidence.actions import NewDeposit
from chopmark.evidence.deposit import Draft, claim_of, describe
from chopmark.evidence.models import Deposit, Upload
from chopmark.ledger.cose import ES256, Envelope, PublicKey, to_be_signed
from chopmark.ledger.statement import Claim, IssuerKey, Statement, sign_statement
from chopmark.people import actions as people

DATA = b"a lantern over the water"
SUBJECT = "urn:uuid:0d7c9b4e-43a2-4e54-9a1c-0f8a4f6c7e21"
ORDER_OF_P256 = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


@pytest.fixture
def world(db, settings, tmp_path):
    settings.CHOPMARK_HOME = tmp_path / "home"
    return PageWorld.made(settings.CHOPMARK_HOME)


@pytest.fixture
def mei(world):
    return world.person("Mei Lan")


@pytest.fixture
def key(world, mei):
    key = IssuerKey.generate()
    people.register_issuer_key(key.public.to_cose(), "laptop", by=mei.actor, at=world.now())
    return key


def signed(world, person, key, **changes):
    draft = Draft(digests=digests_of([DATA]), kind="work", title="Lantern", media_type="image/png")
    disclosures = describe(draft, depositor="Mei Lan")
    claim = claim_of(
        draft,
        disclosures,
        issuer=wiring.issuer_of(person.actor.organisation_id),
        subject=SUBJECT,
        agent=False,
        policy=wiring.policy_id(),
        at=world.now(),
    )
    return NewDeposit(
        kind="work",
        digests=draft.digests,
        title="Lantern",
        media_type="image/png",
        statement=sign_statement(dataclasses.replace(claim, **changes), key),
        disclosures=tuple(each.encode() for each in disclosures),
    )


def third_party(world, person, **changes):
    claim = Claim(
        issuer=wiring.issuer_of(person.actor.organisation_id),
        subject=SUBJECT,
        issued_at=world.now(),
        payload=hashlib.sha256(DATA).digest(),
        content_type="image/png",
    )
    return dataclasses.replace(claim, **changes)


def spoilt(new):
    return dataclasses.replace(new, statement=new.statement[:-1] + bytes([new.statement[-1] ^ 1]))


def uploaded(world, person, data=DATA):
    upload = actions.start_upload(length=len(data), by=person.actor, at=world.now())
    return actions.append_upload(upload.id, offset=0, chunks=[data], by=person.actor, at=world.now()).id


def codes(answers):
    return [each.code if isinstance(each, PlatformError) else each.created for each in answers]


def test_a_statement_registered_as_it_is_can_be_deposited_with_its_description_or_is_refused_alone(world, mei, key):
    wish = signed(world, mei, key)
    actions.register_statement(wish.statement, at=world.now())
    other = NewDeposit(kind="work", digests=digests_of([b"another file"]))
    answers = actions.deposit([other, wish], by=mei.actor, at=world.now())
    assert codes(answers) == [True, "evidence.statement_used"]
    assert Deposit.objects.count() == 2


def test_a_statement_deposited_before_is_registered_already(world, mei, key):
    wish = signed(world, mei, key)
    [made] = actions.deposit([wish], by=mei.actor, at=world.now())
    assert actions.register_statement(wish.statement, at=world.now()) == made.leaf
    assert Deposit.objects.count() == 1


@pytest.mark.parametrize("order", [1, -1], ids=["bad last", "bad first"])
def test_a_bad_draft_does_not_spoil_a_good_one_of_the_same_words(world, mei, key, order):
    good = signed(world, mei, key)
    answers = actions.deposit([good, spoilt(good)][::order], by=mei.actor, at=world.now())
    assert codes(answers)[::order] == [True, "ledger.statement_signature_wrong"]


def test_a_refused_draft_does_not_use_up_its_upload(world, mei, key):
    upload = uploaded(world, mei)
    wish = dataclasses.replace(signed(world, mei, key), upload=upload)
    assert codes(actions.deposit([spoilt(wish)], by=mei.actor, at=world.now())) == ["ledger.statement_signature_wrong"]
    assert Upload.objects.filter(pk=upload).exists()
    assert codes(actions.deposit([wish], by=mei.actor, at=world.now())) == [True]


def test_of_two_drafts_of_the_same_words_the_one_with_a_file_is_kept(world, mei):
    with_file = NewDeposit(kind="work", upload=uploaded(world, mei))
    without = NewDeposit(kind="work", digests=digests_of([DATA]))
    [first, second] = actions.deposit([with_file, without], by=mei.actor, at=world.now())
    assert (first.id, first.kept) == (second.id, True)
    assert queries.file_of(mei.actor, first.id).size == len(DATA)


def test_a_file_left_later_is_said_to_be_kept(world, mei):
    actions.deposit([NewDeposit(kind="work", digests=digests_of([DATA]))], by=mei.actor, at=world.now())
    [again] = actions.deposit([NewDeposit(kind="work", upload=uploaded(world, mei))], by=mei.actor, at=world.now())
    assert (again.created, again.kept) == (False, True)


def test_a_repeat_names_only_deposits_made_before_it(world, mei):
    first, second = (
        NewDeposit(kind="work", digests=digests_of([DATA]), title=title) for title in ("Lantern", "Lantern II")
    )
    [one] = actions.deposit([first], by=mei.actor, at=world.now())
    [two] = actions.deposit([second], by=mei.actor, at=world.now())
    assert two.earlier == (one.number,)
    [again] = actions.deposit([first], by=mei.actor, at=world.now())
    assert again.earlier == ()


def es256(world, person, claim):
    """The claim signed with a P-256 key of the organisation."""
    private = ec.generate_private_key(ec.SECP256R1())
    point = private.public_key().public_numbers()
    public = PublicKey.p256(point.x.to_bytes(32), point.y.to_bytes(32))
    people.register_issuer_key(public.to_cose(), "phone", by=person.actor, at=world.now())
    protected = claim.header(ES256, public.thumbprint)
    der = private.sign(to_be_signed(protected, claim.payload), ec.ECDSA(hashes.SHA256()))
    r, s = decode_dss_signature(der)
    return Envelope(
        protected=protected, unprotected={}, payload=claim.payload, signature=r.to_bytes(32) + s.to_bytes(32)
    ).encode()


def twin_of(raw):
    """The same statement with the other ECDSA signature that anybody can compute from the first."""
    envelope = Envelope.parse(raw)
    s = ORDER_OF_P256 - int.from_bytes(envelope.signature[32:])
    return dataclasses.replace(envelope, signature=envelope.signature[:32] + s.to_bytes(32)).encode()


@pytest.mark.parametrize("door", ["as it is", "with its description"])
def test_nobody_can_enter_a_statement_again_by_turning_its_ecdsa_signature_over(world, mei, key, door):
    if door == "as it is":
        raw = es256(world, mei, third_party(world, mei))
        leaf = actions.register_statement(raw, at=world.now())
    else:
        wish = signed(world, mei, key)
        raw = es256(world, mei, Statement.parse(wish.statement).claim)
        [made] = actions.deposit([dataclasses.replace(wish, statement=raw)], by=mei.actor, at=world.now())
        leaf = made.leaf
    Statement.parse(twin_of(raw))
    assert actions.register_statement(twin_of(raw), at=world.now()) == leaf
    assert Deposit.objects.count() == wiring.book().pending_count() == 1


NAMING = {
    "a title": "Lantern-over-the-water",
    "an address of e-mail": "mailto:mei.lan@example.com",
    "an address in the web": "https://example.com/mei-lan/lantern",
    "a name in a URN": "urn:example:mei-lan",
}


@pytest.mark.parametrize("subject", NAMING.values(), ids=NAMING)
def test_a_subject_that_could_name_somebody_gets_through_neither_door(world, mei, key, subject):
    with pytest.raises(PlatformError) as refused:
        actions.register_statement(sign_statement(third_party(world, mei, subject=subject), key), at=world.now())
    assert (refused.value.code, refused.value.facts) == ("evidence.statement_rejected", {"field": "sub"})
    [answer] = actions.deposit([signed(world, mei, key, subject=subject)], by=mei.actor, at=world.now())
    assert (answer.code, answer.facts) == ("evidence.statement_differs", {"field": "subject"})
    assert Deposit.objects.count() == 0


def test_a_statement_about_the_empty_file_is_refused(world, mei, key):
    empty = third_party(world, mei, payload=hashlib.sha256(b"").digest())
    with pytest.raises(PlatformError) as refused:
        actions.register_statement(sign_statement(empty, key), at=world.now())
    assert refused.value.code == "evidence.empty_file"


def test_a_statement_without_a_time_is_refused(world, mei, key):
    timeless = third_party(world, mei, issued_at=None)
    with pytest.raises(PlatformError) as refused:
        actions.register_statement(sign_statement(timeless, key), at=world.now())
    assert (refused.value.code, refused.value.facts) == ("evidence.statement_rejected", {"field": "iat"})
