"""Pictures of listings on disk: read by their SHA-256 from a folder, and what is kept of those that were looked at.

    Folder(path)(picture)       bytes of `listing.Picture`
    Cache(path)                 by address which picture was there; by SHA-256 what it looks like; those with a hit

So the same picture is fetched and decoded once, and who reviews a hit sees the picture as it was. Reaches no network;
`watch.fetch` does.
"""

from __future__ import annotations

import hashlib
import os
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final, Protocol, runtime_checkable

from chopmark.base import jcs
from chopmark.base.errors import Invalid, Refused
from chopmark.watch.listing import Picture
from chopmark.watch.pictures import Seen

MAX_SIZE: Final = 8_000_000
"""Bytes of a picture."""


class Source(Protocol):
    """Gives the bytes of a picture."""

    def __call__(self, picture: Picture, /) -> bytes:
        """They; or why not.

        Raises:
            Refused, Invalid, Unavailable: this picture cannot be had.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """What was at an address; `same` when it is what it was, and then no bytes."""

    data: bytes
    etag: str
    same: bool = False


@runtime_checkable
class Fetches(Source, Protocol):
    """A source that can be asked for what is at an address now (`watch.fetch.Fetcher`)."""

    def fetch(self, url: str, *, etag: str = "") -> Fetched:
        """What lies there; nothing when it is still what had this ETag. Raises as a call."""


class Folder:
    """Pictures that lie in a folder, or in a mounted store, as `<SHA-256 in hex>` or `<its first two digits>/<it>`."""

    def __init__(self, path: Path, *, most: int = MAX_SIZE) -> None:
        self._path, self._most = path, most

    def __call__(self, picture: Picture) -> bytes:
        """The bytes of a picture, which must be those of its SHA-256.

        Raises:
            Refused: `watch.picture_refused` when it is not there, or is another.
            Invalid: `watch.picture_too_large`.
        """
        name = picture.sha256.hex()
        for path in (self._path / name, self._path / name[:2] / name):
            with suppress(FileNotFoundError), path.open("rb") as file:
                data = file.read(self._most + 1)
                if len(data) > self._most:
                    raise Invalid("watch.picture_too_large", most=self._most)
                if hashlib.sha256(data).digest() == picture.sha256:
                    return data
        raise Refused("watch.picture_refused", status=404)


# ---- what is kept ----------------------------------------------------------------------------------------------------

NAME: Final = "pdq64-v1+orb640-v1"
"""Of what made the descriptions: those of another version are made again."""
FRESH: Final = timedelta(hours=1)
"""For so long an address is not asked again: who swaps a picture behind it is seen at the next look."""
TRUSTED: Final = timedelta(days=1)
"""For so long a host is believed that nothing changed (its ETag); then the bytes are asked for again."""
KEPT: Final = timedelta(days=30)
"""What was not used for so long is forgotten."""
PARTS: Final = 256
"""The cache is tidied in so many parts, by the first two digits of the names: none takes long."""
_NOTED: Final = 24 * 3600.0  # seconds after which a use is noted again


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What was at an address.

    Attributes:
        etag: to ask with; empty when the host gave none, or when its word has been taken for long enough.
        fresh: it need not be asked again. had: when its bytes came.
    """

    etag: str
    sha256: bytes
    fresh: bool
    had: datetime


class Cache:
    """See the module. A folder; may be shared by threads and processes. What is damaged is as if it were not there."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def known(self, url: str, at: datetime) -> Known | None:
        """What was at this address."""
        try:
            said = jcs.decode(self._read("address", _key(url)))
            found_at, had = (datetime.fromisoformat(said[name]) for name in ("at", "had"))
            same = said["url"] == url
            known = Known(
                etag=str(said["etag"]) if timedelta() <= at - had < TRUSTED else "",
                had=had,
                sha256=bytes.fromhex(said["sha256"]),
                fresh=timedelta() <= at - found_at < FRESH,
            )
        except (FileNotFoundError, Invalid, KeyError, TypeError, ValueError):
            return None
        return known if same else None

    def remember(self, url: str, etag: str, sha256: bytes, at: datetime, *, had: datetime | None = None) -> None:
        """What is at this address now.

        Args:
            had: when its bytes came, where the host only said that they are the same.
        """
        said = {
            "url": url,
            "etag": etag,
            "sha256": sha256.hex(),
            "at": at.isoformat(),
            "had": (had or at).isoformat(),
        }
        self._write("address", _key(url), jcs.encode(said))

    def seen(self, sha256: bytes) -> Seen | None:
        """What a picture looks like."""
        try:
            found = Seen.parse(self._read(NAME, sha256.hex()))
        except (FileNotFoundError, Invalid):
            return None
        return found if found.sha256 == sha256 else None

    def keep_seen(self, seen: Seen) -> None:
        """What a picture looks like, for who meets it next."""
        self._write(NAME, seen.sha256.hex(), seen.encode())

    def held(self, sha256: bytes) -> bytes | None:
        """The bytes of a picture in which something was found."""
        with suppress(FileNotFoundError):
            data = self._read("held", sha256.hex())
            return data if hashlib.sha256(data).digest() == sha256 else None
        return None

    def hold(self, data: bytes) -> None:
        """Keep a picture in which something was found."""
        self._write("held", hashlib.sha256(data).hexdigest(), data)

    def tidy(self, at: datetime, *, part: int | None = None) -> int:
        """Forget what was not used for long, and what was left half written; how many files.

        Args:
            part: one of `PARTS`, from nought; all when not said.
        """
        before, gone = (at - KEPT).timestamp(), 0
        for folder in sorted(self._folder.glob("*/*" if part is None else f"*/{part:02x}")):
            with suppress(FileNotFoundError, NotADirectoryError), os.scandir(folder) as files:
                for each in files:
                    with suppress(FileNotFoundError):
                        if each.is_file(follow_symlinks=False) and each.stat().st_mtime < before:
                            Path(each.path).unlink()
                            gone += 1
        return gone

    def _read(self, kind: str, name: str) -> bytes:
        """Reading is a use, which is noted once a day."""
        path = self._folder / kind / name[:2] / name
        data = path.read_bytes()
        with suppress(OSError):  # a disk that cannot be written: read all the same
            if time.time() - path.stat().st_mtime > _NOTED:
                os.utime(path)
        return data

    def _write(self, kind: str, name: str, data: bytes) -> None:
        """Whole or not at all; a full disk costs the memory of it and nothing else."""
        path = self._folder / kind / name[:2] / name
        draft = path.with_name(f".{name}.{os.getpid()}.{threading.get_ident()}")
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            draft.write_bytes(data)
            draft.replace(path)
        except OSError:
            with suppress(OSError):
                draft.unlink()


def _key(url: str) -> str:
    return hashlib.sha256(url.encode("utf-8", "surrogatepass")).hexdigest()
