from __future__ import annotations

import re

import pytest
from django.test import Client
from world.pages import PageWorld, digest

from chopmark.base.digests import digests_of
from chopmark.evidence.actions import share
from chopmark.evidence.verify import Verdict, verify
from chopmark.ledger.policy import Policy

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


@pytest.mark.parametrize("form", ["tlog-proof", "receipt.cose"])
def test_the_receipt_behind_the_link_passes_under_the_policy_served(world, mei, form):
    one = world.deposit(mei, DATA)
    world.publish()
    answer = Client().get(f"{shared_by(mei, one.id)}/{form}")
    assert answer.status_code == 200
    assert f"lantern.png.{form}" in answer["Content-Disposition"]
    assert answer["Content-Disposition"].startswith("attachment")
    policy = Policy.parse(Client().get("/policy").content)
    report = verify(answer.content, digests=digests_of([DATA]), policy=policy, at=world.now())
    assert report.verdict == Verdict.PASSED


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
