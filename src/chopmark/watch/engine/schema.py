"""Listings and results as Arrow tables: the schema of every Parquet file that a scan reads or writes.

    table_of(listings), listings_of(table)      frozen values <-> columns
    results_table(results, salts)               one row a (listing, right); every feature is a column of its own name

A scan may read any file that has `item`, `seller` and `title`; columns it does not know are left unread.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Final

import pyarrow as pa

from chopmark.base.errors import Invalid
from chopmark.watch.features import FEATURES
from chopmark.watch.found import PictureHit, TextHit
from chopmark.watch.judge import Decided, Verdict
from chopmark.watch.listing import Listing, Row, clean
from chopmark.watch.results import Result, plain

_TEXTS = pa.list_(pa.string())
_MOMENT = pa.timestamp("us", tz="UTC")
LISTINGS: Final = pa.schema(
    [
        pa.field("marketplace", pa.string()),
        pa.field("item", pa.string()),
        pa.field("version", pa.int64()),
        pa.field("seller", pa.string()),
        pa.field("title", pa.string()),
        pa.field("description", pa.string()),
        pa.field("brand", pa.string()),
        pa.field("price_minor", pa.int64()),
        pa.field("currency", pa.string()),
        pa.field("category", pa.string()),
        pa.field("classes", _TEXTS),
        pa.field("territories", _TEXTS),
        pa.field("pictures", pa.list_(pa.struct([("url", pa.string()), ("sha256", pa.binary())]))),
        pa.field("gtin", pa.string()),
        pa.field("stock", pa.int64()),
        pa.field("url", pa.string()),
        pa.field("contact", _TEXTS),
        pa.field("listed_at", _MOMENT),
        pa.field("changed_at", _MOMENT),
    ]
)
NEEDED: Final = ("item", "seller", "title")
OTHER_NAMES: Final = ("price",)  # read where `price_minor` is not there
FINGERPRINTS: Final = "fingerprints"
"""A column that a picture stage may have added: a list of `media.fingerprint` bytes for each listing."""

_KINDS = {"text": pa.string(), "integer": pa.int64(), "real": pa.float64(), "boolean": pa.bool_()}
RESULTS: Final = pa.schema(
    [
        pa.field("item", pa.string()),
        pa.field("version", pa.int64()),
        pa.field("right_id", pa.string()),
        pa.field("number", pa.string()),
        pa.field("organisation", pa.string()),
        pa.field("territory", pa.string()),
        pa.field("nice", pa.string()),
        pa.field("outcome", pa.string()),
        pa.field("automatic", pa.bool_()),
        pa.field("score", pa.int64()),
        pa.field("decided", pa.string()),  # JSON: keys, reasons, fired, asked, shadow
        pa.field("found", pa.string()),  # JSON: texts, pictures
        pa.field("listing", pa.binary()),
        pa.field("salt", pa.binary(16)),
        *(pa.field(name, _KINDS[each.kind]) for name, each in FEATURES.items()),
    ]
)


def table_of(listings: Iterable[Listing]) -> pa.Table:
    """Listings as columns; their flags are found again when they are read."""
    return pa.Table.from_pylist([_row_of(each) for each in listings], schema=LISTINGS)


def _row_of(listing: Listing) -> dict[str, Any]:
    row = {name: getattr(listing, "price" if name == "price_minor" else name) for name in LISTINGS.names}
    row["pictures"] = [{"url": each.url, "sha256": each.sha256} for each in listing.pictures]
    return row


Refuse = Callable[[int, Invalid], None]
"""Told of each row that is no listing: its place in the table and why."""


def listings_of(table: pa.Table, *, marketplace: str = "", refuse: Refuse | None = None) -> Iterator[Listing]:
    """Each row as a listing, cleaned.

    Args:
        marketplace: of rows that do not say.
        refuse: without it, the first row without identity raises.

    Raises:
        Invalid: see `listing.clean`.
    """
    for place, raw in enumerate(table.to_pylist()):
        try:
            yield clean(raw, marketplace=marketplace_of(raw, marketplace))
        except Invalid as error:
            if refuse is None:
                raise
            refuse(place, error)


def marketplace_of(raw: Row, marketplace: str) -> str:
    """Of the scan, where it has one, else what the row says; empty when that is no text."""
    named = raw.get("marketplace")
    return marketplace or (named if isinstance(named, str) else "")


def readable(names: Iterable[str]) -> list[str]:
    """The columns that a scan reads of a file.

    Raises:
        Invalid: `watch.scan_columns` when one is missing without which there is no listing.
    """
    there = set(names)
    missing = [each for each in NEEDED if each not in there]
    if missing:
        raise Invalid("watch.scan_columns", missing=missing)
    return [each for each in (*LISTINGS.names, *OTHER_NAMES, FINGERPRINTS) if each in there]


# ---- results ---------------------------------------------------------------------------------------------------------


def results_table(results: Sequence[Result], salts: Sequence[bytes]) -> pa.Table:
    """Results as columns, in their order."""
    rows = [_result_row(each, salt) for each, salt in zip(results, salts, strict=True)]
    return pa.Table.from_pylist(rows, schema=RESULTS)


def _result_row(result: Result, salt: bytes) -> dict[str, Any]:
    verdict, decided = result.verdict, result.verdict.decided
    return {
        **verdict.row,
        "item": result.item,
        "version": result.version,
        "right_id": verdict.right,
        "number": verdict.number,
        "organisation": verdict.organisation,
        "territory": verdict.territory,
        "nice": verdict.nice,
        "outcome": decided.measure,
        "automatic": decided.automatic,
        "score": decided.score,
        "decided": _json({name: getattr(decided, name) for name in _DECIDED}),
        "found": _json(verdict.found),
        "listing": result.listing,
        "salt": salt,
    }


_DECIDED = ("keys", "reasons", "fired", "asked", "shadow")


def _json(value: object) -> str:
    return json.dumps(plain(value), ensure_ascii=False, separators=(",", ":"))


def results_of(table: pa.Table) -> Iterator[tuple[Result, bytes]]:
    """Each row of a file of results, with its salt.

    Raises:
        Invalid: `watch.results_malformed`.
    """
    if not table.schema.equals(RESULTS):
        raise Invalid("watch.results_malformed")
    for row in table.to_pylist():
        try:
            yield _result_of(row), row["salt"]
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise Invalid("watch.results_malformed") from error


def _result_of(row: dict[str, Any]) -> Result:
    decided, found = json.loads(row["decided"]), json.loads(row["found"])
    return Result(
        listing=row["listing"],
        item=row["item"],
        version=row["version"],
        verdict=Verdict(
            right=row["right_id"],
            number=row["number"],
            organisation=row["organisation"],
            territory=row["territory"],
            nice=row["nice"],
            row={name: row[name] for name in FEATURES},
            texts=tuple(TextHit(**each) for each in found["texts"]),
            pictures=tuple(PictureHit(**{**each, **_boxes(each)}) for each in found["pictures"]),
            decided=Decided(
                measure=row["outcome"],
                automatic=row["automatic"],
                score=row["score"],
                keys=tuple(decided["keys"]),
                reasons=tuple((code, facts) for code, facts in decided["reasons"]),
                fired=tuple((rule, version) for rule, version in decided["fired"]),
                asked=tuple((rule, version, said) for rule, version, said in decided["asked"]),
                shadow=tuple((rule, version, said) for rule, version, said in decided["shadow"]),
            ),
        ),
    )


def _boxes(said: dict[str, Any]) -> dict[str, Any]:
    return {name: None if said[name] is None else tuple(said[name]) for name in ("query", "reference")}
