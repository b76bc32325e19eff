"""The library: what one search may cost, and what it does when others take their time."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from world.patience import HANG

from chopmark.base.errors import Unavailable
from chopmark.media import features, match, video
from chopmark.media.features import Features, Pool
from chopmark.media.fingerprint import Code, Fingerprint, Print
from chopmark.media.index.codes import CodeIndex
from chopmark.media.match import Library, Owned

SEEN = 40  # rows of a film


class Films:
    """Rows of prints, and no codes."""

    def __init__(self, sizes: list[int]) -> None:
        self._films = [film(number, size) for number, size in enumerate(sizes)]

    def last(self) -> int:
        return len(self._films)

    def added(self, after: int, last: int, limit: int):
        some = enumerate(self._films[after : min(last, after + limit)], after)
        return [(place + 1, place, "video", (Print(name="film", data=each.encode()),)) for place, each in some]

    def gone(self, *_):
        return []


class Nothing:
    def last(self) -> int:
        return 0

    def added(self, *_):
        return []

    def gone(self, *_):
        return []


def film(seed: int, size: int) -> video.FilmPrint:
    rows = np.zeros(size, video._ROW)
    rows["at"] = np.arange(size) * 500
    rows["quality"] = 100
    rows["bits"] = np.random.default_rng(seed).integers(0, 256, (size, 32), np.uint8)
    return video.FilmPrint(milliseconds=size * 500, frames=size, regions=(video.WHOLE,), rows=rows)


def sharing(**frames: int):
    """Films that share so many frames, as the codes say."""
    code = Code(bits=bytes(32))
    return {
        int(name[1:]): tuple((0, code, Owned(file=int(name[1:]), kind="video", code=code)) for _ in range(count))
        for name, count in frames.items()
    }


@pytest.fixture
def compared(monkeypatch):
    """The films that are compared, by how many rows they have."""
    seen: list[int] = []
    monkeypatch.setattr(video, "match", lambda _query, reference: seen.append(len(reference.rows)) or ())
    return seen


def library(tmp_path, sizes: list[int]) -> tuple[Library, Fingerprint]:
    query = Fingerprint(
        kind="video",
        media_type="video/mp4",
        algorithm="film",
        prints=(Print(name="film", data=film(99, SEEN).encode()),),
    )
    made = Library(CodeIndex(tmp_path / "none", Nothing(), "test"), lambda _: {}, Films(sizes))
    made.find(query)
    return made, query


def test_films_that_share_frames_are_compared_before_the_others(tmp_path, compared):
    made, query = library(tmp_path, [10, 20, 30, 40, 50])
    compared.clear()
    list(made._films(query, sharing(_2=1, _4=3)))
    assert compared == [50, 30, 10, 20, 40]


def test_of_more_films_those_that_share_a_frame_alone(tmp_path, compared, monkeypatch):
    made, query = library(tmp_path, [10, 20, 30, 40, 50])
    monkeypatch.setattr(match, "FILMS", 4)
    compared.clear()
    list(made._films(query, sharing(_2=1, _4=3)))
    assert compared == [50, 30]


def test_one_search_compares_a_bounded_number_of_frames(tmp_path, compared, monkeypatch):
    made, query = library(tmp_path, [10, 2000, 30, 3000, 50])
    monkeypatch.setattr(match, "FRAMES_COMPARED", SEEN * 85)
    compared.clear()
    list(made._films(query, sharing(_2=1)))
    assert compared == [30, 10]  # 85 rows: the one of 50 fits no more
    compared.clear()
    list(made._films(query, sharing(_3=9, _0=1)))
    assert compared == [3000]  # what shares most is compared whatever it costs


def test_a_search_does_not_wait_for_ever_for_those_before_it(tmp_path, compared, monkeypatch):
    made, query = library(tmp_path, [10])
    monkeypatch.setattr(match, "PATIENCE", 0.01)
    inside, leave = threading.Event(), threading.Event()

    def slow(*_):
        inside.set()
        assert leave.wait(HANG)
        return ()

    monkeypatch.setattr(video, "match", slow)
    first = threading.Thread(target=made.find, args=(query,))
    first.start()
    try:
        assert inside.wait(HANG)
        with pytest.raises(Unavailable, match=r"media\.decoder_busy"):
            made.find(query)
    finally:
        leave.set()
        first.join()
    monkeypatch.setattr(video, "match", lambda *_: ())
    assert made.find(query) == ()


def test_many_pictures_that_come_one_by_one_are_copied_once(monkeypatch):
    pool, rng = Pool(), np.random.default_rng(1)

    def described(count: int = 20) -> Features:
        rows = np.zeros(count, features._ROW)
        rows["bits"] = rng.integers(0, 256, (count, 32), np.uint8)
        return Features(rows=rows, width=640, height=480)

    copied: list[int] = []
    joined = np.concatenate

    def seen(parts, *arguments, **options):
        made = joined(parts, *arguments, **options)
        copied.append(len(made))
        return made

    known = [described() for _ in range(200)]
    monkeypatch.setattr(features.np, "concatenate", seen)
    for number, each in enumerate(known):
        pool.add(number, each)
    assert (len(pool), copied) == (4000, [])
    assert pool.candidates(known[7]) == ((7, 20),)
    assert sum(copied) <= 3 * 4000
