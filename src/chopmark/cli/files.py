"""Files on this machine: read with limits and worded errors, written whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from chopmark.base.digests import CHUNK, Digests, digests_of
from chopmark.base.errors import Invalid, Refused
from chopmark.cli.output import Common, counted, progress

PROOF, COSE = ".tlog-proof", ".receipt.cose"
RECEIPT_LIMIT = 1 << 20  # bytes; a receipt is a few kilobytes
POLICY_LIMIT = 1 << 20  # bytes


def beside(path: Path, ending: str) -> Path:
    """`photo.jpg` becomes `photo.jpg.tlog-proof`, in the same folder."""
    return path.with_name(path.name + ending)


def read(path: Path, limit: int) -> bytes:
    """A small file whole.

    Raises:
        Invalid: `cli.file_unreadable`, or `cli.file_too_long` when it is longer than `limit` bytes.
    """
    try:
        with path.open("rb") as file:
            data = file.read(limit + 1)
    except OSError as error:
        raise Invalid("cli.file_unreadable", path=str(path), reason=error.strerror or str(error)) from error
    if len(data) > limit:
        raise Invalid("cli.file_too_long", path=str(path), limit=limit)
    return data


def digests(path: Path, common: Common, *, sm3: bool = False) -> Digests:
    """The digests of a file, with a bar if it is long.

    Raises:
        Invalid: `cli.file_unreadable`, or `cli.file_changed` when its length changed meanwhile.
    """
    try:
        size = path.stat().st_size
        with progress(path.name, size, common) as bar:
            made = digests_of(counted(pieces(path), bar), sm3=sm3)
    except OSError as error:
        raise Invalid("cli.file_unreadable", path=str(path), reason=error.strerror or str(error)) from error
    if made.size != size and path.is_file():
        raise Invalid("cli.file_changed", path=str(path))
    return made


def pieces(path: Path) -> Iterator[bytes]:
    """The file's bytes, 1 MiB at a time."""
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            yield chunk


def write(path: Path, data: bytes, *, force: bool) -> None:
    """Write a file whole; one that is there already with other bytes stays, unless forced.

    Raises:
        Refused: `cli.file_differs`.
        Invalid: `cli.file_unwritable`.
    """
    try:
        if path.exists() and not force:
            if path.read_bytes() == data:
                return
            raise Refused("cli.file_differs", path=str(path))
        draft = path.with_name(f".{path.name}.{os.getpid()}")
        try:
            draft.write_bytes(data)
            draft.replace(path)
        finally:
            draft.unlink(missing_ok=True)
    except OSError as error:
        raise Invalid("cli.file_unwritable", path=str(path), reason=error.strerror or str(error)) from error
