import io
from datetime import timedelta

import pikepdf
import pytest
from django.test import Client
from world.pages import AT, PageWorld

from chopmark.base import clock
from chopmark.evidence.sealing import Seal, make_seal
from chopmark.people.actions import create_api_key

SEAL = "Chopmark of Hangzhou"


@pytest.fixture
def world(db, settings, tmp_path):
    settings.CHOPMARK_HOME = tmp_path / "home"
    return PageWorld.made(settings.CHOPMARK_HOME)


@pytest.fixture
def seal(world, monkeypatch):
    made = Seal.load(make_seal(world.home, SEAL, clock.now()))
    monkeypatch.setattr(clock, "now", lambda: AT + timedelta(hours=1))  # the log's clock is the test's too
    return made


@pytest.fixture
def mei(world):
    return world.person("Mei Lan")


def signed_fields(pdf):
    with pikepdf.open(io.BytesIO(pdf)) as opened:
        return [str(each.V.SubFilter) for each in opened.Root.AcroForm.Fields if "/V" in each]


def attached(pdf):
    with pikepdf.open(io.BytesIO(pdf)) as opened:
        return {name: each.get_file().read_bytes() for name, each in opened.attachments.items()}


def test_the_page_of_a_published_deposit_leads_to_its_certificate(world, seal, mei):
    one = world.deposit(mei, b"a lantern", title="灯笼 Lantern")
    assert "certificate.pdf" not in mei.client.get(f"/deposits/{one.id}").content.decode()
    world.publish()
    assert f"/deposits/{one.id}/certificate.pdf" in mei.client.get(f"/deposits/{one.id}").content.decode()
    answer = mei.client.get(f"/deposits/{one.id}/certificate.pdf")
    assert (answer.status_code, answer["Content-Type"]) == (200, "application/pdf")
    assert answer["Content-Disposition"] == f'attachment; filename="{one.number}.certificate.pdf"'
    assert signed_fields(answer.content) == ["/ETSI.CAdES.detached"]
    receipt = mei.client.get(f"/deposits/{one.id}/tlog-proof").content
    assert attached(answer.content) == {f"{one.number}.tlog-proof": receipt}


def test_the_interface_gives_the_same_certificate(world, seal, mei):
    one = world.deposit(mei, b"a lantern")
    world.publish()
    key = create_api_key("script", ["deposits:read"], by=mei.actor, at=world.now())
    for name in (one.number, one.id):
        answer = Client().get(
            f"/api/v1/deposits/{name}/certificate.pdf", headers={"Authorization": f"Bearer {key.text}"}
        )
        assert (answer.status_code, answer["Content-Type"]) == (200, "application/pdf")
        assert answer.content.startswith(b"%PDF-2.0")


def test_a_pending_deposit_has_no_certificate_yet(world, seal, mei):
    one = world.deposit(mei, b"a lantern")
    assert mei.client.get(f"/deposits/{one.id}/certificate.pdf").status_code == 503


def test_nobody_else_gets_it(world, seal, mei):
    one = world.deposit(mei, b"a lantern")
    world.publish()
    assert world.person("Jun Wu").client.get(f"/deposits/{one.id}/certificate.pdf").status_code == 404
    assert Client().get(f"/deposits/{one.id}/certificate.pdf").status_code == 302


def test_without_a_seal_there_is_no_certificate_rather_than_one_without_signature(world, mei):
    one = world.deposit(mei, b"a lantern")
    world.publish()
    answer = mei.client.get(f"/deposits/{one.id}/certificate.pdf")
    assert answer.status_code >= 400
    assert b"%PDF" not in answer.content
