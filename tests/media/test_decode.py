"""From a picture's bytes to its luma: one way for every format, and nothing but a worded refusal for bad ones."""

from __future__ import annotations

import io
import random
import struct
import zlib

import cv2
import numpy as np
import pytest
from media.drawn import jpeg, scene
from PIL import Image
from world.data import shared_data

from chopmark.base.errors import Invalid
from chopmark.media import decode
from chopmark.media.picture import pdq

PICTURE = scene(1)
RGB = Image.fromarray(np.ascontiguousarray(PICTURE[:, :, ::-1]))


def saved(picture: Image.Image, form: str, **how) -> bytes:
    out = io.BytesIO()
    picture.save(out, form, **how)
    return out.getvalue()


def bits_apart(one: bytes, other: bytes) -> int:
    return (int.from_bytes(one) ^ int.from_bytes(other)).bit_count()


FORMS = {
    "JPEG": saved(RGB, "JPEG", quality=92),
    "PNG": saved(RGB, "PNG"),
    "WEBP": saved(RGB, "WEBP", lossless=True),
    "GIF": saved(RGB, "GIF"),
    "BMP": saved(RGB, "BMP"),
    "TIFF": saved(RGB, "TIFF"),
    "AVIF": saved(RGB, "AVIF", quality=90),
}


@pytest.mark.parametrize("form", sorted(FORMS))
def test_one_picture_gives_nearly_the_same_luma_in_every_format(form):
    found, plain = decode.luma(FORMS[form]), decode.luma(FORMS["PNG"])
    assert (found.width, found.height, found.format, found.sound) == (800, 600, form, True)
    assert found.pixels.shape == (150, 200)
    assert np.abs(found.pixels.astype(int) - plain.pixels).mean() < (8 if form == "GIF" else 3)


@pytest.mark.parametrize("least", [1, 75, 96, 150, 300, 480, 600, 5000])
@pytest.mark.parametrize("form", ["JPEG", "PNG"])
def test_the_shorter_side_keeps_what_is_asked_for_where_the_file_has_it(form, least):
    rows, columns = decode.luma(FORMS[form], least=least).pixels.shape
    assert rows >= min(least, 600)
    assert 600 / rows == 800 / columns == decode.factor(800, 600, least)


def test_luma_of_pixels_is_luma_of_the_same_file():
    gray = cv2.cvtColor(PICTURE, cv2.COLOR_BGR2GRAY)
    ours, files = decode.of_pixels(gray), decode.luma(FORMS["PNG"])
    assert np.abs(ours.pixels.astype(int) - files.pixels).max() <= 1


def test_colours_follow_the_same_rules():
    for form in ("JPEG", "PNG", "GIF"):
        found = decode.colours(FORMS[form], least=150)
        assert found.shape == (150, 200, 3)
        assert np.abs(found.astype(int) - np.asarray(RGB.resize((200, 150), Image.Resampling.BOX))).mean() < 12


DOTS = Image.new("P", (120, 120), 3)
DOTS.putpalette(list(range(30)))
CLEAR = np.dstack([np.full((120, 120, 3), 10, np.uint8), np.zeros((120, 120), np.uint8)])


@pytest.mark.parametrize(
    ("what", "data", "expected"),
    [
        ("transparent places are white", saved(Image.fromarray(CLEAR, "RGBA"), "PNG"), 255),
        ("in gray pictures too", saved(Image.fromarray(CLEAR, "RGBA").convert("LA"), "PNG"), 255),
        ("one transparent colour of a palette", saved(DOTS, "PNG", transparency=3), 255),
        ("16 bits keep the upper 8", saved(Image.new("I;16", (120, 120), 0x7FFF), "PNG"), 0x7F),
        ("floating point is cut to what can be shown", saved(Image.new("F", (120, 120), 400.0), "TIFF"), 255),
        ("CMYK", saved(Image.new("CMYK", (120, 120), (0, 0, 0, 255)), "JPEG"), 0),
        ("gray JPEG", saved(Image.new("L", (120, 120), 77), "JPEG"), 77),
        ("black and white", saved(Image.new("1", (120, 120), 1), "PNG"), 255),
        ("Lab", saved(Image.new("LAB", (120, 120), (200, 128, 128)), "TIFF"), 200),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
@pytest.mark.filterwarnings("ignore:'mode' parameter is deprecated:DeprecationWarning")
def test_every_kind_of_sample_has_its_brightness(what, data, expected):
    found = decode.luma(data)
    assert found.pixels.shape == (120, 120)
    assert np.abs(found.pixels.astype(int) - expected).max() <= 2


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP"])
def test_the_cameras_orientation_is_applied(form, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    as_stored = {1: 0, 2: 0, 3: 2, 4: 2, 5: 1, 6: 1, 7: 3, 8: 3}[orientation]
    stored = np.rot90(np.asarray(RGB), as_stored)
    if orientation in {2, 4}:
        stored = stored[:, ::-1]
    if orientation in {5, 7}:
        stored = stored[::-1]
    data = saved(Image.fromarray(np.ascontiguousarray(stored)), form, exif=exif.tobytes())
    found = decode.luma(data)
    assert (found.width, found.height) == (800, 600)
    assert np.abs(found.pixels.astype(int) - decode.luma(FORMS["PNG"]).pixels).mean() < 4


def test_a_progressive_picture_needs_its_first_scan_alone_when_it_is_scaled_far_down():
    large = Image.fromarray(np.ascontiguousarray(cv2.resize(PICTURE, (1600, 1200))[:, :, ::-1]))
    slow = saved(large, "JPEG", quality=90, progressive=True)
    scan = decode._head(slow).scan
    short = decode._fewer_scans(slow, scan, first_only=True)
    assert short.count(b"\xff\xda") == 1
    assert slow.count(b"\xff\xda") > 5
    found, plain = decode.luma(slow), decode.luma(saved(large, "JPEG", quality=90))
    assert found.sound
    assert found.pixels.shape == (150, 200)
    assert np.abs(found.pixels.astype(int) - plain.pixels).mean() < 2


def test_a_picture_of_a_thousand_scans_is_cut_off():
    slow = saved(RGB, "JPEG", progressive=True)
    scan = decode._head(slow).scan
    last = slow.rindex(b"\xff\xda")
    bomb = slow[:-2] + slow[last:-2] * 1000 + b"\xff\xd9"
    assert decode._fewer_scans(bomb, scan, first_only=False).count(b"\xff\xda") == decode.MOST_SCANS
    assert decode.luma(bomb, least=600).pixels.shape == (600, 800)


def test_a_jpeg_cut_off_is_read_as_far_as_it_goes_and_marked():
    found = decode.luma(FORMS["JPEG"][: len(FORMS["JPEG"]) * 2 // 3])
    assert not found.sound
    assert found.pixels.shape == (150, 200)
    assert np.abs(found.pixels[:50].astype(int) - decode.luma(FORMS["JPEG"]).pixels[:50]).mean() < 2


def _png_of(width: int, height: int) -> bytes:
    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(b"\x00" * 9999)) + chunk(b"IEND", b"")


def _jpeg_of(width: int, height: int, frame: int) -> bytes:
    data = bytearray(saved(RGB, "JPEG", progressive=frame == 0xC2))
    at = data.index(bytes([0xFF, frame]))
    data[at + 5 : at + 9] = struct.pack(">HH", height, width)
    return bytes(data)


BAD = {
    "nothing": (b"", "media.picture_unknown"),
    "text": (b"This is no picture.", "media.picture_unknown"),
    "a drawing in XML": (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "media.picture_unknown"),
    "three bytes of JPEG": (b"\xff\xd8\xff", "media.picture_broken"),
    "a JPEG whose segments lead nowhere": (b"\xff\xd8\xff\xe0\x00\x00" + bytes(99), "media.picture_broken"),
    "a JPEG with a scan before its frame": (b"\xff\xd8\xff\xda\x00\x08" + bytes(99), "media.picture_broken"),
    "a PNG cut off": (FORMS["PNG"][:9000], "media.picture_broken"),
    "a WebP cut off": (FORMS["WEBP"][:9000], "media.picture_broken"),
    "a GIF of a head alone": (FORMS["GIF"][:10], "media.picture_broken"),
    "a PNG of 60,000 by 60,000": (_png_of(60_000, 60_000), "media.picture_too_large"),
    "a PNG of 12,000 by 12,000": (_png_of(12_000, 12_000), "media.picture_too_large"),
    "a JPEG of 60,000 by 60,000": (_jpeg_of(60_000, 60_000, 0xC0), "media.picture_too_large"),
    "a progressive JPEG of 20,000 by 20,000": (_jpeg_of(20_000, 20_000, 0xC2), "media.picture_too_large"),
    "a BMP of 30,000 by 30,000": (
        FORMS["BMP"][:18] + struct.pack("<ii", 30_000, 30_000) + FORMS["BMP"][26:],
        "media.picture_too_large",
    ),
}


@pytest.mark.parametrize("what", BAD)
def test_bad_files_are_refused_in_words(what):
    data, code = BAD[what]
    with pytest.raises(Invalid) as refused:
        decode.luma(data)
    assert refused.value.code == code


@pytest.mark.parametrize("form", sorted(FORMS))
@pytest.mark.filterwarnings("ignore::UserWarning")  # Pillow tells of odd metadata
def test_damaged_files_give_luma_or_a_refusal_and_nothing_else(form):
    chance = random.Random(form)  # noqa: S311 (damage, no secret)
    small = saved(RGB.resize((120, 90)), form)
    refusals = set()
    for _ in range(100):
        data = bytearray(small)
        for _ in range(chance.randint(1, 8)):
            data[chance.randrange(len(data))] = chance.randrange(256)
        if chance.random() < 0.2:
            del data[chance.randrange(len(data)) :]
        try:
            found = decode.luma(bytes(data), most_pixels=4_000_000)
        except Invalid as error:
            refusals.add(error.code)
        else:
            assert found.pixels.dtype == np.uint8
            assert found.pixels.ndim == 2
    assert refusals <= {"media.picture_unknown", "media.picture_broken", "media.picture_too_large"}


def test_pictures_of_every_mode_show_the_same_as_their_original():
    folder = shared_data("pdq-vpdq") / "pdq" / "data" / "misc-images" / "modes"
    original, _ = pdq(decode.luma((folder / "original.jpg").read_bytes()))
    apart = {
        path.name: bits_apart(original, pdq(decode.luma(path.read_bytes()))[0])
        for path in sorted(folder.iterdir())
        if path.suffix in {".jpg", ".png", ".webp"}
    }
    assert len(apart) == 13
    assert max(apart.values()) <= 10, apart


def test_jpeg_of_another_encoder_is_read():
    assert decode.luma(jpeg(PICTURE)).pixels.shape == (150, 200)
