"""Scans: listings a CPU-second from Parquet to Parquet against 100,000 marks, whole scans, searches backwards.

    ./run bench watch [--json] [--quick] [--only PART,PART]     parts: match, judge, scale, reverse, arithmetic

Titles are real ones of `CHOPMARK_DATA`, shuffled and each made a title of its own by a model number; marks are 79,050
real names and made-up ones. CPU time is that of one process and all its threads. `match` reads, matches and writes
what stands in titles; `judge` is the whole way to results with reasons, by the rules that ship. Peers in the same run:
RapidFuzz (`partial_ratio`) and TF-IDF over letters by two and three (SciPy), both with 2,000 marks only.

The arithmetic says what is measured here and what is multiplied; nothing of two billion was run.
--quick takes tenths.
"""

from __future__ import annotations

import csv
import json
import os
import random
import re
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from datetime import date
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import parquet
from rapidfuzz import fuzz, process
from scipy import sparse

REPOSITORY = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(REPOSITORY / "tests"))

from world import lookalikes  # noqa: E402 (the path is set only now)

from chopmark.watch.engine import bench, plan, reading, run, stock, work  # noqa: E402 (as above)
from chopmark.watch.engine.reverse import reverse  # noqa: E402 (as above)
from chopmark.watch.engine.run import Progress, Scan  # noqa: E402 (as above)
from chopmark.watch.engine.score_partition import survey  # noqa: E402 (as above)
from chopmark.watch.marks import Mark, MarkSet, encode, mark_set  # noqa: E402 (as above)
from chopmark.watch.rules.rule import default, encode_rules  # noqa: E402 (as above)
from chopmark.watch.text.matcher import TextMatcher  # noqa: E402 (as above)

Line = dict[str, object]
MARKS, REAL, NEAR, PEER_MARKS = 100_000, 79_050, 2_000, 2_000
DAY = 2_000_000_000
SECONDS = 86_400


def main() -> None:
    """Print a table, or one JSON object a line."""
    arguments = sys.argv[1:]
    only = arguments[arguments.index("--only") + 1].split(",") if "--only" in arguments else list(PARTS)
    scale = 10 if "--quick" in arguments else 1
    data = Path(os.environ.get("CHOPMARK_DATA", REPOSITORY.parent / "shared" / "data"))
    if not (data / "brands-nsi").is_dir():
        sys.exit(f"no reference data in {data}")
    folder = Path(tempfile.mkdtemp(prefix="chopmark-bench-"))
    measured: dict[str, float] = {}
    try:
        world = World(data, folder)
        for name in only:
            for line in PARTS[name](world, scale, measured):
                if "--json" in arguments:
                    print(json.dumps(line), flush=True)
                else:
                    beside = "{peer_value} {peer} ({ratio} x)".format(**line) if line["peer"] else ""
                    print("{name:70} {value:>14} {unit:14} {beside}".format(beside=beside, **line), flush=True)
    finally:
        shutil.rmtree(folder)


def _line(name: str, value: float, unit: str, peer: str = "", peer_value: float = 0) -> Line:
    shown = round(value) if value >= 100 else round(value, 2)
    ratio = round(value / peer_value, 1) if peer_value else None
    return {
        "name": name,
        "value": shown,
        "unit": unit,
        "peer": peer,
        "peer_value": round(peer_value, 1),
        "ratio": ratio,
    }


# ---- what it is measured on ------------------------------------------------------------------------------------------


class World:
    """Titles, marks and files, made once."""

    def __init__(self, data: Path, folder: Path) -> None:
        self.folder, self._data = folder, data
        self.titles = titles_of(data)
        self.marks = marks_of(data)

    def file(self, rows: int, *, group: int = 100_000, seed: int = 1) -> Path:
        """A Parquet file of so many listings."""
        path = self.folder / f"listings-{rows}-{seed}.parquet"
        if not path.exists():
            parquet.write_table(listings_table(self.titles, rows, seed), path, row_group_size=group, compression="zstd")
        return path

    def setting(self, *, fast: bool) -> bench.Setting:
        """Marks and the shipped rules as files."""
        marks, rules = self.folder / "marks", self.folder / "rules"
        if not marks.exists():
            marks.write_bytes(encode(self.marks))
            rules.write_bytes(encode_rules(default()))
        return bench.Setting(marks=marks, rules=rules, on=date(2026, 11, 22), fast=fast)


def titles_of(data: Path) -> list[str]:
    """Real titles in English and Chinese, each once, in an order of their own."""
    found: dict[str, None] = {}
    for file in (data / "products-walmart" / "data").glob("*.csv"):
        with file.open(encoding="utf-8", errors="replace", newline="") as opened:
            found.update((row.get("title") or row.get("name") or "", None) for row in csv.DictReader(opened))
    for product in json.loads((data / "products-flipkart1k" / "products.json").read_text("utf-8")):
        found[product["name"]] = None
    for file in (data / "products-magellan").rglob("*.txt*"):
        if file.is_file() and file.name != "SOURCE.txt":
            text = file.read_text("utf-8", "replace")
            found.update((name.strip(), None) for name in re.findall(r"COL (?:title|name) VAL (.*?) COL", text))
    for file in (data / "zh-taobao-ner").rglob("train.txt"):
        for sentence in file.read_text("utf-8").split("\n\n"):
            found["".join(line.split(" ")[0] for line in sentence.splitlines())] = None
    titles = [each for each in found if 8 <= len(each) <= 300]
    random.Random(6).shuffle(titles)  # noqa: S311 (the same order every time)
    return titles


def marks_of(data: Path) -> MarkSet:
    """100,000 marks, of which 2,000 are looked for with near misses."""
    names = lookalikes.brands(data)
    random.Random(5).shuffle(names)  # noqa: S311 (the same names every time)
    names = names[:REAL] + lookalikes.made_up(MARKS - REAL, names, 3)
    near = {name for name in names if name.isascii() and name.isalpha() and len(name) >= 6}
    watched = set(sorted(near)[:: max(1, len(near) // NEAR)][:NEAR])
    return mark_set(
        Mark(
            id=0,
            right=f"right-{at:06d}",
            number=f"R-2026-{at:06d}",
            organisation="holder",
            text=name,
            classes=("9", "25"),
            territories=("CN", "US"),
            near=name in watched,
        )
        for at, name in enumerate(names[:MARKS])
    )


def listings_table(titles: Sequence[str], rows: int, seed: int) -> pa.Table:
    """Listings in columns; each title has a number of its own, so that no file is smaller than a real one."""
    chance = np.random.default_rng(seed)
    numbers = pa.array(np.arange(rows))
    texts = pa.array(titles).take(pa.array(chance.integers(0, len(titles), rows)))
    models = pc.cast(pa.array(chance.integers(1_000, 99_999_999, rows)), pa.string())
    return pa.table(
        {
            "item": pc.binary_join_element_wise(pa.scalar("i"), pc.cast(numbers, pa.string()), ""),
            "version": pa.array(np.ones(rows, np.int64)),
            "seller": pc.binary_join_element_wise(
                pa.scalar("s"), pc.cast(pa.array(chance.integers(0, max(2, rows // 20), rows)), pa.string()), ""
            ),
            "title": pc.binary_join_element_wise(texts, models, " "),
            "price_minor": pa.array(chance.integers(100, 100_000, rows)),
            "currency": pa.array(["CNY"] * rows),
            "category": pa.array(["Clothing > Shoes"] * rows),
            "classes": pa.array([["25"]] * rows),
            "territories": pa.array([["CN"]] * rows),
        }
    )


# ---- parts -----------------------------------------------------------------------------------------------------------


def match(world: World, scale: int, measured: dict[str, float]) -> Iterator[Line]:
    """Parquet, marks in titles, Parquet; with peers."""
    sample = world.titles[: 2_000 // min(scale, 4)]
    names = [each.text for each in world.marks.marks][:: MARKS // PEER_MARKS]
    rapid, grams = rapidfuzz_rate(sample[:120], names), tfidf_rate(sample, names)
    for fast, name in ((True, "exact and look-alike"), (False, "all views, near misses of 2,000")):
        began = time.process_time()
        matcher = TextMatcher(world.marks, fast=fast)
        yield _line(f"matcher of 100,000 marks, {name}: made, CPU", time.process_time() - began, "s")
        rows = (600_000 if fast else 200_000) // scale
        path = world.file(rows)
        work.write(survey(work.read(path, 0, 1_000), matcher), world.folder / "warm.parquet")
        began = time.process_time()
        for start in range(0, rows, 100_000):
            found = survey(work.read(path, start, min(100_000, rows - start)), matcher)
            work.write(found, world.folder / "survey.parquet")
        rate = rows / (time.process_time() - began)
        measured[f"match fast={fast}"] = rate
        label = f"Parquet, {name}, 100,000 marks, Parquet"
        yield _line(label, rate, "listings/CPU-s", "RapidFuzz, 2,000 marks, titles alone", rapid)
        yield _line(label, rate, "listings/CPU-s", "TF-IDF, 2,000 marks, titles alone", grams)


def judge(world: World, scale: int, measured: dict[str, float]) -> Iterator[Line]:
    """The whole way: sieve, listings, features, rules, keys, results with salts and roots."""
    rows = 40_000 // scale
    made = plan.make(
        [world.file(rows)],
        marks=world.marks.version,
        rules=default().version,
        opener=bench.OPENER,
        argument=world.setting(fast=False).encode(),
        secret=bytes(32),
        marketplace="demo",
        size=max(rows // 4, 1),
    )
    began = time.process_time()
    worker = work.Worker(made.encode(), str(world.folder / "judged"))
    yield _line("process of a scan with 100,000 marks: opened, CPU", time.process_time() - began, "s")
    began, seen, results = time.process_time(), 0, 0
    for task in made.tasks:
        line = json.loads(json.loads(worker.work(task.index))["done"])
        seen, results = seen + line["listings"], results + line["results"]
    rate = measured["judge"] = seen / (time.process_time() - began)
    measured["results"] = results / seen
    yield _line("Parquet, all views, features, rules, keys, proofs, Parquet", rate, "listings/CPU-s")
    yield _line("results a listing (every name counts, most come to nothing)", results / seen, "")


def scale_lines(world: World, scale: int, _: dict[str, float]) -> Iterator[Line]:
    """The same scan by one and by two processes, from the first partition done to the last.

    By the clock, which tells nothing where other work wants the processors; and by the CPU time of each partition: what
    two processes do in a second of both, if each has a processor of its own.
    """
    rows = 100_000 // scale
    rates, spent = {}, {}
    for processes in (1, 2):
        told: list[tuple[float, Progress]] = []
        scan = Scan(
            folder=world.folder / f"scan-{processes}",
            files=[str(world.file(rows))],
            marks=world.marks.version,
            rules=default().version,
            opener=bench.OPENER,
            argument=world.setting(fast=False).encode(),
            marketplace="demo",
            processes=processes,
            size=rows // 20,
        )
        run.run(scan, progress=lambda each, told=told: told.append((time.monotonic(), each)))
        (begun, first), (ended, last) = told[processes], told[-1]
        rates[processes] = (last.scanned - first.scanned) / (ended - begun)
        done = reading.parts(scan.folder).values()
        spent[processes] = processes * rows / (sum(each.milliseconds for each in done) / 1000)
    yield _line("scan, 2 processes, by the clock", rates[2], "listings/s", "1 process", rates[1])
    yield _line("scan, 2 processes, each with a processor (CPU time)", spent[2], "listings/s", "1 process", spent[1])


def backwards(world: World, scale: int, measured: dict[str, float]) -> Iterator[Line]:
    """One mark with eight other names among ten million listings."""
    files, rows = 40, 250_000 // scale
    folder = world.folder / "reverse"
    folder.mkdir()
    shops = [f"s{at}" for at in range(len(world.titles))]
    forms = stock.table_of(pa.table({"item": shops, "seller": shops, "title": world.titles}), "demo")
    for at in range(files):
        chance = np.random.default_rng(at)
        picked = forms.take(pa.array(chance.integers(0, len(forms), rows)))
        models = pc.cast(pa.array(chance.integers(1_000, 99_999_999, rows)), pa.string())
        for name in ("title", "canon", "compact"):
            column = pc.binary_join_element_wise(picked.column(name), models, " " if name != "compact" else "")
            picked = picked.set_column(picked.schema.get_field_index(name), name, column)
        items = pc.binary_join_element_wise(f"{at}-", pc.cast(pa.array(np.arange(rows)), pa.string()), "")
        parquet.write_table(picked.set_column(1, "item", items), folder / f"part-{at:06d}.parquet", compression="lz4")
    names = ("Casio", "カシオ", "卡西欧", "카시오", "касио", "Casio G-Shock", "ProTrek", "Edifice", "卡西歐")
    mark = Mark(id=0, right="r", number="R-2026-000001", organisation="o", text=names[0], aliases=names[1:])
    matcher = TextMatcher(mark_set([mark]))
    count = files * rows
    for aliases in (0, 8):
        marks = mark_set(
            [Mark(id=0, right="r", number="R", organisation="o", text="Casio", aliases=names[1 : aliases + 1])]
        )
        began, used = time.monotonic(), time.process_time()
        found = sum(1 for _ in reverse(str(folder / "*.parquet"), marks, matcher=matcher))
        seconds, cpu = time.monotonic() - began, time.process_time() - used
        label = f"search backwards, {count:,} listings, a mark and {aliases} other names"
        yield _line(label, seconds, "s")
        yield _line(f"{label}: {found:,} found, CPU", count / cpu, "listings/CPU-s")
        measured[f"reverse {aliases}"] = count / cpu
    shutil.rmtree(folder)


def arithmetic(_: World, __: int, measured: dict[str, float]) -> Iterator[Line]:
    """What is measured, times what was never run here; each line says which is which."""
    need = DAY / SECONDS
    yield _line("needed: 2,000,000,000 listings a day", need, "listings/s")
    for name, key in (
        ("exact and look-alike", "match fast=True"),
        ("all views", "match fast=False"),
        ("all views, judged, proven", "judge"),
    ):
        if key in measured:
            yield _line(f"EXTRAPOLATED: cores for 2 billion a day, {name}", need / measured[key], "cores")
    if "reverse 8" in measured:
        seconds = 1_500_000_000 / measured["reverse 8"]
        yield _line("EXTRAPOLATED: 1.5 billion searched backwards for 9 names", seconds, "CPU-s")
    yield _line("needed: 600,000,000 pictures a day", 600_000_000 / SECONDS, "pictures/s")


PARTS = {"match": match, "judge": judge, "scale": scale_lines, "reverse": backwards, "arithmetic": arithmetic}


# ---- peers -----------------------------------------------------------------------------------------------------------


def rapidfuzz_rate(titles: Sequence[str], names: Sequence[str]) -> float:
    """Titles a CPU-second: the best of all names by `partial_ratio`."""
    began = time.process_time()
    lowered = [each.lower() for each in names]
    for title in titles:
        process.extractOne(title.lower(), lowered, scorer=fuzz.partial_ratio, score_cutoff=90)
    return len(titles) / (time.process_time() - began)


def tfidf_rate(titles: Sequence[str], names: Sequence[str]) -> float:
    """Titles a CPU-second: cosine of letters by two and three against all names, the nearest of each."""
    places: dict[str, int] = {}
    wanted = _grams(names, places, grow=True)
    weights = np.log(len(names) / (1 + np.asarray((wanted > 0).sum(axis=0)).ravel())) + 1
    scaled = sparse.diags(weights)
    known = _unit(wanted @ scaled).T.tocsc()
    began = time.process_time()
    for start in range(0, len(titles), 500):
        likeness = _unit(_grams(titles[start : start + 500], places, grow=False) @ scaled) @ known
        likeness.max(axis=1)
    return len(titles) / (time.process_time() - began)


def _grams(texts: Sequence[str], places: dict[str, int], *, grow: bool) -> sparse.csr_matrix:
    rows: list[int] = []
    columns: list[int] = []
    for row, text in enumerate(texts):
        padded = f" {text.lower()} "
        for size in (2, 3):
            for at in range(len(padded) - size + 1):
                gram = padded[at : at + size]
                place = places.setdefault(gram, len(places)) if grow else places.get(gram)
                if place is not None:
                    rows.append(row)
                    columns.append(place)
    return sparse.csr_matrix((np.ones(len(rows)), (rows, columns)), shape=(len(texts), len(places)))


def _unit(matrix: sparse.csr_matrix) -> sparse.csr_matrix:
    lengths = np.sqrt(np.asarray(matrix.multiply(matrix).sum(axis=1)).ravel())
    return sparse.diags(1 / np.maximum(lengths, 1e-9)) @ matrix


if __name__ == "__main__":
    main()
