"""Files that depositors left with the platform, content-addressed: `sha256/ab/abcd…`.

Not trusted: the digest is checked whenever a file is read. Who may read one is decided by `evidence.queries`.
A file is complete and durable before it appears under its name.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from chopmark.base.digests import Digester, Digests, chunks_of
from chopmark.base.errors import Invalid, Unavailable


class Blobs:
    """The files below one directory."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def path(self, sha256: bytes) -> Path:
        """Where the file with this digest lies, or would lie."""
        name = sha256.hex()
        return self._root / "sha256" / name[:2] / name

    def holds(self, sha256: bytes) -> bool:
        """Whether the file is here."""
        return self.path(sha256).is_file()

    def adopt(self, file: Path, sha256: bytes) -> None:
        """Give a finished file on the same disk its name here; durable on return.

        The caller has just computed the digest, and removes `file` when it has noted that the bytes are here.
        """
        target = self.path(sha256)
        if target.is_file():
            return
        make_directories(target.parent)
        with file.open("rb") as stream:
            os.fsync(stream.fileno())
        target.hardlink_to(file)
        sync_directory(target.parent)

    def read(self, sha256: bytes) -> Iterator[bytes]:
        """The file in pieces of at most 1 MiB, the last one held back until the digest has been checked.

        Raises:
            Unavailable: `evidence.blob_missing`.
            Invalid: `evidence.blob_damaged`, after the earlier pieces: the reader gets a broken download.
        """
        path = self.path(sha256)
        if not path.is_file():
            raise Unavailable("evidence.blob_missing", digest=sha256.hex())
        return self._checked(path, sha256)

    def _checked(self, path: Path, sha256: bytes) -> Iterator[bytes]:
        digester = Digester()
        held = b""
        with path.open("rb") as stream:
            for chunk in chunks_of(stream):
                if held:
                    yield held
                digester.update(chunk)
                held = chunk
        if digester.digests().sha256 != sha256:
            raise Invalid("evidence.blob_damaged", digest=sha256.hex())
        yield held

    def discard(self, sha256: bytes) -> None:
        """Forget a file that nobody keeps any more."""
        self.path(sha256).unlink(missing_ok=True)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the store still while files enter or leave it, across processes."""
        make_directories(self._root)
        with (self._root / ".lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def digests_of_file(path: Path, *, sm3: bool) -> Digests:
    """The digests of a file as it is stored now."""
    digester = Digester(sm3=sm3)
    with path.open("rb") as stream:
        for chunk in chunks_of(stream):
            digester.update(chunk)
    return digester.digests()


def make_directories(path: Path) -> None:
    """Make a directory and its missing parents; each new name is durable on return."""
    missing = [each for each in (path, *path.parents) if not each.exists()]
    for each in reversed(missing):
        each.mkdir(mode=0o700, exist_ok=True)
        sync_directory(each.parent)


def sync_directory(path: Path) -> None:
    """Make the names in a directory durable."""
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
