"""A scan from its plan to its total: one driver, many processes, nothing lost and nothing twice.

    scan = Scan(folder=..., files=[...], marks=..., rules=..., opener="module:function", argument="...")
    total = run(scan, progress=print)

Steps:
 1 take the folder's lock           5 Daft carries them to processes, here or on a Ray cluster
 2 make the plan, or read it        6 each line that comes back goes to the manifest, durable
 3 count what is usual, once        7 add up, write the total
 4 leave out what is done

A run that was killed at any moment goes on where it was: what the manifest says is done stays, all else is done again
and lands in the same files. `runner` is the one setting: `native` is this machine, with a process for each processor;
an address is that of a Ray cluster whose machines all see the folder and the files, and does one partition at a time
on each of its nodes (a machine of 16 processors joins as 16 nodes of one).
"""

from __future__ import annotations

import fcntl
import glob
import logging
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from chopmark.base.errors import Refused, Unavailable
from chopmark.watch.engine import manifest
from chopmark.watch.engine import plan as planning
from chopmark.watch.engine.manifest import Done, Failed
from chopmark.watch.engine.plan import SECRET_SIZE, Plan
from chopmark.watch.results import Total

PLAN: Final = "plan.json"
TOTAL: Final = "total.json"
LOCK: Final = "lock"
FEW: Final = 20_000
"""Listings that the driver counts by itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scan:
    """What is to be scanned, with what, where.

    Attributes:
        folder: of this scan alone; made when it is not there.
        files: Parquet files or patterns of them (`stock/*.parquet`).
        marks, rules: versions. opener, argument: what makes a process's bench (`engine.work.open_bench`).
        marketplace: of listings that do not say.
        runner: `native`, or a Ray cluster's address. processes: at work at once on this
            machine; nought: one for each processor.
        size: listings of a partition.
        stock: write the columns for searches backwards too.
        descriptions: match descriptions too.
        sample: millionths of the items whose rows are kept though no rule fired on them.
        census: what makes the finder of a first pass over the stock (`engine.census`); empty: there is none, and a
            judge knows of other offers what it brings along.
    """

    folder: Path
    files: Sequence[str]
    marks: str
    rules: str
    opener: str
    argument: str = ""
    marketplace: str = ""
    runner: str = "native"
    processes: int = 0
    size: int = planning.SIZE
    stock: bool = False
    descriptions: bool = True
    sample: int = planning.SAMPLE
    census: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far a scan is.

    Attributes:
        partitions, listings: of the whole scan. done, scanned: so far, with former runs.
        counted: partitions that the first pass has counted, with former runs; None where there is no first pass.
        rate: listings a second of this run and the pass that it is in; nought when nothing is done yet.
        remaining: seconds of that pass, by that rate; None when there is none.
    """

    partitions: int
    counted: int | None
    done: int
    failed: int
    listings: int
    scanned: int
    hits: int
    rate: float
    remaining: float | None


def run(
    scan: Scan, *, progress: Callable[[Progress], None] | None = None, stop: Callable[[], bool] | None = None
) -> Total | None:
    """Do what is left of a scan; None when `stop` said so before the end.

    Raises:
        Refused: `watch.scan_running` when another process is at it; `watch.scan_changed` when files or what is asked
            are not as planned; `watch.scan_empty`; `watch.scan_too_large`.
        Invalid: `watch.file_unreadable`, `watch.rows_too_large`, `watch.scan_columns`, when the plan is made.
        Unavailable: `watch.scan_incomplete` when partitions failed; the same call tries them again.
    """
    scan.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with _lock(scan.folder):
        plan = _planned(scan)
        done = manifest.read(scan.folder)
        left = [each.index for each in plan.tasks if each.index not in done]
        uncounted = _uncounted(plan, scan.folder)
        planning.still_as_planned(plan, {*left, *uncounted})
        (scan.folder / "results").mkdir(exist_ok=True)
        follow = _Follower(plan, done, uncounted, progress)
        if not _count(scan, plan, uncounted, follow, stop):
            return None
        if not _carry(scan, plan, left, follow, stop):
            return None
        if follow.failed:
            raise Unavailable("watch.scan_incomplete", failed=len(follow.failed), first=follow.failed[0].code)
        _sweep(scan.folder)
        total = total_of(plan, done)
        manifest.write_whole(scan.folder / TOTAL, total.content())
        return total


def total_of(plan: Plan, done: dict[int, Done]) -> Total:
    """What a scan whose partitions are all done comes to."""
    parts = [done[each.index].part for each in plan.tasks]
    return Total.of(parts, plan=plan.digest, marks=plan.marks, rules=plan.rules)


def _planned(scan: Scan) -> Plan:
    path = scan.folder / PLAN
    if path.exists():
        plan = Plan.parse(path.read_bytes())
        asked = (scan.marks, scan.rules, scan.marketplace, scan.stock, scan.descriptions, scan.size, scan.sample)
        if asked != (plan.marks, plan.rules, plan.marketplace, plan.stock, plan.descriptions, plan.size, plan.sample):
            raise Refused("watch.scan_changed", file=PLAN)
        if plan.census not in {"", scan.census}:
            raise Refused("watch.scan_changed", file=PLAN)
        return plan
    plan = planning.make(
        files_of(scan.files),
        marks=scan.marks,
        rules=scan.rules,
        opener=scan.opener,
        argument=scan.argument,
        secret=os.urandom(SECRET_SIZE),
        marketplace=scan.marketplace,
        size=scan.size,
        stock=scan.stock,
        descriptions=scan.descriptions,
        sample=scan.sample,
        census=scan.census,
    )
    manifest.write_whole(path, plan.encode())
    return plan


def files_of(patterns: Sequence[str]) -> list[Path]:
    """Files by name, in order, each once; hidden ones are drafts and left out."""
    found = {Path(each).resolve() for pattern in patterns for each in glob.glob(pattern, recursive=True)}  # noqa: PTH207 (patterns may be absolute)
    return sorted(each for each in found if each.is_file())


class _Follower:
    """Takes entries as they come, counts, tells."""

    def __init__(
        self,
        plan: Plan,
        done: dict[int, Done],
        uncounted: Sequence[int],
        progress: Callable[[Progress], None] | None,
    ) -> None:
        self._plan, self.done, self._progress = plan, done, progress
        self.failed: list[Failed] = []
        self._counted = len(plan.tasks) - len(uncounted) if plan.census else None
        self._to_count = sum(plan.tasks[each].rows for each in uncounted)
        self._gone = 0  # listings that this run has counted
        self._counting = bool(uncounted)
        self._before = self._scanned = sum(each.part.listings for each in done.values())
        self._hits = sum(each.part.hits for each in done.values())
        self._listings = plan.listings
        self._began = time.monotonic()
        self._tell()

    def take(self, entry: Done | Failed) -> None:
        """One more."""
        if isinstance(entry, Failed):
            self.failed.append(entry)
        else:
            self.done[entry.part.index] = entry
            self._scanned += entry.part.listings
            self._hits += entry.part.hits
        self._tell()

    def count(self, index: int) -> None:
        """The first pass has counted one more."""
        self._counted = (self._counted or 0) + 1
        self._gone += self._plan.tasks[index].rows
        self._tell()

    def begin(self) -> None:
        """The first pass is over: the rate is that of the second."""
        self._counting, self._began = False, time.monotonic()

    def _tell(self) -> None:
        if self._progress is None:
            return
        seconds = time.monotonic() - self._began
        went = self._gone if self._counting else self._scanned - self._before
        left = self._to_count - self._gone if self._counting else self._listings - self._scanned
        rate = went / seconds if seconds > 0 else 0.0
        self._progress(
            Progress(
                partitions=len(self._plan.tasks),
                counted=self._counted,
                done=len(self.done),
                failed=len(self.failed),
                listings=self._listings,
                scanned=self._scanned,
                hits=self._hits,
                rate=rate,
                remaining=left / rate if rate else None,
            )
        )


def _uncounted(plan: Plan, folder: Path) -> Sequence[int]:
    """Partitions that the first pass has not counted yet."""
    from chopmark.watch.engine import census  # noqa: PLC0415 (loads what reads Parquet)

    return census.left(plan, folder)


def _count(scan: Scan, plan: Plan, left: Sequence[int], follow: _Follower, stop: Callable[[], bool] | None) -> bool:
    """Have the stock counted before it is judged, as far as it was not; whether it came to the end."""
    from chopmark.watch.engine import census  # noqa: PLC0415 (loads what reads Parquet)

    for index in _counted(scan, plan, left):
        follow.count(index)
        if stop is not None and stop():
            return False
    census.finish(plan, scan.folder)
    follow.begin()
    return True


def _carry(scan: Scan, plan: Plan, left: Sequence[int], follow: _Follower, stop: Callable[[], bool] | None) -> bool:
    """Have all that is left done; whether it came to the end."""
    if not left:
        return True
    writer = manifest.Writer(scan.folder)
    try:
        for line in _lines(scan, plan, left):
            entry = manifest.parse(line)
            writer.add(entry)
            follow.take(entry)
            if stop is not None and stop():
                return False
    finally:
        writer.close()
    return True


def _counted(scan: Scan, plan: Plan, left: Sequence[int]) -> Iterator[int]:
    """Partitions as they are counted, in any order."""
    if not left:
        return
    if sum(plan.tasks[each].rows for each in left) <= FEW:  # a process of its own costs more than the work
        from chopmark.watch.engine.census import Counter  # noqa: PLC0415 (as above)

        counter = Counter(plan.encode(), str(scan.folder.resolve()))
        yield from map(counter.count, left)
        return
    for line in _done(scan, plan, left, _counting()):
        yield int(line)


def _lines(scan: Scan, plan: Plan, left: Sequence[int]) -> Iterator[bytes]:
    """Lines of the manifest as partitions get done, in any order."""
    yield from _done(scan, plan, left, _carried())


def _done(scan: Scan, plan: Plan, left: Sequence[int], kind: type) -> Iterator[bytes]:
    """What objects of this class, one in each of Daft's processes, say of partitions as they get done."""
    import daft  # noqa: PLC0415 (heavy; only who scans)

    use_runner(scan.runner)
    made = (plan.encode(), str(scan.folder.resolve()), os.getpid())
    frame = daft.from_pydict({"task": list(left)})
    if scan.runner == "native":
        at_once = min(scan.processes or os.cpu_count() or 1, len(left))
        worker = daft.cls(use_process=True, max_concurrency=at_once)(kind)(*made)
    else:
        # What runs in Ray's own process is done again elsewhere when its machine dies; a process beside it, or an actor
        # of its own, is waited for in vain (Daft 0.7.26). A partition of the frame goes to one machine.
        frame = frame.into_partitions(len(left))
        worker = daft.cls(use_process=False)(kind)(*made)
    frame = frame.select(worker.work(frame["task"]).alias("line"))
    for row in frame.iter_rows(results_buffer_size=1):
        yield row["line"]


def use_runner(runner: str) -> None:
    """Let Daft work on this machine (`native`) or on a Ray cluster (its address); a process can do one of them.

    Raises:
        Refused: `watch.runner_other` when this process has begun with the other one.
    """
    import daft  # noqa: PLC0415 (heavy; only who scans)
    from daft.exceptions import DaftCoreException  # noqa: PLC0415 (the same)
    from daft.runners import get_or_create_runner  # noqa: PLC0415 (the same)

    for name in ("tracing", "daft"):
        logging.getLogger(name).setLevel(logging.WARNING)  # Daft tells each step of its pipeline
    try:
        if runner == "native":
            daft.set_runner_native()
        else:
            daft.set_runner_ray(address=runner, noop_if_initialized=True)
    except DaftCoreException:  # it was set before; to what is seen below
        pass
    if get_or_create_runner().name != ("native" if runner == "native" else "ray"):
        raise Refused("watch.runner_other")


def _carried() -> type:
    """The class whose objects live in Daft's processes."""
    import daft  # noqa: PLC0415 (heavy; only who scans)

    class Carried:
        def __init__(self, plan: bytes, folder: str, driver: int) -> None:
            from chopmark.watch.engine import work  # noqa: PLC0415 (in the process that needs it)

            if os.getppid() == driver:  # on a cluster the parent is Ray's, which ends what it started
                work.end_with(driver)
            self._worker = work.worker_of(plan, folder)

        @daft.method.batch(return_dtype=daft.DataType.binary(), batch_size=1)
        def work(self, tasks: daft.Series) -> list[bytes]:
            return [self._worker.work(each) for each in tasks.to_pylist()]

    return Carried


def _counting() -> type:
    """The same for the first pass over a stock."""
    import daft  # noqa: PLC0415 (heavy; only who scans)

    class Counting:
        def __init__(self, plan: bytes, folder: str, driver: int) -> None:
            from chopmark.watch.engine import census, work  # noqa: PLC0415 (in the process that needs it)

            if os.getppid() == driver:  # as above
                work.end_with(driver)
            self._counter = census.counter_of(plan, folder)

        @daft.method.batch(return_dtype=daft.DataType.binary(), batch_size=1)
        def work(self, tasks: daft.Series) -> list[bytes]:
            return [b"%d" % self._counter.count(each) for each in tasks.to_pylist()]

    return Counting


def _sweep(folder: Path) -> None:
    """Remove drafts that killed processes left."""
    for name in ("results", "stock"):
        for draft in (folder / name).glob(".part-*"):
            draft.unlink(missing_ok=True)


@contextmanager
def _lock(folder: Path) -> Iterator[None]:
    with (folder / LOCK).open("wb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise Refused("watch.scan_running") from error
        yield
