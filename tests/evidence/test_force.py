"""The writer goes by what the database has published: on a standby's machine, after a crash, in an emergency."""

from __future__ import annotations

import fcntl
import hashlib
import shutil
import threading

import pytest
from world.members import five
from world.pages import PageWorld
from world.patience import HANG

from chopmark.base.errors import Unavailable
from chopmark.cli import writer
from chopmark.evidence import actions, wiring
from chopmark.evidence.actions.force import keep_paper
from chopmark.evidence.models import Governance
from chopmark.ledger.checkpoint import Checkpoint
from chopmark.ledger.consortium import Consortium, Gathered, MemberState
from chopmark.ledger.governance import Rule, rule_of
from chopmark.ledger.policy import Policy
from chopmark.ledger.tree import EMPTY_ROOT

RULE = Rule.parse("courts: 2 of hangzhou beijing guangzhou and others: 1 of notary customs")
THREE = Rule.parse("courts: 3 of hangzhou beijing guangzhou")
TWO = Rule.parse("courts: 2 of hangzhou beijing guangzhou")
CARDS = [member.card.encode() for member in five().values()]
POINT = Checkpoint(origin="log.test/none", size=0, root=EMPTY_ROOT)


@pytest.fixture
def world(db, settings, tmp_path):
    """Nothing takes force by itself here: the test's transaction never ends, as after a crash."""
    settings.CHOPMARK_HOME = tmp_path / "home"
    world = PageWorld.made(settings.CHOPMARK_HOME)
    actions.adopt_cards(CARDS, at=world.now())
    actions.decide_policy(RULE, at=world.now())
    world.publish()
    actions.take_force()
    return world


@pytest.fixture
def gathered(monkeypatch):
    """The rules under which was gathered, one after the other; nobody is called."""
    rules = []

    class Instant(Consortium):
        def __init__(self, policy: Policy, *_: object) -> None:
            self.rule = rule_of(policy)

        def gather(self, signed: bytes, _checkpoint: Checkpoint) -> Gathered:
            rules.append(self.rule)
            return Gathered(note=signed)

        def states(self) -> tuple[MemberState, ...]:
            return ()

        def close(self) -> None:
            pass

    monkeypatch.setattr(writer, "Consortium", Instant)
    return rules


def test_a_standby_goes_by_what_was_decided_since_its_home_was_copied(world, gathered, settings):
    standby = world.home.with_name("standby")
    shutil.copytree(world.home, standby)
    members = writer.PresentConsortium()
    settings.CHOPMARK_HOME = standby
    members.gather(b"", POINT)
    settings.CHOPMARK_HOME = world.home
    actions.retire_member("guangzhou", "moved", at=world.now())
    actions.decide_policy(Rule.parse("courts: 2 of hangzhou beijing"), at=world.now())
    world.publish()
    settings.CHOPMARK_HOME = standby
    members.gather(b"", POINT)
    assert [rule.text() for rule in gathered] == [RULE.text(), "courts: 2 of hangzhou beijing"]
    assert "guangzhou" not in [card.name for card in wiring.cards()]
    members.close()


def test_what_is_published_of_a_decision_is_in_force_even_where_nothing_was_done_about_it(world, gathered):
    members = writer.PresentConsortium()
    actions.decide_policy(THREE, at=world.now())
    world.publish()
    members.gather(b"", POINT)
    assert gathered == [THREE]
    members.close()


def test_without_the_paper_of_a_decision_nothing_is_published_under_the_one_before(world, gathered):
    members = writer.PresentConsortium()
    digest = actions.decide_policy(THREE, at=world.now()).papers[-1].sha256
    world.publish()
    (wiring.papers() / digest.hex()).unlink()
    Governance.objects.filter(sha256=digest).update(paper=None)
    with pytest.raises(Unavailable, match=r"evidence\.paper_missing"):
        members.gather(b"", POINT)
    assert gathered == []
    members.close()


def test_what_was_gathered_while_the_rule_changed_is_gathered_again(world, gathered, monkeypatch):
    members = writer.PresentConsortium()
    inner = writer.Consortium.gather

    def meanwhile(self, signed, checkpoint):
        if not gathered:
            actions.decide_policy(TWO, at=world.now(), emergency=True)
        return inner(self, signed, checkpoint)

    monkeypatch.setattr(writer.Consortium, "gather", meanwhile)
    members.gather(b"", POINT)
    assert gathered == [RULE, TWO]
    members.close()


def test_a_decision_that_waited_does_not_undo_the_emergency_that_came_after_it(world):
    actions.decide_policy(THREE, at=world.now())
    actions.decide_policy(TWO, at=world.now(), emergency=True)
    world.publish()
    actions.take_force()
    assert rule_of(wiring.consortium_policy()) == TWO
    assert [rule_of(Policy.parse(text)) for _, text in wiring.policy_history()] == [None, TWO]


def test_papers_of_an_earlier_version_reach_other_homes_too(world, settings):
    Governance.objects.update(paper=None)
    actions.take_force()
    shutil.rmtree(wiring.papers())
    actions.take_force()
    assert {path.name for path in wiring.papers().iterdir()} == {
        bytes(digest).hex() for digest in Governance.objects.values_list("sha256", flat=True)
    }


def test_two_processes_write_the_files_of_the_consortium_one_after_the_other(world):
    with (wiring.consortium() / ".writing").open("rb") as other:
        fcntl.flock(other, fcntl.LOCK_EX)  # another process is at it
        waiting = threading.Thread(target=keep_paper, args=(b"a paper",))
        waiting.start()
        waiting.join(0.3)
        assert waiting.is_alive()
    waiting.join(HANG)
    assert (wiring.papers() / hashlib.sha256(b"a paper").hexdigest()).read_bytes() == b"a paper"
