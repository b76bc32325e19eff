"""What programs read of governance: papers, keys of signers, policies of every time."""

from __future__ import annotations

import hashlib

import pytest
from django.test import Client
from world.members import five
from world.pages import PageWorld

from chopmark.evidence import actions, wiring
from chopmark.ledger.governance import Rule
from chopmark.ledger.policy import Policy
from chopmark.ledger.statement import IssuerKey, PublicKey, Statement

RULE = Rule.parse("courts: 2 of hangzhou beijing guangzhou and others: 1 of notary customs")
FOR_EVER = "public, max-age=31536000, immutable"


@pytest.fixture
def world(db, settings, tmp_path, django_capture_on_commit_callbacks):
    settings.CHOPMARK_HOME = tmp_path / "home"
    world = PageWorld.made(settings.CHOPMARK_HOME)
    actions.adopt_cards([member.card.encode() for member in five().values()], at=world.now())
    actions.decide_policy(RULE, at=world.now())
    with django_capture_on_commit_callbacks(execute=True):
        world.publish()
    return world


@pytest.fixture
def stranger():
    return Client()


@pytest.fixture
def mei(world):
    return world.person("Mei Lan")


def entries() -> list[Statement]:
    log = wiring.reader()
    return [log.statement(position) for position in range(log.latest().size)]


def test_every_statement_on_the_log_is_verified_with_the_key_served_under_its_kid(world, stranger, mei):
    own = IssuerKey.generate()
    actions.register_key(own.public.to_cose(), "studio", by=mei.actor, at=world.now())
    world.deposit(mei, b"lantern")
    world.publish()
    assert {entry.claim.kind for entry in entries()} >= {"policy", "key", "work", "member_card", "trust_policy"}
    for entry in entries():
        answer = stranger.get(f"/keys/{entry.kid.hex()}")
        assert answer["Content-Type"] == "application/cose-key"
        assert answer["Cache-Control"] == FOR_EVER
        entry.verify(PublicKey.from_cose(answer.content))


def test_a_depositors_key_is_served_and_stated_and_stays_when_retired(world, stranger, mei):
    own = IssuerKey.generate()
    thumbprint = actions.register_key(own.public.to_cose(), "studio", by=mei.actor, at=world.now())
    actions.retire_key(thumbprint, by=mei.actor, at=world.now())
    world.publish()
    assert stranger.get(f"/keys/{thumbprint.hex()}").content == own.public.to_cose()
    about = [entry.claim for entry in entries() if entry.claim.payload == thumbprint]
    assert [claim.kind for claim in about] == ["key", "key_retired"]
    assert {claim.subject for claim in about} == {wiring.issuer_of(mei.actor.organisation_id)}
    assert {claim.issuer for claim in about} == {wiring.intake_issuer()}
    assert actions.genesis(world.now()) == 0


def test_keys_registered_before_this_was_done_at_once_are_stated_later(world, mei):
    from chopmark.people.actions import register_issuer_key  # noqa: PLC0415 (the room's own, past the ledger)

    register_issuer_key(IssuerKey.generate().public.to_cose(), "old", by=mei.actor, at=world.now())
    assert actions.genesis(world.now()) == 1
    assert actions.genesis(world.now()) == 0


@pytest.mark.parametrize("kid", ["00" * 32, "00" * 31, "zz" * 32, "AA" * 32, ""])
def test_a_key_that_nobody_has_is_not_found(world, stranger, kid):
    assert stranger.get(f"/keys/{kid}").status_code == 404


def test_every_paper_is_served_under_its_digest(world, stranger):
    listed = stranger.get("/governance/").json()["papers"]
    assert [each["kind"] for each in listed].count("member_card") == 5
    for each in listed:
        answer = stranger.get(f"/governance/{each['sha-256']}")
        assert hashlib.sha256(answer.content).hexdigest() == each["sha-256"]
        assert answer["Content-Type"].startswith(each["content_type"])
        assert answer["Cache-Control"] == FOR_EVER
        assert answer["Access-Control-Allow-Origin"] == "*"
        assert wiring.reader().statement(each["position"]).claim.payload.hex() == each["sha-256"]
    assert stranger.get("/governance/" + "00" * 32).status_code == 404
    assert stranger.get("/governance/nothing").status_code == 404


def test_the_policy_of_every_time_is_served_and_none_is_weaker_than_the_first_with_a_quorum(world, stranger):
    size = wiring.book().latest().size
    now = stranger.get("/policy").content
    assert Policy.parse(now).quorum == "consortium"
    for each in (0, size, size + 1):  # before the consortium was founded, and since
        assert stranger.get("/policy", {"size": each}).content == now


@pytest.mark.parametrize("size", ["-1", "01", "many", "1.0", "9" * 30])
def test_a_policy_for_no_size_is_not_found(world, stranger, size):
    assert stranger.get("/policy", {"size": size}).status_code == 404
