"""Files of a marketplace become files that a scan reads: CSV, JSON lines or Parquet, here or in object storage.

    told = bring(["drop/*.csv.gz"], into=folder, marketplace="demo", columns={"item": "sku"})

Every row goes through `listing.clean`; rows that are no listings are written to `refused.jsonl` with their place and
why. JSON lines are read line by line, so that one hostile line costs itself alone; in CSV it costs what its open quote
takes in, 4 million characters at most. Parquet is read by row groups of bounded size (`engine.parquets`): here and at
addresses of object storage (`doors.storage`) alike. Memory is bounded by one file that is written.
"""

from __future__ import annotations

import csv
import glob
import gzip
import io
import itertools
import json
import zlib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, BinaryIO, Final, Self, cast

from chopmark.base.errors import Invalid, Refused
from chopmark.watch.doors import storage
from chopmark.watch.doors.batch import line_of
from chopmark.watch.engine.plan import SIZE
from chopmark.watch.listing import Classes, Listing, clean

if TYPE_CHECKING:
    import daft

MAX_LINE: Final = 4 << 20  # characters of one line
KINDS: Final = ("parquet", "csv", "tsv", "jsonl", "ndjson")
REFUSED: Final = "refused.jsonl"
AT_ONCE: Final = 1_000  # rows of Parquet that are objects at a time
COLUMNS: Final = frozenset(
    (
        *("marketplace", "item", "version", "seller", "title", "description", "brand", "price_minor", "price"),
        *("currency", "category", "classes", "territories", "pictures", "gtin", "stock", "url", "contact"),
        *("listed_at", "changed_at"),
    )
)
"""What a listing is made of: `listing.clean` reads no more."""

Raw = Mapping[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Brought:
    """What came in.

    Attributes:
        files: that were written. listings, refused: rows. flags: how many listings have each.
    """

    files: tuple[Path, ...]
    listings: int
    refused: int
    flags: Mapping[str, int]


def bring(
    sources: Sequence[str],
    *,
    into: Path,
    marketplace: str,
    columns: Mapping[str, str] | None = None,
    classes_of: Classes | None = None,
    access: daft.io.IOConfig | None = None,
    within: Collection[str] = (),
    size: int = SIZE,
) -> Brought:
    """Read all sources, write `listings-000000.parquet` and so on.

    Args:
        sources: paths, patterns or addresses.
        into: a folder without such files.
        columns: our name of a column -> theirs, where they differ.
        access: keys and end point of object storage. within: addresses that sources may lie under.

    Raises:
        Refused: `watch.files_none` when nothing fits; `watch.files_there` when the folder has listings already;
            `watch.storage_elsewhere`.
        Invalid: `watch.file_kind` for a name without one of `KINDS`; `watch.file_unreadable`.
        Unavailable: `watch.storage_unavailable`.
    """
    into.mkdir(parents=True, exist_ok=True)
    if any(into.glob("listings-*.parquet")):
        raise Refused("watch.files_there")
    places = list(places_of(sources, access=access, within=within))
    if not places:
        raise Refused("watch.files_none")
    kinds = [kind_of(each) for each in places]
    wanted = frozenset((*COLUMNS, *(columns or {}).values()))
    written: list[Path] = []
    counts: dict[str, int] = {}
    told = _Refusals(into / REFUSED)
    rows = (
        (place, number, raw)
        for place, kind in zip(places, kinds, strict=True)
        for number, raw in enumerate(read(place, kind, access=access, within=within, columns=wanted), 1)
    )
    good = _listings(rows, told, marketplace=marketplace, columns=columns or {}, classes_of=classes_of)
    brought = 0
    with told:
        while batch := list(itertools.islice(good, size)):
            written.append(_write(into / f"listings-{len(written):06d}.parquet", batch))
            brought += len(batch)
            for listing in batch:
                for flag in listing.flags:
                    counts[flag] = counts.get(flag, 0) + 1
    return Brought(files=tuple(written), listings=brought, refused=told.count, flags=counts)


def kind_of(place: str) -> str:
    """What a name says of its content.

    Raises:
        Invalid: `watch.file_kind`.
    """
    plain = place.partition("?")[0].lower().removesuffix(".gz")
    kind = plain.rpartition(".")[2]
    if kind not in KINDS or (kind == "parquet" and place.lower().endswith(".gz")):
        raise Invalid("watch.file_kind", file=place.rpartition("/")[2][:200], kinds=list(KINDS))
    return kind


def read(
    place: str,
    kind: str,
    *,
    access: daft.io.IOConfig | None = None,
    within: Collection[str] = (),
    columns: Collection[str] = COLUMNS,
) -> Iterator[Raw | None]:
    """The rows of one file; None for a row that cannot be read.

    Args:
        access, within: as of `bring`.
        columns: those that are read of Parquet; other kinds have their names on the way only.

    Raises:
        Refused: `watch.storage_elsewhere`.
        Invalid: `watch.file_unreadable`, `watch.rows_too_large`. Unavailable: `watch.storage_unavailable`.
    """
    if storage.is_address(place):
        with storage.opened(place, within=within, access=access) as remote:
            if kind == "parquet":
                yield from _parquet(Path(place), columns, remote)
            else:
                yield from _text(storage.stream(remote), place, kind)
    elif kind == "parquet":
        yield from _parquet(Path(place), columns)
    else:
        try:
            with Path(place).open("rb") as file:
                yield from _text(file, place, kind)
        except OSError as error:
            raise Invalid("watch.file_unreadable", file=Path(place).name) from error


def named(source: str, *, within: Collection[str] = ()) -> Sequence[str]:
    """The files that a name means: itself here, whether it is there or not, or what a pattern means in a bucket.

    Raises:
        Refused: `watch.storage_elsewhere`, `watch.files_none`. Unavailable: `watch.storage_unavailable`.
    """
    return storage.places(source, within=within) if storage.is_address(source) else [source]


def places_of(
    sources: Iterable[str], *, access: daft.io.IOConfig | None = None, within: Collection[str] = ()
) -> Iterator[str]:
    """Files by name, path or pattern, here or at addresses.

    Raises:
        Refused: `watch.storage_elsewhere`, `watch.files_none`. Unavailable: `watch.storage_unavailable`.
    """
    for source in sources:
        if storage.is_address(source):
            yield from storage.places(source, within=within, access=access)
        else:
            yield from sorted(each for each in glob.glob(source, recursive=True) if Path(each).is_file())  # noqa: PTH207 (patterns may be absolute)


def _text(file: BinaryIO, place: str, kind: str) -> Iterator[Raw | None]:
    """Lines of a file, packed or not.

    Raises:
        Invalid: `watch.file_unreadable`.
    """
    packed = place.partition("?")[0].lower().endswith(".gz")
    plain = gzip.GzipFile(fileobj=file, mode="rb") if packed else file
    try:
        with io.TextIOWrapper(cast("BinaryIO", plain), encoding="utf-8-sig", errors="replace", newline="") as text:
            yield from (
                _json_lines(text)
                if kind in ("jsonl", "ndjson")
                else _csv(text, Path(place).name, "\t" if kind == "tsv" else ",")
            )
    except (OSError, EOFError, zlib.error) as error:
        raise Invalid("watch.file_unreadable", file=Path(place).name) from error


def _lines(file: IO[str]) -> Iterator[str]:
    """Lines of at most `MAX_LINE` characters; of a longer one the beginning, which no reader takes for a row."""
    while line := file.readline(MAX_LINE + 1):
        if len(line) > MAX_LINE and not line.endswith("\n"):
            while (rest := file.readline(MAX_LINE)) and not rest.endswith("\n"):
                pass
            yield "\n"
        else:
            yield line


def _json_lines(file: IO[str]) -> Iterator[Raw | None]:
    for line in _lines(file):
        said = line_of(line.encode("utf-8", "replace"))
        yield said if isinstance(said, dict) else None


def _csv(file: IO[str], place: str, delimiter: str) -> Iterator[Raw | None]:
    """Rows by the names of the first one. A quote that nobody ends takes what follows with it, up to `MAX_LINE`.

    Raises:
        Invalid: `watch.file_unreadable` where the first row never ends.
    """
    # A field may be as long as a line; what is too long for a listing is cut there and flagged.
    csv.field_size_limit(MAX_LINE)
    rows = csv.reader((line.replace("\0", "\ufffd") for line in _lines(file)), delimiter=delimiter)
    try:
        names = next(rows, [])
    except csv.Error as error:
        raise Invalid("watch.file_unreadable", file=place) from error
    while True:
        try:
            row = next(rows)
        except StopIteration:
            return
        except csv.Error:
            yield None
            continue
        if len(row) != len(names):
            yield None
        else:
            yield {name: value for name, value in zip(names, row, strict=True) if value}


def _parquet(path: Path, columns: Collection[str], remote: storage.Remote | None = None) -> Iterator[Raw]:
    """Row group by row group, each of bounded size."""
    from chopmark.watch.engine.parquets import opened, opened_stream  # noqa: PLC0415 (heavy; only who brings files)
    from chopmark.watch.engine.score_partition import readable_text  # noqa: PLC0415 (the same)

    with opened(path) if remote is None else opened_stream(path, remote, remote.size) as file:
        wanted = [each for each in file.names if each in columns]
        for start, rows in file.groups():
            table = readable_text(file.rows(start, rows, wanted))
            for at in range(0, rows, AT_ONCE):
                for row in table.slice(at, AT_ONCE).to_pylist():
                    yield {name: value for name, value in row.items() if value is not None}


class _Refusals:
    """Writes rows that are no listings, one a line."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("w", encoding="utf-8")
        self.count = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def add(self, place: str, number: int, code: str) -> None:
        """One more; the row's content is left out, since it may be anything."""
        self.count += 1
        name = place.partition("?")[0].rpartition("/")[2]
        self._file.write(json.dumps({"file": name, "row": number, "code": code}, ensure_ascii=False) + "\n")


def _listings(
    rows: Iterable[tuple[str, int, Raw | None]],
    told: _Refusals,
    *,
    marketplace: str,
    columns: Mapping[str, str],
    classes_of: Classes | None,
) -> Iterator[Listing]:
    for place, number, raw in rows:
        try:
            if raw is None:
                raise Invalid("watch.push_row")  # noqa: TRY301 (refused like any other)
            said: dict[str, Any] = {**raw, **{ours: raw.get(theirs) for ours, theirs in columns.items()}}
            yield clean(said, marketplace=marketplace, classes_of=classes_of)
        except Invalid as error:
            told.add(place, number, error.code)


def _write(path: Path, batch: Sequence[Listing]) -> Path:
    from chopmark.watch.engine.schema import table_of  # noqa: PLC0415 (heavy; only who brings files)
    from chopmark.watch.engine.work import write  # noqa: PLC0415 (the same)

    write(table_of(batch), path)
    return path
