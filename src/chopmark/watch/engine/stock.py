"""The columns of the stock that searches backwards read: one row a listing, its words in two plain forms.

    canon       words of title and brand field as `text.canon` folds them, a blank before and after each
    compact     the same without blanks, letters and digits that look alike made one: `n1 ke` is `nike`

Written beside a scan's results, one file a partition, so that a right that is filed tomorrow is looked for in what is
offered today without reading the marketplace's own files again. `compact` proposes; what is proposed is then read by
the matcher, since a name lies in the middle of many words.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from chopmark.watch.listing import MAX_BRAND, MAX_TITLE
from chopmark.watch.text.canon import words

if TYPE_CHECKING:
    import pyarrow as pa

COLUMNS: Final = ("marketplace", "item", "version", "seller", "title", "brand", "canon", "compact")
_SIGNS: Final = str.maketrans(
    {"$": "s", "@": "a", "!": "i", "|": "i", "+": "t", "€": "e", "£": "l", "¢": "c", "¥": "y", "§": "s", "¡": "i"}
)
_ALIKE: Final = str.maketrans("01l345789", "oiieastbg")
_PAIRS: Final = (("rn", "m"), ("vv", "w"), ("ci", "d"))  # an l is an i by then


def file_of(folder: Path, index: int) -> Path:
    """Where the stock of a partition lies."""
    return folder / "stock" / f"part-{index:06d}.parquet"


def canon_of(title: str, brand: str = "") -> str:
    """The plain words of a listing, so that ` nike ` is found wherever the word stands."""
    return f" {words(title)} | {words(brand)} " if brand else f" {words(title)} "


def compact_of(text: str) -> str:
    """A text without blanks and with one form of all that looks alike."""
    plain = words(text.translate(_SIGNS)).replace(" ", "").translate(_ALIKE)
    for pair, single in _PAIRS:
        plain = plain.replace(pair, single)
    return plain


def table_of(table: pa.Table, marketplace: str = "") -> pa.Table:
    """The stock's columns of a table of listings."""
    import pyarrow as pa  # noqa: PLC0415 (heavy; only who scans)

    size = len(table)

    def column(name: str, kind: pa.DataType) -> pa.Array:
        if name not in table.column_names:
            return pa.nulls(size, kind)
        given = table.column(name).combine_chunks()
        try:
            return given.cast(kind)
        except pa.ArrowException:  # of another kind, as a whole or in some rows: those say nothing
            return pa.array([_as(kind, each) for each in given.to_pylist()], kind)

    def _as(kind: pa.DataType, value: object) -> object:
        try:
            return pa.scalar(value).cast(kind).as_py()
        except (pa.ArrowException, OverflowError):
            return None

    titles = [(each or "")[:MAX_TITLE] for each in column("title", pa.string()).to_pylist()]
    brands = [(each or "")[:MAX_BRAND] for each in column("brand", pa.string()).to_pylist()]
    canons = [canon_of(title, brand) for title, brand in zip(titles, brands, strict=True)]
    compact = [f"{compact_of(title)}|{compact_of(brand)}" for title, brand in zip(titles, brands, strict=True)]
    named = pa.array([marketplace] * size, pa.string()) if marketplace else column("marketplace", pa.string())
    arrays = [named, column("item", pa.string()), column("version", pa.int64()), column("seller", pa.string())]
    arrays += [pa.array(each, pa.string()) for each in (titles, brands, canons, compact)]
    return pa.Table.from_arrays(arrays, names=list(COLUMNS))
