"""A scan's bench in the plainest way: whole words compared one by one, and a rule that reviews what is disguised.

Also a stock of made-up listings whose hits are known when they are made.
"""

from __future__ import annotations

import json
import os
import random
import re
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from pyarrow import parquet

from chopmark.watch.engine import run as running
from chopmark.watch.engine.bench import MarkCensus, Setting
from chopmark.watch.engine.run import Progress, Scan, run
from chopmark.watch.engine.schema import table_of
from chopmark.watch.features import Value
from chopmark.watch.found import Field, TextHit
from chopmark.watch.judge import Decided, Judge, Signals
from chopmark.watch.listing import Listing, clean
from chopmark.watch.marks import Mark, MarkSet
from world.patience import WORK

MARKETPLACE = "demo"
NAMES = ("nike", "adidas", "lego", "gucci", "casio", "bosch")
RULES = "r" * 64


def marks(names: Sequence[str] = NAMES) -> MarkSet:
    return MarkSet(
        version="m" * 64,
        marks=tuple(
            Mark(
                id=at, right=f"right-{at}", number=f"R-2026-{at:06d}", organisation="holder", text=name, classes=("25",)
            )
            for at, name in enumerate(names)
        ),
    )


class PlainFinder:
    def __init__(self, found: MarkSet) -> None:
        self._marks = found.marks

    def find(self, title: str, brand: str = "", description: str = "") -> tuple[TextHit, ...]:
        hits = []
        for field, text in (("title", title), ("brand", brand), ("description", description)):
            for place, word in enumerate(re.finditer(r"\w+", text)):
                hits += [
                    TextHit(
                        mark=mark.id,
                        term=mark.text,
                        view="exact",
                        field=field,
                        start=word.start(),
                        end=word.end(),
                        position=place,
                    )
                    for mark in self._marks
                    if mark.text == word.group().lower()
                ]
        return tuple(hits)


class PlainReading:
    def replica_words(self, text: str) -> int:
        return text.lower().split().count("replica")

    def hidden(self, text: str) -> bool:
        return "\u200b" in text

    def other_brand(self, brand: str, mark: Mark) -> bool:
        return bool(brand) and brand.lower() != mark.text


def decide(row: Mapping[str, Value]) -> Decided:
    fired = bool(row["replica_words"])
    return Decided(
        measure="review" if fired else "none",
        score=700 if fired else 100,
        keys=("text",) if fired else (),
        reasons=(("watch.because_replica", {"words": int(row["replica_words"] or 0)}),) if fired else (),
        fired=(("replica", "v1"),) if fired else (),
        asked=(("replica", "1" * 64, fired),),
        shadow=(("try", "2" * 64, row["position"] == 0),),
    )


class PlainBench:
    """`argument` is JSON: the marks' names, and seconds to sleep for each partition so that a kill can fall into it."""

    def __init__(self, argument: str) -> None:
        said: dict[str, Any] = json.loads(argument or "{}")
        found = marks(said.get("names", NAMES))
        self.marks, self.rules = found.version, RULES
        self._sleep = said.get("sleep", 0.0)
        self._finder = PlainFinder(found)
        self.judge = Judge(found, text=self._finder, decide=decide, reading=PlainReading())

    def found(self, texts: Sequence[str], of: Field) -> dict[int, list[TextHit]]:
        time.sleep(self._sleep)
        found = {at: [replace(hit, field=of) for hit in self._finder.find(text)] for at, text in enumerate(texts)}
        return {at: hits for at, hits in found.items() if hits}

    def complete(self, listing: Listing) -> Listing:
        return listing

    def classes_of(self, category: str) -> list[str]:
        return ["25"] if category == "Shoes" else []

    def signals(self, listing: Listing) -> Signals:
        return Signals(seller_days=len(listing.seller))


def open_bench(argument: str) -> PlainBench:
    return PlainBench(argument)


OPENER = "world.scans:open_bench"


class SlowCensus(MarkCensus):
    """A first pass that is slow enough for a kill to fall into it."""

    def found(self, texts: Sequence[str], of: Field) -> dict[int, list[TextHit]]:
        """What it finds, later."""
        time.sleep(0.05)
        return super().found(texts, of)


def open_slow_census(argument: str) -> MarkCensus:
    """Its finder."""
    return SlowCensus(Setting.parse(argument))


def listings(count: int, *, seed: int = 6, first: int = 0) -> list[Listing]:
    """One in ten names a mark, every third of these offers a replica."""
    chance = random.Random(seed)  # noqa: S311 (made-up titles)
    made = []
    for at in range(first, first + count):
        words = chance.choices(("red", "shoes", "for", "men", "new", "box", "2026", "blue"), k=5)
        if at % 10 == 0:
            words[chance.randrange(5)] = chance.choice(NAMES).title()
        if at % 30 == 0:
            words.append("replica")
        made.append(
            clean(
                {
                    "item": f"i{at}",
                    "version": 1,
                    "seller": f"s{at % 97}",
                    "title": " ".join(words),
                    "price_minor": 1000 + at % 500,
                    "currency": "CNY",
                    "category": "Shoes",
                    "classes": ["25"],
                    "territories": ["CN"],
                },
                marketplace=MARKETPLACE,
            )
        )
    return made


def stock(folder: Path, *, files: int, rows: int, group: int = 1_000) -> list[str]:
    """Parquet files of listings, numbered through; their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for at in range(files):
        path = folder / f"stock-{at:03d}.parquet"
        parquet.write_table(table_of(listings(rows, first=at * rows)), path, row_group_size=group)
        paths.append(str(path))
    return paths


# ---- a driver of its own ---------------------------------------------------------------------------------------------


def start(scan: Scan, **environment: str) -> subprocess.Popen[str]:
    """A process that runs a scan and prints its progress, a JSON object a line."""
    said = {**asdict(scan), "folder": str(scan.folder)}
    return subprocess.Popen(
        [sys.executable, "-m", "world.scans", json.dumps(said)],
        stdout=subprocess.PIPE,
        env={
            **os.environ,
            "PYTHONPATH": str(Path(__file__).resolve().parent.parent),
            "DO_NOT_TRACK": "true",
            **environment,
        },
        text=True,
    )


def drive(scan: Scan, **environment: str) -> list[dict[str, Any]]:
    """Run a scan to its end in a process of its own; its progress."""
    with start(scan, **environment) as process:
        told, _ = process.communicate(timeout=WORK)
    assert process.returncode == 0, told
    return [json.loads(line) for line in told.splitlines() if line.startswith("{")]


def _tell(progress: Progress) -> None:
    print(json.dumps(asdict(progress)), flush=True)  # noqa: T201 (what the test reads)


if __name__ == "__main__":
    asked = json.loads(sys.argv[1])
    running.FEW = int(os.environ.get("FEW", running.FEW))  # type: ignore[misc] (so that Daft counts few listings too)
    run(Scan(**{**asked, "folder": Path(asked["folder"])}), progress=_tell)
