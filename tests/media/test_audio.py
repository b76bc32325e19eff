"""Sound: altered excerpts are found with their place, other music is not, and hostile files are refused."""

from __future__ import annotations

import io
import shutil
import subprocess
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from media.sounds import RATE, faster, noisy, part, song, telephone, written
from world.data import shared_data

from chopmark.base.errors import Invalid
from chopmark.media import audio, chromaprint, landmarks
from chopmark.media.audio import SoundIndex, SoundPrint
from chopmark.media.landmarks import Peaks

START = 17.0


@cache
def work(seed: int) -> SoundPrint:
    return audio.fingerprint(song(seed))


@cache
def references() -> SoundIndex:
    return SoundIndex([(seed, work(seed)) for seed in range(4)])


ALTERED = {
    "unchanged": (lambda: part(song(1), START, 10), 1.0),
    "with noise as loud as itself": (lambda: noisy(part(song(1), START, 10)), 1.0),
    "through a telephone": (lambda: telephone(part(song(1), START, 10)), 1.0),
    "a tenth as loud": (lambda: part(song(1), START, 10) // 10, 1.0),
    "4 % too fast": (lambda: faster(part(song(1), START, 10.4), 1.04), 1.04),
    "4 % too slow": (lambda: faster(part(song(1), START, 9.6), 0.96), 0.96),
    "3 % too fast and noisy": (lambda: noisy(faster(part(song(1), START, 10.3), 1.03)), 1.03),
    "played 10 % faster at its pitch": (lambda: part(song(1, tempo=1.1), START / 1.1, 10), 1.1),
    "played 3 % slower at its pitch": (lambda: part(song(1, tempo=0.97), START / 0.97, 10), 0.97),
}


@pytest.mark.parametrize("name", ALTERED)
def test_an_altered_excerpt_finds_its_work_and_the_place_in_it(name):
    make, speed = ALTERED[name]
    hits = references().search(audio.fingerprint(make(), query=True))
    assert [number for number, _ in hits] == [1]
    segment = hits[0][1]
    assert segment.query.length > 5
    assert segment.reference.start - segment.query.start * speed == pytest.approx(START, abs=0.5)
    assert segment.reference.end - segment.query.end * speed == pytest.approx(START, abs=0.7)
    assert 0 < segment.score <= 1


@pytest.mark.parametrize(
    "sound",
    {
        "another piece": lambda: part(song(99), 5, 12),
        "another piece, noisy": lambda: noisy(part(song(98), 5, 12)),
        "noise": lambda: np.random.default_rng(5).normal(0, 5000, 12 * RATE).astype(np.int16),
        "a tone": lambda: (9000 * np.sin(np.arange(12 * RATE) * 0.3)).astype(np.int16),
        "silence": lambda: np.zeros(12 * RATE, np.int16),
        "nothing": lambda: np.zeros(0, np.int16),
    }.items(),
    ids=lambda item: item[0],
)
def test_what_is_no_copy_finds_nothing(sound):
    assert references().search(audio.fingerprint(sound[1](), query=True)) == ()


def test_silence_is_not_distinctive():
    assert not audio.fingerprint(np.zeros(20 * RATE, np.int16)).distinctive
    assert work(1).distinctive


def test_a_long_recording_says_where_the_work_is_played():
    recording = np.concatenate([song(52, 75.0), song(3), song(53, 20.0)])  # it lies in two windows
    [(number, segment)] = references().search(audio.fingerprint(recording, query=True))
    assert number == 3
    assert segment.query.start == pytest.approx(75, abs=1)
    assert segment.query.end == pytest.approx(115, abs=1)
    assert segment.reference.start == pytest.approx(0, abs=1)
    assert segment.reference.end == pytest.approx(40, abs=1)


def test_a_query_of_hours_is_looked_up_at_other_speeds_here_and_there_alone(monkeypatch):
    asked = []

    def looked_up(_index, _query, since, _until, *, swept):
        asked.append((since, swept))
        return []

    monkeypatch.setattr(SoundIndex, "_by_landmarks", looked_up)
    nothing = np.zeros(0, np.uint32)
    for minutes, every in ((20, 1), (180, 6)):
        asked.clear()
        long = audio.fingerprint(np.zeros(0, np.int16))
        references().search(replace(long, milliseconds=minutes * 60_000, codes=nothing))
        assert len(asked) > minutes
        assert [since for since, swept in asked if swept] == [since for since, _ in asked][::every]
        assert sum(swept for _, swept in asked) <= audio._MOST_SWEPT


def test_codes_alone_find_a_noisy_excerpt_at_another_speed():
    query = audio.fingerprint(noisy(faster(part(song(1), START, 12), 1.02), 0.3), query=True)
    bare = SoundPrint(
        milliseconds=query.milliseconds, codes=query.codes, peaks=query.peaks.between(0, 0), sweep=query.sweep
    )
    [(number, segment)] = references().search(bare)
    assert (number, segment.why["method"], segment.why["speed"]) == (1, "chromaprint", 1.02)
    assert segment.reference.start - segment.query.start * 1.02 == pytest.approx(START, abs=0.6)


def test_the_index_follows_its_rows():
    index = SoundIndex()
    query = audio.fingerprint(part(song(0), 5, 10), query=True)
    assert index.search(query) == ()
    for seed in range(3):
        index.add(seed, work(seed))
        assert [number for number, _ in index.search(query)] == [0]
    index.remove(0)
    assert index.search(query) == ()
    index.add(1, work(0))
    assert [number for number, _ in index.search(query)] == [1]
    index.remove(77)
    assert len(index) == 2


def test_two_sounds_are_compared_as_the_index_compares_them():
    query = audio.fingerprint(part(song(2), 8, 9), query=True)
    assert audio.match(query, work(2)) == tuple(segment for _, segment in references().search(query))
    assert audio.match(query, work(1)) == ()


# --- codes and landmarks


def naive_codes(pcm) -> list[int]:
    """Chromaprint by its description, one value after another."""
    image = naive_image(pcm)
    found = []
    for at in range(len(image) - 15):
        code = 0
        for kind, note, height, width, *borders in chromaprint._STEPS:
            box = np.array(image[at : at + width])[:, note : note + height]
            sign = SIGNS[kind](width, height)
            value = np.log((1 + box[sign > 0].sum()) / (1 + box[sign < 0].sum()))
            code = code << 2 | (0, 1, 3, 2)[sum(value >= border for border in borders)]
        found.append(code)
    return found


def naive_image(pcm) -> list[np.ndarray]:
    notes = []
    for start in range(0, len(pcm) - 4096 + 1, 1365):
        energy = np.abs(np.fft.fft(pcm[start : start + 4096] / 32767 * np.hamming(4096))) ** 2
        bins = [0.0] * 12
        for line in range(round(28 * 4096 / RATE), round(3520 * 4096 / RATE)):
            octave = np.log2(line * RATE / 4096 / 27.5)
            bins[int(12 * (octave - np.floor(octave)))] += energy[line]
        notes.append(bins)
    image = []
    for at in range(len(notes) - 4):
        row = sum(np.array(notes[at + n]) * w for n, w in enumerate((0.25, 0.75, 1, 0.75, 0.25)))
        image.append(row / np.linalg.norm(row) if np.linalg.norm(row) >= 0.01 else row * 0)
    return image


def _signs(width, height, across, down):
    """+1 where both conditions say the same, -1 elsewhere."""
    return np.array([[1 if across(x, width) == down(y, height) else -1 for y in range(height)] for x in range(width)])


def _always(place, size):
    return True


def _later(place, size):
    return place >= size // 2


def _middle(place, size):
    return size // 3 <= place < 2 * (size // 3)


SIGNS = (
    lambda width, height: _signs(width, height, _always, _always),
    lambda width, height: _signs(width, height, _always, _later),
    lambda width, height: _signs(width, height, _later, _always),
    lambda width, height: -_signs(width, height, _later, _later),
    lambda width, height: _signs(width, height, _always, _middle),
    lambda width, height: _signs(width, height, _middle, _always),
)


def test_codes_are_those_of_the_plain_computation():
    sound = song(3, 6.0)
    assert chromaprint.codes(sound).tolist() == naive_codes(sound)


def test_codes_are_those_of_the_published_example():
    folder = shared_data("chromaprint") / "tests" / "data"
    said = (folder / "test.mp3.fpcalc.out").read_text().split("FINGERPRINT=")[1]
    want = np.array(said.split(","), np.int64).astype(np.uint32)
    with (folder / "test.mp3").open("rb") as file:
        found = chromaprint.codes(audio.decode(file).pcm)
    assert abs(len(found) - len(want)) <= 1
    count = min(len(found), len(want))
    # The example was resampled by another library: single bits at a border may differ.
    assert np.bitwise_count(found[:count] ^ want[:count]).sum() <= 0.01 * 32 * count


@pytest.mark.interop
def test_codes_are_those_of_fpcalc():
    if not shutil.which("fpcalc"):
        pytest.skip("fpcalc is not installed (Debian: libchromaprint-tools)")
    sound = song(7, 30.0)
    command = ["fpcalc", "-format", "s16le", "-rate", str(RATE), "-channels", "1", "-raw", "-length", "0", "-"]
    said = subprocess.run(command, input=sound.tobytes(), capture_output=True, check=False).stdout.decode()
    assert chromaprint.codes(sound).tolist() == [int(code) for code in said.split("FINGERPRINT=")[1].split(",")]


def test_codes_at_another_speed_are_those_of_the_original():
    sound = song(4, 20.0)
    found, want = chromaprint.codes(faster(sound, 1.05), speed=1.05), chromaprint.codes(sound)
    count = min(len(found), len(want))
    assert np.bitwise_count(found[:count] ^ want[:count]).mean() / 32 < 0.06


@given(
    st.lists(st.tuples(st.integers(0, 6000), st.integers(80, 4999)), max_size=60, unique=True).map(sorted),
    st.integers(1, 12),
)
@settings(max_examples=60, deadline=None)
def test_pairs_are_those_of_two_plain_loops(points, fan):
    found = Peaks(at=np.array([at for at, _ in points], np.int64), hz=np.array([hz for _, hz in points], np.int64))
    want = []
    for first, (at, hz) in enumerate(points):
        taken = 0
        for at2, hz2 in points[first + 1 : first + 49]:
            if taken < fan and 50 <= at2 - at < 1500 and abs(hz2 - hz) < 1000:
                taken += 1
                want.append((hz // 16 << 15 | (hz2 // 16 - hz // 16 + 128) << 7 | (at2 - at) // 24, at))
    keys, times = landmarks.pairs(found, fan=fan)
    assert sorted(zip(keys.tolist(), times.tolist(), strict=True)) == sorted(want)


def test_peaks_do_not_depend_on_where_minutes_are_cut():
    sound = song(5, 70.0)
    whole, tail = landmarks.peaks(sound), landmarks.peaks(sound[landmarks.HOP * 430 :])
    shift = landmarks.HOP * 430 * 1000 // RATE
    lies = landmarks.explained(tail.between(1000, 60_000), whole, shift)
    assert np.count_nonzero(lies >= 0) / len(lies) > 0.9


# --- as bytes


@given(
    st.integers(0, 2**32 - 1),
    st.lists(st.integers(0, 2**32 - 1), max_size=20),
    st.lists(st.tuples(st.integers(0, 2**32 - 1), st.integers(0, 65535)), max_size=20, unique=True).map(sorted),
    st.lists(st.tuples(st.integers(900, 1100), st.lists(st.integers(0, 2**32 - 1), max_size=4)), max_size=3),
    st.binary(min_size=1, max_size=3),
)
def test_a_print_is_parsed_as_it_was_encoded_and_nothing_else_is(milliseconds, codes, points, sweep, more):
    made = SoundPrint(
        milliseconds=milliseconds,
        codes=np.array(codes, np.uint32),
        peaks=Peaks(at=np.array([p[0] for p in points], np.int64), hz=np.array([p[1] for p in points], np.int64)),
        sweep=tuple((speed / 1000, np.array(each, np.uint32)) for speed, each in sweep),
    )
    data = made.encode()
    assert SoundPrint.parse(data).encode() == data
    for wrong in (data[:-1], data + more, b"x" + data[1:]):
        with pytest.raises(Invalid, match=r"media\.print_malformed"):
            SoundPrint.parse(wrong)


# --- files


@pytest.mark.parametrize(
    ("kind", "codec"), [("wav", "pcm_s16le"), ("mp4", "aac"), ("flac", "flac"), ("mp3", "libmp3lame")]
)
def test_a_file_is_found_in_every_form(kind, codec):
    sound = audio.decode(io.BytesIO(written(part(song(1), START, 10), kind, codec)))
    assert sound.complete
    assert sound.seconds == pytest.approx(10, abs=0.3)
    assert [number for number, _ in references().search(audio.fingerprint(sound.pcm, query=True))] == [1]


def test_what_comes_before_damage_is_kept_and_the_damage_is_told():
    whole = written(part(song(1), START, 12), "flac", "flac")
    broken = bytearray(whole[: int(len(whole) * 0.8)])
    broken[-400:] = b"\xff" * 400
    sound = audio.decode(io.BytesIO(bytes(broken)))
    assert 5 < sound.seconds < 12


@pytest.mark.parametrize(
    ("name", "data"),
    {
        "nothing": b"",
        "noise": np.random.default_rng(2).bytes(5000),
        "a play list": b"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\nfile:///etc/hostname\n#EXT-X-ENDLIST\n",
        "a list of files": b"ffconcat version 1.0\nfile /etc/hostname\n",
        "a head without a body": written(np.zeros(0, np.int16)),
    }.items(),
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_file_without_readable_sound_is_refused(name, data):
    with pytest.raises(Invalid, match=r"media\.(sound_unreadable|no_sound)"):
        audio.decode(io.BytesIO(data))


def test_a_recording_that_is_too_long_is_refused_by_what_is_decoded():
    data = written(np.zeros(20 * RATE, np.int16), "flac", "flac")
    # STREAMINFO's last 36 bits before the digest count the samples: one second is claimed.
    lying = data[:22] + RATE.to_bytes(4, "big") + data[26:]
    for file in (data, lying):
        with pytest.raises(Invalid, match=r"media\.sound_too_long"):
            audio.decode(io.BytesIO(file), longest=5)


def test_a_sample_rate_that_would_blow_up_is_refused():
    data = bytearray(written(np.zeros(RATE, np.int16)))
    data[24:28] = (1).to_bytes(4, "little")  # one sample a second: three hours of it
    with pytest.raises(Invalid, match=r"media\.sound_unreadable"):
        audio.decode(io.BytesIO(bytes(data)))
