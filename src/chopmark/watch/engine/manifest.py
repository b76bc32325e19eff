"""Which partitions of a scan are done: one line each, on disk before anybody is told.

    {"done": "<the partition's line>", "file": ..., "size": ..., "seconds": ..., "counts": {...}}
    {"failed": 7, "code": "watch.file_unreadable"}

The line that a crash tore is cut off when the scan goes on. A partition counts once, however often it was done: each
has one file of results, made under another name and moved there whole, and the same rows always make the same file.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, Final

from chopmark.base import jcs
from chopmark.base.errors import Invalid
from chopmark.watch.results import Part

NAME: Final = "manifest.jsonl"


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """A partition whose file of results is on disk.

    Attributes:
        file: its name in the folder `results`. size: in bytes.
        milliseconds: of work, CPU time of its process. counts: of outcomes, and of rules asked, fired and in shadow.
    """

    part: Part
    file: str
    size: int
    milliseconds: int
    counts: Mapping[str, int] = field(default_factory=dict)

    def line(self) -> bytes:
        """Canonical JSON."""
        return jcs.encode(
            {
                "done": self.part.line().decode(),
                "file": self.file,
                "size": self.size,
                "milliseconds": self.milliseconds,
                "counts": dict(self.counts),
            }
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """A partition that could not be read; it is tried again when the scan goes on."""

    index: int
    code: str

    def line(self) -> bytes:
        """Canonical JSON."""
        return jcs.encode({"failed": self.index, "code": self.code})


def parse(line: bytes) -> Done | Failed:
    """Read one line.

    Raises:
        Invalid: `watch.manifest_malformed`; `watch.part_malformed`; `base.json_malformed`.
    """
    said: dict[str, Any] = jcs.decode(line)
    entry: Done | Failed
    try:
        if "failed" in said:
            entry = Failed(index=said["failed"], code=said["code"])
        else:
            entry = Done(
                part=Part.parse(said["done"].encode()),
                **{name: said[name] for name in ("file", "size", "milliseconds", "counts")},
            )
    except (KeyError, TypeError, AttributeError) as error:
        raise Invalid("watch.manifest_malformed") from error
    if entry.line() != line:
        raise Invalid("watch.manifest_malformed")
    return entry


def read(folder: Path) -> dict[int, Done]:
    """The partitions that are done and whose files are there, by index; a torn last line is left out.

    Raises:
        Invalid: `watch.manifest_malformed` and the like for a line that was not torn by a crash.
    """
    return {
        each.part.index: each
        for each in _entries(folder / NAME)
        if isinstance(each, Done) and _is_there(folder / "results" / each.file, each.size)
    }


def _entries(path: Path) -> Iterator[Done | Failed]:
    if not path.exists():
        return
    *whole, _torn = path.read_bytes().split(b"\n")
    for line in whole:
        yield parse(line)


def _is_there(file: Path, size: int) -> bool:
    try:
        return file.stat().st_size == size
    except FileNotFoundError:
        return False


class Writer:
    """Adds lines; the one writer of a folder holds its lock."""

    def __init__(self, folder: Path) -> None:
        path = folder / NAME
        if path.exists():  # cut off what a crash tore
            data = path.read_bytes()
            whole = data.rfind(b"\n") + 1
            if whole != len(data):
                os.truncate(path, whole)
        self._file: BinaryIO = path.open("ab")

    def add(self, entry: Done | Failed) -> None:
        """Durable when this returns."""
        self._file.write(entry.line() + b"\n")
        self._file.flush()
        os.fsync(self._file.fileno())

    def close(self) -> None:
        """Nothing is added any more."""
        self._file.close()


def write_whole(path: Path, data: bytes) -> None:
    """A file that is there whole or not at all, whatever happens meanwhile, and whoever else writes it just now."""
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    with draft.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make names in a folder durable."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
