"""Scans whose processes are killed: every row of the stock is judged, and none twice."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from dataclasses import asdict
from pathlib import Path

import pytest
from world import scans
from world.patience import HANG, WORK

from chopmark.watch.engine import reading
from chopmark.watch.engine.run import Scan, run
from chopmark.watch.results import Total, check

pytestmark = pytest.mark.crash

KILLS = 20
ROWS = 2_400
TESTS = Path(__file__).resolve().parent.parent


def a_scan(tmp_path: Path, name: str, *, sleep: float) -> Scan:
    return Scan(
        folder=tmp_path / name,
        files=[str(tmp_path / "stock" / "*.parquet")],
        marks="m" * 64,
        rules=scans.RULES,
        opener=scans.OPENER,
        argument=json.dumps({"sleep": sleep}),
        processes=2,
        size=100,
        sample=1_000_000,
        stock=True,
    )


def expected(rows: int) -> list[tuple[str, str, str]]:
    judge = scans.open_bench("").judge
    return [
        (each.item, verdict.right, verdict.decided.measure) for each in scans.listings(rows) for verdict in judge(each)
    ]


def must_be_exact(folder: Path, whole: list[tuple[str, str, str]]) -> None:
    """Every row once, every file whole, each row provable."""
    total = Total.parse((folder / "total.json").read_bytes())
    done = reading.parts(folder)
    assert sorted(done) == list(range(total.partitions))
    rows = [row for index in sorted(done) for row in reading.rows(folder, done[index])]
    assert [(each.item, each.verdict.right, each.verdict.decided.measure) for each in rows] == whole
    assert (total.listings, total.results) == (ROWS, len(whole))
    for name in ("results", "stock"):
        assert len(list((folder / name).iterdir())) == total.partitions
    for index in (0, total.partitions - 1):
        check(reading.proof(folder, index, 0), total)


def children_of(pid: int) -> set[int]:
    found = set()
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            except (FileNotFoundError, ProcessLookupError):
                continue
            if parent == pid:
                found.add(int(entry.name))
    return found


def must_end(pids: set[int]) -> None:
    until = time.monotonic() + HANG
    while any(Path(f"/proc/{pid}").exists() for pid in pids):
        assert time.monotonic() < until, "processes of a killed scan live on"
        time.sleep(0.1)


def test_a_scan_killed_at_twenty_random_moments_is_exact(tmp_path: Path) -> None:
    scans.stock(tmp_path / "stock", files=1, rows=ROWS, group=250)
    whole = expected(ROWS)
    chance = random.Random(20)  # noqa: S311 (the same moments every time, as far as the machine lets them be)
    killed, finished, partial = 0, 0, 0
    while killed < KILLS:
        scan = a_scan(tmp_path, f"scan-{finished}", sleep=0.05)
        process = scans.start(scan)
        assert process.stdout is not None
        # Before the first process is up, or some partitions later; then a moment more.
        for _ in range(chance.choice((1, chance.randrange(2, 22)))):
            process.stdout.readline()
        wait = chance.choice((0.0, chance.uniform(0, 0.1), chance.uniform(0, 4)))
        try:
            process.wait(wait)
        except subprocess.TimeoutExpired:
            children = children_of(process.pid)
            process.send_signal(signal.SIGKILL)
            process.wait()
            must_end(children)
            killed += 1
            partial += 0 < len(reading.parts(scan.folder)) < ROWS // 100
        else:
            assert process.returncode == 0
            must_be_exact(scan.folder, whole)
            finished += 1
        process.stdout.close()
    scan = a_scan(tmp_path, f"scan-{finished}", sleep=0.0)
    scans.drive(scan)
    must_be_exact(scan.folder, whole)
    assert partial > 0, "every kill fell before the first or after the last partition"


def test_a_worker_killed_alone_ends_the_scan_which_then_goes_on(tmp_path: Path) -> None:
    scans.stock(tmp_path / "stock", files=1, rows=ROWS, group=250)
    scan = a_scan(tmp_path, "scan", sleep=0.05)
    process = scans.start(scan)
    assert process.stdout is not None
    while json.loads(process.stdout.readline())["done"] < 2:
        pass
    for pid in children_of(process.pid):
        if b"daft" in Path(f"/proc/{pid}/cmdline").read_bytes():
            os.kill(pid, signal.SIGKILL)
            break
    else:
        pytest.fail("no process of the scan was found")
    try:
        process.communicate(timeout=60)  # it ends by itself, or it is lost for good
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
    scans.drive(scan)
    must_be_exact(scan.folder, expected(ROWS))


def test_a_scan_on_two_machines_is_exact_though_one_dies(tmp_path: Path) -> None:
    scans.stock(tmp_path / "stock", files=1, rows=ROWS, group=250)
    scan = a_scan(tmp_path, "scan", sleep=0.2)
    asked = {"scan": {**asdict(scan), "folder": str(scan.folder)}, "kill_after": 5}
    told = subprocess.run(
        [sys.executable, "-m", "world.two_nodes", json.dumps(asked)],
        check=True,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(TESTS), "DO_NOT_TRACK": "true"},
        text=True,
        timeout=WORK,
    ).stdout
    assert "killed" in told.splitlines()
    must_be_exact(scan.folder, expected(ROWS))
    here = Scan(**{**asdict(scan), "folder": tmp_path / "here", "runner": "native", "argument": "{}"})
    scans.drive(here)
    must_be_exact(here.folder, expected(ROWS))
    there = reading.parts(scan.folder)
    assert {index: (each.part.results, each.counts) for index, each in there.items()} == {
        index: (each.part.results, each.counts) for index, each in reading.parts(here.folder).items()
    }
    assert run(here) is not None
