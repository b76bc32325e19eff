"""Files in object storage, read piece by piece within the places that the operator named.

    with opened("s3://stock/drop/a.parquet", within=["s3://stock/drop/"]) as file:
        file.seek(0); file.read(8)
    places("s3://stock/drop/*.parquet", within=...)         addresses that a pattern means

An address outside of these places is refused before anything is asked, so that nobody makes this machine call what it
alone can reach. `https://` and `http://` are asked for here, by ranges and with no redirect: what a server sends beyond
what was asked for is not read. Buckets (`s3://`, `gs://`, `az://`, `abfss://`) are asked for by Daft, with the access
that it is given or finds; it asks for ranges too, but takes whatever is answered: so far a bucket's storage is trusted.
"""

from __future__ import annotations

import http.client
import io
import re
from abc import abstractmethod
from collections.abc import Collection, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any, BinaryIO, Final, cast
from urllib.parse import quote, urlsplit

from chopmark.base.errors import Refused, Unavailable

if TYPE_CHECKING:
    import daft

WEB: Final = ("https://", "http://")
BUCKETS: Final = ("s3://", "gs://", "az://", "abfss://")
SCHEMES: Final = (*BUCKETS, *WEB)
MAX_PLACES: Final = 10_000  # files of one pattern
PIECE: Final = 1 << 20  # bytes that are asked for at a time, where less is wanted
AT_ONCE: Final = 64 << 20  # bytes that one request asks for at most
TIMEOUT: Final = 30.0  # seconds between two signs of life
_ODD: Final = re.compile(r"[\x00-\x1f\x7f\\#]|%2[ef]|/\.\.?(?:/|$)|//", re.IGNORECASE)
"""What may make an address lead elsewhere than it seems."""


def is_address(place: str) -> bool:
    """Whether it is in a storage, and not on this machine."""
    return place.startswith(SCHEMES)


def must_be_within(place: str, within: Collection[str]) -> None:
    """Stop at an address that lies in none of the places that the operator named.

    Raises:
        Refused: `watch.storage_elsewhere`.
    """
    plain, _, query = place.partition("?")
    path = plain.partition("://")[2]
    named = (each if each.endswith("/") else f"{each}/" for each in within)
    odd = _ODD.search(path) or re.search(r"[^!-~]|#", query)
    if odd or (query and not place.startswith(WEB)) or not any(plain.startswith(each) for each in named):
        raise Refused("watch.storage_elsewhere", file=plain[:200])


def places(place: str, *, within: Collection[str], access: daft.io.IOConfig | None = None) -> Sequence[str]:
    """The addresses that a pattern with `*` means, in their order; of a bucket only. What is no pattern means itself.

    Raises:
        Refused: `watch.storage_elsewhere`; `watch.files_none`.
        Unavailable: `watch.storage_unavailable`.
    """
    must_be_within(place, within)
    if "*" not in place or place.startswith(WEB):
        return [place]
    import daft  # noqa: PLC0415 (heavy; only who reads storage)

    from chopmark.watch.engine.run import use_runner  # noqa: PLC0415 (the same)

    use_runner("native")
    with _answering(place):
        found = sorted(daft.from_glob_path(place, io_config=access).limit(MAX_PLACES + 1).to_pydict()["path"])
    if not found or len(found) > MAX_PLACES:
        raise Refused("watch.files_none")
    for each in found:
        must_be_within(each, within)
    return found


@contextmanager
def opened(place: str, *, within: Collection[str], access: daft.io.IOConfig | None = None) -> Iterator[Remote]:
    """A file that can be read anywhere.

    Raises:
        Refused: `watch.storage_elsewhere`. Unavailable: `watch.storage_unavailable`, here and while it is read.
    """
    must_be_within(place, within)
    with ExitStack() as stack:
        with _answering(place):
            file: Remote = Web(place) if place.startswith(WEB) else Bucket(place, access)
            stack.enter_context(file)
        yield file


class Remote(io.RawIOBase):
    """Bytes at an address; `io.BufferedReader` reads it line by line, Arrow by ranges.

    Attributes:
        size: in bytes, as the storage said when it was opened.
    """

    def __init__(self, place: str) -> None:
        super().__init__()
        self._place, self._at, self.size = place, 0, 0

    def readable(self) -> bool:
        """Yes."""
        return True

    def seekable(self) -> bool:
        """Yes."""
        return True

    def tell(self) -> int:
        """Where the next byte is."""
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go there."""
        self._at = max(0, offset + (0, self._at, self.size)[whence])
        return self._at

    def readinto(self, buffer: Any) -> int:  # noqa: ANN401 (whatever has room for bytes; its type has no name in 3.11)
        """The next bytes; none at the end.

        Raises:
            Unavailable: `watch.storage_unavailable`.
        """
        wanted = min(len(buffer), self.size - self._at, AT_ONCE)
        if wanted <= 0:
            return 0
        with _answering(self._place):
            data = self._piece(self._at, wanted)
            if not 0 < len(data) <= wanted:
                raise OSError(len(data))
        buffer[: len(data)] = data
        self._at += len(data)
        return len(data)

    @abstractmethod
    def _piece(self, start: int, size: int) -> bytes:
        """Bytes from there on, at least one and at most so many."""


class Bucket(Remote):
    """A file in a bucket, by Daft."""

    def __init__(self, place: str, access: daft.io.IOConfig | None) -> None:
        import daft  # noqa: PLC0415 (heavy; only who reads storage)

        from chopmark.watch.engine.run import use_runner  # noqa: PLC0415 (the same)

        use_runner("native")
        super().__init__(place)
        self._stack = ExitStack()
        self._file = cast("Any", self._stack.enter_context(daft.File(place, access).open(buffer_size=PIECE)))
        self.size = int(self._file.size())

    def _piece(self, start: int, size: int) -> bytes:
        self._file.seek(start, io.SEEK_SET)
        return bytes(self._file.read(size))

    def close(self) -> None:
        """Let go of it."""
        if not self.closed:
            self._stack.close()
        super().close()


class Web(Remote):
    """A file of a server that knows ranges."""

    def __init__(self, place: str) -> None:
        super().__init__(place)
        self._parts = urlsplit(place)
        path = quote(self._parts.path or "/", safe="/%!$&'()*+,;=:@~")
        self._asked = f"{path}?{self._parts.query}" if self._parts.query else path
        self._held, self._first = b"", 0
        self._ask(0, 1)

    def _piece(self, start: int, size: int) -> bytes:
        held = self._held[start - self._first :][:size] if start >= self._first else b""
        return held or self._ask(start, min(max(size, PIECE), self.size - start))[:size]

    def _ask(self, start: int, size: int) -> bytes:
        """One request, one answer, and no more of it than was asked for."""
        secure = self._parts.scheme == "https"
        kind = http.client.HTTPSConnection if secure else http.client.HTTPConnection
        line = kind(self._parts.netloc, timeout=TIMEOUT)
        try:
            asked = {"Range": f"bytes={start}-{start + size - 1}", "Accept-Encoding": "identity"}
            line.request("GET", self._asked, headers=asked)
            answer = line.getresponse()
            if answer.status == http.client.REQUESTED_RANGE_NOT_SATISFIABLE and self.size == start == 0:
                return b""  # an empty file has no first byte
            said = re.fullmatch(r"bytes ([0-9]{1,18})-[0-9]{1,18}/([0-9]{1,18})", answer.headers["Content-Range"] or "")
            if answer.status != http.client.PARTIAL_CONTENT or said is None or int(said[1]) != start:
                raise OSError(answer.status)  # a redirect, an error, or a server that knows no ranges
            if self.size not in {0, int(said[2])}:
                raise OSError(said[2])  # another file than a moment ago
            self.size = int(said[2])
            self._first, self._held = start, answer.read(size)
            return self._held
        finally:
            line.close()


def stream(file: Remote) -> BinaryIO:
    """The same, read ahead."""
    return cast("BinaryIO", io.BufferedReader(file, PIECE))


@contextmanager
def _answering(place: str) -> Iterator[None]:
    """What a storage does not answer is one code."""
    try:
        yield
    except (OSError, http.client.HTTPException, ValueError) as error:  # Daft's own errors are ValueErrors
        raise Unavailable("watch.storage_unavailable", file=place.partition("?")[0][:200]) from error
