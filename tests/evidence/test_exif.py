from __future__ import annotations

import io
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from PIL.ExifTags import GPS, IFD, Base
from PIL.TiffImagePlugin import IFDRational

from chopmark.evidence.exif import photo_facts


def photograph(form="JPEG"):
    exif = Image.Exif()
    exif[Base.Make], exif[Base.Model] = "Lantern", "L-1"
    exif.get_ifd(IFD.Exif)[Base.DateTimeOriginal] = "2026:11:20 10:11:12"
    exif.get_ifd(IFD.Exif)[Base.ExposureTime] = IFDRational(1, 250)
    exif.get_ifd(IFD.GPSInfo).update(
        {
            GPS.GPSLatitudeRef: "N",
            GPS.GPSLatitude: (30.0, 15.0, 36.0),
            GPS.GPSLongitudeRef: "E",
            GPS.GPSLongitude: (120.0, 9.0, 0.0),
        }
    )
    out = io.BytesIO()
    Image.new("RGB", (4, 4)).save(out, form, exif=exif)
    return out.getvalue()


@pytest.mark.parametrize("form", ["JPEG", "PNG"])
def test_a_photograph_tells_camera_time_and_place(form):
    said = photo_facts(photograph(form))
    assert (said["make"], said["model"], said["taken"]) == ("Lantern", "L-1", "2026:11:20 10:11:12")
    assert (said["lat"], said["lon"]) == ("30.260000", "120.150000")
    assert said["exposure_s"] == "1/250"


@pytest.mark.parametrize("data", [b"", b"\xff\xd8", b"%PDF-1.7", b"<svg onload=x>", b"\x89PNG\r\n\x1a\n"])
def test_what_is_no_photograph_tells_nothing(data):
    assert photo_facts(data) == {}


def test_a_directory_that_points_at_itself_ends():
    tiff = b"II*\0" + struct.pack("<I", 8) + struct.pack("<H", 1) + struct.pack("<HHII", 0x8769, 4, 1, 8)
    assert photo_facts(tiff) == {}


GOOD = photograph()


@settings(max_examples=200, deadline=None)
@given(st.integers(0, min(len(GOOD), 400) - 1), st.binary(min_size=1, max_size=8))
def test_a_damaged_photograph_is_read_without_an_error(place, data):
    said = photo_facts(GOOD[:place] + data + GOOD[place + len(data) :])
    assert all(isinstance(value, str) and value.isprintable() for value in said.values())


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=300))
def test_any_bytes_are_read_without_an_error(data):
    for head in (b"II*\0", b"MM\0*", b"\xff\xd8\xff\xe1\x01\x00Exif\0\0II*\0"):
        photo_facts(head + data)
