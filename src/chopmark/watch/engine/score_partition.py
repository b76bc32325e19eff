"""One partition: listings in, results out. Pure, so that any machine that does it again gets the same rows.

    scored = candidates(table, bench, marketplace="demo")

Most listings touch no right: a sieve over whole columns throws them out, and only the rest become listings and are
judged. The sieve must let through everything that the judge would find something in.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import TYPE_CHECKING, Any, Final, Protocol, runtime_checkable

import pyarrow as pa

from chopmark.base.errors import Invalid
from chopmark.watch.engine.schema import FINGERPRINTS, marketplace_of
from chopmark.watch.found import Field, TextHit
from chopmark.watch.judge import Signals, Verdict
from chopmark.watch.listing import MAX_BRAND, MAX_DESCRIPTION, MAX_ID, MAX_NUMBER, MAX_TITLE, Listing, clean
from chopmark.watch.results import Result

if TYPE_CHECKING:
    from chopmark.watch.text.matcher import TextMatcher


AT_ONCE: Final = 5_000
"""Listings that are objects at a time."""


class Judges(Protocol):
    """`watch.judge.Judge`."""

    def __call__(
        self,
        listing: Listing,
        signals: Signals = ...,
        fingerprints: Sequence[Any] = ...,
        *,
        hits: Sequence[TextHit] | None = ...,
    ) -> tuple[Verdict, ...]:
        """Every right that the listing touches."""


class Bench(Protocol):
    """What a process opens once and uses for each of its partitions.

    Attributes:
        marks, rules: the versions with which it judges.
    """

    marks: str
    rules: str

    @property
    def judge(self) -> Judges:
        """Rows that passed the sieve come here."""

    def found(self, texts: Sequence[str], of: Field) -> Mapping[int, Sequence[TextHit]]:
        """What stands in the texts of one field, by place; texts without a mark are left out."""

    def classes_of(self, category: str) -> Sequence[str]:
        """Nice classes of a category."""

    def complete(self, listing: Listing) -> Listing:
        """The listing with what can be read in its texts."""

    def signals(self, listing: Listing) -> Signals:
        """What is known of seller and peers."""


@runtime_checkable
class Looks(Protocol):
    """A bench that looks at pictures before a partition is scored."""

    def looked(self, table: pa.Table) -> pa.Table:
        """The table, with the column `schema.FINGERPRINTS`."""


@runtime_checkable
class Learns(Protocol):
    """A bench that judges with what a first pass over the stock found (`engine.census`)."""

    def learn(self, data: bytes) -> None:
        """What `signals.encode` wrote."""


class Finds(Protocol):
    """What the sieve asks."""

    def found(self, texts: Sequence[str], of: Field) -> Mapping[int, Sequence[TextHit]]:
        """As `Bench.found`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scored:
    """What a partition came to.

    Attributes:
        refused: rows without identity. sifted: rows that the judge saw.
        counts: of outcomes (`hold`), and of versions of rules, live or in shadow: `asked:id:version`,
            `fired:id:version`, and `alone:id:version` where a shadow fired and no live rule did.
    """

    results: tuple[Result, ...]
    refused: int
    sifted: int
    counts: dict[str, int]


def candidates(
    table: pa.Table,
    bench: Bench,
    *,
    marketplace: str = "",
    descriptions: bool = True,
    sample: Callable[[str], bool] = lambda _: False,
) -> Scored:
    """What rules, live or in shadow, say of each right that each listing of the table touches, in its order.

    Args:
        marketplace: of rows that do not say.
        descriptions: whether descriptions are looked at too.
        sample: of an item, whether rows on which no rule fired are kept too: what later rules are tried on, and what
            audits draw from.

    A row without identity touches nothing, since nobody could act on it: it is counted only.
    """
    results: list[Result] = []
    counts: Counter[str] = Counter()
    rows = sieve(table, bench, descriptions=descriptions)
    for raw, hits in _with_hits(table, rows):
        if not descriptions:
            raw["description"] = None
        try:
            listing = clean(raw, marketplace=marketplace_of(raw, marketplace), classes_of=bench.classes_of)
        except Invalid:
            continue  # counted below, with those that the sieve threw out
        known = hits if _is_as_it_was(listing, raw) else None
        fingerprints = raw.get(FINGERPRINTS) or ()
        verdicts = bench.judge(bench.complete(listing), bench.signals(listing), fingerprints, hits=known)
        for verdict in verdicts:
            _count(counts, verdict)
        sampled = sample(listing.item) if verdicts else False
        kept = [each for each in verdicts if sampled or is_of_interest(each)]
        results += [Result.of(listing, each) for each in kept]
    refused = nameless(table, marketplace)
    return Scored(results=tuple(results), refused=refused, sifted=len(rows), counts=dict(counts))


def _with_hits(table: pa.Table, rows: Mapping[int, list[TextHit]]) -> Iterator[tuple[dict[str, Any], list[TextHit]]]:
    """Rows as objects, some at a time: a file in which everybody names a mark is much larger so than in columns."""
    places = list(rows)
    for start in range(0, len(places), AT_ONCE):
        some = places[start : start + AT_ONCE]
        for raw, at in zip(table.take(pa.array(some, pa.int64())).to_pylist(), some, strict=True):
            yield raw, rows[at]


def is_of_interest(verdict: Verdict) -> bool:
    """Whether a rule fired, live or in shadow, or something is proposed."""
    decided = verdict.decided
    return decided.measure != "none" or bool(decided.fired) or any(fired for _, _, fired in decided.shadow)


def _count(counts: Counter[str], verdict: Verdict) -> None:
    decided = verdict.decided
    counts[decided.measure] += 1
    live = any(fired for _, _, fired in decided.asked)
    for rule, version, fired in (*decided.asked, *decided.shadow):
        counts[f"asked:{rule}:{version}"] += 1
        counts[f"fired:{rule}:{version}"] += fired
    for rule, version, fired in decided.shadow:
        counts[f"alone:{rule}:{version}"] += fired and not live


def _is_as_it_was(listing: Listing, raw: Mapping[str, Any]) -> bool:
    """Whether cleaning changed none of the texts in which marks were looked for."""
    said = [(listing.title, raw.get("title")), (listing.brand, raw.get("brand"))]
    said.append((listing.description, raw.get("description")))
    return all(text == (came or "") for text, came in said)


def sieve(table: pa.Table, bench: Finds, *, descriptions: bool = True) -> dict[int, list[TextHit]]:
    """Places of the rows that the judge must see, in order, with what was found there.

    What cleaning would change before it is matched (too long, control characters, broken encoding) passes unread.
    """
    limits: dict[Field, int] = {"title": MAX_TITLE, "brand": MAX_BRAND, "description": MAX_DESCRIPTION}
    kept: dict[int, list[TextHit]] = {}
    for name, most in limits.items():
        if name not in table.column_names or (name == "description" and not descriptions):
            continue
        column = table.column(name)
        if name == "title" or not pa.types.is_string(column.type):
            codes: Sequence[int | None] = range(len(table))
            values = column.to_pylist()
        else:  # the same brand and the same paragraphs stand in many listings
            coded = column.combine_chunks().dictionary_encode()
            codes, values = coded.indices.to_pylist(), coded.dictionary.to_pylist()
        found = _found(values, name, most, bench)
        for at, code in enumerate(codes) if found else ():
            if code in found:
                kept.setdefault(at, []).extend(found[code])
    if FINGERPRINTS in table.column_names:
        for at, held in enumerate(table.column(FINGERPRINTS).to_pylist()):
            if held:
                kept.setdefault(at, [])
    return dict(sorted(kept.items()))


_UNREADABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ufffd]")


def _found(values: Sequence[object], of: Field, most: int, bench: Finds) -> dict[int | None, Sequence[TextHit]]:
    texts = [each if isinstance(each, str) else "" for each in values]
    found: dict[int | None, Sequence[TextHit]] = {}
    found.update(bench.found([each if len(each) <= most else "" for each in texts], of).items())
    for at, (value, text) in enumerate(zip(values, texts, strict=True)):
        if len(text) > most or (value is not None and not isinstance(value, str)):
            found[at] = ()
        elif (not text.isascii() or not text.isprintable()) and _UNREADABLE.search(text):
            found.setdefault(at, ())
    return found


PLAIN_ID: Final = f"^[!-~]{{1,{MAX_ID}}}$"
"""Of numbers that are what they are when they are cleaned, for a column at once."""


def nameless(table: pa.Table, marketplace: str = "") -> int:
    """How many rows have no identity, exactly as `listing.clean` finds it; most are seen to have one at a glance."""
    import pyarrow.compute as pc  # noqa: PLC0415 (a part of pyarrow that is loaded by name)

    doubtful = table.filter(pc.invert(surely_named(table, marketplace)))
    doubtful = doubtful.select([each for each in IDENTITY if each in table.column_names])
    return sum(not _has_identity(raw, marketplace) for raw in doubtful.to_pylist())


def surely_named(table: pa.Table, marketplace: str = "") -> pa.ChunkedArray:
    """Which rows have an identity that cleaning leaves as it is, for whole columns; the others are doubtful."""
    import pyarrow.compute as pc  # noqa: PLC0415 (a part of pyarrow that is loaded by name)

    no, yes = {"fill_value": False}, {"fill_value": True}
    checks = [
        pc.fill_null(pc.match_substring_regex(as_text(table, name), PLAIN_ID), **no) for name in ("item", "seller")
    ]
    if "version" in table.column_names:
        column = table.column("version")
        if pa.types.is_integer(column.type) and not pa.types.is_uint64(column.type):  # which is not compared with ours
            in_range = pc.and_(pc.greater_equal(column, 0), pc.less_equal(column, MAX_NUMBER))
            checks.append(pc.fill_null(in_range, **yes))
        else:
            checks.append(pc.is_null(column))
    if "marketplace" in table.column_names:
        column = table.column("marketplace")
        if not pa.types.is_string(column.type):
            checks.append(pc.is_null(column) if marketplace else _none_of(table))
        elif marketplace:
            checks.append(pc.fill_null(pc.equal(column, marketplace), **yes))
        else:
            checks.append(pc.fill_null(pc.match_substring_regex(column, _PLAIN_MARKETPLACE), **no))
    elif not marketplace:
        checks.append(_none_of(table))
    return reduce(pc.and_, checks)


def _none_of(table: pa.Table) -> pa.ChunkedArray:
    """No, for each row."""
    return pa.chunked_array([pa.repeat(pa.scalar(value=False), len(table))])


def as_text(table: pa.Table, name: str) -> pa.ChunkedArray:
    """A column of text; one of another kind as if it were empty."""
    column = table.column(name)
    return column if pa.types.is_string(column.type) else pa.chunked_array([pa.nulls(len(table), pa.string())])


_PLAIN_MARKETPLACE: Final = "^[a-z0-9][a-z0-9-]{0,39}$"
IDENTITY: Final = ("marketplace", "item", "version", "seller")


def _has_identity(raw: dict[str, Any], marketplace: str) -> bool:
    try:
        clean(raw, marketplace=marketplace_of(raw, marketplace))
    except Invalid:
        return False
    return True


def readable_text(table: pa.Table) -> pa.Table:
    """The table with text that is no UTF-8 repaired; such a file passes for a good one until somebody reads it."""
    for at, field in enumerate(table.schema):
        if not pa.types.is_string(field.type) and not pa.types.is_large_string(field.type):
            continue
        try:
            table.column(at).validate(full=True)
        except pa.ArrowInvalid:
            values = table.column(at).cast(pa.binary()).to_pylist()
            mended = [None if each is None else each.decode("utf-8", "replace") for each in values]
            table = table.set_column(at, pa.field(field.name, pa.string()), pa.array(mended, pa.string()))
    return table


def survey(table: pa.Table, matcher: TextMatcher) -> pa.Table:
    """Every name that stands in a title, as columns and without a judgement: what figures over a whole stock need.

    Returns:
        `item`; `pattern`, a position in `matcher.terms.patterns`; `start` and `end`, characters of the title; `view`,
        a position in `found.View`; `score`.
    """
    titles = [(each or "")[:MAX_TITLE] for each in table.column("title").to_pylist()]
    columns = matcher.find_many(titles)
    return pa.table(
        {
            "item": table.column("item").take(pa.array(columns.rows, pa.int64())),
            "pattern": pa.array(columns.patterns, pa.int64()),
            "start": pa.array(columns.starts, pa.int64()),
            "end": pa.array(columns.ends, pa.int64()),
            "view": pa.array(columns.views, pa.int64()),
            "score": pa.array(columns.scores, pa.int64()),
        }
    )
