"""Hostile files end in the process that decodes them: an answer here, never a crash, never a file or a socket there."""

from __future__ import annotations

import os
import resource
import signal
import struct
import subprocess
import sys
import threading
import time
import zlib
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from world import media
from world.patience import HANG

from chopmark.base import cbor
from chopmark.base.errors import Invalid, Unavailable
from chopmark.media import workshop as workshops
from chopmark.media.fingerprint import Code, Fingerprint, Print
from chopmark.media.guard import Limits, sniff, text_of
from chopmark.media.shown import Frame, Pixels
from chopmark.media.workshop import Workshop

PICTURE = media.jpeg(media.picture(1))


@pytest.fixture(scope="module")
def workshop():
    made = Workshop()
    yield made
    made.close()


def chunk(name: bytes, data: bytes) -> bytes:
    return len(data).to_bytes(4) + name + data + zlib.crc32(name + data).to_bytes(4)


def png_of(width: int, height: int, rows: bytes) -> bytes:
    head = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def huge_jpeg() -> bytes:
    """A picture whose head claims 60,000 by 60,000 pixels."""
    at = PICTURE.index(b"\xff\xc0")
    return PICTURE[: at + 5] + struct.pack(">HH", 60_000, 60_000) + PICTURE[at + 9 :]


def lying_wav(claimed: int) -> bytes:
    """Sound whose head claims another length than it has."""
    data = media.wav(media.tune(1, 10))
    return data[:40] + claimed.to_bytes(4, "little") + data[44:]


HOSTILE = {
    "nothing": (b"", "media.empty"),
    "60,000 by 60,000 pixels claimed by a JPEG": (huge_jpeg(), "media.picture_too_large"),
    "60,000 by 60,000 pixels in a PNG of a few bytes": (
        png_of(60_000, 60_000, zlib.compress(bytes(200_000))),
        "media.picture_too_large",
    ),
    "a bomb of zeros in a PNG within the limit of pixels": (
        png_of(8_000, 7_900, zlib.compress(bytes(1001 * 7_900), 9)),
        "media.not_distinctive",
    ),
    "a picture cut off in its head": (PICTURE[:200], "media.picture_broken"),
    "a picture of noise after its head": (PICTURE[:30] + bytes(range(256)) * 8, "media.picture_broken"),
    "a film cut off": (media.film(1, 2)[:2000], "media.film_unreadable"),
    "a program": (b"\x7fELF\x02\x01\x01" + bytes(200), "media.format_unknown"),
    "an archive": (b"PK\x03\x04" + bytes(200), "media.format_unknown"),
    "a line of 60,000 by 1 pixels": (png_of(60_000, 1, zlib.compress(bytes(60_001))), "media.not_distinctive"),
    "an SVG": (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "media.format_refused"),
    "an SVG after a declaration, a comment and an entity": (
        b"\xef\xbb\xbf<?xml version='1.0'?>\n<!-- > -->\n<!DOCTYPE svg [<!ENTITY a 'b'>]>\n<svg:svg></svg:svg>",
        "media.format_refused",
    ),
    "a photograph of a telephone as HEIC": (b"\x00\x00\x00\x18ftypheic" + bytes(200), "media.format_refused"),
    "a PDF": (b"%PDF-1.7\n1 0 obj\n<<>>\nendobj\n", "media.format_refused"),
    "silence": (media.wav(np.zeros(11025 * 5, np.int16)), "media.sound_not_distinctive"),
    "a sound of no samples": (media.wav(np.zeros(0, np.int16)), "media.sound_unreadable"),
    "a matroska head and nothing else": (b"\x1a\x45\xdf\xa3" + bytes(100), "media.film_unreadable"),
    "an ogg page and noise": (b"OggS" + np.random.default_rng(1).bytes(4000), "media.film_unreadable"),
}


@pytest.mark.parametrize("what", HOSTILE)
def test_a_hostile_file_is_refused_with_a_reason(workshop, what):
    data, code = HOSTILE[what]
    with pytest.raises(Invalid) as caught:
        workshop.fingerprint(data)
    assert caught.value.code.startswith("media.")
    assert caught.value.code == code


@pytest.mark.parametrize(
    "data",
    [
        b"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\nfile:///etc/passwd\n" + b"one two three four five six " * 9,
        b'<html><img src="file:///etc/passwd"/> seven eight nine ten eleven <svg></svg></html>' * 3,
    ],
    ids=["play list", "page"],
)
def test_what_names_other_files_is_plain_text(workshop, data):
    assert workshop.fingerprint(data).kind == "text"


def test_a_file_that_is_two_things_is_what_it_begins_with(workshop):
    both = PICTURE + b"PK\x03\x04" + media.wav(media.tune(1, 5)) + b"<script>"
    assert workshop.fingerprint(both).kind == "picture"
    sound = media.wav(media.tune(1, 10)) + PICTURE
    assert workshop.fingerprint(sound).kind == "audio"


@pytest.mark.parametrize("claimed", [0, 100, 2**31, 2**32 - 1])
def test_the_length_that_a_head_claims_counts_for_nothing(workshop, claimed):
    try:
        found = workshop.fingerprint(lying_wav(claimed))
    except Invalid as error:
        assert error.code.startswith("media.sound")  # noqa: PT017 (either is right)
    else:
        assert found.facts["milliseconds"] <= 10_100


def test_ten_hours_of_sound_are_refused_and_not_held_in_memory(workshop, tmp_path):
    path = tmp_path / "long.wav"
    length = 10 * 3600 * 8000
    head = media.wav(np.zeros(0, np.int16), rate=8000)
    with path.open("wb") as file:
        file.write(head[:40] + (2 * length).to_bytes(4, "little"))
        file.truncate(44 + 2 * length)
    with pytest.raises(Invalid) as caught:
        workshop.fingerprint(path, Limits())
    assert caught.value.code == "media.too_large"
    with pytest.raises(Invalid) as caught:
        workshop.fingerprint(path, replace(Limits(), size=10**9, duration=60))
    assert caught.value.code == "media.sound_too_long"


def test_what_takes_too_long_or_too_much_is_ended(workshop):
    noise = np.random.default_rng(1).integers(0, 255, (3000, 3000, 3)).astype(np.uint8)
    big = media.png(noise)
    started = time.monotonic()
    with pytest.raises(Invalid) as caught:
        workshop.fingerprint(big, replace(Limits(), wall=0.02))
    assert caught.value.code == "media.too_costly"
    assert time.monotonic() - started < HANG
    with pytest.raises(Invalid) as caught:
        workshop.fingerprint(big, replace(Limits(), memory=3_000_000))
    assert caught.value.code in ("media.too_costly", "media.decoder_died", "media.picture_broken")
    with pytest.raises(Invalid) as caught:
        workshop.fingerprint(big, replace(Limits(), answer=100))
    assert caught.value.code == "media.too_costly"
    assert workshop.fingerprint(PICTURE).kind == "picture"  # the next one is served as if nothing had been


@pytest.mark.crash
def test_a_decoder_that_is_killed_is_an_answer_and_not_a_crash():
    workshop = Workshop(1)
    try:
        workshop.fingerprint(PICTURE)
        process = workshop._idle[0]._process
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        assert workshop.fingerprint(PICTURE).kind == "picture"
        process = workshop._idle[0]._process
        big = media.png(np.random.default_rng(1).integers(0, 255, (3000, 3000, 3)).astype(np.uint8))
        killer = threading.Timer(0.05, os.killpg, (process.pid, signal.SIGKILL))
        killer.start()
        assert workshop.fingerprint(big).kind == "picture"  # a new one does it
        killer.join()
        assert workshop.fingerprint(PICTURE).kind == "picture"
    finally:
        workshop.close()


# ---- pictures as pages show them

FRAME = Frame(width=100, height=80)


def picture_of(size: tuple[int, int], form: str = "PNG", mode: str = "RGB", colour="red", **how) -> bytes:
    out = BytesIO()
    Image.new(mode, size, colour).save(out, form, **how)
    return out.getvalue()


UNSHOWN = {
    "nothing": (b"", "media.picture_unknown"),
    "60,000 by 60,000 pixels claimed by a JPEG": (huge_jpeg(), "media.picture_too_large"),
    "60,000 by 60,000 pixels in a PNG of a few bytes": (
        png_of(60_000, 60_000, zlib.compress(bytes(200_000))),
        "media.picture_too_large",
    ),
    "a PNG cut off": (picture_of((300, 300))[:-30], "media.picture_broken"),
    "a JPEG cut off": (PICTURE[: len(PICTURE) // 2], "media.picture_broken"),
    "an archive with a picture in it": (b"PK\x03\x04" + picture_of((30, 30)), "media.picture_unknown"),
    "an SVG": (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "media.picture_unknown"),
    "a GIF, which no page shows": (picture_of((30, 30), "GIF", "P", 1), "media.picture_unknown"),
}


@pytest.mark.parametrize("what", UNSHOWN)
def test_a_hostile_picture_is_not_shown(workshop, what):
    data, code = UNSHOWN[what]
    with pytest.raises(Invalid) as caught:
        workshop.shown(data, FRAME)
    assert caught.value.code == code


def test_a_picture_that_costs_too_much_is_not_shown_and_the_next_one_is(workshop):
    big = media.png(np.random.default_rng(1).integers(0, 255, (3000, 3000, 3)).astype(np.uint8))
    with pytest.raises(Invalid, match=r"media\.too_costly"):
        workshop.shown(big, FRAME, replace(Limits(), wall=0.02))
    with pytest.raises(Invalid, match=r"media\.too_large"):
        workshop.shown(big, FRAME, replace(Limits(), size=len(big) - 1))
    found = workshop.shown(picture_of((50, 40)), FRAME)
    assert (found.width, found.height, found.data[:3]) == (50, 40, b"\xff\x00\x00")


def test_what_is_two_files_is_shown_as_the_first_and_nothing_of_the_second_comes_out(workshop):
    found = workshop.shown(picture_of((50, 40)) + b"<script>PK\x03\x04", FRAME)
    assert set(found.data[0::3]) == {255}
    assert set(found.data[1::3]) | set(found.data[2::3]) == {0}


@pytest.mark.parametrize(
    ("data", "size", "first"),
    [
        (picture_of((400, 100)), (100, 25), (255, 0, 0)),
        (picture_of((100, 400), "WEBP", lossless=True), (20, 80), (255, 0, 0)),
        (picture_of((60_000, 1)), (100, 1), (255, 0, 0)),
        (picture_of((200, 200), mode="RGBA", colour=(255, 0, 0, 0)), (80, 80), (255, 255, 255)),
        (picture_of((200, 200), mode="P", colour=0, transparency=0), (80, 80), (255, 255, 255)),
        (picture_of((200, 200), mode="I;16", colour=0x8000), (80, 80), (128, 128, 128)),
        (picture_of((200, 200), "JPEG", "CMYK", (0, 0, 0, 255)), (80, 80), (0, 0, 0)),
        (picture_of((20, 10), mode="1", colour=1), (20, 10), (255, 255, 255)),
    ],
    ids=["wide", "high", "line", "clear", "palette", "deep", "print", "bits"],
)
def test_pictures_of_every_kind_are_made_to_fit_on_white(workshop, data, size, first):
    found = workshop.shown(data, FRAME)
    assert (found.width, found.height) == size
    assert np.abs(np.subtract(tuple(found.data[:3]), first)).max() <= 2


def test_a_turned_photograph_is_shown_upright_and_a_long_page_is_cut(workshop):
    exif = Image.Exif()
    exif[0x0112] = 6
    turned = workshop.shown(picture_of((200, 100), "JPEG", exif=exif), FRAME)
    assert (turned.width, turned.height) == (40, 80)
    page = Image.new("RGB", (200, 1000), "white")
    page.paste("black", (0, 200, 200, 1000))
    out = BytesIO()
    page.save(out, "PNG")
    found = workshop.shown(out.getvalue(), replace(FRAME, cut=True))
    assert (found.width, found.height) == (100, 80)
    assert set(found.data) == {255}  # the cut is where the page is still white


@pytest.mark.parametrize(
    "data", [b"", b"\x00\x00\x00\x00", b"\x00\x01\x00\x01\x00\x00", bytes([0, 101, 0, 1]) + bytes(303)]
)
def test_pixels_that_do_not_fit_are_not_believed(data):
    with pytest.raises(Invalid, match=r"media\.decoder_died"):
        Pixels.parse(data, FRAME)


def test_who_waits_for_a_process_may_be_impatient():
    busy = Workshop(1)
    busy._turns.acquire()
    with pytest.raises(Unavailable, match=r"media\.decoder_busy"):
        busy.shown(PICTURE, FRAME, patience=0.01)


PROBE = """
import ctypes, os, sys
from chopmark.media.guard import Limits, shut_in
import socket, subprocess
libc = ctypes.CDLL(None, use_errno=True)
file = open({path!r}, "rb")
shut_in(Limits())
print(len(file.read(10)))
def tried(name, call):
    try:
        call()
    except (OSError, ValueError) as error:
        print(name, type(error).__name__)
    else:
        print(name, "DONE")
tried("open", lambda: open("/etc/passwd"))
tried("socket", lambda: socket.socket())
tried("fork", os.fork)
tried("run", lambda: subprocess.Popen(["/bin/true"]))
tried("kill", lambda: os.kill(os.getppid(), 0))
tried("unlink", lambda: os.unlink({path!r}))
tried("mkdir", lambda: os.mkdir({path!r} + ".d"))
tried("exec", lambda: os.execv("/bin/true", ["true"]))
tried("dup", lambda: os.dup(0))
"""


@pytest.mark.crash
@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="the filter on system calls is Linux's")
def test_in_the_cage_nothing_can_be_opened_started_or_reached(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"0123456789")
    text = PROBE.format(path=str(path))
    done = workshops.subprocess.run(
        [workshops.sys.executable, "-c", text], capture_output=True, text=True, check=True, timeout=HANG
    )
    lines = done.stdout.split("\n")
    assert lines[0] == "10"
    assert [each for each in lines if "DONE" in each] == []
    assert len(lines) >= 10
    assert path.exists()


@given(st.binary(max_size=400))
def test_any_bytes_are_sniffed_or_refused(data):
    try:
        found = sniff(data)
    except Invalid as error:
        assert error.code in ("media.empty", "media.format_unknown", "media.format_refused")  # noqa: PT017 (either is right)
    else:
        assert found.kind in ("picture", "audio", "video", "text")


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (PICTURE, "picture"),
        (media.film(1, 1), "video"),
        (media.film(1, 1, form="matroska"), "video"),
        (media.wav(media.tune(1, 1)), "audio"),
        ("红灯笼 is a mark.".encode(), "text"),
        ("红灯笼 is a mark.".encode("gb18030"), "text"),
        ("红灯笼 is a mark.".encode("utf-16"), "text"),
        (b"ID3\x04\x00" + bytes(20), "audio"),
        (b"\xff\xfb\x90\x00" + bytes(20), "audio"),
        ((b"G" + bytes(187)) * 3, "video"),
    ],
)
def test_a_file_is_known_by_its_first_bytes(data, kind):
    assert sniff(data[:4096]).kind == kind


def test_texts_in_four_codings_are_read_alike():
    for coding in ("utf-8", "utf-8-sig", "utf-16", "gb18030"):
        assert text_of("红灯笼 lantern".encode(coding)) == "红灯笼 lantern"
    with pytest.raises(Invalid, match=r"media\.format_unknown"):
        text_of(b"a\x00b\x01")


CODES = st.builds(
    Code,
    bits=st.binary(min_size=32, max_size=32),
    quality=st.integers(0, 100),
    region=st.sampled_from(["whole", "trimmed", "centre-75"]),
    box=st.just((1, 2, 500_000, 1_000_000)),
    turn=st.integers(0, 7),
    at=st.integers(0, 10**9),
)
PRINTS = st.builds(
    Fingerprint,
    kind=st.sampled_from(["picture", "video"]),
    media_type=st.just("image/jpeg"),
    algorithm=st.just("pdq64-v1"),
    codes=st.lists(CODES, max_size=4).map(tuple),
    prints=st.lists(st.builds(Print, name=st.just("plain"), data=st.binary(max_size=20)), max_size=2).map(tuple),
    iscc=st.sampled_from(["", "ISCC:KEA3PT6SETMTBQ6CGBLI5YNHY43G7XDGSQRI3FP2MY"]),
    facts=st.dictionaries(st.sampled_from(["width", "height"]), st.integers(0, 10**6)),
)


@given(PRINTS)
def test_a_fingerprint_reads_back_as_it_was_written(found):
    assert Fingerprint.parse(found.encode()) == found


@given(PRINTS, st.data())
def test_what_does_not_print_back_is_no_fingerprint(found, data):
    encoded = bytearray(found.encode())
    at = data.draw(st.integers(0, len(encoded) - 1))
    encoded[at] ^= data.draw(st.integers(1, 255))
    try:
        again = Fingerprint.parse(bytes(encoded))
    except Invalid as error:
        assert error.code == "media.fingerprint_malformed"  # noqa: PT017 (either is right)
    else:
        assert again.encode() == bytes(encoded)


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"\xff",
        cbor.encode({"body": "text"}),
        cbor.encode({"body": b"x", "more": 1}),
        cbor.encode({"code": "ledger.owned", "facts": {}}),
        cbor.encode([1]),
    ],
)
def test_an_answer_that_nobody_agreed_on_is_not_believed(answer):
    with pytest.raises(Invalid, match=r"media\.decoder_died"):
        workshops._body({"end": "answered", "body": answer}, Limits())


def test_a_png_with_a_transparent_or_deep_picture_is_a_picture(workshop):
    rng = np.random.default_rng(3)
    deep = BytesIO()
    Image.fromarray((rng.integers(0, 65535, (200, 300))).astype(np.uint16)).save(deep, "PNG")
    assert workshop.fingerprint(deep.getvalue()).kind == "picture"


def test_bytes_and_paths_and_threads_are_served_alike(workshop, tmp_path):
    path = tmp_path / "picture.jpg"
    path.write_bytes(PICTURE)
    wanted = workshop.fingerprint(PICTURE)
    found: list[Fingerprint] = []
    threads = [threading.Thread(target=lambda: found.append(workshop.fingerprint(path))) for _ in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert found == [wanted] * 4


def test_a_file_that_is_gone_or_cannot_be_written_is_not_the_senders_fault(workshop, tmp_path, monkeypatch):
    with pytest.raises(Unavailable, match=r"media\.file_missing"):
        workshop.fingerprint(tmp_path / "gone")
    monkeypatch.setattr(workshops.tempfile, "tempdir", str(tmp_path / "gone"))
    with pytest.raises(Unavailable, match=r"media\.no_room"):
        workshop.fingerprint(PICTURE)


def test_a_server_with_a_thousand_open_files_is_served():
    most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(most[0], min(2048, most[1])), most[1]))
    held, workshop = [], Workshop(1)
    try:
        while not held or held[-1] < 1024:
            held.append(os.dup(0))
        assert workshop.fingerprint(PICTURE).kind == "picture"
        resource.setrlimit(resource.RLIMIT_NOFILE, (held[-1] + 4, most[1]))
        with pytest.raises(Unavailable):
            Workshop(1).fingerprint(PICTURE)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, most)
        for each in held:
            os.close(each)
        workshop.close()


@pytest.mark.crash
def test_decoders_that_die_in_a_row_leave_nothing_behind():
    workshop = Workshop(1)
    try:
        workshop.fingerprint(PICTURE)
        before = len(list(Path("/proc/self/fd").iterdir()))
        for _ in range(3):
            process = workshop._idle[0]._process
            os.killpg(process.pid, signal.SIGKILL)
            assert workshop.fingerprint(PICTURE).kind == "picture"
            assert not Path(f"/proc/{process.pid}").exists()  # reaped
        assert len(list(Path("/proc/self/fd").iterdir())) == before
    finally:
        workshop.close()


@pytest.mark.crash
def test_a_fork_of_who_started_decoders_does_not_end_them(monkeypatch):
    workshop = Workshop(1)
    try:
        workshop.fingerprint(PICTURE)
        process = workshop._idle[0]
        owner = os.getpid()
        with monkeypatch.context() as fork:
            fork.setattr(workshops.os, "getpid", lambda: owner + 1)
            workshop.close()
        assert process.alive()
    finally:
        process.end()


def test_a_file_that_goes_while_it_waits_is_not_called_hostile(workshop, tmp_path, monkeypatch):
    monkeypatch.setattr(workshops.Path, "is_file", lambda _path: True)
    with pytest.raises(Unavailable, match=r"media\.decoder_missing"):
        workshop.fingerprint(tmp_path / "gone")
    assert workshop.fingerprint(PICTURE).kind == "picture"


def test_a_cage_that_cannot_be_closed_is_not_the_files_fault(workshop):
    with pytest.raises(Unavailable, match=r"media\.decoder_missing"):
        workshop.fingerprint(PICTURE, replace(Limits(), memory=2**64 - 1))


LEFT = """
import sys
from pathlib import Path
from chopmark.media.guard import Limits
from chopmark.media.workshop import Workshop
workshop = Workshop(1)
workshop.fingerprint(Path(sys.argv[1]))
print(workshop._idle[0]._process.pid, flush=True)
workshop.fingerprint(Path(sys.argv[2]), Limits().patient())
"""


@pytest.mark.crash
def test_what_decodes_ends_with_who_asked_for_it(tmp_path):
    short, long = tmp_path / "short.jpg", tmp_path / "long.wav"
    short.write_bytes(PICTURE)
    long.write_bytes(media.wav(np.random.default_rng(1).integers(-9999, 9999, 11025 * 1200).astype(np.int16)))
    asking = subprocess.Popen([sys.executable, "-c", LEFT, str(short), str(long)], stdout=subprocess.PIPE)
    assert asking.stdout is not None
    process = int(asking.stdout.readline())
    children = Path(f"/proc/{process}/task/{process}/children")
    until = time.monotonic() + HANG
    while not (forks := children.read_text().split()):
        assert time.monotonic() < until
        time.sleep(0.01)
    asking.send_signal(signal.SIGKILL)
    asking.wait()
    asking.stdout.close()
    while any(_runs(int(each)) for each in (process, *forks)):
        assert time.monotonic() < until
        time.sleep(0.01)


def _runs(process: int) -> bool:
    """Whether it is there and no zombie that some ancestor has still to reap."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False
