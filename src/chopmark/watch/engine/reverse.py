"""A new right against the whole stock: which listings hold its marks, plainly or in disguise.

    for found in reverse("scan/stock/*.parquet", marks): ...

DuckDB reads one column of each file and proposes; `TextMatcher` reads what is proposed, so that a search backwards
finds nothing that a scan would not find. A near miss, a masked letter and a sound are left to the next scan: only
what holds the name's letters in a row is proposed. Needs no index, no service, and memory for what is proposed alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from chopmark.base.errors import Invalid, Refused
from chopmark.watch.engine.stock import compact_of
from chopmark.watch.found import Field, TextHit
from chopmark.watch.marks import Mark, MarkSet, mark_set
from chopmark.watch.text.canon import words

if TYPE_CHECKING:
    from chopmark.watch.text.matcher import TextMatcher

MAX_TERMS: Final = 500
"""Names at once; more are a scan."""
LEAST_COMPACT: Final = 4
"""Characters of a name that is looked for without blanks; shorter ones lie in the middle of everything."""
BATCH: Final = 20_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """A listing of the stock that holds a mark.

    Attributes:
        row: its place in its file.
    """

    row: int
    marketplace: str
    item: str
    version: int
    seller: str
    title: str
    brand: str
    hits: tuple[TextHit, ...]


def reverse(
    stock: str | Sequence[str], marks: MarkSet | Sequence[Mark], *, matcher: TextMatcher | None = None, threads: int = 0
) -> Iterator[Held]:
    """Listings of the stock that hold one of these marks.

    Args:
        stock: files or patterns of them, as `engine.stock` wrote them.
        marks: those of the new right, not all.
        matcher: of these marks, where there is one already.
        threads: nought for as many as there are processors.

    Raises:
        Refused: `watch.reverse_too_many`.
        Invalid: `watch.stock_unreadable` when there is no such file, or one is no stock.
    """
    import duckdb  # noqa: PLC0415 (heavy; only who searches)

    from chopmark.watch.rules.run import connection  # noqa: PLC0415 (the same)
    from chopmark.watch.text.matcher import TextMatcher  # noqa: PLC0415 (the same)

    found = marks if isinstance(marks, MarkSet) else mark_set(marks)
    condition, needles = needles_of(found)
    if not needles:
        return
    ready = matcher or TextMatcher(found)
    with connection(threads=threads or None) as database:
        try:
            rows = database.execute(
                f"SELECT file_row_number, marketplace, item, version, seller, title, brand"  # noqa: S608 (made of column names)
                f" FROM read_parquet(?, file_row_number = true) WHERE {condition}",
                [[stock] if isinstance(stock, str) else list(stock), *needles],
            )
            while batch := rows.fetchmany(BATCH):
                yield from _held(batch, ready)
        except duckdb.Error as error:
            raise Invalid("watch.stock_unreadable") from error


def _held(batch: Sequence[tuple[Any, ...]], matcher: TextMatcher) -> Iterator[Held]:
    """Of rows that were proposed, those in which the matcher finds a mark."""
    titles, brands = [row[5] or "" for row in batch], [row[6] or "" for row in batch]
    fields: tuple[tuple[Field, list[str]], ...] = (("title", titles), ("brand", brands))
    hits: dict[int, list[TextHit]] = {}
    for field, texts in fields:
        for at, hit in matcher.hits(matcher.find_many(texts, field=field), field=field):
            hits.setdefault(at, []).append(hit)
    for at, (row, marketplace, item, version, seller, _, _) in enumerate(batch):
        if at in hits:
            yield Held(
                row=row,
                marketplace=marketplace or "",
                item=item,
                version=1 if version is None else version,
                seller=seller,
                title=titles[at],
                brand=brands[at],
                hits=tuple(hits[at]),
            )


def needles_of(marks: MarkSet) -> tuple[str, list[str]]:
    """An SQL condition and what stands in its places: every name of every mark, each once.

    Raises:
        Refused: `watch.reverse_too_many`.
    """
    names = dict.fromkeys(term for each in marks.marks for term in (each.text, *each.aliases))
    if len(names) > MAX_TERMS:
        raise Refused("watch.reverse_too_many", limit=MAX_TERMS)
    compact = {form for name in names if len(form := compact_of(name)) >= LEAST_COMPACT or not name.isascii()} - {""}
    shortest = {each for each in compact if not any(other != each and other in each for other in compact)}
    plain = {
        f" {form} "
        for name in names
        if name.isascii() and len(compact_of(name)) < LEAST_COMPACT and (form := words(name))
    }
    needles = [*sorted(shortest), *sorted(plain)]
    columns = ["compact"] * len(shortest) + ["canon"] * len(plain)
    return " OR ".join(f"contains({column}, ?)" for column in columns), needles
