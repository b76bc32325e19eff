"""Decisions about the ledger: made, published under what was in force, and in force from the next checkpoint on."""

from __future__ import annotations

import dataclasses
import hashlib
import stat

import pytest
from world.members import Member, five
from world.pages import PageWorld

from chopmark.base.errors import Invalid, PlatformError, Refused, Unavailable
from chopmark.evidence import actions, governance, queries, wiring
from chopmark.evidence.models import Governance
from chopmark.ledger.card import Card
from chopmark.ledger.governance import Rule, log_rotation_note, rotation_note, rule_of
from chopmark.ledger.keys import ED25519, MLDSA44_COSIGNATURE, SigningKey
from chopmark.ledger.policy import Policy
from chopmark.ledger.statement import PublicKey, Statement

RULE = Rule.parse("courts: 2 of hangzhou beijing guangzhou and others: 1 of notary customs")
MEMBERS = five()
CARDS = [member.card.encode() for member in MEMBERS.values()]


class GovernedWorld(PageWorld):
    """A world whose papers take force when they are published, as they do outside of a test's transaction."""

    capture = None

    def publish(self) -> int:
        """What waits goes onto the log, and what that leads to happens."""
        if self.capture is None:
            return super().publish()
        with self.capture(execute=True):
            return super().publish()


@pytest.fixture
def world(db, settings, tmp_path, django_capture_on_commit_callbacks):
    settings.CHOPMARK_HOME = tmp_path / "home"
    world = GovernedWorld.made(settings.CHOPMARK_HOME)
    world.capture = django_capture_on_commit_callbacks
    return world


@pytest.fixture
def consortium(world):
    """Five members and the usual policy, in force."""
    actions.adopt_cards(CARDS, at=world.now())
    actions.decide_policy(RULE, at=world.now())
    world.publish()
    return world


def size() -> int:
    latest = wiring.book().latest()
    return latest.size if latest else 0


def kinds(papers) -> list[str]:
    return [paper.kind for paper in papers]


def without_a_key(member: Member) -> Card:
    return dataclasses.replace(member.card, keys=member.card.keys[:-1])


def test_without_a_consortium_nothing_is_in_force_and_the_log_speaks_for_itself(world):
    assert (wiring.consortium_policy(), wiring.cards(), wiring.policy_history()) == (None, (), ())
    assert Policy.parse(wiring.log_policy()).quorum == "none"


def test_a_decision_stands_on_the_ledger_and_takes_force_for_the_checkpoints_after_its_own(world):
    actions.adopt_cards(CARDS, at=world.now())
    decided = actions.decide_policy(RULE, at=world.now())
    assert decided.warnings == ("ledger.rule_weak",)
    assert wiring.consortium_policy() is None
    world.publish()
    policy = wiring.consortium_policy()
    assert rule_of(policy) == RULE
    assert [card.name for card in wiring.cards()] == sorted(MEMBERS)
    [paper] = governance.papers_with([decided.papers[0].leaf])
    assert paper.in_force_from == size() + 1
    assert Policy.parse(wiring.policy_then(size())).quorum == "none"
    assert Policy.parse(wiring.policy_then(size() + 1)) == Policy.parse(wiring.log_policy()) == policy


def test_nothing_is_judged_without_quorum_once_there_is_a_consortium(world):
    actions.adopt_cards(CARDS, at=world.now())
    actions.decide_policy(RULE, at=world.now())
    world.publish()
    founded = size()
    for judged in (0, 1, founded, founded + 1):
        assert wiring.policy_at(judged) == wiring.log_policy()
        assert wiring.least_size(judged) == founded + 1
    assert wiring.least_size(founded + 9) == founded + 9


def test_every_paper_is_what_its_statement_says_and_its_signer_is_known(consortium):
    for row in Governance.objects.all():
        statement = Statement.parse(wiring.reader().entry(row.position))
        content_type, paper = governance.paper(bytes(row.sha256))
        assert statement.claim.payload == hashlib.sha256(paper).digest()
        assert (statement.claim.kind, statement.claim.content_type) == (row.kind, content_type)
        statement.verify(PublicKey.from_cose(governance.signer_key(statement.kid)))


def test_the_first_decision_states_the_keys_of_governance_and_of_the_log(world):
    actions.adopt_cards(CARDS[:1], at=world.now())
    assert kinds(governance.papers()) == ["key", "log_key", "log_key", "member_card"]
    secret = wiring.home() / "keys" / "governance"
    assert stat.S_IMODE(secret.stat().st_mode) == 0o600


def test_a_governance_key_that_others_can_read_decides_nothing(consortium):
    (wiring.home() / "keys" / "governance").chmod(0o644)
    with pytest.raises(Refused, match=r"evidence\.governance_key_open"):
        actions.decide_policy(Rule.parse("3 of hangzhou beijing guangzhou"), at=consortium.now())


def test_the_same_decision_again_changes_nothing(consortium):
    before = governance.papers()
    assert actions.adopt_cards(CARDS, at=consortium.now()).papers == ()
    assert actions.decide_policy(RULE, at=consortium.now()).papers == ()
    assert governance.papers() == before
    assert consortium.publish() == 0


def test_a_policy_and_the_one_before_it_and_again_are_three_periods(consortium):
    first = size()
    actions.decide_policy(Rule.parse("3 of hangzhou beijing guangzhou"), at=consortium.now())
    consortium.publish()
    second = size()
    actions.decide_policy(RULE, at=consortium.now())
    consortium.publish()
    spans = [(start, rule_of(Policy.parse(text))) for start, text in wiring.policy_history()]
    courts = Rule.parse("3 of hangzhou beijing guangzhou")
    assert spans == [(0, None), (first + 1, RULE), (second + 1, courts), (size() + 1, RULE)]


def test_two_policies_published_together_leave_the_later_one_in_force(consortium):
    actions.decide_policy(Rule.parse("3 of hangzhou beijing guangzhou"), at=consortium.now())
    actions.decide_policy(Rule.parse("2 of hangzhou beijing guangzhou"), at=consortium.now())
    consortium.publish()
    assert rule_of(wiring.consortium_policy()).text() == "part-1: 2 of hangzhou beijing guangzhou"


def test_what_a_crash_left_unwritten_is_written_by_the_next_start(world):
    actions.adopt_cards(CARDS, at=world.now())
    actions.decide_policy(RULE, at=world.now())
    world.capture = None
    world.publish()
    assert wiring.consortium_policy() is None
    actions.take_force()
    assert rule_of(wiring.consortium_policy()) == RULE
    seen = {path: path.stat().st_mtime_ns for path in wiring.consortium().rglob("*")}
    actions.take_force()
    assert {path: path.stat().st_mtime_ns for path in wiring.consortium().rglob("*")} == seen


@pytest.mark.parametrize(
    ("decide", "code"),
    [
        (lambda at: actions.decide_policy(Rule.parse("1 of hangzhou beijing"), at=at), "ledger.rule_splits"),
        (lambda at: actions.decide_policy(Rule.parse("1 of nanjing"), at=at), "ledger.member_unknown"),
        (lambda at: actions.adopt_cards([without_a_key(MEMBERS["notary"]).encode()], at=at), "ledger.member_known"),
        (lambda at: actions.adopt_cards([Member.made("thief", 1).card.encode()], at=at), "ledger.member_key_taken"),
        (lambda at: actions.adopt_cards([CARDS[0] + b"\n"], at=at), "ledger.card_malformed"),
        (lambda at: actions.retire_member("nanjing", "gone", at=at), "ledger.member_unknown"),
        (lambda at: actions.retire_member("notary", "two\nlines", at=at), "ledger.reason_malformed"),
        (lambda at: actions.exchange_card(b"{}", at=at), "ledger.rotation_malformed"),
        (lambda at: actions.adopt_authority(b"no certificate", at=at), "evidence.certificate_malformed"),
    ],
)
def test_nonsense_is_refused_and_leaves_nothing_behind(consortium, decide, code):
    before = governance.papers()
    with pytest.raises(PlatformError) as caught:
        decide(consortium.now())
    assert caught.value.code == code
    assert governance.papers() == before
    assert consortium.publish() == 0


def test_a_rule_that_splits_can_be_forced(consortium):
    actions.decide_policy(Rule.parse("1 of hangzhou beijing"), at=consortium.now(), force=True)
    consortium.publish()
    assert rule_of(wiring.consortium_policy()).text() == "part-1: 1 of hangzhou beijing"


def test_a_retired_member_counts_no_more_and_the_rule_asks_as_much_of_those_left(consortium):
    actions.retire_member("hangzhou", "its state was lost in a fire", at=consortium.now())
    assert "hangzhou" in [card.name for card in wiring.cards()]
    consortium.publish()
    assert "hangzhou" not in [card.name for card in wiring.cards()]
    assert [card.name for card in wiring.retired_cards()] == ["hangzhou"]
    assert rule_of(wiring.consortium_policy()).parts[0] == ("courts", 2, ("beijing", "guangzhou"))
    assert not any(each.name.startswith("hangzhou") for each in wiring.consortium_policy().witnesses)
    assert actions.retire_member("hangzhou", "again", at=consortium.now()).papers == ()
    with pytest.raises(Refused, match=r"ledger\.member_needed"):
        actions.retire_member("beijing", "moved", at=consortium.now())


def test_the_keys_of_a_former_member_belong_to_nobody_else_but_it_may_come_back(consortium):
    actions.retire_member("hangzhou", "moved", at=consortium.now())
    consortium.publish()
    with pytest.raises(Refused, match=r"ledger\.member_key_taken"):
        actions.adopt_cards([Member.made("suzhou", 1).card.encode()], at=consortium.now())
    actions.adopt_cards([MEMBERS["hangzhou"].card.encode()], at=consortium.now())
    consortium.publish()
    assert "hangzhou" in [card.name for card in wiring.cards()]


def test_new_keys_of_a_member_come_with_the_consent_of_the_old_ones_and_the_policy_follows(consortium):
    old, new = MEMBERS["hangzhou"], Member.made("hangzhou", 77)
    note = rotation_note(old.card, new.card, (*old.signers, *new.signers))
    actions.exchange_card(note, at=consortium.now())
    consortium.publish()
    assert [card for card in wiring.cards() if card.name == "hangzhou"] == [new.card]
    assert wiring.retired_cards() == (old.card,)
    assert {key for key in wiring.consortium_policy().keys if key.name == "hangzhou.test/mirror"} == set(
        new.card.cosigning_keys
    )
    assert rule_of(wiring.consortium_policy()) == RULE
    assert actions.exchange_card(note, at=consortium.now()).papers == ()


def test_a_policy_without_the_old_quorum_is_in_force_at_once_and_says_so(consortium):
    before = size()
    decided = actions.decide_policy(Rule.parse("2 of hangzhou beijing guangzhou"), at=consortium.now(), emergency=True)
    assert kinds(decided.papers) == ["trust_policy_forced"]
    assert rule_of(wiring.consortium_policy()).text() == "part-1: 2 of hangzhou beijing guangzhou"
    assert wiring.policy_history()[-1][0] == before + 1
    consortium.publish()
    assert wiring.policy_history()[-1][0] == before + 1


def test_an_authority_is_adopted_and_retired_by_its_certificate(consortium, certificate):
    for _ in range(2):
        actions.adopt_authority(certificate, at=consortium.now())
    consortium.publish()
    actions.adopt_authority(certificate, at=consortium.now(), retire=True)
    consortium.publish()
    found = [paper for paper in governance.papers() if paper.kind.startswith("authority")]
    assert kinds(found) == ["authority", "authority_retired"]
    assert governance.paper(found[0].sha256) == ("application/pkix-cert", certificate)


@pytest.fixture
def certificate():
    """A certificate of a time-stamp authority, self-signed."""
    from cryptography import x509  # noqa: PLC0415 (only here)
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey  # noqa: PLC0415
    from cryptography.hazmat.primitives.serialization import Encoding  # noqa: PLC0415
    from world.pages import AT  # noqa: PLC0415

    key = Ed25519PrivateKey.from_private_bytes(bytes(32))
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "Time 时间")])
    built = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    built = built.serial_number(1).not_valid_before(AT).not_valid_after(AT.replace(year=2036))
    return built.sign(key, None).public_bytes(Encoding.DER)


def test_the_logs_next_keys_are_announced_with_the_consent_of_the_present_ones(consortium):
    origin = wiring.origin()
    old = [SigningKey(name=origin, type=ED25519, seed=bytes(range(32)))]
    old.append(SigningKey(name=origin, type=MLDSA44_COSIGNATURE, seed=bytes(range(32, 64))))
    new = [SigningKey(name=origin, type=kind, seed=bytes([9]) * 32) for kind in (ED25519, MLDSA44_COSIGNATURE)]
    with pytest.raises(Invalid, match=r"ledger\.rotation_of_another"):
        actions.rotate_log_keys(log_rotation_note(origin, old[:1], new), at=consortium.now())
    actions.rotate_log_keys(log_rotation_note(origin, old, new), at=consortium.now())
    consortium.publish()
    logs = {log.key for log in wiring.consortium_policy().logs}
    assert logs == {key.verifier for key in (*old, *new)}
    assert rule_of(wiring.consortium_policy()) == RULE


def test_a_paper_that_is_gone_or_altered_is_said_to_be(consortium):
    [digest] = [paper.sha256 for paper in governance.papers() if paper.kind == "trust_policy"]
    path = wiring.papers() / digest.hex()
    path.write_bytes(path.read_bytes() + b"\n")
    with pytest.raises(Invalid, match=r"evidence\.paper_wrong"):
        actions.take_force()
    path.unlink()
    with pytest.raises(Unavailable, match=r"evidence\.paper_missing"):
        governance.paper(digest)
    with pytest.raises(Refused, match=r"evidence\.paper_not_found"):
        governance.paper(bytes(32))


def test_the_receipt_of_a_governance_statement_waits_and_then_is_there(world):
    decided = actions.adopt_cards(CARDS[:1], at=world.now())
    leaf = decided.papers[-1].leaf
    with pytest.raises(Unavailable, match=r"evidence\.not_published"):
        queries.entry_receipt(leaf)
    world.publish()
    assert queries.entry_receipt(leaf)


def test_a_key_that_was_given_up_never_comes_back(consortium):
    old, new = MEMBERS["hangzhou"], Member.made("hangzhou", 77)
    there = rotation_note(old.card, new.card, (*old.signers, *new.signers))
    back = rotation_note(new.card, old.card, (*old.signers, *new.signers))
    actions.exchange_card(there, at=consortium.now())
    with pytest.raises(Refused, match=r"ledger\.member_key_given_up"):
        actions.exchange_card(back, at=consortium.now())
    actions.retire_member("hangzhou", "moved", at=consortium.now())
    with pytest.raises(Refused, match=r"ledger\.member_key_given_up"):
        actions.adopt_cards([old.card.encode()], at=consortium.now())
    actions.adopt_cards([new.card.encode()], at=consortium.now())
