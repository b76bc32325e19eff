"""Uploads against sweeps, cancels and deposits at the worst moment: a kept file is never lost."""

from __future__ import annotations

import hashlib
import os
from contextlib import contextmanager
from datetime import timedelta

import pytest
from django.db import connection
from world.pages import PageWorld

from chopmark.base.errors import PlatformError
from chopmark.evidence import actions, queries, wiring
from chopmark.evidence.actions import NewDeposit
from chopmark.evidence.actions.upload import remove
from chopmark.evidence.models import Upload

DATA = b"a lantern over the water" * 100
SHA256 = hashlib.sha256(DATA).digest()


@pytest.fixture
def world(db, settings, tmp_path):
    settings.CHOPMARK_HOME = tmp_path / "home"
    return PageWorld.made(settings.CHOPMARK_HOME)


@pytest.fixture
def mei(world):
    return world.person("Mei Lan")


def start(world, person):
    return actions.start_upload(length=len(DATA), by=person.actor, at=world.now()).id


def append(world, person, upload, offset, chunks):
    return actions.append_upload(upload, offset=offset, chunks=chunks, by=person.actor, at=world.now())


def keep(world, person, upload):
    [made] = actions.deposit([NewDeposit(kind="work", upload=upload)], by=person.actor, at=world.now())
    return made


def stored(world):
    return sorted(each.name for each in (world.home / "blobs").rglob("*") if each.is_file() and each.name != ".lock")


@contextmanager
def after_the_first(query, do):
    """Something else happens right after the first query of this kind."""
    happened = []

    def wrapped(execute, sql, params, many, context):
        answer = execute(sql, params, many, context)
        if query(sql) and not happened:
            happened.append(sql)
            do()
        return answer

    with connection.execute_wrapper(wrapped):
        yield happened


def test_a_file_deposited_while_its_twin_is_cleared_away_stays(world, mei):
    left, used = start(world, mei), start(world, mei)
    for upload in (left, used):
        append(world, mei, upload, 0, [DATA])
    made = []
    with after_the_first(
        lambda sql: 'AS "a"' in sql and '"sha256" = ' in sql, lambda: made.append(keep(world, mei, used))
    ) as happened:
        actions.discard_upload(left, by=mei.actor)
    assert happened
    assert made[0].kept
    assert b"".join(queries.file_of(mei.actor, made[0].id).chunks) == DATA


@pytest.mark.parametrize("cut", [1000, len(DATA)], ids=["in the middle", "at the end"])
def test_an_upload_cancelled_while_bytes_arrive_leaves_nothing(world, mei, cut):
    upload = start(world, mei)

    def arriving():
        yield DATA[:cut]
        actions.discard_upload(upload, by=mei.actor)
        yield DATA[cut:]

    with pytest.raises(PlatformError, match="upload_not_found"):
        append(world, mei, upload, 0, arriving())
    assert stored(world) == list(wiring.uploads().iterdir()) == []


def test_an_upload_that_became_complete_before_it_is_removed_leaves_no_file(world, mei):
    upload = start(world, mei)
    seen = Upload.objects.get(pk=upload)
    append(world, mei, upload, 0, [DATA])
    remove(seen)
    assert stored(world) == list(wiring.uploads().iterdir()) == []
    assert Upload.objects.count() == 0


def test_an_upload_that_goes_on_just_before_the_sweep_takes_it_stays(world, mei):
    upload = start(world, mei)
    world.at += timedelta(hours=25)
    late = world.now()
    with after_the_first(lambda sql: "expires_at" in sql, lambda: append(world, mei, upload, 0, [DATA[:10]])):
        assert actions.sweep(late) == 0
    assert queries.upload_of(mei.actor, upload).offset == 10
    append(world, mei, upload, 10, [DATA[10:]])
    assert stored(world) == [SHA256.hex()]


def test_two_sweeps_at_once_do_not_stumble_over_each_other(world, mei, monkeypatch):
    start(world, mei)
    stray = wiring.uploads() / "stray"
    stray.write_bytes(b"?")
    old = world.now().timestamp() - 100 * 3600
    os.utime(stray, (old, old))
    listed = list(wiring.uploads().iterdir())
    stray.unlink()
    monkeypatch.setattr(type(stray), "iterdir", lambda _: iter(listed))
    assert actions.sweep(world.now()) == 0


def test_bytes_that_the_disk_did_not_confirm_are_not_counted_on_a_second_try(world, mei, monkeypatch):
    upload = start(world, mei)
    honest, failed = os.fsync, []

    def failing_once(descriptor):
        if not failed:
            failed.append(descriptor)
            raise OSError(5, "Input/output error")
        honest(descriptor)

    monkeypatch.setattr("chopmark.evidence.actions.upload.DURABLE_EVERY", 1000)
    monkeypatch.setattr("chopmark.evidence.actions.upload.os.fsync", failing_once)
    with pytest.raises(PlatformError, match="upload_lost"):
        append(world, mei, upload, 0, [DATA[:1500], DATA[1500:]])
    assert Upload.objects.count() == 0
    assert list(wiring.uploads().iterdir()) == []
