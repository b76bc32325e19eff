"""A home that had deposits before it had a consortium: what the log alone vouched for gets the quorum's word later."""

from __future__ import annotations

import dataclasses
from datetime import timedelta

import pytest
from django.test import Client
from world.members import five
from world.pages import PageWorld

from chopmark.base.digests import digests_of
from chopmark.base.errors import Unavailable
from chopmark.evidence import actions, queries, wiring
from chopmark.evidence.verify import Verdict, verify
from chopmark.ledger.checkpoint import open_checkpoint
from chopmark.ledger.cose_receipt import verify_receipt
from chopmark.ledger.governance import Rule
from chopmark.ledger.policy import Policy

RULE = Rule.parse("courts: 2 of hangzhou beijing guangzhou and others: 1 of notary customs")
MEMBERS = five()
DATA = b"a lantern from before"


class FoundedWorld(PageWorld):
    """A world whose decisions take force when published, and whose checkpoints are cosigned from then on."""

    capture = None

    def publish(self) -> int:
        """What waits goes onto the log, under the members' cosignatures where there is a consortium."""
        with self.capture(execute=True):
            return super().publish()

    def cosigned(self) -> None:
        """From now on three members sign what the log signs; the real ones ask over sockets."""
        sign = self.log._sign

        def signed(head):
            published = sign(head)
            note = published.note
            for name in ("hangzhou", "guangzhou", "notary"):
                note = MEMBERS[name].cosigned(note, self.now())
            return dataclasses.replace(published, note=note)

        self.log._sign = signed


@pytest.fixture
def world(db, settings, tmp_path, django_capture_on_commit_callbacks):
    settings.CHOPMARK_HOME = tmp_path / "home"
    FoundedWorld.capture = staticmethod(django_capture_on_commit_callbacks)
    return FoundedWorld.made(settings.CHOPMARK_HOME)


@pytest.fixture
def mei(world):
    return world.person("Mei Lan")


@pytest.fixture
def old(world, mei):
    """A deposit of the time when the log vouched for itself, its receipt of that time, and then a consortium."""
    made = world.deposit(mei, DATA)
    world.publish()
    receipt = queries.receipt_for(mei.actor, made.id)
    actions.adopt_cards([each.card.encode() for each in MEMBERS.values()], at=world.now())
    actions.decide_policy(RULE, at=world.now())
    world.publish()
    return made, receipt


def size_of(receipt) -> int:
    return open_checkpoint(receipt.checkpoint, wiring.all_log_keys())[0].size


def report(world, data: bytes, policy: bytes):
    at = world.at + timedelta(hours=1)
    return verify(data, digests=digests_of([DATA]), policy=Policy.parse(policy), at=at)


def both(receipt) -> tuple[bytes, bytes]:
    return receipt.tlog_proof(), receipt.transparent_statement()


def test_an_old_deposit_gets_a_receipt_under_the_quorum(world, mei, old):
    made, before = old
    world.cosigned()
    world.deposit(mei, b"another")
    world.publish()
    anew = queries.receipt_for(mei.actor, made.id)
    assert size_of(before) < wiring.policy_history()[-1][0] <= size_of(anew)
    for data in both(anew):
        found = report(world, data, wiring.policy_at(size_of(anew)))
        assert found.verdict is Verdict.PASSED
        assert found.existed_by_whom == "guangzhou, hangzhou, notary"
        assert found.index == before.index


def test_the_receipt_of_before_is_undecided_and_says_what_to_do(world, old):
    _, before = old
    for data in both(before):
        found = report(world, data, wiring.policy_at(size_of(before)))
        assert found.verdict is Verdict.INDETERMINATE
        assert {"verify.quorum_missing", "verify.receipt_to_renew"} <= {each.code for each in found.findings}
        assert found.existed_by is None


def test_every_way_to_a_receipt_gives_the_cosigned_one(world, mei, old):
    made, _ = old
    token = actions.share(made.id, by=mei.actor, at=world.now())
    world.cosigned()
    world.deposit(mei, b"another")
    world.publish()
    anew = queries.receipt_for(mei.actor, made.id)
    assert Client().get(f"/r/{token}/tlog-proof").content == anew.tlog_proof()
    assert queries.shared(token)[1] == anew
    [log_key] = wiring.receipt_keys()
    entry = Client().get(f"/entries/{made.leaf.hex()}")
    assert verify_receipt(entry.content, anew.statement, log_key).sealed.size == size_of(anew)
    page = mei.client.get(f"/deposits/{made.id}", headers={"accept-language": "en"}).content.decode()
    assert wiring.reader().covering(anew.index).size == size_of(anew)
    assert MEMBERS["notary"].card.en in page
    assert Client().get(f"/explorer/entries/{anew.index}/proof").content.endswith(anew.checkpoint)


def test_until_the_consortium_has_cosigned_there_is_no_receipt_and_pages_go_on(world, mei, old):
    made, _ = old
    token = actions.share(made.id, by=mei.actor, at=world.now())
    with pytest.raises(Unavailable, match=r"evidence\.not_cosigned"):
        queries.receipt_for(mei.actor, made.id)
    with pytest.raises(Unavailable, match=r"evidence\.not_cosigned"):
        queries.entry_receipt(made.leaf)
    assert Client().get(f"/entries/{made.leaf.hex()}").status_code == 302
    assert queries.shared(token)[1] is None
    assert Client().get(f"/r/{token}").status_code == 200
    assert mei.client.get(f"/deposits/{made.id}").status_code == 200


def test_the_policy_for_a_size_asks_for_the_quorum_even_before_it(world, old):
    _, before = old
    told = Client().get(f"/policy?size={size_of(before)}").content
    assert told == wiring.log_policy()
    assert Policy.parse(told).quorum == "consortium"
