"""`chopmark certificate NUMBER` on a home of its own, in this process."""

from __future__ import annotations

import io
import json
from datetime import timedelta

import pikepdf
import pytest
from world.pages import AT, PageWorld

from chopmark.base import clock
from chopmark.cli.app import main
from chopmark.evidence.sealing import make_seal


@pytest.fixture
def world(db, settings, tmp_path, monkeypatch):
    settings.CHOPMARK_HOME = tmp_path / "home"
    world = PageWorld.made(settings.CHOPMARK_HOME)
    make_seal(world.home, "Chopmark of Hangzhou", clock.now())
    monkeypatch.setattr(clock, "now", lambda: AT + timedelta(hours=1))  # the log's clock is the test's too
    monkeypatch.setenv("CHOPMARK_HOME", str(world.home))
    monkeypatch.delenv("CHOPMARK_SERVER", raising=False)
    monkeypatch.chdir(tmp_path)
    return world


@pytest.fixture
def mei(world):
    return world.person("Mei Lan")


@pytest.fixture
def run(capsys, mei):
    def run(*arguments):
        status = main(["certificate", *map(str, arguments), "--organisation", str(mei.actor.organisation_id)])
        return status, *capsys.readouterr()

    return run


def looked_into(data):
    """Forms of the signatures in a PDF, and the names of what is attached to it."""
    with pikepdf.open(io.BytesIO(data)) as opened:
        forms = [str(each.V.SubFilter) for each in opened.Root.AcroForm.Fields if "/V" in each]
        return forms, [*opened.attachments]


def test_the_certificate_of_a_published_deposit_is_written_beside_and_where_asked(world, mei, run, tmp_path):
    one = world.deposit(mei, b"a lantern", title="灯笼 Lantern")
    world.publish()
    status, out, _ = run(one.number, "--json")
    written = f"{one.number}.certificate.pdf"
    assert (status, json.loads(out)) == (0, {"deposit": one.number, "certificate": written})
    assert looked_into((tmp_path / written).read_bytes()) == (["/ETSI.CAdES.detached"], [f"{one.number}.tlog-proof"])
    status, _, said = run(one.number.lower(), "--output", "c.pdf")
    assert (status, "c.pdf" in said) == (0, True)
    assert (tmp_path / "c.pdf").read_bytes().startswith(b"%PDF-2.0")


def test_a_certificate_that_is_there_is_not_overwritten_unasked(world, mei, run, tmp_path):
    one = world.deposit(mei, b"a lantern")
    world.publish()
    (tmp_path / "c.pdf").write_bytes(b"mine")
    status, _, said = run(one.number, "--output", "c.pdf", "--json")
    assert (status, json.loads(said.splitlines()[-1])["code"]) == (1, "cli.file_differs")
    assert (tmp_path / "c.pdf").read_bytes() == b"mine"
    assert run(one.number, "--output", "c.pdf", "--force")[0] == 0
    assert (tmp_path / "c.pdf").read_bytes().startswith(b"%PDF-2.0")


def test_nothing_is_written_for_a_deposit_that_is_not_published_or_not_there(world, mei, run, tmp_path):
    one = world.deposit(mei, b"a lantern")
    for number in (one.number, "D-2026-999999"):
        status, _, said = run(number, "--json")
        assert status != 0
        assert json.loads(said.splitlines()[-1])["code"].startswith("evidence.")
    assert list(tmp_path.glob("*.pdf")) == []
