"""ISCC: the standard's vectors, and that every kind of work gets a code that others can read."""

from __future__ import annotations

import io
import json
from collections.abc import Callable

import iscc_lib
import numpy as np
import pytest
from media.sounds import song
from world.data import shared_data

from chopmark.media import audio, chromaprint, iscc, picture

UNITS: dict[str, Callable[..., str]] = {
    "gen_text_code_v0": lambda text, bits: iscc.text_code(text, bits=bits),
    "gen_audio_code_v0": lambda codes, bits: iscc.sound_code(
        np.array(codes, np.int64).astype(np.int32).view(np.uint32), bits=bits
    ),
    "gen_video_code_v0": lambda signatures, bits: iscc.video_code(signatures, bits=bits),
    "gen_image_code_v0": lambda pixels, bits: iscc.picture_code(np.array(pixels, np.uint8).reshape(32, 32), bits=bits),
    "gen_data_code_v0": lambda data, bits: iscc.file_codes(_stream(data), bits=bits)[0],
    "gen_instance_code_v0": lambda data, bits: iscc.file_codes(_stream(data), bits=bits)[1],
}


def _stream(said: str) -> io.BytesIO:
    return io.BytesIO(bytes.fromhex(said.removeprefix("stream:")))


@pytest.mark.parametrize("name", UNITS)
def test_units_are_those_of_the_standard(name):
    vectors = json.loads((shared_data("iscc-vectors") / "data.json").read_text())[name]
    assert vectors
    for case, vector in vectors.items():
        assert UNITS[name](*vector["inputs"]) == vector["outputs"]["iscc"], case


def test_composites_are_those_of_the_standard():
    vectors = json.loads((shared_data("iscc-vectors") / "data.json").read_text())["gen_iscc_code_v0"]
    done = 0
    for case, vector in vectors.items():
        units = vector["inputs"][0]
        if len(units) == 3 or (len(units) == 2 and units[0].startswith("G")):
            content, data, instance = units if len(units) == 3 else ("", *units)
            assert iscc.composite(content, data, instance) == vector["outputs"]["iscc"], case
            done += 1
    assert done


def test_the_library_passes_its_own_vectors():
    assert iscc_lib.conformance_selftest()


def kinds() -> dict[str, str]:
    chance = np.random.default_rng(4)
    pixels = chance.integers(0, 255, (90, 160), np.uint8)
    codes = chromaprint.codes(song(1, 12.0))
    return {
        "TEXT": iscc.text_code("A text that somebody wrote."),
        "IMAGE": iscc.picture_code(picture.of_pixels(pixels).pixels),
        "AUDIO": iscc.sound_code(codes),
        "MIXED": iscc.film_code([pixels, pixels[::-1].copy(), pixels[:, ::-1].copy()], codes),
    }


def test_every_kind_has_a_code_of_its_kind_that_reads_back():
    data, instance = iscc.file_codes(io.BytesIO(b"the bytes"))
    for kind, content in kinds().items():
        main, sub, version, bits, digest = iscc_lib.iscc_decode(content)
        names = {0: "TEXT", 1: "IMAGE", 2: "AUDIO", 3: "VIDEO", 4: "MIXED"}
        assert (int(main), names[int(sub)], int(version), len(digest) * 8) == (2, kind, 0, 256), bits
        whole = iscc.composite(content, data, instance)
        assert whole.startswith("ISCC:K")
        assert len(iscc_lib.iscc_decompose(whole)) == 3


def test_a_film_of_one_frame_has_the_code_of_a_picture():
    pixels = np.random.default_rng(5).integers(0, 255, (90, 160), np.uint8)
    assert iscc.film_code([pixels]) == iscc.picture_code(pixels)
    many = [np.roll(pixels, shift, axis=1) for shift in range(100)]
    assert iscc.film_code(many) == iscc.film_code(many)


def test_the_bytes_alone_have_a_code_too():
    assert iscc.composite("", *iscc.file_codes(io.BytesIO(b"x"))).startswith("ISCC:K")


def test_a_quieter_recording_has_nearly_the_same_code():
    sound = song(1, 20.0)
    digests = [iscc_lib.iscc_decode(iscc.sound_code(audio.fingerprint(each).codes))[4] for each in (sound, sound // 4)]
    assert sum((a ^ b).bit_count() for a, b in zip(*digests, strict=True)) < 20
