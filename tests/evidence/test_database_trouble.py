"""A database that is locked or gone is said to be so, and asked again; what is wrong in our own words crashes."""

from __future__ import annotations

import sqlite3
from contextlib import contextmanager

import psycopg
import pytest
from django.db import DatabaseError, connection
from world.pages import PageWorld

from chopmark.base.digests import digests_of
from chopmark.base.errors import Unavailable
from chopmark.evidence import actions, queries, wiring
from chopmark.evidence.actions import NewDeposit
from chopmark.evidence.models import Deposit


@pytest.fixture
def world(db, settings, tmp_path):
    settings.CHOPMARK_HOME = tmp_path / "home"
    return PageWorld.made(settings.CHOPMARK_HOME)


@pytest.fixture
def mei(world):
    return world.person("Mei Lan")


@pytest.fixture
def trouble(tmp_path):
    """What the driver raises when the database is locked (SQLite, really) or shut down (PostgreSQL)."""
    if connection.vendor != "sqlite":
        return psycopg.errors.AdminShutdown("terminating connection due to administrator command")
    first, second = (sqlite3.connect(tmp_path / "other.db", isolation_level=None, timeout=0) for _ in range(2))
    first.execute("BEGIN IMMEDIATE")
    with pytest.raises(sqlite3.OperationalError) as locked:
        second.execute("BEGIN IMMEDIATE")
    first.close()
    second.close()
    return locked.value


@contextmanager
def failing(trouble, word):
    """Every statement with this word fails so."""

    def wrapped(execute, sql, params, many, context):
        if word in sql:
            with connection.wrap_database_errors:
                raise trouble
        return execute(sql, params, many, context)

    with connection.execute_wrapper(wrapped):
        yield


def new(**more):
    return NewDeposit(kind="work", digests=digests_of([b"a lantern"]), **more)


@pytest.mark.parametrize("table", ["evidence_deposit", "ledger_pending"])
def test_a_deposit_that_the_database_does_not_take_is_refused_whole_and_can_be_made_again(world, mei, trouble, table):
    with failing(trouble, f"INSERT INTO {table}"), pytest.raises(Unavailable, match="database_unavailable"):
        actions.deposit([new()], by=mei.actor, at=world.now())
    assert Deposit.objects.count() == wiring.book().pending_count() == 0
    [made] = actions.deposit([new()], by=mei.actor, at=world.now())
    assert made.created


@pytest.mark.django_db(transaction=True)
def test_the_writer_is_told_to_wait_and_goes_on(world, mei, trouble):
    [made] = actions.deposit([new()], by=mei.actor, at=world.now())
    for word in ("SELECT count(*)", "UPDATE ledger_head", "INSERT INTO ledger_checkpoint", "UPDATE evidence_deposit"):
        with failing(trouble, word), pytest.raises(Unavailable, match="database_unavailable"):
            _look_and_write(world)
    world.publish()
    assert queries.deposit_of(mei.actor, made.id).position == 2


def _look_and_write(world):
    wiring.book().pending_count()
    world.publish()


@pytest.mark.parametrize("path", ["/api/v1/deposits", "/deposits/"])
def test_a_reader_hears_that_the_database_does_not_answer(world, mei, trouble, path):
    mei.client.raise_request_exception = False
    with failing(trouble, 'FROM "evidence_deposit"'):
        answer = mei.client.get(path)
    assert (answer.status_code, answer["Retry-After"]) == (503, "5")


def test_a_mistake_of_ours_is_no_trouble_of_the_database(world):
    with connection.cursor() as cursor, pytest.raises(DatabaseError, match="no_such_table"), wiring.answering():
        cursor.execute("SELECT * FROM no_such_table")
