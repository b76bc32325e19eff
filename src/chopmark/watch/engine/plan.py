"""What one scan is to do, fixed before it begins: every file and row, the marks, the rules, one secret.

    plan = make(files, marks=..., rules=..., size=100_000)
    plan.encode() -> bytes; Plan.parse(bytes)

The plan is written before the first partition is read; its SHA-256 stands in the scan's statement, so that nobody can
say later that a part was never to be looked at. Reads the footers of files, nothing else.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from chopmark.base import jcs
from chopmark.base.errors import Invalid, Refused

FORM: Final = "chopmark-watch-plan-v1"
SIZE: Final = 100_000  # listings of one partition: some seconds of work
MAX_PARTITIONS: Final = 1_000_000
SECRET_SIZE: Final = 32
SAMPLE: Final = 10_000  # millionths: one of a hundred
SAYING: Final = frozenset({"price", "price_minor", "stock", "gtin", "contact", "pictures"})
"""Columns that say something of other sellers' offers; a stock with none of them is not counted before it is judged."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """Rows `[start, start + rows)` of one file."""

    index: int
    file: str
    start: int
    rows: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A file as it was when the plan was made.

    Attributes:
        file: absolute path. size: in bytes. changed: its time of change in nanoseconds. rows: how many it holds.
    """

    file: str
    size: int
    changed: int
    rows: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """See the module.

    Attributes:
        marketplace: of listings that do not say; empty when each says it.
        marks, rules: their versions. opener: `module:function` that makes the judge of a process from `argument`.
        secret: 32 bytes; salts of rows come from it.
        stock: whether the columns for searches over the stock are written too.
        descriptions: whether descriptions are matched, or only titles and brand fields.
        sample: millionths of the items whose rows are kept though no rule fired on them.
        census: `module:function` that makes the finder of the first pass (`engine.census`); empty where there is none.
    """

    marketplace: str
    marks: str
    rules: str
    opener: str
    argument: str
    secret: bytes
    size: int
    sources: tuple[Source, ...]
    tasks: tuple[Task, ...]
    stock: bool = False
    descriptions: bool = True
    sample: int = SAMPLE
    census: str = ""

    @property
    def listings(self) -> int:
        """How many rows are to be read."""
        return sum(each.rows for each in self.sources)

    @property
    def digest(self) -> bytes:
        """SHA-256 of the plan without its secret, which is not for everybody who may see what was scanned."""
        return hashlib.sha256(jcs.encode({**self._said(), "secret": hashlib.sha256(self.secret).hexdigest()})).digest()

    def encode(self) -> bytes:
        """Canonical JSON, the secret in it: for the scan's own folder."""
        return jcs.encode(self._said())

    def _said(self) -> dict[str, object]:
        return {
            "form": FORM,
            "marketplace": self.marketplace,
            "marks": self.marks,
            "rules": self.rules,
            "opener": self.opener,
            "argument": self.argument,
            "secret": self.secret.hex(),
            "size": self.size,
            "stock": self.stock,
            "descriptions": self.descriptions,
            "sample": self.sample,
            "census": self.census,
            # Times of change in nanoseconds are more than a number in JSON holds.
            "sources": [[each.file, each.size, str(each.changed), each.rows] for each in self.sources],
        }

    @classmethod
    def parse(cls, data: bytes) -> Plan:
        """Read what `encode` printed.

        Raises:
            Invalid: `watch.plan_malformed`; `base.json_malformed`.
        """
        said = jcs.decode(data)
        try:
            sources = tuple(Source(file=a, size=b, changed=int(c), rows=d) for a, b, c, d in said["sources"])
            plan = cls(
                **{name: said[name] for name in ("marketplace", "marks", "rules", "opener", "argument", "size")},
                **{name: said[name] for name in ("stock", "descriptions", "sample", "census")},
                secret=bytes.fromhex(said["secret"]),
                sources=sources,
                tasks=tuple(tasks_of(sources, said["size"])),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise Invalid("watch.plan_malformed") from error
        if plan.encode() != data:
            raise Invalid("watch.plan_malformed")
        return plan


def make(
    files: Sequence[Path],
    *,
    marks: str,
    rules: str,
    opener: str,
    argument: str,
    secret: bytes,
    marketplace: str = "",
    size: int = SIZE,
    stock: bool = False,
    descriptions: bool = True,
    sample: int = SAMPLE,
    census: str = "",
) -> Plan:
    """The plan over these files, in this order.

    Args:
        census: left out where no file has a column (`SAYING`) of which a first pass would learn anything.

    Raises:
        Refused: `watch.scan_empty` without a file; `watch.scan_too_large`.
        Invalid: `watch.file_unreadable` for a file that is no Parquet; `watch.rows_too_large`; `watch.scan_columns`.
    """
    if not files:
        raise Refused("watch.scan_empty")
    seen = [_source(each.resolve()) for each in files]
    sources = tuple(source for source, _ in seen)
    tasks = tuple(tasks_of(sources, size))
    if len(tasks) > MAX_PARTITIONS:
        raise Refused("watch.scan_too_large", limit=MAX_PARTITIONS)
    return Plan(
        marketplace=marketplace,
        marks=marks,
        rules=rules,
        opener=opener,
        argument=argument,
        secret=secret,
        size=size,
        sources=sources,
        tasks=tasks,
        stock=stock,
        descriptions=descriptions,
        sample=sample,
        census=census if any(not SAYING.isdisjoint(names) for _, names in seen) else "",
    )


def tasks_of(sources: Sequence[Source], size: int) -> Iterator[Task]:
    """Every file cut into pieces of at most `size` rows; an empty file is no piece."""
    if type(size) is not int or size < 1:
        raise Invalid("watch.plan_malformed")
    index = 0
    for source in sources:
        for start in range(0, source.rows, size):
            yield Task(index=index, file=source.file, start=start, rows=min(size, source.rows - start))
            index += 1


def still_as_planned(plan: Plan, left: Iterable[int]) -> None:
    """Check that no file of which partitions are left was changed since the plan was made.

    Raises:
        Refused: `watch.scan_changed`.
    """
    wanted = {plan.tasks[each].file for each in left}
    for source in plan.sources:
        if source.file in wanted and not is_as_planned(source):
            raise Refused("watch.scan_changed", file=Path(source.file).name)


def is_as_planned(source: Source) -> bool:
    """Whether a file is there and was not changed since."""
    try:
        now = Path(source.file).stat()
    except OSError:
        return False
    return (now.st_size, now.st_mtime_ns) == (source.size, source.changed)


def _source(file: Path) -> tuple[Source, list[str]]:
    """A file, and its columns."""
    from chopmark.watch.engine.parquets import opened  # noqa: PLC0415 (heavy; only who scans)
    from chopmark.watch.engine.schema import readable  # noqa: PLC0415 (the same)

    try:
        seen = file.stat()
    except OSError as error:
        raise Invalid("watch.file_unreadable", file=file.name) from error
    with opened(file) as footer:
        readable(footer.names)
        return Source(file=str(file), size=seen.st_size, changed=seen.st_mtime_ns, rows=footer.length), footer.names
