"""Who must not: rights, works, searches, mandates against strangers, viewers, other organisations, narrow keys."""

from __future__ import annotations

import hashlib
from datetime import timedelta

import pytest
from web.test_work_pages import deposited, photograph
from world.pages import PageWorld
from world.rights import lantern

from chopmark.base import clock
from chopmark.rights.actions import file as filing
from chopmark.rights.actions import watch
from chopmark.rights.actions.file import NewPaper, NewRight
from chopmark.rights.models import LogoCode
from chopmark.rights.record import Mark


@pytest.fixture
def world(db, settings, tmp_path):
    settings.CHOPMARK_HOME = tmp_path / "home"
    return PageWorld.made(settings.CHOPMARK_HOME, at=clock.now().replace(microsecond=0) - timedelta(minutes=10))


@pytest.fixture
def mei(world):
    return world.person("Mei Lan")


@pytest.fixture
def jo(world):
    return world.person("Jo Smith")


# ---- a digest is no key to somebody else's file


@pytest.mark.parametrize("by_digest", [False, True], ids=["nothing beside it", "a deposit of the digest beside it"])
def test_a_digest_in_a_record_shows_nobody_the_file_of_another_organisation(world, mei, jo, by_digest):
    """Whoever knows the SHA-256 of a private picture must not be shown the picture, nor have it compared."""
    deposited(mei)
    private = hashlib.sha256(photograph()).digest()
    record = lantern(mark=Mark(verbal="RED LANTERN", feature="combined", image=private))
    claimed = world.deposit(jo, photograph(), kind="document", private=True)
    papers = (NewPaper(kind="other", deposit=claimed.id),) if by_digest else ()
    right = filing.file_right(NewRight(record=record, papers=papers), by=jo.actor, at=world.now())
    assert jo.client.get(f"/rights/{right.number}/sign.png").status_code == 404
    assert "sign.png" not in jo.client.get(f"/rights/{right.number}").text
    watch.run_watches(world.now())
    assert not LogoCode.objects.filter(image=private).exists()
