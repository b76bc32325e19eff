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

from chopmark.base.errors import Invalid, PlatformError
from chopmark.watch import results
from chopmark.watch.engine import manifest, stock
from chopmark.watch.engine.manifest import Done, Failed
from chopmark.watch.engine.plan import Plan, Task
from chopmark.watch.engine.schema import readable, results_table
from chopmark.watch.engine.score_partition import Bench, Looks, candidates, readable_text

CHECK: Final = 0.5  # seconds between looks at the parent


def open_bench(opener: str, argument: str) -> Bench:
    """The bench that `module:function` makes of its argument."""
    module, _, name = opener.partition(":")
    return cast("Bench", getattr(import_module(module), name)(argument))


class Worker:
    """See the module."""

    def __init__(self, plan: bytes, folder: str) -> None:
        self._plan = Plan.parse(plan)
        self._folder = Path(folder)
        self._bench = open_bench(self._plan.opener, self._plan.argument)
        if (self._bench.marks, self._bench.rules) != (self._plan.marks, self._plan.rules):
            raise Invalid("watch.plan_other", marks=self._bench.marks, rules=self._bench.rules)

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
            write(stock.table_of(table, self._plan.marketplace), stock.file_of(self._folder, task.index))
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
        Invalid: `watch.file_unreadable`; `watch.scan_columns`.
    """
    try:
        with parquet.ParquetFile(file) as opened:
            columns = readable(opened.schema_arrow.names)
            groups, skipped, seen = [], 0, 0
            for group in range(opened.num_row_groups):
                held = opened.metadata.row_group(group).num_rows
                if seen + held <= start:
                    skipped += held
                elif seen < start + rows:
                    groups.append(group)
                seen += held
            table = opened.read_row_groups(groups, columns=columns, use_threads=False)
        table = readable_text(table.slice(start - skipped, rows))
    except (OSError, pa.ArrowException) as error:
        raise Invalid("watch.file_unreadable", file=file.name) from error
    if len(table) != rows:
        raise Invalid("watch.file_unreadable", file=file.name)
    return table


def write(table: pa.Table, path: Path) -> int:
    """Write a file that is there whole or not at all; its size in bytes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.uname().nodename}.{os.getpid()}")
    with draft.open("wb") as file:
        parquet.write_table(table, file, compression="zstd")
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
