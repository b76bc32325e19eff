"""Screen recordings as Motion JPEG in AVI: what is put in comes out, and foreign readers find what they expect."""

from __future__ import annotations

import io
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chopmark.base.errors import Invalid
from chopmark.evidence.capture.recording import MAX_FRAMES, RATE, Recording, pictures


def record(path, frames, size=(640, 480)):
    made = Recording(path, *size)
    kept = [made.add(seconds, picture) for seconds, picture in frames]
    made.close()
    return kept


def naive_chunks(data):
    """A reader of RIFF by the book: name, size, content; lists are opened."""
    found = []
    position = 0
    while position < len(data):
        name, size = struct.unpack_from("<4sI", data, position)
        content = data[position + 8 : position + 8 + size]
        assert len(content) == size
        if name in {b"RIFF", b"LIST"}:
            found.append((name + b" " + content[:4], None))
            found += naive_chunks(content[4:])
        else:
            found.append((name, content))
        position += 8 + size + size % 2
    return found


def test_pictures_come_out_as_they_went_in_with_their_times(tmp_path):
    frames = [(0.0, b"\xff\xd8one"), (0.31, b"\xff\xd8two2"), (1.0, b"\xff\xd8three")]
    assert record(tmp_path / "a.avi", frames) == [True, True, True]
    with (tmp_path / "a.avi").open("rb") as file:
        assert list(pictures(file)) == [(0, b"\xff\xd8one"), (300, b"\xff\xd8two2"), (1000, b"\xff\xd8three")]


def test_the_file_is_a_riff_that_a_plain_reader_understands(tmp_path):
    record(tmp_path / "a.avi", [(0.0, b"abc"), (0.2, b"defg")], size=(1280, 900))
    chunks = naive_chunks((tmp_path / "a.avi").read_bytes())
    assert [name for name, _ in chunks] == [
        *(b"RIFF AVI ", b"LIST hdrl", b"avih", b"LIST strl", b"strh", b"strf", b"LIST movi"),
        *(b"00dc", b"00dc", b"00dc", b"idx1"),
    ]
    content = dict(chunks)
    main = struct.unpack("<14I", content[b"avih"])
    assert (main[0], main[4], main[8], main[9]) == (1_000_000 // RATE, 3, 1280, 900)
    assert content[b"strh"][:8] == b"vidsMJPG"
    index = [struct.unpack_from("<4sIII", content[b"idx1"], at) for at in range(0, 48, 16)]
    data = (tmp_path / "a.avi").read_bytes()
    movie = data.index(b"movi")
    for name, _, offset, size in index:
        assert data[movie + offset : movie + offset + 8] == name + struct.pack("<I", size)


def test_pictures_of_one_moment_take_the_next_slots(tmp_path):
    record(tmp_path / "a.avi", [(0.5, b"a"), (0.5, b"b"), (0.5, b"c")])
    with (tmp_path / "a.avi").open("rb") as file:
        assert [at for at, _ in pictures(file)] == [500, 600, 700]


def test_a_recording_has_an_end(tmp_path):
    assert record(tmp_path / "a.avi", [(0.0, b"a"), (MAX_FRAMES / RATE, b"b")]) == [True, False]


@given(st.lists(st.tuples(st.floats(0, 20), st.binary(min_size=1, max_size=50)), max_size=8))
def test_all_recordings_read_back(tmp_path_factory, frames):
    path = tmp_path_factory.mktemp("avi") / "a.avi"
    frames.sort(key=lambda each: each[0])
    record(path, frames)
    with path.open("rb") as file:
        assert [data for _, data in pictures(file)] == [data for _, data in frames]


def test_a_cut_or_foreign_recording_is_refused(tmp_path):
    record(tmp_path / "a.avi", [(0.0, b"abcdef")])
    data = (tmp_path / "a.avi").read_bytes()
    for wrong in (b"", data[:100], data[:-40], b"x" + data[1:], data[:224] + b"01wb" + data[228:]):
        with pytest.raises(Invalid, match=r"capture\.recording_malformed"):
            list(pictures(io.BytesIO(wrong)))
