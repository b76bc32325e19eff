"""Stock: which listings of the last scan of each marketplace hold a changed right's marks; no scan is needed for it.

    holding(position, marks)     one partition of one marketplace's stock, searched backwards; who calls judges

A listing that came through the feed since is not told: the feed's own rows were searched already. A file of the
marketplace that is not as it was scanned is left out, since nobody could say what stands in it now.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from chopmark.base.errors import Invalid, Refused
from chopmark.watch.actions.scan import folder_of
from chopmark.watch.listing import Listing
from chopmark.watch.marks import MarkSet
from chopmark.watch.models import ListingRow, Marketplace, Scan
from chopmark.watch.reading import cleaned

if TYPE_CHECKING:
    from chopmark.watch.engine.reverse import Held

MAX_ROWS: Final = 5_000
"""Listings of one partition for one mark: a mark that stands in more is a word, and a scan will tell."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Holding:
    """What one partition holds.

    Attributes:
        rows: that were searched.
        more: whether there is another partition after it.
    """

    marketplace: Marketplace
    listings: tuple[Listing, ...]
    rows: int
    more: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    """A partition of a scan: its stock, and the rows of the marketplace's file that it was made of."""

    scan: Scan
    stock: Path
    source: Path
    start: int
    count: int


def holding(position: int, marks: MarkSet) -> Holding | None:
    """What the partition at this position holds of these marks; None when there is none.

    Raises:
        Refused: `watch.reverse_too_many`.
    """
    here = list(islice(_places(), position, position + 2))
    if not here:
        return None
    place = here[0]
    row = place.scan.marketplace
    return Holding(
        marketplace=row,
        listings=tuple(_listings(place, row, marks)),
        rows=place.count,
        more=len(here) > 1,
    )


def _places() -> Iterator[_Place]:
    """Partitions of the newest scan of each marketplace, in an order that stays while nothing is scanned."""
    from chopmark.watch.engine import plan as planning  # noqa: PLC0415 (only who searches stocks)
    from chopmark.watch.engine.run import PLAN  # noqa: PLC0415 (the same)
    from chopmark.watch.engine.stock import file_of  # noqa: PLC0415 (the same)

    newest: dict[object, Scan] = {}
    for scan in Scan.objects.filter(state="done").select_related("marketplace").order_by("ended_at", "number"):
        newest[scan.marketplace_id] = scan
    for scan in sorted(newest.values(), key=lambda each: each.number):
        folder = folder_of(scan.number)
        try:
            plan = planning.Plan.parse((folder / PLAN).read_bytes())
        except (FileNotFoundError, Invalid):
            continue
        same = {each.file for each in plan.sources if planning.is_as_planned(each)}
        for task in plan.tasks:
            stock = file_of(folder, task.index)
            if task.file in same and stock.is_file():
                yield _Place(scan=scan, stock=stock, source=Path(task.file), start=task.start, count=task.rows)


def _listings(place: _Place, row: Marketplace, marks: MarkSet) -> Iterator[Listing]:
    from chopmark.watch.engine.reverse import reverse  # noqa: PLC0415 (loads a database engine)

    try:
        held = _few_of_each(reverse(str(place.stock), marks, threads=1))
        raws = _raws(place, held) if held else []
    except Invalid:  # a file that was spoiled since: the next scan says so
        return
    found = {each.item: each for each in cleaned(raws, row.name)}
    newer = dict(ListingRow.objects.filter(marketplace=row, item__in=found).values_list("item", "version"))
    yield from (each for each in found.values() if newer.get(each.item, -1) < each.version)


def _few_of_each(found: Iterable[Held]) -> list[int]:
    """Rows in which a mark stands that does not stand in too many before them: one word does not hide other marks."""
    told: Counter[int] = Counter()
    rows = []
    for each in found:
        marks = {hit.mark for hit in each.hits}
        if any(told[mark] < MAX_ROWS for mark in marks):
            rows.append(each.row)
        told.update(marks)
    return rows


def _raws(place: _Place, rows: Sequence[int]) -> list[dict[str, Any]]:
    """These rows of the partition, as the marketplace's file has them."""
    from chopmark.watch.engine.work import read  # noqa: PLC0415 (loads what reads Parquet)

    table = read(place.source, place.start, place.count)
    return list(table.take(rows).to_pylist())


def is_few(marks: MarkSet) -> bool:
    """Whether these marks have few enough names to be searched in one go."""
    from chopmark.watch.engine.reverse import needles_of  # noqa: PLC0415 (the same)

    try:
        needles_of(marks)
    except Refused:
        return False
    return True
