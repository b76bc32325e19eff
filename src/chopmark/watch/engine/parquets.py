"""Parquet files of strangers, read with a bound: what a file says of itself is checked, and what it unpacks to.

    with opened(path) as file:          footer read and checked
        table = file.rows(0, 1_000, columns)

A few kilobytes can stand for a terabyte: a value that is kept once and repeated by number, a page that is packed, a
footer that claims what is not there. Texts are therefore read as numbers and values, measured, and only then made
texts. `LIMIT` bounds what one reading holds; row groups that say they are larger are refused, since they are read as
a whole.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol

import pyarrow as pa
from pyarrow import parquet

from chopmark.base.errors import Invalid

if TYPE_CHECKING:
    from pyarrow.parquet import FileMetaData, ParquetFile

LIMIT: Final = 1 << 30
"""Bytes of one row group by its own word, and of the rows of one reading."""
FEW: Final = 100
"""Rows of lists that are read at a time where they cannot be measured before."""
FOOTER: Final = 64 << 20
"""Bytes of a footer that is fetched from elsewhere."""
END: Final = 8
"""Bytes at the end that say how long the footer is."""
ELEMENTS: Final = 1_000
"""Elements of a list for each row, on average: of pictures 50 are read."""


class Stream(Protocol):
    """Bytes that can be read anywhere."""

    def seek(self, offset: int, /) -> int:
        """Go there."""

    def read(self, size: int, /) -> bytes | None:
        """The next bytes."""


class File:
    """A file whose footer was checked."""

    def __init__(self, path: Path, opened_as: Callable[..., ParquetFile], size: int) -> None:
        self._path = path
        self._open = opened_as
        with opened_as(path) as file:
            self._metadata = file.metadata
            self.names: list[str] = file.schema_arrow.names
        _check_groups(self._metadata, path, size)

    @property
    def length(self) -> int:
        """How many rows."""
        found: int = self._metadata.num_rows
        return found

    def groups(self) -> Iterator[tuple[int, int]]:
        """The first row of each row group, and how many it has."""
        start = 0
        for each in range(self._metadata.num_row_groups):
            rows = self._metadata.row_group(each).num_rows
            yield start, rows
            start += rows

    def rows(self, start: int, rows: int, columns: Collection[str]) -> pa.Table:
        """Rows `[start, start + rows)`; fewer where the file ends. Only the row groups that hold them are read.

        Raises:
            Invalid: `watch.rows_too_large`; `watch.file_unreadable`.
        """
        tables = []
        size = 0
        try:
            for at, (first, held) in enumerate(self.groups()):
                begin, end = max(start - first, 0), min(start + rows - first, held)
                if begin < end:
                    table = self._group(at, columns)
                    size += sum(map(unpacked, table.columns))
                    if size > LIMIT:
                        raise self._too_large()
                    some = table.slice(begin, end - begin)
                    tables.append(pa.table(dict(zip(some.column_names, map(_plainly, some.columns), strict=True))))
            return pa.concat_tables(tables) if tables else pa.table({each: [] for each in columns})
        except (OSError, pa.ArrowException, OverflowError) as error:
            raise Invalid("watch.file_unreadable", file=self._path.name) from error

    def _group(self, at: int, columns: Collection[str]) -> pa.Table:
        """A row group with its texts as numbers and values."""
        texts = [each for each in _texts(self._metadata) if each.partition(".")[0] in columns]
        lists = {each.partition(".")[0] for each in texts if "." in each}
        with self._open(self._path, metadata=self._metadata, read_dictionary=texts) as file:
            flat = [each for each in columns if each not in lists]
            table = file.read_row_group(at, columns=flat, use_threads=False)
            for name in (each for each in columns if each in lists):
                try:
                    column = file.read_row_group(at, columns=[name], use_threads=False).column(0)
                except pa.ArrowNotImplementedError:  # its pages are of several kinds
                    column = self._slowly(at, name)
                table = table.append_column(name, column)
        return table.select([each for each in self.names if each in columns])

    def _slowly(self, at: int, name: str) -> pa.ChunkedArray:
        """A column of lists, some rows at a time, so that it is seen early when it grows without end."""
        chunks = []
        size = 0
        with self._open(self._path, metadata=self._metadata) as file:
            kind = file.schema_arrow.field(name).type
            for batch in file.iter_batches(FEW, row_groups=[at], columns=[name], use_threads=False):
                chunks.append(batch.column(0))
                size += batch.nbytes
                if size > LIMIT:
                    raise self._too_large()
        return pa.chunked_array(chunks, kind)

    def _too_large(self) -> Invalid:
        return Invalid("watch.rows_too_large", file=self._path.name, limit=LIMIT >> 20)


@contextmanager
def opened(path: Path) -> Iterator[File]:
    """The file, its footer checked.

    Raises:
        Invalid: `watch.file_unreadable`; `watch.rows_too_large`.
    """
    try:
        file = File(path, parquet.ParquetFile, path.stat().st_size)
    except (OSError, pa.ArrowException, OverflowError, MemoryError) as error:
        raise Invalid("watch.file_unreadable", file=path.name) from error
    yield file


@contextmanager
def opened_stream(path: Path, stream: Stream, size: int) -> Iterator[File]:
    """The same of bytes that lie elsewhere, and are asked for by ranges.

    Args:
        path: for its name. size: of the stream, as somebody says who may say too much.

    Raises:
        Invalid: as above.
    """

    def again(_: Path, **said: Any) -> ParquetFile:  # noqa: ANN401 (what Arrow takes)
        return parquet.ParquetFile(pa.PythonFile(stream, "r"), **said)

    try:
        stream.seek(max(0, size - END))
        if int.from_bytes((stream.read(END) or b"")[:4], "little") > min(FOOTER, size):
            raise Invalid("watch.file_unreadable", file=path.name)
        file = File(path, again, size)
    except (OSError, pa.ArrowException, OverflowError, MemoryError) as error:
        raise Invalid("watch.file_unreadable", file=path.name) from error
    yield file


def _check_groups(metadata: FileMetaData, path: Path, size: int) -> None:
    """Stop at a footer that claims more than the file has, or at a row group that is read whole and too large."""
    rows = packed = 0
    for at in range(metadata.num_row_groups):
        group = metadata.row_group(at)
        rows += group.num_rows
        chunks = [group.column(each) for each in range(group.num_columns)]
        held = sum(each.total_compressed_size for each in chunks)
        packed += held
        if any(each.num_values > ELEMENTS * (group.num_rows + 1) for each in chunks):
            raise Invalid("watch.rows_too_large", file=path.name, limit=LIMIT >> 20)
        if max(group.total_byte_size, held, sum(each.total_uncompressed_size for each in chunks)) > LIMIT:
            raise Invalid("watch.rows_too_large", file=path.name, limit=LIMIT >> 20)
    if rows != metadata.num_rows or rows < 0 or packed > size:
        raise Invalid("watch.file_unreadable", file=path.name)


def _texts(metadata: FileMetaData) -> list[str]:
    """Paths of all columns of text and bytes, those in lists too."""
    columns = [metadata.schema.column(each) for each in range(metadata.num_columns)]
    return [each.path for each in columns if each.physical_type == "BYTE_ARRAY"]


def unpacked(column: pa.ChunkedArray | pa.Array) -> int:
    """Bytes that a column takes when each of its values stands for itself."""
    if isinstance(column, pa.ChunkedArray):
        return sum(map(unpacked, column.chunks))
    kind = column.type
    if pa.types.is_dictionary(kind):
        import pyarrow.compute as pc  # noqa: PLC0415 (a part of pyarrow that is loaded by name)

        if not any(is_text(kind.value_type) for is_text in _OF_BYTES):
            return int(column.dictionary.nbytes) * max(1, len(column))
        sizes = pc.binary_length(column.dictionary).cast(pa.int64()).take(column.indices)
        return (pc.sum(sizes).as_py() or 0) + 4 * len(column)
    if pa.types.is_struct(kind):
        return sum(unpacked(column.field(at)) for at in range(kind.num_fields))
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        return unpacked(column.flatten()) + 4 * len(column)
    return int(column.nbytes)


def _plainly(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """The column as all that read it know it; one of a kind that no listing has is as if it were empty."""
    kind = _plain(column.type)
    if kind is None:
        return pa.chunked_array([pa.nulls(len(column))])
    return column.cast(kind, safe=False)  # what is finer than a microsecond is cut off


def _plain(kind: pa.DataType) -> pa.DataType | None:
    """The type without dictionaries, with one kind of text, bytes, lists and moments; None for what is none of ours."""
    if pa.types.is_dictionary(kind):
        return _plain(kind.value_type)
    if any(is_list(kind) for is_list in _LISTS):
        of = _plain(kind.value_type)
        return None if of is None else pa.list_(pa.field(kind.value_field.name, of))
    if pa.types.is_struct(kind):
        fields = [(each.name, _plain(each.type)) for each in (kind.field(at) for at in range(kind.num_fields))]
        return pa.struct(fields) if all(of is not None for _, of in fields) else None
    if pa.types.is_timestamp(kind):
        return pa.timestamp("us", kind.tz)
    return next((plain or kind for is_known, plain in _KNOWN if is_known(kind)), None)


_OF_BYTES: Final = (pa.types.is_string, pa.types.is_large_string, pa.types.is_binary, pa.types.is_large_binary)
_LISTS: Final = (pa.types.is_list, pa.types.is_large_list, pa.types.is_fixed_size_list)
_KNOWN: Final = (
    *((each, pa.string()) for each in (pa.types.is_large_string, pa.types.is_string_view)),
    *((each, pa.binary()) for each in (pa.types.is_large_binary, pa.types.is_binary_view)),
    (pa.types.is_fixed_size_binary, pa.binary()),
    *((each, None) for each in (pa.types.is_string, pa.types.is_binary, pa.types.is_boolean, pa.types.is_null)),
    *((each, None) for each in (pa.types.is_integer, pa.types.is_floating, pa.types.is_decimal, pa.types.is_date)),
)
"""Kinds that a value may have, and what they are read as, where that is another."""
