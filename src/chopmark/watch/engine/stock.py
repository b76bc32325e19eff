"""The columns of the stock that searches backwards read: one row a listing, its words in their plain form.

Written beside a scan's results, one file a partition, so that a right that is filed tomorrow is looked for in what is
offered today without reading the marketplace's own files again.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import pyarrow as pa

from chopmark.watch.listing import MAX_BRAND, MAX_TITLE
from chopmark.watch.text.canon import words

SCHEMA: Final = pa.schema(
    [
        pa.field("marketplace", pa.string()),
        pa.field("item", pa.string()),
        pa.field("version", pa.int64()),
        pa.field("seller", pa.string()),
        pa.field("title", pa.string()),
        pa.field("canon", pa.string()),  # plain words of title and brand field, a blank before and after each
    ]
)


def file_of(folder: Path, index: int) -> Path:
    """Where the stock of a partition lies."""
    return folder / "stock" / f"part-{index:06d}.parquet"


def table_of(table: pa.Table, marketplace: str = "") -> pa.Table:
    """The stock's columns of a table of listings."""
    size = len(table)

    def column(name: str, kind: pa.DataType) -> pa.Array:
        if name not in table.column_names:
            return pa.nulls(size, kind)
        return table.column(name).combine_chunks().cast(kind)

    titles = column("title", pa.string()).to_pylist()
    brands = column("brand", pa.string()).to_pylist()
    named = pa.array([marketplace] * size, pa.string()) if marketplace else column("marketplace", pa.string())
    plain = [canon_of(title or "", brand or "") for title, brand in zip(titles, brands, strict=True)]
    return pa.Table.from_arrays(
        [
            named,
            column("item", pa.string()),
            column("version", pa.int64()),
            column("seller", pa.string()),
            pa.array([(each or "")[:MAX_TITLE] for each in titles], pa.string()),
            pa.array(plain, pa.string()),
        ],
        schema=SCHEMA,
    )


def canon_of(title: str, brand: str = "") -> str:
    """The plain words of a listing, so that ` nike ` is found wherever the word stands."""
    return f" {words(title[:MAX_TITLE])} | {words(brand[:MAX_BRAND])} "
