"""A ZIP from a stranger: counted and measured before any of it is unpacked, and unpacked within what was measured.

    with archive.opened(data, limits) as packed:
        for member in packed.members:
            packed.read(member)

Only members that are stored or deflated are read: other methods may ask for gigabytes before the first byte. What a
damaged ZIP does to the library that reads it is `imports.zip_malformed`, whatever it raised there.
"""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from chopmark.base.errors import Invalid

SMALL = 1024 * 1024  # bytes that may be packed as well as they can be
METHODS = frozenset({zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED})
DAMAGED = (
    *(zipfile.BadZipFile, NotImplementedError, RuntimeError),  # no ZIP, another method, encrypted
    *(EOFError, OSError, ValueError, zlib.error),  # cut off, places outside of the file, broken streams
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a ZIP may hold.

    Attributes:
        members: how many.
        unpacked: bytes of all of them.
        ratio: of unpacked to packed, for a member that is not small.
    """

    members: int
    unpacked: int
    ratio: int


class Archive:
    """A ZIP that keeps to its limits."""

    def __init__(self, packed: zipfile.ZipFile, members: tuple[zipfile.ZipInfo, ...]) -> None:
        self._packed = packed
        self.members = members

    def read(self, member: zipfile.ZipInfo, most: int | None = None) -> bytes:
        """The bytes of a member, no more than it says to have; with `most`, the first so many.

        Raises:
            Invalid: `imports.zip_malformed`.
        """
        size = member.file_size if most is None else min(member.file_size, most)
        try:
            with self._packed.open(member) as stream:
                content = stream.read(size)
        except DAMAGED:
            raise Invalid("imports.zip_malformed") from None
        if len(content) != size:
            raise Invalid("imports.zip_malformed")
        return content


@contextmanager
def opened(data: bytes, limits: Limits) -> Iterator[Archive]:
    """The members of a ZIP, folders left out.

    Raises:
        Invalid: `imports.zip_malformed`, `imports.zip_bomb`.
    """
    try:
        packed = zipfile.ZipFile(io.BytesIO(data))
        members = tuple(each for each in packed.infolist() if not each.is_dir())
    except DAMAGED:
        raise Invalid("imports.zip_malformed") from None
    with packed:
        if len(members) > limits.members or sum(each.file_size for each in members) > limits.unpacked:
            raise Invalid("imports.zip_bomb")
        for each in members:
            if each.compress_type not in METHODS:
                raise Invalid("imports.zip_malformed")
            if each.file_size > SMALL and each.file_size > limits.ratio * max(each.compress_size, 1):
                raise Invalid("imports.zip_bomb")
        yield Archive(packed, members)


def names(data: bytes) -> frozenset[str]:
    """The names of its members; none for what is no ZIP that can be read."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as packed:
            return frozenset(packed.namelist())
    except DAMAGED:
        return frozenset()
