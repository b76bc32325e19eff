"""Lists of rights, works, searches and watches ask the database as often for many rows as for few."""

from __future__ import annotations

import uuid

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test.utils import CaptureQueriesContext
from web.test_work_pages import deposited, photograph
from world.pages import PageWorld
from world.rights import filed, lantern, verified

from chopmark.rights.actions.watch import NewWatch, run_watches, save_watch
from chopmark.rights.models import Match, Search, Work, WorkFile


@pytest.fixture
def world(db, settings, tmp_path):
    settings.CHOPMARK_HOME = tmp_path / "home"
    return PageWorld.made(settings.CHOPMARK_HOME)


@pytest.fixture
def mei(world):
    return world.person("Mei Lan")


def questions(person, path, says):
    """How often a page asks; it shows what it should."""
    person.client.get(path)
    with CaptureQueriesContext(connection) as asked:
        page = person.client.get(path)
    assert page.status_code == 200
    assert says in page.text
    return len(asked)


def again(row, **changes):
    """One more row like this one."""
    twin = type(row).objects.get(pk=row.pk)
    twin.pk = None
    for name, value in changes.items():
        setattr(twin, name, value)
    twin.save(force_insert=True)
    return twin


def test_a_long_list_of_rights_asks_no_more_than_a_short_one(world, mei):
    first = filed(world, mei)
    few = questions(mei, "/rights/", first.number)
    for number in "234":
        last = filed(world, mei, lantern(application_number=number, registration_number=number))
    assert questions(mei, "/rights/", last.number) == few


def test_long_lists_of_works_and_searches_and_many_matches_ask_no_more_than_short_ones(world, mei):
    deposited(mei)
    answer = mei.client.post("/copies/", {"file": SimpleUploadedFile("found.png", photograph(), "image/png")})
    paths = {"/works/": "W-2026-000001", "/copies/": "found.png", answer["Location"]: "match-1"}
    few = {path: questions(mei, path, says) for path, says in paths.items()}
    work, search, match = Work.objects.get(), Search.objects.get(), Match.objects.get()
    for number in (7, 8, 9):
        twin = again(work, id=uuid.uuid4(), number=f"W-2026-00000{number}")
        file = again(WorkFile.objects.get(work=work), work=twin)
        again(match, file=file)
        other = again(search, id=uuid.uuid4(), number=f"C-2026-00000{number}")
        again(match, search=other, file=file)
    says = {"/works/": "W-2026-000009", "/copies/": "C-2026-000009", answer["Location"]: "match-4"}
    assert {path: questions(mei, path, says[path]) for path in paths} == few


def test_many_watches_ask_no_more_than_one_and_show_the_newest_finds_of_each(world, mei):
    verified(world, mei)
    jo = world.person("Jo Smith")
    save_watch(NewWatch(text="RED LANTERN"), by=jo.actor, at=world.now())
    run_watches(world.now())
    few = questions(jo, "/rights/search", "1 new")
    for text in ("RED LANTERNS", "RED LANTERM", "REDLANTERN"):
        save_watch(NewWatch(text=text), by=jo.actor, at=world.now())
    run_watches(world.now())
    assert questions(jo, "/rights/search", "REDLANTERN") == few
    assert jo.client.get("/rights/search").text.count("watch-finds") == 4
