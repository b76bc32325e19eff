from __future__ import annotations

import re

import pytest
from django.test import Client
from world.members import five
from world.pages import SEEDS, PageWorld, digest

from chopmark.base.digests import digests_of
from chopmark.evidence import wiring
from chopmark.evidence.actions import settle, share
from chopmark.evidence.verify import Verdict, verify
from chopmark.ledger.consortium import Gathered
from chopmark.ledger.cose_receipt import sign_root
from chopmark.ledger.governance import Rule, consortium_policy
from chopmark.ledger.keys import SigningKey
from chopmark.ledger.log import Log
from chopmark.ledger.policy import Policy, policy_text
from chopmark.ledger.stores.files import FileJournal

DATA = b"a lantern over the water"


@pytest.fixture
def world(db, settings, tmp_path):
    settings.CHOPMARK_HOME = tmp_path / "home"
    return PageWorld.made(settings.CHOPMARK_HOME)


@pytest.fixture
def mei(world):
    return world.person("Mei Lan")


def shared_by(person, deposit_id):
    """Share a deposit through its page; the link that the page shows."""
    page = person.client.post(f"/deposits/{deposit_id}/share", follow=True)
    return re.search(r'id="share-link" href="http://testserver(/r/[^"]+)"', page.content.decode())[1]


def test_a_stranger_with_the_link_reads_what_the_receipt_says(world, mei):
    one = world.deposit(mei, DATA, title="Lantern", author="Mei Lan")
    world.publish()
    link = shared_by(mei, one.id)
    answer = Client().get(link)
    text = answer.content.decode()
    assert answer.status_code == 200
    for said in ("Lantern", "Mei Lan", digest(DATA), "Existed by", "unaltered", "What it does not prove"):
        assert said in text
    assert "infring" not in text.lower()
    assert "noindex" in answer["X-Robots-Tag"]
    assert answer["Referrer-Policy"] == "strict-origin"
    assert "no-store" in answer["Cache-Control"]


@pytest.mark.parametrize(
    "form",
    [
        "tlog-proof",
        "receipt.cose",
        "compact.tlog-proof",
        "compact.receipt.cose",
        "post-quantum.tlog-proof",
        "post-quantum.receipt.cose",
    ],
)
def test_the_receipt_behind_the_link_passes_under_the_policy_served(world, mei, form):
    one = world.deposit(mei, DATA)
    world.publish()
    answer = Client().get(f"{shared_by(mei, one.id)}/{form}")
    assert answer.status_code == 200
    assert f"lantern.png.{form}" in answer["Content-Disposition"]
    assert answer["Content-Disposition"].startswith("attachment")
    policy = Policy.parse(Client().get("/policy").content)
    report = verify(answer.content, digests=digests_of([DATA]), policy=policy, at=world.now())
    if form != "compact.tlog-proof":  # without a consortium, no Ed25519 signature on the checkpoint states a time
        assert report.verdict == Verdict.PASSED
    algorithms = {each.algorithm for each in report.signers if each.form == "checkpoint"}
    wanted = {"compact": {"Ed25519"}, "post-quantum": {"ML-DSA-44"}}.get(form.partition(".")[0])
    assert algorithms == (wanted or {"Ed25519", "ML-DSA-44"})


class AllAgree:
    """Five members that sign at once whatever the log has signed, each with both keys and a seal of the root."""

    def __init__(self, now):
        self.members, self._now = five(), now

    def gather(self, signed, checkpoint):
        note = signed
        for member in self.members.values():
            note = member.cosigned(note, self._now())
        point = (checkpoint.origin, checkpoint.root)
        sealing = [member.mirror_keys[0] for member in self.members.values()]
        seals = tuple(sign_root(*point, key, self._now(), size=checkpoint.size) for key in sealing)
        return Gathered(note=note, seals=seals)

    def follow(self, signed, checkpoint):
        pass

    def states(self):
        return ()

    def close(self):
        pass


@pytest.fixture
def policy(world):
    """The consortium takes part from now on."""
    world.log.close()
    agreeing = AllAgree(world.now)
    keys = [SigningKey(name=wiring.origin(), type=kind, seed=seed) for kind, seed in SEEDS.values()]
    world.log = Log(
        wiring.origin(),
        wiring.objects(),
        FileJournal(world.home / "journal"),
        wiring.book(on_settled=settle),
        keys,
        world.now,
        cosigners=agreeing,
    )
    cards = [member.card for member in agreeing.members.values()]
    rule = Rule.parse("courts: 2 of hangzhou beijing guangzhou and others: 1 of notary customs")
    decided = consortium_policy([key.verifier for key in keys], cards, rule)
    folder = wiring.consortium()
    (folder / "members").mkdir(parents=True)
    (folder / "policy").write_text(policy_text(decided))
    for card in cards:
        (folder / "members" / f"{card.name}.json").write_bytes(card.encode())
    return decided


FORMS = ["compact.tlog-proof", "compact.receipt.cose", "post-quantum.tlog-proof", "post-quantum.receipt.cose"]


def test_receipts_with_one_kind_of_signatures_are_not_offered_where_nobody_would_state_a_time(world, mei):
    one = world.deposit(mei, DATA)
    world.publish()
    assert "compact.tlog-proof" not in Client().get(shared_by(mei, one.id)).content.decode()


@pytest.mark.parametrize("form", ["tlog-proof", "receipt.cose", *FORMS])
def test_every_form_of_a_receipt_carries_the_quorum(world, policy, mei, form):
    one = world.deposit(mei, DATA)
    world.publish()
    link = shared_by(mei, one.id)
    for place in (link, f"/deposits/{one.id}"):
        page = (mei.client if place != link else Client()).get(place).content.decode()
        assert f'href="{place}/{form}"' in page
    data = Client().get(f"{link}/{form}").content
    report = verify(data, digests=digests_of([DATA]), policy=policy, at=world.now())
    assert report.verdict == Verdict.PASSED
    assert {each.institution for each in report.signers if each.role == "witness"} == set(five())
    assert "notary" in report.existed_by_whom
    seals = [each for each in report.signers if each.form == "cose" and each.role == "witness"]
    assert len(seals) == (0 if "proof" in form or "quantum" in form else len(five()))


def test_a_choice_of_signatures_that_does_not_exist_is_not_there(world, mei):
    one = world.deposit(mei, DATA)
    world.publish()
    assert Client().get(f"{shared_by(mei, one.id)}/rsa.tlog-proof").status_code == 404


def test_a_link_made_before_publication_says_to_wait_and_gives_no_file(world, mei):
    one = world.deposit(mei, DATA)
    token = share(one.id, by=mei.actor, at=world.now())
    assert "Pending" in Client().get(f"/r/{token}").content.decode()
    assert Client().get(f"/r/{token}/tlog-proof").status_code == 404


def test_the_qr_code_is_an_image_of_its_own(world, mei):
    one = world.deposit(mei, DATA)
    world.publish()
    link = shared_by(mei, one.id)
    answer = Client().get(f"{link}/qr.svg")
    assert answer["Content-Type"] == "image/svg+xml"
    assert b"<svg" in answer.content
    assert f'src="{link}/qr.svg"' in Client().get(link).content.decode()


def test_the_link_is_shown_once_and_can_be_revoked(world, mei):
    one = world.deposit(mei, DATA)
    world.publish()
    link = shared_by(mei, one.id)
    again = mei.client.get(f"/deposits/{one.id}").content.decode()
    assert link not in again
    assert "in force" in again
    mei.client.post(f"/deposits/{one.id}/unshare")
    for path in (link, f"{link}/qr.svg", f"{link}/tlog-proof"):
        assert Client().get(path).status_code == 404
    assert "No such receipt" in Client().get(link).content.decode()


@pytest.mark.parametrize("token", ["x", "A" * 32, "%00", "é" * 40])
def test_a_link_that_was_never_made_shows_nothing(world, token):
    assert Client().get(f"/r/{token}").status_code == 404


def test_another_organisation_can_neither_share_nor_revoke(world, mei):
    one = world.deposit(mei, DATA)
    world.publish()
    link = shared_by(mei, one.id)
    other = world.person("Bo Wen")
    for verb in ("share", "unshare"):
        assert other.client.post(f"/deposits/{one.id}/{verb}").status_code in {403, 404}
    assert Client().get(link).status_code == 200


def test_a_viewer_cannot_share(world, mei):
    one = world.deposit(mei, DATA)
    world.publish()
    viewer = world.person("Lu Xi", role="viewer", of=mei)
    assert viewer.client.post(f"/deposits/{one.id}/share").status_code == 403
    assert "Make a link" not in viewer.client.get(f"/deposits/{one.id}").content.decode()


def test_an_unknown_form_of_receipt_is_not_there(world, mei):
    one = world.deposit(mei, DATA)
    world.publish()
    assert Client().get(f"{shared_by(mei, one.id)}/receipt.pdf").status_code == 404


def test_a_private_deposit_discloses_its_digest_to_the_holder_of_the_link(world, mei):
    one = world.deposit(mei, DATA, private=True)
    world.publish()
    assert digest(DATA) in Client().get(shared_by(mei, one.id)).content.decode()
