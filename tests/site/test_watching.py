"""Who watches: one process of a home, and beside it any that help, where the database lets them."""

from __future__ import annotations

import pytest

from chopmark.base.errors import Refused
from chopmark.site.watching import HELPERS, LEAST, LONG, MOST, SMALL, Feed, alone, beside
from chopmark.watch.actions import bulk, feed
from chopmark.watch.actions.feed import Fed


def test_a_home_has_one_watcher(tmp_path):
    with alone(tmp_path), pytest.raises(Refused, match=r"site\.watcher_running"), alone(tmp_path):
        pass
    with alone(tmp_path):
        pass


def test_helpers_have_a_slot_each_and_take_the_first_that_is_free(tmp_path, monkeypatch):
    monkeypatch.setattr(bulk, "is_shared", lambda: True)
    with alone(tmp_path), beside(tmp_path) as one:
        with beside(tmp_path) as two, beside(tmp_path) as three:
            assert (one, two, three) == (1, 2, 3)
        with beside(tmp_path) as again:
            assert again == 2


def test_where_the_database_has_one_writer_nobody_helps(tmp_path, monkeypatch):
    monkeypatch.setattr(bulk, "is_shared", lambda: False)
    with pytest.raises(Refused, match=r"site\.watcher_alone") as refused, beside(tmp_path):
        pass
    assert refused.value.facts == {"limit": HELPERS}


def test_batches_grow_while_they_are_quick_and_shrink_when_they_are_not(tmp_path, monkeypatch):
    monkeypatch.setenv("CHOPMARK_HOME", str(tmp_path))
    now, asked = [0.0], []

    def work(limit, *, took, judged, **_more):
        asked.append(limit)
        now[0] += took
        return Fed(judged=limit if judged else 1, more=True)

    monkeypatch.setattr("chopmark.site.watching.time.monotonic", lambda: now[0])
    watch = Feed()
    for took, judged in ((0.1, True), (0.1, True), (0.1, True), (0.1, True), (LONG * 2, True), (0.1, False)):
        monkeypatch.setattr(
            feed, "work_feed", lambda limit, took=took, judged=judged, **_m: work(limit, took=took, judged=judged)
        )
        watch.judge()
    assert asked == [SMALL, 2 * SMALL, 4 * SMALL, MOST, MOST, MOST // 2]
    for _ in range(10):
        monkeypatch.setattr(feed, "work_feed", lambda limit, **_m: work(limit, took=LONG * 9, judged=True))
        watch.judge()
    assert asked[-1] == LEAST
    watch.close()
