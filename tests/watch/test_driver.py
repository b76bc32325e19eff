"""A scan in a process of its own: what is told arrives, whatever else the process prints, and its end is noticed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from world import loud, scans

from chopmark.base.errors import Refused, Unavailable
from chopmark.watch.driver import Told, carry
from chopmark.watch.engine.run import Scan
from chopmark.watch.results import Total

TESTS = Path(__file__).resolve().parent.parent


def a_scan(tmp_path: Path, **said: Any) -> Scan:
    values: dict[str, Any] = {
        "folder": tmp_path / "scan",
        "files": scans.stock(tmp_path / "stock", files=1, rows=250),
        "marks": "m" * 64,
        "rules": scans.RULES,
        "opener": scans.OPENER,
        "census": loud.CENSUS,
        "argument": "{}",
        "processes": 1,
        "size": 100,
    }
    return Scan(**{**values, **said})


@pytest.fixture(autouse=True)
def _found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(TESTS))


def test_what_libraries_print_is_no_word_of_the_scan(tmp_path: Path) -> None:
    told: list[Told] = []
    content = carry(a_scan(tmp_path), progress=told.append, stop=lambda: False)
    assert content is not None
    assert Total.parse(content).listings == 250
    assert [each.done for each in told if each.counted == 3] == [0, 1, 2, 3]


def test_a_process_that_dies_is_told_as_such(tmp_path: Path) -> None:
    scan = a_scan(tmp_path, argument='{"down": true}')
    with pytest.raises(Unavailable, match=r"watch\.scan_died.*status=1"):
        carry(scan, progress=lambda _: None, stop=lambda: False)


def test_what_the_engine_refuses_comes_through(tmp_path: Path) -> None:
    scan = a_scan(tmp_path, files=[str(tmp_path / "none" / "*.parquet")])
    with pytest.raises(Refused, match=r"watch\.scan_empty"):
        carry(scan, progress=lambda _: None, stop=lambda: False)


def test_a_scan_that_is_stopped_leaves_no_process(tmp_path: Path) -> None:
    scan = a_scan(tmp_path)
    assert carry(scan, progress=lambda _: None, stop=lambda: True) is None
    assert carry(scan, progress=lambda _: None, stop=lambda: False) is not None  # nobody holds its lock
