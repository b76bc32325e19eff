"""A scan's folder, read: which partitions are done, their rows, and the proof of one row.

parts(folder)                   lines of the manifest, by index; a scan may still be running
rows(folder, done)              the results of one partition, checked against its root
proof(folder, index, row)       for `results.check`, once the scan has come to its end
"""

from __future__ import annotations

from pathlib import Path

from chopmark.base.errors import Invalid, Refused
from chopmark.watch import results
from chopmark.watch.engine import manifest
from chopmark.watch.engine.manifest import Done
from chopmark.watch.engine.plan import Plan
from chopmark.watch.results import Proof, Result


def parts(folder: Path) -> dict[int, Done]:
    """What is done so far, by index of the partition.

    Raises:
        Invalid: `watch.manifest_malformed` and the like.
    """
    return manifest.read(folder)


def rows(folder: Path, done: Done) -> list[Result]:
    """The results of one partition, in order.

    Raises:
        Invalid: `watch.results_malformed` when the file is not the one whose root the partition's line has.
    """
    return [result for result, _ in _checked(folder, done)]


def proof(folder: Path, index: int, row: int) -> Proof:
    """That row `row` of partition `index` is a result of this scan.

    Raises:
        Refused: `watch.scan_unfinished`.
        Invalid: `watch.results_malformed`; `ledger.index_outside` when there is no such row.
    """
    plan = Plan.parse((folder / "plan.json").read_bytes())
    done = manifest.read(folder)
    if len(done) != len(plan.tasks):
        raise Refused("watch.scan_unfinished", done=len(done), partitions=len(plan.tasks))
    if index not in done:
        raise Invalid("ledger.index_outside", index=index, size=len(done))
    leaves = [results.leaf(result, salt=salt) for result, salt in _checked(folder, done[index])]
    lines = [done[each.index].part.line() for each in plan.tasks]
    return results.prove(leaves, row, lines, index)


def _checked(folder: Path, done: Done) -> list[tuple[Result, bytes]]:
    import pyarrow as pa  # noqa: PLC0415 (heavy; only who reads results)
    from pyarrow import parquet  # noqa: PLC0415 (the same)

    from chopmark.watch.engine.schema import results_of  # noqa: PLC0415 (the same)

    try:
        # Not `read_table`, which may read a folder's name (`part=7`) as a column.
        table = parquet.ParquetFile(folder / "results" / done.file).read()
    except (OSError, pa.ArrowException) as error:
        raise Invalid("watch.results_malformed") from error
    found = list(results_of(table))
    root = results.root_of_leaves([results.leaf(result, salt=salt) for result, salt in found])
    if root != done.part.root:
        raise Invalid("watch.results_malformed")
    return found
