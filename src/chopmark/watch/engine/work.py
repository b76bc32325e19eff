"""What one process does: open the bench once, then read, judge and write one partition after another.

    worker = Worker(plan bytes, folder)
    worker.work(task) -> line of the manifest

A file of results is written under a name of this process's own and moved to the partition's name when it is whole and
on disk. Done twice, by two machines even, it is the same file. What cannot be read is a line that says so; anything
else that goes wrong is a bug and ends the scan.
"""

from __future__ import annotations

import os
import threading
import time
from importlib import import_module
from pathlib import Path
from typing import Final, cast

import pyarrow as pa
from pyarrow import parquet

from chopmark.base.errors import Invalid, PlatformError, Refused
from chopmark.watch import results
from chopmark.watch.engine import manifest, parquets, stock
from chopmark.watch.engine.manifest import Done, Failed
from chopmark.watch.engine.plan import Plan, Task, is_as_planned
from chopmark.watch.engine.schema import FINGERPRINTS, readable, results_table
from chopmark.watch.engine.score_partition import Bench, Learns, Looks, candidates, readable_text

SIGNALS: Final = "signals.jsonl"
"""What the first pass over a stock found, in the scan's folder (`engine.census`)."""
CHECK: Final = 0.5  # seconds between looks at the parent


def open_bench(opener: str, argument: str) -> Bench:
    """The bench that `module:function` makes of its argument."""
    return cast("Bench", named(opener, argument))


def named(opener: str, argument: str) -> object:
    """What `module:function` makes of its argument."""
    module, _, name = opener.partition(":")
    made: object = getattr(import_module(module), name)(argument)
    return made


class Worker:
    """See the module."""

    def __init__(self, plan: bytes, folder: str) -> None:
        self._plan = Plan.parse(plan)
        self._folder = Path(folder)
        self._sources = {each.file: each for each in self._plan.sources}
        self._bench = open_bench(self._plan.opener, self._plan.argument)
        if (self._bench.marks, self._bench.rules) != (self._plan.marks, self._plan.rules):
            raise Invalid("watch.plan_other", marks=self._bench.marks, rules=self._bench.rules)
        if self._plan.census and isinstance(self._bench, Learns):
            self._bench.learn((self._folder / SIGNALS).read_bytes())

    def work(self, index: int) -> bytes:
        """Do one partition; the line for the manifest."""
        task = self._plan.tasks[index]
        try:
            return self._do(task).line()
        except PlatformError as error:
            return Failed(index=index, code=error.code).line()

    def _do(self, task: Task) -> Done:
        started = time.process_time()
        table = read(Path(task.file), task.start, task.rows)
        if not is_as_planned(self._sources[task.file]):  # another file came while the scan ran
            raise Refused("watch.scan_changed", file=Path(task.file).name)
        scored = candidates(
            self._bench.looked(table) if isinstance(self._bench, Looks) else table,
            self._bench,
            marketplace=self._plan.marketplace,
            descriptions=self._plan.descriptions,
            sample=lambda item: results.is_sampled(self._plan.secret, item, self._plan.sample),
        )
        salts = [results.salt_of(self._plan.secret, task.index, row) for row in range(len(scored.results))]
        leaves = [results.leaf(each, salt=salt) for each, salt in zip(scored.results, salts, strict=True)]
        if self._plan.stock:
            # Searches backwards read all of it again and again: a third larger, and read in two thirds of the time.
            held = stock.table_of(table, self._plan.marketplace)
            write(held, stock.file_of(self._folder, task.index), compression="lz4")
        name = f"part-{task.index:06d}.parquet"
        size = write(results_table(scored.results, salts), self._folder / "results" / name)
        return Done(
            part=results.Part(
                index=task.index,
                source=Path(task.file).name,
                start=task.start,
                listings=len(table),
                refused=scored.refused,
                results=len(leaves),
                hits=sum(each.verdict.decided.measure != "none" for each in scored.results),
                root=results.root_of_leaves(leaves),
                marks=self._bench.marks,
                rules=self._bench.rules,
            ),
            file=name,
            size=size,
            milliseconds=round((time.process_time() - started) * 1000),
            counts={**scored.counts, "sifted": scored.sifted},
        )


_OPEN: dict[tuple[bytes, str], Worker] = {}
_OPENING = threading.Lock()


def worker_of(plan: bytes, folder: str) -> Worker:
    """The worker of this process for a plan; a cluster asks for it with every partition, and opening costs seconds."""
    with _OPENING:
        if (plan, folder) not in _OPEN:
            _OPEN.clear()
            _OPEN[plan, folder] = Worker(plan, folder)
        return _OPEN[plan, folder]


def read(file: Path, start: int, rows: int) -> pa.Table:
    """Rows `[start, start + rows)` of a Parquet file: only the row groups that hold them, only the columns we know.

    Raises:
        Invalid: `watch.file_unreadable`; `watch.rows_too_large`; `watch.scan_columns`.
    """
    with parquets.opened(file) as opened:
        table = opened.rows(start, rows, readable(opened.names))
    if len(table) != rows:
        raise Invalid("watch.file_unreadable", file=file.name)
    return readable_text(_without_false_fingerprints(table))


def _without_false_fingerprints(table: pa.Table) -> pa.Table:
    """Without a column of that name that cannot be one."""
    if FINGERPRINTS not in table.column_names:
        return table
    kind = table.schema.field(FINGERPRINTS).type
    good = pa.types.is_list(kind) and pa.types.is_binary(kind.value_type)
    return table if good else table.drop_columns([FINGERPRINTS])


def write(table: pa.Table, path: Path, *, compression: str = "zstd") -> int:
    """Write a file that is there whole or not at all; its size in bytes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.uname().nodename}.{os.getpid()}")
    with draft.open("wb") as file:
        parquet.write_table(table, file, compression=compression)
        file.flush()
        os.fsync(file.fileno())
        size = file.tell()
    draft.replace(path)
    manifest.sync_folder(path.parent)
    return size


def end_with(parent: int) -> None:
    """End this process when its parent is another one: who started it was killed, and nobody takes its work."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(CHECK)
        os._exit(1)

    threading.Thread(target=watch, name="parent watch", daemon=True).start()
