"""What captures and bundles leave that died halfway goes after a day, and only then."""

from __future__ import annotations

import os
from datetime import timedelta

import pytest
from world.pages import PageWorld

from chopmark.evidence import actions, wiring
from chopmark.evidence.actions import NewCapture, NewMatter
from chopmark.evidence.matters import Both
from chopmark.evidence.models import Capture, WrongCode

DAY = timedelta(days=1, seconds=1)


@pytest.fixture
def world(db, settings, tmp_path):
    settings.CHOPMARK_HOME = tmp_path / "home"
    return PageWorld.made(settings.CHOPMARK_HOME)


@pytest.fixture
def asked(world):
    mei = world.person("Mei Lan")
    new = NewMatter(template="trademark_counterfeit", title=Both(en="Fake lanterns"))
    matter = actions.open_matter(new, by=mei.actor, at=world.now())
    wish = NewCapture(url="https://shop.test/lantern", title=Both(en="Shop"), purpose=Both(en="Sale"))
    return actions.request_capture(matter.id, wish, by=mei.actor, at=world.now())


def leave(path, at):
    """A file, or a folder with a file, of that time."""
    if "." in path.name:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"half")
    else:
        path.mkdir(parents=True)
        (path / "page.wacz").write_bytes(b"half")
    os.utime(path, (at.timestamp(), at.timestamp()))
    return path


@pytest.mark.parametrize(
    ("state", "age", "stays"),
    [("done", DAY, False), ("failed", DAY, False), ("done", DAY / 2, True), ("running", DAY, True)],
    ids=["done, a day old", "failed, a day old", "done, not a day old", "running, a day old"],
)
def test_folders_of_a_capture(world, asked, state, age, stays):
    Capture.objects.update(state=state)
    left = [leave(wiring.captures() / f"{asked.number}-{which}", world.at - age) for which in ("1", "commands")]
    actions.sweep(world.at)
    assert [each.exists() for each in left] == [stays, stays]


def test_bundles_that_were_never_finished_and_nothing_that_was(world):
    folder = wiring.home() / "bundles"
    halves = [leave(folder / name, world.at - DAY) for name in ("building-a.x", "incoming-b.x")]
    others = [leave(folder / "building-c.x", world.at), leave(folder / "ab.cd", world.at - 9 * DAY)]
    actions.sweep(world.at)
    assert [each.exists() for each in (*halves, *others)] == [False, False, True, True]


def test_wrong_codes_are_forgotten_after_a_day(world):
    for age in (DAY, DAY / 2):
        WrongCode.objects.create(address=bytes(32), at=world.at - age)
    actions.sweep(world.at)
    assert [each.at for each in WrongCode.objects.all()] == [world.at - DAY / 2]
