from __future__ import annotations

from uuid import uuid4

import pytest
from world.pages import PageWorld

from chopmark.base.digests import digests_of
from chopmark.base.errors import Invalid, Refused
from chopmark.evidence import queries


@pytest.fixture
def world(db, settings, tmp_path):
    settings.CHOPMARK_HOME = tmp_path / "home"
    return PageWorld.made(settings.CHOPMARK_HOME)


@pytest.fixture
def mei(world):
    return world.person("Mei Lan")


@pytest.fixture
def three(world, mei):
    """Two published, the newest pending."""
    made = [
        world.deposit(mei, b"1", title="Lantern over water", author="Mei", file_name=""),
        world.deposit(mei, b"2", title="灯笼", kind="evidence", file_name=""),
    ]
    world.publish()
    return [*made, world.deposit(mei, b"3", file_name="Lantern_final.png")]


def numbers(page):
    return [each.number for each in page.items]


def test_the_list_is_newest_first_and_leads_on(mei, three):
    first = queries.deposits_of(mei.actor, limit=2)
    assert numbers(first) == [three[2].number, three[1].number]
    rest = queries.deposits_of(mei.actor, limit=2, after=first.next)
    assert (numbers(rest), rest.next) == ([three[0].number], "")
    assert dict(rest.counts) == {"pending": 1, "published": 2, "all": 3}


FILTERS = {
    "a word of the title, any case": ({"q": "lantern"}, [2, 0]),
    "Chinese": ({"q": "灯笼"}, [1]),
    "a short number": ({"q": "d-2026-000002"}, [1]),
    "a whole digest": ({"q": digests_of([b"1"]).sha256.hex()}, [0]),
    "a named digest": ({"q": f"sha-256:{digests_of([b'1']).sha256.hex()}"}, [0]),
    "what waits": ({"state": "pending"}, [2]),
    "what is published": ({"state": "published"}, [1, 0]),
    "one kind": ({"kind": "evidence"}, [1]),
    "a digest": ({"digest": digests_of([b"3"]).sha256}, [2]),
    "nothing that fits": ({"q": "%"}, []),
    "U+0000 is no character of a search": ({"q": "\x00灯笼"}, [1]),
}


@pytest.mark.parametrize(("filters", "found"), FILTERS.values(), ids=FILTERS)
def test_the_list_is_filtered_by(mei, three, filters, found):
    assert numbers(queries.deposits_of(mei.actor, **filters)) == [three[each].number for each in found]


@pytest.mark.parametrize("filters", [{"state": "lost"}, {"kind": "song"}, {"after": "D-1999-000001"}])
def test_an_unknown_filter_is_said_rather_than_ignored(mei, three, filters):
    with pytest.raises(Invalid, match="filter_unknown"):
        queries.deposits_of(mei.actor, **filters)


def test_another_organisations_deposit_does_not_exist(world, three):
    other = world.person("Jun Wu").actor
    assert queries.deposits_of(other).items == ()
    assert queries.latest(other) == ()
    assert queries.earlier_deposits(digests_of([b"1"]).sha256, other) == ()
    for ask in (queries.deposit_of, queries.receipt_for, queries.statement_for, queries.file_of, queries.is_shared):
        for deposit_id in (three[0].id, uuid4()):
            with pytest.raises(Refused, match="deposit_not_found"):
                ask(other, deposit_id)
    with pytest.raises(Refused, match="deposit_not_found"):
        queries.deposit_by_number(other, three[0].number)


def test_a_viewer_sees_and_a_key_without_the_scope_does_not(world, mei, three):
    viewer = world.person("Vi Ewer", role="viewer", of=mei).actor
    assert len(queries.deposits_of(viewer).items) == 3
    from dataclasses import replace  # noqa: PLC0415 (only here)

    with pytest.raises(Refused, match="scope_missing"):
        queries.deposits_of(replace(viewer, scopes=frozenset({"deposits:write"})))


def test_the_export_has_every_deposit_in_order(mei, three):
    rows = list(queries.export_rows(mei.actor))
    assert [row["number"] for row in rows] == [each.number for each in three]
    assert rows[0]["position"] == str(queries.deposit_of(mei.actor, three[0].id).position)
    assert (rows[2]["state"], rows[2]["position"]) == ("pending", "")
    assert len({frozenset(row) for row in rows}) == 1


def test_health_says_what_waits_and_since_when(world, mei):
    quiet = queries.health()
    assert (quiet.pending, quiet.oldest_pending, quiet.size) == (0, None, 2)
    waiting = world.deposit(mei, b"1")
    assert (queries.health().pending, queries.health().oldest_pending) == (1, waiting.made_at)
    world.publish()
    assert queries.health().size == 3


def test_a_receipt_stays_the_same_while_the_log_grows(world, mei, three):
    before = queries.receipt_for(mei.actor, three[0].id).tlog_proof()
    for each in range(5):
        world.deposit(mei, b"more %d" % each)
        world.publish()
    assert queries.receipt_for(mei.actor, three[0].id).tlog_proof() == before
