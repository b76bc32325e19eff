"""The container prints back every byte, tells other programs the same, and refuses what was packed otherwise."""

from __future__ import annotations

import io
import os
import struct
import zipfile
import zlib
from hashlib import sha256

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chopmark.base.errors import Invalid
from chopmark.evidence.bundle.container import (
    MAX_ENTRIES,
    MIMETYPE,
    Container,
    ContainerWriter,
    Entry,
    directory,
    must_be_distinct,
    must_be_safe,
    place,
)

FILES = {"mimetype": MIMETYPE, "a/b.txt": b"hello", "manifest.json": b"{}", "META-INF/x.xml": b"", "z": bytes(3000)}


def pack(files: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    writer = ContainerWriter(out)
    for name in sorted(files, key=place):
        writer.add(name, io.BytesIO(files[name]), len(files[name]), sha256(files[name]).digest())
    assert writer.finish() == len(out.getvalue())
    return out.getvalue()


def opened(data: bytes) -> dict[str, bytes]:
    container = Container(io.BytesIO(data))
    return {name: container.read(name, 1 << 30) for name in container.names}


def refusal(data: bytes) -> tuple[str, object]:
    with pytest.raises(Invalid) as raised:
        opened(data)
    return raised.value.code, raised.value.facts.get("reason", raised.value.facts.get("name"))


def other(files: dict[str, bytes], **changes: object) -> bytes:
    """The same files packed by Python's zipfile in the prescribed order."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name in sorted(files, key=place):
            info = zipfile.ZipInfo(name)
            info.create_system = 0
            info.external_attr = 0
            info.create_version = info.extract_version = 20
            for attribute, value in changes.items():
                setattr(info, attribute, value)
            archive.writestr(info, files[name])
            info.external_attr = changes.get("external_attr", 0)
    return out.getvalue()


_SEGMENT = st.from_regex(r"[A-Za-z0-9._-]{0,8}[A-Za-z0-9_-]", fullmatch=True)
_NAMES = st.lists(_SEGMENT, min_size=1, max_size=4).map("/".join)


def _is_fit(names: list[str]) -> bool:
    try:
        must_be_distinct(["mimetype", *names])
    except Invalid:
        return False
    return True


_FILES = st.dictionaries(_NAMES, st.binary(max_size=600), max_size=8).filter(lambda files: _is_fit(list(files)))


@settings(deadline=None)
@given(_FILES)
def test_what_is_written_is_read_by_us_and_by_another_program(files):
    files = {"mimetype": MIMETYPE, **files}
    data = pack(files)
    assert opened(data) == files
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.testzip() is None
        assert {each.filename: archive.read(each) for each in archive.infolist()} == files
        assert {(each.compress_type, each.flag_bits, each.extra, each.date_time) for each in archive.infolist()} == {
            (zipfile.ZIP_STORED, 0, b"", (1980, 1, 1, 0, 0, 0))
        }


@settings(deadline=None)
@given(_FILES)
def test_the_names_come_in_one_order(files):
    names = list(opened(pack({"mimetype": MIMETYPE, "META-INF/a": b"", **files})))
    assert names[0] == "mimetype"
    inside = [name.startswith("META-INF/") for name in names]
    assert inside == sorted(inside)
    for part in (False, True):
        assert (found := [name for name in names[1:] if name.startswith("META-INF/") is part]) == sorted(
            found, key=str.encode
        )


@settings(max_examples=300, deadline=None)
@given(st.integers(0, len(pack(FILES)) - 1), st.integers(1, 255))
def test_no_byte_anywhere_can_be_another(at, bits):
    changed = bytearray(pack(FILES))
    changed[at] ^= bits
    with pytest.raises(Invalid):
        opened(bytes(changed))


@settings(deadline=None)
@given(st.integers(0, len(pack(FILES)) - 1))
def test_a_container_cut_off_is_refused(length):
    with pytest.raises(Invalid):
        opened(pack(FILES)[:length])


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_anything_else_is_refused(data):
    with pytest.raises(Invalid):
        opened(data)


def test_the_only_form_that_another_program_may_choose_is_ours():
    assert other(FILES) == pack(FILES)


def shifted(data: bytes) -> bytes:
    """The directory says that everything starts four bytes later, and it does."""
    container = Container(io.BytesIO(data))
    start = container.entries[-1].end
    entries = [Entry(name=e.name, size=e.size, crc=e.crc, offset=e.offset + 4) for e in container.entries]
    return b"jump" + data[:start] + directory(entries)


def with_gap(data: bytes) -> bytes:
    """Four bytes between the last content and the directory."""
    start = Container(io.BytesIO(data)).entries[-1].end
    tail = bytearray(data[start:])
    struct.pack_into("<I", tail, len(tail) - 6, start + 4)
    return data[:start] + b"hide" + bytes(tail)


def overlapping() -> bytes:
    """Two names for the same bytes, as zip bombs have them."""
    first = Entry(name="mimetype", size=len(MIMETYPE), crc=zlib.crc32(MIMETYPE), offset=0)
    head = first.local() + MIMETYPE
    body = bytes(1000)
    entries = [Entry(name=name, size=1000, crc=zlib.crc32(body), offset=len(head)) for name in ("a", "b")]
    return head + entries[0].local() + body + directory([first, *entries])


def renamed_locally(data: bytes) -> bytes:
    """The local header has another name than the directory."""
    return data.replace(b"a/b.txt", b"a/c.txt", 1)


def without(data: bytes) -> bytes:
    """A file that the directory does not list, between two that it lists."""
    container = Container(io.BytesIO(data))
    kept = [each for each in container.entries if each.name != "a/b.txt"]
    return data[: container.entries[-1].end] + directory(kept)


def raw(names: list[str]) -> bytes:
    """Empty files of these names behind `mimetype`, whatever the names are."""
    entries = [Entry(name="mimetype", size=len(MIMETYPE), crc=zlib.crc32(MIMETYPE), offset=0)]
    data = entries[0].local() + MIMETYPE
    for name in names:
        entries.append(Entry(name=name, size=0, crc=0, offset=len(data)))
        data += entries[-1].local()
    return data + directory(entries)


def unmarked() -> bytes:
    entry = Entry(name="a", size=0, crc=0, offset=0)
    return entry.local() + directory([entry])


def flagged(flags: int) -> bytes:
    """The first entry has these general purpose bits, in both headers."""
    data = bytearray(pack(FILES))
    data[6] |= flags
    data[data.index(b"PK\x01\x02") + 8] |= flags
    return bytes(data)


def many() -> bytes:
    return raw([f"{number:05}" for number in range(MAX_ENTRIES)])


def bomb() -> bytes:
    """A few kilobytes that would unpack to a hundred megabytes."""
    return other(FILES | {"bomb": bytes(1 << 20)}, compress_type=zipfile.ZIP_DEFLATED)


HOSTILE = {
    "bytes before the first entry": (b"MZ" + pack(FILES), "bundle.zip_malformed", "directory"),
    "bytes before, with offsets that know of them": (shifted(pack(FILES)), "bundle.zip_malformed", "directory"),
    "bytes behind the end": (pack(FILES) + b"\n", "bundle.zip_malformed", "end"),
    "a comment": (
        pack(FILES)[:-2] + struct.pack("<H", 5) + b"hello",
        "bundle.zip_malformed",
        "end",
    ),
    "a second container behind the first": (pack(FILES) + pack(FILES), "bundle.zip_malformed", "directory"),
    "bytes between contents and directory": (with_gap(pack(FILES)), "bundle.zip_malformed", "directory"),
    "two names for the same bytes": (overlapping(), "bundle.zip_malformed", "directory"),
    "another name in the local header": (renamed_locally(pack(FILES)), "bundle.zip_malformed", "local"),
    "a file that the directory leaves out": (without(pack(FILES)), "bundle.zip_malformed", "directory"),
    "compressed entries": (bomb(), "bundle.zip_malformed", "method"),
    "an encrypted entry": (flagged(1), "bundle.zip_malformed", "directory"),
    "sizes behind the content": (flagged(8), "bundle.zip_malformed", "directory"),
    "another time": (other(FILES, date_time=(2026, 11, 22, 9, 0, 0)), "bundle.zip_malformed", "directory"),
    "rights of a Unix file": (other(FILES, external_attr=0o777 << 16), "bundle.zip_malformed", "directory"),
    "an extra field": (other(FILES, extra=b"\x99\x99\x00\x00"), "bundle.zip_malformed", "directory"),
    "a comment of an entry": (other(FILES, comment=b"hi"), "bundle.zip_malformed", "directory"),
    "names in another order": (raw(["b", "a"]), "bundle.zip_malformed", "order"),
    "META-INF before the files": (raw(["META-INF/a", "b"]), "bundle.zip_malformed", "order"),
    "a name twice": (raw(["a", "a"]), "bundle.name_twice", "a"),
    "a name twice in different case": (raw(["A", "a"]), "bundle.name_twice", "a"),
    "a file that is a folder too": (raw(["a", "a/b"]), "bundle.name_twice", "a/b"),
    "a folder in different case that is a file": (raw(["A/b", "a"]), "bundle.name_twice", "a"),
    "a way out": (raw(["../a"]), "bundle.name_unsafe", "../a"),
    "a way out in the middle": (raw(["a/../../b"]), "bundle.name_unsafe", "a/../../b"),
    "an absolute name": (raw(["/etc/passwd"]), "bundle.name_unsafe", "/etc/passwd"),
    "a drive": (raw(["C:x"]), "bundle.name_unsafe", "C:x"),
    "a backslash": (raw(["a\\b"]), "bundle.name_unsafe", "a\\b"),
    "a folder as an entry": (raw(["a/"]), "bundle.name_unsafe", "a/"),
    "a new line": (raw(["a\nb"]), "bundle.name_unsafe", "a\nb"),
    "a name with nothing": (raw([""]), "bundle.name_unsafe", ""),
    "a dot at the end": (raw(["a./b"]), "bundle.name_unsafe", "a./b"),
    "a name too long": (raw(["a" * 201]), "bundle.name_unsafe", "a" * 200),
    "seven levels": (raw(["a/a/a/a/a/a/a"]), "bundle.name_unsafe", "a/a/a/a/a/a/a"),
    "too many entries": (many(), "bundle.too_large", None),
    "no mimetype": (unmarked(), "bundle.mimetype_wrong", None),
    "another mimetype": (
        other(FILES | {"mimetype": b"application/vnd.etsi.asic-s+zip"}),
        "bundle.mimetype_wrong",
        None,
    ),
    "no entry": (struct.pack("<4s4H2IH", b"PK\x05\x06", 0, 0, 0, 0, 0, 0, 0), "bundle.zip_malformed", "directory"),
    "nothing": (b"", "bundle.zip_malformed", "end"),
    "a claim of a directory beyond the end": (
        struct.pack("<4s4H2IH", b"PK\x05\x06", 0, 0, 1, 1, 99, 99, 0),
        "bundle.zip_malformed",
        "directory",
    ),
    "a claim of a Zip64 directory that is not there": (
        struct.pack("<4s4H2IH", b"PK\x05\x06", 0, 0, 1, 1, 99, 0xFFFFFFFF, 0),
        "bundle.zip_malformed",
        "end",
    ),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_a_container_is_refused_for(case):
    data, code, reason = HOSTILE[case]
    assert refusal(data) == (code, reason)


def test_a_wrong_crc_is_found_at_the_end_of_the_content():
    data = bytearray(pack(FILES))
    at = data.index(b"hello")
    data[at] ^= 1
    stream = Container(io.BytesIO(bytes(data))).open("a/b.txt")
    with pytest.raises(Invalid, match="zip_malformed"):
        stream.read()


def test_a_content_is_read_no_further_than_allowed():
    container = Container(io.BytesIO(pack(FILES)))
    with pytest.raises(Invalid, match="too_large"):
        container.read("z", 2999)
    assert len(container.read("z", 3000)) == 3000


def test_several_contents_can_be_read_side_by_side():
    container = Container(io.BytesIO(pack(FILES)))
    with container.open("z") as one, container.open("a/b.txt") as two:
        assert (one.read(10), two.read(2), one.read(5), two.read()) == (bytes(10), b"he", bytes(5), b"llo")


def test_what_changed_while_it_was_copied_ends_the_writing():
    for content, size in ((b"hellO", 5), (b"hello!", 5), (b"hell", 5)):
        writer = ContainerWriter(io.BytesIO())
        with pytest.raises(Invalid, match="source_changed"):
            writer.add("a", content, size, sha256(b"hello").digest())


def test_a_source_that_never_ends_is_left_when_it_is_too_long():
    class Endless(io.RawIOBase):
        def read(self, size: int = -1) -> bytes:
            return bytes(size)

    writer = ContainerWriter(io.BytesIO())
    with pytest.raises(Invalid, match="source_changed"):
        writer.add("a", Endless(), 10, bytes(32))


def test_names_are_written_in_their_order_only():
    writer = ContainerWriter(io.BytesIO())
    writer.add("b", b"", 0, sha256(b"").digest())
    with pytest.raises(Invalid, match="zip_malformed"):
        writer.add("a", b"", 0, sha256(b"").digest())


def test_a_clash_with_an_earlier_name_is_found_at_the_end():
    writer = ContainerWriter(io.BytesIO())
    for name in ("mimetype", "A", "B", "a"):
        writer.add(name, b"", 0, sha256(b"").digest())
    with pytest.raises(Invalid, match="name_twice"):
        writer.finish()


def test_nothing_is_finished_without_its_mark():
    writer = ContainerWriter(io.BytesIO())
    with pytest.raises(Invalid, match="mimetype_wrong"):
        writer.finish()


def test_no_more_than_ten_thousand_entries_are_written():
    writer = ContainerWriter(io.BytesIO())
    empty = sha256(b"").digest()
    for number in range(MAX_ENTRIES):
        writer.add(f"{number:05}", b"", 0, empty)
    with pytest.raises(Invalid, match="too_large"):
        writer.add("99999", b"", 0, empty)


@settings(deadline=None)
@given(st.text(max_size=20))
def test_a_safe_name_stays_where_it_is_unpacked(name):
    try:
        must_be_safe(name)
    except Invalid:
        return
    path = os.path.normpath(os.path.join("/unpacked", name))  # noqa: PTH118 (as another program would do it)
    assert path == "/unpacked/" + name


class Sparse(io.RawIOBase):
    """A file of any length that holds what was written and zeros between; remembers pieces, not zeros."""

    def __init__(self) -> None:
        self.pieces: dict[int, bytes] = {}
        self.here = self.length = 0

    def write(self, data) -> int:
        if any(data):
            self.pieces[self.here] = bytes(data)
        self.here += len(data)
        self.length = max(self.length, self.here)
        return len(data)

    def seek(self, offset: int, whence: int = 0) -> int:
        self.here = offset if whence == 0 else self.length + offset
        return self.here

    def read(self, size: int = -1) -> bytes:
        end = self.length if size < 0 else min(self.length, self.here + size)
        found = bytearray(max(end - self.here, 0))
        for start, piece in self.pieces.items():
            lower, upper = max(start, self.here), min(start + len(piece), end)
            if lower < upper:
                found[lower - self.here : upper - self.here] = piece[lower - start : upper - start]
        self.here = max(end, self.here)
        return bytes(found)


@pytest.mark.parametrize("size", [0xFFFFFFFE, 0xFFFFFFFF, 0x1_0000_0000, 10 << 30])
def test_sizes_beyond_four_gigabytes_are_told_in_zip64(size):
    entries = []
    out = Sparse()
    offset = 0
    for name, length, crc in (("mimetype", len(MIMETYPE), zlib.crc32(MIMETYPE)), ("big", size, 5), ("small", 3, 7)):
        entries.append(Entry(name=name, size=length, crc=crc, offset=offset))
        out.seek(offset)
        out.write(entries[-1].local())
        out.write(MIMETYPE if name == "mimetype" else b"")
        offset = entries[-1].end
    out.seek(offset)
    out.write(directory(entries))
    container = Container(out)
    assert [(each.name, each.size, each.offset) for each in container.entries] == [
        (each.name, each.size, each.offset) for each in entries
    ]
    with zipfile.ZipFile(out) as archive:
        told = [(each.filename, each.file_size, each.header_offset) for each in archive.infolist()]
    assert told == [(each.name, each.size, each.offset) for each in entries]
