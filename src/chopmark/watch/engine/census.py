"""The first pass of a scan over its stock: what is usual there, before a single offer is judged by it.

    rows_of(table, finder)              what one partition says, one row a fact
    Counter(plan bytes, folder).count(index)        the same from its file to `census/part-*.parquet`
    settle(parts, confirmed) -> Known   all partitions added up

    offer       a listing that names a mark as it is written: right, category, currency, price, stock
    gtin        a seller names a brand for a GTIN
    contact     a seller is reached there; from the listing, or read in its texts
    picture     a seller shows it: its SHA-256, or its address

What comes of it is `signals.jsonl` in the scan's folder, written once, before the second pass begins, and the same
for all partitions of the second pass, whoever dies. It is a function of the plan alone: medians and counts know no
order, so that it comes out the same however often partitions were counted, and however the stock is cut. A partition
that cannot be read has no say. The rows of facts hold contacts of people; they are removed once they are added up.
"""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol, cast

import pyarrow as pa
import pyarrow.compute as pc

from chopmark.base.errors import Invalid, PlatformError
from chopmark.watch.engine import manifest
from chopmark.watch.engine.plan import Plan
from chopmark.watch.engine.schema import marketplace_of
from chopmark.watch.engine.score_partition import IDENTITY, as_text, sieve, surely_named
from chopmark.watch.engine.work import SIGNALS, named, read, write
from chopmark.watch.found import Field, TextHit
from chopmark.watch.listing import MAX_BRAND, clean, gtin_of, pictures_of
from chopmark.watch.prices import peers_of_files
from chopmark.watch.reading import with_contacts
from chopmark.watch.sellers import GTIN_SELLERS, MOST_CONTACT, MOST_PICTURE, brand_said, is_known_number, linked
from chopmark.watch.signals import Known, encode, name_of

if TYPE_CHECKING:
    import duckdb

    from chopmark.watch.sellers import Kind

MOST_USES: Final = 5_000_000
"""Shared contacts and pictures, each with one seller, that are drawn into one graph: about 2 GB. Contacts first."""
AT_ONCE: Final = 5_000
"""Listings whose facts are objects at a time: each may show fifty pictures."""
FACTS: Final = pa.schema(
    [
        ("kind", pa.string()),
        ("marketplace", pa.string()),
        ("seller", pa.string()),
        ("right", pa.string()),
        ("category", pa.string()),
        ("currency", pa.string()),
        ("price", pa.int64()),
        ("stock", pa.int64()),
        ("value", pa.string()),  # GTIN of 14 digits, contact, picture
        ("brand", pa.string()),  # in plain words
    ]
)
Fact = Mapping[str, Any]


class Finder(Protocol):
    """What a process of the first pass opens."""

    def found(self, texts: Sequence[str], of: Field) -> Mapping[int, Sequence[TextHit]]:
        """Names as they are written in the texts of one field, by place."""

    def number(self, mark: int) -> str:
        """The number of the right of a mark."""

    def confirmed(self) -> Mapping[str, int]:
        """Hits of sellers that people confirmed, by the seller's number."""


def file_of(folder: Path, index: int) -> Path:
    """Where the facts of a partition lie."""
    return folder / "census" / f"part-{index:06d}.parquet"


class Counter:
    """Counts one partition after another, in whichever process; done twice, it is the same file."""

    def __init__(self, plan: bytes, folder: str) -> None:
        self._plan, self._folder = Plan.parse(plan), Path(folder)
        self._finder = cast("Finder", named(self._plan.census, self._plan.argument))

    def count(self, index: int) -> int:
        """The facts of a partition are on disk; its number."""
        task = self._plan.tasks[index]
        try:
            table = read(Path(task.file), task.start, task.rows)
        except PlatformError:  # the second pass tells it; what it would say is nothing to wait for
            facts = FACTS.empty_table()
        else:
            marketplace, descriptions = self._plan.marketplace, self._plan.descriptions
            facts = pa.concat_tables(
                [
                    rows_of(table.slice(at, AT_ONCE), self._finder, marketplace=marketplace, descriptions=descriptions)
                    for at in range(0, len(table), AT_ONCE)
                ]
            )
        write(facts, file_of(self._folder, index), compression="lz4")
        return index


_OPEN: dict[tuple[bytes, str], Counter] = {}
_OPENING = threading.Lock()


def counter_of(plan: bytes, folder: str) -> Counter:
    """The counter of this process for a plan; a cluster asks for it with every partition, and opening costs seconds."""
    with _OPENING:
        if (plan, folder) not in _OPEN:
            _OPEN.clear()
            _OPEN[plan, folder] = Counter(plan, folder)
        return _OPEN[plan, folder]


def left(plan: Plan, folder: Path) -> list[int]:
    """Partitions that were not counted yet; none where nothing is to be counted, or all was added up."""
    if not plan.census or (folder / SIGNALS).exists():
        return []
    return [each.index for each in plan.tasks if not file_of(folder, each.index).exists()]


def finish(plan: Plan, folder: Path) -> None:
    """Add up what was counted, once; what people can be reached by is gone afterwards."""
    if plan.census and not (folder / SIGNALS).exists():
        finder = cast("Finder", named(plan.census, plan.argument))
        confirmed = {name_of(plan.marketplace, each): count for each, count in finder.confirmed().items()}
        parts = [file_of(folder, each.index) for each in plan.tasks]
        manifest.write_whole(folder / SIGNALS, encode(settle(parts, confirmed)))
    shutil.rmtree(folder / "census", ignore_errors=True)


# ---- one partition ---------------------------------------------------------------------------------------------------


def rows_of(table: pa.Table, finder: Finder, *, marketplace: str = "", descriptions: bool = True) -> pa.Table:
    """What the listings of a table say, each fact once; offers as often as they are made.

    Rows without identity, and those of other marketplaces, say nothing.
    """
    given = [each for each in _READ if each in table.column_names]
    table = table.select(given)
    if not descriptions and "description" in given:
        table = table.drop_columns(["description"])
    who = _sellers(table, marketplace)
    facts = list(_offers(table, finder, who))
    for kind, values in (
        ("gtin", _gtins(table, who)),
        ("contact", _contacts(table, who)),
        ("picture", _pictures(table, who)),
    ):
        facts += [
            {"kind": kind, "marketplace": where, "seller": seller, "value": value, "brand": brand}
            for where, seller, value, brand in sorted(set(values))
        ]
    return pa.Table.from_pylist(facts, schema=FACTS)


_READ: Final = (
    *("marketplace", "item", "version", "seller", "title", "description", "brand", "price_minor", "price"),
    *("currency", "category", "pictures", "gtin", "stock", "contact"),
)
Who = Sequence["tuple[str, str] | None"]
"""Of each row, its marketplace and seller."""
Use = tuple[str, str, str, str]
"""Marketplace, seller, value, brand."""


def _sellers(table: pa.Table, marketplace: str) -> Who:
    """Whose each row is, as `clean` finds it; most are seen at a glance."""
    size = len(table)
    own = table.column("marketplace").to_pylist() if "marketplace" in table.column_names else [None] * size
    sellers = as_text(table, "seller").to_pylist()
    who: list[tuple[str, str] | None] = [
        (marketplace or place, seller) for place, seller in zip(own, sellers, strict=True)
    ]
    doubtful = pc.indices_nonzero(pc.invert(surely_named(table, marketplace)))
    raws = table.select([each for each in IDENTITY if each in table.column_names]).take(doubtful)
    for at, raw in zip(doubtful.to_pylist(), raws.to_pylist(), strict=True):
        who[at] = _whose(raw, marketplace)
    return who


def _whose(raw: Fact, marketplace: str) -> tuple[str, str] | None:
    try:
        found = clean(raw, marketplace=marketplace_of(raw, marketplace))
    except Invalid:
        return None
    return found.marketplace, found.seller


def _offers(table: pa.Table, finder: Finder, who: Who) -> Iterator[Fact]:
    """Listings that name a mark in title or brand field as it is written, and not as what they only fit."""
    seen = sieve(table, finder, descriptions=False)
    places = [at for at in seen if who[at] is not None]
    raws = table.select([each for each in _READ if each in table.column_names and each not in _TEXTLESS])
    for at, raw in zip(places, raws.take(pa.array(places, pa.int64())).to_pylist(), strict=True):
        where, seller = cast("tuple[str, str]", who[at])
        listing = clean(raw, marketplace=where)
        hits: Sequence[TextHit] = seen[at]
        if not hits:  # what cleaning changes is read only now
            texts: tuple[tuple[Field, str], ...] = (("title", listing.title), ("brand", listing.brand))
            hits = [hit for of, text in texts for hit in finder.found([text], of).get(0, ())]
        for right in sorted({finder.number(hit.mark) for hit in hits if not hit.descriptive}):
            yield {
                "kind": "offer",
                "marketplace": where,
                "seller": seller,
                "right": right,
                "category": listing.category,
                "currency": listing.currency,
                "price": listing.price,
                "stock": listing.stock,
            }


MAX_GTIN: Final = 40
"""Characters that are read of a GTIN, as `gtin_of` does."""
_TEXTLESS: Final = ("description", "pictures", "gtin", "contact")


def _gtins(table: pa.Table, who: Who) -> Iterator[Use]:
    if "gtin" not in table.column_names or "brand" not in table.column_names:
        return
    rows = zip(who, table.column("gtin").to_pylist(), table.column("brand").to_pylist(), strict=True)
    for whose, gtin, brand in rows:
        if whose is not None and isinstance(gtin, str | int) and isinstance(brand, str) and gtin and brand:
            digits, said = _gtin(str(gtin)[:MAX_GTIN]), (_brand if len(brand) <= MAX_BRAND else _plain_brand)(brand)
            if digits and said:
                yield (*whose, digits, said)


# What is long is not kept: anybody may send a hundred thousand of them.


@lru_cache(maxsize=100_000)
def _gtin(value: str) -> str:
    digits = gtin_of(value)
    return digits.zfill(14) if is_known_number(digits) else ""


def _plain_brand(value: str) -> str:
    return brand_said(clean({"item": "-", "seller": "-", "brand": value}, marketplace="x").brand)


_brand: Final = lru_cache(maxsize=100_000)(_plain_brand)


_CONTACTED: Final = (
    r"(?i)[^\x00-\x7f\x{3001}-\x{3003}\x{3008}-\x{3011}\x{4e00}-\x{9fff}]|@|://|www\.|[a-z0-9]\.[a-z]{2}"
    r"|(?:微信|威信|薇信|徽信|v信|vx|wx|wechat|weixin|qq|扣扣|whatsapp|telegram|tg|line|viber|kakao|instagram|ig)"
    r"[号群]?\s*(?:id)?\s*(?:[:=@]|[a-z0-9_+\-]{0,30}[0-9])|[0-9](?:[ \-().]{0,2}[0-9]){8}"
)
"""Texts in which `text.context.contacts` may find something, for a column at once: it lets too much through, never too
little. Whatever it would first make plain (wide letters, invisible ones) is let through."""


def _contacts(table: pa.Table, who: Who) -> Iterator[Use]:
    texts = [each for each in ("title", "description") if each in table.column_names]
    wanted = pa.chunked_array([pa.repeat(pa.scalar(value=False), len(table))])
    for name in texts:
        found = pc.match_substring_regex(as_text(table, name), _CONTACTED)
        wanted = pc.or_(wanted, pc.fill_null(found, fill_value=False))
    if "contact" in table.column_names:
        wanted = pc.or_(wanted, pc.is_valid(table.column("contact")))
        texts.append("contact")
    places = pc.indices_nonzero(wanted)
    for at, raw in zip(places.to_pylist(), table.select(texts).take(places).to_pylist(), strict=True):
        whose = who[at]
        if whose is not None:
            listing = with_contacts(clean({**raw, "item": "-", "seller": "-"}, marketplace="x"))
            yield from ((*whose, each, "") for each in listing.contact)


def _pictures(table: pa.Table, who: Who) -> Iterator[Use]:
    """By digest, or by address where there is none: scans fetch nothing."""
    if "pictures" not in table.column_names:
        return
    for whose, value in zip(who, table.column("pictures").to_pylist(), strict=True):
        if whose is not None and value:
            yield from ((*whose, each.sha256.hex() or each.url, "") for each in pictures_of(value))


# ---- all of them -----------------------------------------------------------------------------------------------------

_LINKS: Final = f"""
    WITH used AS (
        SELECT DISTINCT kind, value, marketplace || ' ' || seller AS seller
        FROM read_parquet($files) WHERE kind IN ('contact', 'picture')
    ), linking AS (
        SELECT kind, value FROM used GROUP BY ALL
        HAVING count(*) BETWEEN 2 AND CASE kind WHEN 'picture' THEN {MOST_PICTURE} ELSE {MOST_CONTACT} END
    )
    SELECT seller, kind, value FROM used JOIN linking USING (kind, value) ORDER BY kind, value, seller LIMIT {MOST_USES}
"""  # noqa: S608 (a constant of this module)
_BRANDS: Final = f"""
    WITH said AS (
        SELECT DISTINCT value AS gtin, brand, coalesce("group", marketplace || ' ' || seller) AS voice
        FROM read_parquet($files) LEFT JOIN groups ON marketplace || ' ' || seller = name
        WHERE kind = 'gtin'
    ), voices AS (
        SELECT gtin, voice, any_value(brand) AS brand, count(*) AS brands FROM said GROUP BY gtin, voice
    ), heard AS (
        SELECT gtin, count(*) AS voices FROM voices GROUP BY gtin
    )
    SELECT gtin, brand FROM voices JOIN heard USING (gtin) WHERE brands = 1
    GROUP BY gtin, brand, heard.voices
    HAVING count(*) >= {GTIN_SELLERS} AND 5 * count(*) >= 4 * heard.voices ORDER BY ALL
"""  # noqa: S608 (a constant of this module)


def settle(parts: Sequence[Path], confirmed: Mapping[str, int], *, threads: int | None = None) -> Known:
    """What all partitions say together, exactly as `peers_of`, `linked` and `brands_of` say it of the listings.

    Args:
        confirmed: hits that people confirmed, by `signals.name_of` a seller.

    Raises:
        Invalid: `watch.prices_unreadable`.
    """
    import duckdb  # noqa: PLC0415 (heavy; only who adds up)

    from chopmark.watch.rules.run import connection  # noqa: PLC0415 (the same)

    if not parts:
        return Known()
    files = {"files": [str(each) for each in parts]}
    peers = peers_of_files(files["files"], threads=threads)
    with connection(threads=threads) as database:
        try:
            uses = cast("list[tuple[str, Kind, str]]", database.execute(_LINKS, files).fetchall())
            found = linked(uses, confirmed).linked
            _hold_groups(database, {name: each.group for name, each in found.items()})
            brands = dict(database.execute(_BRANDS, files).fetchall())
        except duckdb.Error as error:
            raise Invalid("watch.prices_unreadable", problem=str(error)[:300]) from error
    return Known(peers=peers, brands=brands, linked=found)


def _hold_groups(database: duckdb.DuckDBPyConnection, group: Mapping[str, str]) -> None:
    """The table `groups`: sellers who are linked are one voice."""
    columns = {"name": pa.array(list(group), pa.string()), "group": pa.array(list(group.values()), pa.string())}
    database.register("groups", pa.table(columns))
