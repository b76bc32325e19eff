"""Pictures of a partition: looked at before its listings are scored; only those that show something go on.

    with_fingerprints(table, look)      the table with the column that `score_partition` reads

Pictures are read from a folder or a mounted store by their SHA-256; a scan asks no host for any.
"""

from __future__ import annotations

import atexit
import math
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pyarrow as pa

from chopmark.base.errors import Invalid
from chopmark.watch.engine.schema import FINGERPRINTS
from chopmark.watch.listing import Picture, pictures_of

if TYPE_CHECKING:
    from chopmark.media.workshop import Workshop
    from chopmark.watch.pictures import PictureMatcher, PictureSet, Seen

AT_ONCE: Final = 2_000
"""Listings whose pictures are looked at in one go."""
Look = Callable[[Sequence[Sequence[Picture]]], "list[tuple[Seen, ...]]"]
_SAME_FOR_ALL: Final = datetime(1970, 1, 1, tzinfo=UTC)  # without a cache nothing depends on when it was


def open_pictures(path: Path) -> tuple[PictureSet, PictureMatcher]:
    """A set, and its matcher.

    Raises:
        Invalid: `watch.pictures_malformed`.
    """
    from chopmark.watch.pictures import PictureMatcher, parse  # noqa: PLC0415 (loaded by who looks)

    try:
        found = parse(path.read_bytes())
    except OSError as error:
        raise Invalid("watch.pictures_malformed") from error
    return found, PictureMatcher(found)


def look_in(matcher: PictureMatcher, folder: Path, *, closely: bool = False) -> Look:
    """Looks at pictures that lie in a folder, in processes of the media cage.

    Args:
        closely: by local features and logos too, at fifty times the cost.
    """
    from chopmark.watch.looking import Looker  # noqa: PLC0415 (as above)
    from chopmark.watch.shelf import Folder  # noqa: PLC0415 (as above)

    patience = math.inf if closely else 0.0  # never by the clock: a partition done again gives the same rows
    looker = Looker(matcher, workshop=_workshop(), source=Folder(folder), patience=patience)
    return lambda listings: looker.look(listings, _SAME_FOR_ALL)


@cache
def _workshop() -> Workshop:
    from chopmark.media.workshop import Workshop  # noqa: PLC0415 (as above)

    made = Workshop(1)
    atexit.register(made.close)
    return made


def with_fingerprints(table: pa.Table, look: Look) -> pa.Table:
    """The table with the column; what it had in it already stays where there are no pictures."""
    if "pictures" not in table.column_names:
        return table
    column: list[list[bytes]] = []
    for start in range(0, len(table), AT_ONCE):
        values = table.column("pictures").slice(start, AT_ONCE).to_pylist()
        given = [tuple(each for each in pictures_of(value) if each.sha256) for value in values]
        column += [[seen.encode() for seen in several] for several in look(given)]
    made = pa.array(column, pa.list_(pa.binary()))
    if FINGERPRINTS in table.column_names:
        return table.set_column(table.column_names.index(FINGERPRINTS), FINGERPRINTS, made)
    return table.append_column(FINGERPRINTS, made)
