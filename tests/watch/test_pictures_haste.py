"""A listing's words wait for no host: what is not there in time is looked at later."""

from __future__ import annotations

import hashlib
import math
import socket
from contextlib import contextmanager
from datetime import UTC, datetime

import pytest
from watch.test_pictures import protected
from world import media

from chopmark.base.errors import Unavailable
from chopmark.media.workshop import Workshop
from chopmark.watch.fetch import Fetcher, Pace
from chopmark.watch.listing import Picture
from chopmark.watch.looking import Looker
from chopmark.watch.pictures import PictureMatcher

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
FILES = [media.jpeg(media.picture(number)) for number in (1, 2, 3)]


@contextmanager
def silent_host():
    """Takes connections and says nothing; how to get at it, and how many it has taken."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen(16)
        server.settimeout(0)
        taken = []

        def calls():
            while True:
                try:
                    taken.append(server.accept()[0])
                except BlockingIOError:
                    return len(taken)

        try:
            yield server.getsockname()[1], calls
        finally:
            for each in taken:
                each.close()


def test_a_silent_host_is_left_alone_for_a_while():
    now = [0.0]
    with silent_host() as (port, calls):
        pace = Pace(seconds=0.2, gap=0.0, silent=2, rest=60.0)
        made = Fetcher(allow={f"127.0.0.1:{port}"}, pace=pace, clock=lambda: now[0])
        url = f"http://127.0.0.1:{port}/1.jpg"
        for asked in (1, 2, 2):
            with pytest.raises(Unavailable) as caught:
                made.fetch(url)
            assert caught.value.code == "watch.picture_silent"
            assert calls() == asked
        now[0] = 61.0
        with pytest.raises(Unavailable):
            made.fetch(url)
        assert calls() == 3
        made.close()


class Slow:
    """A source that takes a second for each picture, by its clock; some it cannot give at all."""

    def __init__(self, missing: int = -1) -> None:
        self.files = {hashlib.sha256(each).digest(): each for each in FILES}
        self.missing, self.now = missing, 0.0

    def __call__(self, picture):
        self.now += 1.0
        if list(self.files).index(picture.sha256) == self.missing:
            raise Unavailable("watch.picture_silent", host="slow.test")
        return self.files[picture.sha256]


@pytest.mark.parametrize(
    ("haste", "missing", "glanced"),
    [
        pytest.param(0.5, -1, {1, 2}, id="what comes after the time is not fetched"),
        pytest.param(1.5, -1, {2}, id="what was begun in time is"),
        pytest.param(9.0, 1, {1}, id="what a host did not give in haste is asked for again"),
        pytest.param(math.inf, 1, set(), id="and not again where there was no haste"),
    ],
)
def test_what_was_not_had_in_haste_gets_a_second_look(haste, missing, glanced):
    source = Slow(missing)
    workshop = Workshop(1)
    matcher = PictureMatcher(protected())
    looker = Looker(
        matcher, workshop=workshop, source=source, patience=math.inf, haste=haste, batch=1, clock=lambda: source.now
    )
    looked = looker.looked([(Picture(sha256=each),) for each in source.files], NOW)
    workshop.close()
    assert looked.glanced == glanced
    assert bool(looked.seen[0])  # of the protected work
