"""Objects as files of one directory, durable: the form that any static file server can serve.

Durable order of a put: write every file under a hidden temporary name, fsync them, rename them, then fsync each
directory that changed once. A failing fsync ends the process (`DurabilityLost`). A hidden file left by a crash is
overwritten by the next put of the same path and never served by `get`.

`FileJournal` is the same with an exclusive lock (flock) on its directory. The lock keeps two writers of one machine
apart early; what protects across machines is the swap in the book.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterable, Mapping
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import NoReturn

from chopmark.base.errors import Invalid, Unavailable
from chopmark.ledger.stores import CHECKPOINT, DurabilityLost
from chopmark.ledger.stores.paths import must_be_path

LOCK = ".writer"
_OPEN_AT_ONCE = 64


class FileObjects:
    """Objects under a directory, which is made when missing.

    Args:
        directory: where; nothing else may write there.
        replaceable: the paths that may be put again with other bytes.
    """

    def __init__(self, directory: Path | str, *, replaceable: Iterable[str] = (CHECKPOINT,)) -> None:
        self.directory = Path(directory).absolute()
        self._root = str(self.directory)
        self._replaceable = frozenset(replaceable)
        self._broken = False
        self._folders: set[str] = set()

    def get(self, path: str) -> bytes:
        """See `Objects.get`."""
        must_be_path(path)
        try:
            with open(f"{self._root}/{path}", "rb", buffering=0) as file:  # noqa: PTH123 (half the time of Path.open)
                return file.readall()
        except (FileNotFoundError, IsADirectoryError, NotADirectoryError) as error:
            raise Unavailable("ledger.object_missing", path=path) from error

    def put(self, objects: Mapping[str, bytes]) -> None:
        """See `Objects.put`."""
        if self._broken:
            raise DurabilityLost("an earlier fsync failed")
        # 1 Nothing is written before everything is known to be allowed.
        fresh = {path: data for path, data in objects.items() if self._is_news(path, data)}
        # 2 The bytes, under names that nobody reads.
        paths = list(fresh)
        for here in range(0, len(paths), _OPEN_AT_ONCE):
            self._write_all({path: fresh[path] for path in paths[here : here + _OPEN_AT_ONCE]})
        # 3 The names. A file that was there already may have come from a put that a crash cut off before step 4.
        for path in fresh:
            os.rename(self._hidden(path), f"{self._root}/{path}")  # noqa: PTH104 (hot path, strings throughout)
        # 4 The directories.
        for folder in dict.fromkeys(path.rpartition("/")[0] for path in objects):
            self._sync(f"{self._root}/{folder}")

    def delete(self, paths: Iterable[str]) -> None:
        """See `Objects.delete`; a folder left empty goes too."""
        folders = set()
        for path in paths:
            must_be_path(path)
            with suppress(FileNotFoundError, NotADirectoryError):
                os.unlink(f"{self._root}/{path}")  # noqa: PTH108 (hot path, strings throughout)
                folders.add(path.rpartition("/")[0])
        for folder in folders - {""}:
            with suppress(OSError):  # not empty
                os.rmdir(f"{self._root}/{folder}")  # noqa: PTH106 (the same)
                self._folders.discard(folder)

    def exists(self, path: str) -> bool:
        """See `Objects.exists`."""
        must_be_path(path)
        return os.path.isfile(f"{self._root}/{path}")  # noqa: PTH113 (the same)

    def names(self, folder: str = "") -> list[str]:
        """See `Objects.names`."""
        if folder:
            must_be_path(folder)
        try:
            with os.scandir(f"{self._root}/{folder}") as found:
                names = [each.name for each in found if each.is_file() and not each.name.startswith(".")]
        except (FileNotFoundError, NotADirectoryError):
            return []
        return sorted(f"{folder}/{name}" if folder else name for name in names)

    def _is_news(self, path: str, data: bytes) -> bool:
        must_be_path(path)
        try:
            known = self.get(path)
        except Unavailable:
            return True
        if known != data and path not in self._replaceable:
            raise Invalid("ledger.object_conflict", path=path)
        return known != data

    def _hidden(self, path: str) -> str:
        folder, _, name = path.rpartition("/")
        return f"{self._root}/{folder}/.{name}.new"

    def _write_all(self, some: Mapping[str, bytes]) -> None:
        """Write files, hand all of them to the system, and only then wait for the disk."""
        with ExitStack() as opened:
            descriptors: dict[str, int] = {}
            for path, data in some.items():
                descriptors[path] = descriptor = self._open(path)
                opened.callback(os.close, descriptor)
                _write(descriptor, data)
                _start(descriptor)
            for path, descriptor in descriptors.items():
                self._fsync(descriptor, path)

    def _open(self, path: str) -> int:
        try:
            return self._create(path)
        except FileNotFoundError:  # somebody else cleared an empty folder away
            self._folders.clear()
            return self._create(path)

    def _create(self, path: str) -> int:
        self._make(path.rpartition("/")[0])
        return os.open(self._hidden(path), os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o644)

    def _make(self, folder: str) -> None:
        """Make a folder and those above it, each durable in the one above."""
        if folder in self._folders:
            return
        if folder:
            above = folder.rpartition("/")[0]
            self._make(above)
            with suppress(FileExistsError):
                os.mkdir(f"{self._root}/{folder}")  # noqa: PTH102 (hot path, strings throughout)
            self._sync(f"{self._root}/{above}")
        elif not self.directory.is_dir():
            self.directory.mkdir(parents=True, exist_ok=True)
            self._sync(str(self.directory.parent))
        self._folders.add(folder)

    def _sync(self, folder: str) -> None:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            self._fsync(descriptor, folder)
        finally:
            os.close(descriptor)

    def _fsync(self, descriptor: int, what: str) -> None:
        try:
            os.fsync(descriptor)
        except OSError as error:
            self._lost(what, error)

    def _lost(self, what: str, error: OSError) -> NoReturn:
        self._broken = True
        raise DurabilityLost(what) from error


def _write(descriptor: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def _start(descriptor: int) -> None:
    """Let the system begin to write without waiting for it; a hint, the fsync afterwards is what counts.

    Worth a quarter of a put of ten files on a fast disk; on one that is busy with others, or for few files, nothing.
    """
    if hasattr(os, "posix_fadvise"):
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)


class FileJournal(FileObjects):
    """A journal in a directory of its own, held by one process at a time."""

    def __init__(self, directory: Path | str) -> None:
        super().__init__(directory, replaceable=())
        self._lock: int | None = None

    def hold(self) -> None:
        """See `Journal.hold`."""
        if self._lock is not None:
            return
        self._make("")
        descriptor = os.open(f"{self._root}/{LOCK}", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(descriptor)
            raise Unavailable("ledger.writer_running", directory=self._root) from error
        self._lock = descriptor

    def release(self) -> None:
        """See `Journal.release`."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None
