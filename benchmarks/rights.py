"""Search of look-alikes: words among 79,050 real brand names and among a million, logos among 3,470, import of records.

Look-alikes are planted by tests/world/lookalikes.py and logos.py, which import nothing of what they measure but were
written by the same hand, and must be found again.
Beside each figure stand two simple peers over the same names in the same run: plain n-grams
(letters by two and three, BM25, the same engine) and Soundex with substrings, sorted by edit distance, as the usual
open-source checks do. Times are of one thread, from the query's text to the sorted answer.

Run: ./run bench rights [--json] [--quick]      (--quick leaves out the million)
Brand names are reference data (CHOPMARK_DATA); icons are fetched by scripts/foreign_icons.sh.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np
import tantivy
from rapidfuzz import process
from rapidfuzz.distance import Levenshtein

from chopmark.rights.similarity import logos as shapes
from chopmark.rights.similarity.score import ALERT
from chopmark.rights.similarity.words import Entry, WordIndex

REPOSITORY = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(REPOSITORY / "tests"))

from world import logos, lookalikes  # noqa: E402 (the path is set only now)

REAL, MILLION = 79_050, 1_000_000
EACH, EACH_OF_MILLION, EACH_LOGO = 60, 25, 150
NGRAMS, SOUNDEX = "plain n-grams", "Soundex and substrings"
UNRELATED = 300

Line = dict[str, object]
Search = Callable[[str], Sequence[str]]


def main() -> None:
    """Print a table, or one JSON object a line."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--quick", action="store_true", help="leave out the million")
    chosen = parser.parse_args()
    cv2.setNumThreads(1)
    for line in measure(quick=chosen.quick):
        if chosen.json:
            print(json.dumps(line), flush=True)
        else:
            beside = "{peer_value} {peer} ({ratio} x)".format(**line) if line["peer"] else ""
            print("{name:62} {value:>10} {unit:8} {beside}".format(beside=beside, **line), flush=True)


def measure(*, quick: bool = False) -> Iterator[Line]:
    """All lines, as they are measured; a part whose data are not on this machine is left out, which is said."""
    data = Path(os.environ.get("CHOPMARK_DATA", REPOSITORY.parent / "shared" / "data"))
    if (data / "brands-nsi").is_dir():
        names = lookalikes.brands(data)
        random.Random(5).shuffle(names)  # noqa: S311 (the same names every time)
        unrelated, names = names[REAL : REAL + UNRELATED], names[:REAL]
        yield from words(names, names, EACH, data, unrelated)
        if not quick:
            many = names + lookalikes.made_up(MILLION - len(names), names, 3)
            yield from words(many, names, EACH_OF_MILLION, data, ())
    else:
        sys.stderr.write(f"no brand names in {data}: words are left out\n")
    icons = _icons()
    if icons is None:
        sys.stderr.write("no icons (npm is needed once): logos are left out\n")
    else:
        yield from logo_lines(icons)
    yield from imports(quick=quick)


def imports(*, quick: bool) -> list[Line]:
    """Records brought in a second, by the benchmark of its own (it needs a home of its own)."""
    program = [sys.executable, str(REPOSITORY / "benchmarks" / "rights_import.py"), "--json", *["--quick"] * quick]
    said = subprocess.run(program, check=True, capture_output=True, text=True).stdout
    return [json.loads(line) for line in said.splitlines() if line.startswith("{")]


def words(kept: Sequence[str], real: Sequence[str], each: int, data: Path, unrelated: Sequence[str]) -> list[Line]:
    """Recall of planted look-alikes of real names among those that are kept, time, size, and alerts."""
    planted = lookalikes.planted(real, each, 2026, data / "unicode-confusables")
    label = f"{len(kept):,} names"
    with tempfile.TemporaryDirectory() as folder:
        began = time.process_time()
        index = WordIndex.build(
            Path(folder), (Entry(key=str(at), texts=(name,)) for at, name in enumerate(kept)), position=1
        )
        built = time.process_time() - began
        size = sum(file.stat().st_size for file in Path(folder).rglob("*") if file.is_file()) / 1e6
        ours = _tried(planted, lambda query: [hit.text for hit in index.search(query, limit=50)])
        strong = [index.search(copy, limit=200, least=ALERT) for _, copy, _ in planted[:: max(1, len(planted) // 400)]]
        alerts = [len(index.search(name, limit=200, least=ALERT)) for name in unrelated]
        ngrams = _tried(planted, _ngram_search(kept, Path(folder) / "plain"))
        soundex = _tried(planted[:: 1 if len(kept) <= REAL else 4], _soundex_search(kept))
    lines = [
        _line(f"words, {label}: recall at 10", ours.recall(10), "", NGRAMS, ngrams.recall(10)),
        _line(f"words, {label}: recall at 10", ours.recall(10), "", SOUNDEX, soundex.recall(10)),
        _line(f"words, {label}: recall at 50", ours.recall(50), "", NGRAMS, ngrams.recall(50)),
        _line(f"words, {label}: recall at 50", ours.recall(50), "", SOUNDEX, soundex.recall(50)),
        _line(f"words, {label}: first", ours.recall(1), "", NGRAMS, ngrams.recall(1)),
        _line(f"words, {label}: time, median", ours.milliseconds(50), "ms", NGRAMS, ngrams.milliseconds(50)),
        _line(f"words, {label}: time, 95th percentile", ours.milliseconds(95), "ms", SOUNDEX, soundex.milliseconds(95)),
        _line(f"words, {label}: CPU time, 95th percentile", ours.cpu(95), "ms", NGRAMS, ngrams.cpu(95)),
        _line(f"words, {label}: index on disk", round(size, 1), "MB"),
        _line(f"words, {label}: built, CPU", round(built, 1), "s"),
    ]
    lines += [
        _line(f"words, {label}: recall at 10, {kind}", ours.recall(10, kind), "", NGRAMS, ngrams.recall(10, kind))
        for kind in dict.fromkeys(kind for kind, _, _ in planted)
    ]
    shown = [
        any(hit.text.casefold() == original.casefold() for hit in hits)
        for (_, _, original), hits in zip(planted[:: max(1, len(planted) // 400)], strong, strict=True)
    ]
    lines.append(_line(f"words, {label}: look-alikes with a total of {ALERT:.2f}", round(float(np.mean(shown)), 3), ""))
    if alerts:
        lines.append(_line(f"words, {label}: alerts for an unrelated name", round(float(np.mean(alerts)), 2), ""))
    return lines


def logo_lines(folder: Path) -> list[Line]:
    """Recall of changed logos among all, time."""
    pictures = {name: logos.drawn(path) for name, path in logos.icons(folder).items()}
    ours, plain = shapes.LogoIndex(), {}
    began = time.process_time()
    for name, gray in pictures.items():
        ours.add(name, shapes.describe(gray))
    described = (time.process_time() - began) / len(pictures)
    for name, gray in pictures.items():
        plain[name] = shapes.picture.dihedral(shapes.picture.of_pixels(gray))[0][0]
    asked = random.Random(4).sample(sorted(pictures), min(EACH_LOGO, len(pictures)))  # noqa: S311 (as above)
    codes = np.frombuffer(b"".join(plain.values()), np.uint8).reshape(-1, 32).view(np.uint64)
    keys = list(plain)
    found: dict[str, tuple[float, float]] = {}
    spent: list[float] = []
    busy: list[float] = []
    for kind, change in logos.changes().items():
        hits = peers = 0
        for name in asked:
            changed = change(pictures[name])
            start, cpu = time.perf_counter(), time.thread_time()
            best = ours.search(shapes.describe_query(changed), limit=10)
            busy.append(time.thread_time() - cpu)
            spent.append(time.perf_counter() - start)
            hits += name in {hit.key for hit in best}
            eight, _ = shapes.picture.dihedral(shapes.picture.of_pixels(changed))
            near = [np.bitwise_count(codes ^ np.frombuffer(code, np.uint64)).sum(axis=1) for code in eight]
            order = np.argsort(np.minimum.reduce(near), kind="stable")[:10]
            peers += name in {keys[at] for at in order}
        found[kind] = (hits / len(asked), peers / len(asked))
    label = f"logos, {len(pictures):,}"
    mean, peer = (round(float(np.mean([each[side] for each in found.values()])), 3) for side in (0, 1))
    return [
        _line(f"{label}: mean recall at 10 over {len(found)} changes", mean, "", "PDQ alone", peer),
        _line(f"{label}: query, median", round(1000 * float(np.median(spent)), 1), "ms"),
        _line(f"{label}: query, 95th percentile", round(1000 * float(np.percentile(spent, 95)), 1), "ms"),
        _line(f"{label}: query, CPU, 95th percentile", round(1000 * float(np.percentile(busy, 95)), 1), "ms"),
        _line(f"{label}: described, CPU", round(1000 * described, 2), "ms/logo"),
        *(
            _line(f"{label}: recall at 10, {kind}", round(own, 3), "", "PDQ alone", round(other, 3))
            for kind, (own, other) in found.items()
        ),
    ]


class _tried:  # noqa: N801 (it reads as what it gives: `_tried(...).recall(10)`)
    """Searches for planted look-alikes: places of the originals, seconds."""

    def __init__(self, planted: Sequence[tuple[str, str, str]], search: Search) -> None:
        self.places: list[tuple[str, int]] = []
        self.wall: list[float] = []
        self.spent: list[float] = []
        for kind, copy, original in planted:
            start, cpu = time.perf_counter(), time.thread_time()
            found = search(copy)
            self.spent.append(time.thread_time() - cpu)
            self.wall.append(time.perf_counter() - start)
            listed = [name.casefold() for name in found]
            wanted = original.casefold()
            self.places.append((kind, listed.index(wanted) if wanted in listed else len(listed) + 1000))

    def recall(self, within: int, kind: str = "") -> float:
        places = [place for each, place in self.places if kind in ("", each)]
        return round(sum(place < within for place in places) / max(1, len(places)), 4)

    def milliseconds(self, percentile: int) -> float:
        return round(1000 * float(np.percentile(self.wall, percentile)), 1)

    def cpu(self, percentile: int) -> float:
        return round(1000 * float(np.percentile(self.spent, percentile)), 1)


def _ngram_search(names: Sequence[str], folder: Path) -> Search:
    """Letters by two and three of the text in lower case, by BM25."""
    folder.mkdir()
    builder = tantivy.SchemaBuilder()
    builder.add_unsigned_field("row", fast=True)
    builder.add_text_field("text", tokenizer_name="grams", index_option="basic")
    schema = builder.build()
    index = tantivy.Index(schema, path=str(folder))
    analyzer = tantivy.TextAnalyzerBuilder(tantivy.Tokenizer.ngram(2, 3, prefix_only=False)).build()
    index.register_tokenizer("grams", analyzer)
    writer = index.writer(100_000_000, 1)
    for row, name in enumerate(names):
        document = tantivy.Document()
        document.add_unsigned("row", row)
        document.add_text("text", name.lower())
        writer.add_document(document)
    writer.commit()
    writer.wait_merging_threads()
    index.reload()
    searcher = index.searcher()

    def search(query: str) -> Sequence[str]:
        text = query.lower()
        grams = {text[at : at + size] for size in (2, 3) for at in range(len(text) - size + 1)}
        terms = [(tantivy.Occur.Should, tantivy.Query.term_query(schema, "text", gram, "basic")) for gram in grams]
        if not terms:
            return ()
        hits = searcher.search(tantivy.Query.boolean_query(terms), 50, count=False).hits
        rows = searcher.fast_field_values("row", [place for _, place in hits])
        return [names[int(row or 0)] for row in rows]

    return search


def _soundex_search(names: Sequence[str]) -> Search:
    """Names that contain the query or sound like it, by edit distance."""
    lower = [name.lower() for name in names]
    by_code: dict[str, list[int]] = {}
    for at, name in enumerate(lower):
        by_code.setdefault(_soundex(name), []).append(at)
    joined = "\n".join(lower)
    starts = np.cumsum([0, *(len(name) + 1 for name in lower)])

    def search(query: str) -> Sequence[str]:
        text = query.lower()
        code = _soundex(text)
        found = set(by_code.get(code, ())) if code else set()
        place = joined.find(text)
        while place >= 0 and len(found) < 20_000:
            found.add(int(np.searchsorted(starts, place, side="right")) - 1)
            place = joined.find(text, place + 1)
        listed = sorted(found)
        if not listed:
            return ()
        distances = process.cdist([text], [lower[at] for at in listed], scorer=Levenshtein.distance)[0]
        return [names[listed[at]] for at in np.argsort(distances, kind="stable")[:50]]

    return search


_DIGITS = {
    letter: digit for digit, letters in enumerate(("bfpv", "cgjkqsxz", "dt", "l", "mn", "r"), 1) for letter in letters
}


def _soundex(text: str) -> str:
    """American Soundex; empty for a text without Latin letters."""
    letters = [letter for letter in text if "a" <= letter <= "z"]
    if not letters:
        return ""
    code, last = letters[0].upper(), _DIGITS.get(letters[0], 0)
    for letter in letters[1:]:
        digit = _DIGITS.get(letter, 0)
        if digit and digit != last:
            code += str(digit)
        if letter not in "hw":
            last = digit
    return (code + "000")[:4]


def _icons() -> Path | None:
    folder = REPOSITORY / ".venv-foreign-icons" / "icons"
    if not folder.is_dir():
        subprocess.run([REPOSITORY / "scripts" / "foreign_icons.sh"], check=False, stdout=sys.stderr)
    return folder if folder.is_dir() else None


def _line(name: str, value: float, unit: str, peer: str = "", peer_value: float = 0.0) -> Line:
    ratio = round(value / peer_value, 3) if peer and peer_value else None
    beside = peer_value if peer else None
    return {"name": name, "value": value, "unit": unit, "peer": peer, "peer_value": beside, "ratio": ratio}


if __name__ == "__main__":
    main()
