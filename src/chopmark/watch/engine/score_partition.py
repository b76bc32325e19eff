"""One partition: listings in, results out. Pure, so that any machine that does it again gets the same rows.

    scored = candidates(table, bench, marketplace="demo")

Most listings touch no right: a sieve over whole columns throws them out, and only the rest become listings and are
judged. The sieve must let through everything that the judge would find something in.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any, Protocol

import pyarrow as pa

from chopmark.base.errors import Invalid
from chopmark.watch.engine.schema import FINGERPRINTS
from chopmark.watch.found import Field
from chopmark.watch.judge import Signals, Verdict
from chopmark.watch.listing import MAX_BRAND, MAX_DESCRIPTION, MAX_ID, MAX_NUMBER, MAX_TITLE, Listing, clean
from chopmark.watch.results import Result


class Judges(Protocol):
    """`watch.judge.Judge`."""

    def __call__(
        self, listing: Listing, signals: Signals = ..., fingerprints: Sequence[Any] = ...
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

    def touched(self, texts: Sequence[str], of: Field) -> Sequence[bool]:
        """Of each text of a field, whether a mark may be in it: quick, and never wrong in saying no."""

    def classes_of(self, category: str) -> Sequence[str]:
        """Nice classes of a category."""

    def signals(self, listing: Listing) -> Signals:
        """What is known of seller and peers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scored:
    """What a partition came to.

    Attributes:
        refused: rows without identity. sifted: rows that the judge saw.
        counts: of outcomes (`hold`), and of rules (`asked:id`, `fired:id`, `shadow:id`).
    """

    results: tuple[Result, ...]
    refused: int
    sifted: int
    counts: dict[str, int]


def candidates(table: pa.Table, bench: Bench, *, marketplace: str = "", descriptions: bool = True) -> Scored:
    """Every right that every listing of the table touches, in the order of the table.

    Args:
        marketplace: of rows that do not say.
        descriptions: whether descriptions are looked at too.

    A row without identity touches nothing, since nobody could act on it: it is counted only.
    """
    results: list[Result] = []
    counts: Counter[str] = Counter()
    rows = sieve(table, bench, descriptions=descriptions)
    for raw in table.take(pa.array(rows, pa.int64())).to_pylist():
        if not descriptions:
            raw["description"] = None
        try:
            listing = clean(raw, marketplace=marketplace or raw.get("marketplace") or "", classes_of=bench.classes_of)
        except Invalid:
            continue  # counted below, with those that the sieve threw out
        verdicts = bench.judge(listing, bench.signals(listing), raw.get(FINGERPRINTS) or ())
        results += [Result.of(listing, each) for each in verdicts]
        for verdict in verdicts:
            counts[verdict.decided.measure] += 1
            counts.update(f"asked:{rule}" for rule, _ in verdict.decided.asked)
            counts.update(f"fired:{rule}" for rule, fired in verdict.decided.asked if fired)
            counts.update(f"shadow:{rule}" for rule, fired in verdict.decided.shadow if fired)
    refused = nameless(table, marketplace)
    return Scored(results=tuple(results), refused=refused, sifted=len(rows), counts=dict(counts))


def sieve(table: pa.Table, bench: Bench, *, descriptions: bool = True) -> list[int]:
    """Places of the rows that the judge must see.

    What cleaning would change before it is matched (too long, control characters, broken encoding) passes unread.
    """
    limits: dict[Field, int] = {"title": MAX_TITLE, "brand": MAX_BRAND, "description": MAX_DESCRIPTION}
    kept: set[int] = set()
    for name, most in limits.items():
        if name not in table.column_names or (name == "description" and not descriptions):
            continue
        column = table.column(name)
        if name == "title":
            kept.update(at for at, said in enumerate(_touched(column.to_pylist(), name, most, bench)) if said)
        else:  # the same brand and the same paragraphs stand in many listings
            coded = column.combine_chunks().dictionary_encode()
            values = _touched(coded.dictionary.to_pylist(), name, most, bench)
            if any(values):
                kept.update(
                    at for at, code in enumerate(coded.indices.to_pylist()) if code is not None and values[code]
                )
    if FINGERPRINTS in table.column_names:
        kept.update(at for at, held in enumerate(table.column(FINGERPRINTS).to_pylist()) if held)
    return sorted(kept)


_UNREADABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ufffd]")


def _touched(values: Sequence[object], of: Field, most: int, bench: Bench) -> list[bool]:
    texts = [each if isinstance(each, str) else "" for each in values]
    said = list(bench.touched([each if len(each) <= most else "" for each in texts], of))
    for at, (value, text) in enumerate(zip(values, texts, strict=True)):
        if len(text) > most or (value is not None and not isinstance(value, str)):
            said[at] = True
        elif not text.isascii() or not text.isprintable():
            said[at] = said[at] or bool(_UNREADABLE.search(text))
    return said


_PLAIN_ID = f"^[!-~]{{1,{MAX_ID}}}$"


def nameless(table: pa.Table, marketplace: str = "") -> int:
    """How many rows have no identity, exactly as `listing.clean` finds it; most are seen to have one at a glance."""
    import pyarrow.compute as pc  # noqa: PLC0415 (a part of pyarrow that is loaded by name)

    no, yes = {"fill_value": False}, {"fill_value": True}
    checks = [
        pc.fill_null(pc.match_substring_regex(_as_text(table, name), _PLAIN_ID), **no) for name in ("item", "seller")
    ]
    if "version" in table.column_names:
        column = table.column("version")
        if pa.types.is_integer(column.type):
            in_range = pc.and_(pc.greater_equal(column, 0), pc.less_equal(column, MAX_NUMBER))
            checks.append(pc.fill_null(in_range, **yes))
        else:
            checks.append(pc.is_null(column))
    if "marketplace" in table.column_names:
        column = _as_text(table, "marketplace")
        checks.append(pc.fill_null(pc.equal(column, marketplace), **yes) if marketplace else pc.is_valid(column))
    doubtful = table.filter(pc.invert(reduce(pc.and_, checks)))
    doubtful = doubtful.select([each for each in _IDENTITY if each in table.column_names])
    return sum(not _has_identity(raw, marketplace) for raw in doubtful.to_pylist())


def _as_text(table: pa.Table, name: str) -> pa.ChunkedArray:
    """A column of text; one of another kind as if it were empty."""
    column = table.column(name)
    return column if pa.types.is_string(column.type) else pa.chunked_array([pa.nulls(len(table), pa.string())])


_IDENTITY = ("marketplace", "item", "version", "seller")


def _has_identity(raw: dict[str, Any], marketplace: str) -> bool:
    try:
        clean(raw, marketplace=marketplace or raw.get("marketplace") or "")
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
