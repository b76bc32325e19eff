"""A screen recording without an encoder: the browser's own JPEG frames as Motion JPEG in an AVI file (RIFF).

Chromium sends a frame whenever the picture changed; players want a steady rate. A moment without a new frame becomes
an empty chunk, which every AVI player shows as the frame before. So each stored picture is byte for byte what the
browser gave, and its time is kept to a tenth of a second. Source: Microsoft, AVI RIFF File Reference.

It writes and reads its own form only; sound there is none.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Final

from chopmark.base.errors import Invalid

RATE: Final = 10  # frames a second
MAX_FRAMES: Final = 6000  # ten minutes
MAX_SIZE: Final = 100_000_000  # bytes
_AVIF_HASINDEX: Final = 0x10
_AVIIF_KEYFRAME: Final = 0x10
_HEADER_SIZE: Final = 224  # bytes before the first chunk of a frame


class Recording:
    """A recording being written; frames come in the order of their times."""

    def __init__(self, path: Path, width: int, height: int) -> None:
        self._file: BinaryIO = path.open("xb")
        self._size = (width, height)
        self._index: list[tuple[int, int]] = []
        self._largest = 0
        self._pictures = 0
        self._file.write(bytes(_HEADER_SIZE))

    @property
    def pictures(self) -> int:
        """How many different pictures it holds."""
        return self._pictures

    def add(self, seconds: float, jpeg: bytes) -> bool:
        """A picture shown from so many seconds after the start on; False when the recording is full.

        Two within a tenth of a second go to consecutive slots, so none is lost.
        """
        slot = max(round(seconds * RATE), len(self._index))
        if slot >= MAX_FRAMES or self._file.tell() + len(jpeg) > MAX_SIZE:
            return False
        while len(self._index) < slot:
            self._chunk(b"")
        self._chunk(jpeg)
        self._pictures += 1
        return True

    def _chunk(self, data: bytes) -> None:
        self._index.append((self._file.tell() - _HEADER_SIZE + 4, len(data)))
        self._file.write(struct.pack("<4sI", b"00dc", len(data)) + data + bytes(len(data) % 2))
        self._largest = max(self._largest, len(data))

    def close(self) -> None:
        """Write the index and the true header."""
        end = self._file.tell()
        entries = b"".join(
            struct.pack("<4sIII", b"00dc", _AVIIF_KEYFRAME if size else 0, offset, size) for offset, size in self._index
        )
        self._file.write(struct.pack("<4sI", b"idx1", len(entries)) + entries)
        whole = self._file.tell()
        self._file.seek(0)
        self._file.write(self._header(movie=end - _HEADER_SIZE, whole=whole))
        self._file.close()

    def _header(self, *, movie: int, whole: int) -> bytes:
        width, height = self._size
        frames = len(self._index)
        main = struct.pack(
            "<14I", 1_000_000 // RATE, 0, 0, _AVIF_HASINDEX, frames, 0, 1, self._largest, width, height, 0, 0, 0, 0
        )
        stream = struct.pack(
            "<4s4sIHHIIIIIIII4H",
            *(b"vids", b"MJPG", 0, 0, 0, 0, 1, RATE, 0, frames, self._largest, 0xFFFFFFFF, 0),
            *(0, 0, width, height),
        )
        form = struct.pack("<IiiHH4sIiiII", 40, width, height, 1, 24, b"MJPG", width * height * 3, 0, 0, 0, 0)
        streams = b"strl" + _riff(b"strh", stream) + _riff(b"strf", form)
        headers = b"hdrl" + _riff(b"avih", main) + _riff(b"LIST", streams)
        return (
            struct.pack("<4sI4s", b"RIFF", whole - 8, b"AVI ")
            + _riff(b"LIST", headers)
            + struct.pack("<4sI4s", b"LIST", movie + 4, b"movi")
        )


def _riff(name: bytes, data: bytes) -> bytes:
    return struct.pack("<4sI", name, len(data)) + data


def pictures(file: BinaryIO) -> Iterator[tuple[int, bytes]]:
    """The different pictures of a recording made here: milliseconds after its start, and the JPEG.

    Raises:
        Invalid: `capture.recording_malformed`.
    """
    head = file.read(_HEADER_SIZE)
    if len(head) != _HEADER_SIZE or head[:4] != b"RIFF" or head[-4:] != b"movi":
        raise Invalid("capture.recording_malformed")
    (left,) = struct.unpack("<I", head[-8:-4])
    left -= 4
    slot = 0
    while left > 0:
        chunk = file.read(8)
        if len(chunk) != 8 or chunk[:4] != b"00dc":
            raise Invalid("capture.recording_malformed")
        (size,) = struct.unpack("<I", chunk[4:])
        if size > left:
            raise Invalid("capture.recording_malformed")
        data = file.read(size + size % 2)
        if len(data) != size + size % 2:
            raise Invalid("capture.recording_malformed")
        if size:
            yield slot * 1000 // RATE, data[:size]
        left -= 8 + size + size % 2
        slot += 1
