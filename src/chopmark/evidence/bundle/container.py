"""The container of a bundle: a ZIP file of which every byte is prescribed. Written in one pass, read strictly.

    with open("B-2026-000123.asice", "wb") as out:
        writer = ContainerWriter(out)
        writer.add("mimetype", MIMETYPE, len(MIMETYPE), sha256(MIMETYPE).digest())
        writer.add("manifest.json", source, size, digest)
        writer.finish()

Every entry is stored as it is (method 0) and directly behind the one before it; times, flags and attributes are
constants; the central directory repeats what the local headers say. So the list of names, sizes and CRC-32 values
determines all bytes that are not content, and the reader checks them by printing them again. There is nothing to
decompress, nothing that two readers could understand differently, and no room for bytes that nobody lists.

What the files mean, and which of them must be there, is not known here. `docs/bundles.md` is normative.
"""

from __future__ import annotations

import hashlib
import io
import re
import struct
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO

from chopmark.base.errors import Invalid

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

MIMETYPE_NAME = "mimetype"
MIMETYPE = b"application/vnd.etsi.asic-e+zip"
META_INF = "META-INF/"
MAX_ENTRIES = 10_000
MAX_NAME = 200  # characters, all of them ASCII
MAX_DEPTH = 6
CHUNK = 1 << 18  # bytes; fits the second cache, where reading, hashing and writing find it again

_NAME = re.compile(r"[A-Za-z0-9._-]+(?:/[A-Za-z0-9._-]+)*")
_32 = 0xFFFFFFFF  # says that the number stands in the Zip64 field
_DATE = 0x0021  # 1980-01-01 in MS-DOS form; the time is 0
_LOCAL = struct.Struct("<4s5H3I2H")
_CENTRAL = struct.Struct("<4s6H3I5H2I")
_END = struct.Struct("<4s4H2IH")
_END64 = struct.Struct("<4sQ2H2I4Q")
_LOCATOR = struct.Struct("<4sIQI")
_MAX_DIRECTORY = MAX_ENTRIES * (_CENTRAL.size + MAX_NAME + 28)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One file in the container.

    Attributes:
        name: path, ASCII.
        size: bytes.
        crc: CRC-32 of the content.
        offset: where its local header starts.
    """

    name: str
    size: int
    crc: int
    offset: int

    @property
    def data(self) -> int:
        """Where the content starts."""
        return self.offset + _LOCAL.size + len(self.name) + (20 if self.size >= _32 else 0)

    @property
    def end(self) -> int:
        """Where the content ends."""
        return self.data + self.size

    def _version(self) -> int:
        return 45 if self.size >= _32 or self.offset >= _32 else 20

    def local(self) -> bytes:
        """The header in front of the content (APPNOTE 4.3.7)."""
        extra = struct.pack("<2H2Q", 1, 16, self.size, self.size) if self.size >= _32 else b""
        size = min(self.size, _32)
        name = self.name.encode("ascii")
        fixed = _LOCAL.pack(b"PK\x03\x04", self._version(), 0, 0, 0, _DATE, self.crc, size, size, len(name), len(extra))
        return fixed + name + extra

    def central(self) -> bytes:
        """The header in the central directory (APPNOTE 4.3.12)."""
        numbers = [self.size, self.size] if self.size >= _32 else []
        numbers += [self.offset] if self.offset >= _32 else []
        extra = struct.pack(f"<2H{len(numbers)}Q", 1, 8 * len(numbers), *numbers) if numbers else b""
        size, offset, version = min(self.size, _32), min(self.offset, _32), self._version()
        name = self.name.encode("ascii")
        sizes = (self.crc, size, size, len(name), len(extra))
        fixed = _CENTRAL.pack(b"PK\x01\x02", version, version, 0, 0, 0, _DATE, *sizes, 0, 0, 0, 0, offset)
        return fixed + name + extra


def place(name: str) -> tuple[bool, bool, str]:
    """The key by which names are sorted: `mimetype`, then all others by bytes, META-INF last."""
    return name != MIMETYPE_NAME, name.startswith(META_INF), name


def must_be_safe(name: str) -> None:
    """Whether a path may stand in a bundle: portable characters, no way out, and no surprise on any system.

    Raises:
        Invalid: `bundle.name_unsafe`.
    """
    parts = name.split("/")
    if (
        _NAME.fullmatch(name) is None
        or len(name) > MAX_NAME
        or len(parts) > MAX_DEPTH
        or any(part.endswith(".") for part in parts)
    ):
        raise Invalid("bundle.name_unsafe", name=name[:MAX_NAME])


def must_be_distinct(names: Iterable[str]) -> None:
    """No name is there twice, in whatever case, and none is another one's folder.

    Raises:
        Invalid: `bundle.name_twice` with the first name, in order, that clashes with one before it.
    """
    files: set[str] = set()
    folders: set[str] = set()
    for name in names:
        folded = name.lower()
        parts = folded.split("/")
        above = {"/".join(parts[:count]) for count in range(1, len(parts))}
        if folded in files or folded in folders or above & files:
            raise Invalid("bundle.name_twice", name=name)
        files.add(folded)
        folders |= above


class ContainerWriter:
    """Writes entries one behind the other; holds no content.

    Args:
        out: where to; it starts empty and can seek, since an entry's CRC-32 is known only behind its content.
    """

    def __init__(self, out: BinaryIO) -> None:
        self._out = out
        self._entries: list[Entry] = []
        self._here = 0

    def add(self, name: str, source: bytes | BinaryIO, size: int, sha256: bytes) -> None:
        """Copy one file, which must be what its size and digest say.

        Args:
            name: of the entry; names come in the order of `place`.
            source: the content, read once to its end.
            size: bytes.
            sha256: 32 bytes.

        Raises:
            Invalid: `bundle.source_changed`; `bundle.name_unsafe`; `bundle.name_twice`; `bundle.too_large`;
                `bundle.zip_malformed` when the names do not come in order.
        """
        must_be_safe(name)
        must_be_distinct([*(each.name for each in self._entries[-1:]), name])
        if self._entries and place(self._entries[-1].name) > place(name):
            raise Invalid("bundle.zip_malformed", reason="order")
        if len(self._entries) == MAX_ENTRIES:
            raise Invalid("bundle.too_large", what="entries", limit=MAX_ENTRIES)
        entry = Entry(name=name, size=size, crc=0, offset=self._here)
        self._out.write(entry.local())
        crc, digest, copied = self._copy(io.BytesIO(source) if isinstance(source, bytes) else source, size)
        if (copied, digest) != (size, sha256):
            raise Invalid("bundle.source_changed", name=name)
        entry = Entry(name=name, size=size, crc=crc, offset=self._here)
        self._out.seek(entry.offset)
        self._out.write(entry.local())
        self._out.seek(entry.end)
        self._entries.append(entry)
        self._here = entry.end

    def _copy(self, source: BinaryIO, size: int) -> tuple[int, bytes, int]:
        digester = hashlib.sha256()
        crc = copied = 0
        while chunk := source.read(CHUNK):
            copied += len(chunk)
            if copied > size:
                break
            digester.update(chunk)
            crc = zlib.crc32(chunk, crc)
            self._out.write(chunk)
        return crc, digester.digest(), copied

    def finish(self) -> int:
        """Write the directory; nothing may follow.

        Returns:
            The size of the container in bytes.

        Raises:
            Invalid: `bundle.name_twice`; `bundle.mimetype_wrong`.
        """
        must_be_distinct(each.name for each in self._entries)
        if not self._entries or self._entries[0].name != MIMETYPE_NAME:
            raise Invalid("bundle.mimetype_wrong")
        written = directory(self._entries)
        self._out.write(written)
        return self._here + len(written)


def directory(entries: list[Entry]) -> bytes:
    """The central directory of these entries and what stands behind it, to the end of the file."""
    listed = b"".join(each.central() for each in entries)
    count, start = len(entries), entries[-1].end if entries else 0
    end = start + len(listed)
    extended = b""
    if start >= _32:
        extended = _END64.pack(b"PK\x06\x06", 44, 45, 45, 0, 0, count, count, len(listed), start)
        extended += _LOCATOR.pack(b"PK\x06\x07", 0, end, 1)
    return listed + extended + _END.pack(b"PK\x05\x06", 0, 0, count, count, len(listed), min(start, _32), 0)


class Container:
    """A container that was read strictly.

    The whole frame is checked when it is opened: directory, local headers, names, order, no byte between or behind.
    Contents are checked against their CRC-32 when they are read to the end.

    Args:
        file: seekable; it stays open as long as the container is used, by one thread at a time.

    Raises:
        Invalid: `bundle.zip_malformed`, `bundle.name_unsafe`, `bundle.name_twice`, `bundle.too_large`,
            `bundle.mimetype_wrong`.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.entries = _read_directory(file)
        self._by_name = {each.name: each for each in self.entries}
        must_be_distinct(each.name for each in self.entries)
        if [each.name for each in self.entries] != sorted(self._by_name, key=place):
            raise Invalid("bundle.zip_malformed", reason="order")
        for each in self.entries:
            header = each.local()
            file.seek(each.offset)
            if file.read(len(header)) != header:
                raise Invalid("bundle.zip_malformed", reason="local")
        if self.entries[0].name != MIMETYPE_NAME or self.entries[0].size != len(MIMETYPE):
            raise Invalid("bundle.mimetype_wrong")
        if self.read(MIMETYPE_NAME, len(MIMETYPE)) != MIMETYPE:
            raise Invalid("bundle.mimetype_wrong")

    @property
    def names(self) -> tuple[str, ...]:
        """All names, in the container's order."""
        return tuple(self._by_name)

    def size(self, name: str) -> int:
        """The bytes of a file. `KeyError` when there is none of that name."""
        return self._by_name[name].size

    def open(self, name: str) -> BinaryIO:
        """A file's content as a stream; several may be open. `KeyError` when there is none of that name.

        Reading its end raises `Invalid`, `bundle.zip_malformed`, when the CRC-32 is wrong or the file is cut off.
        """
        return io.BufferedReader(_Content(self._file, self._by_name[name]), CHUNK)

    def read(self, name: str, limit: int) -> bytes:
        """A file's content at once.

        Raises:
            Invalid: `bundle.too_large` above `limit` bytes; `bundle.zip_malformed`.
        """
        if self.size(name) > limit:
            raise Invalid("bundle.too_large", what=name, limit=limit)
        return self.open(name).read()


class _Content(io.RawIOBase):
    """The bytes of one entry; reads leave the underlying file wherever they ended."""

    def __init__(self, file: BinaryIO, entry: Entry) -> None:
        self._file = file
        self._entry = entry
        self._here = 0
        self._crc = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        view = memoryview(buffer).cast("B")
        wanted = min(len(view), self._entry.size - self._here)
        if wanted == 0:
            if self._here == self._entry.size and self._crc != self._entry.crc and len(view):
                raise Invalid("bundle.zip_malformed", reason="crc")
            return 0
        self._file.seek(self._entry.data + self._here)
        chunk = self._file.read(wanted)
        if not chunk:
            raise Invalid("bundle.zip_malformed", reason="truncated")
        view[: len(chunk)] = chunk
        self._crc = zlib.crc32(chunk, self._crc)
        self._here += len(chunk)
        return len(chunk)


def _read_directory(file: BinaryIO) -> list[Entry]:
    """The entries, if what stands from the directory to the end of the file is what `directory` prints for them."""
    length = file.seek(0, io.SEEK_END)
    start, size, count = _end(file, length)
    if count > MAX_ENTRIES or size > _MAX_DIRECTORY:
        raise Invalid("bundle.too_large", what="entries", limit=MAX_ENTRIES)
    if count == 0 or start + size > length:
        raise Invalid("bundle.zip_malformed", reason="directory")
    file.seek(start)
    tail = file.read(length - start) if length - start <= size + 98 else b""
    entries = _entries(tail[:size], count, start)
    if directory(entries) != tail:
        raise Invalid("bundle.zip_malformed", reason="directory")
    return entries


def _end(file: BinaryIO, length: int) -> tuple[int, int, int]:
    """Where the directory starts, its size in bytes and the number of its entries, as the file's end claims."""
    if length < _END.size:
        raise Invalid("bundle.zip_malformed", reason="end")
    file.seek(length - _END.size)
    signature, _, _, _, count, size, start, _ = _END.unpack(file.read(_END.size))
    if signature != b"PK\x05\x06":
        raise Invalid("bundle.zip_malformed", reason="end")
    if start == _32:
        if length < _END.size + _LOCATOR.size + _END64.size:
            raise Invalid("bundle.zip_malformed", reason="end")
        file.seek(length - _END.size - _LOCATOR.size - _END64.size)
        start = _END64.unpack(file.read(_END64.size))[-1]
    return start, size, count


def _entries(listed: bytes, count: int, start: int) -> list[Entry]:
    """What a central directory says; offsets are not read but follow, since nothing stands between two entries."""
    entries: list[Entry] = []
    here = offset = 0
    for _ in range(count):
        if here + _CENTRAL.size > len(listed):
            raise Invalid("bundle.zip_malformed", reason="directory")
        fields = _CENTRAL.unpack_from(listed, here)
        signature, method, crc, size = fields[0], fields[4], fields[7], fields[9]
        name_length, extra_length = fields[10], fields[11]
        if signature != b"PK\x01\x02":
            raise Invalid("bundle.zip_malformed", reason="directory")
        if method != 0:
            raise Invalid("bundle.zip_malformed", reason="method")
        here += _CENTRAL.size
        name = listed[here : here + name_length].decode("latin-1")
        must_be_safe(name)
        extra = listed[here + name_length : here + name_length + extra_length]
        here += name_length + extra_length
        if size == _32:
            if len(extra) < 20:
                raise Invalid("bundle.zip_malformed", reason="directory")
            size = int.from_bytes(extra[4:12], "little")
        entries.append(Entry(name=name, size=size, crc=crc, offset=offset))
        offset = entries[-1].end
        if offset > start:
            raise Invalid("bundle.zip_malformed", reason="directory")
    return entries
