"""Film: altered excerpts are found with their place, other films are not, and hostile files are refused."""

from __future__ import annotations

import io
import struct
from functools import cache

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from media.films import captioned, cropped, excerpt, film, inlaid, letterboxed, written
from media.sounds import song
from media.sounds import written as sound_written
from world.data import shared_data

from chopmark.base.errors import Invalid
from chopmark.media import picture, video
from chopmark.media.picture import WHOLE, Region
from chopmark.media.video import FilmPrint, Frame

START = 6.0


@cache
def scenes(seed: int) -> list[np.ndarray]:
    return film(seed)


@cache
def work(seed: int) -> FilmPrint:
    return video.fingerprint(video.frames(io.BytesIO(written(scenes(seed)))))


def searched(data: bytes) -> FilmPrint:
    return video.fingerprint(video.frames(io.BytesIO(data), query=True), query=True)


ALTERED = {
    "unchanged": lambda part: part,
    "coded at a tenth": lambda part: part,
    "half as large": lambda part: [each[::2, ::2] for each in part],
    "mirrored": lambda part: [each[:, ::-1] for each in part],
    "on its side": lambda part: [np.rot90(each) for each in part],
    "letterboxed": letterboxed,
    "without 3 % of each side": lambda part: cropped(part, 0.03),
    "without 9 % of each side": lambda part: cropped(part, 0.09),
    "without a quarter of its width": lambda part: [each[:, 40:280] for each in part],
    "in the corner of another film": lambda part: inlaid(part, scenes(9)),
    "with a caption": captioned,
    "darker": lambda part: [(each * 0.6).astype(np.uint8) for each in part],
}


@pytest.mark.parametrize("name", ALTERED)
def test_an_altered_excerpt_finds_its_film_and_the_place_in_it(name):
    data = written(ALTERED[name](excerpt(scenes(1), START, 9)), quality=200_000 if "tenth" in name else 2_000_000)
    query = searched(data)
    segment, *_ = video.match(query, work(1))
    assert segment.query.length >= 4
    assert segment.reference.start - segment.query.start == pytest.approx(START, abs=1.1)
    assert segment.reference.end - segment.query.end == pytest.approx(START, abs=1.1)
    assert segment.why["mirrored"] == (name == "mirrored")
    assert video.match(query, work(2)) == ()


def test_other_films_are_not_found():
    for seed in (21, 22):
        query = searched(written(film(seed, 7)))
        assert [video.match(query, work(known)) for known in (1, 2)] == [(), ()]


def test_a_long_film_says_where_the_work_is_shown():
    query = searched(written(film(31, 12) + excerpt(scenes(1), 4, 8) + film(32, 6)))
    segment, *_ = video.match(query, work(1))
    assert segment.query.start == pytest.approx(12, abs=1.1)
    assert segment.query.end == pytest.approx(20, abs=1.1)
    assert segment.reference.start == pytest.approx(4, abs=1.1)


def test_a_film_that_runs_faster_is_found():
    quick = [each for number, each in enumerate(scenes(1)) if number % 5]
    segment, *_ = video.match(searched(written(quick)), work(1))
    assert segment.why["speed"] == 1.25
    assert segment.reference.length > 15


def test_a_work_shown_twice_is_found_twice():
    part = excerpt(scenes(1), 3, 5)
    query = searched(written(part + film(33, 6) + part))
    starts = sorted(segment.query.start for segment in video.match(query, work(1)))
    assert starts == [pytest.approx(0, abs=1.1), pytest.approx(11, abs=1.1)]


def test_key_frames_alone_are_a_net():
    found = list(video.frames(io.BytesIO(written(scenes(1))), query=True, keyframes_only=True))
    assert 1 <= len(found) <= 20
    net = video.fingerprint(found, query=True)
    assert video.hits(net, work(1), radius=picture.RADIUS).distance.size > 0


def test_the_beginning_of_a_query_is_looked_at_more_often():
    times = [each.at for each in video.frames(io.BytesIO(written(scenes(1))), query=True)]
    early = [at for at in times if at < video.BEGINNING]
    assert len(early) == 38
    assert {at % 500 for at in early} == {0, 125, 250, 375}
    assert [round(at / 1000) for at in times[38:]] == [15, 16, 17, 18, 19]


def test_frames_that_agree_for_less_than_three_seconds_are_not_enough():
    query = searched(written(film(34, 4) + excerpt(scenes(1), START, 1.5) + film(35, 4)))
    assert video.hits(query, work(1), radius=picture.RADIUS).distance.size > 0
    assert video.match(query, work(1)) == ()


def test_black_frames_have_no_codes():
    made = searched(written([np.zeros((180, 320), np.uint8)] * 24))
    assert (made.frames, made.distinctive) == (8, False)
    assert video.match(made, work(1)) == ()


def test_pairs_of_frames_are_those_of_a_plain_comparison():
    chance = np.random.default_rng(3)

    def some(count: int) -> FilmPrint:
        rows = np.zeros(count, video._ROW)
        rows["bits"] = chance.integers(0, 4, (count, 32)) * chance.integers(0, 2, (count, 1))
        return FilmPrint(milliseconds=0, frames=count, regions=(WHOLE,), rows=rows)

    one, two = some(70), some(50)
    want = []
    for left in range(70):
        for right in range(50):
            differ = sum(
                (int(a) ^ int(b)).bit_count()
                for a, b in zip(one.rows["bits"][left], two.rows["bits"][right], strict=True)
            )
            if differ <= 20:
                want.append((left, right, differ))
    found = video.hits(one, two, radius=20)
    assert list(zip(found.query.tolist(), found.reference.tolist(), found.distance.tolist(), strict=True)) == want


def test_a_still_that_lasts_is_compared_in_bounded_memory(monkeypatch):
    monkeypatch.setattr(video, "_MOST_HITS", 40)
    monkeypatch.setattr(video, "_LEAST_HITS", 3)
    rows = np.zeros(30, video._ROW)
    rows["bits"][:, 0] = [0, 1] * 15
    still = FilmPrint(milliseconds=0, frames=30, regions=(WHOLE,), rows=rows)
    found = video.hits(still, still)
    assert np.bincount(found.query).tolist() == [3] * 30
    assert found.distance.max() == 0


# --- regions


def _frames(pictures) -> list[Frame]:
    return [Frame(number * 1000, np.ascontiguousarray(each)) for number, each in enumerate(pictures)]


def test_bars_are_what_stays_plain_in_every_frame():
    inside = video.bars(_frames(letterboxed(scenes(1)[::8])))
    assert inside is not None
    assert (inside.top, inside.bottom) == (pytest.approx(45 / 270, abs=0.01), pytest.approx(225 / 270, abs=0.01))
    assert (inside.left, inside.right) == (0, 1)
    assert video.bars(_frames(scenes(1)[::8])) is None


def test_an_inlaid_picture_is_seen_by_its_lasting_edges():
    seen = video.inlaid(_frames(inlaid(scenes(1)[::8], scenes(9)[::8])))
    want = (20 / 320, 12 / 180, (20 + 144) / 320, (12 + 81) / 180)
    assert any(np.allclose(video._sides(region), want, atol=0.015) for region in seen)


def test_an_inlaid_picture_is_seen_between_edges_that_last_longer():
    small = [each[::2, ::2] for each in scenes(1)[::8]]
    over = []
    for number, each in enumerate(small):
        whole = np.kron(np.indices((9, 16)).sum(axis=0) % 2, np.ones((20, 20))).astype(np.uint8) * 200 + 20
        cv2.circle(whole, (40 + number * 11, 60 + number * 5), 25, 120, -1)
        whole[36:126, 130:290] = each
        over.append(whole)
    want = (130 / 320, 36 / 180, 290 / 320, 126 / 180)
    assert any(np.allclose(video._sides(region), want, atol=0.015) for region in video.inlaid(_frames(over)))


def test_what_moves_before_a_still_is_seen():
    still = [scenes(9)[0]] * 160
    seen = video.inlaid(_frames(inlaid(scenes(1)[::8], still)))
    want = (20 / 320, 12 / 180, (20 + 144) / 320, (12 + 81) / 180)
    assert any(np.allclose(video._sides(region), want, atol=0.02) for region in seen if region.name == "moving")


# --- as bytes


@given(
    st.lists(
        st.tuples(st.integers(0, 2**32 - 1), st.integers(0, 1), st.integers(0, 7), st.binary(min_size=32, max_size=32)),
        max_size=8,
    ),
    st.binary(min_size=1, max_size=50),
)
def test_a_print_is_parsed_as_it_was_encoded_and_nothing_else_is(entries, more):
    rows = np.zeros(len(entries), video._ROW)
    for place, (at, region, turn, bits) in enumerate(sorted(entries)):
        rows[place] = (at, region, turn, 80, np.frombuffer(bits, np.uint8))
    regions = (WHOLE, Region(name="centre-80", left=6554 / 65535, top=0.0, right=1.0, bottom=58982 / 65535))
    made = FilmPrint(milliseconds=9000, frames=len(rows), regions=regions, rows=rows)
    data = made.encode()
    again = FilmPrint.parse(data)
    assert (again.encode(), again.regions) == (data, regions)
    for wrong in (data + more[: len(more) % 40 or 1], b"x" + data[1:], data[:15]):
        with pytest.raises(Invalid, match=r"media\.print_malformed"):
            FilmPrint.parse(wrong)


# --- files


@pytest.mark.parametrize(("kind", "codec"), [("mp4", "libx264"), ("webm", "libvpx-vp9"), ("avi", "mpeg4")])
def test_a_film_is_found_in_every_form(kind, codec):
    query = searched(written(excerpt(scenes(1), START, 4), kind, codec))
    assert video.match(query, work(1))


def test_real_films_with_published_codes_have_nearly_those_codes():
    folder = shared_data("pdq-vpdq")
    said = {}
    for line in (folder / "vpdq" / "sample-hashes" / "chair-19-sd-bar.txt").read_text().split():
        number, quality, code, seconds = line.split(",")
        said[round(float(seconds) * 1000)] = (int(quality), bytes.fromhex(code), number)
    with (folder / "tmk" / "sample-videos" / "chair-19-sd-bar.mp4").open("rb") as file:
        made = video.fingerprint(video.frames(file))
    whole = made.rows[made.rows["region"] == made.regions.index(WHOLE)]
    distances = []
    for row in whole:
        quality, code, _ = said[min(said, key=lambda at, row=row: abs(at - int(row["at"])))]
        if quality >= 50:
            distances.append((int.from_bytes(code, "big") ^ int.from_bytes(row["bits"].tobytes(), "big")).bit_count())
    assert len(distances) > 30
    assert np.mean(distances) <= 12
    assert max(distances) <= picture.RADIUS


@pytest.mark.parametrize(
    ("name", "data"),
    {
        "nothing": b"",
        "noise": np.random.default_rng(2).bytes(5000),
        "a play list": b"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\nfile:///etc/hostname\n#EXT-X-ENDLIST\n",
        "a list of files": b"ffconcat version 1.0\nfile /etc/hostname\n",
        "sound alone": sound_written(song(1, 2.0)),
    }.items(),
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_file_without_readable_film_is_refused(name, data):
    with pytest.raises(Invalid, match=r"media\.(film_unreadable|no_film)"):
        list(video.frames(io.BytesIO(data)))


def test_a_film_cut_off_is_read_up_to_there():
    whole = written(scenes(1), "matroska")
    found = list(video.frames(io.BytesIO(whole[: len(whole) // 2])))
    assert 8 <= len(found) < 40


def test_a_film_that_is_too_long_is_refused_by_what_is_decoded():
    data = bytearray(written(scenes(1)))
    at = data.index(b"mvhd") + 4
    data[at + 16 : at + 20] = struct.pack(">I", 1)  # the length that the header claims
    with pytest.raises(Invalid, match=r"media\.film_too_long"):
        list(video.frames(io.BytesIO(bytes(data)), longest=8))


def test_frames_that_are_too_large_are_refused_before_they_are_decoded(monkeypatch):
    monkeypatch.setattr(video, "MOST_PIXELS", 300 * 180)
    with pytest.raises(Invalid, match=r"media\.film_too_large width=320 height=180 most=54000"):
        list(video.frames(io.BytesIO(written(scenes(1)[:4]))))
