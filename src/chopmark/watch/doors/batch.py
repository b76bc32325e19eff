"""The body of a push: bytes from anybody -> listings, and what was refused, each by its place.

    read("application/json", body, marketplace="demo")      {"listings": [{...}, ...]}, or a list
    read("application/x-ndjson", body, marketplace="demo")  one object a line

What is refused in one listing never keeps the others out, a NaN among them, which JSON does not know but some programs
write. What is no body at all is refused whole.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from chopmark.base.errors import Invalid
from chopmark.watch.listing import MAX_BATCH, Classes, Listing, clean

MAX_BODY: Final = 16 << 20  # bytes of one push
MAX_LINE: Final = 4 << 20  # bytes of one listing in a body of lines
JSON: Final = "application/json"
LINES: Final = ("application/x-ndjson", "application/jsonl", "application/x-jsonlines")


@dataclass(frozen=True, slots=True, kw_only=True)
class Pushed:
    """What came.

    Attributes:
        listings: in their order, each item and version once: the last one counts.
        refused: place in the body and code of each that is no listing.
    """

    listings: tuple[Listing, ...]
    refused: tuple[tuple[int, str], ...]


def read(content_type: str, body: bytes, *, marketplace: str, classes_of: Classes | None = None) -> Pushed:
    """Read a push.

    Raises:
        Invalid: `watch.push_malformed`, `watch.push_too_large`, `watch.push_too_many`, `watch.push_type`.
    """
    return of_rows(rows_of(content_type, body), marketplace=marketplace, classes_of=classes_of)


def rows_of(content_type: str, body: bytes) -> list[Any]:
    """The rows of a body as they came, whatever each of them is; None for one that cannot be read.

    Raises:
        Invalid: as `read`.
    """
    if len(body) > MAX_BODY:
        raise Invalid("watch.push_too_large", limit=MAX_BODY)
    kind = content_type.partition(";")[0].strip().lower()
    if kind == JSON:
        said, strange = _parse(body)
        rows = said.get("listings") if isinstance(said, dict) else said
        if not isinstance(rows, list):
            raise Invalid("watch.push_malformed")
        if strange:
            rows = [None if _is_strange(each) else each for each in rows]
    elif kind in LINES:
        rows = [line_of(each) if len(each) <= MAX_LINE else None for each in body.splitlines() if each.strip()]
    else:
        raise Invalid("watch.push_type", type=kind[:80])
    if len(rows) > MAX_BATCH:
        raise Invalid("watch.push_too_many", limit=MAX_BATCH)
    return rows


def of_rows(rows: Iterable[object], *, marketplace: str, classes_of: Classes | None = None) -> Pushed:
    """Listings of rows from anywhere."""
    found: dict[tuple[str, str, int], Listing] = {}
    refused: list[tuple[int, str]] = []
    for place, raw in enumerate(rows):
        try:
            if not isinstance(raw, Mapping):
                raise Invalid("watch.push_row")  # noqa: TRY301 (refused like any other)
            listing = clean(raw, marketplace=marketplace, classes_of=classes_of)
        except Invalid as error:
            refused.append((place, error.code))
        else:
            found.pop(listing.key, None)
            found[listing.key] = listing
    return Pushed(listings=tuple(found.values()), refused=tuple(refused))


def line_of(line: bytes) -> object:
    """What one line says; None, which is no listing, when it cannot be read."""
    try:
        said, strange = _parse(line)
    except Invalid:
        return None
    return None if strange else said


_STRANGE: Final = object()
"""Stands where a body says NaN, Infinity, or a number so long that it is none of ours."""


def _parse(data: bytes) -> tuple[Any, bool]:
    """What JSON says, and whether `_STRANGE` stands in it; broken UTF-8 is repaired so that a flag can say so."""
    met = []

    def strange(text: str) -> object:
        met.append(text[:10])
        return _STRANGE

    def whole(text: str) -> object:
        return int(text) if len(text) <= 40 else strange(text)  # a long one would cost the square of its length

    try:
        said = json.loads(data.decode("utf-8", "replace"), parse_constant=strange, parse_int=whole)
    except (ValueError, RecursionError) as error:
        raise Invalid("watch.push_malformed") from error
    return said, bool(met)


def _is_strange(row: object) -> bool:
    """Whether it stands anywhere in a row, however deep."""
    left = [row]
    while left:
        match left.pop():
            case dict() as named:
                left += named.values()
            case list() as several:
                left += several
            case value if value is _STRANGE:
                return True
    return False
